package decode

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"breakwater"
)

// Modbus/TCP: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3. An ADU is the MBAP header and a
// PDU (modbuspdu.go):
//
//	transaction 2 | protocol 2, always 0 | length 2, of what follows | unit 1 | PDU 1–253
const (
	mbapSize  = 7
	minLength = 2   // unit and function code
	maxLength = 254 // unit and the longest PDU
	// maxPending bounds the requests of a connection that wait for their response; the guide's section 4.2 expects
	// 1 to 16. The oldest makes room.
	maxPending = 32
)

// request is what a response is joined to.
type request struct {
	transaction uint16
	unit        uint8
	function    uint8
	ranged      bool
	subfunction uint16
	address     uint32
	quantity    uint32
	readAddress uint32
	readCount   uint32
	at          int64 // Unix nanoseconds
}

// modbusStream frames and reads both directions of one connection.
//
// What cannot be a header costs the framing of that side: one malformed event, and the next segment that begins with
// a flawless ADU takes it up again (a sender begins an ADU with a segment; to look for headers inside of register
// values would find some that are none). If the connection's first message has another protocol id, it is not Modbus.
type modbusStream struct {
	halves  [2]modbusHalf
	pending []request // in order of time
	spoken  bool      // an ADU was read
}

type modbusHalf struct {
	partial []byte // an ADU's beginning, up to 260 bytes
	lost    bool
}

func newModbus() stream { return new(modbusStream) }

func (m *modbusStream) read(d *Decoder, c *conn, from side, b []byte) bool {
	h := &m.halves[from]
	for len(b) > 0 {
		adu := b
		if len(h.partial) > 0 {
			// Take over only as much as the ADU in progress needs: first its header, then the rest.
			want := aduSize(h.partial)
			n := min(want-len(h.partial), len(b))
			h.partial = append(h.partial, b[:n]...)
			adu, b = h.partial, b[n:]
		}
		foreign, reason := checkHeader(adu)
		if reason = cmp.Or(foreign, reason); reason != "" {
			h.partial = h.partial[:0]
			if h.lost {
				return true
			}
			e := d.message(c, from, breakwater.Modbus)
			e.Kind, e.Reason = breakwater.Malformed, reason
			e.Transaction = uint32(binary.BigEndian.Uint16(adu))
			d.emit(e)
			h.lost = true
			return m.spoken || foreign == "" // a first message of the right protocol may have a wrong length
		}
		size := aduSize(adu)
		if len(adu) < size {
			if len(h.partial) == 0 {
				h.partial = append(h.partial, adu...)
				return true
			}
			continue
		}
		if len(h.partial) == 0 {
			b = adu[size:]
		}
		m.adu(d, c, from, adu[:size])
		h.partial = h.partial[:0]
	}
	return true
}

// aduSize is how long the ADU that begins with b is, or the length of a header as long as that is not known.
func aduSize(b []byte) int {
	if len(b) < 6 {
		return 6
	}
	return 6 + int(binary.BigEndian.Uint16(b[4:]))
}

// checkHeader says why b cannot be the beginning of an ADU, as far as it goes: foreign is a protocol id that is not
// Modbus's, reason a length no ADU has; "" where it can.
func checkHeader(b []byte) (foreign, reason string) {
	if len(b) >= 4 {
		if id := binary.BigEndian.Uint16(b[2:]); id != 0 {
			return fmt.Sprintf("protocol id is %d, not 0", id), ""
		}
	}
	if len(b) >= 6 {
		if n := binary.BigEndian.Uint16(b[4:]); n < minLength || n > maxLength {
			return "", fmt.Sprintf("length field is %d, not %d to %d", n, minLength, maxLength)
		}
	}
	return "", ""
}

// gap gives up the ADU in progress. What comes next need not be the beginning of one.
func (m *modbusStream) gap(d *Decoder, c *conn, from side) {
	h := &m.halves[from]
	partial := h.partial
	h.partial = h.partial[:0]
	if len(partial) > 0 && !h.lost {
		e := d.message(c, from, breakwater.Modbus)
		e.Kind = breakwater.Malformed
		e.Length = len(partial)
		if len(partial) >= 2 {
			e.Transaction = uint32(binary.BigEndian.Uint16(partial))
		}
		if len(partial) > mbapSize {
			e.Unit = partial[6]
			function(e, partial[mbapSize])
		}
		if len(partial) >= 6 {
			e.Reason = fmt.Sprintf("truncated: %d bytes of %d", len(partial), aduSize(partial))
		} else {
			e.Reason = fmt.Sprintf("truncated: %d bytes of a header", len(partial))
		}
		d.emit(e)
	}
	h.lost = true
}

// adu reads one whole ADU, whose header is sound.
func (m *modbusStream) adu(d *Decoder, c *conn, from side, b []byte) {
	e := d.message(c, from, breakwater.Modbus)
	e.Length = len(b)
	e.Transaction = uint32(binary.BigEndian.Uint16(b))
	e.Unit = b[6]
	e.Values = d.values[:0]
	pdu := b[mbapSize:]
	var reason string
	if from == client {
		reason = parseRequest(e, pdu)
	} else {
		i := m.find(e, pdu[0]&0x7f)
		if i >= 0 {
			r := &m.pending[i]
			e.Joined, e.ResponseTime = true, time.Duration(d.now-r.at)
			e.Ranged, e.Address, e.Quantity = r.ranged, r.address, r.quantity
			e.ReadAddress, e.ReadQuantity, e.Subfunction = r.readAddress, r.readCount, r.subfunction
		}
		if reason = parseResponse(e, pdu); e.Joined {
			m.pending = slices.Delete(m.pending, i, i+1)
		}
	}
	if len(e.Values) == 0 || reason != "" {
		e.Values = nil
	}
	h := &m.halves[from]
	if reason != "" {
		if h.lost {
			return
		}
		e.Kind, e.Reason = breakwater.Malformed, reason
	}
	h.lost, m.spoken, c.spoken = false, true, true
	if from == client {
		m.expect(d, e)
	}
	d.emit(e)
}

// find is the place of the request that a response answers, -1 where none is known.
func (m *modbusStream) find(e *breakwater.Event, function uint8) int {
	for i := range m.pending {
		r := &m.pending[i]
		if uint32(r.transaction) == e.Transaction && r.unit == e.Unit && r.function == function {
			return i
		}
	}
	return -1
}

// expect notes a request, malformed or not: it will be answered, if only by an exception. One that repeats the
// identifiers of an earlier one takes its place (the guide wants transaction ids unique among what is in progress),
// so that a lost response does not shift all later ones of a client that never changes its id.
func (m *modbusStream) expect(d *Decoder, e *breakwater.Event) {
	if i := m.find(e, e.Function); i >= 0 {
		m.pending = slices.Delete(m.pending, i, i+1)
	} else if len(m.pending) == maxPending {
		m.pending = slices.Delete(m.pending, 0, 1)
	}
	m.pending = append(m.pending, request{
		transaction: uint16(e.Transaction), unit: e.Unit, function: e.Function, subfunction: e.Subfunction,
		ranged: e.Ranged, address: e.Address, quantity: e.Quantity,
		readAddress: e.ReadAddress, readCount: e.ReadQuantity, at: d.now,
	})
}
