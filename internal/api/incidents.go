package api

import (
	"context"
	"net/http"
	"time"

	"breakwater"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) incidentRoutes(h huma.API) {
	tags := []string{"Incidents"}
	register(s, h, huma.Operation{
		OperationID: "list-incidents", Method: http.MethodGet, Path: "/api/incidents", Tags: tags,
		Summary: "List incidents", Description: "Two or more alerts of one facility that belong together: of one attacker, which is the client of their conversations, or of one who goes on from asset to asset. " +
			"An attacker who was silent for more than an hour begins another incident. Those last seen come first.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listIncidents)
	register(s, h, huma.Operation{
		OperationID: "get-incident", Method: http.MethodGet, Path: "/api/incidents/{id}", Tags: tags,
		Summary: "One incident with its alerts", Description: "The id of any of its alerts finds it. As more becomes known, two incidents may turn out to be one, which then has the id of its first alert.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.getIncident)
}

type incidentQuery struct {
	Facility []string `query:"facility" maxItems:"200" nullable:"false" example:"plant-1,plant-2" doc:"Ids of facilities."`
	TimeFilter
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Incidents on a page."`
	Cursor string `query:"cursor" maxLength:"200" example:"MjAyNi0wMy0wMQ" doc:"The next_cursor of another page under the same filters: what comes behind it."`
}

type incidentPage struct {
	Incidents  []breakwater.Incident `json:"incidents" nullable:"false" doc:"The incidents of this page: those that went on in the filter's time."`
	Total      int                   `json:"total" minimum:"0" example:"3" doc:"Incidents under the filter, on all pages."`
	Limit      int                   `json:"limit" minimum:"1" maximum:"200" example:"10" doc:"The most incidents on a page."`
	NextCursor *string               `json:"next_cursor" example:"MjAyNi0wMy0wMQ" doc:"The cursor of what comes behind this page; null where nothing does."`
}

func (s *server) listIncidents(ctx context.Context, q *incidentQuery) (*response[incidentPage], error) {
	if err := checkFacilities(q.Facility); err != nil {
		return nil, err
	}
	from, to, err := q.span(time.Now())
	if err != nil {
		return nil, err
	}
	page, err := s.Store.Incidents(ctx, store.IncidentQuery{Facilities: q.Facility, From: from, To: to, After: q.Cursor, Limit: q.Limit})
	if err != nil {
		return nil, err
	}
	return &response[incidentPage]{incidentPage{Incidents: page.Incidents, Total: page.Total, Limit: q.Limit, NextCursor: orNil(page.Next)}}, nil
}

type incidentID struct {
	ID string `path:"id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The id of the incident or of any of its alerts, a UUID."`
}

type incidentDetail struct {
	breakwater.Incident
	Alerts []alertItem `json:"alerts" nullable:"false" doc:"Its alerts in order of time: the first 1,000."`
}

func (s *server) getIncident(ctx context.Context, in *incidentID) (*response[incidentDetail], error) {
	id, err := breakwater.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	incident, alerts, err := s.Store.Incident(ctx, id)
	if err != nil {
		return nil, err
	}
	return &response[incidentDetail]{incidentDetail{Incident: *incident, Alerts: alertItems(alerts, time.Now())}}, nil
}
