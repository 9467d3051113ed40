package agg

import "math"

// insertionSortMax is the length up to which insertion beats four counting passes.
const insertionSortMax = 48

// centroidSorter sorts centroids by mean, stably: equal means keep their order, which
// is what makes a digest repeat ClickHouse's. It holds scratch memory.
type centroidSorter struct {
	scratch []centroid
}

// sortKey orders floats as unsigned integers.
func sortKey(x float32) uint32 {
	b := math.Float32bits(x)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

func (s *centroidSorter) sort(c []centroid) {
	if len(c) <= insertionSortMax {
		for i := 1; i < len(c); i++ {
			x := c[i]
			k, j := sortKey(x.mean), i
			for ; j > 0 && sortKey(c[j-1].mean) > k; j-- {
				c[j] = c[j-1]
			}
			c[j] = x
		}
		return
	}
	s.radix(c)
}

// radix is a least-significant-byte radix sort; a pass whose byte is the same for all
// is left out.
func (s *centroidSorter) radix(c []centroid) {
	var counts [4][256]uint32
	for _, x := range c {
		k := sortKey(x.mean)
		counts[0][k&255]++
		counts[1][k>>8&255]++
		counts[2][k>>16&255]++
		counts[3][k>>24]++
	}
	s.scratch = resized(s.scratch[:0], len(c))
	from, to := c, s.scratch
	for pass := range counts {
		shift := 8 * pass
		next := &counts[pass]
		if next[sortKey(from[0].mean)>>shift&255] == uint32(len(c)) {
			continue
		}
		sum := uint32(0)
		for b, n := range next {
			next[b] = sum
			sum += n
		}
		for _, x := range from {
			b := sortKey(x.mean) >> shift & 255
			to[next[b]] = x
			next[b]++
		}
		from, to = to, from
	}
	if &from[0] != &c[0] {
		copy(c, from)
	}
}
