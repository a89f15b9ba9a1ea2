package demo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/pipeline"
	"breakwater/internal/plant"
	"breakwater/internal/store"
)

const (
	// history is how much normal operation lies before a scenario, of which learned is learned as normal; it is played as
	// fast as it goes.
	history = 7 * time.Minute
	learned = 5 * time.Minute
	// lookEvery is how often a run says how it stands, and silent after how long one that does not is taken for
	// interrupted.
	lookEvery = time.Second
	silent    = time.Minute
)

// Runner plays scenarios. Its fields are set before it is used.
type Runner struct {
	Store *store.Store
	// Play is the way of the data: pipeline.Server.Run.
	Play func(ctx context.Context, facility string, learn time.Duration, packets iter.Seq2[breakwater.Packet, error]) (pipeline.Stats, error)
	// Hold keeps other nodes from playing a facility: pipeline.Server.Hold; nil: there are none.
	Hold func(ctx context.Context, facility string, w store.Wish) (held context.Context, release func(), err error)
	// Forget drops what the way of the data keeps of a facility beside the store: pipeline.Server.Forget.
	Forget func(ctx context.Context, facility string) error
	// Train lets facilities train together: it begins a round among them and gives its id.
	Train      func(ctx context.Context, facilities []string) (*breakwater.Round, error)
	MinClients int // that a round needs
	// Publish tells the world how a run stands. It does not block.
	Publish func(breakwater.DemoRun)
	Owner   string // this server, by a name that it has after a restart, too
	Log     *slog.Logger

	mu       sync.Mutex
	ctx      context.Context // of Begin; nil: it has not begun, or is over
	group    sync.WaitGroup  // runs under way
	posts    map[string]*post
	removing bool
}

// post is the place from which a facility is played: by one at a time.
type post struct {
	taken  chan struct{} // holds one while somebody plays
	leave  func()        // asks the plant that simply runs to make room; nil: none runs
	player atomic.Pointer[string]
}

// Request asks for a run.
type Request struct {
	Scenario string
	Facility string // one of the demo's; "": the scenario's own. A federated round is among all
	Fast     bool   // as fast as it goes, and not at the data's pace
}

// Begin notes which runs its predecessor could not end. From then on Start may be called, until ctx ends.
func (r *Runner) Begin(ctx context.Context) error {
	if err := r.interrupt(ctx, r.Owner); err != nil && ctx.Err() == nil { // else the server ends before it has begun
		return err
	}
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	return nil
}

// Run waits until the ctx of Begin ends, and for the runs under way.
func (r *Runner) Run(ctx context.Context) error {
	<-ctx.Done()
	r.mu.Lock()
	r.ctx = nil
	r.mu.Unlock()
	r.group.Wait()
	return nil
}

// Plants lets the five plants simply run, until ctx ends: on one node.
func (r *Runner) Plants(ctx context.Context) {
	var plants sync.WaitGroup
	for i := range plant.Demo {
		plants.Go(func() { r.simplyRun(ctx, plant.Demo[i]) })
	}
	plants.Wait()
}

// interrupt notes runs that nobody plays any more: those of owner, and those of which nothing was heard for long.
func (r *Runner) interrupt(ctx context.Context, owner string) error {
	now := time.Now().UTC()
	gone, err := r.Store.InterruptDemos(ctx, owner, now.Add(-silent), now)
	for _, run := range gone {
		r.Publish(run)
	}
	return err
}

// Start begins a run and gives it. Errors are of kind NotFound where there is no such scenario, Invalid where there is no
// such facility, Conflict where the scenario or its facility is being played, or a round could not go on, and Unavailable
// where the server ends.
func (r *Runner) Start(ctx context.Context, q Request) (breakwater.DemoRun, error) {
	var none breakwater.DemoRun
	if !slices.Contains(Names, q.Scenario) {
		return none, &breakwater.Error{Kind: breakwater.NotFound, Field: "scenario", Message: "there is no scenario " + q.Scenario + ": there are port-scan, fl-round and multi-stage"}
	}
	run := breakwater.DemoRun{Scenario: q.Scenario, Status: breakwater.DemoRunning, Stage: "begins", StartedAt: time.Now().UTC().Truncate(time.Millisecond)}
	a, one := intrusions[q.Scenario]
	if one {
		run.Facilities = []string{a.facility}
		for _, e := range a.expects {
			run.Expected = append(run.Expected, breakwater.DemoCheck{What: e.what})
		}
	} else {
		run.Facilities, run.Expected = facilities(), roundChecks(nil, nil)
		if err := r.canTrain(ctx); err != nil {
			return none, err
		}
	}
	if q.Facility != "" {
		if !slices.Contains(facilities(), q.Facility) {
			return none, &breakwater.Error{Kind: breakwater.Invalid, Field: "facility_id", Message: fmt.Sprintf("facility %q is none of the demo's: these are %s", q.Facility, strings.Join(facilities(), ", "))}
		}
		if one {
			run.Facilities = []string{q.Facility}
		}
	}
	run.ID = breakwater.NewID(run.StartedAt, "demo", run.Scenario, fmt.Sprint(time.Now().UnixNano()))
	if err := r.interrupt(ctx, ""); err != nil {
		return none, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ctx == nil:
		return none, &breakwater.Error{Kind: breakwater.Unavailable, Message: "the server is ending: try again in a moment"}
	case r.removing:
		return none, &breakwater.Error{Kind: breakwater.Conflict, Message: "the demo is being reset: try again in a moment"}
	}
	if err := r.Store.BeginDemo(ctx, run, r.Owner, one, time.Now()); err != nil {
		return none, err
	}
	run.Version = 1
	r.Publish(run)
	under := r.ctx
	r.group.Go(func() { r.play(under, run, a, q.Fast) })
	return run, nil
}

// play plays a run to its end, whatever that is.
func (r *Runner) play(ctx context.Context, run breakwater.DemoRun, a intrusion, fast bool) {
	t := &teller{Runner: r, run: run}
	var err error
	if len(a.steps) > 0 {
		err = r.attack(ctx, t, a, fast)
	} else {
		err = r.round(ctx, t)
	}
	if ctx.Err() != nil { // the server ends: the next start notes it, where it cannot be noted now
		err = errors.New("the server was stopped")
	}
	t.end(context.WithoutCancel(ctx), err)
}

// attack plays normal operation, then the intruder, at one plant.
func (r *Runner) attack(ctx context.Context, t *teller, a intrusion, fast bool) error {
	facility := t.run.Facilities[0]
	leave, err := r.take(ctx, facility, t.run.Scenario)
	if err != nil {
		return err
	}
	defer leave()
	if err := r.Store.ForgetAttacks(ctx, facility); err != nil {
		return err
	}
	if err := r.Forget(ctx, facility); err != nil {
		return err
	}
	f, _ := plant.Find(facility)
	begins := time.Now().UTC().Truncate(time.Second) // data time at which history ends
	if fast {
		begins = begins.Add(-a.lasts)
	}
	o := plant.Options{Facility: facility, Seed: f.Seed, Start: begins.Add(-history), Duration: history + a.lasts}
	for _, s := range a.steps {
		o.Attacks = append(o.Attacks, plant.Attack{Kind: s.Kind, At: history + s.At})
	}
	look := func(ctx context.Context) ([]breakwater.DemoCheck, error) { return r.look(ctx, a, facility, begins) }
	var now atomic.Int64 // data time that was reached, ns after the plant's start
	stop := t.watch(ctx, look, func() (string, float64) {
		at := time.Duration(now.Load())
		if at < history {
			return fmt.Sprintf("plays %s of normal operation", history), 20 * float64(at) / float64(history)
		}
		stage := "normal operation"
		for _, s := range a.steps {
			if at-history >= s.At {
				stage = stages[s.Kind]
			}
		}
		return stage, 20 + 80*float64(at-history)/float64(a.lasts)
	})
	packets := counted(plant.Packets(o), o.Start, &now)
	if !fast {
		packets = paced(ctx, packets)
	}
	_, err = r.Play(ctx, facility, learned, packets)
	stop()
	if err != nil {
		return err
	}
	if err := r.Store.RemoveWindows(ctx, facility, o.Start); err != nil { // of earlier runs
		return err
	}
	t.run.Expected, err = look(ctx)
	return err
}

// stages say what an intruder does.
var stages = map[plant.AttackKind]string{
	plant.PortScan: "the intruder searches the network", plant.UnauthorisedWrite: "the intruder writes to PLC-1",
	plant.FunctionScan: "the intruder tries the PLC's functions", plant.ManipulateControl: "the intruder drives pump and valve",
}

// look is what was found so far of what an attack was expected to bring about.
func (r *Runner) look(ctx context.Context, a intrusion, facility string, began time.Time) ([]breakwater.DemoCheck, error) {
	f := found{began: began}
	alerts, err := r.Store.Alerts(ctx, store.AlertQuery{AlertFilter: store.AlertFilter{Facilities: []string{facility}, From: began}, Sort: store.OldestFirst, Page: 1, Limit: store.MaxPage})
	if err != nil {
		return nil, err
	}
	f.alerts = alerts.Alerts
	predictions, err := r.Store.Predictions(ctx, store.PredictionFilter{Facilities: []string{facility}, Page: 1, Limit: store.MaxPage})
	if err != nil {
		return nil, err
	}
	f.predictions = predictions.Predictions
	slices.Reverse(f.predictions)
	checks := make([]breakwater.DemoCheck, len(a.expects))
	for i, e := range a.expects {
		checks[i] = e.check(f)
	}
	return checks, nil
}

// Status is the newest run of each scenario.
func (r *Runner) Status(ctx context.Context) ([]breakwater.DemoRun, error) {
	if err := r.interrupt(ctx, ""); err != nil {
		return nil, err
	}
	runs, err := r.Store.Demos(ctx)
	return slices.DeleteFunc(runs, func(run breakwater.DemoRun) bool { return run.Scenario == seedScenario }), err
}

// Player is what plays a facility now: a scenario, "normal operation", or "" where nothing does.
func (r *Runner) Player(facility string) string {
	if p := r.post(facility).player.Load(); p != nil {
		return *p
	}
	return ""
}

// Reset removes the demo's facilities with all that scenarios, and the plants that simply run, have made of them, and the
// runs themselves. The plants go on after it. The error is of kind Conflict where a scenario runs.
func (r *Runner) Reset(ctx context.Context) error {
	if err := r.interrupt(ctx, ""); err != nil {
		return err
	}
	r.mu.Lock()
	if r.removing {
		r.mu.Unlock()
		return &breakwater.Error{Kind: breakwater.Conflict, Message: "the demo is being reset already"}
	}
	r.removing = true // no run begins here from now on
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.removing = false
		r.mu.Unlock()
	}()
	if err := r.Store.RemoveDemos(ctx, seedScenario); err != nil {
		return err
	}
	for _, id := range facilities() {
		leave, err := r.take(ctx, id, "reset")
		if err != nil {
			return err
		}
		defer leave()
	}
	if err := r.Store.RemoveFacilities(ctx, facilities()); err != nil {
		return err
	}
	for _, id := range facilities() {
		if err := r.Forget(ctx, id); err != nil {
			return err
		}
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	r.Publish(breakwater.DemoRun{ID: breakwater.NewID(now, "demo", "reset"), Scenario: "reset", Facilities: facilities(), Status: breakwater.DemoCompleted,
		Stage: "all that demos made was removed", Progress: 100, Expected: []breakwater.DemoCheck{}, StartedAt: now, EndedAt: &now, Version: 1})
	return nil
}

// facilities are the ids of the demo's plants.
func facilities() []string {
	ids := make([]string, len(plant.Demo))
	for i := range plant.Demo {
		ids[i] = plant.Demo[i].ID
	}
	return ids
}
