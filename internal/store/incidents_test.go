package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// intrusion is a detection of client against asset.
func intrusion(client, asset string, after time.Duration) breakwater.Detection {
	d := at(scan(after), asset)
	d.Talk.Client, d.Talk.Server = netip.MustParseAddr(client), netip.MustParseAddr("10.0.0.11")
	return d
}

func TestIncidents(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		name       string
		detections []breakwater.Detection
		want       []string // assets of each incident, in order of time
	}{
		{"one alert", []breakwater.Detection{intrusion("10.0.0.57", "a", 0)}, nil},
		{"one attacker", []breakwater.Detection{intrusion("10.0.0.57", "a", 0), intrusion("10.0.0.57", "b", 30*minute)}, []string{"a b"}},
		{"two attackers", []breakwater.Detection{intrusion("10.0.0.57", "a", 0), intrusion("10.0.0.58", "b", 30*minute)}, nil},
		{"silent for an hour", []breakwater.Detection{intrusion("10.0.0.57", "a", 0), intrusion("10.0.0.57", "b", 60*minute)}, []string{"a b"}},
		{"silent for more", []breakwater.Detection{intrusion("10.0.0.57", "a", 0), intrusion("10.0.0.57", "b", 60*minute+1)}, nil},
		{"joined by what lies between, told last", []breakwater.Detection{intrusion("10.0.0.57", "a", 0), intrusion("10.0.0.57", "b", 90*minute), intrusion("10.0.0.57", "c", 45*minute)}, []string{"a c b"}},
		{"from asset to asset", []breakwater.Detection{intrusion("10.0.0.57", "10.0.0.2", 0), intrusion("10.0.0.2", "10.0.0.12", 20*minute), intrusion("10.0.0.12", "d", 70*minute)}, []string{"10.0.0.2 10.0.0.12 d"}},
		{"from asset to asset, told backwards", []breakwater.Detection{intrusion("10.0.0.12", "d", 70*minute), intrusion("10.0.0.2", "10.0.0.12", 20*minute), intrusion("10.0.0.57", "10.0.0.2", 0)}, []string{"10.0.0.2 10.0.0.12 d"}},
		{"the asset attacked before it was attacked", []breakwater.Detection{intrusion("10.0.0.2", "d", 0), intrusion("10.0.0.57", "10.0.0.2", minute)}, nil},
		{"the asset goes on attacking", []breakwater.Detection{intrusion("10.0.0.2", "d", 0), intrusion("10.0.0.57", "10.0.0.2", minute), intrusion("10.0.0.2", "e", 2*minute)}, []string{"d 10.0.0.2 e"}},
		{"too late from asset to asset", []breakwater.Detection{intrusion("10.0.0.57", "10.0.0.2", 0), intrusion("10.0.0.2", "d", 61*minute)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachEngine(t, func(t *testing.T, s *Store) {
				for _, d := range c.detections {
					save(t, s, batch(d))
				}
				page, err := s.Incidents(context.Background(), IncidentQuery{Limit: 10})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, n := range page.Incidents {
					got = append(got, strings.Join(n.Assets, " "))
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestIncidentOfOneAttack(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		first := save(t, s, batch(intrusion("10.0.0.57", "10.0.0.2", 0)))[0]
		second := write(20 * time.Minute)
		second.Talk.Client, second.Asset = netip.MustParseAddr("10.0.0.2"), "10.0.0.12"
		last := save(t, s, batch(second))[0]
		lone := save(t, s, batch(intrusion("10.0.0.99", "10.0.0.77", 0)))[0]
		setStatus(t, s, first.ID, breakwater.StatusResolved)
		want := &breakwater.Incident{ID: first.ID, FacilityID: "plant", FirstSeen: began, LastSeen: began.Add(20 * time.Minute), Severity: breakwater.Critical, AlertCount: 2, Unresolved: 1,
			Attackers: []string{"10.0.0.57", "10.0.0.2"}, Assets: []string{"10.0.0.2", "10.0.0.12"}, Techniques: []string{"T0846", "T0855"}}
		for _, id := range []breakwater.ID{first.ID, last.ID} { // any of its alerts finds it
			got, alerts, err := s.Incident(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{first.ID.String(), last.ID.String()}, idsOf(alerts)); diff != "" || len(alerts[0].Sources) != 1 {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		}
		for _, id := range []breakwater.ID{lone.ID, breakwater.NewID(began, "none")} {
			_, _, err := s.Incident(ctx, id)
			wantError(t, err, breakwater.NotFound, "there is no incident")
		}
	})
}

func TestIncidentPages(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		for i := range 7 {
			for _, asset := range []string{"a", "b"} {
				d := intrusion(fmt.Sprintf("10.0.1.%d", i), fmt.Sprint(asset, i), time.Duration(i/2)*time.Hour) // two and two at the same time
				d.FacilityID = []string{"plant", "dam"}[i%2]
				save(t, s, breakwater.Batch{FacilityID: d.FacilityID, Detections: []breakwater.Detection{d}})
			}
		}
		read := func(q IncidentQuery) (all []breakwater.Incident) {
			for {
				page, err := s.Incidents(ctx, q)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, page.Incidents...)
				if q.After = page.Next; q.After == "" {
					if page.Total != len(all) {
						t.Errorf("%+v: total %d, and %d on all pages", q, page.Total, len(all))
					}
					return all
				}
			}
		}
		all := read(IncidentQuery{Limit: 2})
		if len(all) != 7 || !slices.IsSortedFunc(all, func(a, b breakwater.Incident) int { return b.LastSeen.Compare(a.LastSeen) }) {
			t.Errorf("%d incidents: %+v", len(all), all)
		}
		for _, c := range []struct {
			q    IncidentQuery
			want int
		}{
			{IncidentQuery{Facilities: []string{"dam"}, Limit: 1}, 3}, {IncidentQuery{Facilities: []string{"dam", "plant"}, Limit: 200}, 7},
			{IncidentQuery{From: began.Add(2 * time.Hour), Limit: 3}, 3}, {IncidentQuery{To: began.Add(time.Hour), Limit: 3}, 2}, {IncidentQuery{Facilities: []string{"x"}, Limit: 3}, 0},
		} {
			if got := read(c.q); len(got) != c.want {
				t.Errorf("%+v: %d incidents, want %d", c.q, len(got), c.want)
			}
		}
		for _, bad := range []string{"x", "!", "MjAyNi0wMy0wMQ"} {
			_, err := s.Incidents(ctx, IncidentQuery{Limit: 1, After: bad})
			wantError(t, err, breakwater.Invalid, "is not a next_cursor")
		}
		_, err := s.Incidents(ctx, IncidentQuery{Limit: 201})
		wantError(t, err, breakwater.Invalid, "201")
	})
}

// Whatever the order in which facilities' detections come, and however they are cut into batches: the incidents are
// those that the definition gives for all of them.
func TestIncidentsModel(t *testing.T) {
	forEachEngine(t, func(test *testing.T, s *Store) {
		rapid.Check(test, func(t *rapid.T) {
			empty(test, s)
			addr := rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"})
			now := began
			var all []breakwater.Detection
			for i := range rapid.IntRange(0, 20).Draw(t, "detections") {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Minute, 10 * time.Minute, 59 * time.Minute, 61 * time.Minute}).Draw(t, "gap"))
				d := intrusion(addr.Draw(t, "client"), addr.Draw(t, "asset"), 0)
				d.Time, d.Model = now.Add(time.Duration(i)), rapid.SampledFrom([]string{"port-scan", "flood"}).Draw(t, "model")
				d.Confidence = float64(rapid.IntRange(0, 9).Draw(t, "confidence")) / 10 // a stronger one takes the source's conversation
				all = append(all, d)
			}
			// A sensor sends in order; what was spooled, or a capture, comes as a whole before or after.
			cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
			saveCut(t, s, all[cut:])
			saveCut(t, s, all[:cut])
			if rapid.Bool().Draw(t, "again") {
				saveCut(t, s, all)
			}
			rows, err := readAll(s)
			if err != nil {
				t.Fatal(err)
			}
			want, got := incidentModel(rows, all), map[string][]string{}
			for _, r := range rows {
				got[r.incident.String()] = append(got[r.incident.String()], r.ID.String())
			}
			for _, ids := range got {
				slices.Sort(ids)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("incidents (-want +got):\n%s", diff)
			}
			checkIncidentRows(t, s, rows, want)
		})
	})
}

// incidentModel is the alerts of each incident, by the id of the first, as breakwater.Incident defines it.
func incidentModel(rows []alertRow, all []breakwater.Detection) map[string][]string {
	type spell struct {
		client   string
		from, to time.Time
		alerts   []int
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b breakwater.Detection) int { return a.Time.Compare(b.Time) })
	alertOf := func(d breakwater.Detection) int { // the one that has counted it
		return slices.IndexFunc(rows, func(r alertRow) bool {
			return r.Asset == d.Asset && slices.ContainsFunc(r.Sources, func(s breakwater.Source) bool {
				return s.Model == d.Model && !d.Time.Before(s.DetectedAt) && !d.Time.After(s.CountedUntil)
			})
		})
	}
	var spells []*spell
	for _, d := range sorted {
		client := d.Talk.Client.String()
		i := slices.IndexFunc(spells, func(s *spell) bool { return s.client == client && d.Time.Sub(s.to) <= breakwater.IncidentGap })
		if i < 0 {
			spells = append(spells, &spell{client: client, from: d.Time})
			i = len(spells) - 1
		}
		spells[i].to = d.Time
		spells[i].alerts = append(spells[i].alerts, alertOf(d))
	}
	parent := make([]int, len(rows))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			i = parent[i]
		}
		return i
	}
	for _, s := range spells {
		for i, r := range rows {
			if r.Asset == s.client && !s.to.Before(r.Timestamp) && s.from.Sub(r.LastSeen) <= breakwater.IncidentGap {
				s.alerts = append(s.alerts, i)
			}
		}
		for _, i := range s.alerts {
			parent[root(i)] = root(s.alerts[0])
		}
	}
	groups := map[int][]string{}
	for i, r := range rows {
		groups[root(i)] = append(groups[root(i)], r.ID.String())
	}
	out := map[string][]string{}
	for _, ids := range groups {
		slices.Sort(ids)
		out[ids[0]] = ids
	}
	return out
}

// checkIncidentRows compares table incidents with the alerts.
func checkIncidentRows(t *rapid.T, s *Store, rows []alertRow, groups map[string][]string) {
	want := map[string]breakwater.Incident{}
	for id, alerts := range groups {
		if len(alerts) == 1 {
			continue
		}
		n := breakwater.Incident{AlertCount: len(alerts), FacilityID: "plant"}
		for _, r := range rows {
			if slices.Contains(alerts, r.ID.String()) {
				if n.FirstSeen.IsZero() || r.Timestamp.Before(n.FirstSeen) {
					n.FirstSeen = r.Timestamp
				}
				if r.LastSeen.After(n.LastSeen) {
					n.LastSeen = r.LastSeen
				}
			}
		}
		want[id] = n
	}
	got := map[string]breakwater.Incident{}
	err := s.view(context.Background(), "reading incidents", func(tx *sql.Tx) error {
		all, err := selectIncidents(context.Background(), tx, "")
		for _, n := range all {
			got[n.ID.String()] = n
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(breakwater.Incident{}, "ID")); diff != "" {
		t.Fatalf("table incidents (-want +got):\n%s", diff)
	}
}
