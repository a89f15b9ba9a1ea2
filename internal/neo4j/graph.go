package neo4j

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/store"
)

const (
	// lookEvery is how often Run looks whether the copy lacks something.
	lookEvery = 500 * time.Millisecond
	// presencesEvery is how often the newest data of facilities, which moves each second, is written.
	presencesEvery = 5 * time.Second
	// leadsEvery is how often who writes looks whether it still may.
	leadsEvery = 100 * time.Millisecond
	// atOnce is how many alerts and predictions one transaction writes.
	atOnce = 500
	// writing and reading are how long a transaction may take. Who reads is a person.
	writing, reading = time.Minute, 2 * time.Second
	// rest is for how long Neo4j is not asked after it has not answered in time.
	rest = time.Minute
)

// Graph is the attack graph as Neo4j has it, and as the store has it while Neo4j does not answer or lacks something. So
// what is asked after a change always shows it. It implements attack.Graph.
type Graph struct {
	server *server
	store  *store.Store
	log    *slog.Logger
	attack func() (catalogue *attack.Catalogue, digest string)
	leads  func() bool // whether this server is the one that writes, of those on the same store

	has   atomic.Value // the name of the copy that Neo4j has, a string; "" where it has none, or did not answer when Run last looked
	rests atomic.Int64 // until when it is not asked, in nanoseconds

	// What only Run knows.
	presences []attack.Presence
	told      time.Time // when it looked last whether they are
}

// Open makes a graph of the server at a URI (see CheckURI); with no password none is shown. It does not connect: Neo4j may
// be away. catalogue gives ATT&CK as it is to be written, and leads says whether it is this server that writes: of those on
// one store one does.
func Open(uri, user, password string, s *store.Store, catalogue func() *attack.Catalogue, leads func() bool, log *slog.Logger) (*Graph, error) {
	server, err := dial(uri, user, password)
	if err != nil {
		return nil, err
	}
	known := sync.OnceValues(func() (*attack.Catalogue, string) {
		c, sum := catalogue(), sha256.New()
		c.Write(sum, true) // a hash takes everything
		return c, hex.EncodeToString(sum.Sum(nil)[:8])
	})
	return &Graph{server: server, store: s, log: log, attack: known, leads: leads}, nil
}

// Close closes the connections.
func (g *Graph) Close() error { return g.server.driver.Close(context.Background()) }

// Ping asks Neo4j for nothing. The error is of kind Unavailable where it does not answer.
func (g *Graph) Ping(ctx context.Context) error {
	_, err := g.server.read(ctx, "looking whether it answers", "RETURN 1", nil)
	return err
}

// TechniquesSeen is attack.Graph's.
func (g *Graph) TechniquesSeen(ctx context.Context, q attack.Sightings) ([]attack.SeenTechnique, error) {
	return ask(ctx, g, func(ctx context.Context, of attack.Graph) ([]attack.SeenTechnique, error) {
		return of.TechniquesSeen(ctx, q)
	})
}

// Transitions is attack.Graph's.
func (g *Graph) Transitions(ctx context.Context, facilities []string, from, to time.Time) ([]attack.Transition, error) {
	return ask(ctx, g, func(ctx context.Context, of attack.Graph) ([]attack.Transition, error) {
		return of.Transitions(ctx, facilities, from, to)
	})
}

// ask asks Neo4j where it has everything, else the store.
func ask[T any](ctx context.Context, g *Graph, question func(context.Context, attack.Graph) (T, error)) (T, error) {
	if has, _ := g.has.Load().(string); has != "" && time.Now().UnixNano() > g.rests.Load() {
		// Another copy may follow since Run last looked.
		if follows, behind, err := g.store.GraphCopy(ctx); err == nil && follows == has && !behind {
			soon, cancel := context.WithTimeout(ctx, reading)
			defer cancel()
			answer, err := question(soon, g.server)
			if err == nil || ctx.Err() != nil {
				return answer, err
			}
			g.rests.Store(time.Now().Add(rest).UnixNano())
			g.log.Info("the database answers for Neo4j", "for", rest, "err", err)
		}
	}
	return question(ctx, g.store)
}

// Run lets the copy follow until ctx ends. What goes wrong is told once and tried again.
func (g *Graph) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := ""
	for {
		err, message := g.follow(ctx), ""
		if known, ours := errors.AsType[*breakwater.Error](err); ours {
			message = known.Message // without the cause, which counts attempts
		} else if err != nil {
			message = err.Error()
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && message != said:
			said = message
			g.log.Warn("the attack graph in Neo4j does not follow; it will be tried again, and what changes meanwhile is noted", "err", err)
		case err == nil && said != "":
			said = ""
			g.log.Info("the attack graph in Neo4j has everything again")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// follow brings the copy up to date, where this server does that, and looks whether it is this store's.
func (g *Graph) follow(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			g.has.Store("")
		}
	}()
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, written, err := g.server.marker(soon)
	if err != nil {
		return err
	}
	follows, _, err := g.store.GraphCopy(ctx)
	if err != nil {
		return err
	}
	g.has.Store(found)
	if !g.leads() {
		return nil
	}
	leading, stop := g.leading(ctx)
	defer stop()
	err = g.write(leading, found != "" && found == follows, written)
	if leading.Err() != nil && ctx.Err() == nil {
		return nil // another leads, and goes on
	}
	return err
}

// leading is ctx for as long as this server is the one that writes: another soon does. What looks after that has ended when
// end returns.
func (g *Graph) leading(ctx context.Context) (_ context.Context, end func()) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(leadsEvery)
		defer tick.Stop()
		for g.leads() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		stop()
	}()
	return ctx, func() { stop(); <-ended }
}

// write writes what the copy lacks; all of it where it is not the same as what the store knows to follow. written is which
// catalogue it has.
func (g *Graph) write(ctx context.Context, same bool, written string) error {
	begun := ""
	if !same {
		var err error
		if begun, err = g.begin(ctx); err != nil {
			return err
		}
	}
	if catalogue, digest := g.attack(); written != digest || !same {
		if err := g.server.importAttack(ctx, catalogue, digest); err != nil {
			return err
		}
		g.log.Info("ATT&CK was written into Neo4j", "version", catalogue.Version)
	}
	if begun != "" {
		g.has.Store(begun)
	}
	for {
		c, err := g.store.GraphChanges(ctx, atOnce)
		if err != nil {
			return err
		}
		if len(c.Marks) == 0 {
			return g.tellPresences(ctx)
		}
		if err := g.server.bring(ctx, c); err != nil {
			return err
		}
		if err := g.store.GraphTold(ctx, c); err != nil {
			return err
		}
	}
}

// begin begins the copy anew, and gives its name: Neo4j has none, or that of another database.
func (g *Graph) begin(ctx context.Context) (graph string, err error) {
	g.log.Info("the attack graph in Neo4j is written anew")
	g.presences, g.told = nil, time.Time{}
	graph = rand.Text()
	if err := g.store.FollowGraph(ctx, graph); err != nil { // first: from now on no server asks a copy that is being emptied
		return "", err
	}
	if err := g.server.begin(ctx); err != nil {
		return "", err
	}
	return graph, g.server.mark(ctx, graph)
}

// tellPresences writes what is newest of facilities, where it did not look just now.
func (g *Graph) tellPresences(ctx context.Context) error {
	if time.Since(g.told) < presencesEvery {
		return nil
	}
	g.told = time.Now()
	all, err := g.store.Presences(ctx)
	if err != nil || g.presences != nil && slices.Equal(all, g.presences) {
		return err
	}
	if err := g.server.presences(ctx, all); err != nil {
		return err
	}
	g.presences = all
	return nil
}
