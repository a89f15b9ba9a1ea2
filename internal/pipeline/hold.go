package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"breakwater"
	"breakwater/internal/store"
)

// What detectors remember of raw traffic lives in the process that it comes to, and half of it on each of two nodes finds
// less than half: a facility's raw traffic goes through one node at a time.

// rawLasts is after how long another node may have a facility whose node was cut off. A node that is merely slow keeps it.
const rawLasts = 20 * time.Second

// raw is a facility whose raw traffic goes through here. Several runs may share it.
type raw struct {
	sync.Mutex
	runs    int
	held    context.Context // ends when another node may have it
	release func()
}

// Hold makes this node the one that takes a facility's raw traffic, until release is called or the context that it gives
// ends. The error is of kind Conflict where another node does.
func (s *Server) Hold(ctx context.Context, facility string, w store.Wish) (held context.Context, release func(), err error) {
	if s.Node == nil {
		return ctx, func() {}, nil
	}
	of, _ := s.raw.LoadOrStore(facility, new(raw))
	r := of.(*raw)
	r.Lock()
	defer r.Unlock()
	if r.runs == 0 || r.held.Err() != nil {
		lease, giveBack, err := s.Store.Hold(ctx, *s.Node, "facility:"+facility, rawLasts, w)
		if err != nil { // what r has of a lease that is over is still given back by the runs that began with it
			return nil, nil, elsewhere(facility, err)
		}
		r.held, r.release = lease, giveBack
	}
	r.runs++
	held, cancel := context.WithCancelCause(ctx)
	unbound := context.AfterFunc(r.held, func() {
		cancel(&breakwater.Error{Kind: breakwater.Conflict, Field: "facility_id", Message: "raw traffic of facility " + facility +
			" may go through another node by now: this one could not say in time that it is there. Send it again"})
	})
	return held, sync.OnceFunc(func() {
		unbound()
		cancel(nil)
		r.Lock()
		defer r.Unlock()
		if r.runs--; r.runs == 0 {
			r.release()
		}
	}), nil
}

// lost is the error of what ended under a context that Hold gave: where that ended because the lease did, it says so.
func lost(held context.Context, err error) error {
	if why, ok := errors.AsType[*breakwater.Error](context.Cause(held)); err != nil && ok {
		return why
	}
	return err
}

// elsewhere says what to do where another node has a facility's raw traffic.
func elsewhere(facility string, err error) error {
	taken, ok := errors.AsType[*store.Taken](err)
	if !ok {
		return err
	}
	return &breakwater.Error{Kind: breakwater.Conflict, Field: "facility_id", Err: taken, Message: fmt.Sprintf(
		"raw traffic of facility %s goes through node %s at present (for %.0f s more, and on while it comes): what is seen of one facility must be seen by one node. "+
			"Send it there, wait until that has ended, or let all nodes take raw traffic from Kafka (KAFKA_BOOTSTRAP_SERVERS)", facility, taken.By, taken.Left.Seconds())}
}
