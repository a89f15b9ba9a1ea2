// Package graphtest holds every attack.Graph to the same answers: those that the store gives of itself, and of a copy
// that follows the store.
package graphtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/store"

	"github.com/google/go-cmp/cmp"
)

// Open gives a migrated, empty store, the graph that is to be tested, and what brings it up to date with the store.
type Open func(t *testing.T) (s *store.Store, g attack.Graph, follow func())

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Run("answers", func(t *testing.T) { answers(t, open) })
	t.Run("whatever happens", func(t *testing.T) { whatever(t, open) })
}

const (
	minute = time.Minute
	day    = 24 * time.Hour
)

var began = time.Date(2026, 3, 1, 8, 0, 0, 123_456_789, time.UTC)

// Outlook predicts T0855 within an hour and T0831 within a day of T0846 and T0848, and nothing of others.
var Outlook = store.Outlook{
	Same: func(id string) []string { return []string{id} },
	Predict: func(p *breakwater.Prediction) bool {
		p.Predicted = []breakwater.PredictedTechnique{
			{TechniqueID: "T0855", Probability: .5, Rank: 1, Timeframe: "within 60 minutes"},
			{TechniqueID: "T0831", Probability: .25, Rank: 2, Timeframe: "within 24 hours"}}
		return p.Current == "T0846" || p.Current == "T0848"
	},
}

// Show lets a facility's asset show a technique so long after a fixed time, in an alert of its own where the asset has
// none that is open and near, and gives that alert.
func Show(t testing.TB, s *store.Store, facility, asset, technique string, after time.Duration) breakwater.ID {
	t.Helper()
	touched, err := s.SaveBatch(context.Background(), breakwater.Batch{FacilityID: facility, Detections: []breakwater.Detection{{FacilityID: facility, Asset: asset, Time: began.Add(after),
		Layer: breakwater.LayerAnomaly, Model: "rule-" + technique, Severity: breakwater.High, Confidence: .8, Technique: technique, Title: "Something", Evidence: "Something was seen.", Count: 1}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Observe(context.Background(), facility, touched[0].Shown, Outlook); err != nil {
		t.Fatal(err)
	}
	return touched[0].ID
}

func setStatus(t testing.TB, s *store.Store, alert breakwater.ID, status breakwater.Status) {
	t.Helper()
	if _, _, err := s.ChangeAlert(context.Background(), alert, store.AlertChange{By: "me", At: began, Status: status}); err != nil {
		t.Fatal(err)
	}
}

// answers asks for what is known to have happened.
func answers(t *testing.T, open Open) {
	ctx := context.Background()
	s, g, follow := open(t)
	asks := func(name string, q attack.Sightings, seen, awaited []string) {
		t.Helper()
		follow()
		found, err := g.TechniquesSeen(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range found {
			got = append(got, fmt.Sprintf("%s %s %d, %g to %g", x.FacilityID, x.Technique, x.Alerts, x.First.Sub(began).Minutes(), x.Last.Sub(began).Minutes()))
		}
		if diff := cmp.Diff(seen, got); diff != "" {
			t.Errorf("%s: seen (-want +got):\n%s", name, diff)
		}
		next, err := g.Transitions(ctx, q.Facilities, q.From, q.To)
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, x := range next {
			got = append(got, fmt.Sprint(x.From, " ", x.To, " ", x.Predictions, " ", x.Probability, " ", x.Observed))
		}
		if diff := cmp.Diff(awaited, got); diff != "" {
			t.Errorf("%s: awaited (-want +got):\n%s", name, diff)
		}
	}
	asks("nothing", attack.Sightings{}, nil, nil)
	Show(t, s, "plant", "a", "T0846", 0)
	asks("one", attack.Sightings{}, []string{"plant T0846 1, 0 to 0"}, []string{"T0846 T0831 1 0.25 false", "T0846 T0855 1 0.5 false"})
	Show(t, s, "plant", "a", "T0846", 4*minute)
	write := Show(t, s, "plant", "b", "T0855", 30*minute)
	Show(t, s, "plant", "c", "T0846", 40*minute)
	Show(t, s, "dam", "a", "T0848", 60*minute)
	setStatus(t, s, Show(t, s, "mill", "a", "T0800", 0), breakwater.StatusFalsePositive)
	borneOut, open2 := "T0846 T0855 1 0.5 true", []string{"T0848 T0831 1 0.25 false", "T0848 T0855 1 0.5 false"}
	asks("two alerts of one technique, one that is none", attack.Sightings{},
		[]string{"dam T0848 1, 60 to 60", "plant T0846 2, 0 to 40", "plant T0855 1, 30 to 30"}, slices.Concat([]string{borneOut}, open2))
	Show(t, s, "plant", "d", "T0836", 30*day)
	late := "plant T0836 1, 43200 to 43200"
	asks("recent", attack.Sightings{Recent: true}, []string{"dam T0848 1, 60 to 60", late}, slices.Concat([]string{borneOut}, open2))
	asks("of one facility", attack.Sightings{Facilities: []string{"dam", "nowhere"}}, []string{"dam T0848 1, 60 to 60"}, open2)
	asks("of none that is there", attack.Sightings{Facilities: []string{"nowhere"}}, nil, nil)
	asks("while one went on", attack.Sightings{From: began.Add(2 * minute), To: began.Add(10 * minute)}, []string{"plant T0846 1, 0 to 4"}, []string{borneOut})
	asks("up to, not at", attack.Sightings{To: began.Add(30 * minute)}, []string{"plant T0846 1, 0 to 4"}, []string{borneOut})
	asks("from the very moment on", attack.Sightings{From: began.Add(30 * day)}, []string{late}, nil)

	setStatus(t, s, write, breakwater.StatusFalsePositive)
	asks("one turns out false", attack.Sightings{Facilities: []string{"plant"}}, []string{"plant T0846 2, 0 to 40", late}, []string{borneOut})
	setStatus(t, s, write, breakwater.StatusResolved)
	asks("and true after all", attack.Sightings{Facilities: []string{"plant"}}, []string{"plant T0846 2, 0 to 40", "plant T0855 1, 30 to 30", late}, []string{borneOut})
	if err := s.ForgetAttacks(ctx, "plant"); err != nil {
		t.Fatal(err)
	}
	asks("one facility's attacks are forgotten", attack.Sightings{}, []string{"dam T0848 1, 60 to 60"}, open2)
	if err := s.RemoveFacilities(ctx, []string{"dam"}); err != nil {
		t.Fatal(err)
	}
	asks("another is removed", attack.Sightings{Recent: true}, nil, nil)
	Show(t, s, "dam", "a", "T0848", 60*minute)
	asks("and is there again", attack.Sightings{Recent: true}, []string{"dam T0848 1, 60 to 60"}, open2)
}

// whatever does things at random, and asks the graph and the store the same at random.
func whatever(t *testing.T, open Open) {
	ctx := context.Background()
	s, g, follow := open(t)
	if g == attack.Graph(s) {
		t.Skip("the store would be compared with itself")
	}
	random := rand.New(rand.NewPCG(1, 2))
	facilities := []string{"dam", "mill", "plant"}
	techniques := []string{"T0846", "T0848", "T0855", "T0831", "T1692.001", "T0999"}
	statuses := []breakwater.Status{breakwater.StatusNew, breakwater.StatusAcknowledged, breakwater.StatusResolved, breakwater.StatusFalsePositive}
	pick := func(of []string) string { return of[random.IntN(len(of))] }
	var alerts []breakwater.ID
	for range 20 {
		for range 1 + random.IntN(12) {
			switch n := random.IntN(20); {
			case n == 0:
				if err := s.ForgetAttacks(ctx, pick(facilities)); err != nil {
					t.Fatal(err)
				}
				alerts = nil
			case n < 5 && len(alerts) > 0:
				setStatus(t, s, alerts[random.IntN(len(alerts))], statuses[random.IntN(len(statuses))])
			default:
				after := time.Duration(random.IntN(20*24*60)) * minute
				alerts = append(alerts, Show(t, s, pick(facilities), pick([]string{"a", "b", "c"}), pick(techniques), after))
			}
		}
		follow()
		for range 5 {
			q := attack.Sightings{Recent: random.IntN(2) == 0}
			if random.IntN(2) == 0 {
				q.Facilities = []string{pick(facilities), pick(facilities)}
			}
			if !q.Recent && random.IntN(2) == 0 {
				q.From = began.Add(time.Duration(random.IntN(20)) * day)
				q.To = q.From.Add(time.Duration(random.IntN(10)) * day)
			}
			want, err := s.TechniquesSeen(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			got, err := g.TechniquesSeen(ctx, q)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("%+v: seen, %v (-store +graph):\n%s", q, err, diff)
			}
			awaited, err := s.Transitions(ctx, q.Facilities, q.From, q.To)
			if err != nil {
				t.Fatal(err)
			}
			next, err := g.Transitions(ctx, q.Facilities, q.From, q.To)
			if diff := cmp.Diff(awaited, next); diff != "" || err != nil {
				t.Fatalf("%+v: awaited, %v (-store +graph):\n%s", q, err, diff)
			}
		}
	}
}
