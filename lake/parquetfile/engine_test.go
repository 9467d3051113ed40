package parquetfile

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// TestEngineReads compares what ClickHouse reads with what was written: every type, nulls
// and edge values, times before 1970 among them.
func TestEngineReads(t *testing.T) {
	client := enginetest.Client(t)
	s := allTypes()
	stored, err := StoredSchema(s)
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, s)
	dir := t.TempDir()
	nothing := event.NewBatch(s) // zeros and nulls: empty dictionaries, no statistics
	for range 5 {
		for i := range nothing.Columns {
			nothing.Columns[i].AppendZero(true)
		}
		nothing.Rows++
	}
	for example := range 8 {
		b := nothing
		if example > 0 {
			b = rapid.Custom(func(rt *rapid.T) *event.Batch { return drawBatch(rt, s, 60) }).Example(example)
		}
		data, _ := encode(t, w, b)
		path := filepath.Join(dir, fmt.Sprintf("%d.parquet", example))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := client.QueryBatch(t.Context(), "SELECT * FROM "+TableExpr([]string{path}, s)+" ORDER BY _position")
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Columns) != len(stored.Columns) {
			t.Fatalf("%d columns, want %d", len(got.Columns), len(stored.Columns))
		}
		for i, c := range s.Columns {
			wantColumn(t, c.Name, &got.Columns[i], &b.Columns[i])
		}
		for i := range b.Rows {
			row := got.Columns[len(s.Columns):]
			if row[0].I64[i] != 3 || row[1].I64[i] != (event.Position{Seq: 1, Row: uint32(i)}).Pack() || row[2].I64[i] != 0 {
				t.Fatalf("row %d: partition %v position %v arrival %v", i, row[0].Value(i), row[1].Value(i), row[2].Value(i))
			}
		}
	}
}

// TestEngineSkipsByStatistics filters by the columns that carry bounds: a wrong bound
// would lose rows.
func TestEngineSkipsByStatistics(t *testing.T) {
	client := enginetest.Client(t)
	b := uniqueRows(2 * pageRows)
	data, _ := encode(t, newWriter(t, b.Schema), b)
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]int64{
		"ts = toDate(0)":                       1000,
		"ts = toDate(131)":                     72,
		"ts > toDate(131)":                     0,
		"later IS NULL":                        26215,
		"same = 'same'":                        131072,
		"_position >= 1048576 + 131000":        72,
		"_arrival < toDateTime64(1, 9, 'UTC')": 131072,
		"_partition = 3 AND later = 'few'":     104857,
	} {
		got, err := client.QueryBatch(t.Context(), "SELECT toInt64(count()) FROM "+TableExpr([]string{path}, b.Schema)+" WHERE "+filter)
		if err != nil {
			t.Fatal(err)
		}
		if n := got.Columns[0].I64[0]; n != want {
			t.Errorf("%s: %d rows, want %d", filter, n, want)
		}
	}
}

// TestEngineManyFiles reads none, one and a thousand files, in several folders.
func TestEngineManyFiles(t *testing.T) {
	client := enginetest.Client(t)
	b := uniqueRows(1)
	data, _ := encode(t, newWriter(t, b.Schema), b)
	dir := filepath.Join(t.TempDir(), "it's")
	var paths []string
	for i := range 1000 {
		folder := filepath.Join(dir, fmt.Sprintf("date=2026-01-%02d", i%28+1), fmt.Sprintf("hour=%02d", i%24))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(folder, fmt.Sprintf("%d-0-0.parquet", 29_000_000+i)))
		if err := os.WriteFile(paths[i], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{0, 1, 2, 1000} {
		got, err := client.QueryBatch(t.Context(), "SELECT toInt64(count()), any(same) FROM "+TableExpr(paths[:n], b.Schema))
		if err != nil {
			t.Fatal(err)
		}
		if got.Columns[0].I64[0] != int64(n) {
			t.Errorf("%d files: %d rows", n, got.Columns[0].I64[0])
		}
	}
}

func TestTableExpr(t *testing.T) {
	s, err := event.NewSchema(event.Column{Name: "ts", Type: event.Type{Kind: event.Date}})
	if err != nil {
		t.Fatal(err)
	}
	columns := "'`ts` Date, `_partition` Int64, `_position` Int64, `_arrival` DateTime64(9, \\'UTC\\')'"
	for want, paths := range map[string][]string{
		"null(" + columns + ")":                             {},
		"file('/d/a.parquet', 'Parquet', " + columns + ")":  {"/d/a.parquet"},
		"file('/d/{aa,ab}', 'Parquet', " + columns + ")":    {"/d/aa", "/d/ab"},
		"file('/{d/a,e/b}', 'Parquet', " + columns + ")":    {"/d/a", "/e/b"},
		"file('/it\\'s/{a,b}', 'Parquet', " + columns + ")": {"/it's/a", "/it's/b"},
		"file('/d/a/{b,c/d}', 'Parquet', " + columns + ")":  {"/d/a/b", "/d/a/c/d"},
	} {
		got := TableExpr(paths, s)
		if got != want {
			t.Errorf("%v:\n%s\nwant\n%s", paths, got, want)
		}
	}
}
