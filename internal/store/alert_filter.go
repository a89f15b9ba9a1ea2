package store

import (
	"context"
	"database/sql"
	"time"

	"breakwater"
)

// Unassigned asks for the alerts of nobody; no person is called so.
const Unassigned = "unassigned"

// AlertFilter says which alerts are asked for; an empty list and a zero value mean any.
type AlertFilter struct {
	Facilities []string
	Severities []breakwater.Severity
	Statuses   []breakwater.Status
	Techniques []string  // one of an alert's techniques
	Assignees  []string  // Unassigned is nobody
	Search     string    // words that must all begin a word of title or description: see alert_words.go
	From       time.Time // timestamp not before
	To         time.Time // and before
	Muted      *bool
}

// choose is the alerts that pass the filter. Where it lets all pass, that is nil; all says how many there are.
func (f *AlertFilter) choose(ctx context.Context, tx *sql.Tx) (chosen places, all extent, err error) {
	if all, err = extentOf(ctx, tx); err != nil {
		return nil, all, err
	}
	// narrow keeps those that add finds.
	narrow := func(add func(places) error) error {
		found := newPlaces(all.places)
		if err := add(found); err != nil {
			return err
		}
		if chosen == nil {
			chosen = found
		} else {
			chosen.and(found)
		}
		return nil
	}
	for _, list := range [][]string{
		termsOf(termFacility, f.Facilities), termsOf(termSeverity, f.Severities), termsOf(termStatus, f.Statuses),
		termsOf(termTechnique, f.Techniques), termsOf(termAssignee, f.Assignees),
	} {
		if len(list) == 0 {
			continue
		}
		var args []any
		where := "true" + in(&args, "term", padded(list))
		if err := narrow(func(p places) error { return p.add(ctx, tx, where, args...) }); err != nil {
			return nil, all, err
		}
	}
	if f.Muted != nil {
		term := string(termMuted) + mutedTerm(*f.Muted)
		if err := narrow(func(p places) error { return p.add(ctx, tx, "term = $1", term) }); err != nil {
			return nil, all, err
		}
	}
	if f.Search != "" {
		words, err := searchWords(f.Search)
		if err != nil {
			return nil, all, err
		}
		for _, w := range words {
			from, to := wordRange(w)
			if err := narrow(func(p places) error { return p.addRange(ctx, tx, from, to) }); err != nil {
				return nil, all, err
			}
		}
	}
	if !f.From.IsZero() || !f.To.IsZero() {
		if err := narrow(func(p places) error { return p.addTimes(ctx, tx, f.From, f.To) }); err != nil {
			return nil, all, err
		}
	}
	return chosen, all, nil
}

// termsOf are the terms of a list of values.
func termsOf[T ~string](kind byte, values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		text := string(v)
		if kind == termAssignee && text == Unassigned {
			text = ""
		}
		all[i] = string(kind) + text
	}
	return all
}

// addTimes unites the set with the alerts whose timestamp is not before from and before to; a zero time is open. Whole
// days and hours are in the index; what is left of the first and the last hour is read alert by alert.
//
//	from      hours     days                       endDays   endHours  to
//	 │  rows    │ hours   │           days            │  hours   │ rows │
func (p places) addTimes(ctx context.Context, tx *sql.Tx, from, to time.Time) error {
	const day = 24 * time.Hour
	up := func(t time.Time, unit time.Duration) time.Time {
		if cut := t.Truncate(unit); cut.Before(t) {
			return cut.Add(unit)
		}
		return t
	}
	from, to = from.UTC(), to.UTC()
	hours, endHours := up(from, time.Hour), to.Truncate(time.Hour)
	days, endDays := up(hours, day), endHours.Truncate(day)
	between := func(kind byte, layout string, from, to time.Time) error {
		first, end := timeTerms(kind, layout, from, to)
		return p.addRange(ctx, tx, first, end)
	}
	closed := !from.IsZero() && !to.IsZero()
	switch {
	case closed && !from.Before(to):
		return nil
	case closed && hours.After(endHours):
		return p.addRows(ctx, tx, from, to)
	}
	if !from.IsZero() {
		if err := p.addRows(ctx, tx, from, hours); err != nil {
			return err
		}
	}
	if !to.IsZero() {
		if err := p.addRows(ctx, tx, endHours, to); err != nil {
			return err
		}
	}
	if closed && days.After(endDays) {
		return between(termHour, termHourLayout, hours, endHours)
	}
	if !from.IsZero() {
		if err := between(termHour, termHourLayout, hours, days); err != nil {
			return err
		}
	}
	if !to.IsZero() {
		if err := between(termHour, termHourLayout, endDays, endHours); err != nil {
			return err
		}
	}
	return between(termDay, termDayLayout, days, endDays)
}

// addRows is addTimes without the index of terms.
func (p places) addRows(ctx context.Context, tx *sql.Tx, from, to time.Time) error {
	if !from.Before(to) {
		return nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT place FROM alerts WHERE timestamp >= $1 AND timestamp < $2`, stamp(from), stamp(to))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var place int
		if err := rows.Scan(&place); err != nil {
			return err
		}
		p[place/64] |= 1 << (place % 64)
	}
	return rows.Err()
}
