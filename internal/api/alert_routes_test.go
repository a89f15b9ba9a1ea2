package api

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/detect"

	"github.com/google/go-cmp/cmp"
)

// found saves detections, each in a batch of its own, and returns the ids of their alerts.
func (w *whole) found(t *testing.T, detections ...breakwater.Detection) []string {
	t.Helper()
	ids := make([]string, len(detections))
	for i, d := range detections {
		touched, err := w.store.SaveBatch(t.Context(), breakwater.Batch{FacilityID: d.FacilityID, Detections: []breakwater.Detection{d}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = touched[0].ID.String()
	}
	return ids
}

// tell asks with a JSON body.
func tell(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	return ask(t, method, url, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, headers...)...)
}

// refused checks that an answer is a problem that says what is wrong.
func refused(t *testing.T, what string, got answer, status int, says string) {
	t.Helper()
	detail, _ := got.body["detail"].(string)
	if got.status != status || !strings.Contains(detail, says) || got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d %s\nwant %d and %q", what, got.status, got.text, status, says)
	}
}

func TestAlertFilters(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	now := time.Now()
	write := func(facility, asset string, age time.Duration) breakwater.Detection {
		d := detection(facility, asset, breakwater.Critical, now.Add(-age))
		d.Model, d.Layer, d.Technique, d.TechniqueName, d.Title, d.Evidence = "write-from-new-host", 2, "T0855", "Unauthorized Command Message", "Write to PLC "+asset, "10.0.0.57 wrote coils 0-9 of "+asset+"."
		return d
	}
	ids := s.found(t, detection("north", "10.0.0.11", breakwater.High, now.Add(-time.Hour)), detection("north", "10.0.0.12", breakwater.Low, now.Add(-26*time.Hour)),
		write("north", "10.0.0.11", 2*time.Hour), write("south", "10.0.0.13", 8*24*time.Hour), write("south", "10.0.0.14", 40*24*time.Hour))
	tell(t, "PUT", s.URL+"/api/alerts/"+ids[2]+"/status", `{"status":"resolved"}`)
	tell(t, "PUT", s.URL+"/api/alerts/"+ids[3]+"/assignee", `{"assignee":"ada"}`)
	stamp := func(age time.Duration) string { return now.Add(-age).UTC().Format(time.RFC3339Nano) }
	for query, want := range map[string]int{
		"": 5, "facility=north": 3, "facility=north,south": 5, "severity=high,low": 2, "status=resolved": 1, "status=new,acknowledged": 4,
		"technique=T0855": 3, "technique=T0846,T0855": 5, "technique=T0000": 0, "assignee=ada": 1, "assignee=unassigned": 4, "assignee=ada,unassigned": 5,
		"search=wrote": 3, "search=10.0.0.1": 3, "search=10.0.0.13": 1, "search=WROTE%20plc": 3, "search=crawl": 0, "muted=true": 0, "muted=false": 5,
		"time_range=24h": 2, "time_range=7d": 3, "time_range=30d": 4, "from=" + stamp(3*time.Hour): 2, "to=" + stamp(3*time.Hour): 3,
		"from=" + stamp(26*time.Hour) + "&to=" + stamp(2*time.Hour): 1, "facility=north&technique=T0855&search=coils&status=resolved&time_range=24h": 1,
	} {
		list := ask(t, "GET", s.URL+"/api/alerts?"+query, nil)
		stats := ask(t, "GET", s.URL+"/api/alerts/stats?"+query, nil)
		if list.status != 200 || list.body["total"] != float64(want) {
			t.Errorf("%s: %d %s, want total %d", query, list.status, list.text, want)
		}
		if stats.status != 200 || stats.body["total"] != float64(want) {
			t.Errorf("stats %s: %d %s, want total %d", query, stats.status, stats.text, want)
			continue
		}
		sum, critical := 0.0, 0.0
		for _, bucket := range stats.body["timeline"].([]any) {
			sum += bucket.(map[string]any)["count"].(float64)
		}
		for _, a := range list.body["alerts"].([]any) {
			if a.(map[string]any)["severity"] == "critical" {
				critical++
			}
			if !strings.HasSuffix(a.(map[string]any)["relative_time"].(string), " ago") {
				t.Errorf("relative_time is %v", a.(map[string]any)["relative_time"])
			}
		}
		if sum != float64(want) || stats.body["critical"] != critical {
			t.Errorf("stats %s: %s; the list has %v critical ones", query, stats.text, critical)
		}
	}
	for sort, first := range map[string]string{"-timestamp": ids[0], "timestamp": ids[4], "-last_seen": ids[0], "last_seen": ids[4], "-severity": ids[2], "severity": ids[1]} {
		got := ask(t, "GET", s.URL+"/api/alerts?limit=1&sort="+sort, nil)
		if list := got.body["alerts"].([]any); got.status != 200 || len(list) != 1 || list[0].(map[string]any)["id"] != first {
			t.Errorf("sort %s: %d %s, want %s first", sort, got.status, got.text, first)
		}
	}
	for query, says := range map[string]string{
		"technique=scan": "not an ATT&CK id", "time_range=1h": "time_range", "from=yesterday": "from", "search=%21": "no word", "sort=title": "sort", "muted=maybe": "muted",
		"time_range=24h&from=" + stamp(0): "both given", "from=" + stamp(0) + "&to=" + stamp(time.Hour): "not after from", "facility=A": "not allowed",
		"assignee=" + strings.Repeat("x", 65): "at most 64", "search=" + strings.Repeat("x", 201): "search", "severity=high,": "severity",
	} {
		refused(t, query, ask(t, "GET", s.URL+"/api/alerts?"+query, nil), 422, says)
		if !strings.Contains(query, "sort") {
			refused(t, "stats "+query, ask(t, "GET", s.URL+"/api/alerts/stats?"+query, nil), 422, says)
			refused(t, "export "+query, ask(t, "GET", s.URL+"/api/alerts/export?"+query, nil), 422, says)
		}
	}
}

func TestAlertPages(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	now := time.Now()
	for i := range 7 {
		s.found(t, detection("north", fmt.Sprintf("10.0.0.%d", i), breakwater.High, now.Add(-time.Duration(i)*time.Minute)))
	}
	var all, walked []string
	ids := func(a answer) (ids []string) {
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.text)
		}
		for _, one := range a.body["alerts"].([]any) {
			ids = append(ids, one.(map[string]any)["id"].(string))
		}
		return ids
	}
	all = ids(ask(t, "GET", s.URL+"/api/alerts?limit=200", nil))
	got := ask(t, "GET", s.URL+"/api/alerts?limit=3&page=2", nil)
	if diff := cmp.Diff(all[3:6], ids(got)); diff != "" || got.body["pages"] != 3.0 || got.body["page"] != 2.0 || got.body["limit"] != 3.0 {
		t.Errorf("page 2: %s %s", diff, got.text)
	}
	got = ask(t, "GET", s.URL+"/api/alerts?limit=3", nil)
	s.found(t, detection("north", "10.0.0.99", breakwater.High, now)) // a new one moves no page that is read by cursor
	for {
		walked = append(walked, ids(got)...)
		cursor, ok := got.body["next_cursor"].(string)
		if !ok {
			break
		}
		got = ask(t, "GET", s.URL+"/api/alerts?limit=3&cursor="+url.QueryEscape(cursor), nil)
		if got.body["page"] != 0.0 || got.body["total"] != 8.0 {
			t.Errorf("by cursor: %s", got.text)
		}
	}
	if diff := cmp.Diff(all, walked); diff != "" {
		t.Errorf("by cursor (-want +got):\n%s", diff)
	}
	for query, says := range map[string]string{
		"page=1001": "go on with the next_cursor", "limit=200&page=51": "go on with the next_cursor", "page=1000001": "page", "cursor=x": "is not a next_cursor",
		"cursor=x&page=2": "both given",
	} {
		refused(t, query, ask(t, "GET", s.URL+"/api/alerts?"+query, nil), 422, says)
	}
	if got := ask(t, "GET", s.URL+"/api/alerts?page=1000", nil); got.status != 200 || len(ids(got)) != 0 {
		t.Errorf("page 1000: %d %s", got.status, got.text)
	}
}

const goodReport = `{"facility_id":"north","asset":"10.0.0.11","severity":"high","title":"Firmware changed","description":"Checksum 9a03 in place of 64b9.",
	"attack_type":"T0839","attack_name":"Module Firmware","context_analysis":"Quiet.","external_id":"siem-1","sources":[
	{"layer":2,"model_name":"firmware-watch","confidence":0.8,"detection_time":"2026-03-01T08:00:00+01:00","evidence":"Checksum 9a03.","context_evidence":"No maintenance.","conversation":{"client":"10.0.0.57","server":"10.0.0.11","protocol":"modbus","port":502}},
	{"layer":1,"model_name":"siem","confidence":0.5,"detection_time":"2026-03-01T07:30:00Z","evidence":"Login."}]}`

func TestReportAlert(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	first := tell(t, "POST", s.URL+"/api/alerts", goodReport)
	if first.status != 201 || first.header.Get("ETag") != `"1"` {
		t.Fatalf("%d %s", first.status, first.text)
	}
	for name, want := range map[string]any{"timestamp": "2026-03-01T07:00:00Z", "last_seen": "2026-03-01T07:30:00Z", "status": "new", "severity": "high", "attack_type": "T0839", "external_id": "siem-1",
		"correlation_confidence": 0.9, "correlation_summary": "reported by firmware-watch, siem", "count": 2.0, "version": 1.0} {
		if diff := cmp.Diff(want, first.body[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	source := first.body["sources"].([]any)[0].(map[string]any)
	if source["external"] != true || source["context_evidence"] != "No maintenance." || source["conversation"].(map[string]any)["client"] != "10.0.0.57" {
		t.Errorf("source %v", source)
	}
	again := tell(t, "POST", s.URL+"/api/alerts", strings.ReplaceAll(goodReport, "Firmware changed", "Told again"))
	if again.status != 200 || again.body["id"] != first.body["id"] || again.body["title"] != "Firmware changed" {
		t.Errorf("again: %d %s", again.status, again.text)
	}
	if got := ask(t, "GET", s.URL+"/api/alerts/"+first.body["id"].(string), nil); got.status != 200 || len(got.body["history"].([]any)) != 2 {
		t.Errorf("%d %s", got.status, got.text)
	}
	for spoil, says := range map[string]string{
		`"facility_id":"north"`: `"facility_id":"No!"`, `"severity":"high"`: `"severity":"urgent"`, `"title":"Firmware changed"`: `"title":" "`, `"attack_type":"T0839"`: `"attack_type":"scan"`,
		`"layer":2`: `"layer":4`, `"confidence":0.8`: `"confidence":1.5`, `"2026-03-01T07:30:00Z"`: `"yesterday"`, `"model_name":"siem"`: `"model_name":""`,
		`"description":"Checksum`: `"description":"\u0000`, `"asset":"10.0.0.11"`: `"assets":"10.0.0.11"`, `"client":"10.0.0.57"`: `"client":"fe80::1%eth0"`, `"10.0.0.57"`: `"nowhere"`,
		`"external_id":"siem-1"`: `"external_id":"` + strings.Repeat("x", 129) + `"`,
	} {
		got := tell(t, "POST", s.URL+"/api/alerts", strings.Replace(goodReport, spoil, says, 1))
		if got.status != 422 || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", says, got.status, got.text)
		}
	}
	for body, status := range map[string]int{"": 400, "{": 400, "[]": 422, `{"sources":[]}`: 422, `"` + strings.Repeat("x", 2<<20) + `"`: 413} {
		if got := tell(t, "POST", s.URL+"/api/alerts", body); got.status != status {
			t.Errorf("%.20s: %d %s, want %d", body, got.status, got.text, status)
		}
	}
	if got := ask(t, "GET", s.URL+"/api/alerts", nil); got.body["total"] != 1.0 {
		t.Errorf("%s", got.text)
	}
}

func TestTriage(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	id := s.found(t, detection("north", "10.0.0.11", breakwater.High, time.Now()))[0]
	events, err := http.Get(s.URL + "/api/stream?channels=alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	lines := bufio.NewScanner(events.Body)
	lines.Buffer(nil, 1<<20)
	at := s.URL + "/api/alerts/" + id
	for i, c := range []struct {
		method, path, body, match string
		status                    int
		kind, text                string // of the last line of history
	}{
		{"PUT", "/status", `{"status":"acknowledged","note":"on it"}`, `"1"`, 200, "status", "acknowledged: on it"},
		{"PUT", "/assignee", `{"assignee":" ada "}`, "2", 200, "assignee", "ada"},
		{"POST", "/comments", `{"text":"Asked the shift."}`, "", 201, "comment", "Asked the shift."},
		{"PUT", "/status", `{"status":"false-positive"}`, "*", 200, "status", "false-positive"},
		{"PUT", "/status", `{"status":"new"}`, `"5"`, 200, "status", "new"},
		{"PUT", "/assignee", `{"assignee":""}`, "", 200, "assignee", "nobody"},
	} {
		got := tell(t, c.method, at+c.path, c.body, "If-Match", c.match)
		history, _ := got.body["history"].([]any)
		if got.status != c.status || got.body["version"] != float64(i+2) || len(history) != i+2 || got.header.Get("ETag") != fmt.Sprintf(`"%d"`, i+2) {
			t.Fatalf("%s %s: %d %s", c.path, c.body, got.status, got.text)
		}
		last := history[len(history)-1].(map[string]any)
		if last["kind"] != c.kind || last["text"] != c.text || last["by"] != "local" {
			t.Errorf("%s %s: history says %v", c.path, c.body, last)
		}
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
		}
		if sent := lines.Text(); !strings.Contains(sent, `"type":"alert_updated"`) || !strings.Contains(sent, fmt.Sprintf(`"version":%d`, i+2)) {
			t.Errorf("%s %s: told %s", c.path, c.body, sent)
		}
	}
	if got := tell(t, "PUT", at+"/status", `{"status":"new"}`); got.status != 200 || got.body["version"] != 7.0 {
		t.Errorf("the status it has: %d %s", got.status, got.text)
	}
	none := s.URL + "/api/alerts/019c8a04-7a00-7c9e-9d0a-2f4c1b7f3e11"
	for _, c := range []struct {
		method, url, body, match string
		status                   int
		says                     string
	}{
		{"PUT", at + "/status", `{"status":"resolved"}`, `"6"`, 412, "is at version 7 by now"},
		{"PUT", at + "/assignee", `{"assignee":"ada"}`, `"1"`, 412, "read it again"},
		{"POST", at + "/comments", `{"text":"late"}`, `"8"`, 412, "read it again"},
		{"PUT", at + "/status", `{"status":"resolved"}`, "latest", 422, "If-Match"},
		{"PUT", at + "/status", `{"status":"closed"}`, "", 422, "status"},
		{"PUT", at + "/status", `{}`, "", 422, "status"},
		{"PUT", at + "/status", `{"status":"resolved","why":"x"}`, "", 422, "why"},
		{"PUT", at + "/status", `{"status":"resolved","note":"a\u0000b"}`, "", 422, "control characters"},
		{"PUT", at + "/status", `{"status":"resolved","note":"` + strings.Repeat("x", 2001) + `"}`, "", 422, "note"},
		{"PUT", at + "/assignee", `{"assignee":"ada, grace"}`, "", 422, "cannot be a name"},
		{"PUT", at + "/assignee", `{"assignee":"unassigned"}`, "", 422, "cannot be a name"},
		{"PUT", at + "/assignee", `{"assignee":"` + strings.Repeat("x", 65) + `"}`, "", 422, "assignee"},
		{"POST", at + "/comments", `{"text":"  "}`, "", 422, "needs text"},
		{"POST", at + "/comments", `{"text":""}`, "", 422, "text"},
		{"PUT", none + "/status", `{"status":"resolved"}`, "", 404, "there is no alert"},
		{"POST", none + "/comments", `{"text":"x"}`, "", 404, "there is no alert"},
		{"PUT", s.URL + "/api/alerts/12/assignee", `{"assignee":"ada"}`, "", 422, "UUID"},
		{"PUT", at + "/status?force=1", `{"status":"resolved"}`, "", 422, "force"},
	} {
		refused(t, c.method+" "+c.url+" "+c.body, tell(t, c.method, c.url, c.body, "If-Match", c.match), c.status, c.says)
	}
	if got := ask(t, "GET", at, nil); got.body["version"] != 7.0 || got.header.Get("ETag") != `"7"` {
		t.Errorf("after refusals: %s", got.text)
	}
}

func TestBulkStatus(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	now := time.Now()
	ids := s.found(t, detection("north", "10.0.0.11", breakwater.High, now), detection("north", "10.0.0.12", breakwater.High, now), detection("south", "10.0.0.11", breakwater.High, now))
	tell(t, "PUT", s.URL+"/api/alerts/"+ids[1]+"/status", `{"status":"resolved"}`)
	none := "019c8a04-7a00-7c9e-9d0a-2f4c1b7f3e11"
	got := tell(t, "POST", s.URL+"/api/alerts/status", fmt.Sprintf(`{"ids":[%q,%q,%q,"twelve",%q,%q],"status":"resolved"}`, ids[0], none, ids[1], ids[2], ids[0]))
	want := map[string]any{"changed": 2.0,
		"alerts": []any{
			map[string]any{"id": ids[0], "status": "resolved", "version": 2.0, "changed": true},
			map[string]any{"id": ids[1], "status": "resolved", "version": 2.0, "changed": false},
			map[string]any{"id": ids[2], "status": "resolved", "version": 2.0, "changed": true}},
		"errors": []any{
			map[string]any{"id": "twelve", "status": 422.0, "detail": `id "twelve" is not a UUID like 01930a7e-3c00-7abc-8def-0123456789ab`},
			map[string]any{"id": none, "status": 404.0, "detail": "there is no alert " + none}},
	}
	if diff := cmp.Diff(want, got.body); diff != "" || got.status != 200 {
		t.Errorf("%d (-want +got):\n%s", got.status, diff)
	}
	if got := ask(t, "GET", s.URL+"/api/alerts?status=resolved", nil); got.body["total"] != 3.0 {
		t.Errorf("%s", got.text)
	}
	many := `"` + strings.Repeat(none+`","`, 1000) + none + `"`
	for body, says := range map[string]string{`{"ids":[],"status":"new"}`: "ids", `{"ids":[` + many + `],"status":"new"}`: "ids", `{"ids":["x"],"status":"open"}`: "status"} {
		refused(t, body[:20], tell(t, "POST", s.URL+"/api/alerts/status", body), 422, says)
	}
}

func TestLearn(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	learned := detect.NewBaseline()
	if err := learned.UnmarshalJSON([]byte(`{"version":1,"entries":[{"kind":"device","addr":"10.0.0.2","first_seen":"2026-03-01T08:00:00Z","last_seen":"2026-03-01T08:00:00Z","count":1}]}`)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(learned)
	if err != nil {
		t.Fatal(err)
	}
	pair := detection("north", "10.0.0.2", breakwater.Medium, time.Now())
	pair.Model = "new-talker-pair"
	pair.Talk = breakwater.Conversation{Client: netip.MustParseAddr("10.0.0.2"), Server: netip.MustParseAddr("10.0.0.14"), Protocol: breakwater.Modbus, Port: 502}
	function := pair
	function.Asset, function.Model = "10.0.0.3", "new-function"
	flood := pair
	flood.Asset, flood.Model = "10.0.0.4", "write-burst"
	ids := s.found(t, pair, function, flood)
	path := func(i int) string { return s.URL + "/api/alerts/" + ids[i] + "/status" }
	const learn = `{"status":"false-positive","note":"new PLC","learn":true}`
	refused(t, "nothing learned yet", tell(t, "PUT", path(0), learn), 422, "let it learn normal traffic first")
	if _, err := s.store.SaveBaseline(t.Context(), "north", text, 0); err != nil {
		t.Fatal(err)
	}
	refused(t, "a function", tell(t, "PUT", path(1), learn), 422, "of which the alert keeps too little")
	refused(t, "a count", tell(t, "PUT", path(2), learn), 422, "it counts")
	external := tell(t, "POST", s.URL+"/api/alerts", goodReport)
	refused(t, "another's", tell(t, "PUT", s.URL+"/api/alerts/"+external.body["id"].(string)+"/status", learn), 422, "not a rule of this server")
	refused(t, "a version that is old", tell(t, "PUT", path(0), learn, "If-Match", "7"), 412, "version 1")
	if got := ask(t, "GET", s.URL+"/api/facilities/north/baseline", nil); got.header.Get("ETag") != `"1"` {
		t.Errorf("the baseline after refusals: %s %s", got.header.Get("ETag"), got.text)
	}

	got := tell(t, "PUT", path(0), learn)
	history, _ := got.body["history"].([]any)
	if got.status != 200 || got.body["status"] != "false-positive" || len(history) != 2 || history[1].(map[string]any)["text"] != "false-positive: new PLC (learned: pair 10.0.0.2 → 10.0.0.14 tcp 502)" {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := ask(t, "GET", s.URL+"/api/facilities/north/baseline", nil); got.header.Get("ETag") != `"2"` || !strings.Contains(got.text, `"server":"10.0.0.14"`) {
		t.Errorf("the baseline: %s %s", got.header.Get("ETag"), got.text)
	}
}

func TestExports(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	now := time.Now()
	evil := detection("north", "10.0.0.12", breakwater.High, now.Add(-time.Minute))
	evil.Title, evil.Evidence, evil.Technique = `=HYPERLINK("http://evil.example")`, "@SUM(1,2)\nand \"more\", too", ""
	arp := detection("south", "02:00:0a:00:00:57", breakwater.Low, now.Add(-2*time.Minute))
	arp.Talk = breakwater.Conversation{Client: netip.MustParseAddr("fd00::1"), Server: netip.MustParseAddr("fd00::2"), Protocol: breakwater.ARP}
	ids := s.found(t, detection("north", "10.0.0.11", breakwater.High, now), evil, arp)
	if got := tell(t, "POST", s.URL+"/api/alerts", strings.Replace(goodReport, `"attack_type":"T0839","attack_name":"Module Firmware",`, "", 1)); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	list := ask(t, "GET", s.URL+"/api/alerts", nil)

	got := ask(t, "GET", s.URL+"/api/alerts/export", nil)
	rows, err := csv.NewReader(strings.NewReader(got.text)).ReadAll()
	if err != nil || got.status != 200 || got.header.Get("Content-Type") != "text/csv; charset=utf-8" || got.header.Get("Content-Disposition") != "attachment; filename=alerts.csv" {
		t.Fatalf("%d %v %s", got.status, err, got.text)
	}
	if len(rows) != 5 || rows[0][0] != "id" || rows[1][0] != ids[0] || rows[2][7] != `'=HYPERLINK("http://evil.example")` || rows[2][8] != "'@SUM(1,2)\nand \"more\", too" {
		t.Errorf("%q", rows)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("the cell %q is a formula", cell)
			}
		}
	}

	got = ask(t, "GET", s.URL+"/api/alerts/export?format=json", nil)
	var alerts []map[string]any
	if err := json.Unmarshal([]byte(got.text), &alerts); err != nil || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v %s", err, got.text)
	}
	for i, want := range list.body["alerts"].([]any) {
		delete(want.(map[string]any), "relative_time")
		if diff := cmp.Diff(want, any(alerts[i])); diff != "" {
			t.Errorf("alert %d differs between list and export:\n%s", i, diff)
		}
	}
	for format, empty := range map[string]string{"csv": "id,timestamp,", "json": "[\n]\n", "stix": `{"type":"bundle"`} {
		got := ask(t, "GET", s.URL+"/api/alerts/export?facility=nowhere&format="+format, nil)
		if got.status != 200 || !strings.HasPrefix(got.text, empty) || strings.Contains(got.text, ids[0]) {
			t.Errorf("%s of nothing: %d %s", format, got.status, got.text)
		}
	}
	refused(t, "pdf", ask(t, "GET", s.URL+"/api/alerts/export?format=pdf", nil), 422, "format")
	refused(t, "a page", ask(t, "GET", s.URL+"/api/alerts/export?page=2", nil), 422, "there is no query parameter page")

	stix := ask(t, "GET", s.URL+"/api/alerts/export?format=stix", nil)
	if stix.status != 200 || stix.header.Get("Content-Type") != "application/stix+json;version=2.1" {
		t.Fatalf("%d %s", stix.status, stix.text)
	}
	if again := ask(t, "GET", s.URL+"/api/alerts/export?format=stix", nil); again.text != stix.text {
		t.Error("the second export names things otherwise")
	}
	checkSTIX(t, stix.body, map[string]int{"identity": 3, "attack-pattern": 1, "sighting": 2, "note": 2, "observed-data": 4, "ipv4-addr": 3, "ipv6-addr": 2, "mac-addr": 1, "network-traffic": 2})
	validateSTIX(t, stix.text)
}

// checkSTIX holds a bundle against what the standard requires of each object that it may hold.
func checkSTIX(t *testing.T, bundle map[string]any, want map[string]int) {
	t.Helper()
	common := []string{"created", "modified"}
	required := map[string][]string{
		"identity": append(common, "name"), "attack-pattern": append(common, "name"), "sighting": append(common, "sighting_of_ref"), "note": append(common, "content", "object_refs"),
		"observed-data": append(common, "first_observed", "last_observed", "number_observed", "object_refs"),
		"ipv4-addr":     {"value"}, "ipv6-addr": {"value"}, "mac-addr": {"value"}, "network-traffic": {"protocols", "src_ref"},
	}
	objects, _ := bundle["objects"].([]any)
	if bundle["type"] != "bundle" || !strings.HasPrefix(bundle["id"].(string), "bundle--") {
		t.Errorf("bundle %v %v", bundle["type"], bundle["id"])
	}
	got, ids := map[string]int{}, map[string]bool{}
	for _, o := range objects {
		o := o.(map[string]any)
		kind, id := o["type"].(string), o["id"].(string)
		got[kind]++
		if _, err := breakwater.ParseID(strings.TrimPrefix(id, kind+"--")); err != nil || ids[id] || o["spec_version"] != "2.1" {
			t.Errorf("%s %s is there twice, or not as the standard names it: %v", kind, id, o)
		}
		ids[id] = true
		for _, name := range required[kind] {
			if o[name] == nil {
				t.Errorf("%s has no %s: %v", kind, name, o)
			}
		}
		if required[kind] == nil {
			t.Errorf("object of type %s", kind)
		}
	}
	for _, o := range objects { // what is referred to is there, and was written before
		for name, v := range o.(map[string]any) {
			refs, _ := v.([]any)
			if strings.HasSuffix(name, "_ref") {
				refs = []any{v}
			}
			if !strings.HasSuffix(name, "_ref") && !strings.HasSuffix(name, "_refs") {
				continue
			}
			for _, ref := range refs {
				if !ids[ref.(string)] {
					t.Errorf("%s of %v refers to nothing", name, o)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// validateSTIX asks OASIS' own validator, where it is installed.
func validateSTIX(t *testing.T, text string) {
	t.Helper()
	validator, err := exec.LookPath("stix2_validator")
	if err != nil {
		t.Log("not checked by OASIS' validator: pip install stix2-validator")
		return
	}
	cmd := exec.Command(validator, "--version", "2.1", "--strict-types")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("[X]")) {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
}

// An export reads page by page.
func TestExportOfMany(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	b := breakwater.Batch{FacilityID: "north"}
	now := time.Now()
	for i := range 2500 {
		b.Detections = append(b.Detections, detection("north", fmt.Sprintf("10.0.%d.%d", i/250, i%250), breakwater.High, now.Add(-time.Duration(i)*time.Second)))
	}
	if _, err := s.store.SaveBatch(t.Context(), b, nil); err != nil {
		t.Fatal(err)
	}
	got := ask(t, "GET", s.URL+"/api/alerts/export?format=json", nil)
	var alerts []breakwater.Alert
	if err := json.Unmarshal([]byte(got.text), &alerts); err != nil || len(alerts) != 2500 {
		t.Fatalf("%d alerts, %v", len(alerts), err)
	}
	if !slices.IsSortedFunc(alerts, func(a, b breakwater.Alert) int { return b.Timestamp.Compare(a.Timestamp) }) {
		t.Error("not the newest first")
	}
}

func TestIncidentRoutes(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	now := time.Now().Add(-time.Hour)
	by := func(client string, d breakwater.Detection) breakwater.Detection {
		d.Talk = breakwater.Conversation{Client: netip.MustParseAddr(client), Server: netip.MustParseAddr(d.Asset), Protocol: breakwater.TCP}
		return d
	}
	ids := s.found(t, by("10.0.0.57", detection("north", "10.0.0.2", breakwater.Low, now)), by("10.0.0.2", detection("north", "10.0.0.11", breakwater.High, now.Add(10*time.Minute))),
		by("10.0.0.99", detection("north", "10.0.0.77", breakwater.High, now)))
	list := ask(t, "GET", s.URL+"/api/incidents?facility=north&time_range=24h", nil)
	incidents, _ := list.body["incidents"].([]any)
	if list.status != 200 || list.body["total"] != 1.0 || list.body["next_cursor"] != nil || len(incidents) != 1 {
		t.Fatalf("%d %s", list.status, list.text)
	}
	one := incidents[0].(map[string]any)
	for name, want := range map[string]any{"id": ids[0], "severity": "high", "alert_count": 2.0, "unresolved": 2.0, "attackers": []any{"10.0.0.57", "10.0.0.2"}, "assets": []any{"10.0.0.2", "10.0.0.11"}, "techniques": []any{"T0846"}} {
		if diff := cmp.Diff(want, one[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	detail := ask(t, "GET", s.URL+"/api/incidents/"+ids[1], nil)
	alerts, _ := detail.body["alerts"].([]any)
	if detail.status != 200 || detail.body["id"] != ids[0] || len(alerts) != 2 || alerts[1].(map[string]any)["id"] != ids[1] {
		t.Errorf("%d %s", detail.status, detail.text)
	}
	for path, want := range map[string]int{"?facility=south": 0, "?to=2020-01-01T00:00:00Z": 0, "?from=2020-01-01T00:00:00Z": 1} {
		if got := ask(t, "GET", s.URL+"/api/incidents"+path, nil); got.status != 200 || got.body["total"] != float64(want) {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
	refused(t, "one that stands alone", ask(t, "GET", s.URL+"/api/incidents/"+ids[2], nil), 404, "at least two alerts")
	refused(t, "no id", ask(t, "GET", s.URL+"/api/incidents/12", nil), 422, "UUID")
	for _, query := range []string{"cursor=x", "page=2", "facility=A", "limit=0", "limit=201", "time_range=1y"} {
		name, _, _ := strings.Cut(query, "=")
		refused(t, query, ask(t, "GET", s.URL+"/api/incidents?"+query, nil), 422, name)
	}
}

func TestMuteRoutes(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	now := time.Now()
	until := now.Add(time.Hour).UTC().Format(time.RFC3339)
	made := tell(t, "POST", s.URL+"/api/mutes", fmt.Sprintf(`{"facility_id":"north","asset":"10.0.0.11","until":%q,"reason":" firmware update "}`, until))
	if made.status != 201 || made.body["reason"] != "firmware update" || made.body["by"] != "local" || made.body["until"] != until || made.body["rule"] != "" {
		t.Fatalf("%d %s", made.status, made.text)
	}
	s.found(t, detection("north", "10.0.0.11", breakwater.High, now.Add(time.Minute)), detection("north", "10.0.0.12", breakwater.High, now.Add(time.Minute)), detection("north", "10.0.0.11", breakwater.High, now.Add(-time.Hour)))
	for query, want := range map[string]float64{"?muted=true": 1, "?muted=false": 2, "": 3} {
		got := ask(t, "GET", s.URL+"/api/alerts"+query, nil)
		if got.body["total"] != want {
			t.Errorf("%s: %s", query, got.text)
		}
		if query == "?muted=true" {
			if a := got.body["alerts"].([]any)[0].(map[string]any); a["muted"] != true || a["asset"] != "10.0.0.11" || a["sources"].([]any)[0].(map[string]any)["muted"] != true {
				t.Errorf("muted: %v", a)
			}
		}
	}
	id := made.body["id"].(string)
	tell(t, "POST", s.URL+"/api/mutes", `{"technique":"T0855","from":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","reason":"a capture of last winter"}`)
	for query, want := range map[string]float64{"": 1, "?ended=true": 2, "?ended=true&limit=1&page=2": 2} {
		got := ask(t, "GET", s.URL+"/api/mutes"+query, nil)
		if got.status != 200 || got.body["total"] != want || len(got.body["mutes"].([]any)) == 0 {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
	if got := ask(t, "DELETE", s.URL+"/api/mutes/"+id, nil); got.status != 204 || got.text != "" {
		t.Errorf("%d %s", got.status, got.text)
	}
	refused(t, "deleted twice", ask(t, "DELETE", s.URL+"/api/mutes/"+id, nil), 404, "there is no mute")
	refused(t, "no id", ask(t, "DELETE", s.URL+"/api/mutes/12", nil), 422, "UUID")
	for body, says := range map[string]string{
		`{"until":"` + until + `","reason":"x"}`:                                                     "keep everything quiet",
		`{"rule":"flood","until":"` + until + `","reason":" "}`:                                      "needs a reason",
		`{"rule":"flood","until":"` + until + `"}`:                                                   "reason",
		`{"rule":"flood","reason":"x"}`:                                                              "until",
		`{"rule":"flood","until":"2020-01-01T00:00:00Z","reason":"x"}`:                               "must end after it begins",
		`{"rule":"flood","from":"2020-01-01T00:00:00Z","until":"2022-01-01T00:00:00Z","reason":"x"}`: "366 days",
		`{"technique":"scan","until":"` + until + `","reason":"x"}`:                                  "technique",
		`{"facility_id":"No!","until":"` + until + `","reason":"x"}`:                                 "not allowed",
		`{"rule":"flood","until":"` + until + `","reason":"x","minutes":5}`:                          "minutes",
		`{"asset":"` + strings.Repeat("x", 65) + `","until":"` + until + `","reason":"x"}`:           "asset",
	} {
		refused(t, body, tell(t, "POST", s.URL+"/api/mutes", body), 422, says)
	}
}
