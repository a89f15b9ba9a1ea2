package plant

import (
	"math/rand/v2"
	"slices"
)

// Facility is one plant: where it is on the network, how large its parts are, and how it is run. All are built alike.
type Facility struct {
	ID   string // of the facility, as alerts name it
	Name string // as people call it
	Seed uint64 // of its simulation in the demo

	net      [3]byte // its network, the first three bytes of each address
	maker    byte    // tells its hosts' Ethernet addresses from another plant's
	size     float64 // of pump, pipes and valves, about 1
	area     float64 // of each tank, m²
	pumpHead float64 // of P-101 at full speed and no flow, m
	outletKv float64 // of V-201, m³/h at 1 bar, fully open
	run      settings
}

// settings are what operators have set, and go on setting, within a little. Levels are in mm, openings in 0.1 %, the
// dose in 0.01 mg/l.
type settings struct {
	stop, start          uint16 // level of T-201 at which P-101 stops and starts
	inlet                uint16 // opening of MV-101
	inletOpen, inletShut uint16 // level of T-101 at which MV-101 opens and closes
	dose                 uint16
	outlet               uint16 // opening of V-201
}

// alone is the plant of a recording that names none.
var alone = Facility{ID: "plant", Name: "Plant", Seed: 1, net: [3]byte{10, 0, 0}, maker: 0x2a, size: 1, area: 3, pumpHead: 22, outletKv: 115,
	run: settings{stop: 3000, start: 1800, inlet: 850, inletOpen: 1600, inletShut: 3000, dose: 60, outlet: 750}}

// Demo are the five plants of the demo.
var Demo = []Facility{
	{ID: "demo-northgate", Name: "Northgate Waterworks", Seed: 11, net: [3]byte{10, 21, 1}, maker: 0x31, size: 1, area: 3, pumpHead: 22, outletKv: 115,
		run: settings{stop: 3000, start: 1800, inlet: 850, inletOpen: 1600, inletShut: 3000, dose: 60, outlet: 750}},
	{ID: "demo-riverside", Name: "Riverside Treatment Plant", Seed: 12, net: [3]byte{10, 22, 4}, maker: 0x32, size: 1.15, area: 3.4, pumpHead: 23, outletKv: 128,
		run: settings{stop: 3100, start: 1900, inlet: 860, inletOpen: 1700, inletShut: 3050, dose: 75, outlet: 760}},
	{ID: "demo-hillcrest", Name: "Hillcrest Pumping Station", Seed: 13, net: [3]byte{10, 23, 0}, maker: 0x33, size: 0.9, area: 2.8, pumpHead: 24, outletKv: 104,
		run: settings{stop: 2900, start: 1750, inlet: 840, inletOpen: 1550, inletShut: 2950, dose: 55, outlet: 740}},
	{ID: "demo-lakeview", Name: "Lakeview Water Works", Seed: 14, net: [3]byte{172, 18, 7}, maker: 0x34, size: 1.3, area: 4, pumpHead: 22.5, outletKv: 150,
		run: settings{stop: 3050, start: 1850, inlet: 855, inletOpen: 1650, inletShut: 3100, dose: 80, outlet: 745}},
	{ID: "demo-eastfield", Name: "Eastfield Reservoir", Seed: 15, net: [3]byte{192, 168, 60}, maker: 0x35, size: 1.05, area: 3.2, pumpHead: 23.5, outletKv: 121,
		run: settings{stop: 2950, start: 1700, inlet: 845, inletOpen: 1500, inletShut: 2900, dose: 65, outlet: 755}},
}

// Sample are the plants of the seed data, which the demo does not touch.
var Sample = []Facility{
	{ID: "sample-brookside", Name: "Brookside Works", Seed: 31, net: [3]byte{10, 41, 2}, maker: 0x51, size: 1.1, area: 3.3, pumpHead: 22.5, outletKv: 124,
		run: settings{stop: 3000, start: 1850, inlet: 855, inletOpen: 1650, inletShut: 3000, dose: 70, outlet: 750}},
	{ID: "sample-milltown", Name: "Milltown Works", Seed: 32, net: [3]byte{10, 42, 2}, maker: 0x52, size: 0.95, area: 3, pumpHead: 23, outletKv: 110,
		run: settings{stop: 2950, start: 1750, inlet: 845, inletOpen: 1600, inletShut: 2950, dose: 60, outlet: 745}},
	{ID: "sample-oakhurst", Name: "Oakhurst Works", Seed: 33, net: [3]byte{10, 43, 2}, maker: 0x53, size: 1.2, area: 3.6, pumpHead: 22, outletKv: 136,
		run: settings{stop: 3100, start: 1900, inlet: 860, inletOpen: 1700, inletShut: 3050, dose: 75, outlet: 755}},
}

// Find is the plant of a facility's id.
func Find(id string) (Facility, bool) {
	for _, f := range slices.Concat([]Facility{alone}, Demo, Sample) {
		if f.ID == id {
			return f, true
		}
	}
	return Facility{}, false
}

// at is the address of a host of the plant by its last byte.
func (f *Facility) at(last byte) [4]byte { return [4]byte{f.net[0], f.net[1], f.net[2], last} }

// near is a setting that an operator chooses: not more than spread off, in whole steps.
func near(rng *rand.Rand, value uint16, spread, step int) int {
	return int(value) + step*(rng.IntN(2*spread/step+1)-spread/step)
}
