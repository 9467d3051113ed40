package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// value makes a JSON value of a ClickHouse type a value of Go.
func value(columnType string, raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	t := Bare(columnType)
	name, _, _ := strings.Cut(t, "(")
	switch name {
	case "Bool":
		return strconv.ParseBool(string(raw))
	case "Int8", "Int16", "Int32", "Int64":
		return strconv.ParseInt(unquoted(raw), 10, 64)
	case "UInt8", "UInt16", "UInt32", "UInt64":
		return strconv.ParseUint(unquoted(raw), 10, 64)
	case "Float32", "Float64":
		return strconv.ParseFloat(unquoted(raw), 64)
	case "String", "FixedString", "UUID", "Enum8", "Enum16":
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case "Date", "Date32":
		return when(time.DateOnly, raw)
	case "DateTime", "DateTime64":
		return when("2006-01-02 15:04:05", raw)
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err
}

// Bare is a type without LowCardinality and Nullable around it.
func Bare(columnType string) string {
	for {
		inner, ok := strings.CutPrefix(columnType, "LowCardinality(")
		if !ok {
			inner, ok = strings.CutPrefix(columnType, "Nullable(")
		}
		if !ok {
			return columnType
		}
		columnType = strings.TrimSuffix(inner, ")")
	}
}

// unquoted is a number that may stand in quotes, as some settings of ClickHouse have it.
func unquoted(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }

// when reads a time in UTC. A layout of seconds takes decimals too.
func when(layout string, raw json.RawMessage) (time.Time, error) {
	t, err := time.Parse(layout, unquoted(raw))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is not a time", raw)
	}
	return t, nil
}
