package window

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"breakwater"
)

// ContextSpan is how far back the context of a moment reaches.
const ContextSpan = 60 * time.Second

// Buffer keeps the last 60 s of every facility in memory: its windows, and the severest detection of each second. It is
// safe for many goroutines; those of one facility are added one after the other.
type Buffer struct {
	mu         sync.RWMutex
	facilities map[string]*minute
}

// minute is what is kept of one facility.
type minute struct {
	windows []breakwater.Window           // in order of time, the newest last
	worst   map[int64]breakwater.Severity // by Unix second
}

// NewBuffer makes an empty one.
func NewBuffer() *Buffer {
	return &Buffer{facilities: map[string]*minute{}}
}

// Add takes in windows of one facility, in order of time, and drops what is now older than 60 s. Those that are there
// already, as of a batch that comes again, take the place of what was known from their time on. It reports whether the
// facility's context begins anew with them: what is known does not reach up to them, as where nothing is, an older capture
// is being replayed, or two runs of a sensor are mixed.
func (b *Buffer) Add(facility string, windows []breakwater.Window) (anew bool) {
	if len(windows) == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.of(facility)
	from := windows[0].Time
	kept := m.windows
	for len(kept) > 0 && !kept[len(kept)-1].Time.Before(from) {
		kept = kept[:len(kept)-1]
	}
	if anew = len(kept) == 0 || kept[len(kept)-1].End().Before(from); anew {
		kept = kept[:0]
		clear(m.worst)
	}
	m.windows = append(kept, windows...) // what is read of it is copied
	m.drop()
	return anew
}

// Recall puts what is known from elsewhere, in order of time, before a context that has begun anew.
func (b *Buffer) Recall(facility string, earlier []breakwater.Window, found []breakwater.Detection) {
	b.Note(facility, found)
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.of(facility)
	for len(earlier) > 0 && len(m.windows) > 0 && !earlier[len(earlier)-1].Time.Before(m.windows[0].Time) {
		earlier = earlier[:len(earlier)-1]
	}
	m.windows = slices.Concat(earlier, m.windows)
	m.drop()
}

// Note remembers when something was detected, and how severe it was.
func (b *Buffer) Note(facility string, found []breakwater.Detection) {
	if len(found) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.of(facility)
	for i := range found {
		second := found[i].Time.Unix()
		if found[i].Severity.Rank() > m.worst[second].Rank() {
			m.worst[second] = found[i].Severity
		}
	}
	m.drop()
}

// Forget drops what is kept of a facility.
func (b *Buffer) Forget(facility string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.facilities, facility)
}

// of is what is kept of a facility, made where nothing is. The lock is held.
func (b *Buffer) of(facility string) *minute {
	m := b.facilities[facility]
	if m == nil {
		m = &minute{worst: map[int64]breakwater.Severity{}}
		b.facilities[facility] = m
	}
	return m
}

// drop forgets what lies more than 60 s back. A detection's second may be ahead of the windows by as much.
func (m *minute) drop() {
	if n := len(m.windows); n > 0 {
		oldest := m.windows[n-1].Time.Add(-ContextSpan)
		old := 0
		for !m.windows[old].Time.After(oldest) {
			old++
		}
		m.windows = m.windows[old:]
	}
	const span = int64(ContextSpan / time.Second)
	if len(m.worst) > 2*int(span) {
		newest := int64(0)
		for second := range m.worst {
			newest = max(newest, second)
		}
		for second := range m.worst {
			if newest-second > span {
				delete(m.worst, second)
			}
		}
	}
}

// Before is the context of a moment: the windows of a facility that ended by t and began at most 60 s before it.
func (b *Buffer) Before(facility string, t time.Time) breakwater.Context {
	return b.context(facility, func(w *breakwater.Window) bool { return !w.End().After(t) && t.Sub(w.Time) <= ContextSpan })
}

// Current is the newest 60 s of a facility.
func (b *Buffer) Current(facility string) breakwater.Context {
	return b.context(facility, func(*breakwater.Window) bool { return true })
}

func (b *Buffer) context(facility string, in func(*breakwater.Window) bool) breakwater.Context {
	b.mu.RLock()
	defer b.mu.RUnlock()
	m := b.facilities[facility]
	if m == nil {
		return breakwater.Context{}
	}
	var seconds []breakwater.Second
	for i := range m.windows {
		if w := &m.windows[i]; in(w) {
			seconds = append(seconds, breakwater.Second{Window: *w})
		}
	}
	judge(seconds, m.worst)
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
