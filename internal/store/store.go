// Package store keeps what must outlive the process: facilities with their assets, windows and baselines, alerts with their
// sources and history, incidents, predictions, rounds of the federation, models and what demos played.
//
//	Batch ─► SaveBatch ─┬─► facilities, network_data
//	                    └─► the asset's alerts near that time ─► Counted? Accepts? ─► Absorb ─► alerts, alert_sources, alert_events
//	                        (read)                               (decided by the root package)   (written, in the same transaction)
//
// It knows SQL, transactions and migrations, and hides which engine runs them: the text of a query is the same for
// all, and what SQLite or PostgreSQL does in its own way stands in sqlite.go and postgres.go. It does not know what makes
// detections one alert: that is breakwater.Alert's. Errors are *breakwater.Error; an engine's own error is at most the
// cause inside one.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"breakwater"

	"github.com/pressly/goose/v3"
)

// Store is an open database. Its methods may be called at the same time; each sees and leaves a whole state.
type Store struct {
	name string // for messages: the file, ":memory:", or the database and its server
	engine
	// With SQLite one connection writes and several read: in its WAL mode neither waits for the other. A database in
	// memory lives in one connection; then, and with PostgreSQL, both are the same pool.
	write, read *sql.DB
}

// engine is what SQLite and PostgreSQL do each in its own way.
type engine interface {
	embedded() bool
	// reading is a transaction that sees one state from its first query to its last.
	reading() sql.TxOptions
	// forUpdate ends a SELECT of rows that this transaction will write, and keeps others from writing them before.
	forUpdate() string
	// skipLocked is forUpdate that leaves out the rows that others have locked, instead of waiting for them.
	skipLocked() string
	// clock is the time now, Unix milliseconds, as a part of a statement.
	clock() string
	// saveWindows writes each window over what was known of its second. Only one transaction at a time does so for a
	// facility: each has its row in facilities locked.
	saveWindows(ctx context.Context, conn *sql.Conn, tx *sql.Tx, windows []breakwater.Window, received time.Time) error
	// turnDays drops whole days of which nothing was received since a time, and says which, as "2026-03-01"; it makes
	// ready the days from now on.
	turnDays(ctx context.Context, s *Store, now, since time.Time) ([]string, error)
	migrations(ctx context.Context, db *sql.DB) (*goose.Provider, error)
	// explain is what an error of the driver means to a person; nil where it means a bug of ours.
	explain(name, doing string, err error) error
}

// Open opens the database of a URL: sqlite://breakwater.db (a file, relative to the working directory),
// sqlite:///var/lib/breakwater.db (an absolute path), sqlite://:memory:, or postgres://user:password@host:port/name,
// where postgresql:// and postgresql+driver:// mean the same. It does not migrate, and refuses a database that another
// program or a newer version of this one uses.
//
// Errors are of kind Invalid (the URL; no database; one of another program; one that a newer program made) or
// Unavailable (it cannot be opened, read or written now). None shows the password.
func Open(ctx context.Context, rawURL string) (*Store, error) {
	if err := CheckURL(rawURL); err != nil {
		return nil, err
	}
	if strings.HasPrefix(rawURL, scheme) {
		return openSQLite(ctx, rawURL)
	}
	return openPostgres(ctx, rawURL)
}

// CheckURL says, without opening anything, whether Open understands the URL. The error is of kind Invalid; it shows of
// a URL with a password at most the scheme.
func CheckURL(rawURL string) error {
	kind, _, found := strings.Cut(rawURL, "://")
	switch {
	case !found:
		return badURL("the database URL has no scheme; use sqlite://breakwater.db or postgres://user:password@host:5432/name")
	case kind == "sqlite":
		_, err := sqlitePath(rawURL)
		return err
	case isPostgres(kind):
		_, err := postgresConfig(rawURL)
		return err
	}
	return badURL(fmt.Sprintf("a database URL %q is not understood; use sqlite://breakwater.db or postgres://user:password@host:5432/name", kind))
}

func badURL(message string) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Field: "DATABASE_URL", Message: message}
}

// Embedded reports whether the database runs inside this process.
func (s *Store) Embedded() bool { return s.embedded() }

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
//
// On SQLite the one that writes is alone. On PostgreSQL others write at the same time: who reads in order to write
// locks what it reads: all of a facility with saveFacility, as whatever changes alerts does, a row with forUpdate.
func (s *Store) change(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return s.transact(ctx, s.write, nil, doing, func(_ *sql.Conn, tx *sql.Tx) error { return f(tx) })
}

func (s *Store) view(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	opts := s.reading()
	return s.transact(ctx, s.read, &opts, doing, func(_ *sql.Conn, tx *sql.Tx) error { return f(tx) })
}

// transact runs f in a transaction on a connection, through which f reaches what database/sql cannot say.
func (s *Store) transact(ctx context.Context, db *sql.DB, opts *sql.TxOptions, doing string, f func(*sql.Conn, *sql.Tx) error) error {
	conn, tx, err := begin(ctx, db, opts)
	if err != nil {
		return s.failed(doing, err)
	}
	defer conn.Close()
	defer tx.Rollback() // does nothing after a commit
	if err = f(conn, tx); err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err() // which took the transaction back by itself
	}
	return s.failed(doing, err)
}

// begin begins a transaction. A connection that turns out to be dead, as all are after the server was restarted, is
// dropped and another taken: nothing was sent over it.
func begin(ctx context.Context, db *sql.DB, opts *sql.TxOptions) (*sql.Conn, *sql.Tx, error) {
	for dead := 0; ; dead++ {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		tx, err := conn.BeginTx(ctx, opts)
		if err == nil {
			return conn, tx, nil
		}
		conn.Close()
		if !errors.Is(err, driver.ErrBadConn) || dead == postgresConns {
			return nil, nil, err
		}
	}
}

// failed turns what went wrong while doing something into an error that a person can act on. An error of ours
// passes as it is; nil stays nil.
func (s *Store) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*breakwater.Error](err); ours {
		return err
	}
	if explained := s.explain(s.name, doing, err); explained != nil {
		return explained
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + s.name + ": stopped while " + doing, Err: err}
	}
	return &breakwater.Error{Kind: breakwater.Internal, Message: "database " + s.name + ": " + doing, Err: err}
}

// noTables ends the message about a database that was not migrated.
const noTables = " has no tables yet: run breakwater migrate up"

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
	switch v := v.(type) {
	case string:
		return json.Unmarshal([]byte(v), j.V)
	case []byte:
		return json.Unmarshal(v, j.V)
	}
	return fmt.Errorf("JSON cannot be a %T", v)
}

// stamp is a time as a column keeps it on every engine: UTC text of fixed width, which sorts as the times do, to the
// nanosecond. Identity hangs on each of them, and PostgreSQL's own timestamptz rounds to the microsecond: see
// migrations/postgres/0001_first.sql.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000000000Z"

// Value is the text.
func (t stamp) Value() (driver.Value, error) { return time.Time(t).UTC().Format(stampLayout), nil }

// Scan reads it; NULL is the zero time.
func (t *stamp) Scan(v any) error {
	if v == nil {
		*t = stamp{}
		return nil
	}
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a time cannot be a %T", v)
	}
	parsed, err := time.Parse(stampLayout, s)
	*t = stamp(parsed)
	return err
}

// storable reports whether t can be kept and shown: RFC 3339 has years of four digits.
func storable(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 0 && y <= 9999
}
