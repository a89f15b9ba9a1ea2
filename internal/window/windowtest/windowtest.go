// Package windowtest is the suite that every window.Buffer passes: what it promises, and that it answers as the one in
// memory does, whatever is asked of it in whatever order.
package windowtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/window"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func at(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }

// Run runs the suite. new makes an empty buffer.
func Run(t *testing.T, new func(t *testing.T) window.Buffer) {
	t.Run("minute", func(t *testing.T) { keepsAMinute(t, new(t)) })
	t.Run("detections", func(t *testing.T) { keepsTheSeverest(t, new(t)) })
	t.Run("values", func(t *testing.T) { keepsNoValues(t, new(t)) })
	t.Run("together", func(t *testing.T) { addsWholly(t, new(t)) })
	t.Run("as in memory", func(t *testing.T) { answersAsMemory(t, new(t)) })
}

// seconds are windows from one second on to before another, with as many packets as the second's number.
func seconds(from, to int) []breakwater.Window {
	windows := make([]breakwater.Window, 0, to-from)
	for s := from; s < to; s++ {
		windows = append(windows, breakwater.Window{FacilityID: "north", Time: at(s), PacketsPerSec: float64(max(s, 0))})
	}
	return windows
}

func add(t testing.TB, b window.Buffer, facility string, windows []breakwater.Window, found []breakwater.Detection) (anew bool) {
	t.Helper()
	anew, err := b.Add(t.Context(), facility, windows, found)
	if err != nil {
		t.Fatal(err)
	}
	return anew
}

func begin(t testing.TB, b window.Buffer, facility string, windows []breakwater.Window, found []breakwater.Detection) {
	t.Helper()
	if err := b.Begin(t.Context(), facility, windows, found); err != nil {
		t.Fatal(err)
	}
}

func minute(t testing.TB, b window.Buffer, facility string) window.Minute {
	t.Helper()
	m, err := b.Minute(t.Context(), facility)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func keepsAMinute(t *testing.T, b window.Buffer) {
	if !add(t, b, "north", seconds(0, 1), nil) || len(minute(t, b, "north").Windows) != 0 {
		t.Error("where nothing is known a window was taken in")
	}
	begin(t, b, "north", seconds(0, 1), nil)
	for s := 1; s < 200; s++ {
		if add(t, b, "north", seconds(s, s+1), nil) {
			t.Errorf("second %d began anew", s)
		}
	}
	got := minute(t, b, "north").Before(at(200)).Seconds
	if len(got) != 60 || got[0].PacketsPerSec != 140 || got[59].PacketsPerSec != 199 {
		t.Fatalf("%d windows, want the 60 from 140 to 199", len(got))
	}
	if got := minute(t, b, "north").Before(at(150).Add(time.Second / 2)).Seconds; len(got) != 10 {
		t.Errorf("%d windows before 150.5 s, want the 10 that had ended", len(got))
	}
	if got := minute(t, b, "south").Current(); len(got.Seconds) != 0 || got.Analysis != "" {
		t.Errorf("another facility has %+v", got)
	}
	// A batch that comes again takes back what came after it, and keeps what came before.
	again := seconds(180, 182)
	again[0].PacketsPerSec = 7
	if add(t, b, "north", again, nil) {
		t.Error("a batch that came again began anew")
	}
	if got := minute(t, b, "north").Windows; len(got) != 42 || got[40].PacketsPerSec != 7 || !got[39].Time.Equal(at(179)) {
		t.Errorf("after a batch came again: %d windows, want those of 140 to 181", len(got))
	}
	for what, windows := range map[string][]breakwater.Window{"after a gap": seconds(190, 191), "an older capture": seconds(10, 11)} {
		before := minute(t, b, "north")
		if !add(t, b, "north", windows, []breakwater.Detection{{Time: windows[0].Time, Severity: breakwater.High}}) {
			t.Errorf("%s: it went on with what was known", what)
		}
		if diff := cmp.Diff(before, minute(t, b, "north")); diff != "" {
			t.Errorf("%s: what begins anew was taken in (-before +after):\n%s", what, diff)
		}
	}
	begin(t, b, "north", seconds(8, 11), nil)
	if got, want := minute(t, b, "north").Before(at(9)).Analysis, "In the 1 s before: 8–8 packets/s, at most 0 sending hosts a second, 0 failed connections."; got != want {
		t.Errorf("analysis: %q, want %q", got, want)
	}
	begin(t, b, "north", seconds(0, 500), nil) // a batch may hold more than a minute
	if got := minute(t, b, "north").Windows; len(got) != 60 || got[0].PacketsPerSec != 440 {
		t.Errorf("of 500 windows %d are kept", len(got))
	}
	if err := b.Forget(t.Context(), "north"); err != nil || len(minute(t, b, "north").Windows) != 0 {
		t.Errorf("not forgotten: %v", err)
	}
}

func keepsTheSeverest(t *testing.T, b window.Buffer) {
	begin(t, b, "north", seconds(0, 20), []breakwater.Detection{{Time: at(3), Severity: breakwater.High}, {Time: at(3), Severity: breakwater.Low}})
	add(t, b, "north", nil, []breakwater.Detection{{Time: at(19), Severity: breakwater.Low}, {Time: at(19), Severity: breakwater.Medium}})
	add(t, b, "north", seconds(20, 21), []breakwater.Detection{{Time: at(19), Severity: breakwater.Low}, {Time: at(20), Severity: "?"}})
	want := map[int64]breakwater.Severity{at(3).Unix(): breakwater.High, at(19).Unix(): breakwater.Medium}
	if diff := cmp.Diff(want, minute(t, b, "north").Worst); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	add(t, b, "north", seconds(21, 140), []breakwater.Detection{{Time: at(139), Severity: breakwater.Low}})
	want = map[int64]breakwater.Severity{at(139).Unix(): breakwater.Low}
	if diff := cmp.Diff(want, minute(t, b, "north").Worst); diff != "" {
		t.Errorf("two minutes later (-want +got):\n%s", diff)
	}
	// What is detected may be told before its window and where there are no windows.
	add(t, b, "south", nil, []breakwater.Detection{{Time: at(1), Severity: breakwater.Critical}})
	if got := minute(t, b, "south"); len(got.Windows) != 0 || got.Worst[at(1).Unix()] != breakwater.Critical {
		t.Errorf("without windows: %+v", got)
	}
}

func keepsNoValues(t *testing.T, b window.Buffer) {
	w := seconds(0, 1)
	w[0].Raw = breakwater.RawFeatures{Protocols: map[breakwater.Protocol]int{breakwater.Modbus: 3}, Values: map[string]float64{"10.0.0.11/1/holding/4": 7}}
	w[0].Time = w[0].Time.In(time.FixedZone("", 3600))
	begin(t, b, "north", w, nil)
	want := []breakwater.Window{{FacilityID: "north", Time: t0, Raw: breakwater.RawFeatures{Protocols: map[breakwater.Protocol]int{breakwater.Modbus: 3}}}}
	if diff := cmp.Diff(want, minute(t, b, "north").Windows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(w[0].Raw.Values) != 1 {
		t.Error("the sender's window was changed")
	}
}

// addsWholly lets many add the same minute at once, as nodes do with a batch that is sent twice: whoever looks sees whole
// batches, without a gap.
func addsWholly(t *testing.T, b window.Buffer) {
	begin(t, b, "north", seconds(0, 10), nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for s := 10; s < 200; s += 10 {
				if anew, err := b.Add(t.Context(), "north", seconds(s, s+10), nil); err != nil {
					t.Error(err)
				} else if m, err := b.Minute(t.Context(), "north"); err != nil {
					t.Error(err)
				} else if n := len(m.Windows); n%10 != 0 || !slices.IsSortedFunc(m.Windows, func(a, b breakwater.Window) int { return a.Time.Compare(b.Time) }) ||
					n > 0 && m.Windows[n-1].Time.Sub(m.Windows[0].Time) != time.Duration(n-1)*time.Second {
					t.Errorf("half a batch: %d windows (anew: %t)", n, anew)
				}
			}
		})
	}
	all.Wait()
}

// answersAsMemory asks the same of both, at random.
func answersAsMemory(t *testing.T, b window.Buffer) {
	if _, same := b.(*window.Memory); same {
		t.Skip("the one in memory would be compared with itself")
	}
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		memory := window.NewMemory()
		facilities := []string{fmt.Sprintf("north-%d", round), fmt.Sprintf("south-%d", round)}
		now := 0 // where the sensor is
		severity := rapid.SampledFrom([]breakwater.Severity{breakwater.Low, breakwater.Medium, breakwater.High, breakwater.Critical, "?"})
		windows := func(most int) []breakwater.Window {
			from := now + rapid.SampledFrom([]int{0, 0, 0, 0, -1, -5, -70, 1, 30, 200}).Draw(t, "jump")
			list := seconds(from, from+rapid.IntRange(0, most).Draw(t, "seconds"))
			for i := range list {
				list[i].PacketsPerSec = float64(rapid.IntRange(0, 99).Draw(t, "packets"))
			}
			if len(list) > 0 {
				now = from + len(list)
			}
			return list
		}
		found := func() (list []breakwater.Detection) {
			for range rapid.IntRange(0, 3).Draw(t, "detections") {
				list = append(list, breakwater.Detection{Time: at(now - rapid.IntRange(-70, 150).Draw(t, "ago")), Severity: severity.Draw(t, "severity")})
			}
			return list
		}
		for range rapid.IntRange(1, 40).Draw(t, "operations") {
			facility := rapid.SampledFrom(facilities).Draw(t, "facility")
			switch rapid.IntRange(0, 9).Draw(t, "operation") {
			case 0:
				if err := b.Forget(t.Context(), facility); err != nil {
					t.Fatal(err)
				}
				memory.Forget(t.Context(), facility)
			default:
				w, f := windows(rapid.SampledFrom([]int{1, 3, 100}).Draw(t, "most")), found()
				wanted, _ := memory.Add(t.Context(), facility, w, f)
				anew, err := b.Add(t.Context(), facility, w, f)
				if err != nil || anew != wanted {
					t.Fatalf("anew: %t (%v), in memory %t", anew, err, wanted)
				}
				if anew && rapid.Bool().Draw(t, "begins") {
					if err := b.Begin(t.Context(), facility, w, f); err != nil {
						t.Fatal(err)
					}
					memory.Begin(t.Context(), facility, w, f)
				}
			}
			want, _ := memory.Minute(t.Context(), facility)
			got, err := b.Minute(t.Context(), facility)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Fatalf("%v (-memory +this):\n%s", err, diff)
			}
			moment := at(now - rapid.IntRange(-5, 70).Draw(t, "moment"))
			if diff := cmp.Diff(want.Before(moment), got.Before(moment)); diff != "" {
				t.Fatalf("before %v (-memory +this):\n%s", moment, diff)
			}
		}
	})
}
