package system_test

import "testing"

// VIDs that were entered with spaces, hyphens and marks that nobody sees are tokenised and
// removed like any other.
func TestVIDWithASpaceIsTokenised(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(20)
	for i, id := range ids {
		vid := w.vidOf(id).Value
		w.registry.SetVID(id, []string{" " + vid, vid + " ", vid + "\u00a0", "\ufeff" + vid, vid + "\u200b", "\t" + vid + "\n",
			vid[:4] + " " + vid[4:8] + " " + vid[8:12] + " " + vid[12:], vid[:4] + "\u00a0" + vid[4:], vid[:8] + "\u2009" + vid[8:],
			vid[:4] + "-" + vid[4:8] + "\u2011" + vid[8:], "'" + vid}[i%11])
	}
	c := w.connector(nil)
	w.finish(30, c)
	expect(t, "tokenised", w.tokenised(), 20)
	expect(t, "VIDs left", len(w.vids()), 0)
	_, rejected := w.rejections(c)
	expect(t, "rejections", len(rejected), 0)
}
