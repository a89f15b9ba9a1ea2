package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/app"
	"breakwater/internal/client"
	"breakwater/internal/kafka"
	"breakwater/internal/kafka/kafkatest"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// onKafka makes programs use a cluster.
func onKafka(cmd *exec.Cmd, on kafkatest.Cluster, more ...string) *exec.Cmd {
	cmd.Env = append(append(cmd.Env, "KAFKA_BOOTSTRAP_SERVERS="+on.Broker, "KAFKA_TOPIC_PREFIX="+on.Prefix), more...)
	return cmd
}

// serveKafka starts a server that uses the cluster.
func serveKafka(t *testing.T, dir string, on kafkatest.Cluster, more ...string) (*exec.Cmd, string) {
	t.Helper()
	return serving(t, onKafka(program(t, dir, "serve"), on, more...))
}

// line is a line to the cluster, as a sensor or another system has one.
func line(t *testing.T, on kafkatest.Cluster) *kafka.Cluster {
	t.Helper()
	c, err := (&app.Kafka{KafkaBrokers: on.Broker, KafkaPrefix: on.Prefix}).Open("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// eventually waits until something holds.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(within); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// taken waits until a server has taken all that was sent.
func taken(t *testing.T, url string) {
	t.Helper()
	since := time.Now()
	eventually(t, time.Minute, "the lag is 0", func() bool {
		if lag := fetch(t, url+"/api/system/status")["ingest"].(map[string]any)["lag"]; lag != 0.0 {
			since = time.Now()
		}
		return time.Since(since) > 5*time.Second // longer than the lag is old
	})
}

// The same capture gives the same alerts, whether a sensor sends it over Kafka, an upload goes over Kafka, or nothing does.
func TestKafkaSameAlerts(t *testing.T) {
	t.Parallel()
	on, dir := kafkatest.Any(t), t.TempDir()
	plant := attacked(t, dir)
	_, plain := serve(t, t.TempDir())
	must(t, program(t, dir, "replay", plant, "--learn", "300s", "--server", plain))
	must(t, program(t, dir, "replay", plant, "--facility", "other", "--server", plain)) // with nothing learned
	want := alerts(t, plain)
	if len(want) == 0 {
		t.Fatal("the attacks raised no alert")
	}

	_, url := serveKafka(t, t.TempDir(), on)
	must(t, onKafka(program(t, dir, "sensor", "--pcap", plant, "--learn", "300s", "--server", url, "--no-federation"), on))
	must(t, program(t, dir, "replay", plant, "--facility", "other", "--server", url))
	eventually(t, time.Minute, "as many alerts", func() bool { return len(alerts(t, url)) >= len(want) })
	taken(t, url)
	if diff := cmp.Diff(want, alerts(t, url)); diff != "" {
		t.Errorf("%d alerts (-plain +Kafka):\n%s", len(want), diff)
	}
	must(t, onKafka(program(t, dir, "sensor", "--pcap", plant, "--spool", filepath.Join(dir, "again"), "--server", url, "--no-federation"), on)) // with what was learned
	must(t, program(t, dir, "replay", plant, "--facility", "other", "--server", url))
	taken(t, url)
	if diff := cmp.Diff(want, alerts(t, url)); diff != "" {
		t.Errorf("a second time (-once +twice):\n%s", diff)
	}
	if h := fetch(t, url+"/health"); h["services"].(map[string]any)["kafka"] != "connected" {
		t.Errorf("health is %v", h)
	}
}

// plants are facilities whose sensors send a batch every tenth of a second, with a detection in every tenth, over spools of
// their own.
type plants struct {
	t       *testing.T
	sent    [6]atomic.Int64 // batches, by facility
	spools  [6]*client.Spool
	halt    atomic.Bool
	all     sync.WaitGroup
	hangUp  func()
	uplinks sync.WaitGroup
}

var plantsBegin = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func (p *plants) start(on kafkatest.Cluster, url string) {
	t := p.t
	ctx, cancel := context.WithCancel(t.Context())
	p.hangUp = cancel
	cluster := line(t, on)
	server, err := client.New(url, "")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	for f := range p.sent {
		dir := t.TempDir()
		spool, err := client.OpenSpool(dir, 64<<20, quiet)
		if err != nil {
			t.Fatal(err)
		}
		p.spools[f] = spool
		id := fmt.Sprintf("plant-%d", f)
		u := &client.Uplink{Client: server, Spool: spool, Facility: id, Dir: dir, Log: quiet, Send: cluster.SendBatches, Changed: func(client.Change) {}}
		p.uplinks.Go(func() { u.Run(ctx) })
		p.all.Go(func() {
			for ; !p.halt.Load(); time.Sleep(100 * time.Millisecond) {
				n := p.sent[f].Load()
				at := plantsBegin.Add(time.Duration(n) * time.Second)
				b := breakwater.Batch{FacilityID: id, Windows: []breakwater.Window{{FacilityID: id, Time: at, PacketsPerSec: 10}}, Events: 10}
				if n%10 == 0 {
					b.Detections = []breakwater.Detection{{FacilityID: id, Asset: "10.0.0.11", Time: at, Layer: 1, Model: "port-scan", Severity: breakwater.High,
						Confidence: .8, Technique: "T0846", Title: "Scan", Evidence: "10.0.0.57 scanned.", Count: 1}}
				}
				if err := spool.Put(ctx, b); err != nil {
					t.Error(err)
				}
				p.sent[f].Add(1)
			}
		})
	}
}

// stop ends the load and returns when Kafka has all of it.
func (p *plants) stop() {
	p.t.Helper()
	p.halt.Store(true)
	p.all.Wait()
	soon, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for _, s := range p.spools {
		if err := s.Empty(soon); err != nil {
			p.t.Fatal(err)
		}
	}
	p.hangUp()
	p.uplinks.Wait()
	for _, s := range p.spools {
		if _, lost := s.Status(); lost != (client.Lost{}) {
			p.t.Errorf("the spool lost %+v", lost)
		}
		s.Close()
	}
}

// check holds what a database has against what was sent: each second once, each detection counted once, one alert each.
func (p *plants) check(url, database string) {
	t := p.t
	t.Helper()
	db, err := store.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	windows := func(f int) int {
		all, err := db.Windows(t.Context(), fmt.Sprintf("plant-%d", f), plantsBegin, plantsBegin.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	eventually(t, time.Minute, "every second is there", func() bool {
		for f := range p.sent {
			if windows(f) < int(p.sent[f].Load()) {
				return false
			}
		}
		return true
	})
	taken(t, url)
	total := 0
	for f := range p.sent {
		n := int(p.sent[f].Load())
		total += n
		list := fetch(t, fmt.Sprintf("%s/api/alerts?facility=plant-%d&limit=200", url, f))["alerts"].([]any)
		count := 0.0
		for _, a := range list {
			count += a.(map[string]any)["count"].(float64)
		}
		if want := (n + 9) / 10; len(list) != 1 || int(count) != want || windows(f) != n {
			t.Errorf("plant-%d: %d alerts with %v detections and %d seconds; sent were %d detections and %d seconds", f, len(list), count, windows(f), want, n)
		}
	}
	t.Logf("%d batches", total)
}

// shared makes servers in folders use one database, on PostgreSQL where there is one, and gives its URL. Who uses it stops the
// broker, which tests in another process would not like: it runs once.
func shared(t *testing.T, dirs ...string) string {
	t.Helper()
	if storetest.OnPostgres() {
		t.Skip("the other run has it")
	}
	if os.Getenv("BREAKWATER_TEST_DATABASE_URL") == "" {
		return databaseIn(t, dirs[0])
	}
	db := storetest.Postgres(t)
	for _, dir := range dirs {
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("DATABASE_URL="+db+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// databaseIn is that of a server in dir.
func databaseIn(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ".env"))
	if err != nil {
		return "sqlite://" + filepath.Join(dir, "breakwater.db")
	}
	return strings.TrimSpace(strings.TrimPrefix(string(text), "DATABASE_URL="))
}

func kafkaHealth(t *testing.T, url string) string {
	t.Helper()
	return fetch(t, url+"/health")["services"].(map[string]any)["kafka"].(string)
}

// The broker is killed under load and started again ten seconds later: meanwhile /health says so and the server serves; a
// change made meanwhile is told over Kafka afterwards; within ten seconds data flows again; nothing is lost or counted twice.
func TestKafkaAway(t *testing.T) {
	on, dir := kafkatest.Real(t), t.TempDir()
	db := shared(t, dir)
	_, url := serveKafka(t, dir, on)
	p := &plants{t: t}
	p.start(on, url)
	time.Sleep(3 * time.Second)
	if got := kafkaHealth(t, url); got != "connected" {
		t.Errorf("before: %s", got)
	}
	on.Kill(t)
	gone := time.Now()
	eventually(t, 5*time.Second, "/health says that Kafka is away", func() bool { return kafkaHealth(t, url) == "unreachable" })
	for _, path := range []string{"/livez", "/readyz"} {
		if resp, err := http.Get(url + path); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s while Kafka is away: %v %v", path, resp, err)
		}
	}
	reported := post(t, url+"/api/alerts", `{"facility_id":"north","severity":"high","title":"Told late","description":"","sources":[{"layer":1,"model_name":"m","confidence":0.5,"detection_time":"2026-03-01T08:00:00Z","evidence":"e"}]}`, http.StatusCreated)
	time.Sleep(time.Until(gone.Add(10 * time.Second)))
	on.Start(t)
	back := time.Now()
	eventually(t, 10*time.Second, "/health says that Kafka is there", func() bool { return kafkaHealth(t, url) == "connected" })
	p.flows(url, back)
	t.Logf("data flows again %v after the broker answers", time.Since(back).Round(10*time.Millisecond))
	time.Sleep(3 * time.Second)
	p.stop()
	p.check(url, db)
	told := false
	for _, r := range on.Records(t, kafka.Alerts) {
		told = told || bytes.Contains(r.Value, []byte(reported["id"].(string)))
	}
	if !told {
		t.Error("what changed while Kafka was away was not told afterwards")
	}
}

// flows waits until of every plant something is saved that its sensor found after now, at most ten seconds after a moment.
func (p *plants) flows(url string, after time.Time) {
	p.t.Helper()
	var marks [6]string
	for f := range p.sent {
		marks[f] = plantsBegin.Add(time.Duration(p.sent[f].Load()) * time.Second).Format(time.RFC3339)
	}
	eventually(p.t, time.Until(after.Add(10*time.Second)), "data of all facilities flows again", func() bool {
		n := 0
		for _, of := range fetch(p.t, url+"/api/system/status")["facilities"].([]any) {
			of := of.(map[string]any)
			for f, mark := range marks {
				if seen, _ := of["last_seen"].(string); of["id"] == fmt.Sprintf("plant-%d", f) && seen > mark {
					n++
				}
			}
		}
		return n == len(marks)
	})
}

// Nodes that share one PostgreSQL: one joins under load, the first is killed with -9 and started again, one leaves orderly.
// Nothing is lost, nothing counted twice, no alert doubled.
func TestKafkaNodes(t *testing.T) {
	on, dir, other := kafkatest.Real(t), t.TempDir(), t.TempDir()
	if os.Getenv("BREAKWATER_TEST_DATABASE_URL") == "" {
		t.Skip("needs PostgreSQL: run it through scripts/with-postgres")
	}
	db := shared(t, dir, other)
	first, url := serveKafka(t, dir, on)
	p := &plants{t: t}
	p.start(on, url)
	time.Sleep(3 * time.Second)
	second, url2 := serveKafka(t, other, on)
	time.Sleep(4 * time.Second)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	killed := time.Now()
	p.flows(url2, killed)
	t.Logf("data of all facilities flows again %v after kill -9", time.Since(killed).Round(100*time.Millisecond))
	_, url = serveKafka(t, dir, on)
	time.Sleep(4 * time.Second)
	if err := second.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	second.Wait()
	time.Sleep(2 * time.Second)
	p.stop()
	p.check(url, db)
}

// What nobody can read goes to the dead letters with the reason, and what is around it is taken: on every topic.
func TestKafkaPoison(t *testing.T) {
	t.Parallel()
	on, dir := kafkatest.Any(t), t.TempDir()
	_, url := serveKafka(t, dir, on, "KAFKA_STORE=true")
	c := line(t, on)
	window := `{"facility_id":"north","timestamp":"2026-03-01T08:00:0%dZ","packets_per_sec":3}`
	detection := `{"facility_id":"north","time":"2026-03-01T08:00:0%dZ","layer":1,"model":"m","asset":"10.0.0.11","severity":"high","confidence":0.9,"title":"Scan","evidence":"e","count":1}`
	alert := `{"facility_id":"north","external_id":"siem-%d","severity":"high","title":"Firmware changed","description":"d","sources":[{"layer":1,"model_name":"firmware-watch","confidence":0.9,"detection_time":"2026-03-01T08:00:00Z","evidence":"e"}]}`
	batch := `{"facility_id":"north","windows":[` + window + `]}`
	eventually(t, 30*time.Second, "the topics are there", func() bool {
		return c.Put(t.Context(), kafka.Record{Topic: kafka.NetworkData, Key: "north", Value: []byte(fmt.Sprintf(window, 0))}) == nil
	})
	put := func(topic, schema, value string) {
		t.Helper()
		r := kafka.Record{Topic: topic, Key: "north", Value: []byte(value)}
		if schema != "" {
			r.Headers = map[string]string{kafka.HeaderSchema: schema}
		}
		if err := c.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	poison := []string{"\x00\xff", "{", "[]", `{"facility_id":"NO GOOD"}`, `{"facility_id":"north","timestamp":"yesterday"}`}
	for _, bad := range poison {
		put(kafka.NetworkData, "batch/1", fmt.Sprintf(batch, 1))
		put(kafka.NetworkData, "", bad)
		put(kafka.NetworkData, "", fmt.Sprintf(window, 2))
		put(kafka.Detections, "", bad)
		put(kafka.Alerts, "", bad)
		put(kafka.Traffic, "pcap/1", bad)
		put(kafka.Traffic, "zeek/1", bad)
	}
	put(kafka.NetworkData, "batch/1", "{")
	put(kafka.Predictions, "", "{}")
	put(kafka.FLEvents, "round/1", `{"phase":"training"}`)
	put(kafka.Detections, "", fmt.Sprintf(detection, 1))
	put(kafka.Detections, "", strings.ReplaceAll(fmt.Sprintf(detection, 3), ",", ",\n"))
	put(kafka.Alerts, "", fmt.Sprintf(alert, 1))
	put(kafka.Alerts, "", fmt.Sprintf(alert, 1)) // the same again
	put(kafka.FLEvents, "client/1", `{"id":"py-1","facility_id":"north","status":"active"}`)
	put(kafka.FLEvents, "round/1", `{"id":7,"round_number":7,"phase":"training","progress":40}`)
	put(kafka.NetworkData, "", fmt.Sprintf(window, 4))
	eventually(t, time.Minute, "what is right is there", func() bool {
		list := fetch(t, url+"/api/alerts?facility=north")["alerts"].([]any)
		var clients []any
		getJSON(t, url+"/api/fl/clients", &clients)
		return len(list) == 2 && len(clients) == 1
	})
	taken(t, url)
	// A row of Zeek that is JSON and of no log that is used is left out, as over HTTP.
	for topic, n := range map[string]int{kafka.NetworkData: len(poison) + 1, kafka.Detections: len(poison), kafka.Alerts: len(poison), kafka.Traffic: len(poison) + 3, kafka.Predictions: 1, kafka.FLEvents: 1} {
		letters := on.Records(t, topic+".dlq")
		if len(letters) != n {
			t.Errorf("%s has %d dead letters, want %d", topic, len(letters), n)
		}
		for _, l := range letters {
			if l.Headers["error"] == "" || l.Headers["topic"] != on.Prefix+topic || l.Headers["offset"] == "" {
				t.Errorf("%s: a dead letter's headers are %v", topic, l.Headers)
			}
		}
	}
	db, err := store.Open(t.Context(), databaseIn(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if windows, err := db.Windows(t.Context(), "north", plantsBegin, plantsBegin.Add(time.Minute)); err != nil || len(windows) != 4 {
		t.Errorf("%d seconds, %v", len(windows), err)
	}
	// What was taken is told others in turn, by this node, and not taken again.
	ours := 0
	for _, r := range on.Records(t, kafka.Alerts) {
		if r.Headers["node"] != "" {
			ours++
		}
	}
	if ours < 2 {
		t.Errorf("%d alerts were told to others", ours)
	}
}

// Two nodes on one database, without Redis: a page of one sees what comes to the other; what another system says is seen on
// both, and is not kept where nobody asked for that.
func TestKafkaPages(t *testing.T) {
	t.Parallel()
	on, dir := kafkatest.Any(t), t.TempDir()
	if storetest.OnPostgres() {
		t.Skip("the other run has it")
	}
	_, one := serveKafka(t, dir, on)
	_, two := serveKafka(t, dir, on)
	c := line(t, on)
	pageOne, pageTwo := follow(t, one, "alerts", "fl_status", "predictions"), follow(t, two, "alerts", "fl_status", "predictions")
	report := func(n int) string {
		return fmt.Sprintf(`{"facility_id":"north","external_id":"siem-%d","severity":"high","title":"Firmware changed","description":"d","sources":[{"layer":1,"model_name":"firmware-watch","confidence":0.9,"detection_time":"2026-03-01T08:00:00Z","evidence":"e"}]}`, n)
	}
	put := func(topic, schema, value string) error {
		return c.Put(t.Context(), kafka.Record{Topic: topic, Key: "north", Value: []byte(value), Headers: map[string]string{"schema": schema}})
	}
	forecast := func(source string) string {
		return fmt.Sprintf(`{"facility_id":"north","source":%q,"current_technique":"T0846","predicted_techniques":[{"technique_id":"T0855","probability":0.4,"rank":1}]}`, source)
	}
	pages := []<-chan told{pageOne, pageTwo}
	// What came before a node watched is not told: both watch each topic before anything counts.
	for _, page := range pages {
		for _, probe := range []struct{ topic, schema, value, kind string }{
			{kafka.Alerts, "alert/1", report(0), "alert_created"}, {kafka.Predictions, "prediction/1", forecast("probe"), "prediction_created"},
			{kafka.FLEvents, "client/1", `{"id":"py-0","facility_id":"north","status":"active"}`, "fl_client"},
		} {
			eventually(t, time.Minute, "both nodes watch "+probe.topic, func() bool {
				if put(probe.topic, probe.schema, probe.value) != nil {
					return false
				}
				for late := time.After(2 * time.Second); ; {
					select {
					case m := <-page:
						if m.Type == probe.kind {
							return true
						}
					case <-late:
						return false
					}
				}
			})
		}
	}
	made := post(t, one+"/api/alerts", report(1), http.StatusCreated)
	for _, page := range pages {
		awaited(t, page, "alert_created", func(a breakwater.Alert) bool { return a.ID.String() == made["id"] })
	}
	for _, err := range []error{
		put(kafka.Alerts, "alert/1", report(2)), put(kafka.Predictions, "prediction/1", forecast("forecaster")),
		put(kafka.FLEvents, "round/1", `{"id":7,"round_number":7,"phase":"training","progress":40}`),
		put(kafka.FLEvents, "client/1", `{"id":"py-1","facility_id":"north","status":"active"}`),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, page := range pages {
		// Topics are read side by side: of two of them either may come first.
		seen := map[string]bool{}
		for len(seen) < 4 {
			switch kind, data := next[json.RawMessage](t, page, "alert_created", "prediction_created", "fl_progress", "fl_client"); {
			case bytes.Contains(data, []byte(`"siem-2"`)), bytes.Contains(data, []byte(`"forecaster"`)), bytes.Contains(data, []byte(`"py-1"`)):
				seen[kind] = true
			case kind == "fl_progress":
				var r breakwater.Round
				if err := json.Unmarshal(data, &r); err != nil || r.Number != 7 || r.Progress != 40 {
					t.Errorf("page %d: %s", i+1, data)
				}
				seen[kind] = true
			}
		}
	}
	// A round of another engine goes on and ends: each is newer to a page than what it shows.
	for _, say := range []struct{ schema, value string }{
		{"round/1", `{"id":7,"round_number":7,"phase":"aggregating","progress":90}`}, {"end/1", `{"id":7,"status":"failed","reason":"two of six answered"}`},
	} {
		if err := put(kafka.FLEvents, say.schema, say.value); err != nil {
			t.Fatal(err)
		}
	}
	for i, page := range pages {
		var versions []int
		awaited(t, page, "fl_progress", func(r breakwater.Round) bool {
			if r.Progress == 90 {
				versions = append(versions, r.Version)
			}
			return r.Status == breakwater.RoundFailed
		})
		if len(versions) != 2 || versions[0] < 1 || versions[1] <= versions[0] {
			t.Errorf("page %d: versions %v", i+1, versions)
		}
	}
	resp, err := http.Get(one + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if metrics, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(metrics, []byte("\nbreakwater_kafka_lag_records ")) {
		t.Errorf("metrics without Kafka's lag: %v\n%s", err, metrics)
	}
	if n := len(alerts(t, two)); n != 1 {
		t.Errorf("%d alerts are kept", n)
	}
}

// awaited waits for a message that is the one meant.
func awaited[T any](t *testing.T, messages <-chan told, kind string, is func(T) bool) {
	t.Helper()
	for {
		if _, data := next[T](t, messages, kind); is(data) {
			return
		}
	}
}
