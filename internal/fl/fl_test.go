package fl

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/ml"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
)

// TestOnPostgres is all of these tests again, on the other engine.
func TestOnPostgres(t *testing.T) { storetest.Again(t) }

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// small is a network that trains in no time: single rows of four values.
var small = Shape{Names: []string{"a", "b", "c", "d"}, Context: ml.Context{Blocks: 1, Stride: 1, Summary: ml.Last}, Hidden: []int{6, 2, 6}}

// rows are points of a plane in four dimensions, with noise.
func rows(count int, seed uint64) [][]float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	all := make([][]float64, count)
	for i := range all {
		u, v := random.NormFloat64(), random.NormFloat64()
		noise := func() float64 { return 0.1 * random.NormFloat64() }
		all[i] = []float64{100 + 10*u + noise(), 5*v + noise(), u + v + noise(), u - v + noise()}
	}
	return all
}

// plain is a client with rows of its own.
func plain(id string, seed uint64) Client {
	return Client{ID: id, FacilityID: id, Data: func(context.Context) (Data, error) { return Data{Rows: rows(300, seed)}, nil }}
}

func coordinator(t testing.TB, s *store.Store, clients int) *Coordinator {
	t.Helper()
	c := &Coordinator{Store: s, Settings: Usual(), Shape: small, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	c.Settings.Epochs = 3
	for i := range clients {
		if err := c.Join(plain(fmt.Sprintf("plant-%d", i+1), uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// running runs a coordinator until the test, or what is given back, ends it.
func running(t testing.TB, c *Coordinator) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// ended waits for a round's end.
func ended(t testing.TB, s *store.Store, id int64) *breakwater.Round {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		r, err := s.Round(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != breakwater.RoundInProgress {
			return r
		}
	}
	t.Fatal("the round does not end")
	return nil
}

// A round from its beginning to its end: what is shown, told and published.
func TestRound(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.URL(t))
	c := coordinator(t, s, 3)
	var mu sync.Mutex
	var told []breakwater.Round
	epochs := map[string][]int{}
	var installed []Release
	c.Publish = func(r *breakwater.Round) { mu.Lock(); told = append(told, *r); mu.Unlock() }
	c.PublishClient = func(f *breakwater.FLClient) {
		mu.Lock()
		epochs[f.ID] = append(epochs[f.ID], f.Epoch)
		mu.Unlock()
	}
	one := plain("plant-1", 0)
	one.Install = func(_ context.Context, r Release) error { installed = append(installed, r); return nil }
	if err := c.Join(one); err != nil {
		t.Fatal(err)
	}
	r, err := c.Trigger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != breakwater.RoundInProgress || r.Phase != breakwater.Distributing || r.Progress != 0 || r.Number != 1 {
		t.Errorf("triggered: %+v", r)
	}
	stop := running(t, c)
	r = ended(t, s, r.ID)
	stop()
	if r.Status != breakwater.RoundCompleted || r.Phase != breakwater.Complete || r.Progress != 100 || r.ClientsActive != 3 || r.TotalClients != 3 || r.Epsilon != nil {
		t.Errorf("%+v", r)
	}
	if r.Accuracy == nil || *r.Accuracy < 0.6 || *r.Accuracy > 1 {
		t.Errorf("accuracy %v", r.Accuracy)
	}
	// Down: what is trained from and what is evaluated; up: a change and a few figures.
	message := int64(len(Encode(make([]float32, 4*6+6+6*2+2+2*6+6+6*4+4))))
	if size := *r.DataSize; size < 9*message || size > 9*message+3*400 {
		t.Errorf("%d bytes for messages of %d", size, message)
	}
	if len(r.Clients) != 3 {
		t.Fatalf("%d clients", len(r.Clients))
	}
	for _, f := range r.Clients {
		if f.Epoch != 3 || f.Epochs != 3 || f.Progress != 100 || f.Loss == nil || f.Accuracy == nil || f.Status != breakwater.ClientActive {
			t.Errorf("client %+v", f)
		}
		if got := fmt.Sprint(epochs[f.ID][:3]); got != "[1 2 3]" {
			t.Errorf("client %s told of epochs %s", f.ID, got)
		}
	}
	phase, progress, version := breakwater.Distributing, 0.0, 0
	order := map[breakwater.Phase]int{breakwater.Distributing: 0, breakwater.Training: 1, breakwater.Aggregating: 2, breakwater.Complete: 3}
	for _, r := range told {
		if order[r.Phase] < order[phase] || r.Progress < progress || r.Version <= version {
			t.Errorf("told of %s at %v, version %d, after %s at %v, version %d", r.Phase, r.Progress, r.Version, phase, progress, version)
		}
		phase, progress, version = r.Phase, r.Progress, r.Version
	}
	global, err := s.NewestGlobal(t.Context(), "")
	if err != nil || global.State != store.ModelPublished || global.Version != 2 {
		t.Fatalf("%+v, %v", global, err)
	}
	if len(installed) != 1 || installed[0].Version != 2 || installed[0].Round != r.ID || math.IsNaN(installed[0].Model.Threshold) {
		t.Errorf("installed %+v", installed)
	}
	if left, err := s.Updates(t.Context(), r.ID); err != nil || len(left) != 0 {
		t.Errorf("%d updates are kept after the round, %v", len(left), err)
	}
}
