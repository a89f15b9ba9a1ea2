package breakwater

import "time"

// IncidentGap is how long an attacker may be silent within one incident.
const IncidentGap = time.Hour

// Incident is what one attacker, or one that went on from asset to asset, did at a facility: two or more alerts that
// belong together.
//
// A client's spell is a run of detections of one facility that name it as the client of their conversation, no two
// neighbours more than IncidentGap apart in data time. An alert belongs to the spells that its detections are in; and
// to a spell of its own asset that goes on after the alert began and has begun at most IncidentGap after it was last
// seen: then the asset that was attacked attacks others. Alerts that are so connected, directly or through others, are
// one incident. New detections can only connect more, so the order in which they come does not matter.
type Incident struct {
	ID         ID        `json:"id"` // of its first alert; any alert of it finds it
	FacilityID string    `json:"facility_id"`
	FirstSeen  time.Time `json:"first_seen"` // data time
	LastSeen   time.Time `json:"last_seen"`
	Severity   Severity  `json:"severity"` // the greatest of its alerts
	AlertCount int       `json:"alert_count"`
	Unresolved int       `json:"unresolved"` // alerts that are new or acknowledged
	Attackers  []string  `json:"attackers"`  // clients, in order of first spell
	Assets     []string  `json:"assets"`     // of its alerts, in order of time
	Techniques []string  `json:"techniques"` // of its alerts, in order of time
}

// IncidentListMax bounds the attackers, assets and techniques that are listed of one incident.
const IncidentListMax = 100
