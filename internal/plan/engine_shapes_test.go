package plan

import (
	"regexp"
	"strings"
)

// shapes say how calls of a function are written at random, for functions whose calls the
// generator does not write in its own way. In braces stands what is filled in: a class of
// value, in capitals a constant of the class, or one of the lists of words.
var shapes = map[string][]string{
	"intDivOrNull": {"({i}, {i})"}, "moduloOrNull": {"({i}, {i})", "({n}, {n})"}, "divideOrNull": {"({n}, {n})"},

	"floor": {"({n})", "({n}, {digits})", "({i}, {digits})"}, "ceil": {"({n})", "({n}, {digits})", "({i}, {digits})"},
	"trunc": {"({n})", "({n}, {digits})", "({i}, {digits})"}, "round": {"({n})", "({n}, {digits})", "({i}, {digits})"},
	"roundBankers": {"({n})", "({n}, {digits})", "({i}, {digits})"},
	"roundToExp2":  {"({n})", "({i})"}, "roundDuration": {"({i})"}, "roundAge": {"({i})"},

	"sqrt": {"({n})"}, "sign": {"({n})", "({i})"}, "degrees": {"({n})"}, "radians": {"({n})"}, "pi": {"()"}, "e": {"()"},
	"intExp2": {"({i})", "({i} % 70)"}, "intExp10": {"({i})", "({i} % 25)"},
	"isNaN": {"({n})"}, "isInfinite": {"({n})"}, "isFinite": {"({n})"}, "ifNotFinite": {"({n}, {n})"},
	"least":    {"({n}, {n})", "({i}, {i})", "({s}, {s})", "({t}, {t})", "({n}, {n}, {n})", "({i}, {i}, {i}, {i})", "({s}, {s}, {s})", "(f, nf)", "(nf, f, f)"},
	"greatest": {"({n}, {n})", "({i}, {i})", "({s}, {s})", "({t}, {t})", "({n}, {n}, {n})", "({i}, {i}, {i}, {i})", "({s}, {s}, {s})", "(f, nf)", "(nf, f, f)"},
	"max2":     {"({n}, {n})"}, "min2": {"({n}, {n})"},

	"bitAnd": {"({i}, {i})"}, "bitOr": {"({i}, {i})"}, "bitXor": {"({i}, {i})"}, "bitNot": {"({i})"}, "byteSwap": {"({i})"},
	"bitShiftLeft": {"({i}, {count})"}, "bitShiftRight": {"({i}, {count})"}, "bitRotateLeft": {"({i}, {count})"}, "bitRotateRight": {"({i}, {count})"},
	"bitTest": {"({i}, {bit})"}, "bitTestAll": {"({i}, {bit}, {bit})"}, "bitTestAny": {"({i}, {bit}, {bit}, {bit})"},
	"bitCount": {"({i})"}, "bitHammingDistance": {"({i}, {i})"},

	"startsWithCaseInsensitive": {"({s}, {s})"}, "endsWithCaseInsensitive": {"({s}, {s})"},
	"positionCaseInsensitive": {"({s}, {s})"}, "positionUTF8": {"({s}, {s})"}, "locate": {"({s}, {s})"},
	"countSubstrings": {"({s}, {s})"}, "countSubstringsCaseInsensitive": {"({s}, {s})"},
	"hasSubsequence": {"({s}, {s})"}, "hasSubsequenceCaseInsensitive": {"({s}, {s})"}, "byteHammingDistance": {"({s}, {s})"},
	"replaceOne": {"({s}, {short}, {S})"}, "replaceAll": {"({s}, {short}, {S})"}, "concatWithSeparator": {"({S}, {s}, {*}, {s})", "({S}, {s})"},
	"repeat": {"({s}, {small})"}, "space": {"({small})"},
	"leftPad": {"({s}, {small})", "({s}, {small}, {short})"}, "rightPad": {"({s}, {small})", "({s}, {small}, {short})"},
	"leftPadUTF8": {"({s}, {small})", "({s}, {small}, {short})"}, "rightPadUTF8": {"({s}, {small})", "({s}, {small}, {short})"},
	"left": {"({s}, {small})"}, "right": {"({s}, {small})"}, "leftUTF8": {"({s}, {small})"}, "rightUTF8": {"({s}, {small})"},
	"substringUTF8": {"({s}, {small})", "({s}, {small}, {small})"}, "substringIndex": {"({s}, {byte}, {small})", "({s}, {byte}, -{small})"},
	"translate": {"({s}, 'abA', 'xy')", "({s}, '12', 'ab')", "({s}, 'a', '')"}, "appendTrailingCharIfAbsent": {"({s}, {byte})"},
	"hex": {"({s})", "({i})", "({digest}({s}))"}, "bin": {"({s})", "({i})"},
	"decodeXMLComponent": {"({s})", "({xml})", "(concat({xml}, {s}, {xml}))"}, "unhex": {"({s})", "(hex({s}))"},
	"firstLine": {"({s})", "(concat({s}, {xml}, {s}))"},

	"toWeek": {"({t})", "({t}, {mode})"}, "toYearWeek": {"({t})", "({t}, {mode})"}, "formatDateTime": {"({t}, {format})"},
	"dateDiff": {"('{unit}', {t}, {t})"}, "toDateTime": {"({t})"},
	"plus": {"({n}, {n})", "({i}, {i})", "({t}, INTERVAL {small} {unit})"}, "minus": {"({n}, {n})", "({i}, {i})", "({t}, INTERVAL {small} {unit})"},

	"extractURLParameter": {"({url}, {name})"}, "cutURLParameter": {"({url}, {name})"},
	"IPv4NumToString": {"({uint32})"}, "IPv4NumToStringClassC": {"({uint32})"}, "MACNumToString": {"(u)", "(nu)", "(toUInt64({i}))"},

	"cityHash64": {"({s})", "({i})", "({s}, {s})", "({s}, {i}, {s})", "(i, j)"}, "sipHash64": {"({s})", "({i})", "({s}, {s})", "({s}, {i}, {s})", "(i, j)"},
	"intHash64": {"({i})"}, "intHash32": {"({i})"}, "javaHash": {"({s})"}, "hiveHash": {"({s})"},

	"match": {"({s}, {pattern})", "({s}, {regexp})"}, "countMatches": {"({s}, {regexp})"}, "extract": {"({s}, {pattern})", "({s}, {regexp})"},
	"regexpExtract":    {"({s}, {pattern})", "({s}, {regexp})", "({s}, {regexp}, 0)", "({s}, {groups}, 2)"},
	"replaceRegexpOne": {"({s}, {regexp}, {S})", "({s}, {groups}, {by})", "({s}, {pattern}, {S})"},
	"replaceRegexpAll": {"({s}, {regexp}, {S})", "({s}, {groups}, {by})"}, "regexpQuoteMeta": {"({s})", "(url)"},
	"tryBase64Decode": {"({s})", "(base64Encode({s}))", "(concat(base64Encode({s}), ' ', base64Encode({S})))", "(concat(' ', base64Encode(js), '\\n'))", "(concat(base64Encode({S}), '=', {S}))"},
}

func init() {
	for _, f := range jsonFunctions {
		shapes[f.Name] = []string{"({json})", "({json}, {step})", "({json}, {step}, {step})"}
		if f.Max == 1 {
			shapes[f.Name] = []string{"({json})"}
		}
	}
	for _, f := range hashFunctions {
		if _, ok := shapes[f.Name]; !ok {
			shapes[f.Name] = []string{"({s})", "(i)", "(u)", "(concat({s}, {s}, url))"}
		}
	}
	for _, f := range urlFunctions {
		if _, ok := shapes[f.Name]; !ok {
			shapes[f.Name] = []string{"({url})"}
			if f.Group == groupAddress {
				shapes[f.Name] = []string{"({ip})"}
			}
		}
	}
	for _, f := range shiftFunctions() {
		shapes[f.Name] = []string{"({t}, {small})", "({t}, -{small})"}
	}
	for _, list := range [][]Function{textFunctions, codecFunctions} {
		for _, f := range list {
			if _, ok := shapes[f.Name]; !ok && f.Max == 1 {
				shapes[f.Name] = []string{"({s})"}
			}
		}
	}
	for _, f := range narrowCasts() {
		shapes[f.Name] = []string{"({n})", "({i})", "({b})"}
	}
	for _, f := range parsers() {
		shapes[f.Name] = []string{"({s})", "(toString({i}))"}
		if t, ok := strings.CutSuffix(f.Name, "OrDefault"); ok {
			shapes[f.Name] = []string{"({s})", "({s}, " + t + "({i}))"}
		}
	}
}

// words are lists to choose from.
var words = map[string][]string{
	"digits": {"0", "1", "2", "3", "10", "18", "-1", "-2", "-3", "-10", "-17", "-18"},
	"count":  {"u", "nu", "u % 70", "0", "1", "7", "8", "31", "63", "64", "65", "toUInt8(i)"},
	"small":  {"0", "1", "2", "3", "4", "5", "9", "40"}, "short": {"''", "'a'", "'b'", "'ab'", "'é'", "' '", "'日'"}, "byte": {"'a'", "'.'", "' '", "'%'"},
	"xml":  {"'&lt;&gt;'", "'&amp;lt;'", "'&#65;'", "'&#x41;&#X42;'", "'&#x1F600;'", "'&quot;&apos;&nope;'", "'&#;&#x;&'", "'&#0;'", "'&#xD800;'", "'&#1114112;'", "'a\\r\\nb'", "'\\n'", "';&;'"},
	"mode": {"0", "1", "2", "3", "4", "5", "6", "7"}, "unit": {"second", "minute", "hour", "day", "week", "month", "quarter", "year"},
	"format": {"'%Y-%m-%d %H:%i:%S'", "'%y %c %e %k %h %I %l %s %p'", "'%a %W %b %M'", "'%j %u %w %Q'", "'%G %g %V'", "'%C'", "'%F %D %T %R %r%n%t%%'"},
	"url":    {"url", "url", "url", "concat(url, s)", "s"}, "ip": {"ip", "ip", "ip", "s"}, "name": {"'x'", "'y'", "'xy'", "''", "'a'"}, "uint32": {"toUInt32(u)", "toUInt32(i)", "toUInt8(j)"},
	"digest": {"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"},
	"json":   {"js", "js", "js", "js", "s", "concat('[', js, ',', js, ']')"}, "step": {"'a'", "'b'", "'a b'", "''", "1", "2", "-1", "-2", "0", "'a', 1", "1, 'b'", "'b', 'a'"},
	"pattern": {"'^a*'", "'b?c'", "''", "'(a|)'", "'$'", "'^'", "'.*'", "'(?i)ſ*'"},
	"regexp":  {"'a'", "'[a-c]+'", "'[0-9]+'", "'^a'", "'b$'", "'(?i)abc'", "'(?i)s|k'", "'a|b|ab'", "'\\\\bab?'", "'(a)(b)?'", "'é'", "'日|e'", "'.'", "'a.'", "'[^a]'", "'.+b'", "'\\\\w+'", "'\\\\s'", "'\\\\d+\\\\.?'", "'(?U)a+b'", "'a{2,3}'", "'x*a'", "'(?m)^a'", "'\\\\x{e9}'"},
	"groups":  {"'(a)(b)'", "'(a)(b)?'", "'([a-c])([A-C])'", "'(.)(.)'", "'(?P<x>1)|(2)'"}, "by": {"'\\\\2\\\\1'", "'[\\\\0]'", "'\\\\\\\\'", "''", "'x\\\\1\\\\n'", "'\\\\'"},
	"bit": {"0", "1", "3", "7", "8", "31", "63", "64"},
}

var hole = regexp.MustCompile(`\{([^}]+)\}`)

// fill writes a call by one of the function's shapes.
func (g generator) fill(name string, forms []string, depth int) string {
	return hole.ReplaceAllStringFunc(name+pickOne(g.r, forms), func(h string) string {
		what := h[1 : len(h)-1]
		if list, ok := words[what]; ok {
			return pickOne(g.r, list)
		}
		class := what[0]
		if class >= 'A' && class <= 'Z' {
			return g.literal(class + 'a' - 'A')
		}
		return g.value(class, depth)
	})
}
