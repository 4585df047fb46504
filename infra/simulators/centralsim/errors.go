package centralsim

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// refusal is an error of Central's backend. Its code is a number whose whole part is
// the status; an unforeseen error has none (facts/odk.md 1).
type refusal struct {
	status  int
	code    string
	message string
	details any
}

func refuse(code, message string) *refusal {
	status, _ := strconv.Atoi(code[:3])
	return &refusal{status: status, code: code, message: message}
}

var (
	errInternal       = &refusal{status: http.StatusInternalServerError, message: "Internal Server Error"}
	errCredentials    = refuse("401.2", "Could not authenticate with the provided credentials.")
	errNotSecure      = refuse("401.3", "This authentication method is only available over HTTPS")
	errNoBasic        = refuse("401.5", "This authentication method is not allowed.")
	errNoRight        = refuse("403.1", "The authentication you provided does not have rights to perform that action.")
	errNotFound       = refuse("404.1", "Could not find the resource you were looking for.")
	errNoVersion      = refuse("404.2", "Expected an API version (eg /v1) at the start of the request URL.")
	errOtherVersion   = refuse("404.3", "This API only supports version v1.")
	errNotJSON        = refuse("400.1", "Could not parse the given data as json.")
	errTooLong        = refuse("400.36", "The given request body was too large.")
	errNotANumber     = refuse("400.11", "Invalid input data type: expected a number.")
	errFilterSyntax   = refuse("400.18", "The OData filter expression you provided could not be parsed.")
	errNoSuchColumn   = refuse("400.23", "The $select expression names a property that does not exist.")
	errColumnOfRepeat = refuse("400.24", "The $select expression names a property of a repeat.")
	errSkipToken      = refuse("400.35", "Invalid $skiptoken.")
	errFormat         = refuse("406.1", "Unacceptable format. This resource only supports: json.")
	errParameter      = refuse("501.1", "The requested feature is not supported by this server.")
	errFunction       = refuse("501.4", "The given OData filter expression uses a function that is not supported by this server.")
	errField          = refuse("501.5", "The given OData filter expression references fields not supported by this server.")
	errExpand         = refuse("501.6", "The $expand value is not supported by this server: only * is.")
	errExpandSelect   = refuse("501.11", "Using $expand together with $select is not supported by this server.")
)

// send writes the error as the backend does.
func (e *refusal) send(w http.ResponseWriter) {
	code := ""
	if e.code != "" {
		code = `,"code":` + e.code
	}
	text, _ := json.Marshal(e.message)
	details := ""
	if e.details != nil {
		if d, err := json.Marshal(e.details); err == nil {
			details = `,"details":` + string(d)
		}
	}
	header(w, "application/json; charset=utf-8")
	w.WriteHeader(e.status)
	_, _ = w.Write([]byte(`{"message":` + string(text) + code + details + `}`))
}

// page is one of nginx's own pages.
func page(w http.ResponseWriter, status int) {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Server", "nginx")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"))
}

func header(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Vary", "Accept-Encoding, Origin")
}

// hangUp closes the connection without an answer, or in the middle of one.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}
