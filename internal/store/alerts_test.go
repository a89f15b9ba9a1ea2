package store

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var began = time.Date(2026, 3, 1, 8, 0, 0, 123456789, time.UTC)

// scan is a port scan of 10.0.0.11, so long after the beginning.
func scan(after time.Duration) breakwater.Detection {
	return breakwater.Detection{
		FacilityID: "plant", Time: began.Add(after), Layer: breakwater.LayerAnomaly, Model: "port-scan", Asset: "10.0.0.11",
		Severity: breakwater.High, Confidence: 0.9, Technique: "T0846", TechniqueName: "Remote System Discovery",
		Title: "Port scan", Evidence: "10.0.0.57 tried 20 ports of 10.0.0.11 in 4 s.", LookAt: "Who is 10.0.0.57?", Count: 1,
		Talk: breakwater.Conversation{Client: netip.MustParseAddr("10.0.0.57"), Server: netip.MustParseAddr("10.0.0.11"), Protocol: breakwater.TCP},
	}
}

// write is a write to the same device by a host that never wrote.
func write(after time.Duration) breakwater.Detection {
	d := scan(after)
	d.Model, d.Layer, d.Severity, d.Confidence = "write-from-new-host", breakwater.LayerTechnique, breakwater.Critical, 0.95
	d.Technique, d.TechniqueName, d.Title, d.Evidence, d.Count = "T0855", "Unauthorized Command Message", "Write from a new host", "10.0.0.57 wrote coils 0-9 of 10.0.0.11.", 3
	d.Talk.Protocol, d.Talk.Port = breakwater.Modbus, 502
	return d
}

func at(d breakwater.Detection, asset string) breakwater.Detection { d.Asset = asset; return d }

func batch(detections ...breakwater.Detection) breakwater.Batch {
	return breakwater.Batch{FacilityID: "plant", Detections: detections}
}

func save(t *testing.T, s *Store, b breakwater.Batch) []TouchedAlert {
	t.Helper()
	touched, err := s.SaveBatch(context.Background(), b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return touched
}

func setStatus(t *testing.T, s *Store, id breakwater.ID, status breakwater.Status) {
	t.Helper()
	if _, changed, err := s.ChangeAlert(context.Background(), id, AlertChange{Status: status, By: "ada", At: began}); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
}

// compare holds addresses comparable and takes no list for an empty one.
var compare = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

// What is read back is, to the nanosecond, what the root package made of the detections.
func TestAlertRoundTrip(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		asked := 0
		touched, err := s.SaveBatch(ctx, batch(scan(0), write(time.Minute), scan(2*time.Minute)), func(d breakwater.Detection) breakwater.Context {
			asked++
			return breakwater.Context{Analysis: "quiet before " + d.Time.Format(time.RFC3339)}
		})
		if err != nil {
			t.Fatal(err)
		}
		want := breakwater.NewAlert(scan(0))
		want.Absorb(write(time.Minute))
		want.Absorb(scan(2 * time.Minute))
		want.Version, want.ContextAnalysis = 1, "quiet before 2026-03-01T08:00:00Z"
		if len(touched) != 1 || !touched[0].Created || !touched[0].Changed || asked != 1 {
			t.Fatalf("touched %+v, analysis asked %d times", touched, asked)
		}
		if diff := cmp.Diff(want, touched[0].Alert, compare); diff != "" {
			t.Errorf("touched (-want +got):\n%s", diff)
		}
		got, err := s.Alert(ctx, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, compare); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}

		// A second batch adds, and its touched alert says only what is new.
		touched = save(t, s, batch(scan(3*time.Minute)))
		want.Absorb(scan(3 * time.Minute))
		want.Version = 2
		if touched[0].Created || !touched[0].Changed || len(touched[0].History) != 1 || touched[0].Version != 2 {
			t.Errorf("touched again: %+v", touched[0])
		}
		if got, _ = s.Alert(ctx, want.ID); !cmp.Equal(want, got, compare) {
			t.Errorf("stored again (-want +got):\n%s", cmp.Diff(want, got, compare))
		}

		_, err = s.Alert(ctx, breakwater.NewID(began, "none"))
		wantError(t, err, breakwater.NotFound, "there is no alert")
	})
}

func TestCorrelation(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		name    string
		batches [][]breakwater.Detection
		closed  int // the first alert is closed after so many batches; 0: never
		want    []int
	}{
		{"one", [][]breakwater.Detection{{scan(0)}}, 0, []int{1}},
		{"within five minutes", [][]breakwater.Detection{{scan(0)}, {scan(5 * minute)}}, 0, []int{2}},
		{"within a microsecond", [][]breakwater.Detection{{scan(0)}, {scan(1)}, {scan(0), scan(1), scan(200)}}, 0, []int{3}},
		{"after five minutes", [][]breakwater.Detection{{scan(0)}, {scan(5*minute + 1)}}, 0, []int{1, 1}},
		{"five minutes after the last", [][]breakwater.Detection{{scan(0), scan(4 * minute)}, {scan(8 * minute)}}, 0, []int{3}},
		{"another asset", [][]breakwater.Detection{{scan(0), at(scan(1), "10.0.0.12")}}, 0, []int{1, 1}},
		{"closed in between", [][]breakwater.Detection{{scan(0)}, {scan(time.Second)}}, 1, []int{1, 1}},
		{"redelivered", [][]breakwater.Detection{{scan(0), write(1)}, {scan(0), write(1)}}, 0, []int{4}},
		{"redelivered after closing", [][]breakwater.Detection{{scan(0), write(1)}, {scan(0), write(1)}}, 1, []int{4}},
		{"redelivered with more after closing", [][]breakwater.Detection{{scan(0)}, {scan(0), scan(minute)}}, 1, []int{1, 1}},
		{"closed within the millisecond of its beginning", [][]breakwater.Detection{{scan(0)}, {scan(1000)}}, 1, []int{2}},
		{"nothing", [][]breakwater.Detection{{}}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachEngine(t, func(t *testing.T, s *Store) {
				var first breakwater.ID
				for i, detections := range c.batches {
					touched := save(t, s, batch(detections...))
					if i == 0 && len(touched) > 0 {
						first = touched[0].ID
					}
					if i+1 == c.closed {
						setStatus(t, s, first, breakwater.StatusResolved)
					}
				}
				page, err := s.Alerts(context.Background(), AlertQuery{Page: 1, Limit: 200})
				if err != nil {
					t.Fatal(err)
				}
				var counts []int
				for _, a := range page.Alerts {
					counts = append([]int{a.Count}, counts...) // oldest first
				}
				if diff := cmp.Diff(c.want, counts); diff != "" {
					t.Errorf("counts (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRedeliveredIsTouchedButNotChanged(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		b := batch(scan(0), write(time.Second), at(scan(2*time.Second), "10.0.0.12"))
		first, again := save(t, s, b), save(t, s, b)
		if len(first) != 2 || len(again) != 2 {
			t.Fatalf("touched %d, then %d alerts, want 2", len(first), len(again))
		}
		for i := range again {
			if again[i].Created || again[i].Changed || again[i].Version != 1 {
				t.Errorf("redelivery: %+v", again[i])
			}
			if diff := cmp.Diff(first[i].Alert, again[i].Alert, compare, cmpopts.IgnoreFields(breakwater.Alert{}, "History")); diff != "" {
				t.Errorf("redelivery changed (-before +after):\n%s", diff)
			}
		}
	})
}

// An alert is published as it will be read again: in UTC.
func TestTouchedIsUTC(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		d := scan(0)
		d.Time = d.Time.In(time.FixedZone("plant time", 2*3600))
		a := save(t, s, batch(d))[0]
		for name, at := range map[string]time.Time{"timestamp": a.Timestamp, "last seen": a.LastSeen, "source": a.Sources[0].DetectedAt, "history": a.History[0].Time} {
			if at.Location() != time.UTC || !at.Equal(began) {
				t.Errorf("%s is %v", name, at)
			}
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		total := breakwater.AlertEventsMax + 50
		var all []breakwater.Detection
		for i := range total {
			all = append(all, scan(time.Duration(i)*time.Second))
		}
		save(t, s, batch(all[:150]...))
		id := save(t, s, batch(all[150:]...))[0].ID
		a, err := s.Alert(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.History) != breakwater.AlertEventsMax || a.Count != total {
			t.Errorf("%d lines of history, count %d", len(a.History), a.Count)
		}
		for i, e := range a.History {
			if !e.Time.Equal(all[i].Time) {
				t.Fatalf("line %d is of %v, want %v", i, e.Time, all[i].Time)
			}
		}
	})
}

func TestList(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		for i := range 7 {
			d := scan(time.Duration(i/2) * time.Hour) // two and two at the same time
			d.Asset = fmt.Sprintf("10.0.0.%d", i)
			d.Severity = []breakwater.Severity{breakwater.High, breakwater.Low}[i%2]
			d.FacilityID = []string{"plant", "dam"}[i%2]
			touched := save(t, s, breakwater.Batch{FacilityID: d.FacilityID, Detections: []breakwater.Detection{d}})
			if i == 0 {
				setStatus(t, s, touched[0].ID, breakwater.StatusResolved)
			}
		}
		for _, c := range []struct {
			name        string
			f           AlertQuery
			on, of, pgs int
		}{
			{"all", AlertQuery{Page: 1, Limit: 200}, 7, 7, 1},
			{"first page", AlertQuery{Page: 1, Limit: 3}, 3, 7, 3},
			{"last page", AlertQuery{Page: 3, Limit: 3}, 1, 7, 3},
			{"past the last", AlertQuery{Page: 4, Limit: 3}, 0, 7, 3},
			{"far past the last", AlertQuery{Page: 50, Limit: 200}, 0, 7, 1},
			{"facility", AlertQuery{AlertFilter: AlertFilter{Facilities: []string{"dam"}}, Page: 1, Limit: 10}, 3, 3, 1},
			{"facilities", AlertQuery{AlertFilter: AlertFilter{Facilities: []string{"dam", "plant"}}, Page: 1, Limit: 10}, 7, 7, 1},
			{"severity and status", AlertQuery{AlertFilter: AlertFilter{Severities: []breakwater.Severity{"high"}, Statuses: []breakwater.Status{"resolved"}}, Page: 1, Limit: 10}, 1, 1, 1},
			{"none", AlertQuery{AlertFilter: AlertFilter{Facilities: []string{"x' OR '1'='1"}}, Page: 1, Limit: 10}, 0, 0, 0},
		} {
			page, err := s.Alerts(ctx, c.f)
			if err != nil || len(page.Alerts) != c.on || page.Total != c.of || page.Pages != c.pgs {
				t.Errorf("%s: %d of %d on %d pages (%v), want %d of %d on %d", c.name, len(page.Alerts), page.Total, page.Pages, err, c.on, c.of, c.pgs)
			}
			for i := 1; i < len(page.Alerts); i++ {
				a, b := page.Alerts[i-1], page.Alerts[i]
				if a.Timestamp.Before(b.Timestamp) || a.Timestamp.Equal(b.Timestamp) && a.ID.String() < b.ID.String() {
					t.Errorf("%s: %v %s stands before %v %s", c.name, a.Timestamp, a.ID, b.Timestamp, b.ID)
				}
			}
		}
		for _, bad := range []AlertQuery{{}, {Page: 1}, {Limit: 1}, {Page: 1, Limit: 201}, {Page: -1, Limit: 10}} {
			_, err := s.Alerts(ctx, bad)
			wantError(t, err, breakwater.Invalid, "pages count from 1 and hold 1 to 200")
		}
	})
}

func TestWindows(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		w := breakwater.Window{FacilityID: "plant", Time: began.Truncate(time.Second), PacketsPerSec: 3, BytesPerSec: 300, UniqueSrcIPs: 2, UniqueDestIPs: 2,
			ProtocolMix: 0.5, FailedConns: 1, AvgPacketSize: 100, InterArrivalMS: 333.3, Raw: breakwater.RawFeatures{Protocols: map[breakwater.Protocol]int{"modbus": 3}}}
		short := w
		short.PacketsPerSec = 1
		later := w
		later.Time = w.Time.Add(time.Second)
		for _, windows := range [][]breakwater.Window{{short}, {w, later}, {w, later}} {
			save(t, s, breakwater.Batch{FacilityID: "plant", Windows: windows})
		}
		var n int
		var packets float64
		var raw string
		var seen stamp
		if err := s.read.QueryRow(`SELECT count(*), max(packets_per_sec), min(CAST(raw_features AS TEXT)), (SELECT last_seen FROM facilities WHERE id = 'plant') FROM network_data`).Scan(&n, &packets, &raw, &seen); err != nil {
			t.Fatal(err)
		}
		if n != 2 || packets != 3 || raw != `{"protocols":{"modbus":3}}` {
			t.Errorf("%d windows, %v packets, raw %s", n, packets, raw)
		}
		if want := later.End(); !time.Time(seen).Equal(want) {
			t.Errorf("facility last seen %v, want %v", time.Time(seen), want)
		}
		// What is older does not move it back.
		save(t, s, breakwater.Batch{FacilityID: "plant", Windows: []breakwater.Window{w}})
		if err := s.read.QueryRow(`SELECT last_seen FROM facilities`).Scan(&seen); err != nil || !time.Time(seen).Equal(later.End()) {
			t.Errorf("facility last seen %v (%v) after an old batch", time.Time(seen), err)
		}
	})
}

func TestBadBatch(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		for _, c := range []struct {
			name  string
			spoil func(*breakwater.Batch)
			says  string
		}{
			{"facility", func(b *breakwater.Batch) { b.FacilityID = "Plant 1" }, `facility id "Plant 1" is not allowed`},
			{"detection of another", func(b *breakwater.Batch) { b.Detections[1].FacilityID = "dam" }, `a detection of facility "dam"`},
			{"window of another", func(b *breakwater.Batch) { b.Windows[0].FacilityID = "dam" }, `a window of facility "dam"`},
			{"far future", func(b *breakwater.Batch) { b.Detections[1].Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "year 10000"},
			{"window of the far future", func(b *breakwater.Batch) { b.Windows[0].Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "timestamp 10000-01-01"},
			{"window of no second", func(b *breakwater.Batch) { b.Windows[0].Time = began }, "not the beginning of a second"},
			{"window of negative traffic", func(b *breakwater.Batch) { b.Windows[0].FailedConns = -1 }, "failed_connections -1"},
			{"window of endless traffic", func(b *breakwater.Batch) { b.Windows[0].PacketsPerSec = 1e300 }, "packets_per_sec 1e+300"},
			{"window of no mix", func(b *breakwater.Batch) { b.Windows[0].ProtocolMix = math.NaN() }, "protocol_distribution NaN"},
			{"peer", func(b *breakwater.Batch) { b.Assets[0].Peers = []netip.Addr{{}} }, "peer that is no address"},
			{"trait", func(b *breakwater.Batch) { b.Assets[0].Traits = []breakwater.Trait{""} }, "protocol or trait that is none"},
			{"protocol", func(b *breakwater.Batch) { b.Assets[0].Protocols = []breakwater.Protocol{"mod\x00bus"} }, "protocol or trait that is none"},
			{"vendor", func(b *breakwater.Batch) { b.Assets[0].Vendor = "\x00" }, "assets.vendor holds control characters"},
			{"asset", func(b *breakwater.Batch) { b.Detections[1].Asset = "" }, "without asset or model"},
			{"layer", func(b *breakwater.Batch) { b.Detections[1].Layer = 4 }, "layer 4"},
			{"severity", func(b *breakwater.Batch) { b.Detections[1].Severity = "urgent" }, `severity "urgent"`},
			{"confidence", func(b *breakwater.Batch) { b.Detections[1].Confidence = math.NaN() }, "confidence NaN"},
			{"count", func(b *breakwater.Batch) { b.Detections[1].Count = 0 }, "happened 0 times"},
		} {
			b := batch(scan(0), write(1))
			b.Windows = []breakwater.Window{{FacilityID: "plant", Time: began.Truncate(time.Second)}}
			b.Assets = []breakwater.Asset{{FacilityID: "plant", IP: netip.MustParseAddr("10.0.0.11")}}
			c.spoil(&b)
			_, err := s.SaveBatch(context.Background(), b, nil)
			wantError(t, err, breakwater.Invalid, c.says)
		}
		var n int
		if err := s.read.QueryRow("SELECT (SELECT count(*) FROM alerts) + (SELECT count(*) FROM network_data) + (SELECT count(*) FROM facilities)").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows of bad batches were kept (%v)", n, err)
		}
	})
}

// Whatever was saved before a crash, and however it is cut into batches: the whole from the beginning gives what an
// undisturbed run gives. Where an analyst closed alerts in between, every detection is still counted once.
func TestReplayProperty(t *testing.T) {
	forEachEngine(t, func(test *testing.T, s *Store) {
		rapid.Check(test, func(t *rapid.T) {
			detections := drawDetections(t)
			empty(test, s)
			saveCut(t, s, detections)
			want := everything(t, s)

			empty(test, s)
			saveCut(t, s, detections[:rapid.IntRange(0, len(detections)).Draw(t, "saved before the crash")])
			saveCut(t, s, detections)
			if diff := cmp.Diff(want, everything(t, s), compare, cmpopts.IgnoreFields(breakwater.Alert{}, "Version")); diff != "" {
				t.Fatalf("crash and replay differ (-undisturbed +replayed):\n%s", diff)
			}
			before := everything(t, s)
			saveCut(t, s, detections)
			if diff := cmp.Diff(before, everything(t, s), compare); diff != "" {
				t.Fatalf("a second replay changed something (-before +after):\n%s", diff)
			}
		})
	})
}

func TestReplayAfterClosingProperty(t *testing.T) {
	forEachEngine(t, func(test *testing.T, s *Store) {
		rapid.Check(test, func(t *rapid.T) {
			detections := drawDetections(t)
			empty(test, s)
			saveCut(t, s, detections[:rapid.IntRange(0, len(detections)).Draw(t, "saved before the closing")])
			closed := map[breakwater.ID]breakwater.Alert{}
			for _, a := range everything(t, s) {
				if rapid.Bool().Draw(t, "close") {
					if _, err := s.write.Exec("UPDATE alerts SET status = 'resolved' WHERE id = $1", idText(a.ID)); err != nil {
						t.Fatal(err)
					}
					a.Status = breakwater.StatusResolved
					closed[a.ID] = a
				}
			}
			saveCut(t, s, detections)
			after := everything(t, s)
			got := map[string]int{}
			for _, a := range after {
				for _, src := range a.Sources {
					got[a.Asset+" "+src.Model] += src.Count
				}
				if before, ok := closed[a.ID]; ok {
					if diff := cmp.Diff(before, a, compare); diff != "" {
						t.Fatalf("a closed alert changed (-before +after):\n%s", diff)
					}
				}
			}
			want := map[string]int{}
			for _, d := range detections {
				want[d.Asset+" "+d.Model] += d.Count
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("counts (-want +got):\n%s", diff)
			}
			saveCut(t, s, detections)
			if diff := cmp.Diff(after, everything(t, s), compare); diff != "" {
				t.Fatalf("a second replay changed something (-before +after):\n%s", diff)
			}
		})
	})
}

// drawDetections draws what a sensor may say: in order of time, of a few assets and models, with gaps below and
// above CorrelationSpan; for one asset and model the times strictly increase.
func drawDetections(t *rapid.T) []breakwater.Detection {
	now := began
	all := []breakwater.Detection{}
	last := map[string]time.Time{}
	for range rapid.IntRange(0, 30).Draw(t, "detections") {
		now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 3 * time.Minute, breakwater.CorrelationSpan, 6 * time.Minute}).Draw(t, "gap"))
		d := []breakwater.Detection{scan(0), write(0)}[rapid.IntRange(0, 1).Draw(t, "model")]
		d.Time = now
		d.Asset = rapid.SampledFrom([]string{"10.0.0.11", "10.0.0.12"}).Draw(t, "asset")
		d.Count = rapid.IntRange(1, 3).Draw(t, "count")
		if last[d.Asset+d.Model].Equal(now) {
			continue
		}
		last[d.Asset+d.Model] = now
		all = append(all, d)
	}
	return all
}

// saveCut saves the detections in batches of any size.
func saveCut(t *rapid.T, s *Store, all []breakwater.Detection) {
	for len(all) > 0 {
		n := rapid.IntRange(1, len(all)).Draw(t, "batch")
		if _, err := s.SaveBatch(context.Background(), batch(all[:n]...), nil); err != nil {
			t.Fatal(err)
		}
		all = all[n:]
	}
}

// everything is all alerts with their history.
func everything(t *rapid.T, s *Store) []breakwater.Alert {
	page, err := s.Alerts(context.Background(), AlertQuery{Page: 1, Limit: MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Alerts {
		a, err := s.Alert(context.Background(), page.Alerts[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		page.Alerts[i] = *a
	}
	return page.Alerts
}

func BenchmarkSaveBatch(b *testing.B) {
	s, err := Open(context.Background(), "sqlite://"+b.TempDir()+"/b.db")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(context.Background()); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() { // ten seconds of a busy facility in one batch
		var one breakwater.Batch
		one.FacilityID = "plant"
		for range 10 {
			n++
			one.Windows = append(one.Windows, breakwater.Window{FacilityID: "plant", Time: began.Truncate(time.Second).Add(time.Duration(n) * time.Second)})
			one.Detections = append(one.Detections, scan(time.Duration(n)*time.Second))
		}
		if _, err := s.SaveBatch(context.Background(), one, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBegin begins alerts, which is what the index costs most for: one in a batch, and a hundred.
func BenchmarkBegin(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": engines["sqlite file"], "postgres": engines["postgres"]} {
		for _, size := range []int{1, 100} {
			if url == nil {
				continue
			}
			b.Run(fmt.Sprint(name, "/", size), func(b *testing.B) {
				s := migrated(b, url(b))
				n := 0
				for b.Loop() {
					var one breakwater.Batch
					one.FacilityID = "plant"
					for range size {
						n++
						d := at(scan(time.Duration(n)*time.Second), fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255))
						d.Evidence = fmt.Sprintf("10.0.0.%d tried %d ports of %s in %d s.", n%250, n%1000, d.Asset, n%60)
						one.Detections = append(one.Detections, d)
					}
					if _, err := s.SaveBatch(context.Background(), one, nil); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "alerts/s")
			})
		}
	}
}
