package render_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/serving/report/render"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(enginetest.Wrap(m)) }

// ask reads a table as the engine writes it.
func ask(t *testing.T, query string, maxRows int) render.Table {
	t.Helper()
	settings := map[string]any{}
	for name, value := range render.TableSettings() {
		settings[name] = value
	}
	body, err := enginetest.Client(t).QueryRaw(clickhouse.WithSettings(t.Context(), settings), query, render.TableFormat)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	table, err := render.ReadTable(body, maxRows)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTableOfTheEngine(t *testing.T) {
	moment := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // 02:30 in Berlin, for the first time
	for expression, want := range map[string]any{
		"toUInt64('18446744073709551615')":                     uint64(math.MaxUint64),
		"toInt64('-9223372036854775808')":                      int64(math.MinInt64),
		"toUInt8(7)":                                           uint64(7),
		"toInt128('170141183460469231731687303715884105727')":  "170141183460469231731687303715884105727",
		"toDecimal128('-12345678901234567890.0123456789', 10)": "-12345678901234567890.0123456789",
		"0.1":                            0.1,
		"toFloat32(0.5)":                 0.5,
		"-inf":                           math.Inf(-1),
		"true":                           true,
		"NULL":                           nil,
		"CAST(NULL, 'Nullable(UInt64)')": nil,
		"CAST(3, 'Nullable(UInt64)')":    uint64(3),
		"toLowCardinality('low')":        "low",
		"CAST('x', 'LowCardinality(Nullable(String))')": "x",
		`'tab\t break\n back\\ quote\' zero\0 N\\N'`:    "tab\t break\n back\\ quote' zero\x00 N\\N",
		`'\\N'`:                  `\N`,
		"''":                     "",
		"'\\r'":                  "\r",
		"unhex('ff00fe')":        "\xff\x00\xfe",
		"toDate('2026-10-25')":   time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC),
		"toDate32('1925-01-01')": time.Date(1925, 1, 1, 0, 0, 0, 0, time.UTC),
		"toDateTime(1761352200 + 31536000, 'Europe/Berlin')":                   moment,
		"toDateTime(1761352200 + 31536000 + 3600, 'Europe/Berlin')":            moment.Add(time.Hour),
		"toDateTime64('2026-10-25 00:30:00.123456', 6, 'UTC')":                 moment.Add(123456 * time.Microsecond),
		"toDateTime('2026-01-01 00:00:00', 'Asia/Kathmandu')":                  time.Date(2025, 12, 31, 18, 15, 0, 0, time.UTC),
		"['a', 'it\\'s', NULL]":                                                "['a','it\\'s',NULL]",
		`['tab\t']`:                                                            `['tab\t']`,
		"map('k', 1)":                                                          "{'k':1}",
		"tuple(1, 'two')":                                                      "(1,'two')",
		"CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)')":                         "b",
		"toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')":                       "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
		"CAST(5, 'SimpleAggregateFunction(sum, UInt64)')":                      uint64(5),
		"CAST(toDateTime(0, 'UTC'), 'SimpleAggregateFunction(max, DateTime)')": time.Unix(0, 0).UTC(),
	} {
		t.Run(expression, func(t *testing.T) {
			table := ask(t, "SELECT "+expression+" AS v", 10)
			if len(table.Rows) != 1 || len(table.Columns) != 1 || table.Columns[0].Name != "v" {
				t.Fatalf("table %+v", table)
			}
			if got := table.Rows[0][0]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s is %#v (%T), want %#v", table.Columns[0].Type, got, got, want)
			}
		})
	}
	nan := ask(t, "SELECT nan AS v", 1).Rows[0][0]
	if v, ok := nan.(float64); !ok || !math.IsNaN(v) {
		t.Errorf("nan is %#v", nan)
	}
	names := ask(t, "SELECT 1 AS `tab\\there`, 2 AS `ünï`, 3 AS `ünï2`", 1).Columns
	if names[0].Name != "tab\there" || names[1].Name != "ünï" {
		t.Errorf("names %q", names)
	}
}

func TestTableIsCut(t *testing.T) {
	for rows, cut := range map[int]bool{2: true, 3: false, 4: false} {
		table := ask(t, "SELECT number FROM numbers(3)", rows)
		if table.Truncated != cut || len(table.Rows) != min(rows, 3) {
			t.Errorf("with at most %d rows: %d rows, truncated %v", rows, len(table.Rows), table.Truncated)
		}
	}
	if table := ask(t, "SELECT number FROM numbers(0)", 5); table.Truncated || len(table.Rows) != 0 || len(table.Columns) != 1 {
		t.Errorf("of no rows: %+v", table)
	}
}

func TestTableIsRefused(t *testing.T) {
	for answer, complaint := range map[string]string{
		"":                                 "column names",
		"a\n":                              "column types",
		"a\tb\nString\n":                   "2 column names and 1 types",
		"a\nUInt8\n1\t2\n":                 "row 1: more than the 1 values",
		"a\tb\nString\tString\n1\n":        "row 1: 1 values for 2 columns",
		"a\nUInt8\n1\n-1\n":                "row 2: value 1",
		"a\nDateTime\nyesterday\n":         `"yesterday" is no time`,
		"a\nUInt8\n1\nCode: 241. DB::Exc…": "row 2", // the engine failed on the way
	} {
		if _, err := render.ReadTable(strings.NewReader(answer), 10); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: %v, want %s", answer, err, complaint)
		}
	}
}

// The query's own SETTINGS may ask for another form of times.
func TestOtherFormsOfTimes(t *testing.T) {
	want := time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)
	for _, value := range []string{"2026-07-01T10:00:00Z", "2026-07-01 12:00:00", "1782900000"} {
		table, err := render.ReadTable(strings.NewReader("t\nDateTime(\\'Europe/Berlin\\')\n"+value+"\n"), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Rows[0][0]; got != want {
			t.Errorf("%s is %v", value, got)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add("a\tb\nUInt8\tNullable(String)\n1\t\\N\n2\tx\\ty\n")
	f.Add("t\nDateTime64(3, 'UTC')\n2026-01-01T00:00:00.000Z\n")
	f.Fuzz(func(t *testing.T, answer string) {
		table, err := render.ReadTable(strings.NewReader(answer), 100)
		if err != nil {
			return
		}
		for _, row := range table.Rows {
			if len(row) != len(table.Columns) {
				t.Fatalf("%d cells for %d columns", len(row), len(table.Columns))
			}
			for _, cell := range row {
				switch cell.(type) {
				case nil, bool, int64, uint64, float64, string, time.Time:
				default:
					t.Fatalf("a cell is a %T", cell)
				}
			}
		}
	})
}
