package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store"
)

// TestAcknowledgedIsKept kills the server with -9 while network data comes in, again and again: every row of a request
// that was answered is there afterwards.
func TestAcknowledgedIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const perRequest = 500
	requests := 120
	if underRace { // each start takes seconds
		requests = 30
	}
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	body := func(n int) []byte {
		var b bytes.Buffer
		out := json.NewEncoder(&b)
		for i := range perRequest {
			w := breakwater.Window{FacilityID: "north", Time: begin.Add(time.Duration(n*perRequest+i) * time.Second), PacketsPerSec: float64(n)}
			if err := out.Encode(w); err != nil {
				t.Fatal(err)
			}
		}
		return b.Bytes()
	}
	acknowledged := map[int]bool{}
	next, kills := 0, 0
	for next < requests {
		cmd, url := serve(t, dir)
		stop := time.AfterFunc(time.Duration(60+37*kills%150)*time.Millisecond, func() { cmd.Process.Kill() })
		for next < requests {
			resp, err := http.Post(url+"/api/ingest/network-data", "application/x-ndjson", bytes.NewReader(body(next)))
			if err != nil { // killed: whether this one was taken is not known
				next++
				break
			}
			var taken struct{ Accepted int }
			err = json.NewDecoder(resp.Body).Decode(&taken)
			resp.Body.Close()
			if err == nil && resp.StatusCode == 200 && taken.Accepted == perRequest {
				acknowledged[next] = true
			}
			next++
		}
		stop.Stop()
		cmd.Process.Kill()
		cmd.Wait()
		kills++
	}
	t.Logf("%d requests of %d were answered over %d kills", len(acknowledged), requests, kills)
	if len(acknowledged) < requests/10 || kills < 2 {
		t.Skip("the machine is too slow or too quick for the kills to lie between the requests")
	}

	url := "sqlite://" + filepath.Join(dir, "breakwater.db")
	if env, err := os.ReadFile(filepath.Join(dir, ".env")); err == nil {
		url = strings.TrimSpace(strings.TrimPrefix(string(env), "DATABASE_URL="))
	}
	db, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for n := range acknowledged {
		from := begin.Add(time.Duration(n*perRequest) * time.Second)
		windows, err := db.Windows(t.Context(), "north", from, from.Add(perRequest*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if len(windows) != perRequest || windows[0].PacketsPerSec != float64(n) {
			t.Errorf("of request %d, which was answered, %s of %d rows are there", n, fmt.Sprint(len(windows)), perRequest)
		}
	}
}
