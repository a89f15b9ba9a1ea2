package plant

import (
	"time"

	"breakwater"
)

// attacks are the intruder's scripts.
var attacks = map[AttackKind]func(*actor, *host){PortScan: scanPorts, UnauthorisedWrite: writeUnauthorised, FunctionScan: scanFunctions, ManipulateControl: manipulate}

// scannedPorts are TCP ports that scanners try first, those of industrial protocols before others.
var scannedPorts = []uint16{
	21, 22, 23, 25, 53, 69, 79, 80, 81, 88, 102, 110, 111, 113, 119, 135, 139, 143, 161, 179, 199, 389, 443, 445, 465, 502, 513, 514, 515, 548, 554, 587, 631, 636,
	789, 873, 902, 993, 995, 1025, 1026, 1027, 1028, 1029, 1080, 1089, 1090, 1091, 1110, 1433, 1521, 1720, 1723, 1883, 1911, 1962, 2000, 2001, 2049, 2121, 2222, 2404,
	2455, 2717, 3000, 3128, 3306, 3389, 3986, 4000, 4840, 4899, 4911, 5000, 5006, 5007, 5009, 5051, 5060, 5101, 5190, 5357, 5432, 5631, 5666, 5800, 5900, 6000, 6646,
	7070, 8000, 8008, 8080, 8443, 8888, 9600, 18245, 20000, 44818, 47808,
}

// scanPorts looks who is there, then what PLC-1 serves, then who else speaks Modbus.
func scanPorts(a *actor, intruder *host) {
	for last := 1; last < 255; last++ {
		ip := a.works.at(byte(last))
		if ip == intruder.ip {
			continue
		}
		a.arp(1, intruder, broadcast, breakwater.MAC{}, ip)
		if h := a.hosts[ip]; h != nil {
			a.after(2*a.hop(), func() {
				a.arp(2, h, intruder.mac, intruder.mac, intruder.ip)
				intruder.known[ip] = a.now + 5*time.Minute
			})
		}
		if !a.sleep(a.between(time.Millisecond, 4*time.Millisecond)) {
			return
		}
	}
	if !a.sleep(500 * time.Millisecond) {
		return
	}
	order := a.rng.Perm(len(scannedPorts))
	port := intruder.nextPort()
	for _, i := range order {
		if !a.probe(intruder, a.works.at(intakeHost.ip[3]), port, scannedPorts[i]) || !a.sleep(a.between(2*time.Millisecond, 15*time.Millisecond)) {
			return
		}
	}
	port = intruder.nextPort()
	for last := 1; last < 255; last++ {
		ip := a.works.at(byte(last))
		if ip == intruder.ip {
			continue
		}
		if !a.probe(intruder, ip, port, modbusPort) || !a.sleep(a.between(2*time.Millisecond, 10*time.Millisecond)) {
			return
		}
	}
}

// probe sends a SYN to one port: a closed one is answered by RST, an open one by SYN and ACK, which the intruder's
// own stack, knowing of no connection, answers by RST. Where no host has the address, no answer comes to ARP and no
// SYN is sent.
func (a *actor) probe(from *host, ip [4]byte, port, target uint16) bool {
	to, ok := a.find(from, ip)
	if to == nil || !ok {
		return to == nil
	}
	seq := a.rng.Uint32()
	a.tcp(from, to, port, target, seq, 0, syn, plainSYN, nil)
	if !a.sleep(2 * a.hop()) {
		return false
	}
	if to.service != target {
		a.tcp(to, from, target, port, 0, seq+1, rst|ack, nil, nil)
		return true
	}
	a.tcp(to, from, target, port, a.rng.Uint32(), seq+1, syn|ack, to.options, nil)
	if !a.sleep(2 * a.hop()) {
		return false
	}
	a.tcp(from, to, port, target, seq+1, 0, rst, nil, nil)
	return true
}

// writeUnauthorised looks at coils and setpoints of PLC-1, then takes the stage out of control: of coils 0-9 only the
// valve's is set, so automatic control and the pump go off while the river runs in and the town's tank runs empty, and
// the level that starts the pump is put so low that it would stay off under automatic control too.
func writeUnauthorised(a *actor, intruder *host) {
	c, ok := a.dial(intruder, a.works.at(intakeHost.ip[3]), modbusPort)
	if !ok {
		return
	}
	for _, pdu := range [][]byte{
		request(readCoils, 0, coilCount),
		request(readHolding, 0, 4),
		request(readMeasured, 0, 4),
		append(request(writeCoils, 0, 10), 2, 1<<coilValve, 0),
		request(writeRegister, holdStart, 200),
		request(readCoils, 0, 10),
	} {
		if _, ok := c.ask(1, pdu...); !ok || !a.sleep(a.between(300*time.Millisecond, 1500*time.Millisecond)) {
			return
		}
	}
	c.close()
}

// manipulate drives the plant by hand for half a minute: automatic control of PLC-1 off, then the pump on and off and the
// inlet valve open and shut against each other, again and again, which no pump and no pipe is built for; in between
// PLC-2 is told to dose ten times the chlorine into what the town drinks. Before it leaves, all is left wrong.
func manipulate(a *actor, intruder *host) {
	intake, ok := a.dial(intruder, a.works.at(intakeHost.ip[3]), modbusPort)
	if !ok {
		return
	}
	treat, ok := a.dial(intruder, a.works.at(treatHost.ip[3]), modbusPort)
	if !ok {
		return
	}
	do := func(c *conn, pdu ...byte) bool {
		_, ok := c.ask(1, pdu...)
		return ok && a.sleep(a.between(400*time.Millisecond, 900*time.Millisecond))
	}
	onOff := [2]int{0, 0xff00}
	ok = do(intake, request(readCoils, 0, 4)...) && do(intake, request(writeCoil, coilAuto, 0)...)
	for i := 0; ok && i < 12; i++ {
		ok = do(intake, request(writeCoil, coilPump, onOff[i%2])...) && do(intake, request(writeCoil, coilValve, onOff[(i+1)%2])...)
		if ok && i%4 == 1 {
			ok = do(intake, request(readMeasured, 0, 8)...)
		}
		if ok && i == 5 {
			ok = do(treat, request(readHolding, 0, 8)...) && do(treat, request(writeRegister, holdDose, 10*int(a.works.run.dose))...)
		}
	}
	if ok && do(intake, request(writeCoil, coilPump, 0)...) && treat.close() {
		intake.close()
	}
}

// scanFunctions tries each function code, as one does who wants to know what the PLC can: with a well-formed request
// where the standard has the function, at an address that does not exist, so that nothing changes.
func scanFunctions(a *actor, intruder *host) {
	c, ok := a.dial(intruder, a.works.at(intakeHost.ip[3]), modbusPort)
	if !ok {
		return
	}
	for function := byte(1); function < 128; function++ {
		pdu, ok := probes[function]
		if !ok {
			pdu = []byte{0, 0, 0, 0}
		}
		if _, ok := c.ask(1, append([]byte{function}, pdu...)...); !ok || !a.sleep(a.between(20*time.Millisecond, 60*time.Millisecond)) {
			return
		}
	}
	c.close()
}

// probes are the data of well-formed requests at address 65535 (or what the function has instead).
var probes = map[byte][]byte{
	1: {0xff, 0xff, 0, 1}, 2: {0xff, 0xff, 0, 1}, 3: {0xff, 0xff, 0, 1}, 4: {0xff, 0xff, 0, 1}, 5: {0xff, 0xff, 0xff, 0}, 6: {0xff, 0xff, 0, 0},
	7: {}, 8: {0, 0, 0, 0}, 11: {}, 12: {}, 15: {0xff, 0xff, 0, 1, 1, 0}, 16: {0xff, 0xff, 0, 1, 2, 0, 0}, 17: {},
	20: {7, 6, 0, 1, 0, 0, 0, 1}, 21: {9, 6, 0, 1, 0, 0, 0, 1, 0, 0}, 22: {0xff, 0xff, 0xff, 0xff, 0, 0},
	23: {0xff, 0xff, 0, 1, 0xff, 0xff, 0, 1, 2, 0, 0}, 24: {0xff, 0xff}, 43: {14, 1, 0},
}
