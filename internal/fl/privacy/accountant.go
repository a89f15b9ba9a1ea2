package privacy

import (
	"fmt"
	"math"

	"breakwater"
)

// Sampling is how the clients of a round are chosen, and with it what neighbouring federations are.
type Sampling uint8

// The ways of choosing. The noise multiplier is noise over sensitivity, and the sensitivity of the clipped sum
// differs: a client that is added or taken away moves it by at most the clipping limit C, one that is replaced by 2C.
const (
	Poisson   Sampling = iota // each client by itself with probability q; neighbours: a client more or less
	FixedSize                 // so many of all, without replacement, q their part; neighbours: a client replaced
)

// Sensitivity is how far one client can move the sum of updates clipped to limit.
func (s Sampling) Sensitivity(limit float64) float64 {
	if s == FixedSize {
		return 2 * limit
	}
	return limit
}

// Mechanism is one round's Gaussian mechanism on a sample of the clients.
type Mechanism struct {
	Sampling   Sampling
	Rate       float64 // q, 0–1; 1 is every client, each round
	Multiplier float64 // the noise's standard deviation over the sensitivity; 0 is no noise and ε = ∞
}

// orders are the Rényi orders α at which privacy is tracked: close where the optimum usually lies, far where noise is
// strong. They are the usual ones, so that figures can be compared with other accountants'.
var orders = func() (all []float64) {
	for tenths := 11; tenths < 110; tenths++ {
		all = append(all, float64(tenths)/10)
	}
	for a := 11; a < 64; a++ {
		all = append(all, float64(a))
	}
	return append(all, 128, 256, 512, 1024)
}()

// Accountant adds up what rounds cost. The zero value has seen none. Rényi differential privacy composes by addition
// at each order (Mironov 2017, Proposition 1), so the order of rounds does not matter and each may differ.
type Accountant struct {
	spent [156]float64 // by index into orders
}

// Add accounts for times rounds of a mechanism.
func (a *Accountant) Add(m Mechanism, times int) error {
	switch {
	case !(m.Rate >= 0 && m.Rate <= 1):
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "rate", Message: fmt.Sprintf("sampling rate %g is not between 0 and 1", m.Rate)}
	case !(m.Multiplier >= 0):
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "multiplier", Message: fmt.Sprintf("noise multiplier %g is negative or no number", m.Multiplier)}
	case m.Sampling > FixedSize:
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "sampling", Message: fmt.Sprintf("sampling %d is unknown", m.Sampling)}
	case times < 0:
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "times", Message: fmt.Sprintf("%d rounds cannot be accounted for", times)}
	case times == 0:
		return nil
	}
	for i, cost := range m.renyi() {
		a.spent[i] += float64(times) * cost
	}
	return nil
}

// Epsilon is the smallest ε for which all that was added is (ε, δ)-differentially private, as far as the bound knows,
// and the order that gave it; +Inf where nothing is promised. Mironov's conversion is improved as by Canonne, Kamath
// and Steinke 2020, Proposition 12 (the same as Balle et al. 2020, equation 20); where the divergence is so small that
// the total variation is below δ (Bretagnolle–Huber), ε is 0.
func (a *Accountant) Epsilon(delta float64) (epsilon, order float64) {
	epsilon, order = math.Inf(1), orders[0]
	for i, alpha := range orders {
		cost := a.spent[i]
		e := math.Inf(1)
		switch {
		case cost == 0 || delta*delta > -math.Expm1(-cost):
			e = 0
		case alpha > 1.01 && delta > 0:
			e = cost + math.Log1p(-1/alpha) - math.Log(delta*alpha)/(alpha-1)
		}
		if e = max(e, 0); e < epsilon {
			epsilon, order = e, alpha
		}
	}
	return epsilon, order
}

// MultiplierFor is the noise multiplier, to one part in a million and never too small, at which that many rounds cost
// at most epsilon.
func MultiplierFor(epsilon, delta float64, s Sampling, rate float64, rounds int) (float64, error) {
	if !(epsilon > 0) || !(delta > 0 && delta < 1) {
		return 0, &breakwater.Error{Kind: breakwater.Invalid, Field: "epsilon", Message: fmt.Sprintf("ε = %g at δ = %g cannot be aimed at: ε must be over 0 and δ between 0 and 1", epsilon, delta)}
	}
	cost := func(multiplier float64) (float64, error) {
		var a Accountant
		err := a.Add(Mechanism{s, rate, multiplier}, rounds)
		e, _ := a.Epsilon(delta)
		return e, err
	}
	low, high := 0.0, 1.0
	for {
		e, err := cost(high)
		if err != nil {
			return 0, err
		}
		if e <= epsilon {
			break
		}
		if low, high = high, 2*high; high > 1e9 {
			return 0, &breakwater.Error{Kind: breakwater.Invalid, Field: "epsilon", Message: fmt.Sprintf("ε = %g at δ = %g over %d rounds needs more noise than can be had", epsilon, delta, rounds)}
		}
	}
	for high-low > 1e-6*high && high > 1e-3 {
		middle := (low + high) / 2
		if e, err := cost(middle); err != nil {
			return 0, err
		} else if e <= epsilon {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}

// renyi is the mechanism's Rényi divergence bound at each of the orders.
func (m Mechanism) renyi() []float64 {
	cost := make([]float64, len(orders))
	if m.Rate == 0 {
		return cost
	}
	var moments []float64
	if m.Sampling == FixedSize && m.Rate < 1 && m.Multiplier > 0 {
		moments = evenMoments(m.Multiplier, largestExact)
	}
	for i, alpha := range orders {
		switch {
		case m.Multiplier == 0:
			cost[i] = math.Inf(1)
		case m.Rate == 1: // the plain Gaussian: Mironov 2017, Proposition 7
			cost[i] = alpha / (2 * m.Multiplier * m.Multiplier)
		case m.Sampling == FixedSize:
			cost[i] = fixedSize(m.Rate, m.Multiplier, alpha, moments) / (alpha - 1)
		case alpha == math.Trunc(alpha):
			cost[i] = poissonWhole(m.Rate, m.Multiplier, int(alpha)) / (alpha - 1)
		default:
			cost[i] = poissonBroken(m.Rate, m.Multiplier, alpha) / (alpha - 1)
		}
		cost[i] = max(cost[i], 0) // the sum may round to just below nothing
	}
	return cost
}

// poissonWhole is log A(α) of the Poisson-sampled Gaussian for a whole order: Mironov, Talwar and Zhang 2019, section 3.3,
//
//	A(α) = Σ C(α,k) (1-q)^(α-k) q^k exp((k²-k) / 2σ²).
func poissonWhole(q, sigma float64, alpha int) float64 {
	sum := math.Inf(-1)
	for k := range alpha + 1 {
		n, j := float64(alpha), float64(k)
		sum = logAdd(sum, logBinomial(n, j)+j*math.Log(q)+(n-j)*math.Log1p(-q)+(j*j-j)/(2*sigma*sigma))
	}
	return sum
}

// poissonBroken is the same for an order that is no whole number: the two infinite series of section 3.3, split where
// the two densities q·N(1,σ²) and (1-q)·N(0,σ²) cross. Their terms alternate in sign beyond k = α; adding up their sizes
// bounds them from above (up to 7 % of ε, where ε is large) and is what dp-accounting reports, so that figures can be
// compared. +Inf where they do not settle: then another order decides.
func poissonBroken(q, sigma, alpha float64) float64 {
	const enough = 1000 // terms
	cross := sigma*sigma*math.Log(1/q-1) + 0.5
	sum, lastA, lastB := math.Inf(-1), math.Inf(-1), math.Inf(-1)
	for k := range enough {
		i := float64(k)
		j := alpha - i
		size := logBinomial(alpha, i)
		a := size + i*math.Log(q) + j*math.Log1p(-q) + (i*i-i)/(2*sigma*sigma) + logHalfErfc((i-cross)/(math.Sqrt2*sigma))
		b := size + j*math.Log(q) + i*math.Log1p(-q) + (j*j-j)/(2*sigma*sigma) + logHalfErfc((cross-j)/(math.Sqrt2*sigma))
		sum = logAdd(sum, logAdd(a, b))
		if a < lastA && b < lastB && max(a, b) < sum-30 {
			return sum
		}
		lastA, lastB = a, b
	}
	return math.Inf(1)
}

// largestExact is the highest order for which fixedSize computes the moments; above it the simpler bound serves.
const largestExact = 256

// fixedSize bounds log A(α) of the Gaussian on a sample of fixed size without replacement, a client replaced: Wang,
// Balle and Kasiviswanathan 2019, Theorem 27, which for the Gaussian takes the even moments of the ratio of densities
// less one. Between whole orders it interpolates, as the log of the moments is convex (Corollary 10).
func fixedSize(q, sigma, alpha float64, moments []float64) float64 {
	if below := math.Floor(alpha); below != alpha {
		part := alpha - below
		return (1-part)*fixedSize(q, sigma, below, moments) + part*fixedSize(q, sigma, below+1, moments)
	}
	sum := 0.0 // the log of 1
	for k := 2; k <= int(alpha); k++ {
		j := float64(k)
		plain := math.Ln2 + j*(j-1)/(2*sigma*sigma)
		term := plain
		if k == 2 || alpha <= largestExact {
			term = min(plain, math.Log(4)+(moments[k/2]+moments[(k+1)/2])/2)
		}
		sum = logAdd(sum, logBinomial(alpha, j)+j*math.Log(q)+term)
	}
	return sum
}

// evenMoments gives at index h the log of E[(r-1)^2h], r the ratio of N(1,σ²) to N(0,σ²) at a point of the latter, up
// to 2h = largest. Theorem 27 writes it as a finite difference of order 2h, whose alternating terms cancel to nothing in
// floating point; as an integral over a smooth, nowhere negative function the trapezoidal rule has it to many digits.
func evenMoments(sigma float64, largest int) []float64 {
	const step, tail = 0.05, 12.0 // in standard deviations
	moments := make([]float64, largest/2+1)
	root := math.Sqrt(float64(largest)) + tail
	points := make([]float64, int(min((float64(largest)/sigma+2*root)/step, 40000))) // log |r-1| at z = i·step - root
	for i := range points {
		u := (float64(i)*step-root)/sigma - 1/(2*sigma*sigma) // log r
		if points[i] = u; u < 30 {
			points[i] = math.Log(math.Abs(math.Expm1(u)))
		}
	}
	for h := 1; h < len(moments); h++ {
		n := float64(2 * h)
		// The function has a hump near -√n and one near n/σ, where exp(nz/σ) meets the bell.
		end := (n/sigma + math.Sqrt(n) + tail + root) / step
		if end > float64(len(points))+1 { // σ below about 0.15: no use, as the plain bound is the smaller one
			moments[h] = math.Inf(1)
			continue
		}
		within := points[:min(int(end), len(points))]
		top := math.Inf(-1)
		for i, l := range within {
			z := float64(i)*step - root
			top = max(top, n*l-z*z/2)
		}
		sum := 0.0
		for i, l := range within {
			z := float64(i)*step - root
			if e := n*l - z*z/2 - top; e > -40 {
				sum += math.Exp(e)
			}
		}
		moments[h] = top + math.Log(sum*step) - math.Log(2*math.Pi)/2
	}
	return moments
}

// logAdd is log(exp(a) + exp(b)).
func logAdd(a, b float64) float64 {
	low, high := min(a, b), max(a, b)
	if math.IsInf(low, -1) || math.IsInf(high, 1) {
		return high
	}
	return high + math.Log1p(math.Exp(low-high))
}

// logBinomial is the log of the size of the generalised binomial coefficient C(n, k).
func logBinomial(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// logHalfErfc is log(erfc(x) / 2), also where erfc(x) is too small for a float64 (DLMF 7.12.1).
func logHalfErfc(x float64) float64 {
	if x < 20 {
		return math.Log(math.Erfc(x) / 2)
	}
	y := 1 / (2 * x * x)
	return -x*x - math.Log(2*x*math.Sqrt(math.Pi)) + math.Log1p(-y*(1-3*y*(1-5*y*(1-7*y))))
}
