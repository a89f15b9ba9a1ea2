package breakwater

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ID is a UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then 74 bits that tell ids of one millisecond apart.
type ID [16]byte

// NewID is the id of something that began at t and is named by parts: the same t and parts give the same id on
// every machine, so what is seen twice is stored once.
func NewID(t time.Time, parts ...string) ID {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	var id ID
	copy(id[:], h.Sum(nil))
	ms := uint64(t.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant 10
	return id
}

// String is the usual form: 8-4-4-4-12 lower-case hexadecimal digits.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// ParseID reads the usual form. The error is of kind Invalid.
func ParseID(s string) (ID, error) {
	var id ID
	bad := &Error{Kind: Invalid, Field: "id", Message: "id " + quote(s) + " is not a UUID like 01930a7e-3c00-7abc-8def-0123456789ab"}
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, bad
	}
	if _, err := hex.Decode(id[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return id, bad
	}
	return id, nil
}

// MarshalText is String as bytes.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
