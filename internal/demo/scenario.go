package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/plant"
)

// The names of the scenarios.
const (
	PortScan   = "port-scan"
	FLRound    = "fl-round"
	MultiStage = "multi-stage"
)

// Names are the scenarios.
var Names = []string{PortScan, FLRound, MultiStage}

// intrusion is a scenario that an intruder plays at one plant.
type intrusion struct {
	facility string         // where, if nothing else is said
	steps    []plant.Attack // from when history ends
	lasts    time.Duration  // from when history ends
	expects  []expectation
}

var intrusions = map[string]intrusion{
	PortScan: {
		facility: "demo-northgate",
		steps:    []plant.Attack{{Kind: plant.PortScan, At: 3 * time.Second}},
		lasts:    12 * time.Second,
		expects:  []expectation{shows("T0846", "Remote System Discovery"), shows("T0840", "Network Connection Enumeration"), foresees("")},
	},
	MultiStage: {
		facility: "demo-riverside",
		steps: []plant.Attack{
			{Kind: plant.PortScan, At: 3 * time.Second},
			{Kind: plant.UnauthorisedWrite, At: 30 * time.Second},
			{Kind: plant.ManipulateControl, At: 60 * time.Second},
		},
		lasts: 105 * time.Second,
		expects: []expectation{
			shows("T0846", "Remote System Discovery"), shows("T0840", "Network Connection Enumeration"),
			foresees("T0855"), shows("T0855", "Unauthorized Command Message"), validates("T0855"),
			foresees("T0831"), shows("T0831", "Manipulation of Control"), validates("T0831"),
		},
	},
}

// found is what the store has of a facility since an attack began.
type found struct {
	began       time.Time // data time
	alerts      []breakwater.Alert
	predictions []breakwater.Prediction // oldest first
}

// expectation is one thing that should happen; look says what was found of it.
type expectation struct {
	what string
	look func(found) (check breakwater.DemoCheck, ok bool)
}

// check holds the expectation against what was found.
func (e expectation) check(f found) breakwater.DemoCheck {
	c, ok := e.look(f)
	c.What, c.Found = e.what, ok
	return c
}

func (f *found) after(t time.Time) *float64 {
	s := t.Sub(f.began).Round(time.Millisecond).Seconds()
	return &s
}

// first is the source that showed a technique first, and its alert.
func (f *found) first(technique string) (a *breakwater.Alert, s *breakwater.Source) {
	for i := range f.alerts {
		for j := range f.alerts[i].Sources {
			x := &f.alerts[i].Sources[j]
			if x.Technique == technique && !x.External && (s == nil || x.DetectedAt.Before(s.DetectedAt)) {
				a, s = &f.alerts[i], x
			}
		}
	}
	return a, s
}

// shows expects an alert that names a technique.
func shows(technique, name string) expectation {
	return expectation{"an alert names " + technique + ", " + name, func(f found) (c breakwater.DemoCheck, ok bool) {
		a, s := f.first(technique)
		if a == nil {
			return c, false
		}
		c.Detail, c.After, c.AlertID = s.Model+": "+s.Evidence, f.after(s.DetectedAt), &a.ID
		return c, true
	}}
}

// foresees expects a prediction that names a technique before an alert shows it; "" is any technique.
func foresees(technique string) expectation {
	what := "a prediction says what comes next"
	if technique != "" {
		what = "a prediction names " + technique + " before it is seen"
	}
	return expectation{what, func(f found) (c breakwater.DemoCheck, ok bool) {
		_, seen := f.first(technique)
		for i := range f.predictions {
			p := &f.predictions[i]
			if p.Timestamp.Before(f.began) || technique != "" && seen != nil && !p.Timestamp.Before(seen.DetectedAt) {
				continue
			}
			at := slices.IndexFunc(p.Predicted, func(t breakwater.PredictedTechnique) bool { return technique == "" || t.TechniqueID == technique })
			if at < 0 {
				continue
			}
			t := &p.Predicted[at]
			c.Detail = fmt.Sprintf("after %s: %s (%s), rank %d of %d, probability %.2f, %s", strings.Join(p.Seen, ", "), t.TechniqueID, t.TechniqueName, t.Rank, len(p.Predicted), t.Probability, t.Timeframe)
			c.After, c.AlertID = f.after(p.Timestamp), p.AlertID
			return c, true
		}
		return c, false
	}}
}

// validates expects that a prediction was borne out by a technique that it named.
func validates(technique string) expectation {
	return expectation{"a prediction is validated by " + technique, func(f found) (c breakwater.DemoCheck, ok bool) {
		for i := range f.predictions {
			for _, t := range f.predictions[i].Predicted {
				if t.TechniqueID != technique || t.ObservedAt == nil || f.predictions[i].Status != breakwater.PredictionValidated {
					continue
				}
				p := &f.predictions[i]
				c.Detail = fmt.Sprintf("the prediction that began at %.0f s named it, rank %d, and it was seen at %.0f s", p.Timestamp.Sub(f.began).Seconds(), t.Rank, t.ObservedAt.Sub(f.began).Seconds())
				c.After, c.AlertID = f.after(*t.ObservedAt), t.ObservedIn
				return c, true
			}
		}
		return c, false
	}}
}
