package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
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

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What is SQLite's own: the URL, pragmas, the form of times, error codes, the migrations' text.

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

// Open opens the database of a URL: sqlite://breakwater.db (a file, relative to the working directory),
// sqlite:///var/lib/breakwater.db (an absolute path) or sqlite://:memory:. A file that is not there is made, one
// that is not Breakwater's is refused and left as it was. It does not migrate.
//
// Errors are of kind Invalid (the URL; no database; one of another program; one that a newer program made) or
// Unavailable (it cannot be opened, read or written now).
func Open(ctx context.Context, rawURL string) (*Store, error) {
	path, err := sqlitePath(rawURL)
	if err != nil {
		return nil, err
	}
	s := &Store{name: path}
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

// sqlitePath is the path in a URL, or memory. It does not show a URL of another scheme: there may be a password in it.
func sqlitePath(rawURL string) (string, error) {
	path, ok := strings.CutPrefix(rawURL, scheme)
	bad := ""
	switch {
	case !ok:
		kind, _, found := strings.Cut(rawURL, ":")
		if !found {
			kind = "without scheme"
		}
		bad = fmt.Sprintf("a database URL %q is not understood", kind)
	case path == "":
		bad = "the database URL " + scheme + " names no file"
	case strings.ContainsAny(path, "?\x00"):
		bad = fmt.Sprintf("the database URL %q has options: none are taken", rawURL)
	case path == memory:
		return memory, nil
	default:
		return filepath.Clean(path), nil
	}
	return "", &breakwater.Error{Kind: breakwater.Invalid, Field: "DATABASE_URL",
		Message: bad + "; use sqlite://breakwater.db, sqlite:///absolute/path.db or sqlite://:memory:"}
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
	if known := newestVersion(); version > known {
		return &breakwater.Error{Kind: breakwater.Invalid,
			Message: fmt.Sprintf("database %s is at version %d, this program knows %d: use a newer program", path, version, known)}
	}
	return nil
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

// stamp is a time as a column keeps it: UTC text of fixed width, which sorts as the times do, to the nanosecond.
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

// failed turns what went wrong while doing something into an error that a person can act on. An error of ours
// passes as it is; nil stays nil.
func (s *Store) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*breakwater.Error](err); ours {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + s.name + ": stopped while " + doing, Err: err}
	}
	code, detail := 0, err.Error()
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		code = e.Code() & 0xff // the rest of the code tells sub-cases apart
	}
	unavailable := func(what string) error {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + s.name + what}
	}
	switch {
	case code == sqlite3.SQLITE_INTERRUPT:
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + s.name + ": stopped while " + doing, Err: context.Canceled}
	case code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED:
		return unavailable(" is locked by another program: end that program or try again")
	case code == sqlite3.SQLITE_FULL:
		return unavailable(" cannot grow, the disk is full: make room; nothing was changed while " + doing)
	case errors.Is(err, errReadOnly) || code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_PERM:
		return unavailable(" cannot be written: check the permissions of the file and its folder")
	case code == sqlite3.SQLITE_CANTOPEN:
		return unavailable(" cannot be opened: check that its folder is there and may be written")
	case code == sqlite3.SQLITE_NOTADB:
		return &breakwater.Error{Kind: breakwater.Invalid, Message: s.name + " is not a database: name another file"}
	case code == sqlite3.SQLITE_CORRUPT:
		return unavailable(" is damaged: restore a backup")
	case code == sqlite3.SQLITE_ERROR && strings.Contains(detail, "no such table"):
		return unavailable(" has no tables yet: run breakwater migrate up")
	case code == sqlite3.SQLITE_IOERR:
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "database " + s.name + " cannot be read or written now", Err: err}
	}
	return &breakwater.Error{Kind: breakwater.Internal, Message: "database " + s.name + ": " + doing, Err: err}
}
