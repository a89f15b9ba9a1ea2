package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/live"
	"breakwater/internal/pipeline"
	"breakwater/internal/store"
	"breakwater/internal/window"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

var wall = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// newMonitor is a monitor of a real server over an empty database; nothing runs.
func newMonitor(t *testing.T) *monitor {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite://:memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	hub, err := live.New(slog.New(slog.DiscardHandler), nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		hub.Run(ctx)
	})
	server := &pipeline.Server{Store: db, Context: window.NewMemory(), Publish: func(*breakwater.Alert, bool) {}}
	return &monitor{server: server, store: db, hub: hub, log: slog.New(slog.DiscardHandler), version: "1.2.3", began: wall, leads: func() bool { return true }}
}

func looked(t *testing.T, m *monitor, now time.Time) []breakwater.FacilityStatus {
	t.Helper()
	changed, err := m.look(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// receive takes in one second of a facility.
func receive(t *testing.T, m *monitor, facility string, second int, events int64, packets float64) {
	t.Helper()
	b := breakwater.Batch{FacilityID: facility, Events: events, Windows: []breakwater.Window{{FacilityID: facility, Time: wall.AddDate(-1, 0, 0).Add(time.Duration(second) * time.Second), PacketsPerSec: packets}}}
	if err := m.server.Receive(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func TestEventsPerSecond(t *testing.T) {
	t.Parallel()
	m := newMonitor(t)
	for second := range 60 {
		now := wall.Add(time.Duration(second) * time.Second)
		looked(t, m, now)
		want := 0.0
		switch { // 100 events a second from second 5 on, until second 30
		case second > 5 && second <= 15:
			want = float64(second-5) * 100 / float64(min(second, 10))
		case second > 15 && second <= 30:
			want = 100
		case second > 30 && second < 40:
			want = float64(40-second) * 10
		}
		got, err := m.statusAt(t.Context(), now)
		if err != nil || got.Ingest.EventsPerSec != want {
			t.Errorf("second %d: %v events/s, %v; want %v", second, got.Ingest.EventsPerSec, err, want)
		}
		if len(m.looks) > 12 {
			t.Fatalf("%d looks are kept", len(m.looks))
		}
		if second >= 5 && second < 30 {
			receive(t, m, "plant-1", second, 100, 42)
		}
	}
}

func TestPresence(t *testing.T) {
	t.Parallel()
	m := newMonitor(t)
	changes := func(after time.Duration) string {
		all := ""
		for _, f := range looked(t, m, wall.Add(after)) {
			all += fmt.Sprintf("%s %s %.0f %d;", f.ID, f.Status, f.PacketsPerSec, f.Version-wall.UnixMilli())
		}
		return all
	}
	for _, step := range []struct {
		after time.Duration
		heard bool
		want  string
	}{
		{0, false, ""}, {time.Second, true, "plant-1 active 42 1000;"}, {2 * time.Second, true, ""}, {31 * time.Second, false, ""},
		{32 * time.Second, false, "plant-1 silent 0 32000;"}, {50 * time.Second, false, ""}, {60 * time.Second, true, "plant-1 active 42 60000;"},
	} {
		if step.heard {
			receive(t, m, "plant-1", int(step.after/time.Second), 1, 42)
		}
		if got := changes(step.after); got != step.want {
			t.Errorf("after %v: %q, want %q", step.after, got, step.want)
		}
	}
	// A sensor that says hello is heard of, whatever node it says it to.
	if err := m.store.SaveSensor(t.Context(), breakwater.Sensor{FacilityID: "plant-2", HeardAt: wall.Add(60 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	got, err := m.statusAt(t.Context(), wall.Add(61*time.Second))
	seen := wall.AddDate(-1, 0, 0).Add(61 * time.Second)
	want := breakwater.SystemStatus{UptimeSeconds: 61, Version: "1.2.3", Ingest: breakwater.IngestStatus{EventsPerSec: got.Ingest.EventsPerSec}, Facilities: []breakwater.FacilityStatus{
		{ID: "plant-1", Name: "plant-1", Status: "active", LastSeen: &seen, PacketsPerSec: 42, Version: wall.Add(60 * time.Second).UnixMilli()},
		{ID: "plant-2", Name: "plant-2", Status: "silent"},
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got := changes(62 * time.Second); got != "plant-2 active 0 62000;" {
		t.Errorf("after hello: %q", got)
	}
}

// start runs the whole program on a free port; it ends with the test.
func start(t testing.TB, change func(*Config)) *App {
	t.Helper()
	c := defaults()
	c.APIPort, c.DatabaseURL, c.LogLevel = "0", "sqlite://"+t.TempDir()+"/breakwater.db", "error"
	if change != nil {
		change(&c)
	}
	a, err := Open(context.Background(), c, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// What a monitoring system collects needs the token, and counts what came in.
func TestMetrics(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	a := start(t, func(c *Config) { c.APIToken = token })
	if err := a.Server.Receive(t.Context(), breakwater.Batch{FacilityID: "plant-1", Events: 7, Windows: []breakwater.Window{{FacilityID: "plant-1", Time: wall}}}); err != nil {
		t.Fatal(err)
	}
	for authorization, want := range map[string]string{"": "wants its token", "Bearer " + token: "\nbreakwater_events_total 7\n"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("with %q: %s\n%s, %v; want %q in it", authorization, resp.Status, text, err, want)
		}
	}
}

// The running program tells of a facility that it hears of, and of how it stands, to who listens, with the token that it
// wants; nothing is told twice.
func TestSystemChannel(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	a := start(t, func(c *Config) { c.APIToken = token })
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(a.URL(), "http")+"/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"system\"}}")); err != nil {
		t.Fatal(err)
	}
	b := breakwater.Batch{FacilityID: "plant-1", Windows: []breakwater.Window{{FacilityID: "plant-1", Time: wall, PacketsPerSec: 42}}}
	if err := a.Server.Receive(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	var status breakwater.SystemStatus
	heard, last := false, ""
	for !heard || len(status.Facilities) == 0 || status.Facilities[0].Status != breakwater.Active {
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, frame, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(strings.TrimSpace(string(frame)), "\n") {
			var m struct {
				Push struct {
					Pub struct {
						Data struct {
							Type string
							Data json.RawMessage
						}
					}
				}
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			switch data := m.Push.Pub.Data; data.Type {
			case "facility_status":
				var f breakwater.FacilityStatus
				if err := json.Unmarshal(data.Data, &f); err != nil || heard || f.ID != "plant-1" || f.Status != breakwater.Active || f.PacketsPerSec != 42 {
					t.Errorf("%s, %v, the first: %t", data.Data, err, !heard)
				}
				heard = true
			case "system_status":
				if err := json.Unmarshal(data.Data, &status); err != nil {
					t.Fatal(err)
				}
				uptime := status.UptimeSeconds
				status.UptimeSeconds = 0
				same, _ := json.Marshal(status)
				if string(same) == last {
					t.Errorf("nothing but the uptime (%d s) has changed: %s", uptime, same)
				}
				last = string(same)
			}
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/api/system/status", nil)
	for header, want := range map[string]int{"": 401, "Bearer " + token: 200} {
		req.Header.Set("Authorization", header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with %q: %d, want %d", header, resp.StatusCode, want)
		}
	}
}
