package app

import (
	"net/http"
	"testing"

	"breakwater"
	"breakwater/internal/kafka"
)

// Records that the server cannot take now are not taken, so that they come again; nor is one of several that is wrong.
func TestRowsOfRecords(t *testing.T) {
	status, body := http.StatusServiceUnavailable, `{"detail":"the database is away"}`
	x := &exchange{api: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	})}
	records := []kafka.Record{{Key: "north", Value: []byte(`{"a":1}`)}, {Key: "north", Value: []byte(`{"a":2}`)}}
	for _, step := range []struct {
		status int
		body   string
		done   int
		kind   breakwater.ErrorKind
	}{
		{http.StatusServiceUnavailable, `{"detail":"the database is away"}`, 0, breakwater.Unavailable},
		{http.StatusTooManyRequests, ``, 0, breakwater.Unavailable},
		{http.StatusInternalServerError, ``, 0, breakwater.Internal},
		{http.StatusUnauthorized, ``, 0, breakwater.Invalid},
		{http.StatusOK, `{"accepted":1,"rejected":1,"errors":[{"detail":"no batch"}]}`, 0, breakwater.Invalid},
	} {
		status, body = step.status, step.body
		if done, err := x.rows(t.Context(), "/api/ingest/batches", records); done != step.done || breakwater.KindOf(err) != step.kind {
			t.Errorf("%d %s: %d done, %v", step.status, step.body, done, err)
		}
	}
	status, body = http.StatusOK, `{"accepted":2}`
	if done, err := x.rows(t.Context(), "/api/ingest/batches", records); done != 2 || err != nil {
		t.Errorf("%d done, %v", done, err)
	}
}
