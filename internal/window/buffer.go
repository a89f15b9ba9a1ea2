package window

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"breakwater"
)

// ContextSpan is how far back the context of a moment reaches.
const ContextSpan = 60 * time.Second

// notedSpan is how far what was detected is remembered behind the newest of it: that may be ahead of the windows by as
// much as these reach back.
const notedSpan = 2 * ContextSpan

// Buffer keeps the last 60 s of every facility: its windows, without process values, of which there may be a thousand a
// second and which the store has; and the severest detection of each second. It is safe for many goroutines, and, where
// it is kept outside of the process, for many processes: nobody sees half of an Add or a Begin.
//
// Errors are of kind Unavailable: what keeps the seconds cannot be had now, and it may or may not have taken them in.
// The same call again does no harm.
type Buffer interface {
	// Add takes in windows of one facility, in order of time, and what was detected there, and drops what is now older
	// than 60 s. Windows that are there already, as of a batch that comes again, take the place of what was known from
	// their time on.
	//
	// It reports whether the facility's context begins anew with them: what is known does not reach up to them, as where
	// nothing is, an older capture is being replayed, or two runs of a sensor are mixed. Then nothing was taken in, for the
	// next batch would join on to half a context: Begin is told those of before, too.
	Add(ctx context.Context, facility string, windows []breakwater.Window, found []breakwater.Detection) (anew bool, err error)
	// Begin makes a facility's context of these windows, in order of time, and detections alone.
	Begin(ctx context.Context, facility string, windows []breakwater.Window, found []breakwater.Detection) error
	// Minute is what is kept of a facility, empty where nothing is.
	Minute(ctx context.Context, facility string) (Minute, error)
	// Forget drops what is kept of a facility.
	Forget(ctx context.Context, facility string) error
}

// Memory is a Buffer in the memory of this process, for a server that stands alone. It never fails.
type Memory struct {
	mu         sync.RWMutex
	facilities map[string]*Minute
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{facilities: map[string]*Minute{}} }

// Add is Buffer's.
func (b *Memory) Add(_ context.Context, facility string, windows []breakwater.Window, found []breakwater.Detection) (anew bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.facilities[facility]
	if len(windows) > 0 {
		from := windows[0].Time
		if m == nil {
			return true, nil
		}
		kept := m.Windows
		for len(kept) > 0 && !kept[len(kept)-1].Time.Before(from) {
			kept = kept[:len(kept)-1]
		}
		if len(kept) == 0 || kept[len(kept)-1].End().Before(from) {
			return true, nil
		}
		m.Windows = kept
	}
	if m == nil {
		m = &Minute{Worst: map[int64]breakwater.Severity{}}
		b.facilities[facility] = m
	}
	m.take(windows, found)
	return false, nil
}

// Begin is Buffer's.
func (b *Memory) Begin(_ context.Context, facility string, windows []breakwater.Window, found []breakwater.Detection) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := &Minute{Worst: map[int64]breakwater.Severity{}}
	m.take(windows, found)
	b.facilities[facility] = m
	return nil
}

// Minute is Buffer's.
func (b *Memory) Minute(_ context.Context, facility string) (Minute, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	m := b.facilities[facility]
	if m == nil {
		return Minute{}, nil
	}
	return Minute{Windows: slices.Clone(m.Windows), Worst: maps.Clone(m.Worst)}, nil
}

// Forget is Buffer's.
func (b *Memory) Forget(_ context.Context, facility string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.facilities, facility)
	return nil
}

// take adds windows that come after those that are there, and what was detected.
func (m *Minute) take(windows []breakwater.Window, found []breakwater.Detection) {
	for i := range windows {
		m.Windows = append(m.Windows, Kept(windows[i]))
	}
	if n := len(m.Windows); n > 0 {
		oldest := m.Windows[n-1].Time.Add(-ContextSpan)
		old := 0
		for !m.Windows[old].Time.After(oldest) {
			old++
		}
		m.Windows = m.Windows[old:]
	}
	for second, severity := range Severest(found) {
		if severity.Rank() > m.Worst[second].Rank() {
			m.Worst[second] = severity
		}
	}
	dropNoted(m.Worst)
}

// Kept is as much of a window as a Buffer keeps.
func Kept(w breakwater.Window) breakwater.Window {
	w.Time, w.Raw.Values = w.Time.UTC(), nil
	return w
}

// Severest is the severest detection of each Unix second, as far back as a Buffer remembers.
func Severest(found []breakwater.Detection) map[int64]breakwater.Severity {
	worst := make(map[int64]breakwater.Severity, min(len(found), int(notedSpan/time.Second)))
	for i := range found {
		second := found[i].Time.Unix()
		if found[i].Severity.Rank() > worst[second].Rank() {
			worst[second] = found[i].Severity
		}
	}
	dropNoted(worst)
	return worst
}

// dropNoted forgets what was detected longer ago than is remembered.
func dropNoted(worst map[int64]breakwater.Severity) {
	if len(worst) < 2 {
		return
	}
	newest := slices.Max(slices.Collect(maps.Keys(worst)))
	maps.DeleteFunc(worst, func(second int64, _ breakwater.Severity) bool { return newest-second >= int64(notedSpan/time.Second) })
}
