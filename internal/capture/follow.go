package capture

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"breakwater"
)

const (
	growPoll = 200 * time.Millisecond // how often a file at whose end we are is looked at again
	listPoll = time.Second            // how often the folder is looked at for new files
)

// Follow is a folder into which another program rotates captures (tcpdump -G or -C, best with -U; dumpcap -b): it
// yields what is there and then what comes, until ctx ends.
//
// Files are taken in the order of their first packets, so names do not matter, nor that a file taken is compressed,
// renamed or overwritten in a ring. A file is done when a later one has a packet; the last is read as it grows
// (through gzip: when it has stopped growing). A file that begins no later than the one at hand was taken or came too
// late, and is left out. Files that are no captures are left out too.
//
// Once a packet has come that is fresh, each second of silence yields a tick, of wall time less one second: what
// was captured in the last second may not be in the file yet. An error tells of one file, and the next one follows;
// only a folder that cannot be read ends it.
func Follow(ctx context.Context, dir string) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		f := follower{dir: dir, known: map[string]listed{}}
		defer f.close()
		var moved, looked time.Time // when a packet or tick was last yielded; when the folder was last looked at
		for ctx.Err() == nil {
			var next *listed
			if now := time.Now(); f.cur == nil || now.Sub(looked) >= listPoll {
				looked = now
				var bad []error
				var err error
				if next, bad, err = f.look(now); err != nil {
					yield(breakwater.Packet{}, err)
					return
				}
				for _, err := range bad {
					if !yield(breakwater.Packet{}, err) {
						return
					}
				}
			}
			// The order matters: what the listing calls done is read to its end once more, and only then left.
			for f.cur != nil && ctx.Err() == nil {
				var p breakwater.Packet
				err := f.cur.next(&p)
				waiting := err == io.EOF || err == io.ErrUnexpectedEOF && next == nil && !f.cur.gzip
				if waiting {
					break
				}
				if err != nil {
					err = f.cur.explain(err)
					f.close()
				} else {
					moved = time.Now()
					f.live = f.live || moved.Sub(p.Time) < time.Minute
					f.last = p.Time
				}
				if !yield(p, err) {
					return
				}
			}
			if next != nil {
				if err := f.open(next); err != nil && !yield(breakwater.Packet{}, err) {
					return
				}
				looked = time.Time{} // a later file may be there already, which makes this one done
				continue
			}
			if now := time.Now(); f.live && now.Sub(moved) >= time.Second {
				moved = now
				if t := now.Add(-time.Second).UTC(); t.After(f.last) {
					f.last = t
					if !yield(breakwater.Packet{Time: t}, nil) {
						return
					}
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(growPoll):
			}
		}
	}
}

// follower is where Follow stands.
type follower struct {
	dir   string
	known map[string]listed // by path, of the last listing
	at    time.Time         // first packet of the newest file taken
	cur   *reader
	file  *os.File
	last  time.Time // of the last packet or tick
	live  bool      // the folder's packets are of now, so wall time may move time
}

// listed is what is known of a file in the folder.
type listed struct {
	file
	size     int64
	modified time.Time
	gzip     bool
	told     bool // that it is broken
}

// look lists the folder and returns the earliest file that begins after the newest one taken, nil where there is
// none, and an error for each capture newly found to be broken before its first packet.
func (f *follower) look(now time.Time) (next *listed, bad []error, err error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, nil, unavailable(f.dir, err)
	}
	known := make(map[string]listed, len(entries))
	var newest time.Time
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // gone already, or no file
		}
		l, ok := f.known[path]
		if !ok || l.size != info.Size() || !l.modified.Equal(info.ModTime()) {
			l = listed{file: file{path: path}, size: info.Size(), modified: info.ModTime(), told: f.known[path].told}
			first, zipped, err := firstPacket(path)
			l.first, l.gzip = first, zipped
			if err != nil && err != errNoCapture && !f.known[path].told {
				l.told = true
				bad = append(bad, err)
			}
		}
		known[path] = l
		if l.first.IsZero() || !l.first.After(f.at) {
			continue
		}
		if l.first.After(newest) {
			newest = l.first
		}
		// Of one capture that is there twice, plain and compressed, the plain one is whole.
		if next == nil || l.first.Before(next.first) || l.first.Equal(next.first) && next.gzip && !l.gzip {
			next = &l
		}
	}
	f.known = known
	if next != nil && next.gzip && next.first.Equal(newest) && now.Sub(next.modified) < 2*listPoll {
		next = nil // it may still grow
	}
	return next, bad, nil
}

func (f *follower) open(l *listed) error {
	f.close()
	f.at = l.first
	in, err := os.Open(l.path)
	if err != nil {
		return unavailable(l.path, err)
	}
	r, err := newReader(in, l.path)
	if err != nil {
		in.Close()
		return r.explain(err)
	}
	f.cur, f.file = r, in
	return nil
}

func (f *follower) close() {
	if f.cur != nil {
		f.file.Close()
		f.cur, f.file = nil, nil
	}
}
