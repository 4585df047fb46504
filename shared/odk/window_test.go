package odk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/seeding"
)

// Pages of a window are its newest submissions, without their fields, whatever release.
func TestPageOfAWindow(t *testing.T) {
	for _, release := range []string{"", "2022.2"} {
		t.Run("release "+release, func(t *testing.T) {
			c := newCentral(t, centralsim.Options{Release: release})
			c.submit(5)
			c.form.Edit("s3", map[string]string{"vid": "2"})
			w := seeding.Window{From: start, To: start.Add(4 * time.Second)}
			for most, want := range map[int]string{1: "s3/1 true", 3: "s3/1 s2/0 s1/0 true", 4: "s3/1 s2/0 s1/0 s0/0 false", 1000: "s3/1 s2/0 s1/0 s0/0 false"} {
				list, more, err := c.at.Page(t.Context(), w, most)
				var got []string
				for _, s := range list {
					got = append(got, fmt.Sprintf("%s/%d", s.ID, s.Edits))
					if !w.Has(s.Received) {
						t.Errorf("%s of %v", s.ID, s.Received)
					}
				}
				if text := strings.Join(append(got, fmt.Sprint(more)), " "); err != nil || text != want {
					t.Errorf("%d at most: %s, %v; want %s", most, text, err, want)
				}
			}
			if list, more, err := c.at.Page(t.Context(), seeding.Window{From: start.Add(time.Hour), To: start.Add(2 * time.Hour)}, 10); len(list) != 0 || more || err != nil {
				t.Error(list, more, err)
			}
		})
	}
}

// A mark changes with what a window holds. Of an older Central it shows only the count.
func TestMarkOfAWindow(t *testing.T) {
	for _, release := range []string{"", "2025.4"} {
		t.Run("release "+release, func(t *testing.T) {
			c := newCentral(t, centralsim.Options{Release: release})
			c.submit(3)
			first, same, err := c.at.Mark(t.Context(), everything, "")
			if err != nil || same || first == "" || strings.HasPrefix(first, seeding.CountMark) != (release != "") {
				t.Fatal(first, same, err)
			}
			if again, same, err := c.at.Mark(t.Context(), everything, first); again != first || !same || err != nil {
				t.Error(again, same, err)
			}
			c.form.Submit(centralsim.Submission{ID: "more"})
			if next, same, err := c.at.Mark(t.Context(), everything, first); next == first || same || err != nil {
				t.Error(next, same, err)
			}
		})
	}
}

// Now is the time of the clock that stamps submissions.
func TestNowOfCentral(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.clock.Store(start.Add(3 * time.Hour).UnixMicro())
	at, err := c.at.Now(t.Context())
	if err != nil || at.Sub(start.Add(3*time.Hour)).Abs() > time.Second {
		t.Errorf("%v, %v", at, err)
	}
}

// What MTS is given of a batch: an address that Central answers, with no more fields than
// the mapping reads.
func TestWhatMTSIsGiven(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	c.submit(3)
	connector := seeding.Connector{ODK: seeding.ODKSource{BaseURL: c.http.URL, Email: reader}}
	w := seeding.Window{From: start, To: start.Add(time.Minute)}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("uuid:00000000-0000-4000-8000-%012d", i))
	}
	for name, test := range map[string]struct {
		columns string
		batch   seeding.Batch
		reads   []string
		want    string // after the address of the submissions
	}{
		"a window":                     {batch: seeding.Batch{Window: w}, reads: []string{"person", "vid"}, want: "?$select=__id,__system,person,vid"},
		"fields that the form has not": {batch: seeding.Batch{Window: w}, reads: []string{"vid", "phoneNumber", "child", "a b"}, want: "?$select=__id,__system,vid"},
		"reads that nobody knows":      {batch: seeding.Batch{Window: w}, want: ""},
		"columns of the user":          {columns: "?$select=__id,vid", batch: seeding.Batch{Window: w}, reads: []string{"person"}, want: "?$select=__id,vid,__system"},
		"repeats of the user":          {columns: "?$expand=*", batch: seeding.Batch{Window: w}, reads: []string{"person"}, want: "?$expand=*"},
		"ids":                          {batch: seeding.Batch{Submissions: []string{"uuid:a", "b c"}}, reads: []string{"vid"}, want: "?$filter=__id%20eq%20'uuid%3Aa'%20or%20__id%20eq%20'b%20c'&$select=__id,__system,vid"},
	} {
		t.Run(name, func(t *testing.T) {
			of := connector
			of.ODK.ODataURL = c.http.URL + "/v1/projects/1/forms/reg.svc/Submissions" + test.columns
			forms := odk.Forms{Client: c.users, Password: func(context.Context, seeding.Connector) (string, error) { return password, nil }}
			pull, err := forms.Pull(t.Context(), of, test.batch, test.reads)
			_, got, _ := strings.Cut(pull.ODataURL, "/Submissions")
			if err != nil || got != test.want || pull.Password != password || pull.Email != reader || pull.BaseURL != c.http.URL || pull.Window != test.batch.Window || !slices.Equal(pull.Submissions, test.batch.Submissions) {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
	forms := odk.Forms{Client: c.users, Password: func(context.Context, seeding.Connector) (string, error) { return "", seeding.ErrNotFound }}
	connector.ODK.ODataURL = c.http.URL + "/v1/projects/1/forms/reg.svc/Submissions"
	if _, err := forms.OpenForm(t.Context(), connector); !errors.Is(err, seeding.ErrNotFound) {
		t.Error(err)
	}
	forms.Password = func(context.Context, seeding.Connector) (string, error) { return password, nil }
	pull, err := forms.Pull(t.Context(), connector, seeding.Batch{Submissions: many}, []string{"vid", "person", "where"})
	if err != nil || len(pull.ODataURL) > 7500 || strings.Count(pull.ODataURL, "__id%20eq") != 100 {
		t.Errorf("%d bytes, %v", len(pull.ODataURL), err)
	}
	if _, err := forms.Pull(t.Context(), connector, seeding.Batch{Submissions: []string{"it's"}}, nil); codeOf(err) != odk.NotAskable || odk.NotAskable != seeding.CodeNotAskable {
		t.Error(err)
	}
}

// MTS reads by the addresses that it is given what Central has of a batch.
func TestMTSReadsWhatItIsGiven(t *testing.T) {
	c := newCentral(t, centralsim.Options{})
	mts := newSeeder(t)
	e := c.Populate(50, 3)
	c.Assign(reader, 1, centralsim.Viewer)
	connector := seeding.Connector{ODK: seeding.ODKSource{BaseURL: c.http.URL, Email: reader, ODataURL: c.http.URL + "/v1/projects/1/forms/reg.svc/Submissions"}}
	forms := odk.Forms{Client: c.users, Password: func(context.Context, seeding.Connector) (string, error) { return password, nil }}
	form, err := forms.OpenForm(t.Context(), connector)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := form.Page(t.Context(), seeding.Window{From: e.From, To: e.To}, 1000)
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	pull, err := forms.Pull(t.Context(), connector, seeding.Batch{Window: seeding.Window{From: e.From, To: e.To}}, []string{"vid", "person", "where"})
	if err != nil {
		t.Fatal(err)
	}
	if got := mts.pull(t, pull.BaseURL, pull.ODataURL, pull.Password, pull.Window); got != "accepted" {
		t.Fatal(got)
	}
	if rows := mts.answers(t); len(rows) != len(list) {
		t.Errorf("%d answers for %d submissions", len(rows), len(list))
	}
}
