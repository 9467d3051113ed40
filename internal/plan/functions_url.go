package plan

import "github.com/millrace/millrace/internal/scalar"

const (
	groupURL     = "URLs"
	groupAddress = "Network addresses"
	exampleURL   = "'https://www.example.com:8080/a/b?x=1&y=2#top'"
)

var urlFunctions = []Function{
	urlPart("protocol", "https", "The scheme.", scalar.Protocol),
	urlPart("domain", "www.example.com", "The host; empty where it has no dot.", scalar.Domain),
	urlPart("domainWithoutWWW", "example.com", "The host without www. before it.", scalar.DomainWithoutWWW),
	urlPart("topLevelDomain", "com", "The host behind its last dot; empty of an address.", scalar.TopLevelDomain),
	urlPart("path", "/a/b", "The path, with its slash.", scalar.Path),
	urlPart("pathFull", "/a/b?x=1&y=2#top", "The path with query string and fragment.", scalar.PathFull),
	urlPart("queryString", "x=1&y=2", "The query string, without ?.", scalar.QueryString),
	urlPart("fragment", "top", "The fragment, without #.", scalar.Fragment),
	urlPart("queryStringAndFragment", "x=1&y=2#top", "Query string and fragment.", scalar.QueryStringAndFragment),
	urlMap("cutWWW", exampleURL, "https://example.com:8080/a/b?x=1&y=2#top", "The URL without www. before its host.", scalar.CutWWW),
	urlMap("cutQueryString", exampleURL, "https://www.example.com:8080/a/b#top", "The URL without query string.", scalar.CutQueryString),
	urlMap("cutFragment", exampleURL, "https://www.example.com:8080/a/b?x=1&y=2", "The URL without fragment.", scalar.CutFragment),
	urlMap("cutQueryStringAndFragment", exampleURL, "https://www.example.com:8080/a/b", "The URL without query string and fragment.", scalar.CutQueryStringAndFragment),
	urlMap("encodeURLComponent", "'a b&c'", "a%20b%26c", "s with all but letters, digits and -_.~ as %XX.", func(dst, s []byte) []byte { return scalar.EncodeURL(dst, s, false) }),
	urlMap("encodeURLFormComponent", "'a b&c'", "a+b%26c", "encodeURLComponent with + for a space.", func(dst, s []byte) []byte { return scalar.EncodeURL(dst, s, true) }),
	urlMap("decodeURLComponent", "'a%20b+c'", "a b+c", "s with each %XX as the byte that it is.", func(dst, s []byte) []byte { return scalar.DecodeURL(dst, s, false) }),
	urlMap("decodeURLFormComponent", "'a%20b+c'", "a b c", "decodeURLComponent with a space for +.", func(dst, s []byte) []byte { return scalar.DecodeURL(dst, s, true) }),
	{
		Name: "port", Group: groupURL, Usage: "port(url)", Min: 1, Max: 1,
		Doc:     "The port as a number; 0 if none.",
		Example: "port(" + exampleURL + ")", Result: "8080",
		bind: takes(uint16s, textOf(u64, func(s []byte) uint64 { return scalar.Port(s, 0) }), aText),
	},
	parameterFunction("extractURLParameter", "2", "The value of a parameter of query string or fragment; empty if none.",
		func(dst, s, name []byte) []byte { return append(dst, scalar.URLParameter(s, name)...) }),
	parameterFunction("cutURLParameter", "https://www.example.com:8080/a/b?x=1#top", "The URL without a parameter of query string or fragment.", scalar.CutURLParameter),

	{
		Name: "IPv4StringToNumOrDefault", Group: groupAddress, Usage: "IPv4StringToNumOrDefault(s)", Min: 1, Max: 1,
		Doc:     "The number of an IPv4 address; 0 where s is none.",
		Example: "IPv4StringToNumOrDefault('192.168.1.1')", Result: "3232235777",
		bind: takes(uint32s, textOrZero(u64, scalar.ParseIPv4), aText),
	},
	{
		Name: "IPv4StringToNumOrNull", Group: groupAddress, Usage: "IPv4StringToNumOrNull(s)", Min: 1, Max: 1,
		Doc:     "The number of an IPv4 address; NULL where s is none.",
		Example: "isNull(IPv4StringToNumOrNull('192.168.1'))", Result: "1",
		bind: textOrNull(valueType{base: uint32s}, u64, scalar.ParseIPv4),
	},
	addressText("IPv4NumToString", []string{"INET_NTOA"}, "IPv4NumToString(toUInt32(3232235777))", "192.168.1.1", "The text of an IPv4 address, given as an unsigned integer of at most 32 bits.", false),
	addressText("IPv4NumToStringClassC", nil, "IPv4NumToStringClassC(toUInt32(3232235777))", "192.168.1.xxx", "IPv4NumToString without the last byte.", true),
	{
		Name: "isIPv4String", Group: groupAddress, Usage: "isIPv4String(s)", Min: 1, Max: 1,
		Doc:     "1 where s is an IPv4 address.",
		Example: "isIPv4String('192.168.1.1')", Result: "1",
		bind: takes(logical, textOf(u8, func(s []byte) uint8 {
			_, ok := scalar.ParseIPv4(s)
			return truth(ok)
		}), aText),
	},
	{
		Name: "MACNumToString", Group: groupAddress, Usage: "MACNumToString(n)", Min: 1, Max: 1,
		Doc:     "The text of a MAC address, given as a UInt64.",
		Example: "MACNumToString(toUInt64(1108152157446))", Result: "01:02:03:04:05:06",
		bind: takes(text, mapText(u64, scalar.AppendMAC), class{"a UInt64", func(t valueType) bool { return t.base == uint64s }, nothing}),
	},
}

func urlPart(name, result, doc string, part func([]byte) []byte) Function {
	return urlMap(name, exampleURL, result, doc, func(dst, s []byte) []byte { return append(dst, part(s)...) })
}

func urlMap(name, example, result, doc string, f func(dst, s []byte) []byte) Function {
	return Function{
		Name: name, Group: groupURL, Usage: name + "(s)", Min: 1, Max: 1, Doc: doc, Example: name + "(" + example + ")", Result: result,
		bind: mapsText(f),
	}
}

func parameterFunction(name, result, doc string, f func(dst, s, name []byte) []byte) Function {
	return Function{
		Name: name, Group: groupURL, Usage: name + "(url, name)", Min: 2, Max: 2,
		Doc: doc + " The name is a constant.", Example: name + "(" + exampleURL + ", 'y')", Result: result,
		bind: func(c *call) (binding, error) {
			if err := c.check(0, aText); err != nil {
				return binding{}, err
			}
			constant, err := c.constantText(1)
			if err != nil {
				return binding{}, err
			}
			key := append(append([]byte{}, constant...), '=')
			return ofFirst(c, func(dst, s []byte) []byte { return f(dst, s, key) }), nil
		},
	}
}

func addressText(name string, aliases []string, example, result, doc string, classC bool) Function {
	return Function{
		Name: name, Aliases: aliases, AnyCase: aliases != nil, Group: groupAddress, Usage: name + "(n)", Min: 1, Max: 1, Doc: doc, Example: example, Result: result,
		bind: takes(text, mapText(u64, func(dst []byte, v uint64) []byte { return scalar.AppendIPv4(dst, v, classC) }),
			class{"a UInt32", func(t valueType) bool { return t.unsigned() && t.bits() <= 32 }, uint64s}),
	}
}
