package detect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"breakwater"
)

// alertOf is the alert of what a script raises of one rule after the week was learned.
func alertOf(t *testing.T, b *Baseline, rule string, lines ...string) (*breakwater.Alert, []breakwater.Detection) {
	t.Helper()
	var of []breakwater.Detection
	for _, d := range New("north", shippedRules(t), b).play(script(t, lines...), exampleBegins) {
		if d.Model == rule {
			of = append(of, d)
		}
	}
	if len(of) == 0 {
		return nil, nil
	}
	a := breakwater.NewAlert(of[0])
	for _, d := range of[1:] {
		a.Absorb(d)
	}
	return a, of
}

// What is taught is not told again, and what is like it still is.
func TestTeach(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, event, other, entry string }{
		{"new-device", "1s 10.0.0.57 > 10.0.0.11 tcp 502 attempted", "1s 10.0.0.58 > 10.0.0.11 tcp 502 attempted", "device 10.0.0.57"},
		{"new-device", "1s 0.0.0.0/02:00:00:00:00:99 > 255.255.255.255 udp 67 attempted", "1s 0.0.0.0/02:00:00:00:00:98 > 255.255.255.255 udp 67 attempted", "link 02:00:00:00:00:99"},
		{"new-address", "1s 10.0.0.200/02:00:0a:00:00:02 > 10.0.0.11 tcp 502 attempted", "1s 10.0.0.201/02:00:0a:00:00:02 > 10.0.0.11 tcp 502 attempted", "device 10.0.0.200"},
		{"new-device-served", "1s 10.0.0.14 > 10.0.0.2 arp response", "1s 10.0.0.15 > 10.0.0.2 arp response", "device 10.0.0.14"},
		{"new-talker-pair", "1s 10.0.0.11 > 10.0.0.12 tcp 502 opened", "1s 10.0.0.12 > 10.0.0.11 tcp 502 opened", "pair 10.0.0.11 → 10.0.0.12"},
		{"write-from-new-host", "1s 10.0.0.3 > 10.0.0.11 modbus 6 0+1", "1s 10.0.0.57 > 10.0.0.11 modbus 6 0+1", "writer 10.0.0.3 → 10.0.0.11"},
		{"malformed-message", "1s 10.0.0.57 > 10.0.0.11 malformed", "1s 10.0.0.11 > 10.0.0.57 malformed", "malformed 10.0.0.57 → 10.0.0.11"},
	} {
		b := learnedFrom(t, week...)
		a, _ := alertOf(t, b, c.rule, c.event)
		if a == nil {
			t.Errorf("%s: nothing is detected of %s", c.rule, c.event)
			continue
		}
		entries, err := b.Teach(shippedRules(t), a)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if len(entries) != 1 || entries[0].Kind+" "+entries[0].Subject != c.entry {
			t.Errorf("%s: learned %+v, want %s", c.rule, entries, c.entry)
		}
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		read := NewBaseline()
		if err := json.Unmarshal(text, read); err != nil {
			t.Errorf("%s: what was taught cannot be read again: %v", c.rule, err)
		}
		if _, again := alertOf(t, read, c.rule, c.event); len(again) > 0 {
			t.Errorf("%s is told again: %s", c.rule, again[0].Evidence)
		}
		if _, other := alertOf(t, read, c.rule, c.other); len(other) == 0 {
			t.Errorf("%s: %s is not told any more", c.rule, c.other)
		}
	}
}

// A pair is known by what carries its protocol, also where the alert names the protocol.
func TestTeachCarrier(t *testing.T) {
	t.Parallel()
	const event = "1s 10.0.0.11 > 10.0.0.12 tcp 20000 opened"
	for _, p := range []breakwater.Protocol{breakwater.TCP, breakwater.DNP3, breakwater.Modbus} {
		b := learnedFrom(t, week...)
		a, _ := alertOf(t, b, "new-talker-pair", event)
		a.Sources[0].Talk.Protocol = p
		if _, err := b.Teach(shippedRules(t), a); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if _, again := alertOf(t, b, "new-talker-pair", event); len(again) > 0 {
			t.Errorf("%s: told again: %s", p, again[0].Evidence)
		}
	}
}

func TestTeachRefuses(t *testing.T) {
	t.Parallel()
	rules := shippedRules(t)
	for says, c := range map[string]struct{ rule, event string }{
		"keeps too little":   {"new-function", "1s 10.0.0.2 > 10.0.0.11 modbus 43 sub 14"},
		"asks about [new-ra": {"write-to-new-range", "1s 10.0.0.2 > 10.0.0.12 modbus 6 900+1"},
		"it counts":          {"write-burst", "1s*200/20ms 10.0.0.57 > 10.0.0.11 modbus 5 0+1"},
	} {
		b := learnedFrom(t, week...)
		before, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := alertOf(t, b, c.rule, c.event)
		if a == nil {
			t.Errorf("%s: nothing is detected of %s", c.rule, c.event)
			continue
		}
		// One source that can be learned does not save the other.
		pair := breakwater.Source{Layer: 1, Model: "new-talker-pair", Talk: a.Sources[0].Talk, DetectedAt: a.Timestamp, CountedUntil: a.Timestamp}
		a.Sources = slices.Insert(a.Sources, 0, pair)
		_, err = b.Teach(rules, a)
		if breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", c.rule, err, says)
		}
		if after, _ := json.Marshal(b); string(after) != string(before) {
			t.Errorf("%s: a refusal changed the baseline", c.rule)
		}
	}
	full := learnedFrom(t, week...)
	a, _ := alertOf(t, full, "new-talker-pair", "1s 10.0.0.11 > 10.0.0.12 tcp 502 opened")
	for says, spoil := range map[string]func(*breakwater.Alert){
		"not a rule of this server": func(a *breakwater.Alert) { a.Sources[0].Model = "mine" },
		"not a rule of this":        func(a *breakwater.Alert) { a.Sources[0].External = true },
		"no client and server":      func(a *breakwater.Alert) { a.Sources[0].Talk = breakwater.Conversation{} },
		"stands for many":           func(a *breakwater.Alert) { a.Sources[0].Model, a.Asset = "new-device", "network" },
	} {
		bad := *a
		bad.Sources = slices.Clone(a.Sources)
		spoil(&bad)
		if _, err := full.Teach(rules, &bad); breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	// A model agrees with the rule: what the rule says is learned. By itself it has nothing to teach.
	model := breakwater.Source{Layer: 1, Model: "autoencoder", DetectedAt: a.Timestamp, CountedUntil: a.Timestamp}
	both := *a
	both.Sources = append(slices.Clone(a.Sources), model)
	if learned, err := learnedFrom(t, week...).Teach(rules, &both); err != nil || len(learned) != 1 {
		t.Errorf("of a rule and a model: %v, %v", learned, err)
	}
	both.Sources = []breakwater.Source{model}
	if _, err := full.Teach(rules, &both); breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(err.Error(), "train the model anew") {
		t.Errorf("of a model alone: %v", err)
	}
	if _, err := NewBaseline().Teach(rules, a); err == nil || !strings.Contains(err.Error(), "normal traffic first") {
		t.Errorf("an empty baseline: %v", err)
	}
}
