// Package breakwater holds the words the whole program speaks, in the order the data goes:
//
//	Packet ─► Frame, Event ─► Window ─► Detection ─► Alert
//
// It imports the standard library only and knows no engine, file format or network. Everything else in the
// program is written in these words; what a word means is said once, here.
package breakwater

import (
	"encoding/hex"
	"net/netip"
	"time"
)

// LinkType says how the bytes of a Packet begin. The numbers are those of the pcap format's registry
// (draft-ietf-opsawg-pcaplinktype).
type LinkType uint16

// The link types Breakwater reads.
const (
	LinkNull     LinkType = 0   // BSD loopback: 4 bytes of address family in the writer's byte order
	LinkEthernet LinkType = 1   // IEEE 802.3
	LinkRaw      LinkType = 101 // IPv4 or IPv6 without a link header
	LinkLoop     LinkType = 108 // OpenBSD loopback: as LinkNull, big-endian
	LinkSLL      LinkType = 113 // Linux "any" interface, version 1
	LinkIPv4     LinkType = 228
	LinkIPv6     LinkType = 229
	LinkSLL2     LinkType = 276 // Linux "any" interface, version 2
)

// Packet is one packet as it was seen on the wire.
//
// A packet with no Data and Length 0 is a tick: it carries no traffic and only says that time has come this far
// (a live tap sends one each second, so that silence ends windows too).
type Packet struct {
	Time   time.Time
	Link   LinkType
	Data   []byte // as captured, perhaps cut short; valid until the next packet is asked for
	Length int    // bytes on the wire, at least len(Data)
}

// Tick reports whether the packet only moves time.
func (p *Packet) Tick() bool { return len(p.Data) == 0 && p.Length == 0 }

// MAC is an Ethernet address; the zero MAC means that the link has none.
type MAC [6]byte

// String gives the lower-case form with colons, or "" for the zero MAC.
func (m MAC) String() string {
	if m == (MAC{}) {
		return ""
	}
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for i, x := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[x>>4], digits[x&15])
	}
	return string(b)
}

// MarshalText is String as bytes, so that JSON shows the usual form.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText writes, in either case and with colons or hyphens; nothing is the zero MAC. The
// error is of kind Invalid.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = MAC{}
		return nil
	}
	bad := &Error{Kind: Invalid, Field: "mac", Message: "MAC " + quote(string(b)) + " is not an address like 02:00:0a:00:00:01"}
	if len(b) != 17 {
		return bad
	}
	for i := range m {
		if i > 0 && b[3*i-1] != ':' && b[3*i-1] != '-' {
			return bad
		}
		if _, err := hex.Decode(m[i:i+1], b[3*i:3*i+2]); err != nil {
			return bad
		}
	}
	return nil
}

// Group reports whether the address is a broadcast or multicast one (IEEE 802.3: lowest bit of the first byte).
func (m MAC) Group() bool { return m[0]&1 == 1 }

// Endpoint is one end of a message. What the link or the protocol does not have stays zero: ARP has no Port,
// a frame that is not IP no Addr.
type Endpoint struct {
	MAC  MAC        `json:"mac,omitzero"`
	Addr netip.Addr `json:"addr,omitzero"`
	Port uint16     `json:"port,omitempty"`
}

// Frame is what one packet says of itself below the application: the part that every packet has, which the
// window's network features count.
type Frame struct {
	Time     time.Time
	Src, Dst Endpoint
	Protocol Protocol // the highest one known from the packet alone: modbus, dns, tcp, arp, …
	Length   int      // bytes on the wire
}
