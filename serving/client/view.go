package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ViewQuery is a question to a view. The zero value asks for all groups over all time.
type ViewQuery struct {
	// From and To bound the time: RFC 3339, a date, seconds since 1970, "now", or a span
	// such as "-1h"; To is exclusive. Empty: unbounded.
	From, To string
	// By are the group columns to keep, the others are merged away; nil keeps all, an
	// empty list none.
	By []string
	// Where is a condition over the group columns, in SQL.
	Where string
	// Order are columns, with "-" before one for descending.
	Order []string
	Limit int64 // most rows; 0: no limit but the server's
	// Step, such as "5m" or "1d", adds a leading column "time" with a row per bucket.
	Step string
	// Wait is how long the answer may wait until it holds everything that was acknowledged
	// before; at most a minute.
	Wait time.Duration
}

// Values returns the query as the parameters of its request.
func (q ViewQuery) Values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("from", q.From)
	set("to", q.To)
	if q.By != nil {
		v.Set("by", strings.Join(q.By, ","))
	}
	set("where", q.Where)
	set("order", strings.Join(q.Order, ","))
	if q.Limit != 0 {
		v.Set("limit", strconv.FormatInt(q.Limit, 10))
	}
	set("step", q.Step)
	setWait(v, q.Wait)
	return v
}

// View queries a view, batch merged with speed.
func (c *Client) View(ctx context.Context, view string, q ViewQuery) (*Answer, error) {
	path, err := place("/v1/views/", view)
	if err != nil {
		return nil, err
	}
	result, err := c.result(ctx, reading(path, q.Values()))
	if err != nil {
		return nil, err
	}
	rows, err := newRows(result.Body)
	if err != nil {
		return nil, err
	}
	return answer(rows)
}

// BatchResult is what a batch run published.
type BatchResult struct {
	Generation uint64          `json:"generation"`
	Cut        int64           `json:"cut"` // the last epoch in it
	Rows       int64           `json:"rows"`
	Drift      json.RawMessage `json:"drift"` // how batch and speed compared
}

// RunBatch runs a view's batch job and returns when its result is published.
func (c *Client) RunBatch(ctx context.Context, view string) (*BatchResult, error) {
	return c.batch(ctx, view, nil)
}

// Rebuild is RunBatch from the beginning of the lake.
func (c *Client) Rebuild(ctx context.Context, view string) (*BatchResult, error) {
	return c.batch(ctx, view, url.Values{"rebuild": {"true"}})
}

func (c *Client) batch(ctx context.Context, view string, q url.Values) (*BatchResult, error) {
	return ask[BatchResult](ctx, c, call{method: http.MethodPost, query: q}, "/v1/views/", view, "/batch")
}
