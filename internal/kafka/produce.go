package kafka

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"breakwater"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BatchSchema is that of sensors' batches, each as POST /api/ingest/batches takes it.
const BatchSchema = "batch/1"

// SendBatches sends batches of one facility, each as JSON, in order. When it returns without an error they are on all
// replicas in sync. The error is of kind TooLarge where one of them is, else Unavailable: some may be there then, and
// come again harmlessly with the next attempt.
func (c *Cluster) SendBatches(ctx context.Context, facility string, batches [][]byte) error {
	records := make([]*kgo.Record, len(batches))
	for i, b := range batches {
		records[i] = &kgo.Record{Topic: c.settings.Prefix + NetworkData, Key: []byte(facility), Value: b, Headers: headers{HeaderSchema: BatchSchema}.list()}
	}
	return c.failed(c.client.ProduceSync(ctx, records...).FirstErr())
}

// Put sends records, in order, and returns when they are on all replicas in sync. The error is the first record's that has one.
func (c *Cluster) Put(ctx context.Context, records ...Record) error {
	return cmp.Or(c.PutEach(ctx, records...)...)
}

// PutEach is Put that says of each record what became of it: nil where it is there.
func (c *Cluster) PutEach(ctx context.Context, records ...Record) []error {
	places := make(map[*kgo.Record]int, len(records))
	all := make([]*kgo.Record, len(records))
	for i := range records {
		all[i] = c.recordFor(&records[i])
		places[all[i]] = i
	}
	errs := make([]error, len(records))
	for _, result := range c.client.ProduceSync(ctx, all...) { // in the order in which they were answered
		errs[places[result.Record]] = c.failed(result.Err)
	}
	return errs
}

// Record is one record of a topic.
type Record struct {
	Topic   string
	Key     string
	Value   []byte
	Headers map[string]string
}

// recordFor is a record of ours in the library's words.
func (c *Cluster) recordFor(r *Record) *kgo.Record {
	return &kgo.Record{Topic: c.settings.Prefix + r.Topic, Key: []byte(r.Key), Value: r.Value, Headers: headers(r.Headers).list()}
}

// recordOf is a record in our words.
func (c *Cluster) recordOf(r *kgo.Record) Record {
	return Record{Topic: strings.TrimPrefix(r.Topic, c.settings.Prefix), Key: string(r.Key), Value: r.Value, Headers: headersOf(r)}
}

// headers are a record's, by name.
type headers map[string]string

func (h headers) list() []kgo.RecordHeader {
	list := make([]kgo.RecordHeader, 0, len(h))
	for name, value := range h {
		list = append(list, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return list
}

func headersOf(r *kgo.Record) headers {
	h := make(headers, len(r.Headers))
	for _, one := range r.Headers {
		h[one.Key] = string(one.Value)
	}
	return h
}

// Headers of the records of one capture or log: which it is, the how manieth part, from 0, whether it is the last, and how
// much of it is to be learned. A record without headerStream is a whole one.
const (
	headerStream = "stream"
	headerPart   = "part"
	headerLast   = "last"
	headerLearn  = "learn"
)

// Forward begins a capture or log of a facility, kind pcap, events, zeek or eve, on its way to the node that has the
// facility. Each Write is a part that can be read by itself, at most PartMax bytes, and the last comes with Close, which
// returns when all of it is on all replicas in sync. After an error, which is of kind Unavailable, the rest is in vain.
func (c *Cluster) Forward(ctx context.Context, kind, facility string, learn time.Duration) io.WriteCloser {
	return &forward{ctx: ctx, cluster: c, kind: kind, facility: facility, learn: learn, id: rand.Text()}
}

// PartMax bounds a part of a capture or log, in bytes: Kafka takes records up to a megabyte unless told otherwise.
const PartMax = 512 << 10

type forward struct {
	ctx                context.Context
	cluster            *Cluster
	kind, facility, id string
	learn              time.Duration
	part               int
	held               []byte // the newest part: whether it is the last is not known yet
	some               bool   // held holds one

	pending sync.WaitGroup
	mu      sync.Mutex
	failed  error
}

func (f *forward) Write(part []byte) (int, error) {
	if f.some {
		f.send(false)
	}
	f.held, f.some = append([]byte(nil), part...), true
	return len(part), f.err()
}

func (f *forward) Close() error {
	if f.some {
		f.send(true)
	}
	f.pending.Wait()
	return f.err()
}

func (f *forward) send(last bool) {
	h := headers{HeaderSchema: f.kind + "/1", headerStream: f.id, headerPart: strconv.Itoa(f.part)}
	if f.learn > 0 {
		h[headerLearn] = f.learn.String()
	}
	if last {
		h[headerLast] = "true"
	}
	f.part++
	f.pending.Add(1)
	f.cluster.client.Produce(f.ctx, &kgo.Record{Topic: f.cluster.settings.Prefix + Traffic, Key: []byte(f.facility), Value: f.held, Headers: h.list()}, func(_ *kgo.Record, err error) {
		defer f.pending.Done()
		if err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.failed = cmp.Or(f.failed, f.cluster.failed(err))
		}
	})
}

func (f *forward) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// bury sends a record that cannot be taken to its topic's dead letters, with the reason, whatever time that takes. false:
// ctx ended before.
func (c *Cluster) bury(ctx context.Context, r *kgo.Record, why error) bool {
	c.log.Error("a record of Kafka cannot be taken and goes to the dead letters", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "key", clip(string(r.Key)), "err", why)
	h := headersOf(r)
	h[headerError], h[headerTopic] = clip(why.Error()), r.Topic
	h[headerWhere], h[headerOffset] = strconv.Itoa(int(r.Partition)), strconv.FormatInt(r.Offset, 10)
	dead := c.recordOf(r)
	dead.Topic, dead.Headers = dead.Topic+deadLetters, h
	for wait := newBackoff(); ; {
		err := c.Put(ctx, dead)
		switch {
		case err == nil:
			return true
		case breakwater.KindOf(err) == breakwater.TooLarge && len(dead.Value) > 0:
			dead.Value = nil // what it was is still where it was
			continue
		case wait.failed() == 1 && ctx.Err() == nil:
			c.log.Warn("a dead letter cannot be sent yet; it will be tried again", "topic", dead.Topic, "err", err)
		}
		if !wait.wait(ctx) {
			return false
		}
	}
}

// clip cuts a text for a header or a log.
func clip(s string) string {
	if len(s) > 500 {
		return s[:500] + "…"
	}
	return s
}
