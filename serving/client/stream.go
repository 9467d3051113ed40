package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// AppendOptions say what a body of events is.
type AppendOptions struct {
	// ContentType is application/x-ndjson, application/json or text/csv; the first where
	// empty.
	ContentType string
	// Encoding is gzip or zstd where the body is compressed.
	Encoding string
	// IdempotencyKey makes a repetition within 10 minutes harmless, whoever sends it.
	// Without one the request is sent once.
	IdempotencyKey string
}

// AppendReply is what became of the events of one request, all of them on disk.
type AppendReply struct {
	Accepted int          `json:"accepted"`
	Rejected int          `json:"rejected"`
	Errors   []RowRefused `json:"errors"` // the first of them; all are dead letters
}

// RowRefused is why one row was refused.
type RowRefused struct {
	Line   int    `json:"line"` // of the body, from 1
	Reason string `json:"reason"`
}

// Append appends the events of a body to a stream and returns when they are on disk.
// Rows that do not fit are dead letters and no error. With a key, and a body that can be
// read at any place (bytes.Reader, strings.Reader, bytes.Buffer, a file), the request is
// sent again where the server was busy or the connection was lost.
func (c *Client) Append(ctx context.Context, stream string, body io.Reader, o AppendOptions) (*AppendReply, error) {
	if o.ContentType == "" {
		o.ContentType = "application/x-ndjson"
	}
	h := http.Header{"Content-Type": {o.ContentType}}
	if o.Encoding != "" {
		h.Set("Content-Encoding", o.Encoding)
	}
	if o.IdempotencyKey != "" {
		h.Set("Idempotency-Key", o.IdempotencyKey)
	}
	return ask[AppendReply](ctx, c, call{
		method: http.MethodPost, header: h, body: content(body), repeatable: o.IdempotencyKey != "",
	}, "/v1/streams/", stream, "/events")
}

// DeadLetter is a row that was refused.
type DeadLetter struct {
	Arrival time.Time `json:"arrival"`
	Line    int       `json:"line"` // of its request
	Reason  string    `json:"reason"`
	Raw     string    `json:"raw"` // as text; bytes that are no UTF-8 are replaced
	// RawBase64 is the row as it came, where Raw is not.
	RawBase64 []byte `json:"raw_base64,omitempty"`
	Format    string `json:"format,omitempty"` // ndjson, json or csv
	Header    string `json:"header,omitempty"` // of CSV: the header record
}

// DeadLetters reads the newest dead letters of a stream, the newest first. An error ends
// the sequence and is its last element.
func (c *Client) DeadLetters(ctx context.Context, stream string) iter.Seq2[DeadLetter, error] {
	path, err := place("/v1/streams/", stream, "/errors")
	return lines[DeadLetter](ctx, c, path, nil, err)
}

// ReplayResult is what became of dead letters that were sent again.
type ReplayResult struct {
	Replayed int `json:"replayed"` // are events now
	Refused  int `json:"refused"`  // are dead letters again
}

// Replay sends the dead letters of a stream through the door again.
func (c *Client) Replay(ctx context.Context, stream string) (*ReplayResult, error) {
	return ask[ReplayResult](ctx, c, call{method: http.MethodPost}, "/v1/streams/", stream, "/errors/replay")
}

// lines reads an answer of JSON objects, one a line. Leaving the loop ends the request.
func lines[T any](ctx context.Context, c *Client, path string, q url.Values, failed error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if failed != nil {
			yield(none, failed)
			return
		}
		reply, err := c.open(ctx, reading(path, q))
		if err != nil {
			yield(none, err)
			return
		}
		defer reply.Body.Close()
		dec := json.NewDecoder(reply.Body)
		for {
			var line T
			err := dec.Decode(&line)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(none, fmt.Errorf("read answer of %s: %w", path, err))
				return
			case !yield(line, nil):
				return
			}
		}
	}
}
