package e2e_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/centralsim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/world/invariants"
)

// recipe is a block of bash of the cookbook, and what stands below it.
type recipe struct {
	line        int
	script, out string
}

// recipes are the blocks of bash of a Markdown text, in their order. The block of
// another language that follows at once is what it prints.
func recipes(text string) (found []recipe) {
	var block []string
	language, after := "", -2 // of the open block; the line after which an output may follow
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && language != "":
			block = append(block, line)
		case isFence && language == "":
			language, block = fence, nil
			if fence == "bash" {
				found = append(found, recipe{line: i + 2})
			} else if after != i-1 {
				language = "none"
			}
		case isFence:
			text := strings.Join(block, "\n")
			if language == "bash" {
				found[len(found)-1].script, after = text, i
			} else if language != "none" {
				found[len(found)-1].out = text
			}
			language = ""
		}
	}
	return found
}

// promised is an expression for what a recipe prints: … stands for anything in a line,
// and on a line of its own for any lines.
func promised(out string) *regexp.Regexp {
	var lines []string
	for line := range strings.SplitSeq(out, "\n") {
		if line == "…" {
			lines = append(lines, `(?:.*\n)*`)
			continue
		}
		lines = append(lines, strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")+`\n`)
	}
	return regexp.MustCompile("^" + strings.Join(lines, "") + "$")
}

// The cookbook, by copy and paste.
func TestTheCookbook(t *testing.T) {
	t.Parallel()
	main := newWorld(t, options{})
	main.addNamed(20, odoosim.Normal, nil)
	twin := main.addNamed(1, odoosim.Normal, nil)[0]
	main.addTwin(twin)
	main.addNamed(3, odoosim.Normal, func(r *odoosim.Registrant) { r.Birthdate = "" })
	main.addNamed(2, odoosim.Refused, nil)
	registries, _ := main.registriesOfLines()
	main.copyAndPaste("infra/cookbook.md", nil, 20, registries...)
	main.checkInvariants()
}

// The README's way from nothing to a finished run, an import, and direct callbacks to
// both lines of OpenG2P.
func TestTheReadmesConnectors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	ids := w.addNamed(5, odoosim.Normal, nil)
	registries, check := w.registriesOfLines()
	w.copyAndPaste("README.md", []string{"### A first connector\n", "### Direct callbacks\n"}, 5, registries...)
	w.checkTokenised(ids)
	check()
}

// The README's way from nothing to a finished run over a form of ODK, and an import.
func TestTheReadmesConnectorOfODK(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{odoo: odoosim.Options{Submissions: true}})
	ids := w.addNamed(5, odoosim.Normal, nil) // of the first connector
	central := centralsim.New(centralsim.Options{})
	central.Populate(0, 1)
	form := central.Form(1, centralsim.DemoForm)
	for i := range 5 {
		form.Submit(centralsim.Submission{At: time.Now().Add(-time.Hour), Answers: map[string]string{
			"vid": w.nextVID(odoosim.Normal), "person/name": fmt.Sprintf("Ana Reyes %d", i), "person/gender": "Female", "person/dob": "1990-02-03", "where/address": "1 Rizal St",
		}})
	}
	server := httptest.NewServer(central)
	t.Cleanup(server.Close)
	start := invariants.RegistryOf(w.registry.Snapshot())
	w.copyAndPaste("README.md", []string{"### A first connector\n", "### A connector of ODK\n"}, 5,
		"CENTRAL="+server.URL, "FORM="+server.URL+"/v1/projects/1/forms/"+centralsim.DemoForm+".svc", "ODK_USER="+centralsim.DemoUser, "ODK_PASSWORD="+centralsim.DemoPassword)
	w.checkTokenised(ids)
	now := invariants.RegistryOf(w.registry.Snapshot())
	for _, v := range invariants.Submissions(now, start, nil, form.Entries()) {
		t.Error(v)
	}
	if len(now) != len(start)+5 {
		t.Errorf("%d registrants", len(now))
	}
}

// registriesOfLines are further registries with five registrants each, of the lines of
// OpenG2P whose API takes callbacks, as variables of a document. check looks whether
// everybody there has a token.
func (w *world) registriesOfLines() (variables []string, check func()) {
	var checks []func()
	for name, line := range map[string]string{"REGISTRY_15": odoosim.REST15, "REGISTRY_17": odoosim.REST17} {
		other := newWorld(w.T, options{odoo: odoosim.Options{REST: line}})
		other.registry.SetPassword("admin", w.password)
		ids := other.addNamed(5, odoosim.Normal, nil)
		variables = append(variables, name+"="+other.registryURL)
		checks = append(checks, func() { other.checkTokenised(ids) })
	}
	return variables, func() {
		for _, one := range checks {
			one()
		}
	}
}

// copyAndPaste runs the blocks of a document in one bash, of the sections under some
// headings or of all of it, at least so many: each must print what stands below it.
func (w *world) copyAndPaste(document string, headings []string, least int, environment ...string) {
	w.Helper()
	for _, program := range []string{"bash", "curl", "jq", "base64"} {
		if _, err := exec.LookPath(program); err != nil {
			w.Fatalf("%s is missing, with which %s works: install it", program, document)
		}
	}
	whole, err := os.ReadFile(filepath.Join("..", "..", document))
	if err != nil {
		w.Fatal(err)
	}
	all := recipes(string(whole))
	if len(headings) > 0 {
		all = nil
	}
	for _, heading := range headings {
		above, part, found := strings.Cut(string(whole), heading)
		if !found {
			w.Fatalf("%s has no heading %s", document, heading)
		}
		section, _, _ := strings.Cut(part, "\n### ")
		for _, r := range recipes(section) {
			r.line += strings.Count(above, "\n") + 1
			all = append(all, r)
		}
	}
	if len(all) < least {
		w.Fatalf("%s has %d blocks", document, len(all))
	}
	script := "exec 2>&1\n"
	for _, r := range all {
		script += r.script + "\nprintf '\\036'\n"
	}
	// Only a test that fails takes this long.
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-s")
	command.Dir, command.Stdin, command.WaitDelay = w.TempDir(), strings.NewReader(script), time.Second
	id, secret := stack.Issuer().Client()
	command.Env = slices.Concat(os.Environ(), []string{
		"API=" + stack.APIURL(), "TOKEN_URL=" + stack.Issuer().Address() + "/token", "CLIENT_ID=" + id, "CLIENT_SECRET=" + secret,
		"MTS=" + w.mtsURL, "REGISTRY=" + w.registryURL, "DATABASE=" + w.database, "REGISTRY_USER=admin", "REGISTRY_PASSWORD=" + w.password,
	}, environment)
	output, err := command.CombinedOutput()
	if err != nil {
		w.Errorf("bash: %v", err)
	}
	printed := strings.Split(string(output), "\036")
	for i, r := range all {
		if i >= len(printed)-1 {
			w.Fatalf("%s:%d: its end was not reached; it printed %q", document, r.line, printed[len(printed)-1])
		}
		if got := printed[i]; r.out != "" && !promised(r.out).MatchString(got) || r.out == "" && got != "" {
			w.Errorf("%s:%d prints\n%s\nwant\n%s", document, r.line, got, r.out)
		}
	}
}

// addNamed adds registrants with plain names, which the cookbook shows.
func (w *world) addNamed(n, behaviour int, change func(*odoosim.Registrant)) (ids []int64) {
	for i := range n {
		r := odoosim.Registrant{
			Name: fmt.Sprintf("REYES, ANA %d", i), GivenName: "Ana", FamilyName: fmt.Sprintf("Reyes %d", i), Gender: "Female",
			Birthdate: "1990-02-03", Address: fmt.Sprintf("%d Rizal St", i),
		}
		if change != nil {
			change(&r)
		}
		id := w.registry.AddRegistrant(r)
		vid := w.nextVID(behaviour)
		w.rememberVID(id, vid)
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: vid})
		ids = append(ids, id)
	}
	return ids
}

// addTwin adds another registrant of the person of the one, with a VID of its own.
func (w *world) addTwin(of int64) {
	vid := odoosim.DemoVID(w.person, 2, odoosim.Normal)
	id := w.registry.AddRegistrant(odoosim.Registrant{
		Name: "REYES, A", GivenName: "A", FamilyName: "Reyes", Gender: "Female", Birthdate: "1990-02-03", Address: fmt.Sprintf("Beside %d", of),
	})
	w.rememberVID(id, vid)
	w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: vid})
}

func TestRecipesAreFound(t *testing.T) {
	text := "```sh\nno\n```\n\n```bash\na\nb\n```\n```text\n1 …\n…\n3\n```\n```bash\nc\n```\n\n```json\nno output\n```\n"
	got := fmt.Sprintf("%+v", recipes(text))
	if want := fmt.Sprintf("%+v", []recipe{{6, "a\nb", "1 …\n…\n3"}, {15, "c", ""}}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for printed, want := range map[string]bool{"1 x\n3\n": true, "1 \n2\n2\n3\n": true, "1 x\n4\n": false, "2 x\n3\n": false, "1 x\n3\n3\n4\n": false} {
		if got := promised("1 …\n…\n3").MatchString(printed); got != want {
			t.Errorf("%q: %t", printed, got)
		}
	}
}
