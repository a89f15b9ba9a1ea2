package live

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

// TestMain holds that everything a hub began has ended with its Run. Centrifuge leaves a channel up to a second after
// its last listener, hence the patience.
func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(10 * time.Second); code == 0; {
		err := goleak.Find()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// serve is a hub behind a real server; both end with the test.
func serve(t *testing.T, origins ...string) (*Hub, string) {
	t.Helper()
	return serveOver(t, redisURL(t), slog.New(slog.DiscardHandler), origins...)
}

// serveOver is such a hub over a Redis, or, where that is "", over none.
func serveOver(t *testing.T, redisURL string, log *slog.Logger, origins ...string) (*Hub, string) {
	t.Helper()
	h, err := New(log, origins, nil, redisURL)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h.WebSocket())
	mux.Handle("/api/stream", h.Stream())
	server := httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
		h.Close()
	})
	return h, strings.TrimPrefix(server.URL, "http://")
}

// listener is a raw client: JSON lines over a WebSocket.
type listener struct {
	t    *testing.T
	conn *websocket.Conn
	rest []string // lines of the last frame not yet read: one frame may hold several
}

func dial(t *testing.T, host, connect string) *listener {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+host+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	l := &listener{t: t, conn: conn}
	l.say(connect)
	return l
}

func (l *listener) say(line string) {
	l.t.Helper()
	if err := l.conn.WriteMessage(websocket.TextMessage, []byte(line)); err != nil {
		l.t.Fatal(err)
	}
}

// reply is as much of a reply as the tests look at.
type reply struct {
	ID        int `json:"id"`
	Error     *struct{ Message string }
	Connect   json.RawMessage `json:"connect"`
	Subscribe *subscribed     `json:"subscribe"`
	Push      *struct {
		Channel     string
		Unsubscribe json.RawMessage // its place is gone
		Pub         struct {
			Data   json.RawMessage
			Offset uint64
		}
	} `json:"push"`
}

type subscribed struct {
	Epoch        string
	Offset       uint64
	Recovered    bool
	Publications []struct {
		Data   json.RawMessage
		Offset uint64
	}
}

func (l *listener) hear() reply {
	l.t.Helper()
	for len(l.rest) == 0 {
		l.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, data, err := l.conn.ReadMessage()
		if err != nil {
			l.t.Fatal(err)
		}
		l.rest = strings.Split(strings.TrimSpace(string(data)), "\n")
	}
	line := l.rest[0]
	l.rest = l.rest[1:]
	if line == "{}" { // a ping, the first of which comes at any time
		l.say("{}")
		return l.hear()
	}
	var r reply
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		l.t.Fatalf("%s: %v", line, err)
	}
	return r
}

// subscribe is the connect and subscribe that SPEC section 4 shows.
func (l *listener) subscribe(channel, more string) subscribed {
	l.t.Helper()
	if r := l.hear(); r.ID != 1 || r.Connect == nil {
		l.t.Fatalf("the answer to connect is %+v", r)
	}
	l.say(fmt.Sprintf(`{"id":2,"subscribe":{"channel":%q%s}}`, channel, more))
	r := l.hear()
	if r.ID != 2 || r.Subscribe == nil {
		l.t.Fatalf("the answer to subscribe is %+v", r)
	}
	return *r.Subscribe
}

var began = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func alert(n int) *breakwater.Alert {
	a := breakwater.NewAlert(breakwater.Detection{FacilityID: "plant", Time: began.Add(time.Duration(n) * time.Hour), Layer: breakwater.LayerAnomaly,
		Model: "port-scan", Asset: "10.0.0.11", Severity: breakwater.High, Confidence: 0.9, Title: "Port scan", Evidence: "10.0.0.57 tried 20 ports of 10.0.0.11 in 4 s.", Count: 1})
	a.Version = n
	return a
}

func tell(t *testing.T, h *Hub, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := h.Alert(alert(n), n == 1); err != nil {
			t.Fatal(err)
		}
	}
}

func version(t *testing.T, data json.RawMessage) int {
	t.Helper()
	var m struct{ Data struct{ Version int } }
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m.Data.Version
}

func TestTypedByHand(t *testing.T) {
	h, host := serve(t)
	l := dial(t, host, `{"id":1,"connect":{}}`)
	l.subscribe("alerts", "")
	tell(t, h, 1, 2)
	for n, kind := range []string{"alert_created", "alert_updated"} {
		r := l.hear()
		if r.Push == nil || r.Push.Channel != "alerts" {
			t.Fatalf("got %+v, want a publication on alerts", r)
		}
		want, err := json.Marshal(map[string]any{"channel": "alerts", "type": kind, "data": alert(n + 1)})
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		json.Unmarshal(r.Push.Pub.Data, &got)
		json.Unmarshal(want, &wanted)
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", n+1, diff)
		}
	}
}

// Commands may come together, as a person pastes them.
func TestTwoCommandsInOneFrame(t *testing.T) {
	h, host := serve(t)
	l := dial(t, host, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"alerts\"}}")
	if r := l.hear(); r.Connect == nil {
		t.Fatalf("got %+v", r)
	}
	if r := l.hear(); r.Subscribe == nil {
		t.Fatalf("got %+v", r)
	}
	tell(t, h, 1, 1)
	if r := l.hear(); r.Push == nil {
		t.Fatalf("got %+v", r)
	}
}

func TestPing(t *testing.T) {
	_, host := serve(t)
	for _, c := range []struct {
		connect string
		want    string
	}{
		{`{"id":1,"connect":{}}`, `{}`},
		{`{"id":1,"connect":{"name":"js"}}`, `{"ping":25,"pong":true}`},
	} {
		r := dial(t, host, c.connect).hear()
		var got map[string]any
		if err := json.Unmarshal(r.Connect, &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "client")
		delete(got, "version")
		var want map[string]any
		json.Unmarshal([]byte(c.want), &want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.connect, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	_, host := serve(t)
	for _, c := range []struct{ name, say, want string }{
		{"unknown channel", `{"id":2,"subscribe":{"channel":"secrets"}}`, `there is no channel "secrets": the channels are alerts, fl_status, predictions, system`},
		{"publish", `{"id":2,"publish":{"channel":"alerts","data":{}}}`, "not available"},
		{"history", `{"id":2,"history":{"channel":"alerts"}}`, "not available"},
		{"rpc", `{"id":2,"rpc":{"method":"x"}}`, "not available"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := dial(t, host, `{"id":1,"connect":{}}`)
			l.hear()
			l.say(c.say)
			if r := l.hear(); r.Error == nil || r.Error.Message != c.want {
				t.Errorf("got %+v, want the error %q", r, c.want)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	_, host := serve(t, "http://localhost:3000")
	for _, c := range []struct {
		origin string
		want   int
	}{
		{"", http.StatusSwitchingProtocols},
		{"http://" + host, http.StatusSwitchingProtocols},
		{"http://localhost:3000", http.StatusSwitchingProtocols},
		{"http://localhost:3001", http.StatusForbidden},
		{"https://evil.example", http.StatusForbidden},
		{"null", http.StatusForbidden},
		{"://", http.StatusForbidden},
	} {
		t.Run(c.origin, func(t *testing.T) {
			header := http.Header{}
			if c.origin != "" {
				header.Set("Origin", c.origin)
			}
			conn, resp, err := websocket.DefaultDialer.Dial("ws://"+host+"/ws", header)
			if err == nil {
				conn.Close()
			}
			if resp == nil || resp.StatusCode != c.want {
				t.Errorf("got %v (%v), want status %d", resp, err, c.want)
			}
		})
	}
}

func TestRecovery(t *testing.T) {
	h, host := serve(t)
	first := dial(t, host, `{"id":1,"connect":{"name":"test"}}`)
	at := first.subscribe("alerts", "")
	tell(t, h, 1, 3)
	var offset uint64
	for n := 1; n <= 3; n++ {
		r := first.hear()
		offset = r.Push.Pub.Offset
		if v := version(t, r.Push.Pub.Data); v != n {
			t.Fatalf("message %d came at place %d", v, n)
		}
	}
	first.conn.NetConn().Close() // the network goes, no goodbye
	tell(t, h, 4, 20)

	second := dial(t, host, `{"id":1,"connect":{"name":"test"}}`)
	got := second.subscribe("alerts", fmt.Sprintf(`,"recover":true,"epoch":%q,"offset":%d`, at.Epoch, offset))
	if !got.Recovered || len(got.Publications) != 17 {
		t.Fatalf("recovered %v with %d messages, want 17", got.Recovered, len(got.Publications))
	}
	tell(t, h, 21, 21)
	for i, p := range got.Publications {
		if v := version(t, p.Data); v != 4+i {
			t.Errorf("message %d came at place %d", v, 4+i)
		}
	}
	if v := version(t, second.hear().Push.Pub.Data); v != 21 {
		t.Errorf("after recovery message %d came, want 21", v)
	}

	// What another run of the server sent cannot be recovered, and the listener is told.
	third := dial(t, host, `{"id":1,"connect":{"name":"test"}}`)
	if got := third.subscribe("alerts", `,"recover":true,"epoch":"else","offset":1`); got.Recovered {
		t.Error("recovered from the history of another run")
	}
}

func TestSlowReaderIsCutAndNobodyWaits(t *testing.T) {
	h, host := serve(t)
	slow := dial(t, host, `{"id":1,"connect":{"name":"slow"}}`)
	slow.subscribe("alerts", "")
	slowStream, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer slowStream.Close()
	fmt.Fprintf(slowStream, "GET /api/stream?channels=alerts HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
	if _, err := http.ReadResponse(bufio.NewReaderSize(slowStream, 1), nil); err != nil { // it is connected, and reads no more
		t.Fatal(err)
	}
	quick := dial(t, host, `{"id":1,"connect":{"name":"quick"}}`)
	quick.subscribe("alerts", "")

	// Far more than a queue and the system's buffers hold; the slow one reads nothing meanwhile.
	a := alert(1)
	a.Description = strings.Repeat("x", 64<<10)
	const total = 400
	for n := 1; n <= total; n++ {
		a.Version = n
		if err := h.Alert(a, false); err != nil {
			t.Fatal(err)
		}
		if v := version(t, quick.hear().Push.Pub.Data); v != n {
			t.Fatalf("the quick one got message %d, want %d", v, n)
		}
	}
	heard := 0
	for ; ; heard++ {
		slow.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, _, err := slow.conn.ReadMessage(); err != nil {
			if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
				t.Fatal("the slow one was not cut")
			}
			break
		}
	}
	if heard == total {
		t.Error("the slow one got everything: this test shows nothing")
	}
	slowStream.SetReadDeadline(time.Now().Add(20 * time.Second))
	switch got, err := io.Copy(io.Discard, slowStream); {
	case err != nil:
		t.Errorf("the slow stream was not cut: %v", err)
	case got >= total*64<<10:
		t.Error("the slow stream got everything: this test shows nothing")
	}
}

// events reads a stream as a browser does: fields up to an empty line.
func events(t *testing.T, ctx context.Context, host, query, lastID string) func() map[string]string {
	t.Helper()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/api/stream"+query, nil)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("content type %q, status %d", got, resp.StatusCode)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() map[string]string {
		t.Helper()
		event := map[string]string{}
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			if lines.Text() == "" && len(event) > 0 {
				return event
			}
			if name != "" && name != ":" {
				event[name] = value
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return nil
	}
}

func TestStream(t *testing.T) {
	h, host := serve(t)
	ctx, drop := context.WithCancel(context.Background())
	next := events(t, ctx, host, "?channels=alerts,system", "")
	lastID := next()["id"] // connected
	if lastID == "" {
		t.Fatal("no id to go on from")
	}
	tell(t, h, 1, 2)
	for n := 1; n <= 2; n++ {
		e := next()
		if v := version(t, json.RawMessage(e["data"])); v != n {
			t.Fatalf("message %d came at place %d", v, n)
		}
		lastID = e["id"]
	}
	drop()
	tell(t, h, 3, 5)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	next = events(t, ctx, host, "?channels=alerts,system", lastID)
	for n := 3; n <= 5; n++ {
		if v := version(t, json.RawMessage(next()["data"])); v != n {
			t.Fatalf("message %d came at place %d", v, n)
		}
	}
	next() // the place
	tell(t, h, 6, 6)
	if v := version(t, json.RawMessage(next()["data"])); v != 6 {
		t.Errorf("message %d came, want 6", v)
	}
}

func TestStreamSaysReloadWhereHistoryIsGone(t *testing.T) {
	h, host := serve(t)
	tell(t, h, 1, 3)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	next := events(t, ctx, host, "?channels=alerts", "alerts:else:2")
	if e := next(); e["event"] != "reload" || e["data"] != `{"channel":"alerts"}` {
		t.Errorf("got %v, want reload", e)
	}
}

func TestParseChannels(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
		err  bool
	}{
		{"", channels, false},
		{"system,alerts,system", []string{"alerts", "system"}, false},
		{"alerts,secrets", nil, true},
		{"alerts,", nil, true},
		{strings.Repeat("x", 1000), nil, true},
	} {
		got, err := ParseChannels(c.in)
		if (err != nil) != c.err || !cmp.Equal(got, c.want) {
			t.Errorf("ParseChannels(%.20q) = %v, %v", c.in, got, err)
		}
		if err != nil && breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("ParseChannels(%.20q): kind %v", c.in, breakwater.KindOf(err))
		}
	}
}

func TestPositions(t *testing.T) {
	at := map[string]position{"alerts": {"abcd", 7}, "system": {"efgh", 1}}
	if got := parsePositions(formatPositions(at)); !cmp.Equal(got, at) {
		t.Errorf("got %v, want %v", got, at)
	}
	for _, bad := range []string{"", "alerts", "alerts:x", "alerts:x:-1", "alerts:x:y", "secrets:x:1", ",,,:::"} {
		if got := parsePositions(bad); len(got) != 0 {
			t.Errorf("parsePositions(%q) = %v", bad, got)
		}
	}
}

func TestLogIsPassedOn(t *testing.T) {
	var log lines
	h, err := New(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), nil, nil, redisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h.WebSocket())
	defer server.Close()
	resp, err := http.Get(server.URL) // no upgrade
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.Run(ctx); err != nil {
		t.Fatal(err)
	}
	h.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a request that is no WebSocket got status %d", resp.StatusCode)
	}
	if !strings.Contains(log.String(), `level=DEBUG msg=live message="websocket upgrade error"`) {
		t.Errorf("the log says nothing of it:\n%s", log.String())
	}
}
