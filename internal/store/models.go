package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"breakwater"
)

const (
	// ModelMax is the largest model file that is kept, in bytes. A forest of 100 trees takes 0.6 MB, an autoencoder 20 KB.
	ModelMax = 8 << 20
	// ModelsKept is how many models of one kind of one facility are kept, beside the active one: the newest.
	ModelsKept = 100
	// trainingMax is how many windows are read at once to learn from, which stand in memory: a week of seconds, 150 MB.
	trainingMax = 7 * 24 * 3600
)

// SaveModel keeps a model file, whose kind, source, rows and metrics m says, and makes it the active one of its kind at its
// facility. The same file again is the same model: it is given back as it stands, active or not, and changes nothing, so
// that a model that somebody rolled back does not return by a repetition. The error is of kind Invalid where m or the
// file is wrong.
func (s *Store) SaveModel(ctx context.Context, m breakwater.ModelVersion, file []byte) (kept breakwater.ModelVersion, created bool, err error) {
	if err := checkModel(&m, file); err != nil {
		return kept, false, err
	}
	sum := sha256.Sum256(file)
	m.Fingerprint = hex.EncodeToString(sum[:])
	err = s.change(ctx, "saving a model of "+m.FacilityID, func(tx *sql.Tx) error {
		if err := saveFacility(ctx, tx, m.FacilityID, time.Time{}); err != nil {
			return err
		}
		found, err := selectModels(ctx, tx, "WHERE facility_id = $1 AND kind = $2 AND fingerprint = $3", m.FacilityID, m.Kind, m.Fingerprint)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			kept, created = found[0], false
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE models SET active = $1 WHERE facility_id = $2 AND kind = $3 AND active`, false, m.FacilityID, m.Kind); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `INSERT INTO models (facility_id, kind, source, round_id, file, fingerprint, rows, metrics, created_at, active)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING version`,
			m.FacilityID, m.Kind, string(m.Source), m.RoundID, file, m.Fingerprint, m.Rows, string(m.Metrics), stamp(m.CreatedAt), true).Scan(&m.Version); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM models WHERE facility_id = $1 AND kind = $2 AND NOT active AND version <= coalesce(
			(SELECT version FROM models WHERE facility_id = $1 AND kind = $2 AND NOT active ORDER BY version DESC LIMIT 1 OFFSET $3), 0)`,
			m.FacilityID, m.Kind, ModelsKept); err != nil {
			return err
		}
		kept, err = oneModel(ctx, tx, m.Version)
		created = true
		return err
	})
	return kept, created, err
}

// checkModel refuses what must not be stored.
func checkModel(m *breakwater.ModelVersion, file []byte) error {
	bad := func(field, format string, args ...any) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: field, Message: fmt.Sprintf("a model of facility "+m.FacilityID+" "+format, args...)}
	}
	if err := breakwater.CheckFacilityID(m.FacilityID); err != nil {
		return err
	}
	if err := breakwater.CheckText("kind", m.Kind, 64); err != nil {
		return err
	}
	if len(m.Metrics) == 0 {
		m.Metrics = json.RawMessage("{}")
	}
	var object map[string]any
	m.CreatedAt = m.CreatedAt.UTC()
	switch {
	case m.Kind == "":
		return bad("kind", "has no kind")
	case m.Source != breakwater.Trained && m.Source != breakwater.Federated:
		return bad("source", "has source %q: train and federation are known", m.Source)
	case len(file) == 0:
		return bad("file", "is an empty file")
	case len(file) > ModelMax:
		return &breakwater.Error{Kind: breakwater.TooLarge, Field: "file", Message: fmt.Sprintf("a model file of %d bytes is too large: at most %d are kept", len(file), ModelMax)}
	case m.Rows < 0:
		return bad("rows", "was trained on %d rows", m.Rows)
	case json.Unmarshal(m.Metrics, &object) != nil || len(m.Metrics) > 64<<10:
		return bad("metrics", "has metrics that are no JSON object of at most 64 KiB")
	case !storable(m.CreatedAt):
		return bad("created_at", "was made in the year %d", m.CreatedAt.Year())
	}
	return nil
}

// ActiveModels are the models that a facility's sensors detect with, by kind; none where nothing was trained.
func (s *Store) ActiveModels(ctx context.Context, facility string) ([]breakwater.ModelVersion, error) {
	if err := breakwater.CheckFacilityID(facility); err != nil {
		return nil, err
	}
	var found []breakwater.ModelVersion
	err := s.view(ctx, "reading the models of "+facility, func(tx *sql.Tx) (err error) {
		found, err = selectModels(ctx, tx, "WHERE facility_id = $1 AND active ORDER BY kind", facility)
		return err
	})
	return found, err
}

// ModelFilter says which models are asked for; an empty list and nil mean any.
type ModelFilter struct {
	Facilities []string
	Kinds      []string
	Active     *bool
	Limit      int    // models on a page, 1 to MaxPage
	After      string // Next of another page; "": the first
}

// ModelPage is one page of a list of models, newest first.
type ModelPage struct {
	Models []breakwater.ModelVersion
	Total  int    // under the filter, on all pages
	Next   string // the cursor of what comes behind; "": nothing does
}

// Models lists models. The page and the total are of one state.
func (s *Store) Models(ctx context.Context, f ModelFilter) (ModelPage, error) {
	page := ModelPage{Models: []breakwater.ModelVersion{}}
	if err := checkPage(1, f.Limit); err != nil {
		return page, err
	}
	var args []any
	where := "WHERE true" + in(&args, "facility_id", f.Facilities) + in(&args, "kind", f.Kinds)
	if f.Active != nil && *f.Active {
		where += " AND active"
	} else if f.Active != nil {
		where += " AND NOT active"
	}
	before := int64(1<<63 - 1)
	if f.After != "" {
		var err error
		if before, err = strconv.ParseInt(f.After, 10, 64); err != nil || before < 1 {
			return page, &breakwater.Error{Kind: breakwater.Invalid, Field: "cursor", Message: "cursor is not a next_cursor that this server gave: begin with the first page"}
		}
	}
	err := s.view(ctx, "listing models", func(tx *sql.Tx) (err error) {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM models "+where, args...).Scan(&page.Total); err != nil {
			return err
		}
		page.Models, err = selectModels(ctx, tx, fmt.Sprintf("%s AND version < $%d ORDER BY version DESC LIMIT $%d", where, len(args)+1, len(args)+2),
			append(args, before, f.Limit+1)...)
		if len(page.Models) > f.Limit { // one more than asked for shows that there is more
			page.Models = page.Models[:f.Limit]
			page.Next = strconv.FormatInt(page.Models[f.Limit-1].Version, 10)
		}
		return err
	})
	return page, err
}

// ModelFile is a model and its file. The error is of kind NotFound where there is none of that version.
func (s *Store) ModelFile(ctx context.Context, version int64) (m breakwater.ModelVersion, file []byte, err error) {
	err = s.view(ctx, fmt.Sprintf("reading model %d", version), func(tx *sql.Tx) error {
		if m, err = oneModel(ctx, tx, version); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT file FROM models WHERE version = $1`, version).Scan(&file)
	})
	return m, file, err
}

// ActivateModel makes a version the active one of its kind at its facility, in place of the one that is, and reports
// whether that changed anything. The error is of kind NotFound where there is none of that version.
func (s *Store) ActivateModel(ctx context.Context, version int64) (m breakwater.ModelVersion, changed bool, err error) {
	err = s.change(ctx, fmt.Sprintf("activating model %d", version), func(tx *sql.Tx) error {
		if m, err = oneModel(ctx, tx, version); err != nil {
			return err
		}
		// Locked first and read again: another may be changing which is active.
		if err := saveFacility(ctx, tx, m.FacilityID, time.Time{}); err != nil {
			return err
		}
		if m, err = oneModel(ctx, tx, version); err != nil || m.Active {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE models SET active = $1 WHERE facility_id = $2 AND kind = $3 AND active`, false, m.FacilityID, m.Kind); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE models SET active = $1 WHERE version = $2`, true, version); err != nil {
			return err
		}
		m.Active, changed = true, true
		return nil
	})
	return m, changed, err
}

// Attacks are the stretches of data time in [from, to) that alerts of a facility mark as an attack, in order of time: those
// of medium severity and above that nobody has called a false positive, from their first detection to their last. What a
// model learns as usual leaves them out.
func (s *Store) Attacks(ctx context.Context, facility string, from, to time.Time) ([]breakwater.Span, error) {
	var spans []breakwater.Span
	err := s.view(ctx, "reading when "+facility+" was attacked", func(tx *sql.Tx) (err error) {
		spans, err = many(ctx, tx, func(p *breakwater.Span, scan func(...any) error) error {
			return scan((*stamp)(&p.From), (*stamp)(&p.To))
		}, `SELECT timestamp, last_seen FROM alerts WHERE facility_id = $1 AND last_seen >= $2 AND timestamp < $3
			AND severity IN ('medium', 'high', 'critical') AND status <> 'false-positive' ORDER BY timestamp, id`, facility, stamp(from), stamp(to))
		return err
	})
	return spans, err
}

// Recent are the newest windows of a facility that begin in [from, to), oldest first: at most a week of seconds, without
// their raw features. Models are trained on them.
func (s *Store) Recent(ctx context.Context, facility string, from, to time.Time) ([]breakwater.Window, error) {
	var windows []breakwater.Window
	err := s.view(ctx, "reading the windows of "+facility, func(tx *sql.Tx) (err error) {
		if err := knownFacility(ctx, tx, facility); err != nil {
			return err
		}
		windows, err = many(ctx, tx, func(w *breakwater.Window, scan func(...any) error) error {
			return scan(&w.FacilityID, (*stamp)(&w.Time), &w.PacketsPerSec, &w.BytesPerSec, &w.UniqueSrcIPs, &w.UniqueDestIPs, &w.ProtocolMix,
				&w.FailedConns, &w.AvgPacketSize, &w.InterArrivalMS)
		}, `SELECT facility_id, timestamp, packets_per_sec, bytes_per_sec, unique_src_ips, unique_dest_ips, protocol_distribution,
			failed_connections, avg_packet_size, inter_arrival_time FROM (
			SELECT * FROM network_data WHERE facility_id = $1 AND timestamp >= $2 AND timestamp < $3 ORDER BY timestamp DESC LIMIT $4) newest
			ORDER BY timestamp`, facility, stamp(from), stamp(to), trainingMax)
		return err
	})
	return windows, err
}

func oneModel(ctx context.Context, tx *sql.Tx, version int64) (m breakwater.ModelVersion, err error) {
	found, err := selectModels(ctx, tx, "WHERE version = $1", version)
	switch {
	case err != nil:
		return m, err
	case len(found) == 0:
		return m, &breakwater.Error{Kind: breakwater.NotFound, Field: "version", Message: fmt.Sprintf("there is no model of version %d", version)}
	}
	return found[0], nil
}

func selectModels(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.ModelVersion, error) {
	return many(ctx, tx, func(m *breakwater.ModelVersion, scan func(...any) error) error {
		return scan(&m.Version, &m.FacilityID, &m.Kind, &m.Source, &m.RoundID, &m.Fingerprint, &m.Bytes, &m.Rows, jsonText{&m.Metrics}, (*stamp)(&m.CreatedAt), &m.Active)
	}, `SELECT version, facility_id, kind, source, round_id, fingerprint, length(file), rows, metrics, created_at, active FROM models `+where, args...)
}
