package compact

import (
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/laketest"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/objstoretest"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/lake/writer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const always = event.Epoch(math.MaxInt64)

// hours writes three hours of a few epochs each, the last of which is not over.
func hours(t *testing.T, s *laketest.Stream, store objstore.Store) {
	t.Helper()
	for hour := range 3 {
		for epoch := range 3 {
			s.Append(t, 0, 20+hour)
			s.Append(t, 1, epoch)
			s.Tick(t)
			s.Advance(laketest.EpochLength)
		}
		s.Advance(57 * time.Minute)
	}
	s.Tick(t)
	s.Write(t, store, s.Load(t, store), s.Epoch()-1)
}

func compactor(s *laketest.Stream, store objstore.Store, x *seal.Index, clock func() time.Time) *Compactor {
	c := New(Config{Stream: laketest.ID, Schema: s.Schema, EpochLength: laketest.EpochLength, Store: store, Index: x})
	c.now = clock
	return c
}

func countObjects(t *testing.T, store objstore.Store) int {
	t.Helper()
	list, err := store.List(t.Context(), "lake/")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestCompacts(t *testing.T) {
	s, store := laketest.New(t, 2), laketest.Store(t)
	hours(t, s, store)
	x := s.Load(t, store)
	before := s.Read(t, store, x.Files(0, always, nil))
	lastBefore, _ := x.Last(0)
	days := x.Days(0, always)
	pin := x.Pin() // a slow reader
	clock := time.Now().Add(time.Second)
	c := compactor(s, store, x, func() time.Time { return clock })
	old := x.Files(0, always, nil)
	if err := c.Run(t.Context(), always); err != nil {
		t.Fatal(err)
	}
	s.WantAll(t, store, x.Files(0, always, nil))
	if after := s.Read(t, store, x.Files(0, always, nil)); !slices.EqualFunc(before, after, slices.Equal) {
		t.Fatal("the order of the events has changed")
	}
	// Hours 1 and 2 became a seal each; of the last hour three stay.
	if n := len(x.Seals(0)); n != 5 {
		t.Fatalf("%d seals, want 5: %+v", n, x.Seals(0))
	}
	if last, _ := x.Last(0); seal.Name(&last) != seal.Name(&lastBefore) {
		t.Fatalf("last seal %+v", last)
	}
	if !slices.Equal(x.Days(0, always), days) {
		t.Fatal("the days have changed")
	}
	s.WantAll(t, store, old) // the slow reader's files
	clock = clock.Add(2 * DefaultGrace)
	if err := c.Run(t.Context(), always); err != nil {
		t.Fatal(err)
	}
	s.WantAll(t, store, old)
	pin.Release()
	if err := c.Run(t.Context(), always); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), old[0].Name); err == nil {
		t.Fatal("a replaced file stays for ever")
	}
	again := s.Load(t, store)
	s.WantAll(t, store, again.Files(0, always, nil))
	if want := len(again.Seals(0)) + len(again.Seals(1)) + len(again.Files(0, always, nil)); countObjects(t, store) != want {
		t.Fatalf("%d objects, want %d", countObjects(t, store), want)
	}
	n := countObjects(t, store)
	if err := c.Run(t.Context(), always); err != nil || countObjects(t, store) != n {
		t.Fatalf("compacting twice changed something: %v", err)
	}
}

// TestThrough leaves alone what is above the cut.
func TestThrough(t *testing.T) {
	s, store := laketest.New(t, 2), laketest.Store(t)
	hours(t, s, store)
	x := s.Load(t, store)
	first := x.Seals(0)[0].From
	c := compactor(s, store, x, time.Now)
	if err := c.Run(t.Context(), first+59); err != nil {
		t.Fatal(err)
	}
	if n := len(x.Seals(0)); n != 7 {
		t.Fatalf("%d seals, want 7: one hour of three became one", n)
	}
	if err := c.Run(t.Context(), event.NoEpoch); err != nil {
		t.Fatal(err)
	}
}

// TestCrashAtEachStep ends compaction at the k-th change of the store for each k and goes
// on with a new compactor: at every moment the lake is whole, and in the end no object
// is left over.
func TestCrashAtEachStep(t *testing.T) {
	s, pristine := laketest.New(t, 2), laketest.Store(t)
	hours(t, s, pristine)
	for k := 0; ; k++ {
		store := laketest.Clone(t, pristine)
		clock := time.Now()
		now := func() time.Time { return clock }
		faulty := objstoretest.NewFaulty(store, k, syscall.EIO)
		x := s.Load(t, faulty)
		err := compactor(s, faulty, x, now).Run(t.Context(), always)
		s.WantAll(t, store, x.Files(0, always, nil))
		if err == nil {
			clock = clock.Add(2 * DefaultGrace)
			err = compactor(s, faulty, x, now).Run(t.Context(), always)
			s.WantAll(t, store, x.Files(0, always, nil))
		}
		if (err != nil) != faulty.Fired() {
			t.Fatalf("k=%d: fired %v, but %v", k, faulty.Fired(), err)
		}
		again := s.Load(t, store) // as after a restart
		s.WantAll(t, store, again.Files(0, always, nil))
		c := compactor(s, store, again, now)
		for range 2 {
			if err := c.Run(t.Context(), always); err != nil {
				t.Fatalf("k=%d: %v", k, err)
			}
			s.WantAll(t, store, again.Files(0, always, nil))
			clock = clock.Add(2 * DefaultGrace)
		}
		if want := len(again.Seals(0)) + len(again.Seals(1)) + len(again.Files(0, always, nil)); countObjects(t, store) != want {
			t.Fatalf("k=%d: %d objects, want %d", k, countObjects(t, store), want)
		}
		if !faulty.Fired() {
			if k < 24 {
				t.Fatalf("only %d steps", k)
			}
			return
		}
		if k > 24 {
			k += 3 // the steps repeat from plan to plan
		}
	}
}

func TestLayout(t *testing.T) {
	file := func(rows int64) seal.File { return seal.File{Rows: rows} }
	const big = mergeBelowRows
	for _, c := range []struct {
		rows []int64
		want []int
	}{
		{nil, nil},
		{[]int64{1}, []int{1}},
		{[]int64{1, 2, 3}, []int{3}},
		{[]int64{1, big, 2, 3}, []int{1, 1, 2}},
		{[]int64{big, big}, []int{1, 1}},
		{[]int64{big - 1, big - 1, big - 1, 5, 5}, []int{3, 2}},
	} {
		sources := make([]seal.Seal, len(c.rows))
		for i, r := range c.rows {
			sources[i].Files = []seal.File{file(r)}
		}
		var got []int
		for _, part := range layout(sources) {
			got = append(got, len(part))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.rows, got, c.want)
		}
	}
	if mergeBelowRows > writer.ChunkRows {
		t.Error("a full chunk would be merged")
	}
}
