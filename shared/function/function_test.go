package function_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"openg2p.org/mts-connector/shared/function"
)

func TestOnlyListedAttributesAreLogged(t *testing.T) {
	var out bytes.Buffer
	log := function.Log(&out).With("connector", "c1", "vid", "1234567890123456")
	log.Info("batch claimed", "count", 3, "name", "Ana", "token", "T-999999", "body", struct{ Name string }{"Ana"})
	line := out.String()
	for _, want := range []string{`"connector":"c1"`, `"count":3`, `"msg":"batch claimed"`} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is missing in %s", want, line)
		}
	}
	for _, secret := range []string{"1234567890123456", "Ana", "T-999999"} {
		if strings.Contains(line, secret) {
			t.Errorf("%s is in the log: %s", secret, line)
		}
	}
}

// What the code logs reaches the log: a name that is not listed would be dropped
// without a word.
func TestEveryAttributeInTheCodeIsListed(t *testing.T) {
	found := map[string]bool{}
	for _, root := range []string{"../../shared", "../../functions"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, source, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				for _, key := range attributes(n) {
					name := literal(key)
					if name == "" {
						t.Errorf("%s: the name of an attribute is no literal", files.Position(key.Pos()))
						continue
					}
					found[name] = true
					var out bytes.Buffer
					if function.Log(&out).Info("m", name, 1); !strings.Contains(out.String(), strconv.Quote(name)+":1") {
						t.Errorf("%s: the attribute %q is dropped", files.Position(key.Pos()), name)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// One of each place that attributes come from.
	for _, name := range []string{"batch", "why", "connector", "fields", "rejections", "route"} {
		if !found[name] {
			t.Errorf("%q is not found in the code", name)
		}
	}
}

// attributes are the names of the attributes that a node gives to a log: the
// arguments of a logger's methods, of the API's audit line, and of an append to
// either, and the list of a function that returns attributes.
func attributes(n ast.Node) (names []ast.Expr) {
	var pairs []ast.Expr
	switch n := n.(type) {
	case *ast.CallExpr:
		called, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return nil
		}
		before, logs := map[string]int{
			"With": 0, "Debug": 1, "Info": 1, "Warn": 1, "Error": 1,
			"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2, "changed": 4,
		}[called.Sel.Name]
		if !logs || len(n.Args) < before {
			return nil
		}
		pairs = n.Args[before:]
		if n.Ellipsis.IsValid() {
			pairs = nil
			if joined, ok := n.Args[len(n.Args)-1].(*ast.CallExpr); ok && len(joined.Args) > 0 && literal(joined.Args[min(1, len(joined.Args)-1)]) != "" {
				pairs = joined.Args[1:]
			}
		}
	case *ast.KeyValueExpr:
		name, named := n.Key.(*ast.Ident)
		made, makes := n.Value.(*ast.FuncLit)
		if !named || !makes || name.Name != "Attributes" {
			return nil
		}
		ast.Inspect(made, func(n ast.Node) bool {
			if list, ok := n.(*ast.CompositeLit); ok {
				pairs = append(pairs, list.Elts...)
			}
			return true
		})
	}
	for i := 0; i < len(pairs); i += 2 {
		names = append(names, pairs[i])
	}
	return names
}

// literal is the value of a literal text, or "".
func literal(x ast.Expr) string {
	if text, ok := x.(*ast.BasicLit); ok && text.Kind == token.STRING {
		value, _ := strconv.Unquote(text.Value)
		return value
	}
	return ""
}

// By these ids the lines of a function and of the API's access log are found
// together.
func TestLinesHaveTheIDsOfRequestAndInvocation(t *testing.T) {
	var out bytes.Buffer
	type key struct{}
	log := function.RequestLog(&out, func(ctx context.Context) string { id, _ := ctx.Value(key{}).(string); return id })
	ctx := lambdacontext.NewContext(context.WithValue(t.Context(), key{}, "JKJaXmPLvHcESHA="), &lambdacontext.LambdaContext{AwsRequestID: "c6af9ac6-7b61"})
	log.With("connector", "c1").InfoContext(ctx, "connector changed")
	if line := out.String(); !strings.Contains(line, `"connector":"c1","request":"JKJaXmPLvHcESHA=","invocation":"c6af9ac6-7b61"`) {
		t.Error(line)
	}
	out.Reset()
	one := function.Invocation(ctx, function.Log(&out))
	one.Info("batch claimed")
	one.InfoContext(ctx, "batch submitted")
	if text := out.String(); strings.Count(text, `"invocation":"c6af9ac6-7b61"`) != 2 || strings.Contains(text, "request") {
		t.Error(text)
	}
	out.Reset()
	if function.Invocation(t.Context(), function.Log(&out)).Info("function cannot start"); strings.Contains(out.String(), "invocation") {
		t.Error(out.String())
	}
}

func TestIDsAreSortableAndUnique(t *testing.T) {
	seen := map[string]bool{}
	var ids []string
	for range 1000 {
		id := function.NewID()
		if len(id) != 26 || seen[id] {
			t.Fatalf("%q", id)
		}
		seen[id] = true
		ids = append(ids, id[:9]) // the time
	}
	if !sort.StringsAreSorted(ids) {
		t.Error("a later id sorts before an earlier one")
	}
}

func TestMissingVariablesAreNamedTogether(t *testing.T) {
	t.Setenv("PRESENT", "x")
	var env function.Env
	if env.Need("PRESENT") != "x" {
		t.Error("PRESENT")
	}
	env.Need("FIRST_MISSING")
	env.Need("SECOND_MISSING")
	if err := env.Err(); err == nil || !strings.Contains(err.Error(), "FIRST_MISSING, SECOND_MISSING") {
		t.Errorf("%v", err)
	}
}

// The configuration of the SDK is the environment that Lambda gives.
func TestAWSIsConfiguredByTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
	cfg, err := function.AWS()
	if err != nil {
		t.Fatal(err)
	}
	given, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || given.AccessKeyID != "id" || given.SecretAccessKey != "secret" || given.SessionToken != "session" || cfg.Region != "eu-central-1" || cfg.BaseEndpoint != nil {
		t.Errorf("%+v in %s at %v, %v", given.AccessKeyID, cfg.Region, cfg.BaseEndpoint, err)
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
	if cfg, err := function.AWS(); err != nil || *cfg.BaseEndpoint != "http://127.0.0.1:4566" {
		t.Errorf("%v, %v", cfg.BaseEndpoint, err)
	}
	t.Setenv("AWS_REGION", "")
	if _, err := function.AWS(); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("%v", err)
	}
}

func TestMetricsAreWhatCloudWatchReads(t *testing.T) {
	var out bytes.Buffer
	m := function.Meter{Out: &out, Stack: "prod", Now: func() time.Time { return time.UnixMilli(1_800_000_000_000) }}
	m.Measure("Rejected", 3, "refused")
	m.Measure("OldestAnswerSeconds", 1.5, "")
	want := `{"Kind":"refused","Rejected":3,"Stack":"prod","_aws":{"CloudWatchMetrics":[{"Dimensions":[["Stack","Kind"]],"Metrics":[{"Name":"Rejected","Unit":"Count"}],"Namespace":"MTSConnector"}],"Timestamp":1800000000000}}
{"OldestAnswerSeconds":1.5,"Stack":"prod","_aws":{"CloudWatchMetrics":[{"Dimensions":[["Stack"]],"Metrics":[{"Name":"OldestAnswerSeconds","Unit":"Seconds"}],"Namespace":"MTSConnector"}],"Timestamp":1800000000000}}
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}
