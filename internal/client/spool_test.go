package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// second is a batch of one window, about 600 bytes, and found one of one detection, about as many.
func second(n int) breakwater.Batch {
	return breakwater.Batch{FacilityID: "north", Windows: []breakwater.Window{{FacilityID: "north", Time: t0.Add(time.Duration(n) * time.Second),
		Raw: breakwater.RawFeatures{Functions: map[string]int{strings.Repeat("f", 300): n}}}}}
}

func found(n int) breakwater.Batch {
	return breakwater.Batch{FacilityID: "north", Detections: []breakwater.Detection{{FacilityID: "north", Time: t0.Add(time.Duration(n) * time.Second),
		Model: "m", Asset: "a", Evidence: strings.Repeat("e", 300), Count: n}}}
}

func openSpool(t testing.TB, dir string, max int64) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, max, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s *Spool, batches ...breakwater.Batch) {
	t.Helper()
	for _, b := range batches {
		if err := s.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// drain takes everything there is and acknowledges it: names of windows (w) and detections (d) in order.
func drain(t testing.TB, s *Spool) []string {
	t.Helper()
	all := []string{}
	for {
		if left, _ := s.Status(); left == 0 {
			return all
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		lines, err := s.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) { // what was left could not be read
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, names(t, lines)...)
		s.Ack()
	}
}

func names(t testing.TB, lines [][]byte) (all []string) {
	t.Helper()
	for _, line := range lines {
		var b breakwater.Batch
		if err := json.Unmarshal(line, &b); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, w := range b.Windows {
			all = append(all, fmt.Sprint("w", int(w.Time.Sub(t0)/time.Second)))
		}
		for _, d := range b.Detections {
			all = append(all, fmt.Sprint("d", d.Count))
		}
	}
	return all
}

// onDisk is the size of all files below dir.
func onDisk(t testing.TB, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func sequence(letter string, from, to int) []string {
	all := []string{}
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(letter, i))
	}
	return all
}

func TestSpoolKeepsOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir, 64<<20)
	for i := range 3000 {
		put(t, s, second(i))
	}
	lines, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Next(t.Context())
	if err != nil || len(lines) == 0 || len(again) != len(lines) || !bytes.Equal(again[0], lines[0]) {
		t.Errorf("what was not acknowledged is not given again: %d and %d lines, %v", len(lines), len(again), err)
	}
	if got := drain(t, s); !slices.Equal(got, sequence("w", 0, 3000)) {
		t.Errorf("%d windows in some order", len(got))
	}
	if waiting, lost := s.Status(); waiting != 0 || lost != (Lost{}) {
		t.Errorf("%d bytes wait, %+v is lost", waiting, lost)
	}
	put(t, s, second(7))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, dir, 64<<20)
	defer s.Close()
	if got := drain(t, s); !slices.Equal(got, []string{"w7"}) {
		t.Errorf("after a restart: %v", got)
	}
	if size := onDisk(t, dir); size > 100 {
		t.Errorf("an empty spool has %d bytes", size)
	}
	if _, err := OpenSpool(dir, 64<<20, slog.New(slog.DiscardHandler)); breakwater.KindOf(err) != breakwater.Conflict {
		t.Errorf("a second sensor: %v", err)
	}
}

// A process that is killed at any point leaves a spool that has everything that was put and not acknowledged, in order;
// a machine that fails may leave the last record half written, which is cut off.
func TestSpoolSurvivesCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		dir := t.TempDir()
		s := openSpool(t, dir, 2<<20)
		acknowledged, n := 0, 0
		for range 5 + r.IntN(40) {
			for range r.IntN(100) {
				put(t, s, second(n))
				n++
			}
			if r.IntN(2) == 0 && n > acknowledged {
				lines, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				s.Ack()
				acknowledged += len(lines)
			}
		}
		copied := t.TempDir()
		if err := os.CopyFS(filepath.Join(copied, "spool"), os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		torn := 0
		if r.IntN(2) == 0 {
			last := s.segments[len(s.segments)-1]
			if torn = min(r.IntN(500), int(last.size-headerSize)); torn > 0 {
				if err := os.Truncate(filepath.Join(copied, "spool", last.name()), last.size-int64(torn)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openSpool(t, filepath.Join(copied, "spool"), 2<<20)
		put(t, s, second(n))
		got := drain(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		want := sequence("w", acknowledged, n+1)
		if torn > 0 {
			want = slices.Delete(want, len(want)-2, len(want)-1) // the torn one
		}
		if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
			t.Errorf("seed %d: of %d, of which %d were acknowledged, %d bytes torn off, there are %d", seed, n, acknowledged, torn, len(got))
		}
	}
}

// A full spool gives up the oldest windows and no detection, stays within its limit, and counts what it loses, also over
// a restart.
func TestSpoolFull(t *testing.T) {
	t.Parallel()
	const limit = 2 << 20
	dir := t.TempDir()
	var log bytes.Buffer
	s, err := OpenSpool(dir, limit, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var detections []string
	for i := range 20_000 {
		put(t, s, second(i))
		if i%50 == 0 {
			put(t, s, found(i+1))
			detections = append(detections, fmt.Sprint("d", i+1))
		}
		if i%500 == 0 {
			if size := onDisk(t, dir); size > limit {
				t.Fatalf("after %d batches the spool has %d bytes, over its limit", i, size)
			}
		}
	}
	_, lost := s.Status()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, dir, limit)
	defer s.Close()
	var windows, kept []string
	for _, name := range drain(t, s) {
		if name[0] == 'w' {
			windows = append(windows, name)
		} else {
			kept = append(kept, name)
		}
	}
	if diff := cmp.Diff(detections, kept); diff != "" {
		t.Errorf("detections were lost (-put +kept):\n%s", diff)
	}
	if _, again := s.Status(); again != lost || lost.Detections != 0 || int(lost.Windows) != 20_000-len(windows) || len(windows) < 1000 {
		t.Errorf("%d windows are kept; lost %+v, after a restart %+v", len(windows), lost, again)
	}
	newest := windows[len(windows)-1000:]
	if !slices.Equal(newest, sequence("w", 19_000, 20_000)) {
		t.Errorf("the newest windows are %v … %v", newest[0], newest[999])
	}
	if !strings.Contains(log.String(), "the oldest windows are being lost") || strings.Count(log.String(), "\n") > 3 {
		t.Errorf("the log says %s", log.String())
	}
}

// Where only detections are left, the oldest of them go.
func TestSpoolFullOfDetections(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 1<<20)
	defer s.Close()
	for i := range 5000 {
		put(t, s, found(i+1))
	}
	_, lost := s.Status()
	kept := drain(t, s)
	if lost.Windows != 0 || int(lost.Detections)+len(kept) != 5000 || len(kept) < 1000 {
		t.Fatalf("%d are kept, lost %+v", len(kept), lost)
	}
	// But for the segment that is next to be sent, which is left alone.
	if newest := kept[len(kept)-1000:]; !slices.Equal(newest, sequence("d", 4001, 5001)) {
		t.Errorf("the newest are %s to %s", newest[0], newest[999])
	}
}

// A source that can wait loses nothing.
func TestSpoolWaits(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 1<<20)
	defer s.Close()
	s.Wait = true
	done := make(chan error)
	go func() {
		for i := range 5000 {
			if err := s.Put(t.Context(), second(i)); err != nil {
				done <- err
				return
			}
		}
		done <- s.Empty(t.Context())
	}()
	var got []string
	for len(got) < 5000 {
		lines, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, names(t, lines)...)
		s.Ack()
	}
	if err := <-done; err != nil || !slices.Equal(got, sequence("w", 0, 5000)) {
		t.Errorf("%v, %d windows", err, len(got))
	}
	for i := range 5000 { // full again, and nobody takes anything
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := s.Put(ctx, second(i))
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("a full spool waits for nothing")
}

// A record that is damaged costs what lies behind it in its file, and no more.
func TestSpoolDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	s, err := OpenSpool(dir, 1<<20, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 600 {
		put(t, s, second(i))
	}
	if len(s.segments) < 4 {
		t.Fatalf("%d segments", len(s.segments))
	}
	path := filepath.Join(dir, s.segments[1].name())
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := drain(t, s)
	if len(got) < 500 || got[0] != "w0" || got[len(got)-1] != "w599" || !slices.IsSortedFunc(got, func(a, b string) int { return len(a)*1000 - len(b)*1000 + strings.Compare(a, b) }) {
		t.Errorf("%d records", len(got))
	}
	if !strings.Contains(log.String(), "damaged") {
		t.Errorf("the log says %s", log.String())
	}
}

// A batch that is too long for a record is split, and nothing of it is lost.
func TestSpoolSplitsLongBatches(t *testing.T) {
	t.Parallel()
	b := breakwater.Batch{FacilityID: "north"}
	for i := range 3000 {
		b.Windows = append(b.Windows, second(i).Windows...)
		b.Detections = append(b.Detections, found(i).Detections...)
	}
	s := openSpool(t, t.TempDir(), 64<<20)
	defer s.Close()
	put(t, s, b)
	if got := drain(t, s); !slices.Equal(got, slices.Concat(sequence("w", 0, 3000), sequence("d", 0, 3000))) {
		t.Errorf("%d parts", len(got))
	}
}

// The server is away for an hour of data time, and the spool has not room for all of it: it stays within its limit, and when
// the server is there again it gets what is left, in order of data time and each once: every detection, the newest seconds,
// and in the count of what was lost exactly the rest.
func TestAnHourAway(t *testing.T) {
	t.Parallel()
	const hour, limit = 3600, 1 << 20
	dir := t.TempDir()
	s := openSpool(t, dir, limit)
	defer s.Close()
	var mu sync.Mutex
	away, tries := true, 0
	var got []string
	u := &Uplink{Client: nobody(t), Spool: s, Facility: "north", Dir: dir, Log: slog.New(slog.DiscardHandler),
		Send: func(_ context.Context, _ string, lines [][]byte) error {
			mu.Lock()
			defer mu.Unlock()
			if tries++; away {
				return &breakwater.Error{Kind: breakwater.Unavailable, Message: "the server is away"}
			}
			got = append(got, names(t, lines)...)
			return nil
		}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() { defer close(ended); u.send(ctx) }()
	defer func() { cancel(); <-ended }()
	var detections []string
	for i := range hour {
		put(t, s, second(i))
		if i%30 == 0 {
			put(t, s, found(i))
			detections = append(detections, fmt.Sprint("d", i))
		}
		if i%100 == 0 {
			if size := onDisk(t, dir); size > limit {
				t.Fatalf("after %d seconds the spool has %d bytes, over its limit", i, size)
			}
		}
	}
	mu.Lock()
	away = false
	if tries == 0 {
		t.Error("it was never tried while the server was away")
	}
	mu.Unlock()
	put(t, s, second(hour))
	soon, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := s.Empty(soon); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	var windows, kept []string
	last := -1
	for _, name := range got {
		n, err := strconv.Atoi(name[1:])
		if err != nil || n < last {
			t.Fatalf("%s came behind second %d", name, last)
		}
		if last = n; name[0] == 'w' {
			windows = append(windows, name)
		} else {
			kept = append(kept, name)
		}
	}
	if diff := cmp.Diff(detections, kept); diff != "" {
		t.Errorf("detections (-sent +delivered):\n%s", diff)
	}
	newest := sequence("w", hour-500, hour+1)
	if _, lost := s.Status(); lost.Detections != 0 || lost.Windows == 0 || int(lost.Windows)+len(windows) != hour+1 || !slices.Equal(windows[len(windows)-len(newest):], newest) {
		t.Errorf("%d windows came, lost are %+v", len(windows), lost)
	}
}

// nobody is a client of a server that is not there.
func nobody(t testing.TB) *Client {
	t.Helper()
	c, err := New("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
