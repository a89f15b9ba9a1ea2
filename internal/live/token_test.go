package live

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestToken(t *testing.T) {
	h, err := New(slog.New(slog.DiscardHandler), nil, func(token string) bool { return token == "right" }, redisURL(t))
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
	host := strings.TrimPrefix(server.URL, "http://")

	for _, c := range []struct {
		name, header, connect string
		status, closed        int // closed: the code with which the server ends the connection; 0: it does not
	}{
		{"none", "", `{"id":1,"connect":{}}`, 101, 3500},
		{"wrong in connect", "", `{"id":1,"connect":{"token":"wrong"}}`, 101, 3500},
		{"right in connect", "", `{"id":1,"connect":{"token":"right"}}`, 101, 0},
		{"right in the header", "Bearer right", `{"id":1,"connect":{}}`, 101, 0},
		{"wrong in the header", "Bearer wrong", "", 401, 0},
		{"no bearer", "Basic right", `{"id":1,"connect":{}}`, 101, 3500},
		{"subscribed before connect", "", `{"id":2,"subscribe":{"channel":"alerts"}}`, 101, 3501},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, resp, err := websocket.DefaultDialer.Dial("ws://"+host+"/ws", http.Header{"Authorization": {c.header}})
			if resp == nil || resp.StatusCode != c.status {
				t.Fatalf("%v, %v; want status %d", resp, err, c.status)
			}
			if err != nil {
				return
			}
			defer conn.Close()
			if err := conn.WriteMessage(websocket.TextMessage, []byte(c.connect)); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, reply, err := conn.ReadMessage()
			if c.closed == 0 && (err != nil || !strings.Contains(string(reply), `"connect"`)) || c.closed != 0 && !websocket.IsCloseError(err, c.closed) {
				t.Errorf("%s, %v; want it closed with %d", reply, err, c.closed)
			}
		})
	}
	for header, status := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer right": 200} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/stream", nil)
		req.Header.Set("Authorization", header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("stream with %q: %d, want %d", header, resp.StatusCode, status)
		}
	}
}

func TestListening(t *testing.T) {
	h, host := serve(t)
	if h.Listening("alerts") {
		t.Error("somebody listens before anybody came")
	}
	l := dial(t, host, `{"id":1,"connect":{}}`)
	l.subscribe("alerts", "")
	if !h.Listening("alerts") || h.Listening("system") {
		t.Errorf("alerts: %t, system: %t", h.Listening("alerts"), h.Listening("system"))
	}
}
