package api

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/live"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
)

var update = flag.Bool("update", false, "write openapi.json anew")

func TestOpenAPI(t *testing.T) {
	const path = "../../openapi.json"
	got, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.json is not what the routes say: run `make generate`")
	}
}

// TestOnPostgres is all of these tests again, on the other engine.
func TestOnPostgres(t *testing.T) { storetest.Again(t) }

// open serves the API over real HTTP, on a real database with the alerts of the batch in it.
func open(t *testing.T, ingest func(context.Context, IngestRequest) (IngestResult, error), found ...breakwater.Detection) (*httptest.Server, *store.Store) {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, storetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		if _, err := db.SaveBatch(ctx, breakwater.Batch{FacilityID: d.FacilityID, Detections: []breakwater.Detection{d}}, func(breakwater.Detection) breakwater.Context { return breakwater.Context{Analysis: "quiet before"} }); err != nil {
			t.Fatal(err)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	hub, err := live.New(quiet, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Store: db, Hub: hub, Ingest: ingest, Status: statusOf(db), Version: "1.2.3", AllowedOrigins: []string{"http://localhost:3000"}, Logger: quiet, MaxIngestBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(asDescribed(t, h))
	t.Cleanup(s.Close)
	return s, db
}

func detection(facility, asset string, s breakwater.Severity, at time.Time) breakwater.Detection {
	return breakwater.Detection{FacilityID: facility, Asset: asset, Time: at, Layer: 1, Model: "port-scan", Severity: s, Confidence: .8,
		Technique: "T0846", TechniqueName: "Remote System Discovery", Title: "Scan", Evidence: "10.0.0.57 scanned.", Count: 3}
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

func ask(t *testing.T, method, url string, body io.Reader, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		var body any
		if err := json.Unmarshal(text, &body); err != nil {
			t.Fatalf("%s is no JSON: %v", text, err)
		}
		a.body, _ = body.(map[string]any) // nil for a list or null: then text is looked at
	}
	return a
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	t0 := time.Now().Add(-time.Hour)
	s, _ := open(t, nil,
		detection("north", "10.0.0.11", breakwater.High, t0),
		detection("north", "10.0.0.12", breakwater.Low, t0.Add(time.Minute)),
		detection("south", "10.0.0.11", breakwater.High, t0.Add(2*time.Minute)))
	for _, c := range []struct {
		query string
		total float64
		first string
	}{
		{"", 3, "south"}, {"?facility=north", 2, "north"}, {"?severity=high,critical", 2, "south"}, {"?severity=high&facility=north", 1, "north"},
		{"?status=resolved", 0, ""}, {"?limit=1&page=3", 3, "north"},
	} {
		got := ask(t, "GET", s.URL+"/api/alerts"+c.query, nil)
		if got.status != 200 || got.body["total"] != c.total {
			t.Errorf("%s: %d %s, want total %v", c.query, got.status, got.text, c.total)
			continue
		}
		if list := got.body["alerts"].([]any); c.first != "" && (len(list) == 0 || list[0].(map[string]any)["facility_id"] != c.first) {
			t.Errorf("%s: first of %s is not %s", c.query, got.text, c.first)
		}
		if strings.Contains(got.text, "$schema") {
			t.Errorf("%s: the answer has a $schema member", c.query)
		}
	}
	id := breakwater.NewID(t0, "north", "10.0.0.11", "port-scan").String()
	got := ask(t, "GET", s.URL+"/api/alerts/"+id, nil)
	if got.status != 200 || got.body["attack_type"] != "T0846" || got.body["context_analysis"] != "quiet before" || len(got.body["history"].([]any)) != 1 || got.body["relative_time"] != "1 hour ago" {
		t.Errorf("the alert is %d %s", got.status, got.text)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	s, _ := open(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/api/alerts?colour=red", 422, "colour"},
		{"GET", "/api/alerts?severity=awful", 422, "severity"},
		{"GET", "/api/alerts?limit=201", 422, "limit"},
		{"GET", "/api/alerts?page=0", 422, "page"},
		{"GET", "/api/alerts/12", 422, "UUID"},
		{"GET", "/api/alerts/019c8a04-7a00-7c9e-9d0a-2f4c1b7f3e11", 404, "019c8a04"},
		{"GET", "/api/facilities/North!/baseline", 422, "not allowed"},
		{"GET", "/api/facilities/north/baseline", 404, "north"},
		{"GET", "/api/nothing", 404, "/docs"},
		{"POST", "/api/ingest/pcap?learn=soon", 422, "soon"},
		{"POST", "/api/ingest/pcap?facility_id=No!", 422, "facility_id"},
	} {
		got := ask(t, c.method, s.URL+c.path, nil)
		detail, _ := got.body["detail"].(string)
		if got.status != c.status || !strings.Contains(detail, c.says) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s %q, want %d with %q", c.method, c.path, got.status, got.header.Get("Content-Type"), got.text, c.status, c.says)
		}
	}
}

func TestIngest(t *testing.T) {
	t.Parallel()
	var asked IngestRequest
	var fails error
	s, _ := open(t, func(_ context.Context, r IngestRequest) (IngestResult, error) {
		asked = r
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return IngestResult{Packets: 7}, err
		}
		return IngestResult{Packets: 7, Events: 5, Detections: 1}, fails
	})
	got := ask(t, "POST", s.URL+"/api/ingest/pcap?facility_id=north&learn=300s", strings.NewReader("packets"))
	if got.status != 200 || got.body["accepted"] != 7.0 || asked.FacilityID != "north" || asked.Learn != 300*time.Second {
		t.Errorf("%d %s, asked for %+v", got.status, got.text, asked)
	}
	if got := ask(t, "POST", s.URL+"/api/ingest/pcap", strings.NewReader(strings.Repeat("x", 1001))); got.status != 413 {
		t.Errorf("too large: %d %s, want 413", got.status, got.text)
	}
	fails = &breakwater.Error{Kind: breakwater.Invalid, Message: "the capture ends in packet 8"}
	got = ask(t, "POST", s.URL+"/api/ingest/pcap", strings.NewReader("packets"))
	if list, _ := got.body["errors"].([]any); got.status != 200 || got.body["accepted"] != 7.0 || len(list) != 1 {
		t.Errorf("truncated: %d %s, want what was read and one error", got.status, got.text)
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	s, _ := open(t, nil)
	if got := ask(t, "GET", s.URL+"/health", nil); got.status != 200 || got.body["status"] != "healthy" || got.body["version"] != "1.2.3" {
		t.Errorf("health: %d %s", got.status, got.text)
	}
	for _, host := range []string{"evil.example", "127.evil.example", "localhost.evil.example:8000"} {
		if got := ask(t, "GET", s.URL+"/health", nil, "Host", host); got.status != http.StatusMisdirectedRequest {
			t.Errorf("host %s is answered with %d", host, got.status)
		}
	}
	for _, host := range []string{"localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"} {
		if got := ask(t, "GET", s.URL+"/health", nil, "Host", host); got.status != 200 {
			t.Errorf("host %s is refused with %d", host, got.status)
		}
	}
	if got := ask(t, "POST", s.URL+"/api/ingest/pcap", nil, "Origin", "http://evil.example"); got.status != 403 {
		t.Errorf("a page of another origin may post: %d", got.status)
	}
	if got := ask(t, "OPTIONS", s.URL+"/api/alerts", nil, "Origin", "http://localhost:3000"); got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "http://localhost:3000" {
		t.Errorf("preflight of an allowed origin: %d", got.status)
	}
	if got := ask(t, "GET", s.URL+"/docs/", nil); got.status != 200 || !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(got.text, "https://") {
		t.Errorf("docs: %d %s", got.status, got.text)
	}
	if got := ask(t, "GET", s.URL+"/openapi.json", nil); got.status != 200 || got.body["openapi"] == nil {
		t.Errorf("openapi.json: %d", got.status)
	}
}
