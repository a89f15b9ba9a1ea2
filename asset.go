package breakwater

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"time"
)

// Role says what a device is on its network, judged by what it was seen doing.
type Role string

// The roles.
const (
	RoleController  Role = "controller"              // answers an industrial protocol: PLC, RTU, drive, meter
	RoleMaster      Role = "master"                  // polls: HMI, SCADA server, historian
	RoleEngineering Role = "engineering-workstation" // programs, identifies, diagnoses, starts and stops
	RoleServer      Role = "server"                  // answers what is not industrial: names, time, files, web
	RoleGateway     Role = "gateway"                 // carries the packets of other addresses
	RoleUnknown     Role = "unknown"
)

// Trait is one thing that a device was seen doing. Traits are only ever added.
type Trait string

// The traits.
const (
	Answers   Trait = "answers"   // an industrial request
	Polls     Trait = "polls"     // asks to read or write
	Engineers Trait = "engineers" // asks for program, identity, diagnosis or control
	Serves    Trait = "serves"    // accepts connections or answers datagrams that are not industrial
	Routes    Trait = "routes"    // its MAC carries packets of three or more addresses that never announced themselves with it
	Remote    Trait = "remote"    // its packets come through a gateway
	Announced Trait = "announced" // told its address and MAC itself, by ARP
)

// The bounds of one asset. Of more peers and protocols than that the lowest are kept, so that what is kept does not
// depend on the order in which they were met.
const (
	PeersMax     = 64
	ProtocolsMax = 16
)

// Asset is a device of a facility as it was seen, never asked: an IP address, or a MAC where there is none.
//
// What sensors see and what people write are kept apart: Merge takes both in, in any order and any number of times,
// and the result is the same; of two names that people gave the later stays.
type Asset struct {
	FacilityID string       `json:"facility_id"`
	IP         netip.Addr   `json:"ip,omitzero"`
	MAC        MAC          `json:"mac,omitzero"`        // the one it was seen with last; see BehindGateway
	MACSeen    time.Time    `json:"mac_seen,omitzero"`   // data time at which it was last seen with that MAC
	Vendor     string       `json:"vendor"`              // who made its network interface, "" where that is not known
	Role       Role         `json:"role"`                // follows from Traits
	Traits     []Trait      `json:"traits"`              // sorted
	Protocols  []Protocol   `json:"protocols"`           // that it sent, sorted
	Peers      []netip.Addr `json:"peers"`               // that it sent to, sorted
	FirstSeen  time.Time    `json:"first_seen,omitzero"` // data time; zero: named, but not seen yet
	LastSeen   time.Time    `json:"last_seen,omitzero"`

	Name string `json:"name"` // given by people
	Zone string `json:"zone"`
	// Level is the Purdue level (ISA-95, IEC 62443) that it stands on, by Zone and Role: see LevelOf.
	Level Level `json:"level,omitempty"`
}

// ID is what detections and alerts call the asset: its IP address, else its MAC.
func (a *Asset) ID() string {
	if a.IP.IsValid() {
		return a.IP.String()
	}
	return a.MAC.String()
}

// Check refuses what names no device. The error is of kind Invalid.
func (a *Asset) Check() error {
	bad := func(field, message string) error {
		return &Error{Kind: Invalid, Field: "assets." + field, Message: "an asset of facility " + a.FacilityID + " " + message}
	}
	if err := CheckFacilityID(a.FacilityID); err != nil {
		return err
	}
	switch {
	case a.IP.IsValid() && (a.IP.Zone() != "" || a.IP.IsUnspecified() || a.IP.IsMulticast()):
		return bad("ip", "has the address "+a.IP.String()+", which is no single host's")
	case !a.IP.IsValid() && (a.MAC == MAC{} || a.MAC.Group()):
		return bad("mac", "has neither an IP address nor a MAC of its own")
	case len(a.Vendor) > 64 || len(a.Name) > 128 || len(a.Zone) > 64:
		return bad("name", "has a vendor, name or zone longer than 64, 128 and 64 bytes")
	case slices.ContainsFunc(a.Peers, func(p netip.Addr) bool { return !p.IsValid() || p.Zone() != "" }):
		return bad("peers", "has a peer that is no address, or one with a zone")
	case slices.ContainsFunc(a.Protocols, func(p Protocol) bool { return !word.MatchString(string(p)) }) || slices.ContainsFunc(a.Traits, func(t Trait) bool { return !word.MatchString(string(t)) }):
		return bad("protocols", "has a protocol or trait that is none: they are of a-z, 0-9, _ and -")
	case len(a.Peers) > PeersMax || len(a.Protocols) > ProtocolsMax || len(a.Traits) > 16:
		return bad("peers", "has more peers, protocols or traits than are kept")
	}
	for field, text := range map[string]string{"vendor": a.Vendor, "name": a.Name, "zone": a.Zone} {
		if err := CheckText("assets."+field, text, 128); err != nil {
			return err
		}
	}
	return nil
}

// word is how protocols and traits are written; a sensor of a later version may know others than this program.
var word = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// Merge takes in what was seen of the same device elsewhere or before.
func (a *Asset) Merge(o Asset) {
	a.Protocols = union(a.Protocols, o.Protocols, cmp.Compare[Protocol], ProtocolsMax)
	a.Peers = union(a.Peers, o.Peers, netip.Addr.Compare, PeersMax)
	a.Traits = union(a.Traits, o.Traits, cmp.Compare[Trait], 16)
	if a.FirstSeen.IsZero() || !o.FirstSeen.IsZero() && o.FirstSeen.Before(a.FirstSeen) {
		a.FirstSeen = o.FirstSeen
	}
	if o.LastSeen.After(a.LastSeen) {
		a.LastSeen = o.LastSeen
	}
	// The newest MAC; of two at the same moment the greater, so that the order of merging does not matter.
	if c := o.MACSeen.Compare(a.MACSeen); c > 0 || c == 0 && slices.Compare(o.MAC[:], a.MAC[:]) > 0 {
		a.MAC, a.MACSeen, a.Vendor = o.MAC, o.MACSeen, o.Vendor
	}
	a.Name, a.Zone = cmp.Or(o.Name, a.Name), cmp.Or(o.Zone, a.Zone)
	a.Role = RoleOf(a.Traits)
	a.Level = LevelOf(a.Zone, a.Role)
}

// BehindGateway reports whether its MAC and vendor are those of the gateway through which its packets come.
func (a *Asset) BehindGateway() bool {
	return a.IP.IsValid() && slices.Contains(a.Traits, Remote) && !slices.Contains(a.Traits, Announced)
}

// RoleOf is the rule: the first that holds. What carries others' packets is a gateway whatever else it does; what
// answers an industrial protocol is a controller, also where it polls others of its kind; who programs is told from
// who only polls.
func RoleOf(traits []Trait) Role {
	for _, rule := range []struct {
		trait Trait
		role  Role
	}{{Routes, RoleGateway}, {Answers, RoleController}, {Engineers, RoleEngineering}, {Polls, RoleMaster}, {Serves, RoleServer}} {
		if slices.Contains(traits, rule.trait) {
			return rule.role
		}
	}
	return RoleUnknown
}

// Level is a level of the Purdue model: 0 the process, 1 control, 2 supervision, 3 operations of the site, 3.5 the zone
// between plant and office, 4 the site's business, 5 the enterprise; "" where it is not known.
type Level string

// Levels are the levels, from the process up.
var Levels = []Level{"0", "1", "2", "3", "3.5", "4", "5"}

var zoneLevel = regexp.MustCompile(`(?i)(?:^|[^a-z0-9])(?:l|lvl|level|purdue)[ _-]?([0-5](?:\.5)?)(?:$|[^0-9.])`)

// LevelOf is the rule: what people wrote into the zone ("Level 2", "L1 cell 3", "DMZ") stands; else what the device was
// seen doing says it, where that is plain. Who serves names, time or files, or carries others' packets, may stand
// anywhere.
func LevelOf(zone string, role Role) Level {
	if m := zoneLevel.FindStringSubmatch(zone); m != nil && slices.Contains(Levels, Level(m[1])) {
		return Level(m[1])
	}
	if dmz.MatchString(zone) {
		return "3.5"
	}
	switch role {
	case RoleController:
		return "1"
	case RoleMaster:
		return "2"
	case RoleEngineering:
		return "3"
	}
	return ""
}

var dmz = regexp.MustCompile(`(?i)(?:^|[^a-z])i?dmz(?:$|[^a-z])`)

// union is the sorted set of both, cut to its lowest n. The result shares nothing with b.
func union[T any](a, b []T, compare func(T, T) int, n int) []T {
	all := slices.Concat(a, b)
	slices.SortFunc(all, compare)
	all = slices.CompactFunc(all, func(x, y T) bool { return compare(x, y) == 0 })
	if all == nil {
		all = []T{}
	}
	return all[:min(n, len(all))]
}
