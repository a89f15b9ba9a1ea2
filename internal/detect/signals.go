package detect

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"breakwater"
)

// signal is something new or odd about an event. One event may raise several.
type signal uint32

const (
	sigNewDevice signal = 1 << iota
	sigNewAddress
	sigNewPair
	sigNewFunction
	sigNewWriter
	sigNewAddresses
	sigFirstFunction
	sigOperation
	sigWrite
	sigException
	sigMalformed
	sigProbe
	sigFailed
	sigARPRequest
	sigARPAnnouncement
	sigARPConflict
	sigSecond
)

// signals are the names that a rule's "on" may have. Those that compare with the baseline are raised only where there
// is one and it is not being learned.
var signals = map[string]signal{
	"new-device":       sigNewDevice,       // baseline: an address and a MAC that never sent
	"new-address":      sigNewAddress,      // baseline: a MAC that sent before, with an address that never did
	"new-pair":         sigNewPair,         // baseline: client, server and service that never talked; every 10 s while it goes on
	"new-function":     sigNewFunction,     // baseline: a client uses a function it never used; every 10 s while it goes on
	"new-writer":       sigNewWriter,       // baseline: a write by a client that never wrote
	"new-range":        sigNewAddresses,    // baseline: addresses of a server that nobody read; of a write: nor wrote, in a table that is read
	"probe":            sigProbe,           // baseline: a connection attempt or echo request of a pair that never talked
	"first-function":   sigFirstFunction,   // a client's first use of a function at a server, where it was not learned
	"operation":        sigOperation,       // diagnostic, identify, program or control, where this client did not do it while learning
	"write":            sigWrite,           // each write request
	"exception":        sigException,       // each exception response
	"malformed":        sigMalformed,       // where this sender sent none while learning
	"failed":           sigFailed,          // a connection refused or unanswered, but of a learned pair
	"arp-request":      sigARPRequest,      // each question for another's address
	"arp-announcement": sigARPAnnouncement, // each gratuitous ARP
	"arp-conflict":     sigARPConflict,     // an address is claimed by a MAC that is not its owner
	"second":           sigSecond,          // a second with more packets than any that was learned
}

func signalNames() []string { return slices.Sorted(maps.Keys(signals)) }

// host is what is remembered of one host while the engine runs.
type host struct {
	asset
	mac      breakwater.MAC // the last one that was looked at
	heard    time.Time      // when it last sent
	told     bool           // as new
	wrote    bool           // as one that never wrote before
	second   int64          // to which received belongs
	received int            // events in this second
	sent     int64          // events since the engine began
}

// talkKey names a conversation by its service: the client's port does not matter.
type talkKey struct {
	client, server netip.Addr
	transport      breakwater.Protocol // tcp, udp, icmp, …
	port           uint16              // the server's
}

// service is what a client uses, of whatever server.
type service struct {
	client    netip.Addr
	transport breakwater.Protocol
	port      uint32
}

// talk is what is remembered of one conversation while the engine runs.
type talk struct {
	key          key // of kind pair
	clientHost   *host
	serverHost   *host
	known        bool
	entry        *seen     // in the baseline, where known
	talkKey                // in talks
	told         time.Time // as new
	tellings     int
	toldFunction uint32
	functionAt   time.Time
	tried        [4]uint64 // functions requested here
	routine      *[16]shape
}

// service is what the client uses here.
func (t *talk) service() service { return service{t.key.a, t.key.protocol, t.key.n} }

// shape is a request that was found to have nothing new about it. HMIs repeat a few; finding one again answers all
// questions about it.
type shape struct {
	a, b     uint64
	function *seen // the baseline's entry, while learning
}

func shapeOf(ev *breakwater.Event) (s shape, slot uint64) {
	s.a = 1<<63 | uint64(ev.Unit)<<48 | uint64(ev.Function)<<40 | uint64(ev.Subfunction)<<24 ^ uint64(ev.Quantity)
	s.b = uint64(ev.Address)<<32 | uint64(ev.ReadAddress)
	if ev.Ranged {
		s.a |= 1 << 62
	}
	return s, (s.a*0x9e3779b97f4a7c15 ^ s.b*0xc2b2ae3d27d4eb4f) >> 60
}

// discovery are the UDP services by which every host finds others and its own configuration (DHCP, NetBIOS names and
// datagrams, DHCPv6, SSDP, WS-Discovery, mDNS, LLMNR). Who answers whom there says nothing about who works with whom.
var discovery = map[uint16]bool{67: true, 68: true, 137: true, 138: true, 546: true, 547: true, 1900: true, 3702: true, 5353: true, 5355: true}

// Event takes one decoded event, in order of time. ev is the caller's again afterwards.
func (e *Engine) Event(ev *breakwater.Event) {
	// A timeout that ended in a second that is over is told now: detections never go back in time.
	if ev.Time.After(e.now) {
		e.now = ev.Time
	}
	if ev.Protocol == breakwater.ARP {
		e.arp(ev)
		return
	}
	if ev.Kind == breakwater.Unreachable {
		e.hear(ev, ev.Src, nil, netip.Addr{})
		return
	}
	client, server := ev.Client(), ev.Server()
	if ev.Dst.MAC.Group() || !routable(client.Addr) || !routable(server.Addr) || ev.Dst.Addr.IsMulticast() {
		e.hear(ev, ev.Src, nil, netip.Addr{})
		return
	}
	t := e.talk(ev, client, server)
	e.hearTalk(ev, t, client, server)

	var raised signal
	switch ev.Kind {
	case breakwater.Attempted:
		raised = e.attempted(ev, t)
	case breakwater.Refused, breakwater.Unanswered:
		if !t.known {
			raised = sigFailed
		}
	case breakwater.Opened, breakwater.Closed:
		raised = e.pair(ev, t)
	case breakwater.Malformed:
		raised = e.malformed(ev)
	case breakwater.Request:
		if ev.Protocol == breakwater.ICMP {
			raised = e.attempted(ev, t)
			break
		}
		raised = e.pair(ev, t)
		if ev.Class != "" {
			raised |= e.request(ev, t)
		}
	case breakwater.Response:
		raised = e.pair(ev, t)
		if ev.Class != "" && !ev.Joined {
			raised |= e.request(ev, t) // its request was not seen, but it tells of one
		}
		if ev.Exception != 0 {
			raised |= sigException
		}
	}
	if raised != 0 {
		m := e.moment(ev, raised, client.Addr, server.Addr)
		m.ongoing, m.peers, m.pairKnown = t.tellings > 1, e.peers[t.service()], t.known
		if raised&sigNewWriter != 0 {
			m.ongoing, t.clientHost.wrote = t.clientHost.wrote, true
		}
		e.ask(m)
	}
}

// Frame takes one packet, after its events. It keeps alive what is said of conversations that were never learned: the
// bytes of a protocol that is not decoded raise no event, but the alert must know how long they flow.
func (e *Engine) Frame(f *breakwater.Frame) {
	if len(e.strangers) == 0 {
		return
	}
	if f.Time.After(e.now) {
		e.now = f.Time
	}
	transport := transportOf(f.Protocol)
	t, fromServer := e.strangers[talkKey{f.Src.Addr, f.Dst.Addr, transport, f.Dst.Port}], false
	if t == nil {
		t, fromServer = e.strangers[talkKey{f.Dst.Addr, f.Src.Addr, transport, f.Src.Port}], true
	}
	if t == nil || e.now.Sub(t.told) < again {
		return
	}
	t.told = e.now
	t.tellings++
	ev := breakwater.Event{Time: f.Time, Protocol: f.Protocol, Src: f.Src, Dst: f.Dst, FromServer: fromServer}
	m := e.moment(&ev, sigNewPair, t.key.a, t.key.b)
	m.ongoing, m.peers = true, e.peers[t.service()]
	e.ask(m)
}

// moment is what signals of an event between two hosts are about. It is valid until the next one is made: only what
// raises a signal costs a moment.
func (e *Engine) moment(ev *breakwater.Event, raised signal, client, server netip.Addr) *moment {
	m := &e.scratch
	*m = moment{
		time: e.now, raised: raised, event: *ev, client: client, server: server,
		talk:   breakwater.Conversation{Client: client, Server: server, Protocol: ev.Protocol, Port: ev.Server().Port},
		device: assetOf(ev.Src), mac: ev.Src.MAC,
	}
	m.event.Values = nil // the decoder's
	return m
}

// transportOf is what carries a protocol, as conversations are known by.
func transportOf(p breakwater.Protocol) breakwater.Protocol {
	switch p {
	case breakwater.Modbus, breakwater.DNP3:
		return breakwater.TCP
	case breakwater.DNS:
		return breakwater.UDP
	}
	return p
}

// talk finds or begins the conversation of an event.
func (e *Engine) talk(ev *breakwater.Event, client, server breakwater.Endpoint) *talk {
	k := talkKey{client.Addr, server.Addr, transportOf(ev.Protocol), server.Port}
	if t := e.talks[k]; t != nil {
		return t
	}
	if len(e.talks) >= talksMax {
		clear(e.talks)
	}
	t := &talk{talkKey: k, key: key{kind: kindPair, a: k.client, b: k.server, protocol: k.transport, n: uint32(k.port)}}
	t.clientHost, t.serverHost = e.host(client), e.host(server)
	t.entry = e.baseline.known[t.key]
	t.known = t.entry != nil
	e.talks[k] = t
	return t
}

// host finds or begins what is remembered of an endpoint's host.
func (e *Engine) host(p breakwater.Endpoint) *host {
	a := assetOf(p)
	if h := e.hosts[a]; h != nil {
		return h
	}
	if len(e.hosts) >= hostsMax {
		// Conversations hold hosts: they begin anew together.
		clear(e.hosts)
		clear(e.talks)
	}
	h := &host{asset: a}
	e.hosts[a] = h
	return h
}

// hearTalk notes that an end of a conversation sent something, and that the other received it.
func (e *Engine) hearTalk(ev *breakwater.Event, t *talk, client, server breakwater.Endpoint) {
	from, to, end, peer := t.clientHost, t.serverHost, client, netip.Addr{}
	if ev.FromServer {
		from, to, end = to, from, server
		if ev.Kind == breakwater.Response {
			peer = client.Addr
		}
	}
	from.heard = ev.Time
	from.sent++
	if from.mac != end.MAC || !from.told {
		e.hear(ev, end, from, peer)
	}
	if ev.Kind == breakwater.Opened && (t.serverHost.mac != server.MAC || !t.serverHost.told) {
		t.serverHost.heard = ev.Time
		e.hear(ev, server, t.serverHost, client.Addr) // it has answered
	}
	if to.second != e.seconds {
		to.second, to.received = e.seconds, 0
	}
	to.received++
	if e.busiest == nil || to.received > e.busiest.received {
		e.busiest = to
	}
}

// hear looks at a host that sent something: was it there before? peer is the one it answers, if it answers. Each host
// is told of once, until the engine has forgotten it.
func (e *Engine) hear(ev *breakwater.Event, p breakwater.Endpoint, h *host, peer netip.Addr) {
	if h == nil {
		if !p.Addr.IsValid() && p.MAC == (breakwater.MAC{}) || p.MAC.Group() {
			return
		}
		h = e.host(p)
		h.sent++
	}
	if h.heard = ev.Time; h.told && h.mac == p.MAC {
		return
	}
	first := !h.told
	h.told, h.mac = true, p.MAC
	k := deviceKey(h.asset)
	if e.learning {
		if s := e.baseline.get(k); s != nil {
			if first {
				s.touch(ev.Time)
			}
			if k.kind == kindDevice {
				s.addMAC(p.MAC)
			}
		}
		return
	}
	if !e.active || !first || e.baseline.known[k] != nil || k.kind == kindLink && e.macs[p.MAC] {
		return
	}
	raised := sigNewDevice
	if e.macs[p.MAC] {
		raised = sigNewAddress
	}
	client, server := ev.Client().Addr, ev.Server().Addr
	if ev.Protocol == breakwater.ARP {
		client, server = ev.Src.Addr, ev.Dst.Addr
		if ev.Kind == breakwater.Response {
			client, server = server, client
		}
	}
	m := e.moment(ev, raised, client, server)
	m.device, m.mac, m.answers = h.asset, p.MAC, peer.IsValid() && e.knows(peer)
	e.ask(m)
}

// attempted is a try to talk, which may go unanswered. A UDP datagram counts as talking: it needs no answer.
func (e *Engine) attempted(ev *breakwater.Event, t *talk) (raised signal) {
	if ev.Protocol == breakwater.UDP {
		raised = e.pair(ev, t)
	}
	if !t.known && e.active && !e.casual(ev, t) {
		raised |= sigProbe
	}
	return raised
}

// pair is a client and a server that talk about a service.
func (e *Engine) pair(ev *breakwater.Event, t *talk) signal {
	if t.known {
		if e.learning {
			t.entry.touch(ev.Time)
		}
		return 0
	}
	if e.casual(ev, t) {
		return 0
	}
	if e.learning {
		t.entry = e.baseline.learn(t.key, ev.Time)
		t.known = t.entry != nil
		return 0
	}
	if !e.active || t.tellings > 0 && e.now.Sub(t.told) < again {
		return 0
	}
	t.told = e.now
	t.tellings++
	if len(e.strangers) >= strangersMax {
		clear(e.strangers)
	}
	e.strangers[t.talkKey] = t
	return sigNewPair
}

// casual reports whether an unknown pair says nothing of who works with whom: discovery; an echo between hosts that
// work together anyway; a known pair whose direction could only be guessed, because its beginning was not seen.
func (e *Engine) casual(ev *breakwater.Event, t *talk) bool {
	k := t.key
	switch k.protocol {
	case breakwater.UDP:
		if discovery[uint16(k.n)] {
			return true
		}
	case breakwater.ICMP:
		return e.met[acquaintance(k.a, k.b)]
	}
	if ev.MidStream || k.protocol == breakwater.UDP {
		back := key{kind: kindPair, a: k.b, b: k.a, protocol: k.protocol, n: uint32(ev.Client().Port)}
		return back.n != 0 && (e.baseline.known[back] != nil || k.protocol == breakwater.UDP && discovery[uint16(back.n)])
	}
	return false
}

// malformed is a message that does not follow its protocol.
func (e *Engine) malformed(ev *breakwater.Event) signal {
	k := key{kind: kindMalformed, a: ev.Src.Addr, b: ev.Dst.Addr, protocol: ev.Protocol}
	if e.learning {
		e.baseline.learn(k, ev.Time)
	} else if e.baseline.known[k] != nil {
		return 0
	}
	return sigMalformed
}

// request is an industrial operation that a client asks for.
func (e *Engine) request(ev *breakwater.Event, t *talk) (raised signal) {
	write := ev.Class == breakwater.Write
	if write {
		raised = sigWrite
	}
	want, slot := shapeOf(ev)
	if t.routine != nil {
		if s := &t.routine[slot]; s.a == want.a && s.b == want.b {
			if s.function != nil {
				s.function.touch(ev.Time)
			}
			if e.learning && write {
				e.baseline.learn(key{kind: kindWriter, a: t.key.a, b: t.key.b}, ev.Time)
			}
			return raised
		}
	}
	function := key{kind: kindFunction, a: t.key.a, protocol: ev.Protocol, n: uint32(ev.Function) | uint32(ev.Subfunction)<<8}
	unknown := e.baseline.known[function] == nil
	if bit := uint64(1) << (ev.Function & 63); t.tried[ev.Function>>6]&bit == 0 {
		t.tried[ev.Function>>6] |= bit
		if unknown {
			raised |= sigFirstFunction
		}
	}
	if unknown {
		switch ev.Class {
		case breakwater.Diagnostic, breakwater.Identify, breakwater.Program, breakwater.Control:
			raised |= sigOperation
		}
	}
	if e.learning {
		want.function = e.learnRequest(ev, t, function)
	} else if news := e.newRequest(ev, t, function.n, unknown); news != 0 {
		return raised | news&^sigNews
	}
	if raised&sigOperation == 0 || e.learning {
		if t.routine == nil {
			t.routine = new([16]shape)
		}
		t.routine[slot] = want
	}
	return raised
}

// sigNews marks, inside newRequest only, that something is new though it is not told again yet.
const sigNews signal = 1 << 31

// newRequest compares a request with what was learned.
func (e *Engine) newRequest(ev *breakwater.Event, t *talk, function uint32, unknown bool) (news signal) {
	if !e.active {
		return 0
	}
	if unknown {
		news = sigNews
		if t.toldFunction != function || t.functionAt.IsZero() || ev.Time.Sub(t.functionAt) >= again {
			t.toldFunction, t.functionAt = function, ev.Time
			news |= sigNewFunction
		}
	}
	if ev.Class == breakwater.Write && !e.writes[t.key.a] {
		news |= sigNewWriter
	}
	for _, c := range cellsOf(ev, t.key.b) {
		if c.kind != "" && e.newCells(c) {
			news |= sigNewAddresses
		}
	}
	return news
}

// newCells reports whether some of the cells were never used. Whether a write's were can be said only of a table that
// somebody reads: there the reads show which addresses the plant uses.
func (e *Engine) newCells(c cells) bool {
	entry := e.baseline.known[c.key]
	if c.n&written == 0 {
		return !entry.covers(c.span)
	}
	read := c.key
	read.n &^= written
	reads := e.baseline.known[read]
	return reads != nil && !reads.covers(c.span) && !entry.covers(c.span)
}

// learnRequest takes a request as normal. It returns the entry of its function, nil where the baseline is full.
func (e *Engine) learnRequest(ev *breakwater.Event, t *talk, function key) *seen {
	for _, c := range cellsOf(ev, t.key.b) {
		if c.kind == "" {
			continue
		}
		if s := e.baseline.learn(c.key, ev.Time); s != nil && !s.covers(c.span) {
			s.add(c.span)
		}
	}
	if ev.Class == breakwater.Write {
		e.baseline.learn(key{kind: kindWriter, a: t.key.a, b: t.key.b}, ev.Time)
	}
	return e.baseline.learn(function, ev.Time)
}

// cells is a range of one table of a server, as a key of kind addresses and the addresses.
type cells struct {
	key
	span
}

// written marks, in the n of a key of kind addresses, what was written and not read.
const written = 1 << 7

// cellsOf is what a request reads or writes: one range, or two (Modbus 23), or none (kind "").
func cellsOf(ev *breakwater.Event, server netip.Addr) (out [2]cells) {
	t := tableOf(ev)
	if t == 0 || !ev.Ranged {
		return out
	}
	k := key{kind: kindAddresses, a: server, protocol: ev.Protocol, n: uint32(ev.Unit)<<8 | uint32(t)}
	if ev.ReadQuantity > 0 {
		out[1] = cells{k, spanOf(ev.ReadAddress, ev.ReadQuantity)}
	}
	if ev.Class == breakwater.Write {
		k.n |= written
	}
	out[0] = cells{k, spanOf(ev.Address, ev.Quantity)}
	return out
}

func spanOf(address, quantity uint32) span {
	hi := uint64(address) + uint64(max(quantity, 1)) - 1
	return span{address, uint32(min(hi, 1<<32-1))}
}

// table is one of the four tables of a Modbus device (Modbus Application Protocol 1.1b3, section 4.3). 0 is none.
type table uint8

var tables = [...]string{"", "coils", "discrete inputs", "registers", "input registers"}

func (t table) String() string { return tables[t] }

func tableNamed(name string) (table, bool) {
	i := slices.Index(tables[1:], name)
	return table(i + 1), i >= 0
}

func tableOf(ev *breakwater.Event) table {
	if ev.Protocol != breakwater.Modbus {
		return 0
	}
	switch ev.Function {
	case 1, 5, 15:
		return 1
	case 2:
		return 2
	case 3, 6, 16, 22, 23, 24:
		return 3
	case 4:
		return 4
	}
	return 0
}
