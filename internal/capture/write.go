package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"breakwater"
)

// Format is a capture file format.
type Format uint8

// The formats that are written. Both keep nanoseconds.
const (
	PCAPNG Format = iota // any mix of link types
	PCAP                 // one link type; what old tools read
)

// Writer writes packets as a capture. It writes each packet with one call, so a file is whole after each of them.
type Writer struct {
	w          io.Writer
	format     Format
	begun      bool
	interfaces []breakwater.LinkType // pcapng: one for each link type, in the order they came
	link       breakwater.LinkType   // pcap
	buf        []byte
}

// NewWriter writes to w, which is best a *bufio.Writer. Nothing is written before the first packet or Flush.
func NewWriter(w io.Writer, f Format) *Writer { return &Writer{w: w, format: f} }

// Write adds a packet. A tick carries no traffic and is left out. The error is Invalid where the format cannot hold
// the packet (another link type, a time before 1970 or, in pcap, after 2106, more than MaxPacket bytes), and
// otherwise that of the underlying writer, after which the capture is broken.
func (w *Writer) Write(p breakwater.Packet) error {
	if p.Tick() {
		return nil
	}
	if len(p.Data) > MaxPacket || p.Length < len(p.Data) || p.Length > math.MaxUint32 {
		return invalidf("a packet of %d bytes, %d on the wire, cannot be written: at most %d bytes, and at least as many on the wire", len(p.Data), p.Length, MaxPacket)
	}
	if s := p.Time.Unix(); s < 0 || s >= maxSeconds || w.format == PCAP && s > math.MaxUint32 {
		return invalidf("a packet of the year %d cannot be written: its time does not fit the format", p.Time.Year())
	}
	if w.format == PCAP && w.begun && p.Link != w.link {
		return invalidf("a packet of link type %d cannot be written: this pcap file holds link type %d; pcapng holds both", p.Link, w.link)
	}
	w.buf = w.buf[:0]
	w.begin(p.Link)
	if w.format == PCAP {
		w.u32(uint32(p.Time.Unix()), uint32(p.Time.Nanosecond()), uint32(len(p.Data)), uint32(p.Length))
		w.buf = append(w.buf, p.Data...)
		return w.send()
	}
	number := slices.Index(w.interfaces, p.Link)
	if number < 0 {
		number = len(w.interfaces)
		w.interfaces = append(w.interfaces, p.Link)
		// Link type, snap length, option if_tsresol (9) of one byte: 10^-9 s, end of options.
		w.u32(blockInterface, 32, uint32(p.Link), MaxPacket, 1<<16|9, 9, 0, 32)
	}
	pad := -len(p.Data) & 3
	length := uint32(32 + len(p.Data) + pad)
	nanos := uint64(p.Time.UnixNano())
	w.u32(blockEnhancedPacket, length, uint32(number), uint32(nanos>>32), uint32(nanos), uint32(len(p.Data)), uint32(p.Length))
	w.buf = append(w.buf, p.Data...)
	w.buf = append(w.buf, "\x00\x00\x00"[:pad]...)
	w.u32(length)
	return w.send()
}

// Flush makes the capture whole: without a packet it is a capture of none.
func (w *Writer) Flush() error {
	w.buf = w.buf[:0]
	w.begin(breakwater.LinkEthernet)
	if err := w.send(); err != nil {
		return err
	}
	if f, ok := w.w.(interface{ Flush() error }); ok {
		if err := f.Flush(); err != nil {
			return fmt.Errorf("write capture: %w", err)
		}
	}
	return nil
}

// begin adds the head of the file, once.
func (w *Writer) begin(link breakwater.LinkType) {
	if w.begun {
		return
	}
	w.begun, w.link = true, link
	if w.format == PCAP {
		w.u32(0xa1b23c4d, 4<<16|2, 0, 0, MaxPacket, uint32(link)) // magic, version 2.4, two unused, snap length, link type
		return
	}
	w.u32(blockSection, 28, 0x1a2b3c4d, 1, math.MaxUint32, math.MaxUint32, 28) // version 1.0, section length unknown
}

func (w *Writer) u32(values ...uint32) {
	for _, v := range values {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, v)
	}
}

func (w *Writer) send() error {
	if len(w.buf) == 0 {
		return nil
	}
	if _, err := w.w.Write(w.buf); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}
