package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/attack"

	"github.com/google/go-cmp/cmp"
)

// told is an Outlook that predicts T0855 within an hour and T0831 within a day of anything seen, but for what was seen;
// T1692 is another id of T0855.
var told = Outlook{
	Same: func(id string) []string {
		if id == "T0855" {
			return []string{id, "T1692"}
		}
		return []string{id}
	},
	Predict: func(p *breakwater.Prediction) bool {
		for _, t := range []breakwater.PredictedTechnique{{TechniqueID: "T0855", Probability: .5, Timeframe: "within 60 minutes"}, {TechniqueID: "T0831", Probability: .25, Timeframe: "within 24 hours"}} {
			if !slices.Contains(p.Seen, t.TechniqueID) {
				t.Rank = len(p.Predicted) + 1
				p.Predicted = append(p.Predicted, t)
			}
		}
		return len(p.Predicted) > 0
	},
}

// shown is what a detection shows.
func shown(technique, asset string, after time.Duration) breakwater.Detection {
	d := at(scan(after), asset)
	d.Technique, d.Model = technique, "rule-"+technique
	return d
}

// observe saves detections and takes in what they show, as a server does. It gives what happened, in short.
func observe(t *testing.T, s *Store, detections ...breakwater.Detection) string {
	t.Helper()
	var all []breakwater.Sighting
	for _, a := range save(t, s, batch(detections...)) {
		all = append(all, a.Shown...)
	}
	events, _, err := s.Observe(context.Background(), "plant", all, told)
	if err != nil {
		t.Fatal(err)
	}
	return inShort(events)
}

// inShort is each event as what, the technique and minute of its prediction, and its status and version.
func inShort(events []PredictionEvent) string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprintf("%s %s@%g %s v%d", e.What, e.Current, e.Timestamp.Sub(began.Truncate(time.Millisecond)).Minutes(), e.Status, e.Version))
	}
	return strings.Join(all, ", ")
}

func TestOutcomes(t *testing.T) {
	const minute = time.Minute
	type step struct {
		see  []breakwater.Detection
		want string
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"validated, and another of its techniques later", []step{
			{[]breakwater.Detection{shown("T0846", "a", 0)}, "created T0846@0 open v1"},
			{[]breakwater.Detection{shown("T0846", "a", 0)}, ""}, // came twice
			{[]breakwater.Detection{shown("T0855", "b", 30*minute)}, "created T0855@30 open v1, validated T0846@0 validated v2"},
			{[]breakwater.Detection{shown("T0831", "b", 31*minute)}, "updated T0846@0 validated v3, validated T0855@30 validated v2"},
			{[]breakwater.Detection{shown("T0846", "a", 0), shown("T0855", "b", 30*minute), shown("T0831", "b", 31*minute)}, ""},
		}},
		{"outside the timeframe of one, inside that of none", []step{
			{[]breakwater.Detection{shown("T0846", "a", 0)}, "created T0846@0 open v1"},
			{[]breakwater.Detection{shown("T0855", "b", 61*minute)}, "created T0855@61 open v1"},
			{[]breakwater.Detection{shown("T0899", "c", 26*60*minute)}, "created T0899@1560 open v1, expired T0846@0 expired v2, expired T0855@61 expired v2"},
		}},
		{"late news of what lay in the timeframe", []step{
			{[]breakwater.Detection{shown("T0846", "a", 0)}, "created T0846@0 open v1"},
			{[]breakwater.Detection{shown("T0846", "c", 25*60*minute)}, "expired T0846@0 expired v2"},
			{[]breakwater.Detection{shown("T0831", "b", 5*minute)}, "created T0831@5 open v1, validated T0846@0 validated v3, expired T0831@5 expired v2"},
		}},
		{"one act seen by several rules is one prediction", []step{
			{[]breakwater.Detection{shown("T0848", "a", 0), shown("T0846", "a", time.Second)}, "created T0848@0 open v1, updated T0846@0 open v2"},
			{[]breakwater.Detection{shown("T0855", "b", 2*time.Second)}, "updated T0855@0 open v3"},
			{[]breakwater.Detection{shown("T0831", "b", 6*time.Second)}, "validated T0855@0 validated v4"}, // nothing is left to predict
		}},
		{"seen again within a week is not new", []step{
			{[]breakwater.Detection{shown("T0846", "a", 0)}, "created T0846@0 open v1"},
			{[]breakwater.Detection{shown("T0846", "b", 6*24*60*minute)}, "expired T0846@0 expired v2"},
			{[]breakwater.Detection{shown("T0846", "c", 12*24*60*minute)}, ""},
			{[]breakwater.Detection{shown("T0846", "d", 20*24*60*minute)}, "created T0846@28800 open v1"},
		}},
		{"in one batch", []step{
			{[]breakwater.Detection{shown("T0846", "a", 0), shown("T0855", "b", 10*minute)}, "created T0846@0 open v1, created T0855@10 open v1, validated T0846@0 validated v2"},
		}},
		{"another version's id, and what is no technique", []step{
			{[]breakwater.Detection{shown("T0846", "a", 0)}, "created T0846@0 open v1"},
			{[]breakwater.Detection{shown("bad", "a", 0), shown("T0855", "b", minute)}, "created T0855@1 open v1, validated T0846@0 validated v2"},
			{[]breakwater.Detection{shown("T1692", "c", 2*minute)}, "created T1692@2 open v1"}, // told knows it of T0855 only
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachEngine(t, func(t *testing.T, s *Store) {
				for i, step := range c.steps {
					if got := observe(t, s, step.see...); got != step.want {
						t.Errorf("step %d: %q, want %q", i, got, step.want)
					}
				}
			})
		})
	}
}

// A prediction says what it was made from, in the order in which it appeared, who showed it, and what came of it.
func TestObservedPrediction(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		observe(t, s, shown("T0848", "a", 0))
		observe(t, s, shown("T0846", "b", time.Minute))
		observe(t, s, shown("T0831", "c", time.Hour))
		page, err := s.Predictions(ctx, PredictionFilter{Page: 1, Limit: 10, Statuses: []breakwater.PredictionStatus{"validated"}})
		if err != nil || len(page.Predictions) != 2 {
			t.Fatalf("%+v, %v", page, err)
		}
		alerts := map[string]*breakwater.ID{}
		list, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
		for i := range list.Alerts {
			alerts[list.Alerts[i].Asset] = &list.Alerts[i].ID
		}
		if err != nil {
			t.Fatal(err)
		}
		ms := began.Truncate(time.Millisecond).Add(time.Minute)
		seenAt := began.Add(time.Hour)
		want := breakwater.Prediction{ID: breakwater.NewID(ms, "prediction", "plant", "breakwater", "T0846", alerts["b"].String()), Timestamp: ms, FacilityID: "plant",
			Source: "breakwater", Current: "T0846", CurrentName: "Remote System Discovery", AlertID: alerts["b"], Seen: []string{"T0848", "T0846"}, Status: "validated", ExpiresAt: ms.Add(24 * time.Hour),
			Validated: true, ValidationTime: &seenAt, Version: 2, Predicted: []breakwater.PredictedTechnique{
				{TechniqueID: "T0855", Probability: .5, Rank: 1, Timeframe: "within 60 minutes", Why: []breakwater.Reason{}},
				{TechniqueID: "T0831", Probability: .25, Rank: 2, Timeframe: "within 24 hours", Why: []breakwater.Reason{}, ObservedAt: &seenAt, ObservedIn: alerts["c"]}}}
		if diff := cmp.Diff(want, page.Predictions[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		seen, err := s.TechniquesSeen(ctx, attack.Sightings{Facilities: []string{"plant", "nowhere"}, Recent: true})
		var names []string
		for _, x := range seen {
			names = append(names, fmt.Sprint(x.Technique, x.Alerts))
		}
		if diff := cmp.Diff([]string{"T08481", "T08461", "T08311"}, names); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		next, err := s.Transitions(ctx, nil, time.Time{}, time.Time{})
		if diff := cmp.Diff([]attack.Transition{{From: "T0831", To: "T0855", Predictions: 1, Probability: .5, Observed: false}, {From: "T0846", To: "T0831", Predictions: 1, Probability: .25, Observed: true}, {From: "T0848", To: "T0831", Predictions: 1, Probability: .25, Observed: true}}, next); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// What a mute covers and what turned out to be nothing neither predicts nor validates, and does not count later.
func TestMutedAndFalse(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		if got := observe(t, s, shown("T0846", "a", 0)); got != "created T0846@0 open v1" {
			t.Fatal(got)
		}
		mute, err := s.SaveMute(ctx, breakwater.Mute{FacilityID: "plant", Asset: "b", From: began, Until: began.Add(time.Hour), Reason: "maintenance", By: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		if got := observe(t, s, shown("T0855", "b", time.Minute)); got != "" {
			t.Errorf("muted: %q", got)
		}
		if err := s.DeleteMute(ctx, mute.ID); err != nil {
			t.Fatal(err)
		}
		if got := observe(t, s, shown("T0855", "b", time.Minute)); got != "" {
			t.Errorf("muted, and come again after the mute was taken away: %q", got)
		}
		first := save(t, s, batch(shown("T0846", "a", 0)))[0].ID
		setStatus(t, s, first, breakwater.StatusFalsePositive)
		if got := observe(t, s, shown("T0846", "a", 0)); got != "" {
			t.Errorf("of a false positive: %q", got)
		}
		if got := observe(t, s, shown("T0846", "c", 10*time.Minute)); got != "created T0846@10 open v1" {
			t.Errorf("new, as the first was a false positive: %q", got)
		}
		seen, err := s.TechniquesSeen(ctx, attack.Sightings{Recent: true})
		if err != nil || len(seen) != 1 || seen[0].Alerts != 1 || !seen[0].First.Equal(began.Add(10*time.Minute)) {
			t.Errorf("%+v, %v", seen, err)
		}
	})
}

// A prediction that is reported after what it says has come, or after its time, is judged at once.
func TestReview(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		observe(t, s, shown("T0855", "a", 0))
		observe(t, s, shown("T0855", "a", 4*time.Minute)) // the same alert, seen last
		observe(t, s, shown("T0899", "b", 30*24*time.Hour))
		for _, c := range []struct {
			when      time.Duration
			technique string
			frame     string
			want      string
		}{
			{-time.Minute, "T1692", "15-60 minutes", "expired T0846@-1 expired v2"},
			{-time.Minute, "T0855", "15-60 minutes", "validated T0846@-1 validated v2"},
			{time.Minute, "T0855", "within 10 minutes", "validated T0846@1 validated v2"},
			{5 * time.Minute, "T0855", "soon", "expired T0846@5 expired v2"},
			{-time.Hour, "T0855", "within 59 minutes", "expired T0846@-60 expired v2"},
			{30 * 24 * time.Hour, "T0855", "within 59 minutes", ""},
		} {
			p := forecast("plant", c.when)
			p.Source = fmt.Sprint("engine ", c)
			p.Predicted = []breakwater.PredictedTechnique{{TechniqueID: c.technique, Rank: 1, Timeframe: c.frame}}
			kept, _, err := s.SavePrediction(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			events, err := s.Review(ctx, kept.ID, told)
			if got := inShort(events); err != nil || got != c.want {
				t.Errorf("%+v: %q, %v", c, got, err)
			}
			if again, err := s.Review(ctx, kept.ID, told); len(again) != 0 || err != nil {
				t.Errorf("%+v a second time: %q, %v", c, inShort(again), err)
			}
		}
	})
}

// A live facility's predictions expire as the clock goes on, those of an old capture only when it has been silent for
// that long, and a facility that is known by predictions alone goes by the clock.
func TestSettle(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		now := time.Now()
		if events, err := s.Settle(ctx, now); err != nil || len(events) != 0 {
			t.Fatalf("of an empty database: %v, %v", events, err)
		}
		observe(t, s, shown("T0846", "a", 0)) // in data of long ago, or of a time to come
		p := forecast("dam", 0)
		p.Timestamp = now.UTC()
		if _, _, err := s.SavePrediction(ctx, p); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{0, 0}, {23 * time.Hour, 0}, {24*time.Hour + time.Minute, 2}, {48 * time.Hour, 0}} {
			if events, err := s.Settle(ctx, now.Add(c.after)); err != nil || len(events) != c.want {
				t.Errorf("after %v: %q, %v; want %d", c.after, inShort(events), err, c.want)
			}
		}
		if got := observe(t, s, shown("T0855", "a", time.Minute)); got != "created T0855@1 open v1, validated T0846@0 validated v3" {
			t.Errorf("what was spooled until then: %q", got)
		}
	})
}

// However a stream of detections is cut into batches, and whichever of them come twice, the same predictions come of it,
// with the same outcomes.
func TestOutcomesProperty(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 0))
			one := func(of ...string) string { return of[random.IntN(len(of))] }
			var all []breakwater.Detection
			after := time.Duration(0)
			for range 1 + random.IntN(10) {
				after += []time.Duration{1, 3, 10, 1800, 90000}[random.IntN(5)] * time.Second
				all = append(all, shown(one("T0846", "T0848", "T0855", "T0831"), one("a", "b"), after))
			}
			want := playOutcomes(t, s, all, func() (cut, again bool) { return true, false })
			got := playOutcomes(t, s, all, func() (cut, again bool) { return random.IntN(2) == 0, random.IntN(2) == 0 })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d (-one by one +cut):\n%s", seed, diff)
			}
			for _, p := range got { // validated is what was seen in time, and nothing else
				inTime := false
				for _, d := range all {
					for _, n := range p.Predicted {
						inTime = inTime || d.Technique == n.TechniqueID && later(d.Time, p.Timestamp) && !d.Time.After(p.Timestamp.Add(n.Within()))
					}
				}
				if p.Validated != inTime {
					t.Fatalf("seed %d: %s of %v is %s, and was seen in time: %t", seed, p.Current, p.Timestamp, p.Status, inTime)
				}
			}
		}
	})
}

// playOutcomes takes detections in, cut into batches behind each for which cut says so, and gives the predictions that come of it.
func playOutcomes(t *testing.T, s *Store, all []breakwater.Detection, batches func() (cut, again bool)) []breakwater.Prediction {
	t.Helper()
	empty(t, s)
	var some []breakwater.Detection
	for i, d := range all {
		some = append(some, d)
		cut, again := batches()
		if !cut && i < len(all)-1 {
			continue
		}
		observe(t, s, some...)
		if again {
			observe(t, s, some...)
		}
		some = nil
	}
	page, err := s.Predictions(t.Context(), PredictionFilter{Page: 1, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Predictions {
		page.Predictions[i].Version = 0 // what expires between two batches and is validated after all changes once more
	}
	return page.Predictions
}

// What was reported before there were outcomes is open for a day or validated, and what alerts showed then was seen.
func TestOldPredictions(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		for {
			steps, err := s.Status(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(steps, func(m MigrationStatus) bool { return m.Version == 8 }); steps[i].Applied.IsZero() {
				break
			}
			if err := s.MigrateDown(ctx); err != nil {
				t.Fatal(err)
			}
		}
		alert := "019ca869-5000-7000-8000-000000000001"
		for _, statement := range []string{
			`INSERT INTO facilities (id) VALUES ('plant')`,
			`INSERT INTO alerts (id, facility_id, asset, timestamp, last_seen, severity, status, title, description, attack_type, attack_name, techniques, correlation_confidence,
				correlation_summary, context_analysis, assignee, count, version) VALUES ('` + alert + `', 'plant', 'a', '2026-03-01T08:00:00.000000000Z', '2026-03-01T08:00:00.000000000Z', 'high', 'new', '', '', 'T0846', '', '["T0846"]', 1, '', '', '', 1, 1)`,
			`INSERT INTO alert_sources (alert_id, position, layer, model_name, severity, confidence, technique, technique_name, title, evidence, look_at, detection_time, counted_until, count, conversation)
				VALUES ('` + alert + `', 0, 1, 'scan', 'high', 1, 'T0846', '', '', '', '', '2026-03-01T08:00:00.000000000Z', '2026-03-01T08:05:00.000000000Z', 1, '{}')`,
			`INSERT INTO predictions (id, timestamp, facility_id, source, current_technique, current_technique_name, validation_time, version) VALUES
				('019ca869-5000-7000-8000-000000000002', '2026-02-28T08:00:00.123000000Z', 'plant', 'x', 'T0846', '', NULL, 1),
				('019ca869-5000-7000-8000-000000000003', '9999-12-31T08:00:00.500000000Z', 'plant', 'x', 'T0846', '', '2026-02-28T09:00:00.000000000Z', 2)`,
			`INSERT INTO predicted_techniques (prediction_id, rank, technique_id, technique_name, probability, timeframe) VALUES ('019ca869-5000-7000-8000-000000000002', 1, 'T0855', '', 0.5, '')`,
		} {
			if _, err := s.write.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		page, err := s.Predictions(ctx, PredictionFilter{Page: 1, Limit: 10})
		var got []string
		for _, p := range page.Predictions {
			got = append(got, fmt.Sprint(p.Status, " ", p.ExpiresAt.Format(time.RFC3339Nano)))
		}
		if diff := cmp.Diff([]string{"validated 9999-12-31T08:00:00.5Z", "open 2026-03-01T08:00:00.123Z"}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		seen, err := s.TechniquesSeen(ctx, attack.Sightings{Recent: true})
		if err != nil || len(seen) != 1 || seen[0].Technique != "T0846" || seen[0].Last.Sub(seen[0].First) != 5*time.Minute {
			t.Errorf("%+v, %v", seen, err)
		}
		if got := observe(t, s, shown("T0855", "b", -30*time.Second)); got != "created T0855@-0.5 open v1, validated T0846@-1440 validated v2" {
			t.Errorf("%q", got)
		}
	})
}

// What a stretch of time asks for: sightings that went on in it, and predictions that were open in it.
func TestSpanOfSightings(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		day := 24 * time.Hour
		observe(t, s, shown("T0848", "a", 0))
		observe(t, s, shown("T0846", "b", time.Hour))
		observe(t, s, shown("T0846", "b", time.Hour+4*time.Minute)) // the same alert, seen last
		observe(t, s, shown("T0831", "c", 30*day))
		for _, c := range []struct {
			name      string
			q         attack.Sightings
			seen      []string // technique and alerts
			predicted []string // from, to, and whether it was seen
		}{
			{"all", attack.Sightings{}, []string{"T0848 1", "T0846 1", "T0831 1"}, []string{"T0831 T0855 false"}},
			{"recent", attack.Sightings{Recent: true}, []string{"T0831 1"}, []string{"T0831 T0855 false"}},
			{"while one went on", attack.Sightings{From: began.Add(time.Hour + 3*time.Minute), To: began.Add(2 * time.Hour)}, []string{"T0846 1"}, nil},
			{"up to, not at", attack.Sightings{To: began.Add(time.Hour)}, []string{"T0848 1"}, nil},
			{"from the very moment on", attack.Sightings{From: began.Add(time.Hour + 4*time.Minute)}, []string{"T0846 1", "T0831 1"}, []string{"T0831 T0855 false"}},
			{"after all predictions", attack.Sightings{From: began.Add(40 * day)}, nil, nil},
			{"of another facility", attack.Sightings{Facilities: []string{"nowhere"}}, nil, nil},
		} {
			t.Run(c.name, func(t *testing.T) {
				var seen, predicted []string
				found, err := s.TechniquesSeen(ctx, c.q)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range found {
					seen = append(seen, fmt.Sprint(x.Technique, " ", x.Alerts))
				}
				next, err := s.Transitions(ctx, c.q.Facilities, c.q.From, c.q.To)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range next {
					predicted = append(predicted, fmt.Sprint(x.From, " ", x.To, " ", x.Observed))
				}
				if diff := cmp.Diff([2][]string{c.seen, c.predicted}, [2][]string{seen, predicted}); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	})
}

// A list of predictions of a technique holds those that name it as what may come next, not those that begin with it.
func TestPredictionsOfTechnique(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		observe(t, s, shown("T0848", "a", 0)) // T0855 and T0831 are what comes next
		observe(t, s, shown("T0846", "b", time.Minute))
		for _, c := range []struct {
			techniques []string
			want       int
		}{{nil, 2}, {[]string{"T0855"}, 2}, {[]string{"T0899", "T0831"}, 2}, {[]string{"T0848"}, 0}} {
			page, err := s.Predictions(ctx, PredictionFilter{Techniques: c.techniques, Page: 1, Limit: 1})
			if err != nil || page.Total != c.want || len(page.Predictions) != min(c.want, 1) {
				t.Errorf("%v: %d on all pages, %v; want %d", c.techniques, page.Total, err, c.want)
			}
		}
	})
}
