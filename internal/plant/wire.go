package plant

import (
	"container/heap"
	"encoding/binary"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"time"

	"breakwater"
)

// network is the switch, the hosts on it and the clock. Everything happens in events, one at a time, in order of
// time; events of one time in the order in which they were asked for.
type network struct {
	seed   uint64
	start  time.Time
	now    time.Duration // since the start
	events events
	serial uint64
	hosts  map[[4]byte]*host
	works  *works
	stops  []func()

	sent  [][]byte // frames of the event at hand
	arena []byte   // where they lie
}

// event is something to do at a time.
type event struct {
	at     time.Duration
	serial uint64
	do     func()
}

// events is a heap, the next one first.
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].serial < e[j].serial
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	old[len(old)-1].do = nil
	*e = old[:len(old)-1]
	return last
}

// after does something later.
func (n *network) after(d time.Duration, do func()) {
	n.serial++
	heap.Push(&n.events, event{n.now + d, n.serial, do})
}

// step lets the next event happen; the frames it sent are in n.sent until the next step. It is false at the end.
func (n *network) step(end time.Duration) bool {
	n.sent, n.arena = n.sent[:0], n.arena[:0]
	if len(n.events) == 0 || n.events[0].at >= end {
		return false
	}
	e := heap.Pop(&n.events).(event)
	n.now = e.at
	e.do()
	return true
}

func (n *network) stop() {
	for _, stop := range n.stops {
		stop()
	}
}

// random is a source of random numbers that is the named one's alone, so that nobody's draws move anybody else's.
func (n *network) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(n.seed, h.Sum64()))
}

// actor is somebody who does one thing after the other. What it calls to wait is false when the simulation is over:
// then it returns.
type actor struct {
	*network
	rng   *rand.Rand
	sleep func(time.Duration) bool
}

// spawn lets an actor follow its script from a time on.
func (n *network) spawn(name string, at time.Duration, script func(*actor)) {
	next, stop := iter.Pull(func(yield func(time.Duration) bool) {
		script(&actor{n, n.random(name), yield})
	})
	n.stops = append(n.stops, stop)
	var wake func()
	wake = func() {
		if d, more := next(); more {
			n.after(d, wake)
		}
	}
	n.after(at, wake)
}

// between is a random time from low to high.
func (a *actor) between(low, high time.Duration) time.Duration {
	return low + time.Duration(a.rng.Int64N(int64(high-low)))
}

// host is a station on the network with the habits of its TCP/IP stack.
type host struct {
	mac      breakwater.MAC
	ip       [4]byte
	ttl      byte
	window   uint16
	options  []byte        // of its SYN
	delayAck time.Duration // how long it waits for something to send along with an acknowledgement
	service  uint16        // TCP port that is open, 0 for none
	device   *plc          // what answers there, nil for none

	known map[[4]byte]time.Duration // ARP: until when an address stays known
	id    uint16                    // of its last IP packet
	port  uint16                    // of its last connection
}

// host puts a station on the plant's network.
func (n *network) host(h host) *host {
	h.ip, h.mac[4] = n.works.at(h.ip[3]), n.works.maker
	if n.hosts == nil {
		n.hosts = map[[4]byte]*host{}
	}
	h.known = map[[4]byte]time.Duration{}
	rng := n.random(string(h.mac[:]))
	h.id, h.port = uint16(rng.Uint32()), firstPort+uint16(rng.IntN(8000))
	n.hosts[h.ip] = &h
	return &h
}

// firstPort begins the ports that clients take (IANA: 49152–65535).
const firstPort = 49152

func (h *host) nextPort() uint16 {
	if h.port++; h.port < firstPort {
		h.port = firstPort
	}
	return h.port
}

// hop is how long a frame takes through the switch and up to the other host's program.
func (a *actor) hop() time.Duration { return a.between(25*time.Microsecond, 65*time.Microsecond) }

var broadcast = breakwater.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// frame sends an Ethernet frame, filled up to the 60 bytes that the shortest has without its check sequence.
func (n *network) frame(src, dst breakwater.MAC, kind uint16, parts ...[]byte) {
	begin := len(n.arena)
	n.arena = append(append(n.arena, dst[:]...), src[:]...)
	n.arena = binary.BigEndian.AppendUint16(n.arena, kind)
	for _, p := range parts {
		n.arena = append(n.arena, p...)
	}
	for len(n.arena)-begin < 60 {
		n.arena = append(n.arena, 0)
	}
	n.sent = append(n.sent, n.arena[begin:len(n.arena):len(n.arena)])
}

// arp sends a request (op 1) or reply (op 2) for IPv4 over Ethernet (RFC 826).
func (n *network) arp(op byte, from *host, to breakwater.MAC, target breakwater.MAC, ip [4]byte) {
	n.frame(from.mac, to, 0x0806, []byte{0, 1, 8, 0, 6, 4, 0, op}, from.mac[:], from.ip[:], target[:], ip[:])
}

// ip sends an IPv4 packet (RFC 791) that must not be fragmented, to a host whose address is known.
func (n *network) ip(from, to *host, protocol byte, head, payload []byte) {
	from.id++
	h := []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, from.ttl, protocol, 0, 0}
	h = append(append(h, from.ip[:]...), to.ip[:]...)
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(head)+len(payload)))
	binary.BigEndian.PutUint16(h[4:], from.id)
	binary.BigEndian.PutUint16(h[10:], ^sum(0, h))
	n.frame(from.mac, to.mac, 0x0800, h, head, payload)
}

// sum adds to a ones' complement sum of 16-bit words (RFC 1071). Only the last part of a sum may be odd.
func sum(s uint16, b []byte) uint16 {
	t := uint32(s)
	for ; len(b) > 1; b = b[2:] {
		t += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		t += uint32(b[0]) << 8
	}
	for t > 0xffff {
		t = t&0xffff + t>>16
	}
	return uint16(t)
}

// pseudo is the sum of the pseudo-header of TCP and UDP (RFC 9293 section 3.1).
func pseudo(from, to *host, protocol byte, length int) uint16 {
	s := sum(sum(0, from.ip[:]), to.ip[:])
	return sum(s, []byte{0, protocol, byte(length >> 8), byte(length)})
}

func (n *network) udp(from, to *host, source, target uint16, payload []byte) {
	h := make([]byte, 8)
	binary.BigEndian.PutUint16(h, source)
	binary.BigEndian.PutUint16(h[2:], target)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	check := ^sum(sum(pseudo(from, to, 17, 8+len(payload)), h), payload)
	if check == 0 {
		check = 0xffff // 0 means none
	}
	binary.BigEndian.PutUint16(h[6:], check)
	n.ip(from, to, 17, h, payload)
}

// echo sends an ICMP echo request (kind 8) or reply (kind 0) with the 32 letters that Windows sends.
func (n *network) echo(from, to *host, kind byte, id, number uint16) {
	h := []byte{kind, 0, 0, 0, byte(id >> 8), byte(id), byte(number >> 8), byte(number)}
	payload := []byte("abcdefghijklmnopqrstuvwabcdefghi")
	binary.BigEndian.PutUint16(h[2:], ^sum(sum(0, h), payload))
	n.ip(from, to, 1, h, payload)
}

// TCP flags.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// tcp sends a segment.
func (n *network) tcp(from, to *host, source, target uint16, seq, acked uint32, flags byte, options, payload []byte) {
	h := make([]byte, 20, 40)
	binary.BigEndian.PutUint16(h, source)
	binary.BigEndian.PutUint16(h[2:], target)
	binary.BigEndian.PutUint32(h[4:], seq)
	binary.BigEndian.PutUint32(h[8:], acked)
	h[12], h[13] = byte(20+len(options))<<2, flags
	if flags&rst == 0 {
		binary.BigEndian.PutUint16(h[14:], from.window)
	}
	h = append(h, options...)
	binary.BigEndian.PutUint16(h[16:], ^sum(sum(pseudo(from, to, 6, len(h)+len(payload)), h), payload))
	n.ip(from, to, 6, h, payload)
}

// find makes sure that a knows the other's Ethernet address: asks once, where it is not known any more, and is
// answered where there is such a host, which from then on knows the asker too. Not found: false; over: false, too.
func (a *actor) find(from *host, ip [4]byte) (*host, bool) {
	to := a.hosts[ip]
	if to != nil && from.known[ip] > a.now {
		return to, true
	}
	a.arp(1, from, broadcast, breakwater.MAC{}, ip)
	if to == nil {
		return nil, false
	}
	if !a.sleep(2 * a.hop()) {
		return nil, false
	}
	a.arp(2, to, from.mac, from.mac, from.ip)
	from.known[ip] = a.now + a.between(4*time.Minute, 6*time.Minute)
	to.known[from.ip] = max(to.known[from.ip], a.now+5*time.Minute)
	return to, a.sleep(a.hop())
}

// side is one end of a connection.
type side struct {
	*host
	port uint16
	next uint32 // sequence number of what it sends next
	got  uint32 // what it has received up to
	owes uint64 // number of the delayed acknowledgement it owes, 0 for none
}

// conn is a TCP connection. The client's actor plays both ends: it sends, waits for the hop, and lets the server do
// its part. Nothing is lost on this network, so nothing is sent twice.
type conn struct {
	*actor
	client, server side
	transaction    uint16
	owed           uint64
}

// segment sends one from one side to the other, and waits until it has arrived.
func (c *conn) segment(from, to *side, flags byte, payload []byte) bool {
	var options []byte
	if flags&syn != 0 {
		options = from.options
	}
	acked := uint32(0)
	if flags&ack != 0 {
		acked = from.got
		from.owes = 0
	}
	c.tcp(from.host, to.host, from.port, to.port, from.next, acked, flags, options, payload)
	from.next += uint32(len(payload))
	if flags&(syn|fin) != 0 {
		from.next++
	}
	arrived := from.next
	if !c.sleep(c.hop()) {
		return false
	}
	to.got = arrived
	if len(payload) > 0 {
		c.owe(to, from)
	}
	return true
}

// owe lets a side acknowledge after its delay, unless something sent by then has done so.
func (c *conn) owe(side, other *side) {
	c.owed++
	number := c.owed
	side.owes = number
	c.after(side.delayAck, func() {
		if side.owes == number {
			side.owes = 0
			c.tcp(side.host, other.host, side.port, other.port, side.next, side.got, ack, nil, nil)
		}
	})
}

// dial opens a connection to a host that is there and serves the port.
func (a *actor) dial(from *host, ip [4]byte, port uint16) (*conn, bool) {
	to, ok := a.find(from, ip)
	if !ok {
		return nil, false
	}
	c := &conn{actor: a, client: side{host: from, port: from.nextPort(), next: a.rng.Uint32()}, server: side{host: to, port: port, next: a.rng.Uint32()}}
	ok = c.segment(&c.client, &c.server, syn, nil) &&
		c.segment(&c.server, &c.client, syn|ack, nil) &&
		c.segment(&c.client, &c.server, ack, nil)
	return c, ok
}

// ask sends a PLC a request and waits for its answer's PDU.
func (c *conn) ask(unit byte, pdu ...byte) (response []byte, ok bool) {
	c.transaction++
	adu := binary.BigEndian.AppendUint16(nil, c.transaction)
	adu = append(adu, 0, 0, 0, byte(1+len(pdu)), unit)
	adu = append(adu, pdu...)
	if !c.segment(&c.client, &c.server, psh|ack, adu) || !c.sleep(thinkTime(c.rng)) {
		return nil, false
	}
	answer := c.server.device.answer(adu)
	if !c.segment(&c.server, &c.client, psh|ack, answer) {
		return nil, false
	}
	return answer[7:], true
}

// thinkTime is how long the PLC takes to answer: it serves its connections between two parts of its scan, mostly
// within 2 to 6 ms, seldom up to 25.
func thinkTime(rng *rand.Rand) time.Duration {
	t := 1500*time.Microsecond + time.Duration(rng.ExpFloat64()*float64(1300*time.Microsecond))
	return min(t, 25*time.Millisecond)
}

// close ends the connection from the client's side.
func (c *conn) close() bool {
	return c.segment(&c.client, &c.server, fin|ack, nil) &&
		c.segment(&c.server, &c.client, fin|ack, nil) &&
		c.segment(&c.client, &c.server, ack, nil)
}
