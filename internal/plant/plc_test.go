package plant

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

func adu(unit byte, pdu string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(pdu, " ", ""))
	if err != nil {
		panic(err)
	}
	return append([]byte{0x12, 0x34, 0, 0, 0, byte(1 + len(b)), unit}, b...)
}

// TestAnswer holds the PLC's server to the Modbus Application Protocol V1.1b3.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request, want string
		unit          byte
	}{
		"coils":                          {"01 0000 000a", "01 02 07 00", 1},
		"one coil":                       {"01 0002 0001", "01 01 01", 1},
		"coils over the end":             {"01 000f 0002", "81 02", 1},
		"no coil":                        {"01 0000 0000", "81 03", 1},
		"2001 coils":                     {"01 0000 07d1", "81 03", 1},
		"coils, short":                   {"01 0000 00", "81 03", 1},
		"inputs":                         {"02 0000 0008", "02 01 00", 1},
		"holding registers":              {"03 0000 0003", "03 06 0bb8 0708 0352", 1},
		"126 registers":                  {"03 0000 007e", "83 03", 1},
		"registers over the end":         {"03 ffff 0001", "83 02", 1},
		"input registers":                {"04 0008 0002", "04 04 0000 0000", 1},
		"write coil":                     {"05 0004 ff00", "05 0004 ff00", 1},
		"write coil, bad value":          {"05 0004 0001", "85 03", 1},
		"write coil, bad address":        {"05 0010 ff00", "85 02", 1},
		"write register":                 {"06 0001 1234", "06 0001 1234", 1},
		"write register, bad address":    {"06 0010 1234", "86 02", 1},
		"write coils":                    {"0f 0000 000a 02 ff03", "0f 0000 000a", 1},
		"write coils, bad count":         {"0f 0000 000a 01 ff", "8f 03", 1},
		"write coils, over the end":      {"0f 000c 000a 02 ff03", "8f 02", 1},
		"write registers":                {"10 000e 0002 04 00010002", "10 000e 0002", 1},
		"write registers, bad count":     {"10 000e 0002 02 0001", "90 03", 1},
		"write registers, short":         {"10 000e 0002 04 0001", "90 03", 1},
		"write registers, over the end":  {"10 000f 0002 04 00010002", "90 02", 1},
		"identification":                 {"2b 0e 01 00", "2b 0e 01 81 00 00 03 00 0a 427265616b7761746572 01 09 42572d54414e4b2d31 02 03 312e30", 1},
		"identification, one object":     {"2b 0e 04 02", "2b 0e 04 81 00 00 01 02 03 312e30", 1},
		"identification, no such object": {"2b 0e 04 09", "ab 02", 1},
		"identification, bad code":       {"2b 0e 05 00", "ab 03", 1},
		"another encapsulated interface": {"2b 0d 00", "ab 01", 1},
		"function 0":                     {"00", "80 01", 1},
		"function 90":                    {"5a 00", "da 01", 1},
		"unit 255 is the device itself":  {"01 0002 0001", "01 01 01", 255},
		"another unit":                   {"01 0002 0001", "81 0b", 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestWorks().intake
			want := adu(c.unit, c.want)
			if got := p.answer(adu(c.unit, c.request)); hex.EncodeToString(got) != hex.EncodeToString(want) {
				t.Errorf("got  % x\nwant % x", got, want)
			}
		})
	}
	for name, b := range map[string][]byte{
		"nothing":        nil,
		"no PDU":         {0, 1, 0, 0, 0, 1, 1},
		"other protocol": {0, 1, 0, 1, 0, 2, 1, 7},
		"length lies":    {0, 1, 0, 0, 0, 9, 1, 7},
	} {
		if got := newTestWorks().intake.answer(b); got != nil {
			t.Errorf("%s: answered % x", name, got)
		}
	}
}

// TestWriteThenRead writes by each function and reads the same back, through the wire's form.
func TestWriteThenRead(t *testing.T) {
	t.Parallel()
	p := newTestWorks().intake
	for _, c := range [][3]string{
		{"05 0009 ff00", "01 0008 0003", "01 01 02"},
		{"0f 0004 0009 02 5501", "01 0004 0009", "01 02 5501"},
		{"06 0008 beef", "03 0007 0003", "03 06 0000 beef 0000"},
		{"10 000a 0002 04 00010203", "03 000a 0002", "03 04 00010203"},
	} {
		if got := p.answer(adu(1, c[0])); got[7]&0x80 != 0 {
			t.Fatalf("%s: % x", c[0], got)
		}
		if got, want := p.answer(adu(1, c[1])), adu(1, c[2]); hex.EncodeToString(got) != hex.EncodeToString(want) {
			t.Errorf("after %s: got % x, want % x", c[0], got, want)
		}
	}
}

// newTestWorks is a plant without a network: PLC-1 hears of T-201 by wire.
func newTestWorks() *works {
	f := alone
	return newWorks(&f, func(name string) *rand.Rand { return rand.New(rand.NewPCG(1, uint64(len(name)))) })
}

// TestControl drives the logic: it runs the plant between its setpoints only while it is automatic, and what goes wrong
// without it goes wrong as water does.
func TestControl(t *testing.T) {
	t.Parallel()
	w := newTestWorks()
	run := func(seconds int) {
		for range seconds * 10 {
			w.scan(0.1)
			w.intake.measured[measuredOther] = w.treat.measured[measuredLevel]
		}
	}
	run(3600)
	if p := w.process; p.raw < 1.4 || p.raw > 3.2 || p.treated < 1.7 || p.treated > 3.1 || w.intake.inputs[inputAlarm] || w.treat.inputs[inputAlarm] {
		t.Errorf("automatic: %+v", p)
	}
	if c := w.process.chlorine; c < 0.5 || c > 0.65 {
		t.Errorf("%.3f mg/l of chlorine where 0.60 are dosed", c)
	}
	w.treat.holding[holdDose] = 600
	run(3600)
	if c := w.process.chlorine; c < 3 || c > 6 {
		t.Errorf("%.3f mg/l of chlorine after an hour of ten times the dose", c)
	}
	w.treat.coils[coilPump] = false
	run(2 * 3600)
	if c := w.process.chlorine; c > 0.5 {
		t.Errorf("%.3f mg/l of chlorine two hours after dosing stopped", c)
	}
	w.treat.coils[coilPump], w.treat.holding[holdDose] = true, 60

	// As the intruder leaves it: the river runs in, nothing is pumped, the town drinks the rest.
	w.intake.coils[coilAuto], w.intake.coils[coilPump], w.intake.coils[coilValve] = false, false, true
	run(3600)
	if p := w.process; p.raw != tankHeight || p.spilled <= 0 || p.treated > 0.001 || p.delivery > 1e-6 || !w.intake.inputs[inputHigh] || !w.treat.inputs[inputLow] || !w.treat.inputs[inputAlarm] || w.intake.inputs[inputRunning] {
		t.Errorf("pump left off, inlet open: %+v", p)
	}
	w.intake.coils[coilPump], w.intake.coils[coilValve] = true, false
	run(3600)
	if p := w.process; p.raw > 0.01 || p.transfer > 0.001 || !w.intake.inputs[inputLow] || !w.intake.inputs[inputClosed] {
		t.Errorf("pump left on, inlet shut: %+v", p)
	}
	w.intake.coils[coilAuto] = true
	run(5)
	if w.intake.coils[coilPump] || !w.intake.coils[coilValve] {
		t.Error("automatic control lets the pump run dry, or the inlet shut")
	}
	run(3600)
	w.intake.coils[coilReset], w.treat.coils[coilReset] = true, true
	run(1)
	if p := w.process; p.treated < 1.7 || w.intake.inputs[inputAlarm] || w.treat.inputs[inputAlarm] || w.intake.coils[coilReset] {
		t.Errorf("automatic again: %+v", p)
	}
}

// FuzzAnswer gives the PLC any bytes: it never panics, and what it answers belongs to the request.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"01 0000 000a", "0f 0000 000a 02 ff03", "10 000e 0002 04 00010002", "2b 0e 01 00", "17 0000 0001 0000 0001 02 0000"} {
		f.Add(adu(1, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newTestWorks().intake
		a := p.answer(b)
		if a == nil {
			return
		}
		if len(a) < 9 || len(a) > 260 || string(a[:4]) != string(b[:4]) || a[6] != b[6] || a[7]&0x7f != b[7]&0x7f || int(binary.BigEndian.Uint16(a[4:])) != len(a)-6 {
			t.Errorf("% x answered by % x", b, a)
		}
		p.decide()
	})
}
