package decode

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"breakwater"
)

// readZeek and readEVE read one line of a log.
func readZeek(line []byte, emit func(any)) error {
	return Zeek(line, func(e *breakwater.Event) { emit(e) })
}

func readEVE(line []byte, emit func(any)) error {
	return EVE(line, func(e *breakwater.Event) { emit(e) }, func(d *breakwater.Detection) { emit(d) })
}

// TestLogs holds what is read of each line of the samples in testdata/logs, or why none is, as a golden.
func TestLogs(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func([]byte, func(any)) error{"zeek": readZeek, "eve": readEVE} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := filepath.Join("testdata", "logs", name)
			sample, err := os.ReadFile(base + ".ndjson")
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for line := range bytes.Lines(sample) {
				err := read(line, func(v any) {
					text, err := json.Marshal(v)
					if err != nil {
						t.Fatal(err)
					}
					got.Write(append(text, '\n'))
				})
				if err != nil {
					text, _ := json.Marshal(map[string]string{"error": err.Error()})
					got.Write(append(text, '\n'))
				}
				got.WriteByte('\n')
			}
			if *update {
				if err := os.WriteFile(base+".json", got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".json")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What Zeek itself logged of real captures is read as what Zeek meant: written as JSON, each line of its modbus.log gives
// the event that is that line again.
func TestZeekLinesComeBack(t *testing.T) {
	t.Parallel()
	lines := 0
	for _, name := range []string{"exception_handling", "modbus_and_non_modbus_on_port_502"} {
		path := sharedFile(t, "expected/modbus/"+name+"/modbus.log")
		for _, row := range zeekRows(t, path) {
			line := zeekJSON(t, row)
			var events []*breakwater.Event
			if err := Zeek(line, func(e *breakwater.Event) { events = append(events, e) }); err != nil || len(events) != 1 {
				t.Errorf("%s: %v, %d events of %s", name, err, len(events), line)
				continue
			}
			want := strings.Join([]string{row["id.orig_h"], row["id.orig_p"], row["id.resp_h"], row["id.resp_p"], row["tid"], row["unit"], row["func"], row["pdu_type"], row["exception"]}, " ")
			if got := zeekModbus(events[0]); got != want {
				t.Errorf("%s: %s came back as %s", name, want, got)
			}
			lines++
		}
	}
	for _, name := range []string{"dnp3_en_spon", "dnp3_file_read", "dnp3_read", "dnp3_select_operate", "dnp3_udp_read", "dnp3_write"} {
		path := sharedFile(t, "expected/dnp3/"+name+"/dnp3.log")
		for _, row := range zeekRows(t, path) {
			var events []*breakwater.Event
			if err := Zeek(zeekJSON(t, row), func(e *breakwater.Event) { events = append(events, e) }); err != nil || len(events) == 0 {
				t.Errorf("%s: %v, %d events of %v", name, err, len(events), row)
				continue
			}
			if got := inCapitals(events[0].FunctionName); row["fc_request"] != "-" && got != row["fc_request"] {
				t.Errorf("%s: %s came back as %s", name, row["fc_request"], got)
			}
			lines++
		}
	}
	if lines < 30 {
		t.Errorf("only %d lines were read", lines)
	}
}

// zeekJSON is a row of a log as Zeek writes it in JSON: numbers as such, what is not set left out.
func zeekJSON(t *testing.T, row map[string]string) []byte {
	t.Helper()
	object := map[string]any{"ts": 1772352000.5}
	for name, value := range row {
		switch {
		case name == "ts" || value == "-":
		case name == "id.orig_p" || name == "id.resp_p" || name == "tid" || name == "unit" || name == "iin":
			object[name] = json.Number(value)
		default:
			object[name] = value
		}
	}
	line, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestZeekTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		`1772352000`:                    time.Unix(1772352000, 0),
		`1772352000.123456`:             time.Unix(1772352000, 123456000),
		`1772352000.000000001`:          time.Unix(1772352000, 1),
		`1.772352e9`:                    time.Unix(1772352000, 0),
		`"1772352000.5"`:                time.Unix(1772352000, 500000000),
		`"2026-03-01T08:00:00.000001Z"`: time.Date(2026, 3, 1, 8, 0, 0, 1000, time.UTC),
	} {
		if got, err := zeekTime([]byte(text)); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{``, `null`, `"soon"`, `-1`, `1e300`, `99999999999999`, `1772352000.-5`, `NaN`, `[1]`} {
		if got, err := zeekTime([]byte(text)); err == nil {
			t.Errorf("%s is taken for %v", text, got)
		}
	}
}

// fuzzLog checks what holds of any line: no panic, a bounded number of events, each one that can be kept and sent on.
func fuzzLog(t *testing.T, line []byte, read func([]byte, func(any)) error) {
	n := 0
	err := read(line, func(v any) {
		n++
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%v of %q", err, line)
		}
		switch v := v.(type) {
		case *breakwater.Event:
			if y := v.Time.Year(); y < 1970 || y > 9999 || v.Protocol == "" || v.Kind == "" || !v.Src.Addr.IsValid() || !v.Dst.Addr.IsValid() || len(v.Values) > maxBits {
				t.Errorf("an event that cannot be: %+v", v)
			}
		case *breakwater.Detection:
			v.FacilityID = "north"
			if err := v.Check(); err != nil {
				t.Errorf("%v: %+v", err, v)
			}
		}
	})
	if n > 3 || err == nil && n == 0 || err != nil && n > 0 || err != nil && errors.Is(err, ErrUnused) && n > 0 {
		t.Errorf("%d events and %v of %q", n, err, line)
	}
	if err != nil && strings.ContainsAny(err.Error(), "\n\x00") {
		t.Errorf("more than one line: %q", err)
	}
}

func seeds(f *testing.F, name string) {
	file, err := os.Open(filepath.Join("testdata", "logs", name+".ndjson"))
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		f.Add(bytes.Clone(lines.Bytes()))
	}
}

func FuzzZeek(f *testing.F) {
	seeds(f, "zeek")
	f.Fuzz(func(t *testing.T, line []byte) { fuzzLog(t, line, readZeek) })
}

func FuzzEVE(f *testing.F) {
	seeds(f, "eve")
	f.Fuzz(func(t *testing.T, line []byte) { fuzzLog(t, line, readEVE) })
}
