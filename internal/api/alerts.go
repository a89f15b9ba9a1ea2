package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"breakwater"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) alertRoutes(h huma.API) {
	register(s, h, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/api/alerts", Tags: []string{"Alerts"},
		Summary: "List alerts", Description: "Newest first by data time, those of the same time by id. Filters are comma-separated lists; an alert passes that matches one value of each.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listAlerts)
	register(s, h, huma.Operation{
		OperationID: "get-alert", Method: http.MethodGet, Path: "/api/alerts/{id}", Tags: []string{"Alerts"},
		Summary: "One alert with its history",
		Errors:  []int{http.StatusNotFound, http.StatusServiceUnavailable},
	}, s.getAlert)
}

type alertFilter struct {
	Facility []string              `query:"facility" nullable:"false" example:"plant-1,plant-2" doc:"Ids of facilities."`
	Severity []breakwater.Severity `query:"severity" nullable:"false" enum:"critical,high,medium,low" example:"critical,high" doc:"Severities."`
	Status   []breakwater.Status   `query:"status" nullable:"false" enum:"new,acknowledged,resolved,false-positive" example:"new,acknowledged" doc:"Statuses. Unresolved alerts are those new or acknowledged."`
	Page     int                   `query:"page" minimum:"1" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty."`
	Limit    int                   `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Alerts on a page."`
}

type alertPage struct {
	Alerts []breakwater.Alert `json:"alerts" nullable:"false" doc:"The alerts of this page."`
	Total  int                `json:"total" minimum:"0" example:"42" doc:"Alerts under the filter, on all pages."`
	Page   int                `json:"page" minimum:"1" example:"1" doc:"Which page this is, from 1."`
	Pages  int                `json:"pages" minimum:"0" example:"5" doc:"How many pages there are; 0 where no alert passes."`
	Limit  int                `json:"limit" minimum:"1" maximum:"200" example:"10" doc:"The most alerts on a page."`
}

// response is an answer with a JSON body.
type response[T any] struct{ Body T }

func (s *server) listAlerts(ctx context.Context, f *alertFilter) (*response[alertPage], error) {
	for _, id := range f.Facility {
		if err := breakwater.CheckFacilityID(id); err != nil {
			return nil, err
		}
	}
	page, err := s.Store.Alerts(ctx, store.AlertFilter{Facilities: f.Facility, Severities: f.Severity, Statuses: f.Status, Page: f.Page, Limit: f.Limit})
	if err != nil {
		return nil, err
	}
	return &response[alertPage]{alertPage{Alerts: page.Alerts, Total: page.Total, Page: f.Page, Pages: page.Pages, Limit: f.Limit}}, nil
}

type alertID struct {
	ID string `path:"id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert's id, a UUID."`
}

type alertDetail struct {
	breakwater.Alert
	RelativeTime string                  `json:"relative_time" example:"3 minutes ago" doc:"How long ago the alert's timestamp was when this was answered, in words."`
	History      []breakwater.AlertEvent `json:"history" nullable:"false" doc:"What happened to it, oldest first. Of detections the first 200 are listed; all are counted."`
}

func (s *server) getAlert(ctx context.Context, in *alertID) (*response[alertDetail], error) {
	id, err := breakwater.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	a, err := s.Store.Alert(ctx, id)
	if err != nil {
		return nil, err
	}
	return &response[alertDetail]{alertDetail{Alert: *a, RelativeTime: ago(time.Since(a.Timestamp)), History: a.History}}, nil
}

// ago says in words how long ago something was, cut to the greatest unit: "3 minutes ago", "in 2 days".
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	form := "%s ago"
	if d < 0 { // a capture may come from a clock that runs ahead
		form, d = "in %s", -d
	}
	for _, unit := range []struct {
		name string
		len  time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"day", day}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		switch n := int64(d / unit.len); {
		case n == 1:
			return fmt.Sprintf(form, "1 "+unit.name)
		case n > 1:
			return fmt.Sprintf(form, fmt.Sprintf("%d %ss", n, unit.name))
		}
	}
	return "just now"
}
