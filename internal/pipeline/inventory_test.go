package pipeline

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/detect"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// host is an endpoint with a MAC of its own, which ends in n.
func host(addr string, port uint16, n byte) breakwater.Endpoint {
	return breakwater.Endpoint{MAC: breakwater.MAC{0, 0x1b, 0x1b, 0, 0, n}, Addr: netip.MustParseAddr(addr), Port: port}
}

func (v *inventory) sees(after time.Duration, src, dst breakwater.Endpoint, p breakwater.Protocol) {
	v.Frame(&breakwater.Frame{Time: t0.Add(after), Src: src, Dst: dst, Protocol: p, Length: 60})
}

func (v *inventory) hears(after time.Duration, p breakwater.Protocol, k breakwater.Kind, c breakwater.Class, src, dst breakwater.Endpoint) {
	v.Event(&breakwater.Event{Time: t0.Add(after), Protocol: p, Kind: k, Class: c, Src: src, Dst: dst, FromServer: k == breakwater.Response})
}

// roles are the roles of what an inventory tells, by id.
func roles(assets []breakwater.Asset) map[string]breakwater.Role {
	out := map[string]breakwater.Role{}
	for i := range assets {
		out[assets[i].ID()] = assets[i].Role
	}
	return out
}

// The rule of roles: what a device does makes it what it is.
func TestRoles(t *testing.T) {
	t.Parallel()
	a, b := host("10.0.0.2", 40001, 2), host("10.0.0.11", 502, 11)
	web, dns := host("10.0.0.5", 443, 5), host("10.0.0.6", 53, 6)
	arp := func(v *inventory, p breakwater.Endpoint) {
		v.Event(&breakwater.Event{Time: t0, Protocol: breakwater.ARP, Kind: breakwater.Response, Src: breakwater.Endpoint{MAC: p.MAC, Addr: p.Addr}, Dst: a})
	}
	for _, c := range []struct {
		name string
		do   func(v *inventory)
		want map[string]breakwater.Role
	}{
		{"polls and is answered", func(v *inventory) {
			v.hears(0, breakwater.Modbus, breakwater.Request, breakwater.Read, a, b)
			v.hears(0, breakwater.Modbus, breakwater.Response, breakwater.Read, b, a)
		}, map[string]breakwater.Role{"10.0.0.2": breakwater.RoleMaster, "10.0.0.11": breakwater.RoleController}},
		{"one identification makes an engineer of a master", func(v *inventory) {
			v.hears(0, breakwater.Modbus, breakwater.Request, breakwater.Read, a, b)
			v.hears(1, breakwater.Modbus, breakwater.Request, breakwater.Identify, a, b)
		}, map[string]breakwater.Role{"10.0.0.2": breakwater.RoleEngineering}},
		{"a controller that polls another is a controller", func(v *inventory) {
			v.hears(0, breakwater.Modbus, breakwater.Response, breakwater.Read, b, a)
			v.hears(0, breakwater.Modbus, breakwater.Request, breakwater.Write, b, host("10.0.0.12", 502, 12))
		}, map[string]breakwater.Role{"10.0.0.11": breakwater.RoleController}},
		{"a function that nobody defined says nothing", func(v *inventory) {
			v.sees(0, a, b, breakwater.Modbus)
			v.hears(0, breakwater.Modbus, breakwater.Request, breakwater.Unknown, a, b)
		}, map[string]breakwater.Role{"10.0.0.2": breakwater.RoleUnknown}},
		{"accepts connections", func(v *inventory) { v.hears(0, breakwater.TCP, breakwater.Opened, "", a, web) },
			map[string]breakwater.Role{"10.0.0.5": breakwater.RoleServer}},
		{"accepts connections on an industrial port", func(v *inventory) {
			v.sees(0, b, a, breakwater.TCP)
			v.hears(0, breakwater.TCP, breakwater.Opened, "", a, b)
		}, map[string]breakwater.Role{"10.0.0.11": breakwater.RoleUnknown}},
		{"answers names", func(v *inventory) { v.hears(0, breakwater.DNS, breakwater.Response, "", dns, a) },
			map[string]breakwater.Role{"10.0.0.6": breakwater.RoleServer}},
		{"answers time", func(v *inventory) { v.sees(0, host("10.0.0.7", 123, 7), a, breakwater.UDP) },
			map[string]breakwater.Role{"10.0.0.7": breakwater.RoleServer}},
		{"asks for time", func(v *inventory) { v.sees(0, host("10.0.0.7", 40000, 7), host("10.0.0.8", 123, 8), breakwater.UDP) },
			map[string]breakwater.Role{"10.0.0.7": breakwater.RoleUnknown}},
		{"carries others' packets", func(v *inventory) {
			arp(v, host("10.0.0.1", 0, 1))
			for _, far := range []string{"172.16.0.1", "172.16.0.2", "172.16.0.3", "172.16.0.4"} {
				v.sees(0, host(far, 40000, 1), b, breakwater.TCP)
			}
		}, map[string]breakwater.Role{"10.0.0.1": breakwater.RoleGateway, "172.16.0.1": breakwater.RoleUnknown, "172.16.0.2": breakwater.RoleUnknown, "172.16.0.3": breakwater.RoleUnknown, "172.16.0.4": breakwater.RoleUnknown}},
		{"carries others' packets, its own address unknown", func(v *inventory) {
			for _, far := range []string{"172.16.0.1", "172.16.0.2", "172.16.0.3"} {
				v.sees(0, host(far, 40000, 1), b, breakwater.TCP)
			}
		}, map[string]breakwater.Role{"00:1b:1b:00:00:01": breakwater.RoleGateway, "172.16.0.1": breakwater.RoleUnknown, "172.16.0.2": breakwater.RoleUnknown, "172.16.0.3": breakwater.RoleUnknown}},
		{"has several addresses, which it announced", func(v *inventory) {
			for _, own := range []string{"10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5"} {
				arp(v, host(own, 0, 1))
				v.sees(0, host(own, 40000, 1), b, breakwater.TCP)
			}
		}, map[string]breakwater.Role{"10.0.0.1": breakwater.RoleUnknown, "10.0.0.3": breakwater.RoleUnknown, "10.0.0.4": breakwater.RoleUnknown, "10.0.0.5": breakwater.RoleUnknown}},
		{"speaks no IP", func(v *inventory) {
			v.sees(0, breakwater.Endpoint{MAC: breakwater.MAC{0, 0xe, 0xcf, 0, 0, 9}}, a, breakwater.Other)
		},
			map[string]breakwater.Role{"00:0e:cf:00:00:09": breakwater.RoleUnknown}},
		{"speaks IP too", func(v *inventory) {
			v.sees(0, breakwater.Endpoint{MAC: a.MAC}, b, breakwater.Other)
			v.sees(0, a, b, breakwater.TCP)
		}, map[string]breakwater.Role{"10.0.0.2": breakwater.RoleUnknown}},
		{"is no single host", func(v *inventory) {
			for _, none := range []string{"0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.1.1", "fe80::1", "127.0.0.1"} {
				v.sees(0, host(none, 1, 1), b, breakwater.UDP)
				v.hears(0, breakwater.Modbus, breakwater.Request, breakwater.Read, host(none, 1, 1), b)
			}
		}, map[string]breakwater.Role{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newInventory("north")
			c.do(v)
			if diff := cmp.Diff(c.want, roles(v.changes(t0, true))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What has changed is told at once, what is only still there once a minute, and what has not been heard of never again.
func TestInventoryTellsChanges(t *testing.T) {
	t.Parallel()
	v := newInventory("north")
	a, b := host("10.0.0.2", 40001, 2), host("10.0.0.11", 502, 11)
	tell := func(after time.Duration) []string {
		var ids []string
		for _, x := range v.changes(t0.Add(after), false) {
			if x.FacilityID != "north" {
				t.Errorf("%s is of facility %q", x.ID(), x.FacilityID)
			}
			ids = append(ids, x.ID())
		}
		return ids
	}
	want := func(after time.Duration, ids ...string) {
		t.Helper()
		if diff := cmp.Diff(ids, tell(after)); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", after, diff)
		}
	}
	v.sees(0, a, b, breakwater.Modbus)
	v.sees(time.Millisecond, b, a, breakwater.Modbus)
	want(time.Second, "10.0.0.2", "10.0.0.11")
	for i := range 58 {
		v.sees(time.Duration(i)*time.Second, a, b, breakwater.Modbus)
		want(time.Duration(i+1) * time.Second)
	}
	v.sees(58*time.Second, b, host("10.0.0.3", 1, 3), breakwater.Modbus) // a new peer
	want(59*time.Second, "10.0.0.11")
	v.sees(60*time.Second, a, b, breakwater.Modbus)
	want(61*time.Second, "10.0.0.2") // a minute after the first telling; the other has not been heard of since
	moved := a
	moved.MAC[5] = 99
	v.sees(62*time.Second, moved, b, breakwater.Modbus)
	if got := v.changes(t0.Add(63*time.Second), false); len(got) != 1 || got[0].MAC != moved.MAC || !got[0].LastSeen.Equal(t0.Add(62*time.Second)) || !got[0].FirstSeen.Equal(t0) {
		t.Errorf("after its MAC changed: %+v", got)
	}
}

// A flood of invented addresses fills an inventory to its bounds and no further.
func TestInventoryIsBounded(t *testing.T) {
	t.Parallel()
	v := newInventory("north")
	victim := host("10.0.0.11", 502, 11)
	v.sees(0, victim, host("10.0.0.2", 1, 2), breakwater.Modbus)
	for i := range 3 * devicesMax {
		from := breakwater.Endpoint{MAC: breakwater.MAC{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}, Addr: netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), Port: 1}
		v.sees(0, from, victim, breakwater.TCP)
		v.sees(0, victim, from, breakwater.TCP)
		v.sees(0, breakwater.Endpoint{MAC: from.MAC}, victim, breakwater.Other)
	}
	told := v.changes(t0, true)
	if len(v.all) > devicesMax || len(v.devices) > devicesMax || len(v.links) > linksMax || len(told) > devicesMax {
		t.Errorf("%d devices, %d links, %d told", len(v.all), len(v.links), len(told))
	}
	if told[0].ID() != "10.0.0.11" || len(told[0].Peers) != breakwater.PeersMax || !slices.IsSortedFunc(told[0].Peers, netip.Addr.Compare) {
		t.Errorf("the victim is %+v", told[0])
	}
	for i := range told {
		if err := told[i].Check(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInventoryAllocatesNothingForWhatIsKnown(t *testing.T) {
	v := newInventory("north")
	var frames []breakwater.Frame
	for i := range byte(50) {
		frames = append(frames, breakwater.Frame{Time: t0, Src: host("10.0.0.2", 40000, 2), Dst: host(fmt.Sprintf("10.0.1.%d", i), 502, i), Protocol: breakwater.Modbus})
	}
	e := breakwater.Event{Time: t0, Protocol: breakwater.Modbus, Kind: breakwater.Request, Class: breakwater.Read, Src: frames[0].Src, Dst: frames[0].Dst}
	again := func() {
		for i := range frames {
			v.Frame(&frames[i])
		}
		v.Event(&e)
	}
	again()
	if n := testing.AllocsPerRun(100, again); n != 0 {
		t.Errorf("%v allocations for what is known", n)
	}
}

func TestVendors(t *testing.T) {
	t.Parallel()
	prefixes := 0
	var last string
	for line := range strings.Lines(ouiText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, list, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || name == "" || len(strings.Fields(list)) == 0 {
			t.Errorf("%q is no vendor and its prefixes", line)
		}
		if name == last {
			t.Errorf("%s has two lines", name)
		}
		last = name
		prefixes += len(strings.Fields(list))
		for prefix := range strings.FieldsSeq(list) {
			var m breakwater.MAC
			if err := m.UnmarshalText(fmt.Appendf(nil, "%s:%s:%s:00:00:01", prefix[:2], prefix[2:4], prefix[4:])); err != nil || len(prefix) != 6 || m[0]&3 != 0 {
				t.Errorf("%s: prefix %q: %v", name, prefix, err)
			} else if got := vendorOf(m); got != name {
				t.Errorf("%s is %s's and %s's", prefix, name, got)
			}
		}
	}
	if len(vendors()) != prefixes || prefixes < 300 {
		t.Errorf("%d prefixes, of which %d are told apart", prefixes, len(vendors()))
	}
	for mac, want := range map[breakwater.MAC]string{{}: "", {0x02, 0x1b, 0x1b}: "", {0x00, 0x1b, 0x1b, 1}: "Siemens", {0xfc, 0xff, 0xff}: ""} {
		if got := vendorOf(mac); got != want {
			t.Errorf("%s is %q's, want %q's", mac, got, want)
		}
	}
}

// Entries of a log that came late are put in their place, as far back as can be; those of one time stay in order.
func TestInOrder(t *testing.T) {
	t.Parallel()
	at := func(after int) Entry {
		return Entry{Event: &breakwater.Event{Time: t0.Add(time.Duration(after) * time.Second), Transaction: uint32(after)}}
	}
	given := []Entry{at(5), at(1), at(3), {Detection: &breakwater.Detection{Time: t0.Add(3 * time.Second)}}, at(2)}
	var got []string
	for e := range inOrder(slices.Values(given)) {
		got = append(got, fmt.Sprint(e.time().Sub(t0), e.Detection != nil))
	}
	if diff := cmp.Diff([]string{"1s false", "2s false", "3s false", "3s true", "5s false"}, got); diff != "" {
		t.Error(diff)
	}
	n, last := 0, -1
	for e := range inOrder(func(yield func(Entry) bool) {
		for i := range 3 * ahead {
			if !yield(at(i ^ 1)) { // each second one late by one
				return
			}
		}
	}) {
		if after := int(e.time().Sub(t0) / time.Second); after != last+1 {
			t.Fatalf("entry %d is of second %d, after %d", n, after, last)
		}
		n, last = n+1, last+1
	}
	if n != 3*ahead {
		t.Errorf("%d entries, want %d", n, 3*ahead)
	}
}

// A log goes the way that packets go: windows, detections, inventory; another program's detections beside them; and the
// same log twice is the same.
func TestRunLog(t *testing.T) {
	t.Parallel()
	rules := shippedRules(t)
	run := func() (all []breakwater.Batch, stats Stats) {
		s := Sensor{FacilityID: "north", Rules: rules, Baseline: detect.NewBaseline(), Learn: 10 * time.Second, Send: func(_ context.Context, b breakwater.Batch) error {
			b.Windows, b.Detections, b.Assets = slices.Clone(b.Windows), slices.Clone(b.Detections), slices.Clone(b.Assets)
			all = append(all, b)
			return nil
		}}
		hmi, plc, intruder := host("10.0.0.2", 40001, 2), host("10.0.0.11", 502, 11), host("10.0.0.57", 50000, 57)
		var entries []Entry
		for i := range 30 {
			for k, e := range []breakwater.Event{{Src: hmi, Dst: plc, Kind: breakwater.Request}, {Src: plc, Dst: hmi, Kind: breakwater.Response, FromServer: true, Joined: true}} {
				e.Time, e.Protocol, e.Function, e.Class, e.Ranged, e.Quantity = t0.Add(time.Duration(i)*time.Second+time.Duration(k)), breakwater.Modbus, 3, breakwater.Read, true, 10
				entries = append(entries, Entry{Event: &e})
			}
		}
		entries = append(entries, Entry{Event: &breakwater.Event{Time: t0.Add(20500 * time.Millisecond), Protocol: breakwater.Modbus, Kind: breakwater.Request, Src: intruder, Dst: plc, Function: 5, Class: breakwater.Write, Ranged: true, Quantity: 1}},
			Entry{Detection: &breakwater.Detection{FacilityID: "north", Time: t0.Add(21 * time.Second), Model: "suricata:1", Asset: "10.0.0.11", Count: 1}})
		stats, err := s.RunLog(context.Background(), slices.Values(entries))
		if err != nil {
			t.Fatal(err)
		}
		return all, stats
	}
	all, stats := run()
	if stats.Events != 61 || stats.Windows != 30 || stats.Packets != 0 {
		t.Errorf("%+v", stats)
	}
	models, assets, packets := map[string]bool{}, map[string]breakwater.Role{}, 0.0
	for _, b := range all {
		for _, d := range b.Detections {
			models[d.Model] = true
		}
		for id, role := range roles(b.Assets) {
			assets[id] = role
		}
		for _, w := range b.Windows {
			packets += w.PacketsPerSec
		}
	}
	if !models["write-from-new-host"] || !models["suricata:1"] || packets != 61 {
		t.Errorf("models %v, %v packets", models, packets)
	}
	want := map[string]breakwater.Role{"10.0.0.2": breakwater.RoleMaster, "10.0.0.11": breakwater.RoleController, "10.0.0.57": breakwater.RoleMaster}
	if diff := cmp.Diff(want, assets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, _ := run()
	if diff := cmp.Diff(fmt.Sprint(all), fmt.Sprint(again)); diff != "" {
		t.Errorf("the same log gave something else:\n%s", diff)
	}
}
