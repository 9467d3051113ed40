package scalar

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Regexp is a regular expression of RE2 whose . matches line ends too, as the engine has
// it set.
type Regexp struct {
	re *regexp.Regexp
	// Inexact says that it can match U+FFFD. On bytes that are not UTF-8 the engine then
	// matches nothing and Go that character, so they have to be replaced first.
	Inexact bool
	// Empty says that it can match an empty text.
	Empty bool
}

// errOnProperties: the engine and Go know different versions of Unicode.
var errOnProperties = errors.New("classes of Unicode such as \\pL are not the same in every version")

// CompileRegexp parses a pattern.
func CompileRegexp(pattern string) (*Regexp, error) {
	if !utf8.ValidString(pattern) {
		return nil, errors.New("it is not UTF-8")
	}
	if hasProperties(pattern) {
		return nil, errOnProperties
	}
	tree, err := syntax.Parse(pattern, syntax.Perl|syntax.DotNL)
	if err != nil {
		return nil, fmt.Errorf("parse regular expression: %w", err)
	}
	re, err := regexp.Compile("(?s)" + pattern)
	if err != nil {
		return nil, fmt.Errorf("compile regular expression: %w", err)
	}
	return &Regexp{re: re, Inexact: matchesReplacement(tree), Empty: minLength(tree) == 0}, nil
}

// hasProperties reports whether \p or \P stands in a pattern.
func hasProperties(pattern string) bool {
	for {
		i := strings.IndexByte(pattern, '\\')
		if i < 0 || i+1 >= len(pattern) {
			return false
		}
		if pattern[i+1]|0x20 == 'p' {
			return true
		}
		pattern = pattern[i+2:]
	}
}

// matchesReplacement reports whether a part of a pattern matches U+FFFD.
func matchesReplacement(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r == utf8.RuneError {
				return true
			}
		}
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] <= utf8.RuneError && utf8.RuneError <= re.Rune[i+1] {
				return true
			}
		}
	}
	for _, sub := range re.Sub {
		if matchesReplacement(sub) {
			return true
		}
	}
	return false
}

// minLength returns a lower bound of the characters of a match.
func minLength(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return minLength(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * minLength(re.Sub[0])
	case syntax.OpConcat:
		n := 0
		for _, sub := range re.Sub {
			n += minLength(sub)
		}
		return n
	case syntax.OpAlternate:
		n := minLength(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			n = min(n, minLength(sub))
		}
		return n
	}
	return 0
}

// Groups returns how many groups the expression captures.
func (r *Regexp) Groups() int { return r.re.NumSubexp() }

// text returns what the expression is matched with.
func (r *Regexp) text(s []byte) []byte {
	if r.Inexact && !utf8.Valid(s) {
		return AppendValidUTF8(nil, s)
	}
	return s
}

// Match reports whether the expression matches somewhere in s.
func (r *Regexp) Match(s []byte) bool { return r.re.Match(r.text(s)) }

// Count counts the matches in s that do not overlap.
func (r *Regexp) Count(s []byte) uint64 { return uint64(len(r.re.FindAllIndex(r.text(s), -1))) }

// Group returns a group of the first match; 0 is all of it.
func (r *Regexp) Group(s []byte, group int) []byte {
	s = r.text(s)
	if group == 0 {
		return r.re.Find(s) // which does not allocate
	}
	at := r.re.FindSubmatchIndex(s)
	if at == nil || at[2*group] < 0 {
		return nil
	}
	return s[at[2*group]:at[2*group+1]]
}

// Replacement is what stands for a match: texts, and groups of it.
type Replacement []replacementPart

type replacementPart struct {
	text  []byte
	group int // where text is nil
}

// ParseReplacement reads a text in which \0 to \9 are groups of the expression.
func (r *Regexp) ParseReplacement(s []byte) (Replacement, error) {
	var parts Replacement
	text := []byte{}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			text = append(text, s[i])
			continue
		}
		i++
		if !isDigit(s[i]) {
			text = append(text, s[i])
			continue
		}
		group := int(s[i] - '0')
		if group > r.Groups() {
			return nil, fmt.Errorf("it names group %d of %d", group, r.Groups())
		}
		parts = append(parts, replacementPart{text: text}, replacementPart{group: group})
		text = []byte{}
	}
	return append(parts, replacementPart{text: text}), nil
}

// Replace appends s with the first most matches replaced; all where most is negative.
func (r *Regexp) Replace(dst, s []byte, by Replacement, most int) []byte {
	s = r.text(s)
	at := 0
	for _, match := range r.re.FindAllSubmatchIndex(s, most) {
		dst = append(dst, s[at:match[0]]...)
		for _, part := range by {
			if part.text != nil {
				dst = append(dst, part.text...)
			} else if from := match[2*part.group]; from >= 0 {
				dst = append(dst, s[from:match[2*part.group+1]]...)
			}
		}
		at = match[1]
	}
	return append(dst, s[at:]...)
}

// AppendQuoted appends s with a backslash before what is not itself in an expression.
func AppendQuoted(dst, s []byte) []byte {
	for _, b := range s {
		if b == 0 || strings.IndexByte(`\()|[].^$?*+{:-`, b) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return dst
}
