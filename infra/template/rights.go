package template

import (
	"fmt"
	"maps"
	"slices"
)

// Right is one action on one resource that the template gives to a role.
type Right struct {
	Role      string // name of its resource: "SubmitRole"
	Action    string // "dynamodb:PutItem"
	Resource  string // as the template writes it: "${ConnectorsTable.Arn}"
	Condition string // of the policy's statement, as JSON; "" for none
	If        string // condition of the template under which it is given; "" for always
}

func (r Right) String() string { return r.Role + ": " + r.Action + " " + r.Resource }

// Rights returns all rights of all roles of the expanded template, including
// those of attached policies. A policy that the template names but does not
// contain, or a statement that denies, is an error: the rights of the role would
// not be known.
func Rights() ([]Right, error) {
	s, err := expanded()
	if err != nil {
		return nil, err
	}
	var all []Right
	for _, role := range slices.Sorted(maps.Keys(s.Resources)) {
		r := s.Resources[role]
		if r.Type != "AWS::IAM::Role" {
			continue
		}
		add := func(document any, only string) error {
			for _, st := range list(at(document, "Statement")) {
				if effect := text(at(st, "Effect")); effect != "Allow" {
					return fmt.Errorf("%s: a statement has the effect %q", role, effect)
				}
				for _, action := range texts(at(st, "Action")) {
					for _, target := range list(at(st, "Resource")) {
						only := only
						if choice := list(at(target, "Fn::If")); choice != nil {
							only, target = text(choice[0]), choice[1]
						}
						all = append(all, Right{role, action, text(target), text(at(st, "Condition")), only})
					}
				}
			}
			return nil
		}
		for _, policy := range list(r.Properties["Policies"]) {
			only := ""
			if choice := list(at(policy, "Fn::If")); choice != nil {
				only, policy = text(choice[0]), choice[1]
			}
			if err := add(at(policy, "PolicyDocument"), only); err != nil {
				return nil, err
			}
		}
		for _, attached := range list(r.Properties["ManagedPolicyArns"]) {
			only := ""
			if choice := list(at(attached, "Fn::If")); choice != nil {
				only, attached = text(choice[0]), choice[1]
			}
			policy, known := s.Resources[bare(text(attached))]
			if !known || policy.Type != "AWS::IAM::ManagedPolicy" {
				return nil, fmt.Errorf("%s is given %s, a policy that this template does not show", role, text(attached))
			}
			if policy.Condition != only {
				return nil, fmt.Errorf("%s is given %s under the condition %q, the policy has the condition %q", role, text(attached), only, policy.Condition)
			}
			if err := add(policy.Properties["PolicyDocument"], only); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// demand is a right that only AWS itself uses, under the role; the local emulator
// does the same without checking it.
type demand struct {
	Role   string // "" for any
	Action string
	Page   string // where AWS demands it
}

const (
	tableKeys    = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html#dynamodb-kms-authz"
	streams      = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/iam-policy-example-lamda-process-dynamodb-streams.html"
	destinations = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"
	deadLetters  = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html"
	schedules    = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html"
	logging      = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"
	networks     = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html"
)

// demands lists all of them. What a function does itself is not listed: a run
// must be seen to use it.
var demands = []demand{
	{"", "kms:Decrypt", tableKeys},
	{"", "kms:DescribeKey", tableKeys},
	{"", "kms:Encrypt", tableKeys},
	{"", "kms:GenerateDataKey", tableKeys},
	{"", "kms:ReEncryptFrom", tableKeys},
	{"", "kms:ReEncryptTo", tableKeys},
	{"PatchRole", "dynamodb:DescribeStream", streams},
	{"PatchRole", "dynamodb:GetRecords", streams},
	{"PatchRole", "dynamodb:GetShardIterator", streams},
	{"PatchRole", "dynamodb:ListStreams", streams},
	{"PatchRole", "sqs:SendMessage", destinations},
	{"ReconcileRole", "sqs:SendMessage", destinations},
	{"SubmitRole", "sqs:SendMessage", destinations},
	{"TickRole", "sqs:SendMessage", deadLetters},
	{"TickRole", "lambda:InvokeFunction", schedules},
	{"", "logs:CreateLogStream", logging},
	{"", "logs:PutLogEvents", logging},
	{"", "ec2:AssignPrivateIpAddresses", networks},
	{"", "ec2:CreateNetworkInterface", networks},
	{"", "ec2:DeleteNetworkInterface", networks},
	{"", "ec2:DescribeNetworkInterfaces", networks},
	{"", "ec2:DescribeSubnets", networks},
	{"", "ec2:UnassignPrivateIpAddresses", networks},
}

// UsedByAWSOnly reports whether no local run can use the right, because AWS uses
// it and the emulator does not.
func (r Right) UsedByAWSOnly() bool {
	return slices.ContainsFunc(demands, func(d demand) bool {
		return d.Action == r.Action && (d.Role == "" || d.Role == r.Role)
	})
}
