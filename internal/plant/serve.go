package plant

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"breakwater"
)

const (
	// mostClients is how many connections a PLC holds at once; small devices hold no more.
	mostClients = 32
	// idle is how long a connection may say nothing, and slow how long an answer may take to be read.
	idle = 5 * time.Minute
	slow = 10 * time.Second
	// catchUp is how many scans are made up for after a time in which the machine slept.
	catchUp = 50
)

// Live is a plant that runs by the clock, with its two PLCs as Modbus/TCP servers on real sockets. Nobody polls it but who
// connects; what PLC-1 asks of PLC-2 on the network of Packets goes by wire here.
type Live struct {
	PLC1, PLC2 net.Addr

	mu    sync.Mutex // over works
	works *works
	ports [2]net.Listener
}

// Listen switches a plant on, whose PLCs listen at this machine's loopback address alone: PLC-1 at port, PLC-2 at the next
// one; 0 takes free ones. Of o only Facility and Seed count. Errors are of kind Invalid, and Unavailable where a port cannot be
// had.
func Listen(o Options, port int) (*Live, error) {
	f, known := Find(o.facility())
	if !known {
		return nil, invalidf("facility", "there is no simulated plant %q", o.Facility)
	}
	if port < 0 || port > 65534 {
		return nil, invalidf("port", "port %d is not possible: PLC-1 takes one from 1 to 65534, PLC-2 the next; 0 takes free ones", port)
	}
	l := &Live{works: newWorks(&f, (&network{seed: o.Seed}).random)}
	for i := range l.ports {
		at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
		if port > 0 {
			at.Port += i
		}
		listener, err := net.ListenTCP("tcp4", at)
		if err != nil {
			l.close()
			return nil, &breakwater.Error{Kind: breakwater.Unavailable, Message: "a PLC cannot listen at " + at.String() + ": choose another port, or 0 for free ones", Err: err}
		}
		l.ports[i] = listener
	}
	l.PLC1, l.PLC2 = l.ports[0].Addr(), l.ports[1].Addr()
	return l, nil
}

func (l *Live) close() {
	for _, p := range l.ports {
		if p != nil {
			p.Close()
		}
	}
}

// Run lets the plant run and answer until ctx ends. The error is of kind Unavailable where a socket fails.
func (l *Live) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var group sync.WaitGroup
	for i, device := range []*plc{l.works.intake, l.works.treat} {
		group.Go(func() {
			if err := l.accept(ctx, l.ports[i], device); err != nil {
				stop(&breakwater.Error{Kind: breakwater.Unavailable, Message: "a PLC cannot take connections any more", Err: err})
			}
		})
	}
	group.Go(func() { l.live(ctx) })
	<-ctx.Done()
	l.close()
	group.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// live scans as the clock goes.
func (l *Live) live(ctx context.Context) {
	tick := time.NewTicker(scanTime)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due := int(time.Since(last) / scanTime)
		last = last.Add(time.Duration(due) * scanTime)
		l.mu.Lock()
		for range min(due, catchUp) {
			l.works.scan(scanTime.Seconds())
			l.works.intake.measured[measuredOther] = l.works.treat.measured[measuredLevel]
		}
		l.mu.Unlock()
	}
}

// accept takes connections to a PLC until the listener is closed.
func (l *Live) accept(ctx context.Context, at net.Listener, device *plc) error {
	var group sync.WaitGroup
	defer group.Wait()
	free := make(chan struct{}, mostClients)
	for {
		c, err := at.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // as of too many open files: others leave
			select {
			case <-ctx.Done():
			case <-time.After(scanTime):
			}
			continue
		}
		select {
		case free <- struct{}{}:
		default:
			c.Close()
			continue
		}
		group.Go(func() {
			defer func() { <-free }()
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			l.serve(c, device)
		})
	}
}

// serve answers one request after the other (Modbus Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3). Whoever
// sends what is no Modbus is cut off: where the next request would begin cannot be known then.
func (l *Live) serve(c net.Conn, device *plc) {
	var adu [260]byte
	for {
		if c.SetReadDeadline(time.Now().Add(idle)) != nil {
			return
		}
		if _, err := io.ReadFull(c, adu[:6]); err != nil {
			return
		}
		end := 6 + int(binary.BigEndian.Uint16(adu[4:])) // unit and PDU follow
		if end < 8 || end > len(adu) {
			return
		}
		if _, err := io.ReadFull(c, adu[6:end]); err != nil {
			return
		}
		l.mu.Lock()
		answer := device.answer(adu[:end])
		l.mu.Unlock()
		if answer == nil || c.SetWriteDeadline(time.Now().Add(slow)) != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}
