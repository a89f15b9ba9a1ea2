package api

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

// statusOf is how the system stands as far as the database knows.
func statusOf(db *store.Store) func(context.Context) (breakwater.SystemStatus, error) {
	return db.Overview
}

// send sends JSON.
func send(t *testing.T, method, url, body string) answer {
	t.Helper()
	return ask(t, method, url, strings.NewReader(body), "Content-Type", "application/json")
}

// listen gives the messages of a channel, one a call.
func listen(t *testing.T, url, channel string) func() (kind string, data map[string]any) {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var lines []string
	next := func() string {
		for len(lines) == 0 {
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, frame, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			lines = strings.Split(strings.TrimSpace(string(frame)), "\n")
		}
		line := lines[0]
		lines = lines[1:]
		return line
	}
	for _, say := range []string{`{"id":1,"connect":{}}`, fmt.Sprintf(`{"id":2,"subscribe":{"channel":%q}}`, channel)} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			t.Fatal(err)
		}
		if reply := next(); strings.Contains(reply, "error") {
			t.Fatalf("%s: %s", say, reply)
		}
	}
	return func() (string, map[string]any) {
		t.Helper()
		var m struct {
			Push struct {
				Pub struct {
					Data struct {
						Type string
						Data map[string]any
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(next()), &m); err != nil {
			t.Fatal(err)
		}
		return m.Push.Pub.Data.Type, m.Push.Pub.Data.Data
	}
}

// without is a copy that lacks some fields.
func without(m map[string]any, names ...string) map[string]any {
	c := map[string]any{}
	for name, v := range m {
		c[name] = v
	}
	for _, name := range names {
		delete(c, name)
	}
	return c
}

func TestPredictions(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	url := s.URL + "/api/predictions"
	message := listen(t, s.URL, "predictions")
	if got := ask(t, "GET", url, nil); got.status != 200 || got.text != `{"predictions":[],"total":0,"page":1,"pages":0,"limit":10,"next_cursor":null}`+"\n" {
		t.Errorf("an empty list: %d %s", got.status, got.text)
	}
	if got := ask(t, "GET", url+"/latest", nil); got.status != 200 || strings.TrimSpace(got.text) != "null" {
		t.Errorf("no latest: %d %s", got.status, got.text)
	}
	const report = `{"timestamp":"2026-03-01T09:00:00.5+01:00","facility_id":"plant-1","source":"forecaster","current_technique":"T0846","predicted_techniques":[
		{"technique_id":"T0831","probability":0.25,"rank":2},
		{"technique_id":"T0855","technique_name":"Unauthorized Command Message","probability":0.5,"rank":1,"timeframe":"15-60 minutes"}]}`
	first := send(t, "POST", url, report)
	id, _ := first.body["id"].(string)
	want := map[string]any{"id": id, "timestamp": "2026-03-01T08:00:00.5Z", "facility_id": "plant-1", "source": "forecaster", "current_technique": "T0846",
		"current_technique_name": "", "alert_id": nil, "seen_techniques": []any{}, "status": "open", "expires_at": "2026-03-02T08:00:00.5Z", "validated": false, "validation_time": nil, "version": 1.0, "predicted_techniques": []any{
			map[string]any{"technique_id": "T0855", "technique_name": "Unauthorized Command Message", "probability": .5, "rank": 1.0, "timeframe": "15-60 minutes", "why": []any{}, "observed_at": nil, "observed_in": nil},
			map[string]any{"technique_id": "T0831", "technique_name": "", "probability": .25, "rank": 2.0, "timeframe": "", "why": []any{}, "observed_at": nil, "observed_in": nil}}}
	if diff := cmp.Diff(want, first.body); first.status != 201 || diff != "" {
		t.Errorf("reported: %d (-want +got):\n%s", first.status, diff)
	}
	if again := send(t, "POST", url, report); again.status != 200 || again.text != first.text {
		t.Errorf("reported again: %d %s", again.status, again.text)
	}
	given := send(t, "POST", url, strings.Replace(report, `{"timestamp"`, `{"id":"01930a7e-3c00-7abc-8def-0123456789AB","timestamp"`, 1))
	if given.status != 201 || given.body["id"] != "01930a7e-3c00-7abc-8def-0123456789ab" {
		t.Errorf("with an id: %d %s", given.status, given.text)
	}
	if got := send(t, "POST", url, strings.Replace(report, `{"timestamp":"2026-03-01T09`, `{"id":"01930a7e-3c00-7abc-8def-0123456789ab","timestamp":"2027-03-01T09`, 1)); got.status != 409 {
		t.Errorf("another one with that id: %d %s", got.status, got.text)
	}
	least := send(t, "POST", url, `{"current_technique":"T0846","predicted_techniques":[{"technique_id":"T0831.001","probability":1,"rank":1}]}`)
	if least.status != 201 || least.body["facility_id"] != "default" || least.body["source"] != "external" {
		t.Errorf("the least that can be said: %d %s", least.status, least.text)
	}

	for i := range 2 {
		got := ask(t, "POST", url+"/"+id+"/validate", nil)
		if got.status != 200 || got.body["validated"] != true || got.body["validation_time"] == nil || got.body["version"] != 2.0 {
			t.Errorf("validated %d times: %d %s", i+1, got.status, got.text)
		}
	}
	one := ask(t, "GET", url+"/"+id, nil)
	if latest := ask(t, "GET", url+"/latest?facility=plant-1,plant-2", nil); one.status != 200 || latest.status != 200 || latest.text == "null\n" {
		t.Errorf("one: %d %s\nthe latest: %d %s", one.status, one.text, latest.status, latest.text)
	}
	for query, total := range map[string]float64{"": 3, "?facility=plant-1": 2, "?validated=true": 1, "?validated=false": 2, "?facility=default&validated=true": 0, "?page=2&limit=2": 3} {
		if got := ask(t, "GET", url+query, nil); got.status != 200 || got.body["total"] != total {
			t.Errorf("%s: %d %s, want total %v", query, got.status, got.text, total)
		}
	}

	for _, want := range []struct {
		kind string
		data map[string]any
	}{{"prediction_created", first.body}, {"prediction_created", given.body}, {"prediction_created", least.body}, {"prediction_validated", one.body}} {
		if kind, data := message(); kind != want.kind || !cmp.Equal(data, want.data) {
			t.Errorf("got %s %v, want %s %v", kind, data, want.kind, want.data)
		}
	}
}

func TestPredictionsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	const none = "019c8a04-7a00-7c9e-9d0a-2f4c1b7f3e11"
	technique := func(fields string) string {
		return `{"current_technique":"T0846","predicted_techniques":[{` + fields + `}]}`
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "?facility=No!", "", 422, "facility id"},
		{"GET", "?validated=perhaps", "", 422, "validated"},
		{"GET", "?limit=201", "", 422, "limit"},
		{"GET", "?page=0", "", 422, "page"},
		{"GET", "?colour=red", "", 422, "there are facility, status, technique, validated, page, limit, cursor"},
		{"GET", "?page=1001&limit=10", "", 422, "begins past the 10000"},
		{"GET", "?cursor=rubbish", "", 422, "cursor"},
		{"GET", "?cursor=MjAyNi0wMy0wMQ&page=2", "", 422, "use one of them"},
		{"GET", "/latest?facility=No!", "", 422, "facility id"},
		{"GET", "?technique=T0855,scan", "", 422, "technique \"scan\" is not a technique's id"},
		{"GET", "/12", "", 422, "UUID"},
		{"GET", "/" + none, "", 404, "there is no prediction " + none},
		{"POST", "/12/validate", "", 422, "UUID"},
		{"POST", "/" + none + "/validate", "", 404, "there is no prediction"},
		{"POST", "", "", 400, "body"},
		{"POST", "", "{", 400, ""},
		{"POST", "", "[]", 422, "object"},
		{"POST", "", `{}`, 422, "current_technique"},
		{"POST", "", technique(`"technique_id":"T855","probability":0.5,"rank":1`), 422, "predicted_techniques[0].technique_id"},
		{"POST", "", technique(`"technique_id":"T0855","probability":1.5,"rank":1`), 422, "predicted_techniques[0].probability"},
		{"POST", "", technique(`"technique_id":"T0855","probability":0.5,"rank":2`), 422, "ranks of 1 techniques are 1 to 1"},
		{"POST", "", technique(`"technique_id":"T0855","probability":0.5`), 422, "rank"},
		{"POST", "", technique(`"technique_id":"T0855","probability":0.5,"rank":1,"colour":"red"`), 422, "colour"},
		{"POST", "", technique(`"technique_id":"T0855","probability":0.5,"rank":1,"timeframe":"a\u0000b"`), 422, "control character"},
		{"POST", "", `{"current_technique":"T0846","predicted_techniques":[]}`, 422, "predicted_techniques"},
		{"POST", "", `{"id":"7",` + technique(`"technique_id":"T0855","probability":0.5,"rank":1`)[1:], 422, "id"},
		{"POST", "", `{"alert_id":"` + none + `",` + technique(`"technique_id":"T0855","probability":0.5,"rank":1`)[1:], 422, "alert_id names no alert"},
		{"POST", "", `{"timestamp":"yesterday",` + technique(`"technique_id":"T0855","probability":0.5,"rank":1`)[1:], 422, "timestamp"},
		{"POST", "", `{"facility_id":"Plant 1",` + technique(`"technique_id":"T0855","probability":0.5,"rank":1`)[1:], 422, "facility id"},
		{"POST", "", `{"source":"` + strings.Repeat("x", 2<<20) + `"}`, 413, ""},
		{"DELETE", "", "", 405, "use GET or POST"},
	} {
		got := send(t, c.method, s.URL+"/api/predictions"+c.path, c.body)
		detail, _ := got.body["detail"].(string)
		if got.status != c.status || !strings.Contains(detail, c.says) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %.80s: %d %s, want %d and %q", c.method, c.path, c.body, got.status, got.text, c.status, c.says)
		}
	}
	if got := ask(t, "POST", s.URL+"/api/predictions", strings.NewReader("x=1"), "Content-Type", "application/x-www-form-urlencoded"); got.status != 415 {
		t.Errorf("a form: %d %s", got.status, got.text)
	}
	if got := ask(t, "GET", s.URL+"/api/predictions", nil); got.body["total"] != 0.0 {
		t.Errorf("something refused was kept: %s", got.text)
	}
}

func TestFederation(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	url := s.URL + "/api/fl"
	message := listen(t, s.URL, "fl_status")
	for path, want := range map[string]string{
		"/rounds/current": "null", "/rounds": `{"rounds":[],"total":0,"page":1,"pages":0,"limit":10}`, "/rounds/history": "[]", "/clients": "[]",
		"/privacy-metrics": `{"epsilon":null,"delta":null,"data_size":null,"encryption":null,"privacy_budget_remaining":null}`,
	} {
		if got := ask(t, "GET", url+path, nil); got.status != 200 || strings.TrimSpace(got.text) != want {
			t.Errorf("before the first round, %s: %d %s", path, got.status, got.text)
		}
	}

	begun := send(t, "PUT", url+"/rounds/7/progress", `{"round_number":1,"phase":"distributing","progress":0,"clients":[{"id":"c1","facility_id":"plant-1","status":"active"}]}`)
	client := map[string]any{"id": "c1", "facility_id": "plant-1", "name": "c1", "status": "active", "progress": 0.0, "current_epoch": 0.0, "total_epochs": 0.0, "loss": nil, "accuracy": nil, "version": 1.0}
	want := map[string]any{"id": 7.0, "round_number": 1.0, "status": "in-progress", "phase": "distributing", "progress": 0.0, "epsilon": nil, "model_accuracy": nil,
		"clients_active": 1.0, "total_clients": 1.0, "end_time": nil, "time_remaining": nil, "reason": "", "version": 1.0}
	if diff := cmp.Diff(want, without(begun.body, "clients", "start_time", "last_update")); begun.status != 200 || diff != "" {
		t.Errorf("begun: %d %s (-want +got):\n%s", begun.status, begun.text, diff)
	}
	if list, _ := begun.body["clients"].([]any); len(list) != 1 || !cmp.Equal(client, without(list[0].(map[string]any), "last_update")) {
		t.Errorf("its clients: %v", begun.body["clients"])
	}
	reported := send(t, "PUT", url+"/clients/c2", `{"facility_id":"plant-2","name":"South","status":"delayed","progress":60,"current_epoch":3,"total_epochs":5,"loss":0.2,"accuracy":0.9}`)
	if reported.status != 200 || reported.body["name"] != "South" {
		t.Errorf("client: %d %s", reported.status, reported.text)
	}
	const half = `{"round_number":1,"phase":"training","progress":50,"epsilon":1.25,"delta":0.00001,"data_size":1048576,"encryption":"TLS 1.3","privacy_budget_remaining":6.75,"model_accuracy":0.9}`
	for range 2 { // the second time changes nothing
		if got := send(t, "PUT", url+"/rounds/7/progress", half); got.status != 200 || got.body["version"] != 2.0 || got.body["total_clients"] != 2.0 {
			t.Errorf("half: %d %s", got.status, got.text)
		}
	}
	if got := ask(t, "GET", url+"/privacy-metrics", nil); strings.TrimSpace(got.text) != `{"epsilon":1.25,"delta":0.00001,"data_size":1048576,"encryption":"TLS 1.3","privacy_budget_remaining":6.75}` {
		t.Errorf("privacy: %s", got.text)
	}
	if got := send(t, "PUT", url+"/rounds/7/progress", strings.Replace(half, "training", "distributing", 1)); got.status != 409 {
		t.Errorf("back: %d %s", got.status, got.text)
	}
	if got := ask(t, "GET", url+"/rounds/current", nil); got.body["id"] != 7.0 {
		t.Errorf("current: %d %s", got.status, got.text)
	}
	var ended answer
	for range 2 {
		if ended = ask(t, "POST", url+"/rounds/7/complete", nil); ended.status != 200 || ended.body["status"] != "completed" || ended.body["phase"] != "complete" || ended.body["progress"] != 100.0 ||
			ended.body["time_remaining"] != 0.0 || ended.body["version"] != 3.0 {
			t.Errorf("completed: %d %s", ended.status, ended.text)
		}
	}
	if got := send(t, "POST", url+"/rounds/7/complete", `{"status":"failed","reason":"rats"}`); got.status != 409 {
		t.Errorf("failed after completion: %d %s", got.status, got.text)
	}
	if got := send(t, "PUT", url+"/rounds/8/progress", strings.Replace(half, `"round_number":1`, `"round_number":2`, 1)); got.status != 200 {
		t.Errorf("the next: %d %s", got.status, got.text)
	}
	if got := send(t, "POST", url+"/rounds/8/complete", `{"status":"failed","reason":"rats"}`); got.status != 200 || got.body["reason"] != "rats" || got.body["phase"] != "training" {
		t.Errorf("failed: %d %s", got.status, got.text)
	}
	if got := ask(t, "GET", url+"/rounds/7", nil); got.text != ended.text {
		t.Errorf("an ended round changed:\n%s\n%s", ended.text, got.text)
	}
	var history []map[string]any
	got := ask(t, "GET", url+"/rounds/history?limit=2", nil)
	if err := json.Unmarshal([]byte(got.text), &history); err != nil || len(history) != 2 {
		t.Fatalf("history: %v %s", err, got.text)
	}
	for i, want := range []map[string]any{
		{"round_number": 2.0, "status": "failed", "reason": "rats", "clients": "0/0", "accuracy_change": nil, "epsilon": 1.25},
		{"round_number": 1.0, "status": "completed", "reason": "", "clients": "1/2", "accuracy_change": nil, "epsilon": 1.25},
	} {
		if diff := cmp.Diff(want, without(history[i], "duration", "start_time", "end_time")); diff != "" {
			t.Errorf("history %d (-want +got):\n%s", i, diff)
		}
	}
	if got := ask(t, "GET", url+"/rounds?limit=1&page=2", nil); got.body["total"] != 2.0 || got.body["rounds"].([]any)[0].(map[string]any)["id"] != 7.0 {
		t.Errorf("rounds: %s", got.text)
	}
	if got := ask(t, "GET", url+"/clients?after=c1&limit=5", nil); !strings.HasPrefix(got.text, `[{"id":"c2"`) {
		t.Errorf("clients: %s", got.text)
	}
	if got := ask(t, "GET", url+"/clients/c2", nil); got.status != 200 || got.text != reported.text {
		t.Errorf("client: %d %s", got.status, got.text)
	}
	var kinds []string
	for range 7 {
		kind, data := message()
		if data["version"] == nil {
			t.Errorf("%s has no version: %v", kind, data)
		}
		if kind == "fl_progress" {
			kind = fmt.Sprint(data["id"], " ", data["status"], " ", data["phase"])
		}
		kinds = append(kinds, kind)
	}
	if diff := cmp.Diff([]string{"7 in-progress distributing", "fl_client", "fl_client", "7 in-progress training", "7 completed complete", "8 in-progress training", "8 failed training"}, kinds); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestFederationRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	const right = `{"round_number":1,"phase":"training","progress":50}`
	with := func(more string) string { return right[:len(right)-1] + "," + more + "}" }
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/rounds/seven", "", 422, "id"},
		{"GET", "/rounds/0", "", 422, "id"},
		{"GET", "/rounds/9", "", 404, "there is no round 9"},
		{"GET", "/rounds?limit=0", "", 422, "limit"},
		{"GET", "/rounds/history?limit=1001", "", 422, "limit"},
		{"GET", "/rounds/current?x=1", "", 422, "this route takes none"},
		{"GET", "/clients?limit=1001", "", 422, "limit"},
		{"GET", "/clients/nobody", "", 404, "there is no client nobody"},
		{"GET", "/clients/No%00body", "", 422, "may not name a client"},
		{"GET", "/clients?after=%00", "", 422, "may not name a client"},
		{"PUT", "/rounds/-1/progress", right, 422, "id"},
		{"PUT", "/rounds/9007199254740992/progress", right, 422, "id"},
		{"PUT", "/rounds/99999999999999999999/progress", right, 422, "id"},
		{"PUT", "/rounds/1/progress", "", 400, "body"},
		{"PUT", "/rounds/1/progress", "{}", 422, "round_number"},
		{"PUT", "/rounds/1/progress", `{"round_number":0,"phase":"training","progress":50}`, 422, "round_number"},
		{"PUT", "/rounds/1/progress", `{"round_number":1,"phase":"complete","progress":50}`, 422, "phase"},
		{"PUT", "/rounds/1/progress", `{"round_number":1,"phase":"training","progress":101}`, 422, "progress"},
		{"PUT", "/rounds/1/progress", with(`"epsilon":-1`), 422, "epsilon"},
		{"PUT", "/rounds/1/progress", with(`"model_accuracy":94`), 422, "model_accuracy"},
		{"PUT", "/rounds/1/progress", with(`"clients_active":3`), 422, "give both or none"},
		{"PUT", "/rounds/1/progress", with(`"encryption":"a\nb"`), 422, "control character"},
		{"PUT", "/rounds/1/progress", with(`"clients":[{"id":"c1","facility_id":"plant-1","status":"asleep"}]`), 422, "clients[0].status"},
		{"PUT", "/rounds/1/progress", with(`"clients":[{"id":"C 1","facility_id":"plant-1","status":"active"}]`), 422, "may not name a client"},
		{"PUT", "/rounds/1/progress", with(`"colour":"red"`), 422, "colour"},
		{"POST", "/rounds/1/complete", "", 404, "there is no round 1"},
		{"POST", "/rounds/1/complete", `{"status":"in-progress"}`, 422, "status"},
		{"PUT", "/clients/c1", "{}", 422, "facility_id"},
		{"PUT", "/clients/C1", `{"facility_id":"plant-1","status":"active"}`, 422, "may not name a client"},
		{"PUT", "/clients/c1", `{"facility_id":"plant-1","status":"active","current_epoch":6,"total_epochs":5}`, 422, "current_epoch 6"},
		{"POST", "/rounds/trigger", "", 409, "runs no federation of its own"},
		{"GET", "/rounds/trigger", "", 405, "does not take GET"},
	} {
		got := send(t, c.method, s.URL+"/api/fl"+c.path, c.body)
		detail, _ := got.body["detail"].(string)
		if got.status != c.status || !strings.Contains(detail, c.says) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %.80s: %d %s, want %d and %q", c.method, c.path, c.body, got.status, got.text, c.status, c.says)
		}
	}
	if got := ask(t, "GET", s.URL+"/api/fl/rounds/current", nil); strings.TrimSpace(got.text) != "null" {
		t.Errorf("something refused was kept: %s", got.text)
	}
	if got := send(t, "PUT", s.URL+"/api/fl/rounds/1/progress", right); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	for body, says := range map[string]string{`{"status":"failed"}`: "reason", `{"reason":"rats"}`: "takes no reason"} {
		if got := send(t, "POST", s.URL+"/api/fl/rounds/1/complete", body); got.status != 422 || !strings.Contains(got.text, says) {
			t.Errorf("%s: %d %s", body, got.status, got.text)
		}
	}
	if got := send(t, "PUT", s.URL+"/api/fl/rounds/2/progress", strings.Replace(right, `"round_number":1`, `"round_number":2`, 1)); got.status != 409 || !strings.Contains(got.text, "round 1 is in progress") {
		t.Errorf("a second round: %d %s", got.status, got.text)
	}
}

func TestSystemStatus(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	if got := ask(t, "GET", s.URL+"/api/system/status?x=1", nil); got.status != 422 {
		t.Errorf("unknown parameter: %d %s", got.status, got.text)
	}
	got := ask(t, "GET", s.URL+"/api/system/status", nil)
	want := map[string]any{"active_alerts": 0.0, "fl_progress": nil, "prediction_accuracy": nil, "facilities": []any{},
		"ingest": map[string]any{"events_per_sec": 0.0, "lag": 0.0, "dropped": 0.0}, "uptime_seconds": 0.0, "version": ""}
	if diff := cmp.Diff(want, got.body); got.status != 200 || diff != "" {
		t.Errorf("%d (-want +got):\n%s", got.status, diff)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	web := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the web app") })
	s := serve(t, func(c *Config) {
		c.Web = web
		c.Authorize = func(given string) bool { return subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 }
	})
	for _, c := range []struct {
		path   string
		status int // with the token
		free   bool
	}{
		{"/livez", 200, true}, {"/readyz", 200, true}, {"/", 200, true}, {"/alerts", 200, true}, {"/apiary", 200, true},
		{"/health", 200, false}, {"/api/alerts", 200, false}, {"/api/system/status", 200, false}, {"/api/nothing", 404, false}, {"/api", 404, false},
		{"/api/alerts/", 404, false}, {"/docs/", 200, false}, {"/docs", 307, false}, {"/openapi.json", 200, false}, {"/openapi.yaml", 200, false},
		{"/ws/x", 404, false}, {"/api/stream?channels=secrets", 422, false}, {"//api/alerts", 307, false},
	} {
		for _, h := range []struct {
			authorization string
			right         bool
		}{{"", false}, {"Bearer " + token, true}, {"bearer " + token, true}, {"Bearer " + token[1:], false}, {"Bearer " + token + "0", false}, {"Bearer ", false}, {"Basic " + token, false}, {token, false}} {
			got := ask(t, "GET", s.URL+c.path, nil, "Authorization", h.authorization)
			want := 401
			if c.free || h.right {
				want = c.status
			}
			if got.status != want {
				t.Errorf("%s with %q: %d %s, want %d", c.path, h.authorization, got.status, got.text, want)
			}
			if want == 401 && (got.header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(got.text, "Authorization")) {
				t.Errorf("%s: %v %s does not say what to do", c.path, got.header, got.text)
			}
		}
	}
	if got := ask(t, "POST", s.URL+"/api/predictions", strings.NewReader("{}")); got.status != 401 {
		t.Errorf("a change without token: %d %s", got.status, got.text)
	}
	if got := ask(t, "OPTIONS", s.URL+"/api/alerts", nil, "Origin", "http://localhost:3000"); got.status != 204 {
		t.Errorf("a preflight, which carries no token: %d %s", got.status, got.text)
	}
	if log := s.log.String(); strings.Contains(log, token[4:20]) {
		t.Error("the log shows the token")
	}
}
