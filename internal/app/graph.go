package app

import (
	"context"
	"time"

	"breakwater/internal/api"
	"breakwater/internal/attack"
	"breakwater/internal/neo4j"
)

// openGraph makes ready what lets Neo4j follow, where there is one.
func (a *App) openGraph(c Config) (err error) {
	if c.Neo4jURI == "" {
		return nil
	}
	catalogue := func() *attack.Catalogue { return a.Server.Outlook.Predictor().Catalogue() }
	a.graph, err = neo4j.Open(c.Neo4jURI, c.Neo4jUser, c.Neo4jPass, a.store, catalogue, a.leads.Load, a.log)
	if err == nil {
		a.engines = append(a.engines, api.Engine{Name: "neo4j", Ping: a.graph.Ping})
	}
	return err
}

// forgetGraph lets nothing be noted any more for a Neo4j that is not there any more, which the leading node decides: a command
// beside it, or another node, may know of none. What goes wrong is told once and tried again, until ctx ends.
func (a *App) forgetGraph(ctx context.Context) {
	tick := time.NewTicker(leadEvery)
	defer tick.Stop()
	for told := false; ; told = true {
		err := a.store.ForgetGraph(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if !told {
			a.log.Warn("what changes is still noted for Neo4j, though NEO4J_URI is not set; it will be tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// attackGraph is who says what was seen and is awaited.
func (a *App) attackGraph() attack.Graph {
	if a.graph == nil {
		return a.store
	}
	return a.graph
}
