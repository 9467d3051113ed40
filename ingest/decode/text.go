package decode

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Masks to test eight bytes at once.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stringEnd returns the index of the first byte at or after p that ends the plain part of
// a JSON string: a quote, a backslash or a control character; len(b) if there is none.
func stringEnd(b []byte, p int) int {
	for p+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[p:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// Each term has the high bit of a byte set where the byte matches. A borrow can
		// set bits above a match, never below, so the lowest set bit is right.
		m := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
		if m != 0 {
			return p + bits.TrailingZeros64(m)/8
		}
		p += 8
	}
	for p < len(b) && b[p] != '"' && b[p] != '\\' && b[p] >= ' ' {
		p++
	}
	return p
}

// unescape appends the meaning of the JSON string that begins at b[p], after its quote,
// to dst, and returns the index after the closing quote, or -1 where the string breaks
// the grammar. Bytes that are not UTF-8 are kept; a lone surrogate becomes U+FFFD.
func unescape(dst, b []byte, p int) ([]byte, int) {
	for {
		end := stringEnd(b, p)
		dst = append(dst, b[p:end]...)
		if end == len(b) || b[end] < ' ' {
			return dst, -1
		}
		if b[end] == '"' {
			return dst, end + 1
		}
		p = end + 2
		if p > len(b) {
			return dst, -1
		}
		switch c := b[end+1]; c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(b, p)
			if r < 0 {
				return dst, -1
			}
			p += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if p+1 < len(b) && b[p] == '\\' && b[p+1] == 'u' {
					low = hex4(b, p+2)
				}
				// DecodeRune says U+FFFD where the two are not a pair; then the second
				// stands for itself.
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					p += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return dst, -1
		}
	}
}

// hex4 reads four hexadecimal digits at b[p:], or returns -1.
func hex4(b []byte, p int) rune {
	if p+4 > len(b) {
		return -1
	}
	var r rune
	for _, c := range b[p : p+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendCompact appends a valid JSON value without the white space between its tokens.
func appendCompact(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r':
		case '"':
			end := quotedEnd(raw, i)
			dst = append(dst, raw[i:end]...)
			i = end - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// quotedEnd returns the index after the JSON string that begins with the quote at b[p],
// or len(b) where it does not end.
func quotedEnd(b []byte, p int) int {
	p++
	for {
		p = stringEnd(b, p)
		switch {
		case p >= len(b):
			return len(b)
		case b[p] == '"':
			return p + 1
		case b[p] == '\\':
			p++
		}
		p++
	}
}

// depthOf returns how deep arrays and objects nest in a text that looks like JSON.
func depthOf(b []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			i = quotedEnd(b, i) - 1
		}
	}
	return deepest
}

// appendJSONString appends s as a JSON string. Bytes that are not UTF-8 are kept.
func appendJSONString(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// maxShownBytes bounds how much of a bad value a reason quotes.
const maxShownBytes = 64

// shown quotes the start of a value for a reason.
func shown(b []byte) string {
	if len(b) > maxShownBytes {
		return strconv.QuoteToGraphic(string(b[:maxShownBytes])) + "…"
	}
	return strconv.QuoteToGraphic(string(b))
}

// quoteName quotes the name of a column or field for a reason.
func quoteName(s string) string { return shown([]byte(s)) }
