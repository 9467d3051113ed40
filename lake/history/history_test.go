package history_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/lake/history"
	"github.com/millrace/millrace/lake/laketest"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/objstoretest"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/lake/writer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, s *laketest.Stream, store objstore.Store, x *seal.Index, progress func(int) writer.Progress) *history.History {
	t.Helper()
	h, err := history.Open(t.Context(), history.Config{
		Stream: laketest.ID, Schema: s.Schema, Store: store, Index: x, Open: s.Open, Progress: progress,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func wantNothingLeft(t *testing.T, store objstore.Store) {
	t.Helper()
	left, err := store.List(t.Context(), "lake/"+laketest.ID+"/unsealed/")
	if err != nil || len(left) != 0 {
		t.Fatalf("temporary files are left: %v %v", left, err)
	}
}

// TestSnapshot holds sealed and unsealed rows, and nothing after its release.
func TestSnapshot(t *testing.T) {
	s, store := laketest.New(t, 3), laketest.Store(t)
	x := s.Load(t, store)
	h := open(t, s, store, x, nil)
	check := func(temporary int) {
		t.Helper()
		snap, err := h.Snapshot(t.Context(), s.Heads(t))
		if err != nil {
			t.Fatal(err)
		}
		s.WantAll(t, store, snap.Files)
		if want := s.Rows(0) + s.Rows(1) + s.Rows(2); snap.Rows != want {
			t.Fatalf("%d rows, want %d", snap.Rows, want)
		}
		left, err := store.List(t.Context(), "lake/"+laketest.ID+"/unsealed/")
		if err != nil || len(left) != temporary {
			t.Fatalf("%d temporary files, want %d; %v", len(left), temporary, err)
		}
		if err := snap.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantNothingLeft(t, store)
	}
	check(0)
	s.Tick(t)
	s.Append(t, 0, 10)
	s.Append(t, 0, 10)
	s.Append(t, 1, 5)
	check(2)
	s.Advance(laketest.EpochLength)
	s.Tick(t)
	check(2)
	s.Write(t, store, x, s.Epoch()-1)
	check(0)
	s.Append(t, 2, 1)
	check(1)
	if _, err := h.Snapshot(t.Context(), []uint64{1}); err == nil {
		t.Fatal("positions of another number of partitions were accepted")
	}
}

// TestWhileWriting takes snapshots while events come in and the writers seal: each holds
// at least what its positions say, and no event twice.
func TestWhileWriting(t *testing.T) {
	s, store := laketest.New(t, 2), laketest.Store(t)
	x := s.Load(t, store)
	writers := []*writer.Writer{s.Writer(t, store, x, 0), s.Writer(t, store, x, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for p, w := range writers {
		wg.Go(func() { _ = w.Run(ctx, s.OpenTail(p)) })
	}
	defer wg.Wait()
	defer cancel()
	h := open(t, s, store, x, func(p int) writer.Progress { return writers[p].Progress() })
	r := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		s.Append(t, r.IntN(2), r.IntN(50))
		if r.IntN(3) == 0 {
			s.Advance(time.Duration(r.IntN(90)) * time.Second)
			s.Tick(t)
		}
		snap, err := h.Snapshot(t.Context(), s.Heads(t))
		if err != nil {
			t.Fatal(err)
		}
		s.WantAll(t, store, snap.Files)
		if err := snap.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClosedChunks uses the chunks of the open epoch instead of reading their rows again.
func TestClosedChunks(t *testing.T) {
	s, store := laketest.New(t, 1), laketest.Store(t)
	x := s.Load(t, store)
	for range 4 {
		s.Append(t, 0, writer.ChunkRows/4)
	}
	s.Append(t, 0, 3)
	w := s.Writer(t, store, x, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx, s.OpenTail(0)) })
	for w.Progress().Seq == 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	snap, err := open(t, s, store, x, func(int) writer.Progress { return w.Progress() }).Snapshot(t.Context(), s.Heads(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Files) != 2 || snap.Files[0].Rows != writer.ChunkRows || snap.Files[1].Rows != 3 {
		t.Fatalf("files %+v", snap.Files)
	}
	if err := snap.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestFailures leaves nothing behind, whichever change of the store fails.
func TestFailures(t *testing.T) {
	s := laketest.New(t, 2)
	s.Append(t, 0, 10)
	s.Append(t, 1, 10)
	for k := 0; ; k++ {
		disk := laketest.Store(t)
		faulty := objstoretest.NewFaulty(disk, k, syscall.ENOSPC)
		x := s.Load(t, faulty)
		snap, err := open(t, s, faulty, x, nil).Snapshot(t.Context(), s.Heads(t))
		if err == nil {
			err = snap.Release(t.Context())
		}
		if err == nil {
			if k < 5 {
				t.Fatalf("only %d steps", k)
			}
			return
		}
		faulty.Heal()
		open(t, s, faulty, x, nil) // as after a restart
		wantNothingLeft(t, disk)
	}
}
