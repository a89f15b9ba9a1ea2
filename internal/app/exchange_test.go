package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"breakwater"
	"breakwater/internal/kafka"
	"breakwater/internal/kafka/kafkatest"
	"breakwater/internal/store"
)

// clusterOn is Kafka with all topics.
func clusterOn(ctx context.Context, t *testing.T, on kafkatest.Cluster) *kafka.Cluster {
	t.Helper()
	c, err := kafka.Open(kafka.Settings{Brokers: []string{on.Broker}, Prefix: on.Prefix, Group: on.Prefix + "nodes"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.Prepare(ctx)
	return c
}

// Records that come while the database is away are taken once it is back: none is committed before.
func TestRowsWhileTheDatabaseIsAway(t *testing.T) {
	on := kafkatest.Any(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster := clusterOn(ctx, t, on)
	var mu sync.Mutex
	tries, rows := 0, 0
	all := make(chan struct{})
	x := &exchange{cluster: cluster, api: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if rows += strings.Count(string(text), "\n"); rows == 3 {
			close(all)
		}
		fmt.Fprint(w, `{"accepted":1}`)
	})}
	for range 3 {
		if err := cluster.Put(ctx, kafka.Record{Topic: kafka.NetworkData, Key: "north", Value: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	reading, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- cluster.Consume(reading, kafka.Group{Topics: []string{kafka.NetworkData}, Take: x.take})
	}()
	select {
	case <-all:
	case <-time.After(15 * time.Second):
		mu.Lock()
		t.Errorf("%d of 3 rows were taken in %d attempts", rows, tries)
		mu.Unlock()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Records that the server cannot take now are not taken, so that they come again; nor is one of several that is wrong.
func TestRowsOfRecords(t *testing.T) {
	status, body := http.StatusServiceUnavailable, `{"detail":"the database is away"}`
	x := &exchange{api: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	})}
	records := []kafka.Record{{Key: "north", Value: []byte(`{"a":1}`)}, {Key: "north", Value: []byte(`{"a":2}`)}}
	for _, step := range []struct {
		status int
		body   string
		kind   breakwater.ErrorKind
	}{
		{http.StatusServiceUnavailable, `{"detail":"the database is away"}`, breakwater.Unavailable},
		{http.StatusTooManyRequests, ``, breakwater.Unavailable},
		{http.StatusInternalServerError, ``, breakwater.Internal},
		{http.StatusUnauthorized, ``, breakwater.Invalid},
		{http.StatusOK, `{"accepted":1,"rejected":1,"errors":[{"detail":"no batch"}]}`, breakwater.Invalid},
	} {
		status, body = step.status, step.body
		if done, err := x.rows(t.Context(), "/api/ingest/batches", records); done != 0 || breakwater.KindOf(err) != step.kind {
			t.Errorf("%d %s: %d done, %v", step.status, step.body, done, err)
		}
	}
	status, body = http.StatusOK, `{"accepted":2}`
	if done, err := x.rows(t.Context(), "/api/ingest/batches", records); done != 2 || err != nil {
		t.Errorf("%d done, %v", done, err)
	}
}

// What a round's topic says too late, or twice in other words, is no dead letter: the API's 409 is passed over. Other topics'
// is the sender's fault as before.
func TestLateRoundsArePassedOver(t *testing.T) {
	x := &exchange{keep: true, log: slog.New(slog.DiscardHandler), api: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
	})}
	late := kafka.Record{Topic: kafka.FLEvents, Key: "federation", Value: []byte(`{"id":7,"round_number":7,"phase":"training"}`)}
	if done, err := x.take(t.Context(), []kafka.Record{late, late}); done != 2 || err != nil {
		t.Errorf("%d were done, %v", done, err)
	}
	if done, err := x.take(t.Context(), []kafka.Record{{Topic: kafka.Alerts, Value: []byte("{}")}}); done != 0 || breakwater.KindOf(err) != breakwater.Conflict {
		t.Errorf("of alerts %d were done, %v", done, err)
	}
}

// What will never be told does not keep back what changed after it.
func TestToldBesideWhatCannotBe(t *testing.T) {
	on := kafkatest.Any(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster := clusterOn(ctx, t, on)
	a := start(t, nil)
	b := breakwater.Batch{FacilityID: "north", Detections: []breakwater.Detection{{FacilityID: "north", Time: wall, Layer: 1, Model: "scan", Asset: "10.0.0.57", Severity: breakwater.High, Confidence: .5, Title: "scan", Evidence: "e", Count: 1}}}
	if err := a.Server.Receive(ctx, b); err != nil {
		t.Fatal(err)
	}
	page, err := a.store.Alerts(ctx, store.AlertQuery{Page: 1, Limit: 10})
	if err != nil || len(page.Alerts) != 1 {
		t.Fatal(page, err)
	}
	x := &exchange{cluster: cluster, store: a.store, log: slog.New(slog.DiscardHandler), node: "this"}
	x.unkept = []store.News{
		{Topic: kafka.Alerts, ID: "nonsense", Type: "alert_created", Node: "this", Changed: wall},
		{Topic: kafka.Alerts, ID: page.Alerts[0].ID.String(), Type: "alert_created", Node: "this", Changed: wall.Add(time.Second)},
	}
	if more, err := x.tellSome(ctx); more || err != nil {
		t.Fatal(more, err)
	}
	if records := on.Records(t, kafka.Alerts); len(records) != 1 || string(records[0].Key) != "north" {
		t.Errorf("%d records", len(records))
	}
	if left, err := a.store.News(ctx, "this", wall, 10); err != nil || len(left) != 0 {
		t.Errorf("left to tell: %+v, %v", left, err)
	}
}

// parts keeps what is written to it, and after what time.
type parts struct {
	began time.Time
	bytes.Buffer
	after []time.Duration
}

func (p *parts) Write(b []byte) (int, error) {
	p.after = append(p.after, time.Since(p.began))
	return p.Buffer.Write(b)
}

func (p *parts) Close() error { return nil }

// Packets that come slowly go on as they come: who takes them would hold an upload of which nothing comes for cut short.
func TestSlowPacketsAreForwarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &parts{began: time.Now()}
		sent, err := forward(to, func(yield func(breakwater.Packet, error) bool) {
			for range 20 {
				yield(breakwater.Packet{Time: time.Now(), Data: make([]byte, 60), Length: 60}, nil)
				time.Sleep(time.Second)
			}
		})
		if err != nil || sent != 20 {
			t.Fatalf("%d packets of 20 were forwarded: %v", sent, err)
		}
		last := time.Duration(0)
		for _, at := range to.after {
			if at-last > 10*time.Second {
				t.Errorf("nothing was forwarded for %v", at-last)
			}
			last = at
		}
	})
}
