package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
)

// Whatever a table keeps of a facility is removed with it, also of a table that is added later.
func TestRemovalKnowsEveryTable(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		known := slices.Concat(ofAttacks, ofFacility, []string{"network_data", "mutes"})
		for table, columns := range tables(t, s) {
			if slices.ContainsFunc(columns, func(c string) bool { return strings.HasPrefix(c, "facility_id ") }) && !slices.Contains(known, table) {
				t.Errorf("table %s holds something of facilities and is not removed with them: add it to ofFacility or ofAttacks", table)
			}
		}
	})
}

// counts is how many rows each table has, those with none left out.
func counts(t *testing.T, s *Store) map[string]int {
	t.Helper()
	all := map[string]int{}
	for table := range tables(t, s) {
		var n int
		if err := s.read.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			all[table] = n
		}
	}
	return all
}

// lived fills a facility with everything that one has.
func lived(t *testing.T, s *Store, facility string) {
	t.Helper()
	ctx := context.Background()
	b := batch(scan(0), at(write(time.Minute), "10.0.0.12"), at(write(2*time.Minute), "10.0.0.57"))
	b.FacilityID = facility
	for i := range b.Detections {
		b.Detections[i].FacilityID = facility
	}
	for i := range 5 {
		b.Windows = append(b.Windows, breakwater.Window{FacilityID: facility, Time: began.Truncate(time.Second).Add(time.Duration(i) * time.Second), PacketsPerSec: 40})
	}
	b.Assets = []breakwater.Asset{{FacilityID: facility, MAC: breakwater.MAC{0, 1, 2, 3, 4, 5}, FirstSeen: began, LastSeen: began}}
	touched, err := s.SaveBatch(ctx, b, func(breakwater.Detection) breakwater.Context {
		return breakwater.Context{Analysis: "quiet", Seconds: []breakwater.Second{{Status: breakwater.Normal}}}
	})
	if err != nil || len(touched) != 3 {
		t.Fatal(len(touched), err)
	}
	if _, _, err := s.ChangeAlert(ctx, touched[0].ID, AlertChange{By: "ada", At: began, Comment: "seen"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveBaseline(ctx, facility, []byte(`{"version":1,"entries":[]}`), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReportClient(ctx, breakwater.FLClient{ID: facility, FacilityID: facility, Status: breakwater.ClientActive}, began); err != nil {
		t.Fatal(err)
	}
}

// What is removed is gone from every table, and what is another facility's is as if the removed one had never been there.
func TestRemoveFacilities(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		lived(t, s, "north")
		before := counts(t, s)
		for range 3 {
			lived(t, s, "demo-a")
			lived(t, s, "demo-b")
			if err := s.RemoveFacilities(ctx, []string{"demo-b", "demo-a", "demo-none"}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, counts(t, s)); diff != "" {
				t.Fatalf("rows (-before +after):\n%s", diff)
			}
		}
		page, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
		if err != nil || page.Total != 3 || page.Alerts[0].FacilityID != "north" {
			t.Errorf("%+v, %v", page, err)
		}
		lived(t, s, "demo-a")
		for _, scope := range []string{"north", "demo-a,north", "", "demo-a"} {
			if _, err := s.QueueRound(ctx, scope, []byte("{}"), began); err != nil {
				t.Fatal(err)
			}
			err := s.RemoveFacilities(ctx, []string{"demo-a"})
			if want := scope == "demo-a"; want != (breakwater.KindOf(err) == breakwater.Conflict) || !want && err != nil {
				t.Errorf("with a round among %q: %v", scope, err)
			}
		}
		if n, err := s.RoundsAmong(ctx, []string{"north", "demo-a"}); err != nil || n != 1 {
			t.Errorf("%d rounds, %v", n, err)
		}
	})
}

// An attack is forgotten, what the facility learned is not; the same attack again is the same alerts.
func TestForgetAttacks(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		if err := s.ForgetAttacks(ctx, "north"); err != nil {
			t.Fatal(err)
		}
		if n := counts(t, s); len(n) != 0 {
			t.Errorf("forgetting what never was left %v", n)
		}
		lived(t, s, "north")
		before, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ForgetAttacks(ctx, "north"); err != nil {
			t.Fatal(err)
		}
		n := counts(t, s)
		if n["network_data"] != 5 || n["baselines"] != 1 || n["alerts"]+n["alert_terms"]+n["alert_events"]+n["alert_sources"]+n["alert_evidence"]+n["assets"]+n["attacker_spells"]+n["incidents"] != 0 {
			t.Errorf("after forgetting: %v", n)
		}
		lived(t, s, "north")
		after, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(idsOf(before.Alerts), idsOf(after.Alerts)); diff != "" {
			t.Errorf("the same attack again (-before +after):\n%s", diff)
		}
		if err := s.RemoveWindows(ctx, "north", began.Truncate(time.Second).Add(3*time.Second)); err != nil {
			t.Fatal(err)
		}
		if n := counts(t, s)["network_data"]; n != 2 {
			t.Errorf("%d windows are left of the last two", n)
		}
	})
}

func demo(scenario string, at time.Time, facilities ...string) breakwater.DemoRun {
	return breakwater.DemoRun{ID: breakwater.NewID(at, "demo", scenario), Scenario: scenario, Facilities: facilities, Status: breakwater.DemoRunning,
		Stage: "history", Expected: []breakwater.DemoCheck{{What: "an alert"}}, StartedAt: at}
}

// A scenario is played once at a time, one facility is attacked by one at a time, and an interrupted run stays so.
func TestDemoRuns(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx, now := context.Background(), began
		scanning := demo("port-scan", now, "demo-a")
		if err := s.BeginDemo(ctx, scanning, "one", true, now); err != nil {
			t.Fatal(err)
		}
		for i, run := range []breakwater.DemoRun{demo("port-scan", now.Add(time.Second), "demo-b"), demo("multi-stage", now, "demo-a")} {
			if err := s.BeginDemo(ctx, run, "one", true, now); breakwater.KindOf(err) != breakwater.Conflict {
				t.Errorf("run %d beside another: %v", i, err)
			}
		}
		for _, run := range []breakwater.DemoRun{demo("multi-stage", now, "demo-b"), demo("fl-round", now, "demo-a", "demo-b")} {
			if err := s.BeginDemo(ctx, run, "two", run.Scenario != "fl-round", now); err != nil {
				t.Errorf("%s beside others: %v", run.Scenario, err)
			}
		}
		if err := s.RemoveDemos(ctx, "seed"); breakwater.KindOf(err) != breakwater.Conflict || !strings.Contains(fmt.Sprint(err), "is being played") {
			t.Errorf("removing what runs: %v", err)
		}
		scanning.Stage, scanning.Expected[0].Found = "attack", true
		scanning, err := s.SaveDemo(ctx, scanning, now.Add(time.Minute))
		if err != nil || scanning.Version != 2 {
			t.Fatalf("%+v, %v", scanning, err)
		}
		// The server two comes back; the server one was heard of a moment ago.
		gone, err := s.InterruptDemos(ctx, "two", now.Add(30*time.Second), now.Add(time.Minute))
		if err != nil || len(gone) != 2 || gone[0].Status != breakwater.DemoInterrupted || gone[0].EndedAt == nil || !strings.Contains(gone[0].Message, "history") {
			t.Errorf("interrupted: %+v, %v", gone, err)
		}
		if _, err := s.SaveDemo(ctx, demo("multi-stage", now, "demo-b"), now); breakwater.KindOf(err) != breakwater.Conflict {
			t.Errorf("an interrupted run goes on: %v", err)
		}
		if again, err := s.InterruptDemos(ctx, "two", now.Add(30*time.Second), now); err != nil || len(again) != 0 {
			t.Errorf("interrupted twice: %+v, %v", again, err)
		}
		if gone, err = s.InterruptDemos(ctx, "three", now.Add(2*time.Minute), now.Add(3*time.Minute)); err != nil || len(gone) != 1 || gone[0].Stage != "attack" {
			t.Errorf("a server that is silent: %+v, %v", gone, err)
		}
		later := demo("multi-stage", now.Add(time.Hour), "demo-b")
		if err := s.BeginDemo(ctx, later, "two", true, now); err != nil {
			t.Fatal(err)
		}
		later.Status = breakwater.DemoCompleted
		if _, err := s.SaveDemo(ctx, later, now); err != nil {
			t.Fatal(err)
		}
		all, err := s.Demos(ctx)
		if err != nil || len(all) != 3 || all[1].ID != later.ID || all[1].Status != breakwater.DemoCompleted || all[2].Status != breakwater.DemoInterrupted {
			t.Errorf("%+v, %v", all, err)
		}
		if one, err := s.Demo(ctx, scanning.ID); err != nil || !one.Expected[0].Found {
			t.Errorf("%+v, %v", one, err)
		}
		if err := s.RemoveDemos(ctx, "fl-round"); err != nil {
			t.Fatal(err)
		}
		if all, err = s.Demos(ctx); err != nil || len(all) != 1 || all[0].Scenario != "fl-round" {
			t.Errorf("after removal: %+v, %v", all, err)
		}
		if _, err := s.SaveDemo(ctx, scanning, now); breakwater.KindOf(err) != breakwater.NotFound {
			t.Errorf("a removed run goes on: %v", err)
		}
	})
}

// The ids and numbers of rounds, and the versions of their parameters, that were removed are not given again, to rounds of
// ours or another engine's: a client elsewhere may still send an update for the removed one.
func TestRemovedNumbersAreNotGivenAgain(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		given, versions := map[int64]bool{}, map[int64]bool{}
		for i := range 3 {
			for range 2 {
				r, err := s.QueueRound(ctx, "demo-a", []byte("{}"), began)
				if err != nil {
					t.Fatal(err)
				}
				if given[r.ID] || r.ID != r.Number {
					t.Errorf("removal %d: round %d, number %d", i, r.ID, r.Number)
				}
				given[r.ID] = true
				run, err := s.RunOf(ctx, r.ID)
				if err != nil {
					t.Fatal(err)
				}
				run.Step = StepSelect
				if _, err := s.Advance(ctx, run, StepWait, &GlobalModel{Scope: "demo-a", State: ModelInitial, Shape: []byte("{}"), Params: []float32{1}, CreatedAt: began}, breakwater.RoundReport{Phase: breakwater.Distributing}, nil, nil, began); err != nil {
					t.Fatal(err)
				}
				newest, err := s.NewestGlobal(ctx, "demo-a")
				if err != nil || newest == nil || versions[newest.Version] {
					t.Fatalf("removal %d: parameters %+v, %v", i, newest, err)
				}
				versions[newest.Version] = true
				if _, err := s.EndRun(ctx, run, StepSelect, nil, breakwater.RoundFailed, "nobody came", began); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second finds nothing to remove
				if err := s.RemoveFacilities(ctx, []string{"demo-a"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, c := range []struct{ id, number int64 }{{3, 9}, {6, 7}, {9, 6}} {
			if _, _, err := s.ReportRound(ctx, c.id, report(c.number, breakwater.Distributing, 0), nil, began); breakwater.KindOf(err) != breakwater.Conflict || !strings.Contains(err.Error(), "up to id 6 and number 6") {
				t.Errorf("another engine's round %d, number %d: %v", c.id, c.number, err)
			}
		}
		if _, _, err := s.ReportRound(ctx, 7, report(7, breakwater.Distributing, 0), nil, began); err != nil {
			t.Error(err)
		}
	})
}
