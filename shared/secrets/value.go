package secrets

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Value is the current version of one secret, which is a text.
type Value struct {
	Now func() time.Time // time.Now unless set

	client Reader
	secret string

	mu   sync.Mutex
	text string
	read time.Time
}

// valueFresh is how long a value that was read counts.
const valueFresh = 5 * time.Minute

// NewValue returns the value of a secret. It reads nothing yet.
func NewValue(client Reader, secretID string) *Value {
	return &Value{Now: time.Now, client: client, secret: secretID}
}

// Get returns the value, which is never older than five minutes unless Secrets Manager
// fails. An *Error is returned if it was never read.
func (v *Value) Get(ctx context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.Now()
	if !v.read.IsZero() && now.Sub(v.read) < valueFresh {
		return v.text, nil
	}
	out, err := v.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &v.secret})
	if err != nil {
		if v.read.IsZero() {
			return "", failed("GetSecretValue", err)
		}
		return v.text, nil
	}
	v.text, v.read = string(value(out)), now
	return v.text, nil
}
