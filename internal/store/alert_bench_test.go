package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"breakwater"
)

// benchEnd is the newest time of the loaded alerts.
var benchEnd = time.Date(2026, 6, 30, 12, 34, 56, 0, time.UTC)

// BenchmarkAlerts asks a database of many alerts what people ask, and gives the median, the 95th percentile and the worst
// of each question, warm. BREAKWATER_BENCH_ALERTS says how many alerts (20,000). BREAKWATER_BENCH_DATABASE_URL names a
// database that is loaded once and kept; else one of each engine is made.
//
//	BREAKWATER_BENCH_ALERTS=1000000 scripts/with-postgres go test -run '^$' -bench Alerts -benchtime 1x -timeout 60m ./internal/store
func BenchmarkAlerts(b *testing.B) {
	n := 20_000
	if text := os.Getenv("BREAKWATER_BENCH_ALERTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	urls := map[string]func(testing.TB) string{"sqlite": engines["sqlite file"], "postgres": engines["postgres"]}
	if url := os.Getenv("BREAKWATER_BENCH_DATABASE_URL"); url != "" {
		kind, _, _ := strings.Cut(url, "://")
		urls = map[string]func(testing.TB) string{kind: func(testing.TB) string { return url }}
	}
	for name, url := range urls {
		if url == nil {
			continue
		}
		s := migrated(b, url(b))
		page, err := s.Alerts(context.Background(), AlertQuery{Page: 1, Limit: 1})
		if err != nil {
			b.Fatal(err)
		}
		if page.Total == 0 {
			began := time.Now()
			load(b, s, n, benchEnd.AddDate(0, 0, -60), 60*24*time.Hour)
			b.Logf("%s: %d alerts loaded in %v", name, n, time.Since(began).Round(time.Second))
		}
		for _, q := range benchQuestions(s) {
			b.Run(name+"/"+strings.ReplaceAll(q.name, " ", "_"), func(b *testing.B) { measure(b, q) })
		}
	}
}

type question struct {
	name string
	ask  func(ctx context.Context, r *rand.Rand) error
}

// measure asks a question many times, each time another way, and reports how long it takes. The first ones warm up.
func measure(b *testing.B, q question) {
	r := rand.New(rand.NewPCG(3, 4))
	times := []float64{}
	for b.Loop() {
		for i := range 220 {
			began := time.Now()
			if err := q.ask(context.Background(), r); err != nil {
				b.Fatal(err)
			}
			if i >= 20 {
				times = append(times, float64(time.Since(began).Microseconds())/1000)
			}
		}
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2], "p50-ms")
	b.ReportMetric(times[len(times)*95/100], "p95-ms")
	b.ReportMetric(times[len(times)-1], "max-ms")
	b.ReportMetric(0, "ns/op")
}

func benchQuestions(s *Store) []question {
	list := func(q AlertQuery) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, _ *rand.Rand) error {
			_, err := s.Alerts(ctx, q)
			return err
		}
	}
	all := AlertQuery{Page: 1, Limit: 10}
	filters := func(r *rand.Rand) AlertFilter {
		var f AlertFilter
		if r.IntN(2) == 0 {
			f.Facilities = []string{fmt.Sprintf("plant-%02d", r.IntN(12))}
		}
		if r.IntN(2) == 0 {
			f.Severities = []breakwater.Severity{breakwater.Critical, breakwater.High}[:1+r.IntN(2)]
		}
		if r.IntN(2) == 0 {
			f.Statuses = [][]breakwater.Status{{breakwater.StatusNew}, {breakwater.StatusNew, breakwater.StatusAcknowledged}, {breakwater.StatusResolved}, {breakwater.StatusFalsePositive}}[r.IntN(4)]
		}
		if r.IntN(3) == 0 {
			f.Techniques = []string{sampleRules[r.IntN(len(sampleRules)-1)].technique}
		}
		if r.IntN(4) == 0 {
			f.Assignees = []string{[]string{"ada", Unassigned}[r.IntN(2)]}
		}
		return f
	}
	times := func(r *rand.Rand) (from, to time.Time) {
		switch r.IntN(4) {
		case 0:
			return benchEnd.Add(-24 * time.Hour), to
		case 1:
			return benchEnd.AddDate(0, 0, -7), to
		case 2:
			return benchEnd.AddDate(0, 0, -30), to
		}
		from = benchEnd.Add(-time.Duration(r.IntN(60*24*3600)) * time.Second)
		return from, from.Add(time.Duration(r.IntN(10*24*3600)) * time.Second)
	}
	common := []string{"plc", "modbus", "10.0", "wrote coils", "port scan", "write", "the plant"}
	rare := func(r *rand.Rand) string {
		return fmt.Sprintf("10.0.%d.%d 10.1.%d.%d", r.IntN(4), 10+r.IntN(60), r.IntN(8), 1+r.IntN(250))
	}
	sorts := []AlertSort{NewestFirst, OldestFirst, LastSeenFirst, LastSeenLast, MostSevereFirst, LeastSevereFirst}
	with := func(change func(*AlertQuery, *rand.Rand)) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, r *rand.Rand) error {
			q := all
			change(&q, r)
			_, err := s.Alerts(ctx, q)
			return err
		}
	}
	stats := func(filter func(r *rand.Rand) AlertFilter) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, r *rand.Rand) error {
			_, err := s.AlertStats(ctx, filter(r), benchEnd)
			return err
		}
	}
	cursor := ""
	return []question{
		{"list first page", list(all)},
		{"list first page of 200", list(AlertQuery{Page: 1, Limit: 200})},
		{"list any page", with(func(q *AlertQuery, r *rand.Rand) { q.Page = 1 + r.IntN(1000) })},
		{"list by cursor", func(ctx context.Context, r *rand.Rand) error {
			q := AlertQuery{Page: 1, Limit: 200, After: cursor}
			page, err := s.Alerts(ctx, q)
			cursor = page.Next
			return err
		}},
		{"list any sort", with(func(q *AlertQuery, r *rand.Rand) { q.Sort, q.Page = sorts[r.IntN(6)], 1+r.IntN(1000) })},
		{"filter", with(func(q *AlertQuery, r *rand.Rand) { q.AlertFilter = filters(r) })},
		{"filter any sort and page of 50", with(func(q *AlertQuery, r *rand.Rand) {
			q.AlertFilter, q.Sort, q.Limit, q.Page = filters(r), sorts[r.IntN(6)], 50, 1+r.IntN(200)
		})},
		{"filter by time", with(func(q *AlertQuery, r *rand.Rand) { q.From, q.To = times(r) })},
		{"filter by all", with(func(q *AlertQuery, r *rand.Rand) {
			q.AlertFilter = filters(r)
			q.From, q.To = times(r)
			q.Sort = sorts[r.IntN(6)]
		})},
		{"filter by cursor", func() func(context.Context, *rand.Rand) error {
			after := ""
			return with(func(q *AlertQuery, r *rand.Rand) {
				q.Statuses, q.Limit, q.After = []breakwater.Status{breakwater.StatusResolved}, 50, after
				page, _ := s.Alerts(context.Background(), *q)
				after = page.Next
			})
		}()},
		{"search common words", with(func(q *AlertQuery, r *rand.Rand) { q.Search = common[r.IntN(len(common))] })},
		{"search rare words", with(func(q *AlertQuery, r *rand.Rand) { q.Search = rare(r) })},
		{"search one letter", with(func(q *AlertQuery, r *rand.Rand) { q.Search = string(rune('0' + r.IntN(10))) })},
		{"search and filter any page", with(func(q *AlertQuery, r *rand.Rand) {
			q.AlertFilter = filters(r)
			q.Search, q.Page = common[r.IntN(len(common))], 1+r.IntN(100)
		})},
		{"stats of all", stats(func(*rand.Rand) AlertFilter { return AlertFilter{} })},
		{"stats under filters", stats(filters)},
		{"stats by time", stats(func(r *rand.Rand) AlertFilter {
			f := filters(r)
			f.From, f.To = times(r)
			return f
		})},
		{"stats of a search", stats(func(r *rand.Rand) AlertFilter { return AlertFilter{Search: common[r.IntN(len(common))]} })},
	}
}
