package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"breakwater"
)

// Incidents are kept as they come about, so that a list need not connect alerts: breakwater.Incident says what connects
// them. Each alert has the id of its incident, its own where it stands alone, and attacker_spells the clients' spells,
// which carry the incident too; table incidents has a row for each of two or more alerts. What connects two incidents
// makes them the one of the lower id. All of it happens in the transaction that saves the alert, while its facility is
// locked.

// attackerSpell is a run of detections that name one client.
type attackerSpell struct {
	client   netip.Addr
	from, to time.Time
}

// saw notes detections of an alert, in order of time, that name a client.
func (r *alertRow) saw(client netip.Addr, from, to time.Time) {
	if !client.IsValid() {
		return
	}
	for i := range r.seen {
		s := &r.seen[i]
		if s.client == client && from.Sub(s.to) <= breakwater.IncidentGap && s.from.Sub(to) <= breakwater.IncidentGap {
			if from.Before(s.from) {
				s.from = from
			}
			if to.After(s.to) {
				s.to = to
			}
			return
		}
	}
	r.seen = append(r.seen, attackerSpell{client, from, to})
}

// linkIncidents connects alerts that were just saved with what they belong to.
func linkIncidents(ctx context.Context, tx *sql.Tx, rows []*alertRow) error {
	moved := map[breakwater.ID]breakwater.ID{} // incidents that became part of another in this call
	for _, r := range rows {
		for to, ok := moved[r.incident]; ok; to, ok = moved[r.incident] {
			r.incident = to
		}
		linked := map[breakwater.ID]bool{r.incident: true}
		for _, s := range r.seen {
			if err := linkSpell(ctx, tx, r, s, linked); err != nil {
				return err
			}
		}
		// Its asset may be one who attacks others.
		err := incidentsOf(ctx, tx, linked, `SELECT DISTINCT incident_id FROM attacker_spells
			WHERE facility_id = $1 AND client = $2 AND last_seen >= $3 AND first_seen <= $4`,
			r.FacilityID, r.Asset, stamp(r.Timestamp), stamp(r.LastSeen.Add(breakwater.IncidentGap)))
		if err != nil {
			return err
		}
		if len(linked) == 1 {
			if _, err := tx.ExecContext(ctx, `UPDATE incidents SET last_seen = $2 WHERE id = $1 AND last_seen < $2`,
				idText(r.incident), stamp(r.LastSeen)); err != nil {
				return err
			}
			continue
		}
		if err := uniteIncidents(ctx, tx, r, linked, moved); err != nil {
			return err
		}
	}
	return nil
}

// linkSpell takes detections of an alert into the spells of their client, and finds the incidents that this touches:
// those of the spells, and those of alerts whose asset the client is.
func linkSpell(ctx context.Context, tx *sql.Tx, r *alertRow, s attackerSpell, linked map[breakwater.ID]bool) error {
	type spell struct {
		from, to string
		incident breakwater.ID
	}
	before, after := stamp(s.from.Add(-breakwater.IncidentGap)), stamp(s.to.Add(breakwater.IncidentGap))
	client := s.client.String()
	old, err := many(ctx, tx, func(o *spell, scan func(...any) error) error {
		return scan(&o.from, &o.to, (*idText)(&o.incident))
	}, `SELECT first_seen, last_seen, incident_id FROM attacker_spells
		WHERE facility_id = $1 AND client = $2 AND last_seen >= $3 AND first_seen <= $4 ORDER BY first_seen`, r.FacilityID, client, before, after)
	if err != nil {
		return err
	}
	whole := spell{stampText(s.from), stampText(s.to), r.incident}
	for _, o := range old {
		whole.from, whole.to = min(whole.from, o.from), max(whole.to, o.to)
		linked[o.incident] = true
	}
	if len(old) != 1 || old[0].from != whole.from || old[0].to != whole.to {
		for _, o := range old {
			if _, err := tx.ExecContext(ctx, `DELETE FROM attacker_spells WHERE facility_id = $1 AND client = $2 AND first_seen = $3`,
				r.FacilityID, client, o.from); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO attacker_spells (facility_id, client, first_seen, last_seen, incident_id)
			VALUES ($1, $2, $3, $4, $5)`, r.FacilityID, client, whole.from, whole.to, idText(r.incident)); err != nil {
			return err
		}
	}
	// Alerts within reach of the rest of the spell were found when that was saved.
	return incidentsOf(ctx, tx, linked, `SELECT DISTINCT incident_id FROM alerts
		WHERE facility_id = $1 AND asset = $2 AND last_seen >= $3 AND timestamp <= $4 AND incident_id IS NOT NULL`,
		r.FacilityID, client, before, stamp(s.to))
}

// stampText is a time as it is kept.
func stampText(t time.Time) string { return t.UTC().Format(stampLayout) }

func incidentsOf(ctx context.Context, tx *sql.Tx, into map[breakwater.ID]bool, query string, args ...any) error {
	ids, err := many(ctx, tx, func(id *breakwater.ID, scan func(...any) error) error { return scan((*idText)(id)) }, query, args...)
	for _, id := range ids {
		into[id] = true
	}
	return err
}

// uniteIncidents makes one incident of several, among them the alert's.
func uniteIncidents(ctx context.Context, tx *sql.Tx, r *alertRow, linked map[breakwater.ID]bool, moved map[breakwater.ID]breakwater.ID) error {
	ids := slices.SortedFunc(maps.Keys(linked), func(a, b breakwater.ID) int { return slices.Compare(a[:], b[:]) })
	// One that has no row is a lone alert.
	whole := breakwater.Incident{ID: ids[0], FirstSeen: r.Timestamp, LastSeen: r.LastSeen}
	for _, id := range ids {
		parts, err := selectIncidents(ctx, tx, "WHERE id = $1", idText(id))
		if err == nil && len(parts) == 0 {
			parts, err = many(ctx, tx, func(i *breakwater.Incident, scan func(...any) error) error {
				i.AlertCount = 1
				return scan((*stamp)(&i.FirstSeen), (*stamp)(&i.LastSeen))
			}, `SELECT timestamp, last_seen FROM alerts WHERE id = $1`, idText(id))
		}
		if err != nil {
			return err
		}
		for _, p := range parts {
			whole.AlertCount += p.AlertCount
			if p.FirstSeen.Before(whole.FirstSeen) {
				whole.FirstSeen = p.FirstSeen
			}
			if p.LastSeen.After(whole.LastSeen) {
				whole.LastSeen = p.LastSeen
			}
		}
	}
	for _, id := range ids[1:] {
		moved[id] = whole.ID
		for _, table := range []string{"alerts", "attacker_spells"} {
			if _, err := tx.ExecContext(ctx, `UPDATE `+table+` SET incident_id = $1 WHERE incident_id = $2`, idText(whole.ID), idText(id)); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM incidents WHERE id = $1`, idText(id)); err != nil {
			return err
		}
	}
	r.incident = whole.ID
	_, err := tx.ExecContext(ctx, `INSERT INTO incidents (id, facility_id, first_seen, last_seen, alerts) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET first_seen = excluded.first_seen, last_seen = excluded.last_seen, alerts = excluded.alerts`,
		idText(whole.ID), r.FacilityID, stamp(whole.FirstSeen), stamp(whole.LastSeen), whole.AlertCount)
	return err
}

// IncidentQuery asks for one page of incidents.
type IncidentQuery struct {
	Facilities []string  // none: any
	From, To   time.Time // active not before From, and before To; zero: open
	After      string    // Next of another page; "": the first
	Limit      int       // 1 to MaxPage
}

// IncidentPage is one page of incidents, those last seen first.
type IncidentPage struct {
	Incidents []breakwater.Incident
	Total     int    // on all pages
	Next      string // the cursor of what comes behind; "": nothing does
}

// Incidents lists incidents.
func (s *Store) Incidents(ctx context.Context, q IncidentQuery) (IncidentPage, error) {
	page := IncidentPage{Incidents: []breakwater.Incident{}}
	if err := checkPage(1, q.Limit); err != nil {
		return page, err
	}
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	where := "WHERE true" + in(&args, "facility_id", q.Facilities)
	if !q.From.IsZero() {
		where += " AND last_seen >= " + arg(stamp(q.From))
	}
	if !q.To.IsZero() {
		where += " AND first_seen < " + arg(stamp(q.To))
	}
	counted, countArgs := where, slices.Clone(args)
	if q.After != "" {
		at, id, err := readCursor(q.After)
		if err != nil {
			return page, err
		}
		where += " AND (last_seen, id) < (" + arg(at) + ", " + arg(idText(id)) + ")"
	}
	err := s.view(ctx, "listing incidents", func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM incidents "+counted, countArgs...).Scan(&page.Total); err != nil {
			return err
		}
		var err error
		page.Incidents, err = selectIncidents(ctx, tx, where+" ORDER BY last_seen DESC, id DESC LIMIT "+arg(q.Limit+1), args...)
		if len(page.Incidents) > q.Limit {
			page.Incidents = page.Incidents[:q.Limit]
			last := page.Incidents[q.Limit-1]
			page.Next = cursorAt(last.LastSeen, last.ID)
		}
		if err != nil {
			return err
		}
		return addParts(ctx, tx, page.Incidents)
	})
	return page, err
}

// cursorAt is the cursor of what comes behind a time and id, and readCursor gives them back.
func cursorAt(t time.Time, id breakwater.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(stampText(t) + " " + id.String()))
}

func readCursor(cursor string) (at string, id breakwater.ID, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	at, idText, _ := strings.Cut(string(text), " ")
	if err == nil {
		_, err = time.Parse(stampLayout, at)
	}
	if err == nil {
		id, err = breakwater.ParseID(idText)
	}
	if err != nil {
		err = &breakwater.Error{Kind: breakwater.Invalid, Field: "cursor", Message: "cursor is not a next_cursor that this server gave: begin with the first page"}
	}
	return at, id, err
}

// MaxIncidentAlerts is the most alerts that one incident is shown with.
const MaxIncidentAlerts = 1000

// Incident is the incident that an alert belongs to, with its alerts in order of time, without History: the first
// MaxIncidentAlerts. The error is of kind NotFound where there is no such alert, or it stands alone.
func (s *Store) Incident(ctx context.Context, alert breakwater.ID) (*breakwater.Incident, []breakwater.Alert, error) {
	var incident breakwater.Incident
	alerts := []breakwater.Alert{}
	err := s.view(ctx, "reading incident "+alert.String(), func(tx *sql.Tx) error {
		found, err := selectIncidents(ctx, tx, "WHERE id = (SELECT incident_id FROM alerts WHERE id = $1)", idText(alert))
		if err == nil && len(found) == 0 {
			err = &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: "there is no incident " + alert.String() + ": one has at least two alerts"}
		}
		if err != nil {
			return err
		}
		if err := addParts(ctx, tx, found); err != nil {
			return err
		}
		incident = found[0]
		rows, err := selectAlerts(ctx, tx, "WHERE incident_id = $1 ORDER BY timestamp, id LIMIT $2", idText(incident.ID), MaxIncidentAlerts)
		for i := range rows {
			alerts = append(alerts, rows[i].Alert)
		}
		return err
	})
	return &incident, alerts, err
}

func selectIncidents(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Incident, error) {
	return many(ctx, tx, func(i *breakwater.Incident, scan func(...any) error) error {
		return scan((*idText)(&i.ID), &i.FacilityID, (*stamp)(&i.FirstSeen), (*stamp)(&i.LastSeen), &i.AlertCount)
	}, `SELECT id, facility_id, first_seen, last_seen, alerts FROM incidents `+where, args...)
}

// addParts reads what follows from an incident's alerts and spells.
func addParts(ctx context.Context, tx *sql.Tx, incidents []breakwater.Incident) error {
	if len(incidents) == 0 {
		return nil
	}
	at := make(map[breakwater.ID]*breakwater.Incident, len(incidents))
	ids := make([]string, len(incidents))
	for i := range incidents {
		n := &incidents[i]
		n.Attackers, n.Assets, n.Techniques = []string{}, []string{}, []string{}
		at[n.ID], ids[i] = n, n.ID.String()
	}
	add := func(list *[]string, value string) {
		if len(*list) < breakwater.IncidentListMax && !slices.Contains(*list, value) {
			*list = append(*list, value)
		}
	}
	type part struct {
		incident   breakwater.ID
		asset      string
		severity   breakwater.Severity
		techniques []string
		n, open    int
	}
	var args []any
	parts, err := many(ctx, tx, func(p *part, scan func(...any) error) error {
		var first string
		return scan((*idText)(&p.incident), &p.asset, &p.severity, jsonText{&p.techniques}, &p.n, &p.open, &first)
	}, `SELECT incident_id, asset, severity, CAST(techniques AS text), count(*), count(*) FILTER (WHERE status IN ('new', 'acknowledged')), min(timestamp) AS first
		FROM alerts WHERE true`+in(&args, "incident_id", padded(ids))+`
		GROUP BY incident_id, asset, severity, CAST(techniques AS text) ORDER BY first, asset`, args...)
	if err != nil {
		return err
	}
	for _, p := range parts {
		n := at[p.incident]
		n.Unresolved += p.open
		if p.severity.Rank() > n.Severity.Rank() {
			n.Severity = p.severity
		}
		add(&n.Assets, p.asset)
		for _, t := range p.techniques {
			add(&n.Techniques, t)
		}
	}
	type spell struct {
		incident breakwater.ID
		client   string
	}
	args = nil
	spells, err := many(ctx, tx, func(s *spell, scan func(...any) error) error {
		return scan((*idText)(&s.incident), &s.client)
	}, `SELECT incident_id, client FROM attacker_spells WHERE true`+in(&args, "incident_id", padded(ids))+` ORDER BY first_seen, client`, args...)
	for _, s := range spells {
		add(&at[s.incident].Attackers, s.client)
	}
	return err
}
