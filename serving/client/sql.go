package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// SQLOptions say how statements are answered.
type SQLOptions struct {
	// Format of the answer: json, ndjson, csv, arrow, or another that the server makes;
	// json where empty.
	Format string
	// Wait is how long the answer may wait until it holds everything that was acknowledged
	// before; at most a minute.
	Wait time.Duration
	// Settings are settings of ClickHouse that change how the answer is written, or lower a
	// limit. The server refuses others.
	Settings map[string]string
}

// Result is an answer as the server wrote it.
type Result struct {
	Body        io.ReadCloser // the caller closes it, which ends the query where it still runs
	ContentType string
	Sources     []Source // what it is made of; none where no stream or view was read

	trailer *http.Header // of the answer, filled once Body was read to its end
}

// rowsTrailer is where the server says how many rows an answer of SQL has.
const rowsTrailer = "Millrace-Rows"

// Rows returns how many rows the answer has, once Body was read to its end; 0 before, and
// where the server does not say.
func (r *Result) Rows() int64 {
	n, err := strconv.ParseInt(r.trailer.Get(rowsTrailer), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// SQL runs one or more statements and returns the answer of the last one, in the format
// of the options. Canceling the context ends the query on the server. It is not repeated,
// since a statement may change something.
func (c *Client) SQL(ctx context.Context, statements string, o SQLOptions) (*Result, error) {
	q := url.Values{}
	if o.Format != "" {
		q.Set("format", o.Format)
	}
	setWait(q, o.Wait)
	for name, value := range o.Settings {
		q.Set(name, value)
	}
	return c.result(ctx, call{
		method: http.MethodPost, path: "/v1/sql", query: q,
		header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: text(statements),
	})
}

// result sends a call and returns its answer as the server writes it.
func (c *Client) result(ctx context.Context, r call) (*Result, error) {
	reply, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	list, err := sources(json.RawMessage(reply.Header.Get("Millrace-Provenance")))
	if err != nil {
		_ = reply.Body.Close()
		return nil, err
	}
	return &Result{Body: reply.Body, ContentType: reply.Header.Get("Content-Type"), Sources: list, trailer: &reply.Trailer}, nil
}

// Rows runs statements like SQL and reads the answer of the last one row by row.
func (c *Client) Rows(ctx context.Context, statements string, o SQLOptions) (*Rows, error) {
	o.Format = "json"
	result, err := c.SQL(ctx, statements, o)
	if err != nil {
		return nil, err
	}
	return newRows(result.Body)
}

// Query runs statements like SQL and returns the whole answer of the last one.
func (c *Client) Query(ctx context.Context, statements string, o SQLOptions) (*Answer, error) {
	rows, err := c.Rows(ctx, statements, o)
	if err != nil {
		return nil, err
	}
	return answer(rows)
}

// setWait sets the parameter wait where there is one.
func setWait(q url.Values, wait time.Duration) {
	if wait > 0 {
		q.Set("wait", wait.String())
	}
}
