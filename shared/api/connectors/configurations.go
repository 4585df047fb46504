package connectors

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"openg2p.org/mts-connector/shared/api"
	"openg2p.org/mts-connector/shared/seeding"
)

func (s *service) show(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, c, nil)
}

// reply writes a connector with its state, that of its MTS, and what is known of its
// registry, which it reads.
func (s *service) reply(w http.ResponseWriter, r *http.Request, status int, c seeding.Connector, warnings []warningDocument) error {
	state, err := s.Store.State(r.Context(), c.ID)
	if err != nil {
		return err
	}
	var attempts seeding.Attempts
	var run *runDocument
	var found seeding.RegistryFound
	var doneUntil *time.Time
	all, ctx := errgroup.WithContext(r.Context())
	all.Go(func() (err error) {
		attempts, err = s.attempts(ctx, state, known{map[string]seeding.MTSState{}, map[string]seeding.RegistryState{}})
		begins := state.Run == "" || r.Method != http.MethodGet
		if err == nil && begins && len(state.Problems) == 0 && !attempts.Look().After(attempts.Now) {
			// A start clears the problem of an outage, and not the outage. Under an open
			// run the next attempt raises it again.
			attempts.Registry, err = s.Store.RegistryState(ctx, state.Registry)
		}
		return err
	})
	all.Go(func() (err error) { run, err = s.openRun(ctx, state); return err })
	if c.FromODK() {
		all.Go(func() (err error) { doneUntil, err = s.doneUntil(ctx, c); return err })
	}
	all.Go(func() (err error) {
		found, err = s.Store.Found(ctx, c.RegistryKey())
		if seeding.IsNotFound(err) {
			return nil
		}
		return seeding.IgnoreDamaged(err)
	})
	if err := all.Wait(); err != nil {
		return err
	}
	w.Header().Set("ETag", api.ETag(c.Version))
	document := newConnectorDocument(c, attempts)
	if document.ODK != nil {
		document.ODK.DoneUntil = doneUntil
	}
	document.Warnings, document.OpenRun, document.RegistryVersion = warnings, run, newVersionDocument(found)
	api.Reply(w, status, document)
	return nil
}

// known are the states of MTSs and registries that a request has read, by key.
type known struct {
	mts        map[string]seeding.MTSState
	registries map[string]seeding.RegistryState
}

// attemptsNow are the attempts of a connector, of which only its own state is read.
func (s *service) attemptsNow(state seeding.State) seeding.Attempts {
	return seeding.Attempts{State: state, Now: s.Now(), Times: seeding.DefaultTimes()}
}

// attempts reads what the document of a connector shows besides its own state: its
// MTS, and its registry if a problem may wait for it.
func (s *service) attempts(ctx context.Context, state seeding.State, known known) (seeding.Attempts, error) {
	a := s.attemptsNow(state)
	var err error
	var read bool
	if a.MTS, read = known.mts[state.MTS]; !read {
		if a.MTS, err = s.Store.MTSState(ctx, state.MTS); err != nil {
			return a, err
		}
		known.mts[state.MTS] = a.MTS
	}
	if a.Registry, read = known.registries[state.Registry]; !read && len(state.Problems) > 0 {
		if a.Registry, err = s.Store.RegistryState(ctx, state.Registry); err != nil {
			return a, err
		}
		known.registries[state.Registry] = a.Registry
	}
	return a, nil
}

func (s *service) create(w http.ResponseWriter, r *http.Request) error {
	d, err := s.configuration(w, r, nil)
	if err != nil {
		return err
	}
	c := d.connector
	now := s.Now().UTC()
	c.ID, c.Version, c.Created, c.Updated = s.NewID(), 1, now, now
	if err := s.storeSecrets(r.Context(), &c, d.secrets, nil); err != nil {
		s.deleteAllSecrets(r.Context(), c.ID) // it may have been stored nevertheless
		return err
	}
	err = s.Store.CreateConnector(r.Context(), c, s.change(r, seeding.ChangeCreate, c, hostChanges(c)...))
	created := err == nil || s.wasCreated(r.Context(), c)
	if created {
		s.changed(r, "create", c, nil, newHosts(seeding.Connector{}, c)...)
	} else {
		s.changed(r, "create", c, err)
		return err
	}
	w.Header().Set("Location", "/connectors/"+c.ID)
	return s.reply(w, r, http.StatusCreated, c, d.doubtful)
}

// wasCreated reports whether a write that failed took effect nevertheless. If it
// surely did not, its secrets are deleted; if that cannot be known, they stay.
func (s *service) wasCreated(ctx context.Context, c seeding.Connector) bool {
	ctx, cancel := withoutClient(ctx)
	defer cancel()
	stored, err := s.Store.Connector(ctx, c.ID)
	if errors.Is(err, seeding.ErrNotFound) {
		s.deleteAllSecrets(ctx, c.ID)
	}
	return err == nil && maps.Equal(stored.Secrets, c.Secrets)
}

// withoutClient is a context for what must be done even if the client is gone.
func withoutClient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

// deleteAllSecrets deletes the secrets of a connector that was not created.
func (s *service) deleteAllSecrets(ctx context.Context, id string) {
	ctx, cancel := withoutClient(ctx)
	defer cancel()
	if err := s.deleteSecrets(ctx, id); err != nil {
		s.Log.ErrorContext(ctx, "a secret without connector is left over", "connector", id, "kind", api.Kind(err))
	}
}

func (s *service) replace(w http.ResponseWriter, r *http.Request) error {
	before, err := s.load(r)
	if err != nil {
		return err
	}
	if err := matches(r, before); err != nil {
		return err
	}
	d, err := s.configuration(w, r, &before)
	if err != nil {
		return err
	}
	c := d.connector
	now := s.Now().UTC()
	c.ID, c.Version, c.Created, c.Updated = before.ID, before.Version+1, before.Created, now
	if len(d.secrets) > 0 {
		if err := s.checkOpenBatches(r.Context(), before, c); err != nil {
			return err
		}
		if err := s.storeSecrets(r.Context(), &c, d.secrets, before.Secrets); err != nil {
			return err
		}
	}
	fields := fieldChanges(before, c, d.secrets)
	err = s.Store.ReplaceConnector(r.Context(), c, now, s.change(r, seeding.ChangeReplace, c, fields...))
	s.changed(r, "replace", c, err, append(newHosts(before, c), "fields", namesOf(fields))...)
	if err != nil {
		return err
	}
	s.dropSecrets(r.Context(), before, c)
	return s.reply(w, r, http.StatusOK, c, d.doubtful)
}

// checkOpenBatches refuses what must wait for open batches, as the store does, but
// before a password is stored, which would be of no use. Batches may be of a run that
// has ended.
func (s *service) checkOpenBatches(ctx context.Context, before, c seeding.Connector) error {
	if !c.EndsBatchesOf(before) {
		return nil
	}
	open, err := s.Store.OpenBatches(ctx, before.RegistryKey())
	if seeding.IgnoreDamaged(err) != nil {
		return err
	}
	if slices.ContainsFunc(open, func(b seeding.Batch) bool { return b.Ref.Connector == before.ID }) {
		return seeding.ErrOpenBatches
	}
	return nil
}

func (s *service) remove(w http.ResponseWriter, r *http.Request) error {
	c, err := s.load(r)
	if errors.Is(err, seeding.ErrNotFound) && connectorID.MatchString(r.PathValue("id")) {
		// The request is sent again after the secret could not be deleted.
		if err := s.deleteSecrets(r.Context(), r.PathValue("id")); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := matches(r, c); err != nil {
		return err
	}
	err = s.Store.DeleteConnector(r.Context(), c.ID, c.Version, s.Now().UTC(), s.change(r, seeding.ChangeDelete, c))
	s.changed(r, "delete", c, err)
	if err != nil {
		return err
	}
	if err := s.deleteSecrets(r.Context(), c.ID); err != nil {
		s.Log.ErrorContext(r.Context(), "a secret without connector is left over", "connector", c.ID, "kind", api.Kind(err))
		return api.NewProblem(secretLeft, "The connector is deleted, but its password could not be removed. "+
			"Send the same request again: it removes the password, and replies that there is no such connector.")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *service) start(w http.ResponseWriter, r *http.Request) error {
	return s.setStatus(w, r, seeding.ChangeStart, seeding.Running)
}

func (s *service) stop(w http.ResponseWriter, r *http.Request) error {
	return s.setStatus(w, r, seeding.ChangeStop, seeding.Stopped)
}

func (s *service) setStatus(w http.ResponseWriter, r *http.Request, change seeding.ChangeKind, status seeding.Status) error {
	c, err := s.load(r)
	if err != nil {
		return err
	}
	if now := s.Now(); status == seeding.Running && c.Schedule.Over(now) {
		return api.NewProblem(over, "No run would begin, because ends of the connector is past. Save the connector with a later one, or without, then start it.")
	}
	err = s.Store.SetStatus(r.Context(), c.ID, status, s.Now().UTC(), s.change(r, change, c))
	s.changed(r, string(change), c, err)
	if err != nil {
		return err
	}
	if status == seeding.Running {
		s.invokeSubmit(r.Context(), c.ID)
	}
	return s.reply(w, r, http.StatusOK, c, nil)
}

// invokeSubmit invokes submit for a connector. If it fails the next tick finds the
// connector due.
func (s *service) invokeSubmit(ctx context.Context, id string) {
	if err := s.Invoker.InvokeSubmit(ctx, id); err != nil {
		s.Log.WarnContext(ctx, "submit was not invoked", "connector", id, "kind", api.Kind(err))
	}
}

// matches checks If-Match, so that nobody overwrites a version that they did not
// read.
func matches(r *http.Request, c seeding.Connector) error {
	switch given, same := api.IfMatch(r, api.ETag(c.Version)); {
	case !given:
		return api.NewProblem(api.Precondition, "Read the connector first, and send its ETag in the header If-Match.")
	case !same:
		return outdated()
	}
	return nil
}
