package odk_test

import (
	"errors"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/odk"
	"openg2p.org/mts-connector/shared/seeding"
)

const base = "https://central.example.org"

// Whatever a user has leads to the one form that MTS takes, or to a reason.
func TestAddresses(t *testing.T) {
	const reg = base + "/v1/projects/1/forms/reg.svc/Submissions"
	for _, test := range []struct{ base, odata, want string }{
		{base, base + "/v1/projects/1/forms/reg.svc", reg},
		{base, base + "/v1/projects/1/forms/reg.svc/", reg},
		{base, base + "/v1/projects/1/forms/reg.svc//", reg},
		{base, reg, reg},
		{base, reg + "/", reg},
		{base + "/", reg, reg},
		{base + "/v1", reg, reg},
		{base + "/v1/", reg, reg},
		{" " + base + " ", "\t" + reg + "\n", reg},
		{"HTTPS://Central.Example.org:443", reg, reg},
		{base, "https://CENTRAL.example.org:443/v1/projects/1/forms/reg.svc", reg},
		{base, base + "/v1/projects/01/forms/reg.svc", reg},
		{base + "/odk", base + "/odk/v1/projects/12/forms/Reg.svc", base + "/odk/v1/projects/12/forms/Reg.svc/Submissions"},
		{"http://10.0.0.1:8080", "http://10.0.0.1:8080/v1/projects/1/forms/reg.svc", "http://10.0.0.1:8080/v1/projects/1/forms/reg.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/f.svc.svc", base + "/v1/projects/1/forms/f.svc.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/my%20form.svc", base + "/v1/projects/1/forms/my%20form.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/my form.svc", base + "/v1/projects/1/forms/my%20form.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/a%C3%B1o.svc", base + "/v1/projects/1/forms/a%C3%B1o.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/año.svc", base + "/v1/projects/1/forms/a%C3%B1o.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/a%2Fb.svc", base + "/v1/projects/1/forms/a%2Fb.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/%72eg.svc", reg},
		{base, base + "/v1/projects/1/forms/a&b.svc", base + "/v1/projects/1/forms/a&b.svc/Submissions"},
		{base, base + "/v1/projects/1/forms/submissions.svc", base + "/v1/projects/1/forms/submissions.svc/Submissions"},
		{base, reg + "?", reg},
		{base, reg + "?$expand=*", reg + "?$expand=*"},
		{base, reg + "?%24expand=%2A&$count=true&$format=json", reg + "?$expand=*"},
		{base, reg + "?$select=*", reg},
		{base, reg + "?$wkt=true&$select=__id,%20vid,person/name", reg + "?$select=__id,vid,person/name&$wkt=true"},
		{base, reg + "?$select=vid,person%2Fname", reg + "?$select=vid,person/name,__id"},
		{base, base + "/v1/projects/1/forms/reg.svc?$select=vid", reg + "?$select=vid,__id"},

		{base, "", "must be one such as"},
		{base, "reg", "must be one such as"},
		{base, base, "has no /v1/"},
		{base, base + "/V1/projects/1/forms/reg.svc", "has no /v1/"},
		{base, base + "/#/projects/1/forms/reg/submissions", "of a page of Central"},
		{base, reg + "#x", "must end before #"},
		{base, "https://other.example.org/v1/projects/1/forms/reg.svc", "below the base URL"},
		{base, "http://central.example.org/v1/projects/1/forms/reg.svc", "below the base URL"},
		{base, base + ":8443/v1/projects/1/forms/reg.svc", "below the base URL"},
		{base, base + "/odk/v1/projects/1/forms/reg.svc", "below the base URL"},
		{base, "https://central.example.org@evil.example.org/v1/projects/1/forms/reg.svc", "user name or password"},
		{base, base + "/v1/projects/1", "must be one such as"},
		{base, base + "/v1/projects/1/forms", "must be one such as"},
		{base, base + "/v1/Projects/1/forms/reg.svc", "must be one such as"},
		{base, base + "/v1/projects/one/forms/reg.svc", "number of a project"},
		{base, base + "/v1/projects/0/forms/reg.svc", "number of a project"},
		{base, base + "/v1/projects/-1/forms/reg.svc", "number of a project"},
		{base, base + "/v1/projects/99999999999/forms/reg.svc", "number of a project"},
		{base, base + "/v1/projects/1/forms/reg", "the id of a form and .svc"},
		{base, base + "/v1/projects/1/forms/reg/submissions", "the id of a form and .svc"},
		{base, base + "/v1/projects/1/forms/.svc", "the id of a form and .svc"},
		{base, base + "/v1/projects/1/forms/%ff.svc", "cannot be one"},
		{base, base + "/v1/projects/1/forms/%zz.svc", "cannot be one"},
		{base, base + "/v1/projects/1/forms/a%00.svc", "cannot be one"},
		{base, base + "/v1/projects/1/forms/" + strings.Repeat("x", 300) + ".svc", "cannot be one"},
		{base, base + "/v1/projects/1/forms/reg/draft.svc", "of a draft"},
		{base, base + "/v1/projects/1/forms/reg/draft.svc/Submissions", "of a draft"},
		{base, base + "/v1/test/abc/projects/1/forms/reg/draft.svc", "of an app user or of a draft"},
		{base, base + "/v1/key/abc/projects/1/forms/reg.svc", "of an app user or of a draft"},
		{base, base + "/v1/projects/1/datasets/people.svc/Entities", "entity list"},
		{base, reg + ".child", "rows of a repeat"},
		{base, reg + "('uuid:1')/child", "rows of a repeat"},
		{base, reg + "('uuid:1')", "of one submission"},
		{base, base + "/v1/projects/1/forms/reg.svc/submissions", "must end in .svc"},
		{base, base + "/v1/projects/1/forms/reg.svc/$metadata", "must end in .svc"},
		{base, reg + "/$count", "must end in .svc"},
		{base, reg + "?$filter=__id%20eq%20'a'", "must not have $filter"},
		{base, reg + "?$top=5", "must not have $top"},
		{base, reg + "?$orderby=__id", "must not have $orderby"},
		{base, reg + "?st=token", "no parameters but"},
		{base, reg + "?$select=vid&$select=name", "each parameter once"},
		{base, reg + "?$select=vid'", "names of fields"},
		{base, reg + "?$select=vid,", "names of fields"},
		{base, reg + "?$expand=child", "another $expand"},
		{base, reg + "?$expand=*&$select=vid", "both $select and $expand"},
		{base, reg + "?$format=atom", "another $format"},
		{base, reg + "?$select=%zz", "two hexadecimal digits"},
		{"central", reg, "must be one such as https://"},
		{base + "?x", reg, "must end before ?"},
		{base, base + "/v1/projects/1/forms/r\neg.svc", "control character"},
	} {
		address, err := odk.ParseAddress(test.base, test.odata)
		if err != nil {
			bad, ok := errors.AsType[*seeding.AddressError](err)
			if !ok || !strings.Contains(bad.Reason, test.want) {
				t.Errorf("%q: %v, want %s", test.odata, err, test.want)
			}
			if strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "token)") {
				t.Errorf("%q: the reason repeats the text: %v", test.odata, err)
			}
			continue
		}
		if address.String() != test.want {
			t.Errorf("%q: %s, want %s", test.odata, address, test.want)
		}
	}
}

// A canonical address is read as itself, so that it can be stored.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		"/v1/projects/1/forms/reg.svc", "/v1/projects/1/forms/a%2Fb.svc/Submissions?$select=vid", "/v1/projects/1/forms/a b.svc?$expand=*&$wkt=TRUE",
		"/v1/projects/1/forms/a%25b.svc/", "/v1/key/x/projects/1/forms/reg.svc", "/v1/projects/1/forms/é.svc?%24select=é",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		address, err := odk.ParseAddress(base, base+rest)
		if err != nil {
			if _, ok := errors.AsType[*seeding.AddressError](err); !ok {
				t.Errorf("%q: %v is no AddressError", rest, err)
			}
			return
		}
		again, err := odk.ParseAddress(base, address.String())
		if err != nil || again != address {
			t.Errorf("%q is %q, which is %q, %v", rest, address, again, err)
		}
		if !strings.HasPrefix(address.String(), base+"/v1/projects/") || strings.ContainsAny(address.String(), " \n\"<>") {
			t.Errorf("%q is %q", rest, address)
		}
	})
}
