package agg

import (
	"encoding/binary"
	"math/bits"
)

// sipHash128 is SipHash-2-4 (Aumasson and Bernstein) under the key 0, of which ClickHouse
// takes 128 bits in a way of its own: all four words of the state after the finalisation
// for 64 bits, two and two together.
func sipHash128(b []byte) key128 {
	s := sipState{0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573}
	length := uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		s.add(binary.LittleEndian.Uint64(b))
	}
	last := length << 56
	for i, x := range b {
		last |= uint64(x) << (8 * i)
	}
	s.add(last)
	s.v2 ^= 0xff
	for range 4 {
		s.round()
	}
	return key128{s.v0 ^ s.v1, s.v2 ^ s.v3}
}

type sipState struct{ v0, v1, v2, v3 uint64 }

func (s *sipState) add(word uint64) {
	s.v3 ^= word
	s.round()
	s.round()
	s.v0 ^= word
}

func (s *sipState) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}
