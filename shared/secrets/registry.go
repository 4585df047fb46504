package secrets

import (
	"context"

	"openg2p.org/mts-connector/shared/seeding"
)

// RegistryPassword is the password of the connector's user at the registry, in
// the version that the configuration names.
func (s *ConnectorSecrets) RegistryPassword(ctx context.Context, c seeding.Connector) (string, error) {
	return s.Get(ctx, c.ID, seeding.RegistryPassword, c.Secrets[seeding.RegistryPassword])
}

// ODKPassword is the password of the connector's account at ODK Central, likewise.
func (s *ConnectorSecrets) ODKPassword(ctx context.Context, c seeding.Connector) (string, error) {
	return s.Get(ctx, c.ID, seeding.ODKPassword, c.Secrets[seeding.ODKPassword])
}
