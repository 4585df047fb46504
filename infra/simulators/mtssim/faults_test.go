package mtssim_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
)

func TestDown(t *testing.T) {
	s, base := start(t, mtssim.Options{})
	s.SetFaults(mtssim.Faults{Down: true})
	if _, _, err := do(t, "GET", base+"/ping", "", ""); err == nil {
		t.Error("an answer while down")
	}
	if r, _ := mustDo(t, "GET", base+"/_simulator/state", "", ""); r.status != 200 {
		t.Errorf("the administration is down too: %d", r.status)
	}
	s.SetFaults(mtssim.Faults{})
	if r, _ := mustDo(t, "GET", base+"/ping", "", ""); r.status != 200 {
		t.Errorf("got %d", r.status)
	}
}

func TestDelay(t *testing.T) {
	inBubble(t, mtssim.Options{}, func(t *testing.T, s *mtssim.Server, do doer) {
		s.SetFaults(mtssim.Faults{DelayMS: 1500})
		if d := took(func() { do("GET", "/ping", nil) }); d != 1500*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

// 500 after accepting: the client knows nothing, the work is done all the same.
func TestFailAfterAccepting(t *testing.T) {
	to := receive(t, nil)
	s, base := start(t, mtssim.Options{})
	s.SetFaults(mtssim.Faults{FailNext: 1})
	e := submission(object{"url": to.url}, valid(ann))
	if r := post(t, base, e); r.status != 500 || !strings.HasPrefix(r.errors(t)[0], "ATS-REQ-100 ") {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r := post(t, base, submission(nil)); r.status != 400 {
		t.Errorf("a refusal was counted: %d", r.status)
	}
	post(t, base, e).requestID(t)
	waitFor(t, "both callbacks", func() bool { return len(to.got()) == 2 })
}

func TestAcceptAndNeverAnswer(t *testing.T) {
	s, base := start(t, mtssim.Options{})
	s.SetFaults(mtssim.Faults{MuteNext: 1})
	answered := make(chan error, 1)
	body := encode(t, submission(nil, valid(ann)))
	go func() {
		_, _, err := do(t, "POST", base+"/authtoken/json", "application/json", body)
		answered <- err
	}()
	waitFor(t, "the work", func() bool { return s.TokensGiven()[ann] == 1 })
	mustDo(t, "GET", base+"/ping", "", "") // others are served
	select {
	case err := <-answered:
		t.Errorf("an answer, or %v", err)
	default:
	}
	s.Restart()
	if err := <-answered; err == nil {
		t.Error("an answer from a dead process")
	}
}

// The callback overtakes the answer to its own POST.
func TestCallbackFirst(t *testing.T) {
	var posted atomic.Bool
	early := false
	to := receive(t, func(http.ResponseWriter, *http.Request) {
		time.Sleep(5 * time.Millisecond)
		early = !posted.Load()
	})
	s, base := start(t, mtssim.Options{})
	s.SetFaults(mtssim.Faults{CallbackFirst: true})
	post(t, base, submission(object{"url": to.url}, valid(ann))).requestID(t)
	posted.Store(true)
	if len(to.got()) != 1 || !early {
		t.Errorf("%d callbacks, early: %v", len(to.got()), early)
	}
}

func TestLostAndDoubledCallbacks(t *testing.T) {
	for name, c := range map[string]struct {
		faults mtssim.Faults
		want   string // the tenth digits of the VIDs, sorted
		lost   int
	}{
		"none":           {mtssim.Faults{}, "012345", 0},
		"next two":       {mtssim.Faults{LoseNext: 2}, "2345", 2},
		"all":            {mtssim.Faults{LoseNext: -1}, "", 6},
		"every third":    {mtssim.Faults{LoseEvery: 3}, "0134", 2},
		"twice":          {mtssim.Faults{Copies: 2}, "001122334455", 0},
		"thrice at once": {mtssim.Faults{Copies: 3, Parallel: true, LoseEvery: 2}, "000222444", 3},
	} {
		t.Run(name, func(t *testing.T) {
			to := receive(t, nil)
			s, base := start(t, mtssim.Options{})
			s.SetFaults(c.faults)
			e := submission(object{"url": to.url}, people(6)...)
			e["request"].(object)["outputFormat"] = ".output.vid[9:10]"
			id := post(t, base, e).requestID(t)
			waitForStatus(t, s, id, "processed")
			got := to.bodies()
			slices.Sort(got)
			if digits := strings.ReplaceAll(strings.Join(got, ""), `"`, ""); digits != c.want {
				t.Errorf("got %s, want %s", digits, c.want)
			}
			if n := s.Counters(); n.CallbacksLost != c.lost || n.CallbacksSent != len(c.want) || n.BytesSent != int64(3*len(c.want)) {
				t.Errorf("%+v", n)
			}
		})
	}
}

func TestSystemRefusal(t *testing.T) {
	to := receive(t, nil)
	s, base := start(t, mtssim.Options{})
	s.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: "IDA-MPA-005", Message: "not allowed"}})
	id := post(t, base, submission(object{"url": to.url}, valid(ann), object{})).requestID(t)
	waitForStatus(t, s, id, "processed_with_errors")
	want := []string{row(ann, "error", "", "IDA-MPA-005", "not allowed"), row("", "invalid", "", "ATS-REQ-009", "vid or its mapping not present")}
	if got := to.bodies(); !slices.Equal(got, want) {
		t.Errorf("got %s", got)
	}
	s.SetFaults(mtssim.Faults{})
	id = post(t, base, submission(object{"url": to.url}, valid(ann))).requestID(t)
	waitForStatus(t, s, id, "processed")
}

func TestAdministration(t *testing.T) {
	s, base := start(t, mtssim.Options{})
	act := func(method, action, body string) (reply, mtssim.State) {
		t.Helper()
		r, _ := mustDo(t, method, base+"/_simulator/"+action, "application/json", body)
		var state mtssim.State
		if r.status == 200 {
			if err := json.Unmarshal([]byte(r.body), &state); err != nil {
				t.Fatal(err)
			}
		}
		return r, state
	}
	for range 2 {
		waitForStatus(t, s, post(t, base, submission(nil, valid(ann), valid(unknown))).requestID(t), "processed_with_errors")
	}
	r, state := act("GET", "state", "")
	v := state.VIDs
	if state.Counters.Posts != 2 || state.Requests["processed_with_errors"] != 2 || v.Processed != 2 || v.RepeatedAttempts != 2 || v.Tokenised != 1 || v.RepeatedTokens != 1 {
		t.Errorf("got %s", r.body)
	}
	if strings.Contains(r.body, ann) {
		t.Error("the state names a VID")
	}

	if _, state = act("POST", "faults", `{"loseNext": 3, "refusal": {"code": "AUT_BAS_001"}}`); state.Faults.LoseNext != 3 || state.Faults.Refusal.Code != "AUT_BAS_001" {
		t.Errorf("got %+v", state.Faults)
	}
	if _, state = act("POST", "faults", `{"copies": 2, "refusal": null}`); state.Faults.LoseNext != 3 || state.Faults.Copies != 2 || state.Faults.Refusal != nil {
		t.Errorf("got %+v", state.Faults)
	}
	if r, _ = act("POST", "faults", `{"losenext2": 3}`); r.status != 400 {
		t.Errorf("an unknown fault: %d", r.status)
	}
	if _, state = act("POST", "restart", ""); state.Counters.Restarts != 1 || len(state.Requests) == 0 {
		t.Errorf("got %+v", state)
	}
	if _, state = act("POST", "forget", ""); len(state.Requests) != 0 {
		t.Errorf("got %+v", state)
	}
	if r, _ = act("GET", "restart", ""); r.status != 404 {
		t.Errorf("got %d", r.status)
	}
}
