package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"breakwater"
)

// Baseline is what the detectors learned of a facility's normal traffic, as the JSON they wrote. The error is of
// kind NotFound where nothing was learned.
func (s *Store) Baseline(ctx context.Context, facility string) ([]byte, error) {
	if err := breakwater.CheckFacilityID(facility); err != nil {
		return nil, err
	}
	var learned string
	err := s.read.QueryRowContext(ctx, `SELECT learned FROM baselines WHERE facility_id = $1`, facility).Scan(&learned)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "facility_id",
			Message: "nothing was learned of facility " + facility + " yet: feed it normal traffic with --learn"}
	}
	return []byte(learned), s.failed("reading the baseline of "+facility, err)
}

// SaveBaseline replaces what was learned of a facility. The error is of kind Invalid where it is not JSON.
func (s *Store) SaveBaseline(ctx context.Context, facility string, learned []byte) error {
	if err := breakwater.CheckFacilityID(facility); err != nil {
		return err
	}
	if !json.Valid(learned) {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "baseline", Message: "the baseline of facility " + facility + " is not JSON"}
	}
	return s.change(ctx, "saving the baseline of "+facility, func(tx *sql.Tx) error {
		if err := saveFacility(ctx, tx, facility, time.Time{}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO baselines (facility_id, learned) VALUES ($1, $2)
			ON CONFLICT (facility_id) DO UPDATE SET learned = excluded.learned`, facility, string(learned))
		return err
	})
}
