package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/store"

	"github.com/gorilla/websocket"
)

// The running program predicts, ends by the clock what nothing came of at a facility that says no more, and tells of both.
func TestProgramPredicts(t *testing.T) {
	t.Parallel()
	a := start(t, nil)
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(a.URL(), "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte("{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"predictions\"}}")); err != nil {
		t.Fatal(err)
	}
	var lines []string
	next := func(with string) (line string) { // the next line that holds these words
		for !strings.Contains(line, with) {
			for len(lines) == 0 {
				conn.SetReadDeadline(time.Now().Add(20 * time.Second))
				_, frame, err := conn.ReadMessage()
				if err != nil {
					t.Fatal(err)
				}
				lines = strings.Split(string(frame), "\n")
			}
			line, lines = lines[0], lines[1:]
		}
		return line
	}
	next(`"id":2`) // it listens
	d := breakwater.Detection{FacilityID: "plant-1", Asset: "10.0.0.11", Time: wall, Layer: breakwater.LayerAnomaly, Model: "port-scan", Severity: breakwater.High, Confidence: .8, Technique: "T0846",
		Title: "Port scan", Evidence: "10.0.0.57 tried 20 ports of 10.0.0.11 in 4 s.", Count: 1}
	if err := a.Server.Receive(t.Context(), breakwater.Batch{FacilityID: "plant-1", Detections: []breakwater.Detection{d}}); err != nil {
		t.Fatal(err)
	}
	if got := next(`"type"`); !strings.Contains(got, "prediction_created") || !strings.Contains(got, `"current_technique":"T0846"`) {
		t.Errorf("%s", got)
	}
	old, err := json.Marshal(map[string]any{"timestamp": time.Now().Add(-25 * time.Hour), "facility_id": "dam", "current_technique": "T0846",
		"predicted_techniques": []map[string]any{{"technique_id": "T0855", "probability": 1, "rank": 1}}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(a.URL()+"/api/predictions", "application/json", strings.NewReader(string(old)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := next("prediction_expired"); resp.StatusCode != 201 || !strings.Contains(got, `"facility_id":"dam"`) {
		t.Errorf("%d, %s", resp.StatusCode, got)
	}
}

// A server learns from the catalogue that was imported, and says what to do where that cannot be read.
func TestImportedCatalogue(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + t.TempDir() + "/breakwater.db"
	db, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := attack.Builtin().Write(&text, true); err != nil {
		t.Fatal(err)
	}
	c := defaults()
	c.APIPort, c.DatabaseURL, c.LogLevel = "0", url, "error"
	for _, step := range []struct {
		catalogue, version, says string
	}{{"", "18.1", ""}, {strings.Replace(text.String(), `"version":"18.1"`, `"version":"18.7"`, 1), "18.7", ""}, {"{[", "", "breakwater attack import"}} {
		if step.catalogue != "" {
			if err := db.SaveCatalogue(t.Context(), step.catalogue, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		a, err := Open(t.Context(), c, "test")
		if step.says != "" {
			if breakwater.KindOf(err) != breakwater.Unavailable || !strings.Contains(err.Error(), step.says) {
				t.Errorf("%v, want %q", err, step.says)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Server.Outlook.Predictor().Catalogue().Version; got != step.version {
			t.Errorf("version %s, want %s", got, step.version)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
