package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"breakwater"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What is SQLite's own: the URL, pragmas, error codes, the migrations' text. Of bulk inserts, locks and partitions it
// has none: one writer at a time is all of it.

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

const (
	scheme = "sqlite://"
	memory = ":memory:"
	// busyTimeout is how long a statement waits for another process's lock.
	busyTimeout = 5 * time.Second
	// readers bounds the connections that read at the same time; each costs some file descriptors and a page cache.
	readers = 4
	// sqliteMagic begins every SQLite file (https://sqlite.org/fileformat.html, section 1.3.1).
	sqliteMagic = "SQLite format 3\x00"
)

// openSQLite opens a file, which is made where there is none, or memory. A file that is not Breakwater's is refused
// and left as it was.
func openSQLite(ctx context.Context, rawURL string) (*Store, error) {
	path, err := sqlitePath(rawURL)
	if err != nil {
		return nil, err
	}
	s := &Store{name: path, engine: sqliteEngine{}}
	if path == memory {
		s.write, err = pool(path, 1, "foreign_keys(1)")
		s.read = s.write
	} else if err = s.inspect(ctx, path); err == nil {
		s.write, err = pool(path, 1, "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)")
		if err == nil {
			s.read, err = pool(path, readers, "foreign_keys(1)", "query_only(1)")
		}
	}
	if err != nil {
		return nil, s.failed("opening it", err)
	}
	if err := s.failed("opening it", writable(ctx, s.write)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// writable asks SQLite itself: it opens a file without write permission for reading, and even begins a transaction
// that writes without a word. The connection is made here, and with it what cannot be opened at all is found.
func writable(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var name string
	if err := conn.QueryRowContext(ctx, `SELECT coalesce(min(name), '') FROM sqlite_master`).Scan(&name); err != nil {
		return err
	}
	return conn.Raw(func(driver any) error {
		readOnly, err := driver.(interface{ IsReadOnly(string) (bool, error) }).IsReadOnly("main")
		if err == nil && readOnly {
			err = errReadOnly
		}
		return err
	})
}

var errReadOnly = errors.New("opened for reading only")

// sqlitePath is the path in a URL, or memory.
func sqlitePath(rawURL string) (string, error) {
	path := strings.TrimPrefix(rawURL, scheme)
	bad := ""
	switch {
	case path == "":
		bad = "the database URL " + scheme + " names no file"
	case strings.ContainsAny(path, "?\x00"):
		bad = fmt.Sprintf("the database URL %q has options: none are taken", rawURL)
	case path == memory:
		return memory, nil
	default:
		return filepath.Clean(path), nil
	}
	return "", badURL(bad + "; use sqlite://breakwater.db, sqlite:///absolute/path.db or sqlite://:memory:")
}

// inspect looks at a file before anything is written to it: switching to WAL would change even the file of another
// program.
func (s *Store) inspect(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: fmt.Sprintf("database %s cannot be opened: there is no folder %s; make it first", path, dir)}
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil // a new database
	}
	if err == nil && !info.Mode().IsRegular() {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: "database " + path + " is not a file: name a file"}
	}
	ours, err := startsWith(path, sqliteMagic)
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + path + " cannot be opened", Err: err}
	}
	if !ours {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: path + " is not a database: name another file"}
	}
	return s.inspectTables(ctx, path)
}

// startsWith looks by hand: SQLite takes a file of a few bytes for an empty database. It closes the file before
// SQLite opens it, because closing it would end SQLite's locks (fcntl(2) locks are the process's).
func startsWith(path, magic string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	b := make([]byte, len(magic))
	if _, err := io.ReadFull(f, b); err == io.EOF || err == io.ErrUnexpectedEOF {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return string(b) == magic, nil
}

// inspectTables refuses a database of another program or of a newer version of this one.
func (s *Store) inspectTables(ctx context.Context, path string) error {
	db, err := pool(path, 1, "query_only(1)")
	if err != nil {
		return s.failed("opening it", err)
	}
	defer db.Close()
	var tables, ours int
	err = db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(name = 'goose_db_version'), 0) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`).
		Scan(&tables, &ours)
	if err != nil {
		return s.failed("opening it", err)
	}
	if tables == 0 {
		return nil
	}
	if ours == 0 {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: "database " + path + " is another program's: name a new file"}
	}
	var version int64
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version); err != nil {
		return s.failed("opening it", err)
	}
	return s.known(version)
}

// pool is at most n connections to a file or to memory; none is made yet. Each waits for locks, and begins a
// transaction that may write by taking the write lock: one that took it later could find its reads outdated and would
// have to begin anew.
func pool(path string, n int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}}
	q["_pragma"] = append(q["_pragma"], pragmas...)
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// sqliteEngine is the embedded database.
type sqliteEngine struct{}

func (sqliteEngine) embedded() bool         { return true }
func (sqliteEngine) reading() sql.TxOptions { return sql.TxOptions{ReadOnly: true} }
func (sqliteEngine) forUpdate() string      { return "" } // who may write is alone
func (sqliteEngine) skipLocked() string     { return "" }
func (sqliteEngine) clock() string          { return "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)" }

func (sqliteEngine) saveWindows(ctx context.Context, _ *sql.Conn, tx *sql.Tx, windows []breakwater.Window, received time.Time) error {
	upsert, err := tx.PrepareContext(ctx, upsertWindow)
	if err != nil {
		return err
	}
	defer upsert.Close()
	for i := range windows {
		if _, err := upsert.ExecContext(ctx, windowValues(&windows[i], received)...); err != nil {
			return err
		}
	}
	return nil
}

func (sqliteEngine) turnDays(context.Context, *Store, time.Time, time.Time) ([]string, error) {
	return nil, nil // its tables have no parts
}

func (sqliteEngine) migrations(_ context.Context, db *sql.DB) (*goose.Provider, error) {
	return provider(goose.DialectSQLite3, db, sqliteMigrations)
}

func (sqliteEngine) explain(name, doing string, err error) error {
	code, detail := 0, err.Error()
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		code = e.Code() & 0xff // the rest of the code tells sub-cases apart
	}
	unavailable := func(what string) error {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + what}
	}
	switch {
	case code == sqlite3.SQLITE_INTERRUPT:
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + ": stopped while " + doing, Err: context.Canceled}
	case code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED:
		return unavailable(" is locked by another program: end that program or try again")
	case code == sqlite3.SQLITE_FULL:
		return unavailable(" cannot grow, the disk is full: make room; nothing was changed while " + doing)
	case errors.Is(err, errReadOnly) || code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_PERM:
		return unavailable(" cannot be written: check the permissions of the file and its folder")
	case code == sqlite3.SQLITE_CANTOPEN:
		return unavailable(" cannot be opened: check that its folder is there and may be written")
	case code == sqlite3.SQLITE_NOTADB:
		return &breakwater.Error{Kind: breakwater.Invalid, Message: name + " is not a database: name another file"}
	case code == sqlite3.SQLITE_CORRUPT:
		return unavailable(" is damaged: restore a backup")
	case code == sqlite3.SQLITE_ERROR && strings.Contains(detail, "no such table"):
		return unavailable(noTables)
	case code == sqlite3.SQLITE_IOERR:
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + name + " cannot be read or written now", Err: err}
	}
	return nil
}
