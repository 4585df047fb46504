package documents_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// The README's first connector ends and says why, whatever goes wrong: a refusal, a
// problem, a client that the issuer does not know, a server that is not there.
func TestTheFirstConnectorSaysWhatIsWrong(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: install it", program)
		}
	}
	_, part, _ := strings.Cut(content(t, filepath.Join("..", ".."), "README.md"), "### A first connector\n")
	part, _, _ = strings.Cut(part, "\n### ")
	blocks := strings.Split(part, "```bash\n")[1:]
	if len(blocks) < 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var script strings.Builder
	for _, block := range blocks[:2] {
		commands, _, _ := strings.Cut(block, "```")
		script.WriteString("sleep() { :; }\n" + commands)
	}
	script.WriteString("\necho it ended with $? for $ID\n")

	for name, c := range map[string]struct {
		api      *fakeAPI
		away     bool
		want     []string // in this order
		mustLack string
	}{
		"all is well": {api: &fakeAPI{polls: 2, connector: `{"problems":{},"figures":{"last_run":{"totals":{"sent":5,"tokenised":5}}}}`},
			want: []string{"running", `{"sent":5,"tokenised":5}`, "it ended with 0 for c1"}},
		"the configuration is refused": {api: &fakeAPI{refused: true},
			want: []string{"must be an address of AllowedRanges", "it ended with"}, mustLack: "with 0"},
		"the password is wrong": {api: &fakeAPI{connector: `{"problems":{"sign_in":{"text":"The registry refuses the password.","remedy":"Correct it."}},"figures":{}}`},
			want: []string{"running", "The registry refuses the password.", "Correct it.", "it ended with"}, mustLack: "with 0"},
		"the client is not known": {api: &fakeAPI{secret: "another"}, want: []string{"invalid_client", "it ended with"}, mustLack: "with 0"},
		"the role is missing":     {api: &fakeAPI{forbidden: true}, want: []string{"Needs the role administrator", "it ended with"}, mustLack: "with 0"},
		"nothing is there":        {api: &fakeAPI{}, away: true, want: []string{"curl: (7)", "it ended with"}, mustLack: "with 0"},
		"the run has no end": {api: &fakeAPI{connector: `{"problems":{},"figures":{}}`}, want: []string{"running", "The run goes on", "it ended with"},
			mustLack: "with 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.api.valid = map[string]bool{}
			server := httptest.NewServer(c.api)
			defer server.Close()
			address := server.URL
			if c.away {
				address = "http://127.0.0.1:9"
			}
			commands := script.String()
			if strings.Contains(name, "no end") {
				commands = strings.Replace(commands, "seq 900", "seq 3", 1)
			}
			bash := exec.CommandContext(t.Context(), "bash", "-s")
			bash.Stdin = strings.NewReader(commands)
			bash.Env = append(bash.Environ(), "API="+address, "TOKEN_URL="+address+"/token", "CLIENT_ID=us", "CLIENT_SECRET=secret",
				"MTS=https://mts.example", "REGISTRY=https://registry.example", "DATABASE=d", "REGISTRY_USER=u", "REGISTRY_PASSWORD=hunter2")
			output, err := bash.CombinedOutput()
			if err != nil {
				t.Error(err)
			}
			rest := string(output)
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("no %q in %s", want, output)
				}
				rest = after
			}
			if c.mustLack != "" && strings.Contains(string(output), c.mustLack) || strings.Contains(string(output), "hunter2") {
				t.Errorf("%s", output)
			}
		})
	}
}

// fakeAPI is an issuer, each token of which serves one request, and an API that knows
// one connector.
type fakeAPI struct {
	refused, forbidden bool
	secret             string // of the client; "" is the right one
	polls              int    // after how many the connector is shown
	connector          string

	mu     sync.Mutex
	issued int
	valid  map[string]bool
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/token" {
		if f.secret != "" || r.PostFormValue("client_secret") != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		f.issued++
		token := fmt.Sprint("t", f.issued)
		f.valid[token] = true
		fmt.Fprintf(w, `{"access_token":%q}`, token)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !f.valid[token] {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"Unauthorized"}`)
		return
	}
	delete(f.valid, token) // it has expired
	switch {
	case f.forbidden:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"status":403,"detail":"Needs the role administrator."}`)
	case f.refused:
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status":422,"errors":[{"pointer":"/mts_url","detail":"must be an address of AllowedRanges"}]}`)
	case r.Method == http.MethodPost && r.URL.Path == "/connectors":
		var body map[string]any
		if json.NewDecoder(r.Body).Decode(&body) != nil || body["mts_url"] == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"c1"}`)
	case r.URL.Path == "/connectors/c1/start":
		fmt.Fprint(w, `{"status":"running"}`)
	case f.polls > 0:
		f.polls--
		fmt.Fprint(w, `{"problems":{},"figures":{}}`)
	default:
		fmt.Fprint(w, f.connector)
	}
}

// The cookbook's csv and change fail at a refusal, and what csv prints is whole or nothing.
func TestTheCookbooksFunctionsFailAtARefusal(t *testing.T) {
	cookbook := content(t, filepath.Join("..", ".."), "infra/cookbook.md")
	var functions strings.Builder
	for _, name := range []string{"api", "csv", "change"} {
		_, body, found := strings.Cut(cookbook, "\n"+name+"() {\n")
		body, _, ended := strings.Cut(body, "\n}\n")
		if !found || !ended {
			t.Fatalf("the cookbook has no function %s", name)
		}
		functions.WriteString(name + "() {\n" + body + "\n}\n")
	}
	for name, c := range map[string]struct {
		refused string // method and path
		command string
		want    string // standard output, and how it ended
	}{
		"csv":                            {"", "csv /rejections", "kind\n1\n2\nended with 0\n"},
		"csv, first page refused":        {"GET /rejections", "csv /rejections", "ended with 1\n"},
		"csv, a later page refused":      {"GET /rejections/2", "csv /rejections", "ended with 1\n"},
		"change":                         {"", "change c .", "{\"name\":\"changed\"}\nended with 0\n"},
		"change, not read":               {"GET /connectors/c", "change c .", "ended with 1\n"},
		"change, refused":                {"PUT /connectors/c", "change c .", "ended with 1\n"},
		"change by a program that fails": {"", "change c '.name | error'", "ended with 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"1"`)
				switch at := r.Method + " " + r.URL.Path; {
				case at == "POST /token":
					fmt.Fprint(w, `{"access_token":"t"}`)
				case at == c.refused:
					w.WriteHeader(http.StatusForbidden)
				case at == "GET /rejections":
					w.Header().Set("Link", `</rejections/2>; rel="next"`)
					fmt.Fprint(w, "kind\n1\n")
				case at == "GET /rejections/2":
					fmt.Fprint(w, "kind\n2\n")
				case at == "GET /connectors/c":
					fmt.Fprint(w, `{"name":"as it was"}`)
				case at == "PUT /connectors/c" && r.Header.Get("If-Match") == `"1"`:
					fmt.Fprint(w, `{"name":"changed"}`)
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			}))
			defer server.Close()
			bash := exec.CommandContext(t.Context(), "bash", "-s")
			bash.Stdin = strings.NewReader(functions.String() + c.command + "\necho ended with $?\nls -A \"$TMPDIR\"\n")
			bash.Env = append(bash.Environ(), "API="+server.URL, "TOKEN_URL="+server.URL+"/token", "TMPDIR="+t.TempDir())
			output, err := bash.Output()
			if err != nil || string(output) != c.want {
				t.Errorf("%v: %q, want %q", err, output, c.want)
			}
		})
	}
}

// Every variable that a command uses is set by a command, or is one that the text tells
// the reader to export.
func TestVariablesOfCommandsAreTold(t *testing.T) {
	used := regexp.MustCompile(`\benv\.([A-Z][A-Z_0-9]*)|\$\{?([A-Z][A-Z_0-9]*)`)
	for _, document := range []string{"README.md", "infra/cookbook.md"} {
		text := content(t, filepath.Join("..", ".."), document)
		names := map[string]bool{}
		for i, block := range strings.Split(text, "\n```") {
			if i%2 == 0 || !strings.HasPrefix(block, "bash\n") && !strings.HasPrefix(block, "\n") {
				continue
			}
			for _, match := range used.FindAllStringSubmatch(block, -1) {
				names[match[1]+match[2]] = true
			}
		}
		if len(names) < 8 {
			t.Errorf("%s: only %d variables were found", document, len(names))
		}
		for name := range names {
			if !strings.Contains(text, "`"+name+"`") && !regexp.MustCompile(`\b`+name+`(=| in )`).MatchString(text) {
				t.Errorf("%s: nobody is told to export %s", document, name)
			}
		}
	}
}
