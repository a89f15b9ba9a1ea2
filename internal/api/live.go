package api

import (
	"context"
	"net/http"
	"strings"

	"breakwater/internal/live"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

func (s *server) liveRoutes(h huma.API) {
	tags := []string{"Live"}
	text := func(description string, example any, words ...any) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Description: description, Examples: []any{example}, Enum: words}
	}
	message := &huma.Schema{Type: huma.TypeObject, Required: []string{"data"}, Description: "One event.", Properties: map[string]*huma.Schema{
		"id":    text("What Last-Event-ID says to go on behind it.", "alerts:Kx2f:7"),
		"event": text("message, which is not written; or reload: what was missed is not kept any more.", "message", "message", "reload"),
		"data":  text("A JSON object of channel, type and data; of a reload, of the channel alone.", `{"channel":"alerts","type":"alert_created","data":{}}`),
	}}
	register(s, h, huma.Operation{
		OperationID: "stream", Method: http.MethodGet, Path: "/api/stream", Tags: tags,
		Summary: "What happens, as server-sent events", Description: "For curl and simple clients. Last-Event-ID goes on after that event; an event `reload` says that what was missed is not kept any more.",
		Errors:    []int{http.StatusUnprocessableEntity},
		Responses: map[string]*huma.Response{"200": {Description: "Events, until the client leaves.", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: message}}}},
	}, s.stream)
	register(s, h, huma.Operation{
		OperationID: "websocket", Method: http.MethodGet, Path: "/ws", Tags: tags,
		Summary: "What happens, over a WebSocket", Description: "Centrifuge's JSON protocol: send `{\"id\":1,\"connect\":{}}`, then `{\"id\":2,\"subscribe\":{\"channel\":\"alerts\"}}`. " +
			"Channels are alerts, fl_status, predictions and system. The data of a publication is `{channel, type, data}`; /asyncapi.yaml says which types there are and what they carry. " +
			"Where the server has a token, it comes in the header Authorization or in connect: `{\"id\":1,\"connect\":{\"token\":\"TOKEN\"}}`.",
		SkipValidateParams: true, // Centrifuge's clients have some of their own
		Responses:          map[string]*huma.Response{"101": {Description: "The connection is a WebSocket from here on."}},
		Errors:             []int{http.StatusUpgradeRequired},
	}, func(context.Context, *struct{}) (*handOver, error) {
		return handOverTo(upgraded(s.Hub.WebSocket())), nil
	})
}

// upgraded says to a request that does not ask for a WebSocket what is here.
func upgraded(socket http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			socket.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Upgrade", "websocket") // RFC 9110, section 15.5.22
		w.Header().Set("Connection", "Upgrade")
		writeProblem(w, http.StatusUpgradeRequired, "here is a WebSocket: connect with wscat -c or a client of Centrifuge, or read /api/stream, which is plain HTTP")
	})
}

type streamRequest struct {
	Channels    string `query:"channels" example:"alerts,system" doc:"Comma-separated list of alerts, fl_status, predictions and system; all where absent."`
	LastEventID string `header:"Last-Event-ID" example:"alerts:Kx2f:7" doc:"The id of the last event received, from which to go on."`
}

func (s *server) stream(_ context.Context, in *streamRequest) (*handOver, error) {
	if _, err := live.ParseChannels(in.Channels); err != nil {
		return nil, err
	}
	return handOverTo(s.Hub.Stream()), nil
}

// handOver leaves the whole response to another handler.
type handOver struct{ Body func(huma.Context) }

func handOverTo(handler http.Handler) *handOver {
	return &handOver{func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		handler.ServeHTTP(w, r)
	}}
}
