package ml

import (
	"math"
	"slices"
	"time"

	"breakwater"
)

// Watch scores the windows of one facility as they end. It keeps as many rows as the model's context spans, and is for
// one goroutine.
type Watch struct {
	scorer *Scorer
	rows   [][]float64 // as many as the context spans, oldest first
	filled int         // rows at the end of rows that were seen, or missed between two that were
	last   time.Time   // the newest window's
	vector []float64
}

// Watch makes one. The model must be of WindowFeatures.
func (m *Model) Watch() (*Watch, error) {
	if !slices.Equal(m.Names, WindowFeatures) {
		return nil, invalid("features", "the model is of %d features %.80q, not of a window's", len(m.Names), m.Names)
	}
	w := &Watch{scorer: m.Scorer(), vector: make([]float64, m.Dimensions())}
	for range m.Context.Span() {
		w.rows = append(w.rows, make([]float64, len(WindowFeatures)))
	}
	return w, nil
}

// Add takes in the next window and gives the score of the context that it ends; ok is false until there is a whole one.
// Seconds left out count as missing; where a whole context is, or time goes back, it begins anew.
func (w *Watch) Add(window *breakwater.Window) (score float64, ok bool) {
	gap := int(min(window.Time.Sub(w.last)/time.Second-1, mostRows))
	if w.filled == 0 || gap < 0 || gap >= len(w.rows) {
		w.filled, gap = 0, 0
	}
	for range gap {
		row := w.next()
		for i := range row {
			row[i] = math.NaN()
		}
	}
	values := Row(window)
	copy(w.next(), values[:])
	w.last = window.Time
	if w.filled < len(w.rows) {
		return 0, false
	}
	w.scorer.model.Context.Vector(w.vector, w.rows)
	return w.scorer.Score(w.vector), true
}

// next is the row of the next second; the oldest is given up for it.
func (w *Watch) next() []float64 {
	oldest := w.rows[0]
	copy(w.rows, w.rows[1:])
	w.rows[len(w.rows)-1] = oldest
	w.filled = min(w.filled+1, len(w.rows))
	return oldest
}

// Explain says which features made the score that Add gave last.
func (w *Watch) Explain() []Contribution { return w.scorer.Explain(w.vector) }
