package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"breakwater/internal/eval"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// EvalCmd scores the detectors on a labelled data set.
type EvalCmd struct {
	Dataset string `arg:"" enum:"lemay,batadal,skab,tep" help:"lemay (Modbus captures, CSET 2016), batadal (a water network by the hour), skab (a pump loop), tep (Tennessee Eastman)."`
	Path    string `arg:"" help:"The folder with its files."`
	JSON    bool   `name:"json" help:"Print an array with an object for each detector."`
}

// Help shows an example.
func (EvalCmd) Help() string {
	return "Our models, PCA and the trivial answers in one table, point by point and without point adjustment. docs/detection.md says how to read it.\n\n" +
		"Examples:\n\n  breakwater eval lemay ../shared/data/labelled/lemay\n  breakwater eval batadal ../shared/data/process/batadal --json"
}

// Run scores and prints a table.
func (c *EvalCmd) Run(std streams) error {
	told, end := modelsBar(std.err, c.Dataset)
	table, err := eval.Sets[c.Dataset](c.Path, told)
	end()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(table)
	}
	_, err = fmt.Fprint(std.out, table)
	return err
}

// modelsBar draws a bar of the models that are trained, where w is a terminal.
func modelsBar(w io.Writer, name string) (told eval.Progress, end func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("training on "+name),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	return func(done, of int) {
		bar.ChangeMax(of)
		bar.Set(done)
	}, func() { bar.Finish() }
}
