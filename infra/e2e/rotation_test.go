package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"openg2p.org/mts-connector/shared/seeding"
)

// A capability that was made before two rotations, done as infra/runbook.md says,
// is still accepted: the function may list the versions of its key.
func TestCapabilitySurvivesTwoRotations(t *testing.T) {
	t.Parallel()
	secret := aws.String(stack.Output("CapabilityKeySecret"))
	manager := secretsmanager.NewFromConfig(stack.AWS())
	keys := []seeding.Key{deploymentKey(t, "CapabilityKeySecret")}
	for i := range 2 {
		if _, err := manager.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: secret, VersionStage: aws.String(fmt.Sprint("kept-", i)), MoveToVersionId: &keys[i].ID,
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := manager.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: secret, SecretString: aws.String(strings.Repeat(fmt.Sprint(i), 64)),
		}); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, deploymentKey(t, "CapabilityKeySecret"))
	}
	deliver := func(key seeding.Key) int {
		ref := seeding.BatchRef{Registry: "r-unknown", Connector: "unknown", Run: "none", Batch: "rotation"}
		row := fmt.Sprintf(`[%q,"processed","000000000000000000000000000000000001",null,null]`, seeding.Seal(key, ref.Batch, "1.1.AAAAAAAAAAAAAAAA"))
		capability := seeding.Capability(key, ref, 1, time.Now().Add(time.Hour))
		return send(t, "POST", "/callback/"+ref.Batch, bulk([]string{row}), "Authorization: Bearer "+capability).Status
	}
	// Once the newest is accepted, an instance of the function has read the list
	// after both rotations.
	for i := range keys {
		key := keys[len(keys)-1-i]
		if !within(patience, func() bool { return deliver(key) == http.StatusOK }) {
			t.Errorf("a capability of %d rotations ago is refused", i)
		}
	}
	for range 10 { // whichever instance it is
		expect(t, "status of a capability of before", deliver(keys[0]), http.StatusOK)
	}
}
