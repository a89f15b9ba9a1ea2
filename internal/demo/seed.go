package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"breakwater"
	"breakwater/internal/plant"
	"breakwater/internal/store"
)

const (
	// seedScenario is the name by which the seed data is kept among the runs.
	seedScenario = "seed"
	// seedRounds is how many rounds the plants of the seed data train together.
	seedRounds = 3
	// seedLead is how much normal operation lies before the attacks of a session: the context of the first alert.
	seedLead = 65 * time.Second
)

// session is a stretch of a plant's life that the seed data holds: normal operation, and attacks in it.
type session struct {
	plant  int           // of plant.Sample
	before time.Duration // how long before the day of the seeding it begins
	lasts  time.Duration
	learn  time.Duration  // at its beginning
	steps  []plant.Attack // after seedLead
}

// sessions are two weeks at three plants, in order of time.
func sessions() []session {
	const day, hour = 24 * time.Hour, time.Hour
	at := func(kind plant.AttackKind, s int) plant.Attack {
		return plant.Attack{Kind: kind, At: time.Duration(s) * time.Second}
	}
	all := []session{}
	for i := range plant.Sample {
		all = append(all, session{plant: i, before: 14*day - time.Duration(i)*hour, lasts: history, learn: learned})
	}
	for _, s := range []session{
		{plant: 0, before: 13*day - 9*hour, lasts: 12 * time.Second, steps: []plant.Attack{at(plant.PortScan, 1)}},
		{plant: 1, before: 12*day - 14*hour, lasts: 15 * time.Second, steps: []plant.Attack{at(plant.UnauthorisedWrite, 1)}},
		{plant: 2, before: 10*day - 3*hour, lasts: 15 * time.Second, steps: []plant.Attack{at(plant.FunctionScan, 1)}},
		{plant: 0, before: 9*day - 22*hour, lasts: 15 * time.Second, steps: []plant.Attack{at(plant.FunctionScan, 1)}},
		{plant: 1, before: 4*day - 7*hour, lasts: 90 * time.Second, steps: []plant.Attack{at(plant.PortScan, 1), at(plant.UnauthorisedWrite, 20), at(plant.ManipulateControl, 50)}},
		{plant: 2, before: 3*day - 11*hour, lasts: 30 * time.Second, steps: []plant.Attack{at(plant.PortScan, 1), at(plant.UnauthorisedWrite, 15)}},
		{plant: 0, before: 2*day - 16*hour, lasts: 30 * time.Second, steps: []plant.Attack{at(plant.PortScan, 1), at(plant.FunctionScan, 15)}},
		{plant: 1, before: 1*day - 5*hour, lasts: 12 * time.Second, steps: []plant.Attack{at(plant.PortScan, 1)}},
		{plant: 2, before: 6 * hour, lasts: 50 * time.Second, steps: []plant.Attack{at(plant.ManipulateControl, 1)}},
		{plant: 0, before: 2 * hour, lasts: 90 * time.Second, steps: []plant.Attack{at(plant.PortScan, 1), at(plant.UnauthorisedWrite, 20), at(plant.ManipulateControl, 50)}},
	} {
		s.lasts += seedLead
		all = append(all, s)
	}
	for i := range plant.Sample { // what they train together on, beside what lies within a day before it
		all = append(all, session{plant: i, before: hour, lasts: 6 * time.Minute})
	}
	return all
}

// Seed puts sample data in: two weeks at three plants, whose packets go the way of the data at times past; what people did
// with the alerts of it; and rounds in which the plants train together. progress is told how far it is, 0 to 100; nil:
// nobody is.
//
// It is put in once: where it is, nothing happens, and done is false. What an earlier call could not end goes on with the
// same times, which hang on the day of the first call, so that nothing is there twice. The error is of kind Conflict
// where another process is at it.
func (r *Runner) Seed(ctx context.Context, now time.Time, progress func(stage string, percent float64)) (done bool, err error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	anchor := now.UTC().Truncate(24 * time.Hour)
	owner := r.Owner + " " + seedScenario // Run, which may begin now, too, notes as interrupted what is the owner's
	if err := r.interrupt(ctx, owner); err != nil {
		return false, err
	}
	earlier, err := r.Store.Demos(ctx)
	if err != nil {
		return false, err
	}
	for _, run := range earlier {
		if run.Scenario != seedScenario {
			continue
		}
		if run.Status == breakwater.DemoCompleted {
			return false, nil
		}
		anchor = run.StartedAt
	}
	run := breakwater.DemoRun{ID: breakwater.NewID(now, seedScenario, fmt.Sprint(now.UnixNano())), Scenario: seedScenario, Facilities: sampleIDs(), Status: breakwater.DemoRunning,
		Stage: "begins", Expected: []breakwater.DemoCheck{}, StartedAt: anchor}
	if err := r.Store.BeginDemo(ctx, run, owner, false, time.Now()); err != nil {
		return false, err
	}
	run.Version = 1
	tell := func(stage string, percent float64) error {
		progress(stage, percent)
		run.Stage, run.Progress = stage, percent
		run, err = r.Store.SaveDemo(ctx, run, time.Now())
		return err
	}
	if err = r.seed(ctx, anchor, tell); err == nil {
		run.Status = breakwater.DemoCompleted
		err = tell("the sample data is there", 100)
	}
	if err != nil {
		ended := time.Now().UTC()
		run.Status, run.EndedAt, run.Message = breakwater.DemoInterrupted, &ended, err.Error()
		if _, late := r.Store.SaveDemo(context.WithoutCancel(ctx), run, ended); late != nil {
			r.Log.Warn("the end of the seeding was not saved", "err", late)
		}
		return false, err
	}
	return true, nil
}

func (r *Runner) seed(ctx context.Context, anchor time.Time, tell func(string, float64) error) error {
	all := sessions()
	for i, s := range all {
		f := plant.Sample[s.plant]
		if err := tell(fmt.Sprintf("plays %s, %s ago", f.Name, s.before), 80*float64(i)/float64(len(all))); err != nil {
			return err
		}
		o := plant.Options{Facility: f.ID, Seed: f.Seed + 1000*uint64(i), Start: anchor.Add(-s.before), Duration: s.lasts}
		for _, a := range s.steps {
			o.Attacks = append(o.Attacks, plant.Attack{Kind: a.Kind, At: seedLead + a.At})
		}
		if s.learn > 0 { // an earlier call may have come that far: what is normal is learned once
			if _, _, err := r.Store.Baseline(ctx, f.ID); err == nil {
				s.learn = 0
			} else if breakwater.KindOf(err) != breakwater.NotFound {
				return err
			}
		}
		if _, err := r.Play(ctx, f.ID, s.learn, plant.Packets(o)); err != nil {
			return err
		}
	}
	if err := r.triage(ctx); err != nil {
		return err
	}
	for {
		n, err := r.Store.RoundsAmong(ctx, sampleIDs())
		if err != nil || n >= seedRounds {
			return err
		}
		if err := r.seedRound(ctx, n, tell); err != nil {
			return err
		}
	}
}

// seedRound lets the sample plants train together once.
func (r *Runner) seedRound(ctx context.Context, n int, tell func(string, float64) error) error {
	round, err := r.Train(ctx, sampleIDs())
	if err != nil {
		return err
	}
	for looked := time.Now(); round.Status == breakwater.RoundInProgress; {
		if time.Since(looked) >= lookEvery || round.Version <= 1 {
			looked = time.Now()
			if err := tell(fmt.Sprintf("round %d of %d: %s", n+1, seedRounds, round.Phase), 80+20*(float64(n)+round.Progress/100)/seedRounds); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(roundEvery):
		}
		if round, err = r.Store.Round(ctx, round.ID); err != nil {
			return err
		}
	}
	return nil
}

// triage does with the alerts what people would: in turn they close one, find one false, take one up, and leave some.
// What somebody has touched already is left alone.
func (r *Runner) triage(ctx context.Context) error {
	page, err := r.Store.Alerts(ctx, store.AlertQuery{AlertFilter: store.AlertFilter{Facilities: sampleIDs()}, Sort: store.OldestFirst, Page: 1, Limit: store.MaxPage})
	if err != nil {
		return err
	}
	grace, ada := "grace", "ada"
	people := []store.AlertChange{
		{By: grace, Status: breakwater.StatusResolved, Note: "Laptop of the network contractor, who had not announced himself; cut off and reported.", Assignee: &grace},
		{By: ada, Status: breakwater.StatusFalsePositive, Note: "Yearly test of the security team, agreed on with operations."},
		{By: grace, Status: breakwater.StatusAcknowledged, Assignee: &grace, Comment: "Switch port found: cabinet 3, port 14. Somebody is on the way."},
		{}, // not looked at yet
		{By: ada, Status: breakwater.StatusResolved, Note: "Setpoints restored from the archived project; the host is off the network.", Assignee: &ada},
		{By: ada, Status: breakwater.StatusAcknowledged, Assignee: &ada},
		{},
	}
	for i, a := range page.Alerts {
		c := people[i%len(people)]
		if i >= len(page.Alerts)-3 { // the newest are as they came
			c = store.AlertChange{}
		}
		if c.By == "" || a.Status != breakwater.StatusNew || a.Assignee != "" {
			continue
		}
		c.At = a.LastSeen.Add(time.Duration(7+3*(i%5)) * time.Minute)
		if _, _, err := r.Store.ChangeAlert(ctx, a.ID, c); err != nil {
			return err
		}
	}
	return nil
}

// sampleIDs are the ids of the plants of the seed data.
func sampleIDs() []string {
	ids := make([]string, len(plant.Sample))
	for i := range plant.Sample {
		ids[i] = plant.Sample[i].ID
	}
	slices.Sort(ids)
	return ids
}
