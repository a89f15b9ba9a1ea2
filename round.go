package breakwater

import (
	"fmt"
	"math"
	"time"
)

// RoundStatus is how a federated round stands.
type RoundStatus string

// The statuses of a round. One that is not in progress never changes again.
const (
	RoundInProgress RoundStatus = "in-progress"
	RoundCompleted  RoundStatus = "completed"
	RoundFailed     RoundStatus = "failed"
)

// Phase is what a round does at present.
type Phase string

// The phases, in their order. A failed round stays in the phase in which it failed.
const (
	Distributing Phase = "distributing"
	Training     Phase = "training"
	Aggregating  Phase = "aggregating"
	Complete     Phase = "complete"
)

// step is a phase's place, from 1; 0 for anything else.
func (p Phase) step() int {
	for i, phase := range []Phase{Distributing, Training, Aggregating, Complete} {
		if p == phase {
			return i + 1
		}
	}
	return 0
}

// Round is one round of federated learning, as the engine that runs it reports.
//
//	(none) ── report ──► in-progress ── report ──► in-progress ── end ──► completed | failed
//
// While it is in progress its number stays, and its phase, progress, epsilon and data size never go back.
type Round struct {
	ID       int64       `json:"id"`
	Number   int64       `json:"round_number"`
	Status   RoundStatus `json:"status"`
	Phase    Phase       `json:"phase"`
	Progress float64     `json:"progress"` // 0–100
	Epsilon  *float64    `json:"epsilon"`  // privacy spent, as the engine's accountant says; nil: none is counted
	Accuracy *float64    `json:"model_accuracy"`

	ClientsActive int        `json:"clients_active"`
	TotalClients  int        `json:"total_clients"`
	Clients       []FLClient `json:"clients"` // those that reported in this round, by id; of an ended round as they stood at its end

	StartTime  time.Time  `json:"start_time"`  // when its first report came
	EndTime    *time.Time `json:"end_time"`    // nil while it is in progress
	LastUpdate time.Time  `json:"last_update"` // when the last report that changed something came
	// TimeRemaining is in minutes, nil where it cannot be known; Estimate sets it.
	TimeRemaining *float64 `json:"time_remaining"`
	Reason        string   `json:"reason"`  // why it failed, "" otherwise
	Version       int      `json:"version"` // grows by one with each saved change

	// What the engine says of privacy beside Epsilon; nil: nothing.
	Delta           *float64 `json:"-"`
	DataSize        *int64   `json:"-"` // bytes sent in this round
	Encryption      *string  `json:"-"`
	BudgetRemaining *float64 `json:"-"`

	// ExpectedEnd is when its engine thinks that it ends, by what it measured; nil: it does not say.
	ExpectedEnd *time.Time `json:"-"`

	FirstProgress                 float64 `json:"-"` // of its first report
	ReportedActive, ReportedTotal *int    `json:"-"` // nil: counted from Clients
}

// RoundReport is what an engine says of a round that goes on. A nil field says nothing and changes nothing.
type RoundReport struct {
	Number                      int64
	Phase                       Phase
	Progress                    float64
	Accuracy                    *float64
	Epsilon, Delta              *float64
	DataSize                    *int64
	Encryption                  *string
	BudgetRemaining             *float64
	ClientsActive, TotalClients *int
}

// NewRound begins a round with its first report. The error is of kind Invalid.
func NewRound(id int64, report RoundReport, now time.Time) (*Round, error) {
	if id < 1 {
		return nil, &Error{Kind: Invalid, Field: "id", Message: fmt.Sprintf("round id %d is not allowed: ids count from 1", id)}
	}
	r := &Round{ID: id, Number: report.Number, Status: RoundInProgress, Phase: Distributing, StartTime: now, LastUpdate: now,
		FirstProgress: report.Progress, Clients: []FLClient{}}
	_, err := r.Report(report, now)
	return r, err
}

// Report takes in what an engine says of the round and reports whether that changed anything; the same report twice
// does not. Errors are of kind Invalid where the report is wrong in itself, and Conflict where it would make the round
// go back or comes after its end; the round is as it was then.
func (r *Round) Report(report RoundReport, now time.Time) (changed bool, err error) {
	if err := report.check(); err != nil {
		return false, err
	}
	if r.Status != RoundInProgress {
		return false, r.conflict("status", "has ended (%s): nothing more can be reported of it", r.Status)
	}
	switch {
	case report.Number != r.Number:
		return false, r.conflict("round_number", "has number %d, not %d: a round keeps its number", r.Number, report.Number)
	case report.Phase.step() < r.Phase.step():
		return false, r.conflict("phase", "is %s already: it does not go back to %s", r.Phase, report.Phase)
	case report.Progress < r.Progress:
		return false, r.conflict("progress", "is at %v already: it does not fall to %v", r.Progress, report.Progress)
	case report.Epsilon != nil && r.Epsilon != nil && *report.Epsilon < *r.Epsilon:
		return false, r.conflict("epsilon", "has spent an epsilon of %v: it does not fall to %v", *r.Epsilon, *report.Epsilon)
	case report.DataSize != nil && r.DataSize != nil && *report.DataSize < *r.DataSize:
		return false, r.conflict("data_size", "has sent %d bytes: that does not fall to %d", *r.DataSize, *report.DataSize)
	}
	active, total := latest(&r.ReportedActive, report.ClientsActive), latest(&r.ReportedTotal, report.TotalClients)
	changed = r.Phase != report.Phase || r.Progress != report.Progress || active || total
	r.Phase, r.Progress = report.Phase, report.Progress
	for _, field := range []struct{ kept, said **float64 }{
		{&r.Accuracy, &report.Accuracy}, {&r.Epsilon, &report.Epsilon}, {&r.Delta, &report.Delta}, {&r.BudgetRemaining, &report.BudgetRemaining},
	} {
		changed = latest(field.kept, *field.said) || changed
	}
	changed = latest(&r.DataSize, report.DataSize) || changed
	changed = latest(&r.Encryption, report.Encryption) || changed
	if changed {
		r.LastUpdate = now
	}
	return changed, nil
}

// End completes the round, or lets it fail with a reason, and reports whether that changed anything: ending it twice in the
// same way does not. Errors are of kind Invalid, and Conflict where it has ended otherwise.
func (r *Round) End(status RoundStatus, reason string, now time.Time) (changed bool, err error) {
	switch {
	case status != RoundCompleted && status != RoundFailed:
		return false, &Error{Kind: Invalid, Field: "status", Message: "status " + quote(string(status)) + " does not end a round: use completed or failed"}
	case status == RoundFailed && reason == "":
		return false, &Error{Kind: Invalid, Field: "reason", Message: "a failed round needs a reason"}
	case status == RoundCompleted && reason != "":
		return false, &Error{Kind: Invalid, Field: "reason", Message: "a completed round takes no reason: leave it away, or report the round as failed"}
	case r.Status == status && r.Reason == reason:
		return false, nil
	case r.Status == status:
		return false, r.conflict("reason", "has failed for another reason: %s", r.Reason)
	case r.Status != RoundInProgress:
		return false, r.conflict("status", "has ended already (%s)", r.Status)
	}
	if err := checkLine("reason", reason); err != nil {
		return false, err
	}
	r.Status, r.Reason, r.EndTime, r.LastUpdate = status, reason, &now, now
	if status == RoundCompleted {
		r.Phase, r.Progress = Complete, 100
	}
	return true, nil
}

// Estimate sets TimeRemaining as of now: until ExpectedEnd where its engine says one, else taking the round to go on as
// fast as it went from its first report to its last. It is nil where the round has not moved yet, or should be at its end
// by now and is not; 0 where it has ended.
func (r *Round) Estimate(now time.Time) {
	r.TimeRemaining = nil
	if r.Status != RoundInProgress {
		r.TimeRemaining = new(float64)
		return
	}
	if r.ExpectedEnd != nil {
		if left := math.Round(r.ExpectedEnd.Sub(now).Minutes()*100) / 100; left >= 0 {
			r.TimeRemaining = &left
		}
		return
	}
	moved, took := r.Progress-r.FirstProgress, r.LastUpdate.Sub(r.StartTime).Minutes()
	if moved <= 0 || took <= 0 {
		return
	}
	left := (100-r.Progress)*took/moved - now.Sub(r.LastUpdate).Minutes()
	if left < 0 || math.IsInf(left, 0) {
		return
	}
	left = math.Round(left*100) / 100
	r.TimeRemaining = &left
}

func (r *Round) conflict(field, format string, args ...any) error {
	return &Error{Kind: Conflict, Field: field, Message: fmt.Sprintf("round %d ", r.ID) + fmt.Sprintf(format, args...)}
}

// check says what is wrong with a report in itself.
func (r *RoundReport) check() error {
	bad := func(field, format string, args ...any) error {
		return &Error{Kind: Invalid, Field: field, Message: field + " " + fmt.Sprintf(format, args...)}
	}
	negative := func(x *float64) bool { return x != nil && !(*x >= 0 && !math.IsInf(*x, 1)) } // not a number too
	step := r.Phase.step()
	switch {
	case r.Number < 1:
		return bad("round_number", "%d is not allowed: rounds count from 1", r.Number)
	case step == 0 || step == Complete.step():
		return bad("phase", "%s is not allowed: it is distributing, training or aggregating; POST …/complete ends a round", quote(string(r.Phase)))
	case !(r.Progress >= 0 && r.Progress <= 100):
		return bad("progress", "%v is not allowed: it is 0 to 100", r.Progress)
	case negative(r.Accuracy) || r.Accuracy != nil && *r.Accuracy > 1:
		return bad("model_accuracy", "%v is not allowed: it is 0 to 1", *r.Accuracy)
	case negative(r.Epsilon):
		return bad("epsilon", "%v is not allowed: it is 0 or more", *r.Epsilon)
	case negative(r.Delta) || r.Delta != nil && *r.Delta > 1:
		return bad("delta", "%v is not allowed: it is 0 to 1", *r.Delta)
	case negative(r.BudgetRemaining):
		return bad("privacy_budget_remaining", "%v is not allowed: it is 0 or more", *r.BudgetRemaining)
	case r.DataSize != nil && *r.DataSize < 0:
		return bad("data_size", "%d is not allowed: it is 0 bytes or more", *r.DataSize)
	case (r.ClientsActive == nil) != (r.TotalClients == nil):
		return bad("clients_active", "and total_clients go together: give both or none")
	case r.ClientsActive != nil && (*r.ClientsActive < 0 || *r.ClientsActive > *r.TotalClients):
		return bad("clients_active", "%d is not allowed: it is 0 to total_clients, which is %d", *r.ClientsActive, *r.TotalClients)
	case r.Encryption != nil:
		return checkLine("encryption", *r.Encryption)
	}
	return nil
}

// latest takes what was said over what was known, where something was said, and reports whether it differs.
func latest[T comparable](kept **T, said *T) bool {
	if said == nil || *kept != nil && **kept == *said {
		return false
	}
	*kept = said
	return true
}

// ClientStatus is how a client of the federation stands.
type ClientStatus string

// The statuses of a client.
const (
	ClientActive  ClientStatus = "active"
	ClientDelayed ClientStatus = "delayed"
	ClientOffline ClientStatus = "offline"
)

// FLClient is one client of the federation, as its last report says.
type FLClient struct {
	ID         string       `json:"id"` // 1 to 64 of a–z, 0–9, _ and -
	FacilityID string       `json:"facility_id"`
	Name       string       `json:"name"`
	Status     ClientStatus `json:"status"`
	Progress   float64      `json:"progress"` // 0–100, of its part of the round
	Epoch      int          `json:"current_epoch"`
	Epochs     int          `json:"total_epochs"`
	Loss       *float64     `json:"loss"`        // nil: not reported
	Accuracy   *float64     `json:"accuracy"`    // 0–1; nil: not reported
	LastUpdate time.Time    `json:"last_update"` // when the report came
	Version    int          `json:"version"`     // grows by one with each report
}

// CheckClientID reports whether id may name a client: the same as may name a facility. The error is of kind Invalid.
func CheckClientID(id string) error {
	if facilityID.MatchString(id) {
		return nil
	}
	return &Error{Kind: Invalid, Field: "id", Message: "id " + quote(id) + " may not name a client: use 1 to 64 of a-z, 0-9, _ and -"}
}

// Check says what is wrong with a client, if something is. The error is of kind Invalid.
func (c *FLClient) Check() error {
	bad := func(field, format string, args ...any) error {
		return &Error{Kind: Invalid, Field: field, Message: field + " " + fmt.Sprintf(format, args...)}
	}
	if err := CheckClientID(c.ID); err != nil {
		return err
	}
	if err := CheckFacilityID(c.FacilityID); err != nil {
		return err
	}
	switch {
	case c.Status != ClientActive && c.Status != ClientDelayed && c.Status != ClientOffline:
		return bad("status", "%s is not allowed: it is active, delayed or offline", quote(string(c.Status)))
	case !(c.Progress >= 0 && c.Progress <= 100):
		return bad("progress", "%v is not allowed: it is 0 to 100", c.Progress)
	case c.Epoch < 0 || c.Epoch > c.Epochs:
		return bad("current_epoch", "%d is not allowed: it is 0 to total_epochs, which is %d", c.Epoch, c.Epochs)
	case c.Loss != nil && (math.IsNaN(*c.Loss) || math.IsInf(*c.Loss, 0)):
		return bad("loss", "is not a number")
	case c.Accuracy != nil && !(*c.Accuracy >= 0 && *c.Accuracy <= 1):
		return bad("accuracy", "%v is not allowed: it is 0 to 1", *c.Accuracy)
	}
	return checkLine("name", c.Name)
}

// PrivacyMetrics is what an engine has said of privacy; nil: nothing.
type PrivacyMetrics struct {
	Epsilon         *float64 `json:"epsilon"`
	Delta           *float64 `json:"delta"`
	DataSize        *int64   `json:"data_size"` // bytes
	Encryption      *string  `json:"encryption"`
	BudgetRemaining *float64 `json:"privacy_budget_remaining"`
}
