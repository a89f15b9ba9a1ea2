package fl

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"breakwater"
	"breakwater/internal/store"
)

// Task is what a client of another process is to do now. docs/federation.md describes it for those who write one.
type Task struct {
	Do        string     `json:"do"`                     // wait, train or evaluate
	Round     int64      `json:"round_id,omitempty"`     // 0: none
	Base      int64      `json:"base_version,omitempty"` // of the parameters to begin with, or to compare with
	Candidate int64      `json:"candidate_version,omitempty"`
	Deadline  *time.Time `json:"deadline,omitempty"`
	Train     *Lesson    `json:"training,omitempty"`
	Published int64      `json:"published_version"` // the newest parameters to detect with; 0: there are none
	Shape     *Shape     `json:"shape,omitempty"`   // of the round's network, or of what is published
	From      int64      `json:"published_round_id,omitempty"`
	Again     float64    `json:"ask_again_seconds"`
}

// Lesson is how to train.
type Lesson struct {
	Epochs   int     `json:"epochs"`
	Batch    int     `json:"batch"`
	Rate     float64 `json:"rate"`
	Blur     float64 `json:"input_noise"`
	Proximal float64 `json:"proximal"`
	Exposure float64 `json:"exposure"`
	Margin   float64 `json:"margin"`
	Clip     float64 `json:"clipping_norm"` // 0: the change is not clipped
}

// The things to do.
const (
	DoWait     = "wait"
	DoTrain    = "train"
	DoEvaluate = "evaluate"
)

// Poll notes that a client of another process is there and says what it is to do.
func (c *Coordinator) Poll(ctx context.Context, m store.Member) (Task, error) {
	c.ready()
	if m.Name == "" {
		m.Name = m.ID
	}
	if err := c.Store.SaveMember(ctx, m, now()); err != nil {
		return Task{}, err
	}
	task := Task{Do: DoWait, Again: 10}
	published, err := c.Store.PublishedFor(ctx, m.FacilityID)
	if err != nil {
		return Task{}, err
	}
	if published != nil {
		task.Published = published.Version
		if published.RoundID != nil {
			task.From = *published.RoundID
		}
		if err := json.Unmarshal(published.Shape, &task.Shape); err != nil {
			return Task{}, err
		}
	}
	run, err := c.Store.OpenRun(ctx)
	if err != nil || run == nil || run.Step == store.StepWait {
		return task, err
	}
	task.Again = 1
	if !slices.ContainsFunc(run.Members, func(o store.Member) bool { return o.ID == m.ID && o.Remote }) {
		return task, nil
	}
	var done []string
	switch run.Step {
	case store.StepTrain:
		done, err = c.Store.Updated(ctx, run.RoundID)
	case store.StepEvaluate:
		done, err = c.Store.Evaluated(ctx, run.RoundID)
	default:
		return task, nil
	}
	if err != nil || slices.Contains(done, m.ID) {
		return task, err
	}
	var plan Plan
	if err := json.Unmarshal(run.Plan, &plan); err != nil {
		return Task{}, err
	}
	task.Round, task.Base, task.Deadline, task.Shape = run.RoundID, run.Base, &run.Deadline, &plan.Shape
	if run.Step == store.StepEvaluate {
		task.Do, task.Candidate = DoEvaluate, run.Candidate
		return task, nil
	}
	task.Do = DoTrain
	task.Train = &Lesson{Epochs: plan.Epochs, Batch: plan.Batch, Rate: plan.Rate, Blur: plan.Blur, Proximal: plan.Proximal, Exposure: plan.Exposure, Margin: plan.Margin}
	if plan.Noise > 0 {
		task.Train.Clip = plan.Clip
	}
	return task, nil
}

// Parameters are shared parameters by version, as they are on the wire. What is fetched during a round counts among its
// bytes. The error is of kind NotFound where there are none.
func (c *Coordinator) Parameters(ctx context.Context, version int64) ([]byte, error) {
	c.ready()
	model, err := c.Store.Global(ctx, version)
	if err != nil {
		return nil, err
	}
	message := Encode(model.Params)
	run, err := c.Store.OpenRun(ctx)
	if err != nil || run == nil || version != run.Base && version != run.Candidate {
		return message, err
	}
	return message, c.Store.CountBytes(ctx, run.RoundID, int64(len(message)), 0)
}

// TakeUpdate takes in what a client made of a round's parameters: their change, as it is on the wire. The same client's
// second one is not counted. Errors are of kind Invalid where the body or the number of examples is wrong, NotFound where
// it is no round of ours or the client is no part of it, and Conflict where the round does not take updates at present.
func (c *Coordinator) TakeUpdate(ctx context.Context, round int64, client string, examples int64, body []byte) error {
	c.ready()
	if examples < 1 || examples > mostVectors {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "examples", Message: fmt.Sprintf("examples %d is not allowed: it is 1 to %d", examples, mostVectors)}
	}
	change, err := Decode(body)
	if err != nil {
		return err
	}
	run, err := c.Store.RunOf(ctx, round)
	if err != nil {
		return err
	}
	if run.Base > 0 {
		base, err := c.Store.Global(ctx, run.Base)
		if err != nil {
			return err
		}
		if len(change) != len(base.Params) {
			return &breakwater.Error{Kind: breakwater.Invalid, Field: "body", Message: fmt.Sprintf("the body holds %d numbers; the round's parameters are %d", len(change), len(base.Params))}
		}
	}
	err = c.Store.SaveUpdate(ctx, round, store.Update{ClientID: client, Examples: examples, Change: change}, int64(len(body)), now())
	c.poke()
	return err
}

// TakeEvaluation takes in what a client found of a round's candidate. Errors are as TakeUpdate's.
func (c *Coordinator) TakeEvaluation(ctx context.Context, round int64, client string, found Evaluation) error {
	c.ready()
	if err := found.Check(); err != nil {
		return err
	}
	text, err := json.Marshal(found)
	if err != nil {
		return err
	}
	run, err := c.Store.RunOf(ctx, round)
	if err != nil {
		return err
	}
	// Shown first: with the last evaluation the round goes on, perhaps to its end.
	if known, err := c.Store.Client(ctx, client); err == nil && run.Step == store.StepEvaluate && slices.ContainsFunc(run.Members, func(m store.Member) bool { return m.ID == client }) {
		accuracy := found.Accuracy()
		known.Accuracy, known.Progress, known.Status = &accuracy, 100, breakwater.ClientActive
		if err := c.report(ctx, *known); err != nil {
			return err
		}
	}
	err = c.Store.SaveEvaluation(ctx, round, client, text, int64(len(text)))
	c.poke()
	return err
}
