package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"breakwater"
)

// What people do with alerts, and what detectors outside report.

// remarksMax bounds the lines that people may write into one alert's history.
const remarksMax = 1000

// AlertChange is what a person does with an alert. Only what is set changes.
type AlertChange struct {
	By      string
	At      time.Time
	Version int // that the alert must be at; 0: any

	Status   breakwater.Status
	Note     string // to the status
	Assignee *string
	Comment  string
	// Teach turns what the facility has learned, empty where that is nothing, into what it knows with this alert, and says
	// in words what that adds, for the history. It is saved together with the change.
	Teach func(a *breakwater.Alert, learned []byte) (now []byte, added string, err error)
}

// ChangeAlert changes one alert and returns it with its History, and whether anything changed: then its Version has
// grown by one. Errors are of kind NotFound, Outdated where it is at another version, those of Teach, and Conflict where
// its history is full.
func (s *Store) ChangeAlert(ctx context.Context, id breakwater.ID, c AlertChange) (a *breakwater.Alert, changed bool, err error) {
	err = s.change(ctx, "changing alert "+id.String(), func(tx *sql.Tx) error {
		if err := s.lockFacilities(ctx, tx, []breakwater.ID{id}); err != nil {
			return err
		}
		if changed, err = s.changeOne(ctx, tx, id, c); err != nil {
			return err
		}
		a, err = oneAlert(ctx, tx, id)
		return err
	})
	return a, changed, err
}

// ChangeAlerts makes the same change to many alerts, each of them or, where an error is returned, none. For each id it
// gives the alert as it is then, without History, and whether it changed; or why it was left as it is.
func (s *Store) ChangeAlerts(ctx context.Context, ids []breakwater.ID, c AlertChange) (all []ChangedAlert, err error) {
	err = s.change(ctx, fmt.Sprintf("changing %d alerts", len(ids)), func(tx *sql.Tx) error {
		if err := s.lockFacilities(ctx, tx, ids); err != nil {
			return err
		}
		all = make([]ChangedAlert, len(ids))
		for i, id := range ids {
			changed, err := s.changeOne(ctx, tx, id, c)
			if kind := breakwater.KindOf(err); err != nil && (kind == breakwater.Internal || kind == breakwater.Unavailable) {
				return err
			}
			all[i] = ChangedAlert{ID: id, Changed: changed, Err: err}
		}
		rows, err := alertsByID(ctx, tx, ids)
		for i := range rows {
			for j := range all {
				if all[j].ID == rows[i].ID && all[j].Err == nil {
					all[j].Alert = &rows[i].Alert
				}
			}
		}
		return err
	})
	return all, err
}

// ChangedAlert is what became of one of many alerts.
type ChangedAlert struct {
	ID      breakwater.ID
	Alert   *breakwater.Alert // nil where Err is set
	Changed bool
	Err     error // why it was left as it is
}

// lockFacilities locks the facilities of alerts until the transaction ends, always in the same order.
func (s *Store) lockFacilities(ctx context.Context, tx *sql.Tx, alerts []breakwater.ID) error {
	var names []string
	for some := range slices.Chunk(alerts, 512) {
		ids := make([]string, len(some))
		for i, id := range some {
			ids[i] = id.String()
		}
		var args []any
		found, err := many(ctx, tx, func(name *string, scan func(...any) error) error { return scan(name) },
			`SELECT DISTINCT facility_id FROM alerts WHERE true`+in(&args, "id", padded(ids)), args...)
		if err != nil {
			return err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := saveFacility(ctx, tx, name, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// changeOne changes an alert whose facility is locked. Where it returns an error of another kind than Internal or
// Unavailable, nothing was written.
func (s *Store) changeOne(ctx context.Context, tx *sql.Tx, id breakwater.ID, c AlertChange) (changed bool, err error) {
	found, err := selectAlerts(ctx, tx, "WHERE id = $1", idText(id))
	if err != nil {
		return false, err
	}
	if len(found) == 0 {
		return false, noAlert(id)
	}
	r := &found[0]
	if c.Version > 0 && c.Version != r.Version {
		return false, &breakwater.Error{Kind: breakwater.Outdated, Field: "If-Match",
			Message: fmt.Sprintf("alert %s is at version %d by now: somebody was quicker; read it again", id, r.Version)}
	}
	var remarks int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM alert_events WHERE alert_id = $1 AND kind <> 'detection'`, idText(id)).Scan(&remarks); err != nil {
		return false, err
	}
	if remarks >= remarksMax {
		return false, &breakwater.Error{Kind: breakwater.Conflict, Field: "id", Message: fmt.Sprintf("the history of alert %s is full: it holds the %d remarks that are kept of one", id, remarksMax)}
	}
	r.terms = terms(&r.Alert)
	if c.Teach != nil {
		_, err := replaceBaseline(ctx, tx, r.FacilityID, 0, func(learned string) (now []byte, err error) {
			now, added, err := c.Teach(&r.Alert, []byte(learned))
			c.Note = strings.TrimSpace(c.Note + " (learned: " + added + ")")
			return now, err
		})
		if err != nil {
			return false, err
		}
	}
	if c.Status != "" {
		changed = r.SetStatus(c.Status, c.Note, c.By, c.At) || changed
	}
	if c.Assignee != nil {
		changed = r.Assign(*c.Assignee, c.By, c.At) || changed
	}
	if c.Comment != "" {
		r.Comment(c.Comment, c.By, c.At)
		changed = true
	}
	if !changed {
		return false, nil
	}
	r.Version++
	return true, saveAlerts(ctx, tx, []*alertRow{r})
}

// Report keeps an alert that a detector outside reports, and says whether it is new: an external id that its facility
// has already is that alert, which stays as it is.
func (s *Store) Report(ctx context.Context, a breakwater.Alert) (kept *breakwater.Alert, created bool, err error) {
	if !storable(a.Timestamp) || !storable(a.LastSeen) {
		return nil, false, &breakwater.Error{Kind: breakwater.Invalid, Field: "sources", Message: "detection_time is not a time that can be kept"}
	}
	err = s.change(ctx, "saving a reported alert", func(tx *sql.Tx) error {
		if err := saveFacility(ctx, tx, a.FacilityID, time.Time{}); err != nil {
			return err
		}
		id := a.ID
		known := sql.ErrNoRows
		if a.ExternalID != "" {
			known = tx.QueryRowContext(ctx, `SELECT id FROM alerts WHERE facility_id = $1 AND external_id = $2`, a.FacilityID, a.ExternalID).Scan((*idText)(&id))
		}
		switch {
		case known == nil:
		case !errors.Is(known, sql.ErrNoRows):
			return known
		default:
			created = true
			r := &alertRow{Alert: a, external: true}
			r.Version = 1
			mutes, err := mutesOf(ctx, tx, breakwater.Batch{FacilityID: a.FacilityID, Detections: detectionsOf(&a)})
			if err != nil {
				return err
			}
			for _, d := range detectionsOf(&a) {
				r.saw(d.Talk.Client, d.Time, d.Time)
				r.Mark(d, covered(mutes, d))
			}
			if err := saveAlerts(ctx, tx, []*alertRow{r}); err != nil {
				return err
			}
		}
		kept, err = oneAlert(ctx, tx, id)
		return err
	})
	return kept, created, err
}

// detectionsOf is what the sources of a reported alert say as detections.
func detectionsOf(a *breakwater.Alert) []breakwater.Detection {
	all := make([]breakwater.Detection, len(a.Sources))
	for i, s := range a.Sources {
		all[i] = breakwater.Detection{FacilityID: a.FacilityID, Time: s.DetectedAt, Layer: s.Layer, Model: s.Model, Asset: a.Asset, Technique: s.Technique, Talk: s.Talk}
	}
	slices.SortStableFunc(all, func(x, y breakwater.Detection) int { return x.Time.Compare(y.Time) })
	return all
}

// covered reports whether one of the mutes is about a detection.
func covered(mutes []breakwater.Mute, d breakwater.Detection) bool {
	return slices.ContainsFunc(mutes, func(m breakwater.Mute) bool { return m.Covers(d) })
}
