package httpapi

import (
	"net/http"

	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/serving/merge"
)

// Column is one column of an answer.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type" jsonschema:"in ClickHouse's terms"`
}

// ViewAnswer is the JSON of an answer from a view, which package format writes.
type ViewAnswer struct {
	Meta       []Column         `json:"meta"`
	Data       []map[string]any `json:"data" jsonschema:"one object a row; NaN and infinities are null"`
	Rows       int64            `json:"rows"`
	Provenance merge.Provenance `json:"provenance"`
}

var (
	waitParam = route.Param{Name: "wait", In: "query", Type: "string", Example: "5s",
		About: "a duration up to `1m`: wait until everything acknowledged before the request is in the answer"}
	formatParam = route.Param{Name: "format", In: "query", Type: "string", Example: "json",
		About: "`json` (default), `ndjson`, `csv` or `arrow`; or by `Accept`"}
	viewParam = route.Param{Name: "view", In: "path", Type: "string", Required: true, About: "name of the view", Example: "page_hits"}
)

// rows are the replies of an answer of rows.
func rows(value any) []route.Reply {
	replies := []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: value, About: "the rows; other formats carry the provenance in the header `Millrace-Provenance`"}}
	for _, t := range format.ContentTypes() {
		if t != "application/json" {
			replies[0].Types = append(replies[0].Types, t)
		}
	}
	return replies
}

var viewDoc = route.Doc{
	ID: "queryView", Tag: "views", Summary: "Query a view, batch merged with speed",
	About: "The answer is exactly the view over the events at or before the positions in its provenance.",
	Params: []route.Param{
		viewParam,
		{Name: "from", In: "query", Type: "string", Example: "-1h", About: "RFC 3339, a date, seconds since 1970, `now`, or a span such as `-1h`, `-7d`; widened to whole panes. Default: all time"},
		{Name: "to", In: "query", Type: "string", Example: "now", About: "likewise; exclusive"},
		{Name: "by", In: "query", Type: "string", About: "group columns to keep, by comma; the others are merged away. `window_start` keeps the view's own windows. Default: all group columns"},
		{Name: "step", In: "query", Type: "string", Example: "1h", About: "`5m`, `1h`, `1d`, `1w`, `1mo`, `1q`, `1y`: a leading column `time` with one row per bucket. Without it the whole range is one bucket"},
		{Name: "where", In: "query", Type: "string", About: "a condition over the group columns, in SQL"},
		{Name: "order", In: "query", Type: "string", About: "columns by comma, `-` before one for descending"},
		{Name: "limit", In: "query", Type: "integer", Example: "10", About: "most rows, 1 or more"},
		waitParam, formatParam,
	},
	Replies: rows(ViewAnswer{}),
	Errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable, http.StatusGatewayTimeout},
}

var batchDoc = route.Doc{
	ID: "runBatch", Tag: "views", Summary: "Run the view's batch job now",
	About: "Answers when the new generation is published.",
	Params: []route.Param{
		viewParam,
		{Name: "rebuild", In: "query", Type: "boolean", Example: "false", About: "`true` recomputes everything from the beginning of the lake"},
	},
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: BatchResult{}, About: "what is published"}},
	Errors:  []int{http.StatusNotFound, http.StatusServiceUnavailable},
}

// statusDoc takes the type of the status from the operator that makes it.
func statusDoc(o Operator) route.Doc {
	return route.Doc{
		ID: "getStatus", Tag: "state", Summary: "State of every layer",
		About:   "Streams and views that the token may not look at are left out.",
		Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: o.StatusType(), About: "the state"}},
	}
}

var metricsDoc = route.Doc{
	ID: "getMetrics", Tag: "state", Summary: "Prometheus metrics",
	About:   "They speak of every stream and view: a token for some of them does not do.",
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"text/plain"}, About: "Prometheus' text format"}},
}

var healthDoc = route.Doc{
	ID: "getHealth", Tag: "state", Summary: "Whether the process lives",
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"text/plain"}, About: "it does"}},
}

var readyDoc = route.Doc{
	ID: "getReadiness", Tag: "state", Summary: "Whether every part answers",
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"text/plain"}, About: "each does"}},
	Errors:  []int{http.StatusServiceUnavailable},
}
