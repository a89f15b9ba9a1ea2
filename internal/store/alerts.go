package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"breakwater"
)

// MaxPage is the most alerts that one page holds.
const MaxPage = 200

// AlertFilter says which alerts are asked for; an empty list means any.
type AlertFilter struct {
	Facilities []string
	Severities []breakwater.Severity
	Statuses   []breakwater.Status
	Page       int // from 1
	Limit      int // alerts on a page, 1 to MaxPage
}

// AlertPage is one page of a list of alerts: newest first, those of the same time by id.
type AlertPage struct {
	Alerts []breakwater.Alert // without History; empty past the last page
	Total  int                // alerts under the filter, on all pages
	Pages  int
}

// Alerts lists alerts. The page and the totals are of one state.
func (s *Store) Alerts(ctx context.Context, f AlertFilter) (AlertPage, error) {
	if f.Page < 1 || f.Limit < 1 || f.Limit > MaxPage {
		return AlertPage{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "limit",
			Message: fmt.Sprintf("page %d of %d alerts cannot be had: pages count from 1 and hold 1 to %d", f.Page, f.Limit, MaxPage)}
	}
	var args []any
	where := "WHERE true" + in(&args, "facility_id", f.Facilities) + in(&args, "severity", f.Severities) + in(&args, "status", f.Statuses)
	page := AlertPage{Alerts: []breakwater.Alert{}}
	err := s.view(ctx, "listing alerts", func(tx *sql.Tx) (err error) {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM alerts "+where, args...).Scan(&page.Total); err != nil {
			return err
		}
		page.Pages = (page.Total + f.Limit - 1) / f.Limit
		if f.Page > page.Pages {
			return nil
		}
		page.Alerts, err = selectAlerts(ctx, tx,
			fmt.Sprintf("%s ORDER BY timestamp DESC, id DESC LIMIT $%d OFFSET $%d", where, len(args)+1, len(args)+2),
			append(args, f.Limit, (f.Page-1)*f.Limit)...)
		return err
	})
	return page, err
}

// Alert is one alert with its History. The error is of kind NotFound where there is none of that id.
func (s *Store) Alert(ctx context.Context, id breakwater.ID) (*breakwater.Alert, error) {
	var found []breakwater.Alert
	err := s.view(ctx, "reading alert "+id.String(), func(tx *sql.Tx) (err error) {
		if found, err = selectAlerts(ctx, tx, "WHERE id = $1", idText(id)); err != nil || len(found) == 0 {
			return err
		}
		found[0].History, err = many(ctx, tx, func(e *breakwater.AlertEvent, scan func(...any) error) error {
			return scan((*stamp)(&e.Time), &e.Kind, &e.By, &e.Text)
		}, `SELECT time, kind, author, text FROM alert_events WHERE alert_id = $1 ORDER BY position`, idText(id))
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: "there is no alert " + id.String()}
	}
	return &found[0], nil
}

// in is the condition that a column holds one of the values, with its arguments added to args; no values, no condition.
func in[T ~string](args *[]any, column string, values []T) string {
	if len(values) == 0 {
		return ""
	}
	marks := make([]string, len(values))
	for i, v := range values {
		*args = append(*args, string(v))
		marks[i] = fmt.Sprintf("$%d", len(*args))
	}
	return " AND " + column + " IN (" + strings.Join(marks, ", ") + ")"
}

// selectAlerts reads the alerts of a condition with their sources, without History.
func selectAlerts(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Alert, error) {
	alerts, err := many(ctx, tx, func(a *breakwater.Alert, scan func(...any) error) error {
		a.Sources = []breakwater.Source{}
		return scan((*idText)(&a.ID), &a.FacilityID, &a.Asset, (*stamp)(&a.Timestamp), (*stamp)(&a.LastSeen), &a.Severity, &a.Status,
			&a.Title, &a.Description, &a.AttackType, &a.AttackName, jsonText{&a.Techniques}, &a.Confidence, &a.Summary,
			&a.ContextAnalysis, &a.Assignee, &a.Count, &a.Version)
	}, `SELECT id, facility_id, asset, timestamp, last_seen, severity, status, title, description, attack_type, attack_name,
		techniques, correlation_confidence, correlation_summary, context_analysis, assignee, count, version FROM alerts `+where, args...)
	if err != nil {
		return nil, err
	}
	// Sources are asked for in groups: an engine takes only so many arguments.
	for group := range slices.Chunk(alerts, MaxPage) {
		at := make(map[breakwater.ID]*breakwater.Alert, len(group))
		ids := make([]string, len(group))
		for i := range group {
			at[group[i].ID] = &group[i]
			ids[i] = group[i].ID.String()
		}
		type row struct {
			alert breakwater.ID
			breakwater.Source
		}
		var idArgs []any
		rows, err := many(ctx, tx, func(r *row, scan func(...any) error) error {
			return scan((*idText)(&r.alert), &r.Layer, &r.Model, &r.Severity, &r.Confidence, &r.Technique, &r.TechniqueName, &r.Title,
				&r.Evidence, &r.LookAt, (*stamp)(&r.DetectedAt), (*stamp)(&r.CountedUntil), &r.Count, jsonText{&r.Talk})
		}, `SELECT alert_id, layer, model_name, severity, confidence, technique, technique_name, title, evidence, look_at,
			detection_time, counted_until, count, conversation FROM alert_sources WHERE true`+in(&idArgs, "alert_id", ids)+
			` ORDER BY alert_id, position`, idArgs...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			at[r.alert].Sources = append(at[r.alert].Sources, r.Source)
		}
	}
	return alerts, nil
}

// saveAlert writes an alert, its sources and what its History holds beyond what is saved: History is only the new
// lines. Of detections at most AlertEventsMax lines are kept.
func saveAlert(ctx context.Context, tx *sql.Tx, a *breakwater.Alert) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alerts
		(id, facility_id, asset, timestamp, last_seen, severity, status, title, description, attack_type, attack_name,
		 techniques, correlation_confidence, correlation_summary, context_analysis, assignee, count, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, severity = excluded.severity, status = excluded.status,
		 title = excluded.title, description = excluded.description, attack_type = excluded.attack_type,
		 attack_name = excluded.attack_name, techniques = excluded.techniques,
		 correlation_confidence = excluded.correlation_confidence, correlation_summary = excluded.correlation_summary,
		 context_analysis = excluded.context_analysis, assignee = excluded.assignee, count = excluded.count, version = excluded.version`,
		idText(a.ID), a.FacilityID, a.Asset, stamp(a.Timestamp), stamp(a.LastSeen), string(a.Severity), string(a.Status),
		a.Title, a.Description, a.AttackType, a.AttackName, jsonText{a.Techniques}, a.Confidence, a.Summary,
		a.ContextAnalysis, a.Assignee, a.Count, a.Version)
	if err != nil {
		return err
	}
	for i, src := range a.Sources {
		_, err := tx.ExecContext(ctx, `INSERT INTO alert_sources
			(alert_id, position, layer, model_name, severity, confidence, technique, technique_name, title, evidence,
			 look_at, detection_time, counted_until, count, conversation)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
			ON CONFLICT (alert_id, position) DO UPDATE SET severity = excluded.severity, confidence = excluded.confidence,
			 technique = excluded.technique, technique_name = excluded.technique_name, title = excluded.title,
			 evidence = excluded.evidence, look_at = excluded.look_at, counted_until = excluded.counted_until,
			 count = excluded.count, conversation = excluded.conversation`,
			idText(a.ID), i, src.Layer, src.Model, string(src.Severity), src.Confidence, src.Technique, src.TechniqueName, src.Title,
			src.Evidence, src.LookAt, stamp(src.DetectedAt), stamp(src.CountedUntil), src.Count, jsonText{src.Talk})
		if err != nil {
			return err
		}
	}
	var next, detections int
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(position) + 1, 0), count(*) FILTER (WHERE kind = 'detection')
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
