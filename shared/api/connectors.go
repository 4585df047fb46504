package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

var connectorID = regexp.MustCompile(`^[0-9A-Za-z]{26}$`)

// load reads the connector that the path names.
func (a *api) load(r *http.Request) (seeding.Connector, error) {
	id := r.PathValue("id")
	if !connectorID.MatchString(id) {
		return seeding.Connector{}, seeding.ErrNotFound
	}
	return a.Store.Connector(r.Context(), id)
}

func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	page, err := readPage(r, "connectors", 100)
	if err != nil {
		return err
	}
	found, next, err := a.Store.ListConnectors(r.Context(), page.mark, page.limit)
	if err != nil {
		return err
	}
	list := []connectorReply{}
	for _, c := range found {
		state, err := a.Store.State(r.Context(), c.ID)
		if errors.Is(err, seeding.ErrNotFound) {
			continue // deleted a moment ago
		}
		if err != nil {
			return err
		}
		list = append(list, newConnectorReply(c, state))
	}
	reply(w, http.StatusOK, struct {
		Connectors []connectorReply `json:"connectors"`
		Next       string           `json:"next,omitempty"`
	}{list, page.cursor(next)})
	return nil
}

func (a *api) show(w http.ResponseWriter, r *http.Request) error {
	c, err := a.load(r)
	if err != nil {
		return err
	}
	return a.tell(w, r, http.StatusOK, c)
}

// tell answers with the connector as it is.
func (a *api) tell(w http.ResponseWriter, r *http.Request, status int, c seeding.Connector) error {
	state, err := a.Store.State(r.Context(), c.ID)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(c.Version))
	reply(w, status, newConnectorReply(c, state))
	return nil
}

func (a *api) create(w http.ResponseWriter, r *http.Request) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	given, wrong := a.configure(body, nil)
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	c, now := given.Connector, a.Now().UTC()
	c.ID, c.Version, c.Created, c.Updated = a.NewID(), 1, now, now
	version, err := a.Secrets.Put(r.Context(), c.ID, seeding.RegistryPassword, given.password)
	if err != nil {
		a.dropSecret(r.Context(), c.ID) // it may have been stored all the same
		return err
	}
	c.Secrets = map[string]string{seeding.RegistryPassword: version}
	if err := a.Store.CreateConnector(r.Context(), c); err != nil && !a.created(r.Context(), c) {
		return err
	}
	w.Header().Set("Location", "/connectors/"+c.ID)
	return a.tell(w, r, http.StatusCreated, c)
}

// created looks whether a write that failed took effect all the same. If it
// surely did not, the secret goes; if that cannot be known, it stays.
func (a *api) created(ctx context.Context, c seeding.Connector) bool {
	ctx, cancel := toTheEnd(ctx)
	defer cancel()
	stored, err := a.Store.Connector(ctx, c.ID)
	if errors.Is(err, seeding.ErrNotFound) {
		a.dropSecret(ctx, c.ID)
	}
	return err == nil && stored.Secrets[seeding.RegistryPassword] == c.Secrets[seeding.RegistryPassword]
}

// toTheEnd is for what has to be done though the client may be gone.
func toTheEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

// dropSecret removes the secret of a connector that came to nothing.
func (a *api) dropSecret(ctx context.Context, id string) {
	ctx, cancel := toTheEnd(ctx)
	defer cancel()
	if err := a.Secrets.Delete(ctx, id, seeding.RegistryPassword); err != nil {
		a.Log.ErrorContext(ctx, "a secret without connector is left over", "connector", id, "kind", kindOf(err))
	}
}

func (a *api) replace(w http.ResponseWriter, r *http.Request) error {
	former, err := a.load(r)
	if err != nil {
		return err
	}
	if err := matches(r, former); err != nil {
		return err
	}
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	given, wrong := a.configure(body, &former)
	if len(wrong) > 0 {
		return invalid(wrong)
	}
	c, now := given.Connector, a.Now().UTC()
	c.ID, c.Version, c.Created, c.Updated = former.ID, former.Version+1, former.Created, now
	c.Secrets = former.Secrets
	if given.password != "" {
		if err := a.mayMove(r.Context(), former, c); err != nil {
			return err
		}
		version, err := a.Secrets.Put(r.Context(), c.ID, seeding.RegistryPassword, given.password)
		if err != nil {
			return err
		}
		c.Secrets = map[string]string{seeding.RegistryPassword: version}
	}
	if err := a.Store.ReplaceConnector(r.Context(), c, now); err != nil {
		return err
	}
	return a.tell(w, r, http.StatusOK, c)
}

// mayMove looks for open batches before a password is stored with a change of
// the registry. The store refuses such a change in any case; but each refusal
// would leave a version of the secret, and push out the one in use.
func (a *api) mayMove(ctx context.Context, former, c seeding.Connector) error {
	if former.RegistryKey() == c.RegistryKey() {
		return nil
	}
	state, err := a.Store.State(ctx, c.ID)
	if err != nil || state.Run == "" {
		return err
	}
	batches, err := a.Store.RunBatches(ctx, former.RegistryKey(), c.ID, state.Run)
	if err != nil {
		return err
	}
	for _, b := range batches {
		if b.State.Open() {
			return seeding.ErrOpenBatches
		}
	}
	return nil
}

func (a *api) remove(w http.ResponseWriter, r *http.Request) error {
	c, err := a.load(r)
	if errors.Is(err, seeding.ErrNotFound) && connectorID.MatchString(r.PathValue("id")) {
		// Sent again after the secret could not be removed.
		if err := a.Secrets.Delete(r.Context(), r.PathValue("id"), seeding.RegistryPassword); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := matches(r, c); err != nil {
		return err
	}
	if err := a.Store.DeleteConnector(r.Context(), c.ID, c.Version, a.Now().UTC()); err != nil {
		return err
	}
	if err := a.Secrets.Delete(r.Context(), c.ID, seeding.RegistryPassword); err != nil {
		a.Log.ErrorContext(r.Context(), "a secret without connector is left over", "connector", c.ID, "kind", kindOf(err))
		return problem(http.StatusInternalServerError, "The connector is deleted, but its password could not be removed. "+
			"Send the same request again: it removes the password, and answers that there is no such connector.")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *api) start(w http.ResponseWriter, r *http.Request) error {
	return a.setStatus(w, r, seeding.Running)
}

func (a *api) stop(w http.ResponseWriter, r *http.Request) error {
	return a.setStatus(w, r, seeding.Stopped)
}

func (a *api) setStatus(w http.ResponseWriter, r *http.Request, status seeding.Status) error {
	c, err := a.load(r)
	if err != nil {
		return err
	}
	if err := a.Store.SetStatus(r.Context(), c.ID, status, a.Now().UTC()); err != nil {
		return err
	}
	if status == seeding.Running {
		if err := a.Invoker.InvokeSubmit(r.Context(), c.ID); err != nil { // the next tick finds it due
			a.Log.WarnContext(r.Context(), "submit was not invoked", "connector", c.ID, "kind", kindOf(err))
		}
	}
	return a.tell(w, r, http.StatusOK, c)
}

func invalid(wrong faults) *Problem {
	detail := "One field is wrong. It stands below with what it needs; nothing was saved."
	if len(wrong) > 1 {
		detail = fmt.Sprintf("%d fields are wrong. They stand below with what each of them needs; nothing was saved.", len(wrong))
	}
	return problem(http.StatusUnprocessableEntity, detail, wrong...)
}

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// matches checks If-Match, so that nobody overwrites what they did not see.
func matches(r *http.Request, c seeding.Connector) error {
	wanted := strings.Join(r.Header.Values("If-Match"), ",")
	if strings.TrimSpace(wanted) == "" {
		return problem(http.StatusPreconditionRequired, "Read the connector first, and send its ETag in the header If-Match.")
	}
	for one := range strings.SplitSeq(wanted, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == etag(c.Version) {
			return nil
		}
	}
	return stale()
}
