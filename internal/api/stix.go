package api

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/attack"
)

// Alerts in STIX 2.1 (OASIS standard, 10 June 2021).
//
//	facility: identity ◄── where_sighted ── sighting ── of ──► attack-pattern (the technique)
//	                                           └── observed ──► observed-data ──► addresses, network-traffic
//
// An alert with no technique is a note about its observed data, or where it names no address, about the facility.
// Every id is a UUIDv5 of what the object is about, so that a second export names the same things by the same ids, and
// a receiver counts them once.

// stixNamespace is the one that the standard gives to the ids of observables (section 2.9); breakwaterNamespace is our
// own, for all other objects.
var (
	stixNamespace       = [16]byte{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}
	breakwaterNamespace = [16]byte{0x5b, 0x1e, 0x8c, 0x52, 0x0e, 0x3f, 0x4c, 0x7b, 0x9d, 0x2a, 0x6f, 0x10, 0x8e, 0x47, 0xc3, 0xd9}
)

const (
	// stixSeenMax bounds the objects that are remembered as written already. Beyond it one may be written twice, which
	// the same id shows to be the same.
	stixSeenMax = 100_000
	// stixCountMax is the greatest count of a sighting or of observed data.
	stixCountMax = 999_999_999
)

// stixEpoch is when objects without a time of their own began: what they say does not change.
var stixEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stixObject is one object, its properties in the order of encoding/json.
type stixObject map[string]any

type stixExport struct {
	w         io.Writer
	catalogue *attack.Catalogue
	objects   jsonExport
	seen      map[string]bool
	us        string // the id of the identity that created all
}

func newSTIXExport(w io.Writer, catalogue *attack.Catalogue) *stixExport {
	return &stixExport{w: w, catalogue: catalogue, objects: jsonExport{w: w}, seen: map[string]bool{}, us: stixID("identity", breakwaterNamespace, "breakwater")}
}

// uuid5 is RFC 9562's name-based UUID.
func uuid5(space [16]byte, name string) string {
	h := sha1.New()
	h.Write(space[:])
	io.WriteString(h, name)
	id := breakwater.ID(h.Sum(nil)[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

func stixID(kind string, space [16]byte, name string) string {
	return kind + "--" + uuid5(space, name)
}

func stixTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (e *stixExport) begin() error {
	// A bundle has no meaning of its own; its id is that of its kind.
	if err := writeAll(e.w, `{"type":"bundle","id":"`, stixID("bundle", breakwaterNamespace, "alerts"), `","objects":[`); err != nil {
		return err
	}
	return e.once(stixObject{"type": "identity", "id": e.us, "name": "Breakwater", "identity_class": "system"}, stixEpoch)
}

func (e *stixExport) end() error { return writeAll(e.w, "\n]}\n") }

// once writes an object that may be met again, with the properties that all but observables have.
func (e *stixExport) once(o stixObject, created time.Time) error {
	id := o["id"].(string)
	if e.seen[id] {
		return nil
	}
	if len(e.seen) >= stixSeenMax {
		clear(e.seen)
	}
	e.seen[id] = true
	if !created.IsZero() {
		e.common(o, created, created)
	} else {
		o["spec_version"] = "2.1"
	}
	return e.objects.item(o)
}

func (e *stixExport) common(o stixObject, created, modified time.Time) {
	o["spec_version"], o["created"], o["modified"] = "2.1", stixTime(created), stixTime(modified)
	if o["id"] != e.us {
		o["created_by_ref"] = e.us
	}
}

func (e *stixExport) alert(a *breakwater.Alert) error {
	facility := stixID("identity", breakwaterNamespace, "facility "+a.FacilityID)
	if err := e.once(stixObject{"type": "identity", "id": facility, "name": a.FacilityID, "identity_class": "organization"}, stixEpoch); err != nil {
		return err
	}
	observed, err := e.observed(a)
	if err != nil {
		return err
	}
	name, first, last := a.ID.String(), a.Timestamp, a.LastSeen
	labels, confidence := []string{"severity:" + string(a.Severity)}, int(math.Round(a.Confidence*100))
	for _, technique := range a.Techniques {
		pattern := stixID("attack-pattern", breakwaterNamespace, technique)
		if err := e.once(e.technique(pattern, technique, a), stixEpoch); err != nil {
			return err
		}
		sighting := stixObject{
			"type": "sighting", "id": stixID("sighting", breakwaterNamespace, name+" "+technique), "sighting_of_ref": pattern, "where_sighted_refs": []string{facility},
			"first_seen": stixTime(first), "last_seen": stixTime(last), "count": min(a.Count, stixCountMax),
			"confidence": confidence, "description": cmp.Or(a.Description, a.Title), "labels": labels,
			"external_references": stixAlert(a),
		}
		if observed != "" {
			sighting["observed_data_refs"] = []string{observed}
		}
		e.common(sighting, first, last)
		if err := e.objects.item(sighting); err != nil {
			return err
		}
	}
	if len(a.Techniques) > 0 {
		return nil
	}
	note := stixObject{
		"type": "note", "id": stixID("note", breakwaterNamespace, name), "abstract": a.Title, "content": cmp.Or(a.Description, a.Title),
		"object_refs": []string{cmp.Or(observed, facility)}, "confidence": confidence, "labels": labels, "external_references": stixAlert(a),
	}
	e.common(note, first, last)
	return e.objects.item(note)
}

// stixAlert refers to the alert itself.
func stixAlert(a *breakwater.Alert) []stixObject {
	return []stixObject{{"source_name": "breakwater", "external_id": a.ID.String()}}
}

// technique is an ATT&CK technique.
func (e *stixExport) technique(id, technique string, a *breakwater.Alert) stixObject {
	return stixObject{"type": "attack-pattern", "id": id, "name": e.techniqueName(technique, a), "external_references": []stixObject{{
		"source_name": "mitre-attack", "external_id": technique, "url": techniqueURL(technique),
	}}}
}

// techniqueName is what the catalogue calls a technique, so that all exports say the same of one id; one that it does not
// know has the name that the alert gives it, or else its id.
func (e *stixExport) techniqueName(technique string, a *breakwater.Alert) string {
	if o, known := e.catalogue.Lookup(technique); known {
		return o.Name
	}
	if a.AttackType == technique && a.AttackName != "" {
		return a.AttackName
	}
	for _, s := range a.Sources {
		if s.Technique == technique && s.TechniqueName != "" {
			return s.TechniqueName
		}
	}
	return technique
}

// observed writes what was seen on the network and returns the id of the observed data, "" where the alert names no
// address.
func (e *stixExport) observed(a *breakwater.Alert) (string, error) {
	var refs []string
	add := func(o stixObject) error {
		if id := o["id"].(string); !slices.Contains(refs, id) {
			refs = append(refs, id)
		}
		return e.once(o, time.Time{})
	}
	if o := stixAddress(a.Asset); o != nil {
		if err := add(o); err != nil {
			return "", err
		}
	}
	for _, s := range a.Sources {
		client, server := stixAddress(addrText(s.Talk.Client)), stixAddress(addrText(s.Talk.Server))
		for _, o := range []stixObject{client, server} {
			if o == nil {
				continue
			}
			if err := add(o); err != nil {
				return "", err
			}
		}
		if client != nil && server != nil {
			if err := add(stixTraffic(client, server, s.Talk)); err != nil {
				return "", err
			}
		}
	}
	if len(refs) == 0 {
		return "", nil
	}
	o := stixObject{
		"type": "observed-data", "id": stixID("observed-data", breakwaterNamespace, a.ID.String()), "first_observed": stixTime(a.Timestamp),
		"last_observed": stixTime(a.LastSeen), "number_observed": min(max(1, a.Count), stixCountMax), "object_refs": refs,
	}
	e.common(o, a.Timestamp, a.LastSeen)
	return o["id"].(string), e.objects.item(o)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// stixAddress is an IP address or MAC; nil where the text is neither.
func stixAddress(text string) stixObject {
	kind := ""
	addr, err := netip.ParseAddr(text)
	switch {
	case err == nil && addr.Is4():
		kind = "ipv4-addr"
	case err == nil && addr.Zone() == "":
		kind = "ipv6-addr"
	case len(text) == 17 && strings.Count(text, ":") == 5:
		if mac, err := hex.DecodeString(strings.ReplaceAll(text, ":", "")); err == nil && len(mac) == 6 {
			kind, text = "mac-addr", strings.ToLower(text)
		}
	}
	if kind == "" {
		return nil
	}
	return stixObservable(kind, stixObject{"value": text})
}

// stixTraffic is a conversation. Its id is made of what the standard makes it of (section 6.12), as far as it is there.
func stixTraffic(client, server stixObject, talk breakwater.Conversation) stixObject {
	protocols := []string{strings.TrimSuffix(client["type"].(string), "-addr")}
	switch talk.Protocol {
	case "":
	case breakwater.ARP:
		protocols = []string{"arp"}
	case breakwater.Modbus:
		protocols = append(protocols, "tcp", "modbus")
	case breakwater.DNS:
		protocols = append(protocols, "udp", "dns")
	default:
		protocols = append(protocols, strings.ToLower(string(talk.Protocol)))
	}
	named := stixObject{"src_ref": client["id"], "dst_ref": server["id"], "protocols": protocols}
	if talk.Port != 0 {
		named["dst_port"] = talk.Port
	}
	return stixObservable("network-traffic", named)
}

// stixObservable is an observable, whose id is made of its properties as canonical JSON (RFC 8785): that is what
// encoding/json writes for plain names, texts and small whole numbers.
func stixObservable(kind string, properties stixObject) stixObject {
	text, _ := json.Marshal(properties) // a map of texts, lists of texts, and numbers
	o := maps.Clone(properties)
	o["type"], o["id"] = kind, stixID(kind, stixNamespace, string(text))
	return o
}
