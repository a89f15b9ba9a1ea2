package plant

import (
	"encoding/binary"
	"time"

	"breakwater"
)

// Options of a SYN: maximum segment size 1460, and for desktops window scale and selective acknowledgements.
var (
	plainSYN   = []byte{2, 4, 5, 0xb4}
	desktopSYN = []byte{2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}
	linuxSYN   = []byte{2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7}
)

// The hosts, by the last byte of their addresses; the network's are the plant's. The Ethernet addresses begin as those of
// real makers do, but for the intruder's, which somebody set.
var (
	intakeHost      = host{ip: last(11), mac: breakwater.MAC{0x00, 0x80, 0xf4, 0x0e, 0, 0x11}, ttl: 64, window: 8192, options: plainSYN, delayAck: 100 * time.Millisecond, service: modbusPort}
	treatHost       = host{ip: last(12), mac: breakwater.MAC{0x00, 0x80, 0xf4, 0x0e, 0, 0x12}, ttl: 64, window: 8192, options: plainSYN, delayAck: 100 * time.Millisecond, service: modbusPort}
	hmiHost         = host{ip: last(2), mac: breakwater.MAC{0x00, 0x14, 0x22, 0x5b, 0, 0x02}, ttl: 128, window: 64240, options: desktopSYN, delayAck: 50 * time.Millisecond}
	workstationHost = host{ip: last(3), mac: breakwater.MAC{0x00, 0x21, 0x9b, 0x3c, 0, 0x03}, ttl: 128, window: 64240, options: desktopSYN, delayAck: 50 * time.Millisecond}
	historianHost   = host{ip: last(5), mac: breakwater.MAC{0x00, 0x1b, 0x78, 0xd4, 0, 0x05}, ttl: 64, window: 64240, options: linuxSYN, delayAck: 40 * time.Millisecond}
	intruderHost    = host{ip: last(57), mac: breakwater.MAC{0x02, 0x1d, 0x7a, 0xe5, 0, 0x57}, ttl: 64, window: 64240, options: linuxSYN, delayAck: 40 * time.Millisecond}
)

func last(b byte) [4]byte { return [4]byte{3: b} }

const modbusPort = 502

// request makes the PDU of a function with an address and a second word: quantity or value.
func request(function byte, address, second int) []byte {
	return []byte{function, byte(address >> 8), byte(address), byte(second >> 8), byte(second)}
}

// poll is what the HMI reads each second: everything its screen shows.
var poll = [][]byte{request(readCoils, 0, 10), request(readInputs, 0, 8), request(readHolding, 0, 8), request(readMeasured, 0, 8)}

// pollAndOperate is the HMI at one PLC: over a connection that stays open it polls each second, and passes on what its
// operators do. Their first minutes hold one of each action, so that who learns from five minutes has seen them.
func pollAndOperate(a *actor, hmi, plc *host) {
	c, ok := a.dial(hmi, plc.ip, modbusPort)
	if !ok {
		return
	}
	cycle := a.now
	kinds := operations[plc.device.stage-1]
	action, next := 0, a.now+40*time.Second+time.Duration(plc.device.stage-1)*17*time.Second
	for {
		for _, pdu := range poll {
			if _, ok := c.ask(1, pdu...); !ok || !a.sleep(a.between(200*time.Microsecond, 900*time.Microsecond)) {
				return
			}
		}
		if a.now >= next {
			if _, ok := c.ask(1, kinds[action%len(kinds)](a)...); !ok {
				return
			}
			action++
			next = a.now + a.between(40*time.Second, 60*time.Second)
			if action >= len(kinds) {
				next = a.now + a.between(2*time.Minute, 6*time.Minute)
			}
		}
		cycle += time.Second
		// The poll's own clock is even; the program behind it is late by a little.
		if _, ok := a.find(hmi, plc.ip); !ok || !a.sleep(max(0, cycle-a.now)+a.between(0, 4*time.Millisecond)) {
			return
		}
	}
}

// operations are what operators do in turn at each stage, all within the plant's normal limits.
var operations = [2][]func(*actor) []byte{
	{
		func(a *actor) []byte { return request(writeRegister, holdStop, near(a.rng, a.works.run.stop, 150, 10)) },
		func(a *actor) []byte { // pump off or on by hand: automatic control takes over again at the next of the two levels
			if a.works.intake.coils[coilPump] {
				return request(writeCoil, coilPump, 0)
			}
			return request(writeCoil, coilPump, 0xff00)
		},
		func(a *actor) []byte {
			return request(writeRegister, holdValve, near(a.rng, a.works.run.inlet, 30, 10))
		},
		func(a *actor) []byte {
			return request(writeRegister, holdStart, near(a.rng, a.works.run.start, 100, 10))
		},
	},
	{
		func(a *actor) []byte { return request(writeRegister, holdDose, near(a.rng, a.works.run.dose, 6, 1)) },
		func(a *actor) []byte {
			return request(writeRegister, holdValve, near(a.rng, a.works.run.outlet, 30, 10))
		},
	},
}

// follow is PLC-1 asking PLC-2 each second how full T-201 is, by which it runs its pump.
func follow(a *actor, from, to *host) {
	c, ok := a.dial(from, to.ip, modbusPort)
	if !ok {
		return
	}
	for next := a.now; ; {
		answer, ok := c.ask(1, request(readMeasured, measuredLevel, 1)...)
		if !ok {
			return
		}
		if len(answer) == 4 {
			from.device.measured[measuredOther] = binary.BigEndian.Uint16(answer[2:])
		}
		next += time.Second
		if _, ok := a.find(from, to.ip); !ok || !a.sleep(max(0, next-a.now)) {
			return
		}
	}
}

// archive is the historian: every ten seconds it takes down what a PLC measures.
func archive(a *actor, historian, plc *host) {
	c, ok := a.dial(historian, plc.ip, modbusPort)
	if !ok {
		return
	}
	for next := a.now; ; {
		if _, ok := c.ask(1, request(readMeasured, 0, 8)...); !ok {
			return
		}
		next += 10 * time.Second
		if _, ok := a.find(historian, plc.ip); !ok || !a.sleep(max(0, next-a.now)+a.between(0, 20*time.Millisecond)) {
			return
		}
	}
}

// engineer is the workstation: now and then it connects to each PLC, asks who it is, reads all registers and leaves.
func engineer(a *actor, workstation *host, plcs ...*host) {
	for {
		for _, plc := range plcs {
			c, ok := a.dial(workstation, plc.ip, modbusPort)
			if !ok {
				return
			}
			for _, pdu := range [][]byte{{identify, 14, 1, 0}, request(readHolding, 0, holdCount), request(readMeasured, 0, measuredCount), request(readCoils, 0, coilCount)} {
				if _, ok := c.ask(1, pdu...); !ok || !a.sleep(a.between(50*time.Millisecond, 800*time.Millisecond)) {
					return
				}
			}
			if !c.close() || !a.sleep(a.between(2*time.Second, 6*time.Second)) {
				return
			}
		}
		if !a.sleep(a.between(4*time.Minute, 9*time.Minute)) {
			return
		}
	}
}

// ping is the workstation looking whether the PLC is there, four times a second apart, now and then.
func ping(a *actor, from, plc *host) {
	for number := uint16(1); ; {
		if _, ok := a.find(from, plc.ip); !ok {
			return
		}
		for range 4 {
			a.echo(from, plc, 8, 1, number)
			if !a.sleep(a.hop() + a.between(100*time.Microsecond, 400*time.Microsecond)) {
				return
			}
			a.echo(plc, from, 0, 1, number)
			if number++; !a.sleep(time.Second) {
				return
			}
		}
		if !a.sleep(a.between(3*time.Minute, 5*time.Minute)) {
			return
		}
	}
}

// resolve is the workstation asking the historian, which is the name server too, for names (RFC 1035).
func resolve(a *actor, from, server *host) {
	names := []string{"historian", "plc-1", "hmi", "plc-2"}
	addresses := [][4]byte{a.works.at(5), a.works.at(11), a.works.at(2), a.works.at(12)}
	for {
		for i, name := range names {
			if _, ok := a.find(from, server.ip); !ok {
				return
			}
			id := uint16(a.rng.Uint32())
			query := binary.BigEndian.AppendUint16(nil, id)
			query = append(query, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0) // recursion desired; one question
			for _, label := range []string{name, "plant", "example"} {
				query = append(append(query, byte(len(label))), label...)
			}
			query = append(query, 0, 0, 1, 0, 1) // A, IN
			port := from.nextPort()
			a.udp(from, server, port, 53, query)
			if !a.sleep(a.hop() + a.between(150*time.Microsecond, 900*time.Microsecond)) {
				return
			}
			answer := append([]byte{}, query...)
			answer[2], answer[3], answer[7] = 0x85, 0x80, 1                       // response, authoritative; one answer
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4) // that name, A, IN, one hour, 4 bytes
			a.udp(server, from, 53, port, append(answer, addresses[i][:]...))
			if !a.sleep(a.between(20*time.Second, 60*time.Second)) {
				return
			}
		}
	}
}

// keepTime is a host asking the historian for the time every 64 s (NTP version 4, RFC 5905).
func keepTime(a *actor, from, server *host) {
	for {
		if _, ok := a.find(from, server.ip); !ok {
			return
		}
		ask := make([]byte, 48)
		ask[0], ask[2], ask[3] = 0x23, 6, 0xec // version 4, client; poll 2^6 s, precision 2^-20 s
		sent := a.ntp(a.now)
		binary.BigEndian.PutUint64(ask[40:], sent)
		a.udp(from, server, 123, 123, ask)
		if !a.sleep(a.hop() + a.between(60*time.Microsecond, 200*time.Microsecond)) {
			return
		}
		tell := append([]byte{}, ask...)
		tell[0], tell[1], tell[11] = 0x24, 2, 0x40 // server of stratum 2; root dispersion 1 ms
		copy(tell[12:], []byte{127, 0, 0, 1})
		binary.BigEndian.PutUint64(tell[16:], a.ntp(a.now-20*time.Second))
		binary.BigEndian.PutUint64(tell[24:], sent)
		binary.BigEndian.PutUint64(tell[32:], a.ntp(a.now-20*time.Microsecond))
		binary.BigEndian.PutUint64(tell[40:], a.ntp(a.now))
		a.udp(server, from, 123, 123, tell)
		if !a.sleep(64*time.Second + a.between(0, time.Second)) {
			return
		}
	}
}

// ntp is a time as NTP counts: seconds since 1900, and their fraction, 32 bits each.
func (n *network) ntp(since time.Duration) uint64 {
	t := n.start.Add(since)
	const from1900To1970 = 2208988800
	return uint64(t.Unix()+from1900To1970)<<32 | uint64(t.Nanosecond())<<32/1e9
}
