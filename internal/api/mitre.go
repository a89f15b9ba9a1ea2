package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/predict"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

const mitreTag = "ATT&CK"

func (s *server) mitreRoutes(h huma.API) {
	// MITRE's notice and licence go wherever its facts go.
	h.OpenAPI().Tags = append(h.OpenAPI().Tags, &huma.Tag{Name: mitreTag, Description: "MITRE ATT&CK for ICS: what it is, what was seen of it here, and what may come. " +
		"ATT&CK® is a registered trademark of The MITRE Corporation.\n\n" + attack.Notice()})
	tags, failing := []string{mitreTag}, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	register(s, h, huma.Operation{
		OperationID: "get-attack-graph", Method: http.MethodGet, Path: "/api/mitre/graph", Tags: tags,
		Summary: "What was seen and what may come, as a graph",
		Description: "Nodes of type current are techniques that alerts have shown, where nothing else is asked for in the last 7 days of each facility's data; those of type predicted are what open predictions await. " +
			"Links of type observed go from a technique to the one that a facility showed next; predicted from where a prediction was made to what it awaits; validated to what it foresaw and was seen in time. " +
			"What mutes cover and false positives do not count. " + ofSpan,
		Errors: failing,
	}, s.attackGraph)
	register(s, h, huma.Operation{
		OperationID: "get-attack-matrix", Method: http.MethodGet, Path: "/api/mitre/matrix", Tags: tags,
		Summary: "The matrix with counts", Description: "Tactics in kill-chain order with their techniques by id. A technique of two tactics stands in both. What mutes cover and false positives do not count. " + ofSpan, Errors: failing,
	}, s.attackMatrix)
	register(s, h, huma.Operation{
		OperationID: "list-techniques", Method: http.MethodGet, Path: "/api/mitre/techniques", Tags: tags,
		Summary: "List the techniques of ATT&CK for ICS", Description: "All of them, by id.", Errors: failing,
	}, s.listTechniques)
	register(s, h, huma.Operation{
		OperationID: "get-technique", Method: http.MethodGet, Path: "/api/mitre/technique/{id}", Tags: tags,
		Summary:     "One technique with all that is related to it",
		Description: "Ids of ATT&CK for ICS 18 and of 19 both find it. MITRE's own texts are there once `breakwater attack import` has read its STIX bundle.",
		Errors:      append([]int{http.StatusNotFound}, failing...),
	}, s.getTechnique)
	register(s, h, huma.Operation{
		OperationID: "get-attack-layer", Method: http.MethodGet, Path: "/api/mitre/layer", Tags: tags,
		Summary: "What was seen and what may come, as a layer of the ATT&CK Navigator",
		Description: "A file for the Navigator's “Open existing layer”, in its format 4.5. What alerts have shown scores 100, what open predictions await the greatest probability that was said, " +
			"in percent. " + ofSpan,
		Errors: failing,
	}, s.attackLayer)
}

const ofSpan = "Of a time that is named count the alerts that went on in it and the predictions that were open in it, where they are open still or came true."

// AttackScope is what of the alerts and predictions counts.
type AttackScope struct {
	Facility []string `query:"facility" nullable:"false" maxItems:"200" example:"plant-1,plant-2" doc:"Ids of facilities; of all where absent."`
	TimeFilter
	Span string `query:"span" enum:"recent,all" example:"recent" doc:"In place of a time: recent, the last 7 days of each facility's data; all, whatever is kept. Where neither is named, the graph is of recent, the matrix and the layer of all."`
}

// sightings is the scope as the store knows it; span is what counts where the question names none.
func (f *AttackScope) sightings(span string) (attack.Sightings, error) {
	if err := checkFacilities(f.Facility); err != nil {
		return attack.Sightings{}, err
	}
	from, to, err := f.span(time.Now())
	if err != nil {
		return attack.Sightings{}, err
	}
	timed := !from.IsZero() || !to.IsZero()
	if timed && f.Span != "" {
		return attack.Sightings{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "span", Message: "span and a time are both given: use one of them"}
	}
	return attack.Sightings{Facilities: f.Facility, From: from, To: to, Recent: !timed && cmp.Or(f.Span, span) == "recent"}, nil
}

// predictor is what predicts here.
func (s *server) predictor() *predict.Predictor {
	if s.Flow.Outlook == nil {
		return predict.Builtin()
	}
	return s.Flow.Outlook.Predictor()
}

// catalogue is ATT&CK as this server knows it.
func (s *server) catalogue() *attack.Catalogue { return s.predictor().Catalogue() }

type graphNode struct {
	ID          string   `json:"id" example:"T0846" doc:"The technique's ATT&CK for ICS id."`
	Name        string   `json:"name" example:"Remote System Discovery" doc:"Its name; the id where ATT&CK for ICS does not know it."`
	Type        string   `json:"type" enum:"current,predicted" example:"current" doc:"current: it was seen. predicted: it is awaited."`
	Probability float64  `json:"probability" minimum:"0" maximum:"1" example:"1" doc:"Of what was seen 1; of what is predicted the greatest that an open prediction says."`
	Tactics     []string `json:"tactics" nullable:"false" example:"[\"Discovery\"]" doc:"Names of its tactics, in kill-chain order."`
	Alerts      int      `json:"alerts" minimum:"0" example:"2" doc:"How many alerts have shown it in that time."`

	Facilities []string   `json:"facilities" nullable:"false" example:"[\"plant-1\"]" doc:"Which facilities have shown it, by id; none where it is predicted."`
	FirstSeen  *time.Time `json:"first_seen" example:"2026-03-01T08:00:00Z" doc:"Data time at which the first of those alerts showed it; null where it is predicted, or only the engine that predicted has seen it."`
	LastSeen   *time.Time `json:"last_seen" example:"2026-03-01T08:04:10Z" doc:"Data time at which one last did; null likewise."`
}

type graphLink struct {
	Source      string  `json:"source" example:"T0846" doc:"Where it begins: the id of a node."`
	Target      string  `json:"target" example:"T0855" doc:"Where it ends."`
	Probability float64 `json:"probability" minimum:"0" maximum:"1" example:"0.21" doc:"The greatest that was said; 1 where one simply followed the other."`
	Type        string  `json:"type" enum:"observed,predicted,validated" example:"predicted" doc:"observed: one followed the other. predicted: it is awaited. validated: it was predicted, and seen in time."`
}

type attackGraph struct {
	Nodes []graphNode `json:"nodes" nullable:"false" doc:"Techniques: those seen in the order in which they first were, then those predicted, the likeliest first."`
	Links []graphLink `json:"links" nullable:"false" doc:"From technique to technique, each pair once, by source and target."`
}

func (s *server) attackGraph(ctx context.Context, f *AttackScope) (*response[attackGraph], error) {
	q, err := f.sightings("recent")
	if err != nil {
		return nil, err
	}
	seen, err := s.Graph.TechniquesSeen(ctx, q)
	if err != nil {
		return nil, err
	}
	awaited, err := s.Graph.Transitions(ctx, q.Facilities, q.From, q.To)
	if err != nil {
		return nil, err
	}
	c := s.catalogue()
	g := attackGraph{Nodes: []graphNode{}, Links: []graphLink{}}
	at := map[string]int{}
	node := func(id, kind string) *graphNode {
		i, ok := at[id]
		if !ok {
			i = len(g.Nodes)
			at[id] = i
			n := graphNode{ID: id, Name: id, Type: kind, Tactics: []string{}, Facilities: []string{}}
			if o, ok := c.Lookup(id); ok {
				n.Name, n.Tactics = o.Name, tacticNames(c, o)
			}
			g.Nodes = append(g.Nodes, n)
		}
		return &g.Nodes[i]
	}
	links := map[[2]string]graphLink{}
	link := func(from, to, kind string, probability float64) {
		l, ok := links[[2]string{from, to}]
		if ok && slices.Index(linkKinds, l.Type) < slices.Index(linkKinds, kind) {
			return
		}
		if !ok || l.Type != kind || l.Probability < probability {
			links[[2]string{from, to}] = graphLink{from, to, probability, kind}
		}
	}
	slices.SortStableFunc(seen, func(a, b attack.SeenTechnique) int { return a.First.Compare(b.First) })
	last := map[string]string{} // facility → technique
	for _, x := range seen {
		before, own := last[x.FacilityID], meant(c, x.Technique)
		for _, id := range own {
			n := node(id, "current")
			n.Probability = 1
			n.saw(x)
			if before != "" && before != id {
				link(before, id, "observed", 1)
			}
			last[x.FacilityID] = id // of several that one id stands for, the last
		}
	}
	for _, t := range awaited {
		for _, from := range meant(c, t.From) {
			for _, to := range meant(c, t.To) {
				if t.Observed {
					_, okFrom := at[from]
					if _, okTo := at[to]; okFrom && okTo && from != to {
						link(from, to, "validated", t.Probability)
					}
				} else if from != to {
					node(from, "current").Probability = 1 // the engine that predicted has seen it
					n := node(to, "predicted")
					n.Probability = max(n.Probability, t.Probability)
					link(from, to, "predicted", t.Probability)
				}
			}
		}
	}
	for _, l := range links {
		g.Links = append(g.Links, l)
	}
	slices.SortFunc(g.Links, func(a, b graphLink) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target))
	})
	slices.SortStableFunc(g.Nodes, func(a, b graphNode) int {
		if a.Type != b.Type {
			return cmp.Compare(a.Type, b.Type)
		}
		if a.Type == "predicted" {
			return cmp.Or(cmp.Compare(b.Probability, a.Probability), cmp.Compare(a.ID, b.ID))
		}
		return 0
	})
	return &response[attackGraph]{g}, nil
}

// saw adds what a facility's alerts have shown of it.
func (n *graphNode) saw(x attack.SeenTechnique) {
	n.Alerts += x.Alerts
	if !slices.Contains(n.Facilities, x.FacilityID) { // two ids of one technique
		n.Facilities = append(n.Facilities, x.FacilityID)
		slices.Sort(n.Facilities)
	}
	if n.FirstSeen == nil || x.First.Before(*n.FirstSeen) {
		n.FirstSeen = &x.First
	}
	if n.LastSeen == nil || x.Last.After(*n.LastSeen) {
		n.LastSeen = &x.Last
	}
}

// linkKinds are the types of link; of two between the same techniques the first is shown.
var linkKinds = []string{"validated", "observed", "predicted"}

// meant are the catalogue's own techniques that an id stands for; the id itself where it knows none.
func meant(c *attack.Catalogue, id string) []string {
	if own := c.Meant(id); len(own) > 0 {
		return own
	}
	return []string{id}
}

func tacticNames(c *attack.Catalogue, o attack.Object) []string {
	names := make([]string, len(o.Tactics))
	for i, id := range o.Tactics {
		t, _ := c.Lookup(id)
		names[i] = t.Name
	}
	return names
}

// standing is what is known here of one technique.
type standing struct {
	alerts, predictions int
	probability         float64 // the greatest of the open predictions
	from                string  // where that was predicted
}

// standings are those of the catalogue's own techniques that were seen or are predicted.
func (s *server) standings(ctx context.Context, f *AttackScope) (map[string]*standing, error) {
	q, err := f.sightings("all")
	if err != nil {
		return nil, err
	}
	alerts, err := s.alertsShowing(ctx, q)
	if err != nil {
		return nil, err
	}
	awaited, err := s.Graph.Transitions(ctx, q.Facilities, q.From, q.To)
	if err != nil {
		return nil, err
	}
	c, of := s.catalogue(), map[string]*standing{}
	at := func(id string) *standing {
		if of[id] == nil {
			of[id] = &standing{}
		}
		return of[id]
	}
	for technique, n := range alerts {
		for _, id := range c.Meant(technique) {
			at(id).alerts += n
		}
	}
	for _, t := range awaited {
		if t.Observed {
			continue
		}
		for _, id := range c.Meant(t.To) {
			st := at(id)
			st.predictions += t.Predictions
			if t.Probability > st.probability || st.from == "" {
				st.probability, st.from = t.Probability, t.From
			}
		}
	}
	return of, nil
}

// alertsShowing counts the alerts that have shown each technique.
func (s *server) alertsShowing(ctx context.Context, q attack.Sightings) (map[string]int, error) {
	if !q.Recent && q.From.IsZero() && q.To.IsZero() { // the index has all of them counted
		unmuted := false
		stats, err := s.Store.AlertStats(ctx, store.AlertFilter{Facilities: q.Facilities, Muted: &unmuted,
			Statuses: []breakwater.Status{breakwater.StatusNew, breakwater.StatusAcknowledged, breakwater.StatusResolved}}, time.Now())
		return stats.ByTechnique, err
	}
	seen, err := s.Graph.TechniquesSeen(ctx, q)
	alerts := map[string]int{}
	for _, x := range seen {
		alerts[x.Technique] += x.Alerts
	}
	return alerts, err
}

type matrixTechnique struct {
	ID          string  `json:"id" example:"T0846" doc:"The technique's id."`
	Name        string  `json:"name" example:"Remote System Discovery" doc:"Its name."`
	Alerts      int     `json:"alerts" minimum:"0" example:"2" doc:"Alerts that have shown it, but for those that are muted or false positives."`
	Predictions int     `json:"predictions" minimum:"0" example:"1" doc:"Open predictions that await it."`
	Probability float64 `json:"probability" minimum:"0" maximum:"1" example:"0.21" doc:"The greatest that an open prediction says; 0 where none awaits it."`
}

type matrixTactic struct {
	ID         string            `json:"id" example:"TA0102" doc:"The tactic's id."`
	Name       string            `json:"name" example:"Discovery" doc:"Its name."`
	Shortname  string            `json:"shortname" example:"discovery" doc:"Its name in layers of the Navigator."`
	Techniques []matrixTechnique `json:"techniques" nullable:"false" doc:"Its techniques, by id."`
}

type attackMatrix struct {
	Version string         `json:"version" example:"18.1" doc:"Version of ATT&CK for ICS."`
	Tactics []matrixTactic `json:"tactics" nullable:"false" doc:"The tactics, in kill-chain order."`
}

func (s *server) attackMatrix(ctx context.Context, f *AttackScope) (*response[attackMatrix], error) {
	of, err := s.standings(ctx, f)
	if err != nil {
		return nil, err
	}
	c := s.catalogue()
	m := attackMatrix{Version: c.Version, Tactics: []matrixTactic{}}
	for _, column := range c.Matrix() {
		t := matrixTactic{ID: column.Tactic.ID, Name: column.Tactic.Name, Shortname: column.Tactic.Shortname, Techniques: []matrixTechnique{}}
		for _, o := range column.Techniques {
			x := matrixTechnique{ID: o.ID, Name: o.Name}
			if st := of[o.ID]; st != nil {
				x.Alerts, x.Predictions, x.Probability = st.alerts, st.predictions, st.probability
			}
			t.Techniques = append(t.Techniques, x)
		}
		m.Tactics = append(m.Tactics, t)
	}
	return &response[attackMatrix]{m}, nil
}

type layerAnswer struct {
	Disposition string `header:"Content-Disposition" example:"attachment; filename=\"breakwater-layer.json\"" doc:"What to call the file."`
	Body        attack.Layer
}

func (s *server) attackLayer(ctx context.Context, f *AttackScope) (*layerAnswer, error) {
	of, err := s.standings(ctx, f)
	if err != nil {
		return nil, err
	}
	marks := map[string]attack.Mark{}
	for id, st := range of {
		var m attack.Mark
		var words []string
		if st.predictions > 0 {
			m.Score = 100 * st.probability
			words = append(words, fmt.Sprintf("predicted with a probability of up to %.2f, after %s", st.probability, st.from))
		}
		if st.alerts > 0 {
			m.Score = 100
			words = append([]string{"seen in " + count(st.alerts, "alert")}, words...)
		}
		m.Comment = strings.Join(words, "; ")
		marks[id] = m
	}
	where := "all facilities"
	if len(f.Facility) > 0 {
		where = strings.Join(f.Facility, ", ")
	}
	layer := s.catalogue().Layer("Breakwater: "+clip(where), "What Breakwater has seen at "+clip(where)+" (100), and what it predicts (the probability in percent).", marks)
	return &layerAnswer{`attachment; filename="breakwater-layer.json"`, layer}, nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Technique is a technique in a list. It is exported because huma passes over unexported structs that are embedded.
type Technique struct {
	ID        string   `json:"id" example:"T0855" doc:"Its id."`
	Name      string   `json:"name" example:"Unauthorized Command Message" doc:"Its name."`
	OtherIDs  []string `json:"other_ids" nullable:"false" example:"[\"T1692.001\"]" doc:"Its ids in other versions, and those of what was merged into it."`
	Tactics   []string `json:"tactics" nullable:"false" example:"[\"Impair Process Control\"]" doc:"Names of its tactics, in kill-chain order."`
	Platforms []string `json:"platforms" nullable:"false" example:"[\"Field Controller/RTU/PLC/IED\"]" doc:"The platforms that MITRE names, which for most techniques is none."`
}

func techniqueOf(c *attack.Catalogue, o attack.Object) Technique {
	return Technique{ID: o.ID, Name: o.Name, OtherIDs: orEmpty(o.OtherIDs), Tactics: tacticNames(c, o), Platforms: orEmpty(o.Platforms)}
}

// orEmpty is a list that is never null in JSON.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (s *server) listTechniques(context.Context, *struct{}) (*response[[]Technique], error) {
	c := s.catalogue()
	all := []Technique{}
	for _, o := range c.Objects(attack.Technique) {
		all = append(all, techniqueOf(c, o))
	}
	return &response[[]Technique]{all}, nil
}

type attackObject struct {
	ID   string `json:"id" example:"M0802" doc:"Its ATT&CK id."`
	Name string `json:"name" example:"Communication Authenticity" doc:"Its name."`
	Kind string `json:"kind" enum:"campaign,group,software,mitigation,asset,detection-strategy,data-component" example:"mitigation" doc:"What it is."`
}

type detectionStrategy struct {
	ID             string         `json:"id" example:"DET0797" doc:"Its ATT&CK id."`
	Name           string         `json:"name" example:"Detection of Unauthorized Command Message" doc:"Its name."`
	DataComponents []attackObject `json:"data_components" nullable:"false" doc:"The data that it needs."`
}

type techniqueDetail struct {
	Technique
	Description string              `json:"description" example:"Adversaries may send unauthorized command messages …" doc:"MITRE's text where it was imported; else what is shipped instead, and where to read on."`
	URL         string              `json:"url" example:"https://attack.mitre.org/techniques/T0855/" doc:"MITRE's page about it."`
	Version     string              `json:"version" example:"18.1" doc:"Version of ATT&CK for ICS that this is of."`
	StandsFor   []string            `json:"stands_for" nullable:"false" example:"[\"T0855\"]" doc:"Techniques of this version that it means: itself, but where only the later version has it."`
	Detection   []detectionStrategy `json:"detection" nullable:"false" doc:"How it is detected."`
	Mitigation  []attackObject      `json:"mitigation" nullable:"false" doc:"What mitigates it."`
	Assets      []attackObject      `json:"affected_assets" nullable:"false" doc:"The assets that it targets."`
	UsedBy      []attackObject      `json:"used_by" nullable:"false" doc:"Campaigns, groups and software that used it."`
}

type techniqueID struct {
	ID string `path:"id" maxLength:"64" example:"T0855" doc:"The technique's id, of ATT&CK for ICS 18 or 19."`
}

// techniqueURL is MITRE's page of a technique.
func techniqueURL(id string) string {
	return "https://attack.mitre.org/techniques/" + strings.ReplaceAll(id, ".", "/") + "/"
}

func (s *server) getTechnique(_ context.Context, in *techniqueID) (*response[techniqueDetail], error) {
	c := s.catalogue()
	o, known := c.Lookup(in.ID)
	if !known || o.Kind != attack.Technique || !breakwater.IsTechnique(strings.ToUpper(in.ID)) {
		message := fmt.Sprintf("there is no technique %s in ATT&CK for ICS %s (ids of %s are understood too): GET /api/mitre/techniques lists all", clip(in.ID), c.Version, cmp.Or(c.Also, "no other version"))
		if known {
			message = fmt.Sprintf("%s is no id of a technique but %s, a %s of ATT&CK for ICS: GET /api/mitre/techniques lists the techniques", clip(in.ID), o.Name, o.Kind)
		}
		return nil, &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: message}
	}
	d := techniqueDetail{Technique: techniqueOf(c, o), Description: o.Text, URL: techniqueURL(o.ID), Version: cmp.Or(o.Since, c.Version),
		StandsFor: orEmpty(c.Meant(o.ID)), Detection: []detectionStrategy{}, Mitigation: []attackObject{}, Assets: []attackObject{}, UsedBy: []attackObject{}}
	if d.Description == "" {
		d.Description = "MITRE's text is not shipped with Breakwater, only ids, names and relations: read it at " + d.URL + ", or have it here with `breakwater attack import ics-attack.json`."
	}
	object := func(id string) attackObject {
		o, _ := c.Lookup(id)
		return attackObject{o.ID, o.Name, string(o.Kind)}
	}
	for _, r := range c.To(o.ID) {
		switch r.Type {
		case attack.Uses:
			d.UsedBy = append(d.UsedBy, object(r.From))
		case attack.Mitigates:
			d.Mitigation = append(d.Mitigation, object(r.From))
		case attack.Detects:
			by := object(r.From)
			strategy := detectionStrategy{ID: by.ID, Name: by.Name, DataComponents: []attackObject{}}
			for _, needs := range c.From(r.From) {
				if needs.Type == attack.Needs {
					strategy.DataComponents = append(strategy.DataComponents, object(needs.To))
				}
			}
			d.Detection = append(d.Detection, strategy)
		}
	}
	for _, r := range c.From(o.ID) {
		if r.Type == attack.Targets {
			d.Assets = append(d.Assets, object(r.To))
		}
	}
	return &response[techniqueDetail]{d}, nil
}

var (
	layerWords = map[string]field{
		"name":        {doc: "What the Navigator shows on its tab.", example: "Breakwater: plant-1"},
		"versions":    {doc: "What the layer was made for."},
		"domain":      {doc: "Which matrix.", example: "ics-attack"},
		"description": {doc: "What the scores mean.", example: "What Breakwater has seen at plant-1 (100), and what it predicts (the probability in percent)."},
		"sorting":     {doc: "3: by falling score.", example: 3},
		"techniques":  {doc: "What was seen or is predicted, once for each of its tactics."},
		"gradient":    {doc: "How scores are coloured."},
	}
	layerVersionsWords = map[string]field{
		"attack":    {doc: "Major version of ATT&CK.", example: "18"},
		"navigator": {doc: "Version of the Navigator.", example: "5.1.0"},
		"layer":     {doc: "Version of the layer's format.", example: "4.5"},
	}
	layerTechniqueWords = map[string]field{
		"techniqueID": {doc: "The technique's id.", example: "T0855"},
		"tactic":      {doc: "The tactic's short name.", example: "impair-process-control"},
		"score":       {doc: "0 to 100.", example: 100},
		"comment":     {doc: "Shown when the pointer is on it.", example: "seen in 2 alerts"},
		"enabled":     {doc: "Always true.", example: true},
	}
	layerGradientWords = map[string]field{
		"colors":   {doc: "From the least score to the greatest.", example: []any{"#fff7ecff", "#fc8d59ff", "#b30000ff"}},
		"minValue": {doc: "The least score.", example: 0},
		"maxValue": {doc: "The greatest score.", example: 100},
	}
)
