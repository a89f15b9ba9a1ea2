package fl

import (
	"context"
	"log/slog"
	"time"

	"breakwater"
	"breakwater/internal/client"
	"breakwater/internal/ml"
)

// Follower is a client of a federation whose coordinator is in another process.
type Follower struct {
	Client
	Server   *client.Client
	Examples func() int64 // about how many vectors it could train on now; 0: it is not to be chosen
	Log      *slog.Logger

	published int64 // version of the shared parameters that it detects with
	away      bool
}

// Run asks the coordinator what to do, and does it, until ctx ends. What goes wrong is logged and tried again, as long as the
// coordinator asks for it.
func (f *Follower) Run(ctx context.Context) {
	for ctx.Err() == nil {
		again := 10 * time.Second
		var task Task
		examples := int64(0)
		if f.Examples != nil {
			if n := f.Examples(); n >= int64(Windows.Context.Span()+leastVectors) { // as of facilities whose windows are in the store
				examples = n
			}
		}
		err := f.Server.JoinFederation(ctx, f.ID, f.FacilityID, examples, &task)
		if err == nil {
			again = time.Duration(min(max(task.Again, 0.05), 60) * float64(time.Second))
			err = f.do(ctx, task)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !f.away:
			f.Log.Warn("federation: what the server asks for was not done", "task", task.Do, "round", task.Round, "err", err)
			f.away = breakwater.KindOf(err) == breakwater.Unavailable // told once
		case err == nil:
			f.away = false
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// do does what the coordinator asks for.
func (f *Follower) do(ctx context.Context, task Task) error {
	if task.Do != DoWait && (task.Shape == nil || task.Deadline == nil) {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: "the server's task has no shape or no deadline"}
	}
	switch task.Do {
	case DoTrain:
		return f.train(ctx, task)
	case DoEvaluate:
		before, err := f.parameters(ctx, task.Base)
		if err != nil {
			return err
		}
		after, err := f.parameters(ctx, task.Candidate)
		if err != nil {
			return err
		}
		found, err := f.evaluate(ctx, *task.Shape, before, after)
		if err != nil {
			return err
		}
		return f.Server.PutEvaluation(ctx, task.Round, f.ID, found)
	}
	if task.Published == 0 || task.Published == f.published || task.Shape == nil {
		return nil
	}
	params, err := f.parameters(ctx, task.Published)
	if err != nil {
		return err
	}
	if err := f.install(ctx, *task.Shape, task.From, task.Published, params); err != nil {
		if breakwater.KindOf(err) == breakwater.Conflict { // too little data yet
			return nil
		}
		return err
	}
	f.published = task.Published
	f.Log.Info("federation: the sensor detects with new shared parameters", "version", task.Published, "round", task.From)
	return nil
}

func (f *Follower) train(ctx context.Context, task Task) error {
	lesson := task.Train
	if lesson == nil {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: "the server's task does not say how to train"}
	}
	params, err := f.parameters(ctx, task.Base)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, *task.Deadline)
	defer cancel()
	plan := Plan{Shape: *task.Shape, Batch: lesson.Batch, Rate: lesson.Rate, Blur: lesson.Blur, Proximal: lesson.Proximal, Exposure: lesson.Exposure, Margin: lesson.Margin}
	plan.Epochs = lesson.Epochs
	if lesson.Clip > 0 {
		plan.Noise, plan.Clip = 1, lesson.Clip // how much noise is the coordinator's matter
	}
	state := breakwater.FLClient{ID: f.ID, FacilityID: f.FacilityID, Name: f.Name, Status: breakwater.ClientActive}
	told := time.Time{}
	result, err := f.Client.train(ctx, plan, task.Round, params, func(e ml.Epoch) {
		if e.Number < e.Of && time.Since(told) < lookEvery { // a quick training is not held up by its reports
			return
		}
		told = time.Now()
		state.Epoch, state.Epochs, state.Progress = e.Number, e.Of, 100*float64(e.Number)/float64(e.Of)
		if lesson.Clip == 0 {
			state.Loss = &e.Loss
		}
		if err := f.Server.PutClient(ctx, state); err != nil && ctx.Err() == nil {
			f.Log.Debug("federation: how far the training is was not told", "err", err)
		}
	})
	if err != nil {
		return err
	}
	return f.Server.PutUpdate(ctx, task.Round, f.ID, result.examples, Encode(result.change))
}

func (f *Follower) parameters(ctx context.Context, version int64) ([]float32, error) {
	message, err := f.Server.Parameters(ctx, version)
	if err != nil {
		return nil, err
	}
	return Decode(message)
}
