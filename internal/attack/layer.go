package attack

import (
	"slices"
	"strings"
)

// Column is one tactic of the matrix with its techniques by id.
type Column struct {
	Tactic     Object
	Techniques []Object
}

// Matrix is ATT&CK for ICS as it is drawn: tactics in kill-chain order. A technique of two tactics stands in both
// columns; sub-techniques stand in none.
func (c *Catalogue) Matrix() []Column {
	var columns []Column
	for _, t := range c.Objects(Tactic) {
		of := slices.DeleteFunc(c.TechniquesOf(t.ID), func(o Object) bool { return o.Parent() != "" })
		columns = append(columns, Column{t, of})
	}
	return columns
}

// Mark is what a layer says of one technique.
type Mark struct {
	Score   float64
	Comment string // shown when the pointer is on it; may be ""
}

// Layer is a layer of the ATT&CK Navigator, format 4.5: what its JSON is made of.
type Layer struct {
	Name        string           `json:"name"`
	Versions    LayerVersions    `json:"versions"`
	Domain      string           `json:"domain"`
	Description string           `json:"description"`
	Sorting     int              `json:"sorting"` // 3: by falling score
	Techniques  []LayerTechnique `json:"techniques"`
	Gradient    LayerGradient    `json:"gradient"`
}

// LayerVersions says what a layer was made for.
type LayerVersions struct {
	Attack    string `json:"attack"` // major version
	Navigator string `json:"navigator"`
	Layer     string `json:"layer"`
}

// LayerTechnique is one marked technique in one of its tactics.
type LayerTechnique struct {
	ID      string  `json:"techniqueID"`
	Tactic  string  `json:"tactic"` // by its short name
	Score   float64 `json:"score"`
	Comment string  `json:"comment,omitempty"`
	Enabled bool    `json:"enabled"`
}

// LayerGradient colours scores from the least to the most.
type LayerGradient struct {
	Colors []string `json:"colors"`
	Min    float64  `json:"minValue"`
	Max    float64  `json:"maxValue"`
}

// Layer makes a Navigator layer of marks by technique id; ids of the other version count for the technique they mean,
// and the greater score wins. What is marked and unknown is left out. The colours run from 0 to the greatest score.
func (c *Catalogue) Layer(name, description string, marks map[string]Mark) Layer {
	major, _, _ := strings.Cut(c.Version, ".")
	l := Layer{Name: name, Description: description, Domain: "ics-attack", Sorting: 3, Techniques: []LayerTechnique{},
		Versions: LayerVersions{Attack: major, Navigator: "5.1.0", Layer: "4.5"},
		Gradient: LayerGradient{Colors: []string{"#fff7ecff", "#fc8d59ff", "#b30000ff"}, Max: 1}}
	own := map[string]Mark{}
	ids := make([]string, 0, len(marks))
	for id := range marks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for _, meant := range c.Meant(id) {
			if had, twice := own[meant]; !twice || marks[id].Score > had.Score {
				own[meant] = marks[id]
			}
		}
	}
	for _, column := range c.Matrix() {
		for _, t := range column.Techniques {
			m, marked := own[t.ID]
			if !marked {
				continue
			}
			l.Techniques = append(l.Techniques, LayerTechnique{ID: t.ID, Tactic: column.Tactic.Shortname, Score: m.Score, Comment: m.Comment, Enabled: true})
			l.Gradient.Max = max(l.Gradient.Max, m.Score)
		}
	}
	return l
}
