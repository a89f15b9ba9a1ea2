// Package redis keeps the last 60 s of every facility in Redis, so that many nodes have one context: window.Buffer over
// the network.
//
//	breakwater:{facility}:windows   sorted set: a window as JSON, by its Unix second
//	breakwater:{facility}:worst     sorted set: "second:rank" of what was detected, by the second
//
// It knows the keys, the scripts that change them in one step, and when a set expires; and hides the driver. What Redis
// loses, as at a restart without persistence, begins anew from the store: nothing here is the only copy.
package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/window"

	"github.com/redis/rueidis"
)

const (
	// keepFor is how long what is known of a facility outlives its last batch. The context of its next one is read from
	// the store then, as after a restart of a server that stands alone.
	keepFor = time.Hour
	// dialTimeout and answerTimeout bound how long a caller waits for a Redis that is not there or has stopped.
	dialTimeout   = 2 * time.Second
	answerTimeout = 3 * time.Second
)

// Buffer is a window.Buffer in Redis.
type Buffer struct {
	client  rueidis.Client
	address string // as it may be shown
}

// CheckURL refuses what is no redis://USER:PASSWORD@HOST:PORT/DB or rediss:// (TLS). Its error does not show the URL, which
// may hold a password.
func CheckURL(raw string) error {
	bad := func(message string) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "REDIS_URL", Message: message}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return bad("the URL cannot be read: letters that mean something in URLs are in the password written as %40 (@), %2F (/), %3A (:), %25 (%)")
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return bad("the URL begins with redis:// or, over TLS, rediss://")
	case u.Hostname() == "" || u.Port() == "":
		return bad("the URL names host and port, as redis://127.0.0.1:6379")
	case u.RawQuery != "" || u.Fragment != "":
		return bad("the URL has nothing after the number of the database")
	}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		if n, err := strconv.Atoi(db); err != nil || n < 0 {
			return bad("what comes after the host is the number of a database, as in redis://127.0.0.1:6379/1")
		}
	}
	return nil
}

// Open connects to the Redis that a URL names, which CheckURL has passed. Where it cannot be reached now the error is of
// kind Unavailable; later it may come and go.
func Open(ctx context.Context, raw string) (*Buffer, error) {
	if err := CheckURL(raw); err != nil {
		return nil, err
	}
	option, err := rueidis.ParseURL(strings.TrimSuffix(raw, "/"))
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "REDIS_URL", Message: "the URL cannot be read"}
	}
	option.ClientName = "breakwater"
	option.ForceSingleClient = true
	option.DisableCache = true
	option.DisableRetry = true // who sends a batch does that; who reads is told at once
	option.ConnWriteTimeout = answerTimeout
	option.Dialer.Timeout = dialTimeout
	b := &Buffer{address: option.InitAddress[0]}
	if b.client, err = rueidis.NewClient(option); err != nil {
		return nil, b.failed("cannot be reached", err)
	}
	if err := b.Ping(ctx); err != nil {
		b.client.Close()
		return nil, err
	}
	return b, nil
}

// Close ends the connections.
func (b *Buffer) Close() error {
	b.client.Close()
	return nil
}

// Ping says whether Redis answers.
func (b *Buffer) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := b.client.Do(ctx, b.client.B().Ping().Build()).Error(); err != nil {
		return b.failed("does not answer", err)
	}
	return nil
}

func (b *Buffer) failed(what string, err error) error {
	return &breakwater.Error{Kind: breakwater.Unavailable, Message: "Redis at " + b.address + " " + what, Err: err}
}

// put takes windows and detections into a facility's two sets in one step. ARGV: seconds to live, "add" or "begin", how
// many windows, and of each its second and its text; then of each detection its second and "second:rank". It answers 1
// where "add" does not join on to what is known, and has changed nothing then.
var put = rueidis.NewLuaScript(`
local windows, worst, first = KEYS[1], KEYS[2], ARGV[4]
local last = 3 + 2 * ARGV[3]
if ARGV[2] == 'begin' then
	redis.call('DEL', windows, worst)
elseif last > 3 then
	local before = redis.call('ZREVRANGEBYSCORE', windows, '(' .. first, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
	if not before or before + 1 < tonumber(first) then
		return 1
	end
	redis.call('ZREMRANGEBYSCORE', windows, first, '+inf')
end
if last > 3 then
	redis.call('ZADD', windows, unpack(ARGV, 4, last))
	redis.call('ZREMRANGEBYSCORE', windows, '-inf', ARGV[last - 1] - 60)
	redis.call('EXPIRE', windows, ARGV[1])
end
if #ARGV > last then
	redis.call('ZADD', worst, unpack(ARGV, last + 1))
	redis.call('ZREMRANGEBYSCORE', worst, '-inf', redis.call('ZREVRANGE', worst, 0, 0, 'WITHSCORES')[2] - 120)
	redis.call('EXPIRE', worst, ARGV[1])
end
return 0`)

// both reads the two sets as they are at one moment.
var both = rueidis.NewLuaScript(`return {redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('ZRANGE', KEYS[2], 0, -1)}`)

// keys are those of a facility's windows and of what was detected. The braces, a hash tag, mean nothing to the single server
// that Open connects to: Redis Cluster is not supported.
func keys(facility string) []string {
	return []string{windowsKey(facility), "breakwater:{" + facility + "}:worst"}
}

func windowsKey(facility string) string { return "breakwater:{" + facility + "}:windows" }

// Add is window.Buffer's.
func (b *Buffer) Add(ctx context.Context, facility string, windows []breakwater.Window, found []breakwater.Detection) (anew bool, err error) {
	if len(windows)+len(found) == 0 {
		return false, nil
	}
	return b.put(ctx, facility, "add", windows, found)
}

// Begin is window.Buffer's.
func (b *Buffer) Begin(ctx context.Context, facility string, windows []breakwater.Window, found []breakwater.Detection) error {
	_, err := b.put(ctx, facility, "begin", windows, found)
	return err
}

func (b *Buffer) put(ctx context.Context, facility, how string, windows []breakwater.Window, found []breakwater.Detection) (anew bool, err error) {
	args, err := arguments(how, windows, found)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	answer, err := put.Exec(ctx, b.client, keys(facility), args).AsInt64()
	if err != nil {
		return false, b.failed("has not taken the newest seconds of facility "+facility, err)
	}
	return answer == 1, nil
}

// arguments are those of put. Of a batch that is longer than what is kept, its first second is told, which says whether it
// joins on, and then the last minute.
func arguments(how string, windows []breakwater.Window, found []breakwater.Detection) ([]string, error) {
	worst := window.Severest(found)
	if n := len(windows) - span; n > 0 {
		windows = slices.Concat(windows[:1], windows[n:])
	}
	args := make([]string, 0, 3+2*len(windows)+2*len(worst))
	args = append(args, ttl, how, strconv.Itoa(len(windows)))
	for i := range windows {
		text, err := json.Marshal(window.Kept(windows[i]))
		if err != nil {
			return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "a window cannot be written as JSON", Err: err}
		}
		args = append(args, strconv.FormatInt(windows[i].Time.Unix(), 10), rueidis.BinaryString(text))
	}
	for second, severity := range worst {
		number := strconv.FormatInt(second, 10)
		args = append(args, number, number+":"+strconv.Itoa(severity.Rank()))
	}
	return args, nil
}

const span = int(window.ContextSpan / time.Second)

var ttl = strconv.Itoa(int(keepFor / time.Second))

// Minute is window.Buffer's.
func (b *Buffer) Minute(ctx context.Context, facility string) (window.Minute, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	read := func() (m window.Minute, err error) {
		sets, err := both.Exec(ctx, b.client, keys(facility), nil).ToArray()
		if err != nil {
			return m, err
		}
		if len(sets) != 2 {
			return m, fmt.Errorf("it gives %d sets", len(sets))
		}
		texts, err := sets[0].AsStrSlice()
		if err != nil {
			return m, err
		}
		m.Windows = make([]breakwater.Window, len(texts))
		for i, text := range texts {
			if err := json.Unmarshal([]byte(text), &m.Windows[i]); err != nil {
				return m, err
			}
		}
		noted, err := sets[1].AsStrSlice()
		if err != nil {
			return m, err
		}
		m.Worst, err = severities(noted)
		return m, err
	}
	m, err := read()
	if err != nil {
		return window.Minute{}, b.failed("does not give the last minute of facility "+facility, err)
	}
	return m, nil
}

// severities reads members "second:rank", of which a second may have several.
func severities(noted []string) (map[int64]breakwater.Severity, error) {
	ranks := map[int]breakwater.Severity{}
	for _, s := range []breakwater.Severity{breakwater.Critical, breakwater.High, breakwater.Medium, breakwater.Low} {
		ranks[s.Rank()] = s
	}
	worst := make(map[int64]breakwater.Severity, len(noted))
	for _, member := range noted {
		before, after, _ := strings.Cut(member, ":")
		second, err := strconv.ParseInt(before, 10, 64)
		rank, err2 := strconv.Atoi(after)
		if err = cmp.Or(err, err2); err != nil {
			return nil, err
		}
		if rank > worst[second].Rank() {
			worst[second] = ranks[rank]
		}
	}
	return worst, nil
}

// Forget is window.Buffer's.
func (b *Buffer) Forget(ctx context.Context, facility string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := b.client.Do(ctx, b.client.B().Del().Key(keys(facility)...).Build()).Error(); err != nil {
		return b.failed("has not forgotten facility "+facility, err)
	}
	return nil
}
