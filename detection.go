package breakwater

import (
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
