package mtssim

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"strings"

	"github.com/itchyny/gojq"
)

// program is a jq program as jq 1.5 would take it. The zero value is one that
// does not compile: its result is always null.
type program struct {
	code *gojq.Code
}

// errCrashed is the end of the process by a jq program that reads input
// (facts/mts.md W11).
var errCrashed = errors.New("jq input ends the process")

var errNotJQ15 = errors.New("not a jq 1.5 program")

func compile(text string) (program, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		return program{}, err
	}
	if newerSyntax.MatchString(text) || !isJQ15(query) {
		return program{}, errNotJQ15
	}
	code, err := gojq.Compile(query, gojq.WithInputIter(crashingInput{}))
	if err != nil {
		return program{}, err
	}
	return program{code}, nil
}

// first returns the first result of the program. Any failure, even one after
// the first result, and no result at all, are nil (facts/mts.md W14). All
// results are computed; an endless program ends only with ctx. The only error
// is errCrashed.
func (p program) first(ctx context.Context, input any) (result any, err error) {
	if p.code == nil {
		return nil, nil
	}
	defer func() {
		if r := recover(); r != nil {
			if crash, isError := r.(error); !isError || !errors.Is(crash, errCrashed) {
				panic(r)
			}
			result, err = nil, errCrashed
		}
	}()
	results := p.code.RunWithContext(ctx, input)
	for n := 0; ; n++ {
		v, ok := results.Next()
		if !ok {
			return result, nil
		}
		if _, failed := v.(error); failed {
			return nil, nil
		}
		if n == 0 {
			result = v
		}
	}
}

// asJQNumbers is v with its numbers as jq 1.5 gives them: whole ones within 32
// bits are ints, all others floats (facts/mts.md W13).
func asJQNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return asJQNumbers(asFloat(v))
	case int:
		return asJQNumbers(float64(v))
	case *big.Int: // gojq's, beyond an int
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case float64:
		if v == math.Trunc(v) && v >= math.MinInt32 && v <= math.MaxInt32 {
			return int(v)
		}
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = asJQNumbers(e)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for k, e := range v {
			object[k] = asJQNumbers(e)
		}
		return object
	}
	return v
}

type crashingInput struct{}

func (crashingInput) Next() (any, bool) { panic(errCrashed) }

// What follows keeps out what gojq understands and jq 1.5 does not. Where in
// doubt, a name is kept out.

// newerSyntax finds what the syntax tree no longer shows: ".a.[0]" and a comma
// before a closing brace. In a text literal it is refused without need.
var newerSyntax = regexp.MustCompile(`[\w\])"?]\s*\.\s*\[|,\s*\}`)

var newerNames = func() map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(`
		$ENV $__loc__ $__prog_args builtins input_line_number stderr halt halt_error isempty walk
		utf8bytelength localtime strflocaltime IN INDEX JOIN isfinite finites normals
		abs toarray pick skip trim ltrim rtrim trimstr toboolean have_literal_numbers have_decnum
		getpath/2 limit/0 error/2 add/1 debug/1 scan/2 ascii
		frexp modf ldexp scalb scalbln nearbyint trunc significand drem logb gamma lgamma tgamma
		lgamma_r round ceil fabs fmin fmax fma fmod pow10 hypot copysign rint
		@base32d @base64d @urid`) {
		names[name] = true
	}
	return names
}()

func isJQ15(query *gojq.Query) bool {
	own := map[string]bool{} // functions and parameters of the program
	visit(reflect.ValueOf(query), func(node any) bool {
		if f, ok := node.(*gojq.FuncDef); ok {
			own[f.Name] = true
			for _, a := range f.Args {
				own[a] = true
			}
		}
		return true
	})
	return visit(reflect.ValueOf(query), func(node any) bool {
		switch n := node.(type) {
		case *gojq.Func:
			name := n.Name
			return own[name] || !newerNames[name] && !newerNames[name+"/"+string(rune('0'+len(n.Args)))]
		case *gojq.Query:
			return len(n.Patterns) <= 1 && (n.Patterns == nil || isTerm(n.Left))
		case *gojq.Term:
			return !newerNames[n.Format]
		case *gojq.Unary:
			return n.Op == gojq.OpSub
		case *gojq.If:
			return n.Else != nil
		case *gojq.Reduce:
			return len(n.Patterns) == 1 && isTerm(n.Query)
		case *gojq.Foreach:
			return len(n.Patterns) == 1 && isTerm(n.Query)
		case *gojq.ObjectKeyVal:
			return n.Val == nil || isObjectValue(n.Val)
		}
		return true
	})
}

func isTerm(q *gojq.Query) bool {
	return q != nil && q.Op == 0 && q.Term != nil && q.Term.Unary == nil && q.FuncDefs == nil
}

// isObjectValue: in jq 1.5 a value in an object is a term, a negated value, or
// several joined by "|"; anything else needs parentheses.
func isObjectValue(q *gojq.Query) bool {
	if q.Op == gojq.OpPipe && q.Patterns == nil && q.FuncDefs == nil {
		return isObjectValue(q.Left) && isObjectValue(q.Right)
	}
	return q.Op == 0 && q.Term != nil && q.FuncDefs == nil
}

// visit calls f for every node of a syntax tree until f says false.
func visit(v reflect.Value, f func(node any) bool) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil() || f(v.Interface()) && visit(v.Elem(), f)
	case reflect.Slice:
		for i := range v.Len() {
			if !visit(v.Index(i), f) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !visit(v.Field(i), f) {
				return false
			}
		}
	}
	return true
}
