package attack

import (
	"context"
	"time"

	"breakwater"
)

// Graph is what alerts and predictions add to the Catalogue: which facility has shown which technique, and which one is
// awaited after which.
//
//	facility ─► alert ─► technique            seen
//	facility ─► prediction ─► technique       awaited, or seen since
//
// The store answers it from its tables; internal/neo4j answers it in Cypher from a copy that follows the store.
// internal/attack/graphtest holds both to the same answers.
type Graph interface {
	// TechniquesSeen are the techniques that alerts have shown: by facility, in the order in which they first did. What
	// mutes cover and false positives do not count.
	TechniquesSeen(ctx context.Context, q Sightings) ([]SeenTechnique, error)
	// Transitions are what the open predictions of these facilities, or of all where none is named, await, and what
	// validated predictions foresaw that was seen since, each once. Only predictions that were open between from and to
	// count; zero is open.
	Transitions(ctx context.Context, facilities []string, from, to time.Time) ([]Transition, error)
}

// RecentSpan is for how long after it was last seen a technique counts as what an attacker has done: as long as the
// longest timeframe of our own predictions.
const RecentSpan = 7 * 24 * time.Hour

// Sightings says which sightings of techniques are asked for.
type Sightings struct {
	Facilities []string  // none: of all
	Recent     bool      // only in the RecentSpan before each facility's newest data; From and To are zero then
	From, To   time.Time // went on not before From, and before To; zero: open
}

// SeenTechnique is a technique that alerts of a facility have shown.
type SeenTechnique struct {
	FacilityID  string
	Technique   string // id as the alerts have it
	Alerts      int    // that showed it
	First, Last time.Time
}

// Transition is one technique after another: predicted and awaited, or predicted and seen since.
type Transition struct {
	From, To    string // ids as the predictions have them
	Predictions int
	Probability float64 // the greatest that was said
	Observed    bool    // To was seen inside its timeframe
}

// Changes are alerts and predictions as they stand now, for a copy of the graph that has not heard of them.
type Changes struct {
	Alerts      []ShowingAlert
	Predictions []breakwater.Prediction
	Gone        []breakwater.ID         // of alerts and predictions that are not kept any more
	Marks       map[breakwater.ID]int64 // of each of these, what says whether it has changed again
}

// ShowingAlert is an alert, without Sources and History, and what it has shown.
type ShowingAlert struct {
	breakwater.Alert
	Shown []Showing // by technique; detections that a mute covered left out
}

// Showing is when an alert has shown a technique.
type Showing struct {
	Technique   string
	First, Last time.Time // data time
}

// Presence is a facility and its newest data.
type Presence struct {
	FacilityID string
	LastSeen   time.Time // data time; zero: there is none
}
