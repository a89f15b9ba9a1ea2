package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater/internal/attack"
	"breakwater/internal/capture"
	"breakwater/internal/plant"

	"github.com/google/go-cmp/cmp"
)

// traffic is a capture of the simulated plant.
func traffic(t *testing.T, start time.Time, length time.Duration, attacks ...string) []byte {
	t.Helper()
	o := plant.Options{Seed: 1, Start: start, Duration: length}
	for _, text := range attacks {
		a, err := plant.ParseAttack(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Attacks = append(o.Attacks, a)
	}
	var b bytes.Buffer
	w := capture.NewWriter(&b, capture.PCAP)
	for p, err := range plant.Packets(o) {
		if err == nil {
			err = w.Write(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func feed(t *testing.T, s *whole, query string, pcap []byte) {
	t.Helper()
	if got := ask(t, "POST", s.URL+"/api/ingest/pcap?facility_id="+query, bytes.NewReader(pcap)); got.status != 200 || got.body["rejected"] != 0.0 {
		t.Fatalf("%d %s", got.status, got.text)
	}
}

// ids are the technique ids of a prediction's list.
func ids(p map[string]any) (all []string) {
	for _, x := range p["predicted_techniques"].([]any) {
		all = append(all, x.(map[string]any)["technique_id"].(string))
	}
	return all
}

// From packets alone: a scan of the plant makes a prediction, the unauthorised write that follows bears it out; a page
// that listens sees both happen; the same capture again changes nothing; and on another facility, of which nothing more
// comes in time, what was predicted expires.
func TestPredictionFromPackets(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	message := listen(t, s.URL, "predictions")
	whole := traffic(t, time.Time{}, 100*time.Second, "port-scan@60s", "unauthorised-write@80s")
	feed(t, s, "plant-1&learn=50s", whole)

	// The messages tell, in order, what the list says at the end.
	list := ask(t, "GET", s.URL+"/api/predictions?facility=plant-1&limit=200", nil)
	var all, validated []map[string]any
	for _, p := range list.body["predictions"].([]any) {
		p := p.(map[string]any)
		all = append(all, p)
		if p["status"] == "validated" {
			validated = append(validated, p)
		}
	}
	if len(all) < 2 || len(validated) == 0 {
		t.Fatalf("%s", list.text)
	}
	told, versions := map[string]map[string]any{}, 0.0
	for _, p := range all {
		versions += p["version"].(float64)
	}
	kinds := map[string]string{}
	for versions > 0 {
		kind, data := message()
		id := data["id"].(string)
		if before := told[id]; data["version"] != 1.0 && (before == nil || before["version"].(float64)+1 != data["version"]) || (data["version"] == 1.0) != (kind == "prediction_created") {
			t.Errorf("%s of version %v came after %v", kind, data["version"], before["version"])
		}
		if (kind == "prediction_validated") != (data["status"] == "validated" && told[id]["status"] == "open") {
			t.Errorf("%s of a prediction that is %v and was %v", kind, data["status"], told[id]["status"])
		}
		told[id] = data
		kinds[id] += kind + " "
		versions--
	}
	for _, p := range all {
		if diff := cmp.Diff(p, told[p["id"].(string)]); diff != "" {
			t.Errorf("the last message differs from the list (-list +message):\n%s", diff)
		}
	}

	for query, want := range map[string]bool{"technique=T0855": true, "technique=T9999": false, "technique=T9999,T0855&status=validated": true} {
		got := ask(t, "GET", s.URL+"/api/predictions?facility=plant-1&limit=200&"+query, nil)
		if got.status != 200 || (got.body["total"] != 0.0) != want {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
		for _, p := range got.body["predictions"].([]any) {
			if p := p.(map[string]any); !slices.Contains(ids(p), "T0855") {
				t.Errorf("%s: %v", query, p)
			}
		}
	}
	first := all[len(all)-1] // the oldest
	if !slices.Contains(ids(first), "T0855") || first["status"] != "validated" || first["source"] != "breakwater" || !strings.HasPrefix(kinds[first["id"].(string)], "prediction_created ") {
		t.Errorf("the first: %v, told of as %s", first, kinds[first["id"].(string)])
	}
	seen, _ := json.Marshal(first["seen_techniques"])
	if !strings.Contains(string(seen), "T0846") {
		t.Errorf("made from %s", seen)
	}
	borneOut := 0
	for i, x := range first["predicted_techniques"].([]any) {
		x := x.(map[string]any)
		if why := x["why"].([]any); x["rank"] != float64(i+1) || len(why) == 0 || why[0].(map[string]any)["name"] == "" || x["probability"].(float64) <= 0 {
			t.Errorf("%v", x)
		}
		if x["observed_at"] == nil {
			continue
		}
		borneOut++
		alert := ask(t, "GET", s.URL+"/api/alerts/"+x["observed_in"].(string), nil)
		techniques, _ := json.Marshal(alert.body["techniques"])
		if alert.status != 200 || !strings.Contains(string(techniques), x["technique_id"].(string)) {
			t.Errorf("%v: %d %s", x, alert.status, alert.text)
		}
	}
	if borneOut == 0 || first["validation_time"] == nil {
		t.Errorf("nothing of it was seen: %v", first)
	}
	if got := ask(t, "GET", s.URL+"/api/system/status", nil); got.body["prediction_accuracy"] != 1.0 {
		t.Errorf("accuracy %v, want 1: nothing has expired", got.body["prediction_accuracy"])
	}

	feed(t, s, "plant-1", whole)
	if again := ask(t, "GET", s.URL+"/api/predictions?facility=plant-1&limit=200", nil); again.text != list.text {
		t.Errorf("a replay changed predictions:\n%s\n%s", list.text, again.text)
	}

	// At another facility nothing comes of it. Eight days later by the data's time, all timeframes are over.
	start := plant.DefaultStart
	feed(t, s, "plant-2&learn=50s", traffic(t, start, 70*time.Second, "port-scan@60s"))
	open := ask(t, "GET", s.URL+"/api/predictions?facility=plant-2&status=open", nil)
	if open.body["total"].(float64) == 0 {
		t.Fatalf("%s", open.text)
	}
	feed(t, s, "plant-2", traffic(t, start.Add(8*24*time.Hour), 5*time.Second))
	for range int(open.body["total"].(float64)) {
		kind := ""
		var data map[string]any
		for kind != "prediction_expired" {
			kind, data = message()
		}
		if data["status"] != "expired" || data["facility_id"] != "plant-2" || data["validated"] != false {
			t.Errorf("%s %v", kind, data)
		}
	}
	expired := ask(t, "GET", s.URL+"/api/predictions?status=expired,validated&facility=plant-2", nil)
	if expired.body["total"] != open.body["total"] {
		t.Errorf("%s\nwere open: %s", expired.text, open.text)
	}
	n, gone := float64(len(validated)), expired.body["total"].(float64)
	if got := ask(t, "GET", s.URL+"/api/system/status", nil); got.body["prediction_accuracy"] != n/(n+gone) {
		t.Errorf("accuracy %v, want %v of %v", got.body["prediction_accuracy"], n, n+gone)
	}
}

// What a detector outside reports makes predictions as our own alerts do, and what an engine outside predicts is
// validated by our alerts, whichever comes first, and in words that it chose.
func TestPredictionsOfOthers(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	message := listen(t, s.URL, "predictions")
	report := func(technique, at string) answer {
		return send(t, "POST", s.URL+"/api/alerts", fmt.Sprintf(`{"facility_id":"plant-1","severity":"high","title":"%s","description":"","attack_type":"%s","external_id":"%s %s",
			"sources":[{"layer":1,"model_name":"ids","confidence":0.9,"detection_time":"%s","evidence":"seen"}]}`, technique, technique, technique, at, at))
	}
	if got := report("T0846", "2026-03-01T08:00:00Z"); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	kind, own := message()
	if kind != "prediction_created" || own["source"] != "breakwater" || own["current_technique_name"] != "Remote System Discovery" || own["timestamp"] != "2026-03-01T08:00:00Z" {
		t.Errorf("%s %v", kind, own)
	}
	predict := func(at, technique, frame string) answer {
		return send(t, "POST", s.URL+"/api/predictions", fmt.Sprintf(`{"timestamp":"%s","facility_id":"plant-1","source":"forecaster","current_technique":"T0846",
			"predicted_techniques":[{"technique_id":"%s","probability":0.5,"rank":1,"timeframe":"%s"}]}`, at, technique, frame))
	}
	// T1692.001 is what version 19 calls T0855.
	early := predict("2026-03-01T08:01:00Z", "T1692.001", "15-60 minutes")
	if kind, data := message(); kind != "prediction_created" || early.status != 201 || data["id"] != early.body["id"] || data["status"] != "open" {
		t.Errorf("%s %v; %d %s", kind, data, early.status, early.text)
	}
	report("T0855", "2026-03-01T08:30:00Z")
	report("T0855", "2026-03-01T08:30:00Z") // told twice
	happened := map[string]int{}
	for range 3 { // of T0855, of ours, which names it too, and of the other's
		kind, data := message()
		happened[kind]++
		if kind == "prediction_validated" && data["validation_time"] != "2026-03-01T08:30:00Z" {
			t.Errorf("%v", data)
		}
	}
	if happened["prediction_created"] != 1 || happened["prediction_validated"] != 2 {
		t.Errorf("%v", happened)
	}
	for _, c := range []struct {
		at, frame, status string
	}{{"2026-03-01T08:29:00Z", "within 2 minutes", "validated"}, {"2026-03-01T08:31:00Z", "", "open"}} {
		if got := predict(c.at, "T0855", c.frame); got.status != 201 || got.body["status"] != c.status {
			t.Errorf("reported late: %d %s, want %s", got.status, got.text, c.status)
		}
	}
	if got := send(t, "POST", s.URL+"/api/predictions", `{"source":"breakwater","current_technique":"T0846","predicted_techniques":[{"technique_id":"T0855","probability":1,"rank":1}]}`); got.status != 422 || !strings.Contains(got.text, "source") {
		t.Errorf("in our name: %d %s", got.status, got.text)
	}
}

func TestPredict(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	url := s.URL + "/api/predictions/predict"
	first := send(t, "POST", url, `{"techniques":["T0846","T9999"],"current_technique":"T0855","limit":3}`)
	if first.status != 200 || len(ids(first.body)) != 3 || first.body["current_technique_name"] != "Unauthorized Command Message" || !cmp.Equal(first.body["seen_techniques"], any([]any{"T0846", "T0855"})) ||
		!cmp.Equal(first.body["unknown_techniques"], any([]any{"T9999"})) {
		t.Errorf("%d %s", first.status, first.text)
	}
	later := send(t, "POST", url, `{"techniques":["T1692.001","T0846"],"limit":3}`) // the same, in other words
	if diff := cmp.Diff(first.body["predicted_techniques"], later.body["predicted_techniques"]); diff != "" {
		t.Errorf("%s", diff)
	}
	report := send(t, "POST", s.URL+"/api/alerts", `{"facility_id":"plant-1","severity":"high","title":"x","description":"","attack_type":"T0846","sources":[{"layer":1,"model_name":"ids","confidence":0.9,"detection_time":"2026-03-01T08:00:00Z","evidence":"seen"}]}`)
	kept := ask(t, "GET", s.URL+"/api/predictions/latest", nil)
	for _, body := range []string{`{"facility_id":"plant-1"}`, `{"alert_id":"` + report.body["id"].(string) + `"}`, `{"techniques":["T0846"]}`} {
		got := send(t, "POST", url, body)
		if diff := cmp.Diff(kept.body["predicted_techniques"], got.body["predicted_techniques"]); got.status != 200 || diff != "" {
			t.Errorf("%s: %d (-kept +answered):\n%s", body, got.status, diff)
		}
	}
	if got := ask(t, "GET", s.URL+"/api/predictions", nil); got.body["total"] != 1.0 {
		t.Errorf("an answer was kept: %s", got.text)
	}
	send(t, "POST", s.URL+"/api/predictions", `{"facility_id":"dam","current_technique":"T0846","predicted_techniques":[{"technique_id":"T0855","probability":1,"rank":1}]}`)
	for body, want := range map[string]string{
		`{}`: "techniques are missing", `{"techniques":["T855"]}`: "it looks like T0855", `{"techniques":["T9999"]}`: "are none of ATT&CK for ICS", `{"facility_id":"nowhere"}`: "there is no facility nowhere",
		`{"facility_id":"dam"}`: "has shown no technique", `{"facility_id":"No!"}`: "facility id", `{"alert_id":"019c8a04-7a00-7c9e-9d0a-2f4c1b7f3e11"}`: "there is no alert",
		`{"techniques":["T0846"],"limit":0}`: "limit", `{"technique":"T0846"}`: "technique",
	} {
		if got := send(t, "POST", url, body); got.status != 422 && got.status != 404 || !strings.Contains(fmt.Sprint(got.body["detail"]), want) {
			t.Errorf("%s: %d %s, want %q", body, got.status, got.text, want)
		}
	}
}

func TestMitre(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	url := s.URL + "/api/mitre"
	empty := ask(t, "GET", url+"/graph", nil)
	if empty.status != 200 || empty.text != `{"nodes":[],"links":[]}`+"\n" {
		t.Errorf("an empty graph: %d %s", empty.status, empty.text)
	}
	feed(t, s, "plant-1&learn=50s", traffic(t, time.Time{}, 100*time.Second, "port-scan@60s", "unauthorised-write@80s"))

	graph := ask(t, "GET", url+"/graph?facility=plant-1", nil)
	nodes := map[string]map[string]any{}
	for _, n := range graph.body["nodes"].([]any) {
		n := n.(map[string]any)
		if nodes[n["id"].(string)] != nil {
			t.Errorf("%v stands twice", n["id"])
		}
		nodes[n["id"].(string)] = n
	}
	if n := nodes["T0855"]; n == nil || n["type"] != "current" || n["probability"] != 1.0 || !cmp.Equal(n["tactics"], any([]any{"Impair Process Control"})) || n["alerts"] == 0.0 {
		t.Errorf("%v", n)
	}
	scan := nodes["T0846"] // a minute after the capture's beginning, and not in its last seconds
	if first, err := time.Parse(time.RFC3339Nano, fmt.Sprint(scan["first_seen"])); err != nil || first.Before(plant.DefaultStart.Add(60*time.Second)) || first.After(plant.DefaultStart.Add(80*time.Second)) || !cmp.Equal(scan["facilities"], any([]any{"plant-1"})) {
		t.Errorf("%v", scan)
	}
	predicted, kinds := 0, map[string]int{}
	for _, n := range nodes {
		if n["type"] == "predicted" {
			predicted++
			if p := n["probability"].(float64); p <= 0 || p >= 1 || n["alerts"] != 0.0 || n["first_seen"] != nil || n["last_seen"] != nil || len(n["facilities"].([]any)) != 0 {
				t.Errorf("%v", n)
			}
		}
	}
	for _, l := range graph.body["links"].([]any) {
		l := l.(map[string]any)
		kinds[l["type"].(string)]++
		if nodes[l["source"].(string)] == nil || nodes[l["target"].(string)] == nil || l["source"] == l["target"] {
			t.Errorf("%v leads nowhere", l)
		}
	}
	if predicted == 0 || kinds["observed"]+kinds["validated"] == 0 || kinds["validated"] == 0 || kinds["predicted"] == 0 {
		t.Errorf("%d predicted, links %v: %s", predicted, kinds, graph.text)
	}
	if other := ask(t, "GET", url+"/graph?facility=plant-2", nil); other.text != empty.text {
		t.Errorf("another facility: %s", other.text)
	}

	// Of a stretch of time, all three show what went on in it.
	at := func(d time.Duration) string { return plant.DefaultStart.Add(d).UTC().Format(time.RFC3339) }
	for query, want := range map[string]bool{"": true, "span=all": true, "span=recent": true, "to=" + at(79*time.Second): false, "from=" + at(70*time.Second) + "&to=" + at(time.Hour): true, "time_range=24h": false} {
		graph, matrix, layer := ask(t, "GET", url+"/graph?"+query, nil), ask(t, "GET", url+"/matrix?"+query, nil), ask(t, "GET", url+"/layer?"+query, nil)
		shows := map[string]bool{"graph": strings.Contains(graph.text, `"id":"T0855","name":"Unauthorized Command Message","type":"current"`),
			"matrix": !strings.Contains(matrix.text, `"id":"T0855","name":"Unauthorized Command Message","alerts":0`), "layer": strings.Contains(layer.text, `"techniqueID":"T0855","tactic":"impair-process-control","score":100`)}
		if diff := cmp.Diff(map[string]bool{"graph": want, "matrix": want, "layer": want}, shows); diff != "" {
			t.Errorf("%s: which of them show the write (-want +got):\n%s", query, diff)
		}
	}
	for query, says := range map[string]string{"span=ever": "span", "span=all&time_range=24h": "span and a time are both given", "time_range=24h&from=" + at(0): "both given", "to=yesterday": "to", "facility=A": "not allowed"} {
		for _, what := range []string{"graph", "matrix", "layer"} {
			if got := ask(t, "GET", url+"/"+what+"?"+query, nil); got.status != 422 || !strings.Contains(fmt.Sprint(got.body["detail"]), says) {
				t.Errorf("%s?%s: %d %s, want %q", what, query, got.status, got.text, says)
			}
		}
	}

	stats := ask(t, "GET", s.URL+"/api/alerts/stats", nil).body["by_technique"].(map[string]any)
	matrix := ask(t, "GET", url+"/matrix", nil)
	tactics := matrix.body["tactics"].([]any)
	cells := 0
	for _, tactic := range tactics {
		for _, x := range tactic.(map[string]any)["techniques"].([]any) {
			x := x.(map[string]any)
			cells++
			if want, _ := stats[x["id"].(string)].(float64); x["alerts"] != want {
				t.Errorf("%v, and the statistics say %v", x, want)
			}
			if n := nodes[x["id"].(string)]; n != nil && n["type"] == "predicted" && (x["probability"] != n["probability"] || x["predictions"] == 0.0) {
				t.Errorf("%v, and the graph says %v", x, n)
			}
		}
	}
	if len(tactics) != 12 || cells != 94 || matrix.body["version"] != "18.1" {
		t.Errorf("%d tactics with %d techniques of version %v", len(tactics), cells, matrix.body["version"])
	}

	layer := ask(t, "GET", url+"/layer?facility=plant-1", nil)
	marked := layer.body["techniques"].([]any)
	if layer.status != 200 || !strings.Contains(layer.header.Get("Content-Disposition"), "breakwater-layer.json") || layer.body["domain"] != "ics-attack" || layer.body["versions"].(map[string]any)["layer"] != "4.5" || len(marked) < len(nodes) {
		t.Errorf("%d %s", layer.status, layer.text)
	}
	for _, x := range marked {
		x := x.(map[string]any)
		n := nodes[x["techniqueID"].(string)]
		if n == nil || n["type"] == "current" && (x["score"] != 100.0 || !strings.Contains(x["comment"].(string), "seen in ")) || n["type"] == "predicted" && x["score"].(float64) != 100*n["probability"].(float64) {
			t.Errorf("%v, and the graph says %v", x, n)
		}
	}
	if got := ask(t, "GET", url+"/layer?facility=No!", nil); got.status != 422 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestTechniques(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	resp, err := http.Get(s.URL + "/api/mitre/techniques")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []Technique
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil || len(all) != 83 {
		t.Fatalf("%d techniques, %v", len(all), err)
	}
	for _, x := range all {
		for _, id := range append([]string{x.ID}, x.OtherIDs...) { // each under any of its ids
			got := ask(t, "GET", s.URL+"/api/mitre/technique/"+id, nil)
			if got.status != 200 || got.body["id"] != x.ID || got.body["name"] != x.Name || len(got.body["tactics"].([]any)) == 0 {
				t.Errorf("%s: %d %s, want %s", id, got.status, got.text, x.ID)
			}
		}
	}
	got := ask(t, "GET", s.URL+"/api/mitre/technique/t1692.001", nil)
	if !cmp.Equal(got.body["stands_for"], any([]any{"T0855"})) || !strings.Contains(got.body["description"].(string), "attack import") || len(got.body["mitigation"].([]any)) == 0 ||
		len(got.body["detection"].([]any)) == 0 || len(got.body["affected_assets"].([]any)) == 0 || len(got.body["used_by"].([]any)) == 0 || got.body["url"] != "https://attack.mitre.org/techniques/T0855/" {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := ask(t, "GET", s.URL+"/api/mitre/technique/T1692", nil); got.status != 200 || got.body["version"] != "19.1" || len(got.body["stands_for"].([]any)) < 2 {
		t.Errorf("only version 19 has it: %d %s", got.status, got.text)
	}
	for id, want := range map[string]string{"T9999": "there is no technique T9999 in ATT&CK for ICS 18.1 (ids of 19.1 are understood too)", "S0604": "is no id of a technique but Industroyer, a software",
		"Denial%20of%20Service": "is no id", "%00": "there is no technique"} {
		if got := ask(t, "GET", s.URL+"/api/mitre/technique/"+id, nil); got.status != 404 || !strings.Contains(fmt.Sprint(got.body["detail"]), want) {
			t.Errorf("%s: %d %s, want %q", id, got.status, got.text, want)
		}
	}
	doc, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	notice, _ := json.Marshal(attack.Notice())
	if !bytes.Contains(doc, bytes.Trim(notice, `"`)) {
		t.Error("the description lacks MITRE's notice")
	}
}
