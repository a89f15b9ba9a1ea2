package decode

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"breakwater"
)

// polls is a plant's steady traffic: an HMI polls PLCs in turn, each exchange a request, a response and a bare ACK, of
// the kinds that modbusBig shows.
func polls(plcs, rounds int) []breakwater.Packet {
	b := newBuilder()
	var dialogues []*dialogue
	for i := range plcs {
		p := plc
		p.Addr = plc.Addr.Next()
		from := hmi
		from.Port += uint16(i)
		dialogues = append(dialogues, b.dial(from, p).open())
	}
	exchanges := []struct{ request, response string }{{readCoils, coilsOf10}, {writeOneCoil, writeOneCoil}, {readHolding, holdingOf3}}
	for r := range rounds {
		for _, d := range dialogues {
			x := exchanges[r%len(exchanges)]
			d.ask(uint16(r), x.request, x.response)
			d.send(client, flagACK, nil)
			b.now = b.now.Add(-2900 * time.Microsecond) // 0.1 ms an exchange
		}
	}
	for i := 1; i < len(b.packets); i++ { // the clock does not go back
		if b.packets[i].Time.Before(b.packets[i-1].Time) {
			b.packets[i].Time = b.packets[i-1].Time
		}
	}
	return b.packets
}

// TestNoAllocations holds the steady path to none: known connections, polls and their answers.
func TestNoAllocations(t *testing.T) {
	packets := polls(20, 200)
	messages := 0
	d := New(func(e *breakwater.Event) { messages += e.Length })
	warm := len(packets) / 2
	for i := range packets[:warm] {
		d.Packet(&packets[i])
	}
	at := warm
	allocations := testing.AllocsPerRun(100, func() {
		for range 50 {
			d.Packet(&packets[at])
			at++
		}
	})
	if allocations != 0 {
		t.Errorf("%.2f allocations per 50 packets of steady traffic", allocations)
	}
	if messages == 0 {
		t.Error("nothing was decoded")
	}
}

// bench decodes the packets again and again, each time with a new decoder, on one core.
func bench(b *testing.B, packets []breakwater.Packet) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	events := 0
	b.ReportAllocs()
	runtime.ReadMemStats(&before)
	n := 0
	for b.Loop() {
		d := New(func(e *breakwater.Event) { events++ })
		for i := range packets {
			d.Packet(&packets[i])
		}
		n += len(packets)
	}
	runtime.ReadMemStats(&after)
	if events == 0 {
		b.Fatal("nothing was decoded")
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n), "B/packet")
	b.ReportMetric(float64(events)/float64(n), "events/packet")
}

func BenchmarkDecode(b *testing.B) {
	b.Run("steady", func(b *testing.B) { bench(b, polls(50, 1000)) })
	b.Run("one-connection", func(b *testing.B) { bench(b, polls(1, 10_000)) })
	b.Run("scan", func(b *testing.B) {
		s := newBuilder()
		for port := range uint16(20_000) {
			d := s.dial(hmi, station("10.0.0.11", port))
			d.send(client, flagSYN, nil)
			d.send(server, flagRST|flagACK, nil)
		}
		bench(b, s.packets)
	})
	path := filepath.Join(shared, "captures/modbus/modbusBig.pcap")
	if _, err := os.Stat(path); err != nil {
		b.Skipf("test data is not here: %v", err)
	}
	big := again(readCapture(b, path), 40)
	b.Run("modbusBig-x40", func(b *testing.B) { bench(b, big) })
	b.Run("modbusBig-x40-tshark", func(b *testing.B) { benchShark(b, big) })
}

// benchShark is tshark's figure for the same packets, reading them from a file and printing five columns.
func benchShark(b *testing.B, packets []breakwater.Packet) {
	program, err := exec.LookPath("tshark")
	if err != nil {
		b.Skipf("tshark (Debian package tshark) is not installed: %v", err)
	}
	path := filepath.Join(b.TempDir(), "big.pcap")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	buffered := bufio.NewWriter(file)
	w := pcapgo.NewWriter(buffered)
	err = w.WriteFileHeader(1<<16, layers.LinkTypeEthernet)
	for i := range packets {
		p := &packets[i]
		err = errors.Join(err, w.WritePacket(gopacket.CaptureInfo{Timestamp: p.Time, CaptureLength: len(p.Data), Length: p.Length}, p.Data))
	}
	if err = errors.Join(err, buffered.Flush(), file.Close()); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		cmd := exec.Command(program, "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src", "-e", "ip.dst",
			"-e", "mbtcp.trans_id", "-e", "modbus.func_code")
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		n += len(packets)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
}

// again repeats a capture, each time later and with the ports of its clients shifted: new connections, not
// retransmissions.
func again(packets []breakwater.Packet, times int) []breakwater.Packet {
	span := packets[len(packets)-1].Time.Sub(packets[0].Time) + time.Second
	var all []breakwater.Packet
	for n := range times {
		for _, p := range packets {
			p.Time = p.Time.Add(time.Duration(n) * span)
			p.Data = append([]byte(nil), p.Data...)
			for at := 34; at <= 36; at += 2 { // of TCP over IPv4 without options
				if port := binary.BigEndian.Uint16(p.Data[at:]); port > 1024 {
					binary.BigEndian.PutUint16(p.Data[at:], port+uint16(n))
				}
			}
			all = append(all, p)
		}
	}
	return all
}

// BenchmarkHeaders compares two ways to read the same frames up to TCP: our own, and gopacket's quickest parser. The
// segments are resets of unknown connections, so that nothing follows but our look into the table.
func BenchmarkHeaders(b *testing.B) {
	packets := polls(50, 100)
	for i := range packets {
		packets[i].Data[14+20+13] = flagRST
	}
	b.Run("own", func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		d := New(func(*breakwater.Event) { b.Fatal("an event") })
		n, segments := 0, 0
		for b.Loop() {
			for i := range packets {
				if f, _ := d.Packet(&packets[i]); f.Protocol == breakwater.TCP {
					segments++
				}
			}
			n += len(packets)
		}
		if segments != n {
			b.Fatalf("%d segments in %d packets", segments, n)
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
	})
	b.Run("gopacket", func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		var ethernet layers.Ethernet
		var tag layers.Dot1Q
		var ip4 layers.IPv4
		var ip6 layers.IPv6
		var tcp layers.TCP
		var payload gopacket.Payload
		parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &ethernet, &tag, &ip4, &ip6, &tcp, &payload)
		parser.IgnoreUnsupported = true
		var found []gopacket.LayerType
		n, segments := 0, 0
		for b.Loop() {
			for i := range packets {
				if err := parser.DecodeLayers(packets[i].Data, &found); err != nil {
					b.Fatal(err)
				}
				for _, l := range found {
					if l == layers.LayerTypeTCP {
						segments++
					}
				}
			}
			n += len(packets)
		}
		if segments != n {
			b.Fatalf("%d segments in %d packets", segments, n)
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
	})
}
