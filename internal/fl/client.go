package fl

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"breakwater"
	"breakwater/internal/fl/privacy"
	"breakwater/internal/ml"
)

// Client is a facility with data of its own.
type Client struct {
	ID, FacilityID string
	Name           string // "" is the id
	// Data reads what there is to learn from, as it is now. It is called several times in a round.
	Data func(context.Context) (Data, error)
	// Quantile of the scores of the part that is for that, to be the threshold; 0 is 0.999.
	Quantile float64
	// Install is given the facility's own model of new shared parameters, to detect with; nil: nothing is done with them.
	Install func(context.Context, Release) error
}

// Data is what a client has to learn from.
type Data struct {
	Rows  [][]float64 // one each second, in order of time; NaN is a missing value
	Marks []Mark      // by row; nil: all are usual
}

// Mark is what is known of a row.
type Mark uint8

// The marks.
const (
	Normal  Mark = iota
	Doubted      // near an attack, or in an alert: nothing is learned of it
	Attack       // something is known to have been wrong in this second
)

// Release is what a client makes of new shared parameters.
type Release struct {
	Round   int64
	Version int64 // of the shared parameters
	Model   *ml.Model
	Rows    int // vectors trained and validated on
}

const (
	// mostVectors bounds what is trained on: neighbours share 59 of 60 seconds, so that more brings little.
	mostVectors = 20_000
	// leastVectors is the fewest usual vectors that a client takes part with: two minutes and one more, to have the first.
	leastVectors = 120
	// injectedShift is by how many spreads an injected anomaly is off.
	injectedShift = 4
)

// parts is a client's data as a round uses it. Usual vectors, in order of time: the first 70 % are to train on, 15 % to set the
// threshold by, and the last 15 % are held out, to evaluate by. A few between them are left out, as far as there are enough: neighbours
// are nearly the same. Vectors of attacks: every other stretch of ten is learned from, the rest is held out.
type parts struct {
	shape                   Shape
	quantile                float64
	scaler                  *ml.Scaler
	train, threshold        [][]float64
	heldOut                 [][]float64
	exposed, attacks, fakes [][]float64
}

// parts reads a client's data and divides it. The error is of kind Conflict where there is too little.
func (c *Client) parts(ctx context.Context, shape Shape) (*parts, error) {
	data, err := c.Data(ctx)
	if err != nil {
		return nil, err
	}
	usual, attacks := data.Vectors(shape.Context)
	if len(usual) < leastVectors {
		return nil, &breakwater.Error{Kind: breakwater.Conflict, Message: fmt.Sprintf("client %s has %d usual vectors; it needs %d to take part", c.ID, len(usual), leastVectors)}
	}
	usual = thin(usual, mostVectors)
	n := len(usual)
	gap := min(shape.Context.Span()-1, n/20)
	p := &parts{shape: shape, quantile: c.Quantile, train: usual[:n*70/100-gap], threshold: usual[n*70/100 : n*85/100-gap], heldOut: usual[n*85/100:]}
	p.scaler = ml.FitScaler(p.train)
	attacks = thin(attacks, mostVectors/4)
	for i, v := range attacks {
		if i/10%2 == 0 {
			p.exposed = append(p.exposed, v)
		} else {
			p.attacks = append(p.attacks, v)
		}
	}
	features := len(shape.Names)
	for i, v := range p.heldOut {
		fake := slices.Clone(v)
		f := len(v) - features + i%features // of the newest block
		if math.IsNaN(fake[f]) {
			fake[f] = p.scaler.Middle[f]
		}
		fake[f] += injectedShift * p.scaler.Spread[f]
		p.fakes = append(p.fakes, fake)
	}
	return p, nil
}

// Vectors makes the vectors that lie wholly in usual rows, and those whose newest block holds a row of an attack. Of others,
// and where more than half is missing, none is made.
func (d Data) Vectors(c ml.Context) (usual, attacks [][]float64) {
	all, span := c.Vectors(d.Rows), c.Span()
	mark := func(row int) Mark {
		if row < len(d.Marks) {
			return d.Marks[row]
		}
		return Normal
	}
	lastOdd, lastAttack := -1, -1 // rows
	for i := range min(span-1, len(d.Rows)) {
		if mark(i) != Normal {
			lastOdd = i
		}
		if mark(i) == Attack {
			lastAttack = i
		}
	}
	for i, v := range all {
		row := i + span - 1
		if mark(row) != Normal {
			lastOdd = row
		}
		if mark(row) == Attack {
			lastAttack = row
		}
		missing := 0
		for _, x := range v {
			if math.IsNaN(x) {
				missing++
			}
		}
		switch {
		case 2*missing > len(v):
		case lastAttack > row-c.Stride && lastAttack >= 0:
			attacks = append(attacks, v)
		case lastOdd <= row-span:
			usual = append(usual, v)
		}
	}
	return usual, attacks
}

// thin keeps at most so many, evenly.
func thin(vectors [][]float64, most int) [][]float64 {
	if len(vectors) <= most {
		return vectors
	}
	kept := make([][]float64, most)
	for i := range kept {
		kept[i] = vectors[i*len(vectors)/most]
	}
	return kept
}

// network makes the network of shared parameters.
func (s Shape) network(params []float32) (*ml.Network, error) {
	n, err := s.Untrained()
	if err != nil {
		return nil, err
	}
	return n, n.SetParams(params)
}

// model makes a client's own model of shared parameters: the scaler and the threshold are its own. unseen is what the
// threshold is set by, which nobody trained on.
func (p *parts) model(params []float32, unseen [][]float64) (*ml.Model, error) {
	n, err := p.shape.network(params)
	if err != nil {
		return nil, err
	}
	return ml.NewAutoencoder(ml.Data{Names: p.shape.Names, Context: p.shape.Context, Train: p.train, Validation: unseen, Quantile: p.quantile, Scaler: p.scaler}, n)
}

// release makes the model that the client detects with. Its evaluation is over, so that the held-out part sets the threshold
// too. And a few minutes may hold nothing of the rarer things that a plant does; a threshold of such a part cries all day.
// What was trained on is never further off than the like of it that was not, so that a threshold below its quantile is too
// low: the greater of both is taken. docs/federation.md has what this is worth.
func (p *parts) release(params []float32) (m *ml.Model, err error) {
	if m, err = p.model(params, slices.Concat(p.threshold, p.heldOut)); err != nil {
		return nil, err
	}
	scorer, scores := m.Scorer(), make([]float64, len(p.train))
	for i, v := range p.train {
		scores[i] = scorer.Score(v)
	}
	m.Threshold = max(m.Threshold, ml.Quantile(scores, m.Quantile))
	return m, nil
}

// Model makes the client's own model of shared parameters, with the threshold that an evaluation goes by; that of what
// Install is given is no lower, and of more data.
func (c *Client) Model(ctx context.Context, shape Shape, params []float32) (*ml.Model, error) {
	p, err := c.parts(ctx, shape)
	if err != nil {
		return nil, err
	}
	return p.model(params, p.threshold)
}

// Scaled is what the client trains on and what it sets its threshold by, scaled, one vector after another.
func (c *Client) Scaled(ctx context.Context, shape Shape) (train, threshold []float32, err error) {
	p, err := c.parts(ctx, shape)
	if err != nil {
		return nil, nil, err
	}
	return p.scaler.Scale(p.train), p.scaler.Scale(p.threshold), nil
}

// trained is what a client made of a round's parameters.
type trained struct {
	change   []float32
	examples int64
}

// train trains a round's parameters on the client's own data. epoch is told how far it is.
func (c *Client) train(ctx context.Context, plan Plan, round int64, params []float32, epoch func(ml.Epoch)) (trained, error) {
	p, err := c.parts(ctx, plan.Shape)
	if err != nil {
		return trained{}, err
	}
	n, err := plan.Shape.network(params)
	if err != nil {
		return trained{}, err
	}
	if _, err := n.Train(ctx, p.scaler.Scale(p.train), p.scaler.Scale(p.threshold), ml.Training{
		Epochs: plan.Epochs, Batch: plan.Batch, Rate: plan.Rate, Noise: plan.Blur, Proximal: plan.Proximal, Patience: -1,
		Exposed: p.scaler.Scale(p.exposed), Exposure: plan.Exposure, Margin: plan.Margin, Seed: seed(round, c.ID), Epoch: epoch,
	}); err != nil {
		return trained{}, err
	}
	change := n.Params()
	for i := range change {
		change[i] -= params[i]
	}
	if plan.Noise > 0 {
		if _, err := privacy.Clip(change, plan.Clip); err != nil {
			return trained{}, err
		}
	}
	return trained{change, int64(len(p.train))}, nil
}

// seed is of the order in which a client trains in a round: the same each time that it does.
func seed(round int64, client string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", round, client)
	return h.Sum64()
}

// Evaluation is what a client found of parameters on its held-out part: those that a round began with (before) and those
// that it made. Found means that the score is over the client's own threshold, which each gets of its own.
type Evaluation struct {
	HeldOut           int     `json:"held_out"` // usual vectors
	LossBefore        float64 `json:"loss_before"`
	Loss              float64 `json:"loss"` // mean squared error of scaled values
	FalseAlarmsBefore int     `json:"false_alarms_before"`
	FalseAlarms       int     `json:"false_alarms"` // usual vectors that are found
	// Injected anomalies are the same vectors with one feature of the newest block shifted by four spreads, each feature in turn.
	Injected      int `json:"injected"`
	InjectedFound int `json:"injected_found"`
	// Attacks are vectors of attacks that were not trained on.
	Attacks            int `json:"attacks"`
	AttacksFoundBefore int `json:"attacks_found_before"`
	AttacksFound       int `json:"attacks_found"`
}

// Check says what is wrong with figures that a client sent, if something is. The error is of kind Invalid.
func (e Evaluation) Check() error {
	bad := func(field string) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: field + " does not fit the other figures, or is not finite"}
	}
	within := func(n, most int) bool { return n >= 0 && n <= most && most <= 1e9 }
	for _, loss := range []float64{e.LossBefore, e.Loss} {
		if !(loss >= 0) || math.IsInf(loss, 0) {
			return bad("loss")
		}
	}
	switch {
	case e.HeldOut < 1:
		return bad("held_out")
	case !within(e.FalseAlarms, e.HeldOut) || !within(e.FalseAlarmsBefore, e.HeldOut):
		return bad("false_alarms")
	case e.Injected < 1 || !within(e.InjectedFound, e.Injected):
		return bad("injected")
	case !within(e.AttacksFound, e.Attacks) || !within(e.AttacksFoundBefore, e.Attacks):
		return bad("attacks")
	}
	return nil
}

// Accuracy is the balanced accuracy of the client's threshold: the mean of the parts of usual vectors that are not found, and
// of injected anomalies that are.
func (e Evaluation) Accuracy() float64 {
	return (1 - float64(e.FalseAlarms)/float64(e.HeldOut) + float64(e.InjectedFound)/float64(e.Injected)) / 2
}

// evaluate compares parameters on the client's held-out part.
func (c *Client) evaluate(ctx context.Context, shape Shape, before, after []float32) (Evaluation, error) {
	p, err := c.parts(ctx, shape)
	if err != nil {
		return Evaluation{}, err
	}
	e := Evaluation{HeldOut: len(p.heldOut), Injected: len(p.fakes), Attacks: len(p.attacks)}
	var ignored int
	for _, one := range []struct {
		params                       []float32
		loss                         *float64
		falseAlarms, injected, found *int
	}{{before, &e.LossBefore, &e.FalseAlarmsBefore, &ignored, &e.AttacksFoundBefore}, {after, &e.Loss, &e.FalseAlarms, &e.InjectedFound, &e.AttacksFound}} {
		m, err := p.model(one.params, p.threshold)
		if err != nil {
			return Evaluation{}, err
		}
		scorer := m.Scorer()
		count := func(vectors [][]float64, loss *float64) (over int) {
			for _, v := range vectors {
				score := scorer.Score(v)
				if score > m.Threshold {
					over++
				}
				if loss != nil {
					*loss += score / float64(len(vectors))
				}
			}
			return over
		}
		*one.falseAlarms, *one.injected, *one.found = count(p.heldOut, one.loss), count(p.fakes, nil), count(p.attacks, nil)
	}
	if math.IsInf(e.LossBefore, 0) || math.IsInf(e.Loss, 0) {
		return Evaluation{}, &breakwater.Error{Kind: breakwater.Conflict, Message: "client " + c.ID + " cannot score with the parameters: its losses are not finite"}
	}
	return e, nil
}

// install makes the client's own model and hands it on.
func (c *Client) install(ctx context.Context, shape Shape, round, version int64, params []float32) error {
	if c.Install == nil {
		return nil
	}
	p, err := c.parts(ctx, shape)
	if err != nil {
		return err
	}
	m, err := p.release(params)
	if err != nil {
		return err
	}
	return c.Install(ctx, Release{Round: round, Version: version, Model: m, Rows: len(p.train) + len(p.threshold) + len(p.heldOut)})
}
