package openapi_test

import (
	"testing"

	"pgregory.net/rapid"

	"openg2p.org/mts-connector/shared/api/openapi"
)

// What is counted as apart is what the whole table of distances gives.
func TestDistanceIsThatOfTheWholeTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ab_]{0,9}`)
		a, b, most := name.Draw(t, "a"), name.Draw(t, "b"), rapid.IntRange(0, 12).Draw(t, "most")
		if got, want := openapi.Distance(a, b, most), min(wholeTable(a, b), most+1); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func wholeTable(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
