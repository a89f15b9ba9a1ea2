package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// freePort is a port that nothing listens on at present.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// fetch asks a server for a JSON object.
func fetch(t *testing.T, url string) (object map[string]any) {
	t.Helper()
	getJSON(t, url, &object)
	return object
}

// getJSON asks a server for JSON of any kind.
func getJSON(t *testing.T, url string, out any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, out); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", url, resp.StatusCode, text)
	}
}

// attacked records the plant under attack.
func attacked(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "plant.pcap")
	must(t, program(t, dir, "plant", "record", "--out", path, "--duration", "360s",
		"--attack", "port-scan@310s", "--attack", "unauthorised-write@325s", "--attack", "function-scan@340s"))
	return path
}

// TestSensorSendsWhatReplayFinds: the same capture gives the same alerts whichever way it comes, and an inventory.
func TestSensorSendsWhatReplayFinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant := attacked(t, dir)
	_, replayed := serve(t, t.TempDir())
	must(t, program(t, dir, "replay", plant, "--learn", "300s", "--server", replayed))
	_, sensed := serve(t, t.TempDir())
	sensor := func() *exec.Cmd {
		return program(t, dir, "sensor", "--pcap", plant, "--learn", "300s", "--server", sensed)
	}
	must(t, sensor())
	want := alerts(t, replayed)
	if diff := cmp.Diff(want, alerts(t, sensed)); diff != "" || len(want) == 0 {
		t.Errorf("%d alerts (-replay +sensor):\n%s", len(want), diff)
	}
	assets := fetch(t, sensed+"/api/facilities/default/assets")
	if diff := cmp.Diff(fetch(t, replayed+"/api/facilities/default/assets"), assets); diff != "" {
		t.Errorf("assets (-replay +sensor):\n%s", diff)
	}
	roles := map[string]any{}
	for _, a := range assets["assets"].([]any) {
		a := a.(map[string]any)
		roles[a["ip"].(string)] = a["role"]
	}
	if roles["10.0.0.11"] != "controller" || roles["10.0.0.2"] != "master" || roles["10.0.0.3"] != "engineering-workstation" || roles["10.0.0.5"] != "master" {
		t.Errorf("roles are %v", roles)
	}

	must(t, sensor()) // a second time, with what was learned
	if diff := cmp.Diff(want, alerts(t, sensed)); diff != "" {
		t.Errorf("a second run changed the alerts (-once +twice):\n%s", diff)
	}
	facility := fetch(t, sensed+"/api/facilities")["facilities"].([]any)[0].(map[string]any)
	known := facility["sensor"].(map[string]any)
	if known["lost_windows"] != 0.0 || known["lost_detections"] != 0.0 || known["spooled_bytes"] != 0.0 || known["source"] != plant {
		t.Errorf("the sensor is told of as %v", known)
	}
}

// TestSensorThroughTrouble kills server and sensor with -9 at random over a whole capture, the server away at its
// beginning: in the end there are the alerts, counts and assets of an undisturbed run.
func TestSensorThroughTrouble(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant := attacked(t, dir)
	_, url := serve(t, t.TempDir())
	must(t, program(t, dir, "sensor", "--pcap", plant, "--learn", "300s", "--server", url, "--spool", filepath.Join(dir, "calm")))
	want, wantAssets := alerts(t, url), fetch(t, url+"/api/facilities/default/assets")
	if len(want) == 0 {
		t.Fatal("the attacks raised no alert")
	}

	port, rough := freePort(t), t.TempDir()
	url = "http://127.0.0.1:" + port
	start := func(out *bytes.Buffer, args ...string) *exec.Cmd {
		dir := rough
		if args[0] == "sensor" {
			dir = filepath.Dir(plant)
		}
		cmd := program(t, dir, args...)
		cmd.Env = append(cmd.Env, "API_PORT="+port)
		cmd.Stderr = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd
	}
	kill := func(cmd *exec.Cmd) {
		cmd.Process.Kill()
		cmd.Wait()
	}
	var said bytes.Buffer
	sensor := func() *exec.Cmd {
		said.Reset()
		return start(&said, "sensor", "--pcap", plant, "--learn", "300s", "--speed", "120x", "--server", url, "--spool", filepath.Join(dir, "rough"))
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	a, b := sensor(), start(&bytes.Buffer{}, "serve")
	for i := range 8 { // where exactly they die does not matter: any place must do
		time.Sleep(time.Duration(100+random.IntN(900)) * time.Millisecond)
		if i%3 == 2 {
			kill(a)
			a = sensor()
		} else {
			kill(b)
			time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
			b = start(&bytes.Buffer{}, "serve")
		}
	}
	if err := a.Wait(); err != nil {
		t.Fatalf("the sensor ended with %v: %s", err, said.String())
	}
	if diff := cmp.Diff(want, alerts(t, url)); diff != "" {
		t.Errorf("alerts (-undisturbed +disturbed):\n%s", diff)
	}
	if diff := cmp.Diff(wantAssets, fetch(t, url+"/api/facilities/default/assets")); diff != "" {
		t.Errorf("assets (-undisturbed +disturbed):\n%s", diff)
	}
}

// TestSensorMistakes: what is wrong with a command line is said in one line.
func TestSensorMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{}, exitUsage, "--iface IFACE or --pcap PATH"},
		{[]string{"--pcap", "x", "--facility", "No!"}, exitUsage, "not allowed"},
		{[]string{"--pcap", "x", "--spool-mib", "0"}, exitUsage, "--spool-mib=0"},
		{[]string{"--pcap", "x", "--learn=-1s"}, exitUsage, "--learn=-1s"},
		{[]string{"--pcap", "missing.pcap"}, exitUnavailable, "missing.pcap"},
		{[]string{"--pcap", "x", "--server", "nowhere"}, exitUsage, "nowhere"},
	} {
		cmd := program(t, dir, append([]string{"sensor"}, c.args...)...)
		out, err := cmd.CombinedOutput()
		exit, _ := err.(*exec.ExitError)
		if exit == nil || exit.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%v: %v %s, want exit code %d and %q", c.args, err, out, c.code, c.says)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "breakwater-spool")); err == nil {
		t.Error("a mistake left a spool behind")
	}
}
