package parquetfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
)

// foreign writes one column of JSON values with arrow's own writer.
func foreign(t testing.TB, dt arrow.DataType, nullable bool, values string) []byte {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(values))
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: dt, Nullable: nullable}}, nil)
	record := array.NewRecord(schema, []arrow.Array{a}, int64(a.Len()))
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err == nil {
		err = w.Write(record)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestForeignTypes(t *testing.T) {
	for _, c := range []struct {
		name     string
		dt       arrow.DataType
		nullable bool
		values   string
		want     string
		rows     []any
	}{
		{"bool", arrow.FixedWidthTypes.Boolean, true, `[true, false, null]`, "Nullable(Bool)", []any{true, false, nil}},
		{"int8", arrow.PrimitiveTypes.Int8, false, `[-128, 127]`, "Int64", []any{int64(-128), int64(127)}},
		{"int16", arrow.PrimitiveTypes.Int16, false, `[-1]`, "Int64", []any{int64(-1)}},
		{"int32", arrow.PrimitiveTypes.Int32, true, `[7, null]`, "Nullable(Int64)", []any{int64(7), nil}},
		{"uint8", arrow.PrimitiveTypes.Uint8, false, `[255]`, "UInt64", []any{uint64(255)}},
		{"uint32", arrow.PrimitiveTypes.Uint32, false, `[4294967295]`, "UInt64", []any{uint64(4294967295)}},
		{"uint64", arrow.PrimitiveTypes.Uint64, false, `[5000000000]`, "UInt64", []any{uint64(5000000000)}},
		{"float32", arrow.PrimitiveTypes.Float32, true, `[1.5, null]`, "Nullable(Float64)", []any{1.5, nil}},
		{"string", arrow.BinaryTypes.String, true, `["a", "", null]`, "Nullable(String)", []any{"a", "", nil}},
		{"large string", arrow.BinaryTypes.LargeString, false, `["a"]`, "String", []any{"a"}},
		{"binary", arrow.BinaryTypes.Binary, false, `["/w=="]`, "String", []any{"\xff"}},
		{"decimal", &arrow.Decimal128Type{Precision: 10, Scale: 2}, false, `["12.34", "-0.01"]`, "String", []any{"12.34", "-0.01"}},
		{"date32", arrow.FixedWidthTypes.Date32, false, `["1970-01-02", "1969-12-31"]`, "Date", []any{int64(1), int64(-1)}},
		{"timestamp ms", arrow.FixedWidthTypes.Timestamp_ms, false, `["1969-12-31T23:59:59.999"]`, "DateTime64(3, 'UTC')", []any{int64(-1)}},
		{"timestamp us", arrow.FixedWidthTypes.Timestamp_us, false, `["1970-01-01T00:00:00.000001"]`, "DateTime64(6, 'UTC')", []any{int64(1)}},
		{"timestamp ns", arrow.FixedWidthTypes.Timestamp_ns, true, `["1970-01-01T00:00:01", null]`, "Nullable(DateTime64(9, 'UTC'))", []any{int64(1e9), nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader(t.Context(), source(foreign(t, c.dt, c.nullable, c.values)))
			if err != nil {
				t.Fatal(err)
			}
			got := readAll(t, r)
			if s := got.Schema.Columns[0].Type.String(); s != c.want {
				t.Errorf("type %s, want %s", s, c.want)
			}
			for i, want := range c.rows {
				if v := got.Columns[0].Value(i); v != want {
					t.Errorf("row %d: %v (%T), want %v (%T)", i, v, v, want, want)
				}
			}
		})
	}
}

func TestNestedIsRefused(t *testing.T) {
	data := foreign(t, arrow.ListOf(arrow.PrimitiveTypes.Int64), true, `[[1, 2], null]`)
	if _, err := NewReader(t.Context(), source(data)); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Fatalf("a nested column: %v", err)
	}
}

func TestOtherSchemaIsRefused(t *testing.T) {
	data, _ := encode(t, newWriter(t, allTypes()))
	if _, err := NewStoredReader(t.Context(), source(data), uniqueRows(0).Schema); err == nil {
		t.Fatal("a file of another stream was read")
	}
}

// TestFlights reads a file that another program wrote: three million rows of five columns.
func TestFlights(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "throughput", "flights-3m.parquet")
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not there", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(t.Context(), io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b.Rows != readRows || b.Columns[3].Str.Len() != readRows {
			t.Fatalf("batch %d has %d rows", i, b.Rows)
		}
	}
	if r.Rows() != 3_000_000 {
		t.Fatalf("%d rows", r.Rows())
	}
	names := make([]string, len(r.Schema().Columns))
	for i, c := range r.Schema().Columns {
		names[i] = c.Name + " " + c.Type.String()
	}
	want := "date Nullable(DateTime64(6, 'UTC')), delay Nullable(Int64), distance Nullable(Int64), origin Nullable(String), destination Nullable(String)"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// FuzzReader feeds broken files: an error or rows, never a panic.
func FuzzReader(f *testing.F) {
	b := uniqueRows(3)
	data, _ := encode(f, newWriter(f, b.Schema), b)
	f.Add(data)
	f.Add(foreign(f, arrow.BinaryTypes.String, true, `["a", null]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(t.Context(), source(data))
		if err != nil {
			return
		}
		for range 10 {
			if _, err := r.Next(); err != nil {
				break
			}
		}
		r.Close()
	})
}
