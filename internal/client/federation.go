package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"breakwater"
)

// parametersMax bounds parameters on the wire, in bytes.
const parametersMax = 8 << 20

// JoinFederation says that a client is there, and reads what it is to do into task.
func (c *Client) JoinFederation(ctx context.Context, id, facility string, examples int64, task any) error {
	body, err := json.Marshal(map[string]any{"id": id, "facility_id": facility, "examples": examples})
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, http.MethodPost, "/api/fl/join", jsonBody, bytes.NewReader(body), task)
	return err
}

// Parameters are those that the federation's clients share, by version, as they are on the wire.
func (c *Client) Parameters(ctx context.Context, version int64) (message []byte, err error) {
	err = c.do(ctx, http.MethodGet, fmt.Sprintf("/api/fl/parameters/%d", version), nil, func(body io.Reader) (err error) {
		if message, err = io.ReadAll(io.LimitReader(body, parametersMax+1)); err == nil && len(message) > parametersMax {
			err = fmt.Errorf("the parameters are larger than %d bytes", parametersMax)
		}
		return err
	})
	return message, err
}

// PutUpdate sends what a client learned in a round, as it is on the wire.
func (c *Client) PutUpdate(ctx context.Context, round int64, id string, examples int64, message []byte) error {
	path := fmt.Sprintf("/api/fl/rounds/%d/updates/%s?examples=%d", round, url.PathEscape(id), examples)
	return c.do(ctx, http.MethodPut, path, bytes.NewReader(message), nothing)
}

// PutEvaluation sends what a client found of a round's new parameters.
func (c *Client) PutEvaluation(ctx context.Context, round int64, id string, found any) error {
	body, err := json.Marshal(found)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, http.MethodPut, fmt.Sprintf("/api/fl/rounds/%d/evaluations/%s", round, url.PathEscape(id)), jsonBody, bytes.NewReader(body), nothing)
	return err
}

// PutClient says how a client of a federation stands.
func (c *Client) PutClient(ctx context.Context, f breakwater.FLClient) error {
	state := map[string]any{"facility_id": f.FacilityID, "name": f.Name, "status": f.Status, "progress": f.Progress, "current_epoch": f.Epoch, "total_epochs": f.Epochs}
	if f.Loss != nil {
		state["loss"] = *f.Loss
	}
	body, err := json.Marshal(state)
	if err != nil {
		return err
	}
	var kept breakwater.FLClient
	_, err = c.ask(ctx, http.MethodPut, "/api/fl/clients/"+url.PathEscape(f.ID), jsonBody, bytes.NewReader(body), &kept)
	return err
}

// FalseAlarms are the stretches of time of a facility's newest alerts that somebody has called false positives.
func (c *Client) FalseAlarms(ctx context.Context, facility string) ([]breakwater.Span, error) {
	const most = 200
	var page struct{ Alerts []breakwater.Alert }
	query := url.Values{"facility": {facility}, "status": {string(breakwater.StatusFalsePositive)}, "limit": {strconv.Itoa(most)}}
	if err := c.do(ctx, http.MethodGet, "/api/alerts?"+query.Encode(), nil, &page); err != nil {
		return nil, err
	}
	spans := make([]breakwater.Span, len(page.Alerts))
	for i, a := range page.Alerts {
		spans[i] = breakwater.Span{From: a.Timestamp, To: a.LastSeen}
	}
	return spans, nil
}

// nothing is what an answer without a body holds.
func nothing(body io.Reader) error {
	_, err := io.Copy(io.Discard, io.LimitReader(body, 1<<16))
	return err
}
