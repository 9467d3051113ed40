// Package parquetfile writes event batches as Parquet files and reads Parquet files as
// event batches.
//
// The one invariant: a file's bytes follow from its rows alone. The same rows in the same
// order give the same file, on any machine, however they were cut into batches.
//
// The hot loops (dictionaries, bit packing, delta coding) are here; schema, page headers
// and footer are arrow's. Arrow's own column writers cost several times as much per
// value: an interface conversion, an allocation or a reflect call each, and a new zstd
// encoder per page.
package parquetfile

import (
	"fmt"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/schema"

	"github.com/millrace/millrace/internal/event"
)

// The columns that the lake adds to a stream's own.
const (
	PartitionColumn = "_partition" // Int64
	PositionColumn  = "_position"  // Int64, event.Position.Pack
	ArrivalColumn   = "_arrival"   // DateTime64(9, 'UTC')
)

// createdBy is written into each file. It has no version: the same rows must give the
// same bytes for ever, and readers look at it only for known bugs of known writers.
const createdBy = "millrace"

// systemColumns follow the stream's columns in each file of the lake.
var systemColumns = []event.Column{
	{Name: PartitionColumn, Type: event.Type{Kind: event.Int64}},
	{Name: PositionColumn, Type: event.Type{Kind: event.Int64}},
	{Name: ArrivalColumn, Type: event.Type{Kind: event.DateTime64, Precision: 9}},
}

// StoredSchema returns the columns of a stream's files: its own, then the system ones.
func StoredSchema(s *event.Schema) (*event.Schema, error) {
	columns := make([]event.Column, 0, len(s.Columns)+len(systemColumns))
	columns = append(columns, s.Columns...)
	return event.NewSchema(append(columns, systemColumns...)...)
}

// storedScale is the factor from ticks of DateTime64(p) to the file's unit: Parquet knows
// milli-, micro- and nanoseconds only, so other precisions go to the next finer one.
func storedScale(p uint8) int64 {
	switch {
	case p <= 3:
		return event.Pow10[3-p]
	case p <= 6:
		return event.Pow10[6-p]
	default:
		return event.Pow10[9-p]
	}
}

func timeUnit(p uint8) schema.TimeUnitType {
	switch {
	case p <= 3:
		return schema.TimeUnitMillis
	case p <= 6:
		return schema.TimeUnitMicros
	default:
		return schema.TimeUnitNanos
	}
}

// node is the Parquet column of an event column.
func node(c event.Column) (schema.Node, error) {
	var (
		physical parquet.Type
		logical  schema.LogicalType = schema.NoLogicalType{}
	)
	switch c.Type.Kind {
	case event.Bool:
		physical = parquet.Types.Boolean
	case event.Int64:
		physical = parquet.Types.Int64
	case event.UInt64:
		physical, logical = parquet.Types.Int64, schema.NewIntLogicalType(64, false)
	case event.Float64:
		physical = parquet.Types.Double
	case event.String:
		physical, logical = parquet.Types.ByteArray, schema.StringLogicalType{}
	case event.Date:
		physical, logical = parquet.Types.Int32, schema.DateLogicalType{}
	case event.DateTime64:
		physical, logical = parquet.Types.Int64, schema.NewTimestampLogicalType(true, timeUnit(c.Type.Precision))
	default:
		return nil, fmt.Errorf("column %q has no type", c.Name)
	}
	repetition := parquet.Repetitions.Required
	if c.Type.Nullable {
		repetition = parquet.Repetitions.Optional
	}
	return schema.NewPrimitiveNodeLogical(c.Name, repetition, logical, physical, 0, -1)
}

// fileSchema is the Parquet schema of the columns.
func fileSchema(columns []event.Column) (*schema.Schema, error) {
	fields := make(schema.FieldList, len(columns))
	for i, c := range columns {
		n, err := node(c)
		if err != nil {
			return nil, fmt.Errorf("parquet schema: %w", err)
		}
		fields[i] = n
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, fmt.Errorf("parquet schema: %w", err)
	}
	return schema.NewSchema(root), nil
}
