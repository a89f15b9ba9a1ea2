package store

import (
	"context"
	"database/sql"
	"time"
)

// Hits is how often one model has fired.
type Hits struct {
	Alerts int       // that it is a source of
	Count  int64     // detections, over all of them
	Last   time.Time // data time of the newest
}

// Hits counts, by model name, the sources of all alerts that are kept.
func (s *Store) Hits(ctx context.Context) (map[string]Hits, error) {
	type row struct {
		model string
		Hits
	}
	var rows []row
	err := s.view(ctx, "counting what rules have found", func(tx *sql.Tx) (err error) {
		rows, err = many(ctx, tx, func(r *row, scan func(...any) error) error {
			return scan(&r.model, &r.Alerts, &r.Count, (*stamp)(&r.Last))
		}, `SELECT model_name, count(*), CAST(sum(count) AS bigint), max(counted_until) FROM alert_sources GROUP BY model_name`)
		return err
	})
	hits := make(map[string]Hits, len(rows))
	for _, r := range rows {
		hits[r.model] = r.Hits
	}
	return hits, err
}
