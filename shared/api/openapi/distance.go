package openapi

// MaxName is the longest name that is compared with others, in bytes.
const MaxName = 64

// Distance is how many letters of a are to be changed, put in, left out or
// exchanged with the next one to make b: most+1 if more than most. Neither may be
// longer than MaxName. It looks at (2 * most + 1) pairs for each letter of a.
func Distance(a, b string, most int) int {
	if max(len(a)-len(b), len(b)-len(a)) > most {
		return most + 1
	}
	var before, last, row [MaxName + 1]int // three rows of the table; row[j] is for b[:j]
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
