package client

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A disk that is full: what does not fit is kept in memory and sent when its turn comes; beyond that windows are lost,
// counted and told. A small file system of its own stands for the disk; making one needs privileges.
func TestSpoolFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system cannot be made here: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	var log bytes.Buffer
	s, err := OpenSpool(filepath.Join(dir, "spool"), 64<<20, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 5000 // about 3 MB: one on disk, the rest in memory
	for i := range n {
		put(t, s, second(i))
	}
	if waiting, lost := s.Status(); lost != (Lost{}) || waiting < 2<<20 || len(s.memory) == 0 {
		t.Errorf("%d bytes wait, %d records in memory, lost %+v", waiting, len(s.memory), lost)
	}
	if got := drain(t, s); !slices.Equal(got, sequence("w", 0, n)) {
		t.Errorf("of %d windows %d are left", n, len(got))
	}
	if !strings.Contains(log.String(), "disk takes nothing") || !strings.Contains(log.String(), "no space left") {
		t.Errorf("the log says %s", log.String())
	}

	var detections []string
	for i := range 4 * n {
		put(t, s, second(i))
		if i%100 == 0 {
			put(t, s, found(i+1))
			detections = append(detections, fmt.Sprint("d", i+1))
		}
	}
	_, lost := s.Status()
	got := drain(t, s)
	kept := slices.DeleteFunc(slices.Clone(got), func(name string) bool { return name[0] == 'w' })
	if lost.Detections != 0 || lost.Windows == 0 || int(lost.Windows) != 4*n-(len(got)-len(kept)) || !slices.Equal(kept, detections) {
		t.Errorf("lost %+v; of %d windows %d are left, of %d detections %d", lost, 4*n, len(got)-len(kept), len(detections), len(kept))
	}
	put(t, s, second(1)) // there is room again
	if len(s.memory) != 0 {
		t.Error("what fits on disk is kept in memory")
	}
	drain(t, s)

	// A source that can wait does, also for a disk that takes nothing.
	s.Wait = true
	_, before := s.Status()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	over := make(chan error, 1)
	go func() {
		for i := range 4 * n {
			if err := s.Put(ctx, second(i)); err != nil {
				over <- err
				return
			}
		}
		over <- nil
	}()
	var taken []string
	for len(taken) < 4*n && ctx.Err() == nil {
		records, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, names(t, records)...)
		s.Ack()
	}
	if err := <-over; err != nil || !slices.Equal(taken, sequence("w", 0, 4*n)) {
		t.Errorf("%v; of %d windows %d were sent", err, 4*n, len(taken))
	}
	if _, after := s.Status(); after != before {
		t.Errorf("a source that waits lost %+v", after)
	}
}
