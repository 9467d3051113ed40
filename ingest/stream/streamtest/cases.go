package streamtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/ingest/stream"
)

func (s *suite) expectTrimmed(t *testing.T, r stream.Reader, after, first uint64) {
	t.Helper()
	e, err := r.Next(s.ctx)
	var trimmed *stream.TrimmedError
	if !errors.As(err, &trimmed) {
		t.Fatalf("read entry %d and %v, want a TrimmedError", e.Seq, err)
	}
	if trimmed.After != after || trimmed.First != first {
		t.Fatalf("trimmed after %d with first %d, want %d and %d", trimmed.After, trimmed.First, after, first)
	}
}

func trim(t *testing.T, s *suite) {
	log := s.open(t, 2)
	s.fill(t, log, 0, 1, 10)
	s.must(t, log.Trim(s.ctx, 0, 0))
	s.must(t, log.Trim(s.ctx, 0, 1))
	s.expect(t, log, 0, 0, 1, 10)
	for range 2 {
		s.must(t, log.Trim(s.ctx, 0, 5))
	}
	s.must(t, log.Trim(s.ctx, 0, 3))
	s.expectTrimmed(t, s.read(t, log, 0, 0), 0, 5)
	s.expectTrimmed(t, s.read(t, log, 0, 3), 3, 5)
	s.expect(t, log, 0, 4, 5, 10)
	s.expect(t, log, 0, 9, 10, 10)

	// Trimming beyond the head empties the log and leaves no gap in it.
	s.must(t, log.Trim(s.ctx, 0, 100))
	s.expectHead(t, log, 0, 10)
	s.expectTrimmed(t, s.read(t, log, 0, 8), 8, 11)
	r := s.read(t, log, 0, 10)
	s.fill(t, log, 0, 11, 12)
	s.expectNext(t, r, 0, 11)
	s.expect(t, log, 0, 10, 11, 12)

	s.must(t, log.Trim(s.ctx, 1, 7))
	s.expectHead(t, log, 1, 0)
	s.fill(t, log, 1, 1, 2)
	s.expect(t, log, 1, 0, 1, 2)
}

// trimUnderReader: a reader goes on without a gap, or says that entries were trimmed.
func trimUnderReader(t *testing.T, s *suite) {
	log := s.open(t, 1)
	s.fill(t, log, 0, 1, 10)
	r := s.read(t, log, 0, 0)
	s.expectNext(t, r, 0, 1)
	s.must(t, log.Trim(s.ctx, 0, 9))
	for want := uint64(2); want <= 10; want++ {
		e, err := r.Next(s.ctx)
		var trimmed *stream.TrimmedError
		if errors.As(err, &trimmed) {
			if trimmed.After != want-1 || trimmed.First != 9 {
				t.Fatalf("trimmed after %d with first %d, want %d and 9", trimmed.After, trimmed.First, want-1)
			}
			return
		}
		s.must(t, err)
		if e.Seq != want {
			t.Fatalf("read entry %d, want %d", e.Seq, want)
		}
	}
}

func seqAt(t *testing.T, s *suite) {
	log := s.open(t, 1)
	expect := func(at time.Time, want uint64) {
		t.Helper()
		seq, err := log.SeqAt(s.ctx, 0, at)
		s.must(t, err)
		if seq != want {
			t.Fatalf("the first entry at or after %s is %d, want %d", at.Format(time.RFC3339Nano), seq, want)
		}
	}
	expect(time.Unix(0, 0), 1)
	s.fill(t, log, 0, 1, 40)
	var times []time.Time
	r := s.read(t, log, 0, 0)
	for want := uint64(1); want <= 40; want++ {
		times = append(times, s.expectNext(t, r, 0, want).Time)
	}
	// firstAt is the definition, by looking at all that is left.
	firstAt := func(at time.Time, from int) uint64 {
		for i, entry := range times[from:] {
			if !entry.Before(at) {
				return uint64(from + i + 1)
			}
		}
		return uint64(len(times) + 1)
	}
	for _, at := range times {
		expect(at, firstAt(at, 0))
		expect(at.Add(1), firstAt(at.Add(1), 0))
		expect(at.Add(-1), firstAt(at.Add(-1), 0))
	}
	expect(time.Unix(0, 0), 1)
	expect(times[39].Add(time.Hour), 41)
	s.must(t, log.Trim(s.ctx, 0, 21))
	expect(time.Unix(0, 0), 21)
	expect(times[30], firstAt(times[30], 20))
	s.must(t, log.Trim(s.ctx, 0, 41))
	expect(times[0], 41)
}

func openAgain(t *testing.T, s *suite) {
	log := s.open(t, 2)
	s.fill(t, log, 1, 1, 3)
	other := s.open(t, 2)
	s.fill(t, other, 1, 4, 5)
	s.must(t, log.Close())
	s.expect(t, other, 1, 0, 1, 5)
	s.must(t, other.Close())
	s.expect(t, s.open(t, 2), 1, 2, 3, 5)
}

func otherPartitionCount(t *testing.T, s *suite) {
	s.open(t, 2)
	for _, n := range []int{0, 1, 3} {
		if _, err := s.backend.Open(s.ctx, s.id, n); err == nil {
			t.Errorf("a log of 2 partitions opens with %d", n)
		}
	}
	s.open(t, 2)
}

func drop(t *testing.T, s *suite) {
	s.must(t, s.backend.Drop(s.ctx, s.id))
	log := s.open(t, 2)
	s.fill(t, log, 0, 1, 3)
	s.must(t, log.Close())
	for range 2 {
		s.must(t, s.backend.Drop(s.ctx, s.id))
	}
	log = s.open(t, 3)
	s.expectHead(t, log, 0, 0)
	s.fill(t, log, 0, 1, 2)
	s.expect(t, log, 0, 0, 1, 2)
}

func fencesRise(t *testing.T, s *suite) {
	names := []string{s.id + "/a", s.id + "/b", s.id + " *.>"}
	last := map[string]uint64{}
	for range 5 {
		for _, name := range names {
			f, err := s.backend.Fence(s.ctx, name)
			s.must(t, err)
			if f <= last[name] {
				t.Fatalf("fence %q is %d after %d", name, f, last[name])
			}
			last[name] = f
		}
	}
	// Takers at the same time get different tokens.
	const takers = 8
	tokens := make(chan uint64, takers)
	for range takers {
		go func() {
			f, err := s.backend.Fence(s.ctx, names[0])
			if err != nil {
				t.Error(err)
			}
			tokens <- f
		}()
	}
	seen := map[uint64]bool{}
	for range takers {
		f := <-tokens
		if seen[f] || f <= last[names[0]] {
			t.Fatalf("fence %d was given twice or is not above %d", f, last[names[0]])
		}
		seen[f] = true
	}
}

func unusualIDs(t *testing.T, s *suite) {
	ids := []string{"a", "A", "a.b", "a_b", "a-b", "a-0", "a b", "a*", "a>", "a/b", `a\b`, "é", "a_2e", "a.", "\x00"}
	base := logID(t)
	for i, id := range ids {
		s.id = base + id
		s.fill(t, s.open(t, 2), 1, 1, uint64(i%3+1))
	}
	for i, id := range ids {
		s.id = base + id
		log := s.open(t, 2)
		s.expectHead(t, log, 0, 0)
		s.expectHead(t, log, 1, uint64(i%3+1))
		s.must(t, s.backend.Drop(s.ctx, s.id))
	}
}

func partitionOutOfRange(t *testing.T, s *suite) {
	log := s.open(t, 2)
	for _, p := range []int{-1, 2} {
		calls := map[string]func(context.Context) error{
			"Append": func(ctx context.Context) error { _, err := log.Append(ctx, p, payload(0, 1)); return err },
			"Read":   func(ctx context.Context) error { _, err := log.Read(ctx, p, 0); return err },
			"Head":   func(ctx context.Context) error { _, err := log.Head(ctx, p); return err },
			"SeqAt":  func(ctx context.Context) error { _, err := log.SeqAt(ctx, p, time.Now()); return err },
			"Trim":   func(ctx context.Context) error { return log.Trim(ctx, p, 1) },
		}
		for name, call := range calls {
			if err := call(s.ctx); err == nil {
				t.Errorf("%s on partition %d of 2 succeeds", name, p)
			}
		}
	}
}
