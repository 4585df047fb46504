package dynamo

import (
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/shared/seeding"
)

// key is the primary key of an item.
type key struct{ pk, sk string }

const (
	configs    = "connectors"
	states     = "states"
	registries = "registries"
	seeders    = "seeders"

	runPrefix = "run#"
)

func configKey(id string) key      { return key{configs, id} }
func stateKey(id string) key       { return key{states, id} }
func registryKey(id string) key    { return key{registries, id} }
func seederKey(id string) key      { return key{seeders, id} }
func runs(connector string) string { return "C#" + connector }

func runKey(connector, run string) key { return key{runs(connector), runPrefix + run} }

func openBatches(registry string) string         { return "R#" + registry + "#open" }
func closedBatches(connector, run string) string { return "C#" + connector + "#" + run }
func rejections(registry string) string          { return "R#" + registry + "#rejections" }

func openKey(ref seeding.BatchRef) key { return key{openBatches(ref.Registry), ref.Batch} }
func closedKey(ref seeding.BatchRef) key {
	return key{closedBatches(ref.Connector, ref.Run), ref.Batch}
}

func rejectionKey(r seeding.Rejection) key {
	return key{rejections(r.Registry), padded(r.Identifier) + "#" + r.Connector}
}

func answerKey(p seeding.AnswerPart) key {
	return key{p.Ref.Registry, fmt.Sprintf("%s#%s#%04d#%04d", p.Ref.Batch, p.Content, p.Part, p.Of)}
}

// afterAll sorts behind everything that begins with prefix and "#": '$' is the
// character that follows '#'.
func afterAll(prefix string) string { return prefix + "$" }

// padded writes an identifier so that texts sort as numbers do. Odoo's ids have
// ten digits at most.
func padded(id int64) string {
	const digits = 16
	return fmt.Sprintf("%0*d", digits, max(0, min(id, int64(math.Pow10(digits))-1)))
}

// valid is false for a key that DynamoDB would not take and that therefore no
// item has; ids and page marks come from requests.
func (k key) valid() bool {
	const longest = 1024 // of a sort key; 2048 of a partition key
	return k.pk != "" && k.sk != "" && len(k.pk) <= 2*longest && len(k.sk) <= longest
}

func (k key) item() item { return item{"pk": text(k.pk), "sk": text(k.sk)} }

// parseSort splits a sort key at its separators; ok is false unless there are
// as many parts as wanted.
func parseSort(sk string, parts int) (list []string, ok bool) {
	list = strings.Split(sk, "#")
	return list, len(list) == parts
}

func text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
