package plan

import (
	"github.com/millrace/millrace/internal/scalar"
)

const (
	groupRegexp = "Regular expressions"
	// What the functions share.
	re2Doc = " The pattern is a constant, in RE2's syntax without \\p; its . matches line ends too. Where it can match any character, bytes that are not UTF-8 count as U+FFFD."
)

var regexpFunctions = []Function{
	{
		Name: "match", Aliases: []string{"REGEXP_MATCHES"}, AnyCase: true, Group: groupRegexp, Usage: "match(s, pattern)", Min: 2, Max: 2,
		Doc:     "1 where the pattern matches somewhere in s." + re2Doc,
		Example: "match('millrace', '^mi.+e$')", Result: "1",
		bind: func(c *call) (binding, error) {
			re, err := c.regexp()
			if err != nil {
				return binding{}, err
			}
			return binding{typ: valueType{base: logical}, run: textOf(u8, func(s []byte) uint8 { return truth(re.Match(s)) })}, nil
		},
	},
	{
		Name: "countMatches", Group: groupRegexp, Usage: "countMatches(s, pattern)", Min: 2, Max: 2,
		Doc:     "How often the pattern matches, without overlaps. It must not match an empty text.",
		Example: "countMatches('a1b22', '[0-9]+')", Result: "2",
		bind: func(c *call) (binding, error) {
			re, err := c.fullRegexp()
			if err != nil {
				return binding{}, err
			}
			return binding{typ: valueType{base: uint64s}, run: textOf(u64, re.Count)}, nil
		},
	},
	{
		Name: "extract", Group: groupRegexp, Usage: "extract(s, pattern)", Min: 2, Max: 2,
		Doc:     "The first group of the first match, or all of it where the pattern has no group; empty if none.",
		Example: "extract('id=42;', 'id=([0-9]+)')", Result: "42",
		bind: func(c *call) (binding, error) {
			re, err := c.regexp()
			if err != nil {
				return binding{}, err
			}
			return groupOf(c, re, min(1, re.Groups())), nil
		},
	},
	{
		Name: "regexpExtract", Aliases: []string{"REGEXP_EXTRACT"}, AnyCase: true, Group: groupRegexp, Usage: "regexpExtract(s, pattern[, group])", Min: 2, Max: 3,
		Doc:     "A group of the first match, by a constant number; 0 is all of it, and the default the first one, if any.",
		Example: "regexpExtract('100-200', '([0-9]+)-([0-9]+)', 2)", Result: "200",
		bind: regexpExtract,
	},
	regexpReplace("replaceRegexpOne", "replaceRegexpOne('2024-05-01', '([0-9]+)-([0-9]+)', '\\\\2/\\\\1')", "05/2024-01", "s with the first match replaced.", 1),
	regexpReplace("replaceRegexpAll", "replaceRegexpAll('a1b22', '[0-9]+', '#')", "a#b#", "s with every match replaced. The pattern must not match an empty text.", -1),
	{
		Name: "regexpQuoteMeta", Group: groupRegexp, Usage: "regexpQuoteMeta(s)", Min: 1, Max: 1,
		Doc:     "s with a backslash before each character that is not itself in a pattern.",
		Example: "regexpQuoteMeta('a.b')", Result: "a\\.b",
		bind: mapsText(scalar.AppendQuoted),
	},
}

// regexp takes a text and a constant pattern, the second argument.
func (c *call) regexp() (*scalar.Regexp, error) {
	if err := c.check(0, aText); err != nil {
		return nil, err
	}
	pattern, err := c.constantText(1)
	if err != nil {
		return nil, err
	}
	re, err := scalar.CompileRegexp(string(pattern))
	if err != nil {
		return nil, refuse(c.args[1].pos, "patterns are those of RE2", "the pattern of %s cannot be used: %s", c.name, err)
	}
	if re.Inexact {
		spelled := append([]*node{}, c.args...)
		valid := *c.args[0]
		valid.text, valid.operator = "toValidUTF8("+valid.text+")", false
		spelled[0] = &valid
		c.text = prefixed(c.name, spelled)
	}
	return re, nil
}

// fullRegexp is regexp for functions that go through all matches: where an empty one is,
// ClickHouse finds others than RE2 and Go do.
func (c *call) fullRegexp() (*scalar.Regexp, error) {
	re, err := c.regexp()
	if err == nil && re.Empty {
		return nil, refuse(c.args[1].pos, "write + instead of *, for example", "the pattern of %s matches an empty text", c.name)
	}
	return re, err
}

func groupOf(c *call, re *scalar.Regexp, group int) binding {
	return ofFirst(c, func(dst, s []byte) []byte { return append(dst, re.Group(s, group)...) })
}

func regexpExtract(c *call) (binding, error) {
	re, err := c.regexp()
	if err != nil {
		return binding{}, err
	}
	group := int64(min(1, re.Groups()))
	if len(c.args) == 3 {
		if group, err = c.constantInt(2, 0, int64(re.Groups())); err != nil {
			return binding{}, err
		}
	}
	return groupOf(c, re, int(group)), nil
}

func regexpReplace(name, example, result, doc string, most int) Function {
	return Function{
		Name: name, Group: groupRegexp, Usage: name + "(s, pattern, by)", Min: 3, Max: 3,
		Doc: doc + " In the constant by, \\0 to \\9 are groups of the match.", Example: example, Result: result,
		bind: func(c *call) (binding, error) {
			take := c.regexp
			if most < 0 {
				take = c.fullRegexp
			}
			re, err := take()
			if err != nil {
				return binding{}, err
			}
			if len(c.args[1].constant.Str.Data) == 0 {
				return binding{}, refuse(c.args[1].pos, "leave the call out", "an empty pattern replaces nothing in ClickHouse")
			}
			text, err := c.constantText(2)
			if err != nil {
				return binding{}, err
			}
			by, err := re.ParseReplacement(text)
			if err != nil {
				return binding{}, refuse(c.args[2].pos, "", "the replacement of %s cannot be used: %s", c.name, err)
			}
			return ofFirst(c, func(dst, s []byte) []byte { return re.Replace(dst, s, by, most) }), nil
		},
	}
}
