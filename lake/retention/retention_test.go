package retention

import (
	"math"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/laketest"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/objstoretest"
	"github.com/millrace/millrace/lake/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const always = event.Epoch(math.MaxInt64)

func fill(t *testing.T, s *laketest.Stream) {
	for range 4 {
		s.Append(t, 0, 10)
		s.Append(t, 1, 3)
		s.Advance(laketest.EpochLength)
	}
	s.Tick(t)
}

func retention(t *testing.T, store objstore.Store, x *seal.Index, now func() time.Time) *Retention {
	t.Helper()
	r, err := New(Config{Stream: laketest.ID, Store: store, Index: x})
	if err != nil {
		t.Fatal(err)
	}
	r.now = now
	return r
}

func exists(t *testing.T, store objstore.Store, f seal.File) bool {
	t.Helper()
	r, err := store.Open(t.Context(), f.Name)
	if err != nil {
		return false
	}
	r.Close()
	return true
}

func TestRemoves(t *testing.T) {
	s, store := laketest.New(t, 2), laketest.Store(t)
	start := s.Now()
	fill(t, s)
	x := s.Load(t, store)
	s.Write(t, store, x, s.Epoch()-1)
	pin := x.Pin()
	clock := time.Now().Add(time.Second)
	r := retention(t, store, x, func() time.Time { return clock })
	old := x.Seals(0)[0].Files[0]
	if err := r.Run(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if len(x.Files(0, always, nil)) != 8 {
		t.Fatal("something that is not old has gone")
	}
	if err := r.Run(t.Context(), start.Add(2*laketest.EpochLength)); err != nil {
		t.Fatal(err)
	}
	if len(x.Files(0, always, nil)) != 4 || !exists(t, store, old) {
		t.Fatalf("%d files; the old one exists: %v", len(x.Files(0, always, nil)), exists(t, store, old))
	}
	clock = clock.Add(2 * DefaultGrace)
	if err := r.Run(t.Context(), start); err != nil || !exists(t, store, old) {
		t.Fatalf("a file went while it was read; %v", err)
	}
	pin.Release()
	if err := r.Run(t.Context(), start); err != nil || exists(t, store, old) {
		t.Fatalf("the old file stays; %v", err)
	}
	// However old: the newest seal says where the writer goes on.
	if err := r.Run(t.Context(), start.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if len(x.Seals(0)) != 1 || len(x.Seals(1)) != 1 {
		t.Fatal("a newest seal has gone")
	}
	again := s.Load(t, store)
	if len(again.Files(0, always, nil)) != 2 {
		t.Fatalf("%d files after a restart", len(again.Files(0, always, nil)))
	}
}

// TestCrashAtEachStep: what the seals name exists at every moment, and in the end no
// object is left over.
func TestCrashAtEachStep(t *testing.T) {
	s, pristine := laketest.New(t, 2), laketest.Store(t)
	start := s.Now()
	fill(t, s)
	s.Write(t, pristine, s.Load(t, pristine), s.Epoch()-1)
	for k := 0; ; k++ {
		store := laketest.Clone(t, pristine)
		clock := time.Now()
		now := func() time.Time { return clock }
		before := start.Add(2 * laketest.EpochLength)
		faulty := objstoretest.NewFaulty(store, k, syscall.EIO)
		x := s.Load(t, faulty)
		check := func(x *seal.Index) {
			t.Helper()
			for _, f := range x.Files(0, always, nil) {
				if !exists(t, store, f) {
					t.Fatalf("k=%d: a seal names %s, which is gone", k, f.Name)
				}
			}
		}
		first := retention(t, faulty, x, now)
		err := first.Run(t.Context(), before)
		check(x)
		if err == nil {
			clock = clock.Add(2 * DefaultGrace)
			err = first.Run(t.Context(), before)
			check(x)
		}
		if (err != nil) != faulty.Fired() {
			t.Fatalf("k=%d: fired %v, but %v", k, faulty.Fired(), err)
		}
		again := s.Load(t, store)
		check(again)
		second := retention(t, store, again, now)
		for range 2 {
			if err := second.Run(t.Context(), before); err != nil {
				t.Fatalf("k=%d: %v", k, err)
			}
			check(again)
			clock = clock.Add(2 * DefaultGrace)
		}
		list, err := store.List(t.Context(), "lake/")
		if err != nil || len(list) != 8 { // two seals and two files of each partition
			t.Fatalf("k=%d: %d objects, want 8; %v", k, len(list), err)
		}
		if !faulty.Fired() {
			if k < 8 {
				t.Fatalf("only %d steps", k)
			}
			return
		}
	}
}
