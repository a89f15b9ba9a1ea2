package webapp

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// exported is out/ as Next.js lays it out, cut to what makes a difference.
func exported() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"placeholder.html":                 file("<!doctype html>without the web app"),
		"stray.html":                       file("<!doctype html>stray"),
		"site/index.html":                  file(`<!doctype html><script>start()</script><script src="/_next/static/a.js"></script>`),
		"site/alerts.html":                 file("<!doctype html><h1>Alerts</h1><script id=\"x\">push([1,\n\"</p>\"])</script>"),
		"site/alerts.txt":                  file("payload"),
		"site/alerts/__next._tree.txt":     file("tree"),
		"site/404.html":                    file("<!doctype html>no such page"),
		"site/_not-found.html":             file("<!doctype html>no such page"),
		"site/_next/static/chunks/a.1.js":  file("run()"),
		"site/_next/static/chunks/a.1.css": file("p{}"),
		"site/icon.svg":                    file("<svg/>"),
		"site/api/alerts.html":             file("<!doctype html>not the API"),
		"site/data.bin":                    file("\x00"),
	}
}

func request(t *testing.T, h http.Handler, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestServed(t *testing.T) {
	t.Parallel()
	const forever, asked = "public, max-age=31536000, immutable", "no-cache"
	h := newHandler(exported())
	for _, c := range []struct{ path, contentType, cache, body string }{
		{"/", "text/html; charset=utf-8", asked, "start()"},
		{"/alerts", "text/html; charset=utf-8", asked, "<h1>Alerts</h1>"},
		{"/alerts?severity=high&id=1", "text/html; charset=utf-8", asked, "<h1>Alerts</h1>"},
		{"/alerts.txt", "text/plain; charset=utf-8", asked, "payload"},
		{"/alerts/__next._tree.txt", "text/plain; charset=utf-8", asked, "tree"},
		{"/_next/static/chunks/a.1.js", "text/javascript; charset=utf-8", forever, "run()"},
		{"/_next/static/chunks/a.1.css", "text/css; charset=utf-8", forever, "p{}"},
		{"/icon.svg", "image/svg+xml", asked, "<svg/>"},
		{"/data.bin", "application/octet-stream", asked, "\x00"},
	} {
		t.Run(c.path, func(t *testing.T) {
			r := request(t, h, "GET", c.path)
			if r.StatusCode != http.StatusOK {
				t.Fatalf("status %d, want 200", r.StatusCode)
			}
			if got := body(t, r); !strings.Contains(got, c.body) {
				t.Errorf("body %q, want %q in it", got, c.body)
			}
			for name, want := range map[string]string{
				"Content-Type": c.contentType, "Cache-Control": c.cache,
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			head := request(t, h, "HEAD", c.path)
			if got := body(t, head); head.StatusCode != http.StatusOK || got != "" {
				t.Errorf("HEAD: status %d, body %q; want 200 and none", head.StatusCode, got)
			}
			again := request(t, h, "GET", c.path, "If-None-Match", r.Header.Get("ETag"))
			if again.StatusCode != http.StatusNotModified {
				t.Errorf("asked again with its ETag: status %d, want 304", again.StatusCode)
			}
		})
	}
}

func TestNotServed(t *testing.T) {
	t.Parallel()
	h := newHandler(exported())
	for _, path := range []string{
		"/nothing", "/alerts.html", "/index.html", "/index", "/404", "/_not-found", "/_next", "/_next/", "/_next/static/", "/placeholder", "/stray", "/site/alerts",
		"/../embed.go", "/alerts/..", "//evil.example/", "/alerts//", "/%00", "/_next/static/chunks/gone.js",
	} {
		t.Run(path, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.Path = path
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "no such page") {
				t.Errorf("status %d, body %q; want 404 and the page for it", w.Code, w.Body)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-cache" {
				t.Errorf("Cache-Control %q, want no-cache", got)
			}
			if got := w.Header().Get("ETag"); got != "" {
				t.Errorf("ETag %s on a 404, want none", got)
			}
		})
	}
	for _, path := range []string{"/api", "/api/", "/api/alerts", "/ws", "/docs", "/docs/index.html"} {
		t.Run(path, func(t *testing.T) {
			r := request(t, h, "GET", path)
			if got := body(t, r); r.StatusCode != http.StatusNotFound || strings.Contains(got, "<") {
				t.Errorf("status %d, body %q; want 404 and no page", r.StatusCode, got)
			}
		})
	}
}

func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	r := request(t, newHandler(exported()), "GET", "/alerts/?severity=high")
	if got := r.Header.Get("Location"); r.StatusCode != http.StatusPermanentRedirect || got != "/alerts?severity=high" {
		t.Errorf("status %d to %q, want 308 to /alerts?severity=high", r.StatusCode, got)
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	r := request(t, newHandler(exported()), "POST", "/alerts")
	if got := r.Header.Get("Allow"); r.StatusCode != http.StatusMethodNotAllowed || got != "GET, HEAD" {
		t.Errorf("status %d, Allow %q; want 405 and GET, HEAD", r.StatusCode, got)
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	hash := func(script string) string {
		sum := sha256.Sum256([]byte(script))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	h := newHandler(exported())
	for path, script := range map[string]string{"/": "start()", "/alerts": "push([1,\n\"</p>\"])"} {
		t.Run(path, func(t *testing.T) {
			got := request(t, h, "GET", path).Header.Get("Content-Security-Policy")
			if want := "script-src 'self' " + hash(script) + ";"; !strings.Contains(got, want) {
				t.Errorf("policy %q, want %q in it", got, want)
			}
			for _, want := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"} {
				if !strings.Contains(got, want) {
					t.Errorf("policy %q, want %q in it", got, want)
				}
			}
			if strings.Contains(got, "http") || strings.Contains(got, "unsafe-eval") {
				t.Errorf("policy %q lets more in than it should", got)
			}
		})
	}
}

// Without Node there is nothing in out/ but the placeholder.
func TestUnbuilt(t *testing.T) {
	t.Parallel()
	page, err := files.ReadFile("out/placeholder.html")
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(fstest.MapFS{"placeholder.html": {Data: page}})
	for path, want := range map[string]int{"/": 200, "/alerts": 404, "/placeholder": 404} {
		r := request(t, h, "GET", path)
		got := body(t, r)
		if r.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, r.StatusCode, want)
		}
		for _, words := range []string{"without its web app", "make build", `href="/docs/"`} {
			if !strings.Contains(got, words) {
				t.Errorf("%s: %q is not in the page", path, words)
			}
		}
	}
}

// What is really embedded answers, built or not.
func TestHandler(t *testing.T) {
	t.Parallel()
	r := request(t, Handler(), "GET", "/")
	if got := body(t, r); r.StatusCode != http.StatusOK || !strings.Contains(got, "Breakwater") {
		t.Errorf("status %d, body %.200q; want 200 and a page of Breakwater", r.StatusCode, got)
	}
}
