package stream

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/arrowbatch/batchtest"
	"github.com/millrace/millrace/internal/event"
)

func drawSegments(t *rapid.T, rows int) []Segment {
	var out []Segment
	for rows > 0 {
		s := Segment{Rows: rapid.IntRange(1, rows).Draw(t, "segment rows")}
		if rapid.Bool().Draw(t, "keyed") {
			s.Key[0] = rapid.Byte().Draw(t, "key")
		}
		rows -= s.Rows
		out = append(out, s)
	}
	return out
}

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch := batchtest.Batch(t, batchtest.Schema(t), 60)
		segments := drawSegments(t, batch.Rows)
		prefix := rapid.IntRange(0, 9).Draw(t, "prefix")
		out, err := EncodeEntry(make([]byte, prefix), batch, segments)
		if err != nil {
			t.Fatal(err)
		}
		payload := out[prefix:]
		back, gotSegments, err := DecodeEntry(payload, batch.Schema)
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, batch); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(gotSegments) != fmt.Sprint(segments) {
			t.Fatalf("segments are %v, not %v", gotSegments, segments)
		}
		// No single changed bit, and no lost byte, goes unnoticed.
		bit := rapid.IntRange(0, 8*len(payload)-1).Draw(t, "bit")
		payload[bit/8] ^= 1 << (bit % 8)
		if _, _, err := DecodeEntry(payload, batch.Schema); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a flipped bit gives %v", err)
		}
		payload[bit/8] ^= 1 << (bit % 8)
		if _, _, err := DecodeEntry(payload[:rapid.IntRange(0, len(payload)-1).Draw(t, "cut")], batch.Schema); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a cut payload gives %v", err)
		}
	})
}

// TestEntryBytes holds the format down: entries written today must be read for ever.
func TestEntryBytes(t *testing.T) {
	tick, err := EncodeEntry(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(tick), "0101000065e317ad"; got != want {
		t.Errorf("a tick is %s, not %s", got, want)
	}
	if batch, segments, err := DecodeEntry(tick, nil); batch != nil || segments != nil || err != nil {
		t.Errorf("a tick decodes as %v, %v, %v", batch, segments, err)
	}
	schema := clicks(t)
	data, err := EncodeEntry(nil, fill(schema, 1, 1), []Segment{{Rows: 1, Key: Key{0: 0xab, 15: 0xcd}}})
	if err != nil {
		t.Fatal(err)
	}
	// Header, schema, one segment of one row with its key, body size as VarUInt (2 bytes), and
	// the mark that begins the Arrow message.
	want := "01000000" + hex.EncodeToString(data[4:8]) + "9fdf709b" + "01" + "01" + "01" +
		"ab0000000000000000000000000000cd"
	if got := hex.EncodeToString(data[:31]); got != want {
		t.Errorf("an entry begins with %s, not %s", got, want)
	}
	if at := bytes.Index(data, []byte{0xff, 0xff, 0xff, 0xff}); at != 33 {
		t.Errorf("the body begins at %d", at)
	}
}

func TestEncodeEntryRefuses(t *testing.T) {
	schema := clicks(t)
	noise := event.NewBatch(schema)
	random := rand.NewChaCha8([32]byte{})
	big := make([]byte, MaxEntryBytes)
	_, _ = random.Read(big)
	noise.AppendRange(fill(schema, 1, 1), 0, 1)
	noise.Columns[1].Str = event.Strings{Offsets: []int32{0, int32(len(big))}, Data: big}

	wide := event.NewBatch(schema)
	wide.AppendRange(fill(schema, 1, 1), 0, 1)
	wide.Columns[1].Str = event.Strings{Offsets: []int32{0, MaxBodyBytes + 1}, Data: make([]byte, MaxBodyBytes+1)}

	one := fill(schema, 1, 1)
	cases := []struct {
		name     string
		batch    *event.Batch
		segments []Segment
		want     error
	}{
		{"payload over the limit", noise, []Segment{{Rows: 1}}, ErrTooLarge},
		{"body over the limit", wide, []Segment{{Rows: 1}}, ErrTooLarge},
		{"too few segments", one, nil, nil},
		{"too many rows", one, []Segment{{Rows: 2}}, nil},
		{"empty segment", one, []Segment{{Rows: 0}, {Rows: 1}}, nil},
		{"tick with segments", nil, []Segment{{Rows: 1}}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err := EncodeEntry([]byte("x"), c.batch, c.segments)
			if err == nil || string(out) != "x" {
				t.Fatalf("gave %d bytes, %v", len(out), err)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("gave %v, want %v", err, c.want)
			}
		})
	}
}

func TestDecodeEntryWithOtherSchema(t *testing.T) {
	schema := clicks(t)
	payload, err := EncodeEntry(nil, fill(schema, 3, 1), []Segment{{Rows: 3}})
	if err != nil {
		t.Fatal(err)
	}
	columns := append([]event.Column(nil), schema.Columns...)
	columns[0].Type.Precision = 6
	other, err := event.NewSchema(columns...)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := DecodeEntry(payload, other); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("decoding with another schema gave %v", err)
	}
}

// clicks is a stream of six columns and 58 bytes a row.
func clicks(t testing.TB) *event.Schema {
	s, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "user_id", Type: event.Type{Kind: event.String}},
		event.Column{Name: "page", Type: event.Type{Kind: event.String, LowCardinality: true}},
		event.Column{Name: "latency_ms", Type: event.Type{Kind: event.Int64}},
		event.Column{Name: "price", Type: event.Type{Kind: event.Float64, Nullable: true}},
		event.Column{Name: "ok", Type: event.Type{Kind: event.Bool}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fill(s *event.Schema, rows int, seed uint64) *event.Batch {
	r := rand.New(rand.NewPCG(seed, 0))
	b := event.NewBatch(s)
	b.Rows = rows
	for i := range rows {
		b.Columns[0].AppendInt64(1_700_000_000_000 + int64(i))
		b.Columns[1].AppendString(fmt.Appendf(nil, "user-%07d", r.IntN(1_000_000)))
		b.Columns[2].AppendString(fmt.Appendf(nil, "/page/%03d", r.IntN(300)))
		b.Columns[3].AppendInt64(r.Int64N(2000))
		b.Columns[4].AppendFloat64(float64(r.IntN(10000)) / 100)
		b.Columns[5].AppendBool(r.IntN(10) > 0)
	}
	return b
}

func FuzzDecodeEntry(f *testing.F) {
	schema := clicks(f)
	for _, rows := range []int{1, 7, 200} {
		payload, err := EncodeEntry(nil, fill(schema, rows, 1), []Segment{{Rows: rows, Key: Key{1}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Add([]byte("\x01\x01\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) >= tickBytes {
			putCRC(payload) // else the fuzzer never gets past the checksum
		}
		batch, segments, err := DecodeEntry(payload, schema)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error is of another kind: %v", err)
			}
			return
		}
		if batch == nil {
			return
		}
		again, err := EncodeEntry(nil, batch, segments)
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := DecodeEntry(again, schema)
		if err != nil {
			t.Fatal(err)
		}
		if err := batchtest.Equal(back, batch); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkEncodeEntry(b *testing.B) {
	for _, rows := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			batch := fill(clicks(b), rows, 1)
			var payload []byte
			b.SetBytes(int64(batch.SizeBytes()))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if payload, err = EncodeEntry(payload[:0], batch, []Segment{{Rows: rows}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/event")
			b.ReportMetric(float64(len(payload))/float64(rows), "B/event")
		})
	}
}

func BenchmarkDecodeEntry(b *testing.B) {
	for _, rows := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			schema := clicks(b)
			batch := fill(schema, rows, 1)
			payload, err := EncodeEntry(nil, batch, []Segment{{Rows: rows}})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(batch.SizeBytes()))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := DecodeEntry(payload, schema); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/event")
		})
	}
}
