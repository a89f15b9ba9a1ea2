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

// alertRow is an alert as it is kept, beside what is its own.
type alertRow struct {
	breakwater.Alert
	external bool            // a detector outside reported it
	place    sql.NullInt64   // in the index; NULL: it is not there yet
	incident breakwater.ID   // zero: it has none yet
	terms    []string        // that it has in the index; set where the alert is read in order to be changed
	seen     []attackerSpell // what this transaction adds to the spells of clients
}

// Alert is one alert with its History. The error is of kind NotFound where there is none of that id.
func (s *Store) Alert(ctx context.Context, id breakwater.ID) (*breakwater.Alert, error) {
	var found *breakwater.Alert
	err := s.view(ctx, "reading alert "+id.String(), func(tx *sql.Tx) (err error) {
		found, err = oneAlert(ctx, tx, id)
		return err
	})
	return found, err
}

// oneAlert is one alert with its History.
func oneAlert(ctx context.Context, tx *sql.Tx, id breakwater.ID) (*breakwater.Alert, error) {
	found, err := selectAlerts(ctx, tx, "WHERE id = $1", idText(id))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, noAlert(id)
	}
	a := &found[0].Alert
	a.History, err = many(ctx, tx, func(e *breakwater.AlertEvent, scan func(...any) error) error {
		return scan((*stamp)(&e.Time), &e.Kind, &e.By, &e.Text)
	}, `SELECT time, kind, author, text FROM alert_events WHERE alert_id = $1 ORDER BY position`, idText(id))
	return a, err
}

func noAlert(id breakwater.ID) error {
	return &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: "there is no alert " + id.String()}
}

// in is the condition that a column holds one of the values, with its arguments added to args; no values, no condition.
func in[T ~string](args *[]any, column string, values []T) string {
	if len(values) == 0 {
		return ""
	}
	for _, v := range values {
		*args = append(*args, string(v))
	}
	return " AND " + column + " IN (" + marks(len(*args)-len(values), len(values)) + ")"
}

// marks is n marks of arguments behind the first so many.
func marks(behind, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", behind+i+1)
	}
	return strings.Join(all, ", ")
}

// alertsByID are the alerts of these ids with their sources, without History, in the order of the ids.
func alertsByID(ctx context.Context, tx *sql.Tx, ids []breakwater.ID) ([]alertRow, error) {
	all := make([]alertRow, 0, len(ids))
	for some := range slices.Chunk(ids, 512) {
		texts := make([]string, len(some))
		at := make(map[breakwater.ID]int, len(some))
		for i, id := range some {
			texts[i], at[id] = id.String(), i
		}
		var args []any
		rows, err := selectAlerts(ctx, tx, "WHERE true"+in(&args, "id", padded(texts)), args...)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(rows, func(a, b alertRow) int { return at[a.ID] - at[b.ID] })
		all = append(all, rows...)
	}
	return all, nil
}

// selectAlerts reads the alerts of a condition with their sources, without History.
func selectAlerts(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]alertRow, error) {
	rows, err := selectAlertRows(ctx, tx, where, args...)
	if err != nil {
		return nil, err
	}
	return rows, addSources(ctx, tx, rows)
}

// selectAlertRows is selectAlerts without sources.
func selectAlertRows(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]alertRow, error) {
	return many(ctx, tx, func(a *alertRow, scan func(...any) error) error {
		a.Sources = []breakwater.Source{}
		return scan((*idText)(&a.ID), &a.FacilityID, &a.Asset, (*stamp)(&a.Timestamp), (*stamp)(&a.LastSeen), &a.Severity, &a.Status,
			&a.Title, &a.Description, &a.AttackType, &a.AttackName, jsonText{&a.Techniques}, &a.Confidence, &a.Summary,
			&a.ContextAnalysis, &a.Assignee, &a.Count, &a.Version, &a.Muted, &a.external, &a.ExternalID, &a.place, (*idText)(&a.incident))
	}, `SELECT id, facility_id, asset, timestamp, last_seen, severity, status, title, description, attack_type, attack_name,
		techniques, correlation_confidence, correlation_summary, context_analysis, assignee, count, version, muted, external, external_id,
		place, coalesce(incident_id, id) FROM alerts `+where, args...)
}

// addSources reads the sources of alerts, of many in one query: an engine takes only so many arguments.
func addSources(ctx context.Context, tx *sql.Tx, alerts []alertRow) error {
	type row struct {
		alert breakwater.ID
		breakwater.Source
	}
	for group := range slices.Chunk(alerts, 512) {
		at := make(map[breakwater.ID]*alertRow, len(group))
		ids := make([]string, len(group))
		for i := range group {
			at[group[i].ID] = &group[i]
			ids[i] = group[i].ID.String()
		}
		var args []any
		rows, err := many(ctx, tx, func(r *row, scan func(...any) error) error {
			return scan((*idText)(&r.alert), &r.Layer, &r.Model, &r.Severity, &r.Confidence, &r.Technique, &r.TechniqueName, &r.Title,
				&r.Evidence, &r.LookAt, (*stamp)(&r.DetectedAt), (*stamp)(&r.CountedUntil), &r.Count, &r.ContextEvidence, &r.Muted, jsonText{&r.Talk})
		}, `SELECT alert_id, layer, model_name, severity, confidence, technique, technique_name, title, evidence, look_at,
			detection_time, counted_until, count, context_evidence, muted, conversation FROM alert_sources WHERE true`+in(&args, "alert_id", padded(ids))+
			` ORDER BY alert_id, position`, args...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			a := at[r.alert]
			r.External = a.external
			a.Sources = append(a.Sources, r.Source)
		}
	}
	return nil
}

// saveAlerts writes alerts that began or changed, with their sources, the new lines of their History, their terms in the
// index and their incidents. The facility of each must be locked (saveFacility).
func saveAlerts(ctx context.Context, tx *sql.Tx, rows []*alertRow) error {
	fresh, reindex := 0, make([]reindexed, 0, len(rows))
	for _, r := range rows {
		after := terms(&r.Alert)
		if !r.place.Valid {
			fresh++
			r.terms = nil
		}
		reindex = append(reindex, reindexed{int(r.place.Int64), r.terms, after})
	}
	changed := slices.ContainsFunc(reindex, func(c reindexed) bool { return !slices.Equal(c.before, c.after) })
	if changed { // a further detection of an alert most often changes none
		next, err := takePlaces(ctx, tx, fresh)
		if err != nil {
			return err
		}
		for i, r := range rows {
			if !r.place.Valid {
				r.place = sql.NullInt64{Int64: int64(next), Valid: true}
				reindex[i].place = next
				next++
			}
		}
	}
	for i, r := range rows {
		if r.incident == (breakwater.ID{}) {
			r.incident = r.ID
		}
		if err := saveAlert(ctx, tx, r); err != nil {
			return err
		}
		r.terms = reindex[i].after
	}
	if changed {
		if err := updateIndex(ctx, tx, reindex); err != nil {
			return err
		}
	}
	return linkIncidents(ctx, tx, rows)
}

// saveAlert writes an alert, its sources and the new lines of its history.
func saveAlert(ctx context.Context, tx *sql.Tx, a *alertRow) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alerts
		(id, facility_id, asset, timestamp, last_seen, severity, status, title, description, attack_type, attack_name,
		 techniques, correlation_confidence, correlation_summary, context_analysis, assignee, count, version, muted, external, external_id,
		 place, incident_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
		ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, severity = excluded.severity, status = excluded.status,
		 title = excluded.title, description = excluded.description, attack_type = excluded.attack_type,
		 attack_name = excluded.attack_name, techniques = excluded.techniques,
		 correlation_confidence = excluded.correlation_confidence, correlation_summary = excluded.correlation_summary,
		 context_analysis = excluded.context_analysis, assignee = excluded.assignee, count = excluded.count, version = excluded.version,
		 muted = excluded.muted, place = excluded.place, incident_id = excluded.incident_id`,
		idText(a.ID), a.FacilityID, a.Asset, stamp(a.Timestamp), stamp(a.LastSeen), string(a.Severity), string(a.Status),
		a.Title, a.Description, a.AttackType, a.AttackName, jsonText{a.Techniques}, a.Confidence, a.Summary,
		a.ContextAnalysis, a.Assignee, a.Count, a.Version, a.Muted, a.external, a.ExternalID, a.place, idText(a.incident))
	if err == nil {
		err = saveSources(ctx, tx, &a.Alert)
	}
	if err == nil {
		err = saveHistory(ctx, tx, &a.Alert)
	}
	return err
}

func saveSources(ctx context.Context, tx *sql.Tx, a *breakwater.Alert) error {
	for i, src := range a.Sources {
		_, err := tx.ExecContext(ctx, `INSERT INTO alert_sources
			(alert_id, position, layer, model_name, severity, confidence, technique, technique_name, title, evidence,
			 look_at, detection_time, counted_until, count, context_evidence, muted, conversation)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
			ON CONFLICT (alert_id, position) DO UPDATE SET severity = excluded.severity, confidence = excluded.confidence,
			 technique = excluded.technique, technique_name = excluded.technique_name, title = excluded.title,
			 evidence = excluded.evidence, look_at = excluded.look_at, detection_time = excluded.detection_time,
			 counted_until = excluded.counted_until, count = excluded.count, muted = excluded.muted, conversation = excluded.conversation`,
			idText(a.ID), i, src.Layer, src.Model, string(src.Severity), src.Confidence, src.Technique, src.TechniqueName, src.Title,
			src.Evidence, src.LookAt, stamp(src.DetectedAt), stamp(src.CountedUntil), src.Count, src.ContextEvidence, src.Muted, jsonText{src.Talk})
		if err != nil {
			return err
		}
	}
	return nil
}

// saveHistory adds what the History of a changed alert holds, which is only what is new. Of detections at most
// AlertEventsMax lines are kept.
func saveHistory(ctx context.Context, tx *sql.Tx, a *breakwater.Alert) error {
	if len(a.History) == 0 {
		return nil
	}
	var next, detections int
	err := tx.QueryRowContext(ctx, `SELECT coalesce(max(position) + 1, 0), count(*) FILTER (WHERE kind = 'detection')
		FROM alert_events WHERE alert_id = $1`, idText(a.ID)).Scan(&next, &detections)
	if err != nil {
		return err
	}
	for _, e := range a.History {
		if e.Kind == "detection" {
			if detections == breakwater.AlertEventsMax {
				continue
			}
			detections++
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO alert_events (alert_id, position, time, kind, author, text)
			VALUES ($1, $2, $3, $4, $5, $6)`, idText(a.ID), next, stamp(e.Time), e.Kind, e.By, e.Text); err != nil {
			return err
		}
		next++
	}
	return nil
}

// indexOld indexes the alerts of a database that was made before there was an index.
func (s *Store) indexOld(ctx context.Context) error {
	for {
		done := true
		err := s.change(ctx, "indexing alerts", func(tx *sql.Tx) error {
			var facility sql.NullString
			err := tx.QueryRowContext(ctx, `SELECT min(facility_id) FROM alerts WHERE place IS NULL`).Scan(&facility)
			if done = !facility.Valid; err != nil || done {
				return err
			}
			if err := saveFacility(ctx, tx, facility.String, time.Time{}); err != nil {
				return err
			}
			old, err := selectAlerts(ctx, tx, "WHERE place IS NULL AND facility_id = $1 ORDER BY timestamp, id LIMIT 500", facility.String)
			if err != nil {
				return err
			}
			rows := make([]*alertRow, len(old))
			for i := range old {
				rows[i] = &old[i]
				for _, src := range old[i].Sources {
					rows[i].saw(src.Talk.Client, src.DetectedAt, src.CountedUntil)
				}
			}
			return saveAlerts(ctx, tx, rows)
		})
		if err != nil || done {
			return err
		}
	}
}
