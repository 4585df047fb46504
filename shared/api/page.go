package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Page is what a request asks of a list: up to Limit entries after Mark. The
// mark is the store's; the client sees it as an opaque cursor.
type Page struct {
	List  string // name of the list: the cursor of another is refused
	Mark  string // "" is the beginning
	Limit int
}

const defaultLimit = 50

// ReadPage reads the parameters limit and cursor of a request for a list. A page
// has at most most entries.
func ReadPage(r *http.Request, list string, most int) (Page, error) {
	p := Page{List: list, Limit: defaultLimit}
	query := r.URL.Query()
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > most {
			return p, noPage("limit", fmt.Sprintf("must be from 1 to %d", most))
		}
		p.Limit = n
	}
	if cursor := query.Get("cursor"); cursor != "" {
		text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		of, mark, found := strings.Cut(string(text), ":")
		if err != nil || !found || of != list || mark == "" || len(mark) > 1000 {
			return p, BadCursor()
		}
		p.Mark = mark
	}
	return p, nil
}

// Cursor makes the next mark opaque; "" means that there is no next page.
func (p Page) Cursor(next string) string {
	if next == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(p.List + ":" + next))
}

// BadCursor is the reply to a cursor that this list did not give, or that is not
// valid any more.
func BadCursor() *Problem {
	return noPage("cursor", "is not the next of a reply to this list; begin without a cursor")
}

func noPage(parameter, detail string) *Problem {
	return NewProblem(http.StatusBadRequest, "The page cannot be given.", FieldError{Parameter: parameter, Detail: detail})
}
