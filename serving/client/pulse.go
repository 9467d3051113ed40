package client

import (
	"context"
	"iter"
	"time"
)

// Pulse is how a server does at one moment: what comes in, what each step of the way of
// an event makes of it, and what is wrong.
type Pulse struct {
	At           time.Time     `json:"at"`
	Version      string        `json:"version"`
	UptimeMillis int64         `json:"uptime_ms"`
	Healthy      bool          `json:"healthy"`
	Problems     []Trouble     `json:"problems"`
	Steps        Steps         `json:"steps"`
	Streams      []StreamPulse `json:"streams"`
	Views        []ViewPulse   `json:"views"`
	Boards       []ViewPulse   `json:"boards"`
}

// Trouble is something that is wrong.
type Trouble struct {
	Part   string `json:"part"` // redis, clickhouse, query_engine, or as in "view hits"
	Detail string `json:"detail"`
}

// Steps are the steps of the way of an event.
type Steps struct {
	Ingest struct {
		Events            int64   `json:"events"` // acknowledged since the server started
		EventsPerSecond   float64 `json:"events_per_s"`
		BytesPerSecond    float64 `json:"bytes_per_s"`
		RequestsPerSecond float64 `json:"requests_per_s"`
		Rejected          int64   `json:"rejected"` // dead letters that wait
		RejectedPerSecond float64 `json:"rejected_per_s"`
	} `json:"ingest"`
	Speed struct {
		LagMillis int64 `json:"lag_ms"` // of the partition that is furthest behind
	} `json:"speed"`
	Lake struct {
		Epoch     *int64 `json:"epoch"` // newest complete one; nil: none
		Files     int64  `json:"files"`
		Bytes     int64  `json:"bytes"`
		LagMillis int64  `json:"lag_ms"`
	} `json:"lake"`
	Batch struct {
		Running  int        `json:"running"`
		LastRun  *time.Time `json:"last_run"`
		NextRun  *time.Time `json:"next_run"`
		Failures int64      `json:"failures"`
	} `json:"batch"`
	Serving struct {
		QueriesPerSecond float64  `json:"queries_per_s"`
		P99Millis        *float64 `json:"p99_ms"` // nil: nobody asked
	} `json:"serving"`
}

// StreamPulse is how a stream does.
type StreamPulse struct {
	Name            string  `json:"name"`
	Events          int64   `json:"events"`
	EventsPerSecond float64 `json:"events_per_s"`
	Rejected        int64   `json:"rejected"`
	LagMillis       int64   `json:"lag_ms"`
}

// ViewPulse is how a view or a leaderboard does.
type ViewPulse struct {
	Name       string     `json:"name"`
	Generation uint64     `json:"generation"`
	Cut        *int64     `json:"cut"`
	CutTime    *time.Time `json:"cut_time"`
	LagMillis  int64      `json:"lag_ms"`
	Complete   bool       `json:"complete"`
	NextRun    *time.Time `json:"next_run"`
	State      string     `json:"state"`
}

// Pulses follows how the server does, about once a second.
func (c *Client) Pulses(ctx context.Context) iter.Seq2[*Pulse, error] {
	return live(ctx, c, nil, "pulse", decoded[Pulse], "/v1/live")
}
