package ml

import (
	"math"
	"slices"
	"time"

	"breakwater"
)

// WindowFeatures are the names of a window's eight features, in the order of Row.
var WindowFeatures = []string{
	"packets/s", "bytes/s", "sending hosts", "receiving hosts", "protocol mix", "failed connections", "bytes/packet", "ms between packets",
}

// Row gives a window's eight features.
func Row(w *breakwater.Window) [8]float64 {
	return [8]float64{
		w.PacketsPerSec, w.BytesPerSec, float64(w.UniqueSrcIPs), float64(w.UniqueDestIPs),
		w.ProtocolMix, float64(w.FailedConns), w.AvgPacketSize, w.InterArrivalMS,
	}
}

// Rows gives a row for each second of windows in order of time. Seconds without a window are rows of NaN; of a long gap
// as many as keep any context from reaching over it.
func Rows(windows []breakwater.Window) [][]float64 {
	rows := make([][]float64, 0, len(windows))
	for i := range windows {
		if i > 0 {
			gap := int(min(windows[i].Time.Sub(windows[i-1].Time)/time.Second-1, mostRows))
			for range gap {
				rows = append(rows, slices.Repeat([]float64{math.NaN()}, len(WindowFeatures)))
			}
		}
		row := Row(&windows[i])
		rows = append(rows, row[:])
	}
	return rows
}

// Summary is how the rows of a block become one.
type Summary string

// The summaries.
const (
	Mean Summary = "mean"
	Max  Summary = "max"
	Last Summary = "last"
)

// Context says how the rows up to a moment become one vector: Blocks blocks of Stride rows, oldest first, each as its
// features' Summary. {6, 10, Mean} over windows is the minute before as six means of ten seconds; the zero value is the
// row itself.
type Context struct {
	Blocks  int     `json:"blocks"`
	Stride  int     `json:"stride"` // rows
	Summary Summary `json:"summary"`
}

// Minute is the 60 s context of windows.
var Minute = Context{Blocks: 6, Stride: 10, Summary: Mean}

// mostRows is how many rows a context may span: an hour of windows.
const mostRows = 3600

func (c Context) check() error {
	if c.Blocks < 1 || c.Stride < 1 || c.Blocks > mostRows || c.Stride > mostRows || c.Blocks*c.Stride > mostRows {
		return invalid("context", "a context of %d blocks of %d rows is not possible: at least 1 of each, at most %d rows in all", c.Blocks, c.Stride, mostRows)
	}
	if c.Summary != Mean && c.Summary != Max && c.Summary != Last {
		return invalid("context", "summary %.20q is unknown; take mean, max or last", string(c.Summary))
	}
	return nil
}

// Span is how many rows go into a vector.
func (c Context) Span() int { return max(c.Blocks*c.Stride, 1) }

// Vector makes the vector of the last rows, in into, which must be features × Blocks long. Rows before the first count as
// missing. A value is missing (NaN) where it is in every row of its block.
func (c Context) Vector(into []float64, rows [][]float64) {
	features := len(into) / max(c.Blocks, 1)
	for b := range max(c.Blocks, 1) {
		block := into[b*features : (b+1)*features]
		end := len(rows) - (max(c.Blocks, 1)-1-b)*max(c.Stride, 1)
		rows := rows[max(end-max(c.Stride, 1), 0):max(end, 0)]
		for f := range block {
			block[f] = c.summarise(rows, f)
		}
	}
}

func (c Context) summarise(rows [][]float64, f int) float64 {
	sum, most, last, n := 0.0, math.Inf(-1), math.NaN(), 0
	for _, row := range rows {
		if x := row[f]; !math.IsNaN(x) {
			sum += x
			most, last = max(most, x), x
			n++
		}
	}
	switch {
	case n == 0:
		return math.NaN()
	case c.Summary == Mean:
		return sum / float64(n)
	case c.Summary == Max:
		return most
	}
	return last
}

// Vectors makes a vector for each row that has a whole context, in order: the first is that of row Span()-1. One that is
// missing altogether is kept, so that positions stay.
func (c Context) Vectors(rows [][]float64) [][]float64 {
	if len(rows) < c.Span() {
		return nil
	}
	width := len(rows[0]) * max(c.Blocks, 1)
	vectors := make([][]float64, 0, len(rows)-c.Span()+1)
	for end := c.Span(); end <= len(rows); end++ {
		v := make([]float64, width)
		c.Vector(v, rows[end-c.Span():end])
		vectors = append(vectors, v)
	}
	return vectors
}

// farthest is how many spreads from the middle a scaled value lies at most: what is farther is no more unusual, and a
// single spoiled value must not blow up a training.
const farthest = 50

// Scaler brings each value to mean 0 and standard deviation 1 over the training vectors, and knows what is usual.
type Scaler struct {
	Middle []float64 `json:"middle"` // means
	Spread []float64 `json:"spread"` // standard deviations, over 0
	Low    []float64 `json:"low"`    // 1 % of values are lower,
	High   []float64 `json:"high"`   // 1 % higher: the usual range
}

// FitScaler fits one. A value that never changes gets 5 % of itself for its spread, or 1 where it is 0; one that is always
// missing or never finite, middle 0 and spread 1.
func FitScaler(vectors [][]float64) *Scaler {
	s := &Scaler{}
	if len(vectors) == 0 {
		return s
	}
	column := make([]float64, 0, len(vectors))
	for d := range vectors[0] {
		column = column[:0]
		for _, v := range vectors {
			// Beyond 1e100 the square overflows.
			if x := v[d]; math.Abs(x) < 1e100 {
				column = append(column, x)
			}
		}
		middle, spread, low, high := 0.0, 1.0, 0.0, 0.0
		if n := float64(len(column)); n > 0 {
			sum, squares := 0.0, 0.0
			for _, x := range column {
				sum += x
			}
			middle = sum / n
			for _, x := range column {
				squares += (x - middle) * (x - middle)
			}
			if spread = math.Sqrt(squares / n); spread <= 1e-9*math.Abs(middle) {
				if spread = math.Abs(middle) / 20; spread < 1e-100 {
					spread = 1
				}
			}
			low, high = Quantile(column, 0.01), Quantile(column, 0.99)
		}
		s.Middle, s.Spread = append(s.Middle, middle), append(s.Spread, spread)
		s.Low, s.High = append(s.Low, low), append(s.High, high)
	}
	return s
}

func (s *Scaler) check(dimensions int) error {
	for _, values := range [][]float64{s.Middle, s.Spread, s.Low, s.High} {
		if len(values) != dimensions {
			return invalid("scaler", "the scaler is one of %d values, not of %d", len(values), dimensions)
		}
		for _, x := range values {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return invalid("scaler", "the scaler holds %g", x)
			}
		}
	}
	if least := slices.Min(s.Spread); least <= 0 {
		return invalid("scaler", "the scaler has a spread of %g", least)
	}
	return nil
}

// scale writes the scaled vector, a missing value as 0, and counts the missing ones.
func (s *Scaler) scale(into []float32, vector []float64) (missing int) {
	for i, v := range vector {
		z := (v - s.Middle[i]) / s.Spread[i]
		if z != z { // NaN
			missing++
			z = 0
		}
		into[i] = float32(min(max(z, -farthest), farthest))
	}
	return missing
}

// Scale gives vectors scaled, one after another, as networks take them.
func (s *Scaler) Scale(vectors [][]float64) []float32 {
	n := len(s.Middle)
	flat := make([]float32, n*len(vectors))
	for i, v := range vectors {
		s.scale(flat[i*n:(i+1)*n], v)
	}
	return flat
}
