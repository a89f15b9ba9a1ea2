package api

import (
	"bytes"
	"reflect"
	"slices"

	"breakwater"
	"breakwater/internal/live"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/yaml"
)

// AsyncAPI describes the live messages as AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0), as it
// is served at /asyncapi.json. It is made of live.Messages, in the words in which the HTTP API describes the same things.
func AsyncAPI() ([]byte, error) {
	schemas, err := messageSchemas()
	if err != nil {
		return nil, err
	}
	type object = map[string]any
	ref := func(path string) object { return object{"$ref": "#/" + path} }
	channels, operations, messages := object{}, object{}, object{}
	for _, m := range live.Messages {
		name := huma.DefaultSchemaNamer(reflect.TypeOf(m.Data), "")
		messages[m.Type] = object{
			"name": m.Type, "summary": m.Summary, "contentType": "application/json",
			"payload": object{
				"type": "object", "required": []string{"channel", "type", "data"}, "additionalProperties": false,
				"properties": object{"channel": object{"const": m.Channel}, "type": object{"const": m.Type}, "data": ref("components/schemas/" + name)},
			},
			"examples": []object{{"payload": object{"channel": m.Channel, "type": m.Type, "data": exampleOf(schemas, schemas.Map()[name])}}},
		}
		channel, ok := channels[m.Channel].(object)
		if !ok {
			channel = object{"address": m.Channel, "messages": object{}}
			channels[m.Channel] = channel
			operations["send_"+m.Channel] = object{"action": "send", "channel": ref("channels/" + m.Channel)}
		}
		channel["messages"].(object)[m.Type] = ref("components/messages/" + m.Type)
	}
	return marshal(object{
		"asyncapi": "3.0.0",
		"info": object{"title": "Breakwater, live", "version": documentVersion,
			"description": "What happens, as it happens. Each channel's messages come in order and once; after a dropped connection a listener gets what it missed, or is told to load anew. " +
				"Of two messages about one thing the one with the greater `version` is newer; a version that a listener has it drops."},
		"defaultContentType": "application/json",
		"servers": object{
			"websocket": object{"host": "localhost:8000", "pathname": "/ws", "protocol": "ws",
				"description": "Centrifuge's JSON protocol: send `{\"id\":1,\"connect\":{}}`, then `{\"id\":2,\"subscribe\":{\"channel\":\"alerts\"}}`; a message is the data of a publication."},
			"stream": object{"host": "localhost:8000", "pathname": "/api/stream", "protocol": "http",
				"description": "Server-sent events, `?channels=alerts,system`; a message is the data of an event."},
		},
		"channels": channels, "operations": operations, "components": object{"messages": messages, "schemas": schemas.Map()},
	})
}

// messageSchemas are the schemas of what messages carry, described.
func messageSchemas() (huma.Registry, error) {
	schemas := huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)
	for _, m := range live.Messages {
		schemas.Schema(reflect.TypeOf(m.Data), true, "")
	}
	for name, schema := range schemas.Map() {
		listsAreNeverNull(schema)
		asInGo(schema, schemas.TypeFromRef(schemaPrefix+name))
		if err := describeFields(name, schema, words[name]); err != nil {
			return nil, err
		}
	}
	return schemas, nil
}

// exampleOf is a value of a schema, made of the examples of its fields.
func exampleOf(schemas huma.Registry, schema *huma.Schema) any {
	switch {
	case schema.Ref != "":
		return exampleOf(schemas, schemas.SchemaFromRef(schema.Ref))
	case len(schema.Examples) > 0:
		return schema.Examples[0]
	case schema.Type == huma.TypeArray:
		return []any{exampleOf(schemas, schema.Items)}
	}
	value := map[string]any{}
	for name, property := range schema.Properties {
		if slices.Contains(schema.Required, name) {
			value[name] = exampleOf(schemas, property)
		}
	}
	return value
}

// asYAML is JSON as YAML.
func asYAML(text []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := yaml.Convert(&out, bytes.NewReader(text)); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "a description cannot be written as YAML", Err: err}
	}
	return out.Bytes(), nil
}
