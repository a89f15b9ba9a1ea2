package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"breakwater/internal/attack"
)

// TechniquesSeen is attack.Graph's.
func (s *Store) TechniquesSeen(ctx context.Context, q attack.Sightings) (all []attack.SeenTechnique, err error) {
	err = s.view(ctx, "reading which techniques were seen", func(tx *sql.Tx) error {
		all = []attack.SeenTechnique{}
		var args []any
		type newest struct {
			id   string
			seen stamp
		}
		known, err := many(ctx, tx, func(f *newest, scan func(...any) error) error { return scan(&f.id, &f.seen) },
			`SELECT id, last_seen FROM facilities f WHERE EXISTS (SELECT 1 FROM technique_sightings t WHERE t.facility_id = f.id)`+in(&args, "id", q.Facilities)+` ORDER BY id`, args...)
		if err != nil {
			return err
		}
		for _, f := range known {
			since := q.From
			if q.Recent && !time.Time(f.seen).IsZero() { // else what detectors outside reported is all there is
				since = time.Time(f.seen).Add(-attack.RecentSpan)
			}
			args := []any{f.id, stamp(since)}
			before := ""
			if !q.To.IsZero() {
				args, before = append(args, stamp(q.To)), "AND t.first_seen < $3"
			}
			of, err := many(ctx, tx, func(x *attack.SeenTechnique, scan func(...any) error) error {
				x.FacilityID = f.id
				return scan(&x.Technique, &x.Alerts, (*stamp)(&x.First), (*stamp)(&x.Last))
			}, `SELECT t.technique, count(*), min(t.first_seen) AS first, max(t.last_seen) FROM technique_sightings t
				JOIN alerts a ON a.id = t.alert_id AND a.status <> 'false-positive'
				WHERE t.facility_id = $1 AND t.last_seen >= $2 `+before+` GROUP BY t.technique ORDER BY first, t.technique`, args...)
			if err != nil {
				return err
			}
			all = append(all, of...)
		}
		return nil
	})
	return all, err
}

// Transitions is attack.Graph's.
func (s *Store) Transitions(ctx context.Context, facilities []string, from, to time.Time) (all []attack.Transition, err error) {
	err = s.view(ctx, "reading what is predicted", func(tx *sql.Tx) error {
		var args []any
		where := in(&args, "p.facility_id", facilities)
		if !from.IsZero() {
			args = append(args, stamp(from))
			where += fmt.Sprintf(" AND p.expires_at >= $%d", len(args))
		}
		if !to.IsZero() {
			args = append(args, stamp(to))
			where += fmt.Sprintf(" AND p.timestamp < $%d", len(args))
		}
		all, err = many(ctx, tx, func(x *attack.Transition, scan func(...any) error) error {
			return scan(&x.From, &x.To, &x.Observed, &x.Predictions, &x.Probability)
		}, `SELECT p.current_technique, t.technique_id, t.observed_at IS NOT NULL AS observed, count(*), max(t.probability)
			FROM predictions p JOIN predicted_techniques t ON t.prediction_id = p.id
			WHERE (p.status = 'open' OR p.status = 'validated' AND t.observed_at IS NOT NULL)`+where+`
			GROUP BY p.current_technique, t.technique_id, observed ORDER BY p.current_technique, t.technique_id, observed`, args...)
		return err
	})
	return all, err
}

// SaveCatalogue keeps ATT&CK as attack.Catalogue.Write writes it, in place of what was kept before.
func (s *Store) SaveCatalogue(ctx context.Context, catalogue string, now time.Time) error {
	return s.change(ctx, "saving the ATT&CK catalogue", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO attack_catalogue (id, imported_at, catalogue) VALUES (1, $1, $2)
			ON CONFLICT (id) DO UPDATE SET imported_at = excluded.imported_at, catalogue = excluded.catalogue`, stamp(now), catalogue)
		return err
	})
}

// Catalogue is what SaveCatalogue kept; "" where nothing was.
func (s *Store) Catalogue(ctx context.Context) (catalogue string, err error) {
	err = s.view(ctx, "reading the ATT&CK catalogue", func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT catalogue FROM attack_catalogue WHERE id = 1`).Scan(&catalogue)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return catalogue, err
}
