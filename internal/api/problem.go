package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
		where, name, _ := strings.Cut(e.Location, ".")
		part := where + " parameter " + clip(name) + ": " + e.Message
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

// checkQuery refuses a query that would be read only in part: one that does not parse, or a parameter given twice.
func (s *server) checkQuery(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		values, err := url.ParseQuery(u.RawQuery)
		detail := ""
		if err != nil {
			detail = "the query cannot be read: " + err.Error()
		}
		for name, given := range values {
			if len(given) > 1 && !ctx.Operation().SkipValidateParams {
				detail = fmt.Sprintf("query parameter %s is given %d times: give it once, its values separated by commas", clip(name), len(given))
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
