package capture

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"breakwater"
)

// following runs Follow in a bubble of its own time and collects what it yields.
type following struct {
	t       *testing.T
	dir     string
	packets []breakwater.Packet
	ticks   []time.Time
	errs    []error
	stop    context.CancelFunc
	ended   chan struct{}
}

func follow(t *testing.T, dir string) *following {
	ctx, stop := context.WithCancel(context.Background())
	f := &following{t: t, dir: dir, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for p, err := range Follow(ctx, dir) {
			switch {
			case err != nil:
				f.errs = append(f.errs, err)
			case p.Tick():
				f.ticks = append(f.ticks, p.Time)
			default:
				p.Data = bytes.Clone(p.Data)
				f.packets = append(f.packets, p)
			}
		}
	}()
	return f
}

// put appends to a file of the folder and gives it the bubble's time.
func (f *following) put(name string, b []byte) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	file.Write(b)
	file.Close()
	os.Chtimes(path, time.Now(), time.Now())
}

// wait lets bubble time pass and everything in it come to rest.
func (f *following) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *following) want(ps []breakwater.Packet, errs ...string) {
	f.t.Helper()
	equal(f.t, f.packets, ps)
	if len(f.errs) != len(errs) {
		f.t.Fatalf("errors %v, want %v", f.errs, errs)
	}
	for i, e := range errs {
		if !strings.Contains(f.errs[i].Error(), e) {
			f.t.Errorf("error %v, want … %s", f.errs[i], e)
		}
	}
}

func TestFollowRotation(t *testing.T) {
	for _, format := range []Format{PCAP, PCAPNG} {
		synctest.Test(t, func(t *testing.T) {
			ps := packetsOf(8, time.Now().UTC())
			f := follow(t, t.TempDir())
			f.put("notes.txt", []byte("not a capture"))
			f.wait(5 * time.Second)
			f.want(nil)

			// A file that grows: byte by byte up to the middle of a packet, then the rest.
			first := write(t, format, ps[:3]...)
			half := len(write(t, format, ps[:2]...)) + 30
			for i := range half {
				f.put("z_1", first[i:i+1])
			}
			f.wait(2 * time.Second)
			f.want(ps[:2])
			f.put("z_1", first[half:])
			f.wait(time.Second)
			f.want(ps[:3])

			// The next one makes it done; its name sorts before. An empty one behind does not matter yet.
			second := write(t, format, ps[3:6]...)
			f.put("a_2", second[:len(second)-20])
			f.put("b_3", nil)
			f.wait(2 * time.Second)
			f.want(ps[:5])
			f.put("a_2", second[len(second)-20:])
			f.put("b_3", write(t, format, ps[6]))
			f.wait(2 * time.Second)
			f.want(ps[:7])

			// What was read is compressed, renamed and removed; a ring begins the first name anew.
			f.put("a_2.gz", zip(second))
			os.Rename(filepath.Join(f.dir, "z_1"), filepath.Join(f.dir, "old"))
			os.Remove(filepath.Join(f.dir, "a_2"))
			f.put("z_1", write(t, format, ps[7]))
			f.wait(5 * time.Second)
			f.want(ps)

			f.stop()
			<-f.ended
			f.want(ps)
		})
	}
}

// TestFollowBacklog finds many files at once: they are read in order without waiting, a cut one up to its cut.
func TestFollowBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := packetsOf(40, time.Now().Add(-time.Hour).UTC())
		dir := t.TempDir()
		f := &following{t: t, dir: dir}
		for i := range 20 {
			b := write(t, PCAPNG, ps[2*i:2*i+2]...)
			switch i {
			case 7:
				b = b[:len(b)-20]
			case 9, 19:
				b = zip(b)
			}
			f.put(string(rune('z'-i)), b)
		}
		f = follow(t, dir)
		synctest.Wait()
		want := append(append([]breakwater.Packet{}, ps[:15]...), ps[16:38]...)
		f.want(want, "s: packet 2 ")
		f.wait(10 * time.Second) // the last is compressed: complete once it has stopped growing
		f.want(append(want, ps[38:]...), "s: packet 2 ")
		if len(f.ticks) > 0 {
			t.Errorf("ticks %v after packets that are an hour old", f.ticks)
		}
		f.stop()
		<-f.ended
	})
}

func TestFollowTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, t.TempDir())
		begin := time.Now()
		w := func(offset time.Duration) []byte {
			return write(t, PCAP, breakwater.Packet{Time: begin.Add(offset).UTC(), Link: 1, Data: []byte("data"), Length: 4})
		}
		f.put("a", w(0))
		f.wait(5 * time.Second)
		if n := len(f.ticks); n < 3 || n > 5 {
			t.Errorf("%d ticks in 5 s of silence", n)
		}
		for i, at := range f.ticks {
			if i > 0 && !at.After(f.ticks[i-1]) || at.After(time.Now().Add(-time.Second)) {
				t.Errorf("tick %d at %v, now %v", i, at, time.Now())
			}
		}
		f.put("a", w(5 * time.Second)[24:])
		f.wait(500 * time.Millisecond)
		if len(f.packets) != 2 {
			t.Errorf("%d packets, want 2", len(f.packets))
		}
		f.stop()
		<-f.ended
	})
}

func TestFollowErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, filepath.Join(t.TempDir(), "nowhere"))
		<-f.ended // by itself
		f.want(nil, "nowhere: there is no such file")

		ps := packetsOf(3, time.Now().UTC())
		f = follow(t, t.TempDir())
		usb := write(t, PCAP, ps[0])
		usb[20] = 189
		f.put("usb", usb)
		broken := write(t, PCAP, ps[:2]...)
		broken[24+16+60+11] = 0xff // the second packet claims gigabytes
		f.put("broken", broken)
		f.wait(3 * time.Second)
		f.want(ps[:1], "usb: its link type 189 (USB)", "broken: packet 2 ")
		f.put("usb", []byte("grows")) // is not told again
		f.put("good", write(t, PCAP, ps[2]))
		f.wait(3 * time.Second)
		f.want([]breakwater.Packet{ps[0], ps[2]}, "usb", "broken")
		f.stop()
		<-f.ended
	})
}

func TestFollowLeftEarly(t *testing.T) {
	dir := t.TempDir()
	(&following{t: t, dir: dir}).put("a", write(t, PCAP, packetsOf(5, start)...))
	before := openFiles(t)
	for range Follow(context.Background(), dir) {
		break
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

// openFiles counts the open files of this process.
func openFiles(t *testing.T) int {
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here to count open files")
	}
	return len(e)
}
