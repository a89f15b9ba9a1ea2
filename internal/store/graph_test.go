package store_test

import (
	"context"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/attack/graphtest"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
)

func onEachEngine(t *testing.T, test func(t *testing.T, open func(t *testing.T) *store.Store)) {
	for name, url := range storetest.Engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(t *testing.T) *store.Store {
				s, err := store.Open(t.Context(), url(t))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				if err := s.Migrate(context.Background()); err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

func TestGraph(t *testing.T) {
	onEachEngine(t, func(t *testing.T, open func(t *testing.T) *store.Store) {
		graphtest.Run(t, func(t *testing.T) (*store.Store, attack.Graph, func()) {
			s := open(t)
			return s, s, func() {}
		})
	})
}

// What changes is noted from when a copy follows until it is told, once however often it changes, and again where it
// changes while it is being told.
func TestGraphChanges(t *testing.T) {
	onEachEngine(t, func(t *testing.T, open func(t *testing.T) *store.Store) {
		ctx, s := t.Context(), open(t)
		now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
		changes := func(alerts, predictions, gone int) attack.Changes {
			t.Helper()
			c, err := s.GraphChanges(ctx, 100)
			if err != nil || len(c.Alerts) != alerts || len(c.Predictions) != predictions || len(c.Gone) != gone || len(c.Marks) != alerts+predictions+gone {
				t.Fatalf("%d alerts, %d predictions, %d gone of %d, %v; want %d, %d, %d", len(c.Alerts), len(c.Predictions), len(c.Gone), len(c.Marks), err, alerts, predictions, gone)
			}
			if _, behind, err := s.GraphCopy(ctx); err != nil || behind != (len(c.Marks) > 0) {
				t.Fatalf("behind: %t, %v", behind, err)
			}
			return c
		}
		told := func(c attack.Changes) {
			t.Helper()
			if err := s.GraphTold(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		follows := func(want string) {
			t.Helper()
			if graph, _, err := s.GraphCopy(ctx); err != nil || graph != want {
				t.Fatalf("%q follows, %v; want %q", graph, err, want)
			}
		}
		first := graphtest.Show(t, s, "plant", "a", "T0846", 0)
		changes(0, 0, 0) // nobody follows
		follows("")
		if err := s.FollowGraph(ctx, "copy"); err != nil {
			t.Fatal(err)
		}
		follows("copy")
		c := changes(1, 1, 0) // what was there before
		if shown := c.Alerts[0].Shown; c.Alerts[0].ID != first || len(shown) != 1 || shown[0].Technique != "T0846" || len(c.Predictions[0].Predicted) != 2 {
			t.Errorf("%+v", c)
		}
		graphtest.Show(t, s, "plant", "a", "T0848", time.Minute) // of the same alert, while it is told; another prediction
		told(c)
		c = changes(1, 1, 0)
		if c.Alerts[0].ID != first || len(c.Alerts[0].Shown) != 2 {
			t.Errorf("%+v", c)
		}
		if err := s.FollowGraph(ctx, "another"); err != nil {
			t.Fatal(err)
		}
		told(c) // too late: it was of the first copy
		follows("another")
		told(changes(1, 2, 0))
		changes(0, 0, 0)
		if _, _, err := s.ChangeAlert(ctx, first, store.AlertChange{By: "me", At: now, Status: breakwater.StatusResolved}); err != nil {
			t.Fatal(err)
		}
		told(changes(1, 0, 0))
		if err := s.RemoveFacilities(ctx, []string{"plant"}); err != nil {
			t.Fatal(err)
		}
		told(changes(0, 0, 3))
		graphtest.Show(t, s, "plant", "a", "T0846", 0)
		if err := s.ForgetGraph(ctx); err != nil {
			t.Fatal(err)
		}
		graphtest.Show(t, s, "plant", "b", "T0846", 0)
		changes(0, 0, 0)
	})
}

// Who follows anew hears of no facility: one that has fallen silent stays so.
func TestFollowGraphHearsOfNobody(t *testing.T) {
	onEachEngine(t, func(t *testing.T, open func(t *testing.T) *store.Store) {
		ctx, s := t.Context(), open(t)
		graphtest.Show(t, s, "plant", "a", "T0846", 0)
		_, before, err := s.Heard(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.FollowGraph(ctx, "copy"); err != nil {
			t.Fatal(err)
		}
		if _, after, err := s.Heard(ctx); err != nil || len(after) != 1 || after[0] != before[0] {
			t.Errorf("%+v, %v; before %+v", after, err, before)
		}
	})
}
