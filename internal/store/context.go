package store

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"time"

	"breakwater"
)

// Windows are the stored seconds of a facility that begin in [from, to), oldest first.
func (s *Store) Windows(ctx context.Context, facility string, from, to time.Time) ([]breakwater.Window, error) {
	var windows []breakwater.Window
	err := s.view(ctx, "reading network data of "+facility, func(tx *sql.Tx) (err error) {
		windows, err = windowsOf(ctx, tx, facility, from, to)
		return err
	})
	return windows, err
}

func windowsOf(ctx context.Context, tx *sql.Tx, facility string, from, to time.Time) ([]breakwater.Window, error) {
	return many(ctx, tx, func(w *breakwater.Window, scan func(...any) error) error {
		return scan(&w.FacilityID, (*stamp)(&w.Time), &w.PacketsPerSec, &w.BytesPerSec, &w.UniqueSrcIPs, &w.UniqueDestIPs, &w.ProtocolMix,
			&w.FailedConns, &w.AvgPacketSize, &w.InterArrivalMS, jsonText{&w.Raw})
	}, `SELECT facility_id, timestamp, packets_per_sec, bytes_per_sec, unique_src_ips, unique_dest_ips, protocol_distribution,
		failed_connections, avg_packet_size, inter_arrival_time, raw_features FROM network_data
		WHERE facility_id = $1 AND timestamp >= $2 AND timestamp < $3 ORDER BY timestamp`, facility, stamp(from), stamp(to))
}

// Detected is what was detected at a facility in [from, to), as far as the alerts' histories list it: time and severity
// alone.
func (s *Store) Detected(ctx context.Context, facility string, from, to time.Time) ([]breakwater.Detection, error) {
	var found []breakwater.Detection
	err := s.view(ctx, "reading what was detected at "+facility, func(tx *sql.Tx) (err error) {
		found, err = detectedAt(ctx, tx, facility, from, to)
		return err
	})
	return found, err
}

func detectedAt(ctx context.Context, tx *sql.Tx, facility string, from, to time.Time) ([]breakwater.Detection, error) {
	return many(ctx, tx, func(d *breakwater.Detection, scan func(...any) error) error {
		return scan((*stamp)(&d.Time), &d.Severity)
	}, `SELECT e.time, s.severity FROM alerts a JOIN alert_events e ON e.alert_id = a.id
		JOIN alert_sources s ON s.alert_id = a.id AND s.model_name = e.author
		WHERE a.facility_id = $1 AND a.last_seen >= $2 AND a.timestamp < $3 AND e.kind = 'detection' AND e.time >= $2 AND e.time < $3
		ORDER BY e.time LIMIT 10000`, facility, stamp(from), stamp(to))
}

// Evidence is the seconds before an alert as they were when it was raised, oldest first; none where nothing was known
// of them, as with an alert that was reported from outside. It does not look whether there is such an alert.
func (s *Store) Evidence(ctx context.Context, alert breakwater.ID) ([]breakwater.Second, error) {
	var packed []byte
	err := s.read.QueryRowContext(ctx, `SELECT seconds FROM alert_evidence WHERE alert_id = $1`, idText(alert)).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return []breakwater.Second{}, nil
	}
	if err != nil {
		return nil, s.failed("reading the evidence of alert "+alert.String(), err)
	}
	return unpack(packed)
}

// saveEvidence freezes the seconds before an alert that begins.
func saveEvidence(ctx context.Context, tx *sql.Tx, alert breakwater.ID, seconds []breakwater.Second) error {
	if len(seconds) == 0 {
		return nil
	}
	packed, err := pack(seconds)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO alert_evidence (alert_id, seconds) VALUES ($1, $2) ON CONFLICT (alert_id) DO NOTHING`, idText(alert), packed)
	return err
}

// pack makes of a minute's 20 to 40 KB of JSON one or two. Process values are left out: there may be a thousand in a
// second, and network_data has them.
func pack(seconds []breakwater.Second) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	slim := make([]breakwater.Second, len(seconds))
	for i, s := range seconds {
		s.Raw.Values = nil
		slim[i] = s
	}
	if err := json.NewEncoder(w).Encode(slim); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

func unpack(packed []byte) ([]breakwater.Second, error) {
	seconds := []breakwater.Second{}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err == nil {
		err = json.Unmarshal(text, &seconds)
	}
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "the evidence kept of an alert cannot be read", Err: err}
	}
	return seconds, nil
}
