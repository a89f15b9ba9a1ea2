package store

import (
	"context"
	"database/sql"
	"time"

	"breakwater"
)

// AlertStats is what a list of alerts is made of. Each count is that of the list with this one value added to its
// filter.
type AlertStats struct {
	Total      int
	BySeverity map[breakwater.Severity]int // all four
	ByStatus   map[breakwater.Status]int   // all four
	ByFacility map[string]int              // those with any
	// ByTechnique counts an alert for each of its techniques, so that its sum may be greater than Total.
	ByTechnique map[string]int
	Interval    string // of Timeline: hour, day, month or year
	// Timeline is consecutive intervals by timestamp, oldest first, empty ones too; its sum is Total. It reaches from the
	// beginning of the filter's time, or the first alert, to the end of that time; where that is open, to now where it
	// has a beginning, and to the last alert.
	Timeline []TimeCount
}

// TimeCount is how many alerts began in the interval that begins at Time.
type TimeCount struct {
	Time  time.Time
	Count int
}

// timelineMax bounds a timeline: a longer time is cut into longer intervals.
const timelineMax = 100

// AlertStats counts the alerts under a filter. Errors are of kind Invalid where the filter is wrong.
func (s *Store) AlertStats(ctx context.Context, f AlertFilter, now time.Time) (AlertStats, error) {
	var stats AlertStats
	err := s.view(ctx, "counting alerts", func(tx *sql.Tx) error {
		chosen, all, err := f.choose(ctx, tx)
		if err != nil {
			return err
		}
		if chosen == nil { // all are those of any status
			chosen = newPlaces(all.places)
			if err := chosen.addRange(ctx, tx, string(termStatus), string(termStatus+1)); err != nil {
				return err
			}
		}
		if stats, err = chosen.stats(ctx, tx); err != nil {
			return err
		}
		return stats.draw(ctx, tx, chosen, f, now)
	})
	return stats, err
}

// stats is all but the timeline.
func (p places) stats(ctx context.Context, tx *sql.Tx) (AlertStats, error) {
	stats := AlertStats{
		Total:      p.count(),
		BySeverity: map[breakwater.Severity]int{breakwater.Critical: 0, breakwater.High: 0, breakwater.Medium: 0, breakwater.Low: 0},
		ByStatus:   map[breakwater.Status]int{breakwater.StatusNew: 0, breakwater.StatusAcknowledged: 0, breakwater.StatusResolved: 0, breakwater.StatusFalsePositive: 0},
		ByFacility: map[string]int{}, ByTechnique: map[string]int{},
	}
	for kind, give := range map[byte]func(string, int){
		termSeverity:  func(text string, n int) { stats.BySeverity[breakwater.Severity(text)] = n },
		termStatus:    func(text string, n int) { stats.ByStatus[breakwater.Status(text)] = n },
		termFacility:  func(text string, n int) { stats.ByFacility[text] = n },
		termTechnique: func(text string, n int) { stats.ByTechnique[text] = n },
	} {
		if err := p.tallyKind(ctx, tx, kind, give); err != nil {
			return stats, err
		}
	}
	return stats, nil
}

// interval is one of the lengths that a timeline is cut into.
type interval struct {
	name         string
	kind         byte // of the terms it is counted from
	layout       string
	begin, after func(time.Time) time.Time // the beginning of the interval around a time, and of the next one
}

var intervals = []interval{
	{"hour", termHour, termHourLayout,
		func(t time.Time) time.Time { return t.Truncate(time.Hour) }, func(t time.Time) time.Time { return t.Add(time.Hour) }},
	{"day", termDay, termDayLayout,
		func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"month", termDay, termDayLayout,
		func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }, func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"year", termDay, termDayLayout,
		func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) }, func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
}

// draw fills the timeline.
func (s *AlertStats) draw(ctx context.Context, tx *sql.Tx, chosen places, f AlertFilter, now time.Time) error {
	s.Interval, s.Timeline = "day", []TimeCount{}
	first, last, err := s.span(ctx, tx, chosen, f, now)
	if err != nil || last.Before(first) {
		return err
	}
	var in interval
	for _, in = range intervals {
		n := 0
		for t := in.begin(first); n <= timelineMax && !t.After(last); t = in.after(t) {
			n++
		}
		if n <= timelineMax {
			break // or the longest there is
		}
	}
	s.Interval = in.name
	for t := in.begin(first); !t.After(last); t = in.after(t) {
		s.Timeline = append(s.Timeline, TimeCount{Time: t})
	}
	at := 0
	from, to := timeTerms(in.kind, in.layout, first, time.Time{}) // chosen holds none after last
	return chosen.tally(ctx, tx, from, to, func(text string, n int) {
		t, _ := time.Parse(in.layout, text) // as terms wrote it
		for at+1 < len(s.Timeline) && !t.Before(s.Timeline[at+1].Time) {
			at++
		}
		s.Timeline[at].Count += n
	})
}

// span is from when to when a timeline reaches, both included; last is before first where there is nothing to show.
func (s *AlertStats) span(ctx context.Context, tx *sql.Tx, chosen places, f AlertFilter, now time.Time) (first, last time.Time, err error) {
	days, err := chosen.ends(ctx, tx, termDay, "", afterEveryTime)
	switch {
	case err != nil:
		return first, last, err
	case days != nil:
		begin, err := chosen.ends(ctx, tx, termHour, days[0], days[0]+"~")
		if err != nil {
			return first, last, err
		}
		end, err := chosen.ends(ctx, tx, termHour, days[1], days[1]+"~")
		if err != nil {
			return first, last, err
		}
		first, _ = time.Parse(termHourLayout, begin[0]) // as terms wrote it
		last, _ = time.Parse(termHourLayout, end[1])
		last = last.Add(time.Hour - 1)
	case f.From.IsZero():
		return now, now.Add(-1), nil
	}
	if !f.From.IsZero() {
		first = f.From
		if last.Before(now) {
			last = now
		}
	}
	if !f.To.IsZero() {
		last = f.To.Add(-1)
	}
	return first.UTC(), last.UTC(), nil
}

// ends is the first and the last text of the terms between two that an alert of the set has; nil where there is none.
func (p places) ends(ctx context.Context, tx *sql.Tx, kind byte, from, to string) (ends []string, err error) {
	err = p.tally(ctx, tx, string(kind)+from, string(kind)+to, func(text string, _ int) {
		if ends == nil {
			ends = []string{text, text}
		}
		ends[1] = text
	})
	return ends, err
}
