// Package plant simulates a small water-treatment plant and gives the traffic of its network as packets, as a tap at
// its switch would see it:
//
//	      supply                          10.0.0.2  HMI: polls at 1 Hz, operators write now and then
//	        │                             10.0.0.3  engineering workstation: looks in now and then
//	     ( P-101 ) pump                   10.0.0.5  historian: DNS and time
//	        │  inflow, pressure           10.0.0.57 the intruder, where an attack is asked for
//	┌───────▼───────┐ ◄ high switch           │
//	│~~~~~~~~~~~~~~~│                         ├──── switch ──► iter.Seq2[breakwater.Packet, error]
//	│  T-101, level │                         │
//	│               │ ◄ low switch        10.0.0.11 PLC: Modbus/TCP, unit 1
//	└───────┬───────┘                         │
//	     [ V-101 ] valve                      │
//	        │  outflow   ◄────────────────────┘
//	     network
//
// It knows the physics of the tank (process.go), the PLC with its control logic and Modbus server (plc.go), how TCP,
// UDP, ARP and ICMP look on a wire (wire.go), who talks when (hosts.go) and what an intruder does (attacks.go). The
// bytes are real: what the PLC answers comes from its registers, which come from the process, and a write changes
// both. The same Options give the same bytes (on another processor architecture a measured value may differ in its
// last digit, for floating-point arithmetic does).
//
// Attacks draw their own random numbers, so a recording with an attack holds the normal traffic of the one without,
// but for what the attack changes.
package plant

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"breakwater"
)

// DefaultStart is when a simulation begins where Options does not say: a Monday morning.
var DefaultStart = time.Date(2025, 1, 6, 8, 0, 0, 0, time.UTC)

// MaxDuration bounds a simulation.
const MaxDuration = 366 * 24 * time.Hour

// AttackKind names what an intruder does.
type AttackKind string

// The kinds of attack.
const (
	// PortScan asks by ARP for every address of 10.0.0.0/24, tries 100 TCP ports of the PLC and port 502 of each host found.
	PortScan AttackKind = "port-scan"
	// UnauthorisedWrite reads from the PLC, then writes coils 0-9 and a setpoint: automatic control goes off, the pump stops.
	UnauthorisedWrite AttackKind = "unauthorised-write"
	// FunctionScan tries each Modbus function code from 1 to 127 on the PLC.
	FunctionScan AttackKind = "function-scan"
)

// AttackKinds are all kinds of attack.
var AttackKinds = []AttackKind{PortScan, UnauthorisedWrite, FunctionScan}

// Attack is one attack from 10.0.0.57, which was not on the network before its first one.
type Attack struct {
	Kind AttackKind
	At   time.Duration // after the start
}

// String is the form that ParseAttack reads.
func (a Attack) String() string { return fmt.Sprintf("%s@%s", a.Kind, a.At) }

// ParseAttack reads a kind and when it begins after the start, as in "port-scan@400s". The error is Invalid.
func ParseAttack(s string) (Attack, error) {
	kind, at, ok := strings.Cut(s, "@")
	d, err := time.ParseDuration(at)
	if !ok || err != nil {
		return Attack{}, invalidf("attack", "attack %q is not of the form KIND@TIME, like port-scan@400s", s)
	}
	a := Attack{AttackKind(kind), d}
	if err := a.check(); err != nil {
		return Attack{}, err
	}
	return a, nil
}

func (a Attack) check() error {
	if !slices.Contains(AttackKinds, a.Kind) {
		return invalidf("attack", "attack %q is not known; there are %s, %s and %s", string(a.Kind), PortScan, UnauthorisedWrite, FunctionScan)
	}
	if a.At < 0 {
		return invalidf("attack", "attack %s begins before the start", a)
	}
	return nil
}

// Options says what to simulate.
type Options struct {
	Seed     uint64
	Start    time.Time     // zero: DefaultStart
	Duration time.Duration // more than 0, at most MaxDuration
	Attacks  []Attack
}

func (o Options) check() error {
	if o.Duration <= 0 || o.Duration > MaxDuration {
		return invalidf("duration", "duration %s must be more than 0 and at most %s", o.Duration, MaxDuration)
	}
	if y := o.Start.Year(); y < 1970 || y > 2100 {
		return invalidf("start", "start %s must lie between 1970 and 2100", o.Start.Format(time.RFC3339))
	}
	for _, a := range o.Attacks {
		if err := a.check(); err != nil {
			return err
		}
		if a.At >= o.Duration {
			return invalidf("attack", "attack %s begins after the end, which is at %s", a, o.Duration)
		}
	}
	return nil
}

func invalidf(field, format string, args ...any) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Packets is the plant's traffic in order of time, made as it is asked for, so hours of it need no memory. A packet's
// Data is valid until the next one is asked for. Bad options are one error of kind Invalid.
func Packets(o Options) iter.Seq2[breakwater.Packet, error] {
	if o.Start.IsZero() {
		o.Start = DefaultStart
	}
	return func(yield func(breakwater.Packet, error) bool) {
		if err := o.check(); err != nil {
			yield(breakwater.Packet{}, err)
			return
		}
		n := newPlant(o)
		defer n.stop()
		for n.step(o.Duration) {
			for _, frame := range n.sent {
				p := breakwater.Packet{Time: o.Start.Add(n.now).UTC(), Link: breakwater.LinkEthernet, Data: frame, Length: len(frame)}
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// newPlant switches everything on.
func newPlant(o Options) *network {
	n := &network{seed: o.Seed, start: o.Start}
	n.plc = newPLC(n.random("process"))
	plc, hmi, workstation, historian := n.host(plcHost), n.host(hmiHost), n.host(workstationHost), n.host(historianHost)
	n.device = plc
	var scan func()
	scan = func() {
		n.plc.scan(scanTime.Seconds())
		n.after(scanTime, scan)
	}
	n.after(0, scan)
	n.spawn("hmi poll", 100*time.Millisecond, func(a *actor) { pollAndOperate(a, hmi) })
	n.spawn("workstation", 45*time.Second, func(a *actor) { engineer(a, workstation) })
	n.spawn("workstation ping", 75*time.Second, func(a *actor) { ping(a, workstation, plc) })
	n.spawn("workstation names", 20*time.Second, func(a *actor) { resolve(a, workstation, historian) })
	n.spawn("hmi time", 7*time.Second, func(a *actor) { keepTime(a, hmi, historian) })
	n.spawn("plc time", 11*time.Second, func(a *actor) { keepTime(a, plc, historian) })
	if len(o.Attacks) > 0 {
		intruder := n.host(intruderHost)
		for i, attack := range o.Attacks {
			n.spawn(fmt.Sprint(attack.Kind, i), attack.At, func(a *actor) { attacks[attack.Kind](a, intruder) })
		}
	}
	return n
}
