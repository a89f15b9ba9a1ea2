package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/redis/redistest"

	"github.com/gorilla/websocket"
)

// loadClients asks TestAlertReachesAll for so many WebSocket clients; docs/performance.md has the command.
const loadClients = "BREAKWATER_LOAD_CLIENTS"

// Every listener gets every alert, once. With many of them (loadClients) it is also soon: both ends run in this process, so
// what is measured is the time from before an alert is inserted to when the last byte of it was read. It holds for one
// server, and for two over one Redis: alerts come in at one, and all listen at the other.
func TestAlertReachesAll(t *testing.T) {
	t.Run("one server", func(t *testing.T) {
		a := start(t, nil)
		alertReachesAll(t, a, a)
	})
	t.Run("two servers", func(t *testing.T) {
		redis, database := redistest.Start(t), "sqlite://"+t.TempDir()+"/breakwater.db"
		both := func(c *Config) { c.RedisURL, c.DatabaseURL = redis.URL(), database }
		alertReachesAll(t, start(t, both), start(t, both))
	})
}

func alertReachesAll(t *testing.T, a, listenedAt *App) {
	clients, alerts, limit := 50, 5, time.Duration(0)
	if text := os.Getenv(loadClients); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 20_000 {
			t.Fatalf("%s=%q: accepted is 1 to 20000", loadClients, text)
		}
		clients, alerts, limit = n, 50, 250*time.Millisecond
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(2*clients+100) {
		t.Skipf("%d clients need %d open files, %d are allowed (%v): see ulimit -n", clients, 2*clients+100, files.Cur, err)
	}
	arrivals := make([][]time.Time, clients) // by client, in the order of alerts
	var all sync.WaitGroup                   // of the clients
	var got sync.WaitGroup                   // of an alert, by all clients
	var failed atomic.Bool
	dialled := make(chan struct{}, 50)
	ready := make(chan error)
	for i := range clients {
		arrivals[i] = make([]time.Time, 0, alerts)
		all.Go(func() {
			dialled <- struct{}{}
			conn, err := dialAlerts(listenedAt.URL())
			<-dialled
			ready <- err
			if err != nil {
				return
			}
			defer conn.Close()
			for n := range alerts {
				conn.SetReadDeadline(time.Now().Add(time.Minute))
				_, frame, err := conn.ReadMessage()
				at := time.Now()
				if asset := []byte(fmt.Sprintf(`"asset":"asset-%d"`, n)); err != nil || bytes.Count(frame, []byte(`"asset":`)) != 1 || !bytes.Contains(frame, asset) {
					if !failed.Swap(true) {
						t.Errorf("client %d: %.300s, %v; want alert %d", i, frame, err, n)
					}
				}
				arrivals[i] = append(arrivals[i], at)
				got.Done()
			}
		})
	}
	for range clients {
		if err := <-ready; err != nil {
			t.Fatal(err)
		}
	}
	inserted := make([]time.Time, alerts)
	for n := range alerts {
		got.Add(clients)
		d := breakwater.Detection{FacilityID: "plant-1", Asset: fmt.Sprintf("asset-%d", n), Time: wall.Add(time.Duration(n) * time.Second), Layer: breakwater.LayerAnomaly, Model: "port-scan",
			Severity: breakwater.High, Confidence: .8, Technique: "T0846", TechniqueName: "Remote System Discovery", Title: "Port scan", Evidence: "10.0.0.57 tried 20 ports of 10.0.0.11 in 4 s.", Count: 1}
		inserted[n] = time.Now()
		if err := a.Server.Receive(context.Background(), breakwater.Batch{FacilityID: "plant-1", Detections: []breakwater.Detection{d}}); err != nil {
			t.Fatal(err)
		}
		got.Wait()
	}
	all.Wait()
	var took []time.Duration
	for i := range arrivals {
		for n, at := range arrivals[i] {
			took = append(took, at.Sub(inserted[n]))
		}
	}
	slices.Sort(took)
	of := func(share float64) time.Duration { return took[int(share*float64(len(took)-1))] }
	t.Logf("%d clients, %d alerts: p50 %v, p95 %v, p99 %v, the last %v", clients, alerts, of(.5), of(.95), of(.99), of(1))
	if p99 := of(.99); limit > 0 && p99 > limit {
		t.Errorf("p99 is %v, want at most %v", p99, limit)
	}
}

// dialAlerts listens to channel alerts.
func dialAlerts(url string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{ReadBufferSize: 2048, WriteBufferSize: 512}
	conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/ws", nil)
	if err != nil {
		return nil, err
	}
	for _, say := range []string{`{"id":1,"connect":{}}`, `{"id":2,"subscribe":{"channel":"alerts"}}`} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			return nil, err
		}
		if _, reply, err := conn.ReadMessage(); err != nil || bytes.Contains(reply, []byte(`"error"`)) {
			return nil, fmt.Errorf("%s: %s %v", say, reply, err)
		}
	}
	return conn, nil
}
