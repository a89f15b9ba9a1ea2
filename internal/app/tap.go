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

// tapAgain is after how long a tap begins anew that could not go on.
const tapAgain = time.Second

// tap runs a sensor on the server's own traffic. A file ends; the server goes on. Where another node takes the facility's raw
// traffic, or the database is away, it begins anew later: to take a file twice harms nothing.
func (a *App) tap(ctx context.Context, t Tap) error {
	told := ""
	for {
		again, err := a.tapOnce(ctx, t)
		if !again {
			return err
		}
		if err.Error() != told {
			told = err.Error()
			a.log.Warn("traffic is not listened to now; it will be tried again", "facility", t.FacilityID, "source", t.Source(), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tapAgain):
		}
	}
}

// tapOnce listens until the traffic ends. again: what went wrong may pass, and it is not the traffic itself, as an interface
// that is not there.
func (a *App) tapOnce(ctx context.Context, t Tap) (again bool, err error) {
	packets, done, err := t.Open(ctx, a.log)
	if err != nil {
		return false, err
	}
	defer done()
	a.log.Info("listening to traffic", "facility", t.FacilityID, "source", t.Source(), "learn", t.Learn)
	broken := false
	stats, err := a.Server.Listen(ctx, t.FacilityID, t.Learn, func(yield func(breakwater.Packet, error) bool) {
		for p, err := range packets {
			broken = broken || err != nil
			if !yield(p, err) {
				return
			}
		}
	})
	if ctx.Err() != nil {
		return false, nil
	}
	a.log.Info("traffic ended", "facility", t.FacilityID, "source", t.Source(), "packets", stats.Packets, "detections", stats.Detections)
	kind := breakwater.KindOf(err)
	return err != nil && !broken && (kind == breakwater.Conflict || kind == breakwater.Unavailable), err
}
