package ml

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"breakwater"
)

// Network is a dense autoencoder: layers of tanh, the last one linear, that learn to give back what they are given
// through a narrow middle. All parameters are one flat slice, of which layers are views, so that a federation can send,
// clip, noise and average them without knowing the network.
//
//	x ─► W₁ b₁ tanh ─► … ─► Wₙ bₙ ─► x'        params: W₁ (inputs × outputs, row by row), b₁, W₂, b₂, …
type Network struct {
	sizes  []int // values at the input and after each layer; first and last are equal
	params []float32
	layers []layer
}

type layer struct {
	weights blas32.General // inputs × outputs
	biases  []float32
}

// NewNetwork makes a network with the given hidden layers between inputs and outputs, its weights drawn evenly as by
// Glorot and Bengio (2010), biases 0.
func NewNetwork(inputs int, hidden []int, seed uint64) (*Network, error) {
	sizes := slices.Concat([]int{inputs}, hidden, []int{inputs})
	if err := checkSizes(sizes); err != nil {
		return nil, err
	}
	n := &Network{sizes: sizes, params: make([]float32, parameters(sizes))}
	n.layers = views(sizes, n.params)
	random := rand.New(rand.NewPCG(seed, 0xae))
	for _, l := range n.layers {
		limit := math.Sqrt(6 / float64(l.weights.Rows+l.weights.Cols))
		for i := range l.weights.Data {
			l.weights.Data[i] = float32(limit * (2*random.Float64() - 1))
		}
	}
	return n, nil
}

func checkSizes(sizes []int) error {
	if len(sizes) < 3 || len(sizes) > 32 || sizes[0] != sizes[len(sizes)-1] {
		return invalid("hidden", "layers of %v make no autoencoder: it has 1 to 30 hidden layers, and as many outputs as inputs", sizes[:min(len(sizes), 32)])
	}
	for _, s := range sizes {
		if s < 1 || s > mostDimensions {
			return invalid("hidden", "a layer of %d is not possible: 1 to %d", s, mostDimensions)
		}
	}
	if p := parameters(sizes); p > mostParameters {
		return invalid("hidden", "layers of %v have %d parameters, over the limit of %d", sizes, p, mostParameters)
	}
	return nil
}

func parameters(sizes []int) (count int) {
	for i := range len(sizes) - 1 {
		count += (sizes[i] + 1) * sizes[i+1]
	}
	return count
}

// views lays layers over a flat slice.
func views(sizes []int, flat []float32) []layer {
	layers := make([]layer, len(sizes)-1)
	for i := range layers {
		in, out := sizes[i], sizes[i+1]
		layers[i].weights = blas32.General{Rows: in, Cols: out, Stride: out, Data: flat[: in*out : in*out]}
		flat = flat[in*out:]
		layers[i].biases = flat[:out:out]
		flat = flat[out:]
	}
	return layers
}

func (n *Network) clone() *Network {
	c := &Network{sizes: n.sizes, params: slices.Clone(n.params)}
	c.layers = views(c.sizes, c.params)
	return c
}

// Params are the parameters themselves: what is written there is what the network then has.
func (n *Network) Params() []float32 { return n.params }

// SetParams copies parameters in. They must be as many, and finite.
func (n *Network) SetParams(params []float32) error {
	if len(params) != len(n.params) {
		return invalid("params", "%d parameters are not those of a network of %d", len(params), len(n.params))
	}
	if i := notFinite(params); i >= 0 {
		return invalid("params", "parameter %d is %g, not a finite number", i, params[i])
	}
	copy(n.params, params)
	return nil
}

// notFinite is the index of the first value that is NaN or infinite, -1 for none.
func notFinite(values []float32) int {
	return slices.IndexFunc(values, func(v float32) bool { return v-v != 0 })
}

// Training says how a network is trained. Zero values take what is said beside them.
type Training struct {
	Epochs   int     // at most; 100
	Batch    int     // 64
	Rate     float64 // Adam's step; 0.001
	Patience int     // epochs without a better validation loss, then it ends; 10; negative: it goes through all epochs and keeps the last
	Workers  int     // that share a batch; 1. Another number gives other bits.
	Seed     uint64  // of the order of examples
	// Noise is added to inputs, not to what is to be given back, so that a network cannot learn to copy (Vincent et al.
	// 2008): the standard deviation, of scaled values; 0 is none.
	// It is what makes an autoencoder better than PCA on BATADAL.
	Noise float64
	// Proximal is µ of FedProx (Li et al. 2020): it draws towards the parameters that the training began with.
	Proximal float64
	// Exposed are scaled vectors that are known to be anomalous. The network is taught to give them back badly: each whose
	// error is under Margin adds Exposure times what is missing to the loss. That is outlier exposure (Hendrycks, Mazeika
	// and Dietterich 2019) with the hinge of a margin, where Deep SAD (Ruff et al. 2020) takes the inverse: an error over
	// the margin is found anyway, and driving it on would cost what is usual.
	Exposed  []float32
	Exposure float64     // 0.5
	Margin   float64     // mean squared error of scaled values; 2, where usual ones have 0.5 to 1
	Epoch    func(Epoch) // called after each
}

// Epoch is how far a training is. Losses are mean squared errors of scaled values.
type Epoch struct {
	Number, Of int
	Loss       float64 // of training, as it went; of what is usual alone
	Validation float64 // after the epoch, with what exposed vectors add
}

// Train fits the network to scaled vectors (Scaler.Scale), with Adam (Kingma and Ba 2015), and keeps the parameters of
// the epoch with the least validation loss, which it gives. Where ctx ends, it gives its error and leaves the network as
// it was before.
func (n *Network) Train(ctx context.Context, train, validation []float32, t Training) (Epoch, error) {
	t = t.withDefaults()
	width := n.sizes[0]
	count := len(train) / width
	if count == 0 || len(train)%width != 0 || len(validation) == 0 || len(validation)%width != 0 || len(t.Exposed)%width != 0 {
		return Epoch{}, invalid("train", "%d, %d and %d values are not whole vectors of %d to train and validate on and to be exposed to", len(train), len(validation), len(t.Exposed), width)
	}
	begin, best := slices.Clone(n.params), slices.Clone(n.params)
	var reached Epoch
	run := newTrainer(n, t, train, begin)
	random := rand.New(rand.NewPCG(t.Seed, 0x0de5))
	order := make([]int, count)
	for i := range order {
		order[i] = i
	}
	for number := 1; number <= t.Epochs; number++ {
		random.Shuffle(count, func(i, j int) { order[i], order[j] = order[j], order[i] })
		loss := 0.0
		for first := 0; first < count; first += t.Batch {
			if err := ctx.Err(); err != nil {
				copy(n.params, begin)
				return Epoch{}, err
			}
			loss += run.step(order[first:min(first+t.Batch, count)])
		}
		now := Epoch{number, t.Epochs, loss / float64(count), n.Loss(validation) + t.Exposure*n.missing(t.Exposed, t.Margin)}
		if math.IsNaN(now.Validation) || math.IsInf(now.Validation, 0) {
			copy(n.params, begin)
			return Epoch{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "rate", Message: fmt.Sprintf("training went astray in epoch %d; use a lower rate than %g", number, t.Rate)}
		}
		if t.Epoch != nil {
			t.Epoch(now)
		}
		if reached.Number == 0 || now.Validation < reached.Validation || t.Patience < 0 {
			reached = now
			copy(best, n.params)
		} else if number-reached.Number >= t.Patience {
			break
		}
	}
	copy(n.params, best)
	return reached, nil
}

func (t Training) withDefaults() Training {
	for _, d := range []struct {
		value *int
		usual int
	}{{&t.Epochs, 100}, {&t.Batch, 64}, {&t.Patience, 10}, {&t.Workers, 1}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	for _, d := range []struct {
		value *float64
		usual float64
	}{{&t.Rate, 1e-3}, {&t.Exposure, 0.5}, {&t.Margin, 2}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	t.Batch = max(t.Batch, 1)
	t.Workers = min(max(t.Workers, 1), 64)
	return t
}

// trainer holds what steps work in.
type trainer struct {
	net      *Network
	rows     []float32
	begin    []float32
	setting  Training
	workers  []*worker
	m, v     []float32 // Adam's moments
	steps    int
	gradient []float32
	exposed  int   // the next of the exposed vectors to be taken
	batch    []int // rows of a step: those of train, then exposed ones, which count from the number of rows on
}

// exposedShare is how many rows of a batch there are for each exposed one.
const exposedShare = 4

func newTrainer(n *Network, t Training, rows, begin []float32) *trainer {
	r := &trainer{net: n, rows: rows, begin: begin, setting: t, m: make([]float32, len(n.params)), v: make([]float32, len(n.params))}
	share := (t.Batch + t.Batch/exposedShare + 1 + t.Workers - 1) / t.Workers
	for i := range t.Workers {
		w := newWorker(n, share)
		w.noise, w.random = t.Noise, rand.New(rand.NewPCG(t.Seed, uint64(i)))
		r.workers = append(r.workers, w)
	}
	r.gradient = r.workers[0].gradient
	return r
}

// step takes one batch, of rows by index, and gives the sum of the losses of its rows. Exposed vectors, where there are
// any, are taken along in their order, a fourth as many.
func (r *trainer) step(batch []int) float64 {
	width := r.net.sizes[0]
	r.batch = append(r.batch[:0], batch...)
	usual, exposed := len(batch), 0
	if all := len(r.setting.Exposed) / width; all > 0 {
		exposed = min(max(usual/exposedShare, 1), all)
		for range exposed {
			r.batch = append(r.batch, len(r.rows)/width+r.exposed)
			r.exposed = (r.exposed + 1) % all
		}
	}
	share := (len(r.batch) + len(r.workers) - 1) / len(r.workers)
	var busy sync.WaitGroup
	for i, w := range r.workers {
		part := r.batch[min(i*share, len(r.batch)):min((i+1)*share, len(r.batch))]
		if i == len(r.workers)-1 {
			w.gradients(r, part, usual, exposed)
			break
		}
		busy.Go(func() { w.gradients(r, part, usual, exposed) })
	}
	busy.Wait()
	loss := r.workers[0].loss
	for _, w := range r.workers[1:] { // always in this order: sums of floats depend on it
		loss += w.loss
		for i, g := range w.gradient {
			r.gradient[i] += g
		}
	}
	r.adam()
	return loss
}

// row is a row of what is usual, or, behind those, an exposed one.
func (r *trainer) row(i int) []float32 {
	width, from := r.net.sizes[0], r.rows
	if usual := len(from) / width; i >= usual {
		i, from = i-usual, r.setting.Exposed
	}
	return from[i*width : (i+1)*width]
}

// adam moves the parameters against the gradient.
func (r *trainer) adam() {
	const b1, b2, small = 0.9, 0.999, 1e-8
	r.steps++
	rate := r.setting.Rate * math.Sqrt(1-math.Pow(b2, float64(r.steps))) / (1 - math.Pow(b1, float64(r.steps)))
	params, proximal := r.net.params, float32(r.setting.Proximal)
	for i, g := range r.gradient {
		if proximal != 0 {
			g += proximal * (params[i] - r.begin[i])
		}
		m := b1*r.m[i] + (1-b1)*g
		v := b2*r.v[i] + (1-b2)*g*g
		r.m[i], r.v[i] = m, v
		params[i] -= float32(rate) * m / (float32(math.Sqrt(float64(v))) + small)
	}
}

// worker computes gradients of its part of a batch.
type worker struct {
	values   [][]float32 // of each size, rows × size
	deltas   [][]float32
	gradient []float32
	views    []layer // over gradient
	noise    float64
	random   *rand.Rand
	loss     float64 // sum over usual rows of the mean squared error
}

func newWorker(n *Network, rows int) *worker {
	w := &worker{gradient: make([]float32, len(n.params))}
	w.views = views(n.sizes, w.gradient)
	for _, s := range n.sizes {
		w.values = append(w.values, make([]float32, rows*s))
		w.deltas = append(w.deltas, make([]float32, rows*s))
	}
	return w
}

// gradients of the mean, over a batch of so many usual rows, of the mean squared error, and of what as many exposed ones
// add to it, for this worker's part.
func (w *worker) gradients(t *trainer, part []int, usual, exposed int) {
	n := t.net
	width, count := n.sizes[0], len(part)
	clear(w.gradient)
	w.loss = 0
	if count == 0 {
		return
	}
	for i, r := range part {
		copy(w.values[0][i*width:], t.row(r))
	}
	if w.noise > 0 {
		for i := range w.values[0][:count*width] {
			w.values[0][i] += float32(w.noise * w.random.NormFloat64())
		}
	}
	n.forward(w.values, count)
	last := len(n.layers)
	out, delta := w.values[last], w.deltas[last]
	for i, r := range part {
		scale, squares := 2/float32(width*usual), 0.0
		for j, want := range t.row(r) {
			d := out[i*width+j] - want
			squares += float64(d * d)
			delta[i*width+j] = d
		}
		switch squares /= float64(width); {
		case r < len(t.rows)/width:
			w.loss += squares
		case squares < t.setting.Margin:
			scale = float32(-2 * t.setting.Exposure / float64(width*exposed))
		default:
			scale = 0
		}
		for j := range width {
			delta[i*width+j] *= scale
		}
	}
	for l := last - 1; l >= 0; l-- {
		in, out := n.sizes[l], n.sizes[l+1]
		d := blas32.General{Rows: count, Cols: out, Stride: out, Data: w.deltas[l+1][:count*out]}
		x := blas32.General{Rows: count, Cols: in, Stride: in, Data: w.values[l][:count*in]}
		blas32.Gemm(blas.Trans, blas.NoTrans, 1, x, d, 0, w.views[l].weights)
		for r := range count {
			for j, v := range d.Data[r*out : (r+1)*out] {
				w.views[l].biases[j] += v
			}
		}
		if l == 0 {
			break
		}
		back := blas32.General{Rows: count, Cols: in, Stride: in, Data: w.deltas[l][:count*in]}
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, d, n.layers[l].weights, 0, back)
		for i, y := range x.Data { // tanh' = 1 - tanh²
			back.Data[i] *= 1 - y*y
		}
	}
}

// forward runs rows that lie in values[0] through the layers; values[i] gets what comes after layer i.
func (n *Network) forward(values [][]float32, rows int) {
	for l, layer := range n.layers {
		in, out := n.sizes[l], n.sizes[l+1]
		y := values[l+1][:rows*out]
		for r := range rows {
			copy(y[r*out:], layer.biases)
		}
		if rows == 1 {
			blas32.Gemv(blas.Trans, 1, layer.weights, blas32.Vector{N: in, Inc: 1, Data: values[l]}, 1, blas32.Vector{N: out, Inc: 1, Data: y})
		} else {
			x := blas32.General{Rows: rows, Cols: in, Stride: in, Data: values[l][:rows*in]}
			blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, x, layer.weights, 1, blas32.General{Rows: rows, Cols: out, Stride: out, Data: y})
		}
		if l < len(n.layers)-1 {
			for i, v := range y {
				y[i] = float32(math.Tanh(float64(v)))
			}
		}
	}
}

// Loss is the mean squared error over scaled vectors.
func (n *Network) Loss(rows []float32) float64 {
	return n.mean(rows, func(loss float64) float64 { return loss })
}

// missing is by how much the errors of scaled vectors lie under a margin, the mean.
func (n *Network) missing(rows []float32, margin float64) float64 {
	return n.mean(rows, func(loss float64) float64 { return max(margin-loss, 0) })
}

// mean is that of something of each vector's error; 0 for none.
func (n *Network) mean(rows []float32, of func(loss float64) float64) float64 {
	width := n.sizes[0]
	errs, work := make([]float32, width), make([]float32, n.workspace())
	sum := 0.0
	for at := 0; at+width <= len(rows); at += width {
		sum += of(n.score(rows[at:at+width], errs, work))
	}
	return sum / float64(max(len(rows)/width, 1))
}

func (n *Network) kind() Kind { return Autoencoder }

// workspace is room for the two widest neighbours, taken in turns.
func (n *Network) workspace() int { return 2 * slices.Max(n.sizes) }

func (n *Network) score(x, errs, work []float32) float64 {
	half := len(work) / 2
	here, there := x, work[:half]
	for l, layer := range n.layers {
		in, out := n.sizes[l], n.sizes[l+1]
		y := there[:out]
		copy(y, layer.biases)
		blas32.Gemv(blas.Trans, 1, layer.weights, blas32.Vector{N: in, Inc: 1, Data: here}, 1, blas32.Vector{N: out, Inc: 1, Data: y})
		if l < len(n.layers)-1 {
			for i, v := range y {
				y[i] = float32(math.Tanh(float64(v)))
			}
		}
		if l%2 == 0 {
			here, there = y, work[half:]
		} else {
			here, there = y, work[:half]
		}
	}
	sum := 0.0
	for i, v := range here {
		d := v - x[i]
		errs[i] = d * d
		sum += float64(errs[i])
	}
	return sum / float64(len(x))
}

// TrainAutoencoder trains a network with the given hidden layers, 32-12-32 for none, and makes a model of it.
func TrainAutoencoder(ctx context.Context, d Data, hidden []int, t Training) (*Model, error) {
	scaler, err := d.prepare()
	if err != nil {
		return nil, err
	}
	if len(hidden) == 0 {
		hidden = []int{32, 12, 32}
	}
	n, err := NewNetwork(len(scaler.Middle), hidden, t.Seed)
	if err != nil {
		return nil, err
	}
	if _, err := n.Train(ctx, scaler.Scale(d.Train), scaler.Scale(d.Validation), t); err != nil {
		return nil, err
	}
	return d.assemble(scaler, n)
}

// NewAutoencoder makes a model of a network that was trained elsewhere, as by a federation: the threshold is from this
// data's validation part, the scaler is the data's own or fitted on its training part.
func NewAutoencoder(d Data, n *Network) (*Model, error) {
	scaler, err := d.prepare()
	if err != nil {
		return nil, err
	}
	if n.sizes[0] != len(scaler.Middle) {
		return nil, invalid("network", "a network of %d inputs does not take vectors of %d", n.sizes[0], len(scaler.Middle))
	}
	return d.assemble(scaler, n.clone())
}
