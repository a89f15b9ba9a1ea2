package app

import (
	"context"
	"time"

	"breakwater/internal/store"

	"golang.org/x/sync/errgroup"
)

// leadLasts is after how long another node may lead where the leader was cut off.
const leadLasts = 5 * time.Second

// leadEvery is how often a node that does not lead asks whether it may.
const leadEvery = time.Second

// lead does what must be done once over all nodes, for as long as this one is the leader, until ctx ends. Which one leads is a
// lease in the store: where the leader is killed or cut off another begins within seconds, and at once where it ends in order.
func (a *App) lead(ctx context.Context) error {
	if a.store.Embedded() { // there are no others
		a.leads.Store(true)
		return a.once(ctx)
	}
	tick := time.NewTicker(leadEvery)
	defer tick.Stop()
	for {
		held, release, err := a.store.Hold(ctx, a.node, "leader", leadLasts, store.Want)
		if err == nil {
			a.log.Info("this node leads: it runs rounds, ends predictions and removes what is over", "node", a.node.Name)
			within, stop := context.WithCancel(ctx)
			a.leads.Store(true)
			over := make(chan struct{})
			context.AfterFunc(held, func() { // at once, however long what is under way takes to end
				a.leads.Store(false)
				stop()
				close(over)
			})
			err = a.once(within)
			release()
			<-over
			if err != nil {
				return err
			}
			if ctx.Err() == nil {
				a.log.Warn("this node does not lead any more: it could not say in time that it is there", "node", a.node.Name)
			}
		} // else another leads, or the database is away, which others say
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// once is what one node does for all.
func (a *App) once(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { a.sweep(ctx); return nil })
	group.Go(func() error { return a.rounds.Run(ctx) })
	group.Go(func() error { a.settle(ctx); return nil })
	if a.graph == nil {
		group.Go(func() error { a.forgetGraph(ctx); return nil })
	}
	if isOn(a.config.Seed) {
		group.Go(func() error { a.seed(ctx); return nil })
	}
	if isOn(a.config.DemoMode) {
		group.Go(func() error { a.demo.Plants(ctx); return nil })
	}
	return group.Wait()
}
