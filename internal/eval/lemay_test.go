package eval

import (
	"os"
	"testing"

	"breakwater"
)

const lemayDir = "../../../shared/data/labelled/lemay"

func TestLemay(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(lemayDir); err != nil {
		t.Skipf("the labelled captures are not here: %s", err)
	}
	files, learned, err := lemay(lemayDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(learned) < 260 || len(learned) > 280 {
		t.Errorf("%d seconds were learned from", len(learned))
	}
	for _, f := range files {
		if len(f.bursts) == 0 {
			t.Errorf("%s has no labelled burst", f.name)
		}
		for _, b := range f.bursts {
			if !b.Covered || b.Told == nil {
				t.Errorf("%s: no alert covers the burst of %d packets from %s to %s", f.name, b.Packets, clock(b.First), clock(b.Last))
			}
		}
		if len(f.falseAlerts) > 1 {
			t.Errorf("%s: %d false alerts, at most one is allowed", f.name, len(f.falseAlerts))
		}
	}

	table, err := Lemay(lemayDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("learned on the first %s of %s\n%s", lemayClean, lemayLearned, table)
	packets, seconds := 0, 0
	for _, r := range table.Results {
		switch r.Dataset {
		case "lemay/packets":
			if n := r.TruePositive + r.FalseNegative; packets == 0 {
				packets = n
			} else if n != packets {
				t.Errorf("%s is scored on %d packets of attacks, others on %d", r.Detector, n, packets)
			}
			if r.Events == 0 || r.EventsSeen != r.Events {
				t.Errorf("%s found %d of %d bursts", r.Detector, r.EventsSeen, r.Events)
			}
		case "lemay/seconds":
			if n := r.TruePositive + r.FalseNegative; seconds == 0 {
				seconds = n
			} else if n != seconds {
				t.Errorf("%s is scored on %d seconds of attacks, others on %d", r.Detector, n, seconds)
			}
		}
	}
	if packets == 0 || seconds == 0 || len(table.Results) != 9 {
		t.Errorf("%d results, %d packets, %d seconds", len(table.Results), packets, seconds)
	}
	if _, err := Lemay(t.TempDir(), nil); breakwater.KindOf(err) != breakwater.NotFound {
		t.Errorf("an empty folder: %v", err)
	}
}
