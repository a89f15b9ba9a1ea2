package breakwater

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// PredictionStatus says what became of a prediction.
type PredictionStatus string

// The statuses. A prediction is validated when an alert of its facility shows a technique that it names, inside that
// technique's timeframe; expired when the last timeframe is over by data time and none was shown. What expired is
// validated after all where such an alert comes late: the outcome hangs on what happened at the plant, not on when it
// became known.
const (
	PredictionOpen      PredictionStatus = "open"
	PredictionValidated PredictionStatus = "validated"
	PredictionExpired   PredictionStatus = "expired"
)

// OwnEngine is the Source of Breakwater's own predictions.
const OwnEngine = "breakwater"

// Prediction is what an attacker may do next, as one engine saw it at one moment of data time.
type Prediction struct {
	ID          ID        `json:"id"`
	Timestamp   time.Time `json:"timestamp"` // data time; whole milliseconds
	FacilityID  string    `json:"facility_id"`
	Source      string    `json:"source"`                 // the engine that says so
	Current     string    `json:"current_technique"`      // id of the technique seen last
	CurrentName string    `json:"current_technique_name"` // "" where the engine gave none
	AlertID     *ID       `json:"alert_id"`               // the alert that showed it; nil: none, or it is not kept any more
	Seen        []string  `json:"seen_techniques"`        // ids of what it was made from, in order of appearance; empty where the engine gave none

	Status    PredictionStatus `json:"status"`
	ExpiresAt time.Time        `json:"expires_at"` // data time; when the last timeframe is over

	// Validated is Status validated in other words. ValidationTime is the data time of the detection that showed it; of a
	// prediction that a person validated, when that was done; nil until then.
	Validated      bool       `json:"validated"`
	ValidationTime *time.Time `json:"validation_time"`

	Predicted []PredictedTechnique `json:"predicted_techniques"` // in order of rank, 1 to n
	Version   int                  `json:"version"`              // grows by one with each saved change
}

// PredictedTechnique is one technique that may come next.
type PredictedTechnique struct {
	TechniqueID   string  `json:"technique_id"`
	TechniqueName string  `json:"technique_name"`
	Probability   float64 `json:"probability"` // 0–1
	Rank          int     `json:"rank"`        // 1 is the likeliest
	Timeframe     string  `json:"timeframe"`   // how soon, in the engine's words

	Why []Reason `json:"why"` // what speaks for it, most first; empty where the engine gave none

	// ObservedAt is the data time at which an alert first showed it inside its timeframe, and ObservedIn that alert; nil
	// until then.
	ObservedAt *time.Time `json:"observed_at"`
	ObservedIn *ID        `json:"observed_in"`
}

// Reason is one thing that makes a technique likely.
type Reason struct {
	Kind  string  `json:"kind"`  // campaign, group, software, tactic, asset, mitigation; "flow" for a published attack flow
	ID    string  `json:"id"`    // of ATT&CK; "" for a flow
	Name  string  `json:"name"`  //
	Share float64 `json:"share"` // part of the technique's score that came by it, 0–1
	// Path are ids from a technique that was seen to the predicted one, hubs between; a flow stands by its name. Where what
	// was seen is further than two hubs away, it begins on the way.
	Path []string `json:"path"`
	Seen []string `json:"seen"` // techniques of what was seen that it has too
}

// Sighting is a technique that an alert showed at one moment of data time.
type Sighting struct {
	Technique, Name string // id and name as the detection has them
	Time            time.Time
	Alert           ID
}

// DefaultTimeframe is that of a prediction whose engine says none, or says it in words that ParseTimeframe does not read.
const DefaultTimeframe = 24 * time.Hour

// timeframeMax bounds a timeframe that is read: who says more says nothing.
const timeframeMax = 1000 * 24 * time.Hour

var (
	spans = regexp.MustCompile(`(?i)(?:(\d{1,9}(?:\.\d{1,3})?)\s*(?:-|–|to)\s*)?(\d{1,9}(?:\.\d{1,3})?)\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|hr|h|days?|d|weeks?|w)\b`)
	units = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
)

// ParseTimeframe reads how soon something is said to come: the latest time that the words name, as 24 hours of "within 24
// hours", 60 minutes of "15-60 minutes", 2 days of "1 hour to 2 days". ok is false where they name none, or more than 1,000 days.
func ParseTimeframe(words string) (d time.Duration, ok bool) {
	for _, m := range spans.FindAllStringSubmatch(words, -1) {
		for _, n := range m[1:3] { // "60-15 minutes" says the same
			number, err := strconv.ParseFloat(n, 64)
			if err != nil {
				continue
			}
			span := number * float64(units[m[3][0]|0x20])
			if span > float64(timeframeMax) {
				return 0, false
			}
			d = max(d, time.Duration(span))
		}
	}
	return d, d > 0
}

// Within is how long after its prediction the technique is awaited.
func (t *PredictedTechnique) Within() time.Duration {
	if d, ok := ParseTimeframe(t.Timeframe); ok {
		return d
	}
	return DefaultTimeframe
}

// MaxPredicted is the most techniques that one prediction names: more than ATT&CK for ICS has.
const MaxPredicted = 200

// CheckTechniqueID reports whether id has the form of an ATT&CK technique's: T0855, T1234.001. The error is of kind
// Invalid and names field.
func CheckTechniqueID(field, id string) error {
	if IsTechnique(id) {
		return nil
	}
	return &Error{Kind: Invalid, Field: field, Message: field + " " + quote(id) + " is not a technique's id: it looks like T0855 or T0855.001"}
}

// End is when the last timeframe is over.
func (p *Prediction) End() time.Time {
	end := p.Timestamp
	for i := range p.Predicted {
		if until := p.Timestamp.Add(p.Predicted[i].Within()); until.After(end) {
			end = until
		}
	}
	return end
}

// Identify gives the prediction an id of what it says of whom and when, where it has none: the same report twice is
// the same prediction.
func (p *Prediction) Identify() {
	if p.ID != (ID{}) {
		return
	}
	about := ""
	if p.AlertID != nil {
		about = p.AlertID.String()
	}
	p.ID = NewID(p.Timestamp, "prediction", p.FacilityID, p.Source, p.Current, about)
}

// Check says what is wrong with a prediction, if something is, and puts its techniques in order of rank. The error is
// of kind Invalid.
func (p *Prediction) Check() error {
	if err := CheckFacilityID(p.FacilityID); err != nil {
		return err
	}
	if err := CheckTechniqueID("current_technique", p.Current); err != nil {
		return err
	}
	bad := func(field, format string, args ...any) error {
		return &Error{Kind: Invalid, Field: field, Message: field + fmt.Sprintf(format, args...)}
	}
	if p.Source == "" {
		return bad("source", " is empty: name the engine that predicts")
	}
	for field, text := range map[string]string{"source": p.Source, "current_technique_name": p.CurrentName} {
		if err := checkLine(field, text); err != nil {
			return err
		}
	}
	if n := len(p.Predicted); n < 1 || n > MaxPredicted {
		return bad("predicted_techniques", " holds %d techniques: give 1 to %d", n, MaxPredicted)
	}
	ranks, techniques := make([]bool, len(p.Predicted)), map[string]bool{}
	for i := range p.Predicted {
		t, field := &p.Predicted[i], "predicted_techniques["+strconv.Itoa(i)+"]."
		if err := CheckTechniqueID(field+"technique_id", t.TechniqueID); err != nil {
			return err
		}
		if err := checkLine(field+"technique_name", t.TechniqueName); err != nil {
			return err
		}
		if err := checkLine(field+"timeframe", t.Timeframe); err != nil {
			return err
		}
		switch {
		case !(t.Probability >= 0 && t.Probability <= 1): // not a number too
			return bad(field+"probability", " %v is not a probability: it is 0 to 1", t.Probability)
		case t.Rank < 1 || t.Rank > len(p.Predicted):
			return bad(field+"rank", " %d is not allowed: the ranks of %d techniques are 1 to %d", t.Rank, len(p.Predicted), len(p.Predicted))
		case ranks[t.Rank-1]:
			return bad(field+"rank", " %d is given twice: each technique has its own", t.Rank)
		case techniques[t.TechniqueID]:
			return bad(field+"technique_id", " %s is given twice", t.TechniqueID)
		}
		ranks[t.Rank-1], techniques[t.TechniqueID] = true, true
	}
	slices.SortFunc(p.Predicted, func(a, b PredictedTechnique) int { return a.Rank - b.Rank })
	return nil
}

// MaxText is the most characters of a name or a reason that an engine outside gives.
const MaxText = 200

// checkLine refuses what is no single line of text that an engine outside may give.
func checkLine(field, s string) error {
	if err := CheckText(field, s, MaxText); err != nil {
		return err
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return &Error{Kind: Invalid, Field: field, Message: field + " holds a control character: give one line of text"}
	}
	return nil
}
