package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"breakwater"
)

// Live taps an interface with a packet socket (needs CAP_NET_RAW), promiscuously, and yields what it sees until ctx
// ends; each second of silence yields a tick with wall time. A VLAN tag that the kernel took off is put back. Packets
// that the kernel had to drop are logged, once a second at most. An error ends it.
func Live(ctx context.Context, iface string) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		t, err := openTap(iface)
		if err != nil {
			yield(breakwater.Packet{}, err)
			return
		}
		defer t.file.Close()
		defer context.AfterFunc(ctx, func() { t.file.SetReadDeadline(time.Unix(1, 0)) })()
		reported := time.Now()
		for {
			t.file.SetReadDeadline(time.Now().Add(time.Second))
			// A cancellation between the last look at ctx and the deadline above would be overwritten by it.
			if ctx.Err() != nil {
				return
			}
			p, ok, err := t.read()
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, os.ErrDeadlineExceeded):
				p, ok = breakwater.Packet{Time: time.Now().UTC(), Link: t.link}, true
			case err != nil:
				yield(breakwater.Packet{}, &breakwater.Error{Kind: breakwater.Unavailable, Message: "interface " + iface + ": reading stopped", Err: err})
				return
			}
			if ok && p.Time.Sub(reported) >= time.Second {
				reported = p.Time
				t.reportDrops(iface)
			}
			if ok && !yield(p, nil) {
				return
			}
		}
	}
}

// tap is an open packet socket. What the kernel fills in at each read lies here, so that reading allocates nothing.
type tap struct {
	file     *os.File
	conn     syscall.RawConn
	link     breakwater.LinkType
	loopback bool

	// buf begins with room for a VLAN tag, so that only the two addresses move when one is put back.
	buf     [vlanTag + MaxPacket]byte
	control [128]byte
	from    unix.RawSockaddrLinklayer
	vector  unix.Iovec
	message unix.Msghdr
	n       uintptr
	errno   syscall.Errno
	recv    func(fd uintptr) bool
}

const vlanTag = 4

func openTap(name string) (*tap, error) {
	fail := func(what string, err error) (*tap, error) {
		return nil, &breakwater.Error{Kind: breakwater.Unavailable, Field: "iface", Message: "interface " + name + ": " + what, Err: err}
	}
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return fail("there is no such interface; ip link lists them", nil)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if errors.Is(err, unix.EPERM) {
		return fail("no permission to capture; run as root or with setcap cap_net_raw+ep on the program", nil)
	}
	if err != nil {
		return fail("a packet socket cannot be opened", err)
	}
	t := &tap{file: os.NewFile(uintptr(fd), "packet socket of "+name)}
	if err := t.set(fd, iface); err != nil {
		t.file.Close()
		return fail("the packet socket cannot be set up", err)
	}
	if t.conn, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return fail("the packet socket cannot be set up", err)
	}
	t.vector.Base = &t.buf[vlanTag]
	t.vector.SetLen(MaxPacket)
	t.recv = func(fd uintptr) bool {
		t.message = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&t.from)), Namelen: unix.SizeofSockaddrLinklayer, Iov: &t.vector, Iovlen: 1, Control: &t.control[0]}
		t.message.SetControllen(len(t.control))
		// MSG_TRUNC: the result is the packet's length even where it was cut.
		t.n, _, t.errno = syscall.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&t.message)), unix.MSG_TRUNC)
		return t.errno != unix.EAGAIN
	}
	return t, nil
}

// set binds the socket. The protocol is given only here, so that nothing of other interfaces comes in before.
func (t *tap) set(fd int, iface *net.Interface) error {
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	// Optional: a large queue rides out bursts; without auxiliary data there are no VLAN tags, without time stamps
	// the time of reading stands in.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: iface.Index}); err != nil {
		return err
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	hardware := uint16(0)
	if ll, ok := sa.(*unix.SockaddrLinklayer); ok {
		hardware = ll.Hatype
	}
	switch hardware {
	case unix.ARPHRD_ETHER:
		t.link = breakwater.LinkEthernet
	case unix.ARPHRD_LOOPBACK:
		t.link, t.loopback = breakwater.LinkEthernet, true
	case unix.ARPHRD_NONE, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT:
		t.link = breakwater.LinkRaw
	default:
		return fmt.Errorf("its hardware type %d is neither Ethernet nor raw IP", hardware)
	}
	err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(iface.Index), Type: unix.PACKET_MR_PROMISC})
	if t.loopback {
		err = nil
	}
	return err
}

// read waits for one packet; not ok where what came is none to hand on.
func (t *tap) read() (p breakwater.Packet, ok bool, err error) {
	if err := t.conn.Read(t.recv); err != nil {
		return p, false, err
	}
	switch t.errno {
	case 0:
	case unix.EINTR, unix.ENETDOWN: // down: the interface may come up again
		return p, false, nil
	default:
		return p, false, t.errno
	}
	// The loopback interface shows each packet twice, going out and coming in.
	if t.loopback && t.from.Pkttype == unix.PACKET_OUTGOING {
		return p, false, nil
	}
	data := t.buf[vlanTag : vlanTag+min(int(t.n), MaxPacket)]
	length := int(t.n)
	for control := t.control[:t.message.Controllen]; len(control) >= unix.SizeofCmsghdr; {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		value := control[unix.CmsgLen(0):]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(value) >= int(unsafe.Sizeof(unix.Timespec{})):
			p.Time = time.Unix((*unix.Timespec)(unsafe.Pointer(&value[0])).Unix()).UTC()
		case h.Level == unix.SOL_PACKET && h.Type == unix.PACKET_AUXDATA && len(value) >= int(unsafe.Sizeof(unix.TpacketAuxdata{})):
			aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&value[0]))
			if aux.Status&unix.TP_STATUS_VLAN_VALID == 0 || len(data) < 12 {
				break
			}
			tpid := uint16(unix.ETH_P_8021Q)
			if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
				tpid = aux.Vlan_tpid
			}
			data = t.buf[:vlanTag+len(data)]
			copy(data, data[vlanTag:vlanTag+12])
			binary.BigEndian.PutUint16(data[12:], tpid)
			binary.BigEndian.PutUint16(data[14:], aux.Vlan_tci)
			length += vlanTag
		}
		next := unix.CmsgSpace(int(h.Len) - unix.CmsgLen(0))
		if int(h.Len) < unix.CmsgLen(0) || next > len(control) {
			break
		}
		control = control[next:]
	}
	if p.Time.IsZero() {
		p.Time = time.Now().UTC()
	}
	p.Link, p.Data, p.Length = t.link, data[:min(len(data), MaxPacket)], length
	return p, true, nil
}

// reportDrops logs how many packets the kernel dropped since it was last asked.
func (t *tap) reportDrops(name string) {
	t.conn.Control(func(fd uintptr) {
		s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil && s.Drops > 0 {
			slog.Warn("packets were lost: the sensor does not keep up with the interface", "iface", name, "lost", s.Drops)
		}
	})
}
