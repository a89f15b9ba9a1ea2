package fl

import (
	"context"
	"runtime"
	"slices"
	"time"

	"breakwater"
	"breakwater/internal/store"

	"golang.org/x/sync/errgroup"
)

// gather lets the members in this process work, as many at a time as there are processors, and waits until all members
// have come, those of them that still could, or the deadline. What goes wrong with one is logged, and is its own.
func (r *round) gather(ctx context.Context, whose func(context.Context, int64) ([]string, error), message []byte,
	work func(context.Context, Client) error, how func(*round, *breakwater.Round, time.Time) (float64, *time.Time),
) error {
	came, err := whose(ctx, r.run.RoundID)
	if err != nil {
		return err
	}
	var here []Client
	for _, m := range r.run.Members {
		if c, ok := r.clients[m.ID]; ok && !m.Remote && !slices.Contains(came, m.ID) {
			here = append(here, c)
		}
	}
	if err := r.Store.CountBytes(ctx, r.run.RoundID, int64(len(here)*len(message)), 0); err != nil {
		return err
	}
	working, cancel := context.WithDeadline(ctx, r.run.Deadline)
	ended := r.start(working, here, work)
	defer func() { cancel(); <-ended }()

	began, told := now(), time.Time{}
	for {
		over := false
		select {
		case <-ended:
			over = true
		default:
		}
		if came, err = whose(ctx, r.run.RoundID); err != nil {
			return err
		}
		looked, has := time.Now(), make(map[string]bool, len(came))
		for _, id := range came {
			has[id] = true
		}
		missing := slices.DeleteFunc(slices.Clone(r.run.Members), func(m store.Member) bool { return has[m.ID] })
		if len(missing) > 0 && !now().Before(r.run.Deadline) {
			return r.late(ctx, missing)
		}
		if !slices.ContainsFunc(missing, func(m store.Member) bool { // one that may still come
			_, known := r.clients[m.ID]
			return m.Remote || known && !over
		}) {
			return nil
		}
		if time.Since(told) >= lookEvery {
			told = time.Now()
			if err := r.show(ctx, began, how); err != nil {
				return err
			}
		}
		if r.pause(ctx, min(lookEvery, time.Until(r.run.Deadline)+time.Millisecond)); ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(lookRarely - time.Since(looked)) // a thousand clients wake it thousands of times
	}
}

// start lets clients of this process work. The channel is closed when all have ended.
func (r *round) start(ctx context.Context, clients []Client, work func(context.Context, Client) error) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for _, c := range clients {
			group.Go(func() error {
				if err := work(ctx, c); err != nil && ctx.Err() == nil {
					r.lost(ctx, c, err)
				}
				r.poke()
				return nil
			})
		}
		_ = group.Wait() // each says for itself what went wrong
	}()
	return ended
}

// lost says that a client fell out.
func (r *round) lost(ctx context.Context, c Client, why error) {
	r.Log.Warn("federation: a client fell out of a round", "round", r.run.RoundID, "client", c.ID, "err", why)
	if err := r.Coordinator.report(ctx, breakwater.FLClient{ID: c.ID, FacilityID: c.FacilityID, Name: c.Name, Status: breakwater.ClientOffline}); err != nil {
		r.Log.Warn("federation: how a client stands was not kept", "client", c.ID, "err", err)
	}
}

// late says of members that they did not come in time, but for those that fell out.
func (r *round) late(ctx context.Context, missing []store.Member) error {
	for _, m := range missing {
		c := breakwater.FLClient{ID: m.ID, FacilityID: m.FacilityID, Name: m.Name}
		if known, err := r.Store.Client(ctx, m.ID); err == nil {
			c = *known
		}
		if c.Status == breakwater.ClientOffline {
			continue
		}
		c.Status = breakwater.ClientDelayed
		if err := r.Coordinator.report(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// show saves and tells how far a step is.
func (r *round) show(ctx context.Context, began time.Time, how func(*round, *breakwater.Round, time.Time) (float64, *time.Time)) error {
	shown, err := r.Store.Round(ctx, r.run.RoundID)
	if err != nil {
		return err
	}
	report := breakwater.RoundReport{Phase: phases[r.run.Step].phase}
	var expected *time.Time
	if report.Progress, expected = how(r, shown, began); report.Progress <= shown.Progress && expected == nil {
		return nil // nothing new
	}
	if shown, err = r.Store.Advance(ctx, r.run, r.run.Step, nil, report, nil, expected, now()); err == nil {
		r.tell(shown)
	}
	return err
}

// trained is how much of the epochs is done, 0-1.
func (r *round) trained(shown *breakwater.Round) float64 {
	sum := 0.0
	for i := range shown.Clients {
		sum += shown.Clients[i].Progress / 100
	}
	return sum / float64(max(len(r.run.Members), 1))
}

// expected is when the training ends: by how long the epochs took that are done, of all clients together and of the slowest
// of those elsewhere, which train at the same time. nil where none is done.
func (r *round) expected(shown *breakwater.Round, began time.Time) *time.Time {
	took, done := time.Since(began).Seconds(), 0
	slowest := 0.0
	for i := range shown.Clients {
		c := &shown.Clients[i]
		done += c.Epoch
		if _, here := r.clients[c.ID]; !here && c.Epoch > 0 && c.Epoch < c.Epochs {
			slowest = max(slowest, took*float64(c.Epochs-c.Epoch)/float64(c.Epoch))
		}
	}
	left := len(r.run.Members)*r.plan.Epochs - done
	if done == 0 || left < 0 {
		return nil
	}
	end := now().Add(time.Duration(max(slowest, took*float64(left)/float64(done)) * float64(time.Second)))
	if end.After(r.run.Deadline) {
		end = r.run.Deadline
	}
	return &end
}
