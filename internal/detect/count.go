package detect

import (
	"net/netip"
	"time"

	"breakwater"
)

// targetsMax is how many of the values that a distinct count has seen a description names.
const targetsMax = 5

// talkers is what a count counts apart by.
type talkers struct{ a, b asset }

// subject is one value that a distinct count tells from others.
type subject struct {
	addr netip.Addr
	mac  breakwater.MAC
	n    uint32
}

// tally is the count of one key of one rule.
type tally struct {
	last time.Time
	// number: one bucket for each sixteenth of the time counted over.
	buckets [16]int
	bucket  int64 // the newest, counted since the zero time
	// distinct: each value once, with when it was seen last, oldest sight first.
	values []sighting
}

type sighting struct {
	subject
	at time.Time
}

// tally counts a moment for a rule and reports whether the count is reached.
func (e *Engine) tally(r *ruleState, m *moment) bool {
	c := r.Count
	k := talkers{a: m.of(c.By[0])}
	if len(c.By) == 2 {
		k.b = m.of(c.By[1])
	}
	t := r.tallies[k]
	if t == nil {
		if len(r.tallies) >= talliesMax {
			r.dropIdle(m.time)
		}
		t = &tally{}
		r.tallies[k] = t
	}
	t.last = m.time
	if c.distinct == "" {
		m.count = t.number(c.Over, m.time)
	} else {
		m.count = t.different(m.value(c.distinct), c, m.time)
		m.targets = nil
		for i := 0; i < min(len(t.values), targetsMax); i++ {
			m.targets = append(m.targets, t.values[i].subject)
		}
	}
	m.over = c.Over
	need := c.AtLeast
	if c.Learned > 0 {
		rate := key{kind: kindRate, a: k.a.addr, b: k.b.addr, mac: k.a.mac, rule: r.ID}
		if e.learning {
			if s := e.baseline.learn(rate, m.time); s != nil {
				s.max = max(s.max, float64(m.count))
			}
			return false
		}
		if s := e.baseline.known[rate]; s != nil {
			need = max(need, int(c.Learned*s.max)+1)
		}
	}
	return m.count >= need
}

// dropIdle makes room: what has not counted for as long as the rule counts over goes; under a flood of invented
// addresses, where that is nothing, the rule begins to count anew.
func (r *ruleState) dropIdle(now time.Time) {
	for k, t := range r.tallies {
		if now.Sub(t.last) >= r.Count.Over {
			delete(r.tallies, k)
		}
	}
	if len(r.tallies) >= talliesMax {
		clear(r.tallies)
	}
}

// number counts one more, and gives how many there were in the last over, to a sixteenth of it.
func (t *tally) number(over time.Duration, now time.Time) int {
	width := int64(over) / int64(len(t.buckets))
	bucket := now.UnixNano() / width
	if gap := bucket - t.bucket; gap > 0 {
		for i := range min(gap, int64(len(t.buckets))) {
			t.buckets[(bucket-i)&15] = 0
		}
		t.bucket = bucket
	}
	t.buckets[bucket&15]++
	n := 0
	for _, x := range t.buckets {
		n += x
	}
	return n
}

// different takes a value in and gives how many different ones there were in the last over. It keeps at most four
// times what the rule asks for, and what is more pushes out the oldest.
func (t *tally) different(v subject, c *Count, now time.Time) int {
	keep := t.values[:0]
	for _, s := range t.values {
		if now.Sub(s.at) < c.Over && s.subject != v {
			keep = append(keep, s)
		}
	}
	if most := min(4*c.AtLeast, distinctMax); len(keep) >= most {
		copy(keep, keep[1:])
		keep = keep[:most-1]
	}
	t.values = append(keep, sighting{v, now})
	return len(t.values)
}

// of is the asset that a count's "by" names.
func (m *moment) of(by string) asset {
	switch by {
	case "client":
		return asset{addr: m.client}
	case "server":
		return asset{addr: m.server}
	}
	return m.device
}

// value is what a distinct count tells apart.
func (m *moment) value(of string) subject {
	switch of {
	case "server":
		return subject{addr: m.server}
	case "client":
		return subject{addr: m.client}
	case "port":
		return subject{n: uint32(m.talk.Port)}
	case "function":
		return subject{n: uint32(m.event.Function)}
	case "address":
		return subject{n: m.event.Address}
	}
	return subject{mac: m.mac}
}
