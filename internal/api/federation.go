package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) federationRoutes(h huma.API) {
	tags := []string{"Federated learning"}
	read := []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	register(s, h, huma.Operation{
		OperationID: "get-current-round", Method: http.MethodGet, Path: "/api/fl/rounds/current", Tags: tags,
		Summary: "The round in progress, else the last one", Description: "`null` where there never was one.", Errors: read,
	}, s.currentRound)
	orNull(h, "/api/fl/rounds/current")
	register(s, h, huma.Operation{
		OperationID: "list-rounds", Method: http.MethodGet, Path: "/api/fl/rounds", Tags: tags,
		Summary: "List rounds", Description: "Newest first, by number.", Errors: read,
	}, s.listRounds)
	register(s, h, huma.Operation{
		OperationID: "get-round-history", Method: http.MethodGet, Path: "/api/fl/rounds/history", Tags: tags,
		Summary: "What became of the rounds that have ended", Description: "Newest first.", Errors: read,
	}, s.roundHistory)
	register(s, h, huma.Operation{
		OperationID: "get-round", Method: http.MethodGet, Path: "/api/fl/rounds/{id}", Tags: tags,
		Summary: "One round", Errors: append([]int{http.StatusNotFound}, read...),
	}, s.getRound)
	register(s, h, huma.Operation{
		OperationID: "report-round", Method: http.MethodPut, Path: "/api/fl/rounds/{id}/progress", Tags: tags,
		Summary: "Report how a round of another engine goes",
		Description: "The first report of an id begins that round; the same report twice changes nothing. What would make a round go back is refused with 409, and changes nothing: " +
			"a round keeps its number; its phase, progress, epsilon and data_size never fall; once it has ended nothing more is taken. " +
			"Rounds run one at a time and in the order of their numbers: a round begins only where none is in progress and none has its number or a greater one.",
		Errors: append([]int{http.StatusConflict}, bodyErrors...),
	}, s.reportRound)
	register(s, h, huma.Operation{
		OperationID: "complete-round", Method: http.MethodPost, Path: "/api/fl/rounds/{id}/complete", Tags: tags,
		Summary:     "End a round of another engine",
		Description: "As completed, where nothing else is said, or as failed with the reason. Ending it twice in the same way changes nothing; in another way is refused with 409.",
		Errors:      append([]int{http.StatusNotFound, http.StatusConflict}, bodyErrors...),
	}, s.completeRound)
	register(s, h, huma.Operation{
		OperationID: "list-clients", Method: http.MethodGet, Path: "/api/fl/clients", Tags: tags,
		Summary: "List the clients of the federation", Description: "By id.", Errors: read,
	}, s.listClients)
	register(s, h, huma.Operation{
		OperationID: "get-client", Method: http.MethodGet, Path: "/api/fl/clients/{id}", Tags: tags,
		Summary: "One client", Errors: append([]int{http.StatusNotFound}, read...),
	}, s.getClient)
	register(s, h, huma.Operation{
		OperationID: "report-client", Method: http.MethodPut, Path: "/api/fl/clients/{id}", Tags: tags,
		Summary: "Report how a client of another engine's federation stands", Description: "What was known of it is replaced. Where a round is in progress the client is part of it from here on.",
		Errors: bodyErrors,
	}, s.reportClient)
	register(s, h, huma.Operation{
		OperationID: "get-privacy-metrics", Method: http.MethodGet, Path: "/api/fl/privacy-metrics", Tags: tags,
		Summary: "What was said of privacy", Description: "By the newest round that said anything of it; null is what it did not say.", Errors: read,
	}, s.privacyMetrics)
}

type roundID struct {
	ID int64 `path:"id" minimum:"1" maximum:"9007199254740991" example:"7" doc:"The round's id."`
}

type clientID struct {
	ID string `path:"id" example:"plant-1" doc:"The client's id: 1 to 64 of a-z, 0-9, _ and -."`
}

// estimated sets what a round's time says, as of now. It passes errors on.
func estimated(r *breakwater.Round, err error) (*response[*breakwater.Round], error) {
	if r != nil {
		r.Estimate(time.Now())
	}
	return &response[*breakwater.Round]{r}, err
}

func (s *server) currentRound(ctx context.Context, _ *struct{}) (*response[*breakwater.Round], error) {
	return estimated(s.Store.CurrentRound(ctx))
}

func (s *server) getRound(ctx context.Context, in *roundID) (*response[*breakwater.Round], error) {
	return estimated(s.Store.Round(ctx, in.ID))
}

type roundFilter struct {
	Page  int `query:"page" minimum:"1" maximum:"1000000" default:"1" example:"1" doc:"Which page, from 1. A page past the last is empty."`
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"10" example:"50" doc:"Rounds on a page."`
}

type roundPage struct {
	Rounds []breakwater.Round `json:"rounds" nullable:"false" doc:"The rounds of this page."`
	Total  int                `json:"total" minimum:"0" example:"42" doc:"Rounds on all pages."`
	Page   int                `json:"page" minimum:"1" example:"1" doc:"Which page this is, from 1."`
	Pages  int                `json:"pages" minimum:"0" example:"5" doc:"How many pages there are; 0 where there is no round."`
	Limit  int                `json:"limit" minimum:"1" maximum:"200" example:"10" doc:"The most rounds on a page."`
}

func (s *server) listRounds(ctx context.Context, f *roundFilter) (*response[roundPage], error) {
	page, err := s.Store.Rounds(ctx, f.Page, f.Limit)
	if err != nil {
		return nil, err
	}
	for i := range page.Rounds {
		page.Rounds[i].Estimate(time.Now())
	}
	return &response[roundPage]{roundPage{Rounds: page.Rounds, Total: page.Total, Page: f.Page, Pages: page.Pages, Limit: f.Limit}}, nil
}

type historyFilter struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100" example:"100" doc:"The most rounds to list."`
}

type endedRound struct {
	RoundNumber    int64                  `json:"round_number" minimum:"1" example:"7" doc:"Its number."`
	Status         breakwater.RoundStatus `json:"status" enum:"completed,failed" example:"completed" doc:"How it ended."`
	Reason         string                 `json:"reason" example:"two of six clients answered in time" doc:"Why it failed; empty where it did not."`
	Duration       float64                `json:"duration" minimum:"0" example:"12.5" doc:"From its first report to its end, minutes."`
	Clients        string                 `json:"clients" example:"6/6" doc:"Clients active at its end, of all in it."`
	AccuracyChange *float64               `json:"accuracy_change" example:"0.012" doc:"By how much the model's accuracy (0 to 1) grew against the completed round before; null where one of both is not known."`
	Epsilon        *float64               `json:"epsilon" example:"1.2" doc:"Privacy spent, as the engine says; null where it counts none."`
	StartTime      time.Time              `json:"start_time" example:"2026-03-01T08:00:00Z" doc:"When its first report came."`
	EndTime        time.Time              `json:"end_time" example:"2026-03-01T08:12:30Z" doc:"When it was ended."`
}

func (s *server) roundHistory(ctx context.Context, f *historyFilter) (*response[[]endedRound], error) {
	results, err := s.Store.RoundHistory(ctx, f.Limit)
	if err != nil {
		return nil, err
	}
	list := make([]endedRound, len(results))
	for i, r := range results {
		list[i] = endedRound{RoundNumber: r.Number, Status: r.Status, Reason: r.Reason, Duration: math.Round(r.EndTime.Sub(r.StartTime).Minutes()*100) / 100,
			Clients: fmt.Sprintf("%d/%d", r.ClientsActive, r.TotalClients), AccuracyChange: r.AccuracyChange, Epsilon: r.Epsilon, StartTime: r.StartTime, EndTime: r.EndTime}
	}
	return &response[[]endedRound]{list}, nil
}

type roundReport struct {
	ID   int64 `path:"id" minimum:"1" maximum:"9007199254740991" example:"7" doc:"The round's id, as the engine chooses it."`
	Body reportedRound
}

// reportedRound is what another engine says of its round.
type reportedRound struct {
	Number          int64            `json:"round_number" minimum:"1" maximum:"9007199254740991" example:"7" doc:"Its number, from 1; greater than those of all rounds before."`
	Phase           breakwater.Phase `json:"phase" enum:"distributing,training,aggregating" example:"training" doc:"What it does at present."`
	Progress        float64          `json:"progress" minimum:"0" maximum:"100" example:"42.5" doc:"How far it is, 0 to 100."`
	Accuracy        *float64         `json:"model_accuracy,omitempty" minimum:"0" maximum:"1" example:"0.94" doc:"The model's accuracy, 0 to 1. This and what follows stays as it was where it is absent."`
	Epsilon         *float64         `json:"epsilon,omitempty" minimum:"0" example:"1.2" doc:"Privacy spent, as the engine's accountant says."`
	Delta           *float64         `json:"delta,omitempty" minimum:"0" maximum:"1" example:"0.00001" doc:"The delta that epsilon holds for."`
	DataSize        *int64           `json:"data_size,omitempty" minimum:"0" maximum:"9007199254740991" example:"1048576" doc:"Bytes sent in this round so far."`
	Encryption      *string          `json:"encryption,omitempty" maxLength:"200" example:"secure aggregation over TLS 1.3" doc:"How updates are protected on their way."`
	BudgetRemaining *float64         `json:"privacy_budget_remaining,omitempty" minimum:"0" example:"6.8" doc:"The epsilon that may still be spent."`
	ClientsActive   *int             `json:"clients_active,omitempty" minimum:"0" maximum:"1000000" example:"6" doc:"Clients that take part; goes with total_clients. Where both are absent, clients that reported in the round are counted."`
	TotalClients    *int             `json:"total_clients,omitempty" minimum:"0" maximum:"1000000" example:"6" doc:"Clients that were asked to."`
	Clients         []roundClient    `json:"clients,omitempty" maxItems:"1000" nullable:"false" doc:"Clients that report with it, each as PUT /api/fl/clients/{id} takes it."`
}

func (b *reportedRound) report() breakwater.RoundReport {
	return breakwater.RoundReport{Number: b.Number, Phase: b.Phase, Progress: b.Progress, Accuracy: b.Accuracy,
		Epsilon: b.Epsilon, Delta: b.Delta, DataSize: b.DataSize, Encryption: b.Encryption, BudgetRemaining: b.BudgetRemaining,
		ClientsActive: b.ClientsActive, TotalClients: b.TotalClients}
}

// ClientState is what a client's report says of it. Its name is exported because huma sees no other embedded fields.
type ClientState struct {
	FacilityID string                  `json:"facility_id" example:"plant-1" doc:"Its facility: 1 to 64 of a-z, 0-9, _ and -."`
	Name       string                  `json:"name,omitempty" maxLength:"200" example:"North plant" doc:"What to call it; where absent, its id."`
	Status     breakwater.ClientStatus `json:"status" enum:"active,delayed,offline" example:"active" doc:"How it stands."`
	Progress   float64                 `json:"progress,omitempty" minimum:"0" maximum:"100" example:"60" doc:"How far its part of the round is, 0 to 100."`
	Epoch      int                     `json:"current_epoch,omitempty" minimum:"0" maximum:"1000000000" example:"3" doc:"The epoch it trains, at most total_epochs."`
	Epochs     int                     `json:"total_epochs,omitempty" minimum:"0" maximum:"1000000000" example:"5" doc:"Of how many."`
	Loss       *float64                `json:"loss,omitempty" example:"0.21" doc:"Its training loss."`
	Accuracy   *float64                `json:"accuracy,omitempty" minimum:"0" maximum:"1" example:"0.93" doc:"Its model's accuracy, 0 to 1."`
}

type roundClient struct {
	ID string `json:"id" example:"plant-1" doc:"Its id: 1 to 64 of a-z, 0-9, _ and -."`
	ClientState
}

func (c *ClientState) client(id string) breakwater.FLClient {
	return breakwater.FLClient{ID: id, FacilityID: c.FacilityID, Name: c.Name, Status: c.Status, Progress: c.Progress,
		Epoch: c.Epoch, Epochs: c.Epochs, Loss: c.Loss, Accuracy: c.Accuracy}
}

func (s *server) reportRound(ctx context.Context, in *roundReport) (*response[*breakwater.Round], error) {
	b := &in.Body
	clients := make([]breakwater.FLClient, len(b.Clients))
	for i := range b.Clients {
		clients[i] = b.Clients[i].client(b.Clients[i].ID)
	}
	r, changed, err := s.Store.ReportRound(ctx, in.ID, b.report(), clients, now())
	if err != nil {
		return nil, err
	}
	answer, err := estimated(r, nil)
	if changed {
		s.told(s.Hub.Round(r))
	}
	for i := range r.Clients {
		if slices.ContainsFunc(clients, func(c breakwater.FLClient) bool { return c.ID == r.Clients[i].ID }) {
			s.told(s.Hub.Client(&r.Clients[i]))
		}
	}
	return answer, err
}

type roundEnd struct {
	ID   int64 `path:"id" minimum:"1" maximum:"9007199254740991" example:"7" doc:"The round's id."`
	Body *reportedEnd
}

// reportedEnd is how an engine's round ended.
type reportedEnd struct {
	Status breakwater.RoundStatus `json:"status,omitempty" enum:"completed,failed" default:"completed" example:"failed" doc:"How it ended."`
	Reason string                 `json:"reason,omitempty" maxLength:"200" example:"two of six clients answered in time" doc:"Why it failed; only with failed, and needed there."`
}

func (s *server) completeRound(ctx context.Context, in *roundEnd) (*response[*breakwater.Round], error) {
	status, reason := breakwater.RoundCompleted, ""
	if in.Body != nil {
		status, reason = in.Body.Status, in.Body.Reason
	}
	r, changed, err := s.Store.EndRound(ctx, in.ID, status, reason, now())
	if err != nil {
		return nil, err
	}
	answer, err := estimated(r, nil)
	if changed {
		s.told(s.Hub.Round(r))
	}
	return answer, err
}

type clientFilter struct {
	After string `query:"after" maxLength:"64" example:"plant-1" doc:"List the clients after this id; where absent, from the first on."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000" example:"100" doc:"The most clients to list."`
}

func (s *server) listClients(ctx context.Context, f *clientFilter) (*response[[]breakwater.FLClient], error) {
	clients, err := s.Store.Clients(ctx, f.After, f.Limit)
	return &response[[]breakwater.FLClient]{clients}, err
}

func (s *server) getClient(ctx context.Context, in *clientID) (*response[*breakwater.FLClient], error) {
	c, err := s.Store.Client(ctx, in.ID)
	return &response[*breakwater.FLClient]{c}, err
}

type clientReport struct {
	ID   string `path:"id" example:"plant-1" doc:"The client's id, as the engine chooses it: 1 to 64 of a-z, 0-9, _ and -."`
	Body ClientState
}

func (s *server) reportClient(ctx context.Context, in *clientReport) (*response[*breakwater.FLClient], error) {
	c, err := s.Store.ReportClient(ctx, in.Body.client(in.ID), now())
	if err != nil {
		return nil, err
	}
	s.told(s.Hub.Client(c))
	return &response[*breakwater.FLClient]{c}, nil
}

func (s *server) privacyMetrics(ctx context.Context, _ *struct{}) (*response[breakwater.PrivacyMetrics], error) {
	m, err := s.Store.PrivacyMetrics(ctx)
	return &response[breakwater.PrivacyMetrics]{m}, err
}

var (
	roundWords = map[string]field{
		"id":             {doc: "As the engine gave it.", example: 7},
		"round_number":   {doc: "Its number, from 1.", example: 7},
		"status":         {doc: "How it stands. What has ended never changes again.", example: "in-progress", enum: []any{"in-progress", "completed", "failed"}},
		"phase":          {doc: "What it does; a failed round stays in the phase in which it failed.", example: "training", enum: []any{"distributing", "training", "aggregating", "complete"}},
		"progress":       {doc: "How far it is, 0 to 100.", example: 42.5},
		"epsilon":        {doc: "Privacy spent, as the engine says; null where it counts none.", example: 1.2},
		"model_accuracy": {doc: "The model's accuracy, 0 to 1; null where it was not said.", example: 0.94},
		"clients_active": {doc: "Clients that take part.", example: 6},
		"total_clients":  {doc: "Of how many.", example: 6},
		"clients":        {doc: "The clients that reported in it, by id; of a round that has ended as they stood at its end."},
		"start_time":     {doc: "When its first report came.", example: "2026-03-01T08:00:00Z"},
		"end_time":       {doc: "When it was ended; null while it is in progress.", example: "2026-03-01T08:12:30Z"},
		"last_update":    {doc: "When the last report that changed something came.", example: "2026-03-01T08:05:00Z"},
		"time_remaining": {doc: "Minutes until its end if it goes on as it went so far, 0 where it has ended; null where it cannot be known.", example: 7.5},
		"reason":         {doc: "Why it failed; empty where it did not.", example: "two of six clients answered in time"},
		"version":        {doc: "Grows by one with each saved change: of two copies the greater is newer.", example: 3},
	}
	clientWords = map[string]field{
		"id":            {doc: "As the engine gave it.", example: "plant-1"},
		"facility_id":   {doc: "Its facility.", example: "plant-1"},
		"name":          {doc: "What to call it.", example: "North plant"},
		"status":        {doc: "How it stands.", example: "active", enum: []any{"active", "delayed", "offline"}},
		"progress":      {doc: "How far its part of the round is, 0 to 100.", example: 60},
		"current_epoch": {doc: "The epoch it trains.", example: 3},
		"total_epochs":  {doc: "Of how many.", example: 5},
		"loss":          {doc: "Its training loss; null where it was not said.", example: 0.21},
		"accuracy":      {doc: "Its model's accuracy, 0 to 1; null where it was not said.", example: 0.93},
		"last_update":   {doc: "When it reported last.", example: "2026-03-01T08:05:00Z"},
		"version":       {doc: "Grows by one with each report: of two copies the greater is newer.", example: 3},
	}
	privacyWords = map[string]field{
		"epsilon":                  {doc: "Privacy spent, as the engine's accountant says.", example: 1.2},
		"delta":                    {doc: "The delta that epsilon holds for.", example: 0.00001},
		"data_size":                {doc: "Bytes sent in the round.", example: 1048576},
		"encryption":               {doc: "How updates are protected on their way.", example: "secure aggregation over TLS 1.3"},
		"privacy_budget_remaining": {doc: "The epsilon that may still be spent.", example: 6.8},
	}
)
