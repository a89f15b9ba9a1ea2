package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/redis/redistest"
	"breakwater/internal/window"
	"breakwater/internal/window/windowtest"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func open(t testing.TB, url string) *Buffer {
	t.Helper()
	b, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	windowtest.Run(t, func(t *testing.T) window.Buffer { return open(t, redistest.Start(t).URL()) })
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"redis://127.0.0.1:6379", "redis://127.0.0.1:6379/", "redis://h:1/15", "rediss://u:p%40@h:6380/1", "redis://:secret@[::1]:6379"} {
		if err := CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"", "localhost:6379", "http://h:1", "redis://secret@h", "redis://u:secret@h:6379/secret", "redis://u:secret@h:6379/-1", "redis://u:sec%ret@h:1",
		"redis://u:secret@h:port", "redis://:6379", "unix:///secret", "redis://h:1/1/2", "redis://u:secret@h:1?addr=x:1"} {
		err := CheckURL(url)
		if breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", url, err)
		} else if strings.Contains(err.Error(), "sec") {
			t.Errorf("shows the password: %v", err)
		}
	}
}

// While Redis is away every call fails soon and says so; when it is back, empty, all goes on without a new connection
// being asked for: facilities begin anew.
func TestAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := open(t, server.URL())
	windows := []breakwater.Window{{FacilityID: "north", Time: t0}}
	calls := map[string]func() error{
		"Add":    func() error { _, err := b.Add(t.Context(), "north", windows, nil); return err },
		"Begin":  func() error { return b.Begin(t.Context(), "north", windows, nil) },
		"Minute": func() error { _, err := b.Minute(t.Context(), "north"); return err },
		"Forget": func() error { return b.Forget(t.Context(), "north") },
		"Ping":   func() error { return b.Ping(t.Context()) },
	}
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for how, away := range map[string]struct{ leave, back func() }{"hangs": {server.Pause, server.Resume}, "stopped": {server.Stop, server.Start}} {
		away.leave()
		for name, call := range calls {
			began := time.Now()
			err := call()
			if took := time.Since(began); breakwater.KindOf(err) != breakwater.Unavailable || !strings.Contains(err.Error(), "Redis at "+server.Address) || took > 2*answerTimeout {
				t.Errorf("%s, %s: %v after %v", how, name, err, took)
			}
		}
		away.back()
		for began := time.Now(); b.Ping(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%s: it is back, and not found", how)
			}
		}
	}
	if anew, err := b.Add(t.Context(), "north", windows, nil); !anew || err != nil {
		t.Errorf("after a restart of Redis: anew %t, %v", anew, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Stop()
	if _, err := Open(t.Context(), server.URL()); breakwater.KindOf(err) != breakwater.Unavailable || !strings.Contains(err.Error(), server.Address) {
		t.Errorf("nobody there: %v", err)
	}
	server.Start()
	_, err := Open(t.Context(), "redis://someone:secret@"+server.Address)
	if breakwater.KindOf(err) != breakwater.Unavailable || strings.Contains(err.Error(), "secret") {
		t.Errorf("a wrong password: %v", err)
	}
}

// What is kept of a facility that says no more goes by itself.
func TestExpires(t *testing.T) {
	t.Parallel()
	b := open(t, redistest.Start(t).URL())
	found := []breakwater.Detection{{Time: t0, Severity: breakwater.High}}
	if err := b.Begin(t.Context(), "north", []breakwater.Window{{FacilityID: "north", Time: t0}}, found); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys("north") {
		left, err := b.client.Do(context.Background(), b.client.B().Ttl().Key(key).Build()).AsInt64()
		if err != nil || left < 1 || time.Duration(left)*time.Second > keepFor {
			t.Errorf("%s is kept for %d s, %v", key, left, err)
		}
	}
}
