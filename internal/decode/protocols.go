package decode

import "breakwater"

// protocol is one application protocol: where it is expected and how it is read.
type protocol struct {
	name breakwater.Protocol
	tcp  []uint16 // server ports
	udp  []uint16
	// stream makes the reader of one TCP connection; datagram reads the payload of one UDP datagram (cut: its end was
	// not captured) and reports whether it was this protocol.
	stream   func() stream
	datagram func(d *Decoder, payload []byte, cut bool) bool
}

// protocols is what is decoded above TCP and UDP. A new protocol is a file and a row here.
var protocols = []protocol{
	{name: breakwater.Modbus, tcp: []uint16{502}, stream: newModbus},
	{name: breakwater.DNS, tcp: []uint16{53}, udp: []uint16{53, 5353, 5355}, stream: newDNS, datagram: (*Decoder).dnsDatagram},
}

// stream reads one TCP connection's bytes, both directions, without holes but for those it is told of.
//
// Only connections whose server port has a stream buffer anything at all.
type stream interface {
	// read takes the bytes that come next from one side. False says that this is not the protocol: the connection is
	// plain TCP from then on. The bytes are the caller's again afterwards.
	read(d *Decoder, c *conn, from side, b []byte) bool
	// gap says that bytes of that side are missing before what read is given next, if anything.
	gap(d *Decoder, c *conn, from side)
}

// tcpPorts and udpPorts find a protocol by its server port. Flat arrays: they are asked for every packet.
var tcpPorts, udpPorts = byPort()

func byPort() (tcp, udp *[1 << 16]uint8) {
	tcp, udp = new([1 << 16]uint8), new([1 << 16]uint8)
	for i, p := range protocols {
		for _, port := range p.tcp {
			tcp[port] = uint8(i + 1)
		}
		for _, port := range p.udp {
			udp[port] = uint8(i + 1)
		}
	}
	return tcp, udp
}

// serverFirst guesses, where a conversation's beginning was not seen, whether its server is the sender: the side
// with a port of the protocols we know, else the side with the lower port.
func serverFirst(ports *[1 << 16]uint8, src, dst uint16) bool {
	if s, d := ports[src] != 0, ports[dst] != 0; s != d {
		return s
	}
	return src < dst
}
