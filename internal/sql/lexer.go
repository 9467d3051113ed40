package sql

import (
	"strings"
	"unicode/utf8"
)

// tokenKind classes what the lexer reads.
type tokenKind uint8

const (
	endToken    tokenKind = iota
	wordToken             // a keyword or a bare name
	quotedToken           // a name in backticks or double quotes; text is decoded
	stringToken           // text is decoded
	numberToken           // text is as written
	symbolToken           // an operator or punctuation
	strayToken            // a character that only ClickHouse's own SQL, in a report's query, has
)

type token struct {
	kind tokenKind
	text string
	pos  Pos
}

// symbols lists operators and punctuation, each before any of its own prefixes.
var symbols = [...]string{
	"::", "||", "<=", ">=", "<>", "!=", "==",
	"(", ")", ",", ";", ".", "+", "-", "*", "/", "%", "<", ">", "=", "?", ":",
}

// strays lists characters that this SQL has no use for, but ClickHouse's has: arrays,
// lambdas, parameters.
const strays = "[]{}@^&|!~"

// lexer cuts a text into tokens. It keeps the place of the next unread byte.
type lexer struct {
	text string
	pos  Pos
}

// lex returns the tokens of text; the last one is an endToken.
func lex(text string) ([]token, error) {
	if len(text) > MaxTextBytes {
		return nil, errorAt(Pos{Line: 1, Column: 1}, "split it into several requests",
			"the text has %d bytes, the limit is %d", len(text), MaxTextBytes)
	}
	l := lexer{text: text, pos: Pos{Line: 1, Column: 1}}
	tokens := make([]token, 0, len(text)/4+1)
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		if t.kind == endToken {
			return tokens, nil
		}
	}
}

// rest is the unread text.
func (l *lexer) rest() string { return l.text[l.pos.Offset:] }

// advance reads n bytes and keeps line and column right.
func (l *lexer) advance(n int) string {
	read := l.text[l.pos.Offset : l.pos.Offset+n]
	for i := 0; i < len(read); i++ {
		switch b := read[i]; {
		case b == '\n':
			l.pos.Line++
			l.pos.Column = 1
		case b&0xC0 != 0x80: // not the continuation of a UTF-8 character
			l.pos.Column++
		}
	}
	l.pos.Offset += n
	return read
}

func (l *lexer) next() (token, error) {
	if err := l.skipBlanks(); err != nil {
		return token{}, err
	}
	start, rest := l.pos, l.rest()
	if rest == "" {
		return token{kind: endToken, pos: start}, nil
	}
	switch b := rest[0]; {
	case isWordStart(b):
		n := 1
		for n < len(rest) && (isWordStart(rest[n]) || isDigit(rest[n])) {
			n++
		}
		return token{wordToken, l.advance(n), start}, nil
	case isDigit(b) || b == '.' && len(rest) > 1 && isDigit(rest[1]):
		return l.number()
	case b == '\'':
		return l.quoted(stringToken, "string")
	case b == '`' || b == '"':
		t, err := l.quoted(quotedToken, "quoted name")
		if err == nil && t.text == "" {
			return token{}, errorAt(start, "", "a name is empty")
		}
		return t, err
	}
	for _, s := range symbols {
		if len(rest) >= len(s) && rest[:len(s)] == s {
			return token{symbolToken, l.advance(len(s)), start}, nil
		}
	}
	if strings.IndexByte(strays, rest[0]) >= 0 {
		return token{strayToken, l.advance(1), start}, nil
	}
	r, size := utf8.DecodeRuneInString(rest)
	if r == utf8.RuneError && size == 1 {
		return token{}, errorAt(start, "SQL is UTF-8 text", "byte 0x%02X is not UTF-8", rest[0])
	}
	hint := ""
	if r >= utf8.RuneSelf {
		hint = "put a name that is not plain ASCII in backticks, and a string in single quotes"
	}
	return token{}, errorAt(start, hint, "the character %q has no meaning here", r)
}

// skipBlanks reads white space and comments. Comments in /* */ nest, as in ClickHouse.
func (l *lexer) skipBlanks() error {
	for {
		rest := l.rest()
		switch {
		case rest == "":
			return nil
		case rest[0] == ' ' || rest[0] >= '\t' && rest[0] <= '\r':
			l.advance(1)
		case rest[0] == '#' || strings.HasPrefix(rest, "--"):
			n := 0
			for n < len(rest) && rest[n] != '\n' {
				n++
			}
			l.advance(n)
		case strings.HasPrefix(rest, "/*"):
			if err := l.skipComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (l *lexer) skipComment() error {
	start := l.pos
	l.advance(len("/*"))
	for depth := 1; depth > 0; {
		rest := l.rest()
		switch {
		case rest == "":
			return errorAt(start, "end it with */", "the comment that begins here has no end")
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.advance(len("/*"))
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.advance(len("*/"))
		default:
			l.advance(1)
		}
	}
	return nil
}

// number reads an integer or a float, without its sign: 12, 1_000, 0x1F, 0b11, 1.5e-3, .5
func (l *lexer) number() (token, error) {
	start, rest := l.pos, l.rest()
	n := 0
	digits := func(ok func(byte) bool) {
		for n < len(rest) && (ok(rest[n]) || rest[n] == '_' && n+1 < len(rest) && ok(rest[n+1])) {
			n++
		}
	}
	prefix := ""
	if len(rest) > 2 && rest[0] == '0' {
		prefix = rest[:2]
	}
	switch {
	case (prefix == "0x" || prefix == "0X") && isHexDigit(rest[2]):
		n = 2
		digits(isHexDigit)
	case (prefix == "0b" || prefix == "0B") && isDigit(rest[2]):
		n = 2
		digits(isDigit)
	default:
		digits(isDigit)
		if n < len(rest) && rest[n] == '.' {
			n++
			digits(isDigit)
		}
		if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			exponent := n
			n++
			if n < len(rest) && (rest[n] == '+' || rest[n] == '-') {
				n++
			}
			if n == len(rest) || !isDigit(rest[n]) {
				n = exponent // the letter is no exponent, and refused below
			}
			digits(isDigit)
		}
	}
	if n < len(rest) && isWordStart(rest[n]) {
		end := n
		for end < len(rest) && (isWordStart(rest[end]) || isDigit(rest[end])) {
			end++
		}
		return token{}, errorAt(start, "put a name that begins with a digit in backticks", "%s is not a number", shorten(rest[:end]))
	}
	return token{numberToken, l.advance(n), start}, nil
}

// quoted reads a string or a quoted name and decodes it: the quote doubled stands for
// itself, and a backslash escapes as in ClickHouse.
func (l *lexer) quoted(kind tokenKind, what string) (token, error) {
	start := l.pos
	quote := l.advance(1)[0]
	var text []byte
	for {
		rest := l.rest()
		if rest == "" {
			return token{}, errorAt(start, "", "the %s that begins here has no end", what)
		}
		switch {
		case rest[0] == quote && len(rest) > 1 && rest[1] == quote:
			text = append(text, quote)
			l.advance(2)
		case rest[0] == quote:
			l.advance(1)
			return token{kind, string(text), start}, nil
		case rest[0] == '\\':
			var n int
			text, n = unescape(text, rest)
			if n == 0 {
				return token{}, errorAt(l.pos, `write \\ for a backslash`, "the escape sequence is cut short")
			}
			l.advance(n)
		default:
			text = append(text, rest[0])
			l.advance(1)
		}
	}
}

// unescape decodes the escape sequence at the front of s, which begins with a backslash,
// and returns its length, 0 where it is cut short. A letter without a meaning keeps its
// backslash, so that LIKE patterns ('100\%') need no doubling: ClickHouse's rule.
func unescape(dst []byte, s string) ([]byte, int) {
	if len(s) < 2 {
		return dst, 0
	}
	switch c := s[1]; c {
	case 'a':
		return append(dst, '\a'), 2
	case 'b':
		return append(dst, '\b'), 2
	case 'e':
		return append(dst, 0x1B), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'v':
		return append(dst, '\v'), 2
	case '0':
		return append(dst, 0), 2
	case 'N':
		return dst, 2
	case '\\', '\'', '"', '`', '/':
		return append(dst, c), 2
	case 'x':
		if len(s) < 4 || !isHexDigit(s[2]) || !isHexDigit(s[3]) {
			return dst, 0
		}
		return append(dst, hexValue(s[2])<<4|hexValue(s[3])), 4
	default:
		if c < ' ' {
			return append(dst, c), 2
		}
		return append(dst, '\\', c), 2
	}
}

func isWordStart(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_' }

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isHexDigit(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' }

func hexValue(b byte) byte {
	if isDigit(b) {
		return b - '0'
	}
	return b | 0x20 - 'a' + 10
}
