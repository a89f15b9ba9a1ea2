package breakwater

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is where an alert stands in triage.
type Status string

// The statuses. Unresolved means new or acknowledged.
const (
	StatusNew           Status = "new"
	StatusAcknowledged  Status = "acknowledged"
	StatusResolved      Status = "resolved"
	StatusFalsePositive Status = "false-positive"
)

// Open reports whether the alert still gathers detections.
func (s Status) Open() bool { return s == StatusNew || s == StatusAcknowledged }

// CorrelationSpan is how long after its last detection an open alert takes in further ones of its asset.
const CorrelationSpan = 5 * time.Minute

// AlertEventsMax bounds the history that detections write into one alert; what comes after is counted, not listed.
const AlertEventsMax = 200

// Alert is what an analyst works on: the detections of one asset that lie close together in time.
type Alert struct {
	ID         ID        `json:"id"`
	FacilityID string    `json:"facility_id"`
	Asset      string    `json:"asset"`
	Timestamp  time.Time `json:"timestamp"` // data time of the first detection
	LastSeen   time.Time `json:"last_seen"` // data time of the newest detection
	Severity   Severity  `json:"severity"`
	Status     Status    `json:"status"`

	Title       string   `json:"title"`
	Description string   `json:"description"`
	AttackType  string   `json:"attack_type"` // technique id of the strongest source, "" where it names none
	AttackName  string   `json:"attack_name"`
	Techniques  []string `json:"techniques"` // of all sources, each once, in order of appearance

	Confidence      float64 `json:"correlation_confidence"` // 0–1
	Summary         string  `json:"correlation_summary"`
	ContextAnalysis string  `json:"context_analysis"` // how the network looked in the 60 s before the first detection

	Sources  []Source `json:"sources"`
	Assignee string   `json:"assignee"`
	Count    int      `json:"count"`   // how often it happened: the sum over the sources
	Version  int      `json:"version"` // grows by one with each saved change

	Muted      bool   `json:"muted"`                 // a mute covered the newest detection of each of its sources
	ExternalID string `json:"external_id,omitempty"` // what a detector outside Breakwater calls it

	// History is what happened to the alert, oldest first: a new one's is filled by Absorb, a stored one's is read
	// on demand.
	History []AlertEvent `json:"-"`
}

// Source is what one model of one layer said of an alert.
type Source struct {
	Layer         int       `json:"layer"`
	Model         string    `json:"model_name"`
	Severity      Severity  `json:"severity"`
	Confidence    float64   `json:"confidence"`
	Technique     string    `json:"technique,omitempty"`
	TechniqueName string    `json:"technique_name,omitempty"`
	Title         string    `json:"title"`
	Evidence      string    `json:"evidence"`       // of its strongest detection
	LookAt        string    `json:"look_at"`        // what an analyst should look at next
	DetectedAt    time.Time `json:"detection_time"` // data time of its first detection
	CountedUntil  time.Time `json:"counted_until"`  // data time of its newest: what lies up to here has been counted
	Count         int       `json:"count"`

	ContextEvidence string `json:"context_evidence,omitempty"` // how the network looked, where an external detector says so
	External        bool   `json:"external"`                   // a detector outside Breakwater reported it
	Muted           bool   `json:"muted"`                      // a mute covered its newest detection

	Talk Conversation `json:"conversation,omitzero"`
}

// AlertEvent is one line of an alert's history.
type AlertEvent struct {
	Time time.Time `json:"time"` // detection: data time; all else: when it was done
	Kind string    `json:"kind"` // detection, status, comment, assignee
	By   string    `json:"by"`   // the model or the person
	Text string    `json:"text"`
}

// NewAlert begins an alert with its first detection.
func NewAlert(d Detection) *Alert {
	a := &Alert{
		ID:         NewID(d.Time, d.FacilityID, d.Asset, d.Model),
		FacilityID: d.FacilityID, Asset: d.Asset, Timestamp: d.Time, LastSeen: d.Time, Status: StatusNew,
		Techniques: []string{}, Sources: []Source{},
	}
	a.Absorb(d)
	return a
}

// Counted reports whether the alert, open or closed, has counted this detection before: its model's source has
// begun by then and has counted up to or past that time.
func (a *Alert) Counted(d Detection) bool {
	for i := range a.Sources {
		s := &a.Sources[i]
		if s.Layer == d.Layer && s.Model == d.Model {
			return !d.Time.Before(s.DetectedAt) && !d.Time.After(s.CountedUntil)
		}
	}
	return false
}

// Accepts reports whether a detection belongs to this alert: same facility and asset, the alert open, and no more
// than CorrelationSpan after what it has seen last.
func (a *Alert) Accepts(d Detection) bool {
	return a.Status.Open() && a.FacilityID == d.FacilityID && a.Asset == d.Asset &&
		!d.Time.Before(a.Timestamp) && d.Time.Sub(a.LastSeen) <= CorrelationSpan
}

// Absorb takes a detection into the alert and reports whether that changed anything: a detection counted before
// does not. What it adds to the history is appended to History.
func (a *Alert) Absorb(d Detection) bool {
	if a.Counted(d) {
		return false
	}
	i := slices.IndexFunc(a.Sources, func(s Source) bool { return s.Layer == d.Layer && s.Model == d.Model })
	if i < 0 {
		a.Sources = append(a.Sources, Source{Layer: d.Layer, Model: d.Model, DetectedAt: d.Time})
		i = len(a.Sources) - 1
	}
	s := &a.Sources[i]
	// The words are those of the strongest detection, and of equals the first: later ones are in the history.
	if s.Count == 0 || d.Severity.Rank() > s.Severity.Rank() ||
		d.Severity == s.Severity && d.Confidence > s.Confidence {
		s.Severity, s.Confidence = d.Severity, d.Confidence
		s.Technique, s.TechniqueName = d.Technique, d.TechniqueName
		s.Title, s.Evidence, s.LookAt, s.Talk = d.Title, d.Evidence, d.LookAt, d.Talk
	}
	if d.Time.Before(s.DetectedAt) {
		s.DetectedAt = d.Time
	}
	if d.Time.After(s.CountedUntil) {
		s.CountedUntil = d.Time
	}
	s.Count += d.Count
	a.Count += d.Count
	if d.Time.After(a.LastSeen) {
		a.LastSeen = d.Time
	}
	if d.Technique != "" && !slices.Contains(a.Techniques, d.Technique) {
		a.Techniques = append(a.Techniques, d.Technique)
	}
	text := d.Evidence
	if d.Count > 1 {
		text = fmt.Sprintf("%s (%d times)", strings.TrimSuffix(text, "."), d.Count)
	}
	a.History = append(a.History, AlertEvent{Time: d.Time, Kind: "detection", By: d.Model, Text: text})
	a.conclude()
	return true
}

// Mark notes of a detection that was absorbed whether a mute covers it. The alert is muted while all its sources are:
// a mute of one rule does not hide what another says of the same asset, and what goes on after a mute shows again.
func (a *Alert) Mark(d Detection, muted bool) {
	a.Muted = true
	for i := range a.Sources {
		s := &a.Sources[i]
		if s.Layer == d.Layer && s.Model == d.Model && !d.Time.Before(s.CountedUntil) {
			s.Muted = muted
		}
		a.Muted = a.Muted && s.Muted
	}
}

// SetStatus moves the alert in triage, with a note that may be empty, and reports whether that changed anything. What a
// person does is appended to History.
func (a *Alert) SetStatus(s Status, note, by string, at time.Time) bool {
	if a.Status == s && note == "" {
		return false
	}
	text := string(s)
	if note != "" {
		text += ": " + note
	}
	a.Status = s
	a.History = append(a.History, AlertEvent{Time: at, Kind: "status", By: by, Text: text})
	return true
}

// Assign gives the alert to somebody, "" to nobody, and reports whether that changed anything.
func (a *Alert) Assign(assignee, by string, at time.Time) bool {
	if a.Assignee == assignee {
		return false
	}
	text := assignee
	if text == "" {
		text = "nobody"
	}
	a.Assignee = assignee
	a.History = append(a.History, AlertEvent{Time: at, Kind: "assignee", By: by, Text: text})
	return true
}

// Comment adds what a person has to say.
func (a *Alert) Comment(text, by string, at time.Time) {
	a.History = append(a.History, AlertEvent{Time: at, Kind: "comment", By: by, Text: text})
}

// conclude derives what the sources say together: the strongest gives severity and words, and two layers that agree
// make at least a high alert, three a critical one.
func (a *Alert) conclude() {
	strongest := &a.Sources[0]
	for i := range a.Sources {
		s := &a.Sources[i]
		if s.Severity.Rank() > strongest.Severity.Rank() ||
			s.Severity == strongest.Severity && s.Confidence > strongest.Confidence {
			strongest = s
		}
	}
	var layers int
	a.Confidence, layers = agreement(a.Sources)
	a.Severity = strongest.Severity
	switch {
	case layers >= 3:
		a.Severity = Critical
	case layers == 2 && a.Severity.Rank() < High.Rank():
		a.Severity = High
	}
	a.Title, a.Description = strongest.Title, strongest.Evidence
	a.AttackType, a.AttackName = strongest.Technique, strongest.TechniqueName

	models := make([]string, len(a.Sources))
	for i, s := range a.Sources {
		models[i] = fmt.Sprintf("%s (%d)", s.Model, s.Count)
	}
	span := a.LastSeen.Sub(a.Timestamp).Round(time.Second)
	a.Summary = fmt.Sprintf("%s by %s in %s: %s", Plural(a.Count, "detection"), Plural(len(a.Sources), "model"), max(span, time.Second), strings.Join(models, ", "))
}

// agreement is how sure sources are together, 0 to 1, and how many layers speak. Agreement counts between layers, not
// within one: two rules that fire on the same packets are one opinion. Per layer the most confident source speaks;
// layers are taken as independent, so the confidence is 1 − Π(1 − cᵢ).
func agreement(sources []Source) (confidence float64, layers int) {
	perLayer := map[int]float64{}
	for i := range sources {
		s := &sources[i]
		perLayer[s.Layer] = max(perLayer[s.Layer], s.Confidence)
	}
	doubt := 1.0
	for layer := LayerAnomaly; layer <= LayerPrediction; layer++ {
		doubt *= 1 - perLayer[layer]
	}
	return 1 - doubt, len(perLayer)
}

// Plural is "1 thing" or "2 things".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
