package eval

import (
	"fmt"
	"path/filepath"
	"time"

	"breakwater"
	"breakwater/internal/ml"
)

// skabLearned is SKAB's protocol: so many rows of each file, without an anomaly, are to learn from; the rest is tested.
const skabLearned = 400

// Skab scores the files of SKAB v0.9 in dir, and in folders there (Katser and Kozitsin 2020): a pump loop at 1 Hz, where valves are closed and
// the like. Each file is learned by itself. Files without labels are left out.
func Skab(dir string, told Progress) (*Table, error) {
	var files []string
	for _, pattern := range []string{"*.csv", "*/*.csv"} {
		some, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, some...)
	}
	var trials []trial
	for _, path := range files {
		s, err := readTable(path, ';', "anomaly")
		if err != nil {
			return nil, err
		}
		if len(s.labelled) == 0 {
			continue
		}
		if len(s.rows) <= skabLearned {
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: fmt.Sprintf("%s has %d rows; the first %d are to learn from", path, len(s.rows), skabLearned)}
		}
		learn := s.rows[:skabLearned]
		s.rows, s.labelled = s.rows[skabLearned:], s.labelled[skabLearned:]
		trials = append(trials, trial{learn, []series{s}})
	}
	if len(trials) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Message: dir + " holds no *.csv with a column anomaly"}
	}
	table := &Table{Step: time.Second, told: told}
	return table, table.add("skab", trials, skabRecipes)
}

// Five seconds of context bring most (PCA: F1 0.44 for single rows, 0.79 with it), a mean of scores over ten a little. A
// file's 400 rows are too few for an autoencoder, and what follows them drifts: half of the harmless seconds are over its
// threshold, whatever its width and noise.
var skabRecipes = []recipe{
	{name: "pca", train: pca(0)},
	{name: "pca-lagged", smooth: 10, context: skabContext, train: pca(0)},
	{name: "isolation-forest", smooth: 10, train: forest},
	{name: "autoencoder", smooth: 10, context: skabContext, train: autoencoder([]int{32, 16, 32}, ml.Training{Epochs: 60, Rate: 3e-3, Batch: 32, Seed: 1, Noise: 0.3})},
}

var skabContext = ml.Context{Blocks: 5, Stride: 1, Summary: ml.Last}
