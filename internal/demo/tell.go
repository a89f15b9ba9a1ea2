package demo

import (
	"context"
	"sync"
	"time"

	"breakwater"
)

// teller says how one run stands: to the store, and by it to whoever asks, and to the world.
type teller struct {
	*Runner
	run breakwater.DemoRun
}

// watch says again and again how the run stands, until stop is called, which waits for the last word. state is the
// stage and the progress, look what was found so far.
func (t *teller) watch(ctx context.Context, look func(context.Context) ([]breakwater.DemoCheck, error), state func() (string, float64)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			checks, err := look(ctx)
			if err == nil {
				t.run.Expected = checks
				t.run.Stage, t.run.Progress = state()
				t.run.Progress = min(99, max(0, t.run.Progress))
				err = t.save(ctx)
			}
			if err != nil && ctx.Err() == nil {
				t.Log.Warn("how a demo stands was not saved", "scenario", t.run.Scenario, "err", err)
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// save keeps how the run stands, and tells the world.
func (t *teller) save(ctx context.Context) error {
	kept, err := t.Store.SaveDemo(ctx, t.run, time.Now())
	if err == nil {
		t.run = kept
		t.Publish(kept)
	}
	return err
}

// end ends the run: with err it could not be played to its end.
func (t *teller) end(ctx context.Context, err error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	t.run.EndedAt = &now
	t.run.Status, t.run.Stage = breakwater.DemoCompleted, "ended"
	if err == nil {
		t.run.Progress = 100
	}
	missing := 0
	for _, c := range t.run.Expected {
		if !c.Found {
			missing++
		}
	}
	switch {
	case err != nil:
		t.run.Status, t.run.Stage, t.run.Message = breakwater.DemoFailed, "broke off", err.Error()
		if t.ended() {
			t.run.Status = breakwater.DemoInterrupted
		}
	case missing > 0:
		t.run.Status, t.run.Message = breakwater.DemoFailed, breakwater.Plural(missing, "expectation")+" not met"
	}
	if err := t.save(ctx); err != nil {
		t.Log.Warn("the end of a demo was not saved", "scenario", t.run.Scenario, "err", err)
	}
}

// ended reports whether the runner has stopped running.
func (r *Runner) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ctx == nil || r.ctx.Err() != nil
}
