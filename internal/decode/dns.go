package decode

import (
	"encoding/binary"

	"breakwater"
)

// dnsHead is as much of a DNS message as is looked at: the header, the longest name there is (RFC 1035 section
// 2.3.4) and what follows it in a resource record.
const dnsHead = 12 + 255 + 10

// dnsDatagram reads a DNS message from a UDP datagram: DNS, mDNS (RFC 6762) or LLMNR (RFC 4795).
func (d *Decoder) dnsDatagram(b []byte, cut bool) bool {
	e := d.begin(breakwater.DNS, breakwater.Request, &d.frame.Src, &d.frame.Dst)
	e.Length = len(b)
	reason := parseDNS(e, b, cut)
	if reason != "" {
		e.Kind, e.Reason = breakwater.Malformed, reason
	}
	d.emit(e)
	return reason == ""
}

// parseDNS reads the header and the first name, of a question or, where there is none (mDNS), of an answer. It
// returns what is wrong, or "". cut says that the message goes on past b.
func parseDNS(e *breakwater.Event, b []byte, cut bool) (reason string) {
	if len(b) < 12 {
		return "shorter than a DNS header"
	}
	e.Transaction = uint32(binary.BigEndian.Uint16(b))
	flags := binary.BigEndian.Uint16(b[2:])
	if opcode := flags >> 11 & 15; opcode > 6 || opcode == 3 {
		return "operation code that is not assigned"
	}
	if flags&0x8000 != 0 {
		e.Kind, e.FromServer, e.Code = breakwater.Response, true, int(flags&15)
	}
	questions := binary.BigEndian.Uint16(b[4:])
	if questions == 0 && binary.BigEndian.Uint64(b[4:]) == 0 {
		return "" // no records at all, as a server answers what it cannot read
	}
	name, rest, reason := dnsName(b[12:])
	tail := 10 // type, class, time to live, length
	if questions > 0 {
		tail = 4
	}
	if reason == "" && rest < tail {
		reason = "ends inside a record"
	}
	if cut && (reason == "ends inside a record" || reason == "ends inside a name") {
		return ""
	}
	if reason == "" {
		e.Name = name
	}
	return reason
}

// dnsName reads the name at the beginning of b and says how many bytes are behind it. It is a message's first name,
// so there is nothing before it that a compression pointer (RFC 1035 section 4.1.4) could rightly point to: one here
// is malformed, and no loop can arise. Bytes that do not print are written \DDD as in zone files.
func dnsName(b []byte) (name string, rest int, reason string) {
	var out [4 * 255]byte
	text := out[:0]
	at := 0
	for {
		if at >= len(b) {
			return "", 0, "ends inside a name"
		}
		n := int(b[at])
		at++
		switch {
		case n == 0:
			if len(text) == 0 {
				text = append(text, '.')
			}
			return string(text), len(b) - at, ""
		case n > 63 && n < 192:
			return "", 0, "label type that is not assigned"
		case n >= 192:
			return "", 0, "compression pointer in the first name"
		case at+n >= 255:
			return "", 0, "name longer than 255 bytes"
		case at+n > len(b):
			return "", 0, "ends inside a name"
		}
		if len(text) > 0 {
			text = append(text, '.')
		}
		for _, c := range b[at : at+n] {
			switch {
			case c == '.' || c == '\\':
				text = append(text, '\\', c)
			case c > ' ' && c < 0x7f:
				text = append(text, c)
			default:
				text = append(text, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
			}
		}
		at += n
	}
}

// dnsStream reads DNS over TCP: each message behind its length in two bytes (RFC 1035 section 4.2.2). Of a message
// only the head is kept.
type dnsStream struct {
	halves [2]struct {
		head []byte // length and head of the message in progress
		skip int    // bytes of it that are still to come and not looked at
		lost bool   // bytes are missing: there is no telling where a message begins
	}
}

func newDNS() stream { return new(dnsStream) }

func (s *dnsStream) gap(_ *Decoder, _ *conn, from side) {
	s.halves[from].lost = true
	s.halves[from].head = nil
}

func (s *dnsStream) read(d *Decoder, c *conn, from side, b []byte) bool {
	h := &s.halves[from]
	for len(b) > 0 && !h.lost {
		if h.skip > 0 {
			n := min(h.skip, len(b))
			h.skip -= n
			b = b[n:]
			continue
		}
		want := 2
		if len(h.head) >= 2 {
			want += min(int(binary.BigEndian.Uint16(h.head)), dnsHead)
		}
		n := min(want-len(h.head), len(b))
		h.head, b = append(h.head, b[:n]...), b[n:]
		if len(h.head) < 2 {
			continue
		}
		length := int(binary.BigEndian.Uint16(h.head))
		if len(h.head) < 2+min(length, dnsHead) {
			continue
		}
		e := d.message(c, from, breakwater.DNS)
		e.Length = length
		reason := parseDNS(e, h.head[2:], length > dnsHead)
		e.FromServer = from == server
		h.skip = length - (len(h.head) - 2)
		h.head = h.head[:0]
		if reason != "" {
			e.Kind, e.Reason = breakwater.Malformed, reason
			d.emit(e)
			return false
		}
		c.spoken = true
		d.emit(e)
	}
	return true
}
