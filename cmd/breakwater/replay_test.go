package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"breakwater/internal/capture"
	"breakwater/internal/plant"
)

// TestNowIsNeverTheFuture: a capture shifted to the present has no packet that is sent before its own time.
func TestNowIsNeverTheFuture(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plant.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := capture.NewWriter(f, capture.PCAP)
	for p, err := range plant.Packets(plant.Options{Seed: 1, Duration: 30 * time.Second}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, speed := range []float64{0, 100} {
		by, err := shiftToNow(path, speed)
		if err != nil {
			t.Fatal(err)
		}
		source, err := capture.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		packets := shifted(source.Packets(), by)
		if speed > 0 {
			packets = pace(context.Background(), packets, speed)
		}
		n, last := 0, time.Time{}
		for p, err := range packets {
			if err != nil {
				t.Fatal(err)
			}
			if ahead := time.Until(p.Time); ahead > time.Millisecond { // what pace does not wait for
				t.Fatalf("speed %v: packet %d lies %s in the future", speed, n, ahead)
			}
			n, last = n+1, p.Time
		}
		if ago := time.Since(last); n == 0 || ago > time.Minute {
			t.Errorf("speed %v: the last of %d packets lies %s in the past", speed, n, ago)
		}
		source.Close()
	}
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"max": 0, "1x": 1, "10x": 10, "0.5x": .5, "20": 20} {
		if got, err := parseSpeed(text); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "0x", "-1x", "NaN", "Inf", "fast"} {
		if got, err := parseSpeed(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}
