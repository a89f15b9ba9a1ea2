package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"

	"breakwater"
	"breakwater/internal/attack"
)

// A copy of the attack graph that is kept elsewhere follows the store: what changes is noted in the same transaction, by
// triggers, until the copy has it. The note says what changed and not how, so it is small however long the copy is away.
//
//	alerts, technique_sightings, predictions ─► graph_pending ─► GraphChanges ─► the copy ─► GraphTold
//
// A copy that the store does not know, as a new one, is begun anew by FollowGraph, which notes everything.

// FollowGraph notes everything for a new copy, which is empty before any of it is written. One server at a time calls it.
func (s *Store) FollowGraph(ctx context.Context, graph string) error {
	const doing = "noting everything for the attack graph"
	mark := rand.Int64() // another than whatever was noted before: a server that led may tell late that an older copy has it
	var facilities []string
	err := s.change(ctx, doing, func(tx *sql.Tx) (err error) {
		if _, err := tx.ExecContext(ctx, `INSERT INTO graph_follower (id, graph) VALUES (1, '') ON CONFLICT (id) DO UPDATE SET graph = ''`); err != nil { // as long as it has not all
			return err
		}
		facilities, err = many(ctx, tx, func(id *string, scan func(...any) error) error { return scan(id) }, `SELECT id FROM facilities ORDER BY id`)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range facilities {
		// What changes a facility's alerts has its row locked: what began before it was followed has ended by now. Its revision
		// stays: a new one would mean that the facility was heard of.
		err := s.change(ctx, doing, func(tx *sql.Tx) error {
			if err := tx.QueryRowContext(ctx, `SELECT id FROM facilities WHERE id = $1`+s.forUpdate(), id).Scan(new(string)); errors.Is(err, sql.ErrNoRows) {
				return nil // it was removed meanwhile
			} else if err != nil {
				return err
			}
			for _, all := range []string{`SELECT id, 'alert', CAST($2 AS bigint) FROM alerts`, `SELECT id, 'prediction', CAST($2 AS bigint) FROM predictions`} {
				if _, err := tx.ExecContext(ctx, `INSERT INTO graph_pending (id, kind, mark) `+all+` WHERE facility_id = $1 ON CONFLICT (id) DO UPDATE SET mark = excluded.mark`, id, mark); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.change(ctx, doing, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE graph_follower SET graph = $1`, graph)
		return err
	})
}

// ForgetGraph notes nothing any more: no copy follows. What another transaction is noting just now may stay, which harms
// nothing: a new copy has everything noted anew.
func (s *Store) ForgetGraph(ctx context.Context) error {
	return s.change(ctx, "forgetting the attack graph's copy", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM graph_follower`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM graph_pending WHERE id IN (SELECT id FROM graph_pending`+s.skipLocked()+`)`)
		return err
	})
}

// GraphCopy says which copy follows, "" where none does yet, and whether it lacks something.
func (s *Store) GraphCopy(ctx context.Context) (graph string, behind bool, err error) {
	err = s.view(ctx, "looking whether the attack graph has everything", func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce((SELECT graph FROM graph_follower), ''), EXISTS (SELECT 1 FROM graph_pending)`).Scan(&graph, &behind)
	})
	return graph, behind, err
}

// GraphChanges is some of what the copy lacks, at most limit alerts and predictions, as they are now.
func (s *Store) GraphChanges(ctx context.Context, limit int) (c attack.Changes, err error) {
	err = s.view(ctx, "reading what the attack graph lacks", func(tx *sql.Tx) error {
		type pending struct {
			id   breakwater.ID
			kind string
			mark int64
		}
		noted, err := many(ctx, tx, func(p *pending, scan func(...any) error) error { return scan((*idText)(&p.id), &p.kind, &p.mark) },
			`SELECT id, kind, mark FROM graph_pending ORDER BY id LIMIT $1`, limit)
		if err != nil || len(noted) == 0 {
			return err
		}
		c.Marks = make(map[breakwater.ID]int64, len(noted))
		ids := map[string][]string{} // by kind
		for _, p := range noted {
			c.Marks[p.id] = p.mark
			ids[p.kind] = append(ids[p.kind], p.id.String())
		}
		if c.Alerts, err = showingAlerts(ctx, tx, ids["alert"]); err != nil {
			return err
		}
		if len(ids["prediction"]) > 0 {
			var args []any
			if c.Predictions, err = selectPredictions(ctx, tx, "WHERE true"+in(&args, "id", padded(ids["prediction"])), args...); err != nil {
				return err
			}
		}
		there := make(map[breakwater.ID]bool, len(noted))
		for i := range c.Alerts {
			there[c.Alerts[i].ID] = true
		}
		for i := range c.Predictions {
			there[c.Predictions[i].ID] = true
		}
		for _, p := range noted {
			if !there[p.id] {
				c.Gone = append(c.Gone, p.id)
			}
		}
		return nil
	})
	return c, err
}

// showingAlerts are the alerts of these ids that are there, with what they have shown.
func showingAlerts(ctx context.Context, tx *sql.Tx, ids []string) ([]attack.ShowingAlert, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var args []any
	rows, err := selectAlertRows(ctx, tx, "WHERE true"+in(&args, "id", padded(ids)), args...)
	if err != nil {
		return nil, err
	}
	all, at := make([]attack.ShowingAlert, len(rows)), make(map[breakwater.ID]int, len(rows))
	for i := range rows {
		all[i].Alert, at[rows[i].ID] = rows[i].Alert, i
	}
	type sighting struct {
		alert breakwater.ID
		attack.Showing
	}
	args = nil
	seen, err := many(ctx, tx, func(x *sighting, scan func(...any) error) error {
		return scan((*idText)(&x.alert), &x.Technique, (*stamp)(&x.First), (*stamp)(&x.Last))
	}, `SELECT alert_id, technique, first_seen, last_seen FROM technique_sightings WHERE true`+in(&args, "alert_id", padded(ids))+` ORDER BY alert_id, technique`, args...)
	for _, x := range seen {
		of := &all[at[x.alert]]
		of.Shown = append(of.Shown, x.Showing)
	}
	return all, err
}

// GraphTold notes that the copy has these changes. What has changed again meanwhile stays noted, and what another transaction
// is noting just now: to wait for that one, which may wait for what was removed here, would be a deadlock.
func (s *Store) GraphTold(ctx context.Context, c attack.Changes) error {
	return s.change(ctx, "noting what the attack graph has", func(tx *sql.Tx) error {
		for id, mark := range c.Marks {
			if _, err := tx.ExecContext(ctx, `DELETE FROM graph_pending WHERE id = (SELECT id FROM graph_pending WHERE id = $1 AND mark = $2`+s.skipLocked()+`)`, idText(id), mark); err != nil {
				return err
			}
		}
		return nil
	})
}

// Presences are all facilities with their newest data, by id.
func (s *Store) Presences(ctx context.Context) (all []attack.Presence, err error) {
	err = s.view(ctx, "reading when facilities were last seen", func(tx *sql.Tx) error {
		all, err = many(ctx, tx, func(p *attack.Presence, scan func(...any) error) error {
			return scan(&p.FacilityID, (*stamp)(&p.LastSeen))
		},
			`SELECT id, last_seen FROM facilities ORDER BY id`)
		return err
	})
	return all, err
}
