// Package deadletter keeps what could not be taken in, so that nothing vanishes silently.
//
// The one invariant: a letter that Write accepted is durable, with its raw bytes and its
// reason, until it is replayed or its time is over; and it is replayed at most once.
package deadletter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Letter is one row that was refused. It is immutable.
type Letter struct {
	ID      string    // object and line; given by Write, empty before
	Stream  string    // stream id
	Arrival time.Time // when it was refused
	Line    int       // in the request's body, from 1; 0: unknown
	Reason  string
	Raw     []byte // the row as it came
	Format  string // of Raw: "ndjson", "json" or "csv"; empty means ndjson
	Header  string // of CSV: the header record as it came, UTF-8
}

// line is the form of a letter in its file: one JSON object. Raw is text where it is valid
// UTF-8, else base64 in raw_base64. Header is left out where it is that of the line before:
// a long one would be repeated for each row of its request.
type line struct {
	ID      string  `json:"id"`
	Stream  string  `json:"stream"`
	Arrival string  `json:"arrival"` // RFC 3339 with nanoseconds, UTC
	Line    int     `json:"line,omitempty"`
	Reason  string  `json:"reason"`
	Raw     *string `json:"raw,omitempty"`
	Base64  *string `json:"raw_base64,omitempty"`
	Format  string  `json:"format,omitempty"`
	Header  *string `json:"header,omitempty"`
}

// appendLine adds a letter as one line of NDJSON, behind a line with the given header.
func appendLine(dst *bytes.Buffer, l *Letter, before string) error {
	out := line{ID: l.ID, Stream: l.Stream, Arrival: l.Arrival.UTC().Format(time.RFC3339Nano), Line: l.Line, Reason: l.Reason, Format: l.Format}
	if l.Header != before {
		out.Header = &l.Header
	}
	if utf8.Valid(l.Raw) {
		s := string(l.Raw)
		out.Raw = &s
	} else {
		s := base64.StdEncoding.EncodeToString(l.Raw)
		out.Base64 = &s
	}
	e := json.NewEncoder(dst)
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

// parseLine reverses appendLine.
func parseLine(b []byte, before string) (Letter, error) {
	var in line
	if err := json.Unmarshal(b, &in); err != nil {
		return Letter{}, fmt.Errorf("parse dead letter: %w", err)
	}
	arrival, err := time.Parse(time.RFC3339Nano, in.Arrival)
	if err != nil {
		return Letter{}, fmt.Errorf("parse dead letter: %w", err)
	}
	l := Letter{ID: in.ID, Stream: in.Stream, Arrival: arrival.UTC(), Line: in.Line, Reason: in.Reason, Raw: []byte{}, Format: in.Format, Header: before}
	if in.Header != nil {
		l.Header = *in.Header
	}
	switch {
	case in.Raw != nil:
		l.Raw = []byte(*in.Raw)
	case in.Base64 != nil:
		if l.Raw, err = base64.StdEncoding.DecodeString(*in.Base64); err != nil {
			return Letter{}, fmt.Errorf("parse dead letter: %w", err)
		}
	}
	return l, nil
}
