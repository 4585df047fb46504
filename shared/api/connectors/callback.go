package connectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/setup"
)

// newCallbackDocument is the callback of a connector as it is shown, without secrets.
func newCallbackDocument(c seeding.Connector) callbackDocument {
	stored := func(field string) bool { return c.Secrets[field] != "" }
	d := callbackDocument{
		HTTPMethod: httpMethod, TimeoutSeconds: c.Delivery.TimeoutSeconds, AuthType: authType, HeadersSet: []string{},
		PasswordSet: stored(seeding.CallbackPassword), ClientSecretSet: stored(seeding.CallbackClientSecret), TokenSet: stored(seeding.CallbackToken),
	}
	if direct := c.Delivery.Direct; direct != nil {
		d.URL, d.HTTPMethod, d.InBulk = direct.URL, direct.Method, direct.InBulk
		d.AuthType, d.AuthURL, d.AuthDatabase = authTypeOf(direct.Auth.Type), direct.Auth.URL, direct.Auth.Database
		d.AuthUsername, d.AuthClientID = direct.Auth.Username, direct.Auth.ClientID
		if stored(seeding.CallbackHeaders) {
			d.HeadersSet = list(direct.Headers)
		}
	}
	return d
}

// authTypeOf is the document's word for a way to sign in, which MTS writes otherwise.
func authTypeOf(t seeding.AuthType) string {
	if t == seeding.AuthStaticBearer {
		return authType
	}
	return string(t)
}

// callbackSecretsBody are members of a callback that no reply has.
type callbackSecretsBody struct {
	Password     string            `json:"auth_password"`
	ClientSecret string            `json:"auth_client_secret"`
	Token        string            `json:"auth_token"`
	Headers      map[string]string `json:"extra_headers"`
}

// callback is the callback in the words of the domain.
func (d callbackDocument) callback(secret callbackSecretsBody) setup.Callback {
	c := setup.Callback{
		URL: d.URL, Method: d.HTTPMethod, TimeoutSeconds: d.TimeoutSeconds, InBulk: d.InBulk, Headers: secret.Headers,
		AuthType: seeding.AuthType(d.AuthType), AuthURL: d.AuthURL, Database: d.AuthDatabase, Username: d.AuthUsername,
		Password: secret.Password, ClientID: d.AuthClientID, ClientSecret: secret.ClientSecret, Token: secret.Token,
	}
	if d.AuthType == authType {
		c.AuthType = seeding.AuthStaticBearer
	}
	return c
}

// secretFields are the secret fields of a connector, in the order in which they are
// stored, with their names in the document.
var secretFields = []struct{ field, name string }{
	{seeding.RegistryPassword, "registry.password"},
	{seeding.ODKPassword, "odk.password"},
	{seeding.CallbackPassword, "callback.auth_password"},
	{seeding.CallbackClientSecret, "callback.auth_client_secret"},
	{seeding.CallbackToken, "callback.auth_token"},
	{seeding.CallbackHeaders, "callback.extra_headers"},
}

// newSecrets are the secrets that come with a configuration, by their field.
func newSecrets(password, odkPassword string, c setup.Callback) map[string]string {
	given := map[string]string{
		seeding.RegistryPassword: password, seeding.ODKPassword: odkPassword, seeding.CallbackPassword: c.Password,
		seeding.CallbackClientSecret: c.ClientSecret, seeding.CallbackToken: c.Token,
	}
	if len(c.Headers) > 0 {
		given[seeding.CallbackHeaders] = seeding.EncodeHeaders(c.Headers)
	}
	maps.DeleteFunc(given, func(_, value string) bool { return value == "" })
	return given
}

// storeSecrets stores new secrets of a connector, and names their versions in its
// configuration. inUse are the versions that are named now.
func (s *service) storeSecrets(ctx context.Context, c *seeding.Connector, given, inUse map[string]string) error {
	named := maps.Clone(c.Secrets)
	if named == nil {
		named = map[string]string{}
	}
	c.Secrets = named
	for _, f := range secretFields {
		value, comes := given[f.field]
		if !comes {
			continue
		}
		version, err := s.Secrets.Put(ctx, c.ID, f.field, value, cmp.Or(inUse[f.field], fmt.Sprint("none, version ", c.Version)))
		if err != nil {
			return err
		}
		named[f.field] = version
	}
	return nil
}

// deleteSecrets deletes all secrets of a connector. One that is gone is no error.
func (s *service) deleteSecrets(ctx context.Context, id string) (failed error) {
	for _, f := range secretFields {
		failed = cmp.Or(failed, s.Secrets.Delete(ctx, id, f.field))
	}
	return failed
}

// dropSecrets deletes the secrets that a configuration had before and does not name
// any more, nor does one that was saved since. They are of no use, and cost nothing but
// money if they stay.
func (s *service) dropSecrets(ctx context.Context, before, c seeding.Connector) {
	ctx, cancel := withoutClient(ctx)
	defer cancel()
	unused := slices.DeleteFunc(slices.Sorted(maps.Keys(before.Secrets)), func(field string) bool { return c.Secrets[field] != "" })
	if len(unused) == 0 {
		return
	}
	now, err := s.Store.Connector(ctx, c.ID)
	if err != nil && !errors.Is(err, seeding.ErrNotFound) {
		s.Log.WarnContext(ctx, "secrets that are not used any more are left over", "connector", c.ID, "kind", api.Kind(err))
		return
	}
	for _, field := range unused {
		if now.Secrets[field] != "" {
			continue
		}
		if err := s.Secrets.Delete(ctx, c.ID, field); err != nil {
			s.Log.WarnContext(ctx, "a secret that is not used any more is left over", "connector", c.ID, "fields", field, "kind", api.Kind(err))
		}
	}
}
