package app

import (
	"breakwater"
	"breakwater/internal/fl"
)

// federation makes the coordinator of rounds over the facilities of the store, and over those that ask.
func (a *App) federation(c Config) (*fl.Coordinator, error) {
	settings, err := c.Federation()
	if err != nil {
		return nil, err
	}
	unpublished := func(what string, id any, err error) {
		if err != nil {
			a.log.Warn("how the federation stands was saved but not published; open pages show it after a reload", what, id, "err", err)
		}
	}
	return &fl.Coordinator{
		Store: a.store, Settings: settings, Facilities: true, Log: a.log,
		Publish:       func(r *breakwater.Round) { unpublished("round", r.ID, a.hub.Round(r)) },
		PublishClient: func(f *breakwater.FLClient) { unpublished("client", f.ID, a.hub.Client(f)) },
	}, nil
}
