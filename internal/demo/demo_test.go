package demo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"breakwater"

	"breakwater/internal/detect"
	"breakwater/internal/fl"
	"breakwater/internal/pipeline"
	"breakwater/internal/plant"
	"breakwater/internal/predict"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
	"breakwater/internal/window"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// stage is a runner with the whole way of the data behind it.
type stage struct {
	*Runner
	flow   *pipeline.Server
	rounds *fl.Coordinator

	mu   sync.Mutex
	told []breakwater.DemoRun
}

// open makes a stage over a database; change may alter the runner before it runs.
func open(t *testing.T, url string, change func(*stage)) *stage {
	t.Helper()
	db, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	rules, err := detect.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{}
	s.flow = &pipeline.Server{Store: db, Rules: rules, Context: window.NewMemory(), Publish: func(*breakwater.Alert, bool) {},
		Outlook: &pipeline.Outlook{Predictor: predict.Builtin, Publish: func(store.PredictionEvent) {}}}
	s.Runner = &Runner{Store: db, Play: s.flow.Run, Forget: s.flow.Forget, Owner: "test", Log: slog.New(slog.DiscardHandler), Publish: func(run breakwater.DemoRun) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, run)
	}}
	rounds := &fl.Coordinator{Store: db, Settings: fl.Usual(), Facilities: true, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	rounds.Settings.MinClients = 1
	s.rounds = rounds
	s.Train = func(ctx context.Context, facilities []string) (*breakwater.Round, error) {
		return rounds.Trigger(ctx, facilities...)
	}
	if change != nil {
		change(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	if err := s.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- s.Run(ctx) }()
	go func() { ended <- rounds.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		db.Close()
	})
	return s
}

// until waits for something that will happen.
func (s *stage) until(t *testing.T, happened func() bool) {
	t.Helper()
	for began := time.Now(); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 4*time.Minute {
			t.Fatal("it did not happen within four minutes")
		}
	}
}

// start begins a run as fast as it goes.
func (s *stage) start(t *testing.T, scenario, facility string) breakwater.DemoRun {
	t.Helper()
	run, err := s.Start(t.Context(), Request{Scenario: scenario, Facility: facility, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// ended waits for a run to end, and gives it.
func (s *stage) ended(t *testing.T, id breakwater.ID) (run breakwater.DemoRun) {
	t.Helper()
	s.until(t, func() (ended bool) {
		var err error
		if run, err = s.Store.Demo(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return run.Status != breakwater.DemoRunning
	})
	return run
}

// outcome is what is the same each time: all but ids and wall times.
func outcome(run breakwater.DemoRun) string {
	var b strings.Builder
	fmt.Fprintln(&b, run.Scenario, run.Status, run.Message)
	for _, c := range run.Expected {
		after := "-"
		if c.After != nil {
			after = fmt.Sprint(*c.After)
		}
		fmt.Fprintln(&b, c.Found, after, c.What, "|", c.Detail)
	}
	return b.String()
}

// same is the outcome of what must be the same each time: of a round, which finds other figures each time, what was found
// at all.
func same(run breakwater.DemoRun) string {
	if run.Scenario == FLRound {
		for i := range run.Expected {
			run.Expected[i].Detail = ""
		}
	}
	return outcome(run)
}

// All three scenarios at once, again and again: the same outcome each time. Over HTTP they are played ten times in a row, in
// cmd/breakwater.
func TestScenarios(t *testing.T) {
	t.Parallel()
	const repetitions = 2
	s := open(t, storetest.URL(t), nil)
	first := map[string]string{}
	for range repetitions {
		runs := map[string]breakwater.ID{}
		for _, scenario := range Names {
			runs[scenario] = s.start(t, scenario, "").ID
		}
		for scenario, id := range runs {
			run := s.ended(t, id)
			if run.Status != breakwater.DemoCompleted || run.Progress != 100 || run.EndedAt == nil {
				t.Fatalf("%s", outcome(run))
			}
			if first[scenario] == "" {
				first[scenario] = same(run)
				t.Log(outcome(run))
			}
			if diff := cmp.Diff(first[scenario], same(run)); diff != "" {
				t.Fatalf("%s (-first time +now):\n%s", scenario, diff)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := map[breakwater.ID]int{}
	for _, run := range s.told {
		if run.Version != versions[run.ID]+1 {
			t.Errorf("%s was told at version %d after %d", run.Scenario, run.Version, versions[run.ID])
		}
		versions[run.ID] = run.Version
	}
	if len(versions) != 3*repetitions {
		t.Errorf("%d runs were told of", len(versions))
	}
}

// The alerts come from packets, and by no other way: where what sensors send is cut, there are none.
func TestNothingButPacketsMakesAlerts(t *testing.T) {
	t.Parallel()
	sent := 0
	flow := open(t, storetest.URL(t), func(s *stage) {
		s.Play = func(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (pipeline.Stats, error) {
			sensor := pipeline.Sensor{FacilityID: facility, Rules: s.flow.Rules, Baseline: detect.NewBaseline(), Learn: learn, Send: func(_ context.Context, b breakwater.Batch) error {
				sent += len(b.Detections)
				return nil
			}}
			return sensor.Run(ctx, packets)
		}
	})
	run := flow.ended(t, flow.start(t, MultiStage, "").ID)
	if run.Status != breakwater.DemoFailed || run.Message != "8 expectations not met" {
		t.Errorf("%s", outcome(run))
	}
	page, err := flow.Store.Alerts(t.Context(), store.AlertQuery{Page: 1, Limit: 1})
	if err != nil || page.Total != 0 || sent == 0 {
		t.Errorf("%d alerts (%v), where the sensor had %d detections to send", page.Total, err, sent)
	}
	predictions, err := flow.Store.Predictions(t.Context(), store.PredictionFilter{Page: 1, Limit: 1})
	if err != nil || predictions.Total != 0 {
		t.Errorf("%d predictions (%v)", predictions.Total, err)
	}
}

// What is refused, and why.
func TestStartRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.URL(t), nil)
	slow, err := s.Start(t.Context(), Request{Scenario: MultiStage}) // at the data's pace: it goes on for as long as this test
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    Request
		kind breakwater.ErrorKind
		want string
	}{
		"the same":               {Request{Scenario: MultiStage, Fast: true}, breakwater.Conflict, "multi-stage is being played"},
		"the same elsewhere":     {Request{Scenario: MultiStage, Facility: "demo-lakeview"}, breakwater.Conflict, "multi-stage is being played"},
		"another there":          {Request{Scenario: PortScan, Facility: "demo-riverside"}, breakwater.Conflict, "at facility demo-riverside"},
		"no scenario":            {Request{Scenario: "flood"}, breakwater.NotFound, "there are port-scan, fl-round and multi-stage"},
		"no facility":            {Request{Scenario: PortScan, Facility: "north"}, breakwater.Invalid, "demo-northgate"},
		"the seed's facility":    {Request{Scenario: PortScan, Facility: "sample-milltown"}, breakwater.Invalid, "none of the demo's"},
		"the seed's scenario":    {Request{Scenario: "seed"}, breakwater.NotFound, "no scenario seed"},
		"no facility of a round": {Request{Scenario: FLRound, Facility: "north"}, breakwater.Invalid, "none of the demo's"},
	} {
		if _, err := s.Start(t.Context(), c.q); breakwater.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Reset(t.Context()); breakwater.KindOf(err) != breakwater.Conflict || !strings.Contains(err.Error(), "reset when it has ended") {
		t.Errorf("reset of what is played: %v", err)
	}
	other := s.ended(t, s.start(t, PortScan, "demo-lakeview").ID)
	if other.Status != breakwater.DemoCompleted || other.Facilities[0] != "demo-lakeview" {
		t.Errorf("another scenario beside it: %s", outcome(other))
	}
	if run, err := s.Store.Demo(t.Context(), slow.ID); err != nil || run.Status != breakwater.DemoRunning {
		t.Errorf("the slow one: %+v, %v", run, err)
	}
}

// A round of the demo that has to wait says for what, and goes on when that is over; where it could not go on, or nobody
// knows when, it does not begin.
func TestRoundWaits(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.URL(t), nil)
	report := breakwater.RoundReport{Number: 3, Phase: breakwater.Training, Progress: 40}
	if _, _, err := s.Store.ReportRound(t.Context(), 3, report, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	fast := Request{Scenario: FLRound, Fast: true}
	if _, err := s.Start(t.Context(), fast); breakwater.KindOf(err) != breakwater.Conflict || !strings.Contains(fmt.Sprint(err), "round 3 of another engine has not ended") {
		t.Errorf("beside another engine's round: %v", err)
	}
	if _, _, err := s.Store.EndRound(t.Context(), 3, breakwater.RoundCompleted, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.MinClients = 6
	if _, err := s.Start(t.Context(), fast); breakwater.KindOf(err) != breakwater.Conflict || !strings.Contains(fmt.Sprint(err), "FL_MIN_CLIENTS") {
		t.Errorf("where a round needs six clients: %v", err)
	}
	s.MinClients = 5
	first, err := s.Train(t.Context(), []string{"nobody-yet"})
	if err != nil {
		t.Fatal(err)
	}
	run := s.start(t, FLRound, "")
	s.until(t, func() bool {
		now, err := s.Store.Demo(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if now.Status != breakwater.DemoRunning {
			t.Fatalf("it did not wait: %s", outcome(now))
		}
		return strings.HasPrefix(now.Stage, "round 5 waits for its turn: round 4 waits for clients, until ")
	})
	// Somebody comes who has nothing to train on: that round fails, and the demo's has its turn.
	if err := s.rounds.Join(fl.Client{ID: "nobody-yet", FacilityID: "nobody-yet", Data: func(context.Context) (fl.Data, error) { return fl.Data{}, nil }}); err != nil {
		t.Fatal(err)
	}
	if run := s.ended(t, run.ID); run.Status != breakwater.DemoCompleted {
		t.Errorf("%s", outcome(run))
	}
	if r, err := s.Store.Round(t.Context(), first.ID); err != nil || r.Status != breakwater.RoundFailed {
		t.Errorf("%+v, %v", r, err)
	}
}

// A server that ends before it has begun ends without an error.
func TestEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.URL(t), nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Runner{Store: s.Store, Publish: s.Publish}).Begin(ended); err != nil {
		t.Error(err)
	}
}

// A server that is stopped in the middle says so, one that was killed says so after its restart, and both are reset.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	var stopped breakwater.DemoRun
	t.Run("stopped", func(t *testing.T) {
		s := open(t, url, nil)
		var err error
		if stopped, err = s.Start(t.Context(), Request{Scenario: PortScan}); err != nil {
			t.Fatal(err)
		}
		s.until(t, func() bool { // the attack has begun
			run, err := s.Store.Demo(t.Context(), stopped.ID)
			if err != nil {
				t.Fatal(err)
			}
			return run.Expected[0].Found
		})
	})
	killed := breakwater.DemoRun{ID: breakwater.NewID(time.Now(), "killed"), Scenario: MultiStage, Facilities: []string{"demo-riverside"}, Status: breakwater.DemoRunning,
		Stage: "the intruder writes to PLC-1", Expected: []breakwater.DemoCheck{}, StartedAt: time.Now().UTC()}
	s := open(t, url, func(s *stage) {
		if err := s.Store.BeginDemo(t.Context(), killed, s.Owner, true, time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	runs, err := s.Status(t.Context())
	if err != nil || len(runs) != 2 {
		t.Fatalf("%+v, %v", runs, err)
	}
	for i, want := range []string{"the server that played it went away at: the intruder writes to PLC-1", "the server was stopped"} {
		if runs[i].Status != breakwater.DemoInterrupted || runs[i].Message != want || runs[i].EndedAt == nil {
			t.Errorf("%s", outcome(runs[i]))
		}
	}
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs, err := s.Status(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("after the reset: %+v, %v", runs, err)
	}
	if run := s.ended(t, s.start(t, PortScan, "").ID); run.Status != breakwater.DemoCompleted {
		t.Errorf("after the reset: %s", outcome(run))
	}
}

// contents is what the store shows of all facilities but some: what is there for good.
func contents(t *testing.T, s *store.Store) (alerts []breakwater.Alert, predictions []breakwater.Prediction, facilities []breakwater.Facility) {
	t.Helper()
	page, err := s.Alerts(t.Context(), store.AlertQuery{Page: 1, Limit: store.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Alerts {
		a, err := s.Alert(t.Context(), page.Alerts[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, *a)
	}
	foreseen, err := s.Predictions(t.Context(), store.PredictionFilter{Page: 1, Limit: store.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	known, err := s.Facilities(t.Context(), 1, store.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	return alerts, foreseen.Predictions, known.Facilities
}

// A reset removes what demos made and nothing else.
func TestReset(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.URL(t), nil)
	foreign := plant.Options{Duration: 6 * time.Minute, Attacks: []plant.Attack{{Kind: plant.PortScan, At: 340 * time.Second}}}
	if _, err := s.Play(t.Context(), "demo-of-my-own", learned, plant.Packets(foreign)); err != nil {
		t.Fatal(err)
	}
	mine, err := s.Train(t.Context(), []string{"demo-of-my-own"})
	if err != nil {
		t.Fatal(err)
	}
	s.until(t, func() bool {
		if mine, err = s.Store.Round(t.Context(), mine.ID); err != nil {
			t.Fatal(err)
		}
		return mine.Status == breakwater.RoundCompleted
	})
	alerts, predictions, known := contents(t, s.Store)
	if len(alerts) == 0 || len(predictions) == 0 || len(known) != 1 {
		t.Fatalf("%d alerts, %d predictions, %d facilities", len(alerts), len(predictions), len(known))
	}
	for range 2 {
		for _, scenario := range Names {
			if run := s.ended(t, s.start(t, scenario, "").ID); run.Status != breakwater.DemoCompleted {
				t.Fatalf("%s", outcome(run))
			}
		}
		if err := s.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, p, f := contents(t, s.Store)
		if diff := cmp.Diff([]any{alerts, predictions, known}, []any{a, p, f}, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Fatalf("(-before the demo +after its reset):\n%s", diff)
		}
		rounds, err := s.Store.Rounds(t.Context(), 1, 10)
		if err != nil || rounds.Total != 1 {
			t.Errorf("%d rounds (%v), one of which was another's", rounds.Total, err)
		}
		models, err := s.Store.Models(t.Context(), store.ModelFilter{Limit: 10})
		if err != nil || models.Total != 1 {
			t.Errorf("%d models (%v)", models.Total, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.told[len(s.told)-1]; last.Scenario != "reset" || last.Status != breakwater.DemoCompleted || len(last.Facilities) != 5 {
		t.Errorf("the world was told %+v", last)
	}
}

// Plants that simply run do so by themselves, make room for a scenario and for a reset, and come back.
func TestAlways(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.URL(t), nil)
	plants, stop := context.WithCancel(t.Context())
	var stopped sync.WaitGroup
	stopped.Go(func() { s.Plants(plants) })
	defer func() { stop(); stopped.Wait() }()
	running := func() bool {
		for _, id := range facilities() {
			_, _, err := s.Store.Baseline(t.Context(), id)
			if err != nil && breakwater.KindOf(err) != breakwater.NotFound {
				t.Fatal(err)
			}
			if err != nil || s.Player(id) != "normal operation" {
				return false
			}
		}
		return true
	}
	s.until(t, running)
	if run := s.ended(t, s.start(t, PortScan, "").ID); run.Status != breakwater.DemoCompleted {
		t.Errorf("%s", outcome(run))
	}
	s.until(t, running)
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.until(t, running)
	alerts, _, known := contents(t, s.Store)
	if len(alerts) != 0 || len(known) != 5 {
		t.Errorf("normal operation: %d alerts at %d facilities", len(alerts), len(known))
	}
}

// What operators and programs do in half an hour of normal operation raises no detection, at any plant, once five minutes
// were learned.
func TestNormalOperationIsSilent(t *testing.T) {
	t.Parallel()
	if storetest.OnPostgres() {
		t.Skip("it needs no database")
	}
	rules, err := detect.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat([]plant.Facility{{}}, plant.Demo, plant.Sample) {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				sensor := pipeline.Sensor{FacilityID: "plant", Rules: rules, Baseline: detect.NewBaseline(), Learn: learned, Send: func(_ context.Context, b breakwater.Batch) error {
					for _, d := range b.Detections {
						t.Errorf("seed %d, after %s: %s: %s", seed, d.Time.Sub(plant.DefaultStart), d.Model, d.Evidence)
					}
					return nil
				}}
				if _, err := sensor.Run(t.Context(), plant.Packets(plant.Options{Facility: f.ID, Seed: f.Seed + 1000*seed, Duration: 35 * time.Minute})); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What lies in the past comes at once, all else at its time, and the end of the context ends it.
func TestPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var at []string
		for p := range paced(ctx, func(yield func(breakwater.Packet, error) bool) {
			for _, s := range []int{-60, -1, 0, 2, 2, 4, 9} {
				if !yield(breakwater.Packet{Time: began.Add(time.Duration(s) * time.Second)}, nil) {
					return
				}
			}
		}) {
			at = append(at, fmt.Sprint(p.Time.Sub(began), " at ", time.Since(began)))
		}
		if diff := cmp.Diff([]string{"-1m0s at 0s", "-1s at 0s", "0s at 0s", "2s at 2s", "2s at 2s", "4s at 4s"}, at); diff != "" || time.Since(began) != 5*time.Second {
			t.Errorf("ended after %s (-want +got):\n%s", time.Since(began), diff)
		}
	})
}

// The sample data is the same whether it was put in once, twice, later the same day, or in two halves on two days.
func TestSeed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	whole := open(t, storetest.URL(t), nil)
	began := time.Now()
	var once sync.Once
	play := whole.Play
	whole.Play = func(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (pipeline.Stats, error) {
		once.Do(func() { // the server's Run begins after the seeding
			if err := whole.interrupt(ctx, whole.Owner); err != nil {
				t.Error(err)
			}
		})
		return play(ctx, facility, learn, packets)
	}
	if done, err := whole.Seed(t.Context(), now, nil); err != nil || !done {
		t.Fatal(done, err)
	}
	t.Logf("it took %s", time.Since(began).Round(100*time.Millisecond)) // beside all that tests do meanwhile
	alerts, predictions, known := contents(t, whole.Store)
	statuses, outcomes := map[breakwater.Status]int{}, map[breakwater.PredictionStatus]int{}
	for i := range alerts {
		statuses[alerts[i].Status]++
	}
	for i := range predictions {
		outcomes[predictions[i].Status]++
	}
	if len(alerts) < 18 || len(alerts) > 24 || len(statuses) != 4 || len(known) != 3 || outcomes[breakwater.PredictionValidated] == 0 || outcomes[breakwater.PredictionExpired] == 0 {
		t.Errorf("%d alerts %v, %d predictions %v at %d facilities", len(alerts), statuses, len(predictions), outcomes, len(known))
	}
	history, err := whole.Store.RoundHistory(t.Context(), 10)
	if err != nil || len(history) != seedRounds || history[0].Status != breakwater.RoundCompleted || history[0].TotalClients != 3 {
		t.Errorf("%+v, %v", history, err)
	}
	same := func(what string, s *store.Store) {
		t.Helper()
		a, p, f := contents(t, s)
		for i := range f { // when a facility was heard of is no part of it
			f[i].Sensor = nil
		}
		if diff := cmp.Diff([]any{alerts, predictions, known}, []any{a, p, f}, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (-once +so):\n%s", what, diff)
		}
		if n, err := s.RoundsAmong(t.Context(), sampleIDs()); err != nil || n != seedRounds {
			t.Errorf("%s: %d rounds, %v", what, n, err)
		}
	}
	for _, later := range []time.Duration{0, time.Hour, 50 * time.Hour} {
		if done, err := whole.Seed(t.Context(), now.Add(later), nil); err != nil || done {
			t.Errorf("again %s later: done %v, %v", later, done, err)
		}
	}
	same("twice", whole.Store)

	if underRace {
		return // once is enough
	}
	broken := errors.New("the disk is full")
	halves := open(t, storetest.URL(t), nil)
	n := 0
	play = halves.Play
	halves.Play = func(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (pipeline.Stats, error) {
		if n++; n > 9 {
			return pipeline.Stats{}, broken
		}
		return play(ctx, facility, learn, packets)
	}
	if done, err := halves.Seed(t.Context(), now, nil); done || !errors.Is(err, broken) {
		t.Fatalf("done %v, %v", done, err)
	}
	halves.Play = play
	if done, err := halves.Seed(t.Context(), now.Add(50*time.Hour), nil); err != nil || !done {
		t.Fatal(done, err)
	}
	same("in two halves", halves.Store)
	if runs, err := halves.Status(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("the seeding counts as a scenario: %+v, %v", runs, err)
	}
	if err := halves.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	same("after a reset of the demo", halves.Store)
}

// TestOnPostgres runs all of this again there.
func TestOnPostgres(t *testing.T) { storetest.Again(t) }
