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

// AssetFilter says which assets are asked for; an empty list means any.
type AssetFilter struct {
	Facilities []string
	Roles      []breakwater.Role
	Levels     []breakwater.Level // "" is unknown
	Protocols  []breakwater.Protocol
	Zones      []string
	Vendors    []string
	Search     string // a part of address, MAC, vendor, name or zone, in upper or lower case (on SQLite alike only for the letters A to Z)
	Sort       string // a key of assetSorts; "" is by address
	Page       int    // from 1
	Limit      int    // assets on a page, 1 to MaxPage
}

// assetSorts are the orders that there are, without what tells apart those that are alike. Names come before none, and
// what was seen before what was not.
var assetSorts = map[string]string{
	"":            "",
	"address":     "",
	"-last_seen":  "CASE WHEN last_seen IS NULL THEN 1 ELSE 0 END, last_seen DESC, ",
	"last_seen":   "CASE WHEN last_seen IS NULL THEN 1 ELSE 0 END, last_seen, ",
	"-first_seen": "CASE WHEN first_seen IS NULL THEN 1 ELSE 0 END, first_seen DESC, ",
	"first_seen":  "CASE WHEN first_seen IS NULL THEN 1 ELSE 0 END, first_seen, ",
	"name":        "CASE WHEN name = '' THEN 1 ELSE 0 END, lower(name), ",
	"-name":       "lower(name) DESC, ",
	"level":       "CASE WHEN level = '' THEN 1 ELSE 0 END, level, ",
	"-level":      "level DESC, ",
}

// AssetPage is one page of assets: by facility and address, those without an address behind the others by MAC, where no
// other order is asked for.
type AssetPage struct {
	Assets []AssetRow
	Total  int // under the filter, on all pages
	Pages  int
}

// AssetRow is an asset and what alerts there are about it. One behind a gateway has no MAC and no vendor: what was seen
// are the gateway's.
type AssetRow struct {
	breakwater.Asset
	Alerts    int // at most AlertsMax are counted
	Open      int // of them new or acknowledged
	LastAlert time.Time
}

// AlertsMax bounds the alerts that are counted of one asset.
const AlertsMax = 1000

// where is the condition of the filter.
func (f *AssetFilter) where() (where string, args []any) {
	where = "WHERE true" + in(&args, "facility_id", f.Facilities) + in(&args, "role", f.Roles) + in(&args, "level", f.Levels) + in(&args, "zone", f.Zones)
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
	return where, args
}

// Assets lists what is at facilities. The error is of kind NotFound where one that is asked for is not known.
func (s *Store) Assets(ctx context.Context, f AssetFilter) (AssetPage, error) {
	if err := checkPage(f.Page, f.Limit); err != nil {
		return AssetPage{}, err
	}
	order, known := assetSorts[f.Sort]
	if !known {
		return AssetPage{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "sort", Message: "assets are not sorted by " + f.Sort}
	}
	where, args := f.where()
	page := AssetPage{Assets: []AssetRow{}}
	err := s.view(ctx, "listing assets", func(tx *sql.Tx) (err error) {
		for _, id := range f.Facilities {
			if err := knownFacility(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM assets "+where, args...).Scan(&page.Total); err != nil {
			return err
		}
		page.Pages = (page.Total + f.Limit - 1) / f.Limit
		if f.Page > page.Pages {
			return nil
		}
		found, err := selectAssets(ctx, tx, fmt.Sprintf("%s ORDER BY %sfacility_id, position LIMIT $%d OFFSET $%d", where, order, len(args)+1, len(args)+2),
			append(args, f.Limit, (f.Page-1)*f.Limit)...)
		if err != nil {
			return err
		}
		page.Assets, err = withAlerts(ctx, tx, found)
		return err
	})
	return page, err
}

// withAlerts is assets as they are shown, with what alerts there are about each: one question for all of them.
func withAlerts(ctx context.Context, tx *sql.Tx, assets []breakwater.Asset) ([]AssetRow, error) {
	if len(assets) == 0 {
		return []AssetRow{}, nil
	}
	type key struct{ facility, position string }
	type counted struct {
		key
		alerts, open int
		last         *stamp
	}
	var args []any
	var pairs []string
	for i := range assets {
		args = append(args, assets[i].FacilityID, assetPosition(&assets[i]))
		pairs = append(pairs, fmt.Sprintf("($%d, $%d)", len(args)-1, len(args)))
	}
	const about = "FROM alerts WHERE facility_id = assets.facility_id AND asset = CASE WHEN assets.ip <> '' THEN assets.ip ELSE assets.mac END"
	counts, err := many(ctx, tx, func(c *counted, scan func(...any) error) error {
		return scan(&c.facility, &c.position, &c.alerts, &c.open, &c.last)
	},
		fmt.Sprintf(`SELECT facility_id, position,
			(SELECT count(*) FROM (SELECT 1 %[1]s LIMIT %[2]d) a),
			(SELECT count(*) FROM (SELECT 1 %[1]s AND status IN ('new', 'acknowledged') LIMIT %[2]d) a),
			(SELECT max(last_seen) %[1]s)
			FROM assets WHERE (facility_id, position) IN (VALUES %[3]s)`, about, AlertsMax, strings.Join(pairs, ", ")), args...)
	if err != nil {
		return nil, err
	}
	of := make(map[key]counted, len(counts))
	for _, c := range counts {
		of[c.key] = c
	}
	rows := make([]AssetRow, len(assets))
	for i := range assets {
		c := of[key{assets[i].FacilityID, assetPosition(&assets[i])}]
		r := &rows[i]
		r.Asset, r.Alerts, r.Open = assets[i], c.alerts, c.open
		if c.last != nil {
			r.LastAlert = time.Time(*c.last)
		}
		if r.BehindGateway() {
			r.MAC, r.MACSeen, r.Vendor = breakwater.MAC{}, time.Time{}, ""
		}
	}
	return rows, nil
}

// Values are what assets can be told apart by, each value once, sorted.
type Values struct {
	Protocols []breakwater.Protocol
	Zones     []string
	Vendors   []string
}

// AssetValues are those of the assets of facilities; of all where none is named. The error is of kind NotFound where one is
// not known.
func (s *Store) AssetValues(ctx context.Context, facilities []string) (Values, error) {
	var v Values
	var args []any
	where := "WHERE true" + in(&args, "facility_id", facilities)
	err := s.view(ctx, "reading what assets there are", func(tx *sql.Tx) (err error) {
		for _, id := range facilities {
			if err := knownFacility(ctx, tx, id); err != nil {
				return err
			}
		}
		text := func(s *string, scan func(...any) error) error { return scan(s) }
		if v.Zones, err = many(ctx, tx, text, "SELECT DISTINCT zone FROM assets "+where+" AND zone <> '' ORDER BY zone", args...); err != nil {
			return err
		}
		if v.Vendors, err = many(ctx, tx, text, "SELECT DISTINCT vendor FROM assets "+where+" AND vendor <> '' AND NOT behind_gateway ORDER BY vendor", args...); err != nil {
			return err
		}
		spoken, err := many(ctx, tx, func(p *[]breakwater.Protocol, scan func(...any) error) error { return scan(jsonText{p}) },
			"SELECT DISTINCT CAST(protocols AS text) FROM assets "+where, args...)
		v.Protocols = slices.Concat(spoken...)
		slices.Sort(v.Protocols)
		v.Protocols = slices.Compact(v.Protocols)
		if v.Protocols == nil {
			v.Protocols = []breakwater.Protocol{}
		}
		return err
	})
	return v, err
}

// AssetDetail is one asset with what it was seen talking about and what alerts there are about it.
type AssetDetail struct {
	AssetRow
	Talks  Talks
	Newest []breakwater.Alert // its alerts last seen, at most 20
}

// Asset reads one asset by its ID. The error is of kind NotFound where there is none of it.
func (s *Store) Asset(ctx context.Context, facility, id string) (AssetDetail, error) {
	var d AssetDetail
	var a breakwater.Asset
	var err error
	if a.IP, err = netip.ParseAddr(id); err != nil {
		if err := a.MAC.UnmarshalText([]byte(id)); err != nil || a.MAC == (breakwater.MAC{}) {
			return d, &breakwater.Error{Kind: breakwater.Invalid, Field: "asset", Message: "an asset is named by its IP address, else by its MAC, as 10.0.0.11 or 00:1b:1b:02:03:04"}
		}
	}
	a.IP = a.IP.Unmap().WithZone("")
	err = s.view(ctx, "reading an asset of "+facility, func(tx *sql.Tx) error {
		if err := knownFacility(ctx, tx, facility); err != nil {
			return err
		}
		found, err := selectAssets(ctx, tx, "WHERE facility_id = $1 AND position = $2", facility, assetPosition(&a))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return &breakwater.Error{Kind: breakwater.NotFound, Field: "asset", Message: "facility " + facility + " has no asset " + a.ID()}
		}
		rows, err := withAlerts(ctx, tx, found)
		if err != nil {
			return err
		}
		d.AssetRow = rows[0]
		if a.IP.IsValid() {
			if d.Talks, err = talksOf(ctx, tx, facility, "AND (client = $2 OR server = $2)", TalksMax, a.IP.String()); err != nil {
				return err
			}
			if d.Talks.Ends, err = endsOf(ctx, tx, facility, d.Talks.Talks); err != nil {
				return err
			}
		}
		alerts, err := selectAlerts(ctx, tx, "WHERE facility_id = $1 AND asset = $2 ORDER BY last_seen DESC, id DESC LIMIT 20", facility, a.ID())
		d.Newest = make([]breakwater.Alert, len(alerts))
		for i := range alerts {
			d.Newest[i] = alerts[i].Alert
		}
		return err
	})
	return d, err
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
		(facility_id, position, ip, mac, mac_seen, vendor, behind_gateway, role, traits, protocols, peers, first_seen, last_seen, name, zone, level)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (facility_id, position) DO UPDATE SET mac = excluded.mac, mac_seen = excluded.mac_seen, vendor = excluded.vendor,
		 behind_gateway = excluded.behind_gateway, role = excluded.role, traits = excluded.traits, protocols = excluded.protocols,
		 peers = excluded.peers, first_seen = excluded.first_seen, last_seen = excluded.last_seen, name = excluded.name, zone = excluded.zone, level = excluded.level`,
		a.FacilityID, at, ip, a.MAC.String(), orNull(a.MACSeen), a.Vendor, a.BehindGateway(), string(a.Role), jsonText{a.Traits},
		jsonText{a.Protocols}, jsonText{a.Peers}, orNull(a.FirstSeen), orNull(a.LastSeen), a.Name, a.Zone, string(a.Level))
	return err
}

// selectAssets reads the assets of a condition, MAC and vendor as they were seen.
func selectAssets(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]breakwater.Asset, error) {
	return many(ctx, tx, func(a *breakwater.Asset, scan func(...any) error) error {
		var ip, mac string
		if err := scan(&a.FacilityID, &ip, &mac, (*stamp)(&a.MACSeen), &a.Vendor, &a.Role, jsonText{&a.Traits}, jsonText{&a.Protocols},
			jsonText{&a.Peers}, (*stamp)(&a.FirstSeen), (*stamp)(&a.LastSeen), &a.Name, &a.Zone, &a.Level); err != nil {
			return err
		}
		if ip != "" {
			var err error
			if a.IP, err = netip.ParseAddr(ip); err != nil {
				return err
			}
		}
		return a.MAC.UnmarshalText([]byte(mac))
	}, `SELECT facility_id, ip, mac, mac_seen, vendor, role, traits, protocols, peers, first_seen, last_seen, name, zone, level FROM assets `+where, args...)
}

// orNull is a time as a column that may have none keeps it.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
