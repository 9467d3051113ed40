package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(enginetest.Wrap(m)) }

// readable are expressions with the type and value that QueryBatch must give.
var readable = []struct {
	expression, typ string
	value           any
}{
	{"true", "Bool", true},
	{"1 = 1", "UInt64", uint64(1)},
	{"toUInt16(65535)", "UInt64", uint64(65535)},
	{"toUInt32(4294967295)", "UInt64", uint64(4294967295)},
	{"18446744073709551615", "UInt64", uint64(math.MaxUint64)},
	{"toInt8(-128)", "Int64", int64(-128)},
	{"toInt16(-32768)", "Int64", int64(-32768)},
	{"toInt32(-2147483648)", "Int64", int64(math.MinInt32)},
	{"toInt64('-9223372036854775808')", "Int64", int64(math.MinInt64)},
	{"toFloat32(-1.5)", "Float64", -1.5},
	{"1e300", "Float64", 1e300},
	{"-inf", "Float64", math.Inf(-1)},
	{"'a\\0ü'", "String", "a\x00ü"},
	{"unhex('FF00')", "String", "\xff\x00"},
	{"''", "String", ""},
	{"toFixedString('ab', 3)", "String", "ab\x00"},
	{"toDate('2149-06-06')", "Date", int64(65535)},
	{"toDate32('1900-01-01')", "Date", int64(-25567)},
	{"toDateTime(4294967295, 'UTC')", "DateTime64(0, 'UTC')", int64(4294967295)},
	{"toDateTime(1, 'Asia/Tokyo')", "DateTime64(0, 'UTC')", int64(1)},
	{"toDateTime64('1969-12-31 23:59:59.999', 3, 'UTC')", "DateTime64(3, 'UTC')", int64(-1)},
	{"toDateTime64(1, 9)", "DateTime64(9, 'UTC')", int64(1e9)},
	{"toNullable(toInt8(3))", "Nullable(Int64)", int64(3)},
	{"if(number = 9, toInt32(1), NULL)", "Nullable(Int64)", nil},
	{"nullIf(toString(number), '0')", "Nullable(String)", nil},
	{"CAST(NULL, 'Nullable(Date)')", "Nullable(Date)", nil},
	{"CAST(NULL, 'Nullable(Bool)')", "Nullable(Bool)", nil},
	{"CAST(NULL, 'Nullable(Float64)')", "Nullable(Float64)", nil},
	{"toLowCardinality('x')", "LowCardinality(String)", "x"},
	{"CAST('x', 'LowCardinality(Nullable(String))')", "LowCardinality(Nullable(String))", "x"},
	{"CAST(NULL, 'LowCardinality(Nullable(String))')", "LowCardinality(Nullable(String))", nil},
	{"CAST(sum(number), 'SimpleAggregateFunction(sum, UInt64)')", "UInt64", uint64(0)},
}

func TestQueryBatchTypes(t *testing.T) {
	c := enginetest.Client(t)
	for _, tc := range readable {
		b, err := c.QueryBatch(t.Context(), "SELECT "+tc.expression+" AS x FROM numbers(1)")
		if err != nil {
			t.Errorf("%s: %v", tc.expression, err)
			continue
		}
		if b.Rows != 1 || b.Schema.Columns[0].Type.String() != tc.typ || b.Columns[0].Value(0) != tc.value {
			t.Errorf("%s: got %s %v, want %s %v", tc.expression, b.Schema.Columns[0].Type, b.Columns[0].Value(0), tc.typ, tc.value)
		}
		empty, err := c.QueryBatch(t.Context(), "SELECT "+tc.expression+" AS x FROM numbers(1) LIMIT 0")
		if err != nil || empty.Rows != 0 || len(empty.Schema.Columns) != 1 || empty.Schema.Columns[0].Type.String() != tc.typ {
			t.Errorf("%s without rows: %+v, %v", tc.expression, empty, err)
		}
	}
}

func TestQueryBatchRefuses(t *testing.T) {
	c := enginetest.Client(t)
	for _, tc := range []struct {
		query string
		code  int // 0: refused by the client
		want  string
	}{
		{"SELECT [1]", 0, "Array(UInt8) is not supported"},
		{"SELECT uniqState(1)", 0, "AggregateFunction(uniq, UInt8) is not supported"},
		{"SELECT toDecimal32(1, 2)", 0, "Decimal(9, 2) is not supported"},
		{"SELECT CAST('a', 'Enum8(\\'a\\' = 1)')", 0, "is not supported"},
		{"SELECT * FROM nope", 60, "nope"},
		{"SELEC 1", 62, "Syntax error"},
		{"SELECT throwIf(number = 200000) FROM numbers(300000)", 395, "throwIf"},
	} {
		_, err := c.QueryBatch(t.Context(), tc.query)
		var refused *clickhouse.Error
		errors.As(err, &refused)
		if err == nil || !strings.Contains(err.Error(), tc.want) || (tc.code != 0) != (refused != nil) || (refused != nil && refused.Code != tc.code) {
			t.Errorf("%s: got %v, want code %d, %q", tc.query, err, tc.code, tc.want)
		}
	}
}

// TestManyBlocks reads a result that comes in many blocks, with nulls and a dictionary
// that differs from block to block.
func TestManyBlocks(t *testing.T) {
	const rows = 300_000
	b, err := enginetest.Client(t).QueryBatch(t.Context(), fmt.Sprintf(
		"SELECT number, nullIf(number %% 3, 0) AS n, repeat('x', number %% 5) AS s, toLowCardinality(toString(intDiv(number, 1000))) AS l FROM numbers(%d) ORDER BY number", rows))
	if err != nil {
		t.Fatal(err)
	}
	if b.Rows != rows {
		t.Fatalf("%d rows", b.Rows)
	}
	for i := range rows {
		var n any
		if i%3 != 0 {
			n = uint64(i % 3)
		}
		got := fmt.Sprint(b.Columns[0].Value(i), b.Columns[1].Value(i), b.Columns[2].Value(i), b.Columns[3].Value(i))
		if want := fmt.Sprint(uint64(i), n, strings.Repeat("x", i%5), fmt.Sprint(i/1000)); got != want {
			t.Fatalf("row %d: got %s, want %s", i, got, want)
		}
	}
}

var kinds = []event.Type{
	{Kind: event.Bool}, {Kind: event.Int64}, {Kind: event.UInt64}, {Kind: event.Float64}, {Kind: event.String},
	{Kind: event.Date}, {Kind: event.DateTime64, Precision: 3}, {Kind: event.DateTime64, Precision: 9},
	{Kind: event.String, LowCardinality: true},
}

// drawVector fills a vector with random values.
func drawVector(t *rapid.T, typ event.Type, rows int) event.Vector {
	v := event.Vector{Type: typ}
	for range rows {
		if typ.Nullable && rapid.Bool().Draw(t, "null") {
			v.AppendZero(true)
			continue
		}
		switch typ.Kind {
		case event.Bool:
			v.AppendBool(rapid.Bool().Draw(t, "v"))
		case event.Int64:
			v.AppendInt64(rapid.Int64().Draw(t, "v"))
		case event.DateTime64:
			// ClickHouse's own range of nanoseconds is what int64 holds; of text output not.
			v.AppendInt64(rapid.Int64().Draw(t, "v"))
		case event.Date:
			v.AppendInt64(rapid.Int64Range(0, math.MaxUint16).Draw(t, "v"))
		case event.UInt64:
			v.AppendUInt64(rapid.Uint64().Draw(t, "v"))
		case event.Float64:
			v.AppendFloat64(rapid.Float64().Draw(t, "v"))
		case event.String:
			v.AppendString(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "v"))
		}
	}
	return v
}

// TestInsertReadsBack inserts random batches and reads the same ones back.
func TestInsertReadsBack(t *testing.T) {
	c := enginetest.Client(t)
	serial := 0
	rapid.Check(t, func(rt *rapid.T) {
		serial++
		table := fmt.Sprintf("back_%d", serial)
		rows := rapid.IntRange(0, 30).Draw(rt, "rows")
		columns := []event.Column{{Name: "row", Type: event.Type{Kind: event.UInt64}}}
		vectors := []event.Vector{{Type: columns[0].Type}}
		ddl := []string{"`row` UInt64"}
		for i := range rows {
			vectors[0].AppendUInt64(uint64(i))
		}
		for i, typ := range rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 6).Draw(rt, "types") {
			typ.Nullable = rapid.Bool().Draw(rt, "nullable")
			name := fmt.Sprintf("c`\\%d", i)
			columns = append(columns, event.Column{Name: name, Type: typ})
			vectors = append(vectors, drawVector(rt, typ, rows))
			ddl = append(ddl, clickhouse.QuoteIdentifier(name)+" "+typ.String())
		}
		schema, err := event.NewSchema(columns...)
		if err != nil {
			rt.Fatal(err)
		}
		want := &event.Batch{Schema: schema, Rows: rows, Columns: vectors}
		ctx := context.Background()
		if err := c.Exec(ctx, "CREATE TABLE "+table+" ("+strings.Join(ddl, ", ")+") ENGINE = Memory"); err != nil {
			rt.Fatal(err)
		}
		if err := c.Insert(ctx, table, want); err != nil {
			rt.Fatal(err)
		}
		got, err := c.QueryBatch(ctx, "SELECT * FROM "+table+" ORDER BY row")
		if err != nil {
			rt.Fatal(err)
		}
		if err := c.Exec(ctx, "DROP TABLE "+table); err != nil {
			rt.Fatal(err)
		}
		if got.Rows != rows || len(got.Columns) != len(columns) {
			rt.Fatalf("%d rows, %d columns", got.Rows, len(got.Columns))
		}
		for i, c := range columns {
			if got.Schema.Columns[i] != c {
				rt.Fatalf("column %+v, want %+v", got.Schema.Columns[i], c)
			}
			for row := range rows {
				if g, w := fmt.Sprintf("%#v", got.Columns[i].Value(row)), fmt.Sprintf("%#v", vectors[i].Value(row)); g != w {
					rt.Fatalf("column %s, row %d: got %s, want %s", c.Type, row, g, w)
				}
			}
		}
	})
}

func TestInsertManyBlocks(t *testing.T) {
	c := enginetest.Client(t)
	const rows = 200_000
	b, err := c.QueryBatch(t.Context(), fmt.Sprintf("SELECT number AS n, toString(number) AS s FROM numbers(%d)", rows))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), "CREATE TABLE blocks (n UInt32, s LowCardinality(String), d DEFAULT 7) ENGINE = MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	if err := c.Insert(t.Context(), "default.blocks", b); err != nil {
		t.Fatal(err)
	}
	got, err := c.QueryBatch(t.Context(), "SELECT count(), sum(n), countIf(toString(n) = s), sum(d) FROM blocks")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{rows, rows * (rows - 1) / 2, rows, 7 * rows} {
		if got.Columns[i].U64[0] != want {
			t.Errorf("figure %d: got %d, want %d", i, got.Columns[i].U64[0], want)
		}
	}
}

func TestInsertRefuses(t *testing.T) {
	c := enginetest.Client(t)
	schema, err := event.NewSchema(event.Column{Name: "d", Type: event.Type{Kind: event.Date}})
	if err != nil {
		t.Fatal(err)
	}
	b := event.NewBatch(schema)
	b.Columns[0].AppendInt64(-1)
	b.Rows = 1
	if err := c.Insert(t.Context(), "nope", b); err == nil || !strings.Contains(err.Error(), "day -1") {
		t.Errorf("day before 1970: %v", err)
	}
	b.Columns[0].I64[0] = 1
	var refused *clickhouse.Error
	if err := c.Insert(t.Context(), "nope", b); !errors.As(err, &refused) || refused.Code != 60 {
		t.Errorf("unknown table: %v", err)
	}
}

func TestQueryRaw(t *testing.T) {
	c := enginetest.Client(t)
	ctx := clickhouse.WithParameters(t.Context(), map[string]string{"n": "2"})
	for format, want := range map[string]string{
		"CSVWithNames":       "\"x\"\n0\n1\n",
		"JSONCompactColumns": "[\n\t[0, 1]\n]\n",
		"TSV":                "0\n1\n",
	} {
		body, err := c.QueryRaw(ctx, "SELECT number AS x FROM numbers({n:UInt8})", format)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", format, got, err)
		}
	}
	body, err := c.QueryRaw(t.Context(), "SELECT throwIf(number = 300000), number FROM numbers(400000) SETTINGS max_threads = 1", "TSV")
	if err == nil {
		_, err = io.Copy(io.Discard, body)
		_ = body.Close()
	}
	var refused *clickhouse.Error
	if !errors.As(err, &refused) || refused.Code != 395 {
		t.Errorf("late error: %v", err)
	}
}

func TestSettings(t *testing.T) {
	c := enginetest.Client(t)
	ctx := clickhouse.WithSettings(t.Context(), map[string]any{"max_threads": 1})
	ctx = clickhouse.WithSettings(ctx, map[string]any{"max_block_size": 7})
	for range 2 {
		b, err := c.QueryBatch(ctx, "SELECT toString(getSetting('max_threads')), toString(getSetting('max_block_size'))")
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%v %v", b.Columns[0].Value(0), b.Columns[1].Value(0)); got != "1 7" {
			t.Errorf("settings: %s", got)
		}
	}
}

func TestVersion(t *testing.T) {
	if v, err := enginetest.Client(t).Version(t.Context()); err != nil || !strings.HasPrefix(v, "26.7.") {
		t.Errorf("version %q, %v", v, err)
	}
}

func TestQuote(t *testing.T) {
	c := enginetest.Client(t)
	for _, s := range []string{"", "a'b", `a\b`, "a`b", "ü\n\x00\xff", `'\''`} {
		b, err := c.QueryBatch(t.Context(), "SELECT "+clickhouse.QuoteString(s)+" AS "+clickhouse.QuoteIdentifier("c"+s))
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		if b.Columns[0].Value(0) != s || b.Schema.Columns[0].Name != "c"+s {
			t.Errorf("%q came back as %q AS %q", s, b.Columns[0].Value(0), b.Schema.Columns[0].Name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, dsn := range []string{"", "ftp://x", "http://", ":"} {
		if c, err := clickhouse.Open(dsn); err == nil {
			_ = c.Close()
			t.Errorf("%q was accepted", dsn)
		}
	}
}
