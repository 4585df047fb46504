package template_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/template"
)

func rights(t *testing.T) []template.Right {
	t.Helper()
	all, err := template.Rights()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no role has a right")
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
			t.Fatalf("%s can be assumed under %d statements", role, len(trust))
		}
		principal := text(at(trust[0], "Principal", "Service"))
		switch {
		case owner[role] != "" && principal == "lambda.amazonaws.com":
		case role == "TickRole" && principal == "scheduler.amazonaws.com":
			// Otherwise schedules of another account could use it.
			if text(at(trust[0], "Condition", "StringEquals", "aws:SourceAccount")) != "${AWS::AccountId}" {
				t.Error("TickRole can be assumed for another account")
			}
		default:
			t.Errorf("%s can be assumed by %s", role, principal)
		}
	}
}

func TestRightsNameActionsAndResources(t *testing.T) {
	s := load(t)
	const arn = "arn:${AWS::Partition}:"
	const here = ":${AWS::Region}:${AWS::AccountId}:"
	// Each "*" in use, and why there is no narrower resource.
	reasons := map[string]string{
		arn + "secretsmanager" + here + "secret:${AWS::StackName}/connectors/*":      "secrets come and go with connectors",
		arn + "secretsmanager" + here + "secret:${AWS::StackName}/inquiries/*":       "secrets come and go with inquiries",
		arn + "secretsmanager" + here + "secret:${AWS::StackName}/inquiries/*/key-*": "keys come and go with previews",
		"${AnswersTable.Arn}/stream/*":                                               "streams are listed by table",
	}
	for _, r := range rights(t) {
		ownLog := arn + "logs" + here + "log-group:/aws/lambda/${AWS::StackName}-" + short(r.Role) + ":*"
		network := r.Resource == "*" && r.If == "InVpc" // EC2 has no narrower one; the actions are listed below
		if strings.Contains(r.Action, "*") ||
			strings.Contains(r.Resource, "*") && reasons[r.Resource] == "" && r.Resource != ownLog && !network {
			t.Errorf("wider than needed: %s", r)
		}
	}
	// A key policy applies to its key only, and names only the AWS account itself.
	for _, key := range s.all(t, "AWS::KMS::Key") {
		for _, st := range list(at(s.Resources[key].Properties, "KeyPolicy", "Statement")) {
			if principal := text(at(st, "Principal", "AWS")); principal != "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" {
				t.Errorf("%s is open to %s", key, principal)
			}
		}
	}
}

// All rights of all roles: what is not listed, no role may do.
func TestWhoMayDoWhat(t *testing.T) {
	const (
		connectorSecrets = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/connectors/*"
		inquirySecrets   = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/inquiries/*"
		submit           = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-submit"
	)
	want := map[string]string{
		"dynamodb:ConditionCheckItem ${ConnectorsTable.Arn}": "connectors submit",
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
		"secretsmanager:GetSecretValue ${FingerprintKey.Id}": "submit",
		// The console, public too, reads the two secrets of its session and nothing else.
		"secretsmanager:GetSecretValue ${SessionKey.Id} if HasConsoleClient":       "console",
		"secretsmanager:ListSecretVersionIds ${SessionKey.Id} if HasConsoleClient": "console",
		"secretsmanager:GetSecretValue ${ConsoleClient.Id} if HasConsoleClient":    "console",
		"secretsmanager:ListSecretVersionIds ${CapabilityKey.Id}":                  "callback submit",
		"secretsmanager:ListSecretVersionIds ${RowKey.Id}":                         "patch submit",
		"secretsmanager:ListSecretVersionIds ${FingerprintKey.Id}":                 "submit",
		// The API makes what an inquiry needs, and reads only the keys of previews.
		"secretsmanager:CreateSecret " + inquirySecrets:              "connectors",
		"secretsmanager:GetSecretValue " + inquirySecrets:            "submit",
		"secretsmanager:GetSecretValue " + inquirySecrets + "/key-*": "connectors",
		"secretsmanager:DeleteSecret " + inquirySecrets:              "connectors submit",
		// The function that writes a connector's secrets never reads them.
		"secretsmanager:GetSecretValue " + connectorSecrets: "patch submit",
		"secretsmanager:CreateSecret " + connectorSecrets:   "connectors",
		"secretsmanager:PutSecretValue " + connectorSecrets: "connectors",
		"secretsmanager:DeleteSecret " + connectorSecrets:   "connectors",

		"lambda:InvokeFunction " + submit:             "submit",
		"lambda:InvokeFunction ${Submit.Arn}":         "connectors tick",
		"lambda:InvokeFunction ${Patch.Arn}":          "reconcile",
		"lambda:InvokeFunction ${Reconcile.Arn}":      "tick",
		"lambda:InvokeFunction ${Patch.Arn} if InVpc": "tick",
		"sqs:SendMessage ${FailureQueue.Arn}":         "patch reconcile submit tick",
		"kms:Decrypt ${TableKey.Arn}":                 "callback connectors patch reconcile submit",
		"kms:DescribeKey ${TableKey.Arn}":             "callback connectors patch reconcile submit",
		"kms:Encrypt ${TableKey.Arn}":                 "callback connectors patch reconcile submit",
		"kms:GenerateDataKey ${TableKey.Arn}":         "callback connectors patch reconcile submit",
		"kms:ReEncryptFrom ${TableKey.Arn}":           "callback connectors patch reconcile submit",
		"kms:ReEncryptTo ${TableKey.Arn}":             "callback connectors patch reconcile submit",
		"ec2:AssignPrivateIpAddresses * if InVpc":     "patch reconcile submit",
		"ec2:CreateNetworkInterface * if InVpc":       "patch reconcile submit",
		"ec2:DeleteNetworkInterface * if InVpc":       "patch reconcile submit",
		"ec2:DescribeNetworkInterfaces * if InVpc":    "patch reconcile submit",
		"ec2:DescribeSubnets * if InVpc":              "patch reconcile submit",
		"ec2:UnassignPrivateIpAddresses * if InVpc":   "patch reconcile submit",
	}
	may := map[string][]string{}
	for _, r := range rights(t) {
		if strings.HasPrefix(r.Action, "logs:") {
			continue
		}
		if strings.HasPrefix(r.Action, "kms:") && r.Condition != `{"StringEquals":{"kms:ViaService":{"Fn::Sub":"dynamodb.${AWS::Region}.${AWS::URLSuffix}"}}}` {
			t.Errorf("not limited to calls through DynamoDB: %s", r)
		}
		right := r.Action + " " + r.Resource
		if r.If != "" {
			right += " if " + r.If
		}
		may[right] = append(may[right], short(r.Role))
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
		t.Errorf("%s: no role, want %q", right, roles)
	}
}

// Each right is used by a run (infra/e2e asks the stack for the rights used), or
// by AWS, which documents that it needs it.
func TestRightsThatOnlyAWSUses(t *testing.T) {
	all := rights(t)
	for _, d := range template.Demands {
		if !strings.HasPrefix(d.Page, "https://docs.aws.amazon.com/") {
			t.Errorf("%s %s: no page of AWS documents it", d.Role, d.Action)
		}
		if !slices.ContainsFunc(all, func(r template.Right) bool {
			return r.Action == d.Action && (d.Role == "" || d.Role == r.Role)
		}) {
			t.Errorf("%s %s is listed and no role has it", d.Role, d.Action)
		}
	}
	// The rights for what functions do themselves are used by a run.
	for _, r := range all {
		service, action, _ := strings.Cut(r.Action, ":")
		own := service == "secretsmanager" ||
			service == "lambda" && r.Role != "TickRole" ||
			service == "dynamodb" && !strings.Contains(action, "Stream") && action != "GetRecords" && action != "GetShardIterator"
		if own == r.UsedByAWSOnly() {
			t.Errorf("listed as used by AWS only is %v: %s", r.UsedByAWSOnly(), r)
		}
	}
}
