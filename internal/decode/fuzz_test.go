package decode

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"breakwater"
)

// equal compares events.
func equal(t testing.TB, want, got []*breakwater.Event) {
	t.Helper()
	if reflect.DeepEqual(want, got) { // much quicker than to look for differences
		return
	}
	if d := gocmp.Diff(want, got, cmpopts.EquateComparable(breakwater.Endpoint{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("events (- want, + got):\n%s", d)
	}
}

// FuzzModbus reads one PDU as request and as response, the latter alone and after a request.
func FuzzModbus(f *testing.F) {
	for _, p := range slices.Concat(modbusPairs, modbusFlaws) {
		f.Add(unhex(p.request), unhex(p.response))
	}
	f.Fuzz(func(t *testing.T, request, response []byte) {
		if len(request) > 253 || len(response) > 253 || len(request) == 0 {
			return
		}
		read := func(parse func(*breakwater.Event, []byte) string, e breakwater.Event, pdu []byte) breakwater.Event {
			before := slices.Clone(pdu)
			e.Values = nil
			reason := parse(&e, pdu)
			if len(e.Values) > 8*len(pdu) || len(e.Values) > maxBits {
				t.Fatalf("%d values in a PDU of %d bytes", len(e.Values), len(pdu))
			}
			if reason == "" && e.FunctionName == "" || e.Class == "" {
				t.Fatalf("function %d has no name or class", e.Function)
			}
			if !bytes.Equal(before, pdu) {
				t.Fatal("the bytes were changed")
			}
			return e
		}
		e := read(parseRequest, breakwater.Event{}, request)
		if len(response) == 0 {
			return
		}
		read(parseResponse, breakwater.Event{}, response)
		if request[0] == response[0]&0x7f {
			e.Joined = true
			read(parseResponse, e, response)
		}
	})
}

// lost reports whether framing was lost with this event: what follows may depend on where segments begin.
func lost(e *breakwater.Event) bool {
	return e.Kind == breakwater.Malformed && (strings.HasPrefix(e.Reason, "protocol id") || strings.HasPrefix(e.Reason, "length field"))
}

// piece is a range of bytes.
type piece struct{ from, to int }

// cut cuts data into pieces of 1 to longest bytes.
func cut(data []byte, rng *rand.Rand, longest int) (pieces []piece) {
	for at := 0; at < len(data); {
		to := min(len(data), at+1+rng.IntN(longest))
		pieces = append(pieces, piece{at, to})
		at = to
	}
	return pieces
}

// FuzzModbusStream sends the same bytes in one segment, and in pieces that are shuffled and sent twice: the events
// are the same, up to where framing is lost.
func FuzzModbusStream(f *testing.F) {
	join := func(pick func(i int) string) (all []byte) {
		for i := range modbusPairs {
			all = append(all, adu(uint16(i), 1, pick(i))...)
		}
		return all
	}
	requests, responses := join(func(i int) string { return modbusPairs[i].request }), join(func(i int) string { return modbusPairs[i].response })
	for seed := range uint64(20) {
		f.Add(requests, responses, seed)
	}
	f.Add(requests[:100], append(responses[:100:100], "\x00\x01\x00\x00\x00\x00\x01"...), uint64(1))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte("\x00\x01\x00\x00\x00\x03\x01\x83\x01"), uint64(2))
	f.Fuzz(func(t *testing.T, fromClient, fromServer []byte, seed uint64) {
		if len(fromClient) > 4000 || len(fromServer) > 4000 {
			return
		}
		whole, parts := newBuilder(), newBuilder()
		w, p := whole.dial(hmi, plc).open(), parts.dial(hmi, plc).open()
		rng := rand.New(rand.NewPCG(seed, 0))
		for from, data := range [][]byte{fromClient, fromServer} {
			w.data(side(from), data)
			pieces := cut(data, rng, max(24, len(data)/8))
			if len(pieces) > maxSegments/2 {
				return
			}
			pieces = append(pieces, pieces[:len(pieces)/2]...) // the first half is sent twice
			if seed%2 == 0 {
				rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
			}
			for _, s := range pieces {
				p.at(side(from), p.seq[from]+uint32(s.from), flagACK, data[s.from:s.to])
			}
			p.seq[from] += uint32(len(data))
		}
		events := func(b *builder) (sides [2][]*breakwater.Event, gone [2]bool) {
			all, _ := decodeAll(b.packets)
			for _, e := range only(all, breakwater.Modbus) {
				sound(t, e)
				from := client
				if e.FromServer {
					from = server
				}
				if !gone[from] {
					e.Time, e.ResponseTime = time.Time{}, 0
					sides[from] = append(sides[from], e)
					gone[from] = lost(e)
				}
			}
			return sides, gone
		}
		want, gone := events(whole)
		got, _ := events(parts)
		equal(t, want[client], got[client])
		if !gone[client] { // else what the server's messages are joined to may differ
			equal(t, want[server], got[server])
		}
	})
}

// FuzzPacket decodes a packet of any link type, twice, and a second one after a while.
func FuzzPacket(f *testing.F) {
	for name, make := range goldens {
		b := newBuilder()
		make(b)
		for i := 0; i < len(b.packets); i += 1 + len(b.packets)/8 {
			f.Add(uint16(b.packets[i].Link), b.packets[i].Data, 0)
		}
		if len(b.packets) == 0 {
			f.Fatal(name, "has no packets")
		}
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, more int) {
		d := New(func(e *breakwater.Event) { sound(t, e) })
		p := breakwater.Packet{Time: newBuilder().now, Link: breakwater.LinkType(link), Data: data, Length: len(data) + max(0, more%70000)}
		for range 3 {
			frame, ok := d.Packet(&p)
			if ok == p.Tick() || ok && (frame.Protocol == "" || frame.Length != p.Length || !frame.Time.Equal(p.Time)) {
				t.Fatalf("frame %+v, %v of packet %+v", frame, ok, p)
			}
			p.Time = p.Time.Add(20 * time.Second)
		}
		d.Flush()
		check(t, d)
	})
}

// FuzzConnection sends segments with small differences of sequence numbers, so that they meet: eight bytes make one.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("\x00\x02\x00\x00\x00\x00\x00\x00\x80\x12\x00\x00\x00\x00\x01\x00\x00\x10\x01\x0c\x01\x00\x02\x00\x80\x04\x01\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x18\x05\x0c\x00\x00\x00\x00\x00\x18\x20\x0c\x00\x00\x00\x00\x80\x11\x00\x00\x30\x00\x00\x00\x00\x01\x30\x00\x00\x00\x00\x00"))
	stream := bytes.Repeat(adu(1, 1, "10 0001 0003 06 0001 0002 0003"), 4)
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 1600 {
			return
		}
		b := newBuilder()
		c := b.dial(hmi, plc)
		for ; len(script) >= 8; script = script[8:] {
			from := side(script[0] >> 7)
			jump := uint32(script[5]) << (script[5] & 31) // mostly small, now and then anywhere
			c.seq[1-from] = uint32(script[4]) + uint32(script[7])<<24
			n := min(int(script[3]), len(stream))
			c.at(from, uint32(script[2])+jump, int(script[1]), stream[:n])
			b.wait(time.Duration(script[6]) * time.Second / 4)
		}
		var latest time.Time
		d := New(func(e *breakwater.Event) {
			sound(t, e)
			if e.Time.Before(latest) {
				t.Fatalf("time goes back: %+v", e)
			}
			latest = e.Time
		})
		for i := range b.packets {
			d.Packet(&b.packets[i])
			check(t, d)
		}
		d.Flush()
		check(t, d)
	})
}

// FuzzFragments cuts a datagram and sends the pieces in any order, some twice: it comes out whole, once. Random
// pieces never do harm.
func FuzzFragments(f *testing.F) {
	f.Add([]byte("a datagram that is longer than a few pieces of eight bytes each are"), uint64(1), []byte{})
	f.Add(make([]byte, 3000), uint64(2), []byte{0, 1, 0, 9, 2, 1, 7, 0, 3})
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, noise []byte) {
		if len(data) == 0 || len(data) > 4000 {
			return
		}
		var all fragments
		for ; len(noise) >= 3; noise = noise[3:] {
			all.add(fragmentKey{id: uint32(noise[0])}, int(noise[1])*8, noise[2]&1 == 1, make([]byte, int(noise[2])*4), 0)
			if len(all) > maxDatagrams {
				t.Fatalf("%d datagrams", len(all))
			}
		}
		var pieces []piece
		rng := rand.New(rand.NewPCG(seed, 0))
		for at := 0; at < len(data); {
			to := min(len(data), at+8*(1+rng.IntN(max(1, len(data)/64))))
			pieces = append(pieces, piece{at, to})
			at = to
		}
		if len(pieces) > maxPieces {
			return
		}
		rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		pieces = slices.Concat(pieces[:len(pieces)/2], pieces) // the first half twice
		whole := 0
		for _, p := range pieces {
			if got := all.add(fragmentKey{id: 1000}, p.from, p.to < len(data), data[p.from:p.to], 0); got != nil {
				whole++
				if !bytes.Equal(got, data) {
					t.Fatal("the datagram is not what was sent")
				}
			}
		}
		if whole != 1 {
			t.Fatalf("the datagram came out %d times", whole)
		}
	})
}

// FuzzDNS reads a message from a datagram, and the same over TCP in two pieces.
func FuzzDNS(f *testing.F) {
	b := newBuilder()
	goldens["dns"](b)
	for _, p := range b.packets {
		f.Add(p.Data[min(42, len(p.Data)):], false)
	}
	f.Add([]byte("\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"), true)
	f.Fuzz(func(t *testing.T, data []byte, cut bool) {
		e := breakwater.Event{Kind: breakwater.Request}
		reason := parseDNS(&e, data, cut)
		if len(e.Name) > 4*255 || reason != "" && e.Name != "" {
			t.Fatalf("name %q, reason %q", e.Name, reason)
		}
		if i := strings.IndexFunc(e.Name, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
			t.Fatalf("name %q does not print", e.Name)
		}
		if len(data) == 0 || len(data) > 1400 || cut {
			return
		}
		b := newBuilder()
		d := b.dial(station("10.0.0.2", 50000), station("10.0.0.1", 53)).open()
		message := bytesOf(uint16(len(data)), data)
		d.data(client, message[:len(message)/2])
		d.data(client, message[len(message)/2:])
		events, _ := decodeAll(b.packets)
		events = only(events, breakwater.DNS)
		if len(events) != 1 || events[0].Reason != reason || events[0].Name != e.Name || events[0].Length != len(data) {
			t.Fatalf("over TCP: %+v; in a datagram: %q %q", events, e.Name, reason)
		}
	})
}

// FuzzARP reads ARP behind Ethernet.
func FuzzARP(f *testing.F) {
	b := newBuilder()
	goldens["arp"](b)
	for _, p := range b.packets {
		f.Add(p.Data[14:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBuilder()
		b.raw(bytesOf(plc.MAC, hmi.MAC, uint16(etherARP), data))
		events, frames := decodeAll(b.packets)
		if len(events) > 1 || frames[0].Protocol != breakwater.ARP || frames[0].Src.Addr.IsValid() {
			t.Fatalf("%d events, frame %+v", len(events), frames[0])
		}
		for _, e := range events {
			sound(t, e)
			if e.Kind != breakwater.Malformed && (len(data) < 28 || cmp.Compare(e.Src.Addr.String(), "") == 0) {
				t.Fatalf("%+v from %d bytes", e, len(data))
			}
		}
	})
}
