package main

import (
	"context"
	"fmt"
	"os"

	"breakwater/internal/app"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// SeedCmd puts sample data into a database.
type SeedCmd struct{ database }

// Help shows an example.
func (SeedCmd) Help() string {
	return "Example:\n\n  breakwater seed --database-url sqlite://breakwater.db\n\nIt is put in once: called again, it changes nothing. Its packets go the way that all packets go."
}

// Run puts it in.
func (c *SeedCmd) Run(ctx context.Context, std streams) error {
	config := app.Defaults()
	config.APIPort, config.DatabaseURL, config.LogLevel = "0", c.DatabaseURL, "warn"
	a, err := app.Open(ctx, config, version)
	if err != nil {
		return settings(err)
	}
	defer a.Close()
	tell := func(string, float64) {}
	if f, ok := std.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		bar := progressbar.NewOptions(100, progressbar.OptionSetWriter(f), progressbar.OptionClearOnFinish())
		defer bar.Finish()
		tell = func(stage string, percent float64) {
			bar.Describe(stage)
			_ = bar.Set(int(percent)) // a bar that cannot be drawn is no reason to stop
		}
	}
	done, err := a.Seed(ctx, tell)
	if err != nil {
		return err
	}
	text := "the sample data is there"
	if !done {
		text = "the sample data was there already: nothing was changed"
	}
	_, err = fmt.Fprintln(std.err, text)
	return err
}
