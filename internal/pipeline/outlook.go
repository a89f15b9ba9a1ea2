package pipeline

import (
	"context"
	"time"

	"breakwater"
	"breakwater/internal/predict"
	"breakwater/internal/store"
)

// predicted is how many techniques a prediction names.
const predicted = 10

// Outlook is layer 3 of a Server: which technique comes next, and whether what was said came true.
type Outlook struct {
	// Predictor is called each time. It takes some tenths of a second to make one: make it once.
	Predictor func() *predict.Predictor
	// Publish tells the world what happened to a prediction, after it is durable. It does not block. What a batch brings
	// about is told once, even where the batch comes twice.
	Publish func(store.PredictionEvent)
}

// foresee looks what a batch that is durable means for predictions. Where it fails, the batch comes again.
func (s *Server) foresee(ctx context.Context, in *intake, b breakwater.Batch, touched []store.TouchedAlert) error {
	if s.Outlook == nil {
		return nil
	}
	var shown []breakwater.Sighting
	for _, t := range touched {
		shown = append(shown, t.Shown...)
	}
	var newest time.Time
	for i := range b.Windows {
		if end := b.Windows[i].End(); end.After(newest) {
			newest = end
		}
	}
	for i := range b.Detections {
		if at := b.Detections[i].Time; at.After(newest) {
			newest = at
		}
	}
	if len(shown) == 0 && in.looked && (in.due.IsZero() || !newest.After(in.due)) {
		return nil
	}
	return s.observe(ctx, in, b.FacilityID, shown)
}

// Observe takes in what an alert that came another way than Receive shows. It is saved already.
func (s *Server) Observe(ctx context.Context, facility string, shown []breakwater.Sighting) error {
	if s.Outlook == nil || len(shown) == 0 {
		return nil
	}
	in := s.intake(facility)
	in.Lock()
	defer in.Unlock()
	return s.observe(ctx, in, facility, shown)
}

func (s *Server) observe(ctx context.Context, in *intake, facility string, shown []breakwater.Sighting) error {
	events, due, err := s.Store.Observe(ctx, facility, shown, s.Outlook.words())
	if err != nil {
		return err
	}
	in.looked, in.due = true, due
	s.tell(events)
	return nil
}

// Review looks whether what a prediction that another engine reported, and that is saved already, says has happened by now.
func (s *Server) Review(ctx context.Context, p *breakwater.Prediction) error {
	if s.Outlook == nil {
		return nil
	}
	in := s.intake(p.FacilityID)
	in.Lock()
	defer in.Unlock()
	in.looked = false // its end may be the next
	events, err := s.Store.Review(ctx, p.ID, s.Outlook.words())
	s.tell(events)
	return err
}

// Settle ends the predictions whose time is over now, that of a silent facility by the clock: see store.Settle.
func (s *Server) Settle(ctx context.Context, now time.Time) error {
	if s.Outlook == nil {
		return nil
	}
	events, err := s.Store.Settle(ctx, now)
	s.tell(events)
	return err
}

func (s *Server) tell(events []store.PredictionEvent) {
	for _, e := range events {
		s.Outlook.Publish(e)
	}
}

// words is what the store asks about techniques.
func (o *Outlook) words() store.Outlook {
	return store.Outlook{
		Same:    func(technique string) []string { return o.Predictor().Catalogue().Same(technique) },
		Predict: o.predict,
	}
}

// predict adds to a prediction what comes next. A technique that ATT&CK for ICS does not have says nothing.
func (o *Outlook) predict(p *breakwater.Prediction) bool {
	c := o.Predictor().Catalogue()
	if len(c.Meant(p.Current)) == 0 {
		return false
	}
	next, err := o.Predictor().Next(p.Seen, predicted)
	if err != nil || len(next) == 0 { // none of what was seen is known
		return false
	}
	current, _ := c.Lookup(p.Current)
	p.CurrentName = current.Name
	p.Predicted = make([]breakwater.PredictedTechnique, len(next))
	for i, n := range next {
		p.Predicted[i] = n.PredictedTechnique
	}
	return true
}
