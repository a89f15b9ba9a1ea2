package app

import (
	"context"

	"breakwater/internal/api"
	"breakwater/internal/redis"
	"breakwater/internal/window"
)

// openRecent makes ready what keeps the last minute of each facility: Redis, for many nodes, or this process.
func (a *App) openRecent(ctx context.Context, c Config) (_ window.Buffer, err error) {
	if c.RedisURL == "" {
		return window.NewMemory(), nil
	}
	if a.redis, err = redis.Open(ctx, c.RedisURL); err != nil {
		return nil, err
	}
	a.engines = append(a.engines, api.Engine{Name: "redis", Ping: a.redis.Ping})
	return a.redis, nil
}
