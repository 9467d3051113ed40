package plan

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/scalar"
)

const groupHash = "Hashes"

var hashFunctions = []Function{
	pairHash("cityHash64", "cityHash64('a')", "2603192927274642682", "CityHash64, version 1.0.2", hasher{scalar.City, scalar.IntHash64, scalar.CombineCity}),
	pairHash("sipHash64", "sipHash64('a')", "10863254463029944905", "SipHash-2-4 of a key of zeros", hasher{scalar.Sip, nil, scalar.CombineSip}),
	hashFunction("xxHash64", uint64s, "xxHash64('a')", "15154266338359012955", "xxHash64.", xxhash.Sum64),
	hashFunction("xxHash32", uint32s, "xxHash32('a')", "1426945110", "xxHash32.", scalar.XX32),
	hashFunction("xxh3", uint64s, "xxh3('a')", "16629034431890738719", "XXH3 of 64 bits.", xxh3.Hash),
	hashFunction("murmurHash3_64", uint64s, "murmurHash3_64('a')", "7196874446409822675", "MurmurHash3 of 64 bits: both halves of that of 128, combined.", scalar.Murmur3x64),
	hashFunction("murmurHash3_32", uint32s, "murmurHash3_32('a')", "1009084850", "MurmurHash3 of 32 bits.", scalar.Murmur3x32),
	hashFunction("murmurHash2_64", uint64s, "murmurHash2_64('a')", "510903276987443985", "MurmurHash2 of 64 bits.", func(s []byte) uint64 { return scalar.Murmur2x64(s, 0) }),
	hashFunction("murmurHash2_32", uint32s, "murmurHash2_32('a')", "2456313694", "MurmurHash2 of 32 bits.", func(s []byte) uint64 { return scalar.Murmur2x32(s, 0) }),
	hashFunction("gccMurmurHash", uint64s, "gccMurmurHash('a')", "4993892634952068459", "MurmurHash2 of 64 bits with GCC's seed.", func(s []byte) uint64 { return scalar.Murmur2x64(s, 0xC70F6907) }),
	hashFunction("kafkaMurmurHash", uint32s, "kafkaMurmurHash('a')", "584102524", "MurmurHash2 with Kafka's seed, without its highest bit: what Kafka's default partitioner takes the remainder of.", func(s []byte) uint64 { return scalar.Murmur2x32(s, 0x9747B28C) & math.MaxInt32 }),
	hashFunction("halfMD5", uint64s, "halfMD5('a')", "919145239626757800", "The first 8 bytes of MD5.", scalar.HalfMD5),
	numberHash("intHash64", uint64s, "intHash64(1)", "10577349846663553072", "A mix of the bits of an integer.", scalar.IntHash64),
	numberHash("intHash32", uint32s, "intHash32(1)", "1343103100", "A mix of the bits of an integer, in 32 bits.", scalar.IntHash32),
	javaFunction("javaHash", "Java's hashCode of a text of ASCII.", "97", scalar.Java),
	javaFunction("hiveHash", "Hive's hash: that of javaHash without its sign.", "97", func(s []byte) int32 { return scalar.Java(s) & math.MaxInt32 }),
	digest("MD5", md5.Size, func(dst, s []byte) []byte {
		sum := md5.Sum(s)
		return append(dst, sum[:]...)
	}),
	digest("SHA1", sha1.Size, func(dst, s []byte) []byte {
		sum := sha1.Sum(s)
		return append(dst, sum[:]...)
	}),
	digest("SHA224", sha256.Size224, func(dst, s []byte) []byte {
		sum := sha256.Sum224(s)
		return append(dst, sum[:]...)
	}),
	digest("SHA256", sha256.Size, func(dst, s []byte) []byte {
		sum := sha256.Sum256(s)
		return append(dst, sum[:]...)
	}),
	digest("SHA384", sha512.Size384, func(dst, s []byte) []byte {
		sum := sha512.Sum384(s)
		return append(dst, sum[:]...)
	}),
	digest("SHA512", sha512.Size, func(dst, s []byte) []byte {
		sum := sha512.Sum512(s)
		return append(dst, sum[:]...)
	}),
}

// hasher is a family of hashes: of a text's bytes, of a number, which without one of its
// own is its 8 bytes, and of two hashes.
type hasher struct {
	bytes   func([]byte) uint64
	number  func(uint64) uint64
	combine func(a, b uint64) uint64
}

// aHashable are the types whose hash does not depend on how wide a literal is.
var aHashable = class{"a String, Int64 or UInt64", func(t valueType) bool {
	return t.base == text || t.base == int64s || t.base == uint64s
}, nothing}

// of returns the hash of a row of an argument; scratch has 8 bytes.
func (h hasher) of(a operand, i int, scratch []byte) uint64 {
	var v uint64
	switch a.Type.Kind {
	case event.String:
		return h.bytes(a.bytes(i))
	case event.Int64:
		v = uint64(a.I64[i&a.mask()])
	default:
		v = a.U64[i&a.mask()]
	}
	if h.number != nil {
		return h.number(v)
	}
	binary.LittleEndian.PutUint64(scratch, v)
	return h.bytes(scratch)
}

// pairHash is an entry of a hash of any number of values.
func pairHash(name, example, result, doc string, h hasher) Function {
	return Function{
		Name: name, Group: groupHash, Usage: name + "(a, …)", Min: 1, Max: -1, Example: example, Result: result,
		Doc: doc + ", of one value or of several together. Values are String, Int64 or UInt64.",
		bind: func(c *call) (binding, error) {
			for i := range c.args {
				if err := c.check(i, aHashable); err != nil {
					return binding{}, err
				}
			}
			return h.binding(uint64s), nil
		},
	}
}

func (h hasher) binding(typ base) binding {
	return binding{typ: valueType{base: typ}, run: func(out *event.Vector, args []operand, rows int) {
		dst, scratch := slot[uint64](u64).sized(out, rows), make([]byte, 8)
		for i := range dst {
			dst[i] = h.of(args[0], i, scratch)
			for _, a := range args[1:] {
				dst[i] = h.combine(dst[i], h.of(a, i, scratch))
			}
		}
	}}
}

// hashFunction is an entry of a hash of a text or of the 8 bytes of a number.
func hashFunction(name string, typ base, example, result, doc string, f func([]byte) uint64) Function {
	return Function{
		Name: name, Group: groupHash, Usage: name + "(x)", Min: 1, Max: 1, Doc: doc + " x is a String, Int64 or UInt64.", Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, aHashable); err != nil {
				return binding{}, err
			}
			return hasher{bytes: f}.binding(typ), nil
		},
	}
}

func numberHash(name string, typ base, example, result, doc string, f func(uint64) uint64) Function {
	return Function{
		Name: name, Group: groupHash, Usage: name + "(n)", Min: 1, Max: 1, Doc: doc, Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, anInt); err != nil {
				return binding{}, err
			}
			c.widen(0, uint64s)
			return binding{typ: valueType{base: typ}, run: map1(u64, u64, f)}, nil
		},
	}
}

func javaFunction(name, doc, result string, f func([]byte) int32) Function {
	return Function{
		Name: name, Group: groupHash, Usage: name + "(s)", Min: 1, Max: 1, Doc: doc, Example: name + "('a')", Result: result,
		bind: takes(int32s, textOf(i64, func(s []byte) int64 { return int64(f(s)) }), aText),
	}
}

// digest is an entry of a cryptographic hash. It is a FixedString in ClickHouse.
func digest(name string, size int, f func(dst, s []byte) []byte) Function {
	example := "hex(" + name + "('a'))"
	return Function{
		Name: name, Group: groupHash, Usage: name + "(s)", Min: 1, Max: 1,
		Doc:     fmt.Sprintf("The %d bytes of the digest, as String; see hex.", size),
		Example: example, Result: string(scalar.AppendHex(nil, f(nil, []byte("a")))),
		bind: func(c *call) (binding, error) {
			if err := c.check(0, aText); err != nil {
				return binding{}, err
			}
			// A cast of the FixedString would lose zero bytes at its end.
			c.text = fmt.Sprintf("substring(%s(%s), 1, %d)", name, c.args[0].text, size)
			return textRows(func(dst []byte, args []operand, i int) []byte {
				return f(dst, args[0].bytes(i))
			}), nil
		},
	}
}
