package demo

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/plant"
	"breakwater/internal/store"
)

// counted notes how far packets have come.
func counted(packets iter.Seq2[breakwater.Packet, error], start time.Time, now *atomic.Int64) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		for p, err := range packets {
			if err == nil {
				now.Store(int64(p.Time.Sub(start)))
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// paced holds each packet back until its time has come; what lies in the past comes at once. It ends with ctx.
func paced(ctx context.Context, packets iter.Seq2[breakwater.Packet, error]) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		for p, err := range packets {
			if wait := time.Until(p.Time); err == nil && wait > time.Millisecond {
				select {
				case <-ctx.Done():
					return
				case <-time.After(wait):
				}
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// post is where a facility is played from.
func (r *Runner) post(facility string) *post {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.posts == nil {
		r.posts = map[string]*post{}
	}
	p := r.posts[facility]
	if p == nil {
		p = &post{taken: make(chan struct{}, 1)}
		r.posts[facility] = p
	}
	return p
}

// take waits for a facility's post, which a plant that simply runs, here or on another node, leaves when it is asked to. The
// caller leaves it.
func (r *Runner) take(ctx context.Context, facility, player string) (leave func(), err error) {
	p := r.post(facility)
	for {
		r.mu.Lock()
		if p.leave != nil {
			p.leave()
		}
		r.mu.Unlock()
		select {
		case p.taken <- struct{}{}:
			_, release, err := r.hold(ctx, facility, store.Await)
			if err != nil {
				<-p.taken
				return nil, err
			}
			p.player.Store(&player)
			return func() {
				p.player.Store(nil)
				release()
				<-p.taken
			}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond): // a plant may have begun to run just now
		}
	}
}

// hold is Hold, where there is one.
func (r *Runner) hold(ctx context.Context, facility string, w store.Wish) (context.Context, func(), error) {
	if r.Hold == nil {
		return ctx, func() {}, nil
	}
	return r.Hold(ctx, facility, w)
}

// simplyRun lets a plant run as long as nobody else plays there, until ctx ends. What it knows as normal it learns from the
// minutes before, the first time.
func (r *Runner) simplyRun(ctx context.Context, f plant.Facility) {
	p := r.post(f.ID)
	for ctx.Err() == nil {
		select {
		case p.taken <- struct{}{}:
		case <-ctx.Done():
			return
		}
		alone, cancel := context.WithCancel(ctx)
		r.mu.Lock()
		p.leave = cancel
		r.mu.Unlock()
		if held, release, err := r.hold(alone, f.ID, store.Spare); err == nil {
			player := "normal operation"
			p.player.Store(&player)
			if err := r.normal(held, f); err != nil && held.Err() == nil {
				r.Log.Warn("a plant of the demo does not run; it will be tried again", "facility", f.ID, "err", err)
				select {
				case <-held.Done():
				case <-time.After(10 * time.Second):
				}
			}
			release()
		} else { // another node plays there
			select {
			case <-alone.Done():
			case <-time.After(time.Second):
			}
		}
		cancel()
		r.mu.Lock()
		p.leave = nil
		r.mu.Unlock()
		p.player.Store(nil)
		<-p.taken
		select { // whoever asked for the post comes first
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// normal plays normal operation from now on, with the minutes before where the facility has learned nothing yet.
func (r *Runner) normal(ctx context.Context, f plant.Facility) error {
	now := time.Now().UTC().Truncate(time.Second)
	o := plant.Options{Facility: f.ID, Seed: f.Seed, Start: now, Duration: plant.MaxDuration}
	learn := time.Duration(0)
	_, _, err := r.Store.Baseline(ctx, f.ID)
	switch {
	case breakwater.KindOf(err) == breakwater.NotFound:
		o.Start, learn = now.Add(-history), learned
	case err != nil:
		return err
	}
	_, err = r.Play(ctx, f.ID, learn, paced(ctx, plant.Packets(o)))
	return err
}

// stock makes sure that a facility has windows of normal operation to train on, and has learned what is normal.
func (r *Runner) stock(ctx context.Context, f plant.Facility) error {
	for {
		now := time.Now().UTC().Truncate(time.Second)
		windows, err := r.Store.Windows(ctx, f.ID, now.Add(-3*history), now.Add(history))
		if err != nil {
			return err
		}
		if len(windows) >= int(history/time.Second)-1 {
			return nil
		}
		p := r.post(f.ID)
		r.mu.Lock()
		if p.leave != nil { // a plant that simply runs may have begun without these minutes
			p.leave()
		}
		r.mu.Unlock()
		select {
		case p.taken <- struct{}{}:
			_, release, err := r.hold(ctx, f.ID, store.Await)
			if err != nil {
				<-p.taken
				return err
			}
			player := FLRound
			p.player.Store(&player)
			o := plant.Options{Facility: f.ID, Seed: f.Seed, Start: now.Add(-history), Duration: history}
			_, err = r.Play(ctx, f.ID, learned, plant.Packets(o))
			p.player.Store(nil)
			release()
			<-p.taken
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond): // a scenario is played there, and begins with as much of it
		}
	}
}
