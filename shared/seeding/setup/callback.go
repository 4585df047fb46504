package setup

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Fields of the callback that have rules. A header is below CallbackHeaders.
const (
	CallbackURL          Field = "callback_url"
	CallbackMethod       Field = "callback_method"
	CallbackInBulk       Field = "callback_in_bulk"
	CallbackHeaders      Field = "callback_headers"
	CallbackAuthType     Field = "callback_auth_type"
	CallbackAuthURL      Field = "callback_auth_url"
	CallbackDatabase     Field = "callback_database"
	CallbackUsername     Field = "callback_username"
	CallbackPassword     Field = "callback_password"
	CallbackClientID     Field = "callback_client_id"
	CallbackClientSecret Field = "callback_client_secret"
	CallbackToken        Field = "callback_token"
	OutputFormat         Field = "output_format"
)

// Callback is how MTS is to deliver its answers, as somebody wrote it: with secrets,
// where they are new.
type Callback struct {
	URL            string // "" for the managed callback: MTS calls us
	Method         string
	TimeoutSeconds int
	InBulk         bool
	Headers        map[string]string // nil if they are not given: those of before stay
	AuthType       seeding.AuthType
	AuthURL        string
	Database       string
	Username       string
	Password       string
	ClientID       string
	ClientSecret   string
	Token          string
}

// Delivery is the callback without its secrets. before is what the connector has now,
// or nil.
func (c Callback) Delivery(before *seeding.Connector) seeding.Delivery {
	d := seeding.Delivery{TimeoutSeconds: c.TimeoutSeconds}
	if c.URL == "" {
		return d
	}
	d.Direct = &seeding.DirectDelivery{
		URL: c.URL, Method: c.Method, InBulk: c.InBulk, Headers: slices.Sorted(maps.Keys(c.Headers)),
		Auth: seeding.DirectAuth{Type: c.AuthType, URL: c.AuthURL, Database: c.Database, Username: c.Username, ClientID: c.ClientID},
	}
	if c.Headers == nil && before != nil && before.IsDirect() {
		d.Direct.Headers = before.Delivery.Direct.Headers
	}
	return d
}

// secret is a secret field of the callback.
type secret struct {
	field Field
	name  string // in Connector.Secrets
	given bool
}

func (c Callback) secrets() []secret {
	return []secret{
		{CallbackPassword, seeding.CallbackPassword, c.Password != ""},
		{CallbackClientSecret, seeding.CallbackClientSecret, c.ClientSecret != ""},
		{CallbackToken, seeding.CallbackToken, c.Token != ""},
		{CallbackHeaders, seeding.CallbackHeaders, len(c.Headers) > 0},
	}
}

// part is a field of the callback, and whether it is given.
type part struct {
	field Field
	given bool
}

// signIn are the fields of the ways to sign in.
func (c Callback) signIn() []part {
	return []part{
		{CallbackAuthURL, c.AuthURL != ""}, {CallbackDatabase, c.Database != ""}, {CallbackUsername, c.Username != ""},
		{CallbackPassword, c.Password != ""}, {CallbackClientID, c.ClientID != ""}, {CallbackClientSecret, c.ClientSecret != ""}, {CallbackToken, c.Token != ""},
	}
}

// takes reports whether the callback uses a secret.
func (c Callback) takes(s secret, delivery seeding.Delivery) bool {
	if c.URL == "" {
		return false
	}
	switch s.field {
	case CallbackPassword:
		return c.AuthType == seeding.AuthOdoo || c.AuthType == seeding.AuthOAuth && c.Username != ""
	case CallbackClientSecret:
		return c.AuthType == seeding.AuthOAuth && c.ClientID != ""
	case CallbackToken:
		return c.AuthType == seeding.AuthStaticBearer
	default:
		return len(delivery.Direct.Headers) > 0
	}
}

// needs reports whether the callback cannot do without a secret that it uses: a client
// of OAuth may have none.
func (s secret) needed() bool { return s.field != CallbackClientSecret }

// Kept are the versions of the secrets of ODK Central and of the callback that stay as
// they are.
func (p Proposal) Kept() map[string]string {
	kept := map[string]string{}
	if p.Before == nil {
		return kept
	}
	for _, s := range p.Callback.secrets() {
		if version := p.Before.Secrets[s.name]; version != "" && !s.given && p.Callback.takes(s, p.Connector.Delivery) {
			kept[s.name] = version
		}
	}
	if version := p.Before.Secrets[seeding.ODKPassword]; version != "" && !p.ODKPasswordGiven && p.Connector.FromODK() {
		kept[seeding.ODKPassword] = version
	}
	return kept
}

// checkCallback checks how MTS is to deliver its answers.
func (r Rules) checkCallback(p Proposal) (wrong, doubtful []Finding) {
	if !p.readable(CallbackURL) {
		return nil, nil
	}
	if p.Callback.URL == "" {
		return checkManaged(p), nil
	}
	if p.Connector.FromODK() { // checkODK has found it
		return nil, nil
	}
	wrong = append(wrong, r.checkCallAddresses(p)...)
	wrong = append(wrong, checkAuth(p)...)
	wrong = append(wrong, checkSecrets(p)...)
	headers, doubtful := checkHeaders(p)
	wrong = append(wrong, headers...)
	return wrong, append(doubtful, doubtfulCallback(p)...)
}

const belongsToDirect = "belongs to a direct callback; name its address in callback.url, or leave this out: the managed callback is {}, with timeout_seconds if you like"

// checkManaged: with the managed callback MTS calls us, in a way of our own.
func checkManaged(p Proposal) (wrong []Finding) {
	c := p.Callback
	if c.Method != "" && c.Method != "POST" && p.readable(CallbackMethod) {
		code, text := "callback_post", "must be POST, or left out: the connector takes the answers of MTS in the body of a POST; other methods are for an address of your own, in callback.url"
		if c.Method == "GET" {
			code, text = "callback_get", "must be POST, or left out: the connector takes the answers of MTS in a body, which a GET is not meant to have; other methods are for an address of your own, in callback.url"
		}
		wrong = append(wrong, find(CallbackMethod, code, text))
	}
	if c.AuthType != "" && c.AuthType != seeding.AuthStaticBearer && p.readable(CallbackAuthType) {
		wrong = append(wrong, find(CallbackAuthType, "callback_bearer", `must be "static_bearer", or left out: the connector gives MTS a bearer for each batch; other types are for an address of your own, in callback.url`))
	}
	for _, f := range append([]part{{CallbackInBulk, c.InBulk}, {CallbackHeaders, len(c.Headers) > 0}}, c.signIn()...) {
		if f.given {
			wrong = append(wrong, find(f.field, "callback_direct_only", belongsToDirect))
		}
	}
	return wrong
}

// checkCallAddresses checks the addresses that MTS is to call. MTS dials them and not
// we, but it stands where registry and token endpoint are, and sends them secrets and
// tokens: what we would not call it is not told to call either.
func (r Rules) checkCallAddresses(p Proposal) (wrong []Finding) {
	for _, a := range []struct {
		field Field
		text  string
	}{{CallbackURL, p.Callback.URL}, {CallbackAuthURL, p.Callback.AuthURL}} {
		if a.text == "" || !p.readable(a.field) {
			continue
		}
		server, _, err := seeding.ParseCallURL(a.text)
		e, unreadable := err.(*seeding.AddressError) //nolint:errorlint // nothing wraps it
		switch {
		case unreadable && e.Host != "":
			wrong = append(wrong, find(a.field, "address_not_ascii", e.Reason))
			continue
		case unreadable:
			wrong = append(wrong, find(a.field, "address", e.Reason))
			continue
		case r.CheckAddress != nil:
			err = r.CheckAddress(server)
		}
		if err != nil {
			wrong = append(wrong, because(a.field, err, "address_refused"))
		}
	}
	return wrong
}

// authFields are what each way to sign in needs and takes (facts/mts.md 1.1.1).
var authFields = map[seeding.AuthType]struct{ needs, takes []Field }{
	seeding.AuthNone: {},
	seeding.AuthOdoo: {needs: []Field{CallbackAuthURL, CallbackDatabase, CallbackUsername}, takes: []Field{CallbackPassword}},
	seeding.AuthOAuth: {needs: []Field{CallbackAuthURL},
		takes: []Field{CallbackUsername, CallbackPassword, CallbackClientID, CallbackClientSecret}},
	seeding.AuthStaticBearer: {takes: []Field{CallbackToken}},
}

// authWords are the API's names of the ways to sign in.
var authWords = map[seeding.AuthType]string{
	seeding.AuthNone: "none", seeding.AuthOdoo: "odoo", seeding.AuthOAuth: "oauth", seeding.AuthStaticBearer: "static_bearer",
}

// checkAuth: MTS validates every way to sign in that is sent to it, so each field must
// belong to the one that is used (ATS-REQ-028 to 034).
func checkAuth(p Proposal) (wrong []Finding) {
	if !p.readable(CallbackAuthType) {
		return nil
	}
	c, word := p.Callback, authWords[p.Callback.AuthType]
	of := authFields[c.AuthType]
	for _, f := range c.signIn() {
		needs, takes := slices.Contains(of.needs, f.field), slices.Contains(of.takes, f.field)
		switch {
		case !p.readable(f.field):
		case needs && !f.given:
			wrong = append(wrong, find(f.field, "auth_required", "is required for auth_type "+word, "auth_type", word))
		case f.given && !needs && !takes:
			wrong = append(wrong, find(f.field, "auth_other", "belongs to another auth_type than "+word+"; leave it out", "auth_type", word))
		}
	}
	if c.AuthType == seeding.AuthOAuth && c.Username == "" && c.ClientID == "" && p.readable(CallbackUsername, CallbackClientID) {
		wrong = append(wrong, find(CallbackClientID, "auth_who", "is required for auth_type oauth, or auth_username with auth_password: else MTS asks for a token without saying for whom"))
	}
	if c.AuthType == seeding.AuthOAuth && c.Username == "" && c.Password != "" {
		wrong = append(wrong, find(CallbackUsername, "required_with", "is required with auth_password", "member", "auth_password"))
	}
	if c.AuthType == seeding.AuthOAuth && c.ClientID == "" && c.ClientSecret != "" {
		wrong = append(wrong, find(CallbackClientID, "required_with", "is required with auth_client_secret", "member", "auth_client_secret"))
	}
	return wrong
}

// moved reports whether the secrets of the callback would be sent to another server, or
// to another tenant of the same, than before: MTS, which gets all of them, the sign-in,
// or the callback, which gets the session or token of the sign-in.
func (p Proposal) moved() bool {
	if p.Before == nil || !p.Before.IsDirect() {
		return true
	}
	before, after := p.Before.Delivery.Direct, p.Callback
	return Normalise(*p.Before).MTSKey() != Normalise(p.Connector).MTSKey() ||
		place(before.URL) != place(after.URL) || place(before.Auth.URL) != place(after.AuthURL) || before.Auth.Database != after.Database
}

// place is the address of a call in its one form, with its query: Odoo for one chooses
// the database by ?db=. A text that is no address is no place but itself.
func place(text string) string {
	_, form, err := seeding.ParseCallURL(text)
	if err != nil {
		return text
	}
	return form
}

// checkSecrets: a secret that is used must be there, and must be given again where it
// would be sent to another host.
func checkSecrets(p Proposal) (wrong []Finding) {
	if !p.readable(CallbackAuthType, MTSURL, CallbackURL, CallbackAuthURL) {
		return nil
	}
	for _, s := range p.Callback.secrets() {
		if s.given || !p.readable(s.field) || !p.Callback.takes(s, p.Connector.Delivery) {
			continue
		}
		stored := p.Before != nil && p.Before.Secrets[s.name] != ""
		switch {
		case stored && p.moved():
			wrong = append(wrong, find(s.field, "secret_again", "is required again, because callback.url, callback.auth_url, callback.auth_database or mts_url is another one now"))
		case !stored && s.needed():
			wrong = append(wrong, find(s.field, "auth_required", "is required for auth_type "+authWords[p.Callback.AuthType], "auth_type", authWords[p.Callback.AuthType]))
		}
	}
	return wrong
}

const (
	mostHeaders    = 20
	longestHeaders = 4000 // of all names and values together
)

var (
	headerName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$") // a token of RFC 9110
	headerValue = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)
)

// ofTheCall are headers that belong to the call itself.
var ofTheCall = []string{"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}

// headerField is the field of one extra header.
func headerField(name string) Field {
	return CallbackHeaders + "/" + Field(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}

// checkHeaders: MTS sets extra headers last, over its own, and a value that is no
// header ends the delivery (facts/mts.md 3.3, 3.6). No value is repeated.
func checkHeaders(p Proposal) (wrong, doubtful []Finding) {
	c := p.Callback
	if !p.readable(CallbackHeaders) {
		return nil, nil
	}
	if len(c.Headers) > mostHeaders {
		return []Finding{find(CallbackHeaders, "too_many", fmt.Sprintf("must be %d headers at most", mostHeaders), "most", mostHeaders)}, nil
	}
	total, seen := 0, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		value, lower := c.Headers[name], strings.ToLower(name)
		total += len(name) + len(value)
		at := headerField(name)
		add := func(code, text string, names ...any) { wrong = append(wrong, find(at, code, text, names...)) }
		switch {
		case !headerName.MatchString(name): // it may be the value, so it is not repeated
			wrong = append(wrong, find(CallbackHeaders, "header_name", "has a name that no header has: letters, digits and hyphens, at most 64"))
		case !headerValue.MatchString(value):
			add("header_value", "must be a text of visible ASCII characters in one line, without spaces around it")
		case seen[lower]:
			add("twice", "is there twice, in capital and small letters")
		case slices.Contains(ofTheCall, lower):
			add("header_of_call", "belongs to the call itself, which MTS makes; leave it out")
		case lower == "content-type":
			add("header_content_type", "would take the place of MTS's own, application/json, and the receiver could not read the body; leave it out")
		case lower == "authorization" && (c.AuthType == seeding.AuthOAuth || c.AuthType == seeding.AuthStaticBearer):
			add("header_bearer", "would take the place of the bearer of auth_type "+authWords[c.AuthType]+"; set auth_type to none, or leave this out", "auth_type", authWords[c.AuthType])
		case lower == "cookie" && c.AuthType == seeding.AuthOdoo:
			add("header_session", "would take the place of the session of auth_type odoo; set auth_type to none, or leave this out")
		case lower == "authorization" && c.AuthType == seeding.AuthOdoo:
			doubtful = append(doubtful, find(at, "header_beside_session", "goes along with the session of auth_type odoo; one of the two is enough"))
		}
		seen[lower] = true
	}
	if total > longestHeaders {
		wrong = append(wrong, find(CallbackHeaders, "too_long", fmt.Sprintf("must be %d characters at most, with their names", longestHeaders), "most", longestHeaders))
	}
	return wrong, doubtful
}

// secretNames are parts of names under which addresses bring secrets, and secretWords
// whole words of such names ("code" and "sig" are those of Azure).
var (
	secretNames = regexp.MustCompile(`token|secret|passw|passphrase|pwd|apikey|credential|signature|bearer|authorization`)
	secretWords = []string{"key", "code", "sig", "auth", "pass", "jwt", "sas"}
)

// queryHoldsSecret reports whether the query of an address has a parameter that by its
// name is a secret.
func queryHoldsSecret(address string) bool {
	_, query, _ := strings.Cut(address, "?")
	for parameter := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(parameter, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if value == "" {
			continue
		}
		words, _ := wordsOf(separated(name))
		if secretNames.MatchString(strings.ToLower(name)) || slices.ContainsFunc(words, func(word string) bool { return slices.Contains(secretWords, word) }) {
			return true
		}
	}
	return false
}

var betweenWords = regexp.MustCompile(`([a-z0-9])([A-Z])|[^A-Za-z0-9]+`)

// separated writes a name in small letters, with "_" between its words.
func separated(name string) string {
	return strings.ToLower(betweenWords.ReplaceAllString(name, "${1}_${2}"))
}

// doubtfulCallback finds what MTS takes, and what then seldom works.
func doubtfulCallback(p Proposal) (doubtful []Finding) {
	c := p.Callback
	add := func(f Field, code, text string) { doubtful = append(doubtful, find(f, code, text)) }
	if queryHoldsSecret(c.URL) {
		add(CallbackURL, "query_secret", "seems to have a secret in its query. Everybody who may see the connector sees its addresses; a value of callback.extra_headers is shown to nobody")
	}
	if queryHoldsSecret(c.AuthURL) {
		add(CallbackAuthURL, "query_secret", "seems to have a secret in its query. Everybody who may see the connector sees its addresses; auth_password and auth_client_secret are shown to nobody")
	}
	if c.Method == "GET" {
		add(CallbackMethod, "callback_get_body", "GET is sent with a body, which many servers do not read")
	}
	switch c.AuthType {
	case seeding.AuthOAuth:
		add(CallbackAuthType, "callback_jwt", "MTS reads the access token itself: it must be a JWT with exp whose middle part has a length that is a multiple of four characters. An ordinary one has that in one case of three; then nothing is delivered. static_bearer has no such rule")
	case seeding.AuthNone:
		headers := p.Connector.Delivery.Direct.Headers
		if !slices.ContainsFunc(headers, func(name string) bool { return strings.EqualFold(name, "Authorization") }) {
			add(CallbackAuthType, "callback_open", "MTS signs in nowhere: what takes these calls takes those of anybody, and a wrong token costs a registrant its VID. (HTTP Basic is an extra header, Authorization.)")
		}
	case seeding.AuthOdoo, seeding.AuthStaticBearer:
	}
	return doubtful
}
