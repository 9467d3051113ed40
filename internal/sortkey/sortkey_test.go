package sortkey

import (
	"bytes"
	"cmp"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// hold checks the package's invariant for one type.
func hold[T cmp.Ordered](t *testing.T, gen *rapid.Generator[T], write func([]byte, T) []byte, read func([]byte) T) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		x, y := gen.Draw(t, "x"), gen.Draw(t, "y")
		a, b := write(nil, x), write(nil, y)
		if len(a) != Size {
			t.Fatalf("%v takes %d bytes", x, len(a))
		}
		if got := bytes.Compare(a, b); got != cmp.Compare(x, y) {
			t.Fatalf("%v and %v compare as %d", x, y, got)
		}
		if got := read(a); got != x {
			t.Fatalf("%v reads back as %v", x, got)
		}
		Complement(a)
		Complement(b)
		if got := bytes.Compare(b, a); got != cmp.Compare(x, y) {
			t.Fatalf("complements of %v and %v compare as %d", x, y, got)
		}
	})
}

func TestOrder(t *testing.T) {
	t.Run("Int64", func(t *testing.T) {
		hold(t, rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64})), AppendInt64, Int64)
	})
	t.Run("UInt64", func(t *testing.T) {
		hold(t, rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1 << 53, 1<<53 + 1, math.MaxUint64})), AppendUInt64, UInt64)
	})
	t.Run("Float64", func(t *testing.T) {
		special := []float64{math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64, math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, 1, math.Inf(1)}
		hold(t, rapid.OneOf(rapid.Float64(), rapid.SampledFrom(special)), AppendFloat64, Float64)
	})
}
