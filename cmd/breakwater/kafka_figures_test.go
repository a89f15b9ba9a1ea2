package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/capture"
	"breakwater/internal/client"
	"breakwater/internal/detect"
	"breakwater/internal/kafka/kafkatest"
	"breakwater/internal/pipeline"
	"breakwater/internal/store/storetest"
)

// kafkaFigures asks TestKafkaFigures for so many facilities; docs/performance.md has the command.
const kafkaFigures = "BREAKWATER_BENCH_KAFKA"

// How fast batches of many facilities get into PostgreSQL: over HTTP, over Kafka into one node, and into two; and how fast
// captures do. It says what CPU time went where: all of it runs on this machine.
func TestKafkaFigures(t *testing.T) {
	text := os.Getenv(kafkaFigures)
	if text == "" {
		t.Skip("measures only where " + kafkaFigures + " says how many facilities there are, as 24")
	}
	facilities, err := strconv.Atoi(text)
	if err != nil || facilities < 1 {
		t.Fatalf("%s=%q: accepted is a number of facilities", kafkaFigures, text)
	}
	kafkatest.Real(t)
	server := storetest.Server(t)
	for _, say := range []string{"ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"} { // as users have it
		if _, err := server.Exec(say); err != nil {
			t.Fatal(err)
		}
	}
	const rounds = 4
	lines, events := recorded(t, facilities, rounds)
	batches := facilities * len(lines[0])
	t.Logf("%d facilities, %d batches of a second each, %d events", facilities, batches, events)
	for _, way := range []struct {
		name  string
		nodes int
		kafka bool
	}{{"HTTP, one node", 1, false}, {"Kafka, one node", 1, true}, {"Kafka, two nodes", 2, true}} {
		db := storetest.Postgres(t)
		on := kafkatest.Real(t)
		var urls []string
		var pids []int
		for range way.nodes {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("DATABASE_URL="+db+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := program(t, dir, "serve")
			if way.kafka {
				onKafka(cmd, on)
			}
			cmd, url := serving(t, cmd)
			urls, pids = append(urls, url), append(pids, cmd.Process.Pid)
		}
		if way.kafka {
			time.Sleep(8 * time.Second) // until the group has its partitions
		}
		rows, err := sql.Open("pgx", db)
		if err != nil {
			t.Fatal(err)
		}
		before, began := cpu(on, pids), time.Now()
		var all sync.WaitGroup
		cluster := line(t, on)
		for f := range facilities {
			all.Go(func() {
				api, err := client.New(urls[0], "")
				if err != nil {
					t.Error(err)
					return
				}
				for i := 0; i < len(lines[f]); i += 500 {
					some := lines[f][i:min(i+500, len(lines[f]))]
					if way.kafka {
						err = cluster.SendBatches(t.Context(), fmt.Sprintf("plant-%d", f), some)
					} else {
						_, err = api.SendBatches(t.Context(), fmt.Sprintf("plant-%d", f), some)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		sent := time.Since(began)
		for n, late := 0, time.Now().Add(3*time.Minute); n < batches; {
			if err := rows.QueryRow("SELECT count(*) FROM network_data").Scan(&n); err != nil || time.Now().After(late) {
				t.Fatalf("%s: %d of %d are there, %v", way.name, n, batches, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		took := time.Since(began)
		rows.Close()
		t.Logf("%-17s %6.0f batches/s, %8.0f events/s; %v, sent after %v; CPU %s", way.name+":", float64(batches)/took.Seconds(), float64(events)/took.Seconds(),
			took.Round(time.Millisecond), sent.Round(time.Millisecond), cpu(on, pids).since(before, int64(batches)))

		// Captures: the same traffic for each of eight facilities.
		path := filepath.Join(t.TempDir(), "plant.pcap")
		must(t, program(t, t.TempDir(), "plant", "record", "--out", path, "--duration", "3600s"))
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before, began = cpu(on, pids), time.Now()
		packets := make([]int64, 8)
		for f := range packets {
			all.Go(func() {
				api, err := client.New(urls[f%len(urls)], "")
				if err != nil {
					t.Error(err)
					return
				}
				got, err := api.IngestPcap(t.Context(), fmt.Sprintf("raw-%d", f), time.Hour, bytes.NewReader(body))
				if packets[f] = got.Accepted; err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		sent = time.Since(began)
		if way.kafka { // each ends by saving what it learned
			rows, err := sql.Open("pgx", db)
			if err != nil {
				t.Fatal(err)
			}
			for n, late := 0, time.Now().Add(3*time.Minute); n < len(packets); time.Sleep(20 * time.Millisecond) {
				if err := rows.QueryRow("SELECT count(*) FROM baselines WHERE facility_id LIKE 'raw-%'").Scan(&n); err != nil || time.Now().After(late) {
					t.Fatalf("%s: %d of %d captures are analysed, %v", way.name, n, len(packets), err)
				}
			}
			rows.Close()
		}
		took = time.Since(began)
		total := int64(0)
		for _, n := range packets {
			total += n
		}
		t.Logf("%-17s %6.0f packets/s of captures; %v, uploaded after %v; CPU %s", way.name+":", float64(total)/took.Seconds(), took.Round(time.Millisecond), sent.Round(time.Millisecond), cpu(on, pids).since(before, total))
	}
}

// recorded is what sensors of the simulated plant send, each batch as JSON, of so many facilities.
func recorded(t *testing.T, facilities, rounds int) (lines [][][]byte, events int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plant.pcap")
	must(t, program(t, t.TempDir(), "plant", "record", "--out", path, "--duration", "600s"))
	rules, err := detect.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for f := range facilities {
		id := fmt.Sprintf("plant-%d", f)
		var mine [][]byte
		for r := range rounds {
			source, err := capture.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			sensor := pipeline.Sensor{FacilityID: id, Rules: rules, Baseline: detect.NewBaseline(), Learn: time.Hour, Send: func(_ context.Context, b breakwater.Batch) error {
				events += b.Events
				text, err := json.Marshal(b)
				if len(b.Windows) == 1 {
					mine = append(mine, text)
				}
				return err
			}}
			if _, err := sensor.Run(t.Context(), shifted(source.Packets(), time.Duration(r)*700*time.Second)); err != nil {
				t.Fatal(err)
			}
			source.Close()
		}
		lines = append(lines, mine)
	}
	return lines, events
}

// spent is CPU time by who spent it, in seconds.
type spent map[string]float64

// cpu is what was spent so far: by the nodes, the broker, PostgreSQL and this test.
func cpu(on kafkatest.Cluster, nodes []int) spent {
	s := spent{}
	postmaster := 0 // whose children do the work
	if text, err := os.ReadFile(filepath.Join(os.Getenv("BREAKWATER_TEST_POSTGRES"), "postmaster.pid")); err == nil {
		first, _, _ := strings.Cut(string(text), "\n")
		postmaster, _ = strconv.Atoi(first)
	}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		pid, _ := strconv.Atoi(filepath.Base(folder))
		who := ""
		switch {
		case pid == os.Getpid():
			who = "sender"
		case pid == on.PID():
			who = "Kafka"
		case pid == postmaster || postmaster > 0 && fields[1] == strconv.Itoa(postmaster):
			who = "PostgreSQL"
		}
		for _, node := range nodes {
			if pid == node {
				who = "nodes"
			}
		}
		if who != "" {
			s[who] += (user + system) / 100
		}
	}
	return s
}

// since says what was spent, and how many things that makes in a second of one core's whole time, which other work on the
// machine hardly changes.
func (s spent) since(before spent, things int64) string {
	var b strings.Builder
	total := 0.0
	for _, who := range []string{"nodes", "PostgreSQL", "Kafka", "sender"} {
		fmt.Fprintf(&b, "%s %.1f s, ", who, s[who]-before[who])
		total += s[who] - before[who]
	}
	return fmt.Sprintf("%s%.0f in a second of a core", b.String(), float64(things)/total)
}
