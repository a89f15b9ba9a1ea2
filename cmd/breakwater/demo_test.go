package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"breakwater"
	"breakwater/internal/app"
)

// The commands of the demo against a running server: followed live, said as JSON, refused.
func TestDemoCommand(t *testing.T) {
	t.Parallel()
	c := app.Defaults()
	c.APIPort, c.DatabaseURL, c.LogLevel = "0", "sqlite://"+filepath.Join(t.TempDir(), "demo.db"), "error"
	a, err := app.Open(t.Context(), c, "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		a.Close()
	})
	command := func(args ...string) (code int, out, said string) {
		var o, e bytes.Buffer
		code = run(t.Context(), append(args, "--server", a.URL()), streams{strings.NewReader(""), &o, &e})
		return code, o.String(), e.String()
	}
	code, out, said := command("demo", "multi-stage", "--speed", "max")
	for _, part := range []string{
		"multi-stage at demo-riverside\n", "✓  an alert names T0855, Unauthorized Command Message (after 33.9 s)\n", "write-from-new-host: 10.22.4.57 (new here) wrote coils 0-9 of PLC 10.22.4.11",
		"✓  a prediction is validated by T0831", "multi-stage: completed, 8 of 8 expectations met, ", "/alerts?id=",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is not in\n%s", part, out)
		}
	}
	if code != exitOK || said != "" {
		t.Errorf("exit code %d, %s", code, said)
	}
	code, out, said = command("demo", "port-scan", "--speed", "max", "--facility", "demo-lakeview", "--json")
	var ran breakwater.DemoRun
	if err := json.Unmarshal([]byte(out), &ran); err != nil || code != exitOK || ran.Status != breakwater.DemoCompleted || ran.Facilities[0] != "demo-lakeview" {
		t.Errorf("exit code %d, %v, %s %s", code, err, out, said)
	}
	if code, _, said = command("demo", "port-scan", "--facility", "north"); code != exitInput || !strings.Contains(said, "is none of the demo's") {
		t.Errorf("exit code %d, %s", code, said)
	}
	if code, _, said = command("demo", "flood"); code != exitUsage || !strings.Contains(said, "port-scan") {
		t.Errorf("exit code %d, %s", code, said)
	}
	stop()
	if code, _, said = command("demo", "port-scan"); code != exitUnavailable {
		t.Errorf("without a server: exit code %d, %s", code, said)
	}
}
