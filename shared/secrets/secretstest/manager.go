// Package secretstest is Secrets Manager in memory, for tests.
package secretstest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Manager behaves like Secrets Manager as far as shared/secrets uses it: staging
// labels, versions without a label that vanish (the service keeps them for a
// while), tokens of requests that are the ids of versions, secrets that are scheduled
// for deletion.
type Manager struct {
	Now func() time.Time // when versions are made; long ago unless set

	mu      sync.Mutex
	secrets map[string]*secret
	serial  int
	down    error
	reads   int
	lists   int
}

type secret struct {
	versions []version
	pending  bool // scheduled for deletion
}

type version struct {
	id, text string
	labels   []string
	created  time.Time
}

// New returns one without secrets.
func New() *Manager { return &Manager{secrets: map[string]*secret{}} }

// Fail makes every call fail with err; nil ends that.
func (m *Manager) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

// Reads counts the reads of values.
func (m *Manager) Reads() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads
}

// Lists counts the pages of lists of versions.
func (m *Manager) Lists() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lists
}

// Names lists the secrets, sorted.
func (m *Manager) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.secrets))
}

// Schedule marks a secret for deletion, as somebody at the console may.
func (m *Manager) Schedule(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets[name].pending = true
}

type options = func(*secretsmanager.Options)

var (
	errAbsent  = &types.ResourceNotFoundException{Message: aws.String("can't find it")}
	errExists  = &types.ResourceExistsException{Message: aws.String("already exists")}
	errPending = &types.InvalidRequestException{Message: aws.String("marked for deletion")}
)

func (m *Manager) call() (func(), error) {
	m.mu.Lock()
	return m.mu.Unlock, m.down
}

// CreateSecret implements secrets.Client.
func (m *Manager) CreateSecret(_ context.Context, in *secretsmanager.CreateSecretInput, _ ...options) (*secretsmanager.CreateSecretOutput, error) {
	unlock, err := m.call()
	defer unlock()
	if err != nil {
		return nil, err
	}
	if s := m.secrets[*in.Name]; s != nil {
		if s.pending {
			return nil, errPending
		}
		return nil, errExists
	}
	m.secrets[*in.Name] = &secret{}
	return &secretsmanager.CreateSecretOutput{VersionId: aws.String(m.add(*in.Name, aws.ToString(in.ClientRequestToken), *in.SecretString))}, nil
}

// PutSecretValue implements secrets.Client.
func (m *Manager) PutSecretValue(_ context.Context, in *secretsmanager.PutSecretValueInput, _ ...options) (*secretsmanager.PutSecretValueOutput, error) {
	unlock, err := m.call()
	defer unlock()
	if err != nil {
		return nil, err
	}
	if err := m.usable(*in.SecretId); err != nil {
		return nil, err
	}
	token := aws.ToString(in.ClientRequestToken)
	if same := m.secrets[*in.SecretId].version(token); same != nil {
		if same.text != *in.SecretString {
			return nil, errExists
		}
		return &secretsmanager.PutSecretValueOutput{VersionId: &token, VersionStages: slices.Clone(same.labels)}, nil
	}
	id := m.add(*in.SecretId, token, *in.SecretString, in.VersionStages...)
	return &secretsmanager.PutSecretValueOutput{VersionId: &id, VersionStages: slices.Clone(m.secrets[*in.SecretId].version(id).labels)}, nil
}

// DeleteSecret implements secrets.Client.
func (m *Manager) DeleteSecret(_ context.Context, in *secretsmanager.DeleteSecretInput, _ ...options) (*secretsmanager.DeleteSecretOutput, error) {
	unlock, err := m.call()
	defer unlock()
	if err != nil {
		return nil, err
	}
	if m.secrets[*in.SecretId] == nil {
		return nil, errAbsent
	}
	if aws.ToBool(in.ForceDeleteWithoutRecovery) {
		delete(m.secrets, *in.SecretId)
	} else {
		m.secrets[*in.SecretId].pending = true
	}
	return &secretsmanager.DeleteSecretOutput{}, nil
}

// GetSecretValue implements secrets.Client.
func (m *Manager) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...options) (*secretsmanager.GetSecretValueOutput, error) {
	unlock, err := m.call()
	defer unlock()
	m.reads++
	if err != nil {
		return nil, err
	}
	if err := m.usable(*in.SecretId); err != nil {
		return nil, err
	}
	label := aws.ToString(in.VersionStage)
	if label == "" && in.VersionId == nil {
		label = "AWSCURRENT"
	}
	for _, v := range m.secrets[*in.SecretId].versions {
		if in.VersionId != nil && v.id == *in.VersionId || label != "" && slices.Contains(v.labels, label) {
			return &secretsmanager.GetSecretValueOutput{VersionId: &v.id, SecretString: &v.text}, nil
		}
	}
	return nil, errAbsent
}

func (m *Manager) usable(name string) error {
	switch s := m.secrets[name]; {
	case s == nil:
		return errAbsent
	case s.pending:
		return errPending
	}
	return nil
}

func (s *secret) version(id string) *version {
	for i, v := range s.versions {
		if v.id == id {
			return &s.versions[i]
		}
	}
	return nil
}

// add makes a version: with labels of its own, which others lose, or without any
// current, and the one before it previous. Without an id it gets the next one.
func (m *Manager) add(name, id, text string, labels ...string) string {
	m.serial++
	s := m.secrets[name]
	moved := labels
	if labels == nil {
		labels, moved = []string{"AWSCURRENT"}, []string{"AWSCURRENT", "AWSPREVIOUS"}
	}
	for i, v := range s.versions {
		current := slices.Contains(v.labels, "AWSCURRENT") && slices.Contains(moved, "AWSCURRENT")
		s.versions[i].labels = slices.DeleteFunc(v.labels, func(label string) bool { return slices.Contains(moved, label) })
		if current {
			s.versions[i].labels = append(s.versions[i].labels, "AWSPREVIOUS")
		}
	}
	created := time.Time{}
	if id == "" {
		id = fmt.Sprintf("version-%d", m.serial)
	}
	if m.Now != nil {
		created = m.Now()
	}
	s.versions = append(s.versions, version{id, text, slices.Clone(labels), created})
	s.forget()
	return id
}

// forget deletes versions without a label.
func (s *secret) forget() {
	s.versions = slices.DeleteFunc(s.versions, func(v version) bool { return len(v.labels) == 0 })
}

// Label gives a version a label of its own.
func (m *Manager) Label(name, id, label string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, v := range m.secrets[name].versions {
		if v.id == id {
			m.secrets[name].versions[i].labels = append(v.labels, label)
		}
	}
}

// Unlabel takes a label away.
func (m *Manager) Unlabel(name, label string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.secrets[name]
	for i, v := range s.versions {
		s.versions[i].labels = slices.DeleteFunc(v.labels, func(l string) bool { return l == label })
	}
	s.forget()
}

// ListSecretVersionIds implements secrets.KeyReader. A page has two versions.
func (m *Manager) ListSecretVersionIds(_ context.Context, in *secretsmanager.ListSecretVersionIdsInput, _ ...options) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	unlock, err := m.call()
	defer unlock()
	m.lists++
	if err != nil {
		return nil, err
	}
	s := m.secrets[*in.SecretId]
	if s == nil {
		return nil, errAbsent
	}
	from := 0
	if in.NextToken != nil {
		if from, err = strconv.Atoi(*in.NextToken); err != nil {
			return nil, err
		}
	}
	out := &secretsmanager.ListSecretVersionIdsOutput{}
	for i, v := range s.versions[from:] {
		if i == 2 {
			out.NextToken = aws.String(strconv.Itoa(from + i))
			break
		}
		out.Versions = append(out.Versions, types.SecretVersionsListEntry{VersionId: &v.id, VersionStages: slices.Clone(v.labels), CreatedDate: &v.created})
	}
	return out, nil
}

// Rotate gives a key secret a new value, and returns its version.
func (m *Manager) Rotate(name string) string {
	m.mu.Lock()
	serial := m.serial + 1
	m.mu.Unlock()
	return m.Set(name, strings.Repeat(fmt.Sprint(serial%10), 64))
}

// Set gives a secret a value, and returns its version.
func (m *Manager) Set(name, value string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.secrets[name] == nil {
		m.secrets[name] = &secret{}
	}
	return m.add(name, "", value)
}
