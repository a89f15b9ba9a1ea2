package store

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A database of alerts from before there was an index is indexed when it is migrated.
func TestOldAlertsAreIndexed(t *testing.T) {
	if underRace {
		t.Skip("one goroutine and thousands of rows: minutes, with nothing to see for the race detector")
	}
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		for i := range 6 {
			save(t, s, batch(scan(time.Duration(i)*10*time.Minute), at(write(time.Duration(i)*time.Hour), "10.0.0.12")))
		}
		spread(t, s, 600)
		want, err := readAll(s)
		if err != nil {
			t.Fatal(err)
		}
		all := AlertQuery{Page: 1, Limit: MaxPage}
		before, err := s.Alerts(ctx, all)
		if err != nil {
			t.Fatal(err)
		}
		for { // to the first version
			status, err := s.Status(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if status[1].Applied.IsZero() {
				break
			}
			if err := s.MigrateDown(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		after, err := s.Alerts(ctx, all)
		if err != nil {
			t.Fatal(err)
		}
		// The way down forgets the marks of mutes.
		if diff := cmp.Diff(before, after, compare, cmpopts.IgnoreFields(breakwater.Alert{}, "Muted"), cmpopts.IgnoreFields(breakwater.Source{}, "Muted")); diff != "" {
			t.Errorf("list (-before +after):\n%s", diff)
		}
		got, err := readAll(s)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d alerts, want %d (%v)", len(got), len(want), err)
		}
		index, err := readIndex(s)
		if err != nil {
			t.Fatal(err)
		}
		places := 0
		for _, facility := range []string{"plant", "plant-00", "plant-01", "plant-02", "plant-03", "plant-04", "plant-05", "plant-06", "plant-07", "plant-08", "plant-09", "plant-10", "plant-11"} {
			places += len(index["f"+facility])
		}
		if places != len(want) {
			t.Errorf("the index has %d alerts, want %d", places, len(want))
		}
		incidents, err := s.Incidents(ctx, IncidentQuery{Facilities: []string{"plant"}, Limit: 10})
		if err != nil || len(incidents.Incidents) != 1 {
			t.Errorf("incidents of old alerts: %+v, %v", incidents.Incidents, err)
		}
	})
}

// What a list reads of the engine's tables it must find by an index, in order, and without touching the alerts
// themselves.
func TestListsUseIndexes(t *testing.T) {
	t.Parallel()
	s := migrated(t, engines["sqlite file"](t))
	load(t, s, 2000, began, 24*time.Hour)
	for _, c := range []struct{ query, plan string }{
		{"SELECT id, timestamp, place FROM alerts WHERE true ORDER BY timestamp DESC, id DESC LIMIT 10 OFFSET 20", "SCAN alerts USING COVERING INDEX alerts_newest"},
		{"SELECT id, timestamp, place FROM alerts WHERE true AND (timestamp, id) < ('2026', 'x') ORDER BY timestamp DESC, id DESC LIMIT 10", "SEARCH alerts USING COVERING INDEX alerts_newest"},
		{"SELECT id, last_seen, place FROM alerts WHERE true AND last_seen >= '2026' AND last_seen < '2027' ORDER BY last_seen, id LIMIT 10", "SEARCH alerts USING COVERING INDEX alerts_last_seen"},
		{"SELECT id, last_seen, place FROM alerts WHERE place IN (1, 2, 3)", "SEARCH alerts USING COVERING INDEX alerts_place"},
		{"SELECT place FROM alerts WHERE timestamp >= '2026' AND timestamp < '2027'", "SEARCH alerts USING COVERING INDEX alerts_newest"},
		{"SELECT block, bits FROM alert_terms WHERE term >= 'a' AND term < 'b'", "SEARCH alert_terms USING PRIMARY KEY"},
		{"SELECT term, block, bits FROM alert_terms WHERE term >= 'a' AND term < 'b' ORDER BY term", "SEARCH alert_terms USING PRIMARY KEY"},
		{"SELECT term, bits FROM alert_terms WHERE block = 1 AND term IN ('a', 'b')", "SEARCH alert_terms USING PRIMARY KEY (term=? AND block=?)"},
		{"SELECT id FROM alerts WHERE facility_id = 'a' AND asset = 'b' AND last_seen >= 'c' AND timestamp <= 'd' AND NOT external", "SEARCH alerts USING INDEX alerts_asset"},
		{"SELECT id FROM incidents WHERE true ORDER BY last_seen DESC, id DESC LIMIT 10", "SCAN incidents USING COVERING INDEX incidents_newest"},
	} {
		if plan := explainQuery(t, s, c.query); !strings.HasPrefix(plan, c.plan) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n%s, want %s", c.query, plan, c.plan)
		}
	}
}

func explainQuery(t testing.TB, s *Store, query string) string {
	t.Helper()
	rows, err := s.read.Query("EXPLAIN QUERY PLAN " + query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, "; ")
}

func TestCursors(t *testing.T) {
	t.Parallel()
	s := migrated(t, engines["sqlite memory"](t))
	load(t, s, 30, began, time.Hour)
	ctx := context.Background()
	first, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
	if err != nil || first.Next == "" {
		t.Fatal(first.Next, err)
	}
	for says, q := range map[string]AlertQuery{
		"is not a next_cursor":         {After: "x", Page: 1},
		"is not a next_cursor that":    {After: "LXRpbWVzdGFtcA", Page: 1},
		"this one is sorted by":        {After: first.Next, Page: 1, Sort: MostSevereFirst},
		"both given":                   {After: first.Next, Page: 2},
		"is none of -timestamp":        {Sort: "title", Page: 1},
		"page 1001 begins past the 10": {Page: 1001},
		"search holds no word":         {AlertFilter: AlertFilter{Search: "!"}, Page: 1},
	} {
		q.Limit = 10
		_, err := s.Alerts(ctx, q)
		wantError(t, err, breakwater.Invalid, says)
	}
	if page, err := s.Alerts(ctx, AlertQuery{Page: 1000, Limit: 10}); err != nil || page.Total != 30 {
		t.Errorf("the last page that has a number: %+v, %v", page, err)
	}
}

// An export gives every alert once, while others change it.
func TestExportAlerts(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		load(t, s, MaxExportPage*2+10, began, 24*time.Hour)
		ctx := context.Background()
		seen := map[breakwater.ID]bool{}
		pages := 0
		err := s.ExportAlerts(ctx, AlertFilter{}, func(alerts []breakwater.Alert) error {
			pages++
			for _, a := range alerts {
				if seen[a.ID] {
					t.Fatalf("alert %s is given twice", a.ID)
				}
				seen[a.ID] = true
			}
			_, _, err := s.Report(ctx, reported("plant", "", began.Add(48*time.Hour))) // newer than all: it was passed
			return err
		})
		if err != nil || len(seen) != MaxExportPage*2+10 || pages != 3 {
			t.Errorf("%d alerts in %d pages, %v", len(seen), pages, err)
		}
		if err := s.ExportAlerts(ctx, AlertFilter{}, func([]breakwater.Alert) error { return sql.ErrTxDone }); err != sql.ErrTxDone {
			t.Errorf("an error of the receiver came back as %v", err)
		}
	})
}
