// Package capture gives packets in order of time, whatever they come from:
//
//	file, folder, stream ─► Open, NewReader ─┐
//	folder being rotated ─► Follow ──────────┼─► iter.Seq2[breakwater.Packet, error]
//	interface ────────────► Live ────────────┘
//	                                 Writer ─► pcapng, pcap
//
// It knows the capture formats (classic pcap and pcapng, each also gzip'ed), how programs rotate captures, and
// Linux packet sockets. It hides them: who ranges over the packets cannot tell one source from another.
//
// Input is hostile. Nothing a file claims makes the reader allocate: it owns one buffer of fixed size, packets over
// MaxPacket are refused, and what is skipped is skipped as it streams by. Packets are handed on in the order of the
// file; within one file that is the order in which its writer saw them.
//
// A Packet's Data lies in the reader's buffer: it is valid until the next packet is asked for.
package capture

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"breakwater"
)

// MaxPacket is the most bytes one packet may have: what tcpdump and Wireshark hold to be possible.
const MaxPacket = 256 << 10

// Source is packets from somewhere: a file, a folder of rotating files, standard input.
type Source struct {
	files []file
	read  atomic.Int64
	total int64
	cur   *reader // opened before Packets began, so that what is no capture is said at once
	file  io.Closer
}

// file is a capture on disk, and when it begins. The zero time means that it holds no packet, or a broken one.
type file struct {
	path  string
	first time.Time
}

// Open opens what path names: "-" is standard input; a folder is all captures right in it, in the order of their
// first packets (files that are no captures are left out); anything else is one capture file.
//
// The error is Invalid where there is no capture, Unavailable where there is no file or no permission.
func Open(path string) (*Source, error) {
	if path == "-" {
		return NewReader(os.Stdin, "standard input")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unavailable(path, err)
	}
	if info.IsDir() {
		return openFolder(path)
	}
	s := &Source{files: []file{{path: path}}}
	if info.Mode().IsRegular() {
		s.total = info.Size()
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func openFolder(dir string) (*Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unavailable(dir, err)
	}
	s := &Source{}
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		first, _, err := firstPacket(path)
		switch {
		case err == errNoCapture:
			continue
		case breakwater.KindOf(err) == breakwater.Unavailable:
			return nil, err
		}
		s.files = append(s.files, file{path, first})
		s.total += info.Size()
	}
	if len(s.files) == 0 {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: dir + ": no pcap or pcapng file lies in this folder"}
	}
	// ReadDir sorts by name, and so files of one time stay in the order of their names.
	slices.SortStableFunc(s.files, func(a, b file) int { return a.first.Compare(b.first) })
	return s, nil
}

// firstPacket is the time of the file's first packet, zero where it has none (yet), and whether it is gzip'ed. The
// error is errNoCapture where the file does not begin as a capture does.
func firstPacket(path string) (first time.Time, zipped bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}, false, unavailable(path, err)
	}
	defer f.Close()
	r, err := newReader(f, path)
	var p breakwater.Packet
	if err == nil {
		err = r.next(&p)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return time.Time{}, r.gzip, nil
	}
	if err != nil && err != errNoCapture {
		err = r.explain(err)
	}
	return p.Time, r.gzip, err
}

// NewReader reads a capture from any stream; name stands for it in messages. It waits for the stream's first bytes,
// and says at once where they are no capture. Each packet is handed on as soon as its bytes have come.
func NewReader(r io.Reader, name string) (*Source, error) {
	s := &Source{}
	var err error
	if s.cur, err = newReader(&counter{r, &s.read}, name); err != nil {
		return nil, s.cur.explain(err)
	}
	return s, nil
}

// Packets is all packets of the source. It can be ranged over once; leaving the loop closes the source. An error
// ends its file: it comes after the file's last whole packet, and in a folder the next file follows it.
func (s *Source) Packets() iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		defer s.Close()
		for {
			if s.cur == nil {
				if len(s.files) == 0 {
					return
				}
				if err := s.open(); err != nil {
					if !yield(breakwater.Packet{}, err) {
						return
					}
					continue
				}
			}
			for {
				var p breakwater.Packet
				err := s.cur.next(&p)
				if err == io.EOF {
					break
				}
				if err != nil {
					if !yield(breakwater.Packet{}, s.cur.explain(err)) {
						return
					}
					break
				}
				if !yield(p, nil) {
					return
				}
			}
			s.closeFile()
		}
	}
}

// open opens the next of the source's files.
func (s *Source) open() error {
	path := s.files[0].path
	s.files = s.files[1:]
	f, err := os.Open(path)
	if err != nil {
		return unavailable(path, err)
	}
	r, err := newReader(&counter{f, &s.read}, path)
	if err != nil {
		f.Close()
		return r.explain(err)
	}
	s.cur, s.file = r, f
	return nil
}

func (s *Source) closeFile() error {
	s.cur = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// Progress is how many bytes of the input (compressed, where it is) were read, and how many there are: 0 where that
// is not known. It may be called while the packets are ranged over.
func (s *Source) Progress() (read, total int64) { return s.read.Load(), s.total }

// Close closes what Open opened. A stream given to NewReader stays its owner's.
func (s *Source) Close() error {
	s.files = nil
	return s.closeFile()
}

// counter counts the bytes that are read through it.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// unavailable says that a file cannot be had, without the system call that found it out.
func unavailable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: path + ": there is no such file"}
	case errors.Is(err, fs.ErrPermission):
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: path + ": no permission to read it"}
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return &breakwater.Error{Kind: breakwater.Unavailable, Message: path + ": it cannot be read", Err: err}
}
