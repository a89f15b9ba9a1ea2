// Package webapp is the web app as an HTTP handler. It knows how a static export of Next.js is laid out and how a
// browser should keep and trust each file; it hides that the app is files inside this program.
//
//	pnpm build ──► out/site ──go:embed──► Handler ──► /          index.html
//	                                                  /alerts    alerts.html
//	                                                  /_next/…   _next/…      kept for ever: the names are hashes
//	                                                  else       404.html     with status 404
//
// The program builds and tests without Node as well: out/ is committed with one page, which is served where there is
// no site and says how to build it.
package webapp

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

// Without "all:" the folder _next would be left out, and with it every script.
//
//go:embed all:out
var files embed.FS

// Handler serves the web app: GET and HEAD of its pages and files. The paths of the API (/api, /ws, /docs) are never
// pages of it, so that a mistyped route gets a plain 404.
func Handler() http.Handler {
	out, err := fs.Sub(files, "out")
	if err != nil {
		panic(err) // "out" is a valid path: the error is impossible
	}
	return newHandler(out)
}

// newHandler reads the whole export once: it is small, and its pages' policies need the hashes of their scripts.
func newHandler(out fs.FS) http.Handler {
	assets := map[string]*asset{} // by URL path
	err := fs.WalkDir(out, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(out, path)
		if err != nil {
			return err
		}
		name, built := strings.CutPrefix(path, "site/")
		if !built && name != "placeholder.html" {
			return nil
		}
		url := "/" + name
		if page, ok := strings.CutSuffix(url, ".html"); ok {
			url = strings.TrimSuffix(page, "index")
		}
		assets[url] = newAsset(name, body)
		return nil
	})
	if err != nil {
		panic(err) // the files are part of the program: reading them cannot go wrong
	}
	missing := assets["/404"]
	if missing == nil {
		missing = assets["/placeholder"]
		assets["/"] = missing
	}
	for _, hidden := range []string{"/404", "/_not-found", "/placeholder"} { // pages for what is not there
		delete(assets, hidden)
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); {
		case first == "api", first == "ws", first == "docs":
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the web app answers GET and HEAD only", http.StatusMethodNotAllowed)
		case assets[r.URL.Path] != nil:
			assets[r.URL.Path].serve(w, r)
		case assets[strings.TrimSuffix(r.URL.Path, "/")] != nil: // /alerts/ is /alerts
			to := *r.URL
			to.Path = strings.TrimSuffix(to.Path, "/")
			http.Redirect(w, r, to.RequestURI(), http.StatusPermanentRedirect)
		default:
			missing.serveMissing(w, r)
		}
	})
}

// asset is one file and what is said of it.
type asset struct {
	body    []byte
	headers map[string]string
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	for name, value := range a.headers {
		w.Header().Set(name, value)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body)) // answers If-None-Match by the ETag
}

func (a *asset) serveMissing(w http.ResponseWriter, r *http.Request) {
	for name, value := range a.headers {
		w.Header().Set(name, value)
	}
	w.Header().Del("ETag")
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // where the reader has gone, nobody is left to tell
	}
}

// contentTypes of what an export holds: the machine's own table is not asked, it may say anything.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".txt":  "text/plain; charset=utf-8", // the router's payloads: it takes no other type
	".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
}

func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	h := map[string]string{
		"Content-Type": contentTypes[path.Ext(name)], "ETag": `"` + hex.EncodeToString(sum[:16]) + `"`, "Cache-Control": "no-cache",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	}
	if h["Content-Type"] == "" {
		h["Content-Type"] = "application/octet-stream"
	}
	if strings.HasPrefix(name, "_next/static/") {
		h["Cache-Control"] = "public, max-age=31536000, immutable"
	}
	if path.Ext(name) == ".html" {
		h["Content-Security-Policy"] = policy(body)
	}
	return &asset{body, h}
}

// inlineScript is a script's attributes and text. The exporter writes no ">" into an attribute.
var inlineScript = regexp.MustCompile(`(?s)<script([^>]*)>(.*?)</script>`)

// policy is a page's Content-Security-Policy: scripts come from this server or are the page's own inline ones, named
// by their hash, so that an injected one does not run; nothing is loaded from another host or sent to one.
func policy(page []byte) string {
	scripts := "'self'"
	for _, m := range inlineScript.FindAllSubmatch(page, -1) {
		if !bytes.Contains(m[1], []byte("src=")) {
			sum := sha256.Sum256(m[2])
			scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
	}
	return "default-src 'none'; script-src " + scripts + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
