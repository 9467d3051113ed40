package event

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// PartitionOf returns the partition of an event among n by its key, which is what
// AppendPartitionKey wrote for each column of partition_by in turn.
func PartitionOf(key []byte, n int) int { return int(xxhash.Sum64(key) % uint64(n)) }

// AppendPartitionKey appends one column of a row's partition key: a mark, 0 for null and 1 for a
// value, then the value: strings behind their length, Bool one byte, the rest eight. It
// is part of the stream's layout and never changes; see docs/ingest.md.
func AppendPartitionKey(dst []byte, v *Vector, row int) []byte {
	if v.Null(row) {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	switch v.Type.Kind {
	case Bool:
		return append(dst, v.U8[row])
	case UInt64:
		return binary.LittleEndian.AppendUint64(dst, v.U64[row])
	case Float64:
		// Adding 0 turns -0 into 0: values that are equal share a partition.
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.F64[row]+0))
	case String:
		s := v.Str.At(row)
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		return append(dst, s...)
	default:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.I64[row]))
	}
}
