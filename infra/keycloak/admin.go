package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"openg2p.org/mts-connector/infra/world/deployed"
)

// administrator is the user name of the administrator of Keycloak.
const administrator = "administrator"

// admin calls the Admin REST API below the realm. body and answer may be nil.
func (s *Server) admin(ctx context.Context, method, path string, body, answer any) error {
	server := deployed.Client{Name: "Keycloak", Address: s.address}
	form := url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {administrator}, "password": {s.password}}
	reply, err := server.Send(ctx, http.MethodPost, "/realms/master/protocol/openid-connect/token", []byte(form.Encode()), "Content-Type: application/x-www-form-urlencoded")
	if err != nil {
		return err
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(reply.Body, &token); err != nil || token.Access == "" {
		return fmt.Errorf("the administrator is not let in: %d", reply.Status)
	}
	server.Token = func() string { return token.Access }
	return server.Call(ctx, method, "/admin/realms/"+Realm+path, body, answer)
}

// Serve lets people sign in to the console below a base address, too.
func (s *Server) Serve(ctx context.Context, base string) error {
	var clients []map[string]any
	if err := s.admin(ctx, http.MethodGet, "/clients?clientId="+Client, nil, &clients); err != nil {
		return err
	}
	if len(clients) != 1 {
		return errors.New("the realm has no client of the console")
	}
	client := clients[0]
	redirects, _ := client["redirectUris"].([]any)
	client["redirectUris"] = append(redirects, base+"/console/session/callback")
	attributes, _ := client["attributes"].(map[string]any)
	attributes["post.logout.redirect.uris"] = fmt.Sprint(attributes["post.logout.redirect.uris"], "##", base, "/console/session/signed-out")
	return s.admin(ctx, http.MethodPut, "/clients/"+fmt.Sprint(client["id"]), client, nil)
}

// Set changes settings of the realm.
func (s *Server) Set(ctx context.Context, settings map[string]any) error {
	return s.admin(ctx, http.MethodPut, "", settings, nil)
}

// EndSessions ends the sessions of everybody.
func (s *Server) EndSessions(ctx context.Context) error {
	return s.admin(ctx, http.MethodPost, "/logout-all", nil, nil)
}
