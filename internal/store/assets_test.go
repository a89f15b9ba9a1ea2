package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sighting is an asset of facility plant as a sensor might tell of it, made from a few numbers.
func sighting(ip string, after time.Duration, traits ...breakwater.Trait) breakwater.Asset {
	at := began.Add(after)
	return breakwater.Asset{FacilityID: "plant", IP: netip.MustParseAddr(ip), MAC: breakwater.MAC{0, 0x1b, 0x1b, 0, 0, byte(after / time.Second)}, MACSeen: at,
		Vendor: "Siemens", Traits: traits, Protocols: []breakwater.Protocol{breakwater.Modbus}, Peers: []netip.Addr{netip.MustParseAddr("10.0.0.2")},
		FirstSeen: at, LastSeen: at}
}

func assetsOf(t *testing.T, s *Store, f AssetFilter) []breakwater.Asset {
	t.Helper()
	f.Facilities, f.Page, f.Limit = []string{"plant"}, max(f.Page, 1), max(f.Limit, MaxPage)
	page, err := s.Assets(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	assets := make([]breakwater.Asset, len(page.Assets))
	for i, r := range page.Assets {
		assets[i] = r.Asset
	}
	return assets
}

func send(t *testing.T, s *Store, assets ...breakwater.Asset) {
	t.Helper()
	if _, err := s.SaveBatch(t.Context(), breakwater.Batch{FacilityID: "plant", Assets: assets}, nil); err != nil {
		t.Fatal(err)
	}
}

// What is told in any order, and any number of times, makes the same inventory.
func TestAssetsMergeInAnyOrder(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		var told []breakwater.Asset
		for i := range 30 {
			a := sighting(fmt.Sprintf("10.0.0.%d", 9+i%3), time.Duration(i%7)*time.Second, []breakwater.Trait{breakwater.Polls, breakwater.Answers, breakwater.Remote}[i%3])
			a.Protocols = []breakwater.Protocol{breakwater.Protocol(fmt.Sprintf("p%d", i%20))}
			for p := range 10 {
				a.Peers = append(a.Peers, netip.AddrFrom4([4]byte{10, 1, byte(i), byte(p)}))
			}
			if i%5 == 0 {
				a.MAC, a.MACSeen, a.Vendor = breakwater.MAC{}, time.Time{}, ""
			}
			told = append(told, a)
		}
		var want []breakwater.Asset
		for seed := range uint64(5) {
			empty(t, s)
			order := slices.Clone(told)
			r := rand.New(rand.NewPCG(seed, 2))
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for group := range slices.Chunk(order, 1+r.IntN(10)) {
				for range 1 + r.IntN(2) {
					send(t, s, group...)
				}
			}
			got := assetsOf(t, s, AssetFilter{})
			if want == nil {
				want = got
				if len(want) != 3 || len(want[0].Peers) != breakwater.PeersMax || want[0].IP.String() != "10.0.0.9" || want[1].IP.String() != "10.0.0.10" {
					t.Fatalf("the inventory is %+v", want)
				}
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Fatalf("seed %d (-first +this):\n%s", seed, diff)
			}
		}
	})
}

func TestAssetsAreFound(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		_, err := s.Assets(ctx, AssetFilter{Facilities: []string{"plant"}, Page: 1, Limit: 10})
		wantError(t, err, breakwater.NotFound, "there is no facility plant")
		_, err = s.Assets(ctx, AssetFilter{Facilities: []string{"Plant!"}, Page: 1, Limit: 10})
		wantError(t, err, breakwater.Invalid, "is not allowed")

		plc, hmi, far := sighting("10.0.0.11", 0, breakwater.Announced, breakwater.Answers), sighting("10.0.0.2", 0, breakwater.Polls), sighting("172.16.0.1", 0, breakwater.Remote)
		hmi.Vendor, hmi.Protocols = "Dell", []breakwater.Protocol{breakwater.Modbus, breakwater.ARP}
		v6, link := sighting("fd00::11", 0), sighting("10.0.0.1", 0, breakwater.Routes)
		link.IP = netip.Addr{}
		send(t, s, plc, hmi, far, v6, link)
		names := []breakwater.Asset{{FacilityID: "plant", IP: plc.IP, Name: "PLC 100% tank_1", Zone: "cell 3"}, {FacilityID: "plant", IP: netip.MustParseAddr("10.0.0.99"), Name: "spare"}}
		for range 2 {
			if err := s.NameAssets(ctx, "plant", names); err != nil {
				t.Fatal(err)
			}
		}
		send(t, s, plc) // what is seen does not take a name away
		for _, c := range []struct {
			name   string
			filter AssetFilter
			want   []string
		}{
			{"all, in order", AssetFilter{}, []string{"10.0.0.2", "10.0.0.11", "10.0.0.99", "172.16.0.1", "fd00::11", "00:1b:1b:00:00:00"}},
			{"role", AssetFilter{Roles: []breakwater.Role{breakwater.RoleController, breakwater.RoleGateway}}, []string{"10.0.0.11", "00:1b:1b:00:00:00"}},
			{"protocol", AssetFilter{Protocols: []breakwater.Protocol{breakwater.ARP}}, []string{"10.0.0.2"}},
			{"a part of a protocol is none", AssetFilter{Protocols: []breakwater.Protocol{"mod"}}, nil},
			{"zone", AssetFilter{Zones: []string{"cell 3"}}, []string{"10.0.0.11"}},
			{"vendor is not the gateway's", AssetFilter{Vendors: []string{"Siemens"}}, []string{"10.0.0.11", "fd00::11", "00:1b:1b:00:00:00"}},
			{"search name", AssetFilter{Search: "plc 100% TANK_"}, []string{"10.0.0.11"}},
			{"search is no pattern", AssetFilter{Search: "plc%tank"}, nil},
			{"search address", AssetFilter{Search: "10.0.0.1"}, []string{"10.0.0.11"}},
			{"search vendor", AssetFilter{Search: "dell"}, []string{"10.0.0.2"}},
			{"both", AssetFilter{Search: "10.", Roles: []breakwater.Role{breakwater.RoleMaster}}, []string{"10.0.0.2"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				var got []string
				for _, a := range assetsOf(t, s, c.filter) {
					got = append(got, a.ID())
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
		for _, a := range assetsOf(t, s, AssetFilter{}) {
			switch a.ID() {
			case "10.0.0.11":
				if a.Name != names[0].Name || a.Zone != "cell 3" || a.Role != breakwater.RoleController || a.Vendor != "Siemens" || !a.FirstSeen.Equal(began) {
					t.Errorf("the PLC is %+v", a)
				}
			case "10.0.0.99":
				if !a.FirstSeen.IsZero() || a.Role != breakwater.RoleUnknown || a.Peers == nil {
					t.Errorf("what was only named is %+v", a)
				}
			case "172.16.0.1":
				if a.MAC != (breakwater.MAC{}) || a.Vendor != "" || !a.MACSeen.IsZero() {
					t.Errorf("what is behind a gateway has its MAC: %+v", a)
				}
			}
		}
		page, err := s.Assets(ctx, AssetFilter{Facilities: []string{"plant"}, Page: 3, Limit: 2})
		if err != nil || page.Total != 6 || page.Pages != 3 || len(page.Assets) != 2 || page.Assets[1].MAC != link.MAC {
			t.Errorf("page 3: %+v, %v", page, err)
		}
		bad := sighting("10.0.0.12", 0)
		bad.FacilityID = "other"
		_, err = s.SaveBatch(ctx, breakwater.Batch{FacilityID: "plant", Assets: []breakwater.Asset{bad}}, nil)
		wantError(t, err, breakwater.Invalid, `an asset of facility "other"`)
		_, err = s.SaveBatch(ctx, breakwater.Batch{FacilityID: "plant", Assets: []breakwater.Asset{{FacilityID: "plant"}}}, nil)
		wantError(t, err, breakwater.Invalid, "neither an IP address nor a MAC")
	})
}

func TestFacilities(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if page, err := s.Facilities(ctx, 1, 10); err != nil || page.Total != 0 || page.Facilities == nil {
			t.Fatalf("none: %+v, %v", page, err)
		}
		send(t, s, sighting("10.0.0.11", 0), sighting("10.0.0.12", 0))
		if _, err := s.SaveBatch(ctx, batch(scan(0)), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SaveBaseline(ctx, "plant", []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
		sensor := breakwater.Sensor{FacilityID: "annex", Version: "1.0", Source: "eth1", HeardAt: began, ClockOffsetMS: -7, SpooledBytes: 1 << 40, LostWindows: 2, LostDetections: 1}
		for range 2 {
			if err := s.SaveSensor(ctx, sensor); err != nil {
				t.Fatal(err)
			}
		}
		page, err := s.Facilities(ctx, 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		seen := scan(0).Time
		want := []breakwater.Facility{
			{ID: "annex", Sensor: &sensor},
			{ID: "plant", LastSeen: &seen, Assets: 2, ActiveAlerts: 1, BaselineVersion: 1},
		}
		if diff := cmp.Diff(want, page.Facilities); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if page, err := s.Facilities(ctx, 2, 1); err != nil || page.Total != 2 || len(page.Facilities) != 1 || page.Facilities[0].ID != "plant" {
			t.Errorf("page 2: %+v, %v", page, err)
		}
		wantError(t, s.CheckFacility(ctx, "nowhere"), breakwater.NotFound, "there is no facility nowhere")
		if err := s.CheckFacility(ctx, "annex"); err != nil {
			t.Error(err)
		}
	})
}

func TestEvidenceIsFrozen(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		var before []breakwater.Second
		for i := range 60 {
			before = append(before, breakwater.Second{Window: breakwater.Window{FacilityID: "plant", Time: began.Add(time.Duration(i-60) * time.Second), PacketsPerSec: float64(i),
				Raw: breakwater.RawFeatures{Protocols: map[breakwater.Protocol]int{breakwater.Modbus: i}, Values: map[string]float64{"10.0.0.11/1/holding/4": 1}}}, Status: breakwater.Normal})
		}
		then := breakwater.Context{Analysis: "quiet", Seconds: before}
		touched, err := s.SaveBatch(ctx, batch(scan(0)), func(breakwater.Detection) breakwater.Context { return then })
		if err != nil {
			t.Fatal(err)
		}
		// What is known later changes nothing, nor does the same batch again.
		then = breakwater.Context{Analysis: "loud", Seconds: before[:1]}
		if _, err := s.SaveBatch(ctx, batch(scan(0), scan(time.Second)), func(breakwater.Detection) breakwater.Context { return then }); err != nil {
			t.Fatal(err)
		}
		got, err := s.Evidence(ctx, touched[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		for i := range before {
			before[i].Raw.Values = nil
		}
		if diff := cmp.Diff(before, got); diff != "" {
			t.Errorf("(-before +kept):\n%s", diff)
		}
		if got, err := s.Evidence(ctx, breakwater.NewID(began, "nothing")); err != nil || got == nil || len(got) != 0 {
			t.Errorf("evidence of nothing: %v, %v", got, err)
		}
	})
}

// After a restart the store tells what a server's memory knew.
func TestWhatWasIsRecalled(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		var windows []breakwater.Window
		for i := range 10 {
			windows = append(windows, breakwater.Window{FacilityID: "plant", Time: began.Truncate(time.Second).Add(time.Duration(i) * time.Second), PacketsPerSec: float64(i), Raw: breakwater.RawFeatures{Values: map[string]float64{"a/1/coil/0": 1}}})
		}
		b := batch(scan(0), write(5*time.Second), scan(9*time.Second))
		b.Windows = windows
		if _, err := s.SaveBatch(ctx, b, nil); err != nil {
			t.Fatal(err)
		}
		got, err := s.Windows(ctx, "plant", windows[2].Time, windows[8].Time)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(windows[2:8], got); diff != "" {
			t.Errorf("windows (-want +got):\n%s", diff)
		}
		found, err := s.Detected(ctx, "plant", began.Add(time.Second), began.Add(9*time.Second))
		if err != nil || len(found) != 1 || !found[0].Time.Equal(write(5*time.Second).Time) || found[0].Severity != write(0).Severity {
			t.Errorf("detected: %+v, %v", found, err)
		}
		hits, err := s.Hits(ctx)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]Hits{scan(0).Model: {Alerts: 1, Count: 2, Last: scan(9 * time.Second).Time}, write(0).Model: {Alerts: 1, Count: 3, Last: write(5 * time.Second).Time}}
		if diff := cmp.Diff(want, hits); diff != "" {
			t.Errorf("hits (-want +got):\n%s", diff)
		}
	})
}
