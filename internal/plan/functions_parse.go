package plan

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

// parsers are the entries that read numbers out of texts which may hold something else.
func parsers() []Function {
	var list []Function
	for _, b := range []base{int8s, int16s, int32s, int64s, uint8s, uint16s, uint32s, uint64s, float64s} {
		t := valueType{base: b}
		bits := t.bits()
		switch {
		case b == float64s:
			// toFloat64OrDefault reads some numbers otherwise in ClickHouse: 4.9e-324 is 0.
			list = append(list, parserOf(t, f64, parseFloat64)[:2]...)
		case t.signed():
			list = append(list, parserOf(t, i64, func(s []byte) (int64, bool) {
				v, ok := parseInt64(s)
				if ok = ok && wrapSigned(v, bits) == v; !ok {
					v = 0
				}
				return v, ok
			})...)
		default:
			list = append(list, parserOf(t, u64, func(s []byte) (uint64, bool) {
				v, ok := parseUint64(s)
				if ok = ok && wrapUnsigned(v, bits) == v; !ok {
					v = 0
				}
				return v, ok
			})...)
		}
	}
	return list
}

// parserOf is the entries toT…OrNull, toT…OrZero and toT…OrDefault of a type.
func parserOf[T any](t valueType, to slot[T], parse func([]byte) (T, bool)) []Function {
	entry := func(suffix, arguments, example, result, otherwise string, most int, bind rule) Function {
		name := "to" + t.name() + suffix
		return Function{
			Name: name, Group: groupCast, Usage: name + "(" + arguments + ")", Min: 1, Max: most,
			Doc:     "The number that the whole text s writes, without spaces around it; " + otherwise + " where it does not, or where the number has no room.",
			Example: strings.ReplaceAll(example, "_", name), Result: result, bind: bind,
		}
	}
	return []Function{
		entry("OrNull", "s", "isNull(_('12x'))", "1", "NULL", 1, textOrNull(t, to, parse)),
		entry("OrZero", "s", "_('x')", "0", "0", 1, takes(t.base, textOrZero(to, parse), aText)),
		entry("OrDefault", "s[, other]", "_('x', to"+t.name()+"(7))", "7", "other, of the same type, or 0 (also where s is NULL)", 2, textOrDefault(t, to, parse)),
	}
}

func textOrZero[T any](to slot[T], parse func([]byte) (T, bool)) kernel {
	return textOf(to, func(s []byte) T {
		v, _ := parse(s)
		return v
	})
}

func textOrNull[T any](t valueType, to slot[T], parse func([]byte) (T, bool)) rule {
	run := func(out *event.Vector, args []operand, rows int) {
		mask := args[0].mask()
		dst := to.sized(out, rows)
		for i := range dst {
			v, ok := parse(args[0].Str.At(i & mask))
			dst[i] = v
			out.Nulls[i] = truth(!ok)
		}
	}
	return func(c *call) (binding, error) {
		if err := c.check(0, aText); err != nil {
			return binding{}, err
		}
		return binding{typ: t.orNull(true), run: run, nulls: nullByKernel}, nil
	}
}

func textOrDefault[T any](t valueType, to slot[T], parse func([]byte) (T, bool)) rule {
	return func(c *call) (binding, error) {
		if err := c.check(0, aText); err != nil {
			return binding{}, err
		}
		if len(c.args) == 2 && c.args[1].typ != t {
			return binding{}, refuse(c.args[1].pos, "write to"+t.name()+"(…)", "the other value of %s must be %s, not %s", c.name, t.name(), c.args[1].typ.name())
		}
		return binding{typ: t, nulls: nullByKernel, run: func(out *event.Vector, args []operand, rows int) {
			mask := args[0].mask()
			dst := to.sized(out, rows)
			for i := range dst {
				v, ok := parse(args[0].Str.At(i & mask))
				if (!ok || args[0].null(i)) && len(args) == 2 {
					others, om := to.values(args[1])
					v = others[i&om]
				}
				dst[i] = v
			}
		}}, nil
	}
}

// parseUint64 reads digits, with a plus before them or not.
func parseUint64(s []byte) (uint64, bool) {
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

// parseInt64 reads digits with a sign or not.
func parseInt64(s []byte) (int64, bool) {
	if len(s) == 0 || s[0] != '-' {
		v, ok := parseUint64(s)
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

// parseFloat64 reads what ClickHouse takes for a Float64: digits with a point and an
// exponent, inf, infinity and nan in any case.
func parseFloat64(s []byte) (float64, bool) {
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

// appendFloat writes the shortest text that reads back as v, as ClickHouse does: with an
// exponent from 1e21 on and below 1e-6.
func appendFloat(dst []byte, v float64) []byte {
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
