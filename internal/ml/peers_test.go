package ml

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// python is one with scikit-learn: of BREAKWATER_TEST_PYTHON, or where scripts/need-python-peers puts it.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("BREAKWATER_TEST_PYTHON")
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("no folder to look for Python in: %s", err)
		}
		path = filepath.Join(cache, "breakwater", "python-peers", "bin", "python")
	}
	if out, err := exec.Command(path, "-c", "import sklearn").CombinedOutput(); err != nil {
		t.Skipf("no Python with scikit-learn (scripts/need-python-peers installs one): %s %s", err, out)
	}
	return path
}

// Forest, PCA and a training give what scikit-learn gives.
func TestAsScikitLearn(t *testing.T) {
	t.Parallel()
	path := python(t)
	const rate, epochs = 0.01, 50
	d := Data{Names: names, Train: wave(1000, 1), Validation: wave(200, 2)}
	test := wave(300, 3)
	for i := range test { // some farther and farther off
		for j := range test[i] {
			test[i][j] *= 1 + float64(i%10)/10
		}
	}
	scaler := FitScaler(d.Train)
	chunks := func(flat []float32) (rows [][]float32) {
		for ; len(flat) > 0; flat = flat[4:] {
			rows = append(rows, flat[:4])
		}
		return rows
	}
	network, err := NewNetwork(4, []int{6, 2, 6}, 5)
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(map[string]any{
		"train": chunks(scaler.Scale(d.Train)), "test": chunks(scaler.Scale(test)),
		"hidden": []int{6, 2, 6}, "params": network.Params(), "rate": rate, "epochs": epochs,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-W", "ignore", "testdata/peers.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs struct{ Forest, PCA, Params []float64 }
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}

	forest, err := TrainForest(d, ForestSettings{Trees: 1000, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	pca, err := TrainPCA(d, PCASettings{Components: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := network.Train(t.Context(), scaler.Scale(d.Train), scaler.Scale(d.Validation), Training{Epochs: epochs, Rate: rate, Batch: 1000, Patience: -1}); err != nil {
		t.Fatal(err)
	}
	ours := make([]float64, len(network.params))
	for i, p := range network.params {
		ours[i] = float64(p)
	}
	scores := func(m *Model) (all []float64) {
		s := m.Scorer()
		for _, v := range test {
			all = append(all, s.Score(v))
		}
		return all
	}
	for _, c := range []struct {
		name        string
		ours, peers []float64
		off         float64
	}{
		// Two forests of 1000 trees differ by chance: scores then differ with a standard deviation of about 0.005.
		{"isolation forest", scores(forest), theirs.Forest, 0.025},
		{"PCA", scores(pca), theirs.PCA, 1e-4},
		{"parameters after 50 steps of Adam", ours, theirs.Params, 1e-3},
	} {
		if len(c.ours) != len(c.peers) || len(c.ours) == 0 {
			t.Fatalf("%s: %d values, scikit-learn has %d", c.name, len(c.ours), len(c.peers))
		}
		worst, mean := 0.0, 0.0
		for i := range c.ours {
			off := math.Abs(c.ours[i] - c.peers[i])
			worst, mean = max(worst, off), mean+off/float64(len(c.ours))
		}
		t.Logf("%s: %d values, mean difference %.2g, largest %.2g", c.name, len(c.ours), mean, worst)
		if worst > c.off {
			t.Errorf("%s: the largest difference is %g, over %g", c.name, worst, c.off)
		}
	}
}
