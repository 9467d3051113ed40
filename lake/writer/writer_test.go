package writer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/laketest"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/lake/objstore/objstoretest"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/lake/writer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const always = event.Epoch(math.MaxInt64)

// fill appends five epochs of events, with a gap, an idle partition and ticks. The last
// epoch stays open.
func fill(t *testing.T, s *laketest.Stream) (sealed event.Epoch) {
	for i, rows := range []int{10, 0, 300, 7} {
		s.Append(t, 0, rows)
		s.Append(t, 0, 5)
		s.Tick(t)
		s.Append(t, 1, rows)
		s.Advance(laketest.EpochLength)
		if i == 1 {
			s.Advance(3 * laketest.EpochLength) // the appliance was down
		}
	}
	s.Tick(t)
	return s.Epoch() - 1
}

func TestSealsEveryEpoch(t *testing.T) {
	s, store := laketest.New(t, 3), laketest.Store(t)
	through := fill(t, s)
	x := s.Load(t, store)
	s.Write(t, store, x, through)
	s.WantAll(t, store, x.Files(0, always, nil))
	if x.Complete() != through {
		t.Fatalf("complete to %d, want %d", x.Complete(), through)
	}
	seals := x.Seals(0)
	if len(seals) != 4 {
		t.Fatalf("%d seals, want 4", len(seals))
	}
	for i, sl := range seals {
		if sl.From != sl.LastEpoch || i > 0 && sl.From != seals[i-1].To+1 {
			t.Errorf("seal %d is of epochs %d to %d, last entry in %d", i, sl.From, sl.To, sl.LastEpoch)
		}
	}
	if got := seals[1].To - seals[1].From; got != 3 {
		t.Errorf("the seal before the gap covers %d more epochs, want 3", got)
	}
	first := seals[0].Files[0].Name
	if want := fmt.Sprintf("lake/events.1/date=2026-03-01/hour=10/%d-0-0.parquet", seals[0].From); first != want {
		t.Errorf("first file %s, want %s", first, want)
	}
	if days := x.Days(0, always); len(days) != 3 {
		t.Errorf("days %v, want three", days)
	}
	if idle := x.Seals(2); len(idle) != 4 || idle[0].Rows != 0 || len(idle[0].Files) != 0 {
		t.Errorf("idle partition: %+v", idle)
	}
	if x.Rows(0, always) != s.Rows(0)+s.Rows(1) {
		t.Errorf("%d rows", x.Rows(0, always))
	}
}

// TestCrashAtEachStep ends the writer at the k-th change of the store for each k, starts a
// new one on what is there, and compares the lake with that of a writer that never failed.
func TestCrashAtEachStep(t *testing.T) {
	s := laketest.New(t, 2)
	through := fill(t, s)
	perfect := laketest.Store(t)
	s.Write(t, perfect, s.Load(t, perfect), through)
	want := contents(t, perfect)

	for k := 0; ; k++ {
		dir := t.TempDir()
		disk, err := local.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		faulty := objstoretest.NewFaulty(disk, k, syscall.EIO)
		for p := range 2 {
			crash(t, s, faulty, p, through)
		}
		fired := faulty.Fired()
		again, err := local.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		x := s.Load(t, again)
		s.Write(t, again, x, through)
		got := contents(t, again)
		if len(got) != len(want) {
			t.Fatalf("k=%d: %d objects, want %d", k, len(got), len(want))
		}
		for name, data := range want {
			if !bytes.Equal(got[name], data) {
				t.Fatalf("k=%d: %s differs from that of a writer that never failed", k, name)
			}
		}
		if !fired {
			if k < 20 {
				t.Fatalf("only %d steps", k)
			}
			return
		}
		if k > 20 {
			k += 8 // the steps repeat from epoch to epoch
		}
	}
}

// crash runs a writer until its store fails or the lake is complete.
func crash(t *testing.T, s *laketest.Stream, store *objstoretest.Faulty, partition int, through event.Epoch) {
	x := s.Load(t, store)
	w := s.Writer(t, store, x, partition)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := w.Run(ctx, func(ctx context.Context, after uint64, arrival int64) (writer.Tail, error) {
		tail, err := s.Open(ctx, partition, after, arrival)
		return &stopping{Tail: tail, done: func() bool { last, _ := x.Last(partition); return last.To >= through }, stop: cancel}, err
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("run: %v", err)
	}
}

// stopping ends the run when there is nothing more to write, and when the first try fails:
// that is the crash.
type stopping struct {
	writer.Tail
	done func() bool
	stop func()
}

func (s *stopping) Next(ctx context.Context) (stream.Delivery, error) {
	if s.done() {
		s.stop()
	}
	return s.Tail.Next(ctx)
}

func (s *stopping) Close() error {
	s.stop()
	return s.Tail.Close()
}

func contents(t *testing.T, store objstore.Store) map[string][]byte {
	t.Helper()
	list, err := store.List(t.Context(), "lake/")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte)
	for _, o := range list {
		if out[o.Name], err = objstore.Get(t.Context(), store, o.Name); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestFullDisk fails some changes and then none: the writer goes on by itself and loses
// nothing.
func TestFullDisk(t *testing.T) {
	s := laketest.New(t, 2)
	through := fill(t, s)
	disk := laketest.Store(t)
	faulty := objstoretest.NewFaulty(disk, 7, syscall.ENOSPC)
	x := s.Load(t, faulty)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tries := make(chan struct{}, 100)
	var wg sync.WaitGroup
	for p := range 2 {
		w := s.Writer(t, faulty, x, p)
		wg.Go(func() {
			_ = w.Run(ctx, func(ctx context.Context, after uint64, arrival int64) (writer.Tail, error) {
				tries <- struct{}{}
				return s.Open(ctx, p, after, arrival)
			})
		})
	}
	for range 3 {
		<-tries // one of the two has failed and begun again
	}
	faulty.Heal()
	if err := x.Wait(ctx, through); err != nil {
		t.Fatal(err)
	}
	cancel()
	wg.Wait()
	s.WantAll(t, disk, x.Files(0, always, nil))
}

// TestTrimmed asks for entries that are gone: going on would lose events.
func TestTrimmed(t *testing.T) {
	s, store := laketest.New(t, 2), laketest.Store(t)
	fill(t, s)
	if err := s.Log.Trim(t.Context(), 0, 3); err != nil {
		t.Fatal(err)
	}
	var trimmed *stream.TrimmedError
	w := s.Writer(t, store, s.Load(t, store), 0)
	if err := w.Run(t.Context(), s.OpenTail(0)); !errors.As(err, &trimmed) {
		t.Fatalf("run over a hole: %v", err)
	}
}

// TestChunks closes a file in the middle of an epoch and shows it as progress.
func TestChunks(t *testing.T) {
	s, store := laketest.New(t, 1), laketest.Store(t)
	const entry = 1 << 18
	for range writer.ChunkRows/entry + 1 {
		s.Append(t, 0, entry)
	}
	x := s.Load(t, store)
	w := s.Writer(t, store, x, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx, s.OpenTail(0)) })
	for w.Progress().Seq == 0 {
		if ctx.Err() != nil {
			t.Fatal("no chunk was closed")
		}
		time.Sleep(time.Millisecond)
	}
	p := w.Progress()
	if len(p.Files) != 1 || p.Files[0].Rows != writer.ChunkRows || p.Seq != writer.ChunkRows/entry || p.Sealed != 0 {
		t.Fatalf("progress %+v", p)
	}
	if !strings.HasSuffix(p.Files[0].Name, "-0-0.parquet") {
		t.Errorf("name %s", p.Files[0].Name)
	}
	if len(x.Files(0, always, nil)) != 0 {
		t.Error("readers of seals see an open epoch")
	}
	s.Advance(laketest.EpochLength)
	s.Tick(t)
	if err := x.Wait(ctx, s.Epoch()-1); err != nil {
		t.Fatal(err)
	}
	cancel()
	wg.Wait()
	files := x.Files(0, always, nil)
	if len(files) != 2 || w.Progress().Files != nil {
		t.Fatalf("%d files, progress %+v", len(files), w.Progress())
	}
	var rows int64
	for _, f := range files {
		rows += f.Rows
	}
	if rows != s.Rows(0) {
		t.Fatalf("%d rows, want %d", rows, s.Rows(0))
	}
}

// TestNeedsEpochLength refuses a configuration under which no epoch would end.
func TestNeedsEpochLength(t *testing.T) {
	s := laketest.New(t, 1)
	if _, err := writer.New(writer.Config{Stream: laketest.ID, Schema: s.Schema, Index: &seal.Index{}}); err == nil {
		t.Fatal("an epoch length of zero was accepted")
	}
}
