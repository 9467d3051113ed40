package plan

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/scalar"
)

const groupText = "Strings"

var textFunctions = []Function{
	inAnyCase(textMeasure("lengthUTF8", "lengthUTF8('né')", "2", "Number of characters: of bytes that begin one.", uint64s, u64, func(s []byte) uint64 { return uint64(scalar.CountChars(s)) }, "CHAR_LENGTH", "CHARACTER_LENGTH")),
	textMeasure("empty", "empty('')", "1", "1 where s has no bytes.", logical, u8, func(s []byte) uint8 { return truth(len(s) == 0) }),
	textMeasure("notEmpty", "notEmpty('')", "0", "1 where s has bytes.", logical, u8, func(s []byte) uint8 { return truth(len(s) > 0) }),
	inAnyCase(textMeasure("ascii", "ascii('a')", "97", "The first byte as a number; 0 of an empty text.", int32s, i64, firstByte)),
	textMeasure("isValidUTF8", "isValidUTF8('né')", "1", "1 where s is UTF-8.", logical, u8, func(s []byte) uint8 { return truth(utf8.Valid(s)) }),
	textMeasure("stringBytesUniq", "stringBytesUniq('aab')", "2", "Number of different bytes.", uint16s, u64, scalar.DistinctBytes),
	textMap("toValidUTF8", "toValidUTF8('né')", "né", "s with each run of bytes that are not UTF-8 as one U+FFFD.", scalar.AppendValidUTF8),
	inAnyCase(textMap("reverse", "reverse('abc')", "cba", "The bytes in reverse.", scalar.Reverse)),
	textMap("reverseUTF8", "reverseUTF8('né')", "én", "The characters in reverse.", scalar.ReverseChars),
	inAnyCase(textMap("initcap", "initcap('one two')", "One Two", "The first letter of each word in upper case, others in lower case; of ASCII.", scalar.InitCap)),
	textMap("firstLine", "firstLine('one\\ntwo')", "one", "s up to its first line end.", func(dst, s []byte) []byte { return append(dst, scalar.FirstLine(s)...) }),
	inAnyCase(textMap("soundex", "soundex('Robert')", "R163", "The sound of an English word in four characters.", scalar.Soundex)),

	textCompare("startsWithCaseInsensitive", "startsWithCaseInsensitive('Millrace', 'mill')", "1", "1 where s begins with prefix, without regard to the case of ASCII letters.", logical, u8, func(s, p []byte) uint8 { return truth(scalar.HasPrefixFold(s, p)) }),
	textCompare("endsWithCaseInsensitive", "endsWithCaseInsensitive('Millrace', 'RACE')", "1", "1 where s ends with suffix, without regard to the case of ASCII letters.", logical, u8, func(s, p []byte) uint8 { return truth(scalar.HasSuffixFold(s, p)) }),
	textCompare("positionCaseInsensitive", "positionCaseInsensitive('Millrace', 'RACE')", "5", "position without regard to the case of ASCII letters.", uint64s, u64, func(s, p []byte) uint64 { return uint64(scalar.IndexFold(s, p) + 1) }),
	textCompare("positionUTF8", "positionUTF8('né', 'é')", "2", "position in characters.", uint64s, u64, positionChars),
	inAnyCase(textCompare("countSubstrings", "countSubstrings('aaaa', 'aa')", "2", "How often needle is in s, without overlaps.", uint64s, u64, func(s, p []byte) uint64 { return uint64(scalar.CountFound(s, p, bytes.Index)) })),
	textCompare("countSubstringsCaseInsensitive", "countSubstringsCaseInsensitive('aAa', 'A')", "3", "countSubstrings without regard to the case of ASCII letters.", uint64s, u64, func(s, p []byte) uint64 { return uint64(scalar.CountFound(s, p, scalar.IndexFold)) }),
	inAnyCase(textCompare("hasSubsequence", "hasSubsequence('millrace', 'mrc')", "1", "1 where the bytes of needle are in s, in their order.", logical, u8, func(s, p []byte) uint8 { return truth(scalar.HasSubsequence(s, p)) })),
	inAnyCase(textCompare("hasSubsequenceCaseInsensitive", "hasSubsequenceCaseInsensitive('millrace', 'MRC')", "1", "hasSubsequence without regard to the case of ASCII letters.", logical, u8, func(s, p []byte) uint8 { return truth(scalar.HasSubsequenceFold(s, p)) })),
	textCompare("byteHammingDistance", "byteHammingDistance('abc', 'abd')", "1", "In how many bytes two texts differ.", uint64s, u64, scalar.HammingDistance, "mismatches"),
	{
		Name: "locate", AnyCase: true, Group: groupText, Usage: "locate(needle, s)", Min: 2, Max: 2,
		Doc:     "position with its arguments the other way round.",
		Example: "locate('race', 'millrace')", Result: "5",
		bind: takes(uint64s, textPair(u64, func(p, s []byte) uint64 { return uint64(bytes.Index(s, p) + 1) }), aText, aText),
	},
	replaceFunction("replaceOne", "replaceOne('a-b-c', '-', '+')", "a+b-c", "s with the first occurrence of needle replaced.", 1),
	replaceFunction("replaceAll", "replaceAll('a-b-c', '-', '+')", "a+b+c", "s with every occurrence of needle replaced.", -1, "replace"),
	{
		Name: "concatWithSeparator", Aliases: []string{"concat_ws"}, AnyCase: true, Group: groupText, Usage: "concatWithSeparator(separator, a, b, …)", Min: 2, Max: -1,
		Doc:     "The texts of the arguments with the constant separator between them. NULL where one is NULL.",
		Example: "concatWithSeparator('-', 'a', 'b', 1)", Result: "a-b-1",
		bind: concatWithSeparator,
	},
	{
		Name: "repeat", AnyCase: true, Group: groupText, Usage: "repeat(s, n)", Min: 2, Max: 2,
		Doc:     fmt.Sprintf("s n times; n is a constant from 0 to %d.", maxRepeat),
		Example: "repeat('ab', 3)", Result: "ababab",
		bind: repeat,
	},
	{
		Name: "space", AnyCase: true, Group: groupText, Usage: "space(n)", Min: 1, Max: 1,
		Doc:     fmt.Sprintf("n spaces; n is a constant from 0 to %d.", maxRepeat),
		Example: "concat('a', space(2), 'b')", Result: "a  b",
		bind: space,
	},
	padFunction("leftPad", "leftPad('7', 3, '0')", "007", true, false, "lpad"),
	padFunction("rightPad", "rightPad('7', 3, '.')", "7..", false, false, "rpad"),
	padFunction("leftPadUTF8", "leftPadUTF8('é', 3, '·')", "··é", true, true),
	padFunction("rightPadUTF8", "rightPadUTF8('é', 3, '·')", "é··", false, true),
	endFunction("left", "left('millrace', 4)", "mill", "The first n bytes", func(s []byte, n int) []byte { return s[:min(n, len(s))] }),
	endFunction("right", "right('millrace', 4)", "race", "The last n bytes", func(s []byte, n int) []byte { return s[max(len(s)-n, 0):] }),
	endFunction("leftUTF8", "leftUTF8('né', 1)", "n", "The first n characters", func(s []byte, n int) []byte { return s[:scalar.SkipChars(s, n)] }),
	endFunction("rightUTF8", "rightUTF8('né', 1)", "é", "The last n characters", func(s []byte, n int) []byte { return s[scalar.SkipCharsBack(s, n):] }),
	{
		Name: "substringUTF8", Group: groupText, Usage: "substringUTF8(s, offset[, length])", Min: 2, Max: 3,
		Doc:     "length characters from the offset, counted from 1; both are positive constants.",
		Example: "substringUTF8('né', 2)", Result: "é",
		bind: substringChars,
	},
	{
		Name: "substringIndex", Aliases: []string{"SUBSTRING_INDEX"}, AnyCase: true, Group: groupText, Usage: "substringIndex(s, delimiter, n)", Min: 3, Max: 3,
		Doc:     "s up to its nth delimiter, a constant; a constant negative n counts from the end and gives what is behind it. All of s where there are fewer.",
		Example: "substringIndex('a.b.c', '.', -1)", Result: "c",
		bind: substringIndex,
	},
	{
		Name: "translate", AnyCase: true, Group: groupText, Usage: "translate(s, from, to)", Min: 3, Max: 3,
		Doc:     "s with each byte of from replaced by that of to at the same place, or left out where to is shorter; both are constants of ASCII.",
		Example: "translate('a-b_c', '-_', '+')", Result: "a+bc",
		bind: translate,
	},
	{
		Name: "appendTrailingCharIfAbsent", Group: groupText, Usage: "appendTrailingCharIfAbsent(s, c)", Min: 2, Max: 2,
		Doc:     "s with the constant character c behind it unless it ends so; an empty text stays.",
		Example: "appendTrailingCharIfAbsent('a/b', '/')", Result: "a/b/",
		bind: appendTrailing,
	},
}

// maxRepeat bounds what one row's text can become; sizes of whole batches are checked
// when they are computed.
const maxRepeat = 1000

func firstByte(s []byte) int64 {
	if len(s) == 0 {
		return 0
	}
	return int64(s[0])
}

func positionChars(s, needle []byte) uint64 {
	i := bytes.Index(s, needle)
	if i < 0 {
		return 0
	}
	return uint64(scalar.CountChars(s[:i]) + 1)
}

// textMeasure is an entry of a function of one text.
func textMeasure[T any](name, example, result, doc string, typ base, to slot[T], f func([]byte) T, aliases ...string) Function {
	return Function{
		Name: name, Aliases: aliases, Group: groupText, Usage: name + "(s)", Min: 1, Max: 1, Doc: doc, Example: example, Result: result,
		bind: takes(typ, textOf(to, f), aText),
	}
}

// textMap is an entry that makes a text of a text.
func textMap(name, example, result, doc string, f func(dst, s []byte) []byte) Function {
	return Function{
		Name: name, Group: groupText, Usage: name + "(s)", Min: 1, Max: 1, Doc: doc, Example: example, Result: result,
		bind: mapsText(f),
	}
}

func mapsText(f func(dst, s []byte) []byte) rule {
	return func(c *call) (binding, error) {
		if err := c.check(0, aText); err != nil {
			return binding{}, err
		}
		return ofFirst(c, f), nil
	}
}

// textCompare is an entry of a function of two texts.
func textCompare[T any](name, example, result, doc string, typ base, to slot[T], f func(a, b []byte) T, aliases ...string) Function {
	return Function{
		Name: name, Aliases: aliases, Group: groupText, Usage: name + "(a, b)", Min: 2, Max: 2, Doc: doc, Example: example, Result: result,
		bind: takes(typ, textPair(to, f), aText, aText),
	}
}

// constantText takes an argument that must be a constant text.
func (c *call) constantText(i int) ([]byte, error) {
	if err := c.check(i, aText); err != nil {
		return nil, err
	}
	a := c.args[i]
	if a.constant == nil || a.isNull() {
		return nil, refuse(a.pos, "write it as a constant", "argument %d of %s must be a constant", i+1, c.name)
	}
	return a.constant.Str.At(0), nil
}

// constantInt takes an argument that must be a constant integer of a range.
func (c *call) constantInt(i int, least, most int64) (int64, error) {
	if err := c.check(i, anInt); err != nil {
		return 0, err
	}
	a := c.args[i]
	if a.constant != nil && !a.isNull() && !a.typ.truth() {
		v := convert(a, integerOf(true, 64)).constant.I64[0]
		if v >= least && v <= most {
			return v, nil
		}
	}
	return 0, refuse(a.pos, "write it as a constant", "argument %d of %s must be a constant from %d to %d", i+1, c.name, least, most)
}

// textRows is the binding of a text that is made row by row. Its bytes cannot be told
// before, so that the rows behind too many stay empty; the evaluator then refuses all.
func textRows(f func(dst []byte, args []operand, i int) []byte) binding {
	return binding{typ: valueType{base: text}, run: func(out *event.Vector, args []operand, rows int) {
		texts := newTexts(out, rows)
		for i := range rows {
			if len(texts.data) <= MaxStringBytes {
				texts.data = f(texts.data, args, i)
			}
			texts.end(i)
		}
		texts.finish(out)
	}}
}

// bytes returns row i of a text.
func (o operand) bytes(i int) []byte { return o.Str.At(i & o.mask()) }

// ofFirst is the binding of a text made of the first argument only.
func ofFirst(c *call, f func(dst, s []byte) []byte) binding {
	c.args = c.args[:1]
	return textRows(func(dst []byte, args []operand, i int) []byte { return f(dst, args[0].bytes(i)) })
}

func replaceFunction(name, example, result, doc string, most int, aliases ...string) Function {
	return Function{
		Name: name, Aliases: aliases, AnyCase: len(aliases) > 0, Group: groupText, Usage: name + "(s, needle, by)", Min: 3, Max: 3,
		Doc: doc + " needle and by are constants; an empty needle is nowhere.", Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, aText); err != nil {
				return binding{}, err
			}
			needle, err := c.constantText(1)
			if err != nil {
				return binding{}, err
			}
			by, err := c.constantText(2)
			if err != nil {
				return binding{}, err
			}
			return ofFirst(c, func(dst, s []byte) []byte { return scalar.Replace(dst, s, needle, by, most) }), nil
		},
	}
}

func concatWithSeparator(c *call) (binding, error) {
	separator, err := c.constantText(0)
	if err != nil {
		return binding{}, err
	}
	c.args = c.args[1:]
	for i, a := range c.args {
		if a.typ.base == nothing {
			return binding{}, refuse(a.pos, "use ifNull for NULL", "concatWithSeparator of NULL is always NULL")
		}
		c.args[i] = textOfValue(a)
	}
	return textRows(func(dst []byte, args []operand, i int) []byte {
		for j, a := range args {
			if j > 0 {
				dst = append(dst, separator...)
			}
			dst = append(dst, a.bytes(i)...)
		}
		return dst
	}), nil
}

func repeat(c *call) (binding, error) {
	if err := c.check(0, aText); err != nil {
		return binding{}, err
	}
	n, err := c.constantInt(1, 0, maxRepeat)
	if err != nil {
		return binding{}, err
	}
	return ofFirst(c, func(dst, s []byte) []byte {
		for range n {
			dst = append(dst, s...)
		}
		return dst
	}), nil
}

func space(c *call) (binding, error) {
	n, err := c.constantInt(0, 0, maxRepeat)
	if err != nil {
		return binding{}, err
	}
	c.args = nil
	spaces := bytes.Repeat([]byte(" "), int(n))
	return textRows(func(dst []byte, _ []operand, _ int) []byte { return append(dst, spaces...) }), nil
}

func padFunction(name, example, result string, left, chars bool, aliases ...string) Function {
	unit := "bytes"
	if chars {
		unit = "characters"
	}
	where := "behind"
	if left {
		where = "before"
	}
	return Function{
		Name: name, Aliases: aliases, AnyCase: len(aliases) > 0, Group: groupText, Usage: name + "(s, n[, pad])", Min: 2, Max: 3,
		Doc:     fmt.Sprintf("s in n %s: cut at its end, or filled %s it with the constant pad, spaces if none. n is a constant from 0 to %d.", unit, where, maxRepeat),
		Example: example, Result: result,
		bind: func(c *call) (binding, error) { return bindPad(c, left, chars) },
	}
}

func bindPad(c *call, left, chars bool) (binding, error) {
	if err := c.check(0, aText); err != nil {
		return binding{}, err
	}
	n, err := c.constantInt(1, 0, maxRepeat)
	if err != nil {
		return binding{}, err
	}
	pad := []byte(" ")
	if len(c.args) == 3 {
		if pad, err = c.constantText(2); err != nil {
			return binding{}, err
		}
		if len(pad) == 0 {
			pad = []byte(" ")
		}
	}
	if chars && !utf8.Valid(pad) {
		return binding{}, refuse(c.args[2].pos, "", "the pad of %s must be UTF-8", c.name)
	}
	length := func(s []byte) int { return len(s) }
	cut := func(s []byte, n int) []byte { return s[:n] }
	if chars {
		length = scalar.CountChars
		cut = scalar.FirstChars
	}
	return ofFirst(c, func(dst, s []byte) []byte {
		missing := int(n) - length(s)
		switch {
		case missing <= 0:
			return append(dst, cut(s, int(n))...)
		case left:
			return append(scalar.AppendPadding(dst, pad, missing, chars), s...)
		}
		return scalar.AppendPadding(append(dst, s...), pad, missing, chars)
	}), nil
}

// endFunction is an entry of a part at one end of a text.
func endFunction(name, example, result, doc string, part func(s []byte, n int) []byte) Function {
	return Function{
		Name: name, AnyCase: name == "left" || name == "right", Group: groupText, Usage: name + "(s, n)", Min: 2, Max: 2,
		Doc: doc + "; n is a constant from 0.", Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, aText); err != nil {
				return binding{}, err
			}
			n, err := c.constantInt(1, 0, maxOffset)
			if err != nil {
				return binding{}, err
			}
			return ofFirst(c, func(dst, s []byte) []byte { return append(dst, part(s, int(n))...) }), nil
		},
	}
}

func substringChars(c *call) (binding, error) {
	if err := c.check(0, aText); err != nil {
		return binding{}, err
	}
	offset, err := c.constantInt(1, 1, maxOffset)
	if err != nil {
		return binding{}, err
	}
	length := int64(maxOffset)
	if len(c.args) == 3 {
		if length, err = c.constantInt(2, 0, maxOffset); err != nil {
			return binding{}, err
		}
	}
	return ofFirst(c, func(dst, s []byte) []byte {
		s = s[scalar.SkipChars(s, int(offset-1)):]
		return append(dst, s[:scalar.SkipChars(s, int(length))]...)
	}), nil
}

func substringIndex(c *call) (binding, error) {
	if err := c.check(0, aText); err != nil {
		return binding{}, err
	}
	delimiter, err := c.constantText(1)
	if err != nil {
		return binding{}, err
	}
	if len(delimiter) != 1 {
		return binding{}, refuse(c.args[1].pos, "as in substringIndex(s, '.', 1)", "the delimiter of substringIndex must be one byte")
	}
	n, err := c.constantInt(2, -maxOffset, maxOffset)
	if err != nil {
		return binding{}, err
	}
	return ofFirst(c, func(dst, s []byte) []byte { return append(dst, scalar.SubstringIndex(s, delimiter, int(n))...) }), nil
}

func translate(c *call) (binding, error) {
	if err := c.check(0, aText); err != nil {
		return binding{}, err
	}
	from, err := c.constantText(1)
	if err != nil {
		return binding{}, err
	}
	to, err := c.constantText(2)
	if err != nil {
		return binding{}, err
	}
	const gone = -1
	var table [256]int
	for i := range table {
		table[i] = i
	}
	for i, b := range from {
		switch {
		case b >= utf8.RuneSelf, i < len(to) && to[i] >= utf8.RuneSelf:
			return binding{}, refuse(c.args[1].pos, "", "translate takes ASCII characters")
		case i < len(to):
			table[b] = int(to[i])
		default:
			table[b] = gone
		}
	}
	if len(to) > len(from) {
		return binding{}, refuse(c.args[2].pos, "", "the second list of translate is longer than the first")
	}
	return ofFirst(c, func(dst, s []byte) []byte {
		for _, b := range s {
			if by := table[b]; by != gone {
				dst = append(dst, byte(by))
			}
		}
		return dst
	}), nil
}

func appendTrailing(c *call) (binding, error) {
	if err := c.check(0, aText); err != nil {
		return binding{}, err
	}
	end, err := c.constantText(1)
	if err != nil {
		return binding{}, err
	}
	if len(end) != 1 {
		return binding{}, refuse(c.args[1].pos, "", "the character of %s must be one byte", c.name)
	}
	return ofFirst(c, func(dst, s []byte) []byte {
		dst = append(dst, s...)
		if len(s) > 0 && s[len(s)-1] != end[0] {
			dst = append(dst, end[0])
		}
		return dst
	}), nil
}
