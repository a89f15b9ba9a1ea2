// Package storetest gives tests new, empty databases on every engine.
//
//	forEachEngine, URL ─► SQLite in a file, in memory ─► the test ─► removed
//	                   └► PostgreSQL, where BREAKWATER_TEST_DATABASE_URL names a server: a database of its own
//
// It knows how databases are made and removed. It does not know the store, whose own tests use it too.
package storetest

import (
	"crypto/rand"
	"database/sql"
	"flag"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// server names a PostgreSQL server whose user may make databases. scripts/with-postgres starts one.
const server = "BREAKWATER_TEST_DATABASE_URL"

// again is set while Again runs the tests of a package on PostgreSQL.
const again = "BREAKWATER_TEST_ON_POSTGRES"

// Engines give, by name, the URL of a new, empty database, which is removed at the end of the test.
func Engines() map[string]func(testing.TB) string {
	engines := map[string]func(testing.TB) string{
		"sqlite file":   func(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "breakwater.db") },
		"sqlite memory": func(testing.TB) string { return "sqlite://:memory:" },
	}
	if os.Getenv(server) != "" {
		engines["postgres"] = Postgres
	}
	return engines
}

// OnPostgres reports whether the tests of the package run on PostgreSQL now: see Again.
func OnPostgres() bool { return os.Getenv(again) != "" }

// Again runs all tests of the calling package once more, in a process in which URL gives databases on PostgreSQL.
// For packages that stand above the store, and need not know that there are two engines.
func Again(t *testing.T) {
	t.Helper()
	if OnPostgres() {
		t.Skip("this is the other run")
	}
	needServer(t)
	t.Parallel()
	args := []string{"-test.skip=^" + t.Name() + "$"}
	for _, name := range []string{"test.timeout", "test.short", "test.parallel"} {
		args = append(args, "-"+name+"="+flag.Lookup(name).Value.String())
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), again+"=yes")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("on PostgreSQL: %v\n%s", err, out)
	}
}

// URL is that of a new, empty database: SQLite's in a file, PostgreSQL's while Again runs.
func URL(t testing.TB) string {
	t.Helper()
	if OnPostgres() {
		return Postgres(t)
	}
	return Engines()["sqlite file"](t)
}

// Server is the PostgreSQL server itself, to do what only its owner may. Without one the test skips.
func Server(t testing.TB) *sql.DB {
	t.Helper()
	needServer(t)
	db, err := sql.Open("pgx", os.Getenv(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// ServerURL is where the server is, with the user who owns it.
func ServerURL(t testing.TB) *url.URL {
	t.Helper()
	needServer(t)
	u, err := url.Parse(os.Getenv(server))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// alone is set while Alone runs a test.
const alone = "BREAKWATER_TEST_ALONE"

// Alone reports whether the calling test has a PostgreSQL server to itself, which it may stop and crash. Where it has not, it
// is run once more, in a process beside a server of its own, while those that share one go on.
func Alone(t *testing.T) bool {
	t.Helper()
	needServer(t)
	if os.Getenv(alone) != "" {
		return true
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root(t), "scripts", "with-postgres"), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), server+"=", alone+"=yes")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// root is the folder of the module, above that of the package whose tests run.
func root(t testing.TB) string {
	t.Helper()
	for folder, _ := filepath.Abs("."); ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		} else if folder == filepath.Dir(folder) {
			t.Fatal("there is no go.mod above the test")
		}
	}
}

// Control lets pg_ctl do something with the server, which must be this test's alone: see Alone.
func Control(t testing.TB, args ...string) {
	t.Helper()
	if err := TryControl(args...); err != nil {
		t.Fatal(err)
	}
}

// TryControl is Control, where it may fail.
func TryControl(args ...string) error {
	folder := os.Getenv("BREAKWATER_TEST_POSTGRES")
	opts, err := os.ReadFile(filepath.Join(folder, "postmaster.opts"))
	if err != nil {
		return err
	}
	program, _, _ := strings.Cut(string(opts), " ")
	args = append([]string{filepath.Join(filepath.Dir(program), "pg_ctl"), "-D", folder, "-l", filepath.Join(filepath.Dir(folder), "server.log"), "-w"}, args...)
	if os.Geteuid() == 0 {
		args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	return cmd.Run()
}

func needServer(t testing.TB) {
	t.Helper()
	if os.Getenv(server) == "" {
		t.Skip("needs PostgreSQL: run it through scripts/with-postgres")
	}
}

// Postgres makes a database on the server and drops it at the end of the test, whoever is still connected.
func Postgres(t testing.TB) string {
	t.Helper()
	db, u := Server(t), ServerURL(t)
	name := "test_" + strings.ToLower(rand.Text())
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}
