package decode

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

// What Zeek says of three captures, against our events. Zeek's field is on the left, ours on the right:
//
//	modbus.log   id.orig_h, id.orig_p   Client().Addr, .Port
//	             id.resp_h, id.resp_p   Server().Addr, .Port
//	             tid                    Transaction
//	             unit                   Unit
//	             func                   FunctionName up to a colon, in capitals, "_" for " "; a code that the standard
//	                                    does not define: "unknown-" and Function, + 128 for an exception
//	             pdu_type               REQ where not FromServer, RESP where FromServer
//	             exception              ExceptionName in capitals, "_" for " "
//	conn.log     id.*                   Src and Dst of the connection's events
//	             duration               Time of closed - Time of attempted, or of opened where MidStream
//	             service                modbus where a request or response was read
//	             conn_state             SF: Reason "finished by both sides"; RSTO: "reset by the client";
//	                                    RSTRH: "reset by the server" of a MidStream connection
//	             history                begins with S: attempted
//	analyzer_debug.log  violation       Malformed, once for a connection
//	                    confirmation    the first request (MODBUS only)
//	output       modbus_message         Function, Length - 6 (len), FromServer (is_orig)
//	             start_address          Address
//	             quantity               Quantity
//	             coils                  Values: Zeek lists whole bytes, we list as many as were asked for
//
// Time and uid are blanked in Zeek's baselines; the order of lines stands in for them.

// zeekRows are the lines of a Zeek log, as field name → value.
func zeekRows(t *testing.T, path string) (rows []map[string]string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case cells[0] == "#fields":
			fields = cells[1:]
		case strings.HasPrefix(line, "#"):
		default:
			row := map[string]string{}
			for i, f := range fields {
				row[f] = cells[i]
			}
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no lines", path)
	}
	return rows
}

// zeekName is what Zeek calls a standard's name.
func zeekName(s string) string {
	s, _, _ = strings.Cut(s, ":")
	return strings.ToUpper(strings.ReplaceAll(s, " ", "_"))
}

// zeekFunction is Zeek's func of an event.
func zeekFunction(e *breakwater.Event) string {
	if functions[e.Function].request != nil {
		return zeekName(e.FunctionName)
	}
	code := int(e.Function)
	if e.Exception != 0 {
		code += 128
	}
	return "unknown-" + strconv.Itoa(code)
}

// zeekModbus is the line of modbus.log for an event.
func zeekModbus(e *breakwater.Event) string {
	kind, exception := "REQ", "-"
	if e.FromServer {
		kind = "RESP"
	}
	if e.Exception != 0 {
		exception = zeekName(e.ExceptionName)
	}
	return fmt.Sprintf("%v %d %v %d %d %d %s %s %s", e.Client().Addr, e.Client().Port, e.Server().Addr, e.Server().Port,
		e.Transaction, e.Unit, zeekFunction(e), kind, exception)
}

func TestZeekModbusLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		capture, log string
		// only ours: lines by their end that Zeek does not have, and why
		ours map[string]string
	}{
		{
			capture: "captures/modbus/fuzz-72.pcap", log: "expected/modbus/exception_handling/modbus.log",
			ours: map[string]string{
				"0 1 ENCAPSULATED_INTERFACE_TRANSPORT REQ -": glued,
				"0 1 unknown-46 REQ -":                       glued,
				"0 1 unknown-47 REQ -":                       glued,
				"0 1 unknown-52 REQ -":                       glued,
				"0 1 unknown-182 RESP ILLEGAL_FUNCTION":      jumped,
				"0 1 unknown-186 RESP ILLEGAL_FUNCTION":      jumped,
				"0 1 unknown-187 RESP ILLEGAL_FUNCTION":      jumped,
				"0 1 unknown-70 REQ -":                       "behind a hole at the end of the capture: Flush reads it, Zeek drops it",
			},
		},
		{capture: "captures/modbus/modbus-and-non-modbus-p502.pcap", log: "expected/modbus/modbus_and_non_modbus_on_port_502/modbus.log"},
	}
	for _, tt := range tests {
		t.Run(tt.capture, func(t *testing.T) {
			t.Parallel()
			events, _ := decodeAll(readCapture(t, sharedFile(t, tt.capture)))
			var got, want []string
			unseen := len(tt.ours)
			for _, e := range only(events, breakwater.Modbus) {
				// A message that Zeek logs by its header is malformed here when its rest is missing or wrong. What
				// has no function code has no line in modbus.log.
				if e.Kind == breakwater.Malformed && e.Function == 0 {
					continue
				}
				line := zeekModbus(e)
				_, end, _ := strings.Cut(line, " 502 ")
				if _, ok := tt.ours[end]; ok {
					unseen--
					continue
				}
				got = append(got, line)
			}
			for _, r := range zeekRows(t, sharedFile(t, tt.log)) {
				want = append(want, strings.Join([]string{r["id.orig_h"], r["id.orig_p"], r["id.resp_h"], r["id.resp_p"],
					r["tid"], r["unit"], r["func"], r["pdu_type"], r["exception"]}, " "))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("Zeek's modbus.log (-) and our events (+):\n%s", d)
			}
			if unseen != 0 {
				t.Errorf("%d of the events that only we have are not there", unseen)
			}
		})
	}
}

const (
	// Frame 14 begins a request of 43 bytes (function 38) of which 12 were captured before a hole. Zeek fills it up
	// with the bytes behind the hole, so what really stands there is lost to it. Here the request is malformed
	// ("truncated"), and reading goes on behind the hole; tshark reads the same.
	glued = "Zeek reads across a hole as if it were not there"
	// Frame 23 acknowledges 2 GB that nobody sent; Zeek takes all that the server sends afterwards for old.
	jumped = "Zeek believes an acknowledgement beyond any TCP window"
)

// ends are an event's ends as Zeek writes them.
func ends(e *breakwater.Event) string {
	return fmt.Sprintf("%v %d %v %d", e.Client().Addr, e.Client().Port, e.Server().Addr, e.Server().Port)
}

// zeekState is Zeek's conn_state of a closed event.
func zeekState(e *breakwater.Event) string {
	switch {
	case e.Reason == "finished by both sides":
		return "SF"
	case e.Reason == "reset by the client":
		return "RSTO"
	case e.Reason == "reset by the server" && e.MidStream:
		return "RSTRH"
	}
	return e.Reason
}

func TestZeekConnLog(t *testing.T) {
	t.Parallel()
	events, _ := decodeAll(readCapture(t, sharedFile(t, "captures/modbus/modbus-and-non-modbus-p502.pcap")))
	type line struct {
		Ends, Duration, State, Service string
		FromSYN                        bool
	}
	var got, want []line
	var began time.Time
	current := line{Service: "-"}
	for _, e := range events { // its connections follow one another
		switch {
		case e.Kind == breakwater.Attempted:
			began = e.Time
			current.FromSYN = true
		case e.Kind == breakwater.Opened && e.MidStream:
			began = e.Time
		case e.Protocol == breakwater.Modbus && e.Kind != breakwater.Malformed:
			current.Service = "modbus"
		case e.Kind == breakwater.Closed:
			current.Ends = ends(e)
			current.Duration = strconv.FormatFloat(e.Time.Sub(began).Seconds(), 'f', 6, 64)
			current.State = zeekState(e)
			got = append(got, current)
			current = line{Service: "-"}
		}
	}
	for _, r := range zeekRows(t, sharedFile(t, "expected/modbus/modbus_and_non_modbus_on_port_502/conn.log")) {
		service := "-" // DCE-RPC and TLS, which Zeek names, are told apart later
		if r["service"] == "modbus" {
			service = "modbus"
		}
		want = append(want, line{strings.Join([]string{r["id.orig_h"], r["id.orig_p"], r["id.resp_h"], r["id.resp_p"]}, " "),
			r["duration"], r["conn_state"], service, strings.HasPrefix(r["history"], "S")})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Zeek's conn.log (-) and our events (+):\n%s", d)
	}
}

func TestZeekViolations(t *testing.T) {
	t.Parallel()
	events, _ := decodeAll(readCapture(t, sharedFile(t, "captures/modbus/modbus-and-non-modbus-p502.pcap")))
	var got, want []string
	for _, e := range events {
		switch e.Kind {
		case breakwater.Malformed:
			got = append(got, "violation "+ends(e))
		case breakwater.Request:
			if line := "confirmation " + ends(e); !slices.Contains(got, line) {
				got = append(got, line)
			}
		}
	}
	for _, r := range zeekRows(t, sharedFile(t, "expected/modbus/modbus_and_non_modbus_on_port_502/analyzer_debug.log")) {
		if r["analyzer_name"] == "MODBUS" && r["cause"] != "disabled" {
			want = append(want, strings.Join([]string{r["cause"], r["id.orig_h"], r["id.orig_p"], r["id.resp_h"], r["id.resp_p"]}, " "))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Zeek's analyzer_debug.log (-) and our events (+):\n%s", d)
	}
}

// TestZeekEvents compares with the events that a script printed, with all their arguments; the baseline is sorted.
func TestZeekEvents(t *testing.T) {
	t.Parallel()
	events, _ := decodeAll(readCapture(t, sharedFile(t, "captures/modbus/modbusSmall.pcap")))
	var got, want []string
	coils := func(values []float64, bytes bool) string {
		var b []string
		for _, v := range values {
			b = append(b, map[float64]string{0: "F", 1: "T"}[v])
		}
		for bytes && len(b)%8 != 0 {
			b = append(b, "F") // the padding, which is 0 in this capture
		}
		return "[" + strings.Join(b, ", ") + "]"
	}
	for _, e := range only(events, breakwater.Modbus) {
		head := fmt.Sprintf("[orig_h=%v, orig_p=%d/tcp, resp_h=%v, resp_p=%d/tcp, proto=6, ctx=[]], [tid=%d, pid=0, uid=%d, function_code=%d, len=%d]",
			e.Client().Addr, e.Client().Port, e.Server().Addr, e.Server().Port, e.Transaction, e.Unit, e.Function, e.Length-6)
		name := "modbus_" + strings.ToLower(zeekName(e.FunctionName)) + "_" + string(e.Kind)
		origin, tail := "T", fmt.Sprintf("%d, %d", e.Address, e.Quantity)
		if e.FromServer {
			origin = "F"
		}
		switch name {
		case "modbus_read_coils_response":
			tail = coils(e.Values, true)
		case "modbus_write_multiple_coils_request":
			tail = fmt.Sprintf("%d, %s", e.Address, coils(e.Values, false))
		}
		got = append(got, "1 modbus_message, "+head+", "+origin, "1 "+name+", "+head+", "+tail)
		if e.FromServer && (!e.Joined || !e.Ranged || e.Quantity != 3) {
			t.Errorf("response is not joined to its request for 3 coils: %+v", e)
		}
	}
	b, err := os.ReadFile(sharedFile(t, "expected/modbus/coil_parsing_small/output"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Zeek's events (-) and ours (+):\n%s", d)
	}
	if addr := netip.MustParseAddr("118.189.96.132"); events[0].Src.Addr != addr {
		t.Errorf("the first event is of %v, not %v", events[0].Src.Addr, addr)
	}
}
