package capture

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"breakwater"
)

var start = time.Date(2025, 3, 1, 8, 0, 0, 123456000, time.UTC)

// packetsOf are n packets, a second apart, each of other bytes and another length.
func packetsOf(n int, from time.Time) []breakwater.Packet {
	var ps []breakwater.Packet
	for i := range n {
		data := bytes.Repeat([]byte{byte(i + 1)}, 60+i)
		ps = append(ps, breakwater.Packet{Time: from.Add(time.Duration(i) * time.Second), Link: breakwater.LinkEthernet, Data: data, Length: len(data) + i%2})
	}
	return ps
}

// read gives copies of all packets and all errors of a source.
func read(s *Source) (ps []breakwater.Packet, errs []error) {
	for p, err := range s.Packets() {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.Data = bytes.Clone(p.Data)
		ps = append(ps, p)
	}
	return ps, errs
}

func readBytes(t *testing.T, b []byte) []breakwater.Packet {
	t.Helper()
	s, err := NewReader(bytes.NewReader(b), "test.pcap")
	if err != nil {
		t.Fatal(err)
	}
	ps, errs := read(s)
	if errs != nil {
		t.Fatal(errs)
	}
	return ps
}

func write(t testing.TB, f Format, ps ...breakwater.Packet) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, f)
	for _, p := range ps {
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zip(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func equal(t *testing.T, got, want []breakwater.Packet) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("packets (-want +got):\n%s", d)
	}
}

// pcap makes a classic pcap in any byte order and unit by the letter of the format.
func pcap(o binary.AppendByteOrder, magic uint32, unit time.Duration, ps []breakwater.Packet) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, 4)
	for _, v := range []uint32{0, 0, 65535, 1} {
		b = o.AppendUint32(b, v)
	}
	for _, p := range ps {
		for _, v := range []int64{p.Time.Unix(), int64(time.Duration(p.Time.Nanosecond()) / unit), int64(len(p.Data)), int64(p.Length)} {
			b = o.AppendUint32(b, uint32(v))
		}
		b = append(b, p.Data...)
	}
	return b
}

// block makes a pcapng block.
func block(o binary.AppendByteOrder, kind uint32, body ...any) []byte {
	var b []byte
	for _, v := range body {
		switch v := v.(type) {
		case uint16:
			b = o.AppendUint16(b, v)
		case uint32:
			b = o.AppendUint32(b, v)
		case uint64:
			b = o.AppendUint64(b, v)
		case []byte:
			b = append(b, v...)
			b = append(b, make([]byte, -len(v)&3)...)
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
	length := uint32(12 + len(b))
	out := o.AppendUint32(o.AppendUint32(nil, kind), length)
	return o.AppendUint32(append(out, b...), length)
}

func sectionHeader(o binary.AppendByteOrder) []byte {
	return block(o, blockSection, uint32(0x1a2b3c4d), uint16(1), uint16(0), ^uint64(0))
}

func enhanced(o binary.AppendByteOrder, id uint32, count uint64, data []byte, length int) []byte {
	return block(o, blockEnhancedPacket, id, uint32(count>>32), uint32(count), uint32(len(data)), uint32(length), data)
}

func TestFormats(t *testing.T) {
	t.Parallel()
	le, be := binary.LittleEndian, binary.BigEndian
	ps := packetsOf(3, start)
	micros := uint64(start.UnixMicro())
	data := []byte("seven b")
	one := func(at time.Time, link breakwater.LinkType) breakwater.Packet {
		return breakwater.Packet{Time: at, Link: link, Data: data, Length: 9}
	}
	ether := block(le, blockInterface, uint16(1), uint16(0), uint32(65535))
	for name, c := range map[string]struct {
		file []byte
		want []breakwater.Packet
	}{
		"pcap little-endian µs": {pcap(le, 0xa1b2c3d4, time.Microsecond, ps), ps},
		"pcap little-endian ns": {pcap(le, 0xa1b23c4d, 1, ps), ps},
		"pcap big-endian µs":    {pcap(be, 0xa1b2c3d4, time.Microsecond, ps), ps},
		"pcap big-endian ns":    {pcap(be, 0xa1b23c4d, 1, ps), ps},
		"pcap without a packet": {pcap(le, 0xa1b23c4d, 1, nil), nil},
		"gzip":                  {zip(write(t, PCAPNG, ps...)), ps},
		"gzip of several members": {func() []byte {
			b := write(t, PCAP, ps...)
			return append(zip(b[:50]), zip(b[50:])...)
		}(), ps},
		"pcapng, options and unknown blocks": {bytes.Join([][]byte{
			sectionHeader(le), block(le, 0x0bad, make([]byte, 600<<10)),
			block(le, blockInterface, uint16(1), uint16(0), uint32(0), uint16(2), uint16(4), []byte("eth0"), uint32(0)),
			block(le, blockEnhancedPacket, uint32(0), uint32(micros>>32), uint32(micros), uint32(7), uint32(9), data, uint16(1), uint16(5), []byte("hello"), uint32(0)),
		}, nil), []breakwater.Packet{one(start, 1)}},
		"pcapng big-endian": {bytes.Join([][]byte{
			sectionHeader(be), block(be, blockInterface, uint16(1), uint16(0), uint32(0)), enhanced(be, 0, micros, data, 9),
		}, nil), []breakwater.Packet{one(start, 1)}},
		"pcapng, two sections of other byte orders and interfaces": {bytes.Join([][]byte{
			sectionHeader(le), ether, enhanced(le, 0, micros, data, 9),
			sectionHeader(be), block(be, blockInterface, uint16(101), uint16(0), uint32(0)), enhanced(be, 0, micros+1, data, 9),
		}, nil), []breakwater.Packet{one(start, 1), one(start.Add(time.Microsecond), 101)}},
		"pcapng, resolution 10^-9": {bytes.Join([][]byte{
			sectionHeader(le), block(le, blockInterface, uint16(1), uint16(0), uint32(0), uint16(9), uint16(1), []byte{9}, uint32(0)), enhanced(le, 0, uint64(start.UnixNano())+1, data, 9),
		}, nil), []breakwater.Packet{one(start.Add(1), 1)}},
		"pcapng, resolution 2^-32 and an offset": {bytes.Join([][]byte{
			sectionHeader(be), block(be, blockInterface, uint16(1), uint16(0), uint32(0), uint16(9), uint16(1), []byte{0x80 | 32}, uint16(14), uint16(8), uint64(start.Unix())), enhanced(be, 0, 5<<32|1<<31, data, 9),
		}, nil), []breakwater.Packet{one(start.Truncate(time.Second).Add(5500*time.Millisecond), 1)}},
		"pcapng, simple packets": {bytes.Join([][]byte{
			sectionHeader(le), block(le, blockInterface, uint16(1), uint16(0), uint32(7)),
			enhanced(le, 0, micros, data, 9), block(le, blockSimplePacket, uint32(9), data),
		}, nil), []breakwater.Packet{one(start, 1), one(start, 1)}},
		"pcapng, obsolete packet": {bytes.Join([][]byte{
			sectionHeader(le), ether, ether,
			block(le, blockObsoletePacket, uint16(1), uint16(77), uint32(micros>>32), uint32(micros), uint32(7), uint32(9), data),
		}, nil), []breakwater.Packet{one(start, 1)}},
		"pcapng, an unused interface of unknown link type": {bytes.Join([][]byte{
			sectionHeader(le), block(le, blockInterface, uint16(220), uint16(0), uint32(0)), ether, enhanced(le, 1, micros, data, 9),
		}, nil), []breakwater.Packet{one(start, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, readBytes(t, c.file), c.want)
		})
	}
}

// seenByTshark is one line for each packet of a file as Wireshark's reader sees it: time, length on the wire, length
// captured, MD5 of the bytes, Wireshark's number of the link type.
func seenByTshark(t *testing.T, path string) []string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed (Debian package tshark)")
	}
	out, err := exec.Command("tshark", "-r", path, "--disable-protocol", "ip", "--disable-protocol", "ipv6", "-o", "frame.generate_md5_hash:TRUE", "-T", "fields",
		"-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len", "-e", "frame.md5_hash", "-e", "frame.encap_type").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func seen(p breakwater.Packet) string {
	encapsulation := map[breakwater.LinkType]int{breakwater.LinkEthernet: 1, breakwater.LinkRaw: 7}[p.Link]
	return fmt.Sprintf("%d.%09d\t%d\t%d\t%x\t%d", p.Time.Unix(), p.Time.Nanosecond(), p.Length, len(p.Data), md5.Sum(p.Data), encapsulation)
}

// TestAgainstTshark reads real captures and expects what Wireshark's reader finds in them.
func TestAgainstTshark(t *testing.T) {
	t.Parallel()
	root := "../../../shared/data/captures"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no captures at " + root)
	}
	files, err := filepath.Glob(root + "/*/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures below "+root, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want := seenByTshark(t, path)
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for p, err := range s.Packets() {
				if err != nil {
					t.Fatal(err)
				}
				if n >= len(want) || seen(p) != want[n] {
					t.Fatalf("packet %d is %s; tshark sees %q", n+1, seen(p), want[min(n, len(want)):min(n+1, len(want))])
				}
				n++
			}
			if n != len(want) {
				t.Errorf("%d packets; tshark sees %d", n, len(want))
			}
			if read, total := s.Progress(); read != total || total == 0 {
				t.Errorf("progress %d of %d at the end", read, total)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	le := binary.LittleEndian
	head, ether := sectionHeader(le), block(le, blockInterface, uint16(1), uint16(0), uint32(0))
	ng := func(blocks ...[]byte) []byte { return append(bytes.Clone(head), bytes.Join(blocks, nil)...) }
	good := write(t, PCAP, packetsOf(2, start)...)
	patch := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		le.PutUint32(b[at:], v)
		return b
	}
	lie := bytes.Clone(enhanced(le, 0, 1, []byte("data"), 4))
	le.PutUint32(lie[len(lie)-4:], 99)
	for name, c := range map[string]struct {
		file    []byte
		packets int
		want    string
	}{
		"empty":                       {nil, 0, "f.pcap is not a capture (pcap or pcapng): it is empty"},
		"text":                        {[]byte("time,level\n1,2\n"), 0, `it is text that begins "time,level\n1,2\n"`},
		"text cut inside a character": {[]byte("0123456789012345678901234567890ä"), 0, `"0123456789012345678901234567890"`},
		"pdf":                         {[]byte("%PDF-1.7\n..."), 0, "it is a PDF document"},
		"zstd":                        {[]byte("\x28\xb5\x2f\xfd\x00\x01"), 0, "zstd; unpack it first"},
		"other bytes":                 {[]byte{1, 2, 3, 4, 5}, 0, "the bytes 01 02 03 04 05"},
		"gzip of text":                {zip([]byte("hello\n")), 0, `it is gzip of text that begins "hello\n"`},
		"gzip of nothing":             {zip(nil), 0, "it is gzip of empty"},
		"gzip of gzip":                {zip(zip(good)), 0, "gzip once more"},
		"gzip cut":                    {zip(good)[:40], 0, "cut short"},
		"gzip damaged":                {func() []byte { z := zip(good); z[len(z)-6] ^= 1; return z }(), 2, "gzip compression is damaged"},
		"gzip with garbage behind":    {append(zip(good), "garbage garbage"...), 2, "gzip compression is damaged"},
		"cut in the file header":      {good[:20], 0, "f.pcap: the capture is cut short"},
		"cut in a packet header":      {good[:24+16+60+7], 1, "f.pcap: packet 2 at byte 100: the capture is cut short"},
		"cut in a packet":             {good[:len(good)-1], 1, "f.pcap: packet 2 at byte 100: the capture is cut short"},
		"pcap version":                {patch(4, 3<<16|2), 0, "pcap version 2.3"},
		"link type":                   {patch(20, 189), 0, "link type 189 (USB)"},
		"link type without a name":    {patch(20, 9999), 0, "link type 9999 ("},
		"packet of 4 GiB":             {patch(100+8, 0xffffffff), 1, "packet 2 at byte 100: it claims 4294967295 bytes, and a packet has at most 262144 (256 KiB)"},
		"packet just too long":        {patch(24+8, MaxPacket+1), 0, "it claims 262145 bytes"},
		"no byte order":               {block(le, blockSection, uint32(1), uint16(1), uint16(0), ^uint64(0)), 0, "byte-order"},
		"pcapng version":              {block(le, blockSection, uint32(0x1a2b3c4d), uint16(2), uint16(0), ^uint64(0)), 0, "pcapng version 2.0"},
		"section header of 12 bytes":  {append(block(le, blockSection), head...), 0, "byte-order"},
		"section header of 16 bytes":  {append(block(le, blockSection, uint32(0x1a2b3c4d)), head...), 0, "only 16 bytes"},
		"block of 0 bytes":            {ng([]byte{9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 0, "claims to be 0 bytes"},
		"block of 13 bytes":           {ng([]byte{9, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0}), 0, "claims to be 13 bytes"},
		"block of 4 GiB":              {ng([]byte{9, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0}), 0, "cut short"},
		"head and end disagree":       {ng(ether, lie), 1, "36 bytes at its head and 99 at its end"},
		"short interface":             {ng(block(le, blockInterface, uint32(0))), 0, "interface description block is only 16"},
		"interface of 4 GiB":          {ng([]byte{1, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0}), 0, "interface description is 4294967292 bytes long"},
		"option too long":             {ng(block(le, blockInterface, uint16(1), uint16(0), uint32(0), uint16(2), uint16(999))), 0, "option"},
		"resolution":                  {ng(block(le, blockInterface, uint16(1), uint16(0), uint32(0), uint16(9), uint16(1), []byte{20})), 0, "units too small"},
		"short packet block":          {ng(ether, block(le, blockEnhancedPacket, uint32(0))), 0, "packet block is only 16"},
		"short simple packet":         {ng(ether, block(le, blockSimplePacket)), 0, "packet block is only 12"},
		"interface not described":     {ng(ether, enhanced(le, 1, 1, nil, 4)), 0, "interface 1, which is not described"},
		"simple without an interface": {ng(block(le, blockSimplePacket, uint32(4), []byte("data"))), 0, "before any interface"},
		"more data than block":        {ng(ether, block(le, blockEnhancedPacket, uint32(0), uint32(0), uint32(0), uint32(5), uint32(5), []byte("data"))), 0, "claims 5 bytes in a block of 36"},
		"packet block too long":       {ng(ether, block(le, blockEnhancedPacket, uint32(0), uint32(0), uint32(0), uint32(MaxPacket+4), uint32(9), make([]byte, MaxPacket+4))), 0, "at most 262144"},
		"simple packet too long":      {ng(ether, block(le, blockSimplePacket, uint32(MaxPacket+4), make([]byte, MaxPacket+4))), 0, "at most 262144"},
		"year 2300":                   {ng(ether, enhanced(le, 0, 11e9*1e6, []byte("data"), 4)), 0, "between 1970 and 2262"},
		"unknown link type of a packet": {ng(ether, block(le, blockInterface, uint16(105), uint16(0), uint32(0)), enhanced(le, 0, 1, []byte("data"), 4), enhanced(le, 1, 1, []byte("data"), 4)), 1,
			"packet 2 at byte 104: its link type 105 (IEEE 802.11 Wi-Fi)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ps []breakwater.Packet
			s, err := NewReader(bytes.NewReader(c.file), "f.pcap")
			if err == nil {
				var errs []error
				if ps, errs = read(s); len(errs) != 1 {
					t.Fatalf("errors %v, want one", errs)
				}
				err = errs[0]
			}
			if len(ps) != c.packets || breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f.pcap") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%d packets, then %v (kind %d); want %d, then Invalid … %s", len(ps), err, breakwater.KindOf(err), c.packets, c.want)
			}
		})
	}
}

// TestHostileMemory reads headers that claim everything to be huge and looks at what was allocated.
func TestHostileMemory(t *testing.T) {
	le := binary.LittleEndian
	files := [][]byte{
		{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0xff, 0xff, 0xff, 0xff},
		append(sectionHeader(le), block(le, blockInterface, uint16(1), uint16(0), uint32(0xffffffff))...),
		append(sectionHeader(le), 1, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0),
		append(sectionHeader(le), bytes.Repeat(block(le, blockInterface, uint16(1), uint16(0), uint32(0)), maxInterfaces+1)...),
		zip(make([]byte, 64<<20)),
		zip(append(sectionHeader(le), block(le, 7, make([]byte, 64<<20))...)),
	}
	for i, f := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if s, err := NewReader(bytes.NewReader(f), "f"); err == nil {
			for range s.Packets() {
			}
		}
		runtime.ReadMemStats(&after)
		// Two buffers of 320 KiB, and maxInterfaces as a slice grows towards it.
		if n := after.TotalAlloc - before.TotalAlloc; n > 12<<20 {
			t.Errorf("file %d: %d bytes allocated", i, n)
		}
	}
}

// TestCutAnywhere cuts a capture at every byte: what is whole comes, then one error unless the cut lies between records.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	ps := packetsOf(4, start)
	for _, f := range []Format{PCAP, PCAPNG} {
		whole := write(t, f, ps...)
		for n := 24; n < len(whole); n++ {
			s, err := NewReader(bytes.NewReader(whole[:n]), "f")
			if err != nil {
				t.Fatalf("format %d, %d bytes: %v", f, n, err)
			}
			got, errs := read(s)
			if len(errs) > 1 {
				t.Fatalf("format %d, %d bytes: errors %v", f, n, errs)
			}
			equal(t, got, ps[:len(got)])
			// The packets that came fit the cut file (but for padding and length behind a pcapng packet), one more does not.
			if len(write(t, f, ps[:len(got)]...)) > n+7 || len(got) < len(ps) && len(write(t, f, ps[:len(got)+1]...)) <= n {
				t.Fatalf("format %d, %d bytes: %d packets", f, n, len(got))
			}
			if boundary := len(write(t, f, ps[:len(got)]...)) == n; boundary && errs != nil {
				t.Fatalf("format %d, %d bytes: %v", f, n, errs)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ps := packetsOf(6, start)
	cut := write(t, PCAPNG, ps[2:5]...)
	// Names say nothing: neither of the order nor of the format.
	put("c", write(t, PCAP, ps[:2]...))
	put("a.txt", zip(write(t, PCAPNG, ps[5])))
	put("b.pcap", cut[:len(cut)-20])
	put("empty.pcap", write(t, PCAPNG))
	put("README.pcap", []byte("not one"))
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}

	t.Run("folder", func(t *testing.T) {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, errs := read(s)
		equal(t, got, append(append([]breakwater.Packet{}, ps[:4]...), ps[5]))
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), "b.pcap: packet 3 ") {
			t.Errorf("errors %v, want one of b.pcap, packet 3", errs)
		}
		if read, total := s.Progress(); read != total || total == 0 {
			t.Errorf("progress %d of %d", read, total)
		}
	})
	t.Run("leaving early closes", func(t *testing.T) {
		s, err := Open(filepath.Join(dir, "c"))
		if err != nil {
			t.Fatal(err)
		}
		f := s.file.(*os.File)
		for range s.Packets() {
			break
		}
		if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the file is still open (%v)", err)
		}
		for range s.Packets() {
			t.Error("a packet of a closed source")
		}
	})
	for name, c := range map[string]struct {
		path, want string
		kind       breakwater.ErrorKind
	}{
		"missing":                 {filepath.Join(dir, "nowhere.pcap"), "nowhere.pcap: there is no such file", breakwater.Unavailable},
		"not a capture":           {filepath.Join(dir, "README.pcap"), `README.pcap is not a capture (pcap or pcapng): it is text that begins "not one"`, breakwater.Invalid},
		"folder without captures": {filepath.Join(dir, "sub"), "sub: no pcap or pcapng file lies in this folder", breakwater.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(c.path)
			if breakwater.KindOf(err) != c.kind || !strings.HasSuffix(fmt.Sprint(err), c.want) {
				t.Errorf("got %v (kind %d), want …%s", err, breakwater.KindOf(err), c.want)
			}
		})
	}
	t.Run("no permission", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may read everything")
		}
		path := put("secret", nil)
		os.Chmod(path, 0)
		if _, err := Open(path); breakwater.KindOf(err) != breakwater.Unavailable || !strings.Contains(err.Error(), "no permission") {
			t.Error(err)
		}
	})
}

// TestStream gives a stream in small pieces and waits for each packet before it sends the next: an answer must not
// need bytes that have not come. Were it to, the test would hang.
func TestStream(t *testing.T) {
	t.Parallel()
	ps := packetsOf(5, start)
	for name, sink := range map[string]func(io.Writer) (io.Writer, func() error){
		"plain": func(w io.Writer) (io.Writer, func() error) { return w, func() error { return nil } },
		"gzip":  func(w io.Writer) (io.Writer, func() error) { z := gzip.NewWriter(w); return z, z.Flush },
	} {
		for _, f := range []Format{PCAP, PCAPNG} {
			t.Run(fmt.Sprint(name, f), func(t *testing.T) {
				t.Parallel()
				in, out := io.Pipe()
				came := make(chan int)
				go func() {
					defer close(came)
					s, err := NewReader(in, "stream")
					if err != nil {
						t.Error(err)
						return
					}
					n := 0
					for p, err := range s.Packets() {
						if err != nil || !bytes.Equal(p.Data, ps[n].Data) {
							t.Errorf("packet %d: %v", n, err)
						}
						n++
						came <- n
					}
				}()
				z, flush := sink(out)
				w := NewWriter(z, f)
				for i, p := range ps {
					if err := w.Write(p); err != nil {
						t.Fatal(err)
					}
					if err := flush(); err != nil {
						t.Fatal(err)
					}
					if got := <-came; got != i+1 {
						t.Fatalf("packet %d came, want %d", got, i+1)
					}
				}
				if c, ok := z.(io.Closer); ok {
					c.Close()
				}
				out.Close()
				if _, more := <-came; more {
					t.Error("a packet too many")
				}
			})
		}
	}
}

func TestReadFails(t *testing.T) {
	t.Parallel()
	b := write(t, PCAP, packetsOf(2, start)...)
	broken := errors.New("connection reset")
	s, err := NewReader(io.MultiReader(bytes.NewReader(b[:len(b)-9]), errReader{broken}), "body")
	if err != nil {
		t.Fatal(err)
	}
	ps, errs := read(s)
	if len(ps) != 1 || len(errs) != 1 || !errors.Is(errs[0], broken) || breakwater.KindOf(errs[0]) != breakwater.Unavailable {
		t.Errorf("%d packets, errors %v", len(ps), errs)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestRoundTrip writes any packets and reads them again.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom([]Format{PCAP, PCAPNG}).Draw(t, "format")
		links := []breakwater.LinkType{breakwater.LinkEthernet, breakwater.LinkRaw, breakwater.LinkSLL, breakwater.LinkNull, breakwater.LinkIPv6}
		link := rapid.SampledFrom(links)
		only := link.Draw(t, "link")
		last := int64(maxSeconds - 1)
		if f == PCAP {
			last = 1<<32 - 1
		}
		var want []breakwater.Packet
		var b bytes.Buffer
		w := NewWriter(&b, f)
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			p := breakwater.Packet{
				Time: time.Unix(rapid.Int64Range(0, last).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC(),
				Link: only,
				Data: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data"),
			}
			p.Length = len(p.Data) + rapid.IntRange(0, 3).Draw(t, "cut")
			if f == PCAPNG {
				p.Link = link.Draw(t, "link")
			}
			if err := w.Write(p); err != nil {
				t.Fatal(err)
			}
			if !p.Tick() {
				want = append(want, p)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		s, err := NewReader(bytes.NewReader(b.Bytes()), "f")
		if err != nil {
			t.Fatal(err)
		}
		got, errs := read(s)
		if errs != nil {
			t.Fatal(errs)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// TestWriterAgainstTshark holds the writer to Wireshark's reader.
func TestWriterAgainstTshark(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{PCAP, PCAPNG} {
		ps := packetsOf(3, start.Add(789))
		if f == PCAPNG {
			ps[1].Link = breakwater.LinkRaw
		}
		path := filepath.Join(t.TempDir(), "written")
		if err := os.WriteFile(path, write(t, f, ps...), 0o600); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, p := range ps {
			want = append(want, seen(p))
		}
		if d := cmp.Diff(want, seenByTshark(t, path)); d != "" {
			t.Errorf("format %d (-written +seen):\n%s", f, d)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	good := packetsOf(1, start)[0]
	for name, c := range map[string]struct {
		format Format
		change func(*breakwater.Packet)
		want   string
	}{
		"another link type": {PCAP, func(p *breakwater.Packet) { p.Link = breakwater.LinkRaw }, "link type 101"},
		"too long":          {PCAPNG, func(p *breakwater.Packet) { p.Data = make([]byte, MaxPacket+1); p.Length = MaxPacket + 1 }, "at most 262144"},
		"shorter than data": {PCAPNG, func(p *breakwater.Packet) { p.Length = 1 }, "at least"},
		"year 1969":         {PCAPNG, func(p *breakwater.Packet) { p.Time = time.Unix(-1, 0).UTC() }, "year 1969"},
		"year 2107":         {PCAP, func(p *breakwater.Packet) { p.Time = time.Date(2107, 1, 1, 0, 0, 0, 0, time.UTC) }, "year 2107"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			w := NewWriter(&b, c.format)
			if err := w.Write(good); err != nil {
				t.Fatal(err)
			}
			n, p := b.Len(), good
			c.change(&p)
			if err := w.Write(p); breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want Invalid … %s", err, c.want)
			}
			if b.Len() != n {
				t.Error("something of the refused packet was written")
			}
		})
	}
}

// FuzzReader holds the reader to its promises on any bytes: it ends, bounds hold, errors are clear, and what it read
// can be written and read again.
func FuzzReader(f *testing.F) {
	ps := packetsOf(3, start)
	le := binary.LittleEndian
	for _, seed := range [][]byte{
		write(f, PCAP, ps...), write(f, PCAPNG, ps...), zip(write(f, PCAPNG, ps...)), pcap(binary.BigEndian, 0xa1b2c3d4, time.Microsecond, ps),
		append(append(sectionHeader(le), block(le, blockInterface, uint16(1), uint16(0), uint32(7), uint16(9), uint16(1), []byte{0x85}, uint32(0))...), block(le, blockSimplePacket, uint32(9), []byte("seven b"))...),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewReader(bytes.NewReader(b), "f")
		if err != nil {
			if k := breakwater.KindOf(err); k != breakwater.Invalid {
				t.Fatalf("kind %d: %v", k, err)
			}
			return
		}
		var out bytes.Buffer
		w := NewWriter(&out, PCAPNG)
		var want []breakwater.Packet
		for p, err := range s.Packets() {
			if err != nil {
				if k := breakwater.KindOf(err); k != breakwater.Invalid {
					t.Fatalf("kind %d: %v", k, err)
				}
				continue
			}
			if len(p.Data) > MaxPacket || p.Length < len(p.Data) || p.Time.Unix() < 0 {
				t.Fatalf("%d bytes of %d at %v", len(p.Data), p.Length, p.Time)
			}
			if err := w.Write(p); err != nil {
				t.Fatal(err)
			}
			if p.Data = bytes.Clone(p.Data); !p.Tick() {
				want = append(want, p)
			}
			if len(want) == 1000 {
				break
			}
		}
		w.Flush()
		again, err := NewReader(&out, "again")
		if err != nil {
			t.Fatal(err)
		}
		got, errs := read(again)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" || errs != nil {
			t.Fatal(errs, d)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for name, f := range map[string]Format{"pcap": PCAP, "pcapng": PCAPNG} {
		b.Run(name, func(b *testing.B) {
			const n = 100_000
			var file bytes.Buffer
			w := NewWriter(&file, f)
			p := packetsOf(1, start)[0]
			for range n {
				w.Write(p)
			}
			w.Flush()
			b.ReportAllocs()
			b.SetBytes(int64(file.Len()) / n)
			count := 0
			for count < b.N {
				s, err := NewReader(bytes.NewReader(file.Bytes()), "bench")
				if err != nil {
					b.Fatal(err)
				}
				for _, err := range s.Packets() {
					if err != nil {
						b.Fatal(err)
					}
					if count++; count == b.N {
						break
					}
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	for _, f := range []Format{PCAP, PCAPNG} {
		r, err := newReader(bytes.NewReader(write(t, f, packetsOf(2000, start)...)), "f")
		if err != nil {
			t.Fatal(err)
		}
		var p breakwater.Packet
		if n := testing.AllocsPerRun(1000, func() {
			if err := r.next(&p); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("format %d: %v allocations a packet", f, n)
		}
	}
}
