package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"openg2p.org/mts-connector/infra/template"
)

// files serves what build.mjs wrote, as it is now: a page that is loaded again shows
// the last build.
func files() (http.Handler, error) {
	root, err := template.Root()
	if err != nil {
		return nil, err
	}
	dist := filepath.Join(root, "shared/console/dist")
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".json": "application/json"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, kind := strings.TrimPrefix(r.URL.Path, "/console/"), types[path.Ext(r.URL.Path)]
		if r.URL.Path == "/console" {
			name, kind = "index.html", "text/html; charset=utf-8"
		}
		packed, err := os.ReadFile(filepath.Join(dist, path.Base(name)+".gz"))
		if err != nil {
			http.Error(w, "Not there, or the console was not built: make console", http.StatusNotFound)
			return
		}
		sum := sha256.Sum256(packed)
		h := w.Header()
		h.Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Type", kind)
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "+
			"font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(packed))
	}), nil
}
