package detect

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

// script is the steps of a compact text, one event a line.
func script(t testing.TB, lines ...string) []step {
	t.Helper()
	steps, err := parseEvents(lines)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func shippedRules(t testing.TB) []*Rule {
	t.Helper()
	rules, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// learnedFrom is a baseline learned from a script.
func learnedFrom(t testing.TB, lines ...string) *Baseline {
	t.Helper()
	b := NewBaseline()
	e := New("north", shippedRules(t), b)
	e.SetLearning(true)
	for _, d := range e.play(script(t, lines...), exampleBegins) {
		if strings.HasPrefix(d.Model, "new-") || strings.HasPrefix(d.Model, "write-") {
			t.Fatalf("%s was detected while learning: %s", d.Model, d.Evidence)
		}
	}
	e.SetLearning(false)
	return b
}

// week is what an ordinary plant does: an HMI polls and commands two PLCs, a historian reads.
var week = []string{
	"1s*60/1s 10.0.0.2 > 10.0.0.11 modbus 1 0+16",
	"1s*60/1s 10.0.0.2 > 10.0.0.12 modbus 3 0+20",
	"2s 10.0.0.2 > 10.0.0.11 modbus 15 0+10",
	"3s*10/5s 10.0.0.3 > 10.0.0.11 modbus 3 0+10",
	"4s 10.0.0.11 > 10.0.0.255 udp 138 attempted",
	"5s 10.0.0.2 > 10.0.0.1 arp request",
	"6s 10.0.0.11 > 10.0.0.2 arp response",
	"6s 10.0.0.12 > 10.0.0.2 arp response",
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		events []string
		want   []string // model: asset: evidence
	}{
		{"an unknown host writes coils", []string{"1s 10.0.0.57 > 10.0.0.11 modbus 15 0+10"}, []string{
			"new-device: 10.0.0.57: 10.0.0.57 with MAC 02:00:0a:00:00:39 sends on this network and was never seen before; its first message was modbus to 10.0.0.11.",
			"new-talker-pair: 10.0.0.57: 10.0.0.57 (new here) talks modbus (502) with 10.0.0.11; these two never did while the plant's normal traffic was learned.",
			"write-from-new-host: 10.0.0.11: 10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, which only 10.0.0.2 wrote before.",
		}},
		{"the historian writes", []string{"1s 10.0.0.3 > 10.0.0.12 modbus 6 4+1"}, []string{
			"new-talker-pair: 10.0.0.3: 10.0.0.3 talks modbus (502) with 10.0.0.12; these two never did while the plant's normal traffic was learned.",
			"write-from-new-host: 10.0.0.12: 10.0.0.3 wrote register 4 of PLC 10.0.0.12, which nobody wrote before.",
		}},
		{"a scan", []string{"1s*10/10ms 10.0.0.57 > 10.0.0.11 tcp 20++ refused"}, []string{
			"new-device: 10.0.0.57: 10.0.0.57 with MAC 02:00:0a:00:00:39 sends on this network and was never seen before; its first message was tcp to 10.0.0.11.",
			"port-scan: 10.0.0.57: 10.0.0.57 (new here) tried 10 ports of 10.0.0.11 within 30 minutes: 20, 21, 22, 23, 24 and 5 more.",
		}},
		{"a flood of echo requests", []string{"1s*1500/100us 10.0.0.2 > 10.0.0.11 icmp request"}, []string{
			"flood: 10.0.0.11: 1500 packets in one second, most of them to 10.0.0.11; the most that was learned is 4.",
		}},
		{"a quiet day", []string{
			"1s*60/1s 10.0.0.2 > 10.0.0.11 modbus 1 0+16",
			"2s 10.0.0.2 > 10.0.0.12 tcp 502 opened",
			"3s 10.0.0.2 > 10.0.0.11 modbus 15 6+4",     // a rare command
			"4s 10.0.0.3 > 10.0.0.11 modbus 3 40+10",    // one more register is read
			"5s 10.0.0.11 > 10.0.0.2 udp 137 attempted", // NetBIOS names
			"6s*9/4s 10.0.0.12 > 10.0.0.1 arp request",  // a gateway that is not there
			"7s fe80::1/02:00:0a:00:00:0b > ff02::1:2 udp 547 attempted",
			"8s*20/2s 10.0.0.2 > 10.0.0.12 tcp 502 unanswered", // a PLC without power
			"9s 0.0.0.0/02:00:0a:00:00:02 > 255.255.255.255 udp 67 attempted",
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := New("north", shippedRules(t), learnedFrom(t, week...))
			var got []string
			for _, d := range e.play(script(t, c.events...), exampleBegins.Add(time.Hour)) {
				got = append(got, d.Model+": "+d.Asset+": "+d.Evidence)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestTimesIncrease holds the engine to what alerts count on, on an ugly mixture: for one rule and asset the times of
// detections strictly increase, and nothing that fired is lost.
func TestTimesIncrease(t *testing.T) {
	t.Parallel()
	b := learnedFrom(t, week...)
	events := script(t,
		"1s*200/7ms 10.0.0.57 > 10.0.0.11 modbus 6 0+++1",
		"1s*200/7ms 10.0.0.58 > 10.0.0.12 modbus 6 0+1",
		"1s*50/0s 10.0.0.57 > 10.0.0.11 malformed",
		"2s999999999ns*3/0s 10.0.0.57 > 10.0.0.11 malformed",
		"3s*40/1ms 10.0.0.3 > 10.0.0.20++ tcp 502 refused",
	)
	run := func() []breakwater.Detection { return New("north", shippedRules(t), b).play(events, exampleBegins) }
	found := run()
	last := map[string]time.Time{}
	counts := map[string]int{}
	for _, d := range found {
		k := d.Model + " " + d.Asset
		if !d.Time.After(last[k]) {
			t.Fatalf("%s at %s, after one at %s", k, d.Time, last[k])
		}
		if d.Count < 1 || d.FacilityID != "north" || d.Layer != breakwater.LayerAnomaly || d.Talk == (breakwater.Conversation{}) {
			t.Fatalf("%+v is not whole", d)
		}
		last[k] = d.Time
		counts[k] += d.Count
	}
	for k, want := range map[string]int{
		"write-from-new-host 10.0.0.11": 200, "write-from-new-host 10.0.0.12": 200,
		"malformed-message 10.0.0.57": 53, "host-scan 10.0.0.3": 33,
	} {
		if counts[k] != want {
			t.Errorf("%s counts %d, want %d", k, counts[k], want)
		}
	}
	if diff := cmp.Diff(found, run(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("the same events gave something else\n%s", diff)
	}
}

// TestGoesOn: what is not decoded raises no events, and what was told of it follows its packets all the same.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	e := New("north", shippedRules(t), learnedFrom(t, week...))
	found := e.play(script(t, "1s 10.0.0.11 > 10.0.0.12 tcp 4444 opened"), exampleBegins)
	if len(found) != 1 || found[0].Model != "new-talker-pair" {
		t.Fatalf("found %v", found)
	}
	ends := script(t, "1s 10.0.0.11 > 10.0.0.12 tcp 4444 opened")[0].event
	for i := range 100 {
		f := breakwater.Frame{Time: exampleBegins.Add(time.Duration(i+2) * time.Second), Src: ends.Dst, Dst: ends.Src, Protocol: breakwater.TCP}
		e.Frame(&f)
		e.Window(&breakwater.Window{Time: f.Time})
	}
	if n := len(e.Drain()); n != 10 {
		t.Errorf("told %d times in 100 s, want each 10 s", n)
	}
}

// TestLateEvents: a timeout that ended in a second that is over must not take time back.
func TestLateEvents(t *testing.T) {
	t.Parallel()
	e := New("north", shippedRules(t), NewBaseline())
	ev := script(t, "0s 10.0.0.57 > 10.0.0.11 malformed")[0].event
	e.Event(&ev)
	ev.Time = ev.Time.Add(time.Millisecond)
	e.Event(&ev)
	w := breakwater.Window{FacilityID: "north", Time: exampleBegins}
	e.Window(&w)
	e.Event(&ev)
	found := e.Drain()
	if len(found) != 3 || !found[2].Time.Equal(w.End()) {
		t.Errorf("found %v; want the third at the end of the second that is over", found)
	}
}

// TestFloodOfAddresses: a million invented senders fill no memory and make no million alerts.
func TestFloodOfAddresses(t *testing.T) {
	t.Parallel()
	e := New("north", shippedRules(t), learnedFrom(t, week...))
	ev := script(t, "0s 10.0.0.1 > 10.0.0.11 tcp 502 opened")[0].event
	assets := map[string]bool{}
	n := 0
	for i := range 300_000 {
		ev.Src.Addr = netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)})
		ev.Src.MAC = breakwater.MAC{2, 1, 1, byte(i >> 16), byte(i >> 8), byte(i)}
		ev.Kind = breakwater.Opened
		if i%2 == 0 {
			ev.Kind = breakwater.Unanswered
		}
		ev.Time = exampleBegins.Add(time.Duration(i) * 10 * time.Microsecond)
		e.Event(&ev)
		if i%100_000 == 99_999 {
			e.Window(&breakwater.Window{Time: ev.Time.Truncate(time.Second), PacketsPerSec: 100_000})
		}
		for _, d := range e.Drain() {
			assets[d.Asset] = true
			n++
		}
	}
	if len(e.hosts) > hostsMax || len(e.talks) > talksMax || len(e.strangers) > strangersMax {
		t.Errorf("%d hosts, %d conversations, %d strangers are kept", len(e.hosts), len(e.talks), len(e.strangers))
	}
	for _, r := range e.rules {
		if len(r.tallies) > talliesMax || len(r.pending) > assetsMax+1 || len(r.assets) > assetsMax+1 {
			t.Errorf("%s keeps %d counts, %d pending, %d assets", r.ID, len(r.tallies), len(r.pending), len(r.assets))
		}
	}
	if len(assets) > 2*assetsMax+2 || n > 5_000 || !assets["network"] || !assets["10.0.0.11"] {
		t.Errorf("%d detections of %d assets (network: %t, flooded: %t)", n, len(assets), assets["network"], assets["10.0.0.11"])
	}
}

func TestLearningIsBounded(t *testing.T) {
	t.Parallel()
	b := NewBaseline()
	e := New("north", shippedRules(t), b)
	e.SetLearning(true)
	ev := script(t, "0s 10.0.0.1 > 10.0.0.11 modbus 3 0+1")[0].event
	for i := range 2 * kindMax {
		ev.Src.Addr = netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)})
		ev.Address = uint32(i * 7)
		e.Event(&ev)
	}
	e.SetLearning(false)
	for kind, n := range b.kinds {
		if n > kindMax {
			t.Errorf("%d entries of kind %s", n, kind)
		}
	}
	if b.left == 0 {
		t.Error("nothing is said to be left out")
	}
	for k, s := range b.known {
		if len(s.spans) > spansMax {
			t.Errorf("%d ranges of %v", len(s.spans), k)
		}
	}
}

func TestEmptyBaseline(t *testing.T) {
	t.Parallel()
	e := New("north", shippedRules(t), NewBaseline())
	got := map[string]bool{}
	for _, d := range e.play(script(t, append(slices.Clone(week), "70s*12/10ms 10.0.0.57 > 10.0.0.11 tcp 20++ refused")...), exampleBegins) {
		got[d.Model] = true
	}
	if diff := cmp.Diff(map[string]bool{"port-scan": true}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestTechniqueNames holds every rule's technique against MITRE's own bundle.
func TestTechniqueNames(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../shared/data/attack/ics-attack.json")
	if err != nil {
		t.Skipf("the ATT&CK bundle is not here: %s", err)
	}
	var bundle struct {
		Objects []struct {
			Type, Name string
			Revoked    bool
			References []struct {
				ID string `json:"external_id"`
			} `json:"external_references"`
		}
	}
	if err := json.Unmarshal(text, &bundle); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, o := range bundle.Objects {
		if o.Type == "attack-pattern" && !o.Revoked && len(o.References) > 0 {
			names[o.References[0].ID] = o.Name
		}
	}
	for _, r := range shippedRules(t) {
		if names[r.Technique] != r.TechniqueName {
			t.Errorf("%s: %s is %q, not %q", r.ID, r.Technique, names[r.Technique], r.TechniqueName)
		}
	}
}

// BenchmarkRoutine is the steady path: a known poll and its answer. Aim: no allocation.
func BenchmarkRoutine(b *testing.B) {
	for _, c := range []struct {
		name     string
		learning bool
	}{{"compare", false}, {"learn", true}} {
		b.Run(c.name, func(b *testing.B) {
			e := New("north", shippedRules(b), learnedFrom(b, week...))
			e.SetLearning(c.learning)
			ask := script(b, "0s 10.0.0.2 > 10.0.0.11 modbus 1 0+16")[0].event
			answer := ask
			answer.Kind, answer.Src, answer.Dst, answer.FromServer, answer.Joined = breakwater.Response, ask.Dst, ask.Src, true, true
			b.ReportAllocs()
			for b.Loop() {
				e.Event(&ask)
				e.Event(&answer)
			}
			b.ReportMetric(float64(2*b.N)/b.Elapsed().Seconds(), "events/s")
			if len(e.Drain()) > 0 {
				b.Fatal("the routine was detected")
			}
		})
	}
}

// BenchmarkInteresting is an event about which several rules are asked and one fires, folded and not.
func BenchmarkInteresting(b *testing.B) {
	e := New("north", shippedRules(b), learnedFrom(b, week...))
	ev := script(b, "0s 10.0.0.57 > 10.0.0.11 modbus 15 0+10")[0].event
	w := breakwater.Window{FacilityID: "north"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ev.Time = exampleBegins.Add(time.Duration(i) * 10 * time.Millisecond)
		if i%100 == 99 {
			w.Time = ev.Time.Truncate(time.Second)
			e.Window(&w)
		}
		e.Event(&ev)
		e.Drain()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkExpression is the evaluation of the longest condition that is shipped.
func BenchmarkExpression(b *testing.B) {
	longest := slices.MaxFunc(shippedRules(b), func(x, y *Rule) int { return len(x.When) - len(y.When) })
	e := New("north", nil, NewBaseline())
	b.ReportAllocs()
	for b.Loop() {
		e.holds(longest, &e.facts)
	}
}

func TestRoutineAllocatesNothing(t *testing.T) {
	e := New("north", shippedRules(t), learnedFrom(t, week...))
	ask := script(t, "0s 10.0.0.2 > 10.0.0.11 modbus 1 0+16")[0].event
	answer := ask
	answer.Kind, answer.Src, answer.Dst, answer.FromServer, answer.Joined = breakwater.Response, ask.Dst, ask.Src, true, true
	frame := breakwater.Frame{Time: ask.Time, Src: ask.Src, Dst: ask.Dst, Protocol: breakwater.Modbus, Length: 66}
	e.Event(&ask)
	e.Event(&answer)
	if n := testing.AllocsPerRun(1000, func() {
		e.Event(&ask)
		e.Event(&answer)
		e.Frame(&frame)
	}); n != 0 {
		t.Errorf("a known poll and its answer allocate %.1f times", n)
	}
}
