package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"breakwater"
)

// TouchedAlert is an alert that a batch was about, as it is afterwards. Its History holds only what this batch
// added to it.
type TouchedAlert struct {
	*breakwater.Alert
	Created bool // this batch began it
	Changed bool // this batch began it or added to it; false: all of it had been counted before
	// Shown is what the batch's detections show of techniques; those that a mute covers do not count.
	Shown []breakwater.Sighting

	before []breakwater.Second // of one that begins: its evidence
	row    *alertRow           // that Alert is part of
}

// SaveBatch makes a batch durable in one transaction: its windows, what it says of assets and conversations, and its detections as
// alerts. Each detection, in order, goes to an alert of its asset that has counted it before (then nothing changes),
// else to the latest open alert that accepts it, else begins one. before, called once for each alert that begins, says
// how the network looked in the 60 s before that detection, which is kept with the alert; nil says nothing.
//
// It returns every alert the batch was about, once, in order of first mention, the unchanged ones too: who
// publishes them publishes a redelivered batch again. The same batch twice is the same alerts with the same counts,
// whatever was closed in between. Each alert's Version grows by one at most.
//
// Errors are of kind Invalid where the batch is wrong, and nothing of it is saved then.
func (s *Store) SaveBatch(ctx context.Context, b breakwater.Batch, before func(breakwater.Detection) breakwater.Context) ([]TouchedAlert, error) {
	return s.SaveNext(ctx, b, &Memory{Before: before})
}

// Memory is what a caller keeps of a facility between batches, beside the store.
type Memory struct {
	// Revision is that of the facility after the batch that was saved last; 0: none was. SaveNext sets it.
	Revision int64
	// Recall is given, where the facility has had other batches since, what is known of the 60 s before this one. It is
	// called before Before, perhaps for a batch that is not saved then. nil: what is kept does not hang on who saved it.
	Recall func([]breakwater.Window, []breakwater.Detection)
	Before func(breakwater.Detection) breakwater.Context
}

// SaveNext is SaveBatch for a caller who keeps something of the facility in memory, which other nodes do not know of: it
// tells whether that is all there is, in the transaction that saves the batch.
func (s *Store) SaveNext(ctx context.Context, b breakwater.Batch, m *Memory) ([]TouchedAlert, error) {
	b.Detections = clean(b.Detections)
	newest, err := CheckBatch(b)
	if err != nil {
		return nil, err
	}
	var touched []TouchedAlert
	var revision int64
	err = s.transact(ctx, s.write, nil, "saving a batch of facility "+b.FacilityID, func(conn *sql.Conn, tx *sql.Tx) error {
		if revision, err = touchFacility(ctx, tx, b, newest); err != nil {
			return err
		}
		if m.Recall != nil && m.Revision != 0 && m.Revision != revision-1 {
			if err := recall(ctx, tx, b, m); err != nil {
				return err
			}
		}
		if len(b.Windows) > 0 {
			if err := s.saveWindows(ctx, conn, tx, b.Windows, time.Now()); err != nil {
				return err
			}
		}
		if err := saveAssets(ctx, tx, b.FacilityID, b.Assets); err != nil {
			return err
		}
		if err := saveTalks(ctx, tx, b.FacilityID, b.Talks); err != nil {
			return err
		}
		touched, err = correlate(ctx, tx, b, m.Before)
		return err
	})
	if err != nil {
		return nil, err
	}
	m.Revision = revision
	return touched, nil
}

// recall reads what is known of the minute before a batch. The facility is locked: all that was saved of it is there.
func recall(ctx context.Context, tx *sql.Tx, b breakwater.Batch, m *Memory) error {
	var first time.Time
	switch {
	case len(b.Windows) > 0:
		first = b.Windows[0].Time
	case len(b.Detections) > 0:
		first = b.Detections[0].Time
	default:
		return nil
	}
	windows, err := windowsOf(ctx, tx, b.FacilityID, first.Add(-contextSpan), first)
	if err != nil {
		return err
	}
	found, err := detectedAt(ctx, tx, b.FacilityID, first.Add(-contextSpan), first)
	if err == nil {
		m.Recall(windows, found)
	}
	return err
}

// contextSpan is how far back the context of a moment reaches.
const contextSpan = time.Minute

// CheckBatch refuses what must not be stored, with an error of kind Invalid, and finds the newest data time.
func CheckBatch(b breakwater.Batch) (newest time.Time, err error) {
	if err := breakwater.CheckFacilityID(b.FacilityID); err != nil {
		return newest, err
	}
	bad := func(field, format string, args ...any) (time.Time, error) {
		return newest, &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf("a batch of facility "+b.FacilityID+" holds "+format, args...)}
	}
	for i := range b.Windows {
		w := &b.Windows[i]
		if w.FacilityID != b.FacilityID {
			return bad("windows.facility_id", "a window of facility %q", w.FacilityID)
		}
		if err := w.Check(); err != nil {
			return newest, err
		}
		if w.End().After(newest) {
			newest = w.End()
		}
	}
	detections := clean(b.Detections)
	for i := range detections {
		d := &detections[i]
		if d.FacilityID != b.FacilityID {
			return bad("detections.facility_id", "a detection of facility %q", d.FacilityID)
		}
		if err := d.Check(); err != nil {
			return newest, err
		}
		if d.Time.After(newest) {
			newest = d.Time
		}
	}
	for i := range b.Assets {
		a := &b.Assets[i]
		if a.FacilityID != b.FacilityID {
			return bad("assets.facility_id", "an asset of facility %q", a.FacilityID)
		}
		if err := a.Check(); err != nil {
			return newest, err
		}
		for _, t := range []time.Time{a.FirstSeen, a.LastSeen, a.MACSeen} {
			if !storable(t) {
				return bad("assets.last_seen", "an asset seen in year %d", t.Year())
			}
		}
	}
	for i := range b.Talks {
		t := &b.Talks[i]
		if t.FacilityID != b.FacilityID {
			return bad("talks.facility_id", "a conversation of facility %q", t.FacilityID)
		}
		if err := t.Check(); err != nil {
			return newest, err
		}
		if !storable(t.FirstSeen) || !storable(t.LastSeen) {
			return bad("talks.last_seen", "a conversation seen in year %d", t.LastSeen.Year())
		}
	}
	return newest, nil
}

// saveFacility makes the facility known and moves the data time at which it was last seen; zero moves nothing. Either
// way its row is locked until the transaction ends: what changes data of one facility takes turns.
func saveFacility(ctx context.Context, tx *sql.Tx, id string, seen time.Time) error {
	var last, heard any
	if !seen.IsZero() {
		last, heard = stamp(seen), stamp(time.Now())
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO facilities (id, last_seen, heard_at, revision) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, heard_at = excluded.heard_at
		WHERE facilities.last_seen IS NULL OR facilities.last_seen < excluded.last_seen`, id, last, heard, time.Now().UnixMilli())
	return err
}

// touchFacility is saveFacility for a batch, which makes another revision of the facility.
func touchFacility(ctx context.Context, tx *sql.Tx, b breakwater.Batch, newest time.Time) (revision int64, err error) {
	now := time.Now()
	var seen, heard, packets any
	if !newest.IsZero() {
		seen, heard = stamp(newest), stamp(now)
	}
	if n := len(b.Windows); n > 0 {
		packets = b.Windows[n-1].PacketsPerSec
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO facilities (id, last_seen, heard_at, packets_per_sec, revision) VALUES ($1, $2, $3, coalesce(CAST($4 AS double precision), 0), $5)
		ON CONFLICT (id) DO UPDATE SET
		 last_seen = CASE WHEN facilities.last_seen >= excluded.last_seen OR excluded.last_seen IS NULL THEN facilities.last_seen ELSE excluded.last_seen END,
		 heard_at = CASE WHEN facilities.last_seen >= excluded.last_seen OR excluded.last_seen IS NULL THEN facilities.heard_at ELSE excluded.heard_at END,
		 packets_per_sec = coalesce(CAST($4 AS double precision), facilities.packets_per_sec), revision = facilities.revision + 1
		RETURNING revision`, b.FacilityID, seen, heard, packets, now.UnixMilli()).Scan(&revision)
	return revision, err
}

// upsertWindow writes a window over what was known of its second: a capture that was cut short in the middle of a
// second is replayed whole later. Its arguments are windowValues, in the order of windowColumns.
var upsertWindow = `INSERT INTO network_data (` + strings.Join(windowColumns, ", ") + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
	ON CONFLICT (facility_id, timestamp) DO UPDATE SET
	 packets_per_sec = excluded.packets_per_sec, bytes_per_sec = excluded.bytes_per_sec,
	 unique_src_ips = excluded.unique_src_ips, unique_dest_ips = excluded.unique_dest_ips,
	 protocol_distribution = excluded.protocol_distribution, failed_connections = excluded.failed_connections,
	 avg_packet_size = excluded.avg_packet_size, inter_arrival_time = excluded.inter_arrival_time,
	 raw_features = excluded.raw_features, received_at = excluded.received_at`

var windowColumns = []string{"timestamp", "facility_id", "packets_per_sec", "bytes_per_sec", "unique_src_ips", "unique_dest_ips",
	"protocol_distribution", "failed_connections", "avg_packet_size", "inter_arrival_time", "raw_features", "received_at"}

func windowValues(w *breakwater.Window, received time.Time) []any {
	return []any{stamp(w.Time), w.FacilityID, w.PacketsPerSec, w.BytesPerSec, w.UniqueSrcIPs,
		w.UniqueDestIPs, w.ProtocolMix, w.FailedConns, w.AvgPacketSize, w.InterArrivalMS, jsonText{w.Raw}, stamp(received)}
}

// clean is detections as they will be read again and are shown: in UTC, and without the control characters and stray
// bytes that their text may have from packets, which not every engine keeps (see CheckText). Identity is that of the
// clean text.
func clean(detections []breakwater.Detection) []breakwater.Detection {
	detections = slices.Clone(detections) // they are the sender's
	for i := range detections {
		d := &detections[i]
		d.Time = d.Time.UTC()
		for _, text := range []*string{&d.Model, &d.Asset, &d.Technique, &d.TechniqueName, &d.Title, &d.Evidence, &d.LookAt} {
			*text = breakwater.CleanText(*text)
		}
	}
	return detections
}

// correlate takes the batch's detections into alerts and saves those that changed.
func correlate(ctx context.Context, tx *sql.Tx, b breakwater.Batch, before func(breakwater.Detection) breakwater.Context) ([]TouchedAlert, error) {
	near, err := alertsNear(ctx, tx, b)
	if err != nil {
		return nil, err
	}
	mutes, err := mutesOf(ctx, tx, b)
	if err != nil {
		return nil, err
	}
	var touched []*TouchedAlert
	mentioned := map[*TouchedAlert]bool{}
	for _, d := range b.Detections {
		a := choose(near[d.Asset], d)
		added := true
		if a == nil {
			a = touch(alertRow{Alert: *breakwater.NewAlert(d)})
			a.Created, a.Changed = true, true
			if before != nil {
				then := before(d)
				a.ContextAnalysis, a.before = then.Analysis, then.Seconds
			}
			near[d.Asset] = append(near[d.Asset], a)
		} else if added = a.Absorb(d); added {
			a.Changed = true
		}
		muted := false
		if added {
			muted = covered(mutes, d)
			a.Mark(d, muted)
			a.row.saw(d.Talk.Client, d.Time, d.Time)
		} else {
			muted = a.muted(d)
		}
		if d.Technique != "" && !muted {
			a.Shown = append(a.Shown, breakwater.Sighting{Technique: d.Technique, Name: d.TechniqueName, Time: d.Time, Alert: a.ID})
		}
		if !mentioned[a] {
			mentioned[a] = true
			touched = append(touched, a)
		}
	}
	var changed []*alertRow
	for _, a := range touched {
		if a.Changed {
			a.Version++
			changed = append(changed, a.row)
		}
	}
	if err := saveAlerts(ctx, tx, changed); err != nil {
		return nil, err
	}
	all := make([]TouchedAlert, len(touched))
	for i, a := range touched {
		if err := saveEvidence(ctx, tx, a.ID, a.before); err != nil {
			return nil, err
		}
		all[i] = *a
	}
	return all, nil
}

// muted reports whether the source of a detection that had been counted before is muted: a mute that was taken away since
// does not bring back what it kept quiet.
func (a *TouchedAlert) muted(d breakwater.Detection) bool {
	return slices.ContainsFunc(a.Sources, func(s breakwater.Source) bool { return s.Layer == d.Layer && s.Model == d.Model && s.Muted })
}

func touch(r alertRow) *TouchedAlert { return &TouchedAlert{Alert: &r.Alert, row: &r} }

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
// the batch: those whose span, stretched by CorrelationSpan, meets the span of the asset's detections. The facility is
// locked, so nobody changes them before this transaction does.
func alertsNear(ctx context.Context, tx *sql.Tx, b breakwater.Batch) (map[string][]*TouchedAlert, error) {
	type fromTo struct{ from, to time.Time }
	spans := map[string]fromTo{}
	for _, d := range b.Detections {
		span, ok := spans[d.Asset]
		if !ok || d.Time.Before(span.from) {
			span.from = d.Time
		}
		if !ok || d.Time.After(span.to) {
			span.to = d.Time
		}
		spans[d.Asset] = span
	}
	near := make(map[string][]*TouchedAlert, len(spans))
	for asset, span := range spans {
		alerts, err := selectAlerts(ctx, tx,
			`WHERE facility_id = $1 AND asset = $2 AND last_seen >= $3 AND timestamp <= $4 AND NOT external ORDER BY timestamp, id`,
			b.FacilityID, asset, stamp(span.from.Add(-breakwater.CorrelationSpan)), stamp(span.to.Add(time.Millisecond)))
		if err != nil {
			return nil, err
		}
		for i := range alerts {
			alerts[i].terms = terms(&alerts[i].Alert)
			near[asset] = append(near[asset], touch(alerts[i]))
		}
	}
	return near, nil
}
