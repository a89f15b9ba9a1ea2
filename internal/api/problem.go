package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"breakwater"

	"github.com/danielgtaylor/huma/v2"
)

// statuses says what each kind of error is in HTTP; nothing else does.
var statuses = map[breakwater.ErrorKind]int{
	breakwater.Internal:    http.StatusInternalServerError,
	breakwater.Invalid:     http.StatusUnprocessableEntity,
	breakwater.NotFound:    http.StatusNotFound,
	breakwater.Conflict:    http.StatusConflict,
	breakwater.TooLarge:    http.StatusRequestEntityTooLarge,
	breakwater.Unavailable: http.StatusServiceUnavailable,
	breakwater.Outdated:    http.StatusPreconditionFailed,
}

// internalDetail is all a client is told of what is ours to mend; the log says more.
const internalDetail = "something went wrong inside the server: its log says what"

// bodyStatuses are what a route may answer of itself because of its body, by the type of its input. A body that the route
// reads as a stream has none of them.
func bodyStatuses(input reflect.Type) []int {
	if _, structured := input.FieldByName("Body"); structured {
		return []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
	}
	if _, raw := input.FieldByName("RawBody"); raw {
		return []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge}
	}
	return nil
}

// A body that cannot be read to its end is the client's matter, not the server's, as huma has it.
func init() {
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		if status == http.StatusInternalServerError && message == "cannot read request body" {
			status, message, errs = http.StatusBadRequest, "the body cannot be read to its end: send it whole, in the length or the chunks that its headers announce", nil
		}
		return huma.NewError(status, message, errs...)
	}
}

// problem turns an error of a route into the RFC 9457 problem that is answered. A huma problem passes.
func (s *server) problem(ctx context.Context, operation string, err error) error {
	if _, ok := errors.AsType[huma.StatusError](err); ok {
		return err // with its headers, where it has some
	}
	kind := breakwater.KindOf(err)
	if kind == breakwater.Internal {
		s.Logger.ErrorContext(ctx, "a request failed", "operation", operation, "err", err)
		return huma.NewError(http.StatusInternalServerError, internalDetail)
	}
	e, _ := errors.AsType[*breakwater.Error](err) // there is one: it gave the kind
	if kind == breakwater.Unavailable && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "a request cannot be served now", "operation", operation, "err", err)
	}
	if e.Field == "" {
		return huma.NewError(statuses[kind], e.Message)
	}
	detail := e.Message
	if !strings.Contains(detail, e.Field) { // what is wrong is said; where must be too
		detail = e.Field + ": " + detail
	}
	return huma.NewError(statuses[kind], detail, &huma.ErrorDetail{Message: e.Message, Location: e.Field})
}

// explain gives a problem of huma's own checks a detail that says what is wrong and where, not only that something is.
func explain(ctx huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok || p.Status != http.StatusUnprocessableEntity || p.Detail != "validation failed" {
		return v, nil
	}
	slices.SortFunc(p.Errors, func(a, b *huma.ErrorDetail) int { return strings.Compare(a.Location, b.Location) })
	var parts []string
	for _, e := range p.Errors {
		if wrong := unfit.FindStringSubmatch(e.Message); wrong != nil { // of the body as a whole, which need not be said again
			e.Location, e.Message, e.Value = "body."+wrong[2], "a "+wrong[1]+" is not possible here, or not this one", nil
		}
		where, name, _ := strings.Cut(e.Location, ".")
		part := where + " parameter " + clip(name) + ": " + e.Message
		if name == "" {
			part = where + ": " + e.Message
		}
		if e.Message == "unknown query parameter" {
			part = fmt.Sprintf("there is no query parameter %s: %s", clip(name), known(ctx.Operation()))
		} else if e.Value != nil {
			part += ", not " + clip(fmt.Sprint(e.Value))
		}
		parts = append(parts, part)
	}
	p.Detail = strings.Join(parts, "; ")
	return p, nil
}

// unfit is how encoding/json says that a value does not fit the field it is for: it passed the checks, which know no
// limits of Go's types.
var unfit = regexp.MustCompile(`^json: cannot unmarshal ([a-z]+)\b.* into Go struct field [^.]*\.(\S+) of type `)

// takes reports whether an operation has a query parameter.
func takes(op *huma.Operation, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
}

// known lists the query parameters of an operation.
func known(op *huma.Operation) string {
	var names []string
	for _, p := range op.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "this route takes none"
	}
	return "there are " + strings.Join(names, ", ")
}

// mayBeEmpty are the query parameters that say something when they are empty: no words, or the first page.
var mayBeEmpty = []string{"search", "cursor", "after"}

// checkQuery refuses a query that would be read only in part: one that does not parse, or a parameter that is given twice
// or has no value. A filter whose value got lost on the way would show everything.
func (s *server) checkQuery(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		values, err := url.ParseQuery(u.RawQuery)
		detail := ""
		if err != nil {
			detail = "the query cannot be read: " + err.Error()
		}
		for name, given := range values {
			switch {
			case ctx.Operation().SkipValidateParams:
			case len(given) > 1:
				detail = fmt.Sprintf("query parameter %s is given %d times: give it once, its values separated by commas", clip(name), len(given))
			case given[0] == "" && !slices.Contains(mayBeEmpty, name) && takes(ctx.Operation(), name):
				detail = fmt.Sprintf("query parameter %s is empty: give it a value, or leave it away", clip(name))
			}
		}
		if detail == "" {
			next(ctx)
			return
		}
		if err := huma.WriteErr(h, ctx, http.StatusUnprocessableEntity, detail); err != nil {
			s.Logger.Debug("an answer was not written", "err", err)
		}
	}
}

// writeProblem answers with a problem outside huma's routes.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// Where the client has gone, nobody is left to tell.
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
}

// clip cuts an input that is shown in a message.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
