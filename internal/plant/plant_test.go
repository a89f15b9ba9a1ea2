package plant

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"breakwater"
	"breakwater/internal/capture"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

// record writes a simulation as a capture.
func record(t testing.TB, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	w := capture.NewWriter(&b, capture.PCAP)
	for p, err := range Packets(o) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var allAttacks = []Attack{{PortScan, 20 * time.Second}, {UnauthorisedWrite, 60 * time.Second}, {FunctionScan, 80 * time.Second}}

// TestGolden holds the bytes of a short recording: they change only when the plant is meant to.
func TestGolden(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 1, Duration: 2 * time.Minute, Attacks: allAttacks}
	b := record(t, o)
	if !bytes.Equal(b, record(t, o)) {
		t.Error("two recordings with the same options differ")
	}
	o.Seed = 2
	if bytes.Equal(b, record(t, o)) {
		t.Error("another seed gives the same recording")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the golden is of amd64, whose floating-point arithmetic differs in the last bits")
	}
	sum := sha256.Sum256(b)
	got := hex.EncodeToString(sum[:]) + "\n"
	path := filepath.Join("testdata", "two_minutes_seed_1.pcap.sha256")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("SHA-256 %swant    %sgo test -update rewrites it", got, want)
	}
}

func tshark(t *testing.T, file []byte, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed (Debian package tshark)")
	}
	path := filepath.Join(t.TempDir(), "plant.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command("tshark", append([]string{"-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"}, args...)...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err, said.String())
	}
	return string(out)
}

// TestTshark lets Wireshark's experts look at the recordings: nothing is wrong with normal traffic, and of an
// attack's they only note what the attack is made of.
func TestTshark(t *testing.T) {
	t.Parallel()
	expected := map[string][]string{
		"normal":                  nil,
		string(PortScan):          {"Connection reset (RST)"},
		string(UnauthorisedWrite): nil,
		string(FunctionScan):      nil,
		string(ManipulateControl): nil,
	}
	for name, notes := range expected {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Seed: 7, Duration: 10 * time.Minute}
			if name != "normal" {
				o = Options{Seed: 7, Duration: 2 * time.Minute, Attacks: []Attack{{AttackKind(name), time.Minute}}}
			}
			file := record(t, o)
			for _, line := range strings.Split(tshark(t, file, "-Y", "_ws.expert && _ws.expert.severity >= 0x400000", "-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message"), "\n") {
				_, message, _ := strings.Cut(line, "\t")
				known := line == "" || strings.HasPrefix(message, "Connection finish (FIN),This frame")
				for _, note := range notes {
					known = known || message == note
				}
				if !known {
					t.Errorf("frame %s", line)
				}
			}
			if bad := tshark(t, file, "-Y", "_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0 || _ws.short"); bad != "" {
				t.Errorf("frames that Wireshark flags:\n%s", bad)
			}
			found := tshark(t, file, "-T", "fields", "-e", "_ws.col.Protocol")
			for _, p := range []string{"Modbus/TCP", "TCP", "ARP", "DNS", "NTP", "ICMP"} {
				if !strings.Contains(found, p+"\n") {
					t.Errorf("no %s", p)
				}
			}
		})
	}
}

// seen is a packet taken apart by gopacket.
type seen struct {
	at      time.Duration
	src     string
	dst     string
	arp     *layers.ARP
	tcp     *layers.TCP
	payload []byte // of TCP
	length  int
}

// takeApart checks each packet's checksums, times and lengths, and returns what it says.
func takeApart(t *testing.T, o Options) []seen {
	t.Helper()
	var all []seen
	last := time.Time{}
	for p, err := range Packets(o) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Time.Before(last) || len(p.Data) < 60 || len(p.Data) > 1514 || p.Length != len(p.Data) {
			t.Fatalf("%d bytes at %v, after %v", len(p.Data), p.Time, last)
		}
		last = p.Time
		packet := gopacket.NewPacket(bytes.Clone(p.Data), layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
		if e := packet.ErrorLayer(); e != nil {
			t.Fatalf("%v: %v", p.Time, e.Error())
		}
		for _, l := range packet.Layers() {
			if l, ok := l.(interface {
				SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
			}); ok {
				if err := l.SetNetworkLayerForChecksum(packet.NetworkLayer()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err, bad := packet.VerifyChecksums(); err != nil || len(bad) > 0 {
			t.Fatalf("checksums at %v: %v %v", p.Time, err, bad)
		}
		s := seen{at: p.Time.Sub(DefaultStart), length: len(p.Data)}
		if ip, ok := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
			s.src, s.dst = ip.SrcIP.String(), ip.DstIP.String()
		}
		if arp, ok := packet.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
			source, _ := netip.AddrFromSlice(arp.SourceProtAddress)
			s.src, s.arp = source.String(), arp
		}
		if tcp, ok := packet.Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
			s.tcp, s.payload = tcp, tcp.Payload
		}
		all = append(all, s)
	}
	return all
}

// TestTCP follows each connection by the letter of RFC 9293: numbers without gap or overlap, acknowledgements of
// exactly what has come, no window overrun, a handshake first, nothing after a close.
func TestTCP(t *testing.T) {
	t.Parallel()
	type end struct {
		next         uint32
		begun, ended bool
	}
	ends := map[string]*end{}
	finished := 0
	for _, s := range takeApart(t, Options{Seed: 3, Duration: 20 * time.Minute, Attacks: []Attack{{UnauthorisedWrite, 5 * time.Minute}, {FunctionScan, 6 * time.Minute}, {ManipulateControl, 8 * time.Minute}}}) {
		if s.tcp == nil {
			continue
		}
		key := func(a, b string, x, y layers.TCPPort) string { return fmt.Sprintf("%s:%d>%s:%d", a, x, b, y) }
		mine, theirs := key(s.src, s.dst, s.tcp.SrcPort, s.tcp.DstPort), key(s.dst, s.src, s.tcp.DstPort, s.tcp.SrcPort)
		for _, k := range []string{mine, theirs} {
			if ends[k] == nil {
				ends[k] = &end{}
			}
		}
		from, to := ends[mine], ends[theirs]
		switch {
		case s.tcp.RST || s.tcp.URG:
			t.Fatalf("%v: %s: flags", s.at, mine)
		case s.tcp.SYN != !from.begun:
			t.Fatalf("%v: %s: SYN %v of an end that begun %v", s.at, mine, s.tcp.SYN, from.begun)
		case s.tcp.ACK != to.begun:
			t.Fatalf("%v: %s: ACK %v of an end that begun %v", s.at, mine, s.tcp.ACK, to.begun)
		case from.begun && s.tcp.Seq != from.next:
			t.Fatalf("%v: %s: number %d, want %d", s.at, mine, s.tcp.Seq, from.next)
		case s.tcp.ACK && s.tcp.Ack != to.next:
			t.Fatalf("%v: %s: acknowledges %d, want %d", s.at, mine, s.tcp.Ack, to.next)
		case from.ended && (len(s.payload) > 0 || s.tcp.FIN):
			t.Fatalf("%v: %s: goes on after its FIN", s.at, mine)
		case len(s.payload) > 0 != s.tcp.PSH:
			t.Fatalf("%v: %s: PSH %v with %d bytes", s.at, mine, s.tcp.PSH, len(s.payload))
		case s.tcp.Window == 0:
			t.Fatalf("%v: %s: no window", s.at, mine)
		}
		from.begun = true
		from.next = s.tcp.Seq + uint32(len(s.payload))
		if s.tcp.SYN || s.tcp.FIN {
			from.next++
		}
		if s.tcp.FIN {
			from.ended = true
			finished++
		}
	}
	// The workstation comes at 45 s and at least every 10 min then; the intruder closes two; the HMI's stays open.
	if finished < 2*4 {
		t.Errorf("%d ends finished", finished)
	}
}

// TestNormalHour lets each plant run for an hour and looks at the water every scan.
func TestNormalHour(t *testing.T) {
	t.Parallel()
	for _, f := range slices.Concat([]Facility{alone}, Demo, Sample) {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			n := newPlant(Options{Facility: f.ID, Seed: f.Seed, Start: DefaultStart, Duration: time.Hour})
			defer n.stop()
			const dt = 0.1
			last, starts, inlets, ran, open := n.works.process, 0, 0, true, true
			for n.step(time.Hour) {
				w := n.works.process
				if w == last {
					continue
				}
				if w.treated < 1.4 || w.treated > 3.45 || w.raw < 1.2 || w.raw > 3.4 || w.spilled != 0 {
					t.Fatalf("at %v: levels %.2f m and %.2f m", n.now, w.raw, w.treated)
				}
				for _, flow := range []float64{w.intake, w.transfer, w.delivery} {
					if flow < 0 || flow*cubicPerHour > 110 {
						t.Fatalf("at %v: %+v", n.now, w)
					}
				}
				if w.pressure < 80 || w.pressure > 260 || w.chlorine < 0.3 || w.chlorine > 1.2 {
					t.Fatalf("at %v: %+v", n.now, w)
				}
				// Mass balance: what came in and did not go out is in the tanks.
				raw := (w.raw-last.raw)*f.area - (w.intake-w.transfer)*dt
				treated := (w.treated-last.treated)*f.area - (w.transfer-w.delivery)*dt
				if math.Abs(raw) > 1e-9 || math.Abs(treated) > 1e-9 {
					t.Fatalf("at %v: %g and %g m³ out of nothing", n.now, raw, treated)
				}
				if on := n.works.intake.inputs[inputRunning]; on != ran {
					ran = on
					starts++
				}
				if on := n.works.intake.coils[coilValve]; on != open {
					open = on
					inlets++
				}
				last = w
			}
			if starts < 4 || inlets < 2 {
				t.Errorf("the pump changed %d times in an hour, the inlet %d times", starts, inlets)
			}
		})
	}
}

// TestNormalTraffic counts what goes over the wire in the first five minutes, from which a baseline is learned: all
// that is normal is in them.
func TestNormalTraffic(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		const minutes = 30
		functions := map[string]time.Duration{} // when first seen
		polls := 0
		for _, s := range takeApart(t, Options{Seed: seed, Duration: minutes * time.Minute}) {
			if len(s.payload) < 8 || s.tcp.DstPort != modbusPort {
				continue
			}
			k := fmt.Sprintf("%s function %d", s.src, s.payload[7])
			if _, ok := functions[k]; !ok {
				functions[k] = s.at
			}
			if s.src == "10.0.0.2" && s.dst == "10.0.0.11" && s.payload[7] == readMeasured {
				polls++
			}
		}
		if polls < minutes*60-1 || polls > minutes*60 {
			t.Errorf("seed %d: %d polls in %d s", seed, polls, minutes*60)
		}
		want := []string{}
		for _, f := range []int{1, 2, 3, 4, 5, 6} {
			want = append(want, fmt.Sprintf("10.0.0.2 function %d", f))
		}
		for _, f := range []int{1, 3, 4, 43} {
			want = append(want, fmt.Sprintf("10.0.0.3 function %d", f))
		}
		want = append(want, "10.0.0.5 function 4", "10.0.0.11 function 4")
		for _, k := range want {
			if at, ok := functions[k]; !ok || at > 280*time.Second {
				t.Errorf("seed %d: %s first at %v", seed, k, at)
			}
		}
		if len(functions) != len(want) {
			t.Errorf("seed %d: %v", seed, functions)
		}
	}
}

func TestPortScan(t *testing.T) {
	t.Parallel()
	asked, answered := map[netip.Addr]int{}, map[string]bool{}
	syns, resets, open := map[string]int{}, map[string]int{}, map[string]int{}
	for _, s := range takeApart(t, Options{Seed: 4, Duration: 3 * time.Minute, Attacks: []Attack{{PortScan, time.Minute}}}) {
		switch {
		case s.src != "10.0.0.57" && s.dst != "10.0.0.57":
			if s.arp != nil && s.arp.Operation == 2 && bytes.Equal(s.arp.DstProtAddress, []byte{10, 0, 0, 57}) {
				answered[s.src] = true
			}
		case s.at < time.Minute:
			t.Fatalf("the intruder is there at %v", s.at)
		case s.arp != nil:
			ip, _ := netip.AddrFromSlice(s.arp.DstProtAddress)
			asked[ip]++
		case s.tcp.SYN && !s.tcp.ACK:
			syns[s.dst]++
		case s.tcp.RST && s.src != "10.0.0.57":
			resets[s.src]++
		case s.tcp.SYN:
			open[fmt.Sprint(s.src, " ", uint16(s.tcp.SrcPort))]++
		}
	}
	if len(asked) != 253 {
		t.Errorf("%d addresses asked for, want 253", len(asked))
	}
	if d := cmp.Diff(map[string]bool{"10.0.0.2": true, "10.0.0.3": true, "10.0.0.5": true, "10.0.0.11": true, "10.0.0.12": true}, answered); d != "" {
		t.Errorf("who answered (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"10.0.0.2": 1, "10.0.0.3": 1, "10.0.0.5": 1, "10.0.0.11": len(scannedPorts) + 1, "10.0.0.12": 1}, syns); d != "" {
		t.Errorf("SYNs (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"10.0.0.2": 1, "10.0.0.3": 1, "10.0.0.5": 1, "10.0.0.11": len(scannedPorts) - 1}, resets); d != "" {
		t.Errorf("closed ports (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"10.0.0.11 502": 2, "10.0.0.12 502": 1}, open); d != "" {
		t.Errorf("open ports (-want +got):\n%s", d)
	}
	if len(scannedPorts) < 95 {
		t.Errorf("%d ports", len(scannedPorts))
	}
}

// TestUnauthorisedWrite looks at the wire for the writes, and at what the HMI reads before and after for their effect.
func TestUnauthorisedWrite(t *testing.T) {
	t.Parallel()
	var wrote [][]byte
	var levels []int
	var coils byte
	for _, s := range takeApart(t, Options{Seed: 5, Duration: 4 * time.Minute, Attacks: []Attack{{UnauthorisedWrite, 150 * time.Second}}}) {
		switch {
		case len(s.payload) < 9:
		case s.src == "10.0.0.57" && (s.payload[7] == writeCoils || s.payload[7] == writeRegister):
			wrote = append(wrote, s.payload[7:])
		case s.dst == "10.0.0.57" && s.payload[7]&0x80 != 0:
			t.Errorf("exception % x", s.payload)
		case s.src == "10.0.0.11" && s.dst == "10.0.0.2" && s.payload[7] == readCoils:
			coils = s.payload[9]
		case s.src == "10.0.0.12" && s.dst == "10.0.0.2" && s.payload[7] == readMeasured:
			levels = append(levels, int(s.payload[9])<<8|int(s.payload[10]))
		}
	}
	if d := cmp.Diff([][]byte{{writeCoils, 0, 0, 0, 10, 2, 1 << coilValve, 0}, {writeRegister, 0, holdStart, 0, 200}}, wrote); d != "" {
		t.Errorf("writes (-want +got):\n%s", d)
	}
	if coils&(1<<coilAuto) != 0 {
		t.Errorf("coils %08b in the end", coils)
	}
	// 160 s to 200 s: the pump is off, the valve open.
	if fell := levels[160] - levels[200]; fell < 80 || fell > 160 {
		t.Errorf("the level went from %d to %d mm in 40 s", levels[160], levels[200])
	}
}

func TestFunctionScan(t *testing.T) {
	t.Parallel()
	tried := [128]bool{}
	var normal []byte
	before := ""
	for _, s := range takeApart(t, Options{Seed: 6, Duration: 2 * time.Minute, Attacks: []Attack{{FunctionScan, 70 * time.Second}}}) {
		switch {
		case len(s.payload) < 9:
		case s.src == "10.0.0.57":
			tried[s.payload[7]] = true
		case s.dst == "10.0.0.57":
			switch function, exception := s.payload[7]&0x7f, s.payload[8]; {
			case s.payload[7]&0x80 == 0:
				normal = append(normal, function)
			case function <= 6 || function == 15 || function == 16:
				if exception != illegalAddress {
					t.Errorf("function %d: exception %d", function, exception)
				}
			case exception != illegalFunction:
				t.Errorf("function %d: exception %d", function, exception)
			}
		case s.src == "10.0.0.11" && s.dst == "10.0.0.2" && s.payload[7] == readHolding && s.at > 70*time.Second:
			if now := fmt.Sprint(s.payload[9:13]); before == "" {
				before = now
			} else if before != now && s.at < 80*time.Second {
				t.Errorf("the setpoints changed from %s to %s", before, now)
			}
		}
	}
	for f := 7; f < 128; f++ {
		// A request without data is 8 bytes long and not looked at above: functions 7, 11, 12 and 17.
		if !tried[f] && f != 7 && f != 11 && f != 12 && f != 17 {
			t.Errorf("function %d was not tried", f)
		}
	}
	if !bytes.Equal(normal, []byte{identify}) {
		t.Errorf("functions %v were carried out", normal)
	}
}

// TestAttackLeavesNormalTrafficAlone compares a recording with a scan to one without.
func TestAttackLeavesNormalTrafficAlone(t *testing.T) {
	t.Parallel()
	normal := func(attacks ...Attack) (lines []string) {
		for _, s := range takeApart(t, Options{Seed: 8, Duration: 3 * time.Minute, Attacks: attacks}) {
			toIntruder := s.arp != nil && bytes.Equal(s.arp.DstProtAddress, []byte{10, 0, 0, 57})
			if s.src != "10.0.0.57" && s.dst != "10.0.0.57" && !toIntruder {
				lines = append(lines, fmt.Sprintf("%v %s>%s %x", s.at, s.src, s.dst, s.payload))
			}
		}
		return lines
	}
	if d := cmp.Diff(normal(), normal(Attack{PortScan, time.Minute}, Attack{FunctionScan, 2 * time.Minute})); d != "" {
		t.Errorf("normal traffic (-without +with attacks):\n%s", d)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	minute := time.Minute
	for name, c := range map[string]struct {
		o           Options
		field, want string
	}{
		"no duration":         {Options{}, "duration", "duration 0s must be more than 0"},
		"too long":            {Options{Duration: MaxDuration + 1}, "duration", "at most 8784h"},
		"start":               {Options{Duration: minute, Start: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)}, "start", "between 1970 and 2100"},
		"unknown plant":       {Options{Facility: "nowhere", Duration: minute}, "facility", `no simulated plant "nowhere"`},
		"unknown attack":      {Options{Duration: minute, Attacks: []Attack{{"flood", 0}}}, "attack", `"flood" is not known; there are port-scan`},
		"attack before":       {Options{Duration: minute, Attacks: []Attack{{PortScan, -1}}}, "attack", "before the start"},
		"attack after":        {Options{Duration: minute, Attacks: []Attack{{PortScan, minute}}}, "attack", "port-scan@1m0s begins after the end, which is at 1m0s"},
		"attack at the start": {Options{Duration: minute, Attacks: []Attack{{PortScan, 0}}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			var last error
			for _, err := range Packets(c.o) {
				n++
				last = err
			}
			if c.want == "" {
				if last != nil || n < 100 {
					t.Errorf("%d packets, %v", n, last)
				}
				return
			}
			e, ok := last.(*breakwater.Error)
			if !ok || n != 1 || e.Kind != breakwater.Invalid || e.Field != c.field || !strings.Contains(e.Message, c.want) {
				t.Errorf("got %d times %v, want one Invalid %s … %s", n, last, c.field, c.want)
			}
		})
	}
}

func TestParseAttack(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]any{
		"port-scan@400s":          Attack{PortScan, 400 * time.Second},
		"unauthorised-write@1h2m": Attack{UnauthorisedWrite, 62 * time.Minute},
		"function-scan@0s":        Attack{FunctionScan, 0},
		"port-scan":               "KIND@TIME",
		"port-scan@":              "KIND@TIME",
		"port-scan@soon":          "KIND@TIME",
		"port-scan@-1s":           "before the start",
		"@1s":                     `attack "" is not known`,
		"phishing@1s":             `attack "phishing" is not known`,
		"port-scan@1s@2s":         "KIND@TIME",
		"":                        "KIND@TIME",
	} {
		got, err := ParseAttack(s)
		if text, bad := want.(string); bad {
			if breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(fmt.Sprint(err), text) {
				t.Errorf("%q: %v, want Invalid … %s", s, err, text)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
		if again, err := ParseAttack(got.String()); again != got || err != nil {
			t.Errorf("%q comes back as %v, %v", got.String(), again, err)
		}
	}
}

// TestLeaveEarly leaves the loop in the middle of everything; the actors must be gone. It is not parallel: it counts
// goroutines.
func TestLeaveEarly(t *testing.T) {
	before := runtime.NumGoroutine()
	o := Options{Seed: 1, Duration: time.Hour, Attacks: []Attack{{PortScan, time.Second}}}
	for limit := range 40 {
		n := 0
		for range Packets(o) {
			if n++; n > limit*10 {
				break
			}
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

func BenchmarkHour(b *testing.B) {
	for b.Loop() {
		n := 0
		for _, err := range Packets(Options{Seed: 1, Duration: time.Hour}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(n), "packets")
	}
}
