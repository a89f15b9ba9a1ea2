package decode

import (
	"bytes"
	"time"

	"breakwater"
)

// The bounds of the table. All times are data time. A conversation takes some 350 bytes, a Modbus one with all its
// requests waiting and an ADU half read on both sides 2 KiB: a table full of those is 64 MiB.
const (
	maxConns       = 1 << 15         // conversations over TCP and UDP together
	attemptTimeout = 5 * time.Second // a SYN's answer, as Zeek's tcp_attempt_delay
	idleTimeout    = 30 * time.Minute
	lingerTimeout  = time.Minute // how long an ended connection is known, so that late packets do not begin it anew
	talkTimeout    = time.Minute // a UDP conversation's silence, after which the next datagram is a new one
)

// key names a conversation whichever way its packets go: a is the end with the higher port (of equal ones the higher
// address). VLAN tags are not part of it, since a mirror port often tags the two directions differently.
type key struct {
	a, b   [16]byte
	pa, pb uint16
	proto  uint8
}

// keyOf also reports whether src is end a.
func keyOf(proto uint8, src, dst *breakwater.Endpoint) (k key, fromA bool) {
	s, d := src.Addr.As16(), dst.Addr.As16()
	if src.Port > dst.Port || src.Port == dst.Port && bytes.Compare(s[:], d[:]) >= 0 {
		return key{s, d, src.Port, dst.Port, proto}, true
	}
	return key{d, s, dst.Port, src.Port, proto}, false
}

// state is where a conversation stands. Its list follows from it.
type state uint8

const (
	attempting state = iota // SYN seen; list attempts
	open                    // list live
	unanswered              // the SYN's timeout is over, an answer may still come; list lingering
	ended                   // refused or closed; list lingering
	talking                 // UDP; list talks
)

// side is one end of a conversation, as index and as the direction of what it sends.
type side uint8

const (
	client side = 0
	server side = 1
)

// conn is one TCP connection or attempt, or one UDP conversation.
type conn struct {
	key         key
	state       state
	clientIsA   bool
	midStream   bool // its beginning was not seen
	spoken      bool // its protocol has been seen on it: a whole message was read
	refused     bool // UDP: the refusal has been told
	list        uint8
	prev, next  *conn
	since       int64                  // when it entered its list or was last active, Unix nanoseconds
	ends        [2]breakwater.Endpoint // by side
	flows       [2]flow                // by side
	protocol    uint8                  // 1 + index in protocols of what is expected on it; 0: none
	application stream                 // nil for plain TCP
}

// from is the side that sent a packet.
func (c *conn) from(fromA bool) side {
	if fromA == c.clientIsA {
		return client
	}
	return server
}

// The lists. Each is ordered by since and has one timeout, so its head is always the next to end.
const (
	attempts = iota
	live
	lingering
	talks
)

// list is a doubly linked list through conn.prev and conn.next.
type list struct {
	head, tail *conn
	n          int
	timeout    int64
}

// table holds the conversations, each on the list of its state.
type table struct {
	conns map[key]*conn
	lists [4]list
	free  *conn // linked by next; kept, so that a flood allocates up to the bound and not beyond
}

func (t *table) init() {
	t.conns = make(map[key]*conn)
	t.lists[attempts].timeout = int64(attemptTimeout)
	t.lists[live].timeout = int64(idleTimeout)
	t.lists[lingering].timeout = int64(lingerTimeout)
	t.lists[talks].timeout = int64(talkTimeout)
}

// place puts c at the end of a list, from wherever it was.
func (t *table) place(c *conn, which uint8, now int64) {
	l := &t.lists[which]
	c.since = now
	if c.list == which && l.tail == c {
		return
	}
	t.unlink(c)
	c.list, c.prev, c.next = which, l.tail, nil
	if l.tail == nil {
		l.head = c
	} else {
		l.tail.next = c
	}
	l.tail = c
	l.n++
}

// nowhere is the list of a conn that is on none.
const nowhere = 0xff

func (t *table) unlink(c *conn) {
	if c.list == nowhere {
		return
	}
	l := &t.lists[c.list]
	if c.prev == nil {
		l.head = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.tail = c.prev
	} else {
		c.next.prev = c.prev
	}
	l.n--
	c.list, c.prev, c.next = nowhere, nil, nil
}

// due is the conversation whose timeout ends first, and when; nil for an empty table.
func (t *table) due() (first *conn, at int64) {
	for i := range t.lists {
		l := &t.lists[i]
		if l.head != nil && (first == nil || l.head.since+l.timeout < at) {
			first, at = l.head, l.head.since+l.timeout
		}
	}
	return first, at
}

// victim is whom a full table gives up: an ended connection, else the least recently active of the kind there is
// most of, so that a flood of attempts pushes out attempts and not the plant's own connections.
func (t *table) victim() *conn {
	if c := t.lists[lingering].head; c != nil {
		return c
	}
	longest := &t.lists[0]
	for i := range t.lists {
		if t.lists[i].n > longest.n {
			longest = &t.lists[i]
		}
	}
	return longest.head
}

// remove forgets c, whose memory is used again.
func (t *table) remove(c *conn) {
	t.unlink(c)
	delete(t.conns, c.key)
	*c = conn{next: t.free, list: nowhere}
	t.free = c
}

// insert begins a conversation, on no list yet. cl is its client; the key is that of the packet in hand.
func (d *Decoder) insert(k key, clientIsA bool, cl, sv *breakwater.Endpoint) *conn {
	t := &d.table
	if len(t.conns) >= maxConns {
		d.evict(t.victim())
	}
	c := t.free
	if c == nil {
		c = new(conn)
	} else {
		t.free = c.next
	}
	*c = conn{key: k, clientIsA: clientIsA, list: nowhere, ends: [2]breakwater.Endpoint{*cl, *sv}}
	t.conns[k] = c
	return c
}

// evict ends a conversation to make room.
func (d *Decoder) evict(c *conn) {
	switch c.state {
	case attempting:
		d.unanswered(c, "given up: too many connections")
	case open:
		d.close(c, "given up: too many connections")
	}
	d.table.remove(c)
}

// expire ends what has timed out.
func (d *Decoder) expire(c *conn) {
	switch c.state {
	case attempting:
		d.unanswered(c, "")
		return // it lingers
	case open:
		d.close(c, "idle")
	}
	d.table.remove(c)
}
