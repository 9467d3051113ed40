package redisview

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/event"
)

// pairs is partials as a map, for comparing.
func pairs(partials []Partial) map[string]string {
	m := make(map[string]string, len(partials))
	for _, p := range partials {
		m[string(p.Key)] = string(p.States)
	}
	return m
}

// partials makes partials of keys and states by turns.
func partials(pairs ...string) []Partial {
	var out []Partial
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Partial{Key: []byte(pairs[i]), States: []byte(pairs[i+1])})
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func at(fence, seq uint64, e event.Epoch) Checkpoint {
	return Checkpoint{Fence: fence, Seq: seq, Arrival: int64(seq) * 1000, Epoch: e}
}

func TestLifecycle(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if _, ok, err := s.Load(ctx, "v.1", 0); ok || err != nil {
			t.Fatalf("empty: %v, %v", ok, err)
		}
		snap, err := s.Snapshot(ctx, "v.1", 0, event.NoEpoch, nil)
		if err != nil || snap.Found {
			t.Fatalf("empty: %+v, %v", snap, err)
		}
		c0, c1, c2, c3 := at(1, 0, event.NoEpoch), at(1, 3, 7), at(1, 4, 7), at(1, 9, 8)
		must(t, s.Begin(ctx, "v.1", 0, c0))
		must(t, s.Flush(ctx, "v.1", 0, c0, c1, partials("a", "1", "b\x00\xff", "2")))
		must(t, s.Flush(ctx, "v.1", 0, c1, c2, partials("a", "5")))
		must(t, s.Flush(ctx, "v.1", 0, c2, c3, partials("a", "9")))
		got, ok, err := s.Load(ctx, "v.1", 0)
		if err != nil || !ok || !got.SamePosition(c3) || got.Base != event.NoEpoch {
			t.Fatalf("load: %+v, %v, %v", got, ok, err)
		}
		p, err := s.LoadEpoch(ctx, "v.1", 0, 7)
		must(t, err)
		if m := pairs(p); len(m) != 2 || m["a"] != "5" || m["b\x00\xff"] != "2" {
			t.Errorf("epoch 7: %q", m)
		}
		snap, err = s.Snapshot(ctx, "v.1", 0, event.NoEpoch, nil)
		must(t, err)
		if !snap.Found || len(snap.Epochs) != 2 || snap.Epochs[0].Epoch != 7 || pairs(snap.Epochs[1].Partials)["a"] != "9" {
			t.Errorf("snapshot: %+v", snap)
		}
		snap, err = s.Snapshot(ctx, "v.1", 0, 7, nil)
		must(t, err)
		if len(snap.Epochs) != 1 || snap.Epochs[0].Epoch != 8 {
			t.Errorf("after cut 7: %+v", snap)
		}
		if snap, err := s.Snapshot(ctx, "v.1", 1, 7, nil); err != nil || snap.Found {
			t.Errorf("another partition: %+v, %v", snap, err)
		}
		must(t, s.Drop(ctx, "v.1", 2))
		if keys := s.Client().Keys(ctx, "*").Val(); len(keys) != 0 {
			t.Errorf("left after drop: %q", keys)
		}
	})
}

func TestFlushIsGuarded(t *testing.T) {
	c0, c1 := at(5, 0, event.NoEpoch), at(5, 1, 1)
	for name, c := range map[string]struct {
		stored     *Checkpoint
		prev, next Checkpoint
		want       error
	}{
		"in order":            {&c0, c0, c1, nil},
		"nothing stored":      {nil, c0, c1, ErrLost},
		"rolled back":         {&c0, c1, at(5, 2, 1), ErrLost},
		"another writer":      {&c0, at(4, 0, event.NoEpoch), at(5, 1, 1), ErrLost},
		"older token":         {&c0, at(4, 0, event.NoEpoch), at(4, 1, 1), ErrFenced},
		"older token, same":   {&c0, c0, at(4, 1, 1), ErrFenced},
		"takes over":          {&c0, c0, at(6, 1, 1), nil},
		"nothing but arrival": {&c0, Checkpoint{Fence: 5, Epoch: event.NoEpoch, Arrival: 1}, c1, ErrLost},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				ctx := t.Context()
				if c.stored != nil {
					must(t, s.Begin(ctx, "v", 0, *c.stored))
				}
				err := s.Flush(ctx, "v", 0, c.prev, c.next, partials("k", "1"))
				if !errors.Is(err, c.want) {
					t.Fatalf("error is %v, not %v", err, c.want)
				}
				written, _ := s.LoadEpoch(ctx, "v", 0, c.next.Epoch)
				if (len(written) > 0) != (c.want == nil) {
					t.Errorf("%d partials were written", len(written))
				}
			})
		})
	}
}

func TestBeginIsFenced(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.Begin(ctx, "v", 0, at(2, 0, event.NoEpoch)))
		must(t, s.Flush(ctx, "v", 0, at(2, 0, event.NoEpoch), at(2, 1, 1), partials("k", "1")))
		if err := s.Begin(ctx, "v", 0, at(1, 0, event.NoEpoch)); !errors.Is(err, ErrFenced) {
			t.Fatalf("older token: %v", err)
		}
		must(t, s.Begin(ctx, "v", 0, at(3, 40, 12)))
		if p, err := s.LoadEpoch(ctx, "v", 0, 1); err != nil || len(p) != 0 {
			t.Errorf("left of before: %v, %v", p, err)
		}
		if c, _, _ := s.Load(ctx, "v", 0); c.Base != 12 {
			t.Errorf("base is %d", c.Base)
		}
	})
}

func TestStaleCut(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.Begin(ctx, "v", 0, at(1, 40, 12)))
		prev := at(1, 40, 12)
		for e := event.Epoch(13); e < 17; e++ {
			next := at(1, uint64(e)*10, e)
			must(t, s.Flush(ctx, "v", 0, prev, next, partials("k", "1")))
			prev = next
		}
		for cut, want := range map[event.Epoch]error{11: ErrStaleCut, event.NoEpoch: ErrStaleCut, 12: nil, 13: nil} {
			if _, err := s.Snapshot(ctx, "v", 0, cut, nil); !errors.Is(err, want) {
				t.Errorf("cut %d: %v", cut, err)
			}
		}
		must(t, s.DeleteThrough(ctx, "v", 0, 14))
		if _, err := s.Snapshot(ctx, "v", 0, 13, nil); !errors.Is(err, ErrStaleCut) {
			t.Errorf("deleted through 14, cut 13: %v", err)
		}
		snap, err := s.Snapshot(ctx, "v", 0, 14, nil)
		must(t, err)
		if len(snap.Epochs) != 2 || snap.Epochs[0].Epoch != 15 {
			t.Errorf("after 14: %+v", snap)
		}
		must(t, s.Flush(ctx, "v", 0, prev, at(1, 999, 16), nil)) // the writer does not notice
		if c, _, _ := s.Load(ctx, "v", 0); c.Base != 14 {
			t.Errorf("base is %d", c.Base)
		}
		must(t, s.DeleteThrough(ctx, "v", 0, 3))
		if c, _, _ := s.Load(ctx, "v", 0); c.Base != 14 {
			t.Errorf("base went back to %d", c.Base)
		}
	})
}

func TestHeldEpochs(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		prev := at(1, 0, event.NoEpoch)
		must(t, s.Begin(ctx, "v", 0, prev))
		for e := event.Epoch(1); e <= 3; e++ {
			next := at(1, uint64(e), e)
			must(t, s.Flush(ctx, "v", 0, prev, next, partials("k", "1")))
			prev = next
		}
		all := func(event.Epoch) bool { return true }
		snap, err := s.Snapshot(ctx, "v", 0, 1, all)
		must(t, err)
		if !slices.Equal(snap.Held, []event.Epoch{2}) || len(snap.Epochs) != 1 || snap.Epochs[0].Epoch != 3 {
			t.Errorf("held %v, read %+v", snap.Held, snap.Epochs)
		}
	})
}

func TestManyFields(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c0, c1 := at(1, 0, event.NoEpoch), at(1, 1, 1)
		must(t, s.Begin(ctx, "v", 0, c0))
		var many []Partial
		for i := range 2*fieldsPerCommand + 1 {
			many = append(many, partials(fmt.Sprint("key", i), strings.Repeat("s", i%5))...)
		}
		must(t, s.Flush(ctx, "v", 0, c0, c1, many))
		got, err := s.LoadEpoch(ctx, "v", 0, 1)
		must(t, err)
		want, have := pairs(many), pairs(got)
		if len(have) != len(want) || have["key1004"] != want["key1004"] {
			t.Errorf("%d partials of %d", len(have), len(want))
		}
	})
}

func TestSettle(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		f := &faults{}
		s.Client().AddHook(f)
		ctx := t.Context()
		c0, c1, c2 := at(1, 0, event.NoEpoch), at(1, 1, 1), at(1, 2, 1)
		must(t, s.Begin(ctx, "v", 0, c0))
		for _, c := range []struct {
			fault   fault
			prev    Checkpoint
			next    Checkpoint
			applied bool
		}{{before, c0, c1, false}, {afterwards, c0, c1, true}, {before, c1, c2, false}} {
			f.set(c.fault)
			if err := s.Flush(ctx, "v", 0, c.prev, c.next, nil); !errors.Is(err, errInjected) {
				t.Fatalf("flush: %v", err)
			}
			applied, err := s.Settle(ctx, "v", 0, c.prev, c.next)
			if err != nil || applied != c.applied {
				t.Errorf("settle: %v, %v", applied, err)
			}
		}
		must(t, s.Begin(ctx, "v", 0, at(2, 0, event.NoEpoch)))
		if _, err := s.Settle(ctx, "v", 0, c1, c2); !errors.Is(err, ErrFenced) {
			t.Errorf("after a newer writer: %v", err)
		}
		must(t, s.Client().FlushAll(ctx).Err())
		if _, err := s.Settle(ctx, "v", 0, c1, c2); !errors.Is(err, ErrLost) {
			t.Errorf("after FLUSHALL: %v", err)
		}
	})
}

func TestUnreadableState(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.Client().Set(ctx, posKey("v", 0), "9 what", 0).Err())
		if _, _, err := s.Load(ctx, "v", 0); err == nil {
			t.Error("a checkpoint of an unknown version was read")
		}
		if _, err := s.Snapshot(ctx, "v", 0, 1, nil); err == nil {
			t.Error("a checkpoint of an unknown version was read")
		}
	})
}

func TestCheck(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		h, err := s.Check(t.Context())
		must(t, err)
		if len(h.Problems) != 0 || h.RoundTrip <= 0 {
			t.Errorf("%+v", h)
		}
	})
	t.Run("evicting", func(t *testing.T) {
		s := open(t, false)
		must(t, s.Client().ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
		h, err := s.Check(t.Context())
		must(t, err)
		if len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "noeviction") {
			t.Errorf("%+v", h)
		}
	})
	t.Run("gone", func(t *testing.T) {
		s, err := Open("unix:///nowhere/redis.sock")
		must(t, err)
		defer s.Close()
		if _, err := s.Check(context.Background()); err == nil {
			t.Error("nobody answered, and it is well")
		}
	})
}

func TestVersionAtLeast(t *testing.T) {
	for version, want := range map[string]bool{
		"6.2.0": true, "6.1.9": false, "5.9.9": false, "7.0.15": true, "10.0": true, "": false, "x.y": false, "7": false,
	} {
		if versionAtLeast(version, 6, 2) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}

func TestOpen(t *testing.T) {
	for address, ok := range map[string]bool{
		"redis://127.0.0.1:1": true, "rediss://u:p@127.0.0.1:1/2": true, "unix:///x.sock": true,
		"redis://a:1,b:2,c:3": true, "redis://a:1,b:2?read_timeout=1s": true,
		"http://a": false, "redis://a:1?nonsense=1": false, "redis://a:1,b": false, ":": false,
	} {
		s, err := Open(address)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		if s != nil {
			s.Close()
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add("1 2 3 4 5 6")
	f.Add(Checkpoint{Fence: math.MaxUint64, Seq: 1, Arrival: -1, Epoch: event.NoEpoch, Base: event.NoEpoch}.Encode())
	f.Add("1 +2 3 4 5 6")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := DecodeCheckpoint(s)
		if err != nil {
			return
		}
		if d, err := DecodeCheckpoint(c.Encode()); err != nil || d != c {
			t.Errorf("%q gives %+v, which gives %+v, %v", s, c, d, err)
		}
	})
}
