package odootest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// office is somebody at a desk of the registry: what tests need to be there is
// made through /jsonrpc, by none of the code that is tested.
type office struct {
	t      *testing.T
	target Target
	uid    int64
}

func newOffice(t *testing.T, target Target) *office {
	o := &office{t: t, target: target}
	if err := o.rpc("common", "login", []any{target.Database, target.Username, target.Password}, &o.uid); err != nil {
		t.Fatal(err)
	}
	return o
}

// create makes one record and removes it when the test is over.
func (o *office) create(model string, values map[string]any) int64 {
	o.t.Helper()
	var id int64
	if err := o.do(model, "create", &id, values); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := o.do(model, "unlink", nil, []int64{id}); err != nil {
			o.t.Errorf("cleaning up: %v", err)
		}
	})
	return id
}

func (o *office) write(model string, id int64, values map[string]any) {
	o.t.Helper()
	if err := o.do(model, "write", nil, []int64{id}, values); err != nil {
		o.t.Fatal(err)
	}
}

// unlinkWhere removes what the tested code made.
func (o *office) unlinkWhere(model string, domain []any) {
	var ids []int64
	err := o.do(model, "search", &ids, domain)
	if err == nil && len(ids) > 0 {
		err = o.do(model, "unlink", nil, ids)
	}
	if err != nil {
		o.t.Errorf("cleaning up: %v", err)
	}
}

func (o *office) do(model, method string, result any, args ...any) error {
	return o.rpc("object", "execute_kw",
		[]any{o.target.Database, o.uid, o.target.Password, model, method, args, map[string]any{}}, result)
}

func (o *office) rpc(service, method string, args []any, result any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1,
		"params": map[string]any{"service": service, "method": method, "args": args}})
	if err != nil {
		return err
	}
	// Cleaning up comes after the end of the test's own context.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.target.URL+"/jsonrpc", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Data struct {
				Message string `json:"message"`
			} `json:"data"`
		} `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return fmt.Errorf("%s %s: HTTP %d: %w", service, method, resp.StatusCode, err)
	}
	if reply.Error != nil {
		return fmt.Errorf("%s %s: %s", service, method, reply.Error.Data.Message)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(reply.Result, result)
}
