package parquetfile

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/klauspost/compress/zstd"

	"github.com/millrace/millrace/internal/event"
)

// pageRows is the rows of a data page: 512 KiB of 64-bit values, large enough for zstd
// to work well and small enough for a reader to skip.
const pageRows = 64 << 10

// page is one finished data page in column.arena.
type page struct {
	from, to     int // compressed bytes
	uncompressed int
	rows         int
	encoding     parquet.Encoding
}

// column gathers the rows of one page, then encodes and compresses it. Finished pages
// wait in memory for the end of the row group, as Parquet wants each column's together.
type column struct {
	name  string
	typ   event.Type
	scale int64 // DateTime64: ticks to the file's unit

	rows      int // staged, nulls included
	nulls     []uint8
	nullCount int
	bools     []uint8
	ints      []int64
	floats    []float64
	codes     []uint32
	strings   []byte // PLAIN strings once the dictionary is full

	dict    dictionary
	noDict  bool
	pages   []page
	arena   []byte
	nullSum int64
	min     int64 // of a 64-bit column's values; uint64 flipped to sort as int64
	max     int64
}

func newColumn(c event.Column) *column {
	col := &column{name: c.Name, typ: c.Type, scale: 1}
	if c.Type.Kind == event.DateTime64 {
		col.scale = storedScale(c.Type.Precision)
	}
	col.reset()
	return col
}

// reset readies the column for the next row group and keeps its memory.
func (c *column) reset() {
	c.clearStage()
	c.dict.reset()
	c.noDict = false
	c.pages, c.arena = c.pages[:0], c.arena[:0]
	c.nullSum, c.min, c.max = 0, math.MaxInt64, math.MinInt64
}

func (c *column) clearStage() {
	c.rows, c.nullCount = 0, 0
	c.nulls, c.bools, c.ints, c.floats = c.nulls[:0], c.bools[:0], c.ints[:0], c.floats[:0]
	c.codes, c.strings = c.codes[:0], c.strings[:0]
}

// stage takes rows from..to of v, or rows[from:to] of it where rows is not nil.
func (c *column) stage(v *event.Vector, rows []uint32, from, to int) {
	c.rows += to - from
	if c.typ.Nullable {
		c.stageNullable(v, rows, from, to)
		return
	}
	if rows == nil {
		switch c.typ.Kind {
		case event.Bool:
			c.bools = append(c.bools, v.U8[from:to]...)
		case event.Int64, event.Date:
			c.ints = append(c.ints, v.I64[from:to]...)
		case event.DateTime64:
			c.stageTimes(v.I64[from:to])
		case event.UInt64:
			for _, x := range v.U64[from:to] {
				c.ints = append(c.ints, int64(x))
			}
		case event.Float64:
			c.floats = append(c.floats, v.F64[from:to]...)
		case event.String:
			c.stageStrings(&v.Str, from, to)
		}
		return
	}
	for _, r := range rows[from:to] {
		c.stageValue(v, int(r))
	}
}

func (c *column) stageNullable(v *event.Vector, rows []uint32, from, to int) {
	for i := from; i < to; i++ {
		r := i
		if rows != nil {
			r = int(rows[i])
		}
		if v.Null(r) {
			c.nulls = append(c.nulls, 1)
			c.nullCount++
			continue
		}
		c.nulls = append(c.nulls, 0)
		c.stageValue(v, r)
	}
}

func (c *column) stageValue(v *event.Vector, r int) {
	switch c.typ.Kind {
	case event.Bool:
		c.bools = append(c.bools, v.U8[r])
	case event.Int64, event.Date:
		c.ints = append(c.ints, v.I64[r])
	case event.DateTime64:
		c.ints = append(c.ints, scaleUp(v.I64[r], c.scale))
	case event.UInt64:
		c.ints = append(c.ints, int64(v.U64[r]))
	case event.Float64:
		c.floats = append(c.floats, v.F64[r])
	case event.String:
		c.stageString(v.Str.At(r))
	}
}

func (c *column) stageTimes(ticks []int64) {
	if c.scale == 1 {
		c.ints = append(c.ints, ticks...)
		return
	}
	for _, t := range ticks {
		c.ints = append(c.ints, scaleUp(t, c.scale))
	}
}

func (c *column) stageStrings(s *event.Strings, from, to int) {
	for i := from; i < to; i++ {
		c.stageString(s.At(i))
	}
}

func (c *column) stageString(v []byte) {
	if c.noDict {
		c.strings = binary.LittleEndian.AppendUint32(c.strings, uint32(len(v)))
		c.strings = append(c.strings, v...)
		return
	}
	c.codes = append(c.codes, c.dict.code(v))
}

// stageSame takes n times the same integer.
func (c *column) stageSame(x int64, n int) {
	c.rows += n
	for range n {
		c.ints = append(c.ints, x)
	}
}

// stageFrom takes n integers x, x+1, …
func (c *column) stageFrom(x int64, n int) {
	c.rows += n
	for i := range int64(n) {
		c.ints = append(c.ints, x+i)
	}
}

// scaleUp multiplies ticks by the scale and stays at the end of the range where the
// file's unit cannot hold the time: DateTime64(7) and (8) outside of 1677 to 2262.
func scaleUp(t, scale int64) int64 {
	if t > math.MaxInt64/scale {
		return math.MaxInt64
	}
	if t < math.MinInt64/scale {
		return math.MinInt64
	}
	return t * scale
}

// finishPage encodes and compresses the staged rows. scratch is reused memory, returned.
func (c *column) finishPage(z *zstd.Encoder, scratch []byte) []byte {
	buf := scratch[:0]
	if c.typ.Nullable {
		buf = appendLevels(buf, c.nulls, c.nullCount)
	}
	encoding := parquet.Encodings.Plain
	switch c.typ.Kind {
	case event.Bool:
		buf = appendBits(buf, c.bools, 0)
	case event.Int64, event.UInt64, event.Date, event.DateTime64:
		// Delta coding costs less than what zstd would need to make of PLAIN.
		c.bounds()
		encoding = parquet.Encodings.DeltaBinaryPacked
		buf = appendDelta(buf, c.ints)
	case event.Float64:
		buf = appendPlainFloats(buf, c.floats)
	case event.String:
		if c.noDict {
			buf = append(buf, c.strings...)
			break
		}
		encoding = parquet.Encodings.RLEDict
		width := uint(max(1, bits.Len32(uint32(max(1, c.dict.entries)-1))))
		buf = append(buf, byte(width))
		buf = appendHybrid(buf, c.codes, width)
		c.noDict = c.dict.full() || c.hardlyRepeats()
	}
	from := len(c.arena)
	c.arena = z.EncodeAll(buf, c.arena)
	c.pages = append(c.pages, page{from: from, to: len(c.arena), uncompressed: len(buf), rows: c.rows, encoding: encoding})
	c.nullSum += int64(c.nullCount)
	c.clearStage()
	return buf
}

// hardlyRepeats reports, at the end of a row group's first full page, whether most of the
// strings came once: then a dictionary costs time and saves nothing.
func (c *column) hardlyRepeats() bool {
	return len(c.pages) == 0 && c.rows == pageRows && c.dict.entries > pageRows*3/4
}

// bounds keeps the least and the greatest of the staged integers.
func (c *column) bounds() {
	lo, hi := c.min, c.max
	if c.typ.Kind == event.UInt64 {
		for _, x := range c.ints {
			x ^= math.MinInt64
			lo, hi = min(lo, x), max(hi, x)
		}
	} else {
		for _, x := range c.ints {
			lo, hi = min(lo, x), max(hi, x)
		}
	}
	c.min, c.max = lo, hi
}
