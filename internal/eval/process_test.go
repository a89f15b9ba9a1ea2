package eval

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

// The process data sets, each beside its trivial answer. Figures are printed; what is asserted leaves room.
func TestProcessSets(t *testing.T) {
	t.Parallel()
	for _, set := range []struct {
		name  string
		run   func(string, Progress) (*Table, error)
		least map[string]float64 // F1
	}{
		{"batadal", Batadal, map[string]float64{"pca": 0.70, "autoencoder": 0.75}},
		{"skab", Skab, map[string]float64{"pca-lagged": 0.75, "autoencoder": 0.72}},
		{"tep", Tep, map[string]float64{"pca": 0.75, "pca-lagged": 0.85, "autoencoder": 0.85}},
	} {
		t.Run(set.name, func(t *testing.T) {
			t.Parallel()
			dir := "../../../shared/data/process/" + set.name
			if _, err := os.Stat(dir); err != nil {
				t.Skipf("the data set is not here: %s", err)
			}
			most := 0
			table, err := set.run(dir, func(done, of int) {
				if most = max(most, of); done < 1 || done > of {
					t.Errorf("told of %d of %d models", done, of)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("\n%s", table)
			if most == 0 {
				t.Error("nothing was told of it as it went on")
			}
			always := table.Results[0]
			if always.Detector != "always-alarm" || always.Recall() != 1 || always.FalsePositiveRate() != 1 || always.EventsSeen != always.Events {
				t.Errorf("the first answer is not the trivial one: %+v", always)
			}
			for _, r := range table.Results[1:] {
				if least := set.least[r.Detector]; r.F1() < least {
					t.Errorf("%s: F1 %.3f, under %.2f", r.Detector, r.F1(), least)
				}
				if r.Events != always.Events || r.TruePositive+r.FalseNegative != always.TruePositive {
					t.Errorf("%s is scored on other rows: %+v", r.Detector, r)
				}
			}
			if set.name == "batadal" && (always.Challenge != 0.75 || table.Results[3].Challenge < 0.85) {
				t.Errorf("S is %.3f for always, %.3f for the autoencoder", always.Challenge, table.Results[3].Challenge)
			}
		})
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	bits := func(s string) (out []bool) {
		for _, c := range s {
			out = append(out, c == '1')
		}
		return out
	}
	for _, test := range []struct {
		name, labelled, said string
		want                 Result
	}{
		{"nothing said", "0110", "0000", Result{Score: Score{0, 0, 2, 2}, Events: 1, Challenge: 0.25}},
		{"all said", "0110", "1111", Result{Score: Score{2, 2, 0, 0}, Events: 1, EventsSeen: 1, Challenge: 0.75}},
		{"exact", "011001", "011001", Result{Score: Score{3, 0, 3, 0}, Events: 2, EventsSeen: 2, Challenge: 1}},
		{"late", "01111000", "00011000", Result{Score: Score{2, 0, 4, 2}, Events: 1, EventsSeen: 1, Delay: 2 * time.Minute, Challenge: (0.5 + 0.75) / 2}},
		{"false alarms are stretches", "00000011", "11010110", Result{Score: Score{1, 4, 2, 1}, Events: 1, EventsSeen: 1, FalseAlarms: 2, Challenge: (1 + (0.5+1.0/3)/2) / 2}},
		{"one seen, one not", "1100110", "0100000", Result{Score: Score{1, 0, 3, 3}, Events: 2, EventsSeen: 1, Delay: time.Minute, Challenge: (0.25 + (0.25+1)/2) / 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got Result
			got.count(series{labelled: bits(test.labelled)}, bits(test.said), time.Minute)
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	// Over several series, delays are averaged over the events seen.
	var r Result
	r.count(series{labelled: bits("111")}, bits("001"), time.Minute)
	r.count(series{labelled: bits("10101")}, bits("10100"), time.Minute)
	if r.Events != 4 || r.EventsSeen != 3 || r.Delay != 2*time.Minute/3 {
		t.Errorf("%d of %d events after %s", r.EventsSeen, r.Events, r.Delay)
	}
}

func TestTableJSON(t *testing.T) {
	t.Parallel()
	silent := Result{Dataset: "skab", Detector: "silent"}
	silent.count(series{labelled: []bool{true, false}}, []bool{false, false}, time.Second)
	good := Result{Dataset: "skab", Detector: "good"}
	good.count(series{labelled: []bool{false, true, true}}, []bool{false, false, true}, time.Second)
	got, err := json.Marshal(&Table{Results: []Result{silent, good}})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"dataset":"skab","detector":"silent","precision":null,"recall":0,"f1":0,"fpr":0,"events_detected":0,"events_total":1,"delay_seconds":null},` +
		`{"dataset":"skab","detector":"good","precision":1,"recall":0.5,"f1":0.6666666666666666,"fpr":0,"events_detected":1,"events_total":1,"delay_seconds":1}]`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if text := (&Table{Results: []Result{silent}, Step: time.Second}).String(); !strings.Contains(text, "silent") || !strings.Contains(text, "0/1") {
		t.Errorf("%s", text)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadTable(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	same := cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })
	s, err := readTable(write(t, "a.csv", "time; a; b ;anomaly;changepoint\n0;1;2;0.0;1\n1;x;;1.0;0\n2;3;-4e9;-999;\n"), ';', "anomaly")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]float64{{1, 2}, {nan, nan}, {3, -4e9}}, s.rows, same); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]bool{false, true, false}, s.labelled); diff != "" || strings.Join(s.columns, " ") != "a b" {
		t.Error(diff, s.columns)
	}
	if s, err = readTable(write(t, "b.csv", "time,a\n0,1\n"), ',', "anomaly"); err != nil || s.labelled != nil || len(s.rows) != 1 {
		t.Errorf("without labels: %v, %+v", err, s)
	}
	for name, text := range map[string]string{"empty": "", "ragged": "time,a,b\n0,1\n", "quotes": "time,a\n0,\"1\n"} {
		if _, err := readTable(write(t, "c.csv", text), ',', "anomaly"); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readTable("testdata/none.csv", ',', "anomaly"); breakwater.KindOf(err) != breakwater.NotFound {
		t.Errorf("no file: %v", err)
	}
}

func TestReadNumbers(t *testing.T) {
	t.Parallel()
	rows, err := readNumbers(write(t, "a.dat", "  1.0  2e1\n\n-3 4\n"))
	if err != nil || cmp.Diff([][]float64{{1, 20}, {-3, 4}}, rows) != "" {
		t.Errorf("%v, %v", rows, err)
	}
	for name, text := range map[string]string{"empty": "\n", "word": "1 x\n", "ragged": "1 2\n3\n", "long line": strings.Repeat("1 ", 1<<20)} {
		if _, err := readNumbers(write(t, "b.dat", text)); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Folders without the files, or with others under their names, are told so.
func TestWrongFolders(t *testing.T) {
	t.Parallel()
	folder := func(name, text string) string { return filepath.Dir(write(t, name, text)) }
	for name, test := range map[string]struct {
		run  func(string, Progress) (*Table, error)
		dir  string
		kind breakwater.ErrorKind
	}{
		"batadal, empty":        {Batadal, t.TempDir(), breakwater.NotFound},
		"batadal, no attack":    {Batadal, folder("dataset03.csv", "t,a,ATT_FLAG\n0,1,0\n"), breakwater.NotFound},
		"skab, empty":           {Skab, t.TempDir(), breakwater.NotFound},
		"skab, short":           {Skab, folder("a.csv", "t;a;anomaly\n0;1;0\n"), breakwater.Invalid},
		"tep, empty":            {Tep, t.TempDir(), breakwater.NotFound},
		"tep, no test":          {Tep, folder("d00.dat", "1 2\n"), breakwater.NotFound},
		"batadal, not a folder": {Batadal, write(t, "file", ""), breakwater.Unavailable},
	} {
		if _, err := test.run(test.dir, nil); breakwater.KindOf(err) != test.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}
