package setup_test

import (
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/seeding/setup"
)

// What was copied with a password or a user name is said, and can be saved.
func TestCredentialsWithWhatNobodySeesAreWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"admin\n": "line break", "admin\r\n": "line break", "ad\nmin": "line break",
		" admin": "begins with a space", "\u00a0admin": "begins with a space", "admin ": "ends with a space", "admin\t": "ends with a space",
		"admin\u200b": "nobody sees", "\ufeffadmin": "nobody sees", "admin\u200e": "nobody sees", " \ufeffadmin": "nobody sees", "ad\u00admin": "nobody sees",
		"ad min": "", "pässwörd": "", "密码": "", "\"quoted\"": "",
	} {
		p := setup.Proposal{Connector: complete(), PasswordGiven: true, Password: text}
		for _, field := range []setup.Field{setup.RegistryPassword, setup.RegistryUsername} {
			if field == setup.RegistryUsername {
				p.Password, p.Connector.Registry.Username = "", text
			}
			if found := wrong(p); len(found) > 0 {
				t.Errorf("%q: %v", text, found)
			}
			found := doubtful(p)
			if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || found[0].Field != field || !strings.Contains(found[0].Text, want)) {
				t.Errorf("%s %q: %v", field, text, found)
			}
			for _, f := range found {
				if strings.Contains(f.Text, "admin") {
					t.Errorf("the text repeats what was given: %q", f.Text)
				}
			}
		}
	}
}
