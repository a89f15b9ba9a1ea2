package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"breakwater"
)

// TouchedAlert is an alert that a batch was about, as it is afterwards. Its History holds only what this batch
// added to it.
type TouchedAlert struct {
	*breakwater.Alert
	Created bool // this batch began it
	Changed bool // this batch began it or added to it; false: all of it had been counted before
}

// SaveBatch makes a batch durable in one transaction: its windows, and its detections as alerts. Each detection, in
// order, goes to an alert of its asset that has counted it before (then nothing changes), else to the latest open
// alert that accepts it, else begins one. analysis, called once for each alert that begins, says how the network
// looked in the 60 s before that detection; nil says nothing.
//
// It returns every alert the batch was about, once, in order of first mention, the unchanged ones too: who
// publishes them publishes a redelivered batch again. The same batch twice is the same alerts with the same counts,
// whatever was closed in between. Each alert's Version grows by one at most.
//
// Errors are of kind Invalid where the batch is wrong, and nothing of it is saved then.
func (s *Store) SaveBatch(ctx context.Context, b breakwater.Batch, analysis func(breakwater.Detection) string) ([]TouchedAlert, error) {
	newest, err := checkBatch(b)
	if err != nil {
		return nil, err
	}
	var touched []TouchedAlert
	err = s.change(ctx, "saving a batch of facility "+b.FacilityID, func(tx *sql.Tx) error {
		if err := saveFacility(ctx, tx, b.FacilityID, newest); err != nil {
			return err
		}
		if err := saveWindows(ctx, tx, b.Windows); err != nil {
			return err
		}
		touched, err = correlate(ctx, tx, b, analysis)
		return err
	})
	if err != nil {
		return nil, err
	}
	return touched, nil
}

// checkBatch refuses what must not be stored and finds the newest data time.
func checkBatch(b breakwater.Batch) (newest time.Time, err error) {
	if err := breakwater.CheckFacilityID(b.FacilityID); err != nil {
		return newest, err
	}
	bad := func(field, format string, args ...any) (time.Time, error) {
		return newest, &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf("a batch of facility "+b.FacilityID+" holds "+format, args...)}
	}
	for i := range b.Windows {
		w := &b.Windows[i]
		switch {
		case w.FacilityID != b.FacilityID:
			return bad("windows.facility_id", "a window of facility %q", w.FacilityID)
		case !storable(w.Time):
			return bad("windows.timestamp", "a window of year %d", w.Time.Year())
		case w.End().After(newest):
			newest = w.End()
		}
	}
	for i := range b.Detections {
		d := &b.Detections[i]
		switch {
		case d.FacilityID != b.FacilityID:
			return bad("detections.facility_id", "a detection of facility %q", d.FacilityID)
		case !storable(d.Time):
			return bad("detections.time", "a detection of year %d", d.Time.Year())
		case d.Asset == "" || d.Model == "":
			return bad("detections.asset", "a detection without asset or model")
		case d.Layer < breakwater.LayerAnomaly || d.Layer > breakwater.LayerPrediction:
			return bad("detections.layer", "a detection of layer %d: layers are 1 to 3", d.Layer)
		case d.Severity.Rank() == 0:
			return bad("detections.severity", "a detection of severity %q", string(d.Severity))
		case !(d.Confidence >= 0 && d.Confidence <= 1): // not a number too
			return bad("detections.confidence", "a detection of confidence %v: confidence is 0 to 1", d.Confidence)
		case d.Count < 1:
			return bad("detections.count", "a detection that happened %d times", d.Count)
		case d.Time.After(newest):
			newest = d.Time
		}
	}
	return newest, nil
}

// saveFacility makes the facility known and moves the data time at which it was last seen; zero moves nothing.
func saveFacility(ctx context.Context, tx *sql.Tx, id string, seen time.Time) error {
	var last any
	if !seen.IsZero() {
		last = stamp(seen)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO facilities (id, last_seen) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen
		WHERE facilities.last_seen IS NULL OR facilities.last_seen < excluded.last_seen`, id, last)
	return err
}

// saveWindows writes each window over what was known of its second: a capture that was cut short in the middle of a
// second is replayed whole later.
func saveWindows(ctx context.Context, tx *sql.Tx, windows []breakwater.Window) error {
	if len(windows) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO network_data
		(timestamp, facility_id, packets_per_sec, bytes_per_sec, unique_src_ips, unique_dest_ips,
		 protocol_distribution, failed_connections, avg_packet_size, inter_arrival_time, raw_features)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (facility_id, timestamp) DO UPDATE SET
		 packets_per_sec = excluded.packets_per_sec, bytes_per_sec = excluded.bytes_per_sec,
		 unique_src_ips = excluded.unique_src_ips, unique_dest_ips = excluded.unique_dest_ips,
		 protocol_distribution = excluded.protocol_distribution, failed_connections = excluded.failed_connections,
		 avg_packet_size = excluded.avg_packet_size, inter_arrival_time = excluded.inter_arrival_time,
		 raw_features = excluded.raw_features`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range windows {
		w := &windows[i]
		if _, err := insert.ExecContext(ctx, stamp(w.Time), w.FacilityID, w.PacketsPerSec, w.BytesPerSec, w.UniqueSrcIPs,
			w.UniqueDestIPs, w.ProtocolMix, w.FailedConns, w.AvgPacketSize, w.InterArrivalMS, jsonText{w.Raw}); err != nil {
			return err
		}
	}
	return nil
}

// correlate takes the batch's detections into alerts and saves those that changed.
func correlate(ctx context.Context, tx *sql.Tx, b breakwater.Batch, analysis func(breakwater.Detection) string) ([]TouchedAlert, error) {
	near, err := alertsNear(ctx, tx, b)
	if err != nil {
		return nil, err
	}
	var touched []*TouchedAlert
	mentioned := map[*TouchedAlert]bool{}
	for _, d := range b.Detections {
		d.Time = d.Time.UTC() // as it will be read again and is shown
		a := choose(near[d.Asset], d)
		if a == nil {
			a = &TouchedAlert{Alert: breakwater.NewAlert(d), Created: true, Changed: true}
			if analysis != nil {
				a.ContextAnalysis = analysis(d)
			}
			near[d.Asset] = append(near[d.Asset], a)
		} else if a.Absorb(d) {
			a.Changed = true
		}
		if !mentioned[a] {
			mentioned[a] = true
			touched = append(touched, a)
		}
	}
	all := make([]TouchedAlert, len(touched))
	for i, a := range touched {
		if a.Changed {
			a.Version++
			if err := saveAlert(ctx, tx, a.Alert); err != nil {
				return nil, err
			}
		}
		all[i] = *a
	}
	return all, nil
}

// choose is the alert that a detection belongs to: one that has counted it, open or closed; else the latest open
// one that accepts it; else nil, and it begins its own. An alert whose id it would get is its own too: ids tell
// beginnings apart by the millisecond, and such an alert was begun by this model in this millisecond.
func choose(alerts []*TouchedAlert, d breakwater.Detection) *TouchedAlert {
	var latest, same *TouchedAlert
	id := breakwater.NewID(d.Time, d.FacilityID, d.Asset, d.Model)
	for _, a := range alerts {
		if a.Counted(d) {
			return a
		}
		if a.Accepts(d) && (latest == nil || a.Timestamp.After(latest.Timestamp)) {
			latest = a
		}
		if a.ID == id {
			same = a
		}
	}
	if latest == nil {
		return same
	}
	return latest
}

// alertsNear loads, by asset, every alert, open or closed, that could have counted or could accept a detection of
// the batch: those whose span, stretched by CorrelationSpan, meets the span of the asset's detections.
func alertsNear(ctx context.Context, tx *sql.Tx, b breakwater.Batch) (map[string][]*TouchedAlert, error) {
	type span struct{ from, to time.Time }
	spans := map[string]span{}
	for _, d := range b.Detections {
		s, ok := spans[d.Asset]
		if !ok || d.Time.Before(s.from) {
			s.from = d.Time
		}
		if !ok || d.Time.After(s.to) {
			s.to = d.Time
		}
		spans[d.Asset] = s
	}
	near := make(map[string][]*TouchedAlert, len(spans))
	for asset, s := range spans {
		alerts, err := selectAlerts(ctx, tx, `WHERE facility_id = $1 AND asset = $2 AND last_seen >= $3 AND timestamp <= $4 ORDER BY timestamp, id`,
			b.FacilityID, asset, stamp(s.from.Add(-breakwater.CorrelationSpan)), stamp(s.to.Add(time.Millisecond)))
		if err != nil {
			return nil, err
		}
		for i := range alerts {
			near[asset] = append(near[asset], &TouchedAlert{Alert: &alerts[i]})
		}
	}
	return near, nil
}
