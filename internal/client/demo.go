package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"breakwater"
)

// StartDemo begins a demo scenario and gives the run's id. facility "" is the scenario's own; fast is not at the data's
// pace.
func (c *Client) StartDemo(ctx context.Context, scenario, facility string, fast bool) (breakwater.ID, error) {
	ask := map[string]string{}
	if facility != "" {
		ask["facility_id"] = facility
	}
	if fast {
		ask["speed"] = "max"
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return breakwater.ID{}, err
	}
	var out struct {
		ID breakwater.ID `json:"scenario_id"`
	}
	_, err = c.ask(ctx, http.MethodPost, "/api/demo/scenarios/"+url.PathEscape(scenario), jsonBody, bytes.NewReader(body), &out)
	return out.ID, err
}

// Demos are the newest runs of the demo's scenarios.
func (c *Client) Demos(ctx context.Context) ([]breakwater.DemoRun, error) {
	var out struct {
		Scenarios []breakwater.DemoRun `json:"scenarios"`
	}
	err := c.do(ctx, http.MethodGet, "/api/demo/status", nil, &out)
	return out.Scenarios, err
}

// Message is one live message.
type Message struct {
	Channel string          `json:"channel"`
	Type    string          `json:"type"`
	Data    json.RawMessage `json:"data"`
}

// Listen gives the live messages of channels (separated by commas) as they come, until give returns false, ctx ends or the
// server breaks off, which is an error of kind Unavailable. ready is called once: what is published from then on is given.
func (c *Client) Listen(ctx context.Context, channels string, ready func(), give func(Message) bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/stream?channels="+url.QueryEscape(channels), nil)
	if err != nil {
		return err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	gone := &breakwater.Error{Kind: breakwater.Unavailable, Message: "the live messages of the server at " + c.base + " have ended"}
	resp, err := c.http.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		if err == nil {
			resp.Body.Close()
		}
		return orEnded(ctx, gone)
	}
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && (err != io.EOF || len(line) == 0) {
			return orEnded(ctx, gone)
		}
		if bytes.HasPrefix(line, []byte("id:")) && ready != nil { // its place in each channel is known
			ready()
			ready = nil
		}
		data, found := bytes.CutPrefix(line, []byte("data:"))
		var m Message
		if !found || json.Unmarshal(data, &m) != nil || m.Type == "" {
			continue
		}
		if !give(m) {
			return nil
		}
	}
}

// orEnded is the end of ctx where that is why, else err.
func orEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
