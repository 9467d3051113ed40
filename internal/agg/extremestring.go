package agg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

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
	if !p.has || bytes.Compare(x, e.value(g)) == e.sign {
		e.store(p, x)
	}
}

func (e *stringExtremes) store(p *stringPlace, x []byte) {
	if need := max(classFor(len(x)), minStringClass); !p.has || need > p.class {
		if p.has {
			e.data.release(p.off, p.class)
		}
		p.off, p.class, p.has = e.data.alloc(need), need, true
	}
	p.size = int32(copy(e.data.at(p.off, p.class), x))
}

func (e *stringExtremes) value(g uint32) []byte {
	p := &e.place[g]
	return e.data.data[p.off : p.off+int(p.size)]
}

func (e *stringExtremes) Merge(g uint32, b []byte) ([]byte, error) {
	bits, rest, err := readFixed(b, 4)
	if err != nil {
		return nil, err
	}
	size := int32(bits)
	if size == -1 {
		return rest, nil
	}
	if size < 0 || size == math.MaxInt32 {
		return nil, fmt.Errorf("state holds a string of size %d", size)
	}
	if int(size) > len(rest) {
		return nil, errTruncated
	}
	// Some versions of ClickHouse wrote no zero byte; like it, take both.
	e.offer(g, bytes.TrimSuffix(rest[:size], []byte{0}))
	return rest[size:], nil
}

func (e *stringExtremes) Append(dst []byte, g uint32) []byte {
	if !e.place[g].has {
		return binary.LittleEndian.AppendUint32(dst, math.MaxUint32)
	}
	x := e.value(g)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(x)+1))
	return append(append(dst, x...), 0)
}

// Final gives the empty string for a group without values, as ClickHouse does.
func (e *stringExtremes) Final(out *event.Vector, g uint32) {
	if !e.place[g].has {
		out.AppendZero(false)
		return
	}
	out.AppendString(e.value(g))
}
