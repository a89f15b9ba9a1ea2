package fl

import (
	"math/rand/v2"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/ml"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
)

// Facilities whose windows are in the store take part by themselves, detect with what is published, and learn from their own
// alerts what an attack looks like, but not from those that somebody has called false positives.
func TestFacilities(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := open(t, storetest.URL(t))
	began := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	alerts := map[string]breakwater.ID{}
	for i, name := range []string{"north", "south", "young"} {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		seconds := 600
		if name == "young" {
			seconds = 100
		}
		b := breakwater.Batch{FacilityID: name}
		for n := range seconds {
			busy := 40 + 5*random.NormFloat64()
			b.Windows = append(b.Windows, breakwater.Window{FacilityID: name, Time: began.Add(time.Duration(n) * time.Second), PacketsPerSec: busy, BytesPerSec: 90 * busy,
				UniqueSrcIPs: 4, UniqueDestIPs: 4, ProtocolMix: 0.5, AvgPacketSize: 90, InterArrivalMS: 1000 / busy})
		}
		detected := func(second int, severity breakwater.Severity, model, asset string) {
			b.Detections = append(b.Detections, breakwater.Detection{Time: began.Add(time.Duration(second) * time.Second), FacilityID: name, Asset: asset, Layer: 1, Model: model,
				Severity: severity, Confidence: 0.9, Title: "An attack", Evidence: "It was seen.", Count: 1})
		}
		if name == "north" {
			detected(300, breakwater.High, "port-scan", "10.0.0.1")
			detected(305, breakwater.High, "port-scan", "10.0.0.1")
			detected(400, breakwater.High, "autoencoder", "10.0.0.2") // a model does not teach itself
			detected(450, breakwater.Low, "new-address", "10.0.0.3")
		}
		touched, err := s.SaveBatch(ctx, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range touched {
			alerts[a.Asset] = a.ID
		}
	}
	counts := func() (marks [3]int) {
		d, err := stored(ctx, s, "north")
		if err != nil || len(d.Rows) != 600 {
			t.Fatalf("%d rows, %v", len(d.Rows), err)
		}
		for _, m := range d.Marks {
			marks[m]++
		}
		return marks
	}
	if got := counts(); got[Attack] != 2 || got[Doubted] != 4+1 { // 300 to 305, but for those two, and 400
		t.Errorf("marks %v", got)
	}
	c := &Coordinator{Store: s, Settings: Usual(), Facilities: true}
	running(t, c)
	r, err := c.Trigger(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r = ended(t, s, r.ID); r.Status != breakwater.RoundCompleted || r.TotalClients != 2 {
		t.Fatalf("%+v", r)
	}
	for name, want := range map[string]int{"north": 1, "south": 1, "young": 0} {
		models, err := s.ActiveModels(ctx, name)
		if err != nil || len(models) != want {
			t.Fatalf("%s has %d models, %v", name, len(models), err)
		}
		for _, m := range models {
			_, file, err := s.ModelFile(ctx, m.Version)
			if err != nil {
				t.Fatal(err)
			}
			own, err := ml.Decode(file)
			if err != nil || m.Source != breakwater.Federated || m.RoundID == nil || *m.RoundID != r.ID || own.Kind() != ml.Autoencoder || own.Dimensions() != 48 {
				t.Errorf("%s: %+v, %v", name, m, err)
			}
		}
	}
	if _, _, err := s.ChangeAlert(ctx, alerts["10.0.0.1"], store.AlertChange{By: "somebody", At: began, Status: breakwater.StatusFalsePositive}); err != nil {
		t.Fatal(err)
	}
	if got := counts(); got[Attack] != 0 {
		t.Errorf("marks after the alert was called a false positive: %v", got)
	}
	// A client that stands at the facility trains in this one's place.
	if err := s.SaveMember(ctx, store.Member{ID: "north", FacilityID: "north", Name: "north", Examples: 10}, time.Now()); err != nil {
		t.Fatal(err)
	}
	there, err := (&round{Coordinator: c, run: &store.Run{}}).there(ctx)
	if err != nil || len(there) != 2 || !there[0].Remote || there[1].Remote {
		t.Errorf("%+v, %v", there, err)
	}
}
