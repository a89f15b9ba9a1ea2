package detect

import (
	"net/netip"
	"slices"
	"time"

	"breakwater"
)

// ownerGone is how long the owner of an address must have been silent before another MAC may take the address over
// without a conflict. A lease or a replaced device comes to a new MAC after a silence; a spoofer speaks while the
// owner is alive.
const ownerGone = 5 * time.Minute

// claimsMax bounds the addresses kept of one MAC.
const claimsMax = 64

// owner is who holds an address, as ARP tells.
type owner struct {
	mac   breakwater.MAC
	heard time.Time // its last ARP message for this address, or what the baseline says
}

// arp takes an ARP message: its sender says that it holds its address (RFC 826), and perhaps asks for another.
func (e *Engine) arp(ev *breakwater.Event) {
	src, dst := ev.Src, ev.Dst
	var raised signal
	var was conflict
	if routable(src.Addr) {
		if was = e.claim(ev); was.owner != (breakwater.MAC{}) {
			raised = sigARPConflict
		}
	}
	peer := netip.Addr{}
	if ev.Kind == breakwater.Response && src.Addr != dst.Addr {
		peer = dst.Addr
	}
	e.hear(ev, src, nil, peer)
	if !routable(src.Addr) {
		return // a probe (RFC 5227): the sender has no address yet
	}
	switch {
	case src.Addr == dst.Addr:
		raised |= sigARPAnnouncement
	case ev.Kind == breakwater.Request:
		raised |= sigARPRequest
	}
	if raised != 0 {
		m := e.moment(ev, raised, src.Addr, dst.Addr)
		m.conflict = was
		e.ask(m)
	}
}

// conflict is a claim to an address that is another's. Without an owner there is none.
type conflict struct {
	owner  breakwater.MAC
	age    time.Duration // since the owner was heard
	claims int           // addresses that the claiming MAC holds, this one included
}

// claim takes the sender's claim to its address, and says whether it conflicts with another's.
func (e *Engine) claim(ev *breakwater.Event) conflict {
	addr, mac := ev.Src.Addr, ev.Src.MAC
	if mac == (breakwater.MAC{}) {
		return conflict{}
	}
	if held := e.claims[mac]; !slices.Contains(held, addr) && len(held) < claimsMax {
		if len(e.claims) >= hostsMax {
			clear(e.claims)
		}
		e.claims[mac] = append(held, addr)
	}
	was, known := e.owners[addr]
	switch {
	case !known && len(e.owners) >= hostsMax:
		clear(e.owners) // what was learned is found again below
		fallthrough
	case !known, was.mac == mac, e.hadMAC(addr, mac):
		e.owners[addr] = owner{mac, ev.Time}
		return conflict{}
	}
	// The owner may have sent other things than ARP since.
	heard := was.heard
	if h := e.hosts[asset{addr: addr}]; h != nil && h.mac == was.mac && h.heard.After(heard) {
		heard = h.heard
	}
	age := ev.Time.Sub(heard)
	if age >= ownerGone {
		e.owners[addr] = owner{mac, ev.Time}
		return conflict{}
	}
	return conflict{was.mac, age, len(e.claims[mac])}
}

// hadMAC reports whether an address was learned with a MAC.
func (e *Engine) hadMAC(a netip.Addr, mac breakwater.MAC) bool {
	s := e.baseline.known[key{kind: kindDevice, a: a}]
	return s != nil && !e.learning && slices.Contains(s.macs, mac)
}
