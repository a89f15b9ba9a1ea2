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
	"strings"

	"breakwater"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

const (
	namesMaxBytes = 8 << 20
	namesLineMax  = 4 << 10
)

func (s *server) assetRoutes(h huma.API) {
	tags := []string{"Facilities"}
	register(s, h, huma.Operation{
		OperationID: "list-assets", Method: http.MethodGet, Path: "/api/facilities/{id}/assets", Tags: tags,
		Summary: "What is on a facility's network", Description: "As it was seen passing by, never asked. By address, those without one behind them by MAC. Filters are comma-separated lists; an asset passes that matches one value of each.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listAssets)
	table := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: "CSV, one asset a line.", Examples: []any{"ip,name,zone\n10.0.0.11,PLC tank 1,cell 3\n"}}}
	register(s, h, huma.Operation{
		OperationID: "import-assets", Method: http.MethodPost, Path: "/api/facilities/{id}/assets/import", Tags: tags,
		Summary: "Give assets names and zones", Description: "CSV whose first line names the columns: ip or mac, and name, zone; others are left alone. Separated by commas or semicolons, one asset a line. " +
			"An empty cell leaves what was given before; an asset that was not seen yet is listed from then on. A line that is wrong is rejected and harms none of the others. At most 8 MiB.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": table, "application/octet-stream": table}},
		Errors:      []int{http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.importAssets)
}

type assetFilter struct {
	ID       string                `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	Role     []breakwater.Role     `query:"role" nullable:"false" maxItems:"50" enum:"controller,master,engineering-workstation,server,gateway,unknown" example:"controller,gateway" doc:"Roles."`
	Protocol []breakwater.Protocol `query:"protocol" nullable:"false" example:"modbus" doc:"Protocols that it sent."`
	Zone     []string              `query:"zone" nullable:"false" example:"cell 3" doc:"Zones, as they were imported."`
	Vendor   []string              `query:"vendor" nullable:"false" example:"Siemens" doc:"Vendors, as they are listed."`
	Search   string                `query:"search" maxLength:"100" example:"10.0.0." doc:"A part of address, MAC, vendor, name or zone, in upper or lower case (on SQLite alike only for the letters A to Z)."`
	Page     int                   `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty."`
	Limit    int                   `query:"limit" minimum:"1" maximum:"200" default:"100" example:"50" doc:"The most on a page."`
}

type assetPage struct {
	Assets []breakwater.Asset `json:"assets" nullable:"false" doc:"The assets of this page."`
	Total  int                `json:"total" minimum:"0" example:"42" doc:"Assets under the filter, on all pages."`
	Page   int                `json:"page" minimum:"1" example:"1" doc:"Which page this is, from 1."`
	Pages  int                `json:"pages" minimum:"0" example:"1" doc:"How many pages there are."`
	Limit  int                `json:"limit" minimum:"1" maximum:"200" example:"100" doc:"The most on a page."`
}

func (s *server) listAssets(ctx context.Context, in *assetFilter) (*response[assetPage], error) {
	for _, values := range [][]string{in.Zone, in.Vendor, texts(in.Protocol), {in.Search}} {
		if slices.ContainsFunc(values, func(v string) bool { return len(v) > 128 || strings.ContainsRune(v, 0) }) || len(values) > 50 {
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "filter", Message: "a filter has more than 50 values, one of more than 128 bytes, or a NUL"}
		}
	}
	page, err := s.Store.Assets(ctx, store.AssetFilter{Facility: in.ID, Roles: in.Role, Protocols: in.Protocol, Zones: in.Zone, Vendors: in.Vendor,
		Search: in.Search, Page: in.Page, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &response[assetPage]{assetPage{page.Assets, page.Total, in.Page, page.Pages, in.Limit}}, nil
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
	a = breakwater.Asset{FacilityID: facility, Name: printable(cell(c.name)), Zone: printable(cell(c.zone))}
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
}
