package ml

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Contribution is one feature's part in a score.
type Contribution struct {
	Feature             string
	Value               float64 // NaN where it is missing
	UsualLow, UsualHigh float64 // the range of 98 of 100 training vectors
	Share               float64 // of all that is unusual, 0–1; shares add up to 1, or are all 0 where nothing is
}

// Explain says which features made a vector's score, the largest share first. A feature of several blocks shows the value
// of the block that is most unusual. It allocates.
func (s *Scorer) Explain(vector []float64) []Contribution {
	s.Score(vector)
	blame := make([]float64, len(vector))
	for i := range blame {
		blame[i] = float64(s.errs[i])
	}
	if s.model.Kind() == IsolationForest {
		s.blameForest(vector, blame)
	}
	features, scaler := len(s.model.Names), s.model.Scaler
	all := make([]Contribution, features)
	total := 0.0
	for _, b := range blame {
		total += b
	}
	for f, name := range s.model.Names {
		most := f
		for i := f; i < len(vector); i += features {
			if total > 0 {
				all[f].Share += blame[i] / total
			}
			if blame[i] > blame[most] || blame[i] == blame[most] && math.IsNaN(vector[most]) {
				most = i
			}
		}
		all[f].Feature, all[f].Value = name, vector[most]
		all[f].UsualLow, all[f].UsualHigh = scaler.Low[most], scaler.High[most]
	}
	slices.SortStableFunc(all, func(a, b Contribution) int { return cmp.Compare(b.Share, a.Share) })
	return all
}

// blameForest asks of each value by how much the score falls when it is made usual: a tree has no errors by feature. Where
// no single value lowers the score, the distance from the middle decides.
func (s *Scorer) blameForest(vector, blame []float64) {
	m := s.model
	m.Scaler.scale(s.x, vector)
	score, total := m.core.score(s.x, s.errs, s.work), 0.0
	for i, x := range s.x {
		s.x[i] = 0
		blame[i] = max(score-m.core.score(s.x, s.errs, s.work), 0)
		s.x[i] = x
		total += blame[i]
	}
	if total == 0 {
		for i, x := range s.x {
			blame[i] = float64(x) * float64(x)
		}
	}
}

// Sentence puts the contributions that matter, at most three, into words: "packets/s 310, usual 38–44; failed connections
// 12, usual 0". A value within its usual range stands out only beside the others, and that is said. "" for none.
func Sentence(contributions []Contribution) string {
	var parts []string
	for i, c := range contributions {
		if i == 3 || c.Share == 0 || i > 0 && c.Share < 0.15 {
			break
		}
		usual := figure(c.UsualLow)
		if c.UsualHigh != c.UsualLow {
			dash := "–"
			if c.UsualLow < 0 {
				dash = " to "
			}
			if high := figure(c.UsualHigh); high != usual {
				usual += dash + high
			}
		}
		part := c.Feature + " " + figure(c.Value) + ", usual " + usual
		if c.Value >= c.UsualLow && c.Value <= c.UsualHigh {
			part += ", but not beside the other features"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// figure writes a number as a person reads it: three digits, more only before the point.
func figure(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return "missing"
	case a >= 1e15 || a > 0 && a < 1e-4:
		return strconv.FormatFloat(x, 'e', 2, 64)
	case a >= 100 || x == math.Trunc(x):
		return strconv.FormatFloat(x, 'f', 0, 64)
	default:
		short, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
		return strconv.FormatFloat(short, 'f', -1, 64)
	}
}
