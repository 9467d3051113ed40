// Package streamtest is the acceptance suite of the stream contract: every backend, the
// one for tests included, passes it.
//
// The one invariant: the suite asks for nothing that package stream does not promise,
// and for everything that it does.
package streamtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/ingest/stream"
)

// limit bounds each wait: a suite that hangs says less than one that fails.
const limit = 30 * time.Second

// Exercise runs the suite on backends that open returns, which may share their storage
// but no log; open registers the cleanup of what it starts.
func Exercise(t *testing.T, open func(t *testing.T) stream.Backend) {
	cases := []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"append is contiguous and ordered", appendsInOrder},
		{"many appenders", manyAppenders},
		{"partitions are independent", independentPartitions},
		{"read from any position", readFromAnywhere},
		{"blocked Next wakes", blockedNextWakes},
		{"Next ends with its context and goes on", nextHonoursContext},
		{"ended context", endedContext},
		{"payload at the limit", largePayloads},
		{"payload belongs to the caller", payloadIsOwned},
		{"trim", trim},
		{"trim under a reader", trimUnderReader},
		{"SeqAt", seqAt},
		{"open again", openAgain},
		{"other partition count", otherPartitionCount},
		{"drop", drop},
		{"fences rise", fencesRise},
		{"unusual ids", unusualIDs},
		{"partition out of range", partitionOutOfRange},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			c.run(t, &suite{ctx: ctx, backend: open(t), id: logID(t)})
		})
	}
}

// ExerciseRestart checks what outlives a restart. start returns a backend and a function
// that closes it, starts it again on the same storage, and returns it.
func ExerciseRestart(t *testing.T, start func(t *testing.T) (stream.Backend, func() stream.Backend)) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	backend, restart := start(t)
	s := &suite{ctx: ctx, backend: backend, id: logID(t)}
	log := s.open(t, 2)
	s.fill(t, log, 0, 1, 10)
	s.must(t, log.Trim(ctx, 0, 4))
	fence, err := backend.Fence(ctx, s.id)
	s.must(t, err)
	s.must(t, log.Close())

	s.backend = restart()
	if _, err := s.backend.Open(ctx, s.id, 3); err == nil {
		t.Error("after a restart the log opens with another number of partitions")
	}
	log = s.open(t, 2)
	s.expectHead(t, log, 0, 10)
	s.expectHead(t, log, 1, 0)
	s.expect(t, log, 0, 3, 4, 10)
	s.fill(t, log, 0, 11, 12)
	s.expect(t, log, 0, 9, 10, 12)
	again, err := s.backend.Fence(ctx, s.id)
	s.must(t, err)
	if again <= fence {
		t.Errorf("fence is %d after a restart, was %d", again, fence)
	}
}

// suite is what one case works with.
type suite struct {
	ctx     context.Context
	backend stream.Backend
	id      string
}

// logID returns an id that no other test of the process uses.
func logID(t *testing.T) string { return fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()) }

func (s *suite) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *suite) open(t *testing.T, partitions int) stream.Log {
	t.Helper()
	log, err := s.backend.Open(s.ctx, s.id, partitions)
	s.must(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func (s *suite) read(t *testing.T, log stream.Log, partition int, after uint64) stream.Reader {
	t.Helper()
	r, err := log.Read(s.ctx, partition, after)
	s.must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// payload is what the suite appends as entry seq of a partition.
func payload(partition int, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(partition)}, seq)
}

// fill appends the entries from..to.
func (s *suite) fill(t *testing.T, log stream.Log, partition int, from, to uint64) {
	t.Helper()
	for want := from; want <= to; want++ {
		seq, err := log.Append(s.ctx, partition, payload(partition, want))
		s.must(t, err)
		if seq != want {
			t.Fatalf("partition %d: appended entry %d, want %d", partition, seq, want)
		}
	}
}

// expect reads the entries from..to after a position.
func (s *suite) expect(t *testing.T, log stream.Log, partition int, after, from, to uint64) {
	t.Helper()
	r := s.read(t, log, partition, after)
	for want := from; want <= to; want++ {
		s.expectNext(t, r, partition, want)
	}
	s.must(t, r.Close())
}

func (s *suite) expectNext(t *testing.T, r stream.Reader, partition int, want uint64) stream.Entry {
	t.Helper()
	e, err := r.Next(s.ctx)
	s.must(t, err)
	if e.Seq != want || !bytes.Equal(e.Payload, payload(partition, want)) {
		t.Fatalf("partition %d: read entry %d with %x, want %d", partition, e.Seq, e.Payload, want)
	}
	if e.Time.IsZero() {
		t.Fatalf("partition %d: entry %d has no time", partition, e.Seq)
	}
	return e
}

func (s *suite) expectHead(t *testing.T, log stream.Log, partition int, want uint64) {
	t.Helper()
	head, err := log.Head(s.ctx, partition)
	s.must(t, err)
	if head != want {
		t.Fatalf("partition %d: head is %d, want %d", partition, head, want)
	}
}

func appendsInOrder(t *testing.T, s *suite) {
	log := s.open(t, 1)
	if n := log.Partitions(); n != 1 {
		t.Fatalf("log has %d partitions, want 1", n)
	}
	s.expectHead(t, log, 0, 0)
	s.fill(t, log, 0, 1, 50)
	s.expectHead(t, log, 0, 50)
	s.expect(t, log, 0, 0, 1, 50)
}

func manyAppenders(t *testing.T, s *suite) {
	const appenders, each = 16, 25
	log := s.open(t, 1)
	type result struct {
		seq     uint64
		payload []byte
		err     error
	}
	results := make(chan result, appenders*each)
	for a := range appenders {
		go func() {
			for i := range each {
				p := payload(a, uint64(i))
				seq, err := log.Append(s.ctx, 0, p)
				results <- result{seq, p, err}
			}
		}()
	}
	acked := map[uint64][]byte{}
	for range appenders * each {
		r := <-results
		s.must(t, r.err)
		if _, twice := acked[r.seq]; twice {
			t.Fatalf("sequence %d was given twice", r.seq)
		}
		acked[r.seq] = r.payload
	}
	r := s.read(t, log, 0, 0)
	last := map[byte]uint64{}
	for want := uint64(1); want <= appenders*each; want++ {
		e, err := r.Next(s.ctx)
		s.must(t, err)
		if e.Seq != want || !bytes.Equal(e.Payload, acked[want]) {
			t.Fatalf("read entry %d with %x, want %d with %x", e.Seq, e.Payload, want, acked[want])
		}
		// What one appender appended one after the other stays in order.
		who, i := e.Payload[0], binary.BigEndian.Uint64(e.Payload[1:])
		if i != last[who] {
			t.Fatalf("appender %d: entry %d comes where %d should", who, i, last[who])
		}
		last[who] = i + 1
	}
}

func independentPartitions(t *testing.T, s *suite) {
	log := s.open(t, 3)
	for p := range 3 {
		s.fill(t, log, p, 1, uint64(5*p))
	}
	for p := range 3 {
		s.expectHead(t, log, p, uint64(5*p))
		s.expect(t, log, p, 0, 1, uint64(5*p))
	}
}

func readFromAnywhere(t *testing.T, s *suite) {
	log := s.open(t, 1)
	s.fill(t, log, 0, 1, 20)
	for after := range uint64(20) {
		s.expect(t, log, 0, after, after+1, 20)
	}
	a, b := s.read(t, log, 0, 3), s.read(t, log, 0, 17)
	s.expectNext(t, a, 0, 4)
	s.expectNext(t, b, 0, 18)
	s.expectNext(t, a, 0, 5)
}

func blockedNextWakes(t *testing.T, s *suite) {
	log := s.open(t, 1)
	for _, after := range []uint64{0, 1} {
		r := s.read(t, log, 0, after)
		got := make(chan stream.Entry)
		failed := make(chan error, 1)
		go func() {
			e, err := r.Next(s.ctx)
			if err != nil {
				failed <- err
				return
			}
			got <- e
		}()
		s.fill(t, log, 0, after+1, after+1)
		select {
		case e := <-got:
			if e.Seq != after+1 {
				t.Fatalf("woke with entry %d, want %d", e.Seq, after+1)
			}
		case err := <-failed:
			t.Fatal(err)
		}
	}
}

func nextHonoursContext(t *testing.T, s *suite) {
	log := s.open(t, 1)
	s.fill(t, log, 0, 1, 1)
	r := s.read(t, log, 0, 0)
	s.expectNext(t, r, 0, 1)
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	if e, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Next at the head gave entry %d and %v, want deadline exceeded", e.Seq, err)
	}
	s.fill(t, log, 0, 2, 3)
	s.expectNext(t, r, 0, 2)
	s.expectNext(t, r, 0, 3)
}

func endedContext(t *testing.T, s *suite) {
	log := s.open(t, 1)
	s.fill(t, log, 0, 1, 1)
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if _, err := log.Append(ctx, 0, payload(0, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Append gave %v, want canceled", err)
	}
	if _, err := log.Head(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Head gave %v, want canceled", err)
	}
	if _, err := s.backend.Fence(ctx, s.id); !errors.Is(err, context.Canceled) {
		t.Errorf("Fence gave %v, want canceled", err)
	}
}

func largePayloads(t *testing.T, s *suite) {
	log := s.open(t, 1)
	big := bytes.Repeat([]byte("0123456789abcdef"), stream.MaxEntryBytes/16)
	for want := uint64(1); want <= 3; want++ {
		seq, err := log.Append(s.ctx, 0, big)
		s.must(t, err)
		if seq != want {
			t.Fatalf("appended entry %d, want %d", seq, want)
		}
	}
	if _, err := log.Append(s.ctx, 0, append(big, 0)); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("an entry over the limit gave %v, want ErrTooLarge", err)
	}
	s.fill(t, log, 0, 4, 4)
	r := s.read(t, log, 0, 0)
	for want := uint64(1); want <= 3; want++ {
		e, err := r.Next(s.ctx)
		s.must(t, err)
		if e.Seq != want || !bytes.Equal(e.Payload, big) {
			t.Fatalf("read entry %d of %d bytes, want %d of %d", e.Seq, len(e.Payload), want, len(big))
		}
	}
	s.expectNext(t, r, 0, 4)
}

func payloadIsOwned(t *testing.T, s *suite) {
	log := s.open(t, 1)
	mine := []byte("what was appended")
	want := slices.Clone(mine)
	_, err := log.Append(s.ctx, 0, mine)
	s.must(t, err)
	clear(mine)
	for range 2 {
		e, err := s.read(t, log, 0, 0).Next(s.ctx)
		s.must(t, err)
		if !bytes.Equal(e.Payload, want) {
			t.Fatalf("read %q, want %q", e.Payload, want)
		}
		clear(e.Payload)
	}
}
