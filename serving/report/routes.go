package report

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/audit"
	"github.com/millrace/millrace/serving/report/ledger"
)

const (
	defaultListed = 20
	maxListed     = 1000
	// runTimeout bounds how long POST …/run waits for the first attempts to end; the run goes on.
	runTimeout = 5 * time.Minute
)

var (
	reportParam = route.Param{Name: "report", In: "path", Type: "string", Required: true, About: "name of the report", Example: "daily"}
	runParam    = route.Param{Name: "run", In: "path", Type: "string", Required: true, About: "id of the run", Example: "20260131T080000Z"}
)

// server answers the routes.
type server struct {
	*Scheduler
	audit audit.Recorder
}

// Routes returns the routes of reports.
func (s *Scheduler) Routes(log audit.Recorder) route.Table {
	v := &server{s, log}
	return slices.Concat(route.Table{
		{Method: http.MethodGet, Path: "/v1/reports", Right: access.Watch, Handler: v.handler(v.serveList), Doc: route.Doc{
			ID: "listReports", Tag: "reports", Summary: "The reports, each with its newest run",
			Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: ListAnswer{}, About: "in order of name"}},
		}},
		{Method: http.MethodGet, Path: "/v1/reports/{report}/runs", Right: access.Watch, Handler: v.handler(v.serveRuns), Doc: route.Doc{
			ID: "listReportRuns", Tag: "reports", Summary: "The runs of a report, the newest first",
			Params: []route.Param{reportParam, {Name: "limit", In: "query", Type: "integer", Example: "5",
				About: fmt.Sprintf("most runs, 1 to %d; default %d", maxListed, defaultListed)}},
			Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: RunsAnswer{}, About: "the runs"}},
			Errors:  []int{http.StatusBadRequest, http.StatusNotFound},
		}},
		{Method: http.MethodPost, Path: "/v1/reports/{report}/run", Right: access.Manage, Handler: v.handler(v.serveRun), Doc: route.Doc{
			ID: "runReport", Tag: "reports", Summary: "Run a report now",
			About:   "It runs beside its schedule and is delivered as ever. Answers when the first attempt of each delivery has ended, or after five minutes; further attempts follow.",
			Params:  []route.Param{reportParam},
			Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: RunAnswer{}, About: "the run so far"}},
			Errors:  []int{http.StatusNotFound, http.StatusServiceUnavailable},
		}},
		{Method: http.MethodGet, Path: "/v1/reports/{report}/runs/{run}/document", Right: access.Watch, Handler: v.handler(v.serveDocument), Doc: route.Doc{
			ID: "getReportDocument", Tag: "reports", Summary: "The document of a run",
			About:   "In the format of the report, as a file to keep.",
			Params:  []route.Param{reportParam, runParam},
			Replies: []route.Reply{{Status: http.StatusOK, Types: contentTypes(), About: "the document"}},
			Errors:  []int{http.StatusNotFound},
		}},
	}, v.unsubscribeRoutes())
}

func contentTypes() []string {
	types := make([]string, len(formats))
	for i, f := range formats {
		types[i] = f.contentType
	}
	return types
}

func (v *server) handler(serve func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		if errors.Is(err, ErrUnknown) {
			err = problem.New(http.StatusNotFound, "unknown-report", fmt.Sprintf("there is no report %q", r.PathValue("report")), "GET /v1/reports lists those that there are")
		}
		route.Fail(v.o.Log, w, r, err)
	})
}

func (v *server) serveList(w http.ResponseWriter, r *http.Request) error {
	list, err := v.list(r.Context())
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, ListAnswer{list})
}

func (v *server) serveRuns(w http.ResponseWriter, r *http.Request) error {
	limit := defaultListed
	if s := r.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxListed {
			return problem.New(http.StatusBadRequest, "bad-parameter", fmt.Sprintf("limit: %q is not a whole number from 1 to %d", s, maxListed), "")
		}
		limit = n
	}
	d, err := v.find(r.Context(), r.PathValue("report"))
	if err != nil {
		return err
	}
	records, err := v.o.Ledger.Runs(r.Context(), d.ID)
	if err != nil {
		return err
	}
	answer := RunsAnswer{Runs: []RunAnswer{}}
	for _, record := range records[:min(limit, len(records))] {
		answer.Runs = append(answer.Runs, answerOf(record.Run))
	}
	return route.WriteJSON(w, http.StatusOK, answer)
}

func (v *server) serveRun(w http.ResponseWriter, r *http.Request) error {
	d, err := v.find(r.Context(), r.PathValue("report"))
	if err != nil {
		return err
	}
	var run ledger.Run
	err = audit.Act(r.Context(), v.audit, "report.run", d.Name, func(ctx context.Context) (int64, error) {
		ctx, cancel := context.WithTimeout(ctx, runTimeout)
		defer cancel()
		run, err = v.RunNow(ctx, d)
		return run.Rows, err
	})
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, answerOf(run))
}

func (v *server) serveDocument(w http.ResponseWriter, r *http.Request) error {
	d, err := v.find(r.Context(), r.PathValue("report"))
	if err != nil {
		return err
	}
	record, found, err := v.o.Ledger.Run(r.Context(), d.ID, r.PathValue("run"))
	switch {
	case err != nil:
		return err
	case !found:
		return problem.New(http.StatusNotFound, "unknown-run", fmt.Sprintf("report %s has no run %q", d.Name, r.PathValue("run")), "GET /v1/reports/"+d.Name+"/runs lists those that are kept")
	case record.Document == nil:
		return problem.New(http.StatusNotFound, "no-document", fmt.Sprintf("run %s is %s and has no document", record.ID, record.State), "")
	}
	content, found, err := v.o.Ledger.Content(r.Context(), *record.Document)
	if err != nil {
		return err
	}
	if !found {
		return problem.New(http.StatusNotFound, "no-document", fmt.Sprintf("the document of run %s is kept no more", record.ID), "")
	}
	h := w.Header()
	h.Set("Content-Type", record.Document.ContentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": record.Document.Name}))
	h.Set("X-Content-Type-Options", "nosniff")
	// A document is data: opened in a browser it runs nothing and asks nobody.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox")
	_, _ = w.Write(content) // the client has gone if this fails
	return nil
}
