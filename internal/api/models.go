package api

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"time"

	"breakwater"
	"breakwater/internal/ml"
	"breakwater/internal/pipeline"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

func (s *server) modelRoutes(h huma.API) {
	tags := []string{"Models"}
	register(s, h, huma.Operation{
		OperationID: "list-models", Method: http.MethodGet, Path: "/api/models", Tags: tags,
		Summary: "List models", Description: "Newest first. Of each facility and kind one is active; of those that are not, the newest hundred are kept.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listModels)
	register(s, h, huma.Operation{
		OperationID: "get-model-file", Method: http.MethodGet, Path: "/api/models/{version}/file", Tags: tags,
		Summary: "A model's file", Description: "What a sensor detects with: the parameters, scaling and threshold, with a checksum. Its ETag is the fingerprint; a version's file never changes.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{
			"200": {Description: "The file.", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: "The file."}}}},
			"304": {Description: "It is as If-None-Match says."},
		},
	}, s.getModelFile)
	register(s, h, huma.Operation{
		OperationID: "rollback-model", Method: http.MethodPost, Path: "/api/models/{version}/rollback", Tags: tags,
		Summary: "Go back to a model", Description: "Makes this version the active one of its kind at its facility; sensors detect with it within seconds, without a restart. Also forward again: any version that is kept can be named.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.rollbackModel)
	line := h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[trainingLine](), true, "")
	register(s, h, huma.Operation{
		OperationID: "train-models", Method: http.MethodPost, Path: "/api/models/train", Tags: tags,
		Summary: "Train models on a facility's own windows", Description: "Seconds within alerts of medium severity and above are left out, but for those marked as false positives. The last quarter in time validates. " +
			"Answers while it trains, a JSON object on each line: one for each epoch of the autoencoder, and last the models, which are active then. An answer without that last line was cut short. One training goes on at a time.",
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"200": {Description: "Progress, then the models.",
			Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: line}}}},
	}, s.trainModels)
}

type modelFilter struct {
	Facility []string `query:"facility" nullable:"false" maxItems:"200" example:"plant-1,plant-2" doc:"Ids of facilities."`
	Kind     []string `query:"kind" nullable:"false" maxItems:"200" enum:"isolation-forest,autoencoder" example:"autoencoder" doc:"Kinds of model."`
	Active   string   `query:"active" enum:"true,false" example:"true" doc:"true: only those that sensors detect with; false: only the others."`
	Limit    int      `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Models on a page."`
	Cursor   string   `query:"cursor" maxLength:"20" example:"41" doc:"The next_cursor of another page under the same filters: what comes behind it."`
}

type modelPage struct {
	Models     []breakwater.ModelVersion `json:"models" nullable:"false" doc:"The models of this page."`
	Total      int                       `json:"total" minimum:"0" example:"42" doc:"Models under the filter, on all pages."`
	Limit      int                       `json:"limit" minimum:"1" maximum:"200" example:"10" doc:"The most models on a page."`
	NextCursor *string                   `json:"next_cursor" example:"41" doc:"The cursor of what comes behind this page; null where nothing does."`
}

func (s *server) listModels(ctx context.Context, f *modelFilter) (*response[modelPage], error) {
	filter := store.ModelFilter{Facilities: f.Facility, Kinds: f.Kind, Limit: f.Limit, After: f.Cursor}
	if f.Active != "" {
		active := f.Active == "true"
		filter.Active = &active
	}
	if err := checkFacilities(f.Facility); err != nil {
		return nil, err
	}
	page, err := s.Store.Models(ctx, filter)
	if err != nil {
		return nil, err
	}
	return &response[modelPage]{modelPage{page.Models, page.Total, f.Limit, orNil(page.Next)}}, nil
}

type modelVersion struct {
	Version int64 `path:"version" minimum:"1" example:"42" doc:"The model's version."`
}

type modelFileRequest struct {
	Version     int64  `path:"version" minimum:"1" example:"42" doc:"The model's version."`
	IfNoneMatch string `header:"If-None-Match" example:"\"9f86d081884c7d65\"" doc:"The ETag of what the client has."`
}

type modelFile struct {
	ETag        string `header:"ETag" example:"\"9f86d081884c7d65\"" doc:"The fingerprint."`
	Type        string `header:"Content-Type" example:"application/octet-stream" doc:"Always application/octet-stream."`
	Disposition string `header:"Content-Disposition" example:"attachment; filename=\"autoencoder-42.bwm\"" doc:"A name to save it under."`
	Body        []byte
}

func (s *server) getModelFile(ctx context.Context, in *modelFileRequest) (*modelFile, error) {
	m, file, err := s.Store.ModelFile(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	etag := fmt.Sprintf("%q", m.Fingerprint)
	if matches(in.IfNoneMatch, etag) {
		return nil, huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"ETag": {etag}})
	}
	name := mime.FormatMediaType("attachment", map[string]string{"filename": fmt.Sprintf("%s-%d.bwm", m.Kind, m.Version)})
	return &modelFile{etag, "application/octet-stream", name, file}, nil
}

func (s *server) rollbackModel(ctx context.Context, in *modelVersion) (*response[breakwater.ModelVersion], error) {
	m, changed, err := s.Store.ActivateModel(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	if changed {
		s.Logger.InfoContext(ctx, "a model is active by request", "facility", m.FacilityID, "kind", m.Kind, "version", m.Version)
	}
	return &response[breakwater.ModelVersion]{m}, nil
}

type trainingRequest struct {
	Body struct {
		FacilityID string     `json:"facility_id" example:"plant-1" doc:"The facility: 1 to 64 of a-z, 0-9, _ and -."`
		From       *time.Time `json:"from,omitempty" example:"2026-03-01T00:00:00Z" doc:"Data time of the first window to learn from; where absent, of the first that is kept. Of more than a week the newest week is taken."`
		To         *time.Time `json:"to,omitempty" example:"2026-03-02T00:00:00Z" doc:"Data time before which the last window begins; where absent, all that came."`
		Kinds      []string   `json:"kinds,omitempty" maxItems:"2" nullable:"false" enum:"isolation-forest,autoencoder" example:"[\"autoencoder\"]" doc:"Which models to train; where absent, both."`
	}
}

// trainingLine is one line of the answer.
type trainingLine struct {
	Kind       string                    `json:"kind,omitempty" example:"autoencoder" doc:"Which model is being trained."`
	Epoch      int                       `json:"epoch,omitempty" minimum:"1" example:"3" doc:"The epoch that has ended, from 1."`
	Epochs     int                       `json:"epochs,omitempty" minimum:"1" example:"40" doc:"How many there will be at most: training ends earlier where validation gets no better."`
	Loss       float64                   `json:"loss,omitempty" example:"0.31" doc:"Mean squared error of scaled values in training."`
	Validation float64                   `json:"validation_loss,omitempty" example:"0.28" doc:"The same on the part that is not trained on."`
	Models     []breakwater.ModelVersion `json:"models,omitempty" nullable:"false" doc:"On the last line: the models, which are active now."`
}

func (s *server) trainModels(_ context.Context, in *trainingRequest) (*handOver, error) {
	t := pipeline.Training{FacilityID: in.Body.FacilityID, Now: now()}
	if err := breakwater.CheckFacilityID(t.FacilityID); err != nil {
		return nil, err
	}
	if in.Body.From != nil {
		t.From = *in.Body.From
	}
	if in.Body.To != nil {
		t.To = *in.Body.To
	}
	for _, kind := range in.Body.Kinds {
		t.Kinds = append(t.Kinds, ml.Kind(kind))
	}
	return &handOver{func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		begun := false
		lines := json.NewEncoder(w)
		flush := http.NewResponseController(w)
		write := func(line trainingLine) {
			if !begun {
				begun = true
				w.Header().Set("Content-Type", "application/x-ndjson")
			}
			// Where the client has gone the context ends, and the training with it.
			if lines.Encode(line) == nil {
				_ = flush.Flush()
			}
		}
		t.Epoch = func(kind ml.Kind, e ml.Epoch) {
			write(trainingLine{Kind: string(kind), Epoch: e.Number, Epochs: e.Of, Loss: e.Loss, Validation: e.Validation})
		}
		models, err := s.train(ctx.Context(), t)
		if err == nil {
			s.Logger.InfoContext(ctx.Context(), "models were trained", "facility", t.FacilityID, "models", len(models))
			write(trainingLine{Models: models})
		}
		s.ended(ctx.Context(), "train-models", w, begun, err)
	}}, nil
}

// train trains where nobody else does. Who has read the last line of an answer may train again.
func (s *server) train(ctx context.Context, t pipeline.Training) ([]breakwater.ModelVersion, error) {
	if !s.training.TryLock() {
		return nil, &breakwater.Error{Kind: breakwater.Conflict, Message: "models are being trained already, and one training goes on at a time: try again when it has ended"}
	}
	defer s.training.Unlock()
	return s.Flow.Train(ctx, t)
}

var modelWords = map[string]field{
	"version":     {doc: "One row of numbers over all facilities: a greater one is newer.", example: 42},
	"facility_id": {doc: "The facility it was made for.", example: "plant-1"},
	"kind":        {doc: "What sort of model it is.", example: "autoencoder", enum: []any{"isolation-forest", "autoencoder"}},
	"source":      {doc: "How it came to be: trained on the facility's own windows, or by the federation.", example: "train", enum: []any{"train", "federation"}},
	"round_id":    {doc: "The round of the federation that it came of; null where it is of none.", example: 7},
	"fingerprint": {doc: "SHA-256 of its file, in hex.", example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
	"bytes":       {doc: "Size of its file.", example: 19874},
	"rows":        {doc: "Vectors that it was trained and validated on.", example: 14222},
	"metrics":     {doc: "What its training found: seconds learned from and left out, threshold, quantile, epochs, losses.", example: map[string]any{"seconds": 14400, "left_out": 0, "threshold": 0.73, "quantile": 0.999, "epochs": 30}},
	"created_at":  {doc: "When it was made, by the server's clock.", example: "2026-03-01T08:00:00Z"},
	"active":      {doc: "Whether the facility's sensors detect with it.", example: true},
}
