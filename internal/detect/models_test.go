package detect

import (
	"context"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
	"breakwater/internal/ml"
)

// seconds are n windows of a plant that polls, from a time on, each with a little chance in it.
func seconds(from time.Time, n int, seed uint64) []breakwater.Window {
	random := rand.New(rand.NewPCG(seed, 7))
	all := make([]breakwater.Window, n)
	for i := range all {
		packets := 40 + float64(random.IntN(5))
		all[i] = breakwater.Window{FacilityID: "north", Time: from.Add(time.Duration(i) * time.Second), PacketsPerSec: packets, BytesPerSec: packets * (68 + random.Float64()),
			UniqueSrcIPs: 4, UniqueDestIPs: 4 + random.IntN(2), ProtocolMix: 0.5 + 0.05*random.Float64(), AvgPacketSize: 68 + random.Float64(), InterArrivalMS: 1000 / packets}
	}
	return all
}

// flooded makes seconds those of a flood.
func flooded(windows []breakwater.Window) {
	for i := range windows {
		w := &windows[i]
		w.PacketsPerSec, w.BytesPerSec, w.UniqueDestIPs, w.ProtocolMix, w.FailedConns, w.AvgPacketSize, w.InterArrivalMS = 900, 54_000, 60, 0.9, 300, 60, 1.1
	}
}

// bothModels are of the same 2,400 seconds.
var bothModels = sync.OnceValue(func() map[ml.Kind]*ml.Model {
	models := map[ml.Kind]*ml.Model{}
	for _, kind := range []ml.Kind{ml.Autoencoder, ml.IsolationForest} {
		m, _, err := (&Learning{Windows: seconds(exampleBegins.Add(-time.Hour), 2400, 1)}).Train(context.Background(), kind)
		if err != nil {
			panic(err)
		}
		models[kind] = m
	}
	return models
})

// judged is what models say of windows.
func judged(e *Engine, windows []breakwater.Window) (all []breakwater.Detection) {
	for i := range windows {
		e.Window(&windows[i])
		all = append(all, e.Drain()...)
	}
	return all
}

// evidence is a sentence that names features with figures.
var evidence = regexp.MustCompile(`^(The last minute|This second) is unlike what was learned: ([a-z/ ]+ [0-9.]+, usual [0-9.]+(–[0-9.]+)?(; |\.)){1,3} Score [0-9.]+, threshold [0-9.]+; [0-9]+ of the last (5|10) s stand out\.$`)

func TestModelsSpeak(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     ml.Kind
		severity breakwater.Severity
		first    int // second of the first word, the flood beginning at 120
		words    int // for one minute of flood
	}{
		{ml.Autoencoder, breakwater.Medium, 127, 12}, // a minute's context holds the flood for a minute more
		{ml.IsolationForest, breakwater.Low, 122, 6},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			model := bothModels()[c.kind]
			windows := seconds(exampleBegins, 600, 2)
			quiet := New("north", nil, NewBaseline())
			quiet.SetModels([]*ml.Model{model})
			if found := judged(quiet, slices.Clone(windows)); len(found) != 0 {
				t.Errorf("of a plant that runs as ever it says %+v", found)
			}
			flooded(windows[120:180])
			e := New("north", nil, NewBaseline())
			e.SetModels([]*ml.Model{model})
			found := judged(e, windows)
			if len(found) != c.words {
				t.Fatalf("it speaks %d times, want %d", len(found), c.words)
			}
			count := 0
			for i, d := range found {
				if err := d.Check(); err != nil {
					t.Error(err)
				}
				if i > 0 && d.Time.Sub(found[i-1].Time) < again {
					t.Errorf("it speaks again after %s", d.Time.Sub(found[i-1].Time))
				}
				count += d.Count
			}
			if c.kind == ml.IsolationForest && count != 53 { // of 60: those behind its last word are not told
				t.Errorf("%d seconds are counted, want 53", count)
			}
			first := found[0]
			if got := int(first.Time.Sub(exampleBegins) / time.Second); got != c.first {
				t.Errorf("it speaks first in second %d, want %d", got, c.first)
			}
			if first.Model != string(c.kind) || first.Layer != breakwater.LayerAnomaly || first.Severity != c.severity || first.Asset != "network" || first.Technique != "" || first.Confidence < 0.5 {
				t.Errorf("it says %+v", first)
			}
			if !evidence.MatchString(first.Evidence) {
				t.Errorf("its evidence names no feature with figures: %s", first.Evidence)
			}
		})
	}
}

// While learning, and until there is a whole minute after a gap, models are silent; a model's word goes to the asset of
// the most severe rule of the minute before.
func TestModelsAmongRules(t *testing.T) {
	t.Parallel()
	both := []*ml.Model{bothModels()[ml.Autoencoder], bothModels()[ml.IsolationForest]}
	windows := seconds(exampleBegins, 300, 3)
	flooded(windows)

	learning := New("north", nil, NewBaseline())
	learning.SetModels(both)
	learning.SetLearning(true)
	if found := judged(learning, windows); len(found) != 0 {
		t.Errorf("while learning they say %+v", found)
	}
	learning.SetLearning(false)
	after := seconds(windows[299].End(), 100, 3)
	flooded(after)
	found := judged(learning, after)
	if i := slices.IndexFunc(found, func(d breakwater.Detection) bool { return d.Model == string(ml.Autoencoder) }); i < 0 || found[i].Time.Before(after[59].Time) {
		t.Errorf("the autoencoder does not wait for a whole minute after learning: %+v", found)
	}

	gaps := New("north", nil, NewBaseline())
	gaps.SetModels(both[:1])
	var pieces []breakwater.Window
	for i := 0; i+50 < len(windows); i += 52 {
		pieces = append(pieces, windows[i:i+50]...)
	}
	if found := judged(gaps, pieces); len(found) != 0 {
		t.Errorf("over gaps it says %+v", found)
	}

	rules := shippedRules(t)
	e := New("north", rules, NewBaseline())
	e.SetModels(both)
	calm := seconds(exampleBegins, 60, 4)
	judged(e, calm)
	scan := script(t, "1s*100/1ms 10.0.0.57 > 10.0.0.11 tcp 20++ refused")
	for _, s := range scan {
		ev := s.event
		ev.Time = calm[59].End().Add(time.Millisecond)
		e.Event(&ev)
	}
	told := e.Drain()
	if len(told) == 0 || told[0].Model != "port-scan" {
		t.Fatalf("the scan raised %+v", told)
	}
	asset := told[0].Asset
	during := seconds(calm[59].End(), 130, 5)
	flooded(during)
	var of []string
	for _, d := range judged(e, during) {
		if d.Model == string(ml.IsolationForest) {
			of = append(of, d.Asset)
		}
	}
	// It speaks each ten seconds from the third on: seven times within the minute, then of the network.
	want := slices.Concat(slices.Repeat([]string{asset}, 6), slices.Repeat([]string{"network"}, 7))
	if diff := cmp.Diff(want, of); diff != "" {
		t.Errorf("it speaks of (-want +got):\n%s", diff)
	}
}

func TestSetModels(t *testing.T) {
	t.Parallel()
	d := Learning{Windows: seconds(exampleBegins, 2000, 1)}
	other, _, err := d.Train(context.Background(), ml.IsolationForest)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := d.data(ml.Autoencoder)
	if err != nil {
		t.Fatal(err)
	}
	linear, err := ml.TrainPCA(data, ml.PCASettings{})
	if err != nil {
		t.Fatal(err)
	}
	e := New("north", nil, NewBaseline())
	forest, auto := bothModels()[ml.IsolationForest], bothModels()[ml.Autoencoder]
	at := func(want ...*ml.Model) {
		t.Helper()
		var got []*ml.Model
		for _, s := range e.models {
			got = append(got, s.model)
		}
		if !slices.Equal(got, want) {
			t.Errorf("at work are %v, want %v", got, want)
		}
	}
	e.SetModels([]*ml.Model{forest, auto, linear})
	at(auto, forest)
	before := e.models[0]
	e.SetModels([]*ml.Model{auto, other})
	at(auto, other)
	if e.models[0] != before {
		t.Error("a model that stays forgets what it has seen")
	}
	e.SetModels(nil)
	at(auto, other)

	if _, err := ReadModel(auto.Encode()); err != nil {
		t.Error(err)
	}
	for name, file := range map[string][]byte{"pca": linear.Encode(), "damaged": auto.Encode()[:1000], "empty": nil} {
		if _, err := ReadModel(file); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	data.Names = slices.Clone(data.Names)
	data.Names[0] = "level"
	if foreign, err := ml.TrainAutoencoder(context.Background(), data, []int{4}, ml.Training{Epochs: 1}); err != nil {
		t.Error(err)
	} else if _, err := ReadModel(foreign.Encode()); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("a model of other features: %v", err)
	}
}

// The same windows give the same model; what is told of it is what was done.
func TestTrain(t *testing.T) {
	t.Parallel()
	windows := seconds(exampleBegins, 2000, 1)
	flooded(windows[100:160])
	attack := breakwater.Span{From: windows[100].Time.Add(300 * time.Millisecond), To: windows[159].Time}
	within := breakwater.Span{From: windows[110].Time, To: windows[120].Time}
	l := Learning{Windows: windows, Attacks: []breakwater.Span{within, attack}}
	for _, kind := range []ml.Kind{ml.Autoencoder, ml.IsolationForest} {
		epochs := 0
		l.Epoch = func(ml.Epoch) { epochs++ }
		m, learned, err := l.Train(context.Background(), kind)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := l.Train(context.Background(), kind)
		if err != nil || string(again.Encode()) != string(m.Encode()) {
			t.Errorf("%s: trained again it is another (%v)", kind, err)
		}
		if learned.Seconds != 1940 || learned.LeftOut != 60 || !learned.To.Equal(windows[1999].Time) || learned.Threshold != m.Threshold || learned.Trained != m.Origin.Trained || learned.Quantile != 0.999 {
			t.Errorf("%s: %+v", kind, learned)
		}
		if kind == ml.Autoencoder && (learned.Epochs == 0 || epochs != 2*learned.Epochs) {
			t.Errorf("%d epochs were told of, %+v", epochs, learned)
		}
		// The flood was not learned as usual.
		e := New("north", nil, NewBaseline())
		e.SetModels([]*ml.Model{m})
		test := seconds(exampleBegins.Add(time.Hour), 120, 9)
		flooded(test[60:])
		if len(judged(e, test)) == 0 {
			t.Errorf("%s: a flood like the one that was left out is usual to it", kind)
		}
	}
}

// Of very many seconds every n-th vector is taken, from all of them.
func TestVectorsAreBounded(t *testing.T) {
	t.Parallel()
	windows := seconds(exampleBegins, 2*vectorsMax+500, 1)
	windows = append(windows[:1000], windows[1100:]...) // and a gap
	for _, c := range []struct {
		windows []breakwater.Window
		want    int
	}{{nil, 0}, {windows[:59], 0}, {windows[:60], 1}, {windows[:1000], 941}, {windows[:1100], 941 + 41}, {windows, (941+2)/3 + (2*vectorsMax+500-1100-59+2)/3}} {
		all := vectors(ml.Minute, c.windows)
		if len(all) != c.want || len(all) > vectorsMax {
			t.Errorf("%d vectors of %d windows, want %d", len(all), len(c.windows), c.want)
		}
		for _, v := range all {
			if slices.ContainsFunc(v, math.IsNaN) {
				t.Fatalf("a vector reaches over the gap: %v", v)
			}
		}
	}
	if whole := vectors(ml.Minute, windows[1000:1060]); !slices.Equal(whole[0], ml.Minute.Vectors(ml.Rows(windows[1000:1060]))[0]) {
		t.Error("a vector is another than ml makes")
	}
}

func TestTrainNeedsEnough(t *testing.T) {
	t.Parallel()
	whole := seconds(exampleBegins, 2500, 1)
	var pieces []breakwater.Window
	for i := range whole {
		if i%40 != 0 {
			pieces = append(pieces, whole[i])
		}
	}
	for _, c := range []struct {
		name string
		l    Learning
		kind ml.Kind
		says string
	}{
		{"nothing", Learning{}, ml.Autoencoder, "0 seconds of traffic to learn from are too few: at least 1800 are needed"},
		{"little", Learning{Windows: whole[:1799]}, ml.IsolationForest, "1799 seconds of traffic"},
		{"attacks", Learning{Windows: whole[:2000], Attacks: []breakwater.Span{{From: whole[0].Time, To: whole[499].Time}}}, ml.Autoencoder, "1500 seconds of traffic to learn from are too few: at least 1800 are needed, four hours and more are better; 500 more lie within alerts"},
		{"pieces", Learning{Windows: pieces}, ml.Autoencoder, "lie in pieces too short"},
		{"kind", Learning{Windows: whole}, ml.PCA, `models of kind "pca" are not trained here`},
	} {
		_, _, err := c.l.Train(context.Background(), c.kind)
		if breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one that says %q", c.name, err, c.says)
		}
	}
	if _, _, err := (&Learning{Windows: pieces}).Train(context.Background(), ml.IsolationForest); err != nil {
		t.Errorf("a forest learns from single seconds: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := (&Learning{Windows: whole}).Train(ctx, ml.Autoencoder); err != context.Canceled {
		t.Errorf("interrupted: %v", err)
	}
}

// A second in which models say nothing costs no allocation.
func TestModelsAllocateNothing(t *testing.T) {
	e := New("north", nil, NewBaseline())
	e.SetModels([]*ml.Model{bothModels()[ml.Autoencoder], bothModels()[ml.IsolationForest]})
	windows := seconds(exampleBegins, 200, 2)
	i := 0
	if n := testing.AllocsPerRun(150, func() {
		e.Window(&windows[i])
		i++
	}); n != 0 {
		t.Errorf("%v allocations a second", n)
	}
}
