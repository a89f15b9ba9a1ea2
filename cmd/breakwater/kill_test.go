package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// program starts this test binary as the program itself (see TestMain) in its own folder. While the tests run on
// PostgreSQL, the folder's .env names a database there.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "breakwater") // testscript finds the command by the name it is called by
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".env")); storetest.OnPostgres() && os.IsNotExist(err) {
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("DATABASE_URL="+storetest.URL(t)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(link, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "API_PORT=0", "LOG_LEVEL=error")
	return cmd
}

// serve starts a server on the database in dir and gives its address.
func serve(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	return serving(t, program(t, dir, "serve"))
}

// serving starts a server and gives its address.
func serving(t *testing.T, cmd *exec.Cmd) (*exec.Cmd, string) {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not say where it is: %v", err)
	}
	return cmd, strings.Fields(line)[3]
}

// alerts asks a server for what does not depend on the time of asking.
func alerts(t *testing.T, url string) []map[string]any {
	t.Helper()
	resp, err := http.Get(url + "/api/alerts?limit=200")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Alerts []map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, a := range list.Alerts {
		delete(a, "relative_time")
		delete(a, "version") // grows with each saved change, and a disturbed run saved others
	}
	return list.Alerts
}

func must(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args[1:], err, out)
	}
}

// TestKill kills the server with -9 in the middle of a replay, several times, and replays again: the alerts and
// their counts are those of an undisturbed run.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant := filepath.Join(dir, "plant.pcap")
	must(t, program(t, dir, "plant", "record", "--out", plant, "--duration", "360s",
		"--attack", "port-scan@310s", "--attack", "unauthorised-write@325s", "--attack", "function-scan@340s"))
	replay := func(url string, more ...string) *exec.Cmd {
		return program(t, dir, append([]string{"replay", plant, "--learn", "300s", "--server", url}, more...)...)
	}

	calm := t.TempDir()
	_, url := serve(t, calm)
	must(t, replay(url))
	want := alerts(t, url)
	if len(want) == 0 {
		t.Fatal("the attacks raised no alert")
	}
	must(t, replay(url))
	if diff := cmp.Diff(want, alerts(t, url)); diff != "" {
		t.Fatalf("a second replay changed the alerts (-once +twice):\n%s", diff)
	}

	rough := t.TempDir()
	for i, after := range []time.Duration{600, 1000, 1300} { // ms into a replay of about 1.2 s
		cmd, url := serve(t, rough)
		r := replay(url, "--speed", "300x")
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after * time.Millisecond) // where exactly it dies does not matter: any place must do
		cmd.Process.Kill()
		cmd.Wait()
		r.Wait()
		t.Logf("kill %d after %d ms", i, after)
	}
	_, url = serve(t, rough)
	must(t, replay(url))
	if diff := cmp.Diff(want, alerts(t, url)); diff != "" {
		t.Errorf("after kill -9 (-undisturbed +disturbed):\n%s", diff)
	}
}
