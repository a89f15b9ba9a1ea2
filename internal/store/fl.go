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

// MaxClients is the most clients that one list holds, a round's too.
const MaxClients = 1000

// RoundPage is one page of a list of rounds: newest first, by number.
type RoundPage struct {
	Rounds []breakwater.Round // empty past the last page
	Total  int
	Pages  int
}

// RoundResult is what became of a round that has ended.
type RoundResult struct {
	Number                      int64
	Status                      breakwater.RoundStatus
	Reason                      string
	ClientsActive, TotalClients int
	AccuracyChange              *float64 // against the completed round before it; nil where one of both is not known
	Epsilon                     *float64
	StartTime, EndTime          time.Time
}

// ReportRound takes in what an engine says of a round, which begins with its first report, and of clients that take
// part in it. It gives back the round as it is then, and whether something changed. Errors are of kind Invalid where
// the report is wrong, and Conflict where the round cannot go that way (see breakwater.Round), another is in progress,
// a later one was there before, or it is one of our own.
func (s *Store) ReportRound(ctx context.Context, id int64, report breakwater.RoundReport, clients []breakwater.FLClient, now time.Time) (r *breakwater.Round, changed bool, err error) {
	if len(clients) > MaxClients {
		return nil, false, &breakwater.Error{Kind: breakwater.Invalid, Field: "clients", Message: fmt.Sprintf("clients holds %d: give at most %d at a time", len(clients), MaxClients)}
	}
	err = s.change(ctx, fmt.Sprintf("saving round %d", id), func(tx *sql.Tx) error {
		if err := ours(ctx, tx, id); err != nil {
			return err
		}
		r, err = oneRound(ctx, tx, id, s.forUpdate())
		switch {
		case breakwater.KindOf(err) == breakwater.NotFound:
			r, err = s.beginRound(ctx, tx, id, report, now)
			changed = true
		case err == nil:
			changed, err = r.Report(report, now)
		}
		if err != nil {
			return err
		}
		if err := saveClients(ctx, tx, clients, id, now); err != nil {
			return err
		}
		if changed = changed || len(clients) > 0; !changed {
			return nil
		}
		if err := saveRound(ctx, tx, r); err != nil {
			return err
		}
		r, err = oneRound(ctx, tx, id, "")
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return r, changed, nil
}

// saveClients saves clients of a round, in the order of their facilities, so that two who report at the same time do not
// wait for each other.
func saveClients(ctx context.Context, tx *sql.Tx, clients []breakwater.FLClient, round int64, now time.Time) error {
	for _, c := range slices.SortedFunc(slices.Values(clients), func(a, b breakwater.FLClient) int { return strings.Compare(a.FacilityID, b.FacilityID) }) {
		if _, err := saveClient(ctx, tx, c, &round, now); err != nil {
			return err
		}
	}
	return nil
}

// beginRound makes a round's row, which whoever reports of it next finds, where its turn has come.
func (s *Store) beginRound(ctx context.Context, tx *sql.Tx, id int64, report breakwater.RoundReport, now time.Time) (*breakwater.Round, error) {
	r, err := breakwater.NewRound(id, report, now)
	if err != nil {
		return nil, err
	}
	newest, err := selectRounds(ctx, tx, "ORDER BY round_number DESC LIMIT 1")
	if err != nil {
		return nil, err
	}
	conflict := func(field, format string, args ...any) error {
		return &breakwater.Error{Kind: breakwater.Conflict, Field: field, Message: fmt.Sprintf("round %d cannot begin: ", id) + fmt.Sprintf(format, args...)}
	}
	if len(newest) > 0 {
		last := &newest[0]
		if last.Status == breakwater.RoundInProgress {
			return nil, conflict("id", "round %d is in progress, or waits for its turn; rounds run one at a time, so it must end first", last.ID)
		}
		if last.Number >= r.Number {
			return nil, conflict("round_number", "round number %d was there before, and this one would be number %d; rounds come in order", last.Number, r.Number)
		}
	}
	var goneID, goneNumber int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(round_id), 0), coalesce(max(round_number), 0) FROM fl_removed`).Scan(&goneID, &goneNumber); err != nil {
		return nil, err
	}
	if r.ID <= goneID || r.Number <= goneNumber {
		return nil, conflict("id", "rounds up to id %d and number %d were there before and have been removed; take higher ones", goneID, goneNumber)
	}
	added, err := tx.ExecContext(ctx, `INSERT INTO fl_rounds
		(id, round_number, status, phase, progress, first_progress, clients, start_time, last_update, reason, version)
		VALUES ($1, $2, $3, $4, $5, $6, '[]', $7, $8, '', 0) ON CONFLICT DO NOTHING`,
		r.ID, r.Number, string(r.Status), string(r.Phase), r.Progress, r.FirstProgress, stamp(r.StartTime), stamp(r.LastUpdate))
	if err != nil {
		return nil, err
	}
	if n, err := added.RowsAffected(); err != nil {
		return nil, err
	} else if n == 0 {
		return nil, conflict("id", "another round began at the same moment")
	}
	return r, nil
}

// EndRound completes another engine's round, or lets it fail with a reason. It gives back the round as it
// is then, and whether something changed. Errors are of kind NotFound where there is no such round, and else as
// breakwater.Round.End says.
func (s *Store) EndRound(ctx context.Context, id int64, status breakwater.RoundStatus, reason string, now time.Time) (r *breakwater.Round, changed bool, err error) {
	err = s.change(ctx, fmt.Sprintf("ending round %d", id), func(tx *sql.Tx) error {
		if err := ours(ctx, tx, id); err != nil {
			return err
		}
		if r, err = oneRound(ctx, tx, id, s.forUpdate()); err != nil {
			return err
		}
		if changed, err = r.End(status, reason, now); err != nil || !changed {
			return err
		}
		if err := saveRound(ctx, tx, r); err != nil {
			return err
		}
		r, err = oneRound(ctx, tx, id, "")
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return r, changed, nil
}

// Rounds lists rounds.
func (s *Store) Rounds(ctx context.Context, page, limit int) (RoundPage, error) {
	if err := checkPage(page, limit); err != nil {
		return RoundPage{}, err
	}
	list := RoundPage{Rounds: []breakwater.Round{}}
	err := s.view(ctx, "listing rounds", func(tx *sql.Tx) (err error) {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM fl_rounds").Scan(&list.Total); err != nil {
			return err
		}
		if list.Pages = (list.Total + limit - 1) / limit; page > list.Pages {
			return nil
		}
		list.Rounds, err = selectRounds(ctx, tx, "ORDER BY round_number DESC LIMIT $1 OFFSET $2", limit, (page-1)*limit)
		return err
	})
	return list, err
}

// Round is one round. The error is of kind NotFound where there is none of that id.
func (s *Store) Round(ctx context.Context, id int64) (r *breakwater.Round, err error) {
	err = s.view(ctx, fmt.Sprintf("reading round %d", id), func(tx *sql.Tx) (err error) {
		r, err = oneRound(ctx, tx, id, "")
		return err
	})
	return r, err
}

// current orders rounds so that the one in progress comes first, before those that wait for their turn, the next one
// first, and those that have ended, the last one first.
const current = `ORDER BY CASE WHEN status <> 'in-progress' THEN 2 WHEN waiting THEN 1 ELSE 0 END,
	CASE WHEN status = 'in-progress' THEN round_number ELSE -round_number END LIMIT 1`

// CurrentRound is the round in progress, else the last one; nil where there never was one.
func (s *Store) CurrentRound(ctx context.Context) (*breakwater.Round, error) {
	var found []breakwater.Round
	err := s.view(ctx, "reading the current round", func(tx *sql.Tx) (err error) {
		found, err = selectRounds(ctx, tx, current)
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// RoundHistory is what became of the rounds that have ended, newest first, at most limit.
func (s *Store) RoundHistory(ctx context.Context, limit int) (results []RoundResult, err error) {
	err = s.view(ctx, "reading the history of rounds", func(tx *sql.Tx) (err error) {
		results, err = many(ctx, tx, func(r *RoundResult, scan func(...any) error) error {
			var clients []breakwater.FLClient
			var active, total *int
			err := scan(&r.Number, &r.Status, &r.Reason, jsonText{&clients}, &active, &total, &r.AccuracyChange, &r.Epsilon, (*stamp)(&r.StartTime), (*stamp)(&r.EndTime))
			r.ClientsActive, r.TotalClients = countClients(clients, active, total)
			return err
		}, `SELECT round_number, status, reason, clients, clients_active, total_clients,
			CASE WHEN status = 'completed' THEN model_accuracy - (SELECT prior.model_accuracy FROM fl_rounds prior
			 WHERE prior.round_number < fl_rounds.round_number AND prior.status = 'completed' AND prior.model_accuracy IS NOT NULL
			 ORDER BY prior.round_number DESC LIMIT 1) END,
			epsilon, start_time, end_time
			FROM fl_rounds WHERE end_time IS NOT NULL ORDER BY round_number DESC LIMIT $1`, limit)
		return err
	})
	return results, err
}

// PrivacyMetrics is what the newest round that said anything of privacy said; all nil where none did.
func (s *Store) PrivacyMetrics(ctx context.Context) (m breakwater.PrivacyMetrics, err error) {
	err = s.view(ctx, "reading the privacy of rounds", func(tx *sql.Tx) error {
		rounds, err := selectRounds(ctx, tx, `WHERE coalesce(epsilon, delta, data_size, privacy_budget_remaining) IS NOT NULL OR encryption IS NOT NULL
			ORDER BY round_number DESC LIMIT 1`)
		if err == nil && len(rounds) > 0 {
			r := &rounds[0]
			m = breakwater.PrivacyMetrics{Epsilon: r.Epsilon, Delta: r.Delta, DataSize: r.DataSize, Encryption: r.Encryption, BudgetRemaining: r.BudgetRemaining}
		}
		return err
	})
	return m, err
}

// ReportClient takes in what a client of the federation says of itself, as part of the round in progress where there is
// one. It replaces what was known of it, and gives back what is kept. The error is of kind Invalid.
func (s *Store) ReportClient(ctx context.Context, c breakwater.FLClient, now time.Time) (kept *breakwater.FLClient, err error) {
	err = s.change(ctx, "saving client "+c.ID, func(tx *sql.Tx) error {
		// The round is locked before the client, as ReportRound does.
		rounds, err := many(ctx, tx, func(id *int64, scan func(...any) error) error { return scan(id) },
			"SELECT id FROM fl_rounds WHERE status = 'in-progress' AND NOT waiting"+s.forUpdate())
		if err != nil {
			return err
		}
		var round *int64
		if len(rounds) > 0 {
			round = &rounds[0]
		}
		kept, err = saveClient(ctx, tx, c, round, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// Clients lists the clients of the federation by id, at most MaxClients, from the one after an id on; "" is from the
// first on. The error is of kind Invalid where that is no id.
func (s *Store) Clients(ctx context.Context, after string, limit int) (clients []breakwater.FLClient, err error) {
	if after != "" {
		if err := breakwater.CheckClientID(after); err != nil {
			return nil, err
		}
	}
	err = s.view(ctx, "listing clients", func(tx *sql.Tx) (err error) {
		clients, err = selectClients(ctx, tx, "WHERE id > $1 ORDER BY id LIMIT $2", after, min(limit, MaxClients))
		return err
	})
	return clients, err
}

// Client is one client. The error is of kind NotFound where there is none of that id, Invalid where there can be none.
func (s *Store) Client(ctx context.Context, id string) (*breakwater.FLClient, error) {
	if err := breakwater.CheckClientID(id); err != nil {
		return nil, err
	}
	var found []breakwater.FLClient
	err := s.view(ctx, "reading a client", func(tx *sql.Tx) (err error) {
		found, err = selectClients(ctx, tx, "WHERE id = $1", id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: "there is no client " + id}
	}
	return &found[0], nil
}

// oneRound reads a round, locked where lock is forUpdate.
func oneRound(ctx context.Context, tx *sql.Tx, id int64, lock string) (*breakwater.Round, error) {
	rounds, err := selectRounds(ctx, tx, "WHERE id = $1"+lock, id)
	if err != nil {
		return nil, err
	}
	if len(rounds) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: fmt.Sprintf("there is no round %d", id)}
	}
	return &rounds[0], nil
}

// selectRounds reads the rounds of a condition with their clients: of one in progress those that reported in it, of one
// that has ended those kept at its end.
func selectRounds(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Round, error) {
	rounds, err := many(ctx, tx, func(r *breakwater.Round, scan func(...any) error) error {
		var end, expected *stamp
		r.Clients = []breakwater.FLClient{}
		err := scan(&r.ID, &r.Number, &r.Status, &r.Phase, &r.Progress, &r.FirstProgress, &r.Epsilon, &r.Delta, &r.DataSize, &r.Encryption, &r.BudgetRemaining,
			&r.Accuracy, &r.ReportedActive, &r.ReportedTotal, jsonText{&r.Clients}, (*stamp)(&r.StartTime), (*stamp)(&r.LastUpdate), &end, &r.Reason, &r.Version, &expected)
		r.EndTime, r.ExpectedEnd = (*time.Time)(end), (*time.Time)(expected)
		return err
	}, `SELECT id, round_number, status, phase, progress, first_progress, epsilon, delta, data_size, encryption, privacy_budget_remaining,
		model_accuracy, clients_active, total_clients, clients, start_time, last_update, end_time, reason, version, expected_end FROM fl_rounds `+where, args...)
	if err != nil {
		return nil, err
	}
	for i := range rounds {
		r := &rounds[i]
		if r.Status == breakwater.RoundInProgress {
			if r.Clients, err = selectClients(ctx, tx, "WHERE round_id = $1 ORDER BY id LIMIT $2", r.ID, MaxClients); err != nil {
				return nil, err
			}
		}
		r.ClientsActive, r.TotalClients = countClients(r.Clients, r.ReportedActive, r.ReportedTotal)
	}
	return rounds, nil
}

// countClients is how many are active, of how many: as the engine said, else as they reported.
func countClients(clients []breakwater.FLClient, saidActive, saidTotal *int) (active, total int) {
	if saidActive != nil && saidTotal != nil {
		return *saidActive, *saidTotal
	}
	for i := range clients {
		if clients[i].Status == breakwater.ClientActive {
			active++
		}
	}
	return active, len(clients)
}

// saveRound writes a round that has a row, as its next version.
func saveRound(ctx context.Context, tx *sql.Tx, r *breakwater.Round) error {
	kept := r.Clients
	if r.Status == breakwater.RoundInProgress {
		kept = []breakwater.FLClient{} // they are read from their own rows
	}
	_, err := tx.ExecContext(ctx, `UPDATE fl_rounds SET status = $2, phase = $3, progress = $4, epsilon = $5, delta = $6, data_size = $7,
		encryption = $8, privacy_budget_remaining = $9, model_accuracy = $10, clients_active = $11, total_clients = $12, clients = $13,
		last_update = $14, end_time = $15, reason = $16, expected_end = $17, version = version + 1 WHERE id = $1`,
		r.ID, string(r.Status), string(r.Phase), r.Progress, r.Epsilon, r.Delta, r.DataSize, r.Encryption, r.BudgetRemaining, r.Accuracy,
		r.ReportedActive, r.ReportedTotal, jsonText{kept}, stamp(r.LastUpdate), (*stamp)(r.EndTime), r.Reason, (*stamp)(r.ExpectedEnd))
	return err
}

// saveClient replaces what is known of a client, as part of a round; nil: of none.
func saveClient(ctx context.Context, tx *sql.Tx, c breakwater.FLClient, round *int64, now time.Time) (*breakwater.FLClient, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := saveFacility(ctx, tx, c.FacilityID, time.Time{}); err != nil {
		return nil, err
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	c.LastUpdate = now
	err := tx.QueryRowContext(ctx, `INSERT INTO fl_clients
		(id, facility_id, name, status, progress, current_epoch, total_epochs, loss, accuracy, round_id, last_update, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)
		ON CONFLICT (id) DO UPDATE SET facility_id = excluded.facility_id, name = excluded.name, status = excluded.status,
		 progress = excluded.progress, current_epoch = excluded.current_epoch, total_epochs = excluded.total_epochs, loss = excluded.loss,
		 accuracy = excluded.accuracy, round_id = excluded.round_id, last_update = excluded.last_update, version = fl_clients.version + 1
		RETURNING version`,
		c.ID, c.FacilityID, c.Name, string(c.Status), c.Progress, c.Epoch, c.Epochs, c.Loss, c.Accuracy, round, stamp(now)).Scan(&c.Version)
	return &c, err
}

func selectClients(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.FLClient, error) {
	return many(ctx, tx, func(c *breakwater.FLClient, scan func(...any) error) error {
		return scan(&c.ID, &c.FacilityID, &c.Name, &c.Status, &c.Progress, &c.Epoch, &c.Epochs, &c.Loss, &c.Accuracy, (*stamp)(&c.LastUpdate), &c.Version)
	}, `SELECT id, facility_id, name, status, progress, current_epoch, total_epochs, loss, accuracy, last_update, version FROM fl_clients `+where, args...)
}
