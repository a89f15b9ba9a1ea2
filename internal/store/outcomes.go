package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"breakwater"
	"breakwater/internal/attack"
)

// What techniques were seen, what is predicted of them, and what becomes of predictions.
//
//	sightings ─► technique_sightings ─► new at this facility? ─► Outlook.Predict ─► created, or updated
//	     └─────► predictions that named it, inside its timeframe ───────────────► validated, or updated
//	data time ─► open ones whose last timeframe is over ────────────────────────► expired
//
// The outcome of a prediction is a matter of data time alone: it is validated by a sighting that lies in the timeframe,
// whenever that comes, and also where it had expired before.

const (
	// RecentSpan is attack's: a technique that was not seen within this span before or after is new.
	RecentSpan = attack.RecentSpan
	// moment is how long one act of an attacker may be under way: what more is seen so soon after a prediction was made,
	// several rules seeing the same packets, updates it and makes no other.
	moment = 5 * time.Second
	// expireMost bounds the predictions that one transaction ends.
	expireMost = 500
)

// Outlook is what the store asks about techniques.
type Outlook struct {
	// Same are the ids, of any version of ATT&CK, that mean the same as this one: itself first.
	Same func(technique string) []string
	// Predict says what comes next. It is given the Timestamp, FacilityID, Current and Seen, adds the names and what is
	// predicted, and reports whether there is anything to say.
	Predict func(p *breakwater.Prediction) bool
}

// PredictionEvent is something that happened to a prediction, which is given as it was then.
type PredictionEvent struct {
	What string // created, updated, validated, expired
	*breakwater.Prediction
}

// Observe takes in what a facility's alerts have shown, and gives what happened to its predictions, in order, and when
// the next of them expires; zero: none is open. What alerts that are false positives, or are not kept any more, have
// shown is passed over. The same sightings twice are the same as once.
func (s *Store) Observe(ctx context.Context, facility string, sightings []breakwater.Sighting, o Outlook) (events []PredictionEvent, due time.Time, err error) {
	err = s.change(ctx, "noting what was seen at "+facility, func(tx *sql.Tx) error {
		events = nil
		if err := saveFacility(ctx, tx, facility, time.Time{}); err != nil {
			return err
		}
		seen, err := credible(ctx, tx, sightings)
		if err != nil {
			return err
		}
		for _, first := range firstOfEach(seen) {
			if e, err := foresee(ctx, tx, facility, first, o); err != nil {
				return err
			} else if e != nil {
				events = append(events, *e)
			}
		}
		hits, err := borneOut(ctx, tx, facility, seen, o)
		if err != nil {
			return err
		}
		if err := strike(ctx, tx, hits, &events); err != nil {
			return err
		}
		var now *stamp
		if err := tx.QueryRowContext(ctx, `SELECT last_seen FROM facilities WHERE id = $1`, facility).Scan(&now); err != nil {
			return err
		}
		if now != nil {
			if err := expirePredictions(ctx, tx, facility, time.Time(*now), &events); err != nil {
				return err
			}
		}
		var next *stamp
		err = tx.QueryRowContext(ctx, `SELECT min(expires_at) FROM predictions WHERE facility_id = $1 AND status = 'open'`, facility).Scan(&next)
		if next != nil {
			due = time.Time(*next)
		}
		return err
	})
	return events, due, err
}

// Review looks whether what a prediction says has been seen before it was reported, and whether its time is over by
// then: an engine outside may be slower than the traffic. It gives what happened to it.
func (s *Store) Review(ctx context.Context, id breakwater.ID, o Outlook) (events []PredictionEvent, err error) {
	err = s.change(ctx, "reviewing prediction "+id.String(), func(tx *sql.Tx) error {
		events = nil
		p, err := onePrediction(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := saveFacility(ctx, tx, p.FacilityID, time.Time{}); err != nil {
			return err
		}
		var hits []hit
		for _, t := range p.Predicted {
			if t.ObservedAt != nil {
				continue
			}
			h := hit{prediction: id, rank: t.Rank, at: p.Timestamp.Add(t.Within()).Add(1)}
			args := []any{p.FacilityID}
			found, err := many(ctx, tx, func(x *breakwater.Sighting, scan func(...any) error) error {
				return scan((*stamp)(&x.Time), (*idText)(&x.Alert))
			}, `SELECT t.seen, t.alert_id FROM (
				SELECT first_seen AS seen, alert_id, technique FROM technique_sightings WHERE facility_id = $1 UNION ALL
				SELECT last_seen AS seen, alert_id, technique FROM technique_sightings WHERE facility_id = $1) t
				JOIN alerts a ON a.id = t.alert_id AND a.status <> 'false-positive' WHERE true`+in(&args, "t.technique", o.Same(t.TechniqueID))+
				between(&args, "t.seen", p.Timestamp, p.Timestamp.Add(t.Within()))+` ORDER BY t.seen, t.alert_id`, args...)
			if err != nil {
				return err
			}
			for _, x := range found {
				if later(x.Time, p.Timestamp) && x.Time.Before(h.at) {
					h.at, h.alert = x.Time, x.Alert
				}
			}
			if h.alert != (breakwater.ID{}) {
				hits = append(hits, h)
			}
		}
		if err := strike(ctx, tx, hits, &events); err != nil {
			return err
		}
		var now *stamp
		err = tx.QueryRowContext(ctx, `SELECT last_seen FROM facilities WHERE id = $1`, p.FacilityID).Scan(&now)
		if err != nil || now == nil {
			return err
		}
		return expirePredictions(ctx, tx, p.FacilityID, time.Time(*now), &events)
	})
	if err != nil {
		return nil, err // none of it happened
	}
	return events, nil
}

// between is the condition that a column lies behind a time and not behind another.
func between(args *[]any, column string, from, to time.Time) string {
	*args = append(*args, stamp(from), stamp(to))
	return " AND " + column + " > " + marks(len(*args)-2, 1) + " AND " + column + " <= " + marks(len(*args)-1, 1)
}

// later reports whether a sighting comes after a prediction, whose time has whole milliseconds.
func later(seen, predicted time.Time) bool { return seen.Truncate(time.Millisecond).After(predicted) }

// Settle ends the predictions whose time is over now, and gives those that it ended. The time is each facility's own: the
// data time that it has reached, and where it has fallen silent as much more as has passed since it was heard. So a live
// facility's predictions expire by the clock, and those of an old capture that is replayed do not before its end.
// Call it now and then. What an error stops, the next call does.
func (s *Store) Settle(ctx context.Context, now time.Time) (events []PredictionEvent, err error) {
	type facility struct {
		id          string
		seen, heard *stamp
		due         stamp
	}
	var all []facility
	err = s.view(ctx, "looking for predictions that are over", func(tx *sql.Tx) (err error) {
		all, err = many(ctx, tx, func(f *facility, scan func(...any) error) error { return scan(&f.id, &f.seen, &f.heard, &f.due) },
			`SELECT f.id, f.last_seen, f.heard_at, p.due FROM
			(SELECT facility_id, min(expires_at) AS due FROM predictions WHERE status = 'open' GROUP BY facility_id) p
			JOIN facilities f ON f.id = p.facility_id ORDER BY f.id`)
		return err
	})
	for _, f := range all {
		at := now
		if f.seen != nil && f.heard != nil {
			at = time.Time(*f.seen).Add(max(0, now.Sub(time.Time(*f.heard))))
		}
		for time.Time(f.due).Before(at) && err == nil {
			ended := len(events)
			err = s.change(ctx, "ending predictions of "+f.id, func(tx *sql.Tx) error {
				events = events[:ended]
				if err := saveFacility(ctx, tx, f.id, time.Time{}); err != nil {
					return err
				}
				return expirePredictions(ctx, tx, f.id, at, &events)
			})
			if err != nil {
				events = events[:ended] // these did not happen
			}
			if len(events)-ended < expireMost {
				break
			}
		}
	}
	return events, err
}

// credible are the sightings that count, in order of time.
func credible(ctx context.Context, tx *sql.Tx, sightings []breakwater.Sighting) ([]breakwater.Sighting, error) {
	var ids []string
	for _, x := range sightings {
		ids = append(ids, x.Alert.String())
	}
	slices.Sort(ids)
	real := map[breakwater.ID]bool{}
	for some := range slices.Chunk(slices.Compact(ids), 512) {
		var args []any
		found, err := many(ctx, tx, func(id *breakwater.ID, scan func(...any) error) error { return scan((*idText)(id)) },
			`SELECT id FROM alerts WHERE status <> 'false-positive'`+in(&args, "id", padded(some)), args...)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			real[id] = true
		}
	}
	var seen []breakwater.Sighting
	for _, x := range sightings {
		if real[x.Alert] && breakwater.IsTechnique(x.Technique) {
			x.Time = x.Time.UTC()
			seen = append(seen, x)
		}
	}
	slices.SortFunc(seen, func(a, b breakwater.Sighting) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Technique, b.Technique), slices.Compare(a.Alert[:], b.Alert[:]))
	})
	return seen, nil
}

// firstLast is what an alert has shown of one technique.
type firstLast struct {
	breakwater.Sighting
	last time.Time
}

// firstOfEach is, for each alert and technique, when it showed it first and last, in order of the first.
func firstOfEach(seen []breakwater.Sighting) (all []firstLast) {
	type key struct {
		alert     breakwater.ID
		technique string
	}
	at := map[key]int{}
	for _, x := range seen {
		k := key{x.Alert, x.Technique}
		i, ok := at[k]
		if !ok {
			i = len(all)
			at[k] = i
			all = append(all, firstLast{Sighting: x})
		}
		all[i].last = x.Time
	}
	return all
}

// foresee keeps a sighting, and where its technique is new at the facility makes a prediction, or updates the one that
// the same act made. It gives what happened; nil: nothing.
func foresee(ctx context.Context, tx *sql.Tx, facility string, x firstLast, o Outlook) (*PredictionEvent, error) {
	done, err := tx.ExecContext(ctx, `INSERT INTO technique_sightings (alert_id, technique, facility_id, first_seen, last_seen)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, idText(x.Alert), x.Technique, facility, stamp(x.Time), stamp(x.last))
	if err != nil {
		return nil, err
	}
	n, err := done.RowsAffected()
	if err != nil {
		return nil, err
	}
	if n == 0 { // this alert has shown it before
		for _, statement := range []struct {
			text string
			at   time.Time
		}{
			{`UPDATE technique_sightings SET first_seen = $3 WHERE alert_id = $1 AND technique = $2 AND first_seen > $3`, x.Time},
			{`UPDATE technique_sightings SET last_seen = $3 WHERE alert_id = $1 AND technique = $2 AND last_seen < $3`, x.last},
		} {
			if _, err := tx.ExecContext(ctx, statement.text, idText(x.Alert), x.Technique, stamp(statement.at)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	args := []any{facility, idText(x.Alert), x.Technique, stamp(x.Time.Add(-RecentSpan)), stamp(x.Time.Add(RecentSpan))}
	var one int
	err = tx.QueryRowContext(ctx, `SELECT 1 FROM technique_sightings t JOIN alerts a ON a.id = t.alert_id AND a.status <> 'false-positive'
		WHERE t.facility_id = $1 AND NOT (t.alert_id = $2 AND t.technique = $3) AND t.last_seen >= $4 AND t.first_seen <= $5`+
		in(&args, "t.technique", o.Same(x.Technique))+` LIMIT 1`, args...).Scan(&one)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	p := breakwater.Prediction{Timestamp: x.Time.Truncate(time.Millisecond), FacilityID: facility, Source: breakwater.OwnEngine,
		Current: x.Technique, CurrentName: x.Name, AlertID: &x.Alert}
	p.Seen, err = many(ctx, tx, func(id *string, scan func(...any) error) error {
		var first string
		return scan(id, &first)
	}, `SELECT t.technique, min(t.first_seen) AS first FROM technique_sightings t JOIN alerts a ON a.id = t.alert_id AND a.status <> 'false-positive'
		WHERE t.facility_id = $1 AND t.last_seen >= $2 AND t.first_seen <= $3 GROUP BY t.technique ORDER BY first, t.technique`,
		facility, stamp(x.Time.Add(-RecentSpan)), stamp(x.Time))
	p.Seen = p.Seen[max(0, len(p.Seen)-breakwater.MaxPredicted):] // foreign ids may be many
	if err != nil || !o.Predict(&p) {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	return keepPrediction(ctx, tx, &p)
}

// keepPrediction saves a prediction of our own, or what it says in the one that was made a moment before.
func keepPrediction(ctx context.Context, tx *sql.Tx, p *breakwater.Prediction) (*PredictionEvent, error) {
	open, err := selectPredictions(ctx, tx, `WHERE facility_id = $1 AND source = $2 AND status = 'open' AND timestamp > $3 AND timestamp <= $4
		ORDER BY timestamp DESC, id DESC LIMIT 1`, p.FacilityID, p.Source, stamp(p.Timestamp.Add(-moment)), stamp(p.Timestamp))
	if err != nil {
		return nil, err
	}
	what := "created"
	if len(open) == 0 {
		p.Identify()
		if created, err := addPrediction(ctx, tx, p); err != nil || !created {
			return nil, err
		}
	} else {
		what = "updated"
		p.ID, p.Timestamp = open[0].ID, open[0].Timestamp
		if _, err := tx.ExecContext(ctx, `DELETE FROM predicted_techniques WHERE prediction_id = $1`, idText(p.ID)); err != nil {
			return nil, err
		}
		if err := addPredicted(ctx, tx, p); err != nil {
			return nil, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE predictions SET current_technique = $2, current_technique_name = $3, alert_id = $4, seen = $5,
			expires_at = $6, version = version + 1 WHERE id = $1`,
			idText(p.ID), p.Current, p.CurrentName, (*idText)(p.AlertID), jsonText{p.Seen}, stamp(p.End())); err != nil {
			return nil, err
		}
	}
	kept, err := onePrediction(ctx, tx, p.ID)
	return &PredictionEvent{what, kept}, err
}

// hit is a predicted technique that was seen inside its timeframe.
type hit struct {
	prediction breakwater.ID
	rank       int
	at         time.Time
	alert      breakwater.ID
}

// borneOut are the predicted techniques that sightings, in order of time, bear out for the first time.
func borneOut(ctx context.Context, tx *sql.Tx, facility string, seen []breakwater.Sighting, o Outlook) (hits []hit, err error) {
	of := map[string][]breakwater.Sighting{}
	var techniques []string
	for _, x := range seen {
		if of[x.Technique] == nil {
			techniques = append(techniques, x.Technique)
		}
		of[x.Technique] = append(of[x.Technique], x)
	}
	type awaited struct {
		hit
		since, until time.Time
	}
	for _, technique := range techniques {
		times := of[technique]
		args := []any{facility, stamp(times[0].Time), stamp(times[len(times)-1].Time)}
		waiting, err := many(ctx, tx, func(w *awaited, scan func(...any) error) error {
			return scan((*idText)(&w.prediction), &w.rank, (*stamp)(&w.since), (*stamp)(&w.until))
		}, `SELECT t.prediction_id, t.rank, p.timestamp, t.until FROM predicted_techniques t JOIN predictions p ON p.id = t.prediction_id
			WHERE t.observed_at IS NULL AND p.facility_id = $1 AND t.until >= $2 AND p.timestamp < $3`+in(&args, "t.technique_id", o.Same(technique)), args...)
		if err != nil {
			return nil, err
		}
		for _, w := range waiting {
			i := slices.IndexFunc(times, func(x breakwater.Sighting) bool { return later(x.Time, w.since) })
			if i >= 0 && !times[i].Time.After(w.until) {
				w.at, w.alert = times[i].Time, times[i].Alert
				hits = append(hits, w.hit)
			}
		}
	}
	return hits, nil
}

// strike notes hits, which validate a prediction where it is not so already.
func strike(ctx context.Context, tx *sql.Tx, hits []hit, events *[]PredictionEvent) error {
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(a.at.Compare(b.at), slices.Compare(a.prediction[:], b.prediction[:]), a.rank-b.rank)
	})
	for _, h := range hits {
		done, err := tx.ExecContext(ctx, `UPDATE predicted_techniques SET observed_at = $3, observed_in = $4
			WHERE prediction_id = $1 AND rank = $2 AND observed_at IS NULL`, idText(h.prediction), h.rank, stamp(h.at), idText(h.alert))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil {
			return err
		} else if n == 0 { // two ids of one technique in one prediction
			continue
		}
		what := "updated"
		done, err = tx.ExecContext(ctx, `UPDATE predictions SET status = 'validated', validation_time = $2, version = version + 1
			WHERE id = $1 AND status <> 'validated'`, idText(h.prediction), stamp(h.at))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil {
			return err
		} else if n == 1 {
			what = "validated"
		} else if _, err := tx.ExecContext(ctx, `UPDATE predictions SET version = version + 1 WHERE id = $1`, idText(h.prediction)); err != nil {
			return err
		}
		p, err := onePrediction(ctx, tx, h.prediction)
		if err != nil {
			return err
		}
		*events = append(*events, PredictionEvent{what, p})
	}
	return nil
}

// expirePredictions ends a facility's open predictions whose last timeframe was over before now, expireMost at most.
func expirePredictions(ctx context.Context, tx *sql.Tx, facility string, now time.Time, events *[]PredictionEvent) error {
	over, err := selectPredictions(ctx, tx, "WHERE facility_id = $1 AND status = 'open' AND expires_at < $2 ORDER BY expires_at, id LIMIT $3", facility, stamp(now), expireMost)
	if err != nil || len(over) == 0 {
		return err
	}
	ids := make([]string, len(over))
	for i := range over {
		p := &over[i]
		ids[i] = p.ID.String()
		p.Status, p.Version = breakwater.PredictionExpired, p.Version+1
		*events = append(*events, PredictionEvent{"expired", p})
	}
	var args []any
	_, err = tx.ExecContext(ctx, `UPDATE predictions SET status = 'expired', version = version + 1 WHERE true`+in(&args, "id", padded(ids)), args...)
	return err
}
