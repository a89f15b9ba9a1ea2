package pipeline

import (
	"context"
	"encoding/json"
	"iter"
	"sync"
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

	facilities sync.Map // facility id → *sync.Mutex: batches of one facility are taken one after the other
}

// Receive is the breakwater.Send of this server: when it returns, the batch is durable and its alerts are published.
// A batch that comes twice changes nothing the second time, but is published again.
func (s *Server) Receive(ctx context.Context, b breakwater.Batch) error {
	lock, _ := s.facilities.LoadOrStore(b.FacilityID, new(sync.Mutex))
	lock.(*sync.Mutex).Lock()
	defer lock.(*sync.Mutex).Unlock()

	s.Context.Add(b.FacilityID, b.Windows)
	touched, err := s.Store.SaveBatch(ctx, b, func(d breakwater.Detection) string {
		return window.Describe(s.Context.Before(d.FacilityID, d.Time))
	})
	if err != nil {
		return err
	}
	for _, t := range touched {
		s.Publish(t.Alert, t.Created)
	}
	return nil
}

// Run is a sensor in this process, for a facility whose raw traffic comes here: a capture that is handed in, or an
// interface of this machine. It detects with what the facility learned before; learn > 0 learns more, which is saved
// when that time is over.
func (s *Server) Run(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (Stats, error) {
	baseline, err := s.Baseline(ctx, facility)
	if err != nil {
		return Stats{}, err
	}
	sensor := Sensor{
		FacilityID: facility, Rules: s.Rules, Baseline: baseline, Learn: learn, Send: s.Receive,
		Learned: func(ctx context.Context, b *detect.Baseline) error {
			text, err := json.Marshal(b)
			if err != nil {
				return err
			}
			return s.Store.SaveBaseline(ctx, facility, text)
		},
	}
	return sensor.Run(ctx, packets)
}

// Baseline is what a facility has learned, empty where it has learned nothing.
func (s *Server) Baseline(ctx context.Context, facility string) (*detect.Baseline, error) {
	b := detect.NewBaseline()
	text, err := s.Store.Baseline(ctx, facility)
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
