package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
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
	p, err := s.provider(ctx)
	if err != nil {
		return err
	}
	if _, err = p.Up(ctx); err != nil {
		return s.failed("migrating it", err)
	}
	return s.indexOld(ctx)
}

// MigrateDown takes back the newest step, and with it the data it holds. The error is of kind Conflict where none
// was taken.
func (s *Store) MigrateDown(ctx context.Context) error {
	p, err := s.provider(ctx)
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
	p, err := s.provider(ctx)
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

func (s *Store) provider(ctx context.Context) (*goose.Provider, error) {
	p, err := s.migrations(ctx, s.write)
	return p, s.failed("reading the migrations", err)
}

// provider is goose over the migrations of one engine: the only folder in files.
func provider(dialect goose.Dialect, db *sql.DB, files embed.FS, options ...goose.ProviderOption) (*goose.Provider, error) {
	folders, err := fs.Glob(files, "migrations/*")
	if err != nil {
		return nil, err
	}
	steps, err := fs.Sub(files, folders[0])
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db, steps, append(options, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))...)
}

// known refuses a schema of a newer version than this program is made for.
func (s *Store) known(version int64) error {
	if known := newestVersion(); version > known {
		return &breakwater.Error{Kind: breakwater.Invalid,
			Message: fmt.Sprintf("database %s is at version %d, this program knows %d: use a newer program", s.name, version, known)}
	}
	return nil
}

// newestVersion is the version of the schema that this program is made for: the number of its last migration, which
// is the same on every engine.
func newestVersion() int64 {
	files, _ := fs.Glob(sqliteMigrations, "migrations/sqlite/*.sql") // sorted; the pattern is good
	number, _, _ := strings.Cut(path.Base(files[len(files)-1]), "_")
	version, _ := strconv.ParseInt(number, 10, 64)
	return version
}
