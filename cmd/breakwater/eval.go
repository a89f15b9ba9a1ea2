package main

import (
	"encoding/json"
	"io"

	"breakwater/internal/eval"
)

// EvalCmd holds the labelled data sets.
type EvalCmd struct {
	Lemay EvalLemayCmd `cmd:"" help:"Modbus captures of Lemay and Fernandez (CSET 2016)."`
}

// EvalLemayCmd scores the detectors on the Lemay captures.
type EvalLemayCmd struct {
	Path string `arg:"" help:"The folder with the captures and their *_labeled.csv."`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Help shows an example.
func (EvalLemayCmd) Help() string {
	return "Example:\n\n  breakwater eval lemay ../shared/data/labelled/lemay"
}

// Run scores and prints a table.
func (c *EvalLemayCmd) Run(std streams) error {
	report, err := eval.Lemay(c.Path)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(report)
	}
	_, err = io.WriteString(std.out, report.String())
	return err
}
