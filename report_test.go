package breakwater

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func goodReport() Report {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.FixedZone("", 3600))
	return Report{FacilityID: "plant", Asset: "10.0.0.11", Severity: High, Title: "Firmware changed", Description: "It did.", AttackType: "T0839", AttackName: "Module Firmware", ExternalID: "siem-1",
		Sources: []Source{{Layer: 2, Model: "watch", Confidence: .8, DetectedAt: at.Add(time.Minute), Evidence: "late"}, {Layer: 1, Model: "siem", Confidence: .5, DetectedAt: at, Evidence: "early"}}}
}

func TestReportBecomesAlert(t *testing.T) {
	r := goodReport()
	a, err := r.Alert()
	if err != nil {
		t.Fatal(err)
	}
	first := time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)
	if !a.Timestamp.Equal(first) || a.Timestamp.Location() != time.UTC || !a.LastSeen.Equal(first.Add(time.Minute)) || a.Count != 2 || math.Abs(a.Confidence-.9) > 1e-9 {
		t.Errorf("%+v", a)
	}
	if a.Severity != High || a.Title != "Firmware changed" || a.Description != "It did." || a.Summary != "reported by watch, siem" || len(a.Techniques) != 1 {
		t.Errorf("its words are not its own: %+v", a)
	}
	if !a.Sources[0].External || a.Sources[0].Technique != "T0839" || a.Sources[0].Severity != High || a.Sources[1].Count != 1 {
		t.Errorf("sources %+v", a.Sources)
	}
	if a.History[0].Text != "early" || a.History[1].By != "watch" {
		t.Errorf("history %+v", a.History)
	}
	same, err := r.Alert()
	if err != nil || same.ID != a.ID {
		t.Errorf("the same external id gives %s and %s (%v)", a.ID, same.ID, err)
	}
	r.ExternalID = ""
	one, _ := r.Alert()
	two, _ := r.Alert()
	if one.ID == two.ID {
		t.Error("two without a name are one")
	}
}

func TestReportRefused(t *testing.T) {
	for field, spoil := range map[string]func(*Report){
		"facility_id":                      func(r *Report) { r.FacilityID = "No!" },
		"severity":                         func(r *Report) { r.Severity = "urgent" },
		"title":                            func(r *Report) { r.Title = " " },
		"description":                      func(r *Report) { r.Description = strings.Repeat("é", 4001) },
		"asset":                            func(r *Report) { r.Asset = "a\x1b[31m" },
		"attack_type":                      func(r *Report) { r.AttackType = "T12" },
		"external_id":                      func(r *Report) { r.ExternalID = "\xff" },
		"sources":                          func(r *Report) { r.Sources = nil },
		"sources[1].layer":                 func(r *Report) { r.Sources[1].Layer = 0 },
		"sources[0].model_name":            func(r *Report) { r.Sources[0].Model = "" },
		"sources[0].confidence":            func(r *Report) { r.Sources[0].Confidence = math.NaN() },
		"sources[1].detection_time":        func(r *Report) { r.Sources[1].DetectedAt = time.Time{} },
		"sources[1].evidence":              func(r *Report) { r.Sources[1].Evidence = "a\x00b" },
		"sources[0].conversation.protocol": func(r *Report) { r.Sources[0].Talk.Protocol = Protocol(strings.Repeat("x", 33)) },
	} {
		r := goodReport()
		spoil(&r)
		_, err := r.Alert()
		var e *Error
		if !errors.As(err, &e) || e.Kind != Invalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
