package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/redis/redistest"
	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// overRedis is a folder whose servers use a Redis and one database.
func overRedis(t *testing.T, redis *redistest.Server) (dir string) {
	t.Helper()
	dir = t.TempDir()
	database := "sqlite://breakwater.db"
	if storetest.OnPostgres() {
		database = storetest.URL(t)
	}
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("DATABASE_URL="+database+"\nREDIS_URL="+redis.URL()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// loader sends a facility's seconds to a server as a sensor does: each batch until it is taken, and then the next.
type loader struct {
	facility string
	url      func() string   // of the server that the next request goes to
	taken    []time.Duration // when each batch was taken, after the loader began
	refused  int
}

// secondOf is a batch of one second, with a port scan in each tenth.
func secondOf(facility string, n int) breakwater.Batch {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	b := breakwater.Batch{FacilityID: facility, Events: 1, Windows: []breakwater.Window{{FacilityID: facility, Time: at, PacketsPerSec: float64(100 + n)}}}
	if n%10 == 9 {
		b.Detections = []breakwater.Detection{{FacilityID: facility, Time: at, Layer: breakwater.LayerAnomaly, Model: "port-scan", Asset: fmt.Sprintf("10.0.0.%d", n%7+1), Severity: breakwater.High,
			Confidence: .9, Technique: "T0846", TechniqueName: "Remote System Discovery", Title: "Port scan", Evidence: "10.0.0.57 tried 20 ports in 4 s.", Count: 1}}
	}
	return b
}

// run sends until stop is closed. What was not taken for a reason other than that the server cannot now is an error.
func (l *loader) run(t *testing.T, stop <-chan struct{}) {
	began := time.Now()
	for n := 0; ; {
		select {
		case <-stop:
			return
		default:
		}
		line, err := json.Marshal(secondOf(l.facility, n))
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := http.Post(l.url()+"/api/ingest/batches?facility_id="+l.facility, "application/x-ndjson", bytes.NewReader(line))
		if err != nil {
			t.Error(err)
			return
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			l.taken = append(l.taken, time.Since(began))
			n++
			time.Sleep(10 * time.Millisecond)
		case http.StatusServiceUnavailable:
			l.refused++
			time.Sleep(100 * time.Millisecond)
		default:
			t.Errorf("%d %s", resp.StatusCode, text)
			return
		}
	}
}

// state is what a server says of the engines.
func state(t *testing.T, url string) (status, redis string, ready int) {
	t.Helper()
	health := fetch(t, url+"/health")
	resp, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return health["status"].(string), health["services"].(map[string]any)["redis"].(string), resp.StatusCode
}

// Redis is stopped for ten seconds and started again, empty, while batches of four facilities come in at two servers over
// one database. What was acknowledged is there, once, with the alerts and the minutes before them as without the fault;
// /health and /readyz told the truth meanwhile, a reader of the last minute was told why, and within ten seconds all went on.
func TestRedisStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	dir := overRedis(t, redis)
	_, one := serve(t, dir)
	urls := []string{one}
	if storetest.OnPostgres() {
		_, two := serve(t, dir)
		urls = append(urls, two)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	loaders := make([]*loader, 4)
	for i := range loaders {
		sent := 0
		loaders[i] = &loader{facility: fmt.Sprintf("plant-%d", i+1), url: func() string { sent++; return urls[sent%len(urls)] }}
		all.Go(func() { loaders[i].run(t, stop) })
	}
	began := time.Now()
	time.Sleep(3 * time.Second)
	for _, url := range urls {
		if status, redis, ready := state(t, url); status != "healthy" || redis != "connected" || ready != 200 {
			t.Errorf("before: %s, redis %s, readyz %d", status, redis, ready)
		}
	}
	redis.Stop()
	left := time.Since(began)
	time.Sleep(500 * time.Millisecond)
	for time.Since(began) < left+10*time.Second {
		for _, url := range urls {
			if status, redis, ready := state(t, url); status != "degraded" || redis != "unreachable" || ready != 200 {
				t.Errorf("meanwhile: %s, redis %s, readyz %d", status, redis, ready)
			}
			resp, err := http.Get(url + "/api/context/plant-1/current")
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(text, []byte("Redis at "+redis.Address)) {
				t.Errorf("the last minute: %d %s", resp.StatusCode, text)
			}
			if a := fetch(t, url+"/api/alerts"); a["alerts"] == nil { // what the store has is there
				t.Errorf("alerts: %v", a)
			}
			fetch(t, url+"/api/system/status")
		}
		time.Sleep(300 * time.Millisecond)
	}
	redis.Start()
	back := time.Since(began)
	time.Sleep(5 * time.Second)
	close(stop)
	all.Wait()
	for _, url := range urls {
		if status, redis, ready := state(t, url); status != "healthy" || redis != "connected" || ready != 200 {
			t.Errorf("afterwards: %s, redis %s, readyz %d", status, redis, ready)
		}
	}

	calm := t.TempDir()
	_, undisturbed := serve(t, calm)
	for _, l := range loaders {
		recovered := l.taken[slices.IndexFunc(l.taken, func(at time.Duration) bool { return at > back })] - back
		t.Logf("%s: %d batches taken, %d refusals, the first taken %v after Redis was back", l.facility, len(l.taken), l.refused, recovered.Round(time.Millisecond))
		if l.refused == 0 || recovered > 10*time.Second {
			t.Errorf("%s: %d refusals, recovered after %v", l.facility, l.refused, recovered)
		}
		if late := slices.ContainsFunc(l.taken, func(at time.Duration) bool { return at > left+time.Second && at < back }); late {
			t.Errorf("%s: a batch was taken while Redis was away", l.facility)
		}
		for n := range l.taken {
			line, _ := json.Marshal(secondOf(l.facility, n))
			resp, err := http.Post(undisturbed+"/api/ingest/batches?facility_id="+l.facility, "application/x-ndjson", bytes.NewReader(line))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		got, want := story(t, one, l.facility), story(t, undisturbed, l.facility)
		if len(want) == 0 {
			t.Fatal("the load raised no alert")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-undisturbed +disturbed):\n%s", l.facility, diff)
		}
	}
}

// story is what a server knows of a facility that does not depend on the time of asking: its alerts with their counts and
// the minutes before them, and its last minute.
func story(t *testing.T, url, facility string) []any {
	t.Helper()
	var all []any
	for _, a := range fetch(t, url+"/api/alerts?limit=200&facility="+facility)["alerts"].([]any) {
		a := a.(map[string]any)
		delete(a, "relative_time")
		delete(a, "version")
		all = append(all, a, fetch(t, url+"/api/context/"+a["id"].(string)+"/evidence"))
	}
	return append(all, fetch(t, url+"/api/context/"+facility+"/current"))
}

// An alert that comes in at one server appears at once to who listens at the other.
func TestRedisTwoServers(t *testing.T) {
	t.Parallel()
	dir := overRedis(t, redistest.Start(t))
	_, one := serve(t, dir)
	_, two := serve(t, dir)
	messages := follow(t, two, "alerts")
	line, _ := json.Marshal(secondOf("north", 9))
	resp, err := http.Post(one+"/api/ingest/batches?facility_id=north", "application/x-ndjson", bytes.NewReader(line))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, a := next[breakwater.Alert](t, messages, "alert_created"); a.FacilityID != "north" {
		t.Errorf("got an alert of %s", a.FacilityID)
	}
	if got := fetch(t, two+"/api/context/north/current")["timeline"].([]any); len(got) != 1 {
		t.Errorf("the other server knows %d seconds", len(got))
	}
}

// A server that is given a Redis which is not there does not start, and says which.
func TestRedisNotThere(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redis.Stop()
	var out bytes.Buffer
	cmd := program(t, overRedis(t, redis), "serve")
	cmd.Stderr = &out
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); !exited || !bytes.Contains(out.Bytes(), []byte("Redis at "+redis.Address)) {
		t.Errorf("%v: %s", err, out.String())
	}
}
