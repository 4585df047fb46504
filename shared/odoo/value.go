package odoo

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// reference is a many2one as Odoo sends it: [id, "name"], a bare id, or false.
// It drops the name, which is a registrant's.
type reference int64

func (r *reference) UnmarshalJSON(text []byte) error {
	var id [1]int64 // takes the first of a longer list
	var err error
	switch {
	case bytes.HasPrefix(text, []byte("[")):
		err = json.Unmarshal(text, &id)
	case !bytes.Equal(text, []byte("false")):
		err = json.Unmarshal(text, &id[0])
	}
	*r = reference(id[0])
	return err
}

// text is a char field; Odoo sends false for an empty one.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("false")) {
		*t = ""
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// moment is a datetime field: UTC without a zone, in whole seconds. It is zero if
// it cannot be read; it is used for a metric only.
type moment time.Time

func (m *moment) UnmarshalJSON(b []byte) error {
	read, err := time.Parse(`"`+time.DateTime+`"`, string(b))
	if err != nil {
		read = time.Time{}
	}
	*m = moment(read)
	return nil
}

// sizeOf is about the length of a value in a reply.
func sizeOf(value any) int {
	switch v := value.(type) {
	case string:
		return len(v)
	case []any:
		return 8 * len(v)
	}
	return 1
}

// plain turns every json.Number into an int, a *big.Int or a float64; an id or
// a phone number keeps all its digits.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		return number(v.String())
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return value
}

func number(digits string) any {
	if !strings.ContainsAny(digits, ".eE") {
		if i, err := strconv.Atoi(digits); err == nil {
			return i
		}
		if i, ok := new(big.Int).SetString(digits, 10); ok {
			return i
		}
	}
	f, _ := strconv.ParseFloat(digits, 64) // beyond its range it is infinite
	return f
}
