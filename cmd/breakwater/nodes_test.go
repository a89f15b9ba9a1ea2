package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/redis/redistest"
	"breakwater/internal/store/storetest"

	"github.com/gorilla/websocket"
)

// cluster is several servers on one PostgreSQL, and on one Redis where the machine has one, behind one address.
type cluster struct {
	t        *testing.T
	database string
	redis    *redistest.Server // nil: there is none
	db       *sql.DB
	proxy    string // where clients ask

	mu    sync.Mutex
	nodes []*node // those that the proxy knows
	moved atomic.Int64
}

// node is one server.
type node struct {
	*exec.Cmd
	url string
	log *output
}

// output is what a process says, to be read while it does.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // not embedded: what else a buffer can do knows no lock
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// newCluster makes one of so many nodes. Each connection through the proxy goes to one of them by chance, and to another
// where it does not answer at all, as any proxy in front of servers does.
func newCluster(t *testing.T, n int) *cluster {
	t.Helper()
	if storetest.OnPostgres() {
		t.Skip("it is the same on each run")
	}
	c := &cluster{t: t, database: storetest.Postgres(t)}
	if os.Getenv("BREAKWATER_TEST_REDIS") != "" {
		c.redis = redistest.Start(t)
	}
	var err error
	if c.db, err = sql.Open("pgx", c.database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close() })
	dial := func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
		c.mu.Lock()
		nodes := append([]*node(nil), c.nodes...)
		c.mu.Unlock()
		rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		err = errors.New("no node is known")
		for i, n := range nodes {
			if conn, err = (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(n.url, "http://")); err == nil {
				c.moved.Add(int64(i))
				return conn, nil
			}
		}
		return nil, err
	}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "localhost"})
		},
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
		ErrorLog: nil,
	})
	t.Cleanup(front.Close)
	c.proxy = front.URL
	for range n {
		c.start()
	}
	return c
}

// start adds a node.
func (c *cluster) start(env ...string) *node {
	c.t.Helper()
	dir := c.t.TempDir()
	n := &node{Cmd: program(c.t, dir, "serve"), log: &output{}}
	n.Env = append(n.Env, "DATABASE_URL="+c.database, "LOG_LEVEL=info", "FL_EPOCHS=60")
	if c.redis != nil {
		n.Env = append(n.Env, "REDIS_URL="+c.redis.URL())
	}
	n.Env = append(n.Env, env...)
	n.Stderr = n.log
	out, err := n.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		n.Process.Signal(syscall.SIGCONT)
		n.kill()
		if c.t.Failed() {
			for line := range strings.Lines(n.log.String()) {
				if !strings.Contains(line, "a request cannot be served now") {
					c.t.Logf("node %s: %s", n.url, line)
				}
			}
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.t.Fatalf("a node did not say where it is: %v\n%s", err, n.log)
	}
	go io.Copy(io.Discard, out)
	n.url = strings.Fields(line)[3]
	c.mu.Lock()
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	return n
}

// kill ends a node as a crash does.
func (n *node) kill() {
	n.Process.Kill()
	n.Wait()
}

// drop takes a node out of the proxy.
func (c *cluster) drop(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, known := range c.nodes {
		if known == n {
			c.nodes = append(c.nodes[:i:i], c.nodes[i+1:]...)
		}
	}
}

// leader waits until a node leads, and gives it with the others.
func (c *cluster) leader() (leads *node, others []*node) {
	c.t.Helper()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		holder := c.holder("leader")
		for _, n := range c.nodes {
			if holder != strconv.Itoa(n.Process.Pid) {
				others = append(others, n)
			} else {
				leads = n
			}
		}
		if leads != nil {
			return leads, others
		}
		others = nil
	}
	c.t.Fatal("no node leads")
	return nil, nil
}

// holder is the process that has a lease.
func (c *cluster) holder(lease string) string {
	var holder string
	if err := c.db.QueryRow(`SELECT holder FROM leases WHERE name = $1 AND until > extract(epoch FROM clock_timestamp()) * 1000`, lease).Scan(&holder); err != nil {
		return ""
	}
	return strings.Fields(holder)[1]
}

// What a load sends of a facility: each so many seconds something is detected, and each so many it is of another asset.
const (
	loadDetects = 5
	loadAsset   = 20
)

// load sends, as sensors do, batches of facilities through the proxy, each until it is acknowledged, until stop is called,
// which gives how many of each were.
type load struct {
	c        *cluster
	mu       sync.Mutex
	acked    map[string]int
	last     map[string]time.Time // when one was acknowledged
	refusals map[string]int
	slowest  time.Duration // between two acknowledgements of one facility
	began    time.Time
	end      chan struct{}
	senders  sync.WaitGroup
}

func (c *cluster) load(facilities int) *load {
	l := &load{c: c, acked: map[string]int{}, last: map[string]time.Time{}, refusals: map[string]int{}, began: time.Now(), end: make(chan struct{})}
	for i := range facilities {
		id := fmt.Sprintf("plant-%d", i)
		l.last[id] = l.began
		l.senders.Go(func() { l.send(id) })
	}
	return l
}

var loadBegan = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// batchOf is one second of a facility.
func batchOf(facility string, second int) breakwater.Batch {
	at := loadBegan.Add(time.Duration(second) * time.Second)
	b := breakwater.Batch{FacilityID: facility, Windows: []breakwater.Window{{FacilityID: facility, Time: at, PacketsPerSec: float64(40 + second%7), UniqueSrcIPs: 4}}}
	if second%loadDetects == 0 {
		b.Detections = []breakwater.Detection{{FacilityID: facility, Time: at.Add(time.Millisecond), Layer: 1, Model: "scan", Asset: fmt.Sprintf("10.0.%d.1", second/loadAsset), Severity: breakwater.Medium,
			Confidence: 0.9, Title: "scan", Evidence: "scan", Count: 1}}
	}
	return b
}

func (l *load) send(facility string) {
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for second := 0; ; second++ {
		text, err := json.Marshal(batchOf(facility, second))
		if err != nil {
			l.c.t.Error(err)
			return
		}
		for {
			select {
			case <-l.end:
				return
			default:
			}
			why := ""
			resp, err := client.Post(l.c.proxy+"/api/ingest/batches", "application/x-ndjson", bytes.NewReader(text))
			if err != nil {
				why = "no answer"
			} else {
				said, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK && strings.Contains(string(said), `"accepted":1`) {
					break
				}
				why = strconv.Itoa(resp.StatusCode)
				if resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusBadGateway {
					l.c.t.Errorf("%d %s", resp.StatusCode, said)
				}
			}
			l.mu.Lock()
			l.refusals[why]++
			l.mu.Unlock()
			time.Sleep(50 * time.Millisecond)
		}
		now := time.Now()
		l.mu.Lock()
		l.slowest = max(l.slowest, now.Sub(l.last[facility]))
		l.acked[facility], l.last[facility] = second+1, now
		l.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
}

// since is how long after a moment each facility had a batch acknowledged; it waits for that.
func (l *load) since(moment time.Time, within time.Duration) time.Duration {
	l.c.t.Helper()
	for time.Since(moment) < within {
		all, newest := true, moment
		l.mu.Lock()
		for _, at := range l.last {
			all = all && at.After(moment)
			if at.After(newest) {
				newest = at
			}
		}
		l.mu.Unlock()
		if all {
			return time.Since(moment)
		}
		time.Sleep(5 * time.Millisecond)
	}
	l.c.t.Errorf("not every facility was taken in again within %v", within)
	return within
}

// stop ends the load and holds what is in the database against what was acknowledged: each second once, each detection once,
// each alert once, the same from every node.
func (l *load) stop() {
	t := l.c.t
	t.Helper()
	close(l.end)
	l.senders.Wait()
	var batches, alertsWanted int
	for facility, acked := range l.acked {
		batches += acked
		var windows, newest, alerts, count int
		// The last batch may have been saved though nobody acknowledged it.
		if err := l.c.db.QueryRow(`SELECT count(*), coalesce(max(extract(epoch FROM CAST(timestamp AS timestamptz))), 0)::bigint FROM network_data WHERE facility_id = $1`, facility).Scan(&windows, &newest); err != nil {
			t.Fatal(err)
		}
		saved := newest - int(loadBegan.Unix()) + 1
		if windows != saved || saved != acked && saved != acked+1 {
			t.Errorf("%s: %d seconds are saved up to second %d, of %d acknowledged", facility, windows, saved, acked)
		}
		if err := l.c.db.QueryRow(`SELECT count(*), coalesce(sum((SELECT sum(count) FROM alert_sources WHERE alert_id = a.id)), 0) FROM alerts a WHERE facility_id = $1`, facility).Scan(&alerts, &count); err != nil {
			t.Fatal(err)
		}
		wantAlerts, wantCount := (saved+loadAsset-1)/loadAsset, (saved+loadDetects-1)/loadDetects
		if alerts != wantAlerts || count != wantCount {
			t.Errorf("%s: %d alerts of %d detections, want %d of %d", facility, alerts, count, wantAlerts, wantCount)
		}
		alertsWanted += alerts
	}
	for _, n := range l.c.nodes {
		if got := fetch(t, n.url+"/api/alerts?limit=1")["total"]; got != float64(alertsWanted) {
			t.Errorf("node %s shows %v alerts, want %d", n.url, got, alertsWanted)
		}
	}
	t.Logf("%d batches of %d facilities acknowledged, %.0f a second; %d alerts; not acknowledged at first: %v; %d connections went to the second choice; the longest pause of a facility was %v",
		batches, len(l.acked), float64(batches)/time.Since(l.began).Seconds(), alertsWanted, l.refusals, l.c.moved.Load(), l.slowest.Round(time.Millisecond))
}

// learned sends enough of facilities to train on.
func (c *cluster) learned(facilities ...string) {
	c.t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for _, id := range facilities {
		var rows bytes.Buffer
		for i := range 600 {
			busy := 40 + float64(i%9) + random.NormFloat64()
			w := breakwater.Window{FacilityID: id, Time: loadBegan.Add(time.Duration(i) * time.Second), PacketsPerSec: busy, BytesPerSec: 68 * busy, UniqueSrcIPs: 4, UniqueDestIPs: 4, ProtocolMix: 0.5, AvgPacketSize: 68, InterArrivalMS: 1000 / busy}
			if err := json.NewEncoder(&rows).Encode(w); err != nil {
				c.t.Fatal(err)
			}
		}
		post(c.t, c.proxy+"/api/ingest/network-data", rows.String(), http.StatusOK)
	}
}

// states asks a node for its state every 100 ms until stop is called, which gives what was said: each answer with the time since
// began.
func (n *node) states(path string) (stop func() []asked) {
	end, done := make(chan struct{}), make(chan []asked)
	began := time.Now()
	go func() {
		var all []asked
		client := &http.Client{Timeout: 5 * time.Second}
		for {
			s := asked{at: time.Since(began)}
			if resp, err := client.Get(n.url + path); err == nil {
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				s.code, s.text = resp.StatusCode, string(text)
			}
			all = append(all, s)
			select {
			case <-end:
				done <- all
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() []asked { close(end); return <-done }
}

type asked struct {
	at   time.Duration
	code int
	text string
}

// A node that leads is killed with -9 under load, in the middle of a round: the other takes over, the round ends once, and
// nothing that was acknowledged is lost or counted twice.
func TestNodeKilled(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	c.learned("dam", "lock", "weir")
	leads, others := c.leader()
	l := c.load(4)
	l.since(time.Now(), 20*time.Second)
	id := post(t, others[0].url+"/api/fl/rounds/trigger", "", http.StatusCreated)["id"]
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r := fetch(t, fmt.Sprintf("%s/api/fl/rounds/%v", others[0].url, id))
		if r["phase"] == "training" {
			break
		}
		if time.Now().After(until) || r["status"] != "in-progress" {
			t.Fatalf("the round is %v", r)
		}
	}
	killed := time.Now()
	leads.kill()
	took := l.since(killed, 10*time.Second)
	for c.holder("leader") != strconv.Itoa(others[0].Process.Pid) {
		if time.Since(killed) > 10*time.Second {
			t.Fatal("the other does not lead after 10 s")
		}
		time.Sleep(10 * time.Millisecond)
	}
	led := time.Since(killed)
	c.drop(leads)
	r := trained(t, others[0].url, id)
	if r["status"] != "completed" || r["clients_active"] != 3.0 {
		t.Errorf("the round: %v", r)
	}
	ended := time.Since(killed)
	c.start()
	time.Sleep(time.Second)
	l.stop()
	if rounds := fetch(t, c.proxy+"/api/fl/rounds"); rounds["total"] != 1.0 {
		t.Errorf("%v", rounds)
	}
	t.Logf("after kill -9: all facilities taken in after %v, the other leads after %v, the round ended after %v", took, led, ended)
}

// A leader that is stopped for a while, as a machine that hangs, loses its lease; when it goes on, it leads no more. A
// process that ends in order gives it back at once.
func TestNodeHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	first, others := c.leader()
	second := others[0]
	stopped := time.Now()
	first.Process.Signal(syscall.SIGSTOP)
	for c.holder("leader") != strconv.Itoa(second.Process.Pid) {
		if time.Since(stopped) > 10*time.Second {
			t.Fatal("the other does not lead after 10 s")
		}
		time.Sleep(10 * time.Millisecond)
	}
	hung := time.Since(stopped)
	first.Process.Signal(syscall.SIGCONT)
	for until := time.Now().Add(5 * time.Second); !strings.Contains(first.log.String(), "does not lead any more"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the first still leads")
		}
	}
	if n := strings.Count(second.log.String(), "this node leads"); n != 1 {
		t.Errorf("the second began to lead %d times", n)
	}
	ended := time.Now()
	second.Process.Signal(syscall.SIGTERM)
	for c.holder("leader") != strconv.Itoa(first.Process.Pid) {
		if time.Since(ended) > 10*time.Second {
			t.Fatal("the first does not lead again")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("the other leads %v after the leader hung, %v after it was asked to end", hung, time.Since(ended))
	if err := second.Wait(); err != nil {
		t.Errorf("asked to end, a node ends with %v\n%s", err, second.log)
	}
}

// What one node is told, the other knows with its next batch; both say the same of the whole.
func TestNodesAgree(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	send := func(n *node, batches ...breakwater.Batch) {
		t.Helper()
		for _, batch := range batches {
			text, err := json.Marshal(batch)
			if err != nil {
				t.Fatal(err)
			}
			if said := post(t, n.url+"/api/ingest/batches", string(text), http.StatusOK); said["accepted"] != 1.0 {
				t.Fatal(said)
			}
		}
	}
	onA, onB := follow(t, a.url, "system"), follow(t, b.url, "system")
	send(a, batchOf("north", 1), batchOf("north", 2))
	for name, messages := range map[string]<-chan told{"a": onA, "b": onB} {
		_, f := next[breakwater.FacilityStatus](t, messages, "facility_status")
		if f.ID != "north" || f.Status != breakwater.Active {
			t.Errorf("on %s: %+v", name, f)
		}
	}
	send(b, batchOf("north", 3))
	var seen [2]string
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		for i, n := range []*node{a, b} {
			s := fetch(t, n.url+"/api/system/status")
			text, _ := json.Marshal(s["facilities"])
			seen[i] = string(text)
		}
		if seen[0] == seen[1] && strings.Contains(seen[0], `"active"`) && strings.Contains(seen[0], `"packets_per_sec":43`) {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("one says %s, the other %s", seen[0], seen[1])
		}
	}
	var minutes [2]string
	for i, n := range []*node{a, b} {
		text, _ := json.Marshal(fetch(t, n.url+"/api/context/north/current")["timeline"])
		minutes[i] = string(text)
	}
	if minutes[0] != minutes[1] || strings.Count(minutes[0], `"time"`) != 3 {
		t.Errorf("the last minute: one says %s, the other %s", minutes[0], minutes[1])
	}
	// A mute that is made on one node covers what comes to the other next, and is lifted so, too.
	muted := func(n *node) (muted bool) {
		t.Helper()
		for _, x := range fetch(t, n.url+"/api/alerts?facility=north&limit=200")["alerts"].([]any)[:1] {
			muted = x.(map[string]any)["muted"] == true
		}
		return muted
	}
	mute := post(t, a.url+"/api/mutes", `{"facility_id":"north","from":"2026-03-01T00:00:00Z","until":"2026-03-02T00:00:00Z","reason":"maintenance"}`, http.StatusCreated)
	send(b, batchOf("north", 100))
	if !muted(a) || !muted(b) {
		t.Error("what came to the other node is not muted")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, fmt.Sprintf("%s/api/mutes/%v", b.url, mute["id"]), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode >= 300 {
		t.Fatal(resp, err)
	}
	send(a, batchOf("north", 200))
	if muted(a) || muted(b) {
		t.Error("a mute that was taken away on the other node still covers")
	}
	// Without Redis listeners of one do not hear what comes to the other: both say so.
	want := c.redis == nil
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, warnsA := fetch(t, a.url+"/health")["warnings"]
		_, warnsB := fetch(t, b.url+"/health")["warnings"]
		if warnsA == want && warnsB == want {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("warnings: %t, %t; want %t", warnsA, warnsB, want)
		}
	}
	// Each facility's status was told once to each listener.
	for name, messages := range map[string]<-chan told{"a": onA, "b": onB} {
		for len(messages) > 0 {
			if m := <-messages; m.Type == "facility_status" {
				t.Errorf("on %s again: %s", name, m.Data)
			}
		}
	}
}

// Raw traffic of one facility goes through one node at a time; another refuses it with a sentence, until it has ended, or the
// node that had it is gone.
func TestRawTrafficOfOneNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	path := filepath.Join(t.TempDir(), "plant.pcap")
	must(t, program(t, t.TempDir(), "plant", "record", "--out", path, "--duration", "30s"))
	capture, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	feed := func(n *node, facility string, body io.Reader) (int, string) {
		t.Helper()
		resp, err := http.Post(n.url+"/api/ingest/pcap?facility_id="+facility, "application/octet-stream", body)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		said, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(said)
	}
	goingOn := func(n *node) (w *io.PipeWriter, ended chan int) {
		t.Helper()
		r, w := io.Pipe()
		ended = make(chan int, 1)
		go func() {
			code, _ := feed(n, "north", r)
			ended <- code
		}()
		if _, err := w.Write(capture[:len(capture)/2]); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(10 * time.Second); c.holder("facility:north") != strconv.Itoa(n.Process.Pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the stream is not taken")
			}
		}
		return w, ended
	}
	w, ended := goingOn(a)
	code, said := feed(b, "north", bytes.NewReader(capture))
	port := a.url[strings.LastIndex(a.url, ":"):]
	if code != http.StatusConflict || !strings.Contains(said, port+" at present") || !strings.Contains(said, "KAFKA_BOOTSTRAP_SERVERS") {
		t.Errorf("the same facility at the other node: %d %s", code, said)
	}
	if code, said := feed(b, "south", bytes.NewReader(capture)); code != http.StatusOK {
		t.Errorf("another facility: %d %s", code, said)
	}
	if code, said := feed(a, "north", bytes.NewReader(capture)); code != http.StatusOK {
		t.Errorf("a second stream at the same node: %d %s", code, said)
	}
	if _, err := w.Write(capture[len(capture)/2:]); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if code := <-ended; code != http.StatusOK {
		t.Errorf("the first stream: %d", code)
	}
	if code, said := feed(b, "north", bytes.NewReader(capture)); code != http.StatusOK {
		t.Errorf("after it has ended: %d %s", code, said)
	}
	goingOn(a)
	killed := time.Now()
	a.kill()
	for {
		code, said := feed(b, "north", bytes.NewReader(capture))
		if code == http.StatusOK {
			break
		}
		if time.Since(killed) > 10*time.Second {
			t.Fatalf("10 s after the node was killed: %d %s", code, said)
		}
	}
	t.Logf("%v after kill -9 the other takes it", time.Since(killed))
}

// A demo scenario is played wherever it was asked for: the plants of the demo, which simply run on the node that leads, make
// room and go on after it.
func TestDemoOnAnyNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	for range 2 {
		c.start("DEMO_MODE=true")
	}
	leads, others := c.leader()
	runs := func() bool {
		for _, x := range fetch(t, leads.url+"/api/demo/status")["facilities"].([]any) {
			if x := x.(map[string]any); x["id"] == "demo-northgate" {
				return x["playing"] == "normal operation"
			}
		}
		return false
	}
	await := func(what string, happened func() bool) {
		t.Helper()
		for until := time.Now().Add(30 * time.Second); !happened(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal(what)
			}
		}
	}
	await("the plant does not run", runs)
	messages := follow(t, others[0].url, "system")
	id := post(t, others[0].url+"/api/demo/scenarios/port-scan", `{"speed":"max"}`, http.StatusAccepted)["scenario_id"]
	for {
		_, run := next[breakwater.DemoRun](t, messages, "demo_progress")
		if run.ID.String() != id || run.EndedAt == nil {
			continue
		}
		if run.Status != breakwater.DemoCompleted {
			t.Errorf("%+v", run)
		}
		break
	}
	await("the plant does not run again", runs)
}

// Both nodes are replaced, one after the other, under load and with a listener: who listens has every alert in the end, none
// twice, with Redis by messages alone; nothing acknowledged is lost.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	listener := c.listen()
	l := c.load(4)
	for _, old := range append([]*node(nil), c.nodes...) {
		time.Sleep(2 * time.Second)
		began := time.Now()
		old.Process.Signal(syscall.SIGTERM)
		if err := old.Wait(); err != nil {
			t.Errorf("a node that was asked to end says %v\n%s", err, old.log)
		}
		ended := time.Since(began)
		c.drop(old)
		took := l.since(began.Add(ended), 10*time.Second)
		c.start()
		t.Logf("a node ended in %v; all facilities were taken in %v later", ended.Round(time.Millisecond), took.Round(time.Millisecond))
	}
	time.Sleep(2 * time.Second)
	l.stop()
	listener.check(l)
}

// listener follows alerts through the proxy as a page does: it comes back after a drop, with its position, and loads anew
// where it is told that something is missing.
type listener struct {
	c       *cluster
	mu      sync.Mutex
	had     map[breakwater.ID]int // version, by messages
	created map[breakwater.ID]int // how often it was told that one began
	drops   int
	reloads int
}

func (c *cluster) listen() *listener {
	l := &listener{c: c, had: map[breakwater.ID]int{}, created: map[breakwater.ID]int{}}
	ready, gone := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(gone)
		var at position
		for first := true; ctx.Err() == nil; first = false {
			if err := l.connected(ctx, &at, first, ready); err != nil && ctx.Err() == nil {
				l.mu.Lock()
				l.drops++
				l.mu.Unlock()
				time.Sleep(50 * time.Millisecond)
			}
		}
	}()
	c.t.Cleanup(func() { cancel(); <-gone })
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		c.t.Fatal("nobody answers on /ws")
	}
	return l
}

// position is up to where a listener has a channel.
type position struct {
	Offset uint64
	Epoch  string
}

// connected follows until the connection ends.
func (l *listener) connected(ctx context.Context, at *position, first bool, ready chan struct{}) error {
	conn, _, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(l.c.proxy, "http")+"/ws", nil)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	subscribe := `{"id":2,"subscribe":{"channel":"alerts"}}`
	if !first {
		subscribe = fmt.Sprintf(`{"id":2,"subscribe":{"channel":"alerts","recover":true,"offset":%d,"epoch":%q}}`, at.Offset, at.Epoch)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"id":1,"connect":{}}`+"\n"+subscribe)); err != nil {
		return err
	}
	type publication struct {
		Offset uint64
		Data   told
	}
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(frame)) {
			var m struct {
				ID        int
				Subscribe *struct {
					position
					Recovered    bool
					Publications []publication
				}
				Push struct{ Pub publication }
			}
			if json.Unmarshal([]byte(line), &m) != nil {
				continue
			}
			l.mu.Lock()
			if s := m.Subscribe; s != nil {
				for _, p := range s.Publications {
					l.take(p.Data)
				}
				if !first && !s.Recovered {
					l.reloads++
				}
				*at = s.position
				if first {
					close(ready)
				}
			} else if p := m.Push.Pub; p.Data.Type != "" {
				l.take(p.Data)
				at.Offset = p.Offset
			}
			l.mu.Unlock()
		}
	}
}

func (l *listener) take(m told) {
	var a breakwater.Alert
	if json.Unmarshal(m.Data, &a) != nil || a.ID == (breakwater.ID{}) {
		return
	}
	if m.Type == "alert_created" {
		l.created[a.ID]++
	}
	l.had[a.ID] = max(l.had[a.ID], a.Version)
}

// check holds what was heard against what is saved.
func (l *listener) check(of *load) {
	t := l.c.t
	t.Helper()
	saved := map[breakwater.ID]int{}
	for page := 1; ; page++ {
		list := fetch(t, fmt.Sprintf("%s/api/alerts?limit=200&page=%d", l.c.proxy, page))
		for _, x := range list["alerts"].([]any) {
			x := x.(map[string]any)
			id, err := breakwater.ParseID(x["id"].(string))
			if err != nil {
				t.Fatal(err)
			}
			saved[id] = int(x["version"].(float64))
		}
		if float64(page) >= list["pages"].(float64) {
			break
		}
	}
	missing := func() (n int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for id, version := range saved {
			if l.had[id] < version {
				n++
			}
		}
		return n
	}
	if l.c.redis != nil {
		for until := time.Now().Add(5 * time.Second); missing() > 0 && time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		}
	}
	l.mu.Lock()
	drops, reloads, heard := l.drops, l.reloads, len(l.had)
	for id, n := range l.created {
		if n > 1 {
			t.Errorf("alert %s was told to have begun %d times", id, n)
		}
		if saved[id] == 0 {
			t.Errorf("alert %s was told of and is not there", id)
		}
	}
	l.mu.Unlock()
	switch n := missing(); {
	case l.c.redis != nil && (n > 0 || reloads > 0):
		t.Errorf("over Redis %d alerts were not told of, or not as they are now; %d times it was told to load anew", n, reloads)
	case l.c.redis == nil && reloads == 0 && drops > 0:
		t.Errorf("without Redis the listener came back %d times and was never told to load anew", drops)
	}
	t.Logf("the listener was dropped %d times, told to load anew %d times; of %d alerts it had messages of %d", drops, reloads, len(saved), heard)
}

// PostgreSQL is stopped for ten seconds under load and started again: both nodes say so meanwhile, take in again within ten
// seconds after it, and nothing acknowledged is lost or counted twice.
func TestNodesWithoutDatabase(t *testing.T) {
	if storetest.OnPostgres() {
		t.Skip("it is the same on each run")
	}
	if !storetest.Alone(t) {
		return
	}
	c := newCluster(t, 2)
	c.leader()
	l := c.load(4)
	l.since(time.Now(), 20*time.Second)
	time.Sleep(time.Second)
	var stops []func() []asked
	for _, n := range c.nodes {
		stops = append(stops, n.states("/health"), n.states("/readyz"))
	}
	began := time.Now()
	storetest.Control(t, "-m", "fast", "stop")
	stopped := time.Since(began)
	time.Sleep(10 * time.Second)
	storetest.Control(t, "restart")
	back := time.Now()
	took := l.since(back, 10*time.Second)
	c.leader()
	led := time.Since(back)
	time.Sleep(2 * time.Second)
	for i, stop := range stops {
		said := stop()
		var first, last time.Duration // of being away
		for _, s := range said {
			if s.code == http.StatusServiceUnavailable || strings.Contains(s.text, `"unreachable"`) {
				if first == 0 {
					first = s.at
				}
				last = s.at
			} else if s.at > stopped+time.Second && s.at < stopped+9*time.Second && s.code == http.StatusOK {
				t.Errorf("state %d, after %v: %d %s though the database is away", i, s.at, s.code, s.text)
			}
		}
		if first == 0 || last > back.Sub(began)+10*time.Second || said[len(said)-1].code != http.StatusOK || strings.Contains(said[len(said)-1].text, "unreachable") {
			t.Errorf("state %d: away from %v to %v, and in the end %+v", i, first, last, said[len(said)-1])
		}
		t.Logf("state %d said the database is away from %.1f s to %.1f s, it was from 0–%.1f s to %.1f s", i, first.Seconds(), last.Seconds(), stopped.Seconds(), back.Sub(began).Seconds())
	}
	l.stop()
	t.Logf("after PostgreSQL was back: all facilities taken in after %v, a node leads after %v", took, led)
}
