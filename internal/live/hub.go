// Package live tells browsers and other listeners what happens, as it happens.
//
//	Alert, Round, … ─► channel ─► history (so that who was away gets what it missed) ─┬─► WebSocket /ws         Centrifuge's JSON protocol
//	                                                                                 └─► Stream /api/stream    server-sent events
//
// It knows the channels, which message goes to which (messages.go), and the form of each, {channel, type, data}; what the
// data says is the root package's.
// It hides the library that keeps connections, positions and queues. A listener gets the messages of a channel in
// order and each once; after a drop it gets what it missed, or is told that it must load anew. A listener that
// reads too slowly is cut, and nobody waits for it.
//
// Over a Redis the channels and their history are those of all hubs (redis.go).
package live

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"breakwater"

	"github.com/centrifugal/centrifuge"
	"github.com/prometheus/client_golang/prometheus"
)

// channels are all there are.
var channels = []string{"alerts", "fl_status", "predictions", "system"}

const (
	// historySize and historyAge bound what a channel keeps for those who were away; systemHistory what channel system
	// does, whose messages may be of many facilities.
	historySize   = 1000
	systemHistory = 100
	historyAge    = time.Hour
	// queueBytes is how much may wait for one listener before it is cut, and writeTimeout how long one write may take.
	queueBytes   = 1 << 20
	writeTimeout = 5 * time.Second
	// A connection may be typed by hand: it gets this long to say connect; where it must show a token, less, so that
	// strangers hold no connections.
	patience         = 10 * time.Minute
	strangerPatience = time.Minute
	pingInterval     = 25 * time.Second
	pongTimeout      = 10 * time.Second
	// shutdownTimeout is how long Run waits for connections to take their leave.
	shutdownTimeout = 5 * time.Second
)

// Hub holds the channels and who listens to them.
type Hub struct {
	node      *centrifuge.Node
	origins   []string
	authorize func(token string) bool
	// Also, set before anything is published, is called with the type and data of each message of this process, for those
	// who are told another way. It does not hear what is relayed.
	Also  func(kind string, about any)
	log   *slog.Logger
	redis *centrifuge.RedisShard // nil: the channels are this process's alone
	away  atomic.Bool            // Redis did not answer when last asked
}

// New makes a hub that serves and publishes at once; its goroutines end when Run ends. A page may connect from the
// origin it is served from and from allowedOrigins ("http://localhost:3000"; "*" is any). authorize says whether a token
// may listen; nil: nobody needs one. redisURL names the Redis over which several hubs have the same channels, "" none.
func New(logger *slog.Logger, allowedOrigins []string, authorize func(token string) bool, redisURL string) (*Hub, error) {
	h := &Hub{origins: allowedOrigins, authorize: authorize, log: logger}
	wait := patience
	if authorize != nil {
		wait = strangerPatience
	}
	level := centrifuge.LogLevelWarn
	if logger.Enabled(context.Background(), slog.LevelDebug) {
		level = centrifuge.LogLevelDebug
	}
	config := centrifuge.Config{
		LogLevel:              level,
		LogHandler:            h.logged,
		ClientQueueMaxSize:    queueBytes,
		ClientStaleCloseDelay: wait,
		ClientChannelLimit:    len(channels),
		// A registry of its own: two hubs of one process would count into the same figures.
		Metrics: centrifuge.MetricsConfig{RegistererGatherer: prometheus.NewRegistry()},
	}
	if redisURL != "" {
		config.ClientPresenceUpdateInterval, config.ClientChannelPositionCheckDelay = positionEvery, positionEvery/2
	}
	node, err := centrifuge.New(config)
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "the live hub cannot be made", Err: err}
	}
	node.OnConnecting(func(ctx context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		if authorize != nil && ctx.Value(authorized{}) == nil && !authorize(e.Token) {
			return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
		}
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
	h.node = node
	if redisURL != "" {
		if err := h.overRedis(redisURL); err != nil {
			return nil, err
		}
	}
	if err := node.Run(); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "the live hub cannot be started", Err: err}
	}
	return h, nil
}

// Run waits for ctx to end, then sends the listeners away, who are told to come back, and ends the hub's goroutines. What is
// still told after that, by requests that were under way, is heard at the other hubs of its Redis until Close.
func (h *Hub) Run(ctx context.Context) error {
	if h.redis != nil {
		h.watch(ctx)
	}
	<-ctx.Done()
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := h.node.Shutdown(farewell); err != nil {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "some live listeners did not leave in time", Err: err}
	}
	return nil
}

// Close ends the connection to Redis; nothing may be told any more.
func (h *Hub) Close() {
	if h.redis != nil {
		h.redis.Close()
	}
}

// WebSocket serves /ws: the Centrifuge JSON protocol, version 2, one or more commands a frame. By hand:
//
//	{"id":1,"connect":{}}
//	{"id":2,"subscribe":{"channel":"alerts"}}
//
// A client that gives a name in connect is pinged and must answer; one that gives none is left alone. Where a token is
// needed it comes in the header Authorization, or, as a page cannot set that, in connect: {"id":1,"connect":{"token":"…"}}.
func (h *Hub) WebSocket() http.Handler {
	return h.admit(false, centrifuge.NewWebsocketHandler(h.node, centrifuge.WebsocketConfig{
		CheckOrigin:      h.originAllowed,
		MessageSizeLimit: 16 << 10,
		WriteTimeout:     writeTimeout,
		PingPongConfig:   centrifuge.PingPongConfig{PingInterval: pingInterval, PongTimeout: pongTimeout},
	}))
}

// authorized marks the context of a request whose header showed a token.
type authorized struct{}

// admit checks a request's token. One that shows none passes only where the token may come later.
func (h *Hub) admit(needed bool, next http.Handler) http.Handler {
	if h.authorize == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch token := Bearer(r); {
		case token != "" && h.authorize(token):
			r = r.WithContext(context.WithValue(r.Context(), authorized{}, true))
		case token != "" || needed:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a token is needed: send it in the header Authorization", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Bearer is the token in a request's header Authorization (RFC 6750, section 2.1), "" where there is none.
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
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

// logged passes the library's log on.
func (h *Hub) logged(e centrifuge.LogEntry) {
	attrs := []slog.Attr{slog.String("message", e.Message)}
	for k, v := range e.Fields {
		attrs = append(attrs, slog.Any(k, v))
	}
	h.log.LogAttrs(context.Background(), h.libraryLevel(e.Level), "live", attrs...)
}
