package app

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"breakwater"
	"breakwater/internal/live"
	"breakwater/internal/pipeline"
	"breakwater/internal/store"
)

const (
	// lookEvery is how often the monitor looks, and rateSpan over how long a rate is the mean.
	lookEvery = time.Second
	rateSpan  = 10 * time.Second
	// statusEvery is how often channel system is told, where somebody listens.
	statusEvery = 2 * time.Second
	// silentAfter is how long a facility may say nothing: sensors send each second, and say hello more often than that.
	silentAfter = 30 * time.Second
)

// monitor knows how the system stands by wall time, which the way of the data does not look at: it looks at what came in
// so far, again and again, and tells what changed.
type monitor struct {
	server  *pipeline.Server
	store   *store.Store
	hub     *live.Hub
	log     *slog.Logger
	version string
	began   time.Time

	mu         sync.Mutex // over what follows
	looks      []look     // of the last rateSpan, oldest first
	facilities map[string]*presence
}

// look is what had come in at one time.
type look struct {
	at     time.Time
	events int64
}

// presence is what was seen of one facility.
type presence struct {
	batches int64
	heard   time.Time // when its count was last seen to grow, or its sensor said hello
	status  breakwater.Presence
	changed time.Time // when status changed; zero: never
}

// run looks and tells until ctx ends.
func (m *monitor) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var told breakwater.SystemStatus
	var next time.Time
	for {
		now := time.Now()
		for _, f := range m.look(now) {
			m.told(m.hub.Facility(&f))
		}
		if !now.Before(next) && m.hub.Listening("system") {
			next = now.Add(statusEvery)
			status, err := m.statusAt(ctx, now)
			if err != nil && ctx.Err() == nil {
				m.log.Warn("how the system stands could not be read; it will be tried again", "err", err)
			} else if same := status; err == nil {
				same.UptimeSeconds = told.UptimeSeconds
				if !reflect.DeepEqual(same, told) {
					m.told(m.hub.System(&status))
					told = status
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (m *monitor) told(err error) {
	if err != nil {
		m.log.Warn("how the system stands was not published", "err", err)
	}
}

// look notes what has come in by now, and gives the facilities whose status has changed.
func (m *monitor) look(now time.Time) []breakwater.FacilityStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	load := m.server.Load()
	m.looks = append(m.looks, look{now, load.Events})
	for len(m.looks) > 2 && !m.looks[1].at.After(now.Add(-rateSpan)) {
		m.looks = m.looks[1:]
	}
	for id, batches := range load.Batches {
		if p := m.of(id); p.batches != batches {
			p.batches, p.heard = batches, now
		}
	}
	var changed []breakwater.FacilityStatus
	for id, p := range m.facilities {
		if p.decide(now) {
			f := breakwater.FacilityStatus{ID: id, Name: id}
			m.fill(&f)
			changed = append(changed, f)
		}
	}
	return changed
}

// forget drops what was seen of a facility that is there no more.
func (m *monitor) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.facilities, id)
}

// of is what was seen of a facility. The lock is held.
func (m *monitor) of(id string) *presence {
	p := m.facilities[id]
	if p == nil {
		p = &presence{status: breakwater.Silent}
		m.facilities[id] = p
	}
	return p
}

// decide sets the status as of now and reports whether it has changed.
func (p *presence) decide(now time.Time) bool {
	status := breakwater.Silent
	if !p.heard.IsZero() && now.Sub(p.heard) < silentAfter {
		status = breakwater.Active
	}
	if status == p.status {
		return false
	}
	p.status, p.changed = status, now
	return true
}

// fill says of a facility what was seen of it. The lock is held.
func (m *monitor) fill(f *breakwater.FacilityStatus) {
	p := m.of(f.ID)
	f.Status = p.status
	if !p.changed.IsZero() {
		f.Version = p.changed.UnixMilli()
	}
	seconds := m.server.Context.Current(f.ID).Seconds
	if len(seconds) == 0 {
		return
	}
	newest := &seconds[len(seconds)-1]
	if p.status == breakwater.Active {
		f.PacketsPerSec = newest.PacketsPerSec
	}
	if end := newest.End(); f.LastSeen == nil || end.After(*f.LastSeen) {
		f.LastSeen = &end
	}
}

// status is how the whole system stands now.
func (m *monitor) status(ctx context.Context) (breakwater.SystemStatus, error) {
	return m.statusAt(ctx, time.Now())
}

func (m *monitor) statusAt(ctx context.Context, now time.Time) (breakwater.SystemStatus, error) {
	o, err := m.store.Overview(ctx)
	if err != nil {
		return breakwater.SystemStatus{}, err
	}
	load := m.server.Load()
	s := &o.Status
	s.Version, s.UptimeSeconds = m.version, int64(now.Sub(m.began)/time.Second)
	s.Ingest.Lag = load.Pending

	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.looks) > 0 {
		// The newest look is up to a second old: the mean runs from the oldest one to now.
		if oldest := m.looks[0]; now.After(oldest.at) {
			s.Ingest.EventsPerSec = float64(load.Events-oldest.events) / max(now.Sub(oldest.at), lookEvery).Seconds()
		}
	}
	for i := range s.Facilities {
		f := &s.Facilities[i]
		if heard, ok := o.Heard[f.ID]; ok {
			if p := m.of(f.ID); heard.After(p.heard) {
				p.heard = heard // its status changes at the next look, which tells of it
			}
		}
		m.fill(f)
	}
	return *s, nil
}
