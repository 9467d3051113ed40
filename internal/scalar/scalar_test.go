package scalar_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/millrace/millrace/internal/scalar"
)

// FuzzJSON: no text makes a function of JSON panic, and what is written of a valid value
// is valid and is written the same again. That the values are the engine's is tested
// where the functions are declared, in internal/plan.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a": [1, -2.50, "x\u00e9\ud83d\ude00"], "": {}}`, `[`, `"\ud800"`, `-`, `1e999`, ` 1 `, `{"a":1,}`, `nul`, "\"\xff\""} {
		f.Add([]byte(s), []byte("a"), int64(-1))
	}
	f.Fuzz(func(t *testing.T, s, name []byte, place int64) {
		if name == nil {
			name = []byte{}
		}
		for _, path := range [][]scalar.JSONStep{nil, {{Name: name}}, {{Place: place}}, {{Name: name}, {Place: place}}} {
			value, ok := scalar.FindJSON(s, path)
			if !ok {
				continue
			}
			scalar.JSONType(value)
			scalar.JSONLength(value)
			scalar.JSONInt(value)
			scalar.JSONUint(value)
			scalar.JSONFloat(value)
			scalar.JSONBool(value)
			scalar.AppendJSONText(nil, value)
			written := scalar.AppendJSON(nil, value)
			if !scalar.ValidJSON(written) {
				t.Fatalf("%q was written as %q, which is not valid", value, written)
			}
			if again := scalar.AppendJSON(nil, written); !bytes.Equal(written, again) {
				t.Fatalf("%q was written as %q and then as %q", value, written, again)
			}
		}
		if scalar.ValidJSON(s) && !json.Valid(s) {
			t.Fatalf("%q is valid here and not for encoding/json", s)
		}
	})
}

// FuzzTexts: no bytes make a function of texts panic, and those that take a part away
// make no text longer.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"", "a", "http://u:p@www.a.b:80/c?x=1&y=2#z", "//", "x%4", "\xf0\x9f", "&#x41;&#", "1.2.3.4", "né"} {
		f.Add([]byte(s), []byte("x="), 3)
	}
	f.Fuzz(func(t *testing.T, s, other []byte, n int) {
		n &= 0xFF
		parts := [][]byte{
			scalar.Protocol(s), scalar.Domain(s), scalar.DomainWithoutWWW(s), scalar.TopLevelDomain(s), scalar.Path(s), scalar.PathFull(s),
			scalar.QueryString(s), scalar.Fragment(s), scalar.QueryStringAndFragment(s), scalar.CutWWW(nil, s), scalar.CutQueryString(nil, s),
			scalar.CutFragment(nil, s), scalar.CutQueryStringAndFragment(nil, s), scalar.DecodeURL(nil, s, true), scalar.DecodeXML(nil, s), scalar.FirstLine(s),
			scalar.FirstChars(s, n), s[:scalar.SkipChars(s, n)], s[scalar.SkipCharsBack(s, n):], scalar.SubstringIndex(s, []byte("."), n-128),
		}
		if len(other) > 0 {
			parts = append(parts, scalar.URLParameter(s, other), scalar.CutURLParameter(nil, s, other))
		}
		for i, p := range parts {
			if len(p) > len(s) {
				t.Errorf("part %d of %q is %q", i, s, p)
			}
		}
		scalar.Port(s, 0)
		scalar.ParseIPv4(s)
		scalar.AppendUnhex(nil, s)
		scalar.Soundex(nil, s)
		scalar.CountFound(s, other, scalar.IndexFold)
		if !bytes.Equal(scalar.Reverse(nil, scalar.Reverse(nil, s)), s) {
			t.Errorf("%q in reverse twice is another text", s)
		}
		if got := scalar.DecodeURL(nil, scalar.EncodeURL(nil, s, true), true); !bytes.Equal(got, s) {
			t.Errorf("%q encoded and decoded is %q", s, got)
		}
		if got := scalar.AppendUnhex(nil, scalar.AppendHex(nil, s)); !bytes.Equal(got, s) {
			t.Errorf("%q in digits and back is %q", s, got)
		}
	})
}
