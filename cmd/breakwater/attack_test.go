package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"breakwater/internal/attack"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

func command(t *testing.T, args ...string) (out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), args, streams{strings.NewReader(""), &stdout, &stderr}); code != exitOK {
		t.Fatalf("breakwater %v: exit code %d: %s", args, code, stderr.String())
	}
	return stdout.String()
}

// What the program brings is what this command makes of MITRE's bundle, byte by byte; and imported into the database it is
// the same with MITRE's texts.
func TestAttackImport(t *testing.T) {
	t.Parallel()
	const shared = "../../../shared/data/attack/"
	if _, err := os.Stat(shared + "ics-attack.json"); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: the sources of the catalogue are not part of the project", shared)
	}
	made := filepath.Join(t.TempDir(), "ics.json")
	command(t, "attack", "import", shared+"ics-attack.json", "--ids", shared+"ics-techniques-19.1.json", "--flows", shared+"attack-flow-edges.json", "--out", made, "--facts")
	got, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../internal/attack/data/ics.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("internal/attack/data/ics.json is not what this command makes of the shared bundle")
	}

	url := storetest.URL(t)
	out := command(t, "attack", "import", shared+"ics-attack.json", "--database-url", url)
	if !strings.Contains(out, "83 of kind technique") || !strings.Contains(out, "next start") {
		t.Errorf("%s", out)
	}
	db, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text, err := db.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := attack.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := c.Lookup("T1692.001"); !ok || o.ID != "T0855" || len(o.Text) < 100 {
		t.Errorf("%+v", o)
	}
}

// The keys that other programs read, and that nothing simpler is better.
func TestAttackEval(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("the evaluation takes seconds, under the race detector minutes")
	}
	if storetest.OnPostgres() {
		t.Skip("it knows no database")
	}
	t.Parallel()
	out := command(t, "attack", "eval", "--json")
	var report map[string][]map[string]any
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report) != 1 || len(report["tasks"]) != 4 {
		t.Fatalf("%v: %s", err, out)
	}
	keys := func(m map[string]any) (all []string) {
		for k := range m {
			all = append(all, k)
		}
		slices.Sort(all)
		return all
	}
	cases := map[string]float64{"hide-one": 232, "later-stages": 92}
	for _, task := range report["tasks"] {
		if diff := cmp.Diff([]string{"baselines", "cases", "exclude", "mrr", "recall_at_10", "recall_at_5", "task"}, keys(task)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if task["cases"] != cases[task["task"].(string)] || task["exclude"] != "incident" && task["exclude"] != "actor" {
			t.Errorf("%v", task)
		}
		baselines := task["baselines"].(map[string]any)
		if diff := cmp.Diff([]string{"co-occurrence", "frequency", "pagerank", "pmi", "tactic-order"}, keys(baselines)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for name, b := range baselines {
			if b := b.(map[string]any); b["recall_at_10"].(float64) > task["recall_at_10"].(float64) || len(b) != 3 {
				t.Errorf("%s: %s has %v, we have %v", task["task"], name, b, task["recall_at_10"])
			}
		}
	}
	table := command(t, "attack", "eval")
	for _, words := range []string{"later-stages, without the actor: 92 cases of 27 profiles", "Breakwater", "pagerank", "mean said"} {
		if !strings.Contains(table, words) {
			t.Errorf("the table lacks %q:\n%s", words, table)
		}
	}
}
