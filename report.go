package breakwater

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ReportSourcesMax bounds the sources of one report.
const ReportSourcesMax = 32

// Report is an alert as a detector outside Breakwater tells of it. It stands for itself: its severity and words are
// its own, and no detection of ours joins it.
type Report struct {
	FacilityID      string
	Asset           string // "" where it names none
	Severity        Severity
	Title           string
	Description     string
	AttackType      string // technique id, "" where it names none
	AttackName      string
	ContextAnalysis string
	ExternalID      string // what it is called where it comes from; the same one of a facility is the same alert. "": it has no name
	Sources         []Source
}

// Alert is the alert of a report: its sources are marked as external, its times are those of the sources, and its
// confidence follows from theirs as for any alert. The error is of kind Invalid.
func (r *Report) Alert() (*Alert, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	a := &Alert{
		FacilityID: r.FacilityID, Asset: r.Asset, Severity: r.Severity, Status: StatusNew, Title: r.Title, Description: r.Description,
		AttackType: r.AttackType, AttackName: r.AttackName, Techniques: []string{}, ContextAnalysis: r.ContextAnalysis, ExternalID: r.ExternalID,
	}
	if r.AttackType != "" {
		a.Techniques = []string{r.AttackType}
	}
	models := make([]string, len(r.Sources))
	for i, s := range r.Sources {
		s.DetectedAt = s.DetectedAt.UTC()
		s.CountedUntil, s.Count, s.External, s.Muted = s.DetectedAt, 1, true, false
		s.Severity, s.Title, s.Technique, s.TechniqueName = r.Severity, r.Title, r.AttackType, r.AttackName
		a.Sources = append(a.Sources, s)
		a.Count++
		if i == 0 || s.DetectedAt.Before(a.Timestamp) {
			a.Timestamp = s.DetectedAt
		}
		if s.DetectedAt.After(a.LastSeen) {
			a.LastSeen = s.DetectedAt
		}
		models[i] = s.Model
		a.History = append(a.History, AlertEvent{Time: s.DetectedAt, Kind: "detection", By: s.Model, Text: s.Evidence})
	}
	slices.SortStableFunc(a.History, func(x, y AlertEvent) int { return x.Time.Compare(y.Time) })
	a.Confidence, _ = agreement(a.Sources)
	a.Summary = "reported by " + strings.Join(models, ", ")
	name := r.ExternalID
	if name == "" {
		name = rand.Text()
	}
	a.ID = NewID(a.Timestamp, r.FacilityID, "external", name)
	return a, nil
}

func (r *Report) check() error {
	if err := CheckFacilityID(r.FacilityID); err != nil {
		return err
	}
	bad := func(field, format string, args ...any) error {
		return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	type text struct {
		field, value string
		most         int
	}
	texts := []text{
		{"asset", r.Asset, 64}, {"title", r.Title, 200}, {"description", r.Description, 4000}, {"attack_name", r.AttackName, 200},
		{"context_analysis", r.ContextAnalysis, 4000}, {"external_id", r.ExternalID, 128},
	}
	switch {
	case r.Severity.Rank() == 0:
		return bad("severity", "severity %s is none of critical, high, medium, low", quote(string(r.Severity)))
	case strings.TrimSpace(r.Title) == "":
		return bad("title", "an alert needs a title")
	case r.AttackType != "" && !IsTechnique(r.AttackType):
		return bad("attack_type", "attack_type %s is not an ATT&CK id like T0855", quote(r.AttackType))
	case len(r.Sources) == 0 || len(r.Sources) > ReportSourcesMax:
		return bad("sources", "an alert has 1 to %d sources, and this one %d", ReportSourcesMax, len(r.Sources))
	}
	for i := range r.Sources {
		s := &r.Sources[i]
		in := fmt.Sprintf("sources[%d].", i)
		switch {
		case s.Layer < LayerAnomaly || s.Layer > LayerPrediction:
			return bad(in+"layer", "layer %d is none of 1, 2, 3", s.Layer)
		case strings.TrimSpace(s.Model) == "":
			return bad(in+"model_name", "a source needs a model_name")
		case !(s.Confidence >= 0 && s.Confidence <= 1): // not a number too
			return bad(in+"confidence", "confidence %v is not between 0 and 1", s.Confidence)
		case s.DetectedAt.UTC().Year() < 1 || s.DetectedAt.UTC().Year() > 9999 || s.DetectedAt.IsZero():
			return bad(in+"detection_time", "detection_time %s is not between the years 1 and 9999", s.DetectedAt.UTC().Format(time.RFC3339))
		}
		if zone := s.Talk.Client.Zone() + s.Talk.Server.Zone(); zone != "" {
			return bad(in+"conversation", "an address of the conversation has the zone %s, which means something on one host only", quote(zone))
		}
		texts = append(texts, text{in + "conversation.protocol", string(s.Talk.Protocol), 32}, text{in + "model_name", s.Model, 64}, text{in + "evidence", s.Evidence, 4000}, text{in + "context_evidence", s.ContextEvidence, 4000})
	}
	for _, t := range texts {
		if err := CheckText(t.field, t.value, t.most); err != nil {
			return err
		}
	}
	return nil
}

var technique = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

// IsTechnique reports whether id looks like that of an ATT&CK technique, as T0855 or T1059.001.
func IsTechnique(id string) bool { return technique.MatchString(id) }

// CheckText refuses a text from outside that is longer than most characters, is not UTF-8, or holds control characters
// other than line breaks and tabs: no database keeps all of them, and terminals obey some. The error is of kind Invalid.
func CheckText(field, text string, most int) error {
	switch {
	case !utf8.ValidString(text):
		return &Error{Kind: Invalid, Field: field, Message: field + " is not UTF-8"}
	case utf8.RuneCountInString(text) > most:
		return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf("%s has %d characters: give at most %d", field, utf8.RuneCountInString(text), most)}
	case strings.ContainsFunc(text, control):
		return &Error{Kind: Invalid, Field: field, Message: field + " holds control characters"}
	}
	return nil
}

// CleanText is text with U+FFFD for what CheckText refuses in it: what comes from packets is kept, not refused.
func CleanText(text string) string {
	return strings.Map(func(r rune) rune {
		if control(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

func control(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }
