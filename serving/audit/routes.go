package audit

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
)

const (
	// defaultEntries is how many entries an answer has by default.
	defaultEntries = 100
	// maxEntries bounds an answer: they are in memory at once.
	maxEntries = 1000
)

// Routes returns the route of the log.
func (l *Log) Routes() route.Table {
	return route.Table{{
		Method: http.MethodGet, Path: "/v1/audit", Right: access.Manage, Handler: http.HandlerFunc(l.serve),
		Doc: route.Doc{
			ID: "listAudit", Tag: "access", Summary: "The newest entries of the audit log",
			About: "NDJSON, newest first. An administrative act has two entries: `begun` before it, and its outcome after it.",
			Params: []route.Param{
				{Name: "limit", In: "query", Type: "integer", About: fmt.Sprintf("most entries, 1 to %d; default %d", maxEntries, defaultEntries), Example: "20"},
				{Name: "since", In: "query", Type: "string", About: "RFC 3339, or a span before now such as `24h`: only entries from then on", Example: "24h"},
			},
			Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/x-ndjson"}, Value: Entry{}, About: "one entry a line"}},
			Errors:  []int{http.StatusBadRequest},
		},
	}}
}

func (l *Log) serve(w http.ResponseWriter, r *http.Request) {
	limit, since, err := l.parameters(r)
	if err != nil {
		problem.Write(w, err)
		return
	}
	var body []byte
	if err := l.List(limit, since, func(line []byte) bool { body = append(body, line...); return true }); err != nil {
		l.o.Logger.Error("answer request", "path", r.URL.Path, "error", err)
		problem.Write(w, problem.New(http.StatusInternalServerError, "internal", "the audit log cannot be read", "see the log of the server"))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	_, _ = w.Write(body) // the client has gone if this fails
}

func (l *Log) parameters(r *http.Request) (limit int, since time.Time, err error) {
	limit = defaultEntries
	values := r.URL.Query()
	if s := values.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > maxEntries {
			return 0, since, problem.New(http.StatusBadRequest, "bad-parameter", fmt.Sprintf("limit: %q is not a whole number from 1 to %d", s, maxEntries), "")
		}
	}
	if s := values.Get("since"); s != "" {
		if since, err = time.Parse(time.RFC3339, s); err != nil {
			span, serr := time.ParseDuration(s)
			if serr != nil || span < 0 {
				return 0, since, problem.New(http.StatusBadRequest, "bad-parameter",
					fmt.Sprintf("since: %q is neither RFC 3339 nor a span such as 24h", s), "")
			}
			since = l.o.Now().Add(-span)
		}
	}
	return limit, since, nil
}
