package main

import (
	"context"
	"fmt"
	"time"

	"breakwater"
	"breakwater/internal/app"
)

// ServeCmd runs the server.
type ServeCmd struct {
	app.Config  `embed:""`
	SensorIface string        `name:"sensor-iface" placeholder:"IFACE" help:"Also listen to this network interface (needs CAP_NET_RAW)."`
	SensorPcap  string        `name:"sensor-pcap" placeholder:"PATH" help:"Also read this capture, or follow this folder of rotating captures."`
	FacilityID  string        `name:"facility" default:"default" help:"The facility whose traffic that is."`
	SensorLearn time.Duration `name:"sensor-learn" placeholder:"DURATION" help:"Take what is seen in this much data time as normal, as 300s. Without it, what the facility learned before is used."`
}

// Help shows an example.
func (ServeCmd) Help() string {
	return "Example:\n\n  breakwater serve\n  breakwater serve --sensor-iface eth1 --facility north --sensor-learn 24h"
}

// Run serves until it is asked to stop.
func (c *ServeCmd) Run(ctx context.Context, std streams) error {
	if err := breakwater.CheckFacilityID(c.FacilityID); err != nil {
		return usageError{err}
	}
	if c.SensorIface != "" && c.SensorPcap != "" {
		return usage("--sensor-iface and --sensor-pcap exclude each other: one facility has one source of traffic")
	}
	a, err := app.Open(ctx, c.Config, version)
	if err != nil {
		return settings(err)
	}
	defer a.Close()
	var taps []app.Tap
	if c.SensorIface != "" || c.SensorPcap != "" {
		taps = append(taps, app.Tap{FacilityID: c.FacilityID, Iface: c.SensorIface, Pcap: c.SensorPcap, Learn: c.SensorLearn})
	}
	reach := "this machine only"
	if !c.Local() {
		reach = "for all who show API_TOKEN"
	}
	fmt.Fprintf(std.out, "Breakwater is at %s (%s; Ctrl-C stops it)\n", a.URL(), reach)
	return a.Run(ctx, taps...)
}
