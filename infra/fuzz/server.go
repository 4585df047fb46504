package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/api/connectors"
	"openg2p.org/mts-connector/shared/dynamo/memory"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/jq"
	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/secrets"
	"openg2p.org/mts-connector/shared/secrets/secretstest"
)

// roles are bearers that the server takes: each is its own token.
var roles = map[string]connectors.Role{
	"viewer": connectors.Viewer, "operator": connectors.Operator, "administrator": connectors.Administrator,
}

// handler is the API on tables in memory, behind what refuses requests without a token
// as API Gateway does. There is one connector, whose id is returned.
func handler(ctx context.Context) (http.Handler, string, error) {
	client := memory.New()
	tables, err := inprocess.CreateTables(ctx, client)
	if err != nil {
		return nil, "", err
	}
	store := seedingdb.New(client, tables.Connectors, tables.Answers)
	c := inprocess.Connector("Fuzzed", "https://mts.example.org", "https://registry.example.org", time.Now().UTC())
	if err := store.CreateConnector(ctx, c); err != nil {
		return nil, "", err
	}
	manager := secretstest.New()
	api := connectors.New(connectors.Options{
		Store: store, Secrets: secrets.Connectors(manager, "stack/connectors/"), InquirySecrets: secrets.Inquiries(manager, "stack/inquiries/"),
		Conditions: odoo.Conditions, Mappings: jq.Mappings{}, Invoker: nobody{},
		CheckDomain: func(domain string) error {
			_, err := odoo.ParseDomain(domain)
			return err
		},
		NewID: function.NewID, Log: function.Log(io.Discard),
		Caller: func(r *http.Request) connectors.Caller {
			return connectors.Caller{Name: bearer(r), Claim: "sub", Role: roles[bearer(r)]}
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := roles[bearer(r)]; !known && r.URL.Path != "/openapi.json" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"message":"Unauthorized"}`)
			return
		}
		api.ServeHTTP(w, r)
	}), c.ID, nil
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// nobody is invoked.
type nobody struct{}

func (nobody) InvokeSubmit(context.Context, string) error { return nil }

func (nobody) InvokeInquiry(context.Context, string) error { return nil }

// serve starts the API on loopback until stop is called.
func serve(ctx context.Context) (address, connector string, stop func(), err error) {
	api, connector, err := handler(ctx)
	if err != nil {
		return "", "", nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", nil, err
	}
	server := &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), connector, func() { _ = server.Close() }, nil
}
