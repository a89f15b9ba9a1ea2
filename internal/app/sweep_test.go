package app

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store"
	"breakwater/internal/store/storetest"
)

// A server that starts removes what it has kept long enough, and leaves what came later and what raised an alert.
func TestSweep(t *testing.T) {
	for name, url := range storetest.Engines() {
		if name == "sqlite memory" {
			continue // it ends with the connection: a server has its own
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := url(t)
			s, err := store.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			now := time.Now().Truncate(time.Second)
			for _, facility := range []string{"old", "young"} {
				_, err := s.SaveBatch(t.Context(), breakwater.Batch{FacilityID: facility, Windows: []breakwater.Window{{FacilityID: facility, Time: now}},
					Detections: []breakwater.Detection{{FacilityID: facility, Time: now, Layer: 1, Model: "scan", Asset: "10.0.0.1", Severity: breakwater.Low, Count: 1}}}, nil)
				if err != nil {
					t.Fatal(err)
				}
			}
			driver, name := "pgx", url
			if s.Embedded() {
				driver, name = "sqlite", strings.TrimPrefix(url, "sqlite://")
			}
			db, err := sql.Open(driver, name)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(`UPDATE network_data SET received_at = $1 WHERE facility_id = 'old'`, now.Add(-49*time.Hour).UTC().Format("2006-01-02T15:04:05.000000000Z")); err != nil {
				t.Fatal(err)
			}

			c := defaults()
			c.APIPort, c.DatabaseURL, c.Retention, c.LogLevel = "0", url, "2", "error"
			a, err := Open(t.Context(), c, "test")
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			left := ""
			for left != "young" {
				select {
				case <-ctx.Done():
					t.Fatalf("of %q is left", left)
				case <-tick.C:
				}
				var all sql.NullString
				if err := db.QueryRow(`SELECT max(facility_id) || CASE WHEN count(*) > 1 THEN ' and others' ELSE '' END FROM network_data`).Scan(&all); err != nil {
					t.Fatal(err)
				}
				left = all.String
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			var alerts int
			if err := db.QueryRow(`SELECT count(*) FROM alerts`).Scan(&alerts); err != nil || alerts != 2 {
				t.Errorf("%d alerts (%v), want both", alerts, err)
			}
		})
	}
}
