package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"

	"breakwater"
)

// docsFiles is a page that shows the description: Swagger UI (Apache-2.0, docs/LICENSE and docs/NOTICE), its bundle
// and style sheet unchanged, with a page and a script of our own. It asks no other host for anything.
//
//go:embed docs
var docsFiles embed.FS

// docsPolicy lets the page load what is here and nothing else. Swagger UI sets styles on elements.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Routes: GET /openapi.json, /openapi.yaml, /asyncapi.json, /asyncapi.yaml, /docs, /docs/ and its files.
func (s *server) docs(mux *http.ServeMux) {
	for name, doc := range map[string]struct {
		mediaType string
		body      []byte
	}{
		"/openapi.json":  {"application/openapi+json", s.json},
		"/openapi.yaml":  {"application/openapi+yaml", s.yaml},
		"/asyncapi.json": {"application/asyncapi+json", s.asyncJSON},
		"/asyncapi.yaml": {"application/asyncapi+yaml", s.asyncYAML},
	} {
		mux.HandleFunc("GET "+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", doc.mediaType)
			_, _ = w.Write(doc.body) // where the client has gone, nobody is left to tell
		})
	}
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusTemporaryRedirect))
	mux.HandleFunc("GET /docs/{file...}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		if name == "" {
			name = "index.html"
		}
		body, err := fs.ReadFile(docsFiles, path.Join("docs", name))
		if err != nil {
			writeProblem(w, http.StatusNotFound, "there is no "+clip(r.URL.Path)+": the documentation is at /docs/")
			return
		}
		mediaType := map[string]string{".html": "text/html", ".js": "text/javascript", ".css": "text/css"}[path.Ext(name)]
		if mediaType == "" {
			mediaType = "text/plain"
		}
		w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("Cache-Control", "max-age=3600") // seconds
		_, _ = w.Write(body)
	})
}

// marshal writes a description for people and for diffs.
func marshal(doc any) ([]byte, error) {
	compact, err := json.Marshal(doc)
	var out bytes.Buffer
	if err == nil {
		err = json.Indent(&out, compact, "", "  ")
	}
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "a description cannot be written as JSON", Err: err}
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
