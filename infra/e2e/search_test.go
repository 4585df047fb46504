package e2e_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// search finds texts in any form: as they are, in JSON, in base64, in hex, escaped
// for a URL, compressed, and any of these within any other; numbers also in binary
// and as plain hashes, from which sixteen digits could be guessed.
type search struct {
	mu       sync.Mutex
	byPrefix map[[prefix]byte][]needle
	known    map[string]bool
	clean    map[string]bool // texts that were looked at, and contain nothing
	decoder  decoder
}

type needle struct {
	kind string // reported in the place of the text, which must not be logged here either
	text []byte // in lower case
}

// prefix is the length of the shortest needle.
const prefix = 6

func newSearch() *search {
	return &search{
		byPrefix: map[[prefix]byte][]needle{}, known: map[string]bool{}, clean: map[string]bool{},
		decoder: decoder{inflater: flate.NewReader(bytes.NewReader(nil))},
	}
}

func (s *search) add(kind, text string) { s.addBytes(kind, []byte(text)) }

func (s *search) addBytes(kind string, text []byte) {
	text = fold(text)
	if len(text) < prefix {
		return // would be found everywhere
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[string(text)] {
		return
	}
	s.known[string(text)] = true
	clear(s.clean)
	at := [prefix]byte(text)
	s.byPrefix[at] = append(s.byPrefix[at], needle{kind, text})
}

// fold makes ASCII letters lower case. Unlike bytes.ToLower it leaves all other
// bytes unchanged, also those that are not UTF-8.
func fold(text []byte) []byte {
	folded := bytes.Clone(text)
	for i, b := range folded {
		if 'A' <= b && b <= 'Z' {
			folded[i] = b + 'a' - 'A'
		}
	}
	return folded
}

// addNumber adds a number of many digits in all forms.
func (s *search) addNumber(kind, digits string) {
	s.add(kind, digits)
	s.add(kind+" without leading zeros", strings.TrimLeft(digits, "0"))
	if n, err := strconv.ParseUint(digits, 10, 64); err == nil {
		s.addBytes(kind+" in binary", bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, n), "\x00"))
		s.addBytes(kind+" in binary", bytes.TrimRight(binary.LittleEndian.AppendUint64(nil, n), "\x00"))
		s.addBytes(kind+" in binary", binary.AppendUvarint(nil, n))
		s.addBytes(kind+" in binary", binary.AppendVarint(nil, int64(n)))
	}
	hash256, hash1, hash5 := sha256.Sum256([]byte(digits)), sha1.Sum([]byte(digits)), md5.Sum([]byte(digits))
	for _, hash := range [][]byte{hash256[:], hash1[:], hash5[:]} {
		s.addBytes(kind+" as a plain hash", hash)
	}
}

// in returns the kinds of the texts that are found in a text.
func (s *search) in(text []byte) (kinds []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clean[string(text)] {
		return nil
	}
	s.decoder.decode(text, 0, func(form []byte) {
		form = fold(form)
		for i := 0; i+prefix <= len(form); i++ {
			for _, n := range s.byPrefix[[prefix]byte(form[i:i+prefix])] {
				if bytes.HasPrefix(form[i:], n.text) && !slices.Contains(kinds, n.kind) {
					kinds = append(kinds, n.kind)
				}
			}
		}
	})
	if len(kinds) == 0 {
		s.clean[string(text)] = true
	}
	return kinds
}

// deepest is how many encodings within each other are decoded.
const deepest = 6

var (
	base64Text = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)
	hexText    = regexp.MustCompile(`(?:[0-9a-fA-F]{2}){6,}`)
)

// decoder decodes texts. It keeps what inflates them, because a new one takes more
// time than most texts do.
type decoder struct{ inflater io.Reader }

func (d decoder) inflate(r io.Reader) io.Reader {
	_ = d.inflater.(flate.Resetter).Reset(r, nil) // which never fails
	return d.inflater
}

// decode passes a text to show, and everything that can be decoded from it.
func (d decoder) decode(text []byte, depth int, show func([]byte)) {
	if len(text) < prefix || depth > deepest {
		return
	}
	show(text)
	deeper := func(form []byte) { d.decode(form, depth+1, show) }
	for _, open := range []func(io.Reader) (io.Reader, error){
		func(r io.Reader) (io.Reader, error) { return d.inflate(r), nil },
		func(r io.Reader) (io.Reader, error) { // behind a byte that says the form, as packed rows are
			_, err := r.Read(make([]byte, 1))
			return d.inflate(r), err
		},
		func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	} {
		if r, err := open(bytes.NewReader(text)); err == nil {
			if plain, err := io.ReadAll(r); err == nil {
				deeper(plain)
			}
		}
	}
	if at := bytes.IndexAny(text, `{["`); at >= 0 {
		var value any
		decoder := json.NewDecoder(bytes.NewReader(text[at:]))
		decoder.UseNumber()
		if decoder.Decode(&value) == nil {
			texts(value, func(inner string) {
				if len(inner) < len(text) {
					deeper([]byte(inner))
				}
			})
		}
	}
	if bytes.IndexByte(text, '%') >= 0 {
		if plain, err := url.PathUnescape(string(text)); err == nil && plain != string(text) {
			deeper([]byte(plain))
		}
	}
	for _, found := range base64Text.FindAll(text, -1) {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if plain, err := encoding.DecodeString(string(found)); err == nil {
				deeper(plain)
			}
		}
	}
	for _, found := range hexText.FindAll(text, -1) {
		if plain, err := hex.DecodeString(string(found)); err == nil {
			deeper(plain)
		}
	}
}

// texts passes all names and values of a JSON value to show.
func texts(value any, show func(string)) {
	switch v := value.(type) {
	case string:
		show(v)
	case json.Number:
		show(v.String())
	case []any:
		for _, one := range v {
			texts(one, show)
		}
	case map[string]any:
		for name, one := range v {
			show(name)
			texts(one, show)
		}
	}
}

// item is an item of DynamoDB.
type item = map[string]types.AttributeValue

// attributes passes all names and values of an attribute to show.
func attributes(value types.AttributeValue, show func([]byte)) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		show([]byte(v.Value))
	case *types.AttributeValueMemberN:
		show([]byte(v.Value))
	case *types.AttributeValueMemberB:
		show(v.Value)
	case *types.AttributeValueMemberSS:
		for _, one := range v.Value {
			show([]byte(one))
		}
	case *types.AttributeValueMemberNS:
		for _, one := range v.Value {
			show([]byte(one))
		}
	case *types.AttributeValueMemberBS:
		for _, one := range v.Value {
			show(one)
		}
	case *types.AttributeValueMemberL:
		for _, one := range v.Value {
			attributes(one, show)
		}
	case *types.AttributeValueMemberM:
		for name, one := range v.Value {
			show([]byte(name))
			attributes(one, show)
		}
	}
}

// finding is a place with texts that it must not contain.
type finding struct {
	place string
	kinds []string
}

func (f finding) String() string {
	return fmt.Sprintf("%s contains %s", f.place, strings.Join(f.kinds, ", "))
}

// searchStack searches every attribute of every item of every table, every line
// of every log, and every reply of the API that the tests received.
func searchStack(ctx context.Context, s *search) (found []finding, err error) {
	look := func(text []byte, place string, args ...any) {
		if kinds := s.in(text); len(kinds) > 0 {
			found = append(found, finding{fmt.Sprintf(place, args...), kinds})
		}
	}
	tables, err := db.ListTables(ctx, &dynamodb.ListTablesInput{})
	if err != nil {
		return nil, err
	}
	for _, table := range tables.TableNames {
		err := eachItem(ctx, table, func(it item) {
			for name, value := range it {
				attributes(value, func(text []byte) { look(text, "table %s, attribute %s", table, name) })
			}
		})
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); err != nil && !gone { // another test's own table
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
	}
	lines, err := stack.Logs(ctx)
	if err != nil {
		return nil, err
	}
	for i, line := range lines {
		look([]byte(line), "log line %d", i)
	}
	for i, text := range transcript.all() {
		look(text, "reply %d of the API", i)
	}
	return found, nil
}

func eachItem(ctx context.Context, table string, visit func(item)) error {
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, it := range page.Items {
			visit(it)
		}
	}
	return nil
}

// forbidDeploymentKeys forbids the keys of the deployment.
func forbidDeploymentKeys(ctx context.Context) error {
	for _, name := range []string{"CapabilityKeySecret", "RowKeySecret", "FingerprintKeySecret", "SessionKeySecret"} {
		key, err := secretsmanager.NewFromConfig(stack.AWS()).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
			SecretId: aws.String(stack.Output(name)),
		})
		if err != nil {
			return err
		}
		forbiddenTexts.add("key of the deployment", aws.ToString(key.SecretString))
	}
	_, secret := stack.Issuer().Console()
	forbiddenTexts.add("secret of the console", secret)
	return nil
}
