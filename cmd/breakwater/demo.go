package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/client"
)

// DemoCmd plays a demo scenario on a running server and follows it.
type DemoCmd struct {
	Scenario string `arg:"" enum:"port-scan,fl-round,multi-stage" help:"port-scan, fl-round or multi-stage."`
	Facility string `placeholder:"ID" help:"One of the demo's facilities, as demo-northgate; without it, the scenario's own."`
	Speed    string `enum:"1x,max" default:"1x" help:"1x is the data's own pace, max as fast as it goes."`
	JSON     bool   `name:"json" help:"Print the run as it ended, as one JSON object, and nothing before."`
	serverFlags
}

// Help shows an example.
func (DemoCmd) Help() string {
	return "Example:\n\n  breakwater demo port-scan\n  breakwater demo multi-stage --speed max --json | jq .status\n\nThe exit code is 0 where all that was expected was found, else 1."
}

// pollEvery is how often a run is asked for where live messages do not come.
const pollEvery = time.Second

// Run plays the scenario and follows it to its end.
func (c *DemoCmd) Run(ctx context.Context, std streams) error {
	server, err := c.client()
	if err != nil {
		return err
	}
	// What is published before we listen would be missed, so that listening comes first.
	listening, done := make(chan struct{}), make(chan struct{})
	messages := make(chan client.Message)
	within, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(done)
		// Its end is no error: the run is asked for then.
		_ = server.Listen(within, "alerts,fl_status,system", func() { close(listening) }, func(m client.Message) bool {
			select {
			case messages <- m:
				return true
			case <-within.Done():
				return false
			}
		})
	}()
	select {
	case <-listening:
	case <-done:
	}
	id, err := server.StartDemo(ctx, c.Scenario, c.Facility, c.Speed == "max")
	if err != nil {
		return err
	}
	f := &follower{out: std.out, link: strings.TrimSuffix(c.Server, "/"), id: id, found: map[string]bool{}, alerts: map[breakwater.ID]bool{}}
	if c.JSON {
		f.out = io.Discard
	}
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for f.run.EndedAt == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-messages:
			if err := f.message(m); err != nil {
				return err
			}
			continue
		case <-poll.C:
		}
		runs, err := server.Demos(ctx)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if err := f.state(run); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		if err := json.NewEncoder(std.out).Encode(f.run); err != nil {
			return err
		}
	}
	if f.run.Status != breakwater.DemoCompleted {
		return fmt.Errorf("scenario %s: %s, %s", c.Scenario, f.run.Status, f.run.Message)
	}
	return nil
}

// follower prints what is new of a run.
type follower struct {
	out    io.Writer
	link   string // of the web app
	id     breakwater.ID
	run    breakwater.DemoRun
	stage  string
	found  map[string]bool // what was printed
	alerts map[breakwater.ID]bool
}

// message takes a live message in.
func (f *follower) message(m client.Message) error {
	switch m.Type {
	case "demo_progress":
		var run breakwater.DemoRun
		if json.Unmarshal(m.Data, &run) == nil {
			return f.state(run)
		}
	case "alert_created", "alert_updated":
		var a breakwater.Alert
		if json.Unmarshal(m.Data, &a) == nil && len(f.run.Facilities) == 1 && a.FacilityID == f.run.Facilities[0] && !f.alerts[a.ID] {
			f.alerts[a.ID] = true
			_, err := fmt.Fprintf(f.out, "       alert, %s: %s\n       %s/alerts?id=%s\n", a.Severity, a.Title, f.link, a.ID)
			return err
		}
	case "fl_client":
		var c breakwater.FLClient
		if json.Unmarshal(m.Data, &c) == nil && c.Epoch > 0 && f.run.Scenario == "fl-round" && c.Loss != nil {
			line := fmt.Sprintf("       %s: epoch %d of %d, loss %.4f\n", c.FacilityID, c.Epoch, c.Epochs, *c.Loss)
			if f.found[line] { // said again at the round's end
				return nil
			}
			f.found[line] = true
			_, err := io.WriteString(f.out, line)
			return err
		}
	}
	return nil
}

// state takes in how a run stands; another's is passed over, as is an older state.
func (f *follower) state(run breakwater.DemoRun) error {
	if run.ID != f.id || run.Version < f.run.Version || f.run.EndedAt != nil {
		return nil
	}
	var b strings.Builder
	if f.run.Version == 0 {
		fmt.Fprintf(&b, "%s at %s\n", run.Scenario, strings.Join(run.Facilities, ", "))
	}
	f.run = run
	if run.Stage != f.stage {
		f.stage = run.Stage
		fmt.Fprintf(&b, "%3.0f %%  %s\n", run.Progress, run.Stage)
	}
	met := 0
	for _, c := range run.Expected {
		if c.Found {
			met++
		}
		if !c.Found || f.found[c.What] {
			continue
		}
		f.found[c.What] = true
		after := ""
		if c.After != nil {
			after = fmt.Sprintf(" (after %.1f s)", *c.After)
		}
		fmt.Fprintf(&b, "    ✓  %s%s\n       %s\n", c.What, after, c.Detail)
	}
	if run.EndedAt != nil {
		for _, c := range run.Expected {
			if !c.Found {
				fmt.Fprintf(&b, "    ✗  %s\n       not found\n", c.What)
			}
		}
		fmt.Fprintf(&b, "%s: %s, %d of %d expectations met, %s\n", run.Scenario, run.Status, met, len(run.Expected), run.EndedAt.Sub(run.StartedAt).Round(100*time.Millisecond))
	}
	_, err := io.WriteString(f.out, b.String())
	return err
}
