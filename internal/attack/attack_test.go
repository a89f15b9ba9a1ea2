package attack

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

var update = flag.Bool("update", false, "write data/ics.json anew from the shared bundle")

const shared = "../../../shared/data/attack/"

// open opens a shared file, or skips the test.
func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Open(shared + name)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not there: the sources of the catalogue are not part of the project", shared+name)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func imported(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Import(open(t, "ics-attack.json"), open(t, "ics-techniques-19.1.json"), open(t, "attack-flow-edges.json"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func written(t *testing.T, c *Catalogue, texts bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b, texts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestShipped(t *testing.T) {
	c := imported(t)
	want := written(t, c, false)
	if *update {
		if err := os.WriteFile("data/ics.json", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(builtin)); diff != "" {
		t.Errorf("data/ics.json is not what Import makes of the bundle; write it anew with -update (-made, +shipped):\n%s", diff)
	}
}

// TestAgainstBundle reads the bundle by other code than Import does and compares every technique and relation.
func TestAgainstBundle(t *testing.T) {
	var raw struct {
		Objects []map[string]any `json:"objects"`
	}
	if err := json.NewDecoder(open(t, "ics-attack.json")).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	id, names := map[string]string{}, map[string]string{}
	for _, o := range raw.Objects {
		if o["revoked"] == true || o["x_mitre_deprecated"] == true || o["type"] == "relationship" || o["type"] == "x-mitre-matrix" || o["type"] == "x-mitre-analytic" {
			continue
		}
		references, _ := o["external_references"].([]any)
		for _, r := range references {
			if r := r.(map[string]any); r["source_name"] == "mitre-attack" {
				id[o["id"].(string)] = r["external_id"].(string)
				names[r["external_id"].(string)] = o["name"].(string)
			}
		}
	}
	want := map[string]bool{}
	counts := map[string]int{}
	for _, o := range raw.Objects {
		if o["type"] != "relationship" {
			continue
		}
		from, to := id[o["source_ref"].(string)], id[o["target_ref"].(string)]
		if from == "" || to == "" {
			continue
		}
		want[from+" "+o["relationship_type"].(string)+" "+to] = true
		counts[o["relationship_type"].(string)]++
	}

	c := Builtin()
	got, gotCounts := map[string]bool{}, map[string]int{}
	for _, r := range c.Relations() {
		if r.Type != Needs {
			got[r.From+" "+r.Type+" "+r.To] = true
			gotCounts[r.Type]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("relations (-bundle, +catalogue):\n%s", diff)
	}
	if diff := cmp.Diff(counts, gotCounts); diff != "" {
		t.Errorf("relations of each type (-bundle, +catalogue):\n%s", diff)
	}
	gotNames := map[string]string{}
	for _, k := range kinds {
		for _, o := range c.Objects(k.kind) {
			gotNames[o.ID] = o.Name
		}
	}
	if diff := cmp.Diff(names, gotNames); diff != "" {
		t.Errorf("names (-bundle, +catalogue):\n%s", diff)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	c := Builtin()
	want := map[Kind]int{Technique: 83, Tactic: 12, Campaign: 7, Group: 14, Software: 23, Mitigation: 52, Asset: 18, Strategy: 83, DataComponent: 36}
	got := map[Kind]int{}
	for kind := range want {
		got[kind] = len(c.Objects(kind))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects of each kind (-want, +got):\n%s", diff)
	}
	if c.Version != "18.1" || c.Also != "19.1" {
		t.Errorf("versions %s and %s, want 18.1 and 19.1", c.Version, c.Also)
	}
	for _, o := range c.objects {
		if o.Text != "" {
			t.Errorf("%s has a text: the built-in catalogue holds facts only", o.ID)
		}
	}
	if !strings.Contains(Notice(), "© 2025 The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation.") {
		t.Error("the notice lacks MITRE's copyright designation")
	}
	if len(c.Flows()) == 0 {
		t.Error("no attack flow is told in techniques of the matrix")
	}
}

// TestNextVersion holds every id of the two versions to resolve.
func TestNextVersion(t *testing.T) {
	var next next
	if err := json.NewDecoder(open(t, "ics-techniques-19.1.json")).Decode(&next); err != nil {
		t.Fatal(err)
	}
	c := Builtin()
	for id, technique := range next.Techniques {
		o, ok := c.Lookup(id)
		if !ok || o.Kind != Technique {
			t.Errorf("%s %s of 19.1 does not resolve", id, technique.Name)
		}
		if o.ID == id && o.Name != technique.Name {
			t.Errorf("%s is %s in 19.1, and %s here", id, technique.Name, o.Name)
		}
	}
	for older, newer := range next.Alias {
		a, _ := c.Lookup(older)
		b, _ := c.Lookup(newer)
		if a.ID != older || b.ID != older {
			t.Errorf("%s and %s are %q and %q, want one technique", older, newer, a.ID, b.ID)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	tests := []struct{ ask, want string }{
		{"T0855", "T0855"},
		{"t0855", "T0855"},
		{"T1692.001", "T0855"}, // its id in 19.1
		{"T0846.001", "T0846.001"},
		{"Unauthorized Command Message", "T0855"},
		{"crashoverride", "S0604"},
		{"APT44", "G0034"},
		{"TA0106", "TA0106"},
		{" Historian ", ""},
		{"T9999", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if o, ok := Builtin().Lookup(tt.ask); o.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("Lookup(%q) = %q, %v, want %q", tt.ask, o.ID, ok, tt.want)
		}
	}
}

func TestMeant(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ask  string
		want []string
	}{
		{"T0855", []string{"T0855"}},
		{"T1692.001", []string{"T0855"}},
		{"T1692", []string{"T0855", "T0856"}}, // Unauthorized Message: Command and Reporting
		{"T0846.001", []string{"T0846"}},      // a new sub-technique of an old technique
		{"T1695.003", nil},                    // Block Communications: Wi-Fi is new altogether
		{"S0604", nil},
		{"T9999", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, Builtin().Meant(tt.ask)); diff != "" {
			t.Errorf("Meant(%q) (-want, +got):\n%s", tt.ask, diff)
		}
	}
}

func TestRelationsBothWays(t *testing.T) {
	t.Parallel()
	c := Builtin()
	n := 0
	for _, r := range c.Relations() {
		if !slices.Contains(c.From(r.From), r) || !slices.Contains(c.To(r.To), r) {
			t.Errorf("%v is not found from both its ends", r)
		}
		n++
	}
	for _, o := range c.objects {
		n -= len(c.From(o.ID))
	}
	if n != 0 {
		t.Errorf("From has %d relations less than Relations", n)
	}
	if got := c.To("T1692.001"); len(got) == 0 || !slices.Equal(got, c.To("T0855")) {
		t.Errorf("To(T1692.001) = %v, want the relations of T0855", got)
	}
	if got := c.From("C0025"); !slices.Contains(got, Relation{"C0025", AttributedTo, "G0034"}) {
		t.Errorf("From(C0025) = %v, want it attributed to G0034", got)
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	m := Builtin().Matrix()
	var order []string
	cells, seen := 0, map[string]bool{}
	for _, column := range m {
		order = append(order, column.Tactic.Name)
		for _, o := range column.Techniques {
			cells++
			seen[o.ID] = true
		}
	}
	want := []string{"Initial Access", "Execution", "Persistence", "Privilege Escalation", "Evasion", "Discovery", "Lateral Movement", "Collection",
		"Command and Control", "Inhibit Response Function", "Impair Process Control", "Impact"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("tactics (-want, +got):\n%s", diff)
	}
	if cells != 94 || len(seen) != 83 { // 72 techniques of one tactic, 11 of two
		t.Errorf("the matrix has %d cells of %d techniques, want 94 of 83", cells, len(seen))
	}
}

func TestLayer(t *testing.T) {
	t.Parallel()
	l := Builtin().Layer("north", "alerts", map[string]Mark{
		"T0858": {Score: 2, Comment: "2 alerts"}, "T1692.001": {Score: 7}, "T0855": {Score: 3}, "T9999": {Score: 100},
	})
	got, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "layer.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("layer (-want, +got):\n%s", diff)
	}
}

// TestRules holds the techniques that the shipped rules name against the catalogue.
func TestRules(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../detect/rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rule is found (%v)", err)
	}
	pair := regexp.MustCompile(`(?m)^technique: *(\S+) *\ntechnique_name: *(.+?) *$`)
	named := regexp.MustCompile(`(?m)^technique:`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := pair.FindAllSubmatch(text, -1)
		if len(found) != len(named.FindAll(text, -1)) {
			t.Errorf("%s: a technique stands without its name in the line below", file)
		}
		for _, m := range found {
			if o, ok := Builtin().Lookup(string(m[1])); !ok || o.Kind != Technique || o.Name != strings.Trim(string(m[2]), `"'`) {
				t.Errorf("%s: %s is %q there and %q in ATT&CK", file, m[1], m[2], o.Name)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	c := imported(t)
	with, without := written(t, c, true), written(t, c, false)
	if o, _ := c.Lookup("T0855"); o.Text == "" || !strings.Contains(with, `"text"`) || strings.Contains(without, `"text"`) {
		t.Errorf("Import keeps texts %v, Write writes them %v and leaves them out %v", o.Text != "", strings.Contains(with, `"text"`), !strings.Contains(without, `"text"`))
	}
	again, err := Read(strings.NewReader(with))
	if err != nil {
		t.Fatal(err)
	}
	if written(t, again, true) != with {
		t.Error("what Write wrote and Read read is written otherwise")
	}
	// A user has MITRE's bundle alone: the rest is taken from what is built in.
	alone, err := Import(open(t, "ics-attack.json"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(with, written(t, alone, true)); diff != "" {
		t.Errorf("the bundle alone makes another catalogue (-all three, +alone):\n%s", diff)
	}
}

// small is a bundle that is right but for what edit does to it.
func small(edit func(objects map[string]map[string]any)) string {
	ref := func(id string) []any { return []any{map[string]any{"source_name": "mitre-attack", "external_id": id}} }
	objects := map[string]map[string]any{
		"collection": {"type": "x-mitre-collection", "id": "x-mitre-collection--1", "x_mitre_version": "20.0"},
		"matrix":     {"type": "x-mitre-matrix", "id": "x-mitre-matrix--1", "external_references": ref("ics-attack"), "tactic_refs": []any{"x-mitre-tactic--1"}},
		"tactic":     {"type": "x-mitre-tactic", "id": "x-mitre-tactic--1", "name": "Impact", "x_mitre_shortname": "impact", "external_references": ref("TA0105")},
		"technique": {"type": "attack-pattern", "id": "attack-pattern--1", "name": "Loss of View", "external_references": ref("T0829"),
			"kill_chain_phases": []any{map[string]any{"kill_chain_name": "mitre-ics-attack", "phase_name": "impact"}}},
		"software": {"type": "malware", "id": "malware--1", "name": "Industroyer", "external_references": ref("S0604")},
		"uses":     {"type": "relationship", "id": "relationship--1", "relationship_type": "uses", "source_ref": "malware--1", "target_ref": "attack-pattern--1"},
	}
	edit(objects)
	list := []any{}
	for _, name := range []string{"collection", "matrix", "tactic", "technique", "software", "uses", "more"} {
		if o, ok := objects[name]; ok {
			list = append(list, o)
		}
	}
	b, err := json.Marshal(map[string]any{"type": "bundle", "objects": list})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestImportSmall(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(o map[string]map[string]any)
		bad  string // the field that the error names; "": it is read
		have []Relation
	}{
		{"whole", func(map[string]map[string]any) {}, "", []Relation{{"S0604", Uses, "T0829"}}},
		{"revoked software takes its relations with it", func(o map[string]map[string]any) { o["software"]["revoked"] = true }, "", nil},
		{"a relation to what is not there", func(o map[string]map[string]any) { o["uses"]["target_ref"] = "attack-pattern--9" }, "", nil},
		{"a relation of an unknown type", func(o map[string]map[string]any) { o["uses"]["relationship_type"] = "hates" }, "", nil},
		{"an unknown type of object", func(o map[string]map[string]any) { o["software"]["type"] = "x-other" }, "", nil},
		{"no matrix", func(o map[string]map[string]any) { delete(o, "matrix") }, "stix", nil},
		{"no version", func(o map[string]map[string]any) { delete(o, "collection") }, "stix", nil},
		{"the matrix of another domain", func(o map[string]map[string]any) {
			o["matrix"]["external_references"] = []any{map[string]any{"external_id": "enterprise-attack"}}
		}, "stix", nil},
		{"a tactic that is not there", func(o map[string]map[string]any) { delete(o, "tactic") }, "stix", nil},
		{"two objects of one STIX id", func(o map[string]map[string]any) { o["more"] = o["software"] }, "stix", nil},
		{"two objects of one ATT&CK id", func(o map[string]map[string]any) {
			o["more"] = map[string]any{"type": "malware", "id": "malware--2", "name": "Other", "external_references": o["software"]["external_references"]}
		}, "id", nil},
		{"an id of another kind", func(o map[string]map[string]any) {
			o["software"]["external_references"] = []any{map[string]any{"source_name": "mitre-attack", "external_id": "T0604"}}
		}, "id", nil},
		{"no id", func(o map[string]map[string]any) { delete(o["software"], "external_references") }, "id", nil},
		{"no name", func(o map[string]map[string]any) { o["software"]["name"] = "" }, "name", nil},
		{"a name with a control character", func(o map[string]map[string]any) { o["software"]["name"] = "In\x1bdustroyer" }, "name", nil},
		{"a long name", func(o map[string]map[string]any) { o["software"]["name"] = strings.Repeat("x", nameMax+1) }, "name", nil},
		{"a long text", func(o map[string]map[string]any) { o["software"]["description"] = strings.Repeat("x", textMax+1) }, "text", nil},
		{"a technique without a tactic", func(o map[string]map[string]any) { delete(o["technique"], "kill_chain_phases") }, "tactics", nil},
		{"many aliases", func(o map[string]map[string]any) {
			o["software"]["aliases"] = strings.Split(strings.Repeat("x,", listMax+1), ",")
		}, "name", nil},
		{"a name that is no text", func(o map[string]map[string]any) { o["software"]["name"] = 7 }, "stix", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The flows that are built in name techniques that so small a bundle does not have.
			c, err := Import(strings.NewReader(small(tt.edit)), strings.NewReader(`{}`), strings.NewReader(`{}`))
			if tt.bad != "" {
				if e, ok := errors.AsType[*breakwater.Error](err); !ok || e.Kind != breakwater.Invalid || e.Field != tt.bad {
					t.Fatalf("error %v, want one of kind Invalid about %s", err, tt.bad)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.have, c.Relations()); diff != "" {
				t.Errorf("relations (-want, +got):\n%s", diff)
			}
		})
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	whole := small(func(map[string]map[string]any) {})
	for name, stix := range map[string]io.Reader{
		"nothing": nil, "no JSON": strings.NewReader("PK"), "a list": strings.NewReader("[]"), "cut": strings.NewReader(whole[:len(whole)/2]),
		"deep": strings.NewReader(`{"objects":[` + strings.Repeat(`[`, 20_000)), "no objects": strings.NewReader(`{"objects":{}}`),
	} {
		if _, err := Import(stix, nil, nil); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("%s: error %v, want one of kind Invalid", name, err)
		}
	}
	many := `{"flows":[{"flow":"x","edges":[` + strings.Repeat(`["T0829","T0829"],`, flowEdgesMax) + `["T0829","T0829"]]}]}`
	if _, err := Import(strings.NewReader(whole), strings.NewReader(`{}`), strings.NewReader(many)); breakwater.KindOf(err) != breakwater.Invalid {
		t.Errorf("a flow of %d edges: error %v, want one of kind Invalid", flowEdgesMax+1, err)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		edges string // "earlier>later earlier>later"
		want  string
	}{
		{"both have a counterpart", "T1190>T1059.001", "T0819>T0853"},
		{"one without stands between", "T1190>T1105 T1105>T1486 T1486>T1489", "T0819>T0881"},
		{"a loop", "T1190>T1105 T1105>T1486 T1486>T1105 T1105>T1190", ""},
		{"the same technique twice", "T1021.001>T1105 T1105>T1021.002", ""},
		{"the matrix's own ids, of both versions", "T0866>T1692.001", "T0866>T0855"},
		{"nothing known", "T1105>T1486", ""},
	}
	for _, tt := range tests {
		var edges [][2]string
		for _, e := range strings.Fields(tt.edges) {
			from, to, _ := strings.Cut(e, ">")
			edges = append(edges, [2]string{from, to})
		}
		var got []string
		for _, e := range Builtin().contract(edges) {
			got = append(got, e[0]+">"+e[1])
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
	}
}

func TestCounterpartsAreKnown(t *testing.T) {
	t.Parallel()
	for enterprise, ours := range counterparts {
		if o, ok := Builtin().Lookup(ours); !ok || o.ID != ours || o.Kind != Technique {
			t.Errorf("%s has the counterpart %s, which is no technique", enterprise, ours)
		}
	}
}

// FuzzImport feeds bundles that were tampered with: an error or a catalogue that can be written, read and walked.
func FuzzImport(f *testing.F) {
	f.Add(small(func(map[string]map[string]any) {}), `{}`, `{"flows":[{"flow":"x","edges":[["T0829","T1489"]]}]}`)
	f.Add(`{"objects":[]}`, `{"techniques":{"T1692":{"name":"x","tactics":["TA0105"]}},"alias_18_1_to_19_1":{"T0829":"T1692"}}`, `{}`)
	f.Fuzz(func(t *testing.T, stix, v19, flows string) {
		c, err := Import(strings.NewReader(stix), strings.NewReader(v19), strings.NewReader(flows))
		if err != nil {
			if breakwater.KindOf(err) != breakwater.Invalid {
				t.Fatalf("error %v is not of kind Invalid", err)
			}
			return
		}
		text := written(t, c, true)
		again, err := Read(strings.NewReader(text))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, text)
		}
		if again := written(t, again, true); again != text {
			t.Fatalf("written, read and written again:\n%s\n%s", text, again)
		}
		for _, o := range c.Objects(Technique) {
			if got := c.Meant(o.ID); len(got) != 1 || got[0] != o.ID {
				t.Fatalf("Meant(%s) = %v", o.ID, got)
			}
		}
		c.Layer("x", "", map[string]Mark{"T0829": {Score: 1}})
	})
}

// FuzzRead is the same for the catalogue's own form.
func FuzzRead(f *testing.F) {
	f.Add(`{"version":"1","objects":[{"id":"TA0105","kind":"tactic","name":"Impact"},{"id":"T0829","kind":"technique","name":"x","tactics":["TA0105"]}],"relations":{},"flows":[]}`)
	f.Add(fmt.Sprintf(`{"objects":[%s]}`, strings.Repeat(`{"id":"S0001","kind":"software","name":"x"},`, 3)))
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := Read(strings.NewReader(s)); err == nil {
			c.Matrix()
		} else if breakwater.KindOf(err) != breakwater.Invalid {
			t.Fatalf("error %v is not of kind Invalid", err)
		}
	})
}

func TestSame(t *testing.T) {
	t.Parallel()
	c := Builtin()
	for id, want := range map[string]string{
		"T0855": "T0855 T1692.001 T1692", "T1692.001": "T1692.001 T0855 T1692", "T0846": "T0846", "T9999": "T9999", "T1059": "T1059",
	} {
		if got := strings.Join(c.Same(id), " "); got != want {
			t.Errorf("%s is the same as %s, want %s", id, got, want)
		}
	}
	parent := c.Same("T1692")
	if parent[0] != "T1692" || !slices.Contains(parent, "T0855") || len(parent) < 4 {
		t.Errorf("T1692 is the same as %v", parent)
	}
}
