package ml

import (
	"math"
	"math/rand/v2"
	"slices"
)

// forest is the isolation forest of Liu, Ting and Zhou (2008): what is unusual is cut off from the rest by few random
// cuts. Its nodes lie tree after tree, each in preorder: the left child of an inner node follows it.
type forest struct {
	dimensions int
	sample     int   // ψ: vectors that each tree was grown from
	trees      []int // nodes of each tree
	nodes      []node
}

type node struct {
	feature int32   // that is cut; -1 for a leaf
	value   float32 // x < value goes left; for a leaf the path length h(x)
	right   int32   // index within the tree
}

// ForestSettings of zero are those of the paper: 100 trees of 256 vectors.
type ForestSettings struct {
	Trees  int
	Sample int // vectors that each tree is grown from, without replacement
	Seed   uint64
}

// TrainForest grows an isolation forest.
func TrainForest(d Data, s ForestSettings) (*Model, error) {
	scaler, err := d.prepare()
	if err != nil {
		return nil, err
	}
	if s.Trees == 0 {
		s.Trees = 100
	}
	if s.Sample == 0 {
		s.Sample = 256
	}
	s.Sample = min(s.Sample, len(d.Train))
	if s.Trees < 1 || s.Trees > 10_000 || s.Sample < 2 || 6*s.Trees*s.Sample > mostParameters {
		return nil, invalid("trees", "%d trees of %d vectors cannot be grown", s.Trees, s.Sample)
	}
	rows := scaler.Scale(d.Train)
	n := len(scaler.Middle)
	f := &forest{dimensions: n, sample: s.Sample}
	random := rand.New(rand.NewPCG(s.Seed, 0x150))
	g := grower{forest: f, rows: rows, random: random, limit: int(math.Ceil(math.Log2(float64(s.Sample))))}
	all := make([]int, len(d.Train))
	for i := range all {
		all[i] = i
	}
	for range s.Trees {
		for i := range s.Sample { // the first steps of a shuffle
			j := i + random.IntN(len(all)-i)
			all[i], all[j] = all[j], all[i]
		}
		g.root = len(f.nodes)
		g.grow(slices.Clone(all[:s.Sample]), 0)
		f.trees = append(f.trees, len(f.nodes)-g.root)
	}
	return d.assemble(scaler, f)
}

type grower struct {
	*forest
	rows   []float32
	random *rand.Rand
	limit  int // height
	root   int
}

// grow adds the tree of some rows (by index, which it reorders).
func (g *grower) grow(rows []int, depth int) {
	at := len(g.nodes)
	g.nodes = append(g.nodes, node{feature: -1, value: float32(float64(depth) + usualPath(len(rows)))})
	if depth >= g.limit || len(rows) <= 1 {
		return
	}
	// A feature that does not vary here cuts nothing: another is drawn.
	order := g.random.Perm(g.dimensions)
	for _, feature := range order {
		low, high := float32(math.Inf(1)), float32(math.Inf(-1))
		for _, r := range rows {
			x := g.rows[r*g.dimensions+feature]
			low, high = min(low, x), max(high, x)
		}
		cut := low + (high-low)*g.random.Float32()
		if cut <= low {
			cut = high // between the two, by rounding, there may be nothing
		}
		if low >= high {
			continue
		}
		split := 0
		for i, r := range rows {
			if g.rows[r*g.dimensions+feature] < cut {
				rows[i], rows[split] = rows[split], rows[i]
				split++
			}
		}
		g.nodes[at].feature, g.nodes[at].value = int32(feature), cut
		g.grow(rows[:split], depth+1)
		g.nodes[at].right = int32(len(g.nodes) - g.root)
		g.grow(rows[split:], depth+1)
		return
	}
}

// usualPath is c(n), the mean path length of an unsuccessful search in a binary search tree of n (Liu et al., equation 1).
func usualPath(n int) float64 {
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	const euler = 0.57721566490153286
	m := float64(n)
	return 2*(math.Log(m-1)+euler) - 2*(m-1)/m
}

func (f *forest) kind() Kind     { return IsolationForest }
func (f *forest) workspace() int { return 0 }

// score is s(x) = 2^(-E(h(x)) / c(ψ)) (equation 2).
func (f *forest) score(x, _, _ []float32) float64 {
	sum, first := 0.0, 0
	for _, size := range f.trees {
		tree := f.nodes[first : first+size]
		first += size
		n := &tree[0]
		for i := 0; n.feature >= 0; n = &tree[i] {
			if x[n.feature] < n.value {
				i++
			} else {
				i = int(n.right)
			}
		}
		sum += float64(n.value)
	}
	return math.Exp2(-sum / float64(len(f.trees)) / usualPath(f.sample))
}

// check says whether every walk through the trees ends at a leaf and reads within a vector: a child lies behind its node.
func (f *forest) check() error {
	first := 0
	for t, size := range f.trees {
		if size < 1 || size > len(f.nodes)-first {
			return invalid("trees", "tree %d has %d nodes, of %d left", t, size, len(f.nodes)-first)
		}
		for i, n := range f.nodes[first : first+size] {
			inner := n.feature >= 0
			if inner && (int(n.feature) >= f.dimensions || i+1 >= size || int(n.right) <= i+1 || int(n.right) >= size) {
				return invalid("trees", "node %d of tree %d leads nowhere", i, t)
			}
		}
		first += size
	}
	if len(f.trees) == 0 || first != len(f.nodes) || f.sample < 2 {
		return invalid("trees", "%d trees of samples of %d have %d nodes, not %d", len(f.trees), f.sample, first, len(f.nodes))
	}
	return nil
}
