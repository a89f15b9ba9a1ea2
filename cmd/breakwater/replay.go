package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/capture"
	"breakwater/internal/client"
	"breakwater/internal/detect"
	"breakwater/internal/pipeline"
	"breakwater/internal/store"
	"breakwater/internal/window"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// ReplayCmd feeds captures through the way of the data.
type ReplayCmd struct {
	Files    []string      `arg:"" name:"file" help:"Captures (pcap, pcapng, also gzip'ed), folders of them, or - for standard input."`
	Facility string        `default:"default" help:"The facility whose traffic it is."`
	Learn    time.Duration `placeholder:"DURATION" help:"Take what is seen in this much data time, from each file's first packet on, as normal, as 300s."`
	Speed    string        `default:"max" help:"How fast: 1x is as it was captured, 10x ten times that, max as fast as it goes."`
	Now      bool          `help:"Shift the capture to the present: its last packet lies at the time when it is sent."`
	Out      string        `placeholder:"-" help:"Analyse here, without a server, and print the alerts as JSON lines to standard output (-)."`
	Baseline string        `placeholder:"FILE" help:"With --out: begin with this baseline, and save what was learned to it."`
	Model    []string      `placeholder:"FILE" help:"With --out: detect with this model too, as breakwater train made it; one of each kind."`
	serverFlags
}

// Help shows examples.
func (ReplayCmd) Help() string {
	return "Examples:\n\n  breakwater replay plant.pcap --learn 300s\n  breakwater replay plant.pcap --learn 300s --out - | jq .title\n  tcpdump -i eth1 -w - | breakwater replay - --facility north"
}

// Run replays each file, one after the other.
func (c *ReplayCmd) Run(ctx context.Context, std streams) error {
	speed, err := parseSpeed(c.Speed)
	if err != nil {
		return err
	}
	if err := breakwater.CheckFacilityID(c.Facility); err != nil {
		return usageError{err}
	}
	if c.Learn < 0 {
		return usage("--learn=%s: a length of time like 300s is accepted", c.Learn)
	}
	if c.Out != "" && c.Out != "-" {
		return usage("--out=%s: only - (standard output) is accepted", c.Out)
	}
	if (c.Baseline != "" || len(c.Model) > 0) && c.Out == "" {
		return usage("--baseline and --model go with --out -: a server keeps those of its facilities itself")
	}
	if c.Out == "-" {
		return c.offline(ctx, std, speed)
	}
	server, err := c.client()
	if err != nil {
		return err
	}
	for _, file := range c.Files {
		if err := c.feed(ctx, std, server, file, speed); err != nil {
			return err
		}
	}
	n, err := server.CountAlerts(ctx, c.Facility)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "facility %s has %d alerts: %s/alerts?facility=%s\n", c.Facility, n, strings.TrimSuffix(c.Server, "/"), c.Facility)
	return nil
}

// feed sends one file to the server as it reads it.
func (c *ReplayCmd) feed(ctx context.Context, std streams, server *client.Client, file string, speed float64) error {
	source, packets, err := c.open(ctx, std, file, speed)
	if err != nil {
		return err
	}
	defer source.Close()

	body, into := io.Pipe()
	var broken error // of the capture; the server gets what lies before it
	written := make(chan struct{})
	go func() {
		defer close(written)
		w := capture.NewWriter(into, capture.PCAPNG)
		for p, err := range packets {
			if err != nil { // ends its file; in a folder the next one comes after it
				if broken == nil {
					broken = err
				}
				continue
			}
			if err := w.Write(p); err != nil {
				return // the server has ended the request and says why
			}
			if speed > 0 {
				if err := w.Flush(); err != nil {
					return
				}
			}
		}
		into.CloseWithError(w.Flush())
	}()
	took, err := server.IngestPcap(ctx, c.Facility, c.Learn, body)
	body.Close()
	<-written
	if err != nil {
		return err
	}
	if took.Forwarded {
		fmt.Fprintf(std.err, "%s: %d packets; the server's nodes analyse them from Kafka\n", file, took.Accepted)
	} else {
		fmt.Fprintf(std.err, "%s: %d packets, %d events, %d detections\n", file, took.Accepted, took.Events, took.Detections)
	}
	for _, e := range took.Errors {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: file + ": " + e.Detail}
	}
	return broken
}

// offline is a whole server in memory for as long as the files last.
func (c *ReplayCmd) offline(ctx context.Context, std streams, speed float64) error {
	var order []breakwater.ID
	server, done, err := memoryServer(ctx, func(a *breakwater.Alert, created bool) {
		if created {
			order = append(order, a.ID)
		}
	})
	if err != nil {
		return err
	}
	defer done()
	db := server.Store
	for _, path := range c.Model {
		if err := c.saveModel(ctx, db, path); err != nil {
			return err
		}
	}
	if c.Baseline != "" {
		text, err := os.ReadFile(c.Baseline)
		if err != nil && !os.IsNotExist(err) {
			return &breakwater.Error{Kind: breakwater.Unavailable, Message: "baseline " + c.Baseline + " cannot be read", Err: err}
		}
		if err == nil {
			if err := json.Unmarshal(text, detect.NewBaseline()); err != nil {
				return &breakwater.Error{Kind: breakwater.Invalid, Message: c.Baseline + " is not a baseline: " + err.Error()}
			}
			if _, err := db.SaveBaseline(ctx, c.Facility, text, 0); err != nil {
				return err
			}
		}
	}
	var broken error
	for _, file := range c.Files {
		source, packets, err := c.open(ctx, std, file, speed)
		if err != nil {
			return err
		}
		stats, err := server.Run(ctx, c.Facility, c.Learn, packets)
		source.Close()
		if err != nil {
			broken = err
			break
		}
		slog.Debug("replayed", "file", file, "packets", stats.Packets)
	}
	out := json.NewEncoder(std.out)
	for _, id := range order {
		a, err := db.Alert(ctx, id)
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	if broken != nil {
		return broken
	}
	if c.Baseline != "" && c.Learn > 0 {
		text, _, err := db.Baseline(ctx, c.Facility)
		if err != nil {
			return err
		}
		return writeWhole(c.Baseline, text)
	}
	return nil
}

// memoryServer is a whole server in memory, with the shipped rules.
func memoryServer(ctx context.Context, publish func(a *breakwater.Alert, created bool)) (_ *pipeline.Server, done func() error, err error) {
	rules, err := detect.Shipped()
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, "sqlite://:memory:")
	if err != nil {
		return nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		db.Close()
		return nil, nil, err
	}
	return &pipeline.Server{Store: db, Rules: rules, Context: window.NewMemory(), Publish: publish}, db.Close, nil
}

// saveModel puts a model file to work.
func (c *ReplayCmd) saveModel(ctx context.Context, db *store.Store, path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		kind := breakwater.Unavailable
		if os.IsNotExist(err) {
			kind = breakwater.NotFound
		}
		return &breakwater.Error{Kind: kind, Message: "model " + path + " cannot be read", Err: err}
	}
	m, err := detect.ReadModel(file)
	if err != nil {
		return &breakwater.Error{Kind: breakwater.Invalid, Message: path + ": " + err.Error()}
	}
	_, _, err = db.SaveModel(ctx, breakwater.ModelVersion{FacilityID: c.Facility, Kind: string(m.Kind()), Source: breakwater.Trained,
		Rows: int64(m.Origin.Trained + m.Origin.Validated), CreatedAt: time.Now()}, file)
	return err
}

// open gives a file's packets: shifted, paced and with a progress bar, as asked.
func (c *ReplayCmd) open(ctx context.Context, std streams, file string, speed float64) (*capture.Source, iter.Seq2[breakwater.Packet, error], error) {
	var shift time.Duration
	if c.Now {
		var err error
		if shift, err = shiftToNow(file, speed); err != nil {
			return nil, nil, err
		}
	}
	source, err := capture.Open(file)
	if err != nil {
		return nil, nil, err
	}
	packets := source.Packets()
	if c.Now {
		packets = shifted(packets, shift)
	}
	if speed > 0 {
		packets = pace(ctx, packets, speed)
	}
	if f, ok := std.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		packets = progress(packets, source, f, file)
	}
	return source, packets, nil
}

// shiftToNow is how far to move a capture so that its last packet is sent at its own time: now at max speed, and when
// the replay ends at another. No packet lies in the future when it is sent, and at 1x the first one is now.
func shiftToNow(file string, speed float64) (time.Duration, error) {
	if file == "-" {
		return 0, usage("--now reads the capture twice; give a file instead of standard input")
	}
	source, err := capture.Open(file)
	if err != nil {
		return 0, err
	}
	defer source.Close()
	var first, last time.Time
	for p, err := range source.Packets() {
		if err != nil {
			continue // told on the second reading
		}
		if first.IsZero() {
			first = p.Time
		}
		last = p.Time
	}
	ends := time.Now()
	if speed > 0 {
		ends = ends.Add(time.Duration(float64(last.Sub(first)) / speed))
	}
	return ends.Sub(last), nil
}

// shifted moves every packet by the same time.
func shifted(packets iter.Seq2[breakwater.Packet, error], by time.Duration) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		for p, err := range packets {
			p.Time = p.Time.Add(by)
			if !yield(p, err) {
				return
			}
		}
	}
}

// pace holds each packet back until its time has come, counted from the first one.
func pace(ctx context.Context, packets iter.Seq2[breakwater.Packet, error], speed float64) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		begun := time.Now()
		var first time.Time
		for p, err := range packets {
			if err == nil {
				if first.IsZero() {
					first = p.Time
				}
				due := begun.Add(time.Duration(float64(p.Time.Sub(first)) / speed))
				if wait := time.Until(due); wait > time.Millisecond {
					select {
					case <-ctx.Done():
						yield(breakwater.Packet{}, ctx.Err())
						return
					case <-time.After(wait):
					}
				}
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// progress draws a bar of the input read so far.
func progress(packets iter.Seq2[breakwater.Packet, error], source *capture.Source, w io.Writer, name string) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		_, total := source.Progress()
		if total == 0 {
			total = -1 // unknown: a spinner with a count
		}
		bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(name),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		defer bar.Finish()
		n := 0
		for p, err := range packets {
			if n++; n&0x3f == 0 {
				read, _ := source.Progress()
				bar.Set64(read)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// parseSpeed reads 1x, 10x, 0.5x or max; max is 0.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	speed, err := strconv.ParseFloat(strings.TrimSuffix(s, "x"), 64)
	if err != nil || !(speed > 0 && speed <= 1e6) {
		return 0, usage("--speed=%s: accepted is 1x, 10x, 0.5x, max", s)
	}
	return speed, nil
}

// writeWhole writes a file so that it is there whole or as it was before.
func writeWhole(path string, data []byte) error {
	tmp := path + ".new"
	err := os.WriteFile(tmp, data, 0o600)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: "cannot write " + path, Err: err}
	}
	return nil
}
