package live

import (
	"encoding/json"

	"breakwater"

	"github.com/centrifugal/centrifuge"
)

// Message is one type of message: which channel it goes to and what its data is. Data is a zero value.
type Message struct {
	Channel, Type string
	Summary       string // for those who read the description of the API
	Data          any
}

// Messages are all types there are. docs/asyncapi.yaml is made from them.
//
// Data that can change carries its version: of two messages about one thing the greater version is newer, and a version
// that a listener has it drops. A system_status replaces the one before.
var Messages = []Message{
	{"alerts", "alert_created", "An alert began.", breakwater.Alert{}},
	{"alerts", "alert_updated", "An alert changed: detections were added, or an analyst did something.", breakwater.Alert{}},
	{"fl_status", "fl_progress", "A round of federated learning began, went on or ended.", breakwater.Round{}},
	{"fl_status", "fl_client", "A client of the federation reported.", breakwater.FLClient{}},
	{"predictions", "prediction_created", "An engine predicted what comes next.", breakwater.Prediction{}},
	{"predictions", "prediction_updated", "A prediction changed: more was seen of the same act, or another of its techniques came.", breakwater.Prediction{}},
	{"predictions", "prediction_validated", "What was predicted came true.", breakwater.Prediction{}},
	{"predictions", "prediction_expired", "A prediction's last timeframe is over and nothing of it came.", breakwater.Prediction{}},
	{"system", "system_status", "How the whole system stands. Sent every few seconds while somebody listens, where something but its uptime changed.", breakwater.SystemStatus{}},
	{"system", "facility_status", "A facility was heard of again, or fell silent.", breakwater.FacilityStatus{}},
	{"system", "demo_progress", "A demo scenario began, went on or ended. Of the scenario reset: all that demos made was removed, so that what a page shows of it is gone.", breakwater.DemoRun{}},
	{"alerts", "alerts_reload", missing, Reload{}},
	{"fl_status", "fl_status_reload", missing, Reload{}},
	{"predictions", "predictions_reload", missing, Reload{}},
	{"system", "system_reload", missing, Reload{}},
}

const missing = "Messages of this channel may be missing: Redis, over which several servers share it, was away. What the channel tells of must be asked for anew."

// Reload is the data of a message that says that others may be missing.
type Reload struct{}

// envelope is what a publication's data looks like on every transport.
type envelope struct {
	Channel string `json:"channel"`
	Type    string `json:"type"`
	Data    any    `json:"data"`
}

// Alert tells of an alert that began or changed. The data is the alert as the API shows it, but for relative_time:
// that would be old when it arrives. Its version tells a listener which of two is newer; a redelivered batch
// publishes the same version again.
func (h *Hub) Alert(a *breakwater.Alert, created bool) error {
	if created {
		return h.publish("alert_created", a)
	}
	return h.publish("alert_updated", a)
}

// Round tells of a federated round that began, went on or ended.
func (h *Hub) Round(r *breakwater.Round) error { return h.publish("fl_progress", r) }

// Client tells of a client of the federation that reported.
func (h *Hub) Client(c *breakwater.FLClient) error { return h.publish("fl_client", c) }

// Prediction tells what happened to a prediction: it was created, updated, validated, or it has expired.
func (h *Hub) Prediction(what string, p *breakwater.Prediction) error {
	return h.publish("prediction_"+what, p)
}

// System tells how the whole system stands.
func (h *Hub) System(s *breakwater.SystemStatus) error { return h.publish("system_status", s) }

// Facility tells of a facility that is heard of again, or fell silent.
func (h *Hub) Facility(f *breakwater.FacilityStatus) error { return h.publish("facility_status", f) }

// Demo tells how a demo scenario stands.
func (h *Hub) Demo(run *breakwater.DemoRun) error { return h.publish("demo_progress", run) }

// Reload tells those who listen to a channel that messages may be missing, and that what it tells of must be asked for anew.
func (h *Hub) Reload(channel string) error { return h.publish(channel+"_reload", Reload{}) }

// Joined reports whether what is told here is heard by the listeners of other nodes too.
func (h *Hub) Joined() bool { return h.redis != nil }

// Listening reports whether somebody listens to a channel.
func (h *Hub) Listening(channel string) bool { return h.node.Hub().NumSubscribers(channel) > 0 }

// Relay tells of what another node or system says, in the words of a message of ours; about may be JSON.
func (h *Hub) Relay(kind string, about any) error { return h.broadcast(kind, about) }

func (h *Hub) publish(kind string, about any) error {
	if h.Also != nil {
		h.Also(kind, about)
	}
	return h.broadcast(kind, about)
}

func (h *Hub) broadcast(kind string, about any) error {
	if h.away.Load() {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "a message of type " + kind + " was not published: Redis is away"}
	}
	m := envelope{Type: kind, Data: about}
	for _, known := range Messages {
		if known.Type == kind {
			m.Channel = known.Channel
		}
	}
	size := historySize
	if m.Channel == "system" {
		size = systemHistory
	}
	data, err := json.Marshal(m)
	if err == nil {
		_, err = h.node.Publish(m.Channel, data, centrifuge.WithHistory(size, historyAge))
	}
	if err != nil && h.redis != nil {
		h.away.Store(true)
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "a message of type " + kind + " was not published over Redis", Err: err}
	}
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Internal, Message: "a message of type " + kind + " was not published", Err: err}
	}
	return nil
}
