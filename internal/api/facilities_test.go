package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/client"
	"breakwater/internal/detect"

	"github.com/google/go-cmp/cmp"
)

// text is a member of an answer as text.
func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func fed(t *testing.T) *whole {
	t.Helper()
	s := serve(t, nil)
	if got := ask(t, "POST", s.URL+"/api/ingest/pcap?facility_id=plant-1&learn=30s", bytes.NewReader(recorded(t))); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	return s
}

func TestFacilitiesAndAssets(t *testing.T) {
	t.Parallel()
	s := fed(t)
	got := ask(t, "GET", s.URL+"/api/facilities", nil)
	list, _ := got.body["facilities"].([]any)
	if got.status != 200 || len(list) != 1 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	f := list[0].(map[string]any)
	if f["id"] != "plant-1" || f["assets"].(float64) < 5 || f["active_alerts"].(float64) < 1 || f["baseline_version"] != 1.0 || f["sensor"] != nil || f["last_seen"] == nil {
		t.Errorf("the facility is %v", f)
	}

	assets := s.URL + "/api/facilities/plant-1/assets"
	got = ask(t, "GET", assets+"?role=controller", nil)
	list = got.body["assets"].([]any)
	if len(list) != 2 || got.body["total"] != 2.0 {
		t.Fatalf("controllers: %s", got.text)
	}
	plc := list[0].(map[string]any)
	if plc["ip"] != "10.0.0.11" || plc["vendor"] != "Schneider Electric" || !strings.Contains(text(plc["protocols"]), "modbus") || !strings.Contains(text(plc["peers"]), "10.0.0.2") || plc["first_seen"] == nil {
		t.Errorf("the PLC is %v", plc)
	}

	table := "\ufeffIP;MAC;Name;Zone;Note\n10.0.0.11;;PLC tank 1;cell 3;old\n;00:1b:1b:00:00:77;spare;\n\n10.0.0.300;;no;\n10.0.0.12;;;\n\"10.0.0.13;;open\n10.0.0.14\n;;nobody;\n10.0.0.15;;\"Pump \"\"A\"\"\";cell 4\n"
	got = ask(t, "POST", assets+"/import", strings.NewReader(table), "Content-Type", "text/csv")
	if got.status != 200 || got.body["accepted"] != 3.0 || got.body["rejected"] != 5.0 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	lines := []float64{}
	for _, e := range got.body["errors"].([]any) {
		lines = append(lines, e.(map[string]any)["line"].(float64))
	}
	if diff := cmp.Diff([]float64{5, 6, 7, 8, 9}, lines); diff != "" {
		t.Errorf("lines of the errors: %s", diff)
	}
	got = ask(t, "GET", assets+"?zone=cell%203,cell%204", nil)
	if got.body["total"] != 2.0 || !strings.Contains(got.text, `"name":"PLC tank 1"`) || !strings.Contains(got.text, `Pump \"A\"`) {
		t.Errorf("by zone: %s", got.text)
	}
	if got := ask(t, "GET", assets+"?search=SPARE&limit=1", nil); got.body["total"] != 1.0 || strings.Contains(got.text, "first_seen") {
		t.Errorf("an asset that was only named: %s", got.text)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/api/facilities?page=0", "", 422, "page"},
		{"GET", "/api/facilities?colour=red", "", 422, "colour"},
		{"GET", "/api/facilities/nowhere/assets", "", 404, "nowhere"},
		{"GET", "/api/facilities/No!/assets", "", 422, "not allowed"},
		{"GET", "/api/facilities/plant-1/assets?role=boss", "", 422, "role"},
		{"GET", "/api/facilities/plant-1/assets?limit=201", "", 422, "limit"},
		{"GET", "/api/facilities/plant-1/assets?search=" + strings.Repeat("x", 200), "", 422, "search"},
		{"GET", "/api/facilities/plant-1/assets?zone=a%00b", "", 422, "NUL"},
		{"GET", "/api/facilities/plant-1/assets?sort=colour", "", 422, "sort"},
		{"GET", "/api/assets?level=6", "", 422, "level"},
		{"GET", "/api/assets?facility=plant-1,nowhere", "", 404, "nowhere"},
		{"GET", "/api/assets?facility=No!", "", 422, "not allowed"},
		{"GET", "/api/assets/values?facility=nowhere", "", 404, "nowhere"},
		{"GET", "/api/assets/values?colour=red", "", 422, "colour"},
		{"GET", "/api/assets/export?facility=nowhere", "", 404, "nowhere"},
		{"GET", "/api/assets/export?zone=a%00b", "", 422, "NUL"},
		{"GET", "/api/facilities/plant-1/assets/10.0.0.99", "", 404, "10.0.0.99"},
		{"GET", "/api/facilities/nowhere/assets/10.0.0.11", "", 404, "nowhere"},
		{"GET", "/api/facilities/plant-1/assets/plc", "", 422, "its IP address"},
		{"GET", "/api/facilities/nowhere/conversations", "", 404, "nowhere"},
		{"GET", "/api/facilities/plant-1/conversations?limit=2001", "", 422, "limit"},
		{"POST", "/api/facilities/plant-1/assets/import", "just,text\n1,2\n", 422, "ip,name,zone"},
		{"POST", "/api/facilities/plant-1/assets/import", "", 422, "ip,name,zone"},
		{"POST", "/api/facilities/No!/assets/import", "ip,name\n", 422, "not allowed"},
		{"POST", "/api/facilities/plant-1/assets/import", "ip,name\n" + strings.Repeat("10.0.0.1,x\n", 800_000), 413, "8388608"},
	} {
		got := ask(t, c.method, s.URL+c.path, strings.NewReader(c.body))
		if detail, _ := got.body["detail"].(string); got.status != c.status || !strings.Contains(detail, c.says) {
			t.Errorf("%s %.80s: %d %.300s, want %d with %q", c.method, c.path, got.status, got.text, c.status, c.says)
		}
	}
	long := ask(t, "POST", assets+"/import", strings.NewReader("ip,name\n10.0.0.1,a\n10.0.0.2,"+strings.Repeat("x", 5000)+"\n10.0.0.3,c\n"))
	if long.status != 200 || long.body["accepted"] != 2.0 || long.body["rejected"] != 1.0 {
		t.Errorf("a line that is too long: %s", long.text)
	}

	// A connection that breaks in the middle of a line leaves no half name.
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /api/facilities/plant-1/assets/import HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n\r\nip,name\n10.0.0.1,whole\n10.0.0.2,hal")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	cut, _ := io.ReadAll(conn)
	if !strings.Contains(string(cut), `"accepted":1,"rejected":1`) {
		t.Errorf("a table that is cut short: %s", cut)
	}
	if got := ask(t, "GET", assets+"?search=hal", nil); got.body["total"] != 0.0 {
		t.Errorf("half a name is kept: %s", got.text)
	}
}

// What a capture shows of who talks to whom, by which functions, is there to be read, and a second time adds nothing.
func TestConversationRoutes(t *testing.T) {
	t.Parallel()
	s := fed(t)
	url := s.URL + "/api/facilities/plant-1"
	list := ask(t, "GET", url+"/conversations?limit=2", nil)
	all, _ := list.body["conversations"].([]any)
	if list.status != 200 || len(all) != 2 || list.body["total"].(float64) < 3 {
		t.Fatalf("%d %s", list.status, list.text)
	}
	poll := all[0].(map[string]any)
	if poll["client"] != "10.0.0.2" || poll["protocol"] != "modbus" || poll["port"] != 502.0 || poll["count"].(float64) < 50 || !strings.Contains(text(poll["functions"]), `"class":"read"`) {
		t.Errorf("the busiest is %v", poll)
	}
	if ends := text(list.body["assets"]); !strings.Contains(ends, `"ip":"10.0.0.2"`) || !strings.Contains(ends, `"level":"2"`) {
		t.Errorf("their ends are %s", ends)
	}
	plc := ask(t, "GET", url+"/assets/10.0.0.11", nil)
	asset, _ := plc.body["asset"].(map[string]any)
	if plc.status != 200 || asset["level"] != "1" {
		t.Fatalf("%d %s", plc.status, plc.text)
	}
	scanner := ask(t, "GET", url+"/assets/10.0.0.57", nil)
	if about, _ := scanner.body["asset"].(map[string]any); about["alerts"].(float64) < 1 || about["open_alerts"] != about["alerts"] || about["last_alert"] == nil || len(scanner.body["newest_alerts"].([]any)) < 1 {
		t.Errorf("the scanner: %d %s", scanner.status, scanner.text)
	}
	for _, c := range plc.body["conversations"].([]any) {
		if c := c.(map[string]any); c["client"] != "10.0.0.11" && c["server"] != "10.0.0.11" {
			t.Errorf("a conversation of others: %v", c)
		}
	}
	if got := ask(t, "POST", s.URL+"/api/ingest/pcap?facility_id=plant-1", bytes.NewReader(recorded(t))); got.status != 200 {
		t.Fatal(got.text)
	}
	if again := ask(t, "GET", url+"/conversations?limit=2", nil); again.text != list.text {
		t.Errorf("the same capture again: %s\nbefore: %s", again.text, list.text)
	}

	if got := ask(t, "GET", s.URL+"/api/assets/values", nil); got.status != 200 || !strings.Contains(got.text, "modbus") || !strings.Contains(got.text, "Schneider Electric") {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := ask(t, "POST", url+"/assets/import", strings.NewReader("ip,name,zone\n10.0.0.11,=1+1,DMZ\n")); got.status != 200 {
		t.Fatal(got.text)
	}
	if got := ask(t, "GET", s.URL+"/api/assets?facility=plant-1&level=3.5,4", nil); got.body["total"] != 1.0 || !strings.Contains(got.text, "10.0.0.11") {
		t.Errorf("by level: %s", got.text)
	}
	table := ask(t, "GET", s.URL+"/api/assets/export?sort=name&facility=plant-1", nil)
	records, err := csv.NewReader(strings.NewReader(table.text)).ReadAll()
	if err != nil || table.header.Get("Content-Type") != "text/csv; charset=utf-8" || len(records) < 6 || strings.Join(records[1][:6], " ") != "plant-1 10.0.0.11 "+asset["mac"].(string)+" '=1+1 DMZ 3.5" {
		t.Errorf("%v %s", err, table.text)
	}
	// What was exported can be imported: the quote that keeps a spreadsheet from computing is no part of the name.
	if got := ask(t, "POST", url+"/assets/import", strings.NewReader(table.text)); got.status != 200 {
		t.Fatal(got.text)
	}
	if got := ask(t, "GET", url+"/assets/10.0.0.11", nil); !strings.Contains(got.text, `"name":"=1+1"`) {
		t.Errorf("after the round trip: %s", got.text)
	}
}

func TestBaselineIsEdited(t *testing.T) {
	t.Parallel()
	s := fed(t)
	url := s.URL + "/api/facilities/plant-1/baseline"
	got := ask(t, "GET", url, nil)
	if got.status != 200 || got.header.Get("ETag") != `"1"` {
		t.Fatalf("%d, ETag %s", got.status, got.header.Get("ETag"))
	}
	entries := got.body["entries"].([]any)
	got.body["entries"] = entries[1:] // forget one
	edited := text(got.body)
	for _, c := range []struct {
		name, ifMatch, body string
		status              int
		says                string
	}{
		{"an older version", `"7"`, edited, 412, "is at version 1, not 7"},
		{"no version", "soon", edited, 422, "If-Match"},
		{"nonsense", "", `{"version": 1, "entries": [{"kind": "wish"}]}`, 422, "entry 0"},
		{"no JSON", "", `{`, 422, "not JSON"},
		{"of a newer program", "", `{"version": 99, "entries": []}`, 422, "version 99"},
	} {
		got := ask(t, "PUT", url, strings.NewReader(c.body), "Content-Type", "application/json", "If-Match", c.ifMatch)
		if detail, _ := got.body["detail"].(string); got.status != c.status || !strings.Contains(detail, c.says) {
			t.Errorf("%s: %d %s, want %d with %q", c.name, got.status, got.text, c.status, c.says)
		}
	}
	saved := ask(t, "PUT", url, strings.NewReader(edited), "Content-Type", "application/json", "If-Match", `"1"`)
	if saved.status != 200 || saved.header.Get("ETag") != `"2"` || saved.body["version"] != 2.0 || int(saved.body["entries"].(float64)) != len(entries)-1 {
		t.Errorf("%d %s", saved.status, saved.text)
	}
	if again := ask(t, "PUT", url, strings.NewReader(edited), "Content-Type", "application/json"); again.body["version"] != 2.0 {
		t.Errorf("the same again is %s", again.text)
	}
	if got := ask(t, "GET", url, nil); len(got.body["entries"].([]any)) != len(entries)-1 {
		t.Error("what was edited is not what is kept")
	}
	if got := ask(t, "PUT", s.URL+"/api/facilities/new-plant/baseline", strings.NewReader(edited), "Content-Type", "application/json"); got.status != 200 || got.body["version"] != 1.0 {
		t.Errorf("of a new facility: %d %s", got.status, got.text)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	s := fed(t)
	url := s.URL + "/api/facilities/plant-1/config"
	got := ask(t, "GET", url, nil)
	etag := got.header.Get("ETag")
	rules := got.body["rules"].([]any)
	if got.status != 200 || etag == "" || got.body["baseline_version"] != 1.0 || len(rules) < 20 {
		t.Fatalf("%d %s %.300s", got.status, etag, got.text)
	}
	for _, r := range rules {
		r := r.(map[string]any)
		parsed, err := detect.ParseRule([]byte(r["text"].(string)), "rule")
		if err != nil || parsed.ID != r["id"] || parsed.Hash() != r["hash"] {
			t.Errorf("rule %v comes as %v, %v", r["id"], parsed, err)
		}
	}
	for _, tags := range []string{etag, `"x", ` + etag, "W/" + etag, "*"} {
		if got := ask(t, "GET", url, nil, "If-None-Match", tags); got.status != 304 || got.text != "" || got.header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %d %q", tags, got.status, got.text)
		}
	}
	if _, err := s.store.SaveBaseline(t.Context(), "plant-1", []byte(`{"version":1,"entries":[]}`), 0); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "GET", url, nil, "If-None-Match", etag); got.status != 200 || got.header.Get("ETag") == etag || got.body["baseline_version"] != 2.0 {
		t.Errorf("after the baseline changed: %d %s", got.status, got.header.Get("ETag"))
	}
	if got := ask(t, "GET", s.URL+"/api/facilities/not-yet/config", nil); got.status != 200 || got.body["baseline_version"] != 0.0 {
		t.Errorf("of a facility that is not known: %d %s", got.status, got.text)
	}
	if got := ask(t, "GET", s.URL+"/api/facilities/No!/config", nil); got.status != 422 {
		t.Errorf("of one that cannot be: %d", got.status)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	s := fed(t)
	got := ask(t, "GET", s.URL+"/api/rules", nil)
	rules := got.body["rules"].([]any)
	hits := 0.0
	for _, r := range rules {
		r := r.(map[string]any)
		n := r["hits"].(float64)
		if hits += n; (n > 0) != (r["last_hit"] != nil) || (n > 0) != (r["alerts"].(float64) > 0) {
			t.Errorf("%v", r)
		}
		if r["id"] == "port-scan" && n == 0 {
			t.Error("the port scan that was fed in is no hit")
		}
	}
	alerts := ask(t, "GET", s.URL+"/api/alerts?limit=200", nil)
	count := 0.0
	for _, a := range alerts.body["alerts"].([]any) {
		count += a.(map[string]any)["count"].(float64)
	}
	if got.status != 200 || hits == 0 || hits != count {
		t.Errorf("%d: %v hits, and alerts count %v", got.status, hits, count)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	s := fed(t)
	now := ask(t, "GET", s.URL+"/api/context/plant-1/current", nil)
	seconds := now.body["timeline"].([]any)
	metrics := now.body["metrics"].(map[string]any)
	if now.status != 200 || now.body["window_duration"] != 60.0 || len(seconds) != 60 || metrics["seconds"] != 60.0 || now.body["features"].(map[string]any)["packets_per_sec"].(float64) <= 0 {
		t.Fatalf("%d %.500s", now.status, now.text)
	}
	standings := map[any]float64{}
	for _, s := range seconds {
		standings[s.(map[string]any)["status"]]++
	}
	if standings["normal"] == 0 || standings["suspicious"]+standings["attack"] == 0 || standings["suspicious"] != metrics["suspicious_seconds"] || standings["attack"] != metrics["attack_seconds"] {
		t.Errorf("seconds stand as %v, counted as %v", standings, metrics)
	}

	alerts := ask(t, "GET", s.URL+"/api/alerts?limit=200", nil).body["alerts"].([]any)
	for _, a := range alerts {
		a := a.(map[string]any)
		id := a["id"].(string)
		evidence, line := ask(t, "GET", s.URL+"/api/context/"+id+"/evidence", nil), ask(t, "GET", s.URL+"/api/context/"+id+"/timeline", nil)
		if evidence.status != 200 || line.status != 200 || text(evidence.body["timeline"]) != text(line.body["timeline"]) || evidence.body["facility_id"] != "plant-1" {
			t.Fatalf("%s %s", evidence.text, line.text)
		}
		frozen := line.body["timeline"].([]any)
		if len(frozen) == 0 {
			t.Errorf("nothing is known of the minute before %v", a["title"])
		}
		for _, s := range frozen {
			if at := s.(map[string]any)["time"].(string); at >= a["timestamp"].(string) {
				t.Errorf("a second at %s lies not before the alert at %s", at, a["timestamp"])
			}
		}
		pattern := evidence.body["pattern_analysis"].(map[string]any)
		if !strings.Contains(text(a["sources"]), fmt.Sprintf("%q", pattern["pattern_type"])) || pattern["confidence"] != a["correlation_confidence"] || !strings.Contains(pattern["description"].(string), a["correlation_summary"].(string)) {
			t.Errorf("pattern %v of %v", pattern, a)
		}
		if len(evidence.body["evidence"].([]any)) != len(a["sources"].([]any)) {
			t.Errorf("evidence %s of %s", text(evidence.body["evidence"]), text(a["sources"]))
		}
	}
	for path, status := range map[string]int{
		"/api/context/nowhere/current": 404, "/api/context/No!/current": 422, "/api/context/plant-1/evidence": 422, "/api/context/plant-1/timeline": 422,
		"/api/context/019c8a04-7a00-7c9e-9d0a-2f4c1b7f3e11/evidence": 404, "/api/context/019c8a04-7a00-7c9e-9d0a-2f4c1b7f3e11/timeline": 404,
		"/api/context/plant-1/future": 404, "/api/context/plant-1/current?x=1": 422,
	} {
		if got := ask(t, "GET", s.URL+path, nil); got.status != status {
			t.Errorf("%s: %d, want %d", path, got.status, status)
		}
	}
	// A facility that is known and silent.
	if err := s.store.SaveSensor(t.Context(), breakwater.Sensor{FacilityID: "quiet", HeardAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "GET", s.URL+"/api/context/quiet/current", nil); got.status != 200 || got.body["features"] != nil || len(got.body["timeline"].([]any)) != 0 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// The line between a sensor and its server, over the real API: configuration down, hello, batches and a learned baseline
// up.
func TestUplink(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	c, err := client.New(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	spool, err := client.OpenSpool(dir, 1<<20, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	type change struct{ rules, baseline, models int }
	changes := make(chan change, 10)
	var log syncBuffer
	link := func() *client.Uplink {
		return &client.Uplink{Client: c, Spool: spool, Facility: "north", Version: "1.2.3", Source: "eth1", Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Changed: func(c client.Change) { changes <- change{len(c.Rules), len(c.Baseline), len(c.Models)} }}
	}
	u := link()
	u.Begin(t.Context())
	if got := <-changes; got.rules < 20 || got.baseline != 0 || got.models != 0 {
		t.Fatalf("at the beginning: %+v", got)
	}
	if err := u.Learned([]byte(`{"version":1,"entries":[]}`)); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	good := detection("north", "10.0.0.11", breakwater.High, at.Add(time.Millisecond))
	bad := good
	bad.Layer = 9
	for _, b := range []breakwater.Batch{
		{FacilityID: "north", Windows: []breakwater.Window{{FacilityID: "north", Time: at}}},
		{FacilityID: "north", Detections: []breakwater.Detection{bad}}, // what the server will never take is told and left
		{FacilityID: "north", Detections: []breakwater.Detection{good}},
	} {
		if err := spool.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); u.Run(ctx) }()
	if err := spool.Empty(ctx); err != nil {
		t.Fatal(err)
	}
	if err := u.Goodbye(ctx); err != nil {
		t.Fatal(err)
	}
	hangUp()
	<-ended
	if got := ask(t, "GET", s.URL+"/api/alerts", nil); got.body["total"] != 1.0 {
		t.Errorf("alerts: %s", got.text)
	}
	if !strings.Contains(log.String(), "will not take a batch") || !strings.Contains(log.String(), "layer 9") {
		t.Errorf("the log says %s", log.String())
	}
	f := ask(t, "GET", s.URL+"/api/facilities", nil).body["facilities"].([]any)[0].(map[string]any)
	sensor, _ := f["sensor"].(map[string]any)
	if f["baseline_version"] != 1.0 || sensor["version"] != "1.2.3" || sensor["source"] != "eth1" || sensor["spooled_bytes"] != 0.0 {
		t.Errorf("the facility is %v", f)
	}

	// A baseline that is edited at the server comes down; what has not changed does not.
	edited := detect.NewBaseline()
	if err := edited.UnmarshalJSON([]byte(`{"version":1,"entries":[{"kind":"device","addr":"10.0.0.2","first_seen":"2026-03-01T08:00:00Z","last_seen":"2026-03-01T08:00:00Z","count":1}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "PUT", s.URL+"/api/facilities/north/baseline", strings.NewReader(text(edited)), "Content-Type", "application/json"); got.status != 200 {
		t.Fatal(got.text)
	}
	model := breakwater.ModelVersion{FacilityID: "north", Kind: "autoencoder", Source: breakwater.Trained, CreatedAt: at}
	if _, _, err := s.store.SaveModel(t.Context(), model, []byte("a model file")); err != nil {
		t.Fatal(err)
	}
	ctx, hangUp = context.WithCancel(t.Context())
	defer hangUp()
	ended = make(chan struct{})
	go func() { defer close(ended); u.Run(ctx) }()
	if got := <-changes; got.rules != 0 || got.baseline != len(text(edited)) || got.models != 1 {
		t.Errorf("after an edit: %+v, want %d bytes of baseline and a model alone", got, len(text(edited)))
	}
	hangUp()
	<-ended

	// A start while the server is away goes on with what was there.
	s.Close()
	u = link()
	u.Begin(t.Context())
	if got := <-changes; got.rules < 20 || got.baseline != len(text(edited)) || got.models != 1 {
		t.Errorf("without a server: %+v", got)
	}
	if len(changes) != 0 {
		t.Errorf("and %d changes more", len(changes))
	}
}

func TestHelloMistakes(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for body, says := range map[string]string{
		`{`: "", `{"version":"1"}`: "source", `{"version":"1","source":"x","time":"now","spooled_bytes":0,"lost_windows":0,"lost_detections":0}`: "time",
		`{"version":"1","source":"x","time":"2026-03-01T08:00:00Z","spooled_bytes":-1,"lost_windows":0,"lost_detections":0}`: "spooled_bytes",
	} {
		if got := ask(t, "PUT", s.URL+"/api/facilities/north/sensor", strings.NewReader(body), "Content-Type", "application/json"); !slices.Contains([]int{400, 422}, got.status) || !strings.Contains(got.text, says) {
			t.Errorf("%s: %d %s", body, got.status, got.text)
		}
	}
	good := `{"version":"1","source":"x\u0000y","time":"2026-03-01T08:00:00Z","spooled_bytes":0,"lost_windows":1,"lost_detections":0}`
	got := ask(t, "PUT", s.URL+"/api/facilities/north/sensor", strings.NewReader(good), "Content-Type", "application/json")
	if got.status != http.StatusOK || got.body["source"] != "x y" || got.body["clock_offset_ms"].(float64) > 0 {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := ask(t, "PUT", s.URL+"/api/facilities/No!/sensor", strings.NewReader(good), "Content-Type", "application/json"); got.status != 422 {
		t.Errorf("%d %s", got.status, got.text)
	}
}
