package memstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/ingest/stream/memstream"
	"github.com/millrace/millrace/ingest/stream/streamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	streamtest.Exercise(t, func(t *testing.T) stream.Backend {
		b := memstream.New()
		t.Cleanup(func() { _ = b.Close() })
		return b
	})
}

func TestRestart(t *testing.T) {
	streamtest.ExerciseRestart(t, func(t *testing.T) (stream.Backend, func() stream.Backend) {
		b := memstream.New()
		return b, func() stream.Backend {
			_ = b.Close()
			return b.Store().Open()
		}
	})
}

func TestFaults(t *testing.T) {
	ctx := t.Context()
	broken := errors.New("broken")
	b := memstream.New()
	defer b.Close()
	log, err := b.Open(ctx, "faulty", 1)
	if err != nil {
		t.Fatal(err)
	}
	head := func(want uint64) {
		t.Helper()
		if got, err := log.Head(ctx, 0); err != nil || got != want {
			t.Fatalf("head is %d, %v; want %d", got, err, want)
		}
	}
	try := func(want error) {
		t.Helper()
		if _, err := log.Append(ctx, 0, []byte("x")); !errors.Is(err, want) {
			t.Fatalf("append gave %v, want %v", err, want)
		}
	}
	b.Store().Inject(b.Store().FailAppend(2, memstream.Fault{Err: stream.ErrBusy}))
	try(nil)
	try(stream.ErrBusy)
	head(1)
	b.Store().Inject(b.Store().FailAppend(1, memstream.Fault{Err: broken, TakesEffect: true}))
	try(broken)
	head(2)
	try(nil)
	head(3)

	b.Store().Inject(memstream.Faults{Read: func(r memstream.Read) memstream.Fault {
		if r.Seq == 2 {
			return memstream.Fault{Err: broken}
		}
		return memstream.Fault{}
	}})
	r, err := log.Read(ctx, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(ctx); !errors.Is(err, broken) {
		t.Fatalf("read gave %v, want %v", err, broken)
	}
	b.Store().Inject(memstream.Faults{})
	if e, err := r.Next(ctx); err != nil || e.Seq != 2 {
		t.Fatalf("after the fault: entry %d, %v; want 2", e.Seq, err)
	}

	b.Store().Inject(memstream.Faults{Append: func(memstream.Append) memstream.Fault {
		return memstream.Fault{Delay: time.Hour}
	}})
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := log.Append(short, 0, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("delayed append gave %v, want deadline exceeded", err)
	}
}

func TestCloseWakesReaders(t *testing.T) {
	b := memstream.New()
	log, err := b.Open(t.Context(), "closing", 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := log.Read(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := r.Next(t.Context())
		done <- err
	}()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, memstream.ErrClosed) {
		t.Fatalf("read gave %v, want ErrClosed", err)
	}
}
