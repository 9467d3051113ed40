package render

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// TableFormat is the engine's format that ReadTable reads. It is the one in which every type has
// the engine's own text (arrays, maps, tuples, decimals, IPv6…), NULL differs from every string,
// NaN and the infinities are there, and 64-bit integers are whole; JSON misses three of
// these, and RowBinary would need a decoder of every type of the engine.
const TableFormat = "TabSeparatedWithNamesAndTypes"

// TableSettings are the settings that the query of a table is to run with: times come with their
// offset, as the zone's own text does not tell the two hours apart when clocks go back.
func TableSettings() map[string]string {
	return map[string]string{"date_time_output_format": "iso"}
}

const (
	// maxLineBytes bounds one row; a longer one is refused instead of held in memory.
	maxLineBytes = 64 << 20
	// simpleTime is the engine's default form of times, in the column's zone.
	simpleTime = "2006-01-02 15:04:05.999999999"
)

// ReadTable reads at most maxRows rows of an answer in TableFormat; Truncated says that there
// were more. It stops reading there, and so does not see an error that follows.
func ReadTable(r io.Reader, maxRows int) (Table, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLineBytes)
	lines.Split(splitLines)
	names, err := headerLine(lines, "names")
	if err != nil {
		return Table{}, err
	}
	types, err := headerLine(lines, "types")
	if err != nil {
		return Table{}, err
	}
	if len(names) != len(types) {
		return Table{}, fmt.Errorf("read table: %d column names and %d types", len(names), len(types))
	}
	t := Table{Columns: make([]Column, len(names))}
	parsers := make([]func(string) (any, error), len(names))
	for i, name := range names {
		t.Columns[i] = Column{Name: unescape(name), Type: unescape(types[i])}
		parsers[i] = parserOf(t.Columns[i].Type)
	}
	for lines.Scan() {
		if len(t.Rows) == maxRows {
			t.Truncated = true
			return t, nil
		}
		row, err := readRow(lines.Text(), parsers)
		if err != nil {
			return Table{}, fmt.Errorf("read table: row %d: %w", len(t.Rows)+1, err)
		}
		t.Rows = append(t.Rows, row)
	}
	if err := lines.Err(); err != nil {
		return Table{}, fmt.Errorf("read table: row %d: %w", len(t.Rows)+1, err)
	}
	return t, nil
}

// splitLines is bufio.ScanLines without its trimming of \r, which is data here.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF // every line of the format ends with a line break
	}
	return 0, nil, nil
}

func headerLine(lines *bufio.Scanner, what string) ([]string, error) {
	if !lines.Scan() {
		err := lines.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read table: column %s: %w", what, err)
	}
	return strings.Split(lines.Text(), "\t"), nil
}

func readRow(line string, parsers []func(string) (any, error)) ([]any, error) {
	row := make([]any, 0, len(parsers))
	for field := range strings.SplitSeq(line, "\t") {
		if len(row) == len(parsers) {
			return nil, fmt.Errorf("more than the %d values of its columns", len(parsers))
		}
		if field == `\N` {
			row = append(row, nil)
			continue
		}
		v, err := parsers[len(row)](field)
		if err != nil {
			return nil, fmt.Errorf("value %d: %w", len(row)+1, err)
		}
		row = append(row, v)
	}
	if len(row) < len(parsers) {
		return nil, fmt.Errorf("%d values for %d columns", len(row), len(parsers))
	}
	return row, nil
}

// escapes are the letters after a backslash that do not stand for themselves.
var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '0': 0, 'a': '\a', 'v': '\v'}

func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b = append(b, s[:i]...)
		if i+1 == len(s) {
			return string(append(b, '\\'))
		}
		c, ok := escapes[s[i+1]]
		if !ok {
			c = s[i+1]
		}
		b, s = append(b, c), s[i+2:]
	}
	return string(append(b, s...))
}

// parserOf returns how a field of a type becomes a cell.
func parserOf(columnType string) func(string) (any, error) {
	name, args := baseType(columnType)
	switch name {
	case "Bool":
		return func(s string) (any, error) { return strconv.ParseBool(s) }
	case "Int8", "Int16", "Int32", "Int64":
		return func(s string) (any, error) { return strconv.ParseInt(s, 10, 64) }
	case "UInt8", "UInt16", "UInt32", "UInt64":
		return func(s string) (any, error) { return strconv.ParseUint(s, 10, 64) }
	case "Float32", "Float64", "BFloat16":
		return parseFloat
	case "Date", "Date32":
		return func(s string) (any, error) { return time.Parse(time.DateOnly, s) }
	case "DateTime", "DateTime64":
		return timeParser(args)
	case "Array", "Tuple", "Map", "Nested":
		return func(s string) (any, error) { return s, nil } // quotes and escapes its own parts
	}
	return func(s string) (any, error) { return unescape(s), nil }
}

// parseFloat takes a number beyond float64's range for the infinity that the type's own
// arithmetic would make of it.
func parseFloat(s string) (any, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, err
	}
	return v, nil
}

// timeParser reads ISO times, and the engine's default form for a query whose own SETTINGS
// ask for it.
func timeParser(args string) func(string) (any, error) {
	zone := time.UTC
	if _, quoted, ok := strings.Cut(args, "'"); ok {
		name, _, _ := strings.Cut(quoted, "'")
		if z, err := time.LoadLocation(name); err == nil {
			zone = z
		}
	}
	return func(s string) (any, error) {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t.UTC(), nil
		}
		if t, err := time.ParseInLocation(simpleTime, s, zone); err == nil {
			return t.UTC(), nil
		}
		if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
			return time.Unix(seconds, 0).UTC(), nil
		}
		return nil, fmt.Errorf("%q is no time; run the query with TableSettings", s)
	}
}

// baseType takes Nullable, LowCardinality and SimpleAggregateFunction off a type and splits
// the rest into its name and what stands in its parentheses.
func baseType(columnType string) (name, args string) {
	for {
		name, args, _ = strings.Cut(columnType, "(")
		args = strings.TrimSuffix(args, ")")
		switch name {
		case "Nullable", "LowCardinality":
			columnType = args
		case "SimpleAggregateFunction":
			_, columnType, _ = strings.Cut(args, ", ")
		default:
			return name, args
		}
	}
}
