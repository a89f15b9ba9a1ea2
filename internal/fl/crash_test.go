package fl

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// A round whose coordinator dies at any point, again and again, ends as an undisturbed one: with the same parameters, to the
// last bit, so that no update was counted twice or lost; and with one cost in privacy, where there is noise.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	// Where a coordinator dies: when the nth time something is told or asked of it, by what is told or asked.
	type point struct {
		what string
		nth  int
	}
	run := func(t *testing.T, noise float64, at point) (*breakwater.Round, *store.GlobalModel, []store.PrivacyCost) {
		s := open(t, storetest.URL(t))
		life := func(at point) *breakwater.Round {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var mu sync.Mutex
			seen := map[string]int{}
			meet := func(what string) {
				mu.Lock()
				defer mu.Unlock()
				if seen[what]++; what == at.what && seen[what] == at.nth {
					cancel()
				}
			}
			c := coordinator(t, s, 0)
			c.Settings.Noise = noise
			c.Publish = func(r *breakwater.Round) { meet("round") }
			c.PublishClient = func(f *breakwater.FLClient) { meet("client") }
			for i := range 3 {
				one := plain(fmt.Sprintf("plant-%d", i+1), uint64(i))
				data := one.Data
				one.Data = func(ctx context.Context) (Data, error) { meet("data"); return data(ctx) }
				one.Install = func(context.Context, Release) error { meet("install"); return ctx.Err() }
				if err := c.Join(one); err != nil {
					t.Fatal(err)
				}
			}
			if r, err := s.CurrentRound(t.Context()); err != nil {
				t.Fatal(err)
			} else if r == nil {
				if _, err := c.Trigger(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			over := make(chan error)
			go func() { over <- c.Run(ctx) }()
			defer func() {
				if err := <-over; err != nil {
					t.Error(err)
				}
			}()
			for until := time.Now().Add(30 * time.Second); time.Now().Before(until) && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
				r, err := s.Round(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				if r.Status != breakwater.RoundInProgress {
					if at.nth > 0 { // what is told last is told after it was saved
						select {
						case <-ctx.Done():
						case <-time.After(10 * time.Second):
							t.Errorf("the round ended without passing %s %d", at.what, at.nth)
						}
					}
					cancel()
					return r
				}
			}
			cancel()
			return nil
		}
		r := life(at)
		for lives := 0; r == nil; lives++ {
			if lives == 3 {
				t.Fatal("the round does not end")
			}
			r = life(point{})
		}
		global, err := s.NewestGlobal(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		costs, err := s.PrivacyCosts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r, global, costs
	}
	_, calm, _ := run(t, 0, point{})
	var points []point
	for n := 2; n <= 9; n++ { // 1 is the trigger's; each of the eight steps follows
		points = append(points, point{"round", n})
	}
	for _, n := range []int{1, 2, 4, 7, 9} { // epochs of clients, and what they found
		points = append(points, point{"client", n})
	}
	for n := 1; n <= 9; n += 2 { // training, evaluating, installing
		points = append(points, point{"data", n})
	}
	points = append(points, point{"install", 1}, point{"install", 3})
	for _, at := range points {
		t.Run(fmt.Sprintf("%s %d", at.what, at.nth), func(t *testing.T) {
			t.Parallel()
			r, global, _ := run(t, 0, at)
			if r.Status != breakwater.RoundCompleted || r.ClientsActive != 3 {
				t.Fatalf("%+v", r)
			}
			if diff := cmp.Diff(calm.Params, global.Params); diff != "" || global.Version != calm.Version {
				t.Errorf("version %d, undisturbed %d; parameters (-undisturbed +disturbed):\n%.300s", global.Version, calm.Version, diff)
			}
		})
	}
	for n := 2; n <= 8; n += 2 {
		t.Run(fmt.Sprintf("noise, round %d", n), func(t *testing.T) {
			t.Parallel()
			_, _, costs := run(t, 0.001, point{"round", n})
			if diff := cmp.Diff([]store.PrivacyCost{{Rate: 1, Multiplier: 0.001}}, costs); diff != "" {
				t.Errorf("costs (-want +got):\n%s", diff)
			}
		})
	}
}

// One update of a client counts, whoever sends it how often, and none once the round has closed.
func TestUpdatesCountOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, storetest.URL(t))
	c := coordinator(t, s, 0)
	c.Settings.MinClients = 1
	c.Settings.Deadline = 5 * time.Second
	poll := func(id string) Task {
		task, err := c.Poll(ctx, store.Member{ID: id, FacilityID: id, Examples: 10})
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	for _, id := range []string{"a", "b"} {
		if task := poll(id); task.Do != DoWait || task.Published != 0 {
			t.Errorf("without a round: %+v", task)
		}
	}
	r, err := c.Trigger(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, c)
	var task Task
	for until := time.Now().Add(10 * time.Second); task.Do != DoTrain && time.Now().Before(until); time.Sleep(time.Millisecond) {
		task = poll("a")
	}
	message, err := c.Parameters(ctx, task.Base)
	if err != nil {
		t.Fatal(err)
	}
	params, err := Decode(message)
	if err != nil {
		t.Fatal(err)
	}
	one, two := make([]float32, len(params)), make([]float32, len(params))
	one[0], two[0] = 1, 5
	for _, wrong := range []struct {
		name, client string
		round        int64
		examples     int64
		body         []byte
		kind         breakwater.ErrorKind
	}{
		{"another's round", "a", 99, 10, Encode(one), breakwater.NotFound},
		{"no member", "z", r.ID, 10, Encode(one), breakwater.NotFound},
		{"no examples", "a", r.ID, 0, Encode(one), breakwater.Invalid},
		{"too many examples", "a", r.ID, 1 << 40, Encode(one), breakwater.Invalid},
		{"short", "a", r.ID, 10, Encode(one[1:]), breakwater.Invalid},
		{"damaged", "a", r.ID, 10, append(Encode(one)[:len(Encode(one))-1], 1), breakwater.Invalid},
		{"early evaluation", "a", r.ID, 10, nil, breakwater.Conflict},
	} {
		if wrong.body == nil {
			err = c.TakeEvaluation(ctx, wrong.round, wrong.client, Evaluation{HeldOut: 1, Injected: 1})
		} else {
			err = c.TakeUpdate(ctx, wrong.round, wrong.client, wrong.examples, wrong.body)
		}
		if breakwater.KindOf(err) != wrong.kind {
			t.Errorf("%s: %v", wrong.name, err)
		}
	}
	for _, change := range [][]float32{one, two, two} {
		if err := c.TakeUpdate(ctx, r.ID, "a", 10, Encode(change)); err != nil {
			t.Fatal(err)
		}
	}
	if task := poll("a"); task.Do != DoWait {
		t.Errorf("after its update: %+v", task)
	}
	// b never comes: the round closes at its deadline with a alone.
	for until := time.Now().Add(10 * time.Second); task.Do != DoEvaluate && time.Now().Before(until); time.Sleep(time.Millisecond) {
		task = poll("a")
	}
	if err := c.TakeUpdate(ctx, r.ID, "b", 10, Encode(two)); breakwater.KindOf(err) != breakwater.Conflict {
		t.Errorf("after the round has closed: %v", err)
	}
	if b, err := s.Client(ctx, "b"); err != nil || b.Status != breakwater.ClientDelayed {
		t.Errorf("%+v, %v", b, err)
	}
	candidate, err := s.Global(ctx, task.Candidate)
	if err != nil || candidate.Params[0] != params[0]+1 {
		t.Errorf("%v: parameter %v, began with %v", err, candidate.Params[0], params[0])
	}
	if err := c.TakeEvaluation(ctx, r.ID, "a", Evaluation{HeldOut: 10, LossBefore: 1, Loss: 0.9, FalseAlarms: 1, Injected: 10, InjectedFound: 5}); err != nil {
		t.Fatal(err)
	}
	if r = ended(t, s, r.ID); r.Status != breakwater.RoundFailed && r.Status != breakwater.RoundCompleted {
		t.Errorf("%+v", r)
	}
	stop()
	if r.Status != breakwater.RoundCompleted || r.Accuracy == nil || *r.Accuracy != 0.7 || r.ClientsActive != 1 || r.TotalClients != 2 {
		t.Errorf("%+v, accuracy %v", r, r.Accuracy)
	}
	if task := poll("b"); task.Published != candidate.Version || task.From != r.ID || task.Shape == nil {
		t.Errorf("after the round: %+v", task)
	}
}
