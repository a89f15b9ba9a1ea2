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
	Context *window.Buffer
	// Publish tells the world of an alert that was begun or changed, after it is durable. It does not block.
	Publish func(a *breakwater.Alert, created bool)
	// Outlook says what comes next; nil: nothing is predicted.
	Outlook *Outlook

	facilities      sync.Map // facility id → *intake
	events, pending atomic.Int64
}

// intake is one facility's way in: its batches are taken one after the other.
type intake struct {
	sync.Mutex
	batches atomic.Int64
	looked  bool      // due is known
	due     time.Time // when the next open prediction expires, by data time; zero: none is open
}

// intake is that of a facility.
func (s *Server) intake(facility string) *intake {
	in, _ := s.facilities.LoadOrStore(facility, new(intake))
	return in.(*intake)
}

// Load is what a Server has taken in since it was made. It has no clock: who looks twice knows how fast that is.
type Load struct {
	Events  int64            // messages decoded; windows and detections where a sensor sends only those
	Pending int64            // batches that have come and are not durable yet
	Batches map[string]int64 // those that are, by facility
}

// Load says how much has come so far.
func (s *Server) Load() Load {
	l := Load{Events: s.events.Load(), Pending: s.pending.Load(), Batches: map[string]int64{}}
	s.facilities.Range(func(id, in any) bool {
		if n := in.(*intake).batches.Load(); n > 0 {
			l.Batches[id.(string)] = n
		}
		return true
	})
	return l
}

// Forget drops what is kept of a facility in memory, as when it was removed from the store. Nothing may be coming in for
// it meanwhile.
func (s *Server) Forget(facility string) {
	s.facilities.Delete(facility)
	s.Context.Forget(facility)
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
	touched, err := s.Store.SaveBatch(ctx, b, func(d breakwater.Detection) breakwater.Context {
		return s.Context.Before(d.FacilityID, d.Time)
	})
	if err != nil {
		return err
	}
	in.batches.Add(1)
	s.events.Add(max(b.Events, int64(len(b.Windows)+len(b.Detections))))
	for _, t := range touched {
		s.Publish(t.Alert, t.Created)
	}
	return s.foresee(ctx, in, b, touched)
}

// remember takes a batch into the context of its facility. Where that begins anew, as after a restart, what the store
// has of the minute before comes first: an alert's context does not depend on when the server was started.
func (s *Server) remember(ctx context.Context, b breakwater.Batch) (err error) {
	if s.Context.Add(b.FacilityID, b.Windows) {
		defer func() {
			if err != nil { // or the next batch would join on to half a context
				s.Context.Forget(b.FacilityID)
			}
		}()
		first := b.Windows[0].Time
		windows, err := s.Store.Windows(ctx, b.FacilityID, first.Add(-window.ContextSpan), first)
		if err != nil {
			return err
		}
		found, err := s.Store.Detected(ctx, b.FacilityID, first.Add(-window.ContextSpan), first)
		if err != nil {
			return err
		}
		s.Context.Recall(b.FacilityID, windows, found)
	}
	s.Context.Note(b.FacilityID, b.Detections)
	return nil
}

// Run is a sensor in this process, for a facility whose raw traffic comes here: a capture that is handed in, or an
// interface of this machine. It detects with what the facility learned before, and with its active models as they
// change; learn > 0 learns more, which is saved when that time is over.
func (s *Server) Run(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (Stats, error) {
	sensor, err := s.sensor(ctx, facility, learn)
	if err != nil {
		return Stats{}, err
	}
	return sensor.Run(ctx, packets)
}

// RunLog is Run for what other programs logged. What is handed in is analysed by itself: counts and seconds do not go on
// from one call to the next, so that the same log twice gives the same detections.
func (s *Server) RunLog(ctx context.Context, facility string, learn time.Duration, entries iter.Seq[Entry]) (Stats, error) {
	sensor, err := s.sensor(ctx, facility, learn)
	if err != nil {
		return Stats{}, err
	}
	return sensor.RunLog(ctx, entries)
}

func (s *Server) sensor(ctx context.Context, facility string, learn time.Duration) (*Sensor, error) {
	baseline, err := s.Baseline(ctx, facility)
	if err != nil {
		return nil, err
	}
	atWork := &modelsAtWork{server: s, facility: facility, versions: map[string]int64{}}
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
			_, err = s.Store.SaveBaseline(ctx, facility, text, 0)
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
