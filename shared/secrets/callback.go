package secrets

import (
	"context"

	"openg2p.org/mts-connector/shared/seeding"
)

// Callback are the secrets of the connector's direct callback, in the versions that
// the configuration names. Those that it does not name are empty.
func (s *ConnectorSecrets) Callback(ctx context.Context, c seeding.Connector) (secrets seeding.CallbackSecrets, err error) {
	var headers string
	for field, value := range map[string]*string{
		seeding.CallbackPassword: &secrets.Password, seeding.CallbackClientSecret: &secrets.ClientSecret,
		seeding.CallbackToken: &secrets.Token, seeding.CallbackHeaders: &headers,
	} {
		if version := c.Secrets[field]; version != "" {
			if *value, err = s.Get(ctx, c.ID, field, version); err != nil {
				return seeding.CallbackSecrets{}, err
			}
		}
	}
	if secrets.Headers, err = seeding.DecodeHeaders(headers); err != nil {
		return seeding.CallbackSecrets{}, err
	}
	return secrets, nil
}
