package decode

import (
	"slices"
	"time"
)

// The bounds of reassembly.
const (
	maxWindow   = 1 << 20 // bytes from what is expected, within which RST and FIN are believed
	maxAhead    = 1 << 30 // the largest window TCP can have (RFC 7323 section 2.3): beyond it a number is nonsense
	maxHeld     = 1 << 16 // bytes held out of order, one side of one connection
	maxSegments = 64      // segments held, one side of one connection
	maxHeldAll  = 1 << 24 // bytes held, all connections
	segmentCost = 64      // what a held segment costs beside its data, in the same count
	holeTimeout = 2 * time.Second
)

// flow is what one side of a connection has sent so far.
type flow struct {
	begun bool   // first and next are known
	done  bool   // sent FIN or RST
	acked bool   // ack is known
	first uint32 // sequence number of the stream's first byte, or of the first seen
	next  uint32 // of the next byte expected
	ack   uint32 // what the other side has acknowledged last
	stray uint32 // where the last implausible segment ended
	held  *held  // what came out of order; nil on most
}

// held are segments that came before what lies in front of them, in order of sequence number.
type held struct {
	segments []heldSegment
	bytes    int   // with segmentCost
	since    int64 // when the hole in front of them appeared
}

type heldSegment struct {
	seq     uint32
	data    []byte
	missing int
}

func (s *heldSegment) cost() int { return len(s.data) + segmentCost }

func (f *flow) begin(first uint32) { f.begun, f.first, f.next = true, first, first }

// follow notes how far a side has come that is not read.
func (f *flow) follow(seq uint32, size int) {
	if !f.begun {
		f.begin(seq)
	}
	if end := seq + uint32(size); int32(end-f.next) > 0 {
		f.next = end
	}
}

// distance is how far apart two sequence numbers are, whichever is ahead.
func distance(a, b uint32) uint32 { return min(a-b, b-a) }

// assemble hands the bytes of a segment to the connection's protocol, once each and in order. A segment that comes in
// order is read where it lies, without copying. Of bytes sent twice the first count.
func (d *Decoder) assemble(c *conn, from side, s *segment) {
	f := &c.flows[from]
	if !f.begun {
		f.begin(s.seq)
		c.application.gap(d, c, from)
	}
	end := s.seq + uint32(s.size())
	ahead := int32(s.seq - f.next)
	if ahead > maxAhead || ahead < -maxWindow {
		// Nonsense, unless the next one goes on where it ended: then it is we who are wrong.
		if f.stray != s.seq || f.stray == 0 {
			f.stray = end
			return
		}
		d.drop(f)
		d.skip(c, from, s.seq)
		ahead = 0
	}
	if ahead > 0 {
		d.hold(f, s)
		d.release(c, from, sentMore)
		return
	}
	d.deliver(c, from, s.seq, s.data, s.missing)
	if f.held != nil {
		f.held.since = d.now // the hole is being filled
		d.release(c, from, sentMore)
	}
}

// deliver hands on the new bytes of a segment that begins at or before what is expected.
func (d *Decoder) deliver(c *conn, from side, seq uint32, data []byte, missing int) {
	f := &c.flows[from]
	old := int(f.next - seq)
	if old >= len(data)+missing || c.application == nil {
		return
	}
	f.next = seq + uint32(len(data)+missing)
	if old < len(data) && !c.application.read(d, c, from, data[old:]) {
		c.application, c.spoken = nil, false
		d.drop(&c.flows[client])
		d.drop(&c.flows[server])
		return
	}
	if missing > 0 {
		c.application.gap(d, c, from)
	}
}

// skip gives up the bytes up to seq.
func (d *Decoder) skip(c *conn, from side, seq uint32) {
	c.flows[from].next = seq
	c.application.gap(d, c, from)
}

// hold keeps a segment until what lies in front of it has come.
func (d *Decoder) hold(f *flow, s *segment) {
	if f.held == nil {
		f.held = &held{since: d.now}
	}
	h := f.held
	i, found := slices.BinarySearchFunc(h.segments, s.seq, func(have heldSegment, seq uint32) int {
		return int(int32(have.seq - seq))
	})
	if found {
		if have := &h.segments[i]; len(have.data)+have.missing >= s.size() {
			return // sent again
		}
		i++ // longer than the one we have: what is new of it is read after that
	}
	keep := heldSegment{s.seq, slices.Clone(s.data), s.missing}
	h.segments = slices.Insert(h.segments, i, keep)
	h.bytes += keep.cost()
	d.held += keep.cost()
}

// why is what makes release look at the holes of a side.
type why uint8

const (
	peerAcknowledged why = iota
	sentMore             // the side goes on sending
	isOver               // nothing will follow
)

// release hands on held segments as far as they follow one another. A hole in front of them is given up when the
// other side has acknowledged what would fill it (it was sent and we did not see it), when the side goes on sending
// though the hole has been there for holeTimeout, when too much is held, and at the end. Silence alone gives up
// nothing, so that one segment with a forged number far ahead does not make all that really comes look old.
func (d *Decoder) release(c *conn, from side, because why) {
	f := &c.flows[from]
	for f.held != nil {
		h := f.held
		if len(h.segments) == 0 {
			d.drop(f)
			return
		}
		s := h.segments[0]
		if hole := int32(s.seq - f.next); hole > 0 {
			full := h.bytes > maxHeld || len(h.segments) > maxSegments || d.held > maxHeldAll
			overdue := because == sentMore && d.now-h.since >= int64(holeTimeout)
			behind := int32(f.ack - f.next)
			acked := f.acked && behind >= hole && behind <= maxAhead
			if because != isOver && !full && !overdue && !acked {
				return
			}
			d.skip(c, from, s.seq)
			h.since = d.now
		}
		h.segments = slices.Delete(h.segments, 0, 1)
		h.bytes -= s.cost()
		d.held -= s.cost()
		d.deliver(c, from, s.seq, s.data, s.missing)
	}
}

// acknowledged notes what the other side has of this one, and lets go the holes that this shows will not be filled.
func (d *Decoder) acknowledged(c *conn, of side, ack uint32) {
	f := &c.flows[of]
	f.acked, f.ack = true, ack
	if f.held != nil {
		d.release(c, of, peerAcknowledged)
	}
}

// drain reads all that is held and gives up messages that are half there.
func (d *Decoder) drain(c *conn) {
	for from := range side(2) {
		d.release(c, from, isOver)
		if c.application != nil {
			c.application.gap(d, c, from)
		}
	}
}

// drop forgets what a side holds.
func (d *Decoder) drop(f *flow) {
	if f.held != nil {
		d.held -= f.held.bytes
		f.held = nil
	}
}
