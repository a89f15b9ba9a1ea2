package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/capture"

	"breakwater/internal/detect"
)

const shared = "../../../shared/data"

func shippedRules(t testing.TB) []*detect.Rule {
	t.Helper()
	rules, err := detect.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// feed runs a whole sensor over the bytes of a capture and gives what it sent, as JSON lines.
func feed(t testing.TB, rules []*detect.Rule, data []byte, learn time.Duration) (string, Stats) {
	t.Helper()
	source, err := capture.NewReader(bytes.NewReader(data), "test")
	if err != nil {
		return "", Stats{}
	}
	defer source.Close()
	var sent bytes.Buffer
	s := Sensor{FacilityID: "test", Rules: rules, Baseline: detect.NewBaseline(), Learn: learn, Send: func(_ context.Context, b breakwater.Batch) error {
		return json.NewEncoder(&sent).Encode(b)
	}}
	stats, err := s.Run(context.Background(), source.Packets())
	if _, known := errors.AsType[*breakwater.Error](err); err != nil && !known {
		t.Fatalf("an error that says nothing to a person: %v", err)
	}
	return sent.String(), stats
}

// captures are the real captures; the test skips where they are missing.
func captures(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, root := range []string{shared + "/captures", shared + "/labelled"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.Contains(path, ".pcap") {
				return err
			}
			all[filepath.Base(path)], err = os.ReadFile(path)
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Skip("the shared captures are not on this machine")
	}
	return all
}

func TestSensorIsDeterministic(t *testing.T) {
	t.Parallel()
	rules := shippedRules(t)
	for name, data := range captures(t) {
		first, stats := feed(t, rules, data, 5*time.Second)
		if again, _ := feed(t, rules, data, 5*time.Second); again != first {
			t.Errorf("%s: two runs sent different things", name)
		}
		if stats.Packets == 0 {
			t.Errorf("%s: no packet was read", name)
		}
		// For one rule and asset the times of detections strictly increase: an alert counts on it.
		last := map[string]time.Time{}
		for line := range strings.Lines(first) {
			var b breakwater.Batch
			if err := json.Unmarshal([]byte(line), &b); err != nil {
				t.Fatal(err)
			}
			for _, d := range b.Detections {
				key := d.Model + " " + d.Asset
				if !d.Time.After(last[key]) {
					t.Errorf("%s: %s at %s, after one at %s", name, key, d.Time, last[key])
				}
				last[key] = d.Time
			}
		}
	}
}

// TestSensorSurvivesMutations feeds 1,000 spoiled copies of the captures the whole way: bytes flipped, cut off, parts
// of the file doubled, removed or exchanged. Nothing may panic or hang, and memory stays bounded.
func TestSensorSurvivesMutations(t *testing.T) {
	t.Parallel()
	rules := shippedRules(t)
	var small [][]byte
	all := captures(t)
	for _, name := range slices.Sorted(maps.Keys(all)) { // in order, so that a seed is the same copy each time
		small = append(small, all[name][:min(len(all[name]), 32<<10)])
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := bytes.Clone(small[seed%uint64(len(small))])
		for range 1 + r.IntN(20) {
			if len(data) < 64 {
				break
			}
			at, n := 24+r.IntN(len(data)-32), 1+r.IntN(200)
			end := min(at+n, len(data))
			switch r.IntN(5) {
			case 0:
				data[at] ^= 1 << r.IntN(8)
			case 1:
				data = data[:end]
			case 2:
				data = append(data[:end:end], data[at:]...)
			case 3:
				data = append(data[:at:at], data[end:]...)
			case 4:
				to := 24 + r.IntN(len(data)-32)
				copy(data[to:], bytes.Clone(data[at:end]))
			}
		}
		feed(t, rules, data, time.Duration(seed%3)*time.Second)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// TestSteadyPathAllocatesNothing: a known poll and its answer go through decoding, windows and detection without an
// allocation per packet.
func TestSteadyPathAllocatesNothing(t *testing.T) {
	all := captures(t)
	source, err := capture.NewReader(bytes.NewReader(all["modbusBig.pcap"]), "modbusBig")
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var packets []breakwater.Packet
	for p, err := range source.Packets() {
		if err != nil {
			t.Fatal(err)
		}
		p.Data = bytes.Clone(p.Data)
		packets = append(packets, p)
	}
	s := &Sensor{FacilityID: "test", Rules: shippedRules(t), Baseline: detect.NewBaseline()}
	s.Send = func(context.Context, breakwater.Batch) error { return nil }
	r := s.begin(context.Background())
	r.engine.SetLearning(true)
	for i := range packets {
		r.packet(&packets[i])
	}
	r.engine.SetLearning(false)
	again := func() {
		for i := range packets {
			packets[i].Time = r.stats.Last // all in one second: a second's end makes a window, which allocates
			r.packet(&packets[i])
		}
	}
	again()
	perPacket := testing.AllocsPerRun(3, again) / float64(len(packets))
	if perPacket > 0.01 { // the connections that begin and end in the capture
		t.Errorf("%.3f allocations per packet", perPacket)
	}
	t.Logf("%.5f allocations per packet", perPacket)
}

func TestSensorStopsWhenSendFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	s := Sensor{FacilityID: "test", Rules: shippedRules(t), Baseline: detect.NewBaseline(), Send: func(context.Context, breakwater.Batch) error { return full }}
	n := 0
	_, err := s.Run(context.Background(), func(yield func(breakwater.Packet, error) bool) {
		for ; n < 100; n++ {
			if !yield(breakwater.Packet{Time: time.Unix(int64(n), 0)}, nil) {
				return
			}
		}
	})
	if !errors.Is(err, full) || n > 2 {
		t.Errorf("%v after %d seconds, want the error of Send at the first", err, n)
	}
}
