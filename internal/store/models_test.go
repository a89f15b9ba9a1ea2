package store

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
)

func aModel(facility, kind string) breakwater.ModelVersion {
	return breakwater.ModelVersion{FacilityID: facility, Kind: kind, Source: breakwater.Trained, Rows: 120,
		Metrics: json.RawMessage(`{"threshold": 1.5}`), CreatedAt: began}
}

// active is the active version of each kind.
func active(t *testing.T, s *Store, facility string) map[string]int64 {
	t.Helper()
	models, err := s.ActiveModels(context.Background(), facility)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]int64{}
	for _, m := range models {
		if !m.Active || m.FacilityID != facility {
			t.Errorf("among the active ones of %s is %+v", facility, m)
		}
		versions[m.Kind] = m.Version
	}
	return versions
}

func TestModels(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		keep := func(m breakwater.ModelVersion, file string) breakwater.ModelVersion {
			t.Helper()
			kept, created, err := s.SaveModel(ctx, m, []byte(file))
			if err != nil || !created {
				t.Fatalf("created %t, %v", created, err)
			}
			return kept
		}
		first := keep(aModel("plant", "autoencoder"), "one")
		if !first.Active || first.Version < 1 || first.Bytes != 3 || string(first.Metrics) != `{"threshold": 1.5}` || !first.CreatedAt.Equal(began) || first.RoundID != nil {
			t.Errorf("kept as %+v", first)
		}
		forest := keep(aModel("plant", "isolation-forest"), "one") // the same bytes, of another kind
		other := keep(aModel("dam", "autoencoder"), "one")
		federated := aModel("plant", "autoencoder")
		round := int64(7)
		federated.Source, federated.RoundID = breakwater.Federated, &round
		second := keep(federated, "two")
		if second.Version <= other.Version || second.RoundID == nil || *second.RoundID != 7 {
			t.Errorf("kept as %+v after version %d", second, other.Version)
		}
		if diff := cmp.Diff(map[string]int64{"autoencoder": second.Version, "isolation-forest": forest.Version}, active(t, s, "plant")); diff != "" {
			t.Errorf("active (-want +got):\n%s", diff)
		}

		// A rollback, which saving the newer file again does not undo.
		for _, want := range []bool{true, false} {
			m, changed, err := s.ActivateModel(ctx, first.Version)
			if err != nil || changed != want || !m.Active {
				t.Errorf("rolled back: %+v, changed %t, %v", m, changed, err)
			}
		}
		again, created, err := s.SaveModel(ctx, federated, []byte("two"))
		if err != nil || created || again.Version != second.Version || again.Active {
			t.Errorf("saved again: %+v, created %t, %v", again, created, err)
		}
		if got := active(t, s, "plant")["autoencoder"]; got != first.Version {
			t.Errorf("version %d is active, want %d", got, first.Version)
		}
		if got := active(t, s, "dam")["autoencoder"]; got != other.Version {
			t.Errorf("version %d is active at the other facility, want %d", got, other.Version)
		}
		m, file, err := s.ModelFile(ctx, second.Version)
		if err != nil || string(file) != "two" || m.Version != second.Version {
			t.Errorf("%+v, %q, %v", m, file, err)
		}
		_, _, err = s.ModelFile(ctx, 9999)
		wantError(t, err, breakwater.NotFound, "there is no model of version 9999")
		_, _, err = s.ActivateModel(ctx, 9999)
		wantError(t, err, breakwater.NotFound, "there is no model of version 9999")
	})
}

func TestModelsRefused(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		for _, c := range []struct {
			name  string
			spoil func(*breakwater.ModelVersion)
			file  []byte
			kind  breakwater.ErrorKind
			says  string
		}{
			{"facility", func(m *breakwater.ModelVersion) { m.FacilityID = "No!" }, []byte("x"), breakwater.Invalid, "facility id"},
			{"no kind", func(m *breakwater.ModelVersion) { m.Kind = "" }, []byte("x"), breakwater.Invalid, "has no kind"},
			{"source", func(m *breakwater.ModelVersion) { m.Source = "rumour" }, []byte("x"), breakwater.Invalid, "train and federation are known"},
			{"metrics", func(m *breakwater.ModelVersion) { m.Metrics = json.RawMessage("[1]") }, []byte("x"), breakwater.Invalid, "no JSON object"},
			{"rows", func(m *breakwater.ModelVersion) { m.Rows = -1 }, []byte("x"), breakwater.Invalid, "-1 rows"},
			{"year", func(m *breakwater.ModelVersion) { m.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, []byte("x"), breakwater.Invalid, "year 10000"},
			{"empty", func(*breakwater.ModelVersion) {}, nil, breakwater.Invalid, "empty file"},
			{"huge", func(*breakwater.ModelVersion) {}, make([]byte, ModelMax+1), breakwater.TooLarge, "too large"},
		} {
			m := aModel("plant", "autoencoder")
			c.spoil(&m)
			_, _, err := s.SaveModel(context.Background(), m, c.file)
			wantError(t, err, c.kind, c.says)
		}
		if page, err := s.Models(context.Background(), ModelFilter{Limit: 10}); err != nil || page.Total != 0 {
			t.Errorf("%d bad models were kept (%v)", page.Total, err)
		}
	})
}

// Pages by cursor are the whole list, newest first, under each filter; old ones beyond ModelsKept are gone, the active one
// never.
func TestModelsList(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		for i := range 5 {
			for _, facility := range []string{"plant", "dam"} {
				if _, _, err := s.SaveModel(ctx, aModel(facility, "autoencoder"), fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		yes, no := true, false
		for _, c := range []struct {
			filter ModelFilter
			want   int
		}{{ModelFilter{}, 10}, {ModelFilter{Facilities: []string{"dam"}}, 5}, {ModelFilter{Active: &yes}, 2}, {ModelFilter{Active: &no}, 8},
			{ModelFilter{Kinds: []string{"isolation-forest"}}, 0}} {
			last, n := int64(1<<62), 0
			f := c.filter
			for f.Limit = 3; ; {
				page, err := s.Models(ctx, f)
				if err != nil || page.Total != c.want {
					t.Fatalf("%+v: total %d, %v", f, page.Total, err)
				}
				for _, m := range page.Models {
					if m.Version >= last {
						t.Errorf("version %d stands behind %d", m.Version, last)
					}
					last = m.Version
					n++
				}
				if f.After = page.Next; f.After == "" {
					break
				}
			}
			if n != c.want {
				t.Errorf("%+v: %d models over all pages, want %d", c.filter, n, c.want)
			}
		}
		_, err := s.Models(ctx, ModelFilter{Limit: 3, After: "yesterday"})
		wantError(t, err, breakwater.Invalid, "cursor is not a next_cursor")
		_, err = s.Models(ctx, ModelFilter{Limit: MaxPage + 1})
		wantError(t, err, breakwater.Invalid, "pages count from 1")

		oldest, _, err := s.SaveModel(ctx, aModel("mill", "autoencoder"), []byte("oldest"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range ModelsKept + 3 {
			if _, _, err := s.SaveModel(ctx, aModel("mill", "autoencoder"), fmt.Append(nil, "mill", i)); err != nil {
				t.Fatal(err)
			}
			if i < ModelsKept {
				if _, _, err := s.ActivateModel(ctx, oldest.Version); err != nil {
					t.Fatal(err)
				}
			}
		}
		page, err := s.Models(ctx, ModelFilter{Facilities: []string{"mill"}, Limit: 1})
		if err != nil || page.Total != ModelsKept+1 {
			t.Errorf("%d models are kept (%v), want %d and the active one", page.Total, err, ModelsKept)
		}
		// It was active while it was the oldest, and is not any more.
		_, _, err = s.ModelFile(ctx, oldest.Version)
		wantError(t, err, breakwater.NotFound, "there is no model")
	})
}

// What is learned from: windows between two times, and which of them alerts mark.
func TestTrainingData(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		_, err := s.Recent(ctx, "plant", began, began.Add(time.Hour))
		wantError(t, err, breakwater.NotFound, "there is no facility plant")
		start := began.Truncate(time.Second)
		b := windows("plant", start, 30)
		low := scan(20 * time.Second)
		low.Severity, low.Asset = breakwater.Low, "10.0.0.9"
		b.Detections = []breakwater.Detection{scan(3 * time.Second), scan(5 * time.Second), low}
		touched := save(t, s, b)
		got, err := s.Recent(ctx, "plant", start.Add(10*time.Second), start.Add(20*time.Second))
		if err != nil || len(got) != 10 || !got[0].Time.Equal(start.Add(10*time.Second)) || got[0].PacketsPerSec != b.Windows[10].PacketsPerSec {
			t.Errorf("%d windows (%v): %+v", len(got), err, got)
		}
		want := []breakwater.Span{{From: began.Add(3 * time.Second).UTC(), To: began.Add(5 * time.Second).UTC()}}
		spans, err := s.Attacks(ctx, "plant", start, start.Add(time.Minute))
		if diff := cmp.Diff(want, spans); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if spans, err := s.Attacks(ctx, "plant", start.Add(6*time.Second), start.Add(time.Minute)); err != nil || len(spans) != 0 {
			t.Errorf("after it: %v, %v", spans, err)
		}
		setStatus(t, s, touched[0].ID, breakwater.StatusFalsePositive)
		if spans, err := s.Attacks(ctx, "plant", start, start.Add(time.Minute)); err != nil || len(spans) != 0 {
			t.Errorf("of a false positive: %v, %v", spans, err)
		}
	})
}
