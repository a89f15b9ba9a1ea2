package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/redis/redistest"
	"breakwater/internal/window"

	"github.com/redis/rueidis"
)

// fleet is how many facilities send at once.
const fleet = 100

// BenchmarkWindows writes seconds of a hundred facilities, in batches as sensors send them (a second each), as spools catch up
// (a minute), and between; in memory, in Redis, and, for comparison, by the bare driver: the same texts, ZADD, trim and
// EXPIRE, without looking whether a batch joins on. What is pipelined is so by itself, since many goroutines wait at once.
//
// Beside the rate, which depends on what else the machine does, it says what a window costs in CPU time, here and in Redis.
func BenchmarkWindows(b *testing.B) {
	for _, per := range []int{1, 10, 60} {
		b.Run(fmt.Sprintf("memory/%d", per), func(b *testing.B) { writeWindows(b, window.NewMemory(), per) })
		b.Run(fmt.Sprintf("redis/%d", per), func(b *testing.B) {
			buffer := open(b, redistest.Start(b).URL())
			defer costs(b, buffer.client)()
			writeWindows(b, buffer, per)
		})
		b.Run(fmt.Sprintf("bare/%d", per), func(b *testing.B) {
			buffer := open(b, redistest.Start(b).URL())
			defer costs(b, buffer.client)()
			writeBare(b, buffer.client, per)
		})
	}
}

// busySecond is a window of a plant as the simulated one has it.
func busySecond(facility string, n int) breakwater.Window {
	return breakwater.Window{FacilityID: facility, Time: t0.Add(time.Duration(n) * time.Second), PacketsPerSec: 42, BytesPerSec: 3120, UniqueSrcIPs: 6, UniqueDestIPs: 6,
		ProtocolMix: .6123456789, AvgPacketSize: 74.285714, InterArrivalMS: 23.612345,
		Raw: breakwater.RawFeatures{Protocols: map[breakwater.Protocol]int{breakwater.Modbus: 36, breakwater.TCP: 4, breakwater.ARP: 2}, Functions: map[string]int{"modbus/3": 12, "modbus/4": 6}}}
}

// each lets every facility do its share of b.N windows, in batches of per, and says how many windows a second that were.
func each(b *testing.B, per int, write func(facility, from int) error) {
	b.Helper()
	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	for f := range fleet {
		all.Go(func() {
			for from := per; left.Add(-int64(per)) > -int64(per); from += per {
				if err := write(f, from); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "windows/s")
	b.ReportMetric(0, "ns/op")
}

func writeWindows(b *testing.B, buffer window.Buffer, per int) {
	batch := func(facility string, from int) []breakwater.Window {
		windows := make([]breakwater.Window, per)
		for i := range windows {
			windows[i] = busySecond(facility, from+i)
		}
		return windows
	}
	for f := range fleet {
		if err := buffer.Begin(b.Context(), "plant-"+strconv.Itoa(f), batch("plant", 0), nil); err != nil {
			b.Fatal(err)
		}
	}
	each(b, per, func(f, from int) error {
		facility := "plant-" + strconv.Itoa(f)
		anew, err := buffer.Add(b.Context(), facility, batch(facility, from), nil)
		if anew {
			return fmt.Errorf("%s began anew at %d", facility, from)
		}
		return err
	})
}

func writeBare(b *testing.B, client rueidis.Client, per int) {
	each(b, per, func(f, from int) error {
		key := "bare-" + strconv.Itoa(f)
		add := client.B().Zadd().Key(key).ScoreMember()
		for i := range per {
			w := busySecond(key, from+i)
			text, err := json.Marshal(w)
			if err != nil {
				return err
			}
			add = add.ScoreMember(float64(w.Time.Unix()), rueidis.BinaryString(text))
		}
		last := t0.Unix() + int64(from+per-1)
		for _, answer := range client.DoMulti(context.Background(), add.Build(),
			client.B().Zremrangebyscore().Key(key).Min("-inf").Max(strconv.FormatInt(last-60, 10)).Build(), client.B().Expire().Key(key).Seconds(3600).Build()) {
			if err := answer.Error(); err != nil {
				return err
			}
		}
		return nil
	})
}

// costs measures, until what it returns is called, the CPU time of this process and of Redis.
func costs(b *testing.B, client rueidis.Client) (done func()) {
	here := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	there := func() (sum time.Duration) {
		text, err := client.Do(context.Background(), client.B().Info().Section("cpu").Build()).ToString()
		if err != nil {
			b.Fatal(err)
		}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if seconds, err := strconv.ParseFloat(value, 64); err == nil && (name == "used_cpu_user" || name == "used_cpu_sys") {
				sum += time.Duration(seconds * float64(time.Second))
			}
		}
		return sum
	}
	h, r := here(), there()
	return func() {
		b.ReportMetric(float64(here()-h)/1e3/float64(b.N), "node-µs/window")
		b.ReportMetric(float64(there()-r)/1e3/float64(b.N), "redis-µs/window")
	}
}

// BenchmarkMinute reads the last minute of a facility, as before an alert.
func BenchmarkMinute(b *testing.B) {
	buffers := map[string]window.Buffer{"memory": window.NewMemory(), "redis": open(b, redistest.Start(b).URL())}
	windows := make([]breakwater.Window, 60)
	for i := range windows {
		windows[i] = busySecond("north", i)
	}
	for name, buffer := range buffers {
		b.Run(name, func(b *testing.B) {
			if err := buffer.Begin(b.Context(), "north", windows, nil); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if m, err := buffer.Minute(b.Context(), "north"); err != nil || len(m.Windows) != 60 {
					b.Fatal(len(m.Windows), err)
				}
			}
		})
	}
}
