package window

import (
	"net/netip"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }

func frame(s float64, src, dst string, p breakwater.Protocol, length int) *breakwater.Frame {
	return &breakwater.Frame{Time: at(s), Protocol: p, Length: length,
		Src: breakwater.Endpoint{Addr: netip.MustParseAddr(src)}, Dst: breakwater.Endpoint{Addr: netip.MustParseAddr(dst)}}
}

func TestBuilderCountsTheEightFeatures(t *testing.T) {
	t.Parallel()
	var got []breakwater.Window
	b := NewBuilder("north", func(w *breakwater.Window) { got = append(got, *w) })
	for _, f := range []*breakwater.Frame{
		frame(.1, "10.0.0.2", "10.0.0.11", breakwater.Modbus, 60),
		frame(.2, "10.0.0.11", "10.0.0.2", breakwater.Modbus, 80),
		frame(.4, "10.0.0.2", "10.0.0.5", breakwater.DNS, 100),
		frame(.7, "10.0.0.5", "10.0.0.2", breakwater.TCP, 160),
	} {
		b.Advance(f.Time)
		b.Frame(f)
	}
	client, server := breakwater.Endpoint{Addr: netip.MustParseAddr("10.0.0.2")}, breakwater.Endpoint{Addr: netip.MustParseAddr("10.0.0.11")}
	b.Event(&breakwater.Event{Protocol: breakwater.Modbus, Kind: breakwater.Request, Src: client, Dst: server, Function: 3, Class: breakwater.Read, Unit: 1, Ranged: true, Address: 4, Quantity: 2})
	b.Event(&breakwater.Event{Protocol: breakwater.Modbus, Kind: breakwater.Response, Src: server, Dst: client, FromServer: true, Function: 3, Class: breakwater.Read, Unit: 1, Ranged: true, Address: 4, Quantity: 2, Values: []float64{7, 9}})
	b.Event(&breakwater.Event{Protocol: breakwater.TCP, Kind: breakwater.Refused, Src: client, Dst: server})
	b.Advance(at(2.5)) // ends the first second and a silent one
	b.Flush()

	want := breakwater.Window{
		FacilityID: "north", Time: t0, PacketsPerSec: 4, BytesPerSec: 400, UniqueSrcIPs: 3, UniqueDestIPs: 3,
		ProtocolMix: 0.9463946303571862, // (2 of 4, 1 of 4, 1 of 4): 1.5 bits of log2(3)
		FailedConns: 1, AvgPacketSize: 100, InterArrivalMS: 200,
		Raw: breakwater.RawFeatures{
			Protocols: map[breakwater.Protocol]int{breakwater.Modbus: 2, breakwater.DNS: 1, breakwater.TCP: 1},
			Functions: map[string]int{"modbus/3": 1},
			Values:    map[string]float64{"10.0.0.11/1/holding/4": 7, "10.0.0.11/1/holding/5": 9},
		},
	}
	if len(got) != 3 {
		t.Fatalf("%d windows, want 3: the first second, a silent one, and what Flush ends", len(got))
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("first window (-want +got):\n%s", diff)
	}
	for i, w := range got[1:] {
		if diff := cmp.Diff(breakwater.Window{FacilityID: "north", Time: at(float64(i + 1))}, w); diff != "" {
			t.Errorf("silent window (-want +got):\n%s", diff)
		}
	}
}

func TestBuilderBoundsSilence(t *testing.T) {
	t.Parallel()
	n := 0
	b := NewBuilder("north", func(*breakwater.Window) { n++ })
	b.Advance(at(0))
	b.Advance(at(365 * 86400))
	if n > silenceMax+1 {
		t.Errorf("a year of silence gave %d windows", n)
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	calm := func(n int) []breakwater.Window {
		windows := make([]breakwater.Window, n)
		for i := range windows {
			windows[i] = breakwater.Window{Time: at(float64(i)), PacketsPerSec: 60, UniqueDestIPs: 6}
		}
		return windows
	}
	for _, c := range []struct {
		name   string
		change func(w *breakwater.Window)
		found  breakwater.Severity
		want   breakwater.Standing
	}{
		{"as always", func(*breakwater.Window) {}, "", breakwater.Normal},
		{"three times the packets", func(w *breakwater.Window) { w.PacketsPerSec = 190 }, "", breakwater.Normal},
		{"more than that", func(w *breakwater.Window) { w.PacketsPerSec = 191 }, "", breakwater.Suspicious},
		{"silence", func(w *breakwater.Window) { w.PacketsPerSec = 0 }, "", breakwater.Suspicious},
		{"many addresses", func(w *breakwater.Window) { w.UniqueDestIPs = 24 }, "", breakwater.Suspicious},
		{"many failures", func(w *breakwater.Window) { w.FailedConns = 6 }, "", breakwater.Suspicious},
		{"a medium detection", func(*breakwater.Window) {}, breakwater.Medium, breakwater.Suspicious},
		{"a high detection", func(*breakwater.Window) {}, breakwater.High, breakwater.Attacked},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := Minute{Windows: calm(20)}
			c.change(&m.Windows[19])
			if c.found != "" {
				m.Worst = Severest([]breakwater.Detection{{Time: at(19.5), Severity: c.found}, {Time: at(19.6), Severity: breakwater.Low}})
			}
			got := m.Before(at(20)).Seconds
			for i, s := range got {
				want := breakwater.Normal
				if i == 19 {
					want = c.want
				}
				if s.Status != want {
					t.Errorf("second %d is %s, want %s", i, s.Status, want)
				}
			}
		})
	}
	// Of a few seconds none can be unlike the others.
	few := calm(9)
	few[8].PacketsPerSec = 5000
	if got := (Minute{Windows: few}).Current().Seconds[8].Status; got != breakwater.Normal {
		t.Errorf("of nine seconds one is %s", got)
	}
}
