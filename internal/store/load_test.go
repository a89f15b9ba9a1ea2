package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"breakwater"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// sample makes alerts as a dozen plants would have them: of some rules, some hundred devices and a few attackers, old
// ones mostly closed, new ones mostly open.
type sample struct {
	random *rand.Rand
	from   time.Time
	length time.Duration
	n      int
}

var sampleRules = []struct {
	model, title, evidence, technique, name string
	severity                                breakwater.Severity
	layer                                   int
}{
	{"port-scan", "Port scan of %[2]s", "%[1]s tried %[3]d ports of %[2]s in %[4]d s.", "T0846", "Remote System Discovery", breakwater.High, 1},
	{"write-from-new-host", "Write to PLC %[2]s from a host that never wrote", "%[1]s (new here) wrote coils %[4]d-%[3]d of PLC %[2]s, which only 10.0.0.2 wrote before.", "T0855", "Unauthorized Command Message", breakwater.Critical, 2},
	{"new-talker-pair", "New connection from %[1]s to %[2]s, modbus (502)", "%[1]s talks modbus (502) with %[2]s; these two never did while the plant's normal traffic was learned.", "T0886", "Remote Services", breakwater.Medium, 1},
	{"new-device", "New device %[1]s", "%[1]s with MAC 02:00:0a:%02[4]x:%02[3]x:57 sends on this network and was never seen before.", "T0848", "Rogue Master", breakwater.Medium, 1},
	{"exception-storm", "Exceptions of PLC %[2]s", "PLC %[2]s refused %[3]d requests of %[1]s in %[4]d s.", "T0814", "Denial of Service", breakwater.Medium, 1},
	{"new-function", "%[1]s uses function %[3]d for the first time", "%[1]s asked %[2]s for diagnostics by function %[3]d; this host never used that function on any device.", "T0869", "Standard Application Layer Protocol", breakwater.Low, 1},
	{"flood", "Flood of packets", "%[3]d packets in %[4]d s, most of them from %[1]s to %[2]s.", "T0814", "Denial of Service", breakwater.High, 1},
	{"write-burst", "Burst of writes to PLC %[2]s", "%[1]s wrote %[3]d times to PLC %[2]s within %[4]d s.", "T0806", "Brute Force I/O", breakwater.High, 2},
	{"arp-spoofing", "Address %[2]s is claimed by another", "%[1]s claims the address %[2]s, %[3]d times in %[4]d s.", "T0830", "Adversary-in-the-Middle", breakwater.High, 1},
	{"malformed-message", "Malformed modbus from %[1]s", "%[1]s sent malformed modbus in a conversation with %[2]s: length %[3]d.", "T0866", "Exploitation of Remote Services", breakwater.Low, 1},
	{"isolation-forest", "Unusual second", "A second with %[3]d packets between %[1]s and %[2]s is unlike those of %[4]d s before.", "", "", breakwater.Low, 1},
}

// alert is the i-th alert, in order of time.
func (s *sample) alert(i int) *alertRow {
	r := s.random
	at := s.from.Add(time.Duration(float64(s.length) * float64(i) / float64(s.n))).Add(time.Duration(r.IntN(1000)))
	facility := fmt.Sprintf("plant-%02d", min(r.IntN(12), r.IntN(16)))
	hour := int(at.Unix() / 3600)
	client := netip.AddrFrom4([4]byte{10, byte(len(facility)), byte(hour % 7), byte(50 + hour%90)}) // the attacker of this hour
	if r.IntN(3) > 0 {
		client = netip.AddrFrom4([4]byte{10, 1, byte(r.IntN(8)), byte(1 + r.IntN(250))})
	}
	server := netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(4)), byte(10 + r.IntN(60))})
	var a *breakwater.Alert
	for k := range 1 + r.IntN(5)/3 { // one source, or two
		rule := sampleRules[min(r.IntN(len(sampleRules)), r.IntN(len(sampleRules)))]
		args := []any{client, server, 2 + r.IntN(900), 1 + r.IntN(60)}
		title := fmt.Sprintf(rule.title+"%.0[4]s%.0[3]s%.0[2]s%.0[1]s", args...)
		evidence := fmt.Sprintf(rule.evidence+"%.0[4]s%.0[3]s%.0[2]s%.0[1]s", args...)
		d := breakwater.Detection{FacilityID: facility, Time: at.Add(time.Duration(k) * time.Duration(r.IntN(250)) * time.Second), Layer: rule.layer, Model: rule.model, Asset: server.String(),
			Severity: rule.severity, Confidence: float64(r.IntN(100)) / 100, Technique: rule.technique, TechniqueName: rule.name,
			Title: title, Evidence: evidence, LookAt: "See what else this host talks to, and who uses it today.", Count: 1 + r.IntN(9),
			Talk: breakwater.Conversation{Client: client, Server: server, Protocol: breakwater.Modbus, Port: 502}}
		if a == nil {
			a = breakwater.NewAlert(d)
		} else if !a.Absorb(d) {
			continue
		}
		a.Mark(d, r.IntN(30) == 0)
	}
	a.ContextAnalysis = "42 packets/s, usually 21, of 3 protocols between 4 hosts in the 60 s before."
	a.Version = 1
	if old := float64(i)/float64(s.n) < .9; old == (r.IntN(10) > 0) { // old ones closed, new ones open, one in ten the other way
		a.Status = []breakwater.Status{breakwater.StatusResolved, breakwater.StatusResolved, breakwater.StatusFalsePositive}[r.IntN(3)]
	} else if r.IntN(3) == 0 {
		a.Status = breakwater.StatusAcknowledged
	}
	if a.Status != breakwater.StatusNew {
		a.Assignee = []string{"", "ada", "grace", "hedy", "radia"}[r.IntN(5)]
		a.Version++
	}
	row := &alertRow{Alert: *a, incident: a.ID}
	row.saw(client, a.Timestamp, a.LastSeen)
	return row
}

// bulkAlert and the others are the columns that the loader writes.
var bulkColumns = map[string][]string{
	"alerts": {"id", "facility_id", "asset", "timestamp", "last_seen", "severity", "status", "title", "description", "attack_type", "attack_name", "techniques",
		"correlation_confidence", "correlation_summary", "context_analysis", "assignee", "count", "version", "muted", "place", "incident_id"},
	"alert_sources": {"alert_id", "position", "layer", "model_name", "severity", "confidence", "technique", "technique_name", "title", "evidence", "look_at",
		"detection_time", "counted_until", "count", "muted", "conversation"},
	"alert_events": {"alert_id", "position", "time", "kind", "author", "text"},
	"alert_terms":  {"term", "block", "bits"},
}

// load fills an empty database with n alerts, past the way of the data, which would take an hour for a million. What it
// writes is what saveAlerts would have written, but for the incidents: each alert stands alone.
func load(t testing.TB, s *Store, n int, from time.Time, length time.Duration) {
	t.Helper()
	ctx := context.Background()
	g := &sample{random: rand.New(rand.NewPCG(1, 2)), from: from, length: length, n: n}
	write := bulkWriter(t, s)
	index := map[string][]uint32{}
	facilities := map[string]bool{}
	batch := map[string][][]any{}
	flush := func(least int) {
		for _, table := range []string{"alerts", "alert_sources", "alert_events", "alert_terms"} {
			if len(batch[table]) > least {
				write(table, batch[table])
				batch[table] = batch[table][:0]
			}
		}
	}
	for i := range n {
		a := g.alert(i)
		if !facilities[a.FacilityID] {
			facilities[a.FacilityID] = true
			if _, err := s.write.Exec(`INSERT INTO facilities (id, last_seen) VALUES ($1, $2)`, a.FacilityID, stamp(from.Add(length))); err != nil {
				t.Fatal(err)
			}
		}
		for _, term := range terms(&a.Alert) {
			index[term] = append(index[term], uint32(i))
		}
		batch["alerts"] = append(batch["alerts"], []any{idText(a.ID), a.FacilityID, a.Asset, stamp(a.Timestamp), stamp(a.LastSeen), string(a.Severity), string(a.Status),
			a.Title, a.Description, a.AttackType, a.AttackName, jsonText{a.Techniques}, a.Confidence, a.Summary, a.ContextAnalysis, a.Assignee, a.Count, a.Version, a.Muted, i, idText(a.incident)})
		for k, src := range a.Sources {
			batch["alert_sources"] = append(batch["alert_sources"], []any{idText(a.ID), k, src.Layer, src.Model, string(src.Severity), src.Confidence, src.Technique, src.TechniqueName,
				src.Title, src.Evidence, src.LookAt, stamp(src.DetectedAt), stamp(src.CountedUntil), src.Count, src.Muted, jsonText{src.Talk}})
		}
		for k, e := range a.History {
			batch["alert_events"] = append(batch["alert_events"], []any{idText(a.ID), k, stamp(e.Time), e.Kind, e.By, e.Text})
		}
		if i%10_000 == 9_999 {
			flush(0)
		}
	}
	for _, term := range slices.Sorted(maps.Keys(index)) {
		for places := index[term]; len(places) > 0; {
			block := int(places[0] / blockSize)
			set := make([]uint64, blockWords)
			for len(places) > 0 && int(places[0]/blockSize) == block {
				set[places[0]%blockSize/64] |= 1 << (places[0] % 64)
				places = places[1:]
			}
			batch["alert_terms"] = append(batch["alert_terms"], []any{term, block, packBlock(set)})
		}
		flush(10_000)
	}
	flush(0)
	if _, err := s.write.Exec(`INSERT INTO alert_places (id, places, alerts) VALUES (1, $1, $1)`, n); err != nil {
		t.Fatal(err)
	}
	statement := "VACUUM ANALYZE"
	if s.Embedded() {
		statement = "ANALYZE"
	}
	if _, err := s.write.ExecContext(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// bulkWriter writes rows of a table as fast as the engine can.
func bulkWriter(t testing.TB, s *Store) func(table string, rows [][]any) {
	ctx := context.Background()
	if !s.Embedded() {
		return func(table string, rows [][]any) {
			conn, err := s.write.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			err = conn.Raw(func(driver any) error {
				_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, bulkColumns[table], pgx.CopyFromRows(rows))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.write.Exec("PRAGMA cache_size = -400000"); err != nil {
		t.Fatal(err)
	}
	return func(table string, rows [][]any) {
		err := s.change(ctx, "loading", func(tx *sql.Tx) error {
			columns := bulkColumns[table]
			insert, err := tx.Prepare("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (" + marks(0, len(columns)) + ")")
			if err != nil {
				return err
			}
			defer insert.Close()
			for _, row := range rows {
				if _, err := insert.Exec(row...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// saveRows saves alerts as SaveBatch does.
func saveRows(t testing.TB, s *Store, rows []*alertRow) {
	t.Helper()
	err := s.change(context.Background(), "saving", func(tx *sql.Tx) error {
		for _, r := range rows {
			if err := saveFacility(context.Background(), tx, r.FacilityID, r.LastSeen); err != nil {
				return err
			}
		}
		return saveAlerts(context.Background(), tx, rows)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readAll is every alert with its sources, in order of place.
func readAll(s *Store) (rows []alertRow, err error) {
	err = s.view(context.Background(), "reading all alerts", func(tx *sql.Tx) (err error) {
		rows, err = selectAlerts(context.Background(), tx, "WHERE true ORDER BY place")
		return err
	})
	return rows, err
}

// readIndex is the whole index: the places of each term, in order.
func readIndex(s *Store) (map[string][]int, error) {
	index := map[string][]int{}
	rows, err := s.read.Query(`SELECT term, block, bits FROM alert_terms ORDER BY term, block`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var term string
		var block int
		var packed []byte
		if err := rows.Scan(&term, &block, &packed); err != nil {
			return nil, err
		}
		set := make([]uint64, blockWords)
		unpackBlock(set, packed)
		for _, place := range places(set).list() {
			index[term] = append(index[term], block*blockSize+place)
		}
	}
	return index, rows.Err()
}

// reported is an alert that a detector outside reports.
func reported(facility, externalID string, at time.Time) breakwater.Alert {
	r := breakwater.Report{FacilityID: facility, Asset: "10.0.0.11", Severity: breakwater.Medium, Title: "Firmware changed", Description: "Checksum 9a03 in place of 64b9.",
		AttackType: "T0839", AttackName: "Module Firmware", ExternalID: externalID,
		Sources: []breakwater.Source{{Layer: 2, Model: "firmware-watch", Confidence: .8, DetectedAt: at, Evidence: "Checksum 9a03."}}}
	a, err := r.Alert()
	if err != nil {
		panic(err) // of this file
	}
	return *a
}
