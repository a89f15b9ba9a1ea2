package ml

import (
	"math"
	"testing"

	"breakwater"
)

// Hand cases of the paper's formulas.
func TestForestFormula(t *testing.T) {
	t.Parallel()
	// c(n) by equation 1 with H(i) = ln(i) + γ; c(256) = 10.24 is often quoted.
	for n, want := range map[int]float64{0: 0, 1: 0, 2: 1, 3: 1.2073925, 10: 3.7488806, 256: 10.2447709} {
		if got := usualPath(n); math.Abs(got-want) > 1e-6 {
			t.Errorf("c(%d) = %v, want %v", n, got, want)
		}
	}
	// Two vectors make every tree a single cut between them: each path is 1, c(2) is 1, s is 2^-1.
	d := Data{Names: []string{"x"}, Validation: [][]float64{{0}, {0}, {1}, {1}}}
	for range 8 {
		d.Train = append(d.Train, []float64{0}, []float64{1})
	}
	m, err := TrainForest(d, ForestSettings{Sample: 2, Trees: 500})
	if err != nil {
		t.Fatal(err)
	}
	f := m.core.(*forest)
	// A sample of twice the same vector cannot be cut: its path is c(2) = 1 too.
	if got := m.Scorer().Score([]float64{0}); got != 0.5 {
		t.Errorf("s = %v, want 0.5", got)
	}
	if f.sample != 2 || len(f.trees) != 500 {
		t.Errorf("%d trees of %d", len(f.trees), f.sample)
	}
	// A tree of one leaf at depth 0 with 256 vectors: path c(256), and s = 2^-1 whatever x is.
	whole := &forest{dimensions: 1, sample: 256, trees: []int{1}, nodes: []node{{feature: -1, value: float32(usualPath(256))}}}
	if got := whole.score([]float32{7}, nil, nil); math.Abs(got-0.5) > 1e-6 {
		t.Errorf("s = %v, want 0.5", got)
	}
	// By hand: x < 1 is a leaf at depth 1 alone, the rest one at depth 1 with 3 vectors.
	hand := &forest{dimensions: 1, sample: 4, trees: []int{3}, nodes: []node{
		{feature: 0, value: 1, right: 2}, {feature: -1, value: 1}, {feature: -1, value: float32(1 + usualPath(3))},
	}}
	if err := hand.check(); err != nil {
		t.Fatal(err)
	}
	c4 := 2*(math.Log(3)+0.5772156649) - 2*3.0/4
	for x, path := range map[float32]float64{0: 1, 1: 1 + usualPath(3), 2: 1 + usualPath(3)} {
		if got, want := hand.score([]float32{x}, nil, nil), math.Pow(2, -path/c4); math.Abs(got-want) > 1e-6 {
			t.Errorf("s(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestForestGrows(t *testing.T) {
	t.Parallel()
	d := Data{Names: names, Train: wave(1000, 1), Validation: wave(100, 2)}
	m, err := TrainForest(d, ForestSettings{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := m.core.(*forest)
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	first := 0
	for i, size := range f.trees {
		tree := f.nodes[first : first+size]
		first += size
		var depth func(at, d int) int
		depth = func(at, d int) int {
			if tree[at].feature < 0 {
				return d
			}
			return max(depth(at+1, d+1), depth(int(tree[at].right), d+1))
		}
		if got := depth(0, 0); got > 8 || got < 5 {
			t.Errorf("tree %d is %d high; the limit is log2(256)", i, got)
		}
	}
	if len(f.trees) != 100 || f.sample != 256 {
		t.Errorf("%d trees of %d", len(f.trees), f.sample)
	}
	other, err := TrainForest(d, ForestSettings{Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	if string(other.Encode()) == string(m.Encode()) {
		t.Error("another seed gave the same forest")
	}
	// Data that never varies cannot be cut, and is usual.
	for i := range d.Train {
		d.Train[i] = []float64{1, 2, 3, 4}
	}
	flat, err := TrainForest(d, ForestSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if got := flat.Scorer().Score([]float64{1, 2, 3, 4}); math.Abs(got-0.5) > 1e-6 {
		t.Errorf("without variation s = %v, want 0.5", got)
	}
}

func TestForestCheck(t *testing.T) {
	t.Parallel()
	leaf := node{feature: -1, value: 1}
	for name, f := range map[string]*forest{
		"no tree":             {dimensions: 1, sample: 2},
		"empty tree":          {dimensions: 1, sample: 2, trees: []int{0}},
		"more than there is":  {dimensions: 1, sample: 2, trees: []int{3}, nodes: []node{leaf}},
		"less than there is":  {dimensions: 1, sample: 2, trees: []int{1}, nodes: []node{leaf, leaf}},
		"left outside":        {dimensions: 1, sample: 2, trees: []int{1}, nodes: []node{{feature: 0}}},
		"right outside":       {dimensions: 1, sample: 2, trees: []int{3}, nodes: []node{{feature: 0, right: 3}, leaf, leaf}},
		"right is left":       {dimensions: 1, sample: 2, trees: []int{3}, nodes: []node{{feature: 0, right: 1}, leaf, leaf}},
		"a circle":            {dimensions: 1, sample: 2, trees: []int{3}, nodes: []node{{feature: 0, right: 0}, leaf, leaf}},
		"feature outside":     {dimensions: 1, sample: 2, trees: []int{3}, nodes: []node{{feature: 1, right: 2}, leaf, leaf}},
		"no sample":           {dimensions: 1, trees: []int{1}, nodes: []node{leaf}},
		"sizes that overflow": {dimensions: 1, sample: 2, trees: []int{math.MaxInt, math.MaxInt}, nodes: []node{leaf}},
	} {
		if err := f.check(); breakwater.KindOf(err) != breakwater.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
