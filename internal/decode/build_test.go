package decode

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"breakwater"
)

// builder writes captures by hand: a packet each millisecond, unless the test waits.
type builder struct {
	now     time.Time
	link    breakwater.LinkType
	packets []breakwater.Packet
}

func newBuilder() *builder {
	return &builder{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), link: breakwater.LinkEthernet}
}

func (b *builder) wait(d time.Duration) { b.now = b.now.Add(d) }

// raw adds a packet.
func (b *builder) raw(data []byte) {
	b.packets = append(b.packets, breakwater.Packet{Time: b.now, Link: b.link, Data: data, Length: len(data)})
	b.wait(time.Millisecond)
}

// station is an end with its addresses.
func station(addr string, port uint16) breakwater.Endpoint {
	a := netip.MustParseAddr(addr)
	last := a.AsSlice()[len(a.AsSlice())-1]
	return breakwater.Endpoint{MAC: breakwater.MAC{2, 0, 0, 0, 0, last}, Addr: a, Port: port}
}

func bytesOf(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case uint8:
			out = append(out, p)
		case int:
			out = append(out, uint8(p))
		case uint16:
			out = binary.BigEndian.AppendUint16(out, p)
		case uint32:
			out = binary.BigEndian.AppendUint32(out, p)
		case []byte:
			out = append(out, p...)
		case string:
			out = append(out, p...)
		case breakwater.MAC:
			out = append(out, p[:]...)
		case netip.Addr:
			out = append(out, p.AsSlice()...)
		}
	}
	return out
}

// ip wraps a payload into IPv4 or IPv6, without checksums.
func ip(src, dst breakwater.Endpoint, proto int, payload []byte) []byte {
	if src.Addr.Is4() {
		return bytesOf(0x45, 0, uint16(20+len(payload)), uint16(0), uint16(0), 64, proto, uint16(0), src.Addr, dst.Addr, payload)
	}
	return bytesOf(uint32(0x60000000), uint16(len(payload)), proto, 64, src.Addr, dst.Addr, payload)
}

// frame wraps an IP packet into the builder's link layer.
func (b *builder) frame(src, dst breakwater.Endpoint, packet []byte) []byte {
	ether := uint16(etherIPv4)
	if packet[0]>>4 == 6 {
		ether = etherIPv6
	}
	switch b.link {
	case breakwater.LinkSLL:
		return bytesOf(uint16(0), uint16(1), uint16(6), src.MAC, uint16(0), ether, packet)
	case breakwater.LinkSLL2:
		return bytesOf(ether, uint16(0), uint32(2), uint16(1), 0, 6, src.MAC, uint16(0), packet)
	case breakwater.LinkNull:
		return bytesOf(2, 0, 0, 0, packet)
	case breakwater.LinkLoop:
		return bytesOf(0, 0, 0, 2, packet)
	case breakwater.LinkRaw, breakwater.LinkIPv4, breakwater.LinkIPv6:
		return packet
	}
	data := bytesOf(dst.MAC, src.MAC, ether, packet)
	for len(data) < 60 {
		data = append(data, 0xee) // padding that must not become payload
	}
	return data
}

// ipv adds an IP packet.
func (b *builder) ipv(src, dst breakwater.Endpoint, proto int, payload []byte) {
	b.raw(b.frame(src, dst, ip(src, dst, proto, payload)))
}

func (b *builder) udp(src, dst breakwater.Endpoint, payload []byte) {
	b.ipv(src, dst, protoUDP, bytesOf(src.Port, dst.Port, uint16(8+len(payload)), uint16(0), payload))
}

func tcpHeader(src, dst breakwater.Endpoint, seq, ack uint32, flags int, payload []byte) []byte {
	return bytesOf(src.Port, dst.Port, seq, ack, 0x50, flags, uint16(8192), uint16(0), uint16(0), payload)
}

// dialogue is a TCP connection between two ends, with where each has come to.
type dialogue struct {
	*builder
	ends [2]breakwater.Endpoint
	seq  [2]uint32
}

// dial is a connection that has not begun.
func (b *builder) dial(client, server breakwater.Endpoint) *dialogue {
	return &dialogue{b, [2]breakwater.Endpoint{client, server}, [2]uint32{1000, 0xfffffff0}} // the server's wraps
}

// at sends a segment with a sequence number of choice and leaves the numbers alone.
func (d *dialogue) at(from side, seq uint32, flags int, payload []byte) {
	d.ipv(d.ends[from], d.ends[1-from], protoTCP, tcpHeader(d.ends[from], d.ends[1-from], seq, d.seq[1-from], flags, payload))
}

// send sends a segment in order.
func (d *dialogue) send(from side, flags int, payload []byte) {
	d.at(from, d.seq[from], flags, payload)
	d.seq[from] += uint32(len(payload))
	if flags&(flagSYN|flagFIN) != 0 {
		d.seq[from]++
	}
}

const flagPSH = 1 << 3

// data sends payload in order.
func (d *dialogue) data(from side, payload []byte) { d.send(from, flagPSH|flagACK, payload) }

// open does the three-way handshake.
func (d *dialogue) open() *dialogue {
	d.send(client, flagSYN, nil)
	d.send(server, flagSYN|flagACK, nil)
	d.send(client, flagACK, nil)
	return d
}

// close ends with FIN from both sides.
func (d *dialogue) close() {
	d.send(client, flagFIN|flagACK, nil)
	d.send(server, flagFIN|flagACK, nil)
	d.send(client, flagACK, nil)
}

// adu wraps a PDU written in hexadecimal (spaces allowed).
func adu(transaction uint16, unit uint8, pdu string) []byte {
	p := unhex(pdu)
	return bytesOf(transaction, uint16(0), uint16(1+len(p)), unit, p)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// ask sends a request and its response.
func (d *dialogue) ask(transaction uint16, request, response string) {
	d.data(client, adu(transaction, 1, request))
	d.data(server, adu(transaction, 1, response))
}
