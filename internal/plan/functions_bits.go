package plan

import (
	"math/bits"

	"github.com/millrace/millrace/internal/event"
)

const groupBits = "Bits"

var bitFunctions = []Function{
	bitPair("bitAnd", "bitAnd(12, 10)", "8", "The bits that both have.", func(a, b uint64) uint64 { return a & b }),
	bitPair("bitOr", "bitOr(12, 10)", "14", "The bits that one has.", func(a, b uint64) uint64 { return a | b }),
	bitPair("bitXor", "bitXor(12, 10)", "6", "The bits that exactly one has.", func(a, b uint64) uint64 { return a ^ b }),
	{
		Name: "bitNot", Group: groupBits, Usage: "bitNot(x)", Min: 1, Max: 1,
		Doc:     "Every bit turned, in the width of x.",
		Example: "bitNot(5)", Result: "250",
		bind: bitsOf(func(v uint64, _ int) uint64 { return ^v }),
	},
	{
		Name: "byteSwap", AnyCase: true, Group: groupBits, Usage: "byteSwap(x)", Min: 1, Max: 1,
		Doc:     "The bytes of x in reverse, in its width.",
		Example: "byteSwap(3351772109)", Result: "3455829959",
		bind: bitsOf(func(v uint64, width int) uint64 { return bits.ReverseBytes64(v) >> (64 - width) }),
	},
	bitShift("bitShiftLeft", "bitShiftLeft(1, 4)", "16", "The bits of x moved to the left; 0 from x's width on.", func(v uint64, n uint64, _ bool, _ int) uint64 { return v << n }),
	bitShift("bitShiftRight", "bitShiftRight(16, 4)", "1", "The bits of x moved to the right; a negative number keeps its sign. 0 from x's width on.", shiftRight),
	bitRotation("bitRotateLeft", "bitRotateLeft(129, 1)", "3", "left", func(v uint64, n uint64, width int) uint64 { return rotate(v, int(n%uint64(width)), width) }),
	bitRotation("bitRotateRight", "bitRotateRight(3, 1)", "129", "right", func(v uint64, n uint64, width int) uint64 { return rotate(v, width-int(n%uint64(width)), width) }),
	{
		Name: "bitTest", Group: groupBits, Usage: "bitTest(x, n)", Min: 2, Max: 2,
		Doc:     "Bit n of x, counted from the lowest, 0. n is a constant within x's width.",
		Example: "bitTest(5, 2)", Result: "1",
		bind: bitTest(func(v, mask uint64) bool { return v&mask != 0 }),
	},
	{
		Name: "bitTestAll", Group: groupBits, Usage: "bitTestAll(x, n, …)", Min: 2, Max: -1,
		Doc:     "1 where all these bits of x are set.",
		Example: "bitTestAll(5, 0, 2)", Result: "1",
		bind: bitTest(func(v, mask uint64) bool { return v&mask == mask }),
	},
	{
		Name: "bitTestAny", Group: groupBits, Usage: "bitTestAny(x, n, …)", Min: 2, Max: -1,
		Doc:     "1 where one of these bits of x is set.",
		Example: "bitTestAny(5, 1, 3)", Result: "0",
		bind: bitTest(func(v, mask uint64) bool { return v&mask != 0 }),
	},
	{
		Name: "bitCount", Group: groupBits, Usage: "bitCount(x)", Min: 1, Max: 1,
		Doc:     "How many bits of an integer are set.",
		Example: "bitCount(255)", Result: "8",
		bind: bitCount,
	},
	{
		Name: "bitHammingDistance", Group: groupBits, Usage: "bitHammingDistance(a, b)", Min: 2, Max: 2,
		Doc:     "In how many bits two integers of the same sign differ.",
		Example: "bitHammingDistance(12, 10)", Result: "2",
		bind: hammingDistance,
	},
}

// asBits gives an argument as 64 bits, extended by its sign.
func (c *call) asBits(i int) (valueType, error) {
	if err := c.check(i, anInt); err != nil {
		return valueType{}, err
	}
	t := c.args[i].typ.notNull()
	if t.truth() {
		t.base = uint8s
	}
	c.widen(i, uint64s)
	return t, nil
}

// ofBits makes a kernel of a function that gives the bits of a value of type t.
func ofBits(t valueType, f func(args []operand, i int) uint64) kernel {
	width := t.bits()
	if t.signed() {
		return func(out *event.Vector, args []operand, rows int) {
			dst := slot[int64](i64).sized(out, rows)
			for i := range dst {
				dst[i] = wrapSigned(int64(f(args, i)), width)
			}
		}
	}
	return func(out *event.Vector, args []operand, rows int) {
		dst := slot[uint64](u64).sized(out, rows)
		for i := range dst {
			dst[i] = wrapUnsigned(f(args, i), width)
		}
	}
}

func bitPairType(a, b valueType) valueType {
	return integerOf(a.signed() || b.signed(), max(a.bits(), b.bits()))
}

func bitPair(name, example, result, doc string, f func(a, b uint64) uint64) Function {
	return Function{
		Name: name, Group: groupBits, Usage: name + "(a, b)", Min: 2, Max: 2,
		Doc:     doc + " Of the wider type of the two integers, signed where one is.",
		Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			a, err := c.asBits(0)
			if err != nil {
				return binding{}, err
			}
			b, err := c.asBits(1)
			if err != nil {
				return binding{}, err
			}
			t := bitPairType(a, b)
			return binding{typ: t, run: ofBits(t, func(args []operand, i int) uint64 {
				return f(args[0].U64[i&args[0].mask()], args[1].U64[i&args[1].mask()])
			})}, nil
		},
	}
}

func bitsOf(f func(v uint64, width int) uint64) rule {
	return func(c *call) (binding, error) {
		t, err := c.asBits(0)
		if err != nil {
			return binding{}, err
		}
		width := t.bits()
		return binding{typ: t, run: ofBits(t, func(args []operand, i int) uint64 { return f(args[0].U64[i&args[0].mask()], width) })}, nil
	}
}

// aCount is how far bits move: ClickHouse fails where it is negative.
var aCount = class{"an unsigned integer", func(t valueType) bool { return t.integer() && !t.signed() }, uint64s}

func bitShift(name, example, result, doc string, f func(v, n uint64, signed bool, width int) uint64) Function {
	return Function{
		Name: name, Group: groupBits, Usage: name + "(x, n)", Min: 2, Max: 2,
		Doc:     doc + " n is not signed, since ClickHouse fails where it is negative. Of the wider type of the two.",
		Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			x, err := c.asBits(0)
			if err != nil {
				return binding{}, err
			}
			n := c.args[1].typ
			if err := c.check(1, aCount); err != nil {
				return binding{}, err
			}
			t, width := bitPairType(x, n.notNull()), x.bits()
			return binding{typ: t, run: ofBits(t, func(args []operand, i int) uint64 {
				v, n := args[0].U64[i&args[0].mask()], args[1].U64[i&args[1].mask()]
				if n >= uint64(width) {
					return 0
				}
				return f(v, n, x.signed(), width)
			})}, nil
		},
	}
}

func shiftRight(v, n uint64, signed bool, _ int) uint64 {
	if signed {
		return uint64(int64(v) >> n)
	}
	return v >> n
}

func bitRotation(name, example, result, where string, f func(v, n uint64, width int) uint64) Function {
	return Function{
		Name: name, Group: groupBits, Usage: name + "(x, n)", Min: 2, Max: 2,
		Doc:     "The bits of x turned to the " + where + " by n, in x's width. n is not signed, and no wider than x.",
		Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			x, err := c.asBits(0)
			if err != nil {
				return binding{}, err
			}
			n := c.args[1]
			if err := c.check(1, aCount); err != nil {
				return binding{}, err
			}
			if n.typ.bits() > x.bits() {
				return binding{}, refuse(n.pos, "cast x to the wider type", "%s would turn %s in the width of %s", c.name, x.name(), n.typ.name())
			}
			width := x.bits()
			return binding{typ: x, run: ofBits(x, func(args []operand, i int) uint64 {
				return f(args[0].U64[i&args[0].mask()], args[1].U64[i&args[1].mask()], width)
			})}, nil
		},
	}
}

func rotate(v uint64, n, width int) uint64 {
	v = wrapUnsigned(v, width)
	return v<<n | v>>(width-n)
}

// bitTest is the rule of the functions that look at bits of constant numbers.
func bitTest(holds func(v, mask uint64) bool) rule {
	return func(c *call) (binding, error) {
		t, err := c.asBits(0)
		if err != nil {
			return binding{}, err
		}
		var mask uint64
		for i, n := range c.args[1:] {
			if err := c.check(i+1, aCount); err != nil {
				return binding{}, err
			}
			bit := c.args[i+1].constant
			if bit == nil || bit.Null(0) || bit.U64[0] >= uint64(t.bits()) {
				return binding{}, refuse(n.pos, "as in bitTest(x, 3)", "the bit must be a constant from 0 to %d", t.bits()-1)
			}
			mask |= 1 << bit.U64[0]
		}
		c.args = c.args[:1]
		return binding{typ: valueType{base: logical}, run: map1(u64, u8, func(v uint64) uint8 { return truth(holds(v, mask)) })}, nil
	}
}

func bitCount(c *call) (binding, error) {
	t, err := c.asBits(0)
	if err != nil {
		return binding{}, err
	}
	width := t.bits()
	return binding{typ: valueType{base: uint8s}, run: map1(u64, u64, func(v uint64) uint64 {
		return uint64(bits.OnesCount64(wrapUnsigned(v, width)))
	})}, nil
}

func hammingDistance(c *call) (binding, error) {
	a, err := c.asBits(0)
	if err != nil {
		return binding{}, err
	}
	b, err := c.asBits(1)
	if err != nil {
		return binding{}, err
	}
	width := max(a.bits(), b.bits())
	if a.signed() != b.signed() {
		return binding{}, refuse(c.pos, "cast one of them", "%s and %s differ in sign", a.name(), b.name())
	}
	return binding{typ: valueType{base: uint8s}, run: map2(u64, u64, u64, func(a, b uint64) uint64 {
		return uint64(bits.OnesCount64(wrapUnsigned(a^b, width)))
	})}, nil
}
