package api

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/attack"
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
		Summary: "Report a prediction of another engine",
		Description: "It is followed as Breakwater's own are: validated when an alert of the facility shows one of its techniques inside its timeframe, also where that was before the report; expired else. " +
			"The same report twice is one prediction: the second time is answered with 200. An id that names another prediction is refused with 409.",
		DefaultStatus: http.StatusCreated,
		Errors:        append([]int{http.StatusConflict}, bodyErrors...),
		Responses:     map[string]*huma.Response{"200": sameBody(h, breakwater.Prediction{}, "It was reported before, and is answered as it stands now.")},
	}, s.reportPrediction)
	register(s, h, huma.Operation{
		OperationID: "validate-prediction", Method: http.MethodPost, Path: "/api/predictions/{id}/validate", Tags: tags,
		Summary: "Mark a prediction as one that came true", Description: "For what only people know: what alerts show validates predictions by itself. One that has expired is validated too. The second time changes nothing.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.validatePrediction)
	register(s, h, huma.Operation{
		OperationID: "predict", Method: http.MethodPost, Path: "/api/predictions/predict", Tags: tags,
		Summary: "What may come after techniques",
		Description: "Of techniques that are named, of an alert, or of those that a facility's alerts have shown in the last 7 days of its data. The answer is not kept: the predictions that are kept and followed are " +
			"made by themselves as alerts come, or reported to /api/predictions.",
		Errors: append([]int{http.StatusNotFound}, bodyErrors...),
	}, s.predictNext)
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
	schema := h.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, "")
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

type predictionFilter struct {
	Facility  []string                      `query:"facility" nullable:"false" maxItems:"200" example:"plant-1,plant-2" doc:"Ids of facilities."`
	Status    []breakwater.PredictionStatus `query:"status" nullable:"false" enum:"open,validated,expired" example:"open" doc:"What became of it."`
	Technique []string                      `query:"technique" nullable:"false" maxItems:"200" example:"T0855,T1692.001" doc:"Ids of techniques: only predictions that name one of them as what may come next."`
	Validated string                        `query:"validated" enum:"true,false" example:"true" doc:"true: only those that came true; false: only those that did not, so far."`
	Page      int                           `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty; one that begins past the first 10,000 predictions is refused: use cursor."`
	Limit     int                           `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Predictions on a page."`
	Cursor    string                        `query:"cursor" maxLength:"200" example:"MjAyNi0wMy0wMQ" doc:"The next_cursor of another page under the same filters: what comes behind it. In place of page."`
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
	filter := store.PredictionFilter{Facilities: f.Facility, Statuses: f.Status, Techniques: f.Technique, Page: f.Page, Limit: f.Limit, After: f.Cursor}
	if f.Validated != "" {
		validated := f.Validated == "true"
		filter.Validated = &validated
	}
	if err := checkFacilities(f.Facility); err != nil {
		return nil, err
	}
	for _, id := range f.Technique {
		if err := breakwater.CheckTechniqueID("technique", id); err != nil {
			return nil, err
		}
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
	Facility []string `query:"facility" nullable:"false" maxItems:"200" example:"plant-1,plant-2" doc:"Ids of facilities; of all where absent."`
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

type predictionReport struct{ Body reportedPrediction }

// reportedPrediction is a prediction as another engine tells of it.
type reportedPrediction struct {
	ID          string     `json:"id,omitempty" format:"uuid" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"Its id; where absent, one is made of the timestamp, facility, source, technique and alert."`
	Timestamp   *time.Time `json:"timestamp,omitempty" example:"2026-03-01T08:00:00.000Z" doc:"Data time at which it was made, kept to the millisecond; where absent, now."`
	FacilityID  string     `json:"facility_id,omitempty" example:"plant-1" doc:"The facility it is about; where absent, the alert's, else default."`
	Source      string     `json:"source,omitempty" maxLength:"200" example:"attack-forecaster" doc:"The engine that predicts; where absent, external."`
	Current     string     `json:"current_technique" pattern:"^T[0-9]{4}(\\.[0-9]{3})?$" patternDescription:"a technique's id like T0855 or T0855.001" example:"T0846" doc:"ATT&CK for ICS id of the technique seen last, as T0846 or T0846.001."`
	CurrentName string     `json:"current_technique_name,omitempty" maxLength:"200" example:"Remote System Discovery" doc:"That technique's name."`
	AlertID     string     `json:"alert_id,omitempty" format:"uuid" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert that showed it."`
	Predicted   []forecast `json:"predicted_techniques" minItems:"1" maxItems:"200" nullable:"false" doc:"What may come next, each technique once. The ranks of n techniques are 1 to n."`
}

// forecast is a PredictedTechnique as it is reported.
type forecast struct {
	TechniqueID   string  `json:"technique_id" pattern:"^T[0-9]{4}(\\.[0-9]{3})?$" patternDescription:"a technique's id like T0855 or T0855.001" example:"T0855" doc:"ATT&CK for ICS id of the technique, as T0855 or T0855.001."`
	TechniqueName string  `json:"technique_name,omitempty" maxLength:"200" example:"Unauthorized Command Message" doc:"Its name."`
	Probability   float64 `json:"probability" minimum:"0" maximum:"1" example:"0.42" doc:"How likely it is, 0 to 1."`
	Rank          int     `json:"rank" minimum:"1" maximum:"200" example:"1" doc:"Its place, 1 for the likeliest."`
	Timeframe     string  `json:"timeframe,omitempty" maxLength:"200" example:"15-60 minutes" doc:"How soon, in the engine's words."`
}

// predictionReported answers 201 for what is new and 200 for what was there.
type predictionReported struct {
	Status int
	Body   *breakwater.Prediction
}

func (b *reportedPrediction) prediction() (p breakwater.Prediction, err error) {
	if b.Source == breakwater.OwnEngine {
		return p, &breakwater.Error{Kind: breakwater.Invalid, Field: "source", Message: "source breakwater is what this program's own predictions have: name the engine that predicts"}
	}
	p = breakwater.Prediction{
		Timestamp: time.Now(), FacilityID: b.FacilityID, Source: cmp.Or(b.Source, "external"), Current: b.Current, CurrentName: b.CurrentName,
		Predicted: make([]breakwater.PredictedTechnique, len(b.Predicted)),
	}
	if b.Timestamp != nil {
		p.Timestamp = *b.Timestamp
	}
	if b.ID != "" {
		id, err := breakwater.ParseID(b.ID)
		if err != nil {
			return p, err
		}
		p.ID = id
	}
	if b.AlertID != "" {
		id, err := breakwater.ParseID(b.AlertID)
		if err != nil {
			return p, err
		}
		p.AlertID = &id
	} else if p.FacilityID == "" {
		p.FacilityID = "default"
	}
	for i, t := range b.Predicted {
		p.Predicted[i] = breakwater.PredictedTechnique{TechniqueID: t.TechniqueID, TechniqueName: t.TechniqueName, Probability: t.Probability, Rank: t.Rank, Timeframe: t.Timeframe}
	}
	return p, nil
}

func (s *server) reportPrediction(ctx context.Context, in *predictionReport) (*predictionReported, error) {
	p, err := in.Body.prediction()
	if err != nil {
		return nil, err
	}
	kept, isNew, err := s.Store.SavePrediction(ctx, p)
	if err != nil {
		return nil, err
	}
	if isNew {
		s.told(s.Hub.Prediction("created", kept))
	}
	if err := s.Flow.Review(ctx, kept); err != nil {
		return nil, err
	}
	if kept, err = s.Store.Prediction(ctx, kept.ID); err != nil {
		return nil, err
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
	}
	return &predictionReported{status, kept}, nil
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
		s.told(s.Hub.Prediction("validated", p))
	}
	return &response[*breakwater.Prediction]{p}, nil
}

// now is the time as it is kept and shown.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// told logs that what was saved was not published: a reload shows it.
func (s *server) told(err error) {
	if err != nil {
		s.Logger.Warn("something was saved but not published; open pages show it after a reload", "err", err)
	}
}

var (
	predictionWords = map[string]field{
		"id":                     {doc: "UUIDv7 of its timestamp, or as it was given.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
		"timestamp":              {doc: "Data time at which it was made.", example: "2026-03-01T08:00:00Z"},
		"seen_techniques":        {doc: "ATT&CK for ICS ids of what had been seen by then and it was made from, in order of appearance; empty where another engine made it.", example: []any{"T0848", "T0846"}},
		"status":                 {doc: "open until the last timeframe is over; validated when an alert showed one of its techniques inside that technique's timeframe, or a person said so; expired where none was.", example: "validated", enum: []any{"open", "validated", "expired"}},
		"expires_at":             {doc: "Data time at which the last timeframe is over.", example: "2026-03-08T08:00:00Z"},
		"facility_id":            {doc: "The facility it is about.", example: "plant-1"},
		"source":                 {doc: "The engine that predicts.", example: "attack-forecaster"},
		"current_technique":      {doc: "ATT&CK for ICS id of the technique seen last.", example: "T0846"},
		"current_technique_name": {doc: "That technique's name; empty where the engine gave none.", example: "Remote System Discovery"},
		"alert_id":               {doc: "The alert that showed it; null where none did, or it is not kept any more.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
		"validated":              {doc: "Whether its status is validated.", example: true},
		"validation_time":        {doc: "Data time of the detection that showed it; where a person said so, when that was; null until then.", example: "2026-03-01T08:20:00Z"},
		"predicted_techniques":   {doc: "What may come next, in order of rank."},
		"version":                {doc: "Grows by one with each saved change: of two copies the greater is newer.", example: 1},
	}
	predictedWords = map[string]field{
		"technique_id":   {doc: "ATT&CK for ICS id of the technique.", example: "T0855"},
		"technique_name": {doc: "Its name; empty where the engine gave none.", example: "Unauthorized Command Message"},
		"probability":    {doc: "How likely it is, 0 to 1.", example: 0.42},
		"rank":           {doc: "Its place, 1 for the likeliest.", example: 1},
		"timeframe":      {doc: "How soon, in the engine's words. The latest time that they name counts; where they name none, 24 hours.", example: "within 24 hours"},
		"why":            {doc: "What speaks for it, most first; at most five, and none where another engine gave none."},
		"observed_at":    {doc: "Data time at which an alert first showed it inside its timeframe; null until then.", example: "2026-03-01T08:20:00Z"},
		"observed_in":    {doc: "That alert's id; null until then.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
	}
	reasonWords = map[string]field{
		"kind":  {doc: "What speaks for it.", example: "campaign", enum: []any{"campaign", "group", "software", "tactic", "asset", "mitigation", "flow"}},
		"id":    {doc: "Its ATT&CK id; empty for a published attack flow.", example: "C0025"},
		"name":  {doc: "Its name.", example: "2016 Ukraine Electric Power Attack"},
		"share": {doc: "Which part of what makes the technique likely comes by it, 0 to 1.", example: 0.31},
		"path":  {doc: "Ids from a technique that was seen to the predicted one; a flow stands by its name.", example: []any{"T0846", "C0025", "T0855"}},
		"seen":  {doc: "Which of the techniques that were seen it has too.", example: []any{"T0846"}},
	}
)

type predictRequest struct {
	Body struct {
		Techniques []string `json:"techniques,omitempty" maxItems:"200" nullable:"false" example:"[\"T0846\",\"T0848\"]" doc:"ATT&CK for ICS ids of what was seen, in any order; the last stands as the current one."`
		Current    string   `json:"current_technique,omitempty" example:"T0855" doc:"One more that was seen, the last."`
		AlertID    string   `json:"alert_id,omitempty" format:"uuid" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"An alert whose techniques were seen."`
		FacilityID string   `json:"facility_id,omitempty" example:"plant-1" doc:"The facility whose recent techniques were seen, where none is named otherwise."`
		Limit      int      `json:"limit,omitempty" minimum:"1" maximum:"200" default:"10" example:"10" doc:"The most techniques that are answered."`
	}
}

type outlook struct {
	FacilityID  string                          `json:"facility_id" example:"plant-1" doc:"The facility; empty where techniques were named for none."`
	Current     string                          `json:"current_technique" example:"T0855" doc:"Id of the technique seen last."`
	CurrentName string                          `json:"current_technique_name" example:"Unauthorized Command Message" doc:"That technique's name."`
	Seen        []string                        `json:"seen_techniques" nullable:"false" example:"[\"T0846\",\"T0848\",\"T0855\"]" doc:"What the answer is made from."`
	Unknown     []string                        `json:"unknown_techniques" nullable:"false" example:"[\"T9999\"]" doc:"What was seen and ATT&CK for ICS does not know: it says nothing."`
	Predicted   []breakwater.PredictedTechnique `json:"predicted_techniques" nullable:"false" doc:"What may come next, in order of rank."`
}

func (s *server) predictNext(ctx context.Context, in *predictRequest) (*response[outlook], error) {
	b := &in.Body
	out := outlook{FacilityID: b.FacilityID, Seen: []string{}, Unknown: []string{}}
	seen := slices.Clone(b.Techniques)
	if b.FacilityID != "" {
		if err := s.Store.CheckFacility(ctx, b.FacilityID); err != nil {
			return nil, err
		}
	}
	if b.AlertID != "" {
		id, err := breakwater.ParseID(b.AlertID)
		if err != nil {
			return nil, err
		}
		a, err := s.Store.Alert(ctx, id)
		if err != nil {
			return nil, err
		}
		out.FacilityID, seen = a.FacilityID, append(seen, a.Techniques...)
	}
	if b.Current != "" {
		seen = append(seen, b.Current)
	}
	for _, id := range seen {
		if err := breakwater.CheckTechniqueID("techniques", id); err != nil {
			return nil, err
		}
	}
	if len(seen) == 0 && b.AlertID == "" && b.FacilityID != "" {
		recent, err := s.Store.TechniquesSeen(ctx, attack.Sightings{Facilities: []string{b.FacilityID}, Recent: true})
		if err != nil {
			return nil, err
		}
		for _, x := range recent {
			seen = append(seen, x.Technique)
		}
	}
	c := s.catalogue()
	for _, id := range seen {
		switch {
		case slices.Contains(out.Seen, id) || slices.Contains(out.Unknown, id):
		case len(c.Meant(id)) == 0:
			out.Unknown = append(out.Unknown, id)
		default:
			out.Seen = append(out.Seen, id)
		}
	}
	if len(out.Seen) == 0 {
		return nil, nothingSeen(b.FacilityID, out.Unknown)
	}
	out.Current = out.Seen[len(out.Seen)-1]
	if b.Current != "" && slices.Contains(out.Seen, b.Current) {
		out.Current = b.Current
	}
	o, _ := c.Lookup(out.Current)
	out.CurrentName = o.Name
	next, err := s.predictor().Next(out.Seen, b.Limit)
	if err != nil {
		return nil, err
	}
	out.Predicted = make([]breakwater.PredictedTechnique, len(next))
	for i, n := range next {
		out.Predicted[i] = n.PredictedTechnique
	}
	return &response[outlook]{out}, nil
}

// nothingSeen says why there is nothing to predict from.
func nothingSeen(facility string, unknown []string) error {
	e := &breakwater.Error{Kind: breakwater.Invalid, Field: "techniques", Message: "techniques are missing: name some, like T0846, or an alert_id, or a facility_id whose recent ones are taken"}
	switch {
	case len(unknown) > 0:
		e.Message = "techniques " + clip(strings.Join(unknown, ", ")) + " are none of ATT&CK for ICS: GET /api/mitre/techniques lists them"
	case facility != "":
		e.Field, e.Message = "facility_id", "facility_id "+facility+" has shown no technique in the last 7 days of its data: name techniques"
	}
	return e
}
