package store

import (
	"context"
	"database/sql"
	"time"

	"breakwater"
)

// FacilityPage is one page of the facilities, by id.
type FacilityPage struct {
	Facilities []breakwater.Facility
	Total      int
	Pages      int
}

// Facilities lists who has sent anything, or was named.
func (s *Store) Facilities(ctx context.Context, page, limit int) (FacilityPage, error) {
	if err := checkPage(page, limit); err != nil {
		return FacilityPage{}, err
	}
	out := FacilityPage{Facilities: []breakwater.Facility{}}
	err := s.view(ctx, "listing facilities", func(tx *sql.Tx) (err error) {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM facilities`).Scan(&out.Total); err != nil {
			return err
		}
		out.Pages = (out.Total + limit - 1) / limit
		open, _, err := unresolved.choose(ctx, tx)
		if err != nil {
			return err
		}
		active := map[string]int{}
		if err := open.tallyKind(ctx, tx, termFacility, func(id string, n int) { active[id] = n }); err != nil {
			return err
		}
		out.Facilities, err = many(ctx, tx, func(f *breakwater.Facility, scan func(...any) error) error {
			var seen, heard stamp
			var version, source sql.NullString
			var clock, spooled, windows, detections sql.NullInt64
			if err := scan(&f.ID, &seen, &f.Assets, &f.BaselineVersion,
				&version, &source, &heard, &clock, &spooled, &windows, &detections); err != nil {
				return err
			}
			f.ActiveAlerts = active[f.ID]
			if t := time.Time(seen); !t.IsZero() {
				f.LastSeen = &t
			}
			if version.Valid {
				f.Sensor = &breakwater.Sensor{FacilityID: f.ID, Version: version.String, Source: source.String, HeardAt: time.Time(heard),
					ClockOffsetMS: clock.Int64, SpooledBytes: spooled.Int64, LostWindows: windows.Int64, LostDetections: detections.Int64}
			}
			return nil
		}, `SELECT f.id, f.last_seen, (SELECT count(*) FROM assets a WHERE a.facility_id = f.id), coalesce(b.version, 0),
			s.version, s.source, s.heard, s.clock_offset, s.spooled, s.lost_windows, s.lost_detections
			FROM facilities f LEFT JOIN baselines b ON b.facility_id = f.id LEFT JOIN sensors s ON s.facility_id = f.id
			ORDER BY f.id LIMIT $1 OFFSET $2`, limit, (page-1)*limit)
		return err
	})
	return out, err
}

// SaveSensor writes what a sensor told of itself; its facility is made known where it is not.
func (s *Store) SaveSensor(ctx context.Context, n breakwater.Sensor) error {
	if err := breakwater.CheckFacilityID(n.FacilityID); err != nil {
		return err
	}
	return s.change(ctx, "noting the sensor of "+n.FacilityID, func(tx *sql.Tx) error {
		if err := saveFacility(ctx, tx, n.FacilityID, time.Time{}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sensors (facility_id, version, source, heard, clock_offset, spooled, lost_windows, lost_detections)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (facility_id) DO UPDATE SET version = excluded.version, source = excluded.source, heard = excluded.heard,
			 clock_offset = excluded.clock_offset, spooled = excluded.spooled, lost_windows = excluded.lost_windows, lost_detections = excluded.lost_detections`,
			n.FacilityID, n.Version, n.Source, stamp(n.HeardAt), n.ClockOffsetMS, n.SpooledBytes, n.LostWindows, n.LostDetections)
		return err
	})
}

// CheckFacility is an error of kind NotFound where there is no such facility, of kind Invalid where there can be none.
func (s *Store) CheckFacility(ctx context.Context, id string) error {
	return s.view(ctx, "looking for facility "+id, func(tx *sql.Tx) error { return knownFacility(ctx, tx, id) })
}

// knownFacility is an error of kind NotFound where there is no such facility, of kind Invalid where there can be none.
func knownFacility(ctx context.Context, tx *sql.Tx, id string) error {
	if err := breakwater.CheckFacilityID(id); err != nil {
		return err
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM facilities WHERE id = $1`, id).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return &breakwater.Error{Kind: breakwater.NotFound, Field: "facility_id", Message: "there is no facility " + id + ": nothing was sent of it yet"}
	}
	return nil
}
