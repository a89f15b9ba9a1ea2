package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"breakwater"
	"breakwater/internal/detect"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) facilityRoutes(h huma.API) {
	tags := []string{"Facilities"}
	register(s, h, huma.Operation{
		OperationID: "list-facilities", Method: http.MethodGet, Path: "/api/facilities", Tags: tags,
		Summary: "List facilities", Description: "By id: whoever has sent anything, or was named.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listFacilities)
	register(s, h, huma.Operation{
		OperationID: "get-config", Method: http.MethodGet, Path: "/api/facilities/{id}/config", Tags: tags,
		Summary: "What a sensor of the facility runs with", Description: "Its ETag changes when any of it does: ask again with If-None-Match. A facility of which nothing is known yet has a configuration too.",
		Errors:    []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"304": {Description: "It is as If-None-Match says."}},
	}, s.getConfig)
	register(s, h, huma.Operation{
		OperationID: "put-sensor", Method: http.MethodPut, Path: "/api/facilities/{id}/sensor", Tags: tags,
		Summary: "Say hello as the facility's sensor", Description: "A sensor does so when it starts and every ten seconds; one that is not heard of for 30 s is silent.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.putSensor)
}

type listRequest struct {
	Page  int `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty."`
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"100" example:"50" doc:"The most on a page."`
}

type facilityPage struct {
	Facilities []breakwater.Facility `json:"facilities" nullable:"false" doc:"The facilities of this page."`
	Total      int                   `json:"total" minimum:"0" example:"6" doc:"Facilities on all pages."`
	Page       int                   `json:"page" minimum:"1" example:"1" doc:"Which page this is, from 1."`
	Pages      int                   `json:"pages" minimum:"0" example:"1" doc:"How many pages there are."`
	Limit      int                   `json:"limit" minimum:"1" maximum:"200" example:"100" doc:"The most on a page."`
}

func (s *server) listFacilities(ctx context.Context, in *listRequest) (*response[facilityPage], error) {
	page, err := s.Store.Facilities(ctx, in.Page, in.Limit)
	if err != nil {
		return nil, err
	}
	return &response[facilityPage]{facilityPage{page.Facilities, page.Total, in.Page, page.Pages, in.Limit}}, nil
}

type configRequest struct {
	ID          string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	IfNoneMatch string `header:"If-None-Match" example:"\"8f14e45fceea167a-3\"" doc:"The ETag of what the sensor has."`
}

type configResponse struct {
	ETag string `header:"ETag" doc:"Changes when any of it does." example:"\"8f14e45fceea167a-3\""`
	Body sensorConfig
}

type sensorConfig struct {
	FacilityID      string        `json:"facility_id" example:"plant-1" doc:"The facility."`
	Rules           []configRule  `json:"rules" nullable:"false" doc:"The rules to detect with, by id."`
	RulesHash       string        `json:"rules_hash" example:"8f14e45fceea167a" doc:"Changes when a rule does."`
	BaselineVersion int           `json:"baseline_version" minimum:"0" example:"3" doc:"Version of what was learned, to be read from GET /api/facilities/{id}/baseline; 0: nothing was."`
	Models          []configModel `json:"models" nullable:"false" doc:"The models to detect with, by kind; at most one of each."`
}

type configModel struct {
	Kind        string `json:"kind" example:"autoencoder" doc:"The kind of model."`
	Version     int64  `json:"version" minimum:"1" example:"42" doc:"Its version, whose file is to be read from GET /api/models/{version}/file."`
	Fingerprint string `json:"fingerprint" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" doc:"SHA-256 of its file, in hex."`
}

type configRule struct {
	ID   string `json:"id" example:"write-from-new-host" doc:"The rule's id."`
	Hash string `json:"hash" example:"9a0364b9e99bb480" doc:"Changes when the rule does."`
	Text string `json:"text" example:"id: write-from-new-host" doc:"The rule itself, YAML."`
}

func (s *server) getConfig(ctx context.Context, in *configRequest) (*configResponse, error) {
	version, err := s.Store.BaselineVersion(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	models, err := s.Store.ActiveModels(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	c := sensorConfig{FacilityID: in.ID, Rules: []configRule{}, RulesHash: detect.RulesHash(s.Flow.Rules), BaselineVersion: version, Models: []configModel{}}
	tag := fmt.Sprintf("%s-%d", c.RulesHash, version)
	for _, m := range models {
		c.Models = append(c.Models, configModel{m.Kind, m.Version, m.Fingerprint})
		tag += fmt.Sprintf("-%d", m.Version)
	}
	etag := fmt.Sprintf("%q", tag)
	if matches(in.IfNoneMatch, etag) {
		return nil, huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"ETag": {etag}})
	}
	for _, r := range s.Flow.Rules {
		c.Rules = append(c.Rules, configRule{r.ID, r.Hash(), r.Text()})
	}
	return &configResponse{ETag: etag, Body: c}, nil
}

type sensorRequest struct {
	ID   string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	Body struct {
		Version        string    `json:"version" maxLength:"64" example:"1.2.3" doc:"The program's version."`
		Source         string    `json:"source" maxLength:"256" example:"eth1" doc:"What it taps."`
		Time           time.Time `json:"time" example:"2026-03-01T08:00:00Z" doc:"Its clock."`
		SpooledBytes   int64     `json:"spooled_bytes" minimum:"0" example:"0" doc:"What waits there to be sent."`
		LostWindows    int64     `json:"lost_windows" minimum:"0" example:"0" doc:"Windows it had to give up since its spool was made."`
		LostDetections int64     `json:"lost_detections" minimum:"0" example:"0" doc:"Detections it had to give up."`
	}
}

func (s *server) putSensor(ctx context.Context, in *sensorRequest) (*response[breakwater.Sensor], error) {
	at := now()
	b := &in.Body
	ahead := b.Time.Sub(at)
	n := breakwater.Sensor{FacilityID: in.ID, Version: printable(b.Version), Source: printable(b.Source), HeardAt: at,
		ClockOffsetMS: ahead.Milliseconds(), SpooledBytes: b.SpooledBytes, LostWindows: b.LostWindows, LostDetections: b.LostDetections}
	if err := s.Store.SaveSensor(ctx, n); err != nil {
		return nil, err
	}
	return &response[breakwater.Sensor]{n}, nil
}

var (
	facilityWords = map[string]field{
		"id":               {doc: "The facility's id.", example: "plant-1"},
		"last_seen":        {doc: "Data time of its newest window or detection; null where none came yet.", example: "2026-03-01T08:02:00Z"},
		"assets":           {doc: "Devices seen or named there.", example: 42},
		"active_alerts":    {doc: "Its alerts that are new or acknowledged.", example: 3},
		"baseline_version": {doc: "Version of what was learned of its normal traffic; 0: nothing was.", example: 2},
		"sensor":           {doc: "The sensor that stands there, as it last told of itself; null where its traffic comes another way."},
	}
	sensorWords = map[string]field{
		"facility_id":     {doc: "The facility it stands at.", example: "plant-1"},
		"version":         {doc: "The program's version.", example: "1.2.3"},
		"source":          {doc: "What it taps.", example: "eth1"},
		"heard_at":        {doc: "When it was heard of last, by the server's clock.", example: "2026-03-01T08:02:00Z"},
		"clock_offset_ms": {doc: "By how many milliseconds its clock is ahead of the server's.", example: -12},
		"spooled_bytes":   {doc: "What waits there to be sent, in bytes.", example: 0},
		"lost_windows":    {doc: "Windows it had to give up since its spool was made, because the server was away for too long or its disk was full.", example: 0},
		"lost_detections": {doc: "Detections it had to give up for the same reasons.", example: 0},
	}
)
