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

// ofFacility and ofAttacks are the tables that hold what is known of a facility, by facility_id, in the order in which they
// may be emptied of it; what is an alert's own goes with it. mutes, which people made, stay; network_data, of which there
// may be much, is removed before, a part at a time. A test holds the lists against the schema.
var ofFacility = []string{"fl_members", "fl_clients", "models", "sensors", "baselines"}

// ofAttacks is what attacks leave; the rest is what normal operation does.
var ofAttacks = []string{"predictions", "technique_sightings", "attacker_spells", "incidents", "assets", "conversations", "alerts"}

// ForgetAttacks removes alerts, incidents, predictions, assets and conversations of a facility, as if nobody had ever attacked it. What
// it has learned, its models and its windows stay. Where there is no such facility nothing happens.
func (s *Store) ForgetAttacks(ctx context.Context, facility string) error {
	return s.change(ctx, "removing the alerts of facility "+facility, func(tx *sql.Tx) error {
		known, err := lockFacility(ctx, tx, facility)
		if err != nil || !known {
			return err
		}
		return removeFrom(ctx, tx, facility, ofAttacks)
	})
}

// RemoveFacilities removes facilities with all that is known of them, the federation's rounds among none but them too.
// Nothing may come in for them meanwhile: what does is a facility anew. The error is of kind Conflict where such a round
// waits or goes on.
func (s *Store) RemoveFacilities(ctx context.Context, facilities []string) error {
	if err := s.change(ctx, "removing rounds", func(tx *sql.Tx) error { return removeRounds(ctx, tx, facilities) }); err != nil {
		return err
	}
	for _, id := range facilities {
		if err := s.RemoveWindows(ctx, id, time.Time{}); err != nil {
			return err
		}
	}
	return s.change(ctx, "removing facilities", func(tx *sql.Tx) error {
		var known []string
		for _, id := range slices.Sorted(slices.Values(facilities)) { // all are locked, in one order, before the index of alerts is
			there, err := lockFacility(ctx, tx, id)
			if err != nil {
				return err
			}
			if there {
				known = append(known, id)
			}
		}
		for _, id := range known {
			if err := removeFrom(ctx, tx, id, slices.Concat(ofAttacks, ofFacility)); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM facilities WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveWindows removes the windows of a facility that lie before a data time; all of them where that is zero.
func (s *Store) RemoveWindows(ctx context.Context, facility string, before time.Time) error {
	if before.IsZero() {
		before = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	for n := int64(expireAtOnce); n == expireAtOnce; {
		err := s.change(ctx, "removing windows of facility "+facility, func(tx *sql.Tx) error {
			r, err := tx.ExecContext(ctx, `DELETE FROM network_data WHERE facility_id = $1 AND timestamp IN
				(SELECT timestamp FROM network_data WHERE facility_id = $1 AND timestamp < $2 ORDER BY timestamp LIMIT $3)`,
				facility, stamp(before), expireAtOnce)
			if err == nil {
				n, err = r.RowsAffected()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lockFacility locks a facility's row until the transaction ends, as saveFacility does, where there is one. What a node keeps
// of the facility beside the store is outdated then.
func lockFacility(ctx context.Context, tx *sql.Tx, id string) (known bool, err error) {
	r, err := tx.ExecContext(ctx, `UPDATE facilities SET revision = revision + 1 WHERE id = $1`, id)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// removeFrom empties tables of what they hold of a facility, which is locked.
func removeFrom(ctx context.Context, tx *sql.Tx, facility string, names []string) error {
	if slices.Contains(names, "alerts") {
		rows, err := selectAlertRows(ctx, tx, "WHERE facility_id = $1", facility)
		if err != nil {
			return err
		}
		if err := dropAlerts(ctx, tx, rows); err != nil {
			return err
		}
	}
	for _, name := range names {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+name+` WHERE facility_id = $1`, facility); err != nil {
			return err
		}
	}
	return nil
}

// removeRounds removes the rounds of our own federation that were among none but these facilities, and the parameters
// that they made. Their numbers are not given again: a client elsewhere may still know them. Clients of other facilities that took part in none of them stay as they are.
func removeRounds(ctx context.Context, tx *sql.Tx, facilities []string) error {
	scopes, err := many(ctx, tx, func(scope *string, scan func(...any) error) error { return scan(scope) },
		`SELECT scope FROM fl_runs UNION SELECT scope FROM fl_models`)
	if err != nil {
		return err
	}
	for _, scope := range scopes {
		among := strings.Split(scope, ",")
		if scope == "" || slices.ContainsFunc(among, func(id string) bool { return !slices.Contains(facilities, id) }) {
			continue
		}
		open, err := many(ctx, tx, func(number *int64, scan func(...any) error) error { return scan(number) },
			`SELECT round_number FROM fl_rounds WHERE status = 'in-progress' AND id IN (SELECT round_id FROM fl_runs WHERE scope = $1)`, scope)
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return &breakwater.Error{Kind: breakwater.Conflict, Message: fmt.Sprintf("round %d among the facilities that are to be removed has not ended: remove them when it has", open[0])}
		}
		for _, statement := range []string{
			`INSERT INTO fl_removed (round_id, round_number, version)
				SELECT r.id, r.round_number, (SELECT coalesce(max(version), 0) FROM fl_models WHERE scope = $1)
				FROM fl_rounds r JOIN fl_runs u ON u.round_id = r.id WHERE u.scope = $1 ORDER BY r.id DESC LIMIT 1`, // ids are given in order
			`UPDATE fl_clients SET round_id = NULL WHERE round_id IN (SELECT round_id FROM fl_runs WHERE scope = $1)`,
			`DELETE FROM fl_models WHERE scope = $1`,
			`DELETE FROM fl_rounds WHERE id IN (SELECT round_id FROM fl_runs WHERE scope = $1)`, // with all that is theirs
		} {
			if _, err := tx.ExecContext(ctx, statement, scope); err != nil {
				return err
			}
		}
	}
	return nil
}
