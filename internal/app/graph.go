package app

import (
	"context"

	"breakwater/internal/api"
	"breakwater/internal/attack"
	"breakwater/internal/neo4j"
)

// openGraph makes ready what lets Neo4j follow, where there is one. Where there is none any more, nothing is noted for it.
func (a *App) openGraph(ctx context.Context, c Config) (err error) {
	if c.Neo4jURI == "" {
		return a.store.ForgetGraph(ctx)
	}
	catalogue := func() *attack.Catalogue { return a.Server.Outlook.Predictor().Catalogue() }
	a.graph, err = neo4j.Open(c.Neo4jURI, c.Neo4jUser, c.Neo4jPass, a.store, catalogue, a.leads.Load, a.log)
	if err == nil {
		a.engines = append(a.engines, api.Engine{Name: "neo4j", Ping: a.graph.Ping})
	}
	return err
}

// attackGraph is who says what was seen and is awaited.
func (a *App) attackGraph() attack.Graph {
	if a.graph == nil {
		return a.store
	}
	return a.graph
}
