package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/detect"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

// localActor is who changes things while there are no accounts.
const localActor = "local"

// assigneeMax bounds the name of who works on an alert, in characters.
const assigneeMax = 64

// changeErrors are what a change of one alert may answer beside its own.
var changeErrors = append([]int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}, bodyErrors...)

func (s *server) alertChangeRoutes(h huma.API) {
	tags := []string{"Alerts"}
	register(s, h, huma.Operation{
		OperationID: "report-alert", Method: http.MethodPost, Path: "/api/alerts", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Report an alert of a detector outside Breakwater",
		Description: "Its sources are marked as external, and it stands for itself: no detection of Breakwater's own joins it. " +
			"The same external_id of a facility is the same alert: it is answered with 200 and left as it is.",
		Responses: map[string]*huma.Response{"200": sameBody(h, alertDetail{}, "It was reported before, and is answered as it stands now.")},
		Errors:    bodyErrors,
	}, s.reportAlert)
	register(s, h, huma.Operation{
		OperationID: "set-alert-status", Method: http.MethodPut, Path: "/api/alerts/{id}/status", Tags: tags,
		Summary: "Move an alert in triage", Description: "new reopens it. The status that it has already, without a note, changes nothing. " + learnWords,
		Errors: changeErrors,
	}, s.setAlertStatus)
	register(s, h, huma.Operation{
		OperationID: "set-alerts-status", Method: http.MethodPost, Path: "/api/alerts/status", Tags: tags,
		Summary: "Move many alerts in triage", Description: "In one transaction. What is wrong with one alert, as that there is none of its id, is told and does not hinder the others. " + learnWords,
		Errors: bodyErrors,
	}, s.setAlertsStatus)
	register(s, h, huma.Operation{
		OperationID: "comment-alert", Method: http.MethodPost, Path: "/api/alerts/{id}/comments", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Add a comment to an alert's history", Errors: changeErrors,
	}, s.commentAlert)
	register(s, h, huma.Operation{
		OperationID: "assign-alert", Method: http.MethodPut, Path: "/api/alerts/{id}/assignee", Tags: tags,
		Summary: "Give an alert to somebody", Errors: changeErrors,
	}, s.assignAlert)
}

const learnWords = "With learn, what its sources found new is normal for the facility from now on: a device, a pair, who writes, who sends malformed messages. " +
	"The history says what was learned. Where an alert keeps too little to learn it (a function, addresses, how much), the change is refused with the reason. Models learn when they are trained."

type alertReport struct{ Body reportedAlert }

// reportedAlert is an alert as a detector outside tells of it.
type reportedAlert struct {
	FacilityID      string              `json:"facility_id" example:"plant-1" doc:"The facility it is about: 1 to 64 of a-z, 0-9, _ and -."`
	Asset           string              `json:"asset,omitempty" maxLength:"64" example:"10.0.0.11" doc:"What it is about: an IP address, else a MAC address."`
	Severity        breakwater.Severity `json:"severity" enum:"critical,high,medium,low" example:"high" doc:"How much it matters."`
	Title           string              `json:"title" minLength:"1" maxLength:"200" example:"Firmware changed" doc:"What happened, in a few words."`
	Description     string              `json:"description" maxLength:"4000" example:"The firmware of 10.0.0.11 is not the one that was approved." doc:"Who did what to whom, with figures."`
	Sources         []reportSource      `json:"sources" minItems:"1" maxItems:"32" nullable:"false" doc:"Which detector of which layer said what."`
	AttackType      string              `json:"attack_type,omitempty" pattern:"^T[0-9]{4}(\\.[0-9]{3})?$" patternDescription:"a technique's id like T0855 or T0855.001" example:"T0839" doc:"ATT&CK for ICS id of the technique."`
	AttackName      string              `json:"attack_name,omitempty" maxLength:"200" example:"Module Firmware" doc:"The technique's name."`
	ContextAnalysis string              `json:"context_analysis,omitempty" maxLength:"4000" example:"Two packets a second from the engineering station." doc:"How the network looked before."`
	ExternalID      string              `json:"external_id,omitempty" maxLength:"128" example:"siem-4711" doc:"What the detector calls the alert."`
}

func (b *reportedAlert) alert() (*breakwater.Alert, error) {
	r := breakwater.Report{
		FacilityID: b.FacilityID, Asset: b.Asset, Severity: b.Severity, Title: b.Title, Description: b.Description,
		AttackType: b.AttackType, AttackName: b.AttackName, ContextAnalysis: b.ContextAnalysis, ExternalID: b.ExternalID,
	}
	for _, src := range b.Sources {
		one := breakwater.Source{Layer: src.Layer, Model: src.Model, Confidence: src.Confidence, DetectedAt: src.DetectionTime, Evidence: src.Evidence, ContextEvidence: src.ContextEvidence}
		if src.Conversation != nil {
			one.Talk = breakwater.Conversation(*src.Conversation)
		}
		r.Sources = append(r.Sources, one)
	}
	return r.Alert()
}

type reportSource struct {
	Layer           int                 `json:"layer" minimum:"1" maximum:"3" example:"1" doc:"Which layer of detection it is: 1 something is wrong, 2 which technique it is, 3 what comes next."`
	Model           string              `json:"model_name" minLength:"1" maxLength:"64" example:"firmware-watch" doc:"What the detector or its model is called."`
	Confidence      float64             `json:"confidence" minimum:"0" maximum:"1" example:"0.9" doc:"How sure it is, 0 to 1."`
	DetectionTime   time.Time           `json:"detection_time" example:"2026-03-01T08:00:00Z" doc:"Data time of the detection."`
	Evidence        string              `json:"evidence" maxLength:"4000" example:"Checksum 9a03 in place of 64b9." doc:"What it saw, in a sentence."`
	ContextEvidence string              `json:"context_evidence,omitempty" maxLength:"4000" example:"No maintenance was announced." doc:"What the context says of it."`
	Conversation    *reportConversation `json:"conversation,omitempty" doc:"Whose packets it is about; its client is the attacker of an incident."`
}

// reportConversation is a breakwater.Conversation as it is reported.
type reportConversation struct {
	Client   netip.Addr          `json:"client,omitzero" example:"10.0.0.57" doc:"IP address of the end that asked."`
	Server   netip.Addr          `json:"server,omitzero" example:"10.0.0.11" doc:"IP address of the end that answered."`
	Protocol breakwater.Protocol `json:"protocol,omitempty" maxLength:"32" example:"modbus" doc:"What was spoken."`
	Port     uint16              `json:"port,omitempty" maximum:"65535" example:"502" doc:"The server's port; where absent, there is none or it is many."`
}

func (s *server) reportAlert(ctx context.Context, in *alertReport) (*alertAnswer, error) {
	a, err := in.Body.alert()
	if err != nil {
		return nil, err
	}
	kept, created, err := s.Store.Report(ctx, *a)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		s.told(s.Hub.Alert(kept, true))
	}
	// Also of one that was there: what it shows may not have been taken in when it came first.
	if err := s.Flow.Observe(ctx, kept.FacilityID, sightings(kept)); err != nil {
		return nil, err
	}
	return answerAlert(status, kept), nil
}

// sightings are what the sources of an alert show of techniques, but for those that are muted.
func sightings(a *breakwater.Alert) (shown []breakwater.Sighting) {
	for _, src := range a.Sources {
		if src.Technique != "" && !src.Muted {
			shown = append(shown, breakwater.Sighting{Technique: src.Technique, Name: src.TechniqueName, Time: src.DetectedAt, Alert: a.ID})
		}
	}
	return shown
}

// AlertVersion names an alert and the version of it that the one who changes it has read.
type AlertVersion struct {
	AlertID
	IfMatch string `header:"If-Match" maxLength:"100" example:"\"3\"" doc:"The version that is to be changed: 412 where somebody was quicker. Where absent, whatever it is at is changed."`
}

// change makes a change to one alert and tells of it.
func (s *server) change(ctx context.Context, in AlertVersion, status int, c store.AlertChange) (*alertAnswer, error) {
	id, err := breakwater.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	if c.Version, err = versionOf(in.IfMatch); err != nil {
		return nil, err
	}
	c.By, c.At = localActor, time.Now().UTC()
	a, changed, err := s.Store.ChangeAlert(ctx, id, c)
	if err != nil {
		return nil, err
	}
	if changed {
		s.told(s.Hub.Alert(a, false))
	}
	return answerAlert(status, a), nil
}

// StatusChange is how alerts move in triage.
type StatusChange struct {
	Status breakwater.Status `json:"status" enum:"new,acknowledged,resolved,false-positive" example:"resolved" doc:"The status it gets."`
	Note   string            `json:"note,omitempty" maxLength:"2000" example:"The technician's laptop, announced today." doc:"Why, for the history."`
	Learn  bool              `json:"learn,omitempty" example:"false" doc:"Whether the facility's baseline takes what the alert is about as normal."`
}

// alertChange is the change in the store's words.
func (s *server) alertChange(in StatusChange) (store.AlertChange, error) {
	c := store.AlertChange{Status: in.Status, Note: strings.TrimSpace(in.Note)}
	if in.Learn {
		c.Teach = s.teach
	}
	return c, breakwater.CheckText("note", in.Note, 2000)
}

// teach is a store.AlertChange's Teach.
func (s *server) teach(a *breakwater.Alert, learned []byte) (now []byte, added string, err error) {
	b := detect.NewBaseline()
	if len(learned) > 0 {
		if err := b.UnmarshalJSON(learned); err != nil {
			return nil, "", &breakwater.Error{Kind: breakwater.Internal, Message: "the saved baseline of facility " + a.FacilityID + " cannot be read", Err: err}
		}
	}
	entries, err := b.Teach(s.Flow.Rules, a)
	if err != nil {
		return nil, "", err
	}
	words := make([]string, len(entries))
	for i, e := range entries {
		words[i] = e.Kind + " " + e.Subject
		if e.Detail != "" {
			words[i] += " " + e.Detail
		}
	}
	now, err = json.Marshal(b)
	return now, strings.Join(words, "; "), err
}

type statusRequest struct {
	AlertVersion
	Body StatusChange
}

func (s *server) setAlertStatus(ctx context.Context, in *statusRequest) (*alertAnswer, error) {
	c, err := s.alertChange(in.Body)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, in.AlertVersion, http.StatusOK, c)
}

type bulkRequest struct {
	Body struct {
		IDs []string `json:"ids" minItems:"1" maxItems:"1000" nullable:"false" example:"[\"01930a7e-3c00-7abc-8def-0123456789ab\"]" doc:"Ids of alerts."`
		StatusChange
	}
}

type bulkResult struct {
	Changed int          `json:"changed" minimum:"0" example:"1" doc:"How many were changed."`
	Alerts  []bulkAlert  `json:"alerts" nullable:"false" doc:"Those that have the status now."`
	Errors  []bulkFailed `json:"errors" nullable:"false" doc:"Those that were left as they are."`
}

type bulkAlert struct {
	ID      string            `json:"id" format:"uuid" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The alert."`
	Status  breakwater.Status `json:"status" enum:"new,acknowledged,resolved,false-positive" example:"resolved" doc:"Its status."`
	Version int               `json:"version" minimum:"1" example:"4" doc:"Its version."`
	Changed bool              `json:"changed" example:"true" doc:"Whether this changed it."`
}

type bulkFailed struct {
	ID     string `json:"id" example:"01930a7e-3c00-7abc-8def-0123456789ab" doc:"The id as it was given."`
	Status int    `json:"status" minimum:"400" maximum:"499" example:"404" doc:"What the change of this alert alone would be answered with."`
	Detail string `json:"detail" example:"there is no alert 01930a7e-3c00-7abc-8def-0123456789ab" doc:"What is wrong, and what to do."`
}

func (s *server) setAlertsStatus(ctx context.Context, in *bulkRequest) (*response[bulkResult], error) {
	c, err := s.alertChange(in.Body.StatusChange)
	if err != nil {
		return nil, err
	}
	c.By, c.At = localActor, time.Now().UTC()
	out := bulkResult{Alerts: []bulkAlert{}, Errors: []bulkFailed{}}
	fail := func(id string, err error) {
		one := bulkFailed{ID: clip(id), Status: statuses[breakwater.KindOf(err)], Detail: err.Error()}
		if e, ok := errors.AsType[*breakwater.Error](err); ok {
			one.Detail = e.Message
		}
		out.Errors = append(out.Errors, one)
	}
	ids := make([]breakwater.ID, 0, len(in.Body.IDs))
	seen := map[breakwater.ID]bool{}
	for _, text := range in.Body.IDs {
		id, err := breakwater.ParseID(text)
		switch {
		case err != nil:
			fail(text, err)
		case !seen[id]:
			seen[id] = true
			ids = append(ids, id)
		}
	}
	all, err := s.Store.ChangeAlerts(ctx, ids, c)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if one.Err != nil {
			fail(one.ID.String(), one.Err)
			continue
		}
		out.Alerts = append(out.Alerts, bulkAlert{ID: one.ID.String(), Status: one.Alert.Status, Version: one.Alert.Version, Changed: one.Changed})
		if one.Changed {
			out.Changed++
			s.told(s.Hub.Alert(one.Alert, false))
		}
	}
	return &response[bulkResult]{out}, nil
}

type commentRequest struct {
	AlertVersion
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"4000" example:"Asked the shift: nobody works there today." doc:"What there is to say."`
	}
}

func (s *server) commentAlert(ctx context.Context, in *commentRequest) (*alertAnswer, error) {
	text := strings.TrimSpace(in.Body.Text)
	if text == "" {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "text", Message: "a comment needs text"}
	}
	if err := breakwater.CheckText("text", text, 4000); err != nil {
		return nil, err
	}
	return s.change(ctx, in.AlertVersion, http.StatusCreated, store.AlertChange{Comment: text})
}

type assigneeRequest struct {
	AlertVersion
	Body struct {
		Assignee string `json:"assignee" maxLength:"64" example:"ada" doc:"Who works on it; empty: nobody."`
	}
}

func (s *server) assignAlert(ctx context.Context, in *assigneeRequest) (*alertAnswer, error) {
	assignee := strings.TrimSpace(in.Body.Assignee)
	if err := breakwater.CheckText("assignee", assignee, assigneeMax); err != nil {
		return nil, err
	}
	if strings.ContainsAny(assignee, ",\r\n\t") || assignee == store.Unassigned {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "assignee", Message: fmt.Sprintf("assignee %q cannot be a name: it holds a comma or line break, or means nobody", clip(assignee))}
	}
	return s.change(ctx, in.AlertVersion, http.StatusOK, store.AlertChange{Assignee: &assignee})
}
