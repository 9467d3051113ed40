package publication

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// flaky is a store whose next Put goes wrong, before or after it took effect.
type flaky struct {
	objstore.Store
	before, after error
}

func (f *flaky) Put(ctx context.Context, name string, data []byte) error {
	if err := f.before; err != nil {
		f.before = nil
		return err
	}
	err := f.Store.Put(ctx, name, data)
	if err == nil {
		err, f.after = f.after, nil
	}
	return err
}

var errPut = errors.New("store failed by the test")

func open(t *testing.T) (*Authority, *flaky) {
	t.Helper()
	store, err := local.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{Store: store}
	return Open(f), f
}

func manifest(generation uint64, cut event.Epoch) *Manifest {
	return &Manifest{
		View: "hits.7", Generation: generation, Cut: cut,
		Positions: []CutPosition{{Seq: 4, Arrival: 99}, {}},
		Days:      map[int32]Day{-3: {Generation: 1, Groups: 2, Events: 5, Checksum: "18446744073709551615"}},
		Rows:      2, Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Drift: Drift{From: event.NoEpoch, To: cut, Batch: 5, Speed: 5, Comparable: true},
	}
}

func current(t *testing.T, a *Authority) *Manifest {
	t.Helper()
	m, err := a.Current(t.Context(), "hits.7")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPublishAndReadBack(t *testing.T) {
	a, f := open(t)
	if m := current(t, a); m != nil {
		t.Fatalf("published before the first: %+v", m)
	}
	for g := uint64(1); g <= 3; g++ {
		want := manifest(g, event.Epoch(g))
		if err := a.Publish(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if got := current(t, a); got != want {
			t.Errorf("in memory: %+v", got)
		}
		if got := current(t, Open(f)); !reflect.DeepEqual(got, want) {
			t.Errorf("after a restart: %+v", got)
		}
	}
	if m, err := a.Current(t.Context(), "other.1"); m != nil || err != nil {
		t.Errorf("another view: %+v, %v", m, err)
	}
	for range 2 {
		if err := a.Drop(t.Context(), "hits.7"); err != nil {
			t.Fatal(err)
		}
	}
	if m := current(t, a); m != nil {
		t.Errorf("after drop: %+v", m)
	}
}

func TestPublishFollowsOn(t *testing.T) {
	for name, c := range map[string]struct {
		generation uint64
		cut        event.Epoch
		want       string
	}{
		"again":      {2, 5, ErrGeneration.Error()},
		"skips":      {4, 5, ErrGeneration.Error()},
		"zero":       {0, 5, ErrGeneration.Error()},
		"steps back": {3, 4, "its cut 4 is before the published 5"},
	} {
		t.Run(name, func(t *testing.T) {
			a, f := open(t)
			for g := uint64(1); g <= 2; g++ {
				if err := a.Publish(t.Context(), manifest(g, 5)); err != nil {
					t.Fatal(err)
				}
			}
			for _, a := range []*Authority{a, Open(f)} {
				err := a.Publish(t.Context(), manifest(c.generation, c.cut))
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error is %v", err)
				}
				if m := current(t, a); m.Generation != 2 {
					t.Errorf("published %d", m.Generation)
				}
			}
		})
	}
}

func TestPublishWhoseStoreFails(t *testing.T) {
	for name, c := range map[string]struct {
		before, after error
		want          uint64
	}{
		"nothing was written": {errPut, nil, 1},
		"it was written":      {nil, errPut, 2},
	} {
		t.Run(name, func(t *testing.T) {
			a, f := open(t)
			if err := a.Publish(t.Context(), manifest(1, 1)); err != nil {
				t.Fatal(err)
			}
			f.before, f.after = c.before, c.after
			if err := a.Publish(t.Context(), manifest(2, 2)); !errors.Is(err, errPut) {
				t.Fatalf("error is %v", err)
			}
			if m := current(t, a); m.Generation != c.want {
				t.Errorf("generation %d is current", m.Generation)
			}
			if err := a.Publish(t.Context(), manifest(c.want+1, 2)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnreadableManifests(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":        "{",
		"another format": `{"format": 2, "view": "hits.7"}`,
		"another view":   `{"format": 1, "view": "hits.8"}`,
	} {
		t.Run(name, func(t *testing.T) {
			a, f := open(t)
			if err := f.Put(t.Context(), Name("hits.7"), []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Current(t.Context(), "hits.7"); err == nil {
				t.Error("it was read")
			}
			if err := a.Publish(t.Context(), manifest(1, 1)); err == nil {
				t.Error("it was replaced")
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, view := range []string{"hits.1", "a/../../b.2", "ü `x`\n.3", `back\slash.5`} {
		if err := objstore.CheckName(Name(view)); err != nil {
			t.Errorf("%q: %v", view, err)
		}
	}
}

// TestReadersSeeWholeGenerations publishes beside readers; each sees a manifest whose
// parts are of one generation, and generations never go back.
func TestReadersSeeWholeGenerations(t *testing.T) {
	a, _ := open(t)
	const last = 50
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for seen := uint64(0); seen < last; {
				m, err := a.Current(context.Background(), "hits.7")
				if err != nil {
					t.Error(err)
					return
				}
				if m == nil {
					continue
				}
				if m.Generation < seen || m.Cut != event.Epoch(m.Generation) {
					t.Errorf("generation %d with cut %d after %d", m.Generation, m.Cut, seen)
				}
				seen = m.Generation
			}
		})
	}
	for g := uint64(1); g <= last; g++ {
		if err := a.Publish(t.Context(), manifest(g, event.Epoch(g))); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format": 1, "view": "v", "days": {"-3": {"generation": 1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decode(data, "v"); err == nil && m.View != "v" {
			t.Errorf("read %+v", m)
		}
	})
}
