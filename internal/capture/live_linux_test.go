package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"breakwater"
)

// canCapture skips where packet sockets are not allowed.
func canCapture(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if errors.Is(err, unix.EPERM) {
		t.Skip("no CAP_NET_RAW here")
	}
	if err != nil {
		t.Skip("no packet sockets here: ", err)
	}
	unix.Close(fd)
}

// TestLive sends datagrams over lo and finds each of them once, as an Ethernet frame.
func TestLive(t *testing.T) {
	canCapture(t)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	sent, came := 0, 0
	mark := []byte("breakwater live test ")
	send := func() {
		sent++
		conn.WriteTo(append(bytes.Clone(mark), byte(sent)), conn.LocalAddr())
	}
	for p, err := range Live(ctx, "lo") {
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(p.Time); age < -time.Second || age > 10*time.Second {
			t.Fatalf("a packet %v old", age)
		}
		if p.Tick() && sent == 0 {
			send() // the tap is open
		}
		i := bytes.Index(p.Data, mark)
		if i < 0 {
			if sent == 0 {
				send()
			}
			continue
		}
		came++
		if p.Link != breakwater.LinkEthernet || binary.BigEndian.Uint16(p.Data[12:]) != unix.ETH_P_IP || p.Length != len(p.Data) || i != 14+20+8 {
			t.Errorf("%d bytes of %d, link %d, mark at %d", len(p.Data), p.Length, p.Link, i)
		}
		if got := int(p.Data[i+len(mark)]); got != came {
			t.Fatalf("datagram %d came as number %d", got, came)
		}
		if came == 3 {
			return
		}
		send()
	}
	t.Fatalf("%d of %d datagrams came", came, sent)
}

func TestLiveEnds(t *testing.T) {
	canCapture(t)
	before := openFiles(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		var last error
		for _, err := range Live(ctx, "lo") {
			last = err
		}
		ended <- last
	}()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on after its context ended")
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

func TestLiveErrors(t *testing.T) {
	t.Parallel()
	n := 0
	for _, err := range Live(context.Background(), "nosuch0") {
		n++
		if breakwater.KindOf(err) != breakwater.Unavailable || !strings.Contains(err.Error(), "nosuch0: there is no such interface") {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d errors, want one", n)
	}
}
