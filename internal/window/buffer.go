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

// Buffer keeps the last 60 s of every facility in memory. It is safe for many goroutines.
type Buffer struct {
	mu         sync.RWMutex
	facilities map[string][]breakwater.Window // in order of time, the newest last
}

// NewBuffer makes an empty one.
func NewBuffer() *Buffer {
	return &Buffer{facilities: map[string][]breakwater.Window{}}
}

// Add takes in windows of one facility, in order of time, and drops what is now older than 60 s. A window that is
// not later than the newest begins the facility's context anew: an older capture is being replayed.
func (b *Buffer) Add(facility string, windows []breakwater.Window) {
	if len(windows) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.facilities[facility]
	if len(kept) > 0 && !windows[0].Time.After(kept[len(kept)-1].Time) {
		kept = nil
	}
	kept = append(kept, windows...)
	oldest := kept[len(kept)-1].Time.Add(-ContextSpan)
	drop := 0
	for drop < len(kept) && !kept[drop].Time.After(oldest) {
		drop++
	}
	b.facilities[facility] = slices.Clone(kept[drop:])
}

// Before gives the windows of a facility that ended by t and began at most 60 s before it, oldest first.
func (b *Buffer) Before(facility string, t time.Time) []breakwater.Window {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []breakwater.Window
	for _, w := range b.facilities[facility] {
		if !w.End().After(t) && t.Sub(w.Time) <= ContextSpan {
			out = append(out, w)
		}
	}
	return out
}

// Describe says in one sentence how the network looked in the given windows, "" for none.
func Describe(windows []breakwater.Window) string {
	if len(windows) == 0 {
		return ""
	}
	low, high, hosts, failed := windows[0].PacketsPerSec, windows[0].PacketsPerSec, 0, 0
	for _, w := range windows {
		low, high = min(low, w.PacketsPerSec), max(high, w.PacketsPerSec)
		hosts = max(hosts, w.UniqueSrcIPs)
		failed += w.FailedConns
	}
	return fmt.Sprintf("In the %d s before: %.0f–%.0f packets/s, at most %d sending hosts a second, %d failed connections.",
		len(windows), low, high, hosts, failed)
}
