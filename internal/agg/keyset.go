package agg

import "math/bits"

// minKeyClass is the smallest block of a keySet: 4 cells.
const minKeyClass = 2

// setKey is what a keySet holds: a value of up to 64 bits, or a hash of 128.
type setKey interface {
	comparable
	hash() uint64
}

type key64 uint64

func (k key64) hash() uint64 { return uint64(k) * 0x9E3779B97F4A7C15 }

type key128 struct{ lo, hi uint64 }

func (k key128) hash() uint64 { return k.lo }

// keySet is one group's set of keys: an open-addressing table, at most half full, in which
// the zero key marks an empty cell. The zero keySet is empty and owns no block.
type keySet struct {
	off   int
	n     int   // keys in the block
	class uint8 // of the block; 0: none
	zero  bool  // the zero key is in the set; it is never in the block
}

func (s *keySet) size() int {
	if s.zero {
		return s.n + 1
	}
	return s.n
}

// insertKey adds a key to a set whose block is in data.
func insertKey[K setKey](s *keySet, data *blocks[K], k K) {
	var zero K
	if k == zero {
		s.zero = true
		return
	}
	if s.class == 0 {
		s.off, s.class = data.alloc(minKeyClass), minKeyClass
		clear(data.at(s.off, s.class))
	}
	if !placeKey(data.at(s.off, s.class), s.class, k) {
		return
	}
	if s.n++; s.n > 1<<s.class/2 {
		growKeys(s, data)
	}
}

// growKeys moves the keys to a block of twice the size.
func growKeys[K setKey](s *keySet, data *blocks[K]) {
	var zero K
	off := data.alloc(s.class + 1)
	from, to := data.at(s.off, s.class), data.at(off, s.class+1)
	clear(to)
	for _, k := range from {
		if k != zero {
			placeKey(to, s.class+1, k)
		}
	}
	data.release(s.off, s.class)
	s.off, s.class = off, s.class+1
}

// placeKey puts a key into a table and reports whether it was not yet there. The high bits
// of the hash choose the cell.
func placeKey[K setKey](cells []K, class uint8, k K) bool {
	var zero K
	mask := uint64(len(cells) - 1)
	for i := bits.RotateLeft64(k.hash(), int(class)); ; i++ {
		switch cells[i&mask] {
		case zero:
			cells[i&mask] = k
			return true
		case k:
			return false
		}
	}
}

// eachKey calls f with every key of a set.
func eachKey[K setKey](s *keySet, data *blocks[K], f func(K)) {
	var zero K
	if s.zero {
		f(zero)
	}
	if s.class == 0 {
		return
	}
	for _, k := range data.at(s.off, s.class) {
		if k != zero {
			f(k)
		}
	}
}
