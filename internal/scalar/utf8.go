package scalar

import "unicode/utf8"

// charLength is how many bytes ClickHouse takes a character for, by its first one. The
// bytes behind it are not looked at.
func charLength(first byte) int {
	switch {
	case first < 0xC0 || first >= 0xF8:
		return 1
	case first < 0xE0:
		return 2
	case first < 0xF0:
		return 3
	}
	return 4
}

// CountChars counts the bytes that begin a character: all but continuations.
func CountChars(s []byte) int {
	n := 0
	for _, b := range s {
		if b&0xC0 != 0x80 {
			n++
		}
	}
	return n
}

// FirstChars returns s without what is behind its first n characters, as CountChars
// counts them.
func FirstChars(s []byte, n int) []byte {
	for i, b := range s {
		if b&0xC0 != 0x80 {
			if n == 0 {
				return s[:i]
			}
			n--
		}
	}
	return s
}

// SkipChars returns where the text goes on behind n characters; at most its length.
func SkipChars(s []byte, n int) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		at += charLength(s[at])
	}
	return min(at, len(s))
}

// SkipCharsBack returns where the last n characters begin.
func SkipCharsBack(s []byte, n int) int {
	at := len(s)
	for ; n > 0 && at > 0; n-- {
		for at--; at > 0 && s[at]&0xC0 == 0x80; {
			at--
		}
	}
	return at
}

// ReverseChars appends the characters in reverse.
func ReverseChars(dst, s []byte) []byte {
	from := len(dst)
	dst = append(dst, s...)
	out := dst[from:]
	end := len(out)
	for at := 0; at < len(s); {
		n := charLength(s[at])
		if s[at] >= 0xF0 {
			n = 4 // whatever the byte; only here
		}
		if at+n > len(s) {
			n = 1
		}
		end -= n
		copy(out[end:], s[at:at+n])
		at += n
	}
	return dst
}

// AppendValidUTF8 appends s with each run of bytes that are not UTF-8 as one U+FFFD.
func AppendValidUTF8(dst, s []byte) []byte {
	broken := false
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 {
			if !broken {
				dst = append(dst, "\uFFFD"...)
			}
			broken = true
		} else {
			dst = append(dst, s[:n]...)
			broken = false
		}
		s = s[n:]
	}
	return dst
}
