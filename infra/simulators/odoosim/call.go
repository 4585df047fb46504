package odoosim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/simulators/python"
)

// One call of a method of a model, from its arguments to its commit.

// request is a call as either of the two routes brings it.
type request struct {
	db            *database
	user          *user
	cookie        bool // with a session: half the fixed cost
	strictModel   bool // an unknown model is a KeyError
	model, method string
	args, kwargs  any
}

// call is what faults, hooks and counters see of a call.
type call struct {
	db            *database // whose lock it needs; nil: none
	model, method string
	fixed         time.Duration
	about         string
}

// errClosed ends a call without an answer.
var errClosed = errors.New("connection closed")

// errLate ends a call without an answer; its commit comes later.
var errLate = fmt.Errorf("%w, not yet committed", errClosed)

func (s *Server) execute(q request) (any, error) {
	if strings.HasPrefix(q.method, "_") || q.method == "init" {
		return nil, raise("odoo.exceptions.AccessError", "Private methods (such as %s) cannot be called remotely.", q.method)
	}
	tab := q.db.tables[q.model]
	if tab == nil {
		if q.strictModel {
			return nil, raise("builtins.KeyError", "%s", q.model)
		}
		return nil, raise("odoo.exceptions.UserError", "Object %s doesn't exist", q.model)
	}
	how, ok := methods[q.method]
	if !ok || how.of != "" && how.of != q.model {
		return nil, raise("builtins.AttributeError", "type object '%s' has no attribute '%s'", q.model, q.method)
	}
	args, isList := q.args.([]any)
	if !isList && python.Truthy(q.args) {
		return nil, raise("builtins.TypeError", "args is no list")
	}
	given, isDict := q.kwargs.(map[string]any)
	if !isDict && python.Truthy(q.kwargs) {
		return nil, raise("builtins.TypeError", "kwargs is no object")
	}
	kwargs, context := map[string]any{}, map[string]any{}
	for k, v := range given {
		if k == "context" {
			context, _ = v.(map[string]any)
			continue
		}
		kwargs[k] = v
	}
	var ids []int64
	if how.records || q.method == "create" {
		if len(args) == 0 {
			return nil, raise("builtins.IndexError", "list index out of range")
		}
	}
	if how.records {
		var err *exception
		if ids, err = browse(args[0]); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	bound, err := how.bind(q.method, args, kwargs)
	if err != nil {
		return nil, err
	}
	fixed := s.options.Latency.Call
	if q.cookie {
		fixed = s.options.Latency.Session
	}
	activeTest := true
	if v, set := context["active_test"]; set {
		activeTest = python.Truthy(v)
	}
	c := call{db: q.db, model: q.model, method: q.method, fixed: fixed, about: excerpt(python.Repr(q.args))}
	return s.perform(c, func(w *work) (any, *tx, *exception) {
		e := s.newEnv(q.db, q.user, w)
		e.activeTest, e.encrypted, e.decrypts = activeTest, s.options.Encrypted, q.method == "read" && len(ids) == 1 && !s.isLocked()
		if !how.writes {
			result, err := how.read(e, tab.model, ids, bound)
			return result, nil, err
		}
		t := newTx(e)
		result, err := how.write(t, tab.model, ids, bound)
		return result, t, err
	})
}

// newEnv is what the work of a call for a user sees.
func (s *Server) newEnv(db *database, u *user, w *work) *env {
	return &env{db: db, user: u, denied: s.deniedNow(), began: s.clock(), activeTest: true, work: w,
		indexed: !s.options.NoIndex, hashRows: s.options.HashRows, generation: generation(s.options.Odoo)}
}

func excerpt(s string) string {
	if len(s) > 4000 {
		return s[:4000] + " …"
	}
	return s
}

// perform runs a call with its faults and hooks, its cost and its commit. run
// checks everything and changes nothing; the changes are in its tx.
func (s *Server) perform(c call, run func(*work) (any, *tx, *exception)) (result any, err error) {
	w := &work{fixed: c.fixed}
	defer func() { s.count(c, w, err != nil) }()
	started := s.healthNow()
	faults := s.faultsOf(c.model, c.method)

	s.fire(Before, c)
	if err := s.applyFaults(faults, Arrival); err != nil {
		return nil, err
	}
	result, t, failure := locked(c.db, run, w)
	if t != nil && failure == nil && s.options.Window > 0 {
		s.options.Sleep(s.options.Window)
	}
	if err := s.spend(w); err != nil {
		return nil, err
	}
	if t != nil && failure == nil {
		s.fire(Checked, c)
	}
	if err := s.applyFaults(faults, Commit); err != nil {
		if errors.Is(err, errLate) && t != nil && failure == nil {
			s.keepLate(func() bool {
				if s.interrupted(started) != nil {
					return false
				}
				_, failure := commit(c.db, t, result, run, &work{})
				return failure == nil
			})
		}
		return nil, err
	}
	if err := s.interrupted(started); err != nil {
		return nil, err
	}
	if t != nil && failure == nil {
		result, failure = commit(c.db, t, result, run, w)
	}
	if failure != nil {
		failure.about = c.about
		return nil, failure
	}
	s.fire(After, c)
	if err := s.applyFaults(faults, Reply); err != nil {
		return nil, err
	}
	return result, nil
}

func locked(db *database, run func(*work) (any, *tx, *exception), w *work) (any, *tx, *exception) {
	if db != nil {
		db.mu.RLock()
		defer db.mu.RUnlock()
	}
	return run(w)
}

// commit writes. If another call changed the same rows meanwhile, this one is
// run again from its start, as Odoo does (facts/odoo.md A6): the last writer
// wins.
func commit(db *database, t *tx, result any, run func(*work) (any, *tx, *exception), w *work) (any, *exception) {
	db.mu.Lock()
	defer db.mu.Unlock()
	failure, conflict := t.commit()
	if conflict {
		w.returned, w.created, w.wrote, w.deleted = 0, 0, 0, 0
		if result, t, failure = run(w); failure == nil {
			failure, _ = t.commit()
		}
	}
	return result, failure
}

// spend waits for the cost of the work; a call that takes too long reloads the
// server, and everything under way is lost (facts/odoo.md A6).
func (s *Server) spend(w *work) error {
	if s.options.Pace <= 0 {
		return nil
	}
	sleep := func(d time.Duration) { s.options.Sleep(time.Duration(float64(d) * s.options.Pace)) }
	scanning, computing := w.scanning(s.options.Latency), w.computing(s.options.Latency)
	if scanning+computing > s.options.TimeLimit {
		sleep(s.options.TimeLimit)
		s.Restart()
		return errClosed
	}
	sleep(scanning)
	s.workers <- struct{}{}
	defer func() { <-s.workers }()
	sleep(computing)
	return nil
}

func (s *Server) count(c call, w *work, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := c.model + "." + c.method
	t := s.tallies[key]
	if t == nil {
		t = &Tally{}
		s.tallies[key] = t
	}
	t.add(w, failed)
}
