package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakwater"
)

func TestShippedRules(t *testing.T) {
	t.Parallel()
	for _, r := range shippedRules(t) {
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			if err := r.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCheckFails: an example that does not come out as it must is said.
func TestCheckFails(t *testing.T) {
	t.Parallel()
	r, err := ParseRule([]byte(strings.Replace(sound, `when: class == "write"`, `when: class == "read"`, 1)), "r.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = r.Check()
	if err == nil || !strings.Contains(err.Error(), `"a write": must fire and does not`) || !strings.Contains(err.Error(), `"a read": must not fire, and says: 10.0.0.2 did.`) {
		t.Errorf("Check says %v", err)
	}
}

// sound is a rule that is refused for nothing; the tests below break it in one place each.
const sound = `id: sound
title: "A rule"
on: [write, first-function]
when: class == "write"
count: {what: number, by: [client], over: 30s, at_least: 1}
asset: client
severity: high
confidence: 0.5
technique: T0855
technique_name: Unauthorized Command Message
describe: "{client} did."
look_at: There.
why: Because.
examples:
  must_fire:
    - name: a write
      events: ["1s 10.0.0.2 > 10.0.0.11 modbus 6 0+1"]
  must_not_fire:
    - name: a read
      events: ["1s 10.0.0.2 > 10.0.0.11 modbus 3 0+1"]
`

func TestParseRule(t *testing.T) {
	t.Parallel()
	if r, err := ParseRule([]byte(sound), "r.yaml"); err != nil || r.Count.Over != 30*time.Second {
		t.Fatalf("the sound rule: %+v, %v", r, err)
	}
	for _, c := range []struct {
		name, old, new string
		kind           breakwater.ErrorKind
		says           string
	}{
		{"a key that is not known", "asset: client", "assets: client", breakwater.Invalid, `r.yaml line 6: unknown field "assets"`},
		{"an inner key that is not known", "at_least: 1", "at_most: 1", breakwater.Invalid, `unknown field "at_most"`},
		{"a key twice", "asset: client", "asset: client\nasset: server", breakwater.Invalid, "r.yaml line 7"},
		{"a text for a number", "confidence: 0.5", "confidence: much", breakwater.Invalid, "r.yaml line 8"},
		{"a number out of range", "confidence: 0.5", "confidence: 1.5", breakwater.Invalid, "r.yaml line 8: confidence must"},
		{"not a number", "confidence: 0.5", "confidence: .nan", breakwater.Invalid, "line 8: confidence must"},
		{"an id with a path", "id: sound", "id: ../sound", breakwater.Invalid, "line 1: id must"},
		{"a signal that is not known", "first-function", "first-kiss", breakwater.Invalid, `line 3: on names the signal "first-kiss"`},
		{"an asset that is not known", "asset: client", "asset: plant", breakwater.Invalid, "line 6: asset must"},
		{"a severity that is not known", "severity: high", "severity: huge", breakwater.Invalid, "line 7: severity must"},
		{"no technique", "technique: T0855", "technique: 855", breakwater.Invalid, "line 9: technique must"},
		{"a word that is not known", "{client} did", "{attacker} did", breakwater.Invalid, "line 11: describe says {attacker}"},
		{"a brace left open", "{client} did.", "{client did.", breakwater.Invalid, "describe says {client did.}"},
		{"a count of nothing", "what: number", "what: distinct(unit)", breakwater.Invalid, "line 5: count.what must"},
		{"a count for ever", "over: 30s", "over: 300h", breakwater.Invalid, "count.over must"},
		{"a negative time", "over: 30s", "over: -30s", breakwater.Invalid, "count.over must"},
		{"a count that keeps too much", "what: number, by: [client], over: 30s, at_least: 1", "what: distinct(port), by: [client], over: 30s, at_least: 9999", breakwater.Invalid, "count.at_least must"},
		{"an example that is none", "10.0.0.2 > 10.0.0.11 modbus 6", "10.0.0.2 modbus 6", breakwater.Invalid, `examples "a write"`},
		{"an example without end", `"1s 10`, `"1s*999999999/1ns 10`, breakwater.Invalid, "at most 2000 times"},
		{"no examples", sound[strings.Index(sound, "examples"):], "", breakwater.Invalid, "examples must show"},
		{"two documents", "why: Because.", "---\nwhy: Because.", breakwater.Invalid, "a rule file holds one rule"},
		{"nothing", sound, "", breakwater.Invalid, "a rule file holds one rule"},
		{"a list", sound, "- a\n- b", breakwater.Invalid, "a rule file holds one rule"},
		{"no YAML", sound, "id: [", breakwater.Invalid, "r.yaml"},
		{"bytes", sound, "\x00\xff\xfe{{{", breakwater.Invalid, "r.yaml"},
		{"an alias", "title: \"A rule\"", "title: &t x", breakwater.Invalid, "anchors and aliases are not used"},
		{"a tag", "title: \"A rule\"", "title: !!binary aGk=", breakwater.Invalid, "tags are not used"},
		{"a bomb of aliases", "references: []", "", breakwater.Invalid, ""},
		{"too large", "why: Because.", "why: |\n" + strings.Repeat("  because\n", 5_000), breakwater.TooLarge, "at most"},
		{"deep brackets", "why: Because.", "why: " + strings.Repeat("[", 8_000), breakwater.TooLarge, "at most 256 opening brackets"},
		{"less deep brackets", "why: Because.", "why: " + strings.Repeat("[", 250), breakwater.Invalid, "r.yaml"},
		{"deep lists", "why: Because.", "why:\n  " + strings.Repeat("- ", 1_000), breakwater.Invalid, "r.yaml"},
		{"a long line", "why: Because.", "why: " + strings.Repeat("x", 3_000), breakwater.TooLarge, "r.yaml line 13: a line"},
		{"a line too many in a title", `title: "A rule"`, `title: "A\nrule"`, breakwater.Invalid, "title must be one line"},

		{"an expression of another kind", `when: class == "write"`, "when: port + 1", breakwater.Invalid, "line 4: when is not an expression"},
		{"a name that is not known", `when: class == "write"`, "when: password == 1", breakwater.Invalid, "unknown name password"},
		{"types that do not fit", `when: class == "write"`, "when: class > 1", breakwater.Invalid, "line 4: when is not an expression"},
		{"half an expression", `when: class == "write"`, "when: class ==", breakwater.Invalid, "line 4: when is not an expression"},
		{"a range", `when: class == "write"`, "when: port in 1..1000000000", breakwater.Invalid, "uses the operator .."},
		{"a power", `when: class == "write"`, "when: port ** 9 == 1", breakwater.Invalid, "uses the operator **"},
		{"a division", `when: class == "write"`, "when: port % 0 == 1", breakwater.Invalid, "uses the operator %"},
		{"a pattern", `when: class == "write"`, `when: reason matches "(a*)*b"`, breakwater.Invalid, "uses the operator matches"},
		{"a call", `when: class == "write"`, `when: repeat(class, 1000000000) == ""`, breakwater.Invalid, "uses Builtin"},
		{"a loop", `when: class == "write"`, `when: "all([1,2,3], # > 0)"`, breakwater.Invalid, "uses "},
		{"a method", `when: class == "write"`, `when: class.Foo() == 1`, breakwater.Invalid, "uses "},
		{"a member", `when: class == "write"`, `when: class[0] == "w"`, breakwater.Invalid, "uses Member"},
		{"the environment", `when: class == "write"`, `when: $env == nil`, breakwater.Invalid, "line 4: when"},
		{"a variable", `when: class == "write"`, `when: "let x = 1; x == 1"`, breakwater.Invalid, "uses VariableDeclarator"},
		{"a pipe", `when: class == "write"`, `when: class | upper() == "W"`, breakwater.Invalid, "line 4: when"},
		{"a long expression", `when: class == "write"`, "when: " + strings.Repeat("not ", 300) + "true", breakwater.Invalid, "longer than 1000 bytes"},
		{"a deep expression", `when: class == "write"`, "when: " + strings.Repeat("(", 490) + "true" + strings.Repeat(")", 490), breakwater.Invalid, ""},
		{"many parts", `when: class == "write"`, "when: port in [" + strings.Repeat("1,", 300) + "1]", breakwater.Invalid, "more than 200 parts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(sound, c.old, c.new, 1)
			switch c.name {
			case "a deep expression":
				// Brackets alone are no parts: this one is only slow to read, and must be read or refused in time.
				ParseRule([]byte(text), "r.yaml")
				return
			case "a bomb of aliases":
				text = "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: &d [*c, *c, *c, *c]\nreferences: [*d, *d, *d]\n"
			}
			r, err := ParseRule([]byte(text), "r.yaml")
			if err == nil {
				t.Fatalf("was taken: %+v", r)
			}
			if breakwater.KindOf(err) != c.kind || !strings.HasPrefix(err.Error(), "r.yaml") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q of kind %d; want one line with %q of kind %d", err, breakwater.KindOf(err), c.says, c.kind)
			}
		})
	}
}

// FuzzParseRule: whatever the text, a rule comes out that can be checked, or an error that names the file; no panic,
// no unbounded time.
func FuzzParseRule(f *testing.F) {
	names, err := filepath.Glob("rules/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(sound))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		began := time.Now()
		r, err := ParseRule(text, "r.yaml")
		if took := time.Since(began); took > 2*time.Second {
			t.Fatalf("took %s", took)
		}
		if err != nil {
			if k := breakwater.KindOf(err); k != breakwater.Invalid && k != breakwater.TooLarge || !strings.HasPrefix(err.Error(), "r.yaml") {
				t.Fatalf("kind %d: %s", k, err)
			}
			return
		}
		e := New("north", []*Rule{r}, NewBaseline())
		e.play(script(t, "1s*20/50ms 10.0.0.57 > 10.0.0.11 modbus 1++ 0+10", "2s*20/50ms 10.0.0.57 > 10.0.0.11 tcp 20++ refused"), exampleBegins)
	})
}
