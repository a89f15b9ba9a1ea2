package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"breakwater/internal/store/storetest"
)

// TestPlantServe: the plant says where its PLCs are, answers there, and ends when it is interrupted.
func TestPlantServe(t *testing.T) {
	t.Parallel()
	if storetest.OnPostgres() {
		t.Skip("it needs no database")
	}
	cmd := program(t, t.TempDir(), "plant", "serve", "--port", "0", "--facility", "demo-lakeview")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for _, want := range []string{"BW-TANK-1", "BW-DOSE-2"} {
		if !lines.Scan() {
			t.Fatal("it does not say where its PLCs are")
		}
		_, address, _ := strings.Cut(lines.Text(), ":")
		address, _, _ = strings.Cut(strings.TrimSpace(address), ",")
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte{0, 1, 0, 0, 0, 5, 1, 0x2b, 14, 1, 0}); err != nil { // who are you
			t.Fatal(err)
		}
		answer := make([]byte, 44)
		if n, err := io.ReadAtLeast(c, answer, 40); err != nil || !bytes.Contains(answer[:n], []byte(want)) {
			t.Errorf("%s: %q, %v", lines.Text(), answer, err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if cmd.Wait(); cmd.ProcessState.ExitCode() != exitOK {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}
