package api

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
)

// bareLoop answers GET /api/alerts with its first page of ten, as a program would that did nothing else: the same queries
// in the same transaction, and encoding/json. It checks nothing. scripts/bench-api measures the API beside it.
type bareLoop struct {
	db   *sql.DB
	opts sql.TxOptions
}

func newBareLoop(databaseURL string) (*bareLoop, error) {
	driver, source, conns, opts := "pgx", databaseURL, 20, sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if path, ok := strings.CutPrefix(databaseURL, "sqlite://"); ok {
		driver, source, conns, opts = "sqlite", "file:"+path+"?_pragma=query_only(1)", 4, sql.TxOptions{ReadOnly: true}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return &bareLoop{db, opts}, nil
}

func (b *bareLoop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page, err := b.page(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page) // where the client has gone, nobody is left to tell
}

// kept is what a column keeps as text: a time, or JSON.
type kept struct{ of any }

func (k kept) Scan(v any) error {
	text, ok := v.(string)
	if bytes, isBytes := v.([]byte); isBytes {
		text, ok = string(bytes), true
	}
	if !ok {
		return fmt.Errorf("%T is no text", v)
	}
	switch of := k.of.(type) {
	case *time.Time:
		var err error
		*of, err = time.Parse("2006-01-02T15:04:05.000000000Z", text)
		return err
	case *breakwater.ID:
		return of.UnmarshalText([]byte(text))
	}
	return json.Unmarshal([]byte(text), k.of)
}

func (b *bareLoop) page(r *http.Request) (*alertPage, error) {
	ctx, limit := r.Context(), 10
	tx, err := b.db.BeginTx(ctx, &b.opts)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	page := &alertPage{Alerts: []alertItem{}, Page: 1, Limit: limit}
	var places int
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(places), 0), coalesce(max(alerts), 0) FROM alert_places`).Scan(&places, &page.Total); err != nil {
		return nil, err
	}
	page.Pages = (page.Total + limit - 1) / limit

	var ids []any
	rows, err := tx.QueryContext(ctx, `SELECT id, timestamp, place FROM alerts WHERE true ORDER BY timestamp DESC, id DESC LIMIT $1 OFFSET $2`, limit+1, 0)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, at string
		var place int
		if err := rows.Scan(&id, &at, &place); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(ids) > limit {
		page.NextCursor = new(string) // where it is made of nothing but what is known here
		ids = ids[:limit]
	}
	if len(ids) == 0 {
		return page, nil
	}
	marks := "($1"
	for i := range ids[1:] {
		marks += fmt.Sprintf(", $%d", i+2)
	}
	marks += ")"

	place := map[string]int{} // by id
	for i, id := range ids {
		place[id.(string)] = i
	}
	page.Alerts = make([]alertItem, len(ids))
	rows, err = tx.QueryContext(ctx, `SELECT id, facility_id, asset, timestamp, last_seen, severity, status, title, description, attack_type, attack_name,
		techniques, correlation_confidence, correlation_summary, context_analysis, assignee, count, version, muted, external, external_id,
		place, coalesce(incident_id, id) FROM alerts WHERE id IN `+marks, ids...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	external := make([]bool, len(ids))
	now := time.Now()
	for rows.Next() {
		a := alertItem{}
		a.Sources = []breakwater.Source{}
		var ofIncident, externalID sql.NullString
		var anywhere sql.NullInt64
		var outside bool
		if err := rows.Scan(kept{&a.ID}, &a.FacilityID, &a.Asset, kept{&a.Timestamp}, kept{&a.LastSeen}, &a.Severity, &a.Status, &a.Title, &a.Description, &a.AttackType, &a.AttackName,
			kept{&a.Techniques}, &a.Confidence, &a.Summary, &a.ContextAnalysis, &a.Assignee, &a.Count, &a.Version, &a.Muted, &outside, &externalID, &anywhere, &ofIncident); err != nil {
			return nil, err
		}
		a.ExternalID, a.RelativeTime = externalID.String, ago(now.Sub(a.Timestamp))
		i := place[a.ID.String()]
		page.Alerts[i], external[i] = a, outside
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows, err = tx.QueryContext(ctx, `SELECT alert_id, layer, model_name, severity, confidence, technique, technique_name, title, evidence, look_at,
		detection_time, counted_until, count, context_evidence, muted, conversation FROM alert_sources WHERE alert_id IN `+marks+` ORDER BY alert_id, position`, ids...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var s breakwater.Source
		if err := rows.Scan(&id, &s.Layer, &s.Model, &s.Severity, &s.Confidence, &s.Technique, &s.TechniqueName, &s.Title, &s.Evidence, &s.LookAt,
			kept{&s.DetectedAt}, kept{&s.CountedUntil}, &s.Count, &s.ContextEvidence, &s.Muted, kept{&s.Talk}); err != nil {
			return nil, err
		}
		i := place[id]
		s.External = external[i]
		page.Alerts[i].Sources = append(page.Alerts[i].Sources, s)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return page, tx.Commit()
}

// What is measured beside the API does the API's work.
func TestBareLoopAnswersTheSame(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	if got := ask(t, "POST", s.URL+"/api/ingest/pcap?facility_id=plant-1&learn=30s", strings.NewReader(string(recorded(t)))); got.status != 200 {
		t.Fatal(got.text)
	}
	b, err := newBareLoop(s.databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer b.db.Close()
	bare := httptest.NewServer(b)
	defer bare.Close()
	want, got := ask(t, "GET", s.URL+"/api/alerts", nil).body, ask(t, "GET", bare.URL, nil).body
	if list := want["alerts"].([]any); len(list) == 0 {
		t.Fatal("there is no alert")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-API +bare loop)\n%s", diff)
	}
}

// TestServeBareLoop serves it for scripts/bench-api, on the database that BREAKWATER_BARE_DATABASE_URL names, until its
// standard input ends.
func TestServeBareLoop(t *testing.T) {
	url := os.Getenv("BREAKWATER_BARE_DATABASE_URL")
	if url == "" {
		t.Skip("for scripts/bench-api")
	}
	b, err := newBareLoop(url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.db.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: b}
	go server.Serve(listener)
	defer server.Close()
	fmt.Printf("http://%s\n", listener.Addr())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
}
