package api

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// An engine that does not answer is told of in /health as long as that is so, and in the log once.
func TestHealthOfEngines(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	s := serve(t, func(c *Config) {
		c.Engines = []Engine{
			{"redis", func(context.Context) error {
				if away.Load() {
					return errors.New("connection refused")
				}
				return nil
			}},
			{"kafka", func(context.Context) error { return nil }},
		}
	})
	for _, step := range []struct {
		away          bool
		status, redis string
	}{
		{false, "healthy", "connected"}, {true, "degraded", "unreachable"}, {true, "degraded", "unreachable"}, {false, "healthy", "connected"},
	} {
		away.Store(step.away)
		got := ask(t, "GET", s.URL+"/health", nil)
		engines, _ := got.body["services"].(map[string]any)
		if got.status != 200 || got.body["status"] != step.status || engines["redis"] != step.redis || engines["kafka"] != "connected" || engines["neo4j"] != "embedded" {
			t.Errorf("Redis away: %v: %d %s", step.away, got.status, got.text)
		}
		if got := ask(t, "GET", s.URL+"/readyz", nil); got.status != 200 {
			t.Errorf("readyz speaks of the database alone: %d %s", got.status, got.text)
		}
	}
	for line, times := range map[string]int{
		`level=WARN msg="an engine does not answer" engine=redis err="connection refused"`: 1,
		`level=INFO msg="an engine answers again" engine=redis`:                            1,
	} {
		if n := strings.Count(s.log.String(), line); n != times {
			t.Errorf("%s: %d times, want %d", line, n, times)
		}
	}
}
