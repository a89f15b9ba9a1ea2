package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"breakwater"
)

// PredictionFilter says which predictions are asked for; an empty list and nil mean any.
type PredictionFilter struct {
	Facilities []string
	Statuses   []breakwater.PredictionStatus
	Techniques []string // one of what it predicts
	Validated  *bool
	Page       int    // from 1; 1 where After is given
	Limit      int    // predictions on a page, 1 to MaxPage
	After      string // Next of another page; "": the first
}

// PredictionPage is one page of a list of predictions: newest first, those of the same time by id.
type PredictionPage struct {
	Predictions []breakwater.Prediction // empty past the last page
	Total       int                     // predictions under the filter, on all pages
	Pages       int
	Next        string // the cursor of what comes behind; "": nothing does
}

// Predictions lists predictions. The page and the totals are of one state.
func (s *Store) Predictions(ctx context.Context, f PredictionFilter) (PredictionPage, error) {
	if err := checkPage(f.Page, f.Limit); err != nil {
		return PredictionPage{}, err
	}
	if f.After != "" && f.Page != 1 {
		return PredictionPage{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "cursor", Message: "cursor and page are both given: use one of them"}
	}
	var args []any
	where := "WHERE true" + in(&args, "facility_id", f.Facilities) + ofStatus(&args, f.Statuses)
	if f.Validated != nil && *f.Validated {
		where += " AND validation_time IS NOT NULL"
	} else if f.Validated != nil {
		where += " AND validation_time IS NULL"
	}
	if len(f.Techniques) > 0 {
		where += " AND EXISTS (SELECT 1 FROM predicted_techniques t WHERE t.prediction_id = predictions.id" + in(&args, "t.technique_id", f.Techniques) + ")"
	}
	page := PredictionPage{Predictions: []breakwater.Prediction{}}
	counted, countArgs := where, slices.Clone(args)
	if f.After != "" {
		at, id, err := readCursor(f.After)
		if err != nil {
			return page, err
		}
		args = append(args, at, idText(id))
		where += fmt.Sprintf(" AND (timestamp, id) < ($%d, $%d)", len(args)-1, len(args))
	}
	err := s.view(ctx, "listing predictions", func(tx *sql.Tx) (err error) {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM predictions "+counted, countArgs...).Scan(&page.Total); err != nil {
			return err
		}
		if page.Pages = (page.Total + f.Limit - 1) / f.Limit; f.Page > page.Pages {
			return nil
		}
		page.Predictions, err = selectPredictions(ctx, tx,
			fmt.Sprintf("%s ORDER BY timestamp DESC, id DESC LIMIT $%d OFFSET $%d", where, len(args)+1, len(args)+2),
			append(args, f.Limit+1, (f.Page-1)*f.Limit)...)
		if len(page.Predictions) > f.Limit { // one more than asked for shows that there is more
			page.Predictions = page.Predictions[:f.Limit]
			last := &page.Predictions[f.Limit-1]
			page.Next = cursorAt(last.Timestamp, last.ID)
		}
		return err
	})
	return page, err
}

// ofStatus is the condition that a prediction's status is one of these. Where it is one, it is said in the words of an
// index that holds only those.
func ofStatus(args *[]any, statuses []breakwater.PredictionStatus) string {
	if len(statuses) == 1 {
		switch statuses[0] {
		case breakwater.PredictionOpen:
			return " AND status = 'open'"
		case breakwater.PredictionValidated:
			return " AND validation_time IS NOT NULL"
		case breakwater.PredictionExpired:
			return " AND status = 'expired'"
		}
	}
	return in(args, "status", statuses)
}

// LatestPrediction is the newest prediction by data time of any of the facilities, or of all where none is named; nil
// where there is none.
func (s *Store) LatestPrediction(ctx context.Context, facilities []string) (*breakwater.Prediction, error) {
	var args []any
	where := "WHERE true" + in(&args, "facility_id", facilities)
	var found []breakwater.Prediction
	err := s.view(ctx, "reading the latest prediction", func(tx *sql.Tx) (err error) {
		found, err = selectPredictions(ctx, tx, where+" ORDER BY timestamp DESC, id DESC LIMIT 1", args...)
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// Prediction is one prediction. The error is of kind NotFound where there is none of that id.
func (s *Store) Prediction(ctx context.Context, id breakwater.ID) (*breakwater.Prediction, error) {
	var found *breakwater.Prediction
	err := s.view(ctx, "reading prediction "+id.String(), func(tx *sql.Tx) (err error) {
		found, err = onePrediction(ctx, tx, id)
		return err
	})
	return found, err
}

// SavePrediction keeps a prediction as it was reported and gives back what is kept, and whether it is new. Where it has
// no facility, that is its alert's; where it has no id, that is made of what it says (see Identify), so that the same
// report twice is one prediction. Errors are of kind Invalid where the prediction is wrong or names an alert that is
// not there, and Conflict where another one has its id.
func (s *Store) SavePrediction(ctx context.Context, p breakwater.Prediction) (kept *breakwater.Prediction, created bool, err error) {
	p.Predicted = slices.Clone(p.Predicted)
	p.Timestamp = p.Timestamp.UTC().Truncate(time.Millisecond)
	if !storable(p.Timestamp) {
		return nil, false, &breakwater.Error{Kind: breakwater.Invalid, Field: "timestamp", Message: fmt.Sprintf("timestamp lies in the year %d", p.Timestamp.Year())}
	}
	err = s.change(ctx, "saving a prediction", func(tx *sql.Tx) error {
		if err := placePrediction(ctx, tx, &p); err != nil {
			return err
		}
		if err := p.Check(); err != nil {
			return err
		}
		p.Identify()
		if err := saveFacility(ctx, tx, p.FacilityID, time.Time{}); err != nil {
			return err
		}
		if created, err = addPrediction(ctx, tx, &p); err != nil {
			return err
		}
		if kept, err = onePrediction(ctx, tx, p.ID); err != nil {
			return err
		}
		if !samePrediction(kept, &p) {
			return &breakwater.Error{Kind: breakwater.Conflict, Field: "id", Message: "prediction " + p.ID.String() + " is there already and says something else: give this one another id or timestamp"}
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return kept, created, nil
}

// addPrediction writes an open prediction, whose facility is locked, and reports whether it is new: one of its id may be
// there.
func addPrediction(ctx context.Context, tx *sql.Tx, p *breakwater.Prediction) (created bool, err error) {
	p.Status, p.ExpiresAt = breakwater.PredictionOpen, p.End()
	if !storable(p.ExpiresAt) {
		return false, &breakwater.Error{Kind: breakwater.Invalid, Field: "timestamp", Message: fmt.Sprintf("a timeframe ends in the year %d", p.ExpiresAt.Year())}
	}
	if p.Seen == nil {
		p.Seen = []string{}
	}
	added, err := tx.ExecContext(ctx, `INSERT INTO predictions
		(id, timestamp, facility_id, source, current_technique, current_technique_name, alert_id, seen, status, expires_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1) ON CONFLICT DO NOTHING`,
		idText(p.ID), stamp(p.Timestamp), p.FacilityID, p.Source, p.Current, p.CurrentName, (*idText)(p.AlertID), jsonText{p.Seen}, string(p.Status), stamp(p.ExpiresAt))
	if err != nil {
		return false, err
	}
	if n, err := added.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, addPredicted(ctx, tx, p)
}

// addPredicted writes a prediction's techniques.
func addPredicted(ctx context.Context, tx *sql.Tx, p *breakwater.Prediction) error {
	for i := range p.Predicted {
		t := &p.Predicted[i]
		if t.Why == nil {
			t.Why = []breakwater.Reason{}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO predicted_techniques
			(prediction_id, rank, technique_id, technique_name, probability, timeframe, until, why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			idText(p.ID), t.Rank, t.TechniqueID, t.TechniqueName, t.Probability, t.Timeframe, stamp(p.Timestamp.Add(t.Within())), jsonText{t.Why}); err != nil {
			return err
		}
	}
	return nil
}

// placePrediction gives a prediction its alert's facility, and refuses one whose alert is not there or is another
// facility's.
func placePrediction(ctx context.Context, tx *sql.Tx, p *breakwater.Prediction) error {
	if p.AlertID == nil {
		return nil
	}
	var facility string
	err := tx.QueryRowContext(ctx, `SELECT facility_id FROM alerts WHERE id = $1`, idText(*p.AlertID)).Scan(&facility)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "alert_id", Message: "alert_id names no alert: there is no " + p.AlertID.String()}
	case err != nil:
		return err
	case p.FacilityID == "":
		p.FacilityID = facility
	case p.FacilityID != facility:
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "alert_id", Message: "alert_id names an alert of facility " + facility + ", and the prediction is of " + p.FacilityID}
	}
	return nil
}

// samePrediction reports whether two say the same; what became of it is not said by either.
func samePrediction(a, b *breakwater.Prediction) bool {
	return a.Timestamp.Equal(b.Timestamp) && a.FacilityID == b.FacilityID && a.Source == b.Source && a.Current == b.Current &&
		a.CurrentName == b.CurrentName && (a.AlertID == nil) == (b.AlertID == nil) && (a.AlertID == nil || *a.AlertID == *b.AlertID) &&
		slices.EqualFunc(a.Predicted, b.Predicted, func(x, y breakwater.PredictedTechnique) bool {
			return x.TechniqueID == y.TechniqueID && x.TechniqueName == y.TechniqueName && x.Probability == y.Probability && x.Rank == y.Rank && x.Timeframe == y.Timeframe
		})
}

// ValidatePrediction marks a prediction as one that came true, and reports whether that is new: the second time changes
// nothing. The error is of kind NotFound where there is none of that id.
func (s *Store) ValidatePrediction(ctx context.Context, id breakwater.ID, now time.Time) (p *breakwater.Prediction, changed bool, err error) {
	err = s.change(ctx, "validating prediction "+id.String(), func(tx *sql.Tx) error {
		if p, err = onePrediction(ctx, tx, id); err != nil {
			return err
		}
		if err := saveFacility(ctx, tx, p.FacilityID, time.Time{}); err != nil { // what ends predictions takes turns
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE predictions SET status = 'validated', validation_time = $2, version = version + 1
			WHERE id = $1 AND validation_time IS NULL`, idText(id), stamp(now))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return err
		}
		changed = n == 1
		p, err = onePrediction(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return p, changed, nil
}

func onePrediction(ctx context.Context, tx *sql.Tx, id breakwater.ID) (*breakwater.Prediction, error) {
	found, err := selectPredictions(ctx, tx, "WHERE id = $1", idText(id))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: "there is no prediction " + id.String()}
	}
	return &found[0], nil
}

// selectPredictions reads the predictions of a condition, a page of them at most, with their techniques.
func selectPredictions(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Prediction, error) {
	found, err := many(ctx, tx, func(p *breakwater.Prediction, scan func(...any) error) error {
		p.Predicted = []breakwater.PredictedTechnique{}
		var alert *idText
		var validated *stamp
		err := scan((*idText)(&p.ID), (*stamp)(&p.Timestamp), &p.FacilityID, &p.Source, &p.Current, &p.CurrentName, &alert, jsonText{&p.Seen},
			&p.Status, (*stamp)(&p.ExpiresAt), &validated, &p.Version)
		p.AlertID, p.ValidationTime, p.Validated = (*breakwater.ID)(alert), (*time.Time)(validated), validated != nil
		return err
	}, `SELECT id, timestamp, facility_id, source, current_technique, current_technique_name, alert_id, seen, status, expires_at, validation_time, version
		FROM predictions `+where, args...)
	if err != nil || len(found) == 0 {
		return found, err
	}
	at := make(map[breakwater.ID]*breakwater.Prediction, len(found))
	ids := make([]string, len(found))
	for i := range found {
		at[found[i].ID] = &found[i]
		ids[i] = found[i].ID.String()
	}
	type row struct {
		of breakwater.ID
		breakwater.PredictedTechnique
	}
	var idArgs []any
	rows, err := many(ctx, tx, func(r *row, scan func(...any) error) error {
		var at *stamp
		var alert *idText
		err := scan((*idText)(&r.of), &r.Rank, &r.TechniqueID, &r.TechniqueName, &r.Probability, &r.Timeframe, jsonText{&r.Why}, &at, &alert)
		r.ObservedAt, r.ObservedIn = (*time.Time)(at), (*breakwater.ID)(alert)
		return err
	}, `SELECT prediction_id, rank, technique_id, technique_name, probability, timeframe, why, observed_at, observed_in FROM predicted_techniques WHERE true`+
		in(&idArgs, "prediction_id", ids)+` ORDER BY prediction_id, rank`, idArgs...)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		at[r.of].Predicted = append(at[r.of].Predicted, r.PredictedTechnique)
	}
	return found, nil
}

// checkPage refuses a page that cannot be had.
func checkPage(page, limit int) error {
	if page < 1 || limit < 1 || limit > MaxPage {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "limit",
			Message: fmt.Sprintf("page %d of %d cannot be had: pages count from 1 and hold 1 to %d", page, limit, MaxPage)}
	}
	if page-1 > (MaxOffset-1)/limit {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "page",
			Message: fmt.Sprintf("page %d begins past the %d rows that pages reach: narrow the list, or go on with a page's next_cursor where it has one", page, MaxOffset)}
	}
	return nil
}
