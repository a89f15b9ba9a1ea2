package plant

import "math"

// The plant's measures. Flows are in m³/s, heads and levels in m of water, times in s.
const (
	tankArea   = 3.0 // m², so that 30 m³/h move the level by 2.8 mm/s
	tankHeight = 4.0 // where it overflows

	pumpHead     = 22.0  // at full speed and no flow
	pumpCurve    = 25000 // head lost inside the pump: pumpCurve · flow²
	staticHead   = 6.0   // from pump to tank bottom
	pipeLoss     = 23600 // head lost in the pipe: pipeLoss · flow²
	pumpLag      = 2.0   // time constant of its speed
	outletDrop   = 3.0   // from tank bottom to the outlet's end
	valveKv      = 115.0 // m³/h at 1 bar, fully open
	valveRange   = 50.0  // rangeability: equal-percentage characteristic, IEC 60534-2-4
	valveStroke  = 10.0  // from closed to open
	metreInBar   = 0.0980665
	metreInKPa   = 9.80665
	cubicPerHour = 3600
)

// process is the water: what is true, whether or not anybody measures it.
type process struct {
	level    float64 // m
	speed    float64 // of the pump, 0–1
	valve    float64 // opening, 0–1
	inflow   float64 // m³/s
	outflow  float64 // m³/s
	pressure float64 // at the pump's outlet, kPa
}

// step lets dt seconds pass with the pump running or not and the valve on its way to target.
func (p *process) step(dt float64, run bool, target float64) {
	wanted := 0.0
	if run {
		wanted = 1
	}
	p.speed += (wanted - p.speed) * (1 - math.Exp(-dt/pumpLag))
	p.valve += max(-dt/valveStroke, min(dt/valveStroke, target-p.valve))

	// Pump curve meets system curve. A check valve lets nothing flow back.
	head := pumpHead * p.speed * p.speed // affinity law
	p.inflow = math.Sqrt(max(0, head-staticHead-p.level) / (pumpCurve + pipeLoss))
	p.pressure = metreInKPa * (staticHead + p.level + pipeLoss*p.inflow*p.inflow)

	p.outflow = 0
	if p.valve > 0.001 {
		kv := valveKv * math.Pow(valveRange, p.valve-1)
		p.outflow = kv * math.Sqrt((p.level+outletDrop)*metreInBar) / cubicPerHour
	}
	if available := p.inflow + p.level*tankArea/dt; p.outflow > available {
		p.outflow = available
	}
	p.level = max(0, min(tankHeight, p.level+(p.inflow-p.outflow)*dt/tankArea))
}
