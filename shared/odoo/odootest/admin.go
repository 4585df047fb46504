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

// admin prepares records for tests, through /jsonrpc and without the code that
// is tested.
type admin struct {
	t      *testing.T
	target Target
	uid    int64
}

func newAdmin(t *testing.T, target Target) *admin {
	a := &admin{t: t, target: target}
	if err := a.rpc("common", "login", []any{target.Database, target.Username, target.Password}, &a.uid); err != nil {
		t.Fatal(err)
	}
	return a
}

// create makes one record and removes it after the test.
func (a *admin) create(model string, values map[string]any) int64 {
	a.t.Helper()
	var id int64
	if err := a.do(model, "create", &id, values); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		if err := a.do(model, "unlink", nil, []int64{id}); err != nil {
			a.t.Errorf("cleaning up: %v", err)
		}
	})
	return id
}

func (a *admin) write(model string, id int64, values map[string]any) {
	a.t.Helper()
	if err := a.do(model, "write", nil, []int64{id}, values); err != nil {
		a.t.Fatal(err)
	}
}

// unlinkWhere removes records that the tested code made.
func (a *admin) unlinkWhere(model string, domain []any) {
	var ids []int64
	err := a.do(model, "search", &ids, domain)
	if err == nil && len(ids) > 0 {
		err = a.do(model, "unlink", nil, ids)
	}
	if err != nil {
		a.t.Errorf("cleaning up: %v", err)
	}
}

func (a *admin) do(model, method string, result any, args ...any) error {
	return a.rpc("object", "execute_kw",
		[]any{a.target.Database, a.uid, a.target.Password, model, method, args, map[string]any{}}, result)
}

func (a *admin) rpc(service, method string, args []any, result any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1,
		"params": map[string]any{"service": service, "method": method, "args": args}})
	if err != nil {
		return err
	}
	// Cleaning up comes after the end of the test's context.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.target.URL+"/jsonrpc", bytes.NewReader(body))
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
