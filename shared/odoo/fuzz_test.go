package odoo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/odoo"
	"openg2p.org/mts-connector/shared/seeding"
)

// scripted answers each request by a function, without a network.
type scripted func(path string, c call) reply

func (s scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	var rpc struct{ Params call }
	if err := json.NewDecoder(r.Body).Decode(&rpc); err != nil {
		return nil, err
	}
	given := s(strings.TrimPrefix(r.URL.Path, "/odoo"), rpc.Params)
	header := http.Header{"Content-Type": {given.kind}}
	if given.cookie != "" {
		header.Set("Set-Cookie", "session_id="+given.cookie)
	}
	return &http.Response{StatusCode: given.status, Header: header, Body: io.NopCloser(strings.NewReader(given.body)), Request: r}, nil
}

// asked are calls of a registry by name. Each returns what is wrong with its result.
var asked = map[string]func(context.Context, seeding.Registry) (error, error){
	"VIDs": func(ctx context.Context, r seeding.Registry) (error, error) {
		list, err := r.VIDs(ctx, 200, 3)
		last := int64(200)
		for _, v := range list {
			if v.ID <= last || v.Registrant < 1 {
				return err, fmt.Errorf("not in order, or nobody's: %v", list)
			}
			last = v.ID
		}
		return err, atMost(len(list), 3)
	},
	"CountVIDs": func(ctx context.Context, r seeding.Registry) (error, error) {
		n, err := r.CountVIDs(ctx, 200)
		if n < 0 {
			return err, fmt.Errorf("%d", n)
		}
		return err, nil
	},
	"VIDsOf": func(ctx context.Context, r seeding.Registry) (error, error) {
		list, err := r.VIDsOf(ctx, []int64{7, 9})
		return err, of(list)
	},
	"Tokens": func(ctx context.Context, r seeding.Registry) (error, error) {
		list, err := r.Tokens(ctx, []int64{7, 9})
		return err, of(list)
	},
	"Identifiers": func(ctx context.Context, r seeding.Registry) (error, error) {
		vids, tokens, err := r.Identifiers(ctx, []int64{7, 9})
		return err, errors.Join(of(vids), of(tokens))
	},
	"TokenHolders": func(ctx context.Context, r seeding.Registry) (error, error) {
		list, err := r.TokenHolders(ctx, []string{strings.Repeat("7", 36), strings.Repeat("9", 36)})
		for _, i := range list {
			if i.Registrant < 1 {
				return err, fmt.Errorf("nobody holds %v", i)
			}
		}
		return err, nil
	},
	"Registrants": func(ctx context.Context, r seeding.Registry) (error, error) {
		records, err := r.Registrants(ctx, []int64{7, 9})
		for id, record := range records {
			for name := range record {
				if id != 7 && id != 9 || !slices.Contains([]string{"id", "given_name", "birthdate"}, name) {
					return err, fmt.Errorf("was not asked for: %d %s", id, name)
				}
			}
		}
		return err, nil
	},
	"Visible": func(ctx context.Context, r seeding.Registry) (error, error) {
		inUse, archived, err := r.Visible(ctx, []int64{7, 9})
		for _, id := range slices.Concat(inUse, archived) {
			if id != 7 && id != 9 {
				return err, fmt.Errorf("was not asked for: %d", id)
			}
		}
		return err, atMost(len(inUse)+len(archived), 2)
	},
	"Inputs": func(ctx context.Context, r seeding.Registry) (error, error) {
		inputs, err := r.Inputs(ctx, []int64{7, 9})
		for id := range inputs {
			if id != 7 && id != 9 {
				return err, fmt.Errorf("was not asked for: %d", id)
			}
		}
		return err, nil
	},
	"Details": func(ctx context.Context, r seeding.Registry) (error, error) {
		d, err := r.Details(ctx, seeding.Wanted{
			Registrants: []int64{7, 9}, Fields: []string{"given_name", "birthdate"}, Held: true, Types: []string{"MOSIP VID"},
			Values: []string{"T7"}, Genders: []string{"F"}, Phones: true,
		})
		for id := range d.Fields {
			if id != 7 && id != 9 {
				return err, fmt.Errorf("was not asked for: %d", id)
			}
		}
		return err, nil
	},
	"Create": func(ctx context.Context, r seeding.Registry) (error, error) { return r.Create(ctx, oneToken), nil },
	"Remove": func(ctx context.Context, r seeding.Registry) (error, error) { return r.Remove(ctx, []int64{201}), nil },
	"Write": func(ctx context.Context, r seeding.Registry) (error, error) {
		return r.Write(ctx, []seeding.Edit{{Kind: seeding.SetRegistrant, ID: 7, Values: map[string]string{"given_name": "Ana"}}}), nil
	},
}

func atMost(n, most int) error {
	if n > most {
		return fmt.Errorf("%d, asked for %d", n, most)
	}
	return nil
}

func of(list []seeding.Identifier) error {
	for _, i := range list {
		if i.Registrant != 7 && i.Registrant != 9 || i.ID < 1 {
			return fmt.Errorf("of somebody else: %v", i)
		}
	}
	return nil
}

// Whatever a registry answers, to whichever of its calls: nothing panics, reading it
// takes little memory, what comes of it is what was asked for, and an error is a fault
// without a text of the server.
func FuzzReplies(f *testing.F) {
	names := make([]string, 0, len(asked))
	for name := range asked {
		names = append(names, name)
	}
	slices.Sort(names)
	models := []string{"", "/web/session/authenticate", "g2p.id.type", "fields_get", "ir.module.module"}
	bodies := []string{
		`[{"id":201,"partner_id":[7,"A"],"id_type":[1,"T"],"value":"4000","create_date":"2026-01-05 09:30:00"},{"id":202,"partner_id":9,"id_type":1,"value":false}]`,
		`[{"id":7,"given_name":"Ana","birthdate":"1990-11-02","active":true},{"id":9,"given_name":false,"birthdate":null,"active":false}]`,
		`[{"id":8},{"id":-7},{"id":7.5},{"id":"7"},{"id":[7]},null,5]`, `17`, `-1`, `1e400`, `true`, `null`, `[201]`, `[]`, `{}`, `"x"`, `[{"id":7,"given_name":{"a":[1]},"birthdate":[[[[]]]]}]`,
		`[{"id":1,"name":"MOSIP VID"},{"id":1,"name":"MOSIP VID"}]`, `{"status":{"type":"selection"},"given_name":{"type":"binary"}}`,
	}
	for i := range names {
		for j, body := range bodies {
			if (i+j)%3 == 0 {
				f.Add(uint8(i), uint8(j%len(models)), uint16(200), "application/json", []byte(result(body).body))
			}
		}
		f.Add(uint8(i), uint8(0), uint16(200), "application/json", []byte(refusal(200, "odoo.exceptions.ValidationError", private).body))
		f.Add(uint8(i), uint8(1), uint16(200), "application/json", []byte(refusal(200, "odoo.exceptions.AccessDenied", private).body))
		f.Add(uint8(i), uint8(0), uint16(200), "application/json", []byte(expired.body))
		f.Add(uint8(i), uint8(2), uint16(502), "text/html", []byte("<html>"+private))
		f.Add(uint8(i), uint8(0), uint16(200), "application/json", []byte(`{"jsonrpc":"2.0","result":[{"id":7,"given_name":"`))
		f.Add(uint8(i), uint8(0), uint16(200), "application/json", bytes.Repeat([]byte("["), 5_000))
	}
	f.Fuzz(func(t *testing.T, method, model uint8, status uint16, kind string, body []byte) {
		if status < 200 || status > 999 {
			return // HTTP has none
		}
		fuzzed := reply{status: int(status), kind: kind, body: string(body)}
		which := models[int(model)%len(models)]
		transport := scripted(func(path string, c call) reply {
			switch {
			case which == "" && path != "/web/session/authenticate" && c.Model != "g2p.id.type" && c.Method != "fields_get", which != "" && (which == path || which == c.Model || which == c.Method):
				return fuzzed
			case path == "/web/session/authenticate":
				signedIn := result(`{"uid":7,"db":"g2p"}`)
				signedIn.cookie = "s"
				return signedIn
			}
			return wellKnown(func(call) reply { return result(`[]`) })(c)
		})
		registries := odoo.New(&http.Client{Transport: transport}, func(context.Context, seeding.Connector) (string, error) { return "secret", nil }, func() time.Time { return today })
		r, err := registries.Open(t.Context(), seeding.Connector{
			ID: "c1", Version: 1, Source: seeding.RegistrySource{Domain: usual, Fields: []string{"given_name", "birthdate"}},
			Registry: seeding.RegistryAccess{URL: "https://registry.example.org/odoo", Database: "g2p", Username: "seeder", VIDType: vidType, TokenType: tokenType},
		})
		if err != nil {
			t.Fatal(err)
		}
		name := names[int(method)%len(names)]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err, wrong := asked[name](t.Context(), r)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20+64*uint64(len(body)) {
			t.Errorf("%s: %d KB for a reply of %d", name, took>>10, len(body))
		}
		if wrong != nil {
			t.Errorf("%s: %v", name, wrong)
		}
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*seeding.Fault](err); !ok || strings.Contains(err.Error(), private) {
			t.Errorf("%s: %T %v", name, err, err)
		}
	})
}
