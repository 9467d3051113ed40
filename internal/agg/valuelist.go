package agg

// minValuesClass is the smallest block kept for a list: 4 values.
const minValuesClass = 2

// valueList is the values of one group, as their bits: the first n of a block. The zero
// valueList is empty and owns no block.
type valueList struct {
	off   int
	n     int
	class uint8 // of the block; 0: none
}

func (l *valueList) push(data *blocks[uint64], bits uint64) {
	if l.class == 0 {
		l.off, l.class = data.alloc(minValuesClass), minValuesClass
	} else if l.n == 1<<l.class {
		off := data.alloc(l.class + 1)
		copy(data.at(off, l.class+1), data.at(l.off, l.class))
		data.release(l.off, l.class)
		l.off, l.class = off, l.class+1
	}
	data.data[l.off+l.n] = bits
	l.n++
}

func (l *valueList) values(data *blocks[uint64]) []uint64 { return data.data[l.off : l.off+l.n] }

// clear empties the list and gives its block back.
func (l *valueList) clear(data *blocks[uint64]) {
	if l.class != 0 {
		data.release(l.off, l.class)
	}
	*l = valueList{}
}
