package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"breakwater"
)

// MutesMax is how many mutes may be kept that have not ended: each detection is held against them.
const MutesMax = 1000

// MutePage is one page of mutes, those that end last first.
type MutePage struct {
	Mutes []breakwater.Mute
	Total int
	Pages int
}

// Mutes lists the mutes that end after a time; zero lists all.
func (s *Store) Mutes(ctx context.Context, endAfter time.Time, page, limit int) (MutePage, error) {
	out := MutePage{Mutes: []breakwater.Mute{}}
	if err := checkPage(page, limit); err != nil {
		return out, err
	}
	err := s.view(ctx, "listing mutes", func(tx *sql.Tx) (err error) {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM mutes WHERE ends > $1`, stamp(endAfter)).Scan(&out.Total); err != nil {
			return err
		}
		if out.Pages = (out.Total + limit - 1) / limit; page > out.Pages {
			return nil
		}
		out.Mutes, err = selectMutes(ctx, tx, `WHERE ends > $1 ORDER BY ends DESC, id DESC LIMIT $2 OFFSET $3`, stamp(endAfter), limit, (page-1)*limit)
		return err
	})
	return out, err
}

// SaveMute keeps a mute, whose ID it makes. It holds for the detections that come from now on. Errors are of kind
// Invalid where it is wrong and Conflict where there are too many.
func (s *Store) SaveMute(ctx context.Context, m breakwater.Mute) (breakwater.Mute, error) {
	m.From, m.Until, m.CreatedAt = m.From.UTC(), m.Until.UTC(), m.CreatedAt.UTC()
	for _, t := range []time.Time{m.From, m.Until, m.CreatedAt} {
		if !storable(t) {
			return m, &breakwater.Error{Kind: breakwater.Invalid, Field: "until", Message: fmt.Sprintf("a mute cannot reach into the year %d", t.Year())}
		}
	}
	if err := m.Check(); err != nil {
		return m, err
	}
	m.ID = breakwater.NewID(m.CreatedAt, "mute", m.FacilityID, m.Asset, m.Rule, m.Technique, m.From.String(), m.Until.String(), m.Reason, m.CreatedAt.String())
	err := s.change(ctx, "saving a mute", func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM mutes WHERE ends > $1`, stamp(m.CreatedAt)).Scan(&n); err != nil {
			return err
		}
		if n >= MutesMax {
			return &breakwater.Error{Kind: breakwater.Conflict, Message: fmt.Sprintf("%d mutes have not ended yet, and no more are kept: delete some", n)}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO mutes (id, facility_id, asset, rule, technique, begins, ends, reason, author, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
			idText(m.ID), m.FacilityID, m.Asset, m.Rule, m.Technique, stamp(m.From), stamp(m.Until), m.Reason, m.By, stamp(m.CreatedAt))
		return err
	})
	return m, err
}

// DeleteMute ends a mute. What it marked stays marked until it goes on. The error is of kind NotFound where there is
// none of that id.
func (s *Store) DeleteMute(ctx context.Context, id breakwater.ID) error {
	return s.change(ctx, "deleting mute "+id.String(), func(tx *sql.Tx) error {
		gone, err := tx.ExecContext(ctx, `DELETE FROM mutes WHERE id = $1`, idText(id))
		if err != nil {
			return err
		}
		if n, err := gone.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return &breakwater.Error{Kind: breakwater.NotFound, Field: "id", Message: "there is no mute " + id.String()}
	})
}

// mutesOf are the mutes that may cover detections of a batch.
func mutesOf(ctx context.Context, tx *sql.Tx, b breakwater.Batch) ([]breakwater.Mute, error) {
	if len(b.Detections) == 0 {
		return nil, nil
	}
	first, last := b.Detections[0].Time, b.Detections[0].Time
	for _, d := range b.Detections {
		if d.Time.Before(first) {
			first = d.Time
		}
		if d.Time.After(last) {
			last = d.Time
		}
	}
	return selectMutes(ctx, tx, `WHERE ends > $1 AND begins <= $2 AND facility_id IN ('', $3)`, stamp(first), stamp(last), b.FacilityID)
}

func selectMutes(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Mute, error) {
	return many(ctx, tx, func(m *breakwater.Mute, scan func(...any) error) error {
		return scan((*idText)(&m.ID), &m.FacilityID, &m.Asset, &m.Rule, &m.Technique, (*stamp)(&m.From), (*stamp)(&m.Until), &m.Reason, &m.By, (*stamp)(&m.CreatedAt))
	}, `SELECT id, facility_id, asset, rule, technique, begins, ends, reason, author, created_at FROM mutes `+where, args...)
}
