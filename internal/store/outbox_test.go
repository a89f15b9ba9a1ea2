package store

import (
	"testing"
	"time"
)

// What others are to be told waits until it was: by the node where it happened, or by any when that one did not.
func TestOutbox(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx, at := t.Context(), time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
		put := func(n News) {
			t.Helper()
			if err := s.PutNews(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
		waiting := func(node string, before time.Time) []News {
			t.Helper()
			news, err := s.News(ctx, node, before, 10)
			if err != nil {
				t.Fatal(err)
			}
			return news
		}
		put(News{"alerts", "a", "alert_created", "one", at})
		put(News{"alerts", "a", "alert_updated", "one", at.Add(time.Second)})
		put(News{"alerts", "b", "alert_updated", "two", at.Add(2 * time.Second)})
		mine := waiting("one", at)
		if len(mine) != 1 || mine[0].Type != "alert_created" || !mine[0].Changed.Equal(at.Add(time.Second)) {
			t.Fatalf("node one is to tell %+v", mine)
		}
		if all := waiting("one", at.Add(time.Minute)); len(all) != 2 || all[1].ID != "b" {
			t.Errorf("after a while node one is to tell %+v", all)
		}
		put(News{"alerts", "a", "alert_updated", "one", at.Add(3 * time.Second)}) // while the first are on their way
		if err := s.Told(ctx, mine); err != nil {
			t.Fatal(err)
		}
		again := waiting("one", at)
		if len(again) != 1 {
			t.Fatalf("a change that came meanwhile is lost: %+v", again)
		}
		if err := s.Told(ctx, again); err != nil {
			t.Fatal(err)
		}
		if left := waiting("one", at); len(left) != 0 {
			t.Errorf("told and still there: %+v", left)
		}
	})
}
