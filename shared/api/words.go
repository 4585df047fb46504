package api

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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
// seen, or "". Marks that some scripts need between letters are fine.
func unseen(text string) string {
	for _, r := range text {
		switch {
		case r < ' ' || r == 0x7f:
			return "holds a line break or another control character"
		case 0x80 <= r && r < 0xa0, r == '\u2028' || r == '\u2029', r == '\u00ad' || r == '\u200b' || r == '\u2060' || r == '\ufeff',
			'\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069', r == utf8.RuneError:
			return fmt.Sprintf("holds a character that cannot be seen (%U)", r)
		}
	}
	return ""
}

// maxName is the longest name that is compared with others, in bytes.
const maxName = 64

// likely returns the known name that was probably meant, or "".
func likely(name string, known []string) string {
	best, found := 0, ""
	given := bare(name)
	if len(given) > maxName {
		return "" // nothing that is known has so long a name
	}
	for _, candidate := range known {
		score, other := 0, bare(candidate)
		if len(other) > maxName {
			continue
		}
		apart := distance(given, other, maxName)
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
	if len(name) > maxName || len(other) > maxName || len(visible(name)) > maxName {
		return 0
	}
	words := strings.Split(strings.ToLower(other), "_")
	for word := range strings.SplitSeq(strings.ToLower(visible(name)), "_") {
		if len(word) > 2 && slices.ContainsFunc(words, func(known string) bool {
			return len(known) > 2 && (strings.HasPrefix(word, known) || strings.HasPrefix(known, word) || len(known) > 3 && distance(word, known, 1) <= 1)
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

// distance is how many letters of a are to be changed, put in, left out or
// exchanged with the next one to make b: most+1 if more than most. Neither may be
// longer than maxName. It looks at (2 * most + 1) pairs for each letter of a.
func distance(a, b string, most int) int {
	if max(len(a)-len(b), len(b)-len(a)) > most {
		return most + 1
	}
	var before, last, row [maxName + 1]int // three rows of the table; row[j] is for b[:j]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		first, end := max(1, i-most), min(len(b), i+most)
		row[first-1] = most + 1 // left of the pairs that count
		if first == 1 {
			row[0] = i
		}
		for j := first; j <= end; j++ {
			row[j] = min(last[j-1]+1, row[j-1]+1)
			if a[i-1] == b[j-1] {
				row[j] = min(row[j], last[j-1])
			}
			if j < i+most { // else above the pairs that count
				row[j] = min(row[j], last[j]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return min(last[len(b)], most+1)
}
