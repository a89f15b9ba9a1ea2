package demo

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/plant"
	"breakwater/internal/store"

	"golang.org/x/sync/errgroup"
)

// roundEvery is how often a round is looked at while it goes on.
const roundEvery = 100 * time.Millisecond

// round lets the five plants train together, on windows of their own that are made where there are too few.
func (r *Runner) round(ctx context.Context, t *teller) error {
	var stocked, id atomic.Int64
	state := func() (string, float64) {
		if id.Load() == 0 {
			return fmt.Sprintf("plays %s of normal operation at each facility", history), 4 * float64(stocked.Load())
		}
		round, err := r.Store.Round(ctx, id.Load())
		if err != nil {
			return "the round goes on", 20
		}
		stage, err := r.standing(ctx, round)
		if err != nil {
			stage = fmt.Sprintf("round %d goes on", round.Number)
		}
		return stage, 20 + 0.8*round.Progress
	}
	look := func(ctx context.Context) ([]breakwater.DemoCheck, error) {
		if id.Load() == 0 {
			return roundChecks(nil, nil), nil
		}
		return r.lookRound(ctx, id.Load())
	}
	stop := t.watch(ctx, look, state)
	defer stop()
	group, within := errgroup.WithContext(ctx)
	for i := range plant.Demo {
		group.Go(func() error {
			defer stocked.Add(1)
			return r.stock(within, plant.Demo[i])
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	round, err := r.Train(ctx, facilities())
	if err != nil {
		return err
	}
	id.Store(round.ID)
	tick := time.NewTicker(roundEvery)
	defer tick.Stop()
	for round.Status == breakwater.RoundInProgress {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if round, err = r.Store.Round(ctx, round.ID); err != nil {
			return err
		}
	}
	stop()
	if t.run.Expected, err = r.lookRound(ctx, round.ID); err == nil && round.Status == breakwater.RoundFailed {
		err = fmt.Errorf("round %d failed: %s", round.Number, round.Reason)
	}
	return err
}

// canTrain says why a round among the plants would not come to its turn, or could not go on. The error is of kind Conflict.
func (r *Runner) canTrain(ctx context.Context) error {
	if five := len(plant.Demo); r.MinClients > five {
		return &breakwater.Error{Kind: breakwater.Conflict, Message: fmt.Sprintf("a round needs %d clients (FL_MIN_CLIENTS), and the demo has %d plants: lower it to play fl-round", r.MinClients, five)}
	}
	current, run, err := r.turn(ctx)
	if err == nil && current != nil && run == nil { // only that engine knows when it ends, if ever
		err = &breakwater.Error{Kind: breakwater.Conflict,
			Message: fmt.Sprintf("round %d of another engine has not ended, and rounds run one at a time: play fl-round after it, or end it by POST /api/fl/rounds/%d/complete", current.Number, current.ID)}
	}
	return err
}

// turn is the round whose turn it is, nil where there is none, and what the coordinator knows of it, nil where it is another
// engine's.
func (r *Runner) turn(ctx context.Context) (*breakwater.Round, *store.Run, error) {
	current, err := r.Store.CurrentRound(ctx)
	if err != nil || current == nil || current.Status != breakwater.RoundInProgress {
		return nil, nil, err
	}
	run, err := r.Store.RunOf(ctx, current.ID)
	if breakwater.KindOf(err) == breakwater.NotFound {
		return current, nil, nil
	}
	return current, run, err
}

// standing says what a round does now, or what it waits for.
func (r *Runner) standing(ctx context.Context, round *breakwater.Round) (string, error) {
	current, run, err := r.turn(ctx)
	if err != nil {
		return "", err
	}
	stage := fmt.Sprintf("round %d: %s", round.Number, round.Phase)
	if current == nil { // it has ended
		return stage, nil
	}
	doing := fmt.Sprintf("%s, %.0f %%", current.Phase, current.Progress)
	switch {
	case run == nil:
		doing = "of another engine, has not ended"
	case run.Step == store.StepSelect:
		doing = "waits for clients, until " + run.Deadline.Format("15:04:05") + " UTC at most"
	}
	switch {
	case current.ID != round.ID:
		stage = fmt.Sprintf("round %d waits for its turn: round %d %s", round.Number, current.Number, doing)
	case run != nil && run.Step == store.StepSelect:
		stage = fmt.Sprintf("round %d %s", round.Number, doing)
	}
	return stage, nil
}

// lookRound is what was found of a round so far.
func (r *Runner) lookRound(ctx context.Context, id int64) ([]breakwater.DemoCheck, error) {
	round, err := r.Store.Round(ctx, id)
	if err != nil {
		return nil, err
	}
	var shared []string
	for _, facility := range facilities() {
		models, err := r.Store.ActiveModels(ctx, facility)
		if err != nil {
			return nil, err
		}
		for _, m := range models {
			if m.Source == breakwater.Federated {
				shared = append(shared, facility)
				break
			}
		}
	}
	return roundChecks(round, shared), nil
}

// roundChecks holds what is expected of a round against it, nil where it has not begun, and against the facilities that
// detect with a shared model.
func roundChecks(round *breakwater.Round, shared []string) []breakwater.DemoCheck {
	five := len(plant.Demo)
	trained := breakwater.DemoCheck{What: fmt.Sprintf("%d facilities train on their own windows", five)}
	ended := breakwater.DemoCheck{What: "the round is completed"}
	detects := breakwater.DemoCheck{What: fmt.Sprintf("%d facilities detect with a shared model", five)}
	if round != nil {
		var names []string
		epochs := 0
		for _, c := range round.Clients {
			if c.Epochs > 0 && c.Epoch == c.Epochs {
				names, epochs = append(names, c.FacilityID), c.Epochs
			}
		}
		if trained.Found = len(names) == five; trained.Found {
			trained.Detail = fmt.Sprintf("%d epochs at %s", epochs, strings.Join(names, ", "))
		}
		if ended.Found = round.Status == breakwater.RoundCompleted; ended.Found {
			ended.Detail = fmt.Sprintf("round %d, with %d of %d", round.Number, round.ClientsActive, round.TotalClients)
			if round.Accuracy != nil {
				ended.Detail += fmt.Sprintf(", accuracy %.3f", *round.Accuracy)
			}
			if detects.Found = len(shared) == five; detects.Found {
				detects.Detail = strings.Join(shared, ", ")
			}
		}
	}
	return []breakwater.DemoCheck{trained, ended, detects}
}
