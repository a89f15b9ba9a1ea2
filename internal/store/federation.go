package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"breakwater"
)

// RoundsWaiting is how many of our own rounds may wait for their turn.
const RoundsWaiting = 10

// Step is what is to be done next in a round of our own federation.
type Step string

// The steps, in their order.
const (
	StepWait       Step = "wait" // for its turn
	StepSelect     Step = "select"
	StepDistribute Step = "distribute"
	StepTrain      Step = "train"
	StepCollect    Step = "collect"
	StepAggregate  Step = "aggregate"
	StepEvaluate   Step = "evaluate"
	StepPublish    Step = "publish"
	StepEnded      Step = "ended"
)

// Run is one of our own rounds as its coordinator goes through it. What is shown of it is a breakwater.Round.
type Run struct {
	RoundID, Number int64
	Scope           string // the facilities that it is among, by commas; "": all
	Step            Step
	Plan            json.RawMessage
	Members         []Member
	Base, Candidate int64     // versions of parameters; 0: none yet
	Eligible        int64     // clients that could have been chosen
	Deadline        time.Time // of the step; zero: it has none
	Down, Up        int64     // bytes of messages to clients and from them
}

// Member is a client that takes part, or asked to.
type Member struct {
	ID         string `json:"id"`
	FacilityID string `json:"facility_id"`
	Name       string `json:"name"`
	Examples   int64  `json:"examples"` // that it could train on
	Remote     bool   `json:"remote"`   // it is in another process
}

// Update is what a client made of a round's parameters.
type Update struct {
	ClientID string
	Examples int64     // vectors trained on
	Change   []float32 // its parameters less the round's
}

// GlobalModel is parameters that clients share.
type GlobalModel struct {
	Version   int64 // 0: not kept yet
	RoundID   *int64
	Scope     string
	State     ModelState
	Shape     json.RawMessage
	Params    []float32 // none of a rejected model: they are not kept
	Cost      *PrivacyCost
	CreatedAt time.Time
}

// ModelState is where shared parameters stand.
type ModelState string

// The states.
const (
	ModelInitial   ModelState = "initial" // untrained
	ModelCandidate ModelState = "candidate"
	ModelPublished ModelState = "published"
	ModelRejected  ModelState = "rejected"
)

// PrivacyCost is the mechanism that shared parameters were released by: a sample of fixed size, so that a neighbour
// replaces one client.
type PrivacyCost struct {
	Rate       float64 `json:"rate"`       // part of the clients that could have been chosen
	Multiplier float64 `json:"multiplier"` // the noise's standard deviation over the sensitivity
}

// QueueRound makes a round of our own wait for its turn. The error is of kind Conflict where as many wait as may.
func (s *Store) QueueRound(ctx context.Context, scope string, plan json.RawMessage, now time.Time) (r *breakwater.Round, err error) {
	err = s.change(ctx, "queueing a round", func(tx *sql.Tx) error {
		var waiting int
		var id, number int64
		if err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM fl_rounds WHERE waiting), max(id) + 1, max(round_number) + 1 FROM
			(SELECT id, round_number FROM fl_rounds UNION ALL SELECT round_id, round_number FROM fl_removed UNION ALL SELECT 0, 0) AS given`).
			Scan(&waiting, &id, &number); err != nil {
			return err
		}
		if waiting >= RoundsWaiting {
			return &breakwater.Error{Kind: breakwater.Conflict, Message: fmt.Sprintf("%d rounds wait already: trigger another when one of them has begun", waiting)}
		}
		added, err := tx.ExecContext(ctx, `INSERT INTO fl_rounds
			(id, round_number, status, phase, progress, first_progress, clients, start_time, last_update, reason, version, waiting)
			VALUES ($1, $2, 'in-progress', 'distributing', 0, 0, '[]', $3, $3, '', 1, $4) ON CONFLICT DO NOTHING`, id, number, stamp(now), true)
		if err != nil {
			return err
		}
		if n, err := added.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return &breakwater.Error{Kind: breakwater.Conflict, Message: "another round was queued at the same moment: trigger again"}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO fl_runs (round_id, scope, step, plan, members, eligible, base, candidate, bytes_down, bytes_up)
			VALUES ($1, $2, $3, $4, '[]', 0, 0, 0, 0, 0)`, id, scope, string(StepWait), string(plan)); err != nil {
			return err
		}
		r, err = oneRound(ctx, tx, id, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// OpenRun is our round whose turn it is: the one that has begun, else the first that waits, where no other engine's is in
// progress; nil where there is none.
func (s *Store) OpenRun(ctx context.Context) (run *Run, err error) {
	err = s.view(ctx, "looking for the round to go on with", func(tx *sql.Tx) error {
		found, err := selectRuns(ctx, tx, `WHERE u.step <> 'ended' AND (NOT r.waiting OR NOT EXISTS
			(SELECT 1 FROM fl_rounds other WHERE other.status = 'in-progress' AND NOT other.waiting))
			ORDER BY r.round_number LIMIT 1`)
		if len(found) > 0 {
			run = &found[0]
		}
		return err
	})
	return run, err
}

// RunOf is what the coordinator knows of one of our rounds. The error is of kind NotFound where it is none of ours.
func (s *Store) RunOf(ctx context.Context, round int64) (run *Run, err error) {
	err = s.view(ctx, fmt.Sprintf("reading round %d", round), func(tx *sql.Tx) error {
		run, err = oneRun(ctx, tx, round, "")
		return err
	})
	return run, err
}

// runAt locks a run that must stand at a step; the error is of kind Outdated where it does not any more.
func (s *Store) runAt(ctx context.Context, tx *sql.Tx, round int64, at Step) (*Run, error) {
	run, err := oneRun(ctx, tx, round, s.forUpdate())
	if err == nil && run.Step != at {
		err = &breakwater.Error{Kind: breakwater.Outdated, Message: fmt.Sprintf("round %d stands at step %s, not %s: another coordinator was quicker", round, run.Step, at)}
	}
	return run, err
}

// Advance saves a run as it shall be, run.Step being what is to be done next, where it stands at step from; with it, in the
// same transaction, what is shown of the round and of clients and, where it is not nil, a model, which gets a version or,
// where it has one, another state. It begins a round whose turn has come. What report says of progress and bytes is made to
// fit: neither falls. The error is of kind Outdated where the run does not stand there any more.
func (s *Store) Advance(ctx context.Context, run *Run, from Step, model *GlobalModel, report breakwater.RoundReport, clients []breakwater.FLClient, expected *time.Time, now time.Time) (r *breakwater.Round, err error) {
	err = s.change(ctx, fmt.Sprintf("saving step %s of round %d", run.Step, run.RoundID), func(tx *sql.Tx) error {
		stored, err := s.runAt(ctx, tx, run.RoundID, from)
		if err != nil {
			return err
		}
		if model != nil {
			if err := saveGlobal(ctx, tx, model); err != nil {
				return err
			}
			if model.State == ModelCandidate {
				run.Candidate = model.Version
			} else if model.State == ModelInitial {
				run.Base = model.Version
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE fl_runs SET step = $2, members = $3, eligible = $4, base = $5, candidate = $6, deadline = $7 WHERE round_id = $1`,
			run.RoundID, string(run.Step), jsonText{run.Members}, run.Eligible, run.Base, run.Candidate, orNull(run.Deadline)); err != nil {
			return err
		}
		run.Down, run.Up = stored.Down, stored.Up
		sent := stored.Down + stored.Up
		if r, err = oneRound(ctx, tx, run.RoundID, s.forUpdate()); err != nil {
			return err
		}
		if from == StepWait {
			r.StartTime = now
			if _, err := tx.ExecContext(ctx, `UPDATE fl_rounds SET waiting = $2, start_time = $3 WHERE id = $1`, r.ID, false, stamp(now)); err != nil {
				return err
			}
		}
		report.Number, report.Progress, report.DataSize = r.Number, max(report.Progress, r.Progress), &sent
		if _, err := r.Report(report, now); err != nil {
			return err
		}
		if err := saveClients(ctx, tx, clients, run.RoundID, now); err != nil {
			return err
		}
		r.ExpectedEnd = expected
		if err := saveRound(ctx, tx, r); err != nil {
			return err
		}
		r, err = oneRound(ctx, tx, run.RoundID, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// EndRun ends one of our rounds that stands at step from, and removes what clients sent for it; a model gets another
// state. Errors are as Advance's.
func (s *Store) EndRun(ctx context.Context, run *Run, from Step, model *GlobalModel, status breakwater.RoundStatus, reason string, now time.Time) (r *breakwater.Round, err error) {
	err = s.change(ctx, fmt.Sprintf("ending round %d", run.RoundID), func(tx *sql.Tx) error {
		stored, err := s.runAt(ctx, tx, run.RoundID, from)
		if err != nil {
			return err
		}
		if model != nil {
			if err := saveGlobal(ctx, tx, model); err != nil {
				return err
			}
		}
		for _, statement := range []string{
			`UPDATE fl_runs SET step = 'ended', deadline = NULL WHERE round_id = $1`,
			`DELETE FROM fl_updates WHERE round_id = $1`, `DELETE FROM fl_evaluations WHERE round_id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, run.RoundID); err != nil {
				return err
			}
		}
		if r, err = oneRound(ctx, tx, run.RoundID, s.forUpdate()); err != nil {
			return err
		}
		sent := stored.Down + stored.Up
		r.DataSize, r.ExpectedEnd = &sent, nil
		if _, err := r.End(status, reason, now); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE fl_rounds SET waiting = $2 WHERE id = $1`, r.ID, false); err != nil {
			return err
		}
		if err := saveRound(ctx, tx, r); err != nil {
			return err
		}
		run.Step = StepEnded
		r, err = oneRound(ctx, tx, run.RoundID, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// SaveUpdate keeps what a client made of a round's parameters: one client counts once, and its first update is the one
// that does. sent is how many bytes it came in. Errors are of kind NotFound where it is no round
// of ours or the client is not part of it, and Conflict where the round does not take updates at present.
func (s *Store) SaveUpdate(ctx context.Context, round int64, u Update, sent int64, now time.Time) error {
	return s.change(ctx, fmt.Sprintf("saving an update of round %d", round), func(tx *sql.Tx) error {
		if err := s.admit(ctx, tx, round, u.ClientID, StepTrain, "updates"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO fl_updates (round_id, client_id, examples, change, received_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (round_id, client_id) DO NOTHING`, round, u.ClientID, u.Examples, packFloats(u.Change), stamp(now))
		return errors.Join(err, addBytes(ctx, tx, round, 0, sent))
	})
}

// SaveEvaluation keeps what a client found of a round's candidate; its first report is the one that counts. Errors are as
// SaveUpdate's.
func (s *Store) SaveEvaluation(ctx context.Context, round int64, client string, found json.RawMessage, sent int64) error {
	return s.change(ctx, fmt.Sprintf("saving an evaluation of round %d", round), func(tx *sql.Tx) error {
		if err := s.admit(ctx, tx, round, client, StepEvaluate, "evaluations"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO fl_evaluations (round_id, client_id, found) VALUES ($1, $2, $3)
			ON CONFLICT (round_id, client_id) DO NOTHING`, round, client, string(found))
		return errors.Join(err, addBytes(ctx, tx, round, 0, sent))
	})
}

// admit refuses what a client sends for a round that does not take it. The run is locked.
func (s *Store) admit(ctx context.Context, tx *sql.Tx, round int64, client string, step Step, what string) error {
	run, err := oneRun(ctx, tx, round, s.forUpdate())
	if err != nil {
		return err
	}
	if !run.has(client) {
		return &breakwater.Error{Kind: breakwater.NotFound, Field: "client_id", Message: fmt.Sprintf("client %.64q is not part of round %d", client, round)}
	}
	if run.Step != step {
		return &breakwater.Error{Kind: breakwater.Conflict, Message: fmt.Sprintf("round %d takes no %s at present: it stands at step %s", round, what, run.Step)}
	}
	return nil
}

func (r *Run) has(client string) bool {
	for i := range r.Members {
		if r.Members[i].ID == client {
			return true
		}
	}
	return false
}

// CountBytes adds to the bytes of a round's messages: to clients, and from them.
func (s *Store) CountBytes(ctx context.Context, round, down, up int64) error {
	return s.change(ctx, fmt.Sprintf("counting bytes of round %d", round), func(tx *sql.Tx) error { return addBytes(ctx, tx, round, down, up) })
}

func addBytes(ctx context.Context, tx *sql.Tx, round, down, up int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE fl_runs SET bytes_down = bytes_down + $2, bytes_up = bytes_up + $3 WHERE round_id = $1`, round, down, up)
	return err
}

// Updates are those of a round, by client.
func (s *Store) Updates(ctx context.Context, round int64) (updates []Update, err error) {
	err = s.view(ctx, fmt.Sprintf("reading the updates of round %d", round), func(tx *sql.Tx) (err error) {
		updates, err = many(ctx, tx, func(u *Update, scan func(...any) error) error {
			var packed []byte
			err := scan(&u.ClientID, &u.Examples, &packed)
			u.Change = unpackFloats(packed)
			return err
		}, `SELECT client_id, examples, change FROM fl_updates WHERE round_id = $1 ORDER BY client_id`, round)
		return err
	})
	return updates, err
}

// Updated are the clients of which a round has updates, by id.
func (s *Store) Updated(ctx context.Context, round int64) ([]string, error) {
	return s.sent(ctx, round, `SELECT client_id FROM fl_updates WHERE round_id = $1 ORDER BY client_id`)
}

// Evaluated are the clients that have told what they found of a round's candidate, by id.
func (s *Store) Evaluated(ctx context.Context, round int64) ([]string, error) {
	return s.sent(ctx, round, `SELECT client_id FROM fl_evaluations WHERE round_id = $1 ORDER BY client_id`)
}

func (s *Store) sent(ctx context.Context, round int64, query string) (clients []string, err error) {
	err = s.view(ctx, fmt.Sprintf("reading who has sent what round %d asked for", round), func(tx *sql.Tx) (err error) {
		clients, err = many(ctx, tx, func(id *string, scan func(...any) error) error { return scan(id) }, query, round)
		return err
	})
	return clients, err
}

// Evaluations are what clients found of a round's candidate, by client.
func (s *Store) Evaluations(ctx context.Context, round int64) (map[string]json.RawMessage, error) {
	type one struct {
		client string
		found  json.RawMessage
	}
	var all []one
	err := s.view(ctx, fmt.Sprintf("reading the evaluations of round %d", round), func(tx *sql.Tx) (err error) {
		all, err = many(ctx, tx, func(e *one, scan func(...any) error) error { return scan(&e.client, jsonText{&e.found}) },
			`SELECT client_id, found FROM fl_evaluations WHERE round_id = $1`, round)
		return err
	})
	found := make(map[string]json.RawMessage, len(all))
	for _, e := range all {
		found[e.client] = e.found
	}
	return found, err
}

// Global is shared parameters by version. The error is of kind NotFound where there are none, or they are not kept.
func (s *Store) Global(ctx context.Context, version int64) (*GlobalModel, error) {
	found, err := s.globals(ctx, "WHERE version = $1 AND state <> 'rejected'", version)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "version", Message: fmt.Sprintf("there are no parameters of version %d", version)}
	}
	return &found[0], nil
}

// NewestGlobal is the newest parameters of a scope that were published, or, where none were, untrained ones; nil where there
// are none.
func (s *Store) NewestGlobal(ctx context.Context, scope string) (*GlobalModel, error) {
	found, err := s.globals(ctx, `WHERE scope = $1 AND state IN ('initial', 'published') ORDER BY version DESC LIMIT 1`, scope)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// PublishedFor is the newest published parameters of all rounds that a facility may have been part of: those among all
// facilities, and those among some, it one of them; nil where there are none.
func (s *Store) PublishedFor(ctx context.Context, facility string) (*GlobalModel, error) {
	found, err := s.globals(ctx, `WHERE state = 'published' AND (scope = '' OR replace(',' || scope || ',', ',' || $1 || ',', '') <> ',' || scope || ',')
		ORDER BY version DESC LIMIT 1`, facility)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (s *Store) globals(ctx context.Context, where string, args ...any) (found []GlobalModel, err error) {
	err = s.view(ctx, "reading shared parameters", func(tx *sql.Tx) (err error) {
		found, err = many(ctx, tx, func(m *GlobalModel, scan func(...any) error) error {
			var packed []byte
			err := scan(&m.Version, &m.RoundID, &m.Scope, &m.State, jsonText{&m.Shape}, &packed, jsonText{&m.Cost}, (*stamp)(&m.CreatedAt))
			m.Params = unpackFloats(packed)
			return err
		}, `SELECT version, round_id, scope, state, shape, params, cost, created_at FROM fl_models `+where, args...)
		return err
	})
	return found, err
}

// PrivacyCosts are those of all shared parameters that were ever made with noise.
func (s *Store) PrivacyCosts(ctx context.Context) (costs []PrivacyCost, err error) {
	err = s.view(ctx, "reading what rounds cost in privacy", func(tx *sql.Tx) (err error) {
		var all []*PrivacyCost
		all, err = many(ctx, tx, func(c **PrivacyCost, scan func(...any) error) error { return scan(jsonText{c}) }, `SELECT cost FROM fl_models ORDER BY version`)
		for _, c := range all {
			if c != nil {
				costs = append(costs, *c)
			}
		}
		return err
	})
	return costs, err
}

// saveGlobal keeps a model that has no version yet, and gives it one; of one that has, it changes the state.
func saveGlobal(ctx context.Context, tx *sql.Tx, m *GlobalModel) error {
	if m.Version == 0 {
		return tx.QueryRowContext(ctx, `INSERT INTO fl_models (version, round_id, scope, state, shape, params, cost, created_at)
			VALUES ((SELECT max(version) + 1 FROM (SELECT version FROM fl_models UNION ALL SELECT version FROM fl_removed UNION ALL SELECT 0) AS given), $1, $2, $3, $4, $5, $6, $7) RETURNING version`,
			m.RoundID, m.Scope, string(m.State), string(m.Shape), packFloats(m.Params), jsonText{m.Cost}, stamp(m.CreatedAt)).Scan(&m.Version)
	}
	statement := `UPDATE fl_models SET state = $2 WHERE version = $1`
	if m.State == ModelRejected {
		statement = `UPDATE fl_models SET state = $2, params = '' WHERE version = $1`
	}
	_, err := tx.ExecContext(ctx, statement, m.Version, string(m.State))
	return err
}

// SaveMember notes that a client in another process is there.
func (s *Store) SaveMember(ctx context.Context, m Member, now time.Time) error {
	if err := breakwater.CheckClientID(m.ID); err != nil {
		return err
	}
	if err := breakwater.CheckFacilityID(m.FacilityID); err != nil {
		return err
	}
	if err := breakwater.CheckText("name", m.Name, 200); err != nil {
		return err
	}
	if m.Examples < 0 {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "examples", Message: fmt.Sprintf("examples %d is not allowed: it is 0 or more", m.Examples)}
	}
	return s.change(ctx, "noting client "+m.ID, func(tx *sql.Tx) error {
		if err := saveFacility(ctx, tx, m.FacilityID, time.Time{}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO fl_members (id, facility_id, name, examples, heard_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET facility_id = excluded.facility_id, name = excluded.name, examples = excluded.examples, heard_at = excluded.heard_at`,
			m.ID, m.FacilityID, m.Name, m.Examples, stamp(now))
		return err
	})
}

// Members are the clients in other processes that were heard of since a time, by id.
func (s *Store) Members(ctx context.Context, since time.Time) (members []Member, err error) {
	err = s.view(ctx, "listing who may take part", func(tx *sql.Tx) (err error) {
		members, err = many(ctx, tx, func(m *Member, scan func(...any) error) error {
			m.Remote = true
			return scan(&m.ID, &m.FacilityID, &m.Name, &m.Examples)
		}, `SELECT id, facility_id, name, examples FROM fl_members WHERE heard_at >= $1 ORDER BY id`, stamp(since))
		return err
	})
	return members, err
}

// Trainable are the facilities with at least so many windows in the newest span of their data, by id, at most MaxFacilities.
func (s *Store) Trainable(ctx context.Context, span time.Duration, least int64) (facilities []string, err error) {
	type facility struct {
		id   string
		seen time.Time
	}
	err = s.view(ctx, "looking who has data to train on", func(tx *sql.Tx) error {
		all, err := many(ctx, tx, func(f *facility, scan func(...any) error) error { return scan(&f.id, (*stamp)(&f.seen)) },
			`SELECT id, last_seen FROM facilities WHERE last_seen IS NOT NULL ORDER BY id LIMIT $1`, MaxFacilities)
		if err != nil {
			return err
		}
		for _, f := range all {
			var n int64
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM network_data WHERE facility_id = $1 AND timestamp >= $2 LIMIT $3) AS enough`,
				f.id, stamp(f.seen.Add(-span)), least).Scan(&n); err != nil {
				return err
			}
			if n >= least {
				facilities = append(facilities, f.id)
			}
		}
		return nil
	})
	return facilities, err
}

// NewestWindow is when the newest window of a facility begins; zero where it has none.
func (s *Store) NewestWindow(ctx context.Context, facility string) (newest time.Time, err error) {
	err = s.view(ctx, "looking for the newest data of "+facility, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT max(timestamp) FROM network_data WHERE facility_id = $1`, facility).Scan((*stamp)(&newest))
	})
	return newest, err
}

// AttackedAt are the moments in [from, to) at which a rule found something of high severity at a facility, as far as the
// alerts' histories list them, but not in alerts that somebody has called a false positive. Models learn from them what an
// attack looks like, and so are not asked themselves.
func (s *Store) AttackedAt(ctx context.Context, facility string, from, to time.Time) (moments []time.Time, err error) {
	err = s.view(ctx, "reading when "+facility+" was attacked", func(tx *sql.Tx) (err error) {
		moments, err = many(ctx, tx, func(t *time.Time, scan func(...any) error) error { return scan((*stamp)(t)) },
			`SELECT DISTINCT e.time FROM alerts a JOIN alert_events e ON e.alert_id = a.id
			JOIN alert_sources s ON s.alert_id = a.id AND s.model_name = e.author
			WHERE a.facility_id = $1 AND a.last_seen >= $2 AND a.timestamp < $3 AND a.status <> 'false-positive' AND s.severity IN ('high', 'critical')
			AND NOT a.external AND s.model_name NOT IN ('autoencoder', 'isolation-forest', 'pca')
			AND e.kind = 'detection' AND e.time >= $2 AND e.time < $3 ORDER BY e.time`, facility, stamp(from), stamp(to))
		return err
	})
	return moments, err
}

// ours refuses what another engine reports of a round that this program runs itself.
func ours(ctx context.Context, tx *sql.Tx, round int64) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM fl_runs WHERE round_id = $1`, round).Scan(&n); err != nil || n == 0 {
		return err
	}
	return &breakwater.Error{Kind: breakwater.Conflict, Field: "id", Message: fmt.Sprintf("round %d is run by this server: another engine's rounds have ids of their own", round)}
}

func oneRun(ctx context.Context, tx *sql.Tx, round int64, lock string) (*Run, error) {
	if lock != "" { // of the run alone: the join would lock the round as well, on some engines
		var id int64
		if err := tx.QueryRowContext(ctx, `SELECT round_id FROM fl_runs WHERE round_id = $1`+lock, round).Scan(&id); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
	}
	found, err := selectRuns(ctx, tx, "WHERE u.round_id = $1", round)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: fmt.Sprintf("there is no round %d that this server runs", round)}
	}
	return &found[0], nil
}

func selectRuns(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]Run, error) {
	return many(ctx, tx, func(r *Run, scan func(...any) error) error {
		return scan(&r.RoundID, &r.Number, &r.Scope, &r.Step, jsonText{&r.Plan}, jsonText{&r.Members}, &r.Eligible, &r.Base, &r.Candidate, (*stamp)(&r.Deadline), &r.Down, &r.Up)
	}, `SELECT u.round_id, r.round_number, u.scope, u.step, u.plan, u.members, u.eligible, u.base, u.candidate, u.deadline, u.bytes_down, u.bytes_up
		FROM fl_runs u JOIN fl_rounds r ON r.id = u.round_id `+where, args...)
}

// packFloats writes numbers as 4 bytes each, little-endian.
func packFloats(values []float32) []byte {
	packed := make([]byte, 0, 4*len(values))
	for _, v := range values {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(v))
	}
	return packed
}

func unpackFloats(packed []byte) []float32 {
	values := make([]float32, len(packed)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))
	}
	return values
}
