package breakwater

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"
)

// UsesMax bounds the functions that are kept of one conversation. Of more the lowest are kept, so that what is kept does
// not depend on the order in which they came.
const UsesMax = 64

// Talk is a conversation as it was seen: who asked whom for what, and how often. A sensor tells of the part that went by
// since it told last; Merge puts the parts together.
type Talk struct {
	FacilityID string `json:"facility_id"`
	// Client, server and the server's port name it; there is one protocol for them (see Merge).
	Conversation
	FirstSeen time.Time `json:"first_seen"` // data time of its first and last message counted here
	LastSeen  time.Time `json:"last_seen"`
	// Count is requests; connections that were accepted where no requests are decoded, of UDP streams of datagrams.
	Count     int64 `json:"count"`
	Functions []Use `json:"functions"` // sorted by function and subfunction; none where the protocol has none
}

// Use is how often a function was asked for in a conversation.
type Use struct {
	Function    int    `json:"function"`
	Subfunction int    `json:"subfunction,omitempty"`
	Name        string `json:"name"`
	Class       Class  `json:"class"`
	Count       int64  `json:"count"`      // requests
	Exceptions  int64  `json:"exceptions"` // answers that refused
}

// Check refuses what no sensor can have seen. The error is of kind Invalid.
func (t *Talk) Check() error {
	bad := func(field, message string) error {
		return &Error{Kind: Invalid, Field: "talks." + field, Message: "a conversation of facility " + t.FacilityID + " " + message}
	}
	if err := CheckFacilityID(t.FacilityID); err != nil {
		return err
	}
	end := func(a netip.Addr) bool {
		return a.IsValid() && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast()
	}
	switch {
	case !end(t.Client) || !end(t.Server):
		return bad("client", "has a client or a server that is no single host's address")
	case !word.MatchString(string(t.Protocol)):
		return bad("protocol", "has a protocol that is none: it is of a-z, 0-9, _ and -")
	case t.FirstSeen.IsZero() || t.LastSeen.Before(t.FirstSeen):
		return bad("last_seen", "was last seen before it was first seen, or never")
	case t.Count < 0 || t.Count > math.MaxInt64/2 || len(t.Functions) > UsesMax:
		return bad("count", "has a count that cannot be, or more functions than are kept")
	}
	for i, u := range t.Functions {
		switch {
		case u.Function < 0 || u.Function > math.MaxUint16 || u.Subfunction < 0 || u.Subfunction > math.MaxUint16 || u.Count < 0 || u.Exceptions < 0 || u.Count > math.MaxInt64/2 || u.Exceptions > math.MaxInt64/2:
			return bad("functions", "has a function, or a count of one, that cannot be")
		case i > 0 && t.Functions[i-1].Compare(u) >= 0:
			return bad("functions", "has its functions out of order, or one twice")
		case len(u.Name) > 64 || !word.MatchString(string(u.Class)):
			return bad("functions", "has a function whose name is longer than 64 bytes, or whose class is none")
		}
		if err := CheckText("talks.functions.name", u.Name, 64); err != nil {
			return err
		}
	}
	return nil
}

// Merge takes in a part of the same conversation that lies before or after what was counted. What lies within has been
// counted: the same capture twice counts once. Of two protocols that were spoken at one port the one above stays, with its
// count: TCP carries Modbus.
func (t *Talk) Merge(o Talk) {
	counted := !o.FirstSeen.After(t.LastSeen) && !o.LastSeen.Before(t.FirstSeen)
	count := o.Count
	switch {
	case o.Protocol == t.Protocol:
	case o.Protocol.Above(t.Protocol):
		t.Protocol, t.Count = o.Protocol, 0
	default:
		count = 0
	}
	if o.FirstSeen.Before(t.FirstSeen) {
		t.FirstSeen = o.FirstSeen
	}
	if o.LastSeen.After(t.LastSeen) {
		t.LastSeen = o.LastSeen
	}
	if !counted {
		t.Count += count
	}
	for _, u := range o.Functions {
		if counted {
			u.Count, u.Exceptions = 0, 0
		}
		i, known := slices.BinarySearchFunc(t.Functions, u, Use.Compare)
		if !known {
			t.Functions = slices.Insert(t.Functions, i, u)
			continue
		}
		t.Functions[i].Count += u.Count
		t.Functions[i].Exceptions += u.Exceptions
	}
	t.Functions = t.Functions[:min(len(t.Functions), UsesMax)]
}

// Compare orders uses by function and subfunction.
func (u Use) Compare(o Use) int {
	return cmp.Or(cmp.Compare(u.Function, o.Function), cmp.Compare(u.Subfunction, o.Subfunction))
}

// Above reports whether p says more than q where both were spoken at one port of a server: what is carried is above what
// carries it.
func (p Protocol) Above(q Protocol) bool {
	rank := func(p Protocol) int {
		switch p {
		case TCP, UDP, OtherIP, Other:
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(p, q)) > 0
}
