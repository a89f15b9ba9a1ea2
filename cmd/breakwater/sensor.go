package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/app"
	"breakwater/internal/client"
	"breakwater/internal/detect"
	"breakwater/internal/pipeline"
)

// farewell is how long a sensor that is asked to stop tries to send what it has.
const farewell = 5 * time.Second

// SensorCmd is a sensor at a facility.
type SensorCmd struct {
	Facility   string        `default:"default" help:"The facility whose traffic it is."`
	Iface      string        `xor:"source" placeholder:"IFACE" help:"Listen to this network interface (needs CAP_NET_RAW)."`
	Pcap       string        `xor:"source" placeholder:"PATH" help:"Read this capture, or follow this folder of rotating captures."`
	Learn      time.Duration `placeholder:"DURATION" help:"Take what is seen in this much data time, from the first packet on, as normal, as 300s."`
	Speed      string        `default:"max" help:"How fast a capture file is read: 1x is as it was captured, max as fast as it goes."`
	Spool      string        `placeholder:"FOLDER" help:"Where data waits while the server is away; without it, breakwater-spool/FACILITY."`
	SpoolMiB   int64         `name:"spool-mib" default:"256" help:"The most MiB that may wait. Beyond, the oldest seconds are given up first, detections last."`
	Federation bool          `default:"true" negatable:"" help:"Train in the server's federation, on what is seen here."`
	serverFlags
	app.Kafka `embed:""`
	LogLevel  string `name:"log-level" env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat string `name:"log-format" env:"LOG_FORMAT" default:"text" help:"text or json."`
}

// Help shows examples.
func (SensorCmd) Help() string {
	return "Examples:\n\n  breakwater sensor --iface eth1 --facility north --server https://breakwater.example --learn 24h\n  breakwater sensor --pcap /var/captures --facility north\n  KAFKA_BOOTSTRAP_SERVERS=broker:9092 breakwater sensor --iface eth1 --facility north"
}

// Run taps until the traffic ends or it is asked to stop.
func (c *SensorCmd) Run(ctx context.Context, std streams) error {
	speed, err := c.check()
	if err != nil {
		return err
	}
	log, err := (&app.Config{LogLevel: c.LogLevel, LogFormat: c.LogFormat}).Logger(std.err)
	if err != nil {
		return settings(err)
	}
	server, err := c.client()
	if err != nil {
		return err
	}
	rules, err := detect.Shipped()
	if err != nil {
		return err
	}
	tap := app.Tap{FacilityID: c.Facility, Iface: c.Iface, Pcap: c.Pcap}
	packets, done, err := tap.Open(ctx, log)
	if err != nil {
		return err
	}
	defer done()
	spool, err := client.OpenSpool(c.Spool, c.SpoolMiB<<20, log)
	if err != nil {
		return err
	}
	defer spool.Close()
	spool.Wait = tap.Ends()

	var changed atomic.Pointer[pipeline.Setup]
	var merge sync.Mutex // what changes comes from the server's configuration and from the federation
	uplink := &client.Uplink{Client: server, Spool: spool, Facility: c.Facility, Version: version, Source: tap.Source(), Dir: c.Spool, Log: log,
		Changed: func(c client.Change) {
			setup := setupOf(log, c)
			merge.Lock()
			defer merge.Unlock()
			if before := changed.Swap(nil); before != nil { // not taken up yet
				if setup.Rules == nil {
					setup.Rules = before.Rules
				}
				if setup.Baseline == nil {
					setup.Baseline = before.Baseline
				}
				setup.Models = append(slices.Clone(before.Models), setup.Models...) // of a kind the later counts
			}
			changed.Store(setup)
		}}
	if c.Kafka.On() {
		cluster, err := c.Kafka.Open("", log)
		if err != nil {
			return settings(err)
		}
		defer cluster.Close()
		go cluster.Prepare(ctx)
		uplink.Send = cluster.SendBatches
	}
	uplink.Begin(ctx)
	send, train, err := c.federation(server, spool.Put, uplink.Changed, log)
	if err != nil {
		return err
	}
	sensor := pipeline.Sensor{FacilityID: c.Facility, Rules: rules, Baseline: detect.NewBaseline(), Learn: c.Learn, Send: send,
		Changed: func() *pipeline.Setup { return changed.Swap(nil) },
		Learned: func(_ context.Context, b *detect.Baseline) error {
			text, err := json.Marshal(b)
			if err != nil {
				return err
			}
			return uplink.Learned(text)
		}}
	if setup := changed.Swap(nil); setup != nil {
		if setup.Rules != nil {
			sensor.Rules = setup.Rules
		}
		if setup.Baseline != nil {
			sensor.Baseline = setup.Baseline
		}
		sensor.Models = setup.Models
	}

	line, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var both sync.WaitGroup
		both.Go(func() { train(line) })
		uplink.Run(line)
		both.Wait()
	}()
	defer func() { hangUp(); <-ended }()

	log.Info("listening to traffic", "facility", c.Facility, "source", tap.Source(), "learn", c.Learn, "server", c.Server, "spool", c.Spool)
	if speed > 0 {
		packets = pace(ctx, packets, speed)
	}
	stats, err := sensor.Run(ctx, packets)
	if err != nil && !errors.Is(err, context.Canceled) && breakwater.KindOf(err) != breakwater.Invalid {
		return err
	}
	return errors.Join(err, c.end(ctx, std, spool, uplink, stats))
}

// check completes the flags, and refuses what does not go together.
func (c *SensorCmd) check() (speed float64, err error) {
	if err := breakwater.CheckFacilityID(c.Facility); err != nil {
		return 0, usageError{err}
	}
	if (c.Iface == "") == (c.Pcap == "") {
		return 0, usage("say what to listen to: --iface IFACE or --pcap PATH")
	}
	if err := c.Kafka.Check(); err != nil {
		return 0, usageError{err}
	}
	if c.Learn < 0 {
		return 0, usage("--learn=%s: a length of time like 300s is accepted", c.Learn)
	}
	if c.SpoolMiB < 1 || c.SpoolMiB > 1<<20 {
		return 0, usage("--spool-mib=%d: accepted is 1 to %d", c.SpoolMiB, 1<<20)
	}
	if c.Spool == "" {
		c.Spool = filepath.Join("breakwater-spool", c.Facility)
	}
	return parseSpeed(c.Speed)
}

// end sends what is left: a capture's to the last record, however long the server is away; what is tapped until the
// sensor is stopped, for as long as a farewell takes. The rest waits on disk for the next start.
func (c *SensorCmd) end(ctx context.Context, std streams, spool *client.Spool, uplink *client.Uplink, stats pipeline.Stats) error {
	wait, cancel := context.WithCancel(ctx)
	if ctx.Err() != nil {
		wait, cancel = context.WithTimeout(context.WithoutCancel(ctx), farewell)
	}
	defer cancel()
	err := spool.Empty(wait)
	for pause := time.Second; err == nil; {
		if err = uplink.Goodbye(wait); err == nil || breakwater.KindOf(err) != breakwater.Unavailable {
			break
		}
		if c.Kafka.On() { // what it found is sent: it need not know a server
			err = nil
			break
		}
		select {
		case <-wait.Done():
		case <-time.After(pause):
			err = nil
		}
	}
	waiting, lost := spool.Status()
	fmt.Fprintf(std.err, "%d packets, %d events, %d detections; %d bytes wait in %s\n", stats.Packets, stats.Events, stats.Detections, waiting, c.Spool)
	if lost != (client.Lost{}) {
		fmt.Fprintf(std.err, "%d windows and %d detections were lost since the spool was made: it was full\n", lost.Windows, lost.Detections)
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return nil // it was asked to stop
	}
	return err
}

// setupOf reads what a server sent. A rule or model that this program cannot read, as of a newer one, is left out and told.
func setupOf(log *slog.Logger, c client.Change) *pipeline.Setup {
	setup := &pipeline.Setup{}
	for _, file := range c.Models {
		m, err := detect.ReadModel(file)
		if err != nil {
			log.Error("a model of the server is left out", "err", err)
			continue
		}
		log.Info("detecting with a model", "kind", m.Kind(), "trained_on", m.Origin.Trained, "threshold", m.Threshold)
		setup.Models = append(setup.Models, m)
	}
	for i, text := range c.Rules {
		r, err := detect.ParseRule([]byte(text), fmt.Sprintf("rule %d of the server", i+1))
		if err != nil {
			log.Error("a rule of the server is left out", "err", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		setup.Rules = append(setup.Rules, r)
	}
	if c.Baseline != nil {
		b := detect.NewBaseline()
		if err := json.Unmarshal(c.Baseline, b); err != nil {
			log.Error("the server's baseline is left out", "err", err)
		} else {
			setup.Baseline = b
		}
	}
	return setup
}
