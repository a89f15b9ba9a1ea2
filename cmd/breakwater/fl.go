package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"breakwater/internal/fl"
	"breakwater/internal/fl/simulate"
)

// FLCmd holds the commands of federated learning.
type FLCmd struct {
	Simulate FLSimulateCmd `cmd:"" help:"Run federated rounds of many clients on this machine, and score what they learn."`
}

// FLSimulateCmd simulates a federation.
type FLSimulateCmd struct {
	Path     string  `arg:"" optional:"" help:"With --data skab: the folder of its files."`
	Data     string  `enum:"plant,skab" default:"plant" help:"What clients learn from: plant (simulated plants, each its own) or skab (its two valves)."`
	Clients  int     `default:"5" help:"How many clients."`
	Rounds   int     `default:"10" help:"How many rounds."`
	Epochs   int     `default:"5" help:"Epochs that each client trains in a round."`
	Strategy string  `enum:"fedavg,fedprox" default:"fedavg" help:"How what clients learn becomes one."`
	Noise    float64 `default:"0" help:"Noise multiplier; 0 is no differential privacy."`
	Clip     float64 `default:"1" help:"The most that one client may change the parameters by (L2 norm), where noise is on."`
	Delta    float64 `default:"0.00001" help:"The delta that epsilon is said for."`
	Seed     uint64  `default:"1" help:"The same seed gives the same figures, but for seconds."`
	Attack   string  `placeholder:"KIND@ROUND" help:"Before this round the first plant is attacked, as unauthorised-write@6, and the others are scored on the same attack."`
	Control  bool    `help:"With --attack: the first plant does not learn from it. What others gain then has other reasons."`
	Alone    bool    `help:"Also train each client alone, and all of them at one place, for as many epochs."`
	JSON     bool    `name:"json" help:"Print one JSON object."`
}

// Help shows examples.
func (FLSimulateCmd) Help() string {
	return "Examples:\n\n  breakwater fl simulate --clients 5 --rounds 10 --alone\n  breakwater fl simulate --data skab ../shared/data/process/skab --clients 2 --rounds 20 --alone\n  breakwater fl simulate --clients 100 --rounds 10 --noise 1 --json"
}

// Run simulates and prints a row for each round.
func (c *FLSimulateCmd) Run(ctx context.Context, std streams) error {
	o := simulate.Options{Clients: c.Clients, Rounds: c.Rounds, Seed: c.Seed, Alone: c.Alone, Control: c.Control, Settings: fl.Usual()}
	o.Settings.Epochs, o.Settings.Strategy, o.Settings.Noise, o.Settings.Clip, o.Settings.Delta = c.Epochs, c.Strategy, c.Noise, c.Clip, c.Delta
	if err := o.Settings.Check(); err != nil {
		return usageError{err}
	}
	if (c.Data == "skab") != (c.Path != "") {
		return usage("name the folder of SKAB's files with --data skab, and only then")
	}
	o.Skab = c.Path
	if c.Attack != "" {
		kind, round, ok := strings.Cut(c.Attack, "@")
		if _, err := fmt.Sscan(round, &o.Attacked); !ok || err != nil || o.Attacked < 1 || c.Data != "plant" {
			return usage("--attack=%s: a kind of attack on plants and a round, as unauthorised-write@6, is accepted", c.Attack)
		}
		o.Attack = kind
	}
	told := func(simulate.Round) {}
	if !c.JSON {
		fmt.Fprintf(std.out, "%5s %9s %8s %8s %9s %7s %7s %7s %7s %10s %10s %8s %8s %s\n", "round", "published", "accuracy", "ε", "precision", "recall", "F1", "FPR", "error", "bytes down", "bytes up", "seconds", "CPU s", "elsewhere")
		told = func(r simulate.Round) {
			fmt.Fprintf(std.out, "%5d %9t %8s %8s %s %10.0f %10.0f %8.2f %8.2f %s\n", r.Round, r.Published, figure(r.Accuracy), figure(r.Epsilon), scored(r.Score), r.Down, r.Up, r.Seconds, r.CPU, figure(r.Elsewhere))
		}
	}
	result, err := simulate.Run(ctx, o, told)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(result)
	}
	fmt.Fprintf(std.out, "\nuntrained: F1 %.3f, FPR %.3f, error %.3f; %d clients, %d training vectors; parameters of %d bytes\n", result.Untrained.F1, result.Untrained.FPR, result.Untrained.Error, result.Clients, result.Vectors, result.Parameters)
	if result.Together != nil {
		return compared(std.out, result)
	}
	return nil
}

// compared prints what training at one place, and each client alone, reach.
func compared(out io.Writer, r simulate.Result) error {
	fmt.Fprintf(out, "\n%-24s %9s %7s %7s %7s %7s\n", "trained", "precision", "recall", "F1", "FPR", "error")
	fmt.Fprintf(out, "%-24s %s\n", "federated", scored(r.Rounds[len(r.Rounds)-1].Score))
	fmt.Fprintf(out, "%-24s %s\n", "at one place", scored(*r.Together))
	fmt.Fprintf(out, "%-24s %s\n", "each alone, together", scored(*r.AloneMean))
	for i, s := range r.Alone {
		if i == 10 {
			break
		}
		if _, err := fmt.Fprintf(out, "%-24s %s\n", fmt.Sprintf("client %d alone", i+1), scored(s)); err != nil {
			return err
		}
	}
	return nil
}

func scored(s simulate.Score) string {
	return fmt.Sprintf("%9s %7.3f %7.3f %7.3f %7.3f", figure(s.Precision), s.Recall, s.F1, s.FPR, s.Error)
}

// figure writes a number that may be missing.
func figure(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *x)
}
