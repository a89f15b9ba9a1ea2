package window

import (
	"fmt"
	"slices"
	"time"

	"breakwater"
)

// Minute is the newest 60 s of one facility.
type Minute struct {
	Windows []breakwater.Window           // in order of time, the newest last
	Worst   map[int64]breakwater.Severity // the severest detection of a Unix second, where there was one
}

// Before is the context of a moment: the windows that ended by t and began at most 60 s before it.
func (m Minute) Before(t time.Time) breakwater.Context {
	return m.context(func(w *breakwater.Window) bool { return !w.End().After(t) && t.Sub(w.Time) <= ContextSpan })
}

// Current is the context of the newest second.
func (m Minute) Current() breakwater.Context {
	return m.context(func(*breakwater.Window) bool { return true })
}

func (m Minute) context(in func(*breakwater.Window) bool) breakwater.Context {
	var seconds []breakwater.Second
	for i := range m.Windows {
		if w := &m.Windows[i]; in(w) {
			seconds = append(seconds, breakwater.Second{Window: *w})
		}
	}
	judge(seconds, m.Worst)
	return breakwater.Context{Analysis: describe(seconds), Seconds: seconds}
}

// The bounds of a second that is like the others of its minute, as multiples of the minute's median. The absolute
// parts keep a network that is almost silent from being suspicious for ten packets.
const (
	judged     = 10 // seconds that must be known before one of them can be unlike the others
	times      = 3
	packetsOff = 10
	hostsOff   = 5
)

// judge says of each second how it stands: an attack where something severe was detected in it; suspicious where
// something else was, or where its packets are over three times the median of the minute or under a third of it, or
// the addresses sent to or the connections that failed are over three times theirs; else normal.
func judge(seconds []breakwater.Second, worst map[int64]breakwater.Severity) {
	packets, hosts, failed := make([]float64, len(seconds)), make([]float64, len(seconds)), make([]float64, len(seconds))
	for i := range seconds {
		w := &seconds[i]
		packets[i], hosts[i], failed[i] = w.PacketsPerSec, float64(w.UniqueDestIPs), float64(w.FailedConns)
	}
	p, h, f := median(packets), median(hosts), median(failed)
	for i := range seconds {
		s := &seconds[i]
		off := s.PacketsPerSec > times*p+packetsOff || s.PacketsPerSec < p/times-packetsOff ||
			float64(s.UniqueDestIPs) > times*h+hostsOff || float64(s.FailedConns) > times*f+hostsOff
		switch found := worst[s.Time.Unix()]; {
		case found.Rank() >= breakwater.High.Rank():
			s.Status = breakwater.Attacked
		case found != "" || off && len(seconds) >= judged:
			s.Status = breakwater.Suspicious
		default:
			s.Status = breakwater.Normal
		}
	}
}

// median is the middle one, of an even number the lower of the two; 0 of none. It sorts a copy.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)-1)/2]
}

// describe says in one sentence how the network looked in the given seconds, "" for none.
func describe(seconds []breakwater.Second) string {
	if len(seconds) == 0 {
		return ""
	}
	low, high, hosts, failed := seconds[0].PacketsPerSec, seconds[0].PacketsPerSec, 0, 0
	for _, w := range seconds {
		low, high = min(low, w.PacketsPerSec), max(high, w.PacketsPerSec)
		hosts = max(hosts, w.UniqueSrcIPs)
		failed += w.FailedConns
	}
	return fmt.Sprintf("In the %d s before: %.0f–%.0f packets/s, at most %d sending hosts a second, %d failed connections.",
		len(seconds), low, high, hosts, failed)
}
