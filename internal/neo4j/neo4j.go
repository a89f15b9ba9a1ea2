// Package neo4j is the attack graph in Neo4j: a copy of what the store knows that follows it, for analysts who ask in
// Cypher and for the API.
//
//	store ─► what the copy lacks ─► Graph.Run ─► Neo4j ─► Graph.TechniquesSeen, Transitions
//	   └──────────────── while Neo4j is away or lacks something ──────────┘
//
//	(:Facility)-[:RAISED]->(:Alert)-[:SHOWED]->(:Technique)                    what was seen
//	(:Facility)-[:EXPECTS]->(:Prediction)-[:PREDICTED]->(:Technique)           what is awaited
//	                         (:Prediction)-[:AFTER]->(:Technique)
//	(:Group)-[:USES]->(:Technique)-[:IN]->(:Tactic), (:Mitigation)-[:MITIGATES]->(:Technique), …     ATT&CK
//
// docs/neo4j.md has all of it. The store is the truth: what is written here is written over what was here, twice is the
// same as once, and an older version of an alert or prediction never over a newer one. Of the servers on one store one
// writes. Nothing waits for Neo4j but Run. The package knows Cypher, and hides the driver, whose errors are at
// most the cause inside ours.
package neo4j

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"breakwater"

	"github.com/neo4j/neo4j-go-driver/v6/neo4j"
	"github.com/neo4j/neo4j-go-driver/v6/neo4j/config"
)

// server is a Neo4j server.
type server struct {
	driver neo4j.Driver
	where  string        // for messages
	limit  time.Duration // that a transaction may take
}

// patience is how long a connection may take. Whoever asks tries again: Neo4j may be away for long.
const patience = 10 * time.Second

// CheckURI says whether a URI names a Neo4j server. The message does not show it: who writes a password into it, where
// it does not belong, does not find it in a log.
func CheckURI(uri string) error {
	u, err := url.Parse(uri)
	schemes := []string{"neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc"}
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.User != nil || u.Path != "" || u.Fragment != "" {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "NEO4J_URI",
			Message: "neo4j://HOST:7687 or bolt://HOST:7687, with +s behind neo4j or bolt for TLS and +ssc for TLS without a check of the certificate; user and password stand in NEO4J_USER and NEO4J_PASSWORD"}
	}
	return nil
}

// dial makes ready to speak with the server of a URI. It does not connect: that is done when something is asked. With no
// password none is shown.
func dial(uri, user, password string) (*server, error) {
	if err := CheckURI(uri); err != nil {
		return nil, err
	}
	u, _ := url.Parse(uri) // as CheckURI has
	token := neo4j.NoAuth()
	if password != "" {
		token = neo4j.BasicAuth(user, password, "")
	}
	driver, err := neo4j.NewDriver(uri, token, func(c *config.Config) {
		c.SocketConnectTimeout, c.ConnectionAcquisitionTimeout, c.MaxTransactionRetryTime = patience, patience, time.Second
		c.ConnectionLivenessCheckTimeout = 5 * time.Second // a server that was restarted has closed what was open
		c.UserAgent = "breakwater"
	})
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "NEO4J_URI", Message: "Neo4j at " + u.Host + " cannot be spoken to", Err: err}
	}
	return &server{driver: driver, where: u.Host, limit: writing}, nil
}

// statement is a query with its parameters.
type statement struct {
	cypher string
	params map[string]any
}

// write runs statements in one transaction, those that have rows and none in them left out.
func (s *server) write(ctx context.Context, doing string, statements ...statement) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	session := s.driver.NewSession(ctx, neo4j.SessionConfig{AccessMode: neo4j.AccessModeWrite})
	defer session.Close(ctx)
	_, err := session.ExecuteWrite(ctx, func(tx neo4j.ManagedTransaction) (any, error) {
		for _, st := range statements {
			if rows, has := st.params["rows"].([]map[string]any); has && len(rows) == 0 {
				continue
			}
			result, err := tx.Run(ctx, st.cypher, st.params)
			if err != nil {
				return nil, err
			}
			if _, err := result.Consume(ctx); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return s.failed(doing, err)
}

// read gives all rows of a query.
func (s *server) read(ctx context.Context, doing, cypher string, params map[string]any) ([]*neo4j.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	session := s.driver.NewSession(ctx, neo4j.SessionConfig{AccessMode: neo4j.AccessModeRead})
	defer session.Close(ctx)
	records, err := session.ExecuteRead(ctx, func(tx neo4j.ManagedTransaction) (any, error) {
		result, err := tx.Run(ctx, cypher, params)
		if err != nil {
			return nil, err
		}
		return result.Collect(ctx)
	})
	if err != nil {
		return nil, s.failed(doing, err)
	}
	return records.([]*neo4j.Record), nil
}

// failed turns what went wrong while doing something into an error that a person can act on; nil stays nil.
func (s *server) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	message := fmt.Sprintf("Neo4j at %s: %s: ", s.where, doing)
	said, refused := errors.AsType[*neo4j.Neo4jError](err)
	switch {
	case refused && strings.HasPrefix(said.Code, "Neo.ClientError.Security."):
		return &breakwater.Error{Kind: breakwater.Unavailable, Message: message + "it does not let us in: check NEO4J_USER and NEO4J_PASSWORD", Err: err}
	case refused && strings.HasPrefix(said.Code, "Neo.ClientError."):
		return &breakwater.Error{Kind: breakwater.Internal, Message: message + "it does not understand us", Err: err}
	}
	return &breakwater.Error{Kind: breakwater.Unavailable, Message: message + "it does not answer: is it running, and does NEO4J_URI say where?", Err: err}
}
