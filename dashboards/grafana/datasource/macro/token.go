package macro

import "strings"

// kind is what a token is, as far as macros have to know it.
type kind int

const (
	opaque      kind = iota // a string, a quoted name, a heredoc
	space                   // white space or a comment
	word                    // a name, keyword or number
	macroName               // $__name
	punctuation             // one byte of anything else
)

// token is a part of the text.
type token struct {
	kind       kind
	start, end int
}

// next returns the token at an offset, which lies in the text. Strings and comments that
// are not closed reach to the end of the text: the server says what is wrong with them.
func next(text string, at int) token {
	rest := text[at:]
	switch c := rest[0]; {
	case c == '\'' || c == '"' || c == '`':
		return token{opaque, at, at + quoted(rest)}
	case strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "# ") || strings.HasPrefix(rest, "#!"):
		return token{space, at, at + until(rest, "\n", 0)}
	case strings.HasPrefix(rest, "/*"):
		return token{space, at, at + until(rest, "*/", 2)}
	case isSpace(c):
		return token{space, at, at + 1}
	case strings.HasPrefix(rest, "$__"):
		if n := heredoc(rest); n > 0 {
			return token{opaque, at, at + n}
		}
		return token{macroName, at, at + 1 + wordLength(rest[1:])}
	case c == '$':
		if n := heredoc(rest); n > 0 {
			return token{opaque, at, at + n}
		}
	case isWord(c):
		// A dollar belongs to the name that it follows, as in a$__b.
		n := wordLength(rest)
		for n < len(rest) && rest[n] == '$' {
			n += 1 + wordLength(rest[n+1:])
		}
		return token{word, at, at + n}
	}
	return token{punctuation, at, at + 1}
}

// quoted is the length of a string or quoted name: its quote is escaped by a backslash, or
// by being there twice, which reads as two strings and comes to the same.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}

// until is the length up to and with the first end, searched from an offset on.
func until(text, end string, from int) int {
	i := strings.Index(text[from:], end)
	if i < 0 {
		return len(text)
	}
	return from + i + len(end)
}

// heredoc is the length of ClickHouse's $tag$ … $tag$ at the beginning of a text; 0 where
// there is none.
func heredoc(text string) int {
	n := 1 + wordLength(text[1:])
	if n >= len(text) || text[n] != '$' {
		return 0
	}
	tag := text[:n+1]
	end := strings.Index(text[len(tag):], tag)
	if end < 0 {
		return 0
	}
	return end + 2*len(tag)
}

func wordLength(text string) int {
	n := 0
	for n < len(text) && isWord(text[n]) {
		n++
	}
	return n
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
