package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) muteRoutes(h huma.API) {
	tags := []string{"Mutes"}
	register(s, h, huma.Operation{
		OperationID: "list-mutes", Method: http.MethodGet, Path: "/api/mutes", Tags: tags,
		Summary: "List mutes", Description: "Those that end last come first.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listMutes)
	register(s, h, huma.Operation{
		OperationID: "create-mute", Method: http.MethodPost, Path: "/api/mutes", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Keep alerts quiet for a time",
		Description: "As during maintenance. It covers the detections of all that it names (facility, asset, rule, technique) whose data time lies in it and which arrive while it is there. " +
			"An alert is kept, and is marked as muted while the newest detection of each of its sources is covered: what goes on after the mute, or is told by another rule, shows.",
		Errors: append([]int{http.StatusConflict}, bodyErrors...),
	}, s.createMute)
	register(s, h, huma.Operation{
		OperationID: "delete-mute", Method: http.MethodDelete, Path: "/api/mutes/{id}", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "End a mute", Description: "What it marked stays marked until it goes on.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.deleteMute)
}

type muteQuery struct {
	Ended string `query:"ended" enum:"true,false" default:"false" example:"true" doc:"true: those that have ended by the clock, too."`
	Page  int    `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty."`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Mutes on a page."`
}

type mutePage struct {
	Mutes []breakwater.Mute `json:"mutes" nullable:"false" doc:"The mutes of this page."`
	Total int               `json:"total" minimum:"0" example:"2" doc:"How many there are, on all pages."`
	Page  int               `json:"page" minimum:"1" example:"1" doc:"Which page this is, from 1."`
	Pages int               `json:"pages" minimum:"0" example:"1" doc:"How many pages there are; 0 where there is no mute."`
	Limit int               `json:"limit" minimum:"1" maximum:"200" example:"10" doc:"The most mutes on a page."`
}

func (s *server) listMutes(ctx context.Context, q *muteQuery) (*response[mutePage], error) {
	after := time.Now()
	if q.Ended == "true" {
		after = time.Time{}
	}
	page, err := s.Store.Mutes(ctx, after, q.Page, q.Limit)
	if err != nil {
		return nil, err
	}
	return &response[mutePage]{mutePage{Mutes: page.Mutes, Total: page.Total, Page: q.Page, Pages: page.Pages, Limit: q.Limit}}, nil
}

type muteRequest struct {
	Body struct {
		FacilityID string     `json:"facility_id,omitempty" example:"plant-1" doc:"The facility; where absent, every one. At least one of facility_id, asset, rule and technique must be there."`
		Asset      string     `json:"asset,omitempty" maxLength:"64" example:"10.0.0.11" doc:"The asset; where absent, every one."`
		Rule       string     `json:"rule,omitempty" maxLength:"64" example:"write-from-new-host" doc:"The rule or model; where absent, every one."`
		Technique  string     `json:"technique,omitempty" pattern:"^T[0-9]{4}(\\.[0-9]{3})?$" patternDescription:"a technique's id like T0855 or T0855.001" example:"T0855" doc:"ATT&CK for ICS id; where absent, every one."`
		From       *time.Time `json:"from,omitempty" example:"2026-03-01T08:00:00Z" doc:"Data time from which it holds; where absent, now."`
		Until      time.Time  `json:"until" example:"2026-03-01T12:00:00Z" doc:"Data time up to which it holds: at most 366 days after from."`
		Reason     string     `json:"reason" minLength:"1" maxLength:"1000" example:"Firmware update of PLC 11, work order 4711." doc:"Why, for others."`
	}
}

func (s *server) createMute(ctx context.Context, in *muteRequest) (*response[breakwater.Mute], error) {
	b := in.Body
	m := breakwater.Mute{FacilityID: b.FacilityID, Asset: b.Asset, Rule: b.Rule, Technique: b.Technique, Until: b.Until,
		Reason: strings.TrimSpace(b.Reason), By: localActor, CreatedAt: time.Now()}
	m.From = m.CreatedAt
	if b.From != nil {
		m.From = *b.From
	}
	kept, err := s.Store.SaveMute(ctx, m)
	if err != nil {
		return nil, err
	}
	return &response[breakwater.Mute]{kept}, nil
}

type muteID struct {
	ID string `path:"id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The mute's id, a UUID."`
}

func (s *server) deleteMute(ctx context.Context, in *muteID) (*struct{}, error) {
	id, err := breakwater.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.DeleteMute(ctx, id)
}
