package live

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"breakwater"

	"github.com/centrifugal/centrifuge"
)

const (
	// watchEvery is how often a hub looks whether its Redis is there.
	watchEvery = time.Second
	// positionEvery is how often it is looked whether a listener has all that is in the history: a hub that lost its
	// connection to Redis may have missed what the others heard, and no next message tells of the gap.
	positionEvery = 8 * time.Second
	// redisTimeout bounds how long a message waits for a Redis that has stopped; once it is known to be away none waits.
	redisTimeout = 2 * time.Second
)

// overRedis gives the hub's channels and their history to all hubs over the same database of a Redis.
func (h *Hub) overRedis(redisURL string) error {
	unreachable := func(err error) error {
		return &breakwater.Error{Kind: breakwater.Unavailable, Field: "REDIS_URL", Message: "the live hub cannot reach Redis", Err: err}
	}
	shard, err := centrifuge.NewRedisShard(h.node, centrifuge.RedisShardConfig{
		Address: strings.TrimSuffix(redisURL, "/"), ClientName: "breakwater-live", ConnectTimeout: redisTimeout, IOTimeout: redisTimeout,
	})
	if err != nil {
		return unreachable(err)
	}
	broker, err := centrifuge.NewRedisBroker(h.node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}, Prefix: prefix(redisURL)})
	if err != nil {
		shard.Close()
		return unreachable(err)
	}
	h.node.SetBroker(broker)
	h.redis = shard
	return nil
}

// prefix names the channels in Redis. The number of the database is part of it: what is published is heard in every
// database, and another installation may have another one.
func prefix(redisURL string) string {
	u, err := url.Parse(redisURL)
	if err != nil {
		return "breakwater"
	}
	db := strings.Trim(u.Path, "/")
	if db == "" {
		db = "0"
	}
	return "breakwater." + db
}

// watch looks after Redis until ctx ends. What was to be published while it was away is in the store and was not told: when
// Redis is back every channel is told to load anew. Each hub does that, for one that missed something may have died since.
func (h *Hub) watch(ctx context.Context) {
	down, back := false, false // down: the log knows; back: it answers, and every hub is given a moment to hear again
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchEvery): // after each look, which may take long itself
		}
		_, err := h.node.History("system", centrifuge.WithLimit(0))
		if err != nil {
			h.away.Store(true)
		}
		// First messages go out again, then the channels are told: one that was held back was saved before that.
		switch was := h.away.Load(); {
		case err != nil:
			back = false
		case was:
			h.away.Store(false)
			back = true
		case back && h.reload() == nil:
			down, back = false, false
			h.log.Info("Redis answers again; who listens was told to load anew")
		}
		if !down && (h.away.Load() || back) {
			down = true
			h.log.Warn("Redis is away: live messages are not sent; who listens is told to load anew when it is back", "err", err)
		}
	}
}

// reload tells every channel that messages are missing.
func (h *Hub) reload() error {
	for _, channel := range channels {
		if err := h.Reload(channel); err != nil {
			return err
		}
	}
	return nil
}

// libraryLevel is how loud what the library logs is here: what it says of a Redis that is known to be away, four times a
// second, is for debugging, and so is all that it calls informative, which is about single clients.
func (h *Hub) libraryLevel(of centrifuge.LogLevel) slog.Level {
	switch {
	case h.away.Load():
		return slog.LevelDebug
	case of == centrifuge.LogLevelWarn:
		return slog.LevelWarn
	case of == centrifuge.LogLevelError:
		return slog.LevelError
	}
	return slog.LevelDebug
}
