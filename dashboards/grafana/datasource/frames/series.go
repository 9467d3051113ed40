package frames

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// maxCells bounds a wide frame, rows times series: a panel draws some hundred series of
// some thousand points, and a browser holds ten times that.
const maxCells = 2_000_000

// TimeSeries returns the answer as series over time: the column time, or else the first
// that is a time, is the time; text and Bool columns are the labels of the series; each
// number is a series for each set of labels. Values may be null: a series that has no
// value at a time of another has none, not zero.
func TimeSeries(a *client.Answer) (*data.Frame, error) {
	at := timeColumn(a.Columns)
	if at < 0 {
		return nil, &Error{"a time series needs a column that is a time, and there is none in " + list(a.Columns),
			"select one, such as $__timeInterval(ts) AS time, or choose the format table"}
	}
	rows := slices.DeleteFunc(slices.Clone(a.Rows), func(row []any) bool { return row[at] == nil })
	slices.SortStableFunc(rows, func(x, y []any) int { return x[at].(time.Time).Compare(y[at].(time.Time)) })
	long := data.NewFrame("")
	numbers := 0
	for i, c := range a.Columns {
		field, err := seriesField(c, rows, i, i == at)
		if err != nil {
			return nil, err
		}
		if i == at { // the time leads
			long.Fields = slices.Insert(long.Fields, 0, field)
			continue
		}
		if field.Type().Numeric() {
			numbers++
		}
		long.Fields = append(long.Fields, field)
	}
	if numbers == 0 {
		return nil, &Error{"a time series needs a column that is a number, and there is none in " + list(a.Columns), "choose the format table"}
	}
	return widen(long)
}

// widen makes a series of each set of labels.
func widen(long *data.Frame) (*data.Frame, error) {
	wide := long
	if long.TimeSeriesSchema().Type == data.TimeSeriesTypeLong {
		var err error
		switch wide, err = data.LongToWideWithLimit(long, nil, maxCells); {
		case errors.Is(err, data.ErrorInputFieldsWithoutRowsWideSeries):
			// Without rows there are no labels: the numbers alone.
			wide = data.NewFrame("", slices.DeleteFunc(long.Fields, func(f *data.Field) bool { return !f.Type().Time() && !f.Type().Numeric() })...)
		case err != nil:
			return nil, &Error{fmt.Sprintf("%d rows make too many series: %v", long.Rows(), err), "group by fewer columns, or order and limit"}
		}
	}
	wide.Meta = &data.FrameMeta{
		Type: data.FrameTypeTimeSeriesWide, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeGraph,
	}
	return wide, nil
}

// seriesField makes the field of a column of a time series. A number may be null, a label
// and the time may not.
func seriesField(c client.Column, rows [][]any, at int, isTime bool) (*data.Field, error) {
	switch classOf(c.Type) {
	case other:
		return nil, &Error{fmt.Sprintf("column %s is of type %s, which is neither a time nor a label nor a number of a series", c.Name, c.Type),
			"leave it out, or choose the format table"}
	case moment:
		if !isTime { // a second time, such as window_start: a label
			return fieldOf(c, rows, at, false, func(v any) (string, error) {
				t, _ := v.(time.Time)
				return t.Format(time.RFC3339), nil
			})
		}
		return newField(c, rows, at, false)
	case text, boolean:
		return fieldOf(c, rows, at, false, label)
	}
	return newField(c, rows, at, true)
}

// label is a value as a label: one that is null is empty.
func label(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	return fmt.Sprint(v), nil
}

// timeColumn is the index of the column that is the time; -1: none.
func timeColumn(columns []client.Column) int {
	named := slices.IndexFunc(columns, func(c client.Column) bool { return c.Name == "time" && classOf(c.Type) == moment })
	if named >= 0 {
		return named
	}
	return slices.IndexFunc(columns, func(c client.Column) bool { return classOf(c.Type) == moment })
}

// list names columns for an error.
func list(columns []client.Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name + " " + c.Type
	}
	return cmp.Or(strings.Join(names, ", "), "an answer without columns")
}

// Numbers returns an answer without time: the latest value of each group, which alert
// rules take as one number for each set of labels.
func Numbers(a *client.Answer) (*data.Frame, error) {
	f, err := Table(a)
	if err != nil {
		return nil, err
	}
	f.Meta.Type = data.FrameTypeNumericLong
	return f, nil
}
