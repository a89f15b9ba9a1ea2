package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"breakwater"
	"breakwater/internal/capture"
	"breakwater/internal/decode"
)

// DecodeCmd prints the events of a capture.
type DecodeCmd struct {
	File     string   `arg:"" help:"Capture (pcap, pcapng, also gzip'ed), folder of them, or - for standard input."`
	JSON     bool     `name:"json" help:"One JSON object a line."`
	Protocol []string `placeholder:"NAME" help:"Only these protocols, as modbus,arp."`
	Host     string   `placeholder:"ADDRESS" help:"Only what this host sent or was sent."`
	Class    []string `placeholder:"CLASS" help:"Only operations of these classes: read, write, diagnostic, identify, program, control, unknown."`
}

// Help shows examples.
func (DecodeCmd) Help() string {
	return "Examples:\n\n  breakwater decode plant.pcap\n  breakwater decode plant.pcap --protocol modbus --class write --json"
}

// Run prints them in order.
func (c *DecodeCmd) Run(std streams) error {
	var host netip.Addr
	if c.Host != "" {
		var err error
		if host, err = netip.ParseAddr(c.Host); err != nil {
			return usage("--host=%s: an IP address like 10.0.0.11 is accepted", c.Host)
		}
	}
	source, err := capture.Open(c.File)
	if err != nil {
		return err
	}
	defer source.Close()
	out := bufio.NewWriter(std.out)
	defer out.Flush()
	var failed error
	encoder := json.NewEncoder(out)
	if !c.JSON {
		fmt.Fprintf(out, "%-26s %-8s %-11s %-21s %-21s %s\n", "TIME (UTC)", "PROTOCOL", "KIND", "FROM", "TO", "WHAT")
	}
	decoder := decode.New(func(e *breakwater.Event) {
		if !c.wants(e, host) || failed != nil {
			return
		}
		if c.JSON {
			failed = encoder.Encode(e)
		} else {
			failed = printEvent(out, e)
		}
	})
	for p, err := range source.Packets() {
		if err != nil {
			out.Flush()
			return err
		}
		if decoder.Packet(&p); failed != nil {
			return failed
		}
	}
	decoder.Flush()
	if failed == nil {
		failed = out.Flush()
	}
	return failed
}

// wants reports whether an event passes every filter that was given.
func (c *DecodeCmd) wants(e *breakwater.Event, host netip.Addr) bool {
	return oneOf(c.Protocol, string(e.Protocol)) && oneOf(c.Class, string(e.Class)) &&
		(!host.IsValid() || e.Src.Addr == host || e.Dst.Addr == host)
}

func oneOf(accepted []string, s string) bool {
	for _, a := range accepted {
		if a == s {
			return true
		}
	}
	return len(accepted) == 0
}

// printEvent writes one event as a line of the table.
func printEvent(w io.Writer, e *breakwater.Event) error {
	_, err := fmt.Fprintf(w, "%-26s %-8s %-11s %-21s %-21s %s\n", e.Time.UTC().Format("2006-01-02 15:04:05.000000"), e.Protocol, e.Kind, endpoint(e.Src), endpoint(e.Dst), what(e))
	return err
}

func endpoint(e breakwater.Endpoint) string {
	switch {
	case !e.Addr.IsValid():
		return e.MAC.String()
	case e.Port == 0:
		return e.Addr.String()
	}
	return netip.AddrPortFrom(e.Addr, e.Port).String()
}

// what says in a few words what an event carries beyond its ends.
func what(e *breakwater.Event) string {
	var parts []string
	if e.FunctionName != "" {
		parts = append(parts, fmt.Sprintf("unit %d, %s", e.Unit, e.FunctionName))
	}
	if e.Ranged {
		if e.Quantity > 1 {
			parts = append(parts, fmt.Sprintf("%d-%d", e.Address, e.Address+e.Quantity-1))
		} else {
			parts = append(parts, fmt.Sprint(e.Address))
		}
	}
	if n := len(e.Values); n > 0 {
		shown := e.Values[:min(n, 8)]
		text := strings.Trim(fmt.Sprint(shown), "[]")
		if n > len(shown) {
			text += fmt.Sprintf(" … (%d values)", n)
		}
		parts = append(parts, "= "+text)
	}
	for _, s := range []string{e.ExceptionName, e.Name, e.Reason} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}
