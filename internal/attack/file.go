package attack

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"sync"

	"breakwater"
)

//go:embed data/ics.json
var builtin []byte

//go:embed data/NOTICE.md
var notice string

// Notice is MITRE's notice and licence, which go wherever the catalogue goes.
func Notice() string { return notice }

// Builtin is the catalogue that the program brings: version 18.1, with the ids of 19.1, without texts.
var Builtin = sync.OnceValue(func() *Catalogue {
	c, err := Read(bytes.NewReader(builtin))
	if err != nil {
		panic("the built-in ATT&CK catalogue: " + err.Error()) // a test reads it
	}
	return c
})

// file is a catalogue as JSON. Relations stand by type and beginning, so that an id is not said a thousand times.
type file struct {
	Version   string                         `json:"version"`
	Also      string                         `json:"also,omitempty"`
	Objects   []Object                       `json:"objects"`
	Relations map[string]map[string][]string `json:"relations"` // type → from → to
	Flows     []Flow                         `json:"flows"`
}

// Read reads what Write wrote. The error is of kind Invalid.
func Read(r io.Reader) (*Catalogue, error) {
	var f file
	if err := decode(r, "catalogue", "the ATT&CK catalogue", &f); err != nil {
		return nil, err
	}
	if len(f.Objects) > objectsMax {
		return nil, invalid("objects", "%d objects are more than the %d that are read", len(f.Objects), objectsMax)
	}
	var relations []Relation
	for kind, from := range f.Relations {
		for id, to := range from {
			for _, t := range to {
				relations = append(relations, Relation{id, kind, t})
			}
		}
	}
	return newCatalogue(f.Version, f.Also, f.Objects, relations, f.Flows)
}

// Write writes the catalogue as JSON, one object or one beginning of relations a line; with texts or, as the built-in
// file is, without. The same catalogue gives the same bytes.
func (c *Catalogue) Write(w io.Writer, texts bool) error {
	var b bytes.Buffer
	line := func(v any) { // what is written is strings, and they are checked: it can be marshalled
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			panic(err)
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteString(`{"version":`)
	line(c.Version)
	b.WriteString(`,"also":`)
	line(c.Also)
	b.WriteString(",\n\"objects\":[")
	for i, o := range c.objects {
		if !texts {
			o.Text = ""
		}
		b.WriteString(separator(i))
		line(o)
	}
	b.WriteString("\n],\n\"relations\":{")
	for i := 0; i < len(c.relations); {
		kind := c.relations[i].Type
		b.WriteString(separator(i))
		line(kind)
		b.WriteString(":{")
		for first := i; i < len(c.relations) && c.relations[i].Type == kind; {
			b.WriteString(separator(i - first))
			from := c.relations[i].From
			line(from)
			b.WriteString(":")
			var to []string
			for ; i < len(c.relations) && c.relations[i].Type == kind && c.relations[i].From == from; i++ {
				to = append(to, c.relations[i].To)
			}
			line(to)
		}
		b.WriteString("}")
	}
	b.WriteString("\n},\n\"flows\":[")
	for i, f := range c.flows {
		b.WriteString(separator(i))
		line(f)
	}
	b.WriteString("\n]}\n")
	if _, err := w.Write(b.Bytes()); err != nil {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "the ATT&CK catalogue cannot be written: is there space, and may this user write there?", Err: err}
	}
	return nil
}

// separator stands before the i-th element of a list that has one element a line.
func separator(i int) string {
	if i == 0 {
		return "\n"
	}
	return ",\n"
}
