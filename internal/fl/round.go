package fl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode"

	"breakwater"
	"breakwater/internal/fl/privacy"
	"breakwater/internal/ml"
	"breakwater/internal/store"
)

// A round is read from here to the end of the file (how its clients are waited for is in gather.go): each step does its work, and what it changed is saved together with
// the name of the next one. Where the process dies, the next one enters at the saved step and does it again; what a step
// had given out by then (parameters to clients, live reports) may be given out twice, and is the same.
//
//	step        does                                                          saved with the next step
//	wait        its turn                                                      begun, a deadline
//	select      chooses clients; too few by the deadline: failed              the clients
//	distribute  finds the parameters to begin with, makes the first ones      their version, a deadline
//	train       clients train; each update is saved as it comes, once         -
//	collect     looks whether enough came; from here on none is taken         -
//	aggregate   makes one change of all, with noise where it is on            the candidate, its cost in privacy
//	evaluate    clients compare it on what nobody trained on; worse: failed   published, accuracy
//	publish     clients of this process take it over                          ended
var steps = []struct {
	step store.Step
	do   func(*round, context.Context) error
}{
	{store.StepWait, (*round).wait},
	{store.StepSelect, (*round).choose},
	{store.StepDistribute, (*round).distribute},
	{store.StepTrain, (*round).train},
	{store.StepCollect, (*round).collect},
	{store.StepAggregate, (*round).aggregate},
	{store.StepEvaluate, (*round).evaluate},
	{store.StepPublish, (*round).publish},
}

// round is one run through the steps.
type round struct {
	*Coordinator
	run     *store.Run
	plan    Plan
	clients map[string]Client // members in this process, by id

	// What is saved with the next step, beside run.
	model   *store.GlobalModel
	report  breakwater.RoundReport
	members []breakwater.FLClient
}

// failed is why a round ends without a result.
type failed string

func (f failed) Error() string { return string(f) }

const (
	// attempts is how often a step is tried while something is in the way that may pass, a second between.
	attempts = 30
	// heardFor is how long a client of another process counts as there after it was heard of: it asks each ten seconds.
	heardFor = 30 * time.Second
	// evaluateWithin bounds the evaluation.
	evaluateWithin = 2 * time.Minute
	// lookEvery is how often a step that waits looks, if nothing wakes it.
	lookEvery = 250 * time.Millisecond
	// lookRarely is the least time between two looks.
	lookRarely = 10 * time.Millisecond
)

// round goes on with a run at its saved step. It returns when the round has ended, ctx ends, or another coordinator goes
// through the round.
func (c *Coordinator) round(ctx context.Context, run *store.Run) error {
	r := &round{Coordinator: c, run: run}
	if err := json.Unmarshal(run.Plan, &r.plan); err != nil {
		return r.fail(ctx, failed("its plan cannot be read"))
	}
	var err error
	if r.clients, err = c.local(ctx); err != nil {
		return err
	}
	first := slices.IndexFunc(steps, func(s struct {
		step store.Step
		do   func(*round, context.Context) error
	}) bool {
		return s.step == run.Step
	})
	if first < 0 {
		return r.fail(ctx, failed("it stands at an unknown step, "+string(run.Step)))
	}
	c.Log.Info("federation: a round goes on", "round", run.RoundID, "step", run.Step)
	for i := first; i < len(steps); i++ {
		for attempt := 1; ; attempt++ {
			r.model, r.members, r.report = nil, nil, breakwater.RoundReport{}
			err := steps[i].do(r, ctx)
			if err == nil {
				err = r.save(ctx, i)
			}
			why, over := errors.AsType[failed](err)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return nil
			case breakwater.KindOf(err) == breakwater.Outdated, steps[i].step == store.StepWait: // another may have begun first
				return err
			case over:
				return r.fail(ctx, why)
			case attempt == attempts:
				return r.fail(ctx, failed(fmt.Sprintf("step %s could not be done: %s", steps[i].step, err)))
			default:
				c.Log.Warn("federation: a step is tried again", "round", run.RoundID, "step", steps[i].step, "err", err)
				c.pause(ctx, time.Second)
				continue
			}
			break
		}
	}
	return nil
}

// phases say what is shown of a step, once it is the next one: from which progress on it is, in percent.
var phases = map[store.Step]struct {
	phase    breakwater.Phase
	progress float64
}{
	store.StepSelect: {breakwater.Distributing, 0}, store.StepDistribute: {breakwater.Distributing, 2},
	store.StepTrain: {breakwater.Training, 5}, store.StepCollect: {breakwater.Training, 80},
	store.StepAggregate: {breakwater.Aggregating, 82}, store.StepEvaluate: {breakwater.Aggregating, 86}, store.StepPublish: {breakwater.Aggregating, 96},
}

// save saves what step i changed, and that the next one is to be done.
func (r *round) save(ctx context.Context, i int) error {
	from := steps[i].step
	if i == len(steps)-1 {
		shown, err := r.Store.EndRun(ctx, r.run, from, nil, breakwater.RoundCompleted, "", now())
		r.tell(shown)
		return err
	}
	next := *r.run
	next.Step = steps[i+1].step
	r.report.Phase, r.report.Progress = phases[next.Step].phase, phases[next.Step].progress
	shown, err := r.Store.Advance(ctx, &next, from, r.model, r.report, r.members, nil, now())
	if err != nil {
		return err
	}
	*r.run = next
	r.tell(shown)
	return nil
}

// fail ends the round. What it made is not kept.
func (r *round) fail(ctx context.Context, why failed) error {
	reason := strings.Map(func(c rune) rune { // one line, as Round.End wants it
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, string(why))
	if len(reason) > 200 {
		reason = strings.ToValidUTF8(reason[:197], "") + "…"
	}
	var model *store.GlobalModel
	if r.run.Candidate > 0 {
		model = &store.GlobalModel{Version: r.run.Candidate, State: store.ModelRejected}
	}
	shown, err := r.Store.EndRun(ctx, r.run, r.run.Step, model, breakwater.RoundFailed, reason, now())
	if err == nil {
		r.Log.Info("federation: a round failed", "round", r.run.RoundID, "why", reason)
		r.tell(shown)
	}
	return err
}

func now() time.Time { return time.Now().UTC() }

// wait is for the round's turn, which has come: OpenRun gives no other.
func (r *round) wait(context.Context) error {
	r.run.Deadline = now().Add(r.plan.Deadline)
	return nil
}

// choose takes all clients that are there, or as many of them, by chance, as a round may have.
func (r *round) choose(ctx context.Context) error {
	var there []store.Member
	for {
		var err error
		if there, err = r.there(ctx); err != nil {
			return err
		}
		if len(there) >= r.plan.MinClients {
			break
		}
		if now().After(r.run.Deadline) {
			return failed(fmt.Sprintf("%d of the %d clients that it needs were there within %s", len(there), r.plan.MinClients, r.plan.Deadline))
		}
		if r.pause(ctx, min(time.Until(r.run.Deadline)+time.Millisecond, time.Second)); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.run.Members = there
	if len(there) > store.MaxClients {
		rand.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
		r.run.Members = there[:store.MaxClients]
	}
	r.run.Eligible = int64(len(there))
	for _, m := range r.run.Members {
		r.members = append(r.members, breakwater.FLClient{ID: m.ID, FacilityID: m.FacilityID, Name: m.Name, Status: breakwater.ClientActive, Epochs: r.plan.Epochs})
	}
	remote := "updates stay in this process"
	if slices.ContainsFunc(r.run.Members, func(m store.Member) bool { return m.Remote }) {
		remote = "as the connections that they come by; no secure aggregation"
	}
	r.report.Encryption = &remote
	return nil
}

// there are the clients that could take part now, by id.
func (r *round) there(ctx context.Context) ([]store.Member, error) {
	var err error
	if r.clients, err = r.local(ctx); err != nil {
		return nil, err
	}
	remote, err := r.Store.Members(ctx, now().Add(-heardFor))
	if err != nil {
		return nil, err
	}
	all := map[string]store.Member{}
	for id, c := range r.clients {
		all[id] = store.Member{ID: id, FacilityID: c.FacilityID, Name: c.Name}
	}
	for _, m := range remote { // a client that stands at its facility goes before one that knows of it here
		if m.Examples > 0 {
			maps.DeleteFunc(all, func(_ string, o store.Member) bool { return !o.Remote && o.FacilityID == m.FacilityID })
			all[m.ID] = m
		}
	}
	scope := strings.Split(r.run.Scope, ",")
	maps.DeleteFunc(all, func(_ string, m store.Member) bool { return r.run.Scope != "" && !slices.Contains(scope, m.FacilityID) })
	return slices.SortedFunc(maps.Values(all), func(a, b store.Member) int { return strings.Compare(a.ID, b.ID) }), nil
}

// distribute finds what the round begins with: what was published last, or untrained parameters, the same for all.
func (r *round) distribute(ctx context.Context) error {
	r.run.Deadline = now().Add(r.plan.Deadline)
	shape, err := json.Marshal(r.plan.Shape)
	if err != nil {
		return err
	}
	newest, err := r.Store.NewestGlobal(ctx, r.run.Scope)
	if err != nil {
		return err
	}
	if newest != nil && string(newest.Shape) == string(shape) {
		r.run.Base = newest.Version
		return nil
	}
	n, err := r.plan.Shape.Untrained()
	if err != nil {
		return failed(err.Error())
	}
	r.model = &store.GlobalModel{Scope: r.run.Scope, State: store.ModelInitial, Shape: shape, Params: n.Params(), CreatedAt: now()}
	return nil
}

// train lets the clients of this process train and waits for all, or for the deadline.
func (r *round) train(ctx context.Context) error {
	base, err := r.Store.Global(ctx, r.run.Base)
	if err != nil {
		return err
	}
	message := Encode(base.Params)
	return r.gather(ctx, r.Store.Updated, message, func(ctx context.Context, c Client) error {
		params, err := Decode(message)
		if err != nil {
			return err
		}
		begun := breakwater.FLClient{ID: c.ID, FacilityID: c.FacilityID, Name: c.Name, Status: breakwater.ClientActive, Epochs: r.plan.Epochs}
		result, err := c.train(ctx, r.plan, r.run.RoundID, params, func(e ml.Epoch) {
			begun.Epoch, begun.Progress = e.Number, 100*float64(e.Number)/float64(e.Of)
			if r.plan.Noise == 0 {
				begun.Loss = &e.Loss
			}
			if err := r.Coordinator.report(ctx, begun); err != nil && ctx.Err() == nil {
				r.Log.Warn("federation: how a client stands was not kept", "client", c.ID, "err", err)
			}
		})
		if err != nil {
			return err
		}
		return r.TakeUpdate(ctx, r.run.RoundID, c.ID, result.examples, Encode(result.change))
	}, func(r *round, shown *breakwater.Round, since time.Time) (progress float64, expected *time.Time) {
		return 5 + 75*r.trained(shown), r.expected(shown, since)
	})
}

// collect looks whether enough updates came. The step before took the last.
func (r *round) collect(ctx context.Context) error {
	came, err := r.Store.Updated(ctx, r.run.RoundID)
	if err != nil {
		return err
	}
	if len(came) < r.plan.MinClients {
		return failed(fmt.Sprintf("%d of %d clients sent an update within %s; %d are needed", len(came), len(r.run.Members), r.plan.Deadline, r.plan.MinClients))
	}
	active, total := len(came), len(r.run.Members)
	r.report.ClientsActive, r.report.TotalClients = &active, &total
	return nil
}

// aggregate makes new parameters of the updates. Where noise is on it is added here, once: where the process dies before
// that is saved, it is drawn anew, and nobody has seen the first.
func (r *round) aggregate(ctx context.Context) error {
	base, err := r.Store.Global(ctx, r.run.Base)
	if err != nil {
		return err
	}
	updates, err := r.Store.Updates(ctx, r.run.RoundID)
	if err != nil {
		return err
	}
	candidate := &store.GlobalModel{RoundID: &r.run.RoundID, Scope: r.run.Scope, State: store.ModelCandidate, Shape: base.Shape, CreatedAt: now()}
	var change []float32
	if r.plan.Noise > 0 {
		candidate.Cost = &store.PrivacyCost{Rate: float64(len(r.run.Members)) / float64(max(r.run.Eligible, 1)), Multiplier: r.plan.Noise}
		if err := r.account(ctx, *candidate.Cost); err != nil {
			return err
		}
		if change, err = r.private(updates); err != nil {
			return err
		}
	} else {
		change = strategies[r.plan.Strategy].Aggregate(updates)
	}
	candidate.Params = base.Params
	for i, v := range change {
		candidate.Params[i] += v
		if x := candidate.Params[i]; x-x != 0 {
			return failed("the updates make parameters that are not finite")
		}
	}
	r.model = candidate
	r.run.Deadline = now().Add(min(evaluateWithin, r.plan.Deadline))
	return nil
}

// private is the sum of the clipped changes with noise, over the number of members, which was known before any trained: one
// that did not come counts as no change.
func (r *round) private(updates []store.Update) ([]float32, error) {
	sum := make([]float32, len(updates[0].Change))
	for _, u := range updates {
		if _, err := privacy.Clip(u.Change, r.plan.Clip); err != nil { // it may not have done so itself
			return nil, err
		}
		for i, v := range u.Change {
			sum[i] += v
		}
	}
	r.Noise.Add(sum, r.plan.Noise*privacy.FixedSize.Sensitivity(r.plan.Clip))
	for i := range sum {
		sum[i] /= float32(len(r.run.Members))
	}
	return sum, nil
}

// account says what all rounds with noise, and one of this cost more, have spent, and fails where that is over the budget.
func (r *round) account(ctx context.Context, cost store.PrivacyCost) error {
	costs, err := r.Store.PrivacyCosts(ctx)
	if err != nil {
		return err
	}
	epsilon, err := Epsilon(append(costs, cost), r.plan.Delta)
	if err != nil {
		return failed(err.Error())
	}
	delta := r.plan.Delta
	if r.plan.Budget > 0 {
		left := r.plan.Budget - epsilon
		if left < 0 {
			return failed(fmt.Sprintf("it would bring ε to %.3g, over the budget of %g", epsilon, r.plan.Budget))
		}
		r.report.BudgetRemaining = &left
	}
	r.report.Epsilon, r.report.Delta = &epsilon, &delta
	return nil
}

// Epsilon is what releases cost in all, for a δ.
func Epsilon(costs []store.PrivacyCost, delta float64) (float64, error) {
	times := map[store.PrivacyCost]int{}
	for _, c := range costs {
		times[c]++
	}
	var spent privacy.Accountant
	for c, n := range times {
		if err := spent.Add(privacy.Mechanism{Sampling: privacy.FixedSize, Rate: c.Rate, Multiplier: c.Multiplier}, n); err != nil {
			return 0, err
		}
	}
	epsilon, _ := spent.Epsilon(delta)
	return epsilon, nil
}

// evaluate lets the members compare the candidate with what the round began with. It is published where it is no worse.
func (r *round) evaluate(ctx context.Context) error {
	base, err := r.Store.Global(ctx, r.run.Base)
	if err != nil {
		return err
	}
	candidate, err := r.Store.Global(ctx, r.run.Candidate)
	if err != nil {
		return err
	}
	message := Encode(candidate.Params)
	if err := r.gather(ctx, r.Store.Evaluated, message, func(ctx context.Context, c Client) error {
		after, err := Decode(message)
		if err != nil {
			return err
		}
		found, err := c.evaluate(ctx, r.plan.Shape, base.Params, after)
		if err != nil {
			return err
		}
		return r.TakeEvaluation(ctx, r.run.RoundID, c.ID, found)
	}, func(*round, *breakwater.Round, time.Time) (float64, *time.Time) {
		return phases[store.StepEvaluate].progress, nil
	}); err != nil {
		return err
	}
	texts, err := r.Store.Evaluations(ctx, r.run.RoundID)
	if err != nil {
		return err
	}
	var all []Evaluation
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		var e Evaluation
		if err := json.Unmarshal(texts[id], &e); err != nil {
			return err
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return failed("no client compared the new parameters with those before")
	}
	if why := worse(all); why != "" {
		return failed(why)
	}
	accuracy := 0.0
	for _, e := range all {
		accuracy += e.Accuracy() / float64(len(all))
	}
	accuracy = min(accuracy, 1)
	r.report.Accuracy = &accuracy
	candidate.State = store.ModelPublished
	r.model = candidate
	return nil
}

const (
	// Loss may rise by 2 % between two evaluations that are equally good: data is finite. Where clients find more of their
	// attacks by as much as recallGain, it may rise by more: what is usual is given back a little worse, then.
	lossMargin       = 1.02
	lossForDetection = 1.25
	recallGain       = 0.02
)

// worse says why new parameters are worse than those before, "" where they are not: by the ratio of the losses on held-out
// usual vectors, the geometric mean over clients, so that none counts for more because its traffic is livelier; and by how
// many of the held-out vectors of attacks are found, over all clients, at thresholds of one quantile.
func worse(all []Evaluation) string {
	sum, attacks, found, before := 0.0, 0, 0, 0
	for _, e := range all {
		const small = 1e-9
		sum += math.Log((e.Loss + small) / (e.LossBefore + small))
		attacks, found, before = attacks+e.Attacks, found+e.AttacksFound, before+e.AttacksFoundBefore
	}
	ratio, limit := math.Exp(sum/float64(len(all))), lossMargin
	if attacks > 0 {
		gain := float64(found-before) / float64(attacks)
		if gain < -recallGain {
			return fmt.Sprintf("the new parameters are worse: of %d held-out vectors of attacks %d are found, %d before; what was published before stays", attacks, found, before)
		}
		if gain >= recallGain {
			limit = lossForDetection
		}
	}
	if ratio > limit {
		return fmt.Sprintf("the new parameters are worse: the loss on held-out data is %.3g times what it was; what was published before stays", ratio)
	}
	return ""
}

// publish lets the clients of this process make their own models of the new parameters. Others fetch them.
func (r *round) publish(ctx context.Context) error {
	published, err := r.Store.Global(ctx, r.run.Candidate)
	if err != nil {
		return err
	}
	for _, m := range r.run.Members {
		c, here := r.clients[m.ID]
		if !here || m.Remote {
			continue
		}
		if err := c.install(ctx, r.plan.Shape, r.run.RoundID, published.Version, published.Params); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Log.Warn("federation: a client does not detect with the new parameters", "round", r.run.RoundID, "client", c.ID, "err", err)
		}
	}
	return nil
}
