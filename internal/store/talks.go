package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"

	"breakwater"
)

const (
	// conversationsMax bounds the conversations kept of one facility: a flood of invented addresses fills the table to
	// here, not beyond.
	conversationsMax = 32_768
	// TalksMax is the most conversations that are read at once.
	TalksMax = 2_000
)

// Talks are conversations of a facility, those with the most messages first.
type Talks struct {
	Talks []breakwater.Talk
	Total int // those that were not read too
	// Ends are the assets that talk in them, those that are known, by address.
	Ends []AssetRow
}

// Conversations reads at most limit (1 to TalksMax) conversations of a facility. The error is of kind NotFound where the
// facility is not known.
func (s *Store) Conversations(ctx context.Context, facility string, limit int) (t Talks, err error) {
	if limit < 1 || limit > TalksMax {
		return t, &breakwater.Error{Kind: breakwater.Invalid, Field: "limit", Message: fmt.Sprintf("limit is %d: 1 to %d are possible", limit, TalksMax)}
	}
	err = s.view(ctx, "listing the conversations of "+facility, func(tx *sql.Tx) error {
		if err := knownFacility(ctx, tx, facility); err != nil {
			return err
		}
		if t, err = talksOf(ctx, tx, facility, "", limit); err != nil {
			return err
		}
		t.Ends, err = endsOf(ctx, tx, facility, t.Talks)
		return err
	})
	return t, err
}

// endsOf reads the assets that talk in conversations of a facility.
func endsOf(ctx context.Context, tx *sql.Tx, facility string, talks []breakwater.Talk) ([]AssetRow, error) {
	var positions []string
	for _, t := range talks {
		positions = append(positions, assetPosition(&breakwater.Asset{IP: t.Client}), assetPosition(&breakwater.Asset{IP: t.Server}))
	}
	slices.Sort(positions)
	ends := []AssetRow{}
	for some := range slices.Chunk(slices.Compact(positions), MaxPage) {
		args := []any{facility}
		assets, err := selectAssets(ctx, tx, "WHERE facility_id = $1"+in(&args, "position", some)+" ORDER BY position", args...)
		if err != nil {
			return nil, err
		}
		rows, err := withAlerts(ctx, tx, assets)
		if err != nil {
			return nil, err
		}
		ends = append(ends, rows...)
	}
	return ends, nil
}

// talksOf reads conversations of a facility; where, whose arguments begin at $2, goes on with the condition.
func talksOf(ctx context.Context, tx *sql.Tx, facility, where string, limit int, args ...any) (t Talks, err error) {
	args = append([]any{facility}, args...)
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM conversations WHERE facility_id = $1 "+where, args...).Scan(&t.Total); err != nil {
		return t, err
	}
	t.Talks, err = selectTalks(ctx, tx, fmt.Sprintf("WHERE facility_id = $1 %s ORDER BY count DESC, client, server, port LIMIT %d", where, limit), args...)
	return t, err
}

func selectTalks(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Talk, error) {
	return many(ctx, tx, func(t *breakwater.Talk, scan func(...any) error) error {
		var client, server string
		if err := scan(&t.FacilityID, &client, &server, &t.Port, &t.Protocol, (*stamp)(&t.FirstSeen), (*stamp)(&t.LastSeen), &t.Count, jsonText{&t.Functions}); err != nil {
			return err
		}
		var err error
		if t.Client, err = netip.ParseAddr(client); err != nil {
			return err
		}
		t.Server, err = netip.ParseAddr(server)
		return err
	}, `SELECT facility_id, client, server, port, protocol, first_seen, last_seen, count, functions FROM conversations `+where, args...)
}

// saveTalks merges what was told of conversations into what is known, in the transaction that has the facility's row
// locked. Beyond conversationsMax new ones are left out.
func saveTalks(ctx context.Context, tx *sql.Tx, facility string, told []breakwater.Talk) error {
	type name struct {
		client, server netip.Addr
		port           uint16
	}
	nameOf := func(t *breakwater.Talk) name { return name{t.Client, t.Server, t.Port} }
	for group := range slices.Chunk(told, MaxPage) {
		known := map[name]*breakwater.Talk{}
		var clients, servers []string
		for i := range group {
			clients, servers = append(clients, group[i].Client.String()), append(servers, group[i].Server.String())
		}
		slices.Sort(clients)
		slices.Sort(servers)
		args := []any{facility}
		stored, err := selectTalks(ctx, tx, "WHERE facility_id = $1"+in(&args, "client", slices.Compact(clients))+in(&args, "server", slices.Compact(servers)), args...)
		if err != nil {
			return err
		}
		for i := range stored {
			known[nameOf(&stored[i])] = &stored[i]
		}
		room := -1 // not counted yet
		for i := range group {
			n := nameOf(&group[i])
			if t := known[n]; t != nil {
				t.Merge(group[i])
				continue
			}
			if room < 0 {
				if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM conversations WHERE facility_id = $1`, facility).Scan(&room); err != nil {
					return err
				}
				room = max(conversationsMax-room, 0)
			}
			if room == 0 {
				continue
			}
			room--
			one := group[i]
			one.Functions = append([]breakwater.Use{}, one.Functions...) // they are the sender's
			known[n] = &one
		}
		for i := range group {
			n := nameOf(&group[i])
			if t := known[n]; t != nil {
				if err := saveTalk(ctx, tx, t); err != nil {
					return err
				}
				delete(known, n) // told of twice it is saved once
			}
		}
	}
	return nil
}

func saveTalk(ctx context.Context, tx *sql.Tx, t *breakwater.Talk) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO conversations (facility_id, client, server, port, protocol, first_seen, last_seen, count, functions)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (facility_id, client, server, port) DO UPDATE SET protocol = excluded.protocol, first_seen = excluded.first_seen,
		 last_seen = excluded.last_seen, count = excluded.count, functions = excluded.functions`,
		t.FacilityID, t.Client.String(), t.Server.String(), int(t.Port), string(t.Protocol), stamp(t.FirstSeen), stamp(t.LastSeen), t.Count, jsonText{t.Functions})
	return err
}
