package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"breakwater/internal/kafka"
	"breakwater/internal/kafka/kafkatest"
)

// Records that come while the database is away are taken once it is back: none is committed before.
func TestRowsWhileTheDatabaseIsAway(t *testing.T) {
	on := kafkatest.Any(t)
	cluster, err := kafka.Open(kafka.Settings{Brokers: []string{on.Broker}, Prefix: on.Prefix, Group: on.Prefix + "nodes"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cluster.Prepare(ctx)
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
