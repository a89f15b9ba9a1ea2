// Package detect turns events and windows into detections of layer 1: it knows what is normal on one facility's
// network, because it learned it, and which departures from that a rule asks about.
//
//	Event ─► what is new or odd about it: signals ─► rules that ask about them ─► expression ─► count ─┐
//	Window ─► flood ──────────────────────────────────────────────────────────────────────────────────┤
//	   │         ▲                                                                                      ▼
//	   │      Baseline (learned, saved as JSON)                                        Drain ◄─ Detection, folded by second
//	   └────► models (trained before, model files): k of the last n seconds unlike what was learned ────┘
//
// Mechanism is in Go, policy in rules/*.yaml. Go says what is new (a pair, a function, a writer …) and counts; a rule
// says what of it matters, how much, and in which words. An event with nothing new about it, as a known poll and its
// answer, raises no signal: it evaluates no rule and allocates nothing.
//
// Normal is judged by role, not by repetition. A plant does rare things that are its own: an operator's command once a
// week, a reconnect from another port, a poll of one more register. So a client is known for the functions it uses,
// and for writing or not writing, whatever the server; a pair is known by its service, whatever the client's port;
// what every host sends to all (broadcast, multicast, name and address services) tells of the sender alone.
//
// Everything is bounded. Under a flood of invented addresses: tables of hosts, conversations and counts begin anew
// when they are full (what was learned stays; what was new may be told again); a rule that speaks of more than 64
// assets in a minute speaks of the others as one, the asset "network".
package detect

import (
	"net/netip"
	"slices"
	"time"

	"github.com/expr-lang/expr/vm"

	"breakwater"
)

// The bounds of what an Engine keeps beside the baseline.
const (
	hostsMax     = 32_768
	talksMax     = 32_768
	strangersMax = 1_024
	talliesMax   = 4_096 // keys of one counting rule
	assetsMax    = 64    // assets of one rule in one minute
	peersMax     = 16    // of one rule and asset, told at once in one second
)

// again is how often something that goes on is told again: a conversation or function that was never learned. It is
// much shorter than breakwater.CorrelationSpan, so that the alert's last_seen follows what goes on, and longer than a
// poll, so that a forgotten historian does not fill the store.
const again = 10 * time.Second

// Engine is the detectors of one facility. It is for one goroutine.
type Engine struct {
	facility string
	rules    []*ruleState
	baseline *Baseline
	learning bool
	active   bool // the baseline can be compared with: it knows something, and is not being learned

	hosts map[asset]*host
	talks map[talkKey]*talk
	// Drawn from the baseline when learning ends.
	macs    map[breakwater.MAC]bool         // that sent packets
	met     map[[2]netip.Addr]bool          // hosts that have a pair, the lower address first
	writers map[netip.Addr][]netip.Addr     // of a server, sorted
	writes  map[netip.Addr]bool             // clients that wrote
	owners  map[netip.Addr]owner            // of addresses, as ARP tells
	claims  map[breakwater.MAC][]netip.Addr // addresses that a MAC claimed, at most claimsMax

	now       time.Time         // of the newest event or second's end; never goes back
	strangers map[talkKey]*talk // conversations that were told as new and may go on
	peers     map[service]int   // servers that a client uses a service of, as learned

	busiest *host // the receiver of most events in this second
	seconds int64 // Window calls
	machine vm.VM // runs the rules' expressions
	facts   facts
	scratch moment
	found   []breakwater.Detection

	models []*modelState // by kind
	agreed agreed
}

// ruleState is a rule at work.
type ruleState struct {
	*Rule
	tallies map[talkers]*tally
	pending map[asset]*pending // of this second
	assets  map[asset]bool     // that it spoke of since minute
	minute  time.Time
}

// asset is a host by its routable address, else by its MAC. The zero asset is the network as a whole.
type asset struct {
	addr netip.Addr
	mac  breakwater.MAC
}

func (a asset) String() string {
	switch {
	case a.addr.IsValid():
		return a.addr.String()
	case a.mac != breakwater.MAC{}:
		return a.mac.String()
	}
	return "network"
}

// assetOf is the asset that an endpoint is.
func assetOf(p breakwater.Endpoint) asset {
	if routable(p.Addr) {
		return asset{addr: p.Addr}
	}
	if p.MAC != (breakwater.MAC{}) {
		return asset{mac: p.MAC}
	}
	return asset{addr: p.Addr}
}

// deviceKey is the baseline's key of a host.
func deviceKey(a asset) key {
	if a.addr.IsValid() {
		return key{kind: kindDevice, a: a.addr}
	}
	return key{kind: kindLink, mac: a.mac}
}

// routable tells addresses that name a host from those that any host may take (link-local) or none has.
func routable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && a != limitedBroadcast
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// New makes the engine of a facility. It compares with b and, while learning, writes into it. The rules are shared,
// and not changed.
func New(facility string, rules []*Rule, b *Baseline) *Engine {
	e := &Engine{facility: facility, baseline: b}
	e.machine.MemoryBudget = memoryMax
	e.SetRules(rules)
	e.begin()
	return e
}

// SetRules goes on with other rules. What a rule that stays has counted stays with it. Call it between two seconds.
func (e *Engine) SetRules(rules []*Rule) {
	before := map[string]*ruleState{}
	for _, r := range e.rules {
		before[r.Hash()] = r
	}
	e.rules = nil
	for _, r := range rules {
		state := before[r.Hash()]
		if state == nil {
			state = &ruleState{tallies: map[talkers]*tally{}, pending: map[asset]*pending{}, assets: map[asset]bool{}}
		}
		state.Rule = r
		e.rules = append(e.rules, state)
	}
}

// SetBaseline goes on with another baseline, and forgets what was concluded from the one before.
func (e *Engine) SetBaseline(b *Baseline) {
	e.baseline = b
	e.begin()
}

// SetLearning begins or ends learning. While learning, what is seen goes into the baseline, and what compares with the
// baseline is silent; rules that need no baseline fire all the same.
func (e *Engine) SetLearning(on bool) {
	if e.learning {
		for of, h := range e.hosts {
			if s := e.baseline.known[deviceKey(of)]; s != nil {
				if h.heard.After(s.last) {
					s.last = h.heard
				}
				s.count += max(h.sent-1, 0) // the first was counted as it came
			}
		}
	}
	e.learning = on
	e.begin()
}

// begin draws from the baseline what is asked of it often, and forgets what was concluded from an earlier state of it.
func (e *Engine) begin() {
	e.active = !e.learning && !e.baseline.Empty()
	e.hosts, e.talks, e.busiest = map[asset]*host{}, map[talkKey]*talk{}, nil
	e.owners, e.claims = map[netip.Addr]owner{}, map[breakwater.MAC][]netip.Addr{}
	e.macs, e.met = map[breakwater.MAC]bool{}, map[[2]netip.Addr]bool{}
	e.strangers, e.peers = map[talkKey]*talk{}, map[service]int{}
	e.writers, e.writes = map[netip.Addr][]netip.Addr{}, map[netip.Addr]bool{}
	for k, s := range e.baseline.known {
		switch k.kind {
		case kindDevice:
			for _, m := range s.macs {
				e.macs[m] = true
			}
			if n := len(s.macs); n > 0 {
				e.owners[k.a] = owner{mac: s.macs[n-1], heard: s.last}
			}
		case kindLink:
			e.macs[k.mac] = true
		case kindPair:
			e.met[acquaintance(k.a, k.b)] = true
			e.peers[service{k.a, k.protocol, k.n}]++
		case kindWriter:
			e.writes[k.a] = true
			e.writers[k.b] = append(e.writers[k.b], k.a)
		}
	}
	for _, w := range e.writers {
		slices.SortFunc(w, netip.Addr.Compare)
	}
}

func acquaintance(a, b netip.Addr) [2]netip.Addr {
	if b.Less(a) {
		a, b = b, a
	}
	return [2]netip.Addr{a, b}
}

// Drain gives the detections made since the last Drain, in order. The slice is used again.
func (e *Engine) Drain() []breakwater.Detection {
	found := e.found
	e.found = e.found[:0]
	return found
}

// moment is one firing, or what may become one: the event and what is known around it.
type moment struct {
	time   time.Time
	event  breakwater.Event // without Values; zero for a second's end
	client netip.Addr
	server netip.Addr
	talk   breakwater.Conversation
	device asset // what a device or ARP signal is about
	mac    breakwater.MAC
	raised signal
	conflict
	answers   bool // new-device, new-address: first heard as it answered one that is known
	ongoing   bool // new-pair: told before; new-writer: wrote before, since the engine began
	pairKnown bool // client, server and service talked while the baseline was learned
	peers     int  // how many servers the client uses this service of, as learned
	packets   int  // second
	learned   int
	count     int // of the rule's count
	over      time.Duration
	targets   []subject // of a distinct count, at most targetsMax
}

// ask puts a moment before the rules that ask about its signals.
func (e *Engine) ask(m *moment) {
	filled := false
	for _, r := range e.rules {
		if r.signals&m.raised == 0 {
			continue
		}
		if r.program != nil {
			if !filled {
				e.fill(m)
				filled = true
			}
			if !e.holds(r.Rule, &e.facts) {
				continue
			}
		}
		if r.Count == nil || e.tally(r, m) {
			e.fire(r, m)
		}
	}
}

// fill says in e.facts what expressions may ask about a moment.
func (e *Engine) fill(m *moment) {
	ev, f := &m.event, &e.facts
	f.Protocol, f.Kind, f.Class = string(ev.Protocol), string(ev.Kind), string(ev.Class)
	f.Client, f.Server, f.Port = m.client.String(), m.server.String(), int(m.talk.Port)
	f.Unit, f.Function, f.Subfunction = int(ev.Unit), int(ev.Function), int(ev.Subfunction)
	f.Ranged, f.Address, f.Quantity = ev.Ranged, int(ev.Address), int(ev.Quantity)
	f.Exception, f.Reason, f.MidStream = int(ev.Exception), ev.Reason, ev.MidStream
	f.Device = m.device.String()
	f.ClientKnown, f.ServerKnown, f.ClientWrites = e.knows(m.client), e.knows(m.server), e.writes[m.client]
	f.Answers, f.OwnerAge, f.Claims = m.answers, int(m.age/time.Second), m.claims
	f.Ongoing, f.ServicePeers, f.PairKnown, f.WritesLearned = m.ongoing, m.peers, m.pairKnown, len(e.writes) > 0
	f.Packets, f.LearnedMost = m.packets, m.learned
}

// knows reports whether a host was there when the baseline was learned.
func (e *Engine) knows(a netip.Addr) bool {
	_, ok := e.baseline.known[key{kind: kindDevice, a: a}]
	return ok
}

// pending is what one rule has said of one asset in the second that is not over yet.
type pending struct {
	told   bool      // at once, in this second
	last   time.Time // of what was told
	peers  [peersMax]breakwater.Conversation
	npeers int
	count  int // folded: not told yet
	moment moment
}

// fire makes a detection of a moment, or folds it into the one that the end of the second will make. The first of a
// second is told at once, as is the first about each further conversation; for one rule and asset times strictly
// increase.
func (e *Engine) fire(r *ruleState, m *moment) {
	of := m.device
	switch r.Asset {
	case "client":
		of = asset{addr: m.client}
	case "server":
		of = asset{addr: m.server}
	}
	if !of.addr.IsValid() && of.mac == (breakwater.MAC{}) {
		of = m.device
	}
	of = r.bounded(of, m.time)

	p := r.pending[of]
	if p == nil {
		p = &pending{}
		r.pending[of] = p
	}
	fresh := !p.told
	if i := slices.Index(p.peers[:p.npeers], m.talk); i < 0 && p.npeers < peersMax {
		p.peers[p.npeers] = m.talk
		p.npeers++
		fresh = true
	}
	// The last nanosecond of a second is that of what its end tells.
	if fresh && (!p.told || m.time.After(p.last)) && m.time.Before(lastInstant(m.time)) {
		p.told, p.last = true, m.time
		e.emit(r, of, m, m.time, 1)
		return
	}
	p.count++
	p.moment = *m
}

func lastInstant(t time.Time) time.Time {
	return t.Truncate(time.Second).Add(time.Second - time.Nanosecond)
}

// bounded is the asset itself, or the network as a whole where the rule has spoken of too many in this minute.
func (r *ruleState) bounded(of asset, now time.Time) asset {
	if now.Sub(r.minute) >= time.Minute {
		clear(r.assets)
		r.minute = now
	}
	if !r.assets[of] {
		if len(r.assets) >= assetsMax {
			return asset{}
		}
		r.assets[of] = true
	}
	return of
}

// emit appends the detection of a moment.
func (e *Engine) emit(r *ruleState, of asset, m *moment, t time.Time, count int) {
	a := &e.agreed[r.Severity.Rank()]
	a.of, a.at = of, t
	e.found = append(e.found, breakwater.Detection{
		FacilityID: e.facility, Time: t, Layer: breakwater.LayerAnomaly, Model: r.ID, Asset: of.String(),
		Severity: r.Severity, Confidence: r.Confidence, Technique: r.Technique, TechniqueName: r.TechniqueName,
		Title: r.title.render(e, m), Evidence: r.describe.render(e, m), LookAt: r.LookAt, Talk: m.talk, Count: count,
	})
}

// Window takes the end of a second, after all its events: it asks the rules about the second as a whole, tells what was
// folded in it, and shows it to the models.
func (e *Engine) Window(w *breakwater.Window) {
	end := w.End().Add(-time.Nanosecond)
	packets := int(w.PacketsPerSec)
	traffic := key{kind: kindTraffic}
	if e.learning && packets > 0 {
		if s := e.baseline.learn(traffic, w.Time); s != nil {
			s.max = max(s.max, w.PacketsPerSec)
		}
	}
	most := 0
	if s := e.baseline.known[traffic]; s != nil {
		most = int(s.max)
	}
	// A flood can be a thousand packets a second and more; asking about each quiet second would cost for nothing.
	if !e.learning && packets > most {
		m := &e.scratch
		*m = moment{time: end, raised: sigSecond, packets: packets, learned: most}
		if b := e.busiest; b != nil && 4*b.received >= packets {
			m.device, m.server = b.asset, b.addr
			m.talk.Server = b.addr
		}
		e.ask(m)
	}
	for _, r := range e.rules {
		if len(r.pending) == 0 {
			continue
		}
		e.tellFolded(r, end)
		clear(r.pending)
	}
	e.score(w, end)
	e.busiest = nil
	e.seconds++
	if w.End().After(e.now) {
		e.now = w.End()
	}
}

// tellFolded makes one detection for each asset of what a rule folded in the second, in an order that is the same
// each time.
func (e *Engine) tellFolded(r *ruleState, end time.Time) {
	var folded []asset
	for of, p := range r.pending {
		if p.count > 0 && p.last.Before(end) {
			folded = append(folded, of)
		}
	}
	slices.SortFunc(folded, func(a, b asset) int {
		if c := a.addr.Compare(b.addr); c != 0 {
			return c
		}
		return slices.Compare(a.mac[:], b.mac[:])
	})
	for _, of := range folded {
		p := r.pending[of]
		e.emit(r, of, &p.moment, end, p.count)
	}
}
