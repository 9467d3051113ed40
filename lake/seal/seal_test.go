package seal_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/lake/objstore/objstoretest"
	"github.com/millrace/millrace/lake/seal"
)

const id = "clicks.7"

func open(t testing.TB) objstore.Store {
	t.Helper()
	s, err := local.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func load(t testing.TB, s objstore.Store, partitions int) *seal.Index {
	t.Helper()
	x, err := seal.Load(t.Context(), s, id, partitions)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// plain is a seal of one epoch with one file of the given days.
func plain(p int, from, to event.Epoch, days ...int32) seal.Seal {
	return seal.Seal{
		Stream: id, Partition: p, From: from, To: to, LastEpoch: from,
		Files: []seal.File{{Name: fmt.Sprintf("f-%d-%d", p, from), Rows: 10, Days: days}},
		Rows:  10, LastSeq: uint64(from) * 100, Arrival: int64(from) * 60e9,
		First: event.Position{Seq: uint64(from)}, Last: event.Position{Seq: uint64(from) * 100, Row: 3},
	}
}

func add(t testing.TB, x *seal.Index, seals ...seal.Seal) {
	t.Helper()
	for _, s := range seals {
		if err := x.Add(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func fileNames(files []seal.File) string {
	var out []string
	for _, f := range files {
		out = append(out, strings.TrimPrefix(f.Name, "f-"))
	}
	return strings.Join(out, " ")
}

func TestIndex(t *testing.T) {
	store := open(t)
	x := load(t, store, 2)
	if x.Complete() != event.NoEpoch {
		t.Fatal("an empty lake has complete epochs")
	}
	add(t, x, plain(0, 5, 5, 100), plain(0, 6, 8, 100, 101), plain(0, 9, 9, 7))
	if x.Complete() != event.NoEpoch {
		t.Fatal("complete although a partition has sealed nothing")
	}
	add(t, x, plain(1, 5, 7, 101), plain(1, 8, 8))
	add(t, x, plain(1, 8, 8)) // again
	check := func(x *seal.Index) {
		t.Helper()
		if x.Complete() != 8 {
			t.Errorf("complete %d, want 8", x.Complete())
		}
		for _, c := range []struct {
			from, to event.Epoch
			days     []int32
			want     string
		}{
			{0, math.MaxInt64, nil, "0-5 0-6 0-9 1-5 1-8"},
			{5, 5, nil, "0-5 1-5"},
			{6, 6, nil, "0-6"},
			{7, 8, nil, "1-8"}, // the seal of 6 to 8 has rows of epoch 6 only
			{10, 20, nil, ""},
			{0, 8, []int32{101}, "0-6 1-5"},
			{0, 8, []int32{7}, ""},
			{0, 9, []int32{7, 100}, "0-5 0-6 0-9"},
			{0, 9, []int32{}, ""},
		} {
			if got := fileNames(x.Files(c.from, c.to, c.days)); got != c.want {
				t.Errorf("files %d to %d of %v: %q, want %q", c.from, c.to, c.days, got, c.want)
			}
		}
		if got := x.Days(5, 8); !slices.Equal(got, []int32{100, 101}) {
			t.Errorf("days %v", got)
		}
		if got := x.Rows(5, 6); got != 30 {
			t.Errorf("rows %d, want 30", got)
		}
		for e, want := range map[event.Epoch]uint64{4: 0, 5: 500, 6: 600, 7: 600, 8: 600, 9: 900, 100: 900} {
			if s, _ := x.At(0, e); s.LastSeq != want {
				t.Errorf("epochs after %d begin after %d, want %d", e, s.LastSeq, want)
			}
		}
		if last, ok := x.Last(1); !ok || last.From != 8 {
			t.Errorf("last %+v", last)
		}
	}
	check(x)
	check(load(t, store, 2))
}

func TestAddRefusesOverlap(t *testing.T) {
	x := load(t, open(t), 1)
	add(t, x, plain(0, 5, 6), plain(0, 7, 9))
	for _, s := range []seal.Seal{plain(0, 6, 6), plain(0, 9, 12), plain(0, 6, 8), plain(0, 8, 8), plain(1, 20, 20), plain(0, 30, 20)} {
		if err := x.Add(t.Context(), s); err == nil {
			t.Errorf("%d to %d of partition %d was accepted", s.From, s.To, s.Partition)
		}
	}
	if got := fileNames(x.Files(0, 100, nil)); got != "0-5 0-7" {
		t.Errorf("files %s", got)
	}
}

// TestCompacted swaps seals for one, and finds the old objects gone after the next load.
func TestCompacted(t *testing.T) {
	store := open(t)
	x := load(t, store, 1)
	add(t, x, plain(0, 5, 5), plain(0, 6, 6), plain(0, 7, 8), plain(0, 9, 9))
	wide := plain(0, 5, 8)
	wide.LastEpoch, wide.LastSeq, wide.Files[0].Name = 7, 700, "f-wide"
	add(t, x, wide)
	for range 2 {
		if got := fileNames(x.Files(0, 100, nil)); got != "wide 0-9" {
			t.Fatalf("files %s", got)
		}
		if s, ok := x.At(0, 6); ok {
			t.Fatalf("a position inside a compacted seal: %+v", s)
		}
		if s, _ := x.At(0, 8); s.LastSeq != 700 {
			t.Fatalf("at 8: %+v", s)
		}
		x = load(t, store, 1)
	}
	list, err := store.List(t.Context(), seal.Prefix(id))
	if err != nil || len(list) != 2 {
		t.Fatalf("%d seal objects, %v", len(list), err)
	}
	if err := x.Remove(t.Context(), []seal.Seal{wide}); err != nil {
		t.Fatal(err)
	}
	last, _ := x.Last(0)
	if err := x.Remove(t.Context(), []seal.Seal{last}); err == nil {
		t.Fatal("the newest seal was removed: its writer would begin anew")
	}
	if got := fileNames(load(t, store, 1).Files(0, 100, nil)); got != "0-9" {
		t.Fatalf("files %s", got)
	}
}

func TestLoadRefusesDamage(t *testing.T) {
	for name, damage := range map[string]func(data []byte, name string) ([]byte, string){
		"flipped byte": func(d []byte, n string) ([]byte, string) { d[len(d)/2] ^= 1; return d, n },
		"half":         func(d []byte, n string) ([]byte, string) { return d[:len(d)/2], n },
		"empty":        func(_ []byte, n string) ([]byte, string) { return nil, n },
		"other name":   func(d []byte, n string) ([]byte, string) { return d, strings.Replace(n, "5-", "6-", 1) },
		"version": func(d []byte, n string) ([]byte, string) {
			return []byte(strings.Replace(string(d), `"version":1`, `"version":2`, 1)), n
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			s := plain(0, 5, 5, 1)
			add(t, load(t, store, 1), s)
			data, err := objstore.Get(t.Context(), store, seal.Name(&s))
			if err != nil {
				t.Fatal(err)
			}
			data, to := damage(data, seal.Name(&s))
			if err := store.Put(t.Context(), to, data); err != nil {
				t.Fatal(err)
			}
			if _, err := seal.Load(t.Context(), store, id, 1); !errors.Is(err, seal.ErrCorrupt) {
				t.Fatalf("load: %v", err)
			}
		})
	}
}

func TestAddFails(t *testing.T) {
	disk := open(t)
	x := load(t, objstoretest.NewFaulty(disk, 0, syscall.ENOSPC), 1)
	if err := x.Add(t.Context(), plain(0, 1, 1)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("add: %v", err)
	}
	if x.Complete() != event.NoEpoch {
		t.Fatal("a seal that is not durable is visible")
	}
}

func TestWait(t *testing.T) {
	x := load(t, open(t), 2)
	var wg sync.WaitGroup
	for e := range event.Epoch(6) {
		wg.Go(func() {
			if err := x.Wait(t.Context(), e); err != nil || x.Complete() < e {
				t.Errorf("wait for %d: %v at %d", e, err, x.Complete())
			}
		})
	}
	for p := range 2 {
		wg.Go(func() {
			for e := range event.Epoch(6) {
				if err := x.Add(t.Context(), plain(p, e, e)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Wait(ctx, 100); !errors.Is(err, context.Canceled) {
		t.Fatalf("wait: %v", err)
	}
}

// TestModel compares the files of drawn epochs with a plain list, before and after a reload.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := local.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		x := load(t, dir, 1)
		type row struct {
			epoch event.Epoch
			file  string
		}
		var model []row
		next := event.Epoch(10)
		for range rapid.IntRange(1, 12).Draw(rt, "seals") {
			to := next + event.Epoch(rapid.IntRange(0, 2).Draw(rt, "gap"))
			add(t, x, plain(0, next, to))
			model = append(model, row{next, fmt.Sprintf("f-0-%d", next)})
			next = to + 1
		}
		if rapid.Bool().Draw(rt, "reload") {
			x = load(t, dir, 1)
		}
		from := event.Epoch(rapid.IntRange(5, int(next)).Draw(rt, "from"))
		to := from + event.Epoch(rapid.IntRange(0, 10).Draw(rt, "to"))
		var want []string
		for _, r := range model {
			if r.epoch >= from && r.epoch <= to {
				want = append(want, strings.TrimPrefix(r.file, "f-"))
			}
		}
		if got := fileNames(x.Files(from, to, nil)); got != strings.Join(want, " ") {
			rt.Fatalf("files %d to %d: %q, want %q", from, to, got, want)
		}
	})
}

func TestPins(t *testing.T) {
	x := load(t, open(t), 1)
	p := x.Pin()
	q := x.Pin()
	after := p.Since().Add(1e9)
	if x.PinnedBefore(p.Since()) || !x.PinnedBefore(after) {
		t.Error("pins do not count from their time on")
	}
	p.Release()
	p.Release()
	if !x.PinnedBefore(after) {
		t.Error("one release ended two pins")
	}
	q.Release()
	if x.PinnedBefore(after) {
		t.Error("a released pin holds")
	}
}
