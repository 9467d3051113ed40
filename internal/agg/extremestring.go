package agg

import (
	"bytes"

	"github.com/millrace/millrace/internal/event"
)

// minStringClass is the smallest block kept for a string: 16 bytes, so that a group
// whose best string becomes a little longer does not move.
const minStringClass = 4

// stringPlace is where a group's best string lies in the blocks.
type stringPlace struct {
	off   int
	size  int32
	class uint8
	has   bool
}

// stringExtremes is min and max over strings, which compare as bytes.
//
// Its state is the size as Int32, -1 without a value, and then the string with a zero
// byte behind it that the size counts.
type stringExtremes struct {
	sign  int // of bytes.Compare(x, best) where x is better: 1 for max, -1 for min
	place []stringPlace
	data  blocks[byte]
}

func (e *stringExtremes) Grow(n int) { e.place = resized(e.place, n) }

func (e *stringExtremes) Reset() {
	e.place = e.place[:0]
	e.data.reset()
}

func (e *stringExtremes) Update(groups []uint32, args []*event.Vector) {
	v := &args[0].Str
	for i, g := range groups {
		e.offer(g, v.At(i))
	}
}

func (e *stringExtremes) offer(g uint32, x []byte) {
	p := &e.place[g]
	if !p.has || bytes.Compare(x, p.value(&e.data)) == e.sign {
		p.store(&e.data, x)
	}
}

func (p *stringPlace) store(data *blocks[byte], x []byte) {
	if need := max(classFor(len(x)), minStringClass); !p.has || need > p.class {
		if p.has {
			data.release(p.off, p.class)
		}
		p.off, p.class, p.has = data.alloc(need), need, true
	}
	p.size = int32(copy(data.at(p.off, p.class), x))
}

func (p *stringPlace) value(data *blocks[byte]) []byte {
	return data.data[p.off : p.off+int(p.size)]
}

func (e *stringExtremes) Merge(g uint32, b []byte) ([]byte, error) {
	x, has, rest, err := readSingleString(b)
	if has {
		e.offer(g, x)
	}
	return rest, err
}

func (e *stringExtremes) Append(dst []byte, g uint32) []byte {
	p := &e.place[g]
	return appendSingleString(dst, p.value(&e.data), p.has)
}

// Final gives the empty string for a group without values, as ClickHouse does.
func (e *stringExtremes) Final(out *event.Vector, g uint32) {
	if !e.place[g].has {
		out.AppendZero(false)
		return
	}
	out.AppendString(e.place[g].value(&e.data))
}
