package demo

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/plant"

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
		return fmt.Sprintf("round %d: %s", round.Number, round.Phase), 20 + 0.8*round.Progress
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
