package mtssim

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// odkConfig says which submissions of an ODK Central are to be pulled.
type odkConfig struct {
	baseURL, version, email, password string
	odataURL, projectID, formID       string
	start, end                        string
}

func (f *form) odkConfig(request map[string]any) (c odkConfig) {
	o, ok := f.object(request, "odkconfig", true)
	if !ok {
		return c
	}
	optional := func(key string) string {
		if o[key] == nil {
			return ""
		}
		return f.asText(o[key])
	}
	c = odkConfig{
		baseURL: f.text(o, "baseurl", true, ""), email: f.text(o, "email", true, ""), password: f.text(o, "password", true, ""),
		version: f.text(o, "version", false, "v1"), odataURL: optional("odataurl"), projectID: optional("projectid"), formID: optional("formid"),
		start: optional("startdate"), end: optional("enddate"),
	}
	if c.version == "" {
		c.version = "v1"
	}
	return c
}

// pull reads a window of submissions as MTS does (facts/mts.md 2.6): it never looks at
// a status, and takes one page. The worker that pulls does nothing else meanwhile.
func pull(ctx context.Context, dial dialer, c odkConfig) ([]map[string]any, *errorReply) {
	bad := func(code, message string) ([]map[string]any, *errorReply) {
		return nil, refused(http.StatusBadRequest, code, message)
	}
	switch "" {
	case c.baseURL:
		return bad("ATS-REQ-18", "no odk baseurl provided")
	case c.email:
		return bad("ATS-REQ-19", "no email provided")
	case c.password:
		return bad("ATS-REQ-20", "no password provided")
	}
	body, err := json.Marshal(map[string]string{"email": c.email, "password": c.password})
	if err != nil {
		return nil, internal(err.Error())
	}
	signIn, err := fetch(ctx, dial, outgoing{method: "post", url: c.baseURL + "/" + c.version + "/sessions", contentType: "application/json"}, body)
	if err != nil {
		return nil, internal(err.Error())
	}
	token, ok := signIn["token"]
	if !ok {
		return nil, internal("'token'")
	}
	address := c.odataURL
	switch {
	case address != "":
	case c.projectID == "":
		return bad("ATS-REQ-21", "no odk project id provided")
	case c.formID == "":
		return bad("ATS-REQ-22", "no odk form id provided")
	default:
		address = fmt.Sprintf("%s/%s/projects/%s/forms/%s.svc/Submissions", c.baseURL, c.version, c.projectID, c.formID)
	}
	if c.start != "" && c.end != "" {
		separator := "?"
		if strings.Contains(address, "?") {
			separator = "&"
		}
		address += separator + "$filter=__system/submissionDate%20ge%20" + c.start + "%20and%20__system/submissionDate%20lt%20" + c.end
	}
	text, _ := asText(token)
	list, err := fetch(ctx, dial, outgoing{method: "get", url: requoted(address), bearer: text}, nil)
	if err != nil {
		return nil, internal(err.Error())
	}
	rows, _ := list["value"].([]any)
	if len(rows) == 0 {
		return bad("ATS-REQ-23", "no submissions found for odk pull")
	}
	records := make([]map[string]any, 0, len(rows))
	for _, row := range rows {
		record, ok := row.(map[string]any)
		if !ok {
			return nil, internal("a submission is no object")
		}
		records = append(records, record)
	}
	return records, nil
}

// fetch makes a call without a time limit and reads a reply that is a JSON object,
// whatever its status. Its errors have the text of the exception, or one near to it.
func fetch(ctx context.Context, dial dialer, c outgoing, body []byte) (map[string]any, error) {
	answer, err := send(ctx, dial, c, noLimit, body)
	if err != nil {
		return nil, err
	}
	text := answer.body
	if answer.header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if text, err = io.ReadAll(unpacked); err != nil {
			return nil, err
		}
	}
	value, err := decodeJSON(text)
	switch object, isObject := value.(map[string]any); {
	case err != nil && (len(text) == 0 || !strings.ContainsRune(`{["-0123456789tfn`, rune(text[0]))):
		return nil, fmt.Errorf("Expecting value: line 1 column 1 (char 0)") //nolint:staticcheck // Python's text
	case err != nil:
		return nil, fmt.Errorf("Expecting ',' delimiter: line 1 column %d (char %d)", len(text)+1, len(text)) //nolint:staticcheck // Python's text
	case !isObject:
		return nil, fmt.Errorf("list indices must be integers or slices, not str")
	default:
		return object, nil
	}
}

// requoted writes what an address may not hold as it is as %XX, as requests does; what
// is written so already stays.
func requoted(address string) string {
	const safe = "!#$%&'()*+,/:;=?@[]~-._"
	var b strings.Builder
	for _, c := range []byte(address) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
