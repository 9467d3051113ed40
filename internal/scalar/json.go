package scalar

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxJSONDepth is how deep arrays and objects may be in each other.
const maxJSONDepth = 1024

// JSONStep is a step of a path: the member of an object by its name, or, without one, the
// element of an array or the member of an object by its place: from 1, or from the end
// where negative.
type JSONStep struct {
	Name  []byte // nil: by place
	Place int64
}

// ValidJSON reports whether s is one JSON value of RFC 8259, in UTF-8, whose whole numbers
// fit 64 bits and whose others are finite.
func ValidJSON(s []byte) bool {
	if !utf8.Valid(s) {
		return false
	}
	end := scanJSON(s, skipSpace(s, 0), 0)
	return end > 0 && skipSpace(s, end) == len(s)
}

// FindJSON returns the text of the value at a path, which no spaces surround. ok is false
// where s is not valid or has no such value.
func FindJSON(s []byte, path []JSONStep) (value []byte, ok bool) {
	if !ValidJSON(s) {
		return nil, false
	}
	at := skipSpace(s, 0)
	value = s[at:scanJSON(s, at, 0)]
	for _, step := range path {
		if value, ok = stepJSON(value, step); !ok {
			return nil, false
		}
	}
	return value, true
}

func stepJSON(value []byte, step JSONStep) ([]byte, bool) {
	isObject := value[0] == '{'
	if !isObject && (value[0] != '[' || step.Name != nil) {
		return nil, false
	}
	place := step.Place
	if step.Name == nil && place < 0 {
		place += int64(JSONLength(value)) + 1
	}
	n := int64(0)
	for it := (members{s: value, object: isObject}); it.next(); {
		n++
		if step.Name == nil && n == place || step.Name != nil && equalsKey(it.key, step.Name) {
			return it.value, true
		}
	}
	return nil, false
}

// JSONLength returns how many elements or members a value has.
func JSONLength(value []byte) uint64 {
	n := uint64(0)
	if value[0] == '{' || value[0] == '[' {
		for it := (members{s: value, object: value[0] == '{'}); it.next(); {
			n++
		}
	}
	return n
}

// members goes through a valid object or array.
type members struct {
	s          []byte
	object     bool
	at         int // of the bracket or comma before the next one
	key, value []byte
}

func (m *members) next() bool {
	at := skipSpace(m.s, m.at+1)
	if m.s[m.at] == ']' || m.s[m.at] == '}' || m.s[at] == ']' || m.s[at] == '}' {
		return false
	}
	if m.object {
		end := scanJSON(m.s, at, 0)
		m.key = m.s[at+1 : end-1]
		at = skipSpace(m.s, skipSpace(m.s, end)+1)
	}
	end := scanJSON(m.s, at, 0)
	m.value = m.s[at:end]
	m.at = skipSpace(m.s, end)
	return true
}

func equalsKey(raw, key []byte) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return bytes.Equal(raw, key)
	}
	var b [64]byte
	return bytes.Equal(appendUnescaped(b[:0], raw), key)
}

func skipSpace(s []byte, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// scanJSON returns where the value that begins at i ends, or -1 where there is none.
func scanJSON(s []byte, i, depth int) int {
	if i >= len(s) || depth > maxJSONDepth {
		return -1
	}
	switch b := s[i]; {
	case b == '{' || b == '[':
		return scanMembers(s, i, depth+1)
	case b == '"':
		return scanString(s, i)
	case b == '-' || isDigit(b):
		return scanNumber(s, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s[i:], []byte(word)) {
			return i + len(word)
		}
	}
	return -1
}

func scanMembers(s []byte, i, depth int) int {
	object := s[i] == '{'
	closing := s[i] + 2 // of [ ] and of { } in ASCII
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == closing && depth <= maxJSONDepth {
		return i + 1
	}
	for {
		if object {
			if i >= len(s) || s[i] != '"' {
				return -1
			}
			if i = scanString(s, i); i < 0 {
				return -1
			}
			if i = skipSpace(s, i); i >= len(s) || s[i] != ':' {
				return -1
			}
			i = skipSpace(s, i+1)
		}
		if i = scanJSON(s, i, depth); i < 0 {
			return -1
		}
		if i = skipSpace(s, i); i >= len(s) {
			return -1
		}
		switch s[i] {
		case closing:
			return i + 1
		case ',':
			i = skipSpace(s, i+1)
		default:
			return -1
		}
	}
}

func scanString(s []byte, i int) int {
	for i++; i < len(s); i++ {
		switch b := s[i]; {
		case b == '"':
			return i + 1
		case b < ' ':
			return -1
		case b == '\\':
			n := escapeLength(s[i:])
			if n == 0 {
				return -1
			}
			i += n - 1
		}
	}
	return -1
}

// escapeLength returns how many bytes an escape has; two \u of a pair are one.
func escapeLength(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	if s[1] != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), s[1]) >= 0 {
			return 2
		}
		return 0
	}
	unit := codeUnit(s)
	switch {
	case unit < 0 || unit >= 0xDC00 && unit <= 0xDFFF:
		return 0
	case unit < 0xD800 || unit > 0xDFFF:
		return 6
	}
	if low := codeUnit(s[6:]); low >= 0xDC00 && low <= 0xDFFF {
		return 12
	}
	return 0
}

// codeUnit reads \uXXXX; -1 where there is none.
func codeUnit(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	var unit rune
	for _, b := range s[2:6] {
		v := hexValue(b)
		if v > 15 {
			return -1
		}
		unit = unit<<4 | rune(v)
	}
	return unit
}

// appendUnescaped appends what is between the quotes of a valid string.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		n := escapeLength(s[i:])
		switch n {
		case 12:
			dst = utf8.AppendRune(dst, 0x10000+(codeUnit(s[i:])-0xD800)<<10+codeUnit(s[i+6:])-0xDC00)
		case 6:
			dst = utf8.AppendRune(dst, codeUnit(s[i:]))
		default:
			dst = append(dst, escaped(s[i+1]))
		}
		i += n - 1
	}
	return dst
}

// escaped returns the character of an escape of one letter.
func escaped(letter byte) byte {
	switch letter {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return letter
}

// scanNumber returns where a number ends, or -1 where it is none or has no room.
func scanNumber(s []byte, i int) int {
	start := i
	if s[i] == '-' {
		i++
	}
	first := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == first || s[first] == '0' && i > first+1 {
		return -1
	}
	whole := true
	if i < len(s) && s[i] == '.' {
		whole = false
		digits := i + 1
		for i = digits; i < len(s) && isDigit(s[i]); {
			i++
		}
		if i == digits {
			return -1
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		whole = false
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		digits := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if i == digits {
			return -1
		}
	}
	if n := numberOf(s[start:i]); whole && n.kind == jsonNothing || !whole && math.IsInf(n.float, 0) {
		return -1
	}
	return i
}

// jsonNumber is a number as the engine holds it.
type jsonNumber struct {
	kind  jsonKind
	int   int64
	uint  uint64
	float float64
}

type jsonKind uint8

const (
	jsonNothing jsonKind = iota
	jsonInt
	jsonUint // beyond Int64
	jsonFloat
)

// numberOf reads a number of JSON's grammar; jsonNothing where a whole one has no room.
func numberOf(s []byte) jsonNumber {
	if bytes.ContainsAny(s, ".eE") {
		var b [64]byte // the text of ParseFloat stays on the stack
		f, _ := strconv.ParseFloat(string(append(b[:0], s...)), 64)
		return jsonNumber{kind: jsonFloat, float: f}
	}
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	var v uint64
	for _, d := range s {
		if v > math.MaxUint64/10 || v*10 > math.MaxUint64-uint64(d-'0') {
			return jsonNumber{}
		}
		v = v*10 + uint64(d-'0')
	}
	switch {
	case negative && v > 1<<63:
		return jsonNumber{}
	case negative:
		return jsonNumber{kind: jsonInt, int: -int64(v)}
	case v > math.MaxInt64:
		return jsonNumber{kind: jsonUint, uint: v}
	}
	return jsonNumber{kind: jsonInt, int: int64(v)}
}
