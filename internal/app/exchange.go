package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/api"
	"breakwater/internal/capture"
	"breakwater/internal/decode"
	"breakwater/internal/kafka"
	"breakwater/internal/live"
	"breakwater/internal/pipeline"
	"breakwater/internal/store"

	"golang.org/x/sync/errgroup"
)

// exchange is the server's part in Kafka.
//
//	sensors, others ─► topics ─► take ─► the API, in this process ─► the way of the data, the store
//	uploads of any node ─► traffic ─► analyse ─► the way of the data
//	what is published here ─► outbox ─► tell ─► topics ─► others; watch ─► pages of other nodes
//
// What a record says is judged by the API itself: a topic is another way to its routes.
type exchange struct {
	cluster *kafka.Cluster
	server  *pipeline.Server
	store   *store.Store
	hub     *live.Hub
	log     *slog.Logger
	api     http.Handler
	token   string // that the API wants; "": none
	node    string // this process, on what it tells
	keep    bool   // what other systems say is kept
	shared  bool   // what one node tells its pages, those of all nodes get

	behind atomic.Int64 // records that the group has not taken
	wake   chan struct{}
	mu     sync.Mutex
	unkept []store.News // that the database did not take
	// shown is the newest round of another engine, where it is not kept: what ends it says only how.
	shown *breakwater.Round
}

// openExchange makes ready what goes over Kafka, where it is used, and gives what takes raw traffic to the node that has its
// facility; nil: it is analysed where it comes.
func (a *App) openExchange(c Config) (onward func(ctx context.Context, kind, facility string, learn time.Duration) io.WriteCloser, err error) {
	if !c.Kafka.On() {
		return nil, nil
	}
	cluster, err := c.Kafka.Open(c.KafkaGroup, a.log)
	if err != nil {
		return nil, err
	}
	x := &exchange{cluster: cluster, server: a.Server, store: a.store, hub: a.hub, log: a.log, token: c.APIToken,
		node: rand.Text(), keep: isOn(c.KafkaStore), shared: a.redis != nil, wake: make(chan struct{}, 1)}
	a.exchange, a.hub.Also, a.monitor.behind = x, x.also, x.behind.Load
	a.engines = append(a.engines, api.Engine{Name: "kafka", Ping: cluster.Ping})
	return cluster.Forward, nil
}

const (
	// tellEvery is how often the outbox is looked into, where nothing new wakes it, and abandonedAfter when others' part of it
	// is told here: their node is gone.
	tellEvery      = time.Second
	abandonedAfter = 10 * time.Second
	tellAtOnce     = 200
	lagEvery       = 2 * time.Second
)

// run exchanges until ctx ends.
func (x *exchange) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { x.tell(ctx); return nil })
	group.Go(func() error { x.measure(ctx); return nil })
	x.cluster.Prepare(ctx)
	told := []string{kafka.Alerts, kafka.Predictions, kafka.FLEvents}
	topics := []string{kafka.NetworkData, kafka.Detections}
	if x.keep || x.shared {
		topics = append(topics, told...)
	}
	group.Go(func() error {
		return x.cluster.Consume(ctx, kafka.Group{Topics: topics, Take: x.take, Stream: x.analyse})
	})
	if !x.shared {
		group.Go(func() error { return x.cluster.Watch(ctx, told, x.show) })
	}
	return group.Wait()
}

// measure asks how far behind the group is, again and again.
func (x *exchange) measure(ctx context.Context) {
	tick := time.NewTicker(lagEvery)
	defer tick.Stop()
	for {
		if behind, err := x.cluster.Lag(ctx); err == nil {
			x.behind.Store(behind)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// take is a kafka.Group's Take.
func (x *exchange) take(ctx context.Context, records []kafka.Record) (done int, err error) {
	first := &records[0]
	switch schema, _, _ := strings.Cut(first.Headers[kafka.HeaderSchema], "/"); {
	case first.Topic == kafka.NetworkData && schema == "batch":
		return x.rows(ctx, "/api/ingest/batches", records)
	case first.Topic == kafka.NetworkData:
		return x.rows(ctx, "/api/ingest/network-data", records)
	case first.Topic == kafka.Detections:
		return x.rows(ctx, "/api/ingest/detections", records)
	}
	for i := range records {
		if records[i].Headers[kafka.HeaderNode] != "" {
			continue // ours: it was kept before it was told
		}
		if err := x.foreign(ctx, &records[i]); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

// foreign takes what another system says on a topic: to the store, or to this node's pages alone.
func (x *exchange) foreign(ctx context.Context, r *kafka.Record) error {
	if !x.keep {
		kind, about, err := x.asMessage(r)
		if err == nil && about != nil {
			err = x.hub.Relay(kind, about)
		}
		return err
	}
	method, path, body, err := routeOf(r)
	if err == nil {
		_, err = x.ask(ctx, method, path, "application/json", body)
	}
	if r.Topic == kafka.FLEvents && err != nil && breakwater.KindOf(err) == breakwater.Conflict {
		// It is known already or comes too late, as after a record that came twice: nobody has to look into that.
		x.log.Debug("what another system says of federated learning is passed over", "key", r.Key, "err", err)
		return nil
	}
	return err
}

// routeOf is the route that takes what another system says on a topic.
func routeOf(r *kafka.Record) (method, path string, body []byte, err error) {
	switch r.Topic {
	case kafka.Alerts:
		return http.MethodPost, "/api/alerts", r.Value, nil
	case kafka.Predictions:
		return http.MethodPost, "/api/predictions", r.Value, nil
	}
	kind, id, body, err := federationEvent(r)
	switch id = url.PathEscape(id); kind {
	case "client":
		return http.MethodPut, "/api/fl/clients/" + id, body, err
	case "end":
		return http.MethodPost, "/api/fl/rounds/" + id + "/complete", body, err
	}
	return http.MethodPut, "/api/fl/rounds/" + id + "/progress", body, err
}

// federationEvent reads what a record of fl_events is about, round, end or client, of which id, and says it without that.
func federationEvent(r *kafka.Record) (kind, id string, body []byte, err error) {
	kind, _, _ = strings.Cut(r.Headers[kafka.HeaderSchema], "/")
	var fields map[string]json.RawMessage
	if json.Unmarshal(r.Value, &fields) != nil || len(fields["id"]) == 0 {
		return "", "", nil, &breakwater.Error{Kind: breakwater.Invalid, Message: "a record of " + kafka.FLEvents + " is a JSON object with the id of its round or client"}
	}
	id = strings.Trim(string(fields["id"]), `"`)
	delete(fields, "id")
	body, err = json.Marshal(fields)
	return kind, id, body, err
}

// rows gives records to a route that takes rows, together, or, where one of them is wrong, each by itself.
func (x *exchange) rows(ctx context.Context, path string, records []kafka.Record) (done int, err error) {
	if breakwater.CheckFacilityID(records[0].Key) == nil { // of rows that name none
		path += "?facility_id=" + records[0].Key
	}
	wrong, err := x.send(ctx, path, records)
	if err != nil {
		return 0, err
	}
	if wrong == "" {
		return len(records), nil
	}
	for i := range records {
		if len(records) > 1 {
			if wrong, err = x.send(ctx, path, records[i:i+1]); err != nil {
				return i, err
			}
		}
		if wrong != "" {
			return i, &breakwater.Error{Kind: breakwater.Invalid, Message: wrong}
		}
	}
	return len(records), nil
}

// send sends rows and gives what is wrong with the first that is rejected. With an error none is known to be taken.
func (x *exchange) send(ctx context.Context, path string, records []kafka.Record) (wrong string, err error) {
	var lines bytes.Buffer
	for i := range records {
		text := records[i].Value
		if bytes.IndexByte(text, '\n') >= 0 {
			var one bytes.Buffer
			if json.Compact(&one, text) == nil {
				text = one.Bytes()
			} else {
				text = bytes.ReplaceAll(text, []byte("\n"), []byte(" "))
			}
		}
		if len(bytes.TrimSpace(text)) == 0 || bytes.TrimSpace(text)[0] != '{' {
			if len(records) == 1 {
				return "its value is no JSON object", nil
			}
			return "one of them is no JSON object", nil
		}
		lines.Write(text)
		lines.WriteByte('\n')
	}
	answer, err := x.ask(ctx, http.MethodPost, path, "application/x-ndjson", lines.Bytes())
	if err != nil {
		return "", err
	}
	var tally api.Tally
	if err := json.Unmarshal(answer, &tally); err != nil {
		return "", fmt.Errorf("read the answer of %s: %w", path, err)
	}
	if tally.Rejected > 0 {
		return tally.Errors[0].Detail, nil
	}
	return "", nil
}

// ask asks the API of this process. What it will never take is an error of kind Invalid, or Conflict.
func (x *exchange) ask(ctx context.Context, method, path, media string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: "it cannot be asked for: " + path, Err: err}
	}
	r.Header.Set("Content-Type", media)
	if x.token != "" {
		r.Header.Set("Authorization", "Bearer "+x.token)
	}
	w := &answer{header: http.Header{}}
	x.api.ServeHTTP(w, r)
	if w.status < 300 {
		return w.body.Bytes(), nil
	}
	var problem struct{ Detail string }
	if json.Unmarshal(w.body.Bytes(), &problem) != nil || problem.Detail == "" {
		problem.Detail = "the API answered " + http.StatusText(w.status)
	}
	kind := breakwater.Invalid
	switch {
	case w.status == http.StatusConflict:
		kind = breakwater.Conflict
	case w.status == http.StatusServiceUnavailable || w.status == http.StatusTooManyRequests:
		kind = breakwater.Unavailable
	case w.status >= 500:
		kind = breakwater.Internal
	}
	return nil, &breakwater.Error{Kind: kind, Message: problem.Detail}
}

// answer is an http.ResponseWriter that keeps what was answered.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// analyse is a kafka.Group's Stream: the sensor's half for a facility's raw traffic. Where the database is away it waits.
func (x *exchange) analyse(ctx context.Context, s *kafka.Stream) error {
	if err := breakwater.CheckFacilityID(s.Facility); err != nil {
		return err
	}
	sensor, err := x.server.PatientSensor(ctx, s.Facility, s.Learn)
	if err != nil {
		return err
	}
	if s.Kind == "pcap" {
		_, err = sensor.Run(ctx, packetsOf(s.Parts))
		return err
	}
	var wrong error
	right := false
	_, err = sensor.RunLog(ctx, func(yield func(pipeline.Entry) bool) {
		for part := range s.Parts {
			for line := range bytes.Lines(part) {
				if line = bytes.TrimSpace(line); len(line) == 0 {
					continue
				}
				going := true
				switch err := api.ReadLog(s.Kind, s.Facility, line, func(e pipeline.Entry) { going = going && yield(e) }); {
				case err == nil || errors.Is(err, decode.ErrUnused):
					right = true
				case wrong == nil:
					wrong = &breakwater.Error{Kind: breakwater.Invalid, Message: "a row of " + s.Kind + " cannot be read: " + err.Error()}
				}
				if !going {
					return
				}
			}
		}
	})
	if err == nil && !right {
		err = wrong // of a log of which some rows can be read the others are left out, as over HTTP
	}
	return err
}

// packetsOf are the packets of captures that follow each other.
func packetsOf(parts iter.Seq[[]byte]) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		for part := range parts {
			source, err := capture.NewReader(bytes.NewReader(part), "a capture that came over Kafka")
			if err != nil {
				if !yield(breakwater.Packet{}, err) {
					return
				}
				continue
			}
			for p, err := range source.Packets() {
				if !yield(p, err) {
					source.Close()
					return
				}
			}
			source.Close()
		}
	}
}

// forward sends the packets of an upload on, in parts that are captures themselves.
func forward(to io.WriteCloser, packets iter.Seq2[breakwater.Packet, error]) (sent int64, err error) {
	var part bytes.Buffer
	w := capture.NewWriter(&part, capture.PCAPNG)
	var began time.Time // the oldest packet of part
	var broken error
	for p, wrong := range packets {
		if wrong != nil {
			if broken == nil {
				broken = wrong
			}
			continue
		}
		if part.Len() > 0 && (part.Len()+len(p.Data)+partHead > kafka.PartMax || time.Since(began) > api.ForwardAfter) {
			if _, err := to.Write(part.Bytes()); err != nil {
				return sent, errors.Join(err, to.Close())
			}
			part.Reset()
			w = capture.NewWriter(&part, capture.PCAPNG)
		}
		if part.Len() == 0 {
			began = time.Now()
		}
		if err := w.Write(p); err != nil {
			return sent, errors.Join(err, to.Close())
		}
		sent++
	}
	if part.Len() > 0 {
		_, err = to.Write(part.Bytes())
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return sent, err
	}
	return sent, broken
}

// partHead is more than what a capture says beside a packet's bytes.
const partHead = 512
