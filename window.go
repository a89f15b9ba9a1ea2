package breakwater

import (
	"fmt"
	"math"
	"time"
)

// Window is one second of one facility's network: eight features that detectors and models score, and what they
// were counted from. The names are those of the table network_data.
type Window struct {
	FacilityID string    `json:"facility_id"`
	Time       time.Time `json:"timestamp"` // its beginning, a whole second; it ends one second later

	PacketsPerSec  float64 `json:"packets_per_sec"`
	BytesPerSec    float64 `json:"bytes_per_sec"` // on the wire
	UniqueSrcIPs   int     `json:"unique_src_ips"`
	UniqueDestIPs  int     `json:"unique_dest_ips"`
	ProtocolMix    float64 `json:"protocol_distribution"` // Shannon entropy of packets by protocol over log(protocols seen), 0–1; 0 for one protocol or none
	FailedConns    int     `json:"failed_connections"`    // refused or unanswered attempts whose failure showed in this second
	AvgPacketSize  float64 `json:"avg_packet_size"`       // bytes, 0 in silence
	InterArrivalMS float64 `json:"inter_arrival_time"`    // ms, mean between packets of this second; 0 with fewer than two

	Raw RawFeatures `json:"raw_features"`
}

// RawFeatures are the counts behind a Window.
type RawFeatures struct {
	Protocols map[Protocol]int   `json:"protocols,omitempty"` // packets
	Functions map[string]int     `json:"functions,omitempty"` // requests by "protocol/function", as "modbus/3"
	Values    map[string]float64 `json:"values,omitempty"`    // the last value read or written in this second by "server/unit/table/address", as "10.0.0.11/1/holding/4"; bounded
}

// Check refuses what no second can have, whoever counted it. The error is of kind Invalid; it names the field as in JSON.
func (w *Window) Check() error {
	bad := func(field, format string, args ...any) error {
		return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf("a window of facility "+w.FacilityID+" "+format, args...)}
	}
	if err := CheckFacilityID(w.FacilityID); err != nil {
		return err
	}
	if y := w.Time.UTC().Year(); y < 1970 || y > 9998 || !w.Time.Truncate(time.Second).Equal(w.Time) {
		return bad("timestamp", "has timestamp %s, which is not the beginning of a second, as 2026-03-01T08:00:00Z is", w.Time.Format(time.RFC3339Nano))
	}
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"packets_per_sec", w.PacketsPerSec}, {"bytes_per_sec", w.BytesPerSec}, {"avg_packet_size", w.AvgPacketSize}, {"inter_arrival_time", w.InterArrivalMS},
		{"unique_src_ips", float64(w.UniqueSrcIPs)}, {"unique_dest_ips", float64(w.UniqueDestIPs)}, {"failed_connections", float64(w.FailedConns)},
	} {
		if !(f.value >= 0 && f.value <= math.MaxInt32*1e6) { // not a number too
			return bad(f.name, "has %s %v, which cannot be", f.name, f.value)
		}
	}
	if !(w.ProtocolMix >= 0 && w.ProtocolMix <= 1) {
		return bad("protocol_distribution", "has protocol_distribution %v: 0 to 1 are possible", w.ProtocolMix)
	}
	return nil
}

// End is the first instant after the window.
func (w *Window) End() time.Time { return w.Time.Add(time.Second) }

// Standing says how a second is judged beside the minute it lies in.
type Standing string

// The standings.
const (
	Normal     Standing = "normal"
	Suspicious Standing = "suspicious" // a detection of low or medium severity, or far off the minute's middle
	Attacked   Standing = "attack"     // a detection of high or critical severity
)

// Second is one second of the context of a moment: a window and how it is judged.
type Second struct {
	Window
	Status Standing `json:"status"`
}

// Context is how a facility's network looked before a moment.
type Context struct {
	Analysis string   // in one sentence, "" where nothing is known
	Seconds  []Second // at most 60, oldest first
}
