package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
)

// Stream serves GET /api/stream?channels=alerts,system (all channels where none is named): the messages as
// server-sent events (WHATWG HTML, section 9.2), each with an id. A browser that reconnects sends the last one in
// Last-Event-ID and gets what it missed; where that is not kept any more it gets an event "reload" that names the
// channel. A comment each 25 s keeps the connection open.
//
// The handler does not check the query: ParseChannels does, and whoever routes to it answers its error.
func (h *Hub) Stream() http.Handler {
	return h.admit(true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names, err := ParseChannels(r.URL.Query().Get("channels"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy must not hold messages back
		t := &stream{w: w, rc: http.NewResponseController(w), done: make(chan struct{}), last: parsePositions(r.Header.Get("Last-Event-ID"))}
		if err := t.comment(); err != nil { // the header goes out, so that a listener knows it is connected
			return
		}
		client, leave, err := centrifuge.NewClient(r.Context(), h.node, t)
		if err != nil {
			return
		}
		subs := make(map[string]centrifuge.SubscribeRequest, len(names))
		for _, name := range names {
			at, known := t.last[name]
			subs[name] = centrifuge.SubscribeRequest{Recover: known, Epoch: at.Epoch, Offset: at.Offset}
		}
		client.Connect(centrifuge.ConnectRequest{Subs: subs})
		select {
		case <-r.Context().Done():
		case <-t.done:
		case <-h.node.NotifyShutdown():
		}
		t.stop() // no write may come after this handler has returned
		leave()
	}))
}

// ParseChannels reads a comma-separated list of channels; an empty one means all. The error is of kind Invalid.
func ParseChannels(list string) ([]string, error) {
	if list == "" {
		return channels, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if err := checkChannel(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// stream is one listener's connection. Centrifuge writes to it from one goroutine, the handler waits in another.
type stream struct {
	rc   *http.ResponseController
	once sync.Once
	done chan struct{} // closed when the connection shall end

	mu     sync.Mutex // over what follows
	w      http.ResponseWriter
	closed bool
	last   map[string]position // of each channel, the last message sent
}

// position is a place in a channel's history: Epoch names the history, Offset counts its messages from 1.
type position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// publication is one message with its place.
type publication struct {
	Data   json.RawMessage `json:"data"`
	Offset uint64          `json:"offset"`
}

// push is what Centrifuge writes to a transport of one direction: the reply to connect with what was missed, a
// publication, or, empty, a ping.
type push struct {
	Channel string       `json:"channel"`
	Pub     *publication `json:"pub"`
	Connect *struct {
		Subs map[string]struct {
			position
			Recovered    bool          `json:"recovered"`
			Publications []publication `json:"publications"`
		} `json:"subs"`
	} `json:"connect"`
}

// Write sends what one push says.
func (t *stream) Write(data []byte) error { return t.WriteMany(data) }

// WriteMany sends what several pushes say.
func (t *stream) WriteMany(pushes ...[]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out bytes.Buffer
	for _, data := range pushes {
		var p push
		if err := json.Unmarshal(data, &p); err != nil {
			return err
		}
		switch {
		case p.Pub != nil:
			t.event(&out, p.Channel, *p.Pub)
		case p.Connect != nil:
			for name, sub := range p.Connect.Subs {
				_, asked := t.last[name]
				if asked && !sub.Recovered {
					fmt.Fprintf(&out, "event: reload\ndata: {\"channel\":%q}\n\n", name)
				}
				// Where nothing was asked for, or all was missed, it goes on from the channel's present end.
				start := sub.position
				if asked && sub.Recovered {
					start.Offset = t.last[name].Offset
				}
				t.last[name] = start
				for _, p := range sub.Publications {
					t.event(&out, name, p)
				}
			}
			fmt.Fprintf(&out, "id: %s\n\n", formatPositions(t.last)) // no event: only the place from which to go on
		default:
			out.WriteString(":\n\n")
		}
	}
	return t.send(out.Bytes())
}

// event appends a message as an event. JSON holds no line break, so its data is one line.
func (t *stream) event(out *bytes.Buffer, channel string, p publication) {
	t.last[channel] = position{Epoch: t.last[channel].Epoch, Offset: p.Offset}
	fmt.Fprintf(out, "id: %s\ndata: %s\n\n", formatPositions(t.last), p.Data)
}

func (t *stream) comment() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.send([]byte(":\n\n"))
}

func (t *stream) send(b []byte) error {
	if t.closed {
		return http.ErrHandlerTimeout
	}
	// Where the server has no deadlines to set (a test's recorder), a slow reader is bounded by the queue alone.
	_ = t.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := t.w.Write(b); err != nil {
		return err
	}
	return t.rc.Flush()
}

// stop waits for a write under way, which the deadline bounds, and lets no other begin.
func (t *stream) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// Close tells the handler to end the connection; the reason cannot be told to a listener.
func (t *stream) Close(centrifuge.Disconnect) error {
	t.once.Do(func() { close(t.done) })
	return nil
}

// What Centrifuge asks of a transport.

func (t *stream) Name() string                                { return "sse" }
func (t *stream) AcceptProtocol() string                      { return "" }
func (t *stream) Protocol() centrifuge.ProtocolType           { return centrifuge.ProtocolTypeJSON }
func (t *stream) ProtocolVersion() centrifuge.ProtocolVersion { return centrifuge.ProtocolVersion2 }
func (t *stream) Unidirectional() bool                        { return true }
func (t *stream) Emulation() bool                             { return false }
func (t *stream) DisabledPushFlags() uint64                   { return centrifuge.PushFlagDisconnect }
func (t *stream) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{PingInterval: pingInterval, PongTimeout: -1}
}

// An event's id says where the listener is in every channel: "alerts:EPOCH:12,system:EPOCH:3".

func formatPositions(at map[string]position) string {
	parts := make([]string, 0, len(at))
	for _, name := range channels {
		if p, ok := at[name]; ok {
			parts = append(parts, name+":"+p.Epoch+":"+strconv.FormatUint(p.Offset, 10))
		}
	}
	return strings.Join(parts, ",")
}

// parsePositions reads such an id; what is not one is as none.
func parsePositions(id string) map[string]position {
	at := map[string]position{}
	for part := range strings.SplitSeq(id, ",") {
		name, rest, _ := strings.Cut(part, ":")
		epoch, number, _ := strings.Cut(rest, ":")
		offset, err := strconv.ParseUint(number, 10, 64)
		if err == nil && checkChannel(name) == nil {
			at[name] = position{Epoch: epoch, Offset: offset}
		}
	}
	return at
}
