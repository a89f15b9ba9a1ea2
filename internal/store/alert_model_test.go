package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// model is what lists and statistics must be: plain code over a slice.
type model []breakwater.Alert

func (m model) under(f AlertFilter) model {
	var out model
	for _, a := range m {
		if passes(&a, f) {
			out = append(out, a)
		}
	}
	return out
}

func passes(a *breakwater.Alert, f AlertFilter) bool {
	assignee := a.Assignee
	if assignee == "" {
		assignee = Unassigned
	}
	one := func(list []string, values ...string) bool {
		return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
	}
	for _, word := range strings.Fields(f.Search) {
		if !finds(a.Title, word) && !finds(a.Description, word) {
			return false
		}
	}
	return one(f.Facilities, a.FacilityID) && (len(f.Severities) == 0 || slices.Contains(f.Severities, a.Severity)) &&
		(len(f.Statuses) == 0 || slices.Contains(f.Statuses, a.Status)) && one(f.Techniques, a.Techniques...) && one(f.Assignees, assignee) &&
		(f.Muted == nil || *f.Muted == a.Muted) && !a.Timestamp.Before(f.From) && (f.To.IsZero() || a.Timestamp.Before(f.To))
}

// finds reports whether a word is in a text where another begins: after something that is no letter or digit.
func finds(text, word string) bool {
	text, word = strings.ToLower(text), strings.ToLower(word)
	before := ' '
	for i, r := range text {
		if !unicode.In(before, unicode.Letter, unicode.Number, unicode.Mark) && strings.HasPrefix(text[i:], word) {
			return true
		}
		before = r
	}
	return false
}

func (m model) sorted(by AlertSort) model {
	m = slices.Clone(m)
	newest := func(a, b breakwater.Alert) int {
		if c := b.Timestamp.Compare(a.Timestamp); c != 0 {
			return c
		}
		return strings.Compare(b.ID.String(), a.ID.String())
	}
	seen := func(a, b breakwater.Alert) int {
		if c := b.LastSeen.Compare(a.LastSeen); c != 0 {
			return c
		}
		return strings.Compare(b.ID.String(), a.ID.String())
	}
	slices.SortFunc(m, map[AlertSort]func(a, b breakwater.Alert) int{
		"": newest, NewestFirst: newest, LastSeenFirst: seen,
		OldestFirst:  func(a, b breakwater.Alert) int { return newest(b, a) },
		LastSeenLast: func(a, b breakwater.Alert) int { return seen(b, a) },
		MostSevereFirst: func(a, b breakwater.Alert) int {
			if c := b.Severity.Rank() - a.Severity.Rank(); c != 0 {
				return c
			}
			return newest(a, b)
		},
		LeastSevereFirst: func(a, b breakwater.Alert) int {
			if c := a.Severity.Rank() - b.Severity.Rank(); c != 0 {
				return c
			}
			return newest(a, b)
		},
	}[by])
	return m
}

func idsOf(alerts []breakwater.Alert) []string {
	ids := make([]string, len(alerts))
	for i, a := range alerts {
		ids[i] = a.ID.String()
	}
	return ids
}

// check asks the store for everything there is to ask under a query, and compares it with the model.
func (m model) check(t *rapid.T, s *Store, q AlertQuery) {
	ctx := context.Background()
	want := m.under(q.AlertFilter).sorted(q.Sort)
	on := func(from int) model { return want[min(from, len(want)):min(from+q.Limit, len(want))] }
	page, err := s.Alerts(ctx, q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	pages := (len(want) + q.Limit - 1) / q.Limit
	if page.Total != len(want) || page.Pages != pages {
		t.Fatalf("%+v: total %d on %d pages, want %d on %d", q, page.Total, page.Pages, len(want), pages)
	}
	if diff := cmp.Diff(idsOf(on((q.Page-1)*q.Limit)), idsOf(page.Alerts)); diff != "" {
		t.Fatalf("%+v (-want +got):\n%s", q, diff)
	}
	for i, a := range page.Alerts {
		if diff := cmp.Diff(want[(q.Page-1)*q.Limit+i], a, compare, cmpopts.IgnoreFields(breakwater.Alert{}, "History")); diff != "" {
			t.Fatalf("%+v, alert %d (-want +got):\n%s", q, i, diff)
		}
	}
	// From this page on by cursor, a few pages or to the end.
	at := (q.Page - 1) * q.Limit
	for range 4 {
		if last := at+q.Limit >= len(want); last != (page.Next == "") {
			t.Fatalf("%+v: after %d of %d the cursor is %q", q, at+q.Limit, len(want), page.Next)
		}
		if page.Next == "" {
			break
		}
		at += q.Limit
		next := q
		next.Page, next.After = 1, page.Next
		if page, err = s.Alerts(ctx, next); err != nil {
			t.Fatalf("%+v: %v", next, err)
		}
		if diff := cmp.Diff(idsOf(on(at)), idsOf(page.Alerts)); diff != "" || page.Total != len(want) {
			t.Fatalf("%+v from %d on, total %d (-want +got):\n%s", next, at, page.Total, diff)
		}
	}
	m.checkStats(t, s, q.AlertFilter, want)
}

func (m model) checkStats(t *rapid.T, s *Store, f AlertFilter, want model) {
	now := began.Add(72 * time.Hour)
	stats, err := s.AlertStats(context.Background(), f, now)
	if err != nil {
		t.Fatalf("%+v: %v", f, err)
	}
	total := AlertStats{
		Total:      len(want),
		BySeverity: map[breakwater.Severity]int{"critical": 0, "high": 0, "medium": 0, "low": 0},
		ByStatus:   map[breakwater.Status]int{"new": 0, "acknowledged": 0, "resolved": 0, "false-positive": 0},
		ByFacility: map[string]int{}, ByTechnique: map[string]int{},
	}
	for _, a := range want {
		total.BySeverity[a.Severity]++
		total.ByStatus[a.Status]++
		total.ByFacility[a.FacilityID]++
		for _, technique := range a.Techniques {
			total.ByTechnique[technique]++
		}
	}
	if diff := cmp.Diff(total, stats, cmpopts.IgnoreFields(AlertStats{}, "Interval", "Timeline")); diff != "" {
		t.Fatalf("statistics under %+v (-want +got):\n%s", f, diff)
	}
	end := func(i int) time.Time {
		begin := stats.Timeline[i].Time
		switch stats.Interval {
		case "hour":
			return begin.Add(time.Hour)
		case "day":
			return begin.AddDate(0, 0, 1)
		case "month":
			return begin.AddDate(0, 1, 0)
		}
		return begin.AddDate(1, 0, 0)
	}
	sum := 0
	for i, got := range stats.Timeline {
		n := len(want.under(AlertFilter{From: got.Time, To: end(i)}))
		if got.Count != n || i > 0 && !end(i-1).Equal(got.Time) {
			t.Fatalf("timeline under %+v: %d alerts from %v on, want %d; before it %v", f, got.Count, got.Time, n, stats.Timeline[max(0, i-1)])
		}
		sum += got.Count
	}
	if sum != len(want) || len(stats.Timeline) > timelineMax {
		t.Fatalf("timeline under %+v has %d intervals and %d alerts, want %d", f, len(stats.Timeline), sum, len(want))
	}
}

// drawFilter draws a filter about what is there, and now and then about what is not.
func drawFilter(t *rapid.T, m model) AlertFilter {
	some := func(name string, values ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, min(3, len(values)), rapid.ID).Draw(t, name)
	}
	var f AlertFilter
	use := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, "filters by "+name) == 0 }
	if use("facility") {
		f.Facilities = some("facilities", "plant-00", "plant-01", "plant-02", "plant-03", "nowhere")
	}
	if use("severity") {
		f.Severities = []breakwater.Severity{rapid.SampledFrom([]breakwater.Severity{"critical", "high", "medium", "low"}).Draw(t, "severity")}
	}
	if use("status") {
		f.Statuses = []breakwater.Status{rapid.SampledFrom([]breakwater.Status{"new", "acknowledged", "resolved", "false-positive"}).Draw(t, "status")}
	}
	if use("technique") {
		f.Techniques = some("techniques", "T0846", "T0855", "T0814", "T0869", "T0000")
	}
	if use("assignee") {
		f.Assignees = some("assignees", "ada", "grace", Unassigned, "nobody")
	}
	if use("muted") {
		muted := rapid.Bool().Draw(t, "muted")
		f.Muted = &muted
	}
	if use("search") {
		words := some("words", "10", "10.0.0", "10.0.0.1", "write", "HOST", "plc", "x", "scan", "modbus", "502", "never wrote", "é", "a", "talker")
		f.Search = strings.Join(words, " ")
	}
	if len(m) > 0 {
		when := func(name string) time.Time {
			at := rapid.SampledFrom(m).Draw(t, name).Timestamp
			return at.Add(rapid.SampledFrom([]time.Duration{0, 1, -1, time.Minute, time.Hour, -25 * time.Hour, 48 * time.Hour}).Draw(t, name+" off"))
		}
		if use("from") {
			f.From = when("from")
		}
		if use("to") {
			f.To = when("to")
		}
	}
	return f
}

func drawQuery(t *rapid.T, m model) AlertQuery {
	q := AlertQuery{AlertFilter: drawFilter(t, m), Limit: rapid.SampledFrom([]int{1, 3, 10, 50, MaxPage}).Draw(t, "limit")}
	q.Sort = rapid.SampledFrom(slices.Sorted(maps.Keys(orders))).Draw(t, "sort")
	pages := (len(m) + q.Limit - 1) / q.Limit
	q.Page = rapid.IntRange(1, min(pages+2, MaxOffset/q.Limit)).Draw(t, "page")
	return q
}

// Many alerts: several blocks of the index, days and hours that hold more than are sorted at once, and a long time with
// few.
func TestManyAlertsModel(t *testing.T) {
	if underRace {
		t.Skip("one goroutine and thousands of rows: minutes, with nothing to see for the race detector")
	}
	forEachEngine(t, func(test *testing.T, s *Store) {
		load(test, s, gatherMax+300, began.Truncate(time.Hour), 30*time.Minute) // one hour
		spread(test, s, gatherMax*3/2)
		rows, err := readAll(s)
		if err != nil {
			test.Fatal(err)
		}
		m := model{}
		for i := range rows {
			m = append(m, rows[i].Alert)
		}
		rapid.Check(test, func(t *rapid.T) { m.check(t, s, drawQuery(t, m)) })
	})
}

// spread adds alerts to those that load made, by the way of saveAlerts: in one day, and over some months.
func spread(t testing.TB, s *Store, n int) {
	t.Helper()
	day := &sample{random: newRandom(5), from: began.Truncate(24*time.Hour).AddDate(0, 0, 2), length: 23 * time.Hour, n: n * 4 / 5}
	months := &sample{random: newRandom(6), from: began.AddDate(0, 0, -100), length: 90 * 24 * time.Hour, n: n / 5}
	for _, g := range []*sample{months, day} {
		for i := 0; i < g.n; i += 250 {
			var rows []*alertRow
			for k := i; k < min(i+250, g.n); k++ {
				rows = append(rows, g.alert(k))
			}
			saveRows(t, s, rows)
		}
	}
}

// What people, detections and removals do to alerts, in any order: the lists follow, and the index is what it would be if all of
// it were made anew.
func TestAlertModel(t *testing.T) {
	forEachEngine(t, func(test *testing.T, s *Store) {
		rapid.Check(test, func(t *rapid.T) {
			empty(test, s)
			now := began
			steps := rapid.IntRange(0, 25).Draw(t, "steps")
			for range steps {
				now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 4 * time.Minute, time.Hour, 30 * time.Hour}).Draw(t, "pause"))
				doSomething(t, s, now)
			}
			rows, err := readAll(s)
			if err != nil {
				t.Fatal(err)
			}
			m := model{}
			for i := range rows {
				m = append(m, rows[i].Alert)
			}
			checkIndex(t, s, rows)
			for range 3 {
				m.check(t, s, drawQuery(t, m))
			}
		})
	})
}

// doSomething is one thing that may happen to alerts.
func doSomething(t *rapid.T, s *Store, now time.Time) {
	ctx := context.Background()
	some := func() breakwater.ID {
		page, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Alerts) == 0 {
			return breakwater.ID{}
		}
		return rapid.SampledFrom(page.Alerts).Draw(t, "alert").ID
	}
	facility := rapid.SampledFrom([]string{"plant-00", "plant-01"}).Draw(t, "facility")
	asset := rapid.SampledFrom([]string{"10.0.0.11", "10.0.0.12"}).Draw(t, "asset")
	kind := rapid.SampledFrom([]string{"detect", "detect", "detect", "status", "assign", "comment", "report", "mute", "forget", "remove"}).Draw(t, "kind")
	var err error
	switch kind {
	case "detect":
		b := breakwater.Batch{FacilityID: facility}
		for range rapid.IntRange(1, 3).Draw(t, "detections") {
			d := rapid.SampledFrom([]breakwater.Detection{scan(0), write(0)}).Draw(t, "detection")
			d.FacilityID, d.Asset, d.Time = facility, asset, now
			d.Evidence = rapid.SampledFrom([]string{"10.0.0.57 wrote coils 0-9 of 10.0.0.11.", "Das Gerät É-42 schrieb.", "write-from-new-host, twice"}).Draw(t, "evidence")
			now = now.Add(time.Nanosecond)
			b.Detections = append(b.Detections, d)
		}
		_, err = s.SaveBatch(ctx, b, nil)
	case "report":
		a := reported(facility, fmt.Sprint("alert ", rapid.IntRange(0, 3).Draw(t, "external id")), now)
		_, _, err = s.Report(ctx, a)
	case "forget":
		err = s.ForgetAttacks(ctx, facility)
	case "remove":
		err = s.RemoveFacilities(ctx, []string{facility})
	case "mute":
		_, err = s.SaveMute(ctx, breakwater.Mute{FacilityID: facility, Rule: rapid.SampledFrom([]string{"", "port-scan"}).Draw(t, "rule"), From: now, Until: now.Add(time.Hour), Reason: "test", CreatedAt: now})
	default:
		c := AlertChange{By: "ada", At: now}
		switch kind {
		case "status":
			c.Status = rapid.SampledFrom([]breakwater.Status{"new", "acknowledged", "resolved", "false-positive"}).Draw(t, "status")
		case "assign":
			who := rapid.SampledFrom([]string{"", "ada", "grace"}).Draw(t, "assignee")
			c.Assignee = &who
		case "comment":
			c.Comment = "seen"
		}
		if id := some(); id != (breakwater.ID{}) {
			_, _, err = s.ChangeAlert(ctx, id, c)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
}

// checkIndex compares the stored index with one that is made anew.
func checkIndex(t *rapid.T, s *Store, rows []alertRow) {
	want := map[string][]int{}
	for i := range rows {
		for _, term := range terms(&rows[i].Alert) {
			want[term] = append(want[term], int(rows[i].place.Int64))
		}
	}
	got, err := readIndex(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, places := range want {
		slices.Sort(places)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("index (-want +got):\n%s", diff)
	}
	page, err := s.Alerts(context.Background(), AlertQuery{Page: 1, Limit: 1})
	if err != nil || page.Total != len(rows) {
		t.Fatalf("the list says that there are %d alerts, want %d (%v)", page.Total, len(rows), err)
	}
}
