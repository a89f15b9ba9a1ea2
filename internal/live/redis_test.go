package live

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/redis/redistest"
)

// TestOnRedis is all of these tests again, each over a Redis of its own.
func TestOnRedis(t *testing.T) { redistest.Again(t) }

// redisURL is where the hub of a test keeps its channels: nowhere, or, while TestOnRedis runs, in a new Redis.
func redisURL(t testing.TB) string {
	if !redistest.OnRedis() {
		return ""
	}
	return redistest.Start(t).URL()
}

// What is published at one hub reaches those who listen at another, in order, with what they missed while they were away.
func TestRedisTwoHubs(t *testing.T) {
	server := redistest.Start(t)
	one, _ := serveOver(t, server.URL(), slog.New(slog.DiscardHandler))
	_, host := serveOver(t, server.URL(), slog.New(slog.DiscardHandler))
	l := dial(t, host, `{"id":1,"connect":{"name":"test"}}`)
	at := l.subscribe("alerts", "")
	tell(t, one, 1, 3)
	var offset uint64
	for n := 1; n <= 3; n++ {
		r := l.hear()
		offset = r.Push.Pub.Offset
		if v := version(t, r.Push.Pub.Data); v != n {
			t.Fatalf("message %d came at place %d", v, n)
		}
	}
	l.conn.NetConn().Close()
	tell(t, one, 4, 20)
	_, third := serveOver(t, server.URL(), slog.New(slog.DiscardHandler)) // as where a proxy chooses
	got := dial(t, third, `{"id":1,"connect":{"name":"test"}}`).subscribe("alerts", fmt.Sprintf(`,"recover":true,"epoch":%q,"offset":%d`, at.Epoch, offset))
	if !got.Recovered || len(got.Publications) != 17 {
		t.Fatalf("recovered %v with %d messages, want 17", got.Recovered, len(got.Publications))
	}
	// Another installation, in another database, hears nothing of it.
	_, other := serveOver(t, server.URL()+"/1", slog.New(slog.DiscardHandler))
	apart := dial(t, other, `{"id":1,"connect":{}}`)
	apart.subscribe("alerts", "")
	tell(t, one, 21, 21)
	apart.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, data, err := apart.conn.ReadMessage(); err == nil {
		t.Errorf("the other installation hears %s", data)
	}
}

// A node that ends sends its listeners to the others; there they hear what its last requests still tell.
func TestRedisLastWords(t *testing.T) {
	server := redistest.Start(t)
	one, err := New(slog.New(slog.DiscardHandler), nil, nil, server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	_, host := serveOver(t, server.URL(), slog.New(slog.DiscardHandler))
	l := dial(t, host, `{"id":1,"connect":{"name":"test"}}`)
	l.subscribe("alerts", "")
	ctx, end := context.WithCancel(context.Background())
	end()
	if err := one.Run(ctx); err != nil {
		t.Fatal(err)
	}
	tell(t, one, 1, 1)
	if v := version(t, l.hear().Push.Pub.Data); v != 1 {
		t.Errorf("message %d", v)
	}
}

// While Redis is away a message is refused soon, and the log says so once. Whoever listened is not silently behind
// afterwards: it is told to load anew, whether Redis was empty when it came back (then the library says that its place is
// gone) or not, and at every hub; then messages go on.
func TestRedisAway(t *testing.T) {
	for name, away := range map[string]func(*redistest.Server) (back func()){
		"hangs":   func(s *redistest.Server) func() { s.Pause(); return s.Resume },
		"stopped": func(s *redistest.Server) func() { s.Stop(); return s.Start },
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			var log lines
			one, host := serveOver(t, server.URL(), slog.New(slog.NewTextHandler(&log, nil)))
			_, otherHost := serveOver(t, server.URL(), slog.New(slog.DiscardHandler))
			listeners := []*listener{dial(t, host, `{"id":1,"connect":{"name":"test"}}`), dial(t, otherHost, `{"id":1,"connect":{"name":"test"}}`)}
			var places []subscribed
			for _, l := range listeners {
				places = append(places, l.subscribe("alerts", ""))
			}
			tell(t, one, 1, 1)
			for _, l := range listeners {
				if v := version(t, l.hear().Push.Pub.Data); v != 1 {
					t.Fatalf("message %d", v)
				}
			}
			back := away(server)
			time.Sleep(watchEvery + 3*redisTimeout)
			for n := 2; n <= 20; n++ {
				began := time.Now()
				if err := one.Alert(alert(n), false); breakwater.KindOf(err) != breakwater.Unavailable {
					t.Fatalf("away, and %v", err)
				}
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("a message waited %v for a Redis that is known to be away", took)
				}
			}
			back()
			began := time.Now()
			for i, l := range listeners {
				for told := false; !told; {
					r := l.hear()
					switch {
					case r.Push != nil && r.Push.Unsubscribe != nil: // its place is gone: it subscribes anew, as the page's client does
						l.say(fmt.Sprintf(`{"id":3,"subscribe":{"channel":"alerts","recover":true,"epoch":%q,"offset":1}}`, places[i].Epoch))
					case r.Subscribe != nil:
						told = !r.Subscribe.Recovered
					case r.Push != nil:
						told = strings.Contains(string(r.Push.Pub.Data), `"alerts_reload"`)
					}
				}
				t.Logf("listener %d was told %v after Redis was back", i, time.Since(began).Round(time.Millisecond))
			}
			for one.Alert(alert(21), false) != nil {
				if time.Since(began) > 10*time.Second {
					t.Fatal("Redis is back, and nothing is published")
				}
				time.Sleep(50 * time.Millisecond)
			}
			for i, l := range listeners {
				for newest := 0; newest != 21; {
					r := l.hear()
					if r.Push == nil || strings.Contains(string(r.Push.Pub.Data), `"alerts_reload"`) { // the other hub's word
						continue
					}
					if newest = version(t, r.Push.Pub.Data); newest != 21 {
						t.Fatalf("listener %d got message %d, which was refused", i, newest)
					}
				}
			}
			time.Sleep(2 * watchEvery)
			for _, line := range []string{"Redis is away", "Redis answers again"} {
				if n := strings.Count(log.String(), line); n != 1 {
					t.Errorf("%q is in the log %d times:\n%s", line, n, log.String())
				}
			}
		})
	}
}

func TestRedisNotThere(t *testing.T) {
	server := redistest.Start(t)
	server.Stop()
	if _, err := New(slog.New(slog.DiscardHandler), nil, nil, server.URL()); breakwater.KindOf(err) != breakwater.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
}

// lines is a log that is read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
