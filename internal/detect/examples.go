package detect

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"
)

// The compact form of a rule's examples is one event a line:
//
//	TIME SRC > DST WHAT            "1s 10.0.0.2 > 10.0.0.11 modbus 3 0+10"
//	TIME packets N                 a second with that many packets
//
// TIME is since the example's beginning, "1s*20/100ms" for twenty events 100 ms apart, in which every number written
// with ++ grows by one each time ("10.0.0.1++", "tcp 20++ refused"). SRC and DST are addresses, with /MAC where the
// MAC matters; without it each address has a MAC of its own. WHAT is one of
//
//	modbus FUNCTION [ADDRESS+QUANTITY] [sub N] [exception N]     port 502; an exception is a response of SRC
//	tcp|udp PORT attempted|opened|refused|unanswered             udp: attempted, refused
//	arp request|response      icmp request|response      malformed
const repeatMax = 2_000

// exampleBegins is when an example's time 0 is: a whole second.
var exampleBegins = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// step is one event of an example, or the packets of its second.
type step struct {
	event   breakwater.Event
	packets int
}

// Check runs the rule's examples and says which does not come out as it must.
func (r *Rule) Check() error {
	var errs []error
	for i, ex := range slices.Concat(r.Examples.MustFire, r.Examples.MustNotFire) {
		must := i < len(r.Examples.MustFire)
		found, err := r.run(ex)
		switch {
		case err != nil:
			errs = append(errs, invalid("examples", err, "rule %s, example %q", r.ID, ex.Name))
		case must && len(found) == 0:
			errs = append(errs, invalid("examples", nil, "rule %s, example %q: must fire and does not", r.ID, ex.Name))
		case !must && len(found) > 0:
			errs = append(errs, invalid("examples", nil, "rule %s, example %q: must not fire, and says: %s", r.ID, ex.Name, found[0].Evidence))
		}
	}
	return errors.Join(errs...)
}

// run gives what this rule alone says of an example.
func (r *Rule) run(ex Example) ([]breakwater.Detection, error) {
	learned, err := parseEvents(ex.Learned)
	if err != nil {
		return nil, err
	}
	events, err := parseEvents(ex.Events)
	if err != nil {
		return nil, err
	}
	e := New("example", []*Rule{r}, NewBaseline())
	if len(learned) > 0 {
		e.SetLearning(true)
		e.play(learned, exampleBegins.Add(-24*time.Hour))
		e.SetLearning(false)
		e.Drain()
	}
	return e.play(events, exampleBegins), nil
}

// play takes events through the engine as the pipeline does, with the end of each second in which something happens.
func (e *Engine) play(steps []step, begin time.Time) (found []breakwater.Detection) {
	second := begin
	packets := 0
	end := func() {
		e.Window(&breakwater.Window{FacilityID: e.facility, Time: second, PacketsPerSec: float64(packets)})
		packets = 0
		found = append(found, e.Drain()...)
	}
	for _, s := range steps {
		ev := s.event
		ev.Time = begin.Add(ev.Time.Sub(exampleBegins))
		if now := ev.Time.Truncate(time.Second); now.After(second) {
			end()
			second = now
		}
		if packets++; s.packets > 0 {
			packets = s.packets
			continue
		}
		e.Event(&ev)
		found = append(found, e.Drain()...)
	}
	end()
	return found
}

// parseEvents reads the lines of an example. What comes out is in order of time.
func parseEvents(lines []string) ([]step, error) {
	var steps []step
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("%.80q is no event: write TIME SRC > DST WHAT", line)
		}
		at, n, every, err := parseTime(fields[0])
		if err != nil {
			return nil, fmt.Errorf("%.80q: %w", line, err)
		}
		if len(steps)+n > repeatMax {
			return nil, fmt.Errorf("an example has at most %d events", repeatMax)
		}
		for i := range n {
			s, err := parseStep(fields[1:], i)
			if err != nil {
				return nil, fmt.Errorf("%.80q: %w", line, err)
			}
			s.event.Time = exampleBegins.Add(at + time.Duration(i)*every)
			steps = append(steps, s)
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.event.Time.Compare(b.event.Time) })
	return steps, nil
}

// parseTime reads "1s" and "1s*20/100ms".
func parseTime(text string) (at time.Duration, n int, every time.Duration, err error) {
	first, rest, repeated := strings.Cut(text, "*")
	if at, err = time.ParseDuration(first); err != nil || at < 0 || at > 30*24*time.Hour {
		return 0, 0, 0, fmt.Errorf("%.40q is no time like 1s, 500ms or 2h", first)
	}
	if !repeated {
		return at, 1, 0, nil
	}
	times, apart, _ := strings.Cut(rest, "/")
	n, err = strconv.Atoi(times)
	every, err2 := time.ParseDuration(apart)
	if err != nil || err2 != nil || n < 1 || n > repeatMax || every < 0 || every > 24*time.Hour {
		return 0, 0, 0, fmt.Errorf("%.40q is no repetition like 20/100ms, of at most %d times", rest, repeatMax)
	}
	return at, n, every, nil
}

// parseStep reads the rest of a line, for the ith time.
func parseStep(fields []string, i int) (s step, err error) {
	ev := &s.event
	if fields[0] == "packets" {
		s.packets, err = parseNumber(fields[1], i, 10_000_000)
		return s, err
	}
	if len(fields) < 4 || fields[1] != ">" {
		return s, errors.New("write TIME SRC > DST WHAT")
	}
	if ev.Src, err = parseEnd(fields[0], i); err != nil {
		return s, err
	}
	if ev.Dst, err = parseEnd(fields[2], i); err != nil {
		return s, err
	}
	what, args := fields[3], fields[4:]
	ev.Protocol = breakwater.Protocol(what)
	switch what {
	case "malformed":
		ev.Protocol, ev.Kind, ev.Reason = breakwater.Modbus, breakwater.Malformed, "length field too small"
		ev.Dst.Port = 502
		return s, nil
	case "modbus":
		return s, parseModbus(ev, args, i)
	case "tcp", "udp":
		if len(args) != 2 {
			return s, errors.New("write tcp PORT KIND")
		}
		port, err := parseNumber(args[0], i, 65_535)
		ev.Src.Port, ev.Dst.Port, ev.Kind = 40_000, uint16(port), breakwater.Kind(args[1])
		if err == nil && !slices.Contains([]breakwater.Kind{breakwater.Attempted, breakwater.Opened, breakwater.Refused, breakwater.Unanswered}, ev.Kind) {
			err = fmt.Errorf("%.40q is not attempted, opened, refused or unanswered", args[1])
		}
		return s, err
	case "arp", "icmp":
		if len(args) != 1 || args[0] != "request" && args[0] != "response" {
			return s, fmt.Errorf("write %s request or %s response", what, what)
		}
		ev.Kind, ev.FromServer = breakwater.Kind(args[0]), args[0] == "response"
		return s, nil
	}
	return s, fmt.Errorf("%.40q is not modbus, tcp, udp, arp, icmp or malformed", what)
}

// modbusClasses are those of the functions that examples use; decode has the whole table.
var modbusClasses = map[int]breakwater.Class{
	1: breakwater.Read, 2: breakwater.Read, 3: breakwater.Read, 4: breakwater.Read,
	5: breakwater.Write, 6: breakwater.Write, 15: breakwater.Write, 16: breakwater.Write, 22: breakwater.Write, 23: breakwater.Write,
	7: breakwater.Diagnostic, 8: breakwater.Diagnostic, 11: breakwater.Diagnostic, 12: breakwater.Diagnostic,
	17: breakwater.Identify, 43: breakwater.Identify, 20: breakwater.Program, 21: breakwater.Program,
}

func parseModbus(ev *breakwater.Event, args []string, i int) error {
	ev.Kind, ev.Src.Port, ev.Dst.Port, ev.Unit = breakwater.Request, 40_000, 502, 1
	if len(args) == 0 {
		return errors.New("write modbus FUNCTION")
	}
	function, err := parseNumber(args[0], i, 127)
	if err != nil {
		return err
	}
	ev.Function, ev.Class = uint8(function), breakwater.Unknown
	if c, ok := modbusClasses[function]; ok {
		ev.Class = c
	}
	for args = args[1:]; len(args) > 0; {
		address, quantity, ranged := strings.Cut(strings.ReplaceAll(args[0], "++", "~"), "+")
		switch {
		case ranged:
			a, err := parseNumber(strings.ReplaceAll(address, "~", "++"), i, 65_535)
			if err != nil {
				return err
			}
			q, err := parseNumber(quantity, i, 65_535)
			if err != nil {
				return err
			}
			ev.Ranged, ev.Address, ev.Quantity = true, uint32(a), uint32(q)
			args = args[1:]
		case len(args) > 1 && args[0] == "sub":
			n, err := parseNumber(args[1], i, 65_535)
			if err != nil {
				return err
			}
			ev.Subfunction = uint16(n)
			args = args[2:]
		case len(args) > 1 && args[0] == "exception":
			n, err := parseNumber(args[1], i, 255)
			if err != nil {
				return err
			}
			ev.Kind, ev.Exception, ev.FromServer, ev.Joined = breakwater.Response, uint8(n), true, true
			ev.Src.Port, ev.Dst.Port = ev.Dst.Port, ev.Src.Port
			args = args[2:]
		default:
			return fmt.Errorf("%.40q is not ADDRESS+QUANTITY, sub N or exception N", args[0])
		}
	}
	return nil
}

// parseEnd reads ADDRESS or ADDRESS/MAC.
func parseEnd(text string, i int) (p breakwater.Endpoint, err error) {
	text, mac, hasMAC := strings.Cut(text, "/")
	base, grows := strings.CutSuffix(text, "++")
	if p.Addr, err = netip.ParseAddr(base); err != nil || p.Addr.Zone() != "" {
		return p, fmt.Errorf("%.60q is no address", text)
	}
	for range i {
		if grows {
			p.Addr = p.Addr.Next()
		}
	}
	if hasMAC {
		if p.MAC, err = parseMAC(mac); err != nil {
			return p, err
		}
		return p, nil
	}
	tail := p.Addr.As16()
	p.MAC = breakwater.MAC{0x02, 0, tail[12], tail[13], tail[14], tail[15]}
	if p.Addr.IsMulticast() || p.Addr == limitedBroadcast || tail[15] == 255 && p.Addr.Is4() {
		p.MAC = breakwater.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	return p, nil
}

// parseNumber reads N or N++.
func parseNumber(text string, i, most int) (int, error) {
	base, grows := strings.CutSuffix(text, "++")
	n, err := strconv.Atoi(base)
	if grows {
		n += i
	}
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%.40q is no number up to %d", text, most)
	}
	return n, nil
}
