package plant

import (
	"math"
	"math/rand/v2"
)

// The plant's measures that are the same everywhere; what differs from plant to plant stands in Facility. Flows are in
// m³/s, heads and levels in m of water, times in s.
const (
	tankHeight = 4.0 // where a tank overflows

	riverHead  = 8.5 // of the river over the bottom of T-101
	inletDrop  = 1.5 // from the inlet valve to the bottom of T-101: a full tank holds back little
	inletKv    = 165.0
	pumpCurve  = 25000 // head lost inside P-101: pumpCurve · flow²
	staticHead = 8.0   // from the bottom of T-101 to that of T-201
	pipeLoss   = 18400 // head lost in the pipe: pipeLoss · flow²
	filterLoss = 5200  // and in the filter
	pumpLag    = 2.0   // time constant of the pump's speed
	outletDrop = 3.0   // from the bottom of T-201 to the town's network

	valveRange   = 50.0 // rangeability: equal-percentage characteristic, IEC 60534-2-4
	valveStroke  = 10.0 // from closed to open
	townHead     = 0.8  // by which the town's network holds back, at most: at night
	townLag      = 90.0 // how fast the town's demand changes
	decay        = 4e-6 // of chlorine, 1/s
	metreInBar   = 0.0980665
	metreInKPa   = 9.80665
	cubicPerHour = 3600
)

// process is the water: what is true, whether or not anybody measures it.
//
//	river ─[MV-101]─► T-101 ─(P-101)─► filter ─┬─► T-201 ─[V-201]─► town
//	          intake    raw     transfer       ▲    treated  delivery
//	                                        DP-201, chlorine
type process struct {
	raw, treated               float64 // levels of T-101 and T-201, m
	inlet, outlet              float64 // openings of MV-101 and V-201, 0–1
	speed                      float64 // of P-101, 0–1
	intake, transfer, delivery float64 // flows, m³/s
	spilled                    float64 // over the edge of T-101 and T-201, m³/s
	pressure                   float64 // at the outlet of P-101, kPa
	lost                       float64 // by the filter, kPa
	chlorine                   float64 // in T-201, mg/l
	quiet                      float64 // how little the town asks for, 0–1
}

// commands are what the PLCs' outputs tell the plant to do.
type commands struct {
	pump, dosing  bool
	inlet, outlet float64 // openings that the valves are on their way to
	dose          float64 // mg/l
}

// step lets dt seconds pass in a plant. The town draws its random numbers from town.
func (p *process) step(f *Facility, dt float64, c commands, town *rand.Rand) {
	wanted := 0.0
	if c.pump {
		wanted = 1
	}
	p.speed += (wanted - p.speed) * (1 - math.Exp(-dt/pumpLag))
	p.inlet = stroke(p.inlet, c.inlet, dt)
	p.outlet = stroke(p.outlet, c.outlet, dt)
	p.quiet = max(0, min(1, p.quiet+(0.5-p.quiet)*dt/townLag+0.02*math.Sqrt(dt)*town.NormFloat64()))

	p.intake = throughValve(inletKv*f.size, p.inlet, riverHead-inletDrop-p.raw)
	// Pump curve meets system curve. A check valve lets nothing flow back.
	head := f.pumpHead * p.speed * p.speed // affinity law
	p.transfer = f.size * math.Sqrt(max(0, head+p.raw-staticHead-p.treated)/(pumpCurve+pipeLoss+filterLoss))
	p.transfer = min(p.transfer, p.intake+p.raw*f.area/dt)
	unit := p.transfer / f.size
	p.lost = metreInKPa * filterLoss * unit * unit
	p.pressure = metreInKPa*(staticHead+p.treated+pipeLoss*unit*unit) + p.lost
	p.delivery = throughValve(f.outletKv, p.outlet, p.treated+outletDrop-townHead*p.quiet)
	p.delivery = min(p.delivery, p.transfer+p.treated*f.area/dt)

	dosed := 0.0
	if c.dosing {
		dosed = c.dose * p.transfer
	}
	before := p.treated
	var rawOver, treatedOver float64
	p.raw, rawOver = fill(p.raw, (p.intake-p.transfer)*dt/f.area)
	p.treated, treatedOver = fill(p.treated, (p.transfer-p.delivery)*dt/f.area)
	p.spilled = (rawOver + treatedOver) * f.area / dt
	// What is in T-201 mixes at once: mass of chlorine over volume of water.
	mass := before*f.area*p.chlorine + (dosed-(p.delivery+treatedOver*f.area/dt)*p.chlorine)*dt
	if volume := p.treated * f.area; volume > 1e-6 {
		p.chlorine = max(0, mass/volume) * (1 - decay*dt)
	}
}

// stroke moves a valve towards its target.
func stroke(now, target, dt float64) float64 {
	return now + max(-dt/valveStroke, min(dt/valveStroke, target-now))
}

// throughValve is the flow through a valve whose Kv is in m³/h at 1 bar, fully open, under a head.
func throughValve(kv, opening, head float64) float64 {
	if opening <= 0.001 || head <= 0 {
		return 0
	}
	return kv * math.Pow(valveRange, opening-1) * math.Sqrt(head*metreInBar) / cubicPerHour
}

// fill moves a level, and says how much of it went over the edge.
func fill(level, by float64) (now, over float64) {
	now = max(0, level+by)
	if now > tankHeight {
		return tankHeight, now - tankHeight
	}
	return now, 0
}
