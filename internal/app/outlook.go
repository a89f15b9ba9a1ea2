package app

import (
	"context"
	"strings"
	"sync"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/pipeline"
	"breakwater/internal/predict"
	"breakwater/internal/store"
)

// settleEvery is how often predictions whose time is over are ended.
const settleEvery = 5 * time.Second

// outlook is what predicts: from the catalogue that was imported, else from the one that the program brings.
func (a *App) outlook(ctx context.Context) (*pipeline.Outlook, error) {
	predictor := predict.Builtin
	text, err := a.store.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	if text != "" {
		catalogue, err := attack.Read(strings.NewReader(text))
		if err != nil {
			return nil, &breakwater.Error{Kind: breakwater.Unavailable, Message: "the ATT&CK catalogue in the database cannot be read: import it anew with breakwater attack import", Err: err}
		}
		predictor = sync.OnceValue(func() *predict.Predictor { return predict.New(catalogue) })
	}
	return &pipeline.Outlook{Predictor: predictor, Publish: func(e store.PredictionEvent) {
		if err := a.hub.Prediction(e.What, e.Prediction); err != nil {
			a.log.Warn("a prediction was saved but not published; open pages show it after a reload", "prediction", e.ID, "err", err)
		}
	}}, nil
}

// settle ends predictions whose time is over until ctx ends. What goes wrong is told and tried again.
func (a *App) settle(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		if err := a.Server.Settle(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Warn("predictions that are over were not ended; it will be tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
