package plant

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"breakwater"
)

// live starts a plant.
func live(t *testing.T) *Live {
	t.Helper()
	l, err := Listen(Options{Facility: "demo-riverside", Seed: 12}, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

func dial(t *testing.T, at net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// asked sends a PDU and gives the answer's.
func asked(t *testing.T, c net.Conn, pdu string) []byte {
	t.Helper()
	if _, err := c.Write(adu(1, pdu)); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[4:])-1)
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	if head[0] != 0x12 || head[1] != 0x34 || head[6] != 1 {
		t.Errorf("% x answers another request", head)
	}
	return body
}

// The PLCs answer over sockets, time goes on in them, and what is written has its effect on the water.
func TestLive(t *testing.T) {
	t.Parallel()
	l := live(t)
	one, two, other := dial(t, l.PLC1), dial(t, l.PLC2), dial(t, l.PLC1)
	for name, c := range map[string]struct {
		conn net.Conn
		want string
	}{"PLC-1": {one, "BW-TANK-1"}, "PLC-2": {two, "BW-DOSE-2"}} {
		if got := asked(t, c.conn, "2b 0e 01 00"); !bytes.Contains(got, []byte(c.want)) {
			t.Errorf("%s says it is %q", name, got)
		}
	}
	if got := asked(t, one, "03 0000 0005"); hex.EncodeToString(got) != "030a"+hex.EncodeToString([]byte{0xc, 0x1c, 7, 0x6c, 3, 0x5c, 6, 0xa4, 0xb, 0xea}) {
		t.Errorf("setpoints % x", got)
	}
	if got := asked(t, one, "03 00ff 0001"); hex.EncodeToString(got) != "8302" {
		t.Errorf("an address that is not there: % x", got)
	}
	word := func(c net.Conn, address string) uint16 {
		return binary.BigEndian.Uint16(asked(t, c, "04 "+address+" 0001")[2:])
	}
	until := func(what string, happened func() bool) {
		t.Helper()
		for began := time.Now(); !happened(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%s: not within 20 s", what)
			}
		}
	}
	beat := word(two, "0006")
	until("a second passes", func() bool { return word(two, "0006") != beat })
	until("PLC-1 knows the level of T-201", func() bool {
		a, b := word(one, "0007"), word(two, "0000")
		return a+100 > b && b+100 > a && b > 1000
	})
	if got := asked(t, one, "0f 0000 0003 01 02"); hex.EncodeToString(got) != "0f00000003" { // automatic control and pump off, inlet open
		t.Errorf("a write: % x", got)
	}
	until("the pump stops", func() bool { return word(other, "0005") < 5 && word(other, "0002") == 0 })
}

// What is no Modbus is cut off and harms nobody else; more clients than a PLC holds are turned away until one leaves.
func TestLiveHostile(t *testing.T) {
	t.Parallel()
	l := live(t)
	calm := dial(t, l.PLC1)
	for name, bytes := range map[string]string{
		"another protocol": "GET / HTTP/1.1\r\n\r\n", "a length of nothing": "\x00\x01\x00\x00\x00\x00\x01\x07\x07", "a long one": "\x00\x01\x00\x00\xff\xff\x01\x03",
		"protocol 1": "\x00\x01\x00\x01\x00\x06\x01\x03\x00\x00\x00\x01",
	} {
		c := dial(t, l.PLC1)
		if _, err := io.WriteString(c, bytes); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s is answered", name)
		}
	}
	half := dial(t, l.PLC1) // a request that comes in two halves
	whole := adu(1, "04 0000 0001")
	for _, part := range [][]byte{whole[:5], whole[5:]} {
		if _, err := half.Write(part); err != nil {
			t.Fatal(err)
		}
		asked(t, calm, "01 0000 0003") // meanwhile
	}
	if _, err := io.ReadFull(half, make([]byte, 11)); err != nil {
		t.Error(err)
	}
	var many []net.Conn
	refused := func() bool {
		c := dial(t, l.PLC2)
		if _, err := c.Write(whole); err == nil {
			if _, err = c.Read(make([]byte, 1)); err == nil {
				many = append(many, c)
				return false
			}
		}
		return true
	}
	for range mostClients {
		if refused() {
			t.Fatalf("client %d is turned away", len(many)+1)
		}
	}
	if !refused() {
		t.Errorf("%d clients at once", len(many))
	}
	many[0].Close()
	for began := time.Now(); refused(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("the place of one who left is not given to another")
		}
	}
}

// What cannot be switched on says why, and leaves no port taken.
func TestListenRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	for name, c := range map[string]struct {
		o    Options
		port int
		kind breakwater.ErrorKind
	}{
		"no plant": {Options{Facility: "north"}, 0, breakwater.Invalid}, "no port": {Options{}, 65535, breakwater.Invalid}, "a negative port": {Options{}, -1, breakwater.Invalid},
		"a port that is taken": {Options{}, port, breakwater.Unavailable}, "the next one taken": {Options{}, port - 1, breakwater.Unavailable},
	} {
		_, err := Listen(c.o, c.port)
		if breakwater.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
		if c.port == port-1 && strings.Contains(err.Error(), ":"+strconv.Itoa(port)+":") { // PLC-1 had its port
			free, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(c.port))
			if err != nil {
				t.Fatalf("%s: PLC-1 keeps its port: %v", name, err)
			}
			free.Close()
		}
	}
}
