package breakwater

import "time"

// Presence says whether a facility is heard of.
type Presence string

// The presences: something came within the last seconds, or not.
const (
	Active Presence = "active"
	Silent Presence = "silent"
)

// FacilityStatus is how one facility stands at present.
type FacilityStatus struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Status        Presence   `json:"status"`          // by wall time: a replayed capture is heard of now
	LastSeen      *time.Time `json:"last_seen"`       // data time of its newest window or detection; nil: none yet
	PacketsPerSec float64    `json:"packets_per_sec"` // of its newest second; 0 where it is silent
	// Version grows with each change of Status: the Unix milliseconds of the change; 0 where there was none.
	Version int64 `json:"version"`
}

// IngestStatus is how fast data comes in, and whether all of it does.
type IngestStatus struct {
	EventsPerSec float64 `json:"events_per_sec"` // mean of the last 10 s of wall time
	Lag          int64   `json:"lag"`            // batches that have come and are not durable yet
	Dropped      int64   `json:"dropped"`        // what is known to be lost since the server started
}

// SystemStatus is the whole system at a glance.
type SystemStatus struct {
	ActiveAlerts       int              `json:"active_alerts"`       // new or acknowledged
	FLProgress         *float64         `json:"fl_progress"`         // 0–100, of the current round; nil: there never was one
	PredictionAccuracy *float64         `json:"prediction_accuracy"` // 0–1: validated of those validated or expired; nil: there are none
	Facilities         []FacilityStatus `json:"facilities"`          // by id
	Ingest             IngestStatus     `json:"ingest"`
	UptimeSeconds      int64            `json:"uptime_seconds"`
	Version            string           `json:"version"` // of the program
}
