package agg

// Bounds of ClickHouse's UniquesHashSet.
const (
	maxUniques    = 1 << 16 // hashes kept; beyond, the skip degree rises
	maxUniqDegree = 16      // 2^16 hashes are multiples of 2^16: no set needs more
)

// Layout classes of a hashSet's block.
const (
	minListClass = 2  // a set begins as a list of up to 4 hashes
	maxListClass = 4  // beyond 16 a list becomes a hash table …
	minHashClass = 6  // … of 64 cells, at most half of them filled
	maxHashClass = 17 // 2^17 cells hold maxUniques
)

// hashSet is one group's set of 32-bit hashes: an unordered list while it is small,
// and then an open-addressing table in which 0 is the empty cell. The zero hashSet is
// empty and owns no block.
type hashSet struct {
	off    int
	n      uint32 // hashes in the block
	class  uint8  // of the block; 0: none
	degree uint8
	zero   bool // the hash 0 is in the set; it is never in the block
}

// kept reports whether a set of that degree keeps the hash.
func kept(h uint32, degree uint8) bool { return h&(1<<degree-1) == 0 }

func (s *hashSet) size() int {
	n := int(s.n)
	if s.zero {
		n++
	}
	return n
}

// cells returns the part of the block that may hold hashes; zeros in it are empty.
func (s *hashSet) cells(data *blocks[uint32]) []uint32 {
	if s.class <= maxListClass {
		return data.data[s.off : s.off+int(s.n)]
	}
	return data.at(s.off, s.class)
}

func (s *hashSet) insert(data *blocks[uint32], h uint32) {
	if !kept(h, s.degree) {
		return
	}
	switch {
	case h == 0:
		s.zero = true
	case s.class <= maxListClass:
		for _, x := range s.cells(data) {
			if x == h {
				return
			}
		}
		s.append(data, h)
	default:
		if !place(data.at(s.off, s.class), s.class, h) {
			return
		}
		if s.n++; s.n > 1<<s.class/2 && s.class < maxHashClass {
			s.move(data, s.class+1)
		}
	}
	for s.size() > maxUniques {
		s.thin(data, s.degree+1)
	}
}

// append adds a hash that is not in the list, which becomes a table where it is full.
func (s *hashSet) append(data *blocks[uint32], h uint32) {
	switch {
	case s.class == 0:
		s.off, s.class = data.alloc(minListClass), minListClass
	case s.n < 1<<s.class:
	case s.class < maxListClass:
		s.move(data, s.class+1)
	default:
		s.move(data, minHashClass)
		place(data.at(s.off, s.class), s.class, h)
		s.n++
		return
	}
	data.data[s.off+int(s.n)] = h
	s.n++
}

// move puts the hashes that the degree keeps into a new block.
func (s *hashSet) move(data *blocks[uint32], class uint8) {
	off := data.alloc(class)
	from, to := s.cells(data), data.at(off, class)
	n := uint32(0)
	if class > maxListClass {
		clear(to)
	}
	for _, h := range from {
		if h == 0 || !kept(h, s.degree) {
			continue
		}
		if class > maxListClass {
			place(to, class, h)
		} else {
			to[n] = h
		}
		n++
	}
	data.release(s.off, s.class)
	s.off, s.class, s.n = off, class, n
}

// thin raises the degree and drops the hashes that it excludes.
func (s *hashSet) thin(data *blocks[uint32], degree uint8) {
	s.degree = degree
	if s.class != 0 {
		s.move(data, s.class)
	}
}

// place puts a hash into a table and reports whether it was not yet there. The high
// bits choose the cell: the low ones are zero in a thinned set.
func place(cells []uint32, class uint8, h uint32) bool {
	mask := uint32(len(cells) - 1)
	for i := h >> (32 - class); ; i++ {
		switch cells[i&mask] {
		case 0:
			cells[i&mask] = h
			return true
		case h:
			return false
		}
	}
}
