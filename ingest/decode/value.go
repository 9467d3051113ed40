package decode

import (
	"bytes"

	"github.com/millrace/millrace/internal/event"
)

// appendJSON adds a JSON value, without white space around it, to a column. It checks the
// grammar of numbers, strings and words itself; an object or array must be valid. It
// returns "" or what the column expects; then v may have grown and is to be rolled back.
func appendJSON(v *event.Vector, raw []byte) (expects string) {
	switch raw[0] {
	case '"':
		return appendQuoted(v, raw)
	case 'n':
		if string(raw) != "null" {
			return "a JSON value"
		}
		v.AppendZero(true)
		return ""
	case 't', 'f':
		isTrue := string(raw) == "true"
		if !isTrue && string(raw) != "false" {
			return "a JSON value"
		}
		return appendBool(v, isTrue, raw)
	case '{', '[':
		if v.Type.Kind != event.String {
			return expectation(v.Type)
		}
		v.Str.Data = appendCompact(v.Str.Data, raw)
		endString(v)
		return ""
	}
	n, length := scanNumber(raw, strictJSON)
	if length != len(raw) {
		return "a JSON value"
	}
	if v.Type.Kind == event.String {
		v.AppendString(raw)
		return ""
	}
	return appendNumber(v, n, raw)
}

// appendQuoted adds a JSON string: as itself to a String column, as the text of a value
// to any other.
func appendQuoted(v *event.Vector, raw []byte) (expects string) {
	if v.Type.Kind == event.String {
		data, end := unescape(v.Str.Data, raw, 1)
		v.Str.Data = data
		if end != len(raw) {
			return "a JSON value"
		}
		endString(v)
		return ""
	}
	if end := stringEnd(raw, 1); end == len(raw)-1 && raw[end] == '"' {
		return appendText(v, raw[1:end])
	}
	text, end := unescape(nil, raw, 1)
	if end != len(raw) {
		return "a JSON value"
	}
	return appendText(v, text)
}

// endString ends a String row whose bytes were put into Data.
func endString(v *event.Vector) {
	if len(v.Str.Offsets) == 0 {
		v.Str.Offsets = append(v.Str.Offsets, 0)
	}
	v.Str.Offsets = append(v.Str.Offsets, int32(len(v.Str.Data)))
	if v.Type.Nullable {
		v.Nulls = append(v.Nulls, 0)
	}
}

func appendBool(v *event.Vector, x bool, raw []byte) (expects string) {
	n := number{}
	if x {
		n.mant = 1
	}
	switch v.Type.Kind {
	case event.Bool:
		v.AppendBool(x)
	case event.String:
		v.AppendString(raw)
	case event.Int64, event.UInt64, event.Float64:
		return appendNumber(v, n, raw)
	default:
		return expectation(v.Type)
	}
	return ""
}

// appendNumber adds a number, spelled raw, to a column that is not a String.
func appendNumber(v *event.Vector, n number, raw []byte) (expects string) {
	switch v.Type.Kind {
	case event.Int64:
		if x, ok := n.int64(); ok {
			v.AppendInt64(x)
			return ""
		}
	case event.UInt64:
		if x, ok := n.uint64(); ok {
			v.AppendUInt64(x)
			return ""
		}
	case event.Float64:
		if x, ok := n.float64(raw); ok {
			v.AppendFloat64(x)
			return ""
		}
	case event.Bool:
		if x, ok := n.uint64(); ok && x <= 1 {
			v.AppendBool(x == 1)
			return ""
		}
	case event.DateTime64:
		if t, ok := unixTime(n); ok {
			return appendInstant(v, t)
		}
	}
	return expectation(v.Type)
}

// appendText adds the text of a value, from a JSON string or a CSV field, to a column
// that is not a String. White space around it does not count.
func appendText(v *event.Vector, text []byte) (expects string) {
	text = bytes.TrimSpace(text)
	switch v.Type.Kind {
	case event.Bool:
		if equalFold(text, "true") || equalFold(text, "false") {
			v.AppendBool(len(text) == len("true"))
			return ""
		}
	case event.Float64:
		if x, ok := namedFloat(text); ok {
			v.AppendFloat64(x)
			return ""
		}
	case event.Date, event.DateTime64:
		if t, ok := parseTime(text); ok {
			return appendInstant(v, t)
		}
	}
	n, length := scanNumber(text, looseText)
	if length == 0 || length != len(text) {
		return expectation(v.Type)
	}
	return appendNumber(v, n, text)
}

func appendInstant(v *event.Vector, t instant) (expects string) {
	if v.Type.Kind == event.Date {
		if d, ok := t.days(); ok {
			v.AppendInt64(d)
			return ""
		}
	} else if t.inRange() {
		if x, ok := t.ticks(v.Type.Precision); ok {
			v.AppendInt64(x)
			return ""
		}
	}
	return expectation(v.Type)
}

// expectation says in words what a column takes.
func expectation(t event.Type) string {
	switch t.Kind {
	case event.Bool:
		return "true, false, 0 or 1"
	case event.Int64:
		return "an integer from -9223372036854775808 to 9223372036854775807"
	case event.UInt64:
		return "an integer from 0 to 18446744073709551615"
	case event.Float64:
		return "a number within ±1.7976931348623157e308, or \"NaN\", \"inf\", \"-inf\""
	case event.Date:
		return "a date from \"1970-01-01\" to \"2149-06-06\""
	case event.DateTime64:
		if t.Precision == event.MaxPrecision {
			return "a time like \"2001-02-03T04:05:06Z\" or seconds since 1970, from 1900 to 2262"
		}
		return "a time like \"2001-02-03T04:05:06Z\" or seconds since 1970, from 1900 to 2299"
	}
	return "a text"
}

// mismatch is the reason of a row whose field does not fit its column.
func mismatch(name string, raw []byte, expects string) string {
	return "column " + quoteName(name) + " takes " + expects + ", not " + shown(raw)
}
