// Package client speaks Breakwater's own HTTP API from Go, for the commands that talk to a running server.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"breakwater"
)

// Client talks to one server.
type Client struct {
	base  string
	token string // "" where the server needs none
	http  *http.Client
}

// New makes a client of the server at base, as "http://127.0.0.1:8000", that shows token with each request; "" is none.
// The error is of kind Invalid.
func New(base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "server",
			Message: fmt.Sprintf("server %q is not an address like http://127.0.0.1:8000", base)}
	}
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, http: &http.Client{}}, nil
}

// Ingested is what a server says of a capture that it took in.
type Ingested struct {
	Accepted   int64 `json:"accepted"` // packets
	Rejected   int64 `json:"rejected"`
	Events     int64 `json:"events"`
	Windows    int64 `json:"windows"`
	Detections int64 `json:"detections"`
	Forwarded  bool  `json:"forwarded"` // it is analysed later, by the node that has the facility: only packets are counted
	Errors     []struct {
		Line   int64  `json:"line"`
		Detail string `json:"detail"`
	} `json:"errors"`
}

// IngestPcap sends a capture (any format the server reads) to a facility as it is read from body; learn > 0 learns
// from that much data time at its beginning. It returns when the server has taken all of it in.
func (c *Client) IngestPcap(ctx context.Context, facility string, learn time.Duration, body io.Reader) (Ingested, error) {
	query := url.Values{"facility_id": {facility}}
	if learn > 0 {
		query.Set("learn", learn.String())
	}
	var out Ingested
	err := c.do(ctx, http.MethodPost, "/api/ingest/pcap?"+query.Encode(), body, &out)
	return out, err
}

// Baseline is what a facility has learned, as JSON.
func (c *Client) Baseline(ctx context.Context, facility string) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, http.MethodGet, "/api/facilities/"+url.PathEscape(facility)+"/baseline", nil, &out)
	return out, err
}

// CountAlerts is how many alerts a facility has.
func (c *Client) CountAlerts(ctx context.Context, facility string) (int, error) {
	var out struct {
		Total int `json:"total"`
	}
	err := c.do(ctx, http.MethodGet, "/api/alerts?limit=1&facility="+url.QueryEscape(facility), nil, &out)
	return out.Total, err
}

// do asks and reads the answer into out: as JSON, or, where out is a func(io.Reader) error, as that does.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader, out any) error {
	_, err := c.ask(ctx, method, path, nil, body, out)
	return err
}

// ask is do with headers, and gives those of the answer; nil where If-None-Match holds, and out is as it was then. An
// answer that is an error becomes a breakwater.Error with the server's own sentence.
func (c *Client) ask(ctx context.Context, method, path string, header http.Header, body io.Reader, out any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token) // which net/http keeps from other hosts that it is sent on to
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// The reader of the body may be what went wrong: its error says more than the transport's.
		if own, ok := errors.AsType[*breakwater.Error](err); ok {
			return nil, own
		}
		message := "the Breakwater server at " + c.base + " broke off the connection"
		if errors.Is(err, syscall.ECONNREFUSED) {
			message = "no Breakwater server answers at " + c.base + ": start one with `breakwater serve`, or name another with --server"
		}
		return nil, &breakwater.Error{Kind: breakwater.Unavailable, Message: message, Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil, nil
	}
	if resp.StatusCode >= 400 {
		var problem struct{ Detail string }
		if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&problem) != nil || problem.Detail == "" {
			problem.Detail = "the server at " + c.base + " answered " + resp.Status
		}
		return nil, &breakwater.Error{Kind: kindOf(resp.StatusCode), Message: problem.Detail}
	}
	read, ok := out.(func(io.Reader) error) // an answer that is no JSON, or that is read as it comes
	if ok {
		if err := read(resp.Body); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &breakwater.Error{Kind: breakwater.Unavailable, Message: "the Breakwater server at " + c.base + " broke off its answer: its log says why", Err: err}
		}
		return resp.Header, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Unavailable, Message: "what answers at " + c.base + " is not a Breakwater server", Err: err}
	}
	return resp.Header, nil
}

func kindOf(status int) breakwater.ErrorKind {
	switch status {
	case http.StatusNotFound:
		return breakwater.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return breakwater.Conflict
	case http.StatusRequestEntityTooLarge:
		return breakwater.TooLarge
	case http.StatusUnauthorized, // with another token it can be had, and what is to be sent is not wrong
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return breakwater.Unavailable
	}
	if status < 500 {
		return breakwater.Invalid
	}
	return breakwater.Internal
}
