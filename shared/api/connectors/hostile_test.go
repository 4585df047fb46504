package connectors_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"openg2p.org/mts-connector/shared/api/openapi"
	"openg2p.org/mts-connector/shared/api/openapi/openapitest"
	"openg2p.org/mts-connector/shared/gateway"
)

// What API Gateway refuses itself, before a function is invoked: a body of more than
// 10 MB (Lambda takes 6 MB) with 413, a request line with headers of more than 10,240
// bytes with 431, and HTTP that is none with 400. It passes a body that came in chunks
// as a whole, and one that is no text in base64. Here everything reaches the API.

// marked stands in hostile bodies. No reply may hold it.
const marked = "Xq7marked7qX"

// hostileMemory is what reading the worst body of the largest size may allocate, of
// the 256 MB of the function (shared/api/openapi measures bodies of that size).
const hostileMemory = 64 << 20

// door is how a request reaches the API: as HTTP, or as the event of API Gateway.
type door struct {
	name  string
	serve func(api http.Handler, log *slog.Logger) http.Handler
}

var doors = []door{
	{"HTTP", func(api http.Handler, _ *slog.Logger) http.Handler { return api }},
	{"event", throughGateway},
}

// throughGateway makes events of requests as API Gateway does.
func throughGateway(api http.Handler, log *slog.Logger) http.Handler {
	function := gateway.Handler(api, openapi.MaxBody, log)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		event := events.APIGatewayV2HTTPRequest{RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery, Body: string(body), Headers: map[string]string{}}
		event.RequestContext.HTTP.Method = r.Method
		for name := range r.Header {
			event.Headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		if !utf8.Valid(body) || r.Header.Get("Content-Encoding") != "" {
			event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		response, err := function(r.Context(), event)
		runtime.ReadMemStats(&after)
		if err != nil {
			panic(err)
		}
		for name, value := range response.Headers {
			w.Header().Set(name, value)
		}
		w.Header().Set("X-Allocated", strconv.FormatUint(after.TotalAlloc-before.TotalAlloc, 10))
		w.WriteHeader(response.StatusCode)
		_, _ = io.WriteString(w, response.Body)
	})
}

func verb(operation string) string {
	name, _, _ := strings.Cut(operation, " ")
	return name
}

// bodyOperations are the operations with a body, each with one that is right.
func bodyOperations() map[string][]byte {
	found := map[string][]byte{}
	for _, operation := range contract().Operations() {
		examples := contract().Examples(operation)
		for _, name := range slices.Sorted(maps.Keys(examples)) {
			found[operation] = examples[name]
			break
		}
	}
	return found
}

// hostile is a request that must be refused with one of these statuses.
type hostile struct {
	body            []byte
	contentType     string // application/json if empty
	contentEncoding string
	chunked         bool
	want            []int
}

func utf16Of(text string, order binary.AppendByteOrder, mark bool) (encoded []byte) {
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		encoded = order.AppendUint16(encoded, u)
	}
	return encoded
}

func numbers(n, from int) string {
	var list strings.Builder
	for i := range n {
		list.WriteString(strconv.Itoa(from+i) + ",")
	}
	return "[" + strings.TrimSuffix(list.String(), ",") + "]"
}

// hostileBodies are requests that no operation takes.
func hostileBodies(right []byte) map[string]hostile {
	const tooLarge, unreadable, wrong, otherType = http.StatusRequestEntityTooLarge, http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(right)
	_ = z.Close()
	nested := func(open, end string, depth int) []byte {
		return []byte(`{"name":` + strings.Repeat(open, depth) + `"` + marked + `"` + strings.Repeat(end, depth) + `}`)
	}
	large := []byte(`{"name":"` + marked + strings.Repeat("a", 10<<20) + `"}`)
	list := map[string]hostile{
		"10 MB":                          {body: large, want: []int{tooLarge}},
		"10 MB without a length":         {body: large, chunked: true, want: []int{tooLarge}},
		"10 MB of spaces":                {body: append(bytes.Repeat([]byte(" "), 10<<20), right...), want: []int{tooLarge}},
		"10 MB of zeros, compressed":     {body: gzipped(make([]byte, 10<<20)), contentEncoding: "gzip", want: []int{otherType}},
		"10,000 lists":                   {body: nested("[", "]", 9_999), want: []int{wrong, unreadable}},
		"10,000 objects":                 {body: nested(`{"a":`, "}", 9_999), want: []int{wrong, unreadable}},
		"100,000 lists":                  {body: nested("[", "]", 100_000), want: []int{unreadable}},
		"100,000 ids":                    {body: []byte(`{"registrants":` + numbers(100_000, 100_000) + `}`), want: []int{tooLarge}},
		"100,000 small ids":              {body: []byte(`{"registrants":[` + strings.Repeat("7,", 100_000) + `8]}`), want: []int{wrong}},
		"100,000 small identifiers":      {body: []byte(`{"identifiers":[` + strings.Repeat("7,", 100_000) + `8]}`), want: []int{wrong}},
		"30,000 ids":                     {body: []byte(`{"registrants":` + numbers(30_000, 1_000_000) + `}`), want: []int{wrong}},
		"UTF-16, little end":             {body: utf16Of(string(right), binary.LittleEndian, false), want: []int{unreadable}},
		"UTF-16, big end":                {body: utf16Of(string(right), binary.BigEndian, false), want: []int{unreadable}},
		"UTF-16, little end, with mark":  {body: utf16Of(string(right), binary.LittleEndian, true), want: []int{unreadable}},
		"UTF-16, as its type says":       {body: utf16Of(string(right), binary.BigEndian, true), contentType: "application/json; charset=utf-16", want: []int{otherType}},
		"no UTF-8":                       {body: []byte(`{"name":"` + marked + "\xff\xfe" + `"}`), want: []int{unreadable}},
		"overlong UTF-8":                 {body: []byte("{\"name\":\"" + marked + "\xc0\xaf\"}"), want: []int{unreadable}},
		"a surrogate in UTF-8":           {body: []byte("{\"name\":\"" + marked + "\xed\xa0\x80\"}"), want: []int{unreadable}},
		"half a character":               {body: []byte(`{"name":"` + marked + `\ud83d"}`), want: []int{unreadable}},
		"the other half":                 {body: []byte(`{"name":"\ude00` + marked + `"}`), want: []int{unreadable}},
		"halves the wrong way round":     {body: []byte(`{"name":"\ude00\ud83d` + marked + `"}`), want: []int{unreadable}},
		"half a character as a name":     {body: []byte(`{"\ud83d":1}`), want: []int{unreadable}},
		"NUL in a name":                  {body: []byte(`{"name\u0000":"` + marked + `"}`), want: []int{wrong}},
		"a NUL byte":                     {body: []byte("{\"name\":\"" + marked + "\x00\"}"), want: []int{unreadable}},
		"gzip":                           {body: zipped.Bytes(), contentEncoding: "gzip", want: []int{otherType}},
		"gzip that does not say so":      {body: zipped.Bytes(), want: []int{unreadable}},
		"deflate":                        {body: right, contentEncoding: "deflate", want: []int{otherType}},
		"no type":                        {body: right, contentType: "-", want: []int{otherType}},
		"plain text":                     {body: right, contentType: "text/plain", want: []int{otherType}},
		"a form":                         {body: []byte("name=" + marked), contentType: "application/x-www-form-urlencoded", want: []int{otherType}},
		"a form of parts":                {body: right, contentType: "multipart/form-data; boundary=x", want: []int{otherType}},
		"a type that is none":            {body: right, contentType: "application/json; =", want: []int{otherType}},
		"almost the type":                {body: right, contentType: "application/jsonp", want: []int{otherType}},
		"Latin-1":                        {body: right, contentType: "application/json; charset=iso-8859-1", want: []int{otherType}},
		"nothing":                        {want: []int{unreadable}},
		"a mark and nothing":             {body: []byte("\ufeff"), want: []int{unreadable}},
		"two marks":                      {body: append([]byte("\ufeff\ufeff"), right...), want: []int{unreadable}},
		"null":                           {body: []byte("null"), want: []int{wrong}},
		"a list":                         {body: []byte("[]"), want: []int{wrong}},
		"a text":                         {body: []byte(`"` + marked + `"`), want: []int{wrong}},
		"a number":                       {body: []byte("1e5"), want: []int{wrong}},
		"two objects":                    {body: append(slices.Clone(right), right...), want: []int{unreadable}},
		"an object that is cut off":      {body: append(right[:len(right)-1:len(right)-1], []byte(`,"x":"`+marked)...), want: []int{unreadable}},
		"a comma too many":               {body: []byte(`{"name":"` + marked + `",}`), want: []int{unreadable}},
		"single quotes":                  {body: []byte(`{'name':'` + marked + `'}`), want: []int{unreadable}},
		"a comment":                      {body: append([]byte("/* "+marked+" */"), right...), want: []int{unreadable}},
		"NaN":                            {body: []byte(`{"name":NaN,"x":"` + marked + `"}`), want: []int{unreadable}},
		"a number that is too large":     {body: []byte(`{"name":1e400,"x":"` + marked + `"}`), want: []int{wrong}},
		"a number that is too small":     {body: []byte(`{"name":-1e-400}`), want: []int{wrong}},
		"a number of 100,000 digits":     {body: []byte(`{"name":` + strings.Repeat("9", 100_000) + `}`), want: []int{wrong}},
		"an exponent of 100,000 digits":  {body: []byte(`{"name":1e` + strings.Repeat("9", 100_000) + `}`), want: []int{wrong}},
		"a number of 100,000 zeros":      {body: []byte(`{"name":0.` + strings.Repeat("0", 100_000) + `1}`), want: []int{wrong}},
		"100 MB in an escape that is no": {body: []byte(`{"name":"\x41` + marked + `"}`), want: []int{unreadable}},
		"20,000 unknown members":         {body: []byte("{" + strings.TrimSuffix(strings.Repeat(`"a":1,`, 20_000), ",") + "}"), want: []int{wrong}},
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(right, &members) == nil && len(members) > 0 {
		name := slices.Min(slices.Collect(maps.Keys(members)))
		list["a member twice"] = hostile{body: append(right[:len(right)-1:len(right)-1], fmt.Appendf(nil, `,%q:%s}`, name, members[name])...), want: []int{wrong}}
	}
	return list
}

func gzipped(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// send sends a hostile request through a door and returns the reply and what it
// allocated.
func (h hostile) send(handler http.Handler, method, path string) (*httptest.ResponseRecorder, uint64) {
	r := httptest.NewRequest(method, "/", bytes.NewReader(h.body))
	r.URL, _ = url.Parse(path)
	if h.chunked {
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	}
	switch h.contentType {
	case "":
		r.Header.Set("Content-Type", "application/json")
	case "-":
	default:
		r.Header.Set("Content-Type", h.contentType)
	}
	if h.contentEncoding != "" {
		r.Header.Set("Content-Encoding", h.contentEncoding)
	}
	r.Header.Set("If-Match", "*")
	w := httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	handler.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if inside, err := strconv.ParseUint(w.Header().Get("X-Allocated"), 10, 64); err == nil {
		allocated = inside // without what made the event
	}
	return w, allocated
}

// refused reports what is wrong with the reply to a hostile request.
func refused(w *httptest.ResponseRecorder, want []int) error {
	var problem struct {
		Status        int
		Title, Detail string
	}
	switch {
	case !slices.Contains(want, w.Code):
		return fmt.Errorf("%d, want %v: %.300s", w.Code, want, w.Body)
	case w.Header().Get("Content-Type") != "application/problem+json" || json.Unmarshal(w.Body.Bytes(), &problem) != nil ||
		problem.Status != w.Code || problem.Title == "" || len(problem.Detail) < 10:
		return fmt.Errorf("no problem: %v %.300s", w.Header(), w.Body)
	case strings.Contains(w.Body.String(), marked):
		return fmt.Errorf("the reply repeats a value: %.500s", w.Body)
	}
	return nil
}

// Every operation with a body refuses what is no request, with a clear reply and in
// bounded memory, whether it comes as HTTP or as an event.
func TestHostileBodiesAreRefused(t *testing.T) {
	operations := bodyOperations()
	if len(operations) < 8 {
		t.Fatalf("only %d operations have a body", len(operations))
	}
	var most uint64
	for operation, right := range operations {
		for i, door := range doors {
			if i > 0 && verb(operation) != http.MethodPut {
				continue // events are made requests before anybody sees which
			}
			s := newService(t)
			path := s.create("registry.database", "openg2p")
			handler := door.serve(s.handler, s.options.Log)
			method, at, _ := strings.Cut(operation, " ")
			at = strings.Replace(at, "/connectors/{id}", path, 1)
			stored := len(s.store.connectors)
			for name, h := range hostileBodies(right) {
				w, allocated := h.send(handler, method, at)
				if err := refused(w, h.want); err != nil {
					t.Errorf("%s by %s, %s: %v", operation, door.name, name, err)
				}
				most = max(most, allocated)
				if limit := uint64(hostileMemory); allocated > limit || len(h.body) > openapi.MaxBody && allocated > 4<<20 {
					t.Errorf("%s by %s, %s: %d KB for a body of %d KB", operation, door.name, name, allocated>>10, len(h.body)>>10)
				}
			}
			if len(s.store.connectors) != stored || len(s.store.runs) > 0 || len(s.store.inquiries) > 0 {
				t.Errorf("%s by %s: something was stored", operation, door.name)
			}
			if strings.Contains(s.log.String(), marked) {
				t.Errorf("%s by %s: a value is logged", operation, door.name)
			}
		}
	}
	t.Logf("at most %d KB", most>>10)
}

// A request in UTF-8 with a byte order mark, or one without a length, is one like any
// other.
func TestUsualBodiesInUnusualFormsAreTaken(t *testing.T) {
	for operation, right := range bodyOperations() {
		for name, h := range map[string]hostile{
			"a byte order mark": {body: append([]byte("\ufeff"), right...)},
			"without a length":  {body: right, chunked: true},
			"spaces around it":  {body: append(append([]byte(" \r\n\t"), right...), '\n')},
			"a charset":         {body: right, contentType: "application/json; charset=UTF-8"},
			"the identity":      {body: right, contentEncoding: "identity"},
		} {
			for _, door := range doors {
				s := newService(t)
				path := s.create("registry.database", "openg2p")
				method, at, _ := strings.Cut(operation, " ")
				h.body = bytes.ReplaceAll(h.body, []byte("06h205bqruekhli30d5ove6350"), []byte(idOf(path)))
				if w, _ := h.send(door.serve(s.handler, s.options.Log), method, strings.Replace(at, "/connectors/{id}", path, 1)); w.Code >= 300 {
					t.Errorf("%s by %s, %s: %d %s", operation, door.name, name, w.Code, w.Body)
				}
			}
		}
	}
}

// planted is a copy of a body with a value at a place.
func planted(body any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		list, _ := body.([]any)
		var first any
		if len(list) > i {
			first = list[i]
		}
		return []any{planted(first, path[1:], value)}
	}
	members, _ := body.(map[string]any)
	changed := maps.Clone(members)
	if changed == nil {
		changed = map[string]any{}
	}
	changed[path[0]] = planted(members[path[0]], path[1:], value)
	return changed
}

// drafts have a configuration whose members are those of another schema.
var drafts = []string{"POST /connectors/validate", "POST /checks", "POST /previews"}

// place is where a member of a body is.
type place struct {
	path         []string
	text, number bool
	hidden       bool
}

// places are all members of the body of an operation.
func places(operation string) (list []place) {
	add := func(before []string, members []openapitest.Member) {
		for _, m := range members {
			list = append(list, place{
				path: append(slices.Clone(before), m.Path...), text: m.Is("string") || m.Schema["enum"] != nil,
				number: m.Is("integer") || m.Is("number"), hidden: m.Schema["writeOnly"] == true,
			})
		}
	}
	add(nil, contract().Members(operation))
	if slices.Contains(drafts, operation) {
		add([]string{"configuration"}, contract().Members("POST /connectors"))
	}
	return list
}

// Every member that is a text refuses one that is very long, or holds what is no
// text; every number one that is no number of its size. Nothing of it is repeated.
func TestHostileValuesOfEveryMemberAreRefused(t *testing.T) {
	texts := map[string]json.RawMessage{
		"a long text":       json.RawMessage(`"` + marked + strings.Repeat("a", 100_000) + `"`),
		"NUL":               json.RawMessage(`"` + marked + `\u0000"`),
		"half a character":  json.RawMessage(`"` + marked + `\udc00"`),
		"a long text, wide": json.RawMessage(`"` + marked + strings.Repeat("\U0001F600", 30_000) + `"`),
	}
	digits := map[string]json.RawMessage{
		"1e400": json.RawMessage("1e400"), "-1e400": json.RawMessage("-1e400"), "1e-400": json.RawMessage("1e-400"), "1e300": json.RawMessage("1e300"),
		"a huge integer": json.RawMessage(strings.Repeat("9", 99)), "2^63": json.RawMessage("9223372036854775808"), "-2^63": json.RawMessage("-9223372036854775808"),
		"2^64": json.RawMessage("18446744073709551616"), "half": json.RawMessage("1.5"), "-0": json.RawMessage("-0"), "-0.0e0": json.RawMessage("-0.0e0"), "-1": json.RawMessage("-1"),
	}
	tried := 0
	for operation, right := range bodyOperations() {
		var body any
		if err := json.Unmarshal(right, &body); err != nil {
			t.Fatal(err)
		}
		s := newService(t)
		path := s.create("registry.database", "openg2p")
		method, at, _ := strings.Cut(operation, " ")
		at = strings.Replace(at, "/connectors/{id}", path, 1)
		for _, p := range places(operation) {
			values := map[string]json.RawMessage{}
			if p.text {
				maps.Copy(values, texts)
			}
			if p.number {
				maps.Copy(values, digits)
			}
			for name, value := range values {
				tried++
				sent, err := json.Marshal(planted(body, p.path, value))
				if err != nil {
					t.Fatal(err)
				}
				w, allocated := hostile{body: sent}.send(s.handler, method, at)
				if err := refused(w, []int{http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge}); err != nil {
					// What validate is asked about is what it says is wrong.
					said := fmt.Sprintf(`"pointer":"/%s"`, strings.Join(p.path[min(1, len(p.path)):], "/"))
					if operation != "POST /connectors/validate" || w.Code != http.StatusOK || !strings.Contains(w.Body.String(), said) || strings.Contains(w.Body.String(), marked) {
						t.Errorf("%s %v, %s: %v", operation, p.path, name, err)
					}
				}
				if allocated > hostileMemory {
					t.Errorf("%s %v, %s: %d MB", operation, p.path, name, allocated>>20)
				}
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d values were tried", tried)
	}
}

// Every id of a path, parameter and header refuses what is very long or no text.
func TestHostileAddressesAreRefused(t *testing.T) {
	values := map[string]string{
		"long": strings.Repeat("a", 100_000), "NUL": "a%00b", "no UTF-8": "%ff%fe", "a surrogate": "%ed%a0%80", "a line": "a%0d%0aX-A:%20b", "dots": "%2e%2e%2f%2e%2e",
		"percent": "%25%32%35", "a half escape": "%e2%82", "a right-to-left mark": "%e2%80%ae", "SQL": "'%20or%201=1--", "digits": strings.Repeat("9", 5_000), "negative": "-1", "float": "1e400",
	}
	for _, operation := range contract().Operations() {
		method, at, _ := strings.Cut(operation, " ")
		body := bodyOperations()[operation]
		for i, door := range doors {
			if i > 0 && verb(operation) == http.MethodPost {
				continue
			}
			s := newService(t)
			path := s.create("registry.database", "openg2p")
			handler := door.serve(s.handler, s.options.Log)
			known := strings.NewReplacer("{id}", idOf(path), "{run}", "r1", "{registrant}", "7", "{check}", idOf(path), "{preview}", idOf(path))
			for name, value := range values {
				for _, parameter := range contract().Parameters(operation, "path") {
					address := known.Replace(strings.Replace(at, "{"+parameter+"}", value, 1))
					w, allocated := hostile{body: body}.send(handler, method, address)
					if err := refused(w, []int{400, 404, 422}); err != nil {
						t.Errorf("%s by %s, %s for {%s}: %v", operation, door.name, name, parameter, err)
					}
					if allocated > 4<<20 {
						t.Errorf("%s by %s, %s for {%s}: %d KB", operation, door.name, name, parameter, allocated>>10)
					}
				}
				for _, parameter := range append(contract().Parameters(operation, "query"), "no_such") {
					w, allocated := hostile{body: body}.send(handler, method, known.Replace(at)+"?"+parameter+"="+value)
					if parameter == "code" && w.Code == http.StatusOK && len(value) < 20 {
						continue // nobody is rejected with this code
					}
					if err := refused(w, []int{400, 404}); err != nil {
						t.Errorf("%s by %s, %s for %s: %v", operation, door.name, name, parameter, err)
					}
					if allocated > 4<<20 || w.Body.Len() > 64<<10 {
						t.Errorf("%s by %s, %s for %s: %d KB, a reply of %d", operation, door.name, name, parameter, allocated>>10, w.Body.Len())
					}
				}
			}
		}
	}
}

// Headers that a request is told apart by refuse what they cannot hold.
func TestHostileHeadersAreRefused(t *testing.T) {
	for _, operation := range contract().Operations() {
		method, at, _ := strings.Cut(operation, " ")
		s := newService(t)
		path := s.create("registry.database", "openg2p")
		known := strings.NewReplacer("{id}", idOf(path), "{run}", "r1", "{registrant}", "7", "{check}", idOf(path), "{preview}", idOf(path))
		for _, header := range append(contract().Parameters(operation, "header"), "If-None-Match", "If-Match", "Accept", "Idempotency-Key", "Content-Type", "Content-Encoding") {
			for _, value := range []string{strings.Repeat("a", 10_000), "\x00", "\xff\xfe", strings.Repeat(`"a",`, 3_000), `"` + strings.Repeat("-a", 5_000) + `"`, "\u202e", strings.Repeat("W/", 5_000)} {
				r := httptest.NewRequest(method, "/", bytes.NewReader(bodyOperations()[operation]))
				r.URL, _ = url.Parse(known.Replace(at))
				r.Header.Set("Content-Type", "application/json")
				r.Header[header] = []string{value}
				w := httptest.NewRecorder()
				s.handler.ServeHTTP(w, r.WithContext(context.Background()))
				if w.Code >= 500 {
					t.Errorf("%s with %s %.20q: %d %s", operation, header, value, w.Code, w.Body)
				}
			}
		}
	}
}
