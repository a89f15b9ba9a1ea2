package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"breakwater"
)

// Taken is what a server says of rows that it was sent.
type Taken struct {
	Accepted int64 `json:"accepted"`
	Rejected int64 `json:"rejected"`
	Errors   []struct {
		Line   int64  `json:"line"`
		Detail string `json:"detail"`
	} `json:"errors"`
}

// SensorConfig is what a server wants a sensor to run with.
type SensorConfig struct {
	Rules []struct {
		ID   string `json:"id"`
		Hash string `json:"hash"`
		Text string `json:"text"` // YAML
	} `json:"rules"`
	RulesHash       string `json:"rules_hash"`
	BaselineVersion int    `json:"baseline_version"` // 0: nothing was learned
}

// SendBatches sends batches of one facility, each as JSON on a line of its own, in order. When it returns without an
// error they are durable, but for those that the server rejected and will never take.
func (c *Client) SendBatches(ctx context.Context, facility string, lines [][]byte) (Taken, error) {
	var taken Taken
	_, err := c.ask(ctx, http.MethodPost, "/api/ingest/batches?facility_id="+url.QueryEscape(facility),
		http.Header{"Content-Type": {"application/x-ndjson"}}, bytes.NewReader(bytes.Join(lines, []byte("\n"))), &taken)
	return taken, err
}

// Hello tells the server how a sensor stands, its clock included.
func (c *Client) Hello(ctx context.Context, n breakwater.Sensor, clock time.Time) error {
	body, err := json.Marshal(map[string]any{"version": n.Version, "source": n.Source, "time": clock,
		"spooled_bytes": n.SpooledBytes, "lost_windows": n.LostWindows, "lost_detections": n.LostDetections})
	if err != nil {
		return err
	}
	var out breakwater.Sensor
	_, err = c.ask(ctx, http.MethodPut, facilityPath(n.FacilityID)+"/sensor", jsonBody, bytes.NewReader(body), &out)
	return err
}

// Config is what a facility's sensor shall run with, and its ETag. It is nil where that is the ETag still.
func (c *Client) Config(ctx context.Context, facility, etag string) (*SensorConfig, string, error) {
	var header http.Header
	if etag != "" {
		header = http.Header{"If-None-Match": {etag}}
	}
	var out SensorConfig
	answer, err := c.ask(ctx, http.MethodGet, facilityPath(facility)+"/config", header, nil, &out)
	if err != nil || answer == nil {
		return nil, etag, err
	}
	return &out, answer.Get("ETag"), nil
}

// PutBaseline replaces what a facility has learned and gives the new version.
func (c *Client) PutBaseline(ctx context.Context, facility string, learned []byte) (version int, err error) {
	var out struct {
		Version int `json:"version"`
	}
	_, err = c.ask(ctx, http.MethodPut, facilityPath(facility)+"/baseline", jsonBody, bytes.NewReader(learned), &out)
	return out.Version, err
}

var jsonBody = http.Header{"Content-Type": {"application/json"}}

func facilityPath(facility string) string { return "/api/facilities/" + url.PathEscape(facility) }
