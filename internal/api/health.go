package api

import (
	"context"
	"net/http"
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
}

// services are embedded where the program does their work itself.
type services struct {
	Database string `json:"database" enum:"connected,embedded,unreachable" example:"embedded" doc:"Where alerts are kept."`
	Redis    string `json:"redis" enum:"connected,embedded,unreachable" example:"embedded" doc:"What nodes share: windows, live messages."`
	Kafka    string `json:"kafka" enum:"connected,embedded,unreachable" example:"embedded" doc:"Topics in and out."`
	Neo4j    string `json:"neo4j" enum:"connected,embedded,unreachable" example:"embedded" doc:"The graph of techniques."`
}

func (s *server) health(ctx context.Context, _ *struct{}) (*response[health], error) {
	state := health{Status: "healthy", Service: "breakwater", Version: s.Version,
		Services: services{Database: "connected", Redis: "embedded", Kafka: "embedded", Neo4j: "embedded"}}
	if s.Store.Embedded() {
		state.Services.Database = "embedded"
	}
	if err := s.ping(ctx); err != nil {
		s.Logger.Warn("the database does not answer", "err", err)
		state.Status, state.Services.Database = "degraded", "unreachable"
	}
	return &response[health]{state}, nil
}

type alive struct {
	Status string `json:"status" enum:"ok" example:"ok" doc:"ok."`
}

func (s *server) livez(context.Context, *struct{}) (*response[alive], error) {
	return &response[alive]{alive{"ok"}}, nil
}

func (s *server) readyz(ctx context.Context, _ *struct{}) (*response[alive], error) {
	return &response[alive]{alive{"ok"}}, s.ping(ctx)
}

func (s *server) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return s.Store.Ping(ctx)
}
