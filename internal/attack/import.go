package attack

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"breakwater"
)

// counterparts gives techniques of the enterprise matrix the technique of the ICS matrix that is the same act under the
// same or nearly the same name. Published flows are told in enterprise techniques; this is how they speak of ours. The
// table is our own reading of the names, not MITRE's. A sub-technique that is not in it goes by its parent.
var counterparts = map[string]string{
	"T1189": "T0817", // Drive-by Compromise
	"T1190": "T0819", // Exploit Public-Facing Application
	"T1133": "T0822", // External Remote Services
	"T1566": "T0865", // Phishing: Spearphishing Attachment
	"T1195": "T0862", // Supply Chain Compromise
	"T1091": "T0847", // Replication Through Removable Media
	"T1059": "T0807", // Command and Scripting Interpreter: Command-Line Interface

	"T1059.001": "T0853", // PowerShell: Scripting
	"T1059.002": "T0853", // AppleScript
	"T1059.005": "T0853", // Visual Basic
	"T1059.006": "T0853", // Python
	"T1059.007": "T0853", // JavaScript

	"T1204": "T0863", // User Execution
	"T1106": "T0834", // Native API
	"T1078": "T0859", // Valid Accounts
	"T1068": "T0890", // Exploitation for Privilege Escalation
	"T1211": "T0820", // Exploitation for Defense Evasion: Exploitation for Evasion
	"T1070": "T0872", // Indicator Removal: Indicator Removal on Host
	"T1036": "T0849", // Masquerading
	"T1014": "T0851", // Rootkit
	"T1218": "T0894", // System Binary Proxy Execution
	"T1049": "T0840", // System Network Connections Discovery: Network Connection Enumeration
	"T1040": "T0842", // Network Sniffing
	"T1018": "T0846", // Remote System Discovery
	"T1082": "T0888", // System Information Discovery: Remote System Information Discovery
	"T1210": "T0866", // Exploitation of Remote Services
	"T1570": "T0867", // Lateral Tool Transfer
	"T1021": "T0886", // Remote Services
	"T1119": "T0802", // Automated Collection
	"T1213": "T0811", // Data from Information Repositories
	"T1005": "T0893", // Data from Local System
	"T1113": "T0852", // Screen Capture
	"T1557": "T0830", // Adversary-in-the-Middle
	"T1071": "T0869", // Application Layer Protocol: Standard Application Layer Protocol
	"T1090": "T0884", // Proxy: Connection Proxy
	"T1485": "T0809", // Data Destruction
	"T1498": "T0814", // Network Denial of Service
	"T1499": "T0814", // Endpoint Denial of Service
	"T1529": "T0816", // System Shutdown/Reboot: Device Restart/Shutdown
	"T1489": "T0881", // Service Stop

	"T1078.001": "T0812", // Default Accounts: Default Credentials
}

// stixKinds are the STIX types that become objects. Analytics, relationships, the matrix and the collection are read
// for what they say of those.
var stixKinds = map[string]Kind{
	"attack-pattern": Technique, "x-mitre-tactic": Tactic, "campaign": Campaign, "intrusion-set": Group, "malware": Software, "tool": Software,
	"course-of-action": Mitigation, "x-mitre-asset": Asset, "x-mitre-detection-strategy": Strategy, "x-mitre-data-component": DataComponent,
}

// stixObject is what is read of a STIX object of any type.
type stixObject struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Revoked     bool   `json:"revoked"`
	Deprecated  bool   `json:"x_mitre_deprecated"`
	References  []struct {
		Source string `json:"source_name"`
		ID     string `json:"external_id"`
	} `json:"external_references"`
	Phases []struct {
		Chain string `json:"kill_chain_name"`
		Phase string `json:"phase_name"`
	} `json:"kill_chain_phases"`
	Aliases      []string `json:"aliases"`
	MitreAliases []string `json:"x_mitre_aliases"`
	Platforms    []string `json:"x_mitre_platforms"`
	Shortname    string   `json:"x_mitre_shortname"`
	Version      string   `json:"x_mitre_version"`
	FirstSeen    string   `json:"first_seen"`
	LastSeen     string   `json:"last_seen"`
	TacticRefs   []string `json:"tactic_refs"`
	AnalyticRefs []string `json:"x_mitre_analytic_refs"`
	LogSources   []struct {
		Component string `json:"x_mitre_data_component_ref"`
	} `json:"x_mitre_log_source_references"`
	Relationship string `json:"relationship_type"`
	Source       string `json:"source_ref"`
	Target       string `json:"target_ref"`
}

// attackID is MITRE's own id of a STIX object, "" where it has none.
func (s stixObject) attackID() string {
	for _, r := range s.References {
		if r.Source == "mitre-attack" {
			return r.ID
		}
	}
	return ""
}

// Import makes a catalogue of MITRE's STIX 2.1 bundle of ATT&CK for ICS, texts included; of a list of the techniques of
// a second version, with which id became which; and of ordered pairs of techniques from attack flows. v19 and flows may
// be nil: then those that are built in are taken. Revoked and deprecated objects are left out, and relations with them;
// a revoked object's id stands for what replaced it. What is read may come from anywhere; it is bounded in size, and an
// error, of kind Invalid, says what is wrong with it.
func Import(stix, v19, flows io.Reader) (*Catalogue, error) {
	b, err := readBundle(stix)
	if err != nil {
		return nil, err
	}
	objects, err := b.objects()
	if err != nil {
		return nil, err
	}
	next, err := readNext(v19)
	if err != nil {
		return nil, err
	}
	objects = next.join(objects)
	told, err := readFlows(flows)
	if err != nil {
		return nil, err
	}
	// The ids alone decide what a flow is about: it is contracted against a catalogue without flows.
	c, err := newCatalogue(b.version, next.Version, objects, b.relations(), nil)
	if err != nil {
		return nil, err
	}
	for _, f := range told {
		if f.Edges = c.contract(f.Edges); len(f.Edges) > 0 {
			c.flows = append(c.flows, f)
		}
	}
	return c, c.checkFlows()
}

// bundle is what a STIX bundle holds, by STIX id.
type bundle struct {
	version string // of the collection, as "18.1"
	byID    map[string]stixObject
	ids     []string // in the file's order
	tactics []string // STIX ids in the matrix's order
}

// readBundle reads the objects one by one: MITRE's file has 3.5 MB, of which little is kept.
func readBundle(r io.Reader) (*bundle, error) {
	if r == nil {
		return nil, invalid("stix", "no STIX bundle is given: it is MITRE's ics-attack.json")
	}
	bad := func(err error) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "stix", Message: "the STIX bundle cannot be read as JSON: give MITRE's ics-attack.json, of at most 64 MB", Err: err}
	}
	dec := json.NewDecoder(io.LimitReader(r, bundleMax))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, bad(because(err, "it does not begin with {"))
	}
	b := &bundle{byID: map[string]stixObject{}}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, bad(err)
		}
		if key != "objects" {
			var skip json.RawMessage
			if err := dec.Decode(&skip); err != nil {
				return nil, bad(err)
			}
			continue
		}
		if t, err := dec.Token(); err != nil || t != json.Delim('[') {
			return nil, bad(because(err, "its objects are no list"))
		}
		for dec.More() {
			var o stixObject
			if err := dec.Decode(&o); err != nil {
				return nil, bad(err)
			}
			if err := b.add(o); err != nil {
				return nil, err
			}
		}
		if _, err := dec.Token(); err != nil {
			return nil, bad(err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad(err)
	}
	if len(b.tactics) == 0 || b.version == "" {
		return nil, invalid("stix", "the STIX bundle has no matrix of ATT&CK for ICS or no collection with a version: give MITRE's ics-attack.json")
	}
	return b, nil
}

// because is err, or what else is wrong where there is none.
func because(err error, wrong string) error {
	if err != nil {
		return err
	}
	return errors.New(wrong)
}

func (b *bundle) add(o stixObject) error {
	if _, twice := b.byID[o.ID]; twice || o.ID == "" {
		return invalid("stix", "the STIX bundle has two objects with the id %s, or one without an id", quote(o.ID))
	}
	if len(b.ids) == objectsMax {
		return invalid("stix", "the STIX bundle has more than %d objects", objectsMax)
	}
	b.byID[o.ID] = o
	b.ids = append(b.ids, o.ID)
	switch {
	case o.Type == "x-mitre-collection":
		b.version = o.Version
	case o.Type == "x-mitre-matrix" && len(o.References) > 0 && o.References[0].ID == "ics-attack":
		b.tactics = o.TacticRefs
	}
	return nil
}

// live is a kept object and its kind: known, neither revoked nor deprecated.
func (b *bundle) live(id string) (stixObject, Kind, bool) {
	o, ok := b.byID[id]
	kind, known := stixKinds[o.Type]
	return o, kind, ok && known && !o.Revoked && !o.Deprecated
}

// objects are the live objects; tactics come first, in the matrix's order.
func (b *bundle) objects() ([]Object, error) {
	other := map[string][]string{} // STIX id → ids of what it replaced
	for _, id := range b.ids {
		if r := b.byID[id]; r.Type == "relationship" && r.Relationship == "revoked-by" {
			old, heir := b.byID[r.Source].attackID(), b.byID[r.Target].attackID()
			if old != "" && old != heir {
				other[r.Target] = append(other[r.Target], old)
			}
		}
	}
	var all []Object
	tactics := map[string]string{} // shortname → id
	for _, id := range b.tactics {
		o, kind, ok := b.live(id)
		if !ok || kind != Tactic || o.Shortname == "" {
			return nil, invalid("stix", "the matrix of the STIX bundle names the tactic %s, which the bundle does not have", quote(id))
		}
		all = append(all, Object{ID: o.attackID(), Kind: Tactic, Name: o.Name, Shortname: o.Shortname, Text: o.Description})
		tactics[o.Shortname] = o.attackID()
	}
	for _, id := range b.ids {
		s, kind, ok := b.live(id)
		if !ok || kind == Tactic {
			continue
		}
		o := Object{ID: s.attackID(), Kind: kind, Name: s.Name, OtherIDs: other[id], Text: s.Description, First: month(s.FirstSeen), Last: month(s.LastSeen)}
		for _, name := range slices.Concat(s.Aliases, s.MitreAliases) {
			if name != s.Name {
				o.Aliases = append(o.Aliases, name)
			}
		}
		for _, p := range s.Platforms {
			if p != "None" { // how MITRE writes that it names none
				o.Platforms = append(o.Platforms, p)
			}
		}
		for _, p := range s.Phases {
			if p.Chain == "mitre-ics-attack" {
				o.Tactics = append(o.Tactics, tactics[p.Phase])
			}
		}
		all = append(all, o)
	}
	return all, nil
}

// month is the month of a STIX time, "" where there is none.
func month(stamp string) string {
	if len(stamp) < len("2015-12") {
		return ""
	}
	return stamp[:len("2015-12")]
}

// relations are the relations among live objects, those by analytics included.
func (b *bundle) relations() []Relation {
	var all []Relation
	add := func(from, relation, to string) {
		f, fromKind, okFrom := b.live(from)
		t, toKind, okTo := b.live(to)
		if okFrom && okTo && slices.Contains(runs[relation], [2]Kind{fromKind, toKind}) {
			all = append(all, Relation{f.attackID(), relation, t.attackID()})
		}
	}
	for _, id := range b.ids {
		o := b.byID[id]
		if o.Type == "relationship" && !o.Revoked && !o.Deprecated {
			add(o.Source, o.Relationship, o.Target)
		}
		if o.Type == "x-mitre-detection-strategy" {
			for _, analytic := range o.AnalyticRefs {
				for _, l := range b.byID[analytic].LogSources {
					add(id, Needs, l.Component)
				}
			}
		}
	}
	return all
}

// next is the list of the techniques of the following version.
type next struct {
	Version    string                   `json:"attack_version"`
	Techniques map[string]nextTechnique `json:"techniques"`
	Alias      map[string]string        `json:"alias_18_1_to_19_1"` // older id → newer id
}

type nextTechnique struct {
	Name    string   `json:"name"`
	Tactics []string `json:"tactics"`
}

func readNext(r io.Reader) (*next, error) {
	var n next
	if r != nil {
		return &n, decode(r, "v19", "the list of techniques of the other version", &n)
	}
	built := Builtin()
	n.Version, n.Alias, n.Techniques = built.Also, map[string]string{}, map[string]nextTechnique{}
	for _, o := range built.objects {
		if o.Kind != Technique {
			continue
		}
		if o.Since != "" {
			n.Techniques[o.ID] = nextTechnique{o.Name, o.Tactics}
		}
		for _, id := range o.OtherIDs {
			n.Alias[o.ID] = id
		}
	}
	return &n, nil
}

// join gives objects their ids in the other version, and adds what only that one has.
func (n *next) join(objects []Object) []Object {
	at := map[string]int{}
	for i, o := range objects {
		at[o.ID] = i
	}
	for _, older := range slices.Sorted(maps.Keys(n.Alias)) {
		newer := n.Alias[older]
		i, hasOlder := at[older]
		j, hasNewer := at[newer]
		switch {
		case hasOlder && !hasNewer:
			objects[i].OtherIDs = append(objects[i].OtherIDs, newer)
			at[newer] = i
		case hasNewer && !hasOlder:
			objects[j].OtherIDs = append(objects[j].OtherIDs, older)
			at[older] = j
		}
	}
	for _, id := range slices.Sorted(maps.Keys(n.Techniques)) {
		if _, known := at[id]; !known {
			t := n.Techniques[id]
			objects = append(objects, Object{ID: id, Kind: Technique, Name: t.Name, Tactics: slices.Clone(t.Tactics), Since: n.Version})
		}
	}
	return objects
}

// readFlows reads flows as they are told: in techniques of any matrix.
func readFlows(r io.Reader) ([]Flow, error) {
	if r == nil {
		return slices.Clone(Builtin().flows), nil
	}
	var file struct {
		Flows []struct {
			Name  string      `json:"flow"`
			Edges [][2]string `json:"edges"`
		} `json:"flows"`
	}
	if err := decode(r, "flows", "the file of attack flows", &file); err != nil {
		return nil, err
	}
	if len(file.Flows) > flowsMax {
		return nil, invalid("flows", "%d flows are more than the %d that are read", len(file.Flows), flowsMax)
	}
	var flows []Flow
	for _, f := range file.Flows {
		if len(f.Edges) > flowEdgesMax {
			return nil, invalid("flows", "flow %s has more than %d edges", quote(f.Name), flowEdgesMax)
		}
		flows = append(flows, Flow{f.Name, f.Edges})
	}
	return flows, nil
}

// decode reads one JSON value of bounded size.
func decode(r io.Reader, field, what string, to any) error {
	if err := json.NewDecoder(io.LimitReader(r, bundleMax)).Decode(to); err != nil {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: what + " cannot be read as JSON of at most 64 MB", Err: err}
	}
	return nil
}

// contract turns a flow told in techniques of any matrix into one told in the catalogue's: a technique that has no
// counterpart is passed through, so that what came before it comes before what followed it.
func (c *Catalogue) contract(edges [][2]string) [][2]string {
	after := map[string][]string{}
	for _, e := range edges {
		after[e[0]] = append(after[e[0]], e[1])
	}
	var kept [][2]string
	for from := range after {
		ours := c.counterpart(from)
		if ours == "" {
			continue
		}
		seen, todo := map[string]bool{from: true}, slices.Clone(after[from])
		for len(todo) > 0 {
			id := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[id] {
				continue
			}
			seen[id] = true
			switch to := c.counterpart(id); to {
			case "":
				todo = append(todo, after[id]...)
			case ours:
			default:
				kept = append(kept, [2]string{ours, to})
			}
		}
	}
	slices.SortFunc(kept, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	return slices.Compact(kept)
}

// counterpart is the catalogue's technique that a technique of any matrix is, "" where there is none.
func (c *Catalogue) counterpart(id string) string {
	parent, _, _ := strings.Cut(id, ".")
	for _, id := range []string{id, parent} {
		for _, id := range []string{id, counterparts[id]} {
			if o, ok := c.Lookup(id); ok && o.Kind == Technique && o.Since == "" {
				return o.ID
			}
		}
	}
	return ""
}
