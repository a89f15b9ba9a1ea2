package api

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"time"

	"breakwater"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) predictionRoutes(h huma.API) {
	tags := []string{"Predictions"}
	register(s, h, huma.Operation{
		OperationID: "list-predictions", Method: http.MethodGet, Path: "/api/predictions", Tags: tags,
		Summary: "List predictions", Description: "Newest first by data time, those of the same time by id. Pages by number reach the first 10,000; next_cursor, given back as cursor, reaches all.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listPredictions)
	register(s, h, huma.Operation{
		OperationID: "get-latest-prediction", Method: http.MethodGet, Path: "/api/predictions/latest", Tags: tags,
		Summary: "The newest prediction", Description: "The newest by data time; `null` where there is none.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.latestPrediction)
	orNull(h, "/api/predictions/latest")
	register(s, h, huma.Operation{
		OperationID: "get-prediction", Method: http.MethodGet, Path: "/api/predictions/{id}", Tags: tags,
		Summary: "One prediction",
		Errors:  []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.getPrediction)
	register(s, h, huma.Operation{
		OperationID: "report-prediction", Method: http.MethodPost, Path: "/api/predictions", Tags: tags,
		Summary:       "Report a prediction of another engine",
		Description:   "The same report twice is one prediction: the second time is answered with 200. An id that names another prediction is refused with 409.",
		DefaultStatus: http.StatusCreated,
		Errors:        append([]int{http.StatusConflict}, bodyErrors...),
		Responses:     map[string]*huma.Response{"200": sameBody(h, breakwater.Prediction{}, "It was reported before, and is answered as it stands now.")},
	}, s.reportPrediction)
	register(s, h, huma.Operation{
		OperationID: "validate-prediction", Method: http.MethodPost, Path: "/api/predictions/{id}/validate", Tags: tags,
		Summary: "Mark a prediction as one that came true", Description: "The second time changes nothing.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.validatePrediction)
}

// bodyErrors are what a route with a JSON body may answer beside its own.
var bodyErrors = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}

// orNull describes that what is read at a path may not be there.
func orNull(h huma.API, path string) {
	body := h.OpenAPI().Paths[path].Get.Responses["200"].Content["application/json"]
	body.Schema = &huma.Schema{OneOf: []*huma.Schema{body.Schema, {Type: "null"}}}
}

// sameBody describes a further status of a route whose body is of type v.
func sameBody(h huma.API, v any, description string) *huma.Response {
	schema := huma.SchemaFromType(h.OpenAPI().Components.Schemas, reflect.TypeOf(v))
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

type predictionFilter struct {
	Facility  []string `query:"facility" nullable:"false" example:"plant-1,plant-2" doc:"Ids of facilities."`
	Validated string   `query:"validated" enum:"true,false" example:"true" doc:"true: only those that came true; false: only those that did not, so far."`
	Page      int      `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty; one that begins past the first 10,000 predictions is refused: use cursor."`
	Limit     int      `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Predictions on a page."`
	Cursor    string   `query:"cursor" maxLength:"200" example:"MjAyNi0wMy0wMQ" doc:"The next_cursor of another page under the same filters: what comes behind it. In place of page."`
}

type predictionPage struct {
	Predictions []breakwater.Prediction `json:"predictions" nullable:"false" doc:"The predictions of this page."`
	Total       int                     `json:"total" minimum:"0" example:"42" doc:"Predictions under the filter, on all pages."`
	Page        int                     `json:"page" minimum:"0" example:"1" doc:"Which page this is, from 1; 0 where it was asked for by cursor."`
	Pages       int                     `json:"pages" minimum:"0" example:"5" doc:"How many pages there are; 0 where no prediction passes."`
	Limit       int                     `json:"limit" minimum:"1" maximum:"200" example:"10" doc:"The most predictions on a page."`
	NextCursor  *string                 `json:"next_cursor" example:"MjAyNi0wMy0wMQ" doc:"The cursor of what comes behind this page; null where nothing does."`
}

func (s *server) listPredictions(ctx context.Context, f *predictionFilter) (*response[predictionPage], error) {
	filter := store.PredictionFilter{Facilities: f.Facility, Page: f.Page, Limit: f.Limit, After: f.Cursor}
	if f.Validated != "" {
		validated := f.Validated == "true"
		filter.Validated = &validated
	}
	if err := checkFacilities(f.Facility); err != nil {
		return nil, err
	}
	page, err := s.Store.Predictions(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := predictionPage{Predictions: page.Predictions, Total: page.Total, Page: f.Page, Pages: page.Pages, Limit: f.Limit, NextCursor: orNil(page.Next)}
	if f.Cursor != "" {
		out.Page = 0
	}
	return &response[predictionPage]{out}, nil
}

func checkFacilities(ids []string) error {
	for _, id := range ids {
		if err := breakwater.CheckFacilityID(id); err != nil {
			return err
		}
	}
	return nil
}

type facilities struct {
	Facility []string `query:"facility" nullable:"false" example:"plant-1,plant-2" doc:"Ids of facilities; of all where absent."`
}

func (s *server) latestPrediction(ctx context.Context, f *facilities) (*response[*breakwater.Prediction], error) {
	if err := checkFacilities(f.Facility); err != nil {
		return nil, err
	}
	p, err := s.Store.LatestPrediction(ctx, f.Facility)
	return &response[*breakwater.Prediction]{p}, err
}

type predictionID struct {
	ID string `path:"id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The prediction's id, a UUID."`
}

func (s *server) getPrediction(ctx context.Context, in *predictionID) (*response[*breakwater.Prediction], error) {
	id, err := breakwater.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.Store.Prediction(ctx, id)
	return &response[*breakwater.Prediction]{p}, err
}

type predictionReport struct {
	Body struct {
		ID          string     `json:"id,omitempty" format:"uuid" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"Its id; where absent, one is made of the timestamp, facility, source, technique and alert."`
		Timestamp   *time.Time `json:"timestamp,omitempty" example:"2026-03-01T08:00:00.000Z" doc:"Data time at which it was made, kept to the millisecond; where absent, now."`
		FacilityID  string     `json:"facility_id,omitempty" example:"plant-1" doc:"The facility it is about; where absent, the alert's, else default."`
		Source      string     `json:"source,omitempty" maxLength:"200" example:"attack-forecaster" doc:"The engine that predicts; where absent, external."`
		Current     string     `json:"current_technique" pattern:"^T[0-9]{4}(\\.[0-9]{3})?$" patternDescription:"a technique's id like T0855 or T0855.001" example:"T0846" doc:"ATT&CK for ICS id of the technique seen last, as T0846 or T0846.001."`
		CurrentName string     `json:"current_technique_name,omitempty" maxLength:"200" example:"Remote System Discovery" doc:"That technique's name."`
		AlertID     string     `json:"alert_id,omitempty" format:"uuid" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert that showed it."`
		Predicted   []forecast `json:"predicted_techniques" minItems:"1" maxItems:"200" nullable:"false" doc:"What may come next, each technique once. The ranks of n techniques are 1 to n."`
	}
}

// forecast is a PredictedTechnique as it is reported.
type forecast struct {
	TechniqueID   string  `json:"technique_id" pattern:"^T[0-9]{4}(\\.[0-9]{3})?$" patternDescription:"a technique's id like T0855 or T0855.001" example:"T0855" doc:"ATT&CK for ICS id of the technique, as T0855 or T0855.001."`
	TechniqueName string  `json:"technique_name,omitempty" maxLength:"200" example:"Unauthorized Command Message" doc:"Its name."`
	Probability   float64 `json:"probability" minimum:"0" maximum:"1" example:"0.42" doc:"How likely it is, 0 to 1."`
	Rank          int     `json:"rank" minimum:"1" maximum:"200" example:"1" doc:"Its place, 1 for the likeliest."`
	Timeframe     string  `json:"timeframe,omitempty" maxLength:"200" example:"15-60 minutes" doc:"How soon, in the engine's words."`
}

// created answers 201 for what is new and 200 for what was there.
type created[T any] struct {
	Status int
	Body   T
}

func createdOr200[T any](isNew bool, body T) *created[T] {
	if isNew {
		return &created[T]{http.StatusCreated, body}
	}
	return &created[T]{http.StatusOK, body}
}

func (s *server) reportPrediction(ctx context.Context, in *predictionReport) (*created[*breakwater.Prediction], error) {
	b := &in.Body
	p := breakwater.Prediction{
		Timestamp: time.Now(), FacilityID: b.FacilityID, Source: cmp.Or(b.Source, "external"), Current: b.Current, CurrentName: b.CurrentName,
		Predicted: make([]breakwater.PredictedTechnique, len(b.Predicted)),
	}
	if b.Timestamp != nil {
		p.Timestamp = *b.Timestamp
	}
	if b.ID != "" {
		id, err := breakwater.ParseID(b.ID)
		if err != nil {
			return nil, err
		}
		p.ID = id
	}
	if b.AlertID != "" {
		id, err := breakwater.ParseID(b.AlertID)
		if err != nil {
			return nil, err
		}
		p.AlertID = &id
	} else if p.FacilityID == "" {
		p.FacilityID = "default"
	}
	for i, t := range b.Predicted {
		p.Predicted[i] = breakwater.PredictedTechnique(t)
	}
	kept, isNew, err := s.Store.SavePrediction(ctx, p)
	if err != nil {
		return nil, err
	}
	if isNew {
		s.told(s.Hub.PredictionCreated(kept))
	}
	return createdOr200(isNew, kept), nil
}

func (s *server) validatePrediction(ctx context.Context, in *predictionID) (*response[*breakwater.Prediction], error) {
	id, err := breakwater.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	p, changed, err := s.Store.ValidatePrediction(ctx, id, now())
	if err != nil {
		return nil, err
	}
	if changed {
		s.told(s.Hub.PredictionValidated(p))
	}
	return &response[*breakwater.Prediction]{p}, nil
}

// now is the time as it is kept and shown.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// told logs that what was saved was not published.
func (s *server) told(err error) {
	if err != nil {
		s.Logger.Warn("something was saved but not published; open pages show it after a reload", "err", err)
	}
}

var (
	predictionWords = map[string]field{
		"id":                     {doc: "UUIDv7 of its timestamp, or as it was given.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
		"timestamp":              {doc: "Data time at which it was made.", example: "2026-03-01T08:00:00Z"},
		"facility_id":            {doc: "The facility it is about.", example: "plant-1"},
		"source":                 {doc: "The engine that predicts.", example: "attack-forecaster"},
		"current_technique":      {doc: "ATT&CK for ICS id of the technique seen last.", example: "T0846"},
		"current_technique_name": {doc: "That technique's name; empty where the engine gave none.", example: "Remote System Discovery"},
		"alert_id":               {doc: "The alert that showed it; null where none did, or it is not kept any more.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid", nullable: true},
		"validated":              {doc: "Whether a predicted technique was seen later.", example: true},
		"validation_time":        {doc: "When that was found; null until then.", example: "2026-03-01T08:20:00Z"},
		"predicted_techniques":   {doc: "What may come next, in order of rank."},
		"version":                {doc: "Grows by one with each saved change: of two copies the greater is newer.", example: 1},
	}
	predictedWords = map[string]field{
		"technique_id":   {doc: "ATT&CK for ICS id of the technique.", example: "T0855"},
		"technique_name": {doc: "Its name; empty where the engine gave none.", example: "Unauthorized Command Message"},
		"probability":    {doc: "How likely it is, 0 to 1.", example: 0.42},
		"rank":           {doc: "Its place, 1 for the likeliest.", example: 1},
		"timeframe":      {doc: "How soon, in the engine's words.", example: "15-60 minutes"},
	}
)
