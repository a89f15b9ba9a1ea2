package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"breakwater"
)

// Baseline is what the detectors learned of a facility's normal traffic, as the JSON they wrote, and its version, from
// 1. The error is of kind NotFound where nothing was learned.
func (s *Store) Baseline(ctx context.Context, facility string) (learned []byte, version int, err error) {
	if err := breakwater.CheckFacilityID(facility); err != nil {
		return nil, 0, err
	}
	var text string
	err = s.read.QueryRowContext(ctx, `SELECT learned, version FROM baselines WHERE facility_id = $1`, facility).Scan(&text, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, &breakwater.Error{Kind: breakwater.NotFound, Field: "facility_id",
			Message: "nothing was learned of facility " + facility + " yet: feed it normal traffic with --learn"}
	}
	return []byte(text), version, s.failed("reading the baseline of "+facility, err)
}

// BaselineVersion is the version of what was learned of a facility; 0: nothing was.
func (s *Store) BaselineVersion(ctx context.Context, facility string) (version int, err error) {
	if err := breakwater.CheckFacilityID(facility); err != nil {
		return 0, err
	}
	err = s.read.QueryRowContext(ctx, `SELECT version FROM baselines WHERE facility_id = $1`, facility).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return version, s.failed("reading the version of the baseline of "+facility, err)
}

// SaveBaseline replaces what was learned of a facility and gives the new version. What is the same as before keeps its
// version. Where onlyIf > 0 it must be the version that is replaced: the error is of kind Outdated where another is there.
// The error is of kind Invalid where learned is not JSON.
func (s *Store) SaveBaseline(ctx context.Context, facility string, learned []byte, onlyIf int) (version int, err error) {
	if err := breakwater.CheckFacilityID(facility); err != nil {
		return 0, err
	}
	if !json.Valid(learned) {
		return 0, &breakwater.Error{Kind: breakwater.Invalid, Field: "baseline", Message: "the baseline of facility " + facility + " is not JSON"}
	}
	err = s.change(ctx, "saving the baseline of "+facility, func(tx *sql.Tx) (err error) {
		if err := saveFacility(ctx, tx, facility, time.Time{}); err != nil {
			return err
		}
		version, err = replaceBaseline(ctx, tx, facility, onlyIf, func(string) ([]byte, error) { return learned, nil })
		return err
	})
	return version, err
}

// replaceBaseline puts what change makes of a facility's baseline, "" where it has none, in its place. The facility must
// be locked.
func replaceBaseline(ctx context.Context, tx *sql.Tx, facility string, onlyIf int, change func(before string) ([]byte, error)) (version int, err error) {
	var before string
	err = tx.QueryRowContext(ctx, `SELECT learned, version FROM baselines WHERE facility_id = $1`, facility).Scan(&before, &version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	if onlyIf > 0 && onlyIf != version {
		return 0, &breakwater.Error{Kind: breakwater.Outdated, Field: "If-Match",
			Message: fmt.Sprintf("the baseline of facility %s is at version %d, not %d: another was quicker; read it again", facility, version, onlyIf)}
	}
	learned, err := change(before)
	if err != nil || before == string(learned) {
		return version, err
	}
	version++
	_, err = tx.ExecContext(ctx, `INSERT INTO baselines (facility_id, learned, version) VALUES ($1, $2, $3)
		ON CONFLICT (facility_id) DO UPDATE SET learned = excluded.learned, version = excluded.version`, facility, string(learned), version)
	return version, err
}
