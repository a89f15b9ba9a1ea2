package app

import (
	"context"
	"iter"
	"log/slog"
	"os"
	"time"

	"breakwater"
	"breakwater/internal/capture"
)

// Tap is traffic that is listened to, by the server itself or by a sensor.
type Tap struct {
	FacilityID string
	Iface      string        // network interface, or ""
	Pcap       string        // capture file, or folder of rotating ones that is followed, or ""
	Learn      time.Duration // of data time, from the first packet on
}

// Source names what is tapped.
func (t Tap) Source() string {
	if t.Iface != "" {
		return t.Iface
	}
	return t.Pcap
}

// Ends reports whether the traffic has an end: it is a file.
func (t Tap) Ends() bool {
	info, err := os.Stat(t.Pcap)
	return t.Iface == "" && (err != nil || !info.IsDir())
}

// Open gives the packets, until ctx ends where they have no end. Of packets that go on for ever errors are logged and
// left out. done gives back what was opened.
func (t Tap) Open(ctx context.Context, log *slog.Logger) (packets iter.Seq2[breakwater.Packet, error], done func(), err error) {
	switch {
	case t.Iface != "":
		return capture.Live(ctx, t.Iface), func() {}, nil
	case !t.Ends():
		return told(capture.Follow(ctx, t.Pcap), log), func() {}, nil
	}
	source, err := capture.Open(t.Pcap)
	if err != nil {
		return nil, nil, err
	}
	return source.Packets(), func() { source.Close() }, nil
}

// told logs the errors of packets that go on for ever, and leaves them out.
func told(packets iter.Seq2[breakwater.Packet, error], log *slog.Logger) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		for p, err := range packets {
			if err != nil {
				log.Warn("a capture could not be read to its end; listening goes on", "err", err)
			} else if !yield(p, nil) {
				return
			}
		}
	}
}
