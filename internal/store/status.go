package store

import (
	"context"
	"database/sql"
	"time"

	"breakwater"
)

// MaxFacilities is the most facilities that an overview lists.
const MaxFacilities = 1000

// Overview is what the database knows of the whole system at a glance. Status leaves zero what only a running server
// knows: who is heard of, how fast data comes in.
type Overview struct {
	Status breakwater.SystemStatus
	Heard  map[string]time.Time // by facility: wall time at which its sensor last said hello, where one did
}

// unresolved are the alerts that wait for somebody.
var unresolved = AlertFilter{Statuses: []breakwater.Status{breakwater.StatusNew, breakwater.StatusAcknowledged}}

// Overview reads it, as one state.
func (s *Store) Overview(ctx context.Context) (Overview, error) {
	o := Overview{Heard: map[string]time.Time{}}
	err := s.view(ctx, "reading the state of the system", func(tx *sql.Tx) error {
		var validated, expired int
		chosen, _, err := unresolved.choose(ctx, tx)
		if err != nil {
			return err
		}
		o.Status.ActiveAlerts = chosen.count()
		err = tx.QueryRowContext(ctx, `SELECT
			(SELECT progress FROM fl_rounds `+current+`),
			(SELECT count(*) FROM predictions WHERE validation_time IS NOT NULL), (SELECT count(*) FROM predictions WHERE status = 'expired'),
			(SELECT coalesce(sum(lost_windows + lost_detections), 0) FROM sensors)`).
			Scan(&o.Status.FLProgress, &validated, &expired, &o.Status.Ingest.Dropped)
		if err != nil {
			return err
		}
		if decided := validated + expired; decided > 0 {
			accuracy := float64(validated) / float64(decided)
			o.Status.PredictionAccuracy = &accuracy
		}
		o.Status.Facilities, err = many(ctx, tx, func(f *breakwater.FacilityStatus, scan func(...any) error) error {
			var seen, heard *stamp
			if err := scan(&f.ID, &seen, &heard); err != nil {
				return err
			}
			f.Name, f.Status, f.LastSeen = f.ID, breakwater.Silent, (*time.Time)(seen)
			if heard != nil {
				o.Heard[f.ID] = time.Time(*heard)
			}
			return nil
		}, `SELECT f.id, f.last_seen, s.heard FROM facilities f LEFT JOIN sensors s ON s.facility_id = f.id ORDER BY f.id LIMIT $1`, MaxFacilities)
		return err
	})
	return o, err
}
