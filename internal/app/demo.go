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

// seedAgain is after how long seeding is tried again.
const seedAgain = 10 * time.Second

// seed puts the sample data in while the server serves, as what goes wrong, or another process is at it, until it is there.
func (a *App) seed(ctx context.Context) {
	told := ""
	for {
		done, err := a.demo.Seed(ctx, time.Now(), nil)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && done:
			a.log.Info("the sample data is there")
			return
		case err == nil:
			return
		case err.Error() != told:
			told = err.Error()
			a.log.Warn("the sample data was not put in whole; it will be gone on with", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(seedAgain):
		}
	}
}

// newDemo is what plays the simulated plants, by the ways that everything else goes.
func (a *App) newDemo(c Config) *demo.Runner {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return &demo.Runner{
		Store: a.store, Play: a.Server.Run, Hold: a.Server.Hold, Forget: a.Server.Forget, Log: a.log,
		Owner: host + " " + a.listener.Addr().String(),
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
