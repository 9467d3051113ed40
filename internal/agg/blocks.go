package agg

import "math/bits"

// maxBlockClass bounds a block to 2^31 elements: more than any string or set needs.
const maxBlockClass = 31

// blocks hands out runs of 2^class elements from one growing slice. Groups keep an
// offset and a class instead of a slice of their own, so that a million small states
// are one object to the garbage collector, and a block that a state outgrew serves the
// next one. Slices returned by at are valid until the next alloc.
type blocks[T any] struct {
	data []T
	free [maxBlockClass + 1][]int // offsets of released blocks by class
}

// alloc returns the offset of a block whose content is undefined.
func (b *blocks[T]) alloc(class uint8) int {
	if f := b.free[class]; len(f) > 0 {
		off := f[len(f)-1]
		b.free[class] = f[:len(f)-1]
		return off
	}
	off := len(b.data)
	b.data = resized(b.data, off+1<<class)
	return off
}

func (b *blocks[T]) release(off int, class uint8) { b.free[class] = append(b.free[class], off) }

func (b *blocks[T]) at(off int, class uint8) []T { return b.data[off : off+1<<class] }

// reset releases every block and keeps the memory.
func (b *blocks[T]) reset() {
	b.data = b.data[:0]
	for i := range b.free {
		b.free[i] = b.free[i][:0]
	}
}

// classFor returns the smallest class that holds n elements.
func classFor(n int) uint8 { return uint8(bits.Len(uint(max(n, 1) - 1))) }
