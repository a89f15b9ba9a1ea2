package decode

import (
	"encoding/binary"
	"net/netip"

	"breakwater"
)

// EtherTypes (IEEE 802) that are read.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherVLAN = 0x8100 // 802.1Q
	etherIPv6 = 0x86dd
	etherQinQ = 0x88a8 // 802.1ad; 0x9100 is its older form
	etherOldQ = 0x9100
)

// maxTags bounds the VLAN tags of one frame; more than two are not met in practice.
const maxTags = 4

// The parsers of link and IP layers are our own and not gopacket's. They are about as quick as its
// DecodingLayerParser (BenchmarkHeaders), and they keep apart what reassembly has to know: bytes that a snap length
// cut off, bytes that the link padded, and a length field that lies.

// link reads the link layer and hands on what it carries.
func (d *Decoder) link(p *breakwater.Packet) {
	b := p.Data
	cut := max(p.Length-len(b), 0) // bytes that were on the wire behind b and were not captured
	src, dst := &d.frame.Src, &d.frame.Dst
	switch p.Link {
	case breakwater.LinkEthernet:
		if len(b) < 14 {
			return
		}
		dst.MAC, src.MAC = breakwater.MAC(b[0:6]), breakwater.MAC(b[6:12])
		d.network(binary.BigEndian.Uint16(b[12:]), b[14:], cut)
	case breakwater.LinkSLL:
		if len(b) < 16 {
			return
		}
		if binary.BigEndian.Uint16(b[4:]) == 6 { // address length
			src.MAC = breakwater.MAC(b[6:12])
		}
		d.network(binary.BigEndian.Uint16(b[14:]), b[16:], cut)
	case breakwater.LinkSLL2:
		if len(b) < 20 {
			return
		}
		if b[11] == 6 {
			src.MAC = breakwater.MAC(b[12:18])
		}
		d.network(binary.BigEndian.Uint16(b), b[20:], cut)
	case breakwater.LinkNull, breakwater.LinkLoop:
		if len(b) < 4 {
			return
		}
		family := binary.BigEndian.Uint32(b)
		if p.Link == breakwater.LinkNull && family > 0xffff { // written by a little-endian machine
			family = binary.LittleEndian.Uint32(b)
		}
		switch family {
		case 2: // AF_INET everywhere
			d.network(etherIPv4, b[4:], cut)
		case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD, FreeBSD, macOS
			d.network(etherIPv6, b[4:], cut)
		}
	case breakwater.LinkIPv4:
		d.network(etherIPv4, b, cut)
	case breakwater.LinkIPv6:
		d.network(etherIPv6, b, cut)
	case breakwater.LinkRaw:
		if len(b) > 0 && b[0]>>4 == 6 {
			d.network(etherIPv6, b, cut)
		} else {
			d.network(etherIPv4, b, cut)
		}
	}
}

// network takes off VLAN tags and hands on by EtherType.
func (d *Decoder) network(ether uint16, b []byte, cut int) {
	for range maxTags {
		if ether != etherVLAN && ether != etherQinQ && ether != etherOldQ {
			break
		}
		if len(b) < 4 {
			return
		}
		ether, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	switch ether {
	case etherIPv4:
		d.ipv4(b, cut)
	case etherIPv6:
		d.ipv6(b, cut)
	case etherARP:
		d.arp(b)
	}
}

// IP protocol numbers (IANA) that are read.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoAH       = 51
	protoICMPv6   = 58
	protoDestOpts = 60
	protoMobility = 135
	protoHIP      = 139
	protoShim6    = 140
)

// ipv4 reads an IPv4 header. The total length decides where the packet ends: what the link padded is no payload. A
// total length past the end of the frame is a lie, and the packet is counted as IP only.
func (d *Decoder) ipv4(b []byte, cut int) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return
	}
	d.frame.Protocol = breakwater.OtherIP
	d.frame.Src.Addr = netip.AddrFrom4([4]byte(b[12:16]))
	d.frame.Dst.Addr = netip.AddrFrom4([4]byte(b[16:20]))
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = len(b) + cut // as a sender writes it whose network card cuts the segments
	}
	if header < 20 || header > len(b) || total < header || total > len(b)+cut {
		return
	}
	missing := max(total-len(b), 0)
	proto, payload := b[9], b[header:min(total, len(b))]
	if place := binary.BigEndian.Uint16(b[6:]); place&0x3fff != 0 {
		if missing > 0 {
			return
		}
		k := fragmentKey{src: d.frame.Src.Addr, dst: d.frame.Dst.Addr, id: uint32(binary.BigEndian.Uint16(b[4:])), proto: proto}
		payload = d.fragments.add(k, int(place&0x1fff)*8, place&0x2000 != 0, payload, d.now)
		if payload == nil {
			return
		}
	}
	d.transport(proto, payload, missing)
}

// ipv6 reads an IPv6 header and walks over its extension headers.
func (d *Decoder) ipv6(b []byte, cut int) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return
	}
	d.frame.Protocol = breakwater.OtherIP
	d.frame.Src.Addr = netip.AddrFrom16([16]byte(b[8:24]))
	d.frame.Dst.Addr = netip.AddrFrom16([16]byte(b[24:40]))
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total == 40 {
		total = len(b) + cut
	}
	if total > len(b)+cut {
		return
	}
	missing := max(total-len(b), 0)
	proto, payload := b[6], b[40:min(total, len(b))]
	for range 8 { // as many as RFC 8200 section 4.1 lists, and one to spare
		size := 0
		switch proto {
		case protoHopByHop, protoRouting, protoDestOpts, protoMobility, protoHIP, protoShim6:
			if len(payload) < 8 {
				return
			}
			size = 8 + int(payload[1])*8
		case protoAH:
			if len(payload) < 8 {
				return
			}
			size = 8 + int(payload[1])*4
		case protoFragment:
			if len(payload) < 8 || missing > 0 {
				return
			}
			place := binary.BigEndian.Uint16(payload[2:])
			next := payload[0]
			if place&0xfff9 != 0 { // else it is whole (RFC 6946)
				k := fragmentKey{src: d.frame.Src.Addr, dst: d.frame.Dst.Addr, id: binary.BigEndian.Uint32(payload[4:]), proto: next}
				if payload = d.fragments.add(k, int(place&0xfff8), place&1 != 0, payload[8:], d.now); payload == nil {
					return
				}
				proto = next
				continue
			}
			size = 8
		default:
			d.transport(proto, payload, missing)
			return
		}
		if size > len(payload) {
			return
		}
		proto, payload = payload[0], payload[size:]
	}
}

// transport hands on by IP protocol. missing is how many bytes of the payload's end were not captured.
func (d *Decoder) transport(proto uint8, b []byte, missing int) {
	switch proto {
	case protoTCP:
		d.tcp(b, missing)
	case protoUDP:
		d.udp(b, missing)
	case protoICMP:
		if d.frame.Src.Addr.Is4() {
			d.icmp(b, icmp4)
		}
	case protoICMPv6:
		if !d.frame.Src.Addr.Is4() {
			d.icmp(b, icmp6)
		}
	}
}

// arp reads ARP for IPv4 over Ethernet (RFC 826). The event's ends are those the message claims, which need not be
// those of the frame. A gratuitous one has the same address at both ends.
func (d *Decoder) arp(b []byte) {
	d.frame.Protocol = breakwater.ARP
	if len(b) < 8 {
		d.malformedFrame(breakwater.ARP, "cut short")
		return
	}
	if binary.BigEndian.Uint16(b) != 1 || binary.BigEndian.Uint16(b[2:]) != etherIPv4 {
		return // another hardware or protocol
	}
	if b[4] != 6 || b[5] != 4 {
		d.malformedFrame(breakwater.ARP, "address lengths are not 6 and 4")
		return
	}
	if len(b) < 28 {
		d.malformedFrame(breakwater.ARP, "cut short")
		return
	}
	sender := breakwater.Endpoint{MAC: breakwater.MAC(b[8:14]), Addr: netip.AddrFrom4([4]byte(b[14:18]))}
	target := breakwater.Endpoint{MAC: breakwater.MAC(b[18:24]), Addr: netip.AddrFrom4([4]byte(b[24:28]))}
	kind := breakwater.Request
	switch binary.BigEndian.Uint16(b[6:]) {
	case 1:
	case 2:
		kind = breakwater.Response
	default:
		return // RARP, InARP
	}
	e := d.begin(breakwater.ARP, kind, &sender, &target)
	e.FromServer = kind == breakwater.Response
	e.Length = 28
	d.emit(e)
}

// malformedFrame tells of a message that fills the packet in hand and breaks its protocol.
func (d *Decoder) malformedFrame(p breakwater.Protocol, reason string) {
	e := d.begin(p, breakwater.Malformed, &d.frame.Src, &d.frame.Dst)
	e.Reason = reason
	d.emit(e)
}
