package app

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
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
//
// What it says does not hang on which node is asked: that a facility is heard of shows in the store, to whichever node its
// batches came; the leading node alone decides, and saves, that one has fallen silent. How fast data comes in each node
// tells the others.
type monitor struct {
	server  *pipeline.Server
	store   *store.Store
	hub     *live.Hub
	log     *slog.Logger
	version string
	began   time.Time
	node    store.Node
	leads   func() bool
	joined  bool         // what is told here, the listeners of other nodes hear too: over Redis or Kafka
	behind  func() int64 // records of topics that are not taken yet; nil: there are no topics

	facilities map[string]*presence // nil: it did not look yet

	mu     sync.Mutex         // over what follows
	looks  []look             // of the last rateSpan, oldest first
	others []store.NodeReport // as they said last
	away   bool               // the store could not be asked last time
	alone  bool               // it was told that others do not hear what is told here
}

// look is what had come in at one time.
type look struct {
	at     time.Time
	events int64
}

// presence is what was seen of one facility.
type presence struct {
	store.HeardOf
	heard time.Time // when that last changed, by this node's clock; zero: not since it began to look
	told  int64     // version of the status that was told last
}

// run looks and tells until ctx ends.
func (m *monitor) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var told breakwater.SystemStatus
	var next time.Time
	for {
		now := time.Now()
		changed, err := m.look(ctx, now)
		m.failing(ctx, err)
		for _, f := range changed {
			m.told(m.hub.Facility(&f))
		}
		if !now.Before(next) {
			next = now.Add(statusEvery)
			m.report(ctx, now)
			if m.speaks() && (m.hub.Listening("system") || m.hub.Joined()) { // who listens to another node is not known here
				status, err := m.statusAt(ctx, now)
				same := status
				same.UptimeSeconds = told.UptimeSeconds
				if err == nil && !reflect.DeepEqual(same, told) {
					m.told(m.hub.System(&status))
					told = status
				}
			}
		}
		select {
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusEvery)
			defer cancel()
			if err := m.store.DismissNode(late, m.node); err != nil {
				m.log.Debug("this node counts as there for some seconds more", "err", err)
			}
			return
		case <-tick.C:
		}
	}
}

// failing tells once that the store cannot be asked.
func (m *monitor) failing(ctx context.Context, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && !m.away && ctx.Err() == nil {
		m.log.Warn("how the system stands could not be read; it will be tried again", "err", err)
	}
	m.away = err != nil
}

func (m *monitor) told(err error) {
	if err != nil {
		m.log.Warn("how the system stands was not published", "err", err)
	}
}

// speaks reports whether this node tells its listeners of what all nodes know: where they share one hub, the leading one does
// for all.
func (m *monitor) speaks() bool { return !m.hub.Joined() || m.leads() }

// look notes what has come in by now, and gives the facilities whose status has changed, where it is this node that tells.
func (m *monitor) look(ctx context.Context, now time.Time) (changed []breakwater.FacilityStatus, err error) {
	facilities, heard, err := m.store.Heard(ctx)
	m.mu.Lock()
	m.looks = append(m.looks, look{now, m.server.Load().Events})
	for len(m.looks) > 2 && !m.looks[1].at.After(now.Add(-rateSpan)) {
		m.looks = m.looks[1:]
	}
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	first := m.facilities == nil
	seen := make(map[string]*presence, len(facilities))
	for i := range facilities {
		f := &facilities[i]
		p := m.facilities[f.ID]
		switch {
		case p == nil && first: // it was there before: whether anybody hears of it will show
			p = &presence{HeardOf: heard[i], told: f.Version}
			if f.Status == breakwater.Active {
				p.heard = now
			}
		case p == nil:
			p = &presence{}
			if f.LastSeen != nil || !heard[i].Hello.IsZero() { // else it was only named
				p.heard = now
			}
		case p.Revision != heard[i].Revision || !p.Hello.Equal(heard[i].Hello):
			p.heard = now
		}
		p.HeardOf = heard[i]
		seen[f.ID] = p
		if m.leads() {
			if err := m.turn(ctx, f, p, now); err != nil {
				return changed, err
			}
		}
		if p.told != f.Version {
			p.told = f.Version
			if m.speaks() {
				changed = append(changed, *f)
			}
		}
	}
	m.facilities = seen
	return changed, nil
}

// turn decides how a facility stands, and saves it where that has changed.
func (m *monitor) turn(ctx context.Context, f *breakwater.FacilityStatus, p *presence, now time.Time) error {
	status := breakwater.Silent
	if !p.heard.IsZero() && now.Sub(p.heard) < silentAfter {
		status = breakwater.Active
	}
	if status == f.Status {
		return nil
	}
	return m.store.Turn(ctx, f, status, now)
}

// report tells the other nodes how much comes in here, and hears it of them. A database inside this process has no others.
func (m *monitor) report(ctx context.Context, now time.Time) {
	if m.store.Embedded() {
		return
	}
	m.mu.Lock()
	rate := m.rate(now)
	m.mu.Unlock()
	others, err := m.store.ReportNode(ctx, m.node, store.NodeReport{Joined: m.joined, EventsPerSec: rate, Lag: m.server.Load().Pending})
	m.failing(ctx, err)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.others = others
	if alone := len(m.unheard()) > 0; alone != m.alone {
		m.alone = alone
		if alone {
			m.log.Warn("other nodes serve on this database, and what is told live on one is not heard on the others: set REDIS_URL, or KAFKA_BOOTSTRAP_SERVERS, on all of them", "others", m.unheard())
		}
	}
}

// unheard are the nodes whose listeners do not hear what is told here, or the other way round. The lock is held.
func (m *monitor) unheard() (names []string) {
	for _, o := range m.others {
		if !o.Joined || !m.joined {
			names = append(names, o.Name)
		}
	}
	return names
}

// warnings say what is wrong over several nodes, though each of them is well.
func (m *monitor) warnings() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if names := m.unheard(); len(names) > 0 {
		return []string{"Live messages of node " + strings.Join(names, ", ") + " are not heard here: set REDIS_URL, or KAFKA_BOOTSTRAP_SERVERS, on all nodes."}
	}
	return nil
}

// rate is how many events a second came in here of late. The lock is held.
func (m *monitor) rate(now time.Time) float64 {
	// The newest look is up to a second old: the mean runs from the oldest one to now.
	if len(m.looks) == 0 || !now.After(m.looks[0].at) {
		return 0
	}
	oldest := m.looks[0]
	return float64(m.server.Load().Events-oldest.events) / max(now.Sub(oldest.at), lookEvery).Seconds()
}

// status is how the whole system stands now.
func (m *monitor) status(ctx context.Context) (breakwater.SystemStatus, error) {
	return m.statusAt(ctx, time.Now())
}

func (m *monitor) statusAt(ctx context.Context, now time.Time) (breakwater.SystemStatus, error) {
	s, err := m.store.Overview(ctx)
	if err != nil {
		return s, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Version, s.UptimeSeconds = m.version, int64(now.Sub(m.began)/time.Second)
	s.Ingest.Lag, s.Ingest.EventsPerSec = m.server.Load().Pending, m.rate(now)
	if m.behind != nil {
		s.Ingest.Lag += m.behind()
	}
	for _, o := range m.others {
		s.Ingest.Lag += o.Lag
		s.Ingest.EventsPerSec += o.EventsPerSec
	}
	return s, nil
}
