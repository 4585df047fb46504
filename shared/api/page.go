package api

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"
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
			return p, noPage("limit", Flaw{Code: "range", Params: Params{"least": 1, "most": most}, Detail: fmt.Sprintf("must be from 1 to %d", most)})
		}
		p.Limit = n
	}
	if cursor := query.Get("cursor"); cursor != "" {
		text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
		if err != nil || len(text) <= checkLength || len(text) > 1000 {
			return p, BadCursor()
		}
		p.Mark = string(text[checkLength:])
		if !utf8.ValidString(p.Mark) || p.Cursor(p.Mark) != cursor { // no store gives a mark that is no text
			return p, BadCursor()
		}
	}
	return p, nil
}

// A cursor begins with a checksum of list and mark. It keeps no secret: it tells a
// cursor that was cut off, made up, or given for another list.
const checkLength = 6

// Cursor makes the next mark opaque; "" means that there is no next page.
func (p Page) Cursor(next string) string {
	if next == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(p.List + ":" + next))
	return base64.RawURLEncoding.EncodeToString(append(sum[:checkLength], next...))
}

// BadCursor is the reply to a cursor that this list did not give, or that is not
// valid any more.
func BadCursor() *Problem {
	return noPage("cursor", Flaw{Code: "cursor", Detail: "is not the next of a reply to this list; begin without a cursor"})
}

func noPage(parameter string, flaw Flaw) *Problem {
	return NewProblem(WrongParameters, "The page cannot be given.", FieldError{Parameter: parameter, Flaw: flaw})
}
