package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"breakwater"
	"breakwater/internal/client"
	"breakwater/internal/detect"
	"breakwater/internal/ml"
	"breakwater/internal/pipeline"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// TrainCmd trains models: at a server on a facility's stored windows, or here on captures.
type TrainCmd struct {
	Files    []string `arg:"" optional:"" name:"file" help:"Train here, without a server, on these captures or folders of them; goes with --out."`
	Facility string   `default:"default" help:"The facility to train models for, on its own windows, which its server keeps."`
	From     string   `placeholder:"TIME" help:"Learn from this data time on, as 2026-03-01T08:00:00Z. Default: all that is kept, at most the newest week."`
	To       string   `placeholder:"TIME" help:"Learn up to this data time."`
	Kind     string   `enum:"all,autoencoder,isolation-forest" default:"all" help:"Which model: autoencoder, isolation-forest or all."`
	Out      string   `placeholder:"FILE" help:"With captures: the model file to write, of one kind; of all, the autoencoder."`
	serverFlags
}

// Help shows examples.
func (TrainCmd) Help() string {
	return "Seconds within alerts of medium severity and above are left out, but for those marked as false positives. The last quarter in time " +
		"sets the threshold. The server's sensors detect with the new models within seconds.\n\n" +
		"Examples:\n\n  breakwater train --facility north\n  breakwater train --facility north --from 2026-03-01T00:00:00Z --kind autoencoder\n  breakwater train monday.pcap --out north.bwm"
}

// Run trains.
func (c *TrainCmd) Run(ctx context.Context, std streams) error {
	if err := breakwater.CheckFacilityID(c.Facility); err != nil {
		return usageError{err}
	}
	var span [2]time.Time
	for i, text := range []string{c.From, c.To} {
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return usage("%s is not a time like 2026-03-01T08:00:00Z", text)
		}
		span[i] = at
	}
	if (len(c.Files) > 0) != (c.Out != "") {
		return usage("captures and --out FILE go together; without them --facility names whose windows the server shall train on")
	}
	if c.Out != "" {
		return c.here(ctx, std, span[0], span[1])
	}
	server, err := c.client()
	if err != nil {
		return err
	}
	var kinds []string
	if c.Kind != "all" {
		kinds = []string{c.Kind}
	}
	bar := trainingBar(std.err)
	models, err := server.Train(ctx, c.Facility, span[0], span[1], kinds, func(l client.Trained) { bar(l.Kind, l.Epoch, l.Epochs) })
	bar("", 0, 0)
	if err != nil {
		return err
	}
	for _, m := range models {
		if err := tellModel(std.out, m, fmt.Sprintf("facility %s: %s is version %d, which its sensors detect with from now on", m.FacilityID, m.Kind, m.Version)); err != nil {
			return err
		}
	}
	return nil
}

// here trains on captures, as a server of its own in memory.
func (c *TrainCmd) here(ctx context.Context, std streams, from, to time.Time) error {
	server, done, err := memoryServer(ctx, func(*breakwater.Alert, bool) {})
	if err != nil {
		return err
	}
	defer done()
	replay := ReplayCmd{Facility: c.Facility}
	for _, file := range c.Files {
		source, packets, err := replay.open(ctx, std, file, 0)
		if err != nil {
			return err
		}
		_, err = server.Run(ctx, c.Facility, 0, packets)
		source.Close()
		if err != nil {
			return err
		}
	}
	kind := ml.Autoencoder
	if c.Kind != "all" {
		kind = ml.Kind(c.Kind)
	}
	bar := trainingBar(std.err)
	models, err := server.Train(ctx, pipeline.Training{FacilityID: c.Facility, From: from, To: to, Kinds: []ml.Kind{kind}, Now: time.Now(),
		Epoch: func(kind ml.Kind, e ml.Epoch) { bar(string(kind), e.Number, e.Of) }})
	bar("", 0, 0)
	if err != nil {
		return err
	}
	_, file, err := server.Store.ModelFile(ctx, models[0].Version)
	if err != nil {
		return err
	}
	if err := writeWhole(c.Out, file); err != nil {
		return err
	}
	return tellModel(std.out, models[0], fmt.Sprintf("%s: %s, %d bytes", c.Out, kind, len(file)))
}

// trainingBar draws a bar of epochs where w is a terminal; an epoch of 0 ends it.
func trainingBar(w io.Writer) func(kind string, epoch, of int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string, int, int) {}
	}
	var bar *progressbar.ProgressBar
	return func(kind string, epoch, of int) {
		switch {
		case epoch == 0 && bar != nil:
			bar.Finish()
		case epoch > 0:
			if bar == nil {
				bar = progressbar.NewOptions(of, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("training "+kind),
					progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
			}
			bar.Set(epoch)
		}
	}
}

// tellModel prints what became of a training.
func tellModel(w io.Writer, m breakwater.ModelVersion, head string) error {
	var l detect.Learned
	if err := json.Unmarshal(m.Metrics, &l); err != nil {
		return err
	}
	epochs := ""
	if l.Epochs > 0 {
		epochs = fmt.Sprintf("  %d epochs, validation loss %.3g\n", l.Epochs, l.Validation)
	}
	_, err := fmt.Fprintf(w, "%s\n  %d rows: %d trained and %d validated on, of %d s from %s to %s; %d s within alerts left out\n%s  threshold %.4g, the %g quantile of the validation scores\n  fingerprint %s\n",
		head, m.Rows, l.Trained, l.Validated, l.Seconds, l.From.UTC().Format(time.DateTime), l.To.UTC().Format(time.DateTime), l.LeftOut,
		epochs, l.Threshold, l.Quantile, m.Fingerprint)
	return err
}
