package arrowbatch

import (
	"bytes"
	"encoding/binary"
)

// bitmapBytes is the size of an Arrow bitmap of n bits.
func bitmapBytes(n int) int { return (n + 7) / 8 }

// gatherBits, multiplied with eight bytes of 0 or 1 read as a little-endian integer,
// moves byte i to bit i of the product's top byte.
const gatherBits = 0x0102040810204080

// appendBits appends values, each 0 or 1, as a bitmap, lowest bit first; flip is 0, or
// 1 to store their complement, which turns nulls into validity. Spare bits are 0.
func appendBits(dst, values []byte, flip byte) []byte {
	const ones = 0x0101010101010101
	flip8 := ones * uint64(flip)
	for len(values) >= 8 {
		x := binary.LittleEndian.Uint64(values) ^ flip8
		dst = append(dst, byte(x*gatherBits>>56))
		values = values[8:]
	}
	if len(values) > 0 {
		var last byte
		for i, v := range values {
			last |= (v ^ flip) << i
		}
		dst = append(dst, last)
	}
	return dst
}

// expandBits fills dst with the first len(dst) bits of a bitmap, one byte each, XORed
// with flip. The bitmap must be long enough.
func expandBits(dst, bitmap []byte, flip byte) {
	for len(dst) >= 8 {
		b := bitmap[0]
		_ = dst[7]
		dst[0], dst[1], dst[2], dst[3] = b&1^flip, b>>1&1^flip, b>>2&1^flip, b>>3&1^flip
		dst[4], dst[5], dst[6], dst[7] = b>>4&1^flip, b>>5&1^flip, b>>6&1^flip, b>>7&1^flip
		dst, bitmap = dst[8:], bitmap[1:]
	}
	for i := range dst {
		dst[i] = bitmap[0]>>i&1 ^ flip
	}
}

// countOnes counts the rows marked in a byte map.
func countOnes(marks []byte) int { return bytes.Count(marks, []byte{1}) }
