package agg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/millrace/millrace/internal/event"
)

const (
	// maxSmallBitmap is the most values that ClickHouse keeps as a list.
	maxSmallBitmap = 32
	// maxBitmapBytes is the longest serialised bitmap that ClickHouse reads.
	maxBitmapBytes = 1 << 30
	// minBitmapPart is the least that a serialised bitmap takes for a value of the high 32
	// bits: these, and the head of a 32-bit bitmap.
	minBitmapPart = 4 + 8
)

// What the first byte of a state says.
const (
	smallBitmap = 0
	largeBitmap = 1
)

var errBitmap = errors.New("state of groupBitmap holds no valid Roaring bitmap")

// bitmaps is groupBitmap: the number of different whole numbers, exact, from a list of up
// to 32 and then a Roaring bitmap. Negative numbers are those of their 64 bits.
//
// Its state is a byte that says which of the two. A list is the number of values as VarUInt
// and the values; a bitmap its size as VarUInt and the portable serialisation of the Roaring
// format for 64 bits, with runs.
type bitmaps struct {
	kind   event.Kind
	groups []bitmap
	data   blocks[uint64]
	values wholeValues

	buffer bytes.Buffer // scratch
}

// bitmap is one group's set.
type bitmap struct {
	small valueList
	large *roaring64.Bitmap // nil: small
}

func bindBitmap(args []event.Type, _ []float64) (kernel, error) {
	switch args[0].Kind {
	case event.Bool, event.Int64, event.UInt64:
		return kernel{event.Type{Kind: event.UInt64}, func() States { return &bitmaps{kind: args[0].Kind} }}, nil
	}
	return kernel{}, errTypes
}

func (s *bitmaps) Grow(n int) { s.groups = resized(s.groups, n) }

func (s *bitmaps) Reset() {
	s.groups = s.groups[:0]
	s.data.reset()
}

func (s *bitmaps) Update(groups []uint32, args []*event.Vector) {
	values := s.values.of(args[0], len(groups))
	for i, g := range groups {
		s.add(g, values[i])
	}
}

func (s *bitmaps) add(g uint32, x uint64) {
	b := &s.groups[g]
	switch {
	case b.large != nil:
		b.large.Add(x)
	case slices.Contains(b.small.values(&s.data), x):
	case b.small.n < maxSmallBitmap:
		b.small.push(&s.data, x)
	default:
		s.enlarge(b)
		b.large.Add(x)
	}
}

func (s *bitmaps) enlarge(b *bitmap) {
	b.large = roaring64.BitmapOf(b.small.values(&s.data)...)
	b.small.clear(&s.data)
}

func (s *bitmaps) Merge(g uint32, b []byte) ([]byte, error) {
	form, rest, err := readFixed(b, 1)
	if err != nil {
		return nil, err
	}
	size, rest, err := readVarUInt(rest)
	if err != nil {
		return nil, err
	}
	switch form {
	case smallBitmap:
		return s.mergeList(g, size, rest)
	case largeBitmap:
		return s.mergeBitmap(g, size, rest)
	}
	return nil, fmt.Errorf("state of groupBitmap begins with %d where 0 or 1 says its form", form)
}

func (s *bitmaps) mergeList(g uint32, count uint64, b []byte) ([]byte, error) {
	width := widthOf(s.kind)
	if count > maxSmallBitmap {
		return nil, fmt.Errorf("state of groupBitmap has a list of %d values; the most are %d", count, maxSmallBitmap)
	}
	size := int(count) * width
	if len(b) < size {
		return nil, errTruncated
	}
	if s.kind == event.Bool {
		if err := checkBools(b[:size]); err != nil {
			return nil, err
		}
	}
	for values := b[:size]; len(values) > 0; values = values[width:] {
		x, _, err := readFixed(values, width)
		if err != nil {
			return nil, err
		}
		s.add(g, x)
	}
	return b[size:], nil
}

func (s *bitmaps) mergeBitmap(g uint32, size uint64, b []byte) ([]byte, error) {
	switch {
	case size > maxBitmapBytes:
		return nil, fmt.Errorf("state of groupBitmap has a bitmap of %d bytes; the most are %d", size, maxBitmapBytes)
	case size > uint64(len(b)):
		return nil, errTruncated
	case s.kind == event.Bool:
		return nil, fmt.Errorf("state of groupBitmap has a bitmap of more than %d values of Bool", maxSmallBitmap)
	}
	text, rest := b[:size], b[size:]
	// The library makes room for as many parts as the head says.
	if parts, _, err := readFixed(text, 8); err != nil || parts > size/minBitmapPart {
		return nil, errBitmap
	}
	other := roaring64.New()
	if n, err := other.ReadFrom(bytes.NewReader(text)); err != nil || n != int64(size) || other.Validate() != nil {
		return nil, errBitmap
	}
	to := &s.groups[g]
	if to.large == nil {
		s.enlarge(to)
	}
	to.large.Or(other)
	return rest, nil
}

func (s *bitmaps) Append(dst []byte, g uint32) []byte {
	b := &s.groups[g]
	if b.large == nil {
		dst = append(dst, smallBitmap)
		dst = binary.AppendUvarint(dst, uint64(b.small.n))
		for _, x := range b.small.values(&s.data) {
			dst = appendFixed(dst, x, widthOf(s.kind))
		}
		return dst
	}
	b.large.RunOptimize()
	s.buffer.Reset()
	if _, err := b.large.WriteTo(&s.buffer); err != nil {
		panic(fmt.Sprintf("agg: write bitmap to memory: %v", err)) // a buffer takes everything
	}
	dst = append(dst, largeBitmap)
	dst = binary.AppendUvarint(dst, uint64(s.buffer.Len()))
	return append(dst, s.buffer.Bytes()...)
}

func (s *bitmaps) Final(out *event.Vector, g uint32) {
	b := &s.groups[g]
	if b.large == nil {
		out.AppendUInt64(uint64(b.small.n))
		return
	}
	out.AppendUInt64(b.large.GetCardinality())
}
