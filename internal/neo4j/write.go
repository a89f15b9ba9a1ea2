package neo4j

import (
	"context"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/attack"
)

// rows are what a statement is carried out for, one after the other.
type rows = []map[string]any

// begin empties what a copy has of alerts and predictions and makes ready to write; the catalogue stays. It is not
// followed before Mark has named it.
func (s *server) begin(ctx context.Context) error {
	for _, of := range []string{"Attack", "Technique", "Facility", "Alert", "Prediction"} {
		if err := s.write(ctx, "making ready", statement{cypher: `CREATE CONSTRAINT breakwater_` + strings.ToLower(of) + ` IF NOT EXISTS FOR (n:` + of + `) REQUIRE n.id IS UNIQUE`}); err != nil {
			return err
		}
	}
	for _, cypher := range []string{
		`CREATE INDEX breakwater_prediction_status IF NOT EXISTS FOR (p:Prediction) ON (p.status)`,
		`CREATE INDEX breakwater_showed IF NOT EXISTS FOR ()-[s:SHOWED]-() ON (s.facility, s.last_seen)`,
		`MATCH (b:Breakwater) DELETE b`,
	} {
		if err := s.write(ctx, "making ready", statement{cypher: cypher}); err != nil {
			return err
		}
	}
	for left := true; left; { // a part at a time: a transaction is kept in memory
		const clear = "emptying what was there"
		if err := s.write(ctx, clear, statement{cypher: `MATCH (n:Facility|Alert|Prediction) WITH n LIMIT 10000 DETACH DELETE n`}); err != nil {
			return err
		}
		found, err := s.read(ctx, clear, `MATCH (n:Facility|Alert|Prediction) RETURN 1 LIMIT 1`, nil)
		if err != nil {
			return err
		}
		left = len(found) > 0
	}
	return nil
}

// mark names the copy.
func (s *server) mark(ctx context.Context, graph string) error {
	return s.write(ctx, "naming it", statement{`MERGE (b:Breakwater) SET b.graph = $graph`, map[string]any{"graph": graph}})
}

// labels are the kinds of ATT&CK's objects as they are called here; each bears Attack too.
var labels = map[attack.Kind]string{attack.Technique: "Technique", attack.Tactic: "Tactic", attack.Campaign: "Campaign", attack.Group: "Group", attack.Software: "Software",
	attack.Mitigation: "Mitigation", attack.Asset: "Asset", attack.Strategy: "DetectionStrategy", attack.DataComponent: "DataComponent"}

// relations are its types of relation as they are called here.
var relations = map[string]string{attack.Uses: "USES", attack.Mitigates: "MITIGATES", attack.Targets: "TARGETS", attack.Detects: "DETECTS", attack.Needs: "NEEDS", attack.AttributedTo: "ATTRIBUTED_TO"}

// importAttack writes ATT&CK over what was there of it, in one transaction. What the catalogue does not have is gone
// afterwards, but for the bare ids of techniques that alerts or predictions name. digest names the catalogue for Marker.
func (s *server) importAttack(ctx context.Context, c *attack.Catalogue, digest string) error {
	objects := map[string]rows{}                                      // by label
	links := map[string]rows{"IN": nil, "PART_OF": nil, "MEANS": nil} // by type
	link := func(kind, from, to string) { links[kind] = append(links[kind], map[string]any{"from": from, "to": to}) }
	own := map[string]bool{}
	for _, o := range c.All() {
		own[o.ID] = true
	}
	place := 0
	for _, o := range c.All() {
		properties := map[string]any{"id": o.ID, "name": o.Name, "version": c.Version}
		for name, text := range map[string]string{"shortname": o.Shortname, "first": o.First, "last": o.Last, "text": o.Text} {
			if text != "" {
				properties[name] = text
			}
		}
		for name, list := range map[string][]string{"aliases": o.Aliases, "platforms": o.Platforms} {
			if len(list) > 0 {
				properties[name] = list
			}
		}
		if o.Since != "" {
			properties["version"] = o.Since
		}
		if o.Kind == attack.Tactic {
			place++
			properties["place"] = place
		}
		objects[labels[o.Kind]] = append(objects[labels[o.Kind]], properties)
		for _, tactic := range o.Tactics {
			link("IN", o.ID, tactic)
		}
		if parent := o.Parent(); own[parent] {
			link("PART_OF", o.ID, parent)
		}
		if o.Kind != attack.Technique {
			continue
		}
		for _, other := range o.OtherIDs { // an alert may name it by this one
			objects["Technique"] = append(objects["Technique"], map[string]any{"id": other, "name": o.Name, "version": c.Also})
			link("MEANS", other, o.ID)
		}
		if o.Since != "" {
			for _, id := range c.Meant(o.ID) {
				link("MEANS", o.ID, id)
			}
		}
	}
	for _, r := range c.Relations() {
		link(relations[r.Type], r.From, r.To)
	}
	var flows rows
	for _, f := range c.Flows() {
		for _, e := range f.Edges {
			flows = append(flows, map[string]any{"from": e[0], "to": e[1], "flow": f.Name})
		}
	}
	all := []statement{
		{cypher: `MATCH (:Attack)-[r]->(:Attack) DELETE r`},
		{cypher: `MATCH (o:Attack) WHERE NOT EXISTS { (o)<-[:SHOWED|AFTER|PREDICTED]-() } DETACH DELETE o`},
		{cypher: `MATCH (o:Attack) WITH o, o.id AS id REMOVE o:Attack SET o = {id: id}`},
	}
	for label, of := range objects {
		all = append(all, statement{`UNWIND $rows AS row MERGE (o:` + label + ` {id: row.id}) SET o = row, o:Attack`, map[string]any{"rows": of}})
	}
	for kind, of := range links {
		all = append(all, statement{`UNWIND $rows AS row MATCH (a:Attack {id: row.from}), (b:Attack {id: row.to}) MERGE (a)-[:` + kind + `]->(b)`, map[string]any{"rows": of}})
	}
	all = append(all,
		statement{`UNWIND $rows AS row MATCH (a:Attack {id: row.from}), (b:Attack {id: row.to}) MERGE (a)-[:LED_TO {flow: row.flow}]->(b)`, map[string]any{"rows": flows}},
		statement{`MERGE (b:Breakwater) SET b.catalogue = $digest, b.attack_version = $version`, map[string]any{"digest": digest, "version": c.Version}})
	return s.write(ctx, "writing ATT&CK into it", all...)
}

// bring brings alerts and predictions up to date, in one transaction. The same changes twice are the same as once, and a
// version older than what is there changes nothing.
func (s *server) bring(ctx context.Context, c attack.Changes) error {
	var alerts, shown, predictions, predicted rows
	for i := range c.Alerts {
		a := &c.Alerts[i]
		id, techniques := a.ID.String(), []string{}
		for _, x := range a.Shown {
			techniques = append(techniques, x.Technique)
			shown = append(shown, map[string]any{"id": id, "version": a.Version, "facility": a.FacilityID, "technique": x.Technique, "first": x.First.UTC(), "last": x.Last.UTC()})
		}
		alerts = append(alerts, map[string]any{"id": id, "version": a.Version, "facility": a.FacilityID, "techniques": techniques, "is": map[string]any{
			"version": a.Version, "timestamp": a.Timestamp.UTC(), "last_seen": a.LastSeen.UTC(), "asset": a.Asset, "severity": string(a.Severity), "status": string(a.Status),
			"title": a.Title, "count": a.Count, "muted": a.Muted, "assignee": a.Assignee}})
	}
	for i := range c.Predictions {
		p := &c.Predictions[i]
		id, techniques := p.ID.String(), []string{}
		for j := range p.Predicted {
			t := &p.Predicted[j]
			techniques = append(techniques, t.TechniqueID)
			predicted = append(predicted, map[string]any{"id": id, "version": p.Version, "technique": t.TechniqueID, "is": map[string]any{
				"rank": t.Rank, "probability": t.Probability, "until": p.Timestamp.Add(t.Within()).UTC(), "observed_at": orNullAt(t.ObservedAt), "observed_in": idOrNull(t.ObservedIn)}})
		}
		predictions = append(predictions, map[string]any{"id": id, "version": p.Version, "facility": p.FacilityID, "techniques": techniques, "current": p.Current, "is": map[string]any{
			"version": p.Version, "timestamp": p.Timestamp.UTC(), "source": p.Source, "status": string(p.Status), "expires_at": p.ExpiresAt.UTC(),
			"validation_time": orNullAt(p.ValidationTime), "alert_id": idOrNull(p.AlertID)}})
	}
	gone := make(rows, len(c.Gone))
	for i, id := range c.Gone {
		gone[i] = map[string]any{"id": id.String()}
	}
	// Each after the first of its kind finds the node only where it has just been brought to this version.
	return s.write(ctx, "writing what was seen and is awaited",
		statement{`UNWIND $rows AS row MATCH (a:Alert {id: row.id}) DETACH DELETE a`, map[string]any{"rows": gone}},
		statement{`UNWIND $rows AS row MATCH (p:Prediction {id: row.id}) DETACH DELETE p`, map[string]any{"rows": gone}},
		statement{`UNWIND $rows AS row MERGE (a:Alert {id: row.id}) WITH a, row WHERE coalesce(a.version, 0) <= row.version
			SET a += row.is MERGE (f:Facility {id: row.facility}) MERGE (f)-[:RAISED]->(a)`, map[string]any{"rows": alerts}},
		statement{`UNWIND $rows AS row MATCH (a:Alert {id: row.id})-[s:SHOWED]->(t) WHERE a.version = row.version AND NOT t.id IN row.techniques DELETE s`, map[string]any{"rows": alerts}},
		statement{`UNWIND $rows AS row MATCH (a:Alert {id: row.id}) WHERE a.version = row.version MERGE (t:Technique {id: row.technique})
			MERGE (a)-[s:SHOWED]->(t) SET s.facility = row.facility, s.first_seen = row.first, s.last_seen = row.last`, map[string]any{"rows": shown}},
		statement{`UNWIND $rows AS row MERGE (p:Prediction {id: row.id}) WITH p, row WHERE coalesce(p.version, 0) <= row.version
			SET p += row.is MERGE (f:Facility {id: row.facility}) MERGE (f)-[:EXPECTS]->(p)`, map[string]any{"rows": predictions}},
		statement{`UNWIND $rows AS row MATCH (p:Prediction {id: row.id})-[r:AFTER|PREDICTED]->(t) WHERE p.version = row.version
			AND (type(r) = 'AFTER' AND t.id <> row.current OR type(r) = 'PREDICTED' AND NOT t.id IN row.techniques) DELETE r`, map[string]any{"rows": predictions}},
		statement{`UNWIND $rows AS row MATCH (p:Prediction {id: row.id}) WHERE p.version = row.version MERGE (t:Technique {id: row.current})
			MERGE (p)-[:AFTER]->(t)`, map[string]any{"rows": predictions}},
		statement{`UNWIND $rows AS row MATCH (p:Prediction {id: row.id}) WHERE p.version = row.version MERGE (t:Technique {id: row.technique})
			MERGE (p)-[x:PREDICTED]->(t) SET x += row.is`, map[string]any{"rows": predicted}},
	)
}

// presences writes which facilities there are, all of them, and their newest data. Of others those that nothing hangs on go.
func (s *server) presences(ctx context.Context, all []attack.Presence) error {
	ids, facilities := make([]string, len(all)), make(rows, len(all))
	for i, p := range all {
		ids[i], facilities[i] = p.FacilityID, map[string]any{"id": p.FacilityID, "last_seen": orNull(p.LastSeen)}
	}
	return s.write(ctx, "writing which facilities there are",
		statement{`UNWIND $rows AS row MERGE (f:Facility {id: row.id}) SET f.last_seen = row.last_seen`, map[string]any{"rows": facilities}},
		statement{`MATCH (f:Facility) WHERE NOT f.id IN $ids AND NOT EXISTS { (f)--() } DELETE f`, map[string]any{"ids": ids}})
}

func orNullAt(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UTC()
}

func idOrNull(id *breakwater.ID) any {
	if id == nil {
		return nil
	}
	return id.String()
}
