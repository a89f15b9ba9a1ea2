package decode

import (
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"breakwater"
)

// check reports what must hold of a decoder whatever it was given: its bounds, and that its books balance.
func check(t testing.TB, d *Decoder) {
	t.Helper()
	if n := len(d.table.conns); n > maxConns {
		t.Errorf("%d conversations, at most %d are allowed", n, maxConns)
	}
	listed, bytes := 0, 0
	for i := range d.table.lists {
		l := &d.table.lists[i]
		n, last := 0, int64(-1<<63)
		for c := l.head; c != nil; c = c.next {
			n++
			if c.since < last {
				t.Fatalf("list %d is out of order", i)
			}
			last = c.since
			if d.table.conns[c.key] != c {
				t.Fatalf("a conversation of list %d is not in the table", i)
			}
			for side := range c.flows {
				h := c.flows[side].held
				if h == nil {
					continue
				}
				sum := 0
				for _, s := range h.segments {
					sum += s.cost()
				}
				if sum != h.bytes || sum > maxHeld || len(h.segments) > maxSegments {
					t.Errorf("%d bytes in %d segments are held, %d counted", sum, len(h.segments), h.bytes)
				}
				bytes += sum
			}
			if m, ok := c.application.(*modbusStream); ok {
				if len(m.pending) > maxPending || cap(m.halves[0].partial) > 1024 || cap(m.halves[1].partial) > 1024 {
					t.Errorf("%d requests wait, %d and %d bytes are kept", len(m.pending), cap(m.halves[0].partial), cap(m.halves[1].partial))
				}
			}
		}
		if n != l.n {
			t.Errorf("list %d has %d conversations, %d counted", i, n, l.n)
		}
		listed += n
	}
	if listed != len(d.table.conns) {
		t.Errorf("%d conversations on lists, %d in the table", listed, len(d.table.conns))
	}
	if bytes != d.held || bytes > maxHeldAll {
		t.Errorf("%d bytes are held, %d counted", bytes, d.held)
	}
	if len(d.fragments) > maxDatagrams {
		t.Errorf("%d datagrams in progress", len(d.fragments))
	}
}

// sound reports what must hold of every event.
func sound(t testing.TB, e *breakwater.Event) {
	t.Helper()
	switch {
	case e.Time.IsZero() || e.Protocol == "" || e.Kind == "":
		t.Fatalf("event without time, protocol or kind: %+v", e)
	case len(e.Values) > maxBits || len(e.Values) > 8*e.Length:
		t.Fatalf("%d values in %d bytes: %+v", len(e.Values), e.Length, e)
	case e.Ranged && e.Joined && e.Kind == breakwater.Response && e.Class == breakwater.Read && len(e.Values) > int(e.Quantity):
		t.Fatalf("more values than were asked for: %+v", e)
	case (e.Kind == breakwater.Malformed || e.Kind == breakwater.Closed) != (e.Reason != "") && e.Kind != breakwater.Unanswered:
		t.Fatalf("reason %q of kind %s", e.Reason, e.Kind)
	case e.Joined && (!e.FromServer || e.ResponseTime < 0):
		t.Fatalf("joined, but no response: %+v", e)
	case len(e.Name) > 4*255:
		t.Fatalf("name of %d bytes", len(e.Name))
	}
	for _, v := range e.Values {
		if v < 0 || v > 65535 || v != float64(uint16(v)) {
			t.Fatalf("value %v", v)
		}
	}
}

// mutant is a damaged copy of a capture: bits flipped, packets cut short, lost, repeated or out of order.
type mutant struct {
	packets []breakwater.Packet
	rng     *rand.Rand
	buffer  []byte
}

// decode feeds a copy of the packets to d. The bytes are gone once a packet is decoded, as those of a capture are.
func (m *mutant) decode(d *Decoder) {
	order := m.rng.Perm(1 + m.rng.IntN(8))
	flips, cuts, losses, repeats := m.rng.IntN(4), m.rng.IntN(2), m.rng.IntN(3), m.rng.IntN(3)
	for i := range m.packets {
		at := i
		if block := i / len(order) * len(order); block+len(order) <= len(m.packets) && m.rng.IntN(4) == 0 {
			at = block + order[i-block]
		}
		if losses > 0 && m.rng.IntN(20) < losses {
			continue
		}
		for range 1 + m.rng.IntN(20)/19*repeats {
			p := m.packets[at]
			p.Time = m.packets[i].Time // time does not go back
			m.buffer = append(m.buffer[:0], p.Data...)
			p.Data = m.buffer
			for range flips {
				if m.rng.IntN(10) == 0 && len(p.Data) > 0 {
					p.Data[m.rng.IntN(len(p.Data))] ^= 1 << m.rng.IntN(8)
				}
			}
			if cuts > 0 && m.rng.IntN(20) == 0 {
				p.Data = p.Data[:m.rng.IntN(len(p.Data)+1)]
				if m.rng.IntN(2) == 0 {
					p.Length = len(p.Data)
				}
			}
			d.Packet(&p)
			clear(m.buffer)
		}
	}
	d.Flush()
}

// TestMutants decodes 1,000 damaged copies of all captures there are. It runs alone, since it watches the heap.
func TestMutants(t *testing.T) {
	var captures [][]breakwater.Packet
	for _, dir := range []string{"captures", "labelled/lemay"} {
		err := filepath.WalkDir(sharedFile(t, dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && (strings.HasSuffix(path, ".pcap") || strings.HasSuffix(path, ".pcapng")) {
				captures = append(captures, readCapture(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(captures) < 20 {
		t.Fatalf("only %d captures", len(captures))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	copies, events := 1000, 0
	if testing.Short() {
		copies = 100
	}
	var d *Decoder
	for i := range copies {
		latest := time.Time{}
		d = New(func(e *breakwater.Event) {
			events++
			sound(t, e)
			if e.Time.Before(latest) {
				t.Fatalf("copy %d: time goes back from %v to %v: %+v", i, latest, e.Time, e)
			}
			latest = e.Time
		})
		m := mutant{packets: captures[i%len(captures)], rng: rand.New(rand.NewPCG(1, uint64(i)))}
		m.decode(d)
		check(t, d)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	t.Logf("%d events from %d copies of %d captures", events, copies, len(captures))
	runtime.KeepAlive(d)
}

// TestFloods fills every table past its bound. Nothing may exceed it, and the plant's own connection survives a
// flood of attempts.
func TestFloods(t *testing.T) {
	t.Parallel()
	b := newBuilder()
	own := b.dial(hmi, plc).open()
	opening := b.packets
	kinds := map[breakwater.Kind]int{}
	d := New(func(e *breakwater.Event) {
		sound(t, e)
		if e.Protocol != breakwater.Modbus {
			kinds[e.Kind]++
		}
	})
	feed := func(packets []breakwater.Packet) {
		for i := range packets {
			d.Packet(&packets[i])
		}
	}
	feed(opening)
	const flood = maxConns + 10_000
	attacker := station("10.0.0.66", 1024)
	syn := b.frame(attacker, plc, ip(attacker, plc, protoTCP, tcpHeader(attacker, plc, 1, 0, flagSYN, nil)))
	p := breakwater.Packet{Time: b.now, Link: breakwater.LinkEthernet, Data: syn, Length: len(syn)}
	for i := range flood {
		binary.BigEndian.PutUint32(syn[26:], uint32(i)) // source address
		d.Packet(&p)
	}
	check(t, d)
	if got, want := kinds[breakwater.Unanswered], flood+1-maxConns; got < want-1 {
		t.Errorf("%d attempts were given up, want about %d", got, want)
	}
	b.packets = nil
	own.ask(1, readHolding, holdingOf3)
	feed(b.packets)
	if kinds[breakwater.Opened] != 1 || kinds[breakwater.Closed] != 0 {
		t.Errorf("the plant's connection did not survive: %v", kinds)
	}

	datagram := b.frame(attacker, plc, ip(attacker, plc, protoUDP, bytesOf(uint16(9), uint16(9), uint16(8), uint16(0))))
	p.Data, p.Length = datagram, len(datagram)
	for i := range flood {
		binary.BigEndian.PutUint32(datagram[26:], uint32(i))
		d.Packet(&p)
	}
	check(t, d)

}

// TestManyConnections opens more connections than are kept: the least recently active are closed, saying why.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	kinds := map[breakwater.Kind]int{}
	var closed []breakwater.Event
	d := New(func(e *breakwater.Event) {
		sound(t, e)
		if kinds[e.Kind]++; e.Kind == breakwater.Closed {
			closed = append(closed, *e)
		}
	})
	b := newBuilder()
	answer := b.frame(plc, hmi, ip(plc, hmi, protoTCP, tcpHeader(plc, hmi, 1, 2, flagSYN|flagACK, nil)))
	p := breakwater.Packet{Time: b.now, Link: breakwater.LinkEthernet, Data: answer, Length: len(answer)}
	for i := range uint32(maxConns + 100) {
		binary.BigEndian.PutUint32(answer[30:], 0x0b000000+i) // the client's address
		d.Packet(&p)
	}
	check(t, d)
	if kinds[breakwater.Opened] != maxConns+100 || len(closed) != 100 {
		t.Fatalf("%v", kinds)
	}
	for i, e := range closed {
		if want := netip.AddrFrom4([4]byte{11, 0, 0, byte(i)}); e.Src.Addr != want || !strings.HasPrefix(e.Reason, "given up") {
			t.Errorf("closed %d: %v, %q", i, e.Src.Addr, e.Reason)
		}
	}
}

// TestHoards makes it hold as much as it can, and then forgets all of it by ticks alone.
func TestHoards(t *testing.T) {
	t.Parallel()
	d := New(func(e *breakwater.Event) { sound(t, e) })
	b := newBuilder()
	attacker := station("10.0.0.66", 1024)
	// Full connections, each with a hole and as much behind it as a segment takes.
	big := make([]byte, 1400)
	for port := range uint16(400) {
		from := attacker
		from.Port += port
		c := b.dial(from, plc).open()
		for i := range uint32(60) {
			c.at(client, c.seq[client]+100+1400*i, flagACK, big)
		}
	}
	for id := range 500 { // datagrams of which the first piece never comes
		f := ip(hmi, plc, protoUDP, make([]byte, 1400))
		binary.BigEndian.PutUint16(f[4:], uint16(id))
		binary.BigEndian.PutUint16(f[6:], 0x2000|uint16(8000))
		b.raw(b.frame(hmi, plc, f))
	}
	for i := range b.packets {
		d.Packet(&b.packets[i])
	}
	check(t, d)
	for range 10 { // an hour each: all is forgotten by tick
		b.wait(time.Hour)
		d.Packet(&breakwater.Packet{Time: b.now})
	}
	check(t, d)
	if len(d.table.conns) != 0 || d.held != 0 {
		t.Errorf("after ten hours of silence %d conversations and %d bytes are left", len(d.table.conns), d.held)
	}
}

// TestTicks holds events to be the same with ticks between the packets and without.
func TestTicks(t *testing.T) {
	t.Parallel()
	for name, make := range goldens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder()
			make(b)
			want, _ := decodeAll(b.packets)
			ticked := []breakwater.Packet{}
			for i, p := range b.packets {
				for i > 0 && b.now.Sub(p.Time) >= 0 && ticked[len(ticked)-1].Time.Add(time.Second/3).Before(p.Time) {
					ticked = append(ticked, breakwater.Packet{Time: ticked[len(ticked)-1].Time.Add(time.Second / 3)})
				}
				ticked = append(ticked, p)
			}
			got, frames := decodeAll(ticked)
			if len(frames) != len(b.packets) {
				t.Errorf("%d frames of %d packets", len(frames), len(b.packets))
			}
			equal(t, want, got)
		})
	}
}
