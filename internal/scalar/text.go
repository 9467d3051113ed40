package scalar

import "bytes"

// Reverse appends the bytes of s in reverse.
func Reverse(dst, s []byte) []byte {
	for i := len(s) - 1; i >= 0; i-- {
		dst = append(dst, s[i])
	}
	return dst
}

// AppendPadding appends n bytes or, with chars, characters of pad over and over.
func AppendPadding(dst, pad []byte, n int, chars bool) []byte {
	if !chars {
		for ; n >= len(pad); n -= len(pad) {
			dst = append(dst, pad...)
		}
		return append(dst, pad[:max(n, 0)]...)
	}
	for length := CountChars(pad); n >= length; n -= length {
		dst = append(dst, pad...)
	}
	return append(dst, pad[:SkipChars(pad, n)]...)
}

// SubstringIndex returns s up to its nth delimiter, for negative n behind the nth one
// from the end; all of it where there are fewer.
func SubstringIndex(s, delimiter []byte, n int) []byte {
	if n == 0 {
		return nil
	}
	if n > 0 {
		at := 0
		for ; n > 0; n-- {
			i := bytes.Index(s[at:], delimiter)
			if i < 0 {
				return s
			}
			at += i + len(delimiter)
		}
		return s[:at-len(delimiter)]
	}
	end := len(s)
	for ; n < 0; n++ {
		i := bytes.LastIndex(s[:end], delimiter)
		if i < 0 {
			return s
		}
		end = i
	}
	return s[end+len(delimiter):]
}

// IndexFold is bytes.Index without regard to the case of ASCII letters.
func IndexFold(s, needle []byte) int {
	for i := 0; i+len(needle) <= len(s); i++ {
		if equalFoldASCII(s[i:i+len(needle)], needle) {
			return i
		}
	}
	return -1
}

func equalFoldASCII(a, b []byte) bool {
	for i := range a {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(b byte) byte {
	if b-'A' < 26 {
		return b + 'a' - 'A'
	}
	return b
}

func isLetter(b byte) bool { return lowerByte(b)-'a' < 26 }

func isDigit(b byte) bool { return b-'0' < 10 }

// HasPrefixFold reports whether s begins with prefix, without regard to ASCII case.
func HasPrefixFold(s, prefix []byte) bool {
	return len(s) >= len(prefix) && equalFoldASCII(s[:len(prefix)], prefix)
}

// HasSuffixFold reports whether s ends with suffix, without regard to ASCII case.
func HasSuffixFold(s, suffix []byte) bool {
	return len(s) >= len(suffix) && equalFoldASCII(s[len(s)-len(suffix):], suffix)
}

// CountFound counts how often needle is in s without overlaps, as index finds it.
func CountFound(s, needle []byte, index func(s, needle []byte) int) int {
	if len(needle) == 0 {
		return 0
	}
	n := 0
	for {
		i := index(s, needle)
		if i < 0 {
			return n
		}
		n++
		s = s[i+len(needle):]
	}
}

// Replace appends s with the first most occurrences of needle replaced; an empty needle
// is nowhere.
func Replace(dst, s, needle, by []byte, most int) []byte {
	for ; most != 0 && len(needle) > 0; most-- {
		i := bytes.Index(s, needle)
		if i < 0 {
			break
		}
		dst = append(append(dst, s[:i]...), by...)
		s = s[i+len(needle):]
	}
	return append(dst, s...)
}

// InitCap appends s with the first letter of each word of ASCII letters and digits in
// upper case, and the others in lower case.
func InitCap(dst, s []byte) []byte {
	inWord := false
	for _, b := range s {
		c := lowerByte(b)
		if !inWord && isLetter(c) {
			c -= 'a' - 'A'
		}
		inWord = isLetter(b) || isDigit(b)
		dst = append(dst, c)
	}
	return dst
}

// FirstLine returns s up to its first line end: \n, \r or \r\n.
func FirstLine(s []byte) []byte {
	if i := bytes.IndexAny(s, "\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}

// HasSubsequence reports whether the bytes of needle are in s in their order.
func HasSubsequence(s, needle []byte) bool {
	for _, b := range s {
		if len(needle) == 0 {
			break
		}
		if b == needle[0] {
			needle = needle[1:]
		}
	}
	return len(needle) == 0
}

// HasSubsequenceFold is HasSubsequence without regard to ASCII case.
func HasSubsequenceFold(s, needle []byte) bool {
	for _, b := range s {
		if len(needle) == 0 {
			break
		}
		if lowerByte(b) == lowerByte(needle[0]) {
			needle = needle[1:]
		}
	}
	return len(needle) == 0
}

// HammingDistance counts the bytes in which two texts differ; the longer one's rest
// differs.
func HammingDistance(a, b []byte) uint64 {
	if len(a) > len(b) {
		a, b = b, a
	}
	n := len(b) - len(a)
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return uint64(n)
}

// DistinctBytes counts the different bytes of s.
func DistinctBytes(s []byte) uint64 {
	var seen [256]bool
	n := uint64(0)
	for _, b := range s {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}

// soundexCodes are the digits of A to Z; 0 is a vowel, and '-' a letter that is no sound.
const soundexCodes = "01230120022455012623010202"

// Soundex appends the four characters of the sound of an English word.
func Soundex(dst, s []byte) []byte {
	from := len(dst)
	last := byte(0)
	for _, b := range s {
		if !isLetter(b) {
			continue
		}
		letter := lowerByte(b) - 'a'
		code := soundexCodes[letter]
		if len(dst) == from {
			dst = append(dst, letter+'A')
			last = code
			continue
		}
		if code != '0' && code != last {
			if dst = append(dst, code); len(dst) == from+4 {
				return dst
			}
		}
		if letter != 'h'-'a' && letter != 'w'-'a' {
			last = code
		}
	}
	for len(dst) < from+4 {
		dst = append(dst, '0')
	}
	return dst
}
