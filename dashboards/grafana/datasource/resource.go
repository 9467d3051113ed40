package datasource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"

	"github.com/millrace/millrace/dashboards/grafana/datasource/macro"
	"github.com/millrace/millrace/serving/client"
)

const (
	// maxCheckBytes bounds a text that is to be checked.
	maxCheckBytes = 1 << 20
	// checkTimeout bounds a check, which an editor asks for while somebody types.
	checkTimeout = 5 * time.Second
	// maxValues is how many values of a column an editor or a variable is offered.
	maxValues = 1000
)

// CallResource implements backend.CallResourceHandler.
func (d *Datasource) CallResource(ctx context.Context, request *backend.CallResourceRequest, sender backend.CallResourceResponseSender) error {
	return d.resources.CallResource(ctx, request, sender)
}

// routes are the resources that the editors ask for.
func (d *Datasource) routes() backend.CallResourceHandler {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /streams":      func(r *http.Request) (any, error) { return d.server.Streams(r.Context()) },
		"GET /views":        func(r *http.Request) (any, error) { return d.server.Views(r.Context()) },
		"GET /leaderboards": func(r *http.Request) (any, error) { return d.server.Boards(r.Context()) },
		"GET /columns":      d.columns,
		"GET /values":       d.values,
		"GET /macros":       func(*http.Request) (any, error) { return macro.List, nil },
		"GET /functions":    d.functions,
		"POST /check-sql":   d.checkSQL,
		"POST /check-where": d.checkWhere,
	} {
		mux.HandleFunc(pattern, d.resource(answer))
	}
	return httpadapter.New(mux)
}

// resource writes what a function answers.
func (d *Datasource) resource(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, body := http.StatusOK, any(nil)
		err := d.unusable
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), d.timeout)
			defer cancel()
			body, err = answer(r.WithContext(ctx))
		}
		if err != nil {
			f := explain(err)
			status, body = f.Status, f
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // Grafana has gone if this fails
	}
}

// column is a column of a table, as editors complete it.
type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Role string `json:"role"`
}

// columns lists those of a view, a leaderboard or a stream.
func (d *Datasource) columns(r *http.Request) (any, error) {
	table, ctx := r.URL.Query().Get("table"), r.Context()
	list := []column{}
	views, err := d.views.get(ctx)
	if err != nil {
		return nil, err
	}
	if view, ok := views[table]; ok {
		for _, c := range view.Columns {
			list = append(list, column{c.Name, c.Type, c.Role})
		}
		return list, nil
	}
	streams, err := d.server.Streams(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range streams {
		if s.Name != table {
			continue
		}
		for _, c := range s.Columns {
			role := "column"
			if c.Name == s.EventTime {
				role = "time"
			}
			list = append(list, column{c.Name, c.Type, role})
		}
		return list, nil
	}
	boards, err := d.boards.get(ctx)
	if err != nil {
		return nil, err
	}
	if b, ok := boards[table]; ok {
		return append(list, column{b.Member, b.MemberType, "group"}, column{b.Score, "", "measure"}), nil
	}
	return nil, &client.Error{
		Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no view, stream or leaderboard %q that the data source's token may look at", table),
		Hint: "choose another, or give the token more objects", Offset: -1,
	}
}

// values lists values of a group column of a view.
func (d *Datasource) values(r *http.Request) (any, error) {
	q := r.URL.Query()
	limit := maxValues
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		limit = min(n, maxValues)
	}
	values, _, err := d.server.Values(r.Context(), q.Get("view"), client.ValuesQuery{Column: q.Get("column"), Prefix: q.Get("prefix"), Limit: limit})
	return values, err
}

// functions lists those that SQL may call.
func (d *Datasource) functions(r *http.Request) (any, error) {
	a, err := d.server.Query(r.Context(), "SELECT name FROM system.functions ORDER BY name", client.SQLOptions{})
	if err != nil {
		return nil, err
	}
	names := make([]any, len(a.Rows))
	for i, row := range a.Rows {
		names[i] = row[0]
	}
	return names, nil
}

// checked is what check-sql answers.
type checked struct {
	OK     bool   `json:"ok"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// checkSQL says whether a text is one that the server would run, with the place of what it
// would refuse.
func (d *Datasource) checkSQL(r *http.Request) (any, error) {
	var sent struct {
		SQL        string `json:"sql"`
		From       int64  `json:"from"` // milliseconds; 0: an hour ago
		To         int64  `json:"to"`   // 0: now
		IntervalMs int64  `json:"intervalMs"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxCheckBytes)).Decode(&sent); err != nil {
		return nil, &refusal{Detail: fmt.Sprintf("the body is not JSON with a member sql: %v", err)}
	}
	scope := macro.Scope{From: time.UnixMilli(sent.From), To: time.UnixMilli(sent.To), Interval: time.Duration(sent.IntervalMs) * time.Millisecond}
	if sent.To == 0 {
		scope.To = time.Now()
	}
	if sent.From == 0 {
		scope.From = scope.To.Add(-time.Hour)
	}
	if scope.Interval <= 0 {
		scope.Interval = defaultInterval
	}
	return verdict(d.check(r.Context(), &Query{SQL: sent.SQL, scope: scope}))
}

// verdict makes an answer of what a check found.
func verdict(err error) (any, error) {
	if err == nil {
		return checked{OK: true}, nil
	}
	f := explain(err)
	if f.own || f.Status >= http.StatusInternalServerError || f.Status == http.StatusUnauthorized || f.Status == http.StatusTooManyRequests {
		return nil, err // nothing was said about the text
	}
	return checked{Line: f.Line, Column: f.Column, Detail: f.Detail, Hint: f.Hint}, nil
}

// checkWhere says whether a condition is one that a view takes. The view is asked for a
// second that has not come yet: the condition is read, and nothing else.
func (d *Datasource) checkWhere(r *http.Request) (any, error) {
	var sent struct {
		View  string `json:"view"`
		Where string `json:"where"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxCheckBytes)).Decode(&sent); err != nil || sent.View == "" {
		return nil, &refusal{Detail: "the body is not JSON with members view and where"}
	}
	_, err := d.server.View(r.Context(), sent.View, client.ViewQuery{From: "+1000d", To: "+1001d", By: []string{}, Where: sent.Where, Limit: 1})
	return verdict(err)
}

// The text is checked as a subquery without rows. The line break ends a comment at its end.
const (
	checkPrefix = "SELECT * FROM ("
	checkSuffix = "\n) LIMIT 0"
)

func (d *Datasource) check(ctx context.Context, q *Query) error {
	expanded, err := expand(q)
	if err != nil || !macro.Selects(q.SQL) {
		return err // SHOW and its kin have nothing that could be wrong but their one name
	}
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err = d.server.Query(bounded, checkPrefix+macro.WithoutEnd(expanded.Text)+checkSuffix, client.SQLOptions{})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil // it runs, and that was the question
	}
	return asTyped(err, expanded, len(checkPrefix))
}
