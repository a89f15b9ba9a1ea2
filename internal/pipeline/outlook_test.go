package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/predict"
	"breakwater/internal/store"
	"breakwater/internal/window"
)

// foretelling is a server that predicts, and what it tells of predictions, in short.
func foretelling(t *testing.T, db *store.Store) (*Server, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var told []string
	s := newServer(t, db)
	s.Outlook = &Outlook{Predictor: predict.Builtin, Publish: func(e store.PredictionEvent) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprintf("%s %s v%d %s", e.What, e.Current, e.Version, e.Status))
	}}
	return s, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(told)
	}
}

func show(technique string, after time.Duration) breakwater.Batch {
	at := t0.Add(after)
	return breakwater.Batch{FacilityID: "north", Windows: []breakwater.Window{{FacilityID: "north", Time: at.Truncate(time.Second)}}, Detections: []breakwater.Detection{
		{FacilityID: "north", Time: at, Layer: 1, Model: "rule-" + technique, Asset: "10.0.0.11", Severity: breakwater.High, Confidence: .9, Technique: technique, Title: "x", Evidence: "x", Count: 1}}}
}

// A batch whose alerts were saved, but whose meaning for predictions was not, is taken in when it comes again.
func TestPredictsAfterAFailure(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	s, told := foretelling(t, db)
	alone := newServer(t, db) // saves alerts and goes no further, as one that is killed there
	if err := alone.Receive(t.Context(), show("T0846", 0)); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	s.Publish = func(*breakwater.Alert, bool) { cancel() } // the database goes away after the alerts are durable
	if err := s.Receive(gone, show("T0846", 0)); breakwater.KindOf(err) != breakwater.Unavailable || len(told()) != 0 {
		t.Fatalf("%v, told %v", err, told())
	}
	s.Publish = func(*breakwater.Alert, bool) {}
	for range 2 {
		if err := s.Receive(t.Context(), show("T0846", 0)); err != nil {
			t.Fatal(err)
		}
	}
	if got := told(); !slices.Equal(got, []string{"created T0846 v1 open"}) {
		t.Errorf("%v", got)
	}
}

// Data time alone ends a prediction, in windows as in detections, and a server that was restarted knows when.
func TestExpiresByDataTime(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	s, told := foretelling(t, db)
	if err := s.Receive(t.Context(), show("T0846", 0)); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		after   time.Duration
		restart bool
		told    int
	}{{time.Hour, false, 1}, {6 * 24 * time.Hour, true, 1}, {7*24*time.Hour - 2*time.Second, false, 1}, {7 * 24 * time.Hour, false, 2}, {8 * 24 * time.Hour, true, 2}} {
		if c.restart {
			s.facilities = sync.Map{}
			s.Context = window.NewMemory()
		}
		b := breakwater.Batch{FacilityID: "north", Windows: []breakwater.Window{{FacilityID: "north", Time: t0.Add(c.after)}}}
		if err := s.Receive(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if got := told(); len(got) != c.told {
			t.Errorf("%d, after %v: %v", i, c.after, got)
		}
	}
	if got := told(); got[1] != "expired T0846 v2 expired" {
		t.Errorf("%v", got)
	}
}

// A technique of ATT&CK's other matrices says nothing, and stands in nobody's way.
func TestForeignTechnique(t *testing.T) {
	t.Parallel()
	s, told := foretelling(t, newStore(t))
	for i, technique := range []string{"T1059", "bad", "T0846", "T1566.001"} {
		if err := s.Receive(t.Context(), show(technique, time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if got := told(); !slices.Equal(got, []string{"created T0846 v1 open"}) {
		t.Errorf("%v", got)
	}
	page, err := s.Store.Predictions(t.Context(), store.PredictionFilter{Page: 1, Limit: 1})
	if err != nil || !slices.Equal(page.Predictions[0].Seen, []string{"T1059", "T0846"}) || len(page.Predictions[0].Predicted) != predicted {
		t.Errorf("%+v, %v", page.Predictions, err)
	}
}

// BenchmarkPrediction is one prediction whole: what an alert shows is new, what comes next is ranked and saved.
func BenchmarkPrediction(b *testing.B) {
	db, err := store.Open(b.Context(), "sqlite://"+b.TempDir()+"/breakwater.db")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	s := &Server{Store: db, Context: window.NewMemory(), Publish: func(*breakwater.Alert, bool) {}, Outlook: &Outlook{Predictor: predict.Builtin, Publish: func(store.PredictionEvent) {}}}
	predict.Builtin()
	var id breakwater.ID
	n := 0
	for b.Loop() {
		b.StopTimer() // the alert is there before
		batch := show("T0846", time.Duration(n)*8*24*time.Hour)
		n++
		touched, err := db.SaveBatch(b.Context(), batch, nil)
		if err != nil {
			b.Fatal(err)
		}
		id = touched[0].ID
		b.StartTimer()
		if err := s.Observe(b.Context(), "north", []breakwater.Sighting{{Technique: "T0846", Time: batch.Detections[0].Time, Alert: id}}); err != nil {
			b.Fatal(err)
		}
	}
}
