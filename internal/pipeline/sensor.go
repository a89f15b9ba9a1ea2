// Package pipeline is the way of the data, once: everything a live tap, a replayed capture, a demo or a test does goes
// through here, because there is no other way.
//
//	Sensor   packets ─► frames, events ─► inventory, talks, windows ─► detections ─► Send
//	         logs of other programs ─► events ─┘
//	Server   Receive ─► context ─► alert ─► store ─► publish
//
// The two halves meet in breakwater.Send alone. Time is the packets' own: nothing here looks at a clock, so a capture
// gives the same alerts at any speed.
package pipeline

import (
	"context"
	"iter"
	"time"

	"breakwater"
	"breakwater/internal/decode"
	"breakwater/internal/detect"
	"breakwater/internal/ml"
	"breakwater/internal/window"
)

// Sensor is the half at the plant: one facility's packets in, batches of windows, detections, assets and conversations
// out. A Sensor runs once; the next capture begins with a new one, so that what it finds depends on the capture and the
// baseline alone.
type Sensor struct {
	FacilityID string
	Rules      []*detect.Rule
	Baseline   *detect.Baseline // what is known as normal; grows while learning
	Models     []*ml.Model      // that speak beside the rules; one of a kind
	// Learn is how long, in data time from the first packet on, what is seen is taken as normal. 0: not at all.
	Learn time.Duration
	// Learned is called once, when learning has ended: by time, or by the end of the packets.
	Learned func(context.Context, *detect.Baseline) error
	// Changed, asked at each second's end, gives what the sensor shall run with from then on; nil, or a nil part of it,
	// is as before. While learning a baseline is not asked for.
	Changed func() *Setup
	Send    breakwater.Send
}

// Setup is what a sensor detects with.
type Setup struct {
	Rules    []*detect.Rule
	Baseline *detect.Baseline
	Models   []*ml.Model // each in the place of that of its kind; those of other kinds stay
}

// Entry is one thing that another program's log says: a message or connection that was seen, or a detection.
type Entry struct {
	Event     *breakwater.Event // the reader's own
	Detection *breakwater.Detection
}

// time is when it happened.
func (e *Entry) time() time.Time {
	if e.Event != nil {
		return e.Event.Time
	}
	return e.Detection.Time
}

// assetsPerBatch and talksPerBatch bound a batch: thousands of devices may be told of in one second.
const (
	assetsPerBatch = 256
	talksPerBatch  = 256
)

// Stats counts what went through a Sensor.
type Stats struct {
	Packets, Events, Windows, Detections int64
	First, Last                          time.Time // data time
}

// run is the state of one Run.
type run struct {
	*Sensor
	ctx       context.Context
	stats     Stats
	decoder   *decode.Decoder
	windows   *window.Builder
	inventory *inventory
	talks     *talks
	engine    *detect.Engine
	batch     breakwater.Batch
	foreign   []breakwater.Detection // of another program, made since the last batch
	told      int64                  // events that batches have told of
	learning  bool
	failed    error // of Send or Learned, met inside a callback
}

// Run takes packets through decoding, windows and detection and sends each second as it ends, detections at once.
// It returns at the end of the packets, at the first error of Send, or when ctx ends. An error of the packets is
// returned at the end: what could be read around it is worth having.
func (s *Sensor) Run(ctx context.Context, packets iter.Seq2[breakwater.Packet, error]) (Stats, error) {
	r := s.begin(ctx)
	var broken error
	for p, err := range packets {
		if err != nil { // ends its file; in a folder the next one comes after it
			if broken == nil {
				broken = err
			}
			continue
		}
		if r.packet(&p); r.failed != nil {
			return r.stats, r.failed
		}
		if r.stats.Packets&0xff == 0 && ctx.Err() != nil {
			return r.stats, ctx.Err()
		}
	}
	r.finish()
	if r.failed != nil {
		return r.stats, r.failed
	}
	return r.stats, broken
}

// RunLog takes what other programs logged the same way, in order of time as far as inOrder can put it. There are no
// packets then: each message counts as one in the windows, which compare with others of the same source.
func (s *Sensor) RunLog(ctx context.Context, entries iter.Seq[Entry]) (Stats, error) {
	r := s.begin(ctx)
	for e := range inOrder(entries) {
		if r.entry(&e); r.failed != nil {
			return r.stats, r.failed
		}
		if r.stats.Events&0xff == 0 && ctx.Err() != nil {
			return r.stats, ctx.Err()
		}
	}
	r.finish()
	return r.stats, r.failed
}

func (s *Sensor) begin(ctx context.Context) *run {
	r := &run{Sensor: s, ctx: ctx, learning: s.Learn > 0, inventory: newInventory(s.FacilityID), talks: newTalks(s.FacilityID)}
	r.engine = detect.New(s.FacilityID, s.Rules, s.Baseline)
	r.engine.SetModels(s.Models)
	r.engine.SetLearning(r.learning)
	r.windows = window.NewBuilder(s.FacilityID, r.second)
	r.decoder = decode.New(r.event)
	r.batch.FacilityID = s.FacilityID
	return r
}

// packet takes one packet the whole way.
func (r *run) packet(p *breakwater.Packet) {
	p.Time = r.advance(p.Time)
	if frame, ok := r.decoder.Packet(p); ok {
		r.stats.Packets++
		r.windows.Frame(&frame)
		r.inventory.Frame(&frame)
		r.engine.Frame(&frame)
	}
	r.send() // what this packet raised does not wait for the second's end
}

// entry takes one line of a log the whole way.
func (r *run) entry(e *Entry) {
	t := r.advance(e.time())
	if ev := e.Event; ev != nil {
		ev.Time = t
		r.event(ev)
		frame := breakwater.Frame{Time: t, Src: ev.Src, Dst: ev.Dst, Protocol: ev.Protocol, Length: ev.Length}
		r.windows.Frame(&frame)
		r.inventory.Frame(&frame)
	}
	if d := e.Detection; d != nil {
		r.foreign = append(r.foreign, *d)
	}
	r.send()
}

// advance moves time to t, ends the seconds that lie before it, and gives the time that it is: captures of several
// interfaces, and clocks that are set, may step back. Time does not.
func (r *run) advance(t time.Time) time.Time {
	if t.Before(r.stats.Last) {
		t = r.stats.Last
	}
	if r.stats.First.IsZero() {
		r.stats.First = t
	}
	r.stats.Last = t
	r.windows.Advance(t)
	if r.learning && t.Sub(r.stats.First) >= r.Learn {
		r.stopLearning()
	}
	return t
}

// event takes one decoded event into the second it belongs to.
func (r *run) event(e *breakwater.Event) {
	r.stats.Events++
	r.windows.Event(e)
	r.inventory.Event(e)
	r.talks.Event(e)
	r.engine.Event(e)
}

// second ends one second: the detectors see it whole, and it goes up.
func (r *run) second(w *breakwater.Window) {
	r.stats.Windows++
	r.engine.Window(w)
	r.batch.Windows = append(r.batch.Windows, *w)
	r.batch.Assets, r.batch.Talks = r.inventory.changes(w.End(), false), r.talks.changes(w.End(), false)
	r.send()
	if r.Changed != nil {
		r.change(r.Changed())
	}
}

// change goes on with other rules, another baseline or other models.
func (r *run) change(to *Setup) {
	if to == nil {
		return
	}
	if to.Rules != nil {
		r.engine.SetRules(to.Rules)
	}
	r.engine.SetModels(to.Models)
	if to.Baseline != nil && !r.learning {
		r.engine.SetBaseline(to.Baseline)
	}
}

// send sends the seconds that ended and the detections and assets met since the last time, if there are any.
func (r *run) send() {
	found := append(r.engine.Drain(), r.foreign...)
	r.foreign = r.foreign[:0]
	if len(found) == 0 && len(r.batch.Windows) == 0 && len(r.batch.Assets) == 0 && len(r.batch.Talks) == 0 || r.failed != nil {
		return
	}
	r.stats.Detections += int64(len(found))
	r.batch.Events, r.told = r.stats.Events-r.told, r.stats.Events
	assets, talks := r.batch.Assets, r.batch.Talks
	for first := true; r.failed == nil && (first || len(assets)+len(talks) > 0); first = false {
		n, m := min(len(assets), assetsPerBatch), min(len(talks), talksPerBatch)
		r.batch.Detections, r.batch.Assets, assets = found, assets[:n], assets[n:]
		r.batch.Talks, talks = talks[:m], talks[m:]
		r.failed = r.Send(r.ctx, r.batch)
		r.batch.Windows, r.batch.Events, found = r.batch.Windows[:0], 0, nil
	}
	r.batch.Detections, r.batch.Assets, r.batch.Talks = nil, nil, nil
}

func (r *run) stopLearning() {
	r.learning = false
	r.engine.SetLearning(false)
	if r.Learned != nil && r.failed == nil {
		r.failed = r.Learned(r.ctx, r.Baseline)
	}
}

// finish ends what is open when the packets end.
func (r *run) finish() {
	r.decoder.Flush()
	r.windows.Flush()
	r.batch.Assets, r.batch.Talks = r.inventory.changes(r.stats.Last, true), r.talks.changes(r.stats.Last, true)
	r.send()
	if r.learning {
		r.stopLearning()
	}
}
