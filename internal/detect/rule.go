package detect

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/vm"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"breakwater"
)

//go:embed rules/*.yaml
var shipped embed.FS

// The bounds of a rule file. A rule is written by an engineer, but may be sent by anybody who reaches the API.
const (
	fileMax     = 16 << 10 // bytes
	lineMax     = 2 << 10  // bytes in a line: bounds how deep lists can nest, which the YAML parser follows by recursion
	linesMax    = 400
	bracketsMax = 256 // opening ones, also those in texts: 16 kB of them cost the YAML parser seconds
	examplesMax = 32  // of each sort
	atLeastMax  = 10_000
	distinctMax = 256 // values that a distinct count keeps for one key
	overMax     = time.Hour
)

// Rule is one detector of layer 1: what it is asked about, when it fires, and what it then says.
type Rule struct {
	ID         string              `yaml:"id"`
	Title      string              `yaml:"title"`    // a few words; a template like Describe
	On         []string            `yaml:"on"`       // the signals it is asked about: a key of signals
	When       string              `yaml:"when"`     // an expression over the fields of facts; "" is always
	Count      *Count              `yaml:"count"`    // nil: every time
	Asset      string              `yaml:"asset"`    // what the detection is about: client, server or device
	Severity   breakwater.Severity `yaml:"severity"` //
	Confidence float64             `yaml:"confidence"`

	Technique     string `yaml:"technique"` // ATT&CK for ICS
	TechniqueName string `yaml:"technique_name"`

	Describe   string   `yaml:"describe"` // one sentence with figures; {words} are those of words
	LookAt     string   `yaml:"look_at"`
	Why        string   `yaml:"why"`
	References []string `yaml:"references"`
	Examples   Examples `yaml:"examples"`

	signals         signal
	program         *vm.Program // of When
	title, describe template
	text            []byte // the file
	hash            string
}

// Text is the rule as it was read.
func (r *Rule) Text() string { return string(r.text) }

// Hash tells rules apart by their text: the first 16 hexadecimal digits of its SHA-256.
func (r *Rule) Hash() string { return r.hash }

// Count makes a rule fire only when enough of what it is asked about has come.
type Count struct {
	What    string        `yaml:"what"` // "number", or "distinct(x)" with x one of server, client, port, function, address, mac
	By      []string      `yaml:"by"`   // counted apart for each: client, server, device
	Over    time.Duration `yaml:"over"`
	AtLeast int           `yaml:"at_least"`
	// Learned > 0 raises the bar to so many times what was learned as the most for the same By. Such a rule is
	// silent while learning.
	Learned float64 `yaml:"learned"`

	distinct string // x, "" for number
}

// RulesHash tells sets of rules apart by their rules' hashes, in order.
func RulesHash(rules []*Rule) string {
	h := sha256.New()
	for _, r := range rules {
		h.Write([]byte(r.hash))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Examples show what a rule is about, and are run by Check.
type Examples struct {
	MustFire    []Example `yaml:"must_fire"`
	MustNotFire []Example `yaml:"must_not_fire"`
}

// Example is a few events in the compact form that parseEvents reads, and what was learned before them.
type Example struct {
	Name    string   `yaml:"name"`
	Learned []string `yaml:"learned"`
	Events  []string `yaml:"events"`
}

// Shipped is the rules that come with the program, by id.
func Shipped() ([]*Rule, error) { return readShipped() }

// Compiling a rule costs about a tenth of a millisecond, and a server makes a sensor per capture.
var readShipped = sync.OnceValues(func() ([]*Rule, error) {
	var rules []*Rule
	err := fs.WalkDir(shipped, "rules", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := shipped.ReadFile(name)
		if err != nil {
			return err
		}
		r, err := ParseRule(text, name)
		if err != nil {
			return err
		}
		if want := strings.TrimSuffix(path.Base(name), ".yaml"); r.ID != want {
			return invalid("id", nil, "%s: id is %q, and must be the file's name, %q", name, r.ID, want)
		}
		rules = append(rules, r)
		return nil
	})
	return rules, err
})

// ParseRule reads and checks one rule file; name stands for it in messages. Whatever the text is, it costs a bounded
// time and memory. The error is of kind Invalid or TooLarge and names file, line and key.
func ParseRule(text []byte, name string) (r *Rule, err error) {
	if len(text) > fileMax || bytes.Count(text, []byte("\n")) > linesMax {
		return nil, &breakwater.Error{Kind: breakwater.TooLarge, Message: fmt.Sprintf("%s: a rule file has at most %d bytes and %d lines", name, fileMax, linesMax)}
	}
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > bracketsMax {
		return nil, &breakwater.Error{Kind: breakwater.TooLarge, Message: fmt.Sprintf("%s: a rule file has at most %d opening brackets", name, bracketsMax)}
	}
	for i, line := range strings.Split(string(text), "\n") {
		if len(line) > lineMax {
			return nil, &breakwater.Error{Kind: breakwater.TooLarge, Message: fmt.Sprintf("%s line %d: a line has at most %d bytes", name, i+1, lineMax)}
		}
	}
	// The YAML parser is not ours and has panicked on broken input in past versions.
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, invalid("", fmt.Errorf("%v", p), "%s: this is not YAML", name)
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, atLine(name, err)
	}
	lines, err := keyLines(file)
	if err != nil {
		return nil, atLine(name, err)
	}
	r = &Rule{}
	if err := yaml.NodeToValue(file.Docs[0].Body, r, yaml.Strict()); err != nil {
		return nil, atLine(name, err)
	}
	if key, problem := r.check(); problem != "" {
		at := name
		if n := lines[key]; n > 0 {
			at = fmt.Sprintf("%s line %d", name, n)
		}
		return nil, invalid(key, nil, "%s: %s %s", at, key, problem)
	}
	sum := sha256.Sum256(text)
	r.text, r.hash = bytes.Clone(text), hex.EncodeToString(sum[:8])
	return r, nil
}

// atLine turns an error of the YAML parser into one that names the line, without its picture of the source.
func atLine(name string, err error) error {
	if e, ok := errors.AsType[yaml.Error](err); ok {
		if t := e.GetToken(); t != nil {
			return invalid(t.Value, nil, "%s line %d: %s (at %.40q)", name, t.Position.Line, e.GetMessage(), t.Value)
		}
		return invalid("", nil, "%s: %s", name, e.GetMessage())
	}
	return invalid("", nil, "%s: %s", name, err)
}

// refusal is a thing of YAML that rules do not use.
type refusal struct {
	what string
	at   *token.Token
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s are not used in rules (line %d)", r.what, r.at.Position.Line)
}

// keyLines says on which line each key of a rule stands ("count", "count.over"), and refuses what only a hostile
// file has: anchors and aliases, whose expansion grows exponentially, tags, and more than one document.
func keyLines(file *ast.File) (map[string]int, error) {
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, errors.New("a rule file holds one rule: a mapping with id, title, on, …")
	}
	body, ok := file.Docs[0].Body.(*ast.MappingNode)
	if !ok {
		return nil, errors.New("a rule file holds one rule: a mapping with id, title, on, …")
	}
	v := &walker{}
	ast.Walk(v, body)
	if v.refused != nil {
		return nil, v.refused
	}
	lines := map[string]int{}
	note(lines, "", body)
	return lines, nil
}

func note(lines map[string]int, prefix string, m *ast.MappingNode) {
	for _, entry := range m.Values {
		if t := entry.Key.GetToken(); t != nil {
			lines[prefix+t.Value] = t.Position.Line
			if inner, ok := entry.Value.(*ast.MappingNode); ok && prefix == "" {
				note(lines, t.Value+".", inner)
			}
		}
	}
}

type walker struct{ refused error }

// Visit implements ast.Visitor.
func (w *walker) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		w.refused = &refusal{"anchors and aliases", n.GetToken()}
	case *ast.TagNode:
		w.refused = &refusal{"tags", n.GetToken()}
	}
	if w.refused != nil {
		return nil
	}
	return w
}

var (
	ruleID      = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)
	techniqueID = regexp.MustCompile(`^T[0-9]{4}$`)
)

// check completes a rule that was read, and says of which key what is wrong.
func (r *Rule) check() (key, problem string) {
	switch {
	case !ruleID.MatchString(r.ID):
		return "id", "must be 2 to 63 of a-z, 0-9 and -, beginning with a letter"
	case len(r.On) == 0:
		return "on", "must name at least one signal: " + strings.Join(signalNames(), ", ")
	case !slices.Contains([]string{"client", "server", "device"}, r.Asset):
		return "asset", "must be client, server or device"
	case r.Severity.Rank() == 0:
		return "severity", "must be critical, high, medium or low"
	case !(r.Confidence > 0 && r.Confidence <= 1):
		return "confidence", "must lie above 0 and be at most 1"
	case !techniqueID.MatchString(r.Technique):
		return "technique", "must be an ATT&CK for ICS id like T0846"
	case r.TechniqueName == "":
		return "technique_name", "is missing"
	case r.LookAt == "":
		return "look_at", "is missing: say what an analyst should look at next"
	case r.Why == "":
		return "why", "is missing: say why this matters in a plant"
	case len(r.Examples.MustFire) == 0 || len(r.Examples.MustNotFire) == 0:
		return "examples", "must show at least one must_fire and one must_not_fire"
	case len(r.Examples.MustFire) > examplesMax || len(r.Examples.MustNotFire) > examplesMax:
		return "examples", fmt.Sprintf("are more than %d of a sort", examplesMax)
	}
	for _, name := range r.On {
		s, ok := signals[name]
		if !ok {
			return "on", fmt.Sprintf("names the signal %.40q, which is not one of %s", name, strings.Join(signalNames(), ", "))
		}
		r.signals |= s
	}
	if r.Count != nil {
		if key, problem := r.Count.check(); problem != "" {
			return "count." + key, problem
		}
	}
	if r.When != "" {
		if r.program, problem = compile(r.When); problem != "" {
			return "when", problem
		}
	}
	return r.checkWords()
}

// checkWords completes what the rule says, and reads its examples.
func (r *Rule) checkWords() (key, problem string) {
	if r.title, problem = parseTemplate(r.Title); problem != "" {
		return "title", problem
	}
	if r.describe, problem = parseTemplate(r.Describe); problem != "" {
		return "describe", problem
	}
	for _, ex := range slices.Concat(r.Examples.MustFire, r.Examples.MustNotFire) {
		for _, lines := range [][]string{ex.Learned, ex.Events} {
			if _, err := parseEvents(lines); err != nil {
				return "examples", fmt.Sprintf("%.60q: %s", ex.Name, err)
			}
		}
	}
	return "", ""
}

var distinctOf = regexp.MustCompile(`^distinct\((server|client|port|function|address|mac)\)$`)

func (c *Count) check() (key, problem string) {
	if m := distinctOf.FindStringSubmatch(c.What); m != nil {
		c.distinct = m[1]
	} else if c.What != "number" {
		return "what", "must be number or distinct(x), x one of server, client, port, function, address, mac"
	}
	most := atLeastMax
	if c.distinct != "" {
		most = distinctMax
	}
	switch {
	case c.AtLeast < 1 || c.AtLeast > most:
		return "at_least", fmt.Sprintf("must lie in 1 to %d", most)
	case c.Over < time.Second || c.Over > overMax:
		return "over", fmt.Sprintf("must lie in 1s to %s", overMax)
	case c.Learned != 0 && !(c.Learned >= 1 && c.Learned <= 1000):
		return "learned", "must lie in 1 to 1000"
	case len(c.By) == 0 || len(c.By) > 2:
		return "by", "must name one or two of client, server, device"
	}
	for _, by := range c.By {
		if by != "client" && by != "server" && by != "device" {
			return "by", "must name one or two of client, server, device"
		}
	}
	return "", ""
}
