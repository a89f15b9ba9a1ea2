package predict

import (
	"math"
	"slices"
	"strings"

	"breakwater/internal/attack"
)

// via says what two techniques have in common when the walk goes from one to the other.
type via int

const (
	viaProfile via = iota
	viaTactic
	viaAsset
	viaMitigation
	viaFlow
	vias // how many
)

// hub is a node between techniques: the walk goes from a technique to a hub of it, and on to another technique of it.
type hub struct {
	via     via
	id      string // ATT&CK id
	name    string
	kind    attack.Kind
	members []int // techniques, rising
	actor   int   // a profile's; what is attributed to one actor, or used by it, has one number
}

// flow is one published flow. Its edges run one way.
type flow struct {
	name   string
	edges  [][2]int // earlier, later
	source int      // the profile that it is about, -1 for none
	actor  int      // the actor that it is about, -1 for none
}

// facts are what the catalogue says, with techniques as numbers from 0.
type facts struct {
	catalogue *attack.Catalogue
	ids       []string
	at        map[string]int
	stage     []int // technique → the first of its tactics in kill-chain order, from 0
	profiles  []hub // campaigns, groups and software that use a technique
	others    []hub // tactics, assets, mitigations
	flows     []flow
	fixed     [vias]matrix // the parts of the walk that no profile has a hand in
}

// each is what one edge weighs. A long flow says more than a short one, but not in proportion to its edges: two emulation
// plans alone have half of all.
func (f flow) each() float64 { return 1 / math.Sqrt(float64(len(f.edges))) }

// flowActors are flows whose name does not name the actor that they are about: Conti was Wizard Spider's, and the bank
// heist and the attack on Sony were Lazarus Group's.
var flowActors = map[string]string{"Conti CISA Alert": "G0102", "Conti PWC": "G0102", "Conti Ransomware": "G0102", "SWIFT Heist": "G0032", "Sony Malware": "G0032"}

func newFacts(c *attack.Catalogue) *facts {
	f := &facts{catalogue: c, at: map[string]int{}}
	place := map[string]int{}
	for i, t := range c.Objects(attack.Tactic) {
		place[t.ID] = i
	}
	for i, o := range c.Objects(attack.Technique) {
		f.ids = append(f.ids, o.ID)
		f.at[o.ID] = i
		f.stage = append(f.stage, place[o.Tactics[0]])
	}
	actor := actors(c)
	for _, kind := range []attack.Kind{attack.Campaign, attack.Group, attack.Software} {
		for _, o := range c.Objects(kind) {
			f.add(&f.profiles, hub{via: viaProfile, id: o.ID, name: o.Name, kind: kind, actor: actor[o.ID]}, far(c.From(o.ID), attack.Uses))
		}
	}
	for _, o := range c.Objects(attack.Tactic) {
		var of []string
		for _, t := range c.TechniquesOf(o.ID) {
			of = append(of, t.ID)
		}
		f.add(&f.others, hub{via: viaTactic, id: o.ID, name: o.Name, kind: o.Kind}, of)
	}
	for _, o := range c.Objects(attack.Asset) {
		var of []string
		for _, r := range c.To(o.ID) {
			of = append(of, r.From)
		}
		f.add(&f.others, hub{via: viaAsset, id: o.ID, name: o.Name, kind: o.Kind}, of)
	}
	for _, o := range c.Objects(attack.Mitigation) {
		f.add(&f.others, hub{via: viaMitigation, id: o.ID, name: o.Name, kind: o.Kind}, far(c.From(o.ID), attack.Mitigates))
	}
	f.addFlows(actor)
	for v := viaTactic; v <= viaMitigation; v++ {
		var of []hub
		for _, h := range f.others {
			if h.via == v {
				of = append(of, h)
			}
		}
		f.fixed[v] = through(len(f.ids), of)
	}
	return f
}

// far are the far ends of relations of one type.
func far(relations []attack.Relation, kind string) []string {
	var ids []string
	for _, r := range relations {
		if r.Type == kind {
			ids = append(ids, r.To)
		}
	}
	return ids
}

// add puts a hub to the others where it has a technique.
func (f *facts) add(to *[]hub, h hub, ids []string) {
	for _, id := range ids {
		if i, ok := f.at[id]; ok {
			h.members = append(h.members, i)
		}
	}
	slices.Sort(h.members)
	if len(h.members) > 0 {
		*to = append(*to, h)
	}
}

// actors numbers campaigns, groups and software so that those have one number that are linked by attribution or use,
// over any number of links.
func actors(c *attack.Catalogue) map[string]int {
	linked := map[string][]string{}
	for _, r := range c.Relations() {
		to, _ := c.Lookup(r.To)
		if r.Type == attack.AttributedTo || r.Type == attack.Uses && to.Kind == attack.Software {
			linked[r.From] = append(linked[r.From], r.To)
			linked[r.To] = append(linked[r.To], r.From)
		}
	}
	number, n := map[string]int{}, 0
	for _, kind := range []attack.Kind{attack.Campaign, attack.Group, attack.Software} {
		for _, o := range c.Objects(kind) {
			if _, known := number[o.ID]; known {
				continue
			}
			for todo := []string{o.ID}; len(todo) > 0; {
				id := todo[len(todo)-1]
				todo = todo[:len(todo)-1]
				if _, known := number[id]; !known {
					number[id] = n
					todo = append(todo, linked[id]...)
				}
			}
			n++
		}
	}
	return number
}

func (f *facts) addFlows(actor map[string]int) {
	for _, told := range f.catalogue.Flows() {
		fl := flow{name: told.Name, source: -1, actor: -1}
		for _, e := range told.Edges {
			from, okFrom := f.at[e[0]]
			to, okTo := f.at[e[1]]
			if okFrom && okTo && from != to {
				fl.edges = append(fl.edges, [2]int{from, to})
			}
		}
		about := flowActors[told.Name]
		for _, kind := range []attack.Kind{attack.Campaign, attack.Group, attack.Software} {
			for _, o := range f.catalogue.Objects(kind) {
				for _, name := range append([]string{o.Name}, o.Aliases...) {
					if strings.Contains(strings.ToLower(told.Name), strings.ToLower(name)) {
						about = o.ID
					}
				}
			}
		}
		if a, ok := actor[about]; ok {
			fl.actor = a
		}
		fl.source = slices.IndexFunc(f.profiles, func(h hub) bool { return h.id == about })
		if len(fl.edges) > 0 {
			f.flows = append(f.flows, fl)
		}
	}
}

// matrix is square, by technique: from × to.
type matrix [][]float64

func newMatrix(n int) matrix {
	cells, m := make([]float64, n*n), make(matrix, n)
	for i := range m {
		m[i] = cells[i*n : (i+1)*n]
	}
	return m
}

// through is the walk from technique to technique over hubs: to a hub by even chance, and on to another technique of it
// by even chance. A technique without such a hub has a row of zeros.
func through(n int, hubs []hub) matrix {
	m, count := newMatrix(n), make([]float64, n)
	for _, h := range hubs {
		if len(h.members) < 2 {
			continue
		}
		each := 1 / float64(len(h.members)-1)
		for _, a := range h.members {
			count[a]++
			for _, b := range h.members {
				if a != b {
					m[a][b] += each
				}
			}
		}
	}
	for a := range m {
		for b := range m[a] {
			if m[a][b] > 0 {
				m[a][b] /= count[a]
			}
		}
	}
	return m
}

// along is the walk along the edges of flows, by their weights.
func along(n int, flows []flow) matrix {
	m, sum := newMatrix(n), make([]float64, n)
	for _, f := range flows {
		each := f.each()
		for _, e := range f.edges {
			m[e[0]][e[1]] += each
			sum[e[0]] += each
		}
	}
	for a := range m {
		for b := range m[a] {
			if m[a][b] > 0 {
				m[a][b] /= sum[a]
			}
		}
	}
	return m
}
