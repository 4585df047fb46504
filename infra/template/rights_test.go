package template_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

type statement struct {
	role      string
	actions   []string
	resources []string
	condition any
	only      string // the template condition under which it holds
}

// statements are the rights of every role, attached policies included.
func statements(t *testing.T, s stack) []statement {
	t.Helper()
	var all []statement
	add := func(role, only string, document any) {
		for _, st := range list(at(document, "Statement")) {
			if text(at(st, "Effect")) != "Allow" {
				t.Errorf("%s: a statement that does not allow", role)
			}
			all = append(all, statement{role, texts(at(st, "Action")), texts(at(st, "Resource")), at(st, "Condition"), only})
		}
	}
	for _, role := range s.all(t, "AWS::IAM::Role") {
		properties := s.Resources[role].Properties
		for _, policy := range list(properties["Policies"]) {
			add(role, "", at(policy, "PolicyDocument"))
		}
		for _, attached := range list(properties["ManagedPolicyArns"]) {
			only := ""
			if choice := list(at(attached, "Fn::If")); choice != nil {
				only, attached = text(choice[0]), choice[1]
			}
			policy, known := s.Resources[bare(text(attached))]
			if !known || policy.Type != "AWS::IAM::ManagedPolicy" {
				t.Errorf("%s is given %s, a policy that this template does not show", role, text(attached))
				continue
			}
			if policy.Condition != only {
				t.Errorf("%s is given %s under the condition %q, the policy stands under %q", role, text(attached), only, policy.Condition)
			}
			add(role, only, policy.Properties["PolicyDocument"])
		}
	}
	return all
}

func TestEveryFunctionHasARoleOfItsOwn(t *testing.T) {
	s := load(t)
	owner := map[string]string{}
	for _, function := range s.all(t, "AWS::Lambda::Function") {
		role := s.get(function, "Role")
		if role != "${"+function+"Role.Arn}" {
			t.Errorf("%s has the role %s", function, role)
		}
		owner[bare(role)] = function
	}
	for _, role := range s.all(t, "AWS::IAM::Role") {
		trust := list(at(s.Resources[role].Properties, "AssumeRolePolicyDocument", "Statement"))
		if len(trust) != 1 {
			t.Fatalf("%s is trusted to %d", role, len(trust))
		}
		principal := text(at(trust[0], "Principal", "Service"))
		switch {
		case owner[role] != "" && principal == "lambda.amazonaws.com":
		case role == "TickRole" && principal == "scheduler.amazonaws.com":
			// Else another account's schedules could use it.
			if text(at(trust[0], "Condition", "StringEquals", "aws:SourceAccount")) != "${AWS::AccountId}" {
				t.Error("TickRole can be assumed for another account")
			}
		default:
			t.Errorf("%s is trusted to %s", role, principal)
		}
	}
}

func TestRightsNameActionsAndResources(t *testing.T) {
	s := load(t)
	const arn = "arn:${AWS::Partition}:"
	const here = ":${AWS::Region}:${AWS::AccountId}:"
	// Each "*" that is there, and why there is no narrower one.
	reasons := map[string]string{
		arn + "secretsmanager" + here + "secret:${AWS::StackName}/connectors/*": "secrets come and go with connectors",
		"${AnswersTable.Arn}/stream/*":                                          "streams are listed by table",
	}
	for _, st := range statements(t, s) {
		for _, action := range st.actions {
			if strings.Contains(action, "*") {
				t.Errorf("%s may do %s", st.role, action)
			}
		}
		for _, resource := range st.resources {
			ownLog := arn + "logs" + here + "log-group:/aws/lambda/${AWS::StackName}-" + short(st.role) + ":*"
			network := resource == "*" && st.only == "InVpc" // EC2 knows no narrower one; the actions are listed below
			if strings.Contains(resource, "*") && reasons[resource] == "" && resource != ownLog && !network {
				t.Errorf("%s may do %v to %s", st.role, st.actions, resource)
			}
		}
	}
	// A key policy speaks of its key only; nobody but the account itself is in it.
	for _, key := range s.all(t, "AWS::KMS::Key") {
		for _, st := range list(at(s.Resources[key].Properties, "KeyPolicy", "Statement")) {
			if principal := text(at(st, "Principal", "AWS")); principal != "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" {
				t.Errorf("%s is open to %s", key, principal)
			}
		}
	}
}

// Who may do what, in full. What is not here nobody may.
func TestWhoMayDoWhat(t *testing.T) {
	s := load(t)
	const (
		connectorSecrets = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/connectors/*"
		submit           = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-submit"
	)
	want := map[string]string{
		"dynamodb:ConditionCheckItem ${ConnectorsTable.Arn}": "connectors patch reconcile submit",
		"dynamodb:DeleteItem ${ConnectorsTable.Arn}":         "connectors patch reconcile submit",
		"dynamodb:GetItem ${ConnectorsTable.Arn}":            "connectors patch reconcile submit",
		"dynamodb:PutItem ${ConnectorsTable.Arn}":            "connectors patch reconcile submit",
		"dynamodb:Query ${ConnectorsTable.Arn}":              "connectors patch reconcile submit",
		"dynamodb:UpdateItem ${ConnectorsTable.Arn}":         "connectors patch reconcile submit",

		// The public function puts answers; it reads no table.
		"dynamodb:PutItem ${AnswersTable.Arn}":    "callback",
		"dynamodb:Query ${AnswersTable.Arn}":      "patch reconcile submit",
		"dynamodb:DeleteItem ${AnswersTable.Arn}": "patch",

		"dynamodb:DescribeStream ${AnswersTable.StreamArn}":   "patch",
		"dynamodb:GetRecords ${AnswersTable.StreamArn}":       "patch",
		"dynamodb:GetShardIterator ${AnswersTable.StreamArn}": "patch",
		"dynamodb:ListStreams ${AnswersTable.Arn}/stream/*":   "patch",

		"secretsmanager:GetSecretValue ${CapabilityKey.Id}":  "callback submit",
		"secretsmanager:GetSecretValue ${RowKey.Id}":         "patch submit",
		"secretsmanager:GetSecretValue ${FingerprintKey.Id}": "patch submit",
		// Who writes a connector's secrets never reads them.
		"secretsmanager:GetSecretValue " + connectorSecrets: "patch submit",
		"secretsmanager:CreateSecret " + connectorSecrets:   "connectors",
		"secretsmanager:PutSecretValue " + connectorSecrets: "connectors",
		"secretsmanager:DeleteSecret " + connectorSecrets:   "connectors",

		"lambda:InvokeFunction " + submit:           "submit",
		"lambda:InvokeFunction ${Submit.Arn}":       "connectors tick",
		"lambda:InvokeFunction ${Patch.Arn}":        "reconcile",
		"lambda:InvokeFunction ${Reconcile.Arn}":    "tick",
		"sqs:SendMessage ${FailureQueue.Arn}":       "patch reconcile submit tick",
		"kms:Decrypt ${TableKey.Arn}":               "callback connectors patch reconcile submit",
		"kms:DescribeKey ${TableKey.Arn}":           "callback connectors patch reconcile submit",
		"kms:Encrypt ${TableKey.Arn}":               "callback connectors patch reconcile submit",
		"kms:GenerateDataKey ${TableKey.Arn}":       "callback connectors patch reconcile submit",
		"kms:ReEncryptFrom ${TableKey.Arn}":         "callback connectors patch reconcile submit",
		"kms:ReEncryptTo ${TableKey.Arn}":           "callback connectors patch reconcile submit",
		"ec2:AssignPrivateIpAddresses * if InVpc":   "patch reconcile submit",
		"ec2:CreateNetworkInterface * if InVpc":     "patch reconcile submit",
		"ec2:DeleteNetworkInterface * if InVpc":     "patch reconcile submit",
		"ec2:DescribeNetworkInterfaces * if InVpc":  "patch reconcile submit",
		"ec2:DescribeSubnets * if InVpc":            "patch reconcile submit",
		"ec2:UnassignPrivateIpAddresses * if InVpc": "patch reconcile submit",
	}
	may := map[string][]string{}
	for _, st := range statements(t, s) {
		for _, action := range st.actions {
			if strings.HasPrefix(action, "kms:") &&
				text(at(st.condition, "StringEquals", "kms:ViaService")) != "dynamodb.${AWS::Region}.${AWS::URLSuffix}" {
				t.Errorf("%s may do %s without DynamoDB", st.role, action)
			}
			for _, resource := range st.resources {
				right := action + " " + resource
				if st.only != "" {
					right += " if " + st.only
				}
				if !strings.HasPrefix(action, "logs:") {
					may[right] = append(may[right], short(st.role))
				}
			}
		}
	}
	for _, right := range slices.Sorted(maps.Keys(may)) {
		roles := may[right]
		slices.Sort(roles)
		if got := strings.Join(slices.Compact(roles), " "); got != want[right] {
			t.Errorf("%s: %q, want %q", right, got, want[right])
		}
		delete(want, right)
	}
	for right, roles := range want {
		t.Errorf("%s: nobody, want %q", right, roles)
	}
}
