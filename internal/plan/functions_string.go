package plan

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

var stringFunctions = []Function{
	{
		Name: "length", AnyCase: true, Group: "Strings", Usage: "length(s)", Min: 1, Max: 1,
		Doc:     "Number of bytes.",
		Example: "length('né')", Result: "3",
		bind: takes(uint64s, textOf(u64, func(s []byte) uint64 { return uint64(len(s)) }), aText),
	},
	{
		Name: "lower", Aliases: []string{"lcase"}, AnyCase: true, Group: "Strings", Usage: "lower(s)", Min: 1, Max: 1,
		Doc:     "The ASCII letters in lower case; other bytes stay.",
		Example: "lower('ABC É')", Result: "abc É",
		bind: takes(text, textToText(lowerASCII), aText),
	},
	{
		Name: "upper", Aliases: []string{"ucase"}, AnyCase: true, Group: "Strings", Usage: "upper(s)", Min: 1, Max: 1,
		Doc:     "The ASCII letters in upper case; other bytes stay.",
		Example: "upper('abc é')", Result: "ABC é",
		bind: takes(text, textToText(upperASCII), aText),
	},
	{
		Name: "substring", Aliases: []string{"substr", "mid"}, AnyCase: true, Group: "Strings", Usage: "substring(s, offset[, length])", Min: 2, Max: 3,
		Doc:     "length bytes from the offset, counted from 1; a negative offset counts from the end, a negative length leaves that many bytes at the end out. Offset 0 gives an empty text; a constant 0 is refused. Offsets and lengths of 2^40 and more count as 0.",
		Example: "substring('millrace', 5, 3)", Result: "rac",
		bind: substring,
	},
	{
		Name: "concat", AnyCase: true, Group: "Strings", Usage: "a || b, concat(a, b, …)", Min: 1, Max: -1,
		Doc:     "The texts of the arguments, one after the other; other types as toString writes them. NULL where one is NULL.",
		Example: "concat('a', 1, true)", Result: "a1true",
		bind: concat,
	},
	{
		Name: "startsWith", Group: "Strings", Usage: "startsWith(s, prefix)", Min: 2, Max: 2,
		Doc:     "1 where s begins with the bytes of prefix.",
		Example: "startsWith('millrace', 'mill')", Result: "1",
		bind: takes(logical, textPair(u8, func(s, p []byte) uint8 { return truth(bytes.HasPrefix(s, p)) }), aText, aText),
	},
	{
		Name: "endsWith", Group: "Strings", Usage: "endsWith(s, suffix)", Min: 2, Max: 2,
		Doc:     "1 where s ends with the bytes of suffix.",
		Example: "endsWith('millrace', 'mill')", Result: "0",
		bind: takes(logical, textPair(u8, func(s, p []byte) uint8 { return truth(bytes.HasSuffix(s, p)) }), aText, aText),
	},
	{
		Name: "position", AnyCase: true, Group: "Strings", Usage: "position(s, needle)", Min: 2, Max: 2,
		Doc:     "Where needle first begins in s, in bytes from 1; 0 where it is not in s.",
		Example: "position('millrace', 'race')", Result: "5",
		bind: takes(uint64s, textPair(u64, func(s, p []byte) uint64 { return uint64(bytes.Index(s, p) + 1) }), aText, aText),
	},
	{
		Name: "trimBoth", Aliases: []string{"trim"}, AnyCase: true, Group: "Strings", Usage: "trim(s)", Min: 1, Max: 1,
		Doc:     "s without the spaces (not other white space) at both ends.",
		Example: "trim('  a b ')", Result: "a b",
		bind: takes(text, textToText(func(dst, s []byte) []byte { return append(dst, bytes.Trim(s, " ")...) }), aText),
	},
	{
		Name: "trimLeft", Aliases: []string{"ltrim"}, AnyCase: true, Group: "Strings", Usage: "trimLeft(s)", Min: 1, Max: 1,
		Doc:     "s without the spaces at its start.",
		Example: "trimLeft('  a')", Result: "a",
		bind: takes(text, textToText(func(dst, s []byte) []byte { return append(dst, bytes.TrimLeft(s, " ")...) }), aText),
	},
	{
		Name: "trimRight", Aliases: []string{"rtrim"}, AnyCase: true, Group: "Strings", Usage: "trimRight(s)", Min: 1, Max: 1,
		Doc:     "s without the spaces at its end.",
		Example: "trimRight('a  ')", Result: "a",
		bind: takes(text, textToText(func(dst, s []byte) []byte { return append(dst, bytes.TrimRight(s, " ")...) }), aText),
	},
	likeFunction("like", "s LIKE pattern", "LIKE", "'millrace' LIKE 'mi%e'", "1", isIn, false,
		"1 where s matches the pattern: % is any text, _ any one character; a backslash before %, _ or itself makes it plain. The pattern is a constant."),
	likeFunction("notLike", "s NOT LIKE pattern", "NOT LIKE", "'millrace' NOT LIKE 'mi%e'", "0", isNotIn, false,
		"1 where s does not match the pattern."),
	likeFunction("ilike", "s ILIKE pattern", "ILIKE", "'Millrace' ILIKE 'MI%'", "1", isIn, true,
		"LIKE without regard to case. The pattern is a constant of ASCII characters."),
	likeFunction("notILike", "s NOT ILIKE pattern", "NOT ILIKE", "'Millrace' NOT ILIKE 'MI%'", "0", isNotIn, true,
		"1 where s does not match the pattern without regard to case."),
}

// textPair makes a kernel of a function of two texts.
func textPair[R any](to slot[R], f func(a, b []byte) R) kernel {
	return func(out *event.Vector, args []operand, rows int) {
		a, b := args[0], args[1]
		am, bm := a.mask(), b.mask()
		dst := to.sized(out, rows)
		for i := range dst {
			dst[i] = f(a.Str.At(i&am), b.Str.At(i&bm))
		}
	}
}

func lowerASCII(dst, s []byte) []byte {
	from := len(dst)
	dst = append(dst, s...)
	for i, b := range dst[from:] {
		if b-'A' < 26 {
			dst[from+i] = b + 'a' - 'A'
		}
	}
	return dst
}

func upperASCII(dst, s []byte) []byte {
	from := len(dst)
	dst = append(dst, s...)
	for i, b := range dst[from:] {
		if b-'a' < 26 {
			dst[from+i] = b - ('a' - 'A')
		}
	}
	return dst
}

func substring(c *call) (binding, error) {
	if err := c.check(0, aText); err != nil {
		return binding{}, err
	}
	texts := []string{c.args[0].text}
	for i := range c.args[1:] {
		if err := c.check(i+1, anInt); err != nil {
			return binding{}, err
		}
		var text string
		var err error
		if c.args[i+1], text, err = bounded(c.args[i+1]); err != nil {
			return binding{}, err
		}
		texts = append(texts, text)
	}
	if o := c.args[1]; o.constant != nil && !o.isNull() && o.constant.I64[0] == 0 {
		return binding{}, refuse(o.pos, "the first byte is 1", "offset 0 of substring fails in ClickHouse")
	}
	c.text = "substring(" + strings.Join(texts, ", ") + ")"
	return binding{typ: valueType{base: text}, run: func(out *event.Vector, args []operand, rows int) {
		s, offset := args[0], args[1]
		sm, om := s.mask(), offset.mask()
		texts := newTexts(out, rows)
		for i := range rows {
			length, to := int64(math.MaxInt64), s.Str.At(i&sm)
			if len(args) == 3 {
				length = args[2].I64[i&args[2].mask()]
			}
			from, end := cut(int64(len(to)), offset.I64[i&om], length)
			texts.data = append(texts.data, to[from:end]...)
			texts.end(i)
		}
		texts.finish(out)
	}, size: func(args []operand, rows int) int { return textSize(args[0], rows) }}, nil
}

// maxOffset is beyond every text. ClickHouse fails or wraps around for offsets and
// lengths near 2^63, so those of this size and more are taken for 0.
const maxOffset = 1 << 40

// bounded returns an offset or length as Int64, and its text.
func bounded(n *node) (*node, string, error) {
	t := integerOf(true, 64)
	if n.constant != nil && !n.isNull() {
		m := convert(n, t)
		if v := m.constant.I64[0]; v >= maxOffset || v <= -maxOffset || n.typ.unsigned() && v < 0 {
			return nil, "", refuse(n.pos, "", "the offset or length is beyond every text")
		}
		return m, n.text, nil
	}
	text := n.text
	if n.column < 0 {
		// ClickHouse sees constants where there is none here, as in isNull(1 + x), and
		// fails if they are 0.
		text = "materialize(" + text + ")"
	}
	if n.typ.bits() < 64 {
		return convert(n, t), text, nil
	}
	run := map1(i64, i64, func(v int64) int64 {
		if v >= maxOffset || v <= -maxOffset {
			return 0
		}
		return v
	})
	if n.typ.unsigned() {
		run = map1(u64, i64, func(v uint64) int64 {
			if v >= maxOffset {
				return 0
			}
			return int64(v)
		})
	}
	m := mapArg(n, t, run)
	m.text = fmt.Sprintf("if(abs(%[1]s) < %[2]d, %[1]s, 0)", text, maxOffset)
	if n.typ.nullable {
		m.text = fmt.Sprintf("if(isNull(%s), NULL, %s)", text, m.text)
	}
	return m, m.text, nil
}

// cut returns the part of a text of n bytes that substring takes.
func cut(n, offset, length int64) (from, end int64) {
	switch {
	case offset == 0:
		return 0, 0
	case offset > 0:
		from = min(offset-1, n)
	case offset >= -n:
		from = n + offset
	default:
		// The part begins before the text, and a length counts from there.
		if length >= 0 {
			missing := -(offset + n) // positive, since offset < -n
			if missing < 0 || length <= missing {
				return 0, 0
			}
			length -= missing
		}
	}
	if length < 0 {
		return from, max(from, n+max(length, -n))
	}
	return from, from + min(length, n-from)
}

func concat(c *call) (binding, error) {
	for i, a := range c.args {
		if err := c.check(i, anything); err != nil {
			return binding{}, err
		}
		c.args[i] = textOfValue(a)
	}
	return binding{typ: valueType{base: text}, run: func(out *event.Vector, args []operand, rows int) {
		texts := newTexts(out, rows)
		for i := range rows {
			for _, a := range args {
				texts.data = append(texts.data, a.Str.At(i&a.mask())...)
			}
			texts.end(i)
		}
		texts.finish(out)
	}, size: pickSize}, nil
}
