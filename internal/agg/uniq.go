package agg

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/go-faster/city"

	"github.com/millrace/millrace/internal/event"
)

// uniques is uniq: ClickHouse's adaptive sampling. Every value is hashed to 32 bits,
// and a group keeps the hashes that are multiples of 2^degree; the degree rises while
// there are more than maxUniques of them. Which hashes remain is a function of the set
// of values alone, so that merging is exact in any order.
//
// Its state is the degree as one byte, the count as VarUInt, and the hashes, 4 bytes
// each in any order.
type uniques struct {
	kind   event.Kind // of the value; Invalid: of several values, the whole row counts
	sets   []hashSet
	data   blocks[uint32]
	hashes []uint32 // scratch
}

func bindUniq(args []event.Type, _ []float64) (kernel, error) {
	return kernel{event.Type{Kind: event.UInt64}, func() States {
		if len(args) > 1 {
			return &uniques{}
		}
		return &uniques{kind: args[0].Kind}
	}}, nil
}

func (u *uniques) Grow(n int) { u.sets = resized(u.sets, n) }

func (u *uniques) Reset() {
	u.sets = u.sets[:0]
	u.data.reset()
}

func (u *uniques) Update(groups []uint32, args []*event.Vector) {
	var hashes []uint32
	if u.kind == event.Invalid {
		hashes = u.hashRows(args, len(groups))
	} else {
		hashes = u.hashAll(args[0], len(groups))
	}
	for i, g := range groups {
		u.sets[g].insert(&u.data, hashes[i])
	}
}

// hashAll hashes the first n values of v as ClickHouse does for uniq: by intHash of a
// number's value widened to 64 bits, of a float's bits, or of a string's CityHash64; and
// a DateTime64 by the CityHash64 of its 8 bytes alone.
func (u *uniques) hashAll(v *event.Vector, n int) []uint32 {
	u.hashes = resized(u.hashes[:0], n)
	hashes := u.hashes
	switch u.kind {
	case event.Bool:
		for i, x := range v.U8[:n] {
			hashes[i] = intHash(uint64(x))
		}
	case event.UInt64:
		for i, x := range v.U64[:n] {
			hashes[i] = intHash(x)
		}
	case event.Float64:
		for i, x := range v.F64[:n] {
			hashes[i] = intHash(math.Float64bits(x))
		}
	case event.String:
		for i := range n {
			hashes[i] = intHash(city.CH64(v.Str.At(i)))
		}
	case event.DateTime64:
		var ticks [8]byte
		for i, x := range v.I64[:n] {
			binary.LittleEndian.PutUint64(ticks[:], uint64(x))
			hashes[i] = uint32(city.CH64(ticks[:]))
		}
	default: // Int64, Date
		for i, x := range v.I64[:n] {
			hashes[i] = intHash(uint64(x))
		}
	}
	return hashes
}

// hashRows hashes the first n rows of several values: each value by the CityHash64 of its
// bytes, chained by CityHash's own way to halve 128 bits.
func (u *uniques) hashRows(args []*event.Vector, n int) []uint32 {
	u.hashes = resized(u.hashes[:0], n)
	for i := range n {
		hash := cityHash(args[0], i)
		for _, v := range args[1:] {
			hash = halve(cityHash(v, i), hash)
		}
		u.hashes[i] = uint32(hash)
	}
	return u.hashes
}

func cityHash(v *event.Vector, i int) uint64 {
	if v.Type.Kind == event.String {
		return city.CH64(v.Str.At(i))
	}
	var b [8]byte
	return city.CH64(appendFixed(b[:0], bitsAt(v, i), widthOf(v.Type.Kind)))
}

// halve is CityHash's Hash128to64.
func halve(low, high uint64) uint64 {
	const multiplier = 0x9DDFEA08EB382D69
	a := (low ^ high) * multiplier
	a ^= a >> 47
	b := (high ^ a) * multiplier
	b ^= b >> 47
	return b * multiplier
}

// intHash is the low half of ClickHouse's intHash64, MurmurHash3's 64-bit finaliser.
func intHash(x uint64) uint32 {
	x ^= x >> 33
	x *= 0xFF51AFD7ED558CCD
	x ^= x >> 33
	x *= 0xC4CEB9FE1A85EC53
	x ^= x >> 33
	return uint32(x)
}

func (u *uniques) Merge(g uint32, b []byte) ([]byte, error) {
	degree, rest, err := readFixed(b, 1)
	if err != nil {
		return nil, err
	}
	if degree > maxUniqDegree {
		return nil, fmt.Errorf("state of uniq has skip degree %d; the largest is %d", degree, maxUniqDegree)
	}
	count, rest, err := readVarUInt(rest)
	if err != nil {
		return nil, err
	}
	if count > maxUniques {
		return nil, fmt.Errorf("state of uniq has %d elements; the most are %d", count, maxUniques)
	}
	size := int(count) * 4
	if len(rest) < size {
		return nil, errTruncated
	}
	elements, rest := rest[:size], rest[size:]
	for e := elements; len(e) > 0; e = e[4:] {
		if h := binary.LittleEndian.Uint32(e); !kept(h, uint8(degree)) {
			return nil, fmt.Errorf("state of uniq holds %08x, which skip degree %d excludes", h, degree)
		}
	}
	set := &u.sets[g]
	if uint8(degree) > set.degree {
		set.thin(&u.data, uint8(degree))
	}
	for e := elements; len(e) > 0; e = e[4:] {
		set.insert(&u.data, binary.LittleEndian.Uint32(e))
	}
	return rest, nil
}

func (u *uniques) Append(dst []byte, g uint32) []byte {
	set := &u.sets[g]
	dst = append(dst, set.degree)
	dst = binary.AppendUvarint(dst, uint64(set.size()))
	if set.zero {
		dst = binary.LittleEndian.AppendUint32(dst, 0)
	}
	for _, h := range set.cells(&u.data) {
		if h != 0 {
			dst = binary.LittleEndian.AppendUint32(dst, h)
		}
	}
	return dst
}

func (u *uniques) Final(out *event.Vector, g uint32) {
	set := &u.sets[g]
	out.AppendUInt64(uniqEstimate(uint64(set.size()), set.degree))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// uniqEstimate is ClickHouse's estimate from the number of kept hashes. Where hashes
// were skipped it scales them up, fills the lost low bits with a pseudo-random
// remainder (CRC-32C of the size) and corrects for collisions in 32 bits: so many
// values, thrown into 2^32 buckets, fill that many of them.
func uniqEstimate(size uint64, degree uint8) uint64 {
	if degree == 0 {
		return size
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], size)
	remainder := uint64(^crc32.Checksum(b[:], castagnoli)) & (1<<degree - 1)
	filled := size<<degree + remainder
	const buckets = 1 << 32
	if filled >= buckets {
		return buckets // every bucket is filled: no estimate beyond
	}
	return uint64(math.Round(buckets * (math.Log(buckets) - math.Log(float64(buckets-filled)))))
}
