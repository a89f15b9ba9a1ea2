package breakwater

import (
	"errors"
	"strconv"
)

// ErrorKind sorts errors by what the one who asked can do about them. The API turns it into an HTTP status, the
// commands into an exit code; nothing else decides either.
type ErrorKind uint8

// The kinds of error.
const (
	Internal    ErrorKind = iota // ours: a bug or an engine's failure
	Invalid                      // the request or input is wrong; Field says where
	NotFound                     // there is no such thing
	Conflict                     // it is not in a state that allows this; another was quicker
	TooLarge                     // over a limit
	Unavailable                  // an engine, server, file or port cannot be had now
	Outdated                     // it was changed since the one who asked has read it
)

// Error is an error that a person can act on: Message says what, where and what to do, without the wrapped Err.
type Error struct {
	Kind    ErrorKind
	Field   string // the input's name, where there is one
	Message string
	Err     error // the cause, for logs
}

// Error is the message and, where there is one, its cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the outermost Error in err's chain, Internal where there is none.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// quote shows an input inside a message: quoted, and cut where it is long.
func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strconv.Quote(s)
}
