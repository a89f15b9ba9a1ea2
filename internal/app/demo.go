package app

import (
	"context"
	"errors"
	"os"
	"time"

	"breakwater"
	"breakwater/internal/demo"
)

// openDemo is the demo where it may be played: on a server that listens to this machine alone, or was asked to by DEMO_MODE;
// else nil.
func (a *App) openDemo() *demo.Runner {
	if a.config.Local() || isOn(a.config.DemoMode) {
		return a.demo
	}
	return nil
}

// Seed puts the sample data in without serving, and says whether it was not there already. progress is told how far it is.
func (a *App) Seed(ctx context.Context, progress func(stage string, percent float64)) (done bool, err error) {
	within, stop := context.WithCancel(ctx)
	rounds := make(chan error, 1)
	go func() { rounds <- a.rounds.Run(within) }()
	done, err = a.demo.Seed(ctx, time.Now(), progress)
	stop()
	return done, errors.Join(err, <-rounds)
}

// seed puts the sample data in while the server serves. What goes wrong is told, and tried again at the next start.
func (a *App) seed(ctx context.Context) {
	done, err := a.demo.Seed(ctx, time.Now(), nil)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.log.Warn("the sample data was not put in whole; the next start goes on with it", "err", err)
	case done:
		a.log.Info("the sample data is there")
	}
}

// newDemo is what plays the simulated plants, by the ways that everything else goes.
func (a *App) newDemo(c Config) *demo.Runner {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return &demo.Runner{
		Store: a.store, Play: a.Server.Run, Log: a.log, Always: isOn(c.DemoMode),
		Owner: host + " " + a.listener.Addr().String(),
		Forget: func(facility string) {
			a.Server.Forget(facility)
			a.monitor.forget(facility)
		},
		Train: func(ctx context.Context, facilities []string) (*breakwater.Round, error) {
			return a.rounds.Trigger(ctx, facilities...)
		},
		MinClients: a.rounds.Settings.MinClients,
		Publish: func(run breakwater.DemoRun) {
			if err := a.hub.Demo(&run); err != nil {
				a.log.Warn("how a demo stands was saved but not published; GET /api/demo/status shows it", "scenario", run.Scenario, "err", err)
			}
		},
	}
}
