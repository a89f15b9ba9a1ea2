package simulate

import (
	"context"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/detect"
	"breakwater/internal/fl"
	"breakwater/internal/ml"
	"breakwater/internal/plant"
	"breakwater/internal/store"
)

// What facilities make of shared parameters is quiet also where they had but seven minutes to set a threshold by, and finds
// a scan all the same: it says hardly anything of the hours after, and nothing of what it was made of.
func TestSharedModelsAreQuiet(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), "sqlite://:memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const learned, hours = 7 * 60, 4
	ended := make(chan *breakwater.Round, 1)
	c := &fl.Coordinator{Store: db, Settings: fl.Usual(), Publish: func(r *breakwater.Round) {
		if r.Status != breakwater.RoundInProgress {
			ended <- r
		}
	}}
	models, lived := map[string]*ml.Model{}, map[string][]breakwater.Window{}
	for _, f := range plant.Demo {
		windows, _, err := record(plant.Options{Facility: f.ID, Seed: f.Seed, Duration: hours * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		lived[f.ID] = windows
		own := fl.Marked(windows[:learned], nil, nil)
		if err := c.Join(fl.Client{ID: f.ID, FacilityID: f.ID, Data: func(context.Context) (fl.Data, error) { return own, nil },
			Install: func(_ context.Context, r fl.Release) error { models[f.ID] = r.Model; return nil }}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- c.Run(ctx) }()
	if _, err := c.Trigger(ctx); err != nil {
		t.Fatal(err)
	}
	r := <-ended
	stop()
	if err := <-over; err != nil || r.Status != breakwater.RoundCompleted || len(models) != len(plant.Demo) {
		t.Fatalf("%+v, %d models, %v", r, len(models), err)
	}
	alerts := 0
	for _, f := range plant.Demo {
		said := says(models[f.ID], lived[f.ID])
		for i, at := range said {
			if i == 0 || at.Sub(said[i-1]) > breakwater.CorrelationSpan {
				alerts++
			}
		}
		if len(said) > 0 && said[0].Before(lived[f.ID][learned].Time) {
			t.Errorf("%s: the model speaks of what it was made of, at %s", f.ID, said[0])
		}
		scanned, _, err := record(plant.Options{Facility: f.ID, Seed: f.Seed + 1, Duration: 10 * time.Minute, Attacks: []plant.Attack{{Kind: plant.PortScan, At: 9 * time.Minute}}})
		if err != nil {
			t.Fatal(err)
		}
		if said := says(models[f.ID], scanned); len(said) == 0 || said[len(said)-1].Before(scanned[9*60].Time) {
			t.Errorf("%s: the model does not speak of a scan", f.ID)
		}
	}
	t.Logf("%d alerts in %d ordinary hours at each of %d plants", alerts, hours, len(plant.Demo))
	if alerts > 2 {
		t.Errorf("models of seven minutes raise %d alerts in %d ordinary hours at each of %d plants", alerts, hours, len(plant.Demo))
	}
}

// says is when a model speaks of windows.
func says(m *ml.Model, windows []breakwater.Window) (at []time.Time) {
	e := detect.New("plant", nil, detect.NewBaseline())
	e.SetModels([]*ml.Model{m})
	for i := range windows {
		e.Window(&windows[i])
		for _, d := range e.Drain() {
			at = append(at, d.Time)
		}
	}
	return at
}
