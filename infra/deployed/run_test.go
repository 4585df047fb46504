package deployed_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/infra/simulators/odoosim"
	"openg2p.org/mts-connector/infra/template"
	"openg2p.org/mts-connector/shared/dynamo/dynamotest"
)

// The stack serves other people's servers: wherever they are, whatever they
// are called, without a restart.
func TestOtherServers(t *testing.T) {
	for name, c := range map[string]struct {
		registry odoosim.Options
		change   func(object)
	}{
		"MTS below a context path, with a slash": {odoosim.Options{}, func(c object) {
			c["mts_url"] = c["mts_url"].(string) + "/mosiptokenseeder/"
		}},
		"registry with several databases": {odoosim.Options{Databases: []string{"g2p", "other"}}, nil},
		"registry of a later line":        {odoosim.Options{Status: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, c.registry)
			p.plain(60)
			vids := p.vids()
			p.start(c.change)
			p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 })
			p.clean(vids, 1)
		})
	}
}

// Killed wherever it hurts, the functions lose and double nothing.
func TestKilled(t *testing.T) {
	t.Run("submit in its POST", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, odoosim.Options{})
		p.plain(80)
		vids := p.vids()
		var once sync.Once
		p.onPost.Store(func() { once.Do(func() { kill(t, "submit") }) })
		p.start(nil)
		p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 })
		p.clean(vids, 2)
	})
	t.Run("patch between create and unlink", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, odoosim.Options{})
		p.plain(80)
		vids := p.vids()
		var once sync.Once
		p.registry.Hook(odoosim.Before, func(model, method string) {
			if model == "g2p.reg.id" && method == "unlink" {
				once.Do(func() { kill(t, "patch") })
			}
		})
		p.start(nil)
		p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 })
		p.clean(vids, 2)
	})
	t.Run("patch after create, before its answer", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, odoosim.Options{})
		p.plain(80)
		vids := p.vids()
		var once sync.Once
		p.registry.Hook(odoosim.After, func(model, method string) {
			if model == "g2p.reg.id" && method == "create" {
				once.Do(func() { kill(t, "patch") })
			}
		})
		p.start(nil)
		p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 })
		p.clean(vids, 2)
	})
}

func kill(t *testing.T, function string) {
	if n, err := stack.KillFunctionProcesses(function); err != nil || n == 0 {
		t.Errorf("killed %d of %s: %v", n, function, err)
	}
}

// Two connectors on one registry, ticked many times at once, send nobody twice.
func TestTwoConnectorsAndManyTicks(t *testing.T) {
	p := newPlace(t, odoosim.Options{})
	p.plain(200)
	vids := p.vids()
	a, b := p.start(nil), p.start(nil)
	for range 5 {
		var ticks sync.WaitGroup
		for range 6 {
			ticks.Go(func() {
				if err := stack.Tick(t.Context()); err != nil {
					t.Errorf("tick: %v", err)
				}
			})
		}
		ticks.Wait()
	}
	p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 && p.runOver(a) && p.runOver(b) })
	p.clean(vids, 1)
	expect(t, "registrants with two tokens", p.registry.State().ManyTokens, 0)
}

// What is outside the allowed ranges is never reached, however it is named.
func TestDialGuard(t *testing.T) {
	for name, c := range map[string]struct {
		change func(object)
		source string
	}{
		"registry at the metadata address": {func(c object) {
			c["registry"].(object)["url"] = "http://169.254.169.254"
		}, "registry"},
		"registry behind IPv4-mapped IPv6": {func(c object) {
			c["registry"].(object)["url"] = "http://[::ffff:169.254.169.254]"
		}, "registry"},
		"MTS outside": {func(c object) { c["mts_url"] = "http://10.0.0.1" }, "mts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, odoosim.Options{})
			p.plain(3)
			id := p.start(c.change)
			p.await("problem "+c.source, func() bool { return p.problems(id)[c.source] != nil })
			expect(t, "VIDs", p.vidsLeft(), 3)
			expect(t, "rejections", len(p.rejections(id)), 0)
		})
	}
	t.Run("redirect", func(t *testing.T) {
		t.Parallel()
		var mu sync.Mutex
		reached := 0
		target := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { mu.Lock(); reached++; mu.Unlock() }))
		p := newPlace(t, odoosim.Options{})
		from := serve(t, http.RedirectHandler(target, http.StatusTemporaryRedirect))
		id := p.start(func(c object) { c["registry"].(object)["url"] = from })
		p.await("a problem", func() bool { return len(p.problems(id)) > 0 })
		mu.Lock()
		defer mu.Unlock()
		expect(t, "calls behind the redirect", reached, 0)
	})
}

// A refusal that has nothing to do with data shows, rejects nobody, and is over
// by itself once it is mended.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		source  string
		provoke func(*place)
		mend    func(*place)
	}{
		"unlink denied": {"unlink",
			func(p *place) { p.registry.Deny("g2p.reg.id", "unlink") }, func(p *place) { p.registry.Allow("g2p.reg.id", "unlink") }},
		"create denied": {"write",
			func(p *place) { p.registry.Deny("g2p.reg.id", "create") }, func(p *place) { p.registry.Allow("g2p.reg.id", "create") }},
		"type renamed": {"types",
			func(p *place) { p.registry.RenameType(odoosim.VIDType, "VID") }, func(p *place) { p.registry.RenameType(odoosim.VIDType, "MOSIP VID") }},
		"licence expired": {"identity",
			func(p *place) {
				p.seeder.SetFaults(mtssim.Faults{Refusal: &mtssim.Refusal{Code: "IDA-MPA-005", Message: "no"}})
			}, func(p *place) { p.seeder.SetFaults(mtssim.Faults{}) }},
		"registry down": {"registry",
			func(p *place) { p.registry.SetDown(true) }, func(p *place) { p.registry.SetDown(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, odoosim.Options{})
			p.plain(120)
			vids := p.vids()
			c.provoke(p)
			id := p.start(nil)
			p.await("problem "+c.source, func() bool { return p.problems(id)[c.source] != nil })
			expect(t, "rejections", len(p.rejections(id)), 0)
			c.mend(p)
			p.await("all VIDs gone and no problem", func() bool {
				if p.runOver(id) && p.vidsLeft() > 0 { // the next run is an hour away
					call(t, "POST", "/connectors/"+id+"/start", nil)
				}
				return p.vidsLeft() == 0 && len(p.problems(id)) == 0
			})
			p.clean(vids, 9)
		})
	}
}

// The store's contract holds on this emulator too, on tables of its own: those
// of the stack have a patcher behind their stream.
func TestStoreContract(t *testing.T) {
	client := dynamodb.NewFromConfig(stack.AWS(), func(o *dynamodb.Options) {
		o.Retryer, o.RetryMaxAttempts = retry.NewStandard(), 3 // a reply that got lost is asked for again
	})
	tables := dynamotest.Tables{Client: client, Connectors: "contract-connectors", Answers: "contract-answers"}
	definitions, err := template.Tables()
	if err != nil {
		t.Fatal(err)
	}
	for resource, name := range map[string]string{"ConnectorsTable": tables.Connectors, "AnswersTable": tables.Answers} {
		definitions[resource].TableName = aws.String(name)
		if _, err := tables.Client.CreateTable(t.Context(), definitions[resource]); err != nil {
			t.Fatal(err)
		}
	}
	dynamotest.RunContract(t, func(*testing.T) dynamotest.Tables { return tables })
}

// With the stream switched off everything is patched all the same.
func TestWithoutTheStream(t *testing.T) {
	functions := lambda.NewFromConfig(stack.AWS())
	mappings, err := functions.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{})
	if err != nil || len(mappings.EventSourceMappings) != 1 {
		t.Fatalf("%d mappings, %v", len(mappings.EventSourceMappings), err)
	}
	uuid := mappings.EventSourceMappings[0].UUID
	enable := func(on bool) {
		if _, err := functions.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: uuid, Enabled: aws.Bool(on)}); err != nil {
			t.Error(err)
		}
	}
	enable(false)
	defer enable(true)
	p := newPlace(t, odoosim.Options{})
	p.plain(60)
	vids := p.vids()
	p.start(nil)
	p.await("all VIDs gone", func() bool { return p.vidsLeft() == 0 })
	p.clean(vids, 1)
}

// Under their own roles the functions could do all they tried.
func noAccessDenied(lines []string) error {
	for _, line := range lines {
		if strings.Contains(line, "AccessDenied") || strings.Contains(line, "not authorized") {
			return errors.New(line)
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("there are no logs")
	}
	return nil
}
