package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// described is the description as its readers get it.
var described = sync.OnceValues(func() (*description, error) {
	text, err := OpenAPI()
	if err != nil {
		return nil, err
	}
	d := &description{mux: http.NewServeMux(), answered: map[string]map[int]bool{}}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, err
	}
	for path, operations := range d.Paths {
		for method := range operations {
			pattern := strings.ToUpper(method) + " " + path
			d.mux.HandleFunc(pattern, http.NotFound)
			d.answered[pattern] = map[int]bool{}
		}
	}
	return d, nil
})

type description struct {
	Paths map[string]map[string]struct {
		Parameters []struct {
			Name   string
			Schema map[string]any
		}
		Responses map[string]struct {
			Headers map[string]any
			Content map[string]struct{ Schema map[string]any }
		}
	}
	Components struct {
		Schemas map[string]map[string]any
	}
	mux *http.ServeMux // tells which operation a request is for

	mu       sync.Mutex
	answered map[string]map[int]bool // statuses by operation, as "GET /api/alerts"
}

// asDescribed passes requests on, and fails the test where an answer is not in the description: by its status, its media
// type, or its JSON.
func asDescribed(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &witness{recorder: recorder{ResponseWriter: rw}}
		next.ServeHTTP(w, r)
		for _, fault := range d.faults(r, w) {
			t.Errorf("%s %s: %d: %s", r.Method, r.URL, w.status, fault)
		}
	})
}

// witness keeps an answer, its beginning where it is long.
type witness struct {
	recorder
	body bytes.Buffer
}

const witnessed = 1 << 20

func (w *witness) Write(b []byte) (int, error) {
	if w.body.Len() <= witnessed {
		w.body.Write(b)
	}
	return w.recorder.Write(b)
}

// faults says how an answer is not as described.
func (d *description) faults(r *http.Request, w *witness) []string {
	_, pattern := d.mux.Handler(r)
	method, path, _ := strings.Cut(pattern, " ")
	if method == "" || r.Method == http.MethodHead || w.status == 0 {
		return nil // of no route, or without an answer
	}
	// The description says once, for all routes, what a Host or an Origin that may not be here is answered with, a method
	// that is not taken, and a path that is written otherwise.
	foreign := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	if w.status == http.StatusMisdirectedRequest || w.status == http.StatusForbidden && foreign || w.status == http.StatusMethodNotAllowed || w.status == http.StatusTemporaryRedirect {
		return nil
	}
	d.mu.Lock()
	d.answered[pattern][w.status] = true
	d.mu.Unlock()
	answer, known := d.Paths[path][strings.ToLower(method)].Responses[strconv.Itoa(w.status)]
	if !known {
		return []string{"the status is not described: " + w.body.String()}
	}
	var all []string
	for name := range answer.Headers {
		if w.Header().Get(name) == "" {
			all = append(all, "the header "+name+" is described, and absent")
		}
	}
	if len(answer.Content) == 0 {
		if w.body.Len() > 0 {
			all = append(all, "a body is not described")
		}
		return all
	}
	media, parameters, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		return append(all, "the content type "+w.Header().Get("Content-Type")+" is none")
	}
	if version := parameters["version"]; version != "" {
		media += ";version=" + version
	}
	content, known := answer.Content[media]
	if !known {
		return append(all, fmt.Sprintf("the content type %s is none of %v", media, slices.Collect(maps.Keys(answer.Content))))
	}
	if media != "application/json" && !strings.HasSuffix(media, "+json") || w.body.Len() > witnessed {
		return all
	}
	var value any
	if err := json.Unmarshal(w.body.Bytes(), &value); err != nil {
		return append(all, "the body is no JSON: "+err.Error())
	}
	return append(all, faults(d.Components.Schemas, content.Schema, "body", value)...)
}

// An example is one: what it is an example of allows it.
func TestExamples(t *testing.T) {
	t.Parallel()
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	check := func(of string, schema map[string]any) {
		for _, example := range append(slices.Clone(listOf(schema["examples"])), listOf(schema["default"])...) {
			for _, fault := range faults(d.Components.Schemas, schema, of, example) {
				t.Error(fault)
			}
		}
	}
	for name, schema := range d.Components.Schemas {
		properties, _ := schema["properties"].(map[string]any)
		for property, of := range properties {
			check(name+"."+property, of.(map[string]any))
		}
	}
	for path, operations := range d.Paths {
		for method, op := range operations {
			for _, p := range op.Parameters {
				check(method+" "+path+" "+p.Name, p.Schema)
			}
		}
	}
}

// listOf is a list, a value as a list of one, and nothing as an empty one.
func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// TestMain looks at the end at what all tests of the package together saw of each route.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		d, err := described()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if unseen := d.unseen(); len(unseen) > 0 {
			fmt.Fprintf(os.Stderr, "FAIL: the description has routes whose answers no test got:\n%s\n", strings.Join(unseen, "\n"))
			code = 1
		}
	}
	os.Exit(code)
}

// drivenElsewhere are routes, by a part of their pattern, whose good answers need more of the program than there is here:
// the tests of app and of cmd/breakwater ask them.
var drivenElsewhere = []string{" /api/demo/", " /api/fl/join", " /api/fl/parameters/", " /api/fl/rounds/trigger", "/updates/{client}", "/evaluations/{client}"}

// unseen are the routes whose answers to good and to bad input nobody got.
func (d *description) unseen() (all []string) {
	for pattern, statuses := range d.answered {
		got := slices.Collect(maps.Keys(statuses))
		elsewhere := slices.ContainsFunc(drivenElsewhere, func(part string) bool { return strings.Contains(pattern, part) })
		if !elsewhere && !slices.ContainsFunc(got, func(status int) bool { return status < 400 }) {
			all = append(all, pattern+" to good input")
		}
		if !slices.ContainsFunc(got, func(status int) bool { return status >= 400 && status < 500 && status != http.StatusUnauthorized }) {
			all = append(all, pattern+" to bad input")
		}
	}
	slices.Sort(all)
	return all
}
