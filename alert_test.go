package breakwater

import (
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// found is a detection of one asset, some seconds after t0.
func found(after float64, layer int, model string, s Severity, confidence float64) Detection {
	return Detection{
		FacilityID: "north", Asset: "10.0.0.11", Time: t0.Add(time.Duration(after * float64(time.Second))), Layer: layer,
		Model: model, Severity: s, Confidence: confidence, Technique: "T-" + model, Title: model, Evidence: model + " fired.", Count: 1,
	}
}

func TestAbsorbCountsOnce(t *testing.T) {
	t.Parallel()
	all := []Detection{
		found(0, 1, "scan", Medium, .8), found(1, 1, "scan", Medium, .8), found(1, 1, "write", High, .9), found(2.5, 1, "scan", Medium, .8),
	}
	once := NewAlert(all[0])
	for _, d := range all[1:] {
		if !once.Absorb(d) {
			t.Errorf("%s at %s was not counted", d.Model, d.Time)
		}
	}
	if once.Count != 4 || len(once.Sources) != 2 || len(once.History) != 4 {
		t.Fatalf("count %d of %d sources, %d in the history; want 4, 2, 4", once.Count, len(once.Sources), len(once.History))
	}
	// A replay from any point, also on a closed alert, changes nothing.
	once.Status = StatusResolved
	for i := range all {
		for _, d := range all[i:] {
			if once.Absorb(d) {
				t.Fatalf("%s at %s was counted twice", d.Model, d.Time)
			}
		}
	}
	if once.Count != 4 {
		t.Errorf("count %d after replays, want 4", once.Count)
	}
}

// A detection older than all that its source has counted widens what is counted; it must not narrow it.
func TestAbsorbOutOfOrder(t *testing.T) {
	t.Parallel()
	a := NewAlert(found(0, 1, "scan", Medium, .8))
	for _, after := range []float64{10, 20, 5} {
		a.Absorb(found(after, 1, "write", High, .9))
	}
	for _, after := range []float64{5, 10, 20} {
		if a.Absorb(found(after, 1, "write", High, .9)) {
			t.Errorf("the detection at %v s was counted twice", after)
		}
	}
	if a.Count != 4 {
		t.Errorf("count %d, want 4", a.Count)
	}
}

func TestAlertConcludes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		detections []Detection
		severity   Severity
		confidence float64
		title      string
	}{
		{"one speaks for itself", []Detection{found(0, 1, "a", Low, .5)}, Low, .5, "a"},
		{"two rules of one layer are one opinion", []Detection{found(0, 1, "a", Low, .5), found(1, 1, "b", Low, .4)}, Low, .5, "a"},
		{"the more severe gives the words", []Detection{found(0, 1, "a", Low, .9), found(1, 1, "b", High, .4)}, High, .9, "b"},
		{"two layers make it high", []Detection{found(0, 1, "a", Low, .5), found(1, 2, "b", Low, .5)}, High, .75, "a"},
		{"three layers make it critical", []Detection{found(0, 1, "a", Low, .5), found(1, 2, "b", Low, .5), found(2, 3, "c", Low, .5)}, Critical, .875, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := NewAlert(c.detections[0])
			for _, d := range c.detections[1:] {
				a.Absorb(d)
			}
			if a.Severity != c.severity || a.Confidence != c.confidence || a.Title != c.title {
				t.Errorf("%s %.3f %q, want %s %.3f %q", a.Severity, a.Confidence, a.Title, c.severity, c.confidence, c.title)
			}
		})
	}
}

func TestAlertAccepts(t *testing.T) {
	t.Parallel()
	a := NewAlert(found(0, 1, "a", Low, .5))
	for _, c := range []struct {
		name  string
		after float64
		spoil func(*Alert, *Detection)
		want  bool
	}{
		{"five minutes later", 300, nil, true},
		{"later than that", 300.001, nil, false},
		{"before it began", -1, nil, false},
		{"another asset", 1, func(_ *Alert, d *Detection) { d.Asset = "10.0.0.12" }, false},
		{"another facility", 1, func(_ *Alert, d *Detection) { d.FacilityID = "south" }, false},
		{"acknowledged", 1, func(a *Alert, _ *Detection) { a.Status = StatusAcknowledged }, true},
		{"resolved", 1, func(a *Alert, _ *Detection) { a.Status = StatusResolved }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			alert, d := *a, found(c.after, 1, "a", Low, .5)
			if c.spoil != nil {
				c.spoil(&alert, &d)
			}
			if got := alert.Accepts(d); got != c.want {
				t.Errorf("accepts: %t, want %t", got, c.want)
			}
		})
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	id := NewID(t0, "north", "10.0.0.11", "scan")
	if again := NewID(t0, "north", "10.0.0.11", "scan"); again != id {
		t.Errorf("%s and %s: the same thing has two ids", id, again)
	}
	for _, other := range []ID{NewID(t0, "north1", "0.0.0.11", "scan"), NewID(t0.Add(time.Millisecond), "north", "10.0.0.11", "scan")} {
		if other == id {
			t.Errorf("%s names two things", id)
		}
	}
	if s := id.String(); s[14] != '7' || s[19] < '8' || s[19] > 'b' {
		t.Errorf("%s is no UUIDv7", s)
	}
	if back, err := ParseID(id.String()); err != nil || back != id {
		t.Errorf("%s came back as %s, %v", id, back, err)
	}
	for _, bad := range []string{"", "x", id.String()[1:], id.String() + "0", "g" + id.String()[1:], "01930a7e-3c00-7abc-8def_0123456789ab"} {
		if _, err := ParseID(bad); KindOf(err) != Invalid {
			t.Errorf("%q: %v, want an error of kind Invalid", bad, err)
		}
	}
}
