package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/fl"
	"breakwater/internal/ml"
)

// federation is the API with a coordinator that runs, wired as the program wires it.
func federation(t *testing.T, change func(*fl.Coordinator)) *whole {
	t.Helper()
	c := &fl.Coordinator{Settings: fl.Usual(), Log: slog.New(slog.DiscardHandler),
		Shape: fl.Shape{Names: []string{"a", "b", "c"}, Context: ml.Context{Blocks: 1, Stride: 1, Summary: ml.Last}, Hidden: []int{4, 2, 4}}}
	c.Settings.Epochs = 4
	s := serve(t, func(config *Config) {
		c.Store = config.Store
		c.Publish = func(r *breakwater.Round) {
			if err := config.Hub.Round(r); err != nil {
				t.Error(err)
			}
		}
		c.PublishClient = func(f *breakwater.FLClient) {
			if err := config.Hub.Client(f); err != nil {
				t.Error(err)
			}
		}
		config.Federation = c
	})
	change(c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func joined(id string, seed uint64) fl.Client {
	random := rand.New(rand.NewPCG(seed, 0))
	var rows [][]float64
	for range 400 {
		u := random.NormFloat64()
		rows = append(rows, []float64{u + 0.1*random.NormFloat64(), 3 * u, 7 - u})
	}
	return fl.Client{ID: id, FacilityID: id, Data: func(context.Context) (fl.Data, error) { return fl.Data{Rows: rows}, nil }}
}

// A round from its trigger to its end, as a page sees it: over HTTP and live, each client's epochs among it.
func TestRoundLive(t *testing.T) {
	t.Parallel()
	s := federation(t, func(c *fl.Coordinator) {
		for i := range 3 {
			if err := c.Join(joined(fmt.Sprintf("plant-%d", i+1), uint64(i))); err != nil {
				t.Fatal(err)
			}
		}
	})
	next := listen(t, s.URL, "fl_status")
	made := send(t, "POST", s.URL+"/api/fl/rounds/trigger", "")
	if made.status != http.StatusCreated || made.body["status"] != "in-progress" || made.body["phase"] != "distributing" || made.body["progress"] != 0.0 {
		t.Fatalf("%d %s", made.status, made.text)
	}
	epochs, phases, progress := map[string][]float64{}, []string{"distributing"}, 0.0
	for {
		kind, data := next()
		if kind == "fl_client" {
			id := data["id"].(string)
			epochs[id] = append(epochs[id], data["current_epoch"].(float64))
			continue
		}
		if data["progress"].(float64) < progress {
			t.Errorf("progress fell from %v to %v", progress, data["progress"])
		}
		progress = data["progress"].(float64)
		if phase := data["phase"].(string); phase != phases[len(phases)-1] {
			phases = append(phases, phase)
		}
		if data["status"] != "in-progress" {
			break
		}
	}
	if fmt.Sprint(phases) != "[distributing training aggregating complete]" {
		t.Errorf("phases %v", phases)
	}
	if len(epochs) != 3 {
		t.Errorf("%d clients told of epochs", len(epochs))
	}
	for id, seen := range epochs {
		if !strings.HasPrefix(fmt.Sprint(seen), "[1 2 3 4") {
			t.Errorf("%s told of epochs %v", id, seen)
		}
	}
	current := send(t, "GET", s.URL+"/api/fl/rounds/current", "")
	if current.body["status"] != "completed" || current.body["time_remaining"] != 0.0 || current.body["epsilon"] != nil || current.body["model_accuracy"] == nil {
		t.Errorf("%s", current.text)
	}
	history := send(t, "GET", s.URL+"/api/fl/rounds/history", "")
	if !strings.Contains(history.text, `"clients":"3/3"`) {
		t.Errorf("%s", history.text)
	}
	if privacy := send(t, "GET", s.URL+"/api/fl/privacy-metrics", ""); privacy.body["epsilon"] != nil || privacy.body["data_size"].(float64) < 9*100 {
		t.Errorf("%s", privacy.text)
	}
	if other := send(t, "PUT", fmt.Sprintf("%s/api/fl/rounds/%v/progress", s.URL, made.body["id"]), `{"round_number":1,"phase":"training","progress":50}`); other.status != http.StatusConflict {
		t.Errorf("another engine reports of our round: %d %s", other.status, other.text)
	}
	only := send(t, "POST", s.URL+"/api/fl/rounds/trigger", `{"facilities":["plant-1","plant-3"]}`)
	if only.status != http.StatusCreated {
		t.Errorf("%d %s", only.status, only.text)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the round of two does not end")
		}
		if r := send(t, "GET", fmt.Sprintf("%s/api/fl/rounds/%v", s.URL, only.body["id"]), ""); r.body["status"] != "in-progress" {
			if r.body["total_clients"] != 2.0 {
				t.Errorf("%s", r.text)
			}
			break
		}
	}
}

// TestForeignClient goes through a round as a client in another language does, from what the documentation says alone.
func TestForeignClient(t *testing.T) {
	t.Parallel()
	s := federation(t, func(c *fl.Coordinator) { c.Settings.MinClients = 1 })
	put := func(path, kind string, body []byte) answer {
		return ask(t, "PUT", s.URL+path, bytes.NewReader(body), "Content-Type", kind)
	}
	join := func() map[string]any {
		got := send(t, "POST", s.URL+"/api/fl/join", `{"id":"py-1","facility_id":"plant-9","examples":500}`)
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.text)
		}
		return got.body
	}
	until := func(do string) map[string]any {
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			if task := join(); task["do"] == do {
				return task
			}
		}
		t.Fatalf("nobody asks to %s", do)
		return nil
	}
	parameters := func(version any) []float32 {
		resp, err := http.Get(fmt.Sprintf("%s/api/fl/parameters/%v", s.URL, version))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/octet-stream" || string(body[:8]) != "BWPARAM\x01" {
			t.Fatalf("%d %v %.40q", resp.StatusCode, err, body)
		}
		var values []float32
		for at := 16; at < len(body); at += 4 {
			values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(body[at:])))
		}
		if int(binary.LittleEndian.Uint32(body[8:])) != len(values) || crc32.ChecksumIEEE(body[16:]) != binary.LittleEndian.Uint32(body[12:]) {
			t.Fatal("number or checksum are wrong")
		}
		return values
	}
	if task := join(); task["do"] != "wait" || task["published_version"] != 0.0 || task["ask_again_seconds"] != 10.0 {
		t.Errorf("%v", task)
	}
	id := send(t, "POST", s.URL+"/api/fl/rounds/trigger", "").body["id"]
	task := until("train")
	if training := task["training"].(map[string]any); task["round_id"] != id || training["epochs"] != 4.0 || training["clipping_norm"] != 0.0 {
		t.Errorf("%v", task)
	}
	params := parameters(task["base_version"])
	body := append([]byte("BWPARAM\x01"), make([]byte, 8)...)
	for range params {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(0.01))
	}
	binary.LittleEndian.PutUint32(body[8:], uint32(len(params)))
	binary.LittleEndian.PutUint32(body[12:], crc32.ChecksumIEEE(body[16:]))
	if got := send(t, "PUT", s.URL+"/api/fl/clients/py-1", `{"facility_id":"plant-9","status":"active","progress":50,"current_epoch":2,"total_epochs":4}`); got.status != 200 {
		t.Errorf("%d %s", got.status, got.text)
	}
	updates := fmt.Sprintf("/api/fl/rounds/%v/updates/py-1?examples=500", id)
	for _, wrong := range []struct {
		path   string
		body   []byte
		status int
	}{
		{updates, body[:40], 422}, {updates, []byte("no parameters"), 422}, {updates, nil, 400},
		{strings.Replace(updates, "examples=500", "examples=0", 1), body, 422}, {strings.Split(updates, "?")[0], body, 422},
		{strings.Replace(updates, "py-1", "py-2", 1), body, 404}, {"/api/fl/rounds/77/updates/py-1?examples=1", body, 404},
		{updates, make([]byte, fl.WireMax+1), 413},
	} {
		if got := put(wrong.path, "application/octet-stream", wrong.body); got.status != wrong.status || got.body["detail"] == nil {
			t.Errorf("%s with %d bytes: %d %s, want %d", wrong.path, len(wrong.body), got.status, got.text, wrong.status)
		}
	}
	for range 2 { // the second changes nothing
		if got := put(updates, "application/octet-stream", body); got.status != http.StatusNoContent && got.status != http.StatusConflict {
			t.Errorf("%d %s", got.status, got.text)
		}
	}
	task = until("evaluate")
	for i, v := range parameters(task["candidate_version"]) {
		if math.Abs(float64(v-params[i])-0.01) > 1e-6 {
			t.Fatalf("parameter %d went from %v to %v", i, params[i], v)
		}
	}
	evaluations := fmt.Sprintf("/api/fl/rounds/%v/evaluations/py-1", id)
	found := `{"held_out":100,"loss_before":1.5,"loss":1,"false_alarms_before":1,"false_alarms":2,"injected":100,"injected_found":60,"attacks":0,"attacks_found_before":0,"attacks_found":0}`
	if got := put(evaluations, "application/json", []byte(strings.Replace(found, `"false_alarms":2`, `"false_alarms":200`, 1))); got.status != 422 {
		t.Errorf("more false alarms than vectors: %d %s", got.status, got.text)
	}
	if got := put(evaluations, "application/json", []byte(found)); got.status != http.StatusNoContent {
		t.Errorf("%d %s", got.status, got.text)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		task = join()
		if task["published_version"] != 0.0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing is published")
		}
	}
	if task["published_round_id"] != id || task["shape"] == nil {
		t.Errorf("%v", task)
	}
	r := send(t, "GET", fmt.Sprintf("%s/api/fl/rounds/%v", s.URL, id), "")
	if r.body["model_accuracy"] != 0.79 || r.body["clients_active"] != 1.0 {
		t.Errorf("%s", r.text)
	}
	if got := ask(t, "GET", s.URL+"/api/fl/parameters/99", nil); got.status != 404 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// At most ten rounds wait; and a server without a federation says so.
func TestTriggerRefused(t *testing.T) {
	t.Parallel()
	s := federation(t, func(c *fl.Coordinator) { c.Settings.Deadline = time.Hour }) // nobody is there: the first waits for clients
	for range 30 {
		got := send(t, "POST", s.URL+"/api/fl/rounds/trigger", "")
		if got.status == http.StatusConflict {
			if !strings.Contains(got.body["detail"].(string), "10 rounds wait already") {
				t.Errorf("%s", got.text)
			}
			break
		}
		if got.status != http.StatusCreated {
			t.Fatalf("%d %s", got.status, got.text)
		}
	}
	list := send(t, "GET", s.URL+"/api/fl/rounds?limit=50", "")
	if n := list.body["total"].(float64); n != 10 && n != 11 {
		t.Errorf("%v rounds are there", n)
	}
	if got := send(t, "POST", s.URL+"/api/fl/rounds/trigger", `{"facilities":["No!"]}`); got.status != 422 {
		t.Errorf("%d %s", got.status, got.text)
	}
	none := serve(t, nil)
	for _, route := range []string{"POST /api/fl/rounds/trigger", "POST /api/fl/join", "GET /api/fl/parameters/1", "PUT /api/fl/rounds/1/updates/a?examples=1"} {
		method, path, _ := strings.Cut(route, " ")
		body := ""
		if path == "/api/fl/join" {
			body = `{"id":"a","facility_id":"a"}`
		} else if method == "PUT" {
			body = "x"
		}
		if got := send(t, method, none.URL+path, body); got.status != http.StatusConflict {
			t.Errorf("%s without a federation: %d %s", route, got.status, got.text)
		}
	}
}
