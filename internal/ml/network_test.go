package ml

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"breakwater"
)

// loss64 is the network's mean squared error over rows, in float64 and by plain loops: another way to the same number.
func loss64(sizes []int, params []float64, rows [][]float64) float64 {
	sum := 0.0
	for _, row := range rows {
		x, at := row, 0
		for l := range len(sizes) - 1 {
			in, out := sizes[l], sizes[l+1]
			y := make([]float64, out)
			for j := range y {
				y[j] = params[at+in*out+j]
				for i := range in {
					y[j] += x[i] * params[at+i*out+j]
				}
				if l < len(sizes)-2 {
					y[j] = math.Tanh(y[j])
				}
			}
			x, at = y, at+(in+1)*out
		}
		for i := range row {
			sum += (x[i] - row[i]) * (x[i] - row[i]) / float64(len(row))
		}
	}
	return sum / float64(len(rows))
}

// Gradients agree with central differences of loss64.
func TestGradients(t *testing.T) {
	t.Parallel()
	for _, hidden := range [][]int{{3}, {8, 4, 8}, {6, 2, 5, 7}} {
		n, err := NewNetwork(5, hidden, 11)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(5, 6))
		for i := range n.params { // biases other than 0, too
			n.params[i] += float32(0.1 * random.NormFloat64())
		}
		var rows []float32
		var rows64 [][]float64
		var order []int
		for r := range 7 {
			row := make([]float64, 5)
			for i := range row {
				x := float32(random.NormFloat64())
				rows, row[i] = append(rows, x), float64(x)
			}
			rows64, order = append(rows64, row), append(order, r)
		}
		params := make([]float64, len(n.params))
		for i, p := range n.params {
			params[i] = float64(p)
		}
		if got, want := n.Loss(rows), loss64(n.sizes, params, rows64); math.Abs(got-want) > 1e-6*want {
			t.Errorf("%v: loss %v, in float64 %v", hidden, got, want)
		}
		// Of vectors that it is exposed to, one of a batch's four is far over the margin and adds nothing.
		near, far := rows64[0], slices.Repeat([]float64{30}, 5)
		exposed := append(slices.Clone(rows[:5]), slices.Repeat([]float32{30}, 5)...)
		for _, test := range []struct {
			workers int
			exposed []float32
			loss    func() float64
		}{
			{1, nil, func() float64 { return loss64(n.sizes, params, rows64) }},
			{3, nil, func() float64 { return loss64(n.sizes, params, rows64) }},
			// A batch of 7 takes one exposed vector along: the first.
			{1, exposed, func() float64 {
				return loss64(n.sizes, params, rows64) + 0.7*(20-loss64(n.sizes, params, [][]float64{near}))
			}},
			{3, exposed, func() float64 {
				return loss64(n.sizes, params, rows64) + 0.7*(20-loss64(n.sizes, params, [][]float64{near}))
			}},
			{1, exposed[5:], func() float64 {
				return loss64(n.sizes, params, rows64) + 0.7*max(20-loss64(n.sizes, params, [][]float64{far}), 0)
			}},
		} {
			r := newTrainer(n.clone(), Training{Batch: 7, Workers: test.workers, Exposed: test.exposed, Exposure: 0.7, Margin: 20}.withDefaults(), rows, n.params)
			r.setting.Rate = 0 // the gradient is looked at, no step is taken
			r.step(order)
			var worst, scale float64
			for i := range params {
				const h = 1e-5
				was := params[i]
				params[i] = was + h
				up := test.loss()
				params[i] = was - h
				numeric := (up - test.loss()) / (2 * h)
				params[i] = was
				worst = max(worst, math.Abs(numeric-float64(r.gradient[i])))
				scale = max(scale, math.Abs(numeric))
			}
			t.Logf("%v, %d workers, %d exposed: largest difference %.2g of %.2g", hidden, test.workers, len(test.exposed)/5, worst, scale)
			if worst > 1e-5*scale {
				t.Errorf("%v, %d workers, %d exposed: a gradient is %g off, the largest is %g", hidden, test.workers, len(test.exposed)/5, worst, scale)
			}
		}
	}
}

// A network that was exposed to an anomaly tells it apart, and goes on giving back what is usual.
func TestExposure(t *testing.T) {
	t.Parallel()
	scaler := FitScaler(wave(1000, 1))
	train, validation := scaler.Scale(wave(1000, 1)), scaler.Scale(wave(200, 2))
	// Odd in its combination, not in any value.
	odd := make([]float32, 0, 400)
	for at := 0; at < 400; at += 4 {
		odd = append(odd, train[at], -train[at+1], train[at+2], -train[at+3])
	}
	reach := func(exposed []float32) (usual, anomalous float64) {
		n, err := NewNetwork(4, []int{16, 4, 16}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Train(t.Context(), train, validation, Training{Epochs: 60, Rate: 3e-3, Patience: -1, Noise: 0.1, Exposed: exposed, Margin: 3}); err != nil {
			t.Fatal(err)
		}
		return n.Loss(validation), n.Loss(odd[200:])
	}
	usual, anomalous := reach(nil)
	exposedUsual, exposedAnomalous := reach(odd[:200])
	t.Logf("error without exposure: usual %.4f, anomalous %.4f; with it: %.4f, %.4f", usual, anomalous, exposedUsual, exposedAnomalous)
	if exposedAnomalous < 2.5 || exposedAnomalous < 2*anomalous || exposedUsual > 0.05 {
		t.Errorf("an anomaly stands out by %.1f without exposure, by %.1f with it", anomalous/usual, exposedAnomalous/exposedUsual)
	}
}

func TestTraining(t *testing.T) {
	t.Parallel()
	scaler := FitScaler(wave(1000, 1))
	train, validation := scaler.Scale(wave(1000, 1)), scaler.Scale(wave(200, 2))
	fresh := func() *Network {
		n, err := NewNetwork(4, []int{8, 2, 8}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := fresh()
	before := n.Loss(validation)
	var epochs []Epoch
	reached, err := n.Train(t.Context(), train, validation, Training{Epochs: 30, Rate: 3e-3, Epoch: func(e Epoch) { epochs = append(epochs, e) }})
	if err != nil {
		t.Fatal(err)
	}
	if after := n.Loss(validation); after != reached.Validation || after > before/5 || len(epochs) < reached.Number || epochs[reached.Number-1] != reached {
		t.Errorf("loss %v before, %v after; reached %+v of %d epochs", before, after, reached, len(epochs))
	}

	t.Run("workers", func(t *testing.T) {
		run := func(workers int) []float32 {
			n := fresh()
			if _, err := n.Train(t.Context(), train, validation, Training{Epochs: 3, Workers: workers}); err != nil {
				t.Fatal(err)
			}
			return n.params
		}
		one, two := run(1), run(2)
		if !slices.Equal(two, run(2)) {
			t.Error("the same number of workers gave other bits")
		}
		for i := range one {
			if math.Abs(float64(one[i]-two[i])) > 1e-3 {
				t.Fatalf("parameter %d: %v by one worker, %v by two", i, one[i], two[i])
			}
		}
	})
	t.Run("early stop", func(t *testing.T) {
		n, count := fresh(), 0
		// Validation is other data than training: it gets no better for long.
		reached, err := n.Train(t.Context(), train[:40], validation, Training{Epochs: 5000, Rate: 0.02, Patience: 5, Epoch: func(Epoch) { count++ }})
		if err != nil || count == 5000 || count != reached.Number+5 || n.Loss(validation) != reached.Validation {
			t.Errorf("%v: %d epochs, the best was %+v", err, count, reached)
		}
	})
	t.Run("no patience", func(t *testing.T) {
		n := fresh()
		reached, err := n.Train(t.Context(), train, validation, Training{Epochs: 4, Patience: -1})
		if err != nil || reached.Number != 4 {
			t.Errorf("%v: ended at %+v", err, reached)
		}
	})
	t.Run("proximal", func(t *testing.T) {
		far := func(mu float64) float64 {
			n := fresh()
			begin := slices.Clone(n.params)
			if _, err := n.Train(t.Context(), train, validation, Training{Epochs: 5, Proximal: mu}); err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for i, p := range n.params {
				sum += float64(p-begin[i]) * float64(p-begin[i])
			}
			return sum
		}
		if free, held := far(0), far(1); held >= free/2 {
			t.Errorf("moved by %v, held by µ = 1 by %v", free, held)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		n := fresh()
		begin := slices.Clone(n.params)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := n.Train(ctx, train, validation, Training{Epoch: func(e Epoch) {
			if e.Number == 2 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || !slices.Equal(begin, n.params) {
			t.Errorf("%v; parameters unchanged: %t", err, slices.Equal(begin, n.params))
		}
	})
	for name, rows := range map[string][]float32{"none": nil, "half a vector": {1, 2}} {
		if _, err := fresh().Train(t.Context(), rows, validation, Training{}); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Parameters are a view: what a federation writes there is what the network computes with.
func TestParams(t *testing.T) {
	t.Parallel()
	n, err := NewNetwork(4, []int{3}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Params()) != 5*3+4*4 {
		t.Fatalf("%d parameters", len(n.Params()))
	}
	clear(n.Params())
	n.Params()[len(n.Params())-1] = 2 // the last output's bias
	if got := n.Loss([]float32{0, 0, 0, 0}); got != 1 {
		t.Errorf("loss %v, want 2²/4", got)
	}
	other := n.clone()
	other.Params()[0] = 9
	if n.Params()[0] != 0 {
		t.Error("a clone shares parameters")
	}
	for name, params := range map[string][]float32{"few": {1}, "NaN": append(make([]float32, 30), float32(math.NaN())), "infinite": append(make([]float32, 30), float32(math.Inf(-1)))} {
		if err := n.SetParams(params); breakwater.KindOf(err) != breakwater.Invalid || n.Loss([]float32{0, 0, 0, 0}) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := n.SetParams(make([]float32, 31)); err != nil || n.Loss([]float32{0, 0, 0, 0}) != 0 {
		t.Errorf("%v, loss %v", err, n.Loss([]float32{0, 0, 0, 0}))
	}
	// A model made of a network trained elsewhere keeps its own copy.
	d := Data{Names: names, Train: wave(50, 1), Validation: wave(20, 2)}
	m, err := NewAutoencoder(d, n)
	if err != nil {
		t.Fatal(err)
	}
	threshold := m.Threshold
	n.Params()[30] = 100
	if m.Network().Params()[30] != 0 || m.Threshold != threshold || m.Kind() != Autoencoder {
		t.Error("the model changes with the network that it was made of")
	}
	d.Names = names[:2]
	if _, err := NewAutoencoder(d, n); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("a network of other vectors: %v", err)
	}
}
