package clickhouse

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

// wire is how a result type looks in a Native block.
type wire struct {
	typ    event.Type
	width  int  // bytes of a value; 0 for String
	signed bool // integers narrower than 8 bytes
}

// fixedTypes are the types without parameters.
var fixedTypes = map[string]wire{
	"Bool":     {typ: event.Type{Kind: event.Bool}, width: 1},
	"UInt8":    {typ: event.Type{Kind: event.UInt64}, width: 1},
	"UInt16":   {typ: event.Type{Kind: event.UInt64}, width: 2},
	"UInt32":   {typ: event.Type{Kind: event.UInt64}, width: 4},
	"UInt64":   {typ: event.Type{Kind: event.UInt64}, width: 8},
	"Int8":     {typ: event.Type{Kind: event.Int64}, width: 1, signed: true},
	"Int16":    {typ: event.Type{Kind: event.Int64}, width: 2, signed: true},
	"Int32":    {typ: event.Type{Kind: event.Int64}, width: 4, signed: true},
	"Int64":    {typ: event.Type{Kind: event.Int64}, width: 8, signed: true},
	"Float32":  {typ: event.Type{Kind: event.Float64}, width: 4},
	"Float64":  {typ: event.Type{Kind: event.Float64}, width: 8},
	"String":   {typ: event.Type{Kind: event.String}},
	"Date":     {typ: event.Type{Kind: event.Date}, width: 2},
	"Date32":   {typ: event.Type{Kind: event.Date}, width: 4, signed: true},
	"DateTime": {typ: event.Type{Kind: event.DateTime64}, width: 4},
}

// parseType reads a type as ClickHouse names it in a result.
func parseType(name string) (wire, error) {
	if inner, ok := argument(name, "LowCardinality"); ok {
		w, err := parseType(inner)
		w.typ.LowCardinality = true
		return w, err
	}
	if inner, ok := argument(name, "Nullable"); ok {
		w, err := parseType(inner)
		w.typ.Nullable = true
		return w, err
	}
	if args, ok := argument(name, "SimpleAggregateFunction"); ok {
		_, inner, _ := strings.Cut(args, ", ")
		return parseType(inner)
	}
	if w, ok := fixedTypes[name]; ok {
		return w, nil
	}
	if _, ok := argument(name, "DateTime"); ok {
		return fixedTypes["DateTime"], nil
	}
	if args, ok := argument(name, "DateTime64"); ok {
		digits, _, _ := strings.Cut(args, ",")
		p, err := strconv.ParseUint(digits, 10, 8)
		if err == nil && p <= event.MaxPrecision {
			return wire{typ: event.Type{Kind: event.DateTime64, Precision: uint8(p)}, width: 8, signed: true}, nil
		}
	}
	if args, ok := argument(name, "FixedString"); ok {
		if n, err := strconv.ParseUint(args, 10, 24); err == nil && n > 0 {
			return wire{typ: event.Type{Kind: event.String}, width: int(n)}, nil
		}
	}
	return wire{}, fmt.Errorf("result type %s is not supported: cast it, or select toString of it", name)
}

// argument returns what stands between the parentheses of constructor(…).
func argument(name, constructor string) (string, bool) {
	rest, ok := strings.CutPrefix(name, constructor+"(")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, ")")
}
