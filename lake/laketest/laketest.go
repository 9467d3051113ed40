// Package laketest gives the tests of the lake a stream on an in-memory log, with a clock
// that they move, and reads the lake back.
//
// The one invariant: every event carries a number that is given once, so that a test sees
// a lost or a doubled event at once.
package laketest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/lake/writer"
)

// ID is the id of the stream.
const ID = "events.1"

// EpochLength of the stream.
const EpochLength = time.Minute

// Stream is a stream of numbered events. Its clock starts on a full hour.
type Stream struct {
	Schema *event.Schema
	Log    stream.Log

	mu    sync.Mutex
	now   time.Time
	next  int64
	wrote []int64 // rows appended, by partition
}

var names = [][]byte{[]byte("ada"), []byte("grace"), {}, []byte("kurt \xf0\x9f\x8c\x8a")}

// New returns an empty stream.
func New(t testing.TB, partitions int) *Stream {
	t.Helper()
	schema, err := event.NewSchema(
		event.Column{Name: "ts", Type: event.Type{Kind: event.DateTime64, Precision: 3}},
		event.Column{Name: "n", Type: event.Type{Kind: event.Int64}},
		event.Column{Name: "name", Type: event.Type{Kind: event.String, Nullable: true}},
		event.Column{Name: event.ExtraColumn, Type: event.Type{Kind: event.String}},
	)
	if err != nil {
		t.Fatal(err)
	}
	s := &Stream{Schema: schema, now: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), wrote: make([]int64, partitions)}
	backend := memstream.NewStore(s.Now).Open()
	t.Cleanup(func() { _ = backend.Close() })
	if s.Log, err = backend.Open(t.Context(), ID, partitions); err != nil {
		t.Fatal(err)
	}
	return s
}

// Now returns the stream's time.
func (s *Stream) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance moves the clock.
func (s *Stream) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Append adds one entry of new events; no rows make a tick.
func (s *Stream) Append(t testing.TB, partition, rows int) uint64 {
	t.Helper()
	var b *event.Batch
	var segments []stream.Segment
	if rows > 0 {
		b = event.NewBatch(s.Schema)
		now := s.Now().UnixMilli()
		for range rows {
			b.Columns[0].AppendInt64(now - s.next%3*24*3600*1000) // over three days
			b.Columns[1].AppendInt64(s.next)
			if s.next%7 == 0 {
				b.Columns[2].AppendZero(true)
			} else {
				b.Columns[2].AppendString(names[s.next%int64(len(names))])
			}
			b.Columns[3].AppendString(nil)
			b.Rows++
			s.next++
		}
		segments = []stream.Segment{{Rows: rows}}
	}
	payload, err := stream.EncodeEntry(nil, b, segments)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := s.Log.Append(t.Context(), partition, payload)
	if err != nil {
		t.Fatal(err)
	}
	s.wrote[partition] += int64(rows)
	return seq
}

// Tick appends a tick to every partition.
func (s *Stream) Tick(t testing.TB) {
	t.Helper()
	for p := range s.wrote {
		s.Append(t, p, 0)
	}
}

// Rows returns how many events a partition got.
func (s *Stream) Rows(partition int) int64 { return s.wrote[partition] }

// Heads returns the newest entry of each partition.
func (s *Stream) Heads(t testing.TB) []uint64 {
	t.Helper()
	out := make([]uint64, len(s.wrote))
	for p := range out {
		head, err := s.Log.Head(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		out[p] = head
	}
	return out
}

// Open opens the tail of a partition.
func (s *Stream) Open(ctx context.Context, partition int, after uint64, arrival int64) (writer.Tail, error) {
	return stream.OpenTail(ctx, stream.TailOptions{
		Log: s.Log, Partition: partition, Schema: s.Schema, EpochLength: EpochLength, After: after, ArrivalFrom: arrival,
	})
}

// OpenTail is Open of one partition.
func (s *Stream) OpenTail(partition int) writer.OpenTail {
	return func(ctx context.Context, after uint64, arrival int64) (writer.Tail, error) {
		return s.Open(ctx, partition, after, arrival)
	}
}

// Epoch returns the epoch of the stream's time.
func (s *Stream) Epoch() event.Epoch { return event.EpochOf(s.Now().UnixNano(), EpochLength) }

// Store returns a store in a directory of the test's own.
func Store(t testing.TB) objstore.Store {
	t.Helper()
	s, err := local.Open(filepath.Join(t.TempDir(), "lake"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Clone returns a copy of a store that Store or Clone made, as a crash would leave it.
func Clone(t testing.TB, store objstore.Store) objstore.Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	if err := os.CopyFS(dir, os.DirFS(filepath.Dir(store.URL("object")))); err != nil {
		t.Fatal(err)
	}
	s, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Load reads the seals of the stream.
func (s *Stream) Load(t testing.TB, store objstore.Store) *seal.Index {
	t.Helper()
	x, err := seal.Load(t.Context(), store, ID, len(s.wrote))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Writer returns a writer of a partition.
func (s *Stream) Writer(t testing.TB, store objstore.Store, x *seal.Index, partition int) *writer.Writer {
	t.Helper()
	w, err := writer.New(writer.Config{
		Stream: ID, Partition: partition, Schema: s.Schema, EpochLength: EpochLength, Store: store, Index: x,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Write runs the writers of all partitions until the lake is complete up to an epoch.
func (s *Stream) Write(t testing.TB, store objstore.Store, x *seal.Index, through event.Epoch) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for p := range s.wrote {
		w := s.Writer(t, store, x, p)
		wg.Go(func() { _ = w.Run(ctx, s.OpenTail(p)) }) // ends with ctx, which Wait reports
	}
	err := x.Wait(ctx, through)
	cancel()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
}

// Read returns the numbers of the events in files, by partition in order of the files. It
// fails the test where a file is not what its record says, or a partition's positions do
// not ascend.
func (s *Stream) Read(t testing.TB, store objstore.Store, files []seal.File) [][]int64 {
	t.Helper()
	out := make([][]int64, len(s.wrote))
	last := make([]int64, len(s.wrote))
	for _, f := range files {
		in, err := store.Open(t.Context(), f.Name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := parquetfile.NewStoredReader(t.Context(), in, s.Schema)
		if err != nil {
			t.Fatal(err)
		}
		if in.Size() != f.SizeBytes || r.Rows() != f.Rows {
			t.Fatalf("%s has %d bytes and %d rows, its record says %d and %d", f.Name, in.Size(), r.Rows(), f.SizeBytes, f.Rows)
		}
		err = r.Each(func(b *event.Batch) error {
			for i := range b.Rows {
				p, at := b.Columns[4].I64[i], b.Columns[5].I64[i]
				if at <= last[p] {
					return fmt.Errorf("partition %d: position %d follows %d", p, at, last[p])
				}
				last[p] = at
				out[p] = append(out[p], b.Columns[1].I64[i])
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// WantAll fails the test unless files hold every event exactly once.
func (s *Stream) WantAll(t testing.TB, store objstore.Store, files []seal.File) {
	t.Helper()
	seen := make(map[int64]bool)
	for p, numbers := range s.Read(t, store, files) {
		if int64(len(numbers)) != s.wrote[p] {
			t.Fatalf("partition %d: %d events, want %d", p, len(numbers), s.wrote[p])
		}
		for _, n := range numbers {
			if seen[n] {
				t.Fatalf("event %d is there twice", n)
			}
			seen[n] = true
		}
	}
}
