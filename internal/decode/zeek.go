package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"breakwater"
)

// ErrUnused says that a line of a log is right, but tells of nothing that is an event here.
var ErrUnused = errors.New("tells of nothing that is used here")

// Zeek reads one line of a Zeek log written as JSON (LogAscii::use_json) and emits its events, each one's own: one or
// two for each message, and one for each change of state of a connection, with the time it happened at. conn, dns,
// modbus, dnp3 and ICSNPP's modbus_detailed are read; which one a line is of is told by _path, else by its fields.
//
// modbus and modbus_detailed tell of the same messages: of the two give one. The error is ErrUnused for a line of
// another log, else it says what is wrong with the line, in words that complete "the line …".
func Zeek(line []byte, emit func(*breakwater.Event)) error {
	var r zeekRow
	if err := json.Unmarshal(line, &r); err != nil {
		return notJSON(err)
	}
	read := r.reader()
	if read == nil {
		return ErrUnused
	}
	t, err := zeekTime(r.TS)
	if err != nil {
		return err
	}
	if err := checkEnds(r.OrigH, r.RespH); err != nil {
		return err
	}
	z := zeekLine{
		zeekRow: &r, time: t, emit: emit,
		orig: breakwater.Endpoint{MAC: r.OrigMAC, Addr: r.OrigH.Unmap(), Port: r.OrigP},
		resp: breakwater.Endpoint{MAC: r.RespMAC, Addr: r.RespH.Unmap(), Port: r.RespP},
	}
	return read(&z)
}

// zeekRow is the fields that are read, of all logs. A field that a line does not have is zero or nil.
type zeekRow struct {
	Path  string          `json:"_path"`
	TS    json.RawMessage `json:"ts"`
	OrigH netip.Addr      `json:"id.orig_h"`
	OrigP uint16          `json:"id.orig_p"`
	RespH netip.Addr      `json:"id.resp_h"`
	RespP uint16          `json:"id.resp_p"`

	// conn, with policy/protocols/conn/mac-logging where there are MACs
	Proto     string         `json:"proto"`
	ConnState string         `json:"conn_state"`
	Duration  float64        `json:"duration"` // seconds
	RespPkts  *int64         `json:"resp_pkts"`
	OrigMAC   breakwater.MAC `json:"orig_l2_addr"`
	RespMAC   breakwater.MAC `json:"resp_l2_addr"`

	// dns
	TransID uint32  `json:"trans_id"`
	Query   *string `json:"query"`
	RCode   *int    `json:"rcode"`
	RTT     float64 `json:"rtt"` // seconds

	// modbus, modbus_detailed
	Func            *string  `json:"func"`
	TID             uint32   `json:"tid"`
	Unit            uint8    `json:"unit"`
	PDUType         string   `json:"pdu_type"` // REQ or RESP; older ones log the answer alone
	Exception       string   `json:"exception"`
	RequestResponse string   `json:"request_response"` // older ICSNPP: REQUEST or RESPONSE
	LinkID          *string  `json:"modbus_detailed_link_id"`
	Matched         *bool    `json:"matched"` // both messages are on this line
	Address         *uint32  `json:"address"`
	Quantity        uint32   `json:"quantity"`
	RequestValues   zeekList `json:"request_values"`
	ResponseValues  zeekList `json:"response_values"`
	ErrorCode       string   `json:"error_code"`

	// dnp3
	FCRequest *string `json:"fc_request"`
	FCReply   *string `json:"fc_reply"`
}

// reader is what reads a row of this log; nil: it is of a log that is not read.
func (r *zeekRow) reader() func(*zeekLine) error {
	switch r.Path {
	case "conn":
		return (*zeekLine).conn
	case "dns":
		return (*zeekLine).dns
	case "modbus", "modbus_detailed":
		return (*zeekLine).modbus
	case "dnp3":
		return (*zeekLine).dnp3
	case "":
	default:
		return nil
	}
	switch {
	case r.ConnState != "":
		return (*zeekLine).conn
	case r.FCRequest != nil || r.FCReply != nil:
		return (*zeekLine).dnp3
	case r.Func != nil:
		return (*zeekLine).modbus
	case r.Query != nil && r.Proto != "":
		return (*zeekLine).dns
	}
	return nil
}

// zeekLine is a row whose time and ends are right.
type zeekLine struct {
	*zeekRow
	time       time.Time
	orig, resp breakwater.Endpoint
	emit       func(*breakwater.Event)
}

// event begins an event of this line, sent by the originator or by the responder.
func (z *zeekLine) event(p breakwater.Protocol, k breakwater.Kind, fromResp bool) *breakwater.Event {
	e := &breakwater.Event{Time: z.time, Protocol: p, Kind: k, Src: z.orig, Dst: z.resp, FromServer: fromResp}
	if fromResp {
		e.Src, e.Dst = z.resp, z.orig
	}
	return e
}

// conn tells a connection's states from its end (conn_state, base/protocols/conn/main.zeek).
func (z *zeekLine) conn() error {
	if !(z.Duration >= 0 && z.Duration <= maxDuration) {
		return fmt.Errorf("has a duration of %v s: 0 to %d are possible", z.Duration, int(maxDuration))
	}
	end := z.time.Add(time.Duration(z.Duration * float64(time.Second)))
	state := func(k breakwater.Kind, at time.Time, midStream bool, reason string) {
		e := z.event(breakwater.TCP, k, false)
		e.Time, e.MidStream, e.Reason = at, midStream, reason
		z.emit(e)
	}
	switch z.Proto {
	case "tcp":
	case "udp":
		e := z.event(breakwater.UDP, breakwater.Attempted, false)
		z.emit(e)
		return nil
	case "icmp": // ports are the ICMP type and code
		e := z.event(breakwater.ICMP, breakwater.Request, false)
		e.Src.Port, e.Dst.Port, e.Code = 0, 0, int(z.OrigP&0xff)<<8|int(z.RespP&0xff)
		if z.OrigP != 8 && z.OrigP != 128 { // no echo request, of version 4 or 6
			return ErrUnused
		}
		z.emit(e)
		return nil
	default:
		return ErrUnused
	}
	switch z.ConnState {
	case "S0", "SH": // a SYN without an answer, perhaps with a FIN behind it
		state(breakwater.Attempted, z.time, false, "")
		state(breakwater.Unanswered, end, false, "")
	case "REJ":
		state(breakwater.Attempted, z.time, false, "")
		state(breakwater.Refused, end, false, "")
	case "RSTOS0":
		state(breakwater.Attempted, z.time, false, "")
		state(breakwater.Unanswered, end, false, "given up by the client")
	case "S1":
		state(breakwater.Attempted, z.time, false, "")
		state(breakwater.Opened, z.time, false, "")
	case "SF", "S2", "S3", "RSTO", "RSTR":
		state(breakwater.Attempted, z.time, false, "")
		state(breakwater.Opened, z.time, false, "")
		state(breakwater.Closed, end, false, closedBy[z.ConnState])
	case "SHR", "RSTRH", "OTH": // its beginning was not seen
		state(breakwater.Opened, z.time, true, "")
	default:
		return fmt.Errorf("has a conn_state %.16q that Zeek does not have", z.ConnState)
	}
	return nil
}

// maxDuration is the longest time that a connection or an answer may take, in seconds: 400 days.
const maxDuration = 400 * 86400.0

var closedBy = map[string]string{
	"SF": "finished by both sides", "S2": "finished by the client", "S3": "finished by the server",
	"RSTO": "reset by the client", "RSTR": "reset by the server",
}

// dns is a question and, where it was answered, the answer.
func (z *zeekLine) dns() error {
	if !(z.RTT >= 0 && z.RTT <= maxDuration) {
		return fmt.Errorf("has an rtt of %v s", z.RTT)
	}
	ask := z.event(breakwater.DNS, breakwater.Request, false)
	ask.Transaction = z.TransID
	if z.Query != nil {
		ask.Name = clean(*z.Query, 255)
	}
	z.emit(ask)
	if z.RCode != nil {
		answer := z.event(breakwater.DNS, breakwater.Response, true)
		answer.Time = z.time.Add(time.Duration(z.RTT * float64(time.Second)))
		answer.Transaction, answer.Name, answer.Code = z.TransID, ask.Name, *z.RCode&0xfff
		z.emit(answer)
	}
	return nil
}

// modbus is one message or two.
func (z *zeekLine) modbus() error {
	if z.Func == nil {
		return errors.New("has no func")
	}
	code, failed, ok := zeekFunctionCode(*z.Func)
	if !ok {
		return fmt.Errorf("has a func %.40q that is no Modbus function of Zeek's", *z.Func)
	}
	if len(z.RequestValues) > maxBits || len(z.ResponseValues) > maxBits {
		return fmt.Errorf("has more values than the %d that a message can carry", maxBits)
	}
	exception := zeekExceptionCode(z.Exception)
	if exception == 0 {
		exception = zeekExceptionCode(z.ErrorCode)
	}
	failed = failed || exception != 0
	request, response := true, true
	switch {
	case z.PDUType == "REQ" || z.RequestResponse == "REQUEST":
		response = false
	case z.PDUType == "RESP" || z.RequestResponse == "RESPONSE":
		request = false
	case z.Matched != nil && !*z.Matched: // one message, whose answer or question is missing
		request = len(z.ResponseValues) == 0 && !failed
		response = !request
	}
	joined := request && response
	if request {
		e := z.operation(code, false)
		e.Values = z.RequestValues
		z.emit(e)
	}
	if response {
		e := z.operation(code, true)
		e.Values, e.Joined = z.ResponseValues, joined
		if failed {
			e.Exception = max(exception, 1)
			e.ExceptionName = exceptionNames[e.Exception]
			if e.Values = nil; e.ExceptionName == "" {
				e.ExceptionName = "unknown exception"
			}
		}
		z.emit(e)
	}
	return nil
}

func (z *zeekLine) operation(code uint8, fromResp bool) *breakwater.Event {
	kind := breakwater.Request
	if fromResp {
		kind = breakwater.Response
	}
	e := z.event(breakwater.Modbus, kind, fromResp)
	e.Transaction, e.Unit = z.TID, z.Unit
	function(e, code)
	if z.Address != nil {
		e.Ranged, e.Address, e.Quantity = true, *z.Address&0xffff, min(z.Quantity, 0xffff)
	}
	return e
}

// zeekFunctionCode is the code of a function that Zeek names (base/protocols/modbus/consts.zeek), and whether the name
// is that of its exception.
func zeekFunctionCode(name string) (code uint8, exception, ok bool) {
	if n, found := strings.CutPrefix(name, "unknown-"); found {
		code, err := strconv.ParseUint(n, 10, 8)
		return uint8(code & 0x7f), code > 0x80, err == nil && code&0x7f != 0
	}
	name, exception = strings.CutSuffix(name, "_EXCEPTION")
	code, ok = zeekFunctions[name]
	return code, exception, ok
}

var zeekFunctions = func() map[string]uint8 {
	codes := map[string]uint8{ // those that the standard calls otherwise or leaves to makers
		"PROGRAM_484": 9, "POLL_484": 10, "PROGRAM_584_984": 13, "POLL_584_984": 14, "REPORT_SLAVE_ID": 17, "PROGRAM_884_U84": 18,
		"RESET_COMM_LINK_884_U84": 19, "PROGRAM_CONCEPT": 40, "MULTIPLE_FUNCTION_CODES": 41, "ENCAP_INTERFACE_TRANSPORT": 43,
		"PROGRAM_UNITY": 90, "OBJECT_MESSAGING": 91, "FIRMWARE_REPLACEMENT": 125, "PROGRAM_584_984_2": 126, "REPORT_LOCAL_ADDRESS": 127,
	}
	for code, f := range functions {
		if f.request != nil {
			codes[inCapitals(f.name)] = uint8(code)
		}
	}
	return codes
}()

// inCapitals is a standard's name as Zeek writes it.
func inCapitals(name string) string { return strings.ToUpper(strings.ReplaceAll(name, " ", "_")) }

// zeekExceptionCode is the code of an exception that Zeek names; 0: none. One that is not known is a server's failure.
func zeekExceptionCode(name string) uint8 {
	switch name {
	case "", "-":
		return 0
	case "SLAVE_DEVICE_FAILURE":
		return 4
	case "SLAVE_DEVICE_BUSY":
		return 6
	}
	if n, found := strings.CutPrefix(name, "unknown-"); found {
		if code, err := strconv.ParseUint(n, 10, 8); err == nil && code > 0 {
			return uint8(code)
		}
	}
	for code, known := range exceptionNames {
		if known != "" && inCapitals(known) == name {
			return uint8(code)
		}
	}
	return 4
}

// dnp3 is a request and its reply, as far as Zeek saw both.
func (z *zeekLine) dnp3() error {
	var events []*breakwater.Event
	tell := func(name *string, kind breakwater.Kind, fromResp bool, as func(*breakwater.Event)) error {
		if name == nil || *name == "" || *name == "-" {
			return nil
		}
		code, ok := dnp3Codes[*name]
		if n, found := strings.CutPrefix(*name, "unknown-"); found {
			number, err := strconv.ParseUint(n, 10, 8)
			code, ok = uint8(number), err == nil
		}
		if !ok {
			return fmt.Errorf("has a DNP3 function %.40q that Zeek does not have", *name)
		}
		e := z.event(breakwater.DNP3, kind, fromResp)
		e.Function, e.FunctionName = code, strings.ToLower(strings.ReplaceAll(*name, "_", " "))
		e.Class = dnp3Class(code)
		as(e)
		events = append(events, e)
		return nil
	}
	var asked *breakwater.Event
	if err := tell(z.FCRequest, breakwater.Request, false, func(e *breakwater.Event) { asked = e }); err != nil {
		return err
	}
	// A reply's own function says only that it is one: it answers what was asked.
	if err := tell(z.FCReply, breakwater.Response, true, func(e *breakwater.Event) {
		if asked != nil {
			e.Function, e.FunctionName, e.Class, e.Joined = asked.Function, asked.FunctionName, asked.Class, true
		} else {
			e.Class = breakwater.Read
		}
	}); err != nil {
		return err
	}
	if len(events) == 0 {
		return errors.New("names no DNP3 function")
	}
	for _, e := range events { // none of a row that is rejected
		z.emit(e)
	}
	return nil
}

// dnp3Codes are the application function codes (IEEE 1815-2012 table 4-2) by Zeek's names.
var dnp3Codes = func() map[string]uint8 {
	codes := map[string]uint8{"RESPONSE": 129, "UNSOLICITED_RESPONSE": 130, "AUTHENTICATE_RESP": 131}
	for code, name := range strings.Fields(`CONFIRM READ WRITE SELECT OPERATE DIRECT_OPERATE DIRECT_OPERATE_NR IMMED_FREEZE IMMED_FREEZE_NR
		FREEZE_CLEAR FREEZE_CLEAR_NR FREEZE_AT_TIME FREEZE_AT_TIME_NR COLD_RESTART WARM_RESTART INITIALIZE_DATA INITIALIZE_APPL START_APPL
		STOP_APPL SAVE_CONFIG ENABLE_UNSOLICITED DISABLE_UNSOLICITED ASSIGN_CLASS DELAY_MEASURE RECORD_CURRENT_TIME OPEN_FILE CLOSE_FILE
		DELETE_FILE GET_FILE_INFO AUTHENTICATE_FILE ABORT_FILE ACTIVATE_CONFIG AUTHENTICATE_REQ AUTHENTICATE_ERR`) {
		codes[name] = uint8(code)
	}
	return codes
}()

// dnp3Class says what a function does to the outstation.
func dnp3Class(code uint8) breakwater.Class {
	switch {
	case code == 1:
		return breakwater.Read
	case code >= 2 && code <= 12: // setpoints, outputs, frozen counters
		return breakwater.Write
	case code >= 13 && code <= 18:
		return breakwater.Control
	case code == 19 || code == 22 || code >= 25 && code <= 31:
		return breakwater.Program
	case code == 20 || code == 21 || code == 23 || code == 24 || code == 32 || code == 33:
		return breakwater.Diagnostic
	}
	return ""
}

// zeekList is numbers as an array, or in one text separated by commas as older packages write them. What is no number
// is left out.
type zeekList []float64

// UnmarshalJSON reads either form.
func (l *zeekList) UnmarshalJSON(b []byte) error {
	var numbers []float64
	if json.Unmarshal(b, &numbers) == nil {
		*l = numbers
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New("values that are neither numbers nor text")
	}
	for part := range strings.SplitSeq(text, ",") {
		if v, err := strconv.ParseUint(strings.TrimSpace(part), 10, 16); err == nil {
			*l = append(*l, float64(v))
		}
	}
	return nil
}

// zeekTime reads seconds since 1970, to the nanosecond, or RFC 3339 (JSON::TS_ISO8601).
func zeekTime(raw json.RawMessage) (time.Time, error) {
	text := strings.Trim(string(bytes.TrimSpace(raw)), `"`)
	if text == "" || text == "null" {
		return time.Time{}, errors.New("has no ts")
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return possible(t)
	}
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > 0 && strings.Trim(fraction, "0123456789") != "" {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !(f >= 0 && f < 1<<40) {
			return time.Time{}, fmt.Errorf("has a ts %.40q that is no time", text)
		}
		return possible(time.Unix(0, int64(f*1e6)*1000))
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil || seconds < 0 || seconds >= 1<<40 {
		return time.Time{}, fmt.Errorf("has a ts %.40q that is no time", text)
	}
	return possible(time.Unix(seconds, nanos))
}

// possible refuses a time that cannot be one of traffic: there was none before 1970, and a year has four digits.
func possible(t time.Time) (time.Time, error) {
	if y := t.UTC().Year(); y < 1970 || y > 9998 {
		return time.Time{}, fmt.Errorf("is of the year %d", y)
	}
	return t.UTC(), nil
}

func checkEnds(a, b netip.Addr) error {
	switch {
	case !a.IsValid() || !b.IsValid():
		return errors.New("names not both ends")
	case a.Zone() != "" || b.Zone() != "":
		return errors.New("has an address with a zone")
	}
	return nil
}

// notJSON says in our words why a line cannot be read.
func notJSON(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("is a JSON %s, not an object", wrong.Value)
		}
		return fmt.Errorf("has a %s that is a %s, not a %s", wrong.Field, wrong.Value, wrong.Type.Kind())
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return errors.New("is not JSON: " + err.Error())
	}
	return errors.New("cannot be read: " + clean(err.Error(), 120))
}

// clean is text of another program's that may be shown and kept: one line of at most so many bytes, without control
// characters.
func clean(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
