package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Error is an answer of no success: what was wrong, where, and what to do. Find it with
// errors.As.
type Error struct {
	Status int    `json:"status"` // of HTTP
	Type   string `json:"type"`   // such as "/problems/unknown-view"; empty where the answer is no problem JSON
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"` // what to do; may be empty
	// Line and Column are the place in a statement, from 1, the column in characters; 0
	// where there is none.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Offset is the same place in bytes from 0; -1 where there is none.
	Offset int `json:"-"`
	// RetryAfter is how long the server asks to wait; 0 where it does not.
	RetryAfter time.Duration `json:"-"`
}

// Error says the place, the detail and the hint.
func (e *Error) Error() string {
	text := e.Detail
	if e.Line > 0 {
		text = fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, text)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Kind is the last part of Type, such as "unknown-view"; empty where there is none.
func (e *Error) Kind() string {
	const prefix = "/problems/"
	if len(e.Type) > len(prefix) && e.Type[:len(prefix)] == prefix {
		return e.Type[len(prefix):]
	}
	return ""
}

// readError makes an Error of an answer of no success. One that is no problem JSON, such
// as a proxy's, gives its status and the beginning of its text.
func readError(reply *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxErrorBytes))
	e := problemOf(text)
	if err != nil || e.Detail == "" {
		e = &Error{Title: http.StatusText(reply.StatusCode), Offset: -1, Detail: reply.Status}
		if shown := shorten(bytes.TrimSpace(text)); shown != "" {
			e.Detail += ": " + shown
		}
		if reply.StatusCode == http.StatusNotFound {
			e.Hint = "what answers is no Millrace server, or an older one without " + reply.Request.URL.Path
		}
	}
	e.Status = reply.StatusCode // what HTTP says counts
	if seconds, err := strconv.Atoi(reply.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(reply.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = max(time.Until(at), 0)
	}
	return e
}

// problemOf makes an Error of problem JSON. Of another text it has no Detail.
func problemOf(text []byte) *Error {
	p := struct {
		Error
		Offset *int `json:"offset"`
	}{}
	if json.Unmarshal(text, &p) != nil {
		return &Error{Offset: -1}
	}
	p.Error.Offset = -1
	if p.Offset != nil {
		p.Error.Offset = *p.Offset
	}
	return &p.Error
}

// shownErrorBytes is how much of an answer that is no problem JSON an error repeats.
const shownErrorBytes = 500

func shorten(text []byte) string {
	if len(text) > shownErrorBytes {
		return string(bytes.ToValidUTF8(text[:shownErrorBytes], nil)) + "…"
	}
	return string(text)
}
