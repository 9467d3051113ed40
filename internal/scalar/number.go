package scalar

import (
	"bytes"
	"math"
	"strconv"
)

// ParseUint reads digits, with a plus before them or not.
func ParseUint(s []byte) (uint64, bool) {
	if len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	return parseDigits(s)
}

func parseDigits(s []byte) (uint64, bool) {
	if len(s) == 0 {
		return 0, false
	}
	var v uint64
	for _, b := range s {
		d := uint64(b - '0')
		if d > 9 || v > math.MaxUint64/10 || v*10 > math.MaxUint64-d {
			return 0, false
		}
		v = v*10 + d
	}
	return v, true
}

// ParseInt reads digits with a sign or not.
func ParseInt(s []byte) (int64, bool) {
	if len(s) == 0 || s[0] != '-' {
		v, ok := ParseUint(s)
		if v > math.MaxInt64 {
			return 0, false
		}
		return int64(v), ok
	}
	v, ok := parseDigits(s[1:])
	if v > 1<<63 {
		return 0, false
	}
	return -int64(v), ok
}

// maxFloatText is the longest number, in bytes, that is read without an allocation.
const maxFloatText = 64

// ParseFloat reads what ClickHouse takes for a Float64: digits with a point and an
// exponent, inf, infinity and nan in any case.
func ParseFloat(s []byte) (float64, bool) {
	digits := s
	if len(digits) > 0 && (digits[0] == '+' || digits[0] == '-') {
		digits = digits[1:]
	}
	if !isDecimal(digits) {
		return parseNotFinite(digits, len(s) > 0 && s[0] == '-')
	}
	var buffer [maxFloatText]byte
	v, err := strconv.ParseFloat(string(append(buffer[:0], s...)), 64)
	return v, err == nil || math.IsInf(v, 0)
}

func parseNotFinite(s []byte, negative bool) (float64, bool) {
	switch {
	case bytes.EqualFold(s, []byte("nan")):
		return math.NaN(), true
	case bytes.EqualFold(s, []byte("inf")), bytes.EqualFold(s, []byte("infinity")):
		if negative {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	return 0, false
}

// isDecimal reports whether s is digits, with one point in or beside them, and an
// exponent or none.
func isDecimal(s []byte) bool {
	whole := countDigits(s)
	s = s[whole:]
	if len(s) > 0 && s[0] == '.' {
		fraction := countDigits(s[1:])
		s = s[1+fraction:]
		whole += fraction
	}
	if whole == 0 {
		return false
	}
	if len(s) == 0 {
		return true
	}
	if s[0]|0x20 != 'e' {
		return false
	}
	s = s[1:]
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	n := countDigits(s)
	return n > 0 && n == len(s)
}

func countDigits(s []byte) int {
	for i, b := range s {
		if b-'0' > 9 {
			return i
		}
	}
	return len(s)
}

// AppendFloat writes the shortest text that reads back as v, as ClickHouse does: with an
// exponent from 1e21 on and below 1e-6.
func AppendFloat(dst []byte, v float64) []byte {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return append(dst, "nan"...)
	case math.IsInf(v, 1):
		return append(dst, "inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-inf"...)
	case v == 0 || size >= 1e-6 && size < 1e21:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
	// Go writes 1e+21 and 1e-07.
	e := from + bytes.IndexByte(dst[from:], 'e') + 1
	digits := e + 1
	if dst[e] == '-' {
		e++
	}
	for digits < len(dst)-1 && dst[digits] == '0' {
		digits++
	}
	return append(dst[:e], dst[digits:]...)
}
