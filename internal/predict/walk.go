package predict

import (
	"math"
	"slices"
)

// Settings are what of the walk can be chosen. They are chosen by leaving out training profiles; see fit.
type Settings struct {
	Damping  float64 `json:"damping"`  // probability of one step more
	Context  float64 `json:"context"`  // weight of tactics, assets, mitigations and flows each, where that of profiles is 1
	Recall   float64 `json:"recall"`   // part of the walks that begin at the profiles which explain what was seen
	Evidence float64 `json:"evidence"` // what one technique counts in explaining: less than 1, as techniques go together
}

// grid are the settings that fit chooses from.
var grid = func() (all []Settings) {
	for _, damping := range []float64{0.35, 0.5} {
		for _, context := range []float64{0.2, 0.4} {
			for _, evidence := range []float64{0.5, 1} {
				for _, recall := range []float64{0.25, 0.5} {
					all = append(all, Settings{damping, context, recall, evidence})
				}
			}
		}
	}
	return all
}()

// blur is the part of a technique's chance under a profile that is the chance under all: an incident shares no more
// than some of its techniques with any other, so one that a profile lacks must not rule it out.
const blur = 0.3

// stepsMax bounds the walk: at a damping of 0.5 what lies beyond is 0.1 % of it.
const stepsMax = 9

// knowledge is what was learned of some profiles: the training profiles of an evaluation, or all.
type knowledge struct {
	*facts
	in    []bool    // profile → was learned from
	count []float64 // technique → learned profiles that use it
	total float64   // sum of count
	told  []flow    // the flows that were learned from
	parts [vias]matrix
}

// learn learns from the profiles that in names. A flow about a profile that is left out is left out too; whole says that
// so is every flow about its actor.
func (f *facts) learn(in []bool, whole bool) *knowledge {
	k := &knowledge{facts: f, in: in, count: make([]float64, len(f.ids))}
	var learned []hub
	outActors := map[int]bool{}
	for i, h := range f.profiles {
		if !in[i] {
			outActors[h.actor] = whole
			continue
		}
		learned = append(learned, h)
		for _, t := range h.members {
			k.count[t]++
			k.total++
		}
	}
	for _, fl := range f.flows {
		if !(fl.source >= 0 && !in[fl.source] || outActors[fl.actor]) {
			k.told = append(k.told, fl)
		}
	}
	n := len(f.ids)
	k.parts = f.fixed
	k.parts[viaProfile] = through(n, learned)
	k.parts[viaFlow] = along(n, k.told)
	return k
}

// steps is the walk as one matrix: the parts by weight. ways is what part of a step from a technique goes by what.
func (k *knowledge) steps(context float64) (m matrix, ways [][vias]float64) {
	m, ways = newMatrix(len(k.ids)), make([][vias]float64, len(k.ids))
	for a := range m {
		sum := 0.0
		for v, part := range k.parts {
			if !empty(part[a]) {
				ways[a][v] = context
				if via(v) == viaProfile {
					ways[a][v] = 1
				}
				sum += ways[a][v]
			}
		}
		for v, part := range k.parts {
			if ways[a][v] == 0 {
				continue
			}
			ways[a][v] /= sum
			for b, p := range part[a] {
				m[a][b] += ways[a][v] * p
			}
		}
	}
	return m, ways
}

func empty(row []float64) bool {
	for _, p := range row {
		if p > 0 {
			return false
		}
	}
	return true
}

// walk is personalised PageRank (Page, Brin, Motwani, Winograd 1999; restart as Haveliwala 2002): where a walker ends who
// begins at start and after each step goes on with the probability damping. The walk over techniques and hubs in turn is
// folded into one over techniques. Its sum is at most the start's.
func walk(m matrix, start []float64, damping float64) []float64 {
	return ends(places(m, start), damping)
}

// places are where the walker is after 0 to stepsMax steps, for walks that differ in damping alone.
func places(m matrix, start []float64) [][]float64 {
	after := [][]float64{start}
	for range stepsMax {
		now, then := after[len(after)-1], make([]float64, len(start))
		for a, p := range now {
			if p == 0 {
				continue
			}
			for b, q := range m[a] {
				then[b] += p * q
			}
		}
		after = append(after, then)
	}
	return after
}

// ends is where the walker ends: after n steps with the probability (1−damping)·dampingⁿ.
func ends(after [][]float64, damping float64) []float64 {
	at, part := make([]float64, len(after[0])), 1-damping
	for _, then := range after {
		for i, p := range then {
			at[i] += part * p
		}
		part *= damping
	}
	return at
}

// explain weighs each learned profile by how well it explains all that was seen together: Bayes' rule, each profile as
// likely as the next beforehand, a profile's techniques drawn evenly but for blur, and the likelihood to the power of
// evidence. The weights' sum is 1.
func (k *knowledge) explain(seen []int, evidence float64) []float64 {
	weights, most := make([]float64, len(k.profiles)), math.Inf(-1)
	for i, h := range k.profiles {
		if !k.in[i] {
			continue
		}
		own := (1 - blur) / float64(len(h.members))
		for _, s := range seen {
			p := blur * k.chance(s)
			for _, t := range h.members {
				if t == s {
					p += own
				}
			}
			weights[i] += evidence * math.Log(p)
		}
		most = max(most, weights[i])
	}
	sum := 0.0
	for i := range weights {
		if k.in[i] {
			weights[i] = math.Exp(weights[i] - most)
			sum += weights[i]
		}
	}
	if sum > 0 { // 0: nothing was learned
		for i := range weights {
			weights[i] /= sum
		}
	}
	return weights
}

// chance is how often a technique is among all uses, never 0.
func (k *knowledge) chance(t int) float64 {
	return (k.count[t] + 0.3) / (k.total + 0.3*float64(len(k.ids)))
}

// startSeen is the beginning of the walk at what was seen. Its sum is 1.
func (f *facts) startSeen(seen []int) []float64 {
	start := make([]float64, len(f.ids))
	for _, s := range seen {
		start[s] = 1 / float64(len(seen))
	}
	return start
}

// startProfiles is the beginning of the walk at what the profiles use, by their weights. Its sum is theirs.
func (f *facts) startProfiles(weights []float64) []float64 {
	start := make([]float64, len(f.ids))
	for i, h := range f.profiles {
		for _, t := range h.members {
			start[t] += weights[i] / float64(len(h.members))
		}
	}
	return start
}

// candidates are what may come: what was not seen; where later is set, only what lies in a stage after the furthest
// that was seen.
func (f *facts) candidates(seen []int, later bool) []int {
	furthest := f.furthest(seen)
	var may []int
	for t := range f.ids {
		if !slices.Contains(seen, t) && (!later || f.stage[t] > furthest) {
			may = append(may, t)
		}
	}
	return may
}

// share are the scores of the candidates, made to sum to 1: what part of the walkers that are at a candidate is at this.
func share(at []float64, candidates []int) []float64 {
	sum := 0.0
	for _, t := range candidates {
		sum += at[t]
	}
	shares := make([]float64, len(candidates))
	for i, t := range candidates {
		if sum > 0 {
			shares[i] = at[t] / sum
		}
	}
	return shares
}
