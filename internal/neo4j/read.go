package neo4j

import (
	"context"
	"time"

	"breakwater/internal/attack"

	"github.com/neo4j/neo4j-go-driver/v6/neo4j"
)

// TechniquesSeen is attack.Graph's. What is newest of a facility is as presences told last.
func (s *server) TechniquesSeen(ctx context.Context, q attack.Sightings) ([]attack.SeenTechnique, error) {
	records, err := s.read(ctx, "reading which techniques were seen", `
		MATCH (f:Facility) WHERE size($facilities) = 0 OR f.id IN $facilities
		WITH f, coalesce(CASE WHEN $recent THEN f.last_seen - duration({hours: $hours}) ELSE $from END, $beginning) AS since
		MATCH (a:Alert)-[s:SHOWED]->(t:Technique) USING INDEX s:SHOWED(facility, last_seen)
		WHERE s.facility = f.id AND s.last_seen >= since AND ($to IS NULL OR s.first_seen < $to) AND a.status <> 'false-positive'
		RETURN f.id AS facility, t.id AS technique, count(*) AS alerts, min(s.first_seen) AS first, max(s.last_seen) AS last
		ORDER BY facility, first, technique`,
		map[string]any{"facilities": orEmpty(q.Facilities), "recent": q.Recent, "hours": int(attack.RecentSpan / time.Hour), "beginning": time.Time{},
			"from": orNull(q.From), "to": orNull(q.To)})
	all := make([]attack.SeenTechnique, len(records))
	for i, r := range records {
		all[i] = attack.SeenTechnique{FacilityID: value[string](r, "facility"), Technique: value[string](r, "technique"), Alerts: int(value[int64](r, "alerts")),
			First: value[time.Time](r, "first").UTC(), Last: value[time.Time](r, "last").UTC()}
	}
	return all, err
}

// Transitions is attack.Graph's.
func (s *server) Transitions(ctx context.Context, facilities []string, from, to time.Time) ([]attack.Transition, error) {
	records, err := s.read(ctx, "reading what is predicted", `
		MATCH (p:Prediction) WHERE p.status IN ['open', 'validated'] AND ($from IS NULL OR p.expires_at >= $from) AND ($to IS NULL OR p.timestamp < $to)
		MATCH (f:Facility)-[:EXPECTS]->(p) WHERE size($facilities) = 0 OR f.id IN $facilities
		MATCH (p)-[:AFTER]->(now:Technique), (p)-[x:PREDICTED]->(next:Technique) WHERE p.status = 'open' OR x.observed_at IS NOT NULL
		RETURN now.id AS from, next.id AS to, x.observed_at IS NOT NULL AS observed, count(*) AS predictions, max(x.probability) AS probability
		ORDER BY from, to, observed`,
		map[string]any{"facilities": orEmpty(facilities), "from": orNull(from), "to": orNull(to)})
	all := make([]attack.Transition, len(records))
	for i, r := range records {
		all[i] = attack.Transition{From: value[string](r, "from"), To: value[string](r, "to"), Observed: value[bool](r, "observed"),
			Predictions: int(value[int64](r, "predictions")), Probability: value[float64](r, "probability")}
	}
	return all, err
}

// marker says which copy this is and which catalogue is in it; both are "" where Neo4j has none.
func (s *server) marker(ctx context.Context) (graph, catalogue string, err error) {
	records, err := s.read(ctx, "looking what is in it", `MATCH (b:Breakwater) RETURN b.graph AS graph, coalesce(b.catalogue, '') AS catalogue LIMIT 1`, nil)
	if err != nil || len(records) == 0 {
		return "", "", err
	}
	return value[string](records[0], "graph"), value[string](records[0], "catalogue"), nil
}

// value is a column of a row; the zero value where it is null.
func value[T any](r *neo4j.Record, column string) (v T) {
	found, _ := r.Get(column)
	v, _ = found.(T)
	return v
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// orNull is a time as Neo4j keeps it; zero is null.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}
