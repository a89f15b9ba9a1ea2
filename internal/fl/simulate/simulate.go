// Package simulate runs federated rounds of many clients on one machine, over data whose attacks are labelled, and says what
// they are worth.
//
//	plants | SKAB ─► clients ─► fl.Coordinator over a database in memory ─► parameters of each round ─► each client's model ─► F1
//	                   │                                                                                     ▲
//	                   └─► trained all together, and each alone, for as many epochs ─────────────────────────┘
//
// It knows where the clients' data comes from (data.go) and what is compared. The rounds are those of the product: the same
// coordinator, clients and messages.
package simulate

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"syscall"
	"time"

	"breakwater"
	"breakwater/internal/fl"
	"breakwater/internal/fl/privacy"
	"breakwater/internal/ml"
	"breakwater/internal/store"
)

// Options say what to simulate.
type Options struct {
	Clients  int
	Rounds   int
	Skab     string      // folder of SKAB's files; "": simulated plants
	Settings fl.Settings // MinClients and Deadline are the simulation's own
	Seed     uint64
	// Attacked is the round before which the first plant is attacked by AttackKind; 0: none is.
	Attacked int
	Attack   string
	Control  bool // the first plant does not learn from that attack: it leaves those seconds out
	Alone    bool // each client is trained alone as well, and all of them together
	Log      *slog.Logger
}

// Score counts vectors of all clients' test parts. An attack's vectors are those whose newest block holds a second of it.
type Score struct {
	Precision *float64 `json:"precision"` // null where nothing was found
	Recall    float64  `json:"recall"`
	F1        float64  `json:"f1"`
	FPR       float64  `json:"fpr"`
	Error     float64  `json:"median_error"` // of usual vectors: mean squared error of scaled values
}

// Round is what became of a round.
type Round struct {
	Round     int      `json:"round"`
	Published bool     `json:"published"`
	Reason    string   `json:"reason,omitempty"` // why it was not
	Accuracy  *float64 `json:"model_accuracy"`
	Epsilon   *float64 `json:"epsilon"`
	Score
	Clients int     `json:"clients"`
	Down    float64 `json:"bytes_down_per_client"`
	Up      float64 `json:"bytes_up_per_client"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"` // of this process
	// Elsewhere is the recall, at clients that were not attacked, of the kind of attack that the first one was.
	Elsewhere *float64 `json:"recall_elsewhere,omitempty"`
}

// Result is what a simulation found.
type Result struct {
	Clients    int     `json:"clients"`
	Vectors    int     `json:"training_vectors"` // of all clients
	Parameters int     `json:"parameter_bytes"`
	Untrained  Score   `json:"untrained"` // with the parameters that the first round begins with
	Rounds     []Round `json:"rounds"`
	Together   *Score  `json:"centralised,omitempty"` // trained on all clients' data at one place
	Alone      []Score `json:"alone,omitempty"`       // each client trained on its own data, by client
	AloneMean  *Score  `json:"alone_all,omitempty"`   // the same, counted together
}

// Run simulates. told is called as each round has ended; nil: nobody is told. Errors are of kind Invalid where the options
// are wrong, and what reading the data gives.
func Run(ctx context.Context, o Options, told func(Round)) (Result, error) {
	if o.Clients < 1 || o.Clients > store.MaxClients || o.Rounds < 1 || o.Rounds > 10_000 {
		return Result{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "clients", Message: fmt.Sprintf("%d clients and %d rounds cannot be simulated: 1 to %d, and 1 to 10000", o.Clients, o.Rounds, store.MaxClients)}
	}
	sites, shape, err := data(o)
	if err != nil {
		return Result{}, err
	}
	db, err := store.Open(ctx, "sqlite://:memory:")
	if err != nil {
		return Result{}, err
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return Result{}, err
	}
	c := &fl.Coordinator{Store: db, Settings: o.Settings, Shape: shape, Log: o.Log, Noise: privacy.NewSeededNoise(o.Seed)}
	c.Settings.MinClients, c.Settings.Deadline = len(sites), 24*time.Hour
	for _, s := range sites {
		if err := c.Join(s.Client); err != nil {
			return Result{}, err
		}
	}
	over := make(chan *breakwater.Round, 1)
	c.Publish = func(r *breakwater.Round) {
		if r.Status != breakwater.RoundInProgress {
			over <- r
		}
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); c.Run(running) }()
	defer func() { stop(); <-ended }()

	result := Result{Clients: len(sites)}
	for i := range sites {
		train, _, err := sites[i].Scaled(ctx, shape)
		if err != nil {
			return Result{}, err
		}
		result.Vectors += len(train) / (len(shape.Names) * shape.Context.Blocks)
	}
	begin, err := shape.Untrained()
	if err != nil {
		return Result{}, err
	}
	var untrained count
	for _, s := range sites {
		m, err := s.Model(ctx, shape, begin.Params())
		if err != nil {
			return Result{}, err
		}
		untrained.add(m, s.test)
	}
	result.Untrained = untrained.score()
	for n := 1; n <= o.Rounds; n++ {
		if n == o.Attacked {
			sites[0].attacked = true
		}
		r, err := round(ctx, c, over, sites, shape, &result)
		if err != nil {
			return Result{}, err
		}
		r.Round = n
		result.Rounds = append(result.Rounds, r)
		if told != nil {
			told(r)
		}
	}
	if o.Alone {
		err = result.compare(ctx, sites, shape, o)
	}
	return result, err
}

// round runs one round and scores what is published then.
func round(ctx context.Context, c *fl.Coordinator, over <-chan *breakwater.Round, sites []*site, shape fl.Shape, result *Result) (Round, error) {
	began, worked := time.Now(), processorTime()
	if _, err := c.Trigger(ctx); err != nil {
		return Round{}, err
	}
	var shown *breakwater.Round
	select {
	case <-ctx.Done():
		return Round{}, ctx.Err()
	case shown = <-over:
	}
	r := Round{Published: shown.Status == breakwater.RoundCompleted, Reason: shown.Reason, Accuracy: shown.Accuracy, Epsilon: shown.Epsilon,
		Clients: shown.ClientsActive, Seconds: time.Since(began).Seconds(), CPU: (processorTime() - worked).Seconds()}
	run, err := c.Store.RunOf(ctx, shown.ID)
	if err != nil {
		return Round{}, err
	}
	r.Down, r.Up = float64(run.Down)/float64(len(sites)), float64(run.Up)/float64(len(sites))
	global, err := c.Store.NewestGlobal(ctx, "")
	if err != nil {
		return Round{}, err
	}
	result.Parameters = 4 * len(global.Params)
	var all, elsewhere count
	for i, s := range sites {
		m, err := s.Model(ctx, shape, global.Params)
		if err != nil {
			return Round{}, err
		}
		all.add(m, s.test)
		if i > 0 {
			elsewhere.add(m, s.same)
		}
	}
	r.Score = all.score()
	if elsewhere.attacks > 0 {
		recall := elsewhere.score().Recall
		r.Elsewhere = &recall
	}
	return r, nil
}

// processorTime is how long this process has kept processors busy.
func processorTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// compare trains the same network on all clients' data at one place, and on each client's alone, for as many epochs.
func (r *Result) compare(ctx context.Context, sites []*site, shape fl.Shape, o Options) error {
	network := func(train, threshold []float32) ([]float32, error) {
		n, err := shape.Untrained()
		if err != nil {
			return nil, err
		}
		plan := fl.Lessons
		_, err = n.Train(ctx, train, threshold, ml.Training{Epochs: o.Rounds * o.Settings.Epochs, Batch: plan.Batch, Rate: plan.Rate, Noise: plan.Blur, Patience: -1, Seed: o.Seed})
		return n.Params(), err
	}
	var allTrain, allThreshold []float32
	var together, alone count
	for _, s := range sites {
		train, threshold, err := s.Scaled(ctx, shape)
		if err != nil {
			return err
		}
		allTrain, allThreshold = append(allTrain, train...), append(allThreshold, threshold...)
		params, err := network(train, threshold)
		if err != nil {
			return err
		}
		m, err := s.Model(ctx, shape, params)
		if err != nil {
			return err
		}
		var one count
		one.add(m, s.test)
		alone.add(m, s.test)
		r.Alone = append(r.Alone, one.score())
	}
	params, err := network(allTrain, allThreshold)
	if err != nil {
		return err
	}
	for _, s := range sites {
		m, err := s.Model(ctx, shape, params)
		if err != nil {
			return err
		}
		together.add(m, s.test)
	}
	both, mean := together.score(), alone.score()
	r.Together, r.AloneMean = &both, &mean
	return nil
}

// count is of vectors, by what they are and what was said of them.
type count struct {
	attacks, found, usual, alarms int
	errors                        []float64 // of usual ones
}

func (c *count) add(m *ml.Model, t labelled) {
	scorer := m.Scorer()
	for _, v := range t.attacks {
		if c.attacks++; scorer.Score(v) > m.Threshold {
			c.found++
		}
	}
	for _, v := range t.usual {
		score := scorer.Score(v)
		if c.usual++; score > m.Threshold {
			c.alarms++
		}
		c.errors = append(c.errors, score)
	}
}

func (c *count) score() Score {
	part := func(n, of int) float64 { return float64(n) / math.Max(float64(of), 1) }
	s := Score{Recall: part(c.found, c.attacks), FPR: part(c.alarms, c.usual), F1: part(2*c.found, c.attacks+c.found+c.alarms)}
	if len(c.errors) > 0 {
		s.Error = ml.Quantile(c.errors, 0.5)
	}
	if c.found+c.alarms > 0 {
		precision := part(c.found, c.found+c.alarms)
		s.Precision = &precision
	}
	return s
}

// labelled is what a model is tested on: vectors wholly of usual rows, and vectors whose newest block holds one of an attack.
type labelled struct{ usual, attacks [][]float64 }

// joined is both.
func joined(parts ...labelled) (all labelled) {
	for _, p := range parts {
		all.usual, all.attacks = slices.Concat(all.usual, p.usual), slices.Concat(all.attacks, p.attacks)
	}
	return all
}
