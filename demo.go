package breakwater

import "time"

// DemoStatus is how a run of a demo scenario stands.
type DemoStatus string

// The statuses. Only one that runs changes.
const (
	DemoRunning     DemoStatus = "running"
	DemoCompleted   DemoStatus = "completed"   // all that was expected was found
	DemoFailed      DemoStatus = "failed"      // something was not, or it could not be played to its end
	DemoInterrupted DemoStatus = "interrupted" // the server that played it went away
)

// DemoRun is one run of a demo scenario: a simulated plant whose packets go through the way of the data, and what was
// expected of that.
type DemoRun struct {
	ID         ID          `json:"scenario_id"`
	Scenario   string      `json:"scenario"`   // port-scan, fl-round, multi-stage
	Facilities []string    `json:"facilities"` // where it is played
	Status     DemoStatus  `json:"status"`
	Stage      string      `json:"stage"`    // what happens at present, or happened last, in words
	Progress   float64     `json:"progress"` // 0–100
	Expected   []DemoCheck `json:"expected"` // in the order in which it should happen
	Message    string      `json:"message"`  // why it failed or was interrupted, "" otherwise
	StartedAt  time.Time   `json:"started_at"`
	EndedAt    *time.Time  `json:"ended_at"` // nil: it runs
	Version    int         `json:"version"`  // grows by one with each saved change
}

// DemoCheck is one thing that a scenario expects, and what was found of it.
type DemoCheck struct {
	What   string `json:"what"`
	Found  bool   `json:"found"`
	Detail string `json:"detail"` // what was found, "" while nothing is
	// After is how long after the scenario's beginning it happened, seconds of data time; nil: not found, or it has no
	// data time.
	After   *float64 `json:"after"`
	AlertID *ID      `json:"alert_id"` // of the alert that shows it; nil: none does
}
