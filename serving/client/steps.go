package client

import "time"

// Steps are the steps of the way of an event, summed over what the client may look at.
// Rates are over the last five seconds.
type Steps struct {
	Ingest struct {
		Events            int64   `json:"events"` // acknowledged since the server started
		EventsPerSecond   float64 `json:"events_per_s"`
		BytesPerSecond    float64 `json:"bytes_per_s"`
		RequestsPerSecond float64 `json:"requests_per_s"`
		Rejected          int64   `json:"rejected"` // dead letters that wait
		RejectedPerSecond float64 `json:"rejected_per_s"`
	} `json:"ingest"`
	Log struct {
		Partitions int    `json:"partitions"`
		Entries    uint64 `json:"entries"` // ever appended
	} `json:"log"`
	Speed struct {
		Views     int   `json:"views"`  // views and leaderboards that it keeps
		LagMillis int64 `json:"lag_ms"` // of the one that is furthest behind
		Behind    int   `json:"behind"` // how many lack something that was acknowledged
	} `json:"speed"`
	Lake struct {
		Epoch     *int64 `json:"epoch"`  // the newest that is whole in every stream; nil: none
		LagMillis *int64 `json:"lag_ms"` // since that epoch ended; nil: none
		Files     int64  `json:"files"`
		Rows      int64  `json:"rows"`
		Bytes     int64  `json:"bytes"`
	} `json:"lake"`
	Batch struct {
		Running  int        `json:"running"`  // runs under way
		LastRun  *time.Time `json:"last_run"` // when the newest run that ended began
		NextRun  *time.Time `json:"next_run"`
		Failures int        `json:"failures"` // views and leaderboards whose last run failed
		Drifting int        `json:"drifting"` // those in whose last run batch and speed differed
	} `json:"batch"`
	Serving *ServingStep `json:"serving"` // nil: the client may not see figures of every view at once
}

// ServingStep is what is answered.
type ServingStep struct {
	QueriesPerSecond float64  `json:"queries_per_s"`
	P99Millis        *float64 `json:"p99_ms"`  // of the last minute; nil: nothing was asked
	Streams          int      `json:"streams"` // live streams that are open
}
