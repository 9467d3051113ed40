package client

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Stream describes a stream.
type Stream struct {
	Name       string   `json:"name"`
	SQL        string   `json:"sql"` // the statement that makes it
	Columns    []Column `json:"columns"`
	EventTime  string   `json:"event_time"` // its column
	Partitions int      `json:"partitions"`
	Retention  string   `json:"retention"` // how long its log is kept at least
	DedupeKey  []string `json:"dedupe_key"`
	Events     int64    `json:"events"`    // acknowledged since the server started
	LakeRows   int64    `json:"lake_rows"` // sealed in the lake, ever
	Rejected   int64    `json:"rejected"`  // dead letters that wait
	Head       []uint64 `json:"head"`      // newest entry of each partition
}

// Streams lists the streams that the client may look at.
func (c *Client) Streams(ctx context.Context) ([]Stream, error) {
	var r struct {
		Streams []Stream `json:"streams"`
	}
	err := c.object(ctx, reading("/v1/streams", nil), &r)
	return r.Streams, err
}

// View describes a view that is no leaderboard.
type View struct {
	Name       string       `json:"name"`
	Stream     string       `json:"stream"`
	SQL        string       `json:"sql"` // the statement that makes it
	Columns    []ViewColumn `json:"columns"`
	Window     *int64       `json:"window"`   // length in seconds; nil: it has none
	Pane       int64        `json:"pane"`     // seconds: from, to and step of queries are made of whole panes
	Schedule   string       `json:"schedule"` // of its batch runs, as cron has it, in UTC
	Generation uint64       `json:"generation"`
	Cut        *int64       `json:"cut"` // the last epoch of the batch layer; nil: it covers nothing yet
	CutTime    *time.Time   `json:"cut_time"`
	NextRun    *time.Time   `json:"next_run"`
	Rows       int64        `json:"rows"`  // groups of the batch layer
	State      string       `json:"state"` // ready, backfilling, starting or stalled
	Error      string       `json:"error"`
}

// ViewColumn is one column of a view.
type ViewColumn struct {
	Column
	// Role is group (By, Where and Values take it), window (the start of its window),
	// derived (reckoned from groups) or measure.
	Role string `json:"role"`
}

// Views lists the views that the client may look at, without the leaderboards.
func (c *Client) Views(ctx context.Context) ([]View, error) {
	var r struct {
		Views []View `json:"views"`
	}
	err := c.object(ctx, reading("/v1/views", nil), &r)
	return r.Views, err
}

// ValuesQuery asks for values of a group column.
type ValuesQuery struct {
	Column string
	Prefix string // only values that begin so
	Limit  int    // most values; 0: the server's default
}

// Values lists the distinct values of a group column of a view, as text, in the column's
// order. more tells whether there are others beyond the limit.
func (c *Client) Values(ctx context.Context, view string, q ValuesQuery) (values []string, more bool, err error) {
	v := url.Values{"column": {q.Column}}
	if q.Prefix != "" {
		v.Set("prefix", q.Prefix)
	}
	setCount(v, "limit", q.Limit)
	type answer struct {
		Values []string `json:"values"`
		More   bool     `json:"more"`
	}
	a, err := look[answer](ctx, c, v, "/v1/views/", view, "/values")
	if err != nil {
		return nil, false, err
	}
	return a.Values, a.More, nil
}

// Run is one batch run of a view or leaderboard.
type Run struct {
	View       string     `json:"view"`
	Kind       string     `json:"kind"`  // batch, rebuild, or backfill, which is the first run
	State      string     `json:"state"` // running, published, failed or cancelled
	Started    time.Time  `json:"started"`
	Finished   *time.Time `json:"finished"` // nil while it runs
	Error      string     `json:"error"`
	Generation uint64     `json:"generation"` // that it published; 0: none
	Cut        *int64     `json:"cut"`
	CutTime    *time.Time `json:"cut_time"`
	Rows       int64      `json:"rows"`  // groups of the generation
	Days       int        `json:"days"`  // event days that were recomputed
	Drift      *Drift     `json:"drift"` // of a run that published
}

// Drift says how batch and speed compared for the epochs that a run took over.
type Drift struct {
	From  *int64 `json:"from"` // the epochs after it up to To; nil: from the beginning
	To    *int64 `json:"to"`
	Batch int64  `json:"batch_events"`
	Speed int64  `json:"speed_events"`
	// Comparable is false where the speed layer did not hold these epochs whole.
	Comparable bool `json:"comparable"`
}

// Batches lists the batch runs of a view, or of all where it is empty, the newest first;
// limit 0 is the server's default.
func (c *Client) Batches(ctx context.Context, view string, limit int) ([]Run, error) {
	v := url.Values{}
	if view != "" {
		v.Set("view", view)
	}
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	var r struct {
		Runs []Run `json:"runs"`
	}
	err := c.object(ctx, reading("/v1/batches", v), &r)
	return r.Runs, err
}

// Refusals is what was refused of one stream.
type Refusals struct {
	Stream   string          `json:"stream"`
	Rejected int64           `json:"rejected"` // dead letters that wait
	Newest   *time.Time      `json:"newest"`   // nil: there is none
	Counted  int             `json:"counted"`  // of the newest letters, which Reasons are of
	Reasons  []RefusedReason `json:"reasons"`  // the most frequent first
}

// RefusedReason counts what was refused for one reason.
type RefusedReason struct {
	Reason string    `json:"reason"` // without what it quotes of a row
	Count  int64     `json:"count"`
	Newest time.Time `json:"newest"`
}

// Refusals lists what was refused and why, by stream.
func (c *Client) Refusals(ctx context.Context) ([]Refusals, error) {
	var r struct {
		Streams []Refusals `json:"streams"`
	}
	err := c.object(ctx, reading("/v1/errors", nil), &r)
	return r.Streams, err
}
