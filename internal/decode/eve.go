package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"breakwater"
)

// EVE reads one line of Suricata's EVE log and emits its events, each one's own, or for an alert the detection that it
// is. flow, dns, modbus and alert are read. A detection's model is "suricata:" and the signature's id (behind the
// generator's where that is not 1), its asset the address that the packet went to; its facility is the caller's to fill
// in. The error is as Zeek's.
func EVE(line []byte, emit func(*breakwater.Event), found func(*breakwater.Detection)) error {
	var r eveRow
	if err := json.Unmarshal(line, &r); err != nil {
		return notJSON(err)
	}
	switch r.EventType {
	case "":
		return errors.New("has no event_type")
	case "alert", "flow", "dns", "modbus":
	default:
		return ErrUnused
	}
	t, err := eveTime(r.Timestamp)
	if err != nil {
		return err
	}
	if err := checkEnds(r.SrcIP, r.DestIP); err != nil {
		return err
	}
	e := eveLine{
		eveRow: &r, time: t, emit: emit,
		src:  breakwater.Endpoint{MAC: r.Ether.SrcMAC, Addr: r.SrcIP.Unmap(), Port: r.SrcPort},
		dest: breakwater.Endpoint{MAC: r.Ether.DestMAC, Addr: r.DestIP.Unmap(), Port: r.DestPort},
	}
	switch {
	case r.EventType == "alert" && r.Alert != nil:
		return e.alert(found)
	case r.EventType == "flow" && r.Flow != nil:
		return e.flow()
	case r.EventType == "dns" && r.DNS != nil:
		return e.dns()
	case r.EventType == "modbus" && r.Modbus != nil:
		return e.modbus()
	}
	return fmt.Errorf("is of event_type %s and has no %s", r.EventType, r.EventType)
}

// eveRow is the fields that are read, of all event types.
type eveRow struct {
	Timestamp string     `json:"timestamp"`
	EventType string     `json:"event_type"`
	SrcIP     netip.Addr `json:"src_ip"`
	SrcPort   uint16     `json:"src_port"`
	DestIP    netip.Addr `json:"dest_ip"`
	DestPort  uint16     `json:"dest_port"`
	Proto     string     `json:"proto"`
	AppProto  string     `json:"app_proto"`
	ICMPType  int        `json:"icmp_type"`
	ICMPCode  int        `json:"icmp_code"`
	Ether     struct {   // where it is configured
		SrcMAC  breakwater.MAC `json:"src_mac"`
		DestMAC breakwater.MAC `json:"dest_mac"`
	} `json:"ether"`
	Alert *struct {
		Action      string              `json:"action"`
		GID         uint32              `json:"gid"`
		SignatureID uint64              `json:"signature_id"`
		Signature   string              `json:"signature"`
		Category    string              `json:"category"`
		Severity    int                 `json:"severity"` // 1 is the most severe
		Metadata    map[string][]string `json:"metadata"`
	} `json:"alert"`
	Flow *struct {
		PktsToServer int64  `json:"pkts_toserver"`
		PktsToClient int64  `json:"pkts_toclient"`
		Start        string `json:"start"`
		End          string `json:"end"`
		State        string `json:"state"`  // new, established, closed, bypassed
		Reason       string `json:"reason"` // timeout, forced, shutdown
	} `json:"flow"`
	TCP struct {
		RST   bool   `json:"rst"`
		State string `json:"state"`
	} `json:"tcp"`
	DNS *struct {
		Type    string `json:"type"` // query, answer; from version 3 on request, response
		ID      uint32 `json:"id"`
		RRName  string `json:"rrname"`
		RCode   string `json:"rcode"`
		Queries []struct {
			RRName string `json:"rrname"`
		} `json:"queries"`
	} `json:"dns"`
	Modbus *struct {
		Request  *eveModbus `json:"request"`
		Response *eveModbus `json:"response"`
	} `json:"modbus"`
}

type eveModbus struct {
	Transaction uint32    `json:"transaction_id"`
	Unit        uint8     `json:"unit_id"`
	Function    uint8     `json:"function_raw"` // with the exception bit
	Read        *eveRange `json:"read"`
	Write       *eveRange `json:"write"`
	Diagnostic  *struct {
		Raw uint16 `json:"raw"`
	} `json:"diagnostic"`
	MEI *struct {
		Raw uint16 `json:"raw"`
	} `json:"mei"`
	Exception *struct {
		Raw uint8 `json:"raw"`
	} `json:"exception"`
}

type eveRange struct {
	Address  *uint32         `json:"address"`
	Quantity uint32          `json:"quantity"`
	Data     json.RawMessage `json:"data"` // of a single write a number, else bytes as text, which cannot be told from their replacement
}

// eveLine is a row whose time and ends are right.
type eveLine struct {
	*eveRow
	time      time.Time
	src, dest breakwater.Endpoint
	emit      func(*breakwater.Event)
}

// transport is the protocol below the application.
func (l *eveLine) transport() breakwater.Protocol {
	switch strings.ToUpper(l.Proto) {
	case "TCP":
		return breakwater.TCP
	case "UDP":
		return breakwater.UDP
	case "ICMP", "IPV6-ICMP":
		return breakwater.ICMP
	}
	return breakwater.OtherIP
}

// flow tells a connection's states from its end. Its source is the client.
func (l *eveLine) flow() error {
	start, err := eveTime(l.Flow.Start)
	if err != nil {
		return fmt.Errorf("has a flow whose start %w", err)
	}
	end := l.time
	if l.Flow.End != "" {
		if end, err = eveTime(l.Flow.End); err != nil {
			return fmt.Errorf("has a flow whose end %w", err)
		}
	}
	if end.Before(start) {
		return errors.New("has a flow that ends before it starts")
	}
	state := func(p breakwater.Protocol, k breakwater.Kind, at time.Time, reason string) {
		l.emit(&breakwater.Event{Time: at, Protocol: p, Kind: k, Src: l.src, Dst: l.dest, Reason: reason})
	}
	switch l.transport() {
	case breakwater.UDP:
		state(breakwater.UDP, breakwater.Attempted, start, "")
		return nil
	case breakwater.ICMP:
		if l.ICMPType != 8 && l.ICMPType != 128 {
			return ErrUnused
		}
		l.emit(&breakwater.Event{Time: start, Protocol: breakwater.ICMP, Kind: breakwater.Request, Src: l.src, Dst: l.dest, Code: l.ICMPType<<8 | l.ICMPCode&0xff})
		return nil
	case breakwater.OtherIP:
		return ErrUnused
	}
	state(breakwater.TCP, breakwater.Attempted, start, "")
	answered := l.Flow.State == "established" || l.TCP.State == "established" || l.Flow.State == "closed" && !(l.TCP.RST && l.Flow.PktsToClient <= 1)
	switch {
	case l.Flow.PktsToClient == 0:
		state(breakwater.TCP, breakwater.Unanswered, end, "")
	case !answered && l.TCP.RST:
		state(breakwater.TCP, breakwater.Refused, end, "")
	case !answered:
		state(breakwater.TCP, breakwater.Unanswered, end, "")
	default:
		state(breakwater.TCP, breakwater.Opened, start, "")
		state(breakwater.TCP, breakwater.Closed, end, clean(l.Flow.Reason, 40))
	}
	return nil
}

// dns is a question or an answer. Which end is the server is told by the port: versions of Suricata differ in whom they
// call the source of an answer.
func (l *eveLine) dns() error {
	client, server := l.src, l.dest
	if l.SrcPort == 53 && l.DestPort != 53 {
		client, server = server, client
	}
	name := l.DNS.RRName
	if name == "" && len(l.DNS.Queries) > 0 {
		name = l.DNS.Queries[0].RRName
	}
	e := &breakwater.Event{Time: l.time, Protocol: breakwater.DNS, Src: client, Dst: server, Transaction: l.DNS.ID, Name: clean(name, 255)}
	switch l.DNS.Type {
	case "query", "request":
		e.Kind = breakwater.Request
	case "answer", "response":
		e.Kind, e.FromServer, e.Src, e.Dst = breakwater.Response, true, server, client
		e.Code = dnsCodes[l.DNS.RCode]
	default:
		return fmt.Errorf("has a dns type %.20q that Suricata does not have", l.DNS.Type)
	}
	l.emit(e)
	return nil
}

// dnsCodes are the response codes (IANA, DNS parameters) by Suricata's names.
var dnsCodes = map[string]int{"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6,
	"YXRRSET": 7, "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10}

// modbus is a request, a response, or both.
func (l *eveLine) modbus() error {
	client, server := l.src, l.dest
	if l.SrcPort == 502 && l.DestPort != 502 {
		client, server = server, client
	}
	req, resp := l.Modbus.Request, l.Modbus.Response
	if req == nil && resp == nil {
		return errors.New("has neither a modbus request nor a response")
	}
	message := func(m *eveModbus, k breakwater.Kind) (*breakwater.Event, error) {
		if m.Function&0x7f == 0 {
			return nil, errors.New("has a modbus message without function_raw")
		}
		e := &breakwater.Event{Time: l.time, Protocol: breakwater.Modbus, Kind: k, Src: client, Dst: server, Transaction: m.Transaction, Unit: m.Unit}
		if k == breakwater.Response {
			e.FromServer, e.Src, e.Dst = true, server, client
		}
		if m.Diagnostic != nil {
			e.Subfunction = m.Diagnostic.Raw
		} else if m.MEI != nil {
			e.Subfunction = m.MEI.Raw
		}
		function(e, m.Function)
		nameSubfunction(e)
		m.ranges(e)
		if m.Exception != nil || m.Function > 0x80 {
			e.Exception = 4
			if m.Exception != nil && m.Exception.Raw != 0 {
				e.Exception = m.Exception.Raw
			}
			if e.ExceptionName = exceptionNames[e.Exception]; e.ExceptionName == "" {
				e.ExceptionName = "unknown exception"
			}
		}
		return e, nil
	}
	var asked *breakwater.Event
	var err error
	if req != nil {
		if asked, err = message(req, breakwater.Request); err != nil {
			return err
		}
	}
	var answer *breakwater.Event
	if resp != nil {
		if answer, err = message(resp, breakwater.Response); err != nil {
			return err
		}
		if asked != nil {
			answer.Joined, answer.Ranged, answer.Address, answer.Quantity = true, asked.Ranged, asked.Address, asked.Quantity
			answer.ReadAddress, answer.ReadQuantity = asked.ReadAddress, asked.ReadQuantity
		}
	}
	for _, e := range []*breakwater.Event{asked, answer} {
		if e != nil {
			l.emit(e)
		}
	}
	return nil
}

// ranges fills in what a message reads or writes.
func (m *eveModbus) ranges(e *breakwater.Event) {
	of := m.Write
	if of == nil || of.Address == nil {
		of = m.Read
	} else if m.Read != nil && m.Read.Address != nil {
		e.ReadAddress, e.ReadQuantity = *m.Read.Address&0xffff, min(m.Read.Quantity, 0xffff)
	}
	if of == nil || of.Address == nil {
		return
	}
	e.Ranged, e.Address, e.Quantity = true, *of.Address&0xffff, min(max(of.Quantity, 1), 0xffff)
	var value float64
	if e.Function == 5 || e.Function == 6 {
		if json.Unmarshal(of.Data, &value) == nil && value >= 0 && value <= 0xffff {
			if e.Function == 5 && value != 0 { // a coil is written as 0xFF00
				value = 1
			}
			e.Values = []float64{value}
		}
	}
}

// alert is a detection by Suricata.
func (l *eveLine) alert(found func(*breakwater.Detection)) error {
	a := l.Alert
	if a.SignatureID == 0 {
		return errors.New("has an alert without signature_id")
	}
	model := fmt.Sprintf("suricata:%d", a.SignatureID)
	if a.GID > 1 {
		model = fmt.Sprintf("suricata:%d:%d", a.GID, a.SignatureID)
	}
	d := &breakwater.Detection{
		Time: l.time, Layer: breakwater.LayerAnomaly, Model: model, Asset: l.dest.Addr.String(), Count: 1,
		Severity: breakwater.Low, Confidence: .5, // where the signature says nothing of it
		Title:  clean(a.Signature, 200),
		LookAt: fmt.Sprintf("See what signature %d looks for, and the packets it fired on in Suricata's own log.", a.SignatureID),
		Talk:   breakwater.Conversation{Client: l.src.Addr, Server: l.dest.Addr, Protocol: l.transport(), Port: l.dest.Port},
	}
	if d.Title == "" {
		d.Title = "Suricata signature " + fmt.Sprint(a.SignatureID)
	}
	if l.AppProto == "modbus" || l.AppProto == "dns" || l.AppProto == "dnp3" {
		d.Talk.Protocol = breakwater.Protocol(l.AppProto)
	}
	said := func(key string) string {
		if v := a.Metadata[key]; len(v) > 0 {
			return clean(v[0], 100)
		}
		return ""
	}
	switch {
	case said("signature_severity") == "Critical":
		d.Severity = breakwater.Critical
	case a.Severity == 1:
		d.Severity = breakwater.High
	case a.Severity == 2:
		d.Severity = breakwater.Medium
	}
	switch said("confidence") {
	case "High":
		d.Confidence = .9
	case "Medium":
		d.Confidence = .7
	case "Low":
		d.Confidence = .4
	}
	if id := said("mitre_technique_id"); breakwater.IsTechnique(id) {
		d.Technique, d.TechniqueName = id, strings.ReplaceAll(said("mitre_technique_name"), "_", " ")
	}
	d.Evidence = fmt.Sprintf("%s sent %s what Suricata's signature %d looks for: %s", end(l.src), end(l.dest), a.SignatureID, d.Title)
	if a.Category != "" {
		d.Evidence += " (" + clean(a.Category, 100) + ")"
	}
	if a.Action == "blocked" {
		d.Evidence += "; it was blocked"
	}
	d.Evidence += "."
	found(d)
	return nil
}

func end(p breakwater.Endpoint) string {
	if p.Port == 0 {
		return p.Addr.String()
	}
	return netip.AddrPortFrom(p.Addr, p.Port).String()
}

// eveTime reads Suricata's times: ISO 8601 with microseconds and an offset without a colon, or RFC 3339.
func eveTime(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999-0700", time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return possible(t)
		}
	}
	return time.Time{}, fmt.Errorf("has a timestamp %.40q that is no time", text)
}
