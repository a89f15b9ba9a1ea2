package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
	"breakwater/internal/window"

	"github.com/google/go-cmp/cmp"
)

func newServer(t *testing.T, db *store.Store) *Server {
	t.Helper()
	return &Server{Store: db, Rules: shippedRules(t), Context: window.NewMemory(), Publish: func(*breakwater.Alert, bool) {}}
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// What an alert knows of the minute before does not depend on whether the server was restarted meanwhile, whether a
// batch came twice, or whether the database was away for a while.
func TestContextSurvives(t *testing.T) {
	t.Parallel()
	var batches []breakwater.Batch
	for i := range 100 {
		at := t0.Add(time.Duration(i) * time.Second)
		b := breakwater.Batch{FacilityID: "north", Windows: []breakwater.Window{{FacilityID: "north", Time: at, PacketsPerSec: float64(10 + i%7), UniqueSrcIPs: 3}}}
		if i%20 == 19 {
			severity := breakwater.Low
			if i%40 == 39 {
				severity = breakwater.High
			}
			b.Detections = []breakwater.Detection{{FacilityID: "north", Time: at.Add(500 * time.Millisecond), Layer: 1, Model: "scan", Asset: fmt.Sprintf("10.0.0.%d", i), Severity: severity, Confidence: .5, Title: "scan", Evidence: "scan", Count: 1}}
		}
		batches = append(batches, b)
	}
	type known struct {
		Analysis string
		Seconds  []breakwater.Second
	}
	after := func(db *store.Store) map[string]known {
		page, err := db.Alerts(t.Context(), store.AlertQuery{Page: 1, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]known{}
		for _, a := range page.Alerts {
			seconds, err := db.Evidence(t.Context(), a.ID)
			if err != nil {
				t.Fatal(err)
			}
			all[a.Asset] = known{a.ContextAnalysis, seconds}
		}
		return all
	}

	calm := newStore(t)
	s := newServer(t, calm)
	for _, b := range batches {
		if err := s.Receive(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	want := after(calm)
	if len(want) != 5 || len(want["10.0.0.99"].Seconds) != 59 || want["10.0.0.99"].Analysis == "" {
		t.Fatalf("%d alerts; the last knows %d seconds", len(want), len(want["10.0.0.99"].Seconds))
	}
	counts := map[breakwater.Standing]int{}
	for _, s := range want["10.0.0.99"].Seconds {
		counts[s.Status]++
	}
	if counts[breakwater.Attacked] != 1 || counts[breakwater.Suspicious] != 1 { // those at 79 and 59; 39 lies too far back
		t.Errorf("before the last alert: %v", counts)
	}

	rough := newStore(t)
	s = newServer(t, rough)
	for i, b := range batches {
		switch i % 10 {
		case 3: // restarted
			s = newServer(t, rough)
		case 5: // the database does not answer
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Receive(gone, b); breakwater.KindOf(err) != breakwater.Unavailable {
				t.Fatalf("batch %d with a database that is away: %v", i, err)
			}
		case 6: // a sensor that began its capture anew, while what it sent before it was killed is still on its way
			if err := s.Receive(t.Context(), batches[0]); err != nil {
				t.Fatal(err)
			}
		case 7: // a sensor that was restarted sends the last few again
			for _, before := range batches[i-4 : i] {
				if err := s.Receive(t.Context(), before); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Receive(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, after(rough)); diff != "" {
		t.Errorf("(-undisturbed +disturbed):\n%s", diff)
	}

	// Two nodes, each with a memory of its own, that get the batches in turn and at random.
	random := rand.New(rand.NewPCG(1, 2))
	shared := newStore(t)
	nodes := []*Server{newServer(t, shared), newServer(t, shared)}
	for _, b := range batches {
		windows, found := b, b
		windows.Detections, found.Windows = nil, nil
		for _, part := range []breakwater.Batch{found, windows} { // as a sensor sends them: what is found at once, a second when it ends
			if err := nodes[random.IntN(2)].Receive(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want, after(shared)); diff != "" {
		t.Errorf("(-one node +two nodes):\n%s", diff)
	}
	revision := map[bool]string{}
	for _, n := range nodes {
		minute, err := n.Current(t.Context(), "north")
		if err != nil || len(minute.Seconds) != 60 {
			t.Fatalf("%d seconds now, %v", len(minute.Seconds), err)
		}
		revision[len(revision) > 0] = fmt.Sprint(minute)
	}
	if revision[false] != revision[true] {
		t.Errorf("one node says of now\n%s\nthe other\n%s", revision[false], revision[true])
	}
}

// twoNodes are servers on one database.
func twoNodes(t *testing.T) (a, b *Server) {
	t.Helper()
	db := newStore(t)
	a, b = newServer(t, db), newServer(t, db)
	for name, s := range map[string]*Server{"alpha:8000": a, "beta:8000": b} {
		n := store.NewNode(name)
		s.Node = &n
	}
	return a, b
}

// Raw traffic of a facility goes through one node at a time, several streams of it perhaps; another says which one.
func TestHold(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	sends := make(chan breakwater.Packet)
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := a.Run(t.Context(), "north", 0, func(yield func(breakwater.Packet, error) bool) {
				for p := range sends {
					if !yield(p, nil) {
						return
					}
				}
			})
			done <- err
		}()
	}
	for range 4 { // each of the two asks for one more when it took one
		sends <- breakwater.Packet{Time: t0}
	}
	none := func(func(breakwater.Packet, error) bool) {}
	_, err := b.Run(t.Context(), "north", 0, none)
	if breakwater.KindOf(err) != breakwater.Conflict || !strings.Contains(err.Error(), "goes through node alpha:8000 at present") {
		t.Errorf("the other node: %v", err)
	}
	if _, err := b.RunLog(t.Context(), "north", 0, func(func(Entry) bool) {}); breakwater.KindOf(err) != breakwater.Conflict {
		t.Errorf("a log at the other node: %v", err)
	}
	if _, err := b.Run(t.Context(), "south", 0, none); err != nil {
		t.Errorf("another facility: %v", err)
	}
	close(sends)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Run(t.Context(), "north", 0, none); err != nil {
		t.Errorf("after it has ended: %v", err)
	}
}

// A node that was cut off ends what it has under way with a word of that, and can take the facility again later.
func TestHoldLost(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	begun, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := a.Run(t.Context(), "north", 0, func(yield func(breakwater.Packet, error) bool) {
			for i := 0; yield(breakwater.Packet{Time: t0.Add(time.Duration(i) * time.Microsecond)}, nil); i++ {
				if i == 1 {
					close(begun)
				}
			}
		})
		done <- err
	}()
	<-begun
	_, ours, err := a.Hold(t.Context(), "north", store.Want)
	if err != nil {
		t.Fatal(err)
	}
	of, _ := a.raw.Load("north")
	of.(*raw).release() // as where it could not be taken again
	if err := <-done; breakwater.KindOf(err) != breakwater.Conflict || !strings.Contains(err.Error(), "may go through another node by now") {
		t.Errorf("what was under way: %v", err)
	}
	_, theirs, err := b.Hold(t.Context(), "north", store.Want)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := a.Hold(t.Context(), "north", store.Want); breakwater.KindOf(err) != breakwater.Conflict {
			t.Errorf("another has it: %v", err)
		}
	}
	ours()
	theirs()
	if _, release, err := a.Hold(t.Context(), "north", store.Want); err != nil {
		t.Error(err)
	} else {
		release()
	}
}

func TestOnPostgres(t *testing.T) { storetest.Again(t) }

// Text of packets that no database keeps does not hold up what comes behind it.
func TestReceiveKeepsOddText(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	d := breakwater.Detection{FacilityID: "north", Time: t0, Layer: 1, Model: "scan", Asset: "10.0.0.57", Severity: breakwater.High, Confidence: .5, Title: "scan", Evidence: "named \x00 and \x1b[2J", Count: 1}
	if err := newServer(t, db).Receive(t.Context(), breakwater.Batch{FacilityID: "north", Detections: []breakwater.Detection{d}}); err != nil {
		t.Fatal(err)
	}
	page, err := db.Alerts(t.Context(), store.AlertQuery{Page: 1, Limit: 10})
	if err != nil || len(page.Alerts) != 1 || page.Alerts[0].Description != "named \ufffd and \ufffd[2J" {
		t.Errorf("%+v, %v", page.Alerts, err)
	}
}
