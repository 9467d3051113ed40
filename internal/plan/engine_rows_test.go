package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/event"
)

// Values that break things, mixed into random rows.
var (
	edgeInts = []int64{
		0, 1, -1, 2, 3, -3, 7, 10, 100, 127, 128, -128, -129, 200, 255, 256, 32767, 65535, 65536, 1 << 31, 1<<32 - 1, 1 << 32,
		1 << 53, 1<<53 + 1, -1<<53 - 1, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1,
	}
	edgeUints  = []uint64{0, 1, 2, 3, 5, 10, 127, 128, 255, 256, 65535, 1 << 32, 1<<53 + 1, math.MaxInt64, 1 << 63, 1<<63 + 1, math.MaxUint64, math.MaxUint64 - 1}
	edgeFloats = []float64{
		0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 1.5, 2, 2.5, -2.5, 3, 100, 1e-6, 9.9e-7, 1e-7, 1e20, 1e21, 123456789.123, 0.1, 1.0 / 3,
		math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, 1<<53 + 2,
		1 << 63, -1 << 63, 1 << 64, math.MaxInt64, 9007199254740993, 4e15,
	}
	edgeTexts = []string{
		"", " ", "a", "b", "A", "abc", "ABC", "aBc", "a%c", "a_c", "a\\c", "é", "É", "né", "日本語", "a\x00b", "\xff", "a\xffc", "a\xffac", "\xc3", "\xed\xa0\x80",
		"  a ", "a\nb", "\t", "ſ", "K", "Straße", "0", "1", "-1", "+5", "12", "12x", " 12", "007", "1e5", "-1.5e-3", ".5", "5.", "1e400",
		"inf", "-Inf", "NaN", "infinity", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"18446744073709551615", "18446744073709551616", "2024-05-01", "2024-05-01 10:00:00", "true", "x'y", "long text that is not short at all, over and over",
		"0.30000000000000004", "179769313486231570000000000000000000000", "4.9e-324", "2.2250738585072011e-308", "\xf0\x9f\x98\x80", "\xf4\x90\x80\x80",
	}
	// Streams hold the years 1900 to 2299, and functions move them a century away.
	edgeSeconds = []int64{
		0, 1, -1, 59, 60, 86399, 86400, -86400, -86401, 1714559265, 951782400, 68169600, -2208988800, -2208988799, 1 << 31, 1<<32 - 1, 1 << 32,
		5662310399, 5662310400, 10413791999, -1 << 31, 4102444800, 1709164799, 1709164800, -62135596800 / 20, -5364662400, 16725225599, 345600, -259200,
	}
	edgeDays = []int64{0, 1, 2, 3, 4, 6, 7, 30, 31, 58, 59, 364, 365, 789, 11016, 19844, 24837, 49709, 49710, 49711, 65534, 65535}
)

// testSchema has a column of every type, plain and Nullable. Column n is the row number.
var testSchema = mustSchema(
	event.Column{Name: "n", Type: event.Type{Kind: event.Int64}},
	event.Column{Name: "b", Type: event.Type{Kind: event.Bool}},
	event.Column{Name: "nb", Type: event.Type{Kind: event.Bool, Nullable: true}},
	event.Column{Name: "i", Type: event.Type{Kind: event.Int64}},
	event.Column{Name: "j", Type: event.Type{Kind: event.Int64}},
	event.Column{Name: "ni", Type: event.Type{Kind: event.Int64, Nullable: true}},
	event.Column{Name: "u", Type: event.Type{Kind: event.UInt64}},
	event.Column{Name: "nu", Type: event.Type{Kind: event.UInt64, Nullable: true}},
	event.Column{Name: "f", Type: event.Type{Kind: event.Float64}},
	event.Column{Name: "nf", Type: event.Type{Kind: event.Float64, Nullable: true}},
	event.Column{Name: "s", Type: event.Type{Kind: event.String}},
	event.Column{Name: "s2", Type: event.Type{Kind: event.String}},
	event.Column{Name: "ns", Type: event.Type{Kind: event.String, Nullable: true}},
	event.Column{Name: "lc", Type: event.Type{Kind: event.String, LowCardinality: true}},
	event.Column{Name: "nlc", Type: event.Type{Kind: event.String, LowCardinality: true, Nullable: true}},
	event.Column{Name: "url", Type: event.Type{Kind: event.String}},
	event.Column{Name: "js", Type: event.Type{Kind: event.String}},
	event.Column{Name: "ip", Type: event.Type{Kind: event.String}},
	event.Column{Name: "d", Type: event.Type{Kind: event.Date}},
	event.Column{Name: "nd", Type: event.Type{Kind: event.Date, Nullable: true}},
	event.Column{Name: "t0", Type: event.Type{Kind: event.DateTime64}},
	event.Column{Name: "t3", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
	event.Column{Name: "nt3", Type: event.Type{Kind: event.DateTime64, Precision: 3, Nullable: true}},
	event.Column{Name: "t6", Type: event.Type{Kind: event.DateTime64, Precision: 6}},
	event.Column{Name: "t9", Type: event.Type{Kind: event.DateTime64, Precision: 9}},
)

func mustSchema(columns ...event.Column) *event.Schema {
	s, err := event.NewSchema(columns...)
	if err != nil {
		panic(err)
	}
	return s
}

// randomBatch fills rows of a schema with edge and random values.
func randomBatch(r *rand.Rand, schema *event.Schema, rows int) *event.Batch {
	b := event.NewBatch(schema)
	b.Rows = rows
	for i := range b.Columns {
		v := &b.Columns[i]
		for n := range rows {
			switch {
			case schema.Columns[i].Name == "n":
				v.AppendInt64(int64(n))
			case formed[schema.Columns[i].Name] != nil:
				v.AppendString([]byte(formed[schema.Columns[i].Name](r)))
			case v.Type.Nullable && r.IntN(4) == 0:
				v.AppendZero(true)
			default:
				appendRandom(r, v)
			}
		}
	}
	return b
}

func pickOne[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func appendRandom(r *rand.Rand, v *event.Vector) {
	edge := r.IntN(2) == 0
	switch v.Type.Kind {
	case event.Bool:
		v.AppendBool(r.IntN(2) == 0)
	case event.Int64:
		if edge {
			v.AppendInt64(pickOne(r, edgeInts))
		} else {
			v.AppendInt64(int64(r.Uint64()) >> r.IntN(64))
		}
	case event.UInt64:
		if edge {
			v.AppendUInt64(pickOne(r, edgeUints))
		} else {
			v.AppendUInt64(r.Uint64() >> r.IntN(64))
		}
	case event.Float64:
		v.AppendFloat64(randomFloat(r, edge))
	case event.String:
		v.AppendString([]byte(randomText(r, edge)))
	case event.Date:
		if edge {
			v.AppendInt64(pickOne(r, edgeDays))
		} else {
			v.AppendInt64(r.Int64N(maxDate + 1))
		}
	case event.DateTime64:
		v.AppendInt64(randomTime(r, edge, v.Type.Precision))
	}
}

func randomFloat(r *rand.Rand, edge bool) float64 {
	switch {
	case edge:
		return pickOne(r, edgeFloats)
	case r.IntN(3) == 0:
		return float64(int64(r.Uint64()) >> r.IntN(64))
	case r.IntN(2) == 0:
		return float64(r.IntN(2000000)-1000000) / 1000
	}
	if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) {
		return f
	}
	return 0
}

func randomText(r *rand.Rand, edge bool) string {
	if edge {
		return pickOne(r, edgeTexts)
	}
	alphabet := []string{"a", "b", "c", "A", "B", "%", "_", " ", "é", "日", "\xff", "\\", "1", "2", ".", "-", "e"}
	s := ""
	for range r.IntN(8) {
		s += pickOne(r, alphabet)
	}
	return s
}

// randomTime is mostly between the years 1900 and 2299, for nanoseconds until 2262.
func randomTime(r *rand.Rand, edge bool, precision uint8) int64 {
	seconds := r.Int64N(lastTime-firstTime) + firstTime
	if edge {
		seconds = pickOne(r, edgeSeconds)
	}
	if precision == event.MaxPrecision {
		seconds = max(min(seconds, lastNano), -lastNano)
	}
	ticks := event.Pow10[precision]
	fraction := []int64{0, 0, 1, ticks - 1, ticks / 2, r.Int64N(ticks)}[r.IntN(6)]
	return seconds*ticks + min(fraction, ticks-1)
}

// formed makes the values of columns whose texts have a form.
var formed = map[string]func(r *rand.Rand) string{"url": randomURL, "ip": randomAddress, "js": func(r *rand.Rand) string { return randomJSON(r, 4) }}

// assemble puts up to most of the parts behind each other.
func assemble(r *rand.Rand, most int, parts ...string) string {
	s := ""
	for range r.IntN(most + 1) {
		s += pickOne(r, parts)
	}
	return s
}

// randomURL is mostly a URL.
func randomURL(r *rand.Rand) string {
	if r.IntN(4) == 0 {
		return assemble(r, 8, "http", ":", "//", "/", "a", ".", "com", "?", "#", "@", "x=1", "&", "www.", "%20", "+", "[", "80", " ", "\x00", "é")
	}
	s := pickOne(r, []string{"http://", "https://", "svn+ssh://", "//", "", "mailto:", "a-very-long-scheme://"}) +
		pickOne(r, []string{"", "", "", "user@", "user:pw@"}) + pickOne(r, []string{"www.", "", "sub."}) +
		pickOne(r, []string{"example.com", "example.co.uk", "localhost", "10.0.0.1", "a.b.", "x_y.org", "www.com", "é.fr"}) +
		pickOne(r, []string{"", "", ":80", ":8080", ":65536", ":", ":0", ":8x"}) + pickOne(r, []string{"", "/", "/a", "/a/b.html", "//x", "/a%20b"})
	if r.IntN(2) == 0 {
		s += "?" + assemble(r, 4, "x=1&", "y=2&", "x=&", "xy=3", "y", "&", "?", "a=b;", "/")
	}
	if r.IntN(4) == 0 {
		s += "#" + assemble(r, 3, "x=5", "top", "#", "&y=2", "?q")
	}
	return s
}

// randomAddress is mostly an IP address.
func randomAddress(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return fmt.Sprintf("%d.%d.%d.%d", r.IntN(300), r.IntN(256), r.IntN(256), r.IntN(256))
	case 1:
		return assemble(r, 9, "1", "255", ".", ".", "0", "12", "256", " ")
	case 2:
		return assemble(r, 10, ":", "::", "0", "ffff", "abcd:", "1:", "1.2.3.4", "g", "00000", "%")
	}
	var groups []string
	for range 8 {
		groups = append(groups, strconv.FormatUint(uint64(r.IntN(1<<16)), 16))
	}
	return strings.Join(groups, ":")
}

// randomJSON is mostly a JSON value.
func randomJSON(r *rand.Rand, depth int) string {
	space := func() string { return pickOne(r, []string{"", "", "", "", " ", "\n\t", "\r"}) }
	if r.IntN(60) == 0 {
		return pickOne(r, []string{"", ",", "}", "[1,]", "{\"a\"}", "nul", "tru", "01", "1.", ".5", "1e", "--1", "+1", "'a'", "\"a", "\"\x00\"", "\"\xff\"", `"\x"`, `"\u12"`, "1 2", "NaN", "\u00a0"})
	}
	kind := r.IntN(8)
	if depth == 4 {
		kind = 5 + r.IntN(3)
	}
	switch {
	case kind == 0:
		return pickOne(r, []string{"true", "false", "null"})
	case kind == 1:
		return pickOne(r, []string{"0", "-0", "1", "-1", "12", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "1.5", "-0.0", "1e3", "1E-3", "1.50", "1e30", "1e308", "1e400", "-1e400", "1e-400", "0.1", "123456789.123456789", "1e21", "1e20", "0.000001", "1e-7", "2.5e+1", "9007199254740993.0"})
	case kind == 2:
		return strconv.FormatFloat(randomFloat(r, false), 'g', -1, 64)
	case kind <= 4 || depth == 0:
		return `"` + pickOne(r, []string{"", "a", "12", "-5", "5.5", " 7", "1e3", "x", "true", "nan", "inf", "1.5", "é日", "\\n\\t\\b\\f\\r", "\\u0041\\u00e9", "\\ud83d\\ude00", "\\ud800", "\\udc00", "\\/\\\"\\\\", "\\u0000\\u001f", "\u2028", "\x7f", "0x10", "18446744073709551615", "9223372036854775808", "+3"}) + `"`
	case kind <= 6:
		var parts []string
		for range r.IntN(4) {
			key := pickOne(r, []string{`"a"`, `"b"`, `"a"`, `"a b"`, `""`, `"\u0061"`, `"é"`})
			parts = append(parts, space()+key+space()+":"+space()+randomJSON(r, depth-1)+space())
		}
		return space() + "{" + strings.Join(parts, ",") + "}" + space()
	}
	var parts []string
	for range r.IntN(4) {
		parts = append(parts, space()+randomJSON(r, depth-1)+space())
	}
	return "[" + strings.Join(parts, ",") + "]"
}
