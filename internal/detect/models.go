package detect

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"breakwater"
	"breakwater/internal/ml"
)

// Models speak beside rules. A rule knows what was done; a model knows only that the traffic is unlike what it was
// trained on. So a model names no technique, its severity is fixed and modest, and it speaks late rather than often:
//
//	autoencoder       the last minute     8 of the last 10 s over twice the threshold    medium
//	isolation-forest  the last second     3 of the last 5 s over the threshold           low
//
// The threshold is the 0.999 quantile of the scores of seconds that the training left out. On a plant that runs as it ran
// while it was trained, one second in a thousand lies above it, and seconds that do come together, as their minutes
// overlap. What is asked beyond was chosen on 24 hours of the simulated plant: docs/detection.md has the figures.
var speaking = map[ml.Kind]struct {
	times    float64 // the threshold
	k, n     int     // seconds over it, of the last n
	severity breakwater.Severity
	title    string
	what     string
}{
	ml.Autoencoder:     {2, 8, 10, breakwater.Medium, "The last minute's traffic is unlike what was learned", "The last minute"},
	ml.IsolationForest: {1, 3, 5, breakwater.Low, "Traffic is unlike what was learned", "This second"},
}

// lookAtModel is what an analyst can do with a model's word.
const lookAtModel = "See which of the named features moved first in the minute before, and who sent or received then. If the plant works otherwise from now on, mark this a false positive and train anew."

// ReadModel reads a model file for an Engine. The error is of kind Invalid where it is damaged, or no model of windows.
func ReadModel(file []byte) (*ml.Model, error) {
	m, err := ml.Decode(file)
	if err != nil {
		return nil, err
	}
	if _, known := speaking[m.Kind()]; !known {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "kind", Message: fmt.Sprintf("a model of kind %s does not detect: isolation-forest and autoencoder do", m.Kind())}
	}
	_, err = m.Watch()
	return m, err
}

// modelState is a model at work.
type modelState struct {
	model *ml.Model
	watch *ml.Watch
	next  time.Time // of the second that would follow without a gap
	over  uint64    // a bit for each second, the newest lowest: its score was over what is asked
	since int       // seconds over it since it spoke
	spoke time.Time
}

// agreed is what a rule said lately, by rank of severity: a model that speaks in the minute after it speaks of the same
// asset, so that one alert shows both.
type agreed [5]struct {
	of asset
	at time.Time
}

// SetModels puts models to work, each in the place of that of its kind. One that is at work already goes on with what it
// has seen. Those that ReadModel would refuse are left out. Call it between two seconds.
func (e *Engine) SetModels(models []*ml.Model) {
	for _, m := range models {
		if _, known := speaking[m.Kind()]; !known || slices.ContainsFunc(e.models, func(s *modelState) bool { return s.model == m }) {
			continue
		}
		watch, err := m.Watch()
		if err != nil {
			continue
		}
		e.models = slices.DeleteFunc(e.models, func(s *modelState) bool { return s.model.Kind() == m.Kind() })
		e.models = append(e.models, &modelState{model: m, watch: watch})
	}
	// Detections of one second come in the same order, whatever the order in which models came.
	slices.SortFunc(e.models, func(a, b *modelState) int { return slices.Compare([]byte(a.model.Kind()), []byte(b.model.Kind())) })
}

// score shows a second to the models. While learning they are silent, and see nothing of it either: what is learned is
// not compared with what was learned before.
func (e *Engine) score(w *breakwater.Window, end time.Time) {
	for _, s := range e.models {
		if e.learning {
			s.next = time.Time{} // a gap
			continue
		}
		if !w.Time.Equal(s.next) { // what came before a gap is not the minute before
			s.watch, _ = s.model.Watch() // it had no error when it was set
			s.over, s.since = 0, 0
		}
		s.next = w.End()
		score, ok := s.watch.Add(w)
		if !ok {
			continue
		}
		rule := speaking[s.model.Kind()]
		s.over <<= 1
		if score > rule.times*s.model.Threshold {
			s.over |= 1
			s.since++
		}
		seconds := bits.OnesCount64(s.over & (1<<rule.n - 1))
		switch {
		case seconds == 0:
			s.since = 0
		case seconds >= rule.k && end.Sub(s.spoke) >= again:
			s.spoke = end
			e.speak(s, score, seconds, end)
			s.since = 0
		}
	}
}

// speak appends a model's detection of the second that it saw last.
func (e *Engine) speak(s *modelState, score float64, seconds int, end time.Time) {
	kind := s.model.Kind()
	rule := speaking[kind]
	why := ml.Sentence(s.watch.Explain())
	if why == "" {
		why = "no single feature stands out"
	}
	of := asset{}
	for rank := len(e.agreed) - 1; rank > 0; rank-- {
		if a := &e.agreed[rank]; !a.at.IsZero() && end.Sub(a.at) <= time.Minute {
			of = a.of
			break
		}
	}
	e.found = append(e.found, breakwater.Detection{
		FacilityID: e.facility, Time: end, Layer: breakwater.LayerAnomaly, Model: string(kind), Asset: of.String(),
		Severity: rule.severity, Confidence: s.model.Confidence(score), Title: rule.title,
		Evidence: fmt.Sprintf("%s is unlike what was learned: %s. Score %.3g, threshold %.3g; %d of the last %d s stand out.", rule.what, why, score, s.model.Threshold, seconds, rule.n),
		LookAt:   lookAtModel, Count: max(s.since, 1),
	})
}
