package setup

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Types do not tell which text a date is, which groups a pattern has, or how long a
// list is. So an expression that could give a text is tried on made records as well,
// which hold what fields of these names usually hold, and what the expression itself
// looks for. They are no proof, so what they show only warns.

const (
	madeRecords = 600 // at most
	madeFields  = 10  // at most, that an expression reads
)

// Texts of fields whose form Odoo, or what they are for, decides.
var (
	dateWords = []string{"birthdate", "birthday", "date", "dob"}
	dates     = []string{"1990-11-02", "1987-03-25", "1954-12-31", "2004-02-29", "1970-01-01", "2019-06-30", "1931-07-04"}
	date      = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`)
	freely    = []string{
		"Ana", "José María", "CRUZ, JOSÉ MARÍA", "de la Cruz", "ana maria luz cruz", "Maria-Luz O'Neil", "Male", "female", "M", "F",
		"1990-11-02", "1990-11-02 16:00:00", "02/11/1990", "2 November 1990", "1990-11-02T16:00:00Z", "1990", "5028", "61042039", "6104203947251938", "true",
		"+63 (917) 123-4567", "09171234567", "ana.cruz@example.org", "12 Rizal Ave.,\nBrgy. San José,  Calamba 4027", "12 Long Street, Laguna, Philippines",
		"a/b/c", "a-b-c-d", "VID: 6104203947251938", " Ana ",
	}
)

// kind is what made records tell fields apart by.
type kind int

const (
	own kind = iota // anything, as in a field of which nothing is known
	number
	vid
	dateText
	text
	relationToOne
	relationToSeveral
)

func kindOf(field string) kind {
	_, last := wordsOf(field)
	switch usual := usualTypes(field); {
	case field == "id":
		return number
	case field == "vid":
		return vid
	case usual == seeding.Text|seeding.False && slices.Contains(dateWords, last):
		return dateText
	case usual == seeding.Text|seeding.False:
		return text
	case usual == seeding.Numbers:
		return relationToSeveral
	case usual == seeding.Pair|seeding.False:
		return relationToOne
	}
	return own
}

// values are what a field of a kind may hold in made records; what fits the
// expression best comes first.
func values(of kind, sought seeding.Sought) (list []any) {
	texts := slices.Concat(sought.Texts, freely)
	switch of {
	case number:
		return []any{17, 4, 1_000_017, 250}
	case vid:
		return append([]any{"6104203947251938", "5028139460718425", "9130274856102947"}, asAny(sought.Texts)...)
	case dateText:
		return asAny(slices.Concat(dates, slices.DeleteFunc(texts, func(text string) bool { return !date.MatchString(text) })))
	case text:
		return append(asAny(texts), inJSON(object(sought, "Ana")))
	case relationToSeveral:
		return []any{[]any{4, 9}, []any{31}, []any{12, 5, 8}}
	case own:
		list = asAny(texts)
	}
	for i, text := range texts {
		list = append(list, []any{5 + i, text})
	}
	if of == relationToOne {
		return list
	}
	for _, n := range append([]float64{0, 1, 17, 34, 1990, 250_000, 639171234567}, sought.Numbers...) {
		list = append(list, n, n+1, n-1)
	}
	nested := []any{[]any{"Ana", "Cruz"}, object(sought, "Ana"), []any{object(sought, "Ana")}}
	for _, value := range append(nested, asAny(texts[:min(len(texts), 5)])...) {
		of := object(sought, value)
		list = append(list, of, []any{of, of}, inJSON(of), inJSON([]any{of, of}))
	}
	return append(list, true, false, []any{}, []any{4, 9}, []any{"Ana", "Cruz", "Luz"}, []any{object(sought, "Ana"), object(sought, "Cruz")})
}

// object is what a field of JSON may hold.
func object(sought seeding.Sought, value any) any {
	members := map[string]any{}
	for _, name := range sought.Names {
		members[name] = value
	}
	return members
}

// inJSON is a text of JSON. What has an error here has none to tell: it is made of
// texts, lists and objects.
func inJSON(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}

func asAny(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// made are records of these fields, whose names count for nothing if they may hold
// anything. There are three sorts: each value of a field in turn; only what fits best,
// so that several conditions can hold at once; and any values, with empty fields,
// which are false in Odoo. The same call makes the same records.
func made(fields []string, sought seeding.Sought, anything bool) []seeding.Record {
	lists, most := map[kind][]any{}, 0
	kindFor := func(field string) kind {
		if k := kindOf(field); !anything || k == number || k == vid {
			return k
		}
		return own
	}
	for _, field := range fields {
		k := kindFor(field)
		if lists[k] == nil {
			lists[k] = values(k, sought)
		}
		most = max(most, len(lists[k]))
	}
	choose := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // guards nothing
	records := make([]seeding.Record, min(3*most, madeRecords))
	for i := range records {
		records[i] = seeding.Record{}
	}
	for at, field := range fields {
		list := lists[kindFor(field)]
		order := choose.Perm(len(list))
		if at == 0 { // all of the first ones, whatever else there is
			slices.Sort(order)
		}
		for i, record := range records {
			switch {
			case i%3 == 0:
				record[field] = list[order[i/3%len(list)]]
			case i%3 == 1:
				record[field] = list[choose.IntN(min(len(list), 4))]
			case field != "id" && field != "vid" && choose.IntN(3) == 0:
				record[field] = false
			default:
				record[field] = list[choose.IntN(len(list))]
			}
		}
	}
	return records
}

// tried says what is wrong with an expression if no made record fits it, or if what
// it gives for them is no use; nil for nothing.
func (r Rules) tried(expression string, outcome seeding.Outcome, known map[string]seeding.Types, field string) *seeding.Flaw {
	fields := slices.DeleteFunc(slices.Clone(outcome.Reads), func(name string) bool { _, isKnown := known[name]; return !isKnown })
	if outcome.ReadsAny || len(fields) == 0 || len(fields) > madeFields {
		return nil
	}
	sought := r.Mappings.Sought(expression)

	results, ok := r.Mappings.Try(expression, made(fields, sought, false))
	if !ok {
		return nil
	}
	var given, blank, withNull int
	for _, result := range results {
		switch text, isText := result.(string); {
		case isText && strings.TrimSpace(text) == "":
			blank++
		case isText:
			given++
			if strings.Contains(text, "null") {
				withNull++
			}
		case result != nil && result != false && takenBy(field)&seeding.Number != 0:
			given++
		}
	}
	holds := strings.Join(fields, ", ")
	for _, name := range fields {
		if words := strings.Split(name, "_"); slices.Contains(dateWords, words[len(words)-1]) {
			holds += " (a date is 1990-11-02)"
			break
		}
	}
	switch {
	case given == 0 && blank > 0:
		return flaw("expression_probably_blank", "probably gives nothing but an empty text, whatever the record holds in "+holds, "reads", fields)
	case given == 0:
		return flaw("expression_probably_nothing", "probably gives nothing: no usual value of "+holds+" fits what the expression looks for. Check names of groups and members, positions, separators, and small and capital letters", "reads", fields)
	case withNull == given && !strings.Contains(expression, "null"):
		return flaw("expression_probably_null", "probably writes \"null\" into the text: a part of it is not there, such as a group, a member or a position that the expression names, for usual values of "+holds, "reads", fields)
	}
	if numbers := r.numbersOfRecords(expression, fields, sought, field); numbers != nil {
		return numbers
	}
	if results, ok = r.Mappings.Try(expression, made(fields, sought, true)); ok && allSame(results) {
		return flaw("expression_probably_same", "probably gives the same for everybody, whatever a record holds; name the field that holds it, or a condition")
	}
	return nil
}

// allSame reports whether the results are one and the same text.
func allSame(results []any) bool {
	first, isText := results[0].(string)
	return isText && !slices.ContainsFunc(results, func(result any) bool { return result != first })
}

// numbersOfRecords says that an expression takes the number of a record for a text.
// Relations hold such numbers, and outside of the registry they mean nothing. It shows
// when made records get other numbers and all else stays: what is given is another
// text then. Both numbers are none that an expression compares with.
func (r Rules) numbersOfRecords(expression string, fields []string, sought seeding.Sought, field string) *seeding.Flaw {
	relations := slices.DeleteFunc(slices.Clone(fields), func(name string) bool { return !r.isRelation(expression, name, fields, sought) })
	if len(relations) == 0 {
		return nil
	}
	records := made(fields, sought, false)
	one, ok := r.Mappings.Try(expression, numbered(records, relations, 1_234_560))
	other, okOther := r.Mappings.Try(expression, numbered(records, relations, 2_469_120))
	if !ok || !okOther {
		return nil
	}
	for i := range one {
		if ofUse(one[i], field) && one[i] != other[i] {
			return flaw("expression_record_number", "probably gives the number of a record of Odoo, which means nothing outside of the registry: "+strings.Join(held(relations), "; "), "reads", relations)
		}
	}
	return nil
}

// isRelation reports whether a field holds numbers of records. One whose name ends in
// _id may hold a text or a number as well: it does not, if an expression makes no use of
// these but for a character or two.
func (r Rules) isRelation(expression, name string, fields []string, sought seeding.Sought) bool {
	words, last := wordsOf(name)
	switch k := kindOf(name); {
	case k == relationToOne || k == relationToSeveral:
		return true
	case k != own || last != "id" || len(words) < 2:
		return false
	}
	records := made(fields, sought, false)
	whole := []any{"qxzj7777kvwy", 77777}
	for i, record := range records {
		record[name] = whole[i%len(whole)]
	}
	results, ok := r.Mappings.Try(expression, records)
	for i, result := range results {
		text, given := fmt.Sprint(result), fmt.Sprint(whole[i%len(whole)])
		if result == nil {
			continue
		}
		for at := range len(given) - 2 {
			if strings.Contains(text, given[at:at+3]) {
				return false
			}
		}
	}
	return ok
}

// numbered are copies of records whose relations have numbers above a number. Their
// order stays, and whether they are even.
func numbered(records []seeding.Record, relations []string, above int) []seeding.Record {
	copies := make([]seeding.Record, len(records))
	for i, record := range records {
		copies[i] = maps.Clone(record)
		for _, name := range relations {
			held, _ := record[name].([]any)
			if kindOf(name) == own {
				held = []any{i, freely[i%len(freely)]}
			}
			if held == nil {
				continue // empty
			}
			list := slices.Clone(held)
			for at, v := range list {
				if n, isNumber := v.(int); isNumber {
					list[at] = above + n
				}
			}
			copies[i][name] = list
		}
	}
	return copies
}

// ofUse reports whether a result is one that a field of MTS takes.
func ofUse(result any, field string) bool {
	switch result.(type) {
	case string:
		return true
	case int, float64, json.Number:
		return takenBy(field)&seeding.Number != 0
	}
	return false
}
