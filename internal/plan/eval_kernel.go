package plan

import "github.com/millrace/millrace/internal/event"

// slot names the slice of a Vector that holds values of T.
type slot[T any] func(v *event.Vector) *[]T

func u8(v *event.Vector) *[]uint8    { return &v.U8 }
func i64(v *event.Vector) *[]int64   { return &v.I64 }
func u64(v *event.Vector) *[]uint64  { return &v.U64 }
func f64(v *event.Vector) *[]float64 { return &v.F64 }

// values returns the values of an argument and the mask of its row numbers.
func (s slot[T]) values(o operand) ([]T, int) { return *s(o.Vector), o.mask() }

// sized makes room for rows results and returns them.
func (s slot[T]) sized(out *event.Vector, rows int) []T {
	dst := s(out)
	*dst = resize(*dst, rows)
	return *dst
}

// map1 makes a kernel of a function of one value.
func map1[A, R any](in slot[A], to slot[R], f func(A) R) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		a, mask := in.values(args[0])
		dst := to.sized(out, rows)
		for i := range dst {
			dst[i] = f(a[i&mask])
		}
	}
}

// map2 makes a kernel of a function of two values.
func map2[A, B, R any](in1 slot[A], in2 slot[B], to slot[R], f func(A, B) R) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		a, am := in1.values(args[0])
		b, bm := in2.values(args[1])
		dst := to.sized(out, rows)
		for i := range dst {
			dst[i] = f(a[i&am], b[i&bm])
		}
	}
}

// mapText makes a kernel of a function that appends a text to dst.
func mapText[A any](in slot[A], f func(dst []byte, v A) []byte) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		a, mask := in.values(args[0])
		texts := newTexts(out, rows)
		for i := range rows {
			texts.data = f(texts.data, a[i&mask])
			texts.end(i)
		}
		texts.finish(out)
	}
}

// textOf makes a kernel of a function of a text.
func textOf[R any](to slot[R], f func([]byte) R) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		mask := args[0].mask()
		dst := to.sized(out, rows)
		for i := range dst {
			dst[i] = f(args[0].Str.At(i & mask))
		}
	}
}

// textToText makes a kernel of a function that appends what it makes of a text.
func textToText(f func(dst, s []byte) []byte) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		mask := args[0].mask()
		texts := newTexts(out, rows)
		for i := range rows {
			texts.data = f(texts.data, args[0].Str.At(i&mask))
			texts.end(i)
		}
		texts.finish(out)
	}
}

// texts is a String result while it is written.
type texts struct {
	offsets []int32
	data    []byte
}

func newTexts(out *event.Vector, rows int) texts {
	t := texts{offsets: resize(out.Str.Offsets, rows+1), data: out.Str.Data[:0]}
	t.offsets[0] = 0
	return t
}

// end ends the text of row i.
func (t *texts) end(i int) { t.offsets[i+1] = int32(len(t.data)) }

func (t *texts) finish(out *event.Vector) { out.Str.Offsets, out.Str.Data = t.offsets, t.data }

// number is what arithmetic works on.
type number interface {
	~int64 | ~uint64 | ~float64
}

// ordered is what comparison loops work on.
type ordered interface {
	~uint8 | ~int64 | ~uint64 | ~float64
}

func truth(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// convertRows is a kernel of Go's own conversion between number types.
func convertRows[A, R ~uint8 | ~int64 | ~uint64 | ~float64](in slot[A], to slot[R]) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		a, mask := in.values(args[0])
		dst := to.sized(out, rows)
		for i := range dst {
			dst[i] = R(a[i&mask])
		}
	}
}

// wrapSigned cuts v to a signed integer of the given bits, as a C++ cast does.
func wrapSigned(v int64, bits int) int64 { return v << (64 - bits) >> (64 - bits) }

// wrapUnsigned cuts v to an unsigned integer of the given bits.
func wrapUnsigned(v uint64, bits int) uint64 { return v << (64 - bits) >> (64 - bits) }
