package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// received pretends that the windows of a facility came at a time.
func received(t *testing.T, s *Store, facility string, at time.Time) {
	t.Helper()
	if _, err := s.write.Exec(`UPDATE network_data SET received_at = $1 WHERE facility_id = $2`, stamp(at), facility); err != nil {
		t.Fatal(err)
	}
}

// windows is n seconds of a facility from a time on.
func windows(facility string, from time.Time, n int) breakwater.Batch {
	b := breakwater.Batch{FacilityID: facility}
	for i := range n {
		b.Windows = append(b.Windows, breakwater.Window{FacilityID: facility, Time: from.Truncate(time.Second).Add(time.Duration(i) * time.Second), PacketsPerSec: float64(i)})
	}
	return b
}

// left counts what is kept of each facility.
func left(t *testing.T, s *Store) map[string]int {
	t.Helper()
	rows, err := s.read.Query(`SELECT facility_id, count(*) FROM network_data GROUP BY facility_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var facility string
		var n int
		if err := rows.Scan(&facility, &n); err != nil {
			t.Fatal(err)
		}
		counts[facility] = n
	}
	return counts
}

const day = 24 * time.Hour

// How long a window is kept counts from its receipt: an old capture that came today stays, and traffic of today that
// came before its time, by a clock that is ahead, goes.
func TestExpire(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		now := time.Now()
		save(t, s, windows("old-data-new", now.Add(-1000*day), 10))
		save(t, s, windows("old-data-old", now.Add(-1000*day), expireAtOnce+10))
		received(t, s, "old-data-old", now.Add(-31*day))
		save(t, s, windows("new-data-old", now, 10))
		received(t, s, "new-data-old", now.Add(-31*day))
		save(t, s, windows("new-data-new", now, 10))
		received(t, s, "new-data-new", now.Add(-29*day))
		save(t, s, windows("came-again", now.Add(-1000*day), 10))
		received(t, s, "came-again", now.Add(-31*day))
		save(t, s, windows("came-again", now.Add(-1000*day), 10))
		d := scan(0)
		d.FacilityID = "old-data-old"
		save(t, s, breakwater.Batch{FacilityID: d.FacilityID, Detections: []breakwater.Detection{d}})

		e, err := s.Expire(t.Context(), now, 30*day)
		if err != nil || e.Rows != expireAtOnce+20 {
			t.Errorf("%+v (%v), want %d rows", e, err, expireAtOnce+20)
		}
		want := map[string]int{"old-data-new": 10, "new-data-new": 10, "came-again": 10}
		if diff := cmp.Diff(want, left(t, s)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		if e, err = s.Expire(t.Context(), now, 30*day); err != nil || e.Rows != 0 || len(e.Days) != 0 {
			t.Errorf("again: %+v, %v", e, err)
		}
		if page, err := s.Alerts(t.Context(), AlertQuery{Page: 1, Limit: 10}); err != nil || page.Total != 1 {
			t.Errorf("%d alerts, %v", page.Total, err)
		}
		// The windows come anew: as many as before.
		save(t, s, windows("new-data-old", now, 10))
		if n := left(t, s)["new-data-old"]; n != 10 {
			t.Errorf("%d windows after they came again", n)
		}
	})
}

// Removing must not read what is kept: on either engine the rows are found by an index.
func TestExpireUsesIndexes(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		now := time.Now()
		save(t, s, windows("plant", now, 3000))
		explain := "EXPLAIN QUERY PLAN "
		if !s.Embedded() {
			explain = "EXPLAIN "
			if _, err := s.write.Exec("ANALYZE network_data"); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := s.read.Query(explain+expire, stamp(now.Add(-day)), expireAtOnce)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var plan strings.Builder
		for rows.Next() {
			columns, _ := rows.Columns()
			cells := make([]any, len(columns))
			for i := range cells {
				cells[i] = new(any)
			}
			if err := rows.Scan(cells...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&plan, *cells[len(cells)-1].(*any))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan.String(), "received") || strings.Contains(plan.String(), "SCAN network_data\n") || strings.Contains(plan.String(), "Seq Scan") {
			t.Errorf("it reads the whole table:\n%s", &plan)
		}
	})
}

// days is the days of data time that have a table of their own, and how many windows lie in each and in the rest.
func days(t *testing.T, s *Store) map[string]int {
	t.Helper()
	rows, err := s.read.Query(`SELECT c.relname, (SELECT count(*) FROM network_data n WHERE n.tableoid = c.oid)
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'network_data'::regclass`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		found[strings.TrimPrefix(name, "network_data_")] = n
	}
	return found
}

func TestDays(t *testing.T) {
	t.Parallel()
	s := migrated(t, storetest.Postgres(t))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	turn := func(wantDropped []string, want map[string]int) {
		t.Helper()
		e, err := s.Expire(t.Context(), now, 2*day)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantDropped, e.Days); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, days(t, s)); diff != "" {
			t.Errorf("days (-want +got):\n%s", diff)
		}
	}
	// Before the first call everything lies in the rest, and moves. So does what a clock that is ahead has sent.
	save(t, s, windows("plant", now.Truncate(day), 5))
	save(t, s, windows("plant", now.Truncate(day).Add(-5*time.Second), 5)) // the last of yesterday
	save(t, s, windows("plant", now.Add(3*day), 5))
	received(t, s, "plant", now)
	turn(nil, map[string]int{"20260301": 5, "20260302": 0, "20260303": 0, "rest": 10})

	now = now.Add(day)
	save(t, s, windows("plant", now, 5))
	received(t, s, "plant", now) // the others came again, too
	turn(nil, map[string]int{"20260301": 5, "20260302": 5, "20260303": 0, "20260304": 5, "rest": 5})

	// A day is dropped when nothing in it is young enough, and one row of it that is keeps the day, but not the others.
	now = now.Add(2*day + time.Hour)
	save(t, s, windows("dam", now.Add(-2*day), 1))
	received(t, s, "dam", now)
	turn([]string{"2026-03-01", "2026-03-03"}, map[string]int{"20260302": 1, "20260304": 0, "20260305": 0, "20260306": 0, "rest": 0})

	// What comes for a day that is gone has its place.
	save(t, s, windows("plant", now.Add(-3*day), 5))
	if n := days(t, s)["rest"]; n != 5 {
		t.Errorf("%d windows in the rest", n)
	}
}

// Several nodes turn the days at once, while others write: each day is made once and nothing is lost or refused.
func TestDaysTogether(t *testing.T) {
	t.Parallel()
	u := storetest.Postgres(t)
	nodes := []*Store{migrated(t, u), open(t, u), open(t, u)}
	now := time.Now()
	ended := make(chan error, len(nodes)+1)
	for _, s := range nodes {
		go func() {
			_, err := s.Expire(t.Context(), now, 30*day)
			ended <- err
		}()
	}
	go func() {
		for i := range 50 {
			if _, err := nodes[0].SaveBatch(t.Context(), windows("plant", now.Add(time.Duration(i)*time.Minute), 5), nil); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	for range len(nodes) + 1 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := left(t, nodes[0])["plant"]; n != 250 {
		t.Errorf("%d windows, want 250", n)
	}
	if _, err := nodes[1].Expire(t.Context(), now, 30*day); err != nil { // one may have left the days to another
		t.Error(err)
	}
	if found := days(t, nodes[0]); len(found) != daysAhead+2 || found["rest"] != 0 {
		t.Errorf("days %v", found)
	}
}

// In whatever order windows come, however often, and however they are cut into batches: the last of each second is kept,
// once.
func TestWindowsProperty(t *testing.T) {
	forEachEngine(t, func(test *testing.T, s *Store) {
		rapid.Check(test, func(t *rapid.T) {
			empty(test, s)
			want := map[int64]float64{}
			for range rapid.IntRange(1, 5).Draw(t, "batches") {
				b := breakwater.Batch{FacilityID: "plant"}
				for i, second := range rapid.SliceOfN(rapid.Int64Range(0, 20), 1, 20).Draw(t, "seconds") {
					b.Windows = append(b.Windows, breakwater.Window{FacilityID: "plant", Time: began.Truncate(time.Second).Add(time.Duration(second) * time.Second), PacketsPerSec: float64(len(want)*100 + i)})
					want[second] = b.Windows[i].PacketsPerSec
				}
				if _, err := s.SaveBatch(test.Context(), b, nil); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := s.read.Query(`SELECT timestamp, packets_per_sec FROM network_data`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			got := map[int64]float64{}
			for rows.Next() {
				var at stamp
				var packets float64
				if err := rows.Scan(&at, &packets); err != nil {
					t.Fatal(err)
				}
				got[int64(time.Time(at).Sub(began.Truncate(time.Second))/time.Second)] = packets
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("windows (-want +got):\n%s", diff)
			}
		})
	})
}

// BenchmarkNetworkData is windows made durable through SaveBatch, new ones and ones that come again, in batches of a live
// sensor (1), of a spool (100) and of a bulk import (5,000).
func BenchmarkNetworkData(b *testing.B) {
	for name, url := range engines {
		if name == "sqlite memory" {
			continue
		}
		for _, size := range []int{1, 100, 5000} {
			for _, again := range []bool{false, true} {
				kind := "new"
				if again {
					kind = "again"
				}
				b.Run(fmt.Sprintf("%s/%s/%d", strings.ReplaceAll(name, " ", "-"), kind, size), func(b *testing.B) {
					s := migrated(b, url(b))
					if _, err := s.Expire(b.Context(), time.Now(), 30*day); err != nil { // today's table
						b.Fatal(err)
					}
					at := time.Now().Truncate(day)
					one := windows("plant", at, size)
					for i := range one.Windows {
						one.Windows[i].Raw = breakwater.RawFeatures{Protocols: map[breakwater.Protocol]int{"modbus": 80, "tcp": 12, "arp": 2}, Functions: map[string]int{"modbus/3": 40, "modbus/16": 2},
							Values: map[string]float64{"10.0.0.11/1/holding/4": 73.5, "10.0.0.12/1/holding/0": 12}}
					}
					rows := 0
					for b.Loop() {
						if _, err := s.SaveBatch(b.Context(), one, nil); err != nil {
							b.Fatal(err)
						}
						rows += size
						if !again {
							for i := range one.Windows {
								one.Windows[i].Time = one.Windows[i].Time.Add(time.Duration(size) * time.Second)
							}
						}
					}
					b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
