package plan

import (
	"strings"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/scalar"
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
			list = append(list, parserOf(t, f64, scalar.ParseFloat)[:2]...)
		case t.signed():
			list = append(list, parserOf(t, i64, func(s []byte) (int64, bool) {
				v, ok := scalar.ParseInt(s)
				if ok = ok && wrapSigned(v, bits) == v; !ok {
					v = 0
				}
				return v, ok
			})...)
		default:
			list = append(list, parserOf(t, u64, func(s []byte) (uint64, bool) {
				v, ok := scalar.ParseUint(s)
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
