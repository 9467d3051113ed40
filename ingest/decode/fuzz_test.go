package decode

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
)

// FuzzJSON holds the quick path against the complete one: the same rows, the same
// rejections, columns of one length.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"ts":"2001-01-01T00:47:00Z","s":"x","i":-5,"u":7,"f":1.5,"b":true,"d":"2001-01-02","ns":null,"ni":3,"t9":1}`,
		`{"ts":1,"s":"a\u00e9\ud83d\ude00\n","x":{"y":[1,2]},"i":1e3,"f":"NaN","i":2}` + "\n" + `{"ts":"bad"}`,
		`{ "ts" : 1 , "x" : 0.1 , "y" : "z" }` + "\r\n\n" + `{"x":1,"ts":2}`,
		"{\"ts\":1,\"s\":\"\xff\",\"\xfe\":1}",
		`{"ts":1,}`, `{"ts":1}}`, `{"ts":01}`, `{"ts":1,"s":"\ud800"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.HasPrefix(body, "\xef\xbb\xbf") {
			t.Skip("decodeBoth compares without the byte order mark")
		}
		decodeBoth(t, testStream(t), Limits{MaxFields: 20, MaxDepth: 8, MaxRowBytes: 4096}, body)
	})
}

// FuzzDocument checks that any body is taken or refused, never worse, and that what is
// taken as one document is well-formed JSON throughout.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{`[{"ts":1},{"ts":2}]`, `{"ts":1} {"ts":2,"x":[]}`, `[`, `[{"ts":1},]`, `[[{}],5]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		_, err := decodeBody(t, Limits{}, JSON, body)
		dec := jsontext.NewDecoder(bytes.NewBufferString(strings.TrimPrefix(body, "\xef\xbb\xbf")), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		values, good := 0, true
		for dec.PeekKind() != 0 {
			if _, e := dec.ReadValue(); e != nil {
				good = false
				break
			}
			values++
		}
		if good && dec.PeekKind() == 0 {
			_, e := dec.ReadToken()
			good = e != nil && e.Error() == "EOF"
		}
		if (err == nil) != (good && values > 0) {
			t.Errorf("%q: error %v, but well-formed is %v", body, err, good)
		}
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"ts,s,x\n1,a,b\n", "ts\n\"1\n", "ts,i\n1,\"2\"\"\"\n,\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		_, _ = decodeBody(t, Limits{}, CSV, body)
	})
}

// FuzzTime checks that a parsed time is a multiple of its unit and in range.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2001-01-01T00:47:00.123456789+01:30", "1900-01-01", "2299/12/31 23:59:60", "2001-01-01 00:00Z"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v := event.Vector{Type: event.Type{Kind: event.DateTime64, Precision: 3}}
		if appendText(&v, text) == "" && (v.I64[0] < minSecond*1000 || v.I64[0] > maxSecond*1000+999) {
			t.Errorf("%q gives %d", text, v.I64[0])
		}
	})
}

// TestStringsAsTheLibrary holds unescape against jsontext for all that is UTF-8.
func TestStringsAsTheLibrary(t *testing.T) {
	piece := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{`\n`, `\"`, `\\`, `\/`, `\u0041`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\u12`, `\x`, `\`, "\x01", `"`}),
	)
	rapid.Check(t, func(rt *rapid.T) {
		s := `"` + strings.Join(rapid.SliceOf(piece).Draw(rt, "pieces"), "") + `"`
		got, end := unescape(nil, []byte(s), 1)
		dec := jsontext.NewDecoder(bytes.NewBufferString(s), jsontext.AllowInvalidUTF8(true))
		raw, err := dec.ReadValue()
		if err != nil {
			if end == len(s) {
				rt.Fatalf("%q is taken as %q, the library says %v", s, got, err)
			}
			return
		}
		want, err := jsontext.AppendUnquote(nil, raw)
		if err != nil && utf8.ValidString(s) && !strings.Contains(s, `\u`) {
			rt.Fatal(err)
		}
		if end != len(raw) || string(got) != string(want) {
			rt.Fatalf("%q is taken as %q to %d, want %q to %d", s, got, end, want, len(raw))
		}
	})
}

// TestNumbersAsTheLibrary holds numbers against strconv.
func TestNumbersAsTheLibrary(t *testing.T) {
	part := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,3})?`)
	rapid.Check(t, func(rt *rapid.T) {
		s := part.Draw(rt, "number")
		if !json.Valid([]byte(s)) {
			rt.Fatalf("%q is no number", s)
		}
		want, err := strconv.ParseFloat(s, 64)
		v := event.Vector{Type: event.Type{Kind: event.Float64}}
		expects := appendJSON(&v, []byte(s))
		if (expects == "") != (err == nil) || err == nil && math.Float64bits(v.F64[0]) != math.Float64bits(want) {
			rt.Fatalf("%s: %q %v, want %v %v", s, expects, v.F64, want, err)
		}
		if x, end := scanDecimal([]byte(s+"}"), 0); end > 0 && (end != len(s) || math.Float64bits(x) != math.Float64bits(want)) {
			rt.Fatalf("scanDecimal of %s: %v, want %v", s, x, want)
		}
		i := event.Vector{Type: event.Type{Kind: event.Int64}}
		u := event.Vector{Type: event.Type{Kind: event.UInt64}}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && (appendJSON(&i, []byte(s)) != "" || i.I64[0] != n) {
			rt.Fatalf("%s as Int64: %v", s, i.I64)
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil && (appendJSON(&u, []byte(s)) != "" || u.U64[0] != n) {
			rt.Fatalf("%s as UInt64: %v", s, u.U64)
		}
	})
}

// TestRandomRows holds the quick path against the complete one over rows that resemble
// events: random keys in random order, values of all shapes.
func TestRandomRows(t *testing.T) {
	key := rapid.SampledFrom([]string{"ts", "s", "i", "u", "f", "b", "d", "ns", "ni", "t9", "x", "y", "é", `\u0078`, "_extra"})
	value := rapid.SampledFrom([]string{
		"0", "1", "-1", "12345678901234567890", "1.0", "1.5", "1e2", "1E400", "-0", "true", "false", "null", `""`, `"x"`, `"a\nb"`, `"\ud800"`,
		`"NaN"`, `"inf"`, `"12"`, `" 7 "`, `"true"`, `"2001-01-02"`, `"2001/01/02 03:04"`, `"2001-01-02T03:04:05.678Z"`, `{}`, `[ 1, 2 ]`, `{"a": "b c"}`, "\"\xff\"", "978310020", "tru", "01", "+1",
	})
	space := rapid.SampledFrom([]string{"", "", "", " ", "\t"})
	stream := testStream(t)
	rapid.Check(t, func(rt *rapid.T) {
		var body strings.Builder
		for range rapid.IntRange(1, 4).Draw(rt, "rows") {
			sep := `{"ts":1,`
			if rapid.Bool().Draw(rt, "ownTime") {
				sep = "{"
			}
			for range rapid.IntRange(1, 6).Draw(rt, "fields") {
				body.WriteString(sep + space.Draw(rt, "space") + `"` + key.Draw(rt, "key") + `"` + space.Draw(rt, "space") + ":" + space.Draw(rt, "space") + value.Draw(rt, "value") + space.Draw(rt, "space"))
				sep = ","
			}
			body.WriteString("}\n")
		}
		decodeBoth(t, stream, Limits{}, body.String())
	})
}
