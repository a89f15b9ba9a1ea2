package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

func (s *server) ingestRoutes(h huma.API) {
	binary := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: "The capture, pcap or pcapng, plain or gzip'ed."}}
	register(s, h, huma.Operation{
		OperationID: "ingest-pcap", Method: http.MethodPost, Path: "/api/ingest/pcap", Tags: []string{"Ingest"},
		Summary: "Feed in a capture",
		Description: "The packets go through the way of the data while the body arrives, so a body may be of any length and as slow as the traffic was. " +
			"A capture that is cut short is taken up to there, and the answer says so. The same capture twice gives the same alerts with the same counts. " +
			elsewhere,
		RequestBody: &huma.RequestBody{Required: true, Description: "A capture file: `curl --data-binary @FILE`.",
			Content: map[string]*huma.MediaType{"application/vnd.tcpdump.pcap": binary, "application/octet-stream": binary}},
		Responses: map[string]*huma.Response{"202": sameBody(h, ingested{}, forwardedWords)},
		Errors:    []int{http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, s.ingestPcap)
}

const elsewhere = "Of several nodes on one database one at a time takes a facility's raw traffic: another answers 409 meanwhile, unless they share their work through Kafka."

// forwardedWords are of an answer that comes before the analysis.
const forwardedWords = "The nodes share their work through Kafka: what was accepted is kept there and is analysed by the node that has the facility. events, windows and detections are not known yet, and 0."

// taken answers 200 where the traffic was analysed and 202 where it is on its way to who does that.
type taken[T any] struct {
	Status int
	Body   T
}

func answerTaken[T any](forwarded bool, body T) *taken[T] {
	if forwarded {
		return &taken[T]{http.StatusAccepted, body}
	}
	return &taken[T]{http.StatusOK, body}
}

// idleTimeout is how long a client may send nothing: a capture fed in at its own pace has quiet minutes.
const idleTimeout = 5 * time.Minute

type pcapRequest struct {
	FacilityID string `query:"facility_id" default:"default" example:"plant-1" doc:"The facility whose traffic this is: 1 to 64 of a-z, 0-9, _ and -."`
	Learn      string `query:"learn" example:"300s" doc:"How much data time from the first packet on is normal and to be learned, as 300s or 5m. Where absent nothing is learned."`
	stream
}

type ingested struct {
	Accepted   int64         `json:"accepted" minimum:"0" example:"1200" doc:"Packets taken."`
	Rejected   int64         `json:"rejected" minimum:"0" example:"0" doc:"Packets that could not be read: 1 where the capture ends in the middle of one."`
	Errors     []ingestError `json:"errors" nullable:"false" doc:"Why packets were rejected."`
	Events     int64         `json:"events" minimum:"0" example:"2400" doc:"Messages and changes of connections decoded from them."`
	Windows    int64         `json:"windows" minimum:"0" example:"60" doc:"Seconds of traffic they filled."`
	Detections int64         `json:"detections" minimum:"0" example:"3" doc:"Detections they gave, before those of one asset became alerts; a replayed capture gives them again."`
	Forwarded  bool          `json:"forwarded" example:"false" doc:"Whether it is analysed later, by the node that has the facility."`
}

type ingestError struct {
	Line   int64  `json:"line" minimum:"1" example:"1201" doc:"Which packet, from 1."`
	Detail string `json:"detail" example:"capture ends in the middle of packet 1201" doc:"What is wrong with it."`
}

func (s *server) ingestPcap(ctx context.Context, p *pcapRequest) (*taken[ingested], error) {
	request := IngestRequest{FacilityID: p.FacilityID, Body: p.body, Name: "the uploaded capture"}
	if err := breakwater.CheckFacilityID(p.FacilityID); err != nil {
		return nil, err
	}
	var err error
	if request.Learn, err = learnTime(p.Learn); err != nil {
		return nil, err
	}
	if p.media == "multipart/form-data" {
		return nil, huma.NewError(http.StatusUnsupportedMediaType, "the body is a form: send the file itself, as curl --data-binary @FILE does")
	}
	p.body.left = s.MaxIngestBytes
	if p.body.length > s.MaxIngestBytes {
		return nil, tooLarge(s.MaxIngestBytes, 0)
	}

	result, err := s.Ingest(context.WithoutCancel(ctx), request)
	done := ingested{Accepted: result.Packets, Errors: []ingestError{}, Events: result.Events, Windows: result.Windows, Detections: result.Detections, Forwarded: result.Forwarded}
	broken := p.body.err // what ended the body, where it was not its end
	switch {
	case err == nil && broken == nil:
		return answerTaken(result.Forwarded, done), nil
	case errors.Is(broken, errTooLarge):
		return nil, tooLarge(s.MaxIngestBytes, result.Packets)
	case broken == nil && breakwater.KindOf(err) != breakwater.Invalid:
		return nil, err // ours, not the capture's
	case result.Packets == 0:
		if broken != nil {
			err = &breakwater.Error{Kind: breakwater.Invalid, Message: bodyEnded(broken) + " before its first packet"}
		}
		return nil, err
	}
	detail := ""
	if e, ok := errors.AsType[*breakwater.Error](err); ok {
		detail = e.Message
	}
	if broken != nil {
		detail = fmt.Sprintf("%s after packet %d", bodyEnded(broken), result.Packets)
	}
	done.Rejected, done.Errors = 1, []ingestError{{Line: result.Packets + 1, Detail: detail}}
	return answerTaken(result.Forwarded, done), nil
}

func tooLarge(limit, packets int64) error {
	message := fmt.Sprintf("the capture is larger than the %d bytes taken at once: cut it into files (editcap -c), or ask for a higher limit", limit)
	if packets > 0 {
		message += fmt.Sprintf("; its first %d packets were taken", packets)
	}
	return &breakwater.Error{Kind: breakwater.TooLarge, Message: message}
}

func bodyEnded(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("the body stood still for %v", idleTimeout)
	}
	return "the body was cut short"
}

var errTooLarge = errors.New("body over the limit")

// uploadReader reads a body of bounded length and keeps the connection's deadlines away while data flows: those of
// the server are made for requests that take seconds.
type uploadReader struct {
	length    int64 // as the client announced it; -1: it did not
	left      int64 // bytes that may still come
	body      io.Reader
	deadlines *http.ResponseController
	moved     time.Time // when the deadlines were last moved
	err       error     // what ended the body before its end
}

func (r *uploadReader) Read(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if now := time.Now(); now.Sub(r.moved) > time.Second {
		// Where a server cannot set deadlines it has none to keep away.
		_ = r.deadlines.SetReadDeadline(now.Add(idleTimeout))
		_ = r.deadlines.SetWriteDeadline(now.Add(2 * idleTimeout)) // the answer comes after the last byte
		r.moved = now
	}
	if int64(len(b)) > r.left+1 { // one more than may come shows that more comes
		b = b[:r.left+1]
	}
	n, err := r.body.Read(b)
	if int64(n) > r.left {
		n, err = int(r.left), errTooLarge
	}
	r.left -= int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
