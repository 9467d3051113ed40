package arrowbatch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/arrowbatch"
	"github.com/millrace/millrace/internal/arrowbatch/batchtest"
	"github.com/millrace/millrace/internal/event"
)

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := batchtest.Batch(t, batchtest.Schema(t), 40)
		rec, err := arrowbatch.ToRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		back, err := arrowbatch.FromRecord(b.Schema, rec)
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, b); err != nil {
			t.Fatal(err)
		}
		// A slice of a record has offsets of its own.
		from := rapid.IntRange(0, b.Rows).Draw(t, "from")
		to := rapid.IntRange(from, b.Rows).Draw(t, "to")
		part := event.NewBatch(b.Schema)
		part.AppendRange(b, from, to)
		back, err = arrowbatch.FromRecord(b.Schema, rec.NewSlice(int64(from), int64(to)))
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, part); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStreamIsReadByArrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := batchtest.Batch(t, batchtest.Schema(t), 40)
		var out bytes.Buffer
		if err := arrowbatch.WriteStream(&out, b); err != nil {
			t.Fatal(err)
		}
		r, err := ipc.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		if !r.Schema().Equal(arrowbatch.Schema(b.Schema)) {
			t.Fatalf("schema is %s", r.Schema())
		}
		rec, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		back, err := arrowbatch.FromRecord(b.Schema, rec)
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, b); err != nil {
			t.Fatal(err)
		}
	})
}

// physical is the schema that messages have: times as Int64.
func physical(s *event.Schema) *event.Schema {
	columns := append([]event.Column(nil), s.Columns...)
	for i := range columns {
		if k := columns[i].Type.Kind; k == event.Date || k == event.DateTime64 {
			columns[i].Type = event.Type{Kind: event.Int64, Nullable: columns[i].Type.Nullable}
		}
	}
	out, err := event.NewSchema(columns...)
	if err != nil {
		panic(err)
	}
	return out
}

// retype is the batch under the schema of the same physical types.
func retype(b *event.Batch, s *event.Schema) *event.Batch {
	out := &event.Batch{Schema: s, Rows: b.Rows, Columns: append([]event.Vector(nil), b.Columns...)}
	for i := range out.Columns {
		out.Columns[i].Type = s.Columns[i].Type
	}
	return out
}

// TestMessageIsArrow compares with Arrow's own implementation in both directions.
func TestMessageIsArrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := batchtest.Batch(t, batchtest.Schema(t), 40)
		prefix := rapid.IntRange(0, 9).Draw(t, "prefix")
		msg, err := arrowbatch.AppendMessage(make([]byte, prefix), b)
		if err != nil {
			t.Fatal(err)
		}
		msg = msg[prefix:] // also where it is not aligned
		back, err := arrowbatch.ReadMessage(b.Schema, msg)
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, b); err != nil {
			t.Fatal(err)
		}

		plain := physical(b.Schema)
		schemaMessage, theirs := arrowMessages(t, retype(b, plain))
		r, err := ipc.NewReader(bytes.NewReader(append(schemaMessage, msg...)))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		rec, err := r.Read()
		if err != nil {
			t.Fatalf("Arrow reads our message: %v", err)
		}
		back, err = arrowbatch.FromRecord(plain, rec)
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, retype(b, plain)); err != nil {
			t.Fatal(err)
		}
		back, err = arrowbatch.ReadMessage(b.Schema, theirs)
		if b.Rows == 0 {
			return // Arrow may leave out the offsets of an empty column
		}
		if err != nil {
			t.Fatalf("we read Arrow's message: %v", err)
		}
		if err := batchtest.Equal(back, b); err != nil {
			t.Fatal(err)
		}
	})
}

// arrowMessages returns the two messages of a stream that Arrow writes.
func arrowMessages(t *rapid.T, b *event.Batch) (schema, batch []byte) {
	var out bytes.Buffer
	if err := arrowbatch.WriteStream(&out, b); err != nil {
		t.Fatal(err)
	}
	stream := out.Bytes()
	size := 8 + int(binary.LittleEndian.Uint32(stream[4:]))
	const endMark = 8
	return bytes.Clone(stream[:size]), stream[size : len(stream)-endMark]
}

func TestStringsThatStartLate(t *testing.T) {
	s, err := event.NewSchema(event.Column{Name: "s", Type: event.Type{Kind: event.String}})
	if err != nil {
		t.Fatal(err)
	}
	b := &event.Batch{Schema: s, Rows: 2, Columns: []event.Vector{{
		Type: s.Columns[0].Type,
		Str:  event.Strings{Offsets: []int32{3, 5, 6}, Data: []byte("xxxabcyyy")},
	}}}
	msg, err := arrowbatch.AppendMessage(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	back, err := arrowbatch.ReadMessage(s, msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := batchtest.Equal(back, b); err != nil {
		t.Fatal(err)
	}
}

func TestValuesThatDoNotFit(t *testing.T) {
	cases := []struct {
		name  string
		typ   event.Type
		value int64
		fits  bool
	}{
		{"last nanosecond tick of 10^-8 s", event.Type{Kind: event.DateTime64, Precision: 8}, math.MaxInt64 / 10, true},
		{"one more", event.Type{Kind: event.DateTime64, Precision: 8}, math.MaxInt64/10 + 1, false},
		{"far past", event.Type{Kind: event.DateTime64, Precision: 1}, math.MinInt64, false},
		{"any nanosecond", event.Type{Kind: event.DateTime64, Precision: 9}, math.MinInt64, true},
		{"day", event.Type{Kind: event.Date}, math.MaxInt32 + 1, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := event.NewSchema(event.Column{Name: "t", Type: c.typ})
			if err != nil {
				t.Fatal(err)
			}
			b := event.NewBatch(s)
			b.Columns[0].AppendInt64(c.value)
			b.Rows = 1
			if _, err := arrowbatch.ToRecord(b); (err == nil) != c.fits {
				t.Errorf("ToRecord gave %v", err)
			}
			// A message holds every value.
			msg, err := arrowbatch.AppendMessage(nil, b)
			if err != nil {
				t.Fatal(err)
			}
			back, err := arrowbatch.ReadMessage(s, msg)
			if err != nil {
				t.Fatal(err)
			}
			if err := batchtest.Equal(back, b); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestForeignRecord: nulls have no value, whatever Arrow has behind them, and what does
// not fit the schema is refused.
func TestForeignRecord(t *testing.T) {
	nullable := event.Type{Kind: event.Int64, Nullable: true}
	s, err := event.NewSchema(event.Column{Name: "a", Type: nullable}, event.Column{Name: "b", Type: event.Type{Kind: event.String, Nullable: true}})
	if err != nil {
		t.Fatal(err)
	}
	validity := memory.NewBufferBytes([]byte{0b101})
	numbers := array.MakeFromData(array.NewData(arrow.PrimitiveTypes.Int64, 3, []*memory.Buffer{
		validity, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes([]int64{7, 8, 9})),
	}, nil, 1, 0))
	texts := array.MakeFromData(array.NewData(arrow.BinaryTypes.Binary, 3, []*memory.Buffer{
		validity, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, 1, 2, 3})), memory.NewBufferBytes([]byte("xyz")),
	}, nil, 1, 0))
	rec := array.NewRecord(arrow.NewSchema([]arrow.Field{
		{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	}, nil), []arrow.Array{texts, numbers}, 3)
	got, err := arrowbatch.FromRecord(s, rec)
	if err != nil {
		t.Fatal(err)
	}
	want := event.NewBatch(s)
	want.Rows = 3
	for i, v := range []int64{7, 0, 9} {
		if i == 1 {
			want.Columns[0].AppendZero(true)
			want.Columns[1].AppendZero(true)
			continue
		}
		want.Columns[0].AppendInt64(v)
		want.Columns[1].AppendString([]byte("xyz")[i : i+1])
	}
	if err := batchtest.Equal(got, want); err != nil {
		t.Fatal(err)
	}
	for name, column := range map[string]event.Column{
		"missing":    {Name: "c", Type: nullable},
		"null":       {Name: "a", Type: event.Type{Kind: event.Int64}},
		"other type": {Name: "a", Type: event.Type{Kind: event.Float64, Nullable: true}},
		"binary":     {Name: "b", Type: nullable},
	} {
		s, err := event.NewSchema(column)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := arrowbatch.FromRecord(s, rec); err == nil {
			t.Errorf("%s: is read", name)
		}
	}
}

func TestAppendMessageRefuses(t *testing.T) {
	s, err := event.NewSchema(event.Column{Name: "a", Type: event.Type{Kind: event.Int64}})
	if err != nil {
		t.Fatal(err)
	}
	short := event.NewBatch(s)
	short.Rows = 1
	long := event.NewBatch(s)
	long.Rows = event.MaxEntryRows + 1
	long.Columns[0].I64 = make([]int64, long.Rows)
	for name, b := range map[string]*event.Batch{"too few values": short, "too many rows": long} {
		if out, err := arrowbatch.AppendMessage([]byte("x"), b); err == nil || string(out) != "x" {
			t.Errorf("%s: gave %d bytes, %v", name, len(out), err)
		}
	}
}

// allTypes is a schema with a column of each kind, nullable and not.
func allTypes(t testing.TB) *event.Schema {
	var columns []event.Column
	for kind := event.Bool; kind <= event.DateTime64; kind++ {
		typ := event.Type{Kind: kind}
		columns = append(columns,
			event.Column{Name: "n" + typ.String(), Type: typ},
			event.Column{Name: "o" + typ.String(), Type: typ.OrNull()})
	}
	s, err := event.NewSchema(columns...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func FuzzReadMessage(f *testing.F) {
	s := allTypes(f)
	for rows := range 4 {
		b := event.NewBatch(s)
		b.Rows = rows
		for i := range b.Columns {
			for r := range rows {
				b.Columns[i].AppendZero(r == 1)
			}
		}
		msg, err := arrowbatch.AppendMessage(nil, b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		b, err := arrowbatch.ReadMessage(s, msg)
		if err != nil {
			if !errors.Is(err, arrowbatch.ErrMessage) {
				t.Fatalf("error is of another kind: %v", err)
			}
			return
		}
		// What was read can be written and read again, so all of it is in bounds.
		again, err := arrowbatch.AppendMessage(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		back, err := arrowbatch.ReadMessage(s, again)
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, b); err != nil {
			t.Fatal(err)
		}
	})
}
