package client

// A spool is more than 600 lines in one file, because what writes a segment, what reads it and what finds it broken after a
// crash rest on the same layout on disk, and are read together.

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"breakwater"
)

// More than 600 lines, because what is on disk, what is given up when there is no room, and what a crash leaves are one
// decision: none of them can be changed without a look at the others.

// The form of a spool: a folder of segments, each a file named by its number, 0000000001.all. A segment begins with
// spoolMagic; records follow, each 4 bytes of length and 4 of checksum (CRC-32C of the JSON, both little-endian) and the
// batch as JSON. A segment whose windows were given up is 0000000001.few.
const (
	spoolMagic  = "BWSPOOL1"
	wholeSuffix = ".all"
	fewSuffix   = ".few"
	headerSize  = 8
	// A segment is a sixteenth of the limit, within these bounds: what is given up at a time, and what is at most sent
	// again after a crash.
	segmentMin = 64 << 10
	segmentMax = 4 << 20
	// recordMax is the longest record; a batch that would be longer is split.
	recordMax = 900 << 10
	// groupBytes and groupRecords bound what is sent at a time.
	groupBytes   = 512 << 10
	groupRecords = 512
	// syncEvery is how much may be lost when the machine, not the process, dies: what is written is handed to the disk
	// at the latest with the next batch after so long, and when a segment is full.
	syncEvery = time.Second
	// memoryMax bounds what is kept in memory while the disk takes nothing.
	memoryMax = 4 << 20
	// toldEvery is how often a loss that goes on is logged.
	toldEvery = time.Minute
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Spool keeps a sensor's batches on disk, in order, until a server has taken them. It survives kill -9 at any point: a
// half-written record at the end is cut off, and what was not acknowledged is there again, perhaps with some that were.
// It never grows beyond its limit: where there is no room the windows of the oldest segments are given up first, their
// detections and assets when nothing else is left, and what was lost is counted and told. One goroutine puts and one
// takes.
type Spool struct {
	dir string
	max int64
	log *slog.Logger
	// Wait makes Put wait for room instead of giving anything up: for a source that can wait, as a file.
	Wait bool

	lock *os.File

	mu       sync.Mutex
	segments []*segment // oldest first; the last one is written to
	size     int64      // of all segments
	out      *os.File   // the last segment
	synced   time.Time
	memory   [][]byte // newer than all on disk
	inMemory int64    // bytes
	slim     int      // of memory's beginning: records without windows
	at       cursor   // what was acknowledged
	taken    cursor   // what Next gave last
	lost     Lost
	toldAt   time.Time
	moved    chan struct{} // closed and made anew when something was put or acknowledged
}

// Lost counts what a spool had to give up since it was made.
type Lost struct {
	Windows    int64 `json:"windows"`
	Detections int64 `json:"detections"`
}

type segment struct {
	number int64
	few    bool // windows were given up
	size   int64
}

func (s *segment) name() string {
	suffix := wholeSuffix
	if s.few {
		suffix = fewSuffix
	}
	return fmt.Sprintf("%010d%s", s.number, suffix)
}

// cursor is a place in the spool: a segment and how far in it, or how many of the records in memory.
type cursor struct {
	number, offset int64
	memory         int
}

// OpenSpool opens the spool in a folder, which is made where there is none. max is its limit in bytes. The error is of
// kind Conflict where another process has it open, else of kind Unavailable.
func OpenSpool(dir string, max int64, log *slog.Logger) (*Spool, error) {
	s := &Spool{dir: dir, max: max, log: log, moved: make(chan struct{})}
	s.max -= s.segmentSize() // for the copy of a segment that is being written anew
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, s.failed("be made", err)
	}
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, s.failed("be opened", err)
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		s.lock.Close()
		return nil, &breakwater.Error{Kind: breakwater.Conflict, Message: "spool " + dir + " is in use by another sensor: give each its own with --spool", Err: err}
	}
	if err := s.load(); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// load finds the segments of earlier runs.
func (s *Spool) load() error {
	if text, err := os.ReadFile(filepath.Join(s.dir, "lost.json")); err == nil {
		_ = json.Unmarshal(text, &s.lost) // what cannot be read counts from zero
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return s.failed("be read", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			os.Remove(filepath.Join(s.dir, e.Name()))
		}
		digits, suffix, _ := strings.Cut(e.Name(), ".")
		number, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || "."+suffix != wholeSuffix && "."+suffix != fewSuffix {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return s.failed("be read", err)
		}
		g := &segment{number: number, few: "."+suffix == fewSuffix, size: info.Size()}
		if n := len(s.segments); n > 0 && s.segments[n-1].number == number { // stripped, and killed before the whole one was removed
			os.Remove(filepath.Join(s.dir, s.segments[n-1].name()))
			s.size -= s.segments[n-1].size
			s.segments = s.segments[:n-1]
			g.few = true
		}
		s.segments = append(s.segments, g)
		s.size += g.size
	}
	if len(s.segments) > 0 {
		s.at = cursor{number: s.segments[0].number}
	}
	s.taken = s.at
	return s.rotate()
}

// Close ends the spool; what is in it stays. What is in memory because the disk took nothing gets a last try.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.memory) > 0 && s.write(s.memory[0]) == nil {
		s.inMemory -= int64(len(s.memory[0]))
		s.memory = s.memory[1:]
	}
	for _, record := range s.memory {
		s.lose(record)
	}
	s.saveLost()
	err := s.out.Sync()
	return errors.Join(err, s.out.Close(), s.lock.Close())
}

// Put is a breakwater.Send: when it returns, the batch is on disk, or something was given up for it, or there was no
// place for it. It fails only when ctx ends.
func (s *Spool) Put(ctx context.Context, b breakwater.Batch) error {
	records, err := encode(b)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, record := range records {
		for s.Wait && (s.size+int64(len(record))+headerSize > s.max || s.inMemory+int64(len(record)) > memoryMax) && s.pending() {
			if err := s.pause(ctx); err != nil {
				return err
			}
		}
		s.append(record)
	}
	s.wake()
	return nil
}

// Next waits until something is to be sent, and gives the oldest of it. It gives the same again until Ack. It fails when
// ctx ends.
func (s *Spool) Next(ctx context.Context) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		before := s.at
		if records := s.read(); len(records) > 0 {
			return records, nil
		}
		if s.at != before { // what was left cannot be read: who waits for it waits in vain
			s.forget()
			s.wake()
		}
		if err := s.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// Ack says that what Next gave is durable elsewhere.
func (s *Spool) Ack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, record := range s.memory[:s.taken.memory] {
		s.inMemory -= int64(len(record))
	}
	s.memory = s.memory[s.taken.memory:]
	s.slim = max(s.slim-s.taken.memory, 0)
	s.taken.memory = 0
	s.at = s.taken
	s.forget()
	// An active segment that was sent to its end is emptied, so that a restart does not send it again.
	if last := s.segments[len(s.segments)-1]; s.at.number == last.number && s.at.offset == last.size && last.size > headerSize {
		if err := s.out.Truncate(headerSize); err == nil {
			s.size -= last.size - headerSize
			last.size = headerSize
			s.at.offset = headerSize
			s.taken = s.at
		}
	}
	s.wake()
}

// forget removes the segments that are acknowledged whole.
func (s *Spool) forget() {
	for len(s.segments) > 1 && s.segments[0].number < s.at.number {
		s.remove(0)
	}
}

// Empty waits until everything is acknowledged, or ctx ends.
func (s *Spool) Empty(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pending() {
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Status says how many bytes wait, and what was lost.
func (s *Spool) Status() (bytes int64, lost Lost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending() {
		return 0, s.lost
	}
	return s.size + s.inMemory, s.lost
}

// pending reports whether anything is not acknowledged yet.
func (s *Spool) pending() bool {
	last := s.segments[len(s.segments)-1]
	return len(s.memory) > 0 || s.at.number < last.number && len(s.segments) > 1 || last.size > headerSize && s.at.offset < last.size
}

// pause waits, without the lock, until something was put or acknowledged.
func (s *Spool) pause(ctx context.Context) error {
	moved := s.moved
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Spool) wake() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// append finds a place for a record.
func (s *Spool) append(record []byte) {
	if len(s.memory) == 0 {
		s.makeRoom(int64(len(record)))
		err := s.write(record)
		if err == nil {
			return
		}
		s.tell("the spool's disk takes nothing: new data is kept in memory", "err", err)
	}
	s.memory = append(s.memory, record)
	s.inMemory += int64(len(record))
	lost := false
	for s.inMemory > memoryMax && s.giveUp() {
		lost = true
	}
	if lost {
		s.tell("the spool's disk takes nothing and memory is full: data is being lost")
		s.saveLost()
	}
}

// giveUp takes the windows of the oldest record in memory that has some, else the oldest record, and reports whether
// there was any. What is being sent is left alone.
func (s *Spool) giveUp() bool {
	for i := max(s.slim, s.taken.memory); i < len(s.memory); i++ {
		var b breakwater.Batch
		if json.Unmarshal(s.memory[i][headerSize:], &b) != nil || len(b.Windows) == 0 {
			s.slim = i + 1
			continue
		}
		s.inMemory -= int64(len(s.memory[i]))
		s.lost.Windows += int64(len(b.Windows))
		var few [][]byte
		if b.Windows = nil; len(b.Detections)+len(b.Assets) > 0 {
			few, _ = encode(b) // it was encoded before
		}
		for _, record := range few {
			s.inMemory += int64(len(record))
		}
		s.memory = slices.Replace(s.memory, i, i+1, few...)
		s.slim = i + len(few)
		return true
	}
	if i := s.taken.memory; i < len(s.memory) {
		s.inMemory -= int64(len(s.memory[i]))
		s.lose(s.memory[i])
		s.memory = slices.Delete(s.memory, i, i+1)
		s.slim = max(s.slim-1, 0)
		return true
	}
	return false
}

// write appends a record to the last segment, or to a new one. On an error the segment is as it was.
func (s *Spool) write(record []byte) error {
	last := s.segments[len(s.segments)-1]
	if last.size > headerSize && last.size+int64(len(record)) > s.segmentSize() {
		if err := s.rotate(); err != nil {
			return err
		}
		last = s.segments[len(s.segments)-1]
	}
	if _, err := s.out.Write(record); err != nil {
		return errors.Join(err, s.out.Truncate(last.size))
	}
	last.size += int64(len(record))
	s.size += int64(len(record))
	if now := time.Now(); now.Sub(s.synced) >= syncEvery {
		s.synced = now
		if err := s.out.Sync(); err != nil {
			s.tell("the spool could not be handed to the disk: a power failure may lose more than a second of it", "err", err)
		}
	}
	return nil
}

func (s *Spool) segmentSize() int64 { return min(max(s.max/16, segmentMin), segmentMax) }

// rotate begins a new segment.
func (s *Spool) rotate() error {
	number := int64(1)
	if n := len(s.segments); n > 0 {
		number = s.segments[n-1].number + 1
	}
	next := &segment{number: number, size: headerSize}
	out, err := os.OpenFile(filepath.Join(s.dir, next.name()), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return s.failed("be written", err)
	}
	if _, err := out.WriteString(spoolMagic); err != nil {
		return errors.Join(s.failed("be written", err), out.Close(), os.Remove(out.Name()))
	}
	if s.out != nil {
		if err := errors.Join(s.out.Sync(), s.out.Close()); err != nil {
			s.tell("the spool could not be handed to the disk: a power failure may lose some of it", "err", err)
		}
	}
	s.out = out
	s.segments = append(s.segments, next)
	s.size += next.size
	if len(s.segments) == 1 {
		s.at = cursor{number: number, offset: headerSize}
		s.taken = s.at
	}
	return nil
}

// makeRoom gives up windows of the oldest segments, then whole segments, until so many bytes more keep the limit. What
// is being sent, and the segment that is written to, are left alone.
func (s *Spool) makeRoom(more int64) {
	for s.size+more > s.max {
		i := slices.IndexFunc(s.segments[:len(s.segments)-1], func(g *segment) bool { return !g.few && g.number > s.taken.number })
		if i >= 0 {
			if s.strip(i) {
				continue
			}
		}
		i = slices.IndexFunc(s.segments[:len(s.segments)-1], func(g *segment) bool { return g.number > s.taken.number })
		if i < 0 {
			return
		}
		for _, record := range s.records(s.segments[i], 0, nil) {
			s.lose(record)
		}
		s.remove(i)
		s.saveLost()
		s.tell("the spool is full of detections alone: the oldest are being lost")
	}
}

// strip writes a segment again without its windows, and reports whether that made it smaller or gone.
func (s *Spool) strip(i int) bool {
	g := s.segments[i]
	kept := []byte(spoolMagic)
	lost := s.lost
	for _, record := range s.records(g, 0, nil) {
		var b breakwater.Batch
		if json.Unmarshal(record[headerSize:], &b) != nil {
			continue
		}
		lost.Windows += int64(len(b.Windows))
		if b.Windows = nil; len(b.Detections)+len(b.Assets) == 0 {
			continue
		}
		records, err := encode(b)
		if err != nil {
			continue
		}
		for _, r := range records {
			kept = append(kept, r...)
		}
	}
	few := &segment{number: g.number, few: true, size: int64(len(kept))}
	if few.size > headerSize {
		if keep(s.dir, few.name(), kept) != nil { // as on a full disk
			return false
		}
	}
	s.lost = lost
	s.remove(i)
	if few.size > headerSize {
		s.segments = slices.Insert(s.segments, i, few)
		s.size += few.size
	}
	s.saveLost()
	s.tell("the spool is full: the oldest windows are being lost")
	return true
}

// remove forgets a segment and its file.
func (s *Spool) remove(i int) {
	g := s.segments[i]
	if err := os.Remove(filepath.Join(s.dir, g.name())); err != nil {
		s.tell("a part of the spool that is done with could not be removed", "err", err)
	}
	s.size -= g.size
	s.segments = slices.Delete(s.segments, i, i+1)
}

// read gives the records after s.at, at most a group of them, and sets s.taken behind them.
func (s *Spool) read() [][]byte {
	s.taken = s.at
	for i, g := range s.segments {
		if g.number < s.at.number {
			continue
		}
		offset := int64(0)
		if g.number == s.at.number {
			offset = s.at.offset
		}
		end := offset
		records := s.records(g, offset, &end)
		if len(records) > 0 {
			s.taken = cursor{number: g.number, offset: end}
			for j := range records {
				records[j] = records[j][headerSize:]
			}
			return records
		}
		if i < len(s.segments)-1 { // nothing more in this one: what is left of it cannot be read
			s.at = cursor{number: s.segments[i+1].number}
		} else {
			s.at = cursor{number: g.number, offset: g.size}
		}
		s.taken = s.at
	}
	size := int64(0)
	for _, record := range s.memory {
		if size += int64(len(record)); size > groupBytes && s.taken.memory > 0 {
			break
		}
		s.taken.memory++
	}
	records := make([][]byte, s.taken.memory)
	for i := range records {
		records[i] = s.memory[i][headerSize:]
	}
	return records
}

// records reads a segment's records from an offset on, each with its header; at most a group, and where it ends, if end
// is given. A record that is not whole ends the segment: at the end of the last one it was torn by a crash, elsewhere the
// file is damaged, which is told.
func (s *Spool) records(g *segment, offset int64, end *int64) [][]byte {
	f, err := os.Open(filepath.Join(s.dir, g.name()))
	if err != nil {
		s.tell("a part of the spool cannot be read and is lost", "file", g.name(), "err", err)
		return nil
	}
	defer f.Close()
	limit := g.size
	if end != nil {
		limit = min(limit, max(offset, headerSize)+groupBytes+recordMax)
	}
	from := offset
	data, err := io.ReadAll(io.NewSectionReader(f, from, limit-from))
	if from == 0 && (len(data) < headerSize || string(data[:headerSize]) != spoolMagic) || err != nil {
		if g.size > headerSize {
			s.tell("a part of the spool cannot be read and is lost", "file", g.name(), "err", err)
		}
		return nil
	}
	offset = max(offset, headerSize)
	var records [][]byte
	size := int64(0)
	for {
		rest := data[min(offset-from, int64(len(data))):]
		if len(rest) < headerSize {
			break
		}
		n := int64(binary.LittleEndian.Uint32(rest))
		if n > recordMax*2 || headerSize+n > int64(len(rest)) || crc32.Checksum(rest[headerSize:headerSize+n], castagnoli) != binary.LittleEndian.Uint32(rest[4:]) {
			if limit == g.size && headerSize+n <= int64(len(rest)) {
				s.tell("a part of the spool is damaged: the rest of its file is lost", "file", g.name(), "offset", offset)
			}
			break
		}
		if size += headerSize + n; end != nil && len(records) > 0 && (size > groupBytes || len(records) == groupRecords) {
			break
		}
		records = append(records, rest[:headerSize+n:headerSize+n])
		offset += headerSize + n
	}
	if end != nil {
		*end = offset
	}
	return records
}

// encode makes a batch's records. One that would be too long is split, its windows in the first part: order and sense
// stay the same.
func encode(b breakwater.Batch) ([][]byte, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write a batch as JSON: %w", err)
	}
	if len(text) > recordMax && len(b.Windows)+len(b.Detections)+len(b.Assets) > 1 {
		first, rest := b, breakwater.Batch{FacilityID: b.FacilityID}
		cut := func(n int) int { return (n + 1) / 2 }
		switch w, d, a := len(b.Windows), len(b.Detections), len(b.Assets); {
		case w > 1:
			first.Windows, first.Detections, first.Assets = b.Windows[:cut(w)], nil, nil
			rest = breakwater.Batch{FacilityID: b.FacilityID, Windows: b.Windows[cut(w):], Detections: b.Detections, Assets: b.Assets}
		case d > 1:
			first.Detections, first.Assets = b.Detections[:cut(d)], nil
			rest.Detections, rest.Assets = b.Detections[cut(d):], b.Assets
		case a > 1:
			first.Assets, rest.Assets = b.Assets[:cut(a)], b.Assets[cut(a):]
		default:
			first.Assets, first.Detections = nil, nil
			if w == 0 {
				first.Detections = b.Detections
			} else {
				rest.Detections = b.Detections
			}
			rest.Assets = b.Assets
		}
		head, err := encode(first)
		if err != nil {
			return nil, err
		}
		tail, err := encode(rest)
		return append(head, tail...), err
	}
	record := make([]byte, headerSize, headerSize+len(text))
	binary.LittleEndian.PutUint32(record, uint32(len(text)))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(text, castagnoli))
	return [][]byte{append(record, text...)}, nil
}

// lose counts a record that is given up.
func (s *Spool) lose(record []byte) {
	var b breakwater.Batch
	if json.Unmarshal(record[headerSize:], &b) == nil {
		s.lost.Windows += int64(len(b.Windows))
		s.lost.Detections += int64(len(b.Detections))
	}
}

// saveLost keeps the counts over a restart. Where even that cannot be written, the server has been told of most.
func (s *Spool) saveLost() {
	if s.lost == (Lost{}) {
		return
	}
	text, err := json.Marshal(s.lost)
	if err != nil {
		return
	}
	_ = keep(s.dir, "lost.json", text)
}

// tell logs what goes wrong, once a minute at most.
func (s *Spool) tell(message string, args ...any) {
	if now := time.Now(); now.Sub(s.toldAt) >= toldEvery {
		s.toldAt = now
		s.log.Warn(message, append(args, "spool", s.dir, "lost_windows", s.lost.Windows, "lost_detections", s.lost.Detections)...)
	}
}

func (s *Spool) failed(what string, err error) error {
	return &breakwater.Error{Kind: breakwater.Unavailable, Message: "spool " + s.dir + " cannot " + what + ": check its permissions and the room on its disk", Err: err}
}
