package eval

import (
	"os"
	"testing"
)

const lemayDir = "../../../shared/data/labelled/lemay"

func TestLemay(t *testing.T) {
	if _, err := os.Stat(lemayDir); err != nil {
		t.Skipf("the labelled captures are not here: %s", err)
	}
	report, err := Lemay(lemayDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("learned on the first %s of %s\n%s", lemayClean, lemayLearned, report)
	for _, f := range report.Files {
		if len(f.Bursts) == 0 {
			t.Errorf("%s has no labelled burst", f.Name)
		}
		for _, b := range f.Bursts {
			if !b.Covered {
				t.Errorf("%s: no alert covers the burst of %d packets from %s to %s", f.Name, b.Packets, clock(b.First), clock(b.Last))
			}
		}
		if len(f.FalseAlerts) > 1 {
			t.Errorf("%s: %d false alerts, at most one is allowed", f.Name, len(f.FalseAlerts))
		}
	}
}
