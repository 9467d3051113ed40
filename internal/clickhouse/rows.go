package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/millrace/millrace/internal/event"
)

// queryRows reads a result row by row: the native protocol's driver gives no columns.
func (c *Client) queryRows(ctx context.Context, query string) (batch *event.Batch, err error) {
	rows, err := c.conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var header []event.Column
	var dest []any
	for _, t := range rows.ColumnTypes() {
		w, err := parseType(t.DatabaseTypeName())
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", t.Name(), err)
		}
		header = append(header, event.Column{Name: t.Name(), Type: w.typ})
		dest = append(dest, reflect.New(t.ScanType()).Interface())
	}
	schema, err := event.NewSchema(header...)
	if err != nil {
		return nil, err
	}
	batch = event.NewBatch(schema)
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		for i, d := range dest {
			if err := appendScanned(&batch.Columns[i], reflect.ValueOf(d).Elem()); err != nil {
				return nil, fmt.Errorf("column %s: %w", header[i].Name, err)
			}
		}
		batch.Rows++
	}
	return batch, rows.Err()
}

// appendScanned appends a value that the driver has scanned.
func appendScanned(v *event.Vector, x reflect.Value) error {
	for x.Kind() == reflect.Pointer {
		if x.IsNil() {
			v.AppendZero(true)
			return nil
		}
		x = x.Elem()
	}
	if t, ok := x.Interface().(time.Time); ok {
		appendTime(v, t)
		return nil
	}
	switch {
	case v.Type.Kind == event.Bool && x.Kind() == reflect.Bool:
		v.AppendBool(x.Bool())
	case v.Type.Kind == event.Int64 && x.CanInt():
		v.AppendInt64(x.Int())
	case v.Type.Kind == event.UInt64 && x.CanUint():
		v.AppendUInt64(x.Uint())
	case v.Type.Kind == event.Float64 && x.CanFloat():
		v.AppendFloat64(x.Float())
	case v.Type.Kind == event.String && x.Kind() == reflect.String:
		v.AppendString([]byte(x.String()))
	default:
		return fmt.Errorf("driver gave %s for %s", x.Type(), v.Type)
	}
	return nil
}

const secondsPerDay = 24 * 60 * 60

func appendTime(v *event.Vector, t time.Time) {
	if v.Type.Kind == event.Date {
		// The driver gives midnight in some zone; the day is what it shows there.
		y, m, d := t.Date()
		v.AppendInt64(event.FloorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), secondsPerDay))
		return
	}
	unit := event.Pow10[event.MaxPrecision-v.Type.Precision]
	v.AppendInt64(t.Unix()*event.Pow10[v.Type.Precision] + int64(t.Nanosecond())/unit)
}

// insertRows sends a batch row by row, converted by the driver to the table's types.
func (c *Client) insertRows(ctx context.Context, statement string, b *event.Batch) (err error) {
	batch, err := c.conn.PrepareBatch(ctx, statement)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, batch.Close()) }()
	row := make([]any, len(b.Columns))
	for i := range b.Rows {
		for j := range b.Columns {
			row[j] = driverValue(&b.Columns[j], i)
		}
		if err := batch.Append(row...); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return batch.Send()
}

// driverValue returns a value as the driver's row interface takes it.
func driverValue(v *event.Vector, i int) any {
	if v.Null(i) {
		return nil
	}
	switch v.Type.Kind {
	case event.Date:
		return time.Unix(v.I64[i]*secondsPerDay, 0).UTC()
	case event.DateTime64:
		scale := event.Pow10[v.Type.Precision]
		seconds := event.FloorDiv(v.I64[i], scale)
		return time.Unix(seconds, (v.I64[i]-seconds*scale)*event.Pow10[event.MaxPrecision-v.Type.Precision]).UTC()
	}
	return v.Value(i)
}
