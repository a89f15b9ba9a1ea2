package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"breakwater"
)

// The inverted index of alerts, in table alert_terms.
//
//	alert ─► place (0, 1, 2 … in order of saving)
//	      └► terms: "shigh" "unew" "fplant-1" "tT0846" "d2026-03-01" "w00sc" …  ─► term × block of 4096 places ─► which of them
//
// Filters, search, totals and statistics are sets of places, united, cut and counted: exact, in the same way on both
// engines, and at a cost that hardly depends on what is asked. A million alerts are 245 blocks; a set of them is 125 kB
// and a term's part of a block at most 512 bytes. Plain indexes would have to read a row for each alert that is
// counted, and the engines' own indexes of text cannot agree on what a word is.
//
// Whoever changes an alert changes the index in the same transaction, through saveAlerts, and whoever removes one, through
// dropAlerts; its place stays empty. On PostgreSQL the row of
// alert_places is locked from before the first change to the end of the transaction: what changes the index takes
// turns. It is locked after the rows of facilities, never before.

const (
	blockSize  = 4096
	blockWords = blockSize / 64
	blockBytes = blockSize / 8
)

// The kinds of term, their first byte.
const (
	termAssignee  = 'a'
	termDay       = 'd' // of timestamp, as 2026-03-01
	termHour      = 'h' // of timestamp, as 2026-03-01T08
	termLastDay   = 'D' // of last_seen
	termLastHour  = 'H'
	termFacility  = 'f'
	termMuted     = 'm' // 0 or 1
	termSeverity  = 's'
	termTechnique = 't'
	termStatus    = 'u'
	termWord      = 'w'
)

const (
	termDayLayout  = "2006-01-02"
	termHourLayout = "2006-01-02T15"
	afterEveryTime = ":" // sorts behind the digits of a time term
)

// terms are what an alert is found by, sorted, each once.
func terms(a *breakwater.Alert) []string {
	set := map[string]bool{}
	add := func(kind byte, text string) { set[string(kind)+text] = true }
	add(termFacility, a.FacilityID)
	add(termSeverity, string(a.Severity))
	add(termStatus, string(a.Status))
	add(termAssignee, a.Assignee)
	add(termMuted, mutedTerm(a.Muted))
	for _, t := range a.Techniques {
		add(termTechnique, t)
	}
	began, last := a.Timestamp.UTC(), a.LastSeen.UTC()
	add(termDay, began.Format(termDayLayout))
	add(termHour, began.Format(termHourLayout))
	add(termLastDay, last.Format(termDayLayout))
	add(termLastHour, last.Format(termHourLayout))
	words := map[string]bool{}
	for _, text := range []string{a.Title, a.Description} {
		eachWord(text, func(w string) {
			if len(words) < wordsMax && !words[w] {
				words[w] = true
				wordTerms(w, func(term string) { set[term] = true })
			}
		})
	}
	return slices.Sorted(maps.Keys(set))
}

func mutedTerm(muted bool) string {
	if muted {
		return "1"
	}
	return "0"
}

// places is a set of alerts: bit n is the alert of place n.
type places []uint64

// newPlaces is an empty set for so many places, in whole blocks.
func newPlaces(n int) places { return make(places, (n+blockSize-1)/blockSize*blockWords) }

func (p places) has(place int) bool { return p[place/64]>>(place%64)&1 == 1 }

func (p places) count() int {
	n := 0
	for _, w := range p {
		n += bits.OnesCount64(w)
	}
	return n
}

// and keeps what is in both.
func (p places) and(o places) {
	for i := range p {
		p[i] &= o[i]
	}
}

// list is the places of the set, in order.
func (p places) list() []int {
	all := []int{}
	for i, w := range p {
		for ; w != 0; w &= w - 1 {
			all = append(all, i*64+bits.TrailingZeros64(w))
		}
	}
	return all
}

// block is the part of the set that lies in a block; nil where the set ends before it.
func (p places) block(n int) []uint64 {
	if (n+1)*blockWords > len(p) {
		return nil
	}
	return p[n*blockWords : (n+1)*blockWords]
}

// unpackBlock adds the places of a packed block.
func unpackBlock(into []uint64, packed []byte) {
	if len(packed) == blockBytes {
		for i := range into {
			into[i] |= binary.LittleEndian.Uint64(packed[i*8:])
		}
		return
	}
	for ; len(packed) >= 2; packed = packed[2:] {
		n := binary.LittleEndian.Uint16(packed) % blockSize
		into[n/64] |= 1 << (n % 64)
	}
}

// packBlock is a block as it is kept: as numbers while these take less.
func packBlock(block []uint64) []byte {
	n := places(block).count()
	if n*2 >= blockBytes {
		packed := make([]byte, 0, blockBytes)
		for _, w := range block {
			packed = binary.LittleEndian.AppendUint64(packed, w)
		}
		return packed
	}
	packed := make([]byte, 0, n*2)
	for _, place := range places(block).list() {
		packed = binary.LittleEndian.AppendUint16(packed, uint16(place))
	}
	return packed
}

// countIn is how many places of a packed block are in the set's block.
func countIn(set []uint64, packed []byte) int {
	n := 0
	if len(packed) == blockBytes {
		for i, w := range set {
			n += bits.OnesCount64(w & binary.LittleEndian.Uint64(packed[i*8:]))
		}
		return n
	}
	for ; len(packed) >= 2; packed = packed[2:] {
		at := binary.LittleEndian.Uint16(packed) % blockSize
		n += int(set[at/64] >> (at % 64) & 1)
	}
	return n
}

// extent is how many places are given out, and how many alerts there are in them.
type extent struct{ places, alerts int }

func extentOf(ctx context.Context, tx *sql.Tx) (e extent, err error) {
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(places), 0), coalesce(max(alerts), 0) FROM alert_places`).Scan(&e.places, &e.alerts)
	return e, err
}

// takePlaces gives out n places, of which it returns the first, and locks the index until the transaction ends.
func takePlaces(ctx context.Context, tx *sql.Tx, n int) (first int, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO alert_places (id, places, alerts) VALUES (1, $1, $1)
		ON CONFLICT (id) DO UPDATE SET places = alert_places.places + excluded.places, alerts = alert_places.alerts + excluded.alerts
		RETURNING places`, n).Scan(&first)
	return first - n, err
}

// dropAlerts takes alerts out of the index, whose facilities are locked; their rows are the caller's to remove, in the same
// transaction.
func dropAlerts(ctx context.Context, tx *sql.Tx, rows []alertRow) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := takePlaces(ctx, tx, 0); err != nil { // which locks the index
		return err
	}
	changes, dropped := make([]reindexed, 0, len(rows)), 0
	for i := range rows {
		if r := &rows[i]; r.place.Valid {
			changes = append(changes, reindexed{place: int(r.place.Int64), before: terms(&r.Alert)})
			dropped++
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE alert_places SET alerts = alerts - $1`, dropped); err != nil {
		return err
	}
	return updateIndex(ctx, tx, changes)
}

// add unites the set with all terms that a condition selects.
func (p places) add(ctx context.Context, tx *sql.Tx, where string, args ...any) error {
	rows, err := tx.QueryContext(ctx, `SELECT block, bits FROM alert_terms WHERE `+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var block int
	var packed sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&block, &packed); err != nil {
			return err
		}
		if into := p.block(block); into != nil {
			unpackBlock(into, packed)
		}
	}
	return rows.Err()
}

// addRange unites the set with the terms from the first up to the second.
func (p places) addRange(ctx context.Context, tx *sql.Tx, from, to string) error {
	return p.add(ctx, tx, `term >= $1 AND term < $2`, from, to)
}

// tally counts, for each term from the first up to the second, the places of the set that have it, those with none left
// out, and gives the term's text, without its kind, in order.
func (p places) tally(ctx context.Context, tx *sql.Tx, from, to string, give func(text string, n int)) error {
	rows, err := tx.QueryContext(ctx, `SELECT term, block, bits FROM alert_terms WHERE term >= $1 AND term < $2 ORDER BY term`, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	var term, packed sql.RawBytes
	var block, n int
	current := ""
	for rows.Next() {
		if err := rows.Scan(&term, &block, &packed); err != nil {
			return err
		}
		if string(term) != current {
			if n > 0 {
				give(current[1:], n)
			}
			current, n = string(term), 0
		}
		if set := p.block(block); set != nil {
			n += countIn(set, packed)
		}
	}
	if n > 0 {
		give(current[1:], n)
	}
	return rows.Err()
}

// tallyKind is tally of all terms of a kind.
func (p places) tallyKind(ctx context.Context, tx *sql.Tx, kind byte, give func(text string, n int)) error {
	return p.tally(ctx, tx, string(kind), string(kind+1), give)
}

// reindexed is one alert whose terms change; both lists are sorted.
type reindexed struct {
	place         int
	before, after []string
}

// updateIndex brings the index to what alerts are now. The index must be locked, by takePlaces.
func updateIndex(ctx context.Context, tx *sql.Tx, changes []reindexed) error {
	type flip struct {
		place int
		set   bool
	}
	blocks := map[int]map[string][]flip{}
	note := func(term string, place int, set bool) {
		block := blocks[place/blockSize]
		if block == nil {
			block = map[string][]flip{}
			blocks[place/blockSize] = block
		}
		block[term] = append(block[term], flip{place % blockSize, set})
	}
	for _, c := range changes {
		for _, term := range c.before {
			if _, stays := slices.BinarySearch(c.after, term); !stays {
				note(term, c.place, false)
			}
		}
		for _, term := range c.after {
			if _, was := slices.BinarySearch(c.before, term); !was {
				note(term, c.place, true)
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(blocks)) {
		flips := blocks[n]
		var rows []any // term, block, bits of each that is written
		for some := range slices.Chunk(slices.Sorted(maps.Keys(flips)), 512) {
			sets, err := readTerms(ctx, tx, n, some)
			if err != nil {
				return err
			}
			for _, term := range some {
				set := sets[term]
				if set == nil {
					set = make([]uint64, blockWords)
				}
				for _, f := range flips[term] {
					if bit := uint64(1) << (f.place % 64); f.set {
						set[f.place/64] |= bit
					} else {
						set[f.place/64] &^= bit
					}
				}
				if packed := packBlock(set); len(packed) > 0 {
					rows = append(rows, term, n, packed)
				} else if _, err := tx.ExecContext(ctx, `DELETE FROM alert_terms WHERE term = $1 AND block = $2`, term, n); err != nil {
					return err
				}
			}
		}
		if err := writeTerms(ctx, tx, rows); err != nil {
			return err
		}
	}
	return nil
}

// readTerms is what one block holds of some terms.
func readTerms(ctx context.Context, tx *sql.Tx, block int, some []string) (map[string][]uint64, error) {
	args := []any{block}
	rows, err := tx.QueryContext(ctx, `SELECT term, bits FROM alert_terms WHERE block = $1`+in(&args, "term", padded(some)), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sets := make(map[string][]uint64, len(some))
	for rows.Next() {
		var term string
		var packed sql.RawBytes
		if err := rows.Scan(&term, &packed); err != nil {
			return nil, err
		}
		sets[term] = make([]uint64, blockWords)
		unpackBlock(sets[term], packed)
	}
	return sets, rows.Err()
}

// writeTerms writes rows of (term, block, bits), many with each statement. Their number is a power of two, so that an
// engine that remembers statements need not remember many.
func writeTerms(ctx context.Context, tx *sql.Tx, rows []any) error {
	for len(rows) > 0 {
		n := min(256, 1<<(bits.Len(uint(len(rows)/3))-1))
		var values strings.Builder
		for i := range n {
			if i > 0 {
				values.WriteString(", ")
			}
			fmt.Fprintf(&values, "($%d, $%d, $%d)", i*3+1, i*3+2, i*3+3)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO alert_terms (term, block, bits) VALUES `+values.String()+
			` ON CONFLICT (term, block) DO UPDATE SET bits = excluded.bits`, rows[:n*3]...); err != nil {
			return err
		}
		rows = rows[n*3:]
	}
	return nil
}

// padded repeats the last value until their number is a power of two, for conditions of the form x IN (…).
func padded[T any](values []T) []T {
	n := len(values)
	if n == 0 {
		return values
	}
	values = slices.Clip(values)
	for len(values)&(len(values)-1) != 0 {
		values = append(values, values[n-1])
	}
	return values
}

// timeTerms are where the terms of times from the first up to the second lie; a zero time is open.
func timeTerms(kind byte, layout string, from, to time.Time) (string, string) {
	begin, end := "", afterEveryTime
	if !from.IsZero() {
		begin = from.UTC().Format(layout)
	}
	if !to.IsZero() {
		end = to.UTC().Format(layout)
	}
	return string(kind) + begin, string(kind) + end
}
