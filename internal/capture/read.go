package capture

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"breakwater"
)

// bufferSize holds the largest packet with its record's head; what does not fit is not looked at as a whole.
const bufferSize = MaxPacket + 64<<10

// maxInterfaces bounds the interfaces of one pcapng section: the obsolete packet block counts no further either.
const maxInterfaces = 1 << 16

// reader parses one capture, uncompressed or gzip'ed. It looks at a record before it takes it, so that a record whose
// bytes have not all come is looked at again later: after io.EOF and io.ErrUnexpectedEOF next can be called again, and
// goes on where the file has grown (not through gzip, whose errors stay).
type reader struct {
	name string
	in   *bufio.Reader
	gzip bool
	big  bool // byte order of the file (pcapng: of the section)
	ng   bool

	at      int64  // where the record at hand begins, in uncompressed bytes
	left    int64  // bytes of the record at hand that are not taken yet
	trailer uint32 // pcapng: what the last four of them must say
	packets int64  // how many packets were handed on
	last    time.Time

	link  breakwater.LinkType // pcap
	scale int64               // pcap: nanoseconds in a unit of the packets' fractions

	interfaces []interfaceInfo // pcapng: of the section at hand
}

// maxSeconds bounds times to those whose nanoseconds since 1970 fit 63 bits: up to the year 2262.
const maxSeconds = math.MaxInt64 / 1_000_000_000

// interfaceInfo is what a pcapng interface description says of its packets.
type interfaceInfo struct {
	link   breakwater.LinkType
	snap   uint32 // a simple packet is cut to it; 0: not cut
	units  uint64 // units of time in a second
	offset int64  // seconds to add
}

// errNoCapture is that the file does not begin as a capture does; explain says how it begins.
var errNoCapture = errors.New("not a capture")

// newReader finds out the format by the first bytes and reads the head of the file. The reader is there even where
// the error is not nil, to explain it.
func newReader(in io.Reader, name string) (*reader, error) {
	r := &reader{name: name, in: bufio.NewReaderSize(in, bufferSize)}
	head, err := r.in.Peek(2)
	if err == nil && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(r.in)
		if err != nil {
			return r, err
		}
		r.gzip = true
		r.in = bufio.NewReaderSize(z, bufferSize)
	}
	head, err = r.in.Peek(4)
	if err != nil && err != io.EOF {
		return r, err
	}
	if len(head) < 4 {
		return r, errNoCapture
	}
	switch binary.LittleEndian.Uint32(head) {
	case 0xa1b2c3d4:
		r.scale = 1000
	case 0xa1b23c4d:
		r.scale = 1
	case 0xd4c3b2a1:
		r.scale, r.big = 1000, true
	case 0x4d3cb2a1:
		r.scale, r.big = 1, true
	case blockSection: // reads the same in both byte orders
		r.ng = true
		return r, nil
	default:
		return r, errNoCapture
	}
	return r, r.pcapHead()
}

// next hands on the next packet. The error is io.EOF at the end of the capture, io.ErrUnexpectedEOF where it ends
// inside a record, and otherwise one that explain makes clear.
func (r *reader) next(p *breakwater.Packet) error {
	if r.left > 0 {
		if err := r.finish(); err != nil {
			return err
		}
	}
	var err error
	if r.ng {
		err = r.nextBlock(p)
	} else {
		err = r.nextRecord(p)
	}
	if err != nil {
		return err
	}
	r.packets++
	r.last = p.Time
	return nil
}

// finish takes what is left of the record at hand. Bytes are skipped as they stream by.
func (r *reader) finish() error {
	tail := int64(0)
	if r.ng {
		tail = 4
	}
	for r.left > tail {
		n, err := r.in.Discard(int(min(r.left-tail, math.MaxInt32)))
		r.left -= int64(n)
		r.at += int64(n)
		if err != nil {
			return inside(err)
		}
	}
	if r.ng {
		b, err := r.peek(4)
		if err != nil {
			return inside(err)
		}
		if got := r.u32(b); got != r.trailer {
			return invalidf("its block says %d bytes at its head and %d at its end", r.trailer, got)
		}
		r.in.Discard(4)
		r.at += 4
		r.left = 0
	}
	return nil
}

// peek looks at the next n bytes, which fit the buffer. The error is io.EOF only where not even one is left.
func (r *reader) peek(n int) ([]byte, error) {
	b, err := r.in.Peek(n)
	if err == io.EOF && len(b) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// inside turns the end of the file into the end of the file inside something.
func inside(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *reader) u16(b []byte) uint16 {
	if r.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *reader) u32(b []byte) uint32 {
	if r.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// pcapHead reads the 24 bytes at the head of a classic pcap (draft-ietf-opsawg-pcap section 4). The snap length is
// not looked at: writers lie about it in both directions.
func (r *reader) pcapHead() error {
	h, err := r.peek(24)
	if err != nil {
		return inside(err)
	}
	if major, minor := r.u16(h[4:]), r.u16(h[6:]); major != 2 || minor != 4 {
		return invalidf("it is pcap version %d.%d; only 2.4 is read", major, minor)
	}
	if r.link, err = linkType(r.u32(h[20:]) & 0xffff); err != nil { // above: length of the frame check sequence
		return err
	}
	r.in.Discard(24)
	r.at = 24
	return nil
}

// nextRecord reads a packet of a classic pcap (section 5).
func (r *reader) nextRecord(p *breakwater.Packet) error {
	h, err := r.peek(16)
	if err != nil {
		return err
	}
	captured, length := r.u32(h[8:]), r.u32(h[12:])
	if captured > MaxPacket {
		return tooLong(captured)
	}
	b, err := r.peek(16 + int(captured))
	if err != nil {
		return err
	}
	r.left = int64(len(b))
	*p = breakwater.Packet{
		Time:   time.Unix(int64(r.u32(b)), int64(r.u32(b[4:]))*r.scale).UTC(),
		Link:   r.link,
		Data:   b[16:],
		Length: max(int(captured), int(length)),
	}
	return nil
}

// The blocks of pcapng that say something of packets (draft-ietf-opsawg-pcapng section 4).
const (
	blockSection        = 0x0a0d0d0a
	blockInterface      = 1
	blockObsoletePacket = 2
	blockSimplePacket   = 3
	blockEnhancedPacket = 6
)

// nextBlock reads blocks of a pcapng up to the next packet.
func (r *reader) nextBlock(p *breakwater.Packet) error {
	for {
		h, err := r.peek(12)
		if err != nil {
			return err
		}
		kind := r.u32(h)
		if kind == blockSection {
			switch binary.LittleEndian.Uint32(h[8:]) {
			case 0x1a2b3c4d:
				r.big = false
			case 0x4d3c2b1a:
				r.big = true
			default:
				return invalidf("its section header has no byte-order mark")
			}
			r.interfaces = r.interfaces[:0]
		}
		length := r.u32(h[4:])
		if length < 12 || length%4 != 0 {
			return invalidf("a block claims to be %d bytes long", length)
		}
		found := false
		switch kind {
		case blockSection:
			err = r.section(length)
		case blockInterface:
			err = r.describeInterface(length)
		case blockSimplePacket:
			found, err = true, r.simplePacket(p, length)
		case blockEnhancedPacket, blockObsoletePacket:
			found, err = true, r.packet(p, kind, length)
		}
		if err != nil {
			return inside(err)
		}
		r.left, r.trailer = int64(length), length
		if found {
			return nil
		}
		if err := r.finish(); err != nil {
			return err
		}
	}
}

// section checks a section header: type, length, byte-order mark, version, section length (8 bytes), options.
func (r *reader) section(length uint32) error {
	if length < 28 {
		return shortBlock("section header", length)
	}
	b, err := r.peek(16)
	if err != nil {
		return err
	}
	if major, minor := r.u16(b[12:]), r.u16(b[14:]); major != 1 || minor != 0 && minor != 2 {
		return invalidf("it is pcapng version %d.%d; only 1.0 is read", major, minor)
	}
	return nil
}

// describeInterface keeps what an interface description says: link type (2 bytes), 2 unused, snap length, options.
func (r *reader) describeInterface(length uint32) error {
	if length < 20 {
		return shortBlock("interface description", length)
	}
	if length > bufferSize {
		return invalidf("its interface description is %d bytes long", length)
	}
	if len(r.interfaces) == maxInterfaces {
		return invalidf("it describes more than %d interfaces", maxInterfaces)
	}
	b, err := r.peek(int(length))
	if err != nil {
		return err
	}
	// The link type is kept as it is: an unknown one matters only when a packet has it.
	info := interfaceInfo{link: breakwater.LinkType(r.u16(b[8:])), snap: r.u32(b[12:]), units: 1e6}
	for o := b[16 : length-4]; len(o) >= 4; {
		code, n := r.u16(o), int(r.u16(o[2:]))
		padded := 4 + (n+3)&^3
		if code == 0 {
			break
		}
		if padded > len(o) {
			return invalidf("an option of its interface description is longer than the description")
		}
		value := o[4 : 4+n]
		o = o[padded:]
		switch {
		case code == 9 && n == 1: // if_tsresol: units of 10^-n, or of 2^-n where the highest bit is set
			exponent := value[0] & 0x7f
			switch {
			case value[0] >= 0x80 && exponent < 64:
				info.units = 1 << exponent
			case value[0] < 0x80 && exponent < 20:
				info.units = 1
				for range exponent {
					info.units *= 10
				}
			default:
				return invalidf("its interface %d counts time in units too small to be meant (%#x)", len(r.interfaces), value[0])
			}
		case code == 14 && n == 8: // if_tsoffset: seconds
			high, low := r.u32(value), r.u32(value[4:])
			if !r.big {
				high, low = low, high
			}
			info.offset = int64(uint64(high)<<32 | uint64(low))
		}
	}
	r.interfaces = append(r.interfaces, info)
	return nil
}

// packet reads an enhanced packet (4 bytes of interface) or an obsolete one (2 of interface, 2 of drops), then
// alike: time (high, low), captured and original length, data.
func (r *reader) packet(p *breakwater.Packet, kind, length uint32) error {
	if length < 32 {
		return shortBlock("packet", length)
	}
	h, err := r.peek(28)
	if err != nil {
		return err
	}
	id := r.u32(h[8:])
	if kind == blockObsoletePacket {
		id = uint32(r.u16(h[8:]))
	}
	if uint64(id) >= uint64(len(r.interfaces)) {
		return invalidf("it is of interface %d, which is not described", id)
	}
	info := &r.interfaces[id]
	captured, original := r.u32(h[20:]), r.u32(h[24:])
	if captured > MaxPacket {
		return tooLong(captured)
	}
	if captured > length-32 {
		return invalidf("it claims %d bytes in a block of %d", captured, length)
	}
	when, ok := info.time(uint64(r.u32(h[12:]))<<32 | uint64(r.u32(h[16:])))
	if !ok {
		return invalidf("its time is not between 1970 and 2262")
	}
	return r.fill(p, info, when, 28, captured, original)
}

// simplePacket reads a packet that has neither a time nor an interface: original length, data. It gets the time
// of the packet before it.
func (r *reader) simplePacket(p *breakwater.Packet, length uint32) error {
	if length < 16 {
		return shortBlock("packet", length)
	}
	if len(r.interfaces) == 0 {
		return invalidf("it comes before any interface is described")
	}
	h, err := r.peek(12)
	if err != nil {
		return err
	}
	info := &r.interfaces[0]
	original := r.u32(h[8:])
	captured := min(original, length-16)
	if info.snap != 0 {
		captured = min(captured, info.snap)
	}
	if captured > MaxPacket {
		return tooLong(captured)
	}
	when := r.last
	if when.IsZero() {
		when = time.Unix(0, 0).UTC()
	}
	return r.fill(p, info, when, 12, captured, original)
}

// fill makes the packet whose data begin at offset of the block at hand.
func (r *reader) fill(p *breakwater.Packet, info *interfaceInfo, when time.Time, offset int, captured, original uint32) error {
	link, err := linkType(uint32(info.link))
	if err != nil {
		return err
	}
	b, err := r.peek(offset + int(captured))
	if err != nil {
		return err
	}
	*p = breakwater.Packet{Time: when, Link: link, Data: b[offset:], Length: max(int(captured), int(original))}
	return nil
}

// time turns an interface's count into a time; not ok where nanoseconds since 1970 do not fit 63 bits.
func (i *interfaceInfo) time(count uint64) (_ time.Time, ok bool) {
	seconds := count / i.units
	high, low := bits.Mul64(count%i.units, 1e9)
	nanos, _ := bits.Div64(high, low, i.units) // high < units: the remainder is below units, and 1e9 below 2^64
	if seconds > maxSeconds || i.offset > maxSeconds || i.offset < -maxSeconds {
		return time.Time{}, false
	}
	at := int64(seconds) + i.offset
	return time.Unix(at, int64(nanos)).UTC(), at >= 0 && at < maxSeconds
}

// linkType is the link type of that number, where it is one that Breakwater reads.
func linkType(number uint32) (breakwater.LinkType, error) {
	switch l := breakwater.LinkType(number); l {
	case breakwater.LinkNull, breakwater.LinkEthernet, breakwater.LinkRaw, breakwater.LinkLoop,
		breakwater.LinkSLL, breakwater.LinkIPv4, breakwater.LinkIPv6, breakwater.LinkSLL2:
		return l, nil
	case 12, 14: // what BSDs write for raw IP
		return breakwater.LinkRaw, nil
	}
	name := linkNames[number]
	if name == "" {
		name = "see the list at tcpdump.org/linktypes.html"
	}
	return 0, invalidf("its link type %d (%s) is not one that is read (Ethernet, Linux cooked, raw IP, BSD loopback)", number, name)
}

// linkNames are the link types that people come with and that Breakwater does not read.
var linkNames = map[uint32]string{
	6: "Token Ring", 7: "ARCNET", 9: "PPP", 10: "FDDI", 105: "IEEE 802.11 Wi-Fi", 107: "Frame Relay", 127: "Wi-Fi with radiotap", 147: "private use",
	189: "USB", 195: "IEEE 802.15.4", 220: "USB on Linux", 227: "CAN bus", 230: "IEEE 802.15.4 without FCS", 240: "netANALYZER",
	249: "USB on Windows", 251: "Bluetooth LE", 252: "Wireshark upper PDU",
}

func invalidf(format string, args ...any) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf(format, args...)}
}

func tooLong(n uint32) error {
	return invalidf("it claims %d bytes, and a packet has at most %d (256 KiB)", n, MaxPacket)
}

func shortBlock(kind string, n uint32) error {
	return invalidf("its %s block is only %d bytes long", kind, n)
}

// explain turns an error of next into one line that says which file, which packet and where.
func (r *reader) explain(err error) error {
	place := fmt.Sprintf("%s: packet %d at byte %d", r.name, r.packets+1, r.at)
	if r.left > 0 {
		place = fmt.Sprintf("%s: after packet %d, at byte %d", r.name, r.packets, r.at)
	}
	if r.at == 0 {
		place = r.name
	}
	if r.gzip {
		place += " (unpacked)"
	}
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	own, ours := errors.AsType[*breakwater.Error](err)
	switch {
	case err == errNoCapture:
		b, _ := r.in.Peek(64)
		what := describe(b)
		if r.gzip {
			what = "gzip of " + what
		}
		return &breakwater.Error{Kind: breakwater.Invalid, Message: r.name + " is not a capture (pcap or pcapng): it is " + what}
	case ours:
		return &breakwater.Error{Kind: own.Kind, Message: place + ": " + own.Message, Err: own.Err}
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return &breakwater.Error{Kind: breakwater.Invalid, Message: place + ": the capture is cut short here; what came before was read"}
	case corrupt, errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return &breakwater.Error{Kind: breakwater.Invalid, Message: place + ": the gzip compression is damaged here", Err: err}
	}
	return &breakwater.Error{Kind: breakwater.Unavailable, Message: place + ": reading stopped", Err: err}
}

// describe says what begins with these bytes, as far as a person can use it.
func describe(b []byte) string {
	if len(b) == 0 {
		return "empty"
	}
	for _, m := range []struct{ magic, what string }{
		{"%PDF", "a PDF document"}, {"PK\x03\x04", "a ZIP archive; unpack it first"}, {"BZh", "compressed with bzip2; unpack it first"},
		{"\xfd7zXZ\x00", "compressed with xz; unpack it first"}, {"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"},
		{"\x04\x22\x4d\x18", "compressed with lz4; unpack it first"}, {"\x1f\x8b", "compressed with gzip once more; unpack it first"},
		{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"}, {"snoop\x00\x00\x00", "a Solaris snoop file; editcap -F pcapng turns it into a capture"},
		{"\x7fELF", "a Linux program"}, {"MZ", "a Windows program"}, {"SQLite format 3", "an SQLite database"}, {"\x89PNG", "a PNG picture"},
	} {
		if bytes.HasPrefix(b, []byte(m.magic)) {
			return m.what
		}
	}
	text := b[:min(len(b), 32)]
	for len(text) > 0 { // a character may be cut at the end
		if c, n := utf8.DecodeLastRune(text); c != utf8.RuneError || n != 1 || len(text) < 29 {
			break
		}
		text = text[:len(text)-1]
	}
	printable := utf8.Valid(text)
	for _, c := range string(text) {
		printable = printable && (unicode.IsPrint(c) || c == '\n' || c == '\r' || c == '\t')
	}
	if printable {
		return "text that begins " + strconv.Quote(string(text))
	}
	return fmt.Sprintf("data that begins with the bytes % x", b[:min(len(b), 8)])
}
