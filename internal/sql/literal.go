package sql

import (
	"math"
	"strconv"
	"strings"
)

// parseNumber turns a number token and its sign into a Literal's value: int64 where it
// fits, else uint64, else float64. ok is false where even float64 has no room for it.
func parseNumber(text string, negative bool) (value any, ok bool) {
	text = strings.ReplaceAll(text, "_", "")
	base := 10
	if len(text) > 2 && text[0] == '0' {
		switch text[1] {
		case 'x', 'X':
			text, base = text[2:], 16
		case 'b', 'B':
			text, base = text[2:], 2
		}
	}
	if negative {
		text = "-" + text
	}
	if i, err := strconv.ParseInt(text, base, 64); err == nil {
		return i, true
	}
	if u, err := strconv.ParseUint(text, base, 64); err == nil {
		return u, true
	}
	if base != 10 {
		return nil, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// QuoteString returns s as a string literal.
func QuoteString(s string) string { return string(appendQuoted(nil, s, '\'')) }

// QuoteName returns name as an identifier: as it is where that is safe, else in
// backticks.
func QuoteName(name string) string {
	if isBareName(name) {
		return name
	}
	return string(appendQuoted(nil, name, '`'))
}

func isBareName(name string) bool { return isWord(name) && !isClauseWord(name) }

// isWord reports whether a name is read as one word.
func isWord(name string) bool {
	if name == "" || !isWordStart(name[0]) {
		return false
	}
	for i := 1; i < len(name); i++ {
		if !isWordStart(name[i]) && !isDigit(name[i]) {
			return false
		}
	}
	return true
}

func appendQuoted(dst []byte, s string, quote byte) []byte {
	dst = append(dst, quote)
	for i := 0; i < len(s); i++ {
		switch b := s[i]; b {
		case quote, '\\':
			dst = append(dst, '\\', b)
		case 0:
			dst = append(dst, '\\', '0')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, quote)
}

// appendValue writes a Literal's value so that it reads back as the same type.
func appendValue(dst []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, "NULL"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case float64:
		return appendFloat(dst, v)
	case string:
		return appendQuoted(dst, v, '\'')
	}
	return dst
}

func appendFloat(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "nan"...)
	case math.IsInf(v, 1):
		return append(dst, "inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-inf"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if !strings.ContainsAny(string(dst[start:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}
