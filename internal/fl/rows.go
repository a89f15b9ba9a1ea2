package fl

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"breakwater"
	"breakwater/internal/ml"
)

// A row log is two files of records of fixed size, the older one half of what is kept. A record is 80 bytes, little-endian:
// 8 of time (Unix nanoseconds), 4 of kind, 64 of eight float64 (a window's features; of a detection the first is its
// severity's rank), 4 of CRC-32 of what is before. One that is not whole is passed over.
const (
	recordSize   = 80
	windowRecord = 1
	foundRecord  = 2
	newerRows    = "rows.new"
	olderRows    = "rows.old"
	// halfRows is how many records a file has at most: 12 hours of seconds, and as many detections.
	halfRows = 2 * 12 * 3600
)

// Rows keeps what a sensor saw, on disk: as much of the newest Span as it needs to train on. Its methods may be called at the
// same time.
type Rows struct {
	dir string

	mu      sync.Mutex
	file    *os.File
	records int // in file
	windows int64
}

// OpenRows opens the row log in a folder, which is there. The error is of kind Unavailable.
func OpenRows(dir string) (*Rows, error) {
	r := &Rows{dir: dir}
	if err := r.open(); err != nil {
		return nil, err
	}
	windows, _, err := r.read()
	r.windows = int64(len(windows))
	return r, err
}

func (r *Rows) open() error {
	file, err := os.OpenFile(filepath.Join(r.dir, newerRows), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return r.failed(err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		size -= size % recordSize // a record that a crash cut short
		err = file.Truncate(size)
	}
	if err != nil {
		file.Close()
		return r.failed(err)
	}
	r.file, r.records = file, int(size/recordSize)
	return nil
}

func (r *Rows) failed(err error) error {
	return &breakwater.Error{Kind: breakwater.Unavailable, Message: "what the sensor saw cannot be kept in " + r.dir + " to train on: check its permissions and the room on its disk", Err: err}
}

// Put keeps a batch's windows and its rules' detections.
func (r *Rows) Put(b breakwater.Batch) error {
	var out []byte
	add := func(t time.Time, kind uint32, values [8]float64) {
		from := len(out)
		out = binary.LittleEndian.AppendUint64(out, uint64(t.UnixNano()))
		out = binary.LittleEndian.AppendUint32(out, kind)
		for _, v := range values {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
		out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out[from:]))
	}
	for i := range b.Detections {
		d := &b.Detections[i]
		if !slices.Contains([]ml.Kind{ml.Autoencoder, ml.IsolationForest, ml.PCA}, ml.Kind(d.Model)) {
			add(d.Time, foundRecord, [8]float64{float64(d.Severity.Rank())})
		}
	}
	for i := range b.Windows {
		add(b.Windows[i].Time, windowRecord, ml.Row(&b.Windows[i]))
	}
	if len(out) == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records >= halfRows {
		if err := r.turn(); err != nil {
			return err
		}
	}
	if _, err := r.file.Write(out); err != nil {
		_ = r.file.Truncate(int64(r.records) * recordSize) // or what follows a part of a record could not be read
		return r.failed(err)
	}
	r.records += len(out) / recordSize
	r.windows = min(r.windows+int64(len(b.Windows)), int64(Span/time.Second))
	return nil
}

// turn begins a new file; the newer one becomes the older. The lock is held.
func (r *Rows) turn() error {
	err := r.file.Close()
	if err == nil || errors.Is(err, os.ErrClosed) { // closed by a turn that failed
		err = os.Rename(filepath.Join(r.dir, newerRows), filepath.Join(r.dir, olderRows))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) { // renamed by a turn that failed
		return r.failed(err)
	}
	return r.open()
}

// Len is how many windows there are, about.
func (r *Rows) Len() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.windows
}

// Data is what there is to learn from. What was found in spans of false alarms is taken as usual.
func (r *Rows) Data(falseAlarms []breakwater.Span) (Data, error) {
	windows, found, err := r.read()
	if err != nil {
		return Data{}, err
	}
	var doubted []breakwater.Span
	var attacked []time.Time
	for _, f := range found {
		if slices.ContainsFunc(falseAlarms, func(s breakwater.Span) bool { return !f.at.Before(s.From) && !f.at.After(s.To) }) {
			continue
		}
		if f.rank >= breakwater.Medium.Rank() {
			doubted = append(doubted, breakwater.Span{From: f.at, To: f.at})
		}
		if f.rank >= breakwater.High.Rank() {
			attacked = append(attacked, f.at)
		}
	}
	return Marked(windows, doubted, attacked), nil
}

// found is a detection of a rule.
type found struct {
	at   time.Time
	rank int
}

// read reads the newest Span, in order of time; of a second that was seen twice the later.
func (r *Rows) read() (windows []breakwater.Window, detections []found, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range []string{olderRows, newerRows} {
		file, err := os.Open(filepath.Join(r.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, r.failed(err)
		}
		in := bufio.NewReaderSize(file, 1<<16)
		var record [recordSize]byte
		for {
			if _, err = io.ReadFull(in, record[:]); err != nil {
				break
			}
			if crc32.ChecksumIEEE(record[:recordSize-4]) != binary.LittleEndian.Uint32(record[recordSize-4:]) {
				continue
			}
			at := time.Unix(0, int64(binary.LittleEndian.Uint64(record[:]))).UTC()
			value := func(i int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(record[12+8*i:])) }
			switch binary.LittleEndian.Uint32(record[8:]) {
			case windowRecord:
				windows = append(windows, breakwater.Window{Time: at, PacketsPerSec: value(0), BytesPerSec: value(1), UniqueSrcIPs: int(value(2)), UniqueDestIPs: int(value(3)),
					ProtocolMix: value(4), FailedConns: int(value(5)), AvgPacketSize: value(6), InterArrivalMS: value(7)})
			case foundRecord:
				detections = append(detections, found{at, int(value(0))})
			}
		}
		file.Close()
		if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil, r.failed(err)
		}
	}
	slices.SortStableFunc(windows, func(a, b breakwater.Window) int { return a.Time.Compare(b.Time) })
	slices.SortStableFunc(detections, func(a, b found) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.rank, b.rank)) })
	last := windows[:0]
	for _, w := range windows {
		if n := len(last); n > 0 && last[n-1].Time.Equal(w.Time) {
			last[n-1] = w
			continue
		}
		last = append(last, w)
	}
	if len(last) > 0 {
		since := last[len(last)-1].Time.Add(-Span)
		last = slices.DeleteFunc(last, func(w breakwater.Window) bool { return w.Time.Before(since) })
		detections = slices.DeleteFunc(detections, func(f found) bool { return f.at.Before(since) })
	}
	return last, detections, nil
}

// Close closes the files.
func (r *Rows) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Close()
}
