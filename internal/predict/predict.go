// Package predict says what an attacker may do next: it ranks the techniques of ATT&CK for ICS, given those that were seen
// in a facility, with a probability, a timeframe and the reasons for each.
//
//	attack.Catalogue ─► facts ─► learn ─► walk (personalised PageRank) ─► calibrate ─┐
//	                                                                                 ▼
//	techniques seen ────────────────────────────────────────────────► Predictor.Next ─► ranked techniques, and why
//
// It hides the graph (techniques, the campaigns, groups and software that used them, tactics, assets, mitigations, ordered
// flows), how its settings are chosen without looking at what they are judged by, and how a score becomes a probability.
// docs/prediction.md says how well it does, and what it cannot know.
package predict

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"breakwater"
	"breakwater/internal/attack"
)

// Predictor predicts from one catalogue. It never changes after New; any number of goroutines may ask it.
type Predictor struct {
	*facts
	unseen, later *model
}

// Builtin predicts from the catalogue that the program brings.
var Builtin = sync.OnceValue(func() *Predictor { return New(attack.Builtin()) })

// Check refuses a catalogue that nothing can be learned from. The error is of kind Invalid.
func Check(c *attack.Catalogue) error {
	f := newFacts(c)
	n := 0
	for _, h := range f.profiles {
		if len(h.members) >= leastTechniques {
			n++
		}
	}
	if n < leastProfiles {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "stix",
			Message: fmt.Sprintf("the catalogue has %d campaigns, groups and software that use %d techniques or more, and predictions need %d: give MITRE's whole bundle", n, leastTechniques, leastProfiles)}
	}
	return nil
}

// leastProfiles is how many profiles there must be to learn from: settings are chosen by leaving out each.
const leastProfiles = 5

// Catalogue is what it learned from.
func (p *Predictor) Catalogue() *attack.Catalogue { return p.catalogue }

// New learns from the catalogue's campaigns, groups, software and flows. It takes some tenths of a second: settings
// and calibration are chosen by leaving out each profile in turn.
func New(c *attack.Catalogue) *Predictor {
	f := newFacts(c)
	in := make([]bool, len(f.profiles))
	for i := range in {
		in[i] = true
	}
	return &Predictor{facts: f, unseen: f.fit(in, true, false), later: f.fit(in, true, true)}
}

// Next is one technique that may come next, and why.
type Next struct {
	breakwater.PredictedTechnique
	Within time.Duration `json:"-"`     // what Timeframe says
	Later  bool          `json:"later"` // its stage lies after the furthest that was seen
}

// whyMax is how many reasons are given.
const whyMax = 5

// Next ranks what may come after the techniques seen, in any order; ids of either version of ATT&CK count, and what is
// unknown is passed over. At most limit are given, the likeliest first. The probability of a technique in a later stage is
// that it will be used there; that of any other, that it is the one which was used and not seen. Equal probabilities stand
// in a fixed random order. The error is of kind Invalid where no technique is known, or limit is not positive.
func (p *Predictor) Next(seen []string, limit int) ([]Next, error) {
	var at []int
	for _, id := range seen {
		for _, own := range p.catalogue.Meant(id) {
			if i, ok := p.at[own]; ok && !slices.Contains(at, i) {
				at = append(at, i)
			}
		}
	}
	if len(at) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "techniques",
			Message: "none of the techniques seen is one of ATT&CK for ICS: give ids like T0846"}
	}
	if limit < 1 {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "limit", Message: "at least one technique must be asked for"}
	}
	slices.Sort(at) // the same techniques in another order are the same to the last digit
	later, unseen := p.later.answer(at), p.unseen.answer(at)
	candidates, probabilities := p.merged(later, unseen)
	tie, ranked := order(len(p.ids), 0), make([]int, len(candidates))
	for i := range ranked {
		ranked[i] = i
	}
	slices.SortFunc(ranked, func(a, b int) int {
		return cmp.Or(cmp.Compare(probabilities[b], probabilities[a]), tie[candidates[a]]-tie[candidates[b]])
	})
	furthest, why := p.furthest(at), map[bool]*explainer{true: newExplainer(later), false: newExplainer(unseen)}
	next := make([]Next, min(limit, len(ranked)))
	for rank := range next {
		t := candidates[ranked[rank]]
		o, _ := p.catalogue.Lookup(p.ids[t])
		n := Next{Later: p.stage[t] > furthest, Within: within(p.stage[t] - furthest)}
		n.PredictedTechnique = breakwater.PredictedTechnique{TechniqueID: o.ID, TechniqueName: o.Name,
			Probability: probabilities[ranked[rank]], Rank: rank + 1, Timeframe: timeframe(n.Within)}
		n.Why = why[n.Later].why(t)
		n.Why = n.Why[:min(whyMax, len(n.Why))]
		next[rank] = n
	}
	return next, nil
}

// merged is the one list of both models: techniques of later stages with the probability that they come, all others with
// the probability that they were missed. Calibration makes the two comparable.
func (p *Predictor) merged(later, unseen answer) (candidates []int, probabilities []float64) {
	furthest := p.furthest(later.seen)
	for _, a := range []answer{later, unseen} {
		for i, t := range a.candidates {
			if a.later || p.stage[t] <= furthest {
				candidates = append(candidates, t)
				probabilities = append(probabilities, a.probability(a.shares[i]))
			}
		}
	}
	return candidates, probabilities
}

// furthest is the last stage that was seen.
func (f *facts) furthest(seen []int) int {
	last := -1
	for _, s := range seen {
		last = max(last, f.stage[s])
	}
	return last
}

// within is by when a technique so many stages after the furthest seen is awaited. It is a rule, not learned: ATT&CK dates
// campaigns by the month, and no public data says how long a step in a plant takes. What a tool does in one stage it does
// in minutes; a next stage is taken in the same shift or the same day; what lies further waits for people to prepare it.
func within(stages int) time.Duration {
	switch {
	case stages <= 0:
		return time.Hour
	case stages <= 2:
		return 24 * time.Hour
	}
	return 7 * 24 * time.Hour
}

// timeframe says a duration in words that breakwater.ParseTimeframe reads.
func timeframe(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return "within " + breakwater.Plural(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return "within " + breakwater.Plural(int(d/time.Hour), "hour")
	}
	return "within " + breakwater.Plural(int(d/time.Minute), "minute")
}
