package decode

import (
	"encoding/binary"
	"net/netip"

	"breakwater"
)

// icmpTypes are the message types that ICMP (RFC 792) and ICMPv6 (RFC 4443) number differently.
type icmpTypes struct {
	echo, reply, unreachable uint8
	noPort                   uint8 // the code of unreachable for a closed port
}

var (
	icmp4 = icmpTypes{echo: 8, reply: 0, unreachable: 3, noPort: 3}
	icmp6 = icmpTypes{echo: 128, reply: 129, unreachable: 1, noPort: 4}
)

// icmp tells of echo and of what could not be reached; other messages raise no event.
func (d *Decoder) icmp(b []byte, t icmpTypes) {
	d.frame.Protocol = breakwater.ICMP
	if len(b) < 8 {
		d.malformedFrame(breakwater.ICMP, "cut short")
		return
	}
	var kind breakwater.Kind
	switch b[0] {
	case t.echo:
		kind = breakwater.Request
	case t.reply:
		kind = breakwater.Response
	case t.unreachable:
		kind = breakwater.Unreachable
	default:
		return
	}
	e := d.begin(breakwater.ICMP, kind, &d.frame.Src, &d.frame.Dst)
	e.Code = int(b[0])<<8 | int(b[1])
	e.Length = len(b)
	if kind == breakwater.Unreachable {
		d.emit(e)
		if b[1] == t.noPort {
			d.portUnreachable(b[8:])
		}
		return
	}
	e.FromServer = kind == breakwater.Response
	e.Transaction = binary.BigEndian.Uint32(b[4:]) // identifier and sequence number
	d.emit(e)
}

// portUnreachable finds the UDP conversation whose datagram an ICMP message returns the beginning of, and tells that
// it was refused, once. A client that no longer waits for an answer refuses that answer; this is not told.
func (d *Decoder) portUnreachable(b []byte) {
	var src, dst breakwater.Endpoint
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		header := int(b[0]&15) * 4
		if b[9] != protoUDP || header < 20 || len(b) < header+4 {
			return
		}
		src.Addr, dst.Addr = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[header:]
	case len(b) >= 44 && b[0]>>4 == 6 && b[6] == protoUDP:
		src.Addr, dst.Addr = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b = b[40:]
	default:
		return
	}
	src.Port, dst.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	k, fromA := keyOf(protoUDP, &src, &dst)
	c := d.table.conns[k]
	if c == nil || c.refused || c.from(fromA) != client {
		return
	}
	c.refused = true
	d.tell(c, breakwater.Refused, "")
}
