// Package event defines the vocabulary that every layer shares: column types,
// schemas, columnar batches, positions and epochs. It is pure: no I/O, no clock.
//
// The one invariant: a Batch that has been handed on is never written again, so
// that any number of readers may share it without a lock.
package event

import (
	"fmt"
	"math"
	"time"
)

// Kind is the physical and logical class of a column.
type Kind uint8

// The kinds of the first SQL part. Their slice in a Vector is given behind each.
const (
	Invalid    Kind = iota
	Bool            // U8, 0 or 1
	Int64           // I64
	UInt64          // U64
	Float64         // F64
	String          // Str; arbitrary bytes, as in ClickHouse
	Date            // I64, days since 1970-01-01, 0..65535 as in ClickHouse
	DateTime64      // I64, ticks of 10^-Precision s since 1970-01-01 UTC, may be negative
)

// MaxPrecision is the largest precision of DateTime64: nanoseconds.
const MaxPrecision = 9

// Type is a column type. The zero Type is invalid. Types compare with ==.
type Type struct {
	Kind           Kind
	Precision      uint8 // DateTime64 only, 0..9
	Nullable       bool
	LowCardinality bool // String only: a hint of storage, never of meaning
}

// String returns the type as ClickHouse writes it.
func (t Type) String() string {
	var s string
	switch t.Kind {
	case Bool:
		s = "Bool"
	case Int64:
		s = "Int64"
	case UInt64:
		s = "UInt64"
	case Float64:
		s = "Float64"
	case String:
		s = "String"
	case Date:
		s = "Date"
	case DateTime64:
		// The zone is explicit, so that a server's own zone never changes a result.
		s = fmt.Sprintf("DateTime64(%d, 'UTC')", t.Precision)
	default:
		return "Invalid"
	}
	if t.Nullable {
		s = "Nullable(" + s + ")"
	}
	if t.LowCardinality {
		s = "LowCardinality(" + s + ")"
	}
	return s
}

// NotNull returns t without Nullable.
func (t Type) NotNull() Type { t.Nullable = false; return t }

// OrNull returns t as Nullable.
func (t Type) OrNull() Type { t.Nullable = true; return t }

// Plain returns t without LowCardinality: the type of a computed value.
func (t Type) Plain() Type { t.LowCardinality = false; return t }

// Numeric reports whether arithmetic takes values of t.
func (t Type) Numeric() bool {
	return t.Kind == Bool || t.Kind == Int64 || t.Kind == UInt64 || t.Kind == Float64
}

// Column is one named, typed column of a schema.
type Column struct {
	Name string
	Type Type
}

// ExtraColumn holds the undeclared fields of an event as the text of a JSON object,
// or the empty string where there are none.
const ExtraColumn = "_extra"

// Schema is an ordered list of columns. A stream's schema ends with ExtraColumn.
// It is immutable once built.
type Schema struct {
	Columns []Column
	index   map[string]int
}

// NewSchema builds a schema; names must be unique.
func NewSchema(columns ...Column) (*Schema, error) {
	s := &Schema{Columns: columns, index: make(map[string]int, len(columns))}
	for i, c := range columns {
		if _, dup := s.index[c.Name]; dup {
			return nil, fmt.Errorf("schema: column %q is declared twice", c.Name)
		}
		s.index[c.Name] = i
	}
	return s, nil
}

// Index returns the place of the named column, or -1.
func (s *Schema) Index(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Position is the place of an event in its partition: entry sequence, then row in
// the entry. Positions of one partition are totally ordered and never reused.
type Position struct {
	Seq uint64
	Row uint32
}

// RowBits is the width of the row part of a packed position.
const RowBits = 20

// MaxEntryRows is the most rows one entry may have, so that a position packs into 64 bits.
const MaxEntryRows = 1 << RowBits

// Pack returns the position as one integer of the same order: Seq<<20 | Row. It is
// the `_position` column of the lake (Int64: 2^43 entries per partition are enough).
func (p Position) Pack() int64 { return int64(p.Seq<<RowBits | uint64(p.Row)) }

// UnpackPosition reverses Pack.
func UnpackPosition(v int64) Position {
	return Position{Seq: uint64(v) >> RowBits, Row: uint32(v & (MaxEntryRows - 1))}
}

// Less reports whether p comes before q.
func (p Position) Less(q Position) bool { return p.Pack() < q.Pack() }

// String formats the position as seq:row.
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Seq, p.Row) }

// Epoch numbers a span of arrival time: floor(arrival / epoch length).
type Epoch int64

// NoEpoch is the cut of a publication that covers nothing: it is below every epoch.
const NoEpoch Epoch = math.MinInt64

// EpochOf returns the epoch of an arrival time, given in nanoseconds since 1970.
func EpochOf(arrival int64, length time.Duration) Epoch {
	e := arrival / int64(length)
	if arrival%int64(length) < 0 {
		e--
	}
	return Epoch(e)
}

// Start returns the first arrival time of the epoch.
func (e Epoch) Start(length time.Duration) time.Time {
	return time.Unix(0, int64(e)*int64(length)).UTC()
}

// Pow10 holds the powers of ten up to 10^18.
var Pow10 = [19]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// FloorDiv divides rounding towards negative infinity; b must be positive.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
