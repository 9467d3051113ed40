package decode

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

// decodeBody decodes a body and returns one line for each rejected and each good row.
func decodeBody(t testing.TB, limits Limits, f Format, body string) (string, error) {
	t.Helper()
	stream := testStream(t)
	d, b := NewDecoder(stream, limits), event.NewBatch(stream.Schema)
	rejected, err := d.Decode(b, f, []byte(body), testNow)
	if err != nil {
		return "", err
	}
	checkBatch(t, b)
	var out []string
	for _, r := range rejected {
		out = append(out, fmt.Sprintf("%d %s: %s", r.Line, r.Raw, r.Reason))
	}
	for i := range b.Rows {
		out = append(out, row(b, i))
	}
	return strings.Join(out, "\n"), nil
}

func TestDocuments(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"one object", ` {"ts":1} `, "ts=1000"},
		{"array", "[{\"ts\":1},\n {\"ts\":2} ]", "ts=1000\nts=2000"},
		{"pretty-printed", "[\n  {\n    \"ts\": 1,\n    \"i\": 2\n  },\n  {\n    \"ts\": 1,\n    \"i\": 3\n  }\n]\n", "ts=1000 i=2\nts=1000 i=3"},
		{"several", `{"ts":1}{"ts":2}` + "\n" + `[{"ts":3}] {"ts":4}`, "ts=1000\nts=2000\nts=3000\nts=4000"},
		{"empty array", `[ ]`, ""},
		{"byte order mark", "\xef\xbb\xbf{\"ts\":1}", "ts=1000"},
		{"no objects", `[{"ts":1},5,[{}],null,{"ts":2,"x":{"a":[ ]}}]`,
			"2 5: an event is a JSON object, not \"5\"\n3 [{}]: an event is a JSON object, not \"[{}]\"\n4 null: an event is a JSON object, not \"null\"\nts=1000\nts=2000 _extra=\"{\\\"x\\\":{\\\"a\\\":[]}}\""},
		{"bad row", `[{"ts":1},{"ts":"x"},{"ts":3}]`, `2 {"ts":"x"}: column "ts" takes a time like "2001-02-03T04:05:06Z" or seconds since 1970, from 1900 to 2299, not "\"x\""` + "\nts=1000\nts=3000"},
	}
	for _, c := range cases {
		got, err := decodeBody(t, Limits{}, JSON, c.in)
		if err != nil || got != c.want {
			t.Errorf("%s: error %v\n got: %s\nwant: %s", c.name, err, got, c.want)
		}
	}
}

func TestBodiesRefusedWhole(t *testing.T) {
	cases := []struct {
		name   string
		format Format
		in     string
		offset int
	}{
		{"empty", JSON, " ", 1},
		{"array without end", JSON, `[{"ts":1}`, 9},
		{"comma at the end", JSON, `[{"ts":1},]`, 10},
		{"no comma", JSON, `[{"ts":1} {"ts":2}]`, 10},
		{"broken row", JSON, "\xef\xbb\xbf" + `[{"ts":1},{"ts":}]`, 13},
		{"stray bracket", JSON, `{"ts":1}]`, 8},
		{"no header", CSV, "", 0},
		{"broken header", CSV, "\"ts\n1\n", 6},
		{"no event time", CSV, "a,b\n1,2\n", 0},
		{"column twice", CSV, "ts,x,x\n1,2,3\n", 0},
		{"header not UTF-8", CSV, "ts,\xff\n1,2\n", 0},
	}
	for _, c := range cases {
		_, err := decodeBody(t, Limits{}, c.format, c.in)
		var be *BodyError
		if !errors.As(err, &be) || be.Offset != c.offset {
			t.Errorf("%s: error %v, want one at byte %d", c.name, err, c.offset)
		}
	}
}

func TestCSV(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"types", "ts,s,i,u,f,b,d\n2001/01/01 00:47,x,-1,2,1.50,TRUE,2001-01-02\n", `ts=978310020000 s="x" i=-1 u=2 f=1.5 b=true d=11324`},
		{"loose numbers", "ts,i,f\n1, +007 ,.5\n1,17850.0,NaN\n", "ts=1000 i=7 f=0.5\nts=1000 i=17850 f=NaN"},
		{"quotes and CRLF", "ts,s\r\n1,\"a,\"\"b\"\"\nc\"\r\n2,d\r\n", "ts=1000 s=\"a,\\\"b\\\"\\nc\"\nts=2000 s=\"d\""},
		{"empty fields", "ts,s,i,ns,ni\n1,,,,\n1,\\N,\\N,\\N,\\N\n", "ts=1000\nts=1000"},
		{"undeclared", "ts,x y,\"q\"\"\"\n1,a\tb,\n", `ts=1000 _extra="{\"x y\":\"a\\tb\",\"q\\\"\":\"\"}"`},
		{"byte order mark", "\xef\xbb\xbfts\n1\n", "ts=1000"},
		{"empty event time", "ts,s\n,x\n1,y\n", "2 ,x: the event time, column \"ts\", is missing\nts=1000 s=\"y\""},
		{"too few fields", "ts,s\n1\n\n1,y\n", "2 1: the row has 1 fields, the header 2\nts=1000 s=\"y\""},
		{"stray quote", "ts,s\n1,a\"b\n1,y\n", "2 1,a\"b: invalid CSV: bare \" in non-quoted-field\nts=1000 s=\"y\""},
		{"wrong type", "ts,s,i\n1,x,y\n1,x,2\n", "2 1,x,y: column \"i\" takes an integer from -9223372036854775808 to 9223372036854775807, not \"y\"\nts=1000 s=\"x\" i=2"},
	}
	for _, c := range cases {
		got, err := decodeBody(t, Limits{}, CSV, c.in)
		if err != nil || got != c.want {
			t.Errorf("%s: error %v\n got: %s\nwant: %s", c.name, err, got, c.want)
		}
	}
}

func TestRowLimits(t *testing.T) {
	limits := Limits{MaxRowBytes: 60, MaxDepth: 3, MaxFields: 4}
	cases := []struct{ name, in, want string }{
		{"row", `{"ts":1,"s":"` + strings.Repeat("x", 45) + `"}`, `s="x`},
		{"row too long", `{"ts":1,"s":"` + strings.Repeat("x", 46) + `"}`, "the event measures 61 bytes, the limit is 60"},
		{"depth", `{"ts":1,"x":[[1]]}`, `_extra="{\"x\":[[1]]}"`},
		{"too deep", `{"ts":1,"x":[[{}]]}`, "the event nests 4 levels deep, the limit is 3"},
		{"brackets in a string", `{"ts":1,"x":"[[[[[\"]]"}`, `_extra=`},
		{"fields", `{"ts":1,"a":1,"b":1,"c":1}`, `_extra=`},
		{"too many fields", `{"ts":1,"a":1,"b":1,"c":1,"d":1}`, "the event has more than 4 fields"},
	}
	stream := testStream(t)
	for _, c := range cases {
		if got := decodeBoth(t, stream, limits, c.in); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
		if got, err := decodeBody(t, limits, JSON, "["+c.in+"]"); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s in an array: %s, %v", c.name, got, err)
		}
	}
	if got, err := decodeBody(t, limits, CSV, "ts,s\n1,"+strings.Repeat("x", 60)); err != nil || !strings.Contains(got, "measures 62 bytes") {
		t.Errorf("CSV: %s, %v", got, err)
	}
}

func TestBodyLimits(t *testing.T) {
	cases := []struct {
		name   string
		limits Limits
		format Format
		in     string
	}{
		{"bytes", Limits{MaxBodyBytes: 9}, NDJSON, "{\"ts\":1}\n\n"},
		{"rows", Limits{MaxRows: 2}, NDJSON, "x\nx\nx\n"},
		{"rows of an array", Limits{MaxRows: 2}, JSON, `[1,2,3]`},
		{"rows of CSV", Limits{MaxRows: 2}, CSV, "ts\n1\n2\n3\n"},
		{"columns", Limits{MaxBatchBytes: 100}, NDJSON, "{\"ts\":1}\n{\"ts\":1}\n"},
		{"names of CSV", Limits{MaxBatchBytes: 300}, CSV, "ts," + strings.Repeat("x", 200) + "\n1,\n2,\n"},
	}
	for _, c := range cases {
		if _, err := decodeBody(t, c.limits, c.format, c.in); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

// TestNoAllocations proves that the quick path allocates nothing per event.
func TestNoAllocations(t *testing.T) {
	stream := benchStream(t)
	d, b := NewDecoder(stream, Limits{}), event.NewBatch(stream.Schema)
	body := benchBody(`,"ref":"a\u0062","n":null`)
	allocs := testing.AllocsPerRun(3, func() {
		b.Reset()
		if rejected, err := d.Decode(b, NDJSON, body, testNow); err != nil || len(rejected) > 0 || b.Rows != benchRows {
			t.Fatal(b.Rows, rejected, err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations for %d events", allocs, benchRows)
	}
}

// TestRealEvents decodes the wiki edits and flights by both paths.
func TestRealEvents(t *testing.T) {
	cases := []struct {
		file, eventTime string
		columns         []event.Column
	}{
		{"wiki_edits/wikiticker_2015-09-12_part1.ndjson.gz", "time", []event.Column{
			{Name: "time", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
			{Name: "channel", Type: event.Type{Kind: event.String}},
			{Name: "cityName", Type: event.Type{Kind: event.String, Nullable: true}},
			{Name: "comment", Type: event.Type{Kind: event.String}},
			{Name: "isRobot", Type: event.Type{Kind: event.Bool}},
			{Name: "added", Type: event.Type{Kind: event.Int64}},
			{Name: "delta", Type: event.Type{Kind: event.Float64}},
			{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
		}},
		{"flights/flights_part1.ndjson.gz", "date", []event.Column{
			{Name: "date", Type: event.Type{Kind: event.DateTime64, Precision: 0}},
			{Name: "delay", Type: event.Type{Kind: event.Int64}},
			{Name: "origin", Type: event.Type{Kind: event.String}},
			{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
		}},
	}
	for _, c := range cases {
		f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", c.file))
		if err != nil {
			t.Skipf("no real events: %v", err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := event.NewSchema(c.columns...)
		if err != nil {
			t.Fatal(err)
		}
		stream := &plan.Stream{Schema: schema, EventTime: schema.Index(c.eventTime), Partitions: 1}
		quick, full := NewDecoder(stream, Limits{}), NewDecoder(stream, Limits{})
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		a, b := event.NewBatch(schema), event.NewBatch(schema)
		n := 0
		for ; n < 4000 && lines.Scan(); n++ {
			a.Reset()
			b.Reset()
			rejected, err := quick.Decode(a, NDJSON, lines.Bytes(), testNow)
			if err != nil || len(rejected) > 0 {
				t.Fatal(rejected, err)
			}
			full.latest = quick.latest
			full.decodeFull(b, bytes.Clone(lines.Bytes()))
			if len(full.rejected) > 0 || row(a, 0) != row(b, 0) {
				t.Fatalf("%s\nquick: %s\nfull:  %s", lines.Bytes(), row(a, 0), row(b, 0))
			}
		}
		if lines.Err() != nil || n < 1000 {
			t.Fatalf("%s: %d lines, %v", c.file, n, lines.Err())
		}
	}
}
