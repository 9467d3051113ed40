package scalar

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// AppendHex appends two upper-case digits for each byte.
func AppendHex(dst, s []byte) []byte {
	for _, b := range s {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// AppendUnhex appends the bytes of hexadecimal digits. Other bytes
// count as 255, a first digit without a second is a byte of its own.
func AppendUnhex(dst, s []byte) []byte {
	if len(s)%2 == 1 && len(s) > 0 {
		dst = append(dst, hexValue(s[0]))
		s = s[1:]
	}
	for ; len(s) >= 2; s = s[2:] {
		dst = append(dst, hexValue(s[0])<<4+hexValue(s[1]))
	}
	return dst
}

// hexValue is the engine's table: 0xFF for bytes that are no digits.
func hexValue(b byte) byte {
	switch {
	case isDigit(b):
		return b - '0'
	case lowerByte(b)-'a' < 6:
		return lowerByte(b) - 'a' + 10
	}
	return 0xFF
}

// AppendBinary appends eight digits for each byte.
func AppendBinary(dst, s []byte) []byte {
	for _, b := range s {
		for bit := 7; bit >= 0; bit-- {
			dst = append(dst, '0'+b>>bit&1)
		}
	}
	return dst
}

// AppendBase58 appends Bitcoin's alphabet of 58 digits.
func AppendBase58(dst, s []byte) []byte {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	zeros := 0
	for zeros < len(s) && s[zeros] == 0 {
		dst = append(dst, alphabet[0])
		zeros++
	}
	from := len(dst) // digits stand here, the lowest first, until the end
	for _, b := range s[zeros:] {
		carry := int(b)
		for i := from; i < len(dst); i++ {
			carry += int(dst[i]) << 8
			dst[i] = byte(carry % 58)
			carry /= 58
		}
		for ; carry > 0; carry /= 58 {
			dst = append(dst, byte(carry%58))
		}
	}
	for i, j := from, len(dst)-1; i <= j; i, j = i+1, j-1 {
		dst[i], dst[j] = alphabet[dst[j]], alphabet[dst[i]]
	}
	return dst
}

// AppendBase64 appends base64 with padding.
func AppendBase64(dst, s []byte) []byte { return base64.StdEncoding.AppendEncode(dst, s) }

// AppendBase64URL appends base64 of the alphabet for URLs, without padding.
func AppendBase64URL(dst, s []byte) []byte { return base64.RawURLEncoding.AppendEncode(dst, s) }

// DecodeBase64 appends the bytes of base64 with padding, in which white space may stand;
// nothing where s is something else.
func DecodeBase64(dst, s []byte) []byte {
	from := len(dst)
	var group uint32
	digits, padding := 0, 0
	for _, b := range s {
		switch v := base64Value(b); {
		case b == ' ' || b == '\t' || b == '\n' || b == '\f' || b == '\r':
			continue
		case b == '=':
			padding++
			continue
		case v > 63 || padding > 0:
			return dst[:from]
		default:
			group = group<<6 | uint32(v)
		}
		if digits++; digits%4 == 0 {
			dst = append(dst, byte(group>>16), byte(group>>8), byte(group))
		}
	}
	switch rest := digits % 4; {
	case rest == 0 && padding == 0:
		return dst
	case rest == 2 && padding == 2:
		return append(dst, byte(group>>4))
	case rest == 3 && padding == 1:
		return append(dst, byte(group>>10), byte(group>>2))
	}
	return dst[:from]
}

// base64Value returns the value of a digit of base64, or 64.
func base64Value(b byte) byte {
	switch {
	case b-'A' < 26:
		return b - 'A'
	case b-'a' < 26:
		return b - 'a' + 26
	case isDigit(b):
		return b - '0' + 52
	case b == '+':
		return 62
	case b == '/':
		return 63
	}
	return 64
}

// xmlEntities are the characters that XML has names for.
var xmlEntities = [...]struct {
	char byte
	name string
}{{'<', "&lt;"}, {'&', "&amp;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}}

// EncodeXML appends s with those characters as entities.
func EncodeXML(dst, s []byte) []byte {
next:
	for _, b := range s {
		for _, e := range xmlEntities {
			if e.char == b {
				dst = append(dst, e.name...)
				continue next
			}
		}
		dst = append(dst, b)
	}
	return dst
}

// DecodeXML appends s with the five named entities, and those of numbers, as characters.
// What is no entity stays.
func DecodeXML(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '&')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		s = s[i:]
		end := bytes.IndexByte(s, ';')
		if end < 0 {
			return append(dst, s...)
		}
		if char, ok := xmlCharacter(s[:end+1]); ok {
			dst = appendCodePoint(dst, char)
			s = s[end+1:]
		} else {
			dst = append(dst, '&')
			s = s[1:]
		}
	}
}

func xmlCharacter(entity []byte) (rune, bool) {
	for _, e := range xmlEntities {
		if string(entity) == e.name {
			return rune(e.char), true
		}
	}
	digits := entity[1 : len(entity)-1]
	if len(digits) < 2 || digits[0] != '#' {
		return 0, false
	}
	base, digits := rune(10), digits[1:]
	if digits[0]|0x20 == 'x' {
		base, digits = 16, digits[1:]
	}
	if len(digits) == 0 || len(digits) > 8 {
		return 0, false
	}
	var char rune
	for _, d := range digits {
		v := rune(hexValue(d))
		if v >= base {
			return 0, false
		}
		char = char*base + v
	}
	return char, char <= utf8.MaxRune
}

// appendCodePoint appends a code point as UTF-8, surrogates too.
func appendCodePoint(dst []byte, char rune) []byte {
	if char >= 0xD800 && char <= 0xDFFF {
		return append(dst, 0xE0|byte(char>>12), 0x80|byte(char>>6)&0x3F, 0x80|byte(char)&0x3F)
	}
	return utf8.AppendRune(dst, char)
}
