package ml

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
)

// linear is principal component analysis: usual vectors lie near a flat of few dimensions, and the squared prediction
// error is the squared distance from it (Jackson and Mudholkar 1979).
type linear struct {
	dimensions int
	params     []float32 // the middle, then the components, each of length 1: (components + 1) × dimensions
}

// PCASettings say how many components are kept.
type PCASettings struct {
	Components int     // 0: as many as Variance asks for
	Variance   float64 // part of the variance that is kept; 0 is 0.9
}

// TrainPCA finds the principal components.
func TrainPCA(d Data, s PCASettings) (*Model, error) {
	scaler, err := d.prepare()
	if err != nil {
		return nil, err
	}
	rows := scaler.Scale(d.Train)
	n := len(scaler.Middle)
	if s.Variance == 0 {
		s.Variance = 0.9
	}
	if s.Components < 0 || s.Components > n || !(s.Variance > 0 && s.Variance <= 1) {
		return nil, invalid("components", "%d components, or %g of the variance, of %d dimensions cannot be kept", s.Components, s.Variance, n)
	}
	// Not zero where values are missing, cut off at farthest, or scaled by another's scaler.
	middle := make([]float64, n)
	for i, x := range rows {
		middle[i%n] += float64(x)
	}
	for i := range middle {
		middle[i] /= float64(len(d.Train))
	}
	covariance := mat.NewSymDense(n, nil)
	centred := make([]float64, n)
	for r := range d.Train {
		for i := range centred {
			centred[i] = float64(rows[r*n+i]) - middle[i]
		}
		covariance.SymRankOne(covariance, 1/float64(len(d.Train)), mat.NewVecDense(n, centred))
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, invalid("train", "the principal components of the training vectors cannot be found")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil) // ascending
	total, kept := 0.0, 0.0
	for _, v := range values {
		total += max(v, 0)
	}
	p := &linear{dimensions: n}
	for _, x := range middle {
		p.params = append(p.params, float32(x))
	}
	for k := range n {
		if s.Components > 0 && k == s.Components || s.Components == 0 && kept >= s.Variance*total {
			break
		}
		kept += max(values[n-1-k], 0)
		// An eigenvector's sign is free: the largest entry is made positive, so that a model file is reproducible.
		sign, largest := 1.0, 0.0
		for i := range n {
			if x := vectors.At(i, n-1-k); math.Abs(x) > largest+1e-9 {
				largest, sign = math.Abs(x), math.Copysign(1, x)
			}
		}
		for i := range n {
			p.params = append(p.params, float32(sign*vectors.At(i, n-1-k)))
		}
	}
	return d.assemble(scaler, p)
}

func (p *linear) kind() Kind     { return PCA }
func (p *linear) workspace() int { return p.dimensions }

func (p *linear) score(x, errs, work []float32) float64 {
	n := p.dimensions
	for i := range work {
		work[i] = x[i] - p.params[i]
	}
	// Components are orthogonal, so what one takes away does not change the share of the next.
	residual := blas32.Vector{N: n, Inc: 1, Data: work}
	for at := n; at < len(p.params); at += n {
		component := blas32.Vector{N: n, Inc: 1, Data: p.params[at : at+n]}
		blas32.Axpy(-blas32.Dot(residual, component), component, residual)
	}
	sum := 0.0
	for i, r := range work {
		errs[i] = r * r
		sum += float64(errs[i])
	}
	return sum / float64(n)
}
