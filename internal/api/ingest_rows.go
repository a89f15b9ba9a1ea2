package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/decode"
	"breakwater/internal/pipeline"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/sync/errgroup"
)

func (s *server) rowRoutes(h huma.API) {
	const stream = " The body is an array of JSON objects, or one object a line (NDJSON), read as it arrives: it may be of any length. " +
		"A row that is wrong is rejected and harms none of the others; a row has at most 1 MiB. When the answer comes, what it calls accepted is saved. "
	const analysed = "What one request brings is analysed by itself, in order of time: send what belongs together, as a log file or a minute of it, in one. The same again changes nothing. " + elsewhere
	errs := []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	operation := func(id, path, summary, description, what string) huma.Operation {
		text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: what}}
		op := huma.Operation{OperationID: id, Method: http.MethodPost, Path: "/api/ingest/" + path, Tags: []string{"Ingest"},
			Summary: summary, Description: description, Errors: errs,
			RequestBody: &huma.RequestBody{Description: what + " An empty body is no rows.", Content: map[string]*huma.MediaType{"application/x-ndjson": text}}}
		if strings.HasSuffix(description, analysed) {
			op.Responses = map[string]*huma.Response{"202": sameBody(h, logIngested{}, forwardedWords)}
		}
		return op
	}
	register(s, h, operation("ingest-network-data", "network-data", "Feed in seconds of network data",
		"Each is kept under its facility and timestamp: the same again replaces it."+stream,
		"Windows: facility_id, timestamp (a whole second), packets_per_sec, bytes_per_sec, unique_src_ips, unique_dest_ips, protocol_distribution, failed_connections, avg_packet_size, inter_arrival_time, raw_features."), s.ingestWindows)
	register(s, h, operation("ingest-detections", "detections", "Feed in detections of other detectors",
		"They become alerts as our own do. A detection that was counted before is not counted again: for one model and asset, times must grow from row to row and from one request to the next. Only among up to a thousand rows in a row of the same facility does the order not matter."+stream,
		"Detections: facility_id, time, layer (1 to 3), model, asset, severity, confidence, title, evidence, and perhaps technique, technique_name, look_at, conversation, count."), s.ingestDetections)
	register(s, h, operation("ingest-events", "events", "Feed in decoded events",
		"They go through windows and detectors as if they had been decoded here; each counts as one packet."+stream+analysed,
		"Events as `breakwater decode --json` prints them."), s.ingestEvents)
	register(s, h, operation("ingest-zeek", "zeek", "Feed in Zeek logs",
		"Logs written as JSON: conn, dns, modbus, dnp3, and ICSNPP's modbus_detailed (of it and modbus give one). Rows of other logs are counted as ignored."+stream+analysed,
		"Rows of Zeek's JSON logs, also of several logs together."), s.ingestZeek)
	register(s, h, operation("ingest-eve", "eve", "Feed in Suricata's EVE log",
		"flow, dns and modbus become events; an alert becomes a detection of model `suricata:` and the signature's id. Other event types are counted as ignored."+stream+analysed,
		"Rows of eve.json."), s.ingestEVE)
	register(s, h, operation("ingest-batches", "batches", "Take what a sensor sends",
		"For `breakwater sensor`: batches of windows, detections, assets and conversations of one facility, in the order in which they were made. A batch that comes twice changes nothing."+stream,
		"Batches: facility_id, and windows, detections, assets, talks."), s.ingestBatches)
}

// batchRows is how many windows or detections are saved at a time.
const batchRows = 1000

// stream is the body of a request, left to be read by the handler.
type stream struct {
	body  *uploadReader
	media string
}

// Resolve takes the body as a stream; huma would read it whole.
func (b *stream) Resolve(ctx huma.Context) []error {
	r, w := humago.Unwrap(ctx)
	b.body = &uploadReader{length: r.ContentLength, body: r.Body, deadlines: http.NewResponseController(w)}
	b.media, _, _ = mime.ParseMediaType(r.Header.Get("Content-Type")) // a header that is none hinders nobody
	return nil
}

// open limits the body. The error says that it is too large already.
func (s *server) open(b *stream) error {
	if b.media == "multipart/form-data" {
		return huma.NewError(http.StatusUnsupportedMediaType, "the body is a form: send the rows themselves, as curl --data-binary @FILE does")
	}
	b.body.left = s.MaxIngestBytes
	if b.body.length > s.MaxIngestBytes {
		return tooManyRows(s.MaxIngestBytes, 0)
	}
	return nil
}

func tooManyRows(limit, accepted int64) error {
	message := fmt.Sprintf("the body is larger than the %d bytes taken at once: send it in parts", limit)
	if accepted > 0 {
		message += fmt.Sprintf("; its first %d rows were taken", accepted)
	}
	return &breakwater.Error{Kind: breakwater.TooLarge, Message: message}
}

// close says what ended the body, where it was not its end: over the limit is an error; a body that was cut short is one
// rejected row.
func (s *server) close(b *stream, t *Tally, number int64) error {
	switch {
	case b.body.err == nil:
		return nil
	case errors.Is(b.body.err, errTooLarge):
		return tooManyRows(s.MaxIngestBytes, t.Accepted)
	}
	t.reject(number+1, errors.New(bodyEnded(b.body.err)))
	return nil
}

type rowsRequest struct {
	FacilityID string `query:"facility_id" example:"plant-1" doc:"The facility of rows that name none."`
	stream
}

// openRows is open, for rows that may name their facilities.
func (s *server) openRows(in *rowsRequest) error {
	if in.FacilityID != "" {
		if err := breakwater.CheckFacilityID(in.FacilityID); err != nil {
			return err
		}
	}
	return s.open(&in.stream)
}

// facility is whose a row is that may name a facility.
func (r *rowsRequest) facility(named string) (string, error) {
	if named == "" {
		named = r.FacilityID
	}
	if named == "" {
		return "", errors.New("facility_id is missing: give it in the row or in the query")
	}
	return named, breakwater.CheckFacilityID(named)
}

func (s *server) ingestWindows(ctx context.Context, in *rowsRequest) (*response[Tally], error) {
	return s.gather(ctx, in, func(text []byte) (breakwater.Batch, error) {
		var w breakwater.Window
		if err := decodeRow(text, &w); err != nil {
			return breakwater.Batch{}, err
		}
		var err error
		if w.FacilityID, err = in.facility(w.FacilityID); err != nil {
			return breakwater.Batch{}, err
		}
		if err := w.Check(); err != nil {
			return breakwater.Batch{}, err
		}
		w.Time = w.Time.UTC()
		return breakwater.Batch{FacilityID: w.FacilityID, Windows: []breakwater.Window{w}}, nil
	})
}

func (s *server) ingestDetections(ctx context.Context, in *rowsRequest) (*response[Tally], error) {
	return s.gather(ctx, in, func(text []byte) (breakwater.Batch, error) {
		d := breakwater.Detection{Count: 1}
		if err := decodeRow(text, &d); err != nil {
			return breakwater.Batch{}, err
		}
		var err error
		if d.FacilityID, err = in.facility(d.FacilityID); err != nil {
			return breakwater.Batch{}, err
		}
		if err := d.Check(); err != nil {
			return breakwater.Batch{}, err
		}
		return breakwater.Batch{FacilityID: d.FacilityID, Detections: []breakwater.Detection{d}}, nil
	})
}

// gather puts rows of one facility that follow each other together and saves them, while the next are read.
func (s *server) gather(ctx context.Context, in *rowsRequest, read func([]byte) (breakwater.Batch, error)) (*response[Tally], error) {
	if err := s.openRows(in); err != nil {
		return nil, err
	}
	t := Tally{Errors: []ingestError{}}
	// What was read is saved, also where the client has gone meanwhile.
	group, ctx := errgroup.WithContext(context.WithoutCancel(ctx))
	full := make(chan breakwater.Batch, 1)
	group.Go(func() error {
		for b := range full {
			if err := s.Flow.Receive(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	var b breakwater.Batch
	hand := func() bool {
		if len(b.Windows)+len(b.Detections) == 0 {
			return true
		}
		slices.SortStableFunc(b.Detections, func(x, y breakwater.Detection) int { return x.Time.Compare(y.Time) })
		select {
		case full <- b:
			b = breakwater.Batch{}
			return true
		case <-ctx.Done():
			return false
		}
	}
	last := int64(0)
	for r, err := range rows(in.body, rowMax) {
		last = r.number
		var one breakwater.Batch
		if err == nil {
			one, err = read(r.text)
		}
		if err != nil {
			t.reject(r.number, err)
			continue
		}
		if one.FacilityID != b.FacilityID || len(b.Windows)+len(b.Detections) >= batchRows {
			if !hand() {
				break
			}
		}
		b.FacilityID = one.FacilityID
		b.Windows, b.Detections = append(b.Windows, one.Windows...), append(b.Detections, one.Detections...)
		t.Accepted++
	}
	hand()
	close(full)
	if err := group.Wait(); err != nil {
		return nil, err
	}
	err := s.close(&in.stream, &t, last)
	return &response[Tally]{t}, err
}

// ingestBatches takes a sensor's batches one after the other. Those that hold no detections, as the minutes or days that
// waited in a spool mostly do, are saved together: an alert looks at the windows that came before it and at nothing else.
func (s *server) ingestBatches(ctx context.Context, in *rowsRequest) (*response[Tally], error) {
	if err := s.openRows(in); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	t := Tally{Errors: []ingestError{}}
	var waiting []breakwater.Batch
	var numbers []int64 // of their rows
	take := func() error {
		err := s.receiveTogether(ctx, waiting, func(i int, err error) {
			if err != nil {
				t.reject(numbers[i], err)
			} else {
				t.Accepted++
			}
		})
		waiting, numbers = waiting[:0], numbers[:0]
		return err
	}
	last, size := int64(0), 0
	for r, err := range rows(in.body, rowMax) {
		last = r.number
		var b breakwater.Batch
		if err == nil {
			err = decodeRow(r.text, &b)
		}
		if err == nil {
			b.FacilityID, err = in.facility(b.FacilityID)
		}
		if err != nil {
			t.reject(r.number, err)
			continue
		}
		plain := len(b.Detections) == 0
		if n := len(waiting); n > 0 && (!plain || n >= batchRows || waiting[n-1].FacilityID != b.FacilityID || size+len(b.Windows)+len(b.Assets) > batchRows) {
			if err := take(); err != nil {
				return nil, err // ours: the sensor sends it again
			}
			size = 0
		}
		waiting, numbers, size = append(waiting, b), append(numbers, r.number), size+len(b.Windows)+len(b.Assets)
		if !plain {
			if err := take(); err != nil {
				return nil, err
			}
			size = 0
		}
	}
	if err := take(); err != nil {
		return nil, err
	}
	err := s.close(&in.stream, &t, last)
	return &response[Tally]{t}, err
}

// receiveTogether takes batches of one facility as one, or, where one of them is wrong, each by itself, and says of each
// what became of it. An error is the server's own.
func (s *server) receiveTogether(ctx context.Context, batches []breakwater.Batch, done func(i int, err error)) error {
	if len(batches) > 1 {
		one := breakwater.Batch{FacilityID: batches[0].FacilityID}
		for _, b := range batches {
			one.Windows, one.Assets, one.Talks = append(one.Windows, b.Windows...), append(one.Assets, b.Assets...), append(one.Talks, b.Talks...)
			one.Events += b.Events
		}
		err := s.Flow.Receive(ctx, one)
		if err == nil {
			for i := range batches {
				done(i, nil)
			}
			return nil
		}
		if breakwater.KindOf(err) != breakwater.Invalid {
			return err
		}
	}
	for i, b := range batches {
		err := s.Flow.Receive(ctx, b)
		if err != nil && breakwater.KindOf(err) != breakwater.Invalid {
			return err
		}
		done(i, err)
	}
	return nil
}

type logRequest struct {
	FacilityID string `query:"facility_id" default:"default" example:"plant-1" doc:"The facility whose traffic this is: 1 to 64 of a-z, 0-9, _ and -."`
	Learn      string `query:"learn" example:"300s" doc:"How much data time from the first event on is normal and to be learned, as 300s or 5m. Where absent nothing is learned."`
	stream
}

type logIngested struct {
	Tally
	Ignored    int64 `json:"ignored" minimum:"0" example:"10" doc:"Rows that are right but tell of nothing that is used here."`
	Events     int64 `json:"events" minimum:"0" example:"2400" doc:"Messages and changes of connections that the rows told of."`
	Windows    int64 `json:"windows" minimum:"0" example:"60" doc:"Seconds of traffic they filled."`
	Detections int64 `json:"detections" minimum:"0" example:"3" doc:"Detections they gave, before those of one asset became alerts; the same rows again give them again."`
	Forwarded  bool  `json:"forwarded" example:"false" doc:"Whether they are analysed later, by the node that has the facility."`
}

func (s *server) ingestEvents(ctx context.Context, in *logRequest) (*taken[logIngested], error) {
	return s.ingestLog(ctx, in, "events")
}

func (s *server) ingestZeek(ctx context.Context, in *logRequest) (*taken[logIngested], error) {
	return s.ingestLog(ctx, in, "zeek")
}

func (s *server) ingestEVE(ctx context.Context, in *logRequest) (*taken[logIngested], error) {
	return s.ingestLog(ctx, in, "eve")
}

// ReadLog reads one row of a facility's log of a kind, events, zeek or eve, as the routes that are called so take it. The
// error is decode.ErrUnused where the row is right and tells of nothing that is used here.
func ReadLog(kind, facility string, text []byte, yield func(pipeline.Entry)) error {
	event := func(e *breakwater.Event) { yield(pipeline.Entry{Event: e}) }
	switch kind {
	case "events":
		e := &breakwater.Event{}
		if err := decodeRow(text, e); err != nil {
			return err
		}
		if err := checkEvent(e); err != nil {
			return err
		}
		event(e)
		return nil
	case "zeek":
		return decode.Zeek(text, event)
	case "eve":
		return decode.EVE(text, event, func(d *breakwater.Detection) {
			d.FacilityID = facility
			yield(pipeline.Entry{Detection: d})
		})
	}
	return fmt.Errorf("%q is no kind of log: events, zeek and eve are", clip(kind))
}

// The words an event may use.
var (
	eventProtocols = []breakwater.Protocol{breakwater.Modbus, breakwater.ARP, breakwater.ICMP, breakwater.DNS, breakwater.TCP, breakwater.UDP,
		breakwater.DNP3, breakwater.OtherIP, breakwater.Other}
	eventKinds = []breakwater.Kind{breakwater.Request, breakwater.Response, breakwater.Malformed, breakwater.Attempted, breakwater.Opened,
		breakwater.Refused, breakwater.Unanswered, breakwater.Closed, breakwater.Unreachable}
	eventClasses = []breakwater.Class{breakwater.Read, breakwater.Write, breakwater.Diagnostic, breakwater.Identify, breakwater.Program,
		breakwater.Control, breakwater.Unknown}
)

// eventLengthMax is the longest message, in bytes: longer than any protocol's, and short enough for the seconds that many
// of them fill.
const eventLengthMax = 16 << 20

// checkEvent refuses what no decoder could have made, as far as a detector would stumble over it.
func checkEvent(e *breakwater.Event) error {
	y := e.Time.UTC().Year()
	switch {
	case e.Time.IsZero() || y < 1970 || y > 9998:
		return errors.New("time is missing, or of no year from 1970 to 9998")
	case !slices.Contains(eventProtocols, e.Protocol):
		return fmt.Errorf("protocol %q is none of %s", clip(string(e.Protocol)), strings.Join(texts(eventProtocols), ", "))
	case !slices.Contains(eventKinds, e.Kind):
		return fmt.Errorf("kind %q is none of %s", clip(string(e.Kind)), strings.Join(texts(eventKinds), ", "))
	case e.Class != "" && !slices.Contains(eventClasses, e.Class):
		return fmt.Errorf("class %q is none of %s", clip(string(e.Class)), strings.Join(texts(eventClasses), ", "))
	case e.Length < 0 || e.Length > eventLengthMax || e.Code < 0 || e.ResponseTime < 0:
		return fmt.Errorf("length is none from 0 to %d, or code or response_time_ns is negative", eventLengthMax)
	case e.Src.Addr.Zone() != "" || e.Dst.Addr.Zone() != "":
		return errors.New("an address has a zone")
	case len(e.Values) > 2000:
		return errors.New("there are more values than the 2000 that a message can carry")
	case len(e.Name) > 1024 || len(e.Reason) > 1024 || len(e.FunctionName) > 128 || len(e.ExceptionName) > 128:
		return errors.New("name, reason, function_name, or exception_name is longer than any of ours")
	}
	return nil
}

// ingestLog takes rows through the way of the data, or on their way there, as they are read.
func (s *server) ingestLog(ctx context.Context, in *logRequest, kind string) (*taken[logIngested], error) {
	if err := breakwater.CheckFacilityID(in.FacilityID); err != nil {
		return nil, err
	}
	learn, err := learnTime(in.Learn)
	if err != nil {
		return nil, err
	}
	if err := s.open(&in.stream); err != nil {
		return nil, err
	}
	done := logIngested{Tally: Tally{Errors: []ingestError{}}, Forwarded: s.Forward != nil}
	last := int64(0)
	// each reads the rows: what they tell of goes to entry, and those that are right, as they came, to text. It ends where
	// one of them gives false.
	each := func(entry func(pipeline.Entry) bool, text func([]byte) bool) {
		going := true
		for r, err := range rows(in.body, rowMax) {
			last = r.number
			if err == nil {
				err = ReadLog(kind, in.FacilityID, r.text, func(e pipeline.Entry) { going = going && entry(e) })
			}
			switch {
			case errors.Is(err, decode.ErrUnused):
				done.Ignored++
			case err != nil:
				done.reject(r.number, err)
			case text != nil && len(r.text) > forwardedMax:
				done.reject(r.number, tooLong(forwardedMax))
			default:
				done.Accepted++
				going = going && (text == nil || text(r.text))
			}
			if !going {
				return
			}
		}
	}
	ctx = context.WithoutCancel(ctx)
	if s.Forward != nil {
		err = forwardRows(s.Forward(ctx, kind, in.FacilityID, learn), func(text func([]byte) bool) {
			each(func(pipeline.Entry) bool { return true }, text)
		})
	} else {
		var stats pipeline.Stats
		stats, err = s.Flow.RunLog(ctx, in.FacilityID, learn, func(yield func(pipeline.Entry) bool) { each(yield, nil) })
		done.Events, done.Windows, done.Detections = stats.Events, stats.Windows, stats.Detections
	}
	if err != nil {
		return nil, err
	}
	err = s.close(&in.stream, &done.Tally, last)
	return answerTaken(done.Forwarded, done), err
}

const (
	// forwardedMax is the longest row that can be forwarded, in bytes: Kafka takes no longer records unless told to.
	forwardedMax = 900 << 10
	// forwardedAtOnce is how many bytes of rows are forwarded together.
	forwardedAtOnce = 256 << 10
	// ForwardAfter is after what time something of an upload is forwarded however little it is: who takes it holds one of
	// which nothing comes for minutes for cut short.
	ForwardAfter = 5 * time.Second
)

// forwardRows sends rows on, one a line.
func forwardRows(to io.WriteCloser, rows func(text func([]byte) bool)) (err error) {
	var lines bytes.Buffer
	var began time.Time // the oldest of lines
	send := func() {
		if lines.Len() > 0 && err == nil {
			_, err = to.Write(lines.Bytes())
		}
		lines.Reset()
	}
	rows(func(text []byte) bool {
		if lines.Len()+len(text) > forwardedAtOnce || lines.Len() > 0 && time.Since(began) > ForwardAfter {
			send()
		}
		if lines.Len() == 0 {
			began = time.Now()
		}
		if json.Compact(&lines, text) != nil { // it was read before: a row that is JSON only nearly stays on its line
			lines.Write(bytes.ReplaceAll(text, []byte("\n"), []byte(" ")))
		}
		lines.WriteByte('\n')
		return err == nil
	})
	send()
	if closed := to.Close(); err == nil {
		err = closed
	}
	return err
}

// learnTime reads how much is to be learned.
func learnTime(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	learn, err := time.ParseDuration(text)
	if err != nil || learn < 0 {
		return 0, &breakwater.Error{Kind: breakwater.Invalid, Field: "learn", Message: fmt.Sprintf("learn %q is not a duration: write it as 300s or 5m", clip(text))}
	}
	return learn, nil
}
