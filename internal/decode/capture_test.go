package decode

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"breakwater"
)

// shared is where the test data lies that is not part of the project.
const shared = "../../../shared/data"

// sharedFile is a file of the test data; the test is skipped where there is none.
func sharedFile(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(shared, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("test data is not here: %v", err)
	}
	return path
}

// readCapture reads a whole pcap or pcapng file.
func readCapture(t testing.TB, path string) []breakwater.Packet {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var next func() ([]byte, gopacket.CaptureInfo, error)
	var link breakwater.LinkType
	if r, err := pcapgo.NewReader(bytes.NewReader(b)); err == nil {
		next, link = r.ReadPacketData, breakwater.LinkType(r.LinkType())
	} else {
		r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		next, link = r.ReadPacketData, breakwater.LinkType(r.LinkType())
	}
	var packets []breakwater.Packet
	var latest time.Time
	for {
		data, info, err := next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return packets
		}
		if err != nil {
			t.Fatalf("%s: packet %d: %v", path, len(packets)+1, err)
		}
		if info.Timestamp.After(latest) {
			latest = info.Timestamp.UTC()
		}
		packets = append(packets, breakwater.Packet{Time: latest, Link: link, Data: data, Length: info.Length})
	}
}

// decodeAll decodes the packets, ends with a Flush, and returns all events, and the frames.
func decodeAll(packets []breakwater.Packet) (events []*breakwater.Event, frames []breakwater.Frame) {
	d := New(func(e *breakwater.Event) { events = append(events, e.Clone()) })
	for i := range packets {
		if f, ok := d.Packet(&packets[i]); ok {
			frames = append(frames, f)
		}
	}
	d.Flush()
	return events, frames
}

// only are the events of one protocol.
func only(events []*breakwater.Event, p breakwater.Protocol) []*breakwater.Event {
	var some []*breakwater.Event
	for _, e := range events {
		if e.Protocol == p {
			some = append(some, e)
		}
	}
	return some
}
