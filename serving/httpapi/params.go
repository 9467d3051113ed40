package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/merge"
)

// MaxWait bounds ?wait=.
const MaxWait = time.Minute

// parameters are the query parameters of GET /v1/views/{view}.
var parameters = map[string]bool{
	"from": true, "to": true, "by": true, "where": true, "order": true, "limit": true, "step": true, "wait": true, "format": true,
}

func bad(name, format string, args ...any) error {
	return problem.New(http.StatusBadRequest, "bad-parameter", name+": "+fmt.Sprintf(format, args...), "")
}

// parseQuery reads the parameters of a query on a view.
func parseQuery(v *catalog.View, values url.Values, now time.Time) (merge.Query, error) {
	q := merge.Query{View: v, From: merge.MinTime, To: merge.MaxTime}
	for name := range values {
		if !parameters[name] {
			return q, bad(name, "unknown parameter; there are from, to, by, where, order, limit, step, wait, format")
		}
	}
	var err error
	if s := values.Get("from"); s != "" {
		if q.From, err = parseTime("from", s, now); err != nil {
			return q, err
		}
	}
	if s := values.Get("to"); s != "" {
		if q.To, err = parseTime("to", s, now); err != nil {
			return q, err
		}
	}
	if q.From > q.To {
		return q, bad("from", "%s is after to", values.Get("from"))
	}
	if values.Has("by") {
		q.By = []string{}
		for name := range strings.SplitSeq(values.Get("by"), ",") {
			if name = strings.TrimSpace(name); name != "" {
				q.By = append(q.By, name)
			}
		}
	}
	if s := values.Get("where"); s != "" {
		if q.Where, err = parseWhere(v.Plan, s); err != nil {
			return q, err
		}
	}
	if s := values.Get("order"); s != "" {
		for name := range strings.SplitSeq(s, ",") {
			name, desc := strings.CutPrefix(strings.TrimSpace(name), "-")
			q.Order = append(q.Order, merge.Order{Column: name, Desc: desc})
		}
	}
	if s := values.Get("limit"); s != "" {
		if q.Limit, err = strconv.ParseInt(s, 10, 64); err != nil || q.Limit < 1 {
			return q, bad("limit", "%q is not a whole number of 1 or more", s)
		}
	}
	if s := values.Get("step"); s != "" {
		if q.Step, err = parseStep(s, v.Plan.Pane); err != nil {
			return q, err
		}
		q.Bucketing = merge.ByStep
	}
	q.Wait, err = parseWait(values.Get("wait"))
	return q, err
}

// parseTime reads RFC 3339, a date, seconds since 1970, "now" or a span before or after
// now such as -1h or -7d. It returns seconds since 1970, rounded away from the range.
func parseTime(name, s string, now time.Time) (int64, error) {
	if s == "now" {
		return now.Unix(), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		if name == "to" && t.Nanosecond() > 0 {
			t = t.Add(time.Second)
		}
		return t.Unix(), nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.Unix(), nil
	}
	if s[0] == '-' || s[0] == '+' {
		if d, err := plan.ParseDuration(s[1:]); err == nil {
			if s[0] == '-' {
				d = -d
			}
			return now.Add(d).Unix(), nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	return 0, bad(name, "%q is not a time; use RFC 3339 (2026-01-31T12:00:00Z), a date, or a span such as -1h or -7d", s)
}

// parseWhere reads a condition over the view's group columns.
func parseWhere(v *plan.View, s string) (plan.Expr, error) {
	tree, err := sql.ParseExpr(s)
	if err != nil {
		return nil, err
	}
	schema, err := merge.KeySchema(v)
	if err != nil {
		return nil, fmt.Errorf("schema of the keys of %s: %w", v.Name, err)
	}
	e, err := plan.BindExpr(tree, schema)
	if err != nil {
		return nil, err
	}
	if e.Type().Kind != event.Bool {
		return nil, &sql.Error{Pos: tree.Position(), Msg: "where is a " + e.Type().String() + ", not a condition", Hint: "compare it with something"}
	}
	return e, nil
}

// units of ?step=, longest suffix first.
var units = []struct {
	suffix  string
	unit    plan.Unit
	seconds int64 // 0: of the calendar
}{
	{"mo", plan.Month, 0}, {"s", plan.Second, 1}, {"m", plan.Minute, 60}, {"h", plan.Hour, 3600},
	{"d", plan.Day, 86400}, {"w", plan.Week, 7 * 86400}, {"q", plan.Quarter, 0}, {"y", plan.Year, 0},
}

// parseStep reads a step such as 5m, 1h, 1d, 1w, 1mo, 1q or 1y; it must be made of whole
// panes of the view.
func parseStep(s string, pane int64) (plan.Window, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || n < 1 {
			break
		}
		if u.seconds > 0 && (n*u.seconds)%pane != 0 {
			return plan.Window{}, bad("step", "%s is not a multiple of the view's panes of %s", s, time.Duration(pane)*time.Second)
		}
		return plan.Window{N: n, Unit: u.unit}, nil
	}
	return plan.Window{}, bad("step", "%q is not a step such as 5m, 1h, 1d, 1w, 1mo, 1q or 1y", s)
}

func parseWait(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > MaxWait {
		return 0, bad("wait", "%q is not a duration from 0s to %s", s, MaxWait)
	}
	return d, nil
}
