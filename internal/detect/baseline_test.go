package detect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

func TestBaselineJSON(t *testing.T) {
	t.Parallel()
	b := learnedFrom(t, append([]string{
		"7s 10.0.0.5 > 10.0.0.11 modbus 8 sub 4", "8s 10.0.0.11 > 10.0.0.5 malformed", "9s packets 80",
		"10s fe80::1 > ff02::fb udp 5353 attempted", "11s*8/10ms 10.0.0.11 > 10.0.0.5 modbus 4 exception 2",
	}, week...)...)
	first, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	back := NewBaseline()
	if err := json.Unmarshal(first, back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(first), string(again)); diff != "" {
		t.Errorf("came back as something else (-first +again)\n%s", diff)
	}
	if diff := cmp.Diff(b.Entries(), back.Entries()); diff != "" {
		t.Errorf("lists something else\n%s", diff)
	}
	kinds := map[string]bool{}
	for _, e := range b.Entries() {
		kinds[e.Kind] = true
	}
	for _, kind := range []string{kindDevice, kindLink, kindPair, kindFunction, kindWriter, kindAddresses, kindMalformed, kindRate, kindTraffic} {
		if !kinds[kind] {
			t.Errorf("nothing of kind %s was learned, so that it was not tried", kind)
		}
	}
}

// A capture may be older than the one that was learned before it: what is known reaches over both, and can be read again.
func TestLearnsWhatIsOlder(t *testing.T) {
	t.Parallel()
	b := learnedFrom(t, week...)
	before := map[string]Entry{}
	for _, e := range b.Entries() {
		before[e.Kind+e.Subject+e.Detail] = e
	}
	e := New("north", shippedRules(t), b)
	e.SetLearning(true)
	e.play(script(t, week...), exampleBegins.Add(-time.Hour))
	e.SetLearning(false)
	for _, e := range b.Entries() {
		was := before[e.Kind+e.Subject+e.Detail]
		if want := was.First.Add(-time.Hour); !e.First.Equal(want) || !e.Last.Equal(was.Last) {
			t.Errorf("%s %s %s is from %s to %s, want from %s to %s", e.Kind, e.Subject, e.Detail, e.First, e.Last, want, was.Last)
		}
	}
	saved, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(saved, NewBaseline()); err != nil {
		t.Errorf("what was learned cannot be read again: %v", err)
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	b := learnedFrom(t, "1s*3/1s 10.0.0.2 > 10.0.0.11 modbus 15 0+10", "5s 10.0.0.2 > 10.0.0.11 modbus 3 4+1")
	var got []string
	for _, e := range b.Entries() {
		got = append(got, fmt.Sprintf("%s | %s | %s | %s-%s | %d", e.Kind, e.Subject, e.Detail, e.First.Format("05"), e.Last.Format("05"), e.Count))
	}
	want := []string{
		"addresses | 10.0.0.11 | unit 1: registers 4 are read | 05-05 | 1",
		"addresses | 10.0.0.11 | unit 1: coils 0-9 are written | 01-01 | 1",
		"device | 10.0.0.2 | MAC 02:00:0a:00:00:02 | 01-05 | 4",
		"function | 10.0.0.2 | uses modbus function 3 | 05-05 | 1",
		"function | 10.0.0.2 | uses modbus function 15 | 01-03 | 3",
		"pair | 10.0.0.2 → 10.0.0.11 | tcp 502 | 01-05 | 4",
		"rate | 10.0.0.2 → 10.0.0.11 | at most 3 for rule write-burst | 01-03 | 3",
		"traffic | network | at most 1 packets a second | 01-05 | 4",
		"writer | 10.0.0.2 → 10.0.0.11 | writes | 01-03 | 3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	b := learnedFrom(t, "1s 10.0.0.2 > 10.0.0.11 modbus 3 0+10", "2s packets 50")
	o := learnedFrom(t, "1s*4/1s 10.0.0.2 > 10.0.0.11 modbus 3 10+10", "5s 10.0.0.3 > 10.0.0.11 modbus 3 0+1", "9s packets 80")
	b.Merge(o)
	got := map[string]string{}
	for _, e := range b.Entries() {
		got[e.Kind+" "+e.Subject] = fmt.Sprintf("%s, %d", e.Detail, e.Count)
	}
	for subject, want := range map[string]string{
		"addresses 10.0.0.11":       "unit 1: registers 0-19 are read, 3",
		"pair 10.0.0.2 → 10.0.0.11": "tcp 502, 5",
		"pair 10.0.0.3 → 10.0.0.11": "tcp 502, 1",
		"traffic network":           "at most 80 packets a second, 8",
	} {
		if got[subject] != want {
			t.Errorf("%s is %q, want %q", subject, got[subject], want)
		}
	}
	if NewBaseline().Empty() == b.Empty() {
		t.Error("what was merged is empty, or a new baseline is not")
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	var s seen
	for i := range 200 {
		s.add(span{uint32(i * 10), uint32(i*10 + 3)})
	}
	if len(s.spans) != spansMax || !s.covers(span{0, 3}) || !s.covers(span{1990, 1993}) || s.covers(span{1990, 1994}) {
		t.Errorf("%d ranges: %v", len(s.spans), s.spans)
	}
	s = seen{}
	for _, p := range []span{{5, 9}, {0, 3}, {4, 4}, {1<<32 - 1, 1<<32 - 1}} {
		s.add(p)
	}
	if diff := cmp.Diff([]span{{0, 9}, {1<<32 - 1, 1<<32 - 1}}, s.spans, cmp.AllowUnexported(span{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBaselineRefuses(t *testing.T) {
	t.Parallel()
	const times = `"first_seen":"2026-01-05T08:00:00Z","last_seen":"2026-01-05T09:00:00Z","count":1`
	for _, c := range []struct{ name, text, says string }{
		{"no JSON", `{`, "JSON"},
		{"another version", `{"version":2,"entries":[]}`, "version 2"},
		{"no version", `{"entries":[]}`, "version 0"},
		{"a field that is not known", `{"version":1,"entries":[],"x":1}`, "not JSON as Breakwater saves it"},
		{"a kind that is not known", `{"version":1,"entries":[{"kind":"mood",` + times + `}]}`, "entry 0"},
		{"no address", `{"version":1,"entries":[{"kind":"device",` + times + `}]}`, "names no addr"},
		{"half a pair", `{"version":1,"entries":[{"kind":"pair","client":"10.0.0.1",` + times + `}]}`, "no client or no server"},
		{"a zone", `{"version":1,"entries":[{"kind":"device","addr":"fe80::1%eth0",` + times + `}]}`, "zone"},
		{"no MAC", `{"version":1,"entries":[{"kind":"link","mac":"02:00",` + times + `}]}`, "MAC"},
		{"time goes back", `{"version":1,"entries":[{"kind":"traffic","first_seen":"2026-01-05T08:00:00Z","last_seen":"2025-01-05T08:00:00Z","count":1}]}`, "last_seen"},
		{"a range that goes back", `{"version":1,"entries":[{"kind":"addresses","addr":"10.0.0.1","table":"coils","addresses":[[5,1]],` + times + `}]}`, "range"},
		{"a table that is none", `{"version":1,"entries":[{"kind":"addresses","addr":"10.0.0.1","table":"chairs",` + times + `}]}`, "table"},
		{"a function that is none", `{"version":1,"entries":[{"kind":"function","addr":"10.0.0.1","function":256,` + times + `}]}`, "function"},
		{"twice", `{"version":1,"entries":[{"kind":"traffic",` + times + `},{"kind":"traffic",` + times + `}]}`, "twice"},
		{"too many", `{"version":1,"entries":[` + manyDevices(times) + `]}`, "one more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := learnedFrom(t, "1s 10.0.0.2 > 10.0.0.11 modbus 3 0+10")
			before := len(b.known)
			err := b.UnmarshalJSON([]byte(c.text))
			if breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%v; want one of kind Invalid with %q", err, c.says)
			}
			if len(b.known) != before {
				t.Error("the baseline was changed all the same")
			}
		})
	}
}

func manyDevices(times string) string {
	var b strings.Builder
	for i := range kindMax + 1 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"kind":"device","addr":"10.%d.%d.%d",%s}`, i>>16, i>>8&255, i&255, times)
	}
	return b.String()
}

// FuzzBaselineJSON: what is taken can be listed, merged, saved and read again as the same.
func FuzzBaselineJSON(f *testing.F) {
	seed, err := json.Marshal(learnedFrom(f, append([]string{"7s 10.0.0.11 > 10.0.0.5 malformed", "9s packets 80"}, week...)...))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"version":1,"entries":[{"kind":"rate","mac":"02:00:00:00:00:01","rule":"x","max":1e308,"first_seen":"0001-01-01T00:00:00Z","last_seen":"9999-12-31T23:59:59Z","count":9223372036854775807}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := NewBaseline()
		if err := b.UnmarshalJSON(text); err != nil {
			return
		}
		b.Entries()
		first, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		back := NewBaseline()
		if err := json.Unmarshal(first, back); err != nil {
			t.Fatalf("what was saved is refused: %s\n%s", err, first)
		}
		again, err := json.Marshal(back)
		if err != nil || string(first) != string(again) {
			t.Fatalf("%v\n%s\n%s", err, first, again)
		}
		back.Merge(b)
		rules, err := Shipped()
		if err != nil {
			t.Fatal(err)
		}
		e := New("north", rules, back)
		e.play(script(t, "1s*5/50ms 10.0.0.57 > 10.0.0.11 modbus 1++ 0+10"), exampleBegins.Add(time.Hour))
	})
}
