package clickhouse

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

func block(t testing.TB, rows int) []byte {
	schema, err := event.NewSchema(
		event.Column{Name: "n", Type: event.Type{Kind: event.Int64, Nullable: true}},
		event.Column{Name: "s", Type: event.Type{Kind: event.String}},
		event.Column{Name: "d", Type: event.Type{Kind: event.Date}},
	)
	if err != nil {
		t.Fatal(err)
	}
	b := event.NewBatch(schema)
	for i := range rows {
		if i%2 == 0 {
			b.Columns[0].AppendInt64(int64(-i))
		} else {
			b.Columns[0].AppendZero(true)
		}
		b.Columns[1].AppendString(bytes.Repeat([]byte("x"), i%7))
		b.Columns[2].AppendInt64(int64(i))
		b.Rows++
	}
	data, err := io.ReadAll(newNativeWriter(b))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTruncated cuts blocks at every place: nothing but the whole is a result.
func TestTruncated(t *testing.T) {
	whole := block(t, 9)
	for n := range len(whole) {
		b, err := readNative(bytes.NewReader(whole[:n]))
		if (n == 0) != (err == nil) || (n > 0 && !errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Errorf("%d of %d bytes: %+v, %v", n, len(whole), b, err)
		}
	}
	if b, err := readNative(bytes.NewReader(append(whole, whole...))); err != nil || b.Rows != 18 {
		t.Errorf("two blocks: %+v, %v", b, err)
	}
}

// FuzzReadNative feeds the decoder anything: it must end, within the memory that the
// input itself justifies, and give a batch whose columns agree.
func FuzzReadNative(f *testing.F) {
	f.Add(block(f, 9))
	f.Add([]byte("\x01\x01\x01l\x16LowCardinality(String)\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01x\x01\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Add([]byte("\x01\xff\xff\xff\x7f\x01x\x06UInt64"))
	f.Add([]byte("\x01\x02\x01x\x0eFixedString(3)abcdef"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := readNative(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i := range b.Columns {
			v := &b.Columns[i]
			if v.Len() != b.Rows || (v.Type.Nullable && b.Rows > 0 && len(v.Nulls) != b.Rows) {
				t.Fatalf("column %d has %d rows and %d nulls of %d", i, v.Len(), len(v.Nulls), b.Rows)
			}
		}
	})
}

func TestParseType(t *testing.T) {
	for _, name := range []string{
		"", "Nullable", "Nullable(", "Nullable()", "DateTime64(10)", "DateTime64()", "FixedString(0)", "FixedString(x)",
		"Array(UInt8)", "Tuple(a Int8)", "AggregateFunction(uniq, String)", "UInt128", "UUID", "LowCardinality(Nullable(Nothing))",
	} {
		if w, err := parseType(name); err == nil {
			t.Errorf("%q was read as %+v", name, w)
		}
	}
}

func BenchmarkReadNative(b *testing.B) {
	data := block(b, 50_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readNative(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
