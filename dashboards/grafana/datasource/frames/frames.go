// Package frames makes Grafana's data frames of Millrace's answers: tables, time series,
// numbers, logs and annotations.
//
// The one invariant: a frame's fields follow from the columns of the answer alone, their
// types and whether they may be null, so that an answer without rows has the shape of one
// with rows, and an alert rule sees the same fields each time.
package frames

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/serving/client"
)

// Error says why an answer cannot be shown in the form that was asked for.
type Error struct{ Detail, Hint string }

// Error says the detail and the hint.
func (e *Error) Error() string { return e.Detail + "; " + e.Hint }

// Table returns the answer as it is, a field for each column.
func Table(a *client.Answer) (*data.Frame, error) {
	f := data.NewFrame("")
	for i, c := range a.Columns {
		field, err := newField(c, a.Rows, i, mayBeNull(c.Type))
		if err != nil {
			return nil, err
		}
		f.Fields = append(f.Fields, field)
	}
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: data.FrameTypeVersion{0, 1}, PreferredVisualization: data.VisTypeTable}
	return f, nil
}

// class is what Grafana can do with a type of ClickHouse.
type class int

const (
	other   class = iota // arrays, tuples, maps: JSON
	text                 // a dimension of a series
	boolean              // likewise
	moment
	signed
	unsigned
	floating
)

// classOf tells the class of a ClickHouse type.
func classOf(columnType string) class {
	name, _, _ := strings.Cut(client.Bare(columnType), "(")
	switch name {
	case "Bool":
		return boolean
	case "Int8", "Int16", "Int32", "Int64":
		return signed
	case "UInt8", "UInt16", "UInt32", "UInt64":
		return unsigned
	case "Float32", "Float64", "BFloat16", "Decimal", "Decimal32", "Decimal64", "Decimal128", "Decimal256",
		"Int128", "Int256", "UInt128", "UInt256": // the nearest that Grafana has
		return floating
	case "String", "FixedString", "UUID", "Enum8", "Enum16", "IPv4", "IPv6":
		return text
	case "Date", "Date32", "DateTime", "DateTime64":
		return moment
	}
	return other
}

// mayBeNull tells whether values of a type may be null. Floats may always, since NaN and
// the infinities come as null.
func mayBeNull(columnType string) bool {
	columnType = strings.TrimPrefix(columnType, "LowCardinality(")
	return strings.HasPrefix(columnType, "Nullable(") || classOf(columnType) == floating
}

// newField makes a field of a column.
func newField(c client.Column, rows [][]any, at int, null bool) (*data.Field, error) {
	switch classOf(c.Type) {
	case boolean:
		return fieldOf(c, rows, at, null, as[bool])
	case signed:
		return fieldOf(c, rows, at, null, as[int64])
	case unsigned:
		return fieldOf(c, rows, at, null, as[uint64])
	case floating:
		return fieldOf(c, rows, at, null, asFloat)
	case text:
		return fieldOf(c, rows, at, null, as[string])
	case moment:
		return fieldOf(c, rows, at, null, as[time.Time])
	}
	return fieldOf(c, rows, at, null, asJSON)
}

// fieldOf makes a field of values of one type of Go, of pointers to them where it may be null.
func fieldOf[T any](c client.Column, rows [][]any, at int, null bool, convert func(any) (T, error)) (*data.Field, error) {
	values, pointers := make([]T, len(rows)), make([]*T, len(rows))
	for i, row := range rows {
		if row[at] == nil && null {
			continue
		}
		v, err := convert(row[at])
		if err != nil {
			return nil, fmt.Errorf("read column %s (%s), row %d: %w", c.Name, c.Type, i+1, err)
		}
		values[i], pointers[i] = v, &v
	}
	if null {
		return data.NewField(c.Name, nil, pointers), nil
	}
	return data.NewField(c.Name, nil, values), nil
}

func as[T any](v any) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, fmt.Errorf("%T is not %T", v, t)
	}
	return t, nil
}

// asFloat takes what the client makes of a number that is wider than 64 bits, too.
func asFloat(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case json.Number:
		return v.Float64()
	case string: // in quotes, as some settings of ClickHouse have it
		return strconv.ParseFloat(v, 64)
	}
	return 0, fmt.Errorf("%T is not a number", v)
}

func asJSON(v any) (json.RawMessage, error) { return json.Marshal(v) }
