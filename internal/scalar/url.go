package scalar

import "bytes"

// maxScheme is up to where a scheme is looked for, in bytes.
const maxScheme = 16

// notInHosts are bytes that no host has: with one of them in front of its end there is none.
var notInHosts = setOf(" \t<>%{}|\\^~[];=&")

// setOf returns which bytes a text has.
func setOf(text string) (set [256]bool) {
	for i := range len(text) {
		set[text[i]] = true
	}
	return set
}

// afterScheme returns where the authority of a URL begins: behind its scheme and //, or
// at its start. ok is false where a byte stands before it that no URL has there.
func afterScheme(s []byte) (at int, ok bool) {
	if len(s) >= 2 && s[0] == '/' && s[1] == '/' {
		return 2, true
	}
	end := min(len(s), maxScheme)
	for i := 1; i < end; i++ {
		b := s[i]
		switch {
		case isLetter(b) || isDigit(b) || b == '.' || b == '-' || b == '+':
			continue
		case notInHosts[b]:
			return 0, false
		case end-i > 2 && b == ':' && s[i+1] == '/' && s[i+2] == '/':
			return i + 3, true
		}
		return 0, true
	}
	return 0, true
}

// Protocol returns the scheme of a URL.
func Protocol(s []byte) []byte {
	if len(s) == 0 || !isLetter(s[0]) {
		return nil
	}
	n := 1
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '+' || s[n] == '-' || s[n] == '.') {
		n++
	}
	if len(s)-n < 4 || s[n] != ':' {
		return nil
	}
	return s[:n]
}

// host returns where the host of a URL stands; nowhere where it has no dot.
func host(s []byte) (from, to int) {
	at, ok := afterScheme(s)
	if !ok {
		return 0, 0
	}
	dot := -1
	from, to = at, len(s)
search:
	for i := at; i < len(s); i++ {
		switch b := s[i]; b {
		case '.':
			dot = i
		case ':', '/', '?', '#':
			to = i
			break search
		case '@':
			from = i + 1
		default:
			if notInHosts[b] {
				return 0, 0
			}
		}
	}
	if dot < 0 || from >= to || to-dot == 1 {
		return 0, 0
	}
	return from, to
}

// Domain returns the host of a URL.
func Domain(s []byte) []byte {
	from, to := host(s)
	return s[from:to]
}

// DomainWithoutWWW returns the host of a URL without www. before it.
func DomainWithoutWWW(s []byte) []byte {
	d := Domain(s)
	if len(d) > 4 && string(d[:4]) == "www." {
		return d[4:]
	}
	return d
}

// TopLevelDomain returns the part of a host behind its last dot, unless it is an address.
func TopLevelDomain(s []byte) []byte {
	d := Domain(s)
	dot := bytes.LastIndexByte(d, '.')
	if dot < 0 || dot+1 < len(d) && isDigit(d[dot+1]) {
		return nil
	}
	return d[dot+1:]
}

// Port returns the port of a URL, or the other number where it has none.
func Port(s []byte, other uint64) uint64 {
	from, to := host(s)
	if from == to || to == len(s) || s[to] != ':' {
		return other
	}
	port := other
	for _, b := range s[to+1:] {
		if b == '/' {
			break
		}
		if !isDigit(b) {
			return other
		}
		if port = port*10 + uint64(b-'0'); port > 1<<16-1 {
			return other
		}
	}
	return port
}

// pathStart returns where the path of a URL begins, or its length: at its first slash
// that no other one follows.
func pathStart(s []byte) int {
	i := bytes.IndexByte(s, '/')
	if i < 0 {
		return len(s)
	}
	if i+1 < len(s) && s[i+1] == '/' {
		j := bytes.IndexByte(s[i+2:], '/')
		if j < 0 {
			return len(s)
		}
		i += 2 + j
	}
	return i
}

// PathFull returns the path of a URL with query string and fragment.
func PathFull(s []byte) []byte { return s[pathStart(s):] }

// Path returns the path of a URL.
func Path(s []byte) []byte {
	s = PathFull(s)
	if i := bytes.IndexAny(s, "?#"); i >= 0 {
		return s[:i]
	}
	return s
}

// cutAt returns s behind its first b, or nothing.
func cutAt(s []byte, b byte) (behind []byte, at int) {
	if i := bytes.IndexByte(s, b); i >= 0 {
		return s[i+1:], i
	}
	return nil, -1
}

// QueryString returns what is between the first ? and the # behind it.
func QueryString(s []byte) []byte {
	q, _ := cutAt(s, '?')
	if i := bytes.IndexByte(q, '#'); i >= 0 {
		return q[:i]
	}
	return q
}

// Fragment returns what is behind the first #.
func Fragment(s []byte) []byte {
	f, _ := cutAt(s, '#')
	return f
}

// QueryStringAndFragment returns what is behind the first ?, or the fragment with its #.
func QueryStringAndFragment(s []byte) []byte {
	if q, at := cutAt(s, '?'); at >= 0 {
		return q
	}
	if i := bytes.IndexByte(s, '#'); i >= 0 {
		return s[i:]
	}
	return nil
}

// CutQueryString appends a URL without its query string.
func CutQueryString(dst, s []byte) []byte {
	q, at := cutAt(s, '?')
	if at < 0 {
		return append(dst, s...)
	}
	dst = append(dst, s[:at]...)
	if i := bytes.IndexByte(q, '#'); i >= 0 {
		dst = append(dst, q[i:]...)
	}
	return dst
}

// CutFragment appends a URL without its fragment.
func CutFragment(dst, s []byte) []byte {
	if i := bytes.IndexByte(s, '#'); i >= 0 {
		s = s[:i]
	}
	return append(dst, s...)
}

// CutQueryStringAndFragment appends a URL without either.
func CutQueryStringAndFragment(dst, s []byte) []byte {
	if i := bytes.IndexByte(s, '?'); i >= 0 {
		s = s[:i]
	} else if i := bytes.IndexByte(s, '#'); i >= 0 {
		s = s[:i]
	}
	return append(dst, s...)
}

// CutWWW appends a URL without www. before its host.
func CutWWW(dst, s []byte) []byte {
	slash := bytes.IndexByte(s, '/')
	if slash < 0 || slash > 0 && slash != len(Protocol(s))+1 || slash+1 >= len(s) || s[slash+1] != '/' {
		return append(dst, s...)
	}
	at := slash + 2
search:
	for i := at; i < len(s); i++ {
		switch s[i] {
		case '@':
			at = i + 1
		case ':', '/', '?', '#':
			break search
		}
	}
	if at+4 < len(s) && string(s[at:at+4]) == "www." {
		return append(append(dst, s[:at]...), s[at+4:]...)
	}
	return append(dst, s...)
}

// parameter returns where name= begins in the query string or fragment of a URL, or -1.
// name comes with its equals sign.
func parameter(s, name []byte) int {
	start := bytes.IndexAny(s, "?#")
	if start < 0 {
		return -1
	}
	for at := start + 1; at < len(s); {
		i := bytes.Index(s[at:], name)
		if i < 0 {
			break
		}
		at += i
		if before := s[at-1]; before == '?' || before == '#' || before == '&' {
			return at
		}
		at += len(name)
	}
	return -1
}

// URLParameter returns the value of a parameter of a URL; name comes with its equals sign.
func URLParameter(s, name []byte) []byte {
	at := parameter(s, name)
	if at < 0 {
		return nil
	}
	value := s[at+len(name):]
	if i := bytes.IndexAny(value, "&#"); i >= 0 {
		return value[:i]
	}
	return value
}

// CutURLParameter appends a URL without a parameter; name comes with its equals sign.
func CutURLParameter(dst, s, name []byte) []byte {
	from := parameter(s, name)
	if from < 0 {
		return append(dst, s...)
	}
	to := from + len(name)
	if i := bytes.IndexAny(s[to:], "&#"); i >= 0 {
		to += i
	} else {
		to = len(s)
	}
	if to < len(s) && s[to] == '&' {
		to++
	} else if s[from-1] == '&' {
		from--
	}
	return append(append(dst, s[:from]...), s[to:]...)
}

// EncodeURL appends s with all but letters, digits and -_.~ as %XX; form has a + for a space.
func EncodeURL(dst, s []byte, form bool) []byte {
	for _, b := range s {
		switch {
		case isLetter(b) || isDigit(b) || b == '-' || b == '_' || b == '.' || b == '~':
			dst = append(dst, b)
		case b == ' ' && form:
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', hexDigits[b>>4], hexDigits[b&15])
		}
	}
	return dst
}

// DecodeURL appends s with each %XX as the byte that it is; form has a space for a +.
func DecodeURL(dst, s []byte, form bool) []byte {
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '+' && form:
			dst = append(dst, ' ')
		case b != '%':
			dst = append(dst, b)
		case len(s)-i < 3:
			return append(dst, s[i:]...)
		default:
			if high, low := hexValue(s[i+1]), hexValue(s[i+2]); high < 16 && low < 16 {
				dst = append(dst, high<<4|low)
			} else {
				dst = append(dst, s[i:i+3]...)
			}
			i += 2
		}
	}
	return dst
}
