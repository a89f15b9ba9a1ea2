// Package store keeps what must outlive the process: facilities, alerts with their sources and history, windows
// and baselines.
//
//	Batch ─► SaveBatch ─┬─► facilities, network_data
//	                    └─► the asset's alerts near that time ─► Counted? Accepts? ─► Absorb ─► alerts, alert_sources, alert_events
//	                        (read)                               (decided by the root package)   (written, in the same transaction)
//
// It knows SQL, transactions and migrations, and hides which engine runs them: the text of a query is the same for
// all, and what is SQLite's own stands in sqlite.go. It does not know what makes detections one alert: that is
// breakwater.Alert's. Errors are *breakwater.Error; an engine's own error is at most the cause inside one.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"breakwater"
)

// Store is an open database. Its methods may be called at the same time; each sees and leaves a whole state.
type Store struct {
	name string // for messages: the file, or ":memory:"
	// One connection writes, several read: in SQLite's WAL mode neither waits for the other. A database in memory
	// lives in one connection, and then both are the same pool.
	write, read *sql.DB
}

// Embedded reports whether the database runs inside this process.
func (s *Store) Embedded() bool { return true }

// Close closes the database. Nothing saved before is lost.
func (s *Store) Close() error {
	err := s.read.Close()
	if s.write != s.read {
		if werr := s.write.Close(); err == nil {
			err = werr
		}
	}
	return s.failed("closing it", err)
}

// Ping reads from the database. The error is of kind Unavailable where that cannot be done now.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM facilities`).Scan(&n)
	return s.failed("looking whether it answers", err)
}

// change runs f in a transaction that may write, and view in one that sees a single state; doing says what for.
func (s *Store) change(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return s.transact(ctx, s.write, nil, doing, f)
}

func (s *Store) view(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return s.transact(ctx, s.read, &sql.TxOptions{ReadOnly: true}, doing, f)
}

func (s *Store) transact(ctx context.Context, db *sql.DB, opts *sql.TxOptions, doing string, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return s.failed(doing, err)
	}
	defer tx.Rollback() // does nothing after a commit
	if err := f(tx); err != nil {
		return s.failed(doing, err)
	}
	return s.failed(doing, tx.Commit())
}

// many is all rows of a query, each read by scan.
func many[T any](ctx context.Context, tx *sql.Tx, scan func(*T, func(...any) error) error, query string, args ...any) ([]T, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		var one T
		if err := scan(&one, rows.Scan); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// idText is an ID as the column type uuid of an engine that has one, and text elsewhere, takes and gives it.
type idText breakwater.ID

// Value is the id's usual form.
func (id idText) Value() (driver.Value, error) { return breakwater.ID(id).String(), nil }

// Scan reads it.
func (id *idText) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("an id cannot be a %T", v)
	}
	return (*breakwater.ID)(id).UnmarshalText([]byte(s))
}

// jsonText is a value kept as JSON. To scan, V must be a pointer.
type jsonText struct{ V any }

// Value is the JSON.
func (j jsonText) Value() (driver.Value, error) {
	b, err := json.Marshal(j.V)
	return string(b), err
}

// Scan reads it.
func (j jsonText) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("JSON cannot be a %T", v)
	}
	return json.Unmarshal([]byte(s), j.V)
}

// storable reports whether t can be kept and shown: RFC 3339 has years of four digits.
func storable(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 0 && y <= 9999
}
