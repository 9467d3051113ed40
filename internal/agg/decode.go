package agg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// errTruncated refuses a state that ends before its own lengths say so.
var errTruncated = errors.New("state is truncated")

// errVarUInt refuses a ClickHouse VarUInt beyond 64 bits.
var errVarUInt = errors.New("state holds a VarUInt beyond 64 bits")

// readVarUInt reads a ClickHouse VarUInt: 7 bits a byte, low bits first.
func readVarUInt(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	switch {
	case n > 0:
		return v, b[n:], nil
	case n == 0:
		return 0, nil, errTruncated
	default:
		return 0, nil, errVarUInt
	}
}

// readFixed reads a little-endian number of width 1, 2, 4 or 8 bytes.
func readFixed(b []byte, width int) (v uint64, rest []byte, err error) {
	if len(b) < width {
		return 0, nil, errTruncated
	}
	switch width {
	case 1:
		v = uint64(b[0])
	case 2:
		v = uint64(binary.LittleEndian.Uint16(b))
	case 4:
		v = uint64(binary.LittleEndian.Uint32(b))
	case 8:
		v = binary.LittleEndian.Uint64(b)
	}
	return v, b[width:], nil
}

// checkBools refuses bytes other than 0 and 1.
func checkBools(values []byte) error {
	for _, x := range values {
		if x > 1 {
			return fmt.Errorf("state holds the Bool %d", x)
		}
	}
	return nil
}

// resized returns s with n elements, of which those beyond the old length are zero.
func resized[T any](s []T, n int) []T {
	old := len(s)
	if n > cap(s) {
		s = slices.Grow(s, n-old)
	}
	s = s[:n]
	if n > old {
		clear(s[old:])
	}
	return s
}
