package breakwater

import "regexp"

var facilityID = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// CheckFacilityID reports whether id may name a facility: 1 to 64 of a–z, 0–9, "_" and "-". The error is of kind Invalid.
func CheckFacilityID(id string) error {
	if facilityID.MatchString(id) {
		return nil
	}
	return &Error{Kind: Invalid, Field: "facility_id",
		Message: "facility id " + quote(id) + " is not allowed: use 1 to 64 of a-z, 0-9, _ and -"}
}
