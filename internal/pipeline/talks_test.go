package pipeline

import (
	"context"
	"fmt"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/detect"
)

func (v *talks) hears(after time.Duration, p breakwater.Protocol, k breakwater.Kind, function uint8, c breakwater.Class, src, dst breakwater.Endpoint) {
	v.Event(&breakwater.Event{Time: t0.Add(after), Protocol: p, Kind: k, Class: c, Function: function, FunctionName: fmt.Sprintf("f%d", function), Src: src, Dst: dst, FromServer: k == breakwater.Response, Joined: true})
}

// lines are talks in short.
func lines(all []breakwater.Talk) (out []string) {
	for _, t := range all {
		line := fmt.Sprintf("%s > %s:%d %s %d", t.Client, t.Server, t.Port, t.Protocol, t.Count)
		for _, u := range t.Functions {
			line += fmt.Sprintf(" %s=%d/%d", u.Name, u.Count, u.Exceptions)
		}
		out = append(out, line)
	}
	return out
}

func TestTalks(t *testing.T) {
	t.Parallel()
	a, b := host("10.0.0.2", 40001, 2), host("10.0.0.11", 502, 11)
	dns, far := host("10.0.0.6", 53, 6), host("10.0.0.9", 8080, 9)
	group := breakwater.Endpoint{MAC: breakwater.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Addr: b.Addr, Port: 502}
	for _, c := range []struct {
		name string
		do   func(v *talks)
		want string
	}{
		{"requests by function", func(v *talks) {
			v.hears(0, breakwater.TCP, breakwater.Attempted, 0, "", a, b)
			v.hears(1, breakwater.TCP, breakwater.Opened, 0, "", a, b)
			for range 3 {
				v.hears(2, breakwater.Modbus, breakwater.Request, 3, breakwater.Read, a, b)
				v.hears(3, breakwater.Modbus, breakwater.Response, 3, breakwater.Read, b, a)
			}
			v.hears(4, breakwater.Modbus, breakwater.Request, 1, breakwater.Read, a, b)
			v.Event(&breakwater.Event{Time: t0.Add(5), Protocol: breakwater.Modbus, Kind: breakwater.Response, Class: breakwater.Read, Function: 1, FunctionName: "f1", Exception: 2, Src: b, Dst: a, FromServer: true, Joined: true})
			v.hears(6, breakwater.TCP, breakwater.Opened, 0, "", a, b)
		}, "[10.0.0.2 > 10.0.0.11:502 modbus 4 f1=1/1 f3=3/0]"},
		{"a request of which only the answer was seen", func(v *talks) {
			v.Event(&breakwater.Event{Time: t0, Protocol: breakwater.Modbus, Kind: breakwater.Response, Class: breakwater.Read, Function: 3, FunctionName: "f3", Src: b, Dst: a, FromServer: true})
		}, "[10.0.0.2 > 10.0.0.11:502 modbus 1 f3=1/0]"},
		{"connections of what is not decoded", func(v *talks) {
			v.hears(0, breakwater.TCP, breakwater.Opened, 0, "", a, far)
			v.hears(1, breakwater.TCP, breakwater.Opened, 0, "", a, far)
		}, "[10.0.0.2 > 10.0.0.9:8080 tcp 2]"},
		{"names and datagrams", func(v *talks) {
			v.hears(0, breakwater.UDP, breakwater.Attempted, 0, "", a, dns)
			v.hears(0, breakwater.DNS, breakwater.Request, 0, "", a, dns)
			v.hears(1, breakwater.UDP, breakwater.Attempted, 0, "", a, far)
		}, "[10.0.0.2 > 10.0.0.6:53 dns 1 10.0.0.2 > 10.0.0.9:8080 udp 1]"},
		{"an echo that was answered", func(v *talks) {
			v.hears(0, breakwater.ICMP, breakwater.Request, 0, "", a, far)
			v.hears(1, breakwater.ICMP, breakwater.Response, 0, "", far, a)
		}, "[10.0.0.2 > 10.0.0.9:0 icmp 1]"},
		{"none: an attempt, an echo into the void, a broadcast, no address", func(v *talks) {
			v.hears(0, breakwater.TCP, breakwater.Attempted, 0, "", a, b)
			v.hears(0, breakwater.TCP, breakwater.Refused, 0, "", a, b)
			v.hears(0, breakwater.ICMP, breakwater.Request, 0, "", a, far)
			v.hears(0, breakwater.Modbus, breakwater.Request, 3, breakwater.Read, a, group)
			v.hears(0, breakwater.UDP, breakwater.Attempted, 0, "", a, host("224.0.0.251", 5353, 1))
			v.hears(0, breakwater.UDP, breakwater.Attempted, 0, "", breakwater.Endpoint{MAC: a.MAC}, b)
		}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newTalks("north")
			c.do(v)
			told := v.changes(t0.Add(time.Second), true)
			if got := fmt.Sprint(lines(told)); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			for i := range told {
				if err := told[i].Check(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// What is new is told with its second, all else with its minute, in parts that do not overlap; the steady path costs no
// allocation, which is counted of the whole process: so this test is not parallel.
func TestTalksAreToldInParts(t *testing.T) {
	v := newTalks("north")
	a, b := host("10.0.0.2", 40001, 2), host("10.0.0.11", 502, 11)
	whole := breakwater.Talk{}
	tellings := 0
	for second := range 180 {
		at := time.Duration(second) * time.Second
		v.hears(at, breakwater.Modbus, breakwater.Request, 3, breakwater.Read, a, b)
		if second == 90 {
			v.hears(at, breakwater.Modbus, breakwater.Request, 16, breakwater.Write, a, b)
		}
		for _, part := range v.changes(t0.Add(at+time.Second), false) {
			tellings++
			if tellings == 1 {
				whole = part
			} else {
				whole.Merge(part)
			}
		}
	}
	if got, want := fmt.Sprint(lines([]breakwater.Talk{whole})), "[10.0.0.2 > 10.0.0.11:502 modbus 181 f3=180/0 f16=1/0]"; got != want || tellings != 5 {
		t.Errorf("in %d tellings %s, want %s in 5: the beginning, three minutes and the first write", tellings, got, want)
	}
	e := &breakwater.Event{Time: t0.Add(time.Hour), Protocol: breakwater.Modbus, Kind: breakwater.Request, Class: breakwater.Read, Function: 3, Src: a, Dst: b}
	if n := testing.AllocsPerRun(100, func() { v.Event(e) }); n != 0 {
		t.Errorf("%v allocations for a known poll", n)
	}
}

func TestTalksAreBounded(t *testing.T) {
	t.Parallel()
	v := newTalks("north")
	a := host("10.0.0.2", 40001, 2)
	for i := range talksMax + 100 {
		v.hears(0, breakwater.TCP, breakwater.Opened, 0, "", a, host(fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250), 80, 3))
	}
	sent := 0
	r := run{Sensor: &Sensor{FacilityID: "north", Send: func(_ context.Context, b breakwater.Batch) error {
		if len(b.Talks) > talksPerBatch {
			t.Errorf("a batch of %d", len(b.Talks))
		}
		sent += len(b.Talks)
		return nil
	}}, ctx: t.Context(), engine: detect.New("north", nil, detect.NewBaseline())}
	r.batch.Talks = v.changes(t0, true)
	if r.send(); sent != talksMax || r.failed != nil {
		t.Errorf("%d conversations are told, want %d; %v", sent, talksMax, r.failed)
	}
}
