package tabular

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Width is how many cells of a terminal a clean text takes.
func Width(text string) int {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return uniseg.StringWidth(text)
		}
	}
	return len(text)
}

// Clean makes control characters visible, and those that have no place of their own or
// turn the direction of text: line breaks are \n, others \x1b or \u202e.
func Clean(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError && invalid(text[i:]):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unsafe(r) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case unsafe(r) && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case unsafe(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain reports whether Clean has nothing to do, as nearly always.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

func invalid(text string) bool {
	_, size := utf8.DecodeRuneInString(text)
	return size == 1
}

// unsafe tells what is not shown as it is: control characters, separators of lines, marks
// of direction, tags, and what is assigned to nothing. The joiners, which scripts and
// emoji need, are safe.
func unsafe(r rune) bool {
	const joiner, nonJoiner = '\u200d', '\u200c'
	switch {
	case r == joiner || r == nonJoiner || r == utf8.RuneError:
		return false
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return true
	}
	return !unicode.IsGraphic(r)
}

// Cut shortens a clean text to a width; "…" stands for what is left out.
func Cut(text string, width int) string {
	if Width(text) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	used, end := 0, 0
	graphemes := uniseg.NewGraphemes(text)
	for graphemes.Next() {
		w := graphemes.Width()
		if used+w > width-1 {
			break
		}
		used += w
		_, end = graphemes.Positions()
	}
	return text[:end] + "…"
}
