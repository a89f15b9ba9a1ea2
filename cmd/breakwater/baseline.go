package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"breakwater/internal/detect"
)

// BaselineCmd lists what a facility has learned.
type BaselineCmd struct {
	Facility string `arg:"" help:"The facility."`
	JSON     bool   `name:"json" help:"Print it as it is kept, to be used with replay --out - --baseline."`
	serverFlags
}

// Help shows an example.
func (BaselineCmd) Help() string { return "Example:\n\n  breakwater baseline north" }

// Run lists it.
func (c *BaselineCmd) Run(ctx context.Context, std streams) error {
	server, err := c.client()
	if err != nil {
		return err
	}
	text, err := server.Baseline(ctx, c.Facility)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(std.out, "%s\n", text)
		return err
	}
	b := detect.NewBaseline()
	if err := json.Unmarshal(text, b); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%-10s %-42s %-34s %8s  %s\n", "KIND", "WHO", "WHAT", "COUNT", "LAST SEEN (UTC)")
	for _, e := range b.Entries() {
		fmt.Fprintf(std.out, "%-10s %-42s %-34s %8d  %s\n", e.Kind, e.Subject, e.Detail, e.Count, e.Last.UTC().Format(time.DateTime))
	}
	return nil
}
