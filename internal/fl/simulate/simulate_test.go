package simulate

import (
	"os"
	"testing"

	"breakwater"
	"breakwater/internal/fl"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Two facilities of SKAB together find as much as one that had the data of both.
func TestSkab(t *testing.T) {
	t.Parallel()
	const dir = "../../../../shared/data/process/skab"
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the data set is not here: %s", err)
	}
	r, err := Run(t.Context(), Options{Clients: 2, Rounds: 20, Skab: dir, Settings: fl.Usual(), Seed: 1, Alone: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := r.Rounds[len(r.Rounds)-1]
	t.Logf("F1 untrained %.3f, federated %.3f, at one place %.3f, alone %.3f and %.3f", r.Untrained.F1, last.F1, r.Together.F1, r.Alone[0].F1, r.Alone[1].F1)
	if last.F1 < 0.95*r.Together.F1 || last.FPR > r.Untrained.FPR {
		t.Errorf("federated F1 %.3f at %.3f false positives; at one place %.3f; untrained %.3f at %.3f", last.F1, last.FPR, r.Together.F1, r.Untrained.F1, r.Untrained.FPR)
	}
	if _, err := Run(t.Context(), Options{Clients: 3, Rounds: 1, Skab: dir, Settings: fl.Usual()}, nil); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("three clients of two valves: %v", err)
	}
	if _, err := Run(t.Context(), Options{Clients: 2, Rounds: 1, Skab: t.TempDir(), Settings: fl.Usual()}, nil); breakwater.KindOf(err) != breakwater.NotFound {
		t.Errorf("an empty folder: %v", err)
	}
}

// What one plant learns of an attack, others that never saw it find after the next rounds: more than they do where that plant
// saw it, too, but did not learn from it. And the same seed gives the same figures.
func TestAttackedPlant(t *testing.T) {
	t.Parallel()
	run := func(control bool) Result {
		r, err := Run(t.Context(), Options{Clients: 5, Rounds: 7, Settings: fl.Usual(), Seed: 1, Attacked: 6, Attack: "unauthorised-write", Control: control, Alone: control}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	learned, control := run(false), run(true)
	same := cmpopts.IgnoreFields(Round{}, "Seconds", "CPU")
	if diff := cmp.Diff(learned.Rounds[:5], control.Rounds[:5], same); diff != "" {
		t.Errorf("before the attack two runs differ:\n%s", diff)
	}
	before, after, without := *learned.Rounds[4].Elsewhere, *learned.Rounds[6].Elsewhere, *control.Rounds[6].Elsewhere
	t.Logf("recall elsewhere %.3f before the attack, %.3f two rounds later; where it is not learned from %.3f", before, after, without)
	if after < before+0.1 || after < without+0.1 {
		t.Error("others do not gain by the attack")
	}
	if usual := learned.Rounds[6].FPR; usual > learned.Rounds[4].FPR+0.01 {
		t.Errorf("false positives grew from %.3f to %.3f", learned.Rounds[4].FPR, usual)
	}
	for _, r := range learned.Rounds {
		if !r.Published || r.Clients != 5 || r.Down != float64(2*(16+learned.Parameters)) || r.Up < float64(16+learned.Parameters) || r.Up > float64(16+learned.Parameters+400) {
			t.Errorf("%+v", r)
		}
	}
	if len(control.Alone) != 5 || control.Rounds[6].F1 < 0.9*control.Together.F1 {
		t.Errorf("federated F1 %.3f, at one place %.3f", control.Rounds[6].F1, control.Together.F1)
	}
	if _, err := Run(t.Context(), Options{Clients: 1, Rounds: 1, Settings: fl.Usual(), Attacked: 1, Attack: "rain"}, nil); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("an attack that is none: %v", err)
	}
	if _, err := Run(t.Context(), Options{Clients: 0, Rounds: 1}, nil); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("no clients: %v", err)
	}
}
