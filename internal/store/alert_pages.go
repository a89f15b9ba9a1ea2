package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"breakwater"
)

const (
	// MaxPage is the most alerts that one page holds, and MaxExportPage the most of an export.
	MaxPage       = 200
	MaxExportPage = 1000
	// MaxOffset is how many alerts pages reach by their number: further ones by cursor.
	MaxOffset = 10_000
)

// AlertSort is the order of a list: "" or one of AlertSorts. Alerts that are equal in it are in the order of time, the
// newest first (with "timestamp" and "last_seen" the oldest), and those of the same time in that of their ids.
type AlertSort string

// The orders. A minus is descending; by severity, that is the most severe first.
const (
	NewestFirst      AlertSort = "-timestamp" // as ""
	OldestFirst      AlertSort = "timestamp"
	LastSeenFirst    AlertSort = "-last_seen"
	LastSeenLast     AlertSort = "last_seen"
	MostSevereFirst  AlertSort = "-severity"
	LeastSevereFirst AlertSort = "severity"
)

// AlertQuery asks for one page of a list.
type AlertQuery struct {
	AlertFilter
	Sort  AlertSort
	Page  int    // from 1
	After string // Next of another page of the same Sort: what comes behind it. "": by Page
	Limit int    // alerts on a page, 1 to MaxPage
}

// AlertPage is one page of a list of alerts.
type AlertPage struct {
	Alerts []breakwater.Alert // without History; empty past the last page
	Total  int                // alerts under the filter, on all pages
	Pages  int
	Next   string // the cursor of what comes behind; "": nothing does
}

// Alerts lists alerts. The page and the totals are of one state. Errors are of kind Invalid where the query is wrong.
func (s *Store) Alerts(ctx context.Context, q AlertQuery) (AlertPage, error) {
	return s.alerts(ctx, q, MaxPage)
}

// ExportAlerts gives all alerts of a filter, newest first, a page of each state: an alert that changes meanwhile is
// given as it is when its page is read. It holds no more than a page, and no transaction while give runs; an error of
// give ends it and is returned.
func (s *Store) ExportAlerts(ctx context.Context, f AlertFilter, give func([]breakwater.Alert) error) error {
	q := AlertQuery{AlertFilter: f, Page: 1, Limit: MaxExportPage}
	for {
		page, err := s.alerts(ctx, q, MaxExportPage)
		if err == nil && len(page.Alerts) > 0 {
			err = give(page.Alerts)
		}
		if err != nil || page.Next == "" {
			return err
		}
		q.After = page.Next
	}
}

func (s *Store) alerts(ctx context.Context, q AlertQuery, most int) (AlertPage, error) {
	page := AlertPage{Alerts: []breakwater.Alert{}}
	w, err := newWalk(q, most)
	if err != nil {
		return page, err
	}
	err = s.view(ctx, "listing alerts", func(tx *sql.Tx) error {
		chosen, all, err := q.choose(ctx, tx)
		if err != nil {
			return err
		}
		w.ctx, w.tx = ctx, tx
		if page.Total, err = w.run(chosen, all); err != nil {
			return err
		}
		page.Pages = (page.Total + q.Limit - 1) / q.Limit
		if len(w.found) > q.Limit {
			w.found = w.found[:q.Limit]
			page.Next = w.order.cursor(w.found[q.Limit-1])
		}
		ids := make([]breakwater.ID, len(w.found))
		for i, at := range w.found {
			ids[i] = at.id
		}
		rows, err := alertsByID(ctx, tx, ids)
		for i := range rows {
			page.Alerts = append(page.Alerts, rows[i].Alert)
		}
		return err
	})
	return page, err
}

// order is an AlertSort taken apart.
type order struct {
	sort       AlertSort
	column     string // timestamp or last_seen
	day, hour  byte   // the kinds of its terms
	descending bool
	classes    []breakwater.Severity // what comes before the column; nil: nothing
}

var orders = map[AlertSort]order{
	NewestFirst:      {column: "timestamp", day: termDay, hour: termHour, descending: true},
	OldestFirst:      {column: "timestamp", day: termDay, hour: termHour},
	LastSeenFirst:    {column: "last_seen", day: termLastDay, hour: termLastHour, descending: true},
	LastSeenLast:     {column: "last_seen", day: termLastDay, hour: termLastHour},
	MostSevereFirst:  {column: "timestamp", day: termDay, hour: termHour, descending: true, classes: []breakwater.Severity{breakwater.Critical, breakwater.High, breakwater.Medium, breakwater.Low}},
	LeastSevereFirst: {column: "timestamp", day: termDay, hour: termHour, descending: true, classes: []breakwater.Severity{breakwater.Low, breakwater.Medium, breakwater.High, breakwater.Critical}},
}

// position is where an alert stands in an order.
type position struct {
	class int
	at    string // the column's stamp, as it is kept
	id    breakwater.ID
}

// compare is negative where a comes before b.
func (o *order) compare(a, b position) int {
	if c := a.class - b.class; c != 0 {
		return c
	}
	c := strings.Compare(a.at, b.at)
	if c == 0 {
		c = slices.Compare(a.id[:], b.id[:])
	}
	if o.descending {
		return -c
	}
	return c
}

// cursor is a position as a client carries it.
func (o *order) cursor(p position) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s %s", o.sort, p.class, p.at, p.id))
}

// position reads a cursor.
func (o *order) position(cursor string) (p position, err error) {
	bad := &breakwater.Error{Kind: breakwater.Invalid, Field: "cursor", Message: "cursor is not a next_cursor that this server gave: begin with the first page"}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return p, bad
	}
	parts := strings.Split(string(text), " ")
	if len(parts) != 4 {
		return p, bad
	}
	if parts[0] != string(o.sort) {
		bad.Message = "cursor is of a list sorted by " + clipped(parts[0]) + ", and this one is sorted by " + string(o.sort) + ": go on in the same order, or begin with the first page"
		return p, bad
	}
	_, err = fmt.Sscanf(parts[1], "%d", &p.class)
	at, timeErr := time.Parse(stampLayout, parts[2])
	id, idErr := breakwater.ParseID(parts[3])
	if errors.Join(err, timeErr, idErr) != nil || p.class < 0 || p.class >= max(1, len(o.classes)) {
		return p, bad
	}
	p.at, p.id = at.Format(stampLayout), id
	return p, nil
}

func clipped(s string) string {
	if len(s) > 20 {
		s = s[:20]
	}
	return strings.ToValidUTF8(s, "")
}

const (
	// gatherMax is how many alerts are sorted here rather than met one by one in the order of an index of the engine.
	gatherMax = 2000
	// strollMax is how many alerts a page may be expected to lie from where it begins, for it to be looked for there
	// before anything is counted.
	strollMax = 500
)

// walk finds the alerts of one page. Where many alerts pass it meets them soon in the order of the engine's index. Else
// it goes along the days of a list, and along the hours of a day that holds many, and knows of each by the index of terms
// how many it holds: so it reads only what lies near the page.
type walk struct {
	ctx   context.Context
	tx    *sql.Tx
	order order
	after *position  // where the page begins: behind it; nil: by skip
	skip  int        // alerts that come before the page and were not passed yet
	want  int        // one more than the page holds, which tells whether something follows
	class int        // of the alerts that it goes along
	set   places     // them
	found []position // the page
}

func newWalk(q AlertQuery, most int) (*walk, error) {
	sort := q.Sort
	if sort == "" {
		sort = NewestFirst
	}
	o, ok := orders[sort]
	if !ok {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "sort", Message: "sort " + clipped(string(sort)) + " is none of -timestamp, timestamp, -last_seen, last_seen, -severity, severity"}
	}
	o.sort = sort
	if q.Page < 1 || q.Limit < 1 || q.Limit > most {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "limit",
			Message: fmt.Sprintf("page %d of %d alerts cannot be had: pages count from 1 and hold 1 to %d", q.Page, q.Limit, most)}
	}
	w := &walk{order: o, want: q.Limit + 1}
	if q.After != "" {
		if q.Page != 1 {
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "cursor", Message: "cursor and page are both given: use one of them"}
		}
		at, err := o.position(q.After)
		w.after = &at
		return w, err
	}
	if (q.Page - 1) > (MaxOffset-1)/q.Limit {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "page",
			Message: fmt.Sprintf("page %d begins past the %d alerts that pages reach: go on with the next_cursor of a page, as cursor", q.Page, MaxOffset)}
	}
	w.skip = (q.Page - 1) * q.Limit
	return w, nil
}

// run finds the page among the chosen alerts, where chosen is nil among all, and returns how many these are.
func (w *walk) run(chosen places, all extent) (total int, err error) {
	if chosen != nil {
		total = chosen.count()
	} else {
		total = all.alerts
	}
	if w.after == nil && w.skip >= total {
		return total, nil
	}
	if w.order.classes == nil {
		if w.set = chosen; chosen == nil {
			_, err := w.rows("", "", w.want, math.MaxInt)
			return total, err
		}
		return total, w.column(all.alerts)
	}
	for i, severity := range w.order.classes {
		if w.done() || w.after != nil && i < w.after.class {
			continue
		}
		if w.after != nil && i > w.after.class {
			w.after = nil
		}
		w.class, w.set = i, newPlaces(all.places)
		if err := w.set.add(w.ctx, w.tx, "term = $1", string(termSeverity)+string(severity)); err != nil {
			return 0, err
		}
		if chosen != nil {
			w.set.and(chosen)
		}
		if n := w.set.count(); w.after == nil && w.skip >= n {
			w.skip -= n
		} else if err := w.column(all.alerts); err != nil {
			return 0, err
		}
	}
	return total, nil
}

func (w *walk) done() bool { return len(w.found) >= w.want }

// column goes along the column, from where the page begins. The set is some of all alerts.
func (w *walk) column(all int) error {
	n := w.set.count()
	if n == 0 {
		return nil
	}
	if far := (w.skip + w.want) * all / n; far <= strollMax {
		before := *w
		if ended, err := w.rows("", "", far, far*3); err != nil || ended || w.done() {
			return err
		}
		w.skip, w.found = before.skip, before.found // they lie elsewhere
	}
	if n <= gatherMax {
		return w.gather(w.set)
	}
	return w.spans(w.order.day, "", afterEveryTime)
}

// span is a day or hour, by the text of its term, and how many alerts of the set it holds.
type span struct {
	text string
	n    int
}

// spans goes along the days or hours from the first up to the second text of a term.
func (w *walk) spans(kind byte, from, to string) error {
	spans, err := w.counted(kind, from, to)
	for len(spans) > 0 && err == nil && !w.done() {
		lead := w.skip // how many alerts come before the page, at most
		if w.after != nil {
			lead = spans[0].n
		} else if lead >= spans[0].n {
			w.skip -= spans[0].n
			spans = spans[1:]
			continue
		}
		few, n := 0, 0 // those that are sorted together
		for few < len(spans) && n+spans[few].n <= gatherMax && n < lead+w.want-len(w.found) {
			n += spans[few].n
			few++
		}
		first := spans[0].text
		switch {
		case few > 0:
			err = w.gatherSpans(kind, spans[:few])
		case kind == w.order.day:
			few, err = 1, w.spans(w.order.hour, first, first+"~")
		default:
			few = 1
			_, err = w.rows(first+":", first+"~", w.want, math.MaxInt)
		}
		spans = spans[few:]
		w.after = nil // it lies in the first span, or before it
	}
	return err
}

// counted is the days or hours between two, in the order of the list, that hold any alert of the set.
func (w *walk) counted(kind byte, from, to string) (spans []span, err error) {
	if w.after != nil { // what lies before the page is not even counted
		at := w.after.at[:len(termDayLayout)]
		if kind == w.order.hour {
			at = w.after.at[:len(termHourLayout)]
		}
		if w.order.descending {
			to = min(to, at+"~") // behind the span itself
		} else {
			from = max(from, at)
		}
	}
	err = w.set.tally(w.ctx, w.tx, string(kind)+from, string(kind)+to, func(text string, n int) { spans = append(spans, span{text, n}) })
	if w.order.descending {
		slices.Reverse(spans)
	}
	return spans, err
}

// gatherSpans is gather of the alerts of a few days or hours that follow one another.
func (w *walk) gatherSpans(kind byte, spans []span) error {
	texts := make([]string, len(spans))
	for i, s := range spans {
		texts[i] = s.text
	}
	var args []any
	where := "true" + in(&args, "term", padded(termsOf(kind, texts)))
	set := newPlaces(len(w.set) * 64)
	if err := set.add(w.ctx, w.tx, where, args...); err != nil {
		return err
	}
	set.and(w.set)
	return w.gather(set)
}

// gather takes from a set, which is small and lies in one stretch of the order, what belongs to the page.
func (w *walk) gather(set places) error {
	all := make([]position, 0, gatherMax)
	for some := range slices.Chunk(set.list(), 512) {
		args := make([]any, 0, 512)
		for _, place := range padded(some) {
			args = append(args, place)
		}
		found, err := w.positions("SELECT id, "+w.order.column+", place FROM alerts WHERE place IN ("+marks(0, len(args))+")", args...)
		if err != nil {
			return err
		}
		for _, f := range found {
			all = append(all, f.position)
		}
	}
	slices.SortFunc(all, w.order.compare)
	for _, p := range all {
		if w.take(p) && w.done() {
			break
		}
	}
	return nil
}

// take takes a position that is reached in order to the page, unless it comes before it.
func (w *walk) take(p position) bool {
	switch {
	case w.after != nil && w.order.compare(p, *w.after) <= 0:
		return false
	case w.after == nil && w.skip > 0:
		w.skip--
		return false
	}
	w.found = append(w.found, p)
	return true
}

type placed struct {
	position
	place int
}

func (w *walk) positions(query string, args ...any) ([]placed, error) {
	return many(w.ctx, w.tx, func(p *placed, scan func(...any) error) error {
		p.class = w.class
		return scan((*idText)(&p.id), &p.at, &p.place)
	}, query, args...)
}

// rows goes along an index of the engine from the first stamp up to the second, "" being open, a few rows at a time, until
// the page is full, it has met the most that it may, or the rows have ended, which it reports.
func (w *walk) rows(from, to string, few, most int) (ended bool, err error) {
	direction, beyond := "", ">"
	if w.order.descending {
		direction, beyond = " DESC", "<"
	}
	at, offset := w.after, 0
	if w.set == nil { // all of them: the engine can skip by itself
		offset, w.skip = w.skip, 0
	}
	for !w.done() && most > 0 {
		var args []any
		where := "true"
		arg := func(v any) string {
			args = append(args, v)
			return fmt.Sprintf("$%d", len(args))
		}
		if from != "" {
			where += " AND " + w.order.column + " >= " + arg(from)
		}
		if to != "" {
			where += " AND " + w.order.column + " < " + arg(to)
		}
		if at != nil {
			where += fmt.Sprintf(" AND (%s, id) %s (%s, %s)", w.order.column, beyond, arg(at.at), arg(idText(at.id)))
		}
		found, err := w.positions(fmt.Sprintf("SELECT id, %s, place FROM alerts WHERE %s ORDER BY %s%s, id%s LIMIT %s OFFSET %s",
			w.order.column, where, w.order.column, direction, direction, arg(few), arg(offset)), args...)
		if err != nil {
			return false, err
		}
		for _, f := range found {
			if (w.set == nil || w.set.has(f.place)) && w.take(f.position) && w.done() {
				return false, nil
			}
		}
		if len(found) < few {
			return true, nil
		}
		at, offset, most = &found[len(found)-1].position, 0, most-few
		few = min(few*4, 8192)
	}
	return false, nil
}
