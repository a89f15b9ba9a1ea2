package breakwater

import (
	"fmt"
	"net/netip"
	"time"
)

// Severity orders alerts by how much they matter.
type Severity string

// The severities, most pressing first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
)

// Rank is 4 for critical down to 1 for low, 0 for anything else.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 4
	case High:
		return 3
	case Medium:
		return 2
	case Low:
		return 1
	}
	return 0
}

// Conversation names who talked to whom about what: the packets a detection is about.
type Conversation struct {
	Client   netip.Addr `json:"client,omitzero"`
	Server   netip.Addr `json:"server,omitzero"`
	Protocol Protocol   `json:"protocol,omitempty"` // what was spoken: modbus, tcp, arp, …
	Port     uint16     `json:"port,omitempty"`     // the server's; 0 where there is none or it is many
}

// The layers of detection (SPEC 1).
const (
	LayerAnomaly    = 1 // rules, baseline, isolation forest, autoencoder: something is wrong
	LayerTechnique  = 2 // which ATT&CK technique it is
	LayerPrediction = 3 // what comes next
)

// Detection is what one detector says at one moment of data time: one sentence with figures, about one asset.
//
// For one facility, model and asset the times of detections strictly increase; an Alert counts on it to tell a
// detection it has from a new one.
type Detection struct {
	FacilityID string    `json:"facility_id"`
	Time       time.Time `json:"time"`
	Layer      int       `json:"layer"`
	Model      string    `json:"model"` // the rule's or model's id, as "write-from-new-host"
	Asset      string    `json:"asset"` // what the alert is about: an IP address, else a MAC address
	Severity   Severity  `json:"severity"`
	Confidence float64   `json:"confidence"` // 0–1

	Technique     string `json:"technique,omitempty"` // ATT&CK for ICS id, as "T0855"
	TechniqueName string `json:"technique_name,omitempty"`

	Title    string       `json:"title"`             // a few words for a list
	Evidence string       `json:"evidence"`          // one sentence: who did what to whom, with figures
	LookAt   string       `json:"look_at,omitempty"` // what an analyst should look at next
	Talk     Conversation `json:"conversation,omitzero"`
	// Count is how many times it happened since this model's last detection of this asset, at least 1.
	Count int `json:"count"`
}

// Check refuses what is no detection, whoever made it. The error is of kind Invalid; it names the field as in JSON.
func (d *Detection) Check() error {
	bad := func(field, format string, args ...any) error {
		return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf("a detection of facility "+d.FacilityID+" "+format, args...)}
	}
	if err := CheckFacilityID(d.FacilityID); err != nil {
		return err
	}
	switch y := d.Time.UTC().Year(); {
	case y < 0 || y > 9999:
		return bad("time", "is of year %d", y)
	case d.Asset == "" || d.Model == "":
		return bad("asset", "is without asset or model")
	case d.Layer < LayerAnomaly || d.Layer > LayerPrediction:
		return bad("layer", "is of layer %d: layers are 1 to 3", d.Layer)
	case d.Severity.Rank() == 0:
		return bad("severity", "is of severity %s: critical, high, medium and low are known", quote(string(d.Severity)))
	case !(d.Confidence >= 0 && d.Confidence <= 1): // not a number too
		return bad("confidence", "is of confidence %v: 0 to 1 are possible", d.Confidence)
	case d.Count < 1 || d.Count > 1<<40:
		return bad("count", "happened %d times", d.Count)
	case d.Talk.Client.Zone()+d.Talk.Server.Zone() != "":
		return bad("conversation", "has an address with a zone, which means something on one host only")
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{{"asset", d.Asset, 128}, {"model", d.Model, 128}, {"technique", d.Technique, 32}, {"technique_name", d.TechniqueName, 200},
		{"title", d.Title, 500}, {"evidence", d.Evidence, 4000}, {"look_at", d.LookAt, 4000}, {"conversation.protocol", string(d.Talk.Protocol), 32}} {
		if err := CheckText(text.field, text.value, text.most); err != nil {
			return err
		}
	}
	return nil
}
