package odoo_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/outgoing"
	"openg2p.org/mts-connector/shared/seeding"
)

// memoryOf is what the template gives a function, in bytes.
func memoryOf(t *testing.T, function string) uint64 {
	t.Helper()
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)CodeUri: functions/` + function + `\n.*?MemorySize: (\d+)`).FindSubmatch(template)
	if found == nil {
		t.Fatalf("no MemorySize of %s", function)
	}
	megabytes, _ := strconv.ParseUint(string(found[1]), 10, 32)
	return megabytes << 20
}

// allocated is what f allocates in all, whenever the garbage collector runs: at
// no time can more be in use.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// asDeployed are registries on a client that bounds bodies as the functions do.
func asDeployed(t *testing.T, c seeding.Connector) seeding.Registry {
	t.Helper()
	client := outgoing.New(outgoing.Options{AllowedRanges: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Loopback: true, RetryWait: time.Millisecond})
	r, err := odoo.New(client, func(context.Context, seeding.Connector) (string, error) { return "secret", nil },
		func() time.Time { return today }).Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hundred(from int64) (ids []int64) {
	for i := range int64(100) {
		ids = append(ids, from+i)
	}
	return ids
}

// Whatever a registry sends, reading it takes less memory than the functions
// have, and ends.
func TestHostileRepliesAreBounded(t *testing.T) {
	const size = 15 << 20
	fill := func(begin, part, end string) string {
		return begin + strings.Repeat(part, (size-len(begin)-len(end))/len(part)) + end
	}
	tooLarge, bad := "AnswerTooLarge", "BadAnswer"
	limit := min(memoryOf(t, "submit"), memoryOf(t, "patch")) * 6 / 10
	for _, test := range []struct{ name, result, code string }{
		{"16 MiB of rows without anything", fill(`[`, `{},`, `{}]`), tooLarge},
		{"a million rows", fill(`[`, `{"id":7,"partner_id":7},`, `{}]`), tooLarge},
		{"rows that are lists", fill(`[`, `[],`, `[]]`), bad},
		{"rows that are numbers", fill(`[`, `1,`, `1]`), bad},
		{"a number of millions of digits", fill(`[{"id":7,"given_name":`, `9`, `}]`), tooLarge},
		{"a number of a million digits", `[{"id":7,"given_name":` + strings.Repeat("9", 1_000_000) + `}]`, bad},
		{"a number of thousands of digits", `[{"id":7,"given_name":` + strings.Repeat("9", 5000) + `}]`, bad},
		{"an id of thousands of digits", `[{"id":` + strings.Repeat("9", 5000) + `}]`, bad},
		{"an exponent of thousands of digits", `[{"id":7,"given_name":1e` + strings.Repeat("9", 5000) + `}]`, bad},
		{"a many2one of a million entries", fill(`[{"id":7,"partner_id":[7`, `,1`, `],"given_name":[1]}]`), tooLarge},
		{"a list of a million texts", fill(`[{"id":7,"given_name":[""`, `,""`, `]}]`), tooLarge},
		{"a million lists", fill(`[{"id":7,"given_name":[[]`, `,[]`, `]}]`), tooLarge},
		{"a million fields", fill(`[{"id":7`, `,"a":1`, `}]`), tooLarge},
		{"lists in lists", `[{"id":7,"given_name":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}]`, bad},
		{"lists in lists without end", fill(`[{"id":7,"given_name":`, `[`, ``), bad},
		{"objects in objects without end", fill(`[{"id":7,"given_name":`, `{"a":`, ``), bad},
		{"one text", fill(`[{"id":7,"given_name":"`, `x`, `"}]`), tooLarge},
		{"one text of escapes", fill(`[{"id":7,"given_name":"`, `\u0000`, `"}]`), tooLarge},
		{"no list", fill(`"`, `x`, `"`), tooLarge},
		{"other members first", fill(`[],"more":[`, `1,`, `1]`), tooLarge},
		{"bytes that are no UTF-8", "[{\"id\":7,\"given_name\":\"Jos\xe9\"}]", bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, wellKnown(func(call) reply { return result(test.result) }))
			r := asDeployed(t, f.connector())
			if _, err := r.CountVIDs(t.Context(), 0); err == nil { // signs in, reads the schema
				t.Error("it is no count")
			}
			var errs [3]error
			took := allocated(func() {
				_, errs[0] = r.Registrants(t.Context(), hundred(7))
				_, errs[1] = r.VIDs(t.Context(), 200, 100)
				_, _, errs[2] = r.Identifiers(t.Context(), hundred(7))
			})
			// The test server holds and sends the reply within the same process:
			// a copy or two for each of the calls.
			if took > limit {
				t.Errorf("%d MB", took>>20)
			}
			fault := seeding.FaultOf(errs[0])
			if errs[0] == nil || fault.Code != test.code {
				t.Errorf("%v, want %s", errs[0], test.code)
			}
			t.Logf("%d MB", took>>20)
		})
	}
}

// The largest page that submit asks for, with as many values in it as are read.
func TestTheLargestPageFitsIntoMemory(t *testing.T) {
	const asked = 1000 // maxPage of submit
	var ids []int64
	var b strings.Builder
	for id := range int64(asked) {
		ids = append(ids, id+1)
		if id > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":` + strconv.FormatInt(id+1, 10) + `,"given_name":[1000` + strings.Repeat(",[]", 36) + `],"birthdate":"` + strings.Repeat("x", 15_500) + `"}`)
	}
	if b.Len() > 16<<20 {
		t.Fatalf("%d bytes are no reply that is read", b.Len())
	}
	f := newFake(t, wellKnown(func(call) reply { return result("[" + b.String() + "]") }))
	c := f.connector()
	for more := range 18 { // so many that the bound of any reply counts, not that of these fields
		c.Source.Fields = append(c.Source.Fields, "field_"+strconv.Itoa(more))
	}
	r := asDeployed(t, c)
	var records map[int64]seeding.Record
	var err error
	took := allocated(func() { records, err = r.Registrants(t.Context(), ids) })
	if err != nil || len(records) != asked {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if limit := memoryOf(t, "submit") * 6 / 10; took > limit {
		t.Errorf("%d MB of %d", took>>20, limit>>20)
	}
	t.Logf("%d MB", took>>20)
}

// What was not asked for is left out, and what cannot be an answer is refused.
func TestRowsThatWereNotAskedFor(t *testing.T) {
	one := func(v seeding.Record) map[int64]seeding.Record { return map[int64]seeding.Record{7: v} }
	for _, test := range []struct {
		name, rows string
		want       map[int64]seeding.Record
	}{
		{"as asked", `[{"id":7,"given_name":"Ana"}]`, one(seeding.Record{"id": 7, "given_name": "Ana"})},
		{"of somebody else", `[{"id":8,"given_name":"Ben"},{"id":7}]`, one(seeding.Record{"id": 7})},
		{"with a negative id", `[{"id":-7,"given_name":"Ana"}]`, map[int64]seeding.Record{}},
		{"without an id", `[{"given_name":"Ana"}]`, map[int64]seeding.Record{}},
		{"with an id that is no whole number", `[{"id":7.5},{"id":"7"},{"id":[7]}]`, map[int64]seeding.Record{}},
		{"with fields that were not asked for", `[{"id":7,"password":"x"}]`, one(seeding.Record{"id": 7})},
		{"null for a row", `[null]`, map[int64]seeding.Record{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, wellKnown(func(call) reply { return result(test.rows) }))
			got, err := open(t, f.connector()).Registrants(t.Context(), []int64{7, 9, 10})
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}

	held := `[{"id":201,"partner_id":[7,"A"],"id_type":[2,"T"],"value":"T7"},{"id":201,"partner_id":[7,"A"],"id_type":[2,"T"],"value":"T8"},
		{"id":-2,"partner_id":7,"id_type":2,"value":"T9"},{"id":202,"partner_id":99,"id_type":2,"value":"T99"},{"id":203,"partner_id":-7,"id_type":2,"value":"T"}]`
	f := newFake(t, wellKnown(func(call) reply { return result(held) }))
	tokens, err := open(t, f.connector()).Tokens(t.Context(), []int64{7, 8})
	if want := []seeding.Identifier{{ID: 201, Registrant: 7, Value: "T7"}}; err != nil || !slices.Equal(tokens, want) {
		t.Errorf("tokens: %v, %v", tokens, err)
	}
	for _, rows := range []string{`[{"id":7,"partner_id":[1e400]}]`, `[{"id":7,"value":5}]`, `[{"id":7,"value":["x"]}]`, `[{"id":"7"}]`, `["x"]`} {
		f := newFake(t, wellKnown(func(call) reply { return result(rows) }))
		_, err := open(t, f.connector()).Tokens(t.Context(), []int64{7})
		check(t, err, seeding.RefusedRequest, "BadAnswer")
	}
}

// A page of VIDs goes on behind what was left out of it, and a registry that does
// not keep their order is refused: a pass over it would have no end.
func TestPagesOfVIDsThatAreNotInOrder(t *testing.T) {
	vid := func(id string) string { return `{"id":` + id + `,"partner_id":7,"id_type":1,"value":"4000"}` }
	for _, rows := range []string{
		"[" + vid("201") + "," + vid("201") + "]", "[" + vid("202") + "," + vid("201") + "]", "[" + vid("200") + "]", "[" + vid("-1") + "]", `[{"partner_id":7,"id_type":1}]`,
	} {
		f := newFake(t, wellKnown(func(call) reply { return result(rows) }))
		_, err := open(t, f.connector()).VIDs(t.Context(), 200, 3)
		check(t, err, seeding.RefusedRequest, "BadAnswer")
	}
	next := 200
	f := newFake(t, wellKnown(func(call) reply { // no VIDs among them, without an end
		next++
		return result(`[{"id":` + strconv.Itoa(next) + `,"partner_id":7,"id_type":2}]`)
	}))
	_, err := open(t, f.connector()).VIDs(t.Context(), 200, 1)
	check(t, err, seeding.RefusedRequest, "BadAnswer")
	pages := []string{`[{"id":201,"partner_id":false,"id_type":1},{"id":202,"partner_id":7,"id_type":2}]`, "[" + vid("203") + "," + vid("204") + "]"}
	f = newFake(t, wellKnown(func(call) reply {
		page := pages[0]
		pages = pages[1:]
		return result(page)
	}))
	got, err := open(t, f.connector()).VIDs(t.Context(), 200, 2)
	if want := []seeding.Identifier{{ID: 203, Registrant: 7, Value: "4000"}, {ID: 204, Registrant: 7, Value: "4000"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// A field that holds pictures is named.
func TestTheFieldThatMakesAReplyTooLargeIsNamed(t *testing.T) {
	var list []string
	for id := range 8 {
		list = append(list, `{"id":`+strconv.Itoa(id+1)+`,"given_name":"Ana","photo":"`+strings.Repeat("iVBO", 50_000)+`"}`)
	}
	f := newFake(t, wellKnown(func(call) reply { return result("[" + strings.Join(list, ",") + "]") }))
	c := f.connector()
	c.Source.Fields = []string{"given_name", "photo"}
	_, err := open(t, c).Registrants(t.Context(), []int64{1, 2, 3, 4, 5, 6, 7, 8})
	check(t, err, seeding.RefusedRequest, "AnswerTooLarge")
	_, d := seeding.RegistryProblem(seeding.FaultOf(err), seeding.ProblemRead)
	if !strings.Contains(d.Text, `"photo"`) {
		t.Errorf("%q", d.Text)
	}
}

// A reply that cannot be used is no outage, which would keep every connector of
// the registry waiting; after a write nobody knows.
func TestUnusableRepliesAreNoOutage(t *testing.T) {
	for _, rows := range []string{`[{},{}]`, `[{"id":7,"given_name":` + strings.Repeat("9", 5000) + `}]`} {
		f := newFake(t, wellKnown(func(call) reply { return result(rows) }))
		r := open(t, f.connector())
		_, err := r.Registrants(t.Context(), []int64{7})
		if source, _ := seeding.RegistryProblem(seeding.FaultOf(err), seeding.ProblemRead); err == nil || source != seeding.ProblemRead {
			t.Errorf("%.20s: %v is the problem %s", rows, err, source)
		}
		if fault, ok := errors.AsType[*seeding.Fault](r.Create(t.Context(), oneToken)); !ok || fault.Kind != seeding.Unknown {
			t.Errorf("%.20s: a create with this reply: %v", rows, fault)
		}
	}
}
