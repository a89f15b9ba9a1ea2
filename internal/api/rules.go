package api

import (
	"context"
	"net/http"
	"time"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) ruleRoutes(h huma.API) {
	register(s, h, huma.Operation{
		OperationID: "list-rules", Method: http.MethodGet, Path: "/api/rules", Tags: []string{"Rules"},
		Summary: "The rules that detect, and how often each has fired", Description: "By id. Hits are counted from the alerts that are kept.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.listRules)
}

type ruleList struct {
	Rules []rule `json:"rules" nullable:"false" doc:"The rules."`
}

type rule struct {
	ID            string              `json:"id" example:"write-from-new-host" doc:"The rule's id: the model_name of its detections."`
	Hash          string              `json:"hash" example:"9a0364b9e99bb480" doc:"Changes when the rule does."`
	Title         string              `json:"title" example:"Write from a host that never wrote" doc:"What it finds; words in braces are filled in."`
	Severity      breakwater.Severity `json:"severity" enum:"critical,high,medium,low" example:"high" doc:"How much a finding matters."`
	Confidence    float64             `json:"confidence" minimum:"0" maximum:"1" example:"0.9" doc:"How sure it is."`
	Technique     string              `json:"technique" example:"T0855" doc:"ATT&CK for ICS id."`
	TechniqueName string              `json:"technique_name" example:"Unauthorized Command Message" doc:"The technique's name."`
	On            []string            `json:"on" nullable:"false" example:"[\"new-writer\"]" doc:"The signals it looks at."`
	Why           string              `json:"why" example:"Who writes to a controller changes the process." doc:"Why it matters in a plant."`
	LookAt        string              `json:"look_at" example:"Ask who works on the controller today." doc:"What an analyst should look at next."`
	Hits          int64               `json:"hits" minimum:"0" example:"3" doc:"Detections it has made, over all alerts that are kept."`
	Alerts        int                 `json:"alerts" minimum:"0" example:"1" doc:"Alerts it is a source of."`
	LastHit       *time.Time          `json:"last_hit" example:"2026-03-01T08:02:00Z" doc:"Data time of its newest detection; null where it never fired."`
}

func (s *server) listRules(ctx context.Context, _ *struct{}) (*response[ruleList], error) {
	hits, err := s.Store.Hits(ctx)
	if err != nil {
		return nil, err
	}
	list := ruleList{Rules: []rule{}}
	for _, r := range s.Flow.Rules {
		one := rule{ID: r.ID, Hash: r.Hash(), Title: r.Title, Severity: r.Severity, Confidence: r.Confidence, Technique: r.Technique,
			TechniqueName: r.TechniqueName, On: r.On, Why: r.Why, LookAt: r.LookAt}
		if h, fired := hits[r.ID]; fired {
			one.Hits, one.Alerts, one.LastHit = h.Count, h.Alerts, &h.Last
		}
		list.Rules = append(list.Rules, one)
	}
	return &response[ruleList]{list}, nil
}
