package predict

import (
	"math"
	"slices"

	"breakwater/internal/attack"
)

// trial asks for what is known: these techniques of a profile were seen, those were not yet.
type trial struct{ seen, truth []int }

// leastTechniques is how many techniques a profile needs so that hiding one leaves something to predict from.
const leastTechniques = 3

// trials are the trials of one profile. Hide one: each of its techniques in turn is not seen, all others are. Later
// stages: cut after each stage in which it has a technique; what lies before was seen, at least two techniques, and what
// lies behind comes. A technique's stage is the first of its tactics.
func (f *facts) trials(h hub, later bool) (all []trial) {
	if len(h.members) < leastTechniques {
		return nil
	}
	if !later {
		for i, t := range h.members {
			seen := slices.Delete(slices.Clone(h.members), i, i+1)
			all = append(all, trial{seen, []int{t}})
		}
		return all
	}
	cuts := map[int]bool{}
	for _, t := range h.members {
		cuts[f.stage[t]] = true
	}
	for cut := range len(f.catalogue.Objects(attack.Tactic)) {
		var tr trial
		for _, t := range h.members {
			if f.stage[t] <= cut {
				tr.seen = append(tr.seen, t)
			} else {
				tr.truth = append(tr.truth, t)
			}
		}
		if cuts[cut] && len(tr.seen) >= 2 && len(tr.truth) > 0 {
			all = append(all, tr)
		}
	}
	return all
}

// Metrics are what a ranking is worth. Recall at k is the part of what came that is among the first k; MRR is one over
// the rank of the first that came.
type Metrics struct {
	Recall5  float64 `json:"recall_at_5"`
	Recall10 float64 `json:"recall_at_10"`
	MRR      float64 `json:"mrr"`
}

func (m *Metrics) add(o Metrics, weight float64) {
	m.Recall5 += o.Recall5 * weight
	m.Recall10 += o.Recall10 * weight
	m.MRR += o.MRR * weight
}

// judge ranks candidates by score, the greatest first; where scores are equal to 12 digits, by tie, which is a random
// order of all techniques.
func judge(candidates []int, score []float64, truth []int, tie []int) (m Metrics) {
	best := len(candidates)
	for _, t := range truth {
		at := slices.Index(candidates, t)
		if at < 0 { // not among the candidates: never found
			continue
		}
		rank := 1
		for i, c := range candidates {
			if gap := score[i] - score[at]; gap > 1e-12 || gap >= -1e-12 && tie[c] < tie[t] {
				rank++
			}
		}
		best = min(best, rank)
		each := 1 / float64(len(truth))
		if rank <= 5 {
			m.Recall5 += each
		}
		if rank <= 10 {
			m.Recall10 += each
		}
		m.MRR = 1 / float64(best)
	}
	return m
}

// sample is one candidate of one trial: its share, whether it came, and what it weighs.
type sample struct {
	share, weight float64
	came          bool
}

// sampled are the samples of one trial.
func sampled(candidates []int, shares []float64, truth []int, weight float64) []sample {
	all := make([]sample, len(candidates))
	for i, t := range candidates {
		all[i] = sample{shares[i], weight, slices.Contains(truth, t)}
	}
	return all
}

// calibration turns a share into a probability: a logistic curve over its logarithm (Platt 1999).
type calibration struct{ a, b float64 }

func logOf(share float64) float64 { return math.Log(max(share, 1e-6)) }

func (c calibration) probability(share float64) float64 {
	return 1 / (1 + math.Exp(-c.a-c.b*logOf(share)))
}

// calibrate fits the curve by Newton's method, the likelihood weighted, and held near a slope of 1 by one sample's worth
// so that a handful of samples cannot make it vertical.
func calibrate(samples []sample) calibration {
	c := calibration{0, 1}
	for range 30 {
		var ga, gb, haa, hab, hbb float64
		for _, s := range samples {
			x, p := logOf(s.share), c.probability(s.share)
			y := 0.0
			if s.came {
				y = 1
			}
			d, w := s.weight*(y-p), s.weight*p*(1-p)
			ga, gb = ga+d, gb+d*x
			haa, hab, hbb = haa+w, hab+w*x, hbb+w*x*x
		}
		ga, gb, haa, hbb = ga-1e-3*c.a, gb-(c.b-1), haa+1e-3, hbb+1
		det := haa*hbb - hab*hab
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		// A step is cut where it would run away; the curve is convex, so the direction is right.
		cut := min(1, 2/max(math.Abs(da), math.Abs(db), 1e-12))
		c.a, c.b = c.a+cut*da, c.b+cut*db
		if math.Abs(da)+math.Abs(db) < 1e-10 {
			break
		}
	}
	return c
}

// model answers one question: what else of an attack was not seen, or, where later is set, what comes in a later stage.
type model struct {
	*knowledge
	Settings
	calibration
	later bool
	step  matrix
	ways  [][vias]float64 // technique → what part of a step from it goes by what
}

// fit chooses settings and calibration by leaving out in turn each profile that in names (whole: with its actor), and
// learns from all of them. Nothing outside in has a hand in the model.
func (f *facts) fit(in []bool, whole, later bool) *model {
	worth := make([]Metrics, len(grid))
	samples := make([][]sample, len(grid))
	tie := order(len(f.ids), 0)
	for q, h := range f.profiles {
		trials := f.trials(h, later)
		if !in[q] || len(trials) == 0 {
			continue
		}
		k := f.learn(f.without(in, q, whole), whole)
		weight := 1 / float64(len(trials))
		f.sweep(k, trials, later, func(g int, tr trial, candidates []int, shares []float64) {
			worth[g].add(judge(candidates, shares, tr.truth, tie), weight)
			samples[g] = append(samples[g], sampled(candidates, shares, tr.truth, weight)...)
		})
	}
	best := 0
	for g, m := range worth {
		if m.Recall5+m.Recall10+m.MRR > worth[best].Recall5+worth[best].Recall10+worth[best].MRR {
			best = g
		}
	}
	m := &model{knowledge: f.learn(in, whole), Settings: grid[best], calibration: calibrate(samples[best]), later: later}
	m.step, m.ways = m.steps(m.Context)
	return m
}

// sweep answers trials under every setting of the grid. The walk is linear in its start, and its places do not know the
// damping, so that settings share walks.
func (f *facts) sweep(k *knowledge, trials []trial, later bool, answer func(g int, tr trial, candidates []int, shares []float64)) {
	type begun struct{ context, evidence float64 }
	steps := map[float64]matrix{}
	for _, s := range grid {
		if steps[s.Context] == nil {
			steps[s.Context], _ = k.steps(s.Context)
		}
	}
	for _, tr := range trials {
		candidates := f.candidates(tr.seen, later)
		fromSeen, fromProfiles := map[float64][][]float64{}, map[begun][][]float64{}
		for g, s := range grid {
			b := begun{s.Context, s.Evidence}
			if fromSeen[s.Context] == nil {
				fromSeen[s.Context] = places(steps[s.Context], f.startSeen(tr.seen))
			}
			if fromProfiles[b] == nil {
				fromProfiles[b] = places(steps[s.Context], f.startProfiles(k.explain(tr.seen, s.Evidence)))
			}
			at := blend(ends(fromSeen[s.Context], s.Damping), ends(fromProfiles[b], s.Damping), s.Recall)
			answer(g, tr, candidates, share(at, candidates))
		}
	}
}

// blend is (1−part) of a and part of b.
func blend(a, b []float64, part float64) []float64 {
	mixed := make([]float64, len(a))
	for i := range mixed {
		mixed[i] = (1-part)*a[i] + part*b[i]
	}
	return mixed
}

// without is in without profile q or, where whole is set, without all of its actor.
func (f *facts) without(in []bool, q int, whole bool) []bool {
	out := slices.Clone(in)
	for i, h := range f.profiles {
		if i == q || whole && h.actor == f.profiles[q].actor {
			out[i] = false
		}
	}
	return out
}

// answer is what a model says after some techniques were seen.
type answer struct {
	*model
	seen       []int
	candidates []int
	shares     []float64 // by candidate
	at         []float64 // by technique: where the walk is
	weights    []float64 // by profile: how much it explains
}

func (m *model) answer(seen []int) answer {
	a := answer{model: m, seen: seen, candidates: m.candidates(seen, m.later), weights: m.explain(seen, m.Evidence)}
	a.at = walk(m.step, blend(m.startSeen(seen), m.startProfiles(a.weights), m.Recall), m.Damping)
	a.shares = share(a.at, a.candidates)
	return a
}
