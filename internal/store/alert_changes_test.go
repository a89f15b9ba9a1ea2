package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
)

func change(t *testing.T, s *Store, id breakwater.ID, c AlertChange) *breakwater.Alert {
	t.Helper()
	c.By, c.At = "ada", began.Add(time.Hour)
	a, changed, err := s.ChangeAlert(context.Background(), id, c)
	if err != nil || !changed {
		t.Fatalf("%+v: changed %v, %v", c, changed, err)
	}
	return a
}

func TestTriage(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		id := save(t, s, batch(scan(0)))[0].ID
		ada := "ada"
		change(t, s, id, AlertChange{Status: breakwater.StatusAcknowledged, Note: "on it"})
		change(t, s, id, AlertChange{Assignee: &ada})
		change(t, s, id, AlertChange{Comment: "asked the shift"})
		change(t, s, id, AlertChange{Status: breakwater.StatusResolved})
		a := change(t, s, id, AlertChange{Status: breakwater.StatusNew, Note: "again"})
		var got []string
		for _, e := range a.History {
			got = append(got, e.Kind+" by "+e.By+": "+e.Text)
		}
		want := []string{"detection by port-scan: 10.0.0.57 tried 20 ports of 10.0.0.11 in 4 s.", "status by ada: acknowledged: on it", "assignee by ada: ada",
			"comment by ada: asked the shift", "status by ada: resolved", "status by ada: new: again"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if a.Version != 6 || a.Status != breakwater.StatusNew || a.Assignee != "ada" {
			t.Errorf("version %d, status %s, assignee %q", a.Version, a.Status, a.Assignee)
		}
		// What it is already changes nothing.
		for _, c := range []AlertChange{{Status: breakwater.StatusNew}, {Assignee: &ada}, {}} {
			if a, changed, err := s.ChangeAlert(ctx, id, c); err != nil || changed || a.Version != 6 {
				t.Errorf("%+v: changed %v to version %d, %v", c, changed, a.Version, err)
			}
		}
		// A reopened alert takes in what comes.
		if again := save(t, s, batch(scan(time.Minute)))[0]; again.ID != id || again.Version != 7 {
			t.Errorf("a reopened alert: %s at version %d, want %s at 7", again.ID, again.Version, id)
		}

		_, _, err := s.ChangeAlert(ctx, id, AlertChange{Version: 6, Status: breakwater.StatusResolved})
		wantError(t, err, breakwater.Outdated, "is at version 7 by now")
		_, _, err = s.ChangeAlert(ctx, breakwater.NewID(began, "none"), AlertChange{Status: breakwater.StatusResolved})
		wantError(t, err, breakwater.NotFound, "there is no alert")
		for i := range remarksMax {
			if _, err := s.write.Exec(`INSERT INTO alert_events (alert_id, position, time, kind, author, text) VALUES ($1, $2, $3, 'comment', 'ada', '')`,
				idText(id), 100+i, stamp(began)); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err = s.ChangeAlert(ctx, id, AlertChange{Comment: "one too many"})
		wantError(t, err, breakwater.Conflict, "is full")
	})
}

func TestTeachIsSavedWithTheChange(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		id := save(t, s, batch(scan(0)))[0].ID
		if _, err := s.SaveBaseline(ctx, "plant", []byte(`{"n":1}`), 0); err != nil {
			t.Fatal(err)
		}
		no := errors.New("cannot be learned")
		_, _, err := s.ChangeAlert(ctx, id, AlertChange{Status: breakwater.StatusResolved, Teach: func(*breakwater.Alert, []byte) ([]byte, string, error) {
			return nil, "", &breakwater.Error{Kind: breakwater.Invalid, Message: no.Error()}
		}})
		wantError(t, err, breakwater.Invalid, "cannot be learned")
		if a, err := s.Alert(ctx, id); err != nil || a.Status != breakwater.StatusNew || a.Version != 1 {
			t.Errorf("after a refusal: %+v, %v", a, err)
		}
		a := change(t, s, id, AlertChange{Status: breakwater.StatusResolved, Teach: func(a *breakwater.Alert, learned []byte) ([]byte, string, error) {
			if a.ID != id || string(learned) != `{"n":1}` {
				t.Errorf("asked to teach %s to %s", a.ID, learned)
			}
			return []byte(`{"n":2}`), "pair of two", nil
		}})
		if last := a.History[len(a.History)-1].Text; last != "resolved: (learned: pair of two)" {
			t.Errorf("history says %q", last)
		}
		if learned, version, err := s.Baseline(ctx, "plant"); err != nil || string(learned) != `{"n":2}` || version != 2 {
			t.Errorf("learned %s at version %d, %v", learned, version, err)
		}
	})
}

func TestManyAtATime(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		var ids []breakwater.ID
		for i := range 3 {
			ids = append(ids, save(t, s, batch(at(scan(0), fmt.Sprintf("10.0.0.%d", i))))[0].ID)
		}
		none := breakwater.NewID(began, "none")
		change(t, s, ids[1], AlertChange{Status: breakwater.StatusResolved})
		all, err := s.ChangeAlerts(context.Background(), []breakwater.ID{ids[2], none, ids[1], ids[0]}, AlertChange{Status: breakwater.StatusResolved, By: "ada", At: began})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range all {
			if one.Err != nil {
				got = append(got, one.Err.Error())
				continue
			}
			got = append(got, fmt.Sprint(one.Alert.ID, " ", one.Alert.Status, " ", one.Alert.Version, " ", one.Changed, " ", len(one.Alert.Sources)))
		}
		want := []string{fmt.Sprint(ids[2], " resolved 2 true 1"), "there is no alert " + none.String(), fmt.Sprint(ids[1], " resolved 2 false 1"), fmt.Sprint(ids[0], " resolved 2 true 1")}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Two who have read the same version: one changes it, the other is told, and nothing deadlocks however many change
// whatever at the same time.
func TestTwoAnalysts(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		var ids []breakwater.ID
		for _, facility := range []string{"plant", "dam"} {
			for i := range 4 {
				d := at(scan(0), fmt.Sprintf("10.0.0.%d", i))
				d.FacilityID = facility
				ids = append(ids, save(t, s, breakwater.Batch{FacilityID: facility, Detections: []breakwater.Detection{d}})[0].ID)
			}
		}
		for round := 1; round <= 5; round++ {
			var wg sync.WaitGroup
			var mu sync.Mutex
			won := map[breakwater.ID]int{}
			for g := range 4 {
				wg.Go(func() {
					for i := range ids {
						id := ids[(i*(g+1)+g)%len(ids)] // each in another order
						_, changed, err := s.ChangeAlert(ctx, id, AlertChange{Version: round, Comment: fmt.Sprint("by ", g), By: "ada", At: began})
						switch {
						case err == nil && changed:
							mu.Lock()
							won[id]++
							mu.Unlock()
						case breakwater.KindOf(err) != breakwater.Outdated:
							t.Errorf("changed %v, %v", changed, err)
						}
					}
				})
			}
			wg.Go(func() { // and all of them together, which changes nothing
				if _, err := s.ChangeAlerts(ctx, ids, AlertChange{Status: breakwater.StatusNew, By: "ada", At: began}); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { // while other alerts begin
				d := at(scan(time.Duration(round)*time.Hour), "10.0.0.99")
				if _, err := s.SaveBatch(ctx, batch(d), nil); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			for _, id := range ids {
				if won[id] != 1 {
					t.Fatalf("round %d: %d writers of alert %s won", round, won[id], id)
				}
			}
		}
	})
}

func TestReport(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		var wg sync.WaitGroup
		var mu sync.Mutex
		created := 0
		for i := range 6 {
			wg.Go(func() {
				a := reported("plant", "siem-1", began.Add(time.Duration(i)*time.Second)) // told anew, and not the same each time
				kept, is, err := s.Report(ctx, a)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if is {
					created++
				}
				if kept.ExternalID != "siem-1" || kept.Version != 1 || len(kept.History) != 1 || !kept.Sources[0].External {
					t.Errorf("kept %+v", kept)
				}
			})
		}
		wg.Wait()
		if created != 1 {
			t.Errorf("%d alerts began", created)
		}
		for _, a := range []breakwater.Alert{reported("dam", "siem-1", began), reported("plant", "siem-2", began), reported("plant", "", began), reported("plant", "", began)} {
			if _, is, err := s.Report(ctx, a); err != nil || !is {
				t.Errorf("%s of %s began: %v, %v", a.ExternalID, a.FacilityID, is, err)
			}
		}
		// Our own detections of its asset stay apart.
		if own := save(t, s, batch(scan(time.Second)))[0]; !own.Created || own.Sources[0].External {
			t.Errorf("a detection joined a reported alert: %+v", own)
		}
		page, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
		if err != nil || page.Total != 6 {
			t.Errorf("%d alerts (%v), want 6", page.Total, err)
		}
		far := reported("plant", "far", began)
		far.LastSeen = time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC)
		_, _, err = s.Report(ctx, far)
		wantError(t, err, breakwater.Invalid, "detection_time")
	})
}

func TestMutes(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		mute := func(m breakwater.Mute) breakwater.Mute {
			t.Helper()
			m.Reason, m.By, m.CreatedAt = "maintenance", "ada", began
			m, err := s.SaveMute(ctx, m)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		muted := func(want bool, detections ...breakwater.Detection) breakwater.ID {
			t.Helper()
			touched := save(t, s, batch(detections...))
			a, err := s.Alert(ctx, touched[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			page, err := s.Alerts(ctx, AlertQuery{AlertFilter: AlertFilter{Muted: &want}, Page: 1, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			if a.Muted != want || touched[0].Muted != want || page.Total != 1 {
				t.Errorf("alert is muted: %v, published as %v, %d in the list; want %v", a.Muted, touched[0].Muted, page.Total, want)
			}
			return a.ID
		}
		m := mute(breakwater.Mute{FacilityID: "plant", Rule: "port-scan", From: began, Until: began.Add(10 * time.Minute)})
		muted(true, scan(0))
		muted(false, write(time.Minute))  // another rule speaks
		muted(false, scan(2*time.Minute)) // and has spoken
		all := mute(breakwater.Mute{Asset: "10.0.0.11", From: began, Until: began.Add(10 * time.Minute)})
		muted(true, write(3*time.Minute)) // now both are muted
		muted(true, write(4*time.Minute), scan(4*time.Minute))
		muted(true, scan(8*time.Minute))
		muted(false, scan(10*time.Minute)) // it goes on after the mute
		if page, err := s.Mutes(ctx, began, 1, 10); err != nil || page.Total != 2 || !cmp.Equal(page.Mutes[1], m, compare) && !cmp.Equal(page.Mutes[0], m, compare) {
			t.Errorf("%+v, %v", page, err)
		}
		if page, err := s.Mutes(ctx, began.Add(10*time.Minute), 1, 10); err != nil || page.Total != 0 {
			t.Errorf("ended ones are listed: %+v, %v", page, err)
		}
		for _, id := range []breakwater.ID{m.ID, all.ID} {
			if err := s.DeleteMute(ctx, id); err != nil {
				t.Error(err)
			}
		}
		wantError(t, s.DeleteMute(ctx, m.ID), breakwater.NotFound, "there is no mute")
		for _, c := range []struct {
			says  string
			spoil func(*breakwater.Mute)
		}{
			{"keep everything quiet", func(m *breakwater.Mute) { m.FacilityID = "" }},
			{"needs a reason", func(m *breakwater.Mute) { m.Reason = "" }},
			{"must end after it begins", func(m *breakwater.Mute) { m.Until = m.From }},
			{"at most 366 days", func(m *breakwater.Mute) { m.Until = m.From.AddDate(2, 0, 0) }},
			{"not an ATT&CK id", func(m *breakwater.Mute) { m.Technique = "scan" }},
			{"not allowed", func(m *breakwater.Mute) { m.FacilityID = "Plant 1" }},
			{"control characters", func(m *breakwater.Mute) { m.Asset = "a\x00" }},
			{"at most 64", func(m *breakwater.Mute) { m.Rule = strings.Repeat("é", 65) }},
			{"year 10000", func(m *breakwater.Mute) { m.Until = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		} {
			bad := breakwater.Mute{FacilityID: "plant", From: began, Until: began.Add(time.Hour), Reason: "maintenance", CreatedAt: began}
			c.spoil(&bad)
			_, err := s.SaveMute(ctx, bad)
			wantError(t, err, breakwater.Invalid, c.says)
		}
	})
}
