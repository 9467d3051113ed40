package parquetfile

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Encodings of the Parquet format, https://parquet.apache.org/docs/file-format/data-pages/encodings.
// Each function appends to dst and returns it.

// The shape of DELTA_BINARY_PACKED that every writer uses.
const (
	deltaBlock     = 128
	deltaMini      = 32
	deltaMinis     = deltaBlock / deltaMini
	bitPackedGroup = 8 // values per group of a bit-packed run
)

// appendDelta encodes values as DELTA_BINARY_PACKED. Differences wrap around, as the
// format wants.
func appendDelta(dst []byte, values []int64) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, values[0]) // a varint of Go is the format's zigzag varint
	previous := values[0]
	values = values[1:]
	var deltas [deltaBlock]uint64
	for len(values) > 0 {
		n := min(len(values), deltaBlock)
		least := int64(math.MaxInt64)
		for i, v := range values[:n] {
			d := v - previous
			previous = v
			deltas[i] = uint64(d)
			least = min(least, d)
		}
		values = values[n:]
		dst = binary.AppendVarint(dst, least)
		minis := (n + deltaMini - 1) / deltaMini
		for i := range deltas[:n] {
			deltas[i] -= uint64(least)
		}
		clear(deltas[n : minis*deltaMini])
		widths := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for m := range minis {
			mini := deltas[m*deltaMini : (m+1)*deltaMini]
			var all uint64
			for _, d := range mini {
				all |= d
			}
			width := bits.Len64(all)
			dst[widths+m] = byte(width)
			if width > 0 {
				dst = appendPacked(dst, mini, uint(width))
			}
		}
	}
	return dst
}

// appendPacked packs values of width bits each, least significant bit first, and pads
// the last byte with zeros.
func appendPacked[T uint32 | uint64](dst []byte, values []T, width uint) []byte {
	var word uint64
	var used uint
	for _, value := range values {
		v := uint64(value)
		word |= v << used
		used += width
		if used >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, word)
			used -= 64
			word = v >> (width - used)
		}
	}
	for ; used > 0; used -= min(used, 8) {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}

// appendHybrid encodes values as one run of the RLE/bit-packing hybrid: repeated where
// they are all equal, else bit-packed. Shorter repeats are left to zstd.
func appendHybrid(dst []byte, values []uint32, width uint) []byte {
	if len(values) == 0 {
		return dst
	}
	first, equal := values[0], true
	for _, v := range values {
		if v != first {
			equal = false
			break
		}
	}
	if equal {
		return appendRepeat(dst, first, len(values), width)
	}
	groups := (len(values) + bitPackedGroup - 1) / bitPackedGroup
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*int(width)
	dst = appendPacked(dst, values, width)
	for len(dst) < end {
		dst = append(dst, 0)
	}
	return dst
}

// appendRepeat encodes n times v as one repeated run.
func appendRepeat(dst []byte, v uint32, n int, width uint) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for i := uint(0); i < width; i += 8 {
		dst = append(dst, byte(v>>i))
	}
	return dst
}

// appendBits encodes booleans (0 or 1) as PLAIN: a bit map. With flip, 0 gives a set bit.
func appendBits(dst []byte, values []uint8, flip uint8) []byte {
	for ; len(values) >= 8; values = values[8:] {
		v := binary.LittleEndian.Uint64(values) ^ uint64(flip)*0x0101010101010101
		dst = append(dst, byte(v*0x0102040810204080>>56)) // gathers the low bits of 8 bytes
	}
	if len(values) > 0 {
		var b byte
		for i, v := range values {
			b |= (v ^ flip) << i
		}
		dst = append(dst, b)
	}
	return dst
}

// appendLevels encodes the definition levels of an optional column in a data page v1: a
// length, then a hybrid run of one bit each, 1 for a value that is there.
func appendLevels(dst []byte, nulls []uint8, nullCount int) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if nullCount == 0 || nullCount == len(nulls) {
		level := uint32(1)
		if nullCount > 0 {
			level = 0
		}
		dst = appendRepeat(dst, level, len(nulls), 1)
	} else {
		groups := (len(nulls) + bitPackedGroup - 1) / bitPackedGroup
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		dst = appendBits(dst, nulls, 1)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// appendPlainFloats encodes floats as PLAIN.
func appendPlainFloats(dst []byte, values []float64) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}
