package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) baselineRoutes(h huma.API) {
	register(s, h, huma.Operation{
		OperationID: "get-baseline", Method: http.MethodGet, Path: "/api/facilities/{id}/baseline", Tags: []string{"Facilities"},
		Summary: "What was learned of a facility's normal traffic", Description: "As the detectors keep it: hosts, talker pairs, functions and writers.",
		Errors: []int{http.StatusNotFound, http.StatusServiceUnavailable},
	}, s.getBaseline)
}

type facilityID struct {
	ID string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
}

func (s *server) getBaseline(ctx context.Context, in *facilityID) (*response[json.RawMessage], error) {
	learned, err := s.Store.Baseline(ctx, in.ID)
	return &response[json.RawMessage]{learned}, err
}
