package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakwater/internal/ml"
	"breakwater/internal/store/storetest"
)

// post asks a server to do something and gives its answer.
func post(t *testing.T, url, body string, want int) map[string]any {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil || resp.StatusCode != want {
		t.Fatalf("%s: %d %s", url, resp.StatusCode, text)
	}
	return object
}

// trained waits until a round has ended.
func trained(t *testing.T, url string, id any) map[string]any {
	t.Helper()
	for until := time.Now().Add(60 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if r := fetch(t, fmt.Sprintf("%s/api/fl/rounds/%v", url, id)); r["status"] != "in-progress" {
			return r
		}
	}
	t.Fatal("the round does not end")
	return nil
}

// TestSensorsTrain: sensors at two facilities train with a server over HTTP, on what they saw themselves, each makes its own
// model of what is published, and a third that came later does too.
func TestSensorsTrain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, url := serve(t, t.TempDir())
	sensor := func(name string, seed int) {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		must(t, program(t, dir, "plant", "record", "--out", filepath.Join(folder, "1.pcap"), "--duration", "400s", "--seed", fmt.Sprint(seed)))
		cmd := program(t, dir, "sensor", "--pcap", folder, "--facility", name, "--learn", "300s", "--server", url, "--spool", filepath.Join(dir, "spool-"+name))
		cmd.Stderr = new(bytes.Buffer)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	}
	model := func(name string) *ml.Model {
		path := filepath.Join(dir, "spool-"+name, sharedModel)
		for until := time.Now().Add(60 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
			if file, err := os.ReadFile(path); err == nil {
				m, err := ml.Decode(file)
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
		}
		t.Fatalf("%s has no model of the shared parameters", name)
		return nil
	}
	sensor("north", 1)
	sensor("south", 2)
	remote := func(r map[string]any) bool {
		said := fetch(t, url+"/api/fl/privacy-metrics")["encryption"]
		return said != nil && strings.HasPrefix(said.(string), "as the connections")
	}
	// The facilities' windows are in the store too: until the sensors ask, the server trains for them.
	var round map[string]any
	for until := time.Now().Add(90 * time.Second); round == nil || !remote(round); {
		if time.Now().After(until) {
			t.Fatal("no sensor took part")
		}
		round = trained(t, url, post(t, url+"/api/fl/rounds/trigger", "", http.StatusCreated)["id"])
	}
	if round["status"] != "completed" || round["clients_active"] != 2.0 || round["total_clients"] != 2.0 || round["epsilon"] != nil || round["model_accuracy"].(float64) < 0.5 {
		t.Errorf("%v", round)
	}
	for _, c := range round["clients"].([]any) {
		c := c.(map[string]any)
		if c["current_epoch"] != 5.0 || c["total_epochs"] != 5.0 || c["accuracy"] == nil || c["loss"] == nil {
			t.Errorf("client %v", c)
		}
	}
	north, south := model("north"), model("south")
	if north.Scaler.Middle[0] == south.Scaler.Middle[0] || north.Threshold == south.Threshold {
		t.Error("two facilities have one scaler, or one threshold")
	}
	sensor("east", 3)
	if m := model("east"); m.Dimensions() != 48 {
		t.Errorf("%d dimensions", m.Dimensions())
	}
}

// TestKillRound kills the server with -9 all through a round, again and again: it ends all the same, once.
func TestKillRound(t *testing.T) {
	t.Parallel()
	dir, data := t.TempDir(), t.TempDir()
	settings := "FL_EPOCHS=30\n" // most of a second of training
	if storetest.OnPostgres() {
		settings += "DATABASE_URL=" + storetest.URL(t) + "\n"
	}
	if err := os.WriteFile(filepath.Join(data, ".env"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, url := serve(t, data)
	for i, name := range []string{"a", "b", "c"} {
		path := filepath.Join(dir, name+".pcap")
		must(t, program(t, dir, "plant", "record", "--out", path, "--duration", "400s", "--seed", fmt.Sprint(i+1)))
		must(t, program(t, dir, "replay", path, "--facility", name, "--learn", "400s", "--server", url))
	}
	id := post(t, url+"/api/fl/rounds/trigger", "", http.StatusCreated)["id"]
	for i := range 8 {
		time.Sleep(time.Duration(10+60*i) * time.Millisecond) // where exactly it dies does not matter: any place must do
		r := fetch(t, fmt.Sprintf("%s/api/fl/rounds/%v", url, id))
		t.Logf("kill %d at %v, %v %%", i+1, r["phase"], r["progress"])
		cmd.Process.Kill()
		cmd.Wait()
		cmd, url = serve(t, data)
	}
	r := trained(t, url, id)
	if r["status"] != "completed" || r["clients_active"] != 3.0 || r["progress"] != 100.0 {
		t.Errorf("%v", r)
	}
	models := fetch(t, url+"/api/models?active=true&limit=50")
	shared := 0
	for _, m := range models["models"].([]any) {
		if m := m.(map[string]any); m["source"] == "federation" && m["round_id"] == id {
			shared++
		}
	}
	if shared != 3 || models["total"] != 3.0 {
		t.Errorf("%d facilities detect with the round's model: %v", shared, models)
	}
	rounds := fetch(t, url+"/api/fl/rounds")
	if rounds["total"] != 1.0 {
		t.Errorf("%v", rounds)
	}
}

// TestPythonClient lets the documentation's client, which is 60 lines long, take part, where there is a Python with numpy.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	const script = "../../docs/federation_client.py"
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) != "" {
			lines++
		}
	}
	if lines > 60 {
		t.Errorf("%s is %d lines long", script, lines)
	}
	python := os.Getenv("BREAKWATER_TEST_PYTHON")
	if python == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("no folder to look for Python in: %s", err)
		}
		python = filepath.Join(cache, "breakwater", "python-peers", "bin", "python")
	}
	if out, err := exec.Command(python, "-c", "import numpy").CombinedOutput(); err != nil {
		t.Skipf("no Python with numpy (scripts/need-python-peers installs one): %s %s", err, out)
	}
	dir := t.TempDir()
	_, url := serve(t, t.TempDir())
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"one", "two"} {
		var rows strings.Builder
		for i := range 400 {
			busy := 40 + 5*math.Sin(float64(i)/9) + random.NormFloat64()
			fmt.Fprintf(&rows, "%v,%v,%d,%d,%v,0,%v,%v\n", busy, 90*busy, 4, 4, 0.5+0.01*random.NormFloat64(), 90+random.NormFloat64(), 1000/busy)
		}
		path := filepath.Join(dir, name+".csv")
		if err := os.WriteFile(path, []byte(rows.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		client := exec.Command(python, script, url, name, path)
		client.Stderr = &said
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			client.Process.Kill()
			if client.Wait(); said.Len() > 0 {
				t.Log(said.String())
			}
		})
	}
	first := trained(t, url, post(t, url+"/api/fl/rounds/trigger", "", http.StatusCreated)["id"])
	second := trained(t, url, post(t, url+"/api/fl/rounds/trigger", "", http.StatusCreated)["id"])
	for _, r := range []map[string]any{first, second} {
		if r["status"] != "completed" || r["clients_active"] != 2.0 || r["model_accuracy"].(float64) < 0.4 {
			t.Errorf("%v", r)
		}
	}
}
