package receive_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
	"openg2p.org/mts-connector/shared/seeding/seedingtest"
)

// memoryInbox stores parts in memory; it does not write a part twice.
type memoryInbox struct {
	sync.Mutex
	parts  map[string]seeding.AnswerPart
	writes int
	fail   error
}

func (s *memoryInbox) PutPart(_ context.Context, p seeding.AnswerPart) error {
	s.Lock()
	defer s.Unlock()
	if s.fail != nil {
		return s.fail
	}
	key := p.Ref.Registry + p.Ref.Batch + p.ID()
	if _, there := s.parts[key]; !there {
		s.parts[key] = p
		s.writes++
	}
	return nil
}

var ref = seeding.BatchRef{Registry: "r1", Connector: "c1", Run: "run1", Batch: "b1"}

func inbox() (*receive.Inbox, *memoryInbox, string) {
	s := &memoryInbox{parts: map[string]seeding.AnswerPart{}}
	k := seedingtest.Key("k1")
	in := &receive.Inbox{CapabilityKeys: seedingtest.Keyring{k}, Answers: s, Clock: seedingtest.Clock{Time: seedingtest.Now}, Times: seeding.DefaultTimes()}
	return in, s, seeding.Capability(k, ref, seeding.MaxBatch, seedingtest.Now.Add(time.Hour))
}

func TestInboxStoresEveryRowOnce(t *testing.T) {
	in, s, bearer := inbox()
	rows := seedingtest.Rows(1000)
	backwards := slices.Clone(rows)
	slices.Reverse(backwards)
	var all sync.WaitGroup
	for i := range 10 { // ten times, in parallel, every other one in another order
		all.Go(func() {
			body := bulkBody(rows)
			if i%2 == 1 {
				body = bulkBody(backwards)
			}
			if n, err := in.Receive(context.Background(), "b1", bearer, []byte(body)); err != nil || n != 1000 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
	all.Wait()
	if s.writes != 1 || len(s.parts) != 1 {
		t.Fatalf("%d writes, %d parts", s.writes, len(s.parts))
	}
	seen := map[int64]bool{}
	for p := range maps.Values(s.parts) {
		got, err := seeding.UnpackRows(p.Packed)
		if err != nil || p.Ref != ref || p.Of != 1 || !p.Expires.After(seedingtest.Now) || len(p.Packed) > 380<<10 {
			t.Fatalf("part %d of %d of %+v: %v, %d bytes", p.Part, p.Of, p.Ref, err, len(p.Packed))
		}
		for _, row := range got {
			if seen[row.Identifier] {
				t.Fatal("a row twice")
			}
			seen[row.Identifier] = true
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d rows", len(seen))
	}
}

func TestInboxReadsRows(t *testing.T) {
	r := seedingtest.Rows(2)
	k1 := sealed(r[0])
	k2 := sealed(r[1])
	cases := map[string]struct {
		body string
		want []seeding.Row // status, token and code only
	}{
		"processed":                    {`[["` + k1 + `", "processed", "123", null, null]]`, []seeding.Row{{Status: 'p', Token: "123"}}},
		"refused":                      {`[["` + k1 + `", "error", null, "IDA-MLC-009", "Invalid VID"]]`, []seeding.Row{{Status: 'e', Code: "IDA-MLC-009:vid"}}},
		"several errors":               {`[["` + k1 + `", "error", null, "ATS-REQ-103", "IDA-MLC-009::Invalid VID 612,IDA-DEA-001::name Ana,IDA-DEA-001::dob"]]`, []seeding.Row{{Status: 'e', Code: "IDA-DEA-001:dob+name,IDA-MLC-009:vid"}}},
		"invalid":                      {`[["` + k1 + `", "invalid", null, "ATS-REQ-012", "dateOfBirth or its mapping not present"]]`, []seeding.Row{{Status: 'i', Code: "ATS-REQ-012"}}},
		"a text for a code is dropped": {`[["` + k1 + `", "error", null, "Ana 6123", null]]`, []seeding.Row{{Status: 'e'}}},
		"a token beside an error":      {`[["` + k1 + `", "error", "123", "IDA-MLC-009", null]]`, []seeding.Row{{Status: 'e', Code: "IDA-MLC-009"}}},
		"a token beside an invalid":    {`[["` + k1 + `", "invalid", "123", "ATS-REQ-012", null]]`, []seeding.Row{{Status: 'i', Code: "ATS-REQ-012"}}},
		"empty token":                  {`[["` + k1 + `", "processed", null, null, null]]`, []seeding.Row{{Status: 'p'}}},
		"rows missing, null or ill-formed": {
			`[null, ["` + k2 + `", "processed", "7", null, null], {"vid": "1"}, ["x"], ["` + k1 + `", "processing", null, null, null], ["` + k1 + `", "processed", 12, null, null], [null, "processed", "1", null, null]]`,
			[]seeding.Row{{Status: 'p', Token: "7"}}},
		"a token that is too long is still none": {`[["` + k1 + `", "processed", "` + strings.Repeat("1", 5000) + `", null, null]]`, []seeding.Row{{Status: 'p', Token: strings.Repeat("1", 101)}}},
		"a zero in a token is no end of it": {
			`[["` + k1 + `", "processed", "12\u0000", null, null], ["` + k2 + `", "processed", "7", null, null]]`,
			[]seeding.Row{{Status: 'p', Token: "12\uFFFD"}, {Status: 'p', Token: "7"}}},
		"a key with more behind":   {`[["` + k1 + `A", "processed", "1", null, null]]`, nil},
		"a key with a negative id": {`[["-` + k1 + `", "processed", "1", null, null]]`, nil},
		"an object":                {`{"a": 1}`, nil},
		"a text":                   {`"pong"`, nil},
		"no body":                  {``, nil},
		"an empty array":           {`[]`, nil},
		"cut short":                {`[["` + k1 + `", "processed", "123", null, null], `, nil},
		"two documents":            {`[["` + k1 + `", "processed", "123", null, null]] []`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in, s, bearer := inbox()
			n, err := in.Receive(t.Context(), "b1", bearer, []byte(c.body))
			if len(c.want) == 0 {
				if !errors.Is(err, receive.ErrMalformed) || s.writes != 0 {
					t.Fatalf("%d rows, %v, %d writes", n, err, s.writes)
				}
				return
			}
			if err != nil || n != len(c.want) || s.writes != 1 {
				t.Fatalf("%d rows, %v, %d writes", n, err, s.writes)
			}
			for p := range maps.Values(s.parts) {
				rows, _ := seeding.UnpackRows(p.Packed)
				for i, row := range rows {
					if row.Status != c.want[i].Status || row.Token != c.want[i].Token || row.Code != c.want[i].Code {
						t.Errorf("row %d: %+v", i, row)
					}
				}
			}
		})
	}
}

func TestInboxStoresNothingWithoutCapability(t *testing.T) {
	in, s, bearer := inbox()
	body := []byte(bulkBody(seedingtest.Rows(1)))
	for name, c := range map[string]struct{ batch, bearer string }{
		"no bearer": {"b1", ""}, "another batch": {"b2", bearer}, "a guess": {"b1", "x.y"},
		"expired": {"b1", seeding.Capability(seedingtest.Key("k1"), ref, 1, seedingtest.Now)},
	} {
		if _, err := in.Receive(t.Context(), c.batch, c.bearer, body); !errors.Is(err, receive.ErrUnauthorised) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.writes != 0 {
		t.Errorf("%d writes", s.writes)
	}
}

// The fields that MOSIP names are kept with its codes; nothing else of a message
// is.
func TestFieldThatMOSIPNamesIsKept(t *testing.T) {
	r := seedingtest.Rows(1)[0]
	for _, c := range []struct{ code, message, want string }{
		{"IDA-DEA-001", "Demographic data gender in eng did not match", "IDA-DEA-001:gender"},
		{"IDA-DEA-001", "Demographic data dob did not match", "IDA-DEA-001:dob"},
		{"IDA-DEA-001", "Demographic data fullAddress in fra did not match", "IDA-DEA-001:fullAddress"},
		{"IDA-DEA-001", "gender did not match", "IDA-DEA-001:gender"},
		{"IDA-DEA-003", "Demographic data phoneNumber not available in database", "IDA-DEA-003:phoneNumber"},
		{"IDA-MLC-009", "Invalid Input Parameter - demographics/dob", "IDA-MLC-009:dob"},
		{"IDA-MLC-009", "Invalid Input Parameter - individualId", "IDA-MLC-009:vid"},
		{"IDA-MLC-009", "Invalid Input Parameter - requestTime", "IDA-MLC-009"},
		{"IDA-MLC-009", "Invalid Input Parameter - email address", "IDA-MLC-009:emailId"},
		{"IDA-MLC-006", "Missing Input Parameter - name", "IDA-MLC-006:name"},
		{"IDA-MLC-005", "VID of Jo Dob expired", "IDA-MLC-005"},
		{"IDA-DEA-001", "Demographic data Ana Cruz 6123 did not match", "IDA-DEA-001"},
		{"IDA-DEA-001", "", "IDA-DEA-001"},
		{"ATS-REQ-103", "IDA-DEA-001::Demographic data name in eng did not match,IDA-DEA-001::Demographic data gender in eng did not match,IDA-MLC-004::Invalid VID", "IDA-DEA-001:gender+name,IDA-MLC-004"},
		{"ATS-REQ-103", "Demographic data name did not match", "ATS-REQ-103"},
		{"ATS-REQ-103", strings.Repeat("IDA-DEA-001::name in eng,IDA-DEA-001::gender,IDA-DEA-001::dob,IDA-DEA-001::fullAddress,IDA-DEA-001::emailId,IDA-DEA-001::phoneNumber,", 5),
			"IDA-DEA-001:dob+emailId+fullAddress+gender+name+phoneNumber"},
		{"ATS-REQ-103", "IDA-DEA-001::name,IDA-DEA-003::name gender dob fullAddress emailId,IDA-MLC-006::name gender dob,IDA-MLC-009::vid", "IDA-DEA-001:name,IDA-DEA-003:dob+emailId+fullAddress+gender+name,IDA-MLC-006:dob+gender+name,IDA-MLC-009:vid"},
	} {
		in, s, bearer := inbox()
		body, err := json.Marshal([][]any{{sealed(r), "error", nil, c.code, c.message}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Receive(t.Context(), "b1", bearer, body); err != nil {
			t.Fatal(err)
		}
		for p := range maps.Values(s.parts) {
			if got, _ := seeding.UnpackRows(p.Packed); got[0].Code != c.want {
				t.Errorf("%s %q is stored as %q, want %q", c.code, c.message, got[0].Code, c.want)
			}
		}
	}
}

// Whoever holds the capability of a batch can store no more than one row for each
// of its records, and no row of anybody else.
func TestForgedRowsDisplaceNoRowOfTheBatch(t *testing.T) {
	genuine := seedingtest.Rows(20)
	var forged, ofOthers []string
	for i := range 20_000 {
		r := seeding.Row{Subject: seeding.Member{Registrant: int64(i + 1), Identifier: int64(i + 1)}.Subject()}
		forged = append(forged, fmt.Sprintf(`["%s","processed","1",null,null]`, seeding.CorrelationKey(r.Member, r.MAC, r.Fingerprint)))
		ofOthers = append(ofOthers, fmt.Sprintf(`["%s","processed","1",null,null]`,
			seeding.Seal(seedingtest.Key("k1"), "another", seeding.CorrelationKey(genuine[i%20].Member, genuine[i%20].MAC, genuine[i%20].Fingerprint))))
	}
	rows := bulkBody(genuine)
	rows = rows[1 : len(rows)-1]
	for name, c := range map[string]struct {
		body []string
		want int
	}{
		"forged rows alone":                  {forged, 0},
		"rows of another batch":              {ofOthers, 0},
		"the rows, then forged ones":         {append([]string{rows}, forged...), 20},
		"as many forged ones, then the rows": {append(slices.Clone(forged[:20]), rows), 20},
		"the rows, over and over":            {slices.Repeat([]string{rows}, 1000), 20},
	} {
		t.Run(name, func(t *testing.T) {
			in, s, _ := inbox()
			bearer := seeding.Capability(seedingtest.Key("k1"), ref, 20, seedingtest.Now.Add(time.Hour))
			n, err := in.Receive(t.Context(), "b1", bearer, []byte("["+strings.Join(c.body, ",")+"]"))
			if n != c.want || errors.Is(err, receive.ErrMalformed) != (c.want == 0) {
				t.Fatalf("%d rows, %v", n, err)
			}
			for p := range maps.Values(s.parts) {
				if got, err := seeding.UnpackRows(p.Packed); err != nil || !slices.Equal(got, genuine) {
					t.Errorf("%d rows: %v", len(got), err)
				}
			}
		})
	}
}

// A capability of the form before says nothing of the batch's size: its answer
// may have as many rows as the greatest batch.
func TestCapabilityOfTheFormBeforeStoresNoMoreThanTheGreatestBatch(t *testing.T) {
	const before = "cjEgYzEgcnVuMSBiMSBrMSB0b3VzNDA.USpeXPoJ_DqYtlOTtta7EjOh0aYkkROoVggVO_zY4bk"
	rows := seedingtest.Rows(seeding.MaxBatch + 500)
	var elements []string
	for _, r := range rows {
		elements = append(elements, fmt.Sprintf(`["%s","processed","%s",null,null]`, seeding.CorrelationKey(r.Member, r.MAC, r.Fingerprint), r.Token))
	}
	in, s, _ := inbox()
	if n, err := in.Receive(t.Context(), "b1", before, []byte("["+strings.Join(elements, ",")+"]")); n != seeding.MaxBatch || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	for p := range maps.Values(s.parts) {
		if got, err := seeding.UnpackRows(p.Packed); err != nil || !slices.Equal(got, rows[:seeding.MaxBatch]) {
			t.Errorf("%d rows: %v", len(got), err)
		}
	}
}

// Of several rows for one record the one with a token is stored, whatever their
// order.
func TestOneRowForEachRecord(t *testing.T) {
	r := seedingtest.Rows(1)[0]
	token := fmt.Sprintf(`["%s","processed","%s",null,null]`, sealed(r), r.Token)
	refused := fmt.Sprintf(`["%s","error",null,"IDA-MLC-004",null]`, sealed(r))
	in, s, bearer := inbox()
	for _, body := range []string{token + "," + refused, refused + "," + token, refused + "," + token + "," + token} {
		if n, err := in.Receive(t.Context(), "b1", bearer, []byte("["+body+"]")); n != 1 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
	if s.writes != 1 {
		t.Errorf("%d writes", s.writes)
	}
	for p := range maps.Values(s.parts) {
		if got, err := seeding.UnpackRows(p.Packed); err != nil || !slices.Equal(got, []seeding.Row{r}) {
			t.Errorf("%+v %v", got, err)
		}
	}
}

// A hostile body of 5 MB is not decoded beyond the first elements: its cost is
// that of reading it once. Counted are allocations, because time depends on the
// machine.
func TestHostileBodiesCostLittle(t *testing.T) {
	in, s, bearer := inbox()
	fill := func(unit string) []byte {
		return []byte("[" + strings.Repeat(unit, receive.MaxBody/len(unit)-1) + "null]")
	}
	for name, body := range map[string][]byte{
		"empty arrays":       fill("[],"),
		"empty objects":      fill("{},"),
		"nulls":              fill("null,"),
		"numbers":            fill("1,"),
		"one row of numbers": []byte("[[" + strings.Repeat("1,", receive.MaxBody/2-2) + "1]]"),
		"one long number":    []byte("[" + strings.Repeat("9", receive.MaxBody-2) + "]"),
		"one long text":      []byte(`["` + strings.Repeat("x", receive.MaxBody-4) + `"]`),
		"long keys":          fill(`["` + strings.Repeat("7", 10_000) + `","processed","1",null,null],`),
		"nested arrays":      fill(strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + ","),
		"nested too deep":    []byte(strings.Repeat("[", receive.MaxBody)),
		"nested objects":     fill(strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000) + ","),
		"escaped texts":      fill(`["` + strings.Repeat(`\u0000`, 500) + `","processed","1",null,null],`),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := in.Receive(t.Context(), "b1", bearer, body)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, receive.ErrMalformed) || s.writes != 0 {
				t.Errorf("%v, %d writes", err, s.writes)
			}
			if bytes, count := after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs; bytes > 32<<20 || count > 40_000 {
				t.Errorf("%d bytes in %d allocations", bytes, count)
			}
		})
	}
}

func TestInboxReportsWhatItCouldNotStore(t *testing.T) {
	in, s, bearer := inbox()
	s.fail = errors.New("storage")
	if _, err := in.Receive(t.Context(), "b1", bearer, []byte(bulkBody(seedingtest.Rows(1)))); !errors.Is(err, s.fail) {
		t.Errorf("%v", err)
	}
}

// sealed is the correlation key of a row of the batch.
func sealed(r seeding.Row) string {
	return seeding.Seal(seedingtest.Key("k1"), ref.Batch, seeding.CorrelationKey(r.Member, r.MAC, r.Fingerprint))
}

// bulkBody is the body of a callback with the rows.
func bulkBody(rows []seeding.Row) string {
	var elements []string
	for _, r := range rows {
		elements = append(elements, fmt.Sprintf(`["%s", "processed", "%s", null, null]`, sealed(r), r.Token))
	}
	return "[" + strings.Join(elements, ", ") + "]"
}
