package setup

import (
	"slices"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// usualTypes are what a field of this name usually holds in Odoo, where an empty
// field is false. A module may have it otherwise, so this refuses nothing.
func usualTypes(field string) seeding.Types {
	words, last := wordsOf(field)
	switch {
	case field == "id":
		return seeding.Number
	case field == "vid":
		return seeding.Text
	case len(words) > 1 && last == "ids":
		return seeding.Numbers
	case slices.Contains(relations, field):
		return seeding.Pair | seeding.False
	case slices.Contains(texts, field) || slices.Contains(textWords, last):
		return seeding.Text | seeding.False
	}
	return seeding.Null | seeding.Boolean | seeding.Number | seeding.Text | seeding.Numbers | seeding.Pair
}

// wordsOf are the words of a field's name, without a number behind them.
func wordsOf(field string) (words []string, last string) {
	words = strings.Split(strings.TrimRight(field, "0123456789_"), "_")
	return words, words[len(words)-1]
}

// Fields of registrants in Odoo and OpenG2P (facts/odoo.md).
var (
	relations = []string{"company_id", "country_id", "parent_id", "state_id", "user_id"}
	texts     = []string{"birth_place", "city", "mobile", "phone", "zip"}
	textWords = []string{"address", "birthdate", "birthday", "date", "dob", "email", "gender", "name", "sex", "street", "text"}
)

// unusual says what is wrong with an expression if it can give no text from what
// the fields that it reads usually hold; nil for nothing.
func (r Rules) unusual(expression string, known map[string]seeding.Types, field string) *seeding.Flaw {
	usual := map[string]seeding.Types{}
	for name := range known {
		usual[name] = usualTypes(name)
	}
	outcome, err := r.Mappings.Foresee(expression, usual)
	if err != nil || outcome.Gives&takenBy(field) != 0 {
		return nil //nolint:nilerr // what cannot be read is found elsewhere
	}
	gives := "nothing"
	switch given := outcome.Gives &^ (seeding.Null | seeding.False); {
	case given == seeding.Blank:
		gives = "nothing but an empty text"
	case given&seeding.Written != 0:
		gives = "nothing but the numbers of records"
	case given&^seeding.Blank != 0:
		gives = "no text but " + inWords(given)
	}
	reasons := held(outcome.Reads)
	if len(reasons) == 0 {
		reasons = []string{"what a relation holds is its number and its name, [5, \"Laguna\"], so the name is state_id[1]; what a relation to several holds are their numbers; only a field of JSON has names"}
	}
	return flaw("expression_unusual", "probably gives "+gives+": "+strings.Join(reasons, "; "), "reads", outcome.Reads)
}

// held says what fields usually hold, where that is known.
func held(fields []string) (said []string) {
	for _, name := range fields {
		words, last := wordsOf(name)
		switch usual := usualTypes(name); {
		case usual == seeding.Text|seeding.False || usual == seeding.Text:
			said = append(said, name+" holds a text, or false if it is empty, so leave out what needs a number, a list or an object, or make that of it first, by strptime or split")
		case usual == seeding.Numbers:
			said = append(said, name+" holds the numbers of records, [4, 9], and nothing below them; select a field that holds the value itself")
		case usual == seeding.Pair|seeding.False || last == "id" && len(words) > 1:
			said = append(said, name+" holds the number and the name of a record, [5, \"Laguna\"], or false, so its name is "+name+"[1]")
		}
	}
	return said
}
