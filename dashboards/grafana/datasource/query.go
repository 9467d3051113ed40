package datasource

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/dashboards/grafana/datasource/frames"
	"github.com/millrace/millrace/dashboards/grafana/datasource/macro"
	"github.com/millrace/millrace/serving/client"
)

// The modes of a query.
const (
	modeView        = "view"
	modeSQL         = "sql"
	modeLeaderboard = "leaderboard"
	modeOperations  = "operations"
)

// The formats of a query.
const (
	formatTimeSeries  = "time_series"
	formatTable       = "table"
	formatLogs        = "logs"
	formatAnnotations = "annotations"
)

// stepNone asks a view for one bucket over the whole range.
const stepNone = "none"

// Query is the model of a query, as the editor writes it.
type Query struct {
	Mode   string `json:"mode"`
	Format string `json:"format,omitempty"`
	Live   bool   `json:"live,omitempty"`

	View     string   `json:"view,omitempty"`
	Measures []string `json:"measures,omitempty"` // none: all
	By       []string `json:"by,omitzero"`        // nil: all group columns; empty: none
	Where    string   `json:"where,omitempty"`
	Order    string   `json:"order,omitempty"`
	Limit    int64    `json:"limit,omitempty"`
	Step     string   `json:"step,omitempty"` // "": from the panel's interval

	Board  string `json:"board,omitempty"`
	Window string `json:"window,omitempty"`
	N      int    `json:"n,omitempty"`

	SQL string `json:"sql,omitempty"`

	Table string `json:"table,omitempty"` // of operations

	scope macro.Scope
}

// parseQuery reads a query and completes its defaults.
func parseQuery(sent backend.DataQuery) (*Query, error) {
	q := &Query{}
	if err := json.Unmarshal(sent.JSON, q); err != nil {
		return nil, &refusal{Detail: fmt.Sprintf("the query cannot be read: %v", err), Hint: "open the panel's editor and save the query again"}
	}
	q.scope = macro.Scope{From: sent.TimeRange.From, To: sent.TimeRange.To, Interval: cmp.Or(sent.Interval, defaultInterval)}
	if q.Mode == "" && q.SQL != "" {
		q.Mode = modeSQL // as annotations and variables of older dashboards have it
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	if q.Table == "" {
		q.Table = tablePulse
	}
	if q.Format == "" {
		q.Format = formatTable
		if q.Mode == modeView || q.Mode == modeSQL {
			q.Format = formatTimeSeries
		}
	}
	return q, nil
}

// defaultInterval stands where Grafana sends none.
const defaultInterval = time.Minute

// Check refuses a query that no server could answer.
func (q *Query) Check() error {
	switch {
	case !slices.Contains([]string{modeView, modeSQL, modeLeaderboard, modeOperations}, q.Mode):
		return &refusal{Detail: fmt.Sprintf("%q is not a mode of a query", q.Mode), Hint: "choose view, sql, leaderboard or operations"}
	case !slices.Contains([]string{"", formatTimeSeries, formatTable, formatLogs, formatAnnotations}, q.Format):
		return &refusal{Detail: fmt.Sprintf("%q is not a format of a query", q.Format), Hint: "choose time_series, table, logs or annotations"}
	case q.Mode == modeView && q.View == "":
		return &refusal{Detail: "the query names no view", Hint: "choose one in the panel's editor"}
	case q.Mode == modeLeaderboard && q.Board == "":
		return &refusal{Detail: "the query names no leaderboard", Hint: "choose one in the panel's editor"}
	case q.Mode == modeOperations && !slices.Contains(tableNames, q.Table) && q.Table != "":
		return &refusal{Detail: fmt.Sprintf("%q is not a table of operations", q.Table), Hint: "choose " + strings.Join(tableNames, ", ")}
	case q.Live && q.Mode == modeSQL:
		return &refusal{Detail: "SQL cannot be followed live", Hint: "switch live off and let the dashboard refresh, or make a view of it"}
	case q.Live && q.Mode == modeOperations && !slices.Contains(liveTables, q.Table) && q.Table != "":
		return &refusal{Detail: fmt.Sprintf("the table %s cannot be followed live", q.Table), Hint: "switch live off and let the dashboard refresh"}
	}
	return nil
}

// frame asks the server and makes the frame of its answer.
func (d *Datasource) frame(ctx context.Context, q *Query) (*data.Frame, error) {
	switch q.Mode {
	case modeView:
		return d.viewFrame(ctx, q)
	case modeSQL:
		return d.sqlFrame(ctx, q)
	case modeLeaderboard:
		return d.boardFrame(ctx, q)
	}
	return d.operationsFrame(ctx, q)
}

// sqlFrame runs SQL.
func (d *Datasource) sqlFrame(ctx context.Context, q *Query) (*data.Frame, error) {
	expanded, err := expand(q)
	if err != nil {
		return nil, err
	}
	a, err := d.server.Query(ctx, expanded.Text, client.SQLOptions{})
	if err != nil {
		return nil, asTyped(err, expanded, 0)
	}
	f, err := shape(a, q.Format, false)
	if err != nil {
		return nil, err
	}
	if err := d.describe(ctx, f, a.Sources); err != nil {
		return nil, err
	}
	f.Meta.ExecutedQueryString = expanded.Text
	return f, nil
}

// expand checks SQL and replaces its macros.
func expand(q *Query) (*macro.Expanded, error) {
	if err := macro.ReadOnly(q.SQL); err != nil {
		return nil, err
	}
	return macro.Expand(q.SQL, q.scope)
}

// asTyped moves the place of an error from the expanded text, which the server was sent
// behind a prefix of some length, to what was typed.
func asTyped(err error, expanded *macro.Expanded, prefix int) error {
	var e *client.Error
	if !errors.As(err, &e) || e.Offset < prefix {
		return err
	}
	moved := *e
	moved.Line, moved.Column = expanded.Origin(e.Offset - prefix)
	return &moved
}

// shape makes a frame in a format. whole is an answer of one bucket, without time.
func shape(a *client.Answer, format string, whole bool) (*data.Frame, error) {
	switch format {
	case formatTable:
		return frames.Table(a)
	case formatLogs:
		return frames.Logs(a)
	case formatAnnotations:
		return frames.Annotations(a)
	}
	if whole {
		return frames.Numbers(a)
	}
	return frames.TimeSeries(a)
}
