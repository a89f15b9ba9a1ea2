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

// BeginDemo keeps a run that begins, played by owner. The error is of kind Conflict where its scenario is being played, or
// one of its facilities is where alone is set.
func (s *Store) BeginDemo(ctx context.Context, run breakwater.DemoRun, owner string, alone bool, now time.Time) error {
	return s.change(ctx, "beginning a demo", func(tx *sql.Tx) error {
		others, err := selectDemos(ctx, tx, `WHERE status = 'running'`)
		if err != nil {
			return err
		}
		for i := range others {
			o := &others[i]
			if o.Scenario == run.Scenario {
				return demoRuns(run.Scenario)
			}
			for _, id := range run.Facilities {
				if alone && o.Scenario != "fl-round" && slices.Contains(o.Facilities, id) {
					return &breakwater.Error{Kind: breakwater.Conflict, Field: "facility_id",
						Message: fmt.Sprintf("scenario %s is being played at facility %s: name another one, or wait until it has ended", o.Scenario, id)}
				}
			}
		}
		run.Version = 1
		added, err := tx.ExecContext(ctx, `INSERT INTO demo_runs (id, scenario, status, owner, heard, run) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			idText(run.ID), run.Scenario, string(run.Status), owner, stamp(now), jsonText{run})
		if err != nil {
			return err
		}
		if n, err := added.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return demoRuns(run.Scenario) // it began at the same moment
		}
		return nil
	})
}

func demoRuns(scenario string) error {
	if scenario == "seed" {
		return &breakwater.Error{Kind: breakwater.Conflict, Message: "another process is putting the sample data in: wait until it has ended; one that was killed counts as gone after a minute"}
	}
	return &breakwater.Error{Kind: breakwater.Conflict, Field: "scenario", Message: "scenario " + scenario + " is being played: wait until it has ended"}
}

// SaveDemo keeps how a run stands, as its next version, which it gives back. A run that ended otherwise meanwhile, as one
// that was taken for interrupted, stays as it is: the error is of kind Conflict then, and NotFound where it was removed.
func (s *Store) SaveDemo(ctx context.Context, run breakwater.DemoRun, now time.Time) (breakwater.DemoRun, error) {
	err := s.change(ctx, "saving a demo", func(tx *sql.Tx) error {
		kept, err := selectDemos(ctx, tx, `WHERE id = $1`+s.forUpdate(), idText(run.ID))
		if err != nil {
			return err
		}
		switch {
		case len(kept) == 0:
			return &breakwater.Error{Kind: breakwater.NotFound, Message: "run " + run.ID.String() + " of scenario " + run.Scenario + " was removed"}
		case kept[0].Status != breakwater.DemoRunning:
			return &breakwater.Error{Kind: breakwater.Conflict, Message: "run " + run.ID.String() + " of scenario " + run.Scenario + " has ended: it is " + string(kept[0].Status)}
		}
		run.Version = kept[0].Version + 1
		return updateDemo(ctx, tx, &run, now)
	})
	return run, err
}

func updateDemo(ctx context.Context, tx *sql.Tx, run *breakwater.DemoRun, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE demo_runs SET status = $2, heard = $3, run = $4 WHERE id = $1`,
		idText(run.ID), string(run.Status), stamp(now), jsonText{*run})
	return err
}

// Demos is the newest run of each scenario, by scenario.
func (s *Store) Demos(ctx context.Context) (runs []breakwater.DemoRun, err error) {
	err = s.view(ctx, "reading the demos", func(tx *sql.Tx) (err error) {
		runs, err = selectDemos(ctx, tx, `d WHERE CAST(id AS text) = (SELECT max(CAST(id AS text)) FROM demo_runs WHERE scenario = d.scenario) ORDER BY scenario`)
		return err
	})
	return runs, err
}

// Demo is one run. The error is of kind NotFound where there is none of that id.
func (s *Store) Demo(ctx context.Context, id breakwater.ID) (run breakwater.DemoRun, err error) {
	err = s.view(ctx, "reading a demo", func(tx *sql.Tx) error {
		found, err := selectDemos(ctx, tx, `WHERE id = $1`, idText(id))
		if err == nil && len(found) == 0 {
			err = &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: "there is no demo " + id.String()}
		}
		if err == nil {
			run = found[0]
		}
		return err
	})
	return run, err
}

// InterruptDemos notes of runs that still count as running, but of which owner, which has just been started, or else
// nobody since a time, said anything, that they were interrupted. It gives them as they are then.
func (s *Store) InterruptDemos(ctx context.Context, owner string, silentSince, now time.Time) (runs []breakwater.DemoRun, err error) {
	err = s.change(ctx, "noting which demos were interrupted", func(tx *sql.Tx) (err error) {
		runs, err = selectDemos(ctx, tx, `WHERE status = 'running' AND (owner = $1 OR heard < $2) ORDER BY id`+s.forUpdate(), owner, stamp(silentSince))
		for i := range runs {
			r := &runs[i]
			r.Status, r.EndedAt, r.Message = breakwater.DemoInterrupted, &now, "the server that played it went away at: "+r.Stage
			r.Version++
			if err := updateDemo(ctx, tx, r, now); err != nil {
				return err
			}
		}
		return err
	})
	return runs, err
}

// RemoveDemos forgets all runs but those of a scenario that stay. The error is of kind Conflict where one runs.
func (s *Store) RemoveDemos(ctx context.Context, but string) error {
	return s.change(ctx, "removing the demos", func(tx *sql.Tx) error {
		running, err := selectDemos(ctx, tx, `WHERE status = 'running' AND scenario <> $1`, but)
		if err != nil {
			return err
		}
		if len(running) > 0 {
			return &breakwater.Error{Kind: breakwater.Conflict, Message: "scenario " + running[0].Scenario + " is being played: reset when it has ended"}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM demo_runs WHERE scenario <> $1`, but)
		return err
	})
}

func selectDemos(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.DemoRun, error) {
	return many(ctx, tx, func(r *breakwater.DemoRun, scan func(...any) error) error {
		return scan(jsonText{r})
	}, `SELECT run FROM demo_runs `+where, args...)
}

// RoundsAmong is how many rounds of our own federation there were among these facilities and no others, those that wait or
// go on too.
func (s *Store) RoundsAmong(ctx context.Context, facilities []string) (n int, err error) {
	scope := strings.Join(slices.Sorted(slices.Values(facilities)), ",")
	err = s.view(ctx, "counting rounds", func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM fl_runs WHERE scope = $1`, scope).Scan(&n)
	})
	return n, err
}
