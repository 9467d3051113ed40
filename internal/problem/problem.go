// Package problem writes errors as RFC 9457 problem JSON.
//
// The one invariant: whatever goes wrong, the caller is told what, where and what to do
// in one shape, and never sees an internal path or a stack.
package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/millrace/millrace/internal/sql"
)

// Problem is an error with all that its HTTP answer says.
type Problem struct {
	Type       string        `json:"type"`             // "/problems/" and a kebab-case kind
	Title      string        `json:"title"`            // the kind in words
	Status     int           `json:"status"`           // HTTP status
	Detail     string        `json:"detail"`           // what was wrong here
	Hint       string        `json:"hint,omitempty"`   // what to do
	Line       int           `json:"line,omitempty"`   // place in the SQL text, from 1
	Column     int           `json:"column,omitempty"` // from 1, in characters
	Offset     *int          `json:"offset,omitempty"` // from 0, in bytes
	RetryAfter time.Duration `json:"-"`                // sent as Retry-After where not 0
}

func (p *Problem) Error() string {
	if p.Hint != "" {
		return p.Detail + "; " + p.Hint
	}
	return p.Detail
}

// New makes a problem; kind is in kebab case, like "unknown-stream".
func New(status int, kind, detail, hint string) *Problem {
	return &Problem{Type: "/problems/" + kind, Title: http.StatusText(status), Status: status, Detail: detail, Hint: hint}
}

// Busy is 503 with Retry-After: nothing was done, try again.
func Busy(detail string, after time.Duration) *Problem {
	p := New(http.StatusServiceUnavailable, "busy", detail, "try again after the time in Retry-After")
	p.RetryAfter = after
	return p
}

// From turns any error into a problem: a *Problem as it is, a *sql.Error with its
// place, anything else as an internal error.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var s *sql.Error
	if errors.As(err, &s) {
		p = New(http.StatusBadRequest, "sql", s.Msg, s.Hint)
		p.Line, p.Column, p.Offset = s.Pos.Line, s.Pos.Column, &s.Pos.Offset
		return p
	}
	return New(http.StatusInternalServerError, "internal", err.Error(), "see the log of the server")
}

// Write answers a request with the problem that err is.
func Write(w http.ResponseWriter, err error) {
	p := From(err)
	w.Header().Set("Content-Type", ContentType)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone if this fails
}
