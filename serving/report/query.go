package report

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/client"
	"github.com/millrace/millrace/serving/query"
	"github.com/millrace/millrace/serving/report/ledger"
)

// Querier runs the queries of reports.
type Querier interface {
	// Query runs one SELECT; format is ClickHouse's name.
	Query(ctx context.Context, text, format string, settings map[string]string) (*Answer, error)
}

// queryWait is how long a query waits until it holds every event that was acknowledged
// before it: a document is read long after, so that a moment more is better than a gap. One
// that waited in vain says that it is incomplete.
const queryWait = 30 * time.Second

// Answer is what a query gives. Its reader closes Body.
type Answer struct {
	Body        io.ReadCloser
	Rows        func() int64 // once Body was read to its end
	Generations []ledger.Generation
}

// principal is who a report reads as: it may read everything and change nothing. Only who may
// manage the server creates reports, and such a caller may read everything too.
var principal = access.Principal{ID: "report", Name: "report", Role: access.SQL}

// Here runs queries in this process.
type Here struct {
	Executor interface {
		Stream(ctx context.Context, r query.Request) (*query.Response, error)
	}
}

// Query implements Querier.
func (h Here) Query(ctx context.Context, text, format string, settings map[string]string) (*Answer, error) {
	r, err := h.Executor.Stream(access.With(ctx, principal), query.Request{Text: text, Format: format, Wait: queryWait, Settings: settings})
	if err != nil {
		return nil, err
	}
	a := &Answer{Body: r.Body, Rows: r.Rows}
	for _, s := range r.Sources {
		g := ledger.Generation{Name: s.Name, Complete: true}
		if p := s.Provenance; p != nil {
			g.Generation, g.CutTime, g.Complete, g.LagMillis = p.Generation, p.CutTime, p.Complete, p.LagMillis
			if p.Cut != nil {
				cut := int64(*p.Cut)
				g.Cut = &cut
			}
		}
		a.Generations = append(a.Generations, g)
	}
	return a, nil
}

// There runs queries on a server.
type There struct{ Client *client.Client }

// Query implements Querier.
func (t There) Query(ctx context.Context, text, format string, settings map[string]string) (*Answer, error) {
	r, err := t.Client.SQL(ctx, text, client.SQLOptions{Format: format, Wait: queryWait, Settings: settings})
	if err != nil {
		return nil, err
	}
	a := &Answer{Body: r.Body, Rows: r.Rows}
	for _, s := range r.Sources {
		g := ledger.Generation{Name: s.View + s.Stream, Generation: s.Generation, Cut: s.Cut, CutTime: s.CutTime, Complete: s.Complete || s.Stream != "", LagMillis: s.LagMillis}
		a.Generations = append(a.Generations, g)
	}
	return a, nil
}

// passing reports whether a query that failed may succeed later, and after how long.
func passing(err error) (after time.Duration, ok bool) {
	var p *problem.Problem
	var remote *client.Error
	var refused *sql.Error
	status := 0
	switch {
	case errors.As(err, &refused):
		return 0, false
	case errors.As(err, &p):
		status, after = p.Status, p.RetryAfter
	case errors.As(err, &remote):
		status, after = remote.Status, remote.RetryAfter
	}
	switch status {
	case 0, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return after, true
	}
	return 0, false
}
