package kafka

import (
	"context"
	"sync"
	"time"

	"breakwater"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// commitEvery bounds what comes again after a crash.
	commitEvery = time.Second
	// takeRecords and takeBytes bound what is taken at a time of one partition.
	takeRecords = 1000
	takeBytes   = 4 << 20
	// queueHigh is how many bytes may wait of one partition before it is not asked for more, and queueLow when it is again.
	queueHigh = 8 << 20
	queueLow  = 2 << 20
	// ownFaults is how often a record is tried on which the program itself fails, as by a bug, before it is a dead letter.
	ownFaults = 5
)

// Group is what the nodes of a group do with the records of their topics.
type Group struct {
	// Topics beside Traffic.
	Topics []string
	// Take takes records of one topic, key and schema that follow each other, in order; when it returns, the first of them, done many, are
	// durable, and an error is about the one behind them. Where that is of kind Unavailable or Internal the record comes
	// again, else it is a dead letter. It is called for several partitions at the same time.
	Take func(ctx context.Context, records []Record) (done int, err error)
	// Stream takes one capture or log, while its parts come. An error but that of ctx makes what is left of it dead
	// letters. It waits itself where something cannot be had now.
	Stream func(ctx context.Context, s *Stream) error
}

// Consume takes what comes as a member of the group until ctx ends. A record is committed when it was taken; within a
// partition, and so of one facility, records are taken in order. A partition that goes to another node is let go of
// between two records: what was not committed comes again there.
func (c *Cluster) Consume(ctx context.Context, g Group) error {
	all, err := c.settings.options()
	if err != nil {
		return err
	}
	r := &reader{cluster: c, group: g, workers: map[place]*worker{}}
	client, err := kgo.NewClient(append(all,
		kgo.ConsumerGroup(c.settings.Group), kgo.ConsumeTopics(c.names(append([]string{Traffic}, g.Topics...))...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // what was sent before the group was first there counts too
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery), kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(sessionTimeout/4),
		kgo.FetchMaxPartitionBytes(takeBytes), kgo.FetchMaxWait(500*time.Millisecond),
		// Between a poll and the handing out of what it brought no partition may go: it would come back with a hole.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(r.assigned), kgo.OnPartitionsRevoked(r.revoked), kgo.OnPartitionsLost(r.lost),
	)...)
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "KAFKA_GROUP_ID", Message: "Kafka cannot be read with these settings", Err: err}
	}
	defer client.CloseAllowingRebalance()
	unread := c.unread(ctx)
	for ctx.Err() == nil {
		fetched := client.PollFetches(ctx)
		fetched.EachPartition(func(p kgo.FetchTopicPartition) {
			if w := r.worker(place{p.Topic, p.Partition}); w != nil && len(p.Records) > 0 {
				w.put(p.Records)
			}
		})
		client.AllowRebalance()
		fetched.EachError(unread)
	}
	r.stop(client, r.all())
	r.commit(context.WithoutCancel(ctx), client)
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	if err := client.LeaveGroupContext(leaving); err != nil { // else Close would try for half a minute
		c.log.Debug("this node counts as one of the group for some seconds more", "err", err)
	}
	return nil
}

// unread tells of errors of reading, one a minute.
func (c *Cluster) unread(ctx context.Context) func(topic string, partition int32, err error) {
	told := time.Time{}
	return func(topic string, partition int32, err error) {
		if now := time.Now(); ctx.Err() == nil && now.Sub(told) > time.Minute {
			told = now
			c.log.Warn("Kafka cannot be read; it will be tried again", "topic", topic, "partition", partition, "err", err)
		}
	}
}

// names are topics' names on the cluster.
func (c *Cluster) names(topics []string) []string {
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = c.settings.Prefix + topic
	}
	return names
}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// reader is one membership of a group.
type reader struct {
	cluster *Cluster
	group   Group

	mu      sync.Mutex
	workers map[place]*worker
}

func (r *reader) worker(at place) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.workers[at]
}

func (r *reader) all() []place {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]place, 0, len(r.workers))
	for at := range r.workers {
		all = append(all, at)
	}
	return all
}

func places(in map[string][]int32) (all []place) {
	for topic, numbers := range in {
		for _, n := range numbers {
			all = append(all, place{topic, n})
		}
	}
	return all
}

func (r *reader) assigned(_ context.Context, client *kgo.Client, in map[string][]int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range places(in) {
		ctx, cancel := context.WithCancel(context.Background())
		w := &worker{reader: r, client: client, at: at, ctx: ctx, cancel: cancel, done: make(chan struct{}), news: make(chan struct{}, 1), streams: map[string]*stream{}}
		r.workers[at] = w
		go w.run()
	}
}

// revoked lets go of partitions for another node: what is being taken ends first, and is committed.
func (r *reader) revoked(ctx context.Context, client *kgo.Client, in map[string][]int32) {
	r.stop(client, places(in))
	r.commit(ctx, client)
}

// commit commits what was taken, for as long as a question to Kafka may take.
func (r *reader) commit(ctx context.Context, client *kgo.Client) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		r.cluster.log.Warn("what was taken from Kafka last was not committed: it comes again", "err", err)
	}
}

// lost lets go of partitions that are another node's already: nothing can be committed any more.
func (r *reader) lost(_ context.Context, client *kgo.Client, in map[string][]int32) {
	r.stop(client, places(in))
}

// stop ends workers and waits for them.
func (r *reader) stop(client *kgo.Client, gone []place) {
	var stopped []*worker
	r.mu.Lock()
	for _, at := range gone {
		if w := r.workers[at]; w != nil {
			w.cancel()
			stopped = append(stopped, w)
			delete(r.workers, at)
		}
		client.ResumeFetchPartitions(map[string][]int32{at.topic: {at.partition}}) // or it would come back paused
	}
	r.mu.Unlock()
	for _, w := range stopped {
		<-w.done
	}
}

// worker takes the records of one partition, one after the other.
type worker struct {
	*reader
	client *kgo.Client
	at     place
	ctx    context.Context // ends when the partition goes
	cancel func()
	done   chan struct{}
	news   chan struct{}

	lock   sync.Mutex
	queue  []*kgo.Record
	bytes  int
	paused bool

	// Of topic Traffic: the streams that have begun and not ended, and behind which record the partition is read.
	streams map[string]*stream
	upTo    kgo.EpochOffset
}

// put adds what was fetched. It does not wait.
func (w *worker) put(records []*kgo.Record) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, r := range records {
		w.bytes += len(r.Value)
	}
	w.queue = append(w.queue, records...)
	if w.bytes > queueHigh && !w.paused {
		w.paused = true
		w.client.PauseFetchPartitions(map[string][]int32{w.at.topic: {w.at.partition}})
	}
	w.wake()
}

// wake says that there is something to do.
func (w *worker) wake() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// next is what is to be taken now; none where nothing came.
func (w *worker) next() []*kgo.Record {
	w.lock.Lock()
	defer w.lock.Unlock()
	n, size := 0, 0
	for n < len(w.queue) && n < takeRecords && (n == 0 || size+len(w.queue[n].Value) <= takeBytes) {
		size += len(w.queue[n].Value)
		n++
	}
	some := w.queue[:n:n]
	w.queue, w.bytes = w.queue[n:], w.bytes-size
	if w.paused && w.bytes < queueLow {
		w.paused = false
		w.client.ResumeFetchPartitions(map[string][]int32{w.at.topic: {w.at.partition}})
	}
	return some
}

func (w *worker) run() {
	defer close(w.done)
	defer w.dropStreams()
	tick := time.NewTicker(streamLook)
	defer tick.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-tick.C:
			w.endForsaken(time.Now())
		case <-w.news:
		}
		taken := w.take
		if w.at.topic == w.cluster.settings.Prefix+Traffic {
			taken = w.takeTraffic
			if !w.reap() {
				return
			}
		}
		for w.ctx.Err() == nil { // what is left when the partition goes comes to who has it next
			records := w.next()
			if len(records) == 0 {
				break
			}
			if !taken(records) {
				return
			}
		}
	}
}

// take takes records and commits them. Those of one key go together, in order: facilities that share a partition do not make
// each other's slow. Of them those of one schema that follow each other do. false: the partition goes.
func (w *worker) take(records []*kgo.Record) bool {
	var order []string
	together := map[string][]*kgo.Record{}
	for _, r := range records {
		key := string(r.Key)
		if together[key] == nil {
			order = append(order, key)
		}
		together[key] = append(together[key], r)
	}
	for _, key := range order {
		for left := together[key]; len(left) > 0; {
			n := 1
			for n < len(left) && headersOf(left[n])[HeaderSchema] == headersOf(left[0])[HeaderSchema] {
				n++
			}
			if w.ctx.Err() != nil || !w.takeAll(left[:n]) {
				return false
			}
			left = left[n:]
		}
	}
	w.client.MarkCommitRecords(records[len(records)-1])
	return true
}

func (w *worker) takeAll(from []*kgo.Record) bool {
	records := make([]Record, len(from))
	for i, r := range from {
		records[i] = w.cluster.recordOf(r)
	}
	faults := 0
	for wait := newBackoff(); len(from) > 0; {
		n, err := w.group.Take(w.ctx, records)
		if err != nil && n == len(from) {
			n-- // there is none behind them that the error could be about: it is about the last
		}
		if from, records = from[n:], records[n:]; n > 0 {
			faults = 0
		}
		if w.ctx.Err() != nil { // what was taken whole by then counts
			return err == nil && len(from) == 0
		}
		if err == nil || len(from) == 0 {
			if failed := wait.over(); failed > 0 {
				w.cluster.log.Info("records of Kafka are taken again", "topic", w.at.topic, "partition", w.at.partition, "after_attempts", failed)
			}
			continue
		}
		kind := breakwater.KindOf(err)
		if kind == breakwater.Internal {
			faults++
		}
		if kind != breakwater.Unavailable && kind != breakwater.Internal || faults >= ownFaults {
			if !w.cluster.bury(w.ctx, from[0], err) {
				return false
			}
			from, records, faults = from[1:], records[1:], 0
			continue
		}
		if wait.failed() == 1 {
			w.cluster.log.Warn("records of Kafka wait: they are tried again", "topic", w.at.topic, "partition", w.at.partition, "err", err)
		}
		if !wait.wait(w.ctx) {
			return false
		}
	}
	return true
}

// Watch tells of what comes on topics from now on, to this process and whoever else watches, until ctx ends. It is for
// what is shown and not kept: what came while nobody watched is not told.
func (c *Cluster) Watch(ctx context.Context, topics []string, tell func(Record)) error {
	all, err := c.settings.options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(all, kgo.ConsumeTopics(c.names(topics)...), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(500*time.Millisecond))...)
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "KAFKA_BOOTSTRAP_SERVERS", Message: "Kafka cannot be read with these settings", Err: err}
	}
	defer client.Close()
	unread := c.unread(ctx)
	for ctx.Err() == nil {
		fetched := client.PollFetches(ctx)
		fetched.EachRecord(func(r *kgo.Record) {
			tell(c.recordOf(r))
		})
		fetched.EachError(unread)
	}
	return nil
}
