package decode

import (
	"encoding/binary"

	"breakwater"
)

// udp reads a UDP header (RFC 768), follows the conversation and hands the payload to its protocol.
func (d *Decoder) udp(b []byte, missing int) {
	f := &d.frame
	f.Protocol = breakwater.UDP
	if len(b) < 8 {
		return
	}
	f.Src.Port, f.Dst.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length == 0 {
		length = len(b) + missing // RFC 2675: longer than the field can say
	}
	if length < 8 || length > len(b)+missing {
		return
	}
	d.talk()
	p := udpPorts[f.Dst.Port]
	if p == 0 {
		p = udpPorts[f.Src.Port]
	}
	if p == 0 || protocols[p-1].datagram == nil {
		return
	}
	if protocols[p-1].datagram(d, b[8:min(length, len(b))], length > len(b)) {
		f.Protocol = protocols[p-1].name
	}
}

// talk follows the UDP conversation of the packet in hand. Its client is who began it, except where the first
// datagram seen comes from the port of a service we know: then the beginning was missed.
func (d *Decoder) talk() {
	src, dst := &d.frame.Src, &d.frame.Dst
	k, fromA := keyOf(protoUDP, src, dst)
	c := d.table.conns[k]
	if c == nil {
		answer := udpPorts[src.Port] != 0 && udpPorts[dst.Port] == 0
		if answer {
			src, dst, fromA = dst, src, !fromA
		}
		c = d.insert(k, fromA, src, dst)
		c.state, c.midStream = talking, answer
		d.tell(c, breakwater.Attempted, "")
	}
	d.table.place(c, talks, d.now)
}
