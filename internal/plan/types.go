package plan

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// knownTypes lists the column types as messages show them.
const knownTypes = "known types are Bool, Int64, UInt64, Float64, String, LowCardinality(String), Date, DateTime64(P) and Nullable(T)"

// defaultPrecision is DateTime64's without an argument, as in ClickHouse: milliseconds.
const defaultPrecision = 3

// plainTypes are the types that take no arguments.
var plainTypes = map[string]event.Kind{
	"Bool":    event.Bool,
	"Int64":   event.Int64,
	"UInt64":  event.UInt64,
	"Float64": event.Float64,
	"String":  event.String,
	"Date":    event.Date,
}

// typeNames lists the names that a misspelt type may have meant.
var typeNames = []string{"Bool", "Int64", "UInt64", "Float64", "String", "LowCardinality", "Date", "DateTime64", "Nullable"}

// insteadOf says which type takes the values of a ClickHouse type that is not known here.
var insteadOf = map[string]string{
	"Int8": "Int64", "Int16": "Int64", "Int32": "Int64",
	"UInt8": "UInt64", "UInt16": "UInt64", "UInt32": "UInt64",
	"Float32": "Float64", "BFloat16": "Float64",
	"DateTime": "DateTime64(0)", "Date32": "DateTime64(0)",
	"FixedString": "String", "UUID": "String", "IPv4": "String", "IPv6": "String", "JSON": "String",
	"Enum8": "LowCardinality(String)", "Enum16": "LowCardinality(String)", "Enum": "LowCardinality(String)",
}

// ParseType reads a type's text. Errors are *sql.Error at the place where the text stands
// in its statement.
func ParseType(text string, at sql.Pos) (event.Type, error) {
	t, err := sql.ParseType(text)
	if err != nil {
		return event.Type{}, refuse(at, knownTypes, "%q is not a type", text)
	}
	typ, err := ColumnType(t)
	if e := (*sql.Error)(nil); errors.As(err, &e) {
		return typ, &sql.Error{Pos: at, Msg: e.Msg, Hint: e.Hint}
	}
	return typ, err
}

// ColumnType returns the column type that a parsed type names. Errors are *sql.Error.
func ColumnType(t sql.TypeExpr) (event.Type, error) {
	if kind, ok := plainTypes[t.Name]; ok {
		if len(t.Args)+len(t.Nums)+len(t.Strs) > 0 {
			return event.Type{}, refuse(t.Pos, "", "%s takes no arguments", t.Name)
		}
		return event.Type{Kind: kind}, nil
	}
	switch t.Name {
	case "DateTime64":
		return dateTimeOf(t)
	case "Nullable":
		inner, err := argumentOf(t)
		if err != nil {
			return event.Type{}, err
		}
		if inner.Nullable || inner.LowCardinality {
			return event.Type{}, refuse(t.Pos, "write LowCardinality(Nullable(String)), or Nullable once", "%s cannot be in Nullable", t.Args[0])
		}
		return inner.OrNull(), nil
	case "LowCardinality":
		inner, err := argumentOf(t)
		if err != nil {
			return event.Type{}, err
		}
		if inner.Kind != event.String || inner.LowCardinality {
			return event.Type{}, refuse(t.Args[0].Pos, "write "+inner.NotNull().String()+" alone", "LowCardinality takes String or Nullable(String), not %s", t.Args[0])
		}
		inner.LowCardinality = true
		return inner, nil
	}
	hint := knownTypes
	if other, ok := insteadOf[t.Name]; ok {
		hint = fmt.Sprintf("use %s; %s", other, knownTypes)
	} else if near := sql.Nearest(t.Name, typeNames); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, knownTypes)
	}
	return event.Type{}, refuse(t.Pos, hint, "unknown type %s", t.Name)
}

func dateTimeOf(t sql.TypeExpr) (event.Type, error) {
	const form = "as in DateTime64(3) or DateTime64(3, 'UTC')"
	precision := int64(defaultPrecision)
	if len(t.Nums) == 1 {
		precision = t.Nums[0]
	}
	switch {
	case len(t.Args) > 0 || len(t.Nums) > 1 || len(t.Strs) > 1 || len(t.Strs) > len(t.Nums):
		return event.Type{}, refuse(t.Pos, form, "DateTime64 takes a precision and a zone")
	case precision < 0 || precision > event.MaxPrecision:
		return event.Type{}, refuse(t.Pos, form, "DateTime64 has precision %d; it must be from 0 to %d", precision, event.MaxPrecision)
	case len(t.Strs) == 1 && t.Strs[0] != "UTC":
		return event.Type{}, refuse(t.Pos, form, "DateTime64 has zone %q; all times are UTC", t.Strs[0])
	}
	return event.Type{Kind: event.DateTime64, Precision: uint8(precision)}, nil
}

// argumentOf returns the one type that Nullable and LowCardinality take.
func argumentOf(t sql.TypeExpr) (event.Type, error) {
	if len(t.Args) != 1 || len(t.Nums)+len(t.Strs) > 0 {
		return event.Type{}, refuse(t.Pos, "as in "+t.Name+"(String)", "%s takes one type", t.Name)
	}
	return ColumnType(t.Args[0])
}

// refuse makes the error of a statement that cannot be planned; hint may be empty.
func refuse(pos sql.Pos, hint, format string, args ...any) *sql.Error {
	return &sql.Error{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint}
}
