// Package live tells browsers and other listeners what happens, as it happens.
//
//	Alert ─► channel ─► history (so that who was away gets what it missed) ─┬─► WebSocket /ws         Centrifuge's JSON protocol
//	                                                                       └─► Stream /api/stream    server-sent events
//
// It knows the channels and the form of a message, {channel, type, data}; what the data says is the root package's.
// It hides the library that keeps connections, positions and queues. A listener gets the messages of a channel in
// order and each once; after a drop it gets what it missed, or is told that it must load anew. A listener that
// reads too slowly is cut, and nobody waits for it.
package live

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"breakwater"

	"github.com/centrifugal/centrifuge"
	"github.com/prometheus/client_golang/prometheus"
)

// channels are all there are.
var channels = []string{"alerts", "fl_status", "predictions", "system"}

const (
	// historySize and historyAge bound what a channel keeps for those who were away.
	historySize = 1000
	historyAge  = time.Hour
	// queueBytes is how much may wait for one listener before it is cut, and writeTimeout how long one write may take.
	queueBytes   = 1 << 20
	writeTimeout = 5 * time.Second
	// A connection may be typed by hand: it gets this long to say connect.
	patience     = 10 * time.Minute
	pingInterval = 25 * time.Second
	pongTimeout  = 10 * time.Second
	// shutdownTimeout is how long Run waits for connections to take their leave.
	shutdownTimeout = 5 * time.Second
)

// Hub holds the channels and who listens to them.
type Hub struct {
	node    *centrifuge.Node
	origins []string
}

// message is what a publication's data looks like on every transport.
type message struct {
	Channel string `json:"channel"`
	Type    string `json:"type"`
	Data    any    `json:"data"`
}

// New makes a hub that serves and publishes at once; its goroutines end when Run ends. A page may connect from the
// origin it is served from and from allowedOrigins ("http://localhost:3000"; "*" is any).
func New(logger *slog.Logger, allowedOrigins []string) (*Hub, error) {
	level := centrifuge.LogLevelWarn
	if logger.Enabled(context.Background(), slog.LevelDebug) {
		level = centrifuge.LogLevelDebug
	}
	node, err := centrifuge.New(centrifuge.Config{
		LogLevel:              level,
		LogHandler:            logTo(logger),
		ClientQueueMaxSize:    queueBytes,
		ClientStaleCloseDelay: patience,
		ClientChannelLimit:    len(channels),
		// A registry of its own: two hubs of one process would count into the same figures.
		Metrics: centrifuge.MetricsConfig{RegistererGatherer: prometheus.NewRegistry()},
	})
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "the live hub cannot be made", Err: err}
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		reply := centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}
		if e.Name == "" { // typed by hand: nobody there to answer a ping
			reply.PingPongConfig = &centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1}
		}
		if e.Transport.Unidirectional() {
			reply.PingPongConfig = nil // the transport's own
			reply.Subscriptions = make(map[string]centrifuge.SubscribeOptions, len(e.Channels))
			for _, name := range e.Channels { // checked by Stream
				reply.Subscriptions[name] = centrifuge.SubscribeOptions{EnableRecovery: true}
			}
		}
		return reply, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(e centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			if err := checkChannel(e.Channel); err != nil {
				done(centrifuge.SubscribeReply{}, &centrifuge.Error{Code: centrifuge.ErrorUnknownChannel.Code, Message: err.Error()})
				return
			}
			done(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{EnableRecovery: true}}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "the live hub cannot be started", Err: err}
	}
	return &Hub{node: node, origins: allowedOrigins}, nil
}

// Run waits for ctx to end, then sends the listeners away, who are told to come back, and ends the hub's goroutines.
func (h *Hub) Run(ctx context.Context) error {
	<-ctx.Done()
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := h.node.Shutdown(farewell); err != nil {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "some live listeners did not leave in time", Err: err}
	}
	return nil
}

// Alert tells of an alert that began or changed. The data is the alert as the API shows it, but for relative_time:
// that would be old when it arrives. Its version tells a listener which of two is newer; a redelivered batch
// publishes the same version again.
func (h *Hub) Alert(a *breakwater.Alert, created bool) error {
	kind := "alert_updated"
	if created {
		kind = "alert_created"
	}
	return h.publish(message{Channel: "alerts", Type: kind, Data: a})
}

func (h *Hub) publish(m message) error {
	data, err := json.Marshal(m)
	if err == nil {
		_, err = h.node.Publish(m.Channel, data, centrifuge.WithHistory(historySize, historyAge))
	}
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Internal, Message: "a message of type " + m.Type + " was not published", Err: err}
	}
	return nil
}

// WebSocket serves /ws: the Centrifuge JSON protocol, version 2, one or more commands a frame. By hand:
//
//	{"id":1,"connect":{}}
//	{"id":2,"subscribe":{"channel":"alerts"}}
//
// A client that gives a name in connect is pinged and must answer; one that gives none is left alone.
func (h *Hub) WebSocket() http.Handler {
	return centrifuge.NewWebsocketHandler(h.node, centrifuge.WebsocketConfig{
		CheckOrigin:      h.originAllowed,
		MessageSizeLimit: 16 << 10,
		WriteTimeout:     writeTimeout,
		PingPongConfig:   centrifuge.PingPongConfig{PingInterval: pingInterval, PongTimeout: pongTimeout},
	})
}

// originAllowed keeps pages of other sites from listening through a browser that can reach us. A request without
// Origin is not a page's.
func (h *Hub) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(h.origins, "*") || slices.Contains(h.origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func checkChannel(name string) error {
	if slices.Contains(channels, name) {
		return nil
	}
	if len(name) > 40 {
		name = name[:40] + "…"
	}
	return &breakwater.Error{Kind: breakwater.Invalid, Field: "channels",
		Message: fmt.Sprintf("there is no channel %q: the channels are %s", name, strings.Join(channels, ", "))}
}

// logTo passes the library's log on. What it calls informative is about single clients, which is for debugging here.
func logTo(logger *slog.Logger) centrifuge.LogHandler {
	return func(e centrifuge.LogEntry) {
		level := slog.LevelDebug
		switch e.Level {
		case centrifuge.LogLevelWarn:
			level = slog.LevelWarn
		case centrifuge.LogLevelError:
			level = slog.LevelError
		}
		attrs := []slog.Attr{slog.String("message", e.Message)}
		for k, v := range e.Fields {
			attrs = append(attrs, slog.Any(k, v))
		}
		logger.LogAttrs(context.Background(), level, "live", attrs...)
	}
}
