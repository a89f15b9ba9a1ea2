package api

import (
	"reflect"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

// rowOf is what one row of an ingest route is, for the description; a route that is not here takes any object.
var rowOf = map[string]struct {
	of     reflect.Type
	needed []string // fields; a facility may come from the query
}{
	"/api/ingest/network-data": {reflect.TypeFor[breakwater.Window](), []string{"timestamp"}},
	"/api/ingest/detections":   {reflect.TypeFor[breakwater.Detection](), []string{"time", "layer", "model", "asset", "severity"}},
	"/api/ingest/events":       {reflect.TypeFor[breakwater.Event](), []string{"time", "protocol", "kind"}},
	"/api/ingest/batches":      {reflect.TypeFor[breakwater.Batch](), nil},
}

// describeRows describes a body of rows as JSON. It is said of the description alone: huma would read and check a body
// that is described as JSON, and whole.
func describeRows(schemas huma.Registry, path string, body *huma.RequestBody) {
	row := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	if r, known := rowOf[path]; known {
		row = schemas.Schema(r.of, true, "")
		whole := schemas.SchemaFromRef(row.Ref)
		whole.Required, whole.AdditionalProperties = r.needed, true // programs of other versions send other fields
	}
	body.Content["application/json"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeArray, Items: row, Description: body.Description}}
}

var (
	windowWords = map[string]field{
		"facility_id":           {doc: "The facility; where absent, the query's.", example: "plant-1"},
		"timestamp":             {doc: "Its beginning: a whole second of data time, of the years 1970 to 9998.", example: "2026-03-01T08:00:00Z"},
		"packets_per_sec":       {doc: "Packets in the second.", example: 42},
		"bytes_per_sec":         {doc: "Bytes in the second, on the wire.", example: 3120},
		"unique_src_ips":        {doc: "Sending addresses.", example: 6},
		"unique_dest_ips":       {doc: "Addresses sent to.", example: 6},
		"protocol_distribution": {doc: "How mixed the protocols are: normalised Shannon entropy, 0 to 1.", example: 0.61},
		"failed_connections":    {doc: "Attempts to connect whose failure showed in the second.", example: 0},
		"avg_packet_size":       {doc: "Bytes a packet; 0 in silence.", example: 74},
		"inter_arrival_time":    {doc: "Milliseconds between packets, mean; 0 with fewer than two.", example: 23.6},
		"raw_features":          {doc: "The counts behind it."},
	}
	rawWords = map[string]field{
		"protocols": {doc: "Packets by protocol.", example: map[string]any{"modbus": 40, "arp": 2}},
		"functions": {doc: "Requests by protocol and function.", example: map[string]any{"modbus/3": 18}},
		"values":    {doc: "The last value read or written, by server, unit, table and address.", example: map[string]any{"10.0.0.11/1/holding/4": 812}},
	}
	detectionWords = map[string]field{
		"facility_id":    {doc: "The facility; where absent, the query's.", example: "plant-1"},
		"time":           {doc: "Data time. For one model and asset times grow.", example: "2026-03-01T08:00:00Z"},
		"layer":          {doc: "Which layer of detection spoke: 1 something is wrong, 2 which technique it is, 3 what comes next.", example: 1, enum: []any{1, 2, 3}},
		"model":          {doc: "The id of the rule or model, at most 128 characters.", example: "write-from-new-host"},
		"asset":          {doc: "What it is about: an IP address, else a MAC address; at most 128 characters.", example: "10.0.0.11"},
		"severity":       {doc: "How much it matters.", example: "high", enum: severities},
		"confidence":     {doc: "How sure the detector is, 0 to 1.", example: 0.9},
		"technique":      {doc: "ATT&CK for ICS id of the technique.", example: "T0855"},
		"technique_name": {doc: "The technique's name.", example: "Unauthorized Command Message"},
		"title":          {doc: "What happened, in a few words; at most 500 characters.", example: "Write from a host that never wrote"},
		"evidence":       {doc: "Who did what to whom, with figures; at most 4000 characters.", example: "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11."},
		"look_at":        {doc: "What an analyst should look at next; at most 4000 characters.", example: "Ask who works on 10.0.0.11 today."},
		"conversation":   {doc: "Whose packets it is about."},
		"count":          {doc: "How often it happened since this model's last detection of this asset, from 1; 1 where absent.", example: 1},
	}
	batchWords = map[string]field{
		"facility_id": {doc: "The facility; where absent, the query's.", example: "plant-1"},
		"windows":     {doc: "Seconds of its network."},
		"detections":  {doc: "What was detected in them."},
		"assets":      {doc: "What changed of its assets since the last batch."},
		"talks":       {doc: "What went by of its conversations since they were told of last."},
		"events":      {doc: "Messages that were decoded since the last batch.", example: 2400},
	}
	endpointWords = map[string]field{
		"mac":  {doc: "MAC address.", example: "02:00:00:00:00:39"},
		"addr": {doc: "IP address.", example: "10.0.0.57"},
		"port": {doc: "Port; absent where the protocol has none.", example: 502},
	}
	eventWords = map[string]field{
		"time":             {doc: "Data time, of the years 1970 to 9998.", example: "2026-03-01T08:00:00Z"},
		"protocol":         {doc: "The protocol of the message.", example: "modbus", enum: anyOf(eventProtocols)},
		"kind":             {doc: "What sort of message it is, or what became of a connection.", example: "request", enum: anyOf(eventKinds)},
		"src":              {doc: "Who sent it; for the state of a connection, its client."},
		"dst":              {doc: "Whom it was sent to."},
		"from_server":      {doc: "Whether src is the end that answers.", example: false},
		"mid_stream":       {doc: "Whether the connection's beginning was not seen.", example: false},
		"length":           {doc: "Bytes of the message, at most 16 MiB.", example: 12},
		"transaction":      {doc: "The protocol's number of the exchange.", example: 17},
		"unit":             {doc: "Modbus unit.", example: 1},
		"function":         {doc: "Function code, without the exception bit.", example: 3},
		"function_name":    {doc: "The function's name.", example: "read holding registers"},
		"class":            {doc: "What the operation does to the device.", example: "read", enum: anyOf(eventClasses)},
		"ranged":           {doc: "Whether address and quantity mean something.", example: true},
		"address":          {doc: "The first address asked for.", example: 0},
		"quantity":         {doc: "How many addresses.", example: 10},
		"values":           {doc: "What was read or written, from address on: bits as 0 or 1, registers as 0 to 65535; at most 2000.", example: []any{812, 0}},
		"read_address":     {doc: "The first address read by a function that also writes.", example: 0},
		"read_quantity":    {doc: "How many addresses it reads.", example: 2},
		"subfunction":      {doc: "Subfunction of Modbus 8 and 43.", example: 14},
		"exception":        {doc: "Exception code; absent where there was none.", example: 2},
		"exception_name":   {doc: "The exception's name.", example: "illegal data address"},
		"joined":           {doc: "Whether the request of this response was seen.", example: true},
		"response_time_ns": {doc: "Nanoseconds from request to response.", example: 4200000},
		"name":             {doc: "DNS: what was asked for; at most 1024 bytes.", example: "historian.plant.example"},
		"code":             {doc: "DNS: response code; ICMP: type times 256, plus code.", example: 3},
		"reason":           {doc: "Why it is malformed, unanswered or closed; at most 1024 bytes.", example: "length 0 in the MBAP header"},
	}
)

// anyOf is a list of words as an enumeration.
func anyOf[T ~string](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
