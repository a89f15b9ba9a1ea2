package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"breakwater"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) alertRoutes(h huma.API) {
	tags := []string{"Alerts"}
	filtered := []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	register(s, h, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/api/alerts", Tags: tags,
		Summary: "List alerts", Description: "Filters are comma-separated lists; an alert passes that matches one value of each. Pages by number reach the first 10,000 alerts; next_cursor, given back as cursor, reaches all, " +
			"and shows none twice while new ones arrive. Times are data time.",
		Errors: filtered,
	}, s.listAlerts)
	register(s, h, huma.Operation{
		OperationID: "get-alert-stats", Method: http.MethodGet, Path: "/api/alerts/stats", Tags: tags,
		Summary: "Count alerts", Description: "Exact, under the same filters as the list.",
		Errors: filtered,
	}, s.alertStats)
	register(s, h, huma.Operation{
		OperationID: "get-alert", Method: http.MethodGet, Path: "/api/alerts/{id}", Tags: tags,
		Summary: "One alert with its history",
		Errors:  []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.getAlert)
	s.alertChangeRoutes(h)
	s.alertExportRoutes(h)
}

// TimeFilter is a stretch of time as a query names it. It is exported, like others here, because huma passes over
// unexported structs that are embedded.
type TimeFilter struct {
	TimeRange string    `query:"time_range" enum:"24h,7d,30d" example:"24h" doc:"The time up to now; in place of from and to."`
	From      time.Time `query:"from" example:"2026-03-01T00:00:00Z" doc:"Not before this time."`
	To        time.Time `query:"to" example:"2026-03-02T00:00:00Z" doc:"Before this time."`
}

// span is from when to when, zero being open.
func (f *TimeFilter) span(now time.Time) (from, to time.Time, err error) {
	for name, t := range map[string]time.Time{"from": f.From, "to": f.To} {
		if y := t.UTC().Year(); y < 1 || y > 9999 {
			return from, to, &breakwater.Error{Kind: breakwater.Invalid, Field: name, Message: name + " is not between the years 1 and 9999"}
		}
	}
	switch {
	case f.TimeRange == "":
		if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
			return from, to, &breakwater.Error{Kind: breakwater.Invalid, Field: "to", Message: "to is not after from: nothing can lie between them"}
		}
		return f.From, f.To, nil
	case !f.From.IsZero() || !f.To.IsZero():
		return from, to, &breakwater.Error{Kind: breakwater.Invalid, Field: "time_range", Message: "time_range and from or to are both given: use one of them"}
	}
	return now.Add(-map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}[f.TimeRange]), to, nil
}

// AlertFilter is the filters that the list, the statistics and the export have in common.
type AlertFilter struct {
	Facility  []string              `query:"facility" maxItems:"200" nullable:"false" example:"plant-1,plant-2" doc:"Ids of facilities."`
	Severity  []breakwater.Severity `query:"severity" maxItems:"200" nullable:"false" enum:"critical,high,medium,low" example:"critical,high" doc:"Severities."`
	Status    []breakwater.Status   `query:"status" maxItems:"200" nullable:"false" enum:"new,acknowledged,resolved,false-positive" example:"new,acknowledged" doc:"Statuses. Unresolved alerts are those new or acknowledged."`
	Technique []string              `query:"technique" maxItems:"200" nullable:"false" example:"T0846,T0855" doc:"ATT&CK ids: an alert passes that has one of them among its techniques."`
	Assignee  []string              `query:"assignee" maxItems:"200" nullable:"false" example:"ada,unassigned" doc:"Who works on it; unassigned is nobody."`
	Search    string                `query:"search" maxLength:"200" example:"10.0.0.57 wrote" doc:"Words to look for in title and description, without regard to case. A word is found where another begins, or a part of one after . : _ - /, so 10.0.0 finds 10.0.0.57 and host finds write-from-new-host. All must be found; at most 10."`
	TimeFilter
	Muted string `query:"muted" enum:"true,false" example:"false" doc:"true: only alerts that a mute covers; false: only others."`
}

// filter checks what the description cannot say and turns it into the store's words.
func (f *AlertFilter) filter(now time.Time) (store.AlertFilter, error) {
	out := store.AlertFilter{Facilities: f.Facility, Severities: f.Severity, Statuses: f.Status, Techniques: f.Technique, Assignees: f.Assignee, Search: f.Search}
	if err := checkFacilities(f.Facility); err != nil {
		return out, err
	}
	for _, t := range f.Technique {
		if !breakwater.IsTechnique(t) {
			return out, &breakwater.Error{Kind: breakwater.Invalid, Field: "technique", Message: "technique " + clip(t) + " is not an ATT&CK id like T0855"}
		}
	}
	for _, a := range f.Assignee {
		if err := breakwater.CheckText("assignee", a, assigneeMax); err != nil {
			return out, err
		}
	}
	if f.Muted != "" {
		muted := f.Muted == "true"
		out.Muted = &muted
	}
	var err error
	out.From, out.To, err = f.span(now)
	return out, err
}

type alertQuery struct {
	AlertFilter
	Sort   store.AlertSort `query:"sort" enum:"-timestamp,timestamp,-last_seen,last_seen,-severity,severity" default:"-timestamp" example:"-severity" doc:"The order; minus is descending. Within a severity the newest come first; those of the same time are in the order of their ids."`
	Page   int             `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty; one that begins past the first 10,000 alerts is refused: use cursor."`
	Limit  int             `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Alerts on a page."`
	Cursor string          `query:"cursor" maxLength:"200" example:"LXRpbWVzdGFtcA" doc:"The next_cursor of another page under the same filters and sort: what comes behind it. In place of page."`
}

// alertItem is an alert in a list.
type alertItem struct {
	breakwater.Alert
	RelativeTime string `json:"relative_time" example:"3 minutes ago" doc:"How long ago the alert's timestamp was when this was answered, in words."`
}

type alertPage struct {
	Alerts     []alertItem `json:"alerts" nullable:"false" doc:"The alerts of this page."`
	Total      int         `json:"total" minimum:"0" example:"42" doc:"Alerts under the filter, on all pages."`
	Page       int         `json:"page" minimum:"0" example:"1" doc:"Which page this is, from 1; 0 where it was asked for by cursor."`
	Pages      int         `json:"pages" minimum:"0" example:"5" doc:"How many pages there are; 0 where no alert passes."`
	Limit      int         `json:"limit" minimum:"1" maximum:"200" example:"10" doc:"The most alerts on a page."`
	NextCursor *string     `json:"next_cursor" example:"LXRpbWVzdGFtcA" doc:"The cursor of what comes behind this page; null where nothing does."`
}

// response is an answer with a JSON body.
type response[T any] struct{ Body T }

func (s *server) listAlerts(ctx context.Context, q *alertQuery) (*response[alertPage], error) {
	now := time.Now()
	filter, err := q.filter(now)
	if err != nil {
		return nil, err
	}
	page, err := s.Store.Alerts(ctx, store.AlertQuery{AlertFilter: filter, Sort: q.Sort, Page: q.Page, Limit: q.Limit, After: q.Cursor})
	if err != nil {
		return nil, err
	}
	out := alertPage{Alerts: alertItems(page.Alerts, now), Total: page.Total, Page: q.Page, Pages: page.Pages, Limit: q.Limit, NextCursor: orNil(page.Next)}
	if q.Cursor != "" {
		out.Page = 0
	}
	return &response[alertPage]{out}, nil
}

func alertItems(alerts []breakwater.Alert, now time.Time) []alertItem {
	items := make([]alertItem, len(alerts))
	for i, a := range alerts {
		items[i] = alertItem{a, ago(now.Sub(a.Timestamp))}
	}
	return items
}

// orNil is nil for "".
func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

type alertStats struct {
	Total          int                         `json:"total" minimum:"0" example:"42" doc:"Alerts under the filter."`
	Critical       int                         `json:"critical" minimum:"0" example:"3" doc:"Those of severity critical."`
	Unresolved     int                         `json:"unresolved" minimum:"0" example:"7" doc:"Those new or acknowledged."`
	FalsePositives int                         `json:"false_positives" minimum:"0" example:"2" doc:"Those of status false-positive."`
	BySeverity     map[breakwater.Severity]int `json:"by_severity" example:"{\"critical\":3,\"high\":9,\"medium\":20,\"low\":10}" doc:"How many of each severity; all four are there."`
	ByStatus       map[breakwater.Status]int   `json:"by_status" example:"{\"new\":5,\"acknowledged\":2,\"resolved\":33,\"false-positive\":2}" doc:"How many of each status; all four are there."`
	ByFacility     map[string]int              `json:"by_facility" example:"{\"plant-1\":42}" doc:"How many of each facility that has any."`
	ByTechnique    map[string]int              `json:"by_technique" example:"{\"T0846\":12}" doc:"How many show each technique that any shows. An alert counts for each of its techniques."`
	Interval       string                      `json:"interval" enum:"hour,day,month,year" example:"hour" doc:"How long each interval of the timeline is: the shortest that makes of it at most 100."`
	Timeline       []timeCount                 `json:"timeline" nullable:"false" doc:"How many began in each interval, oldest first, with the empty ones in between; their sum is total. It reaches over the filter's time; where that has no beginning from the first alert, where it has no end to the last or, where it has a beginning, to now."`
}

type timeCount struct {
	Time  time.Time `json:"time" example:"2026-03-01T08:00:00Z" doc:"Beginning of the interval, in UTC."`
	Count int       `json:"count" minimum:"0" example:"4" doc:"Alerts whose timestamp lies in it."`
}

func (s *server) alertStats(ctx context.Context, q *AlertFilter) (*response[alertStats], error) {
	now := time.Now()
	filter, err := q.filter(now)
	if err != nil {
		return nil, err
	}
	stats, err := s.Store.AlertStats(ctx, filter, now)
	if err != nil {
		return nil, err
	}
	out := alertStats{
		Total: stats.Total, Critical: stats.BySeverity[breakwater.Critical], FalsePositives: stats.ByStatus[breakwater.StatusFalsePositive],
		Unresolved: stats.ByStatus[breakwater.StatusNew] + stats.ByStatus[breakwater.StatusAcknowledged],
		BySeverity: stats.BySeverity, ByStatus: stats.ByStatus, ByFacility: stats.ByFacility, ByTechnique: stats.ByTechnique,
		Interval: stats.Interval, Timeline: make([]timeCount, len(stats.Timeline)),
	}
	for i, t := range stats.Timeline {
		out.Timeline[i] = timeCount(t)
	}
	return &response[alertStats]{out}, nil
}

// AlertID names one alert in a path.
type AlertID struct {
	ID string `path:"id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert's id, a UUID."`
}

type alertDetail struct {
	breakwater.Alert
	RelativeTime string                  `json:"relative_time" example:"3 minutes ago" doc:"How long ago the alert's timestamp was when this was answered, in words."`
	History      []breakwater.AlertEvent `json:"history" nullable:"false" doc:"What happened to it, oldest first. Of detections the first 200 are listed; all are counted."`
}

// alertAnswer is one alert, with its version as its ETag.
type alertAnswer struct {
	Status int
	ETag   string `header:"ETag" example:"\"3\"" doc:"The alert's version, in quotes: for If-Match."`
	Body   alertDetail
}

func answerAlert(status int, a *breakwater.Alert) *alertAnswer {
	return &alertAnswer{
		Status: status, ETag: fmt.Sprintf("%q", strconv.Itoa(a.Version)),
		Body: alertDetail{Alert: *a, RelativeTime: ago(time.Since(a.Timestamp)), History: a.History},
	}
}

func (s *server) getAlert(ctx context.Context, in *AlertID) (*alertAnswer, error) {
	id, err := breakwater.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	a, err := s.Store.Alert(ctx, id)
	if err != nil {
		return nil, err
	}
	return answerAlert(http.StatusOK, a), nil
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
