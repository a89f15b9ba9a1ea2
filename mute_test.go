package breakwater

import (
	"testing"
	"time"
)

func TestMuteCovers(t *testing.T) {
	from := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	d := Detection{FacilityID: "plant", Asset: "10.0.0.11", Model: "port-scan", Technique: "T0846", Time: from}
	whole := Mute{FacilityID: "plant", Asset: "10.0.0.11", Rule: "port-scan", Technique: "T0846", From: from, Until: from.Add(time.Hour)}
	for _, c := range []struct {
		name   string
		change func(*Mute, *Detection)
		want   bool
	}{
		{"all the same", func(*Mute, *Detection) {}, true},
		{"any facility", func(m *Mute, d *Detection) { m.FacilityID, d.FacilityID = "", "dam" }, true},
		{"any asset", func(m *Mute, d *Detection) { m.Asset, d.Asset = "", "x" }, true},
		{"any rule", func(m *Mute, d *Detection) { m.Rule, d.Model = "", "x" }, true},
		{"any technique", func(m *Mute, d *Detection) { m.Technique, d.Technique = "", "" }, true},
		{"another facility", func(_ *Mute, d *Detection) { d.FacilityID = "dam" }, false},
		{"another asset", func(_ *Mute, d *Detection) { d.Asset = "x" }, false},
		{"another rule", func(_ *Mute, d *Detection) { d.Model = "x" }, false},
		{"no technique", func(_ *Mute, d *Detection) { d.Technique = "" }, false},
		{"just before", func(_ *Mute, d *Detection) { d.Time = from.Add(-1) }, false},
		{"the last instant", func(_ *Mute, d *Detection) { d.Time = from.Add(time.Hour - 1) }, true},
		{"its end", func(_ *Mute, d *Detection) { d.Time = from.Add(time.Hour) }, false},
	} {
		m, d := whole, d
		if c.change(&m, &d); m.Covers(d) != c.want {
			t.Errorf("%s: covered is %v", c.name, !c.want)
		}
	}
}

func TestMark(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	scan := func(after time.Duration, model string) Detection {
		return Detection{FacilityID: "plant", Asset: "a", Model: model, Layer: 1, Severity: High, Confidence: .5, Time: at.Add(after), Count: 1}
	}
	a := NewAlert(scan(0, "scan"))
	for i, step := range []struct {
		d           Detection
		muted, want bool
	}{
		{scan(0, "scan"), true, true},
		{scan(time.Second, "flood"), false, false}, // another rule speaks
		{scan(2*time.Second, "scan"), true, false},
		{scan(3*time.Second, "flood"), true, true},  // now both are quiet
		{scan(4*time.Second, "scan"), false, false}, // it goes on after the mute
		{scan(5*time.Second, "scan"), true, true},
		{scan(-time.Second, "scan"), false, true}, // an older one says nothing of now
	} {
		a.Absorb(step.d)
		if a.Mark(step.d, step.muted); a.Muted != step.want {
			t.Errorf("step %d: muted is %v", i, a.Muted)
		}
	}
}
