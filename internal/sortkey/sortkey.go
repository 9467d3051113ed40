// Package sortkey writes numbers as eight bytes that compare as the numbers do, and reads
// them back.
//
// The one invariant: bytes.Compare of two numbers of one type is their order, and equal
// numbers, -0 and 0 among them, are equal bytes.
package sortkey

import (
	"encoding/binary"
	"math"
)

// Size is how many bytes a number takes.
const Size = 8

const signBit = 1 << 63

// AppendInt64 appends x to dst.
func AppendInt64(dst []byte, x int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(x)^signBit)
}

// AppendUInt64 appends x to dst.
func AppendUInt64(dst []byte, x uint64) []byte { return binary.BigEndian.AppendUint64(dst, x) }

// AppendFloat64 appends x to dst. NaN, which has no order, is not to be appended.
func AppendFloat64(dst []byte, x float64) []byte {
	b := math.Float64bits(x + 0) // adding 0 turns -0 into 0
	// Of negative numbers all bits are turned, so that the larger magnitude is less.
	return binary.BigEndian.AppendUint64(dst, b^(uint64(int64(b)>>63)|signBit))
}

// Int64 reads what AppendInt64 wrote at the front of b.
func Int64(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ signBit) }

// UInt64 reads what AppendUInt64 wrote at the front of b.
func UInt64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// Float64 reads what AppendFloat64 wrote at the front of b.
func Float64(b []byte) float64 {
	k := binary.BigEndian.Uint64(b)
	return math.Float64frombits(k ^ (^uint64(int64(k)>>63) | signBit))
}

// Complement turns the bytes of b in place, and with them the order.
func Complement(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}
