package system_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/shared/seeding"
)

// The defects of Odoo's connector (facts/mts.md 5.6) that whole runs show best. Each
// number has one test, here or beside the rule that keeps it away: TestD01 to TestD30,
// which infra/documents counts.

// created is a connector that an administrator saves, with changes to the least
// configuration; a change of nil leaves a member out.
func (a *administrator) created(changes map[string]any) seeding.Connector {
	a.Helper()
	status, reply := a.tryCreate(changes)
	if status != http.StatusCreated {
		a.Fatalf("%d %v", status, reply)
	}
	c, err := a.store.Connector(a.Context(), reply["id"].(string))
	if err != nil {
		a.Fatal(err)
	}
	return c
}

func (a *administrator) tryCreate(changes map[string]any) (int, map[string]any) {
	a.Helper()
	body := a.configuration("first", "admin")
	maps.Copy(body, changes)
	status, reply, _ := a.send(http.MethodPost, "/connectors", body)
	return status, reply
}

// started starts a connector at the API.
func (a *administrator) started(c seeding.Connector) seeding.Connector {
	a.Helper()
	if status, reply, _ := a.send(http.MethodPost, "/connectors/"+c.ID+"/start", nil); status != http.StatusOK {
		a.Fatalf("%d %v", status, reply)
	}
	return c
}

// pointers are those of the errors of a reply.
func pointers(reply map[string]any) (found []string) {
	errors, _ := reply["errors"].([]any)
	for _, e := range errors {
		pointer, _ := e.(map[string]any)["pointer"].(string)
		found = append(found, pointer)
	}
	return found
}

// facts/mts.md D1: the four fields of an Odoo sign-in could not be entered, and MTS's
// refusal was not noticed. Here each of them is asked for, and MTS signs in with them.
func TestD01TheFieldsOfAnOdooSignInAreAskedForAndUsed(t *testing.T) {
	a := newAdministratorOf(t, options{odoo: odoosim.Options{REST: odoosim.REST15}})
	a.addRegistrants(10)
	callback := map[string]any{
		"url": a.registryURL + "/api/v1/registry/individual/updateIdentification", "http_method": "PATCH", "auth_type": "odoo",
		"auth_url": a.registryURL + "/web/session/authenticate", "auth_database": "g2p", "auth_username": "admin", "auth_password": "admin",
	}
	for _, member := range []string{"auth_url", "auth_database", "auth_username", "auth_password"} {
		less := maps.Clone(callback)
		delete(less, member)
		status, reply := a.tryCreate(map[string]any{"callback": less, "output_format": format15})
		if status != http.StatusUnprocessableEntity || !slices.Equal(pointers(reply), []string{"/callback/" + member}) {
			t.Errorf("without %s: %d %v", member, status, reply["errors"])
		}
	}
	c := a.started(a.created(map[string]any{"callback": callback, "output_format": format15}))
	a.finish(60, c)
	expect(t, "tokenised", a.tokenised(), 10)
	expect(t, "problems", len(a.problems(c)), 0)
}

// facts/mts.md D2: a blank Output Format was sent as false, and every answer was empty.
func TestD02ABlankOutputFormatIsNone(t *testing.T) {
	for name, format := range map[string]any{"false": false, "empty": "", "blank": " \r\n\t", "null": nil} {
		t.Run(name, func(t *testing.T) {
			a := newAdministratorOf(t, options{})
			a.addRegistrants(3)
			posts := a.watchPosts()
			c := a.created(map[string]any{"output_format": format})
			expect(t, "kept", c.Output.Format, "")
			a.finish(20, a.started(c))
			expect(t, "tokenised", a.tokenised(), 3)
			expect(t, "Output Format that MTS is sent", posts.list()[0].request(t)["outputFormat"], any(seeding.OutputFormat))
		})
	}
}

// facts/mts.md D3: whatever MTS replied was a success. Here a batch that was refused is
// none: it is shown, nobody is rejected for it, and all are sent once MTS takes them.
func TestD03NoRefusalOfMTSIsTakenForASuccess(t *testing.T) {
	refused := func(status int, code string) func(http.ResponseWriter) {
		return func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(status)
			_, _ = fmt.Fprintf(rw, `{"id":"mosip.token.seeder","errors":[{"errorCode":%q,"errorMessage":"no"}],"response":null}`, code)
		}
	}
	for name, c := range map[string]struct {
		reply  func(http.ResponseWriter)
		source seeding.Source // of the problem that is shown
	}{
		"200, nothing found":    {refused(http.StatusOK, "ATS-REQ-023"), seeding.ProblemReply},
		"200, no valid record":  {refused(http.StatusOK, "ATS-REQ-101"), seeding.ProblemReply},
		"400, no sign-in":       {refused(http.StatusBadRequest, "ATS-REQ-031"), seeding.ProblemMTS},
		"404":                   {func(rw http.ResponseWriter) { http.Error(rw, "not found", http.StatusNotFound) }, seeding.ProblemMTS},
		"422":                   {refused(http.StatusUnprocessableEntity, "ATS-REQ-102"), seeding.ProblemMTS},
		"500":                   {func(rw http.ResponseWriter) { http.Error(rw, "error", http.StatusInternalServerError) }, seeding.ProblemReply},
		"502 of a proxy":        {func(rw http.ResponseWriter) { http.Error(rw, "<html>", http.StatusBadGateway) }, seeding.ProblemReply},
		"200, a page":           {func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, "<html>Welcome</html>") }, seeding.ProblemReply},
		"200, without an id":    {func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, `{"response":{}}`) }, seeding.ProblemReply},
		"302, to a sign-in":     {func(rw http.ResponseWriter) { rw.Header().Set("Location", "/login"); rw.WriteHeader(http.StatusFound) }, seeding.ProblemMTS},
		"204, nothing whatever": {func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusNoContent) }, seeding.ProblemReply},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.addRegistrants(20)
			before := w.now()
			var broken atomic.Bool
			broken.Store(true)
			w.interceptMTS = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost || !broken.Load() {
					return false
				}
				c.reply(rw)
				return true
			}
			connector := w.connector(nil)
			shown := map[seeding.Source]bool{}
			for range 60 {
				w.tick()
				for source := range w.problems(connector) {
					shown[source] = true
				}
			}
			expect(t, "tokenised", w.tokenised(), 0)
			expect(t, "tokenised in the totals", w.totals(connector).Tokenised, 0)
			if !shown[c.source] {
				t.Errorf("shown are problems of %v", shown)
			}
			_, rejected := w.rejections(connector)
			for _, r := range rejected {
				if r.Code != seeding.CodeNoAnswer {
					t.Errorf("registrant %d is rejected: %s %s", r.Registrant, r.Kind, r.Code)
				}
			}
			broken.Store(false)
			w.clock.Advance(2 * time.Hour)
			w.finish(200, connector)
			w.finishNextRun(200, connector)
			w.checkInvariants(connector, before)
			w.checkSent(1)
			expect(t, "tokenised in the end", w.tokenised(), 20)
		})
	}
}

// facts/mts.md D5: after a POST without a reply the same records were sent again,
// though MTS may have taken them; and the time limit of the callback was that of the
// POST. Here MTS sees each record once.
func TestD05APOSTWithoutAReplySendsNobodyTwice(t *testing.T) {
	for name, faults := range map[string]mtssim.Faults{
		"taken, and answered 500":       {FailNext: 1},
		"taken, and never answered":     {MuteNext: 1},
		"answered after its own answer": {CallbackFirst: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{virtual: true})
				w.mts.SetFaults(faults)
				w.addRegistrants(40)
				before := w.now()
				withheld := w.withholdFirst()
				c := w.connector(nil)
				w.ticks(2) // the answer takes longer than a tick, so that there is time for another POST
				first := withheld.Load()
				if first == nil {
					t.Fatal("MTS did not call")
				}
				expect(t, "status", w.deliver(first, string(first.body)), http.StatusOK)
				w.finish(60, c)
				w.checkInvariants(c, before)
				w.checkSent(1)
				expect(t, "tokenised", w.tokenised(), 40)
			})
		})
	}
	t.Run("slower than the callback may be", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{virtual: true})
			w.addRegistrants(40)
			w.interceptMTS = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost {
					time.Sleep(20 * time.Second)
				}
				return false
			}
			c := w.connector(func(c *seeding.Connector) { c.Delivery.TimeoutSeconds = 1 })
			w.finish(60, c)
			w.checkSent(1)
			expect(t, "tokenised", w.tokenised(), 40)
			expect(t, "problems", len(w.problems(c)), 0)
		})
	})
}

// facts/mts.md D9: nothing was known of what is under way, so that with an MTS slower
// than the interval the same records were sent again and again.
func TestD09WhatIsUnderWayIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{virtual: true, mts: mtssim.Options{Pace: 1, IdentityLatency: 2 * time.Second}})
		w.addRegistrants(100) // more than three minutes
		before := w.now()
		c := w.connector(func(c *seeding.Connector) { c.Schedule.Interval = time.Minute })
		for minute := range 60 {
			if minute == 1 {
				w.openImport(c, "import") // somebody is impatient, too
			}
			if w.tickWithoutWaiting(); w.tokenised() == 100 {
				break
			}
		}
		w.setStatus(seeding.Stopped, c)
		for range 10 {
			w.tickWithoutWaiting()
		}
		w.invoker.Wait()
		w.checkInvariants(c, before)
		w.checkSent(1)
		expect(t, "tokenised", w.tokenised(), 100)
		expect(t, "records at MTS", w.mts.Counters().RecordsReceived, 100)
	})
}

// facts/mts.md D10: a registrant without any value left the list, and the VIDs behind
// it moved up by one. Here a VID stands on its own registrant's record, also if id is
// not among the selected fields.
func TestD10NoVIDStandsOnTheRecordOfSomebodyElse(t *testing.T) {
	names := map[string]string{} // by VID
	var mu sync.Mutex
	w := newWorld(t, options{mts: mtssim.Options{Mandatory: []string{}, Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
		mu.Lock()
		defer mu.Unlock()
		names[a.VID] = a.Name
		return mtssim.Rules(ctx, a)
	}}})
	ids := w.addRegistrants(60)
	want := map[string]string{}
	for i, id := range ids {
		name := fmt.Sprintf("Name %d", i)
		if i%5 == 2 { // nothing that is selected
			w.registry.SetRegistrant(id, map[string]any{"given_name": nil, "gender": nil})
			name = ""
		} else {
			w.registry.SetRegistrant(id, map[string]any{"given_name": name})
		}
		want[w.vidOf(id).Value] = name
	}
	c := w.connector(func(c *seeding.Connector) {
		c.Source.Fields, c.Source.Mandatory = []string{"given_name", "gender"}, []string{}
		c.Source.Mapping = seeding.Mapping{
			VID: "vid", Name: []string{"given_name"}, Gender: "gender", DOB: "gender", PhoneNumber: "gender", EmailID: "gender", FullAddress: []string{"gender"},
		}
	})
	w.finish(30, c)
	mu.Lock()
	defer mu.Unlock()
	if !maps.Equal(names, want) {
		t.Errorf("MTS was sent, by VID:\n%v\nwant\n%v", names, want)
	}
	expect(t, "tokenised", w.tokenised(), 60)
}

// facts/mts.md D12: the VID was chosen by the configured type and registrants by the
// type's name, so that a renamed one gave records without a VID. Here one name decides
// both, whatever it is, and one that the registry does not have is shown.
func TestD12IdentifierTypesAreThoseThatAreNamed(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	w.registry.RenameType(odoosim.VIDType, "Numéro MOSIP (VID)")
	w.registry.RenameType(odoosim.TokenType, "Jeton 100%")
	lost := w.connector(nil)
	w.ticks(10)
	problem := w.problems(lost)[seeding.ProblemTypes]
	if !strings.Contains(problem.Text+problem.Remedy, "MOSIP VID") {
		t.Errorf("%+v", problem)
	}
	_, rejected := w.rejections(lost)
	expect(t, "rejected", len(rejected), 0)
	expect(t, "records at MTS", w.mts.Counters().RecordsReceived, 0)

	a := newAdministratorOf(t, options{})
	a.addRegistrants(20)
	a.registry.RenameType(odoosim.VIDType, "Numéro MOSIP (VID)")
	a.registry.RenameType(odoosim.TokenType, "Jeton 100%")
	registry := a.configuration("", "admin")["registry"].(map[string]any)
	registry["vid_type"], registry["token_type"] = "Numéro MOSIP (VID)", "Jeton 100%"
	c := a.started(a.created(map[string]any{"registry": registry}))
	a.finish(20, c)
	expect(t, "tokenised", a.tokenised(), 20)
	expect(t, "VIDs left", len(a.vids()), 0)
}

// facts/mts.md D13: status and expiry of VIDs were ignored, and the default domain took
// groups and registrants that are disabled. Here nobody of these is sent.
func TestD13OnlyValidVIDsOfIndividualsInUseAreSent(t *testing.T) {
	a := newAdministratorOf(t, options{odoo: odoosim.Options{Status: true}})
	ids := a.addRegistrants(60)
	yesterday, tomorrow := a.clock.Now().AddDate(0, 0, -1), a.clock.Now().AddDate(0, 0, 1)
	sent := 0
	for i, id := range ids {
		vid := a.vidOf(id)
		switch i % 6 {
		case 0:
			a.registry.SetExpiry(vid.ID, yesterday.Format(time.DateOnly))
		case 1:
			a.registry.DeleteIdentifier(vid.ID)
			a.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.VIDType, Value: vid.Value, Status: "invalid"})
		case 2:
			a.registry.SetRegistrant(id, map[string]any{"disabled": yesterday})
		case 3:
			a.registry.SetRegistrant(id, map[string]any{"is_group": true})
		case 4:
			a.registry.SetExpiry(vid.ID, tomorrow.Format(time.DateOnly))
			sent++
		default:
			sent++
		}
	}
	c := a.started(a.created(nil))
	a.finish(20, c)
	expect(t, "records at MTS", a.mts.Counters().RecordsReceived, sent)
	expect(t, "tokenised", a.tokenised(), sent)
	for i, id := range ids {
		if has := a.tokenOf(id) != ""; has != (i%6 > 3) {
			t.Errorf("registrant %d of kind %d: %t", id, i%6, has)
		}
	}
	_, rejected := a.rejections(c)
	expect(t, "rejected", len(rejected), 0)
}

// facts/mts.md D14: one registrant without an identifier rolled back the removal of all
// VIDs. Here those of registrants with a token go, whatever the others hold.
func TestD14ARegistrantWithoutAnIdentifierKeepsNoOtherVID(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addPersons(1000, 30)
	token := func(id int64) {
		w.registry.AddIdentifier(odoosim.Identifier{Registrant: id, Type: odoosim.TokenType, Value: mtssim.Token(w.vidOf(id).Value)})
	}
	for i, id := range ids {
		switch {
		case i < 15:
			token(id) // its VID is to go
		case i < 20:
			token(id)
			w.registry.DeleteIdentifier(w.vidOf(id).ID)
		case i < 25:
			w.registry.DeleteIdentifier(w.vidOf(id).ID)
		}
	}
	// One of them loses its VID while it is to be removed.
	w.atFirst(odoosim.Before, "g2p.reg.id", "unlink", func() { w.registry.DeleteIdentifier(w.vidOf(ids[3]).ID) })
	c := w.connector(nil)
	w.finish(20, c)
	w.finishNextRun(20, c)
	expect(t, "VIDs left", len(w.vids()), 0)
	expect(t, "tokenised", w.tokenised(), 25)
	expect(t, "problems", len(w.problems(c)), 0)
}

// facts/mts.md D15: a wrong token that anybody posted was written, and its VID was then
// removed. Here a callback that is not MTS's own writes nothing and costs nobody a VID.
func TestD15AForgedCallbackCostsNobodyItsVID(t *testing.T) {
	w := newWorld(t, options{})
	w.addRegistrants(20)
	w.setBatchSize(20)
	before := w.now()
	withheld := w.withholdFirst()
	c := w.connector(nil)
	w.tick()
	genuine := withheld.Load()
	if genuine == nil {
		t.Fatal("MTS did not call")
	}
	var rows [][]any
	if err := json.Unmarshal(genuine.body, &rows); err != nil {
		t.Fatal(err)
	}
	forge := func(key func(string) string) string {
		forged := make([][]any, len(rows))
		for i, row := range rows {
			forged[i] = []any{key(row[0].(string)), "processed", strings.Repeat("6", 30) + fmt.Sprintf("%06d", i), nil, nil}
		}
		text, err := json.Marshal(forged)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	same := func(key string) string { return key }
	altered := func(text string) string { // one bit in the middle, of what is read as text
		at := len(text) / 2
		return text[:at] + map[bool]string{true: "B", false: "A"}[text[at] == 'A'] + text[at+1:]
	}
	for name, bearer := range map[string]string{"none": "", "another scheme": "Basic YWRtaW46YWRtaW4=", "altered": altered(genuine.bearer), "signed by another": genuine.bearer[:len(genuine.bearer)-10] + altered(genuine.bearer[len(genuine.bearer)-10:]), "cut off": genuine.bearer[:len(genuine.bearer)-4]} {
		expect(t, "status of a bearer that is "+name, w.deliver(&delivery{path: genuine.path, bearer: bearer}, forge(same)), http.StatusUnauthorized)
	}
	w.deliver(genuine, forge(altered)) // somebody who has seen the bearer, and no record
	expect(t, "tokens of forged callbacks", w.registry.State().Tokens, 0)
	expect(t, "VIDs left", len(w.vids()), 20)
	expect(t, "status of the genuine callback", w.deliver(genuine, string(genuine.body)), http.StatusOK)
	w.finish(20, c)
	w.checkInvariants(c, before)
	w.checkSent(1)
	expect(t, "tokenised", w.tokenised(), 20)
}

// facts/mts.md D16: passwords were plain columns, were logged, and went to MTS. Here
// the registry's is in the secret store alone, and a callback's at MTS as well, which
// signs in with it.
func TestD16SecretsAreStoredAsSecretsOnly(t *testing.T) {
	const password, header = "Registry-Secret-7281", "Basic Header-Secret-3302"
	a := newAdministratorOf(t, options{local: true})
	a.addRegistrants(10)
	a.registry.SetPassword("admin", password)
	posts := a.watchPosts()
	registry := a.configuration("", password)["registry"]
	managed := a.created(map[string]any{"registry": registry})
	direct := a.created(map[string]any{"registry": registry, "callback": map[string]any{
		"url": a.registryURL + "/api", "auth_type": "none", "extra_headers": map[string]any{"Authorization": header},
	}})
	a.finish(20, a.started(managed))
	expect(t, "tokenised", a.tokenised(), 10)
	_, reply, _ := a.send(http.MethodGet, "/connectors/"+direct.ID, nil)
	_, list, _ := a.send(http.MethodGet, "/connectors", nil)
	_, changes, _ := a.send(http.MethodGet, "/connectors/"+direct.ID+"/changes", nil)
	for name, text := range map[string]string{
		"a reply": fmt.Sprint(reply, list, changes), "the log": a.log.Tail(1 << 20), "a request to MTS": fmt.Sprint(posts.list()), "the tables": a.stored(),
	} {
		for _, secret := range []string{password, header} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has a secret", name)
			}
		}
	}
	if len(a.secrets.Names()) < 2 || !strings.Contains(a.stored(), managed.ID) {
		t.Error("nothing was looked at")
	}
}

// stored is the text of all items of both tables, which are on DynamoDB Local.
func (w *world) stored() string {
	w.Helper()
	var text strings.Builder
	for _, table := range []string{w.tables.Connectors, w.tables.Answers} {
		pages := dynamodb.NewScanPaginator(w.client.(*dynamodb.Client), &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			for _, item := range page.Items {
				for _, one := range texts(&types.AttributeValueMemberM{Value: item}) {
					text.Write(one)
					text.WriteByte('\n')
				}
			}
		}
	}
	return text.String()
}

// facts/mts.md D17: records with their VIDs were logged. Here the log of a whole run
// over registrants of every kind, and of a preview of them, has no value of them.
func TestD17NoDataOfRegistrantsAreLogged(t *testing.T) {
	w := newWorld(t, options{})
	kinds := w.registry.Populate(300, 3).Kinds
	forbidden := map[string]bool{}
	for id := range kinds {
		fields, phones := w.registry.Registrant(id)
		for name, value := range fields {
			switch name {
			case "name", "given_name", "family_name", "birthdate", "address", "email":
				if len(value) > 5 { // a shorter one is part of other words
					forbidden[value] = true
				}
			}
		}
		for _, value := range phones {
			forbidden[value] = true
		}
		for _, i := range w.registry.Identifiers(id) {
			forbidden[i.Value] = true
		}
	}
	c := w.connector(nil)
	w.finish(30, c)
	w.registry.SetDown(true) // errors are logged with what they are about
	w.clock.Advance(2 * time.Hour)
	w.ticks(5)
	for id := range kinds {
		forbidden[w.tokenOf(id)] = true
	}
	delete(forbidden, "")
	log := w.log.Tail(1 << 20)
	for value := range forbidden {
		if strings.Contains(log, value) {
			t.Errorf("the log has a value of a registrant, of %d characters", len(value))
		}
	}
	if len(forbidden) < 1000 || len(log) < 1000 {
		t.Errorf("%d values were looked for in %d bytes", len(forbidden), len(log))
	}
}

// facts/mts.md D24: 0 and false were left out, times of day were lost, and relations
// became texts of Python. Here a mapping has the values as the registry gives them.
func TestD24ValuesReachTheMappingAsTheyAre(t *testing.T) {
	w := newWorld(t, options{mts: mtssim.Options{Mandatory: []string{}, Identify: func(ctx context.Context, a mtssim.Applicant) mtssim.Verdict {
		if want := "0, 0, My Company, 1 Long Street"; a.FullAddress != want {
			t.Errorf("the address is %q, want %q", a.FullAddress, want)
		}
		if len(a.Name) != len("2026-11-28 09:00:00") || a.Name[10] != ' ' {
			t.Errorf("the time is %q", a.Name)
		}
		return mtssim.Rules(ctx, a)
	}}})
	id := w.addRegistrants(1)[0]
	w.registry.SetRegistrant(id, map[string]any{"address": "1 Long Street"})
	c := w.connector(func(c *seeding.Connector) {
		c.Source.Fields = append(slices.Clone(c.Source.Fields), "color", "income", "company_id", "create_date")
		c.Source.Mapping.Name = []string{"create_date"}
		c.Source.Mapping.FullAddress = []string{"color | tostring", "income | tostring", "company_id[1]", "address"}
	})
	w.finish(20, c)
	expect(t, "tokenised", w.tokenised(), 1)
}

// facts/mts.md D25: one value that was no text made MTS refuse the whole batch, again in
// each run. Here who has one is rejected alone, with the reason, and the others are sent.
func TestD25AValueThatIsNoTextHoldsUpNobodyElse(t *testing.T) {
	w := newWorld(t, options{})
	ids := w.addRegistrants(40)
	for _, id := range ids[:7] {
		w.registry.SetRegistrant(id, map[string]any{"email": nil}) // then the mapping gives a number
	}
	c := w.connector(func(c *seeding.Connector) {
		c.Source.Fields = append(slices.Clone(c.Source.Fields), "color", "income", "company_id", "is_registrant")
		c.Source.Mapping.Gender = "gender as $g | if .email then $g else .color end"
	})
	w.finish(20, c)
	expect(t, "tokenised", w.tokenised(), 33)
	byKind, all := w.rejections(c)
	expect(t, "rejected for what is no text", byKind["invalid "+seeding.CodeNotText], 7)
	expect(t, "rejected", len(all), 7)
	expect(t, "records at MTS", w.mts.Counters().RecordsReceived, 33)
}

// facts/mts.md D29: there was no history, no error and no count. Here the API shows all
// of them.
func TestD29RunsErrorsAndCountsAreShown(t *testing.T) {
	a := newAdministratorOf(t, options{})
	a.addRegistrants(20)
	refused := a.addRefused(3)
	nameless := a.addPersons(2000, 2)
	for _, id := range nameless {
		a.registry.SetRegistrant(id, map[string]any{"birthdate": nil})
	}
	c := a.started(a.created(nil))
	a.finish(20, c)
	get := func(path string) map[string]any {
		status, reply, _ := a.send(http.MethodGet, "/connectors/"+c.ID+path, nil)
		expect(t, path, status, http.StatusOK)
		return reply
	}
	runs := get("/runs")["runs"].([]any)
	run := runs[0].(map[string]any)
	expect(t, "runs", len(runs), 1)
	totals, tally := run["totals"].(map[string]any), run["tally"].(map[string]any)
	expect(t, "counts", fmt.Sprint(totals["sent"], totals["tokenised"], totals["refused"], tally["invalid"]), "23 20 3 2")
	reasons := map[float64]string{}
	for _, r := range get("/rejections")["rejections"].([]any) {
		rejection := r.(map[string]any)
		reasons[rejection["registrant"].(float64)], _ = rejection["reason"].(string)
	}
	for _, id := range slices.Concat(refused, nameless) {
		if reasons[float64(id)] == "" {
			t.Errorf("no reason is shown for registrant %d", id)
		}
	}
	expect(t, "rejections", len(reasons), 5)
	a.registry.SetDown(true)
	a.clock.Advance(2 * time.Hour)
	a.ticks(10)
	problems, _ := get("")["problems"].(map[string]any)
	problem, _ := problems["registry"].(map[string]any)
	if problem["text"] == nil || problem["remedy"] == nil {
		t.Errorf("the outage is not shown: %v", problems)
	}
	a.forgetFailures()
}
