package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	Models          []struct {
		Kind        string `json:"kind"`
		Version     int64  `json:"version"`
		Fingerprint string `json:"fingerprint"`
	} `json:"models"`
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

// ModelFile is the file of a model.
func (c *Client) ModelFile(ctx context.Context, version int64) (file []byte, err error) {
	_, err = c.ask(ctx, http.MethodGet, fmt.Sprintf("/api/models/%d/file", version), nil, nil, func(body io.Reader) (err error) {
		if file, err = io.ReadAll(io.LimitReader(body, modelMax+1)); err == nil && len(file) > modelMax {
			err = fmt.Errorf("the file is larger than %d bytes", modelMax)
		}
		return err
	})
	return file, err
}

// modelMax bounds a model file, in bytes.
const modelMax = 64 << 20

// Trained is a line of a server's answer while it trains.
type Trained struct {
	Kind       string                    `json:"kind"`
	Epoch      int                       `json:"epoch"`
	Epochs     int                       `json:"epochs"`
	Loss       float64                   `json:"loss"`
	Validation float64                   `json:"validation_loss"`
	Models     []breakwater.ModelVersion `json:"models"` // on the last line alone
}

// Train trains models on a facility's own windows at the server, and gives the models, which are active then. Zero times and
// no kinds are what the server takes without them. epoch is called as it goes on.
func (c *Client) Train(ctx context.Context, facility string, from, to time.Time, kinds []string, epoch func(Trained)) (models []breakwater.ModelVersion, err error) {
	request := map[string]any{"facility_id": facility}
	if !from.IsZero() {
		request["from"] = from
	}
	if !to.IsZero() {
		request["to"] = to
	}
	if len(kinds) > 0 {
		request["kinds"] = kinds
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	_, err = c.ask(ctx, http.MethodPost, "/api/models/train", jsonBody, bytes.NewReader(body), func(answer io.Reader) error {
		lines := json.NewDecoder(answer)
		for {
			var line Trained
			if err := lines.Decode(&line); err != nil {
				return err
			}
			if line.Models != nil {
				models = line.Models
				return nil
			}
			epoch(line)
		}
	})
	return models, err
}

var jsonBody = http.Header{"Content-Type": {"application/json"}}

func facilityPath(facility string) string { return "/api/facilities/" + url.PathEscape(facility) }
