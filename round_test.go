package breakwater

import (
	"math"
	"strings"
	"testing"
	"time"
)

func of[T any](x T) *T { return &x }

// training is the report of a round half-way.
func training() RoundReport {
	return RoundReport{Number: 3, Phase: Training, Progress: 50, Epsilon: of(1.5), DataSize: of[int64](1000)}
}

func round(t *testing.T) *Round {
	t.Helper()
	r, err := NewRound(7, training(), t0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRoundNeverGoesBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*RoundReport)
		kind   ErrorKind
		says   string // "": it is taken
	}{
		{"the same again", func(*RoundReport) {}, 0, ""},
		{"further", func(r *RoundReport) {
			r.Phase, r.Progress, r.Epsilon, r.DataSize = Aggregating, 90, of(1.6), of[int64](2000)
		}, 0, ""},
		{"nothing said of privacy", func(r *RoundReport) { r.Epsilon, r.DataSize = nil, nil }, 0, ""},
		{"accuracy may fall", func(r *RoundReport) { r.Accuracy = of(0.1) }, 0, ""},
		{"another number", func(r *RoundReport) { r.Number = 4 }, Conflict, "round 7 has number 3, not 4"},
		{"phase", func(r *RoundReport) { r.Phase = Distributing }, Conflict, "round 7 is training already: it does not go back to distributing"},
		{"progress", func(r *RoundReport) { r.Progress = 49.9 }, Conflict, "round 7 is at 50 already: it does not fall to 49.9"},
		{"epsilon", func(r *RoundReport) { r.Epsilon = of(1.0) }, Conflict, "epsilon of 1.5"},
		{"bytes", func(r *RoundReport) { r.DataSize = of[int64](999) }, Conflict, "has sent 1000 bytes"},
		{"number 0", func(r *RoundReport) { r.Number = 0 }, Invalid, "round_number 0"},
		{"phase complete", func(r *RoundReport) { r.Phase = Complete }, Invalid, "POST …/complete"},
		{"no phase", func(r *RoundReport) { r.Phase = "resting" }, Invalid, `phase "resting"`},
		{"progress over 100", func(r *RoundReport) { r.Progress = 100.1 }, Invalid, "progress 100.1"},
		{"progress no number", func(r *RoundReport) { r.Progress = math.NaN() }, Invalid, "progress NaN"},
		{"accuracy over 1", func(r *RoundReport) { r.Accuracy = of(94.0) }, Invalid, "model_accuracy 94"},
		{"epsilon endless", func(r *RoundReport) { r.Epsilon = of(math.Inf(1)) }, Invalid, "epsilon +Inf"},
		{"delta", func(r *RoundReport) { r.Delta = of(1.1) }, Invalid, "delta 1.1"},
		{"budget", func(r *RoundReport) { r.BudgetRemaining = of(-1.0) }, Invalid, "privacy_budget_remaining -1"},
		{"negative bytes", func(r *RoundReport) { r.DataSize = of[int64](-1) }, Invalid, "data_size -1"},
		{"half a count", func(r *RoundReport) { r.ClientsActive = of(1) }, Invalid, "give both or none"},
		{"more active than there are", func(r *RoundReport) { r.ClientsActive, r.TotalClients = of(7), of(6) }, Invalid, "clients_active 7"},
		{"encryption over two lines", func(r *RoundReport) { r.Encryption = of("TLS\n1.3") }, Invalid, "control character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := round(t)
			before := *r
			report := training()
			c.change(&report)
			changed, err := r.Report(report, t0.Add(time.Minute))
			if c.says == "" {
				if err != nil || changed != (c.name == "further" || c.name == "accuracy may fall") {
					t.Errorf("changed %t, %v", changed, err)
				}
				return
			}
			if KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want kind %d and %q", err, c.kind, c.says)
			}
			if r.Progress != before.Progress || r.Phase != before.Phase || r.LastUpdate != before.LastUpdate || *r.Epsilon != *before.Epsilon {
				t.Errorf("a refused report changed the round: %+v", r)
			}
		})
	}
	if _, err := NewRound(0, training(), t0); KindOf(err) != Invalid {
		t.Errorf("round 0: %v", err)
	}
}

func TestRoundEndsOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		ends     []RoundStatus
		reasons  []string
		changed  bool
		kind     ErrorKind
		refused  bool
		phase    Phase
		progress float64
	}{
		{"completed", []RoundStatus{RoundCompleted}, []string{""}, true, 0, false, Complete, 100},
		{"failed", []RoundStatus{RoundFailed}, []string{"power cut"}, true, 0, false, Training, 50},
		{"failed without reason", []RoundStatus{RoundFailed}, []string{""}, false, Invalid, true, Training, 50},
		{"completed with a reason", []RoundStatus{RoundCompleted}, []string{"why not"}, false, Invalid, true, Training, 50},
		{"in progress is no end", []RoundStatus{RoundInProgress}, []string{""}, false, Invalid, true, Training, 50},
		{"completed twice", []RoundStatus{RoundCompleted, RoundCompleted}, []string{"", ""}, false, 0, false, Complete, 100},
		{"failed twice", []RoundStatus{RoundFailed, RoundFailed}, []string{"power cut", "power cut"}, false, 0, false, Training, 50},
		{"failed for another reason", []RoundStatus{RoundFailed, RoundFailed}, []string{"power cut", "rats"}, false, Conflict, true, Training, 50},
		{"failed, then completed", []RoundStatus{RoundFailed, RoundCompleted}, []string{"power cut", ""}, false, Conflict, true, Training, 50},
		{"completed, then failed", []RoundStatus{RoundCompleted, RoundFailed}, []string{"", "rats"}, false, Conflict, true, Complete, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := round(t)
			var changed bool
			var err error
			for i, status := range c.ends {
				changed, err = r.End(status, c.reasons[i], t0.Add(time.Duration(i+1)*time.Minute))
			}
			if changed != c.changed || (err != nil) != c.refused || c.refused && KindOf(err) != c.kind {
				t.Errorf("changed %t, %v", changed, err)
			}
			if r.Phase != c.phase || r.Progress != c.progress {
				t.Errorf("it is %s at %v, want %s at %v", r.Phase, r.Progress, c.phase, c.progress)
			}
			if r.EndTime != nil {
				if !r.EndTime.Equal(t0.Add(time.Minute)) {
					t.Errorf("it ended at %v, want the first time it was said", r.EndTime)
				}
				if _, err := r.Report(training(), t0); KindOf(err) != Conflict {
					t.Errorf("a report after the end: %v", err)
				}
			}
		})
	}
}

// An engine that says when its round ends is believed, until then.
func TestRoundExpected(t *testing.T) {
	t.Parallel()
	r, err := NewRound(1, RoundReport{Number: 1, Phase: Training, Progress: 50}, t0)
	if err != nil {
		t.Fatal(err)
	}
	end := t0.Add(3 * time.Minute)
	r.ExpectedEnd = &end
	if r.Estimate(t0.Add(90 * time.Second)); r.TimeRemaining == nil || *r.TimeRemaining != 1.5 {
		t.Errorf("%v minutes remain, want 1.5", r.TimeRemaining)
	}
	if r.Estimate(t0.Add(4 * time.Minute)); r.TimeRemaining != nil {
		t.Errorf("%v minutes remain after its end, want none known", *r.TimeRemaining)
	}
}

func TestRoundEstimate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		first, last   float64 // progress, ten minutes apart
		after         time.Duration
		end           RoundStatus
		want          float64
		unknown, same bool
	}{
		{"half in ten minutes", 0, 50, 10 * time.Minute, "", 10, false, false},
		{"a while after the report", 0, 50, 14 * time.Minute, "", 6, false, false},
		{"it began at 20", 20, 60, 10 * time.Minute, "", 10, false, false},
		{"it should have ended", 0, 50, 21 * time.Minute, "", 0, true, false},
		{"it has not moved", 20, 20, 10 * time.Minute, "", 0, true, false},
		{"only one report", 20, 20, 0, "", 0, true, true},
		{"all but ended", 0, 100, 10 * time.Minute, "", 0, false, false},
		{"completed", 0, 50, time.Hour, RoundCompleted, 0, false, false},
		{"failed", 0, 50, time.Hour, RoundFailed, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report := RoundReport{Number: 1, Phase: Training, Progress: c.first}
			r, err := NewRound(1, report, t0)
			if err == nil && !c.same {
				report.Progress = c.last
				_, err = r.Report(report, t0.Add(10*time.Minute))
			}
			if err == nil && c.end != "" {
				_, err = r.End(c.end, map[RoundStatus]string{RoundFailed: "rats"}[c.end], t0.Add(11*time.Minute))
			}
			if err != nil {
				t.Fatal(err)
			}
			r.Estimate(t0.Add(c.after))
			switch {
			case c.unknown && r.TimeRemaining != nil:
				t.Errorf("%v minutes remain, but that cannot be known", *r.TimeRemaining)
			case !c.unknown && (r.TimeRemaining == nil || *r.TimeRemaining != c.want):
				t.Errorf("%v minutes remain, want %v", r.TimeRemaining, c.want)
			}
		})
	}
}

func TestClientCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*FLClient)
		says  string
	}{
		"right":    {func(*FLClient) {}, ""},
		"id":       {func(c *FLClient) { c.ID = "Client 1" }, `"Client 1" may not name a client`},
		"no id":    {func(c *FLClient) { c.ID = "" }, "may not name a client"},
		"facility": {func(c *FLClient) { c.FacilityID = "North!" }, `facility id "North!"`},
		"status":   {func(c *FLClient) { c.Status = "asleep" }, `status "asleep"`},
		"progress": {func(c *FLClient) { c.Progress = -1 }, "progress -1"},
		"epoch":    {func(c *FLClient) { c.Epoch = 6 }, "current_epoch 6"},
		"loss":     {func(c *FLClient) { c.Loss = of(math.NaN()) }, "loss is not a number"},
		"accuracy": {func(c *FLClient) { c.Accuracy = of(1.5) }, "accuracy 1.5"},
		"name":     {func(c *FLClient) { c.Name = "a\x00b" }, "control character"},
		"name cut": {func(c *FLClient) { c.Name = strings.Repeat("x", MaxText+1) }, "give at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := FLClient{ID: "c1", FacilityID: "north", Status: ClientActive, Progress: 50, Epoch: 1, Epochs: 5}
			c.spoil(&client)
			err := client.Check()
			if c.says == "" && err != nil || c.says != "" && (KindOf(err) != Invalid || err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
