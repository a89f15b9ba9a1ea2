package breakwater

import (
	"fmt"
	"time"
)

// MuteMax is the longest time that a mute may last: what is to be silent for ever is a matter for the rule or the
// baseline.
const MuteMax = 366 * 24 * time.Hour

// Mute keeps alerts quiet for a time, as during maintenance: they are kept and marked.
//
// It covers the detections of its facility, asset, rule and technique, "" being any of them, whose data time lies in
// it. Data time and not the clock, because a mute is about what happened at the plant then: traffic that a sensor
// spooled and delivers after the maintenance is as expected as that delivered during it, and a replayed capture gives
// the same marks again.
type Mute struct {
	ID         ID        `json:"id"`
	FacilityID string    `json:"facility_id"`
	Asset      string    `json:"asset"`
	Rule       string    `json:"rule"` // model name of a detection
	Technique  string    `json:"technique"`
	From       time.Time `json:"from"`  // first instant
	Until      time.Time `json:"until"` // first instant after it
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	CreatedAt  time.Time `json:"created_at"`
}

// Covers reports whether the mute is about a detection.
func (m *Mute) Covers(d Detection) bool {
	any := func(want, is string) bool { return want == "" || want == is }
	return any(m.FacilityID, d.FacilityID) && any(m.Asset, d.Asset) && any(m.Rule, d.Model) && any(m.Technique, d.Technique) &&
		!d.Time.Before(m.From) && d.Time.Before(m.Until)
}

// Check refuses a mute that would keep everything quiet, has no end, or says no reason. The error is of kind Invalid.
func (m *Mute) Check() error {
	bad := func(field, format string, args ...any) error {
		return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
	}
	if m.FacilityID != "" {
		if err := CheckFacilityID(m.FacilityID); err != nil {
			return err
		}
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{{"asset", m.Asset, 64}, {"rule", m.Rule, 64}, {"reason", m.Reason, 1000}} {
		if err := CheckText(text.field, text.value, text.most); err != nil {
			return err
		}
	}
	switch {
	case m.FacilityID == "" && m.Asset == "" && m.Rule == "" && m.Technique == "":
		return bad("facility_id", "a mute without facility_id, asset, rule and technique would keep everything quiet: name at least one")
	case m.Technique != "" && !IsTechnique(m.Technique):
		return bad("technique", "technique %s is not an ATT&CK id like T0855", quote(m.Technique))
	case m.Reason == "":
		return bad("reason", "a mute needs a reason that others will understand")
	case !m.From.Before(m.Until):
		return bad("until", "a mute must end after it begins, and this one would end at %s", m.Until.UTC().Format(time.RFC3339))
	case m.Until.Sub(m.From) > MuteMax:
		return bad("until", "a mute lasts at most 366 days: change the rule or teach the baseline instead")
	}
	return nil
}
