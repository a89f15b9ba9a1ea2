package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/window"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) contextRoutes(h huma.API) {
	tags := []string{"Context"}
	errs := []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	const standing = " A second is an attack where something of high or critical severity was detected in it; suspicious where something else was, or where its packets are over three times the minute's median (and 10 more) or under a third of it, or its destinations or failed connections are over three times theirs (and 5 more); else normal."
	register(s, h, huma.Operation{
		OperationID: "get-current-context", Method: http.MethodGet, Path: "/api/context/{facility_id}/current", Tags: tags,
		Summary: "The newest minute of a facility", Description: "Empty where nothing came yet or, where REDIS_URL is set, for an hour." + standing, Errors: errs,
	}, s.currentContext)
	register(s, h, huma.Operation{
		OperationID: "get-evidence", Method: http.MethodGet, Path: "/api/context/{alert_id}/evidence", Tags: tags,
		Summary: "The minute before an alert, and what it rests on", Description: "The seconds are as they were when the alert was raised; an alert that was reported from outside has none." + standing, Errors: errs,
	}, s.evidence)
	register(s, h, huma.Operation{
		OperationID: "get-timeline", Method: http.MethodGet, Path: "/api/context/{alert_id}/timeline", Tags: tags,
		Summary: "The minute before an alert", Description: "As they were when the alert was raised." + standing, Errors: errs,
	}, s.timeline)
}

// second is one second of a timeline.
type second struct {
	Time                 time.Time           `json:"time" example:"2026-03-01T08:00:00Z" doc:"Its beginning, data time."`
	PacketsPerSec        float64             `json:"packets_per_sec" example:"42" doc:"Packets in it."`
	UniqueDestIPs        int                 `json:"unique_dest_ips" example:"6" doc:"Addresses sent to."`
	ProtocolDistribution float64             `json:"protocol_distribution" example:"0.61" doc:"How mixed the protocols are: normalised Shannon entropy, 0 to 1."`
	Status               breakwater.Standing `json:"status" enum:"normal,suspicious,attack" example:"normal" doc:"How it stands beside its minute."`
}

func timelineOf(seconds []breakwater.Second) []second {
	out := make([]second, len(seconds))
	for i, s := range seconds {
		out[i] = second{s.Time, s.PacketsPerSec, s.UniqueDestIPs, s.ProtocolMix, s.Status}
	}
	return out
}

type currentRequest struct {
	FacilityID string `path:"facility_id" example:"plant-1" doc:"The facility's id."`
}

type current struct {
	FacilityID     string    `json:"facility_id" example:"plant-1" doc:"The facility."`
	WindowDuration int       `json:"window_duration" example:"60" doc:"Seconds that are looked back: 60."`
	Features       *features `json:"features" doc:"Means over the seconds that are known; null where none is."`
	Metrics        metrics   `json:"metrics" doc:"Sums over the seconds that are known."`
	Timeline       []second  `json:"timeline" nullable:"false" doc:"The seconds, oldest first."`
}

type features struct {
	PacketsPerSec        float64 `json:"packets_per_sec" example:"42.3" doc:"Packets a second."`
	BytesPerSec          float64 `json:"bytes_per_sec" example:"3120.5" doc:"Bytes a second on the wire."`
	UniqueSrcIPs         float64 `json:"unique_src_ips" example:"6" doc:"Sending addresses a second."`
	UniqueDestIPs        float64 `json:"unique_dest_ips" example:"6" doc:"Addresses sent to a second."`
	ProtocolDistribution float64 `json:"protocol_distribution" example:"0.61" doc:"Normalised Shannon entropy of the protocol mix, 0 to 1."`
	FailedConnections    float64 `json:"failed_connections" example:"0" doc:"Failed connection attempts a second."`
	AvgPacketSize        float64 `json:"avg_packet_size" example:"74" doc:"Bytes a packet."`
	InterArrivalTime     float64 `json:"inter_arrival_time" example:"23.6" doc:"Milliseconds between packets."`
}

type metrics struct {
	Seconds    int            `json:"seconds" minimum:"0" example:"60" doc:"How many seconds are known."`
	Packets    int64          `json:"packets" minimum:"0" example:"2520" doc:"Packets in them."`
	Bytes      int64          `json:"bytes" minimum:"0" example:"187230" doc:"Bytes in them."`
	Failed     int64          `json:"failed_connections" minimum:"0" example:"0" doc:"Connection attempts that failed."`
	Protocols  map[string]int `json:"protocols" example:"{\"modbus\":2400,\"arp\":120}" doc:"Packets by protocol."`
	Suspicious int            `json:"suspicious_seconds" minimum:"0" example:"0" doc:"Seconds that are suspicious."`
	Attack     int            `json:"attack_seconds" minimum:"0" example:"0" doc:"Seconds that are an attack."`
	Peak       float64        `json:"peak_packets_per_sec" minimum:"0" example:"61" doc:"Packets in the busiest second."`
}

func (s *server) currentContext(ctx context.Context, in *currentRequest) (*response[current], error) {
	if err := s.Store.CheckFacility(ctx, in.FacilityID); err != nil {
		return nil, err
	}
	now, err := s.Flow.Current(ctx, in.FacilityID)
	if err != nil {
		return nil, err
	}
	seconds := now.Seconds
	out := current{FacilityID: in.FacilityID, WindowDuration: int(window.ContextSpan / time.Second), Timeline: timelineOf(seconds)}
	out.Metrics.Protocols = map[string]int{}
	if len(seconds) == 0 {
		return &response[current]{out}, nil
	}
	f, m, n := &features{}, &out.Metrics, float64(len(seconds))
	for i := range seconds {
		w := &seconds[i]
		f.PacketsPerSec += w.PacketsPerSec / n
		f.BytesPerSec += w.BytesPerSec / n
		f.UniqueSrcIPs += float64(w.UniqueSrcIPs) / n
		f.UniqueDestIPs += float64(w.UniqueDestIPs) / n
		f.ProtocolDistribution += w.ProtocolMix / n
		f.FailedConnections += float64(w.FailedConns) / n
		f.AvgPacketSize += w.AvgPacketSize / n
		f.InterArrivalTime += w.InterArrivalMS / n
		m.Packets += int64(w.PacketsPerSec)
		m.Bytes += int64(w.BytesPerSec)
		m.Failed += int64(w.FailedConns)
		m.Peak = max(m.Peak, w.PacketsPerSec)
		for p, packets := range w.Raw.Protocols {
			m.Protocols[string(p)] += packets
		}
		switch w.Status {
		case breakwater.Suspicious:
			m.Suspicious++
		case breakwater.Attacked:
			m.Attack++
		}
	}
	m.Seconds, out.Features = len(seconds), f
	return &response[current]{out}, nil
}

type contextAlertID struct {
	ID string `path:"alert_id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert's id, a UUID."`
}

type evidence struct {
	AlertID        breakwater.ID   `json:"alert_id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert."`
	FacilityID     string          `json:"facility_id" example:"plant-1" doc:"The facility it happened at."`
	WindowDuration int             `json:"window_duration" example:"60" doc:"Seconds before the alert that are looked at: 60."`
	Timeline       []second        `json:"timeline" nullable:"false" doc:"Those seconds, oldest first."`
	Evidence       []said          `json:"evidence" nullable:"false" doc:"What each source says, in order of appearance."`
	Pattern        patternAnalysis `json:"pattern_analysis" doc:"What the sources say it is."`
}

type said struct {
	Model      string    `json:"model_name" example:"write-from-new-host" doc:"The rule or model."`
	Layer      int       `json:"layer" minimum:"1" maximum:"3" example:"1" doc:"Its layer."`
	Confidence float64   `json:"confidence" minimum:"0" maximum:"1" example:"0.9" doc:"How sure it is."`
	Technique  string    `json:"technique" example:"T0855" doc:"ATT&CK for ICS id; empty where it names none."`
	Evidence   string    `json:"evidence" example:"10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11." doc:"Who did what to whom, with figures."`
	Time       time.Time `json:"detection_time" example:"2026-03-01T08:00:00Z" doc:"Data time of its first detection."`
	Count      int       `json:"count" minimum:"1" example:"3" doc:"How often it happened."`
}

type patternAnalysis struct {
	Type        string  `json:"pattern_type" example:"write-from-new-host" doc:"The rule or model that speaks for the alert: its most severe, of equals its surest source."`
	Confidence  float64 `json:"confidence" minimum:"0" maximum:"1" example:"0.9" doc:"How sure the sources are together."`
	Description string  `json:"description" example:"3 detections by 1 model in 2m0s: write-from-new-host (3). Of the 60 s before: 1 suspicious." doc:"What was found by whom, and how the seconds before stood."`
}

func (s *server) evidence(ctx context.Context, in *contextAlertID) (*response[evidence], error) {
	a, seconds, err := s.frozen(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := evidence{AlertID: a.ID, FacilityID: a.FacilityID, WindowDuration: int(window.ContextSpan / time.Second), Timeline: timelineOf(seconds),
		Evidence: []said{}, Pattern: patternOf(a, seconds)}
	for _, src := range a.Sources {
		out.Evidence = append(out.Evidence, said{src.Model, src.Layer, src.Confidence, src.Technique, src.Evidence, src.DetectedAt, src.Count})
	}
	return &response[evidence]{out}, nil
}

type timeline struct {
	AlertID    breakwater.ID `json:"alert_id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert."`
	FacilityID string        `json:"facility_id" example:"plant-1" doc:"The facility it happened at."`
	Timeline   []second      `json:"timeline" nullable:"false" doc:"The seconds before it, oldest first."`
}

func (s *server) timeline(ctx context.Context, in *contextAlertID) (*response[timeline], error) {
	a, seconds, err := s.frozen(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &response[timeline]{timeline{a.ID, a.FacilityID, timelineOf(seconds)}}, nil
}

func (s *server) frozen(ctx context.Context, text string) (*breakwater.Alert, []breakwater.Second, error) {
	id, err := breakwater.ParseID(text)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.Store.Alert(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	seconds, err := s.Store.Evidence(ctx, id)
	return a, seconds, err
}

// patternOf says what the sources say, and no more.
func patternOf(a *breakwater.Alert, seconds []breakwater.Second) patternAnalysis {
	p := patternAnalysis{Confidence: a.Confidence, Description: a.Summary + "."}
	strongest := breakwater.Source{}
	for _, src := range a.Sources {
		if src.Severity.Rank() > strongest.Severity.Rank() || src.Severity == strongest.Severity && src.Confidence > strongest.Confidence {
			strongest = src
		}
	}
	p.Type = strongest.Model
	counts := map[breakwater.Standing]int{}
	for _, s := range seconds {
		counts[s.Status]++
	}
	delete(counts, breakwater.Normal)
	if len(seconds) > 0 {
		say := map[breakwater.Standing]string{breakwater.Suspicious: "suspicious", breakwater.Attacked: "an attack already"}
		var parts []string
		for _, standing := range slices.Sorted(maps.Keys(counts)) {
			parts = append(parts, fmt.Sprintf("%d %s", counts[standing], say[standing]))
		}
		if len(parts) == 0 {
			parts = []string{"none out of the ordinary"}
		}
		p.Description += fmt.Sprintf(" Of the %d s before: %s.", len(seconds), strings.Join(parts, ", "))
	}
	return p
}
