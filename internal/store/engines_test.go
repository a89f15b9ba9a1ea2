package store

import (
	"context"
	"strings"
	"testing"

	"breakwater/internal/store/storetest"
)

// engines give the URL of a new, empty database.
var engines = storetest.Engines()

// forEachEngine runs a test on a migrated, empty database of every engine.
func forEachEngine(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for name, url := range engines {
		if underRace && name == "sqlite memory" {
			continue // the same code as in a file
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, migrated(t, url(t)))
		})
	}
}

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func migrated(t testing.TB, url string) *Store {
	t.Helper()
	s := open(t, url)
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// empty removes every row of every table, for tests that begin anew many times.
func empty(t testing.TB, s *Store) {
	t.Helper()
	var all strings.Builder
	for name := range tables(t, s) {
		all.WriteString("DELETE FROM " + name + ";")
	}
	// In any order: what refers to what is not looked at.
	statements := []string{"BEGIN; SET LOCAL session_replication_role = replica;" + all.String() + "COMMIT"}
	if s.Embedded() {
		statements = []string{"PRAGMA foreign_keys = 0", "BEGIN;" + all.String() + "COMMIT", "PRAGMA foreign_keys = 1"}
	}
	for _, statement := range statements {
		if _, err := s.write.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}
