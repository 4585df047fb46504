package odoosim_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/odoosim"
)

const token10 = `"g2p.reg.id", "create", [{"partner_id": 10, "id_type": 2, "value": "t"}], {}`

// The uniqueness rule races: calls that are checked at the same time all pass
// (facts/odoo.md A6).
func TestParallelCreatesPassTheCheck(t *testing.T) {
	c := registry(t, odoosim.Options{})
	var checked sync.WaitGroup
	checked.Add(4)
	c.sim.Hook(odoosim.Checked, func(string, string) { checked.Done(); checked.Wait() })
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			if got := c.rpc(token10).outcome(); strings.HasPrefix(got, "!") {
				t.Error(got)
			}
		})
	}
	calls.Wait()
	if s := c.sim.State(); s.Tokens != 4 || s.ManyTokens != 1 {
		t.Errorf("%+v", s)
	}
}

// Without hooks they race by themselves, as soon as there is a window.
func TestTheWindowIsOpen(t *testing.T) {
	c := registry(t, odoosim.Options{Window: 5 * time.Millisecond})
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() { c.rpc(token10) })
	}
	calls.Wait()
	if s := c.sim.State(); s.Tokens < 2 {
		t.Errorf("%d tokens", s.Tokens)
	}
	c.want(token10, "!odoo.exceptions.ValidationError|ID Type must be unique.")
}

// Writers of one row do not fail, the last one wins; a row that is gone when
// the commit comes is missing.
func TestSecondWriter(t *testing.T) {
	for _, each := range []struct {
		name, call, want string
		meanwhile        func(s *odoosim.Server)
		then, thenWant   string
	}{
		{"changed meanwhile", `"g2p.reg.id", "write", [[1], {"value": "1111111111111111"}], {}`, "true",
			func(s *odoosim.Server) { s.SetValue(1, "2222222222222222") },
			`"g2p.reg.id", "read", [[1], ["value"]], {}`, `[{"id": 1, "value": "1111111111111111"}]`},
		{"deleted meanwhile", `"g2p.reg.id", "write", [[1], {"value": "1111111111111111"}], {}`,
			"!odoo.exceptions.MissingError|Record does not exist or has been deleted.\n(Record: g2p.reg.id(1,), User: 2)",
			func(s *odoosim.Server) { s.DeleteIdentifier(1) }, `"g2p.reg.id", "search", [[]], {}`, `[3, 2]`},
		{"unlinked by two", `"g2p.reg.id", "unlink", [[1, 2]], {}`, "true",
			func(s *odoosim.Server) { s.DeleteIdentifier(1) }, `"g2p.reg.id", "search", [[]], {}`, `[3]`},
		{"registrant gone before the commit", token10, fkey + "g2p_reg_id_partner_id_fkey",
			func(s *odoosim.Server) { s.DeleteRegistrant(10) }, `"g2p.reg.id", "search", [[]], {}`, `[3, 2, 1]`},
		{"registrant got an identifier before it went", `"res.partner", "unlink", [[10]], {}`, fkey + "g2p_reg_id_partner_id_fkey",
			func(s *odoosim.Server) { s.SetVID(10, "1111111111111111") }, `"res.partner", "search_count", [[["id", "=", 10]]], {}`, `1`},
		{"a read in between sees nothing", token10, "4",
			func(s *odoosim.Server) {
				if len(s.Identifiers(10)) != 0 {
					panic("seen before its commit")
				}
			}, `"g2p.reg.id", "search", [[["partner_id", "=", 10]]], {}`, `[4]`},
	} {
		t.Run(each.name, func(t *testing.T) {
			c := registry(t, odoosim.Options{})
			remove := c.sim.Hook(odoosim.Checked, func(string, string) { each.meanwhile(c.sim) })
			c.want(each.call, each.want)
			remove()
			c.want(each.then, each.thenWant)
		})
	}
}

func TestHooksSeeEveryCall(t *testing.T) {
	c := registry(t, odoosim.Options{})
	var seen []string
	for _, at := range []odoosim.Moment{odoosim.Before, odoosim.Checked, odoosim.After} {
		c.sim.Hook(at, func(model, method string) { seen = append(seen, fmt.Sprint(at, " ", model, ".", method)) })
	}
	c.want(`"g2p.reg.id", "search_count", [[]], {}`, "3")
	c.want(`"g2p.reg.id", "write", [[1], {}], {}`, "true")
	c.login("admin", "admin")
	want := "0 g2p.reg.id.search_count,2 g2p.reg.id.search_count,0 g2p.reg.id.write,1 g2p.reg.id.write,2 g2p.reg.id.write,0 session.authenticate,2 session.authenticate"
	if got := strings.Join(seen, ","); got != want {
		t.Error(got)
	}
}

func TestFaults(t *testing.T) {
	create := func(f odoosim.Fault) odoosim.Fault {
		f.Model, f.Method = "g2p.reg.id", "create"
		return f
	}
	for _, each := range []struct {
		name   string
		fault  odoosim.Fault
		want   string
		stored bool
	}{
		{"closed before the commit", create(odoosim.Fault{Outcome: odoosim.Closed, Times: 1}), "closed", false},
		{"closed after the commit", create(odoosim.Fault{Outcome: odoosim.Closed, Point: odoosim.Reply, Times: 1}), "closed", true},
		{"500 before", create(odoosim.Fault{Outcome: odoosim.HTML500}), "HTTP 500", false},
		{"500 after", create(odoosim.Fault{Outcome: odoosim.HTML500, Point: odoosim.Reply}), "HTTP 500", true},
		{"serialization", create(odoosim.Fault{Outcome: odoosim.Serialization}), "!psycopg2.errors.SerializationFailure|could not serialize access due to concurrent update\n", false},
		{"session loss", create(odoosim.Fault{Outcome: odoosim.Expired, Point: odoosim.Arrival}), expired, false},
		{"denied", create(odoosim.Fault{Outcome: odoosim.Denied}), "!odoo.exceptions.AccessError|You are not allowed to access 'g2p.reg.id' (g2p.reg.id) records.\n\nNo group currently allows this operation.\n\nContact your administrator to request access if necessary.", false},
		{"any exception", create(odoosim.Fault{Outcome: odoosim.Raised, Name: "odoo.exceptions.UserError", Message: "No."}), "!odoo.exceptions.UserError|No.", false},
		{"slow", create(odoosim.Fault{Delay: time.Hour}), "4", true},
		{"not this method", odoosim.Fault{Method: "unlink", Outcome: odoosim.Closed}, "4", true},
		{"not yet", create(odoosim.Fault{Skip: 1, Outcome: odoosim.Closed}), "4", true},
	} {
		t.Run(each.name, func(t *testing.T) {
			var slept time.Duration
			c := registry(t, odoosim.Options{Sleep: func(d time.Duration) { slept += d }})
			c.sim.Inject(each.fault)
			if got := c.rpc(token10).outcome(); got != each.want {
				t.Errorf("%s, want %s", got, each.want)
			}
			if stored := len(c.sim.Identifiers(10)) == 1; stored != each.stored {
				t.Errorf("stored: %v", stored)
			}
			if slept != each.fault.Delay {
				t.Errorf("slept %v", slept)
			}
			c.sim.LiftAll()
			c.want(`"res.partner", "search_count", [[["id", "=", 7]]], {}`, "1")
		})
	}
}

func TestFaultsRunOut(t *testing.T) {
	c := registry(t, odoosim.Options{})
	lift := c.sim.Inject(odoosim.Fault{Method: "search_count", Skip: 1, Times: 2, Outcome: odoosim.HTML500})
	for i, want := range []string{"3", "HTTP 500", "HTTP 500", "3"} {
		if got := c.rpc(`"g2p.reg.id", "search_count", [[]], {}`).outcome(); got != want {
			t.Errorf("call %d: %s", i, got)
		}
	}
	lift()
}

// The commit comes although the client has gone (facts/odoo.md A6).
func TestCommitAfterTheClientGaveUp(t *testing.T) {
	c := registry(t, odoosim.Options{})
	checked, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	c.sim.Hook(odoosim.Checked, func(string, string) { close(checked); <-release })
	c.sim.Hook(odoosim.After, func(string, string) { close(done) })
	conn := dial(t, c, execute(`2, "admin"`, token10))
	<-checked
	conn.Close()
	if n := len(c.sim.Identifiers(10)); n != 0 {
		t.Errorf("%d identifiers", n)
	}
	close(release)
	<-done
	if n := len(c.sim.Identifiers(10)); n != 1 {
		t.Errorf("%d identifiers", n)
	}
}

// What a Late fault keeps back has passed its checks: it comes beside what was
// written meanwhile, and a call that was refused, or killed, never comes
// (facts/odoo.md A6).
func TestLateCommit(t *testing.T) {
	for _, each := range []struct {
		name, call string
		meanwhile  func(c *client)
		late, held int // calls that come late; identifiers of registrant 10 in the end
	}{
		{"alone", token10, func(*client) {}, 1, 1},
		{"beside a second one", token10, func(c *client) { c.want(token10, "5") }, 1, 2},
		{"refused", `"g2p.reg.id", "create", [{"partner_id": 10, "id_type": 1, "value": "x"}], {}`, func(*client) {}, 0, 0},
		{"a read", `"g2p.reg.id", "search_count", [[]], {}`, func(*client) {}, 0, 0},
		{"killed", token10, func(c *client) { c.sim.Restart() }, 0, 0},
		{"its registrant gone", token10, func(c *client) { c.sim.DeleteRegistrant(10) }, 0, 0},
	} {
		t.Run(each.name, func(t *testing.T) {
			c := registry(t, odoosim.Options{})
			var struck atomic.Int64
			c.sim.Inject(odoosim.Fault{Times: 1, Outcome: odoosim.Late, Struck: func() { struck.Add(1) }})
			if got := c.rpc(each.call).outcome(); got != "closed" {
				t.Errorf("the client sees %s", got)
			}
			if n := len(c.sim.Identifiers(10)); n != 0 || struck.Load() != 1 {
				t.Errorf("%d identifiers, struck %d times", n, struck.Load())
			}
			each.meanwhile(c)
			if late := c.sim.CommitLate(); late != each.late {
				t.Errorf("%d came late", late)
			}
			if n := len(c.sim.Identifiers(10)); n != each.held {
				t.Errorf("%d identifiers in the end", n)
			}
			if again := c.sim.CommitLate(); again != 0 {
				t.Errorf("%d came twice", again)
			}
		})
	}
}

// A call under way when the server is killed, or PostgreSQL stopped, leaves nothing.
func TestInterrupted(t *testing.T) {
	for _, each := range []struct {
		name, want string
		stored     int
		meanwhile  func(s *odoosim.Server)
	}{
		{"killed", "closed", 0, func(s *odoosim.Server) { s.Restart() }},
		{"database stopped", "!psycopg2.InterfaceError|connection already closed", 0, func(s *odoosim.Server) { s.SetDatabaseDown(true) }},
		{"told to stop", "4", 1, func(s *odoosim.Server) { s.SetDown(true) }}, // finishes what is under way
	} {
		t.Run(each.name, func(t *testing.T) {
			c := registry(t, odoosim.Options{})
			remove := c.sim.Hook(odoosim.Checked, func(string, string) { each.meanwhile(c.sim) })
			if got := c.rpc(token10).outcome(); got != each.want {
				t.Errorf("%s, want %s", got, each.want)
			}
			remove()
			if n := len(c.sim.Identifiers(10)); n != each.stored {
				t.Errorf("%d stored", n)
			}
			c.sim.SetDatabaseDown(false)
			if each.stored == 1 {
				if got := c.rpc(token10).outcome(); got != "closed" {
					t.Errorf("a stopped server says %s", got)
				}
			}
			c.sim.SetDown(false)
			c.want(`"g2p.reg.id", "search_count", [[["id", "<", 4]]], {}`, "3")
		})
	}
}

func TestRightsTypesAndRate(t *testing.T) {
	c := registry(t, odoosim.Options{})
	c.sim.Deny("g2p.reg.id", "unlink")
	refused := "!odoo.exceptions.AccessError|You are not allowed to delete 'Registrant ID' (g2p.reg.id) records.\n\nNo group currently allows this operation.\n\nContact your administrator to request access if necessary."
	c.want(`"g2p.reg.id", "unlink", [[1]], {}`, refused)
	c.want(`"res.partner", "write", [[7], {"reg_ids": [[2, 1]]}], {}`, refused)
	c.sim.Allow("g2p.reg.id", "unlink")
	c.want(`"g2p.reg.id", "unlink", [[1]], {}`, "true")
	c.sim.Deny("g2p.reg.id", "read")
	c.want(`"res.partner", "search", [[["reg_ids.value", "=", "x"]]], {}`, "!odoo.exceptions.AccessError|You are not allowed to access…")
	c.sim.LiftAll()
	c.sim.RenameType(odoosim.VIDType, "VID")
	c.want(`"res.partner", "search", [`+mtsDomain+`], {}`, "[]")
	c.sim.Throttle(2) // the clock stands still
	for i, want := range []int{200, 200, 429, 429} {
		if got := c.rpc(`"g2p.reg.id", "search_count", [[]], {}`); got.status != want || want == 429 && got.header.Get("Retry-After") != "1" {
			t.Errorf("call %d: %d", i, got.status)
		}
	}
}

func TestAdministration(t *testing.T) {
	c := registry(t, odoosim.Options{})
	for _, each := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"POST", "registrants/10/vid", `{"value": "1111111111111111"}`, 204, ""},
		{"GET", "registrants/10", ``, 200, `[{"id":4,"registrant":10,"type":1,"value":"1111111111111111"}]`},
		{"POST", "identifiers", `{"registrant": 10, "type": 2, "value": "t", "expiry": "2030-01-01"}`, 200, `{"id":5}`},
		{"POST", "identifiers/5", `{"value": "u"}`, 204, ""},
		{"POST", "registrants/7", `{"birthdate": null, "address": ""}`, 204, ""},
		{"POST", "registrants/7", `{"no_such": 1}`, 400, ""},
		{"POST", "registrants/99/vid", `nonsense`, 400, ""},
		{"DELETE", "registrants/8", ``, 204, ""},
		{"DELETE", "identifiers/5", ``, 204, ""},
		{"DELETE", "identifiers/5", ``, 400, ""},
		{"POST", "types/1", `{"name": "VID"}`, 204, ""},
		{"POST", "rights", `{"model": "g2p.reg.id", "operation": "unlink", "denied": true}`, 204, ""},
		{"POST", "throttle", `{"per_second": 100}`, 204, ""},
		{"POST", "faults", `{"method": "search_count", "times": 1, "outcome": "html500", "delay": 1000}`, 204, ""},
		{"DELETE", "faults", ``, 204, ""},
		{"POST", "commit-late", ``, 200, `{"calls":0}`},
		{"POST", "down", `{"on": true}`, 204, ""},
		{"POST", "down", `{"on": false}`, 204, ""},
		{"POST", "database-down", `{"on": false}`, 204, ""},
		{"POST", "restart", ``, 204, ""},
		{"POST", "lose-sessions", ``, 204, ""},
		{"POST", "reset-tallies", ``, 204, ""},
		{"GET", "state", ``, 200, `"registrants":3,"vids":3,"tokens":0`},
		{"POST", "populate", `{"registrants": 3, "seed": 1}`, 200, `"registrants":3`},
		{"GET", "nothing", ``, 404, ""},
	} {
		got := c.send(each.method, "/_simulator/"+each.path, each.body)
		if got.status != each.status || !strings.Contains(got.body, each.has) {
			t.Errorf("%s %s: %d %s", each.method, each.path, got.status, got.body)
		}
	}
	c.want(`"res.partner", "read", [[7], ["birthdate", "address"]], {}`, `[{"id": 7, "birthdate": false, "address": ""}]`)
}
