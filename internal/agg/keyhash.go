package agg

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// keyHasher hashes group keys by folded 128-bit products (as wyhash does), which takes
// a few cycles for the short keys that groups have. Its secrets are random, so that
// nobody outside can make up keys that collide.
type keyHasher struct {
	seed, secret uint64
}

func newKeyHasher() keyHasher { return keyHasher{seed: rand.Uint64(), secret: rand.Uint64() | 1} }

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

func (h keyHasher) hash(k groupKey) uint32 {
	x := h.seed
	for _, w := range k.words {
		x = fold(x^w, h.secret)
	}
	b := k.text
	n := len(b)
	for len(b) > 16 {
		x = fold(binary.LittleEndian.Uint64(b)^h.secret, binary.LittleEndian.Uint64(b[8:])^x)
		b = b[16:]
	}
	var first, last uint64 // of at most 16 bytes, overlapping where there are fewer
	switch m := len(b); {
	case m >= 8:
		first, last = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[m-8:])
	case m >= 4:
		first, last = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[m-4:]))
	case m > 0:
		first = uint64(b[0]) | uint64(b[m/2])<<8 | uint64(b[m-1])<<16
	}
	x = fold(fold(first^h.secret, last^x)^uint64(n), h.secret)
	return uint32(x ^ x>>32)
}
