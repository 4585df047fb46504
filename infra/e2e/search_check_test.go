package e2e_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// That a search finds nothing proves something only if it would find what exists.
// So this test stores texts in every form and in every kind of place.
func TestTheSearchFindsEveryFormInEveryPlace(t *testing.T) {
	t.Parallel()
	const vid, name = "7301994426800041", "Quelimanezo"
	number, err := strconv.ParseUint(vid, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(vid))
	rows := seeding.PackRows([]seeding.Row{{Subject: seeding.Member{Registrant: 1, Identifier: 2}.Subject(), Status: seeding.RowProcessed, Token: vid}})
	forms := map[string][]byte{
		"as it is":             []byte("a " + vid + " b"),
		"in capitals":          []byte(strings.ToUpper(name)),
		"as a row of answers":  rows,
		"rows in base64":       []byte(base64.StdEncoding.EncodeToString(rows)),
		"deflated":             deflated(t, []byte("the name is "+name)),
		"gzipped base64":       gzipped(t, []byte(base64.URLEncoding.EncodeToString([]byte("<<"+name+">>")))),
		"JSON in JSON":         []byte(`{"a":` + strconv.Quote(`{"b":["Quel\u0069manezo"]}`) + `}`),
		"JSON in a log line":   []byte(`2026-01-01 INFO {"msg":"x","body":"Quel\u0069manezo"}`),
		"base64 within base64": []byte("x=" + base64.RawURLEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte("vid "+vid))))),
		"hex":                  []byte(hex.EncodeToString([]byte(name))),
		"escaped":              []byte("/callback/?n=Quel%69manezo"),
		"a JSON number":        []byte(`{"vid":` + vid + `}`),
		"binary":               binary.LittleEndian.AppendUint64([]byte{1, 2}, number),
		"a varint":             binary.AppendUvarint([]byte{9}, number),
		"a plain hash":         []byte(hex.EncodeToString(hash[:])),
	}
	s := newSearch()
	s.addNumber("VID", vid)
	s.add("name", name)
	for form, text := range forms {
		if len(s.in(text)) == 0 {
			t.Errorf("not found: %s", form)
		}
	}
	if found := s.in([]byte("7301994426800042 Quelimane " + base64.StdEncoding.EncodeToString(deflated(t, []byte("nobody"))))); len(found) > 0 {
		t.Errorf("found %v where there is nothing", found)
	}

	// And in every place.
	table, group := "search-check", "/search-check"
	storeItem(t, table, forms)
	logLine(t, group, "INFO "+string(forms["base64 within base64"]))
	transcript.add([]byte(`{"stored":"` + vid + `"}`))

	found, err := searchStack(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for form := range forms {
		if place := fmt.Sprintf("table %s, attribute %s", table, form); !slices.ContainsFunc(found, func(f finding) bool { return f.place == place }) {
			t.Errorf("not found in an item %s", form)
		}
	}
	for _, place := range []string{"table search-check, attribute nested", "table search-check, attribute pk", "log line ", "reply "} {
		if !slices.ContainsFunc(found, func(f finding) bool { return strings.HasPrefix(f.place, place) }) {
			t.Errorf("not found in %s", place)
		}
	}
}

func storeItem(t *testing.T, table string, forms map[string][]byte) {
	t.Helper()
	client := db
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &table})
	})
	it := item{
		"pk": &types.AttributeValueMemberS{Value: "person#7301994426800041"},
		"nested": &types.AttributeValueMemberM{Value: item{
			"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{
				&types.AttributeValueMemberBS{Value: [][]byte{forms["deflated"]}},
			}},
		}},
	}
	for form, text := range forms {
		it[form] = &types.AttributeValueMemberB{Value: text}
	}
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: it}); err != nil {
		t.Fatal(err)
	}
}

func logLine(t *testing.T, group, line string) {
	t.Helper()
	client, stream := cloudwatchlogs.NewFromConfig(stack.AWS()), aws.String("search-check")
	if _, err := client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: stream}); err != nil {
		t.Fatal(err)
	}
	_, err := client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: &group, LogStreamName: stream,
		LogEvents: []logtypes.InputLogEvent{{Message: &line, Timestamp: aws.Int64(time.Now().UnixMilli())}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func deflated(t *testing.T, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(plain)
	_ = w.Close()
	return out.Bytes()
}

func gzipped(t *testing.T, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(plain)
	_ = w.Close()
	return out.Bytes()
}
