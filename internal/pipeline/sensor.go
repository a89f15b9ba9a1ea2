// Package pipeline is the way of the data, once: everything a live tap, a replayed capture, a demo or a test does goes
// through here, because there is no other way.
//
//	Sensor   packets ─► frames, events ─► windows ─► detections ─► Send
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
	"breakwater/internal/window"
)

// Sensor is the half at the plant: one facility's packets in, batches of windows and detections out. A Sensor runs
// once; the next capture begins with a new one, so that what it finds depends on the capture and the baseline alone.
type Sensor struct {
	FacilityID string
	Rules      []*detect.Rule
	Baseline   *detect.Baseline // what is known as normal; grows while learning
	// Learn is how long, in data time from the first packet on, what is seen is taken as normal. 0: not at all.
	Learn time.Duration
	// Learned is called once, when learning has ended: by time, or by the end of the packets.
	Learned func(context.Context, *detect.Baseline) error
	Send    breakwater.Send
}

// Stats counts what went through a Sensor.
type Stats struct {
	Packets, Events, Windows, Detections int64
	First, Last                          time.Time // data time
}

// run is the state of one Run.
type run struct {
	*Sensor
	ctx      context.Context
	stats    Stats
	decoder  *decode.Decoder
	windows  *window.Builder
	engine   *detect.Engine
	batch    breakwater.Batch
	learning bool
	failed   error // of Send or Learned, met inside a callback
}

// Run takes packets through decoding, windows and detection and sends each second as it ends, detections at once.
// It returns at the end of the packets, at the first error of Send, or when ctx ends. An error of the packets is
// returned at the end: what could be read around it is worth having.
func (s *Sensor) Run(ctx context.Context, packets iter.Seq2[breakwater.Packet, error]) (Stats, error) {
	r := &run{Sensor: s, ctx: ctx, learning: s.Learn > 0}
	r.engine = detect.New(s.FacilityID, s.Rules, s.Baseline)
	r.engine.SetLearning(r.learning)
	r.windows = window.NewBuilder(s.FacilityID, r.second)
	r.decoder = decode.New(r.event)
	r.batch.FacilityID = s.FacilityID

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

// packet takes one packet the whole way.
func (r *run) packet(p *breakwater.Packet) {
	// Captures of several interfaces, and clocks that are set, may step back. Time does not.
	if p.Time.Before(r.stats.Last) {
		p.Time = r.stats.Last
	}
	if r.stats.First.IsZero() {
		r.stats.First = p.Time
	}
	r.stats.Last = p.Time

	r.windows.Advance(p.Time)
	if r.learning && p.Time.Sub(r.stats.First) >= r.Learn {
		r.stopLearning()
	}
	if frame, ok := r.decoder.Packet(p); ok {
		r.stats.Packets++
		r.windows.Frame(&frame)
		r.engine.Frame(&frame)
	}
	r.send() // what this packet raised does not wait for the second's end
}

// event takes one decoded event into the second it belongs to.
func (r *run) event(e *breakwater.Event) {
	r.stats.Events++
	r.windows.Event(e)
	r.engine.Event(e)
}

// second ends one second: the detectors see it whole, and it goes up.
func (r *run) second(w *breakwater.Window) {
	r.stats.Windows++
	r.engine.Window(w)
	r.batch.Windows = append(r.batch.Windows, *w)
	r.send()
}

// send sends the seconds that ended and the detections made since the last time, if there are any.
func (r *run) send() {
	found := r.engine.Drain()
	if len(found) == 0 && len(r.batch.Windows) == 0 || r.failed != nil {
		return
	}
	r.stats.Detections += int64(len(found))
	r.batch.Detections = found
	r.failed = r.Send(r.ctx, r.batch)
	r.batch.Windows, r.batch.Detections = r.batch.Windows[:0], nil
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
	if r.learning {
		r.stopLearning()
	}
}
