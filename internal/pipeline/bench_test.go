package pipeline

import (
	"bufio"
	"context"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/capture"
	"breakwater/internal/decode"
	"breakwater/internal/detect"
)

const copies = 40

// big is modbusBig forty times, each copy later than the one before; it skips where the shared data is missing.
func big(b *testing.B) []breakwater.Packet {
	b.Helper()
	source, err := capture.Open("../../../shared/data/captures/modbus/modbusBig.pcap")
	if breakwater.KindOf(err) == breakwater.Unavailable {
		b.Skip("modbusBig.pcap is not on this machine")
	}
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	var once []breakwater.Packet
	for p, err := range source.Packets() {
		if err != nil {
			b.Fatal(err)
		}
		p.Data = append([]byte(nil), p.Data...)
		once = append(once, p)
	}
	span := once[len(once)-1].Time.Sub(once[0].Time) + time.Second
	all := make([]breakwater.Packet, 0, len(once)*copies)
	for i := range copies {
		for _, p := range once {
			p.Time = p.Time.Add(time.Duration(i) * span)
			all = append(all, p)
		}
	}
	return all
}

func each(packets []breakwater.Packet) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		for _, p := range packets {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func perPacket(b *testing.B, packets int) {
	n := float64(packets) * float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "packets/s")
}

// BenchmarkDecode is decoding alone.
func BenchmarkDecode(b *testing.B) {
	packets := big(b)
	b.ReportAllocs()
	for b.Loop() {
		d := decode.New(func(*breakwater.Event) {})
		for i := range packets {
			d.Packet(&packets[i])
		}
		d.Flush()
	}
	perPacket(b, len(packets))
}

// BenchmarkSensor is the whole sensor: decode, windows, detection with every shipped rule; the first copy is learned.
func BenchmarkSensor(b *testing.B) {
	packets := big(b)
	rules, err := detect.Shipped()
	if err != nil {
		b.Fatal(err)
	}
	learn := packets[len(packets)/copies].Time.Sub(packets[0].Time)
	b.ReportAllocs()
	for b.Loop() {
		s := Sensor{FacilityID: "bench", Rules: rules, Baseline: detect.NewBaseline(), Learn: learn,
			Send: func(context.Context, breakwater.Batch) error { return nil }}
		if _, err := s.Run(context.Background(), each(packets)); err != nil {
			b.Fatal(err)
		}
	}
	perPacket(b, len(packets))
}

// BenchmarkTshark is the peer: the same packets, five columns printed.
func BenchmarkTshark(b *testing.B) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		b.Skip("tshark is not installed")
	}
	packets := big(b)
	path := filepath.Join(b.TempDir(), "big.pcap")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	buffered := bufio.NewWriter(f)
	w := capture.NewWriter(buffered, capture.PCAP)
	for _, p := range packets {
		if err := w.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	for _, step := range []func() error{w.Flush, buffered.Flush, f.Close} {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		cmd := exec.Command(tshark, "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src", "-e", "ip.dst", "-e", "modbus.func_code", "-e", "mbtcp.trans_id")
		if out, err := cmd.Output(); err != nil || len(out) == 0 {
			b.Fatalf("tshark: %v", err)
		}
	}
	perPacket(b, len(packets))
}
