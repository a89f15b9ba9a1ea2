package main

import (
	"context"
	"fmt"
	"time"

	"breakwater/internal/store"
)

// MigrateCmd holds the commands on the database's schema.
type MigrateCmd struct {
	Up     MigrateUpCmd     `cmd:"" help:"Bring the schema to what this program needs (serve does it by itself)."`
	Down   MigrateDownCmd   `cmd:"" help:"Take the newest step of the schema back, with the data in it."`
	Status MigrateStatusCmd `cmd:"" help:"Show each step and when it was applied."`
}

// database is the one setting these commands share.
type database struct {
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" default:"sqlite://breakwater.db" help:"Database: sqlite://FILE or postgres://USER:PASSWORD@HOST:5432/NAME."`
}

// with opens the database, hands it to f and closes it.
func (d database) with(ctx context.Context, f func(*store.Store) error) error {
	s, err := store.Open(ctx, d.DatabaseURL)
	if err != nil {
		return settings(err)
	}
	defer s.Close()
	return f(s)
}

// MigrateUpCmd migrates to the newest schema.
type MigrateUpCmd struct{ database }

// Help shows an example.
func (MigrateUpCmd) Help() string {
	return "Example:\n\n  breakwater migrate up --database-url sqlite://breakwater.db"
}

// Run migrates up.
func (c *MigrateUpCmd) Run(ctx context.Context) error {
	return c.with(ctx, func(s *store.Store) error { return s.Migrate(ctx) })
}

// MigrateDownCmd takes one step back.
type MigrateDownCmd struct{ database }

// Help shows an example.
func (MigrateDownCmd) Help() string {
	return "Example:\n\n  breakwater migrate down --database-url sqlite://breakwater.db"
}

// Run takes it back.
func (c *MigrateDownCmd) Run(ctx context.Context) error {
	return c.with(ctx, func(s *store.Store) error { return s.MigrateDown(ctx) })
}

// MigrateStatusCmd lists the steps.
type MigrateStatusCmd struct{ database }

// Help shows an example.
func (MigrateStatusCmd) Help() string {
	return "Example:\n\n  breakwater migrate status --database-url sqlite://breakwater.db"
}

// Run lists them.
func (c *MigrateStatusCmd) Run(ctx context.Context, std streams) error {
	return c.with(ctx, func(s *store.Store) error {
		steps, err := s.Status(ctx)
		if err != nil {
			return err
		}
		for _, step := range steps {
			applied := "not applied"
			if !step.Applied.IsZero() {
				applied = "applied " + step.Applied.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(std.out, "%04d  %-30s %s\n", step.Version, step.Name, applied)
		}
		return nil
	})
}
