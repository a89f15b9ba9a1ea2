package pipeline

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"breakwater"
)

// The bounds of an inventory. A flood of invented addresses fills it and is not learned beyond.
const (
	devicesMax = 8_192
	linksMax   = 8_192
	slots      = 1 << 10
	// routesAt is how many addresses that never announced themselves make the MAC they share a gateway's.
	routesAt = 3
	// retold is how often, in data time, that a device is still there is told when nothing else about it has changed.
	retold = time.Minute
)

// inventory learns who is on a facility's network from what passes by. What it has seen before costs no allocation and,
// for a packet, one comparison.
type inventory struct {
	facility string
	devices  map[netip.Addr]*device
	links    map[breakwater.MAC]*link
	all      []*device // in order of appearance
	dirty    []*device // changed since the last telling, in order
	told     time.Time // when all were told that are still there

	frames [slots]frameSlot // what frames have said, by a hash
	talks  [slots]talkSlot  // what events have said
}

// device is what is known of one asset.
type device struct {
	breakwater.Asset
	traits traits
	dirty  bool
	sent   time.Time // its LastSeen when it was told last
}

// traits are the bits of breakwater.Trait.
type traits uint8

const (
	answers traits = 1 << iota
	polls
	engineers
	serves
	routes
	remote
	announced
)

var traitNames = [...]breakwater.Trait{breakwater.Answers, breakwater.Polls, breakwater.Engineers, breakwater.Serves,
	breakwater.Routes, breakwater.Remote, breakwater.Announced}

// link is a MAC, and whose packets it carries.
type link struct {
	device   *device              // its own, where it has no address
	carried  [routesAt]netip.Addr // that were never announced with it
	ncarried int                  //
	owner    netip.Addr           // announced with it first
	routes   bool
}

// frameSlot remembers a frame that said nothing that was not known.
type frameSlot struct {
	src, dst netip.Addr
	mac      breakwater.MAC
	port     uint16 // the sender's, where it is a service's
	protocol breakwater.Protocol
	from     *device
}

// talkSlot remembers that an end of a conversation is known for what it does there.
type talkSlot struct {
	src, dst netip.Addr
	traits   traits // of src
}

func newInventory(facility string) *inventory {
	return &inventory{facility: facility, devices: map[netip.Addr]*device{}, links: map[breakwater.MAC]*link{}}
}

func slotOf(src, dst netip.Addr) int {
	a, b := src.As16(), dst.As16()
	h := (binary.LittleEndian.Uint64(a[8:])^binary.LittleEndian.Uint64(a[:]))*0x9e3779b97f4a7c15 ^
		(binary.LittleEndian.Uint64(b[8:])^binary.LittleEndian.Uint64(b[:]))*0xc2b2ae3d27d4eb4f
	return int(h >> 54)
}

// Frame takes one packet: who sent it, to whom, by which protocol.
func (v *inventory) Frame(f *breakwater.Frame) {
	port := f.Src.Port
	if port >= 1024 {
		port = 0
	}
	// Acknowledgements and messages alternate: what tells tcp from modbus is part of the place.
	s := &v.frames[(slotOf(f.Src.Addr, f.Dst.Addr)+int(port)+97*len(f.Protocol))&(slots-1)]
	if s.from == nil || s.src != f.Src.Addr || s.dst != f.Dst.Addr || s.mac != f.Src.MAC || s.port != port || s.protocol != f.Protocol {
		from := v.learn(f)
		if from == nil {
			return
		}
		*s = frameSlot{f.Src.Addr, f.Dst.Addr, f.Src.MAC, port, f.Protocol, from}
	}
	s.from.LastSeen = f.Time
	if s.mac != (breakwater.MAC{}) {
		s.from.MACSeen = f.Time
		if s.from.MAC != s.mac {
			s.from.MAC = s.mac
			v.changed(s.from)
		}
	}
}

// learn takes in a frame that may be news, and finds its sender; nil for one that names no device or has no room.
func (v *inventory) learn(f *breakwater.Frame) *device {
	if f.Src.MAC.Group() || f.Protocol == breakwater.ARP { // ARP's addresses come as an event
		return nil
	}
	if !single(f.Src.Addr) {
		if f.Src.Addr.IsValid() || f.Src.MAC == (breakwater.MAC{}) {
			return nil
		}
		return v.linkDevice(f.Src.MAC, f.Time, f.Protocol)
	}
	d := v.device(f.Src.Addr, f.Time)
	if d == nil {
		return nil
	}
	v.speaks(d, f.Protocol)
	if single(f.Dst.Addr) && !f.Dst.MAC.Group() {
		v.meets(d, f.Dst.Addr)
	}
	if f.Protocol == breakwater.UDP && udpServices[f.Src.Port] && f.Dst.Port >= 1024 {
		v.does(d, serves)
	}
	v.carry(d, f.Src.MAC)
	return d
}

// udpServices are the server ports below 1024 of datagram services by which a server is known (IANA): DNS, DHCP, TFTP,
// NTP, SNMP, LDAP, syslog.
var udpServices = map[uint16]bool{53: true, 67: true, 69: true, 123: true, 161: true, 389: true, 514: true}

// industrial are the TCP server ports of industrial protocols (IANA): who accepts a connection there is no server of
// the other sort, and is a controller once it has answered a message that was decoded.
var industrial = map[uint16]bool{102: true, 502: true, 1962: true, 2222: true, 2404: true, 4840: true, 5094: true, 9600: true, 18245: true,
	20000: true, 34962: true, 34963: true, 34964: true, 44818: true, 47808: true}

// Event takes one decoded event: what its ends were doing.
func (v *inventory) Event(e *breakwater.Event) {
	switch {
	case e.Protocol == breakwater.ARP:
		v.announce(e)
	case e.Kind == breakwater.Request && e.Class != "":
		if e.Class == breakwater.Read || e.Class == breakwater.Write {
			v.doing(e.Src, e.Dst, polls, e.Time)
		} else if e.Class != breakwater.Unknown {
			v.doing(e.Src, e.Dst, engineers, e.Time)
		}
	case e.Kind == breakwater.Response && e.Class != "":
		v.doing(e.Src, e.Dst, answers, e.Time)
	case e.Kind == breakwater.Response && e.Protocol == breakwater.DNS && e.Src.Port == 53,
		e.Kind == breakwater.Opened && e.Protocol == breakwater.TCP && !e.MidStream && !industrial[e.Dst.Port]:
		v.doing(e.Server(), e.Client(), serves, e.Time)
	}
}

// doing notes a trait of an end of a conversation.
func (v *inventory) doing(who, with breakwater.Endpoint, t traits, at time.Time) {
	s := &v.talks[slotOf(who.Addr, with.Addr)]
	if s.src == who.Addr && s.dst == with.Addr && s.traits&t != 0 {
		return
	}
	if !single(who.Addr) {
		return
	}
	d := v.device(who.Addr, at)
	if d == nil {
		return
	}
	v.does(d, t)
	*s = talkSlot{who.Addr, with.Addr, d.traits}
}

// announce takes an ARP message, whose sender says which MAC is its.
func (v *inventory) announce(e *breakwater.Event) {
	mac := e.Src.MAC
	if e.Kind == breakwater.Malformed || !single(e.Src.Addr) || mac == (breakwater.MAC{}) || mac.Group() {
		return
	}
	d := v.device(e.Src.Addr, e.Time)
	if d == nil {
		return
	}
	if d.LastSeen = e.Time; d.MAC != mac {
		d.MAC = mac
		v.changed(d)
	}
	d.MACSeen = e.Time
	if d.traits&announced == 0 {
		v.does(d, announced)
		v.speaks(d, breakwater.ARP)
	}
	l := v.link(mac)
	if l == nil || l.owner.IsValid() {
		return
	}
	l.owner = e.Src.Addr
	if i := slices.Index(l.carried[:l.ncarried], e.Src.Addr); i >= 0 && !l.routes {
		l.carried[i] = l.carried[l.ncarried-1]
		l.ncarried--
	}
	if l.routes {
		v.does(d, routes)
	}
}

// carry notes that a MAC sends packets of an address, and finds gateways by it.
func (v *inventory) carry(d *device, mac breakwater.MAC) {
	if mac == (breakwater.MAC{}) || d.traits&announced != 0 {
		return
	}
	l := v.link(mac)
	if l == nil || l.owner == d.IP {
		return
	}
	if l.routes {
		v.does(d, remote)
		return
	}
	if slices.Contains(l.carried[:l.ncarried], d.IP) {
		return
	}
	l.carried[l.ncarried] = d.IP
	if l.ncarried++; l.ncarried < routesAt {
		return
	}
	l.routes = true
	for _, a := range l.carried {
		v.does(v.devices[a], remote)
	}
	if owner := v.devices[l.owner]; owner != nil {
		v.does(owner, routes)
	} else if own := v.linkDevice(mac, d.LastSeen, ""); own != nil {
		v.does(own, routes)
	}
}

// single reports whether an address names one host.
func single(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.IsLoopback() && a.Zone() == "" && a != limitedBroadcast
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// device finds or begins what is known of an address; nil where there is no room.
func (v *inventory) device(a netip.Addr, at time.Time) *device {
	d := v.devices[a]
	if d == nil {
		if d = v.begin(at); d != nil {
			d.IP = a
			v.devices[a] = d
		}
	}
	return d
}

// linkDevice is the device of a MAC by which no address is known.
func (v *inventory) linkDevice(mac breakwater.MAC, at time.Time, p breakwater.Protocol) *device {
	l := v.link(mac)
	if l == nil {
		return nil
	}
	if l.device == nil {
		if l.device = v.begin(at); l.device == nil {
			return nil
		}
		l.device.MAC, l.device.MACSeen = mac, at
	}
	if p != "" {
		v.speaks(l.device, p)
	}
	return l.device
}

func (v *inventory) link(mac breakwater.MAC) *link {
	l := v.links[mac]
	if l == nil && len(v.links) < linksMax {
		l = &link{}
		v.links[mac] = l
	}
	return l
}

func (v *inventory) begin(at time.Time) *device {
	if len(v.all) >= devicesMax {
		return nil
	}
	d := &device{Asset: breakwater.Asset{FacilityID: v.facility, FirstSeen: at, LastSeen: at}}
	v.all = append(v.all, d)
	v.changed(d)
	return d
}

func (v *inventory) changed(d *device) {
	if !d.dirty {
		d.dirty = true
		v.dirty = append(v.dirty, d)
	}
}

func (v *inventory) does(d *device, t traits) {
	if d.traits&t == 0 {
		d.traits |= t
		v.changed(d)
	}
}

func (v *inventory) speaks(d *device, p breakwater.Protocol) {
	if !slices.Contains(d.Protocols, p) && len(d.Protocols) < breakwater.ProtocolsMax {
		d.Protocols = append(d.Protocols, p)
		v.changed(d)
	}
}

// meets notes whom a device sends to. Of many the lowest addresses are kept, as Asset.Merge does.
func (v *inventory) meets(d *device, peer netip.Addr) {
	i, found := slices.BinarySearchFunc(d.Peers, peer, netip.Addr.Compare)
	if found || i == breakwater.PeersMax {
		return
	}
	d.Peers = slices.Insert(d.Peers, i, peer)
	d.Peers = d.Peers[:min(len(d.Peers), breakwater.PeersMax)]
	v.changed(d)
}

// changes is what is to be told at a moment: what has changed, and once a minute or at the end what is still there.
// Devices without an address whose MAC has turned out to be that of one with an address are not told.
func (v *inventory) changes(now time.Time, end bool) []breakwater.Asset {
	if end || now.Sub(v.told) >= retold {
		v.told = now
		for _, d := range v.all {
			if d.LastSeen.After(d.sent) {
				v.changed(d)
			}
		}
	}
	if len(v.dirty) == 0 {
		return nil
	}
	assets := make([]breakwater.Asset, 0, len(v.dirty))
	for _, d := range v.dirty {
		d.dirty, d.sent = false, d.LastSeen
		if l := v.links[d.MAC]; !d.IP.IsValid() && (l.owner.IsValid() || l.ncarried > 0 && !l.routes) {
			continue
		}
		assets = append(assets, d.shown())
	}
	v.dirty = v.dirty[:0]
	return assets
}

// shown is a copy that stays when the inventory goes on.
func (d *device) shown() breakwater.Asset {
	a := d.Asset
	a.Vendor = vendorOf(a.MAC)
	a.Traits = []breakwater.Trait{}
	for i, name := range traitNames {
		if d.traits&(1<<i) != 0 {
			a.Traits = append(a.Traits, name)
		}
	}
	slices.Sort(a.Traits)
	a.Protocols = slices.Sorted(slices.Values(a.Protocols))
	a.Peers = slices.Clone(a.Peers)
	if a.Peers == nil {
		a.Peers = []netip.Addr{}
	}
	a.Role = breakwater.RoleOf(a.Traits)
	return a
}
