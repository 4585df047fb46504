package deployed

import (
	"context"
	"net/http"

	"openg2p.org/mts-connector/shared/seeding"
)

// Connector is a connector that was created through the API.
type Connector struct {
	ID  string
	api Client
}

// Create creates a connector, which is stopped at first. The configuration is
// encoded as JSON.
func (c Client) Create(ctx context.Context, configuration any) (*Connector, error) {
	var made ConnectorDocument
	err := c.Call(ctx, http.MethodPost, "/connectors", configuration, &made)
	return &Connector{ID: made.ID, api: c}, err
}

// Path is a path of the API below the connector.
func (c *Connector) Path(below string) string { return "/connectors/" + c.ID + below }

// Start starts the connector: a run is due at once.
func (c *Connector) Start(ctx context.Context) error {
	return c.api.Call(ctx, http.MethodPost, c.Path("/start"), nil, nil)
}

// Stop stops the connector.
func (c *Connector) Stop(ctx context.Context) error {
	return c.api.Call(ctx, http.MethodPost, c.Path("/stop"), nil, nil)
}

// Document is the connector as the API shows it.
func (c *Connector) Document(ctx context.Context) (d ConnectorDocument, err error) {
	return d, c.api.Call(ctx, http.MethodGet, c.Path(""), nil, &d)
}

// Runs are all runs, the last one first.
func (c *Connector) Runs(ctx context.Context) ([]RunDocument, error) {
	return Pages[RunDocument](ctx, c.api, c.Path("/runs"), "runs", 50)
}

// Batches are the batches of a run.
func (c *Connector) Batches(ctx context.Context, run string) ([]BatchDocument, error) {
	return Pages[BatchDocument](ctx, c.api, c.Path("/runs/"+run+"/batches"), "batches", 100)
}

// Rejections are all registrants that are rejected.
func (c *Connector) Rejections(ctx context.Context) ([]RejectionDocument, error) {
	return Pages[RejectionDocument](ctx, c.api, c.Path("/rejections"), "rejections", 500)
}

// ByKind counts rejections.
func ByKind(rejections []RejectionDocument) map[seeding.RejectionKind]int {
	kinds := map[seeding.RejectionKind]int{}
	for _, r := range rejections {
		kinds[seeding.RejectionKind(r.Kind)]++
	}
	return kinds
}
