package plan

import (
	"hash/crc32"
	"hash/crc64"

	"github.com/millrace/millrace/internal/scalar"
)

const groupCodec = "Encodings"

var codecFunctions = []Function{
	{
		Name: "hex", AnyCase: true, Group: groupCodec, Usage: "hex(x)", Min: 1, Max: 1,
		Doc:     "The bytes of a String, or an integer without leading zeros, in upper-case hexadecimal digits, two for each byte.",
		Example: "hex('né')", Result: "6EC3A9",
		bind: digitsOf(scalar.AppendHex),
	},
	inAnyCase(textCodec("unhex", "unhex('6d72')", "mr", "The bytes that hexadecimal digits write. What is no digit gives no certain bytes.", scalar.AppendUnhex)),
	{
		Name: "bin", AnyCase: true, Group: groupCodec, Usage: "bin(x)", Min: 1, Max: 1,
		Doc:     "The bytes of a String, or an integer without leading zero bytes, in binary digits, eight for each byte.",
		Example: "bin(5)", Result: "00000101",
		bind: digitsOf(scalar.AppendBinary),
	},
	textCodec("base64Encode", "base64Encode('millrace')", "bWlsbHJhY2U=", "Base64 with padding.", scalar.AppendBase64),
	textCodec("tryBase64Decode", "tryBase64Decode('bWlsbHJhY2U=')", "millrace", "The bytes of base64 with padding; empty where s is something else.", scalar.DecodeBase64),
	textCodec("base64URLEncode", "base64URLEncode('a?>')", "YT8-", "Base64 of the alphabet for URLs, without padding.", scalar.AppendBase64URL),
	textCodec("base58Encode", "base58Encode('abc')", "ZiCa", "Base58, as Bitcoin writes it.", scalar.AppendBase58),
	textCodec("encodeXMLComponent", "encodeXMLComponent('a < b')", "a &lt; b", "The characters <, &, >, \" and ' as entities.", scalar.EncodeXML),
	textCodec("decodeXMLComponent", "decodeXMLComponent('a &lt; &#98;')", "a < b", "XML's named entities, and those of numbers, as characters.", scalar.DecodeXML),
	inAnyCase(checksum("CRC32", "CRC32('abc')", "891568578", "CRC-32 as zlib computes it.", uint32s, func(s []byte) uint64 { return uint64(crc32.ChecksumIEEE(s)) })),
	inAnyCase(checksum("CRC32IEEE", "CRC32IEEE('abc')", "3395655888", "CRC-32 of the same polynomial, from 0 and not inverted.", uint32s, crc32Plain)),
	inAnyCase(checksum("CRC64", "CRC64('abc')", "14276787454831668577", "CRC-64 of ECMA's polynomial, from 0 and not inverted.", uint64s, crc64ECMA)),
}

func textCodec(name, example, result, doc string, f func(dst, s []byte) []byte) Function {
	fn := textMap(name, example, result, doc, f)
	fn.Group = groupCodec
	return fn
}

func checksum(name, example, result, doc string, typ base, f func([]byte) uint64) Function {
	fn := textMeasure(name, example, result, doc, typ, u64, f)
	fn.Group = groupCodec
	return fn
}

func crc32Plain(s []byte) uint64 {
	return uint64(^crc32.Update(^uint32(0), crc32.IEEETable, s))
}

var ecma = crc64.MakeTable(crc64.ECMA)

func crc64ECMA(s []byte) uint64 { return ^crc64.Update(^uint64(0), ecma, s) }

// digitsOf is the rule of hex and bin: digits of a text's bytes, or of an integer's from
// its first byte that is not zero.
func digitsOf(f func(dst, s []byte) []byte) rule {
	return func(c *call) (binding, error) {
		t := c.args[0].typ
		if t.base == text {
			return mapsText(f)(c)
		}
		if err := c.check(0, class{"a String or an integer", valueType.integer, nothing}); err != nil {
			return binding{}, err
		}
		bits := t.bits()
		c.widen(0, uint64s)
		return textRows(func(dst []byte, args []operand, i int) []byte {
			v := wrapUnsigned(args[0].U64[i&args[0].mask()], bits)
			var b [8]byte
			at := len(b)
			for next := true; next; next = v != 0 {
				at--
				b[at] = byte(v)
				v >>= 8
			}
			return f(dst, b[at:])
		}), nil
	}
}
