//go:build unix

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/neo4j/neo4jtest"

	"github.com/google/go-cmp/cmp"
)

// Neo4j is stopped for ten seconds while alerts come in, and started again: alerts go on, none slower for it; /health says
// so meanwhile; the graph's route shows what is new all the time; and soon after Neo4j is back it has everything. How soon
// hangs on how fast it starts beside what else the machine does: docs/performance.md has figures.
func TestNeo4jGoesAway(t *testing.T) {
	at := neo4jtest.Take(t)
	a := start(t, func(c *Config) { c.Neo4jURI, c.Neo4jUser, c.Neo4jPass = at.URI, at.User, at.Password })
	health := func() (string, string) {
		t.Helper()
		var h struct {
			Status   string
			Services map[string]string
		}
		get(t, a.URL()+"/health", &h)
		return h.Status, h.Services["neo4j"]
	}
	until := func(what string, limit time.Duration, is func() bool) time.Duration {
		t.Helper()
		began := time.Now()
		for !is() {
			if time.Since(began) > limit {
				t.Fatalf("%v later not yet: %s", limit, what)
			}
			time.Sleep(50 * time.Millisecond)
		}
		return time.Since(began)
	}
	// same reports whether Neo4j itself has what the database has.
	same := func(report func(...any)) bool {
		t.Helper()
		seen, err := a.store.TechniquesSeen(t.Context(), attack.Sightings{})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, x := range seen {
			want = append(want, fmt.Sprint(x.FacilityID, " ", x.Technique, " ", x.Alerts, " ", x.First.UnixNano(), " ", x.Last.UnixNano()))
		}
		awaited, err := a.store.Transitions(t.Context(), nil, time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range awaited {
			want = append(want, fmt.Sprint(x.From, " ", x.To, " ", x.Predictions, " ", x.Observed))
		}
		var got []string
		for _, r := range at.Ask(t, `MATCH (f:Facility)-[:RAISED]->(a:Alert)-[s:SHOWED]->(t) WHERE a.status <> 'false-positive'
			WITH f, t, count(*) AS n, min(s.first_seen) AS first, max(s.last_seen) AS last
			RETURN f.id, t.id, n, first, last ORDER BY f.id, first, t.id`, nil) {
			got = append(got, fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[3].(time.Time).UnixNano(), " ", r[4].(time.Time).UnixNano()))
		}
		for _, r := range at.Ask(t, `MATCH (p:Prediction)-[:AFTER]->(c), (p)-[x:PREDICTED]->(t) WHERE p.status = 'open' OR p.status = 'validated' AND x.observed_at IS NOT NULL
			RETURN c.id, t.id, count(*), x.observed_at IS NOT NULL AS seen ORDER BY c.id, t.id, seen`, nil) {
			got = append(got, fmt.Sprint(r[0], " ", r[1], " ", r[2], " ", r[3]))
		}
		diff := cmp.Diff(want, got)
		if diff != "" && report != nil {
			report("(-database +Neo4j)", diff)
		}
		return diff == ""
	}
	until("connected", time.Minute, func() bool { _, neo4j := health(); return neo4j == "connected" })

	// A detection each 20 ms, over HTTP, each of another asset: an alert each.
	stop, slowest, sent := make(chan bool), time.Duration(0), 0
	var load sync.WaitGroup
	techniques := []string{"T0846", "T0855", "T0831", "T0836", "T0858"}
	load.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			d := breakwater.Detection{FacilityID: fmt.Sprint("plant-", sent%3), Asset: fmt.Sprint("asset-", sent), Time: wall.Add(time.Duration(sent) * time.Second), Layer: breakwater.LayerAnomaly, Model: "rule",
				Severity: breakwater.High, Confidence: .8, Technique: techniques[sent%len(techniques)], Title: "Something", Evidence: "Something was seen.", Count: 1}
			body, _ := json.Marshal([]breakwater.Detection{d})
			began := time.Now()
			resp, err := http.Post(a.URL()+"/api/ingest/detections?facility_id="+d.FacilityID, "application/json", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("detection %d: %s", sent, resp.Status)
				return
			}
			sent++
			slowest = max(slowest, time.Since(began))
		}
	})
	time.Sleep(3 * time.Second)
	at.Stop(t)
	took := until("unreachable", 10*time.Second, func() bool {
		status, neo4j := health()
		return status == "degraded" && neo4j == "unreachable"
	})
	t.Logf("%v after the stop /health says so", took)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		if status, neo4j := health(); status != "degraded" || neo4j != "unreachable" {
			t.Errorf("while Neo4j is away /health says %s, %s", status, neo4j)
		}
		var graph struct {
			Nodes []struct {
				Type   string
				Alerts int
			}
		}
		before, err := a.store.TechniquesSeen(t.Context(), attack.Sightings{})
		if err != nil {
			t.Fatal(err)
		}
		get(t, a.URL()+"/api/mitre/graph?span=all", &graph)
		want, got := 0, 0
		for _, x := range before {
			want += x.Alerts
		}
		for _, n := range graph.Nodes {
			got += n.Alerts
		}
		if got < want {
			t.Errorf("the graph shows %d alerts, there were %d before it was asked for", got, want)
		}
	}
	at.Start(t)
	back := time.Now()
	until("connected again", time.Minute, func() bool { _, neo4j := health(); return neo4j == "connected" })
	close(stop)
	load.Wait()
	until("Neo4j has everything", time.Minute, func() bool {
		_, behind, err := a.store.GraphCopy(t.Context())
		return err == nil && !behind
	})
	t.Logf("%v after its port was open Neo4j has everything of %d alerts; the slowest request took %v", time.Since(back), sent, slowest)
	if !same(t.Error) {
		t.Error("the graph in Neo4j is not the database's")
	}
	if slowest > 5*time.Second {
		t.Errorf("a request took %v", slowest)
	}
}

// A command, or a node that does not lead, may know of no Neo4j: what the copy follows is forgotten by the leading node alone.
func TestForgetGraph(t *testing.T) {
	t.Parallel()
	c := defaults()
	c.APIPort, c.DatabaseURL, c.LogLevel = "0", "sqlite://"+t.TempDir()+"/breakwater.db", "error"
	opened := func() *App {
		t.Helper()
		a, err := Open(t.Context(), c, "1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		return a
	}
	if err := opened().store.FollowGraph(t.Context(), "copy"); err != nil {
		t.Fatal(err)
	}
	a := opened()
	follows := func() string {
		t.Helper()
		graph, _, err := a.store.GraphCopy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return graph
	}
	if got := follows(); got != "copy" {
		t.Fatalf("%q follows while nobody leads, want the copy", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	for began := time.Now(); follows() != ""; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the leading node has not forgotten the copy")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// get asks for JSON.
func get(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
