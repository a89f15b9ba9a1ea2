package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

const (
	// rowMax is the longest row that is taken, in bytes; a longer one is rejected, and those behind it are read.
	rowMax = 1 << 20
	// errorsListed is how many rejected rows an answer says why of; all are counted.
	errorsListed = 100
)

// rows are the rows of a body, an array of JSON values or one value a line (NDJSON): whichever the first byte says. Each
// comes with its number, the line's or the place in the array, from 1. A row that is longer than most, or an array that
// goes wrong, comes as an error of that row. It holds one row at a time. What ends the body before its end is for the
// body's reader to tell.
func rows(body io.Reader, most int) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		r := bufio.NewReaderSize(body, 64<<10)
		first, err := peekSpace(r)
		if err != nil {
			return
		}
		if first == '[' {
			if _, err := r.Discard(1); err == nil {
				arrayRows(r, most, yield)
			}
			return
		}
		lineRows(r, most, yield)
	}
}

// row is one row's text, valid until the next, and its number.
type row struct {
	number int64
	text   []byte
}

// peekSpace skips blank bytes, and a byte order mark at the beginning, and shows the first that is not.
func peekSpace(r *bufio.Reader) (byte, error) {
	if mark, err := r.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		if _, err := r.Discard(3); err != nil {
			return 0, err
		}
	}
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b, r.UnreadByte()
		}
	}
}

func lineRows(r *bufio.Reader, most int, yield func(row, error) bool) {
	var line []byte
	for n := int64(1); ; n++ {
		line = line[:0]
		long := false
		var err error
		for {
			var part []byte
			part, err = r.ReadSlice('\n')
			if len(line)+len(part) > most {
				long = true
			} else {
				line = append(line, part...)
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		text := bytes.TrimSpace(line)
		switch {
		case err != nil && !errors.Is(err, io.EOF): // a half line at the end of a body that was cut short
			return
		case long:
			if !yield(row{number: n}, tooLong(most)) {
				return
			}
		case len(text) > 0:
			if !yield(row{n, text}, nil) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// arrayRows splits an array by its commas: the values themselves are not looked at, so that a bad one harms none of the
// others.
func arrayRows(r *bufio.Reader, most int, yield func(row, error) bool) {
	var value []byte
	for n := int64(1); ; n++ {
		value = value[:0]
		long, depth, quoted, escaped := false, 0, false, false
		closed := false
	read:
		for {
			b, err := r.ReadByte()
			if err != nil {
				if errors.Is(err, io.EOF) {
					yield(row{number: n}, errors.New("the array ends without its ]"))
				}
				return
			}
			switch {
			case escaped:
				escaped = false
			case quoted:
				escaped, quoted = b == '\\', b != '"'
			case b == '"':
				quoted = true
			case b == '{' || b == '[':
				depth++
			case depth == 0 && (b == ',' || b == ']'):
				closed = b == ']'
				break read
			case b == '}' || b == ']':
				depth = max(depth-1, 0)
			}
			if len(value) < most {
				value = append(value, b)
			} else {
				long = true
			}
		}
		text := bytes.TrimSpace(value)
		switch {
		case closed && len(text) == 0: // an empty array, or a comma before its end
		case long:
			if !yield(row{number: n}, tooLong(most)) {
				return
			}
		default:
			if !yield(row{n, text}, nil) {
				return
			}
		}
		if closed {
			return
		}
	}
}

func tooLong(most int) error { return fmt.Errorf("the row is longer than %d bytes", most) }

// Tally counts what became of rows. It is exported because huma passes over unexported structs that are embedded.
type Tally struct {
	Accepted int64         `json:"accepted" minimum:"0" example:"1200" doc:"Rows taken."`
	Rejected int64         `json:"rejected" minimum:"0" example:"1" doc:"Rows that could not be taken; the others were."`
	Errors   []ingestError `json:"errors" nullable:"false" doc:"Why rows were rejected: the first 100."`
}

// reject counts a row that is wrong. The detail is one line.
func (t *Tally) reject(number int64, err error) {
	t.Rejected++
	if len(t.Errors) < errorsListed {
		t.Errors = append(t.Errors, ingestError{Line: max(number, 1), Detail: oneLine(err.Error())})
	}
}

// decodeRow reads a row into out. An unknown field is no mistake: programs of other versions send them.
func decodeRow(text []byte, out any) error {
	if err := unmarshal(text, out); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			field := wrong.Field
			if field == "" {
				field = "the row"
			}
			return fmt.Errorf("%s is a %s, which it cannot be", field, wrong.Value)
		}
		return fmt.Errorf("the row is not JSON as it should be: %w", err)
	}
	return nil
}

// oneLine is a message that may quote what was sent: one line of bounded length.
func oneLine(message string) string {
	if len(message) > 300 {
		message = strings.ToValidUTF8(message[:300], "") + "…"
	}
	return strings.ReplaceAll(message, "\n", " ")
}
