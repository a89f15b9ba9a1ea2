package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"breakwater"
)

// assetsMax bounds the assets of one facility: a flood of invented addresses fills the inventory to here, not beyond.
const assetsMax = 32_768

// AssetFilter says which assets of a facility are asked for; an empty list means any.
type AssetFilter struct {
	Facility  string
	Roles     []breakwater.Role
	Protocols []breakwater.Protocol
	Zones     []string
	Vendors   []string
	Search    string // a part of address, MAC, vendor, name or zone, in upper or lower case (on SQLite alike only for the letters A to Z)
	Page      int    // from 1
	Limit     int    // assets on a page, 1 to MaxPage
}

// AssetPage is one page of a facility's assets, by address, those without one behind them by MAC.
type AssetPage struct {
	Assets []breakwater.Asset // one behind a gateway has no MAC and no vendor: what was seen are the gateway's
	Total  int                // under the filter, on all pages
	Pages  int
}

// Assets lists what is at a facility. The error is of kind NotFound where the facility is not known.
func (s *Store) Assets(ctx context.Context, f AssetFilter) (AssetPage, error) {
	if err := checkPage(f.Page, f.Limit); err != nil {
		return AssetPage{}, err
	}
	args := []any{f.Facility}
	where := "WHERE facility_id = $1" + in(&args, "role", f.Roles) + in(&args, "zone", f.Zones)
	if len(f.Vendors) > 0 {
		where += " AND NOT behind_gateway" + in(&args, "vendor", f.Vendors)
	}
	if len(f.Protocols) > 0 {
		var any []string
		for _, p := range f.Protocols {
			args = append(args, `%"`+like(string(p))+`"%`)
			any = append(any, fmt.Sprintf(`CAST(protocols AS text) LIKE $%d ESCAPE '\'`, len(args)))
		}
		where += " AND (" + strings.Join(any, " OR ") + ")"
	}
	if f.Search != "" {
		args = append(args, "%"+like(f.Search)+"%")
		found := fmt.Sprintf(` LIKE lower(CAST($%d AS text)) ESCAPE '\'`, len(args)) // the engine's lower on both sides: SQLite's knows A to Z alone
		where += " AND (ip" + found + " OR NOT behind_gateway AND (mac" + found + " OR lower(vendor)" + found + ") OR lower(name)" + found + " OR lower(zone)" + found + ")"
	}
	page := AssetPage{Assets: []breakwater.Asset{}}
	err := s.view(ctx, "listing the assets of "+f.Facility, func(tx *sql.Tx) (err error) {
		if err := knownFacility(ctx, tx, f.Facility); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM assets "+where, args...).Scan(&page.Total); err != nil {
			return err
		}
		page.Pages = (page.Total + f.Limit - 1) / f.Limit
		if f.Page > page.Pages {
			return nil
		}
		page.Assets, err = selectAssets(ctx, tx, fmt.Sprintf("%s ORDER BY position LIMIT $%d OFFSET $%d", where, len(args)+1, len(args)+2),
			append(args, f.Limit, (f.Page-1)*f.Limit)...)
		return err
	})
	for i := range page.Assets {
		if a := &page.Assets[i]; a.BehindGateway() {
			a.MAC, a.MACSeen, a.Vendor = breakwater.MAC{}, time.Time{}, ""
		}
	}
	return page, err
}

// NameAssets writes the names and zones that people gave; an empty one leaves what was given before. An asset that was
// not seen yet is made known by it. The facility is made known where it is not.
func (s *Store) NameAssets(ctx context.Context, facility string, named []breakwater.Asset) error {
	for i := range named {
		if err := named[i].Check(); err != nil {
			return err
		}
	}
	return s.change(ctx, "naming assets of "+facility, func(tx *sql.Tx) error {
		if err := saveFacility(ctx, tx, facility, time.Time{}); err != nil {
			return err
		}
		return saveAssets(ctx, tx, facility, named)
	})
}

// like is text inside a LIKE pattern whose escape is a backslash.
func like(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// assetPosition is where an asset stands among those of its facility: IPv4 before IPv6 before MACs, each by number.
func assetPosition(a *breakwater.Asset) string {
	switch {
	case a.IP.Is4():
		b := a.IP.As4()
		return "4:" + hex.EncodeToString(b[:])
	case a.IP.IsValid():
		b := a.IP.As16()
		return "6:" + hex.EncodeToString(b[:])
	}
	return "m:" + hex.EncodeToString(a.MAC[:])
}

// saveAssets merges what was seen or named into what is known, in the transaction that has the facility's row locked.
// Beyond assetsMax new ones are left out.
func saveAssets(ctx context.Context, tx *sql.Tx, facility string, seen []breakwater.Asset) error {
	for group := range slices.Chunk(seen, MaxPage) {
		if err := mergeAssets(ctx, tx, facility, group); err != nil {
			return err
		}
	}
	return nil
}

func mergeAssets(ctx context.Context, tx *sql.Tx, facility string, seen []breakwater.Asset) error {
	positions := make([]string, len(seen))
	for i := range seen {
		positions[i] = assetPosition(&seen[i])
	}
	args := []any{facility}
	stored, err := selectAssets(ctx, tx, "WHERE facility_id = $1"+in(&args, "position", positions), args...)
	if err != nil {
		return err
	}
	known := make(map[string]*breakwater.Asset, len(stored)+len(seen))
	for i := range stored {
		known[assetPosition(&stored[i])] = &stored[i]
	}
	room := -1 // not counted yet
	var order []string
	for i := range seen {
		at := positions[i]
		a := known[at]
		if a == nil {
			if room < 0 {
				if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM assets WHERE facility_id = $1`, facility).Scan(&room); err != nil {
					return err
				}
				room = max(assetsMax-room, 0)
			}
			if room == 0 {
				continue
			}
			room--
			a = &breakwater.Asset{FacilityID: facility, IP: seen[i].IP}
			known[at] = a
		}
		a.Merge(seen[i])
		if !slices.Contains(order, at) {
			order = append(order, at)
		}
	}
	for _, at := range order {
		if err := saveAsset(ctx, tx, at, known[at]); err != nil {
			return err
		}
	}
	return nil
}

func saveAsset(ctx context.Context, tx *sql.Tx, at string, a *breakwater.Asset) error {
	ip := ""
	if a.IP.IsValid() {
		ip = a.IP.String()
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO assets
		(facility_id, position, ip, mac, mac_seen, vendor, behind_gateway, role, traits, protocols, peers, first_seen, last_seen, name, zone)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (facility_id, position) DO UPDATE SET mac = excluded.mac, mac_seen = excluded.mac_seen, vendor = excluded.vendor,
		 behind_gateway = excluded.behind_gateway, role = excluded.role, traits = excluded.traits, protocols = excluded.protocols,
		 peers = excluded.peers, first_seen = excluded.first_seen, last_seen = excluded.last_seen, name = excluded.name, zone = excluded.zone`,
		a.FacilityID, at, ip, a.MAC.String(), orNull(a.MACSeen), a.Vendor, a.BehindGateway(), string(a.Role), jsonText{a.Traits},
		jsonText{a.Protocols}, jsonText{a.Peers}, orNull(a.FirstSeen), orNull(a.LastSeen), a.Name, a.Zone)
	return err
}

// selectAssets reads the assets of a condition, MAC and vendor as they were seen.
func selectAssets(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Asset, error) {
	return many(ctx, tx, func(a *breakwater.Asset, scan func(...any) error) error {
		var ip, mac string
		if err := scan(&a.FacilityID, &ip, &mac, (*stamp)(&a.MACSeen), &a.Vendor, &a.Role, jsonText{&a.Traits}, jsonText{&a.Protocols},
			jsonText{&a.Peers}, (*stamp)(&a.FirstSeen), (*stamp)(&a.LastSeen), &a.Name, &a.Zone); err != nil {
			return err
		}
		if ip != "" {
			var err error
			if a.IP, err = netip.ParseAddr(ip); err != nil {
				return err
			}
		}
		return a.MAC.UnmarshalText([]byte(mac))
	}, `SELECT facility_id, ip, mac, mac_seen, vendor, role, traits, protocols, peers, first_seen, last_seen, name, zone FROM assets `+where, args...)
}

// orNull is a time as a column that may have none keeps it.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
