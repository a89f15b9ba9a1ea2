package breakwater

import "time"

// Protocol names the protocol of a message, in lower case.
type Protocol string

// The protocols that are decoded or told apart.
const (
	Modbus  Protocol = "modbus"
	ARP     Protocol = "arp"
	ICMP    Protocol = "icmp" // ICMPv6 too
	DNS     Protocol = "dns"  // mDNS and LLMNR too: the port tells them apart
	TCP     Protocol = "tcp"
	UDP     Protocol = "udp"
	DNP3    Protocol = "dnp3"  // as Zeek logs it
	OtherIP Protocol = "ip"    // an IP protocol that is none of the above
	Other   Protocol = "other" // a link-layer protocol that is none of the above
)

// Kind says what sort of message an event tells of.
type Kind string

// The kinds of event, with the protocols that raise them.
const (
	Request   Kind = "request"   // modbus, arp, icmp echo, dns
	Response  Kind = "response"  // modbus (Exception != 0: an exception response), arp, icmp echo, dns
	Malformed Kind = "malformed" // bytes where a protocol was expected that do not follow it; Reason says how

	// Connection state. Src is the client for all of them, whoever sent the packet that showed it.
	Attempted  Kind = "attempted"  // tcp: SYN. udp: the first datagram of a conversation
	Opened     Kind = "opened"     // tcp: answered by SYN-ACK, or picked up mid-stream (MidStream)
	Refused    Kind = "refused"    // tcp: SYN answered by RST. udp: answered by ICMP port unreachable
	Unanswered Kind = "unanswered" // tcp: SYN with no answer within decode's timeout, or given up on before (Reason)
	Closed     Kind = "closed"     // tcp: FIN from both sides, RST, idle past the timeout, given up, or its ports used anew (Reason says which)

	Unreachable Kind = "unreachable" // icmp destination unreachable, told by Src about traffic of Dst
)

// Class says what an industrial operation does to the device, whatever the protocol calls it.
type Class string

// The classes of operation.
const (
	Read       Class = "read"
	Write      Class = "write"      // changes a process value: coil, register, setpoint
	Diagnostic Class = "diagnostic" // asks for or changes the state of communication: counters, loopback, restart of communications
	Identify   Class = "identify"   // asks who the device is
	Program    Class = "program"    // moves program, configuration or files
	Control    Class = "control"    // starts, stops, restarts, changes mode
	Unknown    Class = "unknown"    // a function the standard does not define, or the maker's own
)

// Event is one message seen on the network, or one change of a connection's state.
//
// A decoder hands out a pointer to an Event that it will use again for the next one: keep a Clone. Fields that a
// protocol does not have are zero, and absent in JSON.
type Event struct {
	Time     time.Time `json:"time"`
	Protocol Protocol  `json:"protocol"`
	Kind     Kind      `json:"kind"`
	Src      Endpoint  `json:"src"` // who sent it (connection state: the client)
	Dst      Endpoint  `json:"dst"`
	// FromServer says that Src is the server (the one that answers), so Dst the client. False where it is not known.
	FromServer bool `json:"from_server,omitempty"`
	MidStream  bool `json:"mid_stream,omitempty"` // the connection's beginning was not seen
	Length     int  `json:"length,omitempty"`     // bytes of the message itself (Modbus: the whole ADU, MBAP header included)

	// Industrial operations. A response repeats its request's Address and Quantity, and Joined says that the
	// request was seen.
	Transaction  uint32 `json:"transaction,omitempty"`
	Unit         uint8  `json:"unit,omitempty"`
	Function     uint8  `json:"function,omitempty"` // without the exception bit
	FunctionName string `json:"function_name,omitempty"`
	Class        Class  `json:"class,omitempty"`
	Ranged       bool   `json:"ranged,omitempty"` // Address and Quantity mean something (address 0 is an address)
	Address      uint32 `json:"address,omitempty"`
	Quantity     uint32 `json:"quantity,omitempty"`
	// Values are coils and discrete inputs as 0 or 1, registers as 0–65535, in address order from Address.
	Values []float64 `json:"values,omitempty"`
	// ReadAddress and ReadQuantity are the second range of a function that writes one range and reads another
	// (Modbus 23); its Values are, in a request, those written, in a response, those read.
	ReadAddress   uint32        `json:"read_address,omitempty"`
	ReadQuantity  uint32        `json:"read_quantity,omitempty"`
	Subfunction   uint16        `json:"subfunction,omitempty"` // Modbus 8 and 43
	Exception     uint8         `json:"exception,omitempty"`   // 0: none
	ExceptionName string        `json:"exception_name,omitempty"`
	Joined        bool          `json:"joined,omitempty"`
	ResponseTime  time.Duration `json:"response_time_ns,omitempty"` // from request to response, where Joined

	Name   string `json:"name,omitempty"`   // dns: what was asked for
	Code   int    `json:"code,omitempty"`   // dns: response code; icmp: type<<8 | code
	Reason string `json:"reason,omitempty"` // malformed, unanswered and closed: why
}

// Client is the end that asks.
func (e *Event) Client() Endpoint {
	if e.FromServer {
		return e.Dst
	}
	return e.Src
}

// Server is the end that answers.
func (e *Event) Server() Endpoint {
	if e.FromServer {
		return e.Src
	}
	return e.Dst
}

// Clone is a copy that stays when the decoder goes on.
func (e *Event) Clone() *Event {
	c := *e
	c.Values = append([]float64(nil), e.Values...)
	return &c
}
