package api

import (
	"fmt"
	"maps"
	"slices"

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
	"Prediction":         predictionWords,
	"PredictedTechnique": predictedWords,
	"Round":              roundWords,
	"FLClient":           clientWords,
	"PrivacyMetrics":     privacyWords,
	"SystemStatus":       statusWords,
	"FacilityStatus":     facilityStatusWords,
	"IngestStatus":       ingestStatusWords,
	"Facility":           facilityWords,
	"Sensor":             sensorWords,
	"Asset":              assetWords,
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

	nullable bool // which huma does not see of a pointer to what is text in JSON
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

// describe completes the description: words, and lists that are never null. A word of a field that is not there is a
// mistake of this package.
func describe(doc *huma.OpenAPI) error {
	schemas := doc.Components.Schemas.Map()
	for name, fields := range words {
		if err := describeFields(name, schemas[name], fields); err != nil {
			return err
		}
	}
	for _, schema := range schemas {
		listsAreNeverNull(schema)
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			for _, r := range op.Responses {
				if body := r.Content["application/json"]; body != nil && body.Schema != nil && body.Schema.Type == huma.TypeArray {
					body.Schema.Nullable = false
				}
			}
		}
	}
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
		if f.nullable {
			p.Nullable = true
		}
		if f.example != nil {
			p.Examples = []any{f.example}
		}
	}
	return nil
}

func listsAreNeverNull(schema *huma.Schema) {
	for _, p := range schema.Properties {
		if p.Type == huma.TypeArray {
			p.Nullable = false
		}
	}
}
