package ml

import (
	"context"
	"fmt"
	"testing"
)

// Inference is on the way of every window.
func BenchmarkScore(b *testing.B) {
	windows := minutes(1500, 1)
	single := Rows(windows)
	lagged := Minute.Vectors(single)
	for _, bench := range []struct {
		name  string
		train func() (*Model, error)
	}{
		{"forest-8", func() (*Model, error) {
			return TrainForest(Data{Names: WindowFeatures, Train: single[:1000], Validation: single[1000:]}, ForestSettings{})
		}},
		{"pca-48", func() (*Model, error) {
			return TrainPCA(Data{Names: WindowFeatures, Context: Minute, Train: lagged[:1000], Validation: lagged[1000:]}, PCASettings{})
		}},
		{"autoencoder-48-32-12-32-48", func() (*Model, error) {
			return TrainAutoencoder(context.Background(), Data{Names: WindowFeatures, Context: Minute, Train: lagged[:1000], Validation: lagged[1000:]}, nil, Training{Epochs: 1})
		}},
	} {
		m, err := bench.train()
		if err != nil {
			b.Fatal(err)
		}
		vector := single[1400]
		if m.Context.Blocks > 1 {
			vector = lagged[1400]
		}
		s := m.Scorer()
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Score(vector)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
		})
	}
}

// TestScoreAllocates nothing: neither Score nor a Watch on its way.
func TestScoreAllocates(t *testing.T) {
	windows := minutes(400, 1)
	vectors := Minute.Vectors(Rows(windows))
	m, err := TrainAutoencoder(context.Background(), Data{Names: WindowFeatures, Context: Minute, Train: vectors[:250], Validation: vectors[250:]}, nil, Training{Epochs: 1})
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Watch()
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	if n := testing.AllocsPerRun(300, func() { w.Add(&windows[i]); i++ }); n != 0 {
		t.Errorf("a window costs %v allocations", n)
	}
	for kind, m := range all(t) {
		s, v := m.Scorer(), []float64{100, 5, 0, 40}
		if n := testing.AllocsPerRun(100, func() { s.Score(v) }); n != 0 {
			t.Errorf("%s: a score costs %v allocations", kind, n)
		}
	}
}

func BenchmarkTrain(b *testing.B) {
	for _, hidden := range [][]int{{16, 8, 16}, {32, 12, 32}} {
		for _, workers := range []int{1, 2} {
			inputs := 32
			if hidden[0] == 32 {
				inputs = 48
			}
			b.Run(fmt.Sprintf("%d-%v-workers-%d", inputs, hidden, workers), func(b *testing.B) {
				n, err := NewNetwork(inputs, hidden, 1)
				if err != nil {
					b.Fatal(err)
				}
				rows, order := make([]float32, 64*inputs), make([]int, 64)
				for i := range rows {
					rows[i] = float32(i%17)/8 - 1
				}
				for i := range order {
					order[i] = i
				}
				r := newTrainer(n, Training{Workers: workers}.withDefaults(), rows, n.params)
				for b.Loop() {
					r.step(order)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
			})
		}
	}
}

func BenchmarkTrainForest(b *testing.B) {
	rows := Rows(minutes(10_000, 1))
	d := Data{Names: WindowFeatures, Train: rows[:9000], Validation: rows[9000:9100]}
	for b.Loop() {
		if _, err := TrainForest(d, ForestSettings{}); err != nil {
			b.Fatal(err)
		}
	}
}
