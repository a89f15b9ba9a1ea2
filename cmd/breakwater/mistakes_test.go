package main

import (
	"database/sql"
	"encoding/binary"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pcapOf is a classic pcap file of one packet with a link type.
func pcapOf(link uint32, packet []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, link)
	for _, n := range []uint32{1_700_000_000, 0, uint32(len(packet)), uint32(len(packet))} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return append(b, packet...)
}

// TestMistakes holds the mistakes that a script cannot make: each is one line that names the thing, and its exit code.
func TestMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("strange.pcap", pcapOf(147, []byte{1, 2, 3, 4}))
	whole := pcapOf(1, make([]byte, 60))
	write("cut.pcap", append(whole, whole[24:50]...))
	must(t, program(t, dir, "migrate", "up", "--database-url", "sqlite://newer.db"))
	db, err := sql.Open("sqlite", filepath.Join(dir, "newer.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, address := serve(t, t.TempDir())
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"an unknown link type", []string{"replay", "strange.pcap", "--out", "-"}, exitInput, "147"},
		{"a truncated capture", []string{"replay", "cut.pcap", "--out", "-"}, exitInput, "cut.pcap: packet 2"},
		{"a truncated capture, to a server", []string{"replay", "cut.pcap", "--server", address}, exitInput, "cut.pcap: packet 2"},
		{"a port in use", []string{"serve", "--api-port", u.Port()}, exitUnavailable, u.Port() + " is in use"},
		{"a newer database", []string{"serve", "--database-url", "sqlite://newer.db"}, exitInput, "9999"},
		{"a database in a folder that is none", []string{"serve", "--database-url", "sqlite://no/such/x.db"}, exitUnavailable, "no/such"},
		{"no server there", []string{"replay", "cut.pcap", "--server", "http://127.0.0.1:1"}, exitUnavailable, "no Breakwater server answers"},
		{"a server that is no address", []string{"replay", "cut.pcap", "--server", "plant"}, exitUsage, `"plant"`},
		{"an unknown command", []string{"listen"}, exitUsage, "listen"},
		{"an interface that is none", []string{"serve", "--sensor-iface", "no-such-if0"}, exitUnavailable, "no-such-if0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := program(t, dir, c.args...)
			var errs strings.Builder
			cmd.Stderr = &errs
			_ = cmd.Run() // the exit code says it
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(errs.String(), c.says) {
				t.Errorf("exit code %d, want %d, with %q in:\n%s", code, c.code, c.says, errs.String())
			}
			if last := strings.Count(strings.TrimSpace(errs.String()), "\n"); last > 1 {
				t.Errorf("more than the mistake and where to look:\n%s", errs.String())
			}
		})
	}
}
