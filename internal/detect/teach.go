package detect

import (
	"fmt"
	"net/netip"

	"breakwater"
	"breakwater/internal/ml"
)

// teachable are the signals whose cause a Source names whole: its asset and its conversation are the key of what was
// new. Of the others it keeps a sentence only: which function, which addresses or how much it was must be learned from
// traffic, where all of it is seen.
const teachable = sigNewDevice | sigNewAddress | sigNewPair | sigNewWriter | sigMalformed

// Teach takes what an alert's sources were raised about as normal from now on, as a person says it is, and returns what
// was learned. It learns of each source the conversation that the source keeps, which is that of its strongest
// detection; of models nothing, which learn when they are trained. The error is of kind Invalid where one of the others is
// not about something that can be taught so, or there is none; then b is unchanged.
func (b *Baseline) Teach(rules []*Rule, a *breakwater.Alert) ([]Entry, error) {
	refuse := func(s *breakwater.Source, why string) error {
		return invalid("learn", nil, "%s of asset %.64s cannot be learned from the alert: %s", s.Model, a.Asset, why)
	}
	if b.Empty() {
		return nil, invalid("learn", nil, "nothing was learned of facility %s yet, and with this alone everything else would be new: let it learn normal traffic first", a.FacilityID)
	}
	taught := NewBaseline()
	for i := range a.Sources {
		s := &a.Sources[i]
		if _, model := speaking[ml.Kind(s.Model)]; model && !s.External {
			continue // its next training does not leave these seconds out, as the alert is a false positive
		}
		var rule *Rule
		for _, r := range rules {
			if r.ID == s.Model {
				rule = r
			}
		}
		switch {
		case s.External || rule == nil:
			return nil, refuse(s, "it is not a rule of this server")
		case rule.Count != nil:
			return nil, refuse(s, "it counts, and how much is normal is learned from traffic")
		case rule.signals&^teachable != 0:
			return nil, refuse(s, fmt.Sprintf("it asks about %v, of which the alert keeps too little; let the facility learn while it happens, or mute it", rule.On))
		}
		keys, why := taughtKeys(rule, a.Asset, s.Talk)
		if why != "" {
			return nil, refuse(s, why)
		}
		for _, k := range keys {
			learned := taught.learn(k, s.DetectedAt)
			if learned != nil && s.CountedUntil.After(learned.last) {
				learned.last = s.CountedUntil
			}
		}
	}
	if taught.Empty() {
		return nil, invalid("learn", nil, "a model's word cannot be learned from the alert: mark it as a false positive and train the model anew")
	}
	b.Merge(taught)
	return taught.Entries(), nil
}

// taughtKeys are the keys of what a rule found new about an asset in a conversation, and why there are none where there
// are none.
func taughtKeys(rule *Rule, of string, talk breakwater.Conversation) (keys []key, why string) {
	ends := talk.Client.IsValid() && talk.Server.IsValid()
	if rule.signals&(sigNewDevice|sigNewAddress) != 0 {
		// The new device is the asset, or else the one that answered it.
		k := key{kind: kindDevice, a: talk.Server}
		if rule.Asset == "device" {
			if addr, err := netip.ParseAddr(of); err == nil {
				k.a = addr
			} else if mac, err := parseMAC(of); err == nil {
				k = key{kind: kindLink, mac: mac}
			} else {
				return nil, "the asset stands for many"
			}
		}
		if k.kind == kindDevice && !routable(k.a) {
			return nil, "it names no device"
		}
		keys = append(keys, k)
	}
	if rule.signals&(sigNewPair|sigNewWriter|sigMalformed) != 0 && !ends {
		return nil, "it names no client and server"
	}
	if rule.signals&sigNewPair != 0 {
		keys = append(keys, key{kind: kindPair, a: talk.Client, b: talk.Server, protocol: transportOf(talk.Protocol), n: uint32(talk.Port)})
	}
	if rule.signals&sigNewWriter != 0 {
		keys = append(keys, key{kind: kindWriter, a: talk.Client, b: talk.Server})
	}
	if rule.signals&sigMalformed != 0 {
		k := key{kind: kindMalformed, a: talk.Client, b: talk.Server, protocol: talk.Protocol}
		if of == talk.Server.String() { // the sender is the asset
			k.a, k.b = k.b, k.a
		}
		keys = append(keys, k)
	}
	return keys, ""
}
