package detect

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"breakwater"
)

// template is a sentence with {words} in it, taken apart: text, word, text, word, … text.
type template struct {
	parts []string
	words []func(*Engine, *moment) string
}

// words are what a title and a description may say of a moment.
var words = map[string]func(*Engine, *moment) string{
	"client":       func(e *Engine, m *moment) string { return e.name(m.client) },
	"server":       func(e *Engine, m *moment) string { return e.name(m.server) },
	"device":       func(_ *Engine, m *moment) string { return m.device.String() },
	"mac":          func(_ *Engine, m *moment) string { return either(m.mac.String(), "an unknown MAC") },
	"owner":        func(_ *Engine, m *moment) string { return m.owner.String() },
	"service":      func(_ *Engine, m *moment) string { return serviceWords(m.talk.Protocol, m.talk.Port) },
	"protocol":     func(_ *Engine, m *moment) string { return string(m.event.Protocol) },
	"port":         func(_ *Engine, m *moment) string { return strconv.Itoa(int(m.talk.Port)) },
	"function":     func(_ *Engine, m *moment) string { return functionWords(&m.event) },
	"what":         func(_ *Engine, m *moment) string { return what(&m.event) },
	"writers":      (*Engine).writersWords,
	"exception":    func(_ *Engine, m *moment) string { return exceptionWords(&m.event) },
	"reason":       func(_ *Engine, m *moment) string { return either(clean(m.event.Reason), "no reason given") },
	"count":        func(_ *Engine, m *moment) string { return strconv.Itoa(m.count) },
	"over":         func(_ *Engine, m *moment) string { return spell(m.over.Seconds()) },
	"targets":      (*Engine).targets,
	"packets":      func(_ *Engine, m *moment) string { return strconv.Itoa(m.packets) },
	"learned_most": func(_ *Engine, m *moment) string { return strconv.Itoa(m.learned) },
}

// parseTemplate takes a sentence apart, and says what is wrong with it, "" where nothing is.
func parseTemplate(text string) (t template, problem string) {
	if text == "" {
		return t, "is missing"
	}
	if len(text) > 500 || strings.ContainsAny(text, "\n\r") {
		return t, "must be one line of at most 500 bytes"
	}
	for {
		before, rest, found := strings.Cut(text, "{")
		t.parts = append(t.parts, before)
		if !found {
			return t, ""
		}
		name, after, closed := strings.Cut(rest, "}")
		say, known := words[name]
		if !closed || !known {
			return t, fmt.Sprintf("says {%.40s}, which is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(words)), ", "))
		}
		t.words = append(t.words, say)
		text = after
	}
}

func (t template) render(e *Engine, m *moment) string {
	var b strings.Builder
	for i, part := range t.parts {
		b.WriteString(part)
		if i < len(t.words) {
			b.WriteString(t.words[i](e, m))
		}
	}
	return b.String()
}

// name is a host's address, and whether it is new.
func (e *Engine) name(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "an unknown host"
	case e.active && !e.knows(a):
		return a.String() + " (new here)"
	}
	return a.String()
}

func either(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// what is the cells that a request is about: "coils 0-9", "register 4", else its function.
func what(ev *breakwater.Event) string {
	t := tableOf(ev)
	if t == 0 || !ev.Ranged {
		return functionWords(ev)
	}
	if ev.Quantity <= 1 {
		return strings.TrimSuffix(t.String(), "s") + " " + strconv.Itoa(int(ev.Address))
	}
	return t.String() + " " + spanOf(ev.Address, ev.Quantity).String()
}

func functionWords(ev *breakwater.Event) string {
	s := "function " + strconv.Itoa(int(ev.Function))
	if ev.Subfunction != 0 {
		s += "/" + strconv.Itoa(int(ev.Subfunction))
	}
	if ev.FunctionName != "" {
		s += " (" + clean(ev.FunctionName) + ")"
	}
	return s
}

func exceptionWords(ev *breakwater.Event) string {
	if ev.ExceptionName != "" {
		return fmt.Sprintf("%d (%s)", ev.Exception, clean(ev.ExceptionName))
	}
	return strconv.Itoa(int(ev.Exception))
}

// clean makes text that may come from the wire fit for a sentence.
func clean(s string) string {
	if len(s) > 120 {
		s = s[:120]
	}
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// writersWords says who wrote to the server before.
func (e *Engine) writersWords(m *moment) string {
	before := e.writers[m.server]
	switch {
	case len(before) == 0:
		return "which nobody wrote before"
	case len(before) > 3:
		return fmt.Sprintf("which only %d other hosts wrote before", len(before))
	}
	names := make([]string, len(before))
	for i, a := range before {
		names[i] = a.String()
	}
	return "which only " + join(names) + " wrote before"
}

func join(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return names[0]
}

// targets names what a distinct count has seen, the first few of it.
func (e *Engine) targets(m *moment) string {
	if len(m.targets) == 0 {
		return "none"
	}
	names := make([]string, len(m.targets))
	for i, s := range m.targets {
		switch {
		case s.addr.IsValid():
			names[i] = s.addr.String()
		case s.mac != breakwater.MAC{}:
			names[i] = s.mac.String()
		default:
			names[i] = strconv.FormatUint(uint64(s.n), 10)
		}
	}
	if more := m.count - len(names); more > 0 {
		return strings.Join(names, ", ") + " and " + strconv.Itoa(more) + " more"
	}
	return join(names)
}

// spell is a time in the unit that a person would use.
func spell(seconds float64) string {
	if seconds >= 120 {
		return strconv.FormatFloat(seconds/60, 'f', -1, 64) + " minutes"
	}
	return strconv.FormatFloat(seconds, 'f', -1, 64) + " seconds"
}
