package detect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"breakwater"
	"breakwater/internal/ml"
)

// LeastTraining is how many seconds a model is trained on at least. Of a quarter of an hour the threshold is that of a few
// quiet minutes: on the simulated plant such models cried a hundred times a day, and of half an hour hardly ever
// (docs/detection.md).
const LeastTraining = 1800

const (
	// validating is the part of the seconds, the last in time, that a model is not fitted on: it ends the training and gives
	// the threshold.
	validating = 0.25
	// trainingSeed makes the same windows give the same model.
	trainingSeed = 1
	// vectorsMax bounds the time that a training takes: of more, every n-th is taken. Minutes that begin a few seconds
	// apart are nearly the same.
	vectorsMax = 40_000
	// stepsWanted is how many steps of 64 vectors an autoencoder of few vectors gets, in more epochs.
	stepsWanted = 1_500
)

// Learning is what a model of a facility is trained on.
type Learning struct {
	Windows []breakwater.Window // in order of time; seconds may be missing
	Attacks []breakwater.Span   // seconds that are not learned from
	Epoch   func(ml.Epoch)      // called as an autoencoder is trained; may be nil
}

// Learned is what became of a Learning, in figures: it is kept beside the model.
type Learned struct {
	Seconds    int       `json:"seconds"`  // learned from
	LeftOut    int       `json:"left_out"` // within attacks
	From       time.Time `json:"from"`     // of the first and last of Seconds
	To         time.Time `json:"to"`
	Trained    int       `json:"trained"`   // vectors
	Validated  int       `json:"validated"` // vectors
	Threshold  float64   `json:"threshold"`
	Quantile   float64   `json:"quantile"`         // of the validation scores that the threshold is
	Epochs     int       `json:"epochs,omitempty"` // of an autoencoder
	Loss       float64   `json:"loss,omitempty"`   // of the last epoch, mean squared error of scaled values
	Validation float64   `json:"validation_loss,omitempty"`
}

// Train trains a model of one kind. The error is of kind Invalid where the kind is unknown or there are too few seconds; it
// says then how many there are.
func (l *Learning) Train(ctx context.Context, kind ml.Kind) (*ml.Model, Learned, error) {
	d, learned, err := l.data(kind)
	if err != nil {
		return nil, learned, err
	}
	var m *ml.Model
	switch kind {
	case ml.Autoencoder:
		steps := (len(d.Train) + 63) / 64
		m, err = ml.TrainAutoencoder(ctx, d, nil, ml.Training{
			Epochs: min(max(stepsWanted/steps, 30), 200), Noise: 0.3, Seed: trainingSeed,
			Epoch: func(e ml.Epoch) {
				learned.Epochs, learned.Loss, learned.Validation = e.Number, e.Loss, e.Validation
				if l.Epoch != nil {
					l.Epoch(e)
				}
			},
		})
	default:
		m, err = ml.TrainForest(d, ml.ForestSettings{Seed: trainingSeed})
	}
	if err != nil {
		return nil, learned, err
	}
	learned.Threshold, learned.Quantile = m.Threshold, m.Quantile
	return m, learned, nil
}

// data makes vectors of the seconds: no vector reaches over a missing second, over one of an attack, or from the training
// part into the validation part.
func (l *Learning) data(kind ml.Kind) (ml.Data, Learned, error) {
	d := ml.Data{Names: ml.WindowFeatures}
	switch kind {
	case ml.Autoencoder:
		d.Context = ml.Minute
	case ml.IsolationForest:
		d.Context = ml.Context{Blocks: 1, Stride: 1, Summary: ml.Last}
	default:
		return d, Learned{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "kind", Message: fmt.Sprintf("models of kind %.40q are not trained here: autoencoder and isolation-forest are", string(kind))}
	}
	usable, learned := l.usable()
	if len(usable) > 0 {
		learned.From, learned.To = usable[0].Time, usable[len(usable)-1].Time
	}
	cut := len(usable) - int(validating*float64(len(usable)))
	d.Train, d.Validation = vectors(d.Context, usable[:cut]), vectors(d.Context, usable[cut:])
	learned.Trained, learned.Validated = len(d.Train), len(d.Validation)
	if n := len(usable); n < LeastTraining || len(d.Train) < LeastTraining/3 || len(d.Validation) < LeastTraining/15 {
		message := fmt.Sprintf("%d seconds of traffic to learn from are too few: at least %d are needed, four hours and more are better", n, LeastTraining)
		if n >= LeastTraining {
			message = fmt.Sprintf("%d seconds of traffic to learn from lie in pieces too short: a model learns from whole minutes, and there are %d to train and %d to validate on", n, len(d.Train), len(d.Validation))
		}
		if learned.LeftOut > 0 {
			message += fmt.Sprintf("; %d more lie within alerts of medium severity and above: mark those that are none as false positives", learned.LeftOut)
		}
		return d, learned, &breakwater.Error{Kind: breakwater.Invalid, Message: message}
	}
	return d, learned, nil
}

// usable are the windows outside attacks.
func (l *Learning) usable() (usable []breakwater.Window, learned Learned) {
	attacks := slices.SortedFunc(slices.Values(l.Attacks), func(a, b breakwater.Span) int { return a.From.Compare(b.From) })
	var until time.Time // where the last attack ends that began before this window's end
	for i := range l.Windows {
		w := &l.Windows[i]
		for len(attacks) > 0 && attacks[0].From.Before(w.End()) {
			if attacks[0].To.After(until) {
				until = attacks[0].To
			}
			attacks = attacks[1:]
		}
		if !until.Before(w.Time) {
			learned.LeftOut++
			continue
		}
		usable = append(usable, *w)
	}
	learned.Seconds = len(usable)
	return usable, learned
}

// vectors makes those of each stretch of seconds that follow each other; of more than vectorsMax, every n-th.
func vectors(c ml.Context, windows []breakwater.Window) (all [][]float64) {
	var stretches [][]breakwater.Window
	count := 0
	for first := 0; first < len(windows); {
		next := first + 1
		for next < len(windows) && windows[next].Time.Equal(windows[next-1].End()) {
			next++
		}
		if n := next - first - c.Span() + 1; n > 0 {
			stretches = append(stretches, windows[first:next])
			count += n
		}
		first = next
	}
	every := max((count+vectorsMax-1)/vectorsMax, 1)
	for _, stretch := range stretches {
		rows := ml.Rows(stretch)
		for end := c.Span(); end <= len(rows); end += every {
			v := make([]float64, len(ml.WindowFeatures)*max(c.Blocks, 1))
			c.Vector(v, rows[end-c.Span():end])
			all = append(all, v)
		}
	}
	return all
}
