// Package decode turns packets into events: one for each message of a protocol it reads, one for each change of a
// connection's state, and one where bytes break the protocol they should follow.
//
// It knows link layers, IP, TCP reassembly and the protocols of protocols.go; it hides all of their bytes. It raises
// events and has no opinion of them: what is suspicious is for the detectors to say.
//
//	Packet ─► link ─► ip ─┬─► tcp ─► table ─► reassembly ─► stream (modbus, dns) ─┐
//	           │          ├─► udp ─► table ─► datagram (dns) ────────────────────┼─► Event
//	           └─► arp    └─► icmp ──────────────────────────────────────────────┘
//
// Only packet time moves time. A timeout that ends between two packets is told with the moment it ended, so the same
// packets give the same events whether or not ticks lie between them.
//
// All input is hostile: every length is checked before it is used, every table and buffer has a bound (table.go,
// reassembly.go, fragments.go, modbus.go), and what exceeds one costs the oldest entry, never the process.
package decode

import (
	"time"

	"breakwater"
)

// Decoder decodes the packets of one sensor. It is not safe for concurrent use.
type Decoder struct {
	emit  func(*breakwater.Event)
	event breakwater.Event // the one handed out, used again each time
	// values backs event.Values. 2000 is the most that one message carries: Modbus 1b3 section 6.1.
	values [maxBits]float64

	now   int64            // data time so far, Unix nanoseconds
	clock time.Time        // the same for events: the packet's time, or the moment a timeout ended
	frame breakwater.Frame // what the packet in hand has said so far

	table     table
	fragments fragments
	held      int // bytes held out of order, over all connections
}

// New makes a decoder for one sensor. emit is called for each event, in order of time, with an Event that is used
// again for the next one: keep a Clone.
func New(emit func(*breakwater.Event)) *Decoder {
	d := &Decoder{emit: emit}
	d.table.init()
	return d
}

// Packet decodes one packet, emitting its events before it returns. ok is false for a tick, which carries no
// traffic; ticks and packets alike move time, which ends timeouts. Time never goes back: an earlier packet is taken
// as of the time reached, though its events keep its own.
func (d *Decoder) Packet(p *breakwater.Packet) (f breakwater.Frame, ok bool) {
	d.advance(p.Time)
	if p.Tick() {
		return breakwater.Frame{}, false
	}
	d.frame = breakwater.Frame{Time: p.Time, Protocol: breakwater.Other, Length: p.Length}
	d.link(p)
	return d.frame, true
}

// Flush ends what is still open at the end of a capture: attempts without an answer are unanswered, bytes that wait
// for a hole to be filled are read, half-read messages are malformed. Connections stay known, so that decoding may
// go on with the next file of the same network.
func (d *Decoder) Flush() {
	for c := d.table.lists[attempts].head; c != nil; c = d.table.lists[attempts].head {
		d.unanswered(c, "")
	}
	for c := d.table.lists[live].head; c != nil; c = c.next {
		d.drain(c)
	}
}

// advance moves time to t and ends the timeouts that lie before it, in order of their moments.
func (d *Decoder) advance(t time.Time) {
	now := max(t.UnixNano(), d.now)
	for {
		c, due := d.table.due()
		if c == nil || due > now {
			break
		}
		d.now, d.clock = due, time.Unix(0, due).UTC()
		d.expire(c)
	}
	d.now, d.clock = now, t
}

// begin empties the event and fills in what every event has.
func (d *Decoder) begin(p breakwater.Protocol, k breakwater.Kind, src, dst *breakwater.Endpoint) *breakwater.Event {
	e := &d.event
	*e = breakwater.Event{Time: d.clock, Protocol: p, Kind: k, Src: *src, Dst: *dst}
	return e
}
