package api

import (
	"context"
	"net/http"

	"breakwater"
	"breakwater/internal/demo"
	"breakwater/internal/plant"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) demoRoutes(h huma.API) {
	tags := []string{"Demo"}
	for scenario, what := range map[string]string{
		demo.PortScan:   "An intruder searches the network of a simulated plant (T0846, T0840): seconds.",
		demo.FLRound:    "The five simulated plants train a model together, in a round of the federation.",
		demo.MultiStage: "An intruder searches the network of a simulated plant, writes to its PLC (T0855) and drives pump and valve (T0831), as was predicted: under two minutes.",
	} {
		register(s, h, huma.Operation{
			OperationID: "start-" + scenario, Method: http.MethodPost, Path: "/api/demo/scenarios/" + scenario, Tags: tags, DefaultStatus: http.StatusAccepted,
			Summary: "Play the scenario " + scenario,
			Description: what + " It goes on after the answer: follow it by GET /api/demo/status or by demo_progress of the channel system. " +
				"The simulated packets go the way that all packets go. A run begins by forgetting the alerts that the run before left at its facility.",
			Errors: append([]int{http.StatusForbidden, http.StatusConflict}, bodyErrors...),
		}, s.startDemo(scenario))
	}
	register(s, h, huma.Operation{
		OperationID: "get-demo-status", Method: http.MethodGet, Path: "/api/demo/status", Tags: tags,
		Summary: "How the demo stands", Description: "The newest run of each scenario, with what was expected of it and what was found.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.demoStatus)
	register(s, h, huma.Operation{
		OperationID: "reset-demo", Method: http.MethodPost, Path: "/api/demo/reset", Tags: tags, DefaultStatus: http.StatusOK,
		Summary:     "Remove what demos made",
		Description: "The five facilities of the demo with their alerts, predictions, windows, baselines, models and rounds, and nothing else. It is refused with 409 while a scenario is played.",
		Errors:      []int{http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.resetDemo)
}

type demoRequest struct {
	Body *struct {
		FacilityID string `json:"facility_id,omitempty" example:"demo-northgate" doc:"One of the demo's facilities; where absent, the scenario's own. A federated round is among all of them."`
		Speed      string `json:"speed,omitempty" enum:"1x,max" default:"1x" example:"max" doc:"1x is the data's own pace; max as fast as it goes, its data time ending now."`
	}
}

type demoStarted struct {
	ScenarioID breakwater.ID `json:"scenario_id" format:"uuid" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The run's id."`
}

// demoOff refuses what a server that is open to others does only where it was asked to.
func (s *server) demoOff() error {
	if s.Demo != nil {
		return nil
	}
	return huma.NewError(http.StatusForbidden, "the demo is off on this server, as it listens to other machines: set DEMO_MODE=true to have it")
}

func (s *server) startDemo(scenario string) func(context.Context, *demoRequest) (*response[demoStarted], error) {
	return func(ctx context.Context, in *demoRequest) (*response[demoStarted], error) {
		if err := s.demoOff(); err != nil {
			return nil, err
		}
		q := demo.Request{Scenario: scenario}
		if in.Body != nil {
			q.Facility, q.Fast = in.Body.FacilityID, in.Body.Speed == "max"
		}
		run, err := s.Demo.Start(ctx, q)
		if err != nil {
			return nil, err
		}
		return &response[demoStarted]{demoStarted{run.ID}}, nil
	}
}

type demoState struct {
	Enabled    bool                 `json:"enabled" example:"true" doc:"Whether scenarios can be played here: the server listens to this machine alone, or DEMO_MODE is set."`
	Facilities []demoFacility       `json:"facilities" nullable:"false" doc:"The simulated plants."`
	Scenarios  []breakwater.DemoRun `json:"scenarios" nullable:"false" doc:"The newest run of each scenario that was ever played, by scenario."`
}

type demoFacility struct {
	ID      string `json:"id" example:"demo-northgate" doc:"The facility's id."`
	Name    string `json:"name" example:"Northgate Waterworks" doc:"What it is called."`
	Playing string `json:"playing" example:"port-scan" doc:"What is played there now by this server: a scenario, or normal operation; empty where nothing is."`
}

func (s *server) demoStatus(ctx context.Context, _ *struct{}) (*response[demoState], error) {
	state := demoState{Enabled: s.Demo != nil, Facilities: []demoFacility{}, Scenarios: []breakwater.DemoRun{}}
	if s.Demo == nil {
		return &response[demoState]{state}, nil
	}
	for i := range plant.Demo {
		f := &plant.Demo[i]
		state.Facilities = append(state.Facilities, demoFacility{ID: f.ID, Name: f.Name, Playing: s.Demo.Player(f.ID)})
	}
	runs, err := s.Demo.Status(ctx)
	if err != nil {
		return nil, err
	}
	state.Scenarios = append(state.Scenarios, runs...)
	return &response[demoState]{state}, nil
}

type demoReset struct {
	Removed []string `json:"removed" nullable:"false" example:"[\"demo-northgate\"]" doc:"The facilities of which nothing is kept any more."`
}

func (s *server) resetDemo(ctx context.Context, _ *struct{}) (*response[demoReset], error) {
	if err := s.demoOff(); err != nil {
		return nil, err
	}
	if err := s.Demo.Reset(ctx); err != nil {
		return nil, err
	}
	removed := make([]string, len(plant.Demo))
	for i := range plant.Demo {
		removed[i] = plant.Demo[i].ID
	}
	return &response[demoReset]{demoReset{removed}}, nil
}

var demoWords = map[string]field{
	"scenario_id": {doc: "The run's id.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
	"scenario":    {doc: "What is played. A message may also tell that all was reset.", example: "port-scan", enum: []any{"port-scan", "fl-round", "multi-stage", "reset"}},
	"facilities":  {doc: "Where it is played.", example: []any{"demo-northgate"}},
	"status":      {doc: "How it stands: completed is that all which was expected was found.", example: "completed", enum: []any{"running", "completed", "failed", "interrupted"}},
	"stage":       {doc: "What happens at present, or happened last.", example: "the intruder searches the network"},
	"progress":    {doc: "How far it is, 0 to 100.", example: 60},
	"expected":    {doc: "What should happen, in order, and what was found of it."},
	"message":     {doc: "Why it failed or was interrupted; empty otherwise.", example: ""},
	"started_at":  {doc: "When it began.", example: "2026-03-01T08:00:00Z"},
	"ended_at":    {doc: "When it ended; null while it runs.", example: "2026-03-01T08:00:15Z"},
	"version":     {doc: "Grows by one with each change.", example: 9},
}

var demoCheckWords = map[string]field{
	"what":     {doc: "What is expected.", example: "an alert names T0846, Remote System Discovery"},
	"found":    {doc: "Whether it has happened.", example: true},
	"detail":   {doc: "What was found; empty while nothing is.", example: "arp-sweep: 10.21.1.57 (new here) asked by ARP for 20 addresses within 60 seconds: 10.21.1.1, 10.21.1.2, 10.21.1.3, 10.21.1.4, 10.21.1.5 and 15 more."},
	"after":    {doc: "How long after the end of normal operation, seconds of data time; null where it has not happened, or has no data time.", example: 3.047},
	"alert_id": {doc: "The alert that shows it; null where none does.", example: "01930a7e-3c00-7abc-8def-0123456789ab", format: "uuid"},
}
