package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"breakwater"
)

// MaxFacilities is the most facilities that an overview lists.
const MaxFacilities = 1000

// HeardOf is what shows that a facility is heard of: it grows with each batch, and each hello of its sensor, whichever node
// they come to.
type HeardOf struct {
	Revision int64
	Hello    time.Time // wall time; zero: no sensor said any
}

// Heard lists the facilities, by id, with what shows that they are heard of. It costs little: ask each second.
func (s *Store) Heard(ctx context.Context) (facilities []breakwater.FacilityStatus, heard []HeardOf, err error) {
	err = s.view(ctx, "looking who is heard of", func(tx *sql.Tx) (err error) {
		facilities, heard, err = selectHeard(ctx, tx)
		return err
	})
	return facilities, heard, err
}

func selectHeard(ctx context.Context, tx *sql.Tx) (facilities []breakwater.FacilityStatus, heard []HeardOf, err error) {
	type row struct {
		breakwater.FacilityStatus
		HeardOf
	}
	rows, err := many(ctx, tx, func(f *row, scan func(...any) error) error {
		var seen *stamp
		var active bool
		if err := scan(&f.ID, &seen, &active, &f.PacketsPerSec, &f.Version, &f.Revision, (*stamp)(&f.Hello)); err != nil {
			return err
		}
		f.Name, f.Status, f.LastSeen = f.ID, breakwater.Active, (*time.Time)(seen)
		if !active {
			f.Status, f.PacketsPerSec = breakwater.Silent, 0
		}
		return nil
	}, `SELECT f.id, f.last_seen, f.active, f.packets_per_sec, f.turned, f.revision, s.heard
		FROM facilities f LEFT JOIN sensors s ON s.facility_id = f.id ORDER BY f.id LIMIT $1`, MaxFacilities)
	facilities, heard = make([]breakwater.FacilityStatus, len(rows)), make([]HeardOf, len(rows))
	for i, r := range rows {
		facilities[i], heard[i] = r.FacilityStatus, r.HeardOf
	}
	return facilities, heard, err
}

// Revision is that of a facility, which each batch raises, and the data time it has reached; zero where it is not known.
func (s *Store) Revision(ctx context.Context, facility string) (revision int64, seen time.Time, err error) {
	var last *stamp
	err = s.read.QueryRowContext(ctx, `SELECT revision, last_seen FROM facilities WHERE id = $1`, facility).Scan(&revision, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, seen, nil
	}
	if last != nil {
		seen = time.Time(*last)
	}
	return revision, seen, s.failed("reading the revision of facility "+facility, err)
}

// Turn notes that a facility is heard of again, or has fallen silent, in the database and in f, as its next version.
func (s *Store) Turn(ctx context.Context, f *breakwater.FacilityStatus, to breakwater.Presence, now time.Time) error {
	err := s.change(ctx, "noting that facility "+f.ID+" is "+string(to), func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `UPDATE facilities SET active = $2, turned = CASE WHEN turned < $3 THEN $3 ELSE turned + 1 END
			WHERE id = $1 AND active <> $2 RETURNING turned, CASE WHEN active THEN packets_per_sec ELSE 0 END`,
			f.ID, to == breakwater.Active, now.UnixMilli()).Scan(&f.Version, &f.PacketsPerSec)
	})
	if errors.Is(err, sql.ErrNoRows) { // another was quicker, or it was removed
		return nil
	}
	if err == nil {
		f.Status = to
	}
	return err
}

// unresolved are the alerts that wait for somebody.
var unresolved = AlertFilter{Statuses: []breakwater.Status{breakwater.StatusNew, breakwater.StatusAcknowledged}}

// Overview is what the database knows of the whole system at a glance, as one state. It leaves zero what only running servers
// know: how fast data comes in.
func (s *Store) Overview(ctx context.Context) (o breakwater.SystemStatus, err error) {
	err = s.view(ctx, "reading the state of the system", func(tx *sql.Tx) error {
		var validated, expired int
		chosen, _, err := unresolved.choose(ctx, tx)
		if err != nil {
			return err
		}
		o.ActiveAlerts = chosen.count()
		err = tx.QueryRowContext(ctx, `SELECT
			(SELECT progress FROM fl_rounds `+current+`),
			(SELECT count(*) FROM predictions WHERE validation_time IS NOT NULL), (SELECT count(*) FROM predictions WHERE status = 'expired'),
			(SELECT coalesce(sum(lost_windows + lost_detections), 0) FROM sensors)`).
			Scan(&o.FLProgress, &validated, &expired, &o.Ingest.Dropped)
		if err != nil {
			return err
		}
		if decided := validated + expired; decided > 0 {
			accuracy := float64(validated) / float64(decided)
			o.PredictionAccuracy = &accuracy
		}
		o.Facilities, _, err = selectHeard(ctx, tx)
		return err
	})
	return o, err
}
