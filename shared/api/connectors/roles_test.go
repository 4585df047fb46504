package connectors_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"openg2p.org/mts-connector/shared/api/connectors"
)

var roles = []connectors.Role{connectors.NoRole, connectors.Viewer, connectors.Operator, connectors.Administrator}

// Every operation is refused to whoever lacks its role, before anything is read, and
// to nobody else (facts/mts.md D18: every internal user could start jobs).
func TestD18EveryOperationNeedsItsRole(t *testing.T) {
	names := []string{"any", "viewer", "operator", "administrator"}
	for _, operation := range contract().Operations() {
		method, path, _ := strings.Cut(operation, " ")
		needed := slices.Index(names, contract().Role(operation))
		if contract().Public(operation) {
			needed = 0
		}
		for _, role := range roles {
			s := newService(t)
			s.caller.Role = role
			reached := s.store.calls
			a := s.do(method, strings.NewReplacer("{id}", "C0000000000000000000000001", "{run}", "r1").Replace(path), "")
			if int(role) < needed {
				if a.Code != http.StatusForbidden || a.body["type"] != "/openapi.json#/x-problems/role" || s.store.calls != reached {
					t.Errorf("%s by %s: %d %s", operation, role, a.Code, a.Body)
				}
				want := fmt.Sprintf("Needs the role %s. Yours is %s.", names[needed], role)
				if role == connectors.NoRole {
					want = fmt.Sprintf("Needs the role %s. You have none.", names[needed])
				}
				if a.body["detail"] != want || a.body["params"].(map[string]any)["needs"] != names[needed] {
					t.Errorf("%s by %s: %v", operation, role, a.body)
				}
			} else if a.Code == http.StatusForbidden {
				t.Errorf("%s by %s: %s", operation, role, a.Body)
			}
		}
		// A token that is for another program is none.
		s := newService(t)
		s.caller.Misused = true
		a := s.do(method, path, "")
		if refused := a.Code == http.StatusUnauthorized; refused == contract().Public(operation) {
			t.Errorf("%s with an ID token: %d", operation, a.Code)
		} else if refused && a.Header().Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("%s: %v", operation, a.Header())
		}
	}
}

// What every GET shows is for viewers; what changes something is not.
func TestNoGETNeedsMoreThanAViewer(t *testing.T) {
	for _, operation := range contract().Operations() {
		method, _, _ := strings.Cut(operation, " ")
		role := contract().Role(operation)
		if reads := method == http.MethodGet; !contract().Public(operation) && reads != (role == "viewer" || role == "any") {
			t.Errorf("%s needs the role %s", operation, role)
		}
	}
}

func TestHighestRoleCounts(t *testing.T) {
	n := connectors.RoleNames{Viewer: "see", Operator: "do", Administrator: "rule"}
	for names, want := range map[string]connectors.Role{
		"": connectors.NoRole, "viewer administrator": connectors.NoRole, "see": connectors.Viewer, "see do": connectors.Operator,
		"rule": connectors.Administrator, "do rule see": connectors.Administrator, "RULE": connectors.NoRole, "offline_access do": connectors.Operator,
	} {
		if got := n.Of(strings.Fields(names)); got != want {
			t.Errorf("%q: %s, want %s", names, got, want)
		}
	}
	if got := (connectors.RoleNames{}).Of([]string{""}); got != connectors.NoRole {
		t.Errorf("a name that is not configured: %s", got)
	}
}

// Who is refused must know what to ask for.
func TestRefusalNamesTheRoleAsTheIssuerDoes(t *testing.T) {
	s := newService(t)
	s.caller.Role = connectors.Viewer
	s.options.RoleNames = connectors.RoleNames{Viewer: "Viewer", Operator: "mts-ops", Administrator: "administrator"}
	s.handler = contract().Handler(t, connectors.New(s.options))
	a := s.want(403, "POST", "/connectors/C0000000000000000000000001/start", "")
	if a.body["detail"] != `Needs the role operator, which the issuer calls "mts-ops". Yours is viewer.` {
		t.Errorf("%v", a.body)
	}
	if a = s.want(403, "POST", "/connectors", "{}"); a.body["detail"] != "Needs the role administrator. Yours is viewer." {
		t.Errorf("%v", a.body)
	}
}

func TestMeSaysWhoAndWhat(t *testing.T) {
	s := newService(t)
	s.options.Deployment = connectors.Deployment{Stack: "mts", Region: "eu-central-1", Issuer: "https://sso.example.org", Dashboard: "https://dashboard.example.org"}
	s.handler = contract().Handler(t, connectors.New(s.options))
	for role, want := range map[connectors.Role]struct{ roles, may, not string }{
		connectors.NoRole:        {"[]", "readMe readDocument", "listConnectors"},
		connectors.Viewer:        {"[viewer]", "readMe listConnectors readRun", "startConnector createConnector"},
		connectors.Operator:      {"[viewer operator]", "readRun startConnector retryRejections", "createConnector replaceConnector"},
		connectors.Administrator: {"[viewer operator administrator]", "readRun startConnector createConnector replaceConnector deleteConnector", ""},
	} {
		s.caller = connectors.Caller{Name: "f:1:u", Claim: "sub", Shown: "Amina", Role: role}
		got := s.want(200, "GET", "/me", "").body
		if got["name"] != "Amina" || got["claim"] != "sub" || fmt.Sprint(got["roles"]) != want.roles ||
			fmt.Sprint(got["deployment"]) != "map[api_version:1 issuer:https://sso.example.org region:eu-central-1 stack:mts]" ||
			fmt.Sprint(got["links"]) != "map[dashboard:https://dashboard.example.org document:/openapi.json]" {
			t.Errorf("%s: %v", role, got)
		}
		may := fmt.Sprint(got["may"])
		for name := range strings.FieldsSeq(want.may) {
			if !strings.Contains(may, name) {
				t.Errorf("%s may not %s: %s", role, name, may)
			}
		}
		for name := range strings.FieldsSeq(want.not) {
			if strings.Contains(may, name) {
				t.Errorf("%s may %s: %s", role, name, may)
			}
		}
	}
	s.caller = connectors.Caller{Name: "client-7", Claim: "client_id", Role: connectors.Viewer}
	if got := s.want(200, "GET", "/me", "").body; got["name"] != "client-7" {
		t.Errorf("%v", got)
	}
	if log := s.log.String(); strings.Contains(log, "Amina") {
		t.Errorf("a name is logged: %s", log)
	}
}
