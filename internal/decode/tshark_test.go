package decode

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"breakwater"
)

// What tshark says of each ADU, against our events. tshark's field is on the left, ours on the right:
//
//	frame.time_epoch          Time (that of the packet that completes the ADU)
//	ip.src, ip.dst            Src.Addr, Dst.Addr
//	tcp.srcport, tcp.dstport  Src.Port, Dst.Port; FromServer where the first is 502
//	mbtcp.trans_id            Transaction
//	mbtcp.len                 Length - 6
//	mbtcp.unit_id             Unit
//	modbus.func_code          Function
//	modbus.diagnostic_code    Subfunction of 8
//	modbus.mei                Subfunction of 43
//	modbus.exception_code     Exception
//	modbus.reference_num      Address: requests, and responses that repeat it
//	modbus.bit_cnt, word_cnt  Quantity: requests, and responses that repeat it
//	modbus.regval_uint16      Values of registers
//	modbus.bitval             Values of bits: tshark lists whole bytes where it does not know the request
//	modbus.data               Values of functions 5 (FF 00 and 00 00), 6, 15 and 16
//	modbus.request_frame      Joined
//	modbus.response_time      ResponseTime
//
// What tshark does not state of an ADU is not compared.

// shark is one Modbus layer of tshark's output and the packet it is in.
type shark struct {
	time     time.Time
	src, dst netip.AddrPort
	mbtcp    map[string]any
	modbus   map[string]any
}

// all are a field's values, however many times it occurs.
func all(layer map[string]any, field string) (values []string) {
	switch v := layer[field].(type) {
	case string:
		values = []string{v}
	case bool:
		values = []string{strconv.FormatBool(v)}
	case []any:
		for _, x := range v {
			values = append(values, fmt.Sprint(x))
		}
	}
	return values
}

func first(layer map[string]any, field string) string {
	if v := all(layer, field); len(v) > 0 {
		return v[0]
	}
	return ""
}

// occurrences are those of a layer in one packet.
func occurrences(packet map[string]any, name string) (found []map[string]any) {
	switch v := packet[name].(type) {
	case map[string]any:
		found = append(found, v)
	case []any:
		for _, x := range v {
			if m, ok := x.(map[string]any); ok {
				found = append(found, m)
			}
		}
	}
	return found
}

// runShark reads a capture with tshark.
func runShark(t *testing.T, path string) (adus []shark) {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		t.Skipf("tshark (Debian package tshark) is not installed: %v", err)
	}
	cmd := exec.Command(program, "-n", "-r", path, "-Y", "modbus", "-T", "ek", "-J", "frame ip tcp mbtcp modbus")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark on %s: %v", path, err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p struct {
			Layers map[string]any `json:"layers"`
		}
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatalf("tshark's output: %v", err)
		}
		if p.Layers == nil {
			continue // the line that Elasticsearch wants before each document
		}
		frame, ip, tcp := occurrences(p.Layers, "frame")[0], occurrences(p.Layers, "ip")[0], occurrences(p.Layers, "tcp")[0]
		sec, frac, _ := strings.Cut(first(frame, "frame_frame_time_epoch"), ".")
		s, err1 := strconv.ParseInt(sec, 10, 64)
		ns, err2 := strconv.ParseInt(frac, 10, 64)
		if err1 != nil || err2 != nil || len(frac) != 9 {
			t.Fatalf("tshark's time %q", first(frame, "frame_frame_time_epoch"))
		}
		end := func(which string) netip.AddrPort {
			return netip.MustParseAddrPort(first(ip, "ip_ip_"+which) + ":" + first(tcp, "tcp_tcp_"+which+"port"))
		}
		headers, pdus := occurrences(p.Layers, "mbtcp"), occurrences(p.Layers, "modbus")
		if len(headers) != len(pdus) {
			t.Fatalf("tshark has %d MBAP headers and %d PDUs in one packet", len(headers), len(pdus))
		}
		for i := range pdus {
			adus = append(adus, shark{time.Unix(s, ns).UTC(), end("src"), end("dst"), headers[i], pdus[i]})
		}
	}
	return adus
}

// name tells one ADU from the others, by what both have of every one.
func (s *shark) name() string {
	return fmt.Sprintf("%v %v > %v: transaction %s unit %s function %s exception %s length %s", s.time.Format(time.RFC3339Nano),
		s.src, s.dst, first(s.mbtcp, "mbtcp_mbtcp_trans_id"), first(s.mbtcp, "mbtcp_mbtcp_unit_id"),
		first(s.modbus, "modbus_modbus_func_code"), first(s.modbus, "modbus_modbus_exception_code"), first(s.mbtcp, "mbtcp_mbtcp_len"))
}

func sharkName(e *breakwater.Event) string {
	exception := ""
	if e.Exception != 0 {
		exception = strconv.Itoa(int(e.Exception))
	}
	return fmt.Sprintf("%v %v > %v: transaction %d unit %d function %d exception %s length %d", e.Time.Format(time.RFC3339Nano),
		netip.AddrPortFrom(e.Src.Addr, e.Src.Port), netip.AddrPortFrom(e.Dst.Addr, e.Dst.Port),
		e.Transaction, e.Unit, e.Function, exception, e.Length-6)
}

// compare checks what else tshark states of an ADU, and counts the values that it checked.
func (s *shark) compare(t *testing.T, e *breakwater.Event) (values int) {
	t.Helper()
	check := func(field string, want string, got any) {
		if want != "" && want != fmt.Sprint(got) {
			t.Errorf("%s: tshark's %s is %s, ours %v", s.name(), field, want, got)
		}
	}
	if fromServer := s.src.Port() == 502; fromServer != e.FromServer {
		t.Errorf("%s: FromServer is %v", s.name(), e.FromServer)
	}
	m := s.modbus
	check("diagnostic_code", first(m, "modbus_modbus_diagnostic_code"), e.Subfunction)
	check("mei", first(m, "modbus_modbus_mei"), e.Subfunction)
	if e.Kind == breakwater.Malformed {
		return 0
	}
	check("reference_num", first(m, "modbus_modbus_reference_num"), e.Address)
	for _, field := range []string{"bit_cnt", "word_cnt"} {
		check(field, first(m, "modbus_modbus_"+field), e.Quantity)
	}
	if frame := first(m, "modbus_modbus_request_frame"); frame != "" {
		check("request_frame", "true", e.Joined)
		want, err := time.ParseDuration(first(m, "modbus_modbus_response_time") + "s")
		if err != nil || want != e.ResponseTime {
			t.Errorf("%s: response time is %v, tshark's %v", s.name(), e.ResponseTime, want)
		}
	}
	var want []float64
	switch data := strings.ReplaceAll(first(m, "modbus_modbus_data"), ":", ""); {
	case m["modbus_modbus_regval_uint16"] != nil:
		for _, v := range all(m, "modbus_modbus_regval_uint16") {
			f, _ := strconv.ParseFloat(v, 64)
			want = append(want, f)
		}
	case m["modbus_modbus_bitval"] != nil:
		for _, v := range all(m, "modbus_modbus_bitval") {
			want = append(want, map[string]float64{"false": 0, "true": 1, "0": 0, "1": 1}[v])
		}
		want = want[:min(len(want), len(e.Values))]
	case e.Function == 5 && data != "":
		want = []float64{map[string]float64{"ff00": 1, "0000": 0}[data]}
	case e.Function == 6 && data != "":
		v, _ := strconv.ParseUint(data, 16, 16)
		want = []float64{float64(v)}
	case e.Function == 15 && data != "":
		for i := range int(e.Quantity) {
			v, _ := strconv.ParseUint(data[i/8*2:i/8*2+2], 16, 8)
			want = append(want, float64(v>>(i%8)&1))
		}
	}
	if want != nil && !slices.Equal(want, e.Values) {
		t.Errorf("%s: values are %v, tshark's %v", s.name(), e.Values, want)
	}
	return len(want)
}

// split takes out what only one of us has, and counts how many of the keys were met.
func split[T any](all []T, alone map[string]string, key func(T) string) (rest []T, met int) {
	seen := map[string]bool{}
	for _, x := range all {
		if _, ok := alone[key(x)]; ok {
			seen[key(x)] = true
			continue
		}
		rest = append(rest, x)
	}
	return rest, len(seen)
}

const fromPort502 = "a client connects from port 502 to another port and speaks: it is no server, so this is not read as Modbus"

// TestTshark is long for its table, which says what tshark sees otherwise and why.
func TestTshark(t *testing.T) {
	t.Parallel()
	tests := []struct {
		capture    string
		adus       int
		values     int               // at least so many values were compared
		reassemble bool              // times are compared as "not before": a hole or a later packet delayed us
		ours       map[string]string // ADUs that only we have, as source port: transaction/function/exception, and why
		theirs     map[string]string // and that only tshark has
	}{
		{capture: "captures/modbus/modbusSmall.pcap", adus: 32, values: 48},
		{
			capture: "captures/modbus/modbusBig.pcap", adus: 5548, values: 4168,
			ours: map[string]string{"502: 50382/1/0": "its acknowledgement was captured before it, so tshark takes it for a retransmission"},
		},
		{capture: "captures/modbus/modbus-and-non-modbus-p502.pcap", adus: 12, values: 9},
		{
			capture: "captures/modbus/modbus_test_data_part1.pcap", adus: 45, values: 9,
			theirs: map[string]string{"502: 1/1/6": fromPort502, "502: 1/1/5": fromPort502, "502: 1/42/0": fromPort502},
		},
		{
			capture: "captures/modbus/fuzz-72.pcap", adus: 17, reassemble: true,
			ours: map[string]string{
				"502: 0/28/1": "tshark takes a segment far from the ones before for a retransmission", "502: 0/47/1": "as 28", "502: 0/51/1": "as 28",
				"502: 0/54/1": "as 28", "502: 0/58/1": "as 28", "502: 0/59/1": "as 28",
				"2582: 0/38/0": "half a request, malformed here; tshark waits for the rest",
			},
			theirs: map[string]string{"2582: 0/50/0": "its packet's IP total length is 35124 in a frame of 66 bytes: no IP stack takes it"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.capture, func(t *testing.T) {
			t.Parallel()
			path := sharedFile(t, tt.capture)
			adus := runShark(t, path)
			if len(adus) != tt.adus {
				t.Fatalf("tshark sees %d ADUs, %d were expected", len(adus), tt.adus)
			}
			all, _ := decodeAll(readCapture(t, path))
			events, ours := split(only(all, breakwater.Modbus), tt.ours, func(e *breakwater.Event) string {
				return fmt.Sprintf("%d: %d/%d/%d", e.Src.Port, e.Transaction, e.Function, e.Exception)
			})
			events = slices.DeleteFunc(events, func(e *breakwater.Event) bool {
				return e.Function == 0 // no header: tshark shows none either
			})
			adus, theirs := split(adus, tt.theirs, func(s shark) string {
				return fmt.Sprintf("%d: %s/%s/%s", s.src.Port(), first(s.mbtcp, "mbtcp_mbtcp_trans_id"),
					first(s.modbus, "modbus_modbus_func_code"), cmp.Or(first(s.modbus, "modbus_modbus_exception_code"), "0"))
			})
			if ours != len(tt.ours) || theirs != len(tt.theirs) {
				t.Errorf("%d ADUs are ours alone and %d tshark's, want %d and %d", ours, theirs, len(tt.ours), len(tt.theirs))
			}
			var got, want []string
			values := 0
			for i := range adus {
				s := &adus[i]
				if i < len(events) && !t.Failed() {
					values += s.compare(t, events[i])
					if late := events[i].Time.Sub(s.time); tt.reassemble && late > 0 && late < 10*time.Second {
						s.time = events[i].Time
					}
				}
				want = append(want, s.name())
			}
			for _, e := range events {
				got = append(got, sharkName(e))
			}
			if d := gocmp.Diff(want, got); d != "" {
				t.Errorf("tshark (-) and our events (+):\n%s", d)
			}
			if values < tt.values {
				t.Errorf("%d values were compared, want at least %d", values, tt.values)
			}
		})
	}
}
