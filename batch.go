package breakwater

import "context"

// Batch is what a sensor sends up at a time, in the order of data time.
type Batch struct {
	FacilityID string      `json:"facility_id"`
	Windows    []Window    `json:"windows,omitempty"`
	Detections []Detection `json:"detections,omitempty"`
	Assets     []Asset     `json:"assets,omitempty"` // what has changed of them since the last batch
	Talks      []Talk      `json:"talks,omitempty"`  // what went by of conversations since they were told of last
	Events     int64       `json:"events,omitempty"` // messages decoded since the last batch
}

// Send is the only way up from a sensor to a server. It returns when the batch is durable. The slices are the
// sender's again afterwards. Delivery is at least once: a batch may come twice and does no harm then.
type Send func(context.Context, Batch) error
