package template_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/template"
)

func TestTablesAreReadyToBeCreated(t *testing.T) {
	tables, err := template.Tables()
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) != 2 {
		t.Errorf("%d tables, want ConnectorsTable and AnswersTable", len(tables))
	}
	for name, stream := range map[string]types.StreamViewType{"ConnectorsTable": "", "AnswersTable": types.StreamViewTypeKeysOnly} {
		in := tables[name]
		if in == nil {
			t.Errorf("there is no %s", name)
			continue
		}
		if in.BillingMode != types.BillingModePayPerRequest {
			t.Errorf("%s is billed %q", name, in.BillingMode)
		}
		if got := keys(in); got != "pk HASH S, sk RANGE S" {
			t.Errorf("%s has the keys %s", name, got)
		}
		var got types.StreamViewType
		if in.StreamSpecification != nil {
			got = in.StreamSpecification.StreamViewType
		}
		if got != stream {
			t.Errorf("%s has the stream %q, want %q", name, got, stream)
		}
	}
}

func keys(in *dynamodb.CreateTableInput) string {
	var text string
	for i, k := range in.KeySchema {
		if i > 0 {
			text += ", "
		}
		text += aws.ToString(k.AttributeName) + " " + string(k.KeyType)
		for _, a := range in.AttributeDefinitions {
			if aws.ToString(a.AttributeName) == aws.ToString(k.AttributeName) {
				text += " " + string(a.AttributeType)
			}
		}
	}
	return text
}

// Both deployments pass the template through S3, where it may be larger
// than in a call:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
func TestTemplateIsWithinTheLimitsOfCloudFormation(t *testing.T) {
	root, err := template.Root()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 1_000_000 {
		t.Errorf("template.yaml has %d bytes, more than 1 MB", info.Size())
	}
	if n := len(load(t).Resources); n > 500 {
		t.Errorf("the template has %d resources, more than 500", n)
	}
}
