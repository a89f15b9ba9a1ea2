package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/client"
	"breakwater/internal/detect"
	"breakwater/internal/plant"

	"github.com/google/go-cmp/cmp"
)

// plantRun feeds the simulated plant to the server's own way of the data, from a time on.
func plantRun(t *testing.T, s *whole, facility string, o plant.Options) {
	t.Helper()
	if _, err := s.flow.Run(t.Context(), facility, 0, plant.Packets(o)); err != nil {
		t.Fatal(err)
	}
}

func modelClient(t *testing.T, s *whole) *client.Client {
	t.Helper()
	c, err := client.New(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A model's whole life: trained on stored windows, shown, fetched by a sensor, speaking in an alert beside a rule, trained
// anew and rolled back.
func TestModelLife(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c := modelClient(t, s)
	start := plant.DefaultStart
	plantRun(t, s, "plant-1", plant.Options{Seed: 1, Start: start, Duration: 35 * time.Minute})
	if _, err := s.flow.Run(t.Context(), "plant-1", 5*time.Minute, plant.Packets(plant.Options{Seed: 1, Start: start, Duration: 6 * time.Minute})); err != nil {
		t.Fatal(err)
	}

	epochs := 0
	models, err := c.Train(t.Context(), "plant-1", time.Time{}, time.Time{}, nil, func(l client.Trained) {
		if epochs++; l.Kind != "autoencoder" || l.Epoch != epochs || l.Epochs < l.Epoch || l.Validation <= 0 {
			t.Errorf("epoch %d comes as %+v", epochs, l)
		}
	})
	if err != nil || len(models) != 2 || epochs < 10 {
		t.Fatalf("%d models after %d epochs, %v", len(models), epochs, err)
	}
	auto := models[1]
	var learned detect.Learned
	if err := json.Unmarshal(auto.Metrics, &learned); err != nil || learned.Seconds != 2100 || learned.LeftOut != 0 || learned.Epochs != epochs || learned.Quantile != 0.999 {
		t.Errorf("%s %v", auto.Metrics, err)
	}
	if auto.Kind != "autoencoder" || !auto.Active || auto.Source != breakwater.Trained || auto.Rows != int64(learned.Trained+learned.Validated) {
		t.Errorf("%+v", auto)
	}

	// The list and the file say the same; a sensor is told of it.
	got := ask(t, "GET", s.URL+"/api/models?facility=plant-1&kind=autoencoder&active=true", nil)
	if list, _ := got.body["models"].([]any); got.status != 200 || got.body["total"] != 1.0 || len(list) != 1 || list[0].(map[string]any)["fingerprint"] != auto.Fingerprint {
		t.Errorf("%d %s", got.status, got.text)
	}
	file := fmt.Sprintf("%s/api/models/%d/file", s.URL, auto.Version)
	got = ask(t, "GET", file, nil)
	if m, err := detect.ReadModel([]byte(got.text)); err != nil || m.Threshold != learned.Threshold || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("the file: %d %v %v", got.status, err, got.header)
	}
	if got := ask(t, "GET", file, nil, "If-None-Match", got.header.Get("ETag")); got.status != 304 || got.text != "" {
		t.Errorf("the file again: %d", got.status)
	}
	config := ask(t, "GET", s.URL+"/api/facilities/plant-1/config", nil)
	if text := text(config.body["models"]); !strings.Contains(text, auto.Fingerprint) || !strings.Contains(text, "isolation-forest") {
		t.Errorf("config names %s", text)
	}

	// An attack: the alert has a rule and both models among its sources.
	plantRun(t, s, "plant-1", plant.Options{Seed: 1, Start: start.Add(time.Hour), Duration: 5 * time.Minute, Attacks: []plant.Attack{{Kind: plant.PortScan, At: 2 * time.Minute}}})
	got = ask(t, "GET", s.URL+"/api/alerts?facility=plant-1&limit=200", nil)
	together := ""
	for _, a := range got.body["alerts"].([]any) {
		names, scan := []string{}, false
		for _, source := range a.(map[string]any)["sources"].([]any) {
			source := source.(map[string]any)
			name := source["model_name"].(string)
			scan = scan || strings.HasSuffix(name, "-scan")
			names = append(names, name)
			if name == "autoencoder" && (source["severity"] != "medium" || !strings.Contains(source["evidence"].(string), "packets/s ")) {
				t.Errorf("the autoencoder says %v", source)
			}
		}
		if scan {
			together += strings.Join(names, " ") + "; "
		}
	}
	if !strings.Contains(together, "autoencoder") || !strings.Contains(together, "isolation-forest") {
		t.Errorf("the alerts of the scan have the sources %s", together)
	}

	// Trained again on the same: the same model. On other windows: another, which a rollback takes away.
	same, err := c.Train(t.Context(), "plant-1", start, start.Add(35*time.Minute), []string{"autoencoder"}, func(client.Trained) {})
	if err != nil || cmp.Diff(same, []breakwater.ModelVersion{auto}) != "" {
		t.Errorf("trained again: %+v, %v", same, err)
	}
	other, err := c.Train(t.Context(), "plant-1", start, start.Add(31*time.Minute), []string{"autoencoder"}, func(client.Trained) {})
	if err != nil || len(other) != 1 || other[0].Version <= auto.Version || !other[0].Active {
		t.Fatalf("trained on less: %+v, %v", other, err)
	}
	before := ask(t, "GET", s.URL+"/api/facilities/plant-1/config", nil).header.Get("ETag")
	got = ask(t, "POST", fmt.Sprintf("%s/api/models/%d/rollback", s.URL, auto.Version), nil)
	if got.status != 200 || got.body["active"] != true || got.body["version"] != float64(auto.Version) {
		t.Errorf("rollback: %d %s", got.status, got.text)
	}
	if after := ask(t, "GET", s.URL+"/api/facilities/plant-1/config", nil, "If-None-Match", before); after.status != 200 || strings.Contains(after.text, other[0].Fingerprint) {
		t.Errorf("a sensor is not told of the rollback: %d", after.status)
	}
}

func TestModelMistakes(t *testing.T) {
	t.Parallel()
	s := fed(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/api/models?limit=0", "", 422, "limit"},
		{"GET", "/api/models?kind=pca", "", 422, "kind"},
		{"GET", "/api/models?cursor=x", "", 422, "cursor is not a next_cursor"},
		{"GET", "/api/models?facility=No!", "", 422, "facility id"},
		{"GET", "/api/models/99/file", "", 404, "there is no model of version 99"},
		{"GET", "/api/models/0/file", "", 422, "version"},
		{"POST", "/api/models/99/rollback", "", 404, "there is no model of version 99"},
		{"POST", "/api/models/train", `{}`, 422, "facility_id"},
		{"POST", "/api/models/train", `{"facility_id": "No!"}`, 422, "facility id"},
		{"POST", "/api/models/train", `{"facility_id": "nowhere"}`, 404, "there is no facility nowhere"},
		{"POST", "/api/models/train", `{"facility_id": "plant-1", "kinds": ["pca"]}`, 422, "kinds"},
		{"POST", "/api/models/train", `{"facility_id": "plant-1"}`, 422, "seconds of traffic to learn from are too few: at least 1800 are needed"},
	} {
		got := ask(t, c.method, s.URL+c.path, strings.NewReader(c.body), "Content-Type", "application/json")
		if detail, _ := got.body["detail"].(string); got.status != c.status || !strings.Contains(detail, c.says) {
			t.Errorf("%s %s %s: %d %.300s, want %d with %q", c.method, c.path, c.body, got.status, got.text, c.status, c.says)
		}
	}
}

// One training goes on at a time, and one whose client goes away ends.
func TestTrainingsTakeTurns(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	plantRun(t, s, "plant-1", plant.Options{Seed: 1, Duration: 35 * time.Minute})
	c := modelClient(t, s)
	ctx, goAway := context.WithCancel(t.Context())
	busy := false
	_, err := c.Train(ctx, "plant-1", time.Time{}, time.Time{}, nil, func(client.Trained) {
		if busy {
			return
		}
		busy = true
		_, err := c.Train(t.Context(), "plant-1", time.Time{}, time.Time{}, nil, func(client.Trained) {})
		if breakwater.KindOf(err) != breakwater.Conflict {
			t.Errorf("a second training: %v", err)
		}
		goAway()
	})
	if err != context.Canceled || !busy {
		t.Fatalf("interrupted: %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; { // the server learns of it as it writes the next line
		if _, err = c.Train(t.Context(), "plant-1", time.Time{}, time.Time{}, []string{"isolation-forest"}, func(client.Trained) {}); breakwater.KindOf(err) != breakwater.Conflict || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Errorf("after it: %v", err)
	}
	page := ask(t, http.MethodGet, s.URL+"/api/models", nil)
	if page.body["total"] != 1.0 || !strings.Contains(page.text, "isolation-forest") {
		t.Errorf("what was interrupted left %s", page.text)
	}
}
