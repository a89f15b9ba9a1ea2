//go:build unix

// Package neo4jtest gives tests the Neo4j that scripts/with-neo4j started: emptied, and to one test at a time, in
// whatever package it is.
package neo4jtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/neo4j/neo4j-go-driver/v6/neo4j"
)

// Server is a running Neo4j.
type Server struct {
	URI, User, Password string
	program             string // that stops and starts it
}

// Take waits until no other test has the server, and empties it. Without one the test skips.
func Take(t testing.TB) *Server {
	t.Helper()
	s := &Server{os.Getenv("BREAKWATER_TEST_NEO4J_URI"), os.Getenv("BREAKWATER_TEST_NEO4J_USER"), os.Getenv("BREAKWATER_TEST_NEO4J_PASSWORD"), os.Getenv("BREAKWATER_TEST_NEO4J")}
	if s.URI == "" {
		t.Skip("needs Neo4j: run it through scripts/with-neo4j")
	}
	folder := os.TempDir()
	if s.program != "" {
		folder = filepath.Dir(s.program)
	}
	lock, err := os.OpenFile(filepath.Join(folder, "breakwater-neo4j.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() }) // and with it the lock
	s.Ask(t, "MATCH (n) DETACH DELETE n", nil)
	return s
}

// Ask gives the rows of a query. It waits for a server that is starting.
func (s *Server) Ask(t testing.TB, cypher string, params map[string]any) [][]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	driver, err := neo4j.NewDriver(s.URI, neo4j.BasicAuth(s.User, s.Password, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer driver.Close(ctx)
	result, err := neo4j.ExecuteQuery(ctx, driver, cypher, params, neo4j.EagerResultTransformer)
	if err != nil {
		t.Fatalf("%s: %v", cypher, err)
	}
	rows := make([][]any, len(result.Records))
	for i, r := range result.Records {
		rows[i] = r.Values
	}
	return rows
}

// Stop ends the server in order; Start starts it again and returns when its port is open, on the same port and with the
// same data.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.do(t, "stop") }

// Start is Stop's other half.
func (s *Server) Start(t testing.TB) { t.Helper(); s.do(t, "start") }

func (s *Server) do(t testing.TB, what string) {
	t.Helper()
	if s.program == "" {
		t.Skip("needs a Neo4j that may be stopped: run it through scripts/with-neo4j")
	}
	if out, err := exec.Command(s.program, what).CombinedOutput(); err != nil {
		t.Fatalf("neo4j %s: %v\n%s", what, err, out)
	}
}
