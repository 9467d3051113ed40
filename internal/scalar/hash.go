package scalar

import (
	"crypto/md5"
	"encoding/binary"
	"math/bits"

	"github.com/dchest/siphash"
	"github.com/go-faster/city"
	"github.com/spaolacci/murmur3"
)

// The engine's salts of the hashes of numbers.
const (
	salt64 = 0x4CF2D2BAAE6DA887
	salt32 = 0x75D9543DE018BF45
)

// IntHash64 mixes a number: the finaliser of MurmurHash3 for 64 bits.
func IntHash64(x uint64) uint64 {
	x ^= salt64
	x ^= x >> 33
	x *= 0xFF51AFD7ED558CCD
	x ^= x >> 33
	x *= 0xC4CEB9FE1A85EC53
	return x ^ x>>33
}

// IntHash32 mixes a number into 32 bits, by Thomas Wang's hash for 64 bits.
func IntHash32(x uint64) uint64 {
	x ^= salt32
	x = ^x + x<<18
	x ^= bits.RotateLeft64(x, 33)
	x *= 21
	x ^= bits.RotateLeft64(x, 53)
	x += x << 6
	x ^= bits.RotateLeft64(x, 42)
	return x & (1<<32 - 1)
}

// CombineCity makes one hash of two, as CityHash does for pairs.
func CombineCity(a, b uint64) uint64 {
	const multiplier = 0x9DDFEA08EB382D69
	x := (a ^ b) * multiplier
	x ^= x >> 47
	x = (b ^ x) * multiplier
	x ^= x >> 47
	return x * multiplier
}

// City is CityHash64 v1.0.2.
func City(s []byte) uint64 { return city.CH64(s) }

// Sip is SipHash-2-4 of a key of zeros.
func Sip(s []byte) uint64 { return siphash.Hash(0, 0, s) }

// CombineSip makes one hash of two.
func CombineSip(a, b uint64) uint64 {
	var pair [16]byte
	binary.LittleEndian.PutUint64(pair[:], a)
	binary.LittleEndian.PutUint64(pair[8:], b)
	return Sip(pair[:])
}

// HalfMD5 is the first half of MD5.
func HalfMD5(s []byte) uint64 {
	sum := md5.Sum(s)
	return binary.BigEndian.Uint64(sum[:])
}

// Murmur3x32 is MurmurHash3 for 32 bits.
func Murmur3x32(s []byte) uint64 { return uint64(murmur3.Sum32(s)) }

// Murmur3x64 is both halves of MurmurHash3 for 128 bits, combined.
func Murmur3x64(s []byte) uint64 {
	a, b := murmur3.Sum128(s)
	return a ^ b
}

// Murmur2x32 is MurmurHash2 for 32 bits.
func Murmur2x32(s []byte, seed uint32) uint64 {
	const m = 0x5BD1E995
	h := seed ^ uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		k := binary.LittleEndian.Uint32(s) * m
		h = h*m ^ (k^k>>24)*m
	}
	if len(s) > 0 {
		var tail [4]byte
		copy(tail[:], s)
		h = (h ^ binary.LittleEndian.Uint32(tail[:])) * m
	}
	h = (h ^ h>>13) * m
	return uint64(h ^ h>>15)
}

// Murmur2x64 is MurmurHash2 for 64 bits, version A.
func Murmur2x64(s []byte, seed uint64) uint64 {
	const m = 0xC6A4A7935BD1E995
	h := seed ^ uint64(len(s))*m
	for ; len(s) >= 8; s = s[8:] {
		k := binary.LittleEndian.Uint64(s) * m
		h = (h ^ (k^k>>47)*m) * m
	}
	if len(s) > 0 {
		var tail [8]byte
		copy(tail[:], s)
		h = (h ^ binary.LittleEndian.Uint64(tail[:])) * m
	}
	h = (h ^ h>>47) * m
	return h ^ h>>47
}

// The prime numbers of xxHash32.
const (
	xxPrime1 = 0x9E3779B1
	xxPrime2 = 0x85EBCA77
	xxPrime3 = 0xC2B2AE3D
	xxPrime4 = 0x27D4EB2F
	xxPrime5 = 0x165667B1
)

// XX32 is xxHash32 of seed 0.
func XX32(s []byte) uint64 {
	n := uint32(len(s))
	h := uint32(xxPrime5)
	if n >= 16 {
		var sums [4]uint32
		sums[0], sums[1], sums[3] = xxPrime1, xxPrime2, 0
		sums[0] += sums[1]
		sums[3] -= xxPrime1
		for ; len(s) >= 16; s = s[16:] {
			for i := range sums {
				sums[i] = bits.RotateLeft32(sums[i]+binary.LittleEndian.Uint32(s[4*i:])*xxPrime2, 13) * xxPrime1
			}
		}
		h = bits.RotateLeft32(sums[0], 1) + bits.RotateLeft32(sums[1], 7) + bits.RotateLeft32(sums[2], 12) + bits.RotateLeft32(sums[3], 18)
	}
	h += n
	for ; len(s) >= 4; s = s[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(s)*xxPrime3, 17) * xxPrime4
	}
	for _, b := range s {
		h = bits.RotateLeft32(h+uint32(b)*xxPrime5, 11) * xxPrime1
	}
	h = (h ^ h>>15) * xxPrime2
	h = (h ^ h>>13) * xxPrime3
	return uint64(h ^ h>>16)
}

// Java is Java's String.hashCode over bytes, which count with their sign.
func Java(s []byte) int32 {
	h := int32(0)
	for _, b := range s {
		h = 31*h + int32(int8(b))
	}
	return h
}
