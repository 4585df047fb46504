package mts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"openg2p.org/mts-connector/shared/seeding"
)

// Ping asks whether there is an MTS at the address: for its pong (facts/mts.md 1.7),
// and for a request that it cannot have, which it looks up in its database.
func (c *Client) Ping(ctx context.Context, mtsURL string) error {
	status, body, err := c.get(ctx, mtsURL, "/ping")
	if err != nil {
		return err
	}
	var pong string
	switch {
	case status != http.StatusOK:
		return refusal(status, reply{})
	case json.Unmarshal(body, &pong) != nil || !strings.HasSuffix(pong, "pong"):
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAnswer"}
	}
	found, err := c.Status(ctx, mtsURL, "00000000-0000-0000-0000-000000000000")
	if err == nil && found != seeding.StatusUnknown {
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAnswer"}
	}
	return err
}

// get makes an exchange whose reply is not MTS's envelope.
func (c *Client) get(ctx context.Context, base, path string) (status int, body []byte, err error) {
	resp, err := c.send(ctx, http.MethodGet, base, path, nil)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return 0, nil, noReply(err)
	}
	return resp.StatusCode, body, nil
}

// Reach asks whether any web server answers at an address that MTS calls, whatever it
// answers. It sends no secret. The address may have a query.
func (c *Client) Reach(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return &seeding.Fault{Kind: seeding.RefusedRequest, Code: "BadAddress", Cause: fmt.Errorf("request: %w", err)}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return noReply(err)
	}
	return resp.Body.Close()
}
