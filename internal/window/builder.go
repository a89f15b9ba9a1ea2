// Package window turns what was decoded into seconds: one breakwater.Window for each second of data time, and the
// last 60 of them as the context of whatever happens next.
//
//	Frame ─┐
//	Event ─┼─► Builder ─► Window, one each second ─► Buffer: the last 60 s of each facility
//	time  ─┘
//
// It hides how the eight features are counted. Nothing here looks at a clock: a second ends when a packet or a tick
// of a later second arrives.
package window

import (
	"math"
	"net/netip"
	"strconv"
	"time"

	"breakwater"
)

const (
	// silenceMax bounds the empty windows that a gap in the data gives. After a minute of them the context holds
	// nothing but silence, so more would say nothing new.
	silenceMax = 60
	// addrsMax bounds the distinct addresses counted in one second; a spoofed flood stays at the bound.
	addrsMax = 65_536
	// valuesMax bounds the process values kept of one second.
	valuesMax = 1_024
)

// Builder makes the windows of one facility. It is for one goroutine.
type Builder struct {
	facility string
	done     func(*breakwater.Window)

	begin   time.Time // of the second being counted; zero before the first packet
	packets int
	bytes   int
	failed  int
	first   time.Time // packet of this second
	last    time.Time
	srcs    map[netip.Addr]struct{}
	dsts    map[netip.Addr]struct{}
	// Counts are kept for protocols and functions once seen, at zero in seconds without them, so that a steady
	// plant's second allocates nothing.
	protocols map[breakwater.Protocol]int
	functions map[function]int
	values    map[point]float64
}

type function struct {
	protocol breakwater.Protocol
	code     uint8
}

// point is where a process value lives in a device.
type point struct {
	server  netip.Addr
	unit    uint8
	table   string // coil, discrete, holding, input
	address uint32
}

// NewBuilder makes the builder of a facility's windows. done is called with each window as its second ends; the
// window's maps are its own, the Window itself is used again.
func NewBuilder(facility string, done func(*breakwater.Window)) *Builder {
	return &Builder{
		facility: facility, done: done,
		srcs: map[netip.Addr]struct{}{}, dsts: map[netip.Addr]struct{}{},
		protocols: map[breakwater.Protocol]int{}, functions: map[function]int{}, values: map[point]float64{},
	}
}

// Advance moves time to t and ends the seconds that lie before it, the silent ones included. Call it with a
// packet's time before Frame and Event are called for that packet. t never goes back.
func (b *Builder) Advance(t time.Time) {
	second := t.Truncate(time.Second)
	if b.begin.IsZero() {
		b.begin = second
		return
	}
	for n := 0; b.begin.Before(second); n++ {
		b.end()
		b.begin = b.begin.Add(time.Second)
		if n == silenceMax {
			b.begin = second
		}
	}
}

// Flush ends the second being counted, as at the end of a capture.
func (b *Builder) Flush() {
	if !b.begin.IsZero() {
		b.end()
		b.begin = b.begin.Add(time.Second)
	}
}

// Frame counts one packet.
func (b *Builder) Frame(f *breakwater.Frame) {
	if b.packets == 0 {
		b.first = f.Time
	}
	b.last = f.Time
	b.packets++
	b.bytes += f.Length
	b.protocols[f.Protocol]++
	count(b.srcs, f.Src.Addr)
	count(b.dsts, f.Dst.Addr)
}

func count(set map[netip.Addr]struct{}, a netip.Addr) {
	if a.IsValid() && len(set) < addrsMax {
		set[a] = struct{}{}
	}
}

// Event counts what a message says: failed connections, functions asked for, process values.
func (b *Builder) Event(e *breakwater.Event) {
	switch e.Kind {
	case breakwater.Refused, breakwater.Unanswered:
		b.failed++
	case breakwater.Request:
		if e.Class != "" {
			b.functions[function{e.Protocol, e.Function}]++
		}
		if e.Class == breakwater.Write {
			b.keep(e)
		}
	case breakwater.Response:
		if e.Class == breakwater.Read && e.Exception == 0 {
			b.keep(e)
		}
	}
}

// keep remembers the values of a read's answer or a write's request.
func (b *Builder) keep(e *breakwater.Event) {
	table := tableOf(e)
	if table == "" || !e.Ranged {
		return
	}
	p := point{server: e.Server().Addr, unit: e.Unit, table: table}
	for i, v := range e.Values {
		p.address = e.Address + uint32(i)
		if _, known := b.values[p]; known || len(b.values) < valuesMax {
			b.values[p] = v
		}
	}
}

// tableOf names the Modbus table (Modbus Application Protocol 1.1b3, section 4.3) whose values an event carries.
func tableOf(e *breakwater.Event) string {
	if e.Protocol != breakwater.Modbus {
		return ""
	}
	switch e.Function {
	case 1, 5, 15:
		return "coil"
	case 2:
		return "discrete"
	case 3, 6, 16:
		return "holding"
	case 4:
		return "input"
	}
	return ""
}

// end hands out the second that is counted and begins the next at zero.
func (b *Builder) end() {
	w := breakwater.Window{
		FacilityID: b.facility, Time: b.begin.UTC(),
		PacketsPerSec: float64(b.packets), BytesPerSec: float64(b.bytes),
		UniqueSrcIPs: len(b.srcs), UniqueDestIPs: len(b.dsts),
		FailedConns: b.failed, ProtocolMix: b.mix(),
	}
	if b.packets > 0 {
		w.AvgPacketSize = float64(b.bytes) / float64(b.packets)
	}
	if b.packets > 1 {
		w.InterArrivalMS = float64(b.last.Sub(b.first)) / float64(time.Millisecond) / float64(b.packets-1)
	}
	w.Raw = b.raw()
	b.done(&w)

	b.packets, b.bytes, b.failed = 0, 0, 0
	clear(b.srcs)
	clear(b.dsts)
	clear(b.protocols)
	clear(b.functions)
	clear(b.values)
}

// mix is the Shannon entropy of the packets by protocol, over its greatest possible value for as many protocols.
func (b *Builder) mix() float64 {
	if len(b.protocols) < 2 {
		return 0
	}
	// Summed over sorted counts, so that a map's order does not change the last bit.
	var counts [16]int
	n := 0
	for _, c := range b.protocols {
		if n < len(counts) {
			counts[n] = c
			n++
		}
	}
	sorted := counts[:n]
	for i := 1; i < n; i++ {
		for j := i; j > 0 && sorted[j-1] > sorted[j]; j-- {
			sorted[j-1], sorted[j] = sorted[j], sorted[j-1]
		}
	}
	h := 0.0
	for _, c := range sorted {
		p := float64(c) / float64(b.packets)
		h -= p * math.Log(p)
	}
	return h / math.Log(float64(n))
}

func (b *Builder) raw() breakwater.RawFeatures {
	var raw breakwater.RawFeatures
	if len(b.protocols) > 0 {
		raw.Protocols = make(map[breakwater.Protocol]int, len(b.protocols))
		for p, n := range b.protocols {
			raw.Protocols[p] = n
		}
	}
	if len(b.functions) > 0 {
		raw.Functions = make(map[string]int, len(b.functions))
		for f, n := range b.functions {
			raw.Functions[string(f.protocol)+"/"+strconv.Itoa(int(f.code))] = n
		}
	}
	if len(b.values) > 0 {
		raw.Values = make(map[string]float64, len(b.values))
		for p, v := range b.values {
			raw.Values[p.server.String()+"/"+strconv.Itoa(int(p.unit))+"/"+p.table+"/"+strconv.Itoa(int(p.address))] = v
		}
	}
	return raw
}
