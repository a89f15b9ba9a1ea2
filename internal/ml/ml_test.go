package ml

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

var names = []string{"a", "b", "c", "d"}

// wave makes vectors near a flat of two dimensions: four values of two hidden ones, with a little noise.
func wave(count int, seed uint64) [][]float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	vectors := make([][]float64, count)
	for i := range vectors {
		s, t := random.NormFloat64(), random.NormFloat64()
		noise := func() float64 { return 0.05 * random.NormFloat64() }
		vectors[i] = []float64{100 + 10*s + noise(), 5 - s + t + noise(), 2*t + noise(), 40 + s*5 + 5*t + noise()}
	}
	return vectors
}

// all are models of the same data, one of each kind.
func all(t testing.TB) map[Kind]*Model {
	t.Helper()
	d := Data{Names: names, Train: wave(2000, 1), Validation: wave(500, 2), Quantile: 0.99}
	forest, err := TrainForest(d, ForestSettings{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	pca, err := TrainPCA(d, PCASettings{Components: 2})
	if err != nil {
		t.Fatal(err)
	}
	auto, err := TrainAutoencoder(context.Background(), d, []int{16, 2, 16}, Training{Epochs: 60, Rate: 3e-3, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	return map[Kind]*Model{IsolationForest: forest, PCA: pca, Autoencoder: auto}
}

func TestModels(t *testing.T) {
	t.Parallel()
	fresh := wave(1000, 9)
	for kind, m := range all(t) {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if m.Kind() != kind || m.Origin.Trained != 2000 || m.Origin.Validated != 500 || m.Dimensions() != 4 {
				t.Errorf("%s, %+v", m.Kind(), m.Origin)
			}
			s := m.Scorer()
			over := 0
			for _, v := range fresh {
				if s.Score(v) > m.Threshold {
					over++
				}
			}
			// 1 % of validation lie over the threshold; of 1000 fresh ones about 10 do.
			if over < 1 || over > 40 {
				t.Errorf("%d of %d usual vectors are over the threshold", over, len(fresh))
			}
			usual := s.Score([]float64{100, 5, 0, 40})
			far := []float64{100, 5, 0, 400}
			if kind == IsolationForest {
				// One value beyond all that was seen ends where the largest seen does: a forest sees no distances. All of
				// them far off it does see.
				if one := s.Score(far); one <= usual || s.Explain(far)[0].Feature != "d" {
					t.Errorf("one value far off scores %v, none %v; explained as %+v", one, usual, s.Explain(far))
				}
				far = []float64{400, 50, 40, 400}
			}
			if got := s.Score(far); got <= m.Threshold || got <= usual {
				t.Errorf("a value far off scores %v, threshold %v", got, m.Threshold)
			}
			if got := s.Explain(far); kind != IsolationForest && (got[0].Feature != "d" || got[0].Value != 400 || got[0].Share < 0.4) {
				t.Errorf("a value far off is explained as %+v", got)
			}
			sum := 0.0
			for _, c := range s.Explain(fresh[0]) {
				sum += c.Share
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("shares add up to %v", sum)
			}
			if kind != IsolationForest {
				// Each value usual by itself, but not beside the others: only models of the whole see it.
				if got := s.Score([]float64{110, 5, -4, 40}); got <= m.Threshold {
					t.Errorf("values that do not fit together score %v, threshold %v", got, m.Threshold)
				}
			}
			if c := m.Confidence(m.Threshold); math.Abs(c-0.5) > 1e-12 {
				t.Errorf("confidence %v at the threshold", c)
			}
			last := -1.0
			for _, score := range []float64{0, m.Threshold / 2, m.Threshold, (m.Threshold + 1) / 2, 1} {
				c := m.Confidence(score)
				if c < last || c < 0 || c > 1 || math.IsNaN(c) {
					t.Errorf("confidence %v for %v after %v", c, score, last)
				}
				last = c
			}
		})
	}
}

func TestHostileVectors(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for kind, m := range all(t) {
		s := m.Scorer()
		usual := s.Score([]float64{100, 5, 0, 40})
		for _, v := range [][]float64{{nan, nan, nan, nan}, {100, nan, 0, 40}, {inf, 5, 0, 40}, {-inf, inf, nan, 1e308}, {-1e308, 0, 0, 0}, {5e-324, 0, 0, 0}} {
			score := s.Score(v)
			if math.IsNaN(score) || math.IsInf(score, 0) || score < 0 {
				t.Errorf("%s: %v scores %v", kind, v, score)
			}
			for _, c := range s.Explain(v) {
				if math.IsNaN(c.Share) || c.Share < 0 || c.Share > 1 {
					t.Errorf("%s: %v is explained as %+v", kind, v, c)
				}
			}
			Sentence(s.Explain(v))
			if kind != IsolationForest && math.IsInf(v[0], 1) && score <= m.Threshold {
				t.Errorf("%s: an infinite value scores %v", kind, score)
			}
		}
		if got := s.Score([]float64{100, nan, 0, 40}); got > 3*usual+m.Threshold {
			t.Errorf("%s: a missing value scores %v, usual %v", kind, got, usual)
		}
		if got := s.Score([]float64{nan, nan, nan, nan}); kind != IsolationForest && got != 0 {
			t.Errorf("%s: nothing at all scores %v", kind, got)
		}
	}
	// Spoiled training data spoils neither scaler nor training.
	spoiled := wave(500, 1)
	for i := 0; i < 500; i += 50 {
		spoiled[i] = []float64{nan, inf, 1e300, -inf}
	}
	d := Data{Names: names, Train: spoiled, Validation: wave(100, 2)}
	for kind, err := range map[Kind]error{
		IsolationForest: trained(TrainForest(d, ForestSettings{})),
		PCA:             trained(TrainPCA(d, PCASettings{})),
		Autoencoder:     trained(TrainAutoencoder(context.Background(), d, nil, Training{Epochs: 3})),
	} {
		if err != nil {
			t.Errorf("%s on spoiled data: %v", kind, err)
		}
	}
}

func trained(_ *Model, err error) error { return err }

func TestBadData(t *testing.T) {
	t.Parallel()
	good := func() Data { return Data{Names: names, Train: wave(50, 1), Validation: wave(20, 2)} }
	for name, spoil := range map[string]func(*Data){
		"no names":             func(d *Data) { d.Names = nil },
		"few":                  func(d *Data) { d.Train = d.Train[:3] },
		"no validation":        func(d *Data) { d.Validation = nil },
		"ragged":               func(d *Data) { d.Train[7] = []float64{1} },
		"too many dimensions":  func(d *Data) { d.Context = Context{Blocks: 3000, Stride: 1, Summary: Mean} },
		"context":              func(d *Data) { d.Context = Context{Blocks: 1, Stride: 0, Summary: Mean} },
		"summary":              func(d *Data) { d.Context = Context{Blocks: 1, Stride: 1, Summary: "median"} },
		"quantile":             func(d *Data) { d.Quantile = 2 },
		"scaler of others":     func(d *Data) { d.Scaler = FitScaler([][]float64{{1, 2}}) },
		"scaler without words": func(d *Data) { d.Scaler = &Scaler{} },
	} {
		d := good()
		spoil(&d)
		if _, err := TrainForest(d, ForestSettings{}); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"trees":       trained(TrainForest(good(), ForestSettings{Trees: -1})),
		"huge forest": trained(TrainForest(good(), ForestSettings{Trees: 10_000_000})),
		"components":  trained(TrainPCA(good(), PCASettings{Components: 5})),
		"layers":      trained(TrainAutoencoder(context.Background(), good(), []int{0}, Training{})),
		"huge layers": trained(TrainAutoencoder(context.Background(), good(), []int{1 << 40}, Training{})),
		"rate":        trained(TrainAutoencoder(context.Background(), good(), []int{8}, Training{Rate: 1e30})),
	} {
		if breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 2, 4}
	for part, want := range map[float64]float64{0: 1, 0.25: 1, 0.26: 2, 0.5: 2, 0.999: 4, 1: 4} {
		if got := Quantile(values, part); got != want {
			t.Errorf("quantile %v is %v, want %v", part, got, want)
		}
	}
	if !math.IsNaN(Quantile(nil, 0.5)) || values[0] != 3 {
		t.Error("no values have no quantile; and the values keep their order")
	}
}

func TestScaler(t *testing.T) {
	t.Parallel()
	vectors := [][]float64{{1, 7, 0, math.NaN()}, {2, 7, 0, math.NaN()}, {3, 7, 0, math.Inf(1)}, {math.NaN(), 7, 0, 1e200}}
	s := FitScaler(vectors)
	want := &Scaler{
		Middle: []float64{2, 7, 0, 0}, Spread: []float64{math.Sqrt(2.0 / 3), 7.0 / 20, 1, 1},
		Low: []float64{1, 7, 0, 0}, High: []float64{3, 7, 0, 0},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("scaler (-want +got)\n%s", diff)
	}
	got := s.Scale([][]float64{{2, 7.35, 1e9, math.NaN()}, {math.Inf(-1), 7, -3, 0}})
	if diff := cmp.Diff([]float32{0, 1, farthest, 0, -farthest, 0, -3, 0}, got, cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 })); diff != "" {
		t.Errorf("scaled (-want +got)\n%s", diff)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	rows := [][]float64{{1, 10}, {2, nan}, {3, 30}, {5, nan}, {7, nan}}
	for _, test := range []struct {
		name    string
		context Context
		want    [][]float64
	}{
		{"row itself", Context{}, rows},
		{"last", Context{2, 1, Last}, [][]float64{{1, 10, 2, nan}, {2, nan, 3, 30}, {3, 30, 5, nan}, {5, nan, 7, nan}}},
		{"means", Context{2, 2, Mean}, [][]float64{{1.5, 10, 4, 30}, {2.5, 30, 6, nan}}},
		{"largest", Context{1, 3, Max}, [][]float64{{3, 30}, {5, 30}, {7, 30}}},
		{"too long", Context{3, 2, Mean}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			equal := cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })
			if diff := cmp.Diff(test.want, test.context.Vectors(rows), equal); diff != "" {
				t.Errorf("vectors (-want +got)\n%s", diff)
			}
		})
	}
	v := make([]float64, 4)
	Context{2, 2, Mean}.Vector(v, rows[:1])
	if !math.IsNaN(v[0]) || v[2] != 1 || v[3] != 10 {
		t.Errorf("before the first row: %v", v)
	}
}

// minutes makes windows of a plant that polls: 40 ± 2 packets/s, one second after another.
func minutes(count int, seed uint64) []breakwater.Window {
	random := rand.New(rand.NewPCG(seed, 2))
	begin := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	windows := make([]breakwater.Window, count)
	for i := range windows {
		packets := 40 + 1.5*math.Sin(float64(i)/7) + random.Float64()
		windows[i] = breakwater.Window{
			FacilityID: "north", Time: begin.Add(time.Duration(i) * time.Second), PacketsPerSec: math.Round(packets), BytesPerSec: math.Round(packets) * 80,
			UniqueSrcIPs: 4, UniqueDestIPs: 4, ProtocolMix: 0.4, AvgPacketSize: 80, InterArrivalMS: 1000 / packets,
		}
	}
	return windows
}

func TestWatch(t *testing.T) {
	t.Parallel()
	windows := minutes(1500, 1)
	vectors := Minute.Vectors(Rows(windows[:1200]))
	m, err := TrainAutoencoder(context.Background(), Data{Names: WindowFeatures, Context: Minute, Train: vectors[:900], Validation: vectors[960:]}, nil, Training{Epochs: 20})
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Watch()
	if err != nil {
		t.Fatal(err)
	}
	fresh := windows[1200:]
	scorer, over := m.Scorer(), 0
	for i := range fresh {
		score, ok := w.Add(&fresh[i])
		if ok != (i >= 59) {
			t.Fatalf("window %d: ok is %t", i, ok)
		}
		if !ok {
			continue
		}
		v := make([]float64, m.Dimensions())
		Minute.Vector(v, Rows(fresh[:i+1]))
		if want := scorer.Score(v); score != want {
			t.Fatalf("window %d scores %v, its vector %v", i, score, want)
		}
		if score > m.Threshold {
			over++
		}
	}
	if over > 20 {
		t.Errorf("%d of 241 usual minutes are over the threshold", over)
	}

	scan := fresh[len(fresh)-1]
	for range 10 {
		scan.Time = scan.Time.Add(time.Second)
		scan.PacketsPerSec, scan.BytesPerSec, scan.FailedConns, scan.AvgPacketSize, scan.InterArrivalMS = 310, 18600, 250, 60, 3.2
		w.Add(&scan)
	}
	score, _ := w.Add(&breakwater.Window{Time: scan.Time.Add(time.Second), PacketsPerSec: 310, BytesPerSec: 18600, FailedConns: 250, UniqueSrcIPs: 4, UniqueDestIPs: 4, ProtocolMix: 0.4, AvgPacketSize: 60, InterArrivalMS: 3.2})
	text := Sentence(w.Explain())
	if score <= m.Threshold || m.Confidence(score) < 0.9 || !strings.Contains(text, "failed connections 250, usual 0") {
		t.Errorf("a scan scores %v (threshold %v): %s", score, m.Threshold, text)
	}

	later := scan
	later.Time = scan.Time.Add(30 * time.Second)
	if _, ok := w.Add(&later); !ok {
		t.Error("half a context left out begins anew")
	}
	later.Time = later.Time.Add(-time.Second)
	if _, ok := w.Add(&later); ok {
		t.Error("a window that goes back in time does not begin anew")
	}
	later.Time = later.Time.Add(1000 * time.Hour)
	if _, ok := w.Add(&later); ok {
		t.Error("a window after a long gap does not begin anew")
	}
	if _, err := all(t)[PCA].Watch(); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("a model of other features watches windows: %v", err)
	}
}

func TestRowsOverGaps(t *testing.T) {
	t.Parallel()
	windows := minutes(4, 1)
	windows[2].Time = windows[1].Time.Add(3 * time.Second)
	windows[3].Time = windows[2].Time.Add(9000 * time.Hour)
	rows := Rows(windows)
	if len(rows) != 4+2+mostRows || !math.IsNaN(rows[2][0]) || rows[4][0] != windows[2].PacketsPerSec || rows[len(rows)-1][0] != windows[3].PacketsPerSec {
		t.Errorf("%d rows", len(rows))
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want string
		in   []Contribution
	}{
		{"", nil},
		{"", []Contribution{{"packets/s", 40, 38, 44, 0}}},
		{"packets/s 310, usual 38–44", []Contribution{{"packets/s", 310.2, 38, 44, 0.9}, {"bytes/s", 5, 1, 2, 0.1}}},
		{"packets/s 310, usual 38–44; failed connections 12, usual 0", []Contribution{{"packets/s", 310, 38, 44, 0.6}, {"failed connections", 12, 0, 0, 0.4}}},
		{"flow 1.23, usual -0.5 to 1", []Contribution{{"flow", 1.2345, -0.5, 1, 1}}},
		{"level 2, usual 1–3, but not beside the other features", []Contribution{{"level", 2, 1, 3, 1}}},
		{"bytes/s 1234567, usual 99.9", []Contribution{{"bytes/s", 1234567, 99.91, 99.92, 1}}},
	} {
		if got := Sentence(test.in); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	for x, want := range map[float64]string{0: "0", 12.345: "12.3", 0.00123456: "0.00123", 1e-6: "1.00e-06", 1e20: "1.00e+20", 1234.5: "1234", -3: "-3"} {
		if got := figure(x); got != want {
			t.Errorf("figure(%v) is %q, want %q", x, got, want)
		}
	}
}

// The same data, settings and seed make the same file, byte for byte; other data another fingerprint.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	first, second := all(t), all(t)
	for kind, m := range first {
		if !slices.Equal(m.Encode(), second[kind].Encode()) {
			t.Errorf("%s: two trainings differ", kind)
		}
	}
	a, b := wave(20, 1), wave(20, 1)
	b[19][3] = math.Nextafter(b[19][3], 0)
	if fingerprint(a) == fingerprint(b) || fingerprint(a[:10], a[10:]) == fingerprint(a) || fingerprint(a) != fingerprint(wave(20, 1)) {
		t.Error("fingerprints do not tell data apart")
	}
}
