package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/callback"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb"
	"openg2p.org/mts-connector/shared/function"
	"openg2p.org/mts-connector/shared/gateway"
	"openg2p.org/mts-connector/shared/seeding"
	"openg2p.org/mts-connector/shared/seeding/receive"
)

// capability is the bearer of a batch of the greatest size that ends in an hour.
func capability(ref seeding.BatchRef) string {
	return seeding.Capability(inprocess.Keyring("capability").Key(), ref, seeding.MaxBatch, time.Now().Add(time.Hour))
}

// answerRow is a row of a batch in our output format.
func answerRow(random *rand.Rand, ref seeding.BatchRef, n int) string {
	m := seeding.Member{Registrant: int64(400_001 + n), Identifier: int64(1_200_001 + 3*n)}
	var mac seeding.RowMAC
	var fingerprint seeding.Fingerprint
	for i := range mac {
		mac[i] = byte(random.IntN(256))
	}
	for i := range fingerprint {
		fingerprint[i] = byte(random.IntN(256))
	}
	token := fmt.Sprintf("%018d%018d", random.Int64N(1e18), random.Int64N(1e18))
	key := seeding.Seal(inprocess.Keyring("capability").Key(), ref.Batch, seeding.CorrelationKey(m, mac, fingerprint))
	return fmt.Sprintf(`["%s", "processed", "%s", null, null]`, key, token)
}

// answerEvent is the event of a callback from API Gateway.
func answerEvent(ref seeding.BatchRef, body string) (event events.APIGatewayV2HTTPRequest, err error) {
	if err := json.Unmarshal([]byte(httpEvent("POST", "/callback/"+ref.Batch)), &event); err != nil {
		return event, err
	}
	event.Headers["authorization"], event.Headers["content-type"] = "Bearer "+capability(ref), "application/json"
	event.Body = body
	return event, nil
}

// callback compares a callback of one record with the one write that it needs.
func (m *measurer) callback(ctx context.Context, r *report) error {
	const times, warm = 2_000, 200
	m.say("delivering %d callbacks of one record, each beside a bare put", times)
	tables, err := inprocess.CreateTables(ctx, m.db.Client())
	if err != nil {
		return err
	}
	defer tables.Drop(ctx, m.db.Client())
	db, random := m.db.Client(), rand.New(rand.NewPCG(1, 2))
	var log inprocess.Log
	handle := gateway.Handler(callback.New(&receive.Inbox{
		CapabilityKeys: inprocess.Keyring("capability"), Answers: seedingdb.NewInbox(db, tables.Answers),
		Clock: function.Clock{}, Times: seeding.DefaultTimes(),
	}, function.Log(&log)), receive.MaxBody, function.Log(&log))
	var ours, bare []time.Duration
	for i := range warm + times {
		ref := seeding.BatchRef{Registry: "registry", Connector: function.NewID(), Run: function.NewID(), Batch: function.NewID()}
		event, err := answerEvent(ref, "["+answerRow(random, ref, i)+"]")
		if err != nil {
			return err
		}
		callback := func() error {
			response, err := handle(ctx, event)
			if err == nil && response.StatusCode != http.StatusOK {
				err = fmt.Errorf("callback of one record: %d %s", response.StatusCode, response.Body)
			}
			return err
		}
		put := func() error { return barePut(ctx, db, tables.Answers, ref) }
		steps := []struct {
			do    func() error
			spent *[]time.Duration
		}{{callback, &ours}, {put, &bare}}
		if i%2 == 1 { // each is the second one in half of the rounds
			slices.Reverse(steps)
		}
		for _, step := range steps {
			began := time.Now()
			if err := step.do(); err != nil {
				return err
			}
			if i >= warm {
				*step.spent = append(*step.spent, time.Since(began))
			}
		}
	}
	r.compare("callback of one record, the handler on DynamoDB Local: p99 over that of one bare conditional put (same client, in turn, 2,000 each)", 2, ours, bare)
	return nil
}

// barePut is the write of the inbox alone: attributes of the same number and
// size.
func barePut(ctx context.Context, db *dynamodb.Client, table string, ref seeding.BatchRef) error {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	_, err := db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &table, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		Item: map[string]types.AttributeValue{
			"pk": text(ref.Registry), "sk": text("bare#" + ref.Batch + "#0123456789abcdef01234567#0001#0001"),
			"connector": text(ref.Connector), "run": text(ref.Run), "received": text(time.Now().UTC().Format(time.RFC3339Nano)),
			"expires": &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Unix(), 10)},
			"rows":    &types.AttributeValueMemberB{Value: make([]byte, 64)},
		},
	})
	return err
}

// memory delivers the largest callback to the function as it is deployed, and
// reports the peak memory of its process.
func (m *measurer) memory(ctx context.Context, r *report) error {
	const goal = 96e6
	m.say("delivering a callback of 5 MB")
	var body strings.Builder
	ref := seeding.BatchRef{Registry: "registry", Connector: function.NewID(), Run: function.NewID(), Batch: function.NewID()}
	random, rows := rand.New(rand.NewPCG(1, 2)), 0
	for body.WriteByte('['); ; rows++ {
		row := answerRow(random, ref, rows)
		if body.Len()+len(row)+2 > receive.MaxBody {
			break
		}
		if rows > 0 {
			body.WriteByte(',')
		}
		body.WriteString(row)
	}
	body.WriteByte(']')
	event, err := answerEvent(ref, body.String())
	if err != nil {
		return err
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}

	list, err := m.binaries(ctx)
	if err != nil {
		return err
	}
	tables, err := inprocess.CreateTables(ctx, m.db.Client())
	if err != nil {
		return err
	}
	defer tables.Drop(ctx, m.db.Client())
	tablesAt, err := url.Parse(m.db.Endpoint())
	if err != nil {
		return err
	}
	database := httputil.NewSingleHostReverseProxy(tablesAt)
	emulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.") {
			serveKey(w)
		} else {
			database.ServeHTTP(w, r)
		}
	}))
	defer emulator.Close()
	idle := list[slices.IndexFunc(list, func(b *binary) bool { return b.name == "callback" })]
	large := &binary{name: idle.name, path: idle.path, variables: idle.variables, event: string(payload), reply: fmt.Sprintf(`{\"rows\":%d}`, seeding.MaxBatch)}
	var peaks [2]float64
	for i, b := range []*binary{idle, large} {
		b.look = func(function *exec.Cmd) (err error) {
			peaks[i], err = peakMemory(function.Process.Pid)
			return err
		}
		took, err := b.start(ctx, emulator.URL, tables)
		b.look = nil
		if err != nil {
			return fmt.Errorf("callback of 5 MB: %w", err)
		}
		m.say("%.1f MB after %v", peaks[i]/1e6, took.Round(time.Millisecond))
	}
	r.add(fmt.Sprintf("callback of 5 MB (%d rows): peak resident memory of the process, as deployed behind a bare Runtime API", rows),
		"≤ 96 MB", peaks[1] <= goal, "%.1f MB (%.1f MB after a callback without a capability)", peaks[1]/1e6, peaks[0]/1e6)
	return nil
}

// serveKey is Secrets Manager with one secret, of one version.
func serveKey(w http.ResponseWriter) {
	key := inprocess.Keyring("capability").Key()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"Name": "capability", "VersionId": key.ID, "SecretString": string(key.Secret), "VersionStages": []string{"AWSCURRENT"},
		"Versions": []map[string]any{{"VersionId": key.ID, "VersionStages": []string{"AWSCURRENT"}}},
	})
}

// peakMemory is the peak resident memory of a process, in bytes. Linux only.
func peakMemory(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kilobytes, found := strings.CutPrefix(line, "VmHWM:"); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kilobytes), "kB")), 64)
			return 1024 * n, err
		}
	}
	return 0, fmt.Errorf("the system reports no peak of memory")
}
