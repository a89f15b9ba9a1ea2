package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"breakwater"
	"breakwater/internal/client"
	"breakwater/internal/fl"
)

// sharedModel is the file, beside the spool, of the model that was made of the federation's parameters.
const sharedModel = "shared.bwm"

// federation lets the sensor keep what it sees, beside what it sends, and train on it: send is what batches go to, train
// takes part until its context ends. What was published in an earlier run is detected with from the start.
func (c *SensorCmd) federation(server *client.Client, send breakwater.Send, changed func(client.Change), log *slog.Logger) (breakwater.Send, func(context.Context), error) {
	if !c.Federation {
		return send, func(context.Context) {}, nil
	}
	path := filepath.Join(c.Spool, sharedModel)
	if file, err := os.ReadFile(path); err == nil {
		changed(client.Change{Models: [][]byte{file}})
	}
	rows, err := fl.OpenRows(c.Spool)
	if err != nil {
		return nil, nil, err
	}
	follower := &fl.Follower{Server: server, Log: log, Examples: rows.Len, Client: fl.Client{ID: c.Facility, FacilityID: c.Facility, Name: c.Facility,
		Data: func(ctx context.Context) (fl.Data, error) {
			falseAlarms, err := server.FalseAlarms(ctx, c.Facility)
			if err != nil {
				return fl.Data{}, err
			}
			return rows.Data(falseAlarms)
		},
		Install: func(_ context.Context, r fl.Release) error {
			file := r.Model.Encode()
			if err := writeWhole(path, file); err != nil {
				return err
			}
			changed(client.Change{Models: [][]byte{file}})
			return nil
		}}}
	full := false
	both := func(ctx context.Context, b breakwater.Batch) error {
		if err := rows.Put(b); err != nil && !full { // what is sent goes before
			full = true
			log.Warn("the sensor does not keep what it sees: it trains on less", "err", err)
		}
		return send(ctx, b)
	}
	return both, func(ctx context.Context) {
		defer rows.Close()
		follower.Run(ctx)
	}, nil
}
