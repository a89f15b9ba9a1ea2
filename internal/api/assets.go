package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	namesMaxBytes = 8 << 20
	namesLineMax  = 4 << 10
)

func (s *server) assetRoutes(h huma.API) {
	tags := []string{"Facilities"}
	bad := []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	filters := " As they were seen passing by, never asked. By facility and address, those without one behind the others by MAC, where no other order is asked for. Filters are comma-separated lists; an asset passes that matches one value of each."
	register(s, h, huma.Operation{
		OperationID: "list-all-assets", Method: http.MethodGet, Path: "/api/assets", Tags: tags,
		Summary: "Assets of all facilities", Description: "The devices of every facility, or of some." + filters, Errors: bad,
	}, s.listAllAssets)
	register(s, h, huma.Operation{
		OperationID: "list-asset-values", Method: http.MethodGet, Path: "/api/assets/values", Tags: tags,
		Summary: "What assets can be filtered by", Description: "Protocols, zones and vendors that the assets of these facilities have.", Errors: bad,
	}, s.listAssetValues)
	list := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: "CSV, one asset a line, under a header line.", Examples: []any{"facility_id,ip,mac,name,zone\nplant-1,10.0.0.11,00:1b:1b:02:03:04,PLC tank 1,cell 3\n"}}}
	register(s, h, huma.Operation{
		OperationID: "export-assets", Method: http.MethodGet, Path: "/api/assets/export", Tags: tags,
		Summary: "Assets as a table", Description: "All assets under the same filters as CSV (RFC 4180), with a quote before what a spreadsheet would take for a formula. Names and zones can be filled in there and imported again, facility by facility.",
		Errors:    bad,
		Responses: map[string]*huma.Response{"200": {Description: "The table.", Content: map[string]*huma.MediaType{"text/csv": list}}},
	}, s.exportAssets)
	register(s, h, huma.Operation{
		OperationID: "list-assets", Method: http.MethodGet, Path: "/api/facilities/{id}/assets", Tags: tags,
		Summary: "What is on a facility's network", Description: "The devices of one facility." + filters, Errors: bad,
	}, s.listAssets)
	register(s, h, huma.Operation{
		OperationID: "get-asset", Method: http.MethodGet, Path: "/api/facilities/{id}/assets/{asset}", Tags: tags,
		Summary: "One asset", Description: "What it is, what it was seen talking about with whom, by which functions, and its newest alerts.", Errors: bad,
	}, s.getAsset)
	register(s, h, huma.Operation{
		OperationID: "list-conversations", Method: http.MethodGet, Path: "/api/facilities/{id}/conversations", Tags: tags,
		Summary: "Who asks whom for what", Description: "Conversations as sensors saw them, those with the most messages first. A connection that nobody accepted is none, nor is what goes to many at once. Seconds that were counted are not counted again: a capture twice counts once.", Errors: bad,
	}, s.listConversations)
	table := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: "CSV, one asset a line.", Examples: []any{"ip,name,zone\n10.0.0.11,PLC tank 1,cell 3\n"}}}
	register(s, h, huma.Operation{
		OperationID: "import-assets", Method: http.MethodPost, Path: "/api/facilities/{id}/assets/import", Tags: tags,
		Summary: "Give assets names and zones", Description: "CSV whose first line names the columns: ip or mac, and name, zone; others are left alone. Separated by commas or semicolons, one asset a line. " +
			"An empty cell leaves what was given before; an asset that was not seen yet is listed from then on. A line that is wrong is rejected and harms none of the others. At most 8 MiB.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": table, "application/octet-stream": table}},
		Errors:      []int{http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.importAssets)
}

// AssetFilter is what assets are asked for by.
type AssetFilter struct {
	Role     []breakwater.Role     `query:"role" nullable:"false" maxItems:"50" enum:"controller,master,engineering-workstation,server,gateway,unknown" example:"controller,gateway" doc:"Roles."`
	Level    []breakwater.Level    `query:"level" nullable:"false" maxItems:"50" enum:"0,1,2,3,3.5,4,5,unknown" example:"1,2" doc:"Purdue levels; unknown are those that have none."`
	Protocol []breakwater.Protocol `query:"protocol" nullable:"false" example:"modbus" doc:"Protocols that it sent."`
	Zone     []string              `query:"zone" nullable:"false" example:"cell 3" doc:"Zones, as they were imported."`
	Vendor   []string              `query:"vendor" nullable:"false" example:"Siemens" doc:"Vendors, as they are listed."`
	Search   string                `query:"search" maxLength:"100" example:"10.0.0." doc:"A part of address, MAC, vendor, name or zone, in upper or lower case (on SQLite alike only for the letters A to Z)."`
	Sort     string                `query:"sort" enum:"address,last_seen,-last_seen,first_seen,-first_seen,name,-name,level,-level" default:"address" example:"-first_seen" doc:"The order; - is the greatest or newest first. What is not known comes last, but for -name and -level."`
}

// AssetPages is how many at a time.
type AssetPages struct {
	Page  int `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty."`
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"100" example:"50" doc:"The most on a page."`
}

type assetsOfFacility struct {
	ID string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	AssetFilter
	AssetPages
}

// FacilityFilter is whose assets are asked for.
type FacilityFilter struct {
	Facility []string `query:"facility" nullable:"false" maxItems:"50" example:"plant-1,plant-2" doc:"Facilities; where absent, all."`
}

type assetsOfAll struct {
	FacilityFilter
	AssetFilter
	AssetPages
}

type assetExport struct {
	FacilityFilter
	AssetFilter
}

type assetItem struct {
	breakwater.Asset
	Alerts     int        `json:"alerts" minimum:"0" example:"3" doc:"Alerts about it; of more than 1000, 1000."`
	OpenAlerts int        `json:"open_alerts" minimum:"0" example:"1" doc:"Those of them that are new or acknowledged; of more than 1000, 1000."`
	LastAlert  *time.Time `json:"last_alert" example:"2026-03-01T08:02:00Z" doc:"Data time of the newest detection about it; null: there is none."`
}

func assetItemOf(r store.AssetRow) assetItem {
	item := assetItem{Asset: r.Asset, Alerts: r.Alerts, OpenAlerts: r.Open}
	if !r.LastAlert.IsZero() {
		item.LastAlert = &r.LastAlert
	}
	return item
}

func assetItems(rows []store.AssetRow) []assetItem {
	items := make([]assetItem, len(rows))
	for i, r := range rows {
		items[i] = assetItemOf(r)
	}
	return items
}

type assetPage struct {
	Assets []assetItem `json:"assets" nullable:"false" doc:"The assets of this page."`
	Total  int         `json:"total" minimum:"0" example:"42" doc:"Assets under the filter, on all pages."`
	Page   int         `json:"page" minimum:"1" example:"1" doc:"Which page this is, from 1."`
	Pages  int         `json:"pages" minimum:"0" example:"1" doc:"How many pages there are."`
	Limit  int         `json:"limit" minimum:"1" maximum:"200" example:"100" doc:"The most on a page."`
}

// filter is the filter as the store knows it.
func (f *AssetFilter) filter(facilities []string) (store.AssetFilter, error) {
	for _, values := range [][]string{f.Zone, f.Vendor, texts(f.Protocol), {f.Search}} {
		if slices.ContainsFunc(values, func(v string) bool { return len(v) > 128 || strings.ContainsRune(v, 0) }) || len(values) > 50 {
			return store.AssetFilter{}, &breakwater.Error{Kind: breakwater.Invalid, Field: "filter", Message: "a filter has more than 50 values, one of more than 128 bytes, or a NUL"}
		}
	}
	levels := slices.Clone(f.Level)
	for i, l := range levels {
		if l == "unknown" {
			levels[i] = ""
		}
	}
	return store.AssetFilter{Facilities: facilities, Roles: f.Role, Levels: levels, Protocols: f.Protocol, Zones: f.Zone, Vendors: f.Vendor,
		Search: f.Search, Sort: f.Sort}, nil
}

func (s *server) listAssets(ctx context.Context, in *assetsOfFacility) (*response[assetPage], error) {
	return s.assets(ctx, []string{in.ID}, &in.AssetFilter, in.AssetPages)
}

func (s *server) listAllAssets(ctx context.Context, in *assetsOfAll) (*response[assetPage], error) {
	return s.assets(ctx, in.Facility, &in.AssetFilter, in.AssetPages)
}

func (s *server) assets(ctx context.Context, facilities []string, f *AssetFilter, p AssetPages) (*response[assetPage], error) {
	filter, err := f.filter(facilities)
	if err != nil {
		return nil, err
	}
	filter.Page, filter.Limit = p.Page, p.Limit
	page, err := s.Store.Assets(ctx, filter)
	if err != nil {
		return nil, err
	}
	return &response[assetPage]{assetPage{assetItems(page.Assets), page.Total, p.Page, page.Pages, p.Limit}}, nil
}

type assetValues struct {
	Protocols []breakwater.Protocol `json:"protocols" nullable:"false" example:"[\"arp\",\"modbus\"]" doc:"Protocols that assets sent, sorted."`
	Zones     []string              `json:"zones" nullable:"false" example:"[\"cell 3\"]" doc:"Zones that assets were put in, sorted."`
	Vendors   []string              `json:"vendors" nullable:"false" example:"[\"Siemens\"]" doc:"Vendors of assets, sorted."`
}

func (s *server) listAssetValues(ctx context.Context, in *FacilityFilter) (*response[assetValues], error) {
	v, err := s.Store.AssetValues(ctx, in.Facility)
	if err != nil {
		return nil, err
	}
	return &response[assetValues]{assetValues(v)}, nil
}

type oneAsset struct {
	ID    string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	Asset string `path:"asset" maxLength:"64" example:"10.0.0.11" doc:"Its IP address; its MAC where it has none."`
}

type assetDetail struct {
	Asset              assetItem         `json:"asset" doc:"The asset."`
	Conversations      []breakwater.Talk `json:"conversations" nullable:"false" doc:"What it was seen talking about, as client or server, those with the most messages first; at most 2000."`
	TotalConversations int               `json:"total_conversations" minimum:"0" example:"7" doc:"How many it has."`
	Assets             []assetItem       `json:"assets" nullable:"false" doc:"The assets that talk in those that are listed, itself among them, by address."`
	NewestAlerts       []alertItem       `json:"newest_alerts" nullable:"false" doc:"Alerts about it, those last seen first; at most 20."`
}

func (s *server) getAsset(ctx context.Context, in *oneAsset) (*response[assetDetail], error) {
	d, err := s.Store.Asset(ctx, in.ID, in.Asset)
	if err != nil {
		return nil, err
	}
	out := assetDetail{Asset: assetItemOf(d.AssetRow), Conversations: d.Talks.Talks, TotalConversations: d.Talks.Total, Assets: assetItems(d.Talks.Ends), NewestAlerts: alertItems(d.Newest, now())}
	if out.Conversations == nil {
		out.Conversations = []breakwater.Talk{}
	}
	return &response[assetDetail]{out}, nil
}

type conversationsRequest struct {
	ID    string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	Limit int    `query:"limit" minimum:"1" maximum:"2000" default:"500" example:"500" doc:"The most that are listed."`
}

type conversationList struct {
	Conversations []breakwater.Talk `json:"conversations" nullable:"false" doc:"Those with the most messages first."`
	Total         int               `json:"total" minimum:"0" example:"42" doc:"How many there are, those that are not listed too."`
	Assets        []assetItem       `json:"assets" nullable:"false" doc:"The assets that talk in those that are listed, by address. An address that never sent a packet is none."`
}

func (s *server) listConversations(ctx context.Context, in *conversationsRequest) (*response[conversationList], error) {
	t, err := s.Store.Conversations(ctx, in.ID, in.Limit)
	if err != nil {
		return nil, err
	}
	return &response[conversationList]{conversationList{t.Talks, t.Total, assetItems(t.Ends)}}, nil
}

func (s *server) exportAssets(ctx context.Context, in *assetExport) (*handOver, error) {
	filter, err := in.filter(in.Facility)
	if err != nil {
		return nil, err
	}
	filter.Page, filter.Limit = 1, store.MaxPage
	page, err := s.Store.Assets(ctx, filter) // what is wrong with the filter is said before the answer begins
	if err != nil {
		return nil, err
	}
	return &handOver{func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="assets.csv"`)
		deadlines := http.NewResponseController(w)
		out := csv.NewWriter(w)
		_ = out.Write([]string{"facility_id", "ip", "mac", "name", "zone", "level", "role", "vendor", "protocols", "first_seen", "last_seen", "open_alerts"})
		for {
			// Where a server cannot set deadlines it has none to keep away.
			_ = deadlines.SetWriteDeadline(time.Now().Add(exportPatience))
			for i := range page.Assets {
				_ = out.Write(assetCells(&page.Assets[i])) // Error tells of the first fault
			}
			out.Flush()
			if filter.Page++; out.Error() != nil || filter.Page > page.Pages {
				return
			}
			if page, err = s.Store.Assets(ctx.Context(), filter); err != nil {
				panic(http.ErrAbortHandler) // the client sees that the table was cut short
			}
		}
	}}, nil
}

// assetCells is a line of the export.
func assetCells(a *store.AssetRow) []string {
	ip, at := "", func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	if a.IP.IsValid() {
		ip = a.IP.String()
	}
	return []string{a.FacilityID, ip, a.MAC.String(), plainCell(a.Name), plainCell(a.Zone), string(a.Level), string(a.Role), plainCell(a.Vendor),
		strings.Join(texts(a.Protocols), " "), at(a.FirstSeen), at(a.LastSeen), strconv.Itoa(a.Open)}
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

type importRequest struct {
	ID string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	stream
}

func (s *server) importAssets(ctx context.Context, in *importRequest) (*response[Tally], error) {
	if err := breakwater.CheckFacilityID(in.ID); err != nil {
		return nil, err
	}
	in.body.left = namesMaxBytes
	ctx = context.WithoutCancel(ctx) // what was read is saved, also where the client has gone meanwhile
	t := Tally{Errors: []ingestError{}}
	var named []breakwater.Asset
	save := func() error {
		err := s.Store.NameAssets(ctx, in.ID, named)
		t.Accepted += int64(len(named))
		named = named[:0]
		return err
	}
	var columns *columns
	last := int64(0)
	lines := func(yield func(row, error) bool) { lineRows(bufio.NewReaderSize(in.body, 64<<10), namesLineMax, yield) }
	for r, err := range lines {
		last = r.number
		if err != nil {
			t.reject(r.number, err)
			continue
		}
		line := strings.TrimPrefix(string(r.text), "\ufeff")
		if columns == nil {
			if columns, err = readColumns(line); err != nil {
				return nil, err
			}
			continue
		}
		asset, err := columns.asset(in.ID, line)
		if err != nil {
			t.reject(r.number, err)
			continue
		}
		if named = append(named, asset); len(named) == batchRows {
			if err := save(); err != nil {
				return nil, err
			}
		}
	}
	if err := save(); err != nil {
		return nil, err
	}
	switch {
	case errors.Is(in.body.err, errTooLarge):
		return nil, &breakwater.Error{Kind: breakwater.TooLarge, Message: fmt.Sprintf("the table is larger than %d bytes: send it in parts; its first %d assets were taken", namesMaxBytes, t.Accepted)}
	case in.body.err != nil:
		t.reject(last+1, errors.New(bodyEnded(in.body.err)))
	case columns == nil:
		return nil, noColumns
	}
	return &response[Tally]{t}, nil
}

var noColumns = &breakwater.Error{Kind: breakwater.Invalid, Field: "body",
	Message: "the first line of the table must name its columns: ip or mac, and name or zone, as in ip,name,zone"}

// columns says which cell of a line is what; -1: there is none.
type columns struct {
	comma               rune
	ip, mac, name, zone int
}

func readColumns(line string) (*columns, error) {
	c := &columns{comma: ','}
	if strings.Count(line, ";") > strings.Count(line, ",") {
		c.comma = ';'
	}
	names, err := c.cells(line)
	if err != nil {
		return nil, noColumns
	}
	for i := range names {
		names[i] = strings.ToLower(names[i])
	}
	find := func(alternatives ...string) int {
		return slices.IndexFunc(names, func(name string) bool { return slices.Contains(alternatives, name) })
	}
	c.ip, c.mac, c.name, c.zone = find("ip", "address", "ip address"), find("mac", "mac address"), find("name", "hostname"), find("zone")
	if c.ip < 0 && c.mac < 0 || c.name < 0 && c.zone < 0 {
		return nil, noColumns
	}
	return c, nil
}

// cells is one line taken apart.
func (c *columns) cells(line string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = c.comma
	cells, err := r.Read()
	if err != nil {
		return nil, errors.New("the line is not CSV: a quote is open, or stands inside a cell that is not quoted")
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells, nil
}

// asset is what a line says.
func (c *columns) asset(facility, line string) (a breakwater.Asset, err error) {
	cells, err := c.cells(line)
	if err != nil {
		return a, err
	}
	cell := func(i int) string {
		if i < 0 || i >= len(cells) {
			return ""
		}
		return cells[i]
	}
	a = breakwater.Asset{FacilityID: facility, Name: printable(unquoted(cell(c.name))), Zone: printable(unquoted(cell(c.zone)))}
	if text := cell(c.ip); text != "" {
		if a.IP, err = netip.ParseAddr(text); err != nil {
			return a, fmt.Errorf("%q is not an IP address", clip(text))
		}
		a.IP = a.IP.Unmap()
	} else if err := a.MAC.UnmarshalText([]byte(cell(c.mac))); err != nil {
		return a, err
	}
	if a.Name == "" && a.Zone == "" {
		return a, errors.New("the line gives neither a name nor a zone")
	}
	return a, a.Check()
}

// unquoted takes away the quote that plainCell put before a text.
func unquoted(cell string) string {
	if text, quoted := strings.CutPrefix(cell, "'"); quoted && plainCell(text) == cell {
		return text
	}
	return cell
}

var assetWords = map[string]field{
	"facility_id": {doc: "The facility it is at.", example: "plant-1"},
	"ip":          {doc: "Its IP address; absent where it has none.", example: "10.0.0.11"},
	"mac":         {doc: "The MAC it was seen with last; absent where none was seen, or its packets come through a gateway.", example: "00:1b:1b:02:03:04"},
	"mac_seen":    {doc: "Data time at which it was last seen with that MAC.", example: "2026-03-01T08:02:00Z"},
	"vendor":      {doc: "Who made its network interface, by the MAC's first three bytes (IEEE Registration Authority); empty where that is not known.", example: "Siemens"},
	"role":        {doc: "What it is, judged by its traits: the first of gateway (routes), controller (answers), engineering-workstation (engineers), master (polls), server (serves).", example: "controller", enum: []any{"controller", "master", "engineering-workstation", "server", "gateway", "unknown"}},
	"traits":      {doc: "What it was seen doing: answers an industrial protocol, polls by it, engineers (programs, identifies, diagnoses, controls), serves something else, routes others' packets, remote (comes through a gateway), announced (told its MAC by ARP).", example: []any{"announced", "answers"}},
	"protocols":   {doc: "Protocols that it sent.", example: []any{"arp", "modbus"}},
	"peers":       {doc: "Addresses that it sent to; of more than 64 the lowest.", example: []any{"10.0.0.2"}},
	"first_seen":  {doc: "Data time at which it was first seen; absent where it was only named.", example: "2026-03-01T08:00:00Z"},
	"last_seen":   {doc: "Data time at which it was last seen, as last told: once a minute.", example: "2026-03-01T08:02:00Z"},
	"name":        {doc: "The name it was given; empty: none.", example: "PLC tank 1"},
	"zone":        {doc: "The zone it was put in; empty: none.", example: "cell 3"},
	"level":       {doc: "Its Purdue level: as its zone says (Level 2, L1 cell 3, DMZ), else by its role: controllers 1, masters 2, engineering workstations 3; absent where it is not known.", example: "1", enum: []any{"0", "1", "2", "3", "3.5", "4", "5"}},
}

var (
	talkWords = map[string]field{
		"facility_id": {doc: "The facility it is at.", example: "plant-1"},
		"client":      {doc: "IP address of the end that asks.", example: "10.0.0.2"},
		"server":      {doc: "IP address of the end that answers.", example: "10.0.0.11"},
		"protocol":    {doc: "What is spoken.", example: "modbus"},
		"port":        {doc: "The server's port; absent where there is none.", example: 502},
		"first_seen":  {doc: "Data time of the first message that was counted.", example: "2026-03-01T08:00:00Z"},
		"last_seen":   {doc: "Data time of the newest message that was counted, as last told: once a minute.", example: "2026-03-01T08:02:00Z"},
		"count":       {doc: "Requests; where none are decoded, connections that were accepted, of UDP streams of datagrams.", example: 2400},
		"functions":   {doc: "Which functions were asked for, by number; at most 64."},
	}
	useWords = map[string]field{
		"function":    {doc: "The function code or service.", example: 3},
		"subfunction": {doc: "What of it; absent where there is none.", example: 14},
		"name":        {doc: "Its name in the protocol.", example: "read holding registers"},
		"class":       {doc: "What it does to the device.", example: "read", enum: []any{"read", "write", "diagnostic", "identify", "program", "control", "unknown"}},
		"count":       {doc: "Requests.", example: 2400},
		"exceptions":  {doc: "Answers that refused.", example: 0},
	}
)
