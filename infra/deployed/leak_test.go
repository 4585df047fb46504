package deployed_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

// After a full run, with registrants of every kind, nothing of any of them is
// left behind: not in an attribute, not in a log line, not in a reply.
func TestNothingPersonalIsLeft(t *testing.T) {
	p := newPlace(t, odoosim.Options{})
	e := p.registry.Populate(500, 3)
	id0 := p.registry.AddRegistrant(odoosim.Registrant{
		Name: "ZYXWVUT, QAZWSX", GivenName: "Qazwsx", FamilyName: "Zyxwvut", Gender: "Female", Birthdate: "1911-03-07",
		Address: "4711 Verylongunusualstreet", Email: "qazwsx@unusual.example", Phone: "+99912345678",
	})
	special := odoosim.DemoVID(123123123, 7, odoosim.Normal)
	p.registry.AddIdentifier(odoosim.Identifier{Registrant: id0, Type: odoosim.VIDType, Value: special})
	vids := p.vids()
	id := p.start(nil)
	p.await("the run is over", func() bool { return p.runOver(id) && p.registry.State().VIDs == e.VIDsLeft })

	state := p.registry.State()
	expect(t, "tokens", state.Tokens, e.Tokens+1)
	expect(t, "VIDs left", state.VIDs, e.VIDsLeft)
	expect(t, "rejected", len(p.rejections(id)), e.Rejected())
	call(t, "GET", "/connectors/"+id+"/runs", nil)
	call(t, "GET", "/connectors?limit=100", nil)

	secrets := map[string]string{ // what -> text
		"given name": "Qazwsx", "family name": "Zyxwvut", "birth date": "1911-03-07", "birth date sent": "1911/03/07",
		"address": "Verylongunusualstreet", "e-mail": "qazwsx@unusual.example", "phone": "99912345678",
	}
	for registrant, vid := range vids {
		secrets[fmt.Sprintf("VID of %d", registrant)] = vid
		secrets[fmt.Sprintf("token of %d", registrant)] = mtssim.Token(vid)
	}
	bearer := regexp.MustCompile(`"token": ?"([^"]{40,})"`)
	for i, post := range p.posts.all() {
		if m := bearer.FindStringSubmatch(post); m != nil {
			secrets[fmt.Sprintf("capability %d", i)] = m[1]
			secrets[fmt.Sprintf("signature %d", i)] = m[1][strings.Index(m[1], ".")+1:]
		}
	}
	if len(secrets) < 700 {
		t.Fatalf("only %d secrets to look for", len(secrets))
	}

	haystack := map[string]string{}
	lines, err := stack.Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := noAccessDenied(lines); err != nil {
		t.Error(err)
	}
	haystack["logs"] = strings.Join(lines, "\n")
	haystack["replies of the API"] = strings.Join(replies.all(), "\n")
	for _, table := range []string{"ConnectorsTable", "AnswersTable"} {
		haystack[table] = dump(t, stack.Output(table))
	}
	for where, text := range haystack {
		t.Logf("%s: %d characters", where, len(text))
		for what, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the %s is in %s", what, where)
			}
		}
	}
	if strings.Contains(haystack["AnswersTable"], id) {
		t.Error("an answer of the connector is left")
	}
	for _, word := range []string{id, "rejections", `"status"`} { // the search would find something
		if !strings.Contains(haystack["ConnectorsTable"]+haystack["replies of the API"], word) {
			t.Errorf("%q is nowhere: the search is blind", word)
		}
	}
}

// The search finds what is hidden in every way in which the store hides things.
func TestTheSearchFinds(t *testing.T) {
	var deflated bytes.Buffer
	w, err := flate.NewWriter(&deflated, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hidden-in-deflate hidden-in-deflate")); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	item := map[string]types.AttributeValue{
		"plain": &types.AttributeValueMemberS{Value: "plain-text"},
		"json":  &types.AttributeValueMemberS{Value: `{"a":"in-\u006a\u0073\u006f\u006e"}`},
		"b64":   &types.AttributeValueMemberS{Value: base64.StdEncoding.EncodeToString([]byte("hidden-in-base64"))},
		"bytes": &types.AttributeValueMemberB{Value: deflated.Bytes()},
		"deep": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberSS{Value: []string{"in-a-set"}}}},
		}},
		"number": &types.AttributeValueMemberN{Value: "1234567890123456"},
	}
	var text strings.Builder
	for name, value := range item {
		decode(&text, name, value)
	}
	for _, word := range []string{"plain-text", "in-json", "hidden-in-base64", "hidden-in-deflate", "in-a-set", "1234567890123456"} {
		if !strings.Contains(text.String(), word) {
			t.Errorf("%s is not found in %s", word, text.String())
		}
	}
}

// dump decodes every attribute of every item of a table.
func dump(t *testing.T, table string) string {
	t.Helper()
	var text strings.Builder
	pages := dynamodb.NewScanPaginator(stack.DynamoDB(), &dynamodb.ScanInput{TableName: aws.String(table), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			for name, value := range item {
				decode(&text, name, value)
			}
		}
	}
	return text.String()
}

func decode(out *strings.Builder, name string, value types.AttributeValue) {
	write := func(s string) { fmt.Fprintf(out, "%s=%s\n", name, s) }
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		decodeText(write, v.Value)
	case *types.AttributeValueMemberN:
		write(v.Value)
	case *types.AttributeValueMemberB:
		decodeBytes(write, v.Value)
	case *types.AttributeValueMemberSS:
		for _, s := range v.Value {
			decodeText(write, s)
		}
	case *types.AttributeValueMemberNS:
		write(strings.Join(v.Value, " "))
	case *types.AttributeValueMemberBS:
		for _, b := range v.Value {
			decodeBytes(write, b)
		}
	case *types.AttributeValueMemberM:
		for key, inner := range v.Value {
			decode(out, name+"."+key, inner)
		}
	case *types.AttributeValueMemberL:
		for _, inner := range v.Value {
			decode(out, name, inner)
		}
	}
}

func decodeText(write func(string), s string) {
	write(s)
	var inside any
	if json.Unmarshal([]byte(s), &inside) == nil {
		write(fmt.Sprint(inside))
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		if plain, err := encoding.DecodeString(s); err == nil {
			decodeBytes(write, plain)
		}
	}
}

func decodeBytes(write func(string), b []byte) {
	write(string(b))
	if plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(b))); err == nil {
		write(string(plain))
	}
}
