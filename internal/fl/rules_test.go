package fl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/fl/privacy"
	"breakwater/internal/ml"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// Rounds wait for their turn, at most ten, and run in order; another engine's goes before those that have not begun.
func TestQueue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, storetest.URL(t))
	c := coordinator(t, s, 2)
	if _, _, err := s.ReportRound(ctx, 40, breakwater.RoundReport{Number: 4, Phase: breakwater.Training}, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for range store.RoundsWaiting {
		r, err := c.Trigger(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	if _, err := c.Trigger(ctx); breakwater.KindOf(err) != breakwater.Conflict {
		t.Errorf("one more than may wait: %v", err)
	}
	if r, err := s.CurrentRound(ctx); err != nil || r.ID != 40 {
		t.Errorf("current is %+v, %v", r, err)
	}
	for what, try := range map[string]func() error{
		"progress": func() error {
			_, _, err := s.ReportRound(ctx, ids[0], breakwater.RoundReport{Number: 5, Phase: breakwater.Training}, nil, time.Now())
			return err
		},
		"an end": func() error {
			_, _, err := s.EndRound(ctx, ids[0], breakwater.RoundCompleted, "", time.Now())
			return err
		},
		"another's next": func() error {
			_, _, err := s.ReportRound(ctx, 99, breakwater.RoundReport{Number: 99, Phase: breakwater.Training}, nil, time.Now())
			return err
		},
	} {
		if err := try(); breakwater.KindOf(err) != breakwater.Conflict {
			t.Errorf("%s reported by another engine: %v", what, err)
		}
	}
	running(t, c)
	time.Sleep(50 * time.Millisecond) // it might begin by mistake; where it does not, this proves little and harms nothing
	if r, err := s.Round(ctx, ids[0]); err != nil || r.Progress != 0 || len(r.Clients) != 0 {
		t.Errorf("began beside another engine's: %+v, %v", r, err)
	}
	if _, _, err := s.EndRound(ctx, 40, breakwater.RoundCompleted, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	var last time.Time
	for i, id := range ids {
		r := ended(t, s, id)
		if r.Status != breakwater.RoundCompleted || r.Number != int64(5+i) || r.StartTime.Before(last) {
			t.Errorf("round %d: %+v; the one before ended at %s", id, r, last)
		}
		last = *r.EndTime
	}
}

// What a round lacks is said: clients, updates, an evaluation, a better model, ε.
func TestFailures(t *testing.T) {
	t.Parallel()
	broken := func(id string) Client {
		return Client{ID: id, FacilityID: id, Data: func(context.Context) (Data, error) { return Data{}, errors.New("no data today") }}
	}
	stuck := func(id string) Client {
		return Client{ID: id, FacilityID: id, Data: func(ctx context.Context) (Data, error) { <-ctx.Done(); return Data{}, ctx.Err() }}
	}
	for name, test := range map[string]struct {
		change  func(*Coordinator)
		clients []Client
		reason  string
		phase   breakwater.Phase
	}{
		"nobody":                 {nil, nil, "0 of the 2 clients that it needs were there within 1s", breakwater.Distributing},
		"too few":                {nil, []Client{plain("a", 1)}, "1 of the 2 clients", breakwater.Distributing},
		"too few succeed":        {nil, []Client{plain("a", 1), broken("b")}, "1 of 2 clients sent an update within 5s; 2 are needed", breakwater.Training},
		"too few in time":        {nil, []Client{plain("a", 1), stuck("b")}, "1 of 2 clients sent an update within 5s; 2 are needed", breakwater.Training},
		"worse":                  {func(c *Coordinator) { c.Settings.Noise, c.Settings.Clip = 100, 100 }, []Client{plain("a", 1), plain("b", 2)}, "the new parameters are worse", breakwater.Aggregating},
		"over the budget":        {func(c *Coordinator) { c.Settings.Noise, c.Settings.Budget = 1, 4 }, []Client{plain("a", 1), plain("b", 2)}, "it would bring ε to 4.73, over the budget of 4", breakwater.Aggregating},
		"too little data":        {nil, []Client{plain("a", 1), {ID: "b", FacilityID: "b", Data: func(context.Context) (Data, error) { return Data{Rows: rows(100, 1)}, nil }}}, "1 of 2 clients sent an update", breakwater.Training},
		"one, and one is enough": {func(c *Coordinator) { c.Settings.MinClients, c.Settings.Deadline = 1, time.Minute }, []Client{plain("a", 1)}, "", breakwater.Complete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, storetest.URL(t))
			c := coordinator(t, s, 0)
			c.Settings.Deadline = 5 * time.Second // some must come in time, on a busy machine too
			if len(test.clients) < 2 {
				c.Settings.Deadline = time.Second
			}
			if test.change != nil {
				test.change(c)
			}
			for _, one := range test.clients {
				if err := c.Join(one); err != nil {
					t.Fatal(err)
				}
			}
			r, err := c.Trigger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			running(t, c)
			r = ended(t, s, r.ID)
			if !strings.Contains(r.Reason, test.reason) || r.Phase != test.phase || (test.reason == "") != (r.Status == breakwater.RoundCompleted) {
				t.Errorf("%+v", r)
			}
			for _, f := range r.Clients {
				if f.ID == "b" && test.phase == breakwater.Training && f.Status == breakwater.ClientActive {
					t.Errorf("who did not come is %+v", f)
				}
			}
			if global, err := s.NewestGlobal(t.Context(), ""); err != nil || global != nil && (global.State == store.ModelPublished) != (test.reason == "") {
				t.Errorf("%+v, %v", global, err)
			}
		})
	}
	c := coordinator(t, open(t, storetest.URL(t)), 0)
	if _, err := c.Trigger(t.Context(), "No!"); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("a facility that cannot be: %v", err)
	}
	c.Settings.Strategy = "krum"
	if _, err := c.Trigger(t.Context()); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("a strategy that is none: %v", err)
	}
	for _, bad := range []Client{{ID: "No!", FacilityID: "a"}, {ID: "a", FacilityID: "No!"}} {
		if err := c.Join(bad); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// A client that is late is left behind, and the round goes on with those that came.
func TestStraggler(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.URL(t))
	c := coordinator(t, s, 2)
	c.Settings.Deadline = 5 * time.Second
	if err := c.Join(Client{ID: "slow", FacilityID: "slow", Data: func(ctx context.Context) (Data, error) { <-ctx.Done(); return Data{}, ctx.Err() }}); err != nil {
		t.Fatal(err)
	}
	r, err := c.Trigger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	running(t, c)
	if r = ended(t, s, r.ID); r.Status != breakwater.RoundCompleted || r.ClientsActive != 2 || r.TotalClients != 3 {
		t.Errorf("%+v", r)
	}
	if f, err := s.Client(t.Context(), "slow"); err != nil || f.Status != breakwater.ClientDelayed {
		t.Errorf("%+v, %v", f, err)
	}
}

// Rounds among some facilities have parameters of their own, and only their clients take part.
func TestScope(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, storetest.URL(t))
	c := coordinator(t, s, 4)
	running(t, c)
	run := func(facilities ...string) *breakwater.Round {
		r, err := c.Trigger(ctx, facilities...)
		if err != nil {
			t.Fatal(err)
		}
		return ended(t, s, r.ID)
	}
	all, some, again := run(), run("plant-2", "plant-1"), run("plant-1", "plant-2")
	if all.TotalClients != 4 || some.TotalClients != 2 || again.TotalClients != 2 {
		t.Errorf("%d, %d and %d clients", all.TotalClients, some.TotalClients, again.TotalClients)
	}
	for _, want := range []struct {
		round      *breakwater.Round
		scope      string
		base, made int64
	}{{all, "", 1, 2}, {some, "plant-1,plant-2", 3, 4}, {again, "plant-1,plant-2", 4, 5}} {
		if got, err := s.RunOf(ctx, want.round.ID); err != nil || got.Scope != want.scope || got.Base != want.base || got.Candidate != want.made {
			t.Errorf("round %d: %+v, %v", want.round.ID, got, err)
		}
	}
	for facility, want := range map[string]int64{"plant-1": 5, "plant-3": 2, "plant": 2, "plant-2": 5} {
		if got, err := s.PublishedFor(ctx, facility); err != nil || got.Version != want {
			t.Errorf("%s detects with version %d, want %d; %v", facility, got.Version, want, err)
		}
	}
}

// With noise, each client's change is clipped and weighs the same, and ε is that of all rounds together.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, storetest.URL(t))
	c := coordinator(t, s, 0)
	c.Settings.Noise, c.Settings.Clip, c.Settings.MinClients = 0.5, 0.25, 2
	c.Noise = privacy.NewSeededNoise(7)
	for i, size := range []int{200, 4000} { // one has twenty times the data of the other
		id := fmt.Sprintf("plant-%d", i+1)
		if err := c.Join(Client{ID: id, FacilityID: id, Data: func(context.Context) (Data, error) { return Data{Rows: rows(size, uint64(i))}, nil }}); err != nil {
			t.Fatal(err)
		}
	}
	running(t, c)
	for n := 1; n <= 3; n++ {
		r, err := c.Trigger(ctx)
		if err != nil {
			t.Fatal(err)
		}
		r = ended(t, s, r.ID)
		var want privacy.Accountant
		if err := want.Add(privacy.Mechanism{Sampling: privacy.FixedSize, Rate: 1, Multiplier: 0.5}, n); err != nil {
			t.Fatal(err)
		}
		epsilon, _ := want.Epsilon(1e-5)
		if r.Epsilon == nil || *r.Epsilon != epsilon || *r.Delta != 1e-5 {
			t.Errorf("round %d: ε %v, want %v", n, r.Epsilon, epsilon)
		}
		for _, f := range r.Clients {
			if f.Loss != nil {
				t.Errorf("client %s told its loss", f.ID)
			}
		}
	}
	metrics, err := s.PrivacyMetrics(ctx)
	if err != nil || metrics.Epsilon == nil || metrics.BudgetRemaining != nil || *metrics.Encryption != "updates stay in this process" {
		t.Errorf("%+v, %v", metrics, err)
	}

	// The sum, by hand: (clipped a + clipped b + noise) / members.
	r := &round{Coordinator: c, run: &store.Run{Members: make([]store.Member, 4)}, plan: Plan{Settings: Settings{Noise: 2, Clip: 1}}}
	c.Noise = privacy.NewSeededNoise(3)
	got, err := r.private([]store.Update{{ClientID: "a", Examples: 1, Change: []float32{3, 4}}, {ClientID: "b", Examples: 1000, Change: []float32{0.5, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]float32, 2)
	privacy.NewSeededNoise(3).Add(noise, 2*2*1)
	for i, sum := range []float64{0.6 + 0.5, 0.8} {
		if want := (sum + float64(noise[i])) / 4; math.Abs(float64(got[i])-want) > 1e-5 {
			t.Errorf("value %d is %v, want %v", i, got[i], want)
		}
	}
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	updates := []store.Update{{Examples: 1, Change: []float32{4, 0}}, {Examples: 3, Change: []float32{0, 8}}}
	for name, s := range strategies {
		if diff := cmp.Diff([]float32{1, 6}, s.Aggregate(updates)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	// FedProx holds a client's training nearer to where it began.
	moved := func(s Strategy) (sum float64) {
		c := plain("a", 1)
		n, err := ml.NewNetwork(4, small.Hidden, 1)
		if err != nil {
			t.Fatal(err)
		}
		plan := Lessons
		plan.Settings, plan.Shape, plan.Proximal, plan.Epochs = Usual(), small, s.Proximal(), 40
		result, err := c.train(t.Context(), plan, 1, n.Params(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range result.change {
			sum += float64(v) * float64(v)
		}
		return sum
	}
	if free, held := moved(FedAvg{}), moved(FedProx{Mu: 1}); held > free/2 {
		t.Errorf("moved by %v, held by µ = 1 by %v", free, held)
	}
}

func TestWorse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		all   []Evaluation
		worse bool
	}{
		{"better", []Evaluation{{LossBefore: 1, Loss: 0.5}}, false},
		{"the same", []Evaluation{{LossBefore: 1, Loss: 1}}, false},
		{"a little more, as data is finite", []Evaluation{{LossBefore: 1, Loss: 1.01}}, false},
		{"more", []Evaluation{{LossBefore: 1, Loss: 1.05}}, true},
		{"one client's much, of many", []Evaluation{{LossBefore: 100, Loss: 120}, {LossBefore: 1, Loss: 0.5}}, false},
		{"more, but attacks are found", []Evaluation{{LossBefore: 1, Loss: 1.1, Attacks: 10, AttacksFoundBefore: 2, AttacksFound: 6}}, false},
		{"much more, though attacks are found", []Evaluation{{LossBefore: 1, Loss: 1.5, Attacks: 10, AttacksFoundBefore: 2, AttacksFound: 10}}, true},
		{"less, but attacks are missed", []Evaluation{{LossBefore: 1, Loss: 0.9, Attacks: 10, AttacksFoundBefore: 6, AttacksFound: 2}}, true},
		{"nothing was lost", []Evaluation{{}}, false},
	} {
		if why := worse(test.all); (why != "") != test.worse || len(why) > 200 {
			t.Errorf("%s: %q", test.name, why)
		}
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	c := ml.Context{Blocks: 2, Stride: 2, Summary: ml.Last}
	nan := math.NaN()
	d := Data{}
	for i := range 16 {
		d.Rows = append(d.Rows, []float64{float64(i)})
	}
	d.Rows[15][0] = nan
	d.Marks = make([]Mark, 10) // shorter: the rest is normal
	d.Marks[5], d.Marks[9] = Attack, Doubted
	usual, attacks := d.Vectors(c)
	// Row 3 and 4 end usual contexts; 5 and 6 have the attack in their newest block, 7 and 8 behind it; 9 to 12 hold what is
	// doubted.
	if diff := cmp.Diff([][]float64{{1, 3}, {2, 4}, {11, 13}, {12, 14}}, usual[:4]); diff != "" || len(usual) != 5 {
		t.Errorf("usual: %v", usual)
	}
	if diff := cmp.Diff([][]float64{{3, 5}, {4, 6}}, attacks); diff != "" {
		t.Errorf("attacks: %v", attacks)
	}
}

// Windows become rows with marks at their own seconds, over gaps too.
func TestMarked(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var windows []breakwater.Window
	for _, second := range []int{0, 1, 4, 5} {
		windows = append(windows, breakwater.Window{Time: began.Add(time.Duration(second) * time.Second), PacketsPerSec: float64(second)})
	}
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	d := Marked(windows, []breakwater.Span{{From: at(1500), To: at(4000)}}, []time.Time{at(5999), at(2500), at(9000)})
	if diff := cmp.Diff([]Mark{Normal, Doubted, Normal, Normal, Doubted, Attack}, d.Marks); diff != "" || len(d.Rows) != 6 {
		t.Errorf("%d rows, %v", len(d.Rows), d.Marks)
	}
}

func TestWire(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 3932} {
		params := make([]float32, n)
		for i := range params {
			params[i] = float32(random.NormFloat64())
		}
		got, err := Decode(Encode(params))
		if err != nil || !slices.Equal(params, got) {
			t.Errorf("%d: %v", n, err)
		}
	}
	good := Encode([]float32{1, 2, 3})
	spoil := func(change func([]byte) []byte) []byte { return change(bytes.Clone(good)) }
	for name, message := range map[string][]byte{
		"nothing": nil, "another thing": []byte("PK\x03\x04 and some more of it"), "another version": spoil(func(b []byte) []byte { b[7] = 2; return b }),
		"short": good[:len(good)-1], "long": append(bytes.Clone(good), 0), "a huge number": spoil(func(b []byte) []byte { b[11] = 0xff; return b }),
		"damage": spoil(func(b []byte) []byte { b[20] ^= 1; return b }), "NaN": Encode([]float32{float32(math.NaN())}), "infinite": Encode([]float32{float32(math.Inf(1))}),
	} {
		if _, err := Decode(message); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode([]float32{1, 2, 3}))
	f.Add([]byte("BWPARAM\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, message []byte) {
		params, err := Decode(message)
		if err == nil && !bytes.Equal(Encode(params), message) {
			t.Error("what was read is not what is written")
		}
	})
}

// What a sensor saw is there again after a restart, without what a crash cut short, and is forgotten after its time.
func TestRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	second := func(i int) breakwater.Window {
		return breakwater.Window{FacilityID: "a", Time: began.Add(time.Duration(i) * time.Second), PacketsPerSec: float64(i), UniqueSrcIPs: 3, InterArrivalMS: 0.5}
	}
	r, err := OpenRows(dir)
	if err != nil {
		t.Fatal(err)
	}
	put := func(b breakwater.Batch) {
		t.Helper()
		if err := r.Put(b); err != nil {
			t.Fatal(err)
		}
	}
	found := func(i int, s breakwater.Severity, model string) breakwater.Detection {
		return breakwater.Detection{FacilityID: "a", Time: began.Add(time.Duration(i)*time.Second + time.Millisecond), Severity: s, Model: model}
	}
	put(breakwater.Batch{Windows: []breakwater.Window{second(0), second(1), second(2)}})
	put(breakwater.Batch{Detections: []breakwater.Detection{found(3, breakwater.High, "port-scan"), found(4, breakwater.Medium, "new-device"), found(5, breakwater.High, "autoencoder"), found(6, breakwater.Critical, "flood")}})
	for i := 3; i < 8; i++ {
		put(breakwater.Batch{Windows: []breakwater.Window{second(i)}})
	}
	put(breakwater.Batch{Windows: []breakwater.Window{second(7)}}) // again
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, newerRows)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[100] ^= 1 // in the second's record
	if err := os.WriteFile(path, append(text, 1, 2, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err = OpenRows(dir); err != nil || r.Len() != 7 {
		t.Fatalf("%d windows, %v", r.Len(), err)
	}
	put(breakwater.Batch{Windows: []breakwater.Window{second(8)}})
	d, err := r.Data([]breakwater.Span{{From: began.Add(6 * time.Second), To: began.Add(7 * time.Second)}})
	if err != nil || len(d.Rows) != 9 || !math.IsNaN(d.Rows[1][0]) || d.Rows[8][0] != 8 || d.Rows[8][2] != 3 || d.Rows[8][7] != 0.5 {
		t.Fatalf("%v, %v", d.Rows, err)
	}
	if diff := cmp.Diff([]Mark{0, 0, 0, Attack, Doubted, 0, 0, 0, 0}, d.Marks); diff != "" {
		t.Error(diff)
	}
	// A day and a half later the first day is gone.
	for i := 100_000; i < 100_000+halfRows+10; i++ {
		put(breakwater.Batch{Windows: []breakwater.Window{second(i)}})
	}
	if d, err = r.Data(nil); err != nil || len(d.Rows) != halfRows+1 && len(d.Rows) != halfRows+10 || d.Rows[len(d.Rows)-1][0] != 100_000+halfRows+9 {
		t.Errorf("%d rows, %v", len(d.Rows), err)
	}
	size := int64(0)
	for _, name := range []string{newerRows, olderRows} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 2*halfRows*recordSize {
		t.Errorf("%d bytes", size)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRows(filepath.Join(dir, "none")); breakwater.KindOf(err) != breakwater.Unavailable {
		t.Errorf("no folder: %v", err)
	}

	// A turn of the files that failed half way is done by the next one.
	if err := r.turn(); err != nil {
		t.Errorf("after a turn that closed and did not rename: %v", err)
	}
	if err := errors.Join(r.file.Close(), os.Rename(filepath.Join(dir, newerRows), filepath.Join(dir, olderRows))); err != nil {
		t.Fatal(err)
	}
	if err := r.turn(); err != nil {
		t.Errorf("after a turn that renamed and did not open: %v", err)
	}
	put(breakwater.Batch{Windows: []breakwater.Window{second(9000)}})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEvaluationCheck(t *testing.T) {
	t.Parallel()
	good := Evaluation{HeldOut: 10, LossBefore: 1, Loss: 0.5, FalseAlarms: 1, Injected: 10, InjectedFound: 6, Attacks: 2, AttacksFound: 1}
	if err := good.Check(); err != nil || math.Abs(good.Accuracy()-0.75) > 1e-12 {
		t.Errorf("%v, accuracy %v", err, good.Accuracy())
	}
	for name, spoil := range map[string]func(*Evaluation){
		"nothing held out": func(e *Evaluation) { e.HeldOut = 0 }, "NaN": func(e *Evaluation) { e.Loss = math.NaN() }, "infinite": func(e *Evaluation) { e.LossBefore = math.Inf(1) },
		"negative": func(e *Evaluation) { e.FalseAlarms = -1 }, "more found than there are": func(e *Evaluation) { e.AttacksFound = 3 },
		"nothing injected": func(e *Evaluation) { e.Injected, e.InjectedFound = 0, 0 }, "too many": func(e *Evaluation) { e.Attacks = 1 << 40 },
	} {
		e := good
		spoil(&e)
		if breakwater.KindOf(e.Check()) != breakwater.Invalid {
			t.Errorf("%s: %v", name, e.Check())
		}
	}
}

// What remains is measured: by all clients' epochs together, or by the slowest of those elsewhere, and never past the deadline.
func TestExpected(t *testing.T) {
	t.Parallel()
	client := func(id string, epoch int) breakwater.FLClient {
		return breakwater.FLClient{ID: id, Epoch: epoch, Epochs: 10}
	}
	r := &round{run: &store.Run{Members: make([]store.Member, 2), Deadline: time.Now().Add(time.Hour)}, plan: Plan{Settings: Settings{Epochs: 10}}, clients: map[string]Client{"here": {}}}
	for name, test := range map[string]struct {
		clients []breakwater.FLClient
		within  time.Duration
		took    time.Duration
		left    time.Duration // -1: unknown
	}{
		"nothing done":          {[]breakwater.FLClient{client("here", 0), client("there", 0)}, time.Hour, time.Minute, -1},
		"half of all":           {[]breakwater.FLClient{client("here", 10), client("also", 0)}, time.Hour, time.Minute, time.Minute},
		"the slowest elsewhere": {[]breakwater.FLClient{client("here", 10), client("there", 2)}, time.Hour, time.Minute, 4 * time.Minute},
		"past the deadline":     {[]breakwater.FLClient{client("here", 10), client("there", 2)}, 90 * time.Second, time.Minute, 90 * time.Second},
		"all done":              {[]breakwater.FLClient{client("here", 10), client("there", 10)}, time.Hour, time.Minute, 0},
	} {
		r.run.Deadline = time.Now().Add(test.within)
		got := r.expected(&breakwater.Round{Clients: test.clients}, time.Now().Add(-test.took))
		if (got == nil) != (test.left < 0) || got != nil && (time.Until(*got) < test.left-2*time.Second || time.Until(*got) > test.left+2*time.Second) {
			t.Errorf("%s: %v, want in %s", name, got, test.left)
		}
	}
}
