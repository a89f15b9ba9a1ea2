package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) healthRoutes(h huma.API) {
	tags := []string{"Operations"}
	register(s, h, huma.Operation{
		OperationID: "get-health", Method: http.MethodGet, Path: "/health", Tags: tags,
		Summary: "How the server and what it needs are", Description: "Each service is asked when this is.",
	}, s.health)
	register(s, h, huma.Operation{
		OperationID: "get-livez", Method: http.MethodGet, Path: "/livez", Tags: tags,
		Summary: "Whether the process answers", Description: "For who restarts it. It asks nothing of other services.",
	}, s.livez)
	register(s, h, huma.Operation{
		OperationID: "get-readyz", Method: http.MethodGet, Path: "/readyz", Tags: tags,
		Summary: "Whether requests can be served now", Description: "For who sends requests here: 503 while the database cannot be had.",
		Errors: []int{http.StatusServiceUnavailable},
	}, s.readyz)
}

// pingTimeout is how long a service may take to answer before it counts as unreachable.
const pingTimeout = 2 * time.Second

type health struct {
	Status   string   `json:"status" enum:"healthy,degraded" example:"healthy" doc:"degraded where a service is unreachable."`
	Service  string   `json:"service" example:"breakwater" doc:"What answers here: breakwater."`
	Version  string   `json:"version" example:"0.1.0" doc:"The program's version."`
	Services services `json:"services" doc:"What the server needs."`
	Warnings []string `json:"warnings,omitempty" nullable:"false" example:"[]" doc:"What is wrong though the server is well, as several nodes whose listeners do not hear of each other."`
}

// services are embedded where the program does their work itself.
type services struct {
	Database string `json:"database" enum:"connected,embedded,unreachable" example:"embedded" doc:"Where alerts are kept."`
	Redis    string `json:"redis" enum:"connected,embedded,unreachable" example:"embedded" doc:"What nodes share: windows, live messages."`
	Kafka    string `json:"kafka" enum:"connected,embedded,unreachable" example:"embedded" doc:"Topics in and out."`
	Neo4j    string `json:"neo4j" enum:"connected,embedded,unreachable" example:"embedded" doc:"The graph of techniques."`
}

// Engine is a service that the server needs and that is another process, or could be.
type Engine struct {
	Name string                          // as in /health: redis, kafka or neo4j
	Ping func(ctx context.Context) error // nil: it answers
}

// health asks all engines at once, so that the answer takes no longer than the slowest.
func (s *server) health(ctx context.Context, _ *struct{}) (*response[health], error) {
	state := health{Status: "healthy", Service: "breakwater", Version: s.Version,
		Services: services{Database: "connected", Redis: "embedded", Kafka: "embedded", Neo4j: "embedded"}}
	if s.Store.Embedded() {
		state.Services.Database = "embedded"
	}
	engines := append([]Engine{{"database", s.Store.Ping}}, s.Engines...)
	answers := make([]error, len(engines))
	var all sync.WaitGroup
	for i, e := range engines {
		all.Go(func() { answers[i] = ping(ctx, e.Ping) })
	}
	all.Wait()
	if ctx.Err() != nil { // who asked went away: that says nothing of the engines
		return nil, ctx.Err()
	}
	of := map[string]*string{"database": &state.Services.Database, "redis": &state.Services.Redis, "kafka": &state.Services.Kafka, "neo4j": &state.Services.Neo4j}
	for i, e := range engines {
		switch err := answers[i]; {
		case err != nil:
			state.Status, *of[e.Name] = "degraded", "unreachable"
		case e.Name != "database":
			*of[e.Name] = "connected"
		}
		s.note(e.Name, answers[i])
	}
	if s.Warnings != nil {
		state.Warnings = s.Warnings()
	}
	return &response[health]{state}, nil
}

// note logs that an engine went away, or is back, once: whoever watches asks for /health every few seconds.
func (s *server) note(engine string, err error) {
	if err != nil {
		if _, known := s.away.LoadOrStore(engine, true); !known {
			s.Logger.Warn("an engine does not answer", "engine", engine, "err", err)
		}
	} else if _, was := s.away.LoadAndDelete(engine); was {
		s.Logger.Info("an engine answers again", "engine", engine)
	}
}

type alive struct {
	Status string `json:"status" enum:"ok" example:"ok" doc:"ok."`
}

func (s *server) livez(context.Context, *struct{}) (*response[alive], error) {
	return &response[alive]{alive{"ok"}}, nil
}

func (s *server) readyz(ctx context.Context, _ *struct{}) (*response[alive], error) {
	return &response[alive]{alive{"ok"}}, ping(ctx, s.Store.Ping)
}

func ping(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return ask(ctx)
}
