package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"breakwater"
	"breakwater/internal/api"
	"breakwater/internal/capture"
	"breakwater/internal/demo"
	"breakwater/internal/detect"
	"breakwater/internal/fl"
	"breakwater/internal/live"
	"breakwater/internal/neo4j"
	"breakwater/internal/pipeline"
	"breakwater/internal/redis"
	"breakwater/internal/store"
	"breakwater/webapp"

	"golang.org/x/sync/errgroup"
)

// sweepEvery is how often what is over is removed. It has a clock of its own: how long data is kept counts from its
// receipt and not from the time that it carries.
const sweepEvery = time.Hour

// shutdownGrace is how long requests under way may take to end once the program was asked to stop.
const shutdownGrace = 10 * time.Second

// App is the wired program.
type App struct {
	Server   *pipeline.Server
	store    *store.Store
	redis    *redis.Buffer // nil: this server stands alone
	hub      *live.Hub
	listener net.Listener
	http     *http.Server
	monitor  *monitor
	rounds   *fl.Coordinator
	demo     *demo.Runner
	node     store.Node
	leads    atomic.Bool
	exchange *exchange    // nil: Kafka is not used
	graph    *neo4j.Graph // nil: the store alone has the attack graph
	engines  []api.Engine // in use beside the database
	config   Config
	log      *slog.Logger
	keep     time.Duration // for which network data is kept
}

// Open wires the program and takes its port; nothing runs yet. What it opened before an error is closed again.
func Open(ctx context.Context, c Config, version string) (_ *App, err error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	a := &App{keep: c.Keep(), config: c}
	if a.log, err = c.Logger(os.Stderr); err != nil {
		return nil, err
	}
	rules, err := detect.Shipped()
	if err != nil {
		return nil, err
	}
	// The port first: a second server started by mistake stops here and leaves the database alone.
	address := net.JoinHostPort(c.APIHost, c.APIPort)
	if a.listener, err = net.Listen("tcp", address); err != nil {
		return nil, listenError(address, err)
	}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	// A name like localhost is what this machine's tables say.
	if ip := a.listener.Addr().(*net.TCPAddr).IP; c.APIToken == "" && !ip.IsLoopback() {
		return nil, setting("API_HOST", c.APIHost, "a loopback address, and this machine says it is "+ip.String())
	}
	if a.store, err = store.Open(ctx, c.DatabaseURL); err != nil {
		return nil, err
	}
	if err = a.store.Migrate(ctx); err != nil {
		return nil, err
	}
	recent, err := a.openRecent(ctx, c)
	if err != nil {
		return nil, err
	}
	if a.hub, err = live.New(a.log, c.Origins(), c.Authorize(), c.RedisURL); err != nil {
		return nil, err
	}
	a.node = newNode(a.listener.Addr().(*net.TCPAddr))
	a.Server = &pipeline.Server{
		Store: a.store, Rules: rules, Context: recent,
		Publish: func(alert *breakwater.Alert, created bool) {
			if err := a.hub.Alert(alert, created); err != nil {
				a.log.Warn("an alert was saved but not published; open pages show it after a reload", "alert", alert.ID, "err", err)
			}
		},
	}
	if !a.store.Embedded() { // else no other node can have a facility
		a.Server.Node = &a.node
	}
	if a.Server.Outlook, err = a.outlook(ctx); err != nil {
		return nil, err
	}
	if err = a.openGraph(c); err != nil {
		return nil, err
	}
	if a.rounds, err = a.federation(c); err != nil {
		return nil, err
	}
	a.monitor = &monitor{server: a.Server, store: a.store, hub: a.hub, log: a.log, version: version, began: time.Now(), node: a.node, leads: a.leads.Load, joined: a.redis != nil || c.Kafka.On()}
	if _, err = a.monitor.look(ctx, time.Now()); err != nil { // what comes from now on is heard
		return nil, err
	}
	a.demo = a.newDemo(c)
	onward, err := a.openExchange(c)
	if err != nil {
		return nil, err
	}
	handler, err := api.New(api.Config{
		Store: a.store, Graph: a.attackGraph(), Engines: a.engines, Forward: onward, Demo: a.openDemo(), Hub: a.hub, Ingest: a.ingest, Flow: a.Server, Federation: a.rounds, Status: a.monitor.status, Warnings: a.monitor.warnings, Metrics: a.metrics(), Web: webapp.Handler(), Version: version,
		AllowedOrigins: c.Origins(), Hosts: c.Hosts(), Authorize: c.Authorize(), Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	if a.exchange != nil {
		a.exchange.api = handler
	}
	a.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	return a, nil
}

// URL is where the web app is.
func (a *App) URL() string { return "http://" + a.listener.Addr().String() }

// Run serves and taps until ctx ends, then lets what is under way end.
func (a *App) Run(ctx context.Context, taps ...Tap) error {
	group, ctx := errgroup.WithContext(ctx)
	if demo := a.openDemo(); demo != nil {
		if err := demo.Begin(ctx); err != nil { // before somebody asks for a scenario
			return err
		}
		group.Go(func() error { return demo.Run(ctx) })
	}
	group.Go(func() error { return a.hub.Run(ctx) })
	group.Go(func() error { return a.lead(ctx) })
	group.Go(func() error { a.monitor.run(ctx); return nil })
	if a.exchange != nil {
		group.Go(func() error { return a.exchange.run(ctx) })
	}
	if a.graph != nil {
		group.Go(func() error { a.graph.Run(ctx); return nil })
	}
	group.Go(func() error {
		if err := a.http.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := a.http.Shutdown(late); err != nil {
			return a.http.Close()
		}
		return nil
	})
	for _, tap := range taps {
		group.Go(func() error { return a.tap(ctx, tap) })
	}
	err := group.Wait()
	if a.exchange != nil {
		a.exchange.lastWords(ctx)
	}
	return err
}

// sweep removes what is over, at once and then each sweepEvery, until ctx ends. What goes wrong is told and tried again.
func (a *App) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		gone, err := a.store.Expire(ctx, time.Now(), a.keep)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Warn("network data that is over was not removed; it will be tried again", "err", err)
		case gone.Rows > 0 || len(gone.Days) > 0:
			a.log.Info("network data that is over was removed", "rows", gone.Rows, "days", gone.Days, "received_before", time.Now().Add(-a.keep))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close gives back what Open took, last first.
func (a *App) Close() error {
	var err error
	if a.exchange != nil {
		a.exchange.cluster.Close()
	}
	if a.hub != nil {
		a.hub.Close()
	}
	if a.redis != nil {
		err = a.redis.Close()
	}
	if a.graph != nil {
		err = errors.Join(err, a.graph.Close())
	}
	if a.store != nil {
		err = errors.Join(err, a.store.Close())
	}
	if a.listener != nil {
		if e := a.listener.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// newNode is this process, by the machine's name and the port it listens to.
func newNode(address *net.TCPAddr) store.Node {
	host, err := os.Hostname()
	if err != nil {
		host = address.IP.String()
	}
	return store.NewNode(net.JoinHostPort(host, strconv.Itoa(address.Port)))
}

// ingest feeds a capture that came over the API through the way of the data.
func (a *App) ingest(ctx context.Context, r api.IngestRequest) (api.IngestResult, error) {
	source, err := capture.NewReader(r.Body, r.Name)
	if err != nil {
		return api.IngestResult{}, err
	}
	defer source.Close()
	if a.exchange != nil {
		sent, err := forward(a.exchange.cluster.Forward(ctx, "pcap", r.FacilityID, r.Learn), source.Packets())
		return api.IngestResult{Packets: sent, Forwarded: true}, err
	}
	stats, err := a.Server.Run(ctx, r.FacilityID, r.Learn, source.Packets())
	return api.IngestResult{Packets: stats.Packets, Events: stats.Events, Windows: stats.Windows, Detections: stats.Detections}, err
}

func listenError(address string, err error) error {
	message := "cannot listen on " + address
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		message = "port " + address + " is in use: another Breakwater, or another program; stop it or choose another with API_PORT (--api-port)"
	case errors.Is(err, syscall.EACCES):
		message = "no permission to listen on " + address + ": choose a port above 1023 with API_PORT (--api-port)"
	}
	return &breakwater.Error{Kind: breakwater.Unavailable, Field: "API_PORT", Message: message, Err: err}
}
