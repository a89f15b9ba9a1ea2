//go:build unix

package neo4j

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/attack/graphtest"
	"breakwater/internal/neo4j/neo4jtest"
	"breakwater/internal/store"
)

// BenchmarkGraph lets Neo4j follow a database of so many alerts (BREAKWATER_BENCH_ALERTS) at twelve plants, 8,000 in 60 days, and
// a prediction for each tenth, and then asks both the same. docs/performance.md has the command and the figures.
func BenchmarkGraph(b *testing.B) {
	alerts := 2000
	if text := os.Getenv("BREAKWATER_BENCH_ALERTS"); text != "" {
		var err error
		if alerts, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	at := neo4jtest.Take(b)
	s := newStore(b)
	g := newGraph(b, at, s)
	g.attack()
	began := time.Now()
	follow(b, g)
	b.Logf("ATT&CK in %v", time.Since(began))
	fill(b, s, 0, alerts/4) // Neo4j is slow until it has run for a while
	follow(b, g)
	predictions := fill(b, s, alerts/4, alerts)
	began = time.Now()
	follow(b, g)
	took := time.Since(began)
	alerts -= alerts / 4
	b.ReportMetric(float64(alerts+predictions)/took.Seconds(), "written/s")
	b.Logf("%d alerts and %d predictions in %v", alerts, predictions, took)

	for name, of := range map[string]attack.Graph{"database": s, "Neo4j": g.server} {
		for span, q := range map[string]attack.Sightings{"recent": {Recent: true}, "all": {}, "recent of one plant": {Recent: true, Facilities: []string{"plant-3"}}} {
			if _, err := of.TechniquesSeen(b.Context(), q); err != nil { // Cypher is planned the first time
				b.Fatal(err)
			}
			began, n := time.Now(), 0
			for ; n < 10 || time.Since(began) < time.Second; n++ {
				if _, err := of.TechniquesSeen(b.Context(), q); err != nil {
					b.Fatal(err)
				}
				if _, err := of.Transitions(b.Context(), q.Facilities, q.From, q.To); err != nil {
					b.Fatal(err)
				}
			}
			b.Logf("%s, %s: %.1f ms", name, span, float64(time.Since(began).Microseconds())/1000/float64(n))
		}
	}
}

// fill lets the alerts from one number up to another come in, 8,000 in 60 days.
func fill(b *testing.B, s *store.Store, from, alerts int) (predictions int) {
	b.Helper()
	began := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	techniques := []string{"T0846", "T0840", "T0855", "T0831", "T0836", "T0858", "T0816", "T0814"}
	const together = 200
	for n := from; n < alerts; {
		batch := breakwater.Batch{FacilityID: fmt.Sprint("plant-", n/together%12)}
		when := began.Add(time.Duration(float64(n) / 8000 * float64(60*24*time.Hour)))
		for range min(together, alerts-n) {
			batch.Detections = append(batch.Detections, breakwater.Detection{FacilityID: batch.FacilityID, Asset: fmt.Sprint("asset-", n), Time: when, Layer: breakwater.LayerAnomaly, Model: "rule",
				Severity: breakwater.High, Confidence: .8, Technique: techniques[n%len(techniques)], Title: "Something", Evidence: "Something was seen.", Count: 1})
			n++
		}
		touched, err := s.SaveBatch(b.Context(), batch, nil)
		if err != nil {
			b.Fatal(err)
		}
		var shown []breakwater.Sighting
		for _, t := range touched {
			shown = append(shown, t.Shown...)
		}
		if _, _, err := s.Observe(b.Context(), batch.FacilityID, shown, graphtest.Outlook); err != nil {
			b.Fatal(err)
		}
		for i := range len(touched) / 10 {
			p := breakwater.Prediction{Timestamp: when.Add(time.Duration(i) * time.Millisecond), FacilityID: batch.FacilityID, Source: "bench", Current: "T0846"}
			for rank, id := range techniques[1:] {
				p.Predicted = append(p.Predicted, breakwater.PredictedTechnique{TechniqueID: id, Rank: rank + 1, Probability: .1, Timeframe: "7 days"})
			}
			if _, _, err := s.SavePrediction(b.Context(), p); err != nil {
				b.Fatal(err)
			}
			predictions++
		}
	}
	return predictions
}
