package pipeline

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/detect"
	"breakwater/internal/ml"

	"github.com/google/go-cmp/cmp"
)

// watched is a server whose facility north has sent n seconds of ordinary traffic.
func watched(t *testing.T, n int) *Server {
	t.Helper()
	s := newServer(t, newStore(t))
	random := rand.New(rand.NewPCG(1, 1))
	b := breakwater.Batch{FacilityID: "north"}
	for i := range n {
		packets := 40 + float64(random.IntN(5))
		b.Windows = append(b.Windows, breakwater.Window{FacilityID: "north", Time: t0.Truncate(time.Second).Add(time.Duration(i) * time.Second),
			PacketsPerSec: packets, BytesPerSec: 68 * packets, UniqueSrcIPs: 4, UniqueDestIPs: 4 + random.IntN(2), AvgPacketSize: 68, InterArrivalMS: 1000 / packets})
	}
	if err := s.Receive(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s
}

// A sensor in this process begins with the active models and follows what becomes active while it runs.
func TestModelsAtWork(t *testing.T) {
	t.Parallel()
	s := watched(t, 2000)
	ctx := t.Context()
	epochs := map[ml.Kind]int{}
	kept, err := s.Train(ctx, Training{FacilityID: "north", Now: t0, Epoch: func(kind ml.Kind, _ ml.Epoch) { epochs[kind]++ }})
	if err != nil || len(kept) != 2 || len(epochs) != 1 || epochs[ml.Autoencoder] == 0 {
		t.Fatalf("%+v, %v, epochs %v", kept, err, epochs)
	}
	if again, err := s.Train(ctx, Training{FacilityID: "north", Now: t0.Add(time.Hour)}); err != nil || cmp.Diff(kept, again) != "" {
		t.Errorf("trained again on the same: %+v, %v", again, err)
	}
	sensor, err := s.Sensor(ctx, "north", 0)
	if err != nil || len(sensor.Models) != 2 {
		t.Fatalf("it begins with %d models, %v", len(sensor.Models), err)
	}
	if other, err := s.Sensor(ctx, "south", 0); err != nil || len(other.Models) != 0 {
		t.Errorf("another facility begins with %d models, %v", len(other.Models), err)
	}

	// asked gives what the sensor is told within so many seconds.
	asked := func(seconds int) (models []*ml.Model) {
		for range seconds {
			if setup := sensor.Changed(); setup != nil {
				models = append(models, setup.Models...)
			}
		}
		return models
	}
	if got := asked(2 * modelsEvery); len(got) != 0 {
		t.Errorf("nothing changed, and it is told of %d models", len(got))
	}
	newer, err := s.Train(ctx, Training{FacilityID: "north", Kinds: []ml.Kind{ml.IsolationForest}, To: t0.Add(1900 * time.Second), Now: t0})
	if err != nil || newer[0].Version == kept[0].Version {
		t.Fatalf("%+v, %v", newer, err)
	}
	first := asked(modelsEvery)
	if len(first) != 1 || first[0].Kind() != ml.IsolationForest {
		t.Fatalf("after a training it is told of %d models", len(first))
	}
	if _, _, err := s.Store.ActivateModel(ctx, kept[0].Version); err != nil {
		t.Fatal(err)
	}
	if back := asked(modelsEvery); len(back) != 1 || back[0].Origin == first[0].Origin {
		t.Errorf("after a rollback it is told of %d models", len(back))
	}
	// What an analyst taught comes the same way, on whichever node that was.
	taught, err := json.Marshal(detect.NewBaseline())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.SaveBaseline(ctx, "north", taught, 0); err != nil {
		t.Fatal(err)
	}
	var learned []*detect.Baseline
	for range 2 * modelsEvery {
		if setup := sensor.Changed(); setup != nil && setup.Baseline != nil {
			learned = append(learned, setup.Baseline)
		}
	}
	if len(learned) != 1 {
		t.Errorf("after something was taught it is given %d baselines", len(learned))
	}
	// Whoever trains anew wants the model, even the one that was rolled back.
	if again, err := s.Train(ctx, Training{FacilityID: "north", Kinds: []ml.Kind{ml.IsolationForest}, To: t0.Add(1900 * time.Second), Now: t0}); err != nil || !again[0].Active || again[0].Version != newer[0].Version {
		t.Errorf("trained again after the rollback: %+v, %v", again, err)
	}

	// A file that this program cannot read stops a start, with what to do; a sensor that runs goes on with what it has.
	if _, _, err := s.Store.SaveModel(ctx, breakwater.ModelVersion{FacilityID: "north", Kind: "autoencoder", Source: breakwater.Federated, CreatedAt: t0}, []byte("BWMODEL\x09")); err != nil {
		t.Fatal(err)
	}
	if got := asked(modelsEvery); len(got) != 1 || got[0].Kind() != ml.IsolationForest {
		t.Errorf("beside one that cannot be read it is told of %d models", len(got))
	}
	if got := asked(modelsEvery); len(got) != 0 {
		t.Errorf("it is told of %d models that cannot be read", len(got))
	}
	if _, err := s.Sensor(ctx, "north", 0); breakwater.KindOf(err) != breakwater.Internal {
		t.Errorf("a start with a model that cannot be read: %v", err)
	}
}

func TestTrainRefused(t *testing.T) {
	t.Parallel()
	s := watched(t, 100)
	if _, err := s.Train(t.Context(), Training{FacilityID: "north", Now: t0}); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("too little: %v", err)
	}
	if _, err := s.Train(t.Context(), Training{FacilityID: "nowhere", Now: t0}); breakwater.KindOf(err) != breakwater.NotFound {
		t.Errorf("no facility: %v", err)
	}
	if models, err := s.Store.ActiveModels(t.Context(), "north"); err != nil || len(models) != 0 {
		t.Errorf("it left %d models, %v", len(models), err)
	}
}
