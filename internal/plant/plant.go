// Package plant simulates a small water-treatment plant of two stages and gives the traffic of its network as packets, as
// a tap at its switch would see it:
//
//	river ──[MV-101]──► ┌───────┐                  ┌───────┐ ──[V-201]──► town
//	        inlet valve │ T-101 │ ─(P-101)─ filter ► │ T-201 │   outlet valve
//	                    │  raw  │   pump       ▲     │treated│
//	                    └───────┘           DP-201   └───────┘
//	                                        dosing
//	                        │                            │
//	                PLC-1  .11, Modbus/TCP, unit 1   PLC-2  .12 ◄── PLC-1 asks it each second how full T-201 is
//	                        │                            │
//	     ──────────── switch ─────────────────────────────────────► iter.Seq2[breakwater.Packet, error]
//	        │            │            │                    │
//	   .2 HMI: polls  .3 workstation  .5 historian:     .57 the intruder,
//	   at 1 Hz, opera- looks in now   archives, names   where an attack
//	   tors write      and then       and time          is asked for
//
// Or the PLCs alone, live on real sockets (serve.go).
//
// It knows the physics of water and chlorine (process.go), the PLCs with their control logic and Modbus server (plc.go),
// which plants there are (facility.go), how TCP, UDP, ARP and ICMP look on a wire (wire.go), who talks when (hosts.go)
// and what an intruder does (attacks.go). The bytes are real: what a PLC answers comes from its registers, which come
// from the process, and a write changes both. The same Options give the same bytes (on another processor architecture a
// measured value may differ in its last digit, for floating-point arithmetic does).
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
	// PortScan asks by ARP for every address of the network, tries 100 TCP ports of PLC-1 and port 502 of each host found.
	PortScan AttackKind = "port-scan"
	// UnauthorisedWrite reads from PLC-1, then writes coils 0-9 and a setpoint: automatic control goes off, the pump stops.
	UnauthorisedWrite AttackKind = "unauthorised-write"
	// FunctionScan tries each Modbus function code from 1 to 127 on PLC-1.
	FunctionScan AttackKind = "function-scan"
	// ManipulateControl drives pump and valve of PLC-1 against each other for about half a minute, and overdoses by PLC-2.
	ManipulateControl AttackKind = "manipulate-control"
)

// AttackKinds are all kinds of attack.
var AttackKinds = []AttackKind{PortScan, UnauthorisedWrite, FunctionScan, ManipulateControl}

// Attack is one attack from the host .57, which was not on the network before its first one.
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
		return invalidf("attack", "attack %q is not known; there are %s", string(a.Kind), kindNames())
	}
	if a.At < 0 {
		return invalidf("attack", "attack %s begins before the start", a)
	}
	return nil
}

// kindNames lists the kinds of attack.
func kindNames() string {
	names := make([]string, len(AttackKinds))
	for i, k := range AttackKinds {
		names[i] = string(k)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// Options says what to simulate.
type Options struct {
	Facility string // id of one of the plants that Find knows; "": the one that stands alone, at 10.0.0.0/24
	Seed     uint64
	Start    time.Time     // zero: DefaultStart
	Duration time.Duration // more than 0, at most MaxDuration
	Attacks  []Attack
}

func (o Options) check() error {
	if _, known := Find(o.facility()); !known {
		return invalidf("facility", "there is no simulated plant %q", o.Facility)
	}
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

// facility is the id of the plant.
func (o Options) facility() string {
	if o.Facility == "" {
		return alone.ID
	}
	return o.Facility
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

// newPlant switches everything on. The options must be right.
func newPlant(o Options) *network {
	f, _ := Find(o.facility())
	n := &network{seed: o.Seed, start: o.Start}
	n.works = newWorks(&f, n.random)
	intake, treat, hmi, workstation, historian := n.host(intakeHost), n.host(treatHost), n.host(hmiHost), n.host(workstationHost), n.host(historianHost)
	intake.device, treat.device = n.works.intake, n.works.treat
	var scan func()
	scan = func() {
		n.works.scan(scanTime.Seconds())
		n.after(scanTime, scan)
	}
	n.after(0, scan)
	n.spawn("hmi at plc-1", 100*time.Millisecond, func(a *actor) { pollAndOperate(a, hmi, intake) })
	n.spawn("hmi at plc-2", 350*time.Millisecond, func(a *actor) { pollAndOperate(a, hmi, treat) })
	n.spawn("plc-1 follows", 600*time.Millisecond, func(a *actor) { follow(a, intake, treat) })
	n.spawn("archive of plc-1", 3*time.Second, func(a *actor) { archive(a, historian, intake) })
	n.spawn("archive of plc-2", 3500*time.Millisecond, func(a *actor) { archive(a, historian, treat) })
	n.spawn("workstation", 45*time.Second, func(a *actor) { engineer(a, workstation, intake, treat) })
	n.spawn("workstation ping", 75*time.Second, func(a *actor) { ping(a, workstation, intake) })
	n.spawn("workstation names", 20*time.Second, func(a *actor) { resolve(a, workstation, historian) })
	n.spawn("hmi time", 7*time.Second, func(a *actor) { keepTime(a, hmi, historian) })
	n.spawn("plc-1 time", 11*time.Second, func(a *actor) { keepTime(a, intake, historian) })
	n.spawn("plc-2 time", 13*time.Second, func(a *actor) { keepTime(a, treat, historian) })
	if len(o.Attacks) > 0 {
		intruder := n.host(intruderHost)
		for i, attack := range o.Attacks {
			n.spawn(fmt.Sprint(attack.Kind, i), attack.At, func(a *actor) { attacks[attack.Kind](a, intruder) })
		}
	}
	return n
}
