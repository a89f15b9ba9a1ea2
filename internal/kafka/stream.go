package kafka

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"breakwater"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Stream is one capture or log of a facility. Its detectors' memory lives as long as it is read: so its first record is not
// committed before its last one was taken, and a node that takes its partition over reads it from its beginning, which
// gives the same detections again.
type Stream struct {
	Facility string
	Kind     string // pcap, events, zeek or eve
	Learn    time.Duration
	Parts    iter.Seq[[]byte] // each can be read by itself; ends with the stream, and with the context
}

const (
	// streamForsaken is after what silence a stream counts as cut short: who sent it is gone. The API waits five minutes for
	// the next byte of an upload.
	streamForsaken = 6 * time.Minute
	streamLook     = 30 * time.Second
)

// partsAhead is how many parts of a stream may wait, so that streams that share a partition are read at the same time.
const partsAhead = 4

// stream is a Stream that has begun.
type stream struct {
	facility string
	first    int64       // offset
	next     int         // part
	newest   *kgo.Record // that was handed on
	heard    time.Time
	closed   bool // its last part was handed on
	parts    chan []byte
	cancel   func()
	ended    chan struct{}
	err      error // why; known when ended
}

// takeTraffic takes parts of streams, and commits up to the first of those that go on. false: the partition goes.
func (w *worker) takeTraffic(records []*kgo.Record) bool {
	for _, r := range records {
		err := w.takePart(r)
		if w.ctx.Err() != nil {
			return false
		}
		if err != nil && !w.cluster.bury(w.ctx, r, err) {
			return false
		}
		w.upTo = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
	}
	return w.reap()
}

// reap is done with the streams that have ended, and commits. false: the partition goes.
func (w *worker) reap() bool {
	upTo := w.upTo
	for id, s := range w.streams {
		select {
		case <-s.ended:
			delete(w.streams, id)
			s.cancel()
			if w.ctx.Err() != nil || s.err != nil && !w.cluster.bury(w.ctx, s.newest, s.err) {
				return false
			}
		default:
			upTo.Offset = min(upTo.Offset, s.first)
		}
	}
	if upTo.Offset > 0 {
		w.client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{w.at.topic: {w.at.partition: upTo}})
	}
	return true
}

func (w *worker) takePart(r *kgo.Record) error {
	h := headersOf(r)
	invalid := func(format string, args ...any) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf(format, args...)}
	}
	id, part, last := h[headerStream], 0, h[headerLast] != ""
	if id == "" {
		id, last = "record "+strconv.FormatInt(r.Offset, 10), true
	} else {
		var err error
		if part, err = strconv.Atoi(h[headerPart]); err != nil || part < 0 {
			return invalid("header part %q is no number from 0", clip(h[headerPart]))
		}
	}
	s := w.streams[id]
	switch {
	case s == nil && part > 0:
		return invalid("part %d of a stream whose beginning is not there, or that went wrong before", part)
	case s == nil:
		var err error
		if s, err = w.begin(r, h); err != nil {
			return err
		}
		w.streams[id] = s
	case part < s.next:
		return nil // it came twice
	case s.closed:
		return invalid("part %d of a stream came after its end", part)
	case part > s.next:
		delete(w.streams, id)
		s.drop()
		return invalid("part %d of a stream came, and part %d did not", part, s.next)
	}
	s.next, s.newest, s.heard = part+1, r, time.Now()
	select {
	case s.parts <- r.Value:
	case <-s.ended: // before its time: reap says why
	case <-w.ctx.Done():
		return nil
	}
	if last {
		s.close()
	}
	return nil
}

// begin begins a stream with its first record.
func (w *worker) begin(r *kgo.Record, h headers) (*stream, error) {
	// What one stream learned the next of its facility knows.
	for _, before := range w.streams {
		if before.closed && before.facility == string(r.Key) {
			select {
			case <-before.ended:
			case <-w.ctx.Done():
				return nil, w.ctx.Err()
			}
		}
	}
	kind, _, _ := strings.Cut(h[HeaderSchema], "/")
	ctx, cancel := context.WithCancel(w.ctx)
	s := &stream{facility: string(r.Key), first: r.Offset, parts: make(chan []byte, partsAhead), cancel: cancel, ended: make(chan struct{})}
	whole := &Stream{Facility: string(r.Key), Kind: kind, Parts: func(yield func([]byte) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case part, open := <-s.parts:
				if !open || !yield(part) {
					return
				}
			}
		}
	}}
	if text := h[headerLearn]; text != "" {
		var err error
		if whole.Learn, err = time.ParseDuration(text); err != nil || whole.Learn < 0 {
			cancel()
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("header learn %q is not a duration as 300s", clip(text))}
		}
	}
	go func() {
		defer w.wake()
		defer close(s.ended)
		defer func() {
			if p := recover(); p != nil { // one capture must not end every node that tries it
				w.cluster.log.Error("a stream of Kafka panicked", "panic", p, "stack", string(debug.Stack()))
				s.err = &breakwater.Error{Kind: breakwater.Invalid, Message: "the program failed on it: its log says where"}
			}
		}()
		s.err = w.group.Stream(ctx, whole)
	}()
	return s, nil
}

// close says that no part comes any more.
func (s *stream) close() {
	s.closed = true
	close(s.parts)
}

// drop ends a stream in the middle; nothing more of it is saved.
func (s *stream) drop() {
	s.cancel()
	<-s.ended
}

func (w *worker) dropStreams() {
	for _, s := range w.streams {
		s.drop()
	}
}

// endForsaken ends the streams that nobody goes on with, as uploads that were cut short.
func (w *worker) endForsaken(now time.Time) {
	for _, s := range w.streams {
		if !s.closed && now.Sub(s.heard) > streamForsaken {
			w.cluster.log.Warn("a capture or log that came over Kafka was cut short: what came of it counts", "partition", w.at.partition)
			s.close()
		}
	}
}
