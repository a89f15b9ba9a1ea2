package predict

import (
	"cmp"
	"slices"

	"breakwater"
)

// explainer takes one walk apart: what came to a technique by which hub.
type explainer struct {
	answer
	hubs   []hub           // all that the walk goes over
	fan    [vias][]float64 // technique → hubs of that sort that lead on
	flowed []float64       // technique → sum of the flows' edges from it, as along weighs them
}

func newExplainer(a answer) *explainer {
	e := &explainer{answer: a, hubs: a.learned(), flowed: make([]float64, len(a.ids))}
	for v := range e.fan {
		e.fan[v] = make([]float64, len(a.ids))
	}
	for _, h := range e.hubs {
		if len(h.members) < 2 {
			continue
		}
		for _, t := range h.members {
			e.fan[h.via][t]++
		}
	}
	for _, f := range a.told {
		for _, edge := range f.edges {
			e.flowed[edge[0]] += f.each()
		}
	}
	return e
}

// learned are all hubs that the walk goes over, profiles first.
func (k *knowledge) learned() (hubs []hub) {
	for i, h := range k.profiles {
		if k.in[i] {
			hubs = append(hubs, h)
		}
	}
	return append(hubs, k.others...)
}

// by is how much of the walk comes to technique t from technique a by hub h in the last step.
func (e *explainer) by(h hub, a int) float64 {
	if e.fan[h.via][a] == 0 {
		return 0
	}
	return e.Damping * e.at[a] * e.ways[a][h.via] / e.fan[h.via][a] / float64(len(h.members)-1)
}

// why are all reasons for technique t: the hubs and flows by which the walk comes to it in its last step, those that
// brought most first. Their shares sum to 1 but for what lies beyond stepsMax.
func (e *explainer) why(t int) []breakwater.Reason {
	reasons := []breakwater.Reason{}
	if e.at[t] == 0 {
		return reasons
	}
	for i, h := range e.profiles {
		if e.in[i] && slices.Contains(h.members, t) {
			reasons = append(reasons, e.reason(h, t, (1-e.Damping)*e.Recall*e.weights[i]/float64(len(h.members))))
		}
	}
	for _, h := range e.others {
		if slices.Contains(h.members, t) {
			reasons = append(reasons, e.reason(h, t, 0))
		}
	}
	for _, f := range e.told {
		if r := e.flowReason(f, t); r.Share > 0 {
			reasons = append(reasons, r)
		}
	}
	// A stable order where shares are equal: the facts' own.
	slices.SortStableFunc(reasons, func(a, b breakwater.Reason) int { return cmp.Compare(b.Share, a.Share) })
	return reasons
}

// reason is what hub h brought to t, beside what began there.
func (e *explainer) reason(h hub, t int, began float64) breakwater.Reason {
	r := breakwater.Reason{Kind: string(h.kind), ID: h.id, Name: h.name, Share: began, Seen: []string{}}
	most, from := 0.0, -1
	for _, a := range h.members {
		if a == t {
			continue
		}
		by := e.by(h, a)
		r.Share += by
		if slices.Contains(e.seen, a) {
			r.Seen = append(r.Seen, e.ids[a])
			by += 1 // what was seen is the better beginning of a path
		}
		if by > most {
			most, from = by, a
		}
	}
	r.Share /= e.at[t]
	r.Path = []string{h.id, e.ids[t]}
	if from >= 0 {
		r.Path = append(e.reach(from, h), r.Path...)
	}
	return r
}

// reach is the path from what was seen to technique a, a at its end: a alone where it was seen; else over the hub, another
// than then, that brings most to it from a technique seen; a alone again where no such hub is.
func (e *explainer) reach(a int, then hub) []string {
	path := []string{e.ids[a]}
	if slices.Contains(e.seen, a) {
		return path
	}
	most := 0.0
	for _, h := range e.hubs {
		if h.id == then.id || !slices.Contains(h.members, a) {
			continue
		}
		for _, s := range e.seen {
			if by := e.by(h, s); by > most && slices.Contains(h.members, s) {
				most, path = by, []string{e.ids[s], h.id, e.ids[a]}
			}
		}
	}
	return path
}

// flowReason is what a flow brought to t by its edges.
func (e *explainer) flowReason(f flow, t int) breakwater.Reason {
	r := breakwater.Reason{Kind: "flow", Name: f.name, Seen: []string{}}
	most := 0.0
	for _, edge := range f.edges {
		a := edge[0]
		if edge[1] != t {
			continue
		}
		by := e.Damping * e.at[a] * e.ways[a][viaFlow] * f.each() / e.flowed[a]
		r.Share += by
		if slices.Contains(e.seen, a) {
			r.Seen = append(r.Seen, e.ids[a])
			by += 1
		}
		if by > most {
			most = by
			r.Path = append(e.reach(a, hub{}), f.name, e.ids[t])
		}
	}
	r.Share /= e.at[t]
	return r
}
