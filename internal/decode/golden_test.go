package decode

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

var (
	hmi  = station("10.0.0.2", 40001)
	plc  = station("10.0.0.11", 502)
	hmi6 = station("fd00::2", 40001)
	plc6 = station("fd00::b", 502)
)

const (
	readCoils    = "01 0000 000a"
	coilsOf10    = "01 02 cd01"
	readHolding  = "03 006b 0003"
	holdingOf3   = "03 06 022b 0000 0064"
	writeOneCoil = "05 00ac ff00"
)

// goldens are captures made here; what is decoded of each stands in testdata/<name>.json, an event a line.
var goldens = map[string]func(b *builder){
	"modbus/functions": func(b *builder) {
		d := b.dial(hmi, plc).open()
		for i, p := range modbusPairs {
			d.ask(uint16(i+1), p.request, p.response)
		}
		d.close()
	},
	"modbus/exceptions": func(b *builder) {
		d := b.dial(hmi, plc).open()
		for code := range 13 {
			d.ask(uint16(code), writeOneCoil, "85"+string("0123456789abcdef"[code/16])+string("0123456789abcdef"[code%16]))
		}
		d.ask(99, "08 0004 0000", "88 01")
		d.ask(100, "2b 0e 01 00", "ab 01")
	},
	"modbus/malformed": func(b *builder) {
		d := b.dial(hmi, plc).open()
		for i, p := range modbusFlaws {
			if p.response == "" {
				d.data(client, adu(uint16(i), 1, p.request))
			} else {
				d.ask(uint16(i), p.request, p.response)
			}
		}
		d.data(client, unhex("0001 0007 0006 01 03 0000 0001")) // protocol id
		d.data(client, adu(201, 1, readHolding))                // taken up again
		d.data(client, unhex("0001 0000 0001 01 03 0000 0001")) // length
		d.data(client, unhex("0001 0000 00ff 01 03 0000 0001")) // not flawless: passed over
		d.data(client, adu(202, 1, readHolding))
		d.data(client, adu(203, 1, readHolding)[:9]) // the connection ends here
		d.close()
	},
	"modbus/several-in-a-segment": func(b *builder) {
		d := b.dial(hmi, plc).open()
		d.data(client, slices.Concat(adu(1, 1, readCoils), adu(2, 1, readHolding), adu(3, 2, writeOneCoil)))
		d.data(server, slices.Concat(adu(2, 1, holdingOf3), adu(1, 1, coilsOf10), adu(3, 2, writeOneCoil)))
	},
	"modbus/over-several-segments": func(b *builder) {
		d := b.dial(hmi, plc).open()
		for _, c := range adu(1, 1, readHolding) {
			d.data(client, []byte{c})
		}
		all := slices.Concat(adu(1, 1, holdingOf3), adu(9, 1, holdingOf3))
		d.data(server, all[:3])
		d.data(server, all[3:9])
		d.data(server, all[9:20])
		d.data(server, all[20:])
	},
	"modbus/out-of-order": func(b *builder) {
		d := b.dial(hmi, plc).open()
		one, two, three := adu(1, 1, readCoils), adu(2, 1, readHolding), adu(3, 1, writeOneCoil)
		d.at(client, d.seq[client]+24, flagACK, three)
		d.at(client, d.seq[client]+12, flagACK, two)
		d.at(client, d.seq[client], flagACK, one)
		d.seq[client] += 36
		d.data(server, adu(3, 1, writeOneCoil))
	},
	"modbus/retransmission": func(b *builder) {
		d := b.dial(hmi, plc).open()
		begin := d.seq[client]
		d.data(client, adu(1, 1, readCoils))
		d.at(client, begin, flagACK, adu(1, 1, readCoils))                                        // again
		d.at(client, begin, flagACK, slices.Concat(adu(7, 1, readCoils), adu(2, 1, readHolding))) // overlapping: its first half is old
		d.seq[client] += 12
		d.at(client, d.seq[client]-1, flagACK, []byte{0}) // keep-alive
		d.data(server, adu(1, 1, coilsOf10))
		d.data(server, adu(2, 1, holdingOf3))
	},
	"modbus/mid-stream": func(b *builder) {
		d := b.dial(hmi, plc)
		d.data(server, adu(1, 1, holdingOf3)[5:]) // the end of something
		d.data(client, adu(2, 1, readHolding))
		d.data(server, adu(2, 1, holdingOf3))
		d.send(client, flagRST, nil)
	},
	"modbus/gap": func(b *builder) {
		d := b.dial(hmi, plc).open()
		d.data(client, adu(1, 1, readHolding)[:8])
		d.seq[client] += 16                        // the rest and one more are not captured
		d.send(server, flagACK, nil)               // but acknowledged
		d.data(client, adu(3, 1, readHolding))     // so this is read at once
		d.seq[client] += 12                        // never acknowledged
		d.data(client, adu(5, 1, readHolding))     // waits
		b.wait(3 * time.Second)                    // too long
		d.data(client, adu(6, 1, readHolding))     // both are read
		d.seq[server] += 100                       // at the end of the capture
		d.data(server, adu(6, 1, holdingOf3))      // Flush reads this
		d.data(server, adu(7, 1, holdingOf3)[:11]) // and gives this up
	},
	"modbus/joining": func(b *builder) {
		d := b.dial(hmi, plc).open()
		d.data(client, adu(1, 1, readHolding))
		d.data(client, adu(1, 2, readCoils))
		d.data(server, adu(1, 3, holdingOf3)) // of another unit
		d.data(server, adu(1, 1, coilsOf10))  // of another function
		d.data(server, adu(2, 1, holdingOf3)) // of another transaction
		d.data(server, adu(1, 2, coilsOf10))
		d.data(server, adu(1, 1, holdingOf3))
		d.data(server, adu(1, 1, holdingOf3)) // answered already
		// A client that never changes its id, and a lost response: the next one is of the newest request.
		d.data(client, adu(0, 1, "03 0001 0001"))
		d.data(client, adu(0, 1, "03 0002 0001"))
		d.data(server, adu(0, 1, "03 02 0007"))
	},
	"modbus/wrong-length-first": func(b *builder) {
		d := b.dial(hmi, plc).open()
		d.data(client, unhex("0001 0000 8804 01 03 0000 0001"))
		d.ask(2, readHolding, holdingOf3)
	},
	"modbus/forged-segments": func(b *builder) {
		d := b.dial(hmi, plc).open()
		d.at(client, d.seq[client]+50_000, flagACK, adu(66, 1, writeOneCoil)) // in a window's reach, never filled up to
		d.ask(1, readHolding, holdingOf3)
		b.wait(1500 * time.Millisecond)
		d.ask(2, readHolding, holdingOf3) // the stream goes on
		b.wait(1500 * time.Millisecond)
		d.seq[client] += 12                                                 // not captured
		d.at(client, d.seq[client], flagACK, adu(4, 1, readHolding))        // waits in front of the forged one
		d.at(client, d.seq[client]-12, flagACK, adu(3, 1, readHolding))     // it had but come late
		d.seq[client] += 12                                                 //
		d.at(client, d.seq[client]-1<<22, flagACK, adu(67, 1, readHolding)) // far behind: nonsense
		d.ask(5, readHolding, holdingOf3)
		d.seq[client] -= 1 << 23 // but when it goes on from there, it is we who are wrong
		d.data(client, adu(6, 1, readHolding))
		d.data(client, adu(7, 1, readHolding))
		d.data(client, adu(8, 1, readHolding))
	},
	"modbus/not-modbus": func(b *builder) {
		for i, first := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\x85\x01\x00\x00\x81\x03\x03", "\x03\x00\x00\x16\x11\xe0"} {
			from := hmi
			from.Port += uint16(i)
			d := b.dial(from, plc).open()
			d.data(client, []byte(first))
			d.data(client, adu(1, 1, readHolding)) // no longer looked at
			d.close()
		}
	},
	"modbus/vlan": func(b *builder) {
		d := b.dial(hmi, plc).open()
		d.ask(1, readHolding, holdingOf3)
		for i := range b.packets { // alternately one tag and two
			data := b.packets[i].Data
			tags := unhex("8100 0064")
			if i%2 == 1 {
				tags = unhex("88a8 0064 8100 2005")
			}
			data = slices.Concat(data[:12], tags, data[12:])
			b.packets[i].Data, b.packets[i].Length = data, len(data)
		}
	},
	"modbus/links": func(b *builder) {
		for i, link := range []breakwater.LinkType{breakwater.LinkSLL, breakwater.LinkSLL2, breakwater.LinkNull,
			breakwater.LinkLoop, breakwater.LinkRaw, breakwater.LinkIPv4} {
			b.link = link
			from := hmi
			from.Port += uint16(i)
			b.dial(from, plc).data(client, adu(1, 1, readHolding))
		}
		b.link = breakwater.LinkIPv6
		b.dial(hmi6, plc6).data(client, adu(1, 1, readHolding))
	},
	"modbus/ipv6": func(b *builder) {
		b.dial(hmi6, plc6).open().ask(1, readHolding, holdingOf3)
		// Behind hop-by-hop and destination options, and in two fragments.
		from := hmi6
		from.Port++
		segment := tcpHeader(from, plc6, 5, 5, flagACK, adu(2, 1, readHolding))
		b.ipv(from, plc6, protoHopByHop, slices.Concat(unhex("3c00 0104 0000 0000"), unhex("0600 0104 0000 0000"), segment))
		from.Port++
		segment = tcpHeader(from, plc6, 5, 5, flagACK, adu(3, 1, readHolding))
		b.ipv(from, plc6, protoFragment, slices.Concat(unhex("06 00 0018 00000007"), segment[24:]))
		b.ipv(from, plc6, protoFragment, slices.Concat(unhex("06 00 0001 00000007"), segment[:24]))
	},
	"modbus/fragments": func(b *builder) {
		segment := tcpHeader(hmi, plc, 5, 5, flagACK, adu(1, 1, readHolding))
		for _, piece := range []struct{ from, to int }{{16, 24}, {24, 32}, {0, 16}, {0, 16}} { // 24–32 last; one twice
			p := ip(hmi, plc, protoTCP, segment[piece.from:piece.to])
			p[4], p[5] = 0x12, 0x34
			p[6], p[7] = 0, uint8(piece.from/8)
			if piece.to < len(segment) {
				p[6] = 0x20
			}
			b.raw(b.frame(hmi, plc, p))
		}
	},
	"modbus/snaplen": func(b *builder) {
		d := b.dial(hmi, plc).open()
		d.data(client, adu(1, 1, "10 0001 0003 06 0001 0002 0003"))
		p := &b.packets[len(b.packets)-1]
		p.Data = p.Data[:len(p.Data)-4] // the capture cut 4 bytes off
		d.data(client, adu(2, 1, readHolding))
	},
	"tcp/scan": func(b *builder) {
		for port := range uint16(6) {
			d := b.dial(hmi, station("10.0.0.11", 500+port))
			d.send(client, flagSYN, nil)
			switch port {
			case 0, 1: // refused
				d.send(server, flagRST|flagACK, nil)
			case 2: // open, and left at once
				d.send(server, flagSYN|flagACK, nil)
				d.send(client, flagRST, nil)
			case 3: // sent again, then answered late
				b.wait(time.Second)
				d.at(client, 1000, flagSYN, nil)
				b.wait(7 * time.Second)
				d.at(client, 1000, flagSYN, nil)
				d.send(server, flagSYN|flagACK, nil)
			} // 4, 5: unanswered
		}
		b.wait(time.Minute)
		b.dial(hmi, station("10.0.0.12", 502)).send(client, flagSYN, nil)
	},
	"tcp/states": func(b *builder) {
		web := station("10.0.0.3", 80)
		d := b.dial(hmi, web).open()
		d.data(client, []byte("hello"))
		forged := d.seq[server] + 1<<21
		d.at(server, forged, flagRST, nil) // far outside any window: ignored
		d.data(server, []byte("hello"))
		d.send(server, flagRST, nil)
		d.at(client, d.seq[client], flagACK, []byte("late")) // of an ended connection: ignored
		d.data(server, []byte("but"))                        // it was not at its end
		b.wait(31 * time.Minute)
		d.seq = [2]uint32{7000, 8000}
		d.open()
		d.seq = [2]uint32{9000, 9500}
		d.open() // in place of the one before
		d.close()
		answered := b.dial(station("10.0.0.4", 41000), web) // its SYN was not captured
		answered.send(server, flagSYN|flagACK, nil)
		half := b.dial(station("10.0.0.5", 41000), web) // its SYN-ACK was not captured
		half.send(client, flagSYN, nil)
		half.send(server, flagACK, nil) // no answer to it
		half.send(client, flagACK, nil)
	},
	"arp": func(b *builder) {
		message := func(op uint16, sender, target breakwater.Endpoint) {
			b.raw(bytesOf(breakwater.MAC{255, 255, 255, 255, 255, 255}, sender.MAC, uint16(etherARP),
				uint16(1), uint16(etherIPv4), 6, 4, op, sender.MAC, sender.Addr, target.MAC, target.Addr))
		}
		unknown := plc
		unknown.MAC = breakwater.MAC{}
		message(1, hmi, unknown)
		message(2, plc, hmi)
		message(1, hmi, hmi) // gratuitous
		message(8, hmi, plc) // InARP: no event
		b.raw(bytesOf(plc.MAC, hmi.MAC, uint16(etherARP), uint16(1), uint16(etherIPv4), 6, 4, uint16(1), hmi.MAC))
		b.raw(bytesOf(plc.MAC, hmi.MAC, uint16(etherARP), uint16(1), uint16(etherIPv4), 7, 4, uint16(1), make([]byte, 30)))
	},
	"icmp": func(b *builder) {
		a, c := station("10.0.0.2", 0), station("10.0.0.11", 0)
		b.ipv(a, c, protoICMP, unhex("0800 0000 0007 0001 6162"))
		b.ipv(c, a, protoICMP, unhex("0000 0000 0007 0001 6162"))
		b.ipv(a, c, protoICMP, unhex("0800 00"))
		snmp := station("10.0.0.11", 161)
		b.udp(hmi, snmp, []byte("question"))
		lost := ip(hmi, snmp, protoUDP, bytesOf(hmi.Port, snmp.Port, uint16(16), uint16(0)))
		b.ipv(c, a, protoICMP, bytesOf(3, 3, uint16(0), uint32(0), lost))
		b.ipv(c, a, protoICMP, bytesOf(3, 3, uint16(0), uint32(0), lost)) // told once
		b.ipv(station("10.0.0.1", 0), a, protoICMP, bytesOf(3, 1, uint16(0), uint32(0), lost))
		a6, c6 := station("fd00::2", 0), station("fd00::b", 0)
		b.ipv(a6, c6, protoICMPv6, unhex("8000 0000 0007 0001"))
		b.ipv(c6, a6, protoICMPv6, unhex("8100 0000 0007 0001"))
		snmp6 := station("fd00::b", 161)
		b.udp(hmi6, snmp6, []byte("question"))
		b.ipv(c6, a6, protoICMPv6, bytesOf(1, 4, uint16(0), uint32(0), ip(hmi6, snmp6, protoUDP, bytesOf(hmi6.Port, snmp6.Port, uint16(16), uint16(0)))))
	},
	"dns": func(b *builder) {
		ask := station("10.0.0.2", 50000)
		resolver := station("10.0.0.1", 53)
		name := "\x03plc\x05plant\x07example\x00"
		b.udp(ask, resolver, bytesOf(uint16(7), uint16(0x0100), uint16(1), uint16(0), uint32(0), name, uint16(1), uint16(1)))
		b.udp(resolver, ask, bytesOf(uint16(7), uint16(0x8183), uint16(1), uint16(0), uint32(0), name, uint16(1), uint16(1)))
		mdns := station("224.0.0.251", 5353)
		own := station("10.0.0.2", 5353)
		b.udp(own, mdns, bytesOf(uint16(0), uint16(0x8400), uint16(0), uint16(1), uint32(0), "\x02a.\x01\x00\x00", uint16(1), uint16(1), uint32(120), uint16(0)))
		for _, flaw := range []string{"\xc0\x0c", "\x3f", "\x40a", "\x03plc\x00\x00", strings.Repeat("\x3f"+strings.Repeat("x", 63), 4) + "\x00"} {
			b.udp(ask, resolver, bytesOf(uint16(8), uint16(0x0100), uint16(1), uint16(0), uint32(0), flaw))
		}
		b.udp(ask, resolver, []byte("short"))
		b.udp(ask, resolver, bytesOf(uint16(8), uint16(0x7800), uint32(0), uint32(0)))
		b.udp(ask, resolver, bytesOf(uint16(9), uint16(0x8001), uint32(0), uint32(0)))
		d := b.dial(ask, resolver).open()
		query := bytesOf(uint16(10), uint16(0x0100), uint16(1), uint16(0), uint32(0), name, uint16(252), uint16(1))
		answer := bytesOf(uint16(10), uint16(0x8180), uint16(1), uint16(1), uint32(0), name, uint16(252), uint16(1), make([]byte, 700))
		d.data(client, bytesOf(uint16(len(query)), query, uint16(len(query)), query[:5]))
		d.data(server, bytesOf(uint16(len(answer)), answer[:400]))
		d.data(server, bytesOf(answer[400:], uint16(len(answer)), answer[:1]))
		d.data(client, query[5:])
		d.data(server, answer[1:])
	},
	"udp": func(b *builder) {
		logger := station("10.0.0.9", 514)
		b.udp(hmi, logger, []byte("one"))
		b.udp(logger, hmi, []byte("two"))
		b.wait(59 * time.Second)
		b.udp(hmi, logger, []byte("three"))
		b.wait(61 * time.Second)
		b.udp(hmi, logger, []byte("a new conversation"))
		b.udp(station("10.0.0.1", 53), hmi, []byte("no DNS, and its beginning was missed"))
	},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, make := range goldens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder()
			make(b)
			var got bytes.Buffer
			events, _ := decodeAll(b.packets)
			for _, e := range events {
				line, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				got.Write(line)
				got.WriteByte('\n')
			}
			path := filepath.Join("testdata", filepath.FromSlash(name)+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); d != "" {
				t.Errorf("%s (-) and the events now (+):\n%s", path, d)
			}
		})
	}
}

// TestFrames counts the packets of a capture by what each alone shows.
func TestFrames(t *testing.T) {
	t.Parallel()
	golden := func(name string) func(testing.TB) []breakwater.Packet {
		return func(testing.TB) []breakwater.Packet {
			b := newBuilder()
			goldens[name](b)
			return b.packets
		}
	}
	odd := []breakwater.Packet{
		ethernet(etherIPv4, unhex("4500 0100 0000 0000 4006 0000 0a000002 0a00000b 0001 01f6")),
		ethernet(etherIPv4, unhex("4600 0020 0000 0000 0102 0000 0a000002 e0000001 94040000 1100 eeff 0000 0000")),
		ethernet(0x88cc, unhex("0207 04")),
		{Time: newBuilder().now, Link: breakwater.LinkEthernet, Data: unhex("020000"), Length: 3},
		{Time: newBuilder().now, Link: 147, Data: unhex("020000"), Length: 3},
	}
	tests := []struct {
		name    string
		packets func(testing.TB) []breakwater.Packet
		want    map[breakwater.Protocol]int
	}{
		{"modbusSmall",
			func(t testing.TB) []breakwater.Packet {
				return readCapture(t, sharedFile(t, "captures/modbus/modbusSmall.pcap"))
			},
			map[breakwater.Protocol]int{breakwater.Modbus: 32, breakwater.TCP: 128, breakwater.DNS: 6}},
		{"arp", golden("arp"), map[breakwater.Protocol]int{breakwater.ARP: 6}},
		{"icmp", golden("icmp"), map[breakwater.Protocol]int{breakwater.ICMP: 9, breakwater.UDP: 2}},
		{"not Modbus", golden("modbus/not-modbus"), map[breakwater.Protocol]int{breakwater.TCP: 24}},
		{"fragments", golden("modbus/fragments"), map[breakwater.Protocol]int{breakwater.OtherIP: 3, breakwater.Modbus: 1}},
		{"a lying length, IGMP, LLDP, a runt", func(testing.TB) []breakwater.Packet { return odd },
			map[breakwater.Protocol]int{breakwater.OtherIP: 2, breakwater.Other: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			packets := tt.packets(t)
			_, frames := decodeAll(packets)
			got := map[breakwater.Protocol]int{}
			for i, f := range frames {
				got[f.Protocol]++
				if f.Length != packets[i].Length || !f.Time.Equal(packets[i].Time) {
					t.Errorf("frame %d is %+v", i, f)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("packets by protocol (- want, + got):\n%s", d)
			}
		})
	}
}

// ethernet is a packet with an Ethernet header.
func ethernet(ether uint16, payload []byte) breakwater.Packet {
	b := newBuilder()
	b.raw(bytesOf(plc.MAC, hmi.MAC, ether, payload))
	return b.packets[0]
}
