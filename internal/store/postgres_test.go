package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store/storetest"
)

// The three lines with which users set the database up, and then nothing but migrate.
func TestThreeLines(t *testing.T) {
	server := storetest.Server(t)
	var undo []string // only what this test has made
	t.Cleanup(func() {
		for _, line := range undo {
			if _, err := server.Exec(line); err != nil {
				t.Error(err)
			}
		}
	})
	for _, line := range []struct{ do, undo string }{
		{"CREATE DATABASE ics_threat_detection", "DROP DATABASE ics_threat_detection WITH (FORCE)"},
		{"CREATE USER ics_user WITH PASSWORD 'x'", "DROP USER ics_user"},
		{"GRANT ALL PRIVILEGES ON DATABASE ics_threat_detection TO ics_user", "SELECT 1"},
	} {
		if _, err := server.Exec(line.do); err != nil {
			t.Fatal(err)
		}
		undo = append(undo, line.undo)
	}
	u := storetest.ServerURL(t)
	u.User, u.Path = url.UserPassword("ics_user", "x"), "/ics_threat_detection"
	s := migrated(t, u.String())
	save(t, s, batch(scan(0)))
	var schema, owner string
	err := s.read.QueryRow(`SELECT schemaname, tableowner FROM pg_tables WHERE tablename = 'alerts'`).Scan(&schema, &owner)
	if err != nil || schema != "ics_user" || owner != "ics_user" {
		t.Errorf("alerts lie in schema %q of %q (%v)", schema, owner, err)
	}
	// A day's table can be made by this user too.
	if _, err := s.Expire(t.Context(), time.Now(), time.Hour); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// Python's names of drivers, as others that share the URL write them.
	for _, scheme := range []string{"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2"} {
		u.Scheme = scheme
		s, err := Open(t.Context(), u.String())
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		if page, err := s.Alerts(t.Context(), AlertQuery{Page: 1, Limit: 10}); err != nil || page.Total != 1 {
			t.Errorf("%s: %d alerts, %v", scheme, page.Total, err)
		}
		s.Close()
	}
}

func TestSchemaOfTheURL(t *testing.T) {
	t.Parallel()
	u := storetest.Postgres(t)
	if _, err := migrated(t, u).read.Exec(`CREATE TABLE public.sensors (bookmark text)`); err != nil { // someone else's
		t.Fatal(err)
	}
	s := migrated(t, u+"&search_path=second%20plant,public")
	save(t, s, batch(scan(0)))
	var schema string
	if err := s.read.QueryRow(`SELECT current_schema()`).Scan(&schema); err != nil || schema != "second plant" {
		t.Errorf("schema %q, %v", schema, err)
	}
	if page, err := open(t, u).Alerts(t.Context(), AlertQuery{Page: 1, Limit: 10}); err != nil || page.Total != 0 {
		t.Errorf("%d alerts in the first schema, %v", page.Total, err)
	}
}

func TestOpenPostgresRefuses(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	nowhere := closed.Addr().String()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for _, c := range []struct {
		name, url string
		kind      breakwater.ErrorKind
		says      string
	}{
		{"other letters in the password", "postgres://u:se%cret@db/x", breakwater.Invalid, "in the password written as %40"},
		{"a bad port", "postgres://u:secret@db:fifty/x", breakwater.Invalid, "cannot be read"},
		{"a bad parameter", "postgres://u:secret@db/x?sslmode=secret", breakwater.Invalid, "PostgreSQL's own connection parameters"},
		{"nobody there", "postgresql+asyncpg://u:secret@" + nowhere + "/x", breakwater.Unavailable, "database x on " + nowhere + " cannot be reached"},
		{"nobody answers", "postgres://u:secret@" + silent.Addr().String() + "/x?connect_timeout=1", breakwater.Unavailable, "cannot be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), c.url)
			wantError(t, err, c.kind, c.says)
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "secret") || strings.Contains(chain(err), "secret") {
				t.Errorf("shows the password: %v", err)
			}
		})
	}

	u := storetest.Postgres(t)
	other, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	other.Path = "/there_is_none"
	_, err = Open(t.Context(), other.String())
	wantError(t, err, breakwater.Unavailable, "is not there: make it with CREATE DATABASE")
	other.Path, other.User = "/postgres", url.User("stranger")
	_, err = Open(t.Context(), other.String())
	wantError(t, err, breakwater.Unavailable, "refuses the user or the password")

	s := open(t, u)
	if _, err := s.write.Exec(`CREATE SCHEMA taken; CREATE TABLE taken.bookmarks (url text)`); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), u+"&search_path=taken")
	wantError(t, err, breakwater.Invalid, "schema taken of database")
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), u)
	wantError(t, err, breakwater.Invalid, "is at version 9999, this program knows")
}

// chain is the text of an error and of everything it wraps.
func chain(err error) string {
	var b strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&b, "%+v %#v\n", err, err)
	}
	return b.String()
}

func TestPostgresErrors(t *testing.T) {
	t.Parallel()
	s := migrated(t, storetest.Postgres(t))
	for _, c := range []struct {
		code string
		kind breakwater.ErrorKind
		says string
	}{
		{"42P01", breakwater.Unavailable, "has no tables yet"},
		{"42703", breakwater.Unavailable, "run breakwater migrate up"},
		{"42501", breakwater.Unavailable, "does not permit the user of DATABASE_URL"},
		{"25006", breakwater.Unavailable, "cannot be written"},
		{"53100", breakwater.Unavailable, "the disk is full"},
		{"53300", breakwater.Unavailable, "no connection left"},
		{"53200", breakwater.Unavailable, "lacks something it needs"},
		{"57P03", breakwater.Unavailable, "is starting or stopping"},
		{"57P01", breakwater.Unavailable, "its server ended the connection"},
		{"57014", breakwater.Unavailable, "stopped while testing"},
		{"40P01", breakwater.Unavailable, "another change was in the way"},
		{"22021", breakwater.Invalid, "no text with a NUL character"},
		{"XX001", breakwater.Unavailable, "is damaged"},
		{"22012", breakwater.Internal, "testing"}, // a bug of ours
	} {
		_, err := s.write.Exec(`DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '` + c.code + `'; END $$`)
		wantError(t, s.failed("testing", err), c.kind, c.says)
	}
}

// Text that PostgreSQL cannot keep comes from packets: it must not hold up what comes behind it.
func TestTextThatCannotBeKept(t *testing.T) {
	forEachEngine(t, func(t *testing.T, s *Store) {
		d := scan(0)
		d.Evidence, d.Asset = "wrote \x00 and \xff", "10.0.0.\x0011"
		a := save(t, s, batch(d))[0]
		if a.Description != "wrote \ufffd and \ufffd" || a.Asset != "10.0.0.\ufffd11" {
			t.Errorf("description %q, asset %q", a.Description, a.Asset)
		}
		if again := save(t, s, batch(d)); again[0].Changed || again[0].ID != a.ID {
			t.Errorf("not known again: %+v", again[0].Alert)
		}
	})
}

// Nodes that start at the same time migrate once.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	u := storetest.Postgres(t)
	var wg sync.WaitGroup
	for range 4 {
		s := open(t, u)
		wg.Go(func() {
			if err := s.Migrate(context.Background()); err != nil {
				t.Error(err)
			}
			if err := s.Ping(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Two nodes that get the same detections at the same time, as a broker delivers them in a change of consumers, count each
// once.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	u := storetest.Postgres(t)
	nodes := []*Store{migrated(t, u), open(t, u), open(t, u)}
	const n = 60
	var wg sync.WaitGroup
	for i, s := range nodes {
		wg.Go(func() {
			for from := 0; from < n; {
				to := min(n, from+1+(from+i)%4)
				var b breakwater.Batch
				b.FacilityID = "plant"
				for j := from; j < to; j++ {
					at := time.Duration(j) * time.Second
					b.Detections = append(b.Detections, scan(at), write(at))
					b.Windows = append(b.Windows, breakwater.Window{FacilityID: "plant", Time: began.Truncate(time.Second).Add(at)})
				}
				if _, err := s.SaveBatch(context.Background(), b, nil); err != nil {
					t.Error(err)
					return
				}
				from = to
			}
		})
	}
	wg.Wait()
	page, err := nodes[0].Alerts(t.Context(), AlertQuery{Page: 1, Limit: 10})
	if err != nil || page.Total != 1 || page.Alerts[0].Count != 4*n {
		t.Errorf("%d alerts, %+v (%v), want one with count %d", page.Total, page.Alerts, err, 4*n)
	}
	var windows int
	if err := nodes[0].read.QueryRow(`SELECT count(*) FROM network_data`).Scan(&windows); err != nil || windows != n {
		t.Errorf("%d windows (%v), want %d", windows, err, n)
	}
}

// A server that stops, crashes or is killed under use gives errors that say so; when it is back the same Store works on,
// and what was acknowledged is there.
func TestRestart(t *testing.T) {
	if storetest.Alone(t) {
		underRestarts(t, os.Getenv("BREAKWATER_TEST_POSTGRES"))
	}
}

func underRestarts(t *testing.T, folder string) {
	s := migrated(t, storetest.Postgres(t))
	kill := func() error {
		b, err := os.ReadFile(filepath.Join(folder, "postmaster.pid"))
		if err != nil {
			return err
		}
		line, _, _ := strings.Cut(string(b), "\n")
		pid, err := strconv.Atoi(line)
		if err != nil {
			return err
		}
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, c := range []struct {
		name string
		stop func() error
	}{
		{"stopped", func() error { return storetest.TryControl("-m", "fast", "stop") }},
		{"crashed", func() error { return storetest.TryControl("-m", "immediate", "stop") }},
		{"killed", kill},
	} {
		t.Run(c.name, func(t *testing.T) {
			facility := c.name
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var mu sync.Mutex
			acknowledged, refused := 0, 0
			back := make(chan struct{}) // closed when the server is back
			begun := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for after := 0; after < 20; { // so many batches after it is back
					w := breakwater.Window{FacilityID: facility, Time: began.Truncate(time.Second).Add(time.Duration(acknowledged) * time.Second)}
					_, err := s.SaveBatch(ctx, breakwater.Batch{FacilityID: facility, Windows: []breakwater.Window{w}}, nil)
					mu.Lock()
					if err == nil {
						acknowledged++
						if acknowledged == 20 {
							close(begun)
						}
					} else {
						refused++
						wantError(t, err, breakwater.Unavailable, "database test_")
					}
					mu.Unlock()
					select {
					case <-back:
						if err == nil {
							after++
						}
					case <-ctx.Done():
						t.Error("it never came back")
						return
					default:
					}
				}
			})
			for range 3 { // readers
				wg.Go(func() {
					for {
						if _, err := s.Alerts(ctx, AlertQuery{Page: 1, Limit: 10}); err != nil {
							wantError(t, err, breakwater.Unavailable, "database test_")
						}
						select {
						case <-back:
							return
						default:
						}
					}
				})
			}
			<-begun
			if err := c.stop(); err != nil {
				t.Error(err)
			}
			for try := 0; ; try++ { // what is left of a killed server ends a moment later
				mu.Lock()
				seen := refused
				mu.Unlock()
				if seen == 0 {
					continue
				}
				err := storetest.TryControl("restart")
				if err == nil {
					break
				}
				if try == 20 {
					t.Fatal(err)
				}
			}
			close(back)
			wg.Wait()
			var n int
			if err := s.read.QueryRow(`SELECT count(*) FROM network_data WHERE facility_id = $1`, facility).Scan(&n); err != nil || n != acknowledged {
				t.Errorf("%d windows (%v), want the %d acknowledged", n, err, acknowledged)
			}
			t.Logf("%d acknowledged, %d refused", acknowledged, refused)
		})
	}
}

// What another transaction is noting just now stays noted, and is not waited for: that one may wait for what is told here.
func TestGraphToldDoesNotWait(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), migrated(t, storetest.Postgres(t))
	if err := s.FollowGraph(ctx, "copy"); err != nil {
		t.Fatal(err)
	}
	save(t, s, batch(scan(0), at(scan(0), "10.0.0.12")))
	c, err := s.GraphChanges(ctx, 100)
	if err != nil || len(c.Marks) != 2 {
		t.Fatalf("%d changes, %v", len(c.Marks), err)
	}
	other, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	locked := c.Alerts[0].ID
	if _, err := other.ExecContext(ctx, `UPDATE graph_pending SET mark = mark + 1 WHERE id = $1`, idText(locked)); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.GraphTold(soon, c); err != nil {
		t.Fatal(err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if c, err = s.GraphChanges(ctx, 100); err != nil || len(c.Marks) != 1 || len(c.Alerts) != 1 || c.Alerts[0].ID != locked {
		t.Errorf("%+v is noted, %v; want alert %s alone", c.Marks, err, locked)
	}
}
