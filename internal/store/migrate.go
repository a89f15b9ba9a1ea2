package store

import (
	"context"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"breakwater"

	"github.com/pressly/goose/v3"
)

// MigrationStatus is one step of the schema.
type MigrationStatus struct {
	Version int64
	Name    string    // of its file, as "0001_first.sql"
	Applied time.Time // when this database took it; zero: not yet
}

// Migrate brings the schema to the newest version; where it is there already, nothing happens. Each step is one
// transaction: what fails leaves the step before.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return s.failed("migrating it", err)
}

// MigrateDown takes back the newest step, and with it the data it holds. The error is of kind Conflict where none
// was taken.
func (s *Store) MigrateDown(ctx context.Context) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	version, err := p.GetDBVersion(ctx)
	if err == nil && version == 0 {
		return &breakwater.Error{Kind: breakwater.Conflict, Message: "database " + s.name + " has no migration to take back"}
	}
	if err == nil {
		_, err = p.Down(ctx)
	}
	return s.failed("taking back a migration", err)
}

// Status lists the schema's steps in order, those not applied too.
func (s *Store) Status(ctx context.Context) ([]MigrationStatus, error) {
	p, err := s.migrations()
	if err != nil {
		return nil, err
	}
	steps, err := p.Status(ctx)
	if err != nil {
		return nil, s.failed("reading its version", err)
	}
	all := make([]MigrationStatus, len(steps))
	for i, step := range steps {
		all[i] = MigrationStatus{Version: step.Source.Version, Name: path.Base(step.Source.Path), Applied: step.AppliedAt}
	}
	return all, nil
}

func (s *Store) migrations() (*goose.Provider, error) {
	files, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		return nil, s.failed("reading the migrations", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	return p, s.failed("reading the migrations", err)
}

// newestVersion is the version of the schema that this program is made for: the number of its last migration.
func newestVersion() int64 {
	files, _ := fs.Glob(sqliteMigrations, "migrations/sqlite/*.sql") // sorted; the pattern is good
	number, _, _ := strings.Cut(path.Base(files[len(files)-1]), "_")
	version, _ := strconv.ParseInt(number, 10, 64)
	return version
}
