package api

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/live"
)

func TestAsyncAPI(t *testing.T) {
	const path = "../../docs/asyncapi.yaml"
	text, err := AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	got, err := asYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/asyncapi.yaml is not what the hub sends: run `make generate`")
	}
	s := serve(t, nil)
	for path, body := range map[string]string{"/asyncapi.json": string(text), "/asyncapi.yaml": string(got)} {
		if got := ask(t, "GET", s.URL+path, nil); got.status != 200 || got.text != body {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// What the hub sends, at its fullest and at its least, is what the description says: the channel, each field and its type,
// no field more and none less.
func TestAsyncAPIIsWhatTheHubSends(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	full := breakwater.NewAlert(detection("plant-1", "10.0.0.11", breakwater.High, at))
	least := breakwater.NewAlert(breakwater.Detection{FacilityID: "plant-1", Asset: "10.0.0.11", Time: at, Layer: 1, Model: "m", Severity: breakwater.Low, Count: 1})
	half, id, size, text := .5, breakwater.ID{6: 0x70, 8: 0x80}, int64(7), "TLS"
	client := breakwater.FLClient{ID: "c1", FacilityID: "plant-1", Status: breakwater.ClientActive, Loss: &half, Accuracy: &half}
	rounds := []*breakwater.Round{
		{ID: 1, Number: 1, Status: breakwater.RoundFailed, Phase: breakwater.Training, Epsilon: &half, Accuracy: &half, Clients: []breakwater.FLClient{client}, EndTime: &at,
			TimeRemaining: &half, Delta: &half, DataSize: &size, Encryption: &text},
		{ID: 1, Number: 1, Status: breakwater.RoundInProgress, Phase: breakwater.Distributing, Clients: []breakwater.FLClient{}},
	}
	predictions := []*breakwater.Prediction{
		{ID: id, Timestamp: at, FacilityID: "plant-1", Current: "T0846", AlertID: &id, Validated: true, ValidationTime: &at,
			Seen: []string{"T0846"}, Status: breakwater.PredictionValidated, ExpiresAt: at,
			Predicted: []breakwater.PredictedTechnique{{TechniqueID: "T0855", Probability: .5, Rank: 1, ObservedAt: &at, ObservedIn: &id,
				Why: []breakwater.Reason{{Kind: "campaign", ID: "C0025", Name: "2016 Ukraine Electric Power Attack", Share: .5, Path: []string{"T0846", "C0025", "T0855"}, Seen: []string{"T0846"}}}}}},
		{ID: id, Timestamp: at, FacilityID: "plant-1", Current: "T0846", Seen: []string{}, Status: breakwater.PredictionOpen, ExpiresAt: at,
			Predicted: []breakwater.PredictedTechnique{{TechniqueID: "T0855", Rank: 1, Why: []breakwater.Reason{}}}},
	}
	facilities := []*breakwater.FacilityStatus{{ID: "plant-1", Name: "North", Status: breakwater.Active, LastSeen: &at, PacketsPerSec: 4}, {ID: "plant-1", Status: breakwater.Silent}}
	statuses := []*breakwater.SystemStatus{{FLProgress: &half, PredictionAccuracy: &half, Facilities: []breakwater.FacilityStatus{*facilities[0]}}, {Facilities: []breakwater.FacilityStatus{}}}
	demos := []*breakwater.DemoRun{
		{ID: id, Scenario: "port-scan", Facilities: []string{"demo-northgate"}, Status: breakwater.DemoFailed, Stage: "ended", Progress: 100, Message: "1 expectation not met",
			Expected: []breakwater.DemoCheck{{What: "an alert", Found: true, Detail: "port-scan", After: &half, AlertID: &id}}, StartedAt: at, EndedAt: &at, Version: 2},
		{ID: id, Scenario: "reset", Facilities: []string{}, Status: breakwater.DemoRunning, Expected: []breakwater.DemoCheck{{What: "an alert"}}, StartedAt: at},
	}

	s := serve(t, nil)
	tell := map[string]func(i int) error{
		"alert_created": func(i int) error { return s.hub.Alert([]*breakwater.Alert{full, least}[i], true) },
		"alert_updated": func(i int) error { return s.hub.Alert([]*breakwater.Alert{full, least}[i], false) },
		"fl_progress":   func(i int) error { return s.hub.Round(rounds[i]) },
		"fl_client": func(i int) error {
			return s.hub.Client([]*breakwater.FLClient{&client, {ID: "c1", FacilityID: "plant-1", Status: "offline"}}[i])
		},
		"prediction_created":   func(i int) error { return s.hub.Prediction("created", predictions[i]) },
		"prediction_updated":   func(i int) error { return s.hub.Prediction("updated", predictions[i]) },
		"prediction_validated": func(i int) error { return s.hub.Prediction("validated", predictions[i]) },
		"prediction_expired":   func(i int) error { return s.hub.Prediction("expired", predictions[i]) },
		"system_status":        func(i int) error { return s.hub.System(statuses[i]) },
		"facility_status":      func(i int) error { return s.hub.Facility(facilities[i]) },
		"demo_progress":        func(i int) error { return s.hub.Demo(demos[i]) },
	}
	for _, channel := range []string{"alerts", "fl_status", "predictions", "system"} {
		tell[channel+"_reload"] = func(int) error { return s.hub.Reload(channel) }
	}
	if len(tell) != len(live.Messages) {
		t.Errorf("the hub has %d types of message, this test knows %d", len(live.Messages), len(tell))
	}
	var described struct {
		Channels   map[string]struct{ Messages map[string]any }
		Components struct {
			Messages map[string]struct {
				Payload struct {
					Properties map[string]struct {
						Const string
						Ref   string `json:"$ref"`
					}
				}
				Examples []struct{ Payload map[string]any }
			}
			Schemas map[string]map[string]any
		}
	}
	document, err := AsyncAPI()
	if err == nil {
		err = json.Unmarshal(document, &described)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range live.Messages {
		payload := described.Components.Messages[m.Type].Payload.Properties
		if payload["channel"].Const != m.Channel || payload["type"].Const != m.Type || described.Channels[m.Channel].Messages[m.Type] == nil {
			t.Errorf("%s is not described on channel %s", m.Type, m.Channel)
			continue
		}
		name := strings.TrimPrefix(payload["data"].Ref, "#/components/schemas/")
		if described.Components.Schemas[name] == nil {
			t.Errorf("%s refers to %q, which is not there", m.Type, payload["data"].Ref)
		}
		check := func(what string, data any) {
			for _, fault := range faults(described.Components.Schemas, described.Components.Schemas[name], "data", data) {
				t.Errorf("%s, %s: %s", m.Type, what, fault)
			}
		}
		for _, example := range described.Components.Messages[m.Type].Examples {
			check("example", example.Payload["data"])
		}
		next := listen(t, s.URL, m.Channel)
		for i, what := range []string{"fullest", "least"} {
			if tell[m.Type] == nil {
				t.Errorf("this test does not know %s", m.Type)
				break
			}
			if err := tell[m.Type](i); err != nil {
				t.Fatal(err)
			}
			kind, data := next()
			if kind != m.Type {
				t.Errorf("got %s, want %s", kind, m.Type)
			}
			check(what, data)
		}
	}
}

// faults says where a value is not as a JSON Schema says: as much of one as the descriptions here use.
func faults(schemas map[string]map[string]any, schema map[string]any, at string, value any) (all []string) {
	if ref, ok := schema["$ref"].(string); ok {
		return faults(schemas, schemas[strings.TrimPrefix(ref, "#/components/schemas/")], at, value)
	}
	for _, several := range []string{"oneOf", "anyOf"} {
		choices, ok := schema[several].([]any)
		if !ok {
			continue
		}
		var none []string
		for _, choice := range choices {
			wrong := faults(schemas, choice.(map[string]any), at, value)
			if len(wrong) == 0 {
				none = nil
				break
			}
			none = append(none, wrong...)
		}
		all = append(all, none...)
	}
	types, ok := schema["type"].([]any)
	if !ok && schema["type"] == nil {
		return all // of any type
	}
	if !ok {
		types = []any{schema["type"]}
	}
	is := map[string]bool{}
	switch v := value.(type) {
	case nil:
		is["null"] = true
	case bool:
		is["boolean"] = true
	case float64:
		is["number"], is["integer"] = true, v == float64(int64(v))
		if least, ok := schema["minimum"].(float64); ok && v < least {
			all = append(all, fmt.Sprintf("%s is %v, less than %v", at, v, least))
		}
		if most, ok := schema["maximum"].(float64); ok && v > most {
			all = append(all, fmt.Sprintf("%s is %v, more than %v", at, v, most))
		}
	case string:
		is["string"] = true
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
			all = append(all, fmt.Sprintf("%s is %q, which %s does not match", at, v, pattern))
		}
		if _, err := time.Parse(time.RFC3339, v); schema["format"] == "date-time" && err != nil {
			all = append(all, fmt.Sprintf("%s is no time: %s", at, v))
		}
		if _, err := breakwater.ParseID(v); schema["format"] == "uuid" && err != nil {
			all = append(all, fmt.Sprintf("%s is no UUID: %s", at, v))
		}
	case []any:
		is["array"] = true
		items, _ := schema["items"].(map[string]any)
		for i, item := range v {
			all = append(all, faults(schemas, items, fmt.Sprintf("%s[%d]", at, i), item)...)
		}
	case map[string]any:
		is["object"] = true
		properties, _ := schema["properties"].(map[string]any)
		for name, field := range v {
			others, _ := schema["additionalProperties"].(map[string]any)
			if property, ok := properties[name].(map[string]any); ok {
				all = append(all, faults(schemas, property, at+"."+name, field)...)
			} else if others != nil {
				all = append(all, faults(schemas, others, at+"."+name, field)...)
			} else if schema["additionalProperties"] != true {
				all = append(all, at+"."+name+" is not described")
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				all = append(all, fmt.Sprintf("%s.%s is missing", at, name))
			}
		}
	}
	if !slices.ContainsFunc(types, func(name any) bool { return is[fmt.Sprint(name)] }) {
		all = append(all, fmt.Sprintf("%s is %v, not of type %v", at, value, types))
	}
	if enum, ok := schema["enum"].([]any); ok && value != nil && !slices.Contains(enum, value) {
		all = append(all, fmt.Sprintf("%s is %v, none of %v", at, value, enum))
	}
	return all
}
