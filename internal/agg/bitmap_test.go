package agg_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// TestBitmapLarge compares groupBitmap with the engine around the size at which a list
// becomes a bitmap, and in each container of Roaring bitmaps: states are equal byte for
// byte, and parts merge to the whole, whichever of the two wrote them.
func TestBitmapLarge(t *testing.T) {
	f := resolve(t, "groupBitmap", nil, tInt)
	compared := 0
	for _, c := range []struct {
		column string
		value  func(i int64) int64
	}{
		{"toInt64(number)", func(i int64) int64 { return i }},
		{"toInt64(number) - 50", func(i int64) int64 { return i - 50 }},
		{"toInt64(number) * 7919", func(i int64) int64 { return i * 7919 }},
		{"toInt64(number) * 1000000007 * 977", func(i int64) int64 { return i * 1000000007 * 977 }},
		{"toInt64(number % 37)", func(i int64) int64 { return i % 37 }},
	} {
		fill := func(from, to int) *event.Vector {
			v := &event.Vector{Type: tInt}
			for i := from; i < to; i++ {
				v.AppendInt64(c.value(int64(i)))
			}
			return v
		}
		for _, n := range []int{1, 31, 32, 33, 34, 100, 4096, 4097, 70_000} {
			answer := ask(t, fmt.Sprintf("SELECT toString(groupBitmap(x)), hex(groupBitmapState(x)) FROM (SELECT %s AS x FROM numbers(%d))", c.column, n))[0]
			whole := one(f, fill(0, n))
			if got := finalText(f, whole, 0); got != answer[0] {
				t.Errorf("groupBitmap of %d × %s is %s, want %s", n, c.column, got, answer[0])
			}
			theirs := unhex(t, answer[1])
			if got := whole.Append(nil, 0); !bytes.Equal(got, theirs) {
				t.Errorf("groupBitmap of %d × %s: state of %d bytes is not the engine's of %d", n, c.column, len(got), len(theirs))
			}
			rest := one(f, fill(n/2, n+n/10))
			want := finalText(f, one(f, fill(0, n+n/10)), 0)
			ours := rest.Append(nil, 0)
			if _, err := rest.Merge(0, theirs); err != nil {
				t.Fatal(err)
			}
			if got := finalText(f, rest, 0); got != want {
				t.Errorf("groupBitmap of %d × %s merged here is %s, want %s", n, c.column, got, want)
			}
			sql := fmt.Sprintf("SELECT toString(groupBitmapMerge(%s)) FROM values('state String', '%x', '%x')", castState(f, "state"), ours, theirs)
			if got := ask(t, sql)[0][0]; got != want {
				t.Errorf("groupBitmap of %d × %s merged by the engine is %s, want %s", n, c.column, got, want)
			}
			compared++
		}
	}
	t.Logf("%d bitmaps compared with the engine", compared)
}
