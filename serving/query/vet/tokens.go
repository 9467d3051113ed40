package vet

import (
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/sql"
)

// kind classes a token of ClickHouse's SQL.
type kind uint8

const (
	word   kind = iota // a keyword or a bare name
	quoted             // a name in quotes; text is decoded
	text               // a string, in quotes or a heredoc
	other              // a number, an operator, punctuation
)

// token is one token and its place in the text.
type token struct {
	kind       kind
	text       string // of a quoted name: decoded
	start, end int    // bytes
}

// is reports whether the token is a keyword or punctuation, in any case.
func (t token) is(s string) bool {
	return (t.kind == word || t.kind == other) && strings.EqualFold(t.text, s)
}

// isName reports whether the token may be a name.
func (t token) isName() bool { return t.kind == word || t.kind == quoted }

// scan cuts a text into tokens, past blanks and comments. It reads what the engine's own
// lexer reads, and never fails: what has no end reaches to the end. Nothing is allowed
// because of it: what it misreads is rewritten wrongly, and the engine's own tree of the
// outcome is what is judged.
func scan(s string) []token {
	var tokens []token
	for i := 0; i < len(s); {
		start := i
		switch c := s[i]; {
		case c <= ' ':
			i++
			continue
		case c == '#' && (i+1 == len(s) || s[i+1] == ' ' || s[i+1] == '!'), strings.HasPrefix(s[i:], "--"):
			i = after(s, i, "\n")
			continue
		case strings.HasPrefix(s[i:], "/*"):
			i = after(s, i+2, "*/")
			continue
		case c == '\'':
			i = closing(s, i)
			tokens = append(tokens, token{text, s[start:i], start, i})
			continue
		case c == '`' || c == '"':
			i = closing(s, i)
			tokens = append(tokens, token{quoted, unquote(s[start:i]), start, i})
			continue
		case c == '$':
			if end := strings.IndexByte(s[i+1:], '$'); end >= 0 && isWord(s[i+1:i+1+end]) {
				tag := s[i : i+end+2]
				i = after(s, i+len(tag), tag)
				tokens = append(tokens, token{text, s[start:i], start, i})
				continue
			}
			i++
		case isLetter(c):
			for i < len(s) && (isLetter(s[i]) || isDigit(s[i])) {
				i++
			}
			tokens = append(tokens, token{word, s[start:i], start, i})
			continue
		case isDigit(c):
			for i < len(s) && (isLetter(s[i]) || isDigit(s[i])) {
				i++
			}
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
		}
		tokens = append(tokens, token{other, s[start:i], start, i})
	}
	return tokens
}

// after returns the place behind the next occurrence of what ends something.
func after(s string, from int, end string) int {
	from = min(from, len(s))
	if n := strings.Index(s[from:], end); n >= 0 {
		return from + n + len(end)
	}
	return len(s)
}

// closing returns the place behind the quote that ends what begins with one at i.
func closing(s string, i int) int {
	quote := s[i]
	for i++; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// unquote decodes a quoted name. Escapes other than of quotes and backslashes stay, as no
// name of a table or function has them.
func unquote(s string) string {
	if len(s) < 2 {
		return s
	}
	quote := s[:1]
	s = strings.TrimSuffix(s[1:], quote)
	return strings.NewReplacer(quote+quote, quote, `\`+quote, quote, `\\`, `\`).Replace(s)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// Place returns the place of an offset in a text.
func Place(s string, offset int) sql.Pos {
	offset = max(0, min(offset, len(s)))
	before := s[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return sql.Pos{Offset: offset, Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(before[line:]) + 1}
}

// Statement is one statement of a text.
type Statement struct {
	Start, End int    // its bytes, without the semicolon
	First      string // its first keyword in upper case, or its first character
}

// Split cuts a text into statements at the semicolons between them. There is none where
// the text has blanks and comments only.
func Split(s string) []Statement {
	var out []Statement
	open := false
	for _, t := range scan(s) {
		switch {
		case t.is(";"):
			open = false
		case open:
			out[len(out)-1].End = t.end
		default:
			out = append(out, Statement{Start: t.start, End: t.end, First: strings.ToUpper(t.text)})
			open = true
		}
	}
	return out
}

// CutFormat takes a trailing FORMAT name off a statement.
func CutFormat(s string) (rest, format string) {
	tokens := scan(s)
	n := len(tokens)
	if n < 3 || !tokens[n-2].is("FORMAT") || !tokens[n-1].isName() || tokens[n-3].is(",") || tokens[n-3].is(".") {
		return s, ""
	}
	return s[:tokens[n-2].start], tokens[n-1].text
}
