package decode

import (
	"slices"
	"testing"

	"breakwater"
)

// modbusPairs are one exchange of each public function, most of them the standard's own examples.
var modbusPairs = []struct{ request, response string }{
	{"01 0013 0013", "01 03 cd6b05"},
	{"02 00c4 0016", "02 03 acdb35"},
	{"03 006b 0003", "03 06 022b 0000 0064"},
	{"04 0008 0001", "04 02 000a"},
	{"05 00ac ff00", "05 00ac ff00"},
	{"05 00ac 0000", "05 00ac 0000"},
	{"06 0001 0003", "06 0001 0003"},
	{"07", "07 6d"},
	{"08 0000 a537", "08 0000 a537"},
	{"08 0001 ff00", "08 0001 ff00"},
	{"08 000b 0000", "08 000b 0102"},
	{"08 0063 0000 0000", "08 0063 0000 0000"}, // reserved subfunction
	{"0b", "0b ffff 0108"},
	{"0c", "0c 08 0000 0108 0121 2000"},
	{"0f 0013 000a 02 cd01", "0f 0013 000a"},
	{"10 0001 0002 04 000a 0102", "10 0001 0002"},
	{"11", "11 03 4142ff"},
	{"14 0e 06 0004 0001 0002 06 0003 0009 0002", "14 0c 05 06 0dfe 0020 05 06 33cd 0040"},
	{"15 0d 06 0004 0007 0003 06af 04be 100d", "15 0d 06 0004 0007 0003 06af 04be 100d"},
	{"16 0004 00f2 0025", "16 0004 00f2 0025"},
	{"16 0004 0000 0025", "16 0004 0000 0025"}, // the masks say what the register becomes
	{"17 0003 0006 000e 0003 06 00ff 00ff 00ff", "17 0c 00fe 0acd 0001 0003 000d 00ff"},
	{"18 04de", "18 0006 0002 01b8 1284"},
	{"2b 0e 01 00", "2b 0e 01 01 00 00 02 00 03 414243 01 01 44"},
	{"2b 0d 0000 01", "2b 0d 0000 02"},
	{"2b 07", "2b 07"}, // reserved interface
	{"41 0102", "41 03"},
	{"2a 0102", "aa 01"},
	// A response to something else is not joined.
	{"06 0001 0003", "06 0002 0003"},
	{"0f 0013 000a 02 cd01", "0f 0013 000b"},
	{"08 000b 0000", "08 000c 0000"},
	{"2b 0e 01 00", "2b 0d 0000 02"},
}

// modbusFlaws are requests, and responses to sound requests, that break the standard; where response is empty the
// flaw is in the request.
var modbusFlaws = []struct{ request, response string }{
	{"00", ""}, {"81 02", ""}, {"80 01", ""},
	{"01 0000", ""}, {"01 0000 0000", ""}, {"01 0000 07d1", ""}, {"02 0000 0001 00", ""},
	{"03 0000 007e", ""}, {"04 0000 0000", ""},
	{"05 0000 0001", ""}, {"05 0000", ""}, {"06 0000", ""}, {"07 00", ""},
	{"08 00", ""}, {"08 0001", ""}, {"08 0000 00", ""}, {"0b 00", ""}, {"0c 00", ""}, {"11 00", ""},
	{"0f 0000", ""}, {"0f 0000 0000 00", ""}, {"0f 0000 07b1 00", ""}, {"0f 0000 0001 02 01", ""}, {"0f 0000 0001 02 0101", ""}, {"0f 0000 0001", ""},
	{"10 0000 007c 00", ""}, {"10 0000 0001 02 01", ""}, {"10 0000 0001 04 0001 0001", ""},
	{"14 06 000000000000", ""}, {"14 07 05 0001 0001 0001", ""}, {"14 07 06 0000 0001 0001", ""}, {"14 07 06 0001 2710 0001", ""}, {"14 09 00", ""},
	{"15 07 06 0001 0001 0001", ""}, {"15 09 06 0001 0001 0002 0001", ""}, {"15 0a 06 0001 0001 0001 0001 00", ""}, {"15 09 07 0001 0001 0001 0001", ""}, {"15", ""},
	{"16 0004 00f2", ""}, {"17 0003", ""}, {"17 0003 0000 000e 0001 02 00ff", ""}, {"17 0003 0001 000e 007a 02 00ff", ""}, {"17 0003 0001 000e 0001 04 0000 0000", ""},
	{"18 04", ""}, {"2b", ""}, {"2b 0e 05 00", ""}, {"2b 0e 01", ""},
	{"01 0000 000a", "01 01 cd"}, {"01 0000 000a", "01 03 cd01"}, {"01 0000 000a", "01 00"}, {"01 0000 000a", "01"},
	{"03 0000 0003", "03 04 0000 0000"}, {"03 0000 0003", "03 03 000000"}, {"03 0000 0003", "03 00"},
	{"03 0000 0003", "83"}, {"03 0000 0003", "83 00"}, {"03 0000 0003", "83 0102"}, {"03 0000 0003", "00"},
	{"05 0000 ff00", "05 0000 0001"}, {"06 0000 0001", "06 0000"}, {"07", "07"}, {"0b", "0b 0000"},
	{"0c", "0c 05 0000000000"}, {"0c", "0c 07 000000"}, {"0f 0000 0001 01 01", "0f 0000 0000"}, {"10 0000 0001 02 0001", "10 0000"},
	{"11", "11 00"}, {"14 07 06 0001 0001 0001", "14 05 05 06 0dfe 0020"}, {"14 07 06 0001 0001 0001", "14 04 03 05 0dfe"},
	{"14 07 06 0001 0001 0001", "14 06 05 06 0dfe 0020"}, {"14 07 06 0001 0001 0001", "14 04 04 06 0dfe"},
	{"17 0003 0006 000e 0001 02 00ff", "17 02 00fe"}, {"18 04de", "18 0006 0003 01b8 1284"}, {"18 04de", "18"},
	{"18 04de", "18 0042 0020" + zeros(64)}, {"2b 0e 01 00", "2b 0e 01"}, {"2b 0e 01 00", "2b 0e 01 01 00 00 01 00 03 41"},
	{"2b 0e 01 00", "2b 0e 01 01 00 00 00 00"}, {"2b 0e 01 00", "2b"},
}

// zeros is n bytes of 0 in hexadecimal.
func zeros(n int) string {
	b := make([]byte, 2*n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}

// TestModbusFlaws says which half of each pair is malformed; the golden says why.
func TestModbusFlaws(t *testing.T) {
	t.Parallel()
	for _, p := range modbusFlaws {
		t.Run(p.request+"/"+p.response, func(t *testing.T) {
			t.Parallel()
			var e breakwater.Event
			if p.response == "" {
				if reason := parseRequest(&e, unhex(p.request)); reason == "" {
					t.Errorf("is taken for sound: %+v", e)
				}
				return
			}
			if reason := parseRequest(&e, unhex(p.request)); reason != "" {
				t.Fatalf("request: %s", reason)
			}
			e.Joined, e.Values = true, nil
			if reason := parseResponse(&e, unhex(p.response)); reason == "" {
				t.Errorf("is taken for sound: %+v", e)
			}
		})
	}
}

// TestModbusBounds sends the largest and smallest quantities that the standard allows, with all their values.
func TestModbusBounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		request, response string
		values            [2]int
	}{
		{"one coil", "01 0000 0001", "01 01 01", [2]int{0, 1}},
		{"2000 coils", "01 0000 07d0", "01 fa" + zeros(250), [2]int{0, 2000}},
		{"125 registers", "04 ffff 007d", "04 fa" + zeros(250), [2]int{0, 125}},
		{"1968 coils written", "0f 0000 07b0 f6" + zeros(246), "0f 0000 07b0", [2]int{1968, 0}},
		{"123 registers written", "10 0000 007b f6" + zeros(246), "10 0000 007b", [2]int{123, 0}},
		{"121 registers exchanged", "17 0000 007d 0000 0079 f2" + zeros(242), "17 fa" + zeros(250), [2]int{121, 125}},
		{"31 in the queue", "18 0000", "18 0040 001f" + zeros(62), [2]int{0, 31}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBuilder()
			b.dial(hmi, plc).open().ask(1, tt.request, tt.response)
			events, _ := decodeAll(b.packets)
			events = only(events, breakwater.Modbus)
			if len(events) != 2 || events[0].Kind != breakwater.Request || events[1].Kind != breakwater.Response || !events[1].Joined {
				t.Fatalf("no request and joined response: %+v", events)
			}
			if got := [2]int{len(events[0].Values), len(events[1].Values)}; got != tt.values {
				t.Errorf("%d values, want %d", got, tt.values)
			}
		})
	}
}

// TestFunctionNames holds our names to the standard's numbers, and every code to a name and a class.
func TestFunctionNames(t *testing.T) {
	t.Parallel()
	var e breakwater.Event
	public := []uint8{1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43}
	for code := range uint8(128) {
		function(&e, code)
		known := functions[code].request != nil
		if known != slices.Contains(public, code) || known != (functions[code].response != nil) {
			t.Errorf("function %d: known is %v", code, known)
		}
		want := "unknown function "
		if code >= 65 && code <= 72 || code >= 100 && code <= 110 {
			want = "user-defined function "
		}
		if got := e.FunctionName; (got[:min(len(want), len(got))] == want) == known {
			t.Errorf("function %d is called %q", code, got)
		}
		if !known && e.Class != breakwater.Unknown {
			t.Errorf("function %d is of class %q", code, e.Class)
		}
	}
}

// TestModbusPendingBound answers more requests than are remembered: the oldest are forgotten, the newest joined.
func TestModbusPendingBound(t *testing.T) {
	t.Parallel()
	b := newBuilder()
	d := b.dial(hmi, plc).open()
	const sent = maxPending + 10
	for i := range uint16(sent) {
		d.data(client, adu(i, 1, readHolding))
	}
	for i := range uint16(sent) {
		d.data(server, adu(i, 1, holdingOf3))
	}
	events, _ := decodeAll(b.packets)
	joined := 0
	for _, e := range events {
		if e.Joined {
			joined++
			if e.Transaction < sent-maxPending {
				t.Errorf("the response to the forgotten request %d is joined", e.Transaction)
			}
		}
	}
	if joined != maxPending {
		t.Errorf("%d responses are joined, want %d", joined, maxPending)
	}
}
