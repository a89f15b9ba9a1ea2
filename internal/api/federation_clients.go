package api

import (
	"context"
	"net/http"
	"time"

	"breakwater"
	"breakwater/internal/fl"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

// trainingRoutes are those of this server's own federation: its rounds, and the clients of other processes that train in
// them. docs/federation.md tells how such a client goes about it.
func (s *server) trainingRoutes(h huma.API) {
	tags := []string{"Federated learning"}
	register(s, h, huma.Operation{
		OperationID: "trigger-round", Method: http.MethodPost, Path: "/api/fl/rounds/trigger", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Begin a round of this server's federation", Description: "Rounds run one at a time, in order: it waits for its turn, in progress at 0, while another is. With fewer clients than FL_MIN_CLIENTS it waits for more, to its deadline, and fails.",
		Errors: []int{http.StatusConflict, http.StatusServiceUnavailable},
	}, s.triggerRound)
	register(s, h, huma.Operation{
		OperationID: "join-federation", Method: http.MethodPost, Path: "/api/fl/join", Tags: tags,
		Summary: "Ask what to do, as a client of this server's federation", Description: "A client asks again and again, as often as the answer says. It is part of the rounds that begin while it was heard of in the last 30 s.",
		Errors: []int{http.StatusConflict, http.StatusServiceUnavailable},
	}, s.joinFederation)
	binary := func(what string) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: what}}}
	}
	register(s, h, huma.Operation{
		OperationID: "get-parameters", Method: http.MethodGet, Path: "/api/fl/parameters/{version}", Tags: tags,
		Summary: "Parameters that clients share", Description: "8 bytes \"BWPARAM\" and 1, 4 bytes number, 4 bytes CRC-32 of the rest, then float32 each; numbers are little-endian.",
		Errors:    []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"200": {Description: "The parameters.", Content: binary("The parameters.")}},
	}, s.getParameters)
	register(s, h, huma.Operation{
		OperationID: "put-update", Method: http.MethodPut, Path: "/api/fl/rounds/{id}/updates/{client}", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "Send what was learned in a round", Description: "The client's parameters less those that the round began with, in the form of GET /api/fl/parameters/{version}. The first of a client counts; another changes nothing. 409 where the round takes none at present.",
		MaxBodyBytes: int64(fl.WireMax), RequestBody: &huma.RequestBody{Required: true, Description: "The change."},
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable},
	}, s.putUpdate)
	register(s, h, huma.Operation{
		OperationID: "put-evaluation", Method: http.MethodPut, Path: "/api/fl/rounds/{id}/evaluations/{client}", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "Send what was found of a round's new parameters", Description: "On data that the client has not trained on. The first report of a client counts. 409 where the round takes none at present.",
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}, s.putEvaluation)
}

// federated is an error where this server runs no federation of its own.
func (s *server) federated() error {
	if s.Federation == nil {
		return &breakwater.Error{Kind: breakwater.Conflict, Message: "this server runs no federation of its own"}
	}
	return nil
}

type triggerRequest struct {
	Body *struct {
		Facilities []string `json:"facilities,omitempty" maxItems:"1000" nullable:"false" example:"[\"plant-1\",\"plant-2\"]" doc:"Only their clients take part, and the round goes on from what rounds among the same have reached. Where absent or empty: all."`
	}
}

func (s *server) triggerRound(ctx context.Context, in *triggerRequest) (*response[*breakwater.Round], error) {
	if err := s.federated(); err != nil {
		return nil, err
	}
	var facilities []string
	if in.Body != nil {
		facilities = in.Body.Facilities
	}
	return estimated(s.Federation.Trigger(ctx, facilities...))
}

type joinRequest struct {
	Body struct {
		ID         string `json:"id" example:"plant-1" doc:"The client's id, as it chooses it: 1 to 64 of a-z, 0-9, _ and -. One that is the id of a facility stands for it in the place of this server."`
		FacilityID string `json:"facility_id" example:"plant-1" doc:"Its facility."`
		Name       string `json:"name,omitempty" maxLength:"200" example:"North plant" doc:"What to call it; where absent, its id."`
		Examples   int64  `json:"examples,omitempty" minimum:"0" maximum:"1000000000" example:"5000" doc:"About how many vectors it could train on; 0: it is not to be chosen yet."`
	}
}

func (s *server) joinFederation(ctx context.Context, in *joinRequest) (*response[fl.Task], error) {
	if err := s.federated(); err != nil {
		return nil, err
	}
	task, err := s.Federation.Poll(ctx, store.Member{ID: in.Body.ID, FacilityID: in.Body.FacilityID, Name: in.Body.Name, Examples: in.Body.Examples})
	return &response[fl.Task]{task}, err
}

type parametersRequest struct {
	Version int64 `path:"version" minimum:"1" maximum:"9007199254740991" example:"12" doc:"Their version, as POST /api/fl/join says it."`
}

type parametersResponse struct {
	Type string `header:"Content-Type" example:"application/octet-stream" doc:"Always application/octet-stream."`
	Body []byte
}

func (s *server) getParameters(ctx context.Context, in *parametersRequest) (*parametersResponse, error) {
	if err := s.federated(); err != nil {
		return nil, err
	}
	message, err := s.Federation.Parameters(ctx, in.Version)
	return &parametersResponse{"application/octet-stream", message}, err
}

type updateRequest struct {
	ID       int64  `path:"id" minimum:"1" maximum:"9007199254740991" example:"7" doc:"The round's id."`
	Client   string `path:"client" example:"plant-1" doc:"The client's id."`
	Examples int64  `query:"examples" required:"true" minimum:"1" maximum:"20000" example:"5000" doc:"Vectors that it was trained on: what its weight is where no noise is added."`
	RawBody  []byte
}

func (s *server) putUpdate(ctx context.Context, in *updateRequest) (*struct{}, error) {
	if err := s.federated(); err != nil {
		return nil, err
	}
	return nil, s.Federation.TakeUpdate(ctx, in.ID, in.Client, in.Examples, in.RawBody)
}

type evaluationRequest struct {
	ID     int64  `path:"id" minimum:"1" maximum:"9007199254740991" example:"7" doc:"The round's id."`
	Client string `path:"client" example:"plant-1" doc:"The client's id."`
	Body   fl.Evaluation
}

func (s *server) putEvaluation(ctx context.Context, in *evaluationRequest) (*struct{}, error) {
	if err := s.federated(); err != nil {
		return nil, err
	}
	return nil, s.Federation.TakeEvaluation(ctx, in.ID, in.Client, in.Body)
}

var (
	taskWords = map[string]field{
		"do":                 {doc: "What to do now.", example: fl.DoTrain, enum: []any{fl.DoWait, fl.DoTrain, fl.DoEvaluate}},
		"round_id":           {doc: "Of which round; absent while there is nothing to do.", example: 7},
		"base_version":       {doc: "Parameters to begin the training with, and to compare new ones with.", example: 11},
		"candidate_version":  {doc: "New parameters, to be evaluated.", example: 12},
		"deadline":           {doc: "When the round goes on without who has not sent.", example: time.Date(2026, 3, 1, 8, 10, 0, 0, time.UTC)},
		"training":           {doc: "How to train."},
		"published_version":  {doc: "The newest parameters to detect with; 0: there are none.", example: 11},
		"published_round_id": {doc: "The round that made them.", example: 6},
		"shape":              {doc: "The network of the round, else of what is published."},
		"ask_again_seconds":  {doc: "After how long to ask again.", example: 10},
	}
	lessonWords = map[string]field{
		"epochs":        {doc: "How many epochs.", example: 5},
		"batch":         {doc: "Vectors of a batch.", example: 64},
		"rate":          {doc: "Adam's step.", example: 0.001},
		"input_noise":   {doc: "Standard deviation of the noise on scaled inputs.", example: 0.1},
		"proximal":      {doc: "The µ of FedProx; 0: none.", example: 0},
		"exposure":      {doc: "Weight of vectors of attacks, whose error is pushed up to the margin.", example: 0.5},
		"margin":        {doc: "That margin: mean squared error of scaled values.", example: 2},
		"clipping_norm": {doc: "The L2 norm that the change is clipped to; 0: it is not.", example: 0},
	}
	shapeWords = map[string]field{
		"features": {doc: "What a row holds, in order.", example: []string{"packets/s", "bytes/s"}},
		"context":  {doc: "How rows become a vector."},
		"hidden":   {doc: "Layers of tanh between the inputs and as many linear outputs.", example: []int{32, 12, 32}},
	}
	contextShapeWords = map[string]field{
		"blocks":  {doc: "Blocks of a vector, oldest first.", example: 6},
		"stride":  {doc: "Rows of a block.", example: 10},
		"summary": {doc: "What a block's rows become.", example: "mean", enum: []any{"mean", "max", "last"}},
	}
	evaluationWords = map[string]field{
		"held_out":             {doc: "Usual vectors of the held-out part.", example: 900},
		"loss_before":          {doc: "Mean squared error of their scaled values with the parameters before.", example: 0.31},
		"loss":                 {doc: "The same with the new ones.", example: 0.28},
		"false_alarms_before":  {doc: "How many of them the parameters before find.", example: 2},
		"false_alarms":         {doc: "How many the new ones find.", example: 1},
		"injected":             {doc: "The same vectors with one feature of the newest block, each in turn, shifted by four spreads.", example: 900},
		"injected_found":       {doc: "How many of those the new parameters find.", example: 610},
		"attacks":              {doc: "Vectors of attacks that were not trained on.", example: 30},
		"attacks_found_before": {doc: "How many of them the parameters before find.", example: 12},
		"attacks_found":        {doc: "How many the new ones find.", example: 27},
	}
)
