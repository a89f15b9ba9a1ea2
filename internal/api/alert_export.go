package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

func (s *server) alertExportRoutes(h huma.API) {
	text := func(description string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: description}}
	}
	items := sameBody(h, []breakwater.Alert{}, "").Content["application/json"]
	items.Schema.Nullable = false
	register(s, h, huma.Operation{
		OperationID: "export-alerts", Method: http.MethodGet, Path: "/api/alerts/export", Tags: []string{"Alerts"},
		Summary: "Export alerts", Description: "All alerts under the same filters as the list, newest first, written while they are read: an answer that ends without its last line was cut short. " +
			"csv has a row for each, and a quote before what a spreadsheet would take for a formula; json an array; stix a STIX 2.1 bundle in which the same alert always has the same ids.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"200": {Description: "The export.", Content: map[string]*huma.MediaType{
			"text/csv": text("RFC 4180, with a header line."), "application/json": items,
			"application/stix+json;version=2.1": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "A STIX 2.1 bundle: identities, attack patterns, observed data and sightings, or a note where an alert names no technique."}},
		}}},
	}, s.exportAlerts)
}

type exportQuery struct {
	AlertFilter
	Format string `query:"format" enum:"csv,json,stix" default:"csv" example:"stix" doc:"The format."`
}

// exporter writes alerts in one format.
type exporter interface {
	begin() error
	alert(a *breakwater.Alert) error
	end() error
}

// exportPatience is how long a client may take to read one page of an export.
const exportPatience = time.Minute

func (s *server) exportAlerts(_ context.Context, q *exportQuery) (*handOver, error) {
	filter, err := q.filter(time.Now())
	if err != nil {
		return nil, err
	}
	return &handOver{func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		out := bufio.NewWriterSize(w, 64<<10)
		var to exporter
		switch q.Format {
		case "csv":
			to = &csvExport{w: csv.NewWriter(out)}
		case "json":
			to = &jsonExport{w: out}
		default:
			to = newSTIXExport(out, s.catalogue())
		}
		deadlines := http.NewResponseController(w)
		begun := false
		begin := func() error {
			begun = true
			w.Header().Set("Content-Type", map[string]string{"csv": "text/csv; charset=utf-8", "json": "application/json", "stix": "application/stix+json;version=2.1"}[q.Format])
			w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "alerts." + map[string]string{"csv": "csv", "json": "json", "stix": "stix.json"}[q.Format]}))
			return to.begin()
		}
		err := s.Store.ExportAlerts(ctx.Context(), filter, func(alerts []breakwater.Alert) error {
			// Where a server cannot set deadlines it has none to keep away.
			_ = deadlines.SetWriteDeadline(time.Now().Add(exportPatience))
			if !begun {
				if err := begin(); err != nil {
					return err
				}
			}
			for i := range alerts {
				if err := to.alert(&alerts[i]); err != nil {
					return err
				}
			}
			return out.Flush()
		})
		if err == nil && !begun { // nothing passes the filter
			err = begin()
		}
		if err == nil {
			err = to.end()
		}
		if err == nil {
			err = out.Flush()
		}
		s.ended(ctx.Context(), "export-alerts", w, begun, err)
	}}, nil
}

// ended is the end of an answer that is written bit by bit: it answers with the problem where nothing was written yet.
// Later it can only cut the answer short, so that nobody takes it for whole.
func (s *server) ended(ctx context.Context, operation string, w http.ResponseWriter, begun bool, err error) {
	switch {
	case err == nil:
		return
	case !begun:
		problem := s.problem(ctx, operation, err)
		status := http.StatusInternalServerError
		if p, ok := problem.(huma.StatusError); ok {
			status = p.GetStatus()
		}
		writeProblem(w, status, problem.Error())
		return
	case ctx.Err() == nil:
		s.Logger.WarnContext(ctx, "an answer was cut short", "operation", operation, "err", err)
	}
	panic(http.ErrAbortHandler)
}

type csvExport struct{ w *csv.Writer }

var csvColumns = []struct {
	name string
	cell func(*breakwater.Alert) string
}{
	{"id", func(a *breakwater.Alert) string { return a.ID.String() }},
	{"timestamp", func(a *breakwater.Alert) string { return a.Timestamp.UTC().Format(time.RFC3339Nano) }},
	{"last_seen", func(a *breakwater.Alert) string { return a.LastSeen.UTC().Format(time.RFC3339Nano) }},
	{"facility_id", func(a *breakwater.Alert) string { return a.FacilityID }},
	{"asset", func(a *breakwater.Alert) string { return a.Asset }},
	{"severity", func(a *breakwater.Alert) string { return string(a.Severity) }},
	{"status", func(a *breakwater.Alert) string { return string(a.Status) }},
	{"title", func(a *breakwater.Alert) string { return a.Title }},
	{"description", func(a *breakwater.Alert) string { return a.Description }},
	{"attack_type", func(a *breakwater.Alert) string { return a.AttackType }},
	{"attack_name", func(a *breakwater.Alert) string { return a.AttackName }},
	{"techniques", func(a *breakwater.Alert) string { return strings.Join(a.Techniques, " ") }},
	{"sources", func(a *breakwater.Alert) string {
		models := make([]string, len(a.Sources))
		for i, s := range a.Sources {
			models[i] = s.Model
		}
		return strings.Join(models, " ")
	}},
	{"correlation_confidence", func(a *breakwater.Alert) string { return strconv.FormatFloat(a.Confidence, 'g', -1, 64) }},
	{"assignee", func(a *breakwater.Alert) string { return a.Assignee }},
	{"count", func(a *breakwater.Alert) string { return strconv.Itoa(a.Count) }},
	{"muted", func(a *breakwater.Alert) string { return strconv.FormatBool(a.Muted) }},
	{"external_id", func(a *breakwater.Alert) string { return a.ExternalID }},
	{"version", func(a *breakwater.Alert) string { return strconv.Itoa(a.Version) }},
}

func (e *csvExport) begin() error {
	names := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		names[i] = c.name
	}
	return e.w.Write(names)
}

func (e *csvExport) alert(a *breakwater.Alert) error {
	cells := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		cells[i] = plainCell(c.cell(a))
	}
	e.w.Write(cells) // the error is Flush's
	e.w.Flush()
	return e.w.Error()
}

func (e *csvExport) end() error {
	e.w.Flush()
	return e.w.Error()
}

// plainCell is a text that no spreadsheet takes for a formula: an attacker may have written it.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}

type jsonExport struct {
	w     io.Writer
	comma bool
}

func (e *jsonExport) begin() error { return writeAll(e.w, "[") }
func (e *jsonExport) end() error   { return writeAll(e.w, "\n]\n") }

func (e *jsonExport) alert(a *breakwater.Alert) error { return e.item(a) }

// item writes one element, on a line of its own.
func (e *jsonExport) item(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	before := "\n"
	if e.comma {
		before = ",\n"
	}
	e.comma = true
	return writeAll(e.w, before, string(text))
}

func writeAll(w io.Writer, texts ...string) error {
	for _, t := range texts {
		if _, err := io.WriteString(w, t); err != nil {
			return err
		}
	}
	return nil
}
