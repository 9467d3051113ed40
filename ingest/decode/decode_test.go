package decode

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testStream has every type, its event time first.
func testStream(t testing.TB) *plan.Stream {
	t.Helper()
	s, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "s", Type: event.Type{Kind: event.String}},
		event.Column{Name: "i", Type: event.Type{Kind: event.Int64}},
		event.Column{Name: "u", Type: event.Type{Kind: event.UInt64}},
		event.Column{Name: "f", Type: event.Type{Kind: event.Float64}},
		event.Column{Name: "b", Type: event.Type{Kind: event.Bool}},
		event.Column{Name: "d", Type: event.Type{Kind: event.Date}},
		event.Column{Name: "ns", Type: event.Type{Kind: event.String, Nullable: true}},
		event.Column{Name: "ni", Type: event.Type{Kind: event.Int64, Nullable: true}},
		event.Column{Name: "t9", Type: event.Type{Kind: event.DateTime64, Precision: 9}},
		event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Stream{Name: "t", Schema: s, EventTime: 0, Partitions: 1}
}

// row formats one row of a batch, leaving out columns that hold their default.
func row(b *event.Batch, i int) string {
	var out []string
	for c := range b.Columns {
		v := &b.Columns[c]
		switch x := v.Value(i).(type) {
		case nil:
			continue
		case string:
			if x != "" || v.Type.Nullable {
				out = append(out, fmt.Sprintf("%s=%q", b.Schema.Columns[c].Name, x))
			}
		case float64:
			if x != 0 || math.Signbit(x) {
				out = append(out, fmt.Sprintf("%s=%v", b.Schema.Columns[c].Name, x))
			}
		default:
			if s := fmt.Sprint(x); s != "0" && s != "false" || v.Type.Nullable {
				out = append(out, fmt.Sprintf("%s=%s", b.Schema.Columns[c].Name, s))
			}
		}
	}
	return strings.Join(out, " ")
}

// decodeBoth decodes NDJSON by both paths, checks that they agree and returns one line a row.
func decodeBoth(t testing.TB, stream *plan.Stream, limits Limits, body string) string {
	t.Helper()
	quick := describe(t, NewDecoder(stream, limits), stream, body, true)
	full := describe(t, NewDecoder(stream, limits), stream, body, false)
	if quick != full {
		t.Fatalf("paths differ for %q:\nquick: %s\nfull:  %s", body, quick, full)
	}
	return quick
}

func describe(t testing.TB, d *Decoder, stream *plan.Stream, body string, quick bool) string {
	t.Helper()
	b := event.NewBatch(stream.Schema)
	var out []string
	rejected := func(rs []Rejected) {
		for _, r := range rs {
			out = append(out, fmt.Sprintf("line %d %q: %s", r.Line, r.Raw, r.Reason))
		}
	}
	if quick {
		// Twice, so that the second time the keys are predicted.
		for range 2 {
			b.Reset()
			rs, err := d.Decode(b, NDJSON, []byte(body), testNow)
			if err != nil {
				t.Fatal(err)
			}
			out = out[:0]
			rejected(rs)
		}
	} else {
		d.latest = d.ticks(testNow.Add(d.limits.FutureSkew))
		for i, line := range strings.Split(body, "\n") {
			d.line = i + 1
			if raw := trimSpace([]byte(line)); len(raw) > 0 {
				d.decodeFull(b, raw)
			}
		}
		rejected(d.rejected)
	}
	checkBatch(t, b)
	for i := range b.Rows {
		out = append(out, row(b, i))
	}
	return strings.Join(out, "\n")
}

// checkBatch checks that all columns have the batch's number of rows.
func checkBatch(t testing.TB, b *event.Batch) {
	t.Helper()
	for i := range b.Columns {
		v := &b.Columns[i]
		if v.Len() != b.Rows || v.Type.Nullable && len(v.Nulls) != b.Rows {
			t.Fatalf("column %s has %d rows and %d nulls, the batch %d rows", b.Schema.Columns[i].Name, v.Len(), len(v.Nulls), b.Rows)
		}
	}
}

func TestOddInputs(t *testing.T) {
	const t0 = `"ts":1`
	cases := []struct{ name, in, want string }{
		{"plain", `{"ts":"2001-01-01T00:47:00Z","s":"x","i":-5,"u":7,"f":1.5,"b":true}`, `ts=978310020000 s="x" i=-5 u=7 f=1.5 b=true`},
		{"white space", " \t{ \"ts\" : 1 , \"s\" :\t\"x\" } \r", `ts=1000 s="x"`},
		{"blank lines", "\n{" + t0 + "}\n \r\n{" + t0 + "}\r\n", "ts=1000\nts=1000"},
		{"missing event time", `{"s":"x"}`, `line 1 "{\"s\":\"x\"}": the event time, column "ts", is missing`},
		{"null event time", `{"ts":null}`, `line 1 "{\"ts\":null}": the event time, column "ts", is missing`},
		{"no object", `[1]`, `line 1 "[1]": an event is a JSON object, not "[1]"`},
		{"text after", `{` + t0 + `} x`, `line 1 "{\"ts\":1} x": invalid JSON at byte 9: invalid character 'x' at start of value`},
		{"two objects", `{` + t0 + `}{}`, `line 1 "{\"ts\":1}{}": there is text after the event's object`},
		{"nulls", `{` + t0 + `,"s":null,"i":null,"ns":null,"ni":null,"t9":null}`, `ts=1000`},
		{"not null", `{` + t0 + `,"ns":"","ni":0}`, `ts=1000 ns="" ni=0`},
		{"duplicate key", `{` + t0 + `,"i":"x","i":2}`, `ts=1000 i=2`},
		{"duplicate undeclared", `{` + t0 + `,"x":1,"y":2,"x":3}`, `ts=1000 _extra="{\"y\":2,\"x\":3}"`},
		{"escaped key", `{"\u0074s":1,"\u0078":1,"x":2}`, `ts=1000 _extra="{\"x\":2}"`},
		{"undeclared", `{"x":{ "a" : [1, "b c"] },` + t0 + `,"y":"z z","_extra":null}`, `ts=1000 _extra="{\"x\":{\"a\":[1,\"b c\"]},\"y\":\"z z\",\"_extra\":null}"`},
		{"escapes", `{` + t0 + `,"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z"}`, `ts=1000 s="a\"\\/\b\f\n\r\té😀z"`},
		{"lone surrogates", `{` + t0 + `,"s":"\ud800","ns":"\ud800\u0041\udc00\ud800\ud800"}`, `ts=1000 s="�" ns="�A���"`},
		{"bad escape", `{` + t0 + `,"s":"\q"}`, "line 1 \"{\\\"ts\\\":1,\\\"s\\\":\\\"\\\\q\\\"}\": invalid JSON at byte 13: invalid escape sequence `\\q` in string"},
		{"invalid UTF-8 in a value", "{" + t0 + ",\"s\":\"\xff\",\"x\":\"\xfe\"}", `ts=1000 s="\xff" _extra="{\"x\":\"\xfe\"}"`},
		{"invalid UTF-8 in a key", "{" + t0 + ",\"\xff\":1}", `line 1 "{\"ts\":1,\"\xff\":1}": the key "\xff" is not UTF-8`},
		{"integral numbers", `{` + t0 + `,"i":1e3,"u":1.0,"ni":"-7"}`, `ts=1000 i=1000 u=1 ni=-7`},
		{"integer limits", `{` + t0 + `,"i":-9223372036854775808,"u":18446744073709551615,"ni":9223372036854775807}`, `ts=1000 i=-9223372036854775808 u=18446744073709551615 ni=9223372036854775807`},
		{"integer too large", `{` + t0 + `,"i":9223372036854775808}`, `line 1 "{\"ts\":1,\"i\":9223372036854775808}": column "i" takes an integer from -9223372036854775808 to 9223372036854775807, not "9223372036854775808"`},
		{"unsigned too large", `{` + t0 + `,"u":18446744073709551616}`, `line 1 "{\"ts\":1,\"u\":18446744073709551616}": column "u" takes an integer from 0 to 18446744073709551615, not "18446744073709551616"`},
		{"negative unsigned", `{` + t0 + `,"u":-1}`, `line 1 "{\"ts\":1,\"u\":-1}": column "u" takes an integer from 0 to 18446744073709551615, not "-1"`},
		{"minus zero", `{` + t0 + `,"i":-0,"u":-0,"f":-0}`, `ts=1000 f=-0`},
		{"not integral", `{` + t0 + `,"i":1.5}`, `line 1 "{\"ts\":1,\"i\":1.5}": column "i" takes an integer from -9223372036854775808 to 9223372036854775807, not "1.5"`},
		{"floats", `{` + t0 + `,"f":"NaN"}` + "\n{" + t0 + `,"f":"-inf"}` + "\n{" + t0 + `,"f":0.1e-7}` + "\n{" + t0 + `,"f":123456789012345678901234567890}`, "ts=1000 f=NaN\nts=1000 f=-Inf\nts=1000 f=1e-08\nts=1000 f=1.2345678901234568e+29"},
		{"float too large", `{` + t0 + `,"f":1e400}`, `line 1 "{\"ts\":1,\"f\":1e400}": column "f" takes a number within ±1.7976931348623157e308, or "NaN", "inf", "-inf", not "1e400"`},
		{"leading zero", `{` + t0 + `,"i":01}`, `line 1 "{\"ts\":1,\"i\":01}": invalid JSON at byte 13: invalid character '1' after object value (expecting ',' or '}')`},
		{"bools", `{` + t0 + `,"b":1}` + "\n{" + t0 + `,"b":"true"}` + "\n{" + t0 + `,"b":0,"i":true,"s":false}`, "ts=1000 b=true\nts=1000 b=true\nts=1000 s=\"false\" i=1"},
		{"bool of 2", `{` + t0 + `,"b":2}`, `line 1 "{\"ts\":1,\"b\":2}": column "b" takes true, false, 0 or 1, not "2"`},
		{"anything as text", `{` + t0 + `,"s":12.50}` + "\n{" + t0 + `,"s":[ 1 ]}`, "ts=1000 s=\"12.50\"\nts=1000 s=\"[1]\""},
		{"object as number", `{` + t0 + `,"i":{}}`, `line 1 "{\"ts\":1,\"i\":{}}": column "i" takes an integer from -9223372036854775808 to 9223372036854775807, not "{}"`},
		{"dates", `{` + t0 + `,"d":"2001-01-02"}` + "\n{" + t0 + `,"d":"2001/01/02 23:00"}`, "ts=1000 d=11324\nts=1000 d=11324"},
		{"date of number", `{` + t0 + `,"d":5}`, `line 1 "{\"ts\":1,\"d\":5}": column "d" takes a date from "1970-01-01" to "2149-06-06", not "5"`},
		{"future", `{"ts":"2026-01-02T04:04:05Z"}` + "\n" + `{"ts":"2026-01-02T04:04:05.001Z"}`, "line 2 \"{\\\"ts\\\":\\\"2026-01-02T04:04:05.001Z\\\"}\": the event time lies more than 1h0m0s in the future\nts=1767326645000"},
		{"rollback in the middle", `{` + t0 + `,"s":"a","x":1}` + "\n{" + t0 + `,"s":"b","x":1,"ns":"n","i":"bad"}` + "\n{" + t0 + `,"s":"c"}`, "line 2 \"{\\\"ts\\\":1,\\\"s\\\":\\\"b\\\",\\\"x\\\":1,\\\"ns\\\":\\\"n\\\",\\\"i\\\":\\\"bad\\\"}\": column \"i\" takes an integer from -9223372036854775808 to 9223372036854775807, not \"\\\"bad\\\"\"\nts=1000 s=\"a\" _extra=\"{\\\"x\\\":1}\"\nts=1000 s=\"c\""},
	}
	stream := testStream(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := decodeBoth(t, stream, Limits{FutureSkew: DefaultFutureSkew}, c.in); got != c.want {
				t.Errorf("%s\n got: %s\nwant: %s", c.in, got, c.want)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	ms := func(s string) string {
		at, err := time.Parse("2006-01-02T15:04:05.999999999", s)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(at.UnixMilli())
	}
	cases := []struct{ in, want string }{
		{`"2001/01/01 00:47"`, ms("2001-01-01T00:47:00")},
		{`"2001-01-01 00:47:09"`, ms("2001-01-01T00:47:09")},
		{`"2001-01-01 00:47:09.9999"`, ms("2001-01-01T00:47:09.999")},
		{`"2001-01-01"`, ms("2001-01-01T00:00:00")},
		{`"2001-01-01T00:47:09+02:00"`, ms("2000-12-31T22:47:09")},
		{`"2001-01-01T00:47:09-0330"`, ms("2001-01-01T04:17:09")},
		{`"2000-02-29T00:00:00z"`, ms("2000-02-29T00:00:00")},
		{`"2016-12-31T23:59:60Z"`, ms("2017-01-01T00:00:00")},
		{`"2016-12-31T23:59:60.5Z"`, ms("2017-01-01T00:00:00.5")},
		{`"1900-01-01T00:00:00Z"`, ms("1900-01-01T00:00:00")},
		{`"1899-12-31T23:59:59.999Z"`, ""},
		{`"1969-12-31T23:59:59.9996Z"`, "-1"},
		{`"2001-02-29"`, ""},
		{`"2001-13-01"`, ""},
		{`"2001-00-01"`, ""},
		{`"2001-01-01T24:00:00Z"`, ""},
		{`"2001-01-01T23:60:00Z"`, ""},
		{`"2001-01-01T23:59:61Z"`, ""},
		{`"2001-01-01T23"`, ""},
		{`"2001-01-01T23:59:00 UTC"`, ""},
		{`"2001-01-01T23:59:00."`, ""},
		{`"2001-01/01"`, ""},
		{`""`, ""},
		{`"yesterday"`, ""},
		{`true`, ""},
		{`{}`, ""},
		{`1441065600`, "1441065600000"},
		{`"1441065600"`, "1441065600000"},
		{`1441065600.1239`, "1441065600123"},
		{`1.4410656e9`, "1441065600000"},
		{`1441065600123`, "1441065600123"},
		{`1441065600123456`, "1441065600123"},
		{`1441065600123456789`, "1441065600123"},
		{`1441065600.12345678901234567890123`, "1441065600123"},
		{`99999999999`, ""}, // seconds: the year 5138
		{`100000000000`, "100000000000"},
		{`-1`, "-1000"},
		{`-0.0001`, "-1"},
		{`-1.5`, "-1500"},
		{`-1e-30`, "-1"},
		{`1e-30`, "0"},
		{`1e30`, ""},
		{`-2208988800`, "-2208988800000"},
		{`-2208988801`, ""},
	}
	stream := testStream(t)
	for _, c := range cases {
		got := decodeBoth(t, stream, Limits{FutureSkew: 1 << 62}, `{"ts":`+c.in+`,"s":"x"}`)
		got = strings.TrimPrefix(strings.TrimSuffix(got, `s="x"`), "ts=")
		if c.want == "" && strings.Contains(got, "takes a time") {
			continue
		}
		if want := c.want; strings.TrimSpace(got) != want && (want != "0" || got != "") {
			t.Errorf("%s: got %s, want %s", c.in, got, want)
		}
	}
	// Nanoseconds end in 2262.
	if got := decodeBoth(t, stream, Limits{}, `{"ts":0,"t9":"2262-04-11T23:47:16Z"}`); got != "t9=9223372036000000000" {
		t.Error(got)
	}
	if got := decodeBoth(t, stream, Limits{}, `{"ts":0,"t9":"2262-04-12T23:47:16Z"}`); !strings.Contains(got, "1900 to 2262") {
		t.Error(got)
	}
}
