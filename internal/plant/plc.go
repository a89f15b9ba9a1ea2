package plant

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"
)

// scanTime is how often the PLC measures, decides and sets its outputs.
const scanTime = 100 * time.Millisecond

// The PLCs' data (Modbus addresses from 0). What both have lies at the same address.
const (
	coilPump  = 0 // PLC-1: run P-101; automatic control sets and clears it at the two levels. PLC-2: run the dosing pump
	coilValve = 1 // open MV-101, which automatic control does on PLC-1, or V-201
	coilAuto  = 2 // automatic control
	coilReset = 3 // acknowledge alarms; clears itself
	coilCount = 16

	inputHigh    = 0 // level switches
	inputLow     = 1
	inputRunning = 2 // feedback of the pump
	inputOpen    = 3 // limit switches of the valve
	inputClosed  = 4
	inputPower   = 5
	inputAlarm   = 6 // latched: a level switch was on
	inputCount   = 16

	holdStop      = 0 // PLC-1: level of T-201 at which P-101 stops, mm
	holdStart     = 1 // and at which it starts
	holdValve     = 2 // opening of the valve when it is open, 0.1 %
	holdInletOpen = 3 // PLC-1: level of T-101 at which MV-101 opens, mm
	holdInletShut = 4 // and at which it closes
	holdDose      = 5 // PLC-2: chlorine to dose, 0.01 mg/l
	holdCount     = 16

	measuredLevel    = 0 // of the stage's tank, mm
	measuredInflow   = 1 // into the tank, 0.1 m³/h
	measuredOutflow  = 2 // out of it, 0.1 m³/h
	measuredPressure = 3 // PLC-1: at the outlet of P-101. PLC-2: that the filter costs. kPa
	measuredValve    = 4 // opening, 0.1 %
	measuredCurrent  = 5 // PLC-1: of the pump's motor, 0.1 A
	measuredBeat     = 6 // counts seconds
	measuredOther    = 7 // PLC-1: level of T-201, as PLC-2 last said, mm. PLC-2: chlorine in T-201, 0.01 mg/l
	measuredCount    = 16

	highSwitch = 3.6 // m
	lowSwitch  = 0.8
	dryRun     = 500 // mm in T-101, at which automatic control stops P-101
)

// plc is the controller of one stage: its registers, control logic and Modbus server. It knows no network, so that
// packets and real sockets can carry the same device.
type plc struct {
	stage    int // 1 or 2
	identity [3]string
	noise    *rand.Rand
	scans    int

	coils    [coilCount]bool
	inputs   [inputCount]bool
	holding  [holdCount]uint16
	measured [measuredCount]uint16
}

// works is the water and what controls it.
type works struct {
	*Facility
	process process
	town    *rand.Rand
	intake  *plc // PLC-1: raw water
	treat   *plc // PLC-2: treatment
}

// newWorks switches the plant on; random gives each part its own source of random numbers.
func newWorks(f *Facility, random func(name string) *rand.Rand) *works {
	first := random("process")
	w := &works{Facility: f, town: random("town")}
	w.process = process{raw: 1.9 + 0.6*first.Float64(), treated: 2.2 + 0.4*first.Float64(), speed: 1, quiet: 0.5,
		inlet: float64(f.run.inlet) / 1000, outlet: float64(f.run.outlet) / 1000, chlorine: float64(f.run.dose) / 100}
	w.intake = &plc{stage: 1, noise: random("plc-1"), identity: [3]string{"Breakwater", "BW-TANK-1", "1.0"}}
	w.treat = &plc{stage: 2, noise: random("plc-2"), identity: [3]string{"Breakwater", "BW-DOSE-2", "1.1"}}
	for _, p := range []*plc{w.intake, w.treat} {
		p.coils[coilPump], p.coils[coilValve], p.coils[coilAuto] = true, true, true
	}
	h := &w.intake.holding
	h[holdStop], h[holdStart], h[holdValve], h[holdInletOpen], h[holdInletShut] = f.run.stop, f.run.start, f.run.inlet, f.run.inletOpen, f.run.inletShut
	h = &w.treat.holding
	h[holdValve], h[holdDose] = f.run.outlet, f.run.dose
	w.intake.measured[measuredOther] = uint16(w.process.treated * 1000)
	return w
}

// scan lets dt seconds pass: the water moves on, is measured, and the PLCs decide.
func (w *works) scan(dt float64) {
	w.process.step(w.Facility, dt, commands{
		pump: w.intake.coils[coilPump], inlet: w.intake.valveTarget(),
		dosing: w.treat.coils[coilPump], dose: float64(w.treat.holding[holdDose]) / 100, outlet: w.treat.valveTarget(),
	}, w.town)
	w.intake.measure(&w.process)
	w.treat.measure(&w.process)
	w.intake.decide()
	w.treat.decide()
}

// valveTarget is the opening that the PLC asks of its valve, 0–1.
func (p *plc) valveTarget() float64 {
	if !p.coils[coilValve] {
		return 0
	}
	return min(1, float64(p.holding[holdValve])/1000)
}

// decide is the control logic, once a scan.
func (p *plc) decide() {
	p.scans++
	p.inputs[inputAlarm] = p.inputs[inputAlarm] && !p.coils[coilReset] || p.inputs[inputHigh] || p.inputs[inputLow]
	p.coils[coilReset] = false
	if p.stage != 1 || !p.coils[coilAuto] {
		return
	}
	switch level := p.measured[measuredOther]; {
	case level >= p.holding[holdStop] || p.measured[measuredLevel] < dryRun:
		p.coils[coilPump] = false
	case level <= p.holding[holdStart]:
		p.coils[coilPump] = true
	}
	switch level := p.measured[measuredLevel]; {
	case level >= p.holding[holdInletShut]:
		p.coils[coilValve] = false
	case level <= p.holding[holdInletOpen]:
		p.coils[coilValve] = true
	}
}

// measure fills inputs and input registers from the process, as the stage's instruments see it.
func (p *plc) measure(w *process) {
	analog := func(value, deviation float64) uint16 {
		return uint16(max(0, min(math.MaxUint16, math.Round(value+deviation*p.noise.NormFloat64()))))
	}
	flow := func(q float64) uint16 { q *= cubicPerHour * 10; return analog(q, q*0.004) }
	level, opening, running := w.raw, w.inlet, w.speed > 0.5
	if p.stage == 1 {
		p.measured[measuredInflow], p.measured[measuredOutflow] = flow(w.intake), flow(w.transfer)
		p.measured[measuredPressure] = analog(w.pressure, 0.8)
		p.measured[measuredCurrent] = analog(185*w.speed*w.speed*w.speed, 0.7*w.speed)
	} else {
		level, opening, running = w.treated, w.outlet, p.coils[coilPump]
		p.measured[measuredInflow], p.measured[measuredOutflow] = flow(w.transfer), flow(w.delivery)
		p.measured[measuredPressure] = analog(w.lost, 0.2)
		p.measured[measuredOther] = analog(w.chlorine*100, 0.4)
	}
	p.measured[measuredLevel] = analog(level*1000, 1.5)
	p.measured[measuredValve] = analog(opening*1000, 0.5)
	p.measured[measuredBeat] = uint16(p.scans / int(time.Second/scanTime))

	p.inputs[inputHigh] = level > highSwitch
	p.inputs[inputLow] = level < lowSwitch
	p.inputs[inputRunning] = running
	p.inputs[inputOpen] = p.coils[coilValve] && math.Abs(opening-p.valveTarget()) < 0.005
	p.inputs[inputClosed] = opening < 0.005
	p.inputs[inputPower] = true
}

// The Modbus function and exception codes that the PLC uses (Modbus Application Protocol V1.1b3, sections 6 and 7).
const (
	readCoils      = 1
	readInputs     = 2
	readHolding    = 3
	readMeasured   = 4
	writeCoil      = 5
	writeRegister  = 6
	writeCoils     = 15
	writeRegisters = 16
	identify       = 43 // with MEI type 14

	illegalFunction = 1
	illegalAddress  = 2
	illegalValue    = 3
	noTarget        = 11
)

// answer is the PLC's answer to a whole request ADU (MBAP header and PDU), nil where a device keeps silent: what is
// not Modbus. Units 0 and 255 mean the device itself, as does its own, 1.
func (p *plc) answer(adu []byte) []byte {
	if len(adu) < 8 || binary.BigEndian.Uint16(adu[2:]) != 0 || int(binary.BigEndian.Uint16(adu[4:])) != len(adu)-6 {
		return nil
	}
	pdu := adu[7:]
	body, exception := []byte(nil), byte(noTarget)
	if unit := adu[6]; unit <= 1 || unit == 255 {
		body, exception = p.serve(pdu[0], pdu[1:])
	}
	out := append([]byte{}, adu[:7]...)
	if exception != 0 {
		out = append(out, pdu[0]|0x80, exception)
	} else {
		out = append(append(out, pdu[0]), body...)
	}
	binary.BigEndian.PutUint16(out[4:], uint16(len(out)-6))
	return out
}

// serve carries a function out. A write answers with what was written where.
func (p *plc) serve(function byte, data []byte) (body []byte, exception byte) {
	switch function {
	case readCoils:
		return readBits(p.coils[:], data)
	case readInputs:
		return readBits(p.inputs[:], data)
	case readHolding:
		return readWords(p.holding[:], data)
	case readMeasured:
		return readWords(p.measured[:], data)
	case writeCoil, writeRegister:
		if len(data) != 4 {
			return nil, illegalValue
		}
		address, value := int(binary.BigEndian.Uint16(data)), binary.BigEndian.Uint16(data[2:])
		switch {
		case function == writeCoil && value != 0 && value != 0xff00:
			return nil, illegalValue
		case function == writeCoil && address < coilCount:
			p.coils[address] = value != 0
		case function == writeRegister && address < holdCount:
			p.holding[address] = value
		default:
			return nil, illegalAddress
		}
		return data, 0
	case writeCoils, writeRegisters:
		if len(data) < 5 {
			return nil, illegalValue
		}
		address, quantity, values := int(binary.BigEndian.Uint16(data)), int(binary.BigEndian.Uint16(data[2:])), data[5:]
		limit, size, end := 0x7b0, (quantity+7)/8, coilCount
		if function == writeRegisters {
			limit, size, end = 0x7b, 2*quantity, holdCount
		}
		if quantity == 0 || quantity > limit || int(data[4]) != size || len(values) != size {
			return nil, illegalValue
		}
		if address+quantity > end {
			return nil, illegalAddress
		}
		for i := range quantity {
			if function == writeCoils {
				p.coils[address+i] = values[i/8]>>(i%8)&1 == 1
			} else {
				p.holding[address+i] = binary.BigEndian.Uint16(values[2*i:])
			}
		}
		return data[:4], 0
	case identify:
		return p.identification(data)
	}
	return nil, illegalFunction
}

// span reads address and quantity of a read request.
func span(data []byte, limit, size int) (from, to int, exception byte) {
	if len(data) != 4 {
		return 0, 0, illegalValue
	}
	from, quantity := int(binary.BigEndian.Uint16(data)), int(binary.BigEndian.Uint16(data[2:]))
	if quantity == 0 || quantity > limit {
		return 0, 0, illegalValue
	}
	if from+quantity > size {
		return 0, 0, illegalAddress
	}
	return from, from + quantity, 0
}

func readBits(bits []bool, data []byte) ([]byte, byte) {
	from, to, exception := span(data, 2000, len(bits))
	if exception != 0 {
		return nil, exception
	}
	body := make([]byte, 1+(to-from+7)/8)
	body[0] = byte(len(body) - 1)
	for i, on := range bits[from:to] {
		if on {
			body[1+i/8] |= 1 << (i % 8)
		}
	}
	return body, 0
}

func readWords(words []uint16, data []byte) ([]byte, byte) {
	from, to, exception := span(data, 125, len(words))
	if exception != 0 {
		return nil, exception
	}
	body := []byte{byte(2 * (to - from))}
	for _, w := range words[from:to] {
		body = binary.BigEndian.AppendUint16(body, w)
	}
	return body, 0
}

// identification answers MEI type 14 with vendor, product and revision: as a stream (codes 1 to 3) or one of them
// (code 4).
func (p *plc) identification(data []byte) ([]byte, byte) {
	identity := p.identity[:]
	switch {
	case len(data) == 0 || data[0] != 14:
		return nil, illegalFunction
	case len(data) != 3 || data[1] < 1 || data[1] > 4:
		return nil, illegalValue
	}
	first, last := int(data[2]), len(identity)
	switch {
	case data[1] == 4 && first >= len(identity):
		return nil, illegalAddress
	case data[1] == 4:
		last = first + 1
	case first >= len(identity):
		first = 0 // the standard: begin anew
	}
	body := []byte{14, data[1], 0x81, 0, 0, byte(last - first)} // 0x81: basic, stream and single; no more follows
	for id := first; id < last; id++ {
		body = append(append(body, byte(id), byte(len(identity[id]))), identity[id]...)
	}
	return body, 0
}
