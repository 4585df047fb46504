package centralsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
)

// clock is a database's, which a test sets.
type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()) }
func (c *clock) set(t time.Time)         { c.micros.Store(t.UnixMicro()) }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }
func moment(text string) time.Time       { t, _ := time.Parse(time.RFC3339Nano, text); return t }
func noon() *clock                       { c := &clock{}; c.set(moment("2026-11-27T12:00:00.137Z")); return c }

// central is a simulator on a loopback port with a form reg in project 1.
type central struct {
	*centralsim.Server
	t     *testing.T
	url   string
	form  *centralsim.Form
	token string // of the viewer
}

func start(t *testing.T, o centralsim.Options) *central {
	t.Helper()
	s := centralsim.New(o)
	project := s.AddProject("Registration")
	for email, role := range map[string]centralsim.Role{
		"viewer@x.org": centralsim.Viewer, "collector@x.org": centralsim.Collector, "nobody@x.org": centralsim.None,
		"manager@x.org": centralsim.Manager, "admin@x.org": centralsim.Administrator,
	} {
		s.AddUser(email, "password of "+email)
		s.Assign(email, project, role)
	}
	form := s.AddForm(project, centralsim.Definition{ID: "reg", Fields: centralsim.Registration()})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := &central{Server: s, t: t, url: server.URL, form: form}
	c.token = c.signIn("viewer@x.org")
	return c
}

func (c *central) signIn(email string) string {
	c.t.Helper()
	body, _ := json.Marshal(map[string]string{"email": email, "password": "password of " + email})
	status, text, _ := c.do("POST", "/v1/sessions", "", string(body))
	var reply struct{ Token string }
	if json.Unmarshal([]byte(text), &reply) != nil || status != 200 || len(reply.Token) != 64 {
		c.t.Fatalf("sign-in: %d %s", status, text)
	}
	return reply.Token
}

// do makes a request with a bearer, unless that is empty. Headers come in pairs.
func (c *central) do(method, path, token, body string, headers ...string) (int, string, http.Header) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return answer.StatusCode, string(text) + " CUT", answer.Header
	}
	return answer.StatusCode, string(text), answer.Header
}

const data = "/v1/projects/1/forms/reg.svc"

// list asks for submissions.
func (c *central) list(query ...string) (l list) {
	c.t.Helper()
	status, text, _ := c.do("GET", data+"/Submissions?"+strings.Join(query, "&"), c.token, "")
	if err := json.Unmarshal([]byte(text), &l); err != nil || status != 200 {
		c.t.Fatalf("%v: %d %s", query, status, text)
	}
	return l
}

type list struct {
	Value []map[string]any `json:"value"`
	Next  string           `json:"@odata.nextLink"`
	Count *int             `json:"@odata.count"`
}

func (l list) ids() string {
	var ids []string
	for _, v := range l.Value {
		ids = append(ids, fmt.Sprint(v["__id"]))
	}
	return strings.Join(ids, " ")
}

func (l list) token(t *testing.T) string {
	t.Helper()
	next, err := url.Parse(l.Next)
	if err != nil || next.Host != "odk.test:8443" {
		t.Fatalf("nextLink %q is not on Central's own domain", l.Next)
	}
	return next.Query().Get("$skiptoken")
}

func filter(text string) string {
	return "$filter=" + strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// Each wrong request has its status and code (facts/odk.md 1, 2, 3, 5, 7, 8).
func TestErrors(t *testing.T) {
	c := start(t, centralsim.Options{})
	c.form.Submit(centralsim.Submission{ID: "uuid:a", Answers: map[string]string{"vid": "1"}})
	c.AddForm(1, centralsim.Definition{ID: "unpublished", Unpublished: true})
	removed := c.AddForm(1, centralsim.Definition{ID: "removed"})
	removed.Remove()
	c.DeleteProject(c.AddProject("gone"))
	users := map[string]string{"": "", "bad": "no such token"}
	for _, name := range []string{"viewer", "collector", "nobody", "manager", "admin"} {
		users[name] = c.signIn(name + "@x.org")
	}
	submissions := data + "/Submissions"
	for _, test := range []struct{ user, path, want string }{
		{"", submissions, "401 401.2"},
		{"bad", submissions, "401 401.2"},
		{"viewer", submissions, "200"},
		{"viewer", submissions + "/", "200"},
		{"manager", submissions, "200"},
		{"admin", submissions, "200"},
		{"collector", submissions, "403 403.1"},
		{"nobody", submissions, "403 403.1"},
		{"nobody", "/v1/projects/1/forms/none.svc/Submissions", "404 404.1"},
		{"viewer", "/v1/projects/1/forms/REG.svc/Submissions", "404 404.1"},
		{"viewer", "/v1/projects/2/forms/reg.svc/Submissions", "404 404.1"},
		{"viewer", "/v1/projects/9/forms/reg.svc/Submissions", "404 404.1"},
		{"viewer", "/v1/projects/one/forms/reg.svc/Submissions", "400 400.11"},
		{"viewer", "/v1/projects/1/forms/unpublished.svc/Submissions", "404 404.1"},
		{"viewer", "/v1/projects/1/forms/unpublished", "403 403.1"},
		{"viewer", "/v1/projects/1/forms/removed.svc/Submissions", "404 404.1"},
		{"viewer", "/projects/1/forms/reg.svc/Submissions", "404 404.2"},
		{"viewer", "//v1/projects/1", "404 404.2"},
		{"viewer", "/V1/projects/1", "404 404.2"},
		{"viewer", "/v2/projects/1", "404 404.3"},
		{"viewer", "/v1/Projects/1", "404 404.1"},
		{"viewer", "/v1/key/abc/projects/1/forms/reg.svc/Submissions", "403 403.1"},
		{"viewer", submissions + "/$count", "404 404.1"},
		{"viewer", "/v1/projects/1/datasets/people.svc/Entities", "404 404.1"},
		{"collector", "/v1/projects/1/forms/reg", "200"},
		{"collector", "/v1/projects/1/forms/reg/fields?odata=true", "200"},
		{"nobody", "/v1/projects/1/forms/reg", "403 403.1"},
		{"nobody", "/v1/projects/1", "403 403.1"},

		{"viewer", submissions + "?top=1", "501 501.1"},
		{"viewer", submissions + "?_=12", "501 501.1"},
		{"viewer", submissions + "?%24top=1", "200"},
		{"viewer", submissions + "?$top=5&$top=1", "200"},
		{"viewer", submissions + "?$format=atom", "406 406.1"},
		{"viewer", submissions + "?$top=", "400 400.11"},
		{"viewer", submissions + "?$top=x", "400 400.11"},
		{"viewer", submissions + "?$top=1.5", "200"},
		{"viewer", submissions + "?$top=-1", "500 "},
		{"viewer", submissions + "?$skip=-1", "500 "},
		{"viewer", submissions + "?$expand=child", "501 501.6"},
		{"viewer", submissions + "?$expand=*&$select=vid", "501 501.11"},
		{"viewer", submissions + "?$select=none", "400 400.23"},
		{"viewer", submissions + "?$select=child/name", "400 400.24"},
		{"viewer", submissions + "?$select=*", "200"},
		{"viewer", submissions + "?$orderby=person/name", "501 501.5"},
		{"viewer", submissions + "?$orderby=__id&$skiptoken=01e30%3D", "501 501.1"},
		{"viewer", submissions + "?$skiptoken=abc", "400 400.35"},
		{"viewer", submissions + "?" + filter("__id eq 'a'") + "&" + filter("__id eq 'b'"), "400 400.18"},
		{"viewer", data + "/Submissions('uuid:none')", "404 404.1"},
		{"viewer", data + "/Submissions('uuid:a')", "200"},
		{"viewer", data + "/Submissions('uuid%3Aa')?" + filter("__id eq 'b'"), "200"},
		{"viewer", data + "/Submissions('a')", "404 404.1"},
		{"viewer", data + "/Submissions('under_score')", "404 404.1"},
		{"viewer", data + "/Submissions.child?" + filter("__system/submissionDate ge 2026-01-01T00:00:00Z"), "501 501.5"},
		{"viewer", data + "/Submissions.child?" + filter("$root/Submissions/__system/submissionDate ge 2026-01-01T00:00:00Z"), "200"},
		{"viewer", data + "/Submissions.none", "404 404.1"},
	} {
		status, text, _ := c.do("GET", test.path, users[test.user], "")
		var body struct{ Code json.Number }
		_ = json.Unmarshal([]byte(text), &body)
		got := fmt.Sprintf("%d %s", status, body.Code)
		if status == 200 {
			got = "200"
		}
		if got != test.want {
			t.Errorf("%s GET %s: %s %s, want %s", test.user, test.path, got, text, test.want)
		}
	}
	if status, text, _ := c.do("GET", submissions, c.token, "", "OData-MaxVersion", "3.0"); status != 404 {
		t.Error(status, text)
	}
	if status, text, _ := c.do("GET", submissions, c.token, "", "Accept", "application/xml"); status != 406 {
		t.Error(status, text)
	}
	if status, _, _ := c.do("POST", submissions, c.token, "{}"); status != 404 {
		t.Error(status)
	}
}

// What a filter may be, and whom it finds (facts/odk.md 5).
func TestFilter(t *testing.T) {
	c := start(t, centralsim.Options{Now: noon().now, Zone: time.FixedZone("Manila", 8*3600)})
	for id, at := range map[string]string{"a": "2026-11-27T10:00:00.136Z", "b": "2026-11-27T10:00:00.137Z", "c": "2026-11-27T17:00:00.138Z", "d": "2026-11-28T00:00:00Z"} {
		c.form.Submit(centralsim.Submission{ID: id, At: moment(at), By: map[bool]string{true: "viewer@x.org"}[id == "a"]})
	}
	c.form.Review("b", "approved")
	c.form.Delete("d")
	date := "__system/submissionDate"
	for _, test := range []struct{ filter, want string }{
		{date + " ge 2026-11-27T10:00:00.137Z", "c b"},
		{date + " gt 2026-11-27T10:00:00.137Z", "c"},
		{date + " ge 2026-11-27T10:00:00.1374Z", "c"},
		{date + " ge 2026-11-27T10:00:00.136999999Z", "c b"},
		{date + " ge 2026-11-27T10:00:00.136Z and " + date + " lt 2026-11-27T10:00:00.138Z", "b a"},
		{"$root/Submissions/" + date + " le 2026-11-27T05:00:00.136-05:00", "a"},
		{date + " le 2026-11-27T18:00:00.136+08:00", "a"},
		{date + " ge 2026-11-28", "c"}, // by the zone of the database
		{"day(" + date + ") eq 28", "c"},
		{"year(" + date + ") eq 2026", "c b a"},
		{date + " ge '2026-11-27T16:00:00Z'", "c"},
		{date + " ge 'yesterday'", "c b a"},
		{"__id eq 'a' or __id eq 'c' or __id eq 'none'", "c a"},
		{"not (__id eq 'a')", "c b"},
		{"not __id eq 'a' and __id ne 'b'", "c"},
		{"(__id eq 'a' or __id eq 'b') and __id ne 'b'", "a"},
		{"__system/reviewState eq 'approved'", "b"},
		{"__system/reviewState ne 'approved'", ""}, // null is neither
		{"__system/reviewState eq null", "c a"},
		{"__system/updatedAt gt 2020-01-01T00:00:00Z", "b"},
		{"not (__system/updatedAt gt 2020-01-01T00:00:00Z)", ""},
		{"__system/deletedAt ne null", "d"},
		{"__id eq 'd'", ""},
		{"__system/submitterId ne null", "a"},
		{"__system/submitterId eq 999", ""},

		{"", "400.18"}, {" __id eq 'a'", "400.18"}, {"__id eq 'a' ", "400.18"}, {"__id", "400.18"}, {"__id eq", "400.18"},
		{date + " gte 2026-11-27T10:00:00Z", "400.18"}, {date + " GE 2026-11-27T10:00:00Z", "400.18"},
		{"__id in ('a')", "400.18"}, {"__id eq 'a''b'", "400.18"}, {"(__id eq 'a'", "400.18"}, {"__id eq 'a')", "400.18"},
		{date + " ge 2026-11-27T10:00:00", "400.18"}, {date + " ge 2026-11-27T10:00:00 08:00", "400.18"},
		{date + " ge 2026-11-27t10:00:00Z", "400.18"}, {date + " ge 2026-11-27T10:00:00z", "400.18"},
		{date + " ge 2026-11-27T25:00:00Z", "400.18"}, {date + " ge 2026-13-27T10:00:00Z", "400.18"},
		{"contains(__id,'a')", "501.4"}, {"date(" + date + ") eq 2026-11-27", "501.4"},
		{"vid eq '1'", "501.5"}, {"person/name eq 'x'", "501.5"}, {"__system/edits eq 1", "501.5"},
		{"vid eq '1' and", "400.18"}, // what cannot be parsed comes first
		{date + " ge 2026-02-30T10:00:00Z", "500"}, {date + " ge -2026-01-01T10:00:00Z", "500"},
		{date + " ge 'abc'", "500"}, {date + " ge 5", "500"}, {date + " le now()", "500"}, {"now() ge " + date, "500"},
	} {
		status, text, _ := c.do("GET", data+"/Submissions?"+filter(test.filter), c.token, "")
		var reply struct {
			list
			Code json.Number
		}
		if err := json.Unmarshal([]byte(text), &reply); err != nil {
			t.Fatal(text)
		}
		got := reply.ids()
		if status != 200 {
			got = reply.Code.String()
			if got == "" {
				got = fmt.Sprint(status)
			}
		}
		if got != test.want {
			t.Errorf("%q: %s, want %s", test.filter, got, test.want)
		}
	}
	if status, _, _ := c.do("GET", data+"/Submissions?$filter="+date+"%20ge%202026-11-27T10:00:00+08:00", c.token, ""); status != 400 {
		t.Error("a bare plus is no blank:", status)
	}
}

// Pages, and where they mislead (facts/odk.md 6, 7).
func TestPages(t *testing.T) {
	c := start(t, centralsim.Options{Now: noon().now})
	for i := range 7 {
		c.form.Submit(centralsim.Submission{ID: fmt.Sprintf("s%d", i), At: moment("2026-11-27T10:00:00Z").Add(time.Duration(i/2) * time.Second)})
	}
	if got := c.list(); got.ids() != "s6 s5 s4 s3 s2 s1 s0" || got.Next != "" || got.Count != nil {
		t.Error("everything:", got)
	}
	if got := c.list("$top=0", "$count=true"); len(got.Value) != 0 || *got.Count != 7 || got.Next != "" {
		t.Error("count:", got)
	}
	if got := c.list("$top=0", "$count=1"); got.Count != nil {
		t.Error("$count=1 counts")
	}
	first := c.list("$top=3", "$count=TRUE")
	token := url.QueryEscape(first.token(t))
	c.form.Submit(centralsim.Submission{ID: "new"})
	c.form.Delete("s4") // the anchor
	second := c.list("$top=3", "$count=true", "$skiptoken="+token)
	if first.ids() != "s6 s5 s4" || second.ids() != "s3 s2 s1" || *second.Count != 7 {
		t.Error("pages by $skiptoken:", first.ids(), "|", second.ids(), *second.Count)
	}
	if got := c.list("$top=3", "$skiptoken="+url.QueryEscape(second.token(t))); got.ids() != "s0" || got.Next != "" {
		t.Error("last page:", got)
	}
	if got := c.list("$top=3", "$skip=3"); !strings.HasPrefix(got.ids(), "s3") {
		t.Error("$skip after an arrival and a deletion:", got.ids())
	}
	last := c.list("$top=3", "$skip=6")
	if last.ids() != "s0" || last.Next == "" {
		t.Error("no nextLink after the last page by $skip:", last)
	}
	if got := c.list("$top=3", "$skiptoken="+url.QueryEscape(last.token(t))); len(got.Value) != 0 {
		t.Error("that leads to", got)
	}
	beyond := c.list("$top=3", "$skip=99")
	if len(beyond.Value) != 0 || !strings.Contains(decoded(t, beyond.token(t)), "null") {
		t.Error("beyond the end:", beyond)
	}
	c.form.Purge("s4")
	if got := c.list("$count=true", "$skiptoken="+token); len(got.Value) != 0 || *got.Count != 7 {
		t.Error("the token of a purged one:", got)
	}
	ordered := c.list("$top=2", "$orderby=__system/submissionDate%20asc,__id%20DESC")
	if ordered.ids() != "s1 s0" {
		t.Error("ordered:", ordered.ids())
	}
	next, _ := url.Parse(ordered.Next)
	if status, _, _ := c.do("GET", data+"/Submissions?"+next.RawQuery, c.token, ""); status != 501 {
		t.Error("the nextLink of an ordered list can be followed:", status)
	}
}

func decoded(t *testing.T, token string) string {
	t.Helper()
	var content json.RawMessage
	encoded, _ := json.Marshal(strings.TrimPrefix(token, "01"))
	var raw []byte
	if err := json.Unmarshal(encoded, &raw); err != nil {
		t.Fatal(token, err)
	}
	if err := json.Unmarshal(raw, &content); err != nil {
		t.Fatal(token, err)
	}
	return string(content)
}

// The whole text of a record: the order of fields, numbers as doubles, nulls.
func TestRecord(t *testing.T) {
	c := start(t, centralsim.Options{Now: noon().now})
	c.form.Submit(centralsim.Submission{ID: "uuid:a", By: "viewer@x.org", Answers: map[string]string{
		"vid": "0000000000000001", "person/name": "Zoé \"<b>\" \u202e\nx", "person/gender": " ", "person/age": "12.9", "person/income": "1e5",
		"person/big": "9007199254740993", "person/dob": "27/11/2026", "where/geopoint": "14.5 121 3 4", "where/geotrace": "1 2;3 4",
		"visited": "2026-11-27T10:00:00.000+08", "unknown": "x",
	}, Rows: map[string][]centralsim.Row{"child": {{Answers: map[string]string{"name": "Kim"}, Rows: map[string][]centralsim.Row{"toy": {{Answers: map[string]string{"name": "ball"}}}}}}}})
	system := `"__id":"uuid:a","__system":{"submissionDate":"2026-11-27T12:00:00.137Z","updatedAt":null,"submitterId":"`
	get := func(query string) string {
		t.Helper()
		_, text, _ := c.do("GET", data+"/Submissions?"+query, c.token, "")
		return text
	}
	whole := get("")
	for _, want := range []string{
		`{"value":[{"vid":"0000000000000001","person":{"name":"Zoé \"<b>\" ` + "\u202e" + `\nx","gender":" ","dob":"27/11/2026","phone":null,"email":null,"age":12,"income":100000,"big":9007199254740992},`,
		`"where":{"address":null,"geopoint":{"type":"Point","coordinates":[121,14.5,3],"properties":{"accuracy":4}},"geotrace":{"type":"LineString","coordinates":[[2,1],[4,3]]}},`,
		`"photo":null,"visited":"2026-11-27T10:00:00.000+08:00","at":null,"child@odata.navigationLink":"Submissions('uuid:a')/child","meta":{"instanceID":"uuid:a","instanceName":null},` + system,
		`"reviewState":null,"deviceId":null,"edits":0,"formVersion":"1","deletedAt":null}}],"@odata.context":"https://odk.test:8443/v1/projects/1/forms/reg.svc/$metadata#Submissions"}`,
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("%s\nhas no\n%s", whole, want)
		}
	}
	if strings.Contains(whole, "unknown") {
		t.Error("a node that the form does not know is shown")
	}
	expanded := get("$expand=*")
	if !strings.Contains(expanded, `"name":"Kim","toy":[{"__id":"`) || !strings.Contains(expanded, `"name":"ball"}],"toy@odata.navigationLink"`) {
		t.Error(expanded)
	}
	for query, want := range map[string]string{
		"$select=vid,person/name,__system/edits": `{"value":[{"vid":"0000000000000001","person":{"name":"Zoé`,
		"$select=where,__id&$wkt=true":           `{"where":{"address":null,"geopoint":"POINT (121 14.5 3)","geotrace":"LINESTRING (2 1,4 3)"},"__id":"uuid:a"}]`,
		"$select=child":                          `{"value":[{}],`,
		"$select=__system/edits":                 `{"value":[{"__system":{"edits":0}}]`,
	} {
		if got := get(query); !strings.Contains(got, want) {
			t.Errorf("%s: %s", query, got)
		}
	}
	if strings.Contains(get("$select=vid"), "__id") {
		t.Error("__id comes unasked")
	}
	_, rows, _ := c.do("GET", data+"/Submissions.child.toy?$count=true", c.token, "")
	if !strings.Contains(rows, `"__Submissions-child-id":"`) || !strings.Contains(rows, `"@odata.count":1}`) {
		t.Error(rows)
	}
	_, service, _ := c.do("GET", data, c.token, "")
	if !strings.Contains(service, `"value":[{"name":"Submissions","kind":"EntitySet","url":"Submissions"},{"name":"Submissions.child",`) {
		t.Error(service)
	}
}

func TestNumbersAreDoubles(t *testing.T) {
	c := start(t, centralsim.Options{})
	for i, test := range []struct{ path, text, want string }{
		{"person/big", "9999999999999999", "10000000000000000"}, {"person/big", "9876543210987651", "9876543210987652"},
		{"person/big", "0123456789012345", "123456789012345"}, {"person/big", "0x10", "0"}, {"person/big", "abc", "null"}, {"person/big", "NaN", "null"},
		{"person/income", "12345678901234567890.12", "12345678901234567000"}, {"person/income", "499.50", "499.5"},
		{"person/income", "1e22", "1e+22"}, {"person/income", "0.0000001", "1e-7"}, {"person/income", "-0", "0"},
	} {
		id := fmt.Sprintf("uuid:%d", i)
		c.form.Submit(centralsim.Submission{ID: id, Answers: map[string]string{test.path: test.text}})
		_, text, _ := c.do("GET", data+"/Submissions('"+id+"')?$select="+test.path, c.token, "")
		if !strings.Contains(text, ":"+test.want+"}") {
			t.Errorf("%s: %s, want %s", test.text, text, test.want)
		}
	}
}

// What happens to a submission, and to the ETag of its window (facts/odk.md 10, 12).
func TestLife(t *testing.T) {
	clock := noon()
	c := start(t, centralsim.Options{Now: clock.now})
	window := "?" + filter("__system/submissionDate ge 2026-11-27T12:00:00.000Z and __system/submissionDate lt 2026-11-27T12:00:01.000Z")
	tag := func() string {
		_, _, h := c.do("GET", data+"/Submissions"+window, c.token, "")
		return h.Get("ETag")
	}
	empty := tag()
	if empty != `W/"eventhash:`+strings.Repeat("0", 32)+`"` {
		t.Error(empty)
	}
	id := c.form.Submit(centralsim.Submission{})
	last := tag()
	for _, step := range []struct {
		name    string
		do      func() bool
		changes bool
	}{
		{"photo", func() bool { return c.form.Attach(id) }, false},
		{"review", func() bool { return c.form.Review(id, "approved") }, true},
		{"edit", func() bool { return c.form.Edit(id, map[string]string{"vid": "2"}) }, true},
		{"again", func() bool {
			return c.form.Submit(centralsim.Submission{ID: id, Answers: map[string]string{"vid": "3"}}) == id
		}, false},
		{"delete", func() bool { return c.form.Delete(id) }, true},
		{"restore", func() bool { return c.form.Restore(id) }, true},
		{"late", func() bool {
			return c.form.Submit(centralsim.Submission{ID: "late", Hidden: true, At: moment("2026-11-27T12:00:00.5Z")}) == "late"
		}, false},
		{"shown", func() bool { return c.form.Show("late") }, true},
		{"purge", func() bool { return c.form.Purge("late") }, true},
	} {
		clock.advance(time.Hour)
		if !step.do() {
			t.Fatal(step.name, "was not done")
		}
		now := tag()
		if changed := now != last; changed != step.changes {
			t.Errorf("%s: the tag changed: %v", step.name, changed)
		}
		last = now
	}
	record := c.list(strings.TrimPrefix(window, "?")).Value[0]
	system, meta := record["__system"].(map[string]any), record["meta"].(map[string]any)
	if record["__id"] != id || record["vid"] != "2" || meta["instanceID"] == id || system["edits"] != 1.0 || system["reviewState"] != "edited" ||
		system["submissionDate"] != "2026-11-27T12:00:00.137Z" || system["updatedAt"] == nil || system["deletedAt"] != nil {
		t.Error(record)
	}
	for _, asked := range []string{last, strings.TrimPrefix(last, "W/")} {
		if status, text, _ := c.do("GET", data+"/Submissions"+window, c.token, "", "If-None-Match", asked); status != 304 || text != "" {
			t.Error(asked, status, text)
		}
	}
	for _, asked := range []string{"*", last + `, "x"`} {
		if status, _, _ := c.do("GET", data+"/Submissions"+window, c.token, "", "If-None-Match", asked); status != 200 {
			t.Error(asked, status)
		}
	}
	status, text, _ := c.do("GET", "/v1/projects/1/forms/reg/submissions/"+url.PathEscape(id), c.token, "")
	if status != 200 || !strings.Contains(text, `"createdAt":"2026-11-27T12:00:00.137Z"`) {
		t.Error(status, text)
	}
}

// Sign-in, the life of sessions and what ends them (facts/odk.md 2).
func TestSessions(t *testing.T) {
	clock := noon()
	c := start(t, centralsim.Options{Now: clock.now})
	for _, test := range []struct{ contentType, body, want string }{
		{"application/json", `{"email":"VIEWER@x.org","password":"password of viewer@x.org"}`, "200"},
		{"application/json; charset=utf-8", `{"email":"viewer@x.org","password":"password of viewer@x.org"}`, "200"},
		{"application/json", `{"email":"viewer@x.org","password":"wrong"}`, "401.2"},
		{"application/json", `{"email":"viewer@x.org ","password":"password of viewer@x.org"}`, "401.2"},
		{"application/json", `{"email":"other@x.org","password":"x"}`, "401.2"},
		{"application/json", `{"email":"viewer@x.org","password":5}`, "401.2"},
		{"application/json", `{"email":"","password":"secret"}`, "400.3"},
		{"application/json", `[]`, "400.3"},
		{"text/plain", `{"email":"viewer@x.org","password":"x"}`, "400.3"},
		{"application/json", `{`, "400.1"},
		{"application/json", `"` + strings.Repeat("x", 251_000) + `"`, "400.36"},
	} {
		status, text, _ := c.do("POST", "/v1/sessions", "", test.body, "Content-Type", test.contentType)
		if status == 200 && test.want == "200" {
			continue
		}
		if !strings.Contains(text, `"code":`+test.want) {
			t.Errorf("%.80s: %d %.200s, want %s", test.body, status, text, test.want)
		}
	}
	_, text, h := c.do("POST", "/v1/sessions", "", `{"email":"viewer@x.org","password":"password of viewer@x.org"}`)
	if !strings.HasSuffix(strings.TrimSpace(text), `"expiresAt":"2026-11-28T12:00:00.137Z","createdAt":"2026-11-27T12:00:00.137Z"}`) ||
		len(h.Values("Set-Cookie")) != 2 || h.Get("Cache-Control") != "no-store" {
		t.Error(text, h)
	}
	live := func(token string) bool {
		status, _, _ := c.do("GET", "/v1/sessions/restore", token, "")
		return status == 200
	}
	clock.advance(24*time.Hour - time.Millisecond)
	if !live(c.token) {
		t.Error("ended before its time")
	}
	clock.advance(time.Millisecond)
	if live(c.token) {
		t.Error("lives on after its time")
	}
	c.token = c.signIn("viewer@x.org")
	other := c.signIn("manager@x.org")
	c.SetPassword("viewer@x.org", "another")
	if live(c.token) || !live(other) {
		t.Error("a change of the password ends the sessions of the user, and of nobody else")
	}
	if status, _, _ := c.do("DELETE", "/v1/sessions/current", other, ""); status != 200 || live(other) {
		t.Error("not signed out:", status)
	}
	c.SetSingleSignOn(true)
	status, text, _ := c.do("POST", "/v1/sessions", "", `{"email":"admin@x.org","password":"password of admin@x.org"}`)
	_, config, _ := c.do("GET", "/client-config.json", "", "")
	if status != 404 || !strings.Contains(text, "404.1") || !strings.Contains(config, `"oidcEnabled":true`) {
		t.Error(status, text, config)
	}
	c.SetSingleSignOn(false)
	basic := func(headers ...string) int {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", c.url+data, nil)
		r.SetBasicAuth("admin@x.org", "password of admin@x.org")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	if plain, secure := basic(), basic("X-Forwarded-Proto", "https"); plain != 401 || secure != 200 {
		t.Error("basic:", plain, secure)
	}
}

// The metadata of projects, forms and fields, encrypted forms and drafts.
func TestForms(t *testing.T) {
	c := start(t, centralsim.Options{Now: noon().now})
	c.form.Submit(centralsim.Submission{ID: "a"})
	c.form.SetState(centralsim.Closed)
	_, text, _ := c.do("GET", "/v1/projects/1/forms/reg", c.token, "", "X-Extended-Metadata", "true")
	for _, want := range []string{`"state":"closed"`, `"submissions":1`, `"lastSubmission":"2026-11-27T12:00:00.137Z"`, `"keyId":null`, `"version":"1"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s has no %s", text, want)
		}
	}
	if got := c.list(); got.ids() != "a" {
		t.Error("a closed form cannot be read:", got)
	}
	_, text, _ = c.do("GET", "/v1/projects/1", c.token, "", "X-Extended-Metadata", "true")
	if !strings.Contains(text, `"submission.read"`) || !strings.Contains(text, `"lastSubmission":"2026`) {
		t.Error(text)
	}
	_, text, _ = c.do("GET", "/v1/projects/1/forms/reg/fields?odata=true", c.token, "")
	if !strings.Contains(text, `{"path":"/person/age","name":"age","type":"int","binary":null,"selectMultiple":null}`) || !strings.Contains(text, `"type":"repeat"`) {
		t.Error(text)
	}

	sealed := c.AddForm(1, centralsim.Definition{ID: "sealed one", Encrypted: true, Fields: centralsim.Registration()})
	sealed.Submit(centralsim.Submission{ID: "x", Answers: map[string]string{"vid": "1"}, Attachments: 1})
	_, text, _ = c.do("GET", "/v1/projects/1/forms/sealed%20one.svc/Submissions", c.token, "")
	if !strings.Contains(text, `[{"__id":"x","__system":{`) || !strings.Contains(text, `"status":"missingEncryptedFormData"`) {
		t.Error(text)
	}
	c.form.Draft().Submit(centralsim.Submission{ID: "a"})
	c.form.Draft().Submit(centralsim.Submission{ID: "b"})
	_, text, _ = c.do("GET", "/v1/projects/1/forms/reg/draft.svc/Submissions?$top=0&$count=true", c.token, "")
	if !strings.Contains(text, `"@odata.count":2`) {
		t.Error(text)
	}
	c.form.Publish("2", []centralsim.Field{{Path: "/vid", Type: "string"}, {Path: "/new", Type: "string"}})
	record := c.list().Value[0]
	if _, old := record["person"]; old || record["__system"].(map[string]any)["formVersion"] != "1" || c.form.Draft().Len() != 0 {
		t.Error(record)
	}
	if _, there := record["new"]; !there {
		t.Error(record)
	}
}

// What older releases do not have (facts/odk.md 16).
func TestReleases(t *testing.T) {
	for release, want := range map[string]string{
		"2026.2": "tag token order id now-",
		"2025.3": "token order id now-",
		"2024.1": "token order id now",
		"2023.4": "token id now",
		"2023.3": "skip id now",
		"2023.1": "skip now",
		"2022.3": "skip now micros",
		"2022.1": "skip now micros noselect",
	} {
		c := start(t, centralsim.Options{Now: noon().now, Release: release})
		c.form.Submit(centralsim.Submission{ID: "a", At: moment("2026-11-27T10:00:00.1374Z")})
		c.form.Submit(centralsim.Submission{ID: "b", At: moment("2026-11-27T11:00:00Z")})
		var got []string
		_, _, h := c.do("GET", data+"/Submissions", c.token, "")
		if h.Get("ETag") != "" {
			got = append(got, "tag")
		}
		next, _ := url.Parse(c.list("$top=1").Next)
		if next.Query().Has("$skiptoken") {
			got = append(got, "token")
		}
		if next.Query().Get("$skip") == "1" {
			got = append(got, "skip")
		}
		works := func(word, query string) {
			if status, _, _ := c.do("GET", data+"/Submissions?"+query, c.token, ""); status == 200 {
				got = append(got, word)
			} else if status == 500 {
				got = append(got, word+"-")
			}
		}
		works("order", "$orderby=__system/submissionDate")
		works("id", filter("__id eq 'a'"))
		works("now", filter("__system/submissionDate le now()"))
		if l := c.list(filter("__system/submissionDate gt 2026-11-27T10:00:00.137Z and __system/submissionDate lt 2026-11-27T10:30:00Z")); l.ids() == "a" {
			got = append(got, "micros")
		}
		if status, _, _ := c.do("GET", data+"/Submissions?$select=vid", c.token, ""); status != 200 {
			got = append(got, "noselect")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", release, got, want)
		}
	}
}

// What goes wrong (facts/odk.md 14).
func TestFaults(t *testing.T) {
	c := start(t, centralsim.Options{Now: noon().now, Sleep: func(time.Duration) {}})
	for range 5 {
		c.form.Submit(centralsim.Submission{})
	}
	submissions := data + "/Submissions"
	for name, test := range map[string]struct {
		faults centralsim.Faults
		status int
		want   func(text string) bool
	}{
		"database down": {centralsim.Faults{DatabaseDown: true}, 500, func(text string) bool { return text == `{"message":"Internal Server Error"}` }},
		"pool used up":  {centralsim.Faults{PoolMS: 12_000}, 500, func(text string) bool { return !strings.Contains(text, "code") }},
		"nginx alone":   {centralsim.Faults{Page: 502}, 502, func(text string) bool { return strings.HasPrefix(text, "<html>") }},
		"other host":    {centralsim.Faults{Page: 421}, 421, func(text string) bool { return strings.HasPrefix(text, "<html>") }},
		"closed":        {centralsim.Faults{Down: true}, 0, func(string) bool { return true }},
		"cut":           {centralsim.Faults{Stop: centralsim.Cut, StopNext: 1, StopAfter: 2}, 200, func(text string) bool { return strings.HasSuffix(text, " CUT") }},
		"ended":         {centralsim.Faults{Stop: centralsim.Ended, StopNext: 1, StopAfter: 2}, 200, func(text string) bool { return strings.HasSuffix(text, "}}") && !json.Valid([]byte(text)) }},
		"silent, ended": {centralsim.Faults{Stop: centralsim.Silence, StopNext: 1, StopAfter: 2, SilenceMS: 120_000}, 200, func(text string) bool { return !json.Valid([]byte(text)) }},
		"slow":          {centralsim.Faults{SlowMS: 1000}, 200, func(text string) bool { return json.Valid([]byte(text)) }},
		"huge":          {centralsim.Faults{PadBytes: 100_000}, 200, func(text string) bool { return len(text) > 500_000 }},
	} {
		t.Run(name, func(t *testing.T) {
			c.SetFaults(test.faults)
			defer c.SetFaults(centralsim.Faults{})
			status, text, _ := c.do("GET", submissions, c.token, "")
			if status != test.status || !test.want(text) {
				t.Errorf("%d %.300s", status, text)
			}
		})
	}
	c.SetFaults(centralsim.Faults{DatabaseDown: true})
	if status, text, _ := c.do("GET", submissions, "", ""); status != 401 {
		t.Error("without credentials the database is not asked:", status, text)
	}
	c.SetFaults(centralsim.Faults{FailNext: 1, DateAheadMS: 60_000})
	if status, _, h := c.do("GET", submissions, c.token, ""); status != 500 || h.Get("Date") != "Fri, 27 Nov 2026 12:01:00 GMT" {
		t.Error(status, h)
	}
	if status, _, _ := c.do("GET", submissions, c.token, ""); status != 200 {
		t.Error("it fails on:", status)
	}
	if status, text, _ := c.do("GET", submissions+"?"+filter(strings.Repeat("__id eq 'a' or ", 700)+"__id eq 'a'"), c.token, ""); status != 414 || !strings.HasPrefix(text, "<html>") {
		t.Error("a long address:", status, text)
	}
	if status, _, h := c.do("GET", submissions, c.token, "", "Accept-Encoding", "identity"); status != 200 || h.Get("Content-Length") != "" || h.Get("OData-Version") != "4.0" {
		t.Error(h)
	}
}

// A list that falls silent stays so until its reader hangs up.
func TestSilence(t *testing.T) {
	c := start(t, centralsim.Options{})
	for range 5 {
		c.form.Submit(centralsim.Submission{})
	}
	c.SetFaults(centralsim.Faults{Stop: centralsim.Silence, StopNext: 1, StopAfter: 2})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", c.url+data+"/Submissions", nil)
	r.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var text strings.Builder
	for strings.Count(text.String(), `"__id"`) < 2 || !strings.HasSuffix(text.String(), "}}") {
		piece := make([]byte, 100)
		n, err := answer.Body.Read(piece)
		if err != nil {
			t.Fatal(err, text.String())
		}
		text.Write(piece[:n])
	}
}

// The administration does what the methods do.
func TestAdministration(t *testing.T) {
	c := start(t, centralsim.Options{})
	post := func(path, body string, want int) string {
		t.Helper()
		status, text, _ := c.do("POST", "/_simulator/"+path, "", body)
		if status != want {
			t.Errorf("%s %s: %d %s", path, body, status, text)
		}
		return text
	}
	post("submit", `{"project":1,"form":"reg","id":"a","answers":{"vid":"1"},"hidden":true}`, 200)
	if got := c.list(); got.ids() != "" {
		t.Error(got)
	}
	for _, path := range []string{"show", "edit", "delete", "restore", "review", "attach"} {
		post(path, `{"project":1,"form":"reg","id":"a","state":"approved"}`, 204)
	}
	if got := c.list(); got.ids() != "a" {
		t.Error(got)
	}
	post("purge", `{"project":1,"form":"reg","id":"a"}`, 204)
	post("purge", `{"project":1,"form":"reg","id":"a"}`, 400)
	post("submit", `{"project":1,"form":"none"}`, 400)
	post("state", `{"project":1,"form":"reg","state":"closed"}`, 204)
	post("users", `{"email":"new@x.org","password":"p","project":1,"role":"viewer"}`, 204)
	post("password", `{"email":"new@x.org","password":"password of new@x.org"}`, 204)
	token := c.signIn("new@x.org")
	post("end-sessions", "", 204)
	if status, _, _ := c.do("GET", data, token, ""); status != 401 {
		t.Error(status)
	}
	post("single-sign-on", `{"on":true}`, 204)
	post("faults", `{"page":502}`, 200)
	post("faults", `{"unknown":1}`, 400)
	if c.Faults().Page != 502 {
		t.Error(c.Faults())
	}
	c.SetFaults(centralsim.Faults{})
	post("populate", `{"submissions":0}`, 400)
	post("populate", `{"submissions":3,"seed":1}`, 200)
	if status, text, _ := c.do("GET", "/_simulator/state", "", ""); status != 200 || !strings.Contains(text, `"submissions":3`) {
		t.Error(text)
	}
	post("edit", `{"project":1,"form":"reg","id":"`+c.form.Entries()[0].ID+`","answers":{"vid":"7"}}`, 204)
	if status, text, _ := c.do("GET", "/_simulator/submissions", "", ""); status != 200 || strings.Count(text, `"kind":"plain"`) != 3 || !strings.Contains(text, `"edits":1,"answers":{"vid":"7"}`) {
		t.Error(text)
	}
}

// The demonstration has every kind, the same for the same seed, and its windows add up.
func TestPopulate(t *testing.T) {
	make := func() (*centralsim.Server, centralsim.Expectation) {
		s := centralsim.New(centralsim.Options{Now: noon().now})
		return s, s.Populate(400, 7)
	}
	one, e := make()
	_, again := make()
	if fmt.Sprint(e.Kinds) != fmt.Sprint(again.Kinds) {
		t.Error("the same seed makes others")
	}
	sum := e.Tokens
	for _, counts := range []map[centralsim.Kind]int{e.Invalid, e.Refused} {
		for _, n := range counts {
			sum += n
		}
	}
	if sum != 400 || len(e.Kinds) != 400 || len(e.Made) != 11 || e.Duplicates == 0 || one.Form(1, centralsim.DemoForm).Len() != 400 {
		t.Errorf("%+v", e)
	}
	entries := one.Form(1, centralsim.DemoForm).Entries()
	for i, entry := range entries {
		if entry.Kind != e.Kinds[entry.ID] || i > 0 && entry.Received.Before(entries[i-1].Received) || entry.Received.Before(e.From) || !entry.Received.Before(e.To) {
			t.Errorf("%+v", entry)
		}
	}
	more := one.Populate(10, 8)
	if one.Form(1, centralsim.DemoForm).Len() != 410 || more.Submissions != 10 {
		t.Error("a second call adds")
	}
}
