//go:build unix

package neo4j

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/attack/graphtest"
	"breakwater/internal/neo4j/neo4jtest"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
	"github.com/neo4j/neo4j-go-driver/v6/neo4j"
)

func newStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), storetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func leads() bool { return true }

func newGraph(t testing.TB, at *neo4jtest.Server, s *store.Store) *Graph {
	t.Helper()
	g, err := Open(at.URI, at.User, at.Password, s, attack.Builtin, leads, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// follow lets the copy follow once, however soon after the last time.
func follow(t testing.TB, g *Graph) {
	t.Helper()
	g.told = time.Time{}
	if err := g.follow(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// ours reports whether Neo4j has the copy that the store lets follow.
func ours(t testing.TB, g *Graph) bool {
	t.Helper()
	follows, _, err := g.store.GraphCopy(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return follows != "" && g.has.Load() == follows
}

func TestGraph(t *testing.T) {
	at := neo4jtest.Take(t)
	graphtest.Run(t, func(t *testing.T) (*store.Store, attack.Graph, func()) {
		s := newStore(t)
		g := newGraph(t, at, s)
		return s, g.server, func() {
			follow(t, g)
			if _, behind, err := s.GraphCopy(t.Context()); behind || err != nil || !ours(t, g) {
				t.Fatalf("the copy is behind: %t, %v; it is this store's: %t", behind, err, ours(t, g))
			}
		}
	})
}

// What is older than what is there changes nothing, and the same twice is the same as once.
func TestOlderVersion(t *testing.T) {
	at := neo4jtest.Take(t)
	g := newGraph(t, at, newStore(t))
	if err := g.server.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	moment := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	changes := func(version int, status breakwater.Status, techniques ...string) attack.Changes {
		a := attack.ShowingAlert{Alert: breakwater.Alert{ID: breakwater.NewID(moment, "a"), FacilityID: "plant", Timestamp: moment, LastSeen: moment, Status: status, Version: version}}
		p := breakwater.Prediction{ID: breakwater.NewID(moment, "p"), FacilityID: "plant", Timestamp: moment, ExpiresAt: moment, Current: techniques[0], Status: breakwater.PredictionOpen, Version: version}
		for i, id := range techniques {
			a.Shown = append(a.Shown, attack.Showing{Technique: id, First: moment, Last: moment.Add(time.Duration(version))})
			p.Predicted = append(p.Predicted, breakwater.PredictedTechnique{TechniqueID: id, Rank: i + 1, Probability: float64(version) / 10})
		}
		return attack.Changes{Alerts: []attack.ShowingAlert{a}, Predictions: []breakwater.Prediction{p}}
	}
	for _, step := range []struct {
		name string
		attack.Changes
		want string
	}{
		{"first", changes(2, "new", "T0001", "T0002"), "2 new T0001 T0002"},
		{"again", changes(2, "new", "T0001", "T0002"), "2 new T0001 T0002"},
		{"newer, with less", changes(4, "resolved", "T0002"), "4 resolved T0002"},
		{"older", changes(3, "acknowledged", "T0001", "T0003"), "4 resolved T0002"},
	} {
		if err := g.server.bring(t.Context(), step.Changes); err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{
			`MATCH (:Facility)-[:RAISED]->(a:Alert)-[s:SHOWED]->(t) WITH a, t ORDER BY t.id RETURN a.version, a.status, collect(t.id)`,
			`MATCH (a:Alert), (:Facility)-[:EXPECTS]->(p:Prediction)-[x:PREDICTED]->(t), (p)-[:AFTER]->(c)
			 WITH a, p, c, t ORDER BY t.id WITH a, p, c, collect(t.id) AS ids WHERE ids[0] = c.id RETURN p.version, a.status, ids`,
		} {
			rows := at.Ask(t, query, nil)
			if got := strings.NewReplacer("[", "", "]", "").Replace(fmt.Sprint(rows)); got != step.want {
				t.Errorf("%s: %s, want %s", step.name, got, step.want)
			}
		}
	}
}

// ATT&CK in Neo4j is the catalogue; another one takes its place wholly, but for what alerts name.
func TestImport(t *testing.T) {
	at := neo4jtest.Take(t)
	s := newStore(t)
	g := newGraph(t, at, s)
	graphtest.Show(t, s, "plant", "a", "T0855", 0)
	graphtest.Show(t, s, "plant", "b", "T9999", 0)
	follow(t, g)
	all := attack.Builtin()
	count := func(query string) int64 { t.Helper(); return at.Ask(t, query, nil)[0][0].(int64) }
	for range 2 { // the second time changes nothing
		for kind, label := range labels {
			var want []string
			for _, o := range all.All() {
				if o.Kind == kind {
					want = append(want, o.ID)
					if kind == attack.Technique {
						want = append(want, o.OtherIDs...)
					}
				}
			}
			slices.Sort(want)
			var got []string
			for _, row := range at.Ask(t, `MATCH (o:Attack:`+label+`) WHERE o.name <> '' RETURN o.id ORDER BY o.id`, nil) {
				got = append(got, row[0].(string))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-catalogue +Neo4j):\n%s", kind, diff)
			}
		}
		if n := count(`MATCH (:Attack)-[r:USES|MITIGATES|TARGETS|DETECTS|NEEDS|ATTRIBUTED_TO]->(:Attack) RETURN count(r)`); n != int64(len(all.Relations())) {
			t.Errorf("%d relations, the catalogue has %d", n, len(all.Relations()))
		}
		for _, r := range all.Relations()[:50] {
			if n := count(fmt.Sprintf(`MATCH (:Attack {id: '%s'})-[r:%s]->(:Attack {id: '%s'}) RETURN count(r)`, r.From, relations[r.Type], r.To)); n != 1 {
				t.Errorf("%d relations %v", n, r)
			}
		}
		if got := at.Ask(t, `MATCH (:Technique {id: 'T1692.001'})-[:MEANS]->(t) RETURN t.id, t.name`, nil); fmt.Sprint(got) != "[[T0855 Unauthorized Command Message]]" {
			t.Errorf("T1692.001 means %v", got)
		}
		if err := g.server.importAttack(t.Context(), all, "again"); err != nil {
			t.Fatal(err)
		}
	}
	small, err := attack.Read(strings.NewReader(`{"version":"99.0","objects":[{"id":"TA0001","kind":"tactic","name":"First"},{"id":"T0846","kind":"technique","name":"Scan","tactics":["TA0001"]}],"relations":{},"flows":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.server.importAttack(t.Context(), small, "small"); err != nil {
		t.Fatal(err)
	}
	if got := at.Ask(t, `MATCH (o:Attack) RETURN o.id, o.name, o.version ORDER BY o.id`, nil); fmt.Sprint(got) != "[[T0846 Scan 99.0] [TA0001 First 99.0]]" {
		t.Errorf("the small catalogue is %v", got)
	}
	if got := at.Ask(t, `MATCH (:Alert)-[:SHOWED]->(t) RETURN t.id, t.name ORDER BY t.id`, nil); fmt.Sprint(got) != "[[T0855 <nil>] [T9999 <nil>]]" {
		t.Errorf("alerts have shown %v", got)
	}
	follow(t, g) // which knows that this is not the server's
	if n := count(`MATCH (t:Technique {id: 'T0855'})-[:IN]->(:Tactic) RETURN count(*)`); n != 1 {
		t.Errorf("T0855 stands in %d tactics after the server's catalogue was written again", n)
	}
}

// A copy of another database is written anew, and one that somebody emptied.
func TestAnotherDatabase(t *testing.T) {
	at := neo4jtest.Take(t)
	first, second := newStore(t), newStore(t)
	graphtest.Show(t, first, "plant", "a", "T0846", 0)
	graphtest.Show(t, second, "dam", "a", "T0848", 0)
	seen := func(g *Graph) string {
		follow(t, g)
		found, err := g.server.TechniquesSeen(t.Context(), attack.Sightings{})
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, x := range found {
			all += x.FacilityID + " " + x.Technique + ";"
		}
		return all
	}
	a, b := newGraph(t, at, first), newGraph(t, at, second)
	for _, step := range []struct {
		g    *Graph
		want string
	}{{a, "plant T0846;"}, {b, "dam T0848;"}, {a, "plant T0846;"}} {
		if got := seen(step.g); got != step.want {
			t.Errorf("%q, want %q", got, step.want)
		}
	}
	at.Ask(t, "MATCH (n) DETACH DELETE n", nil)
	if got := seen(a); got != "plant T0846;" {
		t.Errorf("after it was emptied: %q", got)
	}
	// As docs/neo4j.md says for a backup that was restored: what the database does not know is gone, what it has is there again.
	at.Ask(t, "MATCH (a:Alert) DETACH DELETE a CREATE (:Facility {id: 'mill'})-[:RAISED]->(:Alert {id: 'of later', status: 'new'})", nil)
	at.Ask(t, "MATCH (b:Breakwater) DELETE b", nil)
	if got := seen(a); got != "plant T0846;" {
		t.Errorf("after its name was deleted: %q", got)
	}
	if rows := at.Ask(t, "MATCH (a:Alert {id: 'of later'}) RETURN a", nil); len(rows) != 0 {
		t.Errorf("after its name was deleted it has what the database does not: %v", rows)
	}
	// Of two servers on one store one writes, and both read.
	c := newGraph(t, at, first)
	c.leads = func() bool { return false }
	graphtest.Show(t, first, "plant", "c", "T0855", time.Hour)
	follow(t, c)
	if _, behind, err := first.GraphCopy(t.Context()); err != nil || !behind || !ours(t, c) {
		t.Errorf("the second server reads: %t; what it is not to write is still to be written: %t, %v", ours(t, c), behind, err)
	}
}

// A copy that does not follow any more is not asked, also where that was not looked for since.
func TestCopyThatDoesNotFollow(t *testing.T) {
	at := neo4jtest.Take(t)
	s := newStore(t)
	g := newGraph(t, at, s)
	follow(t, g)
	graphtest.Show(t, s, "plant", "a", "T0846", 0)
	follow(t, g)
	at.Ask(t, "MATCH (a:Alert) DETACH DELETE a", nil) // so that it shows who answers
	asks := func(want int) {
		t.Helper()
		if seen, err := g.TechniquesSeen(t.Context(), attack.Sightings{}); err != nil || len(seen) != want {
			t.Errorf("%v, %v; want %d", seen, err, want)
		}
	}
	asks(0)
	if err := s.ForgetGraph(t.Context()); err != nil {
		t.Fatal(err)
	}
	asks(1)
}

// A transaction of a Neo4j that does not go on ends, and so does what was begun by a server that does not lead any more.
func TestNeo4jDoesNotGoOn(t *testing.T) {
	at := neo4jtest.Take(t)
	s := newStore(t)
	g := newGraph(t, at, s)
	follow(t, g)
	stuck := g.server.driver.NewSession(t.Context(), neo4j.SessionConfig{})
	defer stuck.Close(t.Context())
	tx, err := stuck.BeginTransaction(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close(t.Context())
	if _, err := tx.Run(t.Context(), "MATCH (b:Breakwater) SET b.locked = true", nil); err != nil {
		t.Fatal(err)
	}
	g.server.limit = time.Second
	began := time.Now()
	if err := g.server.mark(t.Context(), "copy"); breakwater.KindOf(err) != breakwater.Unavailable {
		t.Errorf("what cannot go on: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it ended after %v", took)
	}
	g.server.limit = writing
	if err := s.ForgetGraph(t.Context()); err != nil { // so that it is begun anew
		t.Fatal(err)
	}
	began = time.Now()
	g.leads = func() bool { return time.Since(began) < time.Second }
	if err := g.follow(t.Context()); err != nil || ours(t, g) {
		t.Errorf("that it does not lead any more is no error: %v; it has the copy: %t", err, ours(t, g))
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it stopped after %v", took)
	}
}

// While Neo4j is away or lacks something the store answers, and the error says what to do and no password.
func TestAway(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	graphtest.Show(t, s, "plant", "a", "T0846", 0)
	g, err := Open("bolt://127.0.0.1:1", "neo4j", "a secret", s, attack.Builtin, leads, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := s.FollowGraph(t.Context(), "copy"); err != nil {
		t.Fatal(err)
	}
	changes, err := s.GraphChanges(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.GraphTold(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	for _, has := range []string{"", "copy"} { // "copy": it has just gone away
		g.has.Store(has)
		began := time.Now()
		if seen, err := g.TechniquesSeen(t.Context(), attack.Sightings{}); err != nil || len(seen) != 1 {
			t.Errorf("%v, %v", seen, err)
		}
		if next, err := g.Transitions(t.Context(), nil, time.Time{}, time.Time{}); err != nil || len(next) != 2 {
			t.Errorf("%v, %v", next, err)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("the answers took %v", d)
		}
	}
	for _, err := range []error{g.Ping(t.Context()), g.follow(t.Context())} {
		if breakwater.KindOf(err) != breakwater.Unavailable || !strings.Contains(err.Error(), "NEO4J_URI") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	at := neo4jtest.Take(t)
	at.Password = "a secret"
	err := newGraph(t, at, newStore(t)).Ping(t.Context())
	if breakwater.KindOf(err) != breakwater.Unavailable || !strings.Contains(err.Error(), "NEO4J_PASSWORD") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// With neo4j:// the server says itself where it is to be found.
func TestRouting(t *testing.T) {
	at := neo4jtest.Take(t)
	at.URI = strings.Replace(at.URI, "bolt://", "neo4j://", 1)
	s := newStore(t)
	graphtest.Show(t, s, "plant", "a", "T0846", 0)
	g := newGraph(t, at, s)
	follow(t, g)
	if seen, err := g.server.TechniquesSeen(t.Context(), attack.Sightings{}); err != nil || len(seen) != 1 {
		t.Errorf("%v, %v", seen, err)
	}
}

func TestCheckURI(t *testing.T) {
	t.Parallel()
	for uri, good := range map[string]bool{"neo4j://db": true, "bolt://127.0.0.1:7687": true, "neo4j+s://db.example:7687": true, "bolt+ssc://[::1]:7687": true,
		"": false, "db:7687": false, "http://db:7474": false, "bolt://": false, "bolt://neo4j:secret@db": false, "neo4j://db/graph": false, "bolt://db:port": false} {
		if err := CheckURI(uri); (err == nil) != good || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

// TestOnPostgres is all of this again, following the other engine.
func TestOnPostgres(t *testing.T) { storetest.Again(t) }

// The questions of docs/neo4j.md are understood by a real Neo4j, and find what is there.
func TestDocumentedQuestions(t *testing.T) {
	at := neo4jtest.Take(t)
	s := newStore(t)
	for i, technique := range []string{"T0846", "T0855", "T0831", "T0858", "T0866", "T0859"} {
		graphtest.Show(t, s, "plant-1", fmt.Sprint("asset-", i), technique, time.Duration(i)*time.Minute)
	}
	graphtest.Show(t, s, "plant-2", "a", "T0846", 0)
	follow(t, newGraph(t, at, s))
	page, err := os.ReadFile("../../docs/neo4j.md")
	if err != nil {
		t.Fatal(err)
	}
	questions := regexp.MustCompile("(?s)```cypher\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(questions) != 5 {
		t.Errorf("%d questions are documented", len(questions))
	}
	for i, q := range questions {
		rows := at.Ask(t, q[1], nil)
		if len(rows) == 0 {
			t.Errorf("question %d finds nothing", i+1)
		} else {
			t.Logf("question %d: %d rows, first %.200v", i+1, len(rows), fmt.Sprint(rows[0]))
		}
	}
}
