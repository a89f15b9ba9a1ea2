package decode

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"breakwater"
)

// The Modbus PDU: MODBUS Application Protocol Specification V1.1b3, section 6 for each function. Every function has a
// row in functions; names are the standard's, in lower case, so that "read coils" here is READ_COILS elsewhere.

// The standard's bounds of quantities.
const (
	maxBits       = 2000 // functions 1, 2
	maxRegisters  = 125  // 3, 4, the read range of 23
	maxWriteBits  = 1968 // 15
	maxWriteRegs  = 123  // 16
	maxExchange   = 121  // the write range of 23
	maxFIFO       = 31   // 24
	referenceType = 6    // 20, 21
)

// operation is what is known of one function code. The parsers get the PDU without it, fill in the event and say
// what breaks the standard, or "". A response's parser finds in the event what its request asked for, if Joined.
type operation struct {
	name     string
	class    breakwater.Class
	request  func(e *breakwater.Event, p []byte) string
	response func(e *breakwater.Event, p []byte) string
}

var functions = [128]operation{
	1:  {"read coils", breakwater.Read, readRequest(maxBits), bitsResponse},
	2:  {"read discrete inputs", breakwater.Read, readRequest(maxBits), bitsResponse},
	3:  {"read holding registers", breakwater.Read, readRequest(maxRegisters), registersResponse},
	4:  {"read input registers", breakwater.Read, readRequest(maxRegisters), registersResponse},
	5:  {"write single coil", breakwater.Write, writeCoil, writeCoil},
	6:  {"write single register", breakwater.Write, writeRegister, writeRegister},
	7:  {"read exception status", breakwater.Diagnostic, exactly(0), exactly(1)},
	8:  {"diagnostics", breakwater.Diagnostic, diagnostics, diagnostics},
	11: {"get comm event counter", breakwater.Diagnostic, exactly(0), exactly(4)},
	12: {"get comm event log", breakwater.Diagnostic, exactly(0), counted(6, 70)},
	15: {"write multiple coils", breakwater.Write, writeCoils, echoRange},
	16: {"write multiple registers", breakwater.Write, writeRegisters, echoRange},
	17: {"report server id", breakwater.Identify, exactly(0), counted(1, 251)},
	20: {"read file record", breakwater.Program, readFileRequest, readFileResponse},
	21: {"write file record", breakwater.Program, writeFile, writeFile},
	22: {"mask write register", breakwater.Write, maskWrite, maskWrite},
	23: {"read write multiple registers", breakwater.Write, exchangeRequest, exchangeResponse},
	24: {"read fifo queue", breakwater.Read, fifoRequest, fifoResponse},
	43: {"encapsulated interface transport", breakwater.Unknown, interfaceRequest, interfaceResponse},
}

// diagnosticNames are the names of function 8 by subfunction (section 6.8.1); the rest is reserved.
var diagnosticNames = map[uint16]string{
	0: "diagnostics: return query data", 1: "diagnostics: restart communications option",
	2: "diagnostics: return diagnostic register", 3: "diagnostics: change ascii input delimiter",
	4: "diagnostics: force listen only mode", 10: "diagnostics: clear counters and diagnostic register",
	11: "diagnostics: return bus message count", 12: "diagnostics: return bus communication error count",
	13: "diagnostics: return bus exception error count", 14: "diagnostics: return server message count",
	15: "diagnostics: return server no response count", 16: "diagnostics: return server nak count",
	17: "diagnostics: return server busy count", 18: "diagnostics: return bus character overrun count",
	20: "diagnostics: clear overrun counter and flag",
}

// exceptionNames are those of section 7; 7 is of older editions.
var exceptionNames = [256]string{
	1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "server device failure",
	5: "acknowledge", 6: "server device busy", 7: "negative acknowledge", 8: "memory parity error",
	10: "gateway path unavailable", 11: "gateway target device failed to respond",
}

// otherNames are the names of codes that the standard does not define; 65–72 and 100–110 it leaves to the maker.
var otherNames = func() (names [128]string) {
	for code := range names {
		kind := "unknown function "
		if code >= 65 && code <= 72 || code >= 100 && code <= 110 {
			kind = "user-defined function "
		}
		names[code] = kind + strconv.Itoa(code)
	}
	return names
}()

// function fills in what the function code says, and returns its row; the row of an unknown code has no parsers.
func function(e *breakwater.Event, code uint8) *operation {
	op := &functions[code&0x7f]
	e.Function, e.FunctionName, e.Class = code&0x7f, op.name, op.class
	if op.request == nil {
		e.FunctionName, e.Class = otherNames[code&0x7f], breakwater.Unknown
	}
	return op
}

// parseRequest reads a request's PDU, at least 1 byte, and returns what is wrong with it, or "".
func parseRequest(e *breakwater.Event, pdu []byte) string {
	op := function(e, pdu[0])
	switch {
	case pdu[0] == 0 || pdu[0] == 0x80:
		return "function code 0"
	case pdu[0] > 0x80:
		return "exception bit in a request"
	case op.request == nil:
		return ""
	}
	return op.request(e, pdu[1:])
}

// parseResponse reads a response's PDU, at least 1 byte, and returns what is wrong with it, or "".
func parseResponse(e *breakwater.Event, pdu []byte) string {
	op := function(e, pdu[0])
	switch {
	case pdu[0] == 0 || pdu[0] == 0x80:
		return "function code 0"
	case pdu[0] > 0x80:
		if e.Joined {
			nameSubfunction(e)
		}
		if len(pdu) != 2 {
			return fmt.Sprintf("exception response of %d bytes, not 2", len(pdu))
		}
		if pdu[1] == 0 {
			return "exception code 0"
		}
		e.Exception, e.ExceptionName = pdu[1], exceptionNames[pdu[1]]
		if e.ExceptionName == "" {
			e.ExceptionName = "unknown exception"
		}
		return ""
	case op.response == nil:
		return ""
	}
	return op.response(e, pdu[1:])
}

func word(p []byte) uint32 { return uint32(binary.BigEndian.Uint16(p)) }

// wrongSize words the most frequent flaw.
func wrongSize(p []byte, want int) string {
	return fmt.Sprintf("%d bytes after the function code, not %d", len(p), want)
}

// exactly parses n bytes that are not looked at.
func exactly(n int) func(*breakwater.Event, []byte) string {
	return func(_ *breakwater.Event, p []byte) string {
		if len(p) != n {
			return wrongSize(p, n)
		}
		return ""
	}
}

// counted parses a byte count between low and high, and that many bytes that are not looked at.
func counted(low, high int) func(*breakwater.Event, []byte) string {
	return func(_ *breakwater.Event, p []byte) string {
		if reason := byteCount(p); reason != "" {
			return reason
		}
		if n := len(p) - 1; n < low || n > high {
			return fmt.Sprintf("byte count is %d, not %d to %d", n, low, high)
		}
		return ""
	}
}

// byteCount checks that the first byte counts the others.
func byteCount(p []byte) string {
	if len(p) == 0 {
		return "ends before its byte count"
	}
	if int(p[0]) != len(p)-1 {
		return fmt.Sprintf("byte count is %d, but %d bytes follow", p[0], len(p)-1)
	}
	return ""
}

// span reads a starting address and a quantity of 1 to most.
func span(e *breakwater.Event, p []byte, most uint32) string {
	if len(p) < 4 {
		return fmt.Sprintf("%d bytes after the function code, not at least 4", len(p))
	}
	e.Ranged, e.Address, e.Quantity = true, word(p), word(p[2:])
	return quantity(e.Quantity, most)
}

func quantity(n, most uint32) string {
	if n < 1 || n > most {
		return fmt.Sprintf("quantity is %d, not 1 to %d", n, most)
	}
	return ""
}

// echo is what a response repeats of its request. Where it repeats something else, it is not the answer to that.
func echo(e *breakwater.Event, address, quantity uint32) {
	if e.Joined && e.Ranged && (e.Address != address || e.Quantity != quantity) {
		e.Joined, e.ResponseTime = false, 0
	}
	e.Ranged, e.Address, e.Quantity = true, address, quantity
}

// registers appends words as values.
func registers(e *breakwater.Event, p []byte) {
	for ; len(p) >= 2; p = p[2:] {
		e.Values = append(e.Values, float64(word(p)))
	}
}

// bits appends the first n bits, lowest of each byte first, as values.
func bits(e *breakwater.Event, p []byte, n int) {
	for i := range n {
		e.Values = append(e.Values, float64(p[i/8]>>(i%8)&1))
	}
}

// readRequest is of functions 1 to 4.
func readRequest(most uint32) func(*breakwater.Event, []byte) string {
	return func(e *breakwater.Event, p []byte) string {
		if len(p) != 4 {
			return wrongSize(p, 4)
		}
		return span(e, p, most)
	}
}

// bitsResponse is of functions 1 and 2. How many bits of the last byte count only the request says: without it, all
// are values.
func bitsResponse(e *breakwater.Event, p []byte) string {
	if reason := byteCount(p); reason != "" {
		return reason
	}
	have := len(p) - 1
	if have < 1 || have > maxBits/8 {
		return fmt.Sprintf("byte count is %d, not 1 to %d", have, maxBits/8)
	}
	n := have * 8
	if e.Joined && e.Ranged {
		n = int(e.Quantity)
		if want := (n + 7) / 8; have != want {
			return fmt.Sprintf("%d bytes of bits, but %d bits were asked for", have, n)
		}
	}
	bits(e, p[1:], n)
	return ""
}

// registersResponse is of functions 3 and 4.
func registersResponse(e *breakwater.Event, p []byte) string {
	return registersOf(e, p, e.Quantity, e.Joined && e.Ranged)
}

// registersOf reads counted registers, as many as were asked for if that is known.
func registersOf(e *breakwater.Event, p []byte, asked uint32, known bool) string {
	if reason := byteCount(p); reason != "" {
		return reason
	}
	n := len(p) - 1
	if n%2 != 0 || n < 2 || n > 2*maxRegisters {
		return fmt.Sprintf("byte count is %d, not an even number from 2 to %d", n, 2*maxRegisters)
	}
	if known && uint32(n/2) != asked {
		return fmt.Sprintf("%d registers, but %d were asked for", n/2, asked)
	}
	registers(e, p[1:])
	return ""
}

// writeCoil is of function 5, whose response repeats the request.
func writeCoil(e *breakwater.Event, p []byte) string {
	if len(p) != 4 {
		return wrongSize(p, 4)
	}
	echo(e, word(p), 1)
	switch word(p[2:]) {
	case 0:
		e.Values = append(e.Values, 0)
	case 0xff00:
		e.Values = append(e.Values, 1)
	default:
		return fmt.Sprintf("coil value is 0x%04X, not 0x0000 or 0xFF00", word(p[2:]))
	}
	return ""
}

// writeRegister is of function 6, whose response repeats the request.
func writeRegister(e *breakwater.Event, p []byte) string {
	if len(p) != 4 {
		return wrongSize(p, 4)
	}
	echo(e, word(p), 1)
	registers(e, p[2:])
	return ""
}

// diagnostics is of function 8, whose response repeats the subfunction. Only subfunction 0 carries data of any
// length, all others one word.
func diagnostics(e *breakwater.Event, p []byte) string {
	if len(p) < 2 {
		return "ends before its subfunction"
	}
	sub := uint16(word(p))
	if e.Joined && e.Subfunction != sub {
		e.Joined, e.ResponseTime = false, 0
	}
	e.Subfunction = sub
	nameSubfunction(e)
	if sub != 0 && e.Class == breakwater.Diagnostic && len(p) != 4 {
		return wrongSize(p, 4)
	}
	if len(p)%2 != 0 {
		return "half a word of data"
	}
	return ""
}

// nameSubfunction makes the name and class of functions 8 and 43 those of the event's subfunction.
func nameSubfunction(e *breakwater.Event) {
	switch {
	case e.Function == 8:
		if name, ok := diagnosticNames[e.Subfunction]; ok {
			e.FunctionName = name
		} else {
			e.Class = breakwater.Unknown
		}
	case e.Function == 43 && e.Subfunction == meiIdentify:
		e.FunctionName, e.Class = "encapsulated interface transport: read device identification", breakwater.Identify
	case e.Function == 43 && e.Subfunction == meiCANopen: // what it does is CANopen's affair
		e.FunctionName = "encapsulated interface transport: canopen general reference"
	}
}

// writeCoils is of function 15.
func writeCoils(e *breakwater.Event, p []byte) string {
	if reason := span(e, p, maxWriteBits); reason != "" {
		return reason
	}
	if reason := byteCount(p[4:]); reason != "" {
		return reason
	}
	if n := int(e.Quantity); len(p)-5 != (n+7)/8 {
		return fmt.Sprintf("%d bytes for %d coils", len(p)-5, n)
	}
	bits(e, p[5:], int(e.Quantity))
	return ""
}

// writeRegisters is of function 16.
func writeRegisters(e *breakwater.Event, p []byte) string {
	if reason := span(e, p, maxWriteRegs); reason != "" {
		return reason
	}
	if reason := byteCount(p[4:]); reason != "" {
		return reason
	}
	if n := int(e.Quantity); len(p)-5 != 2*n {
		return fmt.Sprintf("%d bytes for %d registers", len(p)-5, n)
	}
	registers(e, p[5:])
	return ""
}

// echoRange is the response of functions 15 and 16: what was written, without the values.
func echoRange(e *breakwater.Event, p []byte) string {
	if len(p) != 4 {
		return wrongSize(p, 4)
	}
	echo(e, word(p), word(p[2:]))
	most := uint32(maxWriteRegs)
	if e.Function == 15 {
		most = maxWriteBits
	}
	return quantity(e.Quantity, most)
}

// maskWrite is of function 22, whose response repeats the request. What the register becomes depends on what it was
// (current AND a, OR (b AND NOT a)), except where a is 0: then it is b.
func maskWrite(e *breakwater.Event, p []byte) string {
	if len(p) != 6 {
		return wrongSize(p, 6)
	}
	echo(e, word(p), 1)
	if word(p[2:]) == 0 {
		registers(e, p[4:])
	}
	return ""
}

// exchangeRequest is of function 23, which writes one range and then reads another.
func exchangeRequest(e *breakwater.Event, p []byte) string {
	if len(p) < 9 {
		return fmt.Sprintf("%d bytes after the function code, not at least 9", len(p))
	}
	e.ReadAddress, e.ReadQuantity = word(p), word(p[2:])
	if reason := span(e, p[4:], maxExchange); reason != "" {
		return "write " + reason
	}
	if reason := quantity(e.ReadQuantity, maxRegisters); reason != "" {
		return "read " + reason
	}
	if reason := byteCount(p[8:]); reason != "" {
		return reason
	}
	if n := int(e.Quantity); len(p)-9 != 2*n {
		return fmt.Sprintf("%d bytes for %d registers", len(p)-9, n)
	}
	registers(e, p[9:])
	return ""
}

func exchangeResponse(e *breakwater.Event, p []byte) string {
	return registersOf(e, p, e.ReadQuantity, e.Joined && e.Ranged)
}

// fifoRequest is of function 24. How many registers are in the queue only the response says.
func fifoRequest(e *breakwater.Event, p []byte) string {
	if len(p) != 2 {
		return wrongSize(p, 2)
	}
	e.Ranged, e.Address = true, word(p)
	return ""
}

func fifoResponse(e *breakwater.Event, p []byte) string {
	if len(p) < 4 {
		return fmt.Sprintf("%d bytes after the function code, not at least 4", len(p))
	}
	n := word(p[2:])
	if int(word(p)) != len(p)-2 || int(2*n) != len(p)-4 {
		return fmt.Sprintf("byte count is %d and queue count %d, but %d bytes follow", word(p), n, len(p)-2)
	}
	if n > maxFIFO {
		return fmt.Sprintf("queue count is %d, not at most %d", n, maxFIFO)
	}
	if e.Ranged {
		e.Quantity = n
	}
	registers(e, p[4:])
	return ""
}

// File records (functions 20 and 21) come in groups, each of one file. The event's Address is that of the first
// group, file number × 65536 + record number; its Quantity is the registers of all groups.

// group notes one group of n registers, which are of the file and record at the beginning of p.
func group(e *breakwater.Event, p []byte, n uint32) string {
	file, record := word(p), word(p[2:])
	if file == 0 {
		return "file number 0"
	}
	if record > 9999 {
		return fmt.Sprintf("record number is %d, not at most 9999", record)
	}
	if !e.Ranged {
		e.Ranged, e.Address = true, file<<16|record
	}
	e.Quantity += n
	return ""
}

func readFileRequest(e *breakwater.Event, p []byte) string {
	if reason := byteCount(p); reason != "" {
		return reason
	}
	p = p[1:]
	if len(p) < 7 || len(p) > 245 || len(p)%7 != 0 {
		return fmt.Sprintf("byte count is %d, not 7 for each of 1 to 35 groups", len(p))
	}
	for ; len(p) > 0; p = p[7:] {
		if p[0] != referenceType {
			return fmt.Sprintf("reference type is %d, not 6", p[0])
		}
		if reason := group(e, p[1:], word(p[5:])); reason != "" {
			return reason
		}
	}
	return ""
}

func readFileResponse(e *breakwater.Event, p []byte) string {
	if reason := byteCount(p); reason != "" {
		return reason
	}
	p = p[1:]
	total := uint32(0)
	for len(p) > 0 {
		n := int(p[0]) // reference type and data
		if n < 1 || n%2 != 1 || n > len(p)-1 {
			return fmt.Sprintf("file response length is %d, but %d bytes follow", n, len(p)-1)
		}
		if p[1] != referenceType {
			return fmt.Sprintf("reference type is %d, not 6", p[1])
		}
		registers(e, p[2:n+1])
		total += uint32(n / 2)
		p = p[n+1:]
	}
	if e.Joined && e.Ranged && total != e.Quantity {
		return fmt.Sprintf("%d registers, but %d were asked for", total, e.Quantity)
	}
	return ""
}

// writeFile is of function 21, whose response repeats the request.
func writeFile(e *breakwater.Event, p []byte) string {
	if reason := byteCount(p); reason != "" {
		return reason
	}
	p = p[1:]
	if len(p) < 9 {
		return fmt.Sprintf("byte count is %d, not at least 9", len(p))
	}
	var repeated breakwater.Event
	for len(p) > 0 {
		if len(p) < 9 {
			return "ends inside a group"
		}
		if p[0] != referenceType {
			return fmt.Sprintf("reference type is %d, not 6", p[0])
		}
		n := word(p[5:])
		if reason := group(&repeated, p[1:], n); reason != "" {
			return reason
		}
		if int(2*n) > len(p)-7 {
			return fmt.Sprintf("record length is %d registers, but %d bytes follow", n, len(p)-7)
		}
		registers(e, p[7:7+2*n])
		p = p[7+2*n:]
	}
	echo(e, repeated.Address, repeated.Quantity)
	return ""
}

// Encapsulated interfaces of function 43 (sections 6.19–6.21). Other types are reserved.
const (
	meiCANopen  = 13
	meiIdentify = 14
)

// encapsulated reads the interface's type, which takes the place of a subfunction.
func encapsulated(e *breakwater.Event, p []byte) string {
	if len(p) < 1 {
		return "ends before its interface type"
	}
	if e.Joined && e.Subfunction != uint16(p[0]) {
		e.Joined, e.ResponseTime = false, 0
	}
	e.Subfunction = uint16(p[0])
	nameSubfunction(e)
	return ""
}

func interfaceRequest(e *breakwater.Event, p []byte) string {
	if reason := encapsulated(e, p); reason != "" || p[0] != meiIdentify {
		return reason
	}
	if len(p) != 3 {
		return wrongSize(p, 3)
	}
	if p[1] < 1 || p[1] > 4 {
		return fmt.Sprintf("read device id code is %d, not 1 to 4", p[1])
	}
	return ""
}

func interfaceResponse(e *breakwater.Event, p []byte) string {
	if reason := encapsulated(e, p); reason != "" || p[0] != meiIdentify {
		return reason
	}
	if len(p) < 6 { // type, code, conformity, more follows, next object, number of objects
		return fmt.Sprintf("%d bytes after the function code, not at least 6", len(p))
	}
	objects, rest := int(p[5]), p[6:]
	for range objects {
		if len(rest) < 2 || int(rest[1]) > len(rest)-2 {
			return fmt.Sprintf("ends inside one of %d objects", objects)
		}
		rest = rest[2+int(rest[1]):]
	}
	if len(rest) > 0 {
		return fmt.Sprintf("%d bytes behind the last of %d objects", len(rest), objects)
	}
	return ""
}
