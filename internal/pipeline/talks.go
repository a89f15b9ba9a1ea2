package pipeline

import (
	"net/netip"
	"slices"
	"time"

	"breakwater"
)

// talksMax bounds the conversations of one Sensor. A flood of invented addresses fills it and is not learned beyond.
const talksMax = 8_192

// talks counts who asks whom for what. A conversation is one that had an answer or asked a server by a protocol that is
// decoded: an attempt that nobody took, as a scan makes thousands of, is none. What goes to many at once is none either.
// One that was met before costs no allocation.
type talks struct {
	facility string
	known    map[talkKey]*talk
	all      []*talk // in order of appearance
	dirty    []*talk // with something new since the last telling, in order
	told     time.Time

	recent [slots]*talk // by a hash
}

// talkKey names a conversation. There is one protocol at a server's port: what carries it is the same conversation.
type talkKey struct {
	client, server netip.Addr
	port           uint16
}

// talk is one conversation: what was counted of it since it was told of last.
type talk struct {
	talkKey
	breakwater.Talk
	dirty bool
	// uses of this telling and of those before, in order of appearance. Those with a count of 0 have not been met in this.
	uses []breakwater.Use
	last int // of uses, the one met last
}

func newTalks(facility string) *talks {
	return &talks{facility: facility, known: map[talkKey]*talk{}}
}

// Event takes one decoded event.
func (v *talks) Event(e *breakwater.Event) {
	industrial := e.Class != ""
	request := e.Kind == breakwater.Request && (industrial || e.Protocol == breakwater.DNS) ||
		e.Kind == breakwater.Response && industrial && !e.Joined || // the request of a tap that sees one side only
		e.Kind == breakwater.Response && e.Protocol == breakwater.ICMP ||
		e.Kind == breakwater.Opened ||
		e.Kind == breakwater.Attempted && e.Protocol == breakwater.UDP
	refused := e.Kind == breakwater.Response && e.Exception != 0
	if !request && !refused {
		return
	}
	if t := v.find(e); t != nil {
		v.count(t, e, request)
	}
}

// find finds or begins the conversation of an event; nil where it is none or there is no room.
func (v *talks) find(e *breakwater.Event) *talk {
	client, server := e.Client(), e.Server()
	k := talkKey{client.Addr, server.Addr, server.Port}
	if e.Protocol == breakwater.ICMP {
		k.port = 0
	}
	slot := &v.recent[(slotOf(k.client, k.server)+int(k.port))&(slots-1)]
	if t := *slot; t != nil && t.talkKey == k {
		return t
	}
	t := v.known[k]
	if t == nil {
		if len(v.all) >= talksMax || !single(k.client) || !single(k.server) || server.MAC.Group() || client.MAC.Group() {
			return nil
		}
		t = &talk{talkKey: k, Talk: breakwater.Talk{FacilityID: v.facility,
			Conversation: breakwater.Conversation{Client: k.client, Server: k.server, Protocol: e.Protocol, Port: k.port}}}
		v.known[k] = t
		v.all = append(v.all, t)
		v.changed(t)
	}
	*slot = t
	return t
}

func (v *talks) changed(t *talk) {
	if !t.dirty {
		t.dirty = true
		v.dirty = append(v.dirty, t)
	}
}

// count notes one message: a request, or an answer that refuses one. A connection that turns out to carry requests is
// counted by them from then on.
func (v *talks) count(t *talk, e *breakwater.Event, request bool) {
	if t.Protocol != e.Protocol {
		if !e.Protocol.Above(t.Protocol) {
			return // one more connection: its requests are what counts
		}
		t.Protocol, t.Talk.Count = e.Protocol, 0
		v.changed(t)
	}
	if t.FirstSeen.IsZero() {
		t.FirstSeen = e.Time
	}
	t.LastSeen = e.Time
	if request {
		t.Talk.Count++
	}
	if e.Class == "" {
		return
	}
	u := v.use(t, e)
	if u == nil {
		return
	}
	if request {
		u.Count++
	}
	if e.Exception != 0 {
		u.Exceptions++
	}
}

// use finds or begins the function of an event; nil where there is no room.
func (v *talks) use(t *talk, e *breakwater.Event) *breakwater.Use {
	function, sub := int(e.Function), int(e.Subfunction)
	same := func(u *breakwater.Use) bool { return u.Function == function && u.Subfunction == sub }
	if t.last < len(t.uses) && same(&t.uses[t.last]) {
		return &t.uses[t.last]
	}
	for i := range t.uses {
		if same(&t.uses[i]) {
			t.last = i
			return &t.uses[i]
		}
	}
	if len(t.uses) >= breakwater.UsesMax {
		return nil
	}
	t.uses = append(t.uses, breakwater.Use{Function: function, Subfunction: sub, Name: e.FunctionName, Class: e.Class})
	t.last = len(t.uses) - 1
	v.changed(t)
	return &t.uses[t.last]
}

// changes is what is to be told at a moment: of what is new at once, of all else once in each minute of data time or at
// the end. A capture is cut in the same places whenever it is played, so that its parts can be told from others.
func (v *talks) changes(now time.Time, end bool) []breakwater.Talk {
	if minute := now.Truncate(retold); end || minute.After(v.told) {
		v.told = minute
		for _, t := range v.all {
			if !t.FirstSeen.IsZero() {
				v.changed(t)
			}
		}
	}
	if len(v.dirty) == 0 {
		return nil
	}
	told := make([]breakwater.Talk, 0, len(v.dirty))
	for _, t := range v.dirty {
		t.dirty = false
		if t.FirstSeen.IsZero() {
			continue
		}
		told = append(told, t.tell())
	}
	v.dirty = v.dirty[:0]
	return told
}

// tell is what was counted since it was told of last; counting begins anew.
func (t *talk) tell() breakwater.Talk {
	out := t.Talk
	out.Functions = []breakwater.Use{}
	for i := range t.uses {
		if u := &t.uses[i]; u.Count > 0 || u.Exceptions > 0 {
			out.Functions = append(out.Functions, *u)
			u.Count, u.Exceptions = 0, 0
		}
	}
	slices.SortFunc(out.Functions, breakwater.Use.Compare)
	t.Talk.Count, t.FirstSeen, t.LastSeen = 0, time.Time{}, time.Time{}
	return out
}
