package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"breakwater"
	"breakwater/internal/detect"

	"github.com/danielgtaylor/huma/v2"
)

// baselineMax is the largest baseline that is taken, in bytes: a full one (see detect) has about half of it.
const baselineMax = 96 << 20

func (s *server) baselineRoutes(h huma.API) {
	register(s, h, huma.Operation{
		OperationID: "get-baseline", Method: http.MethodGet, Path: "/api/facilities/{id}/baseline", Tags: []string{"Facilities"},
		Summary: "What was learned of a facility's normal traffic", Description: "As the detectors keep it: hosts, talker pairs, functions and writers. Its ETag is its version.",
		Errors: []int{http.StatusNotFound, http.StatusServiceUnavailable},
	}, s.getBaseline)
	baseline := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "A baseline as GET shows it."}}
	register(s, h, huma.Operation{
		OperationID: "put-baseline", Method: http.MethodPut, Path: "/api/facilities/{id}/baseline", Tags: []string{"Facilities"},
		Summary: "Replace what was learned", Description: "For an edited baseline, and for a sensor that has learned. The same as before keeps its version.",
		MaxBodyBytes: baselineMax, SkipValidateBody: true,
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": baseline}},
		Errors:      []int{http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.putBaseline)
}

type facilityID struct {
	ID string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
}

type baselineResponse struct {
	ETag string `header:"ETag" example:"\"3\"" doc:"The version."`
	Body json.RawMessage
}

func (s *server) getBaseline(ctx context.Context, in *facilityID) (*baselineResponse, error) {
	learned, version, err := s.Store.Baseline(ctx, in.ID)
	return &baselineResponse{ETag: fmt.Sprintf("%q", strconv.Itoa(version)), Body: learned}, err
}

type baselineRequest struct {
	ID      string `path:"id" example:"plant-1" doc:"The facility's id: 1 to 64 of a-z, 0-9, _ and -."`
	IfMatch string `header:"If-Match" example:"\"3\"" doc:"The version that is to be replaced: 412 where another is there. Where absent, whatever is there is replaced."`
	RawBody []byte
}

type baselineSaved struct {
	ETag string `header:"ETag" example:"\"4\"" doc:"The new version."`
	Body struct {
		FacilityID string `json:"facility_id" example:"plant-1" doc:"The facility."`
		Version    int    `json:"version" minimum:"1" example:"4" doc:"The new version."`
		Entries    int    `json:"entries" minimum:"0" example:"120" doc:"How many things it knows."`
	}
}

func (s *server) putBaseline(ctx context.Context, in *baselineRequest) (*baselineSaved, error) {
	if err := breakwater.CheckFacilityID(in.ID); err != nil {
		return nil, err
	}
	onlyIf, err := versionOf(in.IfMatch)
	if err != nil {
		return nil, err
	}
	b := detect.NewBaseline()
	if err := b.UnmarshalJSON(in.RawBody); err != nil {
		return nil, err
	}
	text, err := json.Marshal(b) // in the order and with the fields that we write, whatever came
	if err != nil {
		return nil, err
	}
	version, err := s.Store.SaveBaseline(ctx, in.ID, text, onlyIf)
	if err != nil {
		return nil, err
	}
	out := &baselineSaved{ETag: fmt.Sprintf("%q", strconv.Itoa(version))}
	out.Body.FacilityID, out.Body.Version, out.Body.Entries = in.ID, version, len(b.Entries())
	return out, nil
}

// versionOf is the version in an If-Match header, with or without its quotes; 0 for none and for "*".
func versionOf(header string) (int, error) {
	text := strings.Trim(strings.TrimSpace(header), `"`)
	if text == "" || text == "*" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, &breakwater.Error{Kind: breakwater.Invalid, Field: "If-Match", Message: "If-Match " + clip(header) + " is not a version, as \"3\" is"}
	}
	return n, nil
}

// matches reports whether an If-None-Match header names an ETag.
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
			return true
		}
	}
	return false
}

// printable is text that may be kept and shown: one line, without control characters.
func printable(text string) string {
	return strings.TrimSpace(strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text), ""))
}
