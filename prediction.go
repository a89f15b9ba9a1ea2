package breakwater

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Prediction is what an attacker may do next, as one engine saw it at one moment of data time.
type Prediction struct {
	ID          ID        `json:"id"`
	Timestamp   time.Time `json:"timestamp"` // data time; whole milliseconds
	FacilityID  string    `json:"facility_id"`
	Source      string    `json:"source"`                 // the engine that says so
	Current     string    `json:"current_technique"`      // id of the technique seen last
	CurrentName string    `json:"current_technique_name"` // "" where the engine gave none
	AlertID     *ID       `json:"alert_id"`               // the alert that showed it; nil: none, or it is not kept any more

	// Validated says that what was predicted came true; ValidationTime when that was found, nil until then.
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
}

// MaxPredicted is the most techniques that one prediction names: more than ATT&CK for ICS has.
const MaxPredicted = 200

var techniqueID = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

// CheckTechniqueID reports whether id has the form of an ATT&CK technique's: T0855, T1234.001. The error is of kind
// Invalid and names field.
func CheckTechniqueID(field, id string) error {
	if techniqueID.MatchString(id) {
		return nil
	}
	return &Error{Kind: Invalid, Field: field, Message: field + " " + quote(id) + " is not a technique's id: it looks like T0855 or T0855.001"}
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
		if err := checkText(field, text); err != nil {
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
		if err := checkText(field+"technique_name", t.TechniqueName); err != nil {
			return err
		}
		if err := checkText(field+"timeframe", t.Timeframe); err != nil {
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

// checkText refuses what is no single line of text.
func checkText(field, s string) error {
	what := ""
	switch {
	case utf8.RuneCountInString(s) > MaxText:
		what = fmt.Sprintf(" has %d characters: give at most %d", utf8.RuneCountInString(s), MaxText)
	case !utf8.ValidString(s):
		what = " is not UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		what = " holds a control character: give one line of text"
	default:
		return nil
	}
	return &Error{Kind: Invalid, Field: field, Message: field + what}
}
