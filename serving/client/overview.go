package client

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Stream describes a stream.
type Stream struct {
	Name        string   `json:"name"`
	SQL         string   `json:"sql"` // the statement that makes it
	Columns     []Column `json:"columns"`
	EventTime   string   `json:"event_time"` // its column
	PartitionBy []string `json:"partition_by"`
	Partitions  int      `json:"partitions"`
	Retention   string   `json:"retention"` // how long its log is kept at least
	DedupeKey   []string `json:"dedupe_key"`
	Events      int64    `json:"events"`    // acknowledged since the server started
	LakeRows    int64    `json:"lake_rows"` // sealed in the lake
	Rejected    int64    `json:"rejected"`  // dead letters that wait
	Head        []uint64 `json:"head"`      // newest entry of each partition
}

// Streams lists the streams that the caller may look at.
func (c *Client) Streams(ctx context.Context) ([]Stream, error) {
	var r struct {
		Streams []Stream `json:"streams"`
	}
	err := c.object(ctx, reading("/v1/streams", nil), &r)
	return r.Streams, err
}

// ViewColumn is one column of a view.
type ViewColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Role is group (which by, where and values take), window (the start of its window),
	// derived (reckoned from groups) or measure.
	Role string `json:"role"`
}

// ViewInfo describes a view.
type ViewInfo struct {
	Name       string       `json:"name"`
	Stream     string       `json:"stream"`
	SQL        string       `json:"sql"` // the statement that makes it
	Columns    []ViewColumn `json:"columns"`
	Window     *int64       `json:"window"`   // length of its windows in seconds; nil: it has none
	Pane       int64        `json:"pane"`     // seconds: times and steps of queries are made of whole panes
	Schedule   string       `json:"schedule"` // of its batch runs, as cron has it, in UTC
	Generation uint64       `json:"generation"`
	Cut        *int64       `json:"cut"`      // nil: the batch layer covers nothing yet
	CutTime    *time.Time   `json:"cut_time"` // end of the cut's epoch
	NextRun    *time.Time   `json:"next_run"`
	Rows       int64        `json:"rows"`  // groups of the batch layer
	State      string       `json:"state"` // ready, backfilling, starting or stalled
	Error      string       `json:"error"`
}

// Views lists the views that the caller may look at; for leaderboards see Boards.
func (c *Client) Views(ctx context.Context) ([]ViewInfo, error) {
	var r struct {
		Views []ViewInfo `json:"views"`
	}
	err := c.object(ctx, reading("/v1/views", nil), &r)
	return r.Views, err
}

// ValuesQuery asks for the values of a group column.
type ValuesQuery struct {
	Column string
	Prefix string // only values that begin so
	Limit  int    // most values; 0: the server's default
}

// Values lists distinct values of a view's group column, as text. More says that there are
// others beyond the limit.
func (c *Client) Values(ctx context.Context, view string, q ValuesQuery) (values []string, more bool, err error) {
	v := url.Values{"column": {q.Column}}
	if q.Prefix != "" {
		v.Set("prefix", q.Prefix)
	}
	setCount(v, "limit", q.Limit)
	r, err := look[struct {
		Values []string `json:"values"`
		More   bool     `json:"more"`
	}](ctx, c, v, "/v1/views/", view, "/values")
	if err != nil {
		return nil, false, err
	}
	return r.Values, r.More, nil
}

// Drift says how batch and speed compared for the epochs that a run took over.
type Drift struct {
	From       *int64 `json:"from"` // the epochs after it up to To; nil: from the beginning
	To         *int64 `json:"to"`
	Batch      int64  `json:"batch_events"`
	Speed      int64  `json:"speed_events"`
	Comparable bool   `json:"comparable"` // false where the speed layer did not hold these epochs whole
}

// BatchRun is one batch run of a view or leaderboard.
type BatchRun struct {
	View       string     `json:"view"`
	Kind       string     `json:"kind"`  // batch, rebuild or backfill
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

// BatchRuns lists the batch runs of a view or leaderboard, or of all where that is empty,
// the newest first; limit 0 is the server's default.
func (c *Client) BatchRuns(ctx context.Context, view string, limit int) ([]BatchRun, error) {
	v := url.Values{}
	if view != "" {
		v.Set("view", view)
	}
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	var r struct {
		Runs []BatchRun `json:"runs"`
	}
	err := c.object(ctx, reading("/v1/batches", v), &r)
	return r.Runs, err
}

// Refusals says what was refused of a stream, and why.
type Refusals struct {
	Stream   string          `json:"stream"`
	Rejected int64           `json:"rejected"` // dead letters that wait
	Newest   *time.Time      `json:"newest"`   // nil: there is none
	Counted  int             `json:"counted"`  // of the newest, which Reasons are of
	Reasons  []RefusedReason `json:"reasons"`  // the most frequent first
}

// RefusedReason counts what was refused for one reason.
type RefusedReason struct {
	Reason string    `json:"reason"` // without what it quotes of a row
	Count  int64     `json:"count"`
	Newest time.Time `json:"newest"`
}

// Refusals lists what was refused, by stream; the rows themselves are DeadLetters.
func (c *Client) Refusals(ctx context.Context) ([]Refusals, error) {
	var r struct {
		Streams []Refusals `json:"streams"`
	}
	err := c.object(ctx, reading("/v1/errors", nil), &r)
	return r.Streams, err
}
