package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	"breakwater"
	"breakwater/internal/capture"
	"breakwater/internal/plant"
)

// PlantCmd holds the commands of the simulated plant.
type PlantCmd struct {
	Record PlantRecordCmd `cmd:"" help:"Record the plant's network as a capture file."`
	Serve  PlantServeCmd  `cmd:"" help:"Let the plant run live: its PLCs as Modbus/TCP servers on this machine."`
}

// PlantRecordCmd records the simulated plant.
type PlantRecordCmd struct {
	Out      string        `required:"" placeholder:"FILE" help:"The capture to write (pcap)."`
	Duration time.Duration `default:"420s" help:"How long, in data time."`
	Seed     uint64        `default:"1" help:"The same seed gives the same bytes."`
	Start    string        `placeholder:"TIME" help:"Time of the first packet, as 2026-01-05T08:00:00Z. Default: a fixed instant, so that recordings are the same."`
	Facility string        `placeholder:"ID" help:"Which plant: one of the demo's five, as demo-northgate. Default: one that stands alone, at 10.0.0.0/24."`
	Attack   []string      `placeholder:"KIND@OFFSET" help:"Attacks: port-scan, unauthorised-write, function-scan or manipulate-control, as port-scan@320s; may be given several times."`
}

// Help shows an example.
func (PlantRecordCmd) Help() string {
	return "Example:\n\n  breakwater plant record --out plant.pcap --duration 420s --attack port-scan@320s --attack unauthorised-write@360s"
}

// Run records.
func (c *PlantRecordCmd) Run(ctx context.Context, std streams) (err error) {
	o := plant.Options{Facility: c.Facility, Seed: c.Seed, Duration: c.Duration}
	if c.Start != "" {
		if o.Start, err = time.Parse(time.RFC3339, c.Start); err != nil {
			return usage("--start=%s: a time like 2026-01-05T08:00:00Z is accepted", c.Start)
		}
	}
	for _, text := range c.Attack {
		attack, err := plant.ParseAttack(text)
		if err != nil {
			return usageError{err}
		}
		o.Attacks = append(o.Attacks, attack)
	}
	tmp := c.Out + ".new"
	file, err := os.Create(tmp)
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "cannot write " + c.Out, Err: err}
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(tmp)
		}
	}()
	buffered := bufio.NewWriterSize(file, 1<<20)
	w := capture.NewWriter(buffered, capture.PCAP)
	n := 0
	for p, err := range plant.Packets(o) {
		if err != nil {
			return usageError{err}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.Write(p); err != nil {
			return &breakwater.Error{Kind: breakwater.Unavailable, Message: "cannot write " + c.Out, Err: err}
		}
		n++
	}
	for _, step := range []func() error{w.Flush, buffered.Flush, file.Close, func() error { return os.Rename(tmp, c.Out) }} {
		if err := step(); err != nil {
			return &breakwater.Error{Kind: breakwater.Unavailable, Message: "cannot write " + c.Out, Err: err}
		}
	}
	fmt.Fprintf(std.err, "%s: %d packets, %s of the plant\n", c.Out, n, c.Duration)
	return nil
}

// PlantServeCmd lets the simulated plant run live.
type PlantServeCmd struct {
	Port     int    `default:"5020" help:"TCP port of PLC-1; PLC-2 has the next one. 0 takes free ones."`
	Facility string `placeholder:"ID" help:"Which plant: one of the demo's five, as demo-northgate. Default: one that stands alone."`
	Seed     uint64 `default:"1" help:"Where the water stands at first, and how its measurements scatter."`
}

// Help shows an example.
func (PlantServeCmd) Help() string {
	return "Example:\n\n  breakwater plant serve --port 5020\n\nAnybody on this machine may read and write, and nobody else: it listens to 127.0.0.1 alone. docs/demo.md lists the registers."
}

// Run lets the plant run until it is interrupted.
func (c *PlantServeCmd) Run(ctx context.Context, std streams) error {
	live, err := plant.Listen(plant.Options{Facility: c.Facility, Seed: c.Seed}, c.Port)
	if err != nil {
		if breakwater.KindOf(err) == breakwater.Invalid {
			return usageError{err}
		}
		return err
	}
	if _, err := fmt.Fprintf(std.out, "PLC-1, raw water: %s, unit 1\nPLC-2, treatment: %s, unit 1\n", live.PLC1, live.PLC2); err != nil {
		return err
	}
	return live.Run(ctx)
}
