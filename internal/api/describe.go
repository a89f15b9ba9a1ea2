package api

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

// words describes the fields of types that are not this package's, by the name of their schema: the root package's
// words stay free of tags for one reader of theirs. What is this package's own says it in tags.
var words = map[string]map[string]field{
	"AlertItem":          alertWords,
	"AlertDetail":        alertWords,
	"Alert":              alertWords,
	"Incident":           incidentWords,
	"IncidentDetail":     incidentWords,
	"Mute":               muteWords,
	"ModelVersion":       modelWords,
	"Prediction":         predictionWords,
	"PredictedTechnique": predictedWords,
	"Reason":             reasonWords,
	"Layer":              layerWords,
	"LayerVersions":      layerVersionsWords,
	"LayerTechnique":     layerTechniqueWords,
	"LayerGradient":      layerGradientWords,
	"Round":              roundWords,
	"FLClient":           clientWords,
	"PrivacyMetrics":     privacyWords,
	"Task":               taskWords,
	"Lesson":             lessonWords,
	"Shape":              shapeWords,
	"Context":            contextShapeWords,
	"Evaluation":         evaluationWords,
	"SystemStatus":       statusWords,
	"DemoRun":            demoWords,
	"DemoCheck":          demoCheckWords,
	"FacilityStatus":     facilityStatusWords,
	"IngestStatus":       ingestStatusWords,
	"Facility":           facilityWords,
	"Sensor":             sensorWords,
	"Asset":              assetWords,
	"AssetItem":          assetWords,
	"Talk":               talkWords,
	"Use":                useWords,
	"Window":             windowWords,
	"RawFeatures":        rawWords,
	"Detection":          detectionWords,
	"Batch":              batchWords,
	"Event":              eventWords,
	"Endpoint":           endpointWords,
	"Source": {
		"layer":            {doc: "Which layer of detection spoke: 1 something is wrong, 2 which technique it is, 3 what comes next.", example: 1, enum: []any{1, 2, 3}},
		"model_name":       {doc: "The id of the rule or model.", example: "write-from-new-host"},
		"severity":         {doc: "What it takes the matter for.", example: "high", enum: severities},
		"confidence":       {doc: "How sure it is, 0 to 1.", example: 0.9},
		"technique":        {doc: "ATT&CK for ICS id of the technique; absent where it names none.", example: "T0855"},
		"technique_name":   {doc: "The technique's name.", example: "Unauthorized Command Message"},
		"title":            {doc: "What happened, in a few words.", example: "Write from a host that never wrote"},
		"evidence":         {doc: "Who did what to whom, with figures: of its strongest detection.", example: "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, which only 10.0.0.2 wrote before."},
		"look_at":          {doc: "What an analyst should look at next.", example: "Ask who works on 10.0.0.11 today."},
		"detection_time":   {doc: "Data time of its first detection.", example: "2026-03-01T08:00:00Z"},
		"counted_until":    {doc: "Data time of its newest detection: what lies up to here has been counted.", example: "2026-03-01T08:02:00Z"},
		"count":            {doc: "How often it happened.", example: 3},
		"conversation":     {doc: "Whose packets the strongest detection is about."},
		"external":         {doc: "Whether a detector outside Breakwater reported it.", example: false},
		"muted":            {doc: "Whether a mute covers its newest detection.", example: false},
		"context_evidence": {doc: "What the context says of it, where an external detector tells.", example: "No maintenance was announced."},
	},
	"Conversation": {
		"client":   {doc: "IP address of the end that asked.", example: "10.0.0.57"},
		"server":   {doc: "IP address of the end that answered.", example: "10.0.0.11"},
		"protocol": {doc: "What was spoken.", example: "modbus"},
		"port":     {doc: "The server's port; absent where there is none or it is many.", example: 502},
	},
	"AlertEvent": {
		"time": {doc: "Of a detection its data time; of all else when it was done.", example: "2026-03-01T08:00:00Z"},
		"kind": {doc: "What sort of entry it is.", example: "detection", enum: []any{"detection", "status", "comment", "assignee"}},
		"by":   {doc: "The model or the person.", example: "write-from-new-host"},
		"text": {doc: "What was seen or done.", example: "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11."},
	},
	"ErrorModel": {
		"type":     {doc: "A URI that names the sort of problem.", example: "about:blank"},
		"title":    {doc: "The status in words.", example: "Unprocessable Entity"},
		"status":   {doc: "The HTTP status.", example: 422},
		"detail":   {doc: "What is wrong, where, and what to do.", example: "there is no query parameter colour: there are facility, severity, status, page, limit"},
		"instance": {doc: "A URI that names this occurrence.", example: "about:blank"},
		"errors":   {doc: "Each single fault."},
	},
	"ErrorDetail": {
		"message":  {doc: "What is wrong.", example: "unknown query parameter"},
		"location": {doc: "Which input: a field's name, or query., path. or body. and its name.", example: "query.colour"},
		"value":    {doc: "What was given.", example: "blue"},
	},
}

// field is what the description says of one field, beyond its type.
type field struct {
	doc     string
	example any
	enum    []any
	format  string
}

var (
	severities = []any{"critical", "high", "medium", "low"}
	alertWords = map[string]field{
		"id":                     {doc: "UUIDv7: its time is that of the first detection. The same traffic gives the same id.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
		"facility_id":            {doc: "The facility it happened at.", example: "plant-1"},
		"asset":                  {doc: "What it is about: an IP address, else a MAC address.", example: "10.0.0.11"},
		"timestamp":              {doc: "Data time of the first detection.", example: "2026-03-01T08:00:00Z"},
		"last_seen":              {doc: "Data time of the newest detection.", example: "2026-03-01T08:02:00Z"},
		"severity":               {doc: "How much it matters: that of the strongest source, raised where layers agree.", example: "high", enum: severities},
		"status":                 {doc: "Where it stands in triage. Unresolved means new or acknowledged.", example: "new", enum: []any{"new", "acknowledged", "resolved", "false-positive"}},
		"title":                  {doc: "What happened, in a few words.", example: "Write from a host that never wrote"},
		"description":            {doc: "Who did what to whom, with figures.", example: "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, which only 10.0.0.2 wrote before."},
		"attack_type":            {doc: "ATT&CK for ICS id of the strongest source's technique; empty where it names none.", example: "T0855"},
		"attack_name":            {doc: "That technique's name.", example: "Unauthorized Command Message"},
		"techniques":             {doc: "Technique ids of all sources, each once, in order of appearance.", example: []any{"T0855"}},
		"correlation_confidence": {doc: "How sure the sources are together, 0 to 1.", example: 0.9},
		"correlation_summary":    {doc: "How the sources came together.", example: "3 detections by 1 model in 2m0s: write-from-new-host (3)"},
		"context_analysis":       {doc: "How the network looked in the 60 seconds before the first detection.", example: "42 packets/s of 3 protocols between 4 hosts; nothing unusual."},
		"sources":                {doc: "Which model of which layer said what."},
		"assignee":               {doc: "Who works on it; empty: nobody.", example: "ada"},
		"count":                  {doc: "How often it happened: the sum over the sources.", example: 3},
		"version":                {doc: "Grows by one with each saved change: of two copies the greater is newer.", example: 2},
		"muted":                  {doc: "Whether mutes cover the newest detection of each of its sources.", example: false},
		"external_id":            {doc: "What a detector outside Breakwater calls it; absent where none does.", example: "siem-4711"},
	}
)

var (
	incidentWords = map[string]field{
		"id":          {doc: "The id of its first alert.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
		"facility_id": {doc: "The facility it happens at.", example: "plant-1"},
		"first_seen":  {doc: "Data time of its first detection.", example: "2026-03-01T08:00:00Z"},
		"last_seen":   {doc: "Data time of its newest detection.", example: "2026-03-01T08:40:00Z"},
		"severity":    {doc: "The greatest of its alerts.", example: "critical", enum: severities},
		"alert_count": {doc: "How many alerts it has.", example: 4},
		"unresolved":  {doc: "How many of them are new or acknowledged.", example: 2},
		"attackers":   {doc: "Clients of the conversations of its detections, in order of appearance; at most 100.", example: []any{"10.0.0.57"}},
		"assets":      {doc: "What its alerts are about, in order of time; at most 100.", example: []any{"10.0.0.2", "10.0.0.11"}},
		"techniques":  {doc: "ATT&CK for ICS ids of its alerts, in order of time; at most 100.", example: []any{"T0846", "T0855"}},
	}
	muteWords = map[string]field{
		"id":          {doc: "UUIDv7.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
		"facility_id": {doc: "The facility; empty: every one.", example: "plant-1"},
		"asset":       {doc: "The asset; empty: every one.", example: "10.0.0.11"},
		"rule":        {doc: "The rule or model; empty: every one.", example: "write-from-new-host"},
		"technique":   {doc: "ATT&CK for ICS id; empty: every one.", example: "T0855"},
		"from":        {doc: "Data time from which it holds.", example: "2026-03-01T08:00:00Z"},
		"until":       {doc: "Data time up to which it holds.", example: "2026-03-01T12:00:00Z"},
		"reason":      {doc: "Why, for others.", example: "Firmware update of PLC 11, work order 4711."},
		"by":          {doc: "Who muted.", example: "local"},
		"created_at":  {doc: "When it was made, by the server's clock.", example: "2026-03-01T07:55:00Z"},
	}
)

// describe completes the description: words, what huma does not see of Go's types, and the forms of texts that handlers
// check in words of their own. A word of a field that is not there is a mistake of this package.
func describe(doc *huma.OpenAPI) error {
	for path, item := range doc.Paths {
		if item.Post != nil && item.Post.RequestBody != nil && item.Post.RequestBody.Content["application/x-ndjson"] != nil {
			describeRows(doc.Components.Schemas, path, item.Post.RequestBody)
		}
	}
	schemas := doc.Components.Schemas.Map()
	for name, fields := range words {
		if err := describeFields(name, schemas[name], fields); err != nil {
			return err
		}
	}
	for name, schema := range schemas {
		listsAreNeverNull(schema)
		asInGo(schema, doc.Components.Schemas.TypeFromRef(schemaPrefix+name))
	}
	answered := map[string]bool{} // the schemas that answers refer to
	for _, item := range doc.Paths {
		for _, op := range operations(item) {
			for _, r := range op.Responses {
				for _, body := range r.Content {
					references(doc.Components.Schemas, body.Schema, answered)
				}
			}
		}
	}
	for path, item := range doc.Paths {
		for _, op := range operations(item) {
			if op.RequestBody != nil && op.RequestBody.Content["application/json"] != nil {
				asSent(doc.Components.Schemas, op.RequestBody.Content["application/json"].Schema, answered)
			}
			if op.RequestBody != nil && op.RequestBody.Required {
				for _, body := range op.RequestBody.Content {
					if least := 1; body.Schema.Format == "binary" {
						body.Schema.MinLength = &least
					}
				}
			}
			for _, p := range op.Parameters {
				describeForm(path, p)
			}
			for _, r := range op.Responses {
				if body := r.Content["application/json"]; body != nil && body.Schema != nil && body.Schema.Type == huma.TypeArray {
					body.Schema.Nullable = false
				}
			}
		}
	}
	delete(doc.Paths["/ws"].Get.Responses, "200")                                                          // huma's, where nothing else is said
	delete(doc.Paths["/api/facilities/{id}/baseline"].Put.RequestBody.Content, "application/octet-stream") // huma's, for bytes
	baseline := doc.Paths["/api/facilities/{id}/baseline"].Get.Responses["200"].Content["application/json"]
	baseline.Schema = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "What each detector learned, as it keeps it."}
	return nil
}

func describeFields(name string, schema *huma.Schema, fields map[string]field) error {
	for _, property := range slices.Sorted(maps.Keys(fields)) {
		if schema == nil || schema.Properties[property] == nil {
			return &breakwater.Error{Kind: breakwater.Internal, Message: fmt.Sprintf("the API describes %s.%s, which is not there", name, property)}
		}
		p, f := schema.Properties[property], fields[property]
		p.Description, p.Enum = f.doc, f.enum
		if f.format != "" {
			p.Format = f.format
		}
		if f.example != nil {
			p.Examples = []any{f.example}
		}
	}
	return nil
}

const schemaPrefix = "#/components/schemas/"

// asInGo says of a schema what huma does not see of the type it is made of, or not in words of JSON Schema: that a pointer
// may be null, how much an integer of few bits can hold, how an address is written.
func asInGo(schema *huma.Schema, t reflect.Type) {
	if t == nil || t.Kind() != reflect.Struct {
		return
	}
	for _, p := range schema.Properties {
		if p.Items != nil {
			p = p.Items
		}
		if p.Format == "ip" { // which JSON Schema does not know
			p.Format, p.AnyOf = "", []*huma.Schema{{Type: huma.TypeString, Format: "ipv4"}, {Type: huma.TypeString, Format: "ipv6"}}
		}
	}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := schema.Properties[name]
		switch {
		case p == nil:
		case f.Type.Kind() == reflect.Pointer && options == "":
			schema.Properties[name] = orNothing(p)
		case f.Type.Kind() == reflect.Uint8 || f.Type.Kind() == reflect.Uint16:
			most := float64(uint64(1)<<f.Type.Bits() - 1)
			p.Maximum = &most
		}
	}
}

// orNothing is a schema that also takes null.
func orNothing(p *huma.Schema) *huma.Schema {
	if p.Ref != "" {
		return &huma.Schema{OneOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}, Description: p.Description}
	}
	p.Nullable = true
	if len(p.AnyOf) > 0 {
		p.AnyOf = append(p.AnyOf, &huma.Schema{Type: "null"})
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, nil) {
		p.Enum = append(slices.Clone(p.Enum), nil)
	}
	return p
}

// operations are those of a path.
func operations(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}, func(op *huma.Operation) bool { return op == nil })
}

// references collects what a schema refers to.
func references(schemas huma.Registry, schema *huma.Schema, found map[string]bool) {
	if schema == nil || found[schema.Ref] {
		return
	}
	if schema.Ref != "" {
		found[schema.Ref] = true
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	references(schemas, schema.Items, found)
	for _, s := range slices.Concat(slices.Collect(maps.Values(schema.Properties)), schema.OneOf) {
		references(schemas, s, found)
	}
	if values, ok := schema.AdditionalProperties.(*huma.Schema); ok {
		references(schemas, values, found)
	}
}

// asSent says of what clients send, and is never answered, how its texts are written, and that null is as good as leaving
// a field away that need not be there, as it is.
func asSent(schemas huma.Registry, schema *huma.Schema, done map[string]bool) {
	ref := schema.Ref
	if ref != "" {
		if done[ref] {
			return
		}
		done[ref] = true
		schema = schemas.SchemaFromRef(ref)
	}
	if schema.Items != nil {
		asSent(schemas, schema.Items, done)
	}
	for name, p := range schema.Properties {
		asSent(schemas, p, done)
		required := slices.Contains(schema.Required, name)
		if text := p; !cleaned[ref] {
			if p.Items != nil {
				text = p.Items
			}
			formOfText(name, text, required)
		}
		if !required {
			schema.Properties[name] = orNothing(p)
		}
	}
}

// formOfText says of a field how its text is written, where nothing else does.
func formOfText(name string, p *huma.Schema, required bool) {
	switch {
	case name == "ids": // each is told of in the answer
	case p.Type != huma.TypeString || p.Pattern != "" || p.Format != "" || len(p.AnyOf) > 0 || len(p.Enum) > 0:
	case name == "facility_id" && !required:
		p.Pattern = strings.Replace(facilityForm, "{1,", "{0,", 1) // "" is as good as nothing
	case name == "facility_id" || name == "facilities" || name == "id":
		p.Pattern = facilityForm
	case p.MinLength != nil:
		p.Pattern = wordsForm
	default:
		p.Pattern = textForm
	}
}

// The forms of texts.
const (
	facilityForm  = `^[a-z0-9_-]{1,64}$`
	techniqueForm = `^T[0-9]{4}(\.[0-9]{3})?$`
	versionForm   = `^(\*|[1-9][0-9]{0,8}|"[1-9][0-9]{0,8}")?$`
	textForm      = `^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$`                                                         // as breakwater.CheckText has it
	wordsForm     = `^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*[^\x00-\x20\x7f\x85\s][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$` // the same, and not blank
	durationForm  = `^(0|([0-9]{1,5}(\.[0-9]{1,9})?(ns|us|ms|s|m|h)){1,6})$`
)

// cleaned are schemas whose texts may hold control characters, which are taken out.
var cleaned = map[string]bool{schemaPrefix + "SensorRequestBody": true}

// describeForm says of a parameter how its values are written.
func describeForm(path string, p *huma.Param) {
	values := p.Schema
	if values.Items != nil {
		least := 1
		values.MinItems = &least
		values = values.Items
	}
	under := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
	}
	switch {
	case values.Type != huma.TypeString:
	case p.Name == "facility_id" || p.Name == "facility" || p.Name == "client" || p.Name == "id" && under("/api/facilities/", "/api/fl/clients/"):
		values.Pattern = facilityForm
	case p.Name == "after" && under("/api/fl/clients"):
		values.Pattern = strings.Replace(facilityForm, "{1,", "{0,", 1)
	case p.Name == "alert_id" || p.Name == "id" && under("/api/alerts/", "/api/incidents/", "/api/mutes/", "/api/predictions/"):
		values.Format = "uuid"
	case p.Name == "technique" || p.Name == "id" && under("/api/mitre/technique/"):
		values.Pattern = techniqueForm
	case p.Name == "If-Match":
		values.Pattern = versionForm
	case p.Name == "channels":
		values.Pattern = `^(alerts|fl_status|predictions|system)(,(alerts|fl_status|predictions|system))*$`
	case p.Name == "learn":
		values.Pattern = durationForm
	}
}

func listsAreNeverNull(schema *huma.Schema) {
	for _, p := range schema.Properties {
		if p.Type == huma.TypeArray {
			p.Nullable = false
		}
	}
}
