package pipeline

import (
	"context"
	"encoding/json"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/detect"
	"breakwater/internal/store"
	"breakwater/internal/window"
)

// Server is the half that gathers: batches of many facilities in, alerts out.
type Server struct {
	Store   *store.Store
	Rules   []*detect.Rule
	Context window.Buffer
	// Publish tells the world of an alert that was begun or changed, after it is durable. It does not block.
	Publish func(a *breakwater.Alert, created bool)
	// Outlook says what comes next; nil: nothing is predicted.
	Outlook *Outlook
	// Node is this process among those on one database; nil: it is the only one.
	Node *store.Node

	facilities      sync.Map // facility id → *intake
	events, pending atomic.Int64
	raw             sync.Map // facility id → *raw
}

// intake is one facility's way in: its batches are taken one after the other.
type intake struct {
	sync.Mutex
	revision int64     // of the facility as its context is known here; 0: it is not
	looked   bool      // due is known
	due      time.Time // when the next open prediction expires, by data time; zero: none is open
}

// intake is that of a facility.
func (s *Server) intake(facility string) *intake {
	in, _ := s.facilities.LoadOrStore(facility, new(intake))
	return in.(*intake)
}

// Load is what a Server has taken in since it was made. It has no clock: who looks twice knows how fast that is.
type Load struct {
	Events  int64 // messages decoded; windows and detections where a sensor sends only those
	Pending int64 // batches that have come and are not durable yet
}

// Load says how much has come so far.
func (s *Server) Load() Load {
	return Load{Events: s.events.Load(), Pending: s.pending.Load()}
}

// Forget drops what is kept of a facility beside the store, as when it was removed from there. Nothing may be coming in
// for it meanwhile.
func (s *Server) Forget(ctx context.Context, facility string) error {
	s.facilities.Delete(facility)
	return s.Context.Forget(ctx, facility)
}

// Receive is the breakwater.Send of this server: when it returns, the batch is durable and its alerts are published.
// A batch that comes twice changes nothing the second time, but its alerts are published again.
func (s *Server) Receive(ctx context.Context, b breakwater.Batch) error {
	if _, err := store.CheckBatch(b); err != nil { // before the facility's context has it
		return err
	}
	s.pending.Add(1)
	defer s.pending.Add(-1)
	in := s.intake(b.FacilityID)
	in.Lock()
	defer in.Unlock()

	if err := s.remember(ctx, b); err != nil {
		return err
	}
	var minute window.Minute
	var err error
	if len(b.Detections) > 0 { // before the store is held for writing: it may come over a network
		if minute, err = s.Context.Minute(ctx, b.FacilityID); err != nil {
			return err
		}
	}
	memory := store.Memory{Revision: in.revision, Before: func(d breakwater.Detection) breakwater.Context { return minute.Before(d.Time) }}
	if _, alone := s.Context.(*window.Memory); alone {
		memory.Recall = func(windows []breakwater.Window, found []breakwater.Detection) { // other nodes had batches of it meanwhile
			in.looked = false
			s.Context.Begin(ctx, b.FacilityID, append(windows, b.Windows...), append(found, b.Detections...)) // in memory none fails
			minute, _ = s.Context.Minute(ctx, b.FacilityID)
		}
	}
	touched, err := s.Store.SaveNext(ctx, b, &memory)
	if err != nil {
		return err
	}
	in.revision = memory.Revision
	s.events.Add(max(b.Events, int64(len(b.Windows)+len(b.Detections))))
	for _, t := range touched {
		s.Publish(t.Alert, t.Created)
	}
	return s.foresee(ctx, in, b, touched)
}

// Current is the newest minute of a facility, whichever node its batches came to.
func (s *Server) Current(ctx context.Context, facility string) (breakwater.Context, error) {
	in := s.intake(facility)
	in.Lock()
	defer in.Unlock()
	kept, err := s.Context.Minute(ctx, facility)
	if _, alone := s.Context.(*window.Memory); err != nil || !alone {
		return kept.Current(), err
	}
	revision, newest, err := s.Store.Revision(ctx, facility)
	if err != nil || revision == in.revision {
		return kept.Current(), err
	}
	from, to := newest.Add(-window.ContextSpan), newest.Add(time.Second)
	windows, err := s.Store.Windows(ctx, facility, from, to)
	if err != nil {
		return breakwater.Context{}, err
	}
	found, err := s.Store.Detected(ctx, facility, from, to)
	return window.Minute{Windows: windows, Worst: window.Severest(found)}.Current(), err
}

// Persist is Receive for who has nobody to tell that it cannot be done now: where an engine is away it is tried again, until
// ctx ends. What is sent after that is not taken.
func (s *Server) Persist(ctx context.Context, b breakwater.Batch) error {
	return Persist(ctx, func() error { return s.Receive(ctx, b) })
}

// Persist does what fails with an error of kind Unavailable again, until it does not or ctx ends.
func Persist(ctx context.Context, do func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := do()
		if breakwater.KindOf(err) != breakwater.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// remember takes a batch into the context of its facility. Where that begins anew, as after a restart, what the store
// has of the minute before comes first: an alert's context does not depend on when the server was started.
func (s *Server) remember(ctx context.Context, b breakwater.Batch) error {
	anew, err := s.Context.Add(ctx, b.FacilityID, b.Windows, b.Detections)
	if err != nil || !anew {
		return err
	}
	first := b.Windows[0].Time
	windows, err := s.Store.Windows(ctx, b.FacilityID, first.Add(-window.ContextSpan), first)
	if err != nil {
		return err
	}
	found, err := s.Store.Detected(ctx, b.FacilityID, first.Add(-window.ContextSpan), first)
	if err != nil {
		return err
	}
	return s.Context.Begin(ctx, b.FacilityID, append(windows, b.Windows...), append(found, b.Detections...))
}

// Run is a sensor in this process, for a facility whose raw traffic is handed in. It detects with what the facility learned
// before, and with its active models as they change; learn > 0 learns more, which is saved when that time is over.
//
// Meanwhile no other node takes the facility's raw traffic. The error is of kind Conflict where one does, or may by now.
func (s *Server) Run(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (Stats, error) {
	return s.holding(ctx, facility, learn, s.Sensor, func(ctx context.Context, sensor *Sensor) (Stats, error) { return sensor.Run(ctx, packets) })
}

// Listen is Run for traffic that comes by itself, with nobody to send it again: where an engine is away it waits for that.
func (s *Server) Listen(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (Stats, error) {
	return s.holding(ctx, facility, learn, s.PatientSensor, func(ctx context.Context, sensor *Sensor) (Stats, error) { return sensor.Run(ctx, packets) })
}

// RunLog is Run for what other programs logged. What is handed in is analysed by itself: counts and seconds do not go on
// from one call to the next, so that the same log twice gives the same detections.
func (s *Server) RunLog(ctx context.Context, facility string, learn time.Duration, entries iter.Seq[Entry]) (Stats, error) {
	return s.holding(ctx, facility, learn, s.Sensor, func(ctx context.Context, sensor *Sensor) (Stats, error) { return sensor.RunLog(ctx, entries) })
}

// holding runs a sensor while no other node takes its facility's raw traffic.
func (s *Server) holding(ctx context.Context, facility string, learn time.Duration, open func(ctx context.Context, facility string, learn time.Duration) (*Sensor, error),
	run func(context.Context, *Sensor) (Stats, error)) (stats Stats, err error) {
	held, release, err := s.Hold(ctx, facility, store.Want)
	if err != nil {
		return Stats{}, err
	}
	defer release()
	sensor, err := open(held, facility, learn)
	if err == nil {
		stats, err = run(held, sensor)
	}
	return stats, lost(held, err)
}

// PatientSensor is Sensor that sends to Persist, and learns with the same patience.
func (s *Server) PatientSensor(ctx context.Context, facility string, learn time.Duration) (sensor *Sensor, err error) {
	err = Persist(ctx, func() (err error) {
		sensor, err = s.Sensor(ctx, facility, learn)
		return err
	})
	if err != nil {
		return nil, err
	}
	sensor.Send = s.Persist
	save := sensor.Learned
	sensor.Learned = func(ctx context.Context, b *detect.Baseline) error {
		return Persist(ctx, func() error { return save(ctx, b) })
	}
	return sensor, nil
}

// Sensor is one for a facility whose raw traffic comes here. It sends to Receive.
func (s *Server) Sensor(ctx context.Context, facility string, learn time.Duration) (*Sensor, error) {
	version, err := s.Store.BaselineVersion(ctx, facility)
	if err != nil {
		return nil, err
	}
	baseline, err := s.Baseline(ctx, facility)
	if err != nil {
		return nil, err
	}
	atWork := &modelsAtWork{server: s, facility: facility, versions: map[string]int64{}, baseline: version}
	models, err := atWork.news(ctx)
	if err != nil {
		return nil, err
	}
	return &Sensor{
		FacilityID: facility, Rules: s.Rules, Baseline: baseline, Models: models, Learn: learn, Send: s.Receive,
		Changed: func() *Setup { return atWork.changed(ctx) },
		Learned: func(ctx context.Context, b *detect.Baseline) error {
			text, err := json.Marshal(b)
			if err != nil {
				return err
			}
			atWork.baseline, err = s.Store.SaveBaseline(ctx, facility, text, 0)
			return err
		},
	}, nil
}

// Baseline is what a facility has learned, empty where it has learned nothing.
func (s *Server) Baseline(ctx context.Context, facility string) (*detect.Baseline, error) {
	b := detect.NewBaseline()
	text, _, err := s.Store.Baseline(ctx, facility)
	switch {
	case breakwater.KindOf(err) == breakwater.NotFound:
		return b, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "the saved baseline of facility " + facility + " cannot be read; learn anew", Err: err}
	}
	return b, nil
}
