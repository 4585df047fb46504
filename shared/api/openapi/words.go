package openapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"openg2p.org/mts-connector/shared/api"
)

// visible is a text of a request as a reply may repeat it: characters that cannot
// be seen, or that change the direction of writing, as \u and their number, and
// not longer than a name may be.
func visible(text string) string {
	const most = 100
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

// unseen returns what is wrong with a text because of a character that cannot be
// seen, or nil. Marks that some scripts need between letters are fine.
func unseen(text string) *api.Flaw {
	for _, r := range text {
		switch {
		case r < ' ' || r == 0x7f:
			return &api.Flaw{Code: "control_character", Detail: "holds a line break or another control character"}
		case 0x80 <= r && r < 0xa0, r == '\u2028' || r == '\u2029', r == '\u00ad' || r == '\u200b' || r == '\u2060' || r == '\ufeff',
			'\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069', r == utf8.RuneError:
			return &api.Flaw{Code: "unseen_character", Params: api.Params{"character": fmt.Sprintf("%U", r)},
				Detail: fmt.Sprintf("holds a character that cannot be seen (%U)", r)}
		}
	}
	return nil
}

// likely returns the known name that was probably meant, or "".
func likely(name string, known []string) string {
	best, found := 0, ""
	given := bare(name)
	if len(given) > MaxName {
		return "" // nothing that is known has so long a name
	}
	for _, candidate := range known {
		score, other := 0, bare(candidate)
		if len(other) > MaxName {
			continue
		}
		apart := Distance(given, other, MaxName)
		switch shorter := min(len(given), len(other)); {
		case apart == 0:
			score = 1000
		case apart <= max(1, shorter/3) && shorter > 2:
			score = 500 - apart
		case shorter > 2 && (strings.Contains(given, other) || strings.Contains(other, given)):
			score = 300 - apart
		case firstWord(name) == firstWord(candidate), synonyms[given] == other:
			score = 100 - apart
		}
		if score > best {
			best, found = score, candidate
		}
	}
	return found
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

// bare is a name without what people write in different ways.
func bare(name string) string { return strings.ToLower(separators.Replace(visible(name))) }

// synonyms are what people write for a name that shares no letters with it.
var synonyms = map[string]string{"min": "shortest", "minimum": "shortest", "max": "longest", "maximum": "longest"}

// kindred returns the known name that has most words in common with another one:
// batch_maximum for max_batch, or "".
func kindred(name string, known []string) string {
	most, found := 0, ""
	for _, candidate := range known {
		if shared := sharedWords(name, candidate); shared > most {
			most, found = shared, candidate
		}
	}
	return found
}

// sharedWords counts the words of a name that another one has too, shortened,
// lengthened or with a slip: lang for language, batchsize for batch.
func sharedWords(name, other string) (count int) {
	if len(name) > MaxName || len(other) > MaxName || len(visible(name)) > MaxName {
		return 0
	}
	words := strings.Split(strings.ToLower(other), "_")
	for word := range strings.SplitSeq(strings.ToLower(visible(name)), "_") {
		if len(word) > 2 && slices.ContainsFunc(words, func(known string) bool {
			return len(known) > 2 && (strings.HasPrefix(word, known) || strings.HasPrefix(known, word) || len(known) > 3 && Distance(word, known, 1) <= 1)
		}) {
			count++
		}
	}
	return count
}

func firstWord(name string) string {
	word, _, more := strings.Cut(strings.ToLower(visible(name)), "_")
	if !more {
		return name
	}
	return word
}
