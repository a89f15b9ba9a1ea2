package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"breakwater"

	"github.com/google/go-cmp/cmp"
)

// wantError checks what a person is told and what the program does with it.
func wantError(t *testing.T, err error, kind breakwater.ErrorKind, says string) {
	t.Helper()
	var e *breakwater.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("got %v, want an error that says %q", err, says)
	case e.Kind != kind || !strings.Contains(err.Error(), says):
		t.Errorf("got kind %d, %q; want kind %d and %q", e.Kind, err, kind, says)
	case strings.Contains(err.Error(), "\n"):
		t.Errorf("more than one line: %q", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite://" + path
	}
	foreign := filepath.Join(dir, "foreign.db")
	execute(t, foreign, "CREATE TABLE bookmarks (url TEXT)")
	newer := filepath.Join(dir, "newer.db")
	s := migrated(t, "sqlite://"+newer)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")

	for _, c := range []struct {
		name, url string
		kind      breakwater.ErrorKind
		says      string
	}{
		{"no scheme", "breakwater.db", breakwater.Invalid, "use sqlite://breakwater.db"},
		{"no scheme, but a password", "root:secret@db/x", breakwater.Invalid, "has no scheme"},
		{"other engine", "mysql://root:secret@db/x", breakwater.Invalid, `database URL "mysql"`},
		{"no file", "sqlite://", breakwater.Invalid, "names no file"},
		{"options", "sqlite://x.db?mode=ro", breakwater.Invalid, "has options"},
		{"folder missing", "sqlite://" + dir + "/no/such/x.db", breakwater.Unavailable, "there is no folder " + dir + "/no/such"},
		{"a folder", "sqlite://" + dir, breakwater.Invalid, "is not a file"},
		{"text", write("notes.txt", strings.Repeat("not a database\n", 100)), breakwater.Invalid, "is not a database"},
		{"short text", write("short.txt", "x"), breakwater.Invalid, "is not a database"},
		{"another program's", "sqlite://" + foreign, breakwater.Invalid, "is another program's"},
		{"newer", "sqlite://" + newer, breakwater.Invalid, fmt.Sprintf("is at version 9999, this program knows %d: use a newer program", newestVersion())},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := tree(t, dir)
			s, err := Open(context.Background(), c.url)
			if err == nil {
				s.Close()
			}
			wantError(t, err, c.kind, c.says)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("shows a password: %v", err)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("files were changed (-before +after):\n%s", diff)
			}
		})
	}
}

// execute changes a database behind the store's back.
func execute(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// tree is every file below dir with its content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestUnwritable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root writes everywhere: run as another user to test permissions")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "b.db")
	if err := migrated(t, "sqlite://"+path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), "sqlite://"+path)
	wantError(t, err, breakwater.Unavailable, "cannot be written")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) }) // so that it can be removed
	_, err = Open(context.Background(), "sqlite://"+filepath.Join(dir, "new.db"))
	wantError(t, err, breakwater.Unavailable, "cannot be opened")
}

// What root can test too: a database that SQLite has opened for reading only, and one that may not be written.
func TestReadOnlyConnection(t *testing.T) {
	t.Parallel()
	url := engines["sqlite file"](t)
	s := migrated(t, url)
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(url, scheme)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantError(t, s.failed("opening it", writable(t.Context(), db)), breakwater.Unavailable, "cannot be written")
	if err := writable(t.Context(), s.write); err != nil {
		t.Errorf("one that may be written: %v", err)
	}
	if _, err := s.write.Exec("PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	_, err = s.SaveBatch(t.Context(), breakwater.Batch{FacilityID: "plant"}, nil)
	wantError(t, err, breakwater.Unavailable, "cannot be written")
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "100%.db", "a#b.db", "ä.db", "%41.db", "a:b.db"} {
		s := migrated(t, "sqlite://"+filepath.Join(dir, name))
		if err := s.Ping(context.Background()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("the file is not called so: %v", err)
		}
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	migrated(t, "sqlite://breakwater.db")
	if _, err := os.Stat("breakwater.db"); err != nil {
		t.Error(err)
	}
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	for name, url := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			s := open(t, url(t))
			wantError(t, s.Ping(ctx), breakwater.Unavailable, "has no tables yet: run breakwater migrate up")
			status, err := s.Status(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if len(status) == 0 || status[len(status)-1].Version != newestVersion() || status[0].Name != "0001_first.sql" || !status[0].Applied.IsZero() {
				t.Errorf("status before: %+v", status)
			}
			// Up, up again, all the way down, up once more: the downs leave nothing in the way.
			for range 2 {
				if err := s.Migrate(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Ping(ctx); err != nil {
				t.Error(err)
			}
			for range status {
				if err := s.MigrateDown(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if left := tables(t, s); len(left) > 0 {
				t.Errorf("down left %v", left)
			}
			wantError(t, s.MigrateDown(ctx), breakwater.Conflict, "no migration to take back")
			if err := s.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			if status, err = s.Status(ctx); err != nil || status[0].Applied.IsZero() {
				t.Errorf("status after: %+v, %v", status, err)
			}
		})
	}
}

func TestReadersAndWriterDoNotWait(t *testing.T) {
	t.Parallel()
	s := migrated(t, engines["sqlite file"](t))
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second) // less than the lock's patience
	defer cancel()
	if _, err := s.SaveBatch(ctx, batch(scan(0)), nil); err != nil {
		t.Fatal(err)
	}
	// A writer in the middle of its work: others read the state before.
	err := s.change(ctx, "testing", func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM alerts"); err != nil {
			return err
		}
		page, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
		if err == nil && page.Total != 1 {
			err = fmt.Errorf("a reader saw %d alerts in the middle of a change", page.Total)
		}
		return errors.Join(err, errRollback)
	})
	if !errors.Is(err, errRollback) || strings.Contains(err.Error(), "reader") {
		t.Error(err)
	}
	// A reader in the middle of its work: others write.
	err = s.view(ctx, "testing", func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM alerts").Scan(&n); err != nil {
			return err
		}
		if _, err := s.SaveBatch(ctx, batch(scan(time.Hour)), nil); err != nil {
			return err
		}
		var again int
		if err := tx.QueryRow("SELECT count(*) FROM alerts").Scan(&again); err != nil || again != n {
			return fmt.Errorf("a reader saw %d alerts, then %d (%v)", n, again, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

var errRollback = errors.New("roll back")

func TestManyAtOnce(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 20 {
					b := batch(scan(time.Duration(i) * time.Hour))
					if g%2 == 0 {
						if _, err := s.SaveBatch(ctx, b, nil); err != nil {
							t.Error(err)
						}
					} else if _, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		page, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 200})
		if err != nil || page.Total != 20 {
			t.Fatalf("%d alerts, want 20 (%v)", page.Total, err)
		}
		for _, a := range page.Alerts {
			if a.Count != 1 || a.Version != 1 {
				t.Errorf("alert %s has count %d, version %d", a.ID, a.Count, a.Version)
			}
		}
	})
}

// A cancelled request must not cost a database in memory its only connection.
func TestCancelled(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		if _, err := s.SaveBatch(context.Background(), batch(scan(0)), nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		_, err := s.SaveBatch(ctx, batch(scan(time.Hour)), func(breakwater.Detection) breakwater.Context { cancel(); return breakwater.Context{} })
		wantError(t, err, breakwater.Unavailable, "stopped while saving a batch of facility plant")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is not context.Canceled", err)
		}
		page, err := s.Alerts(context.Background(), AlertQuery{Page: 1, Limit: 10})
		if err != nil || page.Total != 1 {
			t.Errorf("%d alerts (%v), want the one saved before", page.Total, err)
		}
	})
}

func TestLockedByAnother(t *testing.T) {
	t.Parallel()
	url := engines["sqlite file"](t)
	s := migrated(t, url)
	other := open(t, url)
	if _, err := s.write.Exec("PRAGMA busy_timeout = 20"); err != nil {
		t.Fatal(err)
	}
	err := other.change(context.Background(), "testing", func(*sql.Tx) error {
		_, err := s.SaveBatch(context.Background(), batch(scan(0)), nil)
		wantError(t, err, breakwater.Unavailable, "is locked by another program")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveBatch(context.Background(), batch(scan(0)), nil); err != nil {
		t.Errorf("after the lock is gone: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		if !s.Embedded() {
			t.Skip("a server's disk cannot be filled by a test")
		}
		ctx := context.Background()
		if _, err := s.write.Exec("PRAGMA max_page_count = 40"); err != nil {
			t.Fatal(err)
		}
		saved := 0
		var err error
		for ; saved < 1000 && err == nil; saved++ {
			_, err = s.SaveBatch(ctx, batch(scan(time.Duration(saved)*time.Hour)), nil)
		}
		wantError(t, err, breakwater.Unavailable, "the disk is full")
		page, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10})
		if err != nil || page.Total != saved-1 {
			t.Errorf("%d alerts (%v), want the %d saved before the disk was full", page.Total, err, saved-1)
		}
	})
}

func TestBaseline(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		_, _, err := s.Baseline(ctx, "plant")
		wantError(t, err, breakwater.NotFound, "nothing was learned of facility plant yet")
		for i, want := range []string{`{"hosts": ["10.0.0.2"]}`, `{}`} {
			for _, onlyIf := range []int{i, 0, i + 1} { // the same again is no new version
				if version, err := s.SaveBaseline(ctx, "plant", []byte(want), onlyIf); err != nil || version != i+1 {
					t.Fatalf("version %d (%v), want %d", version, err, i+1)
				}
			}
			if got, version, err := s.Baseline(ctx, "plant"); err != nil || string(got) != want || version != i+1 {
				t.Errorf("got %s, version %d (%v), want %s", got, version, err, want)
			}
		}
		_, err = s.SaveBaseline(ctx, "plant", []byte("[]"), 1)
		wantError(t, err, breakwater.Outdated, "is at version 2, not 1")
		for facility, learned := range map[string]string{"plant": "{", "Plant!": "{}"} {
			_, err := s.SaveBaseline(ctx, facility, []byte(learned), 0)
			wantError(t, err, breakwater.Invalid, map[string]string{"plant": "is not JSON", "Plant!": "is not allowed"}[facility])
		}
		_, _, err = s.Baseline(ctx, "Plant!")
		wantError(t, err, breakwater.Invalid, "is not allowed")
	})
}

func TestStamp(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{{}, time.Unix(0, 0), time.Date(2026, 3, 1, 8, 0, 0, 1, time.FixedZone("", 3600)), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)} {
		v, err := stamp(want).Value()
		if err != nil || len(v.(string)) != len(stampLayout) {
			t.Errorf("%v became %q (%v)", want, v, err)
		}
		var got stamp
		if err := got.Scan(v); err != nil || !time.Time(got).Equal(want) {
			t.Errorf("%v came back as %v (%v)", want, time.Time(got), err)
		}
	}
	var s stamp
	if err := s.Scan(int64(5)); err == nil {
		t.Error("a number was taken for a time")
	}
}
