package frames

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// Logs returns the answer as log lines, the newest first: a time, the line (column body,
// message, line, or else the first that is text), its severity (severity or level), and
// all other columns as labels.
func Logs(a *client.Answer) (*data.Frame, error) {
	at := timeColumn(a.Columns)
	body := named(a.Columns, "body", "message", "line", "reason")
	if body < 0 {
		body = slices.IndexFunc(a.Columns, func(c client.Column) bool { return classOf(c.Type) == text })
	}
	if at < 0 || body < 0 {
		return nil, &Error{"logs need a column that is a time and one that is text, and the answer has " + list(a.Columns),
			"select both, such as ts AS time, message AS body, or choose the format table"}
	}
	severity := named(a.Columns, "severity", "level")
	rows := slices.DeleteFunc(slices.Clone(a.Rows), func(row []any) bool { return row[at] == nil })
	slices.SortStableFunc(rows, func(x, y []any) int { return y[at].(time.Time).Compare(x[at].(time.Time)) })
	times, err := fieldOf(client.Column{Name: "timestamp", Type: a.Columns[at].Type}, rows, at, false, as[time.Time])
	if err != nil {
		return nil, err
	}
	lines, err := fieldOf(client.Column{Name: "body"}, rows, body, false, label)
	if err != nil {
		return nil, err
	}
	f := data.NewFrame("", times, lines)
	if severity >= 0 {
		field, err := fieldOf(client.Column{Name: "severity"}, rows, severity, false, label)
		if err != nil {
			return nil, err
		}
		f.Fields = append(f.Fields, field)
	}
	labels := data.NewField("labels", nil, make([]json.RawMessage, len(rows)))
	for i, row := range rows {
		rest := map[string]any{}
		for j, c := range a.Columns {
			if j != at && j != body && j != severity {
				rest[c.Name] = row[j]
			}
		}
		encoded, err := asJSON(rest)
		if err != nil {
			return nil, fmt.Errorf("write labels of row %d: %w", i+1, err)
		}
		labels.Set(i, encoded)
	}
	f.Fields = append(f.Fields, labels)
	f.Meta = &data.FrameMeta{Type: data.FrameTypeLogLines, TypeVersion: data.FrameTypeVersion{0, 0}, PreferredVisualization: data.VisTypeLogs}
	return f, nil
}

// Annotations returns the answer as marks on a time axis: time, and where they are there
// timeEnd, title, text and tags; other columns stay as they are. Grafana splits tags at
// commas, so that an array becomes a text.
func Annotations(a *client.Answer) (*data.Frame, error) {
	at := named(a.Columns, "time")
	if at < 0 || classOf(a.Columns[at].Type) != moment {
		return nil, &Error{"annotations need a column time that is a time, and the answer has " + list(a.Columns),
			"select one, such as ts AS time; timeEnd, title, text and tags may stand beside it"}
	}
	if end := named(a.Columns, "timeEnd"); end >= 0 && classOf(a.Columns[end].Type) != moment {
		return nil, &Error{fmt.Sprintf("timeEnd is of type %s, which is no time", a.Columns[end].Type), "select a Date, a DateTime or a DateTime64"}
	}
	sorted := *a
	sorted.Rows = slices.DeleteFunc(slices.Clone(a.Rows), func(row []any) bool { return row[at] == nil })
	slices.SortStableFunc(sorted.Rows, func(x, y []any) int { return x[at].(time.Time).Compare(y[at].(time.Time)) })
	f, err := Table(&sorted)
	if err != nil {
		return nil, err
	}
	if tags := named(a.Columns, "tags"); tags >= 0 && classOf(a.Columns[tags].Type) == other {
		f.Fields[tags], err = fieldOf(a.Columns[tags], sorted.Rows, tags, false, func(v any) (string, error) {
			list, _ := v.([]any)
			parts := make([]string, len(list))
			for i, tag := range list {
				parts[i] = fmt.Sprint(tag)
			}
			return strings.Join(parts, ","), nil
		})
	}
	return f, err
}

// named is the index of the first column that has one of the names; -1: none.
func named(columns []client.Column, names ...string) int {
	for _, name := range names {
		if i := slices.IndexFunc(columns, func(c client.Column) bool { return strings.EqualFold(c.Name, name) }); i >= 0 {
			return i
		}
	}
	return -1
}
