package plan

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

func likeFunction(name, usage, operator, example, result string, found uint8, anyCase bool, doc string) Function {
	return Function{
		Name: name, AnyCase: true, Group: "Strings", Usage: usage, Min: 2, Max: 2, infix: operator,
		Doc: doc, Example: example, Result: result,
		bind: func(c *call) (binding, error) { return bindLike(c, found, anyCase) },
	}
}

func bindLike(c *call, found uint8, anyCase bool) (binding, error) {
	for i := range c.args {
		if err := c.check(i, aText); err != nil {
			return binding{}, err
		}
	}
	constant := c.args[1].constant
	if constant == nil || constant.Null(0) {
		return binding{}, refuse(c.args[1].pos, "", "the pattern of %s must be a constant", c.name)
	}
	p, problem := parsePattern(constant.Str.At(0), anyCase)
	if problem != "" {
		return binding{}, refuse(c.args[1].pos, "", "the pattern %s", problem)
	}
	c.args = c.args[:1]
	match := p.matcher()
	return binding{typ: valueType{base: logical}, run: textOf(u8, func(s []byte) uint8 {
		return truth(match(s)) ^ found ^ 1
	})}, nil
}

// pattern is a LIKE pattern in the form in which ClickHouse runs it: as a regular
// expression, with % as .* and _ as . over valid characters, except that a % at an end
// takes any bytes.
type pattern struct {
	parts            []patternPart // between the inner %
	anyStart, anyEnd bool
	anyCase          bool
	// bytewise says that _ is any byte: ClickHouse reads a pattern that is not UTF-8 so.
	bytewise bool
}

// patternPart is a run of literals and _.
type patternPart []patternItem

// patternItem is a literal, or one character where literal is empty.
type patternItem struct{ literal []byte }

// parsePattern reads a pattern; problem says what is wrong with it, if anything.
func parsePattern(s []byte, anyCase bool) (p pattern, problem string) {
	p = pattern{anyCase: anyCase, bytewise: !utf8.Valid(s)}
	rest := bytes.TrimLeft(s, "%")
	p.anyStart = len(rest) < len(s)
	var part patternPart
	var literal []byte
	endLiteral := func() {
		if len(literal) > 0 {
			part, literal = append(part, patternItem{literal}), nil
		}
	}
	for i := 0; i < len(rest); i++ {
		switch b := rest[i]; b {
		case '%':
			endLiteral()
			p.parts, part = append(p.parts, part), nil
			p.anyEnd = i == len(rest)-1
			continue
		case '_':
			endLiteral()
			part = append(part, patternItem{})
		case '\\':
			if i+1 == len(rest) {
				return p, "ends in a backslash"
			}
			if next := rest[i+1]; next == '%' || next == '_' || next == '\\' {
				b = next
				i++
			}
			literal = append(literal, b)
		default:
			if anyCase && b >= utf8.RuneSelf {
				return p, "has a character beyond ASCII, whose case ClickHouse does not always fold"
			}
			literal = append(literal, b)
		}
	}
	endLiteral()
	if !p.anyEnd {
		p.parts = append(p.parts, part)
	}
	return p, ""
}

// matcher returns the quickest function for the pattern.
func (p pattern) matcher() func(s []byte) bool {
	literal, plain := p.plain()
	if !plain {
		return p.match
	}
	switch {
	case p.anyCase && p.anyStart && p.anyEnd:
		lower := bytes.ToLower(literal)
		return func(s []byte) bool { return containsFolded(s, lower) }
	case p.anyCase:
		return p.match
	case p.anyStart && p.anyEnd:
		return func(s []byte) bool { return bytes.Contains(s, literal) }
	case p.anyStart:
		return func(s []byte) bool { return bytes.HasSuffix(s, literal) }
	case p.anyEnd:
		return func(s []byte) bool { return bytes.HasPrefix(s, literal) }
	}
	return func(s []byte) bool { return bytes.Equal(s, literal) }
}

// plain returns the literal of a pattern without _ and inner %.
func (p pattern) plain() ([]byte, bool) {
	switch {
	case len(p.parts) == 0 || len(p.parts) == 1 && len(p.parts[0]) == 0:
		return nil, true
	case len(p.parts) == 1 && len(p.parts[0]) == 1 && p.parts[0][0].literal != nil:
		return p.parts[0][0].literal, true
	}
	return nil, false
}

// match searches the pattern from the start of s, or from every place in it.
func (p pattern) match(s []byte) bool {
	for from := 0; ; from++ {
		ok, blocked := p.matchFrom(s, from)
		if ok {
			return true
		}
		// Where an inner % stopped at bytes that are no character, what begins before them
		// cannot match either.
		from = max(from, blocked)
		if !p.anyStart || from >= len(s) {
			return false
		}
	}
}

// matchFrom matches from one place. Each inner % takes as few characters as it can: if
// the rest does not match after the nearest place of a part, a later one does not help.
// blocked is where an inner % could not go on, or -1.
func (p pattern) matchFrom(s []byte, at int) (ok bool, blocked int) {
	for i, part := range p.parts {
		last := i == len(p.parts)-1
		for {
			end, ok := p.matchPart(part, s, at)
			if ok && (!last || p.anyEnd || end == len(s)) {
				at = end
				break
			}
			if i == 0 {
				return false, -1
			}
			n := p.character(s[at:])
			if n == 0 {
				return false, at
			}
			at += n
		}
	}
	return true, -1
}

// matchPart matches a run of literals and _ at one place.
func (p pattern) matchPart(part patternPart, s []byte, at int) (end int, ok bool) {
	for _, item := range part {
		if item.literal == nil {
			n := p.character(s[at:])
			if n == 0 {
				return 0, false
			}
			at += n
			continue
		}
		n := literalAt(s[at:], item.literal, p.anyCase)
		if n < 0 {
			return 0, false
		}
		at += n
	}
	return at, true
}

// character returns the length of the character at the start of s, or 0 where there is
// none. It takes what RE2 takes for one: also surrogates and numbers over 10FFFF.
func (p pattern) character(s []byte) int {
	if len(s) == 0 {
		return 0
	}
	n := 0
	switch b := s[0]; {
	case b < 0x80 || p.bytewise:
		return 1
	case b >= 0xC2 && b <= 0xDF:
		n = 2
	case b >= 0xE0 && b <= 0xEF:
		n = 3
	case b >= 0xF0 && b <= 0xF4:
		n = 4
	}
	if n > len(s) {
		return 0
	}
	for i := 1; i < n; i++ {
		if s[i]&0xC0 != 0x80 {
			return 0
		}
	}
	return n
}

// literalAt returns how many bytes of s a literal takes at its start, or -1.
func literalAt(s, literal []byte, anyCase bool) int {
	if !anyCase {
		if bytes.HasPrefix(s, literal) {
			return len(literal)
		}
		return -1
	}
	at := 0
	for _, want := range literal {
		if at == len(s) {
			return -1
		}
		r, n := utf8.DecodeRune(s[at:])
		if !sameFold(r, rune(want)) {
			return -1
		}
		at += n
	}
	return at
}

// sameFold reports whether two characters differ in case only: ſ is an s, and the Kelvin
// sign a k, as for RE2.
func sameFold(r, want rune) bool {
	if r == want {
		return true
	}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if f == want {
			return true
		}
	}
	return false
}

// containsFolded is ILIKE '%literal%', which ClickHouse does not run as a regular
// expression: it compares characters in lower case.
func containsFolded(s, lower []byte) bool {
	for from := 0; from+len(lower) <= len(s); from++ {
		at, i := from, 0
		for i < len(lower) && at < len(s) {
			r, n := utf8.DecodeRune(s[at:])
			if unicode.ToLower(r) != rune(lower[i]) {
				break
			}
			at += n
			i++
		}
		if i == len(lower) {
			return true
		}
	}
	return false
}
