package e2e_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"openg2p.org/mts-connector/infra/world/inprocess"
	"openg2p.org/mts-connector/shared/dynamo/seedingdb/seedingdbtest"
)

// The stores fulfil their contract on the emulator too, on tables of the template
// that no function uses.
func TestStoresFulfilTheirContract(t *testing.T) {
	t.Parallel()
	config := stack.AWS()
	config.RetryMaxAttempts = 3 // as in the functions
	names := inprocess.TablesFor(t, db)
	tables := seedingdbtest.Tables{Client: dynamodb.NewFromConfig(config), Connectors: names.Connectors, Answers: names.Answers}
	seedingdbtest.RunContract(t, func(*testing.T) seedingdbtest.Tables { return tables })
}
