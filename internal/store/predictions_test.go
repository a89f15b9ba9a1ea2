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
	"pgregory.net/rapid"
)

func forecast(facility string, after time.Duration) breakwater.Prediction {
	return breakwater.Prediction{Timestamp: began.Add(after), FacilityID: facility, Source: "forecaster", Current: "T0846", CurrentName: "Remote System Discovery",
		Predicted: []breakwater.PredictedTechnique{
			{TechniqueID: "T0831", Probability: .25, Rank: 2},
			{TechniqueID: "T0855", TechniqueName: "Unauthorized Command Message", Probability: .5, Rank: 1, Timeframe: "15-60 minutes"},
		}}
}

func TestPrediction(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		if p, err := s.LatestPrediction(ctx, nil); p != nil || err != nil {
			t.Fatalf("before the first: %v, %v", p, err)
		}
		alert := save(t, s, batch(scan(0)))[0].ID
		p := forecast("", 1500*time.Microsecond)
		p.AlertID = &alert
		kept, created, err := s.SavePrediction(ctx, p)
		if err != nil || !created {
			t.Fatalf("created %t, %v", created, err)
		}
		want := forecast("plant", time.Millisecond) // its alert's facility
		want.Timestamp = want.Timestamp.Truncate(time.Millisecond)
		want.AlertID, want.Version, want.Seen = &alert, 1, []string{}
		want.Status, want.ExpiresAt = breakwater.PredictionOpen, want.Timestamp.Add(24*time.Hour) // of T0831, which says no time
		want.Predicted[0], want.Predicted[1] = want.Predicted[1], want.Predicted[0]
		want.Predicted[0].Why, want.Predicted[1].Why = []breakwater.Reason{}, []breakwater.Reason{}
		want.ID = breakwater.NewID(want.Timestamp, "prediction", "plant", "forecaster", "T0846", alert.String())
		if diff := cmp.Diff(&want, kept); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		if again, created, err := s.SavePrediction(ctx, p); err != nil || created || !cmp.Equal(again, kept) {
			t.Errorf("reported again: created %t, %v, %+v", created, err, again)
		}
		p.Predicted[0].Probability = .3
		_, _, err = s.SavePrediction(ctx, p)
		wantError(t, err, breakwater.Conflict, "is there already and says something else")

		at := began.Add(time.Hour)
		for i, want := range []bool{true, false} {
			got, changed, err := s.ValidatePrediction(ctx, kept.ID, at.Add(time.Duration(i)*time.Minute))
			if err != nil || changed != want || !got.Validated || !got.ValidationTime.Equal(at) || got.Version != 2 {
				t.Errorf("validated %d times: %+v, changed %t, %v", i+1, got, changed, err)
			}
		}
		// What was validated is still what was reported.
		p.Predicted[0].Probability = .25
		if again, created, err := s.SavePrediction(ctx, p); err != nil || created || !again.Validated {
			t.Errorf("reported after validation: %+v, created %t, %v", again, created, err)
		}
		none := breakwater.ID{7}
		_, err = s.Prediction(ctx, none)
		wantError(t, err, breakwater.NotFound, "there is no prediction")
		_, _, err = s.ValidatePrediction(ctx, none, at)
		wantError(t, err, breakwater.NotFound, "there is no prediction")
	})
}

func TestPredictionsRefused(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		alert := save(t, s, batch(scan(0)))[0].ID
		for _, c := range []struct {
			name  string
			spoil func(*breakwater.Prediction)
			says  string
		}{
			{"facility", func(p *breakwater.Prediction) { p.FacilityID = "No!" }, "facility id"},
			{"alert of another", func(p *breakwater.Prediction) { p.AlertID = &alert }, "an alert of facility plant, and the prediction is of dam"},
			{"no such alert", func(p *breakwater.Prediction) { p.AlertID = &breakwater.ID{1} }, "alert_id names no alert"},
			{"year", func(p *breakwater.Prediction) { p.Timestamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "year 10000"},
			{"ranks", func(p *breakwater.Prediction) { p.Predicted[0].Rank = 1 }, "given twice"},
		} {
			p := forecast("dam", 0)
			c.spoil(&p)
			_, _, err := s.SavePrediction(context.Background(), p)
			wantError(t, err, breakwater.Invalid, c.says)
		}
		page, err := s.Predictions(context.Background(), PredictionFilter{Page: 1, Limit: 10})
		if err != nil || page.Total != 0 {
			t.Errorf("%d bad predictions were kept (%v)", page.Total, err)
		}
		_, err = s.Predictions(context.Background(), PredictionFilter{Page: 1, Limit: MaxPage + 1})
		wantError(t, err, breakwater.Invalid, "pages count from 1")
	})
}

// The list under any filter and page is what a plain loop over all says.
func TestPredictionsProperty(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		rapid.Check(t, func(rt *rapid.T) {
			ctx := context.Background()
			empty(t, s)
			all := []breakwater.Prediction{} // newest first
			for n := range rapid.IntRange(0, 12).Draw(rt, "predictions") {
				p := forecast(rapid.SampledFrom([]string{"plant", "dam", "mill"}).Draw(rt, "facility"), time.Duration(n/2)*time.Second)
				p.Source = fmt.Sprint("engine ", n)
				kept, _, err := s.SavePrediction(ctx, p)
				if err == nil && rapid.Bool().Draw(rt, "validate") {
					kept, _, err = s.ValidatePrediction(ctx, kept.ID, began)
				}
				if err != nil {
					rt.Fatal(err)
				}
				place := 0
				for place < len(all) && (all[place].Timestamp.After(kept.Timestamp) || all[place].Timestamp.Equal(kept.Timestamp) && all[place].ID.String() > kept.ID.String()) {
					place++
				}
				all = append(all[:place], append([]breakwater.Prediction{*kept}, all[place:]...)...)
			}
			f := PredictionFilter{Page: rapid.IntRange(1, 4).Draw(rt, "page"), Limit: rapid.IntRange(1, 5).Draw(rt, "limit")}
			f.Facilities = rapid.SampledFrom([][]string{nil, {"dam"}, {"dam", "plant"}, {"nowhere"}}).Draw(rt, "facilities")
			f.Validated = rapid.SampledFrom([]*bool{nil, of(true), of(false)}).Draw(rt, "validated")
			f.Statuses = rapid.SampledFrom([][]breakwater.PredictionStatus{nil, {"open"}, {"open", "validated"}, {"expired"}}).Draw(rt, "statuses")
			want := []breakwater.Prediction{}
			for _, p := range all {
				in := f.Facilities == nil
				for _, id := range f.Facilities {
					in = in || id == p.FacilityID
				}
				if in && (f.Validated == nil || *f.Validated == p.Validated) && (f.Statuses == nil || slices.Contains(f.Statuses, p.Status)) {
					want = append(want, p)
				}
			}
			total, whole := len(want), want
			want = want[min(len(want), (f.Page-1)*f.Limit):]
			want = want[:min(len(want), f.Limit)]
			page, err := s.Predictions(ctx, f)
			if err != nil || page.Total != total || page.Pages != (total+f.Limit-1)/f.Limit {
				rt.Fatalf("%d on %d pages, %v; want %d", page.Total, page.Pages, err, total)
			}
			if diff := cmp.Diff(want, page.Predictions); diff != "" {
				rt.Fatalf("(-want +got):\n%s", diff)
			}
			if page.Next != "" != (f.Page*f.Limit < total) {
				rt.Fatalf("next is %q behind page %d of %d", page.Next, f.Page, total)
			}
			f.Page = 1
			walked := []breakwater.Prediction{}
			for {
				page, err := s.Predictions(ctx, f)
				if err != nil || page.Total != total {
					rt.Fatalf("by cursor: %d, %v; want %d", page.Total, err, total)
				}
				walked = append(walked, page.Predictions...)
				if f.After = page.Next; f.After == "" {
					break
				}
			}
			if diff := cmp.Diff(whole, walked); diff != "" {
				rt.Fatalf("by cursor (-want +got):\n%s", diff)
			}
			if latest, err := s.LatestPrediction(ctx, f.Facilities); err != nil || f.Validated == nil && f.Statuses == nil && total > 0 && latest.ID != whole[0].ID {
				rt.Fatalf("the latest is %v, %v", latest, err)
			}
		})
	})
}

// The list must not read every prediction to find the first ten.
func TestPredictionsUseIndexes(t *testing.T) {
	t.Parallel()
	s := migrated(t, engines["sqlite file"](t))
	for _, c := range []struct{ query, index string }{
		{"SELECT * FROM predictions WHERE true ORDER BY timestamp DESC, id DESC LIMIT 10", "predictions_newest"},
		{"SELECT * FROM predictions WHERE true AND (timestamp, id) < ('2026', 'x') ORDER BY timestamp DESC, id DESC LIMIT 10", "predictions_newest"},
		{"SELECT * FROM predictions WHERE true AND facility_id IN ('a') ORDER BY timestamp DESC, id DESC LIMIT 10", "predictions_facility_newest"},
		{"SELECT * FROM predictions WHERE true AND validation_time IS NOT NULL ORDER BY timestamp DESC, id DESC LIMIT 10", "predictions_validated_newest"},
		{"SELECT count(*) FROM predictions WHERE validation_time IS NOT NULL", "predictions_validated_newest"},
		{"SELECT * FROM predictions WHERE true AND status = 'open' ORDER BY timestamp DESC, id DESC LIMIT 10", "predictions_open_newest"},
		{"SELECT count(*) FROM predictions WHERE status = 'expired'", "predictions_expired_newest"},
		{"SELECT id FROM predictions WHERE facility_id = 'a' AND status = 'open' AND expires_at < '2026' ORDER BY expires_at, id LIMIT 10", "predictions_open"},
		{"SELECT prediction_id FROM predicted_techniques WHERE observed_at IS NULL AND until >= '2026' AND technique_id IN ('a', 'b')", "predicted_techniques_awaited"},
		{"SELECT 1 FROM technique_sightings t WHERE t.facility_id = 'a' AND t.last_seen >= '2026' AND t.technique IN ('a', 'b') LIMIT 1", "technique_sightings_seen"},
		{"SELECT t.technique FROM technique_sightings t WHERE t.facility_id = 'a' AND t.last_seen >= '2026' GROUP BY t.technique", "technique_sightings_"},
		{"SELECT * FROM fl_clients WHERE round_id = 1 ORDER BY id LIMIT 1000", "fl_clients_round"},
		{"SELECT id FROM fl_rounds WHERE status = 'in-progress' AND NOT waiting", "fl_rounds_in_progress"},
	} {
		var id, parent, unused int
		var plan string
		if err := s.read.QueryRow("EXPLAIN QUERY PLAN "+c.query).Scan(&id, &parent, &unused, &plan); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, c.index) {
			t.Errorf("%s\n%s, want the index %s", c.query, plan, c.index)
		}
	}
}

func TestOverview(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		o, err := s.Overview(ctx)
		if diff := cmp.Diff(breakwater.SystemStatus{Facilities: []breakwater.FacilityStatus{}}, o); diff != "" || err != nil {
			t.Fatalf("%v; of an empty database (-want +got):\n%s", err, diff)
		}
		alert := save(t, s, batch(scan(0), at(write(time.Second), "10.0.0.12")))[0].ID
		setStatus(t, s, alert, breakwater.StatusResolved)
		for i := range 4 {
			p, _, err := s.SavePrediction(ctx, forecast("dam", time.Duration(i)*time.Hour))
			if err == nil && i == 0 {
				_, _, err = s.ValidatePrediction(ctx, p.ID, began)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.SaveBatch(ctx, breakwater.Batch{FacilityID: "dam", Windows: []breakwater.Window{{FacilityID: "dam", Time: began.Truncate(time.Second)}}}, nil); err != nil {
			t.Fatal(err)
		}
		// One is validated, one has expired; two are open and do not count.
		if events, err := s.Settle(ctx, time.Now()); err != nil || len(events) != 0 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		if _, err := s.SaveBatch(ctx, breakwater.Batch{FacilityID: "dam", Windows: []breakwater.Window{{FacilityID: "dam", Time: began.Truncate(time.Second).Add(25*time.Hour + time.Minute)}}}, nil); err != nil {
			t.Fatal(err)
		}
		if events, err := s.Settle(ctx, time.Now()); err != nil || len(events) != 1 || events[0].What != "expired" {
			t.Fatalf("%d events, %v", len(events), err)
		}
		if _, _, err := s.ReportRound(ctx, 1, report(1, breakwater.Training, 42.5), nil, began); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveSensor(ctx, breakwater.Sensor{FacilityID: "plant", HeardAt: began, LostWindows: 3, LostDetections: 2}); err != nil {
			t.Fatal(err)
		}
		o, err = s.Overview(ctx)
		want := breakwater.SystemStatus{ActiveAlerts: 1, FLProgress: of(42.5), PredictionAccuracy: of(0.5), Ingest: breakwater.IngestStatus{Dropped: 5},
			Facilities: []breakwater.FacilityStatus{{ID: "dam", Name: "dam", Status: "silent", LastSeen: of(began.Truncate(time.Second).Add(25*time.Hour + time.Minute + time.Second).UTC())}, {ID: "plant", Name: "plant", Status: "silent", LastSeen: of(began.Add(time.Second).UTC())}}}
		if diff := cmp.Diff(want, o); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
