package decode

import (
	"encoding/binary"

	"breakwater"
)

// TCP control bits (RFC 9293 section 3.1) that matter here.
const (
	flagFIN = 1 << 0
	flagSYN = 1 << 1
	flagRST = 1 << 2
	flagACK = 1 << 4
)

// segment is a TCP segment of the packet in hand.
type segment struct {
	key      key
	fromA    bool
	flags    uint8
	seq, ack uint32
	data     []byte
	missing  int // bytes behind data that were not captured
}

// size is how many bytes of the stream the segment takes up.
func (s *segment) size() int { return len(s.data) + s.missing }

// tcp reads a TCP header and follows the connection. An RST or a SYN of hostile origin must not hide what really
// goes on, so each is checked against the sequence numbers known, where any are.
func (d *Decoder) tcp(b []byte, missing int) {
	f := &d.frame
	f.Protocol = breakwater.TCP
	if len(b) < 20 {
		return
	}
	f.Src.Port, f.Dst.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	header := int(b[12]>>4) * 4
	if header < 20 || header > len(b) {
		return
	}
	s := segment{
		seq: binary.BigEndian.Uint32(b[4:]), ack: binary.BigEndian.Uint32(b[8:]), flags: b[13],
		data: b[header:], missing: missing,
	}
	s.key, s.fromA = keyOf(protoTCP, &f.Src, &f.Dst)
	c := d.table.conns[s.key]
	switch {
	case s.flags&flagRST != 0:
		if c != nil && s.flags&flagSYN == 0 {
			d.rst(c, &s)
		}
	case s.flags&(flagSYN|flagACK) == flagSYN:
		d.syn(c, &s)
	case s.flags&flagSYN != 0:
		d.synAck(c, &s)
	default:
		if c = d.carry(c, &s); c != nil && c.spoken && s.size() > 0 {
			f.Protocol = protocols[c.protocol-1].name
		}
	}
}

// syn is a client's first packet, or a repetition of it.
func (d *Decoder) syn(c *conn, s *segment) {
	if c != nil {
		if c.from(s.fromA) == client && c.flows[client].begun && c.flows[client].first == s.seq+1 {
			if c.state == attempting || c.state == unanswered {
				return // sent again: one attempt
			}
			if c.state == open || c.state == ended {
				return // out of order or captured twice
			}
		}
		switch c.state {
		case attempting:
			d.unanswered(c, "")
		case open:
			// Only a new connection from the same side may take this one's place; the other side's SYN is a
			// connection of its own that has to wait for the first to end, or a forgery.
			if c.from(s.fromA) != client {
				return
			}
			d.close(c, "another connection began on the same ports")
		}
		d.table.remove(c)
	}
	c = d.insert(s.key, s.fromA, &d.frame.Src, &d.frame.Dst)
	c.state = attempting
	c.flows[client].begin(s.seq + 1)
	d.table.place(c, attempts, d.now)
	d.tell(c, breakwater.Attempted, "")
}

// synAck is a server's answer, which opens the connection.
func (d *Decoder) synAck(c *conn, s *segment) {
	if c != nil {
		known := c.flows[client].begun && c.flows[client].first == s.ack
		switch {
		case c.state == attempting || c.state == unanswered:
			if !known || c.from(s.fromA) != server {
				return // not an answer to this attempt
			}
		case c.state == ended && !known: // of a new connection, whose SYN was not captured
			d.table.remove(c)
			c = nil
		default:
			return // sent again
		}
	}
	if c == nil {
		c = d.insert(s.key, !s.fromA, &d.frame.Dst, &d.frame.Src)
		c.flows[client].begin(s.ack)
	}
	c.flows[server].begin(s.seq + 1)
	d.open(c)
}

// rst refuses an attempt or ends a connection. Its sequence number must lie near what the sender has reached: a
// forged one that the receiver ignores must not make us look away.
func (d *Decoder) rst(c *conn, s *segment) {
	from := c.from(s.fromA)
	switch c.state {
	case attempting:
		if from == server && (s.flags&flagACK == 0 || s.ack == c.flows[client].first) {
			d.tell(c, breakwater.Refused, "")
			d.end(c)
		}
	case open:
		if f := &c.flows[from]; f.begun && distance(f.next, s.seq) > maxWindow {
			return
		}
		c.flows[from].done = true
		if from == client {
			d.close(c, "reset by the client")
		} else {
			d.close(c, "reset by the server")
		}
		d.end(c)
	}
}

// carry takes a segment that neither opens nor resets, and returns its connection, nil where there is none: a
// connection is picked up mid-stream by its first payload.
func (d *Decoder) carry(c *conn, s *segment) *conn {
	if c != nil && c.state == ended {
		// Late packets of an ended connection are no news, but new bytes of a side that had said it was done are:
		// the end was forged, or the ports are used again.
		f := &c.flows[c.from(s.fromA)]
		if s.size() == 0 || !f.done || int32(s.seq+uint32(s.size())-f.next) <= 0 {
			return nil
		}
		d.table.remove(c)
		c = nil
	}
	if c == nil {
		if s.size() == 0 {
			return nil
		}
		c = d.pickUp(s)
	}
	from := c.from(s.fromA)
	if c.state != open {
		// The answer was not captured. A server's bare ACK is none: it says that it knows an older connection.
		handshake := from == client && s.flags&flagACK != 0 && s.seq == c.flows[client].first
		if s.size() == 0 && !handshake {
			return nil
		}
		c.midStream = from != client || !handshake
		d.open(c)
	}
	d.table.place(c, live, d.now)
	d.refresh(c, from)

	flow := &c.flows[from]
	if s.flags&flagACK != 0 {
		d.acknowledged(c, 1-from, s.ack)
	}
	if s.size() > 0 {
		if c.application != nil {
			d.assemble(c, from, s)
		} else {
			flow.follow(s.seq, s.size())
		}
	}
	if s.flags&flagFIN != 0 && (!flow.begun || distance(flow.next, s.seq+uint32(s.size())) <= maxWindow) {
		flow.done = true
		if c.flows[1-from].done {
			d.close(c, "finished by both sides")
			d.end(c)
		}
	}
	return c
}

// pickUp begins a connection whose beginning was not seen.
func (d *Decoder) pickUp(s *segment) *conn {
	cl, sv, clientIsA := &d.frame.Src, &d.frame.Dst, s.fromA
	if serverFirst(tcpPorts, cl.Port, sv.Port) {
		cl, sv, clientIsA = sv, cl, !clientIsA
	}
	c := d.insert(s.key, clientIsA, cl, sv)
	c.midStream = true
	d.open(c)
	return c
}

// open makes a connection one that carries data.
func (d *Decoder) open(c *conn) {
	c.state = open
	d.table.place(c, live, d.now)
	d.tell(c, breakwater.Opened, "")
	if c.protocol = tcpPorts[c.ends[server].Port]; c.protocol != 0 && protocols[c.protocol-1].stream != nil {
		c.application = protocols[c.protocol-1].stream()
	}
}

// close reads what is left of a connection and tells that it is over. The caller lets it linger or forgets it.
func (d *Decoder) close(c *conn, reason string) {
	d.drain(c)
	c.application = nil
	d.tell(c, breakwater.Closed, reason)
}

// end lets a connection linger.
func (d *Decoder) end(c *conn) {
	c.state = ended
	d.table.place(c, lingering, d.now)
}

// unanswered tells that an attempt failed, and lets it linger: its SYN may be sent again, which is the same attempt,
// and an answer may still come.
func (d *Decoder) unanswered(c *conn, reason string) {
	c.state = unanswered
	d.table.place(c, lingering, d.now)
	d.tell(c, breakwater.Unanswered, reason)
}

// refresh keeps the link addresses of a side up to date.
func (d *Decoder) refresh(c *conn, from side) {
	if c.ends[from].MAC != d.frame.Src.MAC {
		c.ends[from].MAC = d.frame.Src.MAC
	}
	if c.ends[1-from].MAC != d.frame.Dst.MAC {
		c.ends[1-from].MAC = d.frame.Dst.MAC
	}
}

// tell emits a change of a conversation's state.
func (d *Decoder) tell(c *conn, k breakwater.Kind, reason string) {
	p := breakwater.TCP
	if c.key.proto == protoUDP {
		p = breakwater.UDP
	}
	e := d.begin(p, k, &c.ends[client], &c.ends[server])
	e.MidStream, e.Reason = c.midStream, reason
	d.emit(e)
}

// message begins the event of a message that one side sent.
func (d *Decoder) message(c *conn, from side, p breakwater.Protocol) *breakwater.Event {
	e := d.begin(p, breakwater.Request, &c.ends[from], &c.ends[1-from])
	if from == server {
		e.Kind, e.FromServer = breakwater.Response, true
	}
	e.MidStream = c.midStream
	return e
}
