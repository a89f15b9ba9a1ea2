package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"breakwater/internal/store/storetest"
)

// A server that listens to all machines serves who shows its token, and commands show it.
func TestServerWithToken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	dir := t.TempDir()
	settings := "API_HOST=0.0.0.0\nAPI_TOKEN=" + token + "\n"
	if storetest.OnPostgres() {
		settings += "DATABASE_URL=" + storetest.URL(t) + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := serve(t, dir)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	url = "http://127.0.0.1:" + port
	plant := filepath.Join(dir, "plant.pcap")
	must(t, program(t, t.TempDir(), "plant", "record", "--out", plant, "--duration", "30s"))
	replay := func(more ...string) (int, string) {
		cmd := program(t, t.TempDir(), append([]string{"replay", plant, "--server", url}, more...)...)
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	for _, more := range [][]string{nil, {"--token", token[1:]}} {
		if code, out := replay(more...); code != exitUnavailable || !strings.Contains(out, "BREAKWATER_TOKEN") || strings.Contains(out, token[1:]) {
			t.Errorf("with %d arguments more: exit code %d, %s", len(more), code, out)
		}
	}
	if code, out := replay("--token", token); code != exitOK || !strings.Contains(out, "facility default has") {
		t.Errorf("with the token: exit code %d, %s", code, out)
	}
	for path, status := range map[string]int{"/livez": 200, "/readyz": 200, "/api/alerts": 401, "/health": 401} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, status)
		}
	}
}
