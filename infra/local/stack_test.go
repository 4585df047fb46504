package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"openg2p.org/mts-connector/infra/local"
	"openg2p.org/mts-connector/infra/template"
)

// stack is one stack for all tests, with the template and the function in
// testdata. It ends with the process.
var stack = sync.OnceValues(func() (*local.Stack, error) {
	return local.Start(context.Background(), local.Options{Template: "testdata/template.yaml", Name: "test"})
})

func running(t *testing.T) *local.Stack {
	t.Helper()
	s, err := stack()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer is the function's description of the request that reached it.
type answer struct {
	Process int
	Path    string
	Query   string
	Subject string
	Bytes   int
}

func decode(t *testing.T, text string) (a answer) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return a
}

// eventually waits for something that happens asynchronously.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if happened() {
			return
		}
	}
	t.Errorf("did not happen: %s", what)
}

func logged(t *testing.T, s *local.Stack, line string) func() bool {
	return func() bool {
		lines, err := s.Logs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(lines, line)
	}
}

func TestPublicRouteAcceptsBigBodies(t *testing.T) {
	s := running(t)
	body := []byte(strings.Repeat("x", 6<<20))
	status, text := do(t, "POST", s.APIURL()+"/public/a.b~c?q=1", http.Header{"Authorization": {"Bearer not.a.token"}}, body)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if got, want := decode(t, text), (answer{Path: "/public/a.b~c", Query: "q=1", Bytes: len(body)}); got.Path != want.Path || got.Query != want.Query || got.Bytes != want.Bytes {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPrivateRouteAcceptsOnlyTokensOfTheIssuer(t *testing.T) {
	s, other := running(t), issuer(t)
	claims := func(change string, value any) map[string]any {
		c := map[string]any{
			"iss": s.Issuer().Address(), "aud": local.Audience, "sub": "somebody",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		c[change] = value
		return c
	}
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"good":           {s.Issuer().Token("somebody", nil), 200},
		"of the stack":   {s.Token(), 200},
		"none":           {"", 401},
		"other key":      {other.Sign(claims("sub", "somebody")), 401},
		"other issuer":   {other.Token("somebody", nil), 401},
		"expired":        {s.Issuer().Sign(claims("exp", time.Now().Add(-time.Minute).Unix())), 401},
		"other audience": {s.Issuer().Sign(claims("aud", "others")), 401},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if c.token != "" {
				header.Set("Authorization", "Bearer "+c.token)
			}
			status, text := do(t, "GET", s.APIURL()+"/private/x/y", header, nil)
			if status != c.status {
				t.Fatalf("%d %s, want %d", status, text, c.status)
			}
			if name == "good" {
				if a := decode(t, text); a.Subject != "somebody" || a.Path != "/private/x/y" {
					t.Errorf("got %+v", a)
				}
			}
		})
	}
}

func TestInvoke(t *testing.T) {
	s := running(t)
	if _, err := s.Invoke(t.Context(), "hello", []byte(`{"say":"one"}`)); err != nil {
		t.Fatal(err)
	}
	if !logged(t, s, "said: one")() {
		t.Error("the line is not in the logs")
	}
	_, err := s.Invoke(t.Context(), "hello", []byte(`{"say":"two","fail":"now"}`))
	var failed *local.FunctionError
	if !errors.As(err, &failed) || failed.Message != "asked to fail: now" {
		t.Errorf("got %v, want the function's error", err)
	}
	if _, err := s.Invoke(t.Context(), "nobody", nil); err == nil || errors.As(err, &failed) && failed.Function == "test-nobody" {
		t.Errorf("got %v, want an error of the service", err)
	}
	if err := s.InvokeAsync(t.Context(), "hello", []byte(`{"say":"three","sleep":20}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three is said", logged(t, s, "said: three"))
}

func TestTickInvokesWithTheInputOfTheSchedule(t *testing.T) {
	s := running(t)
	if err := s.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !logged(t, s, "tick")() {
		t.Error("no tick in the logs")
	}
}

func TestStreamReachesTheFunction(t *testing.T) {
	s := running(t)
	_, err := s.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String(s.Output("Things")),
		Item:      map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "thing"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream invokes the function", logged(t, s, "stream: INSERT thing"))
}

func TestUsedRightsAreNoted(t *testing.T) {
	s := running(t)
	_, err := s.Invoke(t.Context(), "hello", []byte(`{"write":"rights"}`))
	var failed *local.FunctionError
	if !errors.As(err, &failed) || !strings.Contains(failed.Message, "dynamodb:GetItem") {
		t.Fatalf("got %v, want that the role may not read", err)
	}
	uses, err := s.UsedRights()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(uses, func(u local.Use) bool {
		return u.Role == "HelloRole" && u.Action == "dynamodb:PutItem" && strings.HasSuffix(u.Resource, ":table/"+s.Output("Things"))
	}) {
		t.Errorf("it is not noted that HelloRole put an item: %+v", uses)
	}
	given := []template.Right{
		{Role: "HelloRole", Action: "dynamodb:PutItem", Resource: "${Things.Arn}"},
		{Role: "HelloRole", Action: "dynamodb:PutItem", Resource: "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"},
		{Role: "HelloRole", Action: "dynamodb:DeleteItem", Resource: "${Things.Arn}"}, // never asked for
		{Role: "HelloRole", Action: "dynamodb:GetItem", Resource: "${Things.Arn}"},    // denied
		{Role: "OtherRole", Action: "dynamodb:PutItem", Resource: "${Things.Arn}"},
		{Role: "HelloRole", Action: "dynamodb:PutItem", Resource: "${Hello.Arn}"},
		{Role: "HelloRole", Action: "dynamodb:PutItem", Resource: "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${AWS::StackName}"},
	}
	if unused, err := s.UnusedRights(given); err != nil || !slices.Equal(unused, given[2:]) {
		t.Errorf("unused are %v, %v", unused, err)
	}
}

func TestKilledFunctionIsReplaced(t *testing.T) {
	s := running(t)
	before, err := s.Invoke(t.Context(), "hello", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	// In the middle of an invocation.
	result := make(chan error, 1)
	go func() {
		_, err := s.Invoke(context.WithoutCancel(t.Context()), "hello", []byte(`{"sleep":9000}`))
		result <- err
	}()
	// Repeated until the invocation is hit, which may not have begun yet.
	for failed := (*local.FunctionError)(nil); failed == nil; {
		select {
		case err := <-result:
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want that the function died", err)
			}
		case <-time.After(5 * time.Millisecond):
			if _, err := s.KillFunctionProcesses("hello"); err != nil {
				t.Fatal(err)
			}
		}
	}
	after, err := s.Invoke(t.Context(), "hello", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if decode(t, string(before)).Process == decode(t, string(after)).Process {
		t.Error("the same process continues")
	}
	if killed, err := s.KillFunctionProcesses("hell"); err != nil || killed != 0 {
		t.Errorf("killed %d of another function, %v", killed, err)
	}
}

func TestFailedDeploymentNamesWhatFailed(t *testing.T) {
	_, err := local.Start(t.Context(), local.Options{Template: "testdata/broken.yaml"})
	if err == nil || !strings.Contains(err.Error(), "Sum (AWS::CloudWatch::Alarm)") {
		t.Errorf("got %v, want an error that names the resource", err)
	}
}
