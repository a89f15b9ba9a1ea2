// Package attack knows MITRE ATT&CK for ICS: its tactics, techniques, mitigations, groups, software, campaigns, assets
// and detections, and every relation among them, as a graph in memory.
//
//	MITRE's bundle (STIX 2.1) ─┐
//	ids of the next version ───┼─► Import ─► Catalogue ─► Write ─► data/ics.json ─► Builtin
//	ordered attack flows ──────┘                │
//	                                            └─► Lookup, From, To, Matrix, Layer
//
// It hides STIX, which of two versions' ids is meant, and how files that come from anywhere are kept within bounds. What
// is built in are facts: ids, names, relations. MITRE's texts come with a bundle that the user imports. data/NOTICE.md
// holds MITRE's notice and licence.
package attack

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"breakwater"
)

// Kind says what an object is.
type Kind string

// The kinds of object, in the order in which Lookup prefers them where two bear one name.
const (
	Technique     Kind = "technique"
	Tactic        Kind = "tactic"
	Campaign      Kind = "campaign"
	Group         Kind = "group"
	Software      Kind = "software"
	Mitigation    Kind = "mitigation"
	Asset         Kind = "asset"
	Strategy      Kind = "detection-strategy"
	DataComponent Kind = "data-component"
)

// kinds are all kinds, with the form of their ids.
var kinds = []struct {
	kind Kind
	id   *regexp.Regexp
}{
	{Technique, regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)},
	{Tactic, regexp.MustCompile(`^TA\d{4}$`)},
	{Campaign, regexp.MustCompile(`^C\d{4}$`)},
	{Group, regexp.MustCompile(`^G\d{4}$`)},
	{Software, regexp.MustCompile(`^S\d{4}$`)},
	{Mitigation, regexp.MustCompile(`^M\d{4}$`)},
	{Asset, regexp.MustCompile(`^A\d{4}$`)},
	{Strategy, regexp.MustCompile(`^DET\d{4}$`)},
	{DataComponent, regexp.MustCompile(`^DC\d{4}$`)},
}

// Object is one thing that ATT&CK has an id for.
type Object struct {
	ID        string   `json:"id"`
	Kind      Kind     `json:"kind"`
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases,omitempty"`   // other names
	OtherIDs  []string `json:"other_ids,omitempty"` // of other versions, and of what was merged into it
	Tactics   []string `json:"tactics,omitempty"`   // a technique's: ids, in kill-chain order
	Platforms []string `json:"platforms,omitempty"`
	Shortname string   `json:"shortname,omitempty"` // a tactic's name in layers, as "impair-process-control"
	First     string   `json:"first,omitempty"`     // a campaign's first month, as "2015-12"
	Last      string   `json:"last,omitempty"`      // and its last
	Since     string   `json:"since,omitempty"`     // version that brings it, where the catalogue's own does not have it
	Text      string   `json:"text,omitempty"`      // MITRE's description; "" in the built-in catalogue
}

// Parent is the id of the technique that a sub-technique belongs to, "" for all else.
func (o Object) Parent() string {
	if id, _, sub := strings.Cut(o.ID, "."); sub && o.Kind == Technique {
		return id
	}
	return ""
}

// The types of relation, and between which kinds they run.
const (
	Uses         = "uses"          // campaign, group or software → technique; campaign or group → software
	Mitigates    = "mitigates"     // mitigation → technique
	Targets      = "targets"       // technique → asset
	Detects      = "detects"       // detection strategy → technique
	Needs        = "needs"         // detection strategy → data component (MITRE's analytics between them contracted)
	AttributedTo = "attributed-to" // campaign → group
)

// runs says between which kinds a relation may run.
var runs = map[string][][2]Kind{
	Uses:      {{Campaign, Technique}, {Group, Technique}, {Software, Technique}, {Campaign, Software}, {Group, Software}},
	Mitigates: {{Mitigation, Technique}}, Targets: {{Technique, Asset}}, Detects: {{Strategy, Technique}},
	Needs: {{Strategy, DataComponent}}, AttributedTo: {{Campaign, Group}},
}

// Relation is one edge of the graph, by ids.
type Relation struct{ From, Type, To string }

// Flow is one published attack flow: which technique of the ICS matrix followed which.
type Flow struct {
	Name  string      `json:"name"`
	Edges [][2]string `json:"edges"` // earlier, later
}

// Catalogue is ATT&CK for ICS of one version, with the ids of a second one resolved. It never changes, so that any
// number of goroutines may read it; what its methods return is not to be changed either.
type Catalogue struct {
	Version string // its own, as "18.1"
	Also    string // whose ids resolve too, as "19.1"; may be ""

	objects   []Object // by kind in the order of kinds, then by id; tactics in kill-chain order
	relations []Relation
	flows     []Flow

	byID     map[string]int // every id, lower case
	byName   map[string]int // every name and alias, lower case
	from, to map[string][]Relation
	children map[string][]string // parent technique → sub-techniques
}

// The bounds of what is read. MITRE's bundle of version 18.1 has 3.5 MB and 1,840 objects.
const (
	bundleMax    = 64 << 20 // bytes of any file
	objectsMax   = 50_000   // STIX objects of all sorts, relationships too
	nameMax      = 256      // bytes
	textMax      = 64 << 10 // bytes
	listMax      = 256      // aliases, platforms, tactics of one object
	flowsMax     = 2_000
	flowEdgesMax = 2_000 // edges of one flow: they are contracted in time edges × techniques
	allEdgesMax  = 50_000
)

// invalid is an error of kind Invalid about the field of what was read.
func invalid(field, format string, args ...any) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// quote shows what was read inside a message.
func quote(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// newCatalogue checks objects (tactics in kill-chain order), relations and flows, sorts them, and indexes them.
// Everything that is read passes here, from a bundle or from a file of our own.
func newCatalogue(version, also string, objects []Object, relations []Relation, flows []Flow) (*Catalogue, error) {
	c := &Catalogue{Version: version, Also: also, objects: objects, relations: relations, flows: flows,
		byID: map[string]int{}, byName: map[string]int{}, from: map[string][]Relation{}, to: map[string][]Relation{}, children: map[string][]string{}}
	order := map[string]int{} // tactic → its place in the kill chain
	for _, o := range objects {
		if o.Kind == Tactic {
			order[o.ID] = len(order)
		}
	}
	slices.SortStableFunc(c.objects, func(a, b Object) int {
		if by := cmp.Compare(place(a.Kind), place(b.Kind)); by != 0 || a.Kind == Tactic {
			return by
		}
		return cmp.Compare(a.ID, b.ID)
	})
	for i := range c.objects {
		o := &c.objects[i]
		if err := o.check(order); err != nil {
			return nil, err
		}
		for _, id := range append([]string{o.ID}, o.OtherIDs...) {
			if _, twice := c.byID[strings.ToLower(id)]; twice {
				return nil, invalid("id", "id %s is given to two objects", quote(id))
			}
			c.byID[strings.ToLower(id)] = i
		}
		for _, name := range append([]string{o.Name}, o.Aliases...) {
			if _, taken := c.byName[strings.ToLower(name)]; !taken {
				c.byName[strings.ToLower(name)] = i
			}
		}
		if parent := o.Parent(); parent != "" {
			c.children[parent] = append(c.children[parent], o.ID)
		}
	}
	// A technique that another version made a sub-technique is a child of its new parent.
	for _, o := range c.objects {
		for _, id := range o.OtherIDs {
			if parent, _, sub := strings.Cut(id, "."); sub {
				c.children[parent] = append(c.children[parent], o.ID)
			}
		}
	}
	if err := c.connect(); err != nil {
		return nil, err
	}
	return c, c.checkFlows()
}

// place is the place of a kind among kinds, len(kinds) for what is none.
func place(k Kind) int {
	for i := range kinds {
		if kinds[i].kind == k {
			return i
		}
	}
	return len(kinds)
}

// check says what is wrong with an object, and puts its tactics in kill-chain order.
func (o *Object) check(order map[string]int) error {
	i := place(o.Kind)
	if i == len(kinds) {
		return invalid("kind", "kind %s of %s is none that is known", quote(string(o.Kind)), quote(o.ID))
	}
	for n, id := range append([]string{o.ID}, o.OtherIDs...) {
		if !kinds[i].id.MatchString(id) || n > listMax {
			return invalid("id", "id %s is not that of a %s", quote(id), o.Kind)
		}
	}
	if o.Name == "" || len(o.Aliases) > listMax || len(o.Platforms) > listMax || len(o.Tactics) > listMax {
		return invalid("name", "%s %s has no name, or more than %d aliases, platforms or tactics", o.Kind, o.ID, listMax)
	}
	words := slices.Concat([]string{o.Name, o.Shortname, o.First, o.Last, o.Since}, o.Aliases, o.Platforms)
	for _, s := range words {
		if len(s) > nameMax || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return invalid("name", "%s %s has a name %s that is longer than %d bytes or holds control characters", o.Kind, o.ID, quote(s), nameMax)
		}
	}
	if len(o.Text) > textMax || !utf8.ValidString(o.Text) {
		return invalid("text", "the text of %s is longer than %d bytes or no UTF-8", o.ID, textMax)
	}
	if o.Kind == Technique && len(o.Tactics) == 0 {
		return invalid("tactics", "technique %s has no tactic", o.ID)
	}
	for _, t := range o.Tactics {
		if _, ok := order[t]; !ok {
			return invalid("tactics", "tactic %s of %s is not in the catalogue", quote(t), o.ID)
		}
	}
	slices.SortFunc(o.Tactics, func(a, b string) int { return order[a] - order[b] })
	o.Tactics = slices.Compact(o.Tactics)
	return nil
}

// connect checks the relations, sorts them, drops what is said twice and indexes them by both ends.
func (c *Catalogue) connect() error {
	slices.SortFunc(c.relations, func(a, b Relation) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	c.relations = slices.Compact(c.relations)
	for _, r := range c.relations {
		from, okFrom := c.exact(r.From)
		to, okTo := c.exact(r.To)
		if !okFrom || !okTo {
			return invalid("relations", "relation %s %s %s names an object that is not in the catalogue", quote(r.From), quote(r.Type), quote(r.To))
		}
		if !slices.Contains(runs[r.Type], [2]Kind{from.Kind, to.Kind}) {
			return invalid("relations", "relation %s from a %s to a %s is none that is known", quote(r.Type), from.Kind, to.Kind)
		}
		c.from[r.From] = append(c.from[r.From], r)
		c.to[r.To] = append(c.to[r.To], r)
	}
	return nil
}

func (c *Catalogue) checkFlows() error {
	if len(c.flows) > flowsMax {
		return invalid("flows", "%d flows are more than the %d that are read", len(c.flows), flowsMax)
	}
	all := 0
	for _, f := range c.flows {
		if all += len(f.Edges); len(f.Name) > nameMax || !utf8.ValidString(f.Name) || strings.ContainsFunc(f.Name, unicode.IsControl) || all > allEdgesMax {
			return invalid("flows", "flow %s has a name longer than %d bytes or with control characters, or the flows have more than %d edges", quote(f.Name), nameMax, allEdgesMax)
		}
		for _, e := range f.Edges {
			for _, id := range e {
				if o, ok := c.exact(id); !ok || o.Kind != Technique {
					return invalid("flows", "flow %s names %s, which is no technique of the catalogue", quote(f.Name), quote(id))
				}
			}
		}
	}
	return nil
}

// exact is the object that bears id as its own.
func (c *Catalogue) exact(id string) (Object, bool) {
	i, ok := c.byID[strings.ToLower(id)]
	if !ok || c.objects[i].ID != id {
		return Object{}, false
	}
	return c.objects[i], true
}

// Lookup finds an object by its id, by an id of the other version, or by a name or alias; upper and lower case are one.
// Where two objects bear a name, it is the one whose kind comes first.
func (c *Catalogue) Lookup(idOrName string) (Object, bool) {
	key := strings.ToLower(strings.TrimSpace(idOrName))
	i, ok := c.byID[key]
	if !ok {
		i, ok = c.byName[key]
	}
	if !ok {
		return Object{}, false
	}
	return c.objects[i], true
}

// Objects are all objects of one kind by id, tactics in kill-chain order. Those that only the other version has are
// not among them: Lookup finds them.
func (c *Catalogue) Objects(kind Kind) []Object {
	var of []Object
	for _, o := range c.objects {
		if o.Kind == kind && o.Since == "" {
			of = append(of, o)
		}
	}
	return of
}

// All are the objects of every kind, those that only the other version has too.
func (c *Catalogue) All() []Object { return c.objects }

// Meant are the ids of the catalogue's own techniques that id stands for: itself; the one that has another id in the
// other version; for a technique that only the other version has, the techniques that were put under it, else its
// parent. None where the id is unknown, or where the catalogue's version has nothing like it.
func (c *Catalogue) Meant(id string) []string {
	i, ok := c.byID[strings.ToLower(id)]
	if !ok || c.objects[i].Kind != Technique {
		return nil
	}
	o := c.objects[i]
	if o.Since == "" {
		return []string{o.ID}
	}
	var own []string
	for _, child := range c.children[o.ID] {
		if o, _ := c.exact(child); o.Since == "" {
			own = append(own, child)
		}
	}
	if parent, ok := c.exact(o.Parent()); ok && parent.Since == "" {
		own = append(own, parent.ID)
	}
	return own
}

// Same are the ids that mean the same technique as id, of either version and with the parents that a version put them
// under: id itself first, then the catalogue's own. Of what is unknown it is id alone.
func (c *Catalogue) Same(id string) []string {
	same := []string{id}
	add := func(id string) {
		if !slices.Contains(same, id) {
			same = append(same, id)
		}
	}
	own := c.Meant(id)
	for _, id := range own {
		add(id)
	}
	for _, id := range own {
		o, _ := c.exact(id)
		for _, other := range o.OtherIDs {
			add(other)
			if parent, _, sub := strings.Cut(other, "."); sub {
				add(parent)
			}
		}
	}
	return same
}

// TechniquesOf are the techniques of a tactic, by id.
func (c *Catalogue) TechniquesOf(tactic string) []Object {
	t, _ := c.Lookup(tactic)
	var of []Object
	for _, o := range c.Objects(Technique) {
		if slices.Contains(o.Tactics, t.ID) {
			of = append(of, o)
		}
	}
	return of
}

// From are the relations that begin at id, by type and other end; To are those that end there.
func (c *Catalogue) From(id string) []Relation { return c.from[c.own(id)] }

// To are the relations that end at id, by type and other end.
func (c *Catalogue) To(id string) []Relation { return c.to[c.own(id)] }

// own turns the id of another version into the catalogue's.
func (c *Catalogue) own(id string) string {
	if i, ok := c.byID[strings.ToLower(id)]; ok {
		return c.objects[i].ID
	}
	return ""
}

// Relations are all relations, by type, beginning and end.
func (c *Catalogue) Relations() []Relation { return c.relations }

// Flows are the published attack flows in which one technique of the matrix follows another.
func (c *Catalogue) Flows() []Flow { return c.flows }
