package seedingdb

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/dynamo"
	"openg2p.org/mts-connector/shared/seeding"
)

func TestDamagedItems(t *testing.T) {
	number, words := dynamo.Number(1), dynamo.Text("x")
	decoders := map[string]func(dynamo.Item) error{
		"connector":           func(it dynamo.Item) error { _, err := decodeConnector(it); return err },
		"connector of form 1": func(it dynamo.Item) error { _, err := decodeConnector(it); return err },
		"state":               func(it dynamo.Item) error { _, err := decodeState(it); return err },
		"run":                 func(it dynamo.Item) error { _, err := decodeRun(it); return err },
		"batch":               func(it dynamo.Item) error { _, err := decodeBatch(seeding.BatchRef{})(it); return err },
		"rejection":           func(it dynamo.Item) error { _, err := decodeRejection("r")(it); return err },
		"registry":            func(it dynamo.Item) error { _, err := decodeRegistry(it); return err },
		"MTS":                 func(it dynamo.Item) error { _, err := decodeMTS(it); return err },
		"part":                func(it dynamo.Item) error { _, err := decodePart("r")(it); return err },
	}
	for _, test := range []struct {
		kind, attribute string
		value           types.AttributeValue
	}{
		{"connector of form 1", "config", dynamo.Text("{Ana")},
		{"connector of form 1", "config", number},
		{"connector", "document", dynamo.Text("{Ana")},
		{"connector", "document", number},
		{"connector", "form", words},
		{"connector", "form", dynamo.Number(3)},
		{"state", "due", words},
		{"state", "problems", words},
		{"state", "problems", &types.AttributeValueMemberM{Value: dynamo.Item{"mts": words}}},
		{"state", "shown_alike", words},
		{"state", "form", dynamo.Number(2)},
		{"run", "cursor", &types.AttributeValueMemberN{Value: "1.5"}},
		{"run", "over", words},
		{"run", "pk", nil},
		{"run", "form", dynamo.Number(2)},
		{"batch", "members", dynamo.Binary([]byte("Ana"))},
		{"batch", "parts", words},
		{"batch", "overdue", words},
		{"batch", "form", dynamo.Number(2)},
		{"rejection", "print", dynamo.Binary([]byte{1})},
		{"rejection", "sk", dynamo.Text("9")},
		{"rejection", "sk", dynamo.Text("nine#c")},
		{"rejection", "form", dynamo.Number(2)},
		{"registry", "fence", words},
		{"registry", "form", dynamo.Number(2)},
		{"MTS", "pace", &types.AttributeValueMemberM{Value: dynamo.Item{"size": words}}},
		{"MTS", "width", dynamo.Map(dynamo.Item{"limit": words})},
		{"MTS", "claims", words},
		{"MTS", "slot_b1", words},
		{"MTS", "slot_b1", dynamo.Map(dynamo.Item{"count": words})},
		{"MTS", "waiting_c1", dynamo.Map(dynamo.Item{"until": words})},
		{"MTS", "form", dynamo.Number(2)},
		{"part", "sk", dynamo.Text("b#h#1")},
		{"part", "sk", dynamo.Text("b#h#one#1")},
		{"part", "rows", words},
		{"part", "form", dynamo.Number(2)},
	} {
		it := dynamo.Item{"pk": dynamo.Text("p"), "sk": dynamo.Text("0#c"), "config": dynamo.Text("{}"), "state": dynamo.Text("claimed")}
		switch test.kind {
		case "connector":
			it["form"], it["document"] = dynamo.Number(configurationForm), dynamo.Text("{}")
		case "part":
			it["sk"] = dynamo.Text("b#h#0001#0001")
		case "batch":
			it["members"] = dynamo.Binary(seeding.PackMembers(nil))
		}
		if err := decoders[test.kind](it); err != nil {
			t.Errorf("%s: %v", test.kind, err)
		}
		if it[test.attribute] = test.value; test.value == nil {
			delete(it, test.attribute)
		}
		err := decoders[test.kind](it)
		if err == nil || !strings.Contains(err.Error(), `"`+test.attribute+`"`) || strings.Contains(err.Error(), "Ana") {
			t.Errorf("%s with a damaged %s: %v", test.kind, test.attribute, err)
		}
	}
}
