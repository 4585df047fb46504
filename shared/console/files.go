package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"

	"openg2p.org/mts-connector/shared/api"
)

// dist is what `make console` has built: files compressed by brotli. Without a build it
// holds nothing, so that everything else builds.
//
//go:embed all:dist
var dist embed.FS

// Files are the page and what it loads, by the names under which they are asked for:
// "index.html", "main-HASH.js".
type Files map[string]file

// file is one file. It is there in one form, because two make the function larger by all
// of them. Browsers take brotli over https; a client that does not gets the file unpacked.
type file struct {
	packed      []byte // by brotli
	tag         string // of the packed bytes; of those that are sent packed it ends with their coding
	contentType string
}

const indexName = "index.html"

// Files with a hash of their content in their name never change.
var hashed = regexp.MustCompile(`^[a-z][a-z-]*-[0-9a-zA-Z]{8,}\.[a-z]+$`)

// contentTypes are the kinds of files that a build has.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
	".png":  "image/png",
}

// Built are the files of the build; none if there was no build.
func Built() (Files, error) {
	below, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	return ReadFiles(below)
}

// ReadFiles reads the files of a build, which end in ".br"; others are not served. An
// error names a file that cannot be served.
func ReadFiles(build fs.FS) (Files, error) {
	entries, err := fs.ReadDir(build, ".")
	if err != nil {
		return nil, err
	}
	files := Files{}
	for _, entry := range entries {
		name, compressed := strings.CutSuffix(entry.Name(), ".br")
		if !compressed {
			continue
		}
		contentType := contentTypes[path.Ext(name)]
		if contentType == "" || name != indexName && !hashed.MatchString(name) {
			return nil, fmt.Errorf("console: the build has %s, which is neither %s.br nor a file of a known kind with a hash in its name", entry.Name(), indexName)
		}
		packed, err := fs.ReadFile(build, entry.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(packed)
		files[name] = file{packed, hex.EncodeToString(sum[:8]), contentType}
	}
	if _, there := files[indexName]; len(files) > 0 && !there {
		return nil, fmt.Errorf("console: the build has no %s.br", indexName)
	}
	return files, nil
}

// Sizes are the sizes of the files in bytes as they are sent to browsers over https.
func (f Files) Sizes() map[string]int {
	sizes := map[string]int{}
	for name, one := range f {
		sizes[name] = len(one.packed)
	}
	return sizes
}

// index is the page. It is asked for again each time, so a new deployment takes effect
// with the next load.
func (f Files) index(w http.ResponseWriter, r *http.Request) error {
	index, there := f[indexName]
	if !there {
		return api.NewProblem(api.Blank(http.StatusServiceUnavailable), "The console was not built: make console")
	}
	return index.send(w, r, "no-cache")
}

func (f Files) asset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	asset, there := f[name]
	if !there || name == indexName {
		return api.NewProblem(api.NoSuchPath, "There is no such file. After a new deployment load the page again.")
	}
	return asset.send(w, r, "public, max-age=31536000, immutable")
}

// send sends the file, packed if the client takes it so, or 304 if it has it.
func (f file) send(w http.ResponseWriter, r *http.Request, cache string) error {
	packed := takesBrotli(r.Header)
	tag := `"` + f.tag + `"`
	if packed {
		tag = `"` + f.tag + `-br"`
	}
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("ETag", tag)
	h.Set("Vary", "Accept-Encoding")
	if _, same := api.IfNoneMatch(r, tag); same {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := f.packed
	if packed {
		h.Set("Content-Encoding", "br")
	} else {
		var err error
		if body, err = io.ReadAll(brotli.NewReader(bytes.NewReader(body))); err != nil {
			return err
		}
	}
	h.Set("Content-Type", f.contentType)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // the client may be gone
	return nil
}

// takesBrotli reports whether the client names brotli with a weight above 0 (RFC 9110,
// 12.5.3). "*" is not enough: programs that send it may have no brotli.
func takesBrotli(header http.Header) bool {
	takes := false
	for one := range strings.SplitSeq(strings.Join(header.Values("Accept-Encoding"), ","), ",") {
		coding, parameters, _ := strings.Cut(one, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "br") {
			continue
		}
		weight := 1.0
		if value, found := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q="); found {
			weight, _ = strconv.ParseFloat(value, 64)
		}
		takes = weight > 0
	}
	return takes
}
