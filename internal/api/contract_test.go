package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/capture"
	"breakwater/internal/detect"
	"breakwater/internal/live"
	"breakwater/internal/pipeline"
	"breakwater/internal/plant"
	"breakwater/internal/predict"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
	"breakwater/internal/window"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

// whole is the API over the real database, hub, detectors and pipeline, as the program wires them.
type whole struct {
	*httptest.Server
	databaseURL string
	store       *store.Store
	hub         *live.Hub
	flow        *pipeline.Server
	log         *syncBuffer
}

// syncBuffer is a log that handlers write and a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func serve(t *testing.T, change func(*Config), configure ...func(*http.Server)) *whole {
	t.Helper()
	databaseURL := storetest.URL(t)
	db, err := store.Open(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := new(syncBuffer)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	hub, err := live.New(logger, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- hub.Run(ctx) }()
	rules, err := detect.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	flow := &pipeline.Server{Store: db, Rules: rules, Context: window.NewMemory(), Publish: func(a *breakwater.Alert, created bool) {
		if err := hub.Alert(a, created); err != nil {
			t.Error(err)
		}
	}, Outlook: &pipeline.Outlook{Predictor: predict.Builtin, Publish: func(e store.PredictionEvent) {
		if err := hub.Prediction(e.What, e.Prediction); err != nil {
			t.Error(err)
		}
	}}}
	config := Config{Store: db, Hub: hub, Flow: flow, Status: statusOf(db), Version: "1.2.3", AllowedOrigins: []string{"http://localhost:3000"}, Hosts: []string{"plant.example"}, Logger: logger,
		Ingest: func(ctx context.Context, r IngestRequest) (IngestResult, error) {
			source, err := capture.NewReader(r.Body, r.Name)
			if err != nil {
				return IngestResult{}, err
			}
			defer source.Close()
			stats, err := flow.Run(ctx, r.FacilityID, r.Learn, source.Packets())
			return IngestResult{Packets: stats.Packets, Events: stats.Events, Windows: stats.Windows, Detections: stats.Detections}, err
		}}
	if change != nil {
		change(&config)
	}
	handler, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(asDescribed(t, handler))
	for _, f := range configure {
		f(server.Config)
	}
	server.Start()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return &whole{server, databaseURL, db, hub, flow, log}
}

// record is a capture of the simulated plant: 40 s of normal work, then a port scan.
var record = sync.OnceValues(func() ([]byte, error) {
	attack, err := plant.ParseAttack("port-scan@40s")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := capture.NewWriter(&b, capture.PCAP)
	for p, err := range plant.Packets(plant.Options{Seed: 1, Duration: 60 * time.Second, Attacks: []plant.Attack{attack}}) {
		if err != nil {
			return nil, err
		}
		if err := w.Write(p); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Flush()
})

func recorded(t *testing.T) []byte {
	t.Helper()
	b, err := record()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// From an uploaded capture to the list, the detail, the baseline and both live channels; and nothing new by a replay.
func TestCaptureToAlert(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	pcap := recorded(t)

	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, say := range []string{`{"id":1,"connect":{}}`, `{"id":2,"subscribe":{"channel":"alerts"}}`} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			t.Fatal(err)
		}
		if _, reply, err := conn.ReadMessage(); err != nil || strings.Contains(string(reply), "error") {
			t.Fatalf("%s: %s %v", say, reply, err)
		}
	}
	events, err := http.Get(s.URL + "/api/stream?channels=alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()

	first := ask(t, "POST", s.URL+"/api/ingest/pcap?facility_id=plant-1&learn=30s", bytes.NewReader(pcap))
	if first.status != 200 || first.body["accepted"].(float64) == 0 || first.body["rejected"] != 0.0 || first.body["detections"].(float64) == 0 {
		t.Fatalf("ingest: %d %s", first.status, first.text)
	}
	list := ask(t, "GET", s.URL+"/api/alerts?facility=plant-1&limit=200", nil)
	alerts := list.body["alerts"].([]any)
	if len(alerts) == 0 {
		t.Fatalf("no alert: %s", list.text)
	}
	again := ask(t, "POST", s.URL+"/api/ingest/pcap?facility_id=plant-1", bytes.NewReader(pcap))
	if again.status != 200 || again.body["accepted"] != first.body["accepted"] {
		t.Errorf("replay: %d %s", again.status, again.text)
	}
	if after := ask(t, "GET", s.URL+"/api/alerts?facility=plant-1&limit=200", nil); after.text != list.text {
		t.Errorf("a replay changed the alerts:\n%s\n%s", list.text, after.text)
	}

	newest := alerts[0].(map[string]any)
	detail := ask(t, "GET", s.URL+"/api/alerts/"+newest["id"].(string), nil)
	if detail.status != 200 || len(detail.body["history"].([]any)) == 0 || !strings.HasSuffix(detail.body["relative_time"].(string), " ago") {
		t.Errorf("detail: %d %s", detail.status, detail.text)
	}
	for name, want := range newest {
		if diff := cmp.Diff(want, detail.body[name]); diff != "" {
			t.Errorf("%s differs between list and detail: %s", name, diff)
		}
	}
	if got := ask(t, "GET", s.URL+"/api/facilities/plant-1/baseline", nil); got.status != 200 || len(got.body) == 0 {
		t.Errorf("baseline: %d %s", got.status, got.text)
	}

	// The first message of each channel tells of an alert as the list shows it, but perhaps of an earlier version.
	_, frame, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(frame), "\n")
	var push struct {
		Push struct {
			Pub struct{ Data json.RawMessage }
		}
	}
	if err := json.Unmarshal([]byte(line), &push); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	lines := bufio.NewScanner(events.Body)
	lines.Buffer(nil, 1<<20)
	var sent string
	for sent == "" && lines.Scan() {
		sent, _ = strings.CutPrefix(lines.Text(), "data: ")
		if sent == lines.Text() {
			sent = ""
		}
	}
	for name, data := range map[string]string{"/ws": string(push.Push.Pub.Data), "/api/stream": sent} {
		var m struct {
			Channel, Type string
			Data          map[string]any
		}
		if err := json.Unmarshal([]byte(data), &m); err != nil || m.Channel != "alerts" || m.Type != "alert_created" {
			t.Errorf("%s: %v %s", name, err, data)
		}
		m.Data["relative_time"] = "" // would be old when it arrives
		if diff := cmp.Diff(keys(newest), keys(m.Data)); diff != "" {
			t.Errorf("%s: an alert has other fields than in the list (-list +message):\n%s", name, diff)
		}
	}
}

func keys(m map[string]any) []string {
	names := []string{}
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestIngestRealBodies(t *testing.T) {
	t.Parallel()
	pcap := recorded(t)
	s := serve(t, func(c *Config) { c.MaxIngestBytes = int64(len(pcap)) })
	for _, c := range []struct {
		name, query string
		header      []string
		body        io.Reader
		status      int
		says        string
	}{
		{"cut short", "", nil, bytes.NewReader(pcap[:len(pcap)-5]), 200, `"rejected":1,"errors":[{"line":`},
		{"without a length", "", nil, io.MultiReader(bytes.NewReader(pcap)), 200, `"rejected":0,"errors":[]`},
		{"no capture", "", nil, strings.NewReader("not a capture at all, only text"), 422, "detail"},
		{"empty", "", nil, strings.NewReader(""), 422, "detail"},
		{"too large by its length", "", nil, bytes.NewReader(append(slices.Clone(pcap), 0)), 413, "is larger than the"},
		{"too large as it comes", "", nil, io.MultiReader(bytes.NewReader(pcap), strings.NewReader("x")), 413, "packets were taken"},
		{"a form", "", []string{"Content-Type", "multipart/form-data; boundary=x"}, strings.NewReader("--x--"), 415, "--data-binary"},
		{"learn is no time", "?learn=soon", nil, bytes.NewReader(pcap), 422, `learn \"soon\" is not a duration`},
		{"learn is negative", "?learn=-5s", nil, bytes.NewReader(pcap), 422, "is not a duration"},
		{"facility", "?facility_id=Plant%201", nil, bytes.NewReader(pcap), 422, "facility_id"},
		{"unknown parameter", "?facility=plant", nil, bytes.NewReader(pcap), 422, "there are facility_id, learn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ask(t, "POST", s.URL+"/api/ingest/pcap"+c.query, c.body, c.header...)
			if got.status != c.status || !strings.Contains(got.text, c.says) {
				t.Errorf("%d %s, want %d and %s", got.status, got.text, c.status, c.says)
			}
		})
	}
}

// A client that stops in the middle and still listens is told what was kept.
func TestIngestDrop(t *testing.T) {
	t.Parallel()
	pcap := recorded(t)
	s := serve(t, nil)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/ingest/pcap HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", len(pcap)*2)
	if _, err := conn.Write(pcap); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got ingested
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Accepted == 0 || got.Rejected != 1 || len(got.Errors) != 1 || !strings.Contains(got.Errors[0].Detail, "the body was cut short after packet") {
		t.Errorf("%d %+v", resp.StatusCode, got)
	}
	page, err := s.store.Alerts(t.Context(), store.AlertQuery{Page: 1, Limit: 10})
	if err != nil || page.Total == 0 {
		t.Errorf("%d alerts were kept (%v)", page.Total, err)
	}
}

// The server's deadlines are made for short requests; a capture fed in at its own pace takes longer.
func TestIngestOutlivesDeadlines(t *testing.T) {
	t.Parallel()
	pcap := recorded(t)
	s := serve(t, nil, func(h *http.Server) { h.ReadTimeout, h.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond })
	r, w := io.Pipe()
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for part := range slices.Chunk(pcap, len(pcap)/10+1) { // half a second in all
			<-tick.C
			if _, err := w.Write(part); err != nil {
				return // the server's answer says why
			}
		}
		w.Close()
	}()
	if got := ask(t, "POST", s.URL+"/api/ingest/pcap", r); got.status != 200 || got.body["rejected"] != 0.0 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	web := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		io.WriteString(w, "the web app")
	})
	s := serve(t, func(c *Config) { c.Web = web })
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/api/alerts?severity=high&severity=low", 422, "severity is given 2 times"},
		{"GET", "/api/alerts?limit=%zz", 422, "the query cannot be read"},
		{"GET", "/api/alerts?limit=ten", 422, "query parameter limit: invalid integer, not ten"},
		{"GET", "/api/alerts?limit=0&page=-1", 422, "query parameter limit"},
		{"GET", "/api/alerts?facility=A!", 422, "facility id"},
		{"GET", "/api/alerts?status=open", 422, "new"},
		{"GET", "/api/alerts?colour=red&shape=round", 422, "there is no query parameter colour: there are facility, severity, status, technique, "},
		{"GET", "/health?x=1", 422, "this route takes none"},
		{"GET", "/api/alerts/" + strings.Repeat("x", 1000), 422, "is not a UUID"},
		{"GET", "/api/stream?channels=secrets", 422, `there is no channel "secrets"`},
		{"GET", "/api/stream?channel=alerts", 422, "there are channels"},
		{"GET", "/api", 404, "/docs lists"},
		{"GET", "/api/", 404, "/docs lists"},
		{"POST", "/api/nothing", 404, "/docs lists"},
		{"GET", "/ws/x", 404, "/docs lists"},
		{"GET", "/docs/nothing.js", 404, "the documentation is at /docs/"},
		{"GET", "/docs/%2e%2e/api.go", 404, "there is no"},
		{"DELETE", "/api/alerts", 405, "/api/alerts does not take DELETE: use GET"},
		{"GET", "/api/ingest/pcap", 405, "use POST"},
		{"GET", "/api/facilities/north/assets/import", 405, "use POST"}, // no asset of that name
		{"PUT", "/health", 405, "use GET"},
	} {
		got := ask(t, c.method, s.URL+c.path, nil)
		detail, _ := got.body["detail"].(string)
		if got.status != c.status || !strings.Contains(detail, c.says) || got.header.Get("Content-Type") != "application/problem+json" || got.body["status"] != float64(c.status) {
			t.Errorf("%s %s: %d %s\nwant %d and %q", c.method, c.path, got.status, got.text, c.status, c.says)
		}
		if len(detail) > 600 {
			t.Errorf("%s %.40s: the detail has %d bytes", c.method, c.path, len(detail))
		}
		if allow := got.header.Get("Allow"); (c.status == 405) != (allow != "") {
			t.Errorf("%s %s: %d with Allow %q", c.method, c.path, got.status, allow)
		}
	}
	for _, path := range []string{"/", "/alerts", "/nothing", "/apiary"} {
		if got := ask(t, "GET", s.URL+path, nil); got.text != "the web app" || got.header.Get("Content-Security-Policy") != "default-src 'self'" {
			t.Errorf("%s: %d %s, policy %s", path, got.status, got.text, got.header.Get("Content-Security-Policy"))
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, path := range []string{"/health", "/api/alerts", "/nothing", "/docs/", "/openapi.json"} {
		h := ask(t, "GET", s.URL+path, nil).header
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
	head, err := http.Head(s.URL + "/health")
	if err != nil {
		t.Fatal(err)
	}
	if head.Body.Close(); head.StatusCode != 200 {
		t.Errorf("HEAD: %d", head.StatusCode)
	}
	if !strings.Contains(s.log.String(), "level=DEBUG msg=request method=GET path=/health status=200") {
		t.Errorf("the log does not tell of a request:\n%s", s.log)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	const mine, evil = "http://localhost:3000", "http://evil.example"
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
		allow        string
	}{
		{"GET", "/api/alerts", []string{"Origin", mine}, 200, mine},
		{"GET", "/api/alerts", []string{"Origin", evil}, 200, ""}, // a browser keeps the answer from that page
		{"OPTIONS", "/api/ingest/pcap", []string{"Origin", mine, "Access-Control-Request-Method", "POST"}, 204, mine},
		{"OPTIONS", "/api/ingest/pcap", []string{"Origin", evil, "Access-Control-Request-Method", "POST"}, 403, ""},
		{"POST", "/api/ingest/pcap", []string{"Origin", mine}, 422, mine}, // an empty body, but let through
		{"POST", "/api/ingest/pcap", []string{"Origin", s.URL}, 422, ""},
		{"POST", "/api/ingest/pcap", []string{"Origin", evil}, 403, ""},
		{"POST", "/api/ingest/pcap", []string{"Origin", "null"}, 403, ""},
		{"POST", "/api/ingest/pcap", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"GET", "/health", []string{"Host", "plant.example:8000"}, 200, ""},
		{"GET", "/health", []string{"Host", "PLANT.example"}, 200, ""},
		{"GET", "/health", []string{"Host", "10.0.0.1:8000"}, 421, ""},
		{"GET", "/", []string{"Host", "evil.example"}, 421, ""},
	} {
		got := ask(t, c.method, s.URL+c.path, nil, c.header...)
		if got.status != c.status || got.header.Get("Access-Control-Allow-Origin") != c.allow {
			t.Errorf("%s %s %v: %d, allowed %q; want %d, %q\n%s", c.method, c.path, c.header, got.status, got.header.Get("Access-Control-Allow-Origin"), c.status, c.allow, got.text)
		}
	}
	for _, bad := range []string{"*", "localhost:3000", "http://localhost:3000/app", ""} {
		_, err := New(Config{AllowedOrigins: []string{bad}})
		if breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("origin %q: %v", bad, err)
		}
	}
}

func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, path := range []string{"/livez", "/readyz"} {
		if got := ask(t, "GET", s.URL+path, nil); got.status != 200 || got.body["status"] != "ok" {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
	for err := error(nil); breakwater.KindOf(err) != breakwater.Conflict; err = s.store.MigrateDown(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := ask(t, "GET", s.URL+"/health", nil)
	want := map[string]any{"status": "degraded", "service": "breakwater", "version": "1.2.3",
		"services": map[string]any{"database": "unreachable", "redis": "embedded", "kafka": "embedded", "neo4j": "embedded"}}
	if diff := cmp.Diff(want, got.body); diff != "" || got.status != 200 {
		t.Errorf("health %d (-want +got):\n%s", got.status, diff)
	}
	for path, status := range map[string]int{"/livez": 200, "/readyz": 503, "/api/alerts": 503} {
		if got := ask(t, "GET", s.URL+path, nil); got.status != status {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.text, status)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	var fault any
	s := serve(t, func(c *Config) {
		c.Web = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(fault) })
		c.Ingest = func(_ context.Context, r IngestRequest) (IngestResult, error) {
			io.Copy(io.Discard, r.Body)
			return IngestResult{Packets: 3}, fault.(error)
		}
	})
	fault = "secret of the inside"
	if got := ask(t, "GET", s.URL+"/", nil); got.status != 500 || got.body["detail"] != internalDetail {
		t.Errorf("a panic was answered with %d %s", got.status, got.text)
	}
	if log := s.log.String(); !strings.Contains(log, "secret of the inside") || !strings.Contains(log, "contract_test.go") {
		t.Errorf("the log does not say where it panicked:\n%s", log)
	}
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{errors.New("secret"), 500, internalDetail},
		{&breakwater.Error{Kind: breakwater.Internal, Message: "secret"}, 500, internalDetail},
		{&breakwater.Error{Kind: breakwater.Unavailable, Message: "the disk is full", Err: errors.New("secret")}, 503, "the disk is full"},
		{&breakwater.Error{Kind: breakwater.TooLarge, Message: "that is too much"}, 413, "that is too much"},
		{fmt.Errorf("feeding in: %w", &breakwater.Error{Kind: breakwater.Unavailable, Message: "the database is away"}), 503, "the database is away"},
	} {
		fault = c.err
		got := ask(t, "POST", s.URL+"/api/ingest/pcap", strings.NewReader("x"))
		if got.status != c.status || got.body["detail"] != c.detail || strings.Contains(got.text, "secret") {
			t.Errorf("%v: %d %s, want %d %s", c.err, got.status, got.text, c.status, c.detail)
		}
	}
}

// Every kind of error has a status.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for kind := breakwater.Internal; kind <= breakwater.Unavailable; kind++ {
		if statuses[kind] < 400 {
			t.Errorf("kind %d has status %d", kind, statuses[kind])
		}
	}
}

// Whoever reads the description learns of each field and parameter what it means and how it looks.
func TestDescriptionIsComplete(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	for name, schema := range doc.Components.Schemas.Map() {
		for property, p := range schema.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s has no description", name, property)
			}
			refers := p.Ref != "" || p.Items != nil && p.Items.Ref != "" || len(p.OneOf) > 0
			if len(p.Examples) == 0 && !refers {
				t.Errorf("%s.%s has no example", name, property)
			}
		}
	}
	for path, item := range doc.Paths {
		for _, op := range operations(item) {
			if op.Summary == "" || op.OperationID == "" {
				t.Errorf("%s %s has no summary or id", op.Method, path)
			}
			for _, p := range op.Parameters {
				if p.Description == "" || len(p.Schema.Examples) == 0 && p.Example == nil {
					t.Errorf("%s %s: parameter %s has no description or example", op.Method, path, p.Name)
				}
			}
			bodies := map[string]*huma.MediaType{}
			if op.RequestBody != nil && op.RequestBody.Description == "" {
				maps.Copy(bodies, op.RequestBody.Content)
			}
			for status, r := range op.Responses {
				if r.Description == "" {
					t.Errorf("%s %s: status %s has no description", op.Method, path, status)
				}
				for name, body := range r.Content {
					bodies[status+" "+name] = body
				}
			}
			for name, body := range bodies {
				if s := body.Schema; s == nil || s.Ref == "" && s.Description == "" && (s.Items == nil || s.Items.Ref == "") && len(s.OneOf) == 0 {
					t.Errorf("%s %s: the body %s has no description", op.Method, path, name)
				}
			}
		}
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for path, mediaType := range map[string]string{
		"/docs/": "text/html; charset=utf-8", "/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8", "/docs/docs-init.js": "text/javascript; charset=utf-8",
		"/docs/swagger-ui.css": "text/css; charset=utf-8", "/docs/LICENSE": "text/plain; charset=utf-8", "/docs/NOTICE": "text/plain; charset=utf-8",
		"/openapi.json": "application/openapi+json", "/openapi.yaml": "application/openapi+yaml",
	} {
		if got := ask(t, "GET", s.URL+path, nil); got.status != 200 || got.header.Get("Content-Type") != mediaType || got.text == "" {
			t.Errorf("%s: %d %s", path, got.status, got.header.Get("Content-Type"))
		}
	}
	if got := ask(t, "GET", s.URL+"/docs", nil); got.status != 307 || got.header.Get("Location") != "/docs/" {
		t.Errorf("/docs: %d to %s", got.status, got.header.Get("Location"))
	}
	page := ask(t, "GET", s.URL+"/docs/", nil).text
	if strings.Contains(page, "//") || strings.Contains(page, "<script>") || strings.Contains(page, "<style>") {
		t.Errorf("the page asks another host or has inline code:\n%s", page)
	}
	want, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "GET", s.URL+"/openapi.json", nil); got.text != string(want) {
		t.Error("/openapi.json is not OpenAPI()")
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "just now", 999 * time.Millisecond: "just now", time.Second: "1 second ago", 59 * time.Second: "59 seconds ago", time.Minute: "1 minute ago",
		3*time.Minute + 59*time.Second: "3 minutes ago", time.Hour: "1 hour ago", 47 * time.Hour: "1 day ago", 40 * 24 * time.Hour: "1 month ago",
		800 * 24 * time.Hour: "2 years ago", -time.Minute: "in 1 minute", -3 * time.Hour: "in 3 hours",
	} {
		if got := ago(d); got != want {
			t.Errorf("ago(%v) = %q, want %q", d, got, want)
		}
	}
}
