package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// What is PostgreSQL's own: the URL, the schema, bulk inserts by COPY, the lock of migrations, error codes.

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

const (
	// postgresConns bounds the connections of one process; a server takes 100 in all unless told otherwise.
	postgresConns = 20
	// postgresIdle is when a connection that nothing uses is given back.
	postgresIdle = 5 * time.Minute
	// postgresPatience is how long a connection may take to come about, where the URL says nothing (connect_timeout).
	postgresPatience = 5 * time.Second
)

// isPostgres reports whether a URL's scheme means PostgreSQL. Programs in Python name their driver after a plus, as in
// postgresql+asyncpg, and share the URL with us.
func isPostgres(scheme string) bool {
	kind, _, _ := strings.Cut(scheme, "+")
	return kind == "postgres" || kind == "postgresql"
}

// postgresConfig reads a URL. What the library says of a bad one is not shown: it may quote the password.
func postgresConfig(rawURL string) (*pgx.ConnConfig, error) {
	_, rest, _ := strings.Cut(rawURL, "://")
	config, err := pgx.ParseConfig("postgres://" + rest)
	if err != nil {
		return nil, badURL("the database URL cannot be read; use postgres://user:password@host:5432/name?sslmode=require, with letters " +
			"like @ : / # ? % in the password written as %40 %3A %2F %23 %3F %25, and PostgreSQL's own connection parameters")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresPatience
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "breakwater"
	}
	return config, nil
}

// postgresEngine is a PostgreSQL server. All tables are in one schema, named after the user or the first of the URL's
// search_path: since PostgreSQL 15 the owner of a database alone may make tables in its schema "public".
type postgresEngine struct {
	schema string
}

func openPostgres(ctx context.Context, rawURL string) (*Store, error) {
	config, err := postgresConfig(rawURL)
	if err != nil {
		return nil, err
	}
	schema, _, _ := strings.Cut(config.RuntimeParams["search_path"], ",")
	if schema = strings.Trim(schema, ` "`); schema == "" || schema == "$user" {
		schema = config.User
	}
	// "public" stands behind it for extensions that someone has installed there.
	config.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize() + ", public"
	name := fmt.Sprintf("%s on %s", config.Database, net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))))
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	db.SetConnMaxIdleTime(postgresIdle)
	s := &Store{name: name, engine: postgresEngine{schema}, read: db, write: db}
	if err := s.failed("opening it", s.inspectSchema(ctx, schema)); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// inspectSchema refuses a schema of another program or of a newer version of this one.
func (s *Store) inspectSchema(ctx context.Context, schema string) error {
	var tables, ours int
	err := s.read.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE tablename = 'goose_db_version') FROM pg_tables WHERE schemaname = $1`, schema).
		Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return err
	}
	if ours == 0 {
		return &breakwater.Error{Kind: breakwater.Invalid,
			Message: fmt.Sprintf("schema %s of database %s is another program's: use another user or database, or name a new schema with ?search_path=", schema, s.name)}
	}
	var version int64
	if err := s.read.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version); err != nil {
		return err
	}
	return s.known(version)
}

func (postgresEngine) embedded() bool { return false }

func (postgresEngine) reading() sql.TxOptions {
	return sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

func (postgresEngine) forUpdate() string  { return " FOR UPDATE" }
func (postgresEngine) skipLocked() string { return " FOR UPDATE SKIP LOCKED" }

func (postgresEngine) clock() string {
	return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
}

// saveWindows copies what is new. COPY cannot write over what is there, so all else goes as upserts, sent together.
func (postgresEngine) saveWindows(ctx context.Context, conn *sql.Conn, tx *sql.Tx, windows []breakwater.Window, received time.Time) error {
	first, last := windows[0].Time, windows[len(windows)-1].Time
	fresh := len(windows) > 1
	for i := range windows[1:] {
		fresh = fresh && windows[i].Time.Before(windows[i+1].Time)
	}
	if fresh {
		err := tx.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM network_data WHERE facility_id = $1 AND timestamp BETWEEN $2 AND $3)`,
			windows[0].FacilityID, stamp(first), stamp(last)).Scan(&fresh)
		if err != nil {
			return err
		}
	}
	return conn.Raw(func(driver any) error {
		raw := driver.(*stdlib.Conn).Conn()
		if fresh {
			_, err := raw.CopyFrom(ctx, pgx.Identifier{"network_data"}, windowColumns,
				pgx.CopyFromSlice(len(windows), func(i int) ([]any, error) { return windowValues(&windows[i], received), nil }))
			return err
		}
		var upserts pgx.Batch
		for i := range windows {
			upserts.Queue(upsertWindow, windowValues(&windows[i], received)...)
		}
		return raw.SendBatch(ctx, &upserts).Close()
	})
}

// The partitions of network_data: one for each day of data time, made daysAhead before it begins, and network_data_rest
// for all other times.
const (
	dayLayout = "network_data_20060102"
	daysAhead = 2
	// turnPatience is how long making or dropping a day may wait for those who use the table, and others for it.
	turnPatience = "SET LOCAL lock_timeout = '2s'"
)

// turnDays leaves it to another node that is at it.
func (e postgresEngine) turnDays(ctx context.Context, s *Store, now, since time.Time) (dropped []string, err error) {
	const doing = "looking for days that are over"
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, s.failed(doing, err)
	}
	defer conn.Close()
	var alone bool
	if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, e.lockID()+1).Scan(&alone); err != nil || !alone {
		return nil, s.failed(doing, err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, e.lockID()+1)

	var names []string
	err = s.view(ctx, doing, func(tx *sql.Tx) (err error) {
		names, err = many(ctx, tx, func(name *string, scan func(...any) error) error { return scan(name) },
			`SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			 WHERE i.inhparent = 'network_data'::regclass AND c.relname <> 'network_data_rest' ORDER BY c.relname`)
		return err
	})
	if err != nil {
		return nil, err
	}
	today := now.UTC().Truncate(24 * time.Hour)
	for ahead := range daysAhead + 1 {
		day := today.AddDate(0, 0, ahead)
		if !slices.Contains(names, dayTable(day)) {
			if err := e.makeDay(ctx, s, day); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range names {
		if name >= dayTable(today) {
			break
		}
		gone, err := e.dropDay(ctx, s, name, since)
		if err != nil {
			return dropped, err
		}
		if gone {
			day, _ := time.Parse(dayLayout, name)
			dropped = append(dropped, day.Format(time.DateOnly))
		}
	}
	return dropped, nil
}

func dayTable(day time.Time) string { return day.Format(dayLayout) }

// makeDay makes a day's partition. What of that day came before it, from a clock that is ahead, moves over.
func (e postgresEngine) makeDay(ctx context.Context, s *Store, day time.Time) error {
	name, from, to := dayTable(day), day.Format(stampLayout), day.AddDate(0, 0, 1).Format(stampLayout)
	return s.change(ctx, "making table "+name, func(tx *sql.Tx) error {
		for _, statement := range []string{
			turnPatience,
			`LOCK TABLE ONLY network_data, ONLY network_data_rest IN ACCESS EXCLUSIVE MODE`,
			`CREATE TABLE ` + name + ` (LIKE network_data INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`,
			`WITH moved AS (DELETE FROM network_data_rest WHERE timestamp >= '` + from + `' AND timestamp < '` + to + `' RETURNING *)
			 INSERT INTO ` + name + ` SELECT * FROM moved`,
			`ALTER TABLE network_data ATTACH PARTITION ` + name + ` FOR VALUES FROM ('` + from + `') TO ('` + to + `')`,
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropDay drops a day of which nothing was received since a time.
func (e postgresEngine) dropDay(ctx context.Context, s *Store, name string, since time.Time) (gone bool, err error) {
	kept := `SELECT EXISTS (SELECT 1 FROM ` + name + ` WHERE received_at >= $1)`
	var some bool
	if err := s.read.QueryRowContext(ctx, kept, stamp(since)).Scan(&some); err != nil || some {
		return false, s.failed("looking into table "+name, err)
	}
	err = s.change(ctx, "dropping table "+name, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, turnPatience); err != nil {
			return err
		}
		// In the order in which those who write take their locks: the whole table, then the day's.
		if _, err := tx.ExecContext(ctx, `LOCK TABLE ONLY network_data IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, kept, stamp(since)).Scan(&some); err != nil || some {
			return err
		}
		_, err := tx.ExecContext(ctx, `DROP TABLE `+name)
		return err
	})
	return err == nil && !some, err
}

// migrations makes the schema where it is not there. Two nodes that start at the same time take turns.
func (e postgresEngine) migrations(ctx context.Context, db *sql.DB) (*goose.Provider, error) {
	id := e.lockID()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var there bool
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, id); err != nil {
		return nil, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, e.schema).Scan(&there); err != nil {
		return nil, err
	}
	if !there {
		if _, err := tx.ExecContext(ctx, `CREATE SCHEMA `+pgx.Identifier{e.schema}.Sanitize()); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(id), lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return provider(goose.DialectPostgres, db, postgresMigrations, goose.WithSessionLocker(locker))
}

// lockID names what only one may do at a time in this schema: advisory locks are the whole database's.
func (e postgresEngine) lockID() int64 {
	h := fnv.New64a()
	io.WriteString(h, "breakwater "+e.schema)
	return int64(h.Sum64())
}

func (postgresEngine) explain(name, doing string, err error) error {
	told := func(kind breakwater.ErrorKind, what string) error {
		return &breakwater.Error{Kind: kind, Message: "database " + name + what}
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		_, dialling := errors.AsType[*pgconn.ConnectError](err)
		_, network := errors.AsType[net.Error](err)
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case dialling: // where it took too long, too
			return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + " cannot be reached: check that its server runs, and the host and port in DATABASE_URL", Err: oneLine(err)}
		case errors.Is(err, context.DeadlineExceeded):
			return nil
		case network || pgconn.Timeout(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed):
			return told(breakwater.Unavailable, ": the connection was lost while "+doing+"; try again")
		case strings.Contains(err.Error(), "conn closed"): // pgconn has no exported error for it
			return told(breakwater.Unavailable, ": the connection was lost while "+doing+"; try again")
		}
		return nil
	}
	switch {
	case e.Code == "42P01" || e.Code == "3F000": // undefined_table, invalid_schema_name
		return told(breakwater.Unavailable, noTables)
	case e.Code == "42703": // undefined_column
		return told(breakwater.Unavailable, " is at an older version than this program: run breakwater migrate up")
	case e.Code == "28P01" || e.Code == "28000": // invalid_password, invalid_authorization_specification
		return told(breakwater.Unavailable, " refuses the user or the password in DATABASE_URL")
	case e.Code == "3D000": // invalid_catalog_name
		return told(breakwater.Unavailable, " is not there: make it with CREATE DATABASE, or name another in DATABASE_URL")
	case e.Code == "42501": // insufficient_privilege
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + " does not permit the user of DATABASE_URL " + doing + ": GRANT ALL PRIVILEGES ON DATABASE to it", Err: err}
	case e.Code == "25006": // read_only_sql_transaction
		return told(breakwater.Unavailable, " cannot be written: it is a standby, or set to reading only")
	case e.Code == "53100": // disk_full
		return told(breakwater.Unavailable, " cannot grow, the disk is full: make room; nothing was changed while "+doing)
	case e.Code == "53300": // too_many_connections
		return told(breakwater.Unavailable, " has no connection left: raise max_connections or end other programs")
	case e.Code == "57P03": // cannot_connect_now
		return told(breakwater.Unavailable, " is starting or stopping: try again")
	case e.Code == "57014": // query_canceled
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + ": stopped while " + doing, Err: context.Canceled}
	case e.Code == "40001" || e.Code == "40P01" || e.Code == "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return told(breakwater.Unavailable, ": another change was in the way of "+doing+"; try again")
	case e.Code == "22021" || e.Code == "22P05": // character_not_in_repertoire, untranslatable_character
		return told(breakwater.Invalid, " keeps no text with a NUL character or invalid UTF-8, found while "+doing)
	case strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P"): // connection exceptions; the server is shut down or crashed
		return told(breakwater.Unavailable, ": its server ended the connection while "+doing+"; try again")
	case strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "58"): // insufficient resources, errors of its system
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + " lacks something it needs while " + doing, Err: err}
	case strings.HasPrefix(e.Code, "XX00"): // data or index corrupted
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + " is damaged: restore a backup", Err: err}
	}
	return nil
}

// oneLine is an error whose text takes one line: that of a connection lists every address that was tried on its own.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
