// Package api is Breakwater's HTTP face: JSON over HTTP, its description in OpenAPI, the live channels and the web
// app, in one handler.
//
//	request ─► log, panics ─► host, origin, headers ─┬─► /api/…, /health, …   huma: parameters checked, errors as problem+json
//	           (guard.go)     (guard.go)             ├─► /ws, /api/stream     live.Hub
//	                                                 ├─► /docs, /openapi.…    the description, and a page to read it
//	                                                 └─► everything else      the web app
//
// A file per noun holds its routes as a table at its top. It knows HTTP, and hides it: what answers a request is the
// store, the hub or a function of Config, in the root package's words; a breakwater.Error becomes a status in
// problem.go and nowhere else.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"breakwater"
	"breakwater/internal/attack"
	"breakwater/internal/demo"
	"breakwater/internal/fl"
	"breakwater/internal/live"
	"breakwater/internal/pipeline"
	"breakwater/internal/store"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Config is what the API serves from. Store, Hub, Ingest, Flow, Status and Logger must be set.
type Config struct {
	Store *store.Store
	Hub   *live.Hub
	// Engines are those in use beside the database; what is not named here the program does itself.
	Engines []Engine
	// Ingest feeds one capture through the way of the data. With an error it still returns what came before it. Its
	// context does not end when the client goes away: the body ends then, and what was read is kept.
	Ingest func(context.Context, IngestRequest) (IngestResult, error)
	// Forward takes one request's capture or log (kind pcap, events, zeek or eve) to the node that has the facility: each Write
	// is a part that can be read by itself, Close its end, after which nothing of it is lost. nil: it is analysed here.
	Forward func(ctx context.Context, kind, facility string, learn time.Duration) io.WriteCloser
	// Flow is the way of the data: it takes batches and logs, and knows the rules and each facility's last minute.
	Flow *pipeline.Server
	// Graph says which techniques were seen and which are awaited; nil: the store does.
	Graph attack.Graph
	// Federation runs rounds here; nil: none are run.
	Federation *fl.Coordinator
	// Status is how the whole system stands.
	Status func(context.Context) (breakwater.SystemStatus, error)
	// Warnings say what is wrong though this server is well; nil: nothing ever is.
	Warnings func() []string
	// Demo plays the simulated plants; nil: it is off.
	Demo *demo.Runner

	Metrics        http.Handler // what a monitoring system collects at /metrics; nil: nothing
	Web            http.Handler // the web app, for every path that is not the API's; nil: there is none
	Version        string       // of the program
	AllowedOrigins []string     // of pages of other origins that may use the API, as "http://localhost:3000"
	Hosts          []string     // names this server is asked for by, beside localhost and the address that a request came to
	// Authorize says whether a token may use the server; nil: nobody needs one.
	Authorize      func(token string) bool
	MaxIngestBytes int64 // of one uploaded capture; 0: 16 GiB
	Logger         *slog.Logger
}

// IngestRequest is one capture to feed in.
type IngestRequest struct {
	FacilityID string
	Learn      time.Duration // of data time from its first packet on; 0: nothing is learned
	Body       io.Reader     // pcap or pcapng, perhaps compressed
	Name       string        // what to call it in messages
}

// IngestResult is what became of a capture.
type IngestResult struct {
	Packets, Events, Windows, Detections int64
	Forwarded                            bool // the packets are on their way to the node that analyses them: only they are counted
}

// documentVersion is the version of the API: the first number grows when a client must change.
const documentVersion = "1.0.0"

// server is what the routes of all nouns share.
type server struct {
	Config
	json, yaml           []byte          // the description
	asyncJSON, asyncYAML []byte          // that of the live messages
	refused              map[string]bool // patterns of the mux that elsewhere answers (see besides)
	training             sync.Mutex      // held while models are trained
	away                 sync.Map        // names of the engines that did not answer when last asked
}

// New makes the handler. The error is of kind Invalid where an origin of the configuration is none.
func New(c Config) (http.Handler, error) {
	s := &server{Config: c, refused: map[string]bool{}}
	if s.MaxIngestBytes == 0 {
		s.MaxIngestBytes = 16 << 30
	}
	if s.Graph == nil {
		s.Graph = s.Store
	}
	mux := http.NewServeMux()
	s.routes(mux)
	doc, err := document()
	if err != nil {
		return nil, err
	}
	if s.json, err = marshal(doc); err != nil {
		return nil, err
	}
	if s.yaml, err = doc.YAML(); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Internal, Message: "the API's description cannot be written as YAML", Err: err}
	}
	if s.asyncJSON, err = AsyncAPI(); err != nil {
		return nil, err
	}
	if s.asyncYAML, err = asYAML(s.asyncJSON); err != nil {
		return nil, err
	}
	s.docs(mux)
	elsewhere := s.elsewhere(mux)
	if s.Metrics != nil {
		mux.Handle("GET /metrics", s.Metrics)
	}
	for _, pattern := range besides(mux, doc) {
		s.refused[pattern] = true
		mux.HandleFunc(pattern, elsewhere)
	}
	mux.HandleFunc("/", elsewhere)
	return s.guard(mux)
}

// OpenAPI is the description of the API as it is served at /openapi.json.
func OpenAPI() ([]byte, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	return marshal(doc)
}

// document is the description of the API. It is made of routes of its own, which nobody asks: what describe adds to the
// schemas is for readers, and changes neither what the server checks nor how it says what is wrong.
func document() (*huma.OpenAPI, error) {
	doc := (&server{}).routes(http.NewServeMux())
	return doc, describe(doc)
}

// routes registers every noun's routes and returns what they say of themselves.
func (s *server) routes(mux *http.ServeMux) *huma.OpenAPI {
	config := huma.DefaultConfig("Breakwater", documentVersion)
	config.Info.Description = "Threat detection for industrial control systems. Times are RFC 3339 in UTC; errors are RFC 9457 problems whose `detail` says what to do. " +
		"Beside what each route says, every one answers a Host that is not this server with 421, a page of an origin that is not allowed with 403, a method that it does not take with 405, and a path that is written otherwise, as //api/alerts, with a redirect."
	config.CreateHooks = nil // it would add a member $schema to every answer
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.RejectUnknownQueryParameters = true
	jsonFormat := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	config.Transformers = []huma.Transformer{explain}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer",
		Description: "The server's API_TOKEN, where it has one. A WebSocket may show it in connect instead: `{\"id\":1,\"connect\":{\"token\":\"TOKEN\"}}`."}}
	config.Security = []map[string][]string{{}, {"token": {}}}
	h := humago.New(mux, config)
	h.UseMiddleware(s.checkQuery(h))
	s.alertRoutes(h)
	s.incidentRoutes(h)
	s.muteRoutes(h)
	s.facilityRoutes(h)
	s.assetRoutes(h)
	s.baselineRoutes(h)
	s.ruleRoutes(h)
	s.modelRoutes(h)
	s.contextRoutes(h)
	s.predictionRoutes(h)
	s.mitreRoutes(h)
	s.federationRoutes(h)
	s.trainingRoutes(h)
	s.statusRoutes(h)
	s.demoRoutes(h)
	s.ingestRoutes(h)
	s.rowRoutes(h)
	s.healthRoutes(h)
	s.liveRoutes(h)
	return h.OpenAPI()
}

// register adds one route, whose errors are breakwater.Errors.
func register[I, O any](s *server, h huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	if tokenFree(op.Path) {
		op.Security = []map[string][]string{}
	} else {
		op.Errors = append(slices.Clone(op.Errors), http.StatusUnauthorized)
	}
	op.Errors = append(op.Errors, bodyStatuses(reflect.TypeFor[I]())...)
	if strings.Contains(op.Path, "{") {
		op.Errors = append(op.Errors, http.StatusNotFound) // where it holds nothing
	}
	if !op.SkipValidateParams {
		op.Errors = append(op.Errors, http.StatusUnprocessableEntity) // an unknown query parameter, at least
	}
	huma.Register(h, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, op.OperationID, err)
		}
		return out, nil
	})
}

// elsewhere answers what no route takes: a known path with another method, a path of the API that is not there, and
// all the rest, which is the web app's.
func (s *server) elsewhere(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if allowed := s.methods(mux, r); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			writeProblem(w, http.StatusMethodNotAllowed, r.URL.Path+" does not take "+r.Method+": use "+strings.Join(allowed, " or "))
			return
		}
		if s.Web == nil || ofAPI(r.URL.Path) {
			writeProblem(w, http.StatusNotFound, "there is no "+clip(r.URL.Path)+": /docs lists what there is")
			return
		}
		s.Web.ServeHTTP(w, r)
	}
}

// ofAPI reports whether a path is never the web app's.
func ofAPI(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return slices.Contains([]string{"api", "ws", "docs"}, first)
}

// verbs are the methods that routes take.
var verbs = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// besides are patterns of paths that routes have, with methods for which only a route with an id in that place would take
// them: GET /api/alerts/status is not the alert whose id is status. A path's own {id} passes for an id here.
func besides(mux *http.ServeMux, doc *huma.OpenAPI) []string {
	var patterns []string
	for path := range doc.Paths {
		for _, method := range verbs {
			_, taken := mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: path}})
			if strings.HasPrefix(taken, method+" ") && taken != method+" "+path {
				patterns = append(patterns, method+" "+path)
			}
		}
	}
	return patterns
}

// methods are those by which a path can be asked for, where this request's is none of them.
func (s *server) methods(mux *http.ServeMux, r *http.Request) []string {
	var allowed []string
	for _, method := range verbs {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") && !s.refused[pattern] {
			allowed = append(allowed, method)
		}
	}
	return allowed
}
