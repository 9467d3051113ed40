package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Report is a report and its newest run.
type Report struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created"`
	SQL      string     `json:"sql"`
	Whole    bool       `json:"whole"` // nothing is hidden in SQL
	Schedule string     `json:"schedule"`
	TimeZone string     `json:"time_zone"`
	Format   string     `json:"format"`
	Chart    string     `json:"chart"`
	Deliver  []string   `json:"deliver"` // of webhooks the host only
	Missed   string     `json:"missed"`
	Title    string     `json:"title"`
	Next     *time.Time `json:"next"`
	Last     *ReportRun `json:"last"` // nil: it has not run
}

// ReportRun is one run of a report.
type ReportRun struct {
	ID          string           `json:"id"`
	Tick        time.Time        `json:"tick"`
	ByHand      bool             `json:"by_hand"`
	State       string           `json:"state"` // running, waiting, delivered, failed or missed
	Started     *time.Time       `json:"started"`
	Finished    *time.Time       `json:"finished"`
	Attempts    int              `json:"attempts"`
	NextAttempt *time.Time       `json:"next_attempt"`
	Error       string           `json:"error"`
	Document    string           `json:"document"` // name of its file; empty: there is none
	Rows        int64            `json:"rows"`
	Bytes       int64            `json:"bytes"`
	Deliveries  []ReportDelivery `json:"deliveries"`
	MissedTicks int              `json:"missed_ticks"`
}

// ReportDelivery is the way of a document to one recipient.
type ReportDelivery struct {
	To          string     `json:"to"`
	State       string     `json:"state"`
	Attempts    int        `json:"attempts"`
	NextAttempt *time.Time `json:"next_attempt"`
	Error       string     `json:"error"`
}

// Reports lists the reports.
func (c *Client) Reports(ctx context.Context) ([]Report, error) {
	var r struct {
		Reports []Report `json:"reports"`
	}
	err := c.object(ctx, reading("/v1/reports", nil), &r)
	return r.Reports, err
}

// ReportRuns lists the runs of a report, the newest first; limit 0 is the server's default.
func (c *Client) ReportRuns(ctx context.Context, report string, limit int) ([]ReportRun, error) {
	q := url.Values{}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	r, err := look[struct {
		Runs []ReportRun `json:"runs"`
	}](ctx, c, q, "/v1/reports/", report, "/runs")
	if err != nil {
		return nil, err
	}
	return r.Runs, nil
}

// RunReport runs a report now and returns its run when the first attempt of each delivery
// has ended.
func (c *Client) RunReport(ctx context.Context, report string) (*ReportRun, error) {
	return ask[ReportRun](ctx, c, call{method: http.MethodPost}, "/v1/reports/", report, "/run")
}

// ReportDocument returns the document of a run. The caller closes it.
func (c *Client) ReportDocument(ctx context.Context, report, run string) (*Result, error) {
	path, err := place("/v1/reports/", report, "/runs/", run, "/document")
	if err != nil {
		return nil, err
	}
	return c.result(ctx, reading(path, nil))
}
