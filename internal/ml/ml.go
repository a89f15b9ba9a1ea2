// Package ml learns what is usual for a facility and says how far from it a moment is, and by what. It knows three
// models: the isolation forest (single windows), the autoencoder (the minute before, federated) and linear PCA, which
// the others have to beat. It hides scaling, training, thresholds and the model file.
//
//	windows ─► Rows ─► Context.Vectors ─┬─► Train… (scaler, parameters, threshold) ─► Model ─► Encode ─► file
//	                                    │                                               │
//	                                    └───────────────────────────► Scorer.Score ◄────┘
//	                                                                  Scorer.Explain ─► Sentence
//
// What is fitted comes from the training part alone, the threshold from the validation part, never from what is scored.
// The same data, settings and seed give the same bits, on one kind of processor and for a fixed number of workers.
package ml

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"breakwater"
)

// Kind names a model.
type Kind string

// The kinds.
const (
	IsolationForest Kind = "isolation-forest"
	Autoencoder     Kind = "autoencoder"
	PCA             Kind = "pca"
)

// core is what was learned, over scaled vectors without gaps. It is read by many goroutines.
type core interface {
	kind() Kind
	workspace() int // float32s that score needs to work in
	// score judges a vector. A core that reconstructs leaves the squared error of each dimension in errs and gives
	// their mean; the forest leaves errs alone and gives 0–1.
	score(x, errs, work []float32) float64
}

// Data is what a model is trained from: vectors of len(Names) × Context.Blocks values, where NaN is a missing one.
type Data struct {
	Names      []string    // of the features, as a person reads them: "packets/s"
	Context    Context     // how Vectors made the vectors
	Train      [][]float64 // in order of time
	Validation [][]float64 // not in Train; stops the training and sets the threshold
	Quantile   float64     // of the validation scores, to be the threshold; 0 is 0.999
	Scaler     *Scaler     // nil: fitted on Train
}

// Origin is where a model comes from.
type Origin struct {
	Fingerprint string `json:"fingerprint"` // SHA-256, in hex, over the vectors trained and validated on
	Trained     int    `json:"trained"`     // vectors
	Validated   int    `json:"validated"`   // vectors
}

// Model scores vectors. It does not change and may be shared; each goroutine takes a Scorer of its own.
type Model struct {
	Names     []string
	Context   Context
	Scaler    *Scaler
	Threshold float64 // a higher score is anomalous
	Quantile  float64 // of the validation scores that Threshold is
	Origin    Origin
	core      core
}

// The least data that a model is made of: below it neither a spread nor a quantile means anything.
const (
	leastTrain      = 16
	leastValidation = 4
)

// Limits on what is taken in, from callers and from files.
const (
	mostDimensions = 4096
	mostParameters = 1 << 24
)

// prepare checks the data and gives its scaler.
func (d *Data) prepare() (*Scaler, error) {
	if d.Context.Blocks == 0 {
		d.Context = Context{Blocks: 1, Stride: 1, Summary: Last}
	}
	if d.Quantile == 0 {
		d.Quantile = 0.999
	}
	dimensions := len(d.Names) * d.Context.Blocks
	if err := d.Context.check(); err != nil {
		return nil, err
	}
	if dimensions == 0 || dimensions > mostDimensions {
		return nil, invalid("names", "a vector of %d features in %d blocks cannot be modelled: it needs 1 to %d values", len(d.Names), d.Context.Blocks, mostDimensions)
	}
	if !(d.Quantile > 0 && d.Quantile <= 1) {
		return nil, invalid("quantile", "threshold quantile %g is not between 0 and 1", d.Quantile)
	}
	for _, part := range []struct {
		name    string
		vectors [][]float64
		least   int
	}{{"train", d.Train, leastTrain}, {"validation", d.Validation, leastValidation}} {
		if len(part.vectors) < part.least {
			return nil, invalid(part.name, "%d vectors in the %s part are too few; at least %d are needed", len(part.vectors), part.name, part.least)
		}
		for i, v := range part.vectors {
			if len(v) != dimensions {
				return nil, invalid(part.name, "vector %d of the %s part has %d values, not %d", i, part.name, len(v), dimensions)
			}
		}
	}
	if d.Scaler == nil {
		return FitScaler(d.Train), nil
	}
	return d.Scaler, d.Scaler.check(dimensions)
}

// assemble makes the model of what was learned: with its threshold and its origin.
func (d *Data) assemble(s *Scaler, c core) (*Model, error) {
	m := &Model{Names: slices.Clone(d.Names), Context: d.Context, Scaler: s, Quantile: d.Quantile, core: c}
	m.Origin = Origin{Fingerprint: fingerprint(d.Train, d.Validation), Trained: len(d.Train), Validated: len(d.Validation)}
	scorer := m.Scorer()
	scores := make([]float64, 0, len(d.Validation))
	for _, v := range d.Validation {
		scores = append(scores, scorer.Score(v))
	}
	m.Threshold = Quantile(scores, d.Quantile)
	if math.IsNaN(m.Threshold) || math.IsInf(m.Threshold, 0) {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: "training went astray: validation scores are not finite numbers; use a lower rate"}
	}
	return m, nil
}

// Quantile is the smallest of the values that at least the given part of them does not exceed; NaN for none.
func Quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(max(int(math.Ceil(part*float64(len(sorted))))-1, 0), len(sorted)-1)]
}

// fingerprint tells training data apart: SHA-256 over each part's number of vectors and their values, big-endian.
func fingerprint(parts ...[][]float64) string {
	h := sha256.New()
	var b [8]byte
	write := func(u uint64) {
		binary.BigEndian.PutUint64(b[:], u)
		h.Write(b[:])
	}
	for _, vectors := range parts {
		write(uint64(len(vectors)))
		for _, v := range vectors {
			write(uint64(len(v)))
			for _, x := range v {
				if math.IsNaN(x) {
					x = math.NaN() // one pattern of bits for all
				}
				write(math.Float64bits(x))
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Kind says which kind of model it is.
func (m *Model) Kind() Kind { return m.core.kind() }

// Dimensions is the length of the vectors that it scores.
func (m *Model) Dimensions() int { return len(m.Names) * m.Context.Blocks }

// Network is a copy of an autoencoder's network, to train on; nil for other kinds.
func (m *Model) Network() *Network {
	if n, ok := m.core.(*Network); ok {
		return n.clone()
	}
	return nil
}

// Confidence turns a score into how sure it is that the moment is anomalous, 0–1: a half at the threshold, nearing 1 as
// the score goes on. It is an ordering, not a probability: nothing here was trained on attacks.
func (m *Model) Confidence(score float64) float64 {
	ratio := score / m.Threshold
	if m.Kind() == IsolationForest { // its scores end at 1
		ratio = (1 - m.Threshold) / (1 - score)
	}
	switch {
	case math.IsNaN(ratio): // 0/0: nothing was ever off, nor is this
		return 0
	case ratio >= 1:
		return 1 - 0.5/ratio
	}
	return 0.5 * max(ratio, 0)
}

// Scorer scores vectors with a model, without allocating. It is for one goroutine.
type Scorer struct {
	model         *Model
	x, errs, work []float32
}

// Scorer makes one.
func (m *Model) Scorer() *Scorer {
	n := m.Dimensions()
	return &Scorer{m, make([]float32, n), make([]float32, n), make([]float32, m.core.workspace())}
}

// Score is how far a vector is from usual; more than the model's Threshold is anomalous. A missing value (NaN) is taken as
// usual and adds nothing; a huge one counts as far as scaling reaches. A vector of another length is a bug, and panics.
func (s *Scorer) Score(vector []float64) float64 {
	if len(vector) != len(s.x) {
		panic(fmt.Sprintf("ml: a vector of %d values for a model of %d", len(vector), len(s.x)))
	}
	missing := s.model.Scaler.scale(s.x, vector)
	score := s.model.core.score(s.x, s.errs, s.work)
	if math.IsNaN(score) { // parameters so large that sums overflow: nothing such a model sees is usual
		return math.Inf(1)
	}
	if missing == 0 || s.model.Kind() == IsolationForest {
		return score
	}
	sum := 0.0
	for i, v := range vector {
		if math.IsNaN(v) {
			s.errs[i] = 0
		}
		sum += float64(s.errs[i])
	}
	return sum / float64(max(len(vector)-missing, 1))
}

func invalid(field, format string, args ...any) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}
