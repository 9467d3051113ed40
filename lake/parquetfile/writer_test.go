package parquetfile

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
)

// TestRoundTrip reads drawn rows of every type back with arrow's own reader.
func TestRoundTrip(t *testing.T) {
	s := allTypes()
	w := newWriter(t, s)
	rapid.Check(t, func(rt *rapid.T) {
		b := drawBatch(rt, s, rapid.IntRange(1, 20).Draw(rt, "rows"))
		data, sum := encode(t, w, b)
		r, err := NewStoredReader(t.Context(), source(data), s)
		if err != nil {
			t.Fatal(err)
		}
		got := readAll(t, r)
		if got.Rows != b.Rows || sum.Rows != int64(b.Rows) {
			t.Fatalf("%d rows, want %d", got.Rows, b.Rows)
		}
		for i, c := range s.Columns {
			wantColumn(t, c.Name, &got.Columns[i], &b.Columns[i])
		}
	})
}

// TestDeterministic writes the same rows cut into different batches: the bytes must not
// follow the cuts, but the positions do, so that the rows go through AppendStored.
func TestDeterministic(t *testing.T) {
	s := allTypes()
	stored, err := StoredSchema(s)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := drawBatch(rt, stored, 30)
		var files [2][]byte
		for i := range files {
			w := newWriter(t, s)
			var out bytes.Buffer
			w.Start(&out)
			for from := 0; from < b.Rows; {
				to := min(b.Rows, from+rapid.IntRange(1, 12).Draw(rt, "cut"))
				part := event.NewBatch(stored)
				part.AppendRange(b, from, to)
				if err := w.AppendStored(part); err != nil {
					t.Fatal(err)
				}
				from = to
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			files[i] = out.Bytes()
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Fatal("the same rows gave different bytes")
		}
	})
}

// uniqueRows has a column whose values never repeat, one that turns so within the row
// group, and one that is constant.
func uniqueRows(n int) *event.Batch {
	s, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.Date}},
		event.Column{Name: "unique", Type: event.Type{Kind: event.String}},
		event.Column{Name: "later", Type: event.Type{Kind: event.String, Nullable: true}},
		event.Column{Name: "same", Type: event.Type{Kind: event.String}},
	)
	if err != nil {
		panic(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	b := event.NewBatch(s)
	for i := range n {
		b.Columns[0].AppendInt64(int64(i / 1000))
		b.Columns[1].AppendString(fmt.Appendf(nil, "%x-%d", r.Uint64(), i))
		switch {
		case i%5 == 0:
			b.Columns[2].AppendZero(true)
		case i < 2*pageRows:
			b.Columns[2].AppendString([]byte("few"))
		default:
			b.Columns[2].AppendString(fmt.Appendf(nil, "%d", i))
		}
		b.Columns[3].AppendString([]byte("same"))
		b.Rows++
	}
	return b
}

// TestManyPages crosses pages, a row group and the limit of a dictionary, twice with one
// writer and once with another.
func TestManyPages(t *testing.T) {
	b := uniqueRows(4*pageRows + pageRows/2)
	w, w2 := newWriter(t, b.Schema), newWriter(t, b.Schema)
	w.groupRows, w2.groupRows = 3*pageRows, 3*pageRows
	first, sum := encode(t, w, b)
	again, _ := encode(t, w, b)
	other, _ := encode(t, w2, b)
	if !bytes.Equal(first, again) || !bytes.Equal(first, other) {
		t.Fatal("the same rows gave different bytes")
	}
	days := []int32{}
	for d := range int32(b.Rows/1000 + 1) {
		days = append(days, d)
	}
	if !slices.Equal(sum.Days, days) {
		t.Fatalf("%d days, want %d", len(sum.Days), len(days))
	}
	r, err := NewStoredReader(t.Context(), source(first), b.Schema)
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, r)
	for i, c := range b.Schema.Columns {
		wantColumn(t, c.Name, &got.Columns[i], &b.Columns[i])
	}
	last := event.UnpackPosition(got.Columns[len(b.Columns)+1].I64[got.Rows-1])
	if last != (event.Position{Seq: 1, Row: uint32(b.Rows - 1)}) {
		t.Fatalf("last position %v", last)
	}
}

// TestSubset writes chosen rows only, with their own positions.
func TestSubset(t *testing.T) {
	b := uniqueRows(10)
	w := newWriter(t, b.Schema)
	var out bytes.Buffer
	w.Start(&out)
	for seq, rows := range [][]uint32{{0, 3, 9}, {}, nil} {
		if err := w.Append(b, rows, 5, uint64(seq+1), 77); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := NewStoredReader(t.Context(), source(out.Bytes()), b.Schema)
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, r)
	want := event.NewBatch(b.Schema)
	want.AppendRows(b, []uint32{0, 3, 9})
	want.AppendRange(b, 0, 10)
	for i, c := range b.Schema.Columns {
		wantColumn(t, c.Name, &got.Columns[i], &want.Columns[i])
	}
	for i, p := range []event.Position{{Seq: 1, Row: 0}, {Seq: 1, Row: 3}, {Seq: 1, Row: 9}, {Seq: 3, Row: 0}} {
		row := got.Columns[len(b.Columns):]
		if row[0].I64[i] != 5 || row[1].I64[i] != p.Pack() || row[2].I64[i] != 77 {
			t.Errorf("row %d: partition %d position %d arrival %d", i, row[0].I64[i], row[1].I64[i], row[2].I64[i])
		}
	}
}

func TestEmptyFile(t *testing.T) {
	b := uniqueRows(1)
	data, sum := encode(t, newWriter(t, b.Schema))
	if sum.Rows != 0 || len(sum.Days) != 0 {
		t.Fatalf("%+v", sum)
	}
	r, err := NewStoredReader(t.Context(), source(data), b.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, r); got.Rows != 0 {
		t.Fatalf("%d rows", got.Rows)
	}
}

// failing fails from the n-th byte on.
type failing struct{ left int }

var errFull = errors.New("disk is full")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.left {
		n := f.left
		f.left = 0
		return n, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

// TestWriteErrors fails at every place of the file: no error may be passed over.
func TestWriteErrors(t *testing.T) {
	b := uniqueRows(100)
	w := newWriter(t, b.Schema)
	data, _ := encode(t, w, b)
	for n := 0; n < len(data); n += 13 {
		w.Start(&failing{left: n})
		err := w.Append(b, nil, 0, 1, 0)
		if err == nil {
			_, err = w.Close()
		}
		if !errors.Is(err, errFull) {
			t.Fatalf("disk full at byte %d of %d: %v", n, len(data), err)
		}
	}
	if again, _ := encode(t, w, b); len(again) != len(data) {
		t.Fatal("a writer that failed writes other files than before")
	}
}
