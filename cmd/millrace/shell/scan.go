package shell

import "strings"

// kind is what a piece of text is. The shell's reading of a text is looser than the
// server's: it must make sense of a statement that is half written.
type kind uint8

const (
	word    kind = iota // a name or keyword
	quoted              // a name in backticks or double quotes
	literal             // a string
	number
	comment
	space
	mark // an operator, a bracket, a comma
	end  // a semicolon
)

// piece is a part of a text. The pieces of a text, one after the other, are the text.
type piece struct {
	kind   kind
	text   string
	offset int  // of the text, in bytes
	open   bool // a string, name in quotes or comment that has not ended
}

// scan cuts a text into pieces.
func scan(text string) []piece {
	var pieces []piece
	for at := 0; at < len(text); {
		p := next(text[at:])
		p.offset = at
		at += len(p.text)
		pieces = append(pieces, p)
	}
	return pieces
}

// next is the first piece of a text that is not empty.
func next(text string) piece {
	c := text[0]
	switch {
	case strings.HasPrefix(text, "--"), c == '#':
		line, _, ended := strings.Cut(text, "\n")
		return piece{kind: comment, text: line, open: !ended}
	case strings.HasPrefix(text, "/*"):
		return blockComment(text)
	case c == '\'':
		return inQuotes(literal, text)
	case c == '`' || c == '"':
		return inQuotes(quoted, text)
	case c == ';':
		return piece{kind: end, text: text[:1]}
	case c == '$':
		return heredoc(text)
	case isSpace(c):
		return run(space, text, isSpace)
	case isDigit(c):
		return run(number, text, func(c byte) bool { return isWord(c) || c == '.' })
	case isWord(c):
		return run(word, text, isWord)
	}
	return piece{kind: mark, text: text[:1]}
}

func run(k kind, text string, in func(byte) bool) piece {
	n := 1
	for n < len(text) && in(text[n]) {
		n++
	}
	return piece{kind: k, text: text[:n]}
}

// inQuotes reads to the closing quote; one that is doubled or behind a backslash does not
// close.
func inQuotes(k kind, text string) piece {
	quote := text[0]
	for n := 1; n < len(text); n++ {
		switch {
		case text[n] == '\\':
			n++
		case text[n] == quote && n+1 < len(text) && text[n+1] == quote:
			n++
		case text[n] == quote:
			return piece{kind: k, text: text[:n+1]}
		}
	}
	return piece{kind: k, text: text, open: true}
}

// heredoc reads a string between two equal marks such as $$ or $tag$.
func heredoc(text string) piece {
	n := 1
	for n < len(text) && isWord(text[n]) {
		n++
	}
	if n == len(text) || text[n] != '$' {
		return piece{kind: mark, text: text[:1]}
	}
	tag := text[:n+1]
	body, _, ended := strings.Cut(text[n+1:], tag)
	if !ended {
		return piece{kind: literal, text: text, open: true}
	}
	return piece{kind: literal, text: text[:2*len(tag)+len(body)]}
}

// blockComment reads to the end of a comment, which may hold others.
func blockComment(text string) piece {
	depth := 0
	for n := 0; n < len(text); n++ {
		switch {
		case strings.HasPrefix(text[n:], "/*"):
			depth++
			n++
		case strings.HasPrefix(text[n:], "*/"):
			depth--
			n++
			if depth == 0 {
				return piece{kind: comment, text: text[:n+1]}
			}
		}
	}
	return piece{kind: comment, text: text, open: true}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWord tells the bytes of names. All that is not ASCII counts as one: nothing is lost by
// taking it for a name.
func isWord(c byte) bool {
	return c == '_' || isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// statement is one statement of an input, with its place there.
type statement struct {
	text   string // without the semicolon
	offset int    // in the input, in bytes
}

// split cuts an input into its statements. complete tells that the last one is ended by a
// semicolon, or that there is none.
func split(input string) (statements []statement, complete bool) {
	start, something := 0, false
	for _, p := range scan(input) {
		switch p.kind {
		case end:
			if something {
				statements = append(statements, statement{input[start:p.offset], start})
			}
			start, something = p.offset+1, false
		case space:
		case comment:
			if p.open && strings.HasPrefix(p.text, "/*") {
				something = true // it may yet be followed by a statement
			}
		default:
			something = true
		}
	}
	if something {
		return append(statements, statement{input[start:], start}), false
	}
	return statements, true
}
