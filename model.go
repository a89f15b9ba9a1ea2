package breakwater

import (
	"encoding/json"
	"time"
)

// ModelSource says how a model came to be.
type ModelSource string

// The sources of models.
const (
	Trained   ModelSource = "train"      // on a facility's own windows
	Federated ModelSource = "federation" // in a round, by facilities together
)

// ModelVersion is one model of a facility, as it is kept. Of each kind one version is active: the facility's sensors
// detect with it.
type ModelVersion struct {
	Version     int64           `json:"version"` // one row of numbers over all facilities; a greater one is newer
	FacilityID  string          `json:"facility_id"`
	Kind        string          `json:"kind"` // isolation-forest, autoencoder
	Source      ModelSource     `json:"source"`
	RoundID     *int64          `json:"round_id"`    // of the federation; nil: it was not one
	Fingerprint string          `json:"fingerprint"` // SHA-256 of the model file, in hex
	Bytes       int64           `json:"bytes"`       // of the model file
	Rows        int64           `json:"rows"`        // vectors it was trained and validated on
	Metrics     json.RawMessage `json:"metrics"`     // what its training found, as an object: threshold, quantile, epochs …
	CreatedAt   time.Time       `json:"created_at"`  // wall time
	Active      bool            `json:"active"`
}

// Span is a stretch of data time, both ends included.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}
