package store

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func talk(client, server string, from, to time.Duration, n int64) breakwater.Talk {
	return breakwater.Talk{FacilityID: "plant", Conversation: breakwater.Conversation{Client: netip.MustParseAddr(client), Server: netip.MustParseAddr(server), Protocol: breakwater.Modbus, Port: 502},
		FirstSeen: began.Add(from), LastSeen: began.Add(to), Count: n,
		Functions: []breakwater.Use{{Function: 3, Name: "read holding registers", Class: breakwater.Read, Count: n}}}
}

func tell(t *testing.T, s *Store, talks ...breakwater.Talk) {
	t.Helper()
	if _, err := s.SaveBatch(t.Context(), breakwater.Batch{FacilityID: "plant", Talks: talks}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestConversations(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if _, err := s.Conversations(ctx, "plant", 10); breakwater.KindOf(err) != breakwater.NotFound {
			t.Errorf("of no facility: %v", err)
		}
		first := talk("10.0.0.2", "10.0.0.11", 0, time.Second, 3)
		for range 2 { // a batch that comes twice
			tell(t, s, first, talk("10.0.0.2", "10.0.0.12", 0, time.Second, 9), talk("fd00::2", "10.0.0.11", 0, 0, 1), talk("10.0.0.2", "10.0.0.12", 2*time.Second, 3*time.Second, 1))
		}
		tell(t, s, talk("10.0.0.2", "10.0.0.11", time.Minute, 2*time.Minute, 4))
		got, err := s.Conversations(ctx, "plant", 2)
		if err != nil || got.Total != 3 {
			t.Fatalf("%+v %v", got, err)
		}
		want := []breakwater.Talk{talk("10.0.0.2", "10.0.0.12", 0, 3*time.Second, 10), talk("10.0.0.2", "10.0.0.11", 0, 2*time.Minute, 7)}
		if diff := cmp.Diff(want, got.Talks, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, limit := range []int{0, TalksMax + 1} {
			if _, err := s.Conversations(ctx, "plant", limit); breakwater.KindOf(err) != breakwater.Invalid {
				t.Errorf("limit %d: %v", limit, err)
			}
		}
		wrong := talk("10.0.0.2", "10.0.0.11", 0, 0, -1)
		other := talk("10.0.0.2", "10.0.0.11", 0, 0, 1)
		other.FacilityID = "elsewhere"
		for _, bad := range []breakwater.Talk{wrong, other} {
			if _, err := s.SaveBatch(ctx, breakwater.Batch{FacilityID: "plant", Talks: []breakwater.Talk{bad}}, nil); breakwater.KindOf(err) != breakwater.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

// A flood of invented addresses fills a facility's conversations to their bound; those that are known go on.
func TestConversationsAreBounded(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		var flood []breakwater.Talk
		for i := range conversationsMax + 300 {
			flood = append(flood, talk("10.0.0.2", fmt.Sprintf("10.%d.%d.%d", 1+i/62500, i/250%250, 1+i%250), 0, 0, 1))
		}
		tell(t, s, flood...)
		tell(t, s, talk("10.0.0.2", "10.1.0.1", time.Second, time.Second, 6))
		got, err := s.Conversations(t.Context(), "plant", 1)
		if err != nil || got.Total != conversationsMax || got.Talks[0].Count != 7 {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func TestAssetDetail(t *testing.T) {
	t.Parallel()
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		plc := sighting("10.0.0.11", time.Second, breakwater.Answers)
		gateway := breakwater.Asset{FacilityID: "plant", MAC: breakwater.MAC{0, 1, 2, 3, 4, 5}, FirstSeen: began, LastSeen: began}
		b := batch(at(write(time.Minute), "10.0.0.11"), at(write(time.Hour), "10.0.0.11"), at(write(time.Hour), "10.0.0.12"))
		b.FacilityID = "plant"
		for i := range b.Detections {
			b.Detections[i].FacilityID = "plant"
		}
		b.Assets = []breakwater.Asset{plc, gateway, sighting("10.0.0.2", 2*time.Second, breakwater.Polls)}
		b.Talks = []breakwater.Talk{talk("10.0.0.2", "10.0.0.11", 0, 0, 5), talk("10.0.0.2", "10.0.0.12", 0, 0, 9), talk("10.0.0.11", "10.0.0.12", 0, 0, 1)}
		touched, err := s.SaveBatch(ctx, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		resolved := breakwater.StatusResolved
		if _, _, err := s.ChangeAlert(ctx, touched[0].ID, AlertChange{By: "ada", At: began, Status: resolved}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Asset(ctx, "plant", "10.0.0.11")
		if err != nil || got.Level != "1" || got.Alerts != 2 || got.Open != 1 || len(got.Newest) != 2 || !got.LastAlert.Equal(got.Newest[0].LastSeen) || !got.Newest[0].Timestamp.After(got.Newest[1].Timestamp) {
			t.Errorf("%+v %v", got, err)
		}
		if len(got.Talks.Ends) != 2 || got.Talks.Ends[1].ID() != "10.0.0.11" { // 10.0.0.12 sent nothing
			t.Errorf("its ends are %+v", got.Talks.Ends)
		}
		if got.Talks.Total != 2 || got.Talks.Talks[0].Count != 5 || got.Talks.Talks[1].Client != plc.IP {
			t.Errorf("its conversations are %+v", got.Talks)
		}
		if got, err := s.Asset(ctx, "plant", "00:01:02:03:04:05"); err != nil || got.Alerts != 0 || !got.LastAlert.IsZero() || got.Talks.Total != 0 {
			t.Errorf("%+v %v", got, err)
		}
		for _, c := range []struct {
			facility, id string
			kind         breakwater.ErrorKind
		}{{"plant", "10.0.0.99", breakwater.NotFound}, {"nowhere", "10.0.0.11", breakwater.NotFound}, {"plant", "plc", breakwater.Invalid}, {"plant", "", breakwater.Invalid}} {
			if _, err := s.Asset(ctx, c.facility, c.id); breakwater.KindOf(err) != c.kind {
				t.Errorf("%s of %s: %v", c.id, c.facility, err)
			}
		}

		for sort, first := range map[string]string{"": "10.0.0.2", "-last_seen": "10.0.0.2", "last_seen": "00:01:02:03:04:05", "level": "10.0.0.11", "-level": "10.0.0.2", "name": "10.0.0.2", "first_seen": "00:01:02:03:04:05", "-first_seen": "10.0.0.2", "-name": "10.0.0.2"} {
			page, err := s.Assets(ctx, AssetFilter{Sort: sort, Page: 1, Limit: 10})
			if err != nil || page.Assets[0].ID() != first {
				t.Errorf("sorted by %q: %s is the first, want %s; %v", sort, page.Assets[0].ID(), first, err)
			}
		}
		if _, err := s.Assets(ctx, AssetFilter{Sort: "colour", Page: 1, Limit: 10}); breakwater.KindOf(err) != breakwater.Invalid {
			t.Errorf("sorted by colour: %v", err)
		}
		page, err := s.Assets(ctx, AssetFilter{Levels: []breakwater.Level{""}, Page: 1, Limit: 10})
		if err != nil || page.Total != 1 || page.Assets[0].MAC != gateway.MAC {
			t.Errorf("of no level: %+v %v", page, err)
		}
		values, err := s.AssetValues(ctx, []string{"plant"})
		if diff := cmp.Diff(Values{Protocols: []breakwater.Protocol{"modbus"}, Zones: []string{}, Vendors: []string{"Siemens"}}, values); diff != "" || err != nil {
			t.Errorf("(-want +got):\n%s %v", diff, err)
		}
	})
}
