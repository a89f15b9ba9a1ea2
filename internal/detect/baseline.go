package detect

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"
)

// The kinds of thing a baseline knows.
const (
	kindDevice    = "device"    // an address that sent packets, and the MACs it had
	kindLink      = "link"      // a MAC that sent packets: what a link-local address, or none, is known by
	kindPair      = "pair"      // a client that talked with a server about a service, and was answered
	kindFunction  = "function"  // a client that used a function, on whatever server
	kindWriter    = "writer"    // a client that wrote to a server
	kindAddresses = "addresses" // the addresses of a server's table that anyone read, and those that anyone wrote
	kindMalformed = "malformed" // a sender of malformed messages, and to whom
	kindRate      = "rate"      // the most that a counting rule has counted for one key
	kindTraffic   = "traffic"   // the most packets in one second
)

// kindMax bounds the entries of each kind, so that a flood of invented addresses while learning cannot grow the
// baseline for ever. What comes after the bound is not learned and counted in Baseline.left: it will alert later,
// which is the safe side.
const kindMax = 32_768

// spansMax bounds the ranges kept of one table of a server; the two that lie closest are joined beyond it.
const spansMax = 64

// macsMax bounds the MACs kept of one address. Beyond it the newest takes the place of the oldest.
const macsMax = 8

// key names one thing that was learned. Which fields are set depends on the kind.
type key struct {
	kind     string
	a, b     netip.Addr // device, or client and server
	mac      breakwater.MAC
	protocol breakwater.Protocol
	n        uint32 // pair: server port; function: function | subfunction<<8; addresses: unit<<8 | written | table
	rule     string // rate
}

// seen is what is known of one key.
type seen struct {
	first, last time.Time
	count       int64
	max         float64 // rate, traffic
	spans       []span  // addresses, sorted, apart
	macs        []breakwater.MAC
}

// touch counts one sight. What is learned may be older than what was learned before.
func (s *seen) touch(t time.Time) {
	if s.count == 0 || t.Before(s.first) {
		s.first = t
	}
	if s.count == 0 || t.After(s.last) {
		s.last = t
	}
	s.count++
}

// span is the addresses from lo to hi, both included.
type span struct{ lo, hi uint32 }

// Baseline is what is normal on one facility's network: who is there, who talks with whom about what, which
// functions each client uses, who writes where, and how much of what counting rules count is usual. It is for one
// goroutine; an Engine that learns writes into it.
type Baseline struct {
	known map[key]*seen
	kinds map[string]int // entries of each kind
	left  int64          // what a full kind left out
}

// NewBaseline is a baseline that knows nothing.
func NewBaseline() *Baseline {
	return &Baseline{known: map[key]*seen{}, kinds: map[string]int{}}
}

// Empty reports whether nothing was learned.
func (b *Baseline) Empty() bool { return len(b.known) == 0 }

// get is the entry of k, made where there is none; nil where its kind is full.
func (b *Baseline) get(k key) *seen {
	if s := b.known[k]; s != nil {
		return s
	}
	if b.kinds[k.kind] >= kindMax {
		b.left++
		return nil
	}
	s := &seen{}
	b.known[k] = s
	b.kinds[k.kind]++
	return s
}

// learn notes that k was seen at t.
func (b *Baseline) learn(k key, t time.Time) *seen {
	s := b.get(k)
	if s != nil {
		s.touch(t)
	}
	return s
}

// covers reports whether every address of p was read or written before.
func (s *seen) covers(p span) bool {
	if s == nil {
		return false
	}
	i, found := slices.BinarySearchFunc(s.spans, p.lo, func(o span, lo uint32) int { return cmp.Compare(o.lo, lo) })
	if !found {
		i--
	}
	return i >= 0 && s.spans[i].lo <= p.lo && p.hi <= s.spans[i].hi
}

// add takes the addresses of p in. Neighbours are joined.
func (s *seen) add(p span) {
	s.spans = append(s.spans, p)
	slices.SortFunc(s.spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	out := s.spans[:1]
	for _, o := range s.spans[1:] {
		if last := &out[len(out)-1]; uint64(o.lo) <= uint64(last.hi)+1 {
			last.hi = max(last.hi, o.hi)
		} else {
			out = append(out, o)
		}
	}
	for len(out) > spansMax {
		best := 1
		for i := 2; i < len(out); i++ {
			if out[i].lo-out[i-1].hi < out[best].lo-out[best-1].hi {
				best = i
			}
		}
		out[best-1].hi = out[best].hi
		out = slices.Delete(out, best, best+1)
	}
	s.spans = out
}

// addMAC notes that an address was seen with a MAC.
func (s *seen) addMAC(m breakwater.MAC) {
	if m == (breakwater.MAC{}) || slices.Contains(s.macs, m) {
		return
	}
	if len(s.macs) == macsMax {
		s.macs = slices.Delete(s.macs, 0, 1)
	}
	s.macs = append(s.macs, m)
}

// Merge takes in what o knows: the union of both, counts added, the greater of each rate.
func (b *Baseline) Merge(o *Baseline) {
	for _, k := range o.sorted() {
		from := o.known[k]
		s := b.get(k)
		if s == nil {
			continue
		}
		if s.count == 0 || from.first.Before(s.first) {
			s.first = from.first
		}
		if from.last.After(s.last) {
			s.last = from.last
		}
		s.count += from.count
		s.max = max(s.max, from.max)
		for _, p := range from.spans {
			s.add(p)
		}
		for _, m := range from.macs {
			s.addMAC(m)
		}
	}
	b.left += o.left
}

// sorted is the keys in the order they are shown and saved in.
func (b *Baseline) sorted() []key {
	keys := make([]key, 0, len(b.known))
	for k := range b.known {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y key) int {
		return cmp.Or(cmp.Compare(x.kind, y.kind), x.a.Compare(y.a), x.b.Compare(y.b), bytes.Compare(x.mac[:], y.mac[:]),
			cmp.Compare(x.protocol, y.protocol), cmp.Compare(x.n, y.n), cmp.Compare(x.rule, y.rule))
	})
	return keys
}

// Entry is one thing that was learned, in words for a listing.
type Entry struct {
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
	First   time.Time `json:"first_seen"` // data time
	Last    time.Time `json:"last_seen"`
	Count   int64     `json:"count"`
}

// Entries is all that was learned, by kind and subject.
func (b *Baseline) Entries() []Entry {
	entries := make([]Entry, 0, len(b.known))
	for _, k := range b.sorted() {
		s := b.known[k]
		e := Entry{Kind: k.kind, First: s.first, Last: s.last, Count: s.count}
		talk := k.a.String()
		if k.b.IsValid() {
			talk += " → " + k.b.String()
		}
		switch k.kind {
		case kindDevice:
			macs := make([]string, len(s.macs))
			for i, m := range s.macs {
				macs[i] = m.String()
			}
			e.Subject, e.Detail = k.a.String(), "MAC "+cmp.Or(strings.Join(macs, ", "), "unknown")
		case kindLink:
			e.Subject, e.Detail = k.mac.String(), "sends"
		case kindPair:
			e.Subject, e.Detail = talk, serviceWords(k.protocol, uint16(k.n))
		case kindFunction:
			e.Subject, e.Detail = k.a.String(), fmt.Sprintf("uses %s function %d", k.protocol, k.n&0xff)
			if sub := k.n >> 8; sub != 0 {
				e.Detail += fmt.Sprintf("/%d", sub)
			}
		case kindWriter:
			e.Subject, e.Detail = talk, "writes"
		case kindAddresses:
			parts := make([]string, len(s.spans))
			for i, p := range s.spans {
				parts[i] = p.String()
			}
			e.Subject = k.a.String()
			access := "read"
			if k.n&written != 0 {
				access = "written"
			}
			e.Detail = fmt.Sprintf("unit %d: %s %s are %s", k.n>>8, table(k.n&0xff&^written), strings.Join(parts, ", "), access)
		case kindMalformed:
			e.Subject, e.Detail = talk, "sends malformed "+string(k.protocol)
		case kindRate:
			e.Subject, e.Detail = talk, fmt.Sprintf("at most %.0f for rule %s", s.max, k.rule)
		case kindTraffic:
			e.Subject, e.Detail = "network", fmt.Sprintf("at most %.0f packets a second", s.max)
		}
		entries = append(entries, e)
	}
	return entries
}

func (p span) String() string {
	if p.lo == p.hi {
		return strconv.FormatUint(uint64(p.lo), 10)
	}
	return fmt.Sprintf("%d-%d", p.lo, p.hi)
}

// serviceWords names what is talked about: "modbus (502)", "tcp 4444", "icmp".
func serviceWords(p breakwater.Protocol, port uint16) string {
	switch {
	case port == 0:
		return string(p)
	case p == breakwater.TCP || p == breakwater.UDP:
		return fmt.Sprintf("%s %d", p, port)
	}
	return fmt.Sprintf("%s (%d)", p, port)
}

// baselineVersion is the version of the saved form. A reader refuses what it does not know.
const baselineVersion = 1

// The saved form: one object per entry, in a stable order, with the fields its kind has.
type (
	savedBaseline struct {
		Version int          `json:"version"`
		Left    int64        `json:"left_out,omitempty"`
		Entries []savedEntry `json:"entries"`
	}
	savedEntry struct {
		Kind      string              `json:"kind"`
		Addr      netip.Addr          `json:"addr,omitzero"` // device, function, addresses: of whom
		Client    netip.Addr          `json:"client,omitzero"`
		Server    netip.Addr          `json:"server,omitzero"`
		MAC       string              `json:"mac,omitempty"`
		MACs      []string            `json:"macs,omitempty"`
		Protocol  breakwater.Protocol `json:"protocol,omitempty"`
		Port      uint16              `json:"port,omitempty"`
		Function  uint32              `json:"function,omitempty"`
		Sub       uint32              `json:"subfunction,omitempty"`
		Unit      uint32              `json:"unit,omitempty"`
		Table     string              `json:"table,omitempty"`
		Written   bool                `json:"written,omitempty"`
		Addresses [][2]uint32         `json:"addresses,omitempty"` // first and last of each range
		Rule      string              `json:"rule,omitempty"`
		Max       float64             `json:"max,omitempty"`
		First     time.Time           `json:"first_seen"`
		Last      time.Time           `json:"last_seen"`
		Count     int64               `json:"count"`
	}
)

// MarshalJSON is the saved form: versioned, the same bytes for the same knowledge.
func (b *Baseline) MarshalJSON() ([]byte, error) {
	out := savedBaseline{Version: baselineVersion, Left: b.left, Entries: make([]savedEntry, 0, len(b.known))}
	for _, k := range b.sorted() {
		s := b.known[k]
		e := savedEntry{Kind: k.kind, Protocol: k.protocol, MAC: k.mac.String(), Rule: k.rule, Max: s.max,
			First: s.first.UTC(), Last: s.last.UTC(), Count: s.count}
		switch k.kind {
		case kindPair, kindWriter, kindMalformed, kindRate:
			e.Client, e.Server = k.a, k.b
		default:
			e.Addr = k.a
		}
		switch k.kind {
		case kindPair:
			e.Port = uint16(k.n)
		case kindFunction:
			e.Function, e.Sub = k.n&0xff, k.n>>8
		case kindAddresses:
			e.Unit, e.Table, e.Written = k.n>>8, table(k.n&0xff&^written).String(), k.n&written != 0
		}
		for _, p := range s.spans {
			e.Addresses = append(e.Addresses, [2]uint32{p.lo, p.hi})
		}
		for _, m := range s.macs {
			e.MACs = append(e.MACs, m.String())
		}
		out.Entries = append(out.Entries, e)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the saved form in place of what b knows. Input is hostile: what no Engine could have learned
// is refused, with the entry's number. The error is of kind Invalid.
func (b *Baseline) UnmarshalJSON(text []byte) error {
	var in savedBaseline
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return invalid("baseline", err, "the baseline is not JSON as Breakwater saves it")
	}
	if in.Version != baselineVersion {
		return invalid("version", nil, "the baseline has version %d, this program reads version %d: learn anew or use the program that saved it", in.Version, baselineVersion)
	}
	read := NewBaseline()
	read.left = max(0, in.Left)
	for i := range in.Entries {
		if problem := read.restore(&in.Entries[i]); problem != "" {
			return invalid(fmt.Sprintf("entries[%d]", i), nil, "entry %d of the baseline (%.40q) %s", i, in.Entries[i].Kind, problem)
		}
	}
	*b = *read
	return nil
}

// key is what a saved entry is about, and what is wrong with it, "" where nothing is.
func (e *savedEntry) key() (k key, problem string) {
	k = key{kind: e.Kind}
	if len(e.Protocol) > 32 || len(e.Rule) > 64 || len(e.Addresses) > spansMax || len(e.MACs) > macsMax {
		return k, "is larger than any that is saved"
	}
	if zoned(e.Addr) || zoned(e.Client) || zoned(e.Server) {
		return k, "has an address with a zone"
	}
	switch e.Kind {
	case kindPair, kindWriter, kindMalformed:
		k.a, k.b = e.Client, e.Server
		if !k.a.IsValid() || !k.b.IsValid() {
			return k, "names no client or no server"
		}
	case kindDevice, kindFunction, kindAddresses:
		if k.a = e.Addr; !k.a.IsValid() {
			return k, "names no addr"
		}
	}
	switch e.Kind {
	case kindDevice, kindWriter, kindTraffic:
	case kindLink:
		problem = readMAC(&k.mac, e.MAC)
	case kindMalformed:
		k.protocol = e.Protocol
	case kindPair:
		k.protocol, k.n = e.Protocol, uint32(e.Port)
	case kindFunction:
		k.protocol, k.n = e.Protocol, e.Function|e.Sub<<8
		if e.Function > 0xff || e.Sub > 0xffff {
			return k, "has a function over 255 or a subfunction over 65535"
		}
	case kindAddresses:
		t, ok := tableNamed(e.Table)
		if !ok || e.Unit > 0xff {
			return k, "has no table (coils, discrete inputs, registers, input registers) or a unit over 255"
		}
		k.protocol, k.n = e.Protocol, e.Unit<<8|uint32(t)
		if e.Written {
			k.n |= written
		}
	case kindRate:
		k.a, k.b, k.rule = e.Client, e.Server, e.Rule
		if e.Rule == "" {
			return k, "names no rule"
		}
		if e.MAC != "" {
			problem = readMAC(&k.mac, e.MAC)
		}
	default:
		problem = "is of a kind that is not known"
	}
	return k, problem
}

// readMAC reads a saved MAC, and says what is wrong with it.
func readMAC(m *breakwater.MAC, text string) (problem string) {
	var err error
	if *m, err = parseMAC(text); err != nil {
		problem = "has a MAC that is none: " + err.Error()
	}
	return problem
}

// restore takes one saved entry in and says what is wrong with it, "" where nothing is.
func (b *Baseline) restore(e *savedEntry) string {
	k, problem := e.key()
	if problem != "" {
		return problem
	}
	if e.Count < 1 || e.Last.Before(e.First) || math.IsNaN(e.Max) || e.Max < 0 {
		return "has a count below 1, a negative max, or a last_seen before its first_seen"
	}
	if _, twice := b.known[k]; twice {
		return "is there twice"
	}
	s := b.get(k)
	if s == nil {
		return fmt.Sprintf("is one more than the %d of its kind that are kept", kindMax)
	}
	s.first, s.last, s.count, s.max = e.First, e.Last, e.Count, e.Max
	for _, p := range e.Addresses {
		if p[0] > p[1] {
			return "has a range of addresses that ends before it begins"
		}
		s.add(span{p[0], p[1]})
	}
	for _, text := range e.MACs {
		var m breakwater.MAC
		if problem := readMAC(&m, text); problem != "" {
			return problem
		}
		s.addMAC(m)
	}
	return ""
}

// parseMAC reads the form that MAC.String writes.
func parseMAC(text string) (m breakwater.MAC, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if copy(m[:], b); err != nil || len(b) != len(m) || m.String() != text {
		return m, fmt.Errorf("%.40q is no MAC like 02:00:0a:00:00:01", text)
	}
	return m, nil
}

func zoned(a netip.Addr) bool { return a.Zone() != "" }

// invalid is an error of kind Invalid about one input.
func invalid(field string, cause error, format string, args ...any) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf(format, args...), Err: cause}
}
