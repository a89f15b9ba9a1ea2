package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/predict"
	"breakwater/internal/store"
)

// AttackCmd holds the commands on ATT&CK for ICS and on prediction from it.
type AttackCmd struct {
	Import AttackImportCmd `cmd:"" help:"Read MITRE's STIX bundle of ATT&CK for ICS, texts included."`
	Eval   AttackEvalCmd   `cmd:"" help:"Measure predictions by leaving out one campaign, group or software after the other."`
}

// AttackImportCmd reads MITRE's bundle.
type AttackImportCmd struct {
	Bundle string `arg:"" help:"MITRE's ics-attack.json (STIX 2.1), from its repository attack-stix-data."`
	IDs    string `name:"ids" placeholder:"FILE" help:"Technique ids of a later version and what they were before, as JSON; else those of 19.1 that the program brings."`
	Flows  string `name:"flows" placeholder:"FILE" help:"Attack flows as ordered pairs of techniques, as JSON; else those that the program brings."`
	Out    string `name:"out" placeholder:"FILE" help:"Write the catalogue to this file (- is standard output) and leave the database alone."`
	Facts  bool   `name:"facts" help:"With --out: ids, names and relations without MITRE's texts, as the program brings them."`
	database
}

// Help shows an example.
func (AttackImportCmd) Help() string {
	return "The program brings ids, names and relations of ATT&CK for ICS 18.1 without MITRE's texts. What is imported is kept in the database; servers use it, and predict from it, from their next start on.\n\n" +
		"Examples:\n\n  breakwater attack import ics-attack.json\n  breakwater attack import ics-attack.json --out catalogue.json --facts"
}

// Run imports it.
func (c *AttackImportCmd) Run(ctx context.Context, std streams) error {
	if c.Facts && c.Out == "" {
		return usage("--facts goes with --out: what the database keeps has MITRE's texts")
	}
	files := make([]io.Reader, 3)
	for i, path := range []string{c.Bundle, c.IDs, c.Flows} {
		if path == "" {
			continue
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return &breakwater.Error{Kind: breakwater.NotFound, Message: path + " is not there", Err: err}
		} else if err != nil {
			return &breakwater.Error{Kind: breakwater.Unavailable, Message: path + " cannot be read: is it yours to read?", Err: err}
		}
		defer f.Close()
		files[i] = f
	}
	catalogue, err := attack.Import(files[0], files[1], files[2])
	if err != nil {
		return err
	}
	told := std.out
	switch c.Out {
	case "":
		if err := c.keep(ctx, catalogue); err != nil {
			return err
		}
	case "-":
		told = std.err
		err = catalogue.Write(std.out, !c.Facts)
	default:
		err = writeCatalogue(c.Out, catalogue, !c.Facts)
	}
	if err != nil {
		return err
	}
	var counts []string
	for _, kind := range []attack.Kind{attack.Technique, attack.Tactic, attack.Campaign, attack.Group, attack.Software, attack.Mitigation, attack.Asset} {
		counts = append(counts, fmt.Sprintf("%d of kind %s", len(catalogue.Objects(kind)), kind))
	}
	fmt.Fprintf(told, "ATT&CK for ICS %s: %s; %d relations, %d flows\n", catalogue.Version, strings.Join(counts, ", "), len(catalogue.Relations()), len(catalogue.Flows()))
	if c.Out == "" {
		fmt.Fprintln(told, "Kept in the database. A server that runs uses it from its next start on.")
	}
	return nil
}

// keep saves the catalogue in the database, where a server can learn from it.
func (c *AttackImportCmd) keep(ctx context.Context, catalogue *attack.Catalogue) error {
	if err := predict.Check(catalogue); err != nil {
		return err
	}
	var text strings.Builder
	if err := catalogue.Write(&text, true); err != nil {
		return err
	}
	return c.with(ctx, func(s *store.Store) error {
		if err := s.Migrate(ctx); err != nil {
			return err
		}
		return s.SaveCatalogue(ctx, text.String(), time.Now())
	})
}

func writeCatalogue(path string, catalogue *attack.Catalogue, texts bool) error {
	f, err := os.Create(path)
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: path + " cannot be written: is its folder there, and yours to write?", Err: err}
	}
	err = catalogue.Write(f, texts)
	if closed := f.Close(); err == nil && closed != nil {
		err = &breakwater.Error{Kind: breakwater.Unavailable, Message: path + " was not written whole: is there space?", Err: closed}
	}
	return err
}

// AttackEvalCmd measures predictions.
type AttackEvalCmd struct {
	JSON bool `name:"json" help:"Print the tasks as JSON, in place of the tables."`
}

// Help shows an example.
func (AttackEvalCmd) Help() string {
	return "Each campaign, group and software is left out in turn, alone (incident) or with all that is linked to it (actor); what is left predicts its techniques. docs/prediction.md says how to read the figures. It takes some seconds; the same program gives the same figures.\n\n" +
		"Examples:\n\n  breakwater attack eval\n  breakwater attack eval --json"
}

// evaluated is one task as --json prints it.
type evaluated struct {
	Task    string `json:"task"`
	Exclude string `json:"exclude"`
	Cases   int    `json:"cases"`
	predict.Metrics
	Baselines map[string]predict.Metrics `json:"baselines"`
}

// Run measures and prints.
func (c *AttackEvalCmd) Run(std streams) error {
	report := predict.Evaluate(attack.Builtin())
	if c.JSON {
		var out struct {
			Tasks []evaluated `json:"tasks"`
		}
		for _, t := range report.Tasks {
			out.Tasks = append(out.Tasks, evaluated{t.Task, t.Exclude, t.Cases, t.Metrics, t.Baselines})
		}
		return json.NewEncoder(std.out).Encode(out)
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for _, t := range report.Tasks {
		fmt.Fprintf(w, "%s, without the %s: %d cases of %d profiles\tRecall@5\tRecall@10\tMRR\n", t.Task, t.Exclude, t.Cases, t.Profiles)
		in := t.Intervals
		fmt.Fprintf(w, "  Breakwater\t%.3f [%.2f–%.2f]\t%.3f [%.2f–%.2f]\t%.3f [%.2f–%.2f]\n", t.Recall5, in.Recall5[0], in.Recall5[1], t.Recall10, in.Recall10[0], in.Recall10[1], t.MRR, in.MRR[0], in.MRR[1])
		fmt.Fprintf(w, "  the list as shown\t%.3f\t%.3f\t%.3f\n", t.Shipped.Recall5, t.Shipped.Recall10, t.Shipped.MRR)
		names := slices.SortedFunc(maps.Keys(t.Baselines), func(a, b string) int {
			return cmp.Or(cmp.Compare(t.Baselines[b].Recall10, t.Baselines[a].Recall10), strings.Compare(a, b))
		})
		for _, name := range names {
			m := t.Baselines[name]
			fmt.Fprintf(w, "  %s\t%.3f\t%.3f\t%.3f\n", name, m.Recall5, m.Recall10, m.MRR)
		}
		fmt.Fprintf(w, "  Brier score; of saying the mean\t%.4f; %.4f\t\t\n\n", t.Brier[0], t.Brier[1])
	}
	fmt.Fprintln(w, "probability said\ttechniques\tmean said\tcame")
	for _, b := range report.Reliability {
		fmt.Fprintf(w, "  %s, without the %s: %.2f–%.2f\t%d\t%.3f\t%.3f\n", b.Task, b.Exclude, b.From, b.To, b.Techniques, b.Said, b.Came)
	}
	return w.Flush()
}
