// Package fl trains one model over many facilities, whose traffic stays where it is.
//
//	Trigger ─► queue ─► select ─► distribute ─► train ─► collect ─► aggregate ─► evaluate ─► publish     (round.go)
//	                      │           │           ▲                                 ▲           │
//	                      │           └─ params ──┤ changes                         │ figures   └─► each client makes its own
//	                      │                       │                                 │               model of them
//	                      └─ clients: in this process (Join, facilities of the store) or others, over HTTPS (remote.go)
//
// It knows how a round goes, what a client does in it (client.go), how changes become one (strategy.go) and how it is said
// on the wire (wire.go). It hides where clients are and what a crash interrupts: each step is saved before the next, in
// the store, which alone holds a round's state. Several coordinators over one database do each step once: who comes
// second is told so by the store.
//
// What leaves a client: the change of the parameters, clipped where noise is on; how many vectors it trained on; its losses
// while training (not where noise is on); and what it found of the new parameters on data of its own (Evaluation). ε speaks of
// the parameters that are published and of nothing else. Who runs the coordinator sees each change.
package fl

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"breakwater"
	"breakwater/internal/fl/privacy"
	"breakwater/internal/ml"
	"breakwater/internal/store"
)

// Settings are how rounds are run. Usual gives what they are where nobody says otherwise.
type Settings struct {
	MinClients int           `json:"min_clients"` // a round with fewer fails
	Deadline   time.Duration `json:"deadline"`    // for enough clients to be there, and then again for their training
	Epochs     int           `json:"epochs"`      // that each client trains in a round
	Strategy   string        `json:"strategy"`
	// Clip bounds the L2 norm of a client's change, Noise times 2·Clip is the standard deviation of what is added to the sum
	// of all. Noise 0 is no privacy, and nothing is clipped.
	Noise  float64 `json:"noise_multiplier"`
	Clip   float64 `json:"clipping_norm"`
	Delta  float64 `json:"delta"`
	Budget float64 `json:"privacy_budget"` // ε that all rounds together may spend; 0: no limit
}

// Usual are the settings that nobody changed.
func Usual() Settings {
	return Settings{MinClients: 2, Deadline: 10 * time.Minute, Epochs: 5, Strategy: "fedavg", Clip: 1, Delta: 1e-5}
}

// Check says which setting is wrong, if one is. The error is of kind Invalid; its Field is the setting's name in Settings.
func (s Settings) Check() error {
	bad := func(field, accepted string, value any) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf("%s %v is not possible: accepted is %s", field, value, accepted)}
	}
	_, known := strategies[s.Strategy]
	switch {
	case s.MinClients < 1 || s.MinClients > store.MaxClients:
		return bad("min_clients", fmt.Sprintf("1 to %d", store.MaxClients), s.MinClients)
	case s.Deadline < time.Second || s.Deadline > 7*24*time.Hour:
		return bad("deadline", "1s to 168h", s.Deadline)
	case s.Epochs < 1 || s.Epochs > 1000:
		return bad("epochs", "1 to 1000", s.Epochs)
	case !known:
		return bad("strategy", "fedavg or fedprox", s.Strategy)
	case !(s.Noise >= 0 && s.Noise <= 1e6):
		return bad("noise_multiplier", "0 (none) to 1000000", s.Noise)
	case !(s.Clip > 0 && s.Clip <= 1e6):
		return bad("clipping_norm", "more than 0, at most 1000000", s.Clip)
	case !(s.Delta > 0 && s.Delta < 1):
		return bad("delta", "more than 0, less than 1", s.Delta)
	case !(s.Budget >= 0 && s.Budget <= 1e6):
		return bad("privacy_budget", "0 (no limit) to 1000000", s.Budget)
	}
	return nil
}

// Shape is the network that is trained, and what it is fed with.
type Shape struct {
	Names   []string   `json:"features"`
	Context ml.Context `json:"context"`
	Hidden  []int      `json:"hidden"` // layers between inputs and outputs
}

// inputs is the length of a vector.
func (s Shape) inputs() int { return len(s.Names) * s.Context.Blocks }

// Untrained are the parameters that a federation of this shape begins with, the same for all.
func (s Shape) Untrained() (*ml.Network, error) { return ml.NewNetwork(s.inputs(), s.Hidden, 1) }

// Windows is the shape of the network that facilities detect with: the minute before, of a window's features.
var Windows = Shape{Names: ml.WindowFeatures, Context: ml.Minute, Hidden: []int{32, 12, 32}}

// Plan is what a round asks of its clients, as it was when the round was triggered.
type Plan struct {
	Settings
	Shape Shape `json:"shape"`
	// How clients train; see ml.Training.
	Batch    int     `json:"batch"`
	Rate     float64 `json:"rate"`
	Blur     float64 `json:"blur"`     // noise on the inputs
	Proximal float64 `json:"proximal"` // µ of FedProx
	Exposure float64 `json:"exposure"`
	Margin   float64 `json:"margin"`
}

// Lessons is how clients train, whatever the settings. Noise on the inputs keeps the network from copying what it never saw.
var Lessons = Plan{Batch: 64, Rate: 1e-3, Blur: 0.1, Exposure: 0.5, Margin: 2}

// Coordinator runs the rounds. Store must be set before its first use; Run must run for rounds to go on.
type Coordinator struct {
	Store    *store.Store
	Settings Settings
	Shape    Shape // zero: Windows
	// Publish tells the world of a round, and PublishClient of a client, that has changed, after it is durable. They do not
	// block. nil: nobody is told.
	Publish       func(*breakwater.Round)
	PublishClient func(*breakwater.FLClient)
	Log           *slog.Logger   // nil: nothing is logged
	Noise         *privacy.Noise // nil: seeded by the operating system, as it must be outside simulations
	// Facilities takes those of the store in as clients, where none of another process stands for them.
	Facilities bool

	mu      sync.Mutex
	joined  map[string]Client
	wake    chan struct{} // something happened that a round may wait for
	prepare sync.Once
}

func (c *Coordinator) ready() {
	c.prepare.Do(func() {
		c.joined, c.wake = map[string]Client{}, make(chan struct{}, 1)
		if c.Log == nil {
			c.Log = slog.New(slog.DiscardHandler)
		}
		if c.Noise == nil {
			c.Noise = privacy.NewNoise()
		}
		if len(c.Shape.Names) == 0 {
			c.Shape = Windows
		}
	})
}

// Join takes a client of this process in, from the next round on; one of the same id is replaced. The error is of kind
// Invalid.
func (c *Coordinator) Join(client Client) error {
	c.ready()
	if err := breakwater.CheckClientID(client.ID); err != nil {
		return err
	}
	if err := breakwater.CheckFacilityID(client.FacilityID); err != nil {
		return err
	}
	c.mu.Lock()
	c.joined[client.ID] = client
	c.mu.Unlock()
	c.poke()
	return nil
}

// Trigger makes a new round wait for its turn and gives it back as it stands. Rounds run one at a time, in order. Where
// facilities are named the round is among their clients alone, and goes on from what rounds among the same have reached.
// The error is of kind Conflict where too many wait, Invalid where a facility or a setting is wrong.
func (c *Coordinator) Trigger(ctx context.Context, facilities ...string) (*breakwater.Round, error) {
	c.ready()
	if err := c.Settings.Check(); err != nil {
		return nil, err
	}
	for _, f := range facilities {
		if err := breakwater.CheckFacilityID(f); err != nil {
			return nil, err
		}
	}
	scope := slices.Clone(facilities)
	slices.Sort(scope)
	plan := Lessons
	plan.Settings, plan.Shape = c.Settings, c.Shape
	plan.Proximal = strategies[plan.Strategy].Proximal()
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	r, err := c.Store.QueueRound(ctx, strings.Join(slices.Compact(scope), ","), text, time.Now().UTC())
	if err != nil {
		return nil, err
	}
	c.tell(r)
	c.poke()
	return r, nil
}

// Run goes through the rounds, one after the other, until ctx ends; then it returns nil. A round that it leaves unfinished
// goes on at its saved step when a coordinator runs again.
func (c *Coordinator) Run(ctx context.Context) error {
	c.ready()
	for ctx.Err() == nil {
		run, err := c.Store.OpenRun(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			c.Log.Warn("federation: the round to go on with could not be read; it will be tried again", "err", err)
			c.pause(ctx, time.Second)
		case run == nil:
			c.pause(ctx, time.Second)
		default:
			if err := c.round(ctx, run); err != nil && ctx.Err() == nil {
				c.Log.Warn("federation: a round cannot go on now; it will be tried again", "round", run.RoundID, "step", run.Step, "err", err)
				c.pause(ctx, time.Second)
			}
		}
	}
	return nil
}

// pause waits until something happens, at most so long.
func (c *Coordinator) pause(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-timer.C:
	}
}

// poke says that something happened.
func (c *Coordinator) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Coordinator) tell(r *breakwater.Round) {
	if c.Publish == nil || r == nil {
		return
	}
	r.Estimate(time.Now())
	c.Publish(r)
}

// report keeps and tells how a client of this process stands.
func (c *Coordinator) report(ctx context.Context, client breakwater.FLClient) error {
	kept, err := c.Store.ReportClient(ctx, client, time.Now().UTC())
	if err == nil && c.PublishClient != nil {
		c.PublishClient(kept)
	}
	return err
}
