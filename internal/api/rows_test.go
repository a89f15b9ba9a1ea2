package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"breakwater"
	"breakwater/internal/live"
	"breakwater/internal/pipeline"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
	"breakwater/internal/window"

	"github.com/google/go-cmp/cmp"
)

// split gives each row as "number text", and a row that is an error as "number !".
func split(body string, most int) []string {
	all := []string{}
	for r, err := range rows(iotest.OneByteReader(strings.NewReader(body)), most) {
		if err != nil {
			all = append(all, fmt.Sprint(r.number, " !"))
			continue
		}
		all = append(all, fmt.Sprint(r.number, " ", string(r.text)))
	}
	return all
}

func TestRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"nothing", "", []string{}},
		{"blank", " \n\t\r\n ", []string{}},
		{"lines", "{\"a\":1}\n{\"a\":2}\n", []string{`1 {"a":1}`, `2 {"a":2}`}},
		{"the last without an end, blank ones between, carriage returns", "{}\r\n\r\n\n{}", []string{"1 {}", "4 {}"}},
		{"a mark before", "\xef\xbb\xbf{}\n", []string{"1 {}"}},
		{"a line that is too long", "{}\n" + strings.Repeat("x", 100) + "\n{}\n", []string{"1 {}", "2 !", "3 {}"}},
		{"an array", ` [ {"a":[1,2]} , {"b":"],}"} ,3]`, []string{`1 {"a":[1,2]}`, `2 {"b":"],}"}`, "3 3"}},
		{"an empty array", "[]", []string{}},
		{"quotes in an array", `["a\"],[","\\"]`, []string{`1 "a\"],["`, `2 "\\"`}},
		{"a value that is too long", "[" + strings.Repeat("x", 100) + ",{}]", []string{"1 !", "2 {}"}},
		{"an array that ends", `[{},{"a":`, []string{"1 {}", "2 !"}},
		{"a bad value among good ones", `[{},nonsense,{}]`, []string{"1 {}", "2 nonsense", "3 {}"}},
		{"a comma too many", `[{},,{},]`, []string{"1 {}", "2 ", "3 {}"}},
		{"what comes after an array", `[{}] {}`, []string{"1 {}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, split(c.body, 64)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzRows: whatever a body is, its rows are bounded, numbered in order, and those of lines are its lines.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{"", "{}\n{}", "[{},{}]", `["\"",[[{`, "\xef\xbb\xbf[1", "]", strings.Repeat("[", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		last := int64(0)
		for r, err := range rows(strings.NewReader(body), 64) {
			if r.number <= last || len(r.text) > 64 || err == nil && r.text == nil {
				t.Fatalf("row %d after %d: %q %v", r.number, last, r.text, err)
			}
			last = r.number
		}
		if last > int64(len(body))+1 {
			t.Fatalf("%d rows of %d bytes", last, len(body))
		}
	})
}

func seconds(facility string, after int) breakwater.Window {
	return breakwater.Window{FacilityID: facility, Time: time.Date(2026, 3, 1, 8, 0, after, 0, time.UTC), PacketsPerSec: float64(after), Raw: breakwater.RawFeatures{Protocols: map[breakwater.Protocol]int{"modbus": after}}}
}

// lines are values as NDJSON.
func lines[T any](values ...T) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(text(v) + "\n")
	}
	return b.String()
}

func TestIngestNetworkData(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	url := s.URL + "/api/ingest/network-data"
	var all []breakwater.Window
	for i := range 2500 {
		all = append(all, seconds([]string{"north", "south"}[i/10%2], i))
	}
	check := func(got answer, accepted, rejected float64) {
		t.Helper()
		if got.status != 200 || got.body["accepted"] != accepted || got.body["rejected"] != rejected {
			t.Errorf("%d %.300s, want %v accepted, %v rejected", got.status, got.text, accepted, rejected)
		}
	}
	check(ask(t, "POST", url, strings.NewReader(lines(all...)), "Content-Type", "application/x-ndjson"), 2500, 0)
	check(ask(t, "POST", url, strings.NewReader(text(all)), "Content-Type", "application/json"), 2500, 0) // the same again, as an array
	for _, facility := range []string{"north", "south"} {
		got, err := s.store.Windows(t.Context(), facility, all[0].Time, all[2499].End())
		if err != nil || len(got) != 1250 {
			t.Fatalf("%s has %d windows, %v", facility, len(got), err)
		}
		if diff := cmp.Diff(all[10*map[string]int{"north": 0, "south": 1}[facility]], got[0]); diff != "" {
			t.Errorf("(-sent +kept):\n%s", diff)
		}
	}
	if got := ask(t, "GET", s.URL+"/api/context/south/current", nil); len(got.body["timeline"].([]any)) != 30 {
		t.Errorf("the context of south has %d seconds", len(got.body["timeline"].([]any)))
	}

	good := seconds("", 3000)
	mixed := strings.Join([]string{
		text(good), "{", `{"timestamp":"soon"}`, `{"timestamp":"2026-03-01T08:00:00.5Z"}`, `{"facility_id":"No!","timestamp":"2026-03-01T08:00:00Z"}`,
		`{"timestamp":"2026-03-01T08:00:00Z","packets_per_sec":-1}`, `{"timestamp":"2026-03-01T08:00:00Z","protocol_distribution":2}`,
		`{"timestamp":"2026-03-01T08:00:00Z","unique_src_ips":"many"}`, `{"packets_per_sec":1}`, "[]", text(seconds("", 3001)),
	}, "\n")
	got := ask(t, "POST", url+"?facility_id=west", strings.NewReader(mixed))
	check(got, 2, 9)
	for i, e := range got.body["errors"].([]any) {
		if e := e.(map[string]any); e["line"] != float64(i+2) || e["detail"] == "" || strings.Contains(e["detail"].(string), "breakwater.") {
			t.Errorf("error %d is %v", i, e)
		}
	}
	check(ask(t, "POST", url, strings.NewReader(text(good))), 0, 1) // of no facility
	check(ask(t, "POST", url, strings.NewReader("")), 0, 0)
	if got := ask(t, "POST", url+"?facility_id=No!", strings.NewReader("")); got.status != 422 {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := ask(t, "POST", url, strings.NewReader("x"), "Content-Type", "multipart/form-data; boundary=x"); got.status != 415 {
		t.Errorf("a form: %d %s", got.status, got.text)
	}

	small := serve(t, func(c *Config) { c.MaxIngestBytes = 100_000 })
	for _, body := range []interface{ Read([]byte) (int, error) }{strings.NewReader(lines(all...)), struct{ *bytes.Reader }{bytes.NewReader([]byte(lines(all...)))}} {
		if got := ask(t, "POST", small.URL+"/api/ingest/network-data", body); got.status != 413 || !strings.Contains(got.text, "100000") {
			t.Errorf("%d %s", got.status, got.text)
		}
	}
}

func TestIngestDetections(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	url := s.URL + "/api/ingest/detections"
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	found := []breakwater.Detection{detection("north", "10.0.0.11", breakwater.High, at.Add(time.Second)), detection("north", "10.0.0.11", breakwater.Low, at), detection("south", "10.0.0.11", breakwater.High, at)}
	var before string
	for i := range 2 {
		got := ask(t, "POST", url, strings.NewReader(text(found)))
		if got.status != 200 || got.body["accepted"] != 3.0 {
			t.Fatalf("%d %s", got.status, got.text)
		}
		list := ask(t, "GET", s.URL+"/api/alerts", nil)
		if list.body["total"] != 2.0 || !strings.Contains(list.text, `"count":6`) || i > 0 && text(list.body["alerts"]) != before {
			t.Errorf("time %d: %s", i+1, list.text)
		}
		before = text(list.body["alerts"])
	}
	bad := found[0]
	bad.Title = strings.Repeat("x", 600)
	nul := found[0]
	nul.Evidence = "a\x00b"
	got := ask(t, "POST", url, strings.NewReader(lines(bad, nul)+`{"facility_id":"north","time":"2026-03-01T08:00:00Z","layer":1,"model":"m","asset":"a","severity":"awful","confidence":0.5}`))
	if got.status != 200 || got.body["rejected"] != 3.0 || got.body["accepted"] != 0.0 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// The samples of the decoders go the whole way: alerts, assets, windows; and the same again changes nothing.
func TestIngestLogs(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for name, want := range map[string]struct {
		ignored, rejected float64
		alert             string
	}{
		"zeek": {3, 10, ""}, "eve": {2, 9, "suricata:2250008"},
	} {
		sample, err := os.ReadFile(filepath.Join("..", "decode", "testdata", "logs", name+".ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		var before string
		for i := range 2 {
			got := ask(t, "POST", s.URL+"/api/ingest/"+name+"?facility_id="+name, bytes.NewReader(sample))
			if got.status != 200 || got.body["ignored"] != want.ignored || got.body["rejected"] != want.rejected || got.body["accepted"].(float64) < 10 || got.body["events"].(float64) < 10 || got.body["windows"].(float64) < 5 {
				t.Errorf("%s: %d %s", name, got.status, got.text)
			}
			state := ask(t, "GET", s.URL+"/api/alerts?limit=200&facility="+name, nil).text + ask(t, "GET", s.URL+"/api/facilities/"+name+"/assets", nil).text
			if i > 0 && state != before {
				t.Errorf("%s: the same again changed something:\n%s\n%s", name, before, state)
			}
			before = state
		}
		if !strings.Contains(before, `"role":"controller"`) || !strings.Contains(before, want.alert) {
			t.Errorf("%s: %s", name, before)
		}
	}
	if got := ask(t, "POST", s.URL+"/api/ingest/zeek?learn=soon", nil); got.status != 422 {
		t.Errorf("%d %s", got.status, got.text)
	}
	if got := ask(t, "POST", s.URL+"/api/ingest/eve?facility_id=No!", nil); got.status != 422 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// Events as decode prints them give what the packets gave.
func TestIngestEvents(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var events []map[string]any
	for i := range 60 {
		kind, src, dst := "request", map[string]any{"addr": "10.0.0.2", "port": 40001}, map[string]any{"addr": "10.0.0.11", "port": 502}
		events = append(events, map[string]any{"time": at.Add(time.Duration(i) * time.Second), "protocol": "modbus", "kind": kind, "src": src, "dst": dst, "function": 3, "class": "read", "ranged": true, "quantity": 2},
			map[string]any{"time": at.Add(time.Duration(i)*time.Second + time.Millisecond), "protocol": "modbus", "kind": "response", "src": dst, "dst": src, "from_server": true, "joined": true, "function": 3, "class": "read", "ranged": true, "quantity": 2, "values": []int{1, 2}})
	}
	events = append(events, map[string]any{"time": at.Add(59500 * time.Millisecond), "protocol": "modbus", "kind": "request", "src": map[string]any{"addr": "10.0.0.57", "port": 50000}, "dst": map[string]any{"addr": "10.0.0.11", "port": 502}, "function": 5, "class": "write", "ranged": true, "quantity": 1})
	body, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	got := ask(t, "POST", s.URL+"/api/ingest/events?facility_id=north&learn=30s", bytes.NewReader(body))
	if got.status != 200 || got.body["accepted"] != 121.0 || got.body["windows"] != 60.0 || got.body["detections"].(float64) < 1 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	if list := ask(t, "GET", s.URL+"/api/alerts", nil); !strings.Contains(list.text, "write-from-new-host") {
		t.Errorf("%s", list.text)
	}
	bad := `{"time":"0001-01-01T00:00:00Z","protocol":"modbus","kind":"request"}
{"time":"2026-03-01T08:00:00Z","kind":"request"}
{"time":"2026-03-01T08:00:00Z","protocol":"modbus","kind":"request","src":{"addr":"fe80::1%eth0"}}
{"time":"2026-03-01T08:00:00Z","protocol":"modbus","kind":"request","src":{"mac":"zz"}}
{"time":"2026-03-01T08:00:00Z","protocol":"modbus","kind":"request"}`
	got = ask(t, "POST", s.URL+"/api/ingest/events?facility_id=north", strings.NewReader(bad))
	if got.status != 200 || got.body["rejected"] != 4.0 || got.body["accepted"] != 1.0 {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// BenchmarkIngestNetworkData is a million rows over HTTP, in requests of 50,000.
func BenchmarkIngestNetworkData(b *testing.B) {
	const perRequest, requests = 50_000, 20
	bodies := make([]string, requests)
	for i := range bodies {
		var body strings.Builder
		for j := range perRequest {
			w := seconds("north", i*perRequest+j)
			w.BytesPerSec, w.UniqueSrcIPs, w.UniqueDestIPs, w.ProtocolMix, w.AvgPacketSize, w.InterArrivalMS = 3120.5, 6, 6, .61, 74, 23.6
			w.Raw.Functions = map[string]int{"modbus/3": 12, "modbus/1": 4}
			body.WriteString(text(w) + "\n")
		}
		bodies[i] = body.String()
	}
	for name, url := range storetest.Engines() {
		if name == "sqlite memory" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				db, err := store.Open(b.Context(), url(b))
				if err != nil {
					b.Fatal(err)
				}
				if err := db.Migrate(b.Context()); err != nil {
					b.Fatal(err)
				}
				quiet := slog.New(slog.DiscardHandler)
				hub, err := live.New(quiet, nil, nil, "")
				if err != nil {
					b.Fatal(err)
				}
				flow := &pipeline.Server{Store: db, Context: window.NewMemory(), Publish: func(*breakwater.Alert, bool) {}}
				handler, err := New(Config{Store: db, Hub: hub, Flow: flow, Logger: quiet})
				if err != nil {
					b.Fatal(err)
				}
				server := httptest.NewServer(handler)
				b.StartTimer()
				for _, body := range bodies {
					resp, err := http.Post(server.URL+"/api/ingest/network-data", "application/x-ndjson", strings.NewReader(body))
					if err != nil {
						b.Fatal(err)
					}
					var taken Tally
					if err := json.NewDecoder(resp.Body).Decode(&taken); err != nil || taken.Accepted != perRequest {
						b.Fatalf("%+v, %v", taken, err)
					}
					resp.Body.Close()
				}
				b.StopTimer()
				server.Close()
				db.Close()
				b.StartTimer()
			}
			b.ReportMetric(perRequest*requests*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
