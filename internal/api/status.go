package api

import (
	"context"
	"net/http"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) statusRoutes(h huma.API) {
	register(s, h, huma.Operation{
		OperationID: "get-system-status", Method: http.MethodGet, Path: "/api/system/status", Tags: []string{"Operations"},
		Summary: "The whole system at a glance", Description: "Worked out when this is asked, and the same whichever node is. At most 1,000 facilities are listed.",
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.systemStatus)
}

func (s *server) systemStatus(ctx context.Context, _ *struct{}) (*response[breakwater.SystemStatus], error) {
	status, err := s.Status(ctx)
	return &response[breakwater.SystemStatus]{status}, err
}

var (
	statusWords = map[string]field{
		"active_alerts":       {doc: "Alerts that are new or acknowledged.", example: 3},
		"fl_progress":         {doc: "Progress of the current round of federated learning, 0 to 100; null where there never was one.", example: 42.5},
		"prediction_accuracy": {doc: "Of the predictions that came true or expired, the part that came true, 0 to 1; null where there are neither yet.", example: 0.75},
		"facilities":          {doc: "The facilities, by id."},
		"ingest":              {doc: "How fast data comes in, and whether all of it does."},
		"uptime_seconds":      {doc: "Seconds since this server was started.", example: 86400},
		"version":             {doc: "The program's version.", example: "0.1.0"},
	}
	facilityStatusWords = map[string]field{
		"id":              {doc: "The facility's id.", example: "plant-1"},
		"name":            {doc: "What to call it.", example: "plant-1"},
		"status":          {doc: "Whether something came from it in the last 30 seconds, whatever its data time.", example: "active", enum: []any{"active", "silent"}},
		"last_seen":       {doc: "Data time of its newest window or detection; null where none came yet.", example: "2026-03-01T08:02:00Z"},
		"packets_per_sec": {doc: "Packets in the newest second that came of it; 0 where it is silent.", example: 42},
		"version":         {doc: "Grows with each change of its status: Unix milliseconds of the last one, 0 where there was none.", example: 1772352000000},
	}
	ingestStatusWords = map[string]field{
		"events_per_sec": {doc: "Events taken in per second, mean of the last 10 seconds of wall time, over all nodes: messages decoded here, or windows and detections where a sensor sends only those.", example: 1200.5},
		"lag":            {doc: "Batches that have come, to any node, and are not saved yet; with Kafka, also the records of its topics that no node has taken yet.", example: 0},
		"dropped":        {doc: "What is known to be lost: windows and detections that sensors gave up because the server was away for too long.", example: 0},
	}
)
