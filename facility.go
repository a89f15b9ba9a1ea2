package breakwater

import (
	"regexp"
	"time"
)

var facilityID = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// CheckFacilityID reports whether id may name a facility: 1 to 64 of a–z, 0–9, "_" and "-". The error is of kind Invalid.
func CheckFacilityID(id string) error {
	if facilityID.MatchString(id) {
		return nil
	}
	return &Error{Kind: Invalid, Field: "facility_id",
		Message: "facility id " + quote(id) + " is not allowed: use 1 to 64 of a-z, 0-9, _ and -"}
}

// Sensor is the half that stands at a facility, as it last told of itself.
type Sensor struct {
	FacilityID string    `json:"facility_id"`
	Version    string    `json:"version"`  // of the program
	Source     string    `json:"source"`   // what it taps: an interface, a file, a folder
	HeardAt    time.Time `json:"heard_at"` // wall time of the server, when it last said something
	// ClockOffsetMS is by how many milliseconds its clock is ahead of the server's, the way of the message included.
	ClockOffsetMS int64 `json:"clock_offset_ms"`
	SpooledBytes  int64 `json:"spooled_bytes"` // waiting at the sensor to be sent
	// What the sensor had to give up since its spool was made, because the server was away for too long or its disk
	// was full.
	LostWindows    int64 `json:"lost_windows"`
	LostDetections int64 `json:"lost_detections"`
}

// Facility is one plant whose network is watched.
type Facility struct {
	ID              string     `json:"id"`
	LastSeen        *time.Time `json:"last_seen"` // data time of its newest window or detection; nil: none yet
	Assets          int        `json:"assets"`
	ActiveAlerts    int        `json:"active_alerts"`    // new or acknowledged
	BaselineVersion int        `json:"baseline_version"` // 0: nothing was learned
	Sensor          *Sensor    `json:"sensor"`           // nil: none has said hello; its traffic comes another way
}
