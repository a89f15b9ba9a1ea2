package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

// told is a live message.
type told struct {
	Type string
	Data json.RawMessage
}

// follow opens a WebSocket and gives the messages of channels as they come.
func follow(t *testing.T, url string, channels ...string) <-chan told {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	says := []string{`{"id":1,"connect":{}}`}
	for i, c := range channels {
		says = append(says, fmt.Sprintf(`{"id":%d,"subscribe":{"channel":%q}}`, i+2, c))
	}
	for _, say := range says {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			t.Fatal(err)
		}
	}
	messages, listens, gone := make(chan told, 1000), make(chan bool), make(chan bool)
	t.Cleanup(func() { conn.Close(); <-gone })
	go func() {
		defer close(gone)
		defer close(messages)
		answered := 0
		for {
			_, frame, err := conn.ReadMessage()
			if err != nil {
				return
			}
			for line := range strings.Lines(string(frame)) {
				var m struct {
					ID   int
					Push struct{ Pub struct{ Data told } }
				}
				if json.Unmarshal([]byte(line), &m) != nil {
					continue
				}
				if m.ID > 0 {
					if answered++; answered == len(says) {
						close(listens)
					}
				} else if m.Push.Pub.Data.Type != "" {
					select {
					case messages <- m.Push.Pub.Data:
					case <-t.Context().Done():
						return
					}
				}
			}
		}
	}()
	select {
	case <-listens:
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not answer on /ws")
	}
	return messages
}

// next is the next message of a kind.
func next[T any](t *testing.T, messages <-chan told, kinds ...string) (kind string, data T) {
	t.Helper()
	for late := time.After(2 * time.Minute); ; {
		select {
		case m, open := <-messages:
			if !open {
				t.Fatal("the server has closed the WebSocket")
			}
			if slices.Contains(kinds, m.Type) {
				if err := json.Unmarshal(m.Data, &data); err != nil {
					t.Fatal(err)
				}
				return m.Type, data
			}
		case <-late:
			t.Fatalf("no message %v", kinds)
		}
	}
}

// An alert from its packets to its end: a capture comes in over HTTP, two people see the alert appear, it is on the page of
// the API, one acknowledges it and the other sees that at once; who was late with an older version is told so.
func TestAlertFlow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, url := serve(t, dir)
	path := attacked(t, dir)
	one, two := follow(t, url, "alerts"), follow(t, url, "alerts")
	capture, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer capture.Close()
	resp, err := http.Post(url+"/api/ingest/pcap?facility_id=north&learn=300s", "application/octet-stream", capture)
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, said)
	}
	_, a := next[breakwater.Alert](t, one, "alert_created")
	_, b := next[breakwater.Alert](t, two, "alert_created")
	if a.ID != b.ID || a.FacilityID != "north" {
		t.Errorf("one sees %s, the other %s", a.ID, b.ID)
	}
	var shown map[string]any
	for _, x := range fetch(t, url+"/api/alerts?facility=north&limit=200")["alerts"].([]any) {
		if x := x.(map[string]any); x["id"] == a.ID.String() {
			shown = x
		}
	}
	if shown == nil || shown["status"] != "new" || len(shown["sources"].([]any)) == 0 || shown["attack_type"] == "" {
		t.Fatalf("on the page: %v", shown)
	}
	acknowledge := func(version any) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", url+"/api/alerts/"+a.ID.String()+"/status", strings.NewReader(`{"status":"acknowledged","note":"on it"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(version)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp, string(text)
	}
	if resp, text := acknowledge(shown["version"]); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	for {
		_, seen := next[breakwater.Alert](t, two, "alert_updated", "alert_created")
		if seen.ID == a.ID && seen.Status == breakwater.StatusAcknowledged {
			if float64(seen.Version) <= shown["version"].(float64) {
				t.Errorf("version %d is no newer than %v", seen.Version, shown["version"])
			}
			break
		}
	}
	if resp, text := acknowledge(shown["version"]); resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("with an old version: %d %s", resp.StatusCode, text)
	}
	detail := fetch(t, url+"/api/alerts/"+a.ID.String())
	history, _ := json.Marshal(detail["history"])
	if detail["status"] != "acknowledged" || !strings.Contains(string(history), "on it") {
		t.Errorf("%v, %s", detail["status"], history)
	}
}

// The three scenarios at once over HTTP, ten times in a row, followed by WebSocket: the same outcome each time, predictions
// that are validated as it happens, a round that is completed, and no alert before the intruder.
func TestDemosOverAndOver(t *testing.T) {
	t.Parallel()
	_, url := serve(t, t.TempDir())
	messages := follow(t, url, "system", "predictions", "fl_status")
	times := 10
	if underRace {
		times = 1
	}
	first := map[string]string{}
	for n := range times {
		running := map[breakwater.ID]bool{}
		for _, scenario := range []string{"port-scan", "fl-round", "multi-stage"} {
			begun := post(t, url+"/api/demo/scenarios/"+scenario, `{"speed":"max"}`, http.StatusAccepted)
			id, err := breakwater.ParseID(begun["scenario_id"].(string))
			if err != nil {
				t.Fatal(err)
			}
			running[id] = true
		}
		validated, completed := 0, 0
		for len(running) > 0 {
			kind, data := next[json.RawMessage](t, messages, "demo_progress", "prediction_validated", "fl_progress")
			switch kind {
			case "prediction_validated":
				var p breakwater.Prediction
				if err := json.Unmarshal(data, &p); err != nil {
					t.Fatal(err)
				}
				if p.FacilityID == "demo-riverside" {
					validated++
				}
				continue
			case "fl_progress":
				if strings.Contains(string(data), `"status":"completed"`) {
					completed++
				}
				continue
			}
			var run breakwater.DemoRun
			if err := json.Unmarshal(data, &run); err != nil {
				t.Fatal(err)
			}
			if !running[run.ID] || run.EndedAt == nil {
				continue
			}
			delete(running, run.ID)
			var b strings.Builder
			fmt.Fprintln(&b, run.Status, run.Message)
			for _, c := range run.Expected {
				if run.Scenario == "fl-round" { // its figures are others each time
					c.Detail = ""
				}
				fmt.Fprintf(&b, "%t %s %s", c.Found, c.What, c.Detail)
				if c.After != nil {
					fmt.Fprintf(&b, ", after %v s", *c.After)
				}
				fmt.Fprintln(&b)
			}
			if run.Status != breakwater.DemoCompleted {
				t.Errorf("time %d, %s: %s", n+1, run.Scenario, b.String())
			}
			if first[run.Scenario] == "" {
				first[run.Scenario] = b.String()
			} else if diff := cmp.Diff(first[run.Scenario], b.String()); diff != "" {
				t.Errorf("time %d, %s (-first +now):\n%s", n+1, run.Scenario, diff)
			}
		}
		if validated < 2 || completed != 1 {
			t.Errorf("time %d: %d predictions were told to be validated, %d rounds to be completed", n+1, validated, completed)
		}
		for _, facility := range []string{"demo-northgate", "demo-riverside"} {
			began := time.Time{} // of what the intruder does first
			var found []breakwater.Source
			for _, a := range fetchAlerts(t, url, facility) {
				for _, s := range a.Sources {
					found = append(found, s)
					if s.Technique == "T0846" && (began.IsZero() || s.DetectedAt.Before(began)) {
						began = s.DetectedAt
					}
				}
			}
			for _, s := range found {
				if s.DetectedAt.Before(began.Add(-3 * time.Second)) {
					t.Errorf("time %d, %s: a false alarm %s before the intruder: %s: %s", n+1, facility, began.Sub(s.DetectedAt), s.Model, s.Evidence)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
}

// fetchAlerts are a facility's alerts as the API shows them.
func fetchAlerts(t *testing.T, url, facility string) []breakwater.Alert {
	t.Helper()
	text, err := json.Marshal(fetch(t, url+"/api/alerts?limit=200&facility="+facility)["alerts"])
	if err != nil {
		t.Fatal(err)
	}
	var list []breakwater.Alert
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}
