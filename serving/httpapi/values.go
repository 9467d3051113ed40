package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/serving/merge"
)

const (
	defaultValues = 1000   // of GET …/values
	maxValues     = 10_000 // more than a list to choose from has
)

// ValueList is the answer of GET /v1/views/{view}/values.
type ValueList struct {
	Values []string `json:"values" jsonschema:"as text, in the column's order; null is left out"`
	More   bool     `json:"more,omitempty" jsonschema:"there are more than limit"`
}

var valuesDoc = route.Doc{
	ID: "listValues", Tag: "views", Summary: "The distinct values of a group column",
	Params: []route.Param{
		viewParam,
		{Name: "column", In: "query", Type: "string", Required: true, About: "a column of GROUP BY", Example: "page"},
		{Name: "prefix", In: "query", Type: "string", About: "only values that begin so"},
		{Name: "limit", In: "query", Type: "integer", About: fmt.Sprintf("most values, 1 to %d. Default: %d", maxValues, defaultValues), Example: "100"},
	},
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: ValueList{}, About: "the values"}},
	Errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable, http.StatusGatewayTimeout},
}

func (s *server) values(w http.ResponseWriter, r *http.Request) error {
	v, err := s.findView(r)
	if err != nil {
		return err
	}
	params := r.URL.Query()
	for name := range params {
		if !slices.Contains([]string{"column", "prefix", "limit"}, name) {
			return bad(name, "unknown parameter; there are column, prefix, limit")
		}
	}
	limit, err := whole(params, "limit", defaultValues, 1, maxValues)
	if err != nil {
		return err
	}
	column, prefix := params.Get("column"), params.Get("prefix")
	q, err := valuesQuery(v, column, prefix)
	if err != nil {
		return err
	}
	limits := s.Limits.For(access.From(r.Context()))
	q.MaxRows = limits.Rows
	result, err := withinTime(r.Context(), limits, "ask for a view of fewer groups", func(ctx context.Context) (*merge.Result, error) { return s.Merger.Run(ctx, q) })
	if err != nil {
		return err
	}
	out := ValueList{Values: []string{}}
	values := &result.Batch.Columns[result.Batch.Schema.Index(column)]
	for row := range result.Batch.Rows {
		if values.Null(row) {
			continue
		}
		text := strings.ToValidUTF8(string(format.AppendText(nil, values, row)), "\uFFFD")
		if !strings.HasPrefix(text, prefix) {
			continue // the query has seen to it for texts only
		}
		if len(out.Values) == limit {
			out.More = true
			break
		}
		out.Values = append(out.Values, text)
	}
	return route.WriteJSON(w, http.StatusOK, out)
}

// valuesQuery asks for the groups of one column. Where that is a text, the prefix is a
// condition, so that what does not fit is never read.
func valuesQuery(v *catalog.View, column, prefix string) (merge.Query, error) {
	q := merge.Query{View: v, From: merge.MinTime, To: merge.MaxTime, By: []string{column}, Order: []merge.Order{{Column: column}}}
	var groups []string
	for _, o := range v.Plan.Outputs {
		if slices.Contains(v.Plan.KeyNames(), o.Name) {
			groups = append(groups, o.Name)
		}
	}
	if !slices.Contains(groups, column) {
		return q, problem.New(http.StatusBadRequest, "unknown-column",
			fmt.Sprintf("column: %q is no group column of view %s", column, v.Plan.Name), fmt.Sprintf("it has %s", strings.Join(groups, ", ")))
	}
	key := v.Plan.Keys[slices.Index(v.Plan.KeyNames(), column)]
	if prefix != "" && key.Type.Kind == event.String {
		var err error
		q.Where, err = parseWhere(v.Plan, fmt.Sprintf("startsWith(%s, %s)", sql.QuoteName(column), sql.QuoteString(prefix)))
		if err != nil {
			return q, err
		}
	}
	return q, nil
}
