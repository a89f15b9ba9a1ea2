// Package privacy makes what leaves a facility differentially private, and says how private it was. It knows three
// things: how to bound one client's influence (Clip), how to hide it (Noise), and what many rounds of that cost in
// all (Accountant). It hides the arithmetic of Rényi differential privacy.
//
//	update ─► Clip to L2 norm C ─► sum over the round's clients ─► Noise of σ = multiplier · sensitivity ─► average
//	                                     (rate q, multiplier) of each round ─► Accountant ─► ε for a δ
//
// The protected unit is a whole client: two federations are neighbours when they differ in one facility's presence
// (Poisson sampling) or in one facility's data (a sample of fixed size). The promise holds only where no client weighs
// more than its clipped update, so the sum is divided by a number known beforehand (the expected clients of a round),
// never by weights that the data chose.
//
// Not covered: noise is drawn in float64 and added in float32, so that the low bits of a noised value say a little
// about the value (Mironov 2012, "On significance of the least significant bits for differential privacy"); timing is
// not hidden; and the sum itself is seen by whoever adds the noise.
package privacy

import (
	crand "crypto/rand"
	"fmt"
	"math"
	"math/rand/v2"

	"breakwater"
)

// Clip scales an update down, in place, so that its L2 norm is at most limit, and gives the norm that it had. An
// update that is not all finite numbers cannot be bounded and is refused, unchanged.
func Clip(update []float32, limit float64) (norm float64, err error) {
	if !(limit > 0) || math.IsInf(limit, 0) {
		return 0, &breakwater.Error{Kind: breakwater.Invalid, Field: "limit", Message: fmt.Sprintf("clipping limit %g is not a positive number", limit)}
	}
	norm = length(update) // cannot overflow: the square of the largest float32 is 1e77
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return 0, &breakwater.Error{Kind: breakwater.Invalid, Message: "the update holds values that are not finite numbers; it cannot be clipped"}
	}
	if norm <= limit {
		return norm, nil
	}
	// Rounding to float32 moves each value by at most 2^-24 of itself, or by 2^-150 where it is subnormal: the margin
	// keeps the norm within the limit all the same, for any limit over 1e-30.
	scale := limit / norm * (1 - 1e-6)
	for i, v := range update {
		update[i] = float32(float64(v) * scale)
	}
	return norm, nil
}

func length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// Noise is a source of Gaussian noise. It is for one goroutine.
type Noise struct{ normal *rand.Rand }

// NewNoise makes a source seeded by the operating system, as production must: who knows the seed can take the noise
// away again.
func NewNoise() *Noise {
	var seed [32]byte
	crand.Read(seed[:]) // never returns an error (Go 1.24)
	return &Noise{rand.New(rand.NewChaCha8(seed))}
}

// NewSeededNoise makes a source that repeats itself, for tests and simulations. It protects nothing.
func NewSeededNoise(seed uint64) *Noise {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return &Noise{rand.New(rand.NewChaCha8(key))}
}

// Add adds independent noise of the given standard deviation to every value.
func (n *Noise) Add(values []float32, deviation float64) {
	for i, v := range values {
		values[i] = float32(float64(v) + deviation*n.normal.NormFloat64())
	}
}
