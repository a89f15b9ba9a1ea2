package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A body is read as JSON Schema reads it, and one that is wrong is the client's matter, told in the words of its fields.
func TestBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	const report = `{"facility_id":"north","severity":"high","title":"Firmware changed","description":"d","sources":[{"layer":%s,"model_name":"watch",` +
		`"confidence":0.9,"detection_time":"2026-03-01T08:00:00Z","evidence":"e"%s}]%s}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		says                     string
		headers                  []string
	}{
		{"a whole number with a point", "POST", "/api/alerts", fmt.Sprintf(report, "1.0", "", ""), 201, `"layer":1`, nil},
		{"a whole number with an exponent", "POST", "/api/alerts", fmt.Sprintf(report, "0.2e1", "", ""), 201, `"layer":2`, nil},
		{"a broken number", "POST", "/api/alerts", fmt.Sprintf(report, "1.5", "", ""), 422, "layer: expected integer", nil},
		{"null is absent", "POST", "/api/alerts", fmt.Sprintf(report, "1", `,"conversation":null,"context_evidence":null`, `,"external_id":null,"attack_type":null`), 201, `"attack_type":""`, nil},
		{"null where a value must be", "POST", "/api/alerts", fmt.Sprintf(report, "null", "", ""), 422, "layer", nil},
		{"a port that is none", "POST", "/api/alerts", fmt.Sprintf(report, "1", `,"conversation":{"port":70000}`, ""), 422, "conversation.port: expected number <= 65535, not 70000", nil},
		{"more than an integer holds", "PUT", "/api/facilities/north/sensor", `{"version":"1","source":"eth0","time":"2026-03-01T08:00:00Z","spooled_bytes":1e30,"lost_windows":0,"lost_detections":0}`,
			422, "body parameter spooled_bytes: a number is not possible here, or not this one", nil},
		{"no body", "PUT", "/api/facilities/north/sensor", "", 400, "request body is required", nil},
		{"no JSON", "POST", "/api/mutes", "{", 400, "unexpected end", nil},
		{"another media type", "POST", "/api/mutes", "<a/>", 415, "unknown content type", []string{"Content-Type", "text/xml"}},
		{"too large", "POST", "/api/mutes", `{"reason":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "request body is too large", nil},
		{"no batch of another facility's query", "POST", "/api/ingest/batches?facility_id=No!", "", 422, "facility_id", nil},
		{"no rows", "POST", "/api/ingest/batches", "", 200, `"accepted":0,"rejected":0`, nil},
		{"a form", "POST", "/api/ingest/events", "--x--", 415, "--data-binary", []string{"Content-Type", "multipart/form-data; boundary=x"}},
		{"a window that cannot be", "POST", "/api/ingest/batches?facility_id=north", `{"windows":[{"facility_id":"north","timestamp":"2026-03-01T08:00:00Z","failed_connections":-1}]}`,
			200, `"rejected":1,"errors":[{"line":1,"detail":"a window of facility north has failed_connections -1, which cannot be"`, nil},
		{"an event that would fill a second beyond measure", "POST", "/api/ingest/events?facility_id=north", `{"time":"2026-03-01T08:00:00Z","protocol":"modbus","kind":"request","length":9223372036854775806}` + "\n" +
			`{"time":"2026-03-01T08:00:00Z","protocol":"modbus","kind":"request","length":12}`, 200, `"accepted":1,"rejected":1`, nil},
		{"an event that cannot be", "POST", "/api/ingest/events?facility_id=north", `{"time":"2026-03-01T08:00:00Z","protocol":"modbus","kind":"request","length":-1}`, 200, `"rejected":1`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := c.headers
			if headers == nil {
				headers = []string{"Content-Type", "application/json"}
			}
			if got := ask(t, c.method, s.URL+c.path, strings.NewReader(c.body), headers...); got.status != c.status || !strings.Contains(got.text, c.says) {
				t.Errorf("%d %s\nwant %d and %s", got.status, got.text, c.status, c.says)
			}
		})
	}
}

// A body whose chunks are none is no fault of the server.
func TestBodyCutShort(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /api/mutes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"rea\r\nno chunk\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 400 || !strings.Contains(string(text), "the body cannot be read to its end") {
		t.Errorf("%d %s %v", resp.StatusCode, text, err)
	}
}

// What is asked for in a way that would answer something else is refused.
func TestAskedAmiss(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		says, header string
	}{
		{"GET", "/api/alerts?facility=", 422, "query parameter facility is empty: give it a value, or leave it away", ""},
		{"GET", "/api/alerts/export?to=", 422, "query parameter to is empty", ""},
		{"GET", "/api/facilities/north/assets?zone=", 422, "query parameter zone is empty", ""},
		{"POST", "/api/ingest/events?learn=", 422, "query parameter learn is empty", ""},
		{"GET", "/api/stream?channels=", 422, "query parameter channels is empty", ""},
		{"GET", "/api/alerts?search=&cursor=", 200, `"alerts":[]`, ""},
		{"GET", "/api/fl/clients?after=", 200, "[]", ""},
		{"GET", "/api/alerts/status", 405, "does not take GET: use POST", "Allow: POST"},
		{"PUT", "/api/alerts/status", 405, "use POST", "Allow: POST"},
		{"GET", "/ws", 426, "here is a WebSocket", "Upgrade: websocket"},
	} {
		got := ask(t, c.method, s.URL+c.path, nil)
		name, value, _ := strings.Cut(c.header, ": ")
		if got.status != c.status || !strings.Contains(got.text, c.says) || got.header.Get(name) != value {
			t.Errorf("%s %s: %d %s %v\nwant %d, %q and %s", c.method, c.path, got.status, got.text, got.header, c.status, c.says, c.header)
		}
	}
}

// Each route refuses what it does not know, the same way.
func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("{version}", "1", "{facility_id}", "north", "{client}", "north", "{alert_id}", "01930a7e-3c00-7abc-8def-0123456789ab")
	for pattern := range d.answered {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "/ws" { // Centrifuge's clients have some of their own
			continue
		}
		id := "01930a7e-3c00-7abc-8def-0123456789ab"
		switch {
		case strings.Contains(path, "/fl/rounds/"):
			id = "1"
		case strings.Contains(path, "/facilities/"), strings.Contains(path, "/fl/"):
			id = "north"
		}
		path = strings.ReplaceAll(filled.Replace(path), "{id}", id)
		got := ask(t, method, s.URL+path+"?colour=red", strings.NewReader("{}"), "Content-Type", "application/json")
		if detail, _ := got.body["detail"].(string); got.status != 422 || !strings.Contains(detail, "there is no query parameter colour: ") {
			t.Errorf("%s: %d %s", pattern, got.status, got.text)
		}
	}
}
