package console

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/api/connectors"
	page "openg2p.org/mts-connector/shared/console"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/outgoing"
)

// Person is somebody who can sign in at the local issuer.
type Person struct {
	Button string // on the page where one signs in
	Name   string
	Role   connectors.Role
}

// The persons who can sign in.
var (
	Vera = Person{"Viewer", "Vera Viewer", connectors.Viewer}
	Omar = Person{"Operator", "Omar Operator", connectors.Operator}
	Ada  = Person{"Administrator", "Ada Administrator", connectors.Administrator}

	Persons = []Person{Vera, Omar, Ada}
)

var roles = connectors.RoleNames{Viewer: "viewer", Operator: "operator", Administrator: "administrator"}

func (p Person) caller() connectors.Caller {
	first, _, _ := strings.Cut(p.Name, " ")
	return connectors.Caller{Name: strings.ToLower(first), Claim: "sub", Shown: p.Name, Role: p.Role}
}

// Audience of the access tokens.
const Audience = "mts-connector"

// Issuer is where people sign in. It has the three persons.
type Issuer interface {
	// Address is the issuer as its tokens name it.
	Address() string
	// Console is the id and the secret of the console's client.
	Console() (id, secret string)
	// EndSessions ends the sessions of everybody, as an administrator of the issuer does.
	EndSessions(ctx context.Context) error
	// Stop is called at the end of the world.
	Stop()
}

// localIssuer is the one of `make run`.
type localIssuer struct{ *local.Issuer }

func (i localIssuer) EndSessions(context.Context) error {
	i.Issuer.EndSessions()
	return nil
}

// signIn is the issuer, and what API Gateway checks of its tokens.
type signIn struct {
	Issuer
	keys *jose.JSONWebKeySet

	mu   sync.Mutex
	over map[string]bool // tokens that have come, and whether they are refused since
}

// startSignIn starts an issuer for the console at a base address.
func startSignIn(ctx context.Context, base string, o Options) (*signIn, error) {
	if o.Issuer == nil {
		o.Issuer = func(ctx context.Context, base string, bearer time.Duration) (Issuer, error) {
			i, err := local.StartIssuer(ctx, local.IssuerOptions{Audience: Audience, Console: base, SessionLifetime: bearer, Reuse: o.Reuse})
			return localIssuer{i}, err
		}
	}
	issuer, err := o.Issuer(ctx, base, o.Bearer)
	if err != nil {
		return nil, err
	}
	s := &signIn{Issuer: issuer, keys: &jose.JSONWebKeySet{}, over: map[string]bool{}}
	var document struct {
		Keys string `json:"jwks_uri"`
	}
	if err := read(ctx, issuer.Address()+"/.well-known/openid-configuration", &document); err != nil {
		return nil, err
	}
	return s, read(ctx, document.Keys, s.keys)
}

// read reads a JSON document.
func read(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	return json.NewDecoder(reply.Body).Decode(into)
}

// caller is whose a bearer is. It is false for one that API Gateway would refuse.
func (s *signIn) caller(bearer string) (connectors.Caller, bool) {
	token, err := jwt.ParseSigned(bearer, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return connectors.Caller{}, false
	}
	var claims jwt.Claims
	var more struct {
		Name   string `json:"name"`
		Access struct {
			Roles []string `json:"roles"`
		} `json:"realm_access"`
	}
	if err := token.Claims(s.keys, &claims, &more); err != nil {
		return connectors.Caller{}, false
	}
	if claims.ValidateWithLeeway(jwt.Expected{Issuer: s.Address(), AnyAudience: jwt.Audience{Audience}, Time: time.Now()}, 0) != nil {
		return connectors.Caller{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over[bearer] {
		return connectors.Caller{}, false
	}
	s.over[bearer] = false
	return connectors.Caller{Name: claims.Subject, Claim: "sub", Shown: more.Name, Role: roles.Of(more.Access.Roles)}, true
}

// expire lets the access tokens that were used end.
func (s *signIn) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for bearer := range s.over {
		s.over[bearer] = true
	}
}

// console is the handler of the function, with the files that were built last: a page
// that is loaded again shows them.
func (w *World) console(base string, o Options) (http.Handler, error) {
	root, err := template.Root()
	if err != nil {
		return nil, err
	}
	id, secret := w.signIn.Console()
	options := page.Options{
		Base: base, Issuer: w.signIn.Address(), ClientID: id, Secret: func(context.Context) (string, error) { return secret, nil },
		Scopes: []string{"profile"}, Keys: inprocess.Keyring("console"),
		HTTP:  outgoing.New(outgoing.ForIssuer(func(string) string { return "true" })),
		Label: o.Label, Clock: function.Clock{}, Log: function.Log(o.Log),
	}
	session := page.New(options)
	dist := os.DirFS(filepath.Join(root, "shared/console/dist"))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/console/session/") {
			session.ServeHTTP(rw, r) // it knows the issuer already
			return
		}
		now := options
		var broken error
		if now.Files, broken = page.ReadFiles(dist); broken != nil {
			http.Error(rw, broken.Error(), http.StatusInternalServerError)
			return
		}
		page.New(now).ServeHTTP(rw, r)
	}), nil
}
