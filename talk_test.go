package breakwater

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func part(p Protocol, from, to time.Duration, n int64, uses ...Use) Talk {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	return Talk{FacilityID: "north", Conversation: Conversation{Client: netip.MustParseAddr("10.0.0.2"), Server: netip.MustParseAddr("10.0.0.11"), Protocol: p, Port: 502},
		FirstSeen: at.Add(from), LastSeen: at.Add(to), Count: n, Functions: uses}
}

func reads(n int64) Use {
	return Use{Function: 3, Name: "read holding registers", Class: Read, Count: n}
}

func TestTalkMerge(t *testing.T) {
	t.Parallel()
	writes := Use{Function: 16, Name: "write multiple registers", Class: Write, Count: 2, Exceptions: 1}
	for _, c := range []struct {
		name      string
		parts     []Talk
		count     int64
		protocol  Protocol
		functions []Use
	}{
		{"parts one after the other", []Talk{part(Modbus, 0, 1, 3, reads(3)), part(Modbus, 2, 5, 4, reads(2), writes)}, 7, Modbus, []Use{reads(5), writes}},
		{"an earlier part", []Talk{part(Modbus, 9, 9, 3, reads(3)), part(Modbus, 2, 5, 4, reads(4))}, 7, Modbus, []Use{reads(7)}},
		{"the same part twice", []Talk{part(Modbus, 0, 1, 3, reads(3)), part(Modbus, 0, 1, 3, reads(3))}, 3, Modbus, []Use{reads(3)}},
		{"both parts twice", []Talk{part(Modbus, 0, 1, 3, reads(3)), part(Modbus, 2, 3, 1, reads(1)), part(Modbus, 0, 1, 3, reads(3)), part(Modbus, 2, 3, 1, reads(1))}, 4, Modbus, []Use{reads(4)}},
		{"within what was counted a function that is new shows, uncounted", []Talk{part(Modbus, 0, 9, 3, reads(3)), part(Modbus, 2, 3, 2, writes)}, 3, Modbus, []Use{reads(3), {Function: 16, Name: writes.Name, Class: Write}}},
		{"TCP turns out to carry Modbus", []Talk{part(TCP, 0, 0, 1), part(Modbus, 1, 5, 4, reads(4)), part(TCP, 7, 7, 1)}, 4, Modbus, []Use{reads(4)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := c.parts[0]
			for _, p := range c.parts[1:] {
				p.Functions = slices.Clone(p.Functions)
				got.Merge(p)
			}
			if got.Count != c.count || got.Protocol != c.protocol || !slices.Equal(got.Functions, c.functions) {
				t.Errorf("%+v, want %d of %s by %+v", got, c.count, c.protocol, c.functions)
			}
			if err := got.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTalkFunctionsAreBounded(t *testing.T) {
	t.Parallel()
	got := part(Modbus, 0, 0, 0)
	for i := range 2 * UsesMax {
		got.Merge(part(Modbus, time.Duration(i+1), time.Duration(i+1), 1, Use{Function: 2*UsesMax - i, Class: Read, Count: 1}))
	}
	if len(got.Functions) != UsesMax || got.Functions[0].Function != 1 || got.Functions[UsesMax-1].Function != UsesMax || got.Count != 2*UsesMax {
		t.Errorf("%d functions from %d to %d, %d messages", len(got.Functions), got.Functions[0].Function, got.Functions[len(got.Functions)-1].Function, got.Count)
	}
}

func TestTalkCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Talk)
	}{
		{"no facility", func(t *Talk) { t.FacilityID = "No!" }},
		{"no client", func(t *Talk) { t.Client = netip.Addr{} }},
		{"a group", func(t *Talk) { t.Server = netip.MustParseAddr("224.0.0.1") }},
		{"a zone", func(t *Talk) { t.Server = netip.MustParseAddr("fe80::1%eth0") }},
		{"no protocol", func(t *Talk) { t.Protocol = "" }},
		{"never seen", func(t *Talk) { t.FirstSeen = time.Time{} }},
		{"ends before it begins", func(t *Talk) { t.LastSeen = t.FirstSeen.Add(-1) }},
		{"less than nothing", func(t *Talk) { t.Count = -1 }},
		{"a function twice", func(t *Talk) { t.Functions = []Use{reads(1), reads(1)} }},
		{"a function of no class", func(t *Talk) { t.Functions = []Use{{Function: 3}} }},
		{"a function of less than nothing", func(t *Talk) { t.Functions = []Use{{Function: -3, Class: Read}} }},
		{"a long name", func(t *Talk) { t.Functions = []Use{{Function: 3, Class: Read, Name: strings.Repeat("x", 65)}} }},
		{"a control character", func(t *Talk) { t.Functions = []Use{{Function: 3, Class: Read, Name: "a\x00b"}} }},
		{"too many functions", func(t *Talk) { t.Functions = make([]Use, UsesMax+1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			talk := part(Modbus, 0, 1, 1, reads(1))
			if err := talk.Check(); err != nil {
				t.Fatal(err)
			}
			c.change(&talk)
			if KindOf(talk.Check()) != Invalid {
				t.Errorf("it passes: %+v", talk)
			}
		})
	}
}

func TestLevelOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone string
		role Role
		want Level
	}{
		{"", RoleController, "1"}, {"", RoleMaster, "2"}, {"", RoleEngineering, "3"}, {"", RoleServer, ""}, {"", RoleGateway, ""}, {"", RoleUnknown, ""},
		{"cell 3", RoleController, "1"}, {"Level 2", RoleController, "2"}, {"L0 sensors", RoleController, "0"}, {"Purdue 3.5", RoleUnknown, "3.5"},
		{"site, level-4", RoleServer, "4"}, {"Plant DMZ", RoleServer, "3.5"}, {"iDMZ", RoleUnknown, "3.5"}, {"l1", RoleUnknown, "1"},
		{"level 12", RoleUnknown, ""}, {"level 9", RoleMaster, "2"}, {"hall1", RoleUnknown, ""}, {"L2.7", RoleUnknown, ""}, {"level 4.5", RoleUnknown, ""},
	} {
		if got := LevelOf(c.zone, c.role); got != c.want {
			t.Errorf("zone %q, %s: level %q, want %q", c.zone, c.role, got, c.want)
		}
	}
}
